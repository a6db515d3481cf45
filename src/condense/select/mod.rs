//! Selections of real images: the baselines that a synthetic set has to beat.

mod embed;
mod greedy;

use std::{fmt, ops::ControlFlow, str::FromStr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{PerClass, Settings, SyntheticSet, check_images, check_real, sample::draw};
use crate::{
    ConvNet, Dataset, Error, Gpu, Result, Text,
    gpu::{blocking, duration},
    rng::{Purpose, Stream},
    setters::with_setters,
};
use embed::{ClassEmbedder, PREPARE};

/// How real images are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Selector {
    /// At random, without replacement.
    Random,
    /// Greedily so that the mean embedding of the chosen approaches the class's (Welling, ICML
    /// 2009; Rebuffi et al., CVPR 2017).
    Herding,
    /// The image nearest the class's mean embedding, then again and again the one farthest from
    /// all chosen (greedy k-center; Sener & Savarese, ICLR 2018).
    KCenter,
}

impl Selector {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Random, Self::Herding, Self::KCenter];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Herding => "herding",
            Self::KCenter => "k-center",
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Selector {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|selector| selector.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::setting("selection", text, format!("possible are {names}"))
        })
    }
}

with_setters! {
    /// The settings of a selection: [`for_dataset`](Self::for_dataset) fills in what suits a data set. Every field can be
    /// read, and set by the method of its name.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct SelectionSettings {
        /// How images are chosen.
        pub selection: Selector,
        /// Images per class, from 1. No class may have fewer.
        pub ipc: usize,
        /// Images of each class where they are not as many; `ipc` is the largest of these numbers then.
        #[serde(default, skip_serializing_if = "PerClass::is_even")]
        pub per_class: PerClass,
        /// Channels of every convolution of the embedding network.
        pub width: usize,
        /// Blocks of that network.
        pub depth: usize,
        /// Everything random follows from it: the choice, or the network's weights.
        pub seed: u64,
    }
}

impl SelectionSettings {
    /// What suits a data set, as [`Settings::for_dataset`] has it.
    pub fn for_dataset(dataset: &Dataset, selection: Selector) -> Self {
        Self::like(&Settings::for_dataset(dataset), selection)
    }

    /// As many images per class as these settings have, with a network of the same size and the same seed.
    pub fn like(settings: &Settings, selection: Selector) -> Self {
        let Settings { ipc, width, depth, seed, .. } = *settings;
        Self { selection, ipc, per_class: settings.per_class.clone(), width, depth, seed }
    }

    /// Checks every value alone and against the data set.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Shape`], naming the setting and what is possible.
    pub fn check(&self, dataset: &Dataset) -> Result<()> {
        if self.ipc == 0 {
            return Err(Error::setting("ipc", self.ipc, "at least 1 is needed"));
        }
        self.per_class.check(dataset, self.ipc)?;
        match self.per_class.is_even() {
            true => check_real(dataset, self.ipc, 1, Text::default())?,
            false => self.per_class.check_real(dataset, 1)?,
        }
        self.network(dataset).map(drop)
    }

    fn network(&self, dataset: &Dataset) -> Result<ConvNet> {
        ConvNet::new(dataset.channels(), dataset.size(), self.width, self.depth)
    }
}

/// A selection of real training images in progress, one class per step.
///
/// Herding and k-center see the images through one fixed ConvNet with random weights that follow
/// from the seed. The baselines in the literature use a network that was trained on the whole set,
/// whose embeddings separate the classes better. The choices here are cheaper and comparable with
/// each other, but they are not the published baselines.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use dm_wgpu::{AdapterChoice, Gpu, Selection, SelectionSettings, Selector, data};
/// let gpu = Gpu::headless_blocking(&AdapterChoice::default())?;
/// let dataset = Arc::new(data::glyphs(0)?);
/// let settings = SelectionSettings::for_dataset(&dataset, Selector::Herding);
/// let mut selection = Selection::new(&gpu, dataset, settings)?;
/// selection.set_blocking()?.save("herding.safetensors".as_ref())?;
/// # Ok::<(), dm_wgpu::Error>(())
/// ```
#[derive(Debug)]
pub struct Selection {
    gpu: Gpu,
    dataset: Arc<Dataset>,
    settings: SelectionSettings,
    embedder: Option<ClassEmbedder>,
    chosen: Vec<Vec<u32>>,
}

impl Selection {
    /// Checks the settings and prepares the network, if one is needed.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Shape`] for settings that are impossible, for this data set,
    /// or within the device's memory budget; [`Error::Gpu`] if it refuses.
    pub fn new(gpu: &Gpu, dataset: Arc<Dataset>, settings: SelectionSettings) -> Result<Self> {
        blocking(PREPARE, Self::new_async(gpu, dataset, settings))
    }

    /// As [`new`](Self::new), for browsers, which report only later whether the device accepted everything. Elsewhere
    /// it completes at once.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub async fn new_async(
        gpu: &Gpu,
        dataset: Arc<Dataset>,
        settings: SelectionSettings,
    ) -> Result<Self> {
        Self::check(gpu, &dataset, &settings)?;
        let SelectionSettings { selection, seed, .. } = settings;
        let embedder = match selection {
            Selector::Random => None,
            Selector::Herding | Selector::KCenter => {
                let net = settings.network(&dataset)?;
                Some(ClassEmbedder::new(gpu, &dataset, &net, seed).await?)
            }
        };
        Ok(Self { gpu: gpu.clone(), dataset, settings, embedder, chosen: Vec::new() })
    }

    /// Whether [`new`](Self::new) would take these settings, without making anything.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Shape`], as `new` gives them.
    pub fn check(gpu: &Gpu, dataset: &Dataset, settings: &SelectionSettings) -> Result<()> {
        settings.check(dataset)?;
        let all = settings.per_class.total(dataset.classes(), settings.ipc);
        check_images(dataset, settings.ipc, all, super::MAX_FILE)?;
        match settings.selection {
            Selector::Random => Ok(()),
            Selector::Herding | Selector::KCenter => {
                let net = settings.network(dataset)?;
                ClassEmbedder::chunk(gpu, dataset, &net).map(drop)
            }
        }
    }

    /// Real images drawn at random, so many of each class, or all where a class has fewer: of equal numbers those that a
    /// random selection with this seed chooses.
    ///
    /// # Errors
    /// [`Error::Setting`] when the images take more than a file may.
    #[cfg(feature = "files")]
    pub(crate) fn at_random(
        dataset: &Dataset,
        counts: &[usize],
        seed: u64,
    ) -> Result<SyntheticSet> {
        let ipc = counts.iter().copied().max().unwrap_or(0);
        check_images(dataset, ipc, counts.iter().sum(), super::MAX_FILE)?;
        let settings = Settings::for_dataset(dataset).ipc(ipc).seed(seed);
        let settings = SelectionSettings::like(&settings, Selector::Random);
        let (mut images, mut there) = (Vec::new(), Vec::new());
        for (class, &count) in counts.iter().enumerate() {
            let stream = Stream::new(seed, Purpose::Selection, 0, dataset.number(class));
            let drawn = draw(dataset.train().of_class(class), count, stream);
            for &index in &drawn {
                images.extend(dataset.normalised(dataset.train().image(index as usize)));
            }
            there.push(drawn.len());
        }
        SyntheticSet::of(dataset, &there, images, &settings)
    }

    /// The memory that its buffers take; none for a random selection, which needs no network.
    #[cfg(feature = "testing")]
    pub(crate) fn table(&self) -> Result<crate::gpu::Table> {
        let net = self.settings.network(&self.dataset)?;
        let none = || crate::gpu::Table::new(self.gpu.caps());
        let table = |embedder: &ClassEmbedder| embedder.table(&self.gpu, &self.dataset, &net);
        Ok(self.embedder.as_ref().map_or_else(none, table))
    }

    /// The resolved settings.
    pub fn settings(&self) -> &SelectionSettings {
        &self.settings
    }

    /// The number of steps: one per class.
    pub fn total(&self) -> u32 {
        self.dataset.classes() as u32
    }

    /// Classes that have been chosen from so far.
    pub fn done(&self) -> u32 {
        self.chosen.len() as u32
    }

    /// Whether there is no class left.
    pub fn is_done(&self) -> bool {
        self.done() >= self.total()
    }

    /// Steps that are submitted and unfinished: always 0 between two calls, as a step ends with the choice.
    pub fn in_flight(&self) -> u32 {
        0
    }

    /// There is nothing to wait for between two calls, as a step ends with the choice.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost.
    pub fn wait_blocking(&mut self, _at_most: u32) -> Result<()> {
        self.gpu.check(PREPARE)
    }

    /// Completes at once, as [`wait_blocking`](Self::wait_blocking) does.
    ///
    /// # Errors
    /// As [`wait_blocking`](Self::wait_blocking).
    pub async fn finished(&mut self, at_most: u32) -> Result<()> {
        self.wait_blocking(at_most)
    }

    /// How long the remaining classes will take on this device, measured on a slice of each kernel; without the time in
    /// which the host chooses. Measuring takes seconds if kernels must be compiled first, otherwise a moment. A random
    /// selection, which needs no network, takes no time on the device.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost.
    pub fn estimate_blocking(&self) -> Result<Duration> {
        self.gpu.measure_paces(self.embedder.as_ref().map(ClassEmbedder::recording))?;
        Ok(self.estimated())
    }

    /// As [`estimate_blocking`](Self::estimate_blocking), completing as [`step_async`](Self::step_async) does.
    ///
    /// # Errors
    /// As [`estimate_blocking`](Self::estimate_blocking).
    pub async fn estimate(&self) -> Result<Duration> {
        self.gpu.measure_paces_async(self.embedder.as_ref().map(ClassEmbedder::recording)).await?;
        Ok(self.estimated())
    }

    fn estimated(&self) -> Duration {
        let members = |class| self.dataset.train().of_class(class).len();
        let left = (self.chosen.len()..self.dataset.classes()).map(members);
        let seconds = |embedder: &ClassEmbedder| embedder.seconds(&self.gpu, left);
        duration(self.embedder.as_ref().map_or(0.0, seconds))
    }

    /// Chooses from the next class. Waits for its embeddings, and calls `between` now and then with the part of the
    /// class that is embedded, from 0 to 1. If `between` breaks, the class is abandoned and begins anew with the next
    /// step. After the last class, does nothing.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost.
    pub fn step_blocking(
        &mut self,
        between: &mut dyn FnMut(f64) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        if self.is_done() {
            return Ok(ControlFlow::Continue(()));
        }
        let members = self.dataset.train().of_class(self.chosen.len());
        let features = match &self.embedder {
            None => None,
            Some(embedder) => {
                match embedder.embed_blocking(&self.gpu, &self.dataset, members, between)? {
                    None => return Ok(ControlFlow::Break(())),
                    features => features,
                }
            }
        };
        self.choose(features);
        Ok(ControlFlow::Continue(()))
    }

    /// Chooses from the next class, and completes when its embeddings have arrived. This needs somebody to poll the
    /// device: a program that draws does so in every frame, others call [`Gpu::poll`] now and then. After the last
    /// class, does nothing.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost.
    pub async fn step_async(&mut self) -> Result<()> {
        if self.is_done() {
            return Ok(());
        }
        let members = self.dataset.train().of_class(self.chosen.len());
        let features = match &self.embedder {
            None => None,
            Some(embedder) => Some(embedder.embed(&self.gpu, &self.dataset, members).await?),
        };
        self.choose(features);
        Ok(())
    }

    /// Chooses from the next class, whose images have these embeddings (`None` for a random selection).
    fn choose(&mut self, features: Option<Vec<f32>>) {
        let class = self.chosen.len();
        let SelectionSettings { selection, ipc, seed, ref per_class, .. } = self.settings;
        let ipc = per_class.numbers().get(class).copied().unwrap_or(ipc);
        let members = self.dataset.train().of_class(class);
        self.chosen.push(match (&self.embedder, features) {
            (Some(embedder), Some(features)) => {
                let at = match selection {
                    Selector::KCenter => greedy::k_center(&features, embedder.features(), ipc),
                    _ => greedy::herding(&features, embedder.features(), ipc),
                };
                at.into_iter().map(|at| members[at]).collect()
            }
            _ => draw(
                members,
                ipc,
                Stream::new(seed, Purpose::Selection, 0, self.dataset.number(class)),
            ),
        });
    }

    /// For each class done so far, the indices of its chosen training images, in the order in
    /// which they were chosen: the first n are what a selection of n would be.
    pub fn chosen(&self) -> &[Vec<u32>] {
        &self.chosen
    }

    /// Chooses from the remaining classes, then returns all chosen images.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost.
    pub fn set_blocking(&mut self) -> Result<SyntheticSet> {
        while !self.is_done() {
            let _ = self.step_blocking(&mut |_| ControlFlow::Continue(()))?;
        }
        self.chosen_set()
    }

    /// As [`set_blocking`](Self::set_blocking), completing as [`step_async`](Self::step_async) does.
    ///
    /// # Errors
    /// As [`set_blocking`](Self::set_blocking).
    pub async fn set(&mut self) -> Result<SyntheticSet> {
        while !self.is_done() {
            self.step_async().await?;
        }
        self.chosen_set()
    }

    fn chosen_set(&self) -> Result<SyntheticSet> {
        let (dataset, settings) = (&self.dataset, &self.settings);
        let counts = settings.per_class.counts(dataset.classes(), settings.ipc);
        let mut images = Vec::with_capacity(counts.iter().sum::<usize>() * dataset.image_len());
        for chosen in &self.chosen {
            for &index in chosen {
                images.extend(dataset.normalised(dataset.train().image(index as usize)));
            }
        }
        SyntheticSet::of(dataset, &counts, images, settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_methods_are_read_back() {
        for selector in Selector::ALL {
            assert_eq!(selector.to_string().parse::<Selector>().unwrap(), selector);
            let json = serde_json::to_string(&selector).unwrap();
            assert_eq!(json, format!("{:?}", selector.name()));
        }
        assert!("best".parse::<Selector>().unwrap_err().to_string().contains("k-center"));
    }
}
