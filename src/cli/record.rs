//! `run.toml`: what a run was asked, on what it ran, what came of it, and the command that repeats it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use toml::{Table, Value};

use dm_wgpu::{
    Accuracy, EvaluationSettings, Gpu, Precision, SelectionSettings, Settings, Subject, report,
};

use super::{
    args::{MachineArgs, PictureArgs, RunArgs},
    failure::Failure,
    figures::Figures,
    folder::text_of,
    method::Method,
    values,
};

/// Everything that it takes to do a run again, or to go on with it, and what is known of it so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Version of this program.
    pub version: String,
    pub method: String,
    /// Evaluate before the first iteration and after every so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_every: Option<u32>,
    /// Pictures of the images on the way; none if the method has no way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<u32>,
    /// Whether no evaluation was asked for.
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_eval: bool,
    pub data: Data,
    /// As asked for; [`Outcome::completed_iterations`] is what was done. Training on a whole data
    /// set has none but those of the evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<MethodSettings>,
    /// None if it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<EvaluationSettings>,
    #[serde(default, skip_serializing_if = "Machine::is_open")]
    pub machine: Machine,
    pub adapter: Adapter,
    /// None as long as the run goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// Which data, from where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// As it was asked for.
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// Height and width that pictures were resampled to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resize: Option<usize>,
    /// Part of each class to test on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_fraction: Option<f64>,
}

/// What was asked of the machine, where [`Adapter`] is what answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernels: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submit_target: Option<u32>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_budget: Option<u64>,
}

/// What the method was asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MethodSettings {
    Dm(Settings),
    Selection(SelectionSettings),
}

impl MethodSettings {
    /// Those of the arguments; none for training on all there is.
    pub fn of<'a>(args: &RunArgs, method: Method, subject: impl Into<Subject<'a>>) -> Option<Self> {
        match method {
            Method::Dm => Some(Self::Dm(args.settings(subject))),
            Method::Selection(by) => Some(Self::Selection(args.selection(subject, by))),
            Method::Whole => None,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    pub name: String,
    pub backend: String,
    pub driver: String,
    /// The family of kernels that served it.
    pub kernels: String,
    /// What convolutions rounded their factors to.
    pub precision: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Fewer than asked for if the run was interrupted; none if the method has no iterations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_iterations: Option<u32>,
    /// As [`Losses`](super::figures::Losses) has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_loss: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_loss: Option<f32>,
    /// Without those of the evaluation.
    pub seconds: f64,
    /// Whether it ended before all was done that was asked for.
    pub interrupted: bool,
    /// In per cent; none if it was not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Accuracy>,
}

impl Adapter {
    pub fn of(gpu: &Gpu) -> Self {
        let info = gpu.info();
        Self {
            name: info.name.clone(),
            backend: info.backend.to_str().to_owned(),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            kernels: gpu.kernels().name().to_owned(),
            precision: gpu.precision().name().to_owned(),
        }
    }
}

impl Machine {
    fn of(args: &MachineArgs) -> Self {
        Self {
            adapter: args.adapter.clone(),
            backend: args.backend.clone(),
            kernels: args.kernels.map(|kernels| kernels.name().to_owned()),
            precision: (args.precision != Precision::default())
                .then(|| args.precision.name().to_owned()),
            submit_target: args.submit_target,
            memory_budget: args.memory_budget.filter(|bytes| *bytes != Gpu::MEMORY_BUDGET),
        }
    }

    /// Whether nothing was asked for, and so anything will do.
    fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

impl Outcome {
    pub fn of(figures: &Figures) -> Self {
        Self {
            completed_iterations: figures.completed_iterations,
            first_loss: figures.loss.map(|loss| loss.first),
            last_loss: figures.loss.map(|loss| loss.last),
            seconds: figures.seconds.condensing,
            interrupted: figures.interrupted,
            accuracy: figures.accuracy.clone(),
        }
    }
}

impl Record {
    /// A run that was asked for, without an outcome.
    pub fn of(
        args: &RunArgs,
        method: Method,
        settings: Option<MethodSettings>,
        evaluation: Option<EvaluationSettings>,
        adapter: Adapter,
    ) -> Self {
        let data_dir = args.machine.data_dir.clone();
        let PictureArgs { resize, test_fraction } = args.machine.pictures;
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            method: method.name().to_owned(),
            // From a file it may stand beside a method that has no iterations.
            eval_every: args.eval_every.filter(|_| method == Method::Dm),
            no_eval: evaluation.is_none(),
            snapshots: (method == Method::Dm).then_some(args.snapshots),
            data: Data { name: args.dataset().to_owned(), data_dir, resize, test_fraction },
            settings,
            evaluation,
            machine: Machine::of(&args.machine),
            adapter,
            outcome: None,
        }
    }

    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let table = toml::to_string(self)
            .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
        let command = self.command();
        let text = format!("# The same again, into a new folder:\n# {command}\n\n{table}");
        Ok(report::write_whole(path, text.as_bytes())?)
    }

    /// What the file holds.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |why: String| Failure::Failed(format!("{}: {why}", path.display()));
        let text = text_of(path).map_err(|error| failed(error.to_string()))?;
        parse(&text).map_err(|error| failed(format!("no record of a run: {error}")))
    }

    /// The command that does the same again.
    fn command(&self) -> String {
        let words: Vec<_> = self.arguments().iter().map(|word| quoted(word)).collect();
        words.join(" ")
    }

    /// Its words: every setting resolved, as defaults may change, and no `--out`, as that folder is
    /// full now.
    pub fn arguments(&self) -> Vec<String> {
        let mut words = vec!["dm-wgpu".to_owned()];
        let mut say = |flag: &str, value: &dyn ToString| {
            words.extend([format!("--{flag}"), value.to_string()]);
        };
        say("dataset", &self.data.name);
        match &self.settings {
            Some(MethodSettings::Dm(settings)) => dm_flags(settings, &mut say),
            Some(MethodSettings::Selection(settings)) => {
                let SelectionSettings { selection, ipc, width, depth, seed } = settings;
                say("method", selection);
                say("ipc", ipc);
                say("width", width);
                say("depth", depth);
                say("seed", seed);
            }
            None => say("method", &self.method),
        }
        if let Some(settings) = &self.evaluation {
            let EvaluationSettings { nets, net, epochs, width, depth, batch, lr, augment, seed } =
                settings;
            if self.settings.is_none() {
                say("seed", seed);
            }
            say("eval-net", net);
            say("eval-depth", depth);
            say("eval-batch", batch);
            say("eval-lr", lr);
            say("eval-augment", augment);
            say("eval-nets", nets);
            say("eval-epochs", epochs);
            say("eval-width", width);
        }
        if let Some(every) = &self.eval_every {
            say("eval-every", every);
        }
        if let Some(snapshots) = &self.snapshots {
            say("snapshots", snapshots);
        }
        let data_dir = self.data.data_dir.as_ref().map(|path| path.to_string_lossy().into_owned());
        let Machine { adapter, backend, kernels, precision, submit_target, memory_budget } =
            &self.machine;
        for (flag, value) in [
            ("data-dir", &data_dir),
            ("resize", &self.data.resize.map(|size| size.to_string())),
            ("test-fraction", &self.data.test_fraction.map(|part| part.to_string())),
            ("adapter", adapter),
            ("backend", backend),
            ("kernels", kernels),
            ("precision", precision),
            ("submit-target", &submit_target.map(|ms| ms.to_string())),
            ("memory-budget", &memory_budget.map(values::memory_exactly)),
        ] {
            if let Some(value) = value {
                say(flag, value);
            }
        }
        if self.evaluation.is_none() {
            words.push("--no-eval".into());
        }
        words
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

fn dm_flags(settings: &Settings, say: &mut impl FnMut(&str, &dyn ToString)) {
    // Whoever adds a setting is told here that the command lacks it.
    let Settings { ipc, iterations, init, net, width, depth, batch_real, lr_img, augment, seed } =
        settings;
    say("ipc", ipc);
    say("iterations", iterations);
    say("init", &init.name());
    say("net", net);
    say("width", width);
    say("depth", depth);
    say("batch-real", batch_real);
    say("lr-img", lr_img);
    say("augment", augment);
    say("seed", seed);
}

/// A word as a shell takes it, on one line whatever is in it: more would end the comment.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=+,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else if word.chars().any(char::is_control) {
        let escape = |c: char| match c {
            '\'' | '\\' => format!("\\{c}"),
            c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
            c => c.to_string(),
        };
        format!("$'{}'", word.chars().map(escape).collect::<String>())
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{args::Cli, dataset::tests::tiny};
    use dm_wgpu::Kernels;

    fn record(cli: &Cli) -> Record {
        let (args, method) = (&cli.run, cli.method.method);
        let tiny = tiny();
        let settings = MethodSettings::of(args, method, &tiny);
        let evaluation = (!cli.method.no_eval).then(|| args.evaluation(&tiny, method));
        let adapter = Adapter {
            name: "A \"GPU\"".into(),
            backend: "vulkan".into(),
            driver: "x 1".into(),
            kernels: args.machine.kernels.unwrap_or(Kernels::Tiles).name().into(),
            precision: args.machine.precision.name().into(),
        };
        Record::of(args, method, settings, evaluation, adapter)
    }

    fn outcome(record: &Record) -> Outcome {
        let iterations = matches!(record.settings, Some(MethodSettings::Dm(_))).then_some(7);
        Outcome {
            completed_iterations: iterations,
            first_loss: iterations.map(|_| 0.1),
            last_loss: iterations.map(|_| 1e-9),
            seconds: 1.5,
            interrupted: false,
            accuracy: record.evaluation.as_ref().map(|_| Accuracy::of(vec![80.0, 90.0])),
        }
    }

    #[test]
    fn a_record_is_read_back_and_repeats_its_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        for line in [
            "dm-wgpu --dataset mnist",
            "dm-wgpu --dataset glyphs --lr-img 0.1 --augment none --init noise --depth 2 \
             --seed 9223372036854775807 --memory-budget 1GiB --adapter 0 --backend gl --data-dir d \
             --no-eval --snapshots 0",
            "dm-wgpu --dataset glyphs --method k-center --ipc 3 --seed 2 --eval-nets 5",
            "dm-wgpu --dataset glyphs --method whole --depth 2 --seed 2 --eval-epochs 5",
            "dm-wgpu --dataset glyphs --eval-every 5 --eval-width 9 --kernels plain \
             --precision f16 --snapshots 3 --submit-target 50",
            "dm-wgpu --dataset glyphs --eval-depth 1 --eval-batch 9 --eval-lr 0.1 --eval-augment none",
            "dm-wgpu --dataset folder:/data/pets --resize 32 --test-fraction 0.25 --no-eval",
        ] {
            let cli = Cli::from_arguments(line.split_whitespace()).unwrap();
            let begun = record(&cli);
            let ended = Record { outcome: Some(outcome(&begun)), ..begun.clone() };
            for record in [&begun, &ended] {
                record.write(&path).unwrap();
                let text = std::fs::read_to_string(&path).unwrap();
                assert_eq!(&toml::from_str::<Record>(&text).unwrap(), record);
            }

            let text = std::fs::read_to_string(&path).unwrap();
            let again = text.lines().nth(1).unwrap().trim_start_matches("# ");
            let again = Cli::from_arguments(again.split_whitespace()).unwrap();
            assert_eq!(record(&again), begun, "{text}");
        }
    }

    #[test]
    fn a_budget_among_the_settings_is_the_machines() {
        let line = "dm-wgpu --dataset glyphs --memory-budget 1GiB --kernels plain";
        let now = record(&Cli::from_arguments(line.split_whitespace()).unwrap());
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
        let open = "dm-wgpu --dataset glyphs --memory-budget 512MiB";
        let open = record(&Cli::from_arguments(open.split_whitespace()).unwrap());
        assert_eq!(open.machine, Machine::default(), "what is usual is not written down");
    }

    #[test]
    fn odd_words_are_quoted_on_one_line() {
        assert_eq!(quoted("/data/mnist-1"), "/data/mnist-1");
        assert_eq!(quoted("my data"), "'my data'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("a\nb = 1'"), r"$'a\u000ab = 1\''");
    }
}
