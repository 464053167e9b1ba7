//! What must hold of a world, at any moment and when all is over.

use super::*;

impl World {
    /// Nothing lost, nothing invented, nothing doubled, no bound broken.
    pub(in super::super) fn check(&mut self) {
        self.pump();
        self.check_freshness();
        Places::check_waiting(&self.state);
        for id in self.touched.drain(..) {
            was_to_fire(&self.past, &self.rows[&id]);
        }
        let mut unrecorded: HashMap<&JobName, u64> = HashMap::new();
        for Active { run, .. } in self.state.runs.values() {
            if is_by_schedule(run) && !self.rows.contains_key(&run.id) {
                *unrecorded.entry(&run.job).or_default() += 1;
            }
        }
        for (name, past) in &self.past {
            if self.state.commits.is_down() || !self.is_store_up {
                continue;
            }
            let in_rows = self.counts.get(name).copied().unwrap_or(0);
            let over = self.over.entry(name.clone());
            let over = *over.or_insert_with(|| due_before_the_last(past));
            assert_eq!(
                in_rows + unrecorded.get(name).copied().unwrap_or(0),
                over + due_by_the_last(past, self.now),
                "{name} at {}: {:?}, in force {past:?}",
                self.now.as_second() - START,
                self.told()
            );
        }
    }

    /// Once everything is over, nothing is left behind.
    pub(in super::super) fn check_rest(&mut self) {
        self.store_back();
        self.pump();
        self.record_the_rest();
        let mut off = self.jobs.clone();
        for job in &mut off {
            Arc::make_mut(&mut job.definition).enabled = false;
        }
        assert!(
            self.edit(off),
            "an edit is refused although the store is up"
        );
        self.record_the_rest();
        for _ in 0..10_000 {
            if !self.running.is_empty() {
                self.finish(0, Ended::Success);
            } else if let Some(wake) = self.state.next_wake() {
                self.now = self.now.max(wake);
                self.feed(Input::Tick);
            } else {
                break;
            }
            self.pump();
        }
        self.touched = self.rows.keys().copied().collect();
        self.check();
        for row in self.rows.values() {
            assert_eq!(row.state, RunState::Done, "left open: {:?}", self.told());
            assert!(
                row.outcome.is_some()
                    && (row.outcome == Some(Outcome::Success)) == row.reason.is_none()
            );
            let told = self.told_ends.0.lock().unwrap().get(&row.id).copied();
            let once = (row.attempt > 0).then_some(1);
            assert_eq!(told, once, "ends told of {row:?}");
        }
        self.check_letters();
        assert!(self.asking.is_empty(), "never answered: {:?}", self.asking);
        let state = &self.state;
        assert!(state.runs.is_empty() && state.timers.is_empty());
        assert!(state.commits.is_quiet() && state.commits.unsettled.is_empty());
        assert!(state.orphans.is_empty() && state.incoming.is_empty());
        assert!(state.undecided.is_empty() && state.recalled.is_empty());
        assert_eq!((state.stats().running, state.stats().queued), (0, 0));
        let active = |job: &JobState| !job.active().is_empty();
        assert!(!state.jobs.iter().flatten().any(active));
    }
}

/// Whether a row is of a fire, and not of a request or a start.
pub(super) fn is_by_schedule(run: &Run) -> bool {
    run.request.is_none() && run.trigger != Trigger::Startup
}

/// A row's instants were due by the schedule that was in force.
fn was_to_fire(past: &BTreeMap<JobName, Past>, row: &Run) {
    if !is_by_schedule(row) {
        return;
    }
    let (name, past) = (&row.job, &past[&row.job]);
    for instant in [Some(row.scheduled_at), row.scheduled_until] {
        let instant = instant.unwrap_or(row.scheduled_at);
        assert!(
            was_due(past, instant),
            "{name} was not to fire at {instant}: {past:?}"
        );
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

/// How many fires were due by the one that is in force.
fn due_by_the_last(past: &Past, now: Timestamp) -> u64 {
    let Some((since, Some(schedule))) = past.last() else {
        return 0;
    };
    schedule.count_between(*since, schedule.due_up_to(now))
}

/// Whether the schedule that was in force at that instant had it.
fn was_due(past: &Past, instant: Timestamp) -> bool {
    let in_force = past.iter().rev().find(|(since, _)| *since < instant);
    let Some((_, Some(schedule))) = in_force else {
        return false;
    };
    let next = schedule.next_after(just_before(instant));
    next.is_some_and(|fire| fire.scheduled == instant)
}
