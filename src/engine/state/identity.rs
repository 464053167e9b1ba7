//! Which identity a fire has, where its name has a past.

use jiff::Timestamp;

use crate::ids::{JobName, RunId};
use crate::model::Job;
use crate::store::Write;

use super::State;
use super::active::{Active, Stage};
use super::commits::Then;

impl State {
    /// The identity of a fire. A job that has another one's name now has its own for each: the other one
    /// may have a run of the same instant, under way or in the store.
    pub(super) fn fire_id(&self, job: &Job, scheduled: Timestamp) -> RunId {
        let (name, aliases) = (job.name(), &job.definition.aliases);
        let of_others = || {
            let names: Vec<_> = aliases.iter().map(JobName::as_str).collect();
            RunId::of_request(name, scheduled, &format!("before: {}", names.join(" ")))
        };
        let id = match aliases.is_empty() {
            true => RunId::of_fire(name, scheduled),
            false => of_others(),
        };
        match self.runs.contains_key(&id) {
            true => RunId::of_fire_beside(name, scheduled),
            false => id,
        }
    }

    /// The row is there under another identity than was asked for: the run takes that.
    pub(super) fn under(&mut self, mut then: Then, other: RunId) -> Then {
        match &mut then {
            Then::Start(id) => {
                self.take_identity(*id, other);
                *id = other;
            }
            Then::Recorded(id) => {
                self.take_identity(*id, other);
                *id = other;
                // Its attempt was sent to the store meanwhile, under the identity of before.
                let begins = |active: &&Active| active.stage == Stage::Recording;
                if let Some(active) = self.runs.get(id).filter(begins) {
                    let run = Box::new(active.run.clone());
                    self.write(Write::Update { run, output: None }, Then::Start(other));
                }
            }
            Then::NotRun { key, run, .. } => {
                let past = key.and_then(|key| self.job_mut(key)?.past.as_mut());
                if let Some(span) = past.and_then(|past| past.span.as_mut())
                    && span.run.id == run.id
                {
                    span.run.id = other;
                }
                run.id = other;
            }
            Then::Nothing
            | Then::Mended(..)
            | Then::Told(_)
            | Then::ToldAlone
            | Then::Paused(_) => {}
        }
        then
    }

    /// A run is known by another identity, wherever it stands.
    fn take_identity(&mut self, id: RunId, other: RunId) {
        let Some(mut active) = self.runs.remove(&id) else {
            return;
        };
        let is_queued = active.stage == Stage::Queued;
        if is_queued {
            self.places.leave(&active);
        }
        for at in [active.grace_until, active.run.next_attempt_at] {
            if let Some(at) = at.filter(|at| self.timers.remove(&(*at, id))) {
                self.timers.insert((at, other));
            }
        }
        let ids = match active.key {
            Some(key) => self.job_mut(key).map(|job| &mut job.past().active),
            None => self.orphans.get_mut(active.run.job.as_str()),
        };
        for its in ids.into_iter().flatten().filter(|its| **its == id) {
            *its = other;
        }
        active.run.id = other;
        if is_queued {
            self.places.wait(&active);
        }
        self.runs.insert(other, active);
    }
}
