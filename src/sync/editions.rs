//! Editions of definitions: what a plan changes of them, which file that comes of, and what of it is
//! still to be recorded.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::tree::{DEFAULTS, folder as folder_of};
use crate::decide::diff::Diff;
use crate::decide::fields::Field;
use crate::decide::merge::InForce;
use crate::decide::{Edit, Edition, remembered};
use crate::ids::{DefinitionId, JobName};
use crate::model::{Definition, Job};
use crate::spec::fingerprint;
use crate::store::{EditionOrder, Write};

/// So many new jobs at once have their editions recorded with the rest, and known to the engine; of
/// more, a start with a large tree, this is made up for afterwards.
pub(super) const FEW: usize = 1_000;

/// So many changed definitions are compared key by key. An edit of the defaults may change them all,
/// and what it is about shows in these.
const COMPARED: usize = 2_000;

/// What a plan makes of the definition of a job.
#[derive(Clone, Debug)]
pub(super) struct Turned {
    pub(super) job: JobName,
    definition: DefinitionId,
    changed: Option<Arc<[Field]>>,
    author: Option<Arc<str>>,
}

/// Two sets of jobs, and what leads from one to the other.
pub(super) struct Way<'a> {
    pub(super) before: &'a InForce,
    pub(super) after: &'a InForce,
    pub(super) renamed: &'a [(JobName, JobName)],
    pub(super) diff: &'a Diff,
}

/// The files whose content is another than the one that what is in force came from, new and removed
/// ones too: below each PATH.
pub(super) struct Edited<'a>(HashMap<&'a str, HashSet<&'a str>>);

/// What makes a definition another one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// This file, as people name it: the job's own, or defaults for it.
    File(Arc<str>),
    /// Some other file: a calendar, a pool, whatever the whole tree shares.
    Elsewhere,
    /// No file at all, but a variable of the environment or the rules of a time zone.
    NoFile,
}

impl<'a> Edited<'a> {
    pub(super) fn between(before: &'a InForce, after: &'a InForce) -> Self {
        let files = |set: &'a InForce| {
            let roots = set.roots.iter();
            roots.flat_map(|root| {
                let files = root.files.iter();
                files.map(|file| ((&*root.path, &*file.path), &file.hash))
            })
        };
        let mut old: HashMap<_, _> = files(before).collect();
        let mut edited: HashMap<&str, HashSet<&str>> = HashMap::new();
        for ((root, path), hash) in files(after) {
            if old.remove(&(root, path)) != Some(hash) {
                edited.entry(root).or_default().insert(path);
            }
        }
        for (root, path) in old.into_keys() {
            edited.entry(root).or_default().insert(path);
        }
        Self(edited)
    }

    /// What made a job of this file, as people name it, another one.
    pub(super) fn cause(&self, file: &Arc<str>) -> Cause {
        for (root, edited) in &self.0 {
            let below = file.strip_prefix(root);
            let Some(below) = below.and_then(|below| below.strip_prefix('/')) else {
                continue;
            };
            if edited.contains(below) {
                return Cause::File(file.clone());
            }
            // Of several defaults those next to the file say most.
            let mut folder = below;
            while !folder.is_empty() {
                folder = folder_of(folder);
                let slash = if folder.is_empty() { "" } else { "/" };
                let defaults = format!("{folder}{slash}{DEFAULTS}");
                if edited.contains(&*defaults) {
                    return Cause::File(format!("{root}/{defaults}").into());
                }
            }
        }
        match self.0.is_empty() {
            true => Cause::NoFile,
            false => Cause::Elsewhere,
        }
    }
}

/// What this way makes of definitions, and who made them so.
pub(super) fn turned(
    way: &Way<'_>,
    mut author: impl FnMut(&Job) -> Option<Arc<str>>,
) -> Vec<Turned> {
    let Way { renamed, diff, .. } = way;
    let before: HashMap<&JobName, &Arc<Definition>> =
        diff.before.iter().map(|old| (&old.name, old)).collect();
    let has_new_name = |job: &&Job| renamed.iter().any(|(_, to)| to == job.name());
    let changed = diff.rescheduled.iter().chain(&diff.changed);
    let changed = changed.filter(|job| renamed.is_empty() || !has_new_name(job));
    let changed = changed.filter_map(|job| Some((*before.get(job.name())?, job)));
    let pairs: Vec<(&Arc<Definition>, &Job)> = changed.chain(way.renamed_pairs()).collect();
    let mut all: Vec<Turned> = Vec::new();
    for (was, job) in pairs {
        let definition = fingerprint(&job.definition);
        if definition == fingerprint(was) {
            continue;
        }
        all.push(Turned {
            job: job.name().clone(),
            definition,
            changed: (all.len() < COMPARED).then(|| remembered(was, &job.definition)),
            author: author(job),
        });
    }
    if diff.added.len() <= FEW {
        all.extend(diff.added.iter().map(|job| Turned {
            job: job.name().clone(),
            definition: fingerprint(&job.definition),
            changed: None,
            author: author(job),
        }));
    }
    all
}

impl<'a> Way<'a> {
    /// What renamed jobs were under the old name, and what they are under the new one.
    fn renamed_pairs(&self) -> Vec<(&'a Arc<Definition>, &'a Job)> {
        if self.renamed.is_empty() {
            return Vec::new();
        }
        let jobs = |set: &'a InForce| -> HashMap<&'a JobName, &'a Job> {
            set.jobs().map(|job| (job.name(), job)).collect()
        };
        let (before, after) = (jobs(self.before), jobs(self.after));
        let pairs = self.renamed.iter();
        pairs
            .filter_map(|(from, to)| Some((&before.get(from)?.definition, *after.get(to)?)))
            .collect()
    }
}

impl Turned {
    /// The edition that comes of it with this reload.
    pub(super) fn edition(&self, at: Timestamp, revision: Option<&Arc<str>>) -> Edition {
        Edition {
            definition: self.definition,
            edit: Edit {
                at: Some(at),
                revision: revision.cloned(),
                author: self.author.clone(),
            },
            changed: self.changed.clone(),
        }
    }
}

/// An edition, as the store takes it.
pub(super) fn write(job: &JobName, edition: &Edition, order: EditionOrder) -> Write {
    Write::Edition {
        job: job.clone(),
        edition: Box::new(edition.clone()),
        order,
    }
}

/// The first editions of these jobs, as the store takes them.
pub(super) fn first(jobs: &[Job], edit: &Edit) -> Vec<Write> {
    let first = |job: &Job| {
        let edition = Edition {
            definition: fingerprint(&job.definition),
            edit: edit.clone(),
            changed: None,
        };
        write(job.name(), &edition, EditionOrder::First)
    };
    jobs.iter().map(first).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::merge::{Defined, FileInForce, RootInForce};

    fn set(files: &[(&str, u8)]) -> InForce {
        let files = files.iter().map(|(path, hash)| FileInForce {
            path: (*path).into(),
            hash: [*hash; 32],
            content: Defined::Defaults("".into()),
        });
        InForce {
            roots: vec![RootInForce {
                path: "jobs.d".into(),
                files: files.collect(),
                held: Vec::new(),
            }],
        }
    }

    #[test]
    fn a_definition_is_another_because_of_its_own_file_its_defaults_or_some_other_file() {
        let file = |name: &str| Cause::File(name.into());
        let before = set(&[
            ("_defaults.yaml", 1),
            ("x/_defaults.yaml", 1),
            ("x/a.yaml", 1),
        ]);
        for (after, want, why) in [
            (
                set(&[
                    ("_defaults.yaml", 2),
                    ("x/_defaults.yaml", 2),
                    ("x/a.yaml", 2),
                ]),
                file("jobs.d/x/a.yaml"),
                "its own file first",
            ),
            (
                set(&[
                    ("_defaults.yaml", 2),
                    ("x/_defaults.yaml", 2),
                    ("x/a.yaml", 1),
                ]),
                file("jobs.d/x/_defaults.yaml"),
                "the defaults next to it",
            ),
            (
                set(&[("x/_defaults.yaml", 1), ("x/a.yaml", 1)]),
                file("jobs.d/_defaults.yaml"),
                "removed defaults",
            ),
            (
                set(&[
                    ("_defaults.yaml", 1),
                    ("calendars.yaml", 1),
                    ("x/_defaults.yaml", 1),
                    ("x/a.yaml", 1),
                    ("y/_defaults.yaml", 1),
                ]),
                Cause::Elsewhere,
                "new files that are not its defaults",
            ),
            (before.clone(), Cause::NoFile, "nothing was edited"),
        ] {
            let edited = Edited::between(&before, &after);
            assert_eq!(edited.cause(&"jobs.d/x/a.yaml".into()), want, "{why}");
        }
    }
}
