//! Status and report, in words.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::eye::{Seen, pending_hash};
use super::frozen::Frozen;
use super::handle::{SyncState, SyncStatus};
use crate::decide::diff::Diff;
use crate::decide::merge::InForce;
use crate::ids::JobName;
use crate::model::{Job, ReloadReport, ReloadResult, ReloadTrigger};

/// As many names are told of in one sentence.
const MAX_NAMES: usize = 20;

/// What a reload put in force.
#[derive(Clone, Debug, Default)]
pub(super) struct Carried {
    pub(super) added: usize,
    pub(super) renamed: usize,
    pub(super) rescheduled: usize,
    pub(super) changed: usize,
    pub(super) removed: usize,
    /// Which these are, the first of each kind.
    pub(super) touched: Vec<String>,
    pub(super) will_not_fire_today: Vec<JobName>,
    /// Whether anything is another than before, a hold or a place too.
    pub(super) differs: bool,
}

impl Carried {
    /// What this difference comes to.
    pub(super) fn of(diff: &Diff, differs: bool) -> Self {
        let all = |jobs: &[Job]| names_of(jobs.iter().map(Job::name));
        let kinds = [
            ("added", all(&diff.added)),
            ("rescheduled", all(&diff.rescheduled)),
            ("changed", all(&diff.changed)),
            ("removed", names_of(diff.removed.iter())),
        ];
        let touched = kinds.into_iter().filter(|(_, names)| !names.is_empty());
        Self {
            added: diff.added.len(),
            renamed: 0,
            rescheduled: diff.rescheduled.len(),
            changed: diff.changed.len(),
            removed: diff.removed.len(),
            touched: touched
                .map(|(kind, names)| format!("{kind}: {names}"))
                .collect(),
            will_not_fire_today: Vec::new(),
            differs,
        }
    }

    /// `1 added, 2 removed (added: a; removed: b, c)`; nothing where it does nothing to a job.
    pub(super) fn words(&self) -> Option<String> {
        let counts = [
            (self.added, "added"),
            (self.rescheduled, "rescheduled"),
            (self.changed, "changed"),
            (self.removed, "removed"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        let counts: Vec<_> = counts.map(|(n, what)| format!("{n} {what}")).collect();
        (!counts.is_empty()).then(|| format!("{} ({})", counts.join(", "), self.touched.join("; ")))
    }
}

/// What status and report are made of.
pub(super) struct Facts<'a> {
    pub(super) seen: &'a Seen,
    pub(super) in_force: &'a Arc<InForce>,
    pub(super) held: &'a [JobName],
    pub(super) revision: Option<Arc<str>>,
    pub(super) author: Option<Arc<str>>,
    pub(super) applied_at: Option<Timestamp>,
    /// What the last report was about.
    pub(super) told: &'a Seen,
    /// Why what the files say is not in force.
    pub(super) out_of_sync: Option<&'a str>,
    /// When changes wait, and whether one does.
    pub(super) frozen: &'a Frozen,
}

impl Facts<'_> {
    pub(super) fn status(&self, now: Timestamp) -> SyncStatus {
        let (state, reason) = self.state();
        SyncStatus {
            state,
            reason,
            revision: self.revision.clone(),
            author: self.author.clone(),
            content_hash: self.seen.content_hash.clone(),
            applied_at: self.applied_at,
            observed_at: Some(now),
            findings: self.seen.findings.clone(),
            sources: self.seen.sources.clone(),
            variables: self.seen.variables.clone(),
            pending: self.held.iter().map(ToString::to_string).collect(),
            pending_hash: pending_hash(self.held),
            freeze: self.frozen.freeze.clone(),
            waiting: self.frozen.waiting.clone(),
            in_force: self.in_force.clone(),
        }
    }

    fn state(&self) -> (SyncState, String) {
        let mut sources = self.seen.sources.iter();
        let lost = sources.find_map(|source| Some((&source.path, source.lost.as_ref()?)));
        if let Some((path, why)) = lost {
            let reason = format!("{path}: {why}; what it last defined goes on");
            return (SyncState::SourceLost, reason);
        }
        if self.seen.bad > 0 {
            let files = match self.seen.bad {
                1 => "1 file is bad; what it last defined goes on".to_owned(),
                n => format!("{n} files are bad; what they last defined goes on"),
            };
            return (SyncState::Invalid, files);
        }
        let removals = (!self.held.is_empty()).then(|| {
            format!(
                "gone from the files and kept until confirmed: {}; `elder sync --prune` lets them go",
                names(self.held)
            )
        });
        let held: Vec<_> = self.frozen.reason().into_iter().chain(removals).collect();
        if !held.is_empty() {
            return (SyncState::Held, held.join("; "));
        }
        match self.out_of_sync {
            Some(why) => (SyncState::OutOfSync, why.to_owned()),
            None => (SyncState::Synced, String::new()),
        }
    }

    pub(super) fn report(
        &self,
        carried: &Carried,
        trigger: ReloadTrigger,
        at: Timestamp,
        took: Duration,
        jobs: usize,
    ) -> ReloadReport {
        let names = |names: &[JobName]| names.iter().map(ToString::to_string).collect();
        ReloadReport {
            result: self.result(carried, trigger),
            trigger,
            at,
            took,
            added: carried.added,
            renamed: carried.renamed,
            rescheduled: carried.rescheduled,
            changed: carried.changed,
            removed: carried.removed,
            touched: carried.touched.clone(),
            held: names(self.held),
            waits: self.frozen.reason(),
            will_not_fire_today: names(&carried.will_not_fire_today),
            jobs,
            files: self.seen.files,
            findings: self.seen.findings.clone(),
            revision: self.revision.clone(),
            author: self.author.clone(),
            content_hash: self.seen.content_hash.clone(),
        }
    }

    /// Nobody asked for a reload by hint or clock, so it says nothing twice; everyone else gets the whole answer.
    /// A file that is bad, or good again, is news although nothing that is in force is another.
    fn result(&self, carried: &Carried, trigger: ReloadTrigger) -> ReloadResult {
        let unasked = matches!(trigger, ReloadTrigger::Watch | ReloadTrigger::Poll);
        let differs = carried.differs || self.seen.is_other_trouble(self.told);
        if unasked && !differs {
            return ReloadResult::Unchanged;
        }
        let all_lost = self.seen.sources.iter().all(|source| source.lost.is_some());
        if self.seen.bad > 0 && self.seen.bad >= self.seen.files
            || all_lost && !self.seen.sources.is_empty()
        {
            ReloadResult::Rejected
        } else if self.seen.bad > 0 || self.seen.is_lost() {
            ReloadResult::Partial
        } else if !self.held.is_empty() || self.frozen.waiting.is_some() {
            ReloadResult::Held
        } else if differs {
            ReloadResult::Applied
        } else {
            ReloadResult::Unchanged
        }
    }
}

/// Names in one sentence, cut to a bearable length.
pub(super) fn names(names: &[JobName]) -> String {
    names_of(names.iter())
}

pub(super) fn names_of<'a>(names: impl ExactSizeIterator<Item = &'a JobName>) -> String {
    let count = names.len();
    let shown: Vec<&str> = names.take(MAX_NAMES).map(JobName::as_str).collect();
    let shown = shown.join(", ");
    match count.checked_sub(MAX_NAMES) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}
