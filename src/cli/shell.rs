//! `elder completions` and `elder man`: what shells and manuals want to know of the command line.

use std::fs;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::args::{Cli, CompletionsArgs, ManArgs};
use super::console::Console;
use super::exit::{Exit, Failure};

/// Prints the script that completes words in a shell.
///
/// # Errors
/// When it cannot be written.
pub fn completions(typed: &CompletionsArgs, console: &mut Console) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(typed.shell, &mut Cli::command(), "elder", &mut text);
    console.answer(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Fine)
}

/// Prints a page of the manual, or writes all of them into a folder.
///
/// # Errors
/// When they cannot be written, or there is no such command.
pub fn man(typed: &ManArgs, console: &mut Console) -> Result<Exit, Failure> {
    let mut command = Cli::command();
    command.build();
    let pages = pages(&command, "elder");
    let Some(folder) = &typed.dir else {
        let name = ["elder"].into_iter().chain(typed.command.as_deref());
        let name = name.collect::<Vec<_>>().join("-");
        let page = pages.into_iter().find(|(of, _)| *of == name);
        let (_, page) = page.ok_or_else(|| {
            let asked = typed.command.as_deref().unwrap_or_default();
            Failure::no_answer(format!("there is no command {asked}"))
                .help("elder --help lists them")
        })?;
        console.answer(&render(page)?)?;
        return Ok(Exit::Fine);
    };
    let failure = |error: std::io::Error| {
        Failure::no_answer(format!("cannot write into {}: {error}", folder.display()))
    };
    fs::create_dir_all(folder).map_err(failure)?;
    let count = pages.len();
    for (name, page) in pages {
        fs::write(folder.join(format!("{name}.1")), render(page)?).map_err(failure)?;
    }
    console.say(&format!("{count} pages in {}", folder.display()));
    Ok(Exit::Fine)
}

/// The pages of a command and those below it, by their names.
fn pages<'c>(command: &'c Command, name: &str) -> Vec<(String, &'c Command)> {
    let mut pages = vec![(name.to_owned(), command)];
    for below in command.get_subcommands() {
        pages.extend(self::pages(below, &format!("{name}-{}", below.get_name())));
    }
    pages
}

fn render(command: &Command) -> Result<String, Failure> {
    let mut text = Vec::new();
    let page = Man::new(command.clone()).source(concat!("elder ", env!("CARGO_PKG_VERSION")));
    let written = page.render(&mut text);
    written.map_err(|error| Failure::no_answer(format!("cannot write the page: {error}")))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
