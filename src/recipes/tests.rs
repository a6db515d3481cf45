use super::*;
use crate::{EvaluationSettings, Settings};

fn recipe(
    dataset: &str,
    shape: Option<(usize, usize)>,
    preset: Preset,
    ipc: Option<usize>,
) -> Recipe {
    let (channels, size) = (shape.map(|shape| shape.0), shape.map(|shape| shape.1));
    Recipe::new(Subject { channels, size, preset, ipc, ..Subject::named(dataset) })
}

#[test]
fn presets_are_those_of_the_rules() {
    for preset in Preset::ALL {
        let name = format!("preset {preset}");
        let rules: Vec<_> = RULES.iter().filter(|rule| rule.name == name).collect();
        assert_eq!(rules.len(), 1, "{name}");
        assert_eq!(rules[0].when.preset, Some(preset));
        assert_eq!(preset.name().parse::<Preset>().unwrap(), preset);
    }
    let error = "papre".parse::<Preset>().unwrap_err().to_string();
    assert_eq!(error, "preset = papre: possible are quick, paper, small, smoke, best");
}

/// Every data set that has a name here or may get one, in every preset.
#[test]
fn every_preset_of_every_data_set() {
    const FLIP: &str = "color_crop_cutout_flip_scale_rotate";
    const NO_FLIP: &str = "color_crop_cutout_scale_rotate";
    // iterations, width, batch_real, ipc, nets, epochs
    let presets = [
        (Preset::Quick, (1000, 128, 256, 10, 3, 300)),
        (Preset::Paper, (20_000, 128, 256, 10, 20, 1000)),
        (Preset::Small, (200, 32, 64, 10, 2, 100)),
        (Preset::Smoke, (10, 16, 16, 1, 1, 10)),
        // Of what is not the chosen method.
        (Preset::Best, (1000, 32, 256, 10, 3, 300)),
    ];
    for (name, channels, size, augment, depth) in [
        ("glyphs", 1, 28, NO_FLIP, 3),
        ("mnist", 1, 28, NO_FLIP, 3),
        ("fashion-mnist", 1, 28, FLIP, 3),
        ("kmnist", 1, 28, NO_FLIP, 3),
        ("svhn", 3, 32, NO_FLIP, 3),
        ("cifar10", 3, 32, FLIP, 3),
        ("cifar100", 3, 32, FLIP, 3),
        ("tiny-imagenet", 3, 64, FLIP, 4),
        ("of grey pictures", 1, 63, NO_FLIP, 3),
        ("of large grey pictures", 1, 64, NO_FLIP, 4),
        ("of large pictures", 3, 128, FLIP, 4),
    ] {
        for (preset, (iterations, width, batch_real, ipc, nets, epochs)) in presets {
            let recipe = recipe(name, Some((channels, size)), preset, None);
            let settings = Settings {
                method: Default::default(),
                per_class: Default::default(),
                distance: None,
                outer: None,
                inner: None,
                lr_net: None,
                dd_init: None,
                dd_steps: None,
                dd_epochs: None,
                alpha: None,
                trajectories: None,
                expert_epochs: None,
                shown: None,
                ipc,
                factor: 1,
                iterations,
                init: crate::Init::Real,
                net: Default::default(),
                width,
                depth,
                batch_real,
                lr_img: 1.0,
                augment: augment.parse().unwrap(),
                seed: 0,
            };
            assert_eq!(Settings::of(&recipe), settings, "{name}, {preset}");
            assert_eq!(recipe.runs(), (preset == Preset::Paper).then_some(5), "{name}, {preset}");
            let evaluation = EvaluationSettings {
                protocol: Default::default(),
                net: Default::default(),
                nets,
                epochs,
                width,
                depth,
                batch: 256,
                lr: 0.01,
                augment: augment.parse().unwrap(),
                seed: 0,
            };
            assert_eq!(EvaluationSettings::of(&recipe), evaluation, "{name}, {preset}");
        }
    }
}

#[test]
fn large_sets_of_cifar10_alone_take_larger_steps() {
    for preset in Preset::ALL {
        for (name, ipc, lr_img) in [
            ("cifar10", 1, 1.0),
            ("cifar10", 99, 1.0),
            ("cifar10", 100, 10.0),
            ("cifar10", 1250, 10.0),
            ("cifar100", 125, 1.0),
            ("tiny-imagenet", 100, 1.0),
            ("mnist", 1000, 1.0),
        ] {
            let settings = Settings::of(&recipe(name, Some((3, 32)), preset, Some(ipc)));
            assert_eq!((settings.ipc, settings.lr_img), (ipc, lr_img), "{name}, {preset}");
        }
    }
}

#[test]
fn a_whole_set_needs_few_epochs_in_any_preset() {
    for (preset, epochs) in [(Preset::Quick, 20), (Preset::Paper, 20), (Preset::Smoke, 1)] {
        let recipe = Recipe::new(Subject { preset, whole: true, ..Subject::named("mnist") });
        assert_eq!(EvaluationSettings::of(&recipe).epochs, epochs, "{preset}");
    }
}

#[test]
fn every_value_names_the_rule_that_it_is_from() {
    let recipe = recipe("cifar10", Some((3, 64)), Preset::Paper, Some(200));
    for (table, key, rule) in [
        ("settings", "batch_real", Some("default")),
        ("settings", "iterations", Some("preset paper")),
        ("", "runs", Some("preset paper")),
        ("settings", "lr_img", Some("cifar10 from ipc 100 on")),
        ("settings", "depth", Some("images of 64×64 and larger")),
        ("evaluation", "depth", Some("images of 64×64 and larger")),
        ("evaluation", "nets", Some("preset paper")),
        ("evaluation", "lr", Some("default")),
        ("evaluation", "ipc", None),
        ("outcome", "ipc", None),
    ] {
        assert_eq!(recipe.rule(table, key), rule, "{table}.{key}");
    }
}

#[test]
fn values_that_depend_on_unknown_images_stay_open() {
    let open = |recipe: &Recipe| {
        ["depth", "augment", "lr_img", "width"].map(|key| recipe.is_open("settings", key))
    };
    let unknown = recipe("folder:x", None, Preset::Quick, None);
    assert_eq!(open(&unknown), [true, true, false, false]);
    assert!(unknown.is_open("evaluation", "depth") && unknown.is_open("evaluation", "augment"));
    let colour =
        Recipe::new(Subject { channels: Some(3), size: None, ..Subject::named("folder:x") });
    assert_eq!(open(&colour), [true, false, false, false]);
    assert_eq!(open(&Recipe::new(Subject::named("mnist"))), [false; 4]);
    // As for small images in colour, or nothing could be shown at all.
    let settings = Settings::of(&unknown);
    assert_eq!((settings.depth, settings.augment.members().len()), (3, 6));
}

#[test]
fn the_best_is_a_method_with_a_source_and_its_own_constants() {
    for preset in Preset::ALL {
        let recipe = Recipe::new(Subject::named("mnist").preset(preset));
        let Some((method, source)) = recipe.method() else {
            assert_ne!(preset, Preset::Best);
            continue;
        };
        assert_eq!((preset, method), (Preset::Best, Matching::Trajectory));
        assert!(source.contains("TGDD, AAAI 2026"), "{source}");
        assert_eq!(recipe.rule("", "method"), Some("preset best"));
    }
    // As published: grey sets are not packed from 50 images per class on, colour is.
    for (name, ipc, expected) in [
        ("mnist", 1, (2, 0.01, 2.5)),
        ("fashion-mnist", 10, (2, 0.1, 2.5)),
        ("fashion-mnist", 50, (1, 0.5, 0.5)),
        ("mnist", 50, (1, 0.5, 0.5)),
        ("svhn", 50, (2, 0.5, 0.5)),
        ("cifar10", 50, (2, 0.5, 0.5)),
    ] {
        let subject = Subject::named(name).preset(Preset::Best).ipc(Some(ipc));
        let settings = Settings::of(&Recipe::new(subject.method(Matching::Trajectory)));
        let told = (settings.factor, settings.lr_img, settings.alpha.unwrap());
        assert_eq!(told, expected, "{name}, {ipc}");
        assert_eq!((settings.expert_epochs, settings.batch_real), (Some(20), 128));
    }
}
