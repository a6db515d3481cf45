//! A run's folder as the command line resumes it: the record of what was asked for, and a checkpoint, in a zip.

use std::io::{Cursor, Write};

use dm_wgpu::EvaluationSettings;
use serde::Serialize;
use wasm_bindgen::prelude::*;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::{Device, condense::Saved, data, named};

#[derive(Serialize)]
struct Record<'a> {
    version: &'a str,
    method: &'a str,
    snapshots: u32,
    data: DataName<'a>,
    settings: serde_json::Value,
    evaluation: EvaluationSettings,
    adapter: Adapter<'a>,
}

#[derive(Serialize)]
struct DataName<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Adapter<'a> {
    name: &'a str,
    backend: &'a str,
    driver: &'a str,
    kernels: &'a str,
    precision: &'a str,
}

/// The zip of a folder of this name, from which `dm-wgpu --resume` continues. The data set has a name that the command
/// line knows.
#[wasm_bindgen]
pub fn run_folder(
    device: &Device,
    saved: &Saved,
    name: &str,
    evaluation: &str,
) -> Result<Vec<u8>, JsValue> {
    let checkpoint = &saved.0;
    let failed =
        |error: &dyn std::fmt::Display| named("File", &format!("the run's folder: {error}"));
    let record = Record {
        version: checkpoint.version(),
        method: checkpoint.settings().method.name(),
        snapshots: 10,
        data: DataName { name: checkpoint.dataset() },
        settings: serde_json::to_value(checkpoint.settings()).map_err(|error| failed(&error))?,
        evaluation: data::read(evaluation)?,
        adapter: Adapter {
            name: &device.name(),
            backend: device.gpu.info().backend.to_str(),
            driver: "",
            kernels: &device.kernels(),
            precision: device.gpu.precision().name(),
        },
    };
    let record = toml::to_string(&record).map_err(|error| failed(&error))?;
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let files = [("run.toml", record.into_bytes()), ("checkpoint.safetensors", saved.file()?)];
    for (file, content) in files {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        zip.start_file(format!("{name}/{file}"), options).map_err(|error| failed(&error))?;
        zip.write_all(&content).map_err(|error| failed(&error))?;
    }
    zip.finish().map(Cursor::into_inner).map_err(|error| failed(&error))
}
