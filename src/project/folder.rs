//! The run's folder. It is checked before any work, made when the run begins, and must be empty. It
//! is removed again if the run fails before there is anything to keep.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    Error, Event, Observer, PlaceFault, Record, Result,
    files::{LOCK, RECORD, RUNS},
    lock::Lock,
    record::pictures,
};
use crate::files::WRITING;

/// A folder that exists, is empty and is writable. If it is dropped before [`keep`](Self::keep), it
/// is removed together with every folder that was made for it, unless something was saved there.
#[derive(Debug)]
pub struct OutputFolder {
    path: PathBuf,
    made: Vec<PathBuf>,
    kept: bool,
    lock: Option<Lock>,
    /// What was asked for, once the run has begun.
    begun: Option<Record>,
}

impl OutputFolder {
    fn at(path: PathBuf) -> Self {
        Self { path, made: Vec::new(), kept: false, lock: None, begun: None }
    }

    /// The folder of a run that is resumed, which nothing removes.
    pub fn again(path: &Path) -> Result<Self> {
        let mut folder = Self::at(path.to_path_buf());
        folder.lock = Some(Lock::of(path)?);
        folder.keep();
        remove_unfinished(path);
        Ok(folder)
    }

    /// Whether [`reserve`](Self::reserve) would succeed now, without making anything, so that
    /// failures come before the work rather than after it.
    pub fn check(out: Option<&Path>) -> Result<()> {
        let path = out.unwrap_or(Path::new(RUNS));
        let refused = |fault| Err(place(path, out.is_some(), fault));
        if path.as_os_str().is_empty() {
            return refused(PlaceFault::Nameless);
        }
        match fs::read_dir(path) {
            Ok(_) if out.is_some() && holds_results(path) => return refused(PlaceFault::NotEmpty),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return refused(PlaceFault::Unusable(error)),
        }
        // A folder that does not exist yet will be made in the nearest existing folder above it.
        let nearest = path.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
        let probe = tempfile::Builder::new().prefix(WRITING).tempfile_in(nearest);
        match probe {
            Ok(_) => Ok(()),
            // The error itself would name the temporary test file.
            Err(error) if nearest == path => refused(PlaceFault::Unwritable(error.kind())),
            Err(error) => refused(PlaceFault::Unreachable(nearest.into(), error.kind())),
        }
    }

    /// The same, and that the results will not lie among the pictures of the data set, where the
    /// next run would take them for pictures.
    pub fn check_for(out: Option<&Path>, dataset: &str) -> Result<()> {
        Self::check(out)?;
        let path = out.unwrap_or(Path::new(RUNS));
        let pictures = pictures(dataset).filter(|path| path.is_dir());
        match pictures.filter(|pictures| real(path).starts_with(real(pictures))) {
            Some(pictures) => {
                Err(place(path, out.is_some(), PlaceFault::AmongPictures(pictures.into())))
            }
            None => Ok(()),
        }
    }

    /// The folder that was asked for, or a new one named after the run. The observer sees which folders were made
    /// before there is anything in them, so that a program that ends at once leaves none behind.
    pub fn reserve(
        out: Option<&Path>,
        run_name: &str,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        Self::check(out)?;
        match out {
            Some(path) => Self::exactly(path, observer),
            None => Self::fresh(Path::new(RUNS), run_name, observer),
        }
    }

    fn exactly(path: &Path, observer: &mut dyn Observer) -> Result<Self> {
        let mut folder = Self::at(path.to_path_buf());
        folder.make(path).map_err(|error| place(path, true, PlaceFault::Uncreatable(error)))?;
        observer.see(Event::Made(&folder.made));
        folder.lock = Some(Lock::of(path)?);
        // It was empty when it was checked, but another run may have used it since.
        if holds_results(path) {
            folder.keep();
            return Err(place(path, true, PlaceFault::NotEmpty));
        }
        Ok(folder)
    }

    fn fresh(parent: &Path, name: &str, observer: &mut dyn Observer) -> Result<Self> {
        let mut folder = Self::at(parent.join(name));
        let failed = |path: &Path, error| place(path, false, PlaceFault::Uncreatable(error));
        folder.make(parent).map_err(|error| failed(parent, error))?;
        let mut count = 2;
        // Creating the folder is the test whether its name is free, so two runs at once get two folders.
        while let Err(error) = fs::create_dir(&folder.path) {
            if error.kind() != io::ErrorKind::AlreadyExists {
                return Err(failed(&folder.path, error));
            }
            folder.path = parent.join(format!("{name}-{count}"));
            count += 1;
        }
        folder.made.push(folder.path.clone());
        observer.see(Event::Made(&folder.made));
        folder.lock = Some(Lock::of(&folder.path)?);
        Ok(folder)
    }

    /// Creates a folder and those above it, remembering which were not there before.
    fn make(&mut self, path: &Path) -> io::Result<()> {
        let missing: Vec<_> = path
            .ancestors()
            .take_while(|folder| !folder.as_os_str().is_empty() && !folder.is_dir())
            .collect();
        for folder in missing.into_iter().rev() {
            match fs::create_dir(folder) {
                Ok(()) => self.made.push(folder.to_path_buf()),
                // Another run made it in the meantime.
                Err(_) if folder.is_dir() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the folder: it holds results now.
    pub fn keep(&mut self) {
        self.kept = true;
    }

    /// Whether it stays.
    pub fn is_kept(&self) -> bool {
        self.kept
    }

    /// Writes the record, from which the run can be resumed whatever happens.
    pub fn begin(&mut self, record: Record) -> Result<()> {
        record.write(&self.path.join(RECORD))?;
        self.begun = Some(record);
        Ok(())
    }

    /// Makes the folder again if it was removed during the run.
    pub fn restore(&mut self) -> Result<()> {
        if self.path.join(LOCK).exists() {
            return Ok(());
        }
        fs::create_dir_all(&self.path)
            .map_err(|source| Error::Gone { path: self.path.clone(), source })?;
        log::warn!("{} was gone and is made again", self.path.display());
        self.lock = Some(Lock::of(&self.path)?);
        match &self.begun {
            Some(record) => record.write(&self.path.join(RECORD)),
            None => Ok(()),
        }
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // Without the lock, the folder belongs to another process. With the lock, it must be emptied before the lock is
        // released.
        if self.lock.is_some() {
            remove_bare(&self.path);
        }
        self.lock = None;
        for folder in self.made.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

fn place(path: &Path, asked: bool, fault: PlaceFault) -> Error {
    Error::Place { path: path.to_path_buf(), asked, fault }
}

/// Whether a folder holds more than the lock file.
pub fn holds_results(folder: &Path) -> bool {
    let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| entry.file_name() != LOCK)
}

/// The absolute path, whose last parts may not exist yet.
fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let there = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    match there {
        Some((above, real)) => real.join(path.strip_prefix(above).unwrap_or(Path::new(""))),
        None => path,
    }
}

/// Removes folders again, innermost first, but only those without results: saved files stay, and so do the folders of
/// other runs.
pub fn remove_empty(made: &[PathBuf]) {
    for folder in made.iter().rev() {
        // Another thread may be writing the record at this moment; then it exists a moment later.
        let gone = |_: &i32| {
            remove_bare(folder);
            fs::remove_dir(folder).is_ok() || !folder.exists()
        };
        let _ = (0..3).find(gone);
    }
}

/// Empties a folder that holds nothing but a record, complete or half written.
fn remove_bare(folder: &Path) {
    let bare = |name: &OsStr| {
        name == RECORD || name == LOCK || name.to_string_lossy().starts_with(WRITING)
    };
    let entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
    if entries.iter().all(|entry| bare(&entry.file_name())) {
        for entry in entries {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Removes unfinished files of a process that was killed.
fn remove_unfinished(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(WRITING) {
            let _ = fs::remove_file(entry.path());
        } else if name.starts_with(".images-") {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn names_are_counted_up() {
        let place = tempfile::tempdir().unwrap();
        let runs = place.path().join("runs");
        let mut folders = Vec::new();
        for expected in ["a", "a-2", "a-3"] {
            let folder = OutputFolder::fresh(&runs, "a", &mut ()).unwrap();
            assert_eq!(folder.path(), runs.join(expected));
            folders.push(folder);
        }
        folders[1].keep();
        drop(folders);
        assert_eq!(entries(&runs), 1, "only the kept one stays");
        drop(OutputFolder::fresh(&runs, "a", &mut ()).unwrap());
        assert!(runs.join("a-2").is_dir());
    }

    #[test]
    fn a_failed_run_leaves_no_folder() {
        let place = tempfile::tempdir().unwrap();
        drop(OutputFolder::exactly(&place.path().join("x/y/z"), &mut ()).unwrap());
        assert_eq!(entries(place.path()), 0);

        let mine = place.path().join("mine");
        fs::create_dir(&mine).unwrap();
        drop(OutputFolder::exactly(&mine.join("new"), &mut ()).unwrap());
        drop(OutputFolder::exactly(&mine, &mut ()).unwrap());
        assert!(mine.is_dir(), "what was there before stays");
        assert_eq!(entries(&mine), 0);
    }

    #[test]
    fn folders_are_told_before_anything_lies_in_them() {
        struct Told(Vec<PathBuf>);
        impl Observer for Told {
            fn see(&mut self, event: Event<'_>) {
                if let Event::Made(folders) = event {
                    assert_eq!(entries(folders.last().unwrap()), 0);
                    self.0.extend(folders.iter().cloned());
                }
            }
        }
        let place = tempfile::tempdir().unwrap();
        let (outer, run) = (place.path().join("x"), place.path().join("x/y"));
        let mut told = Told(Vec::new());
        let folder = OutputFolder::exactly(&run, &mut told).unwrap();
        assert_eq!(told.0, [outer.clone(), run]);
        drop(folder);
        let folder = OutputFolder::fresh(&outer, "a", &mut told).unwrap();
        assert_eq!(told.0[2..], [outer, folder.path().into()]);
    }

    /// A signal may come while the record is being written.
    #[test]
    fn a_folder_without_results_is_taken_away_with_a_half_written_record() {
        let place = tempfile::tempdir().unwrap();
        let (outer, run) = (place.path().join("runs"), place.path().join("runs/a"));
        fs::create_dir_all(&run).unwrap();
        let made = [outer.clone(), run.clone()];
        let write = |name: &str| fs::write(run.join(name), "").unwrap();
        [LOCK, ".writing-x", "grid.png"].into_iter().for_each(write);
        remove_empty(&made);
        assert_eq!(entries(&run), 3, "there is a result");
        fs::remove_file(run.join("grid.png")).unwrap();
        remove_empty(&made);
        assert!(!outer.exists());
    }

    #[test]
    fn the_beginnings_of_a_killed_run_are_removed() {
        let place = tempfile::tempdir().unwrap();
        let run = place.path();
        fs::write(run.join(".writing-x"), "half a file").unwrap();
        fs::create_dir_all(run.join(".images-x/0")).unwrap();
        fs::write(run.join("grid.png"), "").unwrap();
        drop(OutputFolder::again(run).unwrap());
        assert!(run.join("grid.png").is_file());
        assert_eq!(entries(run), 2, "that, and the lock");
    }

    /// Two that saw it empty at the same time.
    #[test]
    fn the_second_run_in_a_folder_touches_nothing() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("run");
        // It made the folder, but the other was faster from there.
        let mut second = OutputFolder::at(path.clone());
        second.make(&path).unwrap();
        let first = OutputFolder::exactly(&path, &mut ()).unwrap();
        fs::write(path.join(RECORD), "what the first was asked").unwrap();
        assert!(Lock::of(&path).is_err());
        drop(second);
        assert_eq!(entries(&path), 2, "the record and the lock");
        assert!(!OutputFolder::exactly(&path, &mut ()).unwrap_err().is_usage());
        assert_eq!(entries(&path), 2);

        // The first is done by the time that the second gets the lock.
        let mut first = first;
        fs::write(path.join("synthetic.safetensors"), "the first's").unwrap();
        first.keep();
        drop(first);
        let refused = OutputFolder::exactly(&path, &mut ()).unwrap_err();
        assert!(refused.to_string().contains("not empty"), "{refused}");
        assert_eq!((refused.is_usage(), entries(&path)), (true, 3));
    }

    /// As a process that is killed at its beginning leaves it.
    #[test]
    fn a_folder_with_only_an_unheld_lock_counts_as_empty() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join(LOCK), "").unwrap();
        OutputFolder::check(Some(place.path())).unwrap();
        drop(OutputFolder::exactly(place.path(), &mut ()).unwrap());
        fs::write(place.path().join("results"), "").unwrap();
        assert!(OutputFolder::check(Some(place.path())).unwrap_err().is_usage());
    }

    #[test]
    fn a_folder_that_is_taken_away_is_made_again() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x/y");
        let mut folder = OutputFolder::exactly(&path, &mut ()).unwrap();
        folder.restore().unwrap();
        fs::remove_dir_all(place.path().join("x")).unwrap();
        folder.restore().unwrap();
        assert!(path.is_dir());
        assert!(matches!(Lock::of(&path), Err(Error::Busy(_))), "it is locked again");
    }

    #[test]
    fn a_check_makes_nothing() {
        let place = tempfile::tempdir().unwrap();
        OutputFolder::check(Some(&place.path().join("x/y"))).unwrap();
        OutputFolder::check(Some(place.path())).unwrap();
        assert_eq!(entries(place.path()), 0);
    }

    #[test]
    fn results_do_not_lie_among_pictures() {
        let place = tempfile::tempdir().unwrap();
        let (pets, beside) = (place.path().join("pets"), place.path().join("pets-out"));
        fs::create_dir(&pets).unwrap();
        let dataset = format!("folder:{}", pets.display());
        for inside in [pets.join("out"), pets.clone(), place.path().join("pets/../pets/x/y")] {
            let failure = OutputFolder::check_for(Some(&inside), &dataset).unwrap_err();
            assert!(failure.is_usage());
            assert!(failure.to_string().contains("among the pictures"), "{failure}");
        }
        OutputFolder::check_for(Some(&beside), &dataset).unwrap();
        OutputFolder::check_for(Some(&pets.join("out")), "mnist").unwrap();
        assert_eq!(entries(place.path()), 1);
    }

    #[test]
    fn saved_results_stay() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x/y");
        let folder = OutputFolder::exactly(&path, &mut ()).unwrap();
        fs::write(path.join("synthetic.safetensors"), "hours of work").unwrap();
        drop(folder);
        assert!(path.join("synthetic.safetensors").is_file());
    }

    #[test]
    fn unusable_folders_are_refused() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, "mine").unwrap();
        for path in [place.path(), &file, &file.join("below"), Path::new("")] {
            for failure in [
                OutputFolder::check(Some(path)).unwrap_err(),
                OutputFolder::reserve(Some(path), "", &mut ()).unwrap_err(),
            ] {
                assert!(failure.is_usage());
                assert!(matches!(failure, Error::Place { asked: true, .. }), "{failure}");
            }
        }
        assert!(OutputFolder::fresh(&file, "a", &mut ()).unwrap_err().is_usage());
        assert_eq!(fs::read(&file).unwrap(), b"mine");
        // The part that could be made is gone again.
        assert!(OutputFolder::exactly(&place.path().join("new/\0name"), &mut ()).is_err());
        assert_eq!(entries(place.path()), 1);
    }
}
