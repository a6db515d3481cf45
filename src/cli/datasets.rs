//! `dm-wgpu datasets`: lists the data sets with names, and which of them are on this machine.

use std::path::{Path, PathBuf};

use dm_wgpu::data::{KNOWN, Known, Sources};
use serde_json::{Value, json};

use super::{args::DatasetsArgs, failure::Failure, say};

pub fn list(args: &DatasetsArgs) -> Result<u8, Failure> {
    if let Some(folder) = args.data_dir.as_deref().filter(|folder| !folder.is_dir()) {
        let folder = folder.display();
        return Err(Failure::Usage(format!("--data-dir {folder}: there is no such folder")));
    }
    let sources = Sources::default().data_dir(args.data_dir.clone());
    // Even without a place to look in, the list is printed.
    let folder = sources.folder().ok();
    let mut sets = Vec::new();
    for known in &KNOWN {
        let path = if folder.is_some() { known.on_disk(&sources)? } else { None };
        sets.push((known, path));
    }
    let said = match args.json {
        true => {
            let objects = sets.iter().map(|(known, path)| object(known, path.as_deref()));
            say::json(&Value::from_iter(objects).to_string())
        }
        false => say::out(&for_people(&sets, folder.as_deref(), sources.downloads())),
    };
    said.map(|()| 0).map_err(|error| Failure::Failed(format!("stdout: {error}")))
}

/// The table, the places of the sets, and their sources.
fn for_people(
    sets: &[(&Known, Option<PathBuf>)],
    folder: Option<&Path>,
    downloads: bool,
) -> String {
    let head = ["NAME", "IMAGES", "CLASSES", "SIZE", "DOWNLOAD", "ON DISK", "LICENCE"];
    let mut rows = vec![head.map(String::from)];
    rows.extend(sets.iter().map(|(known, path)| row(known, path.as_deref())));
    let mut parts = vec![aligned(&rows)];
    let here: Vec<_> = sets
        .iter()
        .filter_map(|(known, path)| {
            let path = path.as_ref()?;
            let some = match known.classes_at(path) {
                here if here < known.classes => format!(" ({here} of {} classes)", known.classes),
                _ => String::new(),
            };
            Some([known.name.to_owned(), format!("{}{some}", path.display())])
        })
        .collect();
    if !here.is_empty() {
        parts.push(format!("On disk:\n{}", indented(&aligned(&here))));
    }
    let sources: Vec<_> =
        sets.iter().map(|(known, _)| [known.name.to_owned(), known.source.to_owned()]).collect();
    parts.push(format!("Source:\n{}", indented(&aligned(&sources))));
    let downloading = match downloads {
        true => "Missing data sets are downloaded there when --dataset names them.",
        false => "Without --data-dir and DM_WGPU_DATA, missing ones are downloaded to the cache.",
    };
    parts.push(match folder {
        Some(folder) => format!("Looked for in {}.\n{downloading}", folder.display()),
        None => "Looked for nowhere: there is no home folder. Name a folder of data sets with\n\
                 --data-dir or DM_WGPU_DATA, or one for downloads with XDG_CACHE_HOME."
            .to_owned(),
    });
    parts.join("\n\n")
}

fn row(known: &Known, path: Option<&Path>) -> [String; 7] {
    let Known { name, train, test, classes, channels, size, licence, .. } = known;
    let download = if known.has_files() { megabytes(known.download()) } else { "none".into() };
    let on_disk = match path {
        None if known.has_files() => "no",
        None => "-",
        Some(path) if known.classes_at(path) < *classes => "in part",
        Some(_) => "yes",
    };
    [
        name.to_string(),
        format!("{train}+{test}"),
        classes.to_string(),
        format!("{channels}×{size}×{size}"),
        download,
        on_disk.into(),
        licence.to_string(),
    ]
}

/// As the publishers' pages have it.
fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

/// Columns as wide as they must be, two blanks between them.
fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let lines = rows.iter().map(|row| {
        let cells = (0..N).map(|k| format!("{:1$}", row[k], width(k).unwrap_or(0)));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn indented(lines: &str) -> String {
    format!("  {}", lines.replace('\n', "\n  "))
}

fn object(known: &Known, path: Option<&Path>) -> Value {
    json!({
        "name": known.name,
        "title": known.title,
        "train": known.train,
        "test": known.test,
        "classes": known.classes,
        "channels": known.channels,
        "size": known.size,
        "mean": decimals(known.mean),
        "std": decimals(known.std),
        "flip": known.flip,
        "licence": known.licence,
        "source": known.source,
        "needs_files": known.has_files(),
        "download_bytes": known.download(),
        "classes_on_disk": path.map(|path| known.classes_at(path)),
        "path": path.map(|path| path.to_string_lossy()),
    })
}

/// As papers write them: 0.1307 rather than the digits of the nearest f32.
fn decimals(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| (f64::from(*value) * 1e6).round() / 1e6).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_fits_a_terminal() {
        let path =
            |known: &Known| known.has_files().then(|| PathBuf::from("/data").join(known.name));
        let sets: Vec<_> = KNOWN.iter().map(|known| (known, path(known))).collect();
        let text = for_people(&sets, Some(Path::new("/data")), false);
        let homeless = for_people(&sets, None, false);
        for word in ["--data-dir", "DM_WGPU_DATA", "XDG_CACHE_HOME"] {
            assert!(homeless.contains(word), "{homeless}");
        }
        for line in text.lines().chain(homeless.lines()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
        for known in &KNOWN {
            let of = |line: &&str| line.trim().starts_with(&format!("{} ", known.name));
            assert!(text.lines().filter(of).count() >= 2, "{}: {text}", known.name);
        }
        assert!(text.contains("\n  mnist          /data/mnist\n"), "{text}");
        assert!(
            !for_people(&[(&KNOWN[0], None)], Some(Path::new("/data")), true).contains("On disk:")
        );
    }

    #[test]
    fn json_has_the_same_facts() {
        let object = object(Known::of("svhn").unwrap(), Some(Path::new("/data/svhn")));
        assert_eq!(object["path"], "/data/svhn");
        assert_eq!(object["mean"].to_string(), "[0.4377,0.4438,0.4728]");
        assert_eq!((&object["train"], &object["flip"]), (&json!(73_257), &json!(false)));
        assert_eq!(object["download_bytes"], 246_316_178);
    }
}
