//! Pauses: jobs that fire nothing for a while, because somebody said so.
//!
//! A pause is in force once the store has it, and so is its end by a person; an end of its own is a
//! deadline here. What is due during a pause is a *skipped* row. What was due before and has not begun
//! is skipped, too: nobody who pauses a job expects it to start a minute later. What has begun goes
//! on, with its further attempts, and requests are for paused jobs as well. After the end nothing is
//! expected of the job before its next fire.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use crate::decide;
use crate::engine::handle::{PauseAnswer, PausePage, PauseRequest, PauseWish, PausedJob, Refusal};
use crate::ids::{JobKey, JobName, RunId};
use crate::model::{Event, Outcome, Pause, Reason};
use crate::schedule::{Fire, Schedule};
use crate::store::Write;

use super::active::{Row, Stage};
use super::commits::Then;
use super::fires::NotRun;
use super::{Effect, Phase, State, Ticket, just_before};

/// The last pause of each job that had one.
#[derive(Default)]
pub(super) struct Pauses {
    of: HashMap<JobKey, Pause>,
    /// Of those that are on, and end by themselves.
    ends: BTreeSet<(Timestamp, JobKey)>,
    /// How many are on.
    on: u64,
    /// Asked for, and on their way to the store, in order.
    asked: Vec<(Ticket, JobKey, Pause)>,
}

/// A pause, or the end of one, that is on its way to the store.
#[derive(Debug)]
pub(super) struct AskedPause {
    pub(super) key: JobKey,
    job: JobName,
    pause: Pause,
    by: Arc<str>,
    ticket: Ticket,
}

impl Pauses {
    /// How many entries it has in all.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.of.len() + self.ends.len() + self.asked.len()
    }

    /// When the next pause ends by itself.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.ends.first().map(|(at, _)| *at)
    }

    /// The job's last pause.
    pub(super) fn of(&self, key: JobKey) -> Option<&Pause> {
        self.of.get(&key)
    }

    /// The pause that the job is in.
    pub(super) fn on(&self, key: JobKey) -> Option<&Pause> {
        self.of(key).filter(|pause| pause.ended_at.is_none())
    }

    /// What was asked for last of the job's pause and is on its way to the store.
    pub(super) fn coming(&self, key: JobKey) -> Option<&Pause> {
        let asked = self.asked.iter().rev().find(|(_, of, _)| *of == key);
        asked.map(|(_, _, pause)| pause)
    }

    /// What the job's pause will be once all that was asked for is in the store.
    fn latest(&self, key: JobKey) -> Option<&Pause> {
        self.coming(key).or_else(|| self.of(key))
    }

    /// What a fire is decided by. An end that is on its way counts: what follows from it is behind it in
    /// the line to the store, so that nothing begins before it is there, and nothing where it is refused.
    fn deciding(&self, key: JobKey) -> Option<&Pause> {
        let over = self.coming(key).filter(|pause| pause.ended_at.is_some());
        over.or_else(|| self.of(key))
    }

    /// The store has answered.
    fn arrived(&mut self, ticket: Ticket) {
        self.asked.retain(|(of, _, _)| *of != ticket);
    }

    fn set(&mut self, key: JobKey, pause: Pause) {
        self.take(key);
        if pause.ended_at.is_none() {
            self.on += 1;
            self.ends.extend(pause.until.map(|until| (until, key)));
        }
        self.of.insert(key, pause);
    }

    /// The jobs with such a pause, in order.
    fn those(&self, such: impl Fn(&Pause) -> bool) -> Vec<JobKey> {
        let of = self.of.iter().filter(|(_, pause)| such(pause));
        let mut keys: Vec<JobKey> = of.map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys
    }

    fn take(&mut self, key: JobKey) -> Option<Pause> {
        let pause = self.of.remove(&key)?;
        if pause.ended_at.is_none() {
            self.on -= 1;
            if let Some(until) = pause.until {
                self.ends.remove(&(until, key));
            }
        }
        Some(pause)
    }
}

impl State {
    /// A pause, or the end of one, is asked for.
    pub(super) fn pause_asked(&mut self, ticket: Ticket, request: PauseRequest) {
        let refusal = match (self.phase, self.commits.error()) {
            (Phase::Stopping(_), _) => Some(Refusal::Stopping),
            (_, Some(error)) => Some(Refusal::Store(error)),
            _ => None,
        };
        if let Some(refusal) = refusal {
            self.effects.push(Effect::Paused(ticket, Err(refusal)));
            return;
        }
        let key = self.names.get(request.job.as_str()).copied();
        let Some(key) = key.filter(|key| self.job(*key).is_some()) else {
            let refusal = Refusal::NoSuchJob(request.job.to_string());
            self.effects.push(Effect::Paused(ticket, Err(refusal)));
            return;
        };
        let now = self.now.wall;
        let before = self.pauses.latest(key).filter(|pause| pause.is_on(now));
        let pause = match (request.wish, before) {
            (PauseWish::Pause { until, reason }, before) => Pause {
                since: before.map_or(now, |pause| pause.since),
                until,
                ended_at: None,
                reason,
                author: request.author.clone(),
            },
            (PauseWish::Resume, Some(before)) => Pause {
                ended_at: Some(now),
                ..before.clone()
            },
            // It fires already.
            (PauseWish::Resume, None) => {
                let answer = self.pause_answer(key);
                self.effects.push(Effect::Paused(ticket, Ok(answer)));
                return;
            }
        };
        self.pauses.asked.push((ticket, key, pause.clone()));
        let write = Write::Pause {
            job: request.job.clone(),
            pause: Box::new(pause.clone()),
        };
        let asked = AskedPause {
            key,
            job: request.job,
            pause,
            by: request.author,
            ticket,
        };
        self.write(write, Then::Paused(Box::new(asked)));
    }

    /// The store has it: it is in force.
    pub(super) fn pause_recorded(&mut self, asked: AskedPause) {
        let AskedPause {
            key,
            job,
            pause,
            by,
            ticket,
        } = asked;
        self.pauses.arrived(ticket);
        let Some(key) = self.still(Some(key), &job) else {
            // The store has it, for the case that the job comes back.
            let refusal = Refusal::NoSuchJob(job.to_string());
            self.effects.push(Effect::Paused(ticket, Err(refusal)));
            return;
        };
        let is_on = pause.ended_at.is_none();
        self.pauses.set(key, pause);
        if is_on {
            self.skip_waiting(key);
        }
        self.pause_changed(key);
        if let (Some(job), Some(pause)) = (self.job(key), self.pauses.of(key)) {
            let (job, by) = (&job.job, Some(&*by));
            self.observer.observe(&match is_on {
                true => Event::Paused { job, pause },
                false => Event::PauseOver { job, pause, by },
            });
        }
        let answer = self.pause_answer(key);
        self.effects.push(Effect::Paused(ticket, Ok(answer)));
    }

    /// The store refused it: all is as before.
    pub(super) fn pause_refused(&mut self, asked: &AskedPause, error: &str) {
        self.pauses.arrived(asked.ticket);
        if let Some(key) = self.still(Some(asked.key), &asked.job)
            && let Some(pause) = self.pauses.of(key).cloned()
        {
            // Its own end may have waited for this answer.
            self.pauses.set(key, pause);
        }
        let refusal = Refusal::Store(error.to_owned());
        self.effects
            .push(Effect::Paused(asked.ticket, Err(refusal)));
    }

    fn pause_answer(&self, key: JobKey) -> PauseAnswer {
        let job = self.job(key);
        PauseAnswer {
            pause: self.pauses.on(key).cloned(),
            active: job.map_or_else(Vec::new, |job| self.heads(job)),
            next: self.next_fire(key).map(|fire| fire.due),
        }
    }

    /// Pauses whose time is over end, those too that were over before this process began.
    pub(super) fn pauses_due(&mut self) {
        while let Some((until, key)) = self.pauses.ends.first().copied() {
            if until > self.now.wall {
                break;
            }
            if self.pauses.coming(key).is_some() {
                // What is on its way may be another end, and is not to be written over.
                self.pauses.ends.pop_first();
                continue;
            }
            let over = self.pauses.of(key).cloned();
            let Some(over) = over.map(|pause| Pause {
                ended_at: Some(until),
                ..pause
            }) else {
                self.pauses.ends.pop_first();
                continue;
            };
            self.pauses.set(key, over.clone());
            self.pause_changed(key);
            let Some(job) = self.job(key).map(|job| job.job.clone()) else {
                continue;
            };
            self.observer.observe(&Event::PauseOver {
                job: &job,
                pause: &over,
                by: None,
            });
            let write = Write::Pause {
                job: job.name().clone(),
                pause: Box::new(over),
            };
            // That it is over does not hang on this: it only is told once.
            self.write(write, Then::Nothing);
        }
    }

    /// The store is back: pauses that could not go on meanwhile do, and what waits in a pause of which an
    /// end was refused does not begin.
    pub(super) fn pauses_after_outage(&mut self) {
        self.pauses_back();
        // One whose own end came meanwhile has not ended yet, and what it covers is its.
        for key in self.pauses.those(|pause| pause.ended_at.is_none()) {
            self.skip_waiting(key);
        }
    }

    /// Pauses that ended by themselves at a time that has not come go on: the clock was ahead.
    pub(super) fn pauses_back(&mut self) {
        // Until every refusal has come back it is not known what waits.
        if self.commits.is_down() {
            return;
        }
        let now = self.now.wall;
        for key in self.pauses.those(|pause| pause.ended_ahead_of(now)) {
            let pause = self
                .pauses
                .of(key)
                .filter(|_| self.pauses.coming(key).is_none());
            if let Some(pause) = pause.cloned() {
                self.pause_again(key, pause);
            }
        }
    }

    fn pause_again(&mut self, key: JobKey, pause: Pause) {
        let Some(job) = self.job(key).map(|job| job.job.clone()) else {
            return;
        };
        let pause = self.again(job.name(), pause);
        let event = Event::Paused {
            job: &job,
            pause: &pause,
        };
        self.observer.observe(&event);
        self.pauses.set(key, pause);
        self.skip_waiting(key);
        self.pause_changed(key);
    }

    /// The pause without the end that it had, also in the store.
    fn again(&mut self, name: &JobName, pause: Pause) -> Pause {
        let again = Pause {
            ended_at: None,
            ..pause
        };
        let write = Write::Pause {
            job: name.clone(),
            pause: Box::new(again.clone()),
        };
        self.write(write, Then::Nothing);
        again
    }

    /// What follows for a job whose pause is another.
    fn pause_changed(&mut self, key: JobKey) {
        // What is skipped from now on is for another reason.
        self.end_span(key);
        self.refresh_status(key);
        let next = self.next_fire(key);
        self.tell_next(key, next.map(|fire| fire.due));
        self.expect(key);
        self.tell_paused_until(key);
        self.tell_pauses();
    }

    fn tell_paused_until(&self, key: JobKey) {
        if let Some(pause) = self.pauses.of(key) {
            let at = pause.end().unwrap_or(Timestamp::MAX);
            self.observer.observe(&Event::PausedUntil { key, at });
        }
    }

    pub(super) fn tell_pauses(&self) {
        let count = self.pauses.on;
        self.observer.observe(&Event::PausesKnown { count });
    }

    /// What somebody who starts elder may have forgotten.
    pub(super) fn tell_paused(&self) {
        let count = self.pauses.on;
        if count > 0 {
            self.observer.observe(&Event::Notice {
                warning: true,
                text: &format!("{count} jobs are paused: `elder overrides` lists them"),
            });
        }
    }

    /// A job is there: with the pause that the store has of it.
    pub(super) fn bring_pause(&mut self, key: JobKey, name: &JobName, pause: Option<Pause>) {
        let Some(pause) = pause else { return };
        let pause = match pause.ended_ahead_of(self.now.wall) {
            false => pause,
            true => self.again(name, pause),
        };
        self.pauses.set(key, pause);
        self.tell_paused_until(key);
    }

    /// A job goes. The store keeps its pause, for the case that it comes back.
    pub(super) fn leave_pause(&mut self, key: JobKey) {
        // The key may be another job's soon.
        self.pauses.asked.retain(|(_, of, _)| *of != key);
        self.pauses.take(key);
    }

    /// Why a fire that is due then is skipped, if it is for a pause.
    pub(super) fn pause_over(&self, key: JobKey, due: Timestamp) -> Option<Arc<str>> {
        let pause = self.pauses.deciding(key)?;
        let covers = pause.covers(due, self.now.wall);
        covers.then(|| pause.words().into())
    }

    pub(super) fn skip_paused(&mut self, key: JobKey, scheduled: Timestamp, words: Arc<str>) {
        let mut not_run = NotRun::one(Outcome::Skipped, Reason::Paused, scheduled);
        not_run.detail = Some(words);
        self.not_run(key, not_run);
    }

    /// What is due since the job's mark and falls into its pause.
    pub(super) fn settle_paused(&mut self, key: JobKey, schedule: &Schedule) {
        let (Some(job), Some(pause)) = (self.job(key), self.pauses.deciding(key)) else {
            return;
        };
        let now = self.now.wall;
        let until = match pause.end() {
            Some(end) if pause.covers(just_before(end), now) => just_before(end).min(now),
            Some(_) => return,
            None => now,
        };
        let words = pause.words();
        let Some(span) = decide::skipped(schedule, job.mark, until) else {
            return;
        };
        let not_run = NotRun {
            outcome: Outcome::Skipped,
            reason: Reason::Paused,
            first: span.first,
            last: span.last,
            count: span.count,
            detail: Some(words.into()),
        };
        self.not_run(key, not_run);
    }

    /// The job's runs that nobody asked for and that have not begun. What is due from the pause's end on is
    /// none of its: a clock that was set back a little may show a time before that end again.
    fn skip_waiting(&mut self, key: JobKey) {
        let Some(pause) = self.pauses.on(key) else {
            return;
        };
        let words = pause.words();
        // What is due from an end on that is on its way begins behind that, unless it is refused.
        let coming = self.pauses.coming(key).and_then(|pause| pause.ended_at);
        let until = [pause.until, coming].into_iter().flatten().min();
        let Some(job) = self.job(key) else { return };
        let waits = |id: &&RunId| {
            self.runs.get(*id).is_some_and(|active| {
                let begins = match active.stage {
                    Stage::Queued | Stage::Backlog | Stage::Behind => active.run.attempt == 0,
                    Stage::Recording => active.run.attempt == 1,
                    Stage::Running | Stage::Waiting => false,
                };
                let due = active.due.unwrap_or(active.run.scheduled_at);
                let is_covered = until.is_none_or(|until| due < until);
                begins && is_covered && active.run.request.is_none() && !active.is_ending
            })
        };
        let ids: Vec<_> = job.active().iter().filter(waits).copied().collect();
        let words: Arc<str> = words.into();
        for id in ids {
            let Some(active) = self.runs.get_mut(&id) else {
                continue;
            };
            active.run.detail = Some(words.clone());
            match (active.stage, active.row) {
                // Its first attempt is on its way to the store, and does not begin.
                (Stage::Recording, _) => {
                    active.is_ending = true;
                    active.end_reason = Some(Reason::Paused);
                }
                // Until the store has answered nobody knows which row to close.
                (_, Row::OnItsWay) => self.withdraw(id, Reason::Paused),
                _ => self.give_up(id, Outcome::Skipped, Reason::Paused),
            }
        }
    }

    /// The first fire that is no pause's.
    pub(super) fn after_pause(&self, key: JobKey, fire: Fire) -> Option<Fire> {
        let Some(pause) = self.pauses.on(key) else {
            return Some(fire);
        };
        let until = pause.until?;
        if fire.due >= until {
            return Some(fire);
        }
        let schedule = &self.job(key)?.job.definition.schedule;
        schedule.next_due_after(just_before(until))
    }

    /// The pauses that are on, the first by name, `limit` at most.
    #[must_use]
    pub fn pauses(&self, limit: usize) -> PausePage {
        let on = self.pauses.of.keys();
        let on = on.filter_map(|key| Some((self.job(*key)?, self.pauses.on(*key)?)));
        let mut pauses: Vec<_> = on.collect();
        pauses.sort_by(|(a, _), (b, _)| a.job.name().cmp(b.job.name()));
        let shown = pauses.into_iter().take(limit);
        PausePage {
            pauses: shown
                .map(|(job, pause)| PausedJob {
                    job: job.job.clone(),
                    pause: pause.clone(),
                })
                .collect(),
            total: self.pauses.on,
        }
    }
}
