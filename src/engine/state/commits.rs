//! Writes on their way to the store, and what follows when they are there.
//!
//! Nothing starts without its row. When the store refuses, what was to start
//! goes back to where it was, what ended is kept to be written later, and
//! nothing is decided until the store is back.

use std::collections::{BTreeSet, HashMap, VecDeque};

use jiff::Timestamp;

use crate::ids::{JobKey, RunId};
use crate::model::{Event, Outcome, Reason, Run, RunState};
use crate::store::{Write, Written};

use super::runs::{Row, Stage};
use super::{ApplyAnswer, Effect, Refusal, State, Ticket};

/// So many writes go in one commit, so that the first of a great many starts do not wait for the
/// last: the first batch of a round is small, and the starts that follow from it overlap with the next.
const FIRST_BATCH: usize = 64;
const BATCH: usize = 512;

/// So many ends of runs are kept while the store is away; their output is dropped first.
const KEPT: usize = 50_000;

/// What follows when a write is durable.
#[derive(Debug)]
pub(super) enum Then {
    /// Nothing.
    Nothing,
    /// The attempt begins.
    Start(RunId),
    /// A waiting run has its row.
    Recorded(RunId),
    /// Fires that did not run are told.
    NotRun {
        key: JobKey,
        run: Box<Run>,
        first: Timestamp,
        added: u64,
    },
}

/// What is on its way.
#[derive(Default)]
pub(super) struct Commits {
    writes: Vec<Write>,
    /// How many writes make the next batch; it grows within a round.
    batch_size: usize,
    thens: Vec<Then>,
    under_way: HashMap<u64, Vec<Then>>,
    last_batch: u64,
    /// The store's last word, while it refuses.
    error: Option<String>,
    /// Ends of runs that the store refused.
    kept: VecDeque<Write>,
    /// Jobs with instants that could not be recorded.
    pub(super) unsettled: BTreeSet<JobKey>,
    /// Changes whose rows are on their way, each with the batch that it waits for; `None` until the store is back.
    changes: Vec<(Ticket, ApplyAnswer, Option<u64>)>,
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

    /// Whoever makes a change moves the stored marks after it: the rows of what the change settled come first.
    pub(super) fn answer_when_durable(&mut self, ticket: Ticket, answer: ApplyAnswer) {
        let batch = self.last_batch + 1;
        let waits_for = (!self.is_down()).then_some(batch);
        self.changes.push((ticket, answer, waits_for));
    }

    /// Takes out the changes whose rows are durable.
    fn durable_changes(&mut self) -> Vec<Effect> {
        let oldest = self.under_way.keys().min().copied().unwrap_or(u64::MAX);
        let is_durable = |waits_for: &Option<u64>| waits_for.is_some_and(|batch| batch < oldest);
        let (ready, waiting) = std::mem::take(&mut self.changes)
            .into_iter()
            .partition(|(_, _, waits_for)| is_durable(waits_for));
        self.changes = waiting;
        let answered = |(ticket, answer, _)| Effect::Applied(ticket, answer);
        ready.into_iter().map(answered).collect()
    }

    fn keep(&mut self, mut write: Write) {
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        if self.kept.len() >= KEPT / 10
            && let Write::Update { output, .. } = &mut write
        {
            *output = None;
        }
        self.kept.push_back(write);
    }
}

impl State {
    pub(super) fn write(&mut self, write: Write, then: Then) {
        self.commits.writes.push(write);
        self.commits.thens.push(then);
        if self.commits.writes.len() >= self.commits.batch_size.max(FIRST_BATCH) {
            self.flush();
            self.commits.batch_size = (self.commits.batch_size.max(FIRST_BATCH) * 2).min(BATCH);
        }
    }

    /// Sends off what was written since, and answers changes whose rows are durable.
    pub(super) fn finish_round(&mut self) {
        self.flush();
        self.commits.batch_size = FIRST_BATCH;
        if !self.commits.is_down() {
            for (_, _, waits_for) in &mut self.commits.changes {
                waits_for.get_or_insert(self.commits.last_batch);
            }
        }
        if !self.commits.changes.is_empty() {
            let durable = self.commits.durable_changes();
            self.effects.extend(durable);
        }
    }

    fn flush(&mut self) {
        if self.commits.writes.is_empty() {
            return;
        }
        let writes = std::mem::take(&mut self.commits.writes);
        let thens = std::mem::take(&mut self.commits.thens);
        self.commits.last_batch += 1;
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
        match result {
            Ok(written) => {
                let (mut won, mut lost) = (0, 0);
                for (then, written) in thens.into_iter().zip(written) {
                    if !matches!(then, Then::Nothing) {
                        match written {
                            Written::Done => won += 1,
                            Written::Taken => lost += 1,
                        }
                    }
                    self.durable(then, written);
                }
                if won + lost > 0 {
                    self.observer.observe(&Event::Claims { won, lost });
                }
            }
            Err((error, writes)) => self.refused(error, thens, writes),
        }
    }

    fn durable(&mut self, then: Then, written: Written) {
        match (then, written) {
            (Then::Nothing, _) => {}
            (Then::Start(id), Written::Done) => self.launch(id),
            (Then::Recorded(id), Written::Done) => {
                let Some(active) = self.runs.get_mut(&id) else {
                    return;
                };
                active.row = Row::There;
                if let (Stage::Queued, Some(until)) = (active.stage, active.grace_until) {
                    self.timers.insert((until, id));
                }
                if let Some(ticket) = active.ticket.take() {
                    self.request_found(ticket, Some(id), Refusal::Stopping);
                }
            }
            (Then::Start(id) | Then::Recorded(id), Written::Taken) => self.taken(id),
            (
                Then::NotRun {
                    key, run, added, ..
                },
                Written::Done,
            ) => {
                let key = self.is_of(key, &run).then_some(key);
                self.observer.observe(&Event::NotRun {
                    key,
                    run: &run,
                    added,
                });
                match run.outcome {
                    Some(Outcome::Skipped) => self.stats.total_skipped += added,
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
                Written::Taken,
            ) => {
                if self.is_of(key, &run) {
                    self.end_span(key);
                }
                // The row that was to stand for more fires is no longer there: they get one of their own.
                if run.count > added {
                    let mut own = run;
                    own.id = RunId::of_fire(&own.job, first);
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
        if let (Some(ticket), Some(request)) = (active.ticket, active.run.request) {
            self.effects.push(Effect::FindRequest {
                ticket,
                job: active.run.job,
                request,
                otherwise: Refusal::Store("the request is known, and its run is not".to_owned()),
            });
        }
        if let Some(key) = active.key {
            self.next_of_backlog(key);
        }
    }

    fn refused(&mut self, error: String, thens: Vec<Then>, writes: Vec<Write>) {
        for (then, write) in thens.into_iter().zip(writes) {
            match then {
                Then::Nothing => self.commits.keep(write),
                Then::NotRun {
                    key, run, first, ..
                } => {
                    if self.is_of(key, &run) {
                        self.reopen(key, first);
                    }
                }
                Then::Start(id) | Then::Recorded(id) => self.not_recorded(id, &write, &error),
            }
        }
        self.commits.error = Some(error);
        for (_, _, waits_for) in &mut self.commits.changes {
            *waits_for = None;
        }
    }

    /// A run whose row was refused goes back to where it was.
    fn not_recorded(&mut self, id: RunId, write: &Write, error: &str) {
        let Some(active) = self.runs.get_mut(&id) else {
            return;
        };
        if let Some(ticket) = active.ticket {
            self.forget(id);
            let refusal = Refusal::Store(error.to_owned());
            self.effects.push(Effect::Triggered(ticket, Err(refusal)));
            return;
        }
        let is_new = matches!(write, Write::Claim { .. });
        if is_new && active.run.trigger != crate::model::Trigger::Startup {
            let (key, scheduled) = (active.key, active.run.scheduled_at);
            self.forget(id);
            if let Some(key) = key {
                self.reopen(key, scheduled);
            }
            return;
        }
        active.row = if is_new { Row::Absent } else { Row::There };
        if active.stage == Stage::Recording {
            active.run.attempt -= 1;
            active.run.state = match active.run.attempt {
                0 => RunState::Queued,
                _ => RunState::Waiting,
            };
            self.pools[usize::from(active.job.definition.action.kind() == "http")].leave();
            self.enqueue(id);
        }
    }

    /// The store can be written again: first what ended, then what was due meanwhile.
    pub(super) fn store_back(&mut self) {
        if self.commits.error.take().is_none() {
            return;
        }
        for write in std::mem::take(&mut self.commits.kept) {
            self.write(write, Then::Nothing);
        }
        self.lateness = Reason::Store;
        if self.phase != super::Phase::Running {
            return;
        }
        for key in std::mem::take(&mut self.commits.unsettled) {
            let Some(job) = self.job(key) else { continue };
            if job.job.definition.enabled {
                let schedule = job.job.definition.schedule.clone();
                self.settle(key, &schedule);
            }
        }
    }

    /// Whether `key` still is the job of `run`; keys are used again.
    fn is_of(&self, key: JobKey, run: &Run) -> bool {
        self.job(key).is_some_and(|job| *job.job.name() == run.job)
    }
}
