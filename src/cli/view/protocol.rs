//! Pictures as the escape sequences of terminals that show them.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::CELL;
use crate::cli::args::Way;

/// Bytes that kitty takes at a time.
const CHUNK: usize = 4096;

/// The bytes of a PNG for a terminal so many characters wide.
pub fn escapes(way: Way, png: &[u8], columns: usize) -> String {
    let data = BASE64_STANDARD.encode(png);
    if way == Way::Iterm {
        return format!(
            "\u{1b}]1337;File=inline=1;preserveAspectRatio=1;size={}:{data}\u{7}\n",
            png.len()
        );
    }
    // If the cells are narrower than assumed, the terminal shrinks the picture to fit.
    let wide = width(png).div_ceil(CELL).clamp(1, columns);
    let mut text = String::new();
    let mut rest = data.as_str();
    let mut control = format!("a=T,f=100,q=2,c={wide},");
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(CHUNK.min(rest.len()));
        let more = u8::from(!after.is_empty());
        text += &format!("\u{1b}_G{control}m={more};{chunk}\u{1b}\\");
        (rest, control) = (after, String::new());
    }
    text.push('\n');
    text
}

/// The width in its header.
fn width(png: &[u8]) -> usize {
    let bytes = png.get(16..20).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, |bytes| u32::from_be_bytes(bytes) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header 1000 pixels wide, and enough after it for three chunks.
    fn png() -> Vec<u8> {
        let mut png = vec![7; 8000];
        png[16..20].copy_from_slice(&1000u32.to_be_bytes());
        png
    }

    #[test]
    fn kitty_gets_chunks_that_make_the_picture() {
        let text = escapes(Way::Kitty, &png(), 80);
        let chunks: Vec<_> = text.trim_end().split_terminator("\u{1b}\\").collect();
        assert_eq!(chunks.len(), 3);
        assert!(chunks[0].starts_with("\u{1b}_Ga=T,f=100,q=2,c=80,m=1;"));
        assert!(chunks[1].starts_with("\u{1b}_Gm=1;") && chunks[2].starts_with("\u{1b}_Gm=0;"));
        let data: String = chunks.iter().map(|chunk| chunk.split_once(';').unwrap().1).collect();
        assert_eq!(BASE64_STANDARD.decode(data).unwrap(), png());
        assert!(escapes(Way::Kitty, &png(), 200).contains(",c=112,"), "no wider than it is");
    }

    #[test]
    fn iterm_gets_the_picture_at_once() {
        let text = escapes(Way::Iterm, &png(), 80);
        let (control, data) = text.trim_end().split_once(':').unwrap();
        assert!(control.starts_with("\u{1b}]1337;File=") && control.ends_with("size=8000"));
        assert_eq!(BASE64_STANDARD.decode(data.trim_end_matches('\u{7}')).unwrap(), png());
    }
}
