//! Synthetic images: to be looked at, and as files.

use dm_wgpu::{SyntheticSet, export, import};
use wasm_bindgen::prelude::*;

use crate::{data::Data, thrown};

/// The images of a run at some iteration, or a set that was dropped.
#[wasm_bindgen]
pub struct Images {
    pub(crate) set: SyntheticSet,
    iteration: u32,
}

#[wasm_bindgen]
impl Images {
    pub(crate) fn of(set: SyntheticSet, iteration: u32) -> Self {
        Self { set, iteration }
    }

    /// From the bytes of a `.safetensors` or `.npz` file of this name, for this data set.
    pub fn read(name: &str, content: &[u8], data: &Data) -> Result<Images, JsValue> {
        let read = import::from_bytes(name, content).and_then(|read| read.into_set(&data.0));
        read.map(|set| Self::of(set, 0)).map_err(thrown)
    }

    /// Iterations that made them.
    #[wasm_bindgen(getter)]
    pub fn iteration(&self) -> u32 {
        self.iteration
    }

    /// One class's number for each image.
    #[wasm_bindgen(getter)]
    pub fn labels(&self) -> Vec<u32> {
        // A set that was checked has no others.
        self.set.labels.iter().map(|&label| u32::try_from(label).unwrap_or_default()).collect()
    }

    /// All of them one below the other, as canvases take pixels: red, green, blue, opacity.
    pub fn pixels(&self) -> Vec<u8> {
        let image = |at| {
            let pixels = self.set.image_u8(at);
            let colour = |pixel: &[u8]| match *pixel {
                [red, green, blue] => [red, green, blue, 255],
                _ => [pixel[0], pixel[0], pixel[0], 255],
            };
            pixels.chunks_exact(self.set.channels).flat_map(colour).collect::<Vec<_>>()
        };
        (0..self.set.labels.len()).flat_map(image).collect()
    }

    /// As a file of this format: `safetensors`, `npz` or `pt`. The last also holds accuracies in per cent, if there are
    /// any.
    pub fn file(&self, format: &str, accuracies: &[f64]) -> Result<Vec<u8>, JsValue> {
        let bytes = match format {
            "npz" => export::npz_bytes(&self.set),
            "pt" => {
                let shares = accuracies.iter().map(|percent| percent / 100.0).collect();
                let models = [("ConvNet".to_owned(), shares)];
                let models = if accuracies.is_empty() { &[] } else { &models[..] };
                export::torch_bytes(std::slice::from_ref(&self.set), models)
            }
            _ => export::safetensors_bytes(&self.set),
        };
        bytes.map_err(thrown)
    }
}
