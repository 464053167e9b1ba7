//! From drafts to a job file that passes `elder validate`.
//!
//! The text is checked by the very code that checks job files. A job with an error in it is
//! turned into a comment that says why, and the text is printed again.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::draft::{Draft, Sheet, valid_name};
use super::print::{Printed, print};
use super::prove::{self, New, Proof};
use super::{Format, Options, SourceFile, findings, target};
use crate::finding::{Finding, Severity};
use crate::model::Job;
use crate::schedule::Zones;
use crate::spec::{self, InputFile};
use crate::tools::page::Trouble;

/// What an import came to.
pub struct Imported {
    /// The job file.
    pub text: String,
    /// What could not be translated, and what is wrong in the source files.
    pub findings: Vec<Finding>,
    /// How many entries became jobs.
    pub jobs: usize,
    names: Vec<String>,
    pub(super) drafts: Vec<Draft>,
}

impl Imported {
    /// Compares the next `count` fires after `from` of each job with those of its source. The
    /// job file is read again for that; what was meant when it was written does not count.
    #[must_use]
    pub fn prove(&self, from: Timestamp, count: usize, zones: &Zones) -> Proof {
        let (jobs, _) = check(&self.text, zones);
        let mut proof = Proof::new(from, count);
        for (draft, name) in self.drafts.iter().zip(&self.names) {
            if !draft.troubles.is_empty() {
                continue;
            }
            let job = jobs.iter().find(|job| job.name().as_str() == name);
            let schedule = job.map(|job| &*job.definition.schedule);
            let rules: Vec<_> = draft.schedule.iter().filter_map(|when| when.rule).collect();
            let span = (from, count);
            let new = New {
                schedule,
                rules: &rules,
                spread: draft.spread,
            };
            proof.add(prove::prove(name, &draft.old, &new, span, zones));
        }
        proof
    }
}

/// Prints, checks, and turns what does not pass into comments until all passes.
pub(super) fn settle(
    format: Format,
    files: &[SourceFile],
    mut sheet: Sheet,
    options: &Options<'_>,
) -> Imported {
    sheet.drafts.iter_mut().for_each(target::finish);
    let names = names(&sheet.drafts);
    let from: Vec<&str> = files.iter().map(|file| &*file.name).collect();
    let mut printed = print(format, &from, &sheet, &names);
    // Each round turns at least one job into a comment.
    for _ in 0..=sheet.drafts.len() {
        let (_, found) = check(&printed.text, options.zones);
        if !refuse(&mut sheet.drafts, &printed, &found) {
            break;
        }
        printed = print(format, &from, &sheet, &names);
    }
    let findings = findings(&sheet, files);
    let jobs = sheet.drafts.iter().filter(|d| d.troubles.is_empty());
    Imported {
        text: printed.text,
        findings,
        jobs: jobs.count(),
        names,
        drafts: sheet.drafts,
    }
}

/// Notes the errors of a check at the drafts that they stand in; false when there is none.
fn refuse(drafts: &mut [Draft], printed: &Printed, found: &[Finding]) -> bool {
    let mut some = false;
    for error in found.iter().filter(|f| f.severity == Severity::Error) {
        let line = error.at.place.line;
        let index = printed.lines.partition_point(|(_, until)| *until < line);
        let within = printed
            .lines
            .get(index)
            .is_some_and(|(from, _)| *from <= line);
        match drafts.get_mut(index).filter(|_| within) {
            Some(draft) => add(draft, error),
            // In `defaults`, or nowhere: every job that is left would take it.
            None => drafts.iter_mut().for_each(|draft| add(draft, error)),
        }
        some = true;
    }
    some
}

fn add(draft: &mut Draft, error: &Finding) {
    if draft.troubles.is_empty() {
        let at = draft.at;
        let trouble = Trouble::new(error.code, at, &*error.message, &*error.help);
        draft.troubles.push(trouble);
    }
}

/// The jobs of a text and what is found in it, by the rules of job files.
pub(super) fn check(text: &str, zones: &Zones) -> (Vec<Job>, Vec<Finding>) {
    let input = InputFile {
        root: Arc::from("."),
        root_folder: Arc::from(Path::new("/jobs.d")),
        path: Arc::from("imported.yaml"),
        shown: Arc::from("imported.yaml"),
        content: Ok(Arc::from(text.as_bytes())),
        hash: [0; 32],
        within: None,
    };
    let options = spec::Options::default();
    let checked = spec::check(&[input], None, &HashMap::new(), &options, zones);
    let mut jobs = Vec::new();
    let mut found = Vec::new();
    for file in &checked.files {
        jobs.extend(file.jobs.iter().cloned());
        found.extend(file.findings.iter().cloned());
    }
    (jobs, found)
}

/// Valid names, each once, also where only the case differs.
fn names(drafts: &[Draft]) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut next: HashMap<String, usize> = HashMap::new();
    drafts
        .iter()
        .map(|draft| {
            let base = valid_name(&draft.name);
            let count = next.entry(base.to_lowercase()).or_insert(1);
            loop {
                let name = match *count {
                    1 => base.clone(),
                    n => format!("{base}-{n}"),
                };
                *count += 1;
                if taken.insert(name.to_lowercase()) {
                    return name;
                }
            }
        })
        .collect()
}
