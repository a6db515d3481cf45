//! Joining shards, the runs of some classes each, to the run of all classes that they are parts of.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    Figures, Job, JoinFault, Losses, Observer, OutputFolder, Record, Result, Seconds, Setup,
    evaluate::by_other_protocol,
    files::{LOCK, RECORD, SET},
    make::Made,
    pieces::Whole,
    random,
    record::OfShard,
    run::{save, write},
    setup::check_test,
    snapshots,
};
use crate::{Error as Failure, Evaluation, SyntheticSet, TrainingSet, report::Sheet};

/// A run that was joined from shards.
#[derive(Debug)]
pub struct Joined {
    /// Where it is.
    pub folder: PathBuf,
    /// All figures.
    pub figures: Figures,
    /// Whether it was there already.
    pub again: bool,
    record: Record,
    made: Made,
}

/// Joins the shards in these folders to a run in `out`, which is there as a whole or not at all. If the same shards were
/// joined there before, nothing is done.
///
/// # Errors
/// [`Error::Join`](super::Error::Join) says which shard is missing, doubled, foreign or not finished;
/// [`Error::Place`](super::Error::Place) if something else is in `out`.
pub fn join(out: &Path, shards: &[PathBuf]) -> Result<Joined> {
    let Whole { record, made, snapshots } = Whole::of(shards)?;
    let mut figures = Figures::of(&record, &made.set.dataset, made.set.trained_on());
    figures.evaluation = None;
    figures.seeds.evaluation = None;
    figures.packed_into = (made.set.factor > 1).then_some(made.set.labels.len());
    figures.completed_iterations = made.iterations;
    figures.loss = Losses::of(&made.history.losses);
    figures.seconds = Seconds { condensing: made.seconds, ..Seconds::default() };
    let mut joined = Joined { folder: out.to_path_buf(), figures, again: false, record, made };
    if joined.is_there() {
        joined.again = true;
        return Ok(joined);
    }
    OutputFolder::check(Some(out))?;
    let place = Beside::of(out)?;
    snapshots::join(&snapshots, &Sheet::of(&joined.made.set)?, &place.path)?;
    joined.made.set.save(&place.path.join(SET))?;
    save(&joined.record, &joined.made, &joined.figures, &place.path)?;
    place.becomes(out)?;
    Ok(joined)
}

impl Joined {
    /// Whether the shards ran on different kinds of devices, so that one device may have given other bits.
    pub fn is_mixed(&self) -> bool {
        let mut kinds = self.record.shards.iter().map(|shard| &shard.adapter);
        let first = kinds.next();
        kinds.any(|kind| Some(kind) != first)
    }

    /// Its shards.
    pub fn shards(&self) -> &[OfShard] {
        &self.record.shards
    }

    /// Measures the accuracy as the run was asked to; `None` if that was stopped.
    ///
    /// # Errors
    /// [`JoinFault::NoEvaluation`] if it was asked for none.
    pub fn evaluate(&mut self, observer: &mut dyn Observer) -> Result<Option<()>> {
        let Some(settings) = self.record.evaluation.clone() else {
            return Err(JoinFault::NoEvaluation(self.folder.clone()).into());
        };
        let Self { record, made, figures, folder, .. } = self;
        let setup = Setup::open(&record.machine, &record.data, observer)?;
        check_test(&record.data.name, &setup.dataset)?;
        Evaluation::check(&setup.gpu, &setup.dataset, Some(made.set.trained_on()), &settings)?;
        setup.begins(observer);
        let set = TrainingSet::as_made(made.set.clone());
        let measured = setup.measure(set.clone(), &settings, Job::Evaluating, observer)?;
        let Some(measured) = measured else { return Ok(None) };
        if record.wants_baseline() {
            let by = (&settings, &measured.accuracy);
            let random = random::measure(&setup, &made.set, record.seed(), by, observer)?;
            let Some((random, seconds)) = random else { return Ok(None) };
            figures.baseline = Some(random);
            figures.seconds.evaluating += seconds;
        }
        figures.seeds.evaluation = Some(settings.seed);
        figures.evaluation = Some(settings);
        figures.seconds.evaluating += measured.seconds;
        figures.accuracy = Some(measured.accuracy.clone());
        made.history.set_accuracy(made.iterations.unwrap_or(0), measured.accuracy);
        figures.curve = super::run::curve(&made.rows());
        // As in a run that no shards made, until its accuracy by the other protocol is there as well.
        figures.interrupted = record.other_protocol.is_some();
        write(record, &made.rows(), figures, folder)?;
        let train = (&set, Some(&made.set));
        if !by_other_protocol((&setup, record), train, figures, folder, observer)? {
            return Ok(None);
        }
        if figures.interrupted {
            figures.interrupted = false;
            write(record, &made.rows(), figures, folder)?;
        }
        Ok(Some(()))
    }

    /// Whether the folder holds this run already.
    fn is_there(&self) -> bool {
        let there = Record::read(&self.folder.join(RECORD)).ok();
        let there = there.filter(|record| !record.shards.is_empty());
        let asked =
            |record: &Record| Record { outcome: None, shards: Vec::new(), ..record.clone() };
        there.is_some_and(|record| asked(&record) == asked(&self.record))
            && SyntheticSet::load(&self.folder.join(SET)).is_ok_and(|set| set == self.made.set)
    }
}

/// A folder beside another, which becomes it when everything is in it.
struct Beside {
    path: PathBuf,
    done: bool,
}

impl Beside {
    fn of(out: &Path) -> Result<Self> {
        let parent = out.parent().filter(|path| !path.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(Failure::io("create", parent))?;
        let name = out.file_name().unwrap_or_default().to_string_lossy();
        let mut number = 0_u64;
        loop {
            let path = parent.join(format!(".joining-{name}-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path, done: false }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(Failure::io("create", path)(error).into()),
            }
        }
    }

    fn becomes(mut self, out: &Path) -> Result<()> {
        // Nothing but a lock that nobody holds may be in it.
        let _ = fs::remove_file(out.join(LOCK));
        let _ = fs::remove_dir(out);
        fs::rename(&self.path, out).map_err(Failure::io("write", out))?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
