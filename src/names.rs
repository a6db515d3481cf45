//! Names that people and other programs gave to files and classes: how to show, compare and guess them.

use std::{borrow::Cow, path::Path};

#[cfg(feature = "files")]
mod compared;
#[cfg(feature = "files")]
pub(crate) use compared::{difference, folded, natural, nearest, same_text, some_of};

/// Text of any origin as one line that is safe to show. Characters that could move a terminal's cursor, break the line
/// or change the direction of writing are escaped (`\n`, `\u{1b}`); all others stay.
///
/// ```
/// use dm_wgpu::report::printable;
/// assert_eq!(printable("čáp\u{1b}[31m\n"), r"čáp\u{1b}[31m\n");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| if is_unsafe(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(shown).collect())
}

/// A control character, a separator of lines, or one that overrides the direction of writing.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A path as [`printable`] text.
pub(crate) fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert!(matches!(printable("T-shirt/top 猫 \\"), Cow::Borrowed(_)));
        assert_eq!(printable("a\n\t\u{7f}\u{9b}2J\u{202e}b"), r"a\n\t\u{7f}\u{9b}2J\u{202e}b");
        assert_eq!(shown(Path::new("a/\u{7}")), r"a/\u{7}");
    }
}
