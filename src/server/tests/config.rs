//! The configuration and reloads.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{Server, synced};
use crate::finding::{Code, Excerpt, Finding, Place};
use crate::model::{ReloadReport, ReloadResult, ReloadTrigger};
use crate::sync::{Confirm, SourceView, SyncAnswer, SyncState};
use crate::telemetry::example::instant;

pub(super) fn finding(file: &str) -> Finding {
    Finding {
        code: Code::BadCron,
        severity: Code::BadCron.severity(),
        at: Excerpt {
            place: Place {
                file: Arc::from(file),
                line: 4,
                column: 15,
                length: 2,
            },
            line: "    schedule: 60 * * * *".into(),
            label: String::new(),
        },
        also: None,
        message: "minute 60 does not exist".into(),
        help: "minutes go from 0 to 59".into(),
    }
}

fn report(result: ReloadResult) -> ReloadReport {
    ReloadReport {
        result,
        trigger: ReloadTrigger::Api,
        at: instant("2027-01-01T00:00:05Z"),
        took: Duration::from_millis(250),
        added: 1,
        renamed: 0,
        rescheduled: 2,
        changed: 3,
        removed: 4,
        touched: Vec::new(),
        held: vec![],
        waits: None,
        will_not_fire_today: vec!["billing".into()],
        jobs: 41,
        files: 7,
        findings: vec![],
        revision: Some("3f2a91c".into()),
        author: Some("Ada".into()),
        content_hash: "abc".into(),
    }
}

async fn reload(server: &Server, answer: SyncAnswer, body: &str) -> super::harness::Reply {
    *server.answers.lock().unwrap() = vec![answer];
    server.post("/-/reload", body).await
}

#[tokio::test]
async fn a_good_reload_answers_with_its_counts() {
    let server = Server::start().await;
    let done = SyncAnswer::Done(Box::new(report(ReloadResult::Applied)));
    let reply = reload(&server, done.clone(), "").await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.json(),
        json!({
            "result": "applied", "jobs": 41, "files": 7, "added": 1, "rescheduled": 2, "renamed": 0,
            "changed": 3, "removed": 4, "waits": null, "held": [], "will_not_fire_today": ["billing"],
            "findings": [], "author": "Ada", "revision": "3f2a91c", "content_hash": "abc", "duration_seconds": 0.25,
        })
    );
    let bearer = format!("Bearer {}", server.token);
    for (method, path) in [
        ("PUT", "/-/reload"),
        ("POST", "/api/v1/config/sync"),
        ("POST", "/config/sync"),
    ] {
        *server.answers.lock().unwrap() = vec![done.clone()];
        let reply = server
            .send(method, path, &[("Authorization", &bearer)], "")
            .await;
        assert_eq!(reply.status, 200, "{method} {path}");
    }
}

#[tokio::test]
async fn a_reload_that_refused_a_file_is_422_with_the_findings() {
    let server = Server::start().await;
    let mut partial = report(ReloadResult::Partial);
    partial.findings = vec![finding("jobs.d/a.yaml")];
    partial.held = vec!["gone".into()];
    let reply = reload(&server, SyncAnswer::Done(Box::new(partial)), "").await;
    assert_eq!((reply.status, reply.problem().as_str()), (422, "rejected"));
    let json = reply.json();
    assert_eq!(
        json["findings"],
        json!([{
            "severity": "error", "file": "jobs.d/a.yaml", "line": 4, "column": 15, "code": "E012",
            "message": "minute 60 does not exist", "help": "minutes go from 0 to 59",
        }])
    );
    assert_eq!(
        (&json["added"], &json["held"]),
        (&json!(1), &json!(["gone"]))
    );
}

#[tokio::test]
async fn a_reload_that_holds_something_is_409_with_what_to_confirm() {
    let server = Server::start().await;
    let mut status = synced();
    status.state = SyncState::Held;
    status.pending = vec!["gone".into()];
    status.pending_hash = "p1".into();
    server.status.send_replace(Arc::new(status));
    let mut held = report(ReloadResult::Held);
    held.held = vec!["gone".into()];
    let reply = reload(&server, SyncAnswer::Done(Box::new(held)), "").await;
    assert_eq!((reply.status, reply.problem().as_str()), (409, "held"));
    let json = reply.json();
    assert_eq!(
        (&json["pending_removals"], &json["pending"]),
        (&json!(["gone"]), &json!("p1"))
    );
    let changed = SyncAnswer::PendingChanged {
        pending: vec!["gone".into(), "too".into()],
        hash: "p2".into(),
    };
    let reply = reload(&server, changed, r#"{"prune": true, "pending": "p1"}"#).await;
    assert_eq!(
        (reply.status, reply.problem().as_str()),
        (409, "pending-changed")
    );
    assert_eq!(reply.json()["pending"], "p2");
}

#[tokio::test]
async fn a_reload_while_a_path_is_gone_is_no_success() {
    let server = Server::start().await;
    let mut status = synced();
    status.state = SyncState::SourceLost;
    server.status.send_replace(Arc::new(status));
    for result in [
        ReloadResult::Unchanged,
        ReloadResult::Partial,
        ReloadResult::Rejected,
    ] {
        let done = SyncAnswer::Done(Box::new(report(result)));
        let reply = reload(&server, done, "").await;
        let answer = (reply.status, reply.problem());
        assert_eq!(answer, (409, "source-lost".to_owned()), "{result:?}");
    }
}

#[tokio::test]
async fn a_reload_that_failed_says_so_without_the_words_of_the_store() {
    let server = Server::start().await;
    let reply = reload(&server, SyncAnswer::Failed("/secret/elder.db".into()), "").await;
    assert_eq!(
        (reply.status, reply.problem().as_str()),
        (503, "reload-failed")
    );
    assert!(!reply.body.contains("secret"));
}

#[tokio::test]
async fn what_is_confirmed_reaches_the_sync_and_what_makes_no_sense_does_not() {
    let server = Server::start().await;
    let confirm = |names: Option<&[&str]>, pending: Option<&str>| {
        let names = names.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        Some(Confirm {
            names,
            pending: pending.map(str::to_owned),
        })
    };
    for (body, want) in [
        ("", None),
        ("{}", None),
        (r#"{"prune": false}"#, None),
        (r#"{"prune": true}"#, confirm(None, None)),
        (
            r#"{"prune": true, "pending": "p"}"#,
            confirm(None, Some("p")),
        ),
        (r#"{"prune": ["a", "b"]}"#, confirm(Some(&["a", "b"]), None)),
    ] {
        server.requests.lock().unwrap().clear();
        let done = SyncAnswer::Done(Box::new(report(ReloadResult::Applied)));
        assert_eq!(reload(&server, done, body).await.status, 200, "{body}");
        assert_eq!(*server.requests.lock().unwrap(), [want], "{body}");
    }
    server.requests.lock().unwrap().clear();
    for body in [
        r#"{"prune": []}"#,
        r#"{"prune": "a"}"#,
        r#"{"pending": "p"}"#,
        r#"{"prune": false, "pending": "p"}"#,
        r#"{"purge": true}"#,
        r#"{"force": true}"#,
        r#"{"force": true, "reason": " "}"#,
        r#"{"reason": "because"}"#,
        "null",
    ] {
        let reply = server.post("/-/reload", body).await;
        assert_eq!(
            (reply.status, reply.problem().as_str()),
            (400, "bad-request"),
            "{body}"
        );
    }
    assert!(server.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_configuration_shows_status_sources_and_what_is_pending() {
    let server = Server::start().await;
    let mut status = synced();
    status.state = SyncState::Invalid;
    status.reason = "1 bad file".into();
    status.findings = vec![finding("jobs.d/a.yaml")];
    status.sources = vec![SourceView {
        path: "jobs.d".into(),
        folder: std::path::Path::new("/srv/jobs.d").into(),
        files: 7,
        bad_files: 1,
        lost: None,
    }];
    status.pending = vec!["gone".into()];
    status.pending_hash = "p1".into();
    server.status.send_replace(Arc::new(status));
    let config = server.get("/api/v1/config").await.json();
    let sync = &config["sync"];
    for (name, want) in [
        ("status", json!("Invalid")),
        ("reason", json!("1 bad file")),
        ("revision", json!("3f2a91c")),
        ("content_hash", json!("abc")),
        ("applied_at", json!("2027-01-01T00:00:00Z")),
    ] {
        assert_eq!(sync[name], want, "{name}");
    }
    assert_eq!(sync["findings"][0]["code"], "E012");
    assert_eq!(
        config["sources"],
        json!([{"path": "jobs.d", "files": 7, "bad_files": 1, "lost": null}])
    );
    assert_eq!(
        (&config["pending_removals"], &config["pending"]),
        (&json!(["gone"]), &json!("p1"))
    );
    server.status.send_replace(Arc::new(synced()));
    let config = server.get("/config").await.json();
    assert_eq!(
        (&config["sync"]["status"], &config["pending"]),
        (&json!("Synced"), &Value::Null)
    );
}

#[tokio::test]
async fn a_change_that_waits_for_a_freeze_is_409_and_force_is_an_admins() {
    let server = Server::start().await;
    let mut waits = report(ReloadResult::Held);
    waits.waits = Some("a change is held until noon".into());
    let reply = reload(&server, SyncAnswer::Done(Box::new(waits)), "").await;
    assert_eq!((reply.status, reply.problem().as_str()), (409, "frozen"));
    assert_eq!(reply.json()["waits"], "a change is held until noon");
    assert_eq!(reply.json()["detail"], "a change is held until noon");

    let done = SyncAnswer::Done(Box::new(report(ReloadResult::Applied)));
    let body = r#"{"force": true, "reason": "mends the outage"}"#;
    assert_eq!(reload(&server, done, body).await.status, 200);
    let trail = server.store.trail.lock().unwrap().clone();
    let row = trail.last().unwrap();
    let said = row.detail.as_deref();
    assert_eq!(said, Some("in spite of a freeze: mends the outage"));

    let mut status = synced();
    status.freeze = Some(crate::decide::Freeze {
        until: Some(instant("2027-01-01T12:00:00Z")),
        why: "the morning rush".into(),
    });
    status.waiting = Some(crate::sync::WaitingChange {
        since: instant("2027-01-01T10:00:00Z"),
        revision: Some("3f2a91c".into()),
        text: "1 added (added: a)".into(),
    });
    server.status.send_replace(Arc::new(status));
    let config = server.get("/config").await.json();
    assert_eq!(
        config["sync"]["freeze"],
        json!({"until": "2027-01-01T12:00:00Z", "reason": "the morning rush"})
    );
    assert_eq!(
        config["sync"]["waiting"],
        json!({"since": "2027-01-01T10:00:00Z", "revision": "3f2a91c", "change": "1 added (added: a)"})
    );
}
