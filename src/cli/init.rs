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
    match fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(false) => {}
        Ok(true) => {
            return Err(
                Failure::no_answer(format!("{shown} is there, and not empty")).help(format!(
                    "elder validate {shown} checks what it holds; elder init OTHER makes another folder"
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
        "\nnext:  elder run {shown}                  the daemon; stop it with Ctrl-C\n\
         then:  elder validate {shown}             after an edit, and in CI\n       \
         elder next hello {shown}           when a job fires\n"
    ));
    console.answer(&text)?;
    Ok(Exit::Fine)
}
