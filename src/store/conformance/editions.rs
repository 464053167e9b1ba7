//! Editions of definitions, the definition of the last success, and the first failure after it.

use std::sync::Arc;

use super::{
    at, cases, claim, ended, fire, gone, mark_of, missed, name, one, rename, seen, update,
};
use crate::decide::fields::Field;
use crate::decide::{Edit, Edition, Failing, MOST_EDITIONS};
use crate::ids::DefinitionId;
use crate::model::{History, Outcome, Run};
use crate::store::{EditionOrder, Recalled, Store, Write, Written};

cases! {
    "an edition keeps every field, and those of a job are in order" => every_field,
    "an edition that is the newest already is no other" => the_same_again,
    "a first edition is kept only where there is none" => first,
    "an edit that has become a revision is said of the newest edition alone" => committed,
    "only the newest editions are kept" => bounded,
    "of a job that fails the edition by which it began to is kept" => guilty,
    "a job that is not known has no editions" => unknown,
    "editions go along with a new name, also where that name has its own" => renamed,
    "a job that is forgotten has no editions" => forgotten,
    "the first failure after a success is remembered until the next success" => failing,
    "a start gets the editions of jobs that fail or have changed since they succeeded" => recalled,
}

fn id(text: &str) -> DefinitionId {
    DefinitionId::of(text.as_bytes())
}

fn edition(text: &str) -> Edition {
    let field = Field {
        key: "run".to_owned(),
        before: None,
        after: Some("it's \"so\"\n".to_owned()),
    };
    Edition {
        definition: id(text),
        edit: Edit {
            at: Some(at(7)),
            revision: Some(format!("rev-{text}").into()),
            author: Some("Zoë".into()),
        },
        changed: Some([field].into()),
    }
}

fn write(job: &str, edition: Edition, order: EditionOrder) -> Write {
    Write::Edition {
        job: name(job),
        edition: Box::new(edition),
        order,
    }
}

fn next(job: &str, text: &str) -> Write {
    write(job, edition(text), EditionOrder::Next)
}

async fn of(store: &Arc<dyn Store>, job: &str) -> Vec<Edition> {
    store.editions(name(job)).await.unwrap()
}

async fn every_field(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    let bare = Edition {
        definition: id("0"),
        edit: Edit::default(),
        changed: None,
    };
    let first = write("a", bare.clone(), EditionOrder::First);
    assert_eq!(one(&store, first).await, Written::Done);
    assert_eq!(one(&store, next("a", "1")).await, Written::Done);
    assert_eq!(of(&store, "a").await, [bare, edition("1")]);
}

async fn the_same_again(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    for (text, want) in [
        ("1", Written::Done),
        ("1", Written::Taken),
        ("2", Written::Done),
        ("1", Written::Done),
    ] {
        assert_eq!(one(&store, next("a", text)).await, want);
    }
    let want = ["1", "2", "1"].map(edition);
    assert_eq!(of(&store, "a").await, want);
}

async fn first(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    one(&store, next("a", "2")).await;
    let late = write("a", edition("1"), EditionOrder::First);
    assert_eq!(one(&store, late).await, Written::Taken);
    assert_eq!(of(&store, "a").await, [edition("2")]);
}

async fn committed(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    let of_revision = |text: &str, revision: &str| Edition {
        edit: Edit {
            at: Some(at(99)),
            revision: Some(revision.into()),
            author: None,
        },
        changed: None,
        ..edition(text)
    };
    let commit = |text: &str| write("a", of_revision(text, "v9"), EditionOrder::Committed);
    assert_eq!(one(&store, commit("1")).await, Written::Taken);
    one(&store, next("a", "1")).await;
    one(&store, next("a", "2")).await;
    assert_eq!(one(&store, commit("1")).await, Written::Taken);
    assert_eq!(one(&store, commit("2")).await, Written::Done);
    let mut newest = edition("2");
    newest.edit.revision = Some("v9".into());
    newest.edit.author = None;
    assert_eq!(of(&store, "a").await, [edition("1"), newest]);
}

async fn bounded(store: Arc<dyn Store>) {
    let all: Vec<String> = (0..MOST_EDITIONS + 3).map(|n| n.to_string()).collect();
    one(&store, seen("a", 0)).await;
    for text in &all {
        one(&store, next("a", text)).await;
    }
    let kept: Vec<Edition> = all[3..].iter().map(|text| edition(text)).collect();
    assert_eq!(of(&store, "a").await, kept);
}

async fn guilty(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    one(&store, next("a", "good")).await;
    ran(&store, 1, "good", Outcome::Success).await;
    one(&store, next("a", "bad")).await;
    ran(&store, 2, "bad", Outcome::Failed).await;
    let later: Vec<String> = (0..MOST_EDITIONS + 3).map(|n| n.to_string()).collect();
    for text in &later {
        one(&store, next("a", text)).await;
    }
    let newest = later.iter().rev().take(MOST_EDITIONS - 1).rev();
    let kept = |first: &str| -> Vec<Edition> {
        let names = std::iter::once(first).chain(newest.clone().map(String::as_str));
        names.map(edition).collect()
    };
    assert_eq!(of(&store, "a").await, kept("bad"));
    // With a success it is forgotten like any other.
    ran(&store, 3, "12", Outcome::Success).await;
    one(&store, next("a", "13")).await;
    let want: Vec<Edition> = later[4..].iter().map(|text| edition(text)).collect();
    assert_eq!(
        of(&store, "a").await,
        [&want[..], &[edition("13")]].concat()
    );
}

async fn unknown(store: Arc<dyn Store>) {
    assert_eq!(one(&store, next("a", "1")).await, Written::Taken);
    assert_eq!(of(&store, "a").await, []);
    assert!(mark_of(&store, "a").await.is_none());
}

async fn renamed(store: Arc<dyn Store>) {
    one(&store, seen("old", 0)).await;
    one(&store, next("old", "1")).await;
    one(&store, rename("old", "new")).await;
    assert_eq!(of(&store, "new").await, [edition("1")]);
    assert_eq!(of(&store, "old").await, []);
    one(&store, seen("other", 0)).await;
    one(&store, next("other", "2")).await;
    one(&store, next("other", "3")).await;
    one(&store, rename("new", "other")).await;
    let want = ["2", "3", "1"].map(edition);
    assert_eq!(of(&store, "other").await, want);
    assert_eq!(of(&store, "new").await, []);
}

async fn forgotten(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    one(&store, next("a", "1")).await;
    one(&store, gone("a", 10)).await;
    let bounds = History {
        max_age: std::time::Duration::from_secs(60),
        ..History::default()
    };
    store.prune(bounds, at(100), 1000).await.unwrap();
    one(&store, seen("a", 200)).await;
    assert_eq!(of(&store, "a").await, []);
}

/// A run of the edition `text` that ends so.
async fn ran(store: &Arc<dyn Store>, second: i64, text: &str, outcome: Outcome) -> Run {
    let run = Run {
        definition: Some(id(text)),
        revision: Some(format!("rev-{second}").into()),
        ..fire("a", second)
    };
    one(store, claim(run.clone())).await;
    let run = ended(run, outcome);
    one(store, update(run.clone())).await;
    run
}

async fn failing(store: Arc<dyn Store>) {
    one(&store, seen("a", 0)).await;
    let state = async || {
        let mark = mark_of(&store, "a").await.unwrap();
        (mark.good, mark.failing.as_deref().cloned())
    };
    assert_eq!(state().await, (None, None));
    let broken = |run: &Run| {
        Some(Failing {
            run: run.id,
            at: run.finished_at.unwrap(),
            revision: run.revision.clone(),
            definition: run.definition,
        })
    };
    let early = ran(&store, 1, "1", Outcome::Failed).await;
    assert_eq!(state().await, (None, broken(&early)));
    ran(&store, 2, "1", Outcome::Success).await;
    assert_eq!(state().await, (Some(id("1")), None));
    for (second, outcome) in [(3, Outcome::Cancelled), (4, Outcome::Skipped)] {
        ran(&store, second, "2", outcome).await;
        assert_eq!(state().await, (Some(id("1")), None), "{outcome}");
    }
    one(&store, claim(missed("a", 5))).await;
    assert_eq!(state().await.1, None);
    let first = ran(&store, 6, "2", Outcome::TimedOut).await;
    assert_eq!(state().await, (Some(id("1")), broken(&first)));
    ran(&store, 7, "3", Outcome::Interrupted).await;
    assert_eq!(state().await, (Some(id("1")), broken(&first)));
    // A run that began before the trouble and ended in it is a success all the same.
    ran(&store, 8, "1", Outcome::Success).await;
    assert_eq!(state().await, (Some(id("1")), None));
}

async fn recalled(store: Arc<dyn Store>) {
    for job in ["a", "fine", "changed", "new", "gone"] {
        one(&store, seen(job, 0)).await;
        one(&store, next(job, "1")).await;
    }
    one(&store, seen("bare", 0)).await;
    ran(&store, 1, "1", Outcome::Failed).await;
    for job in ["fine", "changed", "gone"] {
        let run = Run {
            definition: Some(id("1")),
            ..ended(fire(job, 1), Outcome::Success)
        };
        one(&store, claim(run)).await;
    }
    for job in ["changed", "gone"] {
        one(&store, next(job, "2")).await;
    }
    one(&store, gone("gone", 10)).await;
    let Recalled {
        mut editions,
        mut authors,
        without_edition,
        ..
    } = store.recall().await.unwrap();
    editions.sort_by(|a, b| a.0.cmp(&b.0));
    let want = [
        (name("a"), vec![edition("1")]),
        (name("changed"), vec![edition("1"), edition("2")]),
    ];
    assert_eq!(editions, want);
    authors.sort();
    let want = ["a", "changed", "fine", "new"].map(|job| (name(job), "Zoë".into()));
    assert_eq!(authors, want);
    assert_eq!(without_edition, [name("bare")]);
}
