//! A page that shows a run, or several side by side, as `project/page.rs` puts it together. It is
//! one HTML file that needs no network; JavaScript is used only for the slider through the images
//! on the way.
//!
//! It is written as XHTML would be, every tag closed, so that a test can read it as XML.

mod chart;
mod gallery;
mod html;

use std::path::Path;

use super::Sheet;
use crate::{Result, files};
use html::{Html, tag};

/// The contents of a page, in their order on the page. Texts may hold anything: they are escaped.
/// Empty parts are left out.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The heading, and the name of the browser's tab.
    pub title: String,
    /// What this is, in a sentence.
    pub lead: String,
    /// The few figures that matter most.
    pub facts: Vec<Fact>,
    /// Tables, for instance of several runs with one row per run.
    pub tables: Vec<Table>,
    /// Images, two galleries beside each other.
    pub galleries: Vec<Gallery>,
    /// Curves, two charts beside each other.
    pub charts: Vec<Chart>,
    /// Names and values, such as settings.
    pub lists: Vec<List>,
    /// Commands that repeat the work, each with a description.
    pub commands: Vec<(String, String)>,
    /// The last line: who made this.
    pub footer: String,
}

/// A figure that is shown large.
#[derive(Debug, Clone, Default)]
pub struct Fact {
    /// What it is.
    pub name: String,
    /// With its unit.
    pub value: String,
    /// Further information about it.
    pub note: String,
}

/// Rows of text; the first cell of each is its name.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Above it.
    pub title: String,
    /// Above each column.
    pub header: Vec<String>,
    /// One cell per column.
    pub rows: Vec<Row>,
}

/// A row of a [`Table`].
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// One a column.
    pub cells: Vec<String>,
    /// The column that is shown as a bar, too, and the share of the whole, 0 to 1, that it fills.
    pub bar: Option<(usize, f64)>,
}

/// The images of a set, at one time or at several.
#[derive(Debug, Clone, Default)]
pub struct Gallery {
    /// Above it.
    pub title: String,
    /// Below the title.
    pub note: String,
    /// What each state is called, such as `iteration 40`, and the images in it, all of one shape.
    /// With more than one there is a slider, which begins at the last.
    pub stages: Vec<(String, Sheet)>,
}

/// Curves over the iterations, on one pair of axes.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    /// Above it.
    pub title: String,
    /// What the vertical axis shows, with its unit.
    pub axis: String,
    /// The least span of the vertical axis: a smaller one would exaggerate small differences.
    pub span: f64,
    /// In the order of their colours, which are the same in all charts of a page.
    pub curves: Vec<Curve>,
}

/// Values over the iterations.
#[derive(Debug, Clone, Default)]
pub struct Curve {
    /// Its name in the legend, if there are several curves.
    pub name: String,
    /// In the order of iterations. What is not finite is left out. A single point beside other
    /// curves is drawn as a horizontal line for comparison.
    pub points: Vec<Point>,
    /// Whether single values are noisy; if so, their running mean is drawn over them.
    pub noisy: bool,
}

/// A value at an iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// How many iterations there were.
    pub iteration: u32,
    /// The value.
    pub value: f64,
    /// Its uncertainty to either side.
    pub spread: f64,
}

/// Names and values below each other.
#[derive(Debug, Clone, Default)]
pub struct List {
    /// Above it.
    pub title: String,
    /// A name and its value.
    pub rows: Vec<(String, String)>,
}

/// Writes the page as one HTML file. Where the images would make it larger than some tens of
/// megabytes, it shows the first ones of every class only, and says so.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) when writing fails.
pub fn write_page(page: &Page, path: &Path) -> Result<()> {
    files::write_whole(path, document(page)?.as_bytes())
}

fn document(page: &Page) -> Result<String> {
    let mut html = Html::new();
    html.open("html", &[("lang", "en")]);
    html.open("head", &[]);
    html.void("meta", &[("charset", "utf-8")]);
    html.void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
    html.void("meta", &[("name", "color-scheme"), ("content", "light dark")]);
    html.text_in("title", &[], &page.title);
    // Our own text, without characters that XML would read as markup.
    html.raw(&format!("<style>{}</style>", include_str!("style.css")));
    html.close("head");
    html.open("body", &[]);
    html.open("main", &[]);
    html.open("header", &[]);
    html.text_in("h1", &[], &page.title);
    if !page.lead.is_empty() {
        html.text_in("p", &[("class", "lead")], &page.lead);
    }
    html.close("header");
    facts(&mut html, &page.facts);
    for shown in page.tables.iter().filter(|table| !table.rows.is_empty()) {
        table(&mut html, shown);
    }
    gallery::section(&mut html, &page.galleries)?;
    chart::section(&mut html, &page.charts);
    lists(&mut html, &page.lists);
    commands(&mut html, &page.commands);
    if !page.footer.is_empty() {
        html.text_in("footer", &[], &page.footer);
    }
    html.close("main");
    html.raw(&format!("<script>{}</script>", include_str!("script.js")));
    html.close("body");
    html.close("html");
    Ok(html.done())
}

fn facts(html: &mut Html, facts: &[Fact]) {
    if facts.is_empty() {
        return;
    }
    html.open("dl", &[("class", "facts")]);
    for Fact { name, value, note } in facts {
        html.open("div", &[]);
        html.text_in("dt", &[], name);
        html.text_in("dd", &[("class", "value")], value);
        if !note.is_empty() {
            html.text_in("dd", &[("class", "note")], note);
        }
        html.close("div");
    }
    html.close("dl");
}

fn table(html: &mut Html, Table { title, header, rows }: &Table) {
    html.open("section", &[]);
    html.text_in("h2", &[], title);
    // If it is wider than a phone, it scrolls on its own.
    html.open(
        "div",
        &[("class", "wide"), ("tabindex", "0"), ("role", "region"), ("aria-label", title)],
    );
    html.open("table", &[]);
    html.open("thead", &[]);
    html.open("tr", &[]);
    for cell in header {
        html.text_in("th", &[("scope", "col")], cell);
    }
    html.close("tr");
    html.close("thead");
    html.open("tbody", &[]);
    for Row { cells, bar } in rows {
        html.open("tr", &[]);
        for (column, cell) in cells.iter().enumerate() {
            match bar {
                Some((at, share)) if *at == column => {
                    let width = format!("--share: {:.2}%", share.clamp(0.0, 1.0) * 100.0);
                    html.open("td", &[("class", "bar"), ("style", &width)]);
                    html.text_in("span", &[], cell);
                    html.close("td");
                }
                _ if column == 0 => html.text_in("th", &[("scope", "row")], cell),
                _ => html.text_in("td", &[], cell),
            }
        }
        html.close("tr");
    }
    html.close("tbody");
    html.close("table");
    html.close("div");
    html.close("section");
}

fn lists(html: &mut Html, lists: &[List]) {
    let lists: Vec<_> = lists.iter().filter(|list| !list.rows.is_empty()).collect();
    if lists.is_empty() {
        return;
    }
    html.open("section", &[("class", "lists")]);
    for List { title, rows } in lists {
        html.open("div", &[]);
        html.text_in("h2", &[], title);
        html.open("dl", &[]);
        for (name, value) in rows {
            html.text_in("dt", &[], name);
            html.text_in("dd", &[], value);
        }
        html.close("dl");
        html.close("div");
    }
    html.close("section");
}

fn commands(html: &mut Html, commands: &[(String, String)]) {
    if commands.is_empty() {
        return;
    }
    html.open("section", &[]);
    html.text_in("h2", &[], "The same again");
    for (what, command) in commands {
        if !what.is_empty() {
            html.text_in("p", &[("class", "note")], what);
        }
        html.raw(&format!("<pre>{}</pre>", tag("code", &[], command)));
    }
    html.close("section");
}

#[cfg(test)]
mod tests;
