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
    /// Synthetic images of each class.
    counts: Vec<usize>,
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
    /// For batches of so many real images of each class, and `counts` synthetic ones. Nothing is written.
    pub fn room(memory: &M, features: usize, real_counts: &[usize], counts: Vec<usize>) -> Self {
        let classes = real_counts.len();
        let side = |name: &str, counts: &[usize]| Side {
            starts: starts(counts),
            starts_buffer: memory.buffer(&format!("{name} starts"), classes + 1),
            sums: memory.buffer(&format!("sums of {name} embeddings"), classes * features),
        };
        Self {
            features,
            real: side("real", real_counts),
            synthetic: side("synthetic", &counts),
            counts,
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

    /// The synthetic images in chunks of at most so many, none of which has classes with different numbers of images:
    /// that is how [`gradient`](Self::gradient) takes them.
    pub fn cut(&self, chunk: usize) -> Vec<Range<usize>> {
        pieces(&self.counts, chunk)
    }

    /// The gradient at the embeddings, one row per class, and how the synthetic images of a chunk share the rows: as
    /// `Network::backward` takes them.
    pub fn gradient(&self, images: &Range<usize>) -> (&Buffer<f32>, (usize, usize)) {
        (&self.d_embedding, sharing(&self.counts, images.start))
    }

    /// Each class's loss.
    pub fn losses(&self) -> &Buffer<f32> {
        &self.losses
    }
}

/// Where each class begins, and where the last ends.
pub(crate) fn starts(counts: &[usize]) -> Vec<u32> {
    let mut at = 0;
    let ends = counts.iter().map(|&n| {
        at += n as u32;
        at
    });
    std::iter::once(0).chain(ends).collect()
}

/// Images of classes in chunks of at most so many, each of classes with the same number of images.
pub(crate) fn pieces(counts: &[usize], chunk: usize) -> Vec<Range<usize>> {
    let (mut all, mut first) = (Vec::new(), 0);
    for alike in counts.chunk_by(|a, b| a == b) {
        let end = first + alike.iter().sum::<usize>();
        let starts = (first..end).step_by(chunk.max(1));
        all.extend(starts.map(|start| start..end.min(start + chunk)));
        first = end;
    }
    all
}

/// As if all classes had as many images as that of `image`: which image it would be then, and how many each has.
fn sharing(counts: &[usize], image: usize) -> (usize, usize) {
    let (mut class, mut first) = (0, 0);
    for alike in counts.chunk_by(|a, b| a == b) {
        let (each, images) = (alike[0], alike.iter().sum::<usize>());
        if image < first + images {
            return (class * each + image - first, each);
        }
        (class, first) = (class + alike.len(), first + images);
    }
    (0, 1)
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
    fn chunks_hold_classes_that_are_alike_and_images_find_their_row() {
        assert_eq!(pieces(&[4, 4, 4], 5), [0..5, 5..10, 10..12]);
        assert_eq!(pieces(&[2, 2, 5, 1], 3), [0..3, 3..4, 4..7, 7..9, 9..10]);
        let counts = [2, 2, 5, 1, 2];
        let classes = counts.iter().enumerate().flat_map(|(class, &n)| vec![class; n]);
        for (image, class) in classes.enumerate() {
            let (at, each) = sharing(&counts, image);
            assert_eq!(at / each, class, "image {image}");
        }
        for piece in pieces(&counts, 3) {
            let (first, each) = sharing(&counts, piece.start);
            for image in piece.clone() {
                let (at, own) = sharing(&counts, image);
                assert_eq!((first + image - piece.start, each), (at, own), "{piece:?}");
            }
        }
        assert_eq!(sharing(&[7, 7], 9), (9, 7), "as it is where all are alike");
    }

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
