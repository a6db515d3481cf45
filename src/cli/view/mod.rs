//! `dm-wgpu view`: shows a set in the terminal, as a picture if the terminal shows pictures, else
//! in coloured half-blocks.

mod blocks;
mod protocol;
mod screen;

use std::{io::IsTerminal, path::Path};

use dm_wgpu::{
    import,
    project::{check_set, files},
    report::{self, Sheet},
};

use super::{
    args::{ViewArgs, Way},
    console::Console,
    failure::Failure,
    say,
};
use blocks::Blocks;
use screen::Environment;

/// Pixels of a terminal's cell from left to right, about.
const CELL: usize = 9;

pub fn run(args: &ViewArgs, console: Console) -> Result<u8, Failure> {
    check_set(&args.path)?;
    let found = import::read(&args.path).map_err(Failure::of_data)?;
    let mut notes = Vec::new();
    let sheet = match found.own_set() {
        Some(set) if args.decoded => set.clone().decoded().and_then(|set| Sheet::of(&set)),
        own => {
            if let Some(factor) = own.map(|set| set.factor).filter(|factor| *factor > 1) {
                notes.push(format!(
                    "each has {factor}×{factor} images packed into it; --decoded shows those"
                ));
            }
            found.into_sheet()
        }
    };
    let sheet = chosen(sheet.map_err(Failure::of_data)?, &args.classes)?;
    let environment = Environment::of_this_process(std::io::stdout().is_terminal());
    let way = match args.how {
        Some(way) => way,
        None => environment.way().map_err(|why| instead(why, &args.path, args.decoded))?,
    };
    let text = match way {
        Way::Kitty | Way::Iterm => {
            let png = report::grid_png(&sheet, environment.columns * CELL)?;
            protocol::escapes(way, &png, environment.columns)
        }
        Way::Blocks | Way::Blocks256 => {
            let single = sheet.names().len() == 1 || !args.classes.is_empty();
            let blocks = Blocks::of(&sheet, environment.columns, single);
            if blocks.shown() < sheet.longest() {
                notes.push(format!(
                    "the first {} of {} images per class fit; a wider terminal shows more; --class \
                     NAME shows all images of a class",
                    blocks.shown(),
                    sheet.longest()
                ));
            }
            blocks.text(&sheet, way == Way::Blocks256)
        }
    };
    say::raw(text.trim_end_matches('\n'))
        .map_err(|error| Failure::Failed(format!("stdout: {error}")))?;
    // Printed below the images, where it is not scrolled away.
    for note in notes {
        console.say(&note);
    }
    Ok(0)
}

/// The classes that were asked for, in that order; all if none was.
fn chosen(sheet: Sheet, classes: &[String]) -> Result<Sheet, Failure> {
    if classes.is_empty() {
        return Ok(sheet);
    }
    let find = |name: &String| {
        sheet.class_called(name).ok_or_else(|| {
            let names = sheet.names();
            let some: Vec<_> = names.iter().take(12).map(String::as_str).collect();
            let more = if names.len() > some.len() { ", …" } else { "" };
            Failure::Usage(format!(
                "--class {name}: there is no such class; there are {}{more}",
                some.join(", ")
            ))
        })
    };
    let found = classes.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    Ok(sheet.only(&found))
}

/// What to do where no picture can be shown.
fn instead(why: &str, path: &Path, decoded: bool) -> Failure {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let grid = folder.join(if decoded { files::DECODED } else { files::GRID });
    let instead = match grid.is_file() {
        true => format!("open {} in an image viewer instead", grid.display()),
        false => "show it in a terminal with colours".to_owned(),
    };
    Failure::Failed(format!("{why}: {instead}, or choose a way to show it with --as"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_the_picture_file_is_named_instead() {
        let place = tempfile::tempdir().unwrap();
        let grid = place.path().join("grid.png");
        let set = place.path().join("synthetic.safetensors");
        for path in [place.path(), &set] {
            let message = instead("NO_COLOR is set", path, false).to_string();
            assert!(message.contains("in a terminal with colours"), "{message}");
        }
        std::fs::write(&grid, "").unwrap();
        for path in [place.path(), &set] {
            let message = instead("NO_COLOR is set", path, false).to_string();
            assert!(message.contains(&format!("open {} in", grid.display())), "{message}");
            let message = instead("NO_COLOR is set", path, true).to_string();
            assert!(!message.contains("grid.png"), "{message}");
        }
    }
}
