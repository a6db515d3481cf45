//! Made-up data sets as large as real ones.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::{
    Dataset, DatasetInfo, Result,
    rng::{Purpose, Stream},
};

/// The data set that the work is shaped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// 10 classes of 1×28×28.
    Mnist,
    /// 10 classes of 3×32×32.
    Cifar10,
    /// 200 classes of 3×64×64.
    TinyImagenet,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Self; 3] = [Self::Mnist, Self::Cifar10, Self::TinyImagenet];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::Cifar10 => "cifar10",
            Self::TinyImagenet => "tiny-imagenet",
        }
    }

    /// Its classes.
    pub fn classes(self) -> usize {
        match self {
            Self::Mnist | Self::Cifar10 => 10,
            Self::TinyImagenet => 200,
        }
    }

    /// Training and test images per class, for so many classes. In total there are as many as in
    /// the real set, because their number decides whether they stay on the device.
    pub(super) fn images_per_class(self, classes: usize) -> (usize, usize) {
        let (train, test) = match self {
            Self::Mnist => (60_000, 10_000),
            Self::Cifar10 => (50_000, 10_000),
            Self::TinyImagenet => (100_000, 10_000),
        };
        (train / classes, test / classes)
    }

    /// A set of this shape with so many classes, of noise.
    pub(super) fn dataset(self, classes: usize) -> Result<Dataset> {
        let (channels, size) = match self {
            Self::Mnist => (1, 28),
            Self::Cifar10 => (3, 32),
            Self::TinyImagenet => (3, 64),
        };
        let info = DatasetInfo {
            name: self.name().to_owned(),
            class_names: (0..classes).map(|class| class.to_string()).collect(),
            channels,
            size,
            mean: vec![0.5; channels],
            // Mean and standard deviation of bytes that are equally likely.
            std: vec![0.289; channels],
        };
        let (train, test) = self.images_per_class(classes);
        let split = |per_class: usize| {
            let labels: Vec<u32> =
                (0..classes as u32).flat_map(|k| std::iter::repeat_n(k, per_class)).collect();
            (noise(labels.len() * channels * size * size), labels)
        };
        Dataset::new(info, split(train), split(test))
    }
}

/// Random bytes that repeat after a prime number of them, so that no two images are the same.
fn noise(len: usize) -> Vec<u8> {
    const PERIOD: usize = 65_521;
    let mut stream = Stream::new(0, Purpose::MadeUp, 0, 0);
    let period: Vec<u8> = (0..PERIOD).map(|_| stream.next_u32() as u8).collect();
    let mut noise = Vec::with_capacity(len);
    while noise.len() < len {
        noise.extend_from_slice(&period[..PERIOD.min(len - noise.len())]);
    }
    noise
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Shape {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_differ() {
        let dataset = Shape::Mnist.dataset(10).unwrap();
        assert_eq!((dataset.train().len(), dataset.test().len()), (60_000, 10_000));
        let train = dataset.train();
        let differ = |a: usize, b: usize| assert_ne!(train.image(a), train.image(b), "{a} {b}");
        differ(0, 1);
        differ(0, 59_999);
        let mean = train.pixels().iter().map(|&p| f64::from(p)).sum::<f64>();
        let mean = mean / train.pixels().len() as f64;
        assert!((mean - 127.5).abs() < 1.0, "{mean}");
    }
}
