//! `dm-wgpu compare`: several methods with one seed, one table.

use std::path::PathBuf;

use serde::Serialize;

use dm_wgpu::{Accuracy, Gpu, report};

use super::{
    args::CompareArgs,
    failure::Failure,
    figures::{Figures, Seconds, write_json},
    folder::OutputFolder,
    interrupt::{INTERRUPTED, Interrupt},
    measure::Bench,
    method::Method,
    progress::Console,
    run::Task,
    say,
};

/// `compare.json`.
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
    /// Beside this file, in a folder of the method's name.
    folder: &'static str,
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
    let console = Console::new(run.machine.quiet);
    let name = format!("compare-{}-ipc{}-seed{}", run.dataset(), run.ipc, run.seed);
    let mut folder = OutputFolder::reserve(run.out.as_deref(), &name)?;
    let place = |method: Method| folder.path().join(method.name());
    // Leaving at once takes along what is empty: first all above, then the methods' own.
    let made: Vec<PathBuf> =
        folder.made().iter().cloned().chain(methods.iter().map(|&method| place(method))).collect();
    let interrupt = Interrupt::install(made, console.quiet());
    let mut bench = Bench::open(&run.machine, run.dataset(), console, interrupt)?;

    let mut table = Comparison {
        version: env!("CARGO_PKG_VERSION"),
        dataset: run.dataset().to_owned(),
        ipc: run.ipc,
        seed: run.seed,
        methods: Vec::new(),
        interrupted: false,
    };
    let (mut first_failure, mut failures) = (None, 0);
    for (number, &method) in methods.iter().enumerate() {
        console.say(&format!("\nmethod    {method} ({} of {})", number + 1, methods.len()));
        let task = Task { args: run, method, evaluate: true };
        let outcome = OutputFolder::reserve(Some(&place(method)), "")
            .and_then(|mut own| task.carry_out(&bench, &mut own));
        match outcome {
            Ok(Some(figures)) => {
                table.interrupted = figures.interrupted;
                table.methods.push(Row::of(method, figures));
            }
            Ok(None) => table.interrupted = true,
            Err(failure) => {
                console.say(&format!("{method} failed: {failure}"));
                table.methods.push(Row::failed(method, &failure));
                failures += 1;
                first_failure.get_or_insert(failure);
                // A device that was lost stays lost; the next method gets another.
                bench.gpu = Gpu::headless_blocking(&run.machine.adapter_choice())?;
            }
        }
        // After each: what there is survives whatever happens to the next.
        if table.methods.len() > failures {
            table.write(&folder)?;
        }
        if table.interrupted || bench.interrupt.requested() {
            table.interrupted |= number + 1 < methods.len();
            break;
        }
    }
    if table.methods.len() == failures {
        // None worked. If they all say the same, that is the answer.
        return first_failure.map_or(Ok(INTERRUPTED), Err);
    }
    table.write(&folder)?;
    folder.keep();
    if !console.quiet() {
        let text = format!(
            "\n{}\ntable     {}",
            table.plain(),
            folder.path().join("compare.md").display()
        );
        say::out(&text).map_err(|error| Failure::Failed(format!("stdout: {error}")))?;
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
        let error = figures.accuracy.is_none().then(|| "interrupted".to_owned());
        Self {
            method: method.name(),
            folder: method.name(),
            images: Some(figures.images),
            accuracy: figures.accuracy,
            seconds: Some(figures.seconds),
            error,
        }
    }

    fn failed(method: Method, failure: &Failure) -> Self {
        Self {
            method: method.name(),
            folder: method.name(),
            images: None,
            accuracy: None,
            seconds: None,
            error: Some(failure.to_string()),
        }
    }

    /// Method, images, accuracy, seconds of making and of evaluating.
    fn cells(&self) -> [String; 5] {
        let seconds = |of: fn(&Seconds) -> f64| {
            self.seconds.as_ref().map(|s| format!("{:.1}", of(s))).unwrap_or_default()
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

const HEADER: [&str; 5] =
    ["method", "images", "accuracy", "seconds to make", "seconds to evaluate"];

impl Comparison {
    fn write(&self, folder: &OutputFolder) -> Result<(), Failure> {
        write_json(self, &folder.path().join("compare.json"))?;
        let Self { dataset, ipc, seed, .. } = self;
        let mut text = format!("{dataset}, {ipc} images a class, seed {seed}\n\n");
        text += &format!("| {} |\n|---|--:|--:|--:|--:|\n", HEADER.join(" | "));
        for row in &self.methods {
            text += &format!("| {} |\n", row.cells().join(" | "));
        }
        Ok(report::write_whole(folder.path().join("compare.md"), text.as_bytes())?)
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
            folder: method,
            images: Some(10),
            accuracy,
            seconds: Some(Seconds { condensing: 12.34, evaluating: 5.0 }),
            error: None,
        };
        let failed = Row::failed(Method::Whole, &Failure::Failed("a | b\nc".into()));
        let table = Comparison {
            version: "0",
            dataset: "mnist".into(),
            ipc: 1,
            seed: 0,
            methods: vec![row("dm", Some(Accuracy::of(vec![89.0, 90.0]))), failed],
            interrupted: false,
        };
        let text = table.plain();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[1].starts_with("dm     ") && lines[1].contains("89.50 ± 0.50 %"), "{text}");
        assert!(lines[1].ends_with("5.0") && lines[1].contains("12.3"), "{text}");
        assert!(lines[2].contains("a   b c"), "{text}");
    }
}
