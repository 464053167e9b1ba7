//! A store that forgets when elder ends: for tests, and for jobs whose past does not matter.
//!
//! It keeps the same promises about rows as the others, but nothing survives the process. As there
//! is no disk to fill, it bounds itself: history as pruning would, and a total of rows and output.

mod audit;
mod editions;
mod job;
mod outbox;
mod state;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use self::state::State;
use super::{
    AUDIT_AGE, Answer, AuditPage, AuditQuery, JobSummary, Mark, Recalled, RunPage, RunQuery, Store,
    StoreError, Waiting, Write, Written, rules,
};
use crate::decide::Edition;
use crate::ids::{JobName, RunId};
use crate::model::{History, Letter, Output, Pause, Run};

/// How much a [`MemoryStore`] keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryBounds {
    /// So many ended rows a job, as [`History::keep`] has it.
    pub keep: u32,
    /// So many ended rows in all; the oldest go.
    pub rows: usize,
    /// So many bytes of output in all; the oldest go.
    pub output: usize,
}

impl Default for MemoryBounds {
    fn default() -> Self {
        Self {
            keep: History::default().keep,
            rows: 200_000,
            output: 64 << 20,
        }
    }
}

/// A ledger in memory.
#[derive(Default)]
pub struct MemoryStore {
    bounds: MemoryBounds,
    state: Mutex<State>,
}

impl MemoryStore {
    /// An empty store with these bounds.
    #[must_use]
    pub fn new(bounds: MemoryBounds) -> Self {
        Self {
            bounds,
            state: Mutex::default(),
        }
    }

    fn with<'a, T>(&'a self, act: impl FnOnce(&mut State) -> T + Send + 'a) -> Answer<'a, T> {
        Box::pin(async move {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(act(&mut state))
        })
    }

    fn refuse<T: Send + 'static>(why: &str) -> Answer<'static, T> {
        Box::pin(std::future::ready(Err(StoreError::Unavailable(
            why.to_owned(),
        ))))
    }
}

impl Store for MemoryStore {
    fn commit_shared(&self, writes: Arc<Vec<Write>>) -> Answer<'_, Vec<Written>> {
        self.with(move |state| {
            let writes = Arc::unwrap_or_clone(writes);
            let written = writes.into_iter().map(|write| state.write(write)).collect();
            state.bound(&self.bounds);
            written
        })
    }

    fn recall(&self) -> Answer<'_, Recalled> {
        self.with(|state| Recalled {
            marks: state
                .jobs
                .iter()
                .filter(|(_, job)| job.mark.gone_at.is_none())
                .map(|(name, job)| (name.clone(), job.mark.clone()))
                .collect(),
            open: state
                .open
                .iter()
                .filter_map(|(_, id)| Some(state.rows.get(id)?.run.clone()))
                .collect(),
            files: state.files.values().cloned().collect(),
            said: state.outbox.said(),
            editions: state.editions_that_matter(),
            authors: state.authors(),
            without_edition: state.without_edition(),
            pauses: state.pauses(),
        })
    }

    fn marks(&self, jobs: Vec<JobName>) -> Answer<'_, Vec<Option<Mark>>> {
        self.with(move |state| {
            let mark = |job: &JobName| state.jobs.get(job).map(|job| job.mark.clone());
            jobs.iter().map(mark).collect()
        })
    }

    fn pauses(&self) -> Answer<'_, Vec<(JobName, Pause)>> {
        self.with(|state| state.pauses())
    }

    fn editions(&self, job: JobName) -> Answer<'_, Vec<Edition>> {
        self.with(move |state| {
            let job = state.jobs.get(&job);
            job.map(|job| job.editions.clone()).unwrap_or_default()
        })
    }

    fn runs(&self, query: RunQuery) -> Answer<'_, RunPage> {
        self.with(move |state| state.page(&query))
    }

    fn run(&self, id: RunId) -> Answer<'_, Option<(Run, Output)>> {
        self.with(move |state| {
            let row = state.rows.get(&id)?;
            let output = rules::shown_output(&row.run, row.output.clone());
            Some((row.run.clone(), output))
        })
    }

    fn run_of_request(&self, job: JobName, request: String) -> Answer<'_, Option<Run>> {
        self.with(move |state| {
            let id = state.jobs.get(&job)?.requests.get(request.as_str())?;
            Some(state.rows.get(id)?.run.clone())
        })
    }

    fn outbox(&self, after: u64, limit: usize) -> Answer<'_, Vec<Waiting>> {
        self.with(move |state| state.outbox.waiting(after, limit))
    }

    fn letter(&self, id: RunId) -> Answer<'_, Option<Letter>> {
        self.with(move |state| state.outbox.letter(id))
    }

    fn audit(&self, query: AuditQuery) -> Answer<'_, AuditPage> {
        self.with(move |state| state.trail.page(&query))
    }

    fn summary(&self, since: Timestamp, until: Timestamp) -> Answer<'_, Vec<JobSummary>> {
        self.with(move |state| state.summary(since, until))
    }

    fn prune(&self, bounds: History, now: Timestamp, limit: usize) -> Answer<'_, u64> {
        self.with(move |state| {
            let oldest_kept = rules::oldest_kept(now, bounds.max_age);
            let aged = state.aged(bounds.max_age, now, limit);
            let beyond = state.beyond(bounds.keep, now, limit - aged, None);
            if aged < limit {
                state.jobs.retain(|_, job| {
                    !job.is_bare() || job.mark.gone_at.is_none_or(|gone| gone >= oldest_kept)
                });
                let jobs = &state.jobs;
                state.outbox.forget(|job| jobs.contains_key(job));
                state.pauses.retain(|job, _| jobs.contains_key(job));
                state.trail.age(rules::oldest_kept(now, AUDIT_AGE));
            }
            (aged + beyond) as u64
        })
    }

    fn backup(&self, _to: PathBuf) -> Answer<'_, ()> {
        Self::refuse("memory: keeps nothing that could be copied; use --store sqlite:PATH")
    }

    fn optimize(&self) -> Answer<'_, ()> {
        self.with(|_| ())
    }

    fn check(&self) -> Answer<'_, ()> {
        self.with(|_| ())
    }

    fn kind(&self) -> &'static str {
        "memory"
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Outcome;
    use crate::store::conformance::{all, asked, claim, ended, fire, mark_of, missed, one, update};

    fn bounded(keep: u32, rows: usize, output: usize) -> Arc<dyn Store> {
        Arc::new(MemoryStore::new(MemoryBounds { keep, rows, output }))
    }

    fn seconds(rows: &[Run]) -> Vec<i64> {
        let start = crate::store::conformance::at(0).as_second();
        rows.iter()
            .map(|run| run.scheduled_at.as_second() - start)
            .collect()
    }

    #[tokio::test]
    async fn a_jobs_history_is_bounded_without_pruning_and_no_instant_opens_again() {
        let store = bounded(2, 100, 1 << 20);
        for second in 1..=5 {
            one(&store, claim(ended(fire("a", second), Outcome::Success))).await;
        }
        one(&store, claim(fire("a", 6))).await;
        for second in 7..=9 {
            one(&store, claim(missed("a", second))).await;
        }
        assert_eq!(seconds(&all(&store).await), [9, 8, 6, 5, 4]);
        one(&store, update(ended(fire("a", 6), Outcome::Failed))).await;
        assert_eq!(seconds(&all(&store).await), [9, 8, 6, 5]);
        for second in 1..=9 {
            assert_eq!(one(&store, claim(fire("a", second))).await, Written::Taken);
        }
    }

    #[tokio::test]
    async fn all_rows_together_are_bounded_and_open_ones_stay() {
        let store = bounded(100, 3, 1 << 20);
        one(&store, claim(fire("open", 1))).await;
        for second in 2..=6 {
            let job = format!("job-{second}");
            one(&store, claim(ended(fire(&job, second), Outcome::Success))).await;
        }
        assert_eq!(seconds(&all(&store).await), [6, 5, 4, 1]);
        assert!(mark_of(&store, "job-2").await.is_some());
    }

    #[tokio::test]
    async fn output_is_bounded_the_oldest_goes_first() {
        let store = bounded(100, 100, 2500);
        let end = |second: i64| Write::Update {
            run: Box::new(Run {
                output_bytes: 1000,
                ..ended(asked("a", second, &second.to_string()), Outcome::Success)
            }),
            output: Some(Output {
                head: vec![1; 500],
                tail: vec![2; 500],
                total: 1000,
            }),
        };
        for second in 1..=4 {
            let run = asked("a", second, &second.to_string());
            store
                .commit(vec![claim(run), end(second), end(second)])
                .await
                .unwrap();
        }
        let mut kept = Vec::new();
        for run in all(&store).await {
            let (_, output) = store.run(run.id).await.unwrap().unwrap();
            assert_eq!(output.total, 1000, "what is gone is still counted");
            kept.push(!output.is_truncated());
        }
        assert_eq!(kept, [true, true, false, false]);
    }

    #[tokio::test]
    async fn there_is_nothing_to_back_up() {
        let store = bounded(1, 1, 1);
        let error = store.backup("x".into()).await.unwrap_err().to_string();
        assert!(error.contains("--store sqlite:PATH"), "{error}");
    }
}
