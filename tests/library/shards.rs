//! Parts of a data set's classes: what is made of them is what the whole run makes of them, to the bit.

use std::sync::Arc;

use dm_wgpu::{
    Checkpoint, Condensation, Dataset, Gpu, Init, Loss, Settings, SyntheticSet, data::Classes,
};

use crate::{bits, common::gpus, condense::run, noise};

fn classes(text: &str) -> Classes {
    text.parse().unwrap()
}

fn shard(
    gpu: &Gpu,
    dataset: &Dataset,
    settings: &Settings,
    own: &str,
) -> (SyntheticSet, Vec<Loss>) {
    let own = classes(own);
    let part = Arc::new(dataset.of_classes(&own).unwrap());
    run(gpu, &part, settings.clone())
}

/// With few images in some classes, which then give all they have, and more in flight than fit at once.
#[test]
fn shards_of_any_size_join_to_the_bits_of_one_run() {
    let dataset = noise(3, 16, &[5, 30, 9, 4, 17, 6]);
    let usual =
        Settings::for_dataset(&dataset).iterations(3).width(8).depth(2).batch_real(8).ipc(2);
    for gpu in gpus() {
        for settings in [
            usual.clone(),
            usual.clone().init(Init::Noise).factor(2).seed(9),
            usual.clone().net("mlp".parse().unwrap()),
        ] {
            let (whole, losses) = run(gpu, &dataset, settings.clone());
            let parts = ["1", "0,3-5", "2"].map(|own| {
                let (set, losses) = shard(gpu, &dataset, &settings, own);
                ((classes(own), set), losses)
            });
            let (sets, of_parts): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
            let joined = SyntheticSet::join(sets.into_iter().rev()).unwrap();
            assert!(bits(&joined) == bits(&whole), "other images");
            assert!(joined == whole, "other fields");
            for (at, whole) in losses.iter().enumerate() {
                let sum: f64 = of_parts.iter().map(|losses| losses[at].sum).sum();
                assert_eq!(((sum / 6.0) as f32, sum), (whole.loss, whole.sum));
            }
        }
    }
}

#[test]
fn a_shard_is_resumed_as_the_shard_that_it_is() {
    let dataset = noise(1, 8, &[6, 6, 6]);
    let settings =
        Settings::for_dataset(&dataset).iterations(4).width(4).depth(1).batch_real(4).ipc(1);
    for gpu in gpus() {
        let own = classes("1-2");
        let mut run = Condensation::for_classes(gpu, &dataset, settings.clone(), &own).unwrap();
        run.step().unwrap();
        let bytes = run.checkpoint_blocking().unwrap().to_bytes().unwrap();
        while !run.is_done() {
            run.step().unwrap();
        }
        let resumed = |part: Arc<Dataset>| {
            Condensation::resume(gpu, part, Checkpoint::from_bytes(&bytes).unwrap())
        };
        let part = |own: &str| Arc::new(dataset.of_classes(&classes(own)).unwrap());
        let mut again = resumed(part("1-2")).unwrap();
        while !again.is_done() {
            again.step().unwrap();
        }
        assert_eq!(again.images_blocking().unwrap(), run.images_blocking().unwrap());
        for (other, what) in [(part("0-1"), "0-1 of 3"), (Arc::clone(&dataset), "now it is all")] {
            let error = resumed(other).unwrap_err().to_string();
            assert!(error.contains("classes: 1-2 of 3") && error.contains(what), "{error}");
        }
    }
}

#[test]
fn parts_that_do_not_go_together_are_refused() {
    let dataset = noise(1, 4, &[3, 3, 3]);
    let set = |own: &str, ipc: usize| {
        let own = dataset.of_classes(&classes(own)).unwrap();
        SyntheticSet {
            images: vec![0.5; own.classes() * ipc * 16],
            labels: (0..own.classes()).flat_map(|class| vec![class as i64; ipc]).collect(),
            channels: 1,
            size: 4,
            dataset: own.name().into(),
            class_names: own.class_names().to_vec(),
            mean: own.mean().to_vec(),
            std: own.std().to_vec(),
            ipc,
            factor: 1,
            settings: "{}".into(),
            course: None,
        }
    };
    let joined = |parts: &[(&str, usize)]| {
        SyntheticSet::join(parts.iter().map(|(own, ipc)| (classes(own), set(own, *ipc))))
    };
    let whole = joined(&[("1", 2), ("0,2", 2)]).unwrap();
    assert_eq!((whole.class_names[1].as_str(), &whole.labels[..3]), ("class 1", &[0, 0, 1][..]));
    for (parts, why) in [
        (&[][..], "there are none"),
        (&[("0", 1), ("2", 1)], "class 1 is missing"),
        (&[("1-2", 1)], "class 0 is missing"),
        (&[("0-1", 1), ("1-2", 1)], "class 1 is in two"),
        (&[("0-1", 1), ("2", 2)], "differ in more than their classes"),
    ] {
        let error = joined(parts).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    let mut uneven = set("0-1", 2);
    (uneven.labels, uneven.images) = (vec![0, 0, 1], vec![0.0; 3 * 16]);
    let error = SyntheticSet::join([(classes("0-1"), uneven)]).unwrap_err().to_string();
    assert!(error.contains("different numbers of images"), "{error}");
    assert!(dataset.of_classes(&classes("3")).unwrap_err().is_usage());
    let part = dataset.of_classes(&classes("0-1")).unwrap();
    assert!(part.of_classes(&classes("0")).unwrap_err().to_string().contains("a part"));
}
