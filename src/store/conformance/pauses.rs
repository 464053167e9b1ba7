//! Pauses of jobs.

use std::sync::Arc;
use std::time::Duration;

use super::{at, cases, claim, ended, fire, gone, name, one, rename, seen};
use crate::ids::JobName;
use crate::model::{History, Outcome, Pause};
use crate::store::{Store, Write};

cases! {
    "a pause is given back at a start as it was written, and a later one takes its place" => kept,
    "a job that takes another name takes its pause along" => renamed,
    "a name that comes back soon has its pause, and one that is another job has none" => returns,
    "a pause goes when its job is forgotten" => forgotten,
}

pub(super) fn pause(since: i64, reason: Option<&str>) -> Pause {
    Pause {
        since: at(since),
        until: None,
        ended_at: None,
        reason: reason.map(Into::into),
        author: "anna".into(),
    }
}

fn write(job: &str, pause: Pause) -> Write {
    Write::Pause {
        job: name(job),
        pause: Box::new(pause),
    }
}

async fn pauses(store: &Arc<dyn Store>) -> Vec<(JobName, Pause)> {
    let mut pauses = store.recall().await.unwrap().pauses;
    pauses.sort_by(|a, b| a.0.cmp(&b.0));
    pauses
}

async fn kept(store: Arc<dyn Store>) {
    let first = Pause {
        until: Some(at(50)),
        ended_at: Some(at(20)),
        ..pause(10, Some("why \u{e4} not"))
    };
    let second = pause(15, None);
    store
        .commit(vec![
            seen("a", 0),
            write("a", pause(1, None)),
            write("a", first.clone()),
            write("b", second.clone()),
        ])
        .await
        .unwrap();
    assert_eq!(
        pauses(&store).await,
        [(name("a"), first), (name("b"), second)]
    );
}

async fn renamed(store: Arc<dyn Store>) {
    store
        .commit(vec![
            seen("a", 0),
            write("a", pause(1, Some("mine"))),
            // Of an older job of that name.
            seen("b", 0),
            write("b", pause(2, Some("another's"))),
            gone("b", 3),
            rename("a", "b"),
        ])
        .await
        .unwrap();
    assert_eq!(pauses(&store).await, [(name("b"), pause(1, Some("mine")))]);
    one(&store, rename("unknown", "b")).await;
    assert_eq!(pauses(&store).await.len(), 1);
    // A past that joins a job that is there leaves its pause behind.
    store
        .commit(vec![
            seen("c", 0),
            write("c", pause(2, Some("another's"))),
            gone("c", 3),
            rename("c", "b"),
        ])
        .await
        .unwrap();
    assert_eq!(pauses(&store).await, [(name("b"), pause(1, Some("mine")))]);
}

async fn returns(store: Arc<dyn Store>) {
    for (job, back) in [("soon", 699), ("late", 700)] {
        store
            .commit(vec![
                seen(job, 0),
                write(job, pause(1, None)),
                gone(job, 100),
                seen(job, back),
            ])
            .await
            .unwrap();
    }
    assert_eq!(pauses(&store).await, [(name("soon"), pause(1, None))]);
}

async fn forgotten(store: Arc<dyn Store>) {
    let day = 86_400;
    store
        .commit(vec![
            seen("a", 0),
            seen("b", 0),
            claim(ended(fire("b", 1), Outcome::Success)),
            write("a", pause(1, None)),
            write("b", pause(1, None)),
            gone("a", 2),
        ])
        .await
        .unwrap();
    let bounds = History {
        keep: 100,
        max_age: Duration::from_secs(10 * 86_400),
    };
    store.prune(bounds, at(day), 100).await.unwrap();
    assert_eq!(pauses(&store).await.len(), 2, "it may come back");
    store.prune(bounds, at(20 * day), 100).await.unwrap();
    store.prune(bounds, at(20 * day), 100).await.unwrap();
    assert_eq!(pauses(&store).await, [(name("b"), pause(1, None))]);
}
