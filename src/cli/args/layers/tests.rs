use std::{fs, path::Path};

use crate::cli::{
    args::{Cli, Given, command},
    dataset,
};
use dm_wgpu::{
    EvaluationSettings, Gpu, Matching, Preset, Recipe, Settings, Subject,
    project::{Method, settings::SETTINGS, words::memory_text},
};

fn parsed(line: &str) -> Result<Cli, String> {
    Cli::from_arguments(line.split_whitespace()).map_err(|error| error.to_string())
}

fn file(place: &Path, text: &str) -> String {
    let path = place.join("f.toml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// Recipe and preset, then the file, then flags: for each value who says something, and who wins.
#[test]
fn flags_stand_on_the_file_and_the_file_on_the_recipe() {
    let place = tempfile::tempdir().unwrap();
    for (preset, in_file, flags, (iterations, width, nets, eval_width)) in [
        ("quick", "", "", (1000, 128, 3, 128)),
        ("paper", "", "", (20_000, 128, 20, 128)),
        ("smoke", "", "", (10, 16, 1, 16)),
        ("quick", "settings.iterations = 5", "", (5, 128, 3, 128)),
        ("paper", "settings.iterations = 5", "", (5, 128, 20, 128)),
        ("paper", "settings.iterations = 5", "--iterations 6", (6, 128, 20, 128)),
        ("paper", "", "--iterations 6 --eval-nets 2", (6, 128, 2, 128)),
        ("smoke", "settings.width = 8", "", (10, 8, 1, 8)),
        ("smoke", "settings.width = 8", "--width 9", (10, 9, 1, 9)),
        ("smoke", "settings.width = 8", "--eval-width 9", (10, 8, 1, 9)),
        ("smoke", "settings.width = 8\nevaluation.width = 7", "--width 9", (10, 9, 1, 7)),
        // A preset in the file is below the file's other values, and below the flag.
        ("", "preset = 'paper'", "", (20_000, 128, 20, 128)),
        ("", "preset = 'paper'\nevaluation.nets = 4", "", (20_000, 128, 4, 128)),
        ("smoke", "preset = 'paper'", "", (10, 16, 1, 16)),
    ] {
        let path = file(place.path(), in_file);
        let preset = if preset.is_empty() { String::new() } else { format!("--preset {preset}") };
        let line = format!("dm-wgpu --dataset mnist {preset} --config {path} {flags}");
        let given = parsed(&line).unwrap().given;
        let settings = given.settings(Subject::named("mnist"), Matching::Dm);
        let evaluation = given.evaluation(Subject::named("mnist"), Method::DM);
        assert_eq!(
            (settings.iterations, settings.width, evaluation.nets, evaluation.width),
            (iterations, width, nets, eval_width),
            "{in_file:?}, {line}"
        );
    }
}

#[test]
fn a_config_file_can_set_everything() {
    let place = tempfile::tempdir().unwrap();
    let path = file(
        place.path(),
        "method = 'herding'\neval_every = 3\ndataset = 'glyphs'\ndata.data_dir = 'd'\n\
         machine.kernels = 'plain'\nsettings.memory_budget = '1GiB'\nevaluation.seed = 5",
    );
    let cli = parsed(&format!("dm-wgpu --config {path}")).unwrap();
    assert_eq!(cli.given.method().name(), "herding");
    let asked = |given: &Given| (given.dataset(), given.get("seed"));
    assert_eq!(asked(&cli.given), ("glyphs".into(), Some(5)));
    assert_eq!(cli.given.get("eval_every"), Some(3));
    assert_eq!(cli.given.data_dir.as_deref(), Some(Path::new("d")));
    let machine = cli.given.machine();
    assert_eq!((machine.memory_budget, machine.kernels.as_deref()), (Some(1 << 30), Some("plain")));

    // In subcommands what they have.
    let cli = parsed(&format!("dm-wgpu compare --config {path} --seed 6")).unwrap();
    let Some(crate::cli::args::Command::Compare(args)) = &cli.command else { panic!() };
    assert_eq!(asked(&args.given), ("glyphs".into(), Some(6)));
    let cli = parsed(&format!("dm-wgpu evaluate x --config {path}")).unwrap();
    let Some(crate::cli::args::Command::Evaluate(args)) = &cli.command else { panic!() };
    assert_eq!(asked(&args.given), ("glyphs".into(), Some(5)));
}

#[test]
fn flags_override_no_eval_of_a_config_file() {
    let place = tempfile::tempdir().unwrap();
    let without = file(place.path(), "no_eval = true\nevaluation.nets = 2");
    for (flags, no_eval) in [("", true), ("--eval-nets 4", false), ("--eval-every 2", false)] {
        let cli = parsed(&format!("dm-wgpu --dataset mnist --config {without} {flags}")).unwrap();
        assert_eq!(cli.given.no_eval(), no_eval, "{flags}");
    }
    let with = file(place.path(), "eval_every = 5\nevaluation.nets = 2");
    let cli = parsed(&format!("dm-wgpu --dataset mnist --config {with} --no-eval")).unwrap();
    assert_eq!((cli.given.no_eval(), cli.given.get::<u32>("eval_every")), (true, None));
}

/// What a file says does not count as an option that "does nothing".
#[test]
fn a_config_file_may_set_what_a_method_does_not_use() {
    let place = tempfile::tempdir().unwrap();
    let path = file(place.path(), "settings.lr_img = 3\neval_every = 5");
    parsed(&format!("dm-wgpu --dataset mnist --method random --config {path}")).unwrap();
}

/// The same checks, in the same words.
#[test]
fn values_in_a_file_are_checked_as_flags_are() {
    let place = tempfile::tempdir().unwrap();
    for (table, name, value, flag, why) in [
        ("settings", "ipc", "0", "--ipc", "a whole number from 1 to 1000000 is needed"),
        ("settings", "ipc", "1.5", "--ipc", "a whole number from 1 to 1000000 is needed"),
        ("settings", "lr_img", "-1", "--lr-img", "a number above 0 is needed"),
        ("settings", "lr_img", "nan", "--lr-img", "a number above 0 is needed"),
        ("settings", "depth", "9", "--depth", "a whole number from 1 to 5 is needed"),
        ("evaluation", "depth", "0", "--eval-depth", "a whole number from 1 to 5 is needed"),
        ("settings", "memory_budget", "0", "--memory-budget", "nothing can be done without memory"),
    ] {
        let path = file(place.path(), &format!("\n[{table}]\n{name} = {value}"));
        let error = parsed(&format!("dm-wgpu --dataset mnist --config {path}")).unwrap_err();
        assert_eq!(error, format!("error: {path}:3: {table}.{name} = {value}: {why}\n"));
        let error = parsed(&format!("dm-wgpu --dataset mnist {flag} {value}")).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    for (text, message) in [
        (
            "method = 'dn'",
            "1: method = 'dn': possible are dm, dc, dsa, trajectory, dd, random, herding, k-center, whole",
        ),
        ("preset = ''", "1: preset = '': possible are quick, paper, small, smoke"),
        ("machine.backend = 'cuda'", "possible are vulkan, metal, dx12, gl"),
        ("settings.augment = 'swirl'", "\"swirl\" is not an augmentation"),
        ("data.name = 'mnits'", "data.name = 'mnits': possible are "),
        ("data.data_dir = ''", "data.data_dir = '': a value is needed"),
        // Not the user's, but the program's own words of the shell.
        ("data.data_dir = '--ipc'", ""),
    ] {
        let path = file(place.path(), text);
        match parsed(&format!("dm-wgpu --dataset mnist --config {path}")) {
            Ok(_) => assert!(message.is_empty(), "{text}"),
            Err(error) => {
                assert!(!message.is_empty() && error.contains(message), "{text}: {error}");
                assert_eq!(error.lines().count(), 1, "{error}");
            }
        }
    }
}

#[test]
fn a_data_set_is_needed_from_somewhere() {
    let place = tempfile::tempdir().unwrap();
    let path = file(place.path(), "settings.ipc = 3");
    for line in ["dm-wgpu --ipc 3".to_owned(), format!("dm-wgpu --config {path}")] {
        let error = parsed(&line).unwrap_err();
        assert!(error.starts_with("error: --dataset <NAME> is needed: "), "{error}");
        for name in dataset::NAMES {
            assert!(error.contains(name), "{error}");
        }
    }
    let error = parsed("dm-wgpu --config nowhere.toml").unwrap_err();
    assert!(error.starts_with("error: --config nowhere.toml: "), "{error}");
    // What is wrong with the rest is told all the same.
    let error = parsed(&format!("dm-wgpu --config {path} --wrong")).unwrap_err();
    assert!(error.contains("--wrong"), "{error}");
}

#[test]
fn every_key_has_its_flag() {
    let command = command();
    for setting in SETTINGS {
        assert!(command.get_arguments().any(|arg| arg.get_id() == setting.name), "{setting:?}");
    }
}

/// The help tells what recipes.toml says.
#[test]
fn the_help_knows_the_defaults() {
    let recipe = Recipe::new(Subject::named("mnist"));
    let (settings, evaluation) = (Settings::of(&recipe), EvaluationSettings::of(&recipe));
    let command = command();
    for (id, default) in [
        ("ipc", settings.ipc.to_string()),
        ("iterations", settings.iterations.to_string()),
        ("init", format!("{:?}", settings.init).to_lowercase()),
        ("batch_real", settings.batch_real.to_string()),
        ("lr_img", format!("{:?}", settings.lr_img)),
        ("width", settings.width.to_string()),
        ("depth", settings.depth.to_string()),
        ("seed", settings.seed.to_string()),
        ("memory_budget", memory_text(Gpu::MEMORY_BUDGET)),
        ("eval_nets", evaluation.nets.to_string()),
        ("eval_epochs", evaluation.epochs.to_string()),
        ("eval_batch", evaluation.batch.to_string()),
        ("eval_lr", evaluation.lr.to_string()),
    ] {
        let arg = command.get_arguments().find(|arg| arg.get_id() == id).unwrap();
        let help = arg.get_help().unwrap().to_string();
        let of_clap = arg.get_default_values().first().map(|value| value.to_string_lossy());
        let said = help.split_once("[default: ").map(|(_, rest)| rest);
        let said = said.map(|rest| rest.split([';', ']']).next().unwrap_or(rest));
        let told = of_clap.as_deref().or(said);
        assert_eq!(told, Some(default.as_str()), "{id}: {help}");
    }
    let paper = Recipe::new(Subject::named("mnist").preset(Preset::Paper));
    let help = command.get_arguments().find(|arg| arg.get_id() == "preset").unwrap();
    let help = help.get_help().unwrap().to_string().replace("20 000", "20000");
    for number in [
        Settings::of(&paper).iterations,
        EvaluationSettings::of(&paper).nets as u32,
        EvaluationSettings::of(&paper).epochs,
        paper.runs().unwrap(),
    ] {
        assert!(help.contains(&format!(" {number} ")), "{number} is missing in {help}");
    }
}

/// As a shell's `<(…)` is.
#[cfg(unix)]
#[test]
fn a_config_from_a_pipe_is_read_once() {
    let place = tempfile::tempdir().unwrap();
    let pipe = place.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::write(pipe, "settings.ipc = 7").unwrap())
    };
    let cli = parsed(&format!("dm-wgpu --dataset glyphs --config {}", pipe.display())).unwrap();
    writer.join().unwrap();
    assert!(cli.given.get("ipc") == Some(7) && !cli.can_be_read_again());
    let file = file(place.path(), "settings.ipc = 7");
    let cli = parsed(&format!("dm-wgpu --dataset glyphs --config {file}")).unwrap();
    assert!(cli.can_be_read_again() && parsed("dm-wgpu datasets").unwrap().can_be_read_again());
}
