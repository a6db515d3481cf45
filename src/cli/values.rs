//! Values of flags, and our own words for those that are wrong: clap adds which flag, and what was
//! given.

use std::{ops::RangeInclusive, time::Duration};

use dm_wgpu::{Architecture, Error, augment::Strategy};

/// A whole number within a range, so that nonsense is found before any work begins.
pub fn whole<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let number = text.trim().parse().ok().filter(|number| range.contains(number));
        number.and_then(|number: u64| T::try_from(number).ok()).ok_or_else(|| {
            format!("a whole number from {} to {} is needed", range.start(), range.end())
        })
    }
}

/// From 1.
pub fn count<T: TryFrom<u64>>(most: u64) -> impl Fn(&str) -> Result<T, String> + Clone {
    whole(1..=most)
}

/// Of a run or an evaluation. TOML, which `run.toml` is in, has no larger integers.
pub fn seed(text: &str) -> Result<u64, String> {
    whole(0..=i64::MAX as u64)(text)
}

/// The largest first.
const UNITS: [(&str, u64); 8] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
    ("", 1),
];

/// `512MiB`, `1.5GiB`, `2GB` or plain bytes.
pub fn memory(text: &str) -> Result<u64, String> {
    let wrong = || "write it as 256MiB, 1GiB or a number of bytes".to_owned();
    let text = text.trim();
    let number_ends = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(number_ends);
    let unit = unit.trim();
    let (_, factor) =
        UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(wrong)?;
    let bytes = match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(*factor),
        // A part of a byte is nobody's wish, a part of a GiB is.
        Err(_) if *factor > 1 => {
            let bytes = number.parse::<f64>().map_err(|_| wrong())? * *factor as f64;
            (bytes < u64::MAX as f64).then_some(bytes as u64)
        }
        Err(_) => return Err(wrong()),
    };
    match bytes {
        Some(0) => Err("nothing can be done without memory".into()),
        // What is stored of a run knows no larger number.
        Some(bytes) if bytes <= i64::MAX as u64 => Ok(bytes),
        _ => Err("no machine has as much".into()),
    }
}

/// A size as [`memory`] reads it: exact in the largest unit that divides it, else rounded.
pub fn memory_text(bytes: u64) -> String {
    let whole =
        UNITS.iter().find(|(_, unit)| *unit > 1 && bytes > 0 && bytes.is_multiple_of(*unit));
    let rounded = ["GiB", "MiB", "KiB"].into_iter().zip([30, 20, 10]);
    match whole {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => match rounded.into_iter().find(|(_, shift)| bytes >> shift >= 10) {
            Some((name, shift)) => format!("{:.1}{name}", bytes as f64 / (1u64 << shift) as f64),
            None => format!("{bytes}B"),
        },
    }
}

/// The same without rounding, as [`memory`] takes it.
pub fn memory_exactly(bytes: u64) -> String {
    Some(memory_text(bytes))
        .filter(|text| memory(text) == Ok(bytes))
        .unwrap_or_else(|| bytes.to_string())
}

/// A part of something, which is not all of it.
pub fn part(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(part) if (0.0..1.0).contains(&part) => Ok(part),
        _ => Err("a number from 0 to below 1 is needed, e.g. 0.2".into()),
    }
}

/// A learning rate: above 0, and a number.
pub fn positive(text: &str) -> Result<f32, String> {
    match text.trim().parse::<f32>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("a number above 0 is needed".into()),
    }
}

/// A time from 0 on.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.trim().parse().ok().and_then(|text| Duration::try_from_secs_f64(text).ok());
    seconds.ok_or_else(|| "a number of seconds is needed, or 0".into())
}

/// A kind of network, in the library's own words where it is not one.
pub fn architecture(text: &str) -> Result<Architecture, String> {
    text.parse().map_err(|error| match error {
        Error::Setting { expected, .. } => expected,
        other => other.to_string(),
    })
}

/// Kinds of network, joined by comma; `all` and `bn` for those of the published tables.
pub fn architectures(text: &str) -> Result<Architectures, String> {
    let kinds = match text {
        "all" => Architecture::PUBLISHED.to_vec(),
        "bn" => Architecture::BATCH_NORM.to_vec(),
        list => list.split(',').map(architecture).collect::<Result<_, _>>()?,
    };
    match kinds.iter().enumerate().find(|(i, kind)| kinds[..*i].contains(kind)) {
        Some((_, kind)) => Err(format!("{kind} is named twice")),
        None => Ok(Architectures(kinds)),
    }
}

/// Some kinds of network, at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct Architectures(pub Vec<Architecture>);

/// Names of augmentations, in the library's own words where one is wrong.
pub fn strategy(text: &str) -> Result<Strategy, String> {
    text.parse().map_err(|error| match error {
        Error::Setting { expected, .. } => expected,
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_is_repeated_is_exact() {
        for (bytes, text) in
            [(512 << 20, "512MiB"), ((1 << 30) + 1, "1073741825"), (10_001, "10001B")]
        {
            assert_eq!(memory_exactly(bytes), text);
            assert_eq!(memory(text), Ok(bytes));
        }
    }

    #[test]
    fn times() {
        assert_eq!(seconds("0"), Ok(Duration::ZERO));
        assert_eq!(seconds(" 1.5 "), Ok(Duration::from_millis(1500)));
        for text in ["-1", "", "soon", "NaN", "inf", "1e99"] {
            let message = seconds(text).unwrap_err();
            assert_eq!(message, "a number of seconds is needed, or 0", "{text}");
        }
    }

    #[test]
    fn whole_numbers_are_read_or_refused() {
        assert_eq!(count::<usize>(5)("5"), Ok(5));
        assert_eq!(whole::<u32>(0..=9)(" 0 "), Ok(0));
        assert_eq!(seed("9223372036854775807"), Ok(i64::MAX as u64));
        for text in ["0", "6", "-1", "1.5", "ten", "", "99999999999999999999", "٣"] {
            let message = count::<usize>(5)(text).unwrap_err();
            assert_eq!(message, "a whole number from 1 to 5 is needed", "{text}");
        }
        assert!(whole::<u8>(0..=300)("300").is_err(), "more than the type holds");
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("1", 1),
            ("268435456", 256 << 20),
            ("256MiB", 256 << 20),
            ("256 mib", 256 << 20),
            ("1GiB", 1 << 30),
            ("1.5GiB", 3 << 29),
            ("2gb", 2_000_000_000),
            ("64KiB", 64 << 10),
            ("9b", 9),
        ] {
            assert_eq!(memory(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "GiB",
            "-1",
            "1.5",
            "1..5GiB",
            "0",
            "0GiB",
            "1TiBs",
            "1 GiB 2",
            "nan",
            "inf",
            "1e9",
            "99999999999999999999",
            "99999999999GiB",
            "1.5e300GiB",
            "٣MiB",
            ".MiB",
        ] {
            assert!(memory(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_said_as_they_are_typed() {
        for (bytes, text) in [
            (0, "0B"),
            (3, "3B"),
            (1536, "1536B"),
            (3 << 29, "1536MiB"),
            (512 << 20, "512MiB"),
            (2_000_000_000, "2GB"),
            ((2 << 30) - 4, "2048.0MiB"),
            ((20 << 30) - 4, "20.0GiB"),
        ] {
            assert_eq!(memory_text(bytes), text);
            if bytes > 0 && !text.contains('.') {
                assert_eq!(memory(text), Ok(bytes), "{text}");
            }
        }
    }

    #[test]
    fn parts() {
        assert_eq!((part("0.25"), part("0")), (Ok(0.25), Ok(0.0)));
        for text in ["1", "-0.1", "20%", "nan", ""] {
            assert!(part(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates() {
        assert_eq!(positive("0.5"), Ok(0.5));
        assert_eq!(positive("1e-3"), Ok(1e-3));
        for text in ["0", "-1", "nan", "inf", "1e-60", "1e60", "", "one"] {
            assert!(positive(text).is_err(), "{text}");
        }
    }

    #[test]
    fn strategies() {
        assert_eq!(strategy("none"), Ok(Strategy::none()));
        assert_eq!(strategy("crop,color"), strategy("color_crop"));
        let message = strategy("color,swirl").unwrap_err();
        assert!(message.contains("\"swirl\"") && message.contains("cutout"), "{message}");
        assert!(!message.contains("augment ="), "{message}");
        assert!(strategy("").is_err());
    }
}
