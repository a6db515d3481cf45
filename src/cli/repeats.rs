//! `--runs`: the same run with several seeds, each in a folder of its own, and what they say together.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use dm_wgpu::{
    Accuracy,
    report::{self, Fact},
};

use super::{
    args::{LastingArgs, MethodArgs, RunArgs},
    console::Console,
    dataset::name_of,
    failure::Failure,
    figures::write_json,
    folder::{OutputFolder, RECORD, text_of},
    interrupt::{INTERRUPTED, Interrupt},
    measure::Bench,
    outlook::Series,
    page,
    past::Past,
    record::{Adapter, MethodSettings, Record, parse},
    rescue::{go_on, resuming},
    resume::{Changes, Recorded},
    run::{Plan, Task},
    say::counted,
};

/// What the repeats were asked, beside their folders.
const FILE: &str = "runs.toml";
/// What they came to.
const REPORT: &str = "report.json";

/// `runs.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeats {
    runs: u32,
    /// Of the first; each further one has the next.
    seed: u64,
    /// What each was asked, here with the first seed.
    run: Record,
}

/// `report.json` of all of them.
#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    dataset: String,
    method: String,
    runs: Vec<Row>,
    /// In per cent: mean and standard deviation over all networks of all runs, as the field gives them.
    accuracy: Option<Accuracy>,
    /// The same over the means of the runs.
    means: Option<Accuracy>,
    /// Whether runs are missing that were asked for, or their accuracies.
    interrupted: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    seed: u64,
    /// Beside this file.
    folder: String,
    completed_iterations: Option<u32>,
    accuracy: Option<Accuracy>,
    seconds: f64,
}

/// What their page needs of [`Report`], whatever version wrote it.
#[derive(Deserialize)]
struct Figures {
    runs: Vec<Own>,
    accuracy: Option<Accuracy>,
    means: Option<Accuracy>,
}

#[derive(Deserialize)]
struct Own {
    folder: String,
}

/// Whether a folder is one of repeats.
pub fn are_in(dir: &Path) -> bool {
    dir.join(FILE).is_file()
}

/// Writes their page, from what is in their folder.
pub fn page(dir: &Path) -> Result<PathBuf, Failure> {
    let Repeats { runs: asked, .. } = Repeats::read(&dir.join(FILE))?;
    let path = dir.join(REPORT);
    let Ok(text) = text_of(&path) else {
        let (dir, go_on) = (dir.display(), resuming(dir));
        let why = format!("{dir}: none of these runs has ended; go on with {go_on}");
        return Err(Failure::Failed(why));
    };
    let Figures { runs, accuracy, means } = serde_json::from_str(&text)
        .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
    // Without an evaluation there is nothing to say together.
    let together = accuracy.zip(means).map(|(all, means)| Fact {
        name: "Test accuracy".into(),
        value: all.to_string(),
        note: over(&all, &means),
    });
    let read = |Own { folder }: Own| Ok((folder.clone(), Past::read(&dir.join(folder))?));
    let runs = runs.into_iter().map(read).collect::<Result<Vec<_>, Failure>>()?;
    page::write_repeats(&runs, together, asked as usize, dir)
}

/// `all 6 networks of 2 runs; over their means 86.00 ± 4.00 %`.
fn over(all: &Accuracy, means: &Accuracy) -> String {
    let networks = counted(all.runs.len(), "network");
    let runs = counted(means.runs.len(), "run");
    format!("all {networks} of {runs}; over their means {means}")
}

/// Begins them and gives the exit code.
pub fn run(
    args: &RunArgs,
    MethodArgs { method, no_eval, json }: MethodArgs,
    lasting: &LastingArgs,
    runs: u32,
) -> Result<u8, Failure> {
    let checkpoint_every = lasting.checkpoint_every;
    let task = Task { args, method, evaluate: !no_eval, checkpoint_every };
    let last = args.seed.checked_add(runs.into());
    if last.is_none_or(|last| last > i64::MAX as u64) {
        let why = format!("--runs {runs}: there are not so many seeds after --seed {}", args.seed);
        return Err(Failure::Usage(why));
    }
    let console = Console::new(args.machine.quiet).with_json(json);
    OutputFolder::check_for(args.out.as_deref(), args.dataset())?;
    let interrupt = Interrupt::install(console);
    let bench = Bench::open(&args.machine, args.dataset(), console, interrupt)?;
    let Plan { settings, evaluation } = task.plan(&bench)?;
    let record = Record::of(args, method, settings, evaluation, Adapter::of(&bench.gpu));
    let name = format!("{}-seed{}-runs{runs}", task.name(), args.seed);
    let mut folder = OutputFolder::reserve(args.out.as_deref(), &name)?;
    bench.interrupt.takes_along(folder.made().to_vec());
    let repeats = Repeats { runs, seed: args.seed, run: record };
    repeats.write(&folder.path().join(FILE))?;
    folder.keep();
    bench.interrupt.resumes(folder.path());
    bench.introduce();
    let none = Changes::default();
    repeats.carry_out(&bench, &none, lasting, folder.path())
}

/// Goes on with the first that is not finished, and gives the exit code.
pub fn resume(
    dir: &Path,
    changes: &Changes,
    lasting: &LastingArgs,
    console: Console,
) -> Result<u8, Failure> {
    let repeats = Repeats::read(&dir.join(FILE))?;
    for seed in (repeats.seed..).take(repeats.runs as usize) {
        changes.check(&dir.join(format!("seed{seed}")))?;
    }
    let folder = OutputFolder::again(dir)?;
    let interrupt = Interrupt::install(console);
    interrupt.resumes(dir);
    let bench = Recorded::of(repeats.run.clone(), changes)?.open(console, interrupt)?;
    bench.introduce();
    repeats.carry_out(&bench, changes, lasting, folder.path())
}

impl Repeats {
    fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |why: String| Failure::Failed(format!("{}: {why}", path.display()));
        let text = text_of(path).map_err(|error| failed(error.to_string()))?;
        parse(&text).map_err(|error| failed(format!("no record of runs: {error}")))
    }

    fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = toml::to_string(self)
            .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
        Ok(report::write_whole(path, text.as_bytes())?)
    }

    /// Those that are missing, one after the other.
    fn carry_out(
        &self,
        bench: &Bench,
        changes: &Changes,
        lasting: &LastingArgs,
        dir: &Path,
    ) -> Result<u8, Failure> {
        let (console, mut bench) = (&bench.console, bench.clone());
        let mut report = Report::new(&self.run);
        for (number, seed) in (1..).zip((self.seed..).take(self.runs as usize)) {
            let name = format!("seed{seed}");
            console.say(&format!("\nrun       {name} ({number} of {})", self.runs));
            let left = self.runs + 1 - number;
            bench.outlook.series = Series::Runs { asked: self.runs, left };
            let record = self.one(&bench, changes, lasting, seed, &dir.join(&name))?;
            let Some(outcome) = record.and_then(|record| record.outcome) else { break };
            let stopped = outcome.interrupted;
            report.runs.push(Row {
                seed,
                folder: name,
                completed_iterations: outcome.completed_iterations,
                accuracy: outcome.accuracy,
                seconds: outcome.seconds,
            });
            report.interrupted = stopped || number < self.runs;
            // After each: what there is survives whatever happens to the next.
            report.write(dir)?;
            page(dir)?;
            if stopped {
                break;
            }
        }
        console.say("");
        console.summary(&report.summary(dir), &report)?;
        Ok(if report.interrupted { INTERRUPTED } else { 0 })
    }

    /// One of them, if it is not finished: its record then, or nothing if it left none.
    fn one(
        &self,
        bench: &Bench,
        changes: &Changes,
        lasting: &LastingArgs,
        seed: u64,
        path: &Path,
    ) -> Result<Option<Record>, Failure> {
        let began = path.join(RECORD).is_file();
        let recorded = match began {
            true => Recorded::read(path, changes)?,
            false => Recorded::of(with_seed(&self.run, seed), changes)?,
        };
        if let Some(done) = recorded.done() {
            bench.console.say(&format!("finished  {done}"));
            return Ok(Some(recorded.record().clone()));
        }
        if bench.interrupt.requested() {
            return Ok(None);
        }
        let mut folder = match path.is_dir() {
            true => OutputFolder::again(path)?,
            false => OutputFolder::reserve(Some(path), "")?,
        };
        bench.interrupt.takes_along(folder.made().to_vec());
        let made = recorded.carry_out(bench, lasting, &mut folder).map_err(|failure| {
            let all = resuming(path.parent().unwrap_or(path));
            Failure::Failed(format!("seed {seed}: {failure}; {all} goes on with all runs"))
        })?;
        match made {
            Some(_) => Record::read(&path.join(RECORD)).map(Some),
            None => Ok(None),
        }
    }
}

/// What the run with this seed is asked.
fn with_seed(record: &Record, seed: u64) -> Record {
    let mut record = record.clone();
    match &mut record.settings {
        Some(MethodSettings::Dm(settings)) => settings.seed = seed,
        Some(MethodSettings::Selection(settings)) => settings.seed = seed,
        None => {}
    }
    if let Some(evaluation) = &mut record.evaluation {
        evaluation.seed = seed;
    }
    record
}

impl Report {
    fn new(run: &Record) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            dataset: name_of(&run.data.name),
            method: run.method.clone(),
            runs: Vec::new(),
            accuracy: None,
            means: None,
            interrupted: true,
        }
    }

    fn write(&mut self, dir: &Path) -> Result<(), Failure> {
        let measured: Vec<_> = self.runs.iter().filter_map(|row| row.accuracy.as_ref()).collect();
        if !measured.is_empty() {
            let all = measured.iter().flat_map(|accuracy| accuracy.runs.iter().copied());
            self.accuracy = Some(Accuracy::of(all.collect()));
            self.means =
                Some(Accuracy::of(measured.iter().map(|accuracy| accuracy.mean).collect()));
        }
        write_json(self, &dir.join(REPORT))
    }

    fn summary(&self, dir: &Path) -> String {
        let mut lines = Vec::new();
        for Row { folder, accuracy, seconds, .. } in &self.runs {
            let accuracy = accuracy.as_ref().map(|accuracy| format!("{accuracy}, "));
            let accuracy = accuracy.unwrap_or_default();
            lines.push(format!("{folder:<9} {accuracy}{seconds:.1} seconds"));
        }
        if let (Some(all), Some(means)) = (&self.accuracy, &self.means) {
            lines.push(format!("accuracy  {all} ({})", over(all, means)));
        }
        // Before the first has ended there is neither.
        if !self.runs.is_empty() {
            lines.push(format!("figures   {}", dir.join(REPORT).display()));
            lines.push(format!("page      {}", dir.join(page::NAME).display()));
        }
        if self.interrupted {
            lines.push(go_on(dir));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{args::Cli, dataset::tests::tiny};

    fn record(line: &str) -> Record {
        let cli = Cli::from_arguments(line.split_whitespace()).unwrap();
        let method = cli.method.method;
        let settings = Some(MethodSettings::Dm(cli.run.settings(&tiny())));
        let evaluation = Some(cli.run.evaluation(&tiny(), method));
        let adapter = Adapter {
            name: "A".into(),
            backend: "vulkan".into(),
            driver: "x".into(),
            kernels: "plain".into(),
            precision: "f32".into(),
        };
        Record::of(&cli.run, method, settings, evaluation, adapter)
    }

    #[test]
    fn a_seed_changes_all_that_follows_from_it() {
        let third = with_seed(&record("dm-wgpu --dataset glyphs --ipc 3"), 2);
        assert_eq!(third, record("dm-wgpu --dataset glyphs --ipc 3 --seed 2"));
    }

    #[test]
    fn a_report_of_repeats_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let repeats = Repeats { runs: 3, seed: 5, run: record("dm-wgpu --dataset glyphs") };
        assert!(!are_in(folder.path()));
        repeats.write(&path).unwrap();
        assert!(are_in(folder.path()));
        assert_eq!(Repeats::read(&path).unwrap(), repeats);
        std::fs::write(&path, "runs = 3").unwrap();
        let refused = Repeats::read(&path).unwrap_err().to_string();
        assert!(refused.contains("runs.toml: no record of runs: "), "{refused}");
    }

    #[test]
    fn the_accuracy_counts_all_networks_and_the_mean_of_each_run() {
        let folder = tempfile::tempdir().unwrap();
        let mut report = Report::new(&record("dm-wgpu --dataset glyphs"));
        let row = |seed, accuracy: &[f64]| Row {
            seed,
            folder: format!("seed{seed}"),
            completed_iterations: Some(7),
            accuracy: Some(Accuracy::of(accuracy.to_vec())),
            seconds: 1.0,
        };
        report.runs = vec![row(0, &[80.0, 84.0]), row(1, &[90.0, 90.0])];
        report.interrupted = false;
        report.write(folder.path()).unwrap();
        let (all, means) = (report.accuracy.as_ref().unwrap(), report.means.as_ref().unwrap());
        assert_eq!((all.mean, all.runs.len()), (86.0, 4));
        // √((36 + 4 + 16 + 16) / 4), and half of 90 − 82.
        assert!((all.std - 18f64.sqrt()).abs() < 1e-12);
        assert_eq!((means.mean, means.std, &means.runs[..]), (86.0, 4.0, &[82.0, 90.0][..]));
        let summary = report.summary(folder.path());
        let expected = "accuracy  86.00 ± 4.24 % (all 4 networks of 2 runs; over their means \
                        86.00 ± 4.00 %)";
        assert!(summary.contains(expected), "{summary}");
    }
}
