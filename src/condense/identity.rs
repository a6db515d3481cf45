//! What tells one data set from another without keeping it.

use serde::{Deserialize, Serialize};

use crate::{Dataset, data::Part};

/// The data set that a checkpoint was made with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity {
    pub name: String,
    pub class_names: Vec<String>,
    pub channels: usize,
    pub size: usize,
    mean: Vec<f32>,
    std: Vec<f32>,
    train_images: usize,
    test_images: usize,
    /// SHA-256 of all labels and of some images.
    digest: String,
    /// Of a part of a data set, which one; all else is of the part alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<Part>,
}

impl Identity {
    pub fn of(dataset: &Dataset) -> Self {
        Self {
            name: dataset.name().to_owned(),
            class_names: dataset.class_names().to_vec(),
            channels: dataset.channels(),
            size: dataset.size(),
            mean: dataset.mean().to_vec(),
            std: dataset.std().to_vec(),
            train_images: dataset.train().len(),
            test_images: dataset.test().len(),
            digest: dataset.digest(),
            part: dataset.part().cloned(),
        }
    }

    pub fn image_len(&self) -> Option<usize> {
        self.size.checked_mul(self.size)?.checked_mul(self.channels)
    }

    /// In words, what differs in the other data set; `None` if they are the same.
    pub fn difference(&self, other: &Self) -> Option<String> {
        if self == other {
            return None;
        }
        let shape = |of: &Self| format!("{}×{size}×{size}", of.channels, size = of.size);
        let named = |of: &Self| {
            let first = of.class_names.first().map(String::as_str).unwrap_or_default();
            format!("{} ({first} …)", of.class_names.len())
        };
        let channels = |of: &Self| format!("mean {:?} and std {:?}", of.mean, of.std);
        let numbers = |of: &Self| match &of.part {
            Some(part) => format!("{} of {}", part.classes, part.of),
            None => "all".to_owned(),
        };
        let told: [(&str, String, String); 7] = [
            ("the data set", self.name.clone(), other.name.clone()),
            ("images of", shape(self), shape(other)),
            ("classes:", numbers(self), numbers(other)),
            ("classes:", named(self), named(other)),
            ("training images:", self.train_images.to_string(), other.train_images.to_string()),
            ("test images:", self.test_images.to_string(), other.test_images.to_string()),
            ("normalisation:", channels(self), channels(other)),
        ];
        let found = told.into_iter().find(|(_, ours, theirs)| ours != theirs);
        Some(match found {
            Some((what, ours, theirs)) => format!("{what} {ours}, now it is {theirs}"),
            None if self.class_names != other.class_names => {
                let names = |of: &Self| of.class_names.join(", ");
                format!("the classes {}, now they are {}", names(self), names(other))
            }
            None => format!("other images or labels than {} has now", other.name),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DatasetInfo;

    fn dataset(change: impl Fn(&mut DatasetInfo, &mut Vec<u8>, &mut Vec<u32>)) -> Identity {
        let mut info = DatasetInfo {
            name: "dots".into(),
            class_names: vec!["a".into(), "b".into()],
            channels: 1,
            size: 2,
            mean: vec![0.5],
            std: vec![0.25],
        };
        let (mut pixels, mut labels) = ((0..16).collect(), vec![0, 1, 0, 1]);
        change(&mut info, &mut pixels, &mut labels);
        Identity::of(&Dataset::new(info, (pixels, labels), (vec![], vec![])).unwrap())
    }

    #[test]
    fn every_change_of_a_data_set_is_named() {
        let ours = dataset(|_, _, _| {});
        assert_eq!(ours.difference(&dataset(|_, _, _| {})), None);
        let told = |theirs: Identity| ours.difference(&theirs).unwrap();
        for (theirs, words) in [
            (dataset(|info, _, _| info.name = "dashes".into()), "data set dots, now it is dashes"),
            (
                dataset(|info, _, _| info.class_names[1] = "c".into()),
                "classes a, b, now they are a, c",
            ),
            (
                dataset(|info, _, labels| {
                    info.class_names.push("c".into());
                    labels[3] = 2;
                }),
                "2 (a …), now it is 3 (a …)",
            ),
            (dataset(|info, _, _| info.mean[0] = 0.4), "mean [0.5]"),
            (
                dataset(|_, pixels, labels| {
                    pixels.truncate(12);
                    labels.truncate(3);
                }),
                "training images: 4, now it is 3",
            ),
            (dataset(|_, pixels, _| pixels[5] = 99), "other images or labels"),
            (dataset(|_, _, labels| labels.swap(0, 1)), "other images or labels"),
        ] {
            let difference = told(theirs);
            assert!(difference.contains(words), "{words}: {difference}");
        }
    }
}
