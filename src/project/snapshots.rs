//! Snapshots: the images on the way. Each is written to a file as soon as it is taken, so that
//! neither a crash nor resuming loses one.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    Result,
    files::{ANIMATION, SNAPSHOTS},
};
use crate::{
    Error, SyntheticSet,
    data::Classes,
    report::{self, Sheet},
};

/// When they are due, and where they go.
pub struct Snapshots {
    folder: PathBuf,
    due: Vec<u32>,
    /// The images at the start. They are written with the next snapshot, so that a run which was
    /// stopped before its first iteration leaves nothing.
    start: Option<Sheet>,
}

impl Snapshots {
    /// Those of a run of so many iterations: the start, and `count` after it. The images change
    /// fast first, so the k-th is due after (k/count)² of the iterations.
    pub fn new(run: &Path, count: u32, iterations: u32) -> Self {
        let (n, all) = (u64::from(count), u64::from(iterations));
        // No more than `iterations`, so it fits.
        let kth = |k: u64| (all * k * k).div_ceil((n * n).max(1)) as u32;
        let mut due: Vec<_> = (0..=n).map(kth).collect();
        due.dedup();
        due.truncate(if count == 0 { 0 } else { due.len() });
        Self { folder: run.join(SNAPSHOTS), due, start: None }
    }

    /// Whether the images after so many iterations are to be kept.
    pub fn due(&self, iteration: u32) -> bool {
        self.due.binary_search(&iteration).is_ok()
    }

    /// Writes them. A picture that cannot be written does not end a run of hours.
    pub fn take(&mut self, iteration: u32, set: &SyntheticSet) {
        let sheet = match Sheet::of(set) {
            Ok(sheet) => sheet,
            // If they are not finite any more, the run itself will report it.
            Err(_) => return,
        };
        if iteration == 0 {
            self.start = Some(sheet);
            return;
        }
        self.begun(iteration);
        self.write(iteration, &sheet);
    }

    /// The run now has results that stay, so the images at the start are written, too.
    pub fn begun(&mut self, iteration: u32) {
        if iteration > 0
            && let Some(start) = self.start.take()
        {
            self.write(0, &start);
        }
    }

    /// The images at the end, whenever that is.
    pub fn last(&mut self, iteration: u32, set: &SyntheticSet) {
        if !self.due.is_empty() {
            self.take(iteration, set);
        }
    }

    fn write(&self, iteration: u32, sheet: &Sheet) {
        let path = self.folder.join(format!("{iteration:06}.png"));
        let written = fs::create_dir_all(&self.folder)
            .map_err(Error::io("create", &self.folder))
            .and_then(|()| sheet.save(&path));
        if let Err(error) = written {
            log::warn!("no snapshot after {iteration} iterations: {error}");
        }
    }
}

/// Those in a run's folder, in order, as long as they are pictures of this set.
pub fn read(run: &Path, like: &Sheet) -> Vec<(u32, Sheet)> {
    let Ok(entries) = fs::read_dir(run.join(SNAPSHOTS)) else { return Vec::new() };
    let read = |path: PathBuf| {
        let iteration = path.file_name()?.to_str()?.strip_suffix(".png")?.parse().ok()?;
        match like.load_like(&path) {
            Ok(sheet) => Some((iteration, sheet)),
            Err(error) => {
                log::warn!("left out: {error}");
                None
            }
        }
    };
    let mut found: Vec<_> = entries.flatten().filter_map(|entry| read(entry.path())).collect();
    found.sort_by_key(|(iteration, _)| *iteration);
    found
}

/// Writes those of a run from those of its shards, as far as all have them.
pub fn join(shards: &[(Classes, Vec<(u32, Sheet)>)], like: &Sheet, run: &Path) -> Result<()> {
    let Some((_, first)) = shards.first() else { return Ok(()) };
    for (iteration, _) in first {
        let found = |(classes, own): &(Classes, Vec<(u32, Sheet)>)| {
            let (_, sheet) = own.iter().find(|(other, _)| other == iteration)?;
            let classes = classes.numbers().iter().enumerate();
            Some(classes.map(|(at, class)| (*class, sheet.class(at).to_vec())).collect::<Vec<_>>())
        };
        let Some(mut images) = shards.iter().map(found).collect::<Option<Vec<_>>>() else {
            continue;
        };
        let mut images: Vec<_> = images.drain(..).flatten().collect();
        images.sort_by_key(|(class, _)| *class);
        let images = images.into_iter().map(|(_, images)| images).collect();
        let sheet = Sheet::new(like.names().to_vec(), like.channels(), like.size(), images);
        let own = Snapshots { folder: run.join(SNAPSHOTS), due: Vec::new(), start: None };
        own.write(*iteration, &sheet);
    }
    Ok(())
}

/// The animation of those in a run's folder, if there are any.
pub fn animate(set: &SyntheticSet, run: &Path) -> Result<()> {
    let frames = read(run, &Sheet::of(set)?);
    match frames.is_empty() {
        true => Ok(()),
        false => Ok(report::write_animation(&frames, &run.join(ANIMATION))?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(count: u32, iterations: u32) -> Vec<u32> {
        Snapshots::new(Path::new(""), count, iterations).due
    }

    #[test]
    fn snapshots_are_denser_early() {
        assert_eq!(due(10, 1000), [0, 10, 40, 90, 160, 250, 360, 490, 640, 810, 1000]);
        assert_eq!(due(1, 1000), [0, 1000]);
        assert_eq!(due(10, 3), [0, 1, 2, 3], "each iteration once");
        assert_eq!(due(0, 1000), [] as [u32; 0]);
        assert_eq!(due(1000, u32::MAX).last(), Some(&u32::MAX));
    }

    fn set(value: f32) -> SyntheticSet {
        SyntheticSet {
            images: vec![value; 2 * 4],
            labels: vec![0, 1],
            channels: 1,
            size: 2,
            dataset: "plain".into(),
            class_names: vec!["a".into(), "b".into()],
            mean: vec![0.0],
            std: vec![1.0],
            ipc: 1,
            factor: 1,
            settings: "{}".into(),
            course: None,
        }
    }

    #[test]
    fn each_snapshot_is_a_file_as_soon_as_it_is_taken() {
        let run = tempfile::tempdir().unwrap();
        let like = Sheet::of(&set(0.0)).unwrap();
        let there = || -> Vec<_> { read(run.path(), &like).into_iter().map(|(k, _)| k).collect() };

        let mut snapshots = Snapshots::new(run.path(), 2, 8);
        snapshots.take(0, &set(0.0));
        assert_eq!(fs::read_dir(run.path()).unwrap().count(), 0, "nothing has been done yet");
        snapshots.take(2, &set(0.2));
        assert_eq!(there(), [0, 2]);
        // A run that continues where another ended.
        Snapshots::new(run.path(), 2, 8).last(8, &set(0.8));
        assert_eq!(there(), [0, 2, 8]);
        let last = read(run.path(), &like).pop().unwrap().1;
        assert_eq!(last, Sheet::of(&set(0.8)).unwrap());

        animate(&set(0.8), run.path()).unwrap();
        assert!(run.path().join("progress.png").is_file());

        // Files of others are ignored.
        fs::write(run.path().join(SNAPSHOTS).join("notes.txt"), "").unwrap();
        fs::write(run.path().join(SNAPSHOTS).join("000005.png"), "broken").unwrap();
        assert_eq!(there(), [0, 2, 8]);

        Snapshots::new(run.path(), 0, 8).last(9, &set(0.9));
        assert_eq!(there(), [0, 2, 8], "none were asked for");
    }
}
