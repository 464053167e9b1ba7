//! The part of a sync that blocks: look, check, merge, and say what would follow.
//!
//! Nothing is carried out here. When a plan is not carried out, the same look
//! gives it again.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::editions::{Cause, Edited, Turned, Way, turned};
use super::handle::SourceView;
use super::language::Language;
use super::ledger::{self, Row, hex};
use super::recast::{News, Recast};
use super::tree::{Around, At, Tree};
use crate::decide::diff::{Diff, diff};
use crate::decide::is_uncommitted;
use crate::decide::merge::{Conflict, ConflictKind, InForce, Rules, merge};
use crate::decide::rename::renames;
use crate::finding::{Finding, Severity};
use crate::ids::JobName;
use crate::model::{Job, Pool, SyncWindow};
use crate::source::{Directory, Look, Revisions, Snapshot, Watcher, Watching};
use crate::spec::Variables;

/// As many findings are told of at once.
const MAX_FINDINGS: usize = 10_000;

/// So often the merge is asked again because a file that it refused defines names of the whole tree.
const ROUNDS: usize = 4;

/// For so many conflicts the text of both places is shown; the rest name their lines.
const MAX_EXCERPTS: usize = 100;

/// Everything that looking needs, kept from one look to the next.
pub(super) struct Eye {
    directory: Directory,
    watcher: Watcher,
    language: Arc<dyn Language>,
    tree: Tree,
    seen: Arc<Seen>,
    /// Whether a PATH that is missing and never held anything is an empty one.
    missing: Missing,
    /// What changed beside the files and is not in force yet.
    recast: Option<Recast>,
    /// Where revisions come from; `None` where somebody said which one it is.
    revisions: Option<Revisions>,
    revision: Option<Arc<str>>,
    /// Who somebody said made it.
    told_author: Option<Arc<str>>,
    author: Option<Arc<str>>,
}

/// What a PATH is that is missing and never held anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// Lost.
    Lost,
    /// Empty so far: nobody named it, it is only where job files usually are.
    Empty,
}

/// What somebody said of the files.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// Which revision they are; no repository is looked at then.
    pub(super) revision: Option<Arc<str>>,
    /// Who made it.
    pub(super) author: Option<Arc<str>>,
}

/// What to look for.
pub(super) struct Ask {
    pub(super) now: Timestamp,
    pub(super) look: Look,
    pub(super) in_force: Arc<InForce>,
    pub(super) rules: Rules,
    /// Jobs whose last edit was in no commit, and the revision that it was beyond.
    pub(super) uncommitted: Vec<(JobName, Option<Arc<str>>)>,
    /// Whether to decide anew although no file changed.
    pub(super) anew: Anew,
}

/// Whether a decision is wanted although no file changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Anew {
    /// Only when a file changed.
    IfChanged,
    /// In any case: the last plan was not carried out, or something is confirmed.
    Always,
}

/// What the files say, for whoever asks.
#[derive(Clone, Default)]
pub(super) struct Seen {
    pub(super) content_hash: Arc<str>,
    pub(super) findings: Vec<Finding>,
    pub(super) sources: Vec<SourceView>,
    /// The variables of elder's environment that files ask for.
    pub(super) variables: Arc<Variables>,
    /// Job files, without those for defaults.
    pub(super) files: usize,
    /// Files that are refused.
    pub(super) bad: usize,
    /// PATHs that cannot be read and never could, or that hold no job file.
    pub(super) empty: Vec<EmptyRoot>,
}

/// A PATH that gives nothing.
#[derive(Clone)]
pub(super) struct EmptyRoot {
    pub(super) path: Arc<str>,
    /// Why, when it cannot be read.
    pub(super) lost: Option<String>,
    /// Whether anything of it is in force all the same.
    pub(super) is_known: bool,
}

impl Seen {
    pub(super) fn is_lost(&self) -> bool {
        self.sources.iter().any(|source| source.lost.is_some())
    }

    /// Whether other files are bad than those that `told` knows of, or bad in another way, or other PATHs lost.
    pub(super) fn is_other_trouble(&self, told: &Self) -> bool {
        let is_error = |finding: &&Finding| finding.severity == Severity::Error;
        let lost = |seen: &Self| -> Vec<_> {
            let lost = seen.sources.iter().filter(|source| source.lost.is_some());
            lost.map(|source| source.path.clone()).collect()
        };
        let ours = self.findings.iter().filter(is_error);
        let theirs = told.findings.iter().filter(is_error);
        self.bad != told.bad || lost(self) != lost(told) || !ours.eq(theirs)
    }
}

/// What a look came to.
pub(super) struct Looked {
    pub(super) seen: Arc<Seen>,
    /// Which revision the files are, if that is known.
    pub(super) revision: Option<Arc<str>>,
    /// Who made that revision, if that is known.
    pub(super) author: Option<Arc<str>>,
    pub(super) watching: Watching,
    /// When changes are let in, and when they wait.
    pub(super) windows: Arc<[SyncWindow]>,
    /// `None` when nothing is to be decided.
    pub(super) plan: Option<Plan>,
}

/// Jobs that take other names, before anything else changes.
pub(super) struct Renaming {
    pub(super) moves: Vec<(JobName, JobName)>,
    /// Those of jobs that are in force.
    pub(super) renamed: Vec<(JobName, JobName)>,
    /// What is in force under the new names.
    pub(super) in_force: Arc<InForce>,
    /// Rows of files that the store does not have like this.
    pub(super) rows: Vec<Row>,
}

/// What would put in force what the files say.
pub(super) struct Plan {
    pub(super) renaming: Option<Renaming>,
    pub(super) in_force: Arc<InForce>,
    pub(super) diff: Diff,
    /// Definitions that are others, and new ones.
    pub(super) turned: Vec<Turned>,
    /// Jobs whose last edit is in the revision now, and who made it.
    pub(super) committed: Vec<(JobName, Option<Arc<str>>)>,
    /// Rows of files and holds that the store does not have like this.
    pub(super) rows: Vec<Row>,
    pub(super) held: Vec<JobName>,
    pub(super) pools: Vec<Arc<Pool>>,
    pub(super) let_go: Vec<(Arc<str>, Vec<JobName>)>,
    /// What changed beside the files.
    pub(super) news: Option<News>,
}

impl Eye {
    pub(super) fn new(
        directory: Directory,
        watcher: Watcher,
        language: Arc<dyn Language>,
        missing: Missing,
        told: Told,
    ) -> Self {
        let Told { revision, author } = told;
        Self {
            missing,
            directory,
            watcher,
            language,
            tree: Tree::default(),
            seen: Arc::new(Seen::default()),
            recast: None,
            revisions: revision.is_none().then(Revisions::default),
            revision,
            author: author.clone(),
            told_author: author,
        }
    }

    /// Forgets everything that was seen: the next look reads all files.
    pub(super) fn forget(&mut self) {
        self.directory.forget();
        self.tree = Tree::default();
    }

    pub(super) fn look(&mut self, ask: &Ask) -> Looked {
        if let Some(refreshed) = self.language.refresh() {
            self.forget();
            let recast = Recast::new(ask.in_force.clone(), refreshed, &*self.language);
            self.recast = Some(recast);
        }
        let mut snapshot = self.directory.scan(ask.now, ask.look);
        if let Some(revisions) = &mut self.revisions {
            revisions.look(&mut snapshot.roots);
        }
        let watching = self.watcher.update(&snapshot);
        if self.missing == Missing::Empty {
            let new = snapshot.roots.iter_mut();
            for root in new.filter(|root| root.is_missing && !is_known(&ask.in_force, &root.path)) {
                root.lost = None;
            }
        }
        let language = self.language.clone();
        let changed = self.tree.update(
            &mut snapshot,
            &mut self.directory,
            &*language,
            &ask.in_force,
        );
        let moved = self.is_at_another_revision(changed);
        let anew = changed || moved || ask.anew == Anew::Always;
        let plan = anew.then(|| self.decide(ask, &mut snapshot));
        Looked {
            seen: self.seen.clone(),
            revision: self.revision.clone(),
            author: self.author.clone(),
            watching,
            windows: self.language.windows(),
            plan,
        }
    }

    /// Looks which revision the files are, and says whether it is another than before.
    fn is_at_another_revision(&mut self, changed: bool) -> bool {
        let Some(revisions) = &mut self.revisions else {
            return false;
        };
        let revision = revisions.revision(changed);
        let moved = revision != self.revision;
        self.revision = revision;
        if moved && self.told_author.is_none() {
            self.author = revisions.author();
        }
        moved
    }

    /// Which of these jobs' edits are in a commit now.
    fn committed(
        &mut self,
        uncommitted: &[(JobName, Option<Arc<str>>)],
        in_force: &InForce,
    ) -> Vec<(JobName, Option<Arc<str>>)> {
        let has_revision = self.revision.as_deref();
        let has_revision = has_revision.is_some_and(|it| !is_uncommitted(it));
        let is_clean = has_revision && self.revisions.as_ref().is_none_or(Revisions::is_clean);
        if uncommitted.is_empty() || !is_clean {
            return Vec::new();
        }
        let beyond: HashMap<_, _> = uncommitted.iter().map(|(job, rev)| (job, rev)).collect();
        let mut committed = Vec::new();
        for job in in_force.jobs() {
            let Some(beyond) = beyond.get(job.name()) else {
                continue;
            };
            let author = match (&self.told_author, &mut self.revisions) {
                (Some(author), _) => Some(author.clone()),
                // Which file that was is not remembered: the job's own, if a commit since touched it.
                (None, Some(revisions)) => {
                    revisions.author_since(&job.origin.file, beyond.as_deref())
                }
                (None, None) => None,
            };
            committed.push((job.name().clone(), author));
        }
        committed
    }

    /// Who made a job what it is now, as far as that is known.
    fn author_of(&mut self, job: &Job, edited: &Edited<'_>) -> Option<Arc<str>> {
        if let Some(author) = &self.told_author {
            return Some(author.clone());
        }
        let revisions = self.revisions.as_mut()?;
        match edited.cause(&job.origin.file) {
            Cause::File(file) => revisions.author_of(&file),
            Cause::Elsewhere => revisions.author(),
            Cause::NoFile => None,
        }
    }

    fn decide(&mut self, ask: &Ask, snapshot: &mut Snapshot) -> Plan {
        // Once a plan is carried out, another set is in force, with everything new in it.
        let recast = self.recast.take();
        self.recast = recast.filter(|recast| Arc::ptr_eq(&recast.from, &ask.in_force));
        let last = self.recast.as_ref();
        let last = last.map_or(&ask.in_force, |recast| &recast.to).clone();
        let mut merged = merge(&self.tree.now(), &last, &ask.rules);
        // A file that is refused counts with what it last said rightly, which may make others bad.
        for _ in 0..ROUNDS {
            if !self.tree.refuse(&merged.refused) {
                break;
            }
            let mut around = Around {
                snapshot,
                directory: &mut self.directory,
                language: &*self.language,
                in_force: &last,
            };
            self.tree.settle(&mut around);
            merged = merge(&self.tree.now(), &last, &ask.rules);
        }
        let found = self.findings_of(&merged.conflicts, snapshot, &ask.in_force);
        self.seen = Arc::new(self.see(snapshot, &merged.refused, found, &ask.in_force));
        let renames = renames(&ask.in_force, &merged.in_force);
        let before = renames.as_ref();
        let before = before.map_or(&*ask.in_force, |renames| &renames.in_force);
        let diff = diff(before, &merged.in_force);
        let rows = ledger::rows(before, &merged.in_force);
        let way = Way {
            before: &ask.in_force,
            after: &merged.in_force,
            renamed: renames.as_ref().map_or(&[], |renames| &renames.renamed),
            diff: &diff,
        };
        let edited = Edited::between(&ask.in_force, &merged.in_force);
        let turned = turned(&way, |job| self.author_of(job, &edited));
        let committed = self.committed(&ask.uncommitted, &merged.in_force);
        let recast = self.recast.as_ref();
        Plan {
            turned,
            committed,
            news: recast.map(|recast| recast.news(&diff.rescheduled, ask.now)),
            diff,
            rows,
            renaming: renames.map(|renames| Renaming {
                rows: ledger::rows(&ask.in_force, &renames.in_force),
                moves: renames.moves,
                renamed: renames.renamed,
                in_force: Arc::new(renames.in_force),
            }),
            held: merged.in_force.held(),
            pools: merged.in_force.pools(),
            in_force: Arc::new(merged.in_force),
            let_go: merged.let_go,
        }
    }

    fn see(
        &self,
        snapshot: &Snapshot,
        refused: &HashSet<At>,
        mut conflicts: Vec<(At, Finding)>,
        in_force: &InForce,
    ) -> Seen {
        let mut seen = Seen {
            content_hash: snapshot.content_hash().into(),
            ..Seen::default()
        };
        let mut variables = Variables::default();
        conflicts.reverse();
        for (index, root) in self.tree.roots.iter().enumerate() {
            let mut view = SourceView {
                path: root.path.clone(),
                folder: root.folder.clone(),
                files: 0,
                bad_files: 0,
                lost: root.lost.clone(),
            };
            for (place, file) in root.files.iter().enumerate() {
                let is_bad = file.is_bad() || refused.contains(&(index, place));
                view.files += usize::from(!file.is_defaults() && !file.is_ics());
                view.bad_files += usize::from(is_bad);
                seen.findings.extend(file.findings().iter().cloned());
                variables.extend(&file.variables);
                while let Some((_, finding)) = conflicts.pop_if(|(at, _)| *at == (index, place)) {
                    seen.findings.push(finding);
                }
            }
            if view.files == 0 || root.lost.is_some() {
                seen.empty.push(EmptyRoot {
                    path: root.path.clone(),
                    lost: root.lost.clone(),
                    is_known: is_known(in_force, &root.path),
                });
            }
            seen.files += view.files;
            seen.bad += view.bad_files;
            seen.sources.push(view);
        }
        seen.findings.truncate(MAX_FINDINGS);
        seen.variables = Arc::new(variables);
        seen
    }

    /// The findings of conflicts between files, in the order of files.
    fn findings_of(
        &mut self,
        conflicts: &[Conflict],
        snapshot: &mut Snapshot,
        in_force: &InForce,
    ) -> Vec<(At, Finding)> {
        let shown: Vec<&Conflict> = conflicts.iter().take(MAX_EXCERPTS).collect();
        let mut files: BTreeSet<At> = BTreeSet::new();
        for conflict in &shown {
            files.insert(conflict.file);
            if let ConflictKind::Name { other_file, .. } = &conflict.kind {
                files.extend(self.tree.find(other_file));
            }
        }
        let mut around = Around {
            snapshot,
            directory: &mut self.directory,
            language: &*self.language,
            in_force,
        };
        self.tree.find_places(&files, &mut around);
        let told = conflicts.iter().enumerate().take(MAX_FINDINGS);
        told.map(|(index, conflict)| {
            let show = if index < MAX_EXCERPTS {
                Show::Text
            } else {
                Show::Line
            };
            (conflict.file, self.finding_of(conflict, show))
        })
        .collect()
    }

    fn finding_of(&self, conflict: &Conflict, show: Show) -> Finding {
        let (root, place) = conflict.file;
        let shown = &self.tree.roots[root].files[place].shown;
        conflict.finding(shown, |file, kind, name, _| match show {
            Show::Text => self.tree.place_of(file, kind, name.as_str()),
            Show::Line => None,
        })
    }
}

/// How a place is shown.
#[derive(Clone, Copy)]
enum Show {
    /// With the text of its line.
    Text,
    /// By its number: to look the text up for very many would take too long.
    Line,
}

/// Whether anything of a PATH is in force.
fn is_known(in_force: &InForce, path: &str) -> bool {
    let mut roots = in_force.roots.iter();
    roots.any(|root| *root.path == *path && (!root.files.is_empty() || !root.held.is_empty()))
}

/// The hash that a confirmation names the pending removals by; empty when there are none.
pub(super) fn pending_hash(held: &[JobName]) -> String {
    use sha2::{Digest, Sha256};
    if held.is_empty() {
        return String::new();
    }
    let mut hash = Sha256::new();
    for name in held {
        hash.update(name.as_str());
        hash.update([0]);
    }
    hex(&hash.finalize()[..8])
}
