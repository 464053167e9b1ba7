//! Marks that a clock left in the future, and what stays closed when they are set back.

use std::sync::Arc;
use std::time::Duration;

use super::{all, at, cases, claim, ended, fire, gone, mark_of, missed, name, one, rename, seen};
use crate::model::{History, Outcome, Reason, Run, Trigger};
use crate::store::{AHEAD, Mark, Store, Write, Written};

cases! {
    "a mark within a day ahead stays where it is" => near,
    "a mark further ahead goes back to now, and what ran beyond the leap stays closed" => far,
    "what ran is closed also when its rows are gone" => pruned,
    "a job that was first seen under a wrong clock begins now" => first_seen,
    "of two names that are gone and become one what is closed stays closed" => merged_past,
    "without a leap the rows that are there hold their keys" => by_rows,
    "the past of a job is not in the future" => times,
    "a job that nobody knows is not mended" => unknown,
    "rows of instants that have not come are no history" => to_come,
}

const YEAR: i64 = 365 * 86_400;

async fn mend(store: &Arc<dyn Store>, job: &str, second: i64) -> Mark {
    let write = Write::Mend {
        job: name(job),
        at: at(second),
    };
    assert_eq!(one(store, write).await, Written::Done);
    mark_of(store, job).await.unwrap()
}

async fn claims(store: &Arc<dyn Store>, seconds: &[i64]) -> Vec<bool> {
    let mut taken = Vec::new();
    for second in seconds {
        let answer = one(store, claim(fire("a", *second))).await;
        taken.push(answer == Written::Taken);
    }
    taken
}

/// The job runs at 10 and 20; then the clock is a year ahead: what was jumped over is missed, the
/// last of it is caught up, and three more run.
async fn a_year_ahead(store: &Arc<dyn Store>) {
    one(store, seen("a", 0)).await;
    for second in [10, 20] {
        one(store, claim(ended(fire("a", second), Outcome::Success))).await;
    }
    let jumped = Run {
        reason: Some(Reason::Clock),
        scheduled_until: Some(at(YEAR - 10)),
        count: 1000,
        ..missed("a", 30)
    };
    one(store, claim(jumped)).await;
    let caught_up = Run {
        trigger: Trigger::CatchUp,
        ..ended(fire("a", YEAR), Outcome::Success)
    };
    one(store, claim(caught_up)).await;
    for second in [10, 20, 30] {
        one(
            store,
            claim(ended(fire("a", YEAR + second), Outcome::Success)),
        )
        .await;
    }
}

async fn near(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    one(&store, claim(fire("a", 86_400))).await;
    let before = mark_of(&store, "a").await.unwrap();
    assert_eq!(mend(&store, "a", 0).await, before, "{AHEAD:?}");
    assert_eq!(mend(&store, "a", -1).await.mark, at(-1));
}

async fn far(store: Arc<dyn Store>) {
    a_year_ahead(&store).await;
    let mark = mend(&store, "a", 25).await;
    assert_eq!((mark.mark, mark.leap), (at(25), None));
    assert_eq!(
        mark.closed,
        Some((at(YEAR) - Duration::from_nanos(1), at(YEAR + 30)))
    );
    let seconds = [
        20,
        25,
        // The row of what the leap went over does not stand in the way of its first instant.
        30,
        35,
        500,
        YEAR - 10,
        YEAR,
        YEAR + 5,
        YEAR + 30,
        YEAR + 40,
    ];
    assert_eq!(
        claims(&store, &seconds).await,
        [
            true, true, false, false, false, false, true, true, true, false
        ]
    );
    // Nobody goes back behind what was decided before the leap.
    a_year_ahead_of_nothing(&store).await;
}

/// A clock that is set back further than where it leapt from.
async fn a_year_ahead_of_nothing(store: &Arc<dyn Store>) {
    one(store, seen("b", 0)).await;
    one(store, claim(fire("b", 50))).await;
    let jumped = Run {
        reason: Some(Reason::Downtime),
        scheduled_until: Some(at(YEAR)),
        ..missed("b", 60)
    };
    one(store, claim(jumped)).await;
    assert_eq!(mend(store, "b", 10).await.mark, at(50));
}

async fn pruned(store: Arc<dyn Store>) {
    a_year_ahead(&store).await;
    let bounds = History {
        keep: 0,
        ..History::default()
    };
    while store.prune(bounds, at(YEAR + 40), 100).await.unwrap() > 0 {}
    assert_eq!(all(&store).await, []);
    mend(&store, "a", 25).await;
    assert_eq!(
        claims(&store, &[YEAR - 10, YEAR, YEAR + 20, YEAR + 40]).await,
        [false, true, true, false]
    );
}

async fn first_seen(store: Arc<dyn Store>) {
    one(&store, seen("a", YEAR)).await;
    one(&store, claim(fire("a", YEAR + 10))).await;
    let mark = mend(&store, "a", 0).await;
    assert_eq!(
        (mark.first_seen, mark.since, mark.mark),
        (at(0), at(0), at(0))
    );
    assert_eq!(mark.closed, Some((at(YEAR), at(YEAR + 10))));
    assert_eq!(
        claims(&store, &[5, YEAR + 10, YEAR + 20]).await,
        [false, true, false]
    );
}

async fn merged_past(store: Arc<dyn Store>) {
    a_year_ahead(&store).await;
    one(&store, seen("c", 0)).await;
    one(&store, claim(fire("c", YEAR))).await;
    for job in ["b", "d"] {
        one(&store, seen(job, 0)).await;
        one(&store, claim(fire(job, 500))).await;
    }
    // What ran in that year: a stretch of a, a row of c.
    mend(&store, "a", 25).await;
    mend(&store, "c", 25).await;
    for job in ["a", "b", "c", "d"] {
        one(&store, gone(job, 600)).await;
    }
    one(&store, rename("b", "a")).await;
    one(&store, rename("c", "d")).await;
    for job in ["a", "d"] {
        one(&store, seen(job, 700)).await;
        assert_eq!(mark_of(&store, job).await.unwrap().mark, at(500));
    }
    assert_eq!(one(&store, claim(fire("d", YEAR))).await, Written::Taken);
    let bounds = History {
        keep: 0,
        ..History::default()
    };
    while store.prune(bounds, at(YEAR + 40), 100).await.unwrap() > 0 {}
    assert_eq!(
        claims(&store, &[600, YEAR + 20, YEAR + 40]).await,
        [false, true, false]
    );
}

async fn by_rows(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    one(&store, claim(fire("a", YEAR))).await;
    let mark = mend(&store, "a", 10).await;
    assert_eq!((mark.mark, mark.closed), (at(10), None));
    assert_eq!(claims(&store, &[20, YEAR]).await, [false, true]);
}

async fn times(store: Arc<dyn Store>) {
    a_year_ahead(&store).await;
    let mark = mend(&store, "a", 25).await;
    assert_eq!(mark.previous_success_at, Some(at(25)));
    assert_eq!(mark.times.last_success, Some(at(25)));
    // And the next success counts.
    one(&store, claim(ended(fire("a", 35), Outcome::Success))).await;
    let mark = mark_of(&store, "a").await.unwrap();
    assert_eq!(mark.times.last_success, Some(at(36)));
}

async fn unknown(store: Arc<dyn Store>) {
    let write = Write::Mend {
        job: name("nobody"),
        at: at(0),
    };
    assert_eq!(one(&store, write).await, Written::Done);
    assert_eq!(mark_of(&store, "nobody").await, None);
}

async fn to_come(store: Arc<dyn Store>) {
    a_year_ahead(&store).await;
    mend(&store, "a", 25).await;
    for second in [30, 40, 50] {
        one(&store, claim(ended(fire("a", second), Outcome::Success))).await;
    }
    let bounds = History {
        keep: 2,
        ..History::default()
    };
    // Of 10 to 50; the row of 30 that is left is of what was missed, and the rest has not come.
    assert_eq!(store.prune(bounds, at(60), 100).await.unwrap(), 3);
    let kept: Vec<i64> = all(&store)
        .await
        .iter()
        .map(|run| run.scheduled_at.as_second() - at(0).as_second())
        .collect();
    assert_eq!(kept, [YEAR + 30, YEAR + 20, YEAR + 10, YEAR, 50, 40, 30]);
}
