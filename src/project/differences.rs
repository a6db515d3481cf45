//! Which settings differ between runs, and which are the same.

use super::past::Past;

/// Settings by name, as the runs' figures have them.
#[derive(Default)]
pub struct Differences {
    /// The same in all runs.
    pub common: Vec<(String, String)>,
    /// One value per run; `None` for a run that has no such setting.
    pub different: Vec<(String, Vec<Option<String>>)>,
    /// Settings that are the same in all runs of some methods, such as `dm`, and that other methods
    /// do not have: those methods, and the settings.
    pub of_methods: Vec<(String, Vec<(String, String)>)>,
}

impl Differences {
    /// Compares runs, each with its name.
    pub fn of(runs: &[(String, Past)]) -> Self {
        let of_each: Vec<_> = runs.iter().map(|(_, past)| flat(past)).collect();
        let mut names: Vec<&String> = Vec::new();
        for (name, _) in of_each.iter().flatten() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let mut settings = Self::default();
        for name in names {
            let value = |of: &Vec<(String, String)>| {
                of.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
            };
            let values: Vec<_> = of_each.iter().map(value).collect();
            match &values[..] {
                [Some(first), rest @ ..] if rest.iter().all(|v| v.as_ref() == Some(first)) => {
                    settings.common.push((name.clone(), first.clone()));
                }
                _ => match of_methods(runs, &values) {
                    Some((methods, value)) => settings.add(methods, name, value),
                    None => settings.different.push((name.clone(), values)),
                },
            }
        }
        settings
    }

    /// Adds a setting that only these methods have.
    fn add(&mut self, methods: String, name: &str, value: &str) {
        let setting = (name.to_owned(), value.to_owned());
        match self.of_methods.iter_mut().find(|(others, _)| *others == methods) {
            Some((_, all)) => all.push(setting),
            None => self.of_methods.push((methods, vec![setting])),
        }
    }
}

/// The methods whose runs all have this one value, if no other run has any.
fn of_methods<'a>(
    runs: &[(String, Past)],
    values: &'a [Option<String>],
) -> Option<(String, &'a str)> {
    let value = values.iter().flatten().next()?;
    let mut methods: Vec<&str> = Vec::new();
    for ((_, past), own) in runs.iter().zip(values) {
        let method = past.text("method");
        if own.is_some() && !methods.contains(&method) {
            methods.push(method);
        }
    }
    let follows = runs.iter().zip(values).all(|((_, past), own)| match own {
        Some(own) => own == value,
        None => !methods.contains(&past.text("method")),
    });
    follows.then(|| (methods.join(", "), value.as_str()))
}

/// All settings of a run, named like their flags, those of its adapter with a word before them.
fn flat(past: &Past) -> Vec<(String, String)> {
    let named = |name: &str| (name.to_owned(), past.text(name).to_owned());
    let mut all = vec![named("dataset"), named("method")];
    for (part, word) in [("settings", ""), ("evaluation", "eval-"), ("adapter", "adapter ")] {
        // This repeats the method under another name.
        let rows = past.part(part).into_iter().filter(|(name, _)| name != "selection");
        all.extend(rows.map(|(name, value)| (format!("{word}{}", name.replace('_', "-")), value)));
    }
    all.push(named("version"));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn differing_settings_are_listed_and_equal_ones_are_not() {
        let past = |method: &str, settings: &str| Past {
            folder: PathBuf::new(),
            worths: Default::default(),
            figures: serde_json::from_str(&format!(
                r#"{{"dataset": "glyphs", "method": "{method}", "version": "0",
                    "settings": {settings}, "evaluation": {{"width": 8}}}}"#
            ))
            .unwrap(),
            rows: Vec::new(),
            images: None,
            decoded: None,
            snapshots: Vec::new(),
            command: None,
        };
        let mut runs = vec![
            ("a".to_owned(), past("dm", r#"{"ipc": 1, "width": 8}"#)),
            ("b".to_owned(), past("dm", r#"{"ipc": 10, "width": 8, "lr_img": 0.5}"#)),
        ];
        let settings = Differences::of(&runs);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            settings.different,
            [
                ("ipc".to_owned(), vec![text("1"), text("10")]),
                ("lr-img".to_owned(), vec![None, text("0.5")])
            ]
        );
        let common: Vec<_> = settings.common.iter().map(|(name, _)| name.as_str()).collect();
        let usual = ["eval-net", "eval-protocol"];
        let expected = [&["dataset", "method", "width", "eval-width"], &usual[..], &["version"]];
        assert_eq!(common, expected.concat());
        assert!(settings.of_methods.is_empty());

        // A setting that other methods do not have is not a difference; listing it once is enough.
        runs.push(("c".to_owned(), past("random", r#"{"ipc": 1, "selection": "random"}"#)));
        let settings = Differences::of(&runs);
        let different: Vec<_> = settings.different.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(different, ["method", "ipc", "lr-img"]);
        let own = vec![("width".to_owned(), "8".to_owned())];
        assert_eq!(settings.of_methods, [("dm".to_owned(), own)]);
    }
}
