//! A store for tests that keeps everything and fails as it is told.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use super::{
    Answer, AuditPage, AuditQuery, JobSummary, Mark, MemoryStore, Recalled, RunPage, RunQuery,
    Store, StoreError, Waiting, Write, Written,
};
use crate::ids::{JobName, RunId};
use crate::model::{History, Letter, Output, Run};

/// What it says when it is asked for a letter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gives {
    /// The letter.
    All,
    /// That it cannot be reached.
    NothingNow,
    /// That it has no such letter.
    NoSuchLetter,
    /// That what it has is damaged.
    Rubbish,
}

/// A memory store, and how it fails.
pub(crate) struct Shelf {
    /// What is in it.
    pub(crate) kept: Arc<MemoryStore>,
    /// How it answers for letters.
    pub(crate) gives: Mutex<Gives>,
    /// How often it was asked for one.
    pub(crate) asked: AtomicUsize,
    /// Whether it takes no writes.
    pub(crate) is_full: AtomicBool,
}

impl Shelf {
    /// An empty one that takes all and gives letters out like that.
    pub(crate) fn new(gives: Gives) -> Arc<Self> {
        Arc::new(Self {
            kept: Arc::default(),
            gives: Mutex::new(gives),
            asked: AtomicUsize::new(0),
            is_full: AtomicBool::new(false),
        })
    }
}

impl Store for Shelf {
    fn letter(&self, id: RunId) -> Answer<'_, Option<Letter>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = match *self.gives.lock().unwrap() {
            Gives::All => return self.kept.letter(id),
            Gives::NothingNow => Err(StoreError::Unavailable("away".into())),
            Gives::NoSuchLetter => Ok(None),
            Gives::Rubbish => Err(StoreError::Corrupt {
                path: "x".into(),
                detail: "no event".into(),
            }),
        };
        Box::pin(std::future::ready(answer))
    }

    fn commit_shared(&self, writes: Arc<Vec<Write>>) -> Answer<'_, Vec<Written>> {
        if self.is_full.load(Ordering::SeqCst) {
            let error = StoreError::Unavailable("full".into());
            return Box::pin(std::future::ready(Err(error)));
        }
        self.kept.commit_shared(writes)
    }

    fn outbox(&self, after: u64, limit: usize) -> Answer<'_, Vec<Waiting>> {
        self.kept.outbox(after, limit)
    }

    fn recall(&self) -> Answer<'_, Recalled> {
        self.kept.recall()
    }

    fn marks(&self, jobs: Vec<JobName>) -> Answer<'_, Vec<Option<Mark>>> {
        self.kept.marks(jobs)
    }

    fn pauses(&self) -> Answer<'_, Vec<(JobName, crate::model::Pause)>> {
        self.kept.pauses()
    }

    fn editions(&self, job: JobName) -> Answer<'_, Vec<crate::decide::Edition>> {
        self.kept.editions(job)
    }

    fn runs(&self, query: RunQuery) -> Answer<'_, RunPage> {
        self.kept.runs(query)
    }

    fn run(&self, id: RunId) -> Answer<'_, Option<(Run, Output)>> {
        self.kept.run(id)
    }

    fn run_of_request(&self, job: JobName, request: String) -> Answer<'_, Option<Run>> {
        self.kept.run_of_request(job, request)
    }

    fn audit(&self, query: AuditQuery) -> Answer<'_, AuditPage> {
        self.kept.audit(query)
    }

    fn summary(&self, since: Timestamp, until: Timestamp) -> Answer<'_, Vec<JobSummary>> {
        self.kept.summary(since, until)
    }

    fn prune(&self, bounds: History, now: Timestamp, limit: usize) -> Answer<'_, u64> {
        self.kept.prune(bounds, now, limit)
    }

    fn backup(&self, to: PathBuf) -> Answer<'_, ()> {
        self.kept.backup(to)
    }

    fn optimize(&self) -> Answer<'_, ()> {
        self.kept.optimize()
    }

    fn check(&self) -> Answer<'_, ()> {
        self.kept.check()
    }

    fn kind(&self) -> &'static str {
        "shelf"
    }
}
