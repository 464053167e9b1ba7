//! `elder init`: a folder of job files to begin with.

use std::fs;
use std::io::{ErrorKind, Write};

use crate::spec;

use super::args::InitArgs;
use super::console::Console;
use super::exit::{Exit, Failure};

/// The files that are made, but for the schema.
const FILES: [(&str, &str); 2] = [
    ("_defaults.yaml", include_str!("starter/_defaults.yaml")),
    ("first.yaml", include_str!("starter/first.yaml")),
];

/// Makes the folder and says what to type next.
///
/// # Errors
/// When there is something in it already, or it cannot be written.
pub fn init(typed: &InitArgs, console: &mut Console) -> Result<Exit, Failure> {
    let folder = &typed.folder;
    let shown = folder.display().to_string();
    let failure =
        |error: std::io::Error| Failure::no_answer(format!("cannot write {shown}: {error}"));
    let typed = shell_word(&shown);
    // Git keeps no empty folder, and this file is how people make it.
    let is_something = |entry: std::io::Result<fs::DirEntry>| {
        entry.map_or(true, |entry| entry.file_name() != ".gitkeep")
    };
    match fs::read_dir(folder).map(|mut entries| entries.any(is_something)) {
        Ok(false) => {}
        Ok(true) => {
            return Err(
                Failure::no_answer(format!("{shown} is there, and not empty")).help(format!(
                    "elder validate {typed} checks what it holds; elder init OTHER makes another folder"
                )),
            );
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            fs::create_dir_all(folder).map_err(failure)?;
        }
        Err(error) => return Err(failure(error)),
    }
    let schema = spec::schema();
    let schema = ("elder.schema.json", schema.as_str());
    let mut text = String::new();
    for (name, content) in FILES.into_iter().chain([schema]) {
        let file = folder.join(name);
        let mut new = fs::File::create_new(&file).map_err(failure)?;
        new.write_all(content.as_bytes()).map_err(failure)?;
        text.push_str(&format!("made {}\n", file.display()));
    }
    text.push_str(&format!(
        "\nnext:  elder run {typed}                  the daemon; stop it with Ctrl-C\n\
         then:  elder validate {typed}             after an edit, and in CI\n       \
         elder next hello {typed}           when a job fires\n"
    ));
    console.answer(&text)?;
    Ok(Exit::Fine)
}

/// A word of a line for a shell, in quotes where it needs them.
fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./+:@%,=".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}
