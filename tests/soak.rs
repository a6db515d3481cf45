//! Hours of work in one process, whose memory must not grow: one run that does not end, and beside it
//! what programs do now and then. `scripts/soak` runs it for an hour; without `SOAK`, it is seconds.
//! Needs an adapter, a CPU one will do.
#![cfg(feature = "files")]

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use dm_wgpu::{
    AdapterChoice, Checkpoint, Condensation, Dataset, Evaluation, EvaluationSettings, Gpu,
    Settings, TrainingSet, data, report, wgpu,
};

/// How long, in seconds, and how many samples there are at least.
const SECONDS: &str = "SOAK";
const FEWEST: u32 = 12;
/// How much more resident memory there may be after each third than after the one before, once warm. Drivers and
/// allocators keep and give back some megabytes as they please; an hour has some ten thousand steps. A single step up is
/// no leak: wgpu's allocator takes a device's memory in blocks of up to 128 MiB, and keeps the second as soon as
/// something that lives on happens to lie there. A leak grows in every third.
const SLACK: u64 = 8 << 20;

/// The same on the device, where at every sample the same things live, but for how measured times cut the work.
const DEVICE_SLACK: u64 = 64 << 10;

/// What is held at one time, in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sample {
    resident: u64,
    /// On the device, where its backend tells.
    device: Option<u64>,
}

#[test]
fn memory_does_not_grow() {
    let seconds = match std::env::var(SECONDS) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{SECONDS}={text}: whole seconds")),
        Err(_) => 6,
    };
    let Some(before) = resident() else {
        return println!("SKIPPED: there is no /proc/self/status");
    };
    let time = Duration::from_secs(seconds);
    let every = Duration::from_secs(60).min(time / FEWEST);

    let choice = AdapterChoice::default().memory_budget(Some(64 << 20));
    let gpu = Gpu::headless_blocking(&choice).unwrap();
    println!("{}, {}", gpu.info().name, gpu.info().driver_info);
    println!("{:>7} {:>9} {:>11} {:>11}", "seconds", "steps", "resident", "on device");
    println!("{:>7} {:>9} {:>7.1} MiB", 0, 0, mib(before));
    let dataset = Arc::new(data::glyphs(0).unwrap());
    let endless = settings(&dataset).iterations(u32::MAX);
    let mut run = Condensation::new(&gpu, dataset.clone(), endless).unwrap();
    let mut sampled = || {
        let mut samples = Vec::new();
        let begun = Instant::now();
        while begun.elapsed() < time || samples.len() < FEWEST as usize {
            let due = every * (samples.len() as u32 + 1);
            // On a slow machine too.
            let enough = run.iteration() + 3;
            while begun.elapsed() < due || run.iteration() < enough {
                run.step().unwrap();
                run.wait_blocking(2).unwrap();
                assert!(run.take_losses().unwrap().iter().all(|loss| loss.loss.is_finite()));
            }
            what_programs_do(&gpu, &dataset, &mut run);
            gpu.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
            let report = gpu.device().generate_allocator_report();
            let device = report.map(|report| report.total_allocated_bytes);
            let sample = Sample { resident: resident().unwrap(), device };
            let shown = device.map_or("not told".into(), |bytes| format!("{:.1} MiB", mib(bytes)));
            let (seconds, steps) = (begun.elapsed().as_secs(), run.iteration());
            println!("{seconds:>7} {steps:>9} {:>7.1} MiB {shown:>11}", mib(sample.resident));
            samples.push(sample);
        }
        growth(&samples)
    };
    // What an allocator takes once can look like growth; a leak goes on.
    match sampled().or_else(|said| {
        println!("{said}; once more");
        sampled()
    }) {
        Ok(said) => println!("{said}"),
        Err(said) => panic!("{said}"),
    }
}

fn settings(dataset: &Dataset) -> Settings {
    Settings::for_dataset(dataset).ipc(1).iterations(10).width(16).batch_real(16)
}

/// Files, pictures, runs that begin, go on elsewhere or are dropped, evaluations.
fn what_programs_do(gpu: &Gpu, dataset: &Arc<Dataset>, run: &mut Condensation) {
    let folder = tempfile::tempdir().unwrap();
    let set = run.images_blocking().unwrap();
    set.save(&folder.path().join("set.safetensors")).unwrap();
    report::write_grid(&set, &folder.path().join("grid.png")).unwrap();

    let mut other = Condensation::new(gpu, dataset.clone(), settings(dataset)).unwrap();
    other.step().unwrap();
    let place = folder.path().join("checkpoint");
    other.checkpoint_blocking().unwrap().save(&place).unwrap();
    // The one in mid-flight is dropped for the one that goes on.
    other.step().unwrap();
    let checkpoint = Checkpoint::load(&place).unwrap();
    other = Condensation::resume(gpu, dataset.clone(), checkpoint).unwrap();
    while !other.is_done() {
        other.step().unwrap();
    }
    drop(other.images_blocking().unwrap());

    let few = EvaluationSettings::for_dataset(dataset).nets(1).epochs(2).width(16);
    let train = TrainingSet::Synthetic(set);
    let mut evaluation = Evaluation::new(gpu, dataset.clone(), train, few).unwrap();
    while !evaluation.is_done() {
        evaluation.step().unwrap();
        evaluation.wait_blocking(2).unwrap();
    }
    evaluation.accuracy_blocking().unwrap();
}

/// This process's, from the system; none where it has no such file.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Compares the thirds of what there was after the first quarter, which is for warming up.
fn growth(samples: &[Sample]) -> Result<String, String> {
    let (_, warm) = samples.split_at(samples.len() / 4);
    let third = warm.len() / 3;
    if third < 2 {
        return Err(format!("{} samples are too few to tell", samples.len()));
    }
    let (first, last) = (&warm[..third], &warm[warm.len() - third..]);
    let between = &warm[third..warm.len() - third];
    let resident = [first, between, last].map(|third| middle(third, |sample| sample.resident));
    let on_device = [first, last].map(|third| middle(third, |s| s.device.unwrap_or_default()));
    let said = format!(
        "resident {} MiB from third to third; on the device {} MiB from the first to the last",
        listed(&resident),
        listed(&on_device)
    );
    let grown = |held: &[u64], slack| held.windows(2).all(|pair| pair[1] > pair[0] + slack);
    match grown(&resident, SLACK) || grown(&on_device, DEVICE_SLACK) {
        true => Err(format!("memory grows: {said}")),
        false => Ok(said),
    }
}

fn middle(samples: &[Sample], of: impl Fn(&Sample) -> u64) -> u64 {
    let mut sorted: Vec<_> = samples.iter().map(of).collect();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

fn listed(bytes: &[u64]) -> String {
    bytes.iter().map(|&bytes| format!("{:.1}", mib(bytes))).collect::<Vec<_>>().join(", ")
}

#[test]
fn growth_is_noticed() {
    let samples = |of: &dyn Fn(u64) -> Sample| (0..60).map(of).collect::<Vec<_>>();
    let flat = |i: u64| Sample { resident: (200 << 20) + ((i % 5) << 20), device: Some(7) };
    assert!(growth(&samples(&flat)).is_ok());
    let warming = |i: u64| Sample { resident: (i.min(10) * 50) << 20, device: None };
    assert!(growth(&samples(&warming)).is_ok());
    let a_block = |i: u64| Sample { resident: (200 + 90 * u64::from(i > 35)) << 20, device: None };
    assert!(growth(&samples(&a_block)).is_ok());
    let leaking = |i: u64| Sample { resident: flat(i).resident + (i << 20), ..flat(i) };
    assert!(growth(&samples(&leaking)).unwrap_err().contains("grows"));
    let kept = |i: u64| Sample { device: Some((7 + i) << 12), ..flat(i) };
    assert!(growth(&samples(&kept)).unwrap_err().contains("on the device 0.1, 0.2 MiB"));
    assert!(growth(&samples(&flat)[..3]).unwrap_err().contains("too few"));
}
