//! Runs that are shared out among several devices: what they come to, and what happens when devices fail. One adapter is
//! enough: it is opened several times.

use std::{path::Path, time::Duration};

use dm_wgpu::{
    AdapterChoice, EvaluationSettings, Gpu, SyntheticSet,
    project::{
        self, Adapter, CHECKPOINT_EVERY, Changes, Data, Device, Error, Event, Expected, Left,
        Machine, MethodSettings, Observer, Ran, Record, Result, Resumed, Setup,
    },
    testing::run_out_of_memory,
};

use crate::quick;

type Spoil = fn(&Gpu);
type Which = fn(&str) -> bool;

/// Notes what happens, and spoils devices when they begin with a shard.
#[derive(Default)]
struct Notes {
    begun: Vec<String>,
    ended: Vec<String>,
    lost: Vec<String>,
    parts: Vec<f64>,
    /// What to do with which device when it begins.
    spoil: Option<(Spoil, Which)>,
    /// So many beginnings are spared.
    spared: usize,
    stop_after: Option<usize>,
}

impl Observer for Notes {
    fn see(&mut self, event: Event<'_>) {
        match event {
            Event::Shard { shard, device, seconds: None, .. } => {
                self.begun.push(shard.to_string());
                if let Some((spoil, which)) = self.spoil
                    && self.begun.len() > self.spared
                    && which(&number(device))
                {
                    spoil(&device.gpu);
                }
            }
            Event::Shard { shard, seconds: Some(_), .. } => self.ended.push(shard.to_string()),
            Event::Lost { device, error } => self.lost.push(format!("{}: {error}", number(device))),
            Event::Progress { part, .. } => self.parts.push(part),
            _ => {}
        }
    }

    fn stops(&self) -> bool {
        self.stop_after.is_some_and(|most| self.ended.len() >= most)
    }
}

/// Devices of one adapter are told apart by their budgets.
fn number(device: &Device) -> String {
    (device.gpu.memory_budget() - Gpu::MEMORY_BUDGET).to_string()
}

fn opened(number: u64) -> Gpu {
    let gpu = Gpu::headless_blocking(&AdapterChoice::default()).unwrap();
    gpu.with_memory_budget(Gpu::MEMORY_BUDGET + number)
}

fn setup() -> (Setup, Data) {
    let data = Data { name: "glyphs".into(), ..Data::default() };
    (Setup::open(&Machine::default(), &data, &mut ()).unwrap(), data)
}

/// With this many devices.
fn several(setup: &Setup, devices: u64) -> Setup {
    Setup::new(opened(0), setup.dataset.clone()).with_others((1..devices).map(opened))
}

/// Evaluated by so many networks.
fn asked(setup: &Setup, data: Data, nets: usize) -> Record {
    let settings = quick(&setup.dataset, 6).ipc(1);
    let evaluation = (nets > 0).then(|| {
        EvaluationSettings::for_dataset(&setup.dataset).nets(nets).epochs(1).width(4).depth(1)
    });
    Record::new(data, Some(MethodSettings::Condensing(settings)), evaluation)
}

fn run(setup: &Setup, record: &Record, out: &Path, notes: &mut Notes) -> Result<Ran> {
    project::run(setup, record.clone(), Some(out), CHECKPOINT_EVERY, notes)
}

fn images(folder: &Path) -> Vec<u32> {
    let set = SyntheticSet::load(&folder.join("synthetic.safetensors")).unwrap();
    set.images.iter().map(|value| value.to_bits()).collect()
}

/// Stops when it is told how long the whole takes.
#[derive(Default)]
struct Outlook {
    devices: usize,
    seconds: (f64, f64),
    beginning: Option<Duration>,
}

impl Observer for Outlook {
    fn see(&mut self, event: Event<'_>) {
        match event {
            Event::Expected(expected) => {
                self.devices = expected.devices;
                let Expected { condensing, evaluating, .. } = expected;
                self.seconds = (condensing.as_secs_f64(), evaluating.as_secs_f64());
            }
            Event::Began { expected, .. } => self.beginning = expected,
            _ => {}
        }
    }

    fn stops(&self) -> bool {
        self.devices > 0
    }

    fn wants_times(&self) -> bool {
        true
    }
}

#[test]
fn how_long_all_devices_take_together_is_told_before_they_begin() {
    let place = tempfile::tempdir().unwrap();
    let (one, data) = setup();
    let mut record = asked(&one, data, 2);
    let Some(MethodSettings::Condensing(settings)) = record.settings else { panic!() };
    record.settings = Some(MethodSettings::Condensing(settings.iterations(10_000_000)));
    let mut outlook = Outlook::default();
    let (shared, out) = (several(&one, 2), place.path().join("two"));
    project::run(&shared, record, Some(&out), CHECKPOINT_EVERY, &mut outlook).unwrap();
    let (condensing, evaluating) = outlook.seconds;
    assert_eq!(outlook.devices, 2);
    // A millisecond per iteration is far less than it takes, and a second is far more.
    assert!((1e4..1e7).contains(&condensing), "{condensing}");
    assert!(evaluating > 0.0);
    assert_eq!(outlook.beginning.unwrap().as_secs_f64(), condensing);
}

#[test]
fn two_devices_come_to_what_one_comes_to() {
    let place = tempfile::tempdir().unwrap();
    let (one, data) = setup();
    let (record, at) = (asked(&one, data, 3), |name: &str| place.path().join(name));
    let alone = run(&one, &record, &at("one"), &mut Notes::default()).unwrap();
    let notes = &mut Notes::default();
    let shared = run(&several(&one, 2), &record, &at("two"), notes).unwrap();
    assert_eq!((notes.begun.len(), notes.ended.len(), notes.lost.len()), (4, 4, 0));
    assert!(notes.parts.windows(2).take(4).all(|pair| pair[0] <= pair[1]), "{:?}", notes.parts);
    assert_eq!(images(&shared.folder), images(&alone.folder));
    let (alone, shared) = (alone.figures.unwrap(), shared.figures.unwrap());
    // Networks are those of one device as well.
    assert_eq!(shared.accuracy, alone.accuracy);
    assert_eq!(shared.baseline, alone.baseline);
    assert_eq!(shared.loss, alone.loss);
    assert_eq!((shared.shards.len(), shared.interrupted), (4, false));
}

#[test]
fn a_lost_device_gives_its_shard_back() {
    let place = tempfile::tempdir().unwrap();
    let (one, data) = setup();
    let (record, at) = (asked(&one, data, 0), |name: &str| place.path().join(name));
    run(&one, &record, &at("one"), &mut Notes::default()).unwrap();
    let ways: [(&str, Spoil); 2] =
        [("gone", |gpu| gpu.device().destroy()), ("full", |gpu| run_out_of_memory(gpu, u32::MAX))];
    for (name, spoil) in ways {
        // The first is what evaluates if it is there.
        for which in [|number: &str| number == "0", |number: &str| number == "1"] {
            let out = at(&format!("{name}{}", u8::from(which("1"))));
            let notes = &mut Notes { spoil: Some((spoil, which)), ..Notes::default() };
            // By the one that is left, if it is the second.
            let record = match which("0") && name == "gone" {
                true => asked(&one, record.data.clone(), 1),
                false => record.clone(),
            };
            let ran = run(&several(&one, 2), &record, &out, notes).unwrap();
            assert_eq!(notes.lost.len(), 1, "{:?}", notes.lost);
            assert!(which(&notes.lost[0][..1]), "{:?}", notes.lost);
            assert_eq!((notes.begun.len(), notes.ended.len()), (5, 4), "one of them twice");
            assert_eq!(ran.figures.unwrap().accuracy.is_some(), record.evaluation.is_some());
            assert_eq!(images(&out), images(&at("one")));
        }
    }
}

#[test]
fn without_devices_it_is_said_where_the_run_goes_on() {
    let place = tempfile::tempdir().unwrap();
    let (one, data) = setup();
    let (record, at) = (asked(&one, data, 0), |name: &str| place.path().join(name));
    run(&one, &record, &at("one"), &mut Notes::default()).unwrap();
    let all = (|gpu: &Gpu| gpu.device().destroy()) as Spoil;
    let spoil = Some((all, (|_: &str| true) as Which));
    let notes = &mut Notes { spoil, ..Notes::default() };
    let failure = run(&several(&one, 2), &record, &at("nothing"), notes).unwrap_err();
    assert!(matches!(failure, Error::Library(_)) && !failure.is_usage(), "{failure}");
    assert!(!at("nothing").exists(), "there is nothing to keep");

    let notes = &mut Notes { spoil, spared: 2, ..Notes::default() };
    let failure = run(&several(&one, 2), &record, &at("part"), notes).unwrap_err();
    assert_eq!(notes.lost.len(), 2, "{:?}", notes.lost);
    let told = failure.to_string();
    assert!(!failure.is_usage() && told.contains("no adapter is left; "), "{told}");
    let Error::Left { left: Left::Shards { folder, done, of }, .. } = failure else {
        panic!("{told}")
    };
    assert_eq!((&folder, of), (&at("part"), 4));
    assert!((2..4).contains(&done), "{told}");

    // On one device, which does all of them; stopped, and resumed again with more iterations.
    let resume = |iterations, notes: &mut Notes| {
        let changes = Changes { iterations, ..Changes::default() };
        project::resume(&folder, &changes, Duration::from_secs(1), notes).unwrap()
    };
    let notes = &mut Notes { stop_after: Some(0), ..Notes::default() };
    let Resumed::One(ran) = resume(None, notes) else { panic!("it was not finished") };
    assert!(ran.figures.is_none() && ran.stays && notes.ended.is_empty());
    let notes = &mut Notes::default();
    assert!(matches!(resume(None, notes), Resumed::One(_)));
    assert_eq!(done + notes.ended.len(), 4, "each once");
    assert!(notes.parts[0] > 0.0, "some was done");
    assert_eq!(images(&folder), images(&at("one")));
    assert!(matches!(resume(None, notes), Resumed::Finished(_)));
    assert!(matches!(resume(Some(8), notes), Resumed::One(_)));
    let changes = Changes { iterations: Some(8), ..Changes::default() };
    project::resume(&at("one"), &changes, CHECKPOINT_EVERY, &mut ()).unwrap();
    assert_eq!(images(&folder), images(&at("one")));
    assert_eq!(Adapter::of(&one.gpu), Record::read(&folder.join("run.toml")).unwrap().adapter);
}
