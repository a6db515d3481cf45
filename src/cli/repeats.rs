//! `--runs`: the same run with several seeds, each in a folder of its own, and what they say together.

use std::path::Path;

use dm_wgpu::project::{
    OfSeed, OutputFolder, Record, Repeats, Together,
    files::{FIGURES, PAGE, RECORD, SEEDS},
    over, page,
};

use super::{
    args::{Cli, LastingArgs, MethodArgs, RunArgs},
    asked,
    commands::{go_on, resuming},
    console::Console,
    failure::{Failure, INTERRUPTED},
    interrupt::Interrupt,
    measure::Bench,
    outlook::Series,
    resume::{Changes, Recorded},
    run::Task,
};

/// Begins them and gives the exit code.
pub fn run(
    args: &RunArgs,
    MethodArgs { method, no_eval, json }: MethodArgs,
    lasting: &LastingArgs,
    runs: u32,
) -> Result<u8, Failure> {
    let last = args.seed.checked_add(runs.into());
    if last.is_none_or(|last| last > i64::MAX as u64) {
        let why = format!("--runs {runs}: there are not so many seeds after --seed {}", args.seed);
        return Err(Failure::Usage(why));
    }
    let console = Console::new(args.machine.quiet).with_json(json);
    OutputFolder::check_for(args.out.as_deref(), args.dataset())?;
    let interrupt = Interrupt::install(console);
    let bench = Bench::asked(args, console, interrupt)?;
    let record = bench.record(args, method, !no_eval);
    let task = Task { record, checkpoint_every: lasting.checkpoint_every };
    task.check(&bench)?;
    let name = format!("{}-seed{}-runs{runs}", asked::name(args, method), args.seed);
    let mut folder = OutputFolder::reserve(args.out.as_deref(), &name)?;
    bench.interrupt.takes_along(folder.made().to_vec());
    let repeats = Repeats { runs, seed: args.seed, run: task.record };
    repeats.write(&folder.path().join(SEEDS))?;
    folder.keep();
    bench.interrupt.resumes(folder.path());
    bench.introduce();
    let none = Changes::default();
    carry_out(&repeats, &bench, &none, lasting, folder.path())
}

/// Goes on with the first that is not finished, and gives the exit code.
pub fn resume(dir: &Path, cli: &Cli) -> Result<u8, Failure> {
    let changes = Changes::of(cli);
    let console = Console::new(cli.run.machine.quiet).with_json(cli.method.json);
    let repeats = Repeats::read(&dir.join(SEEDS))?;
    for (_, own) in repeats.folders(dir) {
        changes.check(&own)?;
    }
    let folder = OutputFolder::again(dir)?;
    let interrupt = Interrupt::install(console);
    interrupt.resumes(dir);
    let bench = Recorded::of(repeats.run.clone(), &changes)?.open(console, interrupt)?;
    bench.introduce();
    carry_out(&repeats, &bench, &changes, &cli.lasting, folder.path())
}

/// Those that are missing, one after the other.
fn carry_out(
    repeats: &Repeats,
    bench: &Bench,
    changes: &Changes,
    lasting: &LastingArgs,
    dir: &Path,
) -> Result<u8, Failure> {
    let (console, mut bench, runs) = (&bench.console, bench.clone(), repeats.runs);
    let mut together = Together::new(&repeats.run);
    for (number, (seed, path)) in (1..).zip(repeats.folders(dir)) {
        console.say(&format!("\nrun       seed{seed} ({number} of {runs})"));
        bench.outlook.series = Series::Runs { asked: runs, left: runs + 1 - number };
        let record = one(repeats, &bench, changes, lasting, seed, &path)?;
        let Some(outcome) = record.and_then(|record| record.outcome) else { break };
        let stopped = outcome.interrupted;
        together.runs.push(OfSeed::of(seed, outcome));
        together.interrupted = stopped || number < runs;
        // After each, so that its results survive whatever happens to the next.
        together.write(dir)?;
        page::write(dir)?;
        if stopped {
            break;
        }
    }
    console.say("");
    console.summary(&summary(&together, dir), &together)?;
    Ok(if together.interrupted { INTERRUPTED } else { 0 })
}

/// One of them, if it is not finished: its record then, or nothing if it left none.
fn one(
    repeats: &Repeats,
    bench: &Bench,
    changes: &Changes,
    lasting: &LastingArgs,
    seed: u64,
    path: &Path,
) -> Result<Option<Record>, Failure> {
    let began = path.join(RECORD).is_file();
    let recorded = match began {
        true => Recorded::read(path, changes)?,
        false => Recorded::of(repeats.with_seed(seed), changes)?,
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
        Some(_) => Ok(Some(Record::read(&path.join(RECORD))?)),
        None => Ok(None),
    }
}

fn summary(together: &Together, dir: &Path) -> String {
    let mut lines = Vec::new();
    for OfSeed { folder, accuracy, seconds, .. } in &together.runs {
        let accuracy = accuracy.as_ref().map(|accuracy| format!("{accuracy}, "));
        let accuracy = accuracy.unwrap_or_default();
        lines.push(format!("{folder:<9} {accuracy}{seconds:.1} seconds"));
    }
    if let (Some(all), Some(means)) = (&together.accuracy, &together.means) {
        lines.push(format!("accuracy  {all} ({})", over(all, means)));
    }
    // Before the first has ended there is neither.
    if !together.runs.is_empty() {
        lines.push(format!("figures   {}", dir.join(FIGURES).display()));
        lines.push(format!("page      {}", dir.join(PAGE).display()));
    }
    if together.interrupted {
        lines.push(go_on(dir));
    }
    lines.join("\n")
}
