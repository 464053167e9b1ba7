//! Freezes: changes that wait for the end of a window of `sync_windows`.
//!
//! All of a change waits, or nothing of it: what was reviewed together comes in force together. A
//! look that moves lines or the revision and changes no job is no change. The first load of a store
//! waits for nobody; after a restart the last set that was in force goes on.

use std::future::Future;
use std::sync::Arc;

use jiff::Timestamp;

use super::eye::Plan;
use super::handle::{Pass, WaitingChange};
use super::reload::{Reloader, Request};
use super::status::Carried;
use crate::decide::diff::Diff;
use crate::decide::merge::InForce;
use crate::decide::{Freeze, freeze};
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
        let text = Carried::of(&plan.diff, true).words();
        let content = self.seen.content_hash.clone();
        let known = self.frozen.waiting.take();
        let known = known.filter(|_| self.frozen.content == content);
        let is_new = known.is_none();
        self.frozen.content = content;
        self.frozen.waiting = Some(known.unwrap_or_else(|| WaitingChange {
            since: self.parts.clock.now(),
            revision: self.revision.clone(),
            text,
        }));
        Some(Carried {
            differs: is_new,
            ..Carried::default()
        })
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
        // One that is over already is the next look's.
        let until = until.filter(|until| *until > clock.now());
        async move {
            match until {
                Some(until) => drop(clock.sleep_until(Some(until)).await),
                None => std::future::pending().await,
            }
        }
    }
}
