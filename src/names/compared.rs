//! Comparing names, and guessing which name was meant.

use std::cmp::Ordering;

use unicode_normalization::UnicodeNormalization;

use super::printable;

/// Whether two names are the same text: file systems keep `é` as one character or as two.
pub(crate) fn same_text(a: &str, b: &str) -> bool {
    a.nfc().eq(b.nfc())
}

/// A form that is the same for names that differ only in case or in their Unicode form.
pub(crate) fn folded(name: &str) -> String {
    name.nfc().collect::<String>().to_lowercase().nfc().collect()
}

/// How two names differ whose [`folded`] forms are equal; `None` if those differ.
pub(crate) fn difference(a: &str, b: &str) -> Option<&'static str> {
    match () {
        () if a == b || folded(a) != folded(b) => None,
        () if same_text(a, b) => Some("the same name in another Unicode form"),
        () => Some("the same name in another case"),
    }
}

/// The name that is nearest to another one.
pub(crate) fn nearest<'a>(
    name: &str,
    among: impl IntoIterator<Item = &'a String>,
) -> Option<&'a str> {
    let name = folded(name);
    let distance = |other: &&String| strsim::damerau_levenshtein(&name, &folded(other));
    among.into_iter().min_by_key(distance).map(String::as_str)
}

/// Numerical order, as people count: `class2` before `class10`.
pub(crate) fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while let (Some(c), Some(d)) = (left.chars().next(), right.chars().next()) {
        let order = if c.is_ascii_digit() && d.is_ascii_digit() {
            let (x, y) = (number(&mut left), number(&mut right));
            // Without leading zeros, the longer number is larger.
            x.len().cmp(&y.len()).then(x.cmp(y))
        } else {
            (left, right) = (&left[c.len_utf8()..], &right[d.len_utf8()..]);
            c.cmp(&d)
        };
        if order.is_ne() {
            return order;
        }
    }
    left.len().cmp(&right.len()).then(a.cmp(b))
}

/// Removes the digits at the beginning of a text, and returns them without leading zeros.
fn number<'a>(text: &mut &'a str) -> &'a str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    digits.trim_start_matches('0')
}

/// The first few of some names as a list, [`printable`].
pub(crate) fn some_of<S: AsRef<str>>(names: &[S], most: usize) -> String {
    let some: Vec<_> = names.iter().take(most).map(|name| printable(name.as_ref())).collect();
    some.join(", ") + if names.len() > most { ", …" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_people_read_them() {
        let (one, two) = ("caf\u{e9}", "cafe\u{301}");
        assert!(same_text(one, two) && !same_text("cafe", two) && !same_text("Caf\u{e9}", two));
        assert!(difference(one, two).unwrap().contains("Unicode form"));
        assert!(difference("CAF\u{c9}", two).unwrap().contains("another case"));
        assert_eq!((difference(one, one), difference("cafe", one)), (None, None));
        let names = ["Trouser".to_owned(), "Dress".to_owned()];
        assert_eq!(nearest("truosers", &names), Some("Trouser"));
        let mut counted = ["b", "a10", "a 3", "a", "a2b", "a02", "a2"];
        counted.sort_by(|a, b| natural(a, b));
        assert_eq!(counted, ["a", "a 3", "a02", "a2", "a2b", "a10", "b"]);
        assert_eq!(some_of(&["a\n", "b", "c"], 2), r"a\n, b, …");
    }
}
