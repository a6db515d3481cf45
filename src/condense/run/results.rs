//! What a run has come to: the images, and the state from which it can be resumed.

use crate::{
    Dataset, Error, Result,
    condense::{
        Checkpoint, Condensation, Course, Settings, SyntheticSet,
        checkpoint::{Learned, is_pixel},
        identity::Identity,
        unrolled::State,
    },
    gpu::Buffer,
};

impl Condensation {
    /// Waits for everything submitted and returns the synthetic images as they are then.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost, [`Error::Diverged`] when a loss was not finite,
    /// [`Error::PixelsDiverged`] when pixels are not finite or too large.
    pub fn images_blocking(&mut self) -> Result<SyntheticSet> {
        self.settle()?;
        let images = self.matching.pixels().0.read_blocking(&self.gpu)?;
        let raw = self.matching.unrolled().map(|state| state.raw.read_blocking(&self.gpu));
        let raw = raw.transpose()?;
        synthetic_set(&self.dataset, &self.settings, self.iteration, images, raw)
    }

    /// Submits a copy of the synthetic images as the steps submitted so far leave them; the future
    /// completes when it has arrived, as [`finished`](Self::finished) does. It borrows nothing: the run
    /// may go on meanwhile.
    ///
    /// # Errors
    /// As [`images_blocking`](Self::images_blocking), except that losses that are not finite are
    /// reported by [`take_losses`](Self::take_losses) only.
    pub fn images(&self) -> impl Future<Output = Result<SyntheticSet>> + wgpu::WasmNotSend + use<> {
        let copy = self.matching.pixels().0.read(&self.gpu);
        let raw = self.matching.unrolled().map(|state| state.raw.read(&self.gpu));
        let (dataset, settings) = (self.dataset.clone(), self.settings.clone());
        let (iteration, missed) = (self.iteration, self.check_missed());
        async move {
            missed?;
            let images = copy.await?;
            let raw = match raw {
                Some(raw) => Some(raw.await?),
                None => None,
            };
            synthetic_set(&dataset, &settings, iteration, images, raw)
        }
    }

    /// Waits for everything submitted and returns the state from which [`resume`](Self::resume)
    /// continues. Losses are not part of it: afterwards [`take_losses`](Self::take_losses) returns
    /// those so far.
    ///
    /// # Errors
    /// As [`images_blocking`](Self::images_blocking): a run that has diverged has no checkpoint.
    pub fn checkpoint_blocking(&mut self) -> Result<Checkpoint> {
        self.settle()?;
        let images = self.matching.pixels().0.read_blocking(&self.gpu)?;
        let velocity = self.matching.pixels().1.read_blocking(&self.gpu)?;
        let learned = self.matching.unrolled().map(|state| {
            let [square, raw, mean, of_square] =
                learned_of(state).map(|buffer| buffer.read_blocking(&self.gpu));
            Ok::<_, Error>(Learned { square: square?, rates: [raw?, mean?, of_square?] })
        });
        self.checkpoint_of(images, velocity, learned.transpose()?)
    }

    /// As [`checkpoint_blocking`](Self::checkpoint_blocking), completing as [`finished`](Self::finished) does.
    ///
    /// # Errors
    /// As [`checkpoint_blocking`](Self::checkpoint_blocking).
    pub async fn checkpoint(&mut self) -> Result<Checkpoint> {
        self.finished(0).await?;
        self.check_losses()?;
        let (images, velocity) = self.matching.pixels();
        // All copies are submitted before any is awaited.
        let (images, velocity) = (images.read(&self.gpu), velocity.read(&self.gpu));
        let learned = self.matching.unrolled().map(learned_of);
        let learned = learned.map(|buffers| buffers.map(|buffer| buffer.read(&self.gpu)));
        let (images, velocity) = (images.await?, velocity.await?);
        let learned = match learned {
            Some([square, raw, mean, of_square]) => {
                let rates = [raw.await?, mean.await?, of_square.await?];
                Some(Learned { square: square.await?, rates })
            }
            None => None,
        };
        self.checkpoint_of(images, velocity, learned)
    }

    fn checkpoint_of(
        &self,
        images: Vec<f32>,
        velocity: Vec<f32>,
        learned: Option<Learned>,
    ) -> Result<Checkpoint> {
        let checkpoint = Checkpoint {
            images,
            velocity,
            learned,
            iteration: self.iteration,
            settings: self.settings.clone(),
            dataset: Identity::of(&self.dataset),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            notes: String::new(),
        };
        match checkpoint.unsound() {
            Some((class, value)) => {
                let class = self.dataset.number(class) as usize;
                Err(Error::PixelsDiverged { iteration: self.iteration, class, value })
            }
            None => Ok(checkpoint),
        }
    }
}

/// Images that were read back after so many iterations, if their pixels are finite and not too large.
fn synthetic_set(
    dataset: &Dataset,
    settings: &Settings,
    iteration: u32,
    images: Vec<f32>,
    raw: Option<Vec<f32>>,
) -> Result<SyntheticSet> {
    if let Some(at) = images.iter().position(|value| !is_pixel(value)) {
        let class = settings.per_class.class_of(at / dataset.image_len(), settings.ipc);
        let class = dataset.number(class) as usize;
        return Err(Error::PixelsDiverged { iteration, class, value: images[at] });
    }
    let counts = settings.per_class.counts(dataset.classes(), settings.ipc);
    let set = SyntheticSet::of(dataset, &counts, images, settings)?;
    let course = raw.map(|raw| Course::of(dataset.classes(), settings, &raw));
    Ok(SyntheticSet { course, factor: settings.factor, ..set })
}

/// What a checkpoint of distillation holds beside images and velocity.
fn learned_of(state: &State) -> [&Buffer<f32>; 4] {
    [&state.square, &state.raw, &state.raw_mean, &state.raw_square]
}
