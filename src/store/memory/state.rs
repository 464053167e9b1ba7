//! The rows of every job, and the bounds on them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::time::Duration;

use jiff::Timestamp;

use super::MemoryBounds;
use super::audit::Trail;
use super::job::{JobRows, Place};
use super::outbox::Outbox;
use crate::ids::{JobName, RunId};
use crate::model::{History, Output, Pause, Run, RunState};
use crate::store::rules::{self, Origin};
use crate::store::{
    AppliedFile, Cursor, JobSummary, MAX_PAGE, Mark, RunPage, RunQuery, Write, Written,
};

/// All rows and jobs.
#[derive(Default)]
pub(super) struct State {
    pub(super) jobs: HashMap<JobName, JobRows>,
    pub(super) rows: HashMap<RunId, Row>,
    order: BTreeSet<Place>,
    pub(super) open: BTreeSet<Place>,
    pub(super) files: BTreeMap<(String, String), AppliedFile>,
    pub(super) outbox: Outbox,
    pub(super) trail: Trail,
    pub(super) pauses: BTreeMap<JobName, Pause>,
    /// Rows with output, in the order in which it came; rows that are gone may be among them.
    with_output: VecDeque<RunId>,
    output_bytes: usize,
    /// Jobs that gained an ended row since the bounds were last looked at.
    grown: BTreeSet<JobName>,
}

/// A row and its output.
pub(super) struct Row {
    pub(super) run: Run,
    pub(super) output: Option<Output>,
}

impl State {
    pub(super) fn write(&mut self, write: Write) -> Written {
        match write {
            Write::Seen { job, at, history } => {
                let own = (history != History::default()).then_some(history);
                let known = self
                    .jobs
                    .entry(job.clone())
                    .or_insert_with(|| JobRows::new(at));
                known.history = own;
                if rules::seen(&mut known.mark, at) {
                    self.pauses.remove(&job);
                }
                self.grown.insert(job);
                Written::Done
            }
            Write::Mark { job, at } => self.with_job(job, at, |mark| rules::rescheduled(mark, at)),
            Write::Mend { job, at } => {
                if let Some(job) = self.jobs.get_mut(&job)
                    && let Some(over) = rules::mended(&mut job.mark, at)
                {
                    for (_, id) in job.order.clone() {
                        let row = self.rows.get_mut(&id);
                        if let Some(row) = row.filter(|row| rules::gives_way(&row.run, over)) {
                            job.stand_beside(&mut row.run);
                        }
                    }
                }
                Written::Done
            }
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
            } => {
                let Some(id) = self.series(id) else {
                    return Written::Taken;
                };
                self.change(id, &job, |job, row| {
                    rules::extend(&mut row.run, count, until, at);
                    rules::advance(&mut job.mark, until);
                })
            }
            Write::Update { run, output } => self.update(*run, output),
            Write::Edition {
                job,
                edition,
                order,
            } => self.edition(&job, *edition, order),
            Write::Rename { moves, files } => {
                for (from, to) in &moves {
                    self.outbox.rename(from, to);
                    self.rename(from, to);
                }
                for file in files {
                    self.write(Write::File(file));
                }
                Written::Done
            }
            Write::Tell(telling) => self.outbox.take(*telling),
            Write::LetterTried {
                id,
                attempts,
                next_attempt_at,
            } => self.outbox.tried(id, attempts, next_attempt_at),
            Write::LetterOver { id } => self.outbox.over(id),
            Write::Pause { job, pause } => {
                self.pauses.insert(job, *pause);
                Written::Done
            }
            Write::Audit(entry) => self.trail.add(*entry),
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

    fn rename(&mut self, from: &JobName, to: &JobName) {
        let Some(mut old) = self.jobs.remove(from) else {
            return;
        };
        let pause = self.pauses.remove(from);
        let new = self.jobs.get(to);
        if new.is_none_or(|new| rules::goes_on(&old.mark, &new.mark)) {
            self.pauses.remove(to);
            self.pauses.extend(pause.map(|pause| (to.clone(), pause)));
        }
        self.grown.remove(from);
        self.grown.insert(to.clone());
        let Some(new) = self.jobs.get_mut(to) else {
            for (_, id) in &old.order {
                if let Some(row) = self.rows.get_mut(id) {
                    row.run.job = to.clone();
                }
            }
            self.jobs.insert(to.clone(), old);
            return;
        };
        if rules::goes_on(&old.mark, &new.mark) {
            new.history = old.history;
            new.editions.append(&mut old.editions);
        }
        let (is_old, beyond) = rules::keeps_keys(&old.mark, &new.mark);
        let (gives, keeps) = match is_old {
            true => (&mut *new, &mut old),
            false => (&mut old, &mut *new),
        };
        for (_, id) in gives.order.clone() {
            let Some(row) = self.rows.get_mut(&id) else {
                continue;
            };
            let is_beyond = row.run.request.is_none() && row.run.scheduled_at > beyond;
            if is_beyond || keeps.same_key(&row.run).is_some() {
                gives.stand_beside(&mut row.run);
            }
        }
        new.mark = rules::renamed(&old.mark, &new.mark);
        new.bound_editions();
        for (_, id) in &old.order {
            if let Some(row) = self.rows.get_mut(id) {
                row.run.job = to.clone();
                new.insert(&row.run);
            }
        }
    }

    /// The row that an extension of this one is of: a row of the name's past may have the identity.
    fn series(&self, id: RunId) -> Option<RunId> {
        let run = &self.rows.get(&id)?.run;
        match run.request.as_deref() {
            None => Some(id),
            request => {
                let other = rules::other_of(id, request, &run.job, run.scheduled_at)?;
                let other = self.rows.get(&other)?;
                other.run.request.is_none().then_some(other.run.id)
            }
        }
    }

    /// All pauses.
    pub(super) fn pauses(&self) -> Vec<(JobName, Pause)> {
        let pauses = self.pauses.iter();
        pauses
            .map(|(job, pause)| (job.clone(), pause.clone()))
            .collect()
    }

    fn with_job(&mut self, job: JobName, at: Timestamp, change: impl FnOnce(&mut Mark)) -> Written {
        self.jobs
            .entry(job)
            .and_modify(|job| change(&mut job.mark))
            .or_insert_with(|| JobRows::new(at));
        Written::Done
    }

    fn claim(&mut self, run: Run) -> Written {
        // As the other stores have it.
        let mut run = Run {
            author: None,
            ..run
        };
        let known = self.jobs.get(&run.job);
        let is_refused =
            |job: &JobRows| job.same_key(&run).is_some() || !rules::admits(&job.mark, &run);
        if known.is_some_and(is_refused) {
            return Written::Taken;
        }
        let mut written = Written::Done;
        if let Some(Row { run: theirs, .. }) = self.rows.get(&run.id) {
            let is_free = |id: &RunId| theirs.job == run.job && !self.rows.contains_key(id);
            let Some(id) = rules::other_id(&run, theirs.request.as_deref()).filter(is_free) else {
                return Written::Taken;
            };
            run.id = id;
            written = Written::Under(id);
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
        written
    }

    fn update(&mut self, run: Run, output: Option<Output>) -> Written {
        let (id, name, done) = (run.id, run.job.clone(), run.state == RunState::Done);
        let is_done = |row: &Row| row.run.state == RunState::Done;
        if rules::opens_again(self.rows.get(&id).is_some_and(is_done), &run) {
            return Written::Taken;
        }
        let mut bytes = 0;
        let mut freed = 0;
        let mut place = (run.scheduled_at, id);
        let written = self.change(id, &name, |job, row| {
            job.uncount(&row.run);
            // A row's key never changes.
            row.run = Run {
                author: None,
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

    pub(super) fn page(&self, query: &RunQuery) -> RunPage {
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

    pub(super) fn summary(&self, since: Timestamp, until: Timestamp) -> Vec<JobSummary> {
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

    /// Deletes ended rows that are too old, by `max_age` or by what their job says; says how many.
    pub(super) fn aged(&mut self, max_age: Duration, now: Timestamp, limit: usize) -> usize {
        let oldest_kept = |run: &Run| {
            let job = self.jobs.get(&run.job);
            let own = job.and_then(|job| job.history).map(|own| own.max_age);
            rules::oldest_kept(now, own.unwrap_or(max_age))
        };
        let aged: Vec<RunId> = self
            .order
            .iter()
            .filter_map(|(_, id)| Some(&self.rows.get(id)?.run))
            .filter(|run| rules::class(run).is_some())
            .filter(|run| run.finished_at.unwrap_or(run.scheduled_at) < oldest_kept(run))
            .map(|run| run.id)
            .take(limit)
            .collect();
        aged.iter().for_each(|id| self.delete(id));
        aged.len()
    }

    /// Deletes the oldest ended rows beyond `keep` of each class, or of those that started beyond what
    /// their job says, of `only` these jobs or of all.
    pub(super) fn beyond(
        &mut self,
        keep: u32,
        now: Timestamp,
        limit: usize,
        only: Option<&BTreeSet<JobName>>,
    ) -> usize {
        let excess = |rows: &BTreeSet<Place>, keep: u32| -> Vec<RunId> {
            // What has not come is no past: its rows keep it from running again.
            let to_come = rows.iter().rev().take_while(|(at, _)| *at > now).count();
            let excess = rows.len().saturating_sub(to_come + keep as usize);
            rows.iter().take(excess).map(|(_, id)| *id).collect()
        };
        let of_job = |job: &JobRows| {
            let own = job.history.map_or(keep, |own| own.keep);
            [excess(&job.started, own), excess(&job.quiet, keep)].concat()
        };
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
        if let Some(run) = self.drop_row(id)
            && let Some(job) = self.jobs.get_mut(&run.job)
        {
            job.remove(&run);
        }
    }

    /// Takes a row out of all lists but its job's.
    fn drop_row(&mut self, id: &RunId) -> Option<Run> {
        let row = self.rows.remove(id)?;
        let place = (row.run.scheduled_at, row.run.id);
        self.order.remove(&place);
        self.open.remove(&place);
        self.output_bytes -= row.output.as_ref().map_or(0, weight);
        Some(row.run)
    }

    /// Keeps itself within its bounds.
    pub(super) fn bound(&mut self, bounds: &MemoryBounds) {
        let grown = std::mem::take(&mut self.grown);
        self.beyond(bounds.keep, Timestamp::MAX, usize::MAX, Some(&grown));
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

fn weight(output: &Output) -> usize {
    output.head.len() + output.tail.len()
}
