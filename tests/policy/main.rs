//! `deny.toml` kept without cargo-deny, which takes longer to build than everything here: licences, crates in
//! two versions, wildcards, and where crates are from. And that what the documentation says of their number is
//! true, that its links lead somewhere, that what shall be short is, and that modules import one another in one
//! direction.

mod circles;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use spdx::{Expression, ParseMode};
use toml::Table;

fn cargo(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("--locked").args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

/// A crate that is built into the program, on any platform.
#[derive(Debug, Clone)]
struct Package {
    name: String,
    version: String,
    license: String,
    /// None for this very package.
    source: Option<String>,
    /// Names and versions asked for, without those of tests.
    wants: Vec<(String, String)>,
    /// Whether it asks for another version of itself, as crates do that hand everything on to their successor.
    hands_on: bool,
}

/// What the lock file leads to from this package, as `[graph]` says: with all features, without what only
/// tests and examples need.
fn packages() -> Vec<Package> {
    let arguments = ["metadata", "--format-version", "1", "--all-features"];
    let all: Value = serde_json::from_str(&cargo(&arguments)).unwrap();
    let resolve = &all["resolve"];
    let nodes: BTreeMap<_, _> =
        list(resolve, "nodes").map(|node| (text(node, "id"), node)).collect();
    let is_built =
        |dependency: &&Value| list(dependency, "dep_kinds").any(|kind| text(kind, "kind") != "dev");
    let below = |id: &str| list(nodes[id], "deps").filter(is_built).map(|one| text(one, "pkg"));
    let mut reached = BTreeSet::new();
    let mut next = vec![text(resolve, "root")];
    while let Some(id) = next.pop() {
        if reached.insert(id) {
            next.extend(below(id));
        }
    }
    let names: BTreeMap<_, _> =
        list(&all, "packages").map(|one| (text(one, "id"), text(one, "name"))).collect();
    let built = list(&all, "packages").filter(|one| reached.contains(text(one, "id")));
    let package = |one: &Value| {
        let (id, name) = (text(one, "id"), text(one, "name"));
        let wants = list(one, "dependencies").filter(|wanted| text(wanted, "kind") != "dev");
        let wants = wants.map(|wanted| (text(wanted, "name").into(), text(wanted, "req").into()));
        Package {
            name: name.into(),
            version: text(one, "version").into(),
            license: text(one, "license").into(),
            source: one["source"].as_str().map(Into::into),
            wants: wants.collect(),
            hands_on: below(id).any(|other| names[other] == name),
        }
    };
    built.map(package).collect()
}

/// `deny.toml`, as far as it is understood here: all of it, or the test says what is not.
#[derive(Debug)]
struct Policy {
    licenses: Vec<String>,
    /// By crate.
    exceptions: BTreeMap<String, Vec<String>>,
    /// Crates with the beginning of the version that may be there beside another.
    skipped: Vec<(String, String)>,
    sources: Vec<String>,
}

fn strings(table: &Table, key: &str) -> Vec<String> {
    let values = table[key].as_array().unwrap_or_else(|| panic!("{key} is a list"));
    values.iter().map(|value| value.as_str().expect("of texts").to_owned()).collect()
}

impl Policy {
    fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deny.toml");
        let all: Table = fs::read_to_string(path).unwrap().parse().unwrap();
        let expected = |table: &Table, expected: &str| {
            let keys: Vec<_> = table.keys().map(String::as_str).collect();
            let mut sorted = keys.clone();
            sorted.sort_unstable();
            assert_eq!(sorted.join(" "), expected, "teach tests/policy what else there is");
        };
        expected(&all, "bans graph licenses sources");
        let of = |key: &str| all[key].as_table().unwrap();
        let [bans, graph, licenses, sources] = ["bans", "graph", "licenses", "sources"].map(of);
        expected(graph, "all-features exclude-dev");
        assert!(graph.values().all(|value| value.as_bool() == Some(true)));
        expected(licenses, "allow exceptions");
        expected(bans, "multiple-versions skip wildcards");
        expected(sources, "allow-registry unknown-git unknown-registry");
        let strict = [(bans, "wildcards"), (bans, "multiple-versions")];
        let strict =
            strict.into_iter().chain([(sources, "unknown-git"), (sources, "unknown-registry")]);
        for (table, key) in strict {
            assert_eq!(table[key].as_str(), Some("deny"), "{key}");
        }
        let tables = |table: &Table, key: &str| table[key].as_array().unwrap().clone();
        let exceptions = tables(licenses, "exceptions").into_iter().map(|one| {
            let one = one.as_table().unwrap();
            expected(one, "allow crate");
            (one["crate"].as_str().unwrap().to_owned(), strings(one, "allow"))
        });
        let skipped = tables(bans, "skip").into_iter().map(|one| {
            let one = one.as_table().unwrap();
            expected(one, "crate reason");
            let (name, version) = one["crate"].as_str().unwrap().split_once('@').unwrap();
            (name.to_owned(), version.to_owned())
        });
        Self {
            licenses: strings(licenses, "allow"),
            exceptions: exceptions.collect(),
            skipped: skipped.collect(),
            sources: strings(sources, "allow-registry"),
        }
    }

    /// All that is wrong, a line each.
    fn complaints(&self, packages: &[Package]) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut versions = BTreeMap::<_, Vec<_>>::new();
        for package in packages {
            let Package { name, version, license, source, wants, hands_on } = package;
            let exceptions = self.exceptions.get(name).into_iter().flatten();
            let allowed: Vec<_> = self.licenses.iter().chain(exceptions).collect();
            match Expression::parse_mode(license, ParseMode::LAX) {
                Ok(expression) if expression.evaluate(|asked| is_among(asked, &allowed)) => {}
                Ok(_) => complaints.push(format!("{name} {version}: licence {license}")),
                Err(error) => {
                    complaints.push(format!("{name} {version}: licence: {}", error.reason))
                }
            }
            if let Some(source) = source {
                let known = source.strip_prefix("registry+");
                if known.is_none_or(|source| !self.sources.iter().any(|known| known == source)) {
                    complaints.push(format!("{name} {version} comes from {source}"));
                }
            } else {
                // Others' are their own business, and their registry refuses them.
                let any = wants.iter().filter(|(_, version)| version == "*");
                complaints.extend(any.map(|(wanted, _)| format!("{name} takes any {wanted}")));
            }
            if !hands_on && !self.skipped.iter().any(|skip| is_skipped(skip, package)) {
                versions.entry(name).or_default().push(version);
            }
        }
        let twice = versions.iter().filter(|(_, versions)| versions.len() > 1);
        complaints.extend(twice.map(|(name, versions)| format!("{name} in versions {versions:?}")));
        // What is excused and not there any more.
        let is_there = |name: &str| packages.iter().any(|package| package.name == name);
        let stale = self.exceptions.keys().filter(|name| !is_there(name));
        complaints.extend(stale.map(|name| format!("no {name} needs an exception")));
        for skip in &self.skipped {
            if !packages.iter().any(|package| is_skipped(skip, package)) {
                complaints.push(format!("no {} {} is there to be skipped", skip.0, skip.1));
            }
        }
        complaints
    }
}

fn is_among(asked: &spdx::LicenseReq, allowed: &[&String]) -> bool {
    // With the exception of LLVM less is asked for, not more.
    let id = asked.license.id();
    id.is_some_and(|id| allowed.iter().any(|name| *name == id.name))
}

fn is_skipped((name, version): &(String, String), package: &Package) -> bool {
    let rest = package.version.strip_prefix(version.as_str());
    *name == package.name && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[test]
fn dependencies_keep_to_deny_toml() {
    let complaints = Policy::read().complaints(&packages());
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_kind_of_violation_is_found() {
    let (policy, packages) = (Policy::read(), packages());
    let with = |change: &dyn Fn(&mut Package)| {
        let mut packages = packages.clone();
        let one = packages.iter().position(|package| package.name == "wgpu").unwrap();
        change(&mut packages[one]);
        policy.complaints(&packages).join("\n")
    };
    for (change, words) in [
        (
            &(|p: &mut Package| p.license = "GPL-3.0".into()) as &dyn Fn(&mut Package),
            "licence GPL-3.0",
        ),
        (&|p| p.license = "MIT AND MPL-2.0".into(), "licence MIT AND MPL-2.0"),
        (&|p| p.license.clear(), "wgpu"),
        (&|p| p.source = Some("git+https://example.org/wgpu".into()), "comes from git+"),
        (&|p| p.source = Some("registry+https://example.org".into()), "comes from registry+"),
        (&|p| p.name = "log".into(), "log in versions"),
        (&|p| (p.source, p.wants) = (None, vec![("log".into(), "*".into())]), "takes any log"),
    ] {
        let told = with(change);
        assert_eq!((told.lines().count(), told.contains(words)), (1, true), "{told}");
    }
    let without = |name: &str| {
        let rest: Vec<_> = packages.iter().filter(|one| one.name != name).cloned().collect();
        policy.complaints(&rest).join("\n")
    };
    assert!(without("option-ext").contains("no option-ext needs an exception"));
    assert!(without("ring").is_empty());
    assert!(without("windows-sys").contains("no windows-sys 0.52 is there"));
}

/// docs/library.md says how many crates stand behind the program, and behind the library alone.
#[test]
fn the_guide_states_the_number_of_crates() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/library.md");
    let guide = fs::read_to_string(guide).unwrap();
    let count = |more: &[&str]| {
        let linux = ["tree", "-e", "normal", "--target", "x86_64-unknown-linux-gnu"];
        let lines = cargo(&[&linux[..], &["--prefix", "none", "--format", "{p}"], more].concat());
        let lines = lines.lines().map(|line| line.trim_end_matches(" (*)"));
        // Without this very one.
        lines.collect::<BTreeSet<_>>().len() - 1
    };
    let said = format!(
        "depends on {} crates on Linux, the library alone on {},",
        count(&[]),
        count(&["--no-default-features"])
    );
    let text = guide.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(&said), "docs/library.md should say: {said}");
}

/// The documentation that is a Markdown file.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["", "docs", "examples", "tests/golden"].map(|folder| root.join(folder));
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect()
}

/// A page without its blocks of code.
fn prose(page: &str) -> String {
    let (mut text, mut code) = (String::new(), false);
    for line in page.lines() {
        let fence = line.starts_with("```");
        code ^= fence;
        if !code && !fence {
            text += line;
            text.push('\n');
        }
    }
    text
}

/// What links call the headings of a page, as GitHub does.
fn anchors(page: &str) -> BTreeSet<String> {
    let page = prose(page);
    let headings = page.lines().filter_map(|line| line.strip_prefix('#'));
    let anchor = |heading: &str| {
        let name = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        name.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
    };
    headings.map(anchor).collect()
}

/// The links of a page in this folder that lead nowhere on this disk.
fn broken_links(folder: &Path, page: &str) -> Vec<String> {
    let text = prose(page);
    let after = |start: &'static str, end: char| {
        text.split(start).skip(1).map(move |rest| rest.split(end).next().unwrap_or_default())
    };
    let links = after("](", ')').chain(after("src=\"", '"'));
    let leads_somewhere = |link: &&str| {
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        let file = folder.join(path);
        let there = || match path {
            "" => page.to_owned(),
            _ => fs::read_to_string(&file).unwrap_or_default(),
        };
        link.contains("://")
            || file.exists() && (anchor.is_empty() || anchors(&there()).contains(anchor))
    };
    links.filter(|link| !leads_somewhere(link)).map(str::to_owned).collect()
}

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    let named = |name: &str| pages.iter().any(|page| page.ends_with(name));
    assert!(named("README.md") && named("docs/guide.md"), "{pages:?}");
    for page in pages {
        let broken = broken_links(page.parent().unwrap(), &fs::read_to_string(&page).unwrap());
        assert!(broken.is_empty(), "{}: {broken:?}", page.display());
    }
}

#[test]
fn broken_links_are_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = "# One, `two`\n[a](README.md#limits) [b](docs) [c](https://example.org/x) [d](#one-two)\n\
                ```\n# no heading\n[e](nothing)\n```\n<img src=\"docs/report.png\">";
    assert_eq!(broken_links(root, page), [""; 0]);
    for broken in ["README", "docs/x.md", "README.md#nothing", "#no-heading", "docs#limits"] {
        assert_eq!(broken_links(root, &format!("{page} [f]({broken})")), [broken]);
    }
    assert_eq!(broken_links(root, "<img src=\"none.png\">"), ["none.png"]);
}

#[test]
fn what_shall_be_short_is() {
    for (name, most) in [("README.md", 200), ("ARCHITECTURE.md", 250)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let lines = fs::read_to_string(path).unwrap().lines().count();
        assert!(lines < most, "{name} has {lines} lines; docs/ has room for {most} and more");
    }
}
