//! Freezes: changes that wait for the end of a window of `sync_windows`.
//!
//! All of a change waits, or nothing of it: what was reviewed together comes in force together. A
//! look that moves lines or the revision and changes no job is no change. The first load of a store
//! waits for nobody; after a restart the last set that was in force goes on, where this build can read
//! all of it. What was confirmed while it waited comes in with the rest.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use jiff::Timestamp;

use super::eye::{Plan, pending_hash};
use super::handle::{Pass, WaitingChange};
use super::reload::{Reloader, Request};
use super::status::{Carried, names_of};
use crate::decide::diff::Diff;
use crate::decide::merge::InForce;
use crate::decide::{Freeze, freeze};
use crate::ids::JobName;
use crate::model::SyncWindow;

/// Whether changes wait, and what does.
#[derive(Default)]
pub(super) struct Frozen {
    windows: Arc<[SyncWindow]>,
    /// At the last look.
    pub(super) freeze: Option<Freeze>,
    pub(super) waiting: Option<WaitingChange>,
    /// The files that say so, so that the same change is told of once.
    content: Arc<str>,
    /// Removals that were confirmed while they waited, and the hash of all that were pending then.
    pub(super) confirmed: Option<(String, Vec<JobName>)>,
}

impl Frozen {
    /// What the windows say now.
    pub(super) fn look(&mut self, windows: Arc<[SyncWindow]>, now: Timestamp) {
        self.windows = windows;
        self.freeze = freeze(&self.windows, now);
    }

    /// Whether a change waited, and need not any longer.
    pub(super) fn is_thawed(&self) -> bool {
        self.waiting.is_some() && self.freeze.is_none()
    }

    /// `a change waits until 2027-01-04T08:00:00Z (nobody is here): 1 added; …`
    pub(super) fn reason(&self) -> Option<String> {
        let (waiting, freeze) = (self.waiting.as_ref()?, self.freeze.as_ref()?);
        let until = match freeze.until {
            Some(until) => format!("until {until}"),
            None => "without an end".to_owned(),
        };
        Some(format!(
            "a change is held {until} ({}): {}; `elder sync --force --reason …` lets it in now",
            freeze.why, waiting.text
        ))
    }
}

impl Plan {
    /// What leaves everything as it is.
    pub(super) fn of(in_force: &Arc<InForce>) -> Self {
        Self {
            renaming: None,
            diff: Diff::default(),
            turned: Vec::new(),
            committed: Vec::new(),
            rows: Vec::new(),
            held: in_force.held(),
            pools: in_force.pools(),
            let_go: Vec::new(),
            news: None,
            in_force: in_force.clone(),
        }
    }
}

impl Reloader {
    /// Whether a plan is wanted although no file is another: what waited may come in.
    pub(super) fn wants_anew(&self, request: &Request) -> bool {
        self.frozen.waiting.is_some()
            && (request.pass == Pass::Force
                || freeze(&self.frozen.windows, self.parts.clock.now()).is_none())
    }

    /// The removals that a request confirms, and those that were confirmed before and wait.
    pub(super) fn confirmed(&self, request: &Request) -> BTreeSet<JobName> {
        let before = self.frozen.confirmed.as_ref();
        let before = before.filter(|(hash, _)| *hash == pending_hash(self.held()));
        let before = before.map_or(&[][..], |(_, names)| names);
        before.iter().chain(&request.confirmed).cloned().collect()
    }

    /// Lets a plan wait if it changes anything and there is a freeze.
    pub(super) fn holds(
        &mut self,
        plan: &Plan,
        request: &Request,
        is_fresh: bool,
    ) -> Option<Carried> {
        let is_free = self.frozen.freeze.is_none() || request.pass == Pass::Force || is_fresh;
        if is_free || !self.changes(plan) {
            self.frozen.waiting = None;
            return None;
        }
        if !request.confirmed.is_empty() {
            let names = self.confirmed(request).into_iter().collect();
            self.frozen.confirmed = Some((pending_hash(self.held()), names));
        }
        let text = self.in_words(plan);
        let content = self.seen.content_hash.clone();
        let known = self.frozen.waiting.take();
        let known = known.filter(|_| self.frozen.content == content);
        let is_new = known.is_none();
        self.frozen.content = content;
        // The same files may be of another revision by now.
        self.frozen.waiting = Some(WaitingChange {
            since: known.map_or_else(|| self.parts.clock.now(), |known| known.since),
            revision: self.revision.clone(),
            text,
        });
        Some(Carried {
            differs: is_new,
            ..Carried::default()
        })
    }

    /// What a plan would do, jobs that the guard would keep included.
    fn in_words(&self, plan: &Plan) -> String {
        let held = self.held();
        let gone = plan.held.iter().filter(|name| !held.contains(name));
        let gone: Vec<_> = gone.collect();
        let does = Carried::of(&plan.diff, true).words();
        match (gone.is_empty(), does) {
            (true, Some(does)) => does,
            (true, None) => "names, pools, sages or held removals".to_owned(),
            (false, does) => {
                let does = does.map_or_else(String::new, |does| format!("{does}; "));
                format!(
                    "{does}{} gone from the files, to be held until confirmed: {}",
                    gone.len(),
                    names_of(gone.into_iter())
                )
            }
        }
    }

    /// Whether a plan makes anything else than what is in force.
    fn changes(&self, plan: &Plan) -> bool {
        let (diff, now) = (&plan.diff, &self.in_force);
        plan.renaming.is_some()
            || !diff.added.is_empty()
            || !diff.rescheduled.is_empty()
            || !diff.changed.is_empty()
            || !diff.removed.is_empty()
            || plan.held != now.held()
            || plan.pools != now.pools()
            || plan.in_force.sages() != now.sages()
    }

    /// Ends when what waits may come in; never while nothing waits.
    pub(super) fn thaw(&self) -> impl Future<Output = ()> + use<> {
        let clock = self.parts.clock.clone();
        let until = self.frozen.freeze.as_ref().and_then(|freeze| freeze.until);
        let until = until.filter(|_| self.frozen.waiting.is_some());
        // One that closed during the look is over by now. Where that look came to nothing it is tried
        // again anyhow.
        let until = until.filter(|until| self.out_of_sync.is_none() || *until > clock.now());
        async move {
            match until {
                Some(until) => drop(clock.sleep_until(Some(until)).await),
                None => std::future::pending().await,
            }
        }
    }
}
