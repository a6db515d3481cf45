//! Training images as IDC's protocol shows them: every augmentation on each image, one after the other, and CutMix (Yun et
//! al., ICCV 2019) on every second batch.

use std::ops::Range;

use crate::{
    augment::{Row, Strategy, draw_all},
    gpu::{Buffer, Gpu, Memory, Recording, Stored, Values},
    kernels::{Augment, AugmentRoom, CutBox, Item, Planes, Shares, Source, cutmix},
    nn::Part,
    rng::{Purpose, Stream},
};

/// The part of batches that are mixed.
const MIXED: f32 = 0.5;

/// What one network's epoch looks like, image after image.
#[derive(Debug)]
pub(super) struct Drawn {
    /// The rows of each pass over the images.
    pub passes: Vec<Vec<Row>>,
    /// The place in the epoch of the image that each is mixed with, its box, and the image's own share.
    pub mixes: Vec<(usize, CutBox, f32)>,
}

/// A function of (seed, epoch, network).
pub(super) fn drawn(
    (images, batch): (usize, usize),
    strategy: &Strategy,
    size: usize,
    (seed, epoch, net): (u64, u32, u32),
) -> Drawn {
    let mut stream = Stream::new(seed, Purpose::EvaluationAugment, epoch, net);
    let passes = strategy.passes();
    let mut rows = vec![Vec::with_capacity(images); passes.len()];
    for _ in 0..images {
        for (members, rows) in passes.iter().zip(&mut rows) {
            rows.push(draw_all(members, &mut stream, size));
        }
    }
    let mut stream = Stream::new(seed, Purpose::EvaluationMix, epoch, net);
    let mut mixes = Vec::with_capacity(images);
    for first in (0..images).step_by(batch) {
        let places: Vec<_> = (first..images.min(first + batch)).collect();
        if stream.uniform() >= MIXED {
            mixes.extend(places.iter().map(|&place| (place, [0; 4], 1.0)));
            continue;
        }
        // Beta(1, 1) is uniform.
        let beta = stream.uniform();
        let center = [0; 2].map(|_| stream.below(size as u32) as usize);
        let (cut, share) = cut_box(size, beta, center);
        let mut others = places;
        for last in (1..others.len()).rev() {
            others.swap(last, stream.below(last as u32 + 1) as usize);
        }
        mixes.extend(others.into_iter().map(|other| (other, cut, share)));
    }
    Drawn { passes: rows, mixes }
}

/// The box about a centre (row, column) that covers 1 − `beta` of an image, where it lies inside, and what is left of the
/// image beside it.
pub(crate) fn cut_box(size: usize, beta: f32, center: [usize; 2]) -> (CutBox, f32) {
    let side = (size as f32 * (1.0 - beta).sqrt()) as usize;
    let ends = |at: usize| [at.saturating_sub(side / 2), (at + side / 2).min(size)];
    let [rows, columns] = center.map(ends);
    let area = (rows[1] - rows[0]) * (columns[1] - columns[0]);
    let cut = [rows[0], rows[1], columns[0], columns[1]].map(|end| end as u32);
    (cut, 1.0 - area as f32 / (size * size) as f32)
}

/// The buffers between training images and a network's input.
#[derive(Debug)]
pub(super) struct Mixing<M: Memory = Gpu> {
    dense: Planes,
    /// Images of all networks in a full part.
    part: usize,
    /// The rows of each pass, of a batch.
    rows: Vec<M::Buffer<Row>>,
    /// Of each image the one it is mixed with: where its pixels come from, and its row.
    others: M::Buffer<Item>,
    /// From the second pass on, images come from the pass before.
    own_next: M::Buffer<Item>,
    others_next: M::Buffer<Item>,
    boxes: M::Buffer<CutBox>,
    pub targets: M::Buffer<Shares>,
    between: [Stored<M>; 2],
    own: M::Buffer<f32>,
    other: M::Buffer<f32>,
}

impl<M: Memory> Mixing<M> {
    /// For so many images of all networks in a batch and in a part of it, for which there is `room`.
    pub fn room(
        memory: &M,
        dense: Planes,
        passes: usize,
        (batch, part): (usize, usize),
        room: &AugmentRoom<M>,
    ) -> Self {
        let items = |name: &str| memory.buffer(name, batch);
        let images = |name: &str| memory.buffer(name, part * dense.image_len());
        let rows = |pass: usize| memory.buffer(&format!("rows of pass {pass}"), batch);
        Self {
            dense,
            part,
            rows: (0..passes).map(rows).collect(),
            others: items("items to mix with"),
            own_next: items("items of later passes"),
            others_next: items("items to mix with of later passes"),
            boxes: memory.buffer("boxes", batch),
            targets: memory.buffer("targets", batch),
            between: ["images between passes", "images after them"]
                .map(|name| room.between(memory, name, part)),
            own: images("images to be mixed"),
            other: images("images to mix with"),
        }
    }
}

/// A step's images in the order in which the device has them, for [`Mixing::write`].
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub rows: Vec<Vec<Row>>,
    pub others: Vec<Item>,
    pub boxes: Vec<CutBox>,
    pub targets: Vec<Shares>,
}

/// The batch that begins at place `first` of the epoch of each network, in these parts. `resident`: its images are on the
/// device by their numbers; else a part's are sent before it, and those that they are mixed with after them.
pub(super) fn batch(
    drawn: &[Drawn],
    orders: &[Vec<u32>],
    labels: &[u32],
    first: usize,
    parts: impl Iterator<Item = Part> + Clone,
    resident: bool,
) -> Batch {
    let nets = drawn.len();
    // Where the device has an image of a network: part after part, network after network.
    let full = parts.clone().map(|part| part.images).next().unwrap_or(1);
    let counts: Vec<_> = parts.map(|part| part.images).collect();
    let position = |net: usize, place: usize| {
        let (part, within) = ((place - first) / full, (place - first) % full);
        nets * part * full + net * counts[part] + within
    };
    let mut batch = Batch { rows: vec![Vec::new(); drawn[0].passes.len()], ..Batch::default() };
    for (part, &count) in counts.iter().enumerate() {
        let start = first + part * full;
        for (net, (order, drawn)) in orders.iter().zip(drawn).enumerate() {
            for place in start..start + count {
                let (other, cut, share) = drawn.mixes[place];
                for (rows, pass) in batch.rows.iter_mut().zip(&drawn.passes) {
                    rows.push(pass[place]);
                }
                let staged = nets * count + net * count + (place - start);
                let image = if resident { order[other] } else { staged as u32 };
                batch.others.push(Item { image, row: position(net, other) as u32 });
                batch.boxes.push(cut);
                let label = |place: usize| labels[order[place] as usize];
                batch.targets.push(Shares::new(label(place), label(other), share));
            }
        }
    }
    batch
}

impl Mixing {
    /// What a step needs, before its submission.
    pub fn write(&self, gpu: &Gpu, batch: &Batch) {
        for (buffer, rows) in self.rows.iter().zip(&batch.rows) {
            buffer.write(gpu, rows);
        }
        self.others.write(gpu, &batch.others);
        let part = self.part as u32;
        let next = |(at, item): (u32, &Item)| Item { image: at % part, row: item.row };
        let others_next: Vec<_> = (0..).zip(&batch.others).map(next).collect();
        self.others_next.write(gpu, &others_next);
        let own = |at: u32| Item { image: at % part, row: at };
        self.own_next.write(gpu, &(0..batch.others.len() as u32).map(own).collect::<Vec<_>>());
        self.boxes.write(gpu, &batch.boxes);
        self.targets.write(gpu, &batch.targets);
    }

    /// Records a part of a batch from `source`, by its `items`, into a network's input.
    pub fn record(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        (source, items, room): (Source<'_>, &Buffer<Item>, &AugmentRoom),
        to: (Values<'_>, Planes),
        images: Range<usize>,
    ) {
        let (first, count, dense) = (images.start, images.len(), self.dense);
        for (items, next, end) in
            [(items, &self.own_next, &self.own), (&self.others, &self.others_next, &self.other)]
        {
            let mut source = source;
            for (pass, rows) in self.rows.iter().enumerate() {
                let items = if pass == 0 { items } else { next };
                let last = pass + 1 == self.rows.len();
                let to = if last { end.into() } else { self.between[pass % 2].values() };
                let augment = Augment { items, rows, room };
                augment.forward(gpu, recording, source, dense, to, dense, first, count);
                source = Source::Values(to);
            }
        }
        let pair = (&self.own, &self.other);
        recording.push(cutmix(gpu, &self.boxes, pair, dense, to, (first, count)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_as_large_as_they_should_be_and_inside() {
        assert_eq!(cut_box(28, 1.0, [3, 4]), ([3, 3, 4, 4], 1.0));
        // 28 · √0.75 = 24.2, of which 12 lie on each side of the centre.
        assert_eq!(cut_box(28, 0.25, [14, 14]).0, [2, 26, 2, 26]);
        let (corner, share) = cut_box(28, 0.25, [0, 27]);
        assert_eq!((corner, share), ([0, 12, 15, 28], 1.0 - 12.0 * 13.0 / 784.0));
    }

    #[test]
    fn half_of_the_batches_are_mixed_within_themselves() {
        let strategy: Strategy = "color_crop_rotate".parse().unwrap();
        let of = |net| drawn((600, 10), &strategy, 28, (5, 3, net));
        let Drawn { passes, mixes } = of(0);
        assert_eq!((passes.len(), passes[1].len(), mixes.len()), (2, 600, 600));
        let mut mixed = 0;
        for (number, batch) in mixes.chunks(10).enumerate() {
            let mut others: Vec<_> = batch.iter().map(|(other, ..)| *other).collect();
            others.sort();
            assert_eq!(others, (10 * number..10 * number + 10).collect::<Vec<_>>());
            // One box for all of them.
            assert!(batch.iter().all(|mix| (mix.1, mix.2) == (batch[0].1, batch[0].2)));
            mixed += usize::from(batch[0].1 != [0; 4]);
        }
        assert!((20..40).contains(&mixed), "{mixed} of 60");
        assert!(passes[0].windows(2).all(|pair| pair[0] != pair[1]), "rows of their own");
        assert_eq!(of(0).mixes, mixes);
        assert_ne!(of(1).mixes, mixes);
    }
}
