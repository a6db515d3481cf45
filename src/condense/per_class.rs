//! Numbers of images that differ from class to class.

use serde::{Deserialize, Serialize};

use crate::{Dataset, Error, Result};

/// How many images each class has, where classes have different numbers; nothing where all have as many.
#[derive(Debug, Clone, Default, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PerClass(Vec<usize>);

/// If all classes have as many, that number need not be said.
impl PartialEq for PerClass {
    fn eq(&self, other: &Self) -> bool {
        self.numbers() == other.numbers()
    }
}

impl PerClass {
    /// One number for each class. The largest must be the settings' images per class.
    pub fn new(counts: Vec<usize>) -> Self {
        Self(counts)
    }

    /// Whether all classes have as many.
    pub fn is_even(&self) -> bool {
        self.0.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// The number of each class; empty if all have as many.
    pub fn numbers(&self) -> &[usize] {
        if self.is_even() { &[] } else { &self.0 }
    }

    /// The largest number of equal parts that the images of every class can be cut into, if each has `ipc` where nothing else
    /// is said: the most steps of a pass of dataset distillation.
    pub fn divisor(&self, ipc: usize) -> usize {
        let both = |mut a: usize, mut b: usize| {
            while b > 0 {
                (a, b) = (b, a % b);
            }
            a
        };
        self.0.iter().copied().reduce(both).unwrap_or(ipc)
    }

    /// How many each of so many classes has, if it is `ipc` where nothing else is said.
    pub fn counts(&self, classes: usize, ipc: usize) -> Vec<usize> {
        if self.is_even() { vec![ipc; classes] } else { self.0.clone() }
    }

    /// All of them together.
    pub fn total(&self, classes: usize, ipc: usize) -> usize {
        if self.is_even() { classes.saturating_mul(ipc) } else { self.sum() }
    }

    /// What a file claims may be more than can be counted.
    fn sum(&self) -> usize {
        self.0.iter().fold(0, |sum: usize, &count| sum.saturating_add(count))
    }

    /// The class of an image, if they come class after class.
    pub(crate) fn class_of(&self, image: usize, ipc: usize) -> usize {
        if self.is_even() {
            return image / ipc.max(1);
        }
        let mut end = 0_usize;
        let ends = self.0.iter().take_while(|&&count| {
            end = end.saturating_add(count);
            end <= image
        });
        ends.count()
    }

    /// Refuses numbers that are not of this data set's classes, or whose largest is not `ipc`.
    pub(crate) fn check(&self, dataset: &Dataset, ipc: usize) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let wrong = |why: String| Err(Error::setting("ipc", self, why));
        let classes = dataset.classes();
        if self.0.len() != classes {
            let many = self.0.len();
            return wrong(format!(
                "these are {many} numbers; one for all classes is needed, or one for each of {classes}"
            ));
        }
        if self.0.contains(&0) {
            return wrong("at least 1 is needed of each class".into());
        }
        match self.0.iter().max() {
            Some(&most) if most == ipc => Ok(()),
            _ => wrong(format!("the largest of them must be the images per class, {ipc}")),
        }
    }

    /// Refuses more real images than a class has, if each image here is made of so many.
    pub(crate) fn check_real(&self, dataset: &Dataset, of_each: usize) -> Result<()> {
        for (class, &count) in self.0.iter().enumerate() {
            let there = dataset.train().of_class(class).len();
            if count * of_each > there {
                let name = dataset.class_names().get(class).cloned().unwrap_or_default();
                let needed = count * of_each;
                let why =
                    format!("class {name:?} has only {there} training images, {needed} are needed");
                return Err(Error::setting("ipc", self, why));
            }
        }
        Ok(())
    }
}

/// As one types it: `10,10,5`.
impl std::fmt::Display for PerClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers: Vec<_> = self.0.iter().map(usize::to_string).collect();
        f.write_str(&numbers.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_are_alike_need_no_numbers() {
        assert!(PerClass::new(vec![3, 3, 3]).is_even() && PerClass::new(Vec::new()).is_even());
        let uneven = PerClass::new(vec![2, 1, 3]);
        assert_eq!((uneven.counts(3, 3), uneven.total(3, 3)), (vec![2, 1, 3], 6));
        assert_eq!(
            (PerClass::default().counts(2, 3), PerClass::default().total(2, 3)),
            (vec![3, 3], 6)
        );
        let classes: Vec<_> = (0..6).map(|image| uneven.class_of(image, 3)).collect();
        assert_eq!(classes, [0, 0, 1, 2, 2, 2]);
        assert_eq!(PerClass::default().class_of(5, 3), 1);
        assert_eq!(uneven.to_string(), "2,1,3");
        let divisor = |counts: &[usize]| PerClass::new(counts.to_vec()).divisor(12);
        assert_eq!([&[2, 1, 3][..], &[6, 4, 10], &[3, 9], &[5, 5]].map(divisor), [1, 2, 3, 5]);
        assert_eq!(PerClass::new(vec![5, 5]), PerClass::default());
        assert_eq!(PerClass::new(vec![usize::MAX, 1]).total(2, 1), usize::MAX);
    }
}
