//! Numbers and counts for people, and words quoted for a shell.

use crate::{Architecture, DdInit, EvaluationSettings, PerClass, Protocol, Settings};

/// `1 image`, `10 images`.
pub fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

/// Both protocols, as one types it.
pub const BOTH: &str = "both";

/// In settings as JSON, puts the numbers of all classes, `10,10,5`, in the place of the largest.
pub(super) fn say_numbers(settings: &mut serde_json::Value) {
    let Some(settings) = settings.as_object_mut() else { return };
    if let Some(Ok(numbers)) = settings.remove("per_class").map(serde_json::from_value::<PerClass>)
    {
        settings.insert("ipc".to_owned(), numbers.to_string().into());
    }
}

/// `3 networks of width 128, 300 epochs, DM's protocol`.
pub fn how(settings: &EvaluationSettings) -> String {
    let EvaluationSettings { nets, net, epochs, width, protocol, .. } = settings;
    let protocol = match protocol {
        Protocol::Dm => "DM's protocol",
        Protocol::Idc => "IDC's protocol",
    };
    let (nets, epochs) = (counted(*nets, "network"), counted(*epochs as usize, "epoch"));
    let label = net.label();
    match *net == Architecture::default() {
        true => format!("{nets} of width {width}, {epochs}, {protocol}"),
        false if net.is_convnet() => {
            format!("{nets} ({label}, width {width}), {epochs}, {protocol}")
        }
        false => format!("{nets} ({label}), {epochs}, {protocol}"),
    }
}

/// How networks are trained by the course of a distilled set, whose run had these settings: `in its order at its rates, 3
/// steps; the one network that it was made for, lenet`.
pub fn in_order(settings: &Settings, nets: usize) -> String {
    let Settings { dd_steps, dd_epochs, dd_init, net, width, .. } = settings;
    let steps = dd_steps.unwrap_or(1) as usize * dd_epochs.unwrap_or(1) as usize;
    let of_width = if net.is_convnet() { format!(" of width {width}") } else { String::new() };
    let networks = match dd_init {
        Some(DdInit::Fixed) => "the one network that it was made for".to_owned(),
        _ => counted(nets, "fresh network"),
    };
    let (steps, net) = (counted(steps, "step"), net.label());
    format!("in its order at its rates, {steps}; {networks}, {net}{of_width}")
}

/// What else is to be known of such a set.
pub const ONLY_IN_ORDER: &str = "The images were made for one order of steps and for the learning rate of each: in another \
                                 order, or at one rate as in the ordinary protocol, what they teach falls apart.";

/// `width 128, depth 3`, or the name of another kind.
pub fn network(net: &Architecture, width: usize, depth: usize) -> String {
    let label = net.label();
    match *net == Architecture::default() {
        true => format!("width {width}, depth {depth}"),
        false if net.is_convnet() => format!("net {label}, width {width}, depth {depth}"),
        false => format!("net {label}"),
    }
}

/// Four digits that count.
pub fn number(value: f64) -> String {
    let digits = |decimals: usize| format!("{value:.decimals$}");
    match value.abs() {
        0.0 => "0".into(),
        size if !(1e-3..1e7).contains(&size) => format!("{value:.3e}"),
        size if size >= 1000.0 => digits(0),
        size if size >= 100.0 => digits(1),
        size if size >= 10.0 => digits(2),
        size if size >= 1.0 => digits(3),
        _ => digits(4),
    }
}

/// A word quoted for a shell, always on one line: a line break would end the comment that holds it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=+,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else if word.chars().any(char::is_control) {
        let escape = |c: char| match c {
            '\'' | '\\' => format!("\\{c}"),
            c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
            c => c.to_string(),
        };
        format!("$'{}'", word.chars().map(escape).collect::<String>())
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
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
        // Nobody means a part of a byte, but a part of a GiB is possible.
        Err(_) if *factor > 1 => {
            let bytes = number.parse::<f64>().map_err(|_| wrong())? * *factor as f64;
            (bytes < u64::MAX as f64).then_some(bytes as u64)
        }
        Err(_) => return Err(wrong()),
    };
    match bytes {
        Some(0) => Err("nothing can be done without memory".into()),
        // A run's record cannot store a larger number.
        Some(bytes) if bytes <= i64::MAX as u64 => Ok(bytes),
        _ => Err("no machine has as much".into()),
    }
}

/// A size as [`memory`] reads it: exact in the largest unit that divides it, else rounded up, so that as much as is said
/// to be needed is enough.
pub fn memory_text(bytes: u64) -> String {
    let whole =
        UNITS.iter().find(|(_, unit)| *unit > 1 && bytes > 0 && bytes.is_multiple_of(*unit));
    let rounded = ["GiB", "MiB", "KiB"].into_iter().zip([30, 20, 10]);
    match whole {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => match rounded.into_iter().find(|(_, shift)| bytes >> shift >= 1) {
            Some((name, shift)) => {
                let tenths = (bytes as f64 / (1u64 << shift) as f64 * 10.0).ceil();
                format!("{}{name}", tenths / 10.0)
            }
            None => format!("{bytes}B"),
        },
    }
}

/// The same without rounding, as [`memory`] takes it.
pub(crate) fn memory_exactly(bytes: u64) -> String {
    Some(memory_text(bytes))
        .filter(|text| memory(text) == Ok(bytes))
        .unwrap_or_else(|| format!("{bytes}B"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits() {
        for (value, text) in [
            (0.0, "0"),
            (12345.6, "12346"),
            (123.456, "123.5"),
            (0.0123456, "0.0123"),
            (1e-9, "1.000e-9"),
            (1e9, "1.000e9"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn plurals_follow_the_count() {
        let images = [0, 1, 2].map(|count| counted(count, "image"));
        assert_eq!(images, ["0 images", "1 image", "2 images"]);
    }

    #[test]
    fn odd_words_are_quoted_on_one_line() {
        assert_eq!(quoted("/data/mnist-1"), "/data/mnist-1");
        assert_eq!(quoted("my data"), "'my data'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("a\nb = 1'"), r"$'a\u000ab = 1\''");
    }

    #[test]
    fn a_size_that_is_repeated_is_exact() {
        for (bytes, text) in
            [(512 << 20, "512MiB"), ((1 << 30) + 1, "1073741825B"), (10_001, "10001B")]
        {
            assert_eq!(memory_exactly(bytes), text);
            assert_eq!(memory(text), Ok(bytes));
        }
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
            (1536, "1.5KiB"),
            (1600, "1.6KiB"),
            (3 << 29, "1536MiB"),
            (512 << 20, "512MiB"),
            (2_000_000_000, "2GB"),
            ((2 << 30) - 4, "2GiB"),
            (2_128_384, "2.1MiB"),
            (20_000_000_001, "18.7GiB"),
        ] {
            assert_eq!(memory_text(bytes), text);
            assert!(bytes == 0 || memory(text).unwrap() >= bytes, "{text} is too little");
            assert!(bytes == 0 || memory(&memory_exactly(bytes)) == Ok(bytes), "{bytes}");
        }
    }
}
