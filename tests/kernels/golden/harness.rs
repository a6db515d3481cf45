//! Checks every golden file of some folders against an [`Engine`] and reports in one table.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use dm_wgpu::{Layer, PoolKind};

use super::{
    engine::Engine,
    network::is_cancelled,
    vectors::{
        AugmentCase, Case, ClassifierCase, CutmixCase, DmCase, EmbedCase, GradientsCase,
        NetworkCase, PackCase, Result, SnapshotsCase, UnrollCase, Vectors,
    },
};
use crate::{
    common::{Tolerance, relative_error},
    reference::{Params, narrow},
};

/// The repository's own vectors, or the folders in `$DM_WGPU_GOLDEN`, separated by `:`.
pub fn folders() -> Vec<PathBuf> {
    match std::env::var("DM_WGPU_GOLDEN") {
        Ok(list) => list.split(':').filter(|f| !f.is_empty()).map(PathBuf::from).collect(),
        Err(_) => vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/vectors")],
    }
}

/// What came of one file.
pub struct Line {
    file: String,
    case: String,
    /// Worst relative errors; none where nothing was computed.
    worst: Option<(f64, f64)>,
    failures: Vec<String>,
}

/// What came of all.
#[derive(Default)]
pub struct Report {
    lines: Vec<Line>,
    failures: Vec<String>,
}

impl Report {
    /// Everything that is wrong; nothing means that all passed.
    pub fn failures(&self) -> Vec<String> {
        let of_line = |line: &Line| {
            let file = line.file.clone();
            line.failures
                .iter()
                .map(move |failure| format!("{file}: {failure}"))
                .collect::<Vec<_>>()
        };
        self.failures.iter().cloned().chain(self.lines.iter().flat_map(of_line)).collect()
    }
    /// Prints the table, then fails if anything did.
    #[track_caller]
    pub fn assert_passed(&self) {
        println!("{self}");
        let failures = self.failures();
        assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self.lines.iter().map(|l| l.file.len()).max().unwrap_or(0);
        writeln!(f, "{:widest$}  {:14}  {:>9}  {:>9}", "file", "case", "values", "gradients")?;
        for Line { file, case, worst, failures } in &self.lines {
            write!(f, "{file:widest$}  {case:14}  ")?;
            if let Some((values, gradients)) = worst {
                write!(f, "{values:9.1e}  {gradients:9.1e}")?;
            }
            writeln!(f, "{}", if failures.is_empty() { "" } else { "  FAILED" })?;
        }
        Ok(())
    }
}

/// Every *.safetensors of the folders. A folder without any is a failure, as is no folder.
pub fn check(folders: &[PathBuf], engine: &dyn Engine, tolerance: Tolerance) -> Report {
    let mut report = Report::default();
    if folders.is_empty() {
        report.failures.push("no folder of golden vectors was given".into());
    }
    for folder in folders {
        match files_of(folder) {
            Ok(files) => {
                report.lines.extend(files.iter().map(|f| check_file(f, engine, tolerance)));
            }
            Err(failure) => report.failures.push(format!("{}: {failure}", folder.display())),
        }
    }
    report
}

fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = |e: std::io::Error| format!("cannot be listed: {e}");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        if path.extension().is_some_and(|e| e == "safetensors") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() { Err("holds no *.safetensors".into()) } else { Ok(files) }
}

fn check_file(path: &Path, engine: &dyn Engine, tolerance: Tolerance) -> Line {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut errors =
        Errors { tolerance, switched: 1.0, values: 0.0, gradients: 0.0, failures: vec![] };
    let mut line = Line { file, case: "?".into(), worst: None, failures: vec![] };
    let checked = match Vectors::read(path).and_then(|vectors| vectors.case()) {
        Ok(Case::Augment(case)) => {
            line.case = "augment".into();
            check_augment(&case, engine, &mut errors)
        }
        Ok(Case::Embed(case)) => {
            line.case = "embed".into();
            check_embed(&case, engine, &mut errors)
        }
        Ok(Case::Dm(case)) => {
            line.case = "dm".into();
            check_dm(&case, engine, &mut errors)
        }
        Ok(Case::Classifier(case)) => {
            line.case = "classifier".into();
            check_classifier(&case, engine, &mut errors)
        }
        Ok(Case::Network(case)) => {
            line.case = "network".into();
            check_network(&case, engine, &mut errors)
        }
        Ok(Case::Gradients(case)) => {
            line.case = "gradients".into();
            check_gradients(&case, engine, &mut errors)
        }
        Ok(Case::Unroll(case)) => {
            line.case = "unroll".into();
            check_unroll(&case, engine, &mut errors)
        }
        Ok(Case::Pack(case)) => {
            line.case = "pack".into();
            check_pack(&case, engine, &mut errors)
        }
        Ok(Case::Cutmix(case)) => {
            line.case = "cutmix".into();
            check_cutmix(&case, engine, &mut errors)
        }
        Ok(Case::Snapshots(case)) => {
            line.case = "snapshots".into();
            check_snapshots(&case, engine, &mut errors)
        }
        Err(failure) => Err(failure),
    };
    match checked {
        Ok(()) => line.worst = Some((errors.values, errors.gradients)),
        Err(failure) => errors.failures.push(failure),
    }
    line.failures = errors.failures;
    line
}

fn check_augment(case: &AugmentCase, engine: &dyn Engine, errors: &mut Errors) -> Result<()> {
    let y = engine.augment_forward(&case.x, &case.ops)?;
    errors.value("y", &y.values, &case.y);
    let dx = engine.augment_backward(&case.dy, &case.ops)?;
    errors.gradient("dx", &dx.values, &case.dx);
    Ok(())
}

fn check_pack(case: &PackCase, engine: &dyn Engine, errors: &mut Errors) -> Result<()> {
    for (how, y) in engine.unpack(&case.x, case.factor)? {
        errors.value(&format!("{how}: y"), &y.values, &case.y);
    }
    let dx = engine.unpack_backward(&case.dy, case.factor)?;
    errors.gradient("dx", &dx.values, &case.dx);
    Ok(())
}

fn check_cutmix(case: &CutmixCase, engine: &dyn Engine, errors: &mut Errors) -> Result<()> {
    let out = engine.cutmix(case)?;
    if out.cut != case.cut {
        return Err(format!("the box is {:?}, not {:?}", out.cut, case.cut));
    }
    errors.value("lambda", &[out.share], &[case.lambda]);
    errors.value("mixed", &out.mixed, &case.mixed);
    errors.value("loss", &[out.loss], &[case.loss]);
    errors.gradient("d_logits", &out.d_logits, &case.d_logits);
    Ok(())
}

fn check_snapshots(case: &SnapshotsCase, engine: &dyn Engine, errors: &mut Errors) -> Result<()> {
    let (out, steps) = (engine.snapshots(case)?, case.compared());
    if out.len() != steps.len() {
        return Err(format!("{} steps came back, not {}", out.len(), steps.len()));
    }
    for (s, (out, step)) in out.iter().zip(steps).enumerate() {
        let at = |what: &str| format!("step{s}.{what}");
        errors.value(&at("losses"), &out.losses, &step.losses);
        errors.gradient(&at("grad"), &out.grad, &step.grad);
        if case.joint {
            errors.gradient(&at("velocity"), &out.velocity, &step.velocity);
            errors.value(&at("syn"), &out.syn, &step.syn);
        }
    }
    Ok(())
}

fn check_embed(case: &EmbedCase, engine: &dyn Engine, errors: &mut Errors) -> Result<()> {
    // Without a backward to follow, other kernels may run: both ways must give these values.
    for d_embedding in [None, Some(&case.d_embedding[..])] {
        let out = engine.embed(&case.net, &case.weights, &case.x, d_embedding)?;
        if out.blocks.len() != case.blocks.len() {
            return Err(format!(
                "{} blocks came back, not {}",
                out.blocks.len(),
                case.blocks.len()
            ));
        }
        for (d, (block, reference)) in out.blocks.iter().zip(&case.blocks).enumerate() {
            errors.value(&format!("block{d}.out"), block, reference);
        }
        errors.value("embedding", &out.blocks[out.blocks.len() - 1], &case.embedding);
        match (d_embedding, out.dx) {
            (Some(_), Some(dx)) => errors.gradient("dx", &dx, &case.dx),
            (Some(_), None) => return Err("no dx came back".into()),
            (None, Some(_)) => return Err("a dx came back that was not asked for".into()),
            (None, None) => {}
        }
    }
    Ok(())
}

fn check_dm(case: &DmCase, engine: &dyn Engine, errors: &mut Errors) -> Result<()> {
    let results = engine.dm(case)?;
    if results.len() != case.steps.len() {
        return Err(format!("{} steps came back, not {}", results.len(), case.steps.len()));
    }
    for (s, (out, reference)) in results.iter().zip(&case.steps).enumerate() {
        errors.value(&format!("step{s}.loss"), &[out.loss], &[reference.loss]);
        errors.gradient(&format!("step{s}.grad"), &out.grad, &reference.grad);
        errors.gradient(&format!("step{s}.velocity"), &out.velocity, &reference.velocity);
        errors.value(&format!("step{s}.syn"), &out.syn, &reference.syn);
    }
    Ok(())
}

fn check_classifier(case: &ClassifierCase, engine: &dyn Engine, errors: &mut Errors) -> Result<()> {
    for (how, out) in engine.classifier(case)? {
        if (out.logits.len(), out.losses.len()) != (case.logits.len(), case.losses.len()) {
            return Err(format!("{how}: {} steps, not {}", out.logits.len(), case.logits.len()));
        }
        for (s, (logits, reference)) in out.logits.iter().zip(&case.logits).enumerate() {
            errors.value(&format!("{how}: step{s}.logits"), logits, reference);
            errors.value(&format!("{how}: step{s}.loss"), &[out.losses[s]], &[case.losses[s]]);
        }
        let [gradients, expected, last, expected_last] =
            [&out.gradients, &case.gradients, &out.params, &case.last].map(Params::from);
        for name in &expected.names {
            let what = format!("{how}: step0.grad.{name}");
            errors.gradient(&what, &narrow(gradients.get(name)), &narrow(expected.get(name)));
            let what = format!("{how}: final.{name}");
            errors.value(&what, &narrow(last.get(name)), &narrow(expected_last.get(name)));
        }
    }
    Ok(())
}

fn check_network(case: &NetworkCase, engine: &dyn Engine, errors: &mut Errors) -> Result<()> {
    // The tolerance of f16 is reckoned for three blocks. Each further one that is rounded switches as many
    // ReLUs again, which batch norms over few images magnify, and so does each step: of deeper networks
    // only what has gone through them once is compared.
    let once = errors.tolerance == Tolerance::F16 && convolutions(case.net.layers()) > 3;
    // If two values of a window change places, one loses a gradient that the other gains: twice the square of what a ReLU
    // gains or loses. Of four normal values the largest two are 1.03 · √2 / 0.4 = 3.6 times as likely to be as close
    // as rounding is off as one is to be as close to zero.
    if maximum(case.net.layers()) {
        errors.allow_for(1.0 + 2.0 * 3.6);
    }
    for (how, out) in engine.network(case)? {
        for (s, reference) in case.logits.iter().enumerate().take(if once { 1 } else { usize::MAX })
        {
            let logits = out.logits.get(s).ok_or(format!("{how}: no step {s}"))?;
            errors.value(&format!("{how}: step{s}.logits"), logits, reference);
            errors.value(&format!("{how}: step{s}.loss"), &[out.losses[s]], &[case.losses[s]]);
        }
        if once {
            continue;
        }
        errors.gradient(&format!("{how}: step0.dx"), &out.dx, &case.dx);
        errors.value(&format!("{how}: eval.logits"), &out.eval_logits, &case.eval_logits);
        for (what, reference, out, gradient) in [
            ("step0.grad", &case.gradients, &out.gradients, true),
            ("final", &case.last, &out.last, false),
        ] {
            if let Some(name) = out.keys().find(|name| !reference.contains_key(*name)) {
                return Err(format!("{how}: {what}.{name} is not among the vectors"));
            }
            for (name, reference) in reference {
                let what = format!("{how}: {what}.{name}");
                match out.get(name) {
                    Some(out) if gradient => {
                        errors.gradient(&what, &narrow(out), &narrow(reference));
                    }
                    Some(out) => errors.value(&what, &narrow(out), &narrow(reference)),
                    // Such a bias changes nothing: the vectors, too, have a gradient of 0.
                    None if is_cancelled(&case.net, name)
                        && case.gradients[name].iter().all(|g| *g == 0.0) => {}
                    None => return Err(format!("{what} did not come back")),
                }
            }
        }
    }
    Ok(())
}

fn check_gradients(case: &GradientsCase, engine: &dyn Engine, errors: &mut Errors) -> Result<()> {
    for (how, out) in engine.gradients(case)? {
        if out.len() != case.steps.len() {
            return Err(format!("{how}: {} steps, not {}", out.len(), case.steps.len()));
        }
        // What comes back is the mean over steps so far.
        let mut distances = vec![0.0; case.labels.len()];
        for (s, (out, step)) in out.iter().zip(&case.steps).enumerate() {
            let what = |name: &str| format!("{how}: step{s}.{name}");
            distances.iter_mut().zip(&step.distances).for_each(|(sum, d)| *sum += d);
            let mean: Vec<_> = distances.iter().map(|sum| sum / (s + 1) as f32).collect();
            errors.value(&what("distances"), &out.distances, &mean);
            errors.gradient(&what("grad"), &out.grad, &step.grad);
            if let Some((syn, velocity)) = &step.moved {
                errors.value(&what("syn"), &out.syn, syn);
                errors.gradient(&what("velocity"), &out.velocity, velocity);
            }
            let before = s.checked_sub(1).map(|before| &case.steps[before]);
            let trained = before.map_or(&case.init, |before| &before.trained);
            // Running statistics are those of the real images that froze them.
            for (name, values) in trained.iter().filter(|(name, _)| !name.contains("running")) {
                match out.net.get(name) {
                    Some(own) => errors.value(&what(name), &narrow(own), &narrow(values)),
                    None if is_cancelled(&case.net, name) => {}
                    None => return Err(format!("{} did not come back", what(name))),
                }
            }
            let loss = before.and_then(|before| before.inner.last());
            if let (Some((_, loss)), Some(own)) = (loss, out.inner_loss) {
                errors.value(&what("inner loss before it"), &[own], &[*loss]);
            }
        }
    }
    Ok(())
}

fn check_unroll(case: &UnrollCase, engine: &dyn Engine, errors: &mut Errors) -> Result<()> {
    // Each step of the training switches ReLUs of its own, and so do the real images behind them.
    errors.allow_for(case.raw.len() as f64 + 1.0);
    for (how, out) in engine.unroll(case)? {
        let what = |name: &str| format!("{how}: {name}");
        if let Some(losses) = &out.inner_losses {
            errors.value(&what("inner losses"), losses, &case.inner_losses);
        }
        let loss = out.losses.iter().sum::<f64>() / out.losses.len() as f64;
        errors.value(&what("loss"), &[loss as f32], &[case.loss]);
        for (name, values) in &case.trained {
            match out.trained.get(name) {
                Some(own) => {
                    errors.value(&what(&format!("final.{name}")), &narrow(own), &narrow(values));
                }
                None if is_cancelled(&case.net, name) => {}
                None => return Err(what(&format!("final.{name} did not come back"))),
            }
        }
        errors.gradient(&what("d_data"), &narrow(&out.d_data), &case.d_data);
        errors.gradient(&what("d_raw_lr"), &narrow(&out.d_raw), &case.d_raw);
    }
    Ok(())
}

/// Of a network, in residuals too.
fn convolutions(layers: &[Layer]) -> usize {
    let of = |layer: &Layer| match layer {
        Layer::Conv { .. } => 1,
        Layer::Residual { body, shortcut } => convolutions(body) + convolutions(shortcut),
        _ => 0,
    };
    layers.iter().map(of).sum()
}

/// Whether one of these layers chooses the largest value of each window.
fn maximum(layers: &[Layer]) -> bool {
    layers.iter().any(|layer| matches!(layer, Layer::Pool { kind: PoolKind::Max, .. }))
}

/// The worst of a file's errors, and a failure for each one over its tolerance.
struct Errors {
    tolerance: Tolerance,
    /// How many times as far off gradients may be.
    switched: f64,
    values: f64,
    gradients: f64,
    failures: Vec<String>,
}

impl Errors {
    fn value(&mut self, what: &str, out: &[f32], reference: &[f32]) {
        let error = self.compare(what, out, reference, self.tolerance.values);
        self.values = self.values.max(error);
    }
    fn gradient(&mut self, what: &str, out: &[f32], reference: &[f32]) {
        let limit = self.switched * self.tolerance.gradients;
        let error = self.compare(what, out, reference, limit);
        self.gradients = self.gradients.max(error);
    }
    /// Allows for jumps of gradients, so many times those that the tolerance of f16 is reckoned for. Errors that are
    /// independent add up as squares.
    fn allow_for(&mut self, jumps: f64) {
        if self.tolerance == Tolerance::F16 {
            self.switched *= jumps.sqrt();
        }
    }
    fn compare(&mut self, what: &str, out: &[f32], reference: &[f32], limit: f64) -> f64 {
        let error = relative_error(out, reference);
        // Infinite for NaN, so that "over" cannot be missed.
        if error > limit {
            self.failures.push(format!("{what}: relative error {error:.1e} is over {limit:.0e}"));
        }
        error
    }
}
