//! Distribution matching: the squared distance between the mean embeddings of each class's real and synthetic images
//! (Zhao & Bilen, WACV 2023, section 3.2).

use std::ops::Range;

use crate::{
    gpu::{Buffer, Gpu, Memory, Recording},
    kernels::{class_sum, mean_difference},
};

/// Sums of embeddings by class on both sides, and what they come to.
#[derive(Debug)]
pub(crate) struct MeanEmbeddings<M: Memory = Gpu> {
    features: usize,
    ipc: usize,
    real: Side<M>,
    synthetic: Side<M>,
    d_embedding: M::Buffer<f32>,
    losses: M::Buffer<f32>,
}

/// The images of one side, which come class after class.
#[derive(Debug)]
struct Side<M: Memory> {
    /// Where each class begins, and where the last ends.
    starts: Vec<u32>,
    starts_buffer: M::Buffer<u32>,
    /// (classes, features).
    sums: M::Buffer<f32>,
}

impl<M: Memory> MeanEmbeddings<M> {
    /// For batches of so many real images of each class, and `ipc` synthetic ones. Nothing is written.
    pub fn room(memory: &M, features: usize, real_counts: &[usize], ipc: usize) -> Self {
        let classes = real_counts.len();
        let side = |name: &str, counts: &[usize]| Side {
            starts: starts(counts),
            starts_buffer: memory.buffer(&format!("{name} starts"), classes + 1),
            sums: memory.buffer(&format!("sums of {name} embeddings"), classes * features),
        };
        Self {
            features,
            ipc,
            real: side("real", real_counts),
            synthetic: side("synthetic", &vec![ipc; classes]),
            d_embedding: memory.buffer("d embedding", classes * features),
            losses: memory.buffer("losses", classes),
        }
    }
}

impl MeanEmbeddings {
    /// Writes what does not change from step to step.
    pub fn write(&self, gpu: &Gpu) {
        for side in [&self.real, &self.synthetic] {
            side.starts_buffer.write(gpu, &side.starts);
        }
    }

    /// Adds the embeddings (images, features) of real images of the batch. A class's sum begins with its first image, so
    /// chunks come in order.
    pub fn absorb_real(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        embeddings: &Buffer<f32>,
        images: Range<usize>,
    ) {
        self.absorb(gpu, recording, &self.real, embeddings, images);
    }

    /// The same of synthetic images.
    pub fn absorb_synthetic(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        embeddings: &Buffer<f32>,
        images: Range<usize>,
    ) {
        self.absorb(gpu, recording, &self.synthetic, embeddings, images);
    }

    fn absorb(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        side: &Side<Gpu>,
        embeddings: &Buffer<f32>,
        images: Range<usize>,
    ) {
        let classes = classes_of(&side.starts, &images);
        let (starts, sums) = (&side.starts_buffer, &side.sums);
        let (features, anew) = (self.features, false);
        recording.push(class_sum(gpu, starts, embeddings, sums, features, images, classes, anew));
    }

    /// When both sides were absorbed: each class's loss, and the gradient at its synthetic embeddings.
    pub fn compare(&self, gpu: &Gpu, recording: &mut Recording) {
        let real = (&self.real.starts_buffer, &self.real.sums);
        let synthetic = (&self.synthetic.starts_buffer, &self.synthetic.sums);
        let (d_embedding, losses) = (&self.d_embedding, &self.losses);
        recording.push(mean_difference(gpu, real, synthetic, d_embedding, losses));
    }

    /// The gradient at the embeddings, one row per class, and how synthetic images from `first` on share the rows: as
    /// `Network::backward` takes them.
    pub fn gradient(&self, first: usize) -> (&Buffer<f32>, (usize, usize)) {
        (&self.d_embedding, (first, self.ipc))
    }

    /// Each class's loss.
    pub fn losses(&self) -> &Buffer<f32> {
        &self.losses
    }
}

/// Where each class begins, and where the last ends.
fn starts(counts: &[usize]) -> Vec<u32> {
    let mut at = 0;
    let ends = counts.iter().map(|&n| {
        at += n as u32;
        at
    });
    std::iter::once(0).chain(ends).collect()
}

/// The classes that have images in `range`.
fn classes_of(starts: &[u32], range: &Range<usize>) -> Range<usize> {
    let first = starts.partition_point(|&s| s as usize <= range.start) - 1;
    let end = starts.partition_point(|&s| (s as usize) < range.end);
    first..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_knows_its_classes() {
        let starts = starts(&[3, 1, 4]);
        assert_eq!(starts, [0, 3, 4, 8]);
        assert_eq!(classes_of(&starts, &(0..3)), 0..1);
        assert_eq!(classes_of(&starts, &(2..4)), 0..2);
        assert_eq!(classes_of(&starts, &(3..4)), 1..2);
        assert_eq!(classes_of(&starts, &(3..8)), 1..3);
        assert_eq!(classes_of(&starts, &(5..6)), 2..3);
    }
}
