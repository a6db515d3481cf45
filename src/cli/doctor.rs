//! `dm-wgpu doctor`: whether adapters and their drivers compute what they should.

use dm_wgpu::{
    AdapterChoice, Error, adapters_blocking,
    doctor::{self, Check, Examination, Outcome, Speed, Variant},
};
use serde::Serialize;

use super::{adapters, args::DoctorArgs, console::Console, failure::Failure};

/// What is printed. Its fields are the keys of `--json`.
#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    os: &'static str,
    arch: &'static str,
    /// `DM_WGPU_LIMITS`, where it is set.
    limits: Option<String>,
    sound: bool,
    verdict: String,
    adapters: Vec<Patient>,
}

/// One adapter.
#[derive(Debug, Serialize)]
struct Patient {
    index: usize,
    name: String,
    /// What the adapter reports, for people.
    #[serde(skip)]
    description: String,
    #[serde(flatten)]
    state: State,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Examined(Box<Examination>),
    /// Why it can't be opened.
    Unusable(String),
}

pub fn run(args: &DoctorArgs, console: Console) -> Result<u8, Failure> {
    let backend = args.backend.clone();
    let found = adapters_blocking(backend.as_deref())?;
    let wanted = args.adapter.as_ref().filter(|wanted| *wanted != AdapterChoice::ALL);
    let chosen = match wanted {
        None => (0..found.len()).filter(|&index| !found[index].hidden).collect(),
        Some(wanted) => {
            let names: Vec<_> = found.iter().map(|report| report.info.name.as_str()).collect();
            vec![one(wanted, &names)?]
        }
    };
    if chosen.len() < found.len() && wanted.is_none() {
        console.say(
            "hidden adapters are checked only if --adapter names them; dm-wgpu adapters lists them",
        );
    }
    if chosen.is_empty() {
        return Err(adapters::none(backend.as_deref()));
    }
    let mut patients = Vec::new();
    for index in chosen {
        let report = &found[index];
        let name = report.info.name.clone();
        let choice =
            AdapterChoice::default().adapter(Some(index.to_string())).backend(backend.clone());
        let begin = &mut |what: &str| console.say(&format!("checking {name}: {what}"));
        let state = match doctor::examine_blocking(&choice, begin) {
            Ok(examination) => State::Examined(Box::new(examination)),
            // Nothing is wrong with the adapter.
            Err(error @ Error::Setting { .. }) => return Err(error.into()),
            Err(error) => State::Unusable(error.to_string()),
        };
        let description = adapters::describe(index, report);
        patients.push(Patient { index, name, description, state });
    }
    let limits = std::env::var("DM_WGPU_LIMITS").ok().filter(|limits| !limits.is_empty());
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
        limits,
        sound: is_sound(&patients),
        verdict: verdict(&patients),
        adapters: patients,
    };
    console.result(&text(&report), &report)?;
    Ok(if report.sound { 0 } else { 1 })
}

/// The index of an adapter that is named as for `--adapter`.
fn one(wanted: &str, names: &[&str]) -> Result<usize, Failure> {
    let wanted = wanted.trim();
    let found = match wanted.parse::<usize>() {
        Ok(index) => Some(index).filter(|&index| index < names.len()),
        Err(_) => names.iter().position(|n| n.to_lowercase().contains(&wanted.to_lowercase())),
    };
    found.ok_or_else(|| {
        let there = names.iter().enumerate().map(|(i, name)| format!("{i} ({name})"));
        let there = there.collect::<Vec<_>>().join(", ");
        Failure::Usage(format!(
            "--adapter {wanted:?}: no adapter has this name or index; there are: {there}"
        ))
    })
}

/// Whether at least one adapter can be used, and every such adapter computes what it should.
fn is_sound(patients: &[Patient]) -> bool {
    let mut examined = patients.iter().filter_map(Patient::examination).peekable();
    examined.peek().is_some() && examined.all(Examination::is_sound)
}

impl Patient {
    fn examination(&self) -> Option<&Examination> {
        match &self.state {
            State::Examined(examination) => Some(examination),
            State::Unusable(_) => None,
        }
    }

    /// What is wrong; nothing if all is well.
    fn finding(&self) -> Option<String> {
        match &self.state {
            State::Unusable(why) => Some(format!("Adapter {} can't be used: {why}.", self.index)),
            State::Examined(examination) => {
                let found = examination.finding()?;
                Some(format!("Adapter {}, {}: {found}", self.index, self.name))
            }
        }
    }
}

fn verdict(patients: &[Patient]) -> String {
    let findings: Vec<_> = patients.iter().filter_map(Patient::finding).collect();
    let examined = patients.iter().filter(|patient| patient.examination().is_some()).count();
    let well = match (is_sound(patients), examined) {
        (false, _) => None,
        (true, 1) => {
            Some("sound: all kernels that the adapter can have give the right results.".to_owned())
        }
        (true, n) => Some(format!(
            "sound: all kernels that the {n} adapters can have give the right results."
        )),
    };
    well.into_iter().chain(findings).collect::<Vec<_>>().join(" ")
}

fn text(report: &Report) -> String {
    let Report { version, os, arch, limits, verdict, adapters, .. } = report;
    let mut blocks = vec![format!("dm-wgpu {version}, {os} {arch}")];
    if let Some(limits) = limits {
        blocks[0] += &format!(", at DM_WGPU_LIMITS={limits}");
    }
    for patient in adapters {
        let rows = match &patient.state {
            State::Unusable(why) => vec![("can't be used", why.clone())],
            State::Examined(examination) => rows(examination),
        };
        let rows = rows.iter().map(|(what, value)| row(what, value));
        blocks.push(
            [patient.description.clone()].into_iter().chain(rows).collect::<Vec<_>>().join("\n"),
        );
    }
    blocks.push(wrapped("verdict  ", verdict));
    blocks.join("\n\n")
}

/// As `dm-wgpu adapters` lists them.
fn row(what: &str, value: &str) -> String {
    wrapped(&format!("   {what:<17}"), value)
}

/// A label, and a text beside it in lines of 80 columns.
fn wrapped(label: &str, text: &str) -> String {
    const COLUMNS: usize = 80;
    let indent = label.chars().count();
    let (mut lines, mut line) = (Vec::new(), label.to_owned());
    for word in text.split_whitespace() {
        let length = line.chars().count();
        let begun = length > indent;
        if begun && length + 1 + word.chars().count() > COLUMNS {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)));
        } else if begun {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.join("\n")
}

fn rows(examination: &Examination) -> Vec<(&str, String)> {
    let mut rows = Vec::new();
    for variant in &examination.variants {
        rows.push((variant.name.as_str(), outcome(variant)));
        let wrong = variant.checks.iter().filter(|check| !check.right);
        rows.extend(wrong.map(|check| ("", error(check))));
    }
    rows.push((
        "speed",
        match &examination.speed {
            Speed::Measured(ceiling) => format!(
                "{:.1} GFLOP/s multiplying and adding, {:.1} GB/s copying",
                ceiling.gflops, ceiling.gbytes_per_s
            ),
            Speed::Failed { reason } => format!("FAILED: {reason}"),
            _ => "unknown".to_owned(),
        },
    ));
    rows
}

fn outcome(variant: &Variant) -> String {
    let Variant { outcome, checks, seconds, default, .. } = variant;
    let default = if *default { ", used by runs" } else { "" };
    let all = checks.len();
    match outcome {
        Outcome::Right => {
            let worst = checks.iter().filter_map(|check| check.error).fold(0.0, f64::max);
            format!("right ({all} results, worst {worst:.1e}), {seconds:.1} s{default}")
        }
        Outcome::Wrong => {
            let wrong = checks.iter().filter(|check| !check.right).count();
            format!("WRONG in {wrong} of {all} results{default}:")
        }
        Outcome::Failed { reason } => format!("FAILED{default}: {reason}"),
        Outcome::Absent { missing } => format!("not available: no {missing}"),
        _ => "unknown".to_owned(),
    }
}

fn error(check: &Check) -> String {
    let Check { what, error, tolerance, .. } = check;
    match error {
        Some(error) => format!("{what}: off by {error:.1e}, {tolerance:.0e} is allowed"),
        None => format!("{what}: contains values that are not finite"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_are_named_as_elsewhere() {
        let names = ["GeForce", "llvmpipe"];
        for (wanted, expected) in [("1", Some(1)), ("LLVM", Some(1)), ("e", Some(0)), ("2", None)] {
            assert_eq!(one(wanted, &names).ok(), expected, "{wanted}");
        }
        let refused = one("radeon", &names).unwrap_err();
        assert_eq!(refused.code(), 2);
        assert!(refused.to_string().ends_with("0 (GeForce), 1 (llvmpipe)"), "{refused}");
    }

    #[test]
    fn lines_end_before_the_terminal_does() {
        let text = wrapped("   label  ", &"word ".repeat(40));
        assert!(text.lines().count() == 3 && text.lines().all(|line| line.len() <= 80), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("          word")), "{text}");
        assert_eq!(wrapped("a ", &"x".repeat(90)), format!("a {}", "x".repeat(90)));
    }
}
