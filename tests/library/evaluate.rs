//! Evaluations through the public interface: what they promise, what they refuse, what they find.

use std::{
    ops::ControlFlow,
    sync::{Arc, OnceLock},
    time::Duration,
};

use dm_wgpu::{
    Accuracy, AdapterChoice, Architecture, Condensation, Dataset, DatasetInfo, Error, Evaluation,
    EvaluationSettings, Gpu, Protocol, Settings, SyntheticSet, TrainingSet, augment::Strategy,
};

use crate::{common::gpu, out_of_memory::noise};

/// The first images of the glyphs: 50 per class to train with, 30 to test on.
pub fn glyphs() -> &'static Arc<Dataset> {
    static GLYPHS: OnceLock<Arc<Dataset>> = OnceLock::new();
    GLYPHS.get_or_init(|| Arc::new(part_of_glyphs(500, 300)))
}

pub fn part_of_glyphs(train: usize, test: usize) -> Dataset {
    let all = crate::glyphs();
    let first = |split: &dm_wgpu::Split, n: usize| {
        (split.pixels()[..n * 28 * 28].to_vec(), split.labels()[..n].to_vec())
    };
    Dataset::new(
        DatasetInfo {
            name: "some glyphs".into(),
            class_names: all.class_names().to_vec(),
            channels: 1,
            size: 28,
            mean: all.mean().to_vec(),
            std: all.std().to_vec(),
        },
        first(all.train(), train),
        first(all.test(), test),
    )
    .unwrap()
}

/// Small and short, but enough steps to leave chance: there all networks give much the same answers.
fn settings() -> EvaluationSettings {
    EvaluationSettings::for_dataset(glyphs()).nets(3).epochs(10).width(8).batch(16)
}

/// Each class's first images.
pub fn real(dataset: &Dataset, each: usize) -> SyntheticSet {
    let (mean, std) = (dataset.mean()[0], dataset.std()[0]);
    let of = |class: usize| dataset.train().of_class(class).iter().take(each);
    let pixels = (0..dataset.classes())
        .flat_map(of)
        .flat_map(|&index| dataset.train().image(index as usize));
    SyntheticSet {
        images: pixels.map(|&p| (f32::from(p) / 255.0 - mean) / std).collect(),
        labels: (0..dataset.classes() as i64).flat_map(|class| vec![class; each]).collect(),
        channels: dataset.channels(),
        size: dataset.size(),
        dataset: dataset.name().into(),
        class_names: dataset.class_names().to_vec(),
        mean: dataset.mean().to_vec(),
        std: dataset.std().to_vec(),
        ipc: each,
        factor: 1,
        settings: "{}".into(),
        course: None,
    }
}

fn start(set: SyntheticSet, settings: &EvaluationSettings) -> dm_wgpu::Result<Evaluation> {
    Evaluation::new(gpu(), glyphs().clone(), TrainingSet::Synthetic(set), settings.clone())
}

fn accuracy(set: &SyntheticSet, settings: &EvaluationSettings) -> Accuracy {
    start(set.clone(), settings).unwrap().accuracy_blocking().unwrap()
}

#[test]
fn a_seed_decides_the_accuracy() {
    let set = real(glyphs(), 5);
    let first = accuracy(&set, &settings());
    assert_eq!(first.runs.len(), 3);
    assert_eq!(first, accuracy(&set, &settings()));
    let other = accuracy(&set, &settings().seed(1));
    assert_ne!(first.runs, other.runs);
}

#[test]
fn a_network_does_not_depend_on_those_trained_beside_it() {
    // An accuracy is a coarse look at a network: 300 test images, and such as are still being learnt.
    let set = real(glyphs(), 5);
    let three = accuracy(&set, &settings()).runs;
    println!("{three:?}");
    assert!(three[0] != three[1] && three[1] != three[2], "{three:?}");
    let one = accuracy(&set, &settings().nets(1)).runs;
    assert_eq!(one, three[..1]);
}

#[test]
fn twenty_networks_on_twenty_devices_are_those_of_one() {
    let set = real(glyphs(), 5);
    let settings = settings().nets(20).epochs(4).width(4).depth(1);
    let whole = accuracy(&set, &settings).runs;
    assert!(whole.windows(2).any(|two| two[0] != two[1]), "{whole:?}");
    let one = |network: usize| {
        // Nothing is shared but the adapter.
        let gpu = Gpu::headless_blocking(&AdapterChoice::default()).unwrap();
        let (train, only) = (TrainingSet::Synthetic(set.clone()), network..network + 1);
        let own = Evaluation::of_networks(&gpu, glyphs().clone(), train, settings.clone(), only);
        own.unwrap().accuracy_blocking().unwrap().runs
    };
    assert_eq!((0..20).flat_map(one).collect::<Vec<_>>(), whole);
}

#[test]
fn the_memory_budget_changes_no_accuracy() {
    // Batches that a part of 64 and one of 11 make up.
    let set = real(glyphs(), 15);
    let settings = settings().epochs(6).batch(75).lr(0.02);
    let ample = accuracy(&set, &settings);
    println!("{ample}");
    // The least budget makes networks take turns.
    let mut budget = 64 << 10;
    let start = |budget| {
        let gpu = gpu().clone().with_memory_budget(budget);
        let train = TrainingSet::Synthetic(set.clone());
        Evaluation::new(&gpu, glyphs().clone(), train, settings.clone())
    };
    let mut least = loop {
        match start(budget) {
            Ok(run) => break run,
            Err(Error::Setting { name: "memory_budget", .. }) => budget += budget / 8,
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(least.total(), 3 * 7, "three turns of six epochs and a test");
    assert_eq!(least.accuracy_blocking().unwrap(), ample, "{budget} bytes");
    // The next more that changes something: two networks, then one.
    let more = (1..).map(|eighths| start(budget + eighths * budget / 8).unwrap());
    let mut between = more.into_iter().find(|run| run.total() < 3 * 7).unwrap();
    assert_eq!(between.total(), 2 * 7, "two turns");
    assert_eq!(between.accuracy_blocking().unwrap(), ample);
}

#[test]
fn watching_a_piece_changes_nothing_and_leaving_it_ends_the_evaluation() {
    let gpu = gpu().clone().with_submit_target(Duration::from_micros(100));
    let settings = settings().nets(1).epochs(2);
    let begin = || {
        let set = TrainingSet::Synthetic(real(glyphs(), 2));
        Evaluation::new(&gpu, glyphs().clone(), set, settings.clone()).unwrap()
    };
    let plain = begin().accuracy_blocking().unwrap();
    let mut watched = begin();
    let estimate = watched.estimate_blocking().unwrap();
    assert!(estimate > Duration::ZERO && estimate < Duration::from_secs(60), "{estimate:?}");
    while !watched.is_done() {
        let mut parts = Vec::new();
        let ended = watched.step_blocking(&mut |part| {
            parts.push(part);
            ControlFlow::Continue(())
        });
        assert_eq!(ended.unwrap(), ControlFlow::Continue(()));
        assert!(parts.len() > 3 && parts.is_sorted(), "{parts:?}");
        assert!(parts.iter().all(|part| (0.0..=1.0).contains(part)), "{parts:?}");
    }
    assert_eq!(watched.accuracy_blocking().unwrap(), plain);
    assert!(watched.estimate_blocking().is_err(), "it has begun");

    let mut left = begin();
    assert_eq!(
        left.step_blocking(&mut |_| ControlFlow::Break(())).unwrap(),
        ControlFlow::Break(())
    );
    assert_eq!(left.done(), 0);
    for outcome in [left.step(), left.accuracy_blocking().map(drop)] {
        assert!(outcome.unwrap_err().to_string().contains("stopped in the middle"));
    }
}

#[test]
fn steps_are_counted() {
    let mut run = start(real(glyphs(), 1), &settings()).unwrap();
    assert_eq!((run.total(), run.done(), run.in_flight(), run.is_done()), (11, 0, 0, false));
    run.step().unwrap();
    assert_eq!((run.done(), run.in_flight()), (1, 1));
    run.wait_blocking(0).unwrap();
    assert_eq!((run.done(), run.in_flight()), (1, 0));
    // What is left is done on the way to the answer, which stays the same.
    let accuracy = run.accuracy_blocking().unwrap();
    assert!(run.is_done());
    run.step().unwrap();
    assert_eq!(run.done(), 11);
    assert_eq!(run.accuracy_blocking().unwrap(), accuracy);
}

#[test]
fn accuracy_rises_with_more_images() {
    // Both long enough to learn their set; the many also have more images to pass over.
    let settings = settings().nets(2).batch(64).lr(0.02);
    let one = settings.clone().epochs(50);
    let one = accuracy(&real(glyphs(), 1), &one);
    let many = accuracy(&real(glyphs(), 50), &settings.epochs(8));
    println!("one a class {one}, fifty {many}");
    assert!(one.mean + 15.0 < many.mean, "{one} with one image a class, {many} with fifty");
}

#[test]
fn the_whole_training_set_can_be_trained_on() {
    // Not a multiple of the batch: 10 batches of 48 and one of 20.
    let settings = settings().nets(2).epochs(2).batch(48).lr(0.05);
    let new = || Evaluation::new(gpu(), glyphs().clone(), TrainingSet::Whole, settings.clone());
    let accuracy = new().unwrap().accuracy_blocking().unwrap();
    println!("two epochs of all: {accuracy}");
    assert!(accuracy.mean > 30.0, "{accuracy}");

    // From pixels or from values: the same images in the same order. Only rounding may tell them
    // apart, so that a few of 300 answers may differ.
    let mut set = real(glyphs(), 50);
    let (mean, std) = (glyphs().mean()[0], glyphs().std()[0]);
    let train = glyphs().train();
    set.images = train.pixels().iter().map(|&p| (f32::from(p) / 255.0 - mean) / std).collect();
    set.labels = train.labels().iter().map(|&label| label.into()).collect();
    let values = self::accuracy(&set, &settings);
    println!("{:?} from pixels, {:?} from values", accuracy.runs, values.runs);
    for (a, b) in accuracy.runs.iter().zip(&values.runs) {
        assert!((a - b).abs() <= 2.0, "{accuracy:?} from pixels, {values:?} from values");
    }
}

#[test]
fn batches_that_do_not_divide_the_set() {
    // Three batches of 16 and one of 2 per epoch.
    let set = real(glyphs(), 5);
    let accuracy = accuracy(&set, &settings());
    println!("batches of 16: {accuracy}");
    assert!(accuracy.mean > 25.0, "{accuracy}");
    // A batch beyond the set is the set.
    let all = settings().batch(50).epochs(3);
    let beyond = all.clone().batch(1000);
    assert_eq!(self::accuracy(&set, &all), self::accuracy(&set, &beyond));
}

/// The error's text, and that the caller is to blame.
#[track_caller]
fn refused(result: dm_wgpu::Result<Evaluation>) -> String {
    let error = result.expect_err("it was accepted");
    assert!(error.is_usage(), "{error}");
    error.to_string()
}

#[test]
fn sets_that_do_not_fit_the_data_set_are_refused() {
    let set = real(glyphs(), 2);
    let with = |change: &dyn Fn(&mut SyntheticSet)| {
        let mut set = set.clone();
        change(&mut set);
        refused(start(set, &settings()))
    };
    let text = with(&|set| (set.channels, set.size) = (3, 32));
    assert!(text.contains("3×32×32") && text.contains("1×28×28"), "{text}");
    for label in [-1, 10, i64::MAX] {
        let text = with(&|set| set.labels[3] = label);
        assert!(text.contains("label") && text.contains("10 classes"), "{text}");
    }
    for change in [
        (&|set: &mut SyntheticSet| set.labels.truncate(19)) as &dyn Fn(&mut SyntheticSet),
        &|set| set.labels.clear(),
        &|set| set.images.truncate(5),
        &|set| (set.labels, set.images) = (vec![], vec![]),
    ] {
        let text = with(change);
        assert!(text.contains("some glyphs") && text.contains("label for each"), "{text}");
    }
    let text = with(&|set| set.images[800] = f32::NAN);
    assert!(text.contains("image 1 has a pixel that is NaN"), "{text}");

    let untested = Arc::new(part_of_glyphs(100, 0));
    let text = refused(Evaluation::new(gpu(), untested, TrainingSet::Whole, settings()));
    assert!(text.contains("some glyphs") && text.contains("test"), "{text}");
}

#[test]
fn impossible_settings_are_refused() {
    let with = |change: &dyn Fn(&mut EvaluationSettings)| {
        let mut settings = settings();
        change(&mut settings);
        match start(real(glyphs(), 1), &settings) {
            Err(Error::Setting { name, .. }) => name,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(with(&|s| s.nets = 0), "eval_nets");
    assert_eq!(with(&|s| s.epochs = 0), "eval_epochs");
    assert_eq!(with(&|s| s.batch = 0), "eval_batch");
    assert_eq!(with(&|s| s.nets = usize::MAX), "eval_nets");
    assert_eq!(with(&|s| s.epochs = u32::MAX), "eval_epochs");
    assert_eq!(with(&|s| s.width = 0), "eval_width");
    assert_eq!(with(&|s| s.depth = 6), "eval_depth");
    for lr in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert_eq!(with(&|s| s.lr = lr), "eval_lr");
    }
    // The same is known before there is a set.
    let check = |images, budget| {
        let gpu = gpu().clone().with_memory_budget(budget);
        Evaluation::check(&gpu, glyphs(), images, &settings())
    };
    check(Some(20), 1 << 30).unwrap();
    check(None, 1 << 30).unwrap();
    let tight = [0, 1, 10_000].map(|budget| (Some(10), budget));
    let odd = [(None, 1), (Some(1), 1), (Some(usize::MAX), 1 << 30)];
    for (images, budget) in tight.into_iter().chain(odd) {
        let error = check(images, budget);
        assert!(matches!(error, Err(Error::Setting { name: "memory_budget", .. })), "{error:?}");
    }
}

#[test]
fn the_published_networks_fit_the_default_memory() {
    let dataset = noise(3, 32);
    let gpu = gpu().clone().with_memory_budget(Gpu::MEMORY_BUDGET);
    for net in Architecture::PUBLISHED {
        let settings = EvaluationSettings::for_dataset(&dataset).net(net.clone());
        let checked = Evaluation::check(&gpu, &dataset, Some(500), &settings);
        assert!(checked.is_ok(), "{net}: {checked:?}");
    }
}

#[test]
fn a_training_that_diverges_is_an_error() {
    let mut poisoned = real(glyphs(), 2);
    poisoned.images[300] = f32::MAX;
    poisoned.images[5000] = f32::MAX;
    let fast = settings().lr(1e30);
    for (set, settings) in [(poisoned, settings()), (real(glyphs(), 2), fast)] {
        let error = start(set, &settings).unwrap().accuracy_blocking().unwrap_err();
        assert!(matches!(error, Error::NetworkDiverged { network: 0 }), "{error}");
        assert!(error.to_string().starts_with("network 1 of the evaluation diverged"), "{error}");
    }
    // Nothing of it stays on the device.
    let set = real(glyphs(), 5);
    let after = accuracy(&set, &settings());
    assert!(after.mean > 25.0, "{after}");
}

#[test]
fn condensing_raises_accuracy_over_its_real_images() {
    let dataset = Arc::new(part_of_glyphs(1000, 300));
    let condensing = Settings::for_dataset(&dataset).ipc(1).iterations(60).width(8).batch_real(32);
    let mut run = Condensation::new(gpu(), dataset.clone(), condensing).unwrap();
    let before = run.images_blocking().unwrap();
    while !run.is_done() {
        run.step().unwrap();
        run.wait_blocking(2).unwrap();
    }
    let after = run.images_blocking().unwrap();
    let judging = EvaluationSettings::for_dataset(&dataset)
        .nets(3)
        .epochs(40)
        .width(8)
        .lr(0.02)
        .augment(Strategy::none());
    let judge = |set: SyntheticSet| {
        let set = TrainingSet::Synthetic(set);
        let mut run = Evaluation::new(gpu(), dataset.clone(), set, judging.clone()).unwrap();
        run.accuracy_blocking().unwrap()
    };
    let (before, after) = (judge(before), judge(after));
    println!("{before} before, {after} after");
    // Seeds 0 to 2 gained 20, 23 and 18 points (four networks, 50 epochs). The mean of three networks
    // is off by some 2 to 4 points, so half of the gain remains whatever the adapter's rounding.
    assert!(before.mean + 10.0 < after.mean, "{before} before condensing, {after} after");
    // Far from chance, which training in the wrong direction would be at.
    assert!(before.mean > 25.0, "{before} with real images");
}

/// By IDC's protocol, from images on the device and from such as are sent batch by batch, in batches that two parts and
/// a smaller one make up.
#[test]
fn all_augmentations_and_cutmix_teach_too() {
    let small = Arc::new(part_of_glyphs(150, 300));
    let settings = EvaluationSettings::for_dataset(&small).nets(3).epochs(20).width(8).batch(75);
    let settings = settings.protocol(Protocol::Idc).lr(0.02);
    let run = |train: &TrainingSet, settings: &EvaluationSettings, budget: u64| {
        let gpu = gpu().clone().with_memory_budget(budget);
        let settings = settings.clone();
        Evaluation::new(&gpu, small.clone(), train.clone(), settings)?.accuracy_blocking()
    };
    let ample = 512 << 20;
    for train in [TrainingSet::Synthetic(real(&small, 15)), TrainingSet::Whole] {
        let three = run(&train, &settings, ample).unwrap();
        println!("{three} {:?}", three.runs);
        assert!(three.mean > 30.0, "{three}");
        // Every bit is asked for below: it is decided long before a network is good.
        let brief = settings.clone().epochs(4);
        let three = run(&train, &brief, ample).unwrap();
        let one = run(&train, &brief.clone().nets(1), ample).unwrap();
        assert_eq!(one.runs, three.runs[..1], "alone as beside others");
        let usual = run(&train, &brief.clone().protocol(Protocol::Dm), ample).unwrap();
        assert_ne!(usual.runs, three.runs);
        let least = (16..)
            .map(|power| run(&train, &brief, 1 << power))
            .find(|run| run.as_ref().err().is_none_or(|error| !error.is_usage()));
        assert_eq!(least.unwrap().unwrap(), three, "in any memory");
    }
}
