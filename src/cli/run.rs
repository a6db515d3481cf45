//! One method from the arguments to the files in its folder.

use std::{path::Path, time::Duration};

use serde::Serialize;

use dm_wgpu::{
    Evaluation, EvaluationSettings, Selection, Settings, TrainingSet,
    project::{
        Adapter, Checkpoints, Figures, Losses, MethodSettings, OutputFolder, Point, Record,
        Seconds, Seeds, Snapshots, animate, files, page,
        words::{counted, how, network, number},
    },
    report::{self, Measurement},
};

use super::{
    args::{LastingArgs, MethodArgs, RunArgs},
    asked,
    commands::{again, go_on, resuming},
    condense::{Follow, Made, check_condensing, condense, select},
    console::Console,
    dataset::check_test,
    events::Event,
    failure::{Failure, INTERRUPTED},
    interrupt::Interrupt,
    measure::Bench,
    rescue::{explain, no_checkpoint, rescue},
};

/// What is to be done.
pub struct Task {
    /// What is asked for, with all settings resolved and without an outcome.
    pub record: Record,
    /// Time between checkpoints.
    pub checkpoint_every: Duration,
}

/// What `--json` ends with.
#[derive(Serialize)]
struct Finished<'a> {
    folder: &'a Path,
    #[serde(flatten)]
    figures: &'a Figures,
}

/// Runs and gives the exit code.
pub fn run(
    args: &RunArgs,
    MethodArgs { method, no_eval, json }: MethodArgs,
    lasting: &LastingArgs,
) -> Result<u8, Failure> {
    let console = Console::new(args.machine.quiet).with_json(json);
    OutputFolder::check_for(args.out.as_deref(), args.dataset())?;
    let interrupt = Interrupt::install(console);
    let bench = Bench::asked(args, console, interrupt)?;
    let task = Task {
        record: bench.record(args, method, !no_eval),
        checkpoint_every: lasting.checkpoint_every,
    };
    task.check(&bench)?;
    let run_name = format!("{}-seed{}", asked::name(args, method), args.seed);
    let mut folder = OutputFolder::reserve(args.out.as_deref(), &run_name)?;
    bench.interrupt.takes_along(folder.made().to_vec());
    bench.introduce();
    task.carry_out_and_say(&bench, &mut folder)
}

impl Task {
    /// Refuses what is impossible, before anything is announced or made and rather than after hours of work.
    pub fn check(&self, bench: &Bench) -> Result<(), Failure> {
        let (gpu, dataset) = (&bench.gpu, &bench.dataset);
        let Record { settings, evaluation, eval_every, data, .. } = &self.record;
        let images = match settings {
            Some(MethodSettings::Dm(settings)) => {
                let follow = eval_every.is_some();
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
        if let Some(evaluation) = evaluation {
            check_test(&data.name, dataset)?;
            Evaluation::check(gpu, dataset, images, evaluation)?;
        }
        Ok(())
    }

    /// Carries it out, prints what came of it, and gives the exit code.
    pub fn carry_out_and_say(
        &self,
        bench: &Bench,
        folder: &mut OutputFolder,
    ) -> Result<u8, Failure> {
        let Some(figures) = self.carry_out(bench, folder)? else {
            bench.console.interrupted(&match folder.is_kept() {
                true => format!("interrupted before there were results\n{}", go_on(folder.path())),
                false => format!("interrupted before there were results\n{}", again()),
            });
            return Ok(INTERRUPTED);
        };
        let finished = Finished { folder: folder.path(), figures: &figures };
        bench.console.summary(&summary(&figures, folder.path()), &finished)?;
        Ok(if figures.interrupted { INTERRUPTED } else { 0 })
    }

    /// Makes the set, saves it, and only then measures it. Nothing if there is nothing to save.
    pub fn carry_out(
        &self,
        bench: &Bench,
        folder: &mut OutputFolder,
    ) -> Result<Option<Figures>, Failure> {
        let record = self.record.clone();
        let Record { settings, evaluation, .. } = record.clone();
        let begins = Event::Method {
            method: &record.method,
            folder: folder.path(),
            settings: settings.as_ref(),
            evaluation: evaluation.as_ref(),
        };
        let said = introduction(settings.as_ref(), evaluation.as_ref(), folder.path());
        bench.console.tell(&said, &begins);
        let mut checkpoints = Checkpoints::new(self.checkpoint_every);
        let made = match &settings {
            Some(MethodSettings::Dm(settings)) => {
                let follow = record.eval_every.zip(evaluation.clone());
                let follow = follow.map(|(every, settings)| Follow { every, settings });
                let count = record.snapshots.unwrap_or_default();
                let snapshots = Snapshots::new(folder.path(), count, settings.iterations);
                let record = record.clone();
                condense(bench, settings, follow, snapshots, record, folder, &mut checkpoints)
                    .map_err(|failure| explain(failure, &bench.dataset, &checkpoints, folder))?
            }
            Some(MethodSettings::Selection(settings)) => {
                folder.begin(record.clone())?;
                select(bench, settings.clone())?
            }
            None => {
                folder.begin(record)?;
                let Some(evaluation) = evaluation else { return Ok(None) };
                return self.whole(bench, evaluation, folder);
            }
        };
        let Some(made) = made else { return Ok(None) };
        self.finish(bench, made, folder, &mut checkpoints).map(Some)
    }

    /// Saves and measures what was made.
    fn finish(
        &self,
        bench: &Bench,
        mut made: Made,
        folder: &mut OutputFolder,
        checkpoints: &mut Checkpoints,
    ) -> Result<Figures, Failure> {
        let mut figures = self.figures(bench, made.set.labels.len());
        figures.completed_iterations = made.iterations;
        figures.loss = Losses::of(&made.history.losses);
        figures.seconds = Seconds { condensing: made.seconds, evaluating: made.history.evaluating };
        let stopped = match &figures.settings {
            Some(MethodSettings::Dm(asked)) => made.iterations != Some(asked.iterations),
            _ => false,
        };
        // As long as the accuracy is missing: whoever ends the program now finds it said.
        figures.interrupted = stopped || figures.evaluation.is_some();
        figures.curve = curve(&made.rows());
        let data = folder.path().join(files::SET);
        if let Err(failure) = folder.restore().and_then(|()| Ok(made.set.save(&data)?)) {
            let last = made.checkpoint.as_ref();
            let stays = checkpoints.saved().is_some_and(|saved| Some(saved) == made.iterations);
            return Err(rescue(failure.into(), &self.record, last, stays, folder.path()));
        }
        folder.keep();
        let go_on = resuming(folder.path());
        let safe = |failure: Failure| {
            let data = data.display();
            Failure::Failed(format!(
                "{failure}; the images are safe in {data}, {go_on} does the rest"
            ))
        };
        self.save(&made, &figures, folder).map_err(safe)?;

        let Some(settings) = figures.evaluation.clone().filter(|_| !stopped) else {
            return Ok(figures);
        };
        bench.interrupt.measuring();
        let set = TrainingSet::Synthetic(made.set.clone());
        let Some(measured) = bench.measure(set, &settings, "evaluating").map_err(safe)? else {
            return Ok(figures);
        };
        figures.interrupted = false;
        figures.seconds.evaluating += measured.seconds;
        figures.accuracy = Some(measured.accuracy.clone());
        made.history.evaluating = figures.seconds.evaluating;
        made.history.set_accuracy(made.iterations.unwrap_or(0), measured.accuracy);
        if let Some(checkpoint) = &mut made.checkpoint
            && let Err(error) = checkpoints.save(folder, checkpoint, &made.history)
        {
            bench.console.warn(&no_checkpoint(&error.into(), checkpoints));
        }
        let rows = made.rows();
        figures.curve = curve(&rows);
        self.write(&rows, &figures, folder).map_err(safe)?;
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
        let Some(measured) = measured else { return Ok(None) };
        let images = bench.dataset.train().len();
        let mut figures = self.figures(bench, images);
        figures.seconds.evaluating = measured.seconds;
        figures.accuracy = Some(measured.accuracy);
        folder.restore()?;
        folder.keep();
        figures.write(&folder.path().join(files::FIGURES))?;
        self.ended(&figures).write(&folder.path().join(files::RECORD))?;
        page::write(folder.path())?;
        Ok(Some(figures))
    }

    fn figures(&self, bench: &Bench, images: usize) -> Figures {
        let Record { method, data, settings, evaluation, .. } = self.record.clone();
        Figures {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            dataset: bench.dataset.name().to_owned(),
            resize: data.resize,
            test_fraction: data.test_fraction,
            method,
            images,
            seeds: Seeds {
                run: self.record.seed(),
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

    fn ended(&self, figures: &Figures) -> Record {
        Record { outcome: Some(figures.outcome()), ..self.record.clone() }
    }

    /// What there is beside the set itself, what matters most first.
    fn save(&self, made: &Made, figures: &Figures, folder: &OutputFolder) -> Result<(), Failure> {
        self.write(&made.rows(), figures, folder)?;
        report::write_grid(&made.set, &folder.path().join(files::GRID))?;
        let images = folder.path().join(files::IMAGES);
        // Those of an earlier part of the run.
        if let Err(error) = std::fs::remove_dir_all(&images)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(Failure::Failed(format!("{}: {error}", images.display())));
        }
        report::write_images(&made.set, &images)?;
        Ok(animate(&made.set, folder.path())?)
    }

    /// What is known of the run, which an evaluation adds to.
    fn write(
        &self,
        rows: &[Measurement],
        figures: &Figures,
        folder: &OutputFolder,
    ) -> Result<(), Failure> {
        let place = |name: &str| folder.path().join(name);
        report::write_metrics(rows, &place(files::METRICS))?;
        self.ended(figures).write(&place(files::RECORD))?;
        figures.write(&place(files::FIGURES))?;
        page::write(folder.path())?;
        Ok(())
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
    folder: &Path,
) -> String {
    let what = match settings {
        Some(MethodSettings::Dm(settings)) => {
            let Settings {
                ipc,
                iterations,
                init,
                net,
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
                "ipc {ipc}, {iterations}, init {init}, {}, \
                 batch-real {batch_real}, lr-img {lr_img}, augment {augment}, seed {seed}",
                network(*net, *width, *depth)
            )
        }
        Some(MethodSettings::Selection(settings)) => format!(
            "{}, ipc {}, width {}, depth {}, seed {}",
            settings.selection, settings.ipc, settings.width, settings.depth, settings.seed
        ),
        None => "the whole training set".to_owned(),
    };
    let evaluation = evaluation.map(|settings| format!("evaluate  {}\n", how(settings)));
    format!("settings  {what}\n{}folder    {}", evaluation.unwrap_or_default(), folder.display())
}

fn summary(figures: &Figures, path: &Path) -> String {
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
            path.join(files::GRID).display(),
            path.join(files::IMAGES).display()
        ));
        lines.push(format!("data      {}", path.join(files::SET).display()));
    }
    lines.push(format!("figures   {}", path.join(files::FIGURES).display()));
    lines.push(format!("page      {}", path.join(files::PAGE).display()));
    if figures.interrupted {
        lines.push(go_on(path));
    }
    lines.join("\n")
}
