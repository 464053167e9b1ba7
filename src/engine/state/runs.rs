//! Runs that are not over: places, attempts, waits between them, ends.

use jiff::{SignedDuration, Timestamp};

use crate::decide::{self, Failure};
use crate::ids::{JobKey, RunId};
use crate::model::{
    AttemptEnd, Ended, Event, Outcome, Output, Reason, Run, RunState, error_reason,
};
use crate::store::Write;

use super::active::{Active, Place, Row, Stage, is_fire};
use super::commits::Then;
use super::fires::NotRun;
use super::places::News;
use super::{Effect, Order, Phase, Refusal, State, Triggered};

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
            Place::Behind => {
                active.stage = Stage::Behind;
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
        self.places.wait(active);
        if let Some(until) = active.grace_until {
            self.timers.insert((until, id));
        }
    }

    /// A run of the job is over: the next of its late fires when none of its runs is before it, and
    /// whoever waits for just this. Late fires come before those that wait for a run to end.
    pub(super) fn next_of_job(&mut self, key: JobKey) {
        self.expect_after_end(key);
        let Some(job) = self.job(key) else { return };
        let is_late = |id: &RunId| {
            let active = self.runs.get(id);
            active.is_some_and(|active| active.stage == Stage::Backlog)
        };
        let mut active = job.active().iter();
        if active.clone().all(|id| is_late(id) || self.is_behind(*id))
            && let Some(id) = active.find(|id| is_late(id)).copied()
        {
            self.enqueue(id);
            return;
        }
        self.next_behind(key);
    }

    /// Begins what waits, as far as there are places.
    pub(super) fn fill_places(&mut self) {
        if self.commits.is_down() {
            return;
        }
        while let Some(id) = self.places.next() {
            self.begin(id);
        }
        for news in self.places.news() {
            self.observer.observe(&match &news {
                News::Length(pool, length) => Event::Queued {
                    pool,
                    length: *length,
                },
                News::Gone(pool) => Event::PoolGone { pool },
            });
        }
    }

    /// Takes a place and records the attempt; it starts when that is durable.
    fn begin(&mut self, id: RunId) {
        let now = self.now;
        let Some(active) = self.runs.get(&id) else {
            return;
        };
        if let (Some(key), true) = (active.key, active.needs_row()) {
            // Its row moves the mark: a fire before it that waits without one could not be recorded any more.
            self.record_waiting(key, active.run.scheduled_at);
        }
        let Some(active) = self.runs.get_mut(&id) else {
            return;
        };
        if let Some(until) = active.grace_until {
            self.timers.remove(&(until, id));
        }
        self.places.take(active);
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
        self.tell_recorded(id);
        if let Some(reason) = self.runs.get(&id).and_then(|active| active.end_reason) {
            // Its end came before its beginning.
            if reason == Reason::Paused {
                self.back_in_line(id);
                self.give_up(id, Outcome::Skipped, reason);
                return;
            }
            self.close(id, Outcome::Cancelled, Some(reason), None);
            return;
        }
        if self.phase != Phase::Running {
            // A stop came first: it is late at the next start, not cut off.
            self.back_in_line(id);
            self.update_row(id);
            return;
        }
        let Some(active) = self.runs.get(&id) else {
            return;
        };
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

    /// Its row is there: who asked for it hears so.
    pub(super) fn tell_recorded(&mut self, id: RunId) {
        let Some(active) = self.runs.get_mut(&id) else {
            return;
        };
        for (index, ticket) in std::mem::take(&mut active.tickets).into_iter().enumerate() {
            let triggered = Triggered {
                run: id,
                repeated: index > 0,
            };
            self.effects.push(Effect::Triggered(ticket, Ok(triggered)));
        }
    }

    /// An attempt that was to begin and did not goes back to where it waited.
    pub(super) fn back_in_line(&mut self, id: RunId) {
        let now = self.now.wall;
        let Some(active) = self.runs.get_mut(&id) else {
            return;
        };
        let run = &mut active.run;
        run.attempt -= 1;
        if run.attempt == 0 {
            run.state = RunState::Queued;
            run.started_at = None;
            active.began = None;
        } else {
            run.state = RunState::Waiting;
            run.next_attempt_at = Some(now);
        }
        self.places.give_back(active);
        self.enqueue(id);
    }

    pub(super) fn update_row(&mut self, id: RunId) {
        if let Some(active) = self.runs.get(&id) {
            let run = Box::new(active.run.clone());
            self.write(Write::Update { run, output: None }, Then::Nothing);
        }
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
            Ended::Stopped => match (active.end_reason, self.phase) {
                // What was promised before a stop stays so.
                (Some(reason), _) => (Outcome::Cancelled, Some(reason)),
                (None, Phase::Stopping(_)) => (Outcome::Interrupted, Some(Reason::Shutdown)),
                (None, _) => (Outcome::Cancelled, Some(Reason::Request)),
            },
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
        self.places.give_back(active);
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
        let is_truncated = output.as_ref().is_some_and(Output::is_truncated);
        let action = active.job.definition.action.kind();
        self.count_end(active.key, &active.run, action, is_truncated);
        let run = Box::new(active.run);
        if let Some(key) = active.key {
            self.next_of_job(key);
        }
        self.tell(active.key, &active.job, &run, 1, output.as_ref());
        self.write(Write::Update { run, output }, Then::Nothing);
    }

    /// A run that had an attempt is over.
    pub(super) fn count_end(
        &mut self,
        key: Option<JobKey>,
        run: &Run,
        action: &'static str,
        output_truncated: bool,
    ) {
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
            key,
            run,
            action,
            output_truncated,
        });
        if let Some(key) = key {
            self.remember_end(key, run);
        }
    }

    fn remember_end(&mut self, key: JobKey, run: &Run) {
        let Some(job) = self.job_mut(key) else { return };
        let past = job.past();
        let times = &mut past.times;
        // Of several at once the newest counts, whichever ends last.
        if run.started_at >= times.last_run {
            times.last_run = run.started_at;
            times.last_duration = run.duration;
        }
        match run.outcome {
            Some(Outcome::Success) => {
                times.last_success = times.last_success.max(run.finished_at);
                past.previous_success_at = past.previous_success_at.max(Some(run.scheduled_at));
            }
            Some(Outcome::Failed | Outcome::TimedOut | Outcome::Interrupted) => {
                times.last_failure = times.last_failure.max(run.finished_at);
            }
            _ => {}
        }
        past.last = Some(Box::new(run.clone()));
        self.remember_failing(key, run);
        self.expect_after_end(key);
    }

    /// Takes a run out of every list, and frees the place that it held.
    pub(super) fn forget(&mut self, id: RunId) -> Option<Active> {
        let active = self.runs.remove(&id)?;
        match active.stage {
            Stage::Recording | Stage::Running => self.places.give_back(&active),
            Stage::Queued => self.places.leave(&active),
            Stage::Backlog | Stage::Behind | Stage::Waiting => {}
        }
        let timers = [active.grace_until, active.run.next_attempt_at];
        for at in timers.into_iter().flatten() {
            self.timers.remove(&(at, id));
        }
        match active.key {
            Some(key) => {
                if let Some(past) = self.job_mut(key).and_then(|job| job.past.as_mut()) {
                    past.active.retain(|other| *other != id);
                }
            }
            None => self.forget_orphan(&active.run.job, id),
        }
        Some(active)
    }

    /// Ends of graces, and of waits between attempts; why what is late now is late.
    pub(super) fn timers_due(&mut self, lateness: Reason) {
        const NOW: SignedDuration = SignedDuration::from_secs(1);
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
                Stage::Queued => {
                    let is_free = self.places.has_place(active);
                    // A place that is free now still serves a fire whose grace ends now.
                    if is_free && self.now.wall.duration_since(at) <= NOW {
                        break;
                    }
                    self.timers.pop_first();
                    // While a store is away nobody looks at graces, nor while the machine sleeps.
                    let reason = match lateness {
                        Reason::Store | Reason::Clock if is_free => lateness,
                        _ => Reason::Pool,
                    };
                    let why = self.places.full(active).why();
                    if let (Some(active), Reason::Pool) = (self.runs.get_mut(&id), reason) {
                        active.run.detail = Some(why);
                    }
                    self.give_up(id, Outcome::Missed, reason);
                }
                Stage::Backlog | Stage::Behind | Stage::Recording | Stage::Running => {
                    self.timers.pop_first();
                }
            }
        }
    }

    /// A run that did not begin is over: it waited too long, its job is gone, or a newer one replaced it.
    pub(super) fn give_up(&mut self, id: RunId, outcome: Outcome, reason: Reason) {
        let Some(mut active) = self.forget(id) else {
            return;
        };
        for ticket in std::mem::take(&mut active.tickets) {
            let job = active.run.job.clone();
            let refusal = match reason {
                Reason::Replaced => Refusal::Overlap { job, blocking: id },
                _ => Refusal::NoSuchJob(job.to_string()),
            };
            self.effects.push(Effect::Triggered(ticket, Err(refusal)));
        }
        let key = active.key;
        match key {
            Some(key) if active.row == Row::Absent && is_fire(&active.run) => {
                let mut not_run = NotRun::one(outcome, reason, active.run.scheduled_at);
                not_run.detail = active.run.detail;
                self.not_run(key, not_run);
            }
            _ => self.close_unstarted(active, outcome, reason),
        }
        if let Some(key) = key {
            self.next_of_job(key);
        }
    }

    fn close_unstarted(&mut self, active: Active, outcome: Outcome, reason: Reason) {
        let key = active.key;
        let mut run = active.run.clone();
        run.state = RunState::Done;
        run.outcome = Some(outcome);
        run.reason = Some(reason);
        run.finished_at = Some(self.now.wall);
        let run = Box::new(run);
        self.tell(key, &active.job, &run, 1, None);
        if active.row == Row::Absent {
            let first = run.scheduled_at;
            let then = Then::NotRun {
                key,
                run: run.clone(),
                first,
                added: 1,
            };
            self.write(Write::Claim { run }, then);
            return;
        }
        self.observer.observe(&Event::NotRun {
            key,
            run: &run,
            added: 1,
        });
        match outcome {
            Outcome::Missed => self.stats.total_missed += 1,
            Outcome::Skipped => self.stats.total_skipped += 1,
            _ => {}
        }
        self.write(Write::Update { run, output: None }, Then::Nothing);
    }
}
