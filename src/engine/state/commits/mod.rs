//! Writes on their way to the store, and what follows when they are there.
//!
//! Nothing starts without its row. When the store refuses, what was to start
//! goes back to where it was, what ended is kept to be written later, and
//! nothing is decided until the store is back.

mod outages;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::decide::MissedTold;
use crate::ids::{JobKey, JobName, RunId};
use crate::model::{Event, Outcome, Reason, Run};
use crate::store::{Write, Written};

use super::active::{Row, Stage};
use super::kept::Kept;
use super::pauses::AskedPause;
use super::{Effect, JobState, Refusal, State, Ticket};

/// So many writes make a batch, so that the first of a great many starts do not wait for the last:
/// the first batch of a round is small, and the starts that follow from it overlap with the next.
const FIRST_BATCH: usize = 64;
const BATCH: usize = 512;

/// With so many writes unanswered nothing more is decided until the store has caught up.
const MOST_UNANSWERED: usize = 100_000;

/// What follows when a write is durable.
#[derive(Debug)]
pub(super) enum Then {
    /// Nothing.
    Nothing,
    /// The attempt begins.
    Start(RunId),
    /// A waiting run has its row.
    Recorded(RunId),
    /// The job's mark is no longer ahead of the clock.
    Mended(JobKey, JobName),
    /// Letters are in the outbox, the row that they are about comes next; what a refusal takes back.
    Told(Vec<MissedTold>),
    /// Letters are in the outbox, about no row.
    ToldAlone,
    /// A pause, or its end, is in force.
    Paused(Box<AskedPause>),
    /// Fires that did not run are told.
    NotRun {
        key: Option<JobKey>,
        run: Box<Run>,
        first: Timestamp,
        added: u64,
    },
}

impl Then {
    /// Whether the store's answer says that a row is ours.
    fn is_claim(&self) -> bool {
        !matches!(
            self,
            Then::Nothing | Then::Told(_) | Then::ToldAlone | Then::Paused(_)
        )
    }
}

/// What is on its way.
#[derive(Default)]
pub(super) struct Commits {
    writes: Vec<Write>,
    /// How many writes make the next batch; it grows within a round.
    batch_size: usize,
    thens: Vec<Then>,
    under_way: BTreeMap<u64, Vec<Then>>,
    /// How many writes these are.
    unanswered: usize,
    last_batch: u64,
    /// The store's last word, while it refuses.
    error: Option<String>,
    /// The store is back, but batches up to this one were sent before that was known and are
    /// refused all the same.
    back_after: Option<u64>,
    /// What the store refused and cannot be decided anew.
    kept: Kept,
    /// Who waits until everything up to a batch is durable.
    waiting: Vec<(u64, Ticket)>,
    /// Jobs with instants that could not be recorded.
    pub(super) unsettled: BTreeSet<JobKey>,
    /// Those of them of which something was told.
    pub(super) untold: BTreeSet<JobKey>,
}

impl Commits {
    pub(super) fn is_down(&self) -> bool {
        self.error.is_some()
    }

    pub(super) fn error(&self) -> Option<String> {
        self.error.clone()
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.writes.is_empty() && self.under_way.is_empty() && self.kept.is_empty()
    }

    /// Whether the store is so far behind that deciding more would only fill the memory.
    pub(super) fn is_clogged(&self) -> bool {
        self.unanswered >= MOST_UNANSWERED
    }

    /// How many entries it has in all.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        let under_way: usize = self.under_way.values().map(|thens| 1 + thens.len()).sum();
        let now = self.writes.len() + self.thens.len() + self.waiting.len();
        now + under_way + self.kept.len() + self.unsettled.len()
    }

    #[cfg(test)]
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered
    }

    fn first_under_way(&self) -> u64 {
        self.under_way
            .first_key_value()
            .map_or(u64::MAX, |(batch, _)| *batch)
    }
}

impl State {
    pub(super) fn write(&mut self, write: Write, then: Then) {
        // What is told goes with the row that it is about, which follows.
        let goes_on = matches!(then, Then::Told(_));
        self.commits.writes.push(write);
        self.commits.thens.push(then);
        if goes_on {
            return;
        }
        if self.commits.writes.len() >= self.commits.batch_size.max(FIRST_BATCH) {
            self.flush();
            let next = self.commits.batch_size.max(FIRST_BATCH) * 2;
            self.commits.batch_size = next.min(BATCH);
        }
    }

    /// Sends off the last of a round.
    pub(super) fn finish_round(&mut self) {
        self.flush();
        self.commits.batch_size = FIRST_BATCH;
    }

    /// Sends off what was written since.
    pub(super) fn flush(&mut self) {
        // The store would take it now, before what it refused, which is older.
        if self.commits.writes.is_empty() || self.commits.back_after.is_some() {
            return;
        }
        let writes = std::mem::take(&mut self.commits.writes);
        let thens = std::mem::take(&mut self.commits.thens);
        self.commits.last_batch += 1;
        self.commits.unanswered += writes.len();
        let batch = self.commits.last_batch;
        self.commits.under_way.insert(batch, thens);
        self.effects.push(Effect::Commit { batch, writes });
    }

    pub(super) fn committed(
        &mut self,
        batch: u64,
        result: Result<Vec<Written>, (String, Vec<Write>)>,
    ) {
        let Some(thens) = self.commits.under_way.remove(&batch) else {
            return;
        };
        self.commits.unanswered -= thens.len();
        match result {
            Ok(written) => {
                let (mut won, mut lost) = (0, 0);
                for (then, written) in thens.into_iter().zip(written) {
                    if then.is_claim() {
                        match written {
                            Written::Done | Written::Under(_) => won += 1,
                            Written::Taken => lost += 1,
                        }
                    }
                    self.durable(then, written);
                }
                if won + lost > 0 {
                    self.observer.observe(&Event::Claims { won, lost });
                }
                self.tell_durable();
            }
            Err((error, writes)) => self.refused(batch, error, thens, writes),
        }
        self.resume();
    }

    /// Somebody waits until everything that was decided so far is durable.
    pub(super) fn recorded(&mut self, ticket: Ticket) {
        if let Some(error) = self.commits.error() {
            self.effects.push(Effect::Recorded(ticket, Err(error)));
            return;
        }
        self.flush();
        self.commits.waiting.push((self.commits.last_batch, ticket));
        self.tell_durable();
    }

    fn tell_durable(&mut self) {
        let first = self.commits.first_under_way();
        let durable = self
            .commits
            .waiting
            .extract_if(.., |(last, _)| *last < first);
        let answers = durable.map(|(_, ticket)| Effect::Recorded(ticket, Ok(())));
        self.effects.extend(answers);
    }

    fn durable(&mut self, then: Then, written: Written) {
        let (then, is_there) = match written {
            Written::Done => (then, true),
            Written::Under(other) => (self.under(then, other), true),
            Written::Taken => (then, false),
        };
        match (then, is_there) {
            (Then::Nothing, _) => {}
            (Then::Told(_) | Then::ToldAlone, _) => self.told(),
            (Then::Paused(asked), _) => self.pause_recorded(*asked),
            (Then::Start(id), true) => self.launch(id),
            (Then::Recorded(id), true) => {
                let Some(active) = self.runs.get_mut(&id) else {
                    return;
                };
                active.row = Row::There;
                if let (Stage::Queued, Some(until)) = (active.stage, active.grace_until) {
                    self.timers.insert((until, id));
                }
                self.tell_recorded(id);
                self.replace_by_request(id);
                self.end_withdrawn(id);
            }
            (Then::Mended(key, job), _) => {
                let key = self.still(Some(key), &job);
                let job = key.and_then(|key| Some(self.job(key)?.job.name().clone()));
                self.mended_jobs.extend(job);
            }
            (Then::Start(id) | Then::Recorded(id), false) => self.taken(id),
            (
                Then::NotRun {
                    key, run, added, ..
                },
                true,
            ) => {
                let key = self.still(key, &run.job);
                self.observer.observe(&Event::NotRun {
                    key,
                    run: &run,
                    added,
                });
                match run.outcome {
                    Some(Outcome::Skipped) => self.stats.total_skipped += added,
                    Some(Outcome::Cancelled) => {}
                    _ if run.reason == Some(Reason::Coalesced) => {}
                    _ => self.stats.total_missed += added,
                }
            }
            (
                Then::NotRun {
                    key,
                    run,
                    first,
                    added,
                },
                false,
            ) => {
                let its = self.still(key, &run.job);
                if let Some(key) = its {
                    self.end_span(key);
                }
                // The row that was to stand for more fires is no longer there: they get one of their own.
                if run.count > added {
                    let mut own = run;
                    let id = its.and_then(|key| Some(self.fire_id(&self.job(key)?.job, first)));
                    own.id = id.unwrap_or_else(|| RunId::of_fire(&own.job, first));
                    own.scheduled_at = first;
                    own.count = added;
                    let run = own.clone();
                    self.write(
                        Write::Claim { run: own },
                        Then::NotRun {
                            key,
                            run,
                            first,
                            added,
                        },
                    );
                }
            }
        }
    }

    /// A row with this key was there already: somebody else's, or an earlier request.
    fn taken(&mut self, id: RunId) {
        let Some(active) = self.forget(id) else {
            return;
        };
        if let Some(request) = active.run.request {
            for ticket in active.tickets {
                self.effects.push(Effect::FindRequest {
                    ticket,
                    job: active.run.job.clone(),
                    request: request.clone(),
                    otherwise: Refusal::Store(
                        "the request is known, and its run is not".to_owned(),
                    ),
                });
            }
        }
        if let Some(key) = active.key {
            self.next_of_job(key);
        }
    }

    /// `key`, if it still is that job's; keys are used again.
    pub(super) fn still(&self, key: Option<JobKey>, name: &JobName) -> Option<JobKey> {
        let is_its = |job: &JobState| {
            // It may have had another name when that was written.
            job.job.name() == name || job.job.definition.aliases.contains(name)
        };
        key.filter(|key| self.job(*key).is_some_and(is_its))
    }
}
