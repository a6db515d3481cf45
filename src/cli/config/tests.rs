use std::fs;

use super::*;

/// Reads a file of this text; every value passes but those that say `bad`.
fn read(text: &str) -> Result<Vec<(&'static str, String)>, String> {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("f.toml");
    fs::write(&path, text).unwrap();
    let check = |_: &str, text: &str| match text {
        "bad" => Err("good is needed".to_owned()),
        _ => Ok(()),
    };
    match ConfigFile::read(path.clone(), &check) {
        Ok(file) => Ok(file.texts().map(|(id, text)| (id, text.to_owned())).collect()),
        Err(message) => Err(message.replace(&path.display().to_string(), "F")),
    }
}

#[test]
fn values_become_what_one_would_type() {
    let text = r#"
        dataset = "mnist"
        no_eval = true
        [settings]
        ipc = 1_000
        iterations = 0x10
        lr_img = 1e-3
        memory_budget = "1GiB"
        [evaluation]
        lr = -0.5
        augment = 'none'
        [data]
        name = "mnist" # Said twice, but the same.
    "#;
    let expected = [
        ("dataset", "mnist"),
        ("no_eval", "true"),
        ("ipc", "1000"),
        ("iterations", "16"),
        ("lr_img", "1e-3"),
        ("memory_budget", "1GiB"),
        ("eval_lr", "-0.5"),
        ("eval_augment", "none"),
    ];
    assert_eq!(read(text).unwrap(), expected.map(|(id, text)| (id, text.to_owned())));
    assert_eq!(read("").unwrap(), []);
}

#[test]
fn outcomes_in_a_record_are_ignored() {
    let text = "version = '9'\nadapter.name = 1\noutcome.new = 2\nsettings.selection = 'random'\n";
    assert_eq!(read(text).unwrap(), []);
    // The machine's adapter is another matter.
    assert_eq!(read("machine.adapter = '0'").unwrap(), [("adapter", "0".to_owned())]);
}

#[test]
fn errors_name_the_line() {
    for (text, message) in [
        ("\n\nipc = 1", "F:3: unknown key ipc; the nearest is settings.ipc"),
        (
            "[settings]\nlr_image = 1",
            "F:2: unknown key settings.lr_image; the nearest is settings.lr_img",
        ),
        (
            "[settings]\nepochs = 1",
            "F:2: unknown key settings.epochs; the nearest is evaluation.epochs",
        ),
        ("eval-every = 1", "F:1: unknown key eval-every; the nearest is eval_every"),
        ("[setings]\nipc = 1", "F:1: unknown key setings; the nearest is the table [settings]"),
        ("data = 'mnist'", "F:1: data is a table: [data]"),
        ("settings.ipc = '1'", "F:1: settings.ipc = '1': a number is needed, without quotes"),
        ("settings.ipc = [1]", "F:1: settings.ipc = [1]: a number is needed, without quotes"),
        ("machine.adapter = 0", "F:1: machine.adapter = 0: a text is needed, in quotes"),
        ("no_eval = 'yes'", "F:1: no_eval = 'yes': true or false is needed"),
        (
            "settings.memory_budget = 1.5",
            "F:1: settings.memory_budget = 1.5: a number of bytes is needed, or a text like \"1GiB\"",
        ),
        ("\nmethod = 'bad'", "F:2: method = 'bad': good is needed"),
        (
            "[settings]\nseed = 1\n[evaluation]\nseed = 2",
            "F:4: evaluation.seed = 2, but line 2 says settings.seed = 1; leave one of them out",
        ),
        ("preset = 'a'\npreset = 'b'", "F:2: this is not TOML: duplicate key"),
        ("settings.ipc = ", "F:1: this is not TOML: "),
    ] {
        let answer = read(text).unwrap_err();
        assert!(answer.starts_with(message), "{text:?}: {answer}");
        assert_eq!(answer.lines().count(), 1, "{answer}");
    }
}

#[test]
fn keys_are_those_of_a_record() {
    for setting in SETTINGS {
        for (table, key) in setting.places() {
            let found = Setting::find(table, key).map(|found| found.name);
            assert_eq!(found, Some(setting.name), "[{table}] {key} is there twice");
            assert!(table.is_empty() || TABLES.contains(&table), "{setting:?}");
        }
    }
}
