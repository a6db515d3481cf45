//! Published data sets on this machine: where they are looked for, what is missing, and what is downloaded.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use super::{
    Known, Progress, Sources,
    known::{Origin, Published, Read, Unread},
    remote::Remote,
};
use crate::{Dataset, Error, Result};

/// The environment variable with the folder of the data sets, instead of the cache folder.
pub(super) const DATA_VARIABLE: &str = "DM_WGPU_DATA";
/// The environment variable with the folder of all caches.
pub(super) const CACHE_VARIABLE: &str = "XDG_CACHE_HOME";
/// The environment variable that replaces the mirrors: an address to which `/<data set>/<file>` or `/<file>` is
/// appended.
#[cfg(feature = "download")]
const MIRROR_VARIABLE: &str = "DM_WGPU_MIRROR";

/// A complete copy on this machine.
pub(super) struct Found {
    folder: PathBuf,
    paths: Vec<PathBuf>,
    read: Read,
}

impl Found {
    /// What to show to people: the file or, for several, their folder.
    pub(super) fn shown(self) -> PathBuf {
        match &self.paths[..] {
            [path] => path.clone(),
            _ => self.folder,
        }
    }
}

/// The one folder in which data sets are looked for.
pub(super) enum Place {
    /// The user named it, by the option or variable in the second field: sets are in it or in folders with their names.
    Named(PathBuf, &'static str),
    /// The user's cache folder: sets are in folders with their names and can be downloaded.
    Cache(PathBuf),
}

impl Place {
    /// # Errors
    /// [`Error::NotFound`] if no folder was named and there is no home folder.
    pub(super) fn of(sources: &Sources) -> Result<Self> {
        let variable = std::env::var_os(DATA_VARIABLE).filter(|value| !value.is_empty());
        match (&sources.data_dir, variable) {
            (Some(folder), _) => Ok(Self::Named(folder.clone(), "--data-dir")),
            (None, Some(folder)) => Ok(Self::Named(folder.into(), DATA_VARIABLE)),
            (None, None) => user_cache().map(Self::Cache).ok_or_else(|| {
                no_cache(&format!(
                    "Name a folder that holds the data set with --data-dir or {DATA_VARIABLE}, or one \
                     to keep downloads in with {CACHE_VARIABLE}."
                ))
            }),
        }
    }

    /// Where a set of this name would be, the best place first.
    fn folders(&self, name: &str) -> Vec<PathBuf> {
        match self {
            Self::Named(folder, _) => vec![folder.join(name), folder.clone()],
            Self::Cache(folder) => vec![folder.join(name)],
        }
    }
}

impl Sources {
    /// The folder in which data sets are looked for: in folders with their names and, if the user
    /// named it, in the folder itself.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) if no folder was named and there is no home
    /// folder.
    pub fn folder(&self) -> Result<PathBuf> {
        match Place::of(self)? {
            Place::Named(folder, _) | Place::Cache(folder) => Ok(folder),
        }
    }

    /// Whether missing files are downloaded to it: not to a folder that the user named.
    pub fn downloads(&self) -> bool {
        cfg!(feature = "download") && matches!(Place::of(self), Ok(Place::Cache(_)))
    }
}

impl Known {
    /// Where it is on this machine, by the rules of [`load`](crate::data::load): its file or, of several,
    /// their folder. None if files are missing, or if it needs none.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) if there is no home folder to look in.
    pub fn on_disk(&self, sources: &Sources) -> Result<Option<PathBuf>> {
        match &self.origin {
            Origin::Drawn(_) => Ok(None),
            Origin::Published(published) => {
                let place = Place::of(sources)?;
                Ok(published.locate(&place, self.name).map(|found| found.shown()))
            }
        }
    }
}

/// The folder of this program among the user's caches, as each platform has it; without a home folder, where
/// [`CACHE_VARIABLE`] says.
pub(crate) fn user_cache() -> Option<PathBuf> {
    let of_home = directories::ProjectDirs::from("", "", "dm-wgpu");
    let of_home = of_home.map(|folders| folders.cache_dir().to_path_buf());
    of_home.or_else(|| cache_in(std::env::var_os(CACHE_VARIABLE)))
}

/// By the rules of that variable, a path that is not absolute is ignored.
pub(super) fn cache_in(variable: Option<OsString>) -> Option<PathBuf> {
    let folder = variable.map(PathBuf::from).filter(|folder| folder.is_absolute());
    folder.map(|folder| folder.join("dm-wgpu"))
}

/// The error that there is no [`user_cache`], and what can be done.
pub(super) fn no_cache(help: &str) -> Error {
    Error::NotFound {
        what: "the user's cache folder".into(),
        help: format!("there is no home folder. {help}"),
    }
}

/// The data set, from this machine or, if it is not there and the user named no folder, from a mirror.
///
/// # Errors
/// [`Error::NotFound`] where files are missing, [`Error::Download`] when no mirror gave one,
/// [`Error::Io`] and [`Error::Format`] for files that cannot be used.
pub(super) fn load(
    known: &Known,
    published: &Published,
    place: &Place,
    sources: &Sources,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Dataset> {
    let found = published.locate(place, known.name);
    match place {
        Place::Named(folder, given_by) => {
            let found = found.ok_or_else(|| published.missing(known, folder, given_by))?;
            (found.read)(known, &found.paths, sources, on_progress)
        }
        Place::Cache(folder) => {
            let found = match found {
                Some(found) => found,
                None => published.complete(known, &folder.join(known.name), on_progress)?,
            };
            (found.read)(known, &found.paths, sources, on_progress).map_err(|error| match error {
                Error::Format { path, reason } => Error::Format {
                    path,
                    reason: format!("{reason}. Delete this file from the cache to get it anew"),
                },
                other => other,
            })
        }
    }
}

impl Published {
    /// The set in the first folder that has all of it: files of two copies must not be mixed.
    pub(super) fn locate(&self, place: &Place, name: &str) -> Option<Found> {
        place
            .folders(name)
            .iter()
            .flat_map(|folder| self.copies(folder))
            .find_map(|copy| copy.found())
    }

    /// The forms of a set that may be in a folder. Unpacked files are read faster, so they come first.
    fn copies(&self, folder: &Path) -> Vec<Copy> {
        let unpacked = self.unpacked.iter().flat_map(|unpacked| {
            let parts: Vec<_> = Path::new(unpacked.folder).iter().collect();
            (0..=parts.len()).map(move |skipped| {
                let folder = folder.join(parts[skipped..].iter().collect::<PathBuf>());
                // Joining an empty path leaves a separator at the end, which this removes.
                let folder = folder.components().collect::<PathBuf>();
                let path = |name: &str| locate(&folder, name).or_else(|| there(folder.join(name)));
                let files = unpacked.files.iter().map(|name| (*name, path(name))).collect();
                Copy { files, folder, read: unpacked.read }
            })
        });
        let files = self.files.iter().map(|file| (file.name, locate(folder, file.name)));
        let published =
            Copy { files: files.collect(), folder: folder.to_path_buf(), read: self.read };
        unpacked.chain([published]).collect()
    }

    /// The error if the named folder has no complete copy.
    fn missing(&self, known: &Known, folder: &Path, given_by: &str) -> Error {
        let below = folder.join(known.name);
        let copies: Vec<_> = [&below, folder].into_iter().flat_map(|f| self.copies(f)).collect();
        // The rest should be where most of it is.
        let fullest =
            copies.iter().filter(|copy| copy.present() > 0).min_by_key(|copy| copy.missing().len());
        let state = match fullest {
            _ if !folder.exists() => "which does not exist".to_owned(),
            _ if !folder.is_dir() => "which is no folder".to_owned(),
            None => format!("which has none of its files, nor has {} in it", known.name),
            Some(copy) => {
                format!("but {} lacks {}", copy.folder.display(), copy.missing().join(", "))
            }
        };
        let unread = self.unread_in([&below, folder]);
        Error::NotFound {
            what: known.title.into(),
            help: format!(
                "{given_by} names {}, {state}\n{unread}{} must be in {} or in {}{}\n{}",
                folder.display(),
                self.asked_for(),
                folder.display(),
                below.display(),
                self.list(),
                match cfg!(feature = "download") {
                    true => format!("Without {given_by} what is missing is downloaded, once."),
                    false => format!("Without {given_by} it is looked for in the cache folder."),
                }
            ),
        }
    }

    /// A line for the first form in these folders that is not read here; else nothing.
    fn unread_in(&self, folders: [&Path; 2]) -> String {
        let paths = folders.into_iter().flat_map(|folder| {
            let names = |unread: &'static Unread| unread.names.iter().map(move |n| (n, unread));
            self.unread
                .iter()
                .flat_map(names)
                .map(move |(name, unread)| (folder.join(name), unread))
        });
        let mut there = paths.filter(|(path, _)| path.exists());
        there.next().map_or_else(String::new, |(path, unread)| {
            format!("{} is there, but {}\n", path.display(), unread.what)
        })
    }

    /// `Its 4 files, plain or .gz,`: the beginning of a sentence.
    fn asked_for(&self) -> String {
        match self.files.len() {
            1 => "Its file, plain or .gz,".into(),
            count => format!("Its {count} files, plain or .gz,"),
        }
    }

    /// The end of that sentence: all names, one per line.
    fn list(&self) -> String {
        let lines = |names: &[&str]| {
            let pairs = names.chunks(2).map(|pair| pair.join(", "));
            pairs.collect::<Vec<_>>().join(",\n  ")
        };
        let names: Vec<_> = self.files.iter().map(Remote::published).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let unpacked = self.unpacked.iter().map(|unpacked| {
            format!(
                "\nor, unpacked, the folder {} with\n  {}",
                unpacked.folder,
                lines(unpacked.files)
            )
        });
        format!(":\n  {}{}", lines(&names), unpacked.collect::<String>())
    }

    /// The files in the set's cache folder, after those that were missing have been downloaded.
    #[cfg(feature = "download")]
    fn complete(
        &self,
        known: &Known,
        folder: &Path,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Found> {
        let mirrors = match std::env::var(MIRROR_VARIABLE) {
            Ok(mirror) if !mirror.is_empty() => {
                let mirror = mirror.trim_end_matches('/').to_owned();
                // A server of many sets has a folder for each; one of a single set may do without.
                vec![format!("{mirror}/{}", known.name), mirror]
            }
            Err(std::env::VarError::NotUnicode(given)) => {
                let given = given.to_string_lossy();
                return Err(Error::setting(MIRROR_VARIABLE, given, "an http(s) address is needed"));
            }
            _ => self.mirrors.iter().copied().map(String::from).collect(),
        };
        let fetcher = super::fetch::Fetcher::new(mirrors);
        let paths = complete_from(&fetcher, folder, self.files, on_progress)?;
        Ok(Found { folder: folder.to_path_buf(), paths, read: self.read })
    }

    /// The files in the set's cache folder; this build cannot add any.
    #[cfg(not(feature = "download"))]
    fn complete(
        &self,
        known: &Known,
        folder: &Path,
        _on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Found> {
        Err(Error::NotFound {
            what: known.title.into(),
            help: format!(
                "it is not complete in {}, and this build cannot download it. Put {} there (each \
                 may end in .gz), name a folder that holds them with --data-dir or \
                 {DATA_VARIABLE}, or build with the feature `download`.",
                folder.display(),
                self.files.iter().map(|file| file.name).collect::<Vec<_>>().join(", ")
            ),
        })
    }
}

/// Downloads what is missing of these files in a folder.
#[cfg(feature = "download")]
pub(super) fn complete_from(
    fetcher: &super::fetch::Fetcher,
    folder: &Path,
    files: &[Remote<'_>],
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<PathBuf>> {
    super::fetch::clean(folder);
    let path = |file: &Remote<'_>| match locate(folder, file.name) {
        Some(path) => Ok(path),
        None => fetcher.fetch(file, folder, on_progress),
    };
    files.iter().map(path).collect()
}

/// A place where a set may be, with the paths of those files that are there.
struct Copy {
    folder: PathBuf,
    files: Vec<(&'static str, Option<PathBuf>)>,
    read: Read,
}

impl Copy {
    fn found(&self) -> Option<Found> {
        let paths = self.files.iter().map(|(_, path)| path.clone()).collect::<Option<_>>()?;
        Some(Found { folder: self.folder.clone(), paths, read: self.read })
    }
    fn present(&self) -> usize {
        self.files.iter().filter(|(_, path)| path.is_some()).count()
    }
    fn missing(&self) -> Vec<&'static str> {
        self.files.iter().filter(|(_, path)| path.is_none()).map(|(name, _)| *name).collect()
    }
}

fn there(path: PathBuf) -> Option<PathBuf> {
    path.exists().then_some(path)
}

/// The file of this name in a folder, under any of its usual names. If it is not a regular file, its reader refuses it.
fn locate(folder: &Path, name: &str) -> Option<PathBuf> {
    // Some tools write train-images.idx3-ubyte.
    let dotted = name.replace("-idx", ".idx");
    [name.to_string(), format!("{name}.gz"), dotted.clone(), format!("{dotted}.gz")]
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.metadata().is_ok_and(|about| !about.is_dir()))
}
