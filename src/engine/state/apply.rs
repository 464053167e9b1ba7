//! A change of the set of jobs comes in force.
//!
//! What was due before is settled by the old schedules and policies and runs
//! by the new definitions; then the new schedules begin, and none of them
//! fires at or before the instant of the change.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use crate::decide;
use crate::ids::{JobKey, JobName, RunId};
use crate::model::{Event, Job, Pause, Reason, Run, Trigger};
use crate::schedule::Fire;
use crate::store::Mark;

use super::active::{Row, Stage};
use super::mending::waited_for;
use super::overlap::promised;
use super::{
    ApplyAnswer, Change, Effect, Incoming, JobState, NotApplied, Phase, State, Ticket, just_before,
};

/// What an edit did to a job.
struct Edited {
    today: Today,
    /// How far the mark goes, where that is not the instant of the edit.
    open: Option<Timestamp>,
}

/// What an edit did to a job's fire of today.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Today {
    Kept,
    Lost,
}

impl State {
    pub(super) fn apply(&mut self, ticket: Ticket, mut change: Change) {
        if let Some(why) = self.in_the_way() {
            self.effects.push(Effect::Applied(ticket, Err(why)));
            return;
        }
        let at = change.at.min(self.now.wall);
        let mut editions = std::mem::take(&mut change.editions);
        if let Some(renamed) = change.renamed {
            self.rename(renamed.moves, renamed.files);
            self.answer(ticket, Vec::new(), Vec::new());
            return;
        }
        // What is settled on the way runs by the new definitions already.
        self.revision = change.revision.take();
        if let Some(sages) = &change.sages {
            self.sages = sages.clone();
        }
        if change.recalled {
            self.take_back(change.added, &mut change.pauses);
            for (name, author) in change.authors {
                if let Some(key) = self.names.get(name.as_str()) {
                    self.recall_author(*key, Some(author));
                }
            }
            self.add_editions(&mut editions);
            self.answer(ticket, Vec::new(), Vec::new());
            return;
        }
        self.announce(&change);
        self.add_editions(&mut editions);
        if change.first {
            let left = self.recalled.iter();
            let left = left.filter_map(|run| self.names.get(run.job.as_str()).copied());
            let left: BTreeSet<JobKey> = left.collect();
            self.recover_rows();
            self.settle_recalled();
            // Who came before this change may have waited for a row that is closed now.
            for key in left {
                self.next_of_job(key);
            }
        } else if self.phase == Phase::Running {
            self.fire_due();
        }
        self.incoming.clear();
        let mut lost = Vec::new();
        let mut open = Vec::new();
        for name in &change.removed {
            open.extend(self.open_mark(name).map(|mark| (name.clone(), mark)));
            self.remove_job(name);
        }
        for job in change.changed {
            let name = job.name().clone();
            let changed = self.change_job(job, at);
            if changed.today == Today::Lost {
                lost.push(name.clone());
            }
            open.extend(changed.open.map(|mark| (name, mark)));
        }
        let is_ahead = change
            .added
            .iter()
            .any(|(_, mark)| mark.mark > self.now.wall);
        for (job, mark) in change.added {
            let own = editions.remove(job.name());
            let pause = change.pauses.remove(job.name());
            let key = self.insert_job(job, &mark, pause);
            match own {
                Some(own) => self.add_editions_of(key, own),
                None => self.recall_author(key, change.author.clone()),
            }
            self.begin_schedule(key);
        }
        self.hold(change.held);
        self.places.set_pools(&change.pools);
        if change.first && self.phase == Phase::Starting {
            self.phase = Phase::Running;
            self.freshness.resume(self.now.wall);
            self.mend_marks();
            self.start_up();
            self.tell_paused();
        } else if is_ahead {
            self.mend_marks();
        }
        self.tell_counts();
        self.tell_pauses();
        self.answer(ticket, lost, open);
    }

    /// Why nothing may change now: what was due up to a change is decided before it, and that needs
    /// the store and a scheduler that still decides.
    fn in_the_way(&self) -> Option<NotApplied> {
        match (self.phase, self.commits.error()) {
            (Phase::Stopping(_), _) => Some(NotApplied::Stopped),
            (_, Some(error)) => Some(NotApplied::Store(error)),
            _ => None,
        }
    }

    fn answer(
        &mut self,
        ticket: Ticket,
        will_not_fire_today: Vec<JobName>,
        open: Vec<(JobName, Timestamp)>,
    ) {
        let answer = ApplyAnswer {
            jobs: self.names.len(),
            will_not_fire_today,
            open,
        };
        self.effects.push(Effect::Applied(ticket, Ok(answer)));
    }

    /// The store's last applied set: known, and not yet decided.
    fn take_back(&mut self, jobs: Vec<(Job, Mark)>, pauses: &mut HashMap<JobName, Pause>) {
        for (job, mark) in jobs {
            let pause = pauses.remove(job.name());
            let key = self.insert_job(job, &mark, pause);
            self.undecided.push(key);
        }
    }

    /// Remembers what the change makes of each job, for fires that are settled on the way.
    fn announce(&mut self, change: &Change) {
        for name in &change.removed {
            if let Some(key) = self.names.get(name.as_str()) {
                self.incoming.insert(*key, Incoming::Removed);
            }
        }
        for job in &change.changed {
            if let Some(key) = self.names.get(job.name().as_str()) {
                let incoming = if job.definition.enabled {
                    Incoming::Job(job.clone())
                } else {
                    Incoming::Disabled
                };
                self.incoming.insert(*key, incoming);
            }
        }
    }

    /// What the jobs of the last applied set missed, by what they were then.
    fn settle_recalled(&mut self) {
        for key in std::mem::take(&mut self.undecided) {
            self.begin_schedule(key);
        }
    }

    /// Settles what is due since the job's mark, then lets its schedule go on from now.
    fn begin_schedule(&mut self, key: JobKey) {
        let Some(job) = self.job(key) else { return };
        let schedule = job.job.definition.schedule.clone();
        if job.job.definition.enabled {
            if self.phase != Phase::Starting || job.mark < self.now.wall {
                self.settle(key, &schedule, self.punctual());
            }
            self.timetable.insert(key, &schedule, self.now.wall);
            let next = self.next_fire(key);
            self.tell_next(key, next.map(|fire| fire.due));
        } else {
            self.timetable.remove(key);
            self.tell_next(key, None);
        }
        self.refresh_status(key);
        self.expect(key);
    }

    fn insert_job(&mut self, job: Job, mark: &Mark, pause: Option<Pause>) -> JobKey {
        let name = job.name().clone();
        if self.names.contains_key(name.as_str()) {
            self.remove_job(&name);
        }
        let mut state = JobState::new(job, mark);
        if mark.failing.is_some() {
            self.fails.insert(name.clone());
        }
        if let Some(trouble) = self.troubles.remove(name.as_str()) {
            state.past().trouble = Some(Box::new(trouble));
        }
        let key = match self.free.pop() {
            Some(index) => JobKey(index),
            None => {
                self.jobs.push(None);
                JobKey(u32::try_from(self.jobs.len() - 1).unwrap_or(u32::MAX))
            }
        };
        self.observer.observe(&Event::JobAdded {
            key,
            job: &state.job,
            memory: mark.times,
        });
        self.counts[state.status as usize] += 1;
        self.jobs[key.index()] = Some(state);
        self.adopt(key, &name);
        self.bring_pause(key, &name, pause);
        self.names.insert(name, key);
        key
    }

    /// Runs that the name left behind when it went count again.
    pub(super) fn adopt(&mut self, key: JobKey, name: &JobName) {
        let Some(orphans) = self.orphans.remove(name.as_str()) else {
            return;
        };
        for id in &orphans {
            if let Some(active) = self.runs.get_mut(id) {
                active.key = Some(key);
            }
        }
        if let Some(state) = self.job_mut(key) {
            state.past().active.extend(orphans);
        }
    }

    fn change_job(&mut self, job: Job, at: Timestamp) -> Edited {
        let untouched = Edited {
            today: Today::Kept,
            open: None,
        };
        let Some(key) = self.names.get(job.name().as_str()).copied() else {
            return untouched;
        };
        let now = self.now.wall;
        // The mark moves with the times, and another kind of action waits in another line.
        self.record_waiting(key, Timestamp::MAX);
        let Some(state) = self.job_mut(key) else {
            return untouched;
        };
        let old = std::mem::replace(&mut state.job, job);
        let (before, after) = (&old.definition, &state.job.definition);
        let is_rescheduled = before.schedule != after.schedule || before.enabled != after.enabled;
        let is_enabled = after.enabled;
        let goes_on = is_rescheduled && before.enabled && is_enabled;
        // A fire that waits for its jitter: by the new schedule it is due later, or now.
        let carried = decide::carried_over(&before.schedule, &after.schedule, now)
            .filter(|fire| goes_on && fire.scheduled > state.mark && fire.scheduled <= at);
        let open = carried.filter(|fire| fire.due > now);
        let open = open.map(|fire| just_before(fire.scheduled));
        let mut to = None;
        if is_rescheduled {
            state.mark = state.mark.max(open.unwrap_or(at));
            // Ahead of the clock what was decided by the old schedule is its own.
            state.since = state.mark;
            to = open.or(waited_for(state.mark, at));
        }
        let is_lost = goes_on && decide::loses_today(&before.schedule, &after.schedule, at);
        if before != after {
            self.tell_author(key);
        }
        if let Some(state) = self.job(key) {
            self.observer.observe(&Event::JobChanged {
                key,
                job: &state.job,
            });
        }
        if !is_enabled {
            // Requests are for disabled jobs as well.
            self.give_up_waiting(key, |run| run.request.is_none());
        }
        if let Some(fire) = carried.filter(|_| open.is_none()) {
            // By the new schedule it is due: before whatever that has decided next.
            self.fire_now(key, fire.scheduled);
        }
        if is_rescheduled {
            self.begin_schedule(key);
        } else {
            self.expect(key);
        }
        // More may run at once than before.
        self.next_of_job(key);
        let today = if is_lost { Today::Lost } else { Today::Kept };
        Edited { today, open: to }
    }

    /// An edit made this fire due; it is not late for that.
    fn fire_now(&mut self, key: JobKey, scheduled: Timestamp) {
        let Some(state) = self.job(key) else { return };
        let schedule = state.job.definition.schedule.clone();
        let fire = Fire {
            scheduled,
            due: self.now.wall,
        };
        self.fire(key, &schedule, fire, Trigger::Schedule);
        self.record_waiting(key, Timestamp::MAX);
    }

    /// How far the mark of a job goes that is taken out, where that is not now: while a fire of it
    /// waits for its jitter, or while its mark is ahead of the clock.
    fn open_mark(&self, name: &JobName) -> Option<Timestamp> {
        let key = self.names.get(name.as_str())?;
        let state = self.job(*key)?;
        let definition = &state.job.definition;
        let pending = definition.schedule.pending_at(self.now.wall);
        let pending = pending.filter(|fire| definition.enabled && fire.scheduled > state.mark);
        let open = pending.map(|fire| just_before(fire.scheduled));
        open.or(waited_for(state.mark, self.now.wall))
    }

    fn remove_job(&mut self, name: &JobName) {
        let Some(key) = self.names.get(name.as_str()).copied() else {
            return;
        };
        self.give_up_waiting(key, |_| true);
        self.timetable.remove(key);
        self.names.remove(name.as_str());
        self.leave_pause(key);
        self.expect_nothing(key, name);
        let Some(state) = self.jobs.get_mut(key.index()).and_then(Option::take) else {
            return;
        };
        // Its runs go on by the definition that they began with.
        for id in state.active() {
            if let Some(active) = self.runs.get_mut(id) {
                active.key = None;
            }
        }
        if !state.active().is_empty() {
            self.orphans.insert(name.clone(), state.active().to_vec());
        }
        let trouble = state.past.and_then(|past| past.trouble);
        self.keep_trouble(name, trouble.map(|trouble| *trouble));
        self.counts[state.status as usize] -= 1;
        self.held.remove(name.as_str());
        self.fails.remove(name.as_str());
        self.undecided.retain(|other| *other != key);
        self.commits.unsettled.remove(&key);
        self.free.push(key.0);
        self.observer.observe(&Event::JobRemoved { key });
    }

    /// A run of a job that is gone is over.
    pub(super) fn forget_orphan(&mut self, name: &JobName, id: RunId) {
        if let Some(runs) = self.orphans.get_mut(name.as_str()) {
            runs.retain(|other| *other != id);
            if runs.is_empty() {
                self.orphans.remove(name.as_str());
            }
        }
    }

    /// These of the job's runs, so far as they have not begun, are missed.
    fn give_up_waiting(&mut self, key: JobKey, which: impl Fn(&Run) -> bool) {
        let Some(job) = self.job(key) else { return };
        let waits = |id: &&RunId| {
            self.runs.get(*id).is_some_and(|active| {
                active.run.attempt == 0
                    && matches!(active.stage, Stage::Queued | Stage::Backlog | Stage::Behind)
                    && which(&active.run)
            })
        };
        let ids: Vec<_> = job.active().iter().filter(waits).copied().collect();
        for id in ids {
            let Some(active) = self.runs.get(&id) else {
                continue;
            };
            let why = active.end_reason.unwrap_or(Reason::Removed);
            match active.row {
                // Until the store has answered nobody knows which row to close.
                Row::OnItsWay => self.withdraw(id, why),
                Row::Absent | Row::There => self.give_up(id, promised(why), why),
            }
        }
    }

    fn hold(&mut self, names: Vec<JobName>) {
        let before = std::mem::replace(&mut self.held, names.into_iter().collect());
        let mut touched: Vec<_> = before.symmetric_difference(&self.held).cloned().collect();
        touched.sort();
        for name in touched {
            if let Some(key) = self.names.get(name.as_str()).copied() {
                self.refresh_status(key);
            }
        }
    }

    fn start_up(&mut self) {
        let starting: Vec<_> = self
            .names
            .values()
            .copied()
            .filter(|key| {
                self.job(*key).is_some_and(|state| {
                    let definition = &state.job.definition;
                    definition.enabled && definition.schedule.fires_at_startup()
                })
            })
            .collect();
        for key in starting {
            self.startup(key);
        }
    }
}
