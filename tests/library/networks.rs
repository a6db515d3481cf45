//! Condensing and evaluating with other networks than the usual one, through the public interface.

use std::sync::Arc;

use dm_wgpu::{
    Architecture, Checkpoint, Condensation, Dataset, Error, Evaluation, EvaluationSettings,
    Settings, TrainingSet,
};

use crate::{common::gpu, noise, quick, run_bits};

/// A network of the user's own.
const OWN: &str = r#"layers:own=[{"op":"conv","out":4,"kernel":5,"stride":2},{"op":"act","kind":"swish"},
    {"op":"flatten"},{"op":"linear","out":2}]"#;

fn net(name: &str) -> Architecture {
    name.parse().unwrap()
}

fn settings(dataset: &Dataset, name: &str) -> Settings {
    quick(dataset, 3).net(net(name))
}

fn run(dataset: &Arc<Dataset>, settings: &Settings, budget: u64) -> dm_wgpu::Result<Condensation> {
    let gpu = gpu().clone().with_memory_budget(budget);
    Condensation::new(&gpu, dataset.clone(), settings.clone())
}

fn ended(mut run: Condensation) -> Vec<u32> {
    while !run.is_done() {
        run.step().unwrap();
    }
    run_bits(&mut run)
}

/// In one piece, in the smallest pieces, and with a stop on the way.
#[test]
fn the_memory_budget_and_a_stop_change_no_bit() {
    let dataset = noise(1, 28, &[12, 9]);
    // With batch norm, whose statistics come from real images of their own in each iteration.
    for name in ["lenet", "mlp", "convnet:norm=group:act=swish:pool=max", "convnet:norm=batch", OWN]
    {
        let settings = settings(&dataset, name);
        let whole = ended(run(&dataset, &settings, 256 << 20).unwrap());
        let mut budget = 64 << 10;
        let least = loop {
            match run(&dataset, &settings, budget) {
                Ok(run) => break ended(run),
                Err(Error::Setting { name: "memory_budget", .. }) => budget += budget / 4,
                Err(other) => panic!("{name}: {other}"),
            }
        };
        assert!(least == whole, "{name}: a budget of {budget} bytes changes the images");

        let mut first = run(&dataset, &settings, 256 << 20).unwrap();
        first.step().unwrap();
        let bytes = first.checkpoint_blocking().unwrap().to_bytes().unwrap();
        let loaded = Checkpoint::from_bytes(&bytes).unwrap();
        assert_eq!(loaded.settings().net, settings.net);
        let second = Condensation::resume(gpu(), dataset.clone(), loaded).unwrap();
        assert!(ended(second) == whole, "{name}: a stop changes the images");
        // Another kind makes other images.
        let usual = quick(&dataset, 3);
        assert!(ended(run(&dataset, &usual, 256 << 20).unwrap()) != whole, "{name}");
    }
}

#[test]
fn networks_that_do_not_condense_are_refused() {
    let dataset = noise(1, 28, &[12, 9]);
    let error = settings(&dataset, &OWN.replace("2}]", "3}]")).check(&dataset).unwrap_err();
    assert!(matches!(error, Error::Setting { name: "net", .. }), "{error}");
    assert!(error.to_string().contains("3 outputs; 2 are needed"), "{error}");
    let small = noise(3, 16, &[4, 4]);
    let error = settings(&small, "vgg11").check(&small).unwrap_err().to_string();
    assert!(error.contains("3×16×16") && error.contains("layer"), "{error}");
}

/// With batch norm too, whose networks take a batch in one piece.
#[test]
fn a_network_is_the_same_beside_others() {
    let glyphs = crate::glyphs();
    let mut part = crate::evaluate::real(&glyphs, 3);
    part.dataset = glyphs.name().into();
    for name in ["lenet", "convnet:norm=batch"] {
        let accuracy = |nets| {
            let settings = EvaluationSettings::for_dataset(&glyphs)
                .net(net(name))
                .nets(nets)
                .epochs(4)
                .width(8)
                .batch(12);
            let train = TrainingSet::Synthetic(part.clone());
            let dataset = crate::evaluate::glyphs().clone();
            Evaluation::new(gpu(), dataset, train, settings).unwrap().accuracy_blocking().unwrap()
        };
        let (one, two) = (accuracy(1), accuracy(2));
        assert_eq!(one.runs, two.runs[..1], "{name}");
        assert_ne!(two.runs[0], two.runs[1], "{name}");
    }
}
