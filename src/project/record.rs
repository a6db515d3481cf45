//! `run.toml`, the record of a run: what was asked for, the device, the outcome, and the command that repeats the run.

mod parts;

use std::path::Path;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use toml::{Table, Value};

use super::{
    Method, Result,
    files::text_of,
    settings::{SETTINGS, Setting},
    words::{BOTH, quoted, say_numbers},
};
use crate::{
    Error, EvaluationSettings, Gpu, Matching,
    data::{self, ClassChoice},
    report,
};

pub use parts::{Adapter, Data, Machine, MethodSettings, OfShard, Outcome};

/// The table of a record with the evaluation by the second of them.
pub const OTHER_PROTOCOL: &str = "other_protocol";

/// The default number of pictures on the way.
const USUAL_SNAPSHOTS: u32 = 10;

/// Everything that is needed to repeat or resume a run, and its outcome so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Version of this program.
    pub version: String,
    /// By its name; [`Method::named`] knows it.
    pub method: String,
    /// Evaluate before the first iteration and after every so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_every: Option<u32>,
    /// Pictures of the images on the way; `None` if the method has no iterations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<u32>,
    /// Whether no evaluation was asked for.
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_eval: bool,
    /// Whether the accuracy is not to be compared with that of random images of equal storage.
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_baseline: bool,
    /// What it works on.
    pub data: Data,
    /// As asked for; [`Outcome::completed_iterations`] is what was done. Training on a whole data
    /// set has no settings but those of the evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<MethodSettings>,
    /// `None` if no evaluation was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<EvaluationSettings>,
    /// A further evaluation by the other protocol, if both were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_protocol: Option<EvaluationSettings>,
    /// What was asked of the machine.
    #[serde(default, skip_serializing_if = "Machine::is_open")]
    pub machine: Machine,
    /// The device on which it ran last.
    pub adapter: Adapter,
    /// `None` until the run ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The shards that were joined to this run; none if it was one run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<OfShard>,
}

impl Record {
    /// A run of these settings, to be begun; without any it trains on the whole data set.
    pub fn new(
        data: Data,
        settings: Option<MethodSettings>,
        evaluation: Option<EvaluationSettings>,
    ) -> Self {
        let method = match &settings {
            Some(MethodSettings::Condensing(settings)) => Method::Condensing(settings.method),
            Some(MethodSettings::Selection(settings)) => Method::Selection(settings.selection),
            None => Method::Whole,
        };
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            method: method.name().to_owned(),
            eval_every: None,
            snapshots: method.condenses().then_some(USUAL_SNAPSHOTS),
            no_eval: evaluation.is_none(),
            no_baseline: false,
            data,
            settings,
            evaluation,
            other_protocol: None,
            machine: Machine::default(),
            adapter: Adapter::default(),
            outcome: None,
            shards: Vec::new(),
        }
    }

    /// What folders are called after: `glyphs-ipc10`.
    pub fn name(&self) -> String {
        let dataset = short(&self.data.name);
        let each = self.settings.as_ref().map(MethodSettings::each).unwrap_or_default();
        let name = match &self.settings {
            Some(MethodSettings::Condensing(settings)) => {
                let method = match settings.method {
                    Matching::Dm => String::new(),
                    other => format!("-{other}"),
                };
                let packed = match settings.factor {
                    1 => String::new(),
                    factor => format!("-factor{factor}"),
                };
                format!("{dataset}{method}-{each}{packed}")
            }
            Some(MethodSettings::Selection(settings)) => {
                format!("{dataset}-{}-{each}", settings.selection)
            }
            None => format!("{dataset}-whole"),
        };
        match &self.data.classes {
            None => name,
            Some(classes) => {
                const LONGEST: usize = 30;
                let classes = classes.to_string().replace([',', '/'], "_");
                let cut = classes.char_indices().nth(LONGEST).map_or(classes.len(), |(at, _)| at);
                format!("{name}-classes{}", &classes[..cut])
            }
        }
    }

    /// Refuses what cannot be asked of some classes alone.
    pub(super) fn check_part(&self, classes: &ClassChoice) -> crate::Result<()> {
        if let Some(every) = self.eval_every {
            let why = format!(
                "networks are tested on all classes, and these are {classes}; leave it out"
            );
            return Err(Error::setting("eval_every", every, why));
        }
        if self.settings.is_none() {
            let why = format!("{} trains on all classes at once; leave it out", self.method);
            return Err(Error::setting("classes", classes, why));
        }
        Ok(())
    }

    /// What is to be done of it in this folder: a part of the classes is not evaluated, because networks are tested on all.
    pub fn of_part(&self) -> Self {
        match self.data.classes {
            None => self.clone(),
            Some(_) => {
                Self { evaluation: None, other_protocol: None, no_eval: true, ..self.clone() }
            }
        }
    }

    /// What makes the set.
    pub fn method(&self) -> Option<Method> {
        match &self.settings {
            Some(MethodSettings::Condensing(settings)) => Some(Method::Condensing(settings.method)),
            Some(MethodSettings::Selection(settings)) => {
                Some(Method::Selection(settings.selection))
            }
            None => Method::named(&self.method).filter(|method| *method == Method::Whole),
        }
    }

    /// Its evaluations, none if none was asked for.
    pub(super) fn evaluations(&self) -> Vec<&EvaluationSettings> {
        let both = self.evaluation.iter().chain(&self.other_protocol);
        both.collect()
    }

    /// Both evaluations, if there are two protocols.
    pub fn protocols(&self) -> Option<[EvaluationSettings; 2]> {
        Some([self.evaluation.clone()?, self.other_protocol.clone()?])
    }

    /// Whether random images of equal storage are to be evaluated beside its set.
    pub fn wants_baseline(&self) -> bool {
        let better = self.method().is_some_and(Method::beats_random);
        better && self.evaluation.is_some() && !self.no_baseline
    }

    /// The iterations that were asked for; none if the method has none.
    pub(super) fn iterations(&self) -> u32 {
        match &self.settings {
            Some(MethodSettings::Condensing(settings)) => settings.iterations,
            _ => 0,
        }
    }

    /// What everything random follows from.
    pub fn seed(&self) -> u64 {
        match (&self.settings, &self.evaluation) {
            (Some(MethodSettings::Condensing(settings)), _) => settings.seed,
            (Some(MethodSettings::Selection(settings)), _) => settings.seed,
            (None, evaluation) => evaluation.as_ref().map_or(0, |settings| settings.seed),
        }
    }

    /// The same, to be begun or resumed by this version on this device.
    pub fn begun_on(&self, gpu: &Gpu) -> Self {
        let condenses = matches!(self.settings, Some(MethodSettings::Condensing(_)));
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            eval_every: self.eval_every.filter(|_| condenses && self.evaluation.is_some()),
            no_eval: self.evaluation.is_none(),
            // Earlier versions did not write it.
            snapshots: condenses.then(|| self.snapshots.unwrap_or(USUAL_SNAPSHOTS)),
            adapter: Adapter::of(gpu),
            outcome: None,
            ..self.clone()
        }
    }

    /// Refuses impossible requests, as far as this can be checked without data and a device, because anything may have
    /// been written into the file by hand.
    pub fn check(&self) -> crate::Result<()> {
        let wrong = |name, given: &dyn ToString, expected: &str| {
            Err(Error::setting(name, given.to_string(), expected))
        };
        let Data { name, data_dir, .. } = &self.data;
        let method = self.method();
        let named = method.is_some_and(|method| method.name() == self.method);
        if !(data::NAMES.contains(&name.as_str()) || pictures(name).is_some()) {
            let names = data::NAMES.join(", ");
            return wrong("dataset", name, &format!("possible are {names}, folder:PATH"));
        } else if !named {
            return wrong("method", &self.method, "the settings are those of another method");
        } else if method == Some(Method::Whole) && self.evaluation.is_none() {
            return wrong("method", &self.method, "without an evaluation there is nothing to do");
        }
        if let Some(classes) = &self.data.classes {
            self.check_part(classes)?;
        }
        let Ok(record) = serde_json::to_value(self) else {
            let path = data_dir.as_deref().unwrap_or(Path::new("")).display();
            return wrong("data_dir", &path, "a path in UTF-8 is needed");
        };
        // The other settings are checked together with the data set.
        let own = SETTINGS.iter().filter(|s| !["settings", "evaluation"].contains(&s.table));
        for setting in own {
            if let Some(value) = setting.value_in(&record)
                && let Some(possible) = setting.possible(value)
            {
                return wrong(setting.name, value, &possible);
            }
        }
        self.machine.adapter_choice().map(drop)
    }

    /// Writes the file, with the command that repeats the run.
    pub fn write(&self, path: &Path) -> Result<()> {
        let table =
            toml::to_string(self).map_err(|error| Error::format(path, error.to_string()))?;
        let command = self.command();
        let text = format!("# The same again, into a new folder:\n# {command}\n\n{table}");
        Ok(report::write_whole(path, text.as_bytes())?)
    }

    /// What the file holds.
    pub fn read(path: &Path) -> Result<Self> {
        let failed = |why: String| Error::format(path, why);
        let text = text_of(path).map_err(|error| failed(error.to_string()))?;
        Ok(parse(&text).map_err(|error| failed(format!("no record of a run: {error}")))?)
    }

    /// The command that repeats the run: with every setting, as defaults may change, and without `--out`, as that
    /// folder is no longer empty.
    pub(super) fn command(&self) -> String {
        let mut record = serde_json::to_value(self).unwrap_or_default();
        // The record leaves out usual values, but the command names them.
        if let Some(MethodSettings::Condensing(settings)) = &self.settings {
            record["settings"]["net"] = settings.net.to_string().into();
            record["settings"]["factor"] = settings.factor.into();
        }
        say_numbers(&mut record["settings"]);
        if let Some(settings) = &self.evaluation {
            record["evaluation"]["net"] = settings.net.to_string().into();
            record["evaluation"]["protocol"] = settings.protocol.name().into();
        }
        if let Some(other) = self.other_protocol.as_ref().and_then(|s| serde_json::to_value(s).ok())
        {
            // What they do not share follows from the protocol.
            if let Some(own) = record["evaluation"].as_object_mut() {
                own.retain(|key, value| key == "net" || other.get(key) == Some(value));
            }
            record["evaluation"]["protocol"] = BOTH.into();
        }
        let mut command = "dm-wgpu".to_owned();
        let method = self.method();
        // What a method has not, its settings may say, but no flag.
        let own = |setting: &&Setting| method.is_none_or(|method| setting.used_by(method));
        for setting in SETTINGS.iter().filter(own) {
            if let Some(value) = setting.value_in(&record) {
                command += &format!(" {}", setting.flag());
                if !value.is_boolean() {
                    command += &format!(" {}", quoted(&setting.typed(value)));
                }
            }
        }
        command
    }
}

/// Where the pictures are, if this names a folder of them.
pub fn pictures(dataset: &str) -> Option<&Path> {
    dataset.strip_prefix(data::FOLDER).map(Path::new)
}

/// A data set's name as a part of a folder's: of a folder of pictures, its own.
pub(in crate::project) fn short(name: &str) -> String {
    let Some(path) = pictures(name) else { return name.to_owned() };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let keep = |c: char| if c.is_alphanumeric() || "-_+.".contains(c) { c } else { '_' };
    let name: String = name.chars().map(keep).take(50).collect();
    match name.trim_matches('.') {
        "" => "folder".into(),
        name => name.into(),
    }
}

/// Reads a record, or several runs' with one in `run`. In those of earlier versions the memory budget is among the
/// settings.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, toml::de::Error> {
    toml::from_str(text).or_else(|error| {
        let older = text.parse().ok().and_then(|mut table: Table| {
            move_budget(&mut table);
            if let Some(Value::Table(run)) = table.get_mut("run") {
                move_budget(run);
            }
            table.try_into().ok()
        });
        older.ok_or(error)
    })
}

/// To where it is now.
fn move_budget(record: &mut Table) {
    let mut found = None;
    for part in ["settings", "evaluation"] {
        if let Some(Value::Table(part)) = record.get_mut(part) {
            let own = part.remove("memory_budget");
            found = found.or(own);
        }
    }
    if let Some(budget) = found
        && let Value::Table(machine) =
            record.entry("machine").or_insert_with(|| Value::Table(Table::new()))
    {
        machine.entry("memory_budget").or_insert(budget);
    }
}

// What serde asks of it.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::Settings;

    /// What a run is asked of the embedded data set.
    pub(in crate::project) fn sample(seed: u64) -> Record {
        let dataset = data::glyphs(0).unwrap();
        let settings = Settings { seed, ..Settings::for_dataset(&dataset) };
        let evaluation = EvaluationSettings { seed, ..EvaluationSettings::for_dataset(&dataset) };
        let data = Data { name: "glyphs".into(), ..Data::default() };
        Record::new(data, Some(MethodSettings::Condensing(settings)), Some(evaluation))
    }

    #[test]
    fn folders_are_called_after_their_runs() {
        assert_eq!(sample(0).name(), "glyphs-ipc10");
        for (name, expected) in [
            ("mnist", "mnist"),
            ("folder:/a/my pets", "my_pets"),
            ("folder:/a/pets/", "pets"),
            ("folder:/", "folder"),
            ("folder:/a/...", "folder"),
        ] {
            assert_eq!(short(name), expected);
        }
    }

    #[test]
    fn a_budget_among_the_settings_is_the_machines() {
        let mut now = sample(0);
        now.machine.kernels = Some("plain".into());
        now.machine.memory_budget = Some(1 << 30);
        let text = toml::to_string(&now).unwrap();
        let own = "memory_budget = 1073741824\n";
        assert!(text.contains(own) && !text.contains(&format!("seed = 0\n{own}")), "{text}");
        // As earlier versions wrote it.
        let text = text.replace(own, "").replace("seed = 0\n", &format!("seed = 0\n{own}"));
        assert_eq!(text.matches(own).count(), 2, "{text}");
        assert_eq!(parse::<Record>(&text).unwrap(), now);
        // Errors point to places in the file as it is.
        let wrong = text.replace("ipc = 10", "ipc = true");
        let error = parse::<Record>(&wrong).unwrap_err().to_string();
        assert_eq!(error, toml::from_str::<Record>(&wrong).unwrap_err().to_string());
    }

    #[test]
    fn what_no_run_can_be_asked_is_refused_by_name() {
        sample(0).check().unwrap();
        let refused = |setting: &str, change: &dyn Fn(&mut Record)| {
            let mut record = sample(0);
            change(&mut record);
            match record.check().unwrap_err() {
                Error::Setting { name, .. } => assert_eq!(name, setting),
                other => panic!("{other}"),
            }
        };
        refused("dataset", &|r| r.data.name = "stones".into());
        refused("method", &|r| r.method = "herding".into());
        refused("method", &|r| r.settings = None);
        refused("method", &|r| {
            (r.method, r.settings, r.evaluation) = ("whole".into(), None, None);
        });
        refused("eval_every", &|r| r.eval_every = Some(0));
        refused("snapshots", &|r| r.snapshots = Some(1001));
        refused("resize", &|r| r.data.resize = Some(4097));
        refused("test_fraction", &|r| r.data.test_fraction = Some(1.0));
        refused("test_fraction", &|r| r.data.test_fraction = Some(f64::NAN));
        #[cfg(unix)]
        refused("data_dir", &|r| {
            let path: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(vec![0xff]);
            r.data.data_dir = Some(path.into());
        });
        refused("submit_target", &|r| r.machine.submit_target = Some(0));
        refused("memory_budget", &|r| r.machine.memory_budget = Some(0));
        refused("kernels", &|r| r.machine.kernels = Some("fast".into()));
        refused("precision", &|r| r.machine.precision = Some("f64".into()));
    }
}
