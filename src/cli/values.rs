//! Parses values of flags. The errors say what is possible; clap adds the flag and the value.

use std::{ops::RangeInclusive, time::Duration};

use dm_wgpu::{Architecture, Error, augment::Strategy, data::Classes};

pub use dm_wgpu::project::words::memory;

/// A whole number within a range, so that impossible values are found before any work begins.
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

/// A whole number within a range, or several joined by comma.
pub fn counts(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<Vec<i64>, String> + Clone {
    let one = whole(range);
    move |text| match text.contains(',') {
        false => one(text).map(|number| vec![number]),
        true => text
            .split(',')
            .map(&one)
            .collect::<Result<_, _>>()
            .map_err(|why| format!("{why}, or one for each class, joined by comma")),
    }
}

/// From 1.
pub fn count<T: TryFrom<u64>>(most: u64) -> impl Fn(&str) -> Result<T, String> + Clone {
    whole(1..=most)
}

/// A part of a whole: from 0 to below 1.
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

/// A weight: from 0 on, and a number.
pub fn not_negative(text: &str) -> Result<f32, String> {
    match text.trim().parse::<f32>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err("a number from 0 on is needed".into()),
    }
}

/// A time from 0 on.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.trim().parse().ok().and_then(|text| Duration::try_from_secs_f64(text).ok());
    seconds.ok_or_else(|| "a number of seconds is needed, or 0".into())
}

/// Numbers of classes.
pub fn classes(text: &str) -> Result<Classes, String> {
    text.parse().map_err(in_own_words)
}

/// What a setting may be, without its name.
pub fn in_own_words(error: Error) -> String {
    match error {
        Error::Setting { expected, .. } => expected.to_string(),
        other => other.to_string(),
    }
}

/// A kind of network, in the library's own words where it is not one.
pub fn architecture(text: &str) -> Result<Architecture, String> {
    text.parse().map_err(in_own_words)
}

/// Kinds of network, joined by comma; `all` and `bn` for those of the published tables.
pub fn architectures(text: &str) -> Result<Vec<Architecture>, String> {
    let kinds = match text {
        "all" => Architecture::PUBLISHED.to_vec(),
        "bn" => Architecture::BATCH_NORM.to_vec(),
        list => split(list).into_iter().map(architecture).collect::<Result<_, _>>()?,
    };
    match kinds.iter().enumerate().find(|(i, kind)| kinds[..*i].contains(kind)) {
        Some((_, kind)) => Err(format!("{} is named twice", kind.label())),
        None => Ok(kinds),
    }
}

/// Splits at commas, except those within the layers of a network.
fn split(list: &str) -> Vec<&str> {
    let (mut depth, mut parts, mut first) = (0usize, Vec::new(), 0);
    for (at, c) in list.char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&list[first..at]);
                first = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[first..]);
    parts
}

/// Names of augmentations, in the library's own words where one is wrong.
pub fn strategy(text: &str) -> Result<Strategy, String> {
    text.parse().map_err(|error| match error {
        Error::Setting { expected, .. } => expected.to_string(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(whole(0..=i64::MAX as u64)("9223372036854775807"), Ok(i64::MAX as u64));
        for text in ["0", "6", "-1", "1.5", "ten", "", "99999999999999999999", "٣"] {
            let message = count::<usize>(5)(text).unwrap_err();
            assert_eq!(message, "a whole number from 1 to 5 is needed", "{text}");
        }
        assert!(whole::<u8>(0..=300)("300").is_err(), "more than the type holds");
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
