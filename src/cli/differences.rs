//! In which settings runs differ, and which they share.

use super::past::Past;

/// Settings by name, as the runs' figures have them.
pub struct Settings {
    /// The same in all runs.
    pub common: Vec<(String, String)>,
    /// A value for each run; none where it knows no such setting.
    pub different: Vec<(String, Vec<Option<String>>)>,
}

impl Settings {
    pub fn of(runs: &[(String, Past)]) -> Self {
        let of_each: Vec<_> = runs.iter().map(|(_, past)| flat(past)).collect();
        let mut names: Vec<&String> = Vec::new();
        for (name, _) in of_each.iter().flatten() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let mut settings = Self { common: Vec::new(), different: Vec::new() };
        for name in names {
            let value = |of: &Vec<(String, String)>| {
                of.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
            };
            let values: Vec<_> = of_each.iter().map(value).collect();
            match &values[..] {
                [Some(first), rest @ ..] if rest.iter().all(|v| v.as_ref() == Some(first)) => {
                    settings.common.push((name.clone(), first.clone()));
                }
                _ => settings.different.push((name.clone(), values)),
            }
        }
        settings
    }
}

/// All settings of a run, those of its evaluation and of its adapter with a word before them.
fn flat(past: &Past) -> Vec<(String, String)> {
    let named = |name: &str| (name.to_owned(), past.text(name).to_owned());
    let mut all = vec![named("dataset"), named("method")];
    for (part, word) in [("settings", ""), ("evaluation", "evaluation "), ("adapter", "adapter ")] {
        let rows = past.part(part).into_iter();
        all.extend(rows.map(|(name, value)| (format!("{word}{}", name.replace('_', " ")), value)));
    }
    all.push(named("version"));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn what_differs_is_told_from_what_does_not() {
        let past = |settings: &str| Past {
            folder: PathBuf::new(),
            figures: serde_json::from_str(&format!(
                r#"{{"dataset": "glyphs", "method": "dm", "version": "0", "settings": {settings},
                    "evaluation": {{"width": 8}}}}"#
            ))
            .unwrap(),
            rows: Vec::new(),
            images: None,
            snapshots: Vec::new(),
            command: None,
        };
        let runs = [
            ("a".to_owned(), past(r#"{"ipc": 1, "width": 8}"#)),
            ("b".to_owned(), past(r#"{"ipc": 10, "width": 8, "lr_img": 0.5}"#)),
        ];
        let settings = Settings::of(&runs);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            settings.different,
            [
                ("ipc".to_owned(), vec![text("1"), text("10")]),
                ("lr img".to_owned(), vec![None, text("0.5")])
            ]
        );
        let common: Vec<_> = settings.common.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(common, ["dataset", "method", "width", "evaluation width", "version"]);
    }
}
