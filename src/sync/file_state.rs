//! What one file says, as long as it is not looked at again.

use std::collections::HashMap;
use std::sync::Arc;

use super::tree::is_defaults;
use crate::decide::merge::{Defined, InForce};
use crate::finding::{Finding, Severity};
use crate::model::Job;
use crate::source::{Content, File};
use crate::spec::calendars::is_ics;
use crate::spec::commons::{Said, Use};
use crate::spec::{CheckedFile, NamePlace, Variables};

/// As many findings of one file are kept.
const MAX_FINDINGS: usize = 100;

/// What one file says.
pub(super) struct FileState {
    pub(super) path: Arc<str>,
    pub(super) shown: Arc<str>,
    /// Of its bytes and those of what it inherits.
    pub(super) hash: [u8; 32],
    /// What it defines; `None` when it is bad.
    pub(super) content: Option<Defined>,
    /// The variables of elder's environment that it asks for. While it is bad also those of before,
    /// for what it last defined rightly goes on.
    pub(super) variables: Variables,
    /// What few files have.
    trouble: Option<Box<Trouble>>,
    /// What fewer still have.
    pub(super) commons: Option<Box<FileCommons>>,
}

/// What a file has to do with names of the whole tree.
#[derive(Default)]
pub(super) struct FileCommons {
    /// What it says, by itself.
    pub(super) said: Said,
    /// What of other files it depends on.
    pub(super) uses: Box<[Use]>,
    /// What that was when it was checked.
    pub(super) uses_state: u64,
}

#[derive(Default)]
pub(super) struct Trouble {
    findings: Vec<Finding>,
    /// Where its names stand; read only when a finding must show one.
    pub(super) places: Vec<NamePlace>,
    /// Why it could not be read.
    unreadable: Option<String>,
}

impl FileState {
    pub(super) fn is_defaults(&self) -> bool {
        is_defaults(&self.path)
    }

    pub(super) fn is_bad(&self) -> bool {
        self.content.is_none()
    }

    /// Whether it is an `.ics` file.
    pub(super) fn is_ics(&self) -> bool {
        is_ics(&self.path)
    }

    pub(super) fn commons(&self) -> Option<&FileCommons> {
        self.commons.as_deref()
    }

    pub(super) fn findings(&self) -> &[Finding] {
        self.trouble
            .as_ref()
            .map_or(&[], |trouble| &trouble.findings)
    }

    pub(super) fn places(&self) -> &[NamePlace] {
        self.trouble.as_ref().map_or(&[], |trouble| &trouble.places)
    }

    pub(super) fn unreadable(&self) -> Option<&str> {
        self.trouble.as_ref()?.unreadable.as_deref()
    }

    pub(super) fn trouble(&mut self) -> &mut Trouble {
        self.trouble.get_or_insert_default()
    }
}

impl FileState {
    pub(super) fn new(file: &File) -> Self {
        let trouble = unreadable(file).map(|why| Trouble {
            unreadable: Some(why),
            ..Trouble::default()
        });
        Self {
            path: file.path.clone(),
            shown: file.shown.clone(),
            hash: file.hash,
            content: None,
            variables: Variables::default(),
            trouble: trouble.map(Box::new),
            commons: None,
        }
    }

    /// Takes over what it says for the whole tree.
    pub(super) fn say(&mut self, said: Said) {
        if said != Said::default() || self.commons.is_some() {
            self.commons.get_or_insert_default().said = said;
        }
    }

    /// Whether the file is as it was when it was last checked.
    pub(super) fn is_as(&self, file: &File) -> bool {
        match &file.content {
            Content::Unchanged => true,
            Content::Read(_) => false,
            Content::Unreadable(why) => self.unreadable() == Some(why.to_string().as_str()),
        }
    }

    /// Takes over what the check found.
    pub(super) fn take(&mut self, checked: &CheckedFile, in_force: &InForce) {
        self.hash = checked.hash;
        if !checked.uses.is_empty() || self.commons.is_some() {
            let commons = self.commons.get_or_insert_default();
            commons.uses = checked.uses.clone();
            commons.uses_state = checked.uses_state;
        }
        let mut findings = checked.findings.clone();
        if findings.len() > MAX_FINDINGS {
            // Errors first: they are what makes the file bad.
            findings.sort_by_key(|finding| finding.severity);
            findings.truncate(MAX_FINDINGS);
        }
        let unreadable = self.trouble.take().and_then(|trouble| trouble.unreadable);
        if unreadable.is_some() || !findings.is_empty() {
            *self.trouble() = Trouble {
                findings,
                places: Vec::new(),
                unreadable,
            };
        }
        let is_bad = checked
            .findings
            .iter()
            .any(|finding| finding.severity == Severity::Error);
        if !is_bad {
            self.variables = Variables::default();
        }
        self.variables.extend(&checked.variables);
        self.content = match (&checked.defaults_text, is_bad) {
            (_, true) => None,
            (Some(text), false) => Some(Defined::Defaults(text.clone())),
            (None, false) => {
                let last = last_content(in_force, &checked.root, &checked.path);
                Some(defined(checked, last))
            }
        };
    }
}

/// What a good file defines, with what is as it was taken from `last`.
fn defined(checked: &CheckedFile, last: Option<&Defined>) -> Defined {
    if let Some(dates) = &checked.dates {
        return match last {
            Some(Defined::Dates(last)) if last == dates => Defined::Dates(last.clone()),
            _ => Defined::Dates(dates.clone()),
        };
    }
    let (jobs, commons) = match last {
        Some(Defined::Jobs(jobs)) => (Some(jobs), None),
        Some(Defined::Commons(jobs, commons)) => (Some(jobs), Some(commons)),
        _ => (None, None),
    };
    let commons = match commons {
        Some(last) if *last == checked.commons => last.clone(),
        _ => checked.commons.clone(),
    };
    Defined::of(share(&checked.jobs, jobs), commons)
}

fn unreadable(file: &File) -> Option<String> {
    match &file.content {
        Content::Unreadable(why) => Some(why.to_string()),
        Content::Read(_) | Content::Unchanged => None,
    }
}

/// What is in force of a file.
pub(super) fn last_content<'a>(
    in_force: &'a InForce,
    root: &str,
    path: &str,
) -> Option<&'a Defined> {
    let root = in_force.roots.iter().find(|one| *one.path == *root)?;
    let place = root.files.binary_search_by(|file| (*file.path).cmp(path));
    Some(&root.files[place.ok()?].content)
}

/// `jobs`, with what is equal to `last` taken from there; when all is, `last` itself.
fn share(jobs: &[Job], last: Option<&Arc<[Job]>>) -> Arc<[Job]> {
    let Some(last) = last else {
        return jobs.into();
    };
    let by_name: HashMap<_, _> = last.iter().map(|job| (job.name(), job)).collect();
    let shared: Vec<Job> = jobs
        .iter()
        .map(|job| match by_name.get(job.name()) {
            Some(old) if old.definition == job.definition => Job {
                definition: old.definition.clone(),
                origin: job.origin.clone(),
            },
            _ => job.clone(),
        })
        .collect();
    let is_last = shared.len() == last.len()
        && shared.iter().zip(last.iter()).all(|(new, old)| {
            Arc::ptr_eq(&new.definition, &old.definition) && new.origin == old.origin
        });
    if is_last { last.clone() } else { shared.into() }
}
