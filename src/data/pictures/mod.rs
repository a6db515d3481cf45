//! Sets of pictures: decoded once, on all cores, into a file of the cache, and mapped from there.

mod bmp;
mod cache;
mod decode;
mod jpeg;
mod part;
mod shelf;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    sync::Arc,
};

#[cfg(feature = "testing")]
pub(crate) use decode::fitted_picture;
pub(crate) use decode::{endings, is_picture, pixels, planes, read};
pub(super) use shelf::{Entry, Shelf};

use super::{
    Part, Progress, Work,
    map::Map,
    pixels::Pixels,
    store::{CACHE_VARIABLE, no_cache, user_cache},
};
use crate::{Dataset, DatasetInfo, Error, Result, Text};
use cache::{Place, Summary, Writer};
use decode::{Form, Refused};

/// Decoded pixels that may wait for the disk.
const IN_FLIGHT: usize = 64 << 20;

/// A picture and the class that it shows.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    pub file: Entry,
    pub label: u32,
}

/// The description of a set of pictures.
#[derive(Debug)]
pub(super) struct Pictures {
    /// The data set's name.
    pub name: String,
    pub class_names: Vec<String>,
    pub shelf: Shelf,
    /// In the order that the images get, as is `test`.
    pub train: Vec<Picture>,
    pub test: Vec<Picture>,
    pub wanted: Wanted,
    /// Mean and standard deviation of each channel; else those of the training images.
    pub normalisation: Option<(Vec<f32>, Vec<f32>)>,
    /// Of which whole set these are some classes, if they are.
    pub part: Option<Part>,
}

/// What all pictures become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    /// 1 or 3; else 1 if all are grey.
    pub channels: Option<usize>,
    pub size: Size,
}

/// Height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Size {
    /// The size of the pictures, if they are square and all alike.
    Own,
    /// All pictures must have this size.
    Exactly(usize),
    /// They are cut to a square and resampled.
    Resized(usize),
}

/// Where decoded pictures are kept.
pub(super) fn cache_folder() -> Result<PathBuf> {
    user_cache().map(|folder| folder.join("pictures")).ok_or_else(|| {
        no_cache(&format!("Name one to keep decoded pictures in with {CACHE_VARIABLE}."))
    })
}

impl Pictures {
    /// The data set: from the cache, or decoded into it first.
    ///
    /// # Errors
    /// [`Error::Format`] naming the picture that can't be read, [`Error::Setting`] if they have
    /// different sizes, [`Error::Io`] for the picture or the file of the cache that the system
    /// refused.
    pub fn load(
        mut self,
        cache: &Path,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Dataset> {
        let place = Place::of(cache, &mut self)?;
        let images = (self.train.len(), self.test.len());
        let (map, summary) = match place.open(images) {
            Some(found) => found,
            None => {
                let writer = place.create()?;
                self.decode(Some(writer), on_progress)?;
                // It is read back in the same way as in later runs.
                place.open(images).ok_or_else(|| {
                    Error::format(place.path(), "what was just written can't be read again")
                })?
            }
        };
        if summary.in_both > 0 {
            log::warn!(
                "{} of the {} test pictures of {} are among the training pictures as well: \
                 accuracies will flatter",
                summary.in_both,
                self.test.len(),
                self.shelf.path().display()
            );
        }
        self.dataset(Arc::new(map), summary, &place.path())
    }

    fn dataset(self, map: Arc<Map>, summary: Summary, file: &Path) -> Result<Dataset> {
        let Summary { channels, size, mean, std, .. } = summary;
        let train = self.train.len() * channels * size * size;
        let test = self.test.len() * channels * size * size;
        let split = |range, pictures: &[Picture]| {
            let labels = pictures.iter().map(|picture| picture.label).collect();
            let pixels = Pixels::mapped(&map, range);
            pixels.map(|pixels| (pixels, labels)).ok_or_else(|| Error::format(file, "truncated"))
        };
        let (train, test) =
            (split(0..train, &self.train)?, split(train..train + test, &self.test)?);
        let (mean, mut std) = self.normalisation.unwrap_or((mean, std));
        if std.iter().all(|std| *std == 0.0) {
            return Err(Error::format(
                self.shelf.path(),
                "all its training pictures are of one and the same colour: there is nothing to see",
            ));
        }
        // A channel with one value everywhere becomes 0 with any scale.
        std.iter_mut().filter(|std| **std == 0.0).for_each(|std| *std = 1.0);
        let Self { name, class_names, part, .. } = self;
        let info = DatasetInfo { name, class_names, channels, size, mean, std };
        let dataset = Dataset::from_splits(info, train, test)?;
        Ok(match part {
            Some(part) => dataset.with_part(part),
            None => dataset,
        })
    }

    /// Decodes all pictures, into a file if there is one.
    fn decode(
        &mut self,
        mut to: Option<Writer>,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Summary> {
        let mut form = self.form()?;
        loop {
            match self.decode_as(form, to.as_mut(), on_progress) {
                Err(Stop::Coloured) => {
                    // The first picture was grey, this one is not: decode all again, in colour.
                    form.channels = 3;
                    to.as_mut().map(Writer::restart).transpose()?;
                }
                Err(Stop::Failed(error)) => return Err(error),
                Ok(summary) => {
                    to.map(|to| to.finish(&summary)).transpose()?;
                    return Ok(summary);
                }
            }
        }
    }

    /// What follows from the first picture, unless something else is asked for.
    fn form(&mut self) -> Result<Form> {
        let Wanted { channels, size } = self.wanted;
        let Some(first) = self.train.first() else {
            return Err(Error::format(self.shelf.path(), "there is no picture to train on"));
        };
        let mut shown = self.shelf.shown(&first.file.name);
        let mut found = self.shelf.map(&[&first.file], decode::survey).remove(0)?;
        // Pictures that cannot be read are reported together, after all were tried.
        for picture in self.train.iter().skip(1) {
            if found.is_ok() {
                break;
            }
            if let Ok(next) = self.shelf.map(&[&picture.file], decode::survey).remove(0)? {
                (shown, found) = (self.shelf.shown(&picture.file.name), Ok(next));
            }
        }
        let (width, height, coloured) = found.map_err(|reason| bad(&shown, reason))?;
        let own = width as usize;
        let size = match size {
            Size::Exactly(size) | Size::Resized(size) => size,
            Size::Own if width == height => own,
            Size::Own => {
                let form = format!(
                    "images must be square, and {} has {width}×{height} pixels: set ",
                    shown.display()
                );
                return Err(Error::needed(
                    "resize",
                    Text::from(form)
                        .setting("resize")
                        .then(" to the size to which pictures shall be cut and resampled"),
                ));
            }
        };
        Ok(Form {
            channels: channels.unwrap_or(if coloured { 3 } else { 1 }),
            size,
            resize: matches!(self.wanted.size, Size::Resized(_)),
        })
    }

    fn decode_as(
        &mut self,
        form: Form,
        mut to: Option<&mut Writer>,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Summary, Stop> {
        let image_len = form.channels * form.size * form.size;
        // Enough to keep all cores busy, but no more than may be in memory.
        let at_once = (16 * rayon::current_num_threads())
            .min(IN_FLIGHT / image_len)
            .max(rayon::current_num_threads());
        let total = (self.train.len() + self.test.len()) as u64;
        let name = self.name.clone();
        let mut done = 0;
        let unfinished = to.as_ref().map(|to| to.path().to_path_buf());
        let mut tell = |done| {
            on_progress(Progress {
                work: Work::Decoding,
                file: &name,
                done,
                total: Some(total),
                unfinished: unfinished.as_deref(),
            });
        };
        tell(0);
        let mut sums = vec![(0u64, 0u64); form.channels];
        let (mut seen, mut in_both) = (HashSet::new(), 0);
        let mut unreadable = Vec::new();
        for (train, pictures) in [(true, &self.train), (false, &self.test)] {
            for pictures in pictures.chunks(at_once) {
                let files: Vec<_> = pictures.iter().map(|picture| &picture.file).collect();
                let decoded = self.shelf.map(&files, |bytes| form.fitted(bytes));
                for (picture, decoded) in pictures.iter().zip(decoded) {
                    let path = self.shelf.shown(&picture.file.name);
                    let pixels = match decoded? {
                        Ok(pixels) => pixels,
                        // All of them are reported at once, rather than one per attempt.
                        Err(Refused::Unreadable(reason)) => {
                            unreadable.push((path, reason));
                            continue;
                        }
                        Err(refused) => return Err(self.refused(refused, &path, form)),
                    };
                    to.as_mut().map(|to| to.write(&pixels)).transpose()?;
                    let print = fingerprint(&pixels);
                    if train {
                        seen.insert(print);
                        add(&mut sums, &pixels);
                    } else if seen.contains(&print) {
                        in_both += 1;
                    }
                }
                done += pictures.len() as u64;
                tell(done);
            }
        }
        if let Some(error) = all_bad(unreadable) {
            return Err(error.into());
        }
        let values = (self.train.len() * form.size * form.size) as f64;
        let (mean, std) = sums.iter().map(|&(sum, squares)| moments(sum, squares, values)).unzip();
        Ok(Summary { channels: form.channels, size: form.size, mean, std, in_both })
    }

    /// The picture with which the others are compared.
    fn first(&self) -> String {
        let first = self.train.first().map(|picture| self.shelf.shown(&picture.file.name));
        first.unwrap_or_default().display().to_string()
    }

    fn refused(&self, refused: Refused, path: &Path, form: Form) -> Stop {
        Stop::Failed(match refused {
            Refused::Coloured if self.wanted.channels.is_none() => return Stop::Coloured,
            Refused::Coloured => bad(path, "it has colours; the others are grey".into()),
            Refused::Unreadable(reason) => bad(path, reason),
            Refused::Size(width, height) => match self.wanted.size {
                Size::Exactly(size) => Error::format(
                    path,
                    format!("{width}×{height} pixels; those of {} have {size}×{size}", self.name),
                ),
                _ => {
                    let differ = format!(
                        "pictures differ in size: {} has {size}×{size} pixels, {} {width}×{height}; set ",
                        self.first(),
                        path.display(),
                        size = form.size
                    );
                    let set = Text::from(differ).setting("resize");
                    let to = " to the size to which they shall be cut and resampled";
                    Error::needed("resize", set.then(to))
                }
            },
        })
    }
}

/// Why decoding does not go on.
enum Stop {
    Failed(Error),
    /// A picture has colours, but all pictures before it were grey.
    Coloured,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Names the first ones.
fn all_bad(mut pictures: Vec<(PathBuf, String)>) -> Option<Error> {
    const NAMED: usize = 5;
    if pictures.is_empty() {
        return None;
    }
    let (first, reason) = pictures.remove(0);
    if pictures.is_empty() {
        return Some(bad(&first, reason));
    }
    let named: Vec<_> = pictures
        .iter()
        .take(NAMED)
        .map(|(path, reason)| format!("{}: {reason}", path.display()))
        .collect();
    let more = match pictures.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let why = format!("{reason}; {}{more}; mend them or take them away", named.join("; "));
    Some(Error::format(&first, why))
}

fn bad(path: &Path, reason: String) -> Error {
    Error::format(path, format!("{reason}; mend it or take it away"))
}

/// For telling pictures from one another within one program run.
fn fingerprint(pixels: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    pixels.hash(&mut hasher);
    hasher.finish()
}

/// Adds a picture's values and their squares, channel by channel: whole numbers, so exactly.
fn add(sums: &mut [(u64, u64)], pixels: &[u8]) {
    let plane = pixels.len() / sums.len();
    for ((sum, squares), plane) in sums.iter_mut().zip(pixels.chunks_exact(plane)) {
        for &pixel in plane {
            let pixel = u64::from(pixel);
            *sum += pixel;
            *squares += pixel * pixel;
        }
    }
}

/// Mean and standard deviation, of pixels in 0…1.
fn moments(sum: u64, squares: u64, values: f64) -> (f32, f32) {
    let mean = sum as f64 / values;
    let variance = (squares as f64 / values - mean * mean).max(0.0);
    ((mean / 255.0) as f32, (variance.sqrt() / 255.0) as f32)
}
