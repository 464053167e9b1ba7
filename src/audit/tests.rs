//! What the trail does when it cannot be written, and how much of it waits then.

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use super::*;
use crate::clock::HandClock;
use crate::store::AuditQuery;
use crate::store::shelf::{Gives, Shelf};

/// What the log was told.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Observer for Log {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Notice { text, .. } = event {
            self.0.lock().unwrap().push((*text).to_owned());
        }
    }
}

fn clock() -> HandClock {
    HandClock::new(Timestamp::from_second(1_800_000_000).unwrap())
}

fn entry(number: usize) -> AuditEntry {
    AuditEntry {
        at: clock().now(),
        actor: "ops".into(),
        from: None,
        action: "run".into(),
        subject: Some(number.to_string().into()),
        result: AuditResult::Done,
        detail: None,
        before: None,
        after: None,
        request: None,
    }
}

/// The oldest and the newest subject of the rows, and how many there are.
async fn rows(shelf: &Shelf) -> (String, String, usize) {
    let query = AuditQuery {
        limit: 100_000,
        ..AuditQuery::default()
    };
    let rows = shelf.audit(query).await.unwrap().rows;
    let subject = |row: Option<&(u64, AuditEntry)>| {
        let subject = row.and_then(|(_, entry)| entry.subject.as_deref());
        subject.unwrap_or_default().to_owned()
    };
    (subject(rows.last()), subject(rows.first()), rows.len())
}

#[tokio::test]
async fn so_many_rows_wait_for_a_store_that_cannot_take_them_and_the_rest_is_told() {
    let (shelf, log, clock) = (Shelf::new(Gives::All), Arc::new(Log::default()), clock());
    shelf.is_full.store(true, Ordering::SeqCst);
    let (recorder, keeper, stopper) =
        start(shelf.clone(), Arc::new(clock.clone()), log.clone(), None).unwrap();
    let running = tokio::spawn(keeper.run());
    let more = 300;
    for number in 0..KEPT + more {
        recorder.observe(&Event::Audit(&entry(number)));
        tokio::task::yield_now().await;
    }
    // Each time that it is asked again, some of what came meanwhile is too much.
    let told = |log: &Log| -> usize {
        let log = log.0.lock().unwrap();
        let lost = log
            .iter()
            .filter(|text| text.contains("rows of the audit trail are lost"));
        let counts = lost.map(|text| text.split(' ').next().unwrap().parse::<usize>().unwrap());
        counts.sum()
    };
    let until_told = async {
        while told(&log) < more {
            clock.advance(ASK_AGAIN);
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), until_told).await.unwrap();
    shelf.is_full.store(false, Ordering::SeqCst);
    stopper.stop();
    running.await.unwrap();
    let newest = KEPT + more - 1;
    let want = (more.to_string(), newest.to_string(), KEPT);
    assert_eq!(rows(&shelf).await, want);
    assert_eq!(told(&log), more);
}

#[tokio::test]
async fn what_nobody_writes_down_waits_within_a_bound_and_the_rest_is_counted() {
    let (shelf, log) = (Shelf::new(Gives::All), Arc::new(Log::default()));
    let (recorder, keeper, stopper) =
        start(shelf.clone(), Arc::new(clock()), log.clone(), None).unwrap();
    // Nobody takes anything out so far.
    for number in 0..QUEUE + 5 {
        recorder.observe(&Event::Audit(&entry(number)));
    }
    stopper.stop();
    keeper.run().await;
    let log = log.0.lock().unwrap().join("\n");
    assert!(
        log.starts_with("5 rows of the audit trail are lost"),
        "{log}"
    );
    let newest = (QUEUE - 1).to_string();
    assert_eq!(rows(&shelf).await, ("0".to_owned(), newest, QUEUE));
}
