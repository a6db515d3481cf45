//! `dm-wgpu export`: a set for other programs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use dm_wgpu::{
    SyntheticSet, export, import,
    project::{check_set, files::SET, load, report_of, words::counted},
};

use super::{
    args::{ExportArgs, Format},
    console::Console,
    dataset::{NAMES, name_of},
    failure::Failure,
    say,
    screen::Screen,
};

pub fn run(args: &ExportArgs, console: Console) -> Result<u8, Failure> {
    let format = match (args.format, &args.out) {
        (Some(format), _) => format,
        (None, Some(out)) => Format::of_path(out).ok_or_else(|| {
            let names = Format::ALL.map(Format::name).join(", ");
            let out = out.display();
            Failure::Usage(format!("--out {out} does not tell the format: add --format {names}"))
        })?,
        (None, None) => {
            let names = Format::ALL.map(Format::name).join(", ");
            return Err(Failure::Usage(format!(
                "the format is missing: add --format {names}, or --out with one of these endings"
            )));
        }
    };
    if let (Some(given), Some(out)) = (args.format, &args.out)
        && let Some(other) = Format::of_path(out).filter(|&other| other != given)
    {
        return Err(Failure::Usage(format!(
            "--format {}: --out {} has the ending of {}; leave --format out, or change the ending",
            given.name(),
            out.display(),
            other.name()
        )));
    }
    let paths = runs_of(&args.path).unwrap_or_else(|| vec![args.path.clone()]);
    if paths.len() > 1 && format != Format::Pt {
        return Err(Failure::Usage(format!(
            "--format {}: {} holds {} runs, and only pt can hold several; name one of them, e.g. {}",
            format.name(),
            args.path.display(),
            paths.len(),
            paths[0].display()
        )));
    }
    let out = args.out.clone().unwrap_or_else(|| beside(&args.path, format));
    if args.out.is_none() && format == Format::Safetensors && out.exists() {
        return Err(Failure::Usage(format!(
            "{} is the set itself; for a copy, name another file with --out",
            out.display()
        )));
    }
    // This is checked before the work rather than after it. A file that appears in between is not replaced either.
    check_new(&out, format)?;
    let sets =
        paths.iter().map(|path| read(path, args, &console)).collect::<Result<Vec<_>, _>>()?;
    let decodes = args.decoded || matches!(format, Format::Pt | Format::Png);
    let sets: Vec<_> = match decodes {
        true => sets.into_iter().map(SyntheticSet::decoded).collect::<Result<_, _>>()?,
        false => sets,
    };
    let Some(set) = sets.first() else { return Err(Failure::Failed("there is no run".into())) };
    let mut notes = match set.factor {
        1 => String::new(),
        factor => {
            format!("; each has {factor}×{factor} images packed into it; --decoded writes those")
        }
    };
    if set.course.is_some() && format != Format::Safetensors {
        notes += "; their order and rates are left out, without which they teach little: safetensors keeps them";
    }
    match format {
        Format::Npz => export::npz(set, &out)?,
        Format::Safetensors => export::safetensors(set, &out)?,
        Format::Pt => export::torch(&sets, &accuracies(&paths), &out)?,
        Format::Png => {
            let clamped = export::image_folder(set, &out)?;
            if clamped > 0 {
                let share = 100.0 * clamped as f64 / set.images.len() as f64;
                notes +=
                    &format!("; {share:.2} % of their values were outside 0…1 and are clamped");
            }
        }
    }
    if !console.quiet() {
        let images = counted(sets.iter().map(|set| set.labels.len()).sum(), "image");
        let runs = if sets.len() > 1 { format!(" of {} runs", sets.len()) } else { String::new() };
        say::out(&format!("{images}{runs} in {}{notes}", out.display()))
            .map_err(|error| Failure::Failed(format!("stdout: {error}")))?;
    }
    Ok(0)
}

/// The runs in a folder of several with different seeds, `seed0`, `seed1` …; none if it is no such folder.
fn runs_of(folder: &Path) -> Option<Vec<PathBuf>> {
    if folder.join(SET).exists() {
        return None;
    }
    let seeded = |path: PathBuf| {
        let seed: u64 = path.file_name()?.to_str()?.strip_prefix("seed")?.parse().ok()?;
        path.join(SET).is_file().then_some((seed, path))
    };
    let entries = fs::read_dir(folder).ok()?;
    let mut runs: Vec<_> = entries.flatten().filter_map(|entry| seeded(entry.path())).collect();
    runs.sort();
    (!runs.is_empty()).then(|| runs.into_iter().map(|(_, path)| path).collect())
}

/// Where an export goes without `--out`: into the run's folder, or beside the file or pictures.
fn beside(path: &Path, format: Format) -> PathBuf {
    let is_run = path.join(SET).exists() || runs_of(path).is_some();
    let whole = if is_run { path.join("synthetic") } else { path.to_path_buf() };
    match (format, path.is_dir() && !is_run) {
        (Format::Png, _) => {
            let stem = whole.file_stem().unwrap_or_default().to_string_lossy();
            whole.with_file_name(format!("{stem}-png"))
        }
        // A dot in a folder's name does not begin an ending.
        (_, true) => {
            let name = whole.file_name().unwrap_or_default().to_string_lossy();
            whole.with_file_name(format!("{name}.{}", format.name()))
        }
        (_, false) => whole.with_extension(format.name()),
    }
}

fn check_new(out: &Path, format: Format) -> Result<(), Failure> {
    let empty = |path: &Path| fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    if fs::symlink_metadata(out).is_ok() && !(format == Format::Png && empty(out)) {
        return Err(Failure::Usage(format!(
            "{} exists already; name another with --out, nothing is overwritten",
            out.display()
        )));
    }
    Ok(())
}

/// A set. If it does not name its data set, the user must.
fn read(path: &Path, args: &ExportArgs, console: &Console) -> Result<SyntheticSet, Failure> {
    check_set(path)?;
    let found = import::read(path).map_err(Failure::of_data)?;
    if let Some(set) = found.own_set() {
        return match args.given.get::<String>("dataset") {
            Some(asked) if name_of(&asked) != name_of(&set.dataset) => {
                Err(Failure::Usage(format!(
                    "--dataset {asked}: {} was made from {}; leave --dataset out",
                    path.display(),
                    set.dataset
                )))
            }
            _ => Ok(set.clone()),
        };
    }
    if args.given.origin("dataset").is_none() {
        return Err(Failure::Usage(format!(
            "{} does not say from which data set it was made, nor how it is normalised: add \
             --dataset {}",
            path.display(),
            NAMES.join(" or ")
        )));
    }
    let dataset = load(&args.given.data(args.given.dataset()), &mut Screen::new(*console))?;
    found.into_set(&dataset).map_err(Failure::of_data)
}

/// The runs' accuracies, as a share of 1, by the network's name in the benchmarks.
fn accuracies(paths: &[PathBuf]) -> Vec<(String, Vec<f64>)> {
    let mut models: Vec<(String, Vec<f64>)> = Vec::new();
    for path in paths {
        let report = report_of(path);
        let evaluation = &report["evaluation"];
        let (Some(width), Some(depth), Some(runs)) = (
            evaluation["width"].as_u64(),
            evaluation["depth"].as_u64(),
            report["accuracy"]["runs"].as_array(),
        ) else {
            continue;
        };
        let name = model(width, depth);
        let shares = runs.iter().filter_map(|percent| Some(percent.as_f64()? / 100.0));
        match models.iter_mut().find(|(model, _)| *model == name) {
            Some((_, all)) => all.extend(shares),
            None => models.push((name, shares.collect())),
        }
    }
    models
}

/// `ConvNet` has 128 channels and 3 blocks; what differs is in the name.
fn model(width: u64, depth: u64) -> String {
    let depth = if depth == 3 { String::new() } else { format!("D{depth}") };
    let width = if width == 128 { String::new() } else { format!("W{width}") };
    format!("ConvNet{depth}{width}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_lie_beside_what_they_are_of() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        for folder in ["run", "runs/seed10", "runs/seed9", "runs/other", "pictures.v1"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        for run in ["run", "runs/seed10", "runs/seed9", "runs/other"] {
            fs::write(at(run).join("synthetic.safetensors"), "").unwrap();
        }
        assert_eq!(runs_of(&at("runs")).unwrap(), [at("runs/seed9"), at("runs/seed10")]);
        assert!(runs_of(&at("run")).is_none() && runs_of(&at("pictures.v1")).is_none());
        for (path, format, expected) in [
            ("run", Format::Pt, "run/synthetic.pt"),
            ("run", Format::Png, "run/synthetic-png"),
            ("runs", Format::Pt, "runs/synthetic.pt"),
            ("set.npz", Format::Safetensors, "set.safetensors"),
            ("set.npz", Format::Png, "set-png"),
            ("pictures.v1", Format::Npz, "pictures.v1.npz"),
        ] {
            assert_eq!(beside(&at(path), format), at(expected));
        }
    }

    #[test]
    fn formats_follow_from_endings() {
        assert_eq!(Format::of_path(Path::new("a/x.PT")), Some(Format::Pt));
        for name in ["x", "x.txt", "x.png"] {
            assert_eq!(Format::of_path(Path::new(name)), None, "{name}");
        }
    }

    #[test]
    fn networks_have_the_names_of_the_benchmarks() {
        assert_eq!(model(128, 3), "ConvNet");
        assert_eq!(model(32, 3), "ConvNetW32");
        assert_eq!(model(128, 4), "ConvNetD4");
    }
}
