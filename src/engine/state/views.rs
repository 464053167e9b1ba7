//! What others may see: pages of jobs, one job, sums. Each costs no more than its page.

use std::ops::Bound;

use crate::engine::handle::{JobPage, JobQuery, JobStatus, JobView, RunHead, Stats, Waits};
use crate::ids::{JobKey, JobName, RunId};
use crate::model::Event;

use super::active::{Active, Stage};
use super::{JobState, State};

/// The largest page.
const MOST: usize = 1000;

/// How many jobs one question looks at, at most, when it filters.
const LOOKED_AT: usize = 100_000;

impl State {
    /// A page of jobs, by name.
    #[must_use]
    pub fn jobs(&self, query: &JobQuery) -> JobPage {
        let limit = query.limit.clamp(1, MOST);
        let from = match &query.after {
            Some(name) => Bound::Excluded(name.as_str()),
            None => Bound::Unbounded,
        };
        let mut page = JobPage::default();
        let range = self.names.range::<str, _>((from, Bound::Unbounded));
        for (name, key) in range.take(LOOKED_AT) {
            let Some(state) = self.job(*key) else {
                continue;
            };
            if query.status.is_some_and(|status| status != state.status)
                || query
                    .name
                    .as_ref()
                    .is_some_and(|part| !name.as_str().contains(part.as_str()))
            {
                continue;
            }
            if page.jobs.len() == limit {
                page.more = true;
                break;
            }
            page.jobs.push(self.view(*key, state));
        }
        page
    }

    /// One job.
    #[must_use]
    pub fn job_view(&self, name: &JobName) -> Option<JobView> {
        let key = *self.names.get(name.as_str())?;
        Some(self.view(key, self.job(key)?))
    }

    /// Sums since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats.clone();
        stats.jobs = self.names.len() as u64;
        stats.active_jobs = self.counts[JobStatus::Active as usize];
        stats.running = self.places.in_use();
        stats.queued = self.places.waiting();
        stats.store_error = self.commits.error();
        (stats.stale_jobs, stats.stale_names) = self.freshness.stale();
        (stats.failing_jobs, stats.failing_names) = self.failing_jobs();
        stats
    }

    fn view(&self, key: JobKey, state: &JobState) -> JobView {
        let past = state.past.as_ref();
        let expected = self.freshness.of(key);
        JobView {
            job: state.job.clone(),
            status: state.status,
            next: self.next_fire(key).map(|fire| fire.due),
            active: self.heads(state),
            pause: self.pauses.on(key).cloned(),
            last: past.and_then(|past| past.last.as_deref().cloned()),
            mark: state.mark(),
            failing: state.failing(),
            success_deadline: expected.map(|(deadline, _)| deadline),
            is_stale: expected.is_some_and(|(_, is_stale)| is_stale),
            ahead: (state.mark > self.now.wall).then_some(state.mark),
        }
    }

    /// A job's runs that are not over.
    pub(super) fn heads(&self, state: &JobState) -> Vec<RunHead> {
        let head = |id: &RunId| {
            let active = self.runs.get(id)?;
            Some(RunHead {
                id: *id,
                state: active.run.state,
                scheduled_at: active.run.scheduled_at,
                attempt: active.run.attempt,
                waits: self.waits(state, active),
            })
        };
        state.active().iter().filter_map(head).collect()
    }

    /// What a run waits for.
    fn waits(&self, job: &JobState, active: &Active) -> Option<Waits> {
        Some(match active.stage {
            Stage::Running => return None,
            Stage::Recording => Waits::Record,
            Stage::Backlog => Waits::Backlog,
            Stage::Waiting => Waits::Attempt(active.run.next_attempt_at?),
            Stage::Behind => {
                let others = job.active().iter();
                let first = others.copied().find(|id| *id != active.run.id);
                Waits::Run(first.unwrap_or(active.run.id))
            }
            Stage::Queued => {
                let full = self.places.full(active);
                Waits::Place {
                    of: full.of(),
                    limit: full.limit,
                    waiting: full.waiting,
                    until: active.grace_until,
                }
            }
        })
    }

    /// Finds a job's status anew after something that may have changed it.
    pub(super) fn refresh_status(&mut self, key: JobKey) {
        let Some(state) = self.job(key) else { return };
        let status = if self.held.contains(state.job.name().as_str()) {
            JobStatus::Held
        } else if !state.job.definition.enabled {
            JobStatus::Disabled
        } else if self.pauses.on(key).is_some() {
            JobStatus::Paused
        } else if self.timetable.next_of(key).is_some() {
            JobStatus::Active
        } else {
            JobStatus::Idle
        };
        let before = state.status;
        self.counts[before as usize] -= 1;
        self.counts[status as usize] += 1;
        if let Some(state) = self.job_mut(key) {
            state.status = status;
        }
        if before != status {
            self.tell_counts();
        }
    }

    pub(super) fn tell_counts(&self) {
        let of = |status: JobStatus| self.counts[status as usize];
        self.observer.observe(&Event::JobCounts {
            active: of(JobStatus::Active),
            idle: of(JobStatus::Idle),
            paused: of(JobStatus::Paused),
            disabled: of(JobStatus::Disabled),
            held: of(JobStatus::Held),
        });
    }
}
