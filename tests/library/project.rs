//! Runs in folders as another program has them: started, stopped, resumed, repeated and compared.

use std::path::Path;

use dm_wgpu::{
    Architecture, EvaluationSettings, Gpu, SyntheticSet, TrainingSet,
    project::{
        self, CHECKPOINT_EVERY, Changes, Data, Error, Event, Job, Machine, Method, MethodSettings,
        Observer, Record, Resumed, Setup,
    },
};

use crate::quick;

/// Notes what happens, and stops after so many losses.
#[derive(Default)]
struct Notes {
    losses: u32,
    stop_after: Option<u32>,
    jobs: Vec<Job>,
    resumed: Option<u32>,
    seeds: Vec<u64>,
    failed: Vec<Method>,
}

impl Observer for Notes {
    fn see(&mut self, event: Event<'_>) {
        match event {
            Event::Loss { .. } => self.losses += 1,
            Event::Began { job, .. } => self.jobs.push(job),
            Event::Resumed(done) => self.resumed = Some(done),
            Event::Seed { seed, .. } => self.seeds.push(seed),
            Event::Failed(method, _) => self.failed.push(method),
            _ => {}
        }
    }

    fn stops(&self) -> bool {
        self.stop_after.is_some_and(|most| self.losses >= most)
    }

    fn describe(&self, error: &Error) -> String {
        format!("in my words: {error}")
    }
}

fn setup() -> (Setup, Data) {
    let data = Data { name: "glyphs".into(), ..Data::default() };
    (Setup::open(&Machine::default(), &data, &mut ()).unwrap(), data)
}

/// Six iterations, and an evaluation of next to nothing.
fn record(setup: &Setup, data: Data) -> Record {
    let settings = quick(&setup.dataset, 6).ipc(1);
    let evaluation =
        EvaluationSettings::for_dataset(&setup.dataset).nets(1).epochs(1).width(4).depth(1);
    Record::new(data, Some(MethodSettings::Condensing(settings)), Some(evaluation))
}

fn images(folder: &Path) -> Vec<u32> {
    let set = SyntheticSet::load(&folder.join("synthetic.safetensors")).unwrap();
    set.images.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn a_run_that_an_observer_stops_is_resumed_to_the_same_bits() {
    let place = tempfile::tempdir().unwrap();
    let (setup, data) = setup();
    let record = record(&setup, data);
    let run = |name: &str, notes: &mut Notes| {
        let out = place.path().join(name);
        project::run(&setup, record.clone(), Some(&out), CHECKPOINT_EVERY, notes).unwrap()
    };
    let mut notes = Notes::default();
    let whole = run("whole", &mut notes);
    let figures = whole.figures.unwrap();
    assert!(!figures.interrupted && figures.accuracy.is_some());
    assert_eq!((notes.losses, &notes.jobs[..]), (6, &[Job::Evaluating, Job::EvaluatingRandom][..]));

    let stopped = run("part", &mut Notes { stop_after: Some(2), ..Notes::default() });
    let figures = stopped.figures.unwrap();
    let done = figures.completed_iterations.unwrap();
    assert!(figures.interrupted && figures.accuracy.is_none() && (2..6).contains(&done), "{done}");
    let few = Changes { iterations: Some(1), ..Changes::default() };
    let refused = project::resume(&stopped.folder, &few, CHECKPOINT_EVERY, &mut ()).unwrap_err();
    assert!(matches!(refused, Error::TooFewIterations { asked: 1, .. }), "{refused}");

    let mut notes = Notes::default();
    let resume = |notes: &mut Notes| {
        project::resume(&stopped.folder, &Changes::default(), CHECKPOINT_EVERY, notes).unwrap()
    };
    let Resumed::One(ran) = resume(&mut notes) else { panic!("it was not finished") };
    assert!(!ran.figures.unwrap().interrupted);
    assert_eq!((notes.resumed, notes.losses), (Some(done), 6 - done));
    assert_eq!(images(&stopped.folder), images(&whole.folder));
    assert!(matches!(resume(&mut notes), Resumed::Finished(_)));
    let nowhere = project::resume(place.path(), &Changes::default(), CHECKPOINT_EVERY, &mut ());
    assert!(nowhere.unwrap_err().is_usage());

    // Before its first iteration nothing is worth keeping.
    let nothing = run("nothing", &mut Notes { stop_after: Some(0), ..Notes::default() });
    assert!(nothing.figures.is_none() && !nothing.stays && !nothing.folder.exists());
}

#[test]
fn several_runs_and_methods_are_put_together() {
    let place = tempfile::tempdir().unwrap();
    let (setup, data) = setup();
    let record = record(&setup, data.clone());
    let (out, every) = (place.path().join("seeds"), CHECKPOINT_EVERY);
    let mut notes = Notes::default();
    let several =
        project::repeat(&setup, record.clone(), 2, Some(&out), every, &mut notes).unwrap();
    assert_eq!((notes.seeds, several.together.runs.len()), (vec![0, 1], 2));
    assert!(!several.together.interrupted && out.join("seed1/report.html").is_file());
    assert_ne!(images(&out.join("seed0")), images(&out.join("seed1")));

    let out = place.path().join("compared");
    let whole = Record::new(data, None, record.evaluation.clone());
    let mut notes = Notes::default();
    let compared = project::compare(&setup, &[record, whole], 1, &[], Some(&out), &mut notes);
    let compared = compared.unwrap().unwrap();
    let rows: Vec<_> = compared.table.methods.iter().map(|row| row.method).collect();
    assert_eq!((&rows[..], compared.failures.len()), (&["dm", "whole"][..], 0));
    assert!(compared.page.is_file() && notes.failed.is_empty());
}

/// Ends the device when a job begins.
struct Ends(Gpu, Job);

impl Observer for Ends {
    fn see(&mut self, event: Event<'_>) {
        if matches!(&event, Event::Began { job, .. } if *job == self.1) {
            self.0.device().destroy();
        }
    }
}

#[test]
fn a_kind_of_network_that_fails_leaves_the_others_their_results() {
    let (setup, _) = setup();
    let settings = EvaluationSettings::for_dataset(&setup.dataset).nets(1).epochs(1).width(4);
    let nets = [Architecture::default(), Architecture::Mlp, Architecture::LeNet];
    let kinds = nets.map(|net| settings.clone().net(net));
    let mut ends = Ends(setup.gpu.clone(), Job::EvaluatingBy("mlp".into()));
    let (worths, ended) = project::evaluate(&setup, &TrainingSet::Whole, &kinds, false, &mut ends);
    let names: Vec<_> = worths.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["convnet"]);
    assert!(ended.is_err());
}
