//! Pruning: what goes, what stays, and that no instant is ever opened again.

use std::sync::Arc;
use std::time::Duration;

use super::{
    all, asked, at, cases, claim, ended, fire, gone, mark_of, missed, name, one, seen, update,
};
use crate::model::{History, Outcome, Output, Run};
use crate::store::{RunQuery, Store, Write, Written};

cases! {
    "of each job the newest runs stay, and as many rows of fires that did not run" => by_number,
    "runs that somebody asked for count with the others" => requests_count,
    "runs that ended too long ago go" => by_age,
    "a series goes by the time it ended, not by its first instant" => age_of_series,
    "what is not over never goes" => open_stays,
    "at most so many go at a time, until none is left" => slices,
    "pruning never reopens an instant" => never_reopens,
    "output goes with its run" => output_goes,
    "a job that is long gone is forgotten with its last row" => forgets,
    "a bound of nothing keeps marks and times" => keep_nothing,
    "a job has bounds of its own for the runs that started, from its next sight on" => own_number,
    "a job has an age of its own, shorter or longer than that of the others" => own_age,
    "a run that is opened again and ends again counts once" => counted_once,
}

const LONG: Duration = Duration::from_secs(86_400);

fn keep(keep: u32) -> History {
    History {
        keep,
        max_age: LONG,
    }
}

/// Ended rows of `job`, one a second.
async fn fill(store: &Arc<dyn Store>, job: &str, seconds: std::ops::RangeInclusive<i64>) {
    let runs = seconds.map(|second| claim(ended(fire(job, second), Outcome::Success)));
    let answers = store.commit(runs.collect()).await.unwrap();
    assert!(answers.iter().all(|answer| *answer == Written::Done));
}

async fn seconds_of(store: &Arc<dyn Store>, job: &str) -> Vec<i64> {
    let query = RunQuery {
        job: Some(name(job)),
        limit: 10_000,
        ..RunQuery::default()
    };
    let runs = store.runs(query).await.unwrap().runs;
    runs.iter()
        .map(|run| run.scheduled_at.as_second() - at(0).as_second())
        .collect()
}

async fn by_number(store: Arc<dyn Store>) {
    fill(&store, "a", 1..=5).await;
    fill(&store, "b", 1..=2).await;
    for second in 11..=14 {
        one(&store, claim(missed("a", second))).await;
    }
    assert_eq!(store.prune(keep(3), at(20), 100).await.unwrap(), 3);
    assert_eq!(seconds_of(&store, "a").await, [14, 13, 12, 5, 4, 3]);
    assert_eq!(seconds_of(&store, "b").await, [2, 1]);
    assert_eq!(store.prune(keep(3), at(20), 100).await.unwrap(), 0);
    fill(&store, "a", 15..=15).await;
    assert_eq!(store.prune(keep(3), at(20), 100).await.unwrap(), 1);
    assert_eq!(seconds_of(&store, "a").await, [15, 14, 13, 12, 5, 4]);
}

async fn requests_count(store: Arc<dyn Store>) {
    for second in [1, 3, 5] {
        let request = format!("r{second}");
        let run = ended(asked("a", second, &request), Outcome::Failed);
        one(&store, claim(run)).await;
        fill(&store, "a", second + 1..=second + 1).await;
    }
    assert_eq!(store.prune(keep(3), at(20), 100).await.unwrap(), 3);
    assert_eq!(seconds_of(&store, "a").await, [6, 5, 4]);
}

async fn by_age(store: Arc<dyn Store>) {
    fill(&store, "a", 1..=4).await;
    fill(&store, "b", 3..=3).await;
    // They ended a second after their instants.
    let now = at(4) + LONG;
    assert_eq!(store.prune(keep(100), now, 100).await.unwrap(), 2);
    assert_eq!(seconds_of(&store, "a").await, [4, 3]);
    assert_eq!(seconds_of(&store, "b").await, [3]);
    let forever = History {
        keep: 100,
        max_age: Duration::MAX,
    };
    assert_eq!(store.prune(forever, at(1 << 30), 100).await.unwrap(), 0);
}

async fn age_of_series(store: Arc<dyn Store>) {
    let series = missed("a", 5);
    one(&store, claim(series.clone())).await;
    let extend = Write::Extend {
        id: series.id,
        job: name("a"),
        count: 90,
        until: at(500),
        at: at(501),
    };
    one(&store, extend).await;
    let prune = |now| store.prune(keep(100), now, 100);
    assert_eq!(prune(at(501) + LONG).await.unwrap(), 0);
    assert_eq!(prune(at(502) + LONG).await.unwrap(), 1);
}

async fn open_stays(store: Arc<dyn Store>) {
    let runs: Vec<Run> = (1..=5).map(|second| fire("a", second)).collect();
    let claims = runs.iter().cloned().map(claim).collect();
    store.commit(claims).await.unwrap();
    let far = at(10) + 10 * LONG;
    assert_eq!(store.prune(keep(0), far, 100).await.unwrap(), 0);
    one(&store, update(ended(runs[2].clone(), Outcome::Success))).await;
    assert_eq!(store.prune(keep(0), far, 100).await.unwrap(), 1);
    assert_eq!(seconds_of(&store, "a").await, [5, 4, 2, 1]);
    assert_eq!(store.recall().await.unwrap().open.len(), 4);
}

async fn slices(store: Arc<dyn Store>) {
    fill(&store, "a", 1..=60).await;
    fill(&store, "b", 1..=60).await;
    let mut removed = Vec::new();
    loop {
        let some = store.prune(keep(10), at(100), 30).await.unwrap();
        if some == 0 {
            break;
        }
        removed.push(some);
    }
    assert!(removed.iter().all(|some| *some <= 30), "{removed:?}");
    assert_eq!(removed.iter().sum::<u64>(), 100);
    for job in ["a", "b"] {
        assert_eq!(seconds_of(&store, job).await.len(), 10);
    }
    assert_eq!(store.prune(keep(0), at(100), 0).await.unwrap(), 0);
}

async fn never_reopens(store: Arc<dyn Store>) {
    fill(&store, "a", 1..=20).await;
    assert_eq!(store.prune(keep(0), at(30), 100).await.unwrap(), 20);
    assert_eq!(all(&store).await, []);
    for second in 1..=20 {
        let answer = one(&store, claim(fire("a", second))).await;
        assert_eq!(answer, Written::Taken, "{second}");
    }
    assert_eq!(one(&store, claim(fire("a", 21))).await, Written::Done);
}

async fn output_goes(store: Arc<dyn Store>) {
    let run = fire("a", 1);
    one(&store, claim(run.clone())).await;
    let said = Output {
        head: vec![7; 1000],
        tail: Vec::new(),
        total: 1000,
    };
    let over = Write::Update {
        run: Box::new(ended(run.clone(), Outcome::Success)),
        output: Some(said),
    };
    one(&store, over).await;
    assert_eq!(store.prune(keep(0), at(9), 9).await.unwrap(), 1);
    assert_eq!(store.run(run.id).await.unwrap(), None);
    // The same identity again, under a request's key, has no output of the former.
    let again = Run {
        id: run.id,
        output_bytes: 0,
        ..asked("a", 1, "r")
    };
    assert_eq!(one(&store, claim(again)).await, Written::Done);
    let (_, output) = store.run(run.id).await.unwrap().unwrap();
    assert_eq!(output, Output::default());
}

async fn forgets(store: Arc<dyn Store>) {
    fill(&store, "gone", 1..=3).await;
    fill(&store, "here", 1..=3).await;
    one(&store, seen("bare", 1)).await;
    one(&store, claim(fire("running", 2))).await;
    for job in ["gone", "bare", "running"] {
        one(&store, gone(job, 10)).await;
    }
    let just = at(10) + LONG;
    store.prune(keep(0), just, 100).await.unwrap();
    for job in ["gone", "bare", "here", "running"] {
        assert!(mark_of(&store, job).await.is_some(), "{job}");
    }
    let over = just + Duration::from_secs(1);
    store.prune(keep(0), over, 100).await.unwrap();
    for (job, remembered) in [
        ("gone", false),
        ("bare", false),
        ("here", true),
        ("running", true),
    ] {
        assert_eq!(mark_of(&store, job).await.is_some(), remembered, "{job}");
    }
    // It comes back as a new one.
    one(&store, seen("gone", 200_000)).await;
    let mark = mark_of(&store, "gone").await.unwrap();
    assert_eq!(mark.mark, at(200_000));
}

async fn keep_nothing(store: Arc<dyn Store>) {
    fill(&store, "a", 1..=3).await;
    let before = mark_of(&store, "a").await;
    store.prune(keep(0), at(9), 100).await.unwrap();
    assert_eq!(mark_of(&store, "a").await, before);
    assert_eq!(before.unwrap().previous_success_at, Some(at(3)));
}

fn kept(job: &str, keep: u32, seconds: u64) -> Write {
    Write::Seen {
        job: name(job),
        at: at(0),
        history: History {
            keep,
            max_age: Duration::from_secs(seconds),
        },
    }
}

async fn own_number(store: Arc<dyn Store>) {
    let year = 365 * LONG.as_secs();
    store
        .commit(vec![
            kept("more", 5, year),
            seen("plain", 0),
            kept("less", 1, year),
        ])
        .await
        .unwrap();
    for job in ["more", "less", "plain"] {
        fill(&store, job, 1..=6).await;
        for second in 11..=14 {
            one(&store, claim(missed(job, second))).await;
        }
    }
    while store.prune(keep(3), at(20), 4).await.unwrap() > 0 {}
    let quiet = [14, 13, 12];
    let of = async |job: &str| seconds_of(&store, job).await;
    assert_eq!(of("more").await, [&quiet[..], &[6, 5, 4, 3, 2]].concat());
    assert_eq!(of("less").await, [&quiet[..], &[6]].concat());
    assert_eq!(of("plain").await, [&quiet[..], &[6, 5, 4]].concat());
    // Edits of it: more for one, the built-in for the other; and no instant opens again.
    let before = mark_of(&store, "more").await;
    let edit = vec![kept("more", 2, year), seen("less", 0)];
    store.commit(edit).await.unwrap();
    assert_eq!(mark_of(&store, "more").await, before);
    store.prune(keep(3), at(20), 100).await.unwrap();
    assert_eq!(of("more").await, [&quiet[..], &[6, 5]].concat());
    for second in 1..=14 {
        let answer = one(&store, claim(fire("more", second))).await;
        assert_eq!(answer, Written::Taken, "{second}");
    }
    fill(&store, "less", 21..=22).await;
    assert_eq!(store.prune(keep(3), at(30), 100).await.unwrap(), 0);
    assert_eq!(of("less").await, [&[22, 21], &quiet[..], &[6]].concat());
}

async fn own_age(store: Arc<dyn Store>) {
    store
        .commit(vec![
            kept("short", 100, 10),
            kept("long", 100, 2 * LONG.as_secs()),
        ])
        .await
        .unwrap();
    for job in ["short", "long", "plain"] {
        fill(&store, job, 1..=4).await;
    }
    one(&store, claim(fire("short", 5))).await;
    // They ended a second after their instants.
    assert_eq!(store.prune(keep(100), at(14), 1).await.unwrap(), 1);
    assert_eq!(store.prune(keep(100), at(14), 100).await.unwrap(), 1);
    assert_eq!(seconds_of(&store, "short").await, [5, 4, 3]);
    assert_eq!(seconds_of(&store, "long").await.len(), 4);
    let past = at(5) + LONG;
    while store.prune(keep(100), past, 3).await.unwrap() > 0 {}
    assert_eq!(
        seconds_of(&store, "short").await,
        [5],
        "what is not over stays"
    );
    assert_eq!(seconds_of(&store, "plain").await, [4]);
    assert_eq!(seconds_of(&store, "long").await.len(), 4);
    store.prune(keep(100), at(5) + 2 * LONG, 100).await.unwrap();
    assert_eq!(seconds_of(&store, "long").await, [4]);
}

async fn counted_once(store: Arc<dyn Store>) {
    fill(&store, "a", 1..=2).await;
    let run = fire("a", 3);
    for write in [
        claim(run.clone()),
        update(ended(run.clone(), Outcome::Failed)),
        update(run.clone()),
        update(ended(run.clone(), Outcome::Success)),
        update(ended(run.clone(), Outcome::Success)),
    ] {
        one(&store, write).await;
    }
    assert_eq!(store.prune(keep(3), at(9), 100).await.unwrap(), 0);
    assert_eq!(store.prune(keep(2), at(9), 100).await.unwrap(), 1);
    assert_eq!(seconds_of(&store, "a").await, [3, 2]);
}
