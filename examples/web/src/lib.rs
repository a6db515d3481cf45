//! What the page calls: the library as a browser's scripts see it. Everything that waits is a promise, and nothing
//! blocks.

mod condense;
mod data;
mod evaluate;
mod folder;
mod set;

use std::time::Duration;

use dm_wgpu::{AdapterChoice, Error, Gpu};
use wasm_bindgen::prelude::*;

/// Between two submissions of an evaluation the browser draws: they should be as short as frames.
const SUBMIT_TARGET: Duration = Duration::from_millis(12);

/// A device of the browser's.
#[wasm_bindgen]
pub struct Device {
    gpu: Gpu,
}

#[wasm_bindgen]
impl Device {
    /// Opens one. `lost` is called with a sentence if it is lost later.
    pub async fn open(lost: js_sys::Function) -> Result<Device, JsValue> {
        console_error_panic_hook::set_once();
        let choice = AdapterChoice::default().submit_target(Some(SUBMIT_TARGET));
        let gpu = Gpu::headless(&choice).await.map_err(thrown)?;
        gpu.device().set_device_lost_callback(move |_, why| {
            // Nobody is left to be told of an error in there.
            let _ = lost.call1(&JsValue::NULL, &why.into());
        });
        Ok(Self { gpu })
    }

    /// Its name, if the browser tells it.
    #[wasm_bindgen(getter)]
    pub fn name(&self) -> String {
        self.gpu.info().name.clone()
    }

    /// The family of kernels that suits it.
    #[wasm_bindgen(getter)]
    pub fn kernels(&self) -> String {
        self.gpu.kernels().name().to_owned()
    }

    /// The features it was opened with that this library uses.
    #[wasm_bindgen(getter)]
    pub fn features(&self) -> Vec<String> {
        self.gpu.device().features().iter_names().map(|(name, _)| name.to_owned()).collect()
    }
}

/// An error as scripts catch it: its `name` is the kind, its `message` the sentence.
fn thrown(error: Error) -> JsValue {
    let kind = match &error {
        Error::OutOfMemory { .. } => "OutOfMemory",
        Error::Diverged { .. } | Error::PixelsDiverged { .. } | Error::NetworkDiverged { .. } => {
            "Diverged"
        }
        Error::Adapter(_) | Error::Gpu { .. } => "Device",
        other if other.is_usage() => "Request",
        _ => "File",
    };
    named(kind, &error.to_string())
}

fn named(kind: &str, message: &str) -> JsValue {
    let error = js_sys::Error::new(message);
    error.set_name(kind);
    error.into()
}
