//! BMP: an alpha channel that the decoder passes over.

use std::borrow::Cow;

/// A file whose header (version 3 or later) names an alpha channel, but whose compression, "none", has no masks. It is
/// given the compression that has masks, so that the decoder reads the alpha channel, as browsers do. If alpha is 0
/// everywhere, it was never written, and is ignored.
pub(super) fn with_alpha(bytes: &[u8]) -> Cow<'_, [u8]> {
    let number = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    let named = bytes.starts_with(b"BM")
        && number(14).is_some_and(|header| matches!(header, 56 | 108 | 124))
        && number(26) == Some(32 << 16 | 1)
        && number(30) == Some(0)
        && number(66) == Some(0xff00_0000);
    let pixels = number(10).and_then(|at| bytes.get(usize::try_from(at).ok()?..));
    let written = pixels.is_some_and(|pixels| pixels.iter().skip(3).step_by(4).any(|&a| a > 0));
    if !named || !written {
        return Cow::Borrowed(bytes);
    }
    let mut masked = bytes.to_vec();
    for (at, value) in [(30, 3u32), (54, 0xff_0000), (58, 0xff00), (62, 0xff)] {
        masked[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    Cow::Owned(masked)
}
