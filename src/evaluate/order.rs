//! What each network sees in each epoch, and how: a function of (seed, epoch, network).

use crate::{
    augment::{Row, Strategy},
    rng::{Purpose, Stream},
};

/// The images of an epoch in their order, for one network.
pub(super) fn shuffled(images: usize, seed: u64, epoch: u32, net: u32) -> Vec<u32> {
    let mut stream = Stream::new(seed, Purpose::EvaluationOrder, epoch, net);
    let mut order: Vec<_> = (0..images as u32).collect();
    for last in (1..images).rev() {
        order.swap(last, stream.below(last as u32 + 1) as usize);
    }
    order
}

/// The rows of an epoch's images, for one network: one augmentation per batch, parameters of their
/// own for each image.
pub(super) fn rows(
    (images, batch): (usize, usize),
    strategy: &Strategy,
    size: usize,
    seed: u64,
    epoch: u32,
    net: u32,
) -> Vec<Row> {
    let mut stream = Stream::new(seed, Purpose::EvaluationAugment, epoch, net);
    let mut rows = Vec::with_capacity(images);
    for first in (0..images).step_by(batch) {
        let member = strategy.pick(&mut stream);
        let count = batch.min(images - first);
        rows.extend(
            (0..count).map(|_| member.map_or(Row::NONE, |member| member.draw(&mut stream, size))),
        );
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_a_permutation_of_its_own() {
        let order = shuffled(100, 0, 3, 1);
        let mut sorted = order.clone();
        sorted.sort();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(order, shuffled(100, 0, 3, 1));
        for other in [shuffled(100, 1, 3, 1), shuffled(100, 0, 4, 1), shuffled(100, 0, 3, 2)] {
            assert_ne!(order, other);
        }
    }

    #[test]
    fn a_batch_shares_the_augmentation_but_not_its_parameters() {
        let strategy = "scale_cutout".parse().unwrap();
        let rows = rows((60, 20), &strategy, 28, 0, 0, 0);
        assert_eq!(rows.len(), 60);
        for batch in rows.chunks(20) {
            let scaled =
                |row: &Row| row != &Row::cutout(0, 0) && format!("{row:?}").contains("kind: 5");
            assert!(batch.iter().all(|row| scaled(row) == scaled(&batch[0])));
            assert!(batch.windows(2).any(|pair| pair[0] != pair[1]));
        }
    }
}
