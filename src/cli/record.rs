//! `run.toml`: what a run was asked, on what it ran, what came of it, and the command that repeats it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use dm_wgpu::{Init, Settings, report, wgpu::AdapterInfo};

use super::{args::RunArgs, failure::Failure};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Version of this program.
    pub version: String,
    pub dataset: String,
    /// As asked for; [`Outcome::completed_iterations`] is what was done.
    pub settings: Settings,
    pub adapter: Adapter,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    pub name: String,
    pub backend: String,
    pub driver: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Fewer than asked for if the run was interrupted.
    pub completed_iterations: u32,
    pub first_loss: f32,
    pub last_loss: f32,
    pub seconds: f64,
}

impl Adapter {
    pub fn of(info: &AdapterInfo) -> Self {
        Self {
            name: info.name.clone(),
            backend: info.backend.to_str().to_owned(),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        }
    }
}

impl Record {
    pub fn write(&self, args: &RunArgs, path: &Path) -> Result<(), Failure> {
        let table = toml::to_string(self)
            .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
        let command = command(args, &self.settings);
        let text = format!("# The same again, into a new folder:\n# {command}\n\n{table}");
        Ok(report::write_whole(path, text.as_bytes())?)
    }
}

/// The command line that gives these settings. It names every one of them, so that defaults may
/// change, and no `--out`, as that folder is full now.
fn command(args: &RunArgs, settings: &Settings) -> String {
    // Whoever adds a setting is told here that the command lacks it.
    let Settings {
        ipc,
        iterations,
        init,
        width,
        depth,
        batch_real,
        lr_img,
        augment,
        seed,
        memory_budget,
    } = settings;
    let init = match init {
        Init::Real => "real",
        Init::Noise => "noise",
    };
    let mut command = format!(
        "dm-wgpu --dataset {} --ipc {ipc} --iterations {iterations} --init {init} --width {width} \
         --depth {depth} --batch-real {batch_real} --lr-img {lr_img} --augment {augment} \
         --seed {seed} --memory-budget {memory_budget}",
        args.dataset()
    );
    let data_dir = args.data_dir.as_ref().map(|path| path.to_string_lossy().into_owned());
    for (flag, value) in
        [("--data-dir", &data_dir), ("--adapter", &args.adapter), ("--backend", &args.backend)]
    {
        if let Some(value) = value {
            command += &format!(" {flag} {}", quoted(value));
        }
    }
    command
}

/// A word as a shell takes it, on one line whatever is in it: more would end the comment.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=+,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else if word.chars().any(char::is_control) {
        let escape = |c: char| match c {
            '\'' | '\\' => format!("\\{c}"),
            c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
            c => c.to_string(),
        };
        format!("$'{}'", word.chars().map(escape).collect::<String>())
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{args::Cli, dataset::tests::tiny};
    use clap::Parser;

    fn record(args: &RunArgs) -> Record {
        Record {
            version: "0.1.0".into(),
            dataset: args.dataset().into(),
            settings: args.settings(&tiny()),
            adapter: Adapter {
                name: "A \"GPU\"".into(),
                backend: "vulkan".into(),
                driver: "x 1".into(),
            },
            outcome: Outcome {
                completed_iterations: 7,
                first_loss: 0.1,
                last_loss: 1e-9,
                seconds: 1.5,
            },
        }
    }

    #[test]
    fn comes_back_and_repeats_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        for line in [
            "dm-wgpu --dataset mnist",
            "dm-wgpu --dataset glyphs --lr-img 0.1 --augment none --init noise --depth 2 \
             --seed 9223372036854775807 --memory-budget 1GiB --adapter 0 --backend gl --data-dir d",
        ] {
            let args = Cli::try_parse_from(line.split_whitespace()).unwrap().run;
            record(&args).write(&args, &path).unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(toml::from_str::<Record>(&text).unwrap(), record(&args));

            let again = text.lines().nth(1).unwrap().trim_start_matches("# ");
            let again = Cli::try_parse_from(again.split_whitespace()).unwrap().run;
            assert_eq!(again.settings(&tiny()), args.settings(&tiny()));
            assert_eq!(
                (again.adapter, again.backend, again.data_dir),
                (args.adapter, args.backend, args.data_dir)
            );
        }
    }

    #[test]
    fn odd_words_are_quoted_on_one_line() {
        assert_eq!(quoted("/data/mnist-1"), "/data/mnist-1");
        assert_eq!(quoted("my data"), "'my data'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("a\nb = 1'"), r"$'a\u000ab = 1\''");
    }
}
