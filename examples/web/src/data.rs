//! Data sets from what the page was given.

use std::sync::Arc;

use dm_wgpu::{
    Dataset, DatasetInfo, EvaluationSettings, Preset, Recipe, Settings, Subject, data, import,
};
use serde_json::json;
use wasm_bindgen::prelude::*;

use crate::{named, thrown};

/// A labelled data set in memory.
#[wasm_bindgen]
pub struct Data(pub(crate) Arc<Dataset>);

/// A file that was dropped.
#[wasm_bindgen]
pub struct Dropped {
    name: String,
    content: Vec<u8>,
}

#[wasm_bindgen]
impl Dropped {
    /// Of this name, with this content.
    #[wasm_bindgen(constructor)]
    pub fn new(name: String, content: Vec<u8>) -> Self {
        Self { name, content }
    }
}

#[wasm_bindgen]
impl Data {
    /// A set that the library knows by name, from the content of its files.
    pub fn known(name: &str, files: Vec<Dropped>) -> Result<Data, JsValue> {
        let files: Vec<_> =
            files.iter().map(|file| (file.name.as_str(), file.content.as_slice())).collect();
        data::from_bytes(name, &files).map(Self::of).map_err(thrown)
    }

    /// The arrays of an `.npz`.
    pub fn npz(name: &str, content: &[u8]) -> Result<Data, JsValue> {
        import::dataset_from_npz(name, content).map(Self::of).map_err(thrown)
    }

    /// Pixels that the page has decoded: (N, C, H, W) with a label each.
    // JavaScript hands over each by itself.
    #[allow(clippy::too_many_arguments)]
    pub fn arrays(
        name: &str,
        class_names: Vec<String>,
        channels: usize,
        size: usize,
        pixels: Vec<u8>,
        labels: Vec<u32>,
        test_pixels: Vec<u8>,
        test_labels: Vec<u32>,
    ) -> Result<Data, JsValue> {
        let info = DatasetInfo::measured(name, class_names, (channels, size), &pixels);
        let set = Dataset::new(info, (pixels, labels), (test_pixels, test_labels));
        set.map(Self::of).map_err(thrown)
    }

    fn of(dataset: Dataset) -> Self {
        Self(Arc::new(dataset))
    }

    /// What it is, as JSON: name, classes, shape, numbers of images.
    pub fn about(&self) -> String {
        let set = &self.0;
        let smallest = (0..set.classes()).map(|class| set.train().of_class(class).len()).min();
        json!({
            "name": set.name(),
            "classes": set.class_names(),
            "channels": set.channels(),
            "size": set.size(),
            "train": set.train().len(),
            "test": set.test().len(),
            "smallest": smallest,
        })
        .to_string()
    }

    /// The settings that suit it by a preset's rules, as JSON: `settings` and `evaluation`.
    pub fn recipe(&self, preset: &str, ipc: Option<usize>) -> Result<String, JsValue> {
        let preset: Preset = preset.parse().map_err(thrown)?;
        let recipe = Recipe::new(Subject::from(&*self.0).preset(preset).ipc(ipc));
        let (settings, evaluation) = (Settings::of(&recipe), EvaluationSettings::of(&recipe));
        Ok(json!({ "settings": settings, "evaluation": evaluation }).to_string())
    }
}

/// Settings from their JSON, as `recipe` writes it.
pub(crate) fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, JsValue> {
    serde_json::from_str(text).map_err(|error| named("Request", &format!("the settings: {error}")))
}
