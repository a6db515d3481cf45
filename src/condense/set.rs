//! The synthetic set and its file: safetensors, so that any framework can read it.

use std::{collections::BTreeMap, path::Path};

use safetensors::Dtype;
use serde_json::json;

use super::{
    Course, packing,
    tensor_file::{Part, encode, open, tensor, values},
};
use crate::{
    Dataset, Error, Result,
    data::{Classes, MAX_SIZE},
};
#[cfg(feature = "files")]
use crate::{condense::tensor_file::read, files};

#[cfg(test)]
#[cfg(feature = "files")]
mod tests;

/// The value of `format` in a file's metadata.
pub(crate) const FORMAT: &str = "dm-wgpu synthetic set";
/// The same for a set whose classes have different numbers of images, or whose images are not class after class, on
/// which readers of [`FORMAT`] rely.
const LOOSE_FORMAT: &str = "dm-wgpu images and labels";
/// Incremented when a reader of the previous version would misread a file.
const FORMAT_VERSION: &str = "1";
/// Of packed sets, which readers of the first version would take for images.
const PACKED_VERSION: &str = "2";
/// Of sets whose classes have different numbers of images, one class after the other.
const UNEVEN_VERSION: &str = "3";
/// Of such sets, packed.
const UNEVEN_PACKED_VERSION: &str = "4";
/// What a packed set's file says of itself.
pub(crate) const PACKED: &str = "each picture is factor x factor tiles, and each tile, enlarged bilinearly, is an image to train on";

/// Synthetic images with their labels and all that is needed to use them elsewhere.
///
/// The file holds `images` (f32, (N, C, H, W), normalised) and `labels` (i64, (N)), and in its
/// metadata, all as text: `dataset`, `class_names`, `mean`, `std` (JSON arrays), `ipc`, `settings`
/// (JSON), `version` (of this crate), `format` and `format_version`. Of a packed set they also say its `factor`. A set with a
/// [`Course`] also has its `order` (i64, (steps, images of a step)) and `rates` (f32, (passes, steps)).
///
/// [`Condensation::images_blocking`](crate::Condensation::images_blocking) gives one. Its fields are public,
/// so that a set of your own can be measured, shown and exported as well:
///
/// ```
/// use dm_wgpu::SyntheticSet;
///
/// let set = SyntheticSet {
///     images: vec![-2.0, 0.0, 0.0, 2.0], // as networks see them
///     labels: vec![0],
///     channels: 1,
///     size: 2,
///     dataset: "of mine".into(),
///     class_names: vec!["diagonal".into()],
///     mean: vec![0.5],
///     std: vec![0.25],
///     ipc: 1,
///     factor: 1,
///     settings: "{}".into(),
///     course: None,
/// };
/// assert_eq!(set.image_u8(0), [0, 128, 128, 255]); // as people do
///
/// // The bytes of its file; `save` and `load` are for files themselves.
/// assert_eq!(SyntheticSet::from_bytes(&set.to_bytes()?)?, set);
/// # Ok::<(), dm_wgpu::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SyntheticSet {
    /// Normalised pixels, (N, C, H, W), class-major.
    pub images: Vec<f32>,
    /// One class index per image.
    pub labels: Vec<i64>,
    /// 1 or 3.
    pub channels: usize,
    /// Height and width.
    pub size: usize,
    /// The data set it was made from.
    pub dataset: String,
    /// One name per class.
    pub class_names: Vec<String>,
    /// Mean of each channel that pixels in 0…1 were normalised with.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel.
    pub std: Vec<f32>,
    /// Images per class; if classes have different numbers, the largest.
    pub ipc: usize,
    /// Tiles of a side: 1, or more if each image here is a picture with factor² images to train on packed into it, which
    /// [`decoded`](Self::decoded) unpacks.
    pub factor: usize,
    /// The resolved settings, as JSON.
    pub settings: String,
    /// The training for which these images were made, if they were made for one.
    pub course: Option<Course>,
}

impl SyntheticSet {
    /// So many images of each class of `dataset`, with the settings that made them.
    pub(crate) fn of(
        dataset: &Dataset,
        counts: &[usize],
        images: Vec<f32>,
        settings: &impl serde::Serialize,
    ) -> Result<Self> {
        Ok(Self {
            images,
            labels: (0..)
                .zip(counts)
                .flat_map(|(class, &n)| std::iter::repeat_n(class, n))
                .collect(),
            channels: dataset.channels(),
            size: dataset.size(),
            dataset: dataset.name().to_owned(),
            class_names: dataset.class_names().to_vec(),
            mean: dataset.mean().to_vec(),
            std: dataset.std().to_vec(),
            ipc: counts.iter().copied().max().unwrap_or(0),
            factor: 1,
            settings: serde_json::to_string(settings)
                .map_err(|e| Error::shape("settings", e.to_string()))?,
            course: None,
        })
    }

    /// The set of the whole of a data set, from sets of parts of its classes, each with the numbers of its classes there.
    /// How many classes there are follows from these, so only the caller can know whether the last ones are missing.
    ///
    /// # Errors
    /// [`Error::Shape`] if a class is missing, or in two of them, or if they do not go together.
    pub fn join(parts: impl IntoIterator<Item = (Classes, Self)>) -> Result<Self> {
        let wrong = |why: String| Err(Error::shape("parts of a set", why));
        let parts: Vec<_> = parts.into_iter().collect();
        let mut of_class = BTreeMap::new();
        for (classes, set) in &parts {
            set.check()?;
            if !set.is_even() {
                return wrong("in one of them, classes have different numbers of images".into());
            }
            if classes.numbers().len() != set.classes() {
                let own = set.classes();
                return wrong(format!("a set of {own} classes is not of the classes {classes}"));
            }
            for (at, number) in classes.numbers().iter().enumerate() {
                if of_class.insert(*number, (set, at)).is_some() {
                    return wrong(format!("class {number} is in two of them"));
                }
            }
        }
        let Some((_, (first, _))) = of_class.first_key_value() else {
            return wrong("there are none".into());
        };
        if let Some(missing) = (0..).zip(of_class.keys()).find(|(at, number)| at != *number) {
            return wrong(format!("class {} is missing", missing.0));
        }
        // But for what is of each class, they must be equal.
        let common = |set: &Self| Self {
            images: Vec::new(),
            labels: Vec::new(),
            class_names: Vec::new(),
            ..set.clone()
        };
        let like = common(first);
        if like.course.is_some() || parts.iter().any(|(_, set)| common(set) != like) {
            return wrong("they differ in more than their classes".into());
        }
        let (mut images, mut labels, mut class_names) = (Vec::new(), Vec::new(), Vec::new());
        for (number, (set, at)) in &of_class {
            let each = set.ipc * set.image_len();
            images.extend_from_slice(&set.images[at * each..][..each]);
            labels.extend(vec![i64::from(*number); set.ipc]);
            class_names.push(set.class_names[*at].clone());
        }
        Ok(Self { images, labels, class_names, ..like })
    }

    /// How many images networks are trained on: those that are packed into the stored ones, or these themselves.
    pub fn trained_on(&self) -> usize {
        self.labels.len() * self.factor * self.factor
    }

    /// The set with the images that are packed into this one's, to be trained on or shown; the same set if its
    /// [`factor`](Self::factor) is 1.
    ///
    /// # Errors
    /// [`Error::Shape`] when the fields of a packed set contradict each other.
    pub fn decoded(self) -> Result<Self> {
        if self.factor == 1 {
            return Ok(self);
        }
        self.check_loosely()?;
        // Class by class, where they follow each other; else picture by picture.
        let groups: Vec<_> = match self.labels.is_sorted() {
            true => self.labels.chunk_by(|a, b| a == b).map(<[i64]>::len).collect(),
            false => vec![1; self.labels.len()],
        };
        let padding = packing::padding(&self.mean, &self.std);
        let tiles = self.factor * self.factor;
        let images = packing::decode(&self.images, (self.size, self.factor), &groups, &padding);
        let mut labels = Vec::with_capacity(self.labels.len() * tiles);
        let mut rest = &self.labels[..];
        for count in groups {
            let group;
            (group, rest) = rest.split_at(count);
            labels.extend(group.repeat(tiles));
        }
        Ok(Self { images, labels, ipc: self.ipc * tiles, factor: 1, ..self })
    }

    /// Whether there are as many images as if each class had [`ipc`](Self::ipc).
    pub fn is_even(&self) -> bool {
        self.classes().checked_mul(self.ipc) == Some(self.labels.len())
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.class_names.len()
    }

    /// Values in one image: channels × size².
    pub fn image_len(&self) -> usize {
        self.channels * self.size * self.size
    }

    /// One image as 8-bit pixels, `(x·std + mean)·255` rounded and clamped: H×W×C bytes, channels
    /// side by side as picture files have them.
    ///
    /// # Panics
    /// When `index` is not below the number of images, as slices do.
    pub fn image_u8(&self, index: usize) -> Vec<u8> {
        let image = &self.images[index * self.image_len()..][..self.image_len()];
        let plane = self.size * self.size;
        (0..plane)
            .flat_map(|pixel| (0..self.channels).map(move |c| (c, c * plane + pixel)))
            // A cast from float saturates, so what lies outside 0…255 is clamped.
            .map(|(c, at)| ((image[at] * self.std[c] + self.mean[c]) * 255.0).round() as u8)
            .collect()
    }

    /// Writes the set to a file, whole or not at all. The same set gives the same bytes.
    ///
    /// # Errors
    /// [`Error::Shape`] when the fields contradict each other, [`Error::Io`] when writing fails.
    #[cfg(feature = "files")]
    pub fn save(&self, path: &Path) -> Result<()> {
        files::write_whole(path, &self.to_bytes()?)
    }

    /// What [`save`](Self::save) writes.
    ///
    /// # Errors
    /// [`Error::Shape`] when the fields contradict each other.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.check()?;
        Ok(self.encode())
    }

    /// Reads a set that [`save`](Self::save) wrote, checking everything that its fields promise.
    ///
    /// # Errors
    /// [`Error::Io`] when the file can't be read, [`Error::Format`] when it is not such a file.
    #[cfg(feature = "files")]
    pub fn load(path: &Path) -> Result<Self> {
        Self::of_file(&read_file(path)?, path)
    }

    /// The set from which [`to_bytes`](Self::to_bytes) or [`save`](Self::save) made these bytes, checked as by
    /// [`load`](Self::load).
    ///
    /// ```
    /// # use dm_wgpu::SyntheticSet;
    /// # fn sent(set: &SyntheticSet) -> dm_wgpu::Result<()> {
    /// let bytes = set.to_bytes()?; // to be sent or stored
    /// assert_eq!(&SyntheticSet::from_bytes(&bytes)?, set);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Format`] when they are not such a set's.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::of_file(bytes, Path::new("synthetic set"))
    }

    /// From a file's bytes; `path` is what an error names.
    pub(crate) fn of_file(bytes: &[u8], path: &Path) -> Result<Self> {
        Self::decode(bytes).map_err(|reason| Error::format(path, reason))
    }

    /// The file's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let format = if self.validate().is_ok() { FORMAT } else { LOOSE_FORMAT };
        let n = self.labels.len();
        let version = match (format, self.is_even(), self.factor) {
            (FORMAT, false, 1) => UNEVEN_VERSION,
            (FORMAT, false, _) => UNEVEN_PACKED_VERSION,
            (.., 1) => FORMAT_VERSION,
            _ => PACKED_VERSION,
        };
        let mut metadata = json!({
            "format": format,
            "format_version": version,
            "version": env!("CARGO_PKG_VERSION"),
            "dataset": self.dataset,
            "class_names": json!(self.class_names).to_string(),
            "mean": to_json(&self.mean),
            "std": to_json(&self.std),
            "ipc": self.ipc.to_string(),
            "settings": self.settings,
        });
        if self.factor > 1 {
            metadata["factor"] = self.factor.to_string().into();
            metadata["packed"] = PACKED.into();
        }
        let shape = vec![n, self.channels, self.size, self.size];
        let mut parts = vec![
            Part::i64("labels", vec![n], &self.labels),
            Part::f32("images", shape, &self.images),
        ];
        if let Some([order, rates]) = self.course.as_ref().map(Course::parts) {
            parts.insert(1, order);
            parts.push(rates);
        }
        encode(metadata, &parts)
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        let versions = [FORMAT_VERSION, PACKED_VERSION, UNEVEN_VERSION, UNEVEN_PACKED_VERSION];
        let (tensors, meta) = open(bytes, FORMAT, &versions)?;
        let images = tensor(&tensors, "images", Dtype::F32, 4)?;
        let labels = tensor(&tensors, "labels", Dtype::I64, 1)?;
        let [n, channels, height, width] = *images.shape() else {
            return Err("images: four dimensions were expected".into());
        };
        if height != width {
            return Err(format!("images: {height}×{width} pixels, square ones were expected"));
        }
        if labels.shape() != [n] {
            return Err(format!("{n} images have labels of shape {:?}", labels.shape()));
        }
        let set = Self {
            images: values(images.data(), f32::from_le_bytes),
            labels: values(labels.data(), i64::from_le_bytes),
            channels,
            size: height,
            dataset: meta.text("dataset")?.to_owned(),
            class_names: meta.json("class_names", "an array of names")?,
            mean: meta.json("mean", "an array of numbers")?,
            std: meta.json("std", "an array of numbers")?,
            ipc: meta.json("ipc", "a number")?,
            factor: match meta.text("format_version")? {
                PACKED_VERSION | UNEVEN_PACKED_VERSION => meta.json("factor", "a number")?,
                _ => 1,
            },
            settings: meta.text("settings")?.to_owned(),
            course: Course::read(&tensors)?,
        };
        // A file of another version promises as many of each class.
        match meta.text("format_version")? {
            UNEVEN_VERSION | UNEVEN_PACKED_VERSION if set.is_even() => {
                return Err("its version is of classes with different numbers of images, but all \
                            have as many"
                    .into());
            }
            UNEVEN_VERSION | UNEVEN_PACKED_VERSION => set.validate()?,
            _ => set.validate_even()?,
        }
        Ok(set)
    }

    /// Checks a set that the caller made: its fields are public, so anything may be in them.
    pub(crate) fn check(&self) -> Result<()> {
        self.validate().map_err(|reason| Error::shape("synthetic set", reason))
    }

    /// The same for a set that may have been read from elsewhere: its images may have any order, and its
    /// classes different numbers of them.
    pub(crate) fn check_loosely(&self) -> Result<()> {
        self.validate_fields().map_err(|reason| Error::shape("set of images", reason))
    }

    /// Checks that the fields agree with each other and that images come class after class; the error says what is wrong.
    fn validate(&self) -> Result<(), String> {
        let mut counts = vec![0; self.classes()];
        for &label in &self.labels {
            let count = usize::try_from(label).ok().and_then(|label| counts.get_mut(label));
            count.into_iter().for_each(|count| *count += 1);
        }
        let uneven = !self.is_even()
            && self.labels.is_sorted()
            && !counts.contains(&0)
            && counts.iter().max() == Some(&self.ipc);
        if uneven { self.validate_fields() } else { self.validate_even() }
    }

    /// The same of a set with as many images of each class.
    fn validate_even(&self) -> Result<(), String> {
        let Self { ipc, .. } = *self;
        let classes = self.classes();
        let n = self.labels.len();
        if !self.class_names.is_empty() && classes.checked_mul(ipc) != Some(n) {
            return Err(format!("{n} images, {classes} classes × ipc {ipc} were expected"));
        }
        self.validate_fields()?;
        for (index, &label) in self.labels.iter().enumerate() {
            if usize::try_from(label).is_ok_and(|label| label == index / ipc) {
                continue;
            }
            return Err(format!(
                "image {index} has label {label}; {classes} classes of {ipc} images each, one \
                 after the other, make it {}",
                index / ipc
            ));
        }
        Ok(())
    }

    /// The same, but for how many images each class has, and where.
    fn validate_fields(&self) -> Result<(), String> {
        let Self { channels, size, ipc, .. } = *self;
        if !matches!(channels, 1 | 3) {
            return Err(format!("images have {channels} channels, 1 or 3 are possible"));
        }
        if !(1..=MAX_SIZE).contains(&size) {
            return Err(format!("images of {size}×{size} pixels, 1 to {MAX_SIZE} are possible"));
        }
        if !packing::is_possible(size, self.factor) {
            return Err(format!(
                "images of {size}×{size} pixels are not packed by a factor of {}",
                self.factor
            ));
        }
        if self.class_names.is_empty() || ipc == 0 {
            return Err("there are no classes, or no images per class".into());
        }
        let classes = self.classes();
        let n = self.labels.len();
        if n.checked_mul(self.image_len()) != Some(self.images.len()) {
            return Err(format!(
                "{} values are not {n} images of {channels}×{size}×{size}",
                self.images.len()
            ));
        }
        let known = |&label: &i64| usize::try_from(label).is_ok_and(|label| label < classes);
        if let Some(at) = self.labels.iter().position(|label| !known(label)) {
            return Err(format!(
                "image {at} has label {}, classes are 0 to {}",
                self.labels[at],
                classes - 1
            ));
        }
        if self.mean.len() != channels || self.std.len() != channels {
            return Err(format!(
                "mean and std must have one value for each of {channels} channels"
            ));
        }
        if !self.mean.iter().chain(&self.std).all(|value| value.is_finite())
            || !self.std.iter().all(|std| *std > 0.0)
        {
            return Err("mean and std must be finite, std above 0".into());
        }
        if let Some(at) = self.images.iter().position(|value| !value.is_finite()) {
            return Err(format!(
                "image {} has a pixel that is {}",
                at / self.image_len(),
                self.images[at]
            ));
        }
        if let Some(course) = &self.course {
            course.check(self.trained_on())?;
        }
        serde_json::from_str::<serde::de::IgnoredAny>(&self.settings)
            .map_err(|error| format!("settings are no JSON: {error}"))
            .map(drop)
    }
}

/// The bytes of a file that may hold a set.
#[cfg(feature = "files")]
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    read(path, "a synthetic set")
}

/// `[0.1307]`, digit for digit what an `f32` prints: `json!` would widen it first.
fn to_json(values: &[f32]) -> String {
    let values: Vec<_> = values.iter().map(f32::to_string).collect();
    format!("[{}]", values.join(","))
}
