//! Pauses and overrides: what goes in and what comes out.

use serde_json::{Value, json};

use super::harness::Server;
use crate::engine::Refusal;
use crate::model::AuditResult;

#[tokio::test]
async fn a_pause_is_the_callers_and_is_seen_wherever_its_job_is() {
    let server = Server::start().await;
    let body = r#"{"for": "2h", "reason": " the database moves "}"#;
    let reply = server.post("/api/v1/jobs/billing/pause", body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let pause = json!({
        "since": "2027-01-01T00:01:00Z", "until": "2027-01-01T02:01:00Z",
        "reason": "the database moves", "author": "elder",
    });
    let said = reply.json();
    let mut author = pause.clone();
    author["author"] = said["pause"]["author"].clone();
    assert_eq!(
        said,
        json!({
            "job_id": "billing", "status": "paused", "pause": author.clone(),
            "next_run_time": "2027-01-01T00:05:00Z", "active_runs": [],
        })
    );
    assert_ne!(author["author"], "anonymous");
    let job = server.get("/jobs/billing").await.json();
    assert_eq!(job["pause"], author);
    let backup = server.get("/jobs/backup").await.json();
    assert_eq!(backup["pause"], Value::Null);

    let overrides = server.get("/api/v1/overrides").await.json();
    assert_eq!(
        overrides,
        json!({"overrides": [{
            "kind": "pause", "job_id": "billing", "reason": "the database moves",
            "author": author["author"], "since": "2027-01-01T00:01:00Z",
            "until": "2027-01-01T02:01:00Z", "source": "jobs.d/a.yaml:3",
            "mend": "elder resume billing",
        }], "total": 1})
    );
    let config = server.get("/config").await.json();
    assert_eq!(config["overrides"], overrides);

    // What the trail knows of it.
    let trail = server.store.trail.lock().unwrap().clone();
    let row = trail.last().unwrap();
    assert_eq!(
        (&*row.action, row.subject.as_deref()),
        ("pause", Some("billing"))
    );
    assert_eq!(row.result, AuditResult::Done);
    let detail = row.detail.as_deref().unwrap();
    assert!(
        detail.ends_with("until 2027-01-01T02:01:00Z: the database moves"),
        "{detail}"
    );

    let reply = server.post("/jobs/billing/resume", "").await;
    assert_eq!(reply.json()["status"], "resumed");
    assert_eq!(reply.json()["pause"], Value::Null);
    let overrides = server.get("/overrides").await.json();
    assert_eq!(overrides, json!({"overrides": [], "total": 0}));
}

#[tokio::test]
async fn a_pause_that_makes_no_sense_is_refused_and_changes_nothing() {
    let server = Server::start().await;
    for (path, body, status) in [
        ("/jobs/billing/pause", r#"{"for": "2"}"#, 400),
        (
            "/jobs/billing/pause",
            r#"{"until": "2026-01-01T00:00:00Z"}"#,
            400,
        ),
        (
            "/jobs/billing/pause",
            r#"{"for": "2h", "until": "2028-01-01T00:00:00Z"}"#,
            400,
        ),
        ("/jobs/billing/pause", r#"{"reason": "a\nb"}"#, 400),
        ("/jobs/billing/pause", r#"{"why": "x"}"#, 400),
        ("/jobs/billing/resume", r#"{"reason": "x"}"#, 400),
        ("/jobs/none/pause", "", 404),
        ("/jobs/none/resume", "", 404),
    ] {
        let reply = server.post(path, body).await;
        assert_eq!(reply.status, status, "{path} {body}: {reply:?}");
    }
    let jobs = server.engine.jobs.lock().unwrap();
    assert!(jobs.iter().all(|view| view.pause.is_none()));
}

#[tokio::test]
async fn before_the_first_sync_nobody_says_that_a_job_is_not_there() {
    let server = Server::start().await;
    let mut status = super::harness::synced();
    status.observed_at = None;
    server.status.send_replace(status.into());
    let unknown = Refusal::NoSuchJob("nightly".into());
    *server.engine.refusal.lock().unwrap() = Some(unknown);
    for path in ["run", "pause", "resume"] {
        let path = format!("/api/v1/jobs/nightly/{path}");
        let reply = server.post(&path, "").await;
        let problem = (reply.status, reply.problem());
        assert_eq!(problem, (503, "first-sync".to_owned()), "{path}");
    }
    let reply = server.get("/api/v1/jobs/nightly").await;
    assert_eq!(
        (reply.status, reply.problem().as_str()),
        (503, "first-sync")
    );
    server.status.send_replace(super::harness::synced().into());
    assert_eq!(server.post("/jobs/nightly/run", "").await.status, 404);
}

#[tokio::test]
async fn a_pause_that_cannot_be_recorded_is_not_done() {
    let server = Server::start().await;
    let words = Refusal::Store("/secret/path".into());
    *server.engine.refusal.lock().unwrap() = Some(words);
    let reply = server.post("/jobs/billing/pause", "").await;
    assert_eq!(reply.status, 503);
    assert!(!reply.body.contains("secret"), "{reply:?}");
}
