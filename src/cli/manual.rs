//! Descriptions of the program for other programs: completions for shells, manual pages.

use std::{fs, path::Path};

use clap::Command;
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use dm_wgpu::{project::words::counted, report};

use super::{args, console::Console, failure::Failure, say};

/// A completion script for a shell, on stdout.
pub fn completions(shell: Shell) -> Result<u8, Failure> {
    let mut script = Vec::new();
    generate(shell, &mut args::command(), "dm-wgpu", &mut script);
    let script = String::from_utf8_lossy(&script);
    // clap_complete 4.6 writes the hyphen of this program's name in two ways, so that bash would complete
    // nothing after a subcommand.
    print(&script.replace("dm__subcmd__wgpu", "dm__wgpu"))
}

/// The main page on stdout, or in a folder a page for the program and each subcommand.
pub fn pages(folder: Option<&Path>, console: Console) -> Result<u8, Failure> {
    let Some(folder) = folder else {
        return print(&String::from_utf8_lossy(&page(&args::command())?));
    };
    let failed = |error| Failure::Failed(format!("could not create {}: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(failed)?;
    let mut command = args::command();
    command.build();
    let all: Vec<_> = std::iter::once(&command).chain(command.get_subcommands()).collect();
    for command in &all {
        let name = Man::new((*command).clone()).get_filename();
        report::write_whole(folder.join(name), &page(command)?)?;
    }
    match console.quiet() {
        true => Ok(0),
        false => print(&format!("{} in {}", counted(all.len(), "page"), folder.display())),
    }
}

/// A page in roff.
fn page(command: &Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    let failed = |error| Failure::Failed(format!("the manual page: {error}"));
    let man = Man::new(command.clone()).source(concat!("dm-wgpu ", env!("CARGO_PKG_VERSION")));
    man.render(&mut page).map_err(failed)?;
    Ok(indented(&String::from_utf8_lossy(&page)).into_bytes())
}

/// The text below the help's options keeps its lines. A line that is too long is continued below its beginning rather
/// than at the margin.
fn indented(page: &str) -> String {
    let mut extra = false;
    let mut out = String::new();
    for line in page.lines() {
        if line.starts_with('.') {
            extra = line == ".SH EXTRA" || extra && !line.starts_with(".SH");
        } else if extra && line.starts_with(' ') {
            let text = line.trim_start();
            let first = line.len() - text.len();
            // A name, and in the second column what it is.
            let second = text.find("  ").map(|end| {
                let gap = text[end..].len() - text[end..].trim_start().len();
                // A backslash and the character after it are one character on the page.
                text[..end].replace('\\', "").chars().count() + gap
            });
            let hang = second.unwrap_or(0);
            let all = first + hang;
            // A line that begins with a dot must not be taken for a macro.
            out += &format!(".br\n.in +{all}n\n.ti -{hang}n\n\\&{text}\n.br\n.in -{all}n\n");
            continue;
        }
        out += line;
        out.push('\n');
        if line == ".SH EXTRA" {
            // Left-aligned and without hyphenation, so that columns stay aligned.
            out += ".ad l\n.nh\n";
        }
    }
    out
}

fn print(text: &str) -> Result<u8, Failure> {
    say::raw(text.trim_end())
        .map(|()| 0)
        .map_err(|error| Failure::Failed(format!("stdout: {error}")))
}
