//! Some classes of a set of pictures: only their pictures are decoded. What follows from all pictures (mean, standard
//! deviation, size, whether they have colours) is surveyed once, in a pass that keeps no pixels, and kept in the cache.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::{
    Picture, Pictures, Size, Wanted,
    cache::{Place, Summary},
};
use crate::{
    Dataset, Result,
    data::{ClassChoice, Part, Progress},
};

impl Pictures {
    /// The data set, or the part that was chosen.
    ///
    /// # Errors
    /// As [`load`](Self::load), and for classes that are not there.
    pub fn load_chosen(
        self,
        choice: Option<&ClassChoice>,
        cache: &Path,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Dataset> {
        match choice {
            None => self.load(cache, on_progress),
            Some(choice) => self.chosen(choice, cache, on_progress)?.load(cache, on_progress),
        }
    }

    /// The pictures of some classes, which become what they become in the whole set.
    fn chosen(
        mut self,
        choice: &ClassChoice,
        cache: &Path,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Self> {
        let mut images = vec![0; self.class_names.len()];
        self.train.iter().for_each(|picture| images[picture.label as usize] += 1);
        let classes = choice.of(&images)?;
        let Summary { channels, size, mean, std, .. } = self.summary(cache, on_progress)?;
        let digest = self.digest();
        let name = |class: &u32| self.class_names[*class as usize].clone();
        let class_names = classes.numbers().iter().map(name).collect();
        let own = |picture: Picture| {
            let label = classes.position(picture.label)? as u32;
            Some(Picture { label, ..picture })
        };
        let size = match self.wanted.size {
            Size::Resized(size) => Size::Resized(size),
            Size::Own | Size::Exactly(_) => Size::Exactly(size),
        };
        Ok(Self {
            train: self.train.into_iter().filter_map(own).collect(),
            test: Vec::new(),
            class_names,
            wanted: Wanted { channels: Some(channels), size },
            normalisation: Some((mean, std)),
            part: Some(Part { classes, of: self.class_names.len(), digest }),
            ..self
        })
    }

    /// What is known once all pictures were seen.
    fn summary(
        &mut self,
        cache: &Path,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Summary> {
        let Wanted { channels, size } = self.wanted;
        if let (Some(channels), Size::Exactly(size) | Size::Resized(size), Some((mean, std))) =
            (channels, size, self.normalisation.clone())
        {
            return Ok(Summary { channels, size, mean, std, in_both: 0 });
        }
        let place = Place::of(cache, self)?;
        let images = (self.train.len(), self.test.len());
        let whole = || place.open(images).map(|(_, summary)| summary);
        if let Some(known) = place.surveyed().or_else(whole) {
            return Ok(known);
        }
        log::info!("{}: all pictures are looked at once, for their mean and deviation", self.name);
        let summary = self.decode(None, on_progress)?;
        place.keep_survey(&summary)?;
        Ok(summary)
    }

    /// What tells the whole set from others, without its pixels.
    fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for name in &self.class_names {
            hasher.update((name.len() as u64).to_le_bytes());
            hasher.update(name);
        }
        for split in [&self.train, &self.test] {
            hasher.update((split.len() as u64).to_le_bytes());
            for Picture { file, label } in split {
                hasher.update((file.name.len() as u64).to_le_bytes());
                hasher.update(&file.name);
                hasher.update(file.len.to_le_bytes());
                hasher.update(label.to_le_bytes());
            }
        }
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
