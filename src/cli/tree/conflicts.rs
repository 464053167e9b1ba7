//! Names of different files held against each other.

use std::sync::Arc;

use crate::decide::merge::{
    Conflict, ConflictKind, Defined, FileNow, InForce, RootNow, Rules, merge,
};
use crate::finding::{Excerpt, Finding, Place};
use crate::model::NameKind;
use crate::spec::CheckedFile;

/// What is wrong with each file beside the others: the rules of a sync into an empty store.
pub(super) fn across_files(files: &[Arc<CheckedFile>]) -> Vec<Vec<Finding>> {
    let contents: Vec<Option<Defined>> = files.iter().map(|file| defined(file)).collect();
    let mut roots: Vec<RootNow<'_>> = Vec::new();
    let mut places: Vec<Vec<usize>> = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let known = roots.iter().position(|root| *root.path == file.root);
        let known = known.unwrap_or_else(|| {
            roots.push(RootNow {
                path: &file.root,
                lost: false,
                files: Vec::new(),
            });
            places.push(Vec::new());
            roots.len() - 1
        });
        roots[known].files.push(FileNow {
            path: &file.path,
            shown: &file.shown,
            hash: &file.hash,
            content: contents[index].as_ref(),
        });
        places[known].push(index);
    }
    let merged = merge(&roots, &InForce::default(), &Rules::default());
    let mut found = vec![Vec::new(); files.len()];
    for conflict in &merged.conflicts {
        let (root, place) = conflict.file;
        let own = places.get(root).and_then(|places| places.get(place));
        if let Some(own) = own {
            found[*own].push(told(conflict, &files[*own], files));
        }
    }
    found
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

/// The conflict with the lines as the files show them.
fn told(conflict: &Conflict, own: &CheckedFile, files: &[Arc<CheckedFile>]) -> Finding {
    let whole = || Excerpt {
        place: Place::file(own.shown.clone()),
        line: String::new(),
        label: String::new(),
    };
    let ConflictKind::Name {
        kind,
        name,
        line,
        other,
        other_file,
        other_line,
        ..
    } = &conflict.kind
    else {
        return conflict.finding(whole(), None);
    };
    let at = excerpt_of(own, *kind, name.as_str(), *line).unwrap_or_else(whole);
    let there = files.iter().find(|file| file.shown == *other_file);
    let also = there.and_then(|file| excerpt_of(file, *kind, other.as_str(), *other_line));
    conflict.finding(at, also)
}

fn excerpt_of(file: &CheckedFile, kind: NameKind, name: &str, line: u32) -> Option<Excerpt> {
    let mut names = file.names.iter();
    let place = names
        .find(|place| place.kind == kind && *place.name == *name && place.at.place.line == line);
    place.map(|place| place.at.clone())
}
