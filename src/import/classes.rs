//! Decides which class of a data set each sub-folder of a set of pictures is.

use crate::{
    Dataset,
    names::{folded, natural, nearest, printable, some_of},
    report::class_folders,
};

#[cfg(test)]
mod tests;

/// Names in one message.
const NAMED: usize = 6;
/// Other names for folders of digits.
const DIGITS: [&str; 10] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// The label of each class's folder, and warnings about the choice.
type Labels = (Vec<usize>, Option<String>);

/// The labels of sub-folders with these sorted names. All of them hold pictures.
///
/// If all names are names of classes, the names decide; if all are labels, the labels decide. Only if none of them
/// means anything to the data set, their order decides.
pub(super) fn labels(folders: &[&str], dataset: &Dataset) -> Result<Labels, String> {
    let classes = Classes::of(dataset);
    let found = folders.iter().map(|name| classes.find(name)).collect::<Result<Vec<_>, _>>()?;
    let (labels, note) = if found.iter().all(|found| found.class.is_some()) {
        (found.iter().filter_map(|found| found.class).collect(), classes.spelt(&found))
    } else if let Some(labels) = classes.numbers(&found)? {
        (labels, None)
    } else if found.iter().any(|found| classes.is_known(found)) {
        return Err(classes.unknown(&found));
    } else {
        classes.by_order(folders)?
    };
    for (k, label) in labels.iter().enumerate() {
        if let Some(other) = labels[..k].iter().position(|other| other == label) {
            return Err(format!(
                "its sub-folders {} and {} are both class {}: put their pictures into one",
                printable(folders[other]),
                printable(folders[k]),
                classes.shown(*label)
            ));
        }
    }
    Ok((labels, note))
}

/// What a sub-folder's name may mean.
struct Found<'a> {
    name: &'a str,
    /// The class of this name.
    class: Option<usize>,
    /// The number that it is or begins with.
    number: Option<usize>,
    /// Whether the name is only that number.
    plain: bool,
}

struct Classes<'a> {
    set: &'a str,
    names: &'a [String],
    /// The names that this crate gives to the classes' folders.
    folders: Vec<String>,
    /// Whether class 3 is called `3`, and so on.
    digits: bool,
}

impl<'a> Classes<'a> {
    fn of(dataset: &'a Dataset) -> Self {
        let names = dataset.class_names();
        let digits = names.iter().enumerate().all(|(class, name)| *name == class.to_string());
        Self { set: dataset.name(), names, folders: class_folders(names), digits }
    }

    fn find<'n>(&self, name: &'n str) -> Result<Found<'n>, String> {
        let (number, rest) = numbered(name).map_or((None, name), |(n, rest)| (Some(n), rest));
        let class = match (self.called(name), number) {
            // A name after its label, as exports write them.
            (None, Some(number)) => self.called(rest).map(|class| (class, number)),
            (class, _) => class.map(|class| (class, class)),
        };
        match class {
            Some((class, number)) if class != number => Err(format!(
                "its sub-folder {} has {number} for its number, but {} is class {class} of {}: \
                 rename it",
                printable(name),
                printable(rest),
                self.set
            )),
            class => {
                let class = class.map(|(class, _)| class);
                Ok(Found { name, class, number, plain: number.is_some() && rest.is_empty() })
            }
        }
    }

    /// The class of a name: the exact name, the name of its folder, or else a name in another case or Unicode form if
    /// that fits only one class.
    fn called(&self, name: &str) -> Option<usize> {
        let at = |names: &[String]| names.iter().position(|other| other == name);
        if let Some(class) = at(self.names).or_else(|| at(&self.folders)) {
            return Some(class);
        }
        let name = folded(&printable(name));
        let alike = |class: &usize| {
            [&self.names[*class], &self.folders[*class]].into_iter().any(|n| folded(n) == name)
        };
        let mut alike = (0..self.names.len()).filter(alike);
        match (alike.next(), alike.next()) {
            (Some(class), None) => Some(class),
            (None, _) if self.digits => spelt(&name).filter(|digit| *digit < self.names.len()),
            _ => None,
        }
    }

    /// Their numbers as labels, if all of them have numbers that are labels.
    fn numbers(&self, found: &[Found<'_>]) -> Result<Option<Vec<usize>>, String> {
        let numbers: Option<Vec<_>> = found.iter().map(|found| found.number).collect();
        let Some(numbers) = numbers else { return Ok(None) };
        let most = numbers.iter().copied().max().unwrap_or(0);
        if most >= self.names.len() {
            if !found.iter().all(|found| found.plain) {
                return Ok(None);
            }
            let one = most == self.names.len() && !numbers.contains(&0);
            return Err(format!(
                "its sub-folders are numbers up to {most}, and the labels of {} are 0 to {}{}: rename \
                 them",
                self.set,
                self.names.len() - 1,
                if one { "; these seem to be counted from 1" } else { "" }
            ));
        }
        // Classes may have numbers for names that are other classes' labels.
        let torn = |found: &&Found<'_>| found.class.is_some_and(|c| Some(c) != found.number);
        match found.iter().find(torn) {
            None => Ok(Some(numbers)),
            Some(found) => Err(format!(
                "its sub-folders are labels of {set} or names of its classes, which does not go \
                 together: {name} is a name, of class {}; use names alone ({names})",
                found.class.unwrap_or(0),
                set = self.set,
                name = printable(found.name),
                names = some_of(self.names, NAMED)
            )),
        }
    }

    /// Whether a name means something by itself.
    fn is_known(&self, found: &Found<'_>) -> bool {
        let label = found.number.filter(|number| found.plain && *number < self.names.len());
        found.class.or(label).is_some()
    }

    /// The error for names that mean nothing beside others that do.
    fn unknown(&self, found: &[Found<'_>]) -> String {
        let guess = |found: &Found<'_>| {
            let near = nearest(found.name, self.names).map(printable).unwrap_or_default();
            format!("{} (the nearest is {near})", printable(found.name))
        };
        let unknown = found.iter().filter(|found| !self.is_known(found));
        let unknown: Vec<_> = unknown.map(guess).collect();
        format!(
            "{} of its {} {} {} no class of {}: {}; call each as its class or its label, 0 \
             to {}, or take it away",
            unknown.len(),
            found.len(),
            if found.len() == 1 { "sub-folder" } else { "sub-folders" },
            if unknown.len() == 1 { "is" } else { "are" },
            self.set,
            some_of(&unknown, NAMED),
            self.names.len() - 1
        )
    }

    /// The labels by sorted order, if alphabetical and numerical sorting agree.
    fn by_order(&self, folders: &[&str]) -> Result<Labels, String> {
        let count = self.names.len();
        let none = format!(
            "its {} sub-folders are not named as classes of {} ({})",
            folders.len(),
            self.set,
            some_of(self.names, 3)
        );
        if folders.len() != count {
            return Err(format!("{none}, and are not one for each of its {count} classes"));
        }
        let mut counted = folders.to_vec();
        counted.sort_by(|a, b| natural(a, b));
        if let Some((first, other)) = folders.iter().zip(&counted).find(|(a, b)| a != b) {
            return Err(format!(
                "{none}, and which is which depends on how they are sorted: {} comes before {} as \
                 text, behind it as a number; call them as the classes or by their labels, 0 to {}",
                printable(first),
                printable(other),
                count - 1
            ));
        }
        let pairs = folders.iter().enumerate();
        let pairs: Vec<_> = pairs
            .map(|(class, name)| format!("{} → {}", printable(name), self.shown(class)))
            .collect();
        let note = format!("{none} and are taken for them in sorted order: {}", pairs.join(", "));
        Ok(((0..count).collect(), Some(note)))
    }

    /// What to say where digits are spelt out.
    fn spelt(&self, found: &[Found<'_>]) -> Option<String> {
        let words =
            found.iter().filter(|found| self.digits && spelt(&folded(found.name)).is_some());
        let pairs: Vec<_> = words
            .filter_map(|found| Some(format!("{} → {}", printable(found.name), found.class?)))
            .collect();
        (!pairs.is_empty()).then(|| format!("words are taken for digits: {}", pairs.join(", ")))
    }

    fn shown(&self, class: usize) -> String {
        let name = printable(&self.names[class]);
        if self.digits { name.into_owned() } else { format!("{name} ({class})") }
    }
}

/// The digit that a word stands for.
fn spelt(word: &str) -> Option<usize> {
    DIGITS.iter().position(|digit| *digit == word)
}

/// The number that a name is or begins with, and what follows: `7`, `007`, `7-name`, `7_name`, `7 - name`.
fn numbered(name: &str) -> Option<(usize, &str)> {
    let end = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(name.len());
    let (number, rest) = name.split_at(end);
    let named = rest.trim_start_matches(['-', '_', ' ']);
    // A letter directly after it makes it a part of a name, as in `3d`.
    (rest.is_empty() || named.len() < rest.len()).then_some((number.parse().ok()?, named))
}
