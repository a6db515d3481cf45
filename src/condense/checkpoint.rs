//! A run in the middle, from which it can be resumed: images, their velocities, what distillation has learned beside them,
//! and how many iterations made them. Whatever is random follows from the seed and the iteration, so nothing
//! else has a state.

use std::path::Path;

use safetensors::Dtype;
use serde_json::{Value, json};

use super::{
    LARGEST_PIXEL, Settings,
    identity::Identity,
    tensor_file::{Part, encode, open, tensor, values},
};
use crate::{Error, Matching, Result, Text, data::MAX_SIZE};
#[cfg(feature = "files")]
use crate::{condense::tensor_file::read, files};

const FORMAT: &str = "dm-wgpu checkpoint";
/// Incremented when a reader of the previous version would misread a file, or would continue differently.
const FORMAT_VERSION: &str = "1";

/// The state of a [`Condensation`](crate::Condensation) between two iterations.
///
/// The file holds `images` and `velocity` (f32, (N, C, H, W), class-major) and `notes` (u8, UTF-8); of dataset distillation
/// also `second_moment` (as `images`) and `rates` (f32, (3, steps): what each step's rate is the softplus of, and Adam's two
/// moments of that); and in its metadata, all as text: `iteration`, `settings` and `dataset` (JSON), `version` (of this
/// crate), `format` and `format_version`.
///
/// ```
/// # use std::sync::Arc;
/// use dm_wgpu::{Checkpoint, Condensation};
/// # use dm_wgpu::{AdapterChoice, Gpu, Settings, data};
///
/// # let gpu = Gpu::headless_blocking(&AdapterChoice::default())?;
/// # let dataset = Arc::new(data::glyphs(0)?);
/// # let small = Settings::for_dataset(&dataset).ipc(1).width(8).batch_real(4);
/// # let mut run = Condensation::new(&gpu, dataset.clone(), small)?;
/// run.step()?;
/// let bytes = run.checkpoint_blocking()?.to_bytes()?; // `save` writes them to a file
/// // … another day …
/// let mut again = Condensation::resume(&gpu, dataset, Checkpoint::from_bytes(&bytes)?)?;
/// again.step()?;
/// run.step()?;
/// assert_eq!(again.images_blocking()?, run.images_blocking()?); // to the bit
/// # Ok::<(), dm_wgpu::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    pub(super) images: Vec<f32>,
    pub(super) velocity: Vec<f32>,
    pub(super) learned: Option<Learned>,
    pub(super) iteration: u32,
    pub(super) settings: Settings,
    pub(super) dataset: Identity,
    pub(super) version: String,
    /// Text of the caller's that is kept beside the state, such as the losses so far; empty unless
    /// the caller sets it.
    pub notes: String,
}

/// What lasts from one iteration of distillation to the next beside images and velocity.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Learned {
    /// Adam's second moment of the pixels.
    pub square: Vec<f32>,
    /// Of each step what its rate is the softplus of; then Adam's two moments of these.
    pub rates: [Vec<f32>; 3],
}

/// The names of all settings.
const SETTINGS: [&str; 24] = [
    "method",
    "ipc",
    "per_class",
    "factor",
    "iterations",
    "init",
    "net",
    "width",
    "depth",
    "batch_real",
    "lr_img",
    "distance",
    "outer",
    "inner",
    "lr_net",
    "dd_init",
    "dd_steps",
    "dd_epochs",
    "alpha",
    "trajectories",
    "expert_epochs",
    "shown",
    "augment",
    "seed",
];

impl Checkpoint {
    /// Iterations done when it was taken.
    pub fn iteration(&self) -> u32 {
        self.iteration
    }

    /// The settings of its run.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Name of the data set that its run condenses.
    pub fn dataset(&self) -> &str {
        &self.dataset.name
    }

    /// Version of this crate that made it. Another version may draw other random numbers; its changelog says so.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The same state, to be resumed with these settings. They may differ from the run's only in `iterations`, on which
    /// no iteration depends; only in distillation they say when the learning rate is halved.
    ///
    /// # Errors
    /// [`Error::Shape`] naming what differs.
    pub fn with_settings(self, settings: Settings) -> Result<Self> {
        let own = self.settings.clone().iterations(settings.iterations);
        if own != settings {
            let fields = |settings: &Settings| serde_json::to_value(settings).unwrap_or_default();
            let (own, asked) = (fields(&own), fields(&settings));
            let differing = own.as_object().into_iter().flatten();
            let mut differing = differing.filter(|(name, value)| asked[name.as_str()] != **value);
            let reason = differing.next().map_or_else(
                || Text::from("other settings made it"),
                |(name, value)| {
                    let made = Text::from("it was made with ");
                    let made = match SETTINGS.iter().find(|known| *known == name) {
                        Some(known) => made.setting(known),
                        None => made.then(name.as_str()),
                    };
                    made.then(format!(" = {value}, not {}", asked[name.as_str()]))
                },
            );
            return Err(Error::shape("checkpoint", reason));
        }
        Ok(Self { settings, ..self })
    }

    /// Writes it to a file, whole or not at all; one that was there is replaced.
    ///
    /// # Errors
    /// [`Error::Io`] when writing fails.
    #[cfg(feature = "files")]
    pub fn save(&self, path: &Path) -> Result<()> {
        files::write_whole(path, &self.to_bytes()?)
    }

    /// What [`save`](Self::save) writes.
    ///
    /// # Errors
    /// [`Error::Shape`] when its settings cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.encode().map_err(|error| Error::shape("checkpoint", error.to_string()))
    }

    /// Reads what [`save`](Self::save) wrote, checking that it is whole and holds numbers only.
    ///
    /// # Errors
    /// [`Error::Io`] when the file can't be read, [`Error::Format`] when it is not such a file.
    #[cfg(feature = "files")]
    pub fn load(path: &Path) -> Result<Self> {
        Self::of_file(&read(path, "a checkpoint")?, path)
    }

    /// The checkpoint from which [`to_bytes`](Self::to_bytes) or [`save`](Self::save) made these bytes, checked as by
    /// [`load`](Self::load).
    ///
    /// # Errors
    /// [`Error::Format`] when they are not a checkpoint's.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::of_file(bytes, Path::new("checkpoint"))
    }

    /// From a file's bytes; `path` is what an error names.
    fn of_file(bytes: &[u8], path: &Path) -> Result<Self> {
        let decode = || {
            let checkpoint = Self::decode(bytes)?;
            checkpoint.validate().map(|()| checkpoint)
        };
        decode().map_err(|reason| Error::format(path, reason))
    }

    fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let metadata: Value = json!({
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "version": self.version,
            "iteration": self.iteration.to_string(),
            "settings": serde_json::to_string(&self.settings)?,
            "dataset": serde_json::to_string(&self.dataset)?,
        });
        let Identity { class_names, channels, size, .. } = &self.dataset;
        let shape = vec![self.settings.stored(class_names.len()), *channels, *size, *size];
        let notes = self.notes.as_bytes().to_vec();
        let notes =
            Part { name: "notes", dtype: Dtype::U8, shape: vec![notes.len()], bytes: notes };
        let mut parts = vec![
            Part::f32("images", shape.clone(), &self.images),
            Part::f32("velocity", shape.clone(), &self.velocity),
        ];
        if let Some(Learned { square, rates }) = &self.learned {
            let steps = rates[0].len();
            parts.push(Part::f32("second_moment", shape, square));
            parts.push(Part::f32("rates", vec![3, steps], &rates.concat()));
        }
        parts.push(notes);
        Ok(encode(metadata, &parts))
    }

    fn decode(bytes: &[u8]) -> Result<Self, String> {
        let (tensors, meta) = open(bytes, FORMAT, &[FORMAT_VERSION])?;
        let settings = settings_of(meta.json("settings", "a run's settings")?)?;
        let dataset: Identity = meta.json("dataset", "a data set's description")?;
        let expected = [
            settings.stored(dataset.class_names.len()),
            dataset.channels,
            dataset.size,
            dataset.size,
        ];
        let pixels = |name: &str| {
            let found = tensor(&tensors, name, Dtype::F32, 4)?;
            if found.shape() != expected {
                return Err(format!("{name} of {:?}, {expected:?} was expected", found.shape()));
            }
            Ok(values(found.data(), f32::from_le_bytes))
        };
        let learned = || {
            let steps =
                settings.dd_steps.unwrap_or(1) as usize * settings.dd_epochs.unwrap_or(1) as usize;
            let rates = tensor(&tensors, "rates", Dtype::F32, 2)?;
            if rates.shape() != [3, steps] {
                return Err(format!("rates of {:?}, [3, {steps}] was expected", rates.shape()));
            }
            let rates = values(rates.data(), f32::from_le_bytes);
            let each = |at: usize| rates[at * steps..(at + 1) * steps].to_vec();
            Ok(Learned { square: pixels("second_moment")?, rates: [0, 1, 2].map(each) })
        };
        let notes = tensor(&tensors, "notes", Dtype::U8, 1)?.data().to_vec();
        Ok(Self {
            images: pixels("images")?,
            velocity: pixels("velocity")?,
            learned: (settings.method == Matching::Dd).then(learned).transpose()?,
            iteration: meta.json("iteration", "a number")?,
            version: meta.text("version")?.to_owned(),
            notes: String::from_utf8(notes).map_err(|error| format!("notes: {error}"))?,
            settings,
            dataset,
        })
    }

    fn validate(&self) -> Result<(), String> {
        let Identity { class_names, size, channels, .. } = &self.dataset;
        if !(1..=MAX_SIZE).contains(size) || !matches!(channels, 1 | 3) {
            return Err(format!("images of {channels}×{size}×{size} are not possible"));
        }
        if class_names.is_empty() || self.images.is_empty() {
            return Err("it holds no image".into());
        }
        match self.unsound() {
            Some((class, value)) => {
                Err(format!("a pixel of class {class}, or its velocity, is {value}"))
            }
            None => Ok(()),
        }
    }

    /// A value from which no run can continue, with its class.
    pub(super) fn unsound(&self) -> Option<(usize, f32)> {
        let broken = |values: &[f32]| {
            let at = values.iter().position(|value| !value.is_finite())?;
            Some((at, values[at]))
        };
        let pixel = self.images.iter().position(|value| !is_pixel(value));
        let pixel = pixel.map(|at| (at, self.images[at])).or_else(|| broken(&self.velocity));
        let learned = self.learned.as_ref();
        let found = pixel.or_else(|| broken(&learned?.square)).or_else(|| {
            // A rate is of all classes; the first stands for them.
            let (_, value) = learned?.rates.iter().find_map(|values| broken(values))?;
            Some((0, value))
        });
        let (at, value) = found?;
        let Settings { ipc, per_class, .. } = &self.settings;
        Some((per_class.class_of(at / self.dataset.image_len()?, *ipc), value))
    }
}

/// Settings as files have them. Files of earlier versions also hold a memory budget, which now belongs to the device.
fn settings_of(mut settings: Value) -> Result<Settings, String> {
    if let Some(settings) = settings.as_object_mut() {
        settings.remove("memory_budget");
    }
    serde_json::from_value(settings)
        .map_err(|error| format!("\"settings\" in its metadata is not a run's settings: {error}"))
}

/// Whether the networks can take a pixel like this.
pub(crate) fn is_pixel(value: &f32) -> bool {
    value.abs() <= LARGEST_PIXEL
}
