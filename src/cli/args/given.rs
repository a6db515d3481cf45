//! Flags, made from the library's table of settings, and the values that were given for them.

use std::{collections::BTreeMap, ops::Deref, path::PathBuf};

use clap::{
    Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches,
    builder::{PossibleValuesParser, StringValueParser, TypedValueParser},
    parser::ValueSource,
    value_parser,
};
use serde::{Serialize, de::DeserializeOwned};
use toml::{Table, Value};

use dm_wgpu::{
    Architecture, EvaluationSettings, Gpu, Matching, PerClass, Precision, Preset, Protocol, Recipe,
    SelectionSettings, Selector, Settings, Subject,
    augment::Strategy,
    project::{
        BOTH, Data, Machine, Method,
        settings::{Kind, SETTINGS, Setting},
    },
};

use crate::cli::{dataset, values};

/// The commands that have settings, for [`Flags`].
pub const RUN: usize = 0;
pub const COMPARE: usize = 1;
pub const EVALUATE: usize = 2;
pub const BENCH: usize = 3;
pub const EXPORT: usize = 4;

/// Which settings a command has.
fn has(command: usize, setting: &Setting) -> bool {
    match command {
        COMPARE => !["method", "no_eval", "runs", "classes"].contains(&setting.name),
        EVALUATE => {
            setting.name != "classes"
                && (["evaluation", "machine", "data"].contains(&setting.table)
                    || ["no_baseline", "preset", "seed"].contains(&setting.name))
        }
        BENCH => setting.table == "machine",
        EXPORT => setting.table == "data" && setting.name != "classes",
        _ => true,
    }
}

/// The flags of a command's settings.
#[derive(Debug, Clone, Default)]
pub struct Flags<const COMMAND: usize>(Given);

impl<const COMMAND: usize> Deref for Flags<COMMAND> {
    type Target = Given;

    fn deref(&self) -> &Given {
        &self.0
    }
}

impl<const COMMAND: usize> Args for Flags<COMMAND> {
    fn augment_args(command: Command) -> Command {
        command.args(SETTINGS.iter().filter(|setting| has(COMMAND, setting)).map(arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const COMMAND: usize> FromArgMatches for Flags<COMMAND> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let settings = SETTINGS.iter().filter(|setting| has(COMMAND, setting));
        Ok(Self(Given::of(matches, settings)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        Self::from_arg_matches(matches).map(|given| *self = given)
    }
}

/// The flag of a setting. Its value is parsed to what `run.toml` would hold; that of a path stays a path.
fn arg(setting: &'static Setting) -> Arg {
    let arg = Arg::new(setting.name).long(setting.name.replace('_', "-"));
    let arg = arg.help(setting.help_text()).help_heading(setting.heading);
    let arg = match setting.kind {
        Kind::Switch => {
            let others = SETTINGS.iter().filter(|other| contradicts(setting, other));
            arg.action(ArgAction::SetTrue).conflicts_with_all(others.map(|other| other.name))
        }
        _ => arg.value_name(setting.value_name),
    };
    match setting.kind {
        Kind::Switch => arg,
        Kind::Whole(least, most) => {
            arg.allow_negative_numbers(true).value_parser(move |text: &str| {
                values::whole::<i64>(least..=most)(text).map(Value::from)
            })
        }
        Kind::Counts(least, most) => {
            arg.allow_negative_numbers(true).value_parser(move |text: &str| {
                let numbers = values::counts(least..=most)(text)?;
                Ok::<_, String>(match numbers[..] {
                    [one] => Value::from(one),
                    _ => Value::from(numbers),
                })
            })
        }
        Kind::Rate => arg
            .allow_negative_numbers(true)
            .value_parser(|text: &str| values::positive(text).map(Value::from)),
        Kind::Weight => arg
            .allow_negative_numbers(true)
            .value_parser(|text: &str| values::not_negative(text).map(Value::from)),
        Kind::Part => arg
            .allow_negative_numbers(true)
            .value_parser(|text: &str| values::part(text).map(Value::from)),
        // A number with a unit, `-5MiB`, is no number.
        Kind::Size => arg
            .allow_hyphen_values(true)
            .value_parser(|text: &str| values::memory(text).map(|bytes| Value::from(bytes as i64))),
        Kind::OneOf(names) => arg.value_parser(PossibleValuesParser::new(names()).map(Value::from)),
        Kind::Dataset => arg.value_parser(dataset::parser().map(Value::from)),
        Kind::Network => arg.value_parser(|text: &str| values::architecture(text).map(named)),
        Kind::Networks => arg.value_parser(|text: &str| {
            values::architectures(text)
                .map(|kinds| Value::Array(kinds.into_iter().map(named).collect()))
        }),
        Kind::Augmentations => arg.value_parser(|text: &str| {
            values::strategy(text).map(|all| Value::from(all.to_string()))
        }),
        Kind::Classes => arg.value_parser(|text: &str| {
            values::classes(text).map(|classes| Value::from(classes.to_string()))
        }),
        Kind::Path => arg.value_parser(value_parser!(PathBuf)),
        Kind::Text => arg.value_parser(StringValueParser::new().map(Value::from)),
    }
}

fn named(kind: Architecture) -> Value {
    kind.to_string().into()
}

/// Whether a setting has no effect when this switch is on.
fn contradicts(switch: &Setting, setting: &Setting) -> bool {
    switch.name == "no_eval" && setting.heading == switch.heading && setting.name != switch.name
}

/// Where a value comes from, if not from a recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Flag,
    File,
}

/// The values that flags and a file give to settings.
#[derive(Debug, Clone, Default)]
pub struct Given {
    values: BTreeMap<&'static str, (Value, Origin)>,
    /// As it was typed, even if it is not valid text.
    pub data_dir: Option<PathBuf>,
}

impl Given {
    fn of(matches: &ArgMatches, settings: impl Iterator<Item = &'static Setting>) -> Self {
        let mut given = Self::default();
        for setting in settings {
            // The only defaults of flags are a file's values.
            let origin = match matches.value_source(setting.name) {
                Some(ValueSource::CommandLine) => Origin::Flag,
                Some(_) => Origin::File,
                None => continue,
            };
            let value = match setting.kind {
                Kind::Switch => matches.get_flag(setting.name).then_some(Value::Boolean(true)),
                Kind::Path => {
                    given.data_dir = matches.get_one(setting.name).cloned();
                    given.data_dir.as_ref().map(|path| path.to_string_lossy().as_ref().into())
                }
                _ => matches.get_one(setting.name).cloned(),
            };
            given.values.extend(value.map(|value| (setting.name, (value, origin))));
        }
        given.reconcile();
        given
    }

    /// Where a file contradicts flags, the flags win.
    fn reconcile(&mut self) {
        for switch in SETTINGS.iter().filter(|setting| matches!(setting.kind, Kind::Switch)) {
            let others: Vec<_> = SETTINGS.iter().filter(|s| contradicts(switch, s)).collect();
            let flag = |setting: &&Setting| self.origin(setting.name) == Some(Origin::Flag);
            if self.origin(switch.name) == Some(Origin::File) && others.iter().any(flag) {
                self.values.remove(switch.name);
            }
            if self.values.contains_key(switch.name) {
                self.values.retain(|name, _| others.iter().all(|other| other.name != *name));
            }
        }
    }

    /// Where the value of the setting with this name comes from, if it has one.
    pub fn origin(&self, name: &str) -> Option<Origin> {
        self.values.get(name).map(|(_, origin)| *origin)
    }

    /// The value of the setting with this name.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.values.get(name).and_then(|(value, _)| value.clone().try_into().ok())
    }

    /// A table as `run.toml` has it. An evaluation uses networks like the run's unless others are asked for.
    fn table(&self, table: &str) -> Table {
        let shared = SETTINGS.iter().filter(|s| s.shared && table == "evaluation");
        let all = shared.chain(SETTINGS.iter().filter(|setting| setting.table == table));
        let said = all.filter_map(|setting| match &self.values.get(setting.name)?.0 {
            // And both protocols.
            Value::String(both) if setting.name == "protocol" && both == BOTH => None,
            Value::Array(numbers) if setting.name == "ipc" => {
                let most = numbers.iter().filter_map(Value::as_integer).max();
                Some((setting.key().to_owned(), most?.into()))
            }
            // Commands that take several kinds of network go over them themselves.
            Value::Array(kinds) => Some((setting.key().to_owned(), kinds.first()?.clone())),
            value => Some((setting.key().to_owned(), value.clone())),
        });
        let mut said: Table = said.collect();
        let per_class = self.per_class();
        if table == "settings" && !per_class.is_even() {
            let numbers = per_class.numbers().iter().map(|&n| Value::from(n as i64));
            said.insert("per_class".to_owned(), Value::Array(numbers.collect()));
        }
        said
    }

    /// The images of each class, if these are not as many.
    fn per_class(&self) -> PerClass {
        PerClass::new(self.get("ipc").unwrap_or_default())
    }

    /// The same with these images of each class.
    pub fn with_numbers(&self, counts: &[usize]) -> Self {
        let numbers: Vec<_> = counts.iter().map(|&count| count as i64).collect();
        let mut given = self.clone();
        given.values.insert("ipc", (Value::from(numbers), Origin::Flag));
        given
    }

    /// The images per class, the most of a class if these are not as many.
    fn ipc(&self) -> Option<usize> {
        let several = self.get::<Vec<usize>>("ipc").and_then(|counts| counts.into_iter().max());
        self.get("ipc").or(several)
    }

    /// These values, replaced by those that were given.
    fn over<T: Serialize + DeserializeOwned>(&self, table: &str, suited: &T) -> T {
        let mut all = Table::try_from(suited).unwrap_or_default();
        all.extend(self.table(table));
        // Clap has refused all other values.
        all.try_into().unwrap_or_else(|error| unreachable!("the settings' table: {error}"))
    }

    /// The data set's name; [`Cli::from_arguments`](super::Cli::from_arguments) ensures that there
    /// is one.
    pub fn dataset(&self) -> String {
        self.get("dataset").unwrap_or_default()
    }

    pub fn method(&self) -> Method {
        let named = self.get("method").and_then(|name: String| Method::named(&name));
        let chosen = || self.chosen().map(|(method, _)| Method::Condensing(method));
        named.or_else(chosen).unwrap_or(Method::DM)
    }

    /// The method that the preset chooses and its source, if it does and none was given.
    pub fn chosen(&self) -> Option<(Matching, &'static str)> {
        let dataset = self.dataset();
        let open = self.origin("method").is_none();
        let recipe = || self.recipe(Subject::named(&dataset), Method::DM);
        open.then(recipe).and_then(|recipe| recipe.method())
    }

    pub fn preset(&self) -> Preset {
        self.get("preset").unwrap_or_default()
    }

    pub fn no_eval(&self) -> bool {
        self.values.contains_key("no_eval")
    }

    pub fn no_baseline(&self) -> bool {
        self.values.contains_key("no_baseline")
    }

    /// The kinds of network to evaluate by, if any were given.
    pub fn networks(&self) -> Option<Vec<Architecture>> {
        self.get("eval_net")
    }

    /// The protocols to evaluate by.
    pub fn protocols(&self) -> Vec<Protocol> {
        match self.get::<String>("protocol") {
            Some(both) if both == BOTH => Protocol::ALL.to_vec(),
            _ => vec![self.get("protocol").unwrap_or_default()],
        }
    }

    /// The recipe for a data set, or for what is known of it, at this preset and number of images.
    pub fn recipe<'a>(&self, subject: impl Into<Subject<'a>>, method: Method) -> Recipe {
        self.recipe_by(subject, method, self.protocols()[0])
    }

    fn recipe_by<'a>(
        &self,
        subject: impl Into<Subject<'a>>,
        method: Method,
        protocol: Protocol,
    ) -> Recipe {
        let mut subject = subject.into();
        (subject.preset, subject.ipc) = (self.preset(), self.ipc());
        subject.whole = method == Method::Whole;
        subject.protocol = protocol;
        if let Method::Condensing(by) = method {
            subject.method = by;
        }
        Recipe::new(subject)
    }

    /// How often to repeat the run; `None` for a single run.
    pub fn runs(&self) -> Option<u32> {
        let dataset = self.dataset();
        let recipe = self.recipe(Subject::named(&dataset), self.method());
        self.get("runs").or(recipe.runs())
    }

    /// Everything resolved for a data set.
    pub fn settings<'a>(&self, subject: impl Into<Subject<'a>>, by: Matching) -> Settings {
        let mut settings: Settings =
            self.over("settings", &Settings::of(&self.recipe(subject, Method::Condensing(by))));
        // A file or a comparison may have them beside another method.
        if by != Matching::Trajectory {
            let Settings { alpha, trajectories, expert_epochs, shown, .. } = &mut settings;
            (*alpha, *trajectories, *expert_epochs, *shown) = Default::default();
        }
        let Settings { distance, outer, inner, lr_net, .. } = &mut settings;
        if !by.of_gradients() {
            (*distance, *outer, *inner) = Default::default();
        }
        if by.of_embeddings() {
            *lr_net = None;
        }
        let Settings { dd_init, dd_steps, dd_epochs, per_class, .. } = &mut settings;
        if by != Matching::Dd {
            (*dd_init, *dd_steps, *dd_epochs) = Default::default();
        } else if !per_class.is_even() && self.origin("dd_steps").is_none() {
            // The recipe's number is for as many of each class.
            *dd_steps = u32::try_from(per_class.divisor(1)).ok();
        }
        if !by.augments() {
            settings.augment = Strategy::none();
        }
        settings
    }

    /// The same for a selection.
    pub fn selection<'a>(
        &self,
        subject: impl Into<Subject<'a>>,
        selection: Selector,
    ) -> SelectionSettings {
        SelectionSettings::like(&self.settings(subject, Matching::Dm), selection)
    }

    /// The same for the evaluation of what a method made.
    pub fn evaluation<'a>(
        &self,
        subject: impl Into<Subject<'a>>,
        method: Method,
    ) -> EvaluationSettings {
        self.evaluation_over(&EvaluationSettings::of(&self.recipe(subject, method)))
    }

    /// The same by the second protocol, if both were asked for.
    pub fn other_protocol<'a>(
        &self,
        subject: impl Into<Subject<'a>>,
        method: Method,
    ) -> Option<EvaluationSettings> {
        let protocol = *self.protocols().get(1).filter(|_| !self.no_eval())?;
        let recipe = self.recipe_by(subject, method, protocol);
        Some(self.evaluation_over(&EvaluationSettings::of(&recipe)))
    }

    /// The values that were given, and those of `suited` for the rest.
    pub fn evaluation_over(&self, suited: &EvaluationSettings) -> EvaluationSettings {
        self.over("evaluation", suited)
    }

    /// Which data, from where.
    pub fn data(&self, name: String) -> Data {
        let data = Data { name, ..Data::default() };
        Data { data_dir: self.data_dir.clone(), ..self.over("data", &data) }
    }

    /// On which machine; usual values are not written down.
    pub fn machine(&self) -> Machine {
        let mut machine: Machine = self.over("machine", &Machine::default());
        machine.precision.take_if(|name| *name == Precision::default().name());
        machine.memory_budget.take_if(|bytes| *bytes == Gpu::MEMORY_BUDGET);
        machine
    }
}
