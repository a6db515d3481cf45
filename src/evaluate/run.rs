//! An evaluation in progress: the turns of networks, their epochs, the test, and the count of right answers.

mod epoch;
mod moment;

use std::{
    collections::VecDeque,
    ops::{ControlFlow, Range},
    sync::Arc,
    time::Duration,
};

use super::{
    Accuracy, EvaluationSettings, TrainingSet,
    bench::{Bench, PREPARE, Tested},
    sizes::{Load, Sizes},
    train::Train,
};
use crate::{
    Dataset, Error, Gpu, Net, Result,
    gpu::{Between, Recording, Submissions, Submitted, blocking, duration},
};

#[cfg(feature = "files")]
pub(crate) use moment::Moment;

const DOING: &str = "train classifiers";

/// Trains fresh networks on a set and counts the test images of a data set that they classify
/// correctly. It advances step by step: one epoch at a time, then the test.
///
/// SGD with momentum 0.9, weight decay 5e-4, batches of 256 shuffled each epoch, one augmentation per
/// batch; the learning rate falls to a tenth half-way (the protocol of Zhao & Bilen, WACV 2023). [`Protocol`](crate::Protocol) has another.
/// Several networks train in the same dispatches. Network n of a seed is the same to the last bit,
/// however many train beside it and whatever the memory budget.
///
/// No method waits for the GPU unless its name contains `blocking`.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use dm_wgpu::{AdapterChoice, Evaluation, EvaluationSettings, Gpu, SyntheticSet, TrainingSet, data};
/// let gpu = Gpu::headless_blocking(&AdapterChoice::default())?;
/// let dataset = Arc::new(data::glyphs(0)?);
/// let set = SyntheticSet::load("synthetic.safetensors".as_ref())?;
/// let settings = EvaluationSettings::for_dataset(&dataset);
/// let mut run = Evaluation::new(&gpu, dataset, TrainingSet::Synthetic(set), settings)?;
/// while !run.is_done() {
///     run.step()?;
///     run.wait_blocking(2)?;
/// }
/// println!("{}", run.accuracy_blocking()?);
/// # Ok::<(), dm_wgpu::Error>(())
/// ```
#[derive(Debug)]
pub struct Evaluation {
    gpu: Gpu,
    dataset: Arc<Dataset>,
    settings: EvaluationSettings,
    train: Train,
    net: Net,
    sizes: Sizes,
    /// For the networks of one turn; the last turn may need another, for fewer.
    bench: Bench,
    /// The first network of all that is trained here.
    first: usize,
    done: u32,
    in_flight: VecDeque<Submitted>,
    /// Each turn's right answers, on their way to the host with a submission.
    counts: Vec<(Tested, Option<wgpu::SubmissionIndex>)>,
    tested: Vec<u32>,
    /// Whether a step was abandoned in the middle.
    left: bool,
}

impl Evaluation {
    /// Checks the settings, makes every buffer and compiles every pipeline.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Shape`] if set, data set and settings do not go together or
    /// need more memory than the device's budget; [`Error::Gpu`] if it refuses.
    pub fn new(
        gpu: &Gpu,
        dataset: Arc<Dataset>,
        train: TrainingSet,
        settings: EvaluationSettings,
    ) -> Result<Self> {
        blocking(PREPARE, Self::new_async(gpu, dataset, train, settings))
    }

    /// As [`new`](Self::new), for browsers, which report only later whether the device accepted everything. Elsewhere
    /// it completes at once.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub async fn new_async(
        gpu: &Gpu,
        dataset: Arc<Dataset>,
        train: TrainingSet,
        settings: EvaluationSettings,
    ) -> Result<Self> {
        check_test(&dataset)?;
        Self::make(gpu, dataset, train, settings).await
    }

    /// As [`new`](Self::new), with some of the settings' networks only: a shard of the work, on one of several devices.
    /// [`accuracy_blocking`](Self::accuracy_blocking) returns what these have in the whole evaluation, and
    /// [`settings`](Self::settings) their number.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`Error::Setting`] if there are no such networks.
    pub fn of_networks(
        gpu: &Gpu,
        dataset: Arc<Dataset>,
        train: TrainingSet,
        settings: EvaluationSettings,
        networks: Range<usize>,
    ) -> Result<Self> {
        if networks.is_empty() || networks.end > settings.nets {
            let why = format!("{networks:?} are not some of them");
            return Err(Error::setting("eval_nets", settings.nets, why));
        }
        let settings = settings.nets(networks.len());
        let own = Self::new(gpu, dataset, train, settings)?;
        Ok(Self { first: networks.start, ..own })
    }

    /// As [`new`](Self::new), where nothing will be tested.
    pub(super) fn untested(
        gpu: &Gpu,
        dataset: Arc<Dataset>,
        train: TrainingSet,
        settings: EvaluationSettings,
    ) -> Result<Self> {
        blocking(PREPARE, Self::make(gpu, dataset, train, settings))
    }

    async fn make(
        gpu: &Gpu,
        dataset: Arc<Dataset>,
        train: TrainingSet,
        settings: EvaluationSettings,
    ) -> Result<Self> {
        gpu.suffices()?;
        settings.check(&dataset)?;
        let (train, settings) = Train::of(train, &dataset, settings)?;
        let net = settings.network(&dataset)?;
        let load = train.load(&dataset, &net, &settings);
        let mut sizes = Sizes::of(gpu, &load)?;
        let bench = loop {
            let bench = Bench::new(gpu, &load, &train, sizes).await;
            match (bench, sizes.smaller()) {
                (Err(Error::OutOfMemory { reason, .. }), Some(smaller)) => {
                    let (nets, fewer) = (sizes.nets, smaller.nets);
                    log::warn!(
                        "the GPU has no memory left for {nets} networks: {reason}; now {fewer}"
                    );
                    sizes = smaller;
                }
                (bench, _) => break bench?,
            }
        };
        Ok(Self {
            gpu: gpu.clone(),
            dataset,
            settings,
            train,
            net,
            sizes,
            bench,
            first: 0,
            done: 0,
            in_flight: VecDeque::new(),
            counts: Vec::new(),
            tested: Vec::new(),
            left: false,
        })
    }

    /// Whether [`new`](Self::new) would take these settings for a set of so many images to train on, or, if
    /// that is `None`, for the whole training set. Makes nothing.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Shape`], as `new` gives them.
    pub fn check(
        gpu: &Gpu,
        dataset: &Dataset,
        images: Option<usize>,
        settings: &EvaluationSettings,
    ) -> Result<()> {
        gpu.suffices()?;
        settings.check(dataset)?;
        check_test(dataset)?;
        let net = &settings.network(dataset)?;
        Sizes::of(gpu, &Load { dataset, net, settings, images }).map(drop)
    }

    /// The number of steps: epochs and the test, of each turn of networks.
    pub fn total(&self) -> u32 {
        self.turns() * (self.settings.epochs + 1)
    }

    /// Steps submitted so far.
    pub fn done(&self) -> u32 {
        self.done
    }

    /// Whether every step has been submitted.
    pub fn is_done(&self) -> bool {
        self.done >= self.total()
    }

    /// Steps submitted that the GPU is not known to have finished.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.len() as u32
    }

    /// The resolved settings.
    pub fn settings(&self) -> &EvaluationSettings {
        &self.settings
    }

    /// Submits the next step and returns without waiting for it. After the last, does nothing.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost.
    pub fn step(&mut self) -> Result<()> {
        self.submit(None).map(drop)
    }

    /// As [`step`](Self::step), but waits so that only a few of the step's submissions are unfinished at a
    /// time, and calls `between` after each with the part of the step, from 0 to 1, that the GPU is known to have
    /// done. If `between` breaks, the networks are half trained: the evaluation is over, and every call that would
    /// continue it fails.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn step_blocking(
        &mut self,
        between: &mut dyn FnMut(f64) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        self.submit(Some(between))
    }

    /// As [`step`](Self::step), for browsers: a last turn of fewer networks needs other buffers, and browsers report
    /// only later whether the device accepted them. Elsewhere it completes at once.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub async fn step_async(&mut self) -> Result<()> {
        if !self.left && !self.is_done() {
            self.fit_turn().await?;
        }
        self.step()
    }

    fn submit(&mut self, between: Option<Between<'_>>) -> Result<ControlFlow<()>> {
        if self.left {
            return Err(Error::gpu(DOING, "it was stopped in the middle of a step"));
        }
        self.gpu.check(DOING)?;
        if self.is_done() {
            return Ok(ControlFlow::Continue(()));
        }
        let gpu = self.gpu.clone();
        gpu.with_enough_memory(DOING, || self.submit_piece(between))
    }

    fn submit_piece(&mut self, between: Option<Between<'_>>) -> Result<ControlFlow<()>> {
        if self.turn().1 != self.bench.nets {
            blocking(PREPARE, self.fit_turn())?;
        }
        let (first_net, _) = self.turn();
        let piece = self.done % (self.settings.epochs + 1);
        let is_test = piece == self.settings.epochs;
        let gpu = self.gpu.clone();
        let whole = if is_test { self.test_seconds() } else { self.epoch_seconds() };
        let mut part_done =
            between.map(|between| move |seconds: f64| between((seconds / whole).clamp(0.0, 1.0)));
        let mut submissions = match &mut part_done {
            Some(between) => Submissions::watched(&gpu, DOING, between),
            None => Submissions::new(&gpu),
        };
        let counts = match is_test {
            true => Some(self.bench.test(self.dataset.test(), &mut submissions)),
            false => {
                self.epoch(first_net as u32, piece, &mut submissions);
                None
            }
        };
        if !submissions.end()? {
            self.left = true;
            return Ok(ControlFlow::Break(()));
        }
        let submitted = submissions.finish();
        self.counts.extend(counts.map(|counts| (counts, submitted.last())));
        self.in_flight.push_back(submitted);
        self.done += 1;
        Ok(ControlFlow::Continue(()))
    }

    /// The first network of the turn to which the next step belongs, and the number of networks in that turn.
    fn turn(&self) -> (usize, usize) {
        let turn = self.done / (self.settings.epochs + 1);
        let before = turn as usize * self.sizes.nets;
        (self.first + before, self.sizes.nets.min(self.settings.nets - before))
    }

    /// Makes the buffers and recordings of that turn, if it has another number of networks than the turn before.
    async fn fit_turn(&mut self) -> Result<()> {
        let (_, nets) = self.turn();
        if nets != self.bench.nets {
            let sizes = Sizes { nets, ..self.sizes };
            self.bench = Bench::new(&self.gpu, &self.load(), &self.train, sizes).await?;
        }
        Ok(())
    }

    /// How long the whole evaluation will take on this device, measured on a slice of each kernel. Measuring takes
    /// seconds if kernels must be compiled first, otherwise a moment. Call it before the first step is submitted.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost, or some steps are submitted already.
    pub fn estimate_blocking(&self) -> Result<Duration> {
        let measured = self.to_be_measured()?;
        self.gpu.measure_paces(measured)?;
        Ok(self.estimated())
    }

    /// As [`estimate_blocking`](Self::estimate_blocking), completing as [`finished`](Self::finished) does.
    ///
    /// # Errors
    /// As [`estimate_blocking`](Self::estimate_blocking).
    pub async fn estimate(&self) -> Result<Duration> {
        let measured = self.to_be_measured()?;
        self.gpu.measure_paces_async(measured).await?;
        Ok(self.estimated())
    }

    fn to_be_measured(&self) -> Result<Vec<&Recording>> {
        if self.done > 0 || self.left {
            return Err(Error::gpu("estimate an evaluation", "it has begun"));
        }
        Ok(self.recordings().into_iter().chain(self.bench.test_recordings()).collect())
    }

    fn estimated(&self) -> Duration {
        let turn = f64::from(self.settings.epochs) * self.epoch_seconds() + self.test_seconds();
        duration(turn * self.settings.nets as f64 / self.sizes.nets as f64)
    }

    /// How long an epoch and the test of one turn of networks are expected to take on this device: as
    /// [`estimate_blocking`](Self::estimate_blocking) measured it, or a guess before that.
    pub fn expected(&self) -> (Duration, Duration) {
        (duration(self.epoch_seconds()), duration(self.test_seconds()))
    }

    fn epoch_seconds(&self) -> f64 {
        self.gpu.expected(self.recordings())
    }

    fn test_seconds(&self) -> f64 {
        self.gpu.expected(self.bench.test_recordings())
    }

    /// Waits until at most so many steps are in flight.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost.
    pub fn wait_blocking(&mut self, at_most: u32) -> Result<()> {
        while self.in_flight() > at_most {
            let Some(mut submitted) = self.in_flight.pop_front() else { break };
            submitted.wait_blocking(&self.gpu, DOING)?;
        }
        self.gpu.check(DOING)
    }

    /// Completes when at most so many steps are in flight. This needs somebody to poll the device: a program that draws
    /// does so in every frame, others call [`Gpu::poll`] now and then.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost.
    pub async fn finished(&mut self, at_most: u32) -> Result<()> {
        self.gpu.poll()?;
        while self.in_flight() > at_most {
            let Some(first) = self.in_flight.front_mut() else { break };
            first.all_but(0, &self.gpu).await?;
            self.in_flight.pop_front();
        }
        self.gpu.check(DOING)
    }

    /// As [`accuracy_blocking`](Self::accuracy_blocking), completing as [`finished`](Self::finished) does.
    ///
    /// # Errors
    /// As [`accuracy_blocking`](Self::accuracy_blocking).
    pub async fn accuracy(&mut self) -> Result<Accuracy> {
        while !self.is_done() {
            self.step_async().await?;
            self.finished(2).await?;
        }
        self.finished(0).await?;
        while let Some((tested, _)) = self.counts.first_mut() {
            let counts = tested.arrived().await?;
            self.counts.remove(0);
            self.note(counts)?;
        }
        Ok(self.counted())
    }

    /// Submits the remaining steps, waits for them, and returns the accuracy.
    ///
    /// # Errors
    /// [`Error::NetworkDiverged`] if the training of a network diverged, [`Error::Gpu`] if the
    /// device was lost.
    pub fn accuracy_blocking(&mut self) -> Result<Accuracy> {
        while !self.is_done() {
            self.step()?;
            self.wait_blocking(2)?;
        }
        self.wait_blocking(0)?;
        for (tested, submission) in std::mem::take(&mut self.counts) {
            let counts = tested.take_blocking(&self.gpu, submission)?;
            self.note(counts)?;
        }
        Ok(self.counted())
    }

    /// The right answers of a turn's networks, or the first of them that diverged.
    fn note(&mut self, counts: Result<Vec<u32>, usize>) -> Result<()> {
        let first = self.first + self.tested.len();
        let diverged = |network| Error::NetworkDiverged { network: first + network };
        self.tested.extend(counts.map_err(diverged)?);
        Ok(())
    }

    fn counted(&self) -> Accuracy {
        let images = self.dataset.test().len() as f64;
        let share = |&count: &u32| f64::from(count) * 100.0 / images;
        Accuracy::of(self.tested.iter().map(share).collect())
    }

    /// The memory that its buffers take.
    #[cfg(feature = "testing")]
    pub(crate) fn table(&self) -> crate::gpu::Table {
        self.load().table(self.gpu.caps(), Sizes { nets: self.bench.nets, ..self.sizes })
    }

    fn load(&self) -> Load<'_> {
        self.train.load(&self.dataset, &self.net, &self.settings)
    }

    /// Everything that one epoch submits, in order. Replayed, it trains on the batch before.
    pub(crate) fn recordings(&self) -> Vec<&Recording> {
        let (len, batch) = (self.train.len(&self.dataset), self.settings.batch);
        let steps = (0..len).step_by(batch).map(|first| batch.min(len - first));
        steps.flat_map(|images| self.bench.recordings(images)).collect()
    }

    fn turns(&self) -> u32 {
        self.settings.nets.div_ceil(self.sizes.nets) as u32
    }
}

fn check_test(dataset: &Dataset) -> Result<()> {
    if let Some(part) = dataset.part() {
        let why =
            format!("they are {} of {}, and networks are tested on all", part.classes, part.of);
        return Err(Error::setting("classes", &part.classes, why));
    }
    if dataset.test().is_empty() {
        return Err(Error::shape(
            format!("data set {}", dataset.name()),
            "it has no test images to count accuracy on",
        ));
    }
    Ok(())
}
