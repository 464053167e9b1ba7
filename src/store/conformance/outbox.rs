//! The outbox and the audit trail.

use std::sync::Arc;
use std::time::Duration;

use super::{at, cases, claim, ended, fire, gone, name, one, rename, seen, update};
use crate::ids::RunId;
use crate::model::{AuditEntry, AuditResult, History, Letter, Outcome, SageEvent};
use crate::store::{AUDIT_AGE, AuditQuery, Store, Telling, Waiting, Write, Written};

cases! {
    "letters wait in the order in which they came, page by page" => in_order,
    "a letter comes once, whatever was sent twice" => once,
    "a letter that was tried says how often and when again; one that left is found no more" => tried,
    "a letter is there with the row that it is about, or not at all" => with_its_row,
    "letters about a job that is renamed are about it under its new name" => renamed,
    "what is remembered of what was told is given back at a start" => remembered,
    "what is remembered of a job goes when the job is forgotten" => forgotten,
    "the audit trail is read newest first, page by page, as it was written" => trail,
    "the audit trail is cut by age" => cut,
}

fn letter(number: u32, sage: &str) -> Letter {
    let at = at(i64::from(number));
    Letter {
        id: RunId::of_request(&name(sage), at, &number.to_string()),
        sage: name(sage),
        job: number.is_multiple_of(2).then(|| name("a")),
        event: SageEvent::Failure,
        at,
        body: format!("{{\"number\":{number}}}").into(),
    }
}

fn tell(letters: Vec<Letter>) -> Write {
    Write::Tell(Box::new(Telling {
        letters,
        said: Vec::new(),
    }))
}

async fn waiting(store: &Arc<dyn Store>) -> Vec<Waiting> {
    store.outbox(0, usize::MAX).await.unwrap()
}

async fn in_order(store: Arc<dyn Store>) {
    let letters: Vec<Letter> = (0..7).map(|n| letter(n, "s")).collect();
    one(&store, tell(letters[..4].to_vec())).await;
    one(&store, tell(letters[4..].to_vec())).await;
    let (mut read, mut after) = (Vec::new(), 0);
    loop {
        let page = store.outbox(after, 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        assert!(last.number > after);
        after = last.number;
        read.extend(page);
    }
    let want: Vec<_> = letters
        .iter()
        .map(|it| (it.id, it.job.clone(), it.at))
        .collect();
    let read: Vec<_> = read.into_iter().map(|it| (it.id, it.job, it.at)).collect();
    assert_eq!(read, want);
    let found = store.letter(letters[3].id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&letters[3]));
    // A number is never used again: whoever has read so far misses nothing.
    one(&store, Write::LetterOver { id: letters[6].id }).await;
    one(&store, tell(vec![letter(9, "s")])).await;
    assert!(store.outbox(after, 3).await.unwrap()[0].number > after);
}

async fn once(store: Arc<dyn Store>) {
    one(&store, tell(vec![letter(1, "s")])).await;
    let tried = Write::LetterTried {
        id: letter(1, "s").id,
        attempts: 3,
        next_attempt_at: at(9),
    };
    one(&store, tried).await;
    one(&store, tell(vec![letter(1, "s"), letter(2, "s")])).await;
    let waiting = waiting(&store).await;
    let attempts: Vec<_> = waiting.iter().map(|it| it.attempts).collect();
    assert_eq!(attempts, [3, 0]);
}

async fn tried(store: Arc<dyn Store>) {
    let id = letter(1, "s").id;
    let tried = || Write::LetterTried {
        id,
        attempts: 2,
        next_attempt_at: at(77),
    };
    let over = || Write::LetterOver { id };
    assert_eq!(one(&store, tried()).await, Written::Taken);
    assert_eq!(one(&store, over()).await, Written::Taken);
    one(&store, tell(vec![letter(1, "s")])).await;
    assert_eq!(one(&store, tried()).await, Written::Done);
    let row = waiting(&store).await.remove(0);
    assert_eq!((row.attempts, row.next_attempt_at), (2, Some(at(77))));
    assert_eq!(one(&store, over()).await, Written::Done);
    assert!(waiting(&store).await.is_empty());
    assert_eq!(store.letter(id).await.unwrap(), None);
}

async fn renamed(store: Arc<dyn Store>) {
    let about_b = Letter {
        job: Some(name("b")),
        ..letter(4, "s")
    };
    let letters = vec![letter(1, "s"), letter(2, "s"), about_b];
    store
        .commit(vec![seen("a", 1), tell(letters)])
        .await
        .unwrap();
    one(&store, rename("a", "new")).await;
    let jobs: Vec<_> = waiting(&store).await.into_iter().map(|it| it.job).collect();
    assert_eq!(jobs, [None, Some(name("new")), Some(name("b"))]);
    let found = store.letter(letter(2, "s").id).await.unwrap().unwrap();
    assert_eq!(found.job, Some(name("new")));
}

async fn with_its_row(store: Arc<dyn Store>) {
    let run = fire("a", 5);
    let end = update(ended(run.clone(), Outcome::Failed));
    let writes = vec![claim(run), tell(vec![letter(1, "s")]), end];
    let written = store.commit(writes).await.unwrap();
    assert_eq!(written, [Written::Done; 3]);
    assert_eq!(waiting(&store).await.len(), 1);
}

fn remember(subject: &str, text: Option<&str>) -> Write {
    Write::Tell(Box::new(Telling {
        letters: Vec::new(),
        said: vec![(subject.to_owned(), text.map(str::to_owned))],
    }))
}

async fn said(store: &Arc<dyn Store>) -> Vec<(String, String)> {
    let mut said = store.recall().await.unwrap().said;
    said.sort();
    said
}

async fn remembered(store: Arc<dyn Store>) {
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    one(&store, remember("job/a", Some("1"))).await;
    one(&store, remember("job/b", Some("1"))).await;
    one(&store, remember("job/a", Some("2"))).await;
    assert_eq!(said(&store).await, [pair("job/a", "2"), pair("job/b", "1")]);
    one(&store, remember("job/a", None)).await;
    one(&store, remember("job/never", None)).await;
    assert_eq!(said(&store).await, [pair("job/b", "1")]);
}

async fn forgotten(store: Arc<dyn Store>) {
    let writes = vec![
        seen("a", 1),
        seen("b", 1),
        remember("job/a", Some("x")),
        remember("job/b", Some("x")),
        remember("elder/store_lost", Some("x")),
        gone("a", 2),
    ];
    store.commit(writes).await.unwrap();
    let bounds = History {
        keep: 10,
        max_age: Duration::from_secs(100),
    };
    store.prune(bounds, at(1_000), 100).await.unwrap();
    let left: Vec<_> = said(&store).await.into_iter().map(|it| it.0).collect();
    assert_eq!(left, ["elder/store_lost", "job/b"]);
}

/// Something that was done at that second; whole in every other one.
pub(in crate::store) fn entry(second: i64) -> AuditEntry {
    let whole = second % 2 == 0;
    AuditEntry {
        at: at(second),
        actor: "ops".into(),
        from: whole.then(|| "127.0.0.1".into()),
        action: "run".into(),
        subject: whole.then(|| "billing".into()),
        result: AuditResult::Done,
        detail: whole.then(|| "a sentence".into()),
        before: whole.then(|| "aa".into()),
        after: whole.then(|| "bb".into()),
        request: whole.then(|| "r-1".into()),
    }
}

async fn trail(store: Arc<dyn Store>) {
    let entries: Vec<AuditEntry> = (0..5).map(entry).collect();
    for entry in &entries {
        one(&store, Write::Audit(Box::new(entry.clone()))).await;
    }
    let (mut read, mut query) = (
        Vec::new(),
        AuditQuery {
            limit: 2,
            ..AuditQuery::default()
        },
    );
    loop {
        let page = store.audit(query).await.unwrap();
        read.extend(page.rows.into_iter().map(|(_, entry)| entry));
        query.before = page.next;
        if query.before.is_none() {
            break;
        }
    }
    read.reverse();
    assert_eq!(read, entries);
    let since = AuditQuery {
        since: Some(at(3)),
        before: None,
        limit: 10,
    };
    let page = store.audit(since).await.unwrap();
    let seconds: Vec<_> = page.rows.iter().map(|(_, entry)| entry.at).collect();
    assert_eq!((seconds, page.next), (vec![at(4), at(3)], None));
    let none = AuditQuery::default();
    assert!(store.audit(none).await.unwrap().rows.is_empty());
}

async fn cut(store: Arc<dyn Store>) {
    for second in [0, 10] {
        one(&store, Write::Audit(Box::new(entry(second)))).await;
    }
    let now = at(5) + AUDIT_AGE;
    store.prune(History::default(), now, 100).await.unwrap();
    let all = AuditQuery {
        limit: 10,
        ..AuditQuery::default()
    };
    let page = store.audit(all).await.unwrap();
    assert_eq!(page.rows.len(), 1);
    assert_eq!(page.rows[0].1.at, at(10));
}
