//! `elder import`: job files out of another scheduler's files.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::finding::Severity;
use crate::finding::render::{Colour, Format as Rendering, Report};
use crate::schedule::Zones;
use crate::tools::import::{self, Columns, Format, Options, SourceFile};

use super::args::{ImportArgs, SourceFormat};
use super::console::Console;
use super::exit::{Exit, Failure};

/// The largest file that is read.
const LARGEST: u64 = 16 << 20;
/// Files that may include others, all together.
const MOST_FILES: usize = 1_000;

/// Reads the files, prints the job file, says what it lacks.
///
/// # Errors
/// When a file cannot be read, or the job file not be written.
pub fn import(typed: &ImportArgs, console: &mut Console) -> Result<Exit, Failure> {
    // What is built in is the same everywhere, and so is the job file.
    let zones = Zones::bundled();
    zones
        .get(&typed.timezone)
        .map_err(|error| Failure::no_answer(error.to_string()).help(error.help))?;
    if let Some(output) = &typed.output
        && output.exists()
        && !typed.force
    {
        let message = format!("{} exists", output.display());
        return Err(Failure::no_answer(message).help("name another file, or add --force"));
    }
    let format = match typed.format {
        SourceFormat::Crontab => Format::Crontab,
        SourceFormat::Cronjob => Format::Cronjob,
        SourceFormat::Systemd => Format::Systemd,
        SourceFormat::Cronstable => Format::Cronstable,
        SourceFormat::Apscheduler => Format::Apscheduler,
    };
    let files = read_all(format, &typed.files)?;
    let options = Options {
        timezone: &typed.timezone,
        columns: match (typed.system, typed.user) {
            (true, _) => Columns::System,
            (_, true) => Columns::User,
            _ => Columns::Auto,
        },
        zones: &zones,
    };
    let imported = import::import(format, &files, &options);
    match &typed.output {
        Some(output) => write(output, &imported.text, typed.force)?,
        None => console.answer(&imported.text)?,
    }
    let report = Report::new(files.len(), imported.jobs, &imported.findings);
    let mut exit = Exit::Fine;
    if !report.findings().is_empty() {
        console.say(report.render(Rendering::Human(Colour::Off)).trim_end());
    }
    if report.count(Severity::Error) > 0 {
        exit = Exit::DoesNotHold;
    }
    if typed.prove {
        let from = typed.from.unwrap_or_else(|| SystemClock::default().now());
        let count = usize::try_from(typed.n).unwrap_or(usize::MAX);
        let proof = imported.prove(from, count, &zones);
        console.say(proof.render().trim_end());
        if !proof.holds() {
            exit = Exit::DoesNotHold;
        }
    }
    Ok(exit)
}

/// The files that were named, and those that they need beside them.
fn read_all(format: Format, names: &[String]) -> Result<Vec<SourceFile>, Failure> {
    let mut files = Vec::new();
    let mut seen = HashSet::new();
    for name in names {
        let text = match name.as_str() {
            "-" => read_input()?,
            _ => read(Path::new(name))?,
        };
        seen.insert(std::path::PathBuf::from(name));
        files.push(SourceFile {
            name: Arc::from(if name == "-" { "<stdin>" } else { name }),
            text,
        });
    }
    let mut at = 0;
    while let Some(file) = files.get(at) {
        for path in import::companions(format, file) {
            if files.len() >= MOST_FILES {
                let message = format!("more than {MOST_FILES} files include each other");
                return Err(Failure::no_answer(message));
            }
            // A missing one is told by the import, at the place that needs it.
            if seen.insert(path.clone()) && path.is_file() {
                let text = read(&path)?;
                files.push(SourceFile {
                    name: Arc::from(path.display().to_string()),
                    text,
                });
            }
        }
        at += 1;
    }
    Ok(files)
}

fn read(path: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| {
        Failure::no_answer(format!("{} cannot be read: {error}", path.display()))
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    text_of(file, &path.display().to_string())
}

fn read_input() -> Result<String, Failure> {
    text_of(std::io::stdin().lock(), "standard input")
}

fn text_of(from: impl Read, name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::no_answer(format!("{name} cannot be read: {error}")))?;
    if bytes.len() as u64 > LARGEST {
        let message = format!("{name} is larger than {} MiB", LARGEST >> 20);
        return Err(Failure::no_answer(message));
    }
    String::from_utf8(bytes).map_err(|_| {
        Failure::no_answer(format!("{name} is not UTF-8")).help("convert it with iconv first")
    })
}

/// Writes the job file; only `force` writes over one that came up meanwhile.
fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::no_answer(format!("{} cannot be written: {error}", path.display()))
    };
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    match force {
        true => options.create(true).truncate(true),
        false => options.create_new(true),
    };
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}
