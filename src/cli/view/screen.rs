//! Which kinds of pictures a terminal shows, judged by environment variables.

use std::env;

use crate::cli::args::Way;

/// What is known of the terminal.
#[derive(Debug, Default)]
pub struct Environment {
    terminal: bool,
    no_color: bool,
    term: String,
    program: String,
    colorterm: String,
    kitty: bool,
    multiplexed: bool,
    /// Width in characters.
    pub columns: usize,
}

impl Environment {
    pub fn of_this_process(terminal: bool) -> Self {
        let text = |name: &str| env::var(name).unwrap_or_default();
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let asked = text("COLUMNS").parse().ok();
        let found = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Self {
            terminal,
            no_color: set("NO_COLOR"),
            term: text("TERM"),
            program: text("TERM_PROGRAM"),
            colorterm: text("COLORTERM"),
            kitty: set("KITTY_WINDOW_ID"),
            multiplexed: set("TMUX") || set("STY"),
            columns: found.or(asked).unwrap_or(80).clamp(8, 1000),
        }
    }

    /// The best way, or why there is none.
    pub fn way(&self) -> Result<Way, &'static str> {
        if !self.terminal {
            return Err("stdout is not a terminal");
        }
        if self.no_color {
            return Err("NO_COLOR is set, and pictures are made of colours");
        }
        if self.term == "dumb" {
            return Err("this terminal has no colours");
        }
        // Multiplexers do not pass pictures on unless they are configured to.
        if !self.multiplexed {
            if self.kitty || self.term.contains("kitty") || self.program == "ghostty" {
                return Ok(Way::Kitty);
            }
            if ["iTerm.app", "WezTerm", "mintty"].contains(&self.program.as_str()) {
                return Ok(Way::Iterm);
            }
        }
        let many = ["truecolor", "24bit"].contains(&self.colorterm.as_str())
            || self.term.ends_with("-direct")
            || cfg!(windows);
        Ok(if many { Way::Blocks } else { Way::Blocks256 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_protocol_of_the_terminal_is_chosen() {
        let of = |change: fn(&mut Environment)| {
            let mut environment = Environment {
                terminal: true,
                term: "xterm-256color".into(),
                ..Environment::default()
            };
            change(&mut environment);
            environment.way()
        };
        let plain = if cfg!(windows) { Way::Blocks } else { Way::Blocks256 };
        assert_eq!(of(|_| {}), Ok(plain));
        assert_eq!(of(|e| e.colorterm = "truecolor".into()), Ok(Way::Blocks));
        assert_eq!(of(|e| e.term = "xterm-kitty".into()), Ok(Way::Kitty));
        assert_eq!(of(|e| e.program = "iTerm.app".into()), Ok(Way::Iterm));
        assert_eq!(
            of(|e| (e.kitty, e.multiplexed) = (true, true)),
            Ok(plain),
            "tmux passes no pictures on"
        );
        let never: [fn(&mut Environment); 3] =
            [|e| e.terminal = false, |e| e.no_color = true, |e| e.term = "dumb".into()];
        assert!(never.into_iter().all(|change| of(change).is_err()));
    }
}
