//! Values of flags that are more than a number: sizes in bytes, learning rates, augmentations.

use dm_wgpu::{Error, augment::Strategy};

/// `512MiB`, `1.5GiB`, `2GB` or plain bytes.
pub fn memory(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 8] = [
        ("", 1),
        ("b", 1),
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
    ];
    let wrong = || "write it as 256MiB, 1GiB or a number of bytes".to_owned();
    let text = text.trim();
    let number_ends = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(number_ends);
    let unit = unit.trim().to_ascii_lowercase();
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
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

/// A learning rate: above 0, and a number.
pub fn positive(text: &str) -> Result<f32, String> {
    match text.trim().parse::<f32>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("a positive number is needed".into()),
    }
}

/// Names of augmentations, in the library's own words where one is wrong.
pub fn strategy(text: &str) -> Result<Strategy, String> {
    text.parse().map_err(|error| match error {
        // clap says the rest: which flag, and what was given.
        Error::Setting { expected, .. } => expected,
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
