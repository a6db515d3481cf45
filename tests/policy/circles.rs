//! Which modules of `src/` import one another in a circle, directly or by way of others.
//!
//! Neighbours are compared, children of one module: what lies below counts for them, so that
//! `cli::args::run` importing `cli::record` is an import of `record` by `args`. What a module imports from its parent
//! counts as an import of whichever neighbour the parent has it from; a parent and its own children are one thing in
//! several files, and no circle. Tests do not count.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A module by its names from the top.
type Name = Vec<String>;

#[derive(Default)]
struct Module {
    /// Names that are visible in it because of `use`, each with the path that it stands for.
    imported: BTreeMap<String, Vec<String>>,
    /// Paths that its code names.
    paths: Vec<Vec<String>>,
}

type Modules = BTreeMap<Name, Module>;

/// Source without comments, texts and what only tests compile, as words and signs.
fn tokens(source: &str) -> Vec<String> {
    let code: Vec<char> = source.chars().collect();
    let starts =
        |at: usize, text: &str| text.chars().enumerate().all(|(i, c)| code.get(at + i) == Some(&c));
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut tokens, mut at) = (Vec::<String>::new(), 0);
    while at < code.len() {
        let begun = at;
        if starts(at, "//") {
            at += code[at..].iter().take_while(|c| **c != '\n').count();
        } else if starts(at, "/*") {
            at += 2 + code[at..].windows(2).position(|two| two == ['*', '/']).unwrap();
        } else if code[at] == '"' {
            at += 1;
            while code[at] != '"' {
                at += if code[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if starts(at, "r\"") || starts(at, "r#\"") {
            let marks = code[at + 1..].iter().take_while(|c| **c == '#').count();
            let end = format!("\"{}", "#".repeat(marks));
            at += 2 + marks;
            while at < code.len() && !starts(at, &end) {
                at += 1;
            }
            at += end.len();
        } else if code[at] == '\'' {
            // A character, or a lifetime.
            at += if starts(at, "'\\") {
                4 + code[at + 3..].iter().position(|c| *c == '\'').unwrap()
            } else if code.get(at + 2) == Some(&'\'') {
                3
            } else {
                1
            };
        } else if is_word(code[at]) {
            at += code[at..].iter().take_while(|c| is_word(**c)).count();
            tokens.push(code[begun..at].iter().collect());
        } else {
            at += if starts(at, "::") { 2 } else { 1 };
            let sign: String = code[begun..at].iter().collect();
            if !sign.trim().is_empty() {
                tokens.push(sign);
            }
        }
    }
    without_tests(&tokens)
}

/// Leaves out what follows `#[cfg(test)]` and the like.
fn without_tests(tokens: &[String]) -> Vec<String> {
    let (mut left, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if tokens[at] == "#" && tokens.get(at + 2).is_some_and(|word| word == "cfg") {
            let end = at + tokens[at..].iter().position(|sign| sign == "]").unwrap();
            let condition = &tokens[at..end];
            let has = |word: &str| condition.iter().any(|other| other == word);
            at = end + 1;
            if has("test") && !has("not") {
                at = after_item(tokens, at);
            }
        } else {
            left.push(tokens[at].clone());
            at += 1;
        }
    }
    left
}

/// Where the item that begins here ends: behind its `;`, or behind its block.
fn after_item(tokens: &[String], begin: usize) -> usize {
    let mut depth = 0;
    for (at, sign) in tokens.iter().enumerate().skip(begin) {
        match sign.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 && matches!(sign.as_str(), ";" | "}") {
            return at + 1;
        }
    }
    tokens.len()
}

/// What `a::{b, c::d as e}` stands for: visible names with their paths. Gives where it ends.
fn tree(
    tokens: &[String],
    mut at: usize,
    above: &[String],
    found: &mut Vec<(String, Vec<String>)>,
) -> usize {
    let mut path = above.to_vec();
    loop {
        match tokens[at].as_str() {
            "::" => at += 1,
            "{" => {
                at += 1;
                while tokens[at] != "}" {
                    at = tree(tokens, at, &path, found);
                    at += usize::from(tokens[at] == ",");
                }
                return at + 1;
            }
            "as" => {
                found.push((tokens[at + 1].clone(), path));
                return at + 2;
            }
            "," | "}" | ";" => {
                if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
                    path.pop();
                }
                found.push((path.last().cloned().unwrap_or_default(), path));
                return at;
            }
            word => {
                path.push(word.to_owned());
                at += 1;
            }
        }
    }
}

/// Reads a module's file and those of its children.
fn read(file: &Path, name: &Name, modules: &mut Modules) {
    let tokens = tokens(&fs::read_to_string(file).unwrap());
    let root = name.is_empty() || file.ends_with("mod.rs");
    let folder = if root { file.parent().unwrap().to_owned() } else { file.with_extension("") };
    let (mut children, mut at) = (Vec::new(), 0);
    let module = modules.entry(name.clone()).or_default();
    while at < tokens.len() {
        match tokens[at].as_str() {
            "mod" if tokens[at + 2] == ";" => {
                children.push(tokens[at + 1].clone());
                at += 3;
            }
            "use" if tokens[at + 1] != "<" => {
                let mut found = Vec::new();
                at = tree(&tokens, at + 1, &[], &mut found);
                for (visible, path) in found {
                    module.paths.push(path.clone());
                    module.imported.insert(visible, path);
                }
            }
            _ if tokens.get(at + 1).is_some_and(|sign| sign == "::")
                && (at == 0 || tokens[at - 1] != "::") =>
            {
                let mut path = vec![tokens[at].clone()];
                while tokens.get(at + 1).is_some_and(|sign| sign == "::") {
                    at += 2;
                    path.push(tokens[at].clone());
                }
                at += 1;
                module.paths.push(path);
            }
            _ => at += 1,
        }
    }
    for child in children {
        let places = [folder.join(&child).with_extension("rs"), folder.join(&child).join("mod.rs")];
        let place: Option<&PathBuf> = places.iter().find(|place| place.is_file());
        // What is named by `#[path]` belongs to tests.
        if let Some(place) = place {
            read(place, &[&name[..], &[child]].concat(), modules);
        }
    }
}

/// The module that defines what a path leads to, seen from `at`; none for what is not ours.
fn resolve(modules: &Modules, at: &Name, path: &[String], depth: u32) -> Option<Name> {
    if depth > 8 {
        return None;
    }
    let mut place = at.clone();
    for (i, word) in path.iter().enumerate() {
        let below = [&place[..], std::slice::from_ref(word)].concat();
        match word.as_str() {
            "crate" | "dm_wgpu" if i == 0 => place = Vec::new(),
            "super" => _ = place.pop()?,
            "self" => {}
            _ if modules.contains_key(&below) => place = below,
            _ => {
                let alias = modules[&place].imported.get(word);
                let onward = alias.filter(|alias| alias.as_slice() != path || place != *at);
                return match onward {
                    Some(alias) => {
                        let whole = [alias, &path[i + 1..]].concat();
                        resolve(modules, &place, &whole, depth + 1)
                    }
                    None => (i > 0).then_some(place),
                };
            }
        }
    }
    Some(place)
}

/// By module, which of its children import which.
fn imports(modules: &Modules) -> BTreeMap<Name, BTreeMap<String, BTreeSet<String>>> {
    let mut all = BTreeMap::<_, BTreeMap<_, BTreeSet<_>>>::new();
    for (from, module) in modules {
        for to in module.paths.iter().filter_map(|path| resolve(modules, from, path, 0)) {
            let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            if let (Some(a), Some(b)) = (from.get(shared), to.get(shared)) {
                let level = all.entry(from[..shared].to_vec()).or_default();
                level.entry(a.clone()).or_default().insert(b.clone());
            }
        }
    }
    all
}

/// Groups of which each reaches every other.
fn circles(imports: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<Vec<String>> {
    let reached = |from: &String| {
        let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(name) = next.pop() {
            next.extend(
                imports
                    .get(name)
                    .into_iter()
                    .flatten()
                    .filter(|name| reached.insert((*name).clone())),
            );
        }
        reached
    };
    let reached: BTreeMap<_, _> = imports.keys().map(|name| (name, reached(name))).collect();
    let circle = |name: &String| {
        let all = reached[name].iter();
        all.filter(|other| reached.get(other).is_some_and(|back| back.contains(name)))
            .cloned()
            .collect::<Vec<_>>()
    };
    imports.keys().map(circle).filter(|circle| circle.len() > 1).collect()
}

/// All circles below this folder, each with the module that they are in.
fn found(src: &Path) -> Vec<(Name, Vec<String>)> {
    let mut modules = Modules::new();
    for root in ["lib.rs", "main.rs"] {
        read(&src.join(root), &Vec::new(), &mut modules);
    }
    let imports = imports(&modules);
    imports
        .iter()
        .flat_map(|(at, level)| circles(level).into_iter().map(|circle| (at.clone(), circle)))
        .collect()
}

#[test]
fn no_modules_import_one_another_in_a_circle() {
    let found = found(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let found: Vec<_> = found
        .iter()
        .map(|(at, circle)| {
            let at = if at.is_empty() { "src".into() } else { at.join("::") };
            format!("{at}: {}", circle.join(", "))
        })
        .collect();
    assert!(found.is_empty(), "modules import one another in a circle:\n{}", found.join("\n"));
}

#[test]
fn circles_are_found() {
    let place = tempfile::tempdir().unwrap();
    let write = |files: &[(&str, &str)]| {
        for (file, text) in files {
            let path = place.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        found(place.path())
            .into_iter()
            .map(|(at, circle)| format!("{} {}", at.join("::"), circle.join(" ")))
            .collect::<Vec<_>>()
    };
    let lone = [
        ("main.rs", "mod tool;"),
        ("tool/mod.rs", "mod x; fn main() { x::f() }"),
        (
            "tool/x.rs",
            "use dm_wgpu::One; // crate::tool::x\n pub fn f() { let c = '\"'; super::g() }",
        ),
        ("lib.rs", "pub mod a; mod b; pub use b::{One, Two as Three};"),
        ("a.rs", "use crate::{One, std::x}; const TEXT: &str = \"crate::b\";"),
        (
            "b.rs",
            "pub struct One; #[cfg(test)] mod tests { use crate::a; } #[cfg(not(test))] fn f() {}",
        ),
    ];
    assert_eq!(write(&lone), [""; 0]);
    assert_eq!(write(&[("b.rs", "fn f<'a>(x: &'a str) { crate::a::f(x) }")]), [" a b"]);
    assert_eq!(write(&[("b.rs", "fn f() {}")]), [""; 0]);
    // By a longer way, through what a parent hands on, and from one folder into another.
    assert_eq!(
        write(&[
            ("lib.rs", "pub mod a; mod b; mod c; pub use b::{One, Two as Three};"),
            ("b.rs", "use crate::c::deep;"),
            ("c/mod.rs", "pub mod deep; pub mod wide; pub use wide::W;"),
            ("c/deep.rs", "use super::W; use crate::{a::f, Three};"),
            ("c/wide.rs", "use super::deep;"),
        ]),
        [" a b c", "c deep wide"]
    );
}
