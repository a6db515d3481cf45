//! `--ipc-file`: the number of images of each class, in a line per class.

use std::path::Path;

use dm_wgpu::Dataset;

use super::{args::Given, failure::Failure};

/// What was given, with the numbers of this file if there is one.
pub fn over(given: &Given, file: Option<&Path>, dataset: &Dataset) -> Result<Given, Failure> {
    let Some(path) = file else { return Ok(given.clone()) };
    let wrong = |why: String| Failure::Usage(format!("--ipc-file {}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let counts = read(&text, dataset.class_names()).map_err(wrong)?;
    Ok(given.with_numbers(&counts))
}

fn read(text: &str, names: &[String]) -> Result<Vec<usize>, String> {
    let mut counts = vec![None; names.len()];
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |why: &str| format!("line {number}, {line:?}: {why}");
        // Names may have commas of their own.
        let (class, count) = line.rsplit_once(',').ok_or_else(|| {
            wrong("a class's name or number, a comma and a number of images are needed")
        })?;
        let class = class.trim();
        let count = count.trim().parse().ok().filter(|count| *count > 0);
        let count: usize = count.ok_or_else(|| wrong("a whole number from 1 on is needed"))?;
        let named = names.iter().position(|name| name == class);
        let numbered = || class.parse().ok().filter(|&at: &usize| at < names.len());
        let at = named.or_else(numbered).ok_or_else(|| {
            let some: Vec<_> = names.iter().take(10).map(String::as_str).collect();
            let more = if names.len() > 10 { ", …" } else { "" };
            wrong(&format!("there is no such class; there are {}{more}", some.join(", ")))
        })?;
        if counts[at].replace(count).is_some() {
            return Err(wrong("this class has a line already"));
        }
    }
    let all = counts.iter().zip(names).map(|(count, name)| {
        count.ok_or_else(|| format!("class {name:?} has no line; each class needs one"))
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn each_class_has_a_line() {
        let names = ["cat", "a, b", "2"].map(str::to_owned);
        assert_eq!(read("# mine\n2, 3\n\na, b, 10\ncat,1\n", &names), Ok(vec![1, 10, 3]));
        assert_eq!(read("0,1\n1,2\n2,3", &names), Ok(vec![1, 2, 3]), "by their numbers");
        for (text, told) in [
            ("cat,1", "class \"a, b\" has no line"),
            ("cat 1", "line 1, \"cat 1\": a class's name or number, a comma"),
            ("cat,1\ncat,2", "line 2, \"cat,2\": this class has a line already"),
            ("dog,1", "there is no such class; there are cat, a, b, 2"),
            ("cat,0", "a whole number from 1 on"),
            ("cat,-1", "a whole number from 1 on"),
        ] {
            let error = read(text, &names).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
