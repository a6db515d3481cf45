//! An evaluation in progress.

use std::{collections::VecDeque, ops::Range, sync::Arc};

use super::{Accuracy, EvaluationSettings, order};
use crate::{
    ConvNet, Dataset, Error, Gpu, Result, Split, SyntheticSet,
    augment::Row,
    gpu::{Buffer, Readback, Recording},
    kernels::{Augment, Item, NetworkKey, Planes, Rates, Source},
    nn::{Classifiers, Part},
    rng::Purpose,
};

const MOMENTUM: f32 = 0.9;
const WEIGHT_DECAY: f32 = 5e-4;

/// What networks are trained on.
#[derive(Debug, Clone)]
pub enum TrainingSet {
    /// A synthetic set, or a selection in its form.
    Synthetic(SyntheticSet),
    /// All training images of the data set: the upper bound.
    Whole,
}

/// Trains fresh ConvNets on a set and counts what they get right on a data set's test images,
/// piece by piece: an epoch at a time, then the test.
///
/// SGD with momentum 0.9, weight decay 5e-4, batches of 256 shuffled each epoch, one augmentation a
/// batch; the learning rate falls to a tenth half-way (the protocol of Zhao & Bilen, WACV 2023).
/// Several networks train in the same dispatches. Network n of a seed comes out the same to the
/// last bit however many train beside it and whatever the memory budget.
///
/// No method waits for the GPU unless its name says so.
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
///     run.advance()?;
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
    sizes: Sizes,
    /// For the networks of one turn; the last turn may need another, for fewer.
    bench: Bench,
    done: u32,
    in_flight: VecDeque<wgpu::SubmissionIndex>,
    counts: Vec<Counted>,
    tested: Vec<u32>,
}

/// Training images and their labels.
#[derive(Debug)]
enum Train {
    Values { images: Vec<f32>, labels: Vec<u32> },
    Whole,
}

impl Evaluation {
    /// Checks the settings, makes every buffer and compiles every pipeline.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Shape`] if set, data set and settings do not go together or
    /// need more memory than the budget; [`Error::Gpu`] if the device refuses.
    pub fn new(
        gpu: &Gpu,
        dataset: Arc<Dataset>,
        train: TrainingSet,
        settings: EvaluationSettings,
    ) -> Result<Self> {
        settings.check(&dataset)?;
        if dataset.test().is_empty() {
            return Err(Error::shape(
                format!("data set {}", dataset.name()),
                "it has no test images to count accuracy on",
            ));
        }
        let train = match train {
            TrainingSet::Whole => Train::Whole,
            TrainingSet::Synthetic(set) => {
                let labels = check_set(&set, &dataset)?;
                Train::Values { images: set.images, labels }
            }
        };
        let len = train.len(&dataset);
        let net = settings.network(&dataset)?;
        let sizes = Sizes::of(gpu, &net, &dataset, &settings, len, train.values())?;
        let bench = Bench::new(gpu, &dataset, &net, &train, &settings, sizes, sizes.nets)?;
        Ok(Self {
            gpu: gpu.clone(),
            dataset,
            settings,
            train,
            sizes,
            bench,
            done: 0,
            in_flight: VecDeque::new(),
            counts: Vec::new(),
            tested: Vec::new(),
        })
    }

    /// Pieces of work that there are: epochs and the test, of each turn of networks.
    pub fn pieces(&self) -> u32 {
        self.turns() * (self.settings.epochs + 1)
    }

    /// Pieces submitted so far.
    pub fn done(&self) -> u32 {
        self.done
    }

    /// Whether every piece has been submitted.
    pub fn is_done(&self) -> bool {
        self.done >= self.pieces()
    }

    /// Pieces submitted that the GPU is not known to have finished.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.len() as u32
    }

    /// The resolved settings.
    pub fn settings(&self) -> &EvaluationSettings {
        &self.settings
    }

    /// Submits the next piece and returns without waiting for it. After the last, does nothing.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost.
    pub fn advance(&mut self) -> Result<()> {
        self.gpu.check("train classifiers")?;
        if self.is_done() {
            return Ok(());
        }
        let pieces = self.settings.epochs + 1;
        let (turn, piece) = (self.done / pieces, self.done % pieces);
        let first_net = turn as usize * self.sizes.nets;
        let nets = self.sizes.nets.min(self.settings.nets - first_net);
        if nets != self.bench.nets {
            let net = self.settings.network(&self.dataset)?;
            let (dataset, train) = (&self.dataset, &self.train);
            self.bench =
                Bench::new(&self.gpu, dataset, &net, train, &self.settings, self.sizes, nets)?;
        }
        let submission = if piece < self.settings.epochs {
            self.epoch(first_net as u32, piece)
        } else {
            let counted = self.bench.test(&self.gpu, self.dataset.test());
            let submission = counted.submission.clone();
            self.counts.push(counted);
            submission
        };
        self.in_flight.push_back(submission);
        self.done += 1;
        Ok(())
    }

    /// Waits until at most so many pieces are in flight.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost.
    pub fn wait_blocking(&mut self, at_most: u32) -> Result<()> {
        let doing = "train classifiers";
        while self.in_flight() > at_most {
            let Some(submission) = self.in_flight.pop_front() else { break };
            let wait = wgpu::PollType::Wait { submission_index: Some(submission), timeout: None };
            self.gpu.device().poll(wait).map_err(|e| Error::gpu(doing, e))?;
        }
        self.gpu.check(doing)
    }

    /// Submits what is left, waits for it, and returns the accuracy.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost.
    pub fn accuracy_blocking(&mut self) -> Result<Accuracy> {
        while !self.is_done() {
            self.advance()?;
            self.wait_blocking(2)?;
        }
        self.wait_blocking(0)?;
        for mut counted in std::mem::take(&mut self.counts) {
            let counts = counted.counts.take_blocking(&self.gpu, counted.submission)?;
            self.tested.extend(counts);
        }
        let images = self.dataset.test().len() as f64;
        let share = |&count: &u32| f64::from(count) * 100.0 / images;
        Ok(Accuracy::of(self.tested.iter().map(share).collect()))
    }

    fn turns(&self) -> u32 {
        self.settings.nets.div_ceil(self.sizes.nets) as u32
    }

    /// Submits an epoch of the networks from `first_net` on.
    fn epoch(&self, first_net: u32, epoch: u32) -> wgpu::SubmissionIndex {
        let EvaluationSettings { seed, epochs, lr, batch, ref augment, .. } = self.settings;
        let bench = &self.bench;
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        if epoch == 0 {
            let key = NetworkKey::new(seed, Purpose::EvaluationWeights, first_net);
            bench.classifiers.draw(&self.gpu, &mut encoder, key);
            bench.classifiers.pack(&mut encoder);
        }
        let (falls, lower) = (epochs / 2 + 1, lr * 0.1);
        if epoch == 0 || epoch == falls {
            let rates = Rates::new(if epoch < falls { lr } else { lower }, MOMENTUM, WEIGHT_DECAY);
            bench.classifiers.restart(&self.gpu, &mut encoder, rates);
        }
        let mut submission = self.gpu.queue().submit([encoder.finish()]);

        let len = self.train.len(&self.dataset);
        let nets = first_net..first_net + bench.nets as u32;
        let orders: Vec<_> =
            nets.clone().map(|net| order::shuffled(len, seed, epoch, net)).collect();
        let size = self.dataset.size();
        let rows: Vec<_> =
            nets.map(|net| order::rows((len, batch), augment, size, seed, epoch, net)).collect();
        for first in (0..len).step_by(batch) {
            let range = first..len.min(first + batch);
            submission = bench.step(&self.gpu, &self.train, &self.dataset, &orders, &rows, range);
        }
        submission
    }
}

impl Train {
    fn len(&self, dataset: &Dataset) -> usize {
        match self {
            Self::Values { labels, .. } => labels.len(),
            Self::Whole => dataset.train().len(),
        }
    }

    fn labels<'a>(&'a self, dataset: &'a Dataset) -> &'a [u32] {
        match self {
            Self::Values { labels, .. } => labels,
            Self::Whole => dataset.train().labels(),
        }
    }

    /// Values that stay on the device.
    fn values(&self) -> usize {
        match self {
            Self::Values { images, .. } => images.len(),
            Self::Whole => 0,
        }
    }
}

/// The set's labels, if it fits the data set.
fn check_set(set: &SyntheticSet, dataset: &Dataset) -> Result<Vec<u32>> {
    let what = || format!("set made from {}", set.dataset);
    if (set.channels, set.size) != (dataset.channels(), dataset.size()) {
        return Err(Error::shape(
            what(),
            format!(
                "its images are {c}×{s}×{s}, those of {name} {dc}×{ds}×{ds}",
                c = set.channels,
                s = set.size,
                name = dataset.name(),
                dc = dataset.channels(),
                ds = dataset.size(),
            ),
        ));
    }
    if set.labels.is_empty() || set.images.len() != set.labels.len() * dataset.image_len() {
        return Err(Error::shape(what(), "it has no images, or not one label for each"));
    }
    let classes = dataset.classes();
    let fits = |&label: &i64| u32::try_from(label).ok().filter(|&l| (l as usize) < classes);
    set.labels.iter().map(fits).collect::<Option<_>>().ok_or_else(|| {
        Error::shape(
            what(),
            format!("a label is not one of the {classes} classes of {}", dataset.name()),
        )
    })
}

/// How work is cut so that everything fits.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    /// Networks at a time.
    nets: usize,
    /// Images of each network at a time in training. It decides how sums over a batch are rounded,
    /// so it follows from the network alone, never from the memory there is.
    part: usize,
    /// Images at a time in testing.
    test: usize,
}

impl Sizes {
    fn of(
        gpu: &Gpu,
        net: &ConvNet,
        dataset: &Dataset,
        settings: &EvaluationSettings,
        train_len: usize,
        values: usize,
    ) -> Result<Self> {
        let bytes = Classifiers::bytes(gpu, net, dataset.classes());
        let image = dataset.image_len();
        const PART_BYTES: usize = 64 << 20;
        let fits = (PART_BYTES / bytes.train_image).clamp(1, 64);
        let part = (1 << fits.ilog2()).min(settings.batch).min(train_len);
        // Lists and staged pixels; a test image is at hand in every network's part.
        let batch = settings.batch.min(train_len);
        let lists = batch * (size_of::<Item>() + size_of::<Row>() + 12);
        let per_net = bytes.net + (part * (bytes.train_image + image) + lists) as u64;
        let fixed = values as u64 * 4 + (dataset.test().len() * 4) as u64;
        let room = settings.memory_budget.saturating_sub(fixed);
        let binding = gpu.max_binding();
        let bound = (binding / (part * bytes.largest) as u64) as usize;
        let nets = ((room / per_net) as usize).min(bound).min(settings.nets);
        if nets == 0 {
            let least = (fixed + per_net).div_ceil(1 << 20);
            return Err(Error::setting(
                "memory_budget",
                format!("{} bytes", settings.memory_budget),
                format!("evaluating with these settings needs at least {least} MiB"),
            ));
        }
        let left = (room - nets as u64 * per_net) as usize / (nets * (bytes.test_image + image));
        let bound = (binding as usize / (nets * bytes.largest)).max(1);
        let test = (part + left).min(bound).min(512).min(dataset.test().len()).max(1);
        Ok(Self { nets, part, test })
    }
}

/// The networks of one turn and everything recorded for them.
#[derive(Debug)]
struct Bench {
    nets: usize,
    classifiers: Classifiers,
    /// Training images, if they stay on the device.
    values: Option<Buffer<f32>>,
    pixels: Buffer<u8>,
    items: Buffer<Item>,
    rows: Buffer<Row>,
    labels: Buffer<u32>,
    /// A full batch, and an epoch's last if it is smaller.
    batches: Vec<Recorded>,
    tests: Vec<(Range<usize>, Recording)>,
    counts: Buffer<u32>,
}

/// The work of a batch of some size.
#[derive(Debug)]
struct Recorded {
    images: usize,
    parts: Vec<(Part, Recording)>,
    update: Recording,
}

impl Bench {
    fn new(
        gpu: &Gpu,
        dataset: &Dataset,
        net: &ConvNet,
        train: &Train,
        settings: &EvaluationSettings,
        sizes: Sizes,
        nets: usize,
    ) -> Result<Self> {
        gpu.checked("prepare the evaluation", || {
            Ok(Self::build(gpu, dataset, net, train, settings, sizes, nets))
        })
    }

    fn build(
        gpu: &Gpu,
        dataset: &Dataset,
        net: &ConvNet,
        train: &Train,
        settings: &EvaluationSettings,
        sizes: Sizes,
        nets: usize,
    ) -> Self {
        let len = train.len(dataset);
        let batch = settings.batch.min(len);
        let room = (sizes.part, sizes.test);
        let mut classifiers = Classifiers::new(gpu, net, dataset.classes(), nets, room);
        let most = nets * batch.max(sizes.test);
        let items = Buffer::zeros(gpu, "evaluation items", most);
        let rows = Buffer::zeros(gpu, "evaluation rows", most);
        let labels = Buffer::zeros(gpu, "evaluation labels", most);
        let losses = Buffer::zeros(gpu, "evaluation losses", most);
        let means = Buffer::zeros(gpu, "evaluation means", most);
        let staged = nets * sizes.part.max(sizes.test) * dataset.image_len();
        let pixels = Buffer::zeros(gpu, "evaluation pixels", staged);
        let counts = Buffer::zeros(gpu, "right answers", nets);
        let values = match train {
            Train::Values { images, .. } => {
                Some(Buffer::from_slice(gpu, "training images", images))
            }
            Train::Whole => None,
        };
        let augment = Augment { items: &items, rows: &rows, means: &means };
        let dense = Planes::dense(dataset.channels(), dataset.size());
        let staged = Source::Pixels { bytes: &pixels, mean: dataset.mean(), std: dataset.std() };
        let source = values.as_ref().map_or(staged, Source::Values);

        let mut lengths = vec![batch];
        lengths.extend((!len.is_multiple_of(batch)).then_some(len % batch));
        let mut batches = Vec::new();
        for images in lengths {
            let mut parts = Vec::new();
            for before in (0..images).step_by(sizes.part) {
                let part = Part { images: sizes.part.min(images - before), of: images, before };
                let mut recording = Recording::default();
                let (input, layout) = classifiers.input();
                let (first, count) = (nets * before, nets * part.images);
                augment.forward(gpu, &mut recording, source, dense, input, layout, first, count);
                classifiers.record_part(gpu, &mut recording, &labels, &losses, part);
                parts.push((part, recording));
            }
            let mut update = Recording::default();
            classifiers.record_update(gpu, &mut update);
            batches.push(Recorded { images, parts, update });
        }
        let mut tests = Vec::new();
        for first in (0..dataset.test().len()).step_by(sizes.test) {
            let range = first..dataset.test().len().min(first + sizes.test);
            let mut recording = Recording::default();
            let (input, layout) = classifiers.input();
            let count = nets * range.len();
            augment.forward(gpu, &mut recording, staged, dense, input, layout, 0, count);
            classifiers.record_test(gpu, &mut recording, &labels, &counts, range.len());
            tests.push((range, recording));
        }
        Self { nets, classifiers, values, pixels, items, rows, labels, batches, tests, counts }
    }

    /// Submits one step on the images that each network's order has in `range`.
    fn step(
        &self,
        gpu: &Gpu,
        train: &Train,
        dataset: &Dataset,
        orders: &[Vec<u32>],
        rows: &[Vec<Row>],
        range: Range<usize>,
    ) -> wgpu::SubmissionIndex {
        // Every batch size of an epoch was recorded.
        let fits = |batch: &&Recorded| batch.images == range.len();
        let batch = self.batches.iter().find(fits).unwrap_or(&self.batches[0]);
        let all_labels = train.labels(dataset);
        let (mut items, mut step_rows, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for (part, _) in &batch.parts {
            let start = range.start + part.before;
            let mut staged = 0;
            for (order, rows) in orders.iter().zip(rows) {
                for at in start..start + part.images {
                    let image = order[at];
                    let source = if self.values.is_some() { image } else { staged };
                    items.push(Item { image: source, row: items.len() as u32 });
                    step_rows.push(rows[at]);
                    labels.push(all_labels[image as usize]);
                    staged += 1;
                }
            }
        }
        self.items.write(gpu, &items);
        self.rows.write(gpu, &step_rows);
        self.labels.write(gpu, &labels);

        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        for (part, recording) in &batch.parts {
            if self.values.is_none() {
                let start = range.start + part.before;
                let wanted = orders.iter().flat_map(|order| &order[start..start + part.images]);
                let pixels: Vec<u8> =
                    wanted.flat_map(|&i| dataset.train().image(i as usize)).copied().collect();
                // What is written comes before what is submitted next: one part at a time.
                let before = std::mem::replace(
                    &mut encoder,
                    gpu.device().create_command_encoder(&Default::default()),
                );
                gpu.queue().submit([before.finish()]);
                self.pixels.write(gpu, &pixels);
            }
            recording.encode(&mut encoder, "train on a part");
        }
        batch.update.encode(&mut encoder, "update");
        self.classifiers.pack(&mut encoder);
        gpu.queue().submit([encoder.finish()])
    }

    /// Submits the test; the counts of right answers are on their way afterwards.
    fn test(&self, gpu: &Gpu, split: &Split) -> Counted {
        self.rows.write(gpu, &[Row::NONE]);
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        self.counts.clear(&mut encoder);
        for (range, recording) in &self.tests {
            gpu.queue().submit([encoder.finish()]);
            let images = 0..range.len() as u32;
            let items: Vec<_> = (0..self.nets)
                .flat_map(|_| images.clone().map(|image| Item { image, row: 0 }))
                .collect();
            self.items.write(gpu, &items);
            self.labels.write(gpu, &split.labels()[range.clone()]);
            let image = split.pixels().len() / split.len();
            self.pixels.write(gpu, &split.pixels()[range.start * image..range.end * image]);
            encoder = gpu.device().create_command_encoder(&Default::default());
            recording.encode(&mut encoder, "test");
        }
        let mut counts = Readback::new(gpu, "right answers on their way", self.nets);
        counts.record(&mut encoder, &self.counts);
        let submission = gpu.queue().submit([encoder.finish()]);
        counts.request();
        Counted { counts, submission }
    }
}

/// The right answers of a turn's networks, on their way.
#[derive(Debug)]
struct Counted {
    counts: Readback<u32>,
    submission: wgpu::SubmissionIndex,
}
