//! Condensing by gradient matching: what any run promises, promised by its iterations of many steps as well.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use dm_wgpu::{
    Architecture, Checkpoint, Condensation, Dataset, Distance, Gpu, Init, Loss, Matching, PerClass,
    Recipe, Settings, Subject, SyntheticSet, augment::Strategy,
};

use crate::{
    bits,
    common::{gpu, gpus},
    glyphs, noise, run_bits,
};

/// Three classes of different sizes.
fn few() -> Arc<Dataset> {
    noise(1, 28, &[30, 4, 20])
}

/// Two iterations of three moves with two passes of training between them.
fn quick(dataset: &Dataset, method: Matching) -> Settings {
    let subject = Subject::from(dataset).method(method).ipc(Some(2));
    let settings = Settings::of(&Recipe::new(subject));
    settings.iterations(2).width(8).depth(2).batch_real(6).outer(Some(3)).inner(Some(2))
}

/// A ConvNet whose norms are frozen by real images before each move, and go by each batch in training.
fn batch_norm() -> Architecture {
    "convnet:norm=batch".parse().unwrap()
}

/// Packed images, of each class another number.
fn packed(settings: Settings) -> Settings {
    settings.init(Init::Noise).per_class(PerClass::new(vec![2, 1, 2])).factor(2)
}

fn run(gpu: &Gpu, dataset: &Arc<Dataset>, settings: Settings) -> (SyntheticSet, Vec<Loss>) {
    let mut run = Condensation::new(gpu, dataset.clone(), settings).unwrap();
    while !run.is_done() {
        run.step().unwrap();
    }
    let set = run.images_blocking().unwrap();
    (set, run.take_losses().unwrap())
}

#[test]
fn a_seed_decides_every_bit_of_either_method() {
    let dataset = few();
    for gpu in gpus() {
        for method in [Matching::Dc, Matching::Dsa] {
            let with = |seed| run(gpu, &dataset, quick(&dataset, method).seed(seed));
            let ((first, losses), (again, same), (other, _)) = (with(5), with(5), with(6));
            assert_eq!(bits(&first), bits(&again));
            assert_eq!(losses, same);
            assert_ne!(bits(&first), bits(&other));
            assert!(losses.iter().all(|loss| loss.loss.is_finite() && loss.loss > 0.0));
        }
    }
}

/// In small pieces, with little memory, so that real images are sent in pieces and few classes go at a time; where classes
/// have different numbers of images, real or synthetic and packed ones; and where a class has more images than go at a time.
/// One has a second budget.
#[test]
fn neither_slices_nor_the_memory_budget_change_a_bit() {
    for (dataset, settings, budgets) in [
        (few(), packed(quick(&few(), Matching::Dsa).outer(Some(2))), 2),
        (
            noise(3, 10, &[9, 3, 200]),
            quick(&noise(3, 10, &[9, 3, 200]), Matching::Dc).batch_real(150),
            1,
        ),
        (
            noise(1, 8, &[70, 70, 70, 70, 5]),
            quick(&noise(1, 8, &[70; 5]), Matching::Dsa)
                .batch_real(70)
                .ipc(70)
                .init(Init::Noise)
                .iterations(1)
                .outer(Some(2))
                .inner(Some(1)),
            1,
        ),
        (few(), quick(&few(), Matching::Dsa).net(batch_norm()), 1),
    ] {
        for gpu in gpus() {
            let (plain, losses) = run(gpu, &dataset, settings.clone());
            let slices = gpu.clone().with_submit_target(Duration::from_millis(1));
            let mut least = 1 << 20;
            loop {
                let gpu = slices.clone().with_memory_budget(least);
                match Condensation::check(&gpu, &dataset, &settings) {
                    Ok(()) => break,
                    Err(error) if error.is_usage() && least < 1 << 30 => least += least / 8,
                    Err(error) => panic!("{error}"),
                }
            }
            for budget in [least, 2 * least].into_iter().take(budgets) {
                let little = slices.clone().with_memory_budget(budget);
                let (pieces, same) = run(&little, &dataset, settings.clone());
                assert_eq!(bits(&plain), bits(&pieces), "{}, {budget} bytes", gpu.kernels().name());
                assert_eq!(losses, same);
            }
        }
    }
}

#[test]
fn an_iteration_that_was_left_has_moved_no_pixel() {
    let dataset = few();
    let gpu = gpu().clone().with_submit_target(Duration::from_millis(1));
    let settings = quick(&dataset, Matching::Dsa);
    let (plain, _) = run(&gpu, &dataset, settings.clone());
    let mut watched = Condensation::new(&gpu, dataset, settings).unwrap();
    assert!(watched.estimate_blocking().unwrap() > Duration::ZERO);
    for _ in 0..2 {
        let before = run_bits(&mut watched);
        for leave_after in [0.0, 0.7] {
            let stopped = watched.step_blocking(&mut |part| match part > leave_after {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            });
            assert_eq!(stopped.unwrap(), ControlFlow::Break(()));
            assert_eq!(run_bits(&mut watched), before);
        }
        let mut parts = Vec::new();
        let _ = watched.step_blocking(&mut |part| {
            parts.push(part);
            ControlFlow::Continue(())
        });
        assert!(parts.iter().all(|part| (0.0..=1.0).contains(part)));
        assert!(parts.last() > Some(&0.9), "{:?}", parts.last());
    }
    assert_eq!(run_bits(&mut watched), bits(&plain));
}

#[test]
fn resuming_changes_no_bit() {
    let dataset = few();
    let settings = quick(&dataset, Matching::Dsa).iterations(3);
    for settings in [settings.clone().net(batch_norm()), packed(settings)] {
        resumed(&dataset, settings);
    }
}

fn resumed(dataset: &Arc<Dataset>, settings: Settings) {
    let (whole, losses) = run(gpu(), dataset, settings.clone());
    for stop in [1, 2] {
        let mut first = Condensation::new(gpu(), dataset.clone(), settings.clone()).unwrap();
        (0..stop).for_each(|_| first.step().unwrap());
        let bytes = first.checkpoint_blocking().unwrap().to_bytes().unwrap();
        let loaded = Checkpoint::from_bytes(&bytes).unwrap();
        let mut second = Condensation::resume(gpu(), dataset.clone(), loaded).unwrap();
        while !second.is_done() {
            second.step().unwrap();
        }
        assert_eq!(run_bits(&mut second), bits(&whole), "stopped at {stop}");
        assert_eq!(second.take_losses().unwrap(), losses[stop as usize..]);
    }
    let made = Condensation::new(gpu(), dataset.clone(), settings.clone());
    let made = made.unwrap().checkpoint_blocking();
    let error = made.unwrap().with_settings(settings.inner(Some(9))).unwrap_err();
    assert!(error.to_string().contains("inner = 2, not 9"), "{error}");
}

/// Of more images than a network is trained on at a time, each pass sees all.
#[test]
fn large_sets_are_trained_on_in_batches() {
    let dataset = noise(1, 8, &[200, 200]);
    let subject = Subject::from(&*dataset).method(Matching::Dsa).ipc(Some(150));
    let settings = Settings::of(&Recipe::new(subject)).iterations(1).width(4).depth(1);
    let settings = settings.batch_real(4).outer(Some(2));
    let with = |inner| run(gpu(), &dataset, settings.clone().inner(Some(inner)));
    let ((one, _), (two, _), (again, _)) = (with(1), with(2), with(2));
    assert_eq!(bits(&two), bits(&again));
    assert_ne!(bits(&one), bits(&two));
}

/// From noise, images come to look to networks like real ones: the distance falls, in each of its forms and by networks of
/// other kinds as well.
#[test]
fn distances_fall() {
    let dataset = glyphs();
    for (distance, net, lr_img) in [
        (Distance::Ours, Architecture::default(), 1.0),
        (Distance::Mse, Architecture::default(), 10.0),
        (Distance::Cos, Architecture::Mlp, 10.0),
        (Distance::Ours, batch_norm(), 1.0),
        (Distance::Ours, Architecture::LeNet, 1.0),
    ] {
        let settings =
            quick(&dataset, Matching::Dc).ipc(1).net(net.clone()).distance(Some(distance));
        let settings = settings.iterations(20).batch_real(16).outer(Some(1)).lr_img(lr_img);
        let (_, losses) = run(gpu(), &dataset, settings);
        let mean = |losses: &[Loss]| losses.iter().map(|loss| loss.loss).sum::<f32>();
        let (first, last) = (mean(&losses[..4]), mean(&losses[16..]));
        assert!(last < 0.97 * first, "{distance:?}, {net}: {first} → {last}");
    }
}

#[test]
fn settings_of_other_methods_are_refused() {
    let dataset = few();
    let dsa = || quick(&dataset, Matching::Dsa);
    let dm = || crate::quick(&dataset, 1);
    for (settings, words) in [
        (dm().outer(Some(1)), "outer = 1: only dc and dsa have it"),
        (dm().distance(Some(Distance::Cos)), "distance = cos: only dc and dsa have it"),
        (dsa().inner(None), "inner = none: dsa needs it"),
        (dsa().outer(Some(0)), "outer = 0: 1 to 10000 is possible"),
        (dsa().lr_net(Some(f32::NAN)), "lr_net = NaN: a positive number is needed"),
        (
            quick(&dataset, Matching::Dc).augment(Strategy::digits()),
            "dc has none; take method = dsa",
        ),
    ] {
        let error = Condensation::check(gpu(), &dataset, &settings).unwrap_err();
        assert!(error.is_usage() && error.to_string().contains(words), "{words}: {error}");
    }
}

/// As published, and between what is published.
#[test]
fn recipes_are_the_published_ones() {
    let of = |method, ipc| {
        Settings::of(&Recipe::new(Subject::named("cifar10").method(method).ipc(Some(ipc))))
    };
    for (ipc, steps) in [
        (1, (1, 1)),
        (9, (1, 1)),
        (10, (10, 50)),
        (20, (20, 25)),
        (25, (20, 25)),
        (30, (30, 20)),
        (40, (40, 15)),
        (50, (50, 10)),
        (100, (50, 10)),
    ] {
        let settings = of(Matching::Dsa, ipc);
        assert_eq!((settings.outer, settings.inner), (Some(steps.0), Some(steps.1)), "{ipc}");
        assert_eq!((settings.lr_img, settings.lr_net), (0.1, Some(0.01)));
        assert_eq!((settings.init, settings.augment), (Init::Real, Strategy::all()));
    }
    let dc = of(Matching::Dc, 10);
    assert_eq!((dc.init, dc.augment, dc.lr_img), (Init::Noise, Strategy::none(), 0.1));
    let dm = of(Matching::Dm, 100);
    assert_eq!((dm.outer, dm.distance, dm.lr_img), (None, None, 10.0));
}
