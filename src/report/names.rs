//! Class names as names of folders, on any file system.

use std::collections::HashSet;

/// Longer names are cut: file systems take 255 bytes, and a character may have four.
const LONGEST: usize = 56;

/// Names that Windows keeps for devices, with any ending.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// One name per class, in order: each is safe, and no two differ only in case.
pub(crate) fn folders(classes: &[String]) -> Vec<String> {
    let mut taken = HashSet::new();
    let unique = |(class, name): (usize, &String)| {
        let safe = safe(name).unwrap_or_else(|| format!("class-{class}"));
        let mut name = safe.clone();
        let mut count = 2;
        // Many file systems hold `A` and `a` for one name.
        while !taken.insert(name.to_lowercase()) {
            name = format!("{safe}-{count}");
            count += 1;
        }
        name
    };
    classes.iter().enumerate().map(unique).collect()
}

/// Keeps letters, digits and a few signs, and replaces all others by underscores; `None` if nothing meaningful is left.
fn safe(name: &str) -> Option<String> {
    let keep = |c: char| if c.is_alphanumeric() || "-_+.".contains(c) { c } else { '_' };
    let name: String = name.chars().map(keep).take(LONGEST).collect();
    // Dots in front hide a folder or leave it, dots at the end are dropped by Windows.
    let name = name.trim_matches(['.', '_']);
    let stem = name.split('.').next().unwrap_or(name).to_lowercase();
    let numbered = ["com", "lpt"]
        .iter()
        .any(|port| stem.strip_prefix(port).is_some_and(|rest| rest.chars().count() == 1));
    match name {
        "" => None,
        _ if numbered || DEVICES.contains(&stem.as_str()) => Some(format!("_{name}")),
        _ => Some(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(names: &[&str]) -> Vec<String> {
        folders(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn ordinary_names_stay() {
        assert_eq!(of(&["0", "airplane", "čáp", "T-shirt"]), ["0", "airplane", "čáp", "T-shirt"]);
    }

    #[test]
    fn dangerous_names_are_changed() {
        assert_eq!(
            of(&["..", "", "../../etc", "a/b\\c", "/", "T-shirt/top", "nul", "com1.txt", ".git"]),
            [
                "class-0",
                "class-1",
                "etc",
                "a_b_c",
                "class-4",
                "T-shirt_top",
                "_nul",
                "_com1.txt",
                "git"
            ]
        );
    }

    #[test]
    fn like_names_are_told_apart() {
        assert_eq!(of(&["cat", "Cat", "cat", "cat-2"]), ["cat", "Cat-2", "cat-3", "cat-2-2"]);
        assert_eq!(of(&["class-1", "?"]), ["class-1", "class-1-2"]);
    }

    proptest! {
        #[test]
        fn always_one_plain_component(names: Vec<String>) {
            let folders = folders(&names);
            let distinct: HashSet<_> = folders.iter().map(|name| name.to_lowercase()).collect();
            prop_assert_eq!(distinct.len(), names.len());
            for name in folders {
                prop_assert!(!name.is_empty() && name.len() <= 255);
                prop_assert!(!name.starts_with('.') && !name.ends_with('.'));
                prop_assert!(!name.contains(['/', '\\', ':', '\0']));
            }
        }
    }
}
