//! Folders of pictures with a sub-folder per class: which pictures belong to which class and split.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    Known, Progress,
    pictures::{Entry, Picture, Pictures, Shelf, Size, Wanted, cache_folder, endings, is_picture},
};
use crate::{
    Dataset, Error, Result,
    listing::is_hidden,
    names::{difference, folded, printable, same_text, some_of},
};

/// Part of each class that is set aside for the test, if a folder has no test pictures.
pub const TEST_FRACTION: f64 = 0.2;

/// What the folder beside `train` may be called, in any case, the best first.
const TESTS: [&str; 4] = ["test", "val", "valid", "validation"];
/// Files by which folders of runs are recognised. A run's own files may be one level further down.
const RESULTS: [&str; 3] = ["run.toml", "runs.toml", "report.json"];

/// A published set from which somebody has made such a folder; classes have the set's own order.
pub(super) fn published(
    known: &Known,
    classes: &[&str],
    path: &Path,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Dataset> {
    relabelled(known, classes, path)?.load(&cache_folder()?, on_progress)
}

pub(super) fn relabelled(known: &Known, classes: &[&str], path: &Path) -> Result<Pictures> {
    let shelf = Shelf::Folder(path.to_path_buf());
    let arranged = arrange(&shelf, None)?;
    // Sorted there, but not here.
    let labels: Option<Vec<_>> = arranged
        .classes
        .iter()
        .map(|name| classes.iter().position(|class| class == name))
        .map(|label| label.map(|label| label as u32))
        .collect();
    let labels = labels.filter(|labels| labels.len() == classes.len()).ok_or_else(|| {
        let names = classes.join(", ");
        let strange = arranged.classes.iter().find(|name| !classes.contains(&name.as_str()));
        let strange = strange.map(|name| format!("; {name} is none of them"));
        let why = format!("the classes of {} are {names}", known.title);
        Error::format(path, why + &strange.unwrap_or_default())
    })?;
    let relabelled = |mut pictures: Vec<Picture>| {
        for picture in &mut pictures {
            picture.label = labels[picture.label as usize];
        }
        pictures
    };
    Ok(Pictures {
        name: known.name.into(),
        class_names: classes.iter().map(|&name| name.into()).collect(),
        shelf,
        train: relabelled(arranged.train),
        test: relabelled(arranged.test),
        wanted: Wanted { channels: Some(known.channels), size: Size::Exactly(known.size) },
        normalisation: Some((known.mean.to_vec(), known.std.to_vec())),
        part: None,
    })
}

/// The pictures of a folder by split and class.
pub(super) struct Arranged {
    pub classes: Vec<String>,
    pub train: Vec<Picture>,
    pub test: Vec<Picture>,
}

/// A folder's pictures: with a part of each class for the test, unless it has test pictures of its own.
pub(super) fn arrange(shelf: &Shelf, test_fraction: Option<f64>) -> Result<Arranged> {
    let root = shelf.path();
    let folders = subfolders(root)?;
    let called = |name: &str| folders.iter().find(|folder| folder.eq_ignore_ascii_case(name));
    let test_folder = TESTS.into_iter().find_map(called);
    // A class may be called train as well.
    let train_folder = match called("train") {
        Some(train) if test_folder.is_some() || folders.len() == 1 => {
            is_tree(&root.join(train))?.then_some(train)
        }
        _ => None,
    };
    let Some(train_folder) = train_folder else {
        return Tree::read(shelf, "")?.divided(test_fraction.unwrap_or(TEST_FRACTION));
    };
    let train = Tree::read(shelf, train_folder)?;
    let Some(test_folder) = test_folder else {
        return train.divided(test_fraction.unwrap_or(TEST_FRACTION));
    };
    if let Some(given) = test_fraction {
        return Err(Error::setting(
            "test_fraction",
            given,
            format!("{} is there to test on; leave it out", root.join(test_folder).display()),
        ));
    }
    train.with_test(Tree::read(shelf, test_folder)?)
}

/// The names of a folder's sub-folders, sorted, without hidden ones and those of results.
pub(super) fn subfolders(folder: &Path) -> Result<Vec<String>> {
    let mut names = all_subfolders(folder)?;
    names.retain(|name| !has_results(&folder.join(name)));
    Ok(names)
}

/// Whether a folder, or a folder directly in it, holds the results of runs, as `runs` does.
fn has_results(folder: &Path) -> bool {
    let results = |folder: &Path| RESULTS.iter().any(|name| folder.join(name).is_file());
    let below = |name: &String| results(&folder.join(name));
    results(folder) || all_subfolders(folder).is_ok_and(|names| names.iter().any(below))
}

fn all_subfolders(folder: &Path) -> Result<Vec<String>> {
    let failed = |error| Error::io("read", folder)(error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !is_hidden(&name) && entry.path().is_dir() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Whether it holds folders and no pictures beside them.
fn is_tree(folder: &Path) -> Result<bool> {
    let entries = fs::read_dir(folder).map_err(Error::io("read", folder))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let pictures = names.filter(|name| !is_hidden(name)).any(|name| is_picture(&name));
    Ok(!pictures && !subfolders(folder)?.is_empty())
}

/// A folder with a sub-folder per class.
struct Tree {
    path: PathBuf,
    /// Each class's pictures, sorted by name.
    classes: BTreeMap<String, Vec<Entry>>,
}

impl Tree {
    /// Warns once about what is left out.
    fn read(shelf: &Shelf, below: &str) -> Result<Self> {
        const NAMED: usize = 3;
        let path = if below.is_empty() { shelf.path().to_owned() } else { shelf.shown(below) };
        let names = subfolders(&path)?;
        let results: Vec<_> = all_subfolders(&path)?;
        let results: Vec<_> = results.into_iter().filter(|name| !names.contains(name)).collect();
        if !results.is_empty() {
            let path = path.display();
            log::warn!("{path}: results of runs are no class: {}", some_of(&results, usize::MAX));
        }
        let mut classes: BTreeMap<_, _> = names.into_iter().map(|n| (n, Vec::new())).collect();
        let mut ignored = Vec::new();
        for entry in shelf.files(below)? {
            let within = entry.name[below.len()..].trim_start_matches('/');
            let top = within.split_once('/').map(|(top, _)| top);
            if top.is_some_and(|top| results.iter().any(|name| name == top)) {
                continue;
            }
            let class = top.and_then(|class| classes.get_mut(class));
            match class.filter(|_| is_picture(within)) {
                Some(pictures) => pictures.push(entry),
                None => ignored.push(within.to_owned()),
            }
        }
        if !ignored.is_empty() {
            log::warn!(
                "{}: ignored, as no picture ({}) of a class: {} \
                 ({} in all)",
                path.display(),
                endings(),
                some_of(&ignored, NAMED),
                ignored.len()
            );
        }
        if classes.values().all(Vec::is_empty) {
            return Err(Error::format(
                path,
                format!(
                    "there are no pictures ({}) in sub-folders: one for each class is needed, or train \
                     and test with one for each class in both",
                    endings()
                ),
            ));
        }
        for (name, pictures) in &classes {
            refuse_deeper(&path, name, pictures)?;
        }
        tell_apart(&path, &classes)?;
        Ok(Self { path, classes })
    }

    /// The same classes in both.
    fn with_test(self, test: Self) -> Result<Arranged> {
        let Self { path, classes } = self;
        let (mut names, mut train, mut tests) = (Vec::new(), Vec::new(), Vec::new());
        for (name, pictures) in classes {
            refuse_empty(&path, &name, &pictures)?;
            let labelled = |file| Picture { file, label: names.len() as u32 };
            train.extend(pictures.into_iter().map(labelled));
            names.push(name);
        }
        for (name, pictures) in test.classes {
            match names.iter().position(|known| *known == name) {
                Some(label) => {
                    let label = label as u32;
                    tests.extend(pictures.into_iter().map(|file| Picture { file, label }));
                }
                None if pictures.is_empty() => {}
                None => {
                    let path = path.display();
                    let alike =
                        names.iter().find_map(|known| Some((known, difference(known, &name)?)));
                    let why = match alike {
                        Some((known, difference)) => format!(
                            "a class without training pictures: {path} has {}, which is {difference}: \
                             call both alike",
                            printable(known)
                        ),
                        None => format!("a class without training pictures: {path} lacks it"),
                    };
                    return Err(Error::format(test.path.join(&name), why));
                }
            }
        }
        // A folder's name must not control anybody's terminal.
        let classes = names.iter().map(|name| printable(name).into_owned()).collect();
        Ok(Arranged { classes, train, test: tests })
    }

    /// A part of each class for the test. It follows from the pictures' names alone, whatever else the folder holds and
    /// wherever it is.
    fn divided(self, fraction: f64) -> Result<Arranged> {
        if !(0.0..1.0).contains(&fraction) {
            return Err(Error::setting("test_fraction", fraction, "from 0 to below 1 is possible"));
        }
        let (mut train, mut test) = (BTreeMap::new(), BTreeMap::new());
        for (name, pictures) in self.classes {
            refuse_empty(&self.path, &name, &pictures)?;
            // At least one picture is left to train on.
            let tested = (pictures.len() as f64 * fraction).round() as usize;
            let tested = tested.min(pictures.len() - 1);
            let within = |file: &Entry| {
                let at = file.name.find(&name).unwrap_or(0);
                Sha256::digest(&file.name.as_bytes()[at..])
            };
            let mut drawn: Vec<_> = pictures.iter().map(|file| (within(file), file)).collect();
            drawn.sort();
            let drawn: std::collections::HashSet<_> =
                drawn[..tested].iter().map(|(_, file)| file.name.clone()).collect();
            let (tests, trains) =
                pictures.into_iter().partition(|file: &Entry| drawn.contains(&file.name));
            train.insert(name.clone(), trains);
            test.insert(name, tests);
        }
        let part = |classes| Self { path: self.path.clone(), classes };
        part(train).with_test(part(test))
    }
}

/// Refuses classes whose names look the same, and warns about names that differ only in case: letters may be classes,
/// but a mistake is likelier.
fn tell_apart(path: &Path, classes: &BTreeMap<String, Vec<Entry>>) -> Result<()> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    let mut alike = Vec::new();
    let full = classes.iter().filter(|(_, pictures)| !pictures.is_empty());
    for name in full.map(|(name, _)| name.as_str()) {
        match seen.insert(folded(name), name) {
            Some(other) if same_text(other, name) => {
                return Err(Error::format(
                    path.join(name),
                    "a class of this name is there twice, in different Unicode forms: put the \
                     pictures of both into one folder",
                ));
            }
            Some(other) => alike.push(format!("{other} and {name}")),
            None => {}
        }
    }
    if !alike.is_empty() {
        log::warn!(
            "{}: taken for different classes, though their names differ in case alone: {}",
            path.display(),
            some_of(&alike, 3)
        );
    }
    Ok(())
}

/// A folder whose pictures all lie further down is not a class but a folder of classes.
fn refuse_deeper(path: &Path, name: &str, pictures: &[Entry]) -> Result<()> {
    let folder = path.join(name);
    if pictures.is_empty() || !is_tree(&folder)? {
        return Ok(());
    }
    Err(Error::format(
        folder,
        format!(
            "its pictures are all in sub-folders ({} …), so it is no class: pictures are expected \
             in PATH/<class>/ itself, or in PATH/train/<class>/ and PATH/test/<class>/; name the \
             folder that holds the classes, or move the pictures up",
            pictures[0].name.rsplit('/').nth(1).unwrap_or(name)
        ),
    ))
}

fn refuse_empty(path: &Path, name: &str, pictures: &[Entry]) -> Result<()> {
    match pictures {
        [] => Err(Error::format(
            path.join(name),
            format!(
                "a class without pictures ({}): put some in, or take the folder away",
                endings()
            ),
        )),
        _ => Ok(()),
    }
}
