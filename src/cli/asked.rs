//! Makes the record of a run from arguments.

use dm_wgpu::{
    Subject,
    project::{Method, MethodSettings, Record},
};

use super::args::Given;

/// The method's settings; `None` for training on the whole data set.
pub fn settings<'a>(
    given: &Given,
    method: Method,
    subject: impl Into<Subject<'a>>,
) -> Option<MethodSettings> {
    match method {
        Method::Condensing(by) => Some(MethodSettings::Condensing(given.settings(subject, by))),
        Method::Selection(by) => Some(MethodSettings::Selection(given.selection(subject, by))),
        Method::Whole => None,
    }
}

/// A run, to be begun.
pub fn record<'a>(given: &Given, method: Method, subject: impl Into<Subject<'a>>) -> Record {
    let subject = subject.into();
    let evaluation = (!given.no_eval()).then(|| given.evaluation(subject.clone(), method));
    let other_protocol = given.other_protocol(subject.clone(), method);
    let settings = settings(given, method, subject);
    let record = Record::new(given.data(given.dataset()), settings, evaluation);
    Record {
        // From a file they may stand beside a method that has no iterations.
        eval_every: given.get("eval_every").filter(|_| method.condenses()),
        other_protocol,
        no_baseline: method.beats_random() && given.no_baseline(),
        snapshots: record.snapshots.map(|usual| given.get("snapshots").unwrap_or(usual)),
        machine: given.machine(),
        ..record
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{args::Cli, dataset::tests::tiny};
    use dm_wgpu::{
        Accuracy,
        project::{Adapter, Baseline, Machine, Outcome},
    };

    fn asked(line: &str) -> Record {
        let cli = Cli::from_arguments(line.split_whitespace()).unwrap();
        let adapter = Adapter {
            name: "A \"GPU\"".into(),
            backend: "vulkan".into(),
            driver: "x 1".into(),
            kernels: "tiles".into(),
            precision: "f32".into(),
        };
        let record = record(&cli.given, cli.given.method(), &tiny());
        Record { adapter, ..record }
    }

    fn outcome(record: &Record) -> Outcome {
        let iterations =
            matches!(record.settings, Some(MethodSettings::Condensing(_))).then_some(7);
        Outcome {
            completed_iterations: iterations,
            first_loss: iterations.map(|_| 0.1),
            last_loss: iterations.map(|_| 1e-9),
            seconds: 1.5,
            interrupted: false,
            accuracy: record.evaluation.as_ref().map(|_| Accuracy::of(vec![80.0, 90.0])),
            baseline: record.evaluation.as_ref().map(|_| Baseline {
                accuracy: Accuracy::of(vec![70.0, 71.5]),
                images: 20,
                improvement: 14.25,
            }),
        }
    }

    #[test]
    fn a_record_is_read_back_and_repeats_its_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        for line in [
            "dm-wgpu --dataset mnist",
            "dm-wgpu --dataset glyphs --lr-img 0.1 --augment none --init noise --depth 2 \
             --seed 9223372036854775807 --memory-budget 1GiB --adapter 0 --backend gl --data-dir d \
             --no-eval --snapshots 0",
            "dm-wgpu --dataset glyphs --method k-center --ipc 3 --seed 2 --eval-nets 5",
            "dm-wgpu --dataset glyphs --method dsa --ipc 12 --outer 3 --distance cos --lr-net 0.5 --eval-every 2",
            "dm-wgpu --dataset glyphs --method dc --inner 0",
            "dm-wgpu --dataset glyphs --method whole --depth 2 --seed 2 --eval-epochs 5",
            "dm-wgpu --dataset glyphs --no-baseline",
            "dm-wgpu --dataset glyphs --ipc 1,2,3,4,5,6,7,8,9,10",
            "dm-wgpu --dataset glyphs --ipc 1,2,3,4,5,6,7,8,9,10 --method random",
            "dm-wgpu --dataset glyphs --protocol both --eval-lr 0.5 --eval-net mlp",
            "dm-wgpu --dataset glyphs --protocol both --method whole --eval-batch 9",
            "dm-wgpu --dataset glyphs --eval-every 5 --eval-width 9 --kernels plain \
             --precision f16 --snapshots 3 --submit-target 50",
            "dm-wgpu --dataset glyphs --eval-depth 1 --eval-batch 9 --eval-lr 0.1 --eval-augment none",
            "dm-wgpu --dataset glyphs --classes 0-3,7 --eval-nets 2",
            "dm-wgpu --dataset folder:/data/pets --resize 32 --test-fraction 0.25 --no-eval",
        ] {
            let begun = asked(line);
            begun.check().unwrap();
            let ended = Record { outcome: Some(outcome(&begun)), ..begun.clone() };
            for record in [&begun, &ended] {
                record.write(&path).unwrap();
                assert_eq!(&Record::read(&path).unwrap(), record);
            }

            let text = std::fs::read_to_string(&path).unwrap();
            let again = text.lines().nth(1).unwrap().trim_start_matches("# ");
            assert_eq!(asked(again), begun, "{text}");
        }
        let open = asked("dm-wgpu --dataset glyphs --memory-budget 512MiB");
        assert_eq!(open.machine, Machine::default(), "what is usual is not written down");
    }
}
