//! Data sets on the host: 8-bit images, labels, normalisation. Knows nothing of GPUs.

#[cfg(feature = "files")]
mod archive;
mod bytes;
mod catalogue;
mod cifar;
#[cfg(feature = "files")]
mod class_folders;
mod classes;
#[cfg(feature = "download")]
mod fetch;
#[cfg(feature = "files")]
mod folder;
mod glyphs;
mod held;
mod idx;
mod known;
#[cfg(feature = "files")]
mod load;
#[cfg(feature = "files")]
mod map;
mod mat;
mod mnist;
#[cfg(feature = "files")]
mod pictures;
mod pixels;
mod remote;
mod skeletons;
#[cfg(feature = "files")]
mod sources;
#[cfg(feature = "files")]
mod store;
mod svhn;
mod tiny_imagenet;

pub use catalogue::{KNOWN, NAMES};
#[cfg(feature = "files")]
pub use class_folders::TEST_FRACTION;
#[cfg(feature = "files")]
pub(crate) use classes::MOST_CLASSES;
pub use classes::{ClassChoice, Classes, Part, Shard};
#[cfg(feature = "files")]
pub use folder::{FOLDER, folder, name_of};
pub use glyphs::glyphs;
pub use held::from_bytes;
pub use known::Known;
#[cfg(feature = "files")]
pub use load::{check, load, mnist};
#[cfg(all(feature = "files", feature = "testing"))]
pub(crate) use pictures::fitted_picture;
#[cfg(feature = "files")]
pub(crate) use pictures::{endings, is_picture, pixels, planes, read as read_picture};
#[cfg(feature = "files")]
pub use sources::{Progress, Sources, Work};
#[cfg(feature = "files")]
pub(crate) use store::user_cache;
#[cfg(all(feature = "files", feature = "testing"))]
pub(crate) use tiny_imagenet::zipped_pictures;

use std::sync::Arc;

use sha2::{Digest, Sha256};

use pixels::Pixels;

use crate::{Error, Result};

/// Number of images of a split that are hashed, evenly spread. A change of one pixel may go unnoticed; another set,
/// another order or another preparation does not.
const SAMPLED: usize = 1024;

/// A labelled image set with a training and a test split, held as 8-bit pixels: in memory, or in a
/// file of the cache that is mapped into it, so that a set may be larger than the memory there is.
///
/// Images are square, NCHW, one or three channels. The networks see
/// `(pixel / 255 − mean) / std`, per channel.
///
/// [`glyphs`] is embedded, [`load`] knows others by name, [`new`](Self::new) takes arrays of your own.
///
/// ```
/// let dataset = dm_wgpu::data::glyphs(0)?;
/// assert_eq!((dataset.classes(), dataset.channels(), dataset.size()), (10, 1, 28));
/// let train = dataset.train();
/// let first_five = train.of_class(5)[0] as usize;
/// assert_eq!(train.labels()[first_five], 5);
/// assert_eq!(train.image(first_five).len(), dataset.image_len());
/// # Ok::<(), dm_wgpu::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Dataset {
    name: String,
    class_names: Vec<String>,
    channels: usize,
    size: usize,
    mean: Vec<f32>,
    std: Vec<f32>,
    train: Split,
    test: Split,
    part: Option<Arc<Part>>,
}

/// Images and labels of one split.
#[derive(Debug, Clone)]
pub struct Split {
    pixels: Pixels,
    labels: Vec<u32>,
    by_class: Vec<Vec<u32>>,
    image_len: usize,
}

/// Height and width of images at most: more means a broken header, and no network here could take such images.
pub(crate) const MAX_SIZE: usize = 4096;

/// What [`Dataset::new`] needs to know beside the pixels. The crate's [front page](crate#your-own-images)
/// has an example.
#[derive(Debug, Clone)]
pub struct DatasetInfo {
    /// Short name, e.g. `mnist`.
    pub name: String,
    /// One name per class, in label order.
    pub class_names: Vec<String>,
    /// 1 or 3.
    pub channels: usize,
    /// Height and width in pixels.
    pub size: usize,
    /// Mean of each channel, of pixels in 0…1.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, of pixels in 0…1.
    pub std: Vec<f32>,
}

impl DatasetInfo {
    /// Images of these classes and this shape, whose mean and standard deviation are those of `pixels`: the training
    /// images, as [`Dataset::new`] takes them. A channel of one value throughout gets 1 as its deviation.
    ///
    /// ```
    /// let classes = vec!["dark".into(), "light".into()];
    /// let info = dm_wgpu::DatasetInfo::measured("of mine", classes, (1, 1), &[0, 255]);
    /// assert_eq!((info.mean, info.std), (vec![0.5], vec![0.5]));
    /// ```
    pub fn measured(
        name: impl Into<String>,
        class_names: Vec<String>,
        (channels, size): (usize, usize),
        pixels: &[u8],
    ) -> Self {
        let of_channel = |channel: usize| {
            let planes = pixels.chunks_exact(size.saturating_mul(size).max(1)).skip(channel);
            let (mut count, mut sum, mut squares) = (0u64, 0u64, 0u64);
            for value in planes.step_by(channels).flatten().map(|&value| u64::from(value)) {
                (count, sum, squares) = (count + 1, sum + value, squares + value * value);
            }
            let mean = sum as f64 / count.max(1) as f64;
            let variance = (squares as f64 / count.max(1) as f64 - mean * mean).max(0.0);
            let std = if variance > 0.0 { variance.sqrt() / 255.0 } else { 1.0 };
            ((mean / 255.0) as f32, std as f32)
        };
        let (mean, std) = (0..channels).map(of_channel).unzip();
        Self { name: name.into(), class_names, channels, size, mean, std }
    }
}

impl Dataset {
    /// A data set from the caller's own arrays.
    ///
    /// `train` and `test` are (pixels, labels): pixels in NCHW order, `N·C·H·W` of them, and one
    /// label below the number of classes for each image. The test split may be empty.
    ///
    /// # Errors
    /// [`Error::Shape`] when lengths disagree, a label is out of range, a class has no training
    /// image, or mean and std are unusable.
    pub fn new(
        info: DatasetInfo,
        train: (Vec<u8>, Vec<u32>),
        test: (Vec<u8>, Vec<u32>),
    ) -> Result<Self> {
        let owned = |(pixels, labels)| (Pixels::Owned(pixels), labels);
        Self::from_splits(info, owned(train), owned(test))
    }

    /// The same, with pixels in memory or in a mapped file.
    fn from_splits(
        info: DatasetInfo,
        train: (Pixels, Vec<u32>),
        test: (Pixels, Vec<u32>),
    ) -> Result<Self> {
        let what = |part: &str| format!("data set {}, {part}", info.name);
        let DatasetInfo { channels, size, .. } = info;
        if !matches!(channels, 1 | 3) {
            return Err(Error::shape(
                what("channels"),
                format!("{channels} given; images have 1 or 3"),
            ));
        }
        if !(1..=MAX_SIZE).contains(&size) {
            let why = format!("images of {size}×{size} pixels, 1 to {MAX_SIZE} are possible");
            return Err(Error::shape(what("size"), why));
        }
        if info.class_names.is_empty() {
            return Err(Error::shape(what("classes"), "there are none"));
        }
        if info.mean.len() != channels || info.std.len() != channels {
            return Err(Error::shape(
                what("mean and std"),
                format!("{channels} values each expected"),
            ));
        }
        if !info.std.iter().all(|s| s.is_finite() && *s > 0.0)
            || !info.mean.iter().all(|m| m.is_finite())
        {
            return Err(Error::shape(what("mean and std"), "they must be finite, std above 0"));
        }
        let image_len = channels * size * size;
        let classes = info.class_names.len();
        let train = Split::new(train.0, train.1, image_len, classes, &what("training split"))?;
        let test = Split::new(test.0, test.1, image_len, classes, &what("test split"))?;
        if let Some(empty) = train.by_class.iter().position(Vec::is_empty) {
            return Err(Error::shape(
                what("training split"),
                format!("class {empty} ({}) has no image", info.class_names[empty]),
            ));
        }
        let DatasetInfo { name, class_names, mean, std, .. } = info;
        Ok(Self { name, class_names, channels, size, mean, std, train, test, part: None })
    }

    /// Some of its classes, numbered anew from 0, with the normalisation of the whole set and without test images. What is
    /// made of them is what is made of them in the whole set, to the bit: everything random goes by
    /// [the number that a class has there](Part::classes). Their images are copied into memory; [`Sources::classes`]
    /// asks for a part without reading more of it than is needed.
    ///
    /// # Errors
    /// [`Error::Setting`] for classes that it does not have, [`Error::Shape`] if this is a part already.
    pub fn of_classes(&self, classes: &Classes) -> Result<Self> {
        if self.part.is_some() {
            return Err(Error::shape(
                format!("data set {}", self.name),
                "it is a part of the whole set already",
            ));
        }
        classes.check(self.classes())?;
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for (index, label) in self.train.labels.iter().enumerate() {
            if let Some(label) = classes.position(*label) {
                pixels.extend_from_slice(self.train.image(index));
                labels.push(label as u32);
            }
        }
        let name = |class: &u32| self.class_names[*class as usize].clone();
        let info = DatasetInfo {
            name: self.name.clone(),
            class_names: classes.numbers().iter().map(name).collect(),
            channels: self.channels,
            size: self.size,
            mean: self.mean.clone(),
            std: self.std.clone(),
        };
        let own = Self::new(info, (pixels, labels), (Vec::new(), Vec::new()))?;
        let (classes, of) = (classes.clone(), self.classes());
        Ok(own.with_part(Part { classes, of, digest: self.digest() }))
    }

    fn with_part(self, part: Part) -> Self {
        Self { part: Some(Arc::new(part)), ..self }
    }

    /// Which part of a whole set it is; `None` if it is the whole.
    pub fn part(&self) -> Option<&Part> {
        self.part.as_deref()
    }

    /// The number that a class has in the whole set, by which everything random goes.
    pub(crate) fn number(&self, class: usize) -> u32 {
        let number = |part: &Arc<Part>| part.classes.numbers()[class];
        self.part.as_ref().map_or(class as u32, number)
    }

    /// The class that has this number in the whole set.
    #[cfg(feature = "files")]
    pub(crate) fn class_numbered(&self, number: usize) -> Option<usize> {
        match &self.part {
            Some(part) => part.classes.position(number as u32),
            None => Some(number),
        }
    }

    /// A hash of all labels and of some images.
    pub(crate) fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for split in [&self.train, &self.test] {
            hasher.update((split.len() as u64).to_le_bytes());
            for label in &split.labels {
                hasher.update(label.to_le_bytes());
            }
            for index in (0..split.len()).step_by(split.len().div_ceil(SAMPLED).max(1)) {
                hasher.update(split.image(index));
            }
        }
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Short name, e.g. `mnist`.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// One name per class, in label order.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }
    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.class_names.len()
    }
    /// 1 or 3.
    pub fn channels(&self) -> usize {
        self.channels
    }
    /// Height and width in pixels.
    pub fn size(&self) -> usize {
        self.size
    }
    /// Values in one image: channels × size².
    pub fn image_len(&self) -> usize {
        self.channels * self.size * self.size
    }
    /// Mean of each channel.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }
    /// Standard deviation of each channel.
    pub fn std(&self) -> &[f32] {
        &self.std
    }
    /// Pixels of whole images, C·H·W each, as networks see them.
    pub(crate) fn normalised<'a>(&'a self, pixels: &'a [u8]) -> impl Iterator<Item = f32> + 'a {
        let plane = self.size * self.size;
        pixels.iter().enumerate().map(move |(i, &byte)| {
            let channel = i / plane % self.channels;
            (f32::from(byte) / 255.0 - self.mean[channel]) / self.std[channel]
        })
    }

    /// The training split: the images that are condensed.
    pub fn train(&self) -> &Split {
        &self.train
    }
    /// The test split, on which accuracy is measured; it may be empty.
    pub fn test(&self) -> &Split {
        &self.test
    }
}

impl Split {
    fn new(
        pixels: Pixels,
        labels: Vec<u32>,
        image_len: usize,
        classes: usize,
        what: &str,
    ) -> Result<Self> {
        if pixels.len() != labels.len() * image_len {
            return Err(Error::shape(
                what,
                format!(
                    "{} labels need {} bytes of pixels, {} given",
                    labels.len(),
                    labels.len() * image_len,
                    pixels.len()
                ),
            ));
        }
        let mut by_class = vec![Vec::new(); classes];
        for (index, &label) in labels.iter().enumerate() {
            match by_class.get_mut(label as usize) {
                Some(members) => members.push(index as u32),
                None => {
                    return Err(Error::shape(
                        what,
                        format!("image {index} has label {label}; there are {classes} classes"),
                    ));
                }
            }
        }
        Ok(Self { pixels, labels, by_class, image_len })
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }
    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
    /// The C·H·W bytes of one image.
    ///
    /// # Panics
    /// When `index` is not below [`len`](Self::len), as slices do.
    pub fn image(&self, index: usize) -> &[u8] {
        &self.pixels[index * self.image_len..][..self.image_len]
    }
    /// All pixels, NCHW.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
    /// One label per image.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }
    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.by_class.len()
    }
    /// Indices of a class's images, ascending.
    pub fn of_class(&self, class: usize) -> &[u32] {
        &self.by_class[class]
    }
}
