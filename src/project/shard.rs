//! `shard.json`: what a run of some classes leaves beside its images, so that it can be joined with others.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Adapter, Figures, Result,
    files::{SET, SHARD, text_of, write_json},
    make::Made,
};
use crate::{Error, data::Part};

/// What is needed beside the record and the images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shard {
    /// Version of this program.
    pub version: String,
    /// Which classes of which data set.
    pub part: Part,
    /// A hash of the file of the images.
    pub set: String,
    /// The device.
    pub adapter: Adapter,
    /// The machine's name, where the system says it.
    pub host: Option<String>,
    /// Making the images took so many seconds.
    pub seconds: f64,
    /// The sum of the losses of its classes in each iteration.
    pub sums: Vec<f64>,
    /// The seconds until each.
    pub times: Vec<f64>,
}

impl Shard {
    /// Of a run whose images are in the folder.
    pub fn of(part: &Part, made: &Made, figures: &Figures, folder: &Path) -> Result<Self> {
        Ok(Self {
            version: figures.version.clone(),
            part: part.clone(),
            set: hash(&folder.join(SET))?,
            adapter: figures.adapter.clone(),
            host: host(),
            seconds: made.seconds,
            sums: made.history.sums.clone(),
            times: made.history.seconds.clone(),
        })
    }

    pub fn write(&self, folder: &Path) -> Result<()> {
        write_json(self, &folder.join(SHARD))
    }

    /// What the folder has, if its images are still those.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(SHARD);
        let text = text_of(&path).map_err(Error::io("read", &path))?;
        let own: Self = serde_json::from_str(&text)
            .map_err(|error| Error::format(&path, format!("no shard's: {error}")))?;
        match hash(&folder.join(SET))? == own.set {
            true => Ok(own),
            false => {
                let why = format!("these are not the images that {SHARD} tells of");
                Err(Error::format(folder.join(SET), why).into())
            }
        }
    }
}

fn hash(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The machine's name.
pub(super) fn host() -> Option<String> {
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let told = told.or_else(|| std::env::var("HOSTNAME").ok());
    let told = told.or_else(|| std::env::var("COMPUTERNAME").ok())?;
    Some(told.trim().to_owned()).filter(|name| !name.is_empty())
}
