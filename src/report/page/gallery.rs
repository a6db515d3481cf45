//! The images of sets: one strip per class with its name before it, and a slider if there are
//! several states.

use std::path::Path;

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{
    Gallery,
    html::{Html, escape, tag},
};
use crate::{
    Result,
    report::{Sheet, animation::shown, png},
};

/// Bytes of pixels in all pictures of a page together, as they are before compression: about as many
/// are in the page after it, as noise hardly shrinks and base64 adds a third.
const BUDGET: usize = 20 << 20;
/// Images beside each other; a class that has more gets several lines.
const ACROSS: usize = 10;
/// Letters of a name that get room.
const LETTERS: usize = 16;

pub fn section(html: &mut Html, galleries: &[Gallery]) -> Result<()> {
    let galleries: Vec<_> = galleries.iter().filter(|g| !g.stages.is_empty()).collect();
    if galleries.is_empty() {
        return Ok(());
    }
    html.open("section", &[]);
    html.text_in("h2", &[], "Images");
    html.open("div", &[("class", "pair")]);
    let all: Vec<_> = galleries.iter().flat_map(|gallery| &gallery.stages).collect();
    let largest = all.iter().map(|(_, sheet)| sheet).max_by_key(|sheet| sheet.names.len());
    let most = largest.map_or(1, |sheet| shown(sheet, all.len(), BUDGET));
    for gallery in galleries {
        one(html, gallery, most)?;
    }
    html.close("div");
    html.close("section");
    Ok(())
}

fn one(html: &mut Html, Gallery { title, note, stages }: &Gallery, most: usize) -> Result<()> {
    let Some((state, last)) = stages.last() else { return Ok(()) };
    let labels: Vec<_> = stages.iter().map(|(label, _)| label.as_str()).collect();
    let shown = last.longest().min(most);
    let across = shown.min(ACROSS);
    // Names of wide letters need twice the room.
    let room = |name: &String| name.chars().map(|c| if c < '\u{1100}' { 1 } else { 2 }).sum();
    let letters = last.names.iter().map(room).max().unwrap_or(1).clamp(1, LETTERS);
    let kind = match across {
        ..=2 => "gallery tiles",
        _ if shown > across => "gallery rows tall",
        _ => "gallery rows",
    };
    let sizes = format!("--across: {across}; --letters: {letters}");
    html.open("figure", &[("class", kind), ("style", &sizes)]);
    html.open("figcaption", &[]);
    html.text_in("h3", &[], title);
    let left_out = match shown < last.longest() {
        true => format!("The first {shown} of {} images per class.", last.longest()),
        false => String::new(),
    };
    let notes: Vec<_> =
        [note.as_str(), &left_out].into_iter().filter(|note| !note.is_empty()).collect();
    html.text_in("p", &[("class", "note")], &notes.join(" "));
    if stages.len() > 1 {
        slider(html, &labels, state);
    }
    html.close("figcaption");
    html.open("div", &[("class", "classes")]);
    for (class, name) in last.names.iter().enumerate() {
        html.open("div", &[("class", "class")]);
        html.text_in("span", &[("class", "name"), ("title", name)], name);
        html.open("div", &[("class", "strip")]);
        for (number, (label, sheet)) in stages.iter().enumerate() {
            let class_of = if number + 1 == stages.len() { "on" } else { "off" };
            let Some(strip) = Strip::of(sheet, class, across, shown) else { continue };
            html.raw(&strip.markup(class_of, &format!("{name}: {label}"))?);
        }
        html.close("div");
        html.close("div");
    }
    html.close("div");
    html.close("figure");
    Ok(())
}

/// Hidden until the script finds it, because it does nothing without the script.
fn slider(html: &mut Html, labels: &[&str], state: &str) {
    let last = (labels.len() - 1).to_string();
    html.open("div", &[("class", "slider"), ("hidden", ""), ("data-labels", &labels.join("\n"))]);
    html.raw(&format!(
        "<button type=\"button\" aria-label=\"Play\"><svg viewBox=\"0 0 16 16\" aria-hidden=\"true\">\
         <path class=\"play\" d=\"M4 2.5v11l9-5.5z\" /><path class=\"stop\" d=\"M4 3h3v10H4zM9 3h3v10H9z\" />\
         </svg></button><input type=\"range\" min=\"0\" max=\"{last}\" value=\"{last}\" step=\"1\" \
         aria-label=\"Images after\" aria-valuetext=\"{}\" />{}",
        escape(state),
        tag("output", &[], state)
    ));
    html.close("div");
}

/// Images of a class in one picture, a clear pixel between them.
struct Strip {
    pixels: Vec<u8>,
    width: usize,
    height: usize,
}

impl Strip {
    fn of(sheet: &Sheet, class: usize, across: usize, most: usize) -> Option<Self> {
        let images = sheet.class(class);
        let images = &images[..images.len().min(most)];
        if images.is_empty() {
            return None;
        }
        let Sheet { size, channels, .. } = *sheet;
        let pitch = size + 1;
        let lines = images.len().div_ceil(across);
        let (width, height) = (across * pitch - 1, lines * pitch - 1);
        let depth = channels + 1;
        let mut pixels = vec![0; width * height * depth];
        for (index, image) in images.iter().enumerate() {
            let (left, top) = (index % across * pitch, index / across * pitch);
            for (at, pixel) in image.chunks_exact(channels).enumerate() {
                let place = (top + at / size) * width + left + at % size;
                let to = &mut pixels[place * depth..][..depth];
                to[..channels].copy_from_slice(pixel);
                to[channels] = 255;
            }
        }
        Some(Self { pixels, width, height })
    }

    fn markup(&self, class: &str, alt: &str) -> Result<String> {
        let Self { pixels, width, height } = self;
        let depth = pixels.len() / (width * height);
        let png = png::encode(pixels, (*width, *height), depth, Path::new("the page"))?;
        Ok(format!(
            "<img class=\"{class}\" width=\"{width}\" height=\"{height}\" decoding=\"sync\" alt=\"{}\" \
             src=\"data:image/png;base64,{}\" />",
            escape(alt),
            BASE64_STANDARD.encode(png)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::grid::tests::plain;

    #[test]
    fn strips_hold_their_images_with_clear_gaps() {
        let sheet = Sheet::of(&plain(2, 5, 3, 4)).unwrap();
        let strip = Strip::of(&sheet, 1, 3, 5).unwrap();
        assert_eq!((strip.width, strip.height), (14, 9));
        let pixel = |x: usize, y: usize| &strip.pixels[(y * 14 + x) * 4..][..4];
        for index in 0..5 {
            let expected = [&sheet.class(1)[index][..3], &[255]].concat();
            let (left, top) = (index % 3 * 5, index / 3 * 5);
            assert_eq!(pixel(left, top), expected);
            assert_eq!(pixel(left + 3, top + 3), expected);
        }
        for (x, y) in [(4, 0), (0, 4), (13, 8)] {
            assert_eq!(pixel(x, y)[3], 0, "{x}, {y}");
        }
        let mut empty = sheet.clone();
        empty.images[0].clear();
        assert!(Strip::of(&empty, 0, 3, 5).is_none());
    }
}
