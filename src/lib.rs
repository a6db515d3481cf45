//! Dataset condensation with distribution matching, on any GPU.
//!
//! A labelled set of tens of thousands of images becomes a synthetic set of a few images per class. The synthetic
//! images are optimised so that random networks embed them, on average, where they embed the real ones ([Zhao & Bilen,
//! WACV 2023](https://arxiv.org/abs/2110.04181)). The networks are computed in WGSL through
//! [`wgpu`](https://docs.rs/wgpu), which speaks Vulkan, Metal, DirectX 12 and OpenGL: on a device of this library's
//! own, or on the one that your program has already.
//!
//! # From a data set to synthetic images
//!
//! ```no_run
//! use std::{path::Path, sync::Arc};
//! use dm_wgpu::{AdapterChoice, Condensation, Gpu, Settings, data, report};
//!
//! let gpu = Gpu::headless_blocking(&AdapterChoice::default())?;
//! let dataset = Arc::new(data::glyphs(0)?); // ten classes of drawn digits, embedded
//! let settings = Settings::for_dataset(&dataset).ipc(1).iterations(100);
//!
//! let mut run = Condensation::new(&gpu, dataset, settings)?;
//! while !run.is_done() {
//!     run.step()?; // submits one iteration, does not wait
//!     run.wait_blocking(2)?; // at most two are in flight
//!     for loss in run.take_losses()? {
//!         println!("{}: {}", loss.iteration, loss.loss);
//!     }
//! }
//! let set = run.images_blocking()?;
//! set.save(Path::new("synthetic.safetensors"))?;
//! report::write_grid(&set, Path::new("grid.png"))?;
//! # Ok::<(), dm_wgpu::Error>(())
//! ```
//!
//! The pieces, in the order in which data passes them:
//!
//! | what | does |
//! |---|---|
//! | [`Dataset`], [`data`] | Labelled 8-bit images on the host: [`data::load`] by name, [`Dataset::new`] from your arrays |
//! | [`Gpu`] | The device: [`Gpu::headless_blocking`] opens one, [`Gpu::from_parts`] takes yours |
//! | [`Settings`] | Everything a run can be told; [`Settings::for_dataset`] has the published values |
//! | [`Condensation`] | The run, advanced step by step |
//! | [`Selection`] | Real images chosen instead: at random, by herding or k-center |
//! | [`Checkpoint`] | A run in the middle, to be saved and resumed |
//! | [`Evaluation`] | How good a set is: networks trained on it, tested on real images |
//! | [`Advance`] | What these loops have in common, to drive any of them by one function |
//! | [`SyntheticSet`] | The result: pixels, labels, normalisation; saved as and loaded from safetensors |
//! | [`report`] | Pictures and tables of it |
//! | [`doctor`] | Whether a device computes what it should |
//! | [`project`] | A run in a folder: running, resuming, repeating, comparing; checkpoints, figures, the page; read back |
//! | [`export`], [`import`] | To NumPy, PyTorch and folders of pictures, and back |
//!
//! # Your own images
//!
//! Square images of one or three channels, 8 bits each, N×C×H×W:
//!
//! ```
//! use dm_wgpu::{Dataset, DatasetInfo, Settings};
//!
//! let info = DatasetInfo {
//!     name: "stripes".into(),
//!     class_names: vec!["dark".into(), "light".into()],
//!     channels: 1,
//!     size: 16,
//!     mean: vec![0.5], // of pixels in 0…1, per channel
//!     std: vec![0.25],
//! };
//! let pixels: Vec<u8> = (0..4 * 256).map(|i| if i < 512 { 60 } else { 200 }).collect();
//! let labels = vec![0, 0, 1, 1];
//! let none = (vec![], vec![]); // the test split may be empty
//! let dataset = Dataset::new(info, (pixels, labels), none)?;
//!
//! let settings = Settings::for_dataset(&dataset).ipc(1).depth(2);
//! settings.check(&dataset)?;
//! # Ok::<(), dm_wgpu::Error>(())
//! ```
//!
//! # Inside a program that uses wgpu
//!
//! [`Gpu::from_parts`] takes clones of your device and queue, and the adapter's report. [`Condensation::step`] then
//! submits to your queue between your own frames; it and [`Condensation::take_losses`] never wait for the GPU. Every
//! function that waits has `blocking` in its name. [`Condensation::encode_step`] submits nothing at all: it encodes
//! into your own command encoder, and [`Condensation::encode_some`] no more than a frame has time for.
//! [`Condensation::set_lr_img`] changes the learning rate on the way. [`Condensation::picture`] is a texture of the
//! images, painted on the device; [`Condensation::finished`] and [`Condensation::images`] are futures for async
//! programs. [`wgpu`](https://docs.rs/wgpu) is re-exported, so that both sides mean the same version.
//!
//! No feature is required, and WebGPU's default limits suffice; [`preferred_features`] and [`preferred_limits`] name
//! what else of an adapter is useful ([`Kernels`]). With the features that [`Precision::F16`] names, [`Gpu::with_f16`]
//! may use tensor cores. [`Gpu::with_pipeline_cache`] compiles with a cache of yours. Errors that are not caught go to
//! your device's own handler.
//!
//! The repository's `examples/share_device` is such a program, `examples/live_viewer` one with a window.
//!
//! # The same again
//!
//! Everything random follows from [`Settings::seed`]. The same settings on the same adapter, driver
//! and version of this crate give the same bits, whatever [`Gpu::memory_budget`] is; on another
//! adapter the last bits of sums may differ, and those differences grow with the iterations.
//!
//! # Errors
//!
//! One type, [`Error`]. Its messages name the setting, the shapes or the file, and what is possible
//! instead. [`Error::is_usage`] distinguishes wrong requests from failed work. Accessors that take
//! an index, such as [`Split::image`] and [`SyntheticSet::image_u8`], panic out of range as slices
//! do.
//!
//! # What versions promise
//!
//! [Semantic Versioning](https://semver.org): a patch release breaks nothing. Before 1.0 a minor release may
//! change the interface, the random numbers that are drawn, or how files are written; the changelog then says
//! so. Files of another format's version are refused, never misread.
//!
//! - Results, settings and most enums may grow in any release; these are `#[non_exhaustive]`. Settings have a method for each
//!   field, which sets it: [`Settings`], [`EvaluationSettings`], [`SelectionSettings`], [`Subject`],
//!   [`AdapterChoice`] and [`data::Sources`].
//! - [`wgpu`](https://docs.rs/wgpu) is part of the interface: another major version of it is a minor release here before 1.0, and
//!   a major one after.
//! - A minor release may need a later compiler, a patch release does not.
//!
//! # Cargo features
//!
//! These are on by default; a program that embeds the library wants `default-features = false`, and `files` if it reads
//! or writes any.
//!
//! - `cli`: the program `dm-wgpu`. Includes `download`.
//! - `download`: lets [`data::load`] fetch files that are not there yet. Includes `files`.
//! - `files`: everything with a path, and all that decodes or draws pictures: [`data::load`], [`data::folder`],
//!   `save` and `load`, [`export`] and [`import`] by path, [`report`], [`project`]. Without it the library needs neither
//!   a file system nor threads; sets and checkpoints are bytes ([`SyntheticSet::to_bytes`],
//!   [`Checkpoint::from_bytes`], [`data::from_bytes`], [`import::from_bytes`], [`export::npz_bytes`]).
// Allowed in two places: where wgpu's experimental features are asked for, and where files are mapped.
#![deny(unsafe_code)]
// Bad input meets an error, never a panic; tests may.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used))]
#![warn(missing_docs)]

mod advance;
pub mod augment;
pub mod bench;
mod clock;
mod condense;
pub mod data;
pub mod doctor;
mod error;
mod evaluate;
pub mod export;
#[cfg(feature = "files")]
mod files;
mod gpu;
mod hosted;
pub mod import;
mod impostors;
// The lists of every specialisation are for the tests.
#[cfg_attr(not(feature = "testing"), allow(dead_code))]
mod kernels;
#[cfg(feature = "files")]
mod listing;
mod names;
mod nn;
mod objective;
#[cfg(feature = "files")]
pub mod project;
mod recipes;
#[cfg(feature = "files")]
pub mod report;
mod rng;
mod setters;
mod text;

// How the fuzzer gets at the program's own readers of files.
#[cfg(all(fuzzing, feature = "cli"))]
#[doc(hidden)]
#[allow(missing_docs)]
pub mod cli;
#[cfg(all(fuzzing, feature = "cli"))]
extern crate self as dm_wgpu;

pub use advance::Advance;
pub use condense::{
    Checkpoint, Condensation, Course, DdInit, Init, Loss, PerClass, Picture, Selection,
    SelectionSettings, Selector, Settings, SyntheticSet, Trajectory,
};
pub use data::{Dataset, DatasetInfo, Split};
pub use error::{Error, Result};
pub use evaluate::{Accuracy, Evaluation, EvaluationSettings, TrainingSet, TrajectoryTraining};
pub use gpu::{
    AdapterChoice, AdapterReport, Gpu, Kernels, Precision, adapters, adapters_blocking,
    preferred_features, preferred_limits,
};
pub use kernels::Distance;
pub use nn::{Activation, Architecture, ConvNet, Layer, Net, NormKind, PoolKind};
pub use objective::Matching;
pub use recipes::{Preset, Protocol, Recipe, Subject};
pub use text::{Text, Words};
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod testing;
pub use wgpu;
