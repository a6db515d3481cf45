//! Writing to the terminal without the panics of `println!` when nobody listens any more.

use std::{
    io::{self, ErrorKind, Write},
    sync::LazyLock,
};

use indicatif::{MultiProgress, ProgressDrawTarget};

/// All progress bars. Whatever else writes to the terminal does it while they are away, or they would
/// run into each other.
pub static BARS: LazyLock<MultiProgress> =
    LazyLock::new(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));

/// A line for people, on stderr. If it can't be told, there is nobody to tell that to.
pub fn err(line: &str) {
    let _ = BARS.suspend(|| writeln!(io::stderr().lock(), "{line}"));
}

/// Results, on stdout. A reader that left, as `head` does, has what it wanted.
pub fn out(text: &str) -> io::Result<()> {
    let written = BARS.suspend(|| {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{text}").and_then(|()| stdout.flush())
    });
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// `1 image`, `10 images`.
pub fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_is_no_more() {
        let images = [0, 1, 2].map(|count| counted(count, "image"));
        assert_eq!(images, ["0 images", "1 image", "2 images"]);
    }
}
