//! A condensation in progress.

mod advance;
mod begin;
mod plan;
mod results;

use std::{collections::VecDeque, sync::Arc};

use super::{Picture, Settings, Trajectory, engine::Engine};
use crate::{
    Dataset, Error, Gpu, Result,
    gpu::{Readback, Recording, Submitted, Ticket, blocking},
    kernels::Cells,
};

use advance::Begun;
use plan::rates;

/// The loss of one iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Loss {
    /// Zero-based iteration.
    pub iteration: u32,
    /// Sum over classes of the squared distance of mean embeddings, divided by the number of
    /// classes (Zhao & Bilen, WACV 2023, eq. 4); of gradient matching, of the distance of gradients, the mean over the
    /// iteration's moves; of distillation the mean cross-entropy of real images after the training.
    pub loss: f32,
    /// That sum itself. The losses of [parts](Dataset::part) of a data set add up to the loss of the whole.
    pub sum: f64,
}

/// A condensation that advances step by step: by distribution matching (Zhao & Bilen, WACV 2023), or by gradient matching
/// or dataset distillation if the settings' [`method`](Settings::method) says so.
///
/// In distribution matching, each step draws a random network, a batch of real images and one augmentation per class, and
/// moves the synthetic pixels down the gradient of the squared distance between the classes' mean
/// embeddings. In gradient matching, a step is a random network with all moves of the pixels on it, and its training
/// between them; so nothing lasts from one step to the next but the pixels and their velocities, there as here. In
/// distillation, a step is the whole training of a network on the synthetic images and one move of pixels and learning rates;
/// these, and the moments of Adam, last as well.
/// Everything random follows from (seed, iteration, class, purpose), so the result
/// depends neither on memory budget nor on timing: same seed and adapter, same bits.
///
/// No method waits for the GPU unless its name contains `blocking`; the `async` ones let other tasks run meanwhile.
///
/// ```no_run
/// use std::sync::Arc;
/// use dm_wgpu::{AdapterChoice, Condensation, Gpu, Settings, data};
///
/// let gpu = Gpu::headless_blocking(&AdapterChoice::default())?;
/// let dataset = Arc::new(data::glyphs(0)?);
/// let settings = Settings::for_dataset(&dataset).ipc(1).iterations(100);
/// let mut run = Condensation::new(&gpu, dataset, settings)?;
/// while !run.is_done() {
///     run.step()?;
///     run.wait_blocking(2)?; // let the GPU keep at most two steps waiting
/// }
/// run.images_blocking()?.save("synthetic.safetensors".as_ref())?;
/// # Ok::<(), dm_wgpu::Error>(())
/// ```
#[derive(Debug)]
pub struct Condensation {
    gpu: Gpu,
    dataset: Arc<Dataset>,
    settings: Settings,
    /// What an iteration's snapshots are of.
    trajectories: Vec<Arc<Trajectory>>,
    real_counts: Vec<usize>,
    matching: Engine,
    iteration: u32,
    /// The iteration that the next call continues.
    begun: Option<Begun>,
    in_flight: VecDeque<InFlight>,
    /// Work that was encoded for the caller to submit, until it is known to be done.
    encoded: VecDeque<Encoded>,
    idle: Vec<Readback<f32>>,
    arrived: Vec<Loss>,
    diverged: Option<(u32, usize, f32)>,
}

#[derive(Debug)]
struct InFlight {
    iteration: u32,
    /// Empty if the caller submits.
    submitted: Submitted,
    losses: Readback<f32>,
}

/// What one call encoded for the caller to submit.
#[derive(Debug)]
struct Encoded {
    /// The iteration that it began with, or in.
    first: u32,
    ticket: Ticket,
}

/// The first of the encoders that were dropped.
struct Dropped {
    /// Its place among those that are not known to be done.
    at: usize,
    /// The iteration that it began with, or in.
    first: u32,
    /// Whether nothing that follows it was submitted, or can be.
    repeatable: bool,
}

impl Condensation {
    /// Changes the learning rate of the pixels from the next iteration on, for a schedule or a slider. Iterations that
    /// are already submitted or encoded keep the former rate; one that is encoded in part gets the new one.
    ///
    /// [`settings`](Self::settings), checkpoints and sets have the new rate from now on.
    ///
    /// ```no_run
    /// # fn condense(run: &mut dm_wgpu::Condensation) -> dm_wgpu::Result<()> {
    /// while !run.is_done() {
    ///     if run.iteration() == 500 {
    ///         run.set_lr_img(0.1)?;
    ///     }
    ///     run.step()?;
    ///     run.wait_blocking(2)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] if it is not a positive number; the former rate stays. [`Error::Gpu`] if an iteration was missed.
    pub fn set_lr_img(&mut self, lr_img: f32) -> Result<()> {
        self.check_missed()?;
        let settings = self.settings.clone().lr_img(lr_img);
        settings.check(&self.dataset)?;
        self.matching.set_rates(rates(&settings));
        self.settings = settings;
        Ok(())
    }

    /// Iterations submitted so far.
    pub fn iteration(&self) -> u32 {
        self.iteration
    }

    /// Iterations submitted so far, as [`iteration`](Self::iteration): a step is an iteration.
    pub fn done(&self) -> u32 {
        self.iteration
    }

    /// The settings' iterations.
    pub fn total(&self) -> u32 {
        self.settings.iterations
    }

    /// Whether the settings' iterations have all been submitted, or are in encoders that were not dropped.
    pub fn is_done(&self) -> bool {
        let done = match self.dropped() {
            Some(Dropped { first, repeatable: true, .. }) => first,
            _ => self.iteration,
        };
        done >= self.total()
    }

    /// Iterations submitted that the GPU is not known to have finished.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.len() as u32
    }

    /// The resolved settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The data set that is condensed.
    pub fn dataset(&self) -> &Arc<Dataset> {
        &self.dataset
    }

    /// Waits until at most so many iterations are in flight.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost.
    pub fn wait_blocking(&mut self, at_most: u32) -> Result<()> {
        self.collect()?;
        while self.in_flight() > at_most {
            // Until its losses are there, so that no later call takes it for done.
            let Some(first) = self.in_flight.front_mut() else { break };
            let last = first.submitted.last();
            first.submitted.wait_blocking(&self.gpu, "condense")?;
            let losses = first.losses.take_blocking(&self.gpu, last)?;
            let iteration = first.iteration;
            self.note(iteration, &losses);
            self.idle.extend(self.in_flight.pop_front().map(|done| done.losses));
        }
        Ok(())
    }

    /// Completes when at most so many iterations are in flight; then [`take_losses`](Self::take_losses)
    /// has the others' losses.
    ///
    /// This needs somebody to poll the device: a program that draws does so in every frame, others call [`Gpu::poll`]
    /// now and then. An iteration that was encoded must have been submitted.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost.
    pub async fn finished(&mut self, at_most: u32) -> Result<()> {
        self.collect()?;
        while self.in_flight() > at_most {
            let Some(first) = self.in_flight.front_mut() else { break };
            let losses = first.losses.arrived().await?;
            let iteration = first.iteration;
            self.note(iteration, &losses);
            self.idle.extend(self.in_flight.pop_front().map(|done| done.losses));
        }
        Ok(())
    }

    /// Losses that arrived since the last call, in order. Never waits.
    ///
    /// # Errors
    /// [`Error::Diverged`] when a loss is not finite, [`Error::Gpu`] if the device was lost.
    pub fn take_losses(&mut self) -> Result<Vec<Loss>> {
        self.collect()?;
        self.check_losses()?;
        Ok(std::mem::take(&mut self.arrived))
    }

    /// Waits for everything submitted, whose losses must all be finite.
    fn settle(&mut self) -> Result<()> {
        self.wait_blocking(0)?;
        self.check_losses()
    }

    fn check_losses(&self) -> Result<()> {
        match self.diverged {
            Some((iteration, class, loss)) => Err(Error::Diverged { iteration, class, loss }),
            None => Ok(()),
        }
    }

    /// A texture that shows the synthetic images on this device.
    ///
    /// # Errors
    /// [`Error::Shape`] for more images than a texture has room for, or if classes have different numbers of them;
    /// [`Error::Gpu`] if the device refuses.
    pub fn picture(&self) -> Result<Picture> {
        blocking("make the picture", self.picture_async())
    }

    /// As [`picture`](Self::picture), for browsers, as [`new_async`](Self::new_async) is.
    ///
    /// # Errors
    /// As [`picture`](Self::picture).
    pub async fn picture_async(&self) -> Result<Picture> {
        let (dataset, ipc) = (&self.dataset, self.settings.ipc);
        if !self.settings.per_class.is_even() {
            let why =
                "classes have different numbers of images, which the picture has no places for";
            return Err(Error::shape("picture", why));
        }
        let longest = self.gpu.device().limits().max_texture_dimension_2d;
        let cells = Cells::fitting(
            (dataset.classes(), ipc),
            (dataset.channels(), dataset.size()),
            (dataset.mean(), dataset.std()),
            longest,
        );
        Picture::new(&self.gpu, cells, self.matching.pixels().0).await
    }

    /// The synthetic images on the device: f32, (N, C, H, W), normalised, class-major, as the steps
    /// submitted so far leave them. To be read only; usages are `STORAGE`, `COPY_SRC` and `COPY_DST`.
    pub fn images_buffer(&self) -> &wgpu::Buffer {
        self.matching.pixels().0.raw()
    }

    /// Everything that one iteration submits, in order. Replayed, it moves the pixels once more by
    /// what was written for the iteration before.
    pub(crate) fn recordings(&self) -> Vec<&Recording> {
        self.matching.recordings()
    }

    /// The memory that its buffers take.
    #[cfg(feature = "testing")]
    pub(crate) fn table(&self) -> Result<crate::gpu::Table> {
        let plan = plan::checked_plan(&self.gpu, &self.dataset, &self.settings)?;
        Ok(self.matching.table(&plan))
    }

    /// Collects what the GPU has finished.
    fn collect(&mut self) -> Result<()> {
        self.gpu.poll()?;
        self.check_missed()?;
        self.repeat_dropped();
        while let Some(first) = self.encoded.front_mut() {
            if !first.ticket.settle(&self.gpu)? {
                break;
            }
            self.encoded.pop_front();
        }
        while let Some(first) = self.in_flight.front_mut() {
            // Its time may arrive with its losses, or later.
            first.submitted.settle(&self.gpu)?;
            let Some(losses) = first.losses.take()? else { break };
            let iteration = first.iteration;
            self.note(iteration, &losses);
            self.idle.extend(self.in_flight.pop_front().map(|done| done.losses));
        }
        Ok(())
    }

    /// The first encoder that was dropped, if there is one.
    fn dropped(&self) -> Option<Dropped> {
        let at = self.encoded.iter().position(|encoded| encoded.ticket.is_dropped())?;
        let first = self.encoded[at].first;
        let last = self.encoded.iter().skip(at).all(|encoded| encoded.ticket.is_dropped());
        let mut iterations = self.in_flight.iter().filter(|one| one.iteration >= first);
        let repeatable = last && iterations.all(|one| one.losses.is_dropped());
        Some(Dropped { at, first, repeatable })
    }

    /// Refuses to go on if an iteration's encoder was dropped, and a later one was not.
    fn check_missed(&self) -> Result<()> {
        let Some(Dropped { first, repeatable: false, .. }) = self.dropped() else { return Ok(()) };
        let why = format!(
            "the encoder of iteration {first} was dropped, not submitted, but a later one exists, so the images miss \
             that iteration; resume from a checkpoint"
        );
        Err(Error::gpu("condense", why))
    }

    /// Goes back to the state before encoders that were dropped, if nothing came after them. Their work is drawn and
    /// computed again, to the same bits.
    fn repeat_dropped(&mut self) {
        let Some(Dropped { at, first, repeatable: true }) = self.dropped() else { return };
        log::debug!("iteration {first} again: its command encoder was dropped");
        self.encoded.truncate(at);
        self.in_flight.retain(|one| one.iteration < first);
        (self.iteration, self.begun) = (first, None);
        // They may have been lost with it.
        self.matching.set_rates(rates(&self.settings));
    }

    fn note(&mut self, iteration: u32, losses: &[f32]) {
        if let Some(at) = losses.iter().position(|l| !l.is_finite()) {
            // In distillation each real image has a loss, class after class.
            let mut end = 0;
            let of_image = self.real_counts.iter().position(|count| {
                end += count;
                at < end
            });
            let class = self.matching.unrolled().map_or(Some(at), |_| of_image).unwrap_or(0);
            let class = self.dataset.number(class) as usize;
            self.diverged.get_or_insert((iteration, class, losses[at]));
        }
        let sum: f64 = losses.iter().map(|&l| f64::from(l)).sum();
        let loss = (sum / losses.len() as f64) as f32;
        self.arrived.push(Loss { iteration, loss, sum });
    }
}
