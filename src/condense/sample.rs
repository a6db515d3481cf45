//! Drawing real images: without replacement, and a function of (seed, purpose, iteration, class).

use std::collections::HashMap;

use crate::{
    Dataset,
    rng::{Purpose, Stream},
};

/// `count` different members of `members`, in random order; all of them if there are fewer.
pub(crate) fn draw(members: &[u32], count: usize, mut stream: Stream) -> Vec<u32> {
    // The first steps of a Fisher–Yates shuffle; the map holds the places that were swapped.
    let mut moved = HashMap::new();
    let len = members.len();
    (0..count.min(len))
        .map(|i| {
            let j = i + stream.below((len - i) as u32) as usize;
            let taken = *moved.get(&j).unwrap_or(&j);
            let here = *moved.get(&i).unwrap_or(&i);
            moved.insert(j, here);
            members[taken]
        })
        .collect()
}

/// Up to `count` images of every class, class after class, for some purpose of an iteration.
pub(crate) fn draw_batch(
    dataset: &Dataset,
    count: usize,
    (seed, purpose, iteration): (u64, Purpose, u32),
) -> Vec<u32> {
    (0..dataset.classes())
        .flat_map(|class| {
            let stream = Stream::new(seed, purpose, iteration, dataset.number(class));
            draw(dataset.train().of_class(class), count, stream)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(class: u32) -> Stream {
        Stream::new(5, Purpose::RealBatch, 0, class)
    }

    #[test]
    fn draws_are_different_and_all_are_likely() {
        let members: Vec<u32> = (100..110).collect();
        let mut seen = [0; 10];
        for class in 0..3000 {
            let drawn = draw(&members, 4, stream(class));
            let mut sorted = drawn.clone();
            sorted.sort();
            sorted.dedup();
            assert_eq!(sorted.len(), 4, "{drawn:?}");
            drawn.iter().for_each(|&m| seen[m as usize - 100] += 1);
        }
        assert!(seen.iter().all(|n| (1080..1320).contains(n)), "{seen:?}");
    }

    #[test]
    fn a_small_class_gives_all_it_has() {
        let mut drawn = draw(&[7, 8, 9], 256, stream(0));
        drawn.sort();
        assert_eq!(drawn, [7, 8, 9]);
    }
}
