//! Checked files merged as a sync would merge them, beside what is in force: nothing is put in
//! force, and what stands in the way becomes findings.

use std::sync::Arc;

use crate::decide::merge::{Defined, FileNow, InForce, Merged, RootNow, Rules, merge};
use crate::finding::{Excerpt, Finding};
use crate::model::NameKind;
use crate::schedule::Zones;
use crate::spec::{self, CheckedFile, InputFile};

/// The files of a tree, as a source read them.
pub struct Files<'a> {
    /// The PATHs; one may have no file.
    pub roots: &'a [Arc<str>],
    /// Their files; those of a PATH ascending by path.
    pub inputs: &'a [InputFile],
}

/// What a sync would come to.
pub struct Trial {
    /// The files, each checked by itself.
    pub files: Vec<Arc<CheckedFile>>,
    /// What would be in force.
    pub merged: Merged,
    /// What is wrong with each file beside the others, in the order of the files.
    pub across: Vec<Vec<Finding>>,
}

impl Trial {
    /// Everything that was found, in the order of the files.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let files = self.files.iter().zip(&self.across);
        let all = files.flat_map(|(file, across)| file.findings.iter().chain(across));
        all.cloned().collect()
    }
}

/// Checks files and merges them with what is in force.
#[must_use]
pub fn trial(
    files: &Files<'_>,
    in_force: &InForce,
    rules: &Rules,
    options: &spec::Options,
    zones: &Zones,
) -> Trial {
    let last_good = in_force.defaults_texts();
    let files_checked = spec::check(files.inputs, None, &last_good, options, zones).files;
    let (merged, across) = merged(files.roots, &files_checked, in_force, rules);
    Trial {
        files: files_checked,
        merged,
        across,
    }
}

fn merged(
    roots: &[Arc<str>],
    files: &[Arc<CheckedFile>],
    in_force: &InForce,
    rules: &Rules,
) -> (Merged, Vec<Vec<Finding>>) {
    let contents: Vec<Option<Defined>> = files.iter().map(|file| defined(file)).collect();
    let mut now: Vec<RootNow<'_>> = roots
        .iter()
        .map(|path| RootNow {
            path,
            lost: false,
            files: Vec::new(),
        })
        .collect();
    let mut places: Vec<Vec<usize>> = vec![Vec::new(); roots.len()];
    for (index, file) in files.iter().enumerate() {
        let Some(root) = roots.iter().position(|root| *root == file.root) else {
            continue;
        };
        now[root].files.push(FileNow {
            path: &file.path,
            shown: &file.shown,
            hash: &file.hash,
            content: contents[index].as_ref(),
        });
        places[root].push(index);
    }
    let merged = merge(&now, in_force, rules);
    let mut findings = vec![Vec::new(); files.len()];
    for conflict in &merged.conflicts {
        let (root, place) = conflict.file;
        let own = places.get(root).and_then(|places| places.get(place));
        if let Some(own) = own {
            findings[*own].push(
                conflict.finding(&files[*own].shown, |file, kind, name, line| {
                    // Several files of one manifest are shown under its name.
                    let mut there = files.iter().filter(|one| *one.shown == *file);
                    there.find_map(|file| excerpt_of(file, kind, name.as_str(), line))
                }),
            );
        }
    }
    (merged, findings)
}

fn defined(file: &CheckedFile) -> Option<Defined> {
    if file.is_bad() {
        return None;
    }
    if let Some(dates) = &file.dates {
        return Some(Defined::Dates(dates.clone()));
    }
    Some(match &file.defaults_text {
        Some(text) if file.is_defaults => Defined::Defaults(text.clone()),
        _ => Defined::of(file.jobs.clone().into(), file.commons.clone()),
    })
}

fn excerpt_of(file: &CheckedFile, kind: NameKind, name: &str, line: u32) -> Option<Excerpt> {
    let mut names = file.names.iter();
    let place = names
        // An alias may stand below the line that its job is known by.
        .find(|place| {
            let is_there = place.at.place.line == line || kind == NameKind::Alias;
            place.kind == kind && *place.name == *name && is_there
        });
    place.map(|place| place.at.clone())
}
