//! Calendars across files: which table each file is checked with, and which files a change touches.
//!
//! A good file counts with what it says, a bad one with what it last said
//! rightly. Whether a file is good may hang on calendars of another, so files
//! are checked again until nothing changes any more, a bounded number of times.

use std::collections::HashSet;

use super::file_state::{FileState, last_content};
use super::tree::{Around, At, RootState, Tree};
use crate::decide::merge::{Defined, InForce};
use crate::spec::calendars::{Calendars, Said, Says, Source, Use};

/// So often files are checked again. Each round follows one more step from a bad file to one that
/// uses it; a circle of such steps ends here.
const ROUNDS: usize = 8;

impl Tree {
    /// The calendars of all files. Files in `unchecked` count with what they say, whether they are
    /// good or not is still to be seen.
    pub(super) fn table(&self, in_force: &InForce, unchecked: &HashSet<At>) -> Calendars {
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
        let mut calendars = Calendars::resolve(&sources, |source, name| {
            let last = last_content(in_force, source.root, source.path);
            let mut last = last.map_or(&[][..], Defined::calendars).iter();
            last.any(|calendar| calendar.name.as_str() == name)
        });
        self.hold(&mut calendars, in_force);
        calendars
    }

    /// Lets files go on by the dates of calendars that they use and that are gone.
    fn hold(&self, calendars: &mut Calendars, in_force: &InForce) {
        for root in &self.roots {
            for file in &root.files {
                let uses = file.calendars().map_or(&[][..], |file| &file.uses);
                let gone = |one: &Use| matches!(one, Use::Calendar(name) if !calendars.knows(name));
                if !uses.iter().any(gone) {
                    continue;
                }
                let last = last_content(in_force, &root.path, &file.path);
                let jobs = last.map_or(&[][..], Defined::jobs).iter();
                let used = jobs.flat_map(|job| job.definition.schedule.calendars());
                calendars.hold(&root.path, &file.path, used.cloned());
            }
        }
    }

    /// The files, but for those in `except`, to which `calendars` mean something else than at their check.
    pub(super) fn stale(&self, calendars: &Calendars, except: &HashSet<At>) -> Vec<At> {
        let mut stale = Vec::new();
        for (index, root) in self.roots.iter().enumerate() {
            if root.lost.is_some() {
                continue;
            }
            for (place, file) in root.files.iter().enumerate() {
                let Some(own) = file.calendars() else {
                    continue;
                };
                let state = calendars.state_of(&root.path, &file.path, &own.uses);
                if state != own.uses_state && !except.contains(&(index, place)) {
                    stale.push((index, place));
                }
            }
        }
        stale
    }

    /// Checks files again until each has been checked with the calendars that are to be in force.
    pub(super) fn settle(&mut self, around: &mut Around<'_>) {
        for _ in 0..ROUNDS {
            let calendars = self.table(around.in_force, &HashSet::new());
            let stale = self.stale(&calendars, &HashSet::new());
            if stale.is_empty() {
                return;
            }
            self.check_all(&stale, &calendars, around);
        }
    }

    /// Takes over which files the merge refuses; says whether calendars are others for it.
    pub(super) fn refuse(&mut self, refused: &HashSet<At>) -> bool {
        let says = |at: &At| {
            let file = &self.roots[at.0].files[at.1];
            file.calendars()
                .is_some_and(|own| own.said != Said::Nothing)
        };
        let differs = self.refused.symmetric_difference(refused).any(says);
        self.refused.clone_from(refused);
        differs
    }
}

/// What is to be taken for a file's calendars, if it has any.
fn says<'a>(
    root: &RootState,
    file: &'a FileState,
    bad: bool,
    in_force: &'a InForce,
) -> Option<Says<'a>> {
    let said = file.calendars().map(|own| &own.said);
    if !bad && !matches!(said, Some(Said::Bad(_))) {
        return said.filter(|said| **said != Said::Nothing).map(Says::Now);
    }
    let last = last_content(in_force, &root.path, &file.path);
    match last {
        Some(Defined::Calendars(_, calendars)) => Some(Says::Last(calendars)),
        Some(Defined::Dates(dates)) => Some(Says::LastDates(dates)),
        // A file that never was good: that it is bad is all it says.
        _ => said
            .filter(|said| matches!(said, Said::Bad(_)))
            .map(Says::Now),
    }
}

/// The calendars of a PATH that cannot be read, as they are in force.
fn lost<'a>(root: &'a RootState, in_force: &'a InForce) -> Vec<Source<'a>> {
    let known = in_force.roots.iter().find(|known| known.path == root.path);
    let files = known.map_or(&[][..], |known| &known.files).iter();
    files
        .filter_map(|file| {
            let says = match &file.content {
                Defined::Calendars(_, calendars) => Says::Last(calendars),
                Defined::Dates(dates) => Says::LastDates(dates),
                Defined::Jobs(_) | Defined::Defaults(_) => return None,
            };
            Some(Source {
                root: &root.path,
                path: &file.path,
                shown: &file.path,
                says,
            })
        })
        .collect()
}
