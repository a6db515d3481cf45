//! `dm-wgpu show-config`: the settings of a run, as a file for `--config`, and where each value comes from.

use std::{fmt::Write, path::Path};

use toml::{Table, Value};

use dm_wgpu::{
    Recipe, Subject,
    project::{
        BOTH, MethodSettings, OTHER_PROTOCOL,
        settings::{Kind, Setting},
    },
};

use super::{
    args::{Given, Origin, ShowConfigArgs},
    asked, dataset,
    failure::Failure,
    say,
};

/// Prints the file and returns the exit code.
pub fn run(args: &ShowConfigArgs) -> Result<u8, Failure> {
    refuse(&args.given)?;
    let text = text(args, Subject::named(&args.given.dataset()))?;
    say::out(text.trim_end()).map_err(|error| Failure::Failed(format!("stdout: {error}")))?;
    Ok(0)
}

/// Refuses what the run would refuse, as far as this can be checked without an adapter and the images.
fn refuse(given: &Given) -> Result<(), Failure> {
    let method = given.method();
    let data = dataset::look(&given.data(given.dataset()))?;
    let Some(data) = data else { return Ok(()) };
    match asked::settings(given, method, &data) {
        Some(MethodSettings::Condensing(settings)) => settings.check(&data)?,
        Some(MethodSettings::Selection(settings)) => settings.check(&data)?,
        None => {}
    }
    if !given.no_eval() {
        given.evaluation(&data, method).check(&data)?;
        given.other_protocol(&data, method).map(|other| other.check(&data)).transpose()?;
    }
    Ok(())
}

/// The file's text.
fn text(args: &ShowConfigArgs, subject: Subject) -> Result<String, Failure> {
    let (given, method): (&Given, _) = (&args.given, args.given.method());
    let record = asked::record(given, method, subject.clone());
    let mut table = Table::try_from(&record)
        .map_err(|error| Failure::Failed(format!("the settings as TOML: {error}")))?;
    // As one types it, and as `--config` takes it.
    if let Some(Value::Table(settings)) = table.get_mut("settings")
        && let Some(Value::Array(numbers)) = settings.remove("per_class")
    {
        let numbers: Vec<_> = numbers.iter().map(Value::to_string).collect();
        settings.insert("ipc".to_owned(), numbers.join(",").into());
    }
    // As `--config` takes them, what is not shared by both protocols follows from them.
    if let (Some(Value::Table(other)), Some(Value::Table(own))) =
        (table.remove(OTHER_PROTOCOL), table.get_mut("evaluation"))
    {
        own.retain(|key, value| other.get(key) == Some(value));
        own.insert("protocol".to_owned(), BOTH.into());
    }
    // A run that has not begun has no adapter, and the version is in the first line.
    table.retain(|key, _| !matches!(key, "adapter" | "version"));
    let recipe = given.recipe(subject, method);
    let file = args.run.common.config.as_deref();
    let sources = Sources { given, file, recipe: &recipe };

    let mut text =
        format!("# What dm-wgpu {} would run; a file for --config.\n\n", env!("CARGO_PKG_VERSION"));
    let preset = sources.line("", "preset", &Value::from(given.preset().name()));
    let mut in_tables = ["settings", "evaluation"]
        .iter()
        .filter_map(|&name| Some((name, table.get(name)?.as_table()?)))
        .flat_map(|(name, values)| values.keys().map(move |key| (name, key)));
    // If every value that a preset can set is given, the preset has no effect, and printing its default would be
    // misleading.
    let idle = in_tables.all(|(name, key)| sources.asked(name, key).is_some());
    let mut top = Vec::new();
    if !idle || sources.asked("", "preset").is_some() {
        top.push(preset);
    }
    if let Some(runs) = given.runs() {
        top.push(sources.line("", "runs", &Value::from(runs)));
    }
    let of_top = table.iter().filter(|(_, value)| !value.is_table());
    top.extend(of_top.map(|(key, value)| sources.line("", key, value)));
    write(&mut text, top);
    for (name, values) in &table {
        if let Value::Table(values) = values {
            text += &format!("\n[{name}]\n");
            write(&mut text, values.iter().map(|(key, value)| sources.line(name, key, value)));
        }
    }
    Ok(text)
}

/// A line of the file, and the comment behind it.
struct Line {
    said: String,
    source: String,
}

/// Lines, with their comments in one column.
fn write(text: &mut String, lines: impl IntoIterator<Item = Line>) {
    let lines: Vec<_> = lines.into_iter().collect();
    // Long values do not widen the column.
    let width = |line: &Line| Some(line.said.chars().count()).filter(|&width| width <= 32);
    let width = lines.iter().filter_map(width).max().unwrap_or(0);
    for Line { said, source } in lines {
        // Writing to a String can't fail.
        let _ = writeln!(text, "{said:width$}  # {source}");
    }
}

struct Sources<'a> {
    given: &'a Given,
    file: Option<&'a Path>,
    recipe: &'a Recipe,
}

impl Sources<'_> {
    fn line(&self, table: &str, name: &str, value: &Value) -> Line {
        // The settings of some methods name them once more.
        let table = if (table, name) == ("settings", "method") { "" } else { table };
        let kind = Setting::find(table, name).map(|setting| setting.kind);
        let value = match (kind, value) {
            // As short as an f32 can be.
            (Some(Kind::Rate | Kind::Weight), Value::Float(rate)) => format!("{:?}", *rate as f32),
            _ => value.to_string(),
        };
        let said = format!("{name} = {value}");
        if let Some(source) = self.asked(table, name) {
            return Line { said, source };
        }
        if self.recipe.is_open(table, name) {
            let source = "depends on the images, which are not known yet".to_owned();
            return Line { said: format!("# {name}"), source };
        }
        let source = match self.recipe.rule(table, name) {
            None | Some("default") => "default".to_owned(),
            Some(rule) if (table, name) == ("", "method") => {
                let source = self.given.chosen().map_or("", |(_, source)| source);
                format!("{rule}: {source}")
            }
            Some(rule) if rule.starts_with("preset ") => rule.to_owned(),
            Some(rule) => format!("recipe: {rule}"),
        };
        Line { said, source }
    }

    /// The flag or the file that a value comes from.
    fn asked(&self, table: &str, name: &str) -> Option<String> {
        // An evaluation takes these values from the run, and a selection is a method.
        let elsewhere = match (table, name) {
            ("evaluation", _) => Setting::find("settings", name).filter(|setting| setting.shared),
            ("settings", "selection") => Setting::find("", "method"),
            _ => None,
        };
        let mut settings = [Setting::find(table, name), elsewhere].into_iter().flatten();
        let source = |setting: &Setting| match (self.given.origin(setting.name)?, self.file) {
            // A comment must stay on one line.
            (Origin::File, Some(file)) => {
                Some(file.display().to_string().replace(char::is_control, "?"))
            }
            _ => Some(format!("flag {}", setting.flag())),
        };
        settings.find_map(source)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cli::args::{Cli, Command};
    use dm_wgpu::project::Record;

    fn parsed(line: &str) -> Cli {
        Cli::from_arguments(line.split_whitespace()).unwrap()
    }

    fn shown(line: &str, subject: Option<Subject>) -> String {
        let cli = parsed(&format!("dm-wgpu show-config {line}"));
        let Some(Command::ShowConfig(args)) = &cli.command else { panic!("another command") };
        let dataset = args.given.dataset();
        text(args, subject.unwrap_or_else(|| Subject::named(&dataset))).unwrap()
    }

    /// The record that a run with these arguments would write.
    fn record(line: &str) -> Record {
        let cli = parsed(&format!("dm-wgpu {line}"));
        let dataset = cli.given.dataset();
        asked::record(&cli.given, cli.given.method(), Subject::named(&dataset))
    }

    #[test]
    fn every_value_says_where_it_is_from() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("mine.toml");
        fs::write(&file, "preset = \"paper\"\nevaluation.nets = 7\nsettings.width = 64\n").unwrap();
        let file = file.display().to_string();
        let text = shown(
            &format!("--dataset mnist --config {file} --lr-img 0.1 --depth 2 --kernels plain"),
            None,
        );
        let expected = r#"# What dm-wgpu VERSION would run; a file for --config.

preset = "paper"  # FILE
runs = 5          # preset paper
method = "dm"     # default
snapshots = 10    # default

[data]
name = "mnist"  # flag --dataset

[settings]
ipc = 10            # default
iterations = 20000  # preset paper
init = "real"       # default
width = 64          # FILE
depth = 2           # flag --depth
batch_real = 256    # default
lr_img = 0.1        # flag --lr-img
augment = "color_crop_cutout_scale_rotate"  # recipe: no flip
seed = 0            # default

[evaluation]
nets = 7       # FILE
epochs = 1000  # preset paper
width = 64     # FILE
depth = 2      # flag --depth
batch = 256    # default
lr = 0.01      # default
augment = "color_crop_cutout_scale_rotate"  # recipe: no flip
seed = 0       # default

[machine]
kernels = "plain"  # flag --kernels
"#;
        let expected = expected.replace("VERSION", env!("CARGO_PKG_VERSION"));
        assert_eq!(text.replace(&file, "FILE"), expected);
    }

    #[test]
    fn what_an_evaluation_takes_from_the_run_is_from_its_flags() {
        let text = shown("--dataset mnist --net mlp --seed 3 --eval-width 5", None);
        let (_, evaluation) = text.split_once("[evaluation]").unwrap();
        let source = |key: &str| {
            let line =
                evaluation.lines().find(|line| line.starts_with(&format!("{key} ="))).unwrap();
            line.split_once("# ").unwrap().1
        };
        let sources = ["net", "seed", "width", "depth"].map(source);
        assert_eq!(sources, ["flag --net", "flag --seed", "flag --eval-width", "default"]);
    }

    #[test]
    fn a_method_has_one_source() {
        let text = shown("--dataset mnist --preset best", None);
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("method = ")).collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines.iter().all(|line| line.contains("# preset best: ")), "{text}");
    }

    #[test]
    fn the_shown_configuration_resolves_to_the_same_run() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("shown.toml");
        let again = format!("--config {}", file.display());
        for line in [
            "--dataset mnist",
            "--dataset glyphs --preset paper --ipc 200 --seed 9223372036854775807",
            "--dataset kmnist --preset smoke --init noise --augment none --no-eval",
            "--dataset glyphs --lr-img 1e-7 --width 64 --eval-every 5 --eval-width 9 --eval-lr 0.3",
            "--dataset glyphs --eval-depth 1 --eval-batch 7 --eval-augment crop --adapter 0",
            "--dataset glyphs --method k-center --ipc 3 --depth 2 --memory-budget 1.5GiB",
            "--dataset glyphs --method whole --depth 2 --seed 4 --eval-epochs 3 --data-dir a'b",
            "--dataset glyphs --ipc 1,2,3,4,5,6,7,8,9,10",
            "--dataset glyphs --ipc 1,2,3,4,5,6,7,8,9,10 --method herding",
            "--dataset mnist --protocol both --eval-lr 0.3 --eval-width 5",
            "--dataset folder:/pets --resize 16 --test-fraction 0.123456789 --net mlp",
            "--dataset mnist --backend gl --kernels plain --precision f16 --eval-nets 2 --snapshots 3",
        ] {
            fs::write(&file, shown(line, None)).unwrap();
            assert_eq!(record(&again), record(line), "{line}");
            let values = |text: String| -> Vec<String> {
                text.lines().map(|l| l.split("  #").next().unwrap_or(l).trim().into()).collect()
            };
            assert_eq!(values(shown(&again, None)), values(shown(line, None)), "{line}");
        }
    }

    #[test]
    fn records_of_runs_are_files_for_it() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("run.toml");
        for line in [
            "--dataset mnist --ipc 3 --protocol both",
            "--dataset glyphs --method random --no-eval",
        ] {
            record(line).write(&file).unwrap();
            let again = format!("--config {}", file.display());
            assert_eq!(record(&again), record(line));
            // Records name no preset, and none would change anything.
            let text = shown(&again, None);
            assert!(!text.contains("preset"), "{text}");
        }
        // As 0.1.0 wrote it before there was [data].
        let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/run-0.1.0.toml");
        let line = "--dataset glyphs --ipc 1 --iterations 2 --width 8 --batch-real 8 --eval-nets 1 \
                    --eval-epochs 3";
        assert_eq!(record(&format!("--config {}", old.display())), record(line));
    }

    #[test]
    fn values_that_depend_on_unknown_images_are_left_out() {
        let unknown = || Some(Subject::named("x").channels(None).size(None));
        let text = shown("--dataset glyphs --ipc 3", unknown());
        for key in ["depth", "augment"] {
            let line = format!("# {key}");
            assert_eq!(text.lines().filter(|l| l.starts_with(&line)).count(), 2, "{text}");
            assert!(!text.contains(&format!("\n{key} =")), "{text}");
        }
        assert!(text.contains("\nipc = 3 ") && text.contains("which are not known yet"), "{text}");
        text.parse::<Table>().unwrap();
        let text = shown("--dataset glyphs --depth 2", unknown());
        assert!(text.contains("\ndepth = 2 ") && !text.contains("# depth "), "{text}");
    }
}
