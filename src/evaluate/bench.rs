//! The recorded work of networks that are trained and tested together.

use std::{future::poll_fn, ops::Range};

use super::{
    mixing::{self, Drawn},
    sizes::{Buffers, Load, Sizes},
    train::Train,
};
use crate::{
    Dataset, Gpu, Result, Split,
    augment::Row,
    gpu::{Buffer, Readback, Recording, Submissions},
    kernels::{Augment, Item, Planes, Source},
    nn::{Answers, Part},
};

pub(super) const PREPARE: &str = "prepare the evaluation";

/// The networks of one turn and everything recorded for them.
#[derive(Debug)]
pub(super) struct Bench {
    pub nets: usize,
    pub buffers: Buffers,
    /// A full batch, and an epoch's last if it is smaller.
    batches: Vec<Recorded>,
    tests: Vec<(Range<usize>, Recording)>,
}

/// The work of a batch of some size.
#[derive(Debug)]
pub(super) struct Recorded {
    images: usize,
    parts: Vec<(Part, Recording)>,
    update: Recording,
}

/// How each network's epoch looks, image after image.
pub(super) enum Looks {
    /// One augmentation each.
    Rows(Vec<Vec<Row>>),
    /// All of them, and another image.
    Mixed(Vec<Drawn>),
}

/// The test results of a turn's networks.
#[derive(Debug)]
pub(super) struct Tested {
    nets: usize,
    counts: Readback<u32>,
    /// Of all networks, parameter by parameter.
    weights: Vec<Readback<f32>>,
}

impl Tested {
    /// Waits for the submission, then returns each network's right answers, or the first network whose weights are not
    /// finite: kernels may take NaN for 0, so the answers alone do not show it.
    pub fn take_blocking(
        self,
        gpu: &Gpu,
        submission: Option<wgpu::SubmissionIndex>,
    ) -> Result<Result<Vec<u32>, usize>> {
        let Self { nets, mut counts, weights } = self;
        let counts = counts.take_blocking(gpu, submission.clone())?;
        let mut diverged = vec![false; nets];
        for mut weights in weights {
            note_diverged(&mut diverged, &weights.take_blocking(gpu, submission.clone())?);
        }
        Ok(diverged.iter().position(|diverged| *diverged).map_or(Ok(counts), Err))
    }

    /// The same, completing when they have arrived. Dropped before that, it can be asked again.
    pub async fn arrived(&mut self) -> Result<Result<Vec<u32>, usize>> {
        poll_fn(|context| self.counts.poll_arrived(context)).await;
        for weights in &self.weights {
            poll_fn(|context| weights.poll_arrived(context)).await;
        }
        let counts = self.counts.arrived().await?;
        let mut diverged = vec![false; self.nets];
        for weights in &mut self.weights {
            note_diverged(&mut diverged, &weights.arrived().await?);
        }
        Ok(diverged.iter().position(|diverged| *diverged).map_or(Ok(counts), Err))
    }
}

/// Which networks have weights that are not finite, of a parameter of all of them.
fn note_diverged(diverged: &mut [bool], weights: &[f32]) {
    let own = weights.chunks_exact(weights.len() / diverged.len());
    for (diverged, own) in diverged.iter_mut().zip(own) {
        *diverged |= !own.iter().all(|weight| weight.is_finite());
    }
}

impl Bench {
    pub async fn new(gpu: &Gpu, load: &Load<'_>, train: &Train, sizes: Sizes) -> Result<Self> {
        gpu.checked(PREPARE, || Self::build(gpu, load, train, sizes)).await
    }

    fn build(gpu: &Gpu, load: &Load<'_>, train: &Train, sizes: Sizes) -> Result<Self> {
        let Load { dataset, settings, .. } = *load;
        let (len, batch, nets) = (load.len(), load.batch(), sizes.nets);
        log::info!(
            "at once {nets} of {} networks; of each, {} images in training, {} in testing",
            settings.nets,
            sizes.part,
            sizes.test
        );
        let mut buffers = Buffers::new(gpu, load, sizes);
        let Buffers {
            classifiers,
            values,
            pixels,
            items,
            rows,
            labels,
            losses,
            room,
            counts,
            mixing,
        } = &mut buffers;
        let mixing = &*mixing;
        match train.lessons() {
            Some(_) => classifiers.record_xavier(gpu, load.net),
            None => classifiers.record(gpu),
        }
        if let (Some(values), Train::Values { images, .. }) = (&*values, train) {
            values.write(gpu, images);
        }
        let augment = Augment { items, rows, room };
        let dense = Planes::dense(dataset.channels(), dataset.size());
        let staged = Source::Pixels { bytes: pixels, mean: dataset.mean(), std: dataset.std() };
        let source = values.as_ref().map_or(staged, |values| Source::Values(values.into()));

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
                let answers = match mixing {
                    Some(mixing) => {
                        let (from, to) = ((source, &*items, &*room), (input, layout));
                        mixing.record(gpu, &mut recording, from, to, first..first + count);
                        Answers::Mixed(&mixing.targets)
                    }
                    None => {
                        let r = &mut recording;
                        augment.forward(gpu, r, source, dense, input, layout, first, count);
                        Answers::Labels(labels)
                    }
                };
                classifiers.record_part(gpu, &mut recording, answers, losses, part)?;
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
            classifiers.record_test(gpu, &mut recording, labels, counts, range.len())?;
            tests.push((range, recording));
        }
        Ok(Self { nets, buffers, batches, tests })
    }

    /// Submits one step on the images that each network's order has in `range`.
    pub fn step(
        &self,
        train: &Train,
        dataset: &Dataset,
        orders: &[Vec<u32>],
        looks: &Looks,
        range: Range<usize>,
        submissions: &mut Submissions<'_>,
    ) {
        let gpu = submissions.gpu();
        let batch = self.recorded(range.len());
        let all_labels = train.labels(dataset);
        let resident = self.buffers.values.is_some();
        let mut items = Vec::new();
        for (part, _) in &batch.parts {
            let start = range.start + part.before;
            let images = orders.iter().flat_map(|order| &order[start..start + part.images]);
            items.extend((0..).zip(images).map(|(staged, &image)| (image, staged)));
        }
        let item = |(row, &(image, staged)): (usize, &(u32, u32))| Item {
            image: if resident { image } else { staged },
            row: row as u32,
        };
        // Writes take effect before the next submission.
        submissions.submit();
        self.buffers.items.write(gpu, &items.iter().enumerate().map(item).collect::<Vec<_>>());
        match (looks, &self.buffers.mixing) {
            (Looks::Mixed(drawn), Some(mixing)) => {
                let parts = batch.parts.iter().map(|(part, _)| *part);
                let mixed = mixing::batch(drawn, orders, all_labels, range.start, parts, resident);
                mixing.write(gpu, &mixed);
            }
            (Looks::Rows(rows), _) => {
                let mut step_rows = Vec::new();
                for (part, _) in &batch.parts {
                    let start = range.start + part.before;
                    step_rows
                        .extend(rows.iter().flat_map(|rows| &rows[start..start + part.images]));
                }
                self.buffers.rows.write(gpu, &step_rows);
                let labels = items.iter().map(|(image, _)| all_labels[*image as usize]);
                self.buffers.labels.write(gpu, &labels.collect::<Vec<_>>());
            }
            (Looks::Mixed(_), None) => {}
        }
        for (part, recording) in &batch.parts {
            if !resident {
                let start = range.start + part.before;
                let places = start..start + part.images;
                let own = orders.iter().flat_map(|order| &order[places.clone()]).copied();
                let pixels = |i: u32| dataset.train().image(i as usize);
                let mut bytes: Vec<u8> = own.flat_map(pixels).copied().collect();
                if let Looks::Mixed(drawn) = looks {
                    let others = orders.iter().zip(drawn).flat_map(|(order, drawn)| {
                        drawn.mixes[places.clone()].iter().map(|(other, ..)| order[*other])
                    });
                    bytes.extend(others.flat_map(pixels));
                }
                submissions.submit();
                self.buffers.pixels.write(gpu, &bytes);
            }
            submissions.run(recording, "train on a part");
        }
        submissions.run(&batch.update, "update");
        submissions.run(self.buffers.classifiers.packing(), "pack weights");
    }

    fn recorded(&self, images: usize) -> &Recorded {
        // Every batch size that occurs in an epoch was recorded.
        let fits = |batch: &&Recorded| batch.images == images;
        self.batches.iter().find(fits).unwrap_or(&self.batches[0])
    }

    /// Everything that one step on so many images submits, in order.
    pub fn recordings(&self, images: usize) -> impl Iterator<Item = &Recording> {
        let batch = self.recorded(images);
        let parts = batch.parts.iter().map(|(_, recording)| recording);
        parts.chain([&batch.update, self.buffers.classifiers.packing()])
    }

    /// Everything that the test submits, in order.
    pub fn test_recordings(&self) -> impl Iterator<Item = &Recording> {
        self.tests.iter().map(|(_, recording)| recording)
    }

    /// Submits the test; the counts of right answers, and the weights, are on their way afterwards.
    pub fn test(&self, split: &Split, submissions: &mut Submissions<'_>) -> Tested {
        let gpu = submissions.gpu();
        self.buffers.rows.write(gpu, &[Row::NONE]);
        self.buffers.counts.clear(submissions.encoder());
        for (range, recording) in &self.tests {
            submissions.submit();
            let images = 0..range.len() as u32;
            let items: Vec<_> = (0..self.nets)
                .flat_map(|_| images.clone().map(|image| Item { image, row: 0 }))
                .collect();
            self.buffers.items.write(gpu, &items);
            self.buffers.labels.write(gpu, &split.labels()[range.clone()]);
            let image = split.pixels().len() / split.len();
            self.buffers.pixels.write(gpu, &split.pixels()[range.start * image..range.end * image]);
            submissions.run(recording, "test");
        }
        let mut counts = Readback::new(gpu, "right answers on their way", self.nets);
        counts.record(submissions.encoder(), &self.buffers.counts);
        let on_its_way = |values: &Buffer<f32>| {
            let mut weights = Readback::new(gpu, "weights on their way", values.len());
            weights.record(submissions.encoder(), values);
            weights
        };
        let weights = self.buffers.classifiers.parameters().into_iter().map(on_its_way).collect();
        Tested { nets: self.nets, counts, weights }
    }
}
