//! Marks, the jobs' times, and the files that were applied.

use std::sync::Arc;

use super::{
    all, asked, at, cases, claim, ended, fire, gone, mark_of, missed, name, one, seen, update,
};
use crate::ids::RunId;
use crate::model::{Outcome, Run};
use crate::store::{AppliedFile, Recalled, Store, Write, Written};

cases! {
    "a first sight is the mark, and a later sight changes nothing" => first_sight,
    "a name that is gone for less than ten minutes keeps its mark, later it is seen anew" => returns,
    "a mark moves forward and never back" => forward,
    "a schedule counts since the first sight, or since the last edit of its times" => since,
    "marks are given in the order asked, and none for a job never seen" => asked_order,
    "a start recalls the marks of the jobs that are not gone" => recalls_marks,
    "a series grows, takes the mark along and never shrinks" => extend,
    "a row that is not there is neither extended nor updated" => absent,
    "the end of a run is remembered as the job's times" => times,
    "a run that somebody asked for counts for the job's times" => times_of_requests,
    "a job that is renamed takes its rows, its mark and its times along, with the files that say so" => renamed,
    "a name that is known as well becomes one with the renamed, by the mark of the one that goes on" => merged_names,
    "no row goes where two names become one, and none closes what is not decided yet" => merged_rows,
    "an applied file replaces the one of its path, and is there at the next start" => files,
    "a file's definitions may be large and hold any text" => large_file,
}

fn rename_with(from: &str, to: &str, definitions: &str) -> Write {
    Write::Rename {
        moves: vec![(name(from), name(to))],
        files: vec![AppliedFile {
            root: "jobs.d".to_owned(),
            path: "a.yaml".to_owned(),
            hash: String::new(),
            definitions: definitions.to_owned(),
        }],
    }
}

/// `job instant` of all rows, oldest first.
async fn rows_told(store: &Arc<dyn Store>) -> Vec<String> {
    let mut rows = all(store).await;
    rows.reverse();
    let told = rows.iter().map(|run| {
        let second = run.scheduled_at.duration_since(at(0)).as_secs();
        format!("{} {second}", run.job)
    });
    told.collect()
}

async fn renamed(store: Arc<dyn Store>) {
    one(&store, seen("old", 0)).await;
    one(&store, seen("other", 0)).await;
    one(&store, claim(fire("old", 10))).await;
    one(&store, update(ended(fire("old", 10), Outcome::Success))).await;
    one(&store, claim(fire("old", 20))).await;
    one(&store, claim(asked("old", 25, "r"))).await;
    one(&store, claim(fire("other", 10))).await;
    let before = mark_of(&store, "old").await.unwrap();
    assert_eq!(
        one(&store, rename_with("old", "new", "x")).await,
        Written::Done
    );
    assert_eq!(mark_of(&store, "old").await, None);
    assert_eq!(mark_of(&store, "new").await, Some(before));
    let mut told = rows_told(&store).await;
    told.sort();
    assert_eq!(told, ["new 10", "new 20", "new 25", "other 10"]);
    // What runs goes on under the new name, with the identity that it has.
    let run = Run {
        job: name("new"),
        ..ended(fire("old", 20), Outcome::Success)
    };
    assert_eq!(one(&store, update(run)).await, Written::Done);
    let mark = mark_of(&store, "new").await.unwrap();
    assert_eq!(mark.previous_success_at, Some(at(20)));
    assert_eq!(one(&store, claim(fire("new", 20))).await, Written::Taken);
    assert_eq!(
        one(&store, claim(asked("new", 99, "r"))).await,
        Written::Taken
    );
    assert_eq!(one(&store, claim(fire("new", 30))).await, Written::Done);
    // Once is enough.
    one(&store, rename_with("old", "new", "y")).await;
    let Recalled {
        marks, open, files, ..
    } = store.recall().await.unwrap();
    assert_eq!((marks.len(), open.len()), (2, 3));
    assert_eq!(files[0].definitions, "y");
}

async fn merged_names(store: Arc<dyn Store>) {
    for job in ["old", "new"] {
        one(&store, seen(job, 0)).await;
        one(&store, claim(missed(job, 10))).await;
    }
    one(&store, claim(fire("new", 50))).await;
    one(&store, gone("new", 60)).await;
    one(&store, claim(fire("old", 40))).await;
    one(&store, rename_with("old", "new", "x")).await;
    let mark = mark_of(&store, "new").await.unwrap();
    // What the name that is gone decided is not what this job has to decide yet.
    assert_eq!((mark.mark, mark.gone_at), (at(40), None));
    let rows = rows_told(&store).await;
    assert_eq!(rows, ["new 10", "new 10", "new 40", "new 50"]);
    assert_eq!(one(&store, claim(fire("new", 45))).await, Written::Done);
    // The row of that instant has its identity, and stays what it is.
    let other = RunId::of_fire_beside(&name("new"), at(50));
    let claimed = one(&store, claim(fire("new", 50))).await;
    assert_eq!(claimed, Written::Under(other));
    let page = store
        .prune(crate::model::History::default(), at(100), 100)
        .await;
    assert_eq!(page.unwrap(), 0);
    // A past joins a job that is there, and one past another: nothing is open again.
    for (job, last) in [("past", 90), ("older", 70), ("other", 80)] {
        one(&store, seen(job, 0)).await;
        one(&store, claim(missed(job, last))).await;
        one(&store, gone(job, 95)).await;
    }
    one(&store, rename_with("past", "new", "x")).await;
    one(&store, rename_with("older", "other", "x")).await;
    let mark = mark_of(&store, "new").await.unwrap();
    assert_eq!((mark.mark, mark.gone_at), (at(50), None));
    let mark = mark_of(&store, "other").await.unwrap();
    assert_eq!((mark.mark, mark.gone_at), (at(80), Some(at(95))));
}

async fn merged_rows(store: Arc<dyn Store>) {
    for job in ["old", "new"] {
        one(&store, seen(job, 0)).await;
    }
    for second in [10, 20] {
        for job in ["old", "new"] {
            one(&store, claim(fire(job, second))).await;
            one(&store, claim(asked(job, second, &format!("r{second}")))).await;
        }
    }
    // What was new before has an end, an instant that old has not decided, and one run under way.
    for write in [
        update(ended(fire("new", 10), Outcome::Failed)),
        update(ended(asked("new", 10, "r10"), Outcome::Failed)),
        claim(missed("new", 30)),
        gone("new", 30),
    ] {
        one(&store, write).await;
    }
    one(&store, rename_with("old", "new", "x")).await;
    let mut told: Vec<_> = all(&store).await;
    told.sort_by_key(|run| (run.scheduled_at, run.id));
    assert!(told.iter().all(|run| run.job == name("new")));
    let open = told.iter().filter(|run| run.outcome.is_none()).count();
    assert_eq!((told.len(), open), (9, 6));
    // The keys are those of the job that goes on.
    let found = store.run_of_request(name("new"), "r20".to_owned()).await;
    let own = asked("old", 20, "r20").id;
    assert_eq!(found.unwrap().map(|run| run.id), Some(own));
    let again = Run {
        id: fire("other", 20).id,
        ..fire("new", 20)
    };
    assert_eq!(one(&store, claim(again)).await, Written::Taken);
    let next = Run {
        id: fire("other", 30).id,
        ..fire("new", 30)
    };
    assert_eq!(one(&store, claim(next)).await, Written::Done);
    // What is under way ends under the new name, whichever it began with.
    for job in ["old", "new"] {
        let under_way = Run {
            job: name("new"),
            ..ended(fire(job, 20), Outcome::Success)
        };
        assert_eq!(one(&store, update(under_way)).await, Written::Done);
    }
    // A past that joins a job that is there leaves that its keys, too.
    one(&store, seen("past", 0)).await;
    one(&store, claim(fire("past", 30))).await;
    one(&store, claim(fire("past", 40))).await;
    one(&store, gone("past", 50)).await;
    one(&store, rename_with("past", "new", "x")).await;
    let next = Run {
        id: fire("other", 40).id,
        ..fire("new", 40)
    };
    assert_eq!(one(&store, claim(next)).await, Written::Done);
    let kept = crate::model::History {
        keep: 0,
        ..crate::model::History::default()
    };
    let pruned = store.prune(kept, at(1_000), 100).await;
    assert_eq!(pruned.unwrap(), 5, "the counts of its rows are right");
}

async fn first_sight(store: Arc<dyn Store>) {
    assert_eq!(mark_of(&store, "a").await, None);
    one(&store, seen("a", 5)).await;
    one(&store, seen("a", 9_000)).await;
    let mark = mark_of(&store, "a").await.unwrap();
    assert_eq!(
        (mark.first_seen, mark.mark, mark.gone_at),
        (at(5), at(5), None)
    );
    assert_eq!(mark.times, crate::model::JobTimes::default());
}

async fn returns(store: Arc<dyn Store>) {
    for job in ["soon", "late"] {
        one(&store, seen(job, 0)).await;
        one(&store, claim(fire(job, 50))).await;
        one(&store, gone(job, 100)).await;
        one(&store, gone(job, 400)).await;
        assert_eq!(mark_of(&store, job).await.unwrap().gone_at, Some(at(100)));
    }
    one(&store, seen("soon", 699)).await;
    one(&store, seen("late", 700)).await;
    let [soon, late] = [mark_of(&store, "soon").await, mark_of(&store, "late").await];
    let view = |mark: Option<crate::store::Mark>| {
        let mark = mark.unwrap();
        (mark.first_seen, mark.mark, mark.gone_at)
    };
    assert_eq!(view(soon), (at(0), at(50), None));
    assert_eq!(view(late), (at(700), at(700), None));
    assert_eq!(one(&store, gone("never", 1)).await, Written::Done);
    assert_eq!(mark_of(&store, "never").await, None);
}

async fn forward(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    for (to, want) in [(10, 10), (5, 10), (11, 11)] {
        let write = Write::Mark {
            job: name("a"),
            at: at(to),
        };
        assert_eq!(one(&store, write).await, Written::Done);
        assert_eq!(mark_of(&store, "a").await.unwrap().mark, at(want));
    }
    assert_eq!(all(&store).await, []);
}

async fn since(store: Arc<dyn Store>) {
    let since = || async { mark_of(&store, "a").await.unwrap().since };
    one(&store, seen("a", 1)).await;
    one(&store, claim(fire("a", 50))).await;
    assert_eq!(since().await, at(1), "a fire changes nothing of it");
    let edited = |second| Write::Mark {
        job: name("a"),
        at: at(second),
    };
    for (second, want) in [(70, 70), (60, 70)] {
        one(&store, edited(second)).await;
        assert_eq!(since().await, at(want));
    }
    let recalled = store.recall().await.unwrap();
    assert_eq!(recalled.marks[0].1.since, at(70));
    one(&store, gone("a", 100)).await;
    one(&store, seen("a", 900)).await;
    assert_eq!(since().await, at(900), "it is another job");
}

async fn asked_order(store: Arc<dyn Store>) {
    store
        .commit(vec![seen("b", 2), seen("a", 1), gone("a", 3)])
        .await
        .unwrap();
    let marks = store
        .marks(vec![name("b"), name("x"), name("a"), name("b")])
        .await
        .unwrap();
    let first: Vec<_> = marks
        .iter()
        .map(|mark| mark.as_ref().map(|mark| (mark.first_seen, mark.gone_at)))
        .collect();
    let b = Some((at(2), None));
    assert_eq!(first, [b, None, Some((at(1), Some(at(3)))), b]);
}

async fn recalls_marks(store: Arc<dyn Store>) {
    let Recalled {
        marks, open, files, ..
    } = store.recall().await.unwrap();
    assert!(marks.is_empty() && open.is_empty() && files.is_empty());
    store
        .commit(vec![
            seen("a", 1),
            seen("b", 2),
            seen("c", 3),
            gone("b", 4),
            claim(fire("c", 9)),
            claim(missed("c", 10)),
            claim(asked("b", 8, "r")),
        ])
        .await
        .unwrap();
    let mut recalled = store.recall().await.unwrap();
    recalled.marks.sort_by(|a, b| a.0.cmp(&b.0));
    let marks: Vec<_> = recalled
        .marks
        .iter()
        .map(|(job, mark)| (job.as_str(), mark.mark))
        .collect();
    assert_eq!(marks, [("a", at(1)), ("c", at(10))]);
    assert_eq!(recalled.open, [asked("b", 8, "r"), fire("c", 9)]);
}

async fn extend(store: Arc<dyn Store>) {
    let row = missed("a", 5);
    let extend = |count, until, when| Write::Extend {
        id: row.id,
        job: name("a"),
        count,
        until: at(until),
        at: at(when),
    };
    store
        .commit(vec![seen("a", 0), claim(row.clone())])
        .await
        .unwrap();
    assert_eq!(one(&store, extend(4, 20, 21)).await, Written::Done);
    // Said again, and late.
    assert_eq!(one(&store, extend(4, 20, 21)).await, Written::Done);
    assert_eq!(one(&store, extend(2, 10, 11)).await, Written::Done);
    let want = Run {
        count: 4,
        scheduled_until: Some(at(20)),
        finished_at: Some(at(21)),
        ..row.clone()
    };
    assert_eq!(all(&store).await, [want]);
    assert_eq!(mark_of(&store, "a").await.unwrap().mark, at(20));
    assert_eq!(one(&store, claim(fire("a", 15))).await, Written::Taken);
}

async fn absent(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    one(&store, seen("b", 0)).await;
    one(&store, claim(missed("b", 5))).await;
    let run = fire("a", 5);
    let extend = |id, job: &str| Write::Extend {
        id,
        job: name(job),
        count: 3,
        until: at(9),
        at: at(9),
    };
    assert_eq!(one(&store, update(run.clone())).await, Written::Taken);
    assert_eq!(one(&store, extend(run.id, "a")).await, Written::Taken);
    assert_eq!(one(&store, extend(run.id, "c")).await, Written::Taken);
    // Of another job.
    let of_b = missed("b", 5).id;
    assert_eq!(one(&store, extend(of_b, "a")).await, Written::Taken);
    let claimed_by_b = Run { id: of_b, ..run };
    assert_eq!(one(&store, update(claimed_by_b)).await, Written::Taken);
    assert_eq!(mark_of(&store, "a").await.unwrap().mark, at(0));
    assert_eq!(all(&store).await, [missed("b", 5)]);
}

async fn times(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    for (second, outcome) in [
        (10, Outcome::Success),
        (20, Outcome::Failed),
        (30, Outcome::Interrupted),
        (40, Outcome::Cancelled),
    ] {
        let run = fire("a", second);
        one(&store, claim(run.clone())).await;
        one(&store, update(ended(run, outcome))).await;
    }
    one(&store, claim(missed("a", 50))).await;
    // An older run ends last, as with several instances.
    let mark = mark_of(&store, "a").await.unwrap();
    assert_eq!(mark.previous_success_at, Some(at(10)));
    assert_eq!(mark.times.last_success, Some(at(11)));
    assert_eq!(mark.times.last_failure, Some(at(31)));
    assert_eq!(mark.times.last_run, Some(at(40)));
    assert_eq!(
        mark.times.last_duration,
        Some(std::time::Duration::from_millis(900))
    );
    assert_eq!(mark.mark, at(50));
}

async fn times_of_requests(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    let run = asked("a", 25, "r");
    one(&store, claim(run.clone())).await;
    let running = mark_of(&store, "a").await.unwrap();
    assert_eq!(running.times, crate::model::JobTimes::default());
    one(&store, update(ended(run, Outcome::Success))).await;
    let mark = mark_of(&store, "a").await.unwrap();
    assert_eq!(
        (mark.mark, mark.previous_success_at, mark.times.last_run),
        (at(0), Some(at(25)), Some(at(25)))
    );
}

fn file(path: &str, definitions: &str) -> AppliedFile {
    AppliedFile {
        root: "jobs.d".to_owned(),
        path: path.to_owned(),
        hash: "00".repeat(32),
        definitions: definitions.to_owned(),
    }
}

async fn files(store: Arc<dyn Store>) {
    let other_root = AppliedFile {
        root: "other".to_owned(),
        ..file("a.yaml", "4")
    };
    store
        .commit(vec![
            Write::File(file("b.yaml", "1")),
            Write::File(file("a.yaml", "2")),
            Write::File(other_root.clone()),
            Write::File(file("a.yaml", "3")),
        ])
        .await
        .unwrap();
    let drop = |path: &str| Write::DropFile {
        root: "jobs.d".to_owned(),
        path: path.to_owned(),
    };
    assert_eq!(
        store.recall().await.unwrap().files,
        [file("a.yaml", "3"), file("b.yaml", "1"), other_root.clone()]
    );
    one(&store, drop("a.yaml")).await;
    assert_eq!(one(&store, drop("never.yaml")).await, Written::Done);
    assert_eq!(
        store.recall().await.unwrap().files,
        [file("b.yaml", "1"), other_root]
    );
}

async fn large_file(store: Arc<dyn Store>) {
    let large = file("größe.yaml", &"name: \u{1F600}\0\n".repeat(200_000));
    one(&store, Write::File(large.clone())).await;
    assert_eq!(store.recall().await.unwrap().files, [large]);
}
