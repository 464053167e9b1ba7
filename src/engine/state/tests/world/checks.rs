//! What must hold of a world, at any moment and when all is over.

use super::*;
use crate::model::SageEvent;

impl World {
    /// Nothing lost, nothing invented, nothing doubled, no bound broken.
    pub(in super::super) fn check(&mut self) {
        self.pump();
        self.check_freshness();
        Places::check_waiting(&self.state);
        self.check_nobody_is_stuck();
        for id in std::mem::take(&mut self.touched) {
            if let Some(row) = self.rows.get(&id) {
                self.was_to_fire(row);
            }
        }
        let is_behind = matches!(self.state.phase, Phase::Stopping(_));
        if self.state.commits.is_down() || !self.is_store_up || is_behind {
            return;
        }
        self.check_said();
        if self.state.commits.is_quiet() {
            self.check_pauses();
        }
        let mut unrecorded: HashMap<&JobName, u64> = HashMap::new();
        for Active { run, .. } in self.state.runs.values() {
            if is_by_schedule(run) && !self.rows.contains_key(&run.id) {
                *unrecorded.entry(&run.job).or_default() += 1;
            }
        }
        let names: Vec<_> = self.past.keys().cloned().collect();
        let found = |counts: &HashMap<JobName, u64>, name| counts.get(name).copied().unwrap_or(0);
        let known: Vec<_> = names
            .iter()
            .map(|name| {
                let unrecorded = unrecorded.get(name).copied().unwrap_or(0);
                found(&self.counts, name) + unrecorded
            })
            .collect();
        for (name, known) in names.iter().zip(known) {
            assert_eq!(
                known,
                self.due(name),
                "{name} at {}: {:?}, in force {:?}",
                self.now.as_second() - START,
                self.told(),
                self.past[name]
            );
        }
    }

    /// No job has only runs that wait for a run of that job to end.
    fn check_nobody_is_stuck(&self) {
        let state = &self.state;
        let goes_on = state.phase == Phase::Running && !state.commits.is_down();
        if !goes_on || state.commits.is_clogged() {
            return;
        }
        for job in state
            .jobs
            .iter()
            .flatten()
            .filter(|job| !job.active().is_empty())
        {
            let waits = |id: &RunId| {
                let stage = state.runs[id].stage;
                matches!(stage, Stage::Backlog | Stage::Behind)
            };
            assert!(
                !job.active().iter().all(waits),
                "{} stands still at {}: {:?}",
                job.job.name(),
                self.now.as_second() - START,
                self.told()
            );
        }
    }

    /// What the store remembers of pauses is what the state does: the next start goes by it.
    fn check_pauses(&self) {
        for (name, key) in &self.state.names {
            let stored = self.pauses.get(name);
            assert_eq!(stored, self.state.pauses.of(*key), "the pause of {name}");
        }
    }

    /// What the store remembers of troubles is what the state does.
    fn check_said(&self) {
        let state = &self.state;
        let of_jobs = state.names.iter().filter_map(|(name, key)| {
            let trouble = state.job(*key)?.past.as_ref()?.trouble.as_deref()?;
            Some((name, trouble))
        });
        let mut count = 0;
        for (name, trouble) in of_jobs.chain(&state.troubles) {
            let said = self.said.get(&Trouble::subject(name));
            let said = said.map(|text| Trouble::parse(text));
            count += usize::from(said.is_some());
            // What was told of fires that are decided anew is told anew.
            let sure = |trouble: &Trouble| {
                let mut trouble = trouble.clone();
                trouble.told.retain(|told| told.event != SageEvent::Missed);
                Some(trouble).filter(|trouble| !trouble.is_empty())
            };
            let said = said.as_ref().and_then(sure);
            assert_eq!(said, sure(trouble), "remembered of {name}");
        }
        assert_eq!(count, self.said.len(), "{:?}", self.said);
    }

    /// Once everything is over, nothing is left behind.
    pub(in super::super) fn check_rest(&mut self) {
        self.store_back();
        self.pump();
        if let Phase::Stopping(_) = self.state.phase {
            self.crash(0);
        }
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

impl World {
    /// A row's instants were due by the schedule that was in force.
    fn was_to_fire(&self, row: &Run) {
        if !is_by_schedule(row) {
            return;
        }
        let name = &row.job;
        for instant in [Some(row.scheduled_at), row.scheduled_until] {
            let instant = instant.unwrap_or(row.scheduled_at);
            assert!(
                self.was_due(name, instant),
                "{name} was not to fire at {instant}: {:?}",
                self.past[name]
            );
        }
    }
}

/// Whether a row is of a fire, and not of a request or a start.
pub(super) fn is_by_schedule(run: &Run) -> bool {
    matches!(run.trigger, Trigger::Schedule | Trigger::CatchUp)
}
