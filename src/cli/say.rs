//! Writing to the terminal without the panics of `println!` when nobody listens any more.

use std::io::{self, ErrorKind, Write};

/// A line for people, on stderr. If it can't be told, there is nobody to tell that to.
pub fn err(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Results, on stdout. A reader that left, as `head` does, has what it wanted.
pub fn out(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
