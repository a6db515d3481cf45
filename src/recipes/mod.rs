//! The settings that suit a data set, from `recipes.toml`, the only place with defaults.

mod preset;
mod protocol;

use std::{collections::BTreeMap, sync::LazyLock};

use serde::{Deserialize, de::DeserializeOwned};
use toml::{Table, Value};

use crate::{Dataset, data::Known, objective::Matching, setters::with_setters};

pub use preset::Preset;
pub use protocol::Protocol;

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| rules(include_str!("recipes.toml")));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Book {
    rule: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: String,
    #[serde(default)]
    when: When,
    runs: Option<u32>,
    /// What condenses, unless something else is asked for.
    method: Option<Matching>,
    /// Where that was published.
    source: Option<String>,
    #[serde(default)]
    settings: Table,
    #[serde(default)]
    evaluation: Table,
}

/// Conditions; an absent condition is met.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct When {
    preset: Option<Preset>,
    dataset: Option<String>,
    ipc_from: Option<usize>,
    size_from: Option<usize>,
    flip: Option<bool>,
    grey: Option<bool>,
    whole: Option<bool>,
    method: Option<Matching>,
    protocol: Option<Protocol>,
    gradients: Option<bool>,
}

fn rules(text: &str) -> Vec<Rule> {
    match toml::from_str::<Book>(text) {
        Ok(book) => book.rule,
        // It is compiled in, and every test that needs settings reads it.
        Err(error) => unreachable!("recipes.toml: {error}"),
    }
}

with_setters! {
    /// What a recipe is for: [`named`](Self::named), or made from a `&Dataset`. Every field can be read, and set by the
    /// method of its name.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Subject<'a> {
        /// The data set's name.
        pub dataset: &'a str,
        /// Channels of its images; none if they are not known yet.
        pub channels: Option<usize>,
        /// Height and width of its images in pixels; none if they are not known yet.
        pub size: Option<usize>,
        /// How much effort to make.
        pub preset: Preset,
        /// Synthetic images per class; `None` for the preset's number.
        pub ipc: Option<usize>,
        /// Whether networks are trained on all real images instead of a synthetic set.
        pub whole: bool,
        /// What is made alike in real and synthetic images.
        pub method: Matching,
        /// How networks are trained on the set.
        pub protocol: Protocol,
    }
}

impl<'a> Subject<'a> {
    /// A data set by its name alone: the shape of its images is known if it is one of
    /// [`data::KNOWN`](crate::data::KNOWN).
    pub fn named(dataset: &'a str) -> Self {
        let known = Known::of(dataset);
        Self {
            dataset,
            channels: known.map(|known| known.channels),
            size: known.map(|known| known.size),
            preset: Preset::default(),
            ipc: None,
            whole: false,
            method: Matching::default(),
            protocol: Protocol::default(),
        }
    }

    fn flip(&self) -> Option<bool> {
        let known = Known::of(self.dataset).map(|known| known.flip);
        known.or_else(|| self.channels.map(|channels| channels > 1))
    }
}

/// A data set that is loaded.
impl<'a> From<&'a Dataset> for Subject<'a> {
    fn from(dataset: &'a Dataset) -> Self {
        Self {
            channels: Some(dataset.channels()),
            size: Some(dataset.size()),
            ..Self::named(dataset.name())
        }
    }
}

/// The settings that suit a [`Subject`], and the rules from which they come: for [`Settings::of`]
/// and [`EvaluationSettings::of`]. The rules are in [`Recipe::RULES`].
///
/// ```
/// use dm_wgpu::{Preset, Recipe, Settings, Subject};
///
/// // It needs a name, no images.
/// let many = Subject::named("cifar10").preset(Preset::Paper).ipc(Some(100));
/// let recipe = Recipe::new(many);
/// assert_eq!(Settings::of(&recipe).lr_img, 10.0);
/// println!("because of: {}", recipe.rule("settings", "lr_img").unwrap_or("no rule"));
/// ```
///
/// [`Settings::of`]: crate::Settings::of
/// [`EvaluationSettings::of`]: crate::EvaluationSettings::of
#[derive(Debug, Clone)]
pub struct Recipe {
    runs: Option<(u32, &'static str)>,
    chosen: Option<Chosen>,
    settings: BTreeMap<String, Entry>,
    evaluation: BTreeMap<String, Entry>,
}

/// A method that a rule chooses.
#[derive(Debug, Clone, Copy)]
struct Chosen {
    method: Matching,
    source: &'static str,
    rule: &'static str,
}

#[derive(Debug, Clone)]
struct Entry {
    value: Value,
    rule: &'static str,
    /// Whether another rule would decide if the images were known.
    open: bool,
}

impl Recipe {
    /// All rules, in commented TOML.
    pub const RULES: &str = include_str!("recipes.toml");

    /// The recipe for a subject, for instance for a `&Dataset`. If the shape of the images is not
    /// known, the recipe is that of small colour images.
    pub fn new<'a>(subject: impl Into<Subject<'a>>) -> Self {
        let mut subject = subject.into();
        if subject.ipc.is_none() {
            // No rule sets it depending on the images or on itself.
            let ipc = Self::of(&subject).settings.get("ipc").and_then(|e| e.value.as_integer());
            subject.ipc = ipc.and_then(|ipc| usize::try_from(ipc).ok());
        }
        Self::of(&subject)
    }

    fn of(subject: &Subject) -> Self {
        let (settings, evaluation) = (BTreeMap::new(), BTreeMap::new());
        let mut recipe = Self { runs: None, chosen: None, settings, evaluation };
        for rule in RULES.iter() {
            let fits = rule.when.fits(subject);
            if fits == Some(false) {
                continue;
            }
            recipe.runs = rule.runs.map(|runs| (runs, rule.name.as_str())).or(recipe.runs);
            let source = rule.source.as_deref().unwrap_or_default();
            let chosen = rule.method.map(|method| Chosen { method, source, rule: &rule.name });
            recipe.chosen = chosen.or(recipe.chosen);
            for (values, of) in
                [(&mut recipe.settings, &rule.settings), (&mut recipe.evaluation, &rule.evaluation)]
            {
                for (key, value) in of {
                    match values.get_mut(key) {
                        Some(entry) if fits.is_none() => entry.open = true,
                        _ => {
                            let (key, value) = (key.clone(), value.clone());
                            values.insert(key, Entry { value, rule: &rule.name, open: false });
                        }
                    }
                }
            }
        }
        if let (Some(ipc), Some(entry)) = (subject.ipc, recipe.settings.get_mut("ipc")) {
            entry.value = Value::Integer(ipc as i64);
        }
        if let (Matching::Dd, Some(ipc)) = (subject.method, subject.ipc) {
            // One image per class and step, as published, whatever the number of images.
            let entry = recipe.settings.get("dd_epochs").cloned();
            let steps = entry.map(|entry| Entry { value: Value::Integer(ipc as i64), ..entry });
            recipe.settings.extend(steps.map(|steps| ("dd_steps".to_owned(), steps)));
        }
        if subject.method != Matching::default() {
            let value = Value::String(subject.method.name().to_owned());
            let entry = Entry { value, rule: "default", open: false };
            recipe.settings.insert("method".to_owned(), entry);
        }
        if !subject.protocol.is_usual() {
            let value = Value::String(subject.protocol.name().to_owned());
            let entry = Entry { value, rule: "default", open: false };
            recipe.evaluation.insert("protocol".to_owned(), entry);
        }
        for shared in ["width", "depth", "seed"] {
            if let (None, Some(entry)) =
                (recipe.evaluation.get(shared), recipe.settings.get(shared))
            {
                recipe.evaluation.insert(shared.to_owned(), entry.clone());
            }
        }
        recipe
    }

    /// How often to repeat the run, each time with another seed; `None` for a single run.
    pub fn runs(&self) -> Option<u32> {
        self.runs.map(|(runs, _)| runs)
    }

    /// The method that [`Preset::Best`] chooses, and where it was published; `None` for other presets. Its settings are
    /// those of a [`Subject`] with this method.
    pub fn method(&self) -> Option<(Matching, &'static str)> {
        self.chosen.map(|chosen| (chosen.method, chosen.source))
    }

    /// The name of the rule from which a value comes. The table is `settings` or `evaluation`, and
    /// the key a field of [`Settings`](crate::Settings) or
    /// [`EvaluationSettings`](crate::EvaluationSettings); or the table is empty and the key is
    /// `runs` or `method`.
    pub fn rule(&self, table: &str, key: &str) -> Option<&'static str> {
        if (table, key) == ("", "runs") {
            return self.runs.map(|(_, rule)| rule);
        }
        if (table, key) == ("", "method") {
            return self.chosen.map(|chosen| chosen.rule);
        }
        Some(self.entry(table, key)?.rule)
    }

    /// Whether a value might change once the shape of the images is known.
    pub fn is_open(&self, table: &str, key: &str) -> bool {
        self.entry(table, key).is_some_and(|entry| entry.open)
    }

    /// A value as one would type it.
    #[cfg(feature = "files")]
    pub(crate) fn text(&self, table: &str, key: &str) -> Option<String> {
        let value = &self.entry(table, key)?.value;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    fn entry(&self, table: &str, key: &str) -> Option<&Entry> {
        match table {
            "settings" => self.settings.get(key),
            "evaluation" => self.evaluation.get(key),
            _ => None,
        }
    }

    pub(crate) fn settings<T: DeserializeOwned>(&self) -> T {
        read("settings", &self.settings)
    }

    pub(crate) fn evaluation<T: DeserializeOwned>(&self) -> T {
        read("evaluation", &self.evaluation)
    }
}

fn read<T: DeserializeOwned>(table: &str, entries: &BTreeMap<String, Entry>) -> T {
    let values = entries.iter().map(|(key, entry)| (key.clone(), entry.value.clone()));
    match Value::Table(values.collect()).try_into() {
        Ok(read) => read,
        Err(error) => unreachable!("recipes.toml, {table}: {error}"),
    }
}

impl When {
    /// Whether it is met; `None` if that depends on something unknown.
    fn fits(&self, subject: &Subject) -> Option<bool> {
        let same = |wanted: Option<bool>, is: Option<bool>| match wanted {
            None => Some(true),
            Some(wanted) => is.map(|is| is == wanted),
        };
        let enough = |from: Option<usize>, is: Option<usize>| match from {
            None => Some(true),
            Some(from) => is.map(|is| is >= from),
        };
        let conditions = [
            Some(self.preset.is_none_or(|preset| preset == subject.preset)),
            Some(self.dataset.as_deref().is_none_or(|dataset| dataset == subject.dataset)),
            same(self.whole, Some(subject.whole)),
            Some(self.method.is_none_or(|method| method == subject.method)),
            Some(self.protocol.is_none_or(|protocol| protocol == subject.protocol)),
            same(self.gradients, Some(subject.method.of_gradients())),
            // Only asked while the preset's ipc is looked up, which nothing above the presets sets.
            enough(self.ipc_from, subject.ipc.or(Some(0))),
            enough(self.size_from, subject.size),
            same(self.flip, subject.flip()),
            same(self.grey, subject.channels.map(|channels| channels == 1)),
        ];
        match conditions.contains(&Some(false)) {
            true => Some(false),
            false if conditions.contains(&None) => None,
            false => Some(true),
        }
    }
}

#[cfg(test)]
mod tests;
