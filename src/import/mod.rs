//! Sets from elsewhere, to be evaluated: run folders, safetensors, npz, folders of pictures. Data sets from npz.

#[cfg(feature = "files")]
mod classes;
mod dataset;
#[cfg(feature = "files")]
mod folder;
mod looks;
mod npy;
mod npz;
#[cfg(feature = "files")]
mod sheet;
mod tensors;

use std::path::{Path, PathBuf};

#[cfg(feature = "files")]
use crate::condense::read_file;
use crate::{
    Dataset, Error, Result, SyntheticSet, condense::is_pixel, impostors::refuse_impostor,
    names::printable,
};
pub use dataset::dataset_from_npz;
#[cfg(feature = "files")]
use folder::Pictures;

/// A set that was read, before its data set is known; [`into_set`](Self::into_set) takes the data set.
#[derive(Debug)]
pub struct Imported {
    path: PathBuf,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Set(SyntheticSet),
    Arrays(Arrays),
    #[cfg(feature = "files")]
    Pictures(Pictures),
}

/// `images` and `labels` of a file.
#[derive(Debug)]
struct Arrays {
    /// (N, C, H, W).
    shape: Vec<usize>,
    values: Values,
    labels: Vec<i64>,
}

#[derive(Debug)]
enum Values {
    /// Normalised, taken as they are.
    Floats(Vec<f32>),
    /// Pixels, which are normalised with the data set's mean and standard deviation.
    Bytes(Vec<u8>),
}

/// Reads a set from
/// - a run's folder, for its `synthetic.safetensors`;
/// - a `.safetensors` file, this crate's or another with `images` and `labels`;
/// - a `.npz` file with `images` and `labels`: images of shape (N, C, H, W), either floats that
///   are normalised already or `uint8` pixels, and one integer label each; this crate's own also say
///   what they were made from;
/// - a folder with a sub-folder per class that holds its pictures (PNG, JPEG, WebP or BMP). What systems keep
///   in folders for themselves, and what is neither file nor folder, is passed over. Sub-folders are called
///   as the classes or by their labels; only if none is, they are the classes in sorted order.
///
/// # Errors
/// [`Error::Io`] when something can't be read, [`Error::Format`] when it is none of these.
#[cfg(feature = "files")]
pub fn read(path: &Path) -> Result<Imported> {
    let content = read_content(path)?;
    Ok(Imported { path: path.to_path_buf(), content })
}

#[cfg(feature = "files")]
fn read_content(path: &Path) -> Result<Content> {
    let about = std::fs::metadata(path).map_err(Error::io("read", path))?;
    if about.is_dir() {
        let set = path.join("synthetic.safetensors");
        if set.is_file() {
            return SyntheticSet::load(&set).map(Content::Set);
        }
        folder::refuse_runs(path)?;
        return folder::read(path).map(Content::Pictures);
    }
    let decode = decoder(path)?;
    decode(&read_file(path)?, path)
}

/// A set from the bytes of a `.safetensors` or `.npz` file of this name, as [`read`] reads it.
///
/// ```
/// # fn taken(bytes: &[u8], dataset: &dm_wgpu::Dataset) -> dm_wgpu::Result<()> {
/// let set = dm_wgpu::import::from_bytes("dropped.npz", bytes)?.into_set(dataset)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Format`], with that name, when the bytes are not such a file.
pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Imported> {
    let path = Path::new(name);
    let decode = decoder(path)?;
    refuse_impostor(bytes, path)?;
    Ok(Imported { path: path.to_path_buf(), content: decode(bytes, path)? })
}

type Decoder = fn(&[u8], &Path) -> Result<Content>;

/// What reads the bytes of a file of this name.
fn decoder(path: &Path) -> Result<Decoder> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("safetensors") => Ok(tensors::decode),
        Some("npz") => Ok(npz::decode),
        Some("pt") => Err(Error::format(
            path,
            "a .pt is for PyTorch and not read here; give the run's folder, its .safetensors, or \
             an .npz",
        )),
        _ => Err(Error::format(
            path,
            "sets are read from a run's folder, a .safetensors or .npz file, or a folder with a \
             sub-folder of pictures a class",
        )),
    }
}

impl Imported {
    /// The name of the data set from which it was made, if the file says so.
    pub fn dataset(&self) -> Option<&str> {
        match &self.content {
            Content::Set(set) => Some(&set.dataset),
            _ => None,
        }
    }

    /// The set itself, if it is complete without a data set; otherwise `None`.
    pub fn own_set(&self) -> Option<&SyntheticSet> {
        match &self.content {
            Content::Set(set) => Some(set),
            _ => None,
        }
    }

    /// Turns it into a set of this data set's shape and classes. Floats are not changed; pixels and
    /// pictures are normalised with the data set's mean and standard deviation.
    ///
    /// Classes may have different numbers of images here, in any order, so that the set can be
    /// evaluated but perhaps not [saved](SyntheticSet::save). If a set names its classes, a label means the class of
    /// that name, whatever its number is: folders of pictures number their sub-folders by name.
    ///
    /// # Errors
    /// [`Error::Format`] if shape, labels or names of classes do not fit the data set, or a value is not finite.
    pub fn into_set(self, dataset: &Dataset) -> Result<SyntheticSet> {
        let Self { path, content } = self;
        let wrong = |reason: String| Error::format(&path, reason);
        let (images, labels, settings, (factor, course)) = match content {
            Content::Set(set) => {
                let shape = [set.labels.len(), set.channels, set.size, set.size];
                check_shape(&shape, dataset).map_err(wrong)?;
                looks::warn(&set.images, Some(dataset), &path);
                let labels = labels_by_name(&set, dataset).map_err(wrong)?;
                (set.images, labels, set.settings, (set.factor, set.course))
            }
            Content::Arrays(Arrays { shape, values, labels }) => {
                check_shape(&shape, dataset).map_err(wrong)?;
                let images = match values {
                    Values::Floats(values) => {
                        looks::warn(&values, Some(dataset), &path);
                        values
                    }
                    Values::Bytes(bytes) => dataset.normalised(&bytes).collect(),
                };
                (images, labels, "{}".to_owned(), (1, None))
            }
            #[cfg(feature = "files")]
            Content::Pictures(pictures) => {
                let (pixels, labels) = pictures.fitted(dataset)?;
                (dataset.normalised(&pixels).collect(), labels, "{}".to_owned(), (1, None))
            }
        };
        check(&images, &labels, dataset).map_err(wrong)?;
        Ok(SyntheticSet {
            ipc: most_of_a_class(&labels, dataset.classes()),
            images,
            labels,
            channels: dataset.channels(),
            size: dataset.size(),
            dataset: dataset.name().to_owned(),
            class_names: dataset.class_names().to_vec(),
            mean: dataset.mean().to_vec(),
            std: dataset.std().to_vec(),
            factor,
            settings,
            course,
        })
    }
}

/// A whole number of up to eight bytes, the least significant first; a number beyond all labels becomes the largest
/// one.
fn integer<'a>(bytes: impl ExactSizeIterator<Item = &'a u8> + Clone, signed: bool) -> i64 {
    let negative = signed && bytes.clone().last().is_some_and(|last| *last > 127);
    let mut wide = [if negative { 255 } else { 0 }; 8];
    wide.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    match signed {
        true => i64::from_le_bytes(wide),
        false => i64::try_from(u64::from_le_bytes(wide)).unwrap_or(i64::MAX),
    }
}

fn check_shape(shape: &[usize], dataset: &Dataset) -> Result<(), String> {
    let (channels, size) = (dataset.channels(), dataset.size());
    match *shape {
        [n, c, h, w] if n > 0 && (c, h, w) == (channels, size, size) => Ok(()),
        _ => Err(format!(
            "images have shape {shape:?}; those of {} need (N, {channels}, {size}, {size}) with N \
             at least 1",
            dataset.name()
        )),
    }
}

/// The images of the class that has most.
fn most_of_a_class(labels: &[i64], classes: usize) -> usize {
    let mut counts = vec![0; classes];
    let of_class = labels.iter().filter_map(|&label| usize::try_from(label).ok());
    of_class.for_each(|class| counts.get_mut(class).into_iter().for_each(|count| *count += 1));
    counts.into_iter().max().unwrap_or(0)
}

/// A set's labels, as this data set numbers the classes of those names.
fn labels_by_name(set: &SyntheticSet, dataset: &Dataset) -> Result<Vec<i64>, String> {
    let (made, known) = (&set.class_names, dataset.class_names());
    if made.is_empty() || made == known {
        return Ok(set.labels.clone());
    }
    let place = |name: &String| known.iter().position(|other| other == name);
    let places: Option<Vec<_>> = made.iter().map(place).collect();
    let Some(places) = places.filter(|_| made.len() == known.len()) else {
        return Err(format!(
            "it was made of the classes {}; those of {} are {}. Give the data set that it was made from",
            listed(made),
            dataset.name(),
            listed(known)
        ));
    };
    // A label that is no class stays invalid, and the check of all labels reports it.
    let label = |&label: &i64| match usize::try_from(label).ok().and_then(|at| places.get(at)) {
        Some(&place) => place as i64,
        None => label,
    };
    Ok(set.labels.iter().map(label).collect())
}

/// Some of the names, if they are many.
fn listed(names: &[String]) -> String {
    let first: Vec<_> = names.iter().take(5).map(|name| printable(name)).collect();
    let more =
        if names.len() > 5 { format!(" and {} more", names.len() - 5) } else { String::new() };
    first.join(", ") + &more
}

fn check(images: &[f32], labels: &[i64], dataset: &Dataset) -> Result<(), String> {
    let (image_len, classes) = (dataset.image_len(), dataset.classes());
    if images.len() != labels.len() * image_len {
        return Err(format!(
            "{} images with {} labels; one label each is needed",
            images.len() / image_len,
            labels.len()
        ));
    }
    let fits = |&label: &i64| usize::try_from(label).is_ok_and(|label| label < classes);
    if let Some(at) = labels.iter().position(|label| !fits(label)) {
        return Err(format!(
            "image {at} has label {}; {} has classes 0 to {}",
            labels[at],
            dataset.name(),
            classes - 1
        ));
    }
    if let Some(at) = images.iter().position(|value| !is_pixel(value)) {
        let (image, value) = (at / image_len, images[at]);
        return Err(format!(
            "image {image} has a pixel that is {value:e}: networks see nothing in it"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::glyphs;

    fn arrays(shape: &[usize], values: Values, labels: Vec<i64>) -> Imported {
        let content = Content::Arrays(Arrays { shape: shape.to_vec(), values, labels });
        Imported { path: "set.npz".into(), content }
    }

    #[test]
    fn floats_stay_and_pixels_are_normalised() {
        let dataset = glyphs(0).unwrap();
        let shape = [2, dataset.channels(), dataset.size(), dataset.size()];
        let n = 2 * dataset.image_len();
        let floats: Vec<f32> = (0..n).map(|i| i as f32 * 0.37 - 5.0).collect();
        let set = arrays(&shape, Values::Floats(floats.clone()), vec![1, 0]);
        let set = set.into_set(&dataset).unwrap();
        assert_eq!((set.images, set.labels), (floats, vec![1, 0]));

        let set = arrays(&shape, Values::Bytes(vec![255; n]), vec![1, 1]);
        let white = (1.0 - dataset.mean()[0]) / dataset.std()[0];
        assert!(set.into_set(&dataset).unwrap().images.iter().all(|&x| x == white));
    }

    #[test]
    fn sets_that_do_not_fit_the_data_set_are_refused() {
        let dataset = glyphs(0).unwrap();
        let (size, n) = (dataset.size(), dataset.image_len());
        let good = [1, dataset.channels(), size, size];
        let classes = dataset.classes() as i64;
        for (shape, values, labels, word) in [
            (vec![1, n], vec![0.0; n], vec![0], "shape"),
            (vec![1, 4, size, size], vec![0.0; n], vec![0], "shape"),
            (vec![0, 1, size, size], vec![], vec![], "at least 1"),
            (good.to_vec(), vec![0.0; n], vec![0, 1], "one label each"),
            (good.to_vec(), vec![0.0; n], vec![classes], "has label"),
            (good.to_vec(), vec![0.0; n], vec![-1], "has label -1"),
            (good.to_vec(), vec![f32::NAN; n], vec![0], "NaN"),
            (good.to_vec(), vec![1e30; n], vec![0], "1e30"),
        ] {
            let error = arrays(&shape, Values::Floats(values), labels).into_set(&dataset);
            let message = error.unwrap_err().to_string();
            assert!(message.contains(word) && message.contains("set.npz"), "{message}");
        }
    }

    #[test]
    fn classes_with_different_numbers_of_images_can_be_saved() {
        let dataset = glyphs(0).unwrap();
        let (size, n) = (dataset.size(), dataset.image_len());
        let shape = [20, dataset.channels(), size, size];
        for most in [2, 3] {
            // As many images as two of each class would be.
            let mut labels: Vec<_> = (0..10).flat_map(|class| [class; 2]).collect();
            if most == 3 {
                labels[2] = 0;
            }
            let values = Values::Floats(vec![0.5; 20 * n]);
            let set = arrays(&shape, values, labels).into_set(&dataset).unwrap();
            assert_eq!((set.ipc, set.is_even()), (most, most == 2));
            assert_eq!(SyntheticSet::from_bytes(&set.to_bytes().unwrap()).unwrap(), set);
        }
    }

    #[test]
    fn classes_keep_their_names_whatever_their_numbers() {
        let dataset = glyphs(0).unwrap();
        let n = dataset.image_len();
        let names = dataset.class_names().to_vec();
        let into = |class_names: Vec<String>| {
            let set = SyntheticSet {
                images: vec![0.0; 2 * n],
                labels: vec![0, 3],
                ipc: 1,
                factor: 1,
                channels: dataset.channels(),
                size: dataset.size(),
                dataset: dataset.name().to_owned(),
                class_names,
                mean: dataset.mean().to_vec(),
                std: dataset.std().to_vec(),
                settings: "{}".to_owned(),
                course: None,
            };
            let content = Content::Set(set);
            Imported { path: "set.npz".into(), content }.into_set(&dataset)
        };
        assert_eq!(into(names.clone()).unwrap().labels, [0, 3]);
        assert_eq!(into(vec![]).unwrap().labels, [0, 3]);
        let turned: Vec<_> = names.iter().rev().cloned().collect();
        assert_eq!(into(turned).unwrap().labels, [9, 6]);
        let mut renamed = names.clone();
        renamed[3] = "dog".into();
        for other in [renamed, names[..9].to_vec()] {
            let message = into(other).unwrap_err().to_string();
            assert!(message.contains("made of the classes 0, 1, 2"), "{message}");
        }
    }

    #[cfg(feature = "files")]
    #[test]
    fn a_folder_of_runs_names_them() {
        let place = tempfile::tempdir().unwrap();
        for run in ["dm", "random"] {
            std::fs::create_dir(place.path().join(run)).unwrap();
            std::fs::write(place.path().join(run).join("synthetic.safetensors"), "x").unwrap();
        }
        std::fs::create_dir(place.path().join("whole")).unwrap();
        std::fs::write(place.path().join("whole/report.json"), "x").unwrap();
        let error = read(place.path()).unwrap_err();
        let (dm, random) = (place.path().join("dm"), place.path().join("random"));
        let both = format!("one of them: {}, {}", dm.display(), random.display());
        assert!(error.to_string().ends_with(&both), "{error}");
        let error = read(&place.path().join("whole")).unwrap_err().to_string();
        assert!(error.contains("no set"), "{error}");
    }

    #[cfg(feature = "files")]
    #[test]
    fn unknown_files_are_told_what_is_possible() {
        let place = tempfile::tempdir().unwrap();
        for name in ["set.txt", "set", "set.pt"] {
            std::fs::write(place.path().join(name), "x").unwrap();
            let message = read(&place.path().join(name)).unwrap_err().to_string();
            assert!(message.contains(".npz") && message.contains(name), "{message}");
        }
        assert!(matches!(read(&place.path().join("none.npz")), Err(Error::Io { .. })));
    }
}
