//! Claims: one row per key, once and for all.

use std::sync::Arc;

use super::{
    all, asked, at, cases, claim, ended, fire, gone, mark_of, missed, name, one, rename, seen,
    update,
};
use crate::ids::RunId;
use crate::model::{History, Outcome, Run, RunState, Trigger};
use crate::store::{Store, Write, Written};

cases! {
    "a fire is claimed once, and its row is there" => once,
    "of many who claim the same fire at the same moment one wins" => race,
    "an instant at or before the mark is not ours to start" => before_the_mark,
    "a claim moves the mark to the last instant of its row" => moves_the_mark,
    "a request is claimed once per job, whenever it comes" => requests,
    "a request moves no mark and asks none" => requests_and_marks,
    "a startup run has its instant for itself, moves no mark and is remembered" => startup,
    "a row keeps every field" => every_field,
    "a claim that is taken leaves the others in its batch as they are" => mixed_batch,
    "a job that was never seen is seen by its first claim" => unseen,
    "an identity that is there already is taken, whatever its key" => same_identity,
    "a fire whose identity a row of its name's past has is there under another" => other_identity,
    "a row that has ended is not opened again" => stays_ended,
    "the order within a batch is kept" => order,
    "a batch without writes is answered" => empty,
    "ten thousand claims go in at once" => many,
}

async fn once(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    assert_eq!(one(&store, claim(fire("a", 1))).await, Written::Done);
    assert_eq!(one(&store, claim(fire("a", 1))).await, Written::Taken);
    assert_eq!(all(&store).await, [fire("a", 1)]);
}

async fn stays_ended(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    one(&store, claim(fire("a", 1))).await;
    let over = ended(fire("a", 1), Outcome::Success);
    assert_eq!(one(&store, update(over.clone())).await, Written::Done);
    assert_eq!(one(&store, update(fire("a", 1))).await, Written::Taken);
    assert_eq!(one(&store, update(over.clone())).await, Written::Done);
    assert_eq!(all(&store).await, [over]);
}

async fn race(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    let racers: Vec<_> = (0..64)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { one(&store, claim(fire("a", 5))).await })
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        won += usize::from(racer.await.unwrap() == Written::Done);
    }
    assert_eq!(won, 1);
    assert_eq!(all(&store).await.len(), 1);
}

async fn before_the_mark(store: Arc<dyn Store>) {
    one(&store, seen("a", 10)).await;
    for (second, want) in [
        (9, Written::Taken),
        (10, Written::Taken),
        (11, Written::Done),
        (10, Written::Taken),
    ] {
        assert_eq!(one(&store, claim(fire("a", second))).await, want);
    }
    let catch_up = Run {
        trigger: Trigger::CatchUp,
        ..fire("a", 7)
    };
    assert_eq!(one(&store, claim(catch_up)).await, Written::Taken);
}

async fn moves_the_mark(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    one(&store, claim(fire("a", 3))).await;
    assert_eq!(mark_of(&store, "a").await.unwrap().mark, at(3));
    let series = Run {
        scheduled_until: Some(at(9)),
        count: 6,
        ..missed("a", 4)
    };
    assert_eq!(one(&store, claim(series)).await, Written::Done);
    let mark = mark_of(&store, "a").await.unwrap();
    assert_eq!((mark.first_seen, mark.mark), (at(0), at(9)));
    assert_eq!(one(&store, claim(fire("a", 6))).await, Written::Taken);
    assert_eq!(one(&store, claim(fire("a", 10))).await, Written::Done);
}

async fn requests(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    for (run, want) in [
        (asked("a", 5, "r"), Written::Done),
        (asked("a", 5, "r"), Written::Taken),
        (asked("a", 6, "r"), Written::Taken),
        (asked("a", 5, "s"), Written::Done),
        (asked("b", 5, "r"), Written::Done),
        (asked("a", 5, ""), Written::Done),
        (asked("a", 6, ""), Written::Taken),
    ] {
        let shown = format!("{run:?}");
        assert_eq!(one(&store, claim(run)).await, want, "{shown}");
    }
    let found = store
        .run_of_request(name("a"), "r".to_owned())
        .await
        .unwrap();
    assert_eq!(found, Some(asked("a", 5, "r")));
    for (job, request) in [("a", "t"), ("c", "r"), ("b", "")] {
        let found = store.run_of_request(name(job), request.to_owned()).await;
        assert_eq!(found.unwrap(), None, "{job} {request}");
    }
}

async fn requests_and_marks(store: Arc<dyn Store>) {
    one(&store, seen("a", 10)).await;
    assert_eq!(one(&store, claim(asked("a", 5, "r"))).await, Written::Done);
    assert_eq!(one(&store, claim(asked("a", 20, "s"))).await, Written::Done);
    assert_eq!(mark_of(&store, "a").await.unwrap().mark, at(10));
    // The same instant as a request's is still the schedule's to fire.
    assert_eq!(one(&store, claim(fire("a", 20))).await, Written::Done);
}

async fn startup(store: Arc<dyn Store>) {
    one(&store, seen("a", 10)).await;
    let started = |second| Run {
        trigger: Trigger::Startup,
        ..fire("a", second)
    };
    assert_eq!(one(&store, claim(started(20))).await, Written::Done);
    assert_eq!(one(&store, claim(started(20))).await, Written::Taken);
    // The clock was set back: the mark does not hold a startup run up.
    assert_eq!(one(&store, claim(started(5))).await, Written::Done);
    let mark = mark_of(&store, "a").await.unwrap();
    assert_eq!((mark.mark, mark.last_startup_at), (at(10), Some(at(20))));
    let skipped = Run {
        trigger: Trigger::Startup,
        outcome: Some(Outcome::Skipped),
        ..missed("a", 30)
    };
    assert_eq!(one(&store, claim(skipped)).await, Written::Done);
    let mark = mark_of(&store, "a").await.unwrap();
    assert_eq!(mark.last_startup_at, Some(at(20)));
    assert_eq!(one(&store, claim(fire("a", 20))).await, Written::Taken);
}

async fn every_field(store: Arc<dyn Store>) {
    let full = Run {
        scheduled_until: Some(at(9)),
        count: 7,
        next_attempt_at: Some(at(12)),
        outcome: Some(Outcome::Failed),
        reason: Some(crate::model::Reason::Signal),
        detail: Some("köln \0 \n 'quoted'".into()),
        exit_code: Some(-1),
        signal: Some(9),
        http_status: Some(503),
        revision: Some("abc".into()),
        source: Some("a.yaml:3".into()),
        definition: crate::ids::DefinitionId::from_number((1 << 48) - 1),
        output_bytes: u64::from(u32::MAX) + 5,
        attempt: u32::MAX,
        duration: Some(std::time::Duration::new(400 * 86_400, 1)),
        started_at: Some("2027-01-01T00:00:00.000000001Z".parse().unwrap()),
        finished_at: Some("1969-12-31T23:59:59.999999999Z".parse().unwrap()),
        request: Some("Ω".into()),
        ..ended(asked("a", 3, "Ω"), Outcome::Failed)
    };
    one(&store, claim(full.clone())).await;
    assert_eq!(all(&store).await, std::slice::from_ref(&full));
    assert_eq!(store.run(full.id).await.unwrap().unwrap().0, full);
}

async fn mixed_batch(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    one(&store, claim(fire("a", 2))).await;
    let answers = store
        .commit(vec![
            claim(fire("b", 1)),
            claim(fire("a", 2)),
            claim(fire("a", 3)),
        ])
        .await
        .unwrap();
    assert_eq!(answers, [Written::Done, Written::Taken, Written::Done]);
    assert_eq!(all(&store).await.len(), 3);
}

async fn unseen(store: Arc<dyn Store>) {
    assert_eq!(one(&store, claim(fire("a", 7))).await, Written::Done);
    let mark = mark_of(&store, "a").await.unwrap();
    assert_eq!((mark.first_seen, mark.mark), (at(7), at(7)));
    assert_eq!(one(&store, seen("a", 9)).await, Written::Done);
    assert_eq!(mark_of(&store, "a").await.unwrap().first_seen, at(7));
}

async fn same_identity(store: Arc<dyn Store>) {
    one(&store, claim(fire("a", 1))).await;
    let id = RunId::of_fire(&name("a"), at(1));
    let other = Run { id, ..fire("b", 2) };
    assert_eq!(one(&store, claim(other)).await, Written::Taken);
    assert_eq!(mark_of(&store, "b").await, None);
    let later = Run { id, ..fire("a", 2) };
    assert_eq!(one(&store, claim(later)).await, Written::Taken);
    assert_eq!(mark_of(&store, "a").await.unwrap().mark, at(1));
}

async fn other_identity(store: Arc<dyn Store>) {
    for job in ["old", "new"] {
        one(&store, seen(job, 0)).await;
    }
    one(&store, claim(ended(fire("new", 5), Outcome::Success))).await;
    one(&store, gone("new", 6)).await;
    one(&store, rename("old", "new")).await;
    let other = RunId::of_fire_beside(&name("new"), at(5));
    let claimed = one(&store, claim(fire("new", 5))).await;
    assert_eq!(claimed, Written::Under(other));
    let run = Run {
        id: other,
        ..fire("new", 5)
    };
    let rows = all(&store).await;
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows.contains(&run));
    // Its key is its own now, and it moved the mark.
    assert_eq!(one(&store, claim(fire("new", 5))).await, Written::Taken);
    assert_eq!(mark_of(&store, "new").await.unwrap().mark, at(5));
    let over = Run {
        id: other,
        ..ended(fire("new", 5), Outcome::Failed)
    };
    assert_eq!(one(&store, update(over)).await, Written::Done);
    // A series that is not known by its identity yet grows, and not the past's.
    let extend = Write::Extend {
        id: fire("new", 5).id,
        job: name("new"),
        count: 2,
        until: at(9),
        at: at(9),
    };
    assert_eq!(one(&store, extend).await, Written::Done);
    assert_eq!(mark_of(&store, "new").await.unwrap().mark, at(9));
    let counts = all(&store).await;
    let counts = counts.iter().map(|run| (run.id == other, run.count));
    assert!(counts.clone().any(|it| it == (true, 2)));
    assert!(counts.clone().any(|it| it == (false, 1)));
}

async fn order(store: Arc<dyn Store>) {
    let run = fire("a", 5);
    let answers = store
        .commit(vec![
            seen("a", 0),
            claim(run.clone()),
            Write::Mark {
                job: name("a"),
                at: at(10),
            },
            claim(fire("a", 8)),
            update(ended(run.clone(), Outcome::Success)),
            claim(fire("a", 11)),
        ])
        .await
        .unwrap();
    let (done, taken) = (Written::Done, Written::Taken);
    assert_eq!(answers, [done, done, done, taken, done, done]);
    let rows = all(&store).await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1].state, RunState::Done);
}

async fn empty(store: Arc<dyn Store>) {
    assert_eq!(store.commit(Vec::new()).await.unwrap(), []);
}

async fn many(store: Arc<dyn Store>) {
    let jobs: Vec<String> = (0..100).map(|job| format!("job-{job}")).collect();
    let claims: Vec<Write> = jobs
        .iter()
        .flat_map(|job| (1..=100).map(|second| claim(fire(job, second))))
        .collect();
    let answers = store.commit(claims.clone()).await.unwrap();
    assert_eq!(answers.len(), 10_000);
    assert!(answers.iter().all(|answer| *answer == Written::Done));
    let again = store.commit(claims).await.unwrap();
    assert!(again.iter().all(|answer| *answer == Written::Taken));
    assert_eq!(all(&store).await.len(), 10_000);
    let bounds = History::default();
    assert_eq!(store.prune(bounds, at(200), 50_000).await.unwrap(), 0);
}
