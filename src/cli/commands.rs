//! Commands that resume a run or start it again, as people type them.

use std::path::Path;

use dm_wgpu::project::{holds_results, words::quoted};

/// The command that resumes a run.
pub fn resuming(folder: &Path) -> String {
    format!("dm-wgpu --resume {}", quoted(&folder.to_string_lossy()))
}

/// The command that evaluates what is in a run's folder.
pub fn evaluating(folder: &Path) -> String {
    format!("dm-wgpu evaluate {}", quoted(&folder.to_string_lossy()))
}

/// The command that resumes, as a line of a summary.
pub fn go_on(folder: &Path) -> String {
    format!("go on     {}", resuming(folder))
}

/// The command that was given, as a line of a summary: if nothing was saved, it starts the work again.
pub fn again() -> String {
    format!("go on     {}", repeating(std::env::args().skip(1), &[]))
}

/// A command without these flags, and without an `--out` whose folder holds results.
pub fn repeating(words: impl Iterator<Item = String>, without: &[&str]) -> String {
    let (mut command, mut words) = ("dm-wgpu".to_owned(), words.peekable());
    while let Some(word) = words.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (if word == "-o" { "--out" } else { &word }, words.peek().cloned()),
        };
        let taken = |folder: &String| holds_results(Path::new(folder));
        if without.contains(&flag) || flag == "--out" && value.as_ref().is_some_and(taken) {
            if !word.contains('=') {
                words.next();
            }
            continue;
        }
        command += &format!(" {}", quoted(&word));
    }
    command
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_command_is_repeated_as_it_was_typed() {
        let taken = tempfile::tempdir().unwrap();
        let fill = |name: &str| fs::write(taken.path().join(name), "").unwrap();
        let repeated =
            |line: &str, without: &[&str]| repeating(line.split('|').map(String::from), without);
        let line = "compare|--dataset|folder:my pets|--methods|dm,random|--json|--out=new";
        let told = "dm-wgpu compare --dataset 'folder:my pets'";
        assert_eq!(repeated(line, &[]), format!("{told} --methods dm,random --json --out=new"));
        assert_eq!(repeated(line, &["--methods", "--out"]), format!("{told} --json"));
        let own = taken.path().display();
        let full = format!("--quiet|--out|{own}|--ipc|1");
        fill(".lock");
        assert_eq!(repeated(&full, &[]), format!("dm-wgpu --quiet --out {own} --ipc 1"));
        fill("x");
        assert_eq!(repeated(&full, &[]), "dm-wgpu --quiet --ipc 1");
    }
}
