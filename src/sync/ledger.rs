//! What is in force, as rows of the store, and back.
//!
//! A file is one row: what it defined when it was applied. Held jobs belong to
//! no file any more, so each PATH has two rows for them, one for each cause,
//! under names that no file below a PATH can have.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::language::Language;
use super::tree::is_defaults;
use crate::decide::merge::{Defined, FileInForce, HeldJob, HoldCause, InForce, RootInForce};
use crate::ids::JobName;
use crate::model::{Commons, Job};
use crate::spec::calendars::{dates_of, is_ics, text_of};
use crate::store::{AppliedFile, Write};

/// Of held jobs that wait for a confirmation.
const HELD_BY_GUARD: &str = "//held/guard";

/// Of held jobs that went while something could not be read.
const HELD_UNSETTLED: &str = "//held/unsettled";

/// What the store applied last, and a sentence for each row that this build cannot read.
pub(super) fn recall(rows: Vec<AppliedFile>, language: &dyn Language) -> (InForce, Vec<String>) {
    let mut roots: BTreeMap<String, RootInForce> = BTreeMap::new();
    let mut problems = Vec::new();
    // A start that was cut off between two writes may have left a job in two rows.
    let mut names: HashSet<JobName> = HashSet::new();
    for row in rows {
        let path: Arc<str> = row.root.as_str().into();
        let root = roots.entry(row.root).or_insert_with(|| RootInForce {
            path,
            files: Vec::new(),
            held: Vec::new(),
        });
        let cause = match row.path.as_str() {
            HELD_BY_GUARD => Some(HoldCause::Guard),
            HELD_UNSETTLED => Some(HoldCause::Unsettled),
            _ => None,
        };
        let content = if cause.is_none() && is_defaults(&row.path) {
            Ok(Defined::Defaults(row.definitions.into()))
        } else if cause.is_none() && is_ics(&row.path) {
            let dates = dates_of(&row.definitions);
            dates.map(|dates| Defined::Dates(Arc::new(dates)))
        } else {
            let read = language.read(&row.definitions);
            read.map(|(jobs, commons)| {
                let jobs = jobs.into_iter();
                let jobs = jobs.filter(|job| names.insert(job.name().clone()));
                Defined::of(jobs.collect(), Arc::new(commons))
            })
        };
        match (content, cause) {
            (Ok(content), Some(cause)) => {
                let held = content.jobs().iter().map(|job| HeldJob {
                    job: job.clone(),
                    cause,
                });
                root.held.extend(held);
            }
            (Ok(content), None) => root.files.push(FileInForce {
                path: row.path.into(),
                hash: from_hex(&row.hash),
                content,
            }),
            (Err(why), _) => problems.push(format!(
                "what {}/{} last defined cannot be read back: {why}",
                root.path, row.path
            )),
        }
    }
    let mut in_force = InForce {
        roots: roots.into_values().collect(),
    };
    for root in &mut in_force.roots {
        root.files.sort_by(|a, b| a.path.cmp(&b.path));
        root.held.sort_by(|a, b| a.job.name().cmp(b.job.name()));
    }
    (in_force, problems)
}

/// A row that the store is to have, or to have no more. It is printed only when it is written.
#[derive(Clone, Debug)]
pub(super) struct Row {
    root: Arc<str>,
    path: Arc<str>,
    content: RowContent,
    /// Whether the store has nothing under its key yet.
    pub(super) is_new: bool,
}

#[derive(Clone, Debug)]
enum RowContent {
    File([u8; 32], Defined),
    Held(Vec<Job>),
    Nothing,
}

impl Row {
    /// As the store takes it.
    pub(super) fn write(&self, language: &dyn Language) -> Write {
        let (hash, definitions) = match &self.content {
            RowContent::File(hash, Defined::Defaults(text)) => (hex(hash), text.to_string()),
            RowContent::File(hash, Defined::Dates(dates)) => (hex(hash), text_of(dates)),
            RowContent::File(hash, content) => {
                let text = language.print(content.jobs(), content.commons());
                (hex(hash), text)
            }
            RowContent::Held(jobs) => (String::new(), language.print(jobs, Commons::NONE)),
            RowContent::Nothing => {
                return Write::DropFile {
                    root: self.root.to_string(),
                    path: self.path.to_string(),
                };
            }
        };
        Write::File(AppliedFile {
            root: self.root.to_string(),
            path: self.path.to_string(),
            hash,
            definitions,
        })
    }
}

/// The rows that lead from `before` to `after` in the store, those that differ and no other;
/// first what replaces or drops one, then what is new.
pub(super) fn rows(before: &InForce, after: &InForce) -> Vec<Row> {
    let mut rows = Vec::new();
    let nothing = |path: &Arc<str>| RootInForce {
        path: path.clone(),
        files: Vec::new(),
        held: Vec::new(),
    };
    for root in &after.roots {
        let old = before.roots.iter().find(|old| old.path == root.path);
        match old {
            Some(old) => root_rows(old, root, &mut rows),
            None => root_rows(&nothing(&root.path), root, &mut rows),
        }
    }
    for old in &before.roots {
        if after.roots.iter().all(|root| root.path != old.path) {
            root_rows(old, &nothing(&old.path), &mut rows);
        }
    }
    rows.sort_by_key(|row| row.is_new);
    rows
}

fn root_rows(old: &RootInForce, new: &RootInForce, rows: &mut Vec<Row>) {
    let row = |path: &Arc<str>, content, is_new| Row {
        root: new.path.clone(),
        path: path.clone(),
        content,
        is_new,
    };
    let mut rest = old.files.iter().peekable();
    for file in &new.files {
        while let Some(gone) = rest.next_if(|old| old.path < file.path) {
            rows.push(row(&gone.path, RowContent::Nothing, false));
        }
        let known = rest.next_if(|old| old.path == file.path);
        let same =
            known.is_some_and(|old| old.hash == file.hash && old.content.is_same(&file.content));
        if !same {
            let content = RowContent::File(file.hash, file.content.clone());
            rows.push(row(&file.path, content, known.is_none()));
        }
    }
    rows.extend(rest.map(|gone| row(&gone.path, RowContent::Nothing, false)));
    for (path, cause) in [
        (HELD_BY_GUARD, HoldCause::Guard),
        (HELD_UNSETTLED, HoldCause::Unsettled),
    ] {
        let (old, new) = (held(old, cause), held(new, cause));
        let mut pairs = old.iter().zip(&new);
        let same = old.len() == new.len()
            && pairs.all(|(old, new)| Arc::ptr_eq(&old.definition, &new.definition));
        if !same {
            let content = match new.is_empty() {
                true => RowContent::Nothing,
                false => RowContent::Held(new),
            };
            rows.push(row(&path.into(), content, false));
        }
    }
}

fn held(root: &RootInForce, cause: HoldCause) -> Vec<Job> {
    let held = root.held.iter().filter(|held| held.cause == cause);
    held.map(|held| held.job.clone()).collect()
}

/// Zeros for what is no hash: then the row is written anew.
/// Bytes as hexadecimal text.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    if text.len() != 64 {
        return hash;
    }
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).unwrap_or_default();
        *byte = u8::from_str_radix(pair, 16).unwrap_or(0);
    }
    hash
}
