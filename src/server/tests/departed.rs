//! Callers who hang up before their answer is there.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::harness::{PATIENCE, Server, terms};
use crate::model::AuditResult;
use crate::server::Bound;
use crate::server::shared::{SYNCS, WRITES};

/// With one connection at a time: who is served knows that the one before is gone.
async fn one_by_one(change: impl FnOnce(&mut Bound)) -> Server {
    let bounds = |bound: &mut Bound| {
        bound.bounds.connections = 1;
        change(bound);
    };
    Server::with("127.0.0.1:0", |_| {}, bounds).await
}

async fn ask(server: &Server, path: &str, body: &str) -> TcpStream {
    let mut stream = server.connect().await;
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost:{}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        server.port(),
        server.token,
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn until(is_so: impl Fn() -> bool) {
    let so = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, so)
        .await
        .expect("it never came");
}

/// A server whose engine has been asked for a run by somebody who is gone.
async fn with_a_run_that_nobody_waits_for() -> Server {
    let server = one_by_one(|_| {}).await;
    server.engine.stuck.store(true, Ordering::SeqCst);
    let stream = ask(&server, "/api/v1/jobs/billing/run", "{}").await;
    until(|| server.engine.held.load(Ordering::SeqCst) == 1).await;
    drop(stream);
    server
}

fn is_told(server: &Server) -> bool {
    let trail = server.store.trail.lock().unwrap();
    trail.iter().any(|row| {
        (&*row.action, row.subject.as_deref(), row.result)
            == ("run", Some("billing"), AuditResult::Done)
    })
}

#[tokio::test]
async fn a_change_is_told_also_when_nobody_waits_for_its_answer() {
    let server = with_a_run_that_nobody_waits_for().await;
    assert_eq!(server.get("/api/v1/config").await.status, 200);
    assert!(!is_told(&server), "it is not done yet");
    server.engine.release();
    until(|| is_told(&server)).await;
    assert_eq!(server.engine.triggered.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_that_ends_waits_for_changes_whose_callers_are_gone() {
    let mut server = with_a_run_that_nobody_waits_for().await;
    let engine = server.engine.clone();
    let release = async {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        engine.release();
    };
    let stop = async {
        server.stop().await;
        is_told(&server)
    };
    let ((), told) = tokio::join!(release, stop);
    assert!(told, "the server ended before");
}

#[tokio::test]
async fn a_sync_that_hangs_takes_no_other_change_with_it_whoever_hangs_up() {
    let server = one_by_one(|_| {}).await;
    server.sync_hangs.store(true, Ordering::SeqCst);
    let taken = || server.requests.lock().unwrap().len();
    for asked in 1..=2 * WRITES as usize {
        let path = ["/-/reload", "/api/v1/config/sync"][asked % 2];
        let stream = ask(&server, path, "{}").await;
        until(|| taken() >= asked.min(SYNCS)).await;
        drop(stream);
    }
    let reply = server.post("/api/v1/jobs/billing/pause", "{}").await;
    assert_eq!((reply.status, taken()), (200, SYNCS), "{reply:?}");
}

#[tokio::test]
async fn a_sync_that_hangs_is_answered_all_the_same() {
    let change = |bound: &mut Bound| {
        let shared = Arc::get_mut(&mut bound.shared).unwrap();
        shared.sync_patience = std::time::Duration::from_millis(50);
    };
    let server = Server::with("127.0.0.1:0", |_| {}, change).await;
    server.sync_hangs.store(true, Ordering::SeqCst);
    let reply = server.post("/-/reload", "").await;
    let problem = (reply.status, reply.problem());
    assert_eq!(problem, (503, "reload-failed".to_owned()));
    assert!(reply.body.contains("goes on"), "{reply:?}");
}

/// How often plans and previews have asked for the terms, and the word that lets them go on.
#[derive(Default)]
struct Gate {
    begun: AtomicUsize,
    is_open: Mutex<bool>,
    bell: Condvar,
}

impl Gate {
    /// Before the terms of this server.
    fn before(bound: &mut Bound) -> Arc<Self> {
        let gate = Arc::new(Self::default());
        let shared = Arc::get_mut(&mut bound.shared).unwrap();
        let asked = Arc::clone(&gate);
        shared.terms = Arc::new(move || {
            asked.begun.fetch_add(1, Ordering::SeqCst);
            let is_open = asked.is_open.lock().unwrap();
            let waited = asked.bell.wait_timeout_while(is_open, PATIENCE, |it| !*it);
            drop(waited.unwrap());
            terms()
        });
        gate
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.bell.notify_all();
    }
}

#[tokio::test]
async fn a_plan_keeps_its_place_until_it_is_made_whoever_hangs_up() {
    let mut held = None;
    let server = one_by_one(|bound| {
        let gate = Gate::before(bound);
        held = Some((gate, bound.shared.large_bodies.clone()));
    })
    .await;
    let (gate, places) = held.unwrap();
    let stream = ask(&server, "/api/v1/plan", r#"{"paths": []}"#).await;
    until(|| gate.begun() == 1).await;
    drop(stream);
    assert_eq!(server.get("/api/v1/config").await.status, 200);
    assert_eq!(places.available_permits(), 0, "it is still being made");
    gate.open();
    until(|| places.available_permits() == 1).await;
    let reply = server.post("/api/v1/plan", r#"{"paths": []}"#).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn two_schedules_are_looked_at_at_once_whoever_hangs_up() {
    let mut held = None;
    let gated = |bound: &mut Bound| {
        let gate = Gate::before(bound);
        held = Some((gate, bound.shared.previews.clone()));
    };
    let server = Server::with("127.0.0.1:0", |_| {}, gated).await;
    let (gate, places) = held.unwrap();
    let body = r#"{"schedule": {"daily": "02:00"}}"#;
    for asked in 1..=2 {
        drop(ask(&server, "/api/v1/schedules/preview", body).await);
        until(|| gate.begun() == asked).await;
    }
    let third = server.post("/api/v1/schedules/preview", body);
    let mut third = std::pin::pin!(third);
    let waits = tokio::time::timeout(std::time::Duration::from_millis(200), &mut third).await;
    assert!(waits.is_err() && gate.begun() == 2, "{waits:?}");
    gate.open();
    assert_eq!(third.await.status, 200);
    until(|| places.available_permits() == 2).await;
}
