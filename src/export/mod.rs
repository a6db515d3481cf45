//! Sets for other programs: NumPy, safetensors, PyTorch, folders of pictures. The way back is
//! [`import`](crate::import).
//!
//! Arrays hold the pixels that the run made, normalised: `(x − mean) / std` of x in 0…1, channel by
//! channel, neither rounded nor clamped. Mean and standard deviation are in each file. Only pictures are rounded to 8
//! bits per value. The same set gives the same bytes.
//!
//! Every function that takes a path writes its file or folder completely or not at all, and never replaces one. It
//! needs the cargo feature `files`; those that end in `_bytes` don't.
//!
//! ```
//! # use std::sync::Arc;
//! use dm_wgpu::{export, import};
//! # use dm_wgpu::{AdapterChoice, Gpu, Selection, SelectionSettings, Selector, data};
//! # let gpu = Gpu::headless_blocking(&AdapterChoice::default())?;
//! # let dataset = Arc::new(data::glyphs(0)?);
//! # let settings = SelectionSettings::for_dataset(&dataset, Selector::Random);
//! # let mut selection = Selection::new(&gpu, dataset.clone(), settings)?;
//! # let set = selection.set_blocking()?;
//! let bytes = export::npz_bytes(&set)?; // `export::npz` writes them to a file
//! let again = import::from_bytes("set.npz", &bytes)?.into_set(&dataset)?;
//! assert_eq!(again.images, set.images);
//! # Ok::<(), dm_wgpu::Error>(())
//! ```

mod archive;
mod npz;
mod pickle;
#[cfg(feature = "files")]
mod pictures;
mod torch;

#[cfg(feature = "files")]
use std::path::Path;

#[cfg(feature = "files")]
use crate::files;
use crate::{Error, Result, SyntheticSet};

#[cfg(feature = "files")]
pub use pictures::image_folder;

/// Writes a NumPy archive: `images` (float32, (N, C, H, W), normalised), `labels` (int64, (N)), `mean` and
/// `std` (float32, (C)), `class_names`, `dataset` and `settings` (text, the last as JSON); of a packed set also `factor`. [`import::read`](crate::import::read) takes it.
///
/// # Errors
/// [`Error::Shape`] when the set's fields contradict each other, [`Error::Io`] when writing fails or `path`
/// exists.
#[cfg(feature = "files")]
pub fn npz(set: &SyntheticSet, path: &Path) -> Result<()> {
    files::write_new(path, &npz_bytes(set)?)
}

/// What [`npz`](npz()) writes.
///
/// # Errors
/// [`Error::Shape`] when the set's fields contradict each other.
pub fn npz_bytes(set: &SyntheticSet) -> Result<Vec<u8>> {
    set.check_loosely()?;
    npz::encode(set).map_err(|reason| Error::shape("npz file", reason))
}

/// Writes safetensors as [`SyntheticSet::save`] does, also of sets whose classes have different numbers of
/// images.
///
/// # Errors
/// As [`npz`].
#[cfg(feature = "files")]
pub fn safetensors(set: &SyntheticSet, path: &Path) -> Result<()> {
    files::write_new(path, &safetensors_bytes(set)?)
}

/// What [`safetensors`](safetensors()) writes.
///
/// # Errors
/// As [`npz_bytes`].
pub fn safetensors_bytes(set: &SyntheticSet) -> Result<Vec<u8>> {
    set.check_loosely()?;
    if set.factor > 1 {
        // Readers learn the factor of a set whose classes have as many images each, one class after the other.
        set.check()?;
    }
    Ok(set.encode())
}

/// Writes what `torch.load` reads (also with `weights_only=True`), in the layout of the benchmarks for
/// condensed sets: a dictionary with
/// - `data`: for each run a list of images (float32, (N, C, H, W), normalised) and labels (int64, (N)), decoded if the
///   set is packed;
/// - `accs_all_exps`: for each model, by name, the test accuracies of its networks, 0…1;
/// - `mean`, `std`, `class_names`, `dataset`: lists and text, which those benchmarks ignore.
///
/// # Errors
/// [`Error::Shape`] when there is no set, a set's fields contradict each other, or the sets are not of one
/// data set; [`Error::Io`] when writing fails or `path` exists.
#[cfg(feature = "files")]
pub fn torch(runs: &[SyntheticSet], accuracies: &[(String, Vec<f64>)], path: &Path) -> Result<()> {
    files::write_new(path, &torch_bytes(runs, accuracies)?)
}

/// What all sets of one data set have alike.
fn kind(set: &SyntheticSet) -> (&str, [usize; 2], &[String], [&[f32]; 2]) {
    let SyntheticSet { dataset, channels, size, class_names, mean, std, .. } = set;
    (dataset, [*channels, *size], class_names, [mean, std])
}

/// What [`torch`](torch()) writes.
///
/// # Errors
/// [`Error::Shape`] as [`torch`](torch()).
pub fn torch_bytes(runs: &[SyntheticSet], accuracies: &[(String, Vec<f64>)]) -> Result<Vec<u8>> {
    let odd = |reason: String| Error::shape("runs to export", reason);
    let [first, others @ ..] = runs else { return Err(odd("there is none".into())) };
    first.check_loosely()?;
    for (number, set) in (2..).zip(others) {
        set.check_loosely()?;
        if kind(set) != kind(first) {
            return Err(odd(format!(
                "number {number}, of {}, and the first, of {}, differ in data set, shape, classes or \
                 normalisation; export each by itself",
                set.dataset, first.dataset
            )));
        }
    }
    // Those benchmarks train on what they read.
    let decoded = runs.iter().cloned().map(SyntheticSet::decoded).collect::<Result<Vec<_>>>()?;
    torch::encode(&decoded, accuracies).map_err(|reason| Error::shape(".pt file", reason))
}

#[cfg(test)]
#[cfg(feature = "files")]
mod tests {
    use super::*;

    /// `counts[class]` images of each class, in turns; no two pixels of a set are alike.
    pub(super) fn set(
        names: &[&str],
        counts: &[usize],
        channels: usize,
        size: usize,
    ) -> SyntheticSet {
        let most = counts.iter().copied().max().unwrap();
        let turns = (0..most).flat_map(|turn| {
            (0..counts.len()).filter(move |&class| turn < counts[class]).map(|class| class as i64)
        });
        let labels: Vec<_> = turns.collect();
        let values = labels.len() * channels * size * size;
        SyntheticSet {
            images: (0..values).map(|i| i as f32 / values as f32 * 4.0 - 2.0).collect(),
            labels,
            channels,
            size,
            dataset: "made up".into(),
            class_names: names.iter().map(|name| (*name).to_owned()).collect(),
            mean: vec![0.5; channels],
            std: vec![0.25; channels],
            ipc: most,
            factor: 1,
            settings: "{}".into(),
            course: None,
        }
    }

    #[test]
    fn files_are_not_replaced_and_never_left_half_written() {
        let place = tempfile::tempdir().unwrap();
        let uneven = set(&["a", "b"], &[2, 1], 1, 4);
        let write: [fn(&SyntheticSet, &Path) -> Result<()>; 4] = [
            npz,
            safetensors,
            |set, path| torch(std::slice::from_ref(set), &[], path),
            |set, path| image_folder(set, path).map(drop),
        ];
        for (index, write) in write.into_iter().enumerate() {
            let path = place.path().join(index.to_string());
            write(&uneven, &path).unwrap();
            assert!(matches!(write(&uneven, &path), Err(Error::Io { .. })));
            let mut broken = uneven.clone();
            broken.labels[0] = 2;
            let never = place.path().join("never");
            assert!(matches!(write(&broken, &never), Err(Error::Shape { .. })));
        }
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 4);
    }

    #[test]
    fn bytes_are_those_of_the_files() {
        let place = tempfile::tempdir().unwrap();
        let dataset = crate::data::glyphs(0).unwrap();
        let names: Vec<_> = dataset.class_names().iter().map(String::as_str).collect();
        let set = set(&names, &[2, 1, 1, 1, 1, 1, 1, 1, 1, 1], 1, dataset.size());
        let runs = std::slice::from_ref(&set);
        type Write = fn(&SyntheticSet, &Path) -> Result<()>;
        let formats: [(&str, Write, Vec<u8>); 3] = [
            ("a.npz", npz, npz_bytes(&set).unwrap()),
            ("a.safetensors", safetensors, safetensors_bytes(&set).unwrap()),
            (
                "a.pt",
                |set, path| torch(std::slice::from_ref(set), &[], path),
                torch_bytes(runs, &[]).unwrap(),
            ),
        ];
        for (name, write, bytes) in formats {
            let path = place.path().join(name);
            write(&set, &path).unwrap();
            assert!(std::fs::read(&path).unwrap() == bytes, "{name}");
            match crate::import::from_bytes(name, &bytes) {
                Ok(read) => assert_eq!(read.into_set(&dataset).unwrap().images, set.images),
                Err(error) => assert!(name == "a.pt" && error.to_string().contains("a .pt is for")),
            }
        }
        let page = crate::import::from_bytes("b.npz", b"<html>").unwrap_err().to_string();
        assert!(page.starts_with("b.npz: it is a web page"), "{page}");
    }

    #[test]
    fn runs_of_different_sets_are_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x.pt");
        let one = set(&["a", "b"], &[1, 1], 1, 4);
        let other = set(&["a", "c"], &[1, 1], 1, 4);
        let elsewhere = SyntheticSet { dataset: "elsewhere".into(), ..one.clone() };
        for runs in [&[][..], &[one.clone(), other], &[one, elsewhere]] {
            assert!(matches!(torch(runs, &[], &path), Err(Error::Shape { .. })));
        }
        assert!(!path.exists());
    }

    #[test]
    fn uneven_classes_are_read_back_from_safetensors() {
        let place = tempfile::tempdir().unwrap();
        let dataset = crate::data::glyphs(0).unwrap();
        let names: Vec<_> = dataset.class_names().iter().map(String::as_str).collect();
        let mut counts = [1; 10];
        counts[3] = 4;
        for (counts, own) in [(counts, false), ([1; 10], true)] {
            let path = place.path().join(format!("{own}.safetensors"));
            let set = set(&names, &counts, 1, dataset.size());
            safetensors(&set, &path).unwrap();
            let read = crate::import::read(&path).unwrap();
            assert_eq!(read.dataset().is_some(), own);
            let read = read.into_set(&dataset).unwrap();
            assert_eq!((read.images, read.labels), (set.images, set.labels));
        }
    }
}
