//! Some of a data set's classes: which ones, and which ones the shards of a run get.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{Error, Result};

/// Numbers of classes, ascending, each once: `0-99,200`.
///
/// ```
/// use dm_wgpu::data::Classes;
///
/// let classes: Classes = "7,0-2".parse()?;
/// assert_eq!((classes.numbers(), classes.to_string().as_str()), (&[0, 1, 2, 7][..], "0-2,7"));
/// # Ok::<(), dm_wgpu::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes(Vec<u32>);

/// One of several parts of equal weight: `2/8` is the second of eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    number: u32,
    of: u32,
}

/// Which classes of a data set to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClassChoice {
    /// These.
    Classes(Classes),
    /// Those of a shard, by [`Shard::classes`].
    Shard(Shard),
}

/// Which part of a whole data set a [`Dataset`](crate::Dataset) is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Part {
    /// The numbers of its classes in the whole set.
    pub classes: Classes,
    /// How many classes the whole set has.
    pub of: usize,
    /// What tells the whole set from others: equal for all of its parts that were loaded in the same way.
    pub digest: String,
}

/// More classes than any data set has, and few enough to be listed.
pub(crate) const MOST_CLASSES: u32 = 10_000_000;

impl Classes {
    /// These, in any order.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are none, or one is named twice.
    pub fn new(numbers: impl IntoIterator<Item = u32>) -> Result<Self> {
        let mut numbers: Vec<_> = numbers.into_iter().collect();
        numbers.sort_unstable();
        let own = Self(numbers);
        match own.0.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(wrong(&own, format!("class {} is named twice", pair[0]))),
            None if own.0.is_empty() => Err(wrong(&own, "at least one class is needed".into())),
            None => Ok(own),
        }
    }

    /// Ascending.
    pub fn numbers(&self) -> &[u32] {
        &self.0
    }

    /// The place of a class among these.
    pub fn position(&self, number: u32) -> Option<usize> {
        self.0.binary_search(&number).ok()
    }

    /// Refuses classes that a data set of so many does not have.
    pub(super) fn check(&self, of: usize) -> Result<()> {
        match self.0.last() {
            Some(last) if *last as usize >= of => {
                let why = format!("there are {of} classes, numbered 0 to {}", of.saturating_sub(1));
                Err(wrong(self, why))
            }
            _ => Ok(()),
        }
    }

    fn ranges(&self) -> Vec<RangeInclusive<u32>> {
        let runs = self.0.chunk_by(|a, b| a + 1 == *b);
        runs.map(|run| run[0]..=run[run.len() - 1]).collect()
    }
}

fn wrong(classes: &Classes, why: String) -> Error {
    Error::setting("classes", classes.to_string(), why)
}

impl fmt::Display for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, range) in self.ranges().iter().enumerate() {
            let (first, last) = (range.start(), range.end());
            f.write_str(if at == 0 { "" } else { "," })?;
            match last - first {
                0 => write!(f, "{first}")?,
                _ => write!(f, "{first}-{last}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Classes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let form = "numbers of classes from 0 on are needed, such as 0-99,200";
        let refused = || Error::setting("classes", text, form);
        let mut numbers = Vec::new();
        for piece in text.split(',') {
            let (first, last) = piece.split_once('-').unwrap_or((piece, piece));
            let number = |text: &str| text.trim().parse::<u32>().ok().filter(|n| *n < MOST_CLASSES);
            let (first, last) = number(first).zip(number(last)).ok_or_else(refused)?;
            if last < first || numbers.len() > MOST_CLASSES as usize {
                return Err(refused());
            }
            numbers.extend(first..=last);
        }
        Self::new(numbers)
    }
}

impl Shard {
    /// The `number`th, from 1, of so many.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is no such one.
    pub fn new(number: u32, of: u32) -> Result<Self> {
        match (1..=of).contains(&number) {
            true => Ok(Self { number, of }),
            false => {
                let why = "K/N is needed, K from 1 to N";
                Err(Error::setting("shard", format!("{number}/{of}"), why))
            }
        }
    }

    /// From 1.
    pub fn number(self) -> u32 {
        self.number
    }

    /// How many there are.
    pub fn of(self) -> u32 {
        self.of
    }

    /// Its classes, where class c has `images[c]` training images. The shards are runs of neighbouring classes, each with
    /// at least one. Shard K of N ends at the border between two classes that is nearest to K/N of all images (of two that
    /// are equally near, at the first); so it has N-th part of the images to within one class.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are fewer classes than shards.
    pub fn classes(self, images: &[usize]) -> Result<Classes> {
        let (shards, classes) = (self.of as usize, images.len());
        if shards > classes {
            let why = format!("there are {classes} classes, and a shard has at least one");
            return Err(Error::setting("shard", self, why));
        }
        let borders: Vec<u128> = std::iter::once(0)
            .chain(images.iter().scan(0, |sum, images| {
                *sum += *images as u128;
                Some(*sum)
            }))
            .collect();
        let (mut begin, mut end) = (0, 0);
        for shard in 1..=self.number as usize {
            begin = end;
            let target = borders[classes] * shard as u128;
            let possible = begin + 1..=classes - (shards - shard);
            let distance = |&at: &usize| (borders[at] * shards as u128).abs_diff(target);
            end = possible.min_by_key(distance).unwrap_or(classes);
        }
        Classes::new(begin as u32..end as u32)
    }

    /// Its part of so many things of one size: the first of them, and how many.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are fewer than shards.
    pub fn part(self, all: usize) -> Result<(usize, usize)> {
        let border = |shard: u32| (all as u128 * u128::from(shard) / u128::from(self.of)) as usize;
        let (first, end) = (border(self.number - 1), border(self.number));
        match self.of as usize <= all {
            true => Ok((first, end - first)),
            false => {
                let why = format!("there are {all} networks, and a shard has at least one");
                Err(Error::setting("shard", self, why))
            }
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let numbers = text
            .split_once('/')
            .and_then(|(number, of)| Some((number.trim().parse().ok()?, of.trim().parse().ok()?)));
        let why = "K/N is needed, K from 1 to N, such as 2/8";
        let (number, of) = numbers.ok_or_else(|| Error::setting("shard", text, why))?;
        Self::new(number, of)
    }
}

impl ClassChoice {
    /// The classes, where class c has `images[c]` training images.
    ///
    /// # Errors
    /// [`Error::Setting`] for classes that are not there, or more shards than classes.
    pub fn of(&self, images: &[usize]) -> Result<Classes> {
        match self {
            Self::Classes(classes) => classes.check(images.len()).map(|()| classes.clone()),
            Self::Shard(shard) => shard.classes(images),
        }
    }
}

impl fmt::Display for ClassChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Classes(classes) => classes.fmt(f),
            Self::Shard(shard) => shard.fmt(f),
        }
    }
}

impl FromStr for ClassChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.contains('/') {
            true => text.parse().map(Self::Shard),
            false => text.parse().map(Self::Classes),
        }
    }
}

/// As people write them.
macro_rules! as_text {
    ($($type:ty),+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(D::Error::custom)
            }
        }
    )+};
}
as_text!(Classes, Shard, ClassChoice);

#[cfg(test)]
mod tests {
    use super::*;

    fn shards(images: &[usize], of: u32) -> Vec<String> {
        let shard = |number| Shard::new(number, of).unwrap().classes(images).unwrap().to_string();
        (1..=of).map(shard).collect()
    }

    #[test]
    fn classes_are_read_back_as_they_are_written() {
        for (text, written) in
            [("0-99,200", "0-99,200"), ("3,2,1", "1-3"), (" 5 ", "5"), ("4,0-1", "0-1,4")]
        {
            let classes: Classes = text.parse().unwrap();
            assert_eq!(classes.to_string(), written);
            assert_eq!(written.parse::<Classes>().unwrap(), classes);
        }
        for wrong in ["", "-", "a", "3-1", "1,1", "0-4,2", "1-", "-1", "0-99999999999"] {
            let error = wrong.parse::<Classes>().unwrap_err();
            assert!(error.is_usage() && error.to_string().starts_with("classes = "), "{error}");
        }
        assert_eq!("2/8".parse::<ClassChoice>().unwrap().to_string(), "2/8");
        for wrong in ["0/3", "4/3", "1/0", "1", "a/b", "1/2/3", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn shards_are_balanced_by_images_and_never_empty() {
        assert_eq!(shards(&[10; 10], 1), ["0-9"]);
        assert_eq!(shards(&[10; 10], 2), ["0-4", "5-9"]);
        assert_eq!(shards(&[10; 10], 3), ["0-2", "3-6", "7-9"]);
        assert_eq!(shards(&[90, 10, 10, 10, 10, 10], 2), ["0", "1-5"]);
        assert_eq!(shards(&[1000, 1, 1], 3), ["0", "1", "2"]);
        assert_eq!(shards(&[1, 1, 1000], 3), ["0", "1", "2"]);
        // Each class is in one of them, whatever the sizes.
        let sizes: Vec<_> = (0..97).map(|class| 1 + class * class % 41).collect();
        for of in [1, 2, 5, 96, 97] {
            let all: Vec<u32> = (1..=of)
                .flat_map(|number| {
                    Shard::new(number, of).unwrap().classes(&sizes).unwrap().numbers().to_vec()
                })
                .collect();
            assert_eq!(all, (0..97).collect::<Vec<_>>());
        }
        let error = Shard::new(1, 3).unwrap().classes(&[5, 5]).unwrap_err().to_string();
        assert!(error.contains("there are 2 classes"), "{error}");
    }

    #[test]
    fn networks_are_shared_out_equally() {
        let part = |number, of| Shard::new(number, of).unwrap().part(20).unwrap();
        assert_eq!([part(1, 3), part(2, 3), part(3, 3)], [(0, 6), (6, 7), (13, 7)]);
        assert_eq!(part(20, 20), (19, 1));
        assert!(Shard::new(1, 21).unwrap().part(20).is_err());
        // What a file claims does not overflow.
        let last = Shard::new(u32::MAX, u32::MAX).unwrap();
        assert_eq!(last.part(usize::MAX).unwrap().0 + last.part(usize::MAX).unwrap().1, usize::MAX);
    }

    #[test]
    fn classes_that_are_not_there_are_refused() {
        let choice: ClassChoice = "0-3".parse().unwrap();
        assert_eq!(choice.of(&[1; 4]).unwrap().to_string(), "0-3");
        let error = choice.of(&[1; 3]).unwrap_err().to_string();
        assert_eq!(error, "classes = 0-3: there are 3 classes, numbered 0 to 2");
    }
}
