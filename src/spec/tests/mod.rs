//! The rules of the job file, tried on whole files.

mod aliases;
mod bad;
mod bombs;
mod calendars;
mod good;
mod layers;
mod pools;
mod sages;
mod stored;
mod words;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use super::{Checked, CheckedFile, InputFile, Options, check, limits};
use crate::finding::{Code, Finding};
use crate::model::{Commons, Definition, Job};
use crate::schedule::Zones;

/// One tzdata for all tests: reading it anew for each would be the slowest part.
pub(super) fn zones() -> &'static Zones {
    static ZONES: OnceLock<Zones> = OnceLock::new();
    ZONES.get_or_init(Zones::bundled)
}

pub(super) fn options(env: &[(&str, &str)]) -> Options {
    let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Options {
        env: Arc::new(env.collect()),
        ..Options::default()
    }
}

pub(super) fn input(path: &str, bytes: &[u8]) -> InputFile {
    InputFile {
        root: "jobs.d".into(),
        root_folder: Arc::from(Path::new("/srv/jobs")),
        path: path.into(),
        shown: format!("jobs.d/{path}").into(),
        content: Ok(Arc::from(bytes)),
        hash: Sha256::digest(bytes).into(),
        within: None,
    }
}

pub(super) fn tree_with(files: &[(&str, &str)], options: &Options) -> Checked {
    let inputs: Vec<_> = files
        .iter()
        .map(|(path, text)| input(path, text.as_bytes()))
        .collect();
    check(&inputs, None, &HashMap::new(), options, zones())
}

pub(super) fn bytes(bytes: &[u8]) -> Arc<CheckedFile> {
    let inputs = [input("a.yaml", bytes)];
    let checked = check(&inputs, None, &HashMap::new(), &options(&[]), zones());
    checked.files[0].clone()
}

pub(super) fn file(text: &str) -> Arc<CheckedFile> {
    bytes(text.as_bytes())
}

pub(super) fn file_with(text: &str, env: &[(&str, &str)]) -> Arc<CheckedFile> {
    tree_with(&[("a.yaml", text)], &options(env)).files[0].clone()
}

/// The one job of a file that must be good.
pub(super) fn one(text: &str) -> Arc<Definition> {
    one_with(text, &[])
}

pub(super) fn one_with(text: &str, env: &[(&str, &str)]) -> Arc<Definition> {
    let file = file_with(text, env);
    assert!(!file.is_bad(), "{text}\n{}", shown(&file.findings));
    let [job]: &[Job; 1] = file.jobs.as_slice().try_into().expect("one job");
    job.definition.clone()
}

/// A file with one job of these keys.
pub(super) fn job(keys: &str) -> String {
    let mut text = "jobs:\n  a:\n".to_owned();
    for line in keys.trim_matches('\n').lines() {
        let _ = writeln!(text, "    {line}");
    }
    text
}

pub(super) fn codes(file: &CheckedFile) -> Vec<Code> {
    file.findings.iter().map(|finding| finding.code).collect()
}

/// The findings as a person sees them.
pub(super) fn shown(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let place = &finding.at.place;
        let _ = writeln!(
            text,
            "{} {}:{}:{}: {}",
            finding.code, place.file, place.line, place.column, finding.message
        );
        if place.line > 0 {
            let caret = finding.at.caret_column() as usize - 1;
            let carets = "^".repeat(place.length as usize);
            let _ = writeln!(text, "  | {}", finding.at.line);
            let _ = writeln!(text, "  | {}{carets}", " ".repeat(caret));
        }
        if let Some(also) = &finding.also {
            let place = &also.place;
            let _ = writeln!(text, "  {}:{}: {}", place.line, place.column, also.label);
        }
        if !finding.help.is_empty() {
            let _ = writeln!(text, "  help: {}", finding.help);
        }
    }
    text
}
