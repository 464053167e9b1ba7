//! `elder fmt`: job files in their canonical layout.

use std::collections::HashSet;
use std::path::PathBuf;

use crate::finding::render::{Colour, Report};
use crate::finding::{Code, Finding};
use crate::spec::{self, InputFile};
use crate::tools::fmt::{Layout, diff, layout};
use crate::tools::manifest;

use super::args::FmtArgs;
use super::console::Console;
use super::exit::{Exit, Failure};
use super::replace::replace;
use super::tree;

/// Lays the files out, or says which ones are not.
///
/// # Errors
/// When a PATH cannot be read. A file that cannot be written is told, and the others are laid out.
pub fn fmt(typed: &FmtArgs, console: &mut Console) -> Result<Exit, Failure> {
    let files = tree::every(&typed.paths, typed.root.as_deref())?;
    let mut seen = HashSet::new();
    let mut count = Count::default();
    for file in &files {
        let place = match place(file) {
            Ok(place) => place,
            Err(failure) => {
                console.say(&failure.to_string());
                count.unwritten += 1;
                continue;
            }
        };
        if let Some(place) = &place
            && !seen.insert(place.clone())
        {
            // Another name of a file that was looked at.
            continue;
        }
        count.files += 1;
        let text = match text_of(file) {
            Ok(text) => text,
            Err(findings) => {
                count.bad += 1;
                show(&findings, console);
                continue;
            }
        };
        // With its byte order mark, which goes.
        let whole = file.content.as_deref().ok();
        let whole = whole.and_then(|bytes| std::str::from_utf8(bytes).ok());
        let whole = whole.unwrap_or(text);
        let laid = match layout(whole) {
            Layout::Changed(laid) => Some(laid),
            Layout::Same => None,
            Layout::Left(reason) => {
                console.say(&format!("{}: left as it is: {reason}", file.shown));
                None
            }
        };
        match (laid, &place) {
            (Some(laid), _) if typed.check => {
                console.answer(&diff(&file.shown, whole, &laid))?;
                count.differ += 1;
            }
            (Some(laid), Some(place)) => {
                match replace(place, &file.shown, whole.as_bytes(), laid.as_bytes()) {
                    Ok(()) => console.say(&format!("{}: laid out", file.shown)),
                    Err(failure) => {
                        console.say(&failure.to_string());
                        count.unwritten += 1;
                    }
                }
            }
            (Some(laid), None) => console.answer(&laid)?,
            (None, None) if !typed.check => console.answer(whole)?,
            (None, _) => {}
        }
    }
    count.say(typed, console);
    Ok(match count.bad > 0 || count.differ > 0 {
        _ if count.unwritten > 0 => Exit::NoAnswer,
        true => Exit::DoesNotHold,
        false => Exit::Fine,
    })
}

#[derive(Default)]
struct Count {
    files: usize,
    /// Those that cannot be written, or are gone.
    unwritten: usize,
    bad: usize,
    differ: usize,
}

impl Count {
    fn say(&self, typed: &FmtArgs, console: &mut Console) {
        let of = match self.files {
            1 => "1 file".to_owned(),
            files => format!("{files} files"),
        };
        if self.differ > 0 {
            console.say(&format!("{} of {of} would change", self.differ));
            if !typed.paths.iter().any(|path| path == "-") {
                let again = [&["elder fmt".to_owned()], typed.paths.as_slice()].concat();
                console.say(&format!("help: {}", again.join(" ")));
            }
        }
        if self.bad > 0 {
            let verb = if typed.check { "checked" } else { "touched" };
            console.say(&format!(
                "{} of {of} cannot be read and were not {verb}",
                self.bad
            ));
        }
    }
}

/// The text of a file, when it is YAML: one document, or manifests in several.
fn text_of(file: &InputFile) -> Result<&str, Vec<Finding>> {
    let bytes = file.content.as_deref().unwrap_or_default();
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Some(manifest) = manifest::read(&file.shown, text, &file.root_folder) else {
        return spec::yaml_of(file);
    };
    // What else is wrong with a manifest has nothing to do with its layout.
    let is_unreadable = |finding: &Finding| matches!(finding.code, Code::Syntax | Code::Limit);
    let mut findings = manifest.findings;
    findings.retain(is_unreadable);
    match findings.is_empty() {
        true => Ok(text),
        false => Err(findings),
    }
}

/// Where the file is, with links followed; `None` for standard input.
fn place(file: &InputFile) -> Result<Option<PathBuf>, Failure> {
    if &*file.root == tree::STDIN {
        return Ok(None);
    }
    let place = std::fs::canonicalize(file.root_folder.join(&*file.path));
    let failure = |error| Failure::no_answer(format!("cannot find {}: {error}", file.shown));
    place.map(Some).map_err(failure)
}

/// Findings are no answer here: standard output may be the text itself.
fn show(findings: &[Finding], console: &mut Console) {
    let report = Report::new(1, 0, findings);
    console.say(report.excerpts(Colour::Off).trim_end());
}
