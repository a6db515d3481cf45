//! A method turns (data set, settings, device) into a [`SyntheticSet`].

mod checkpoint;
mod course;
mod engine;
mod gradients;
mod identity;
mod iteration;
mod packed;
pub(crate) mod packing;
mod per_class;
mod picture;
mod run;
mod sample;
mod select;
mod set;
mod settings;
mod staged;
mod tensor_file;
mod trajectory;
mod unrolled;

pub use checkpoint::Checkpoint;
pub(crate) use checkpoint::is_pixel;
pub use course::Course;
pub(crate) use course::made_by;
use gradients::BATCH;
pub(crate) use gradients::{Drawn, Draws, GradientIteration, GradientPlan, GradientProgress};
pub(crate) use iteration::{ClassPlan, Iteration, Plan, RealBatch, RealFormat, Step, StepProgress};
use iteration::{Feed, Sizes, classes_in_parts, cut};
pub use per_class::PerClass;
pub use picture::Picture;
pub use run::{Condensation, Loss};
pub use select::{Selection, SelectionSettings, Selector};
pub use set::SyntheticSet;
#[cfg(feature = "files")]
pub(crate) use set::read_file;
pub(crate) use set::{FORMAT, PACKED};
pub(crate) use settings::as_text;
pub use settings::{DdInit, Init, Settings};
pub(crate) use staged::{Progress, Staged};
pub(crate) use tensor_file::{MAX_FILE, check_offsets};
pub use trajectory::Trajectory;
#[cfg(feature = "files")]
pub(crate) use trajectory::{Snapshot, epoch_of, tensors, to_bytes};
pub(crate) use unrolled::{Lessons, UnrolledIteration, UnrolledPlan, UnrolledProgress};

use crate::{Dataset, Error, Result, Text, gpu::Buffer};

/// All that tells a data set from others, as text.
#[cfg(feature = "files")]
pub(crate) fn identity_of(dataset: &Dataset) -> String {
    format!("{:?}", identity::Identity::of(dataset))
}

/// Larger pixels overflow the sums of squares in the networks' norms, whose results are then zero
/// or NaN. Losses may stay finite, but they mean nothing any more.
const LARGEST_PIXEL: f32 = 1e15;

/// Refuses more real images per class than the smallest class has: the rest would be repeated images, which nobody
/// asked for. Each picture takes `each` of them. `advice` says what else can be done.
fn check_real(dataset: &Dataset, ipc: usize, each: usize, advice: Text) -> Result<()> {
    let sizes = (0..dataset.classes()).map(|class| dataset.train().of_class(class).len());
    match sizes.zip(dataset.class_names()).min_by_key(|(size, _)| *size) {
        Some((size, name)) if ipc.saturating_mul(each) > size => {
            let images = if size == 1 { "image" } else { "images" };
            let reason = format!("class {name:?} has only {size} training {images}");
            let packed = match each {
                1 => String::new(),
                _ => format!(", and each picture begins with {each}"),
            };
            let fewer = match size / each {
                0 => format!("{reason}{packed}; use a smaller factor"),
                most => format!("{reason}{packed}; use {most} or fewer"),
            };
            let fewer = Text::from(fewer);
            Err(Error::setting("ipc", ipc, fewer.then(advice)))
        }
        _ => Ok(()),
    }
}

/// Refuses more images, `all` of all classes, than fit into so many bytes, before anything is allocated for them.
fn check_images(dataset: &Dataset, ipc: usize, all: usize, most: u64) -> Result<()> {
    let values = all.checked_mul(dataset.image_len());
    if values.is_none_or(|values| values as u64 > most / 4) {
        return Err(Error::setting(
            "ipc",
            ipc,
            Text::from("the images would take more than ").bytes(most).then("; lower it"),
        ));
    }
    Ok(())
}

/// Copies so many values, from one place to another.
fn copy(
    encoder: &mut wgpu::CommandEncoder,
    (from, first): (&Buffer<f32>, usize),
    (to, at): (&Buffer<f32>, usize),
    count: usize,
) {
    let bytes = |values: usize| 4 * values as u64;
    encoder.copy_buffer_to_buffer(from.raw(), bytes(first), to.raw(), bytes(at), bytes(count));
}
