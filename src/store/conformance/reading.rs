//! Updates and reading: rows, pages, output, sums.

use std::sync::Arc;
use std::time::Duration;

use super::{all, asked, at, cases, claim, ended, fire, missed, name, one, seen, update};
use crate::ids::RunId;
use crate::model::{Outcome, Output, Reason, Run, RunState};
use crate::store::{RunQuery, Store, Write, Written};

cases! {
    "an update replaces what may change of a row, and never its key" => updates,
    "a run that is not over is found at the next start, an ended one is not" => open_rows,
    "output is kept with its run, as it was, any bytes" => output,
    "an update without output keeps the one that is there" => keeps_output,
    "a run without output says how much there was" => no_output,
    "no run is found under an identity that nobody claimed" => unknown_run,
    "rows come newest first, and by identity within one instant" => newest_first,
    "pages follow each other without a gap or a double, also within one instant" => pages,
    "a page stays where it was while newer rows come" => stable_pages,
    "rows are chosen by job, outcome and span" => filters,
    "a page of none and a page of everything are answered" => limits,
    "sums count every fire of a row, by job and outcome" => sums,
    "sums hold more time than fits one number" => long_sums,
    "the store says that it can be written, and what it is" => says,
}

async fn updates(store: Arc<dyn Store>) {
    let claimed = fire("a", 5);
    one(&store, claim(claimed.clone())).await;
    let waiting = Run {
        state: RunState::Waiting,
        next_attempt_at: Some(at(65)),
        reason: Some(Reason::Exit),
        exit_code: Some(2),
        attempt: 2,
        ..claimed.clone()
    };
    assert_eq!(one(&store, update(waiting.clone())).await, Written::Done);
    assert_eq!(all(&store).await, [waiting]);
    let bent = Run {
        scheduled_at: at(99),
        request: Some("r".into()),
        trigger: crate::model::Trigger::Manual,
        ..ended(claimed.clone(), Outcome::Success)
    };
    assert_eq!(one(&store, update(bent)).await, Written::Done);
    let rows = all(&store).await;
    let row = &rows[0];
    assert_eq!(
        (row.scheduled_at, &row.request, row.trigger),
        (claimed.scheduled_at, &None, claimed.trigger)
    );
    assert_eq!(row.outcome, Some(Outcome::Success));
    assert_eq!(one(&store, claim(claimed)).await, Written::Taken);
}

async fn open_rows(store: Arc<dyn Store>) {
    let queued = Run {
        state: RunState::Queued,
        attempt: 0,
        started_at: None,
        ..fire("a", 7)
    };
    let waiting = Run {
        state: RunState::Waiting,
        next_attempt_at: Some(at(90)),
        ..fire("b", 6)
    };
    let over = fire("c", 8);
    store
        .commit(vec![
            claim(queued.clone()),
            claim(waiting.clone()),
            claim(over.clone()),
            update(ended(over, Outcome::Failed)),
            claim(missed("d", 9)),
        ])
        .await
        .unwrap();
    assert_eq!(store.recall().await.unwrap().open, [waiting, queued]);
}

fn with_output(run: Run, output: Output) -> Write {
    Write::Update {
        run: Box::new(Run {
            output_bytes: output.total,
            ..run
        }),
        output: Some(output),
    }
}

async fn output_of(store: &Arc<dyn Store>, id: RunId) -> Output {
    store.run(id).await.unwrap().unwrap().1
}

async fn output(store: Arc<dyn Store>) {
    let run = fire("a", 5);
    let said = Output {
        head: (0..=255).cycle().take(32 << 10).collect(),
        tail: vec![0xFF; 32 << 10],
        total: 10 << 30,
    };
    one(&store, claim(run.clone())).await;
    one(
        &store,
        with_output(ended(run.clone(), Outcome::Success), said.clone()),
    )
    .await;
    assert_eq!(output_of(&store, run.id).await, said);
    let none = Output::default();
    let over = ended(run.clone(), Outcome::Success);
    one(&store, with_output(over, none.clone())).await;
    assert_eq!(output_of(&store, run.id).await, none);
}

async fn keeps_output(store: Arc<dyn Store>) {
    let run = fire("a", 5);
    let said = Output {
        head: b"first".to_vec(),
        tail: Vec::new(),
        total: 5,
    };
    one(&store, claim(run.clone())).await;
    one(&store, with_output(run.clone(), said.clone())).await;
    let over = ended(run.clone(), Outcome::Success);
    one(&store, update(over.clone())).await;
    assert_eq!(output_of(&store, run.id).await, said);
    let second = Output {
        head: b"second".to_vec(),
        tail: b"x".to_vec(),
        total: 9,
    };
    one(&store, with_output(over, second.clone())).await;
    assert_eq!(output_of(&store, run.id).await, second);
}

async fn no_output(store: Arc<dyn Store>) {
    let run = Run {
        output_bytes: 77,
        ..fire("a", 5)
    };
    one(&store, claim(run.clone())).await;
    let output = output_of(&store, run.id).await;
    assert_eq!((output.total, output.is_truncated()), (77, true));
}

async fn unknown_run(store: Arc<dyn Store>) {
    assert_eq!(store.run(fire("a", 1).id).await.unwrap(), None);
    let strange = RunId::parse("ZZZZZZZZZZZZZZZZZZZZZZZZZZ").unwrap();
    assert_eq!(store.run(strange).await.unwrap(), None);
}

/// Rows of three jobs, several on the same instant.
async fn some_rows(store: &Arc<dyn Store>) -> Vec<Run> {
    let mut rows = Vec::new();
    for second in 1..=6 {
        for job in ["a", "b", "c"] {
            rows.push(fire(job, second));
        }
        rows.push(asked("a", second, &format!("r{second}")));
    }
    let claims = rows.iter().cloned().map(claim).collect();
    let answers = store.commit(claims).await.unwrap();
    assert!(answers.iter().all(|answer| *answer == Written::Done));
    rows.sort_by_key(|run| std::cmp::Reverse((run.scheduled_at, run.id)));
    rows
}

async fn newest_first(store: Arc<dyn Store>) {
    let rows = some_rows(&store).await;
    assert_eq!(all(&store).await, rows);
}

/// Reads page by page.
async fn paged(store: &Arc<dyn Store>, mut query: RunQuery) -> Vec<Run> {
    let mut rows = Vec::new();
    loop {
        let page = store.runs(query.clone()).await.unwrap();
        assert!(page.runs.len() <= query.limit);
        rows.extend(page.runs);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return rows,
        }
    }
}

async fn pages(store: Arc<dyn Store>) {
    let rows = some_rows(&store).await;
    for limit in [1, 2, 3, 5, 23, 24, 25] {
        for job in [None, Some("a"), Some("b")] {
            let query = RunQuery {
                job: job.map(name),
                limit,
                ..RunQuery::default()
            };
            let want: Vec<Run> = rows
                .iter()
                .filter(|run| job.is_none_or(|job| run.job.as_str() == job))
                .cloned()
                .collect();
            assert_eq!(paged(&store, query).await, want, "{limit} {job:?}");
        }
    }
    let exact = RunQuery {
        limit: rows.len(),
        ..RunQuery::default()
    };
    assert_eq!(store.runs(exact).await.unwrap().next, None);
}

async fn stable_pages(store: Arc<dyn Store>) {
    let rows = some_rows(&store).await;
    let mut query = RunQuery {
        limit: 10,
        ..RunQuery::default()
    };
    let first = store.runs(query.clone()).await.unwrap();
    one(&store, claim(fire("a", 100))).await;
    query.after = first.next;
    let second = store.runs(query).await.unwrap();
    assert_eq!(second.runs, rows[10..20]);
}

async fn filters(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    for (second, outcome) in [
        (1, Outcome::Success),
        (2, Outcome::Failed),
        (3, Outcome::TimedOut),
        (4, Outcome::Success),
    ] {
        let run = fire("a", second);
        one(&store, claim(run.clone())).await;
        one(&store, update(ended(run, outcome))).await;
    }
    one(&store, claim(fire("a", 5))).await;
    one(&store, claim(missed("b", 2))).await;
    let seconds = |query: RunQuery| {
        let store = Arc::clone(&store);
        async move {
            let runs = store.runs(query).await.unwrap().runs;
            let seconds = runs
                .iter()
                .map(|run| run.scheduled_at.as_second() - at(0).as_second());
            seconds.collect::<Vec<_>>()
        }
    };
    let query = RunQuery {
        limit: 100,
        ..RunQuery::default()
    };
    let of_a = RunQuery {
        job: Some(name("a")),
        ..query.clone()
    };
    for (query, want) in [
        (of_a.clone(), vec![5, 4, 3, 2, 1]),
        (
            RunQuery {
                outcomes: vec![Outcome::Success],
                ..query.clone()
            },
            vec![4, 1],
        ),
        (
            RunQuery {
                outcomes: vec![Outcome::Failed, Outcome::Missed],
                ..query.clone()
            },
            vec![2, 2],
        ),
        (
            RunQuery {
                outcomes: vec![Outcome::Failed, Outcome::TimedOut],
                since: Some(at(3)),
                ..of_a.clone()
            },
            vec![3],
        ),
        (
            RunQuery {
                since: Some(at(2)),
                until: Some(at(3)),
                ..query.clone()
            },
            vec![3, 2, 2],
        ),
        (
            RunQuery {
                since: Some(at(4)),
                until: Some(at(3)),
                ..query.clone()
            },
            vec![],
        ),
        (
            RunQuery {
                job: Some(name("nobody")),
                ..query.clone()
            },
            vec![],
        ),
    ] {
        let shown = format!("{query:?}");
        assert_eq!(seconds(query).await, want, "{shown}");
    }
}

async fn limits(store: Arc<dyn Store>) {
    some_rows(&store).await;
    for limit in [0, usize::MAX] {
        let query = RunQuery {
            limit,
            ..RunQuery::default()
        };
        let page = store.runs(query).await.unwrap();
        assert_eq!(page.next, None, "{limit}");
        assert_eq!(page.runs.len(), limit.min(24));
    }
}

async fn sums(store: Arc<dyn Store>) {
    for (second, outcome) in [
        (10, Outcome::Success),
        (20, Outcome::Success),
        (30, Outcome::Failed),
    ] {
        let run = fire("b", second);
        one(&store, claim(run.clone())).await;
        let mut over = ended(run, outcome);
        over.duration = Some(Duration::from_millis(second as u64));
        one(&store, update(over)).await;
    }
    one(&store, claim(fire("b", 31))).await;
    let series = Run {
        count: 40,
        scheduled_until: Some(at(90)),
        ..missed("a", 25)
    };
    one(&store, claim(series)).await;
    let flat = |since, until| {
        let store = Arc::clone(&store);
        async move {
            let sums = store.summary(at(since), at(until)).await.unwrap();
            let flat = sums.into_iter().map(|sums| {
                let total = sums.total_duration.as_millis();
                let longest = sums.longest.as_millis();
                (sums.job.to_string(), sums.outcomes, total, longest)
            });
            flat.collect::<Vec<_>>()
        }
    };
    let a = ("a".to_owned(), vec![(Outcome::Missed, 40)], 0, 0);
    let b = |outcomes, total, longest| ("b".to_owned(), outcomes, total, longest);
    let both = vec![(Outcome::Success, 2), (Outcome::Failed, 1)];
    assert_eq!(flat(0, 100).await, [a.clone(), b(both, 60, 30)]);
    // From `since` on, and before `until`: spans that follow each other count nothing twice.
    assert_eq!(
        flat(20, 30).await,
        [a, b(vec![(Outcome::Success, 1)], 20, 20)]
    );
    assert_eq!(flat(31, 40).await, []);
}

async fn long_sums(store: Arc<dyn Store>) {
    let century = Duration::from_secs(36_525 * 86_400) + Duration::from_nanos(1);
    let runs = (1..=10).map(|second| {
        claim(Run {
            duration: Some(century),
            ..ended(fire("a", second), Outcome::Success)
        })
    });
    store.commit(runs.collect()).await.unwrap();
    let sums = store.summary(at(0), at(1000)).await.unwrap();
    assert_eq!(sums[0].total_duration, 10 * century);
    assert_eq!(sums[0].longest, century);
}

async fn says(store: Arc<dyn Store>) {
    store.check().await.unwrap();
    store.optimize().await.unwrap();
    assert!(["memory", "sqlite"].contains(&store.kind()));
}
