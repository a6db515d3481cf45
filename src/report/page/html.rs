//! Markup in which all text from elsewhere is escaped.

/// A page as it grows.
#[derive(Debug)]
pub struct Html(String);

impl Html {
    pub fn new() -> Self {
        Self("<!DOCTYPE html>\n".to_owned())
    }

    pub fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.0 += &format!("<{name}{}>", written(attributes));
        self.0.push('\n');
    }

    pub fn close(&mut self, name: &str) {
        self.0 += &format!("</{name}>\n");
    }

    /// An element that holds nothing.
    pub fn void(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.0 += &format!("<{name}{} />\n", written(attributes));
    }

    pub fn text_in(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.0 += &tag(name, attributes, text);
        self.0.push('\n');
    }

    /// Markup.
    pub fn raw(&mut self, markup: &str) {
        self.0 += markup;
        self.0.push('\n');
    }

    pub fn done(self) -> String {
        self.0
    }
}

/// An element with a text in it.
pub fn tag(name: &str, attributes: &[(&str, &str)], text: &str) -> String {
    format!("<{name}{}>{}</{name}>", written(attributes), escape(text))
}

fn written(attributes: &[(&str, &str)]) -> String {
    attributes.iter().map(|(name, value)| format!(" {name}=\"{}\"", escape(value))).collect()
}

/// A text as it stands between tags and between quotation marks. Control characters, which no page
/// may hold, are escaped as for a terminal.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            '\n' | '\t' => escaped.push(c),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c if c.is_control() => escaped.extend(c.escape_default()),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(
            tag("p", &[("title", "\"><a")], "<script>&'\u{1b}"),
            "<p title=\"&quot;&gt;&lt;a\">&lt;script&gt;&amp;&#39;\\u{1b}</p>"
        );
    }
}
