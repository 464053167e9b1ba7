//! Health, readiness and metrics.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::harness::{Server, synced};
use crate::engine::Stats;
use crate::finding::{Code, Excerpt, Finding, Place};
use crate::ids::JobName;
use crate::model::{Event, Observer};
use crate::sync::{SourceView, SyncState, SyncStatus};
use crate::telemetry::Format;
use crate::telemetry::example::{instant, job};
use crate::telemetry::reading::{read, value_of};

fn finding(file: &str) -> Finding {
    Finding {
        code: Code::BadCron,
        severity: Code::BadCron.severity(),
        at: Excerpt {
            place: Place::file(Arc::from(file)),
            line: String::new(),
            label: String::new(),
        },
        also: None,
        message: "bad".into(),
        help: String::new(),
    }
}

async fn health(server: &Server) -> (u16, String, Option<String>) {
    let reply = server.get("/healthz").await;
    let other = server.get("/-/healthy").await;
    assert_eq!((reply.status, &reply.body), (other.status, &other.body));
    let json = reply.json();
    let word = |name: &str| json[name].as_str().map(str::to_owned);
    (reply.status, word("status").unwrap(), word("reason"))
}

#[tokio::test]
async fn the_worst_matter_is_named_and_only_a_stopped_scheduler_is_503() {
    let server = Server::start().await;
    let change = |edit: &dyn Fn(&mut SyncStatus)| {
        let mut status = synced();
        edit(&mut status);
        server.status.send_replace(Arc::new(status));
    };
    let said = |code: u16, status: &str, reason: Option<&str>| {
        (code, status.to_owned(), reason.map(str::to_owned))
    };
    assert_eq!(health(&server).await, said(200, "healthy", None));
    server.engine.stats.lock().unwrap().active_jobs = 0;
    assert_eq!(
        health(&server).await,
        said(200, "warning", Some("no_active_jobs"))
    );
    change(&|status| {
        status.state = SyncState::Invalid;
        status.findings = vec![finding("jobs.d/a.yaml")];
    });
    assert_eq!(
        health(&server).await,
        said(200, "warning", Some("bad_files"))
    );
    change(&|status| {
        status.findings = vec![finding("jobs.d/a.yaml")];
        status.pending = vec!["gone".into()];
    });
    assert_eq!(
        health(&server).await,
        said(200, "warning", Some("removals_held"))
    );
    change(&|status| {
        status.pending = vec!["gone".into()];
        status.sources = vec![SourceView {
            path: "jobs.d".into(),
            folder: std::path::Path::new("/srv/jobs.d").into(),
            files: 0,
            bad_files: 0,
            lost: Some("no such folder".into()),
        }];
    });
    assert_eq!(
        health(&server).await,
        said(200, "warning", Some("source_lost"))
    );
    server.store.down.store(true, Ordering::SeqCst);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(
        health(&server).await,
        said(200, "unhealthy", Some("store_unreachable"))
    );
    server.engine_task.abort();
    let stopped = said(503, "unhealthy", Some("scheduler_stopped"));
    // The inbox closes when the task has been dropped.
    while health(&server).await != stopped {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_engine_that_refused_its_last_write_shows_as_a_lost_store() {
    let server = Server::start().await;
    *server.engine.stats.lock().unwrap() = Stats {
        active_jobs: 1,
        store_error: Some("disk full at /secret".into()),
        ..Stats::default()
    };
    let reply = server.get("/healthz").await;
    assert_eq!(reply.json()["reason"], "store_unreachable");
    assert!(!reply.body.contains("secret"));
    let stats = server.get("/stats").await;
    assert_eq!(stats.json()["store"], "failing");
    assert!(!stats.body.contains("secret"));
}

#[tokio::test]
async fn stale_jobs_are_a_warning_with_their_names() {
    let server = Server::start().await;
    *server.engine.stats.lock().unwrap() = Stats {
        active_jobs: 1,
        stale_jobs: 12,
        stale_names: vec![JobName::new("backup").unwrap()],
        ..Stats::default()
    };
    let reply = server.get("/healthz").await;
    assert_eq!(reply.status, 200);
    let health = reply.json();
    assert_eq!(
        (&health["status"], &health["reason"]),
        (&"warning".into(), &"stale_jobs".into())
    );
    assert_eq!(health["stale_jobs"], 12);
    assert_eq!(health["stale_job_names"], serde_json::json!(["backup"]));
}

#[tokio::test]
async fn an_engine_that_is_busy_is_not_stopped_and_one_that_hangs_is() {
    let server = Server::start().await;
    server.engine.stuck.store(true, Ordering::SeqCst);
    server.telemetry.observe(&Event::Tick {
        at: instant("2027-01-01T00:00:55Z"),
    });
    assert_eq!(server.get("/healthz").await.status, 200);
    server.clock.advance(Duration::from_secs(60));
    let reply = server.get("/healthz").await;
    assert_eq!(
        (reply.status, &reply.json()["reason"]),
        (503, &"scheduler_stopped".into())
    );
}

#[tokio::test]
async fn probes_share_one_look_at_the_store() {
    let server = Server::start().await;
    for _ in 0..5 {
        server.get("/healthz").await;
        server.get("/readyz").await;
    }
    assert_eq!(server.store.checks.load(Ordering::SeqCst), 1);
    server.clock.advance(Duration::from_secs(1));
    server.get("/readyz").await;
    assert_eq!(server.store.checks.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn elder_is_ready_after_its_first_sync_while_the_store_is_there() {
    let server = Server::start().await;
    let ready = async || {
        let reply = server.get("/readyz").await;
        let other = server.get("/-/ready").await;
        assert_eq!((reply.status, &reply.body), (other.status, &other.body));
        (reply.status, reply.json()["reason"].clone())
    };
    assert_eq!(ready().await, (200, serde_json::Value::Null));
    let mut status = synced();
    status.observed_at = None;
    server.status.send_replace(Arc::new(status));
    assert_eq!(ready().await, (503, "first_sync".into()));
    server.status.send_replace(Arc::new(synced()));
    server.store.stuck.store(true, Ordering::SeqCst);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(ready().await, (503, "store_unreachable".into()));
}

#[tokio::test]
async fn metrics_come_in_the_format_that_is_asked_for() {
    let server = Server::start().await;
    server.telemetry.observe(&Event::JobAdded {
        key: crate::ids::JobKey(0),
        job: &job("billing"),
        memory: crate::model::JobTimes::default(),
    });
    for (accept, format) in [
        ("*/*", Format::Text),
        (
            "application/openmetrics-text; version=1.0.0",
            Format::OpenMetrics,
        ),
    ] {
        let reply = server
            .send("GET", "/metrics", &[("Accept", accept)], "")
            .await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), Some(format.content_type()));
        let families = read(&reply.body, format);
        let labels = [("job_name", "billing"), ("outcome", "success")];
        let count = value_of(&families, "elder_executed_total", &labels);
        assert_eq!(count.as_deref(), Some("0"));
    }
    // A scrape needs nobody else: neither the engine nor the store.
    server.engine.stuck.store(true, Ordering::SeqCst);
    server.store.stuck.store(true, Ordering::SeqCst);
    assert_eq!(server.get("/metrics").await.status, 200);
}
