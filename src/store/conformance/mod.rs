//! What every store promises, each promise a case with a sentence as its name.

mod claims;
mod editions;
mod marks;
mod mending;
pub(super) mod outbox;
mod pauses;
mod pruning;
mod reading;
mod scripts;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Mark, MemoryStore, RunQuery, SqliteStore, Store, Write, Written};
use crate::ids::{JobName, RunId};
use crate::model::{History, Outcome, Reason, Run, RunState, Trigger};

/// A store to try, and what must outlive it.
pub struct Fixture {
    /// The store, empty.
    pub store: Arc<dyn Store>,
    /// Its folder.
    pub _folder: Option<tempfile::TempDir>,
}

type Case = (
    &'static str,
    fn(Arc<dyn Store>) -> Pin<Box<dyn Future<Output = ()> + Send>>,
);

/// A table of cases: a sentence, and the function that shows it.
macro_rules! cases {
    ($($sentence:literal => $case:path,)*) => {
        pub(super) const CASES: &[$crate::store::conformance::Case] =
            &[$(($sentence, |store| Box::pin($case(store)))),*];
    };
}
pub(crate) use cases;

/// Tries every promise on a fresh store from `make`, and says which ones do not hold.
pub async fn conformance(make: impl Fn() -> Fixture) {
    let mut broken = Vec::new();
    let cases = [
        claims::CASES,
        editions::CASES,
        marks::CASES,
        mending::CASES,
        reading::CASES,
        pruning::CASES,
        outbox::CASES,
        pauses::CASES,
    ];
    for (sentence, case) in cases.concat() {
        let fixture = make();
        if tokio::spawn(case(Arc::clone(&fixture.store)))
            .await
            .is_err()
        {
            broken.push(sentence);
        }
    }
    assert!(broken.is_empty(), "does not hold: {broken:#?}");
}

fn memory() -> Fixture {
    Fixture {
        store: Arc::new(MemoryStore::default()),
        _folder: None,
    }
}

fn sqlite() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    Fixture {
        store: Arc::new(SqliteStore::open(&folder.path().join("elder.db")).unwrap()),
        _folder: Some(folder),
    }
}

#[tokio::test]
async fn the_memory_store_keeps_every_promise() {
    conformance(memory).await;
}

#[tokio::test]
async fn the_sqlite_store_keeps_every_promise() {
    conformance(sqlite).await;
}

/// An instant so many seconds after a beginning.
pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(super) fn name(text: &str) -> JobName {
    JobName::new(text).unwrap()
}

/// A fire of `job` that runs.
pub(super) fn fire(job: &str, second: i64) -> Run {
    let id = RunId::of_fire(&name(job), at(second));
    let mut run = Run::new(id, name(job), at(second), Trigger::Schedule);
    run.state = RunState::Running;
    run.attempt = 1;
    run.started_at = Some(at(second));
    run
}

/// A run of `job` that somebody asked for.
pub(super) fn asked(job: &str, second: i64, request: &str) -> Run {
    let id = RunId::of_request(&name(job), at(second), request);
    Run {
        id,
        trigger: Trigger::Api,
        request: Some(request.into()),
        ..fire(job, second)
    }
}

/// A fire of `job` that did not run.
pub(super) fn missed(job: &str, second: i64) -> Run {
    Run {
        state: RunState::Done,
        outcome: Some(Outcome::Missed),
        reason: Some(Reason::Downtime),
        attempt: 0,
        started_at: None,
        finished_at: Some(at(second)),
        ..fire(job, second)
    }
}

/// The run, ended a second after its instant.
pub(super) fn ended(run: Run, outcome: Outcome) -> Run {
    Run {
        state: RunState::Done,
        outcome: Some(outcome),
        finished_at: Some(run.scheduled_at + Duration::from_secs(1)),
        duration: Some(Duration::from_millis(900)),
        ..run
    }
}

pub(super) fn claim(run: Run) -> Write {
    Write::Claim { run: Box::new(run) }
}

pub(super) fn update(run: Run) -> Write {
    Write::Update {
        run: Box::new(run),
        output: None,
    }
}

pub(super) fn seen(job: &str, second: i64) -> Write {
    Write::Seen {
        job: name(job),
        at: at(second),
        history: History::default(),
    }
}

pub(super) fn gone(job: &str, second: i64) -> Write {
    Write::Gone {
        job: name(job),
        at: at(second),
    }
}

/// Commits one write and gives its answer.
pub(super) fn rename(from: &str, to: &str) -> Write {
    Write::Rename {
        moves: vec![(name(from), name(to))],
        files: Vec::new(),
    }
}

pub(super) async fn one(store: &Arc<dyn Store>, write: Write) -> Written {
    store.commit(vec![write]).await.unwrap()[0]
}

pub(super) async fn mark_of(store: &Arc<dyn Store>, job: &str) -> Option<Mark> {
    store.marks(vec![name(job)]).await.unwrap().remove(0)
}

/// All rows, newest first.
pub(super) async fn all(store: &Arc<dyn Store>) -> Vec<Run> {
    let query = RunQuery {
        limit: usize::MAX,
        ..RunQuery::default()
    };
    store.runs(query).await.unwrap().runs
}
