//! `dm-wgpu evaluate`: what a set is worth, wherever it came from.

use std::path::Path;

use serde::Serialize;

use dm_wgpu::{
    Accuracy, EvaluationSettings, Protocol, SyntheticSet, TrainingSet,
    data::Shard,
    import,
    project::{
        self, Accuracies, Adapter, Baseline, Measured, Saved, Setup, WidthFrom, Worth, Worths,
        check_evaluations, files, is_random, run_of,
        words::{ONLY_IN_ORDER, counted, how},
    },
};

use super::{
    args::EvaluateArgs,
    columns::columns,
    commands::again,
    console::Console,
    dataset::{NAMES, is_known},
    events::Event,
    failure::{Failure, INTERRUPTED},
    screen::Screen,
};

/// What `--json` prints.
#[derive(Serialize)]
struct Answer<'a> {
    version: &'a str,
    path: &'a Path,
    dataset: &'a str,
    images: usize,
    /// In per cent; `null` if several kinds of network were asked for. Of a set with a course of training of its own by that.
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy: Option<&'a Accuracy>,
    /// The accuracy of such a set by the ordinary protocol, unless several kinds of network were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    ordinary_accuracy: Option<&'a Accuracy>,
    /// The accuracy by each kind of network, if there are several.
    #[serde(skip_serializing_if = "Worths::is_empty")]
    architectures: Worths,
    /// What random images of equal storage reach by `settings`, unless several kinds of network were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<Baseline>,
    settings: &'a EvaluationSettings,
    adapter: Adapter,
    seconds: f64,
}

pub fn run(args: &EvaluateArgs, console: Console) -> Result<u8, Failure> {
    let shard = args.shard.chosen().map_err(Failure::Usage)?;
    let screen = &mut Screen::new(console);
    let saved = Saved::at(&args.path)?;
    let found = import::read(&args.path).map_err(Failure::of_data)?;
    let name = dataset_of(saved.dataset(found.dataset()).as_deref(), args)?;
    let given = &args.given;
    let setup = Setup::open(&given.machine(), &saved.data(given.data(name.clone())), screen)?;
    let set = found.into_set(&setup.dataset).map_err(Failure::of_data)?;
    let images = set.trained_on();
    let packed =
        if set.factor > 1 { format!(" packed into {}", set.labels.len()) } else { String::new() };
    let suited = |protocol| {
        let (suited, from) = saved.settings(&set, &setup, (given.preset(), protocol));
        (given.evaluation_over(&suited).protocol(protocol), from)
    };
    let (settings, from) = suited(given.protocols()[0]);
    let width_from = match from {
        _ if given.origin("eval_width").is_some() => "as asked for",
        WidthFrom::Evaluation => "as the run's own evaluation",
        WidthFrom::Making => "as the set was made with",
        WidthFrom::Recipe => "by default",
    };
    let asked = given.networks();
    let by_protocol = |protocol: &Protocol| {
        let (settings, _) = suited(*protocol);
        match (args.sweep, &asked) {
            (Some(sweep), _) => sweep.kinds(&settings),
            (None, Some(nets)) => {
                nets.iter().map(|net| settings.clone().net(net.clone())).collect()
            }
            (None, None) => vec![settings],
        }
    };
    let kinds: Vec<_> = given.protocols().iter().flat_map(by_protocol).collect();
    check_evaluations(&setup, &name, images, &kinds)?;
    if let Some(shard) = shard {
        return of_shard(args, &setup, &set, &kinds, shard, screen);
    }
    setup.begins(screen);
    let how = match &kinds[..] {
        [one] => how(one),
        several => format!(
            "{} kinds, {} and {} each",
            several.len(),
            counted(settings.nets, "network"),
            counted(settings.epochs as usize, "epoch")
        ),
    };
    let width = if kinds.iter().any(|kind| kind.net.is_convnet()) {
        format!(" (width {width_from})")
    } else {
        String::new()
    };
    let said = format!(
        "set       {}{packed} of {}\nevaluate  {how}{width}",
        counted(images, "image"),
        args.path.display(),
    );
    console.tell(&said, &Event::Set { path: &args.path, images, evaluation: &kinds[0] });
    let baseline = !given.no_baseline() && !is_random(&set);
    // First as the set was made to be used.
    let in_order = match set.course {
        Some(_) => project::evaluate_in_order(&setup, &set, &kinds[0], screen)?,
        None => None,
    };
    let course = in_order.as_ref().map(|(words, measured)| {
        let Measured { accuracy, seconds } = measured;
        let images = counted(images, "image");
        format!("accuracy  {accuracy} ({images}, {words}, {seconds:.1} seconds)\n")
    });
    let note = format!("note      {ONLY_IN_ORDER}");
    let stopped = set.course.is_some() && in_order.is_none();
    let (worths, ended) = match stopped {
        true => (Vec::new(), Ok(())),
        false => {
            let train = TrainingSet::Synthetic(set);
            project::evaluate(&setup, &train, &kinds, baseline, screen)
        }
    };
    if worths.is_empty() {
        course.iter().for_each(|course| console.say(&format!("{course}{note}")));
        ended?;
        console.interrupted(&format!("interrupted: the accuracy was not measured\n{}", again()));
        return Ok(INTERRUPTED);
    }
    let only = worths.first().filter(|_| kinds.len() == 1).map(|(_, worth)| worth);
    let one = only.map(|worth| &worth.accuracy);
    let by_course = in_order.as_ref().map(|(_, measured)| &measured.accuracy);
    let baseline_of_one = only.and_then(|worth| worth.baseline.clone());
    let answer = Answer {
        version: env!("CARGO_PKG_VERSION"),
        path: &args.path,
        dataset: setup.dataset.name(),
        images,
        accuracy: by_course.or(one),
        ordinary_accuracy: one.filter(|_| in_order.is_some()),
        architectures: match kinds.len() {
            1 => Worths::new(),
            _ => worths.iter().cloned().collect(),
        },
        // In its order, a set is judged by networks of its own kind, which those asked for need not be.
        baseline: baseline_of_one.map(|random| match by_course.filter(|_| asked.is_none()) {
            Some(accuracy) => random.beside(accuracy),
            None => random,
        }),
        settings: &kinds[0],
        adapter: Adapter::of(&setup.gpu),
        seconds: worths.iter().map(|(_, worth)| worth.seconds).sum::<f64>()
            + in_order.as_ref().map_or(0.0, |(_, measured)| measured.seconds),
    };
    let random = |worth: &Worth| {
        let said = worth.baseline.as_ref().map(Baseline::said);
        said.map(|said| format!("\nrandom    {said}")).unwrap_or_default()
    };
    // As a run says it.
    let random_beside = |shuffled: &Worth| match &answer.baseline {
        Some(random) if asked.is_none() => {
            let shuffled = random.beaten_by(&shuffled.accuracy);
            format!("\nrandom    {} (shuffled: {shuffled})", random.said())
        }
        Some(_) => format!("{} (shuffled)", random(shuffled)),
        None => String::new(),
    };
    let text = match (&kinds[..], &worths[..], &course) {
        ([_], [(_, worth)], None) => format!(
            "accuracy  {} ({}, {how}, {:.1} seconds){}",
            worth.accuracy,
            counted(images, "image"),
            worth.seconds,
            random(worth)
        ),
        ([_], [(_, worth)], Some(course)) => format!(
            "{course}shuffled  {} (by the ordinary protocol: {how}, {:.1} seconds)\n{note}{}",
            worth.accuracy,
            worth.seconds,
            random_beside(worth),
        ),
        (.., None) => table(worths.iter().map(|(name, worth)| (name, worth))),
        (.., Some(course)) => {
            let table = table(worths.iter().map(|(name, worth)| (name, worth)));
            format!("{course}{note}\nby the ordinary protocol:\n{table}")
        }
    };
    // Results by other networks than the run's own evaluation say more about the set, so its folder keeps them.
    let told = asked.is_some() || args.sweep.is_some() || given.origin("protocol").is_some();
    let folder = run_of(&args.path);
    let keeps = told && !saved.report.is_null();
    let kept = if keeps { project::keep(folder, worths.clone()) } else { Ok(()) };
    if let Err(failure) = &kept {
        console.warn(&format!("the run's folder does not keep these results: {failure}"));
    }
    let lacks = |(_, worth): &(String, Worth)| baseline && worth.baseline.is_none();
    if worths.len() < kinds.len() || worths.iter().any(lacks) {
        // What was measured is not lost.
        console.say(&text);
        ended?;
        let what = match worths.iter().any(lacks) {
            true => "random images were not measured".to_owned(),
            false => format!("{} of {} kinds were measured", worths.len(), kinds.len()),
        };
        console.interrupted(&format!("interrupted: {what}\n{}", again()));
        return Ok(INTERRUPTED);
    }
    console.result(&text, &answer)?;
    if keeps && kept.is_ok() && !args.json {
        console.say(&format!("page      {}", folder.join(files::PAGE).display()));
    }
    Ok(0)
}

/// The accuracies of some networks, into a file for `dm-wgpu join`.
fn of_shard(
    args: &EvaluateArgs,
    setup: &Setup,
    set: &SyntheticSet,
    kinds: &[EvaluationSettings],
    shard: Shard,
    screen: &mut Screen,
) -> Result<u8, Failure> {
    let refused = |why: &str| Err(Failure::Usage(format!("--shard {shard}: {why}")));
    let Some(out) = &args.out else {
        return refused("add --out FILE for the accuracies");
    };
    let [settings] = kinds else { return refused("name one kind of network only") };
    if set.course.is_some() {
        return refused(
            "a set of dd, which has its own course of training, cannot be evaluated in shards",
        );
    }
    setup.begins(screen);
    let measured = Accuracies::measure(setup, set, settings, shard, screen)?;
    let console = screen.console;
    let Some(measured) = measured else {
        console.interrupted(&format!("interrupted: the accuracy was not measured\n{}", again()));
        return Ok(INTERRUPTED);
    };
    measured.write(out)?;
    let networks = counted(measured.accuracy.runs.len(), "network");
    let text = format!(
        "accuracy  {} ({networks} of {}, shard {shard}, {:.1} seconds)\nfigures   {}",
        measured.accuracy,
        settings.nets,
        measured.seconds,
        out.display()
    );
    console.result(&text, &measured)?;
    Ok(0)
}

/// One line per kind.
pub fn table<'a>(worths: impl IntoIterator<Item = (&'a String, &'a Worth)>) -> String {
    let header = Worth::HEADER.map(str::to_owned);
    let rows = worths.into_iter().map(|(name, worth)| worth.cells(name).to_vec());
    columns(&[header.to_vec()].into_iter().chain(rows).collect::<Vec<_>>())
}

/// The data set to test on: what the set or its run says, or else what was asked for.
fn dataset_of(said: Option<&str>, args: &EvaluateArgs) -> Result<String, Failure> {
    let path = args.path.display();
    let names = format!("{}|folder:PATH", NAMES.join("|"));
    match (said, args.given.get("dataset")) {
        (Some(said), Some::<String>(asked)) if said != asked && NAMES.contains(&said) => {
            Err(Failure::Usage(format!(
                "--dataset {asked}: {path} was made from {said}; leave --dataset out"
            )))
        }
        (_, Some(asked)) => Ok(asked),
        (Some(said), None) if is_known(said) => Ok(said.to_owned()),
        (Some(said), None) => Err(Failure::Usage(format!(
            "{path} was made from {said:?}, which is not at hand here; say with --dataset {names} \
             on whose test images it shall be tested"
        ))),
        (None, None) => Err(Failure::Usage(format!(
            "{path} does not say from which data set it was made: add --dataset {names}"
        ))),
    }
}
