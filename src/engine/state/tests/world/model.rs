//! What is in force since when, and so what is due: what the state is measured against.

use super::*;

/// What is in force since when; without a schedule nothing fires.
pub(super) type Past = Vec<(Timestamp, Option<Arc<Schedule>>)>;

impl World {
    /// From then on this fires.
    pub(super) fn remember(&mut self, name: &JobName, since: Timestamp, job: Option<&Job>) {
        let job = job.filter(|job| job.definition.enabled);
        let schedule = job.map(|job| job.definition.schedule.clone());
        self.over.remove(name);
        let past = self.past.entry(name.clone()).or_default();
        past.push((since, schedule));
    }

    /// Up to where each job is decided: a clock that was set back does not change that.
    pub(super) fn decided(&self) -> HashMap<JobName, Timestamp> {
        let names = self.state.names.iter();
        let marks =
            names.filter_map(|(name, key)| Some((name.clone(), self.state.job(*key)?.mark)));
        marks.collect()
    }

    /// Remembers what a change that is in force means for what is due; so far it was decided before.
    pub(super) fn settle_on(
        &mut self,
        change: &Change,
        jobs: Vec<Job>,
        decided: &HashMap<JobName, Timestamp>,
    ) {
        for (job, mark) in &change.added {
            // What came due while a name was away is late, like anything else.
            self.remember(job.name(), mark.mark, Some(job));
        }
        for job in &change.changed {
            let old = self.jobs.iter().find(|old| old.name() == job.name());
            let old = old.cloned();
            if old.is_none_or(|old| is_rescheduled(&old, job)) {
                self.replace(job.name(), Some(job), decided);
            }
        }
        for name in &change.removed {
            self.replace(name, None, decided);
        }
        self.jobs = jobs;
    }

    /// Another schedule or none from now on. A fire that is scheduled and not yet due goes over to
    /// one that has it as well, and else is the old one's no more.
    fn replace(
        &mut self,
        name: &JobName,
        job: Option<&Job>,
        decided: &HashMap<JobName, Timestamp>,
    ) {
        let now = self.now;
        let decided = decided.get(name).copied().unwrap_or(Timestamp::MIN);
        let new = job.filter(|job| job.definition.enabled);
        let new = new.map(|job| job.definition.schedule.clone());
        let (since, old) = self.past[name].last().cloned().unwrap();
        let pending = old.and_then(|old| old.pending_at(now));
        let pending = pending.filter(|fire| fire.scheduled > since && fire.scheduled > decided);
        self.over.remove(name);
        let past = self.past.get_mut(name).unwrap();
        let from = now.max(decided);
        let Some(pending) = pending else {
            past.push((from, new));
            return;
        };
        let open = just_before(pending.scheduled);
        match new.as_ref().and_then(|new| new.fire_at(pending.scheduled)) {
            // It has run at once.
            Some(fire) if fire.due <= now => {}
            Some(_) => past.extend([(open, None), (open, new.clone())]),
            None => past.push((open, None)),
        }
        if past.last().is_none_or(|(_, last)| *last != new) {
            past.push((from, new));
        }
    }

    /// What was in force and is not recorded is as if it had never been.
    pub(super) fn forget_unrecorded(&mut self) {
        let recorded = self.recorded.clone();
        for old in &recorded {
            let name = old.name();
            let new = self.jobs.iter().find(|job| job.name() == name);
            if new.is_none_or(|new| is_rescheduled(old, new)) {
                let mark = self.marks[name].mark;
                self.over.remove(name);
                let past = self.past.get_mut(name).unwrap();
                past.retain(|(since, _)| *since < mark);
                let enabled = old.definition.enabled;
                past.push((mark, enabled.then(|| old.definition.schedule.clone())));
            }
        }
    }

    /// A name becomes another one's past, or goes on as that: also a job that is disabled has a past of its own.
    pub(super) fn move_past(&mut self, from: &JobName, to: &JobName, goes_on: bool) {
        let former = self.former.remove(from).unwrap_or_default();
        let mut over: Vec<Past> = former;
        let old = self.past.remove(from);
        if !goes_on {
            over.extend(old);
        } else if let Some(old) = old {
            over.extend(self.past.insert(to.clone(), old));
        }
        self.former.entry(to.clone()).or_default().extend(over);
        self.over.remove(from);
        self.over.remove(to);
    }

    /// How many fires of a job were due by now, by all that is in force or was.
    pub(super) fn due(&mut self, name: &JobName) -> u64 {
        let Some(past) = self.past.get(name) else {
            return 0;
        };
        let former = self.former.get(name);
        let over = self.over.entry(name.clone()).or_insert_with(|| {
            let former = former.into_iter().flatten().chain([past]);
            former.map(due_before_the_last).sum()
        });
        let Some((since, Some(schedule))) = past.last() else {
            return *over;
        };
        let key = self.state.names.get(name.as_str());
        let mark = key.and_then(|key| self.state.job(*key)).map(|job| job.mark);
        let until = schedule.due_up_to(self.now);
        let until = mark.map_or(until, |mark| until.max(mark));
        *over + schedule.count_between(*since, until)
    }

    /// Whether a schedule that was in force at that instant had it.
    pub(super) fn was_due(&self, name: &JobName, instant: Timestamp) -> bool {
        let former = self.former.get(name).into_iter().flatten();
        former
            .chain(self.past.get(name))
            .any(|past| was_due(past, instant))
    }
}

/// How many fires were due by all schedules but the one that is in force.
fn due_before_the_last(past: &Past) -> u64 {
    let pairs = past.windows(2).filter_map(|pair| {
        let (since, schedule) = &pair[0];
        Some(schedule.as_ref()?.count_between(*since, pair[1].0))
    });
    pairs.sum()
}

fn was_due(past: &Past, instant: Timestamp) -> bool {
    let in_force = past.iter().rev().find(|(since, _)| *since < instant);
    let Some((_, Some(schedule))) = in_force else {
        return false;
    };
    let next = schedule.next_after(just_before(instant));
    next.is_some_and(|fire| fire.scheduled == instant)
}
