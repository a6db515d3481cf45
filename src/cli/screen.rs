//! The program's [`Observer`]: shows what the library's loops report, to people or programs, and tells them whether to
//! stop.

use dm_wgpu::{
    Dataset, EvaluationSettings, Gpu, Matching, Precision,
    data::Known,
    project::{
        Adapter, Device, Error, Event, Expected, Job, MethodSettings, Observer, Record, Series,
        settings::{Setting, typed},
        words::{counted, how, memory_text, quoted},
    },
    wgpu::DeviceType,
};

use super::{
    console::Console,
    downloads::Downloads,
    events::{self, About},
    failure::in_commands,
    interrupt::Interrupt,
    progress::{Pieces, Preparing, Steps, rough},
};

/// Reports through this console.
pub struct Screen {
    pub console: Console,
    pub interrupt: Interrupt,
    downloads: Downloads,
    preparing: Option<Preparing>,
    steps: Option<Steps>,
    pieces: Option<Pieces>,
}

impl Screen {
    /// Handles Ctrl-C as well.
    pub fn new(console: Console) -> Self {
        Self {
            console,
            interrupt: Interrupt::install(console),
            downloads: Downloads::new(console),
            preparing: None,
            steps: None,
            pieces: None,
        }
    }
}

impl Observer for Screen {
    fn stops(&self) -> bool {
        self.interrupt.requested()
    }

    fn wants_times(&self) -> bool {
        !self.console.quiet()
    }

    fn describe(&self, error: &Error) -> String {
        in_commands(error)
    }

    fn see(&mut self, event: Event<'_>) {
        let Self { console, interrupt, .. } = self;
        match event {
            Event::Loading(progress) => {
                interrupt.removes(progress.unfinished);
                self.downloads.progress(progress);
            }
            Event::Loaded => self.downloads.finish(),
            Event::Made(folders) => interrupt.takes_along(folders.to_vec()),
            Event::Begins { gpu, dataset, devices } => {
                let start = events::Event::Start {
                    version: env!("CARGO_PKG_VERSION"),
                    adapter: Adapter::of(gpu),
                    adapters: devices.iter().map(|device| Adapter::of(&device.gpu)).collect(),
                    dataset: Some(About::of(dataset)),
                };
                console.tell(&introduction(gpu, dataset, devices), &start);
                if devices.iter().any(|device| Adapter::of(&device.gpu) != Adapter::of(gpu)) {
                    console.warn(
                        "these are different devices or drivers: bits may differ from those of a run on one of them",
                    );
                }
            }
            Event::Resumable(folder) => interrupt.resumes(folder),
            Event::Seed { seed, number, of } => {
                console.say(&format!("\nrun       seed{seed} ({number} of {of})"));
            }
            Event::Finished(record) => console.say(&format!("finished  {}", done(record))),
            // For programs, the method's own event reports this.
            Event::Method { .. } if console.json() => {}
            Event::Method { method, number, of } => {
                console.say(&format!("\nmethod    {method} ({number} of {of})"));
            }
            Event::Failed(method, error) => {
                console.warn(&format!("{method} failed: {}", in_commands(error)));
            }
            Event::Run { record, folder } => {
                let Record { method, settings, evaluation, .. } = record;
                let (settings, evaluation) = (settings.as_ref(), evaluation.as_ref());
                let mut said = asked(settings, evaluation);
                if let Some(other) = &record.other_protocol {
                    said += &format!("          and {}\n", how(other));
                }
                if let Some(classes) = &record.data.classes {
                    said += &format!("classes   {classes}, a shard, which is not evaluated\n");
                }
                let said = format!("{said}folder    {}", folder.display());
                console
                    .tell(&said, &events::Event::Method { method, folder, settings, evaluation });
            }
            Event::Resumed(done) => {
                console.say(&format!("resumed   after {}", counted(done as usize, "iteration")));
            }
            Event::Preparing { job, long } => {
                match job {
                    Job::Condensing if long && !console.terminal => {
                        console.say("measuring the speed: some seconds");
                    }
                    Job::Evaluating | Job::EvaluatingBy(_) | Job::EvaluatingRandom => {
                        interrupt.measuring();
                    }
                    _ => {}
                }
                // One bar at a time; otherwise finished bars would pile up below it.
                self.steps.iter().for_each(Steps::hide);
                self.preparing = Some(Preparing::start(console, &job.to_string()));
            }
            Event::Prepared => self.preparing = None,
            Event::Expected(expected) => console.say(&ahead(expected)),
            Event::Iterating { total, losses, seconds, each, evaluations } => {
                interrupt.working();
                let losses = losses.to_vec();
                self.steps = Some(Steps::start(console, total, losses, seconds, each, evaluations));
            }
            Event::Moved { iterations, part, seconds } => {
                self.steps.iter_mut().for_each(|steps| steps.moved(iterations, part, seconds));
            }
            Event::Loss { loss, seconds } => {
                self.steps.iter_mut().for_each(|steps| steps.arrived(loss, seconds));
            }
            Event::Iterated { seconds } => {
                self.steps.take().into_iter().for_each(|steps| steps.finish(seconds));
            }
            Event::Began { job, pieces, expected } => {
                if let Job::Sharing { .. } = job {
                    interrupt.working();
                }
                let pieces = (pieces, job.unit());
                self.pieces = Some(Pieces::start(console, job.to_string(), pieces, expected));
            }
            Event::Progress { done, part } => {
                self.pieces.iter_mut().for_each(|pieces| pieces.at(done, part));
            }
            Event::Ended => {
                self.pieces.take().into_iter().for_each(Pieces::finish);
                self.steps.iter().for_each(Steps::reveal);
            }
            Event::Accuracy { iteration, accuracy } => {
                let after = counted(iteration as usize, "iteration");
                console.tell(
                    &format!("accuracy after {after}: {accuracy}"),
                    &events::Event::Accuracy { iteration, accuracy },
                );
            }
            Event::Trajectories { count, bytes, folder, seconds } => {
                let networks = counted(count as usize, "network");
                let kept = folder.map(|folder| format!(" in {}", folder.display()));
                console.say(&format!(
                    "along     {networks} trained on the real images ({}{}; the training took {seconds:.1} seconds, \
                     which count as time of the run)",
                    memory_text(bytes),
                    kept.unwrap_or_default()
                ));
            }
            Event::NoCheckpoint { error, saved } => {
                let still = match saved {
                    Some(done) => {
                        format!("the one after {} stays", counted(done as usize, "iteration"))
                    }
                    None => "there is none yet".into(),
                };
                console.warn(&format!("no checkpoint: {}; {still}", in_commands(error)));
            }
            Event::Shard { shard, classes, device, seconds } => {
                let adapter = Adapter::of(&device.gpu);
                let index = device.adapter.as_deref();
                let event = events::Event::Shard { shard, classes, index, adapter, seconds };
                match seconds {
                    Some(seconds) => console.tell(
                        &format!(
                            "shard     {shard}, classes {classes}: {seconds:.1} seconds on {device}"
                        ),
                        &event,
                    ),
                    // For people the progress is enough.
                    None if console.json() && !console.quiet() => event.tell(),
                    None => {}
                }
            }
            Event::Lost { device, error } => {
                console.warn(&format!(
                    "{device} failed and is left out, its work goes on elsewhere: {}",
                    in_commands(error)
                ));
            }
            Event::OtherAdapter { was, is } => {
                let told = |a: &Adapter| {
                    let Adapter { name, backend, driver, kernels, precision } = a;
                    format!("{name} ({backend}, {driver}, {kernels} kernels, {precision})")
                };
                other(console, &told(was), &told(is));
            }
            Event::OtherVersion(was) => {
                let told = |version: &str| format!("dm-wgpu {version}");
                other(console, &told(was), &told(env!("CARGO_PKG_VERSION")));
            }
            _ => {}
        }
    }
}

fn other(console: &Console, was: &str, is: &str) {
    console.warn(&format!(
        "the run was started by {was} and continues with {is}: bits may differ from those of a run without interruption"
    ));
}

/// An adapter in a line.
fn about(gpu: &Gpu) -> String {
    let adapter = gpu.info();
    let cpu = match adapter.device_type {
        DeviceType::Cpu => ", a CPU: expect this to be slow",
        _ => "",
    };
    let f16 = match gpu.precision() {
        Precision::F16 => ", f16",
        _ => "",
    };
    let (backend, kernels) = (adapter.backend.to_str(), gpu.kernels().name());
    format!("{} ({backend}, {kernels} kernels{f16}{cpu})", adapter.name)
}

/// Lines about the data set and the adapters.
fn introduction(gpu: &Gpu, dataset: &Dataset, devices: &[Device]) -> String {
    let adapters: Vec<_> = match devices {
        [] => vec![about(gpu)],
        several => several
            .iter()
            .map(|device| match &device.adapter {
                Some(index) => format!("{index}: {}", about(&device.gpu)),
                None => about(&device.gpu),
            })
            .collect(),
    };
    let classes = match dataset.classes() {
        own if dataset.part().is_some_and(|part| part.of > own) => {
            let of = dataset.part().map_or(own, |part| part.of);
            format!("{own} of {of} classes")
        }
        1 => "1 class".to_owned(),
        own => match Known::of(dataset.name()).map(|known| known.classes) {
            Some(all) if all != own => format!("{own} of {all} classes"),
            _ => format!("{own} classes"),
        },
    };
    format!(
        "data set  {}: {} + {} images of {}×{size}×{size} in {classes}\n\
         adapter   {}",
        dataset.name(),
        dataset.train().len(),
        dataset.test().len(),
        dataset.channels(),
        adapters.join("\n          "),
        size = dataset.size(),
    )
}

/// The settings of a run, in lines.
fn asked(settings: Option<&MethodSettings>, evaluation: Option<&EvaluationSettings>) -> String {
    let mut words = Vec::new();
    match settings {
        Some(MethodSettings::Selection(settings)) => words.push(settings.selection.to_string()),
        Some(MethodSettings::Condensing(settings)) if settings.method != Matching::Dm => {
            words.push(settings.method.to_string());
        }
        Some(MethodSettings::Condensing(_)) => {}
        None => words.push("the whole training set".to_owned()),
    }
    let convnet = match settings {
        Some(MethodSettings::Condensing(settings)) => settings.net.is_convnet(),
        _ => true,
    };
    for (setting, value) in typed("settings", &settings) {
        match setting.name {
            "iterations" => words.push(counted(value.parse().unwrap_or_default(), "iteration")),
            "width" | "depth" if !convnet => {}
            name => words.push(format!("{} {value}", name.replace('_', "-"))),
        }
    }
    let evaluation = evaluation.map(|settings| format!("evaluate  {}\n", how(settings)));
    format!("settings  {}\n{}", words.join(", "), evaluation.unwrap_or_default())
}

/// The summary of a run that was already finished.
pub fn done(record: &Record) -> String {
    let iterations = match &record.settings {
        Some(MethodSettings::Condensing(settings)) => {
            Some(counted(settings.iterations as usize, "iteration"))
        }
        _ => None,
    };
    let accuracy = record.outcome.as_ref().and_then(|outcome| outcome.accuracy.as_ref());
    let accuracy = accuracy.map(|accuracy| format!("accuracy {accuracy}"));
    let more = iterations.is_some().then(|| "more --iterations continue it".to_owned());
    let done: Vec<_> = iterations.into_iter().chain(accuracy).chain(more).collect();
    done.join(", ")
}

/// How long the command will take, and which command is quicker.
fn ahead(expected: &Expected<'_>) -> String {
    let Expected { condensing, evaluating, .. } = *expected;
    let what = match expected.series {
        Series::Single => String::new(),
        Series::Runs { asked, left } if asked == left => format!(" for {asked} runs"),
        Series::Runs { left: 1, .. } => " for the last run".to_owned(),
        Series::Runs { left, .. } => format!(" for the {left} runs that are left"),
        Series::Methods { methods, .. } => {
            let names: Vec<_> = methods.iter().map(|method| method.name()).collect();
            format!(" for {}", names.join(", "))
        }
    };
    let device = match expected.devices {
        1 => "this device".to_owned(),
        several => format!("these {several} adapters together"),
    };
    let further = if expected.resumed { " more" } else { "" };
    let mut told = format!("expected  about {}{further} on {device}{what}", rough(expected.all()));
    if !evaluating.is_zero() {
        told += &format!(": {} condensing, {} evaluating", rough(condensing), rough(evaluating));
    }
    if expected.unmeasured {
        told += match expected.series {
            Series::Methods { .. } => ", and other work that was not measured",
            _ if evaluating.is_zero() => ", then evaluations that were not measured",
            _ => ", and other evaluations that were not measured",
        };
    }
    if let Some((record, time)) = &expected.quicker {
        let time = time.map(|time| format!(" (about {})", rough(time))).unwrap_or_default();
        told += &format!("\n          quicker: {}{time}", quicker(record, expected.series));
    }
    told
}

/// The command of a record that has the settings of the preset `small`.
fn quicker(record: &Record, series: &Series) -> String {
    const MACHINE: [&str; 2] = ["adapter", "backend"];
    let (verb, runs, methods) = match series {
        Series::Single => ("", None, None),
        Series::Runs { asked, .. } => ("", Some(asked.to_string()), None),
        Series::Methods { methods, .. } => {
            let names: Vec<_> = methods.iter().map(|method| method.name()).collect();
            (" compare", None, Some(names.join(",")))
        }
    };
    let ipc = typed("settings", &record.settings);
    let ipc = ipc.into_iter().filter(|(setting, _)| setting.name == "ipc");
    let machine = typed("machine", &record.machine);
    let machine = machine.into_iter().filter(|(setting, _)| MACHINE.contains(&setting.name));
    let flag = |(setting, value): (&Setting, _)| (setting.flag(), value);
    let other = |flag: &str, value| Some(("--".to_owned() + flag, value?));
    let data = typed("data", &record.data).into_iter().chain(ipc).map(flag);
    let small = other("preset", Some("small".to_owned())).into_iter();
    let all = data.chain(small).chain(other("runs", runs)).chain(other("methods", methods));
    let mut command = format!("dm-wgpu{verb}");
    for (flag, value) in all.chain(machine.map(flag)) {
        command += &format!(" {flag} {}", quoted(&value));
    }
    if record.evaluation.is_none() {
        command += " --no-eval";
    }
    // Those of a comparison leave it to that.
    if record.no_baseline && !matches!(series, Series::Methods { .. }) {
        command += " --no-baseline";
    }
    command
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::{args::Cli, asked, dataset::tests::tiny};
    use dm_wgpu::project::Method;

    /// The expected minutes of condensing and of evaluating, and the quicker command.
    fn told(series: &Series, minutes: (u64, u64), unmeasured: bool, resumed: bool) -> String {
        let [condensing, evaluating] = [minutes.0, minutes.1].map(|m| Duration::from_secs(60 * m));
        let (devices, quicker) = (1, None);
        let known =
            Expected { devices, condensing, evaluating, unmeasured, resumed, series, quicker };
        assert_eq!(
            ahead(&Expected { devices: 2, ..known.clone() }),
            ahead(&known).replace("this device", "these 2 adapters together")
        );
        ahead(&known)
    }

    #[test]
    fn what_is_expected_is_told_with_what_it_is_of() {
        assert_eq!(
            told(&Series::Single, (10, 30), false, false),
            "expected  about 40 minutes on this device: 10 minutes condensing, 30 minutes evaluating"
        );
        assert_eq!(
            told(&Series::Single, (4, 0), true, true),
            "expected  about 4 minutes more on this device, then evaluations that were not measured"
        );
        let runs = |left| Series::Runs { asked: 3, left };
        let told_of = |left| told(&runs(left), (30, 0), false, left < 3);
        assert_eq!(told_of(3), "expected  about 30 minutes on this device for 3 runs");
        assert_eq!(
            told_of(2),
            "expected  about 30 minutes more on this device for the 2 runs that are left"
        );
        let methods = ["dm", "random", "whole"].map(|name| Method::named(name).unwrap()).to_vec();
        let methods = Series::Methods { methods, whole: None, baseline: false };
        let text = told(&methods, (10, 140), true, false);
        assert!(text.contains("2 h 30 min on this device for dm, random, whole: 10 min"), "{text}");
        assert!(text.ends_with(", and other work that was not measured"), "{text}");

        let command = |line: &str, series: &Series| {
            let cli = Cli::from_arguments(line.split_whitespace()).unwrap();
            let record = asked::record(&cli.given, Method::DM, &tiny());
            quicker(&record, series)
        };
        let line = "dm-wgpu --dataset glyphs --adapter 0";
        let expected = "dm-wgpu --dataset glyphs --ipc 10 --preset small --adapter 0";
        assert_eq!(command(line, &Series::Single), expected);
        let line = "dm-wgpu --dataset glyphs --no-eval";
        let expected = "dm-wgpu --dataset glyphs --ipc 10 --preset small --runs 3 --no-eval";
        assert_eq!(command(line, &runs(2)), expected);
        assert_eq!(
            command("dm-wgpu --dataset glyphs", &methods),
            "dm-wgpu compare --dataset glyphs --ipc 10 --preset small --methods dm,random,whole"
        );
    }
}
