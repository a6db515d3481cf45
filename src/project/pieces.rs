//! The finished shards of a run, read and found to go together, and what they are as one run.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    History, JoinFault, Method, Record, Result,
    error::Error,
    files::{RECORD, SET, SHARD},
    make::Made,
    record::OfShard,
    shard::Shard,
    snapshots,
};
use crate::{
    Error as Failure, SyntheticSet,
    condense::MAX_FILE,
    data::{ClassChoice, Classes, MOST_CLASSES, name_of},
    report::Sheet,
};

/// A run of all classes, put together from shards.
pub(super) struct Whole {
    /// Of a run that has not ended, with its shards.
    pub record: Record,
    pub made: Made,
    /// The images on the way, of each shard.
    pub snapshots: Vec<(Classes, Vec<(u32, Sheet)>)>,
}

/// A shard, read and found whole.
struct Piece {
    folder: PathBuf,
    record: Record,
    shard: Shard,
    /// What must be equal in all shards, by name.
    common: BTreeMap<String, String>,
}

impl Whole {
    /// Of the shards in these folders.
    ///
    /// # Errors
    /// [`Error::Join`] says which shard is missing, doubled, foreign or not finished.
    pub fn of(shards: &[PathBuf]) -> Result<Self> {
        let read = shards.iter().map(|folder| Piece::read(folder)).collect::<Result<Vec<_>>>()?;
        let (pieces, sets): (Vec<_>, Vec<_>) = read.into_iter().unzip();
        check(&pieces)?;
        let Some(first) = pieces.first() else {
            return Err(JoinFault::Missing { classes: "all".into(), command: None }.into());
        };
        let of = first.shard.part.of;
        let bytes = sets.iter().map(|set| 4 * set.images.len() as u64).sum::<u64>();
        if bytes > MAX_FILE {
            let why =
                format!("their images take {bytes} bytes, and those of one set {MAX_FILE} at most");
            return Err(Failure::shape("shards", why).into());
        }
        let snapshots = pieces.iter().zip(&sets).map(|(piece, set)| {
            Ok((piece.classes().clone(), snapshots::read(&piece.folder, &Sheet::of(set)?)))
        });
        let snapshots = snapshots.collect::<Result<_>>()?;
        let parts = pieces.iter().map(|piece| piece.classes().clone()).zip(sets);
        let set = SyntheticSet::join(parts)?;
        let history = history(&pieces, of);
        let condenses = first.record.method().is_some_and(Method::condenses);
        let mut record = Record { outcome: None, ..first.record.clone() };
        record.data.classes = None;
        record.shards = pieces.iter().map(Piece::told).collect();
        record.shards.sort_by_key(|shard| shard.classes.numbers().to_vec());
        let made = Made {
            iterations: condenses.then_some(history.losses.len() as u32),
            seconds: pieces.iter().map(|piece| piece.shard.seconds).sum(),
            // Methods that train networks to match along do not shard.
            training: 0.0,
            set,
            history,
            checkpoint: None,
        };
        Ok(Self { record, made, snapshots })
    }
}

impl Piece {
    /// With its images.
    fn read(folder: &Path) -> Result<(Self, SyntheticSet)> {
        let fault = |fault: fn(PathBuf) -> JoinFault| Error::from(fault(folder.to_path_buf()));
        if !folder.is_dir() {
            return Err(fault(JoinFault::NotThere));
        }
        let path = folder.join(RECORD);
        if !path.is_file() {
            return Err(fault(JoinFault::NoRun));
        }
        let record = Record::read(&path)?;
        if record.data.classes.is_none() {
            return Err(fault(JoinFault::Whole));
        }
        if !record.is_finished() || !folder.join(SHARD).is_file() || !folder.join(SET).is_file() {
            return Err(fault(JoinFault::NotEnded));
        }
        let shard = Shard::read(folder)?;
        let set = SyntheticSet::load(&folder.join(SET))?;
        let own = Some(&ClassChoice::Classes(shard.part.classes.clone()));
        let whole = set.classes() == shard.part.classes.numbers().len()
            && shard.part.of <= MOST_CLASSES as usize
            && shard.sums.len() == shard.times.len()
            && shard.sums.len() == record.iterations() as usize;
        match record.data.classes.as_ref() == own && whole {
            true => {
                let common = common(&record, &shard, &set);
                Ok((Self { folder: folder.to_path_buf(), record, shard, common }, set))
            }
            false => {
                let why = format!("it does not fit to {RECORD}");
                Err(Failure::format(folder.join(SHARD), why).into())
            }
        }
    }

    fn classes(&self) -> &Classes {
        &self.shard.part.classes
    }

    fn told(&self) -> OfShard {
        let Shard { adapter, host, seconds, .. } = self.shard.clone();
        let (folder, classes) = (self.folder.clone(), self.classes().clone());
        let index = self.record.machine.adapter.clone();
        OfShard { folder, classes, host, seconds, index, adapter }
    }
}

/// What must be equal in all of them, by name.
fn common(record: &Record, shard: &Shard, set: &SyntheticSet) -> BTreeMap<String, String> {
    let mut common = BTreeMap::new();
    let told = serde_json::to_value(record).unwrap_or_default();
    let mut put = |name: &str, value: &Value| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        common.insert(name.replace('_', " "), text);
    };
    put("version", &told["version"]);
    put("method", &told["method"]);
    put("data set", &name_of(&record.data.name).into());
    put("resize", &told["data"]["resize"]);
    put("test fraction", &told["data"]["test_fraction"]);
    for (table, prefix) in [("settings", ""), ("evaluation", "eval ")] {
        for (name, value) in told[table].as_object().into_iter().flatten() {
            put(&format!("{prefix}{name}"), value);
        }
    }
    let SyntheticSet { mean, std, channels, size, .. } = set;
    put("normalisation", &format!("mean {mean:?}, std {std:?}").into());
    put("images", &format!("{channels}×{size}×{size}").into());
    put("number of classes", &shard.part.of.into());
    put("images or labels of the data set", &shard.part.digest.clone().into());
    common
}

/// Refuses shards that do not go together, are doubled, or are not all.
fn check(pieces: &[Piece]) -> Result<()> {
    let mut owner: BTreeMap<u32, &Piece> = BTreeMap::new();
    let Some(first) = pieces.first() else { return Ok(()) };
    let expected = (first.folder.as_path(), &first.common);
    for piece in pieces {
        if let Some(fault) = JoinFault::foreign(expected, (&piece.folder, &piece.common)) {
            return Err(fault.into());
        }
        let twice: Vec<_> =
            piece.classes().numbers().iter().filter(|class| owner.contains_key(class)).collect();
        if let Some(class) = twice.first() {
            let first = owner[class].folder.clone();
            let classes = Classes::new(twice.iter().map(|class| **class))?.to_string();
            return Err(JoinFault::Twice { classes, first, second: piece.folder.clone() }.into());
        }
        owner.extend(piece.classes().numbers().iter().map(|class| (*class, piece)));
    }
    let missing = (0..first.shard.part.of as u32).filter(|class| !owner.contains_key(class));
    let missing: Vec<_> = missing.collect();
    if missing.is_empty() {
        return Ok(());
    }
    let classes = Classes::new(missing)?;
    let mut record = first.record.clone();
    let text = classes.to_string();
    record.data.classes = Some(ClassChoice::Classes(classes));
    Err(JoinFault::Missing { classes: text, command: Some(record.command()) }.into())
}

/// Losses and times as one device would have them. A sum of losses, f32 that are added up as f64, is exact unless they
/// differ by more than some factor of 10⁴ or so; then the mean may differ in its last bit, very rarely.
fn history(pieces: &[Piece], of: usize) -> History {
    let iterations = pieces.first().map_or(0, |piece| piece.shard.sums.len());
    let over = |values: fn(&Shard) -> &Vec<f64>, at: usize| -> f64 {
        pieces.iter().map(|piece| values(&piece.shard)[at]).sum()
    };
    let loss = |at| (over(|shard| &shard.sums, at) / of as f64) as f32;
    History {
        losses: (0..iterations).map(loss).collect(),
        seconds: (0..iterations).map(|at| over(|shard| &shard.times, at)).collect(),
        ..History::default()
    }
}
