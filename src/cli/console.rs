//! Where output goes: text for people to stderr, JSON for programs to stdout.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{
    events::{Answer, Event},
    failure::{Failure, INTERRUPTED},
    say,
};

/// What is reported about a run, and how.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    quiet: bool,
    /// Whether stderr is a terminal on which bars can be drawn.
    pub terminal: bool,
    json: bool,
}

impl Console {
    pub fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal() && !say::dumb();
        Self { quiet, terminal, json: false }
    }

    /// Whether the output is for a program (JSON) rather than for people.
    pub fn with_json(self, json: bool) -> Self {
        Self { json, ..self }
    }

    pub fn say(&self, line: &str) {
        match line.trim() {
            "" if self.json => {}
            text => self.tell(line, &Event::Message { text }),
        }
    }

    /// As other warnings look.
    pub fn warn(&self, line: &str) {
        self.say(&format!("warning: {line}"));
    }

    /// A line for people, or the event that a program gets instead.
    pub fn tell(&self, line: &str, event: &Event<'_>) {
        match self {
            Self { quiet: true, .. } => {}
            Self { json: true, .. } => event.tell(),
            _ => say::err(line),
        }
    }

    /// The last line if Ctrl-C left no result.
    pub fn interrupted(&self, line: &str) {
        let end = Event::Error { message: line, exit_code: INTERRUPTED };
        match self.json {
            // For programs it is the result, so it is printed with `--quiet` too.
            true => end.tell(),
            false => self.say(line),
        }
    }

    /// The last line of a program that ends at once; any thread may call this.
    pub fn leaves(&self, line: &str) -> ! {
        let end = Event::Error { message: line, exit_code: INTERRUPTED };
        let json = serde_json::to_string(&end).ok().filter(|_| self.json);
        let told = json.as_deref().or((!self.quiet && !self.json).then_some(line));
        say::last(told, self.json, INTERRUPTED)
    }

    /// Like a result, but not printed for people with `--quiet`.
    pub fn summary(&self, text: &str, value: &impl Serialize) -> Result<(), Failure> {
        if self.quiet && !self.json { Ok(()) } else { self.result(text, value) }
    }

    /// The result that was asked for, on stdout: the last event, or else the text.
    pub fn result(&self, text: &str, value: &impl Serialize) -> Result<(), Failure> {
        let said = match self.json {
            true => {
                let line = serde_json::to_string(&Answer::of(value))
                    .map_err(|error| Failure::Failed(format!("the results as JSON: {error}")))?;
                say::json(&line)
            }
            false => say::out(text),
        };
        said.map_err(|error| Failure::Failed(format!("stdout: {error}")))
    }

    /// Whether the output is for a program.
    pub fn json(&self) -> bool {
        self.json
    }

    pub fn quiet(&self) -> bool {
        self.quiet
    }

    /// A bar of so many pieces, below the existing bars.
    pub fn bar(&self, length: u64, template: &str) -> ProgressBar {
        let bar = say::BARS.add(ProgressBar::new(length));
        // If indicatif refuses the template, the bar only looks different.
        let style = ProgressStyle::with_template(template);
        bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "))
    }
}
