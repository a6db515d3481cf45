//! The page is read back as XML: every tag closed, every text where it belongs.

use super::*;
use crate::report::grid::tests::plain;
use roxmltree::{Document, Node, ParsingOptions};

const NASTY: &str = "<script>alert('\"&amp;')</script>";

fn sheet(ipc: usize) -> Sheet {
    let mut set = plain(3, ipc, 3, 4);
    set.class_names = vec![NASTY.into(), "ねこ".into(), "a\u{0}b".into()];
    Sheet::of(&set).unwrap()
}

fn curve(name: &str, noisy: bool) -> Curve {
    let point = |iteration| Point { iteration, value: 3.25 / f64::from(iteration), spread: 0.125 };
    Curve { name: name.into(), points: (1..=9).map(point).collect(), noisy }
}

/// Measured once.
fn level() -> Curve {
    let mut level = curve("level", false);
    level.points.truncate(1);
    level
}

fn page() -> Page {
    let text = |what: &str| format!("{what} {NASTY}");
    Page {
        title: text("title"),
        lead: text("lead"),
        facts: vec![Fact { name: text("fact"), value: "93.35 %".into(), note: text("note") }],
        tables: vec![Table {
            title: text("table"),
            header: vec!["method".into(), "accuracy".into()],
            rows: vec![Row { cells: vec![text("row"), "88.0".into()], bar: Some((1, 0.88)) }],
        }],
        galleries: vec![
            Gallery {
                title: "After".into(),
                note: text("gallery"),
                stages: [0, 3, 9].map(|k| (format!("iteration {k}"), sheet(2))).into(),
            },
            Gallery {
                title: "Before".into(),
                note: String::new(),
                stages: vec![("iteration 0".into(), sheet(2))],
            },
        ],
        charts: vec![Chart {
            title: text("chart"),
            axis: text("axis"),
            span: 0.0,
            curves: vec![curve(&text("curve"), false), curve("other", true), level()],
        }],
        lists: vec![List { title: "Settings".into(), rows: vec![("ipc".into(), text("value"))] }],
        commands: vec![(text("what"), text("command"))],
        footer: text("footer"),
    }
}

fn read(html: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(html, options).unwrap()
}

fn of_class<'a>(document: &'a Document, class: &str) -> Vec<Node<'a, 'a>> {
    let has =
        |node: &Node| node.attribute("class").is_some_and(|c| c.split(' ').any(|c| c == class));
    document.descendants().filter(has).collect()
}

#[test]
fn all_texts_are_shown_and_escaped() {
    let html = document(&page()).unwrap();
    let document = read(&html);
    // Our own, and no other.
    let scripts = document.descendants().filter(|node| node.has_tag_name("script")).count();
    assert_eq!(scripts, 1);
    let texts: Vec<_> = document.descendants().filter_map(|node| node.text()).collect();
    for what in [
        "title", "lead", "fact", "note", "table", "row", "gallery", "chart", "curve", "value",
        "what", "command", "footer",
    ] {
        let expected = format!("{what} {NASTY}");
        assert!(texts.contains(&expected.as_str()), "{what}");
    }
    for (tag, text) in [("dd", "93.35 %"), ("span", "88.0"), ("span", "ねこ")] {
        let has = |node: Node| node.has_tag_name(tag) && node.text() == Some(text);
        assert!(document.descendants().any(has), "{text}");
    }
    assert_eq!(of_class(&document, "bar")[0].attribute("style"), Some("--share: 88.00%"));
    // One file: nothing is fetched.
    for node in document.descendants() {
        for attribute in node.attributes().filter(|a| ["src", "href", "data"].contains(&a.name())) {
            assert!(attribute.value().starts_with("data:"), "{}", attribute.value());
        }
    }
    assert!(!html.contains("url(") && !html.contains("@import"));
}

#[test]
fn pictures_say_what_they_are_and_only_the_last_ones_show() {
    let html = document(&page()).unwrap();
    let document = read(&html);
    let galleries = of_class(&document, "gallery");
    assert_eq!(galleries.len(), 2);
    for (gallery, stages) in galleries.iter().zip([3, 1]) {
        let images: Vec<_> = gallery.descendants().filter(|n| n.has_tag_name("img")).collect();
        assert_eq!(images.len(), 3 * stages);
        for (number, image) in images.iter().enumerate() {
            assert!(image.attribute("alt").is_some_and(|alt| alt.contains(": iteration ")));
            let last = number % stages == stages - 1;
            assert_eq!(image.attribute("class"), Some(if last { "on" } else { "off" }));
        }
        assert!(images[0].attribute("alt").unwrap().starts_with(NASTY));
    }
    // A slider only where there is something to slide through, and none without its script.
    let sliders = of_class(&document, "slider");
    assert_eq!(sliders.len(), 1);
    assert_eq!(sliders[0].attribute("data-labels"), Some("iteration 0 iteration 3 iteration 9"));
    assert!(sliders[0].has_attribute("hidden"));
    let range = sliders[0].children().find(|node| node.has_tag_name("input")).unwrap();
    assert_eq!((range.attribute("max"), range.attribute("value")), (Some("2"), Some("2")));
}

#[test]
fn charts_draw_every_curve_and_name_its_points() {
    let html = document(&page()).unwrap();
    let document = read(&html);
    assert_eq!(of_class(&document, "line").len(), 3);
    assert_eq!((of_class(&document, "level").len(), of_class(&document, "key").len()), (1, 3));
    assert_eq!((of_class(&document, "thin").len(), of_class(&document, "band").len()), (1, 2));
    let circles = document.descendants().filter(|node| node.has_tag_name("circle"));
    let titles: Vec<_> = circles.filter_map(|node| node.first_element_child()?.text()).collect();
    assert_eq!(titles.len(), 9);
    assert!(titles[1].starts_with("1.62 ± 0.12") && titles[1].ends_with("after 2 iterations"));
}

#[test]
fn sections_without_content_are_left_out() {
    let html = document(&Page { title: "t".into(), ..Page::default() }).unwrap();
    let document = read(&html);
    for tag in ["section", "dl", "footer", "figure", "pre"] {
        assert!(!document.descendants().any(|node| node.has_tag_name(tag)), "{tag}");
    }
    // One point is no curve.
    let mut one = page();
    one.charts[0].curves.iter_mut().for_each(|curve| curve.points.truncate(1));
    assert!(!super::document(&one).unwrap().contains("<svg viewBox=\"0 0 520"));
}

#[test]
fn large_sets_make_no_huge_file() {
    // As noisy as synthetic images are: 11 × 100 × 50 × 3 KiB of it would be 170 MB.
    let mut sheet = Sheet::of(&plain(100, 50, 3, 32)).unwrap();
    let mut state = 1u32;
    for value in sheet.images.iter_mut().flatten().flatten() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *value = (state >> 24) as u8;
    }
    let stages = (0..11).map(|k| (format!("iteration {k}"), sheet.clone())).collect();
    let gallery = Gallery { title: "After".into(), note: String::new(), stages };
    let html = document(&Page { galleries: vec![gallery], ..Page::default() }).unwrap();
    assert!((5 << 20..40 << 20).contains(&html.len()), "{} bytes", html.len());
    assert!(html.contains("The first 6 of 50 images per class."));
}
