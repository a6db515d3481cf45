//! One run of one method, from its record to the files in its folder.

mod in_shards;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Checkpoints, Error, Event, Figures, Job, Left, Losses, MethodSettings, Observer, OutputFolder,
    Point, Record, Result, Seconds, Setup, animate,
    evaluate::by_other_protocol,
    files::{
        ARCHITECTURES, CHECKPOINT, DECODED, FIGURES, GRID, IMAGES, METRICS, RECORD, SET, SHARDS,
    },
    make::{Made, check_condensing, condense, select},
    page, random, report_of,
    setup::check_test,
    shard::Shard,
};
use crate::{
    Checkpoint, Error as Failure, Evaluation, EvaluationSettings, Selection, TrainingSet,
    data::ClassChoice,
    report::{self, Measurement},
};

/// The outcome of a run.
#[derive(Debug)]
pub struct Ran {
    /// Where its results are.
    pub folder: PathBuf,
    /// `None` if it was stopped before there was anything to save.
    pub figures: Option<Figures>,
    /// Whether the folder stays, and the run can be resumed there.
    pub stays: bool,
}

/// Runs what the record asks for, with this data set and device, in the folder `out` or in a new one named after the
/// run. `checkpoint_every` is the time between checkpoints, such as [`CHECKPOINT_EVERY`](super::CHECKPOINT_EVERY); zero
/// is never.
///
/// ```no_run
/// use dm_wgpu::{
///     EvaluationSettings, Settings,
///     project::{self, CHECKPOINT_EVERY, Data, Event, Machine, MethodSettings, Observer, Record, Setup},
/// };
///
/// struct Losses;
///
/// impl Observer for Losses {
///     fn see(&mut self, event: Event<'_>) {
///         if let Event::Loss { loss, .. } = event {
///             println!("{loss}");
///         }
///     }
/// }
///
/// let data = Data { name: "glyphs".into(), ..Data::default() };
/// let setup = Setup::open(&Machine::default(), &data, &mut Losses)?;
/// let settings = MethodSettings::Condensing(Settings::for_dataset(&setup.dataset));
/// let evaluation = EvaluationSettings::for_dataset(&setup.dataset);
/// let record = Record::new(data, Some(settings), Some(evaluation));
/// let ran = project::run(&setup, record, None, CHECKPOINT_EVERY, &mut Losses)?;
/// println!("{}", ran.folder.display());
/// # Ok::<(), project::Error>(())
/// ```
///
/// # Errors
/// Impossible requests are refused before anything is made. [`Error::Left`] says what can still be used of a run that
/// failed.
pub fn run(
    setup: &Setup,
    record: Record,
    out: Option<&Path>,
    checkpoint_every: Duration,
    observer: &mut dyn Observer,
) -> Result<Ran> {
    OutputFolder::check_for(out, &record.data.name)?;
    let task = Task::new(setup, &record, checkpoint_every)?;
    let name = format!("{}-seed{}", task.record.name(), task.record.seed());
    let mut folder = OutputFolder::reserve(out, &name, observer)?;
    setup.begins(observer);
    task.run(&mut folder, observer)
}

/// Work that was checked and found possible.
pub(super) struct Task<'a> {
    setup: &'a Setup,
    record: Record,
    checkpoint_every: Duration,
}

impl<'a> Task<'a> {
    /// Refuses what is impossible, before anything is announced or made and rather than after hours of work.
    pub fn new(setup: &'a Setup, record: &Record, checkpoint_every: Duration) -> Result<Self> {
        let mut record = record.begun_on(&setup.gpu);
        let (gpu, dataset) = (&setup.gpu, &setup.dataset);
        // A shard that was asked for by its number is recorded by its classes.
        record.data.classes = dataset.part().map(|part| ClassChoice::Classes(part.classes.clone()));
        if let Some(classes) = &record.data.classes {
            record.check_part(classes)?;
        }
        let Record { settings, evaluation, eval_every, data, .. } = &record.of_part();
        match settings {
            Some(_) if setup.is_shared_out() => in_shards::check(setup, &record)?,
            Some(MethodSettings::Condensing(settings)) => {
                check_condensing(
                    setup,
                    settings,
                    evaluation.as_ref().filter(|_| eval_every.is_some()),
                )?;
            }
            Some(MethodSettings::Selection(settings)) => {
                Selection::check(gpu, dataset, settings)?;
            }
            None => {}
        }
        let images = settings.as_ref().map(|settings| settings.images(dataset.classes()));
        if let Some(evaluation) = evaluation {
            check_test(&data.name, dataset)?;
            for evaluation in [evaluation].into_iter().chain(&record.other_protocol) {
                for device in setup.devices() {
                    Evaluation::check(&device.gpu, dataset, images, evaluation)?;
                }
            }
        }
        Ok(Self { setup, record, checkpoint_every })
    }

    /// Makes the set, saves it, and only then measures it.
    pub fn run(&self, folder: &mut OutputFolder, observer: &mut dyn Observer) -> Result<Ran> {
        let figures = self.carry_out(folder, observer)?;
        Ok(Ran { folder: folder.path().into(), figures, stays: folder.is_kept() })
    }

    fn carry_out(
        &self,
        folder: &mut OutputFolder,
        observer: &mut dyn Observer,
    ) -> Result<Option<Figures>> {
        let Self { setup, record, .. } = self;
        observer.see(Event::Run { record: &record.of_part(), folder: folder.path() });
        let mut checkpoints = Checkpoints::new(self.checkpoint_every);
        if record.settings.is_some()
            && (setup.is_shared_out() || folder.path().join(SHARDS).is_dir())
        {
            let made = in_shards::make(self, folder, observer)?;
            let Some((made, shards, left)) = made else { return Ok(None) };
            // By the devices that are left, and with the shards in the record.
            let record = Record { shards, ..record.clone() };
            let task = Task { setup: &left, record, checkpoint_every: self.checkpoint_every };
            return task.finish(made, folder, &mut checkpoints, observer).map(Some);
        }
        let made = match &record.settings {
            Some(MethodSettings::Condensing(settings)) => {
                condense(setup, settings, record, folder, &mut checkpoints, observer)
                    .map_err(|failure| self.diverged(failure, &checkpoints, folder))?
            }
            Some(MethodSettings::Selection(settings)) => {
                folder.begin(record.clone())?;
                select(setup, settings.clone(), observer)?
            }
            None => {
                folder.begin(record.clone())?;
                let Some(evaluation) = &record.evaluation else { return Ok(None) };
                return self.whole(evaluation, folder, observer);
            }
        };
        let Some(made) = made else { return Ok(None) };
        self.finish(made, folder, &mut checkpoints, observer).map(Some)
    }

    /// Saves and measures what was made.
    fn finish(
        &self,
        mut made: Made,
        folder: &mut OutputFolder,
        checkpoints: &mut Checkpoints,
        observer: &mut dyn Observer,
    ) -> Result<Figures> {
        let mut figures = self.figures(made.set.trained_on());
        figures.packed_into = (made.set.factor > 1).then_some(made.set.labels.len());
        figures.completed_iterations = made.iterations;
        figures.loss = Losses::of(&made.history.losses);
        figures.seconds = Seconds {
            condensing: made.seconds,
            training: (made.training > 0.0).then_some(made.training),
            evaluating: made.history.evaluating,
        };
        let stopped = match &figures.settings {
            Some(MethodSettings::Condensing(asked)) => made.iterations != Some(asked.iterations),
            _ => false,
        };
        // The run counts as interrupted while its accuracy or the baseline's is missing, so that the files are right even
        // if the program ends now.
        figures.interrupted = stopped || figures.evaluation.is_some();
        let data = folder.path().join(SET);
        let before = std::fs::read(&data).ok();
        let earlier = report_of(folder.path());
        if let Err(failure) = folder.restore().and_then(|()| Ok(made.set.save(&data)?)) {
            let stays = checkpoints.saved().is_some_and(|saved| Some(saved) == made.iterations);
            return Err(match &made.checkpoint {
                None => failure,
                Some(_) if stays => failure.with(Left::Checkpoint(folder.path().into())),
                Some(last) => failure.with(rescue(&self.record, last)),
            });
        }
        folder.keep();
        if before != std::fs::read(&data).ok() {
            // Of other images than these.
            let _ = std::fs::remove_file(folder.path().join(ARCHITECTURES));
        } else if !stopped {
            figures.measured_before(&earlier);
        }
        if let Some(accuracy) = figures.accuracy.clone() {
            made.history.set_accuracy(made.iterations.unwrap_or(0), accuracy);
        }
        figures.curve = curve(&made.rows());
        let safe = |failure: Error| failure.with(Left::Images(data.clone()));
        if let Some(part) = self.setup.dataset.part().filter(|_| !stopped) {
            let shard = Shard::of(part, &made, &figures, folder.path());
            shard.and_then(|shard| shard.write(folder.path())).map_err(safe)?;
        }
        save(&self.record, &made, &figures, folder.path()).map_err(safe)?;

        let Some(settings) = figures.evaluation.clone().filter(|_| !stopped) else {
            return Ok(figures);
        };
        let baseline = self.record.wants_baseline();
        if figures.accuracy.is_none() {
            let mut measure = |set: TrainingSet| {
                self.setup.measure(set, &settings, Job::Evaluating, observer).map_err(safe)
            };
            if made.set.course.is_some() {
                let set = TrainingSet::Synthetic(made.set.clone());
                let Some(ordinary) = measure(set)? else { return Ok(figures) };
                figures.ordinary_accuracy = Some(ordinary.accuracy);
                figures.seconds.evaluating += ordinary.seconds;
            }
            let measured = measure(TrainingSet::as_made(made.set.clone()))?;
            let Some(measured) = measured else { return Ok(figures) };
            figures.seconds.evaluating += measured.seconds;
            figures.accuracy = Some(measured.accuracy.clone());
            figures.interrupted = baseline || self.record.other_protocol.is_some();
            made.history.set_accuracy(made.iterations.unwrap_or(0), measured.accuracy);
            self.keep(&mut made, &mut figures, (folder, checkpoints), observer).map_err(safe)?;
        }
        if let (true, None, Some(accuracy)) = (baseline, &figures.baseline, &figures.accuracy) {
            let (set, seed, by) = (&made.set, self.record.seed(), (&settings, accuracy));
            let measured = random::measure(self.setup, set, seed, by, observer).map_err(safe)?;
            let Some((random, seconds)) = measured else { return Ok(figures) };
            figures.seconds.evaluating += seconds;
            figures.baseline = Some(random);
            figures.interrupted = self.record.other_protocol.is_some();
            self.keep(&mut made, &mut figures, (folder, checkpoints), observer).map_err(safe)?;
        }
        let (of, train) = ((self.setup, &self.record), TrainingSet::Synthetic(made.set.clone()));
        let others =
            by_other_protocol(of, (&train, Some(&made.set)), &mut figures, folder.path(), observer);
        if !others.map_err(safe)? {
            return Ok(figures);
        }
        if figures.interrupted {
            figures.interrupted = false;
            self.keep(&mut made, &mut figures, (folder, checkpoints), observer).map_err(safe)?;
        }
        Ok(figures)
    }

    /// Writes what was measured.
    fn keep(
        &self,
        made: &mut Made,
        figures: &mut Figures,
        (folder, checkpoints): (&mut OutputFolder, &mut Checkpoints),
        observer: &mut dyn Observer,
    ) -> Result<()> {
        made.history.evaluating = figures.seconds.evaluating;
        if let Some(checkpoint) = &mut made.checkpoint {
            checkpoints.try_save(folder, checkpoint, &made.history, observer);
        }
        let rows = made.rows();
        figures.curve = curve(&rows);
        write(&self.record, &rows, figures, folder.path())
    }

    /// Trains on all there is: no set, but an upper bound for all sets.
    fn whole(
        &self,
        evaluation: &EvaluationSettings,
        folder: &mut OutputFolder,
        observer: &mut dyn Observer,
    ) -> Result<Option<Figures>> {
        let setup = self.setup;
        let mut figures = self.figures(setup.dataset.train().len());
        figures.measured_before(&report_of(folder.path()));
        if figures.accuracy.is_none() {
            let measured =
                setup.measure(TrainingSet::Whole, evaluation, Job::Evaluating, observer)?;
            let Some(measured) = measured else { return Ok(None) };
            figures.seconds.evaluating = measured.seconds;
            figures.accuracy = Some(measured.accuracy);
        }
        folder.restore()?;
        folder.keep();
        figures.interrupted = self.record.other_protocol.is_some();
        self.write_whole(&figures, folder)?;
        let (of, train) = ((self.setup, &self.record), (&TrainingSet::Whole, None));
        if by_other_protocol(of, train, &mut figures, folder.path(), observer)? {
            figures.interrupted = false;
            self.write_whole(&figures, folder)?;
        }
        Ok(Some(figures))
    }

    fn write_whole(&self, figures: &Figures, folder: &OutputFolder) -> Result<()> {
        figures.write(&folder.path().join(FIGURES))?;
        ended(&self.record, figures).write(&folder.path().join(RECORD))?;
        page::write(folder.path()).map(drop)
    }

    fn figures(&self, images: usize) -> Figures {
        Figures::of(&self.record, self.setup.dataset.name(), images)
    }

    /// A failure; if the run diverged, with the checkpoint that can still be used.
    fn diverged(&self, failure: Error, checkpoints: &Checkpoints, folder: &OutputFolder) -> Error {
        let (Error::Library(Failure::Diverged { class, .. })
        | Error::Library(Failure::PixelsDiverged { class, .. })) = failure
        else {
            return failure;
        };
        let dataset = &self.setup.dataset;
        let name = dataset.class_numbered(class).and_then(|at| dataset.class_names().get(at));
        let name = name.cloned().unwrap_or_default();
        let saved = checkpoints.saved().filter(|iterations| *iterations > 0);
        failure.with(Left::Class { class, name, folder: folder.path().into(), saved })
    }
}

fn ended(record: &Record, figures: &Figures) -> Record {
    Record { outcome: Some(figures.outcome()), ..record.clone() }
}

/// The files beside the set itself, the most important first.
pub(super) fn save(record: &Record, made: &Made, figures: &Figures, folder: &Path) -> Result<()> {
    write(record, &made.rows(), figures, folder)?;
    report::write_grid(&made.set, &folder.join(GRID))?;
    if made.set.factor > 1 {
        report::write_grid(&made.set.clone().decoded()?, &folder.join(DECODED))?;
    }
    let images = folder.join(IMAGES);
    // Those of an earlier part of the run.
    if let Err(error) = std::fs::remove_dir_all(&images)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(Failure::io("replace", &images)(error).into());
    }
    report::write_images(&made.set, &images)?;
    animate(&made.set, folder)
}

/// What is known about the run; an evaluation adds to it.
pub(super) fn write(
    record: &Record,
    rows: &[Measurement],
    figures: &Figures,
    folder: &Path,
) -> Result<()> {
    let place = |name: &str| folder.join(name);
    report::write_metrics(rows, &place(METRICS))?;
    ended(record, figures).write(&place(RECORD))?;
    figures.write(&place(FIGURES))?;
    page::write(folder).map(drop)
}

pub(super) fn curve(rows: &[Measurement]) -> Vec<Point> {
    let point = |row: &Measurement| {
        Some(Point { iteration: row.iteration, accuracy: row.accuracy.clone()? })
    };
    rows.iter().filter_map(point).collect()
}

/// Moves a run whose folder cannot be written any more into a folder among the temporary files, where it can be
/// resumed.
fn rescue(record: &Record, last: &Checkpoint) -> Left {
    let put = || -> Result<PathBuf> {
        let refuge = tempfile::Builder::new()
            .prefix("dm-wgpu-")
            .tempdir()
            .map_err(Failure::io("write into", std::env::temp_dir()))?;
        record.write(&refuge.path().join(RECORD))?;
        last.save(&refuge.path().join(CHECKPOINT))?;
        // From here on nothing removes it.
        Ok(refuge.keep())
    };
    match put() {
        Ok(refuge) => Left::Refuge(refuge),
        Err(error) => Left::Nothing(Box::new(error)),
    }
}
