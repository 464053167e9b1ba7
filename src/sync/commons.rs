//! Names of the whole tree across files: which table each file is checked with, and which files a
//! change touches.
//!
//! A good file counts with what it says, a bad one with what it last said
//! rightly. Whether a file is good may hang on names of another, so files
//! are checked again until nothing changes any more, a bounded number of times.

use std::collections::HashSet;

use super::file_state::{FileState, last_content};
use super::tree::{Around, At, RootState, Tree};
use crate::decide::merge::{Defined, InForce};
use crate::model::Commons;
use crate::spec::commons::{Said, Says, Source, Table};

/// So often files are checked again. Each round follows one more step from a bad file to one that
/// uses it; a circle of such steps ends here.
const ROUNDS: usize = 8;

impl Tree {
    /// What all files define for the whole tree. Files in `unchecked` count with what they say, whether they are
    /// good or not is still to be seen.
    pub(super) fn table(&self, in_force: &InForce, unchecked: &HashSet<At>) -> Table {
        let mut sources = Vec::new();
        for (index, root) in self.roots.iter().enumerate() {
            if root.lost.is_some() {
                sources.extend(lost(root, in_force));
                continue;
            }
            for (place, file) in root.files.iter().enumerate() {
                let at = (index, place);
                let bad = file.is_bad() && !unchecked.contains(&at);
                let says = says(root, file, bad || self.refused.contains(&at), in_force);
                sources.extend(says.map(|says| Source {
                    root: &root.path,
                    path: &file.path,
                    shown: &file.shown,
                    says,
                }));
            }
        }
        let mut table = Table::resolve(&sources, |root, path| {
            last_content(in_force, root, path).map_or(Commons::NONE, Defined::commons)
        });
        self.hold(&mut table, in_force);
        table
    }

    /// Lets files go on by what names meant that they use and that are gone.
    fn hold(&self, table: &mut Table, in_force: &InForce) {
        let mut sages = None;
        for root in &self.roots {
            for file in &root.files {
                let uses = file.commons().map_or(&[][..], |file| &file.uses);
                if !uses.iter().any(|one| table.misses(one)) {
                    continue;
                }
                let last = last_content(in_force, &root.path, &file.path);
                let jobs = last.map_or(&[][..], Defined::jobs);
                let sages = sages.get_or_insert_with(|| in_force.sages());
                table.hold(&root.path, &file.path, jobs, sages);
            }
        }
    }

    /// The files, but for those in `except`, to which `table` means something else than at their check.
    pub(super) fn stale(&self, table: &Table, except: &HashSet<At>) -> Vec<At> {
        let mut stale = Vec::new();
        for (index, root) in self.roots.iter().enumerate() {
            if root.lost.is_some() {
                continue;
            }
            for (place, file) in root.files.iter().enumerate() {
                let Some(own) = file.commons() else {
                    continue;
                };
                let state = table.state_of(&root.path, &file.path, &own.uses);
                if state != own.uses_state && !except.contains(&(index, place)) {
                    stale.push((index, place));
                }
            }
        }
        stale
    }

    /// Checks files again until each has been checked with the names that are to be in force.
    pub(super) fn settle(&mut self, around: &mut Around<'_>) {
        for _ in 0..ROUNDS {
            let table = self.table(around.in_force, &HashSet::new());
            let stale = self.stale(&table, &HashSet::new());
            if stale.is_empty() {
                return;
            }
            self.check_all(&stale, &table, around);
        }
    }

    /// Takes over which files the merge refuses; says whether names mean other things for it.
    pub(super) fn refuse(&mut self, refused: &HashSet<At>) -> bool {
        let says = |at: &At| {
            let file = &self.roots[at.0].files[at.1];
            file.commons()
                .is_some_and(|own| own.said != Said::default())
        };
        let differs = self.refused.symmetric_difference(refused).any(says);
        self.refused.clone_from(refused);
        differs
    }
}

/// What is to be taken for what a file says, if that is anything.
fn says<'a>(
    root: &RootState,
    file: &'a FileState,
    bad: bool,
    in_force: &'a InForce,
) -> Option<Says<'a>> {
    let said = file.commons().map(|own| &own.said);
    if !bad && !said.is_some_and(Said::is_bad) {
        return said.filter(|said| **said != Said::default()).map(Says::Now);
    }
    let last = last_content(in_force, &root.path, &file.path);
    // Of a file that never was good: that it is bad is all it says.
    let last = last.and_then(last_says);
    last.or_else(|| said.filter(|said| said.is_bad()).map(Says::Now))
}

/// What is in force of a file, if it defines anything for the whole tree.
fn last_says(content: &Defined) -> Option<Says<'_>> {
    match content {
        Defined::Commons(_, commons) => Some(Says::Last(commons)),
        Defined::Dates(dates) => Some(Says::LastDates(dates)),
        Defined::Jobs(_) | Defined::Defaults(_) => None,
    }
}

/// What is in force of a PATH that cannot be read.
fn lost<'a>(root: &'a RootState, in_force: &'a InForce) -> Vec<Source<'a>> {
    let known = in_force.roots.iter().find(|known| known.path == root.path);
    let files = known.map_or(&[][..], |known| &known.files).iter();
    files
        .filter_map(|file| {
            Some(Source {
                root: &root.path,
                path: &file.path,
                shown: &file.path,
                says: last_says(&file.content)?,
            })
        })
        .collect()
}
