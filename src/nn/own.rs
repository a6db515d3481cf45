//! Networks of the user's own: a list of layers in a file (`file:NET.toml`) or in a text (`layers:NAME=[…]`).

use serde::Deserialize;

use super::{Layer, Net};
use crate::{Error, Result};

/// What a file holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    layers: Vec<Layer>,
}

/// Prefix of a text that holds all layers of a network.
const WHOLE: &str = "layers:";
/// Prefix of a text that holds the path of a network's file.
const PLACE: &str = "file:";

/// A network's name in tables, and its layers.
pub(super) type Named = (String, Vec<Layer>);

/// The network in a TOML file's text.
pub(super) fn of_toml(name: &str, text: &str) -> Result<Named> {
    let file: File = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Error::setting("net", name, format!("line {line}: {}", error.message()))
    })?;
    of_layers(name, file.layers)
}

fn of_layers(name: &str, layers: Vec<Layer>) -> Result<Named> {
    match layers.last() {
        Some(Layer::Linear { .. }) => Ok((plain(name), layers)),
        _ => {
            let expected = "the last layer must be linear, with one output per class";
            Err(Error::setting("net", name, expected))
        }
    }
}

/// The network that a text stands for, if it begins with `file:` or `layers:`.
pub(super) fn of_text(text: &str) -> Option<Result<Named>> {
    if let Some(path) = text.strip_prefix(PLACE) {
        let read = read(path).and_then(|file| of_toml(stem(path), &file));
        return Some(read.map_err(|error| match error {
            // The error names the text that was given.
            Error::Setting { name, expected, .. } => Error::setting(name, text, expected),
            other => other,
        }));
    }
    let (name, layers) = text.strip_prefix(WHOLE)?.split_once('=')?;
    Some(match serde_json::from_str(layers) {
        Ok(layers) => of_layers(name, layers),
        Err(error) => Err(Error::setting("net", name, error.to_string())),
    })
}

/// The whole network as a text, which needs no file.
pub(super) fn whole(name: &str, layers: &[Layer]) -> String {
    // Layers are numbers and names, which JSON has.
    let layers = serde_json::to_string(layers).unwrap_or_default();
    format!("{WHOLE}{name}={layers}")
}

/// The network for such images.
pub(super) fn net(
    name: &str,
    layers: &[Layer],
    (channels, size): (usize, usize),
    classes: usize,
) -> Result<Net> {
    let net = Net::new(channels, size, layers.to_vec())?;
    match net.classes() {
        own if own == classes => Ok(net),
        own => {
            let expected = format!(
                "its last layer has {own} outputs; {classes} are needed, one per class of the data set"
            );
            Err(Error::setting("net", name, expected))
        }
    }
}

/// A name that can stand in tables and commands.
fn plain(name: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = name.chars().map(kept).collect();
    if name.is_empty() { "own".to_owned() } else { name }
}

/// `mine` of `nets/mine.toml`.
fn stem(path: &str) -> &str {
    let stem = std::path::Path::new(path).file_stem();
    stem.and_then(|stem| stem.to_str()).unwrap_or(path)
}

#[cfg(feature = "files")]
fn read(path: &str) -> Result<String> {
    use std::io::Read;

    /// The largest file in bytes; real ones are far smaller.
    const LONGEST: usize = 1 << 20;

    let wrong = |reason: String| Error::setting("net", path, reason);
    let needed = "a TOML file with a list of layers is needed";
    let refused = |error: std::io::Error| wrong(format!("{error}; {needed}"));
    // Reading something that is not a file, such as a pipe, might never end.
    if !std::fs::metadata(path).map_err(refused)?.is_file() {
        return Err(wrong(format!("this is no file; {needed}")));
    }
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(refused)?;
    file.take(LONGEST as u64 + 1).read_to_string(&mut text).map_err(refused)?;
    match text.len() {
        0..=LONGEST => Ok(text),
        _ => Err(wrong(format!("this is longer than {LONGEST} bytes; {needed}"))),
    }
}

#[cfg(not(feature = "files"))]
fn read(path: &str) -> Result<String> {
    let expected = "no file is read without the feature `files`; use Architecture::from_toml";
    Err(Error::setting("net", path, expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        [[layers]]
        op = "residual"
        body = [{ op = "conv", out = 3, kernel = 3, pad = 1 }, { op = "norm", kind = "batch" }]
        [[layers]]
        op = "flatten"
        [[layers]]
        op = "linear"
        out = 7
    "#;

    #[test]
    fn what_is_written_down_is_read_again() {
        let (name, layers) = of_toml("a net, mine", TEXT).unwrap();
        assert_eq!(name, "a-net--mine");
        let text = whole(&name, &layers);
        assert!(text.starts_with("layers:a-net--mine=[{\"op\":\"residual\""), "{text}");
        assert!(net(&name, &layers, (3, 8), 7).unwrap().has_batch_norm());
        let error = net(&name, &layers, (3, 8), 10).unwrap_err().to_string();
        assert!(error.contains("7 outputs; 10 are needed"), "{error}");
        assert_eq!(of_text(&text).unwrap().unwrap(), (name, layers));
    }

    #[test]
    fn what_is_no_list_of_layers_is_refused() {
        let message = |text: &str| of_toml("x", text).unwrap_err().to_string();
        for (text, expected) in [
            ("layers = 3", "line 1: invalid type"),
            ("\n\nlayers = [{ op = \"dropout\" }]", "line 3: unknown variant `dropout`"),
            ("layers = [{ op = \"conv\", kernel = 3 }]", "missing field `out`"),
            ("layers = [{ op = \"linear\", out = 3, bias = 1 }]", "unknown field `bias`"),
            ("layers = []", "the last layer must be linear"),
            ("layers = [{ op = \"flatten\" }]", "the last layer must be linear"),
            ("name = \"x\"", "unknown field `name`"),
            ("[", "line 1"),
        ] {
            assert!(message(text).contains(expected), "{text}: {}", message(text));
        }
        for text in ["layers:x=[", "layers:x=[]", "file:"] {
            assert!(of_text(text).is_some_and(|own| own.is_err()), "{text}");
        }
        assert!(of_text("layers:x").is_none() && of_text("lenet").is_none());
    }
}
