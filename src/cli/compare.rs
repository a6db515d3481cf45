//! `dm-wgpu compare`: several methods with one seed, one table.

use serde::Serialize;

use dm_wgpu::{
    Accuracy, Gpu, Selector,
    data::name_of,
    project::{
        Checkpoints, Figures, Method, MethodSettings, OutputFolder, Seconds, files, page,
        words::counted,
    },
    report,
};

use super::{
    args::CompareArgs,
    asked,
    commands::{again, repeating, resuming},
    console::Console,
    failure::{Failure, INTERRUPTED},
    interrupt::Interrupt,
    measure::Bench,
    outlook::{Outlook, Series},
    run::Task,
};

/// `compare.json`, and what `--json` prints.
#[derive(Serialize)]
struct Comparison {
    version: &'static str,
    dataset: String,
    ipc: usize,
    seed: u64,
    methods: Vec<Row>,
    /// Whether methods are missing that were asked for.
    interrupted: bool,
}

#[derive(Serialize)]
struct Row {
    method: &'static str,
    /// Beside this file; null if nothing was saved.
    folder: Option<&'static str>,
    images: Option<usize>,
    /// In per cent.
    accuracy: Option<Accuracy>,
    seconds: Option<Seconds>,
    /// Why there is no accuracy.
    error: Option<String>,
}

pub fn run(args: &CompareArgs) -> Result<u8, Failure> {
    let run = &args.run;
    let mut methods: Vec<Method> = Vec::new();
    for &method in &args.methods {
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    let console = Console::new(run.machine.quiet).with_json(args.json);
    let name = format!("compare-{}-ipc{}-seed{}", run.short_dataset(), run.ipc(), run.seed);
    OutputFolder::check_for(run.out.as_deref(), run.dataset())?;
    let interrupt = Interrupt::install(console);
    let mut bench = Bench::asked(run, console, interrupt)?;
    let mut tasks = Vec::new();
    for &method in &methods {
        let record = bench.record(run, method, true);
        let task = Task { record, checkpoint_every: Checkpoints::USUAL };
        task.check(&bench)?;
        tasks.push((method, task));
    }
    let mut folder = OutputFolder::reserve(run.out.as_deref(), &name)?;
    let place = |method: Method| folder.path().join(method.name());
    bench.interrupt.takes_along(folder.made().to_vec());
    bench.interrupt.takes_along(methods.iter().map(|&method| place(method)));
    bench.introduce();

    let whole = tasks.iter().find(|(method, _)| *method == Method::Whole);
    bench.outlook.series = Series::Methods {
        names: methods.iter().map(|method| method.name()).collect::<Vec<_>>().join(", "),
        sets: methods.iter().filter(|method| matches!(method, Method::Selection(_))).count() as u32,
        whole: whole.and_then(|(_, task)| task.record.evaluation.clone()),
    };
    // Before the first of them, whichever that is. What fails here fails again where its row says so.
    for (_, task) in &tasks {
        if let Some(MethodSettings::Dm(settings)) = &task.record.settings {
            let _ = bench.outlook.of(&bench.device(), settings, &task.record, 0);
        }
    }

    let mut table = Comparison {
        version: env!("CARGO_PKG_VERSION"),
        dataset: name_of(run.dataset()),
        ipc: run.ipc(),
        seed: run.seed,
        methods: Vec::new(),
        interrupted: false,
    };
    let (mut first_failure, mut failures, mut worth_keeping) = (None, 0, false);
    for (number, (method, task)) in tasks.into_iter().enumerate() {
        if table.interrupted || bench.interrupt.requested() {
            table.interrupted = true;
            table.methods.push(Row::without(method, "not run".into()));
            continue;
        }
        // Programs hear of it by the method's own event.
        if !args.json {
            console.say(&format!("\nmethod    {method} ({} of {})", number + 1, methods.len()));
        }
        let outcome = OutputFolder::reserve(Some(&place(method)), "")
            .map_err(Failure::from)
            .and_then(|mut own| task.carry_out(&bench, &mut own));
        match outcome {
            Ok(Some(figures)) => {
                table.interrupted = figures.interrupted;
                table.methods.push(Row::of(method, figures));
                worth_keeping = true;
            }
            Ok(None) => {
                table.interrupted = true;
                table.methods.push(Row::without(method, INTERRUPTED_ROW.into()));
            }
            Err(failure) => {
                console.warn(&format!("{method} failed: {failure}"));
                table.methods.push(Row::without(method, failure.to_string()));
                failures += 1;
                first_failure.get_or_insert(failure);
                // A device that was lost stays lost; the next method gets another.
                bench.gpu =
                    Gpu::headless_blocking(&asked::machine(&run.machine).adapter_choice()?)?;
                bench.outlook = Outlook::of_another(bench.outlook.series.clone());
            }
        }
        // After each, so that its results survive whatever happens to the next.
        if worth_keeping {
            table.write(&folder)?;
        }
    }
    if !worth_keeping {
        // If they all say the same, that is the answer.
        let Some(failure) = first_failure else {
            console.interrupted(&format!("interrupted before there were results\n{}", again()));
            return Ok(INTERRUPTED);
        };
        return Err(failure);
    }
    table.write(&folder)?;
    folder.keep();
    let page = page::write(folder.path())?;
    if !args.json {
        console.say("");
    }
    // In quiet mode too: it is what was asked for.
    let note = table.note().map(|note| format!("\n\n{note}")).unwrap_or_default();
    console.result(&format!("{}{note}", table.plain()), &table)?;
    if !args.json {
        console
            .say(&format!("table     {}", folder.path().join(files::COMPARISON_TABLE).display()));
        console.say(&format!("page      {}", page.display()));
        if table.interrupted {
            console.say(&table.go_on(&folder));
        }
    }
    match (table.interrupted, first_failure) {
        (true, _) => Ok(INTERRUPTED),
        (false, Some(failure)) => Err(Failure::Failed(format!(
            "{failures} of {} methods failed, the first with: {failure}",
            methods.len()
        ))),
        (false, None) => Ok(0),
    }
}

impl Row {
    fn of(method: Method, figures: Figures) -> Self {
        let error = figures.accuracy.is_none().then(|| INTERRUPTED_ROW.to_owned());
        Self {
            method: method.name(),
            folder: Some(method.name()),
            images: Some(figures.images),
            accuracy: figures.accuracy,
            seconds: Some(figures.seconds),
            error,
        }
    }

    /// A method that left nothing, and why.
    fn without(method: Method, error: String) -> Self {
        Self {
            method: method.name(),
            folder: None,
            images: None,
            accuracy: None,
            seconds: None,
            error: Some(error),
        }
    }

    /// Method, images, accuracy, seconds of making and of evaluating.
    fn cells(&self) -> [String; 5] {
        // What took no time at all was not done.
        let seconds = |of: fn(&Seconds) -> f64| match self.seconds.as_ref().map(of) {
            Some(seconds) if seconds > 0.0 => format!("{seconds:.1}"),
            _ => String::new(),
        };
        let accuracy = match (&self.accuracy, &self.error) {
            (Some(accuracy), _) => accuracy.to_string(),
            (None, Some(error)) => error.replace(['|', '\n'], " "),
            (None, None) => String::new(),
        };
        [
            self.method.to_owned(),
            self.images.map(|images| images.to_string()).unwrap_or_default(),
            accuracy,
            seconds(|s| s.condensing),
            seconds(|s| s.evaluating),
        ]
    }
}

/// What the table says of a method that Ctrl-C stopped.
const INTERRUPTED_ROW: &str = "interrupted";

const HEADER: [&str; 5] =
    ["method", "images", "accuracy", "seconds to make", "seconds to evaluate"];

impl Comparison {
    fn write(&self, folder: &OutputFolder) -> Result<(), Failure> {
        files::write_json(self, &folder.path().join(files::COMPARISON))?;
        let Self { dataset, ipc, seed, .. } = self;
        let images = counted(*ipc, "image");
        let mut text = format!("{dataset}, {images} per class, seed {seed}\n\n");
        text += &format!("| {} |\n|---|--:|--:|--:|--:|\n", HEADER.join(" | "));
        for row in &self.methods {
            text += &format!("| {} |\n", row.cells().join(" | "));
        }
        if let Some(note) = self.note() {
            text += &format!("\n{note}\n");
        }
        Ok(report::write_whole(folder.path().join(files::COMPARISON_TABLE), text.as_bytes())?)
    }

    /// What the rows don't tell, though two of them are alike.
    fn note(&self) -> Option<String> {
        let has = |by: Selector| self.methods.iter().any(|row| row.method == by.name());
        let both = has(Selector::Herding) && has(Selector::KCenter);
        (self.ipc == 1 && both).then(|| {
            "With one image a class herding and k-center choose the same: the one nearest to the \
             class's mean."
                .to_owned()
        })
    }

    /// How what is missing is made: a run that began by resuming it, the others by a comparison of their own.
    fn go_on(&self, folder: &OutputFolder) -> String {
        let missing = self.methods.iter().filter(|row| row.accuracy.is_none());
        let (begun, others): (Vec<_>, Vec<_>) = missing.partition(|row| row.folder.is_some());
        let mut commands: Vec<_> =
            begun.iter().map(|row| resuming(&folder.path().join(row.method))).collect();
        if !others.is_empty() {
            let names: Vec<_> = others.iter().map(|row| row.method).collect();
            let words = std::env::args().skip(1);
            let command = repeating(words, &["--methods", "--out"]);
            commands.push(format!("{command} --methods {}", names.join(",")));
        }
        format!("go on     {}", commands.join("\n          "))
    }

    /// For the terminal: columns under each other.
    fn plain(&self) -> String {
        let mut rows = vec![HEADER.map(str::to_owned)];
        rows.extend(self.methods.iter().map(Row::cells));
        let mut widths = [0; 5];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let line = |row: &[String; 5]| {
            let [first, ..] = widths;
            let rest = row.iter().zip(widths).skip(1);
            let rest: String = rest.map(|(cell, width)| format!("  {cell:>width$}")).collect();
            format!("{:<first$}{rest}", row[0]).trim_end().to_owned()
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_row_a_method() {
        let row = |method, accuracy| Row {
            method,
            folder: Some(method),
            images: Some(10),
            accuracy,
            seconds: Some(Seconds { condensing: 12.34, evaluating: 5.0 }),
            error: None,
        };
        let failed = Row::without(Method::Whole, "a | b\nc".into());
        let mut stopped = row("random", None);
        stopped.error = Some(INTERRUPTED_ROW.into());
        stopped.seconds = Some(Seconds { condensing: 0.25, evaluating: 0.0 });
        let table = Comparison {
            version: "0",
            dataset: "mnist".into(),
            ipc: 1,
            seed: 0,
            methods: vec![row("dm", Some(Accuracy::of(vec![89.0, 90.0]))), failed, stopped],
            interrupted: false,
        };
        assert!(table.note().is_none(), "one of the two is not there");
        let text = table.plain();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines[1].starts_with("dm     ") && lines[1].contains("89.50 ± 0.50 %"), "{text}");
        assert!(lines[1].ends_with("5.0") && lines[1].contains("12.3"), "{text}");
        assert!(lines[2].ends_with("a   b c"), "{text}");
        assert!(lines[3].contains("interrupted") && lines[3].ends_with(" 0.2"), "{text}");
    }
}
