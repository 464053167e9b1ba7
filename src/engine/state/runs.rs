//! Runs that are not over: places in pools, attempts, waits between them, ends.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::decide::{self, Failure};
use crate::ids::{JobKey, RunId};
use crate::model::{
    Action, AttemptEnd, Ended, Event, Job, Outcome, Output, Reason, Run, RunState, error_reason,
};
use crate::store::Write;

use super::commits::Then;
use super::{Effect, Order, Phase, State, Ticket, Triggered};

/// A bound on how many run at once, and who waits.
pub(super) struct Pool {
    name: &'static str,
    limit: u32,
    in_use: u32,
    /// In order of their instants.
    waiting: BTreeSet<(Timestamp, RunId)>,
}

impl Pool {
    pub(super) fn new(name: &'static str, limit: u32) -> Self {
        Self {
            name,
            limit: limit.max(1),
            in_use: 0,
            waiting: BTreeSet::new(),
        }
    }

    pub(super) fn in_use(&self) -> u32 {
        self.in_use
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Gives a place back.
    pub(super) fn leave(&mut self) {
        self.in_use -= 1;
    }
}

/// A run that is not over.
pub(super) struct Active {
    pub(super) run: Run,
    /// The definition that it began with.
    pub(super) job: Job,
    /// `None` when the job is gone from the set.
    pub(super) key: Option<JobKey>,
    pub(super) stage: Stage,
    /// When the fire was due; `None` for a request.
    pub(super) due: Option<Timestamp>,
    /// How long it may wait for a place; `None` for as long as it takes.
    pub(super) grace_until: Option<Timestamp>,
    /// Whether its row is in the store.
    pub(super) row: Row,
    /// Who waits to hear that it was recorded.
    pub(super) ticket: Option<Ticket>,
    /// The monotonic time of the first attempt.
    began: Option<Duration>,
    /// Its end was asked for.
    pub(super) is_ending: bool,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Behind other late fires of its job.
    Backlog,
    /// In its pool's queue.
    Queued,
    /// Its attempt is being recorded.
    Recording,
    /// An attempt is under way.
    Running,
    /// Between two attempts.
    Waiting,
}

/// Whether a run has its row in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// It has none: after a crash its fire is a late fire.
    Absent,
    /// The store has not answered yet.
    OnItsWay,
    /// It has.
    There,
}

/// Where a new run goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Into the queue of its pool.
    Pool,
    /// Behind other late fires of its job.
    Backlog,
}

impl Active {
    pub(super) fn new(run: Run, job: Job, key: Option<JobKey>) -> Self {
        Self {
            run,
            job,
            key,
            stage: Stage::Queued,
            due: None,
            grace_until: None,
            row: Row::Absent,
            ticket: None,
            began: None,
            is_ending: false,
        }
    }

    /// Whether it waits for its first attempt without a row.
    pub(super) fn needs_row(&self) -> bool {
        self.row == Row::Absent && matches!(self.stage, Stage::Queued | Stage::Backlog)
    }

    fn pool(&self) -> usize {
        match self.job.definition.action {
            Action::Process(_) => 0,
            Action::Http(_) => 1,
        }
    }
}

impl State {
    pub(super) fn add_run(&mut self, mut active: Active, place: Place) {
        let id = active.run.id;
        if let Some(job) = active.key.and_then(|key| self.job_mut(key)) {
            job.past().active.push(id);
        }
        match place {
            Place::Backlog => {
                active.stage = Stage::Backlog;
                self.runs.insert(id, active);
            }
            Place::Pool => {
                self.runs.insert(id, active);
                self.enqueue(id);
            }
        }
    }

    pub(super) fn enqueue(&mut self, id: RunId) {
        let Some(active) = self.runs.get_mut(&id) else {
            return;
        };
        active.stage = Stage::Queued;
        let pool = &mut self.pools[active.pool()];
        pool.waiting.insert((active.run.scheduled_at, id));
        if let Some(until) = active.grace_until {
            self.timers.insert((until, id));
        }
    }

    /// The next of a job's late fires, when none of its runs is before it.
    pub(super) fn next_of_backlog(&mut self, key: JobKey) {
        let Some(job) = self.job(key) else { return };
        let stage = |id: &RunId| self.runs.get(id).map(|active| active.stage);
        let mut active = job.active().iter();
        if active.clone().any(|id| stage(id) != Some(Stage::Backlog)) {
            return;
        }
        if let Some(id) = active.next().copied() {
            self.enqueue(id);
        }
    }

    /// Begins what waits, as far as there are places.
    pub(super) fn fill_pools(&mut self) {
        if self.commits.is_down() {
            return;
        }
        for index in 0..self.pools.len() {
            let before = self.pools[index].waiting.len();
            while self.pools[index].in_use < self.pools[index].limit {
                let Some((_, id)) = self.pools[index].waiting.pop_first() else {
                    break;
                };
                self.begin(id);
            }
            let pool = &self.pools[index];
            if before != pool.waiting.len() || before > 0 {
                self.observer.observe(&Event::Queued {
                    pool: pool.name,
                    length: pool.waiting.len() as u64,
                });
            }
        }
    }

    /// Takes a place and records the attempt; it starts when that is durable.
    fn begin(&mut self, id: RunId) {
        let now = self.now;
        let Some(active) = self.runs.get_mut(&id) else {
            return;
        };
        if let Some(until) = active.grace_until {
            self.timers.remove(&(until, id));
        }
        self.pools[active.pool()].in_use += 1;
        active.stage = Stage::Recording;
        active.run.state = RunState::Running;
        active.run.attempt += 1;
        active.run.next_attempt_at = None;
        active.run.started_at.get_or_insert(now.wall);
        active.began.get_or_insert(now.monotonic);
        let run = Box::new(active.run.clone());
        let key = active.key;
        let write = match active.row {
            Row::Absent => {
                active.row = Row::OnItsWay;
                Write::Claim { run }
            }
            Row::OnItsWay | Row::There => Write::Update { run, output: None },
        };
        if let Some(key) = key {
            self.end_span(key);
        }
        self.write(write, Then::Start(id));
    }

    /// The row of an attempt is durable: let it begin.
    pub(super) fn launch(&mut self, id: RunId) {
        let Some(active) = self.runs.get_mut(&id) else {
            return;
        };
        active.stage = Stage::Running;
        active.row = Row::There;
        if let Some(ticket) = active.ticket.take() {
            let triggered = Triggered {
                run: id,
                repeated: false,
            };
            self.effects.push(Effect::Triggered(ticket, Ok(triggered)));
        }
        let Some(active) = self.runs.get(&id) else {
            return;
        };
        if active.is_ending || self.phase != Phase::Running {
            self.close(id, Outcome::Interrupted, Some(Reason::Shutdown), None);
            return;
        }
        let past = active.key.and_then(|key| self.job(key)?.past.as_ref());
        let order = Order {
            run: id,
            job: active.job.clone(),
            scheduled_at: active.run.scheduled_at,
            attempt: active.run.attempt,
            trigger: active.run.trigger,
            previous_success_at: past.and_then(|past| past.previous_success_at),
            revision: active.run.revision.clone(),
        };
        if let Some(key) = active.key {
            let first = active.run.attempt == 1;
            let late = |due| {
                self.now
                    .wall
                    .duration_since(due)
                    .max(jiff::SignedDuration::ZERO)
            };
            self.observer.observe(&Event::AttemptStarted {
                key,
                run: &active.run,
                action: active.job.definition.action.kind(),
                lateness: active
                    .due
                    .filter(|_| first)
                    .map(|due| late(due).unsigned_abs()),
            });
        }
        self.effects.push(Effect::Attempt(Box::new(order)));
    }

    /// An attempt ended: the run is over, or waits for the next one.
    pub(super) fn ended(&mut self, id: RunId, end: AttemptEnd) {
        let now = self.now.wall;
        let Some(active) = self.runs.get_mut(&id) else {
            return;
        };
        let run = &mut active.run;
        run.exit_code = end.exit_code;
        run.signal = end.signal;
        run.http_status = end.http_status;
        run.detail.clone_from(&end.detail);
        run.output_bytes = end.output.total;
        let (outcome, reason) = match end.ended {
            Ended::Success => (Outcome::Success, None),
            Ended::Stopped if matches!(self.phase, Phase::Stopping(_)) => {
                (Outcome::Interrupted, Some(Reason::Shutdown))
            }
            Ended::Stopped => (Outcome::Cancelled, Some(Reason::Request)),
            Ended::TimedOut => (Outcome::TimedOut, Some(Reason::Timeout)),
            Ended::Failed(reason) => (Outcome::Failed, Some(reason)),
        };
        let retry = &active.job.definition.policy.retry;
        let again = Failure::of(&end)
            .and_then(|failure| decide::retry_after(retry, id, run.attempt, &failure));
        let Some(wait) = again.filter(|_| !active.is_ending) else {
            self.close(id, outcome, reason, Some(end.output));
            return;
        };
        let at = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        run.state = RunState::Waiting;
        run.reason = reason;
        run.next_attempt_at = Some(at);
        active.stage = Stage::Waiting;
        active.grace_until = None;
        self.pools[active.pool()].in_use -= 1;
        self.timers.insert((at, id));
        let row = Box::new(active.run.clone());
        if let Some(key) = active.key {
            self.observer.observe(&Event::RetryPlanned {
                key,
                run: &active.run,
                at,
            });
        }
        let write = Write::Update {
            run: row,
            output: Some(end.output),
        };
        self.write(write, Then::Nothing);
    }

    /// A run is over: its row is closed, its place is free.
    pub(super) fn close(
        &mut self,
        id: RunId,
        outcome: Outcome,
        reason: Option<Reason>,
        output: Option<Output>,
    ) {
        let now = self.now;
        let Some(mut active) = self.forget(id) else {
            return;
        };
        let run = &mut active.run;
        run.state = RunState::Done;
        run.outcome = Some(outcome);
        run.reason = reason;
        run.finished_at = Some(now.wall);
        run.next_attempt_at = None;
        run.duration = active
            .began
            .map(|began| now.monotonic.saturating_sub(began));
        if run.attempt > 0 {
            self.count_end(&active, output.as_ref());
        }
        let run = Box::new(active.run);
        if let Some(key) = active.key {
            self.remember_end(key, &run);
            self.next_of_backlog(key);
        }
        self.write(Write::Update { run, output }, Then::Nothing);
    }

    fn count_end(&mut self, active: &Active, output: Option<&Output>) {
        let run = &active.run;
        let Some(outcome) = run.outcome else { return };
        self.stats.total_executed += 1;
        if error_reason(outcome, run.reason).is_some() {
            self.stats.total_errors += 1;
        }
        match self.stats.outcomes.iter_mut().find(|(o, _)| *o == outcome) {
            Some((_, count)) => *count += 1,
            None => self.stats.outcomes.push((outcome, 1)),
        }
        self.observer.observe(&Event::RunEnded {
            key: active.key,
            run,
            action: active.job.definition.action.kind(),
            output_truncated: output.is_some_and(Output::is_truncated),
        });
    }

    fn remember_end(&mut self, key: JobKey, run: &Run) {
        let Some(job) = self.job_mut(key) else { return };
        let past = job.past();
        past.times.last_run = run.started_at.or(past.times.last_run);
        past.times.last_duration = run.duration.or(past.times.last_duration);
        match run.outcome {
            Some(Outcome::Success) => {
                past.times.last_success = run.finished_at;
                past.previous_success_at = Some(run.scheduled_at);
            }
            Some(Outcome::Failed | Outcome::TimedOut | Outcome::Interrupted) => {
                past.times.last_failure = run.finished_at;
            }
            _ => {}
        }
        past.last = Some(Box::new(run.clone()));
    }

    /// Takes a run out of every list, and frees the place that it held.
    pub(super) fn forget(&mut self, id: RunId) -> Option<Active> {
        let active = self.runs.remove(&id)?;
        let pool = &mut self.pools[active.pool()];
        match active.stage {
            Stage::Recording | Stage::Running => pool.in_use -= 1,
            Stage::Queued | Stage::Backlog | Stage::Waiting => {
                pool.waiting.remove(&(active.run.scheduled_at, id));
            }
        }
        let timers = [active.grace_until, active.run.next_attempt_at];
        for at in timers.into_iter().flatten() {
            self.timers.remove(&(at, id));
        }
        if let Some(past) = active.key.and_then(|key| self.job_mut(key)?.past.as_mut()) {
            past.active.retain(|other| *other != id);
        }
        Some(active)
    }

    /// Ends of graces, and of waits between attempts.
    pub(super) fn timers_due(&mut self) {
        while let Some((at, id)) = self.timers.first().copied() {
            if at > self.now.wall {
                break;
            }
            let Some(active) = self.runs.get(&id) else {
                self.timers.pop_first();
                continue;
            };
            match active.stage {
                Stage::Waiting => {
                    self.timers.pop_first();
                    self.enqueue(id);
                }
                // Until the store has answered nobody knows which row to close; its answer brings the timer back.
                Stage::Queued if active.row == Row::OnItsWay => {
                    self.timers.pop_first();
                }
                // A place that is free now still serves a fire whose grace ends now.
                Stage::Queued if self.has_place(active) => break,
                Stage::Queued => {
                    self.timers.pop_first();
                    self.give_up(id, Reason::Pool);
                }
                Stage::Backlog | Stage::Recording | Stage::Running => {
                    self.timers.pop_first();
                }
            }
        }
    }

    pub(super) fn has_place(&self, active: &Active) -> bool {
        let pool = &self.pools[active.pool()];
        pool.in_use < pool.limit
    }

    /// A fire that waited too long, or whose job is gone, is missed.
    pub(super) fn give_up(&mut self, id: RunId, reason: Reason) {
        let Some(active) = self.forget(id) else {
            return;
        };
        let scheduled = active.run.scheduled_at;
        match active.key {
            Some(key) if active.row == Row::Absent => {
                self.missed_one(key, scheduled, reason);
                self.next_of_backlog(key);
            }
            key => {
                let mut run = active.run;
                run.state = RunState::Done;
                run.outcome = Some(Outcome::Missed);
                run.reason = Some(reason);
                run.finished_at = Some(self.now.wall);
                let run = Box::new(run);
                self.observer.observe(&Event::NotRun {
                    key,
                    run: &run,
                    added: 1,
                });
                self.stats.total_missed += 1;
                self.write(Write::Update { run, output: None }, Then::Nothing);
                if let Some(key) = key {
                    self.next_of_backlog(key);
                }
            }
        }
    }
}
