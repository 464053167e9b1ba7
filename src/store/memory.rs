//! A store that forgets when elder ends: for tests, and for jobs whose past does not matter.
//!
//! It keeps the same promises about rows as the others, but nothing survives the process. As there
//! is no disk to fill, it bounds itself: history as pruning would, and a total of rows and output.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::rules::{self, Class, Origin};
use super::{
    Answer, AppliedFile, Cursor, HistoryBounds, JobSummary, MAX_PAGE, Mark, Recalled, RunPage,
    RunQuery, Store, StoreError, Write, Written,
};
use crate::ids::{JobName, RunId};
use crate::model::{Output, Run, RunState};

/// How much a [`MemoryStore`] keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryBounds {
    /// So many ended rows a job, as [`HistoryBounds::keep`] has it.
    pub keep: u32,
    /// So many ended rows in all; the oldest go.
    pub rows: usize,
    /// So many bytes of output in all; the oldest go.
    pub output: usize,
}

impl Default for MemoryBounds {
    fn default() -> Self {
        Self {
            keep: HistoryBounds::default().keep,
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
                .map(|(name, job)| (name.clone(), job.mark))
                .collect(),
            open: state
                .open
                .iter()
                .filter_map(|(_, id)| Some(state.rows.get(id)?.run.clone()))
                .collect(),
            files: state.files.values().cloned().collect(),
        })
    }

    fn marks(&self, jobs: Vec<JobName>) -> Answer<'_, Vec<Option<Mark>>> {
        self.with(move |state| {
            let mark = |job: &JobName| state.jobs.get(job).map(|job| job.mark);
            jobs.iter().map(mark).collect()
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

    fn summary(&self, since: Timestamp, until: Timestamp) -> Answer<'_, Vec<JobSummary>> {
        self.with(move |state| state.summary(since, until))
    }

    fn prune(&self, bounds: HistoryBounds, now: Timestamp, limit: usize) -> Answer<'_, u64> {
        self.with(move |state| {
            let oldest_kept = rules::oldest_kept(now, bounds.max_age);
            let aged = state.aged(oldest_kept, limit);
            let beyond = state.beyond(bounds.keep, limit - aged, None);
            if aged < limit {
                state.jobs.retain(|_, job| {
                    !job.is_bare() || job.mark.gone_at.is_none_or(|gone| gone >= oldest_kept)
                });
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

/// The place of a row in time.
type Place = (Timestamp, RunId);

#[derive(Default)]
struct State {
    jobs: HashMap<JobName, JobRows>,
    rows: HashMap<RunId, Row>,
    order: BTreeSet<Place>,
    open: BTreeSet<Place>,
    files: BTreeMap<(String, String), AppliedFile>,
    /// Rows with output, in the order in which it came; rows that are gone may be among them.
    with_output: VecDeque<RunId>,
    output_bytes: usize,
    /// Jobs that gained an ended row since the bounds were last looked at.
    grown: BTreeSet<JobName>,
}

struct JobRows {
    mark: Mark,
    fires: HashMap<Timestamp, RunId>,
    requests: HashMap<Arc<str>, RunId>,
    /// Every row, by time.
    order: BTreeSet<Place>,
    /// Ended rows by class, by time.
    started: BTreeSet<Place>,
    quiet: BTreeSet<Place>,
}

struct Row {
    run: Run,
    output: Option<Output>,
}

impl State {
    fn write(&mut self, write: Write) -> Written {
        match write {
            Write::Seen { job, at } => self.with_job(job, at, |mark| rules::seen(mark, at)),
            Write::Mark { job, at } => self.with_job(job, at, |mark| rules::advance(mark, at)),
            Write::Gone { job, at } => {
                if let Some(job) = self.jobs.get_mut(&job) {
                    rules::gone(&mut job.mark, at);
                }
                Written::Done
            }
            Write::Claim { run } => self.claim(*run),
            Write::Extend {
                id,
                job,
                count,
                until,
                at,
            } => self.change(id, &job, |job, row| {
                rules::extend(&mut row.run, count, until, at);
                rules::advance(&mut job.mark, until);
            }),
            Write::Update { run, output } => self.update(*run, output),
            Write::File(file) => {
                let key = (file.root.clone(), file.path.clone());
                self.files.insert(key, file);
                Written::Done
            }
            Write::DropFile { root, path } => {
                self.files.remove(&(root, path));
                Written::Done
            }
        }
    }

    fn with_job(&mut self, job: JobName, at: Timestamp, change: impl FnOnce(&mut Mark)) -> Written {
        self.jobs
            .entry(job)
            .and_modify(|job| change(&mut job.mark))
            .or_insert_with(|| JobRows::new(at));
        Written::Done
    }

    fn claim(&mut self, run: Run) -> Written {
        let known = self.jobs.get(&run.job);
        let refused = self.rows.contains_key(&run.id)
            || known.is_some_and(|job| job.holds_key(&run) || !rules::admits(&job.mark, &run));
        if refused {
            return Written::Taken;
        }
        let job = self
            .jobs
            .entry(run.job.clone())
            .or_insert_with(|| JobRows::new(run.scheduled_at));
        rules::claimed(&mut job.mark, &run);
        job.insert(&run);
        let place = (run.scheduled_at, run.id);
        self.order.insert(place);
        if run.state == RunState::Done {
            self.grown.insert(run.job.clone());
        } else {
            self.open.insert(place);
        }
        self.rows.insert(run.id, Row { run, output: None });
        Written::Done
    }

    fn update(&mut self, run: Run, output: Option<Output>) -> Written {
        let (id, name, done) = (run.id, run.job.clone(), run.state == RunState::Done);
        let mut bytes = 0;
        let mut freed = 0;
        let mut place = (run.scheduled_at, id);
        let written = self.change(id, &name, |job, row| {
            job.uncount(&row.run);
            // A row's key never changes.
            row.run = Run {
                scheduled_at: row.run.scheduled_at,
                trigger: row.run.trigger,
                request: row.run.request.clone(),
                ..run
            };
            rules::written(&mut job.mark, &row.run, Origin::of(&row.run));
            job.count(&row.run);
            place.0 = row.run.scheduled_at;
            if let Some(output) = output {
                freed = row.output.take().map_or(0, |old| weight(&old));
                if !rules::is_empty(&output) {
                    bytes = weight(&output);
                    row.output = Some(output);
                }
            }
        });
        if written == Written::Taken {
            return written;
        }
        if done {
            self.open.remove(&place);
            self.grown.insert(name);
        } else {
            self.open.insert(place);
        }
        self.output_bytes = self.output_bytes - freed + bytes;
        if bytes > 0 {
            self.with_output.push_back(id);
        }
        written
    }

    fn change(
        &mut self,
        id: RunId,
        job: &JobName,
        edit: impl FnOnce(&mut JobRows, &mut Row),
    ) -> Written {
        let row = self.rows.get_mut(&id).filter(|row| row.run.job == *job);
        let (Some(row), Some(job)) = (row, self.jobs.get_mut(job)) else {
            return Written::Taken;
        };
        edit(job, row);
        Written::Done
    }

    fn page(&self, query: &RunQuery) -> RunPage {
        let limit = query.limit.min(MAX_PAGE);
        let empty = BTreeSet::new();
        let order = match &query.job {
            None => &self.order,
            Some(job) => self.jobs.get(job).map_or(&empty, |job| &job.order),
        };
        let below = query.after.map_or(Bound::Unbounded, |after| {
            Bound::Excluded((after.scheduled_at, after.id))
        });
        let mut found = order
            .range((Bound::Unbounded, below))
            .rev()
            .skip_while(|(at, _)| query.until.is_some_and(|until| *at > until))
            .take_while(|(at, _)| query.since.is_none_or(|since| *at >= since))
            .filter_map(|(_, id)| Some(&self.rows.get(id)?.run))
            .filter(|run| {
                query.outcomes.is_empty()
                    || run.outcome.is_some_and(|it| query.outcomes.contains(&it))
            });
        let runs: Vec<Run> = found.by_ref().take(limit).cloned().collect();
        let more = limit > 0 && found.next().is_some();
        let next = runs.last().filter(|_| more).map(|last| Cursor {
            scheduled_at: last.scheduled_at,
            id: last.id,
        });
        RunPage { runs, next }
    }

    fn summary(&self, since: Timestamp, until: Timestamp) -> Vec<JobSummary> {
        let mut jobs: BTreeMap<JobName, JobSummary> = BTreeMap::new();
        let mut counts: BTreeMap<_, u64> = BTreeMap::new();
        let runs = self
            .order
            .iter()
            .filter(|(at, _)| *at >= since && *at < until)
            .filter_map(|(_, id)| Some(&self.rows.get(id)?.run));
        for run in runs {
            let Some(outcome) = run.outcome else { continue };
            let sums = jobs.entry(run.job.clone()).or_insert_with(|| JobSummary {
                job: run.job.clone(),
                outcomes: Vec::new(),
                total_duration: Duration::ZERO,
                longest: Duration::ZERO,
            });
            let length = run.duration.unwrap_or_default();
            sums.total_duration = sums.total_duration.saturating_add(length);
            sums.longest = sums.longest.max(length);
            *counts.entry((run.job.clone(), outcome)).or_default() += run.count;
        }
        for ((job, outcome), count) in counts {
            if let Some(sums) = jobs.get_mut(&job) {
                sums.outcomes.push((outcome, count));
            }
        }
        jobs.into_values().collect()
    }

    /// Deletes ended rows that are too old; says how many.
    fn aged(&mut self, oldest_kept: Timestamp, limit: usize) -> usize {
        let aged: Vec<RunId> = self
            .order
            .iter()
            .take_while(|(at, _)| *at < oldest_kept)
            .filter_map(|(_, id)| Some(&self.rows.get(id)?.run))
            .filter(|run| rules::class(run).is_some())
            .filter(|run| run.finished_at.unwrap_or(run.scheduled_at) < oldest_kept)
            .map(|run| run.id)
            .take(limit)
            .collect();
        aged.iter().for_each(|id| self.delete(id));
        aged.len()
    }

    /// Deletes the oldest ended rows beyond `keep` of each class, of `only` these jobs or of all.
    fn beyond(&mut self, keep: u32, limit: usize, only: Option<&BTreeSet<JobName>>) -> usize {
        let keep = keep as usize;
        let excess = |rows: &BTreeSet<Place>| -> Vec<RunId> {
            let excess = rows.len().saturating_sub(keep);
            rows.iter().take(excess).map(|(_, id)| *id).collect()
        };
        let of_job = |job: &JobRows| [excess(&job.started), excess(&job.quiet)].concat();
        let mut beyond: Vec<RunId> = match only {
            Some(names) => names
                .iter()
                .filter_map(|name| self.jobs.get(name))
                .flat_map(of_job)
                .collect(),
            None => self.jobs.values().flat_map(of_job).collect(),
        };
        beyond.truncate(limit);
        beyond.iter().for_each(|id| self.delete(id));
        beyond.len()
    }

    fn delete(&mut self, id: &RunId) {
        let Some(row) = self.rows.remove(id) else {
            return;
        };
        let place = (row.run.scheduled_at, row.run.id);
        self.order.remove(&place);
        self.open.remove(&place);
        self.output_bytes -= row.output.as_ref().map_or(0, weight);
        if let Some(job) = self.jobs.get_mut(&row.run.job) {
            job.remove(&row.run);
        }
    }

    /// Keeps itself within its bounds.
    fn bound(&mut self, bounds: &MemoryBounds) {
        let grown = std::mem::take(&mut self.grown);
        self.beyond(bounds.keep, usize::MAX, Some(&grown));
        let ended = self.order.len() - self.open.len();
        if ended > bounds.rows {
            let oldest: Vec<RunId> = self
                .order
                .iter()
                .filter(|place| !self.open.contains(place))
                .take(ended - bounds.rows)
                .map(|(_, id)| *id)
                .collect();
            oldest.iter().for_each(|id| self.delete(id));
        }
        while self.output_bytes > bounds.output {
            let Some(id) = self.with_output.pop_front() else {
                break;
            };
            // A run with several attempts is in the line several times; its newest output goes
            // with its oldest entry, which only makes room sooner.
            if let Some(row) = self.rows.get_mut(&id) {
                self.output_bytes -= row.output.take().as_ref().map_or(0, weight);
            }
        }
        // Entries of deleted rows must not pile up either.
        if self.with_output.len() > 64 + 2 * self.rows.len() {
            let rows = &self.rows;
            self.with_output
                .retain(|id| rows.get(id).is_some_and(|row| row.output.is_some()));
        }
    }
}

impl JobRows {
    fn new(at: Timestamp) -> Self {
        Self {
            mark: rules::first_sight(at),
            fires: HashMap::new(),
            requests: HashMap::new(),
            order: BTreeSet::new(),
            started: BTreeSet::new(),
            quiet: BTreeSet::new(),
        }
    }

    fn is_bare(&self) -> bool {
        self.order.is_empty()
    }

    fn holds_key(&self, run: &Run) -> bool {
        match &run.request {
            Some(request) => self.requests.contains_key(request),
            None => self.fires.contains_key(&run.scheduled_at),
        }
    }

    fn insert(&mut self, run: &Run) {
        match &run.request {
            Some(request) => self.requests.insert(Arc::clone(request), run.id),
            None => self.fires.insert(run.scheduled_at, run.id),
        };
        self.order.insert((run.scheduled_at, run.id));
        self.count(run);
    }

    fn remove(&mut self, run: &Run) {
        match &run.request {
            Some(request) => self.requests.remove(request),
            None => self.fires.remove(&run.scheduled_at),
        };
        self.order.remove(&(run.scheduled_at, run.id));
        self.uncount(run);
    }

    fn count(&mut self, run: &Run) {
        if let Some(rows) = self.of_class(rules::class(run)) {
            rows.insert((run.scheduled_at, run.id));
        }
    }

    fn uncount(&mut self, run: &Run) {
        if let Some(rows) = self.of_class(rules::class(run)) {
            rows.remove(&(run.scheduled_at, run.id));
        }
    }

    fn of_class(&mut self, class: Option<Class>) -> Option<&mut BTreeSet<Place>> {
        class.map(|class| match class {
            Class::Started => &mut self.started,
            Class::Quiet => &mut self.quiet,
        })
    }
}

fn weight(output: &Output) -> usize {
    output.head.len() + output.tail.len()
}
