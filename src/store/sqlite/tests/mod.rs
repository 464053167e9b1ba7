//! What a file on a disk adds to the promises: reopening, sharing, damage, full disks, upkeep.

mod damage;
mod disk;
mod restoring;
mod sharing;
mod upkeep;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use super::{Limits, SqliteStore};
use crate::model::{Outcome, Output, Run};
use crate::store::conformance::{
    all, asked, at, claim, ended, fire, gone, mark_of, missed, name, one, seen, update,
};
use crate::store::{AppliedFile, Store, StoreError, Write, Written};

/// Patience and limits low enough for a test.
fn low() -> Limits {
    Limits {
        lock_patience: Duration::from_millis(50),
        log: 256 << 10,
        ..Limits::default()
    }
}

fn open(path: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(path).unwrap())
}

/// A store with something in each table.
async fn filled(path: &Path) -> Arc<dyn Store> {
    let store = open(path);
    let run = fire("a", 5);
    let output = Output {
        head: vec![1; 3000],
        tail: vec![2; 3000],
        total: 9000,
    };
    store
        .commit(vec![
            seen("a", 0),
            seen("b", 0),
            gone("b", 3),
            claim(run.clone()),
            claim(fire("c", 7)),
            claim(asked("c", 8, "r")),
            claim(missed("c", 9)),
            Write::Update {
                run: Box::new(ended(run, Outcome::Success)),
                output: Some(output),
            },
            Write::File(AppliedFile {
                root: "jobs.d".to_owned(),
                path: "a.yaml".to_owned(),
                hash: "1".to_owned(),
                definitions: "x".repeat(20_000),
            }),
        ])
        .await
        .unwrap();
    store
}

/// Everything in a store as text, to compare.
async fn contents(store: &Arc<dyn Store>) -> String {
    let mut recalled = store.recall().await.unwrap();
    recalled.marks.sort_by(|a, b| a.0.cmp(&b.0));
    let mut text = format!("{recalled:#?}");
    for run in all(store).await {
        text += &format!("{:#?}", store.run(run.id).await.unwrap());
    }
    text
}

/// Every file in a folder but the lock, which even a refused opening takes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .filter(|(name, _)| !name.ends_with(".lock"))
        .collect()
}

fn refusal(path: &Path) -> StoreError {
    match SqliteStore::open_with(path, low()) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

#[tokio::test]
async fn everything_is_there_after_the_store_was_closed_and_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let store = filled(&path).await;
    let before = contents(&store).await;
    drop(store);
    let names: Vec<String> = files(folder.path()).into_keys().collect();
    assert_eq!(names, ["elder.db"], "a clean end leaves no log");
    let store = open(&path);
    assert_eq!(contents(&store).await, before);
    assert_eq!(one(&store, claim(fire("a", 5))).await, Written::Taken);
    assert_eq!(
        one(&store, claim(asked("c", 80, "r"))).await,
        Written::Taken
    );
    assert_eq!(mark_of(&store, "b").await.unwrap().gone_at, Some(at(3)));
}

#[tokio::test]
async fn what_was_answered_is_in_the_file_and_its_log_at_that_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (
        folder.path().join("elder.db"),
        folder.path().join("copy.db"),
    );
    let store = filled(&path).await;
    for second in 10..60 {
        one(&store, claim(fire("a", second))).await;
    }
    // As if the power went off now: nothing of this process's memory gets into the copy.
    for suffix in ["", "-wal"] {
        let from = super::schema::sibling(&path, suffix);
        fs::copy(from, super::schema::sibling(&copy, suffix)).unwrap();
    }
    let before = contents(&store).await;
    assert_eq!(contents(&open(&copy)).await, before);
}

#[tokio::test]
async fn what_was_sent_is_written_although_nobody_waits_for_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let store = open(&path);
    let tasks: Vec<_> = (1..=50)
        .map(|second| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let claim = store.commit(vec![claim(fire("a", second)), claim(fire("b", second))]);
                let _ = tokio::time::timeout(Duration::ZERO, claim).await;
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    drop(store);
    let rows = all(&open(&path)).await;
    let of = |job: &str| rows.iter().filter(|run| run.job.as_str() == job).count();
    assert!(of("a") > 0);
    assert_eq!(of("a"), of("b"), "both of a batch or none");
}

#[tokio::test]
async fn many_producers_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let store = open(&path);
    let tasks: Vec<_> = (0..200)
        .map(|job| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for second in 1..=10 {
                    let run = fire(&format!("job-{job}"), second);
                    assert_eq!(one(&store, claim(run.clone())).await, Written::Done);
                    let over = ended(run, Outcome::Success);
                    assert_eq!(one(&store, update(over)).await, Written::Done);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    drop(store);
    let rows = all(&open(&path)).await;
    assert_eq!(rows.len(), 2000);
    assert!(rows.iter().all(|run| run.outcome == Some(Outcome::Success)));
}

#[tokio::test]
async fn one_callers_unwritable_value_does_not_fail_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let store = open(&path);
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON runs WHEN NEW.detail = 'bad' \
             BEGIN SELECT RAISE(ABORT, 'not this one'); END; BEGIN IMMEDIATE;",
        )
        .unwrap();
    let spawn = |writes: Vec<Write>| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.commit(writes).await })
    };
    // The first waits for the lock; the others gather behind it and make one group.
    let first = spawn(vec![claim(fire("a", 1))]);
    let bad = Run {
        detail: Some("bad".into()),
        ..fire("b", 2)
    };
    let before = spawn(vec![claim(fire("c", 3))]);
    let with_bad = spawn(vec![claim(fire("d", 4)), claim(bad)]);
    let after = spawn(vec![claim(fire("e", 5))]);
    tokio::task::yield_now().await;
    other.execute_batch("COMMIT").unwrap();
    for fine in [first, before, after] {
        assert_eq!(fine.await.unwrap().unwrap(), [Written::Done]);
    }
    let error = with_bad.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("not this one"), "{error}");
    let mut jobs: Vec<String> = all(&store)
        .await
        .iter()
        .map(|run| run.job.to_string())
        .collect();
    jobs.sort();
    assert_eq!(
        jobs,
        ["a", "c", "e"],
        "nothing of the failed batch is there"
    );
    assert_eq!(mark_of(&store, "d").await, None);
    assert_eq!(
        store.marks(vec![name("b"), name("d")]).await.unwrap(),
        [None, None]
    );
}

#[tokio::test]
async fn a_first_start_with_many_jobs_is_one_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("elder.db"));
    let jobs: Vec<String> = (0..20_000).map(|number| format!("job-{number}")).collect();
    let mut writes: Vec<Write> = jobs.iter().map(|job| seen(job, 0)).collect();
    // Jobs that were written back already are found again.
    writes.extend(jobs[..100].iter().map(|job| claim(fire(job, 5))));
    writes.extend(jobs[..100].iter().map(|job| claim(fire(job, 4))));
    let answers = store.commit(writes).await.unwrap();
    let taken = answers.iter().filter(|it| **it == Written::Taken).count();
    assert_eq!((answers.len(), taken), (20_200, 100));
    let marks = store.recall().await.unwrap().marks;
    let moved = marks.iter().filter(|(_, mark)| mark.mark == at(5)).count();
    assert_eq!((marks.len(), moved), (20_000, 100));
}
