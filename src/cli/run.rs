//! One method from the arguments to the files in its folder.

use dm_wgpu::{
    Evaluation, EvaluationSettings, Selection, Settings, TrainingSet,
    report::{self, Measurement},
};

use super::{
    args::{MethodArgs, RunArgs},
    condense::{Follow, Made, check_condensing, condense, select},
    failure::Failure,
    figures::{Figures, Losses, Point, Seconds, Seeds},
    folder::OutputFolder,
    interrupt::{INTERRUPTED, Interrupt},
    measure::{Bench, how},
    method::Method,
    progress::{Console, number},
    record::{Adapter, MethodSettings, Outcome, Record},
    say::{self, counted},
    snapshots::{self, Snapshots},
};

/// What is to be done: a method with the flags of a run.
pub struct Task<'a> {
    pub args: &'a RunArgs,
    pub method: Method,
    pub evaluate: bool,
}

/// A task's settings, resolved and found possible.
pub struct Plan {
    /// Of the method; none if it trains on all there is.
    settings: Option<MethodSettings>,
    evaluation: Option<EvaluationSettings>,
}

/// Runs and gives the exit code.
pub fn run(args: &RunArgs, MethodArgs { method, no_eval }: MethodArgs) -> Result<u8, Failure> {
    let task = Task { args, method, evaluate: !no_eval };
    let console = Console::new(args.machine.quiet);
    let run_name = match method {
        Method::Dm => format!("{}-ipc{}-seed{}", args.dataset(), args.ipc, args.seed),
        Method::Selection(by) => {
            format!("{}-{by}-ipc{}-seed{}", args.dataset(), args.ipc, args.seed)
        }
        Method::Whole => format!("{}-whole-seed{}", args.dataset(), args.seed),
    };
    OutputFolder::check(args.out.as_deref())?;
    let interrupt = Interrupt::install(console.quiet());
    let bench = Bench::open(&args.machine, args.dataset(), console, interrupt)?;
    let plan = task.plan(&bench)?;
    let mut folder = OutputFolder::reserve(args.out.as_deref(), &run_name)?;
    bench.interrupt.takes_along(folder.made().to_vec());
    console.say(&bench.introduction());
    let Some(figures) = task.carry_out(&bench, plan, &mut folder)? else { return Ok(INTERRUPTED) };
    if !console.quiet() {
        say::out(&summary(&figures, &folder))
            .map_err(|error| Failure::Failed(format!("stdout: {error}")))?;
    }
    Ok(if figures.interrupted { INTERRUPTED } else { 0 })
}

impl Task<'_> {
    /// Resolves the settings and refuses what is impossible, before anything is announced or made
    /// and rather than after hours of work.
    pub fn plan(&self, bench: &Bench) -> Result<Plan, Failure> {
        let (args, gpu, dataset) = (self.args, &bench.gpu, &bench.dataset);
        let settings = match self.method {
            Method::Dm => Some(MethodSettings::Dm(args.settings(dataset))),
            Method::Selection(by) => Some(MethodSettings::Selection(args.selection(dataset, by))),
            Method::Whole => None,
        };
        let evaluation = self.evaluate.then(|| args.evaluation(dataset, self.method));
        let images = match &settings {
            Some(MethodSettings::Dm(settings)) => {
                let follow = args.eval_every.is_some();
                check_condensing(bench, settings, follow.then_some(evaluation.as_ref()).flatten())?;
                Some(settings.ipc)
            }
            Some(MethodSettings::Selection(settings)) => {
                Selection::check(gpu, dataset, settings)?;
                Some(settings.ipc)
            }
            None => None,
        };
        let images = images.map(|ipc| ipc * dataset.classes());
        if let Some(evaluation) = &evaluation {
            Evaluation::check(gpu, dataset, images, evaluation)?;
        }
        Ok(Plan { settings, evaluation })
    }

    /// Makes the set, saves it, and only then measures it. Nothing if there is nothing to save.
    pub fn carry_out(
        &self,
        bench: &Bench,
        plan: Plan,
        folder: &mut OutputFolder,
    ) -> Result<Option<Figures>, Failure> {
        let Plan { settings, evaluation } = plan;
        bench.console.say(&introduction(settings.as_ref(), evaluation.as_ref(), folder));
        let made = match &settings {
            Some(MethodSettings::Dm(settings)) => {
                let follow = self.args.eval_every.zip(evaluation.clone());
                let follow = follow.map(|(every, settings)| Follow { every, settings });
                let snapshots =
                    Snapshots::new(folder.path(), self.args.snapshots, settings.iterations);
                condense(bench, settings, follow, snapshots)?
            }
            Some(MethodSettings::Selection(settings)) => select(bench, settings.clone())?,
            None => {
                let Some(evaluation) = evaluation else { return Ok(None) };
                return self.whole(bench, evaluation, folder);
            }
        };
        let Some(made) = made else {
            bench.console.say("interrupted before there were results: nothing was saved");
            return Ok(None);
        };
        self.finish(bench, made, settings, evaluation, folder).map(Some)
    }

    /// Saves and measures what was made.
    fn finish(
        &self,
        bench: &Bench,
        mut made: Made,
        settings: Option<MethodSettings>,
        evaluation: Option<EvaluationSettings>,
        folder: &mut OutputFolder,
    ) -> Result<Figures, Failure> {
        let mut figures = self.figures(bench, made.set.labels.len(), settings, evaluation);
        figures.completed_iterations = made.iterations;
        let losses: Vec<_> = made.rows.iter().filter_map(|row| row.loss).collect();
        figures.loss = Losses::of(&losses);
        figures.seconds = Seconds { condensing: made.seconds, evaluating: made.evaluating };
        let stopped = match &figures.settings {
            Some(MethodSettings::Dm(asked)) => made.iterations != Some(asked.iterations),
            _ => false,
        };
        // As long as the accuracy is missing: whoever ends the program now finds it said.
        figures.interrupted = stopped || figures.evaluation.is_some();
        figures.curve = curve(&made.rows);
        let data = folder.path().join("synthetic.safetensors");
        made.set.save(&data)?;
        folder.keep();
        let safe = |failure: Failure| {
            Failure::Failed(format!("{failure}; the images are safe in {}", data.display()))
        };
        self.save(&made, &figures, folder).map_err(safe)?;

        let Some(settings) = figures.evaluation.clone().filter(|_| !stopped) else {
            return Ok(figures);
        };
        bench.interrupt.measuring();
        let set = TrainingSet::Synthetic(made.set);
        let Some(measured) = bench.measure(set, &settings, "evaluating").map_err(safe)? else {
            return Ok(figures);
        };
        figures.interrupted = false;
        figures.seconds.evaluating += measured.seconds;
        figures.accuracy = Some(measured.accuracy.clone());
        match made.rows.last_mut() {
            Some(row) => row.accuracy = Some(measured.accuracy),
            // A selection has no iterations.
            None => made.rows.push(Measurement {
                iteration: 0,
                loss: None,
                seconds: made.seconds,
                accuracy: Some(measured.accuracy),
            }),
        }
        figures.curve = curve(&made.rows);
        self.write(&made.rows, &figures, folder).map_err(safe)?;
        Ok(figures)
    }

    /// Trains on all there is: no set, but an upper bound for all sets.
    fn whole(
        &self,
        bench: &Bench,
        evaluation: EvaluationSettings,
        folder: &mut OutputFolder,
    ) -> Result<Option<Figures>, Failure> {
        bench.interrupt.measuring();
        let measured = bench.measure(TrainingSet::Whole, &evaluation, "evaluating")?;
        let Some(measured) = measured else {
            bench.console.say("interrupted: the accuracy was not measured, nothing was saved");
            return Ok(None);
        };
        let images = bench.dataset.train().len();
        let mut figures = self.figures(bench, images, None, Some(evaluation));
        figures.seconds.evaluating = measured.seconds;
        figures.accuracy = Some(measured.accuracy);
        folder.keep();
        figures.write(&folder.path().join("report.json"))?;
        self.record(&figures).write(&folder.path().join("run.toml"))?;
        Ok(Some(figures))
    }

    fn figures(
        &self,
        bench: &Bench,
        images: usize,
        settings: Option<MethodSettings>,
        evaluation: Option<EvaluationSettings>,
    ) -> Figures {
        Figures {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            dataset: bench.dataset.name().to_owned(),
            method: self.method.name().to_owned(),
            images,
            seeds: Seeds {
                run: self.args.seed,
                evaluation: evaluation.as_ref().map(|settings| settings.seed),
            },
            adapter: Adapter::of(&bench.gpu),
            settings,
            evaluation,
            accuracy: None,
            curve: Vec::new(),
            completed_iterations: None,
            loss: None,
            seconds: Seconds::default(),
            interrupted: false,
        }
    }

    fn record(&self, figures: &Figures) -> Record {
        let Figures { settings, evaluation, adapter, .. } = figures.clone();
        let asked = Record::of(self.args, self.method, settings, evaluation, adapter);
        Record { outcome: Some(Outcome::of(figures)), ..asked }
    }

    /// What there is beside the set itself, what matters most first.
    fn save(&self, made: &Made, figures: &Figures, folder: &OutputFolder) -> Result<(), Failure> {
        self.write(&made.rows, figures, folder)?;
        report::write_grid(&made.set, &folder.path().join("grid.png"))?;
        report::write_images(&made.set, &folder.path().join("images"))?;
        snapshots::animate(&made.set, folder.path())
    }

    /// What is known of the run, which an evaluation adds to.
    fn write(
        &self,
        rows: &[Measurement],
        figures: &Figures,
        folder: &OutputFolder,
    ) -> Result<(), Failure> {
        let place = |name: &str| folder.path().join(name);
        report::write_metrics(rows, &place("metrics.csv"))?;
        self.record(figures).write(&place("run.toml"))?;
        figures.write(&place("report.json"))
    }
}

fn curve(rows: &[Measurement]) -> Vec<Point> {
    let point = |row: &Measurement| {
        Some(Point { iteration: row.iteration, accuracy: row.accuracy.clone()? })
    };
    rows.iter().filter_map(point).collect()
}

fn introduction(
    settings: Option<&MethodSettings>,
    evaluation: Option<&EvaluationSettings>,
    folder: &OutputFolder,
) -> String {
    let what = match settings {
        Some(MethodSettings::Dm(settings)) => {
            let Settings {
                ipc,
                iterations,
                init,
                width,
                depth,
                batch_real,
                lr_img,
                augment,
                seed,
                ..
            } = settings;
            let init = format!("{init:?}").to_lowercase();
            let iterations = counted(*iterations as usize, "iteration");
            format!(
                "ipc {ipc}, {iterations}, init {init}, width {width}, depth {depth}, \
                 batch {batch_real}, lr {lr_img}, augment {augment}, seed {seed}"
            )
        }
        Some(MethodSettings::Selection(settings)) => format!(
            "{}, ipc {}, width {}, depth {}, seed {}",
            settings.selection, settings.ipc, settings.width, settings.depth, settings.seed
        ),
        None => "the whole training set".to_owned(),
    };
    let evaluation = evaluation.map(|settings| format!("evaluate  {}\n", how(settings)));
    format!(
        "settings  {what}\n{}folder    {}",
        evaluation.unwrap_or_default(),
        folder.path().display()
    )
}

fn summary(figures: &Figures, folder: &OutputFolder) -> String {
    let path = folder.path();
    let Seconds { condensing, evaluating } = figures.seconds;
    let mut lines = Vec::new();
    let images = counted(figures.images, "image");
    match (&figures.settings, figures.completed_iterations, figures.loss) {
        (Some(MethodSettings::Dm(asked)), Some(done), Some(Losses { first, last })) => {
            let iterations = match done < asked.iterations {
                true => format!("{done} of {} iterations", asked.iterations),
                false => counted(done as usize, "iteration"),
            };
            lines.push(format!(
                "{images} after {iterations} in {condensing:.1} seconds, loss {} → {}",
                number(first.into()),
                number(last.into())
            ));
        }
        (Some(_), ..) => {
            lines.push(format!("{images} chosen by {} in {condensing:.1} seconds", figures.method))
        }
        (None, ..) => lines.push(format!("all {} training images", figures.images)),
    }
    match (&figures.accuracy, &figures.evaluation) {
        (Some(accuracy), Some(settings)) => {
            lines.push(format!("accuracy  {accuracy} ({}, {evaluating:.1} seconds)", how(settings)))
        }
        (None, Some(_)) => lines.push("accuracy  not measured: interrupted".to_owned()),
        _ => {}
    }
    if figures.settings.is_some() {
        lines.push(format!(
            "pictures  {} (each one in {})",
            path.join("grid.png").display(),
            path.join("images").display()
        ));
        lines.push(format!("data      {}", path.join("synthetic.safetensors").display()));
    }
    lines.push(format!("figures   {}", path.join("report.json").display()));
    lines.join("\n")
}
