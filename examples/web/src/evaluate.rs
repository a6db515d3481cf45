//! Accuracy: networks that are trained in the tab.

use dm_wgpu::{Evaluation, TrainingSet};
use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::{Device, data, data::Data, set::Images, thrown};

/// Trains networks on these images with these settings, as `Data::recipe` writes them, and returns the accuracy of each
/// in per cent. Between two epochs it calls `between` with the part that is done, from 0 to 1, and awaits what that
/// returns: unless this is true, the evaluation is left and nothing is returned.
#[wasm_bindgen]
pub async fn evaluate(
    device: &Device,
    data: &Data,
    images: &Images,
    settings: String,
    between: Function,
) -> Result<Vec<f64>, JsValue> {
    let settings = data::read(&settings)?;
    let (gpu, dataset) = (device.gpu.clone(), data.0.clone());
    let set = TrainingSet::Synthetic(images.set.clone());
    let run = Evaluation::new_async(&gpu, dataset, set, settings).await;
    let mut run = run.map_err(thrown)?;
    while !run.is_done() {
        run.step_async().await.map_err(thrown)?;
        run.finished(0).await.map_err(thrown)?;
        let part = f64::from(run.done()) / f64::from(run.total());
        let answer = between.call1(&JsValue::NULL, &part.into())?;
        if JsFuture::from(Promise::resolve(&answer)).await? != JsValue::TRUE {
            return Ok(Vec::new());
        }
    }
    run.accuracy().await.map(|accuracy| accuracy.runs).map_err(thrown)
}
