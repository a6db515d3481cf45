//! Every way to store a JPEG, held against what libjpeg makes of it.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::Path,
    process::{Command, Stdio},
};

use super::*;

/// How far a value may be from libjpeg's. Both transforms round each component to within 1 of the exact value,
/// and finer components are made of coarser ones by sums that round by up to 1 more; blue then is luma plus
/// 1.772 times the second component. 1 + 1.772 × 2, rounded, is more than was ever seen, which is 4.
const NEAR: u8 = 4;

/// What is made of a file as RGB, or as grey.
fn decoded(bytes: &[u8]) -> Result<(u32, u32, Vec<u8>), String> {
    let (width, height, coloured) = survey(bytes)?;
    let (picture, _) = decode(bytes, (width, height))?;
    assert_eq!(picture.color().has_color(), coloured);
    assert_eq!((picture.width(), picture.height()), (width, height));
    Ok((width, height, picture.into_bytes()))
}

/// Width, height and values of a PGM or PPM.
fn netpbm(bytes: &[u8]) -> (u32, u32, &[u8]) {
    let mut fields = bytes.splitn(4, u8::is_ascii_whitespace).skip(1);
    let mut number = || str::from_utf8(fields.next().unwrap()).unwrap().parse().unwrap();
    let (width, height) = (number(), number());
    (width, height, fields.next().unwrap().strip_prefix(b"255\n").unwrap())
}

/// The largest difference between what is made of a JPEG and the pixels that are right.
fn difference(jpeg: &[u8], right: &[u8]) -> Result<u8, String> {
    let (width, height, pixels) = decoded(jpeg)?;
    let (right_width, right_height, right) = netpbm(right);
    assert_eq!((width, height, pixels.len()), (right_width, right_height, right.len()));
    Ok(pixels.iter().zip(right).map(|(a, b)| a.abs_diff(*b)).max().unwrap())
}

/// Small files by folder and name. `pixels.ppm` is what djpeg of libjpeg-turbo 2.1.5 makes of each of its folder.
/// They are from its cjpeg, with the options of [`encodings`]; those of four inks, and those in RGB that only
/// Adobe's marker says, from a few lines on the library, as cjpeg writes none.
fn kept() -> BTreeMap<String, BTreeMap<String, Vec<u8>>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/jpegs.zip");
    let mut archive = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
    let mut folders = BTreeMap::<_, BTreeMap<_, _>>::new();
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let name = file.name().unwrap();
        let (folder, name) = name.split_once('/').unwrap();
        folders.entry(folder.to_owned()).or_default().insert(name.to_owned(), bytes);
    }
    folders
}

/// All but those to be refused, with the pixels that are right.
fn readable() -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let mut files = Vec::new();
    for (folder, mut all) in kept() {
        if let Some(pixels) = all.remove("pixels.ppm") {
            let named = |(name, jpeg)| (format!("{folder}/{name}"), jpeg, pixels.clone());
            files.extend(all.into_iter().map(named));
        }
    }
    files
}

#[test]
fn every_kind_of_jpeg_decodes_as_by_libjpeg() {
    let files = readable();
    assert_eq!(files.len(), 98);
    for (name, jpeg, right) in files {
        let difference = difference(&jpeg, &right);
        assert!(difference.as_ref().is_ok_and(|d| *d <= NEAR), "{name}: {difference:?}");
    }
}

#[test]
fn unsupported_jpegs_are_named() {
    let refused = kept().remove("refused").unwrap();
    assert_eq!(refused.len(), 2);
    for jpeg in refused.values() {
        let message = decoded(jpeg).unwrap_err();
        assert!(message.contains("arithmetic coding") && message.contains("jpegtran"), "{message}");
    }
    let (_, whole, _) = readable().swap_remove(0);
    let frame = whole.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    for (at, value, word) in [
        (1, 0xc3, "lossless"),
        (1, 0xc5, "hierarchical"),
        (1, 0xcb, "lossless"),
        (4, 12, "more than 8 bits"),
    ] {
        let mut other = whole.clone();
        other[frame + at] = value;
        let message = survey(&other).unwrap_err();
        assert!(message.contains(word) && message.contains("save it again"), "{message}");
    }
}

/// The end of the data, where the last marker is.
fn cut_with_an_end(whole: &[u8], at: usize) -> Vec<u8> {
    // Half a marker would make another one of the end.
    let kept = whole[..at].strip_suffix(&[0xff]).unwrap_or(&whole[..at]);
    [kept, &[0xff, 0xd9]].concat()
}

#[test]
fn a_truncated_jpeg_is_noticed_whatever_its_end() {
    for (name, whole, _) in readable() {
        let first = whole.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap() + 2;
        let first = first + usize::from(whole[first + 1]);
        for part in 0..12 {
            let at = first + (whole.len() - 4 - first) * part / 12;
            assert!(decoded(&whole[..at]).is_err(), "{name} without its end, from {at} on");
            let cut = cut_with_an_end(&whole, at);
            // Between two scans of a progressive one nothing is missing but detail.
            let next = &whole[cut.len() - 2..];
            let between =
                name.contains("progressive") && next[0] == 0xff && matches!(next[1], 0xc4 | 0xda);
            let message = decoded(&cut).map(drop).err();
            assert!(message.is_some() || between, "{name} cut at {at} of {}", whole.len());
        }
        let last = cut_with_an_end(&whole, whole.len() - 4);
        assert!(decoded(&last).is_err(), "{name} without its last bytes");
        // What follows the end is another matter.
        assert!(decoded(&[&whole[..], &[0xff, 0xda, 1, 2]].concat()).is_ok());
    }
}

#[test]
fn a_missing_restart_marker_is_noticed() {
    for (name, whole, _) in readable() {
        let restart = |pair: &[u8]| pair[0] == 0xff && (0xd0..=0xd7).contains(&pair[1]);
        let mut restarts = whole.windows(2).enumerate().filter(|(_, pair)| restart(pair));
        let (Some((first, _)), Some((second, _))) = (restarts.next(), restarts.next()) else {
            assert!(!name.contains("restarts"), "{name}");
            continue;
        };
        let less = [&whole[..first], &whole[second..]].concat();
        assert!(decoded(&less).is_err(), "{name}");
    }
}

/// Options of cjpeg, by what they ask for.
fn encodings() -> Vec<(String, &'static str, Vec<&'static str>)> {
    let samplings = [
        ("4:4:4", "-sample 1x1"),
        ("4:2:2", "-sample 2x1"),
        ("4:2:0", "-sample 2x2"),
        ("4:4:0", "-sample 1x2"),
        ("4:1:1", "-sample 4x1"),
        ("4:1:0", "-sample 4x2"),
        ("finer chroma", "-sample 1x1,2x2,2x2"),
        ("unequal chroma", "-sample 2x2,1x1,2x1"),
        ("thirds", "-sample 3x1"),
        ("RGB", "-rgb"),
        ("grey", "-grayscale"),
    ];
    let orders = [
        ("together", ""),
        ("progressive", "-progressive"),
        ("apart", "-scans 0;1;2;"),
        ("luma first", "-scans 0;1,2;"),
        ("luma last", "-scans 1,2;0;"),
        ("reversed", "-scans 2;1;0;"),
    ];
    let mut all = Vec::new();
    for (sampling, sample) in samplings {
        for (order, scans) in orders {
            if sampling == "grey" && scans.starts_with("-scans") {
                continue;
            }
            for restarts in ["", "-restart 1B", "-restart 3B", "-restart 1"] {
                let options = [sample, scans, restarts].map(str::split_whitespace);
                let name = format!(
                    "{sampling}, {order}{}{restarts}",
                    if restarts.is_empty() { "" } else { ", " }
                );
                all.push((name, sampling, options.into_iter().flatten().collect()));
            }
        }
    }
    all
}

/// Some tool's output for some input.
fn through(tool: &str, options: &[&str], input: &Path) -> Vec<u8> {
    let output = Command::new(tool).args(options).arg(input).stderr(Stdio::inherit()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{tool} {options:?}");
    output.stdout
}

/// A PPM with edges, ramps and some noise.
fn drawing(width: u32, height: u32) -> Vec<u8> {
    let mut noise = 1u32;
    let mut pixels = format!("P6\n{width} {height}\n255\n").into_bytes();
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        noise = noise.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        let noise = (noise >> 16) % 16;
        pixels.extend(
            match (x / 9 + y / 7) % 3 {
                0 => [220, 30 + noise, 40],
                1 => [x * 5 % 256, y * 7 % 256, 120 + noise],
                _ => [20 + noise, 60, 210],
            }
            .map(|value| value as u8),
        );
    }
    pixels
}

/// All of [`encodings`], of pictures whose sides fit their blocks and of others, where libjpeg's own programs are
/// at hand. `--nocapture` shows the table.
#[test]
fn whatever_cjpeg_writes_decodes_as_by_djpeg() {
    let there = |tool: &str| Command::new(tool).arg("-version").output().is_ok();
    if !(there("cjpeg") && there("djpeg")) {
        println!("skipped: cjpeg and djpeg are not installed (libjpeg-turbo-progs on Debian)");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let [drawn, jpeg, scans] =
        ["drawn.ppm", "coded.jpg", "scans"].map(|name| place.path().join(name));
    let mut worst = BTreeMap::<String, u8>::new();
    for (width, height) in [(37, 29), (64, 48), (1, 1), (17, 33), (70, 8)] {
        fs::write(&drawn, drawing(width, height)).unwrap();
        let mut right = BTreeMap::new();
        for (name, sampling, mut options) in encodings() {
            // A script of scans is a file.
            if let Some(at) = options.iter().position(|option| *option == "-scans") {
                fs::write(&scans, options[at + 1]).unwrap();
                options[at + 1] = "";
            }
            let options: Vec<_> = options
                .into_iter()
                .map(|option| if option.is_empty() { scans.to_str().unwrap() } else { option })
                .collect();
            let coded = through("cjpeg", &[&["-quality", "85"], &options[..]].concat(), &drawn);
            // Neither scans nor restarts change a value, so that one answer serves all of a sampling.
            let right = right.entry(sampling).or_insert_with(|| {
                fs::write(&jpeg, &coded).unwrap();
                through("djpeg", &["-pnm"], &jpeg)
            });
            let difference =
                difference(&coded, right).unwrap_or_else(|why| panic!("{name}: {why}"));
            let worst = worst.entry(name).or_default();
            *worst = difference.max(*worst);
        }
    }
    for (name, difference) in &worst {
        println!("{difference:3}  {name}");
    }
    let far: Vec<_> = worst.iter().filter(|(_, difference)| **difference > NEAR).collect();
    assert!(worst.len() == 248 && far.is_empty(), "{} encodings, of which {far:?}", worst.len());
}
