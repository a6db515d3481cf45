//! A condensation that the page drives: a share of it in every frame.

use std::{cell::RefCell, rc::Rc, time::Duration};

use dm_wgpu::{Checkpoint, Condensation, Gpu};
use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use crate::{Device, data, data::Data, named, set::Images, thrown};

/// A run. While a checkpoint is taken it is away, and nothing advances it.
#[wasm_bindgen]
pub struct Run {
    gpu: Gpu,
    run: Rc<RefCell<Option<Condensation>>>,
}

#[wasm_bindgen]
impl Run {
    /// Begins one with these settings, as `Data::recipe` writes them.
    pub async fn start(device: &Device, data: &Data, settings: String) -> Result<Run, JsValue> {
        let settings = data::read(&settings)?;
        let (gpu, dataset) = (device.gpu.clone(), data.0.clone());
        Self::of(&gpu, Condensation::new_async(&gpu, dataset, settings).await)
    }

    /// Resumes one from a checkpoint, with so many iterations in all.
    pub async fn resume(
        device: &Device,
        data: &Data,
        checkpoint: Saved,
        iterations: u32,
    ) -> Result<Run, JsValue> {
        let (gpu, dataset) = (device.gpu.clone(), data.0.clone());
        let settings = checkpoint.0.settings().clone().iterations(iterations);
        let checkpoint = checkpoint.0.with_settings(settings).map_err(thrown)?;
        Self::of(&gpu, Condensation::resume_async(&gpu, dataset, checkpoint).await)
    }

    fn of(gpu: &Gpu, run: dm_wgpu::Result<Condensation>) -> Result<Run, JsValue> {
        let run = Rc::new(RefCell::new(Some(run.map_err(thrown)?)));
        Ok(Self { gpu: gpu.clone(), run })
    }

    /// Submits so many milliseconds' work, and returns how many are expected.
    pub fn advance(&self, milliseconds: f64) -> Result<f64, JsValue> {
        self.with(|run| {
            let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
            let budget = Duration::from_secs_f64(milliseconds.clamp(0.0, 1e4) / 1e3);
            let expected = run.encode_some(&mut encoder, budget)?;
            self.gpu.queue().submit([encoder.finish()]);
            Ok(expected.as_secs_f64() * 1e3)
        })
    }

    /// Submits one iteration, or the rest of one.
    pub fn step(&self) -> Result<(), JsValue> {
        self.with(Condensation::step)
    }

    /// The losses that have arrived: iteration and loss, in turns.
    pub fn losses(&self) -> Result<Vec<f64>, JsValue> {
        let losses = self.with(Condensation::take_losses)?;
        Ok(losses.iter().flat_map(|one| [f64::from(one.iteration), f64::from(one.loss)]).collect())
    }

    /// Iterations submitted so far.
    #[wasm_bindgen(getter)]
    pub fn done(&self) -> Result<u32, JsValue> {
        self.with(|run| Ok(run.done()))
    }

    /// Iterations that are submitted and not known to be finished.
    #[wasm_bindgen(getter)]
    pub fn unfinished(&self) -> Result<u32, JsValue> {
        self.with(|run| Ok(run.in_flight()))
    }

    /// Changes the learning rate from the next iteration on.
    pub fn set_lr_img(&self, lr_img: f32) -> Result<(), JsValue> {
        self.with(|run| run.set_lr_img(lr_img))
    }

    /// The settings as they are now, as JSON.
    pub fn settings(&self) -> Result<String, JsValue> {
        self.with(|run| Ok(serde_json::to_string(run.settings()).unwrap_or_default()))
    }

    /// A promise of the images as the iterations submitted so far leave them.
    pub fn images(&self) -> Result<Promise, JsValue> {
        let (images, iteration) = self.with(|run| Ok((run.images(), run.done())))?;
        Ok(future_to_promise(async move {
            let set = images.await.map_err(thrown)?;
            Ok(Images::of(set, iteration).into())
        }))
    }

    /// A promise of the state between two iterations, with these notes. Until it is kept, nothing advances.
    pub fn checkpoint(&self, notes: String) -> Result<Promise, JsValue> {
        let place = self.run.clone();
        let mut run = place.borrow_mut().take().ok_or_else(away)?;
        Ok(future_to_promise(async move {
            let checkpoint = run.checkpoint().await;
            *place.borrow_mut() = Some(run);
            let mut checkpoint = checkpoint.map_err(thrown)?;
            checkpoint.notes = notes;
            Ok(Saved(checkpoint).into())
        }))
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&mut Condensation) -> dm_wgpu::Result<T>,
    ) -> Result<T, JsValue> {
        work(self.run.borrow_mut().as_mut().ok_or_else(away)?).map_err(thrown)
    }
}

fn away() -> JsValue {
    named("Busy", "a checkpoint is being taken")
}

/// A run in the middle.
#[wasm_bindgen]
pub struct Saved(pub(crate) Checkpoint);

#[wasm_bindgen]
impl Saved {
    /// From a checkpoint's bytes.
    pub fn read(content: &[u8]) -> Result<Saved, JsValue> {
        Checkpoint::from_bytes(content).map(Self).map_err(thrown)
    }

    /// Iterations done when it was taken.
    #[wasm_bindgen(getter)]
    pub fn iteration(&self) -> u32 {
        self.0.iteration()
    }

    /// The name of its data set.
    #[wasm_bindgen(getter)]
    pub fn dataset(&self) -> String {
        self.0.dataset().to_owned()
    }

    /// Its notes: what was measured so far.
    #[wasm_bindgen(getter)]
    pub fn notes(&self) -> String {
        self.0.notes.clone()
    }

    /// The settings of its run, as JSON.
    pub fn settings(&self) -> String {
        serde_json::to_string(self.0.settings()).unwrap_or_default()
    }

    /// The same state once more, for a run that consumes it.
    pub fn copy(&self) -> Saved {
        Self(self.0.clone())
    }

    /// The bytes of its file.
    pub fn file(&self) -> Result<Vec<u8>, JsValue> {
        self.0.to_bytes().map_err(thrown)
    }
}
