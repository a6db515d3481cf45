//! Writing to the terminal without the panics of `println!` when the reader is gone.

use std::{
    io::{self, ErrorKind, Write},
    sync::LazyLock,
};

use console::Term;
use dm_wgpu::report::printable;
use indicatif::{MultiProgress, ProgressDrawTarget, TermLike};

/// All progress bars. They are hidden while other text is written to the terminal; otherwise both
/// would mix.
pub static BARS: LazyLock<MultiProgress> = LazyLock::new(|| {
    let term = Term::buffered_stderr();
    let target = match term.is_term() {
        true => ProgressDrawTarget::term_like_with_hz(Box::new(Margin(term)), 20),
        false => ProgressDrawTarget::hidden(),
    };
    MultiProgress::with_draw_target(target)
});

/// A terminal that reports a smaller width, so that its bars leave room at the right. Otherwise the `^C` that Ctrl-C
/// prints would go to the next line, and the bar would stay on the screen.
#[derive(Debug)]
struct Margin(Term);

impl TermLike for Margin {
    fn width(&self) -> u16 {
        // Room for the two characters of `^C`, and a column for the cursor.
        self.0.size().1.saturating_sub(5).max(1)
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Whether the terminal can neither show colours nor move back to draw a bar anew. This is checked here because crates
/// use colours on any terminal if `CI` is set, as in continuous integration.
pub fn dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|name| name == "dumb")
}

/// A line for people, on stderr. If it cannot be written, that cannot be reported either.
pub fn err(line: &str) {
    let line = lines(line);
    let _ = BARS.suspend(|| writeln!(io::stderr().lock(), "{line}"));
}

/// Escapes text that may hold names of any origin, so that nothing in them controls the terminal. Lines and columns
/// stay.
fn lines(text: &str) -> String {
    let cells = |line: &str| line.split('\t').map(printable).collect::<Vec<_>>().join("\t");
    text.split('\n').map(cells).collect::<Vec<_>>().join("\n")
}

/// Results for people, on stdout.
pub fn out(text: &str) -> io::Result<()> {
    raw(&lines(text))
}

/// A JSON value on stdout. JSON leaves some characters that control terminals as they are, but only inside strings.
pub fn json(value: &str) -> io::Result<()> {
    raw(&escaped(value))
}

fn escaped(value: &str) -> String {
    let escape = |c: char| match printable(c.encode_utf8(&mut [0; 4])).chars().count() {
        1 => c.to_string(),
        _ => format!("\\u{:04x}", u32::from(c)),
    };
    value.chars().map(escape).collect()
}

/// Text on stdout, unchanged. A reader that left, as `head` does, has what it wanted.
pub fn raw(text: &str) -> io::Result<()> {
    let written = BARS.suspend(|| {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{text}").and_then(|()| stdout.flush())
    });
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Ends the program with a last line, after which no other thread prints anything: text on stderr, JSON on stdout.
pub fn last(line: Option<&str>, json: bool, code: u8) -> ! {
    BARS.suspend(|| {
        let _ = match line {
            Some(line) if json => writeln!(io::stdout().lock(), "{}", escaped(line)),
            Some(line) => writeln!(io::stderr().lock(), "{}", lines(line)),
            None => Ok(()),
        };
        std::process::exit(code.into())
    })
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn lines_and_columns_stay_and_nothing_else_steers() {
        assert_eq!(lines("a\tb\u{1b}[2J\nc\r\n"), "a\tb\\u{1b}[2J\nc\\r\n");
    }
}
