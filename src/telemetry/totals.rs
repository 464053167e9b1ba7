//! What is counted over all jobs: clock, store, claims, reloads, queues.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::finding::Severity;
use crate::ids::SageName;
use crate::model::{Delivery, Pool, ReloadReport, ReloadResult, ReloadTrigger};

use super::histogram::{Example, Histogram};

/// 1 ms … 5 min.
const LATENESS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];

/// 0.1 s … 6 h.
const RUN: &[f64] = &[
    0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0,
];

/// 0.1 ms … 10 s.
const STORE: &[f64] = &[
    0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0,
];

/// The kinds of actions that run durations are told apart by.
pub(super) const ACTIONS: [&str; 3] = ["run", "exec", "http"];

/// Every result of a reload.
pub(super) const RESULTS: [ReloadResult; 5] = [
    ReloadResult::Applied,
    ReloadResult::Partial,
    ReloadResult::Rejected,
    ReloadResult::Held,
    ReloadResult::Unchanged,
];

/// Everything that can ask for a reload.
pub(super) const TRIGGERS: [ReloadTrigger; 5] = [
    ReloadTrigger::Start,
    ReloadTrigger::Watch,
    ReloadTrigger::Poll,
    ReloadTrigger::Signal,
    ReloadTrigger::Api,
];

/// An instant that may not have come yet.
#[derive(Debug)]
pub(super) struct Instant(AtomicI64);

impl Default for Instant {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Instant {
    /// It is now this one.
    pub(super) fn set(&self, at: Timestamp) {
        if let Ok(nanos) = i64::try_from(at.as_nanosecond()) {
            self.0.store(nanos, Ordering::Relaxed);
        }
    }

    /// Which it is.
    pub(super) fn get(&self) -> Option<Timestamp> {
        match self.0.load(Ordering::Relaxed) {
            i64::MIN => None,
            nanos => Timestamp::from_nanosecond(nanos.into()).ok(),
        }
    }
}

/// How many jobs there are in each status.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct JobCounts {
    pub(super) active: u64,
    pub(super) idle: u64,
    pub(super) paused: u64,
    pub(super) disabled: u64,
    pub(super) held: u64,
}

/// How the configuration stands after the last reload.
#[derive(Clone, Debug, Default)]
pub(super) struct ConfigState {
    /// By result and trigger, in the order of the lists above.
    pub(super) reloads: [[u64; TRIGGERS.len()]; RESULTS.len()],
    /// No file is bad.
    pub(super) successful: bool,
    /// When that was last so.
    pub(super) successful_at: Option<Timestamp>,
    /// Errors by file.
    pub(super) errors: BTreeMap<Arc<str>, u64>,
    /// Removals that wait.
    pub(super) pending: u64,
    /// A change waits for the end of a freeze.
    pub(super) waits: bool,
    /// The revision, and the hash once there was a reload.
    pub(super) revision: Option<Arc<str>>,
    /// Who made it.
    pub(super) author: Option<Arc<str>>,
    /// SHA-256 over all files.
    pub(super) hash: Option<Arc<str>>,
}

/// Which rules of time zones are in use.
#[derive(Clone, Debug)]
pub(super) struct Tzdata {
    pub(super) version: Arc<str>,
    /// `system` or `bundled`.
    pub(super) source: Arc<str>,
}

/// What came of a sage's letters, and how many wait.
#[derive(Clone, Debug, Default)]
pub(super) struct SageCounts {
    /// In the order of [`Delivery::ALL`].
    pub(super) deliveries: [u64; Delivery::ALL.len()],
    pub(super) waiting: u64,
}

/// One kind of operation of the store.
#[derive(Debug)]
pub(super) struct Operation {
    /// How long.
    pub(super) took: Histogram,
    /// How many failed.
    pub(super) errors: AtomicU64,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Totals {
    pub(super) lateness: Histogram,
    pub(super) runs: [Histogram; ACTIONS.len()],
    pub(super) tick: Instant,
    pub(super) jumps_forward: AtomicU64,
    pub(super) jumps_backward: AtomicU64,
    pub(super) claims_won: AtomicU64,
    pub(super) claims_lost: AtomicU64,
    /// Jobs that are paused, whatever their status.
    pub(super) pauses: AtomicU64,
    /// Runs that wait for a place, by pool.
    queued: Mutex<BTreeMap<Arc<str>, u64>>,
    jobs: Mutex<JobCounts>,
    config: Mutex<ConfigState>,
    tzdata: Mutex<Option<Tzdata>>,
    store: Mutex<BTreeMap<&'static str, Arc<Operation>>>,
    sages: Mutex<BTreeMap<SageName, SageCounts>>,
}

impl Totals {
    /// Nothing has happened yet.
    pub(super) fn new() -> Self {
        let totals = Self {
            lateness: Histogram::of_runs(LATENESS),
            runs: ACTIONS.map(|_| Histogram::of_runs(RUN)),
            tick: Instant::default(),
            jumps_forward: AtomicU64::new(0),
            jumps_backward: AtomicU64::new(0),
            claims_won: AtomicU64::new(0),
            claims_lost: AtomicU64::new(0),
            pauses: AtomicU64::new(0),
            queued: Mutex::new(BTreeMap::from([(Pool::DEFAULT.into(), 0)])),
            jobs: Mutex::default(),
            config: Mutex::default(),
            tzdata: Mutex::default(),
            store: Mutex::default(),
            sages: Mutex::default(),
        };
        // The one operation that every store has is there from the first scrape.
        totals.operation("commit");
        totals
    }

    /// A run of this action took so long.
    pub(super) fn run(&self, action: &str, took: Example) {
        if let Some(index) = ACTIONS.iter().position(|known| *known == action) {
            self.runs[index].observe_run(took);
        }
    }

    /// So many wait in this pool.
    pub(super) fn queue(&self, pool: &Arc<str>, length: u64) {
        lock(&self.queued).insert(pool.clone(), length);
    }

    /// This pool is no more.
    pub(super) fn forget_queue(&self, pool: &str) {
        lock(&self.queued).remove(pool);
    }

    /// How many wait, by pool.
    pub(super) fn queued(&self) -> BTreeMap<Arc<str>, u64> {
        lock(&self.queued).clone()
    }

    /// An operation of the store came to its end.
    pub(super) fn store_operation(&self, name: &'static str, took: Duration, failed: Failed) {
        let operation = self.operation(name);
        operation.took.observe(took);
        if failed == Failed::Yes {
            operation.errors.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All operations, by name.
    pub(super) fn operations(&self) -> Vec<(&'static str, Arc<Operation>)> {
        let store = lock(&self.store);
        store.iter().map(|(name, op)| (*name, op.clone())).collect()
    }

    /// There are so many jobs.
    pub(super) fn set_jobs(&self, counts: JobCounts) {
        *lock(&self.jobs) = counts;
    }

    /// How many jobs there are.
    pub(super) fn jobs(&self) -> JobCounts {
        *lock(&self.jobs)
    }

    /// A reload came to its end.
    pub(super) fn reloaded(&self, report: &ReloadReport) {
        let mut errors = BTreeMap::new();
        let bad = |finding: &&crate::finding::Finding| finding.severity == Severity::Error;
        for finding in report.findings.iter().filter(bad) {
            *errors.entry(finding.at.place.file.clone()).or_insert(0) += 1;
        }
        let mut config = lock(&self.config);
        let result = RESULTS.iter().position(|known| *known == report.result);
        let trigger = TRIGGERS.iter().position(|known| *known == report.trigger);
        if let (Some(result), Some(trigger)) = (result, trigger) {
            config.reloads[result][trigger] += 1;
        }
        let refused = matches!(
            report.result,
            ReloadResult::Partial | ReloadResult::Rejected
        );
        config.successful = errors.is_empty() && !refused;
        if config.successful {
            config.successful_at = Some(report.at);
        }
        config.errors = errors;
        config.pending = report.held.len() as u64;
        config.waits = report.waits.is_some();
        config.revision.clone_from(&report.revision);
        config.author.clone_from(&report.author);
        config.hash = Some(report.content_hash.clone());
    }

    /// These rules of time zones are in use.
    pub(super) fn set_tzdata(&self, version: &Arc<str>, source: &Arc<str>) {
        *lock(&self.tzdata) = Some(Tzdata {
            version: version.clone(),
            source: source.clone(),
        });
    }

    /// Which rules of time zones are in use.
    pub(super) fn tzdata(&self) -> Option<Tzdata> {
        lock(&self.tzdata).clone()
    }

    /// These are all sages: each has its series from now on, and the others have none.
    pub(super) fn set_sages(&self, names: &[SageName]) {
        let mut sages = lock(&self.sages);
        sages.retain(|name, _| names.contains(name));
        for name in names {
            sages.entry(name.clone()).or_default();
        }
    }

    /// So many letters came to this end.
    pub(super) fn delivery(&self, sage: &SageName, result: Delivery, count: u64) {
        // One that is no sage any more has no series.
        if let Some(counts) = lock(&self.sages).get_mut(sage) {
            counts.deliveries[result as usize] += count;
        }
    }

    /// So many letters wait for this sage.
    pub(super) fn letters_wait(&self, sage: &SageName, count: u64) {
        if let Some(counts) = lock(&self.sages).get_mut(sage) {
            counts.waiting = count;
        }
    }

    /// All sages by name.
    pub(super) fn sages(&self) -> BTreeMap<SageName, SageCounts> {
        lock(&self.sages).clone()
    }

    /// How the configuration stands.
    pub(super) fn config(&self) -> ConfigState {
        lock(&self.config).clone()
    }

    fn operation(&self, name: &'static str) -> Arc<Operation> {
        let mut store = lock(&self.store);
        let new = || {
            Arc::new(Operation {
                took: Histogram::new(STORE),
                errors: AtomicU64::new(0),
            })
        };
        store.entry(name).or_insert_with(new).clone()
    }
}

/// Whether an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// It did.
    Yes,
    /// It did not.
    No,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
