//! `--resume`: goes on with a run as its folder tells, from its last checkpoint or from the start.

use std::{
    fs,
    path::{Path, PathBuf},
};

use dm_wgpu::{
    Checkpoint,
    data::name_of,
    project::{
        Adapter, Error, Figures, MethodSettings, OutputFolder, Record,
        files::{CHECKPOINT, RECORD, holds_a_run},
        pictures,
        words::counted,
    },
};

use super::{
    args::{Cli, LastingArgs},
    console::Console,
    evaluate::report_of,
    failure::Failure,
    interrupt::Interrupt,
    measure::Bench,
    run::Task,
};

/// What may be other than recorded: nothing that a result depends on but their number.
#[derive(Default)]
pub struct Changes {
    pub iterations: Option<u32>,
    pub data_dir: Option<PathBuf>,
    /// Milliseconds.
    pub submit_target: Option<u32>,
    /// Bytes.
    pub memory_budget: Option<u64>,
    /// Another place of the same folder of pictures.
    pub dataset: Option<String>,
}

impl Changes {
    /// What stands beside `--resume`.
    pub fn of(cli: &Cli) -> Self {
        let machine = &cli.run.machine;
        Self {
            iterations: cli.other_iterations,
            data_dir: machine.data_dir.clone(),
            submit_target: machine.submit_target,
            memory_budget: machine.memory_budget,
            dataset: cli.run.dataset.clone(),
        }
    }

    /// Refuses fewer iterations than the run in this folder has done, before anything is loaded for it.
    pub fn check(&self, dir: &Path) -> Result<(), Failure> {
        let Some(asked) = self.iterations else { return Ok(()) };
        // What is wrong with a checkpoint is told by who goes on from it.
        let last = Checkpoint::load(&dir.join(CHECKPOINT)).ok();
        match last.map(|checkpoint| checkpoint.iteration()) {
            Some(done) if done > asked => Err(Error::TooFewIterations { asked, done }.into()),
            _ => Ok(()),
        }
    }
}

/// Goes on and gives the exit code.
pub fn run(dir: &Path, cli: &Cli) -> Result<u8, Failure> {
    let changes = Changes::of(cli);
    let console = Console::new(cli.run.machine.quiet).with_json(cli.method.json);
    check(dir)?;
    let recorded = Recorded::read(dir, &changes)?;
    changes.check(dir)?;
    if let Some(done) = recorded.done() {
        let said = format!("{} is finished: {done}", dir.display());
        match cli.method.json {
            true => console.result(&said, &report_of(dir))?,
            false => console.say(&said),
        }
        return Ok(0);
    }
    let mut folder = OutputFolder::again(dir)?;
    let interrupt = Interrupt::install(console);
    interrupt.resumes(dir);
    let bench = recorded.open(console, interrupt)?;
    bench.introduce();
    recorded.task(&bench, &cli.lasting)?.carry_out_and_say(&bench, &mut folder)
}

/// Refuses what can't be a run's folder.
fn check(dir: &Path) -> Result<(), Failure> {
    let refused = |why: &str| Err(Failure::Usage(format!("--resume {}: {why}", dir.display())));
    if !dir.is_dir() {
        return refused("there is no such folder");
    }
    if holds_a_run(dir) {
        return Ok(());
    }
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let runs = entries.map(|entry| entry.path()).filter(|path| path.join(RECORD).is_file());
    let mut runs: Vec<_> = runs.map(|path| path.display().to_string()).collect();
    runs.sort();
    match runs.is_empty() {
        true => refused("no run began there, it has no run.toml"),
        false => refused(&format!("no run itself, but there are {}", runs.join(", "))),
    }
}

/// A run as it was asked for, which it takes no more than its record to do.
pub struct Recorded {
    record: Record,
}

impl Recorded {
    /// The run in this folder.
    pub fn read(dir: &Path, changes: &Changes) -> Result<Self, Failure> {
        Self::of(Record::read(&dir.join(RECORD))?, changes)
    }

    pub fn of(mut record: Record, changes: &Changes) -> Result<Self, Failure> {
        if let Some(asked) = changes.iterations {
            match &mut record.settings {
                Some(MethodSettings::Dm(settings)) => settings.iterations = asked,
                _ => {
                    let method = &record.method;
                    let why = format!("--iterations {asked}: {method} has no iterations");
                    return Err(Failure::Usage(why));
                }
            }
        }
        if let Some(data_dir) = &changes.data_dir {
            record.data.data_dir = Some(data_dir.clone());
        }
        let machine = &mut record.machine;
        machine.submit_target = changes.submit_target.or(machine.submit_target);
        machine.memory_budget = changes.memory_budget.or(machine.memory_budget);
        if let Some(dataset) = &changes.dataset {
            let was = &mut record.data.name;
            let moved = pictures(was).is_some() && name_of(dataset) == name_of(was);
            if dataset != was && !moved {
                return Err(Failure::Usage(format!(
                    "--dataset {dataset}: the run goes on with {was}; only the place of a folder of \
                     pictures may be another, under the same name"
                )));
            }
            was.clone_from(dataset);
        }
        // No run wrote what this refuses: unless it was changed by hand.
        record.check().map_err(|error| {
            Failure::Failed(format!("{RECORD} asks for what is no run: {error}"))
        })?;
        Ok(Self { record })
    }

    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What was done, if that is all that is asked for.
    pub fn done(&self) -> Option<String> {
        let outcome = self.record.outcome.as_ref().filter(|outcome| !outcome.interrupted)?;
        let asked = match &self.record.settings {
            Some(MethodSettings::Dm(settings)) => Some(settings.iterations),
            _ => None,
        };
        if asked != outcome.completed_iterations {
            return None;
        }
        let iterations = asked.map(|asked| counted(asked as usize, "iteration"));
        let accuracy = outcome.accuracy.as_ref().map(|accuracy| format!("accuracy {accuracy}"));
        let mut done: Vec<_> = iterations.into_iter().chain(accuracy).collect();
        if asked.is_some() {
            done.push("more --iterations would go on with it".into());
        }
        Some(done.join(", "))
    }

    pub fn open(&self, console: Console, interrupt: Interrupt) -> Result<Bench, Failure> {
        let Record { data, machine, .. } = &self.record;
        if let Some(path) = pictures(&data.name).filter(|path| !path.is_dir()) {
            return Err(Failure::Failed(format!(
                "the run's pictures are not in {} any more: put them back, or say with --dataset \
                 folder:PATH beside --resume where they are now",
                path.display()
            )));
        }
        let bench = Bench::open(machine, data, console, interrupt)?;
        self.compare(&bench);
        Ok(bench)
    }

    /// Tells of whatever the bits depend on that is not as it was.
    pub fn compare(&self, bench: &Bench) {
        let (was, is) = (&self.record.adapter, Adapter::of(&bench.gpu));
        let told = |a: &Adapter| {
            format!(
                "{} ({}, {}, {} kernels, {})",
                a.name, a.backend, a.driver, a.kernels, a.precision
            )
        };
        let version = env!("CARGO_PKG_VERSION");
        for (was, is) in [
            (told(was), told(&is)),
            (format!("dm-wgpu {}", self.record.version), format!("dm-wgpu {version}")),
        ] {
            if was != is {
                bench.console.warn(&format!(
                    "the run was begun by {was}, this is {is}: bits may differ from those \
                     of a run without a break"
                ));
            }
        }
    }

    /// Everything as it was resolved then, found possible now.
    fn task(&self, bench: &Bench, lasting: &LastingArgs) -> Result<Task, Failure> {
        let record = self.record.begun_on(&bench.gpu);
        let task = Task { record, checkpoint_every: lasting.checkpoint_every };
        task.check(bench)?;
        Ok(task)
    }

    /// In its folder, from what there is of it.
    pub fn carry_out(
        &self,
        bench: &Bench,
        lasting: &LastingArgs,
        folder: &mut OutputFolder,
    ) -> Result<Option<Figures>, Failure> {
        self.task(bench, lasting)?.carry_out(bench, folder)
    }
}
