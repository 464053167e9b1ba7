//! Jobs, runs, sums, backup: what goes in and what comes out.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::routes::PREFIXES;
use super::harness::{Server, view};
use crate::decide::fields::Field;
use crate::decide::{Edit, Edition, Failing, LastSuccess, failing_since};
use crate::engine::{JobStatus, Refusal, RunHead};
use crate::ids::{DefinitionId, JobName, RunId};
use crate::model::{Outcome, Output, Run, RunState, Trigger};
use crate::telemetry::example::{instant, run};

fn rows(server: &Server, count: i64) {
    let job = JobName::new("billing").unwrap();
    let first = instant("2027-01-01T00:00:00Z");
    let mut rows = server.store.rows.lock().unwrap();
    for minute in 0..count {
        let at = first + Duration::from_secs(60 * minute as u64);
        let mut run = Run::new(RunId::of_fire(&job, at), job.clone(), at, Trigger::Schedule);
        run.state = RunState::Done;
        run.outcome = Some(match minute % 2 {
            0 => Outcome::Success,
            _ => Outcome::Failed,
        });
        run.attempt = 1;
        run.duration = Some(Duration::from_millis(250));
        rows.push((run, Output::default()));
    }
}

fn names(reply: &Value) -> Vec<String> {
    let jobs = reply["jobs"].as_array().unwrap().iter();
    jobs.map(|job| job["job_id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_job_has_the_names_of_the_contract_under_every_prefix() {
    let server = Server::start().await;
    {
        let mut jobs = server.engine.jobs.lock().unwrap();
        let mut last = run("billing", 1);
        last.outcome = Some(Outcome::Success);
        jobs[1].active = vec![RunHead {
            id: last.id,
            state: RunState::Running,
            scheduled_at: last.scheduled_at,
            attempt: 1,
            waits: None,
        }];
        jobs[1].last = Some(last);
    }
    for prefix in PREFIXES {
        let reply = server.get(&format!("{prefix}/jobs/billing")).await;
        assert_eq!(reply.status, 200, "{prefix}");
        let job = reply.json();
        for (name, want) in [
            ("job_id", json!("billing")),
            ("name", json!("billing")),
            ("status", json!("active")),
            ("definition", json!("current")),
            ("next_run_time", json!("2027-01-01T00:05:00Z")),
            ("trigger", json!("every: 5m")),
            ("timezone", json!("Asia/Tokyo")),
            ("action", json!("exec")),
            ("source", json!("jobs.d/a.yaml:3")),
            ("revision", json!("3f2a91c")),
            ("failing_since", Value::Null),
            ("owner", Value::Null),
        ] {
            assert_eq!(job[name], want, "{name}");
        }
        assert_eq!(job["last_run"]["outcome"], "success");
        assert_eq!(job["active_runs"][0]["state"], "running");
        let list = server.get(&format!("{prefix}/jobs")).await.json();
        assert_eq!(names(&list), ["backup", "billing"]);
        assert_eq!(list["jobs"][1], job);
        assert_eq!(list["next"], Value::Null);
    }
    for (id, status) in [
        ("nobody", 404),
        ("..%2f..%2fetc", 404),
        ("%00", 404),
        ("%ff", 400),
        (&"a".repeat(200), 404),
    ] {
        let reply = server.get(&format!("/api/v1/jobs/{id}")).await;
        assert_eq!(reply.status, status, "{id}");
        reply.problem();
    }
}

#[tokio::test]
async fn a_job_that_is_held_or_in_a_bad_file_runs_by_its_last_good_definition() {
    let server = Server::start().await;
    server.engine.jobs.lock().unwrap()[0].status = JobStatus::Held;
    let job = server.get("/jobs/backup").await.json();
    assert_eq!(
        (&job["status"], &job["definition"]),
        (&json!("held"), &json!("last_good"))
    );
    let mut status = super::harness::synced();
    status.findings = vec![super::config::finding("jobs.d/a.yaml")];
    server.status.send_replace(status.into());
    let job = server.get("/jobs/billing").await.json();
    assert_eq!(job["definition"], "last_good");
}

#[tokio::test]
async fn jobs_are_filtered_and_paged() {
    let server = Server::start().await;
    {
        let mut jobs = server.engine.jobs.lock().unwrap();
        *jobs = ["a", "b1", "b2", "b3", "c"].map(view).into();
        jobs[2].status = JobStatus::Idle;
    }
    let mut path = "/api/v1/jobs?limit=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = server.get(&path).await.json();
        seen.push(names(&page));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/api/v1/jobs?limit=2&cursor={next}");
    }
    assert_eq!(seen, [vec!["a", "b1"], vec!["b2", "b3"], vec!["c"]]);
    let of = async |query: &str| names(&server.get(&format!("/jobs?{query}")).await.json());
    assert_eq!(of("name=b").await, ["b1", "b2", "b3"]);
    assert_eq!(of("status=idle").await, ["b2"]);
    assert_eq!(of("status=active&name=b").await, ["b1", "b3"]);
    for bad in [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=x",
        "status=broken",
        "colour=red",
        "cursor=abc",
        "cursor=",
        "limit=1&limit=2",
        "=",
    ] {
        let reply = server.get(&format!("/jobs?{bad}")).await;
        assert_eq!(
            (reply.status, reply.problem().as_str()),
            (400, "bad-request"),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_job_that_has_not_run_since_the_start_shows_its_last_run_from_the_store() {
    let server = Server::start().await;
    rows(&server, 3);
    server.engine.jobs.lock().unwrap()[1].mark.times.last_run =
        Some(instant("2027-01-01T00:02:00Z"));
    let list = server.get("/jobs").await.json();
    assert_eq!(list["jobs"][0]["last_run"], Value::Null);
    assert_eq!(
        list["jobs"][1]["last_run"]["scheduled_at"],
        "2027-01-01T00:02:00Z"
    );
    // A store that is away takes no list with it.
    server.store.down.store(true, Ordering::SeqCst);
    let list = server.get("/jobs").await;
    assert_eq!(
        (list.status, &list.json()["jobs"][1]["last_run"]),
        (200, &Value::Null)
    );
}

#[tokio::test]
async fn runs_are_paged_and_filtered() {
    let server = Server::start().await;
    rows(&server, 5);
    let instants = |page: &Value| {
        let runs = page["runs"].as_array().unwrap().iter();
        runs.map(|run| run["scheduled_at"].as_str().unwrap()[14..16].to_owned())
            .collect::<Vec<_>>()
    };
    for base in [
        "/runs?limit=2",
        "/scheduler/runs?limit=2",
        "/api/v1/jobs/billing/runs?limit=2",
    ] {
        let mut path = base.to_owned();
        let mut seen = Vec::new();
        loop {
            let page = server.get(&path).await.json();
            seen.extend(instants(&page));
            let Some(next) = page["next"].as_str() else {
                break;
            };
            path = format!("{base}&cursor={next}");
        }
        assert_eq!(seen, ["04", "03", "02", "01", "00"], "{base}");
    }
    let of = async |query: &str| instants(&server.get(&format!("/runs?{query}")).await.json());
    assert_eq!(of("outcome=failed").await, ["03", "01"]);
    assert_eq!(of("outcome=failed,success&limit=1").await, ["04"]);
    assert_eq!(of("since=2027-01-01T00:03:00Z").await, ["04", "03"]);
    assert_eq!(of("until=2027-01-01T00:01:00Z").await, ["01", "00"]);
    assert_eq!(
        of("since=2027-01-01T09:01:00%2B09:00&until=1s").await,
        Vec::<String>::new()
    );
    for bad in [
        "outcome=fine",
        "outcome=",
        "since=yesterday",
        "until=5",
        "since=999999999999w",
        "cursor=00",
        "cursor=%ff",
        "limit=99999999999999999999",
        "page=2",
    ] {
        let reply = server.get(&format!("/runs?{bad}")).await;
        assert_eq!(
            (reply.status, reply.problem().as_str()),
            (400, "bad-request"),
            "{bad}"
        );
    }
    assert_eq!(server.get("/jobs/nobody/runs").await.status, 404);
    let none = server.get("/jobs/backup/runs").await;
    assert_eq!(
        (none.status, none.json()),
        (200, json!({"runs": [], "next": null}))
    );
}

#[tokio::test]
async fn one_run_comes_with_its_output() {
    let server = Server::start().await;
    let mut row = run("billing", 1);
    row.output_bytes = 3;
    let output = Output {
        head: b"hi\n".to_vec(),
        tail: vec![],
        total: 3,
    };
    server
        .store
        .rows
        .lock()
        .unwrap()
        .push((row.clone(), output));
    let reply = server.get(&format!("/api/v1/runs/{}", row.id)).await.json();
    assert_eq!(
        (&reply["output"], &reply["output_bytes"]),
        (&json!("hi\n"), &json!(3))
    );
    let list = server.get("/runs").await.json();
    assert_eq!(list["runs"][0].get("output"), None);
    for id in ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "x", "..%2f", "%27%20OR%201=1"] {
        let reply = server.get(&format!("/runs/{id}")).await;
        assert_eq!(
            (reply.status, reply.problem().as_str()),
            (404, "not-found"),
            "{id}"
        );
    }
}

#[tokio::test]
async fn a_run_is_made_once_for_each_idempotency_key() {
    let server = Server::start().await;
    let bearer = format!("Bearer {}", server.token);
    let send = async |key: &str, body: &str| {
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
            ("Idempotency-Key", key),
        ];
        server
            .send("POST", "/api/v1/jobs/billing/run", &headers, body)
            .await
    };
    let first = send("deploy-1", "").await.json();
    let again = send("deploy-1", r#"{"trigger": "manual"}"#).await.json();
    assert_eq!(first["job_id"], "billing");
    assert_eq!(first["run_id"], again["run_id"]);
    assert_eq!(
        (&first["repeated"], &again["repeated"]),
        (&json!(false), &json!(true))
    );
    for bad in ["", "a b", "ü", &"k".repeat(256)] {
        assert_eq!(send(bad, "").await.status, 400, "{bad:?}");
    }
    assert_eq!(send("x", r#"{"trigger": "startup"}"#).await.status, 400);
    let one = server.post("/jobs/billing/run", "").await.json();
    let two = server.post("/jobs/billing/run", "").await.json();
    assert_ne!(one["run_id"], two["run_id"]);
    let triggered = server.engine.triggered.lock().unwrap();
    let triggers: Vec<_> = triggered.iter().map(|request| request.trigger).collect();
    assert_eq!(
        triggers,
        [Trigger::Api, Trigger::Manual, Trigger::Api, Trigger::Api]
    );
    assert_eq!(triggered[2].request.len(), 32);
}

#[tokio::test]
async fn a_run_that_is_refused_says_why_and_leaks_nothing() {
    let server = Server::start().await;
    let job = JobName::new("billing").unwrap();
    let blocking = RunId::of_fire(&job, instant("2027-01-01T00:00:00Z"));
    for (refusal, status, kind) in [
        (Refusal::NoSuchJob("x".into()), 404, "not-found"),
        (
            Refusal::Overlap {
                job: job.clone(),
                blocking,
            },
            409,
            "overlap",
        ),
        (
            Refusal::Store("/secret/elder.db is full".into()),
            503,
            "store-unreachable",
        ),
        (Refusal::Stopping, 503, "scheduler-stopped"),
    ] {
        *server.engine.refusal.lock().unwrap() = Some(refusal);
        let reply = server.post("/api/v1/jobs/billing/run", "").await;
        assert_eq!((reply.status, reply.problem().as_str()), (status, kind));
        assert!(!reply.body.contains("secret"), "{reply:?}");
        if kind == "overlap" {
            assert_eq!(reply.json()["blocking_run"], blocking.as_str());
        }
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_503_without_its_words() {
    let server = Server::start().await;
    server.store.down.store(true, Ordering::SeqCst);
    for path in [
        "/runs",
        "/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "/summary",
        "/jobs/billing/runs",
    ] {
        let reply = server.get(path).await;
        assert_eq!(
            (reply.status, reply.problem().as_str()),
            (503, "store-unreachable"),
            "{path}"
        );
        assert!(!reply.body.contains("secret") && !reply.body.contains("SELECT"));
    }
    for path in ["/backup", "/optimize"] {
        let reply = server.post(path, "").await;
        assert_eq!(
            (reply.status, reply.problem().as_str()),
            (503, "store-unreachable"),
            "{path}"
        );
        assert!(!reply.body.contains("secret"));
    }
}

#[tokio::test]
async fn sums_are_those_of_the_engine_and_of_the_store() {
    let server = Server::start().await;
    rows(&server, 2);
    {
        let mut stats = server.engine.stats.lock().unwrap();
        stats.since = instant("2027-01-01T00:00:00Z");
        stats.total_executed = 7;
        stats.total_errors = 2;
        stats.outcomes = vec![(Outcome::Success, 5), (Outcome::Failed, 2)];
    }
    let stats = server.get("/api/v1/stats").await.json();
    for (name, want) in [
        ("since", json!("2027-01-01T00:00:00Z")),
        ("total_executed", json!(7)),
        ("total_errors", json!(2)),
        ("active_jobs", json!(2)),
        ("store", json!("ok")),
        ("version", json!("0.1.0")),
    ] {
        assert_eq!(stats[name], want, "{name}");
    }
    assert_eq!(
        (&stats["outcomes"]["success"], &stats["outcomes"]["missed"]),
        (&json!(5), &json!(0))
    );
    let summary = server.get("/api/v1/summary?since=7d").await.json();
    assert_eq!(summary["since"], "2026-12-25T00:01:00Z");
    assert_eq!(summary["until"], "2027-01-01T00:01:00Z");
    assert_eq!(summary["outcomes"]["success"], 1);
    assert_eq!(summary["jobs"][0]["job_id"], "billing");
    assert_eq!(summary["jobs"][0]["longest_duration_seconds"], 0.25);
    let reversed = server.get("/summary?since=2027-01-02T00:00:00Z").await;
    assert_eq!(reversed.status, 400);
}

#[tokio::test]
async fn a_backup_is_written_where_asked_or_among_elders_own() {
    let server = Server::start().await;
    let to = server.folder.path().join("copy.db");
    let body = json!({"to": to}).to_string();
    let reply = server.post("/api/v1/backup", &body).await;
    assert_eq!(reply.json(), json!({"path": to, "bytes": 4}));
    assert_eq!(server.post("/api/v1/backup", &body).await.status, 409);
    let own = server.post("/api/v1/backup", "{}").await.json();
    let want = server
        .folder
        .path()
        .join("backups/elder-20270101T000100Z.db");
    assert_eq!(own["path"], want.to_str().unwrap());
    assert_eq!(*server.store.backups.lock().unwrap(), [to, want]);
    let relative = server.post("/api/v1/backup", r#"{"to": "copy.db"}"#).await;
    assert_eq!(
        (relative.status, relative.problem().as_str()),
        (400, "bad-request")
    );
    let full = json!({"to": server.folder.path().join("full-disk.db")}).to_string();
    let failed = server.post("/api/v1/backup", &full).await;
    assert_eq!(
        (failed.status, failed.problem().as_str()),
        (500, "backup-failed"),
        "the store itself is well"
    );
    assert!(!failed.body.contains("no space"));
    assert_eq!(
        server.post("/optimize", "").await.json()["status"],
        "optimized"
    );
    assert_eq!(server.store.optimized.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_job_and_a_run_say_how_their_definition_came_in_force_and_since_when_it_fails() {
    let server = Server::start().await;
    let name = JobName::new("billing").unwrap();
    let (first, last) = {
        let mut jobs = server.engine.jobs.lock().unwrap();
        let now = crate::spec::fingerprint(&jobs[1].job.definition);
        let before = DefinitionId::of(b"another one");
        let failing = Failing {
            run: run("billing", 1).id,
            at: instant("2027-01-01T00:00:01Z"),
            revision: Some("v2".into()),
            definition: Some(now),
        };
        let field = Field {
            key: "run".to_owned(),
            before: Some("true".to_owned()),
            after: Some("false".to_owned()),
        };
        let edition = |definition, revision: &str, changed: Option<Field>| Edition {
            definition,
            edit: Edit {
                at: Some(instant("2026-12-31T00:00:00Z")),
                revision: Some(revision.into()),
                author: Some("Ada".into()),
            },
            changed: changed.map(|field| [field].into()),
        };
        let editions = [edition(before, "v1", None), edition(now, "v2", Some(field))];
        jobs[1].failing = Some(failing_since(
            &failing,
            LastSuccess::By(before),
            &editions[1..],
        ));
        let mut known = server.store.editions.lock().unwrap();
        known.insert(name, editions.to_vec());
        (before, now)
    };
    let job = server.get("/api/v1/jobs/billing").await.json();
    assert_eq!(job["definition_hash"], last.to_string());
    let field = json!([{"key": "run", "before": "true", "after": "false"}]);
    let edition = json!({
        "definition_hash": last.to_string(), "since": "2026-12-31T00:00:00Z",
        "revision": "v2", "author": "Ada", "changed": field,
    });
    assert_eq!(job["edition"], edition);
    let since = &job["failing_since"];
    for (name, want) in [
        ("run_id", json!(run("billing", 1).id.as_str())),
        ("at", json!("2027-01-01T00:00:01Z")),
        ("revision", json!("v2")),
        ("author", json!("Ada")),
        ("changed", field),
        ("text", json!("revision v2 by Ada, which changed run")),
    ] {
        assert_eq!(since[name], want, "{name}");
    }
    let old = Run {
        definition: Some(first),
        ..run("billing", 1)
    };
    let id = old.id;
    server
        .store
        .rows
        .lock()
        .unwrap()
        .push((old, Output::default()));
    let shown = server.get(&format!("/api/v1/runs/{id}")).await.json();
    assert_eq!(shown["definition_hash"], first.to_string());
    assert_eq!(shown["edition"]["revision"], "v1");
    assert_eq!(shown["edition"]["changed"], Value::Null);
}

#[tokio::test]
async fn a_rerun_is_a_run_of_the_job_that_names_the_one_before() {
    let server = Server::start().await;
    rows(&server, 1);
    let id = server.store.rows.lock().unwrap()[0].0.id;
    let path = format!("/api/v1/runs/{id}/rerun");
    let key = [("idempotency-key", "once")];
    let reply = server.post_with(&path, &key, "").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let ran = reply.json();
    assert_eq!(
        (&ran["job_id"], &ran["rerun_of"]),
        (&json!("billing"), &json!(id.as_str()))
    );
    let asked = server.engine.triggered.lock().unwrap()[0].clone();
    assert_eq!(*asked.request, *format!("rerun/{id}/once"));
    assert_eq!(asked.trigger, Trigger::Api);
    // The same request again is the same run.
    let again = server.post_with(&path, &key, "").await.json();
    assert_eq!(
        (&again["run_id"], &again["repeated"]),
        (&ran["run_id"], &json!(true))
    );

    // The new row says so, too.
    let mut new = run("billing", 1);
    new.id = RunId::of_request(&new.job, new.scheduled_at, &asked.request);
    new.request = Some(asked.request);
    let new_id = new.id;
    server
        .store
        .rows
        .lock()
        .unwrap()
        .push((new, Output::default()));
    let shown = server.get(&format!("/runs/{new_id}")).await.json();
    assert_eq!(shown["rerun_of"], id.as_str());

    // One that is not over is no rerun, one that nobody knows is none, and nobody pretends to be one.
    let reply = server.post(&format!("/runs/{new_id}/rerun"), "").await;
    assert_eq!((reply.status, reply.problem().as_str()), (409, "run-open"));
    assert_eq!(server.post("/runs/nonsense/rerun", "").await.status, 404);
    let key = [("idempotency-key", "rerun/x/y")];
    let reply = server.post_with("/jobs/billing/run", &key, "").await;
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn a_stop_is_told_to_whoever_stops_elder() {
    let server = Server::start().await;
    let stopped = server.stop_asked.clone();
    let reply = server.post("/api/v1/stop", "").await;
    assert_eq!(reply.status, 202, "{reply:?}");
    assert_eq!(reply.json()["status"], "stopping");
    assert_eq!(reply.json()["process"], std::process::id());
    let heard = tokio::time::timeout(Duration::from_secs(20), stopped.notified());
    assert!(heard.await.is_ok());
    assert_eq!(
        server.post("/api/v1/stop", r#"{"now": true}"#).await.status,
        400
    );
}

#[tokio::test]
async fn a_schedule_is_shown_before_anybody_commits_it() {
    let server = Server::start().await;
    let line = "cron_expression=30+3+*+*+1-5&timezone=Europe/Berlin&from=2027-01-01T12:00:00Z&n=2";
    let reply = server.get(&format!("/schedules/preview?{line}")).await;
    assert_eq!(
        reply.json(),
        json!({
            "next_runs": ["2027-01-04T03:30:00+01:00", "2027-01-05T03:30:00+01:00"],
            "description": "at 03:30 on Monday to Friday, Europe/Berlin time",
            "timezone": "Europe/Berlin",
        })
    );
    // Any schedule, in this elder's zone and from now on, five fires.
    let body =
        r#"{"schedule": [{"daily": "02:00"}, {"monthly": {"day": "last fri", "at": "09:00"}}]}"#;
    let reply = server.post("/api/v1/schedules/preview", body).await.json();
    let fires = reply["next_runs"].as_array().unwrap();
    assert_eq!(
        (fires.len(), &fires[0]),
        (5, &"2027-01-01T02:00:00+00:00".into())
    );
    let named = |name: &str| {
        let body = json!({"schedule": {"daily": "02:00", "spread": "1h"}, "name": name, "n": 1});
        let server = &server;
        async move {
            server
                .post("/schedules/preview", &body.to_string())
                .await
                .json()
        }
    };
    assert_ne!(named("a").await, named("b").await);
    for (body, says) in [
        ("{}", "name a schedule"),
        (r#"{"schedule": "5/15 * * * *"}"#, "5-59/15"),
        (
            r#"{"schedule": "@daily", "timezone": "Asia/Tokio"}"#,
            "Asia/Tokyo",
        ),
        (r#"{"schedule": "@daily", "n": 0}"#, "1 to 1000"),
        (r#"{"schedule": "@daily", "n": 1001}"#, "1 to 1000"),
        (r#"{"schedule": "@daily", "name": "../x"}"#, "name"),
        (
            r#"{"schedule": {"daily": "02:00", "except": "closed"}}"#,
            "names a calendar",
        ),
        (r#"{"schedule": {"daily": "${HOME}"}}"#, "is not set"),
        (r#"{"cron": "@daily"}"#, "does not fit"),
    ] {
        let reply = server.post("/schedules/preview", body).await;
        assert_eq!(reply.status, 400, "{body}: {reply:?}");
        assert!(reply.body.contains(says), "{body}: {reply:?}");
    }
}
