//! Sages from outside: who is told, over restarts and outages, and how the request looks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;

use crate::support::{Daemon, Folder, Small, StandIn, not_tested, until};

/// A sink that answers with a status that the test sets.
fn sink(status: u16) -> (StandIn, Arc<AtomicU16>) {
    let answer = Arc::new(AtomicU16::new(status));
    let now = Arc::clone(&answer);
    let sink = StandIn::start(move |_| (now.load(Ordering::SeqCst), "{}".to_owned()));
    (sink, answer)
}

/// What the sink was told, in order: event, job and identity.
fn told(sink: &StandIn) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let seen = sink.seen().into_iter().map(|request| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let id = request.header("idempotency-key").unwrap();
        assert!(id.ends_with(body["id"].as_str().unwrap()), "{id} {body}");
        (text(&body["event"]), text(&body["job"]), text(&body["id"]))
    });
    seen.collect()
}

fn sage(sink: &StandIn, more: &str) -> String {
    format!(
        "sages:\n  ops: {{ http: {}/hook, retry: {{ max: 100, backoff: 100ms, factor: 1 }}, {more} }}\n",
        sink.url()
    )
}

fn run(daemon: &Daemon, job: &str) {
    let path = format!("/api/v1/jobs/{job}/run");
    assert_eq!(daemon.post(&path, "{}").status, 200);
}

#[test]
fn a_failure_and_its_end_are_told_with_everything_about_the_run() {
    let (sink, _) = sink(200);
    let jobs = "jobs:
  billing:
    schedule: manual
    owner: team-a
    labels: { team: data }
    on_failure: ops
    on_recovery: ops
    secrets: { TOKEN: { env: TOKEN } }
    env: { GOOD: good }
    run: 'echo the token is $TOKEN; echo last words; test -f \"$ELDER_STATE_DIR/../good\"'
";
    let folder = Folder::with(&[
        ("jobs.d/sages.yaml", &sage(&sink, "remind: 1h")),
        ("jobs.d/jobs.yaml", jobs),
    ]);
    let with_token = |program: crate::support::Program| {
        program
            .env("TOKEN", "hunter2-hunter2")
            .arg("--revision=abc")
    };
    let daemon = Daemon::start_with(&folder, with_token);
    daemon.wait_until_ready();
    run(&daemon, "billing");
    until("it is told", || (!sink.seen().is_empty()).then_some(()));
    let request = sink.seen().remove(0);
    assert!(request.line.starts_with("POST /hook"), "{request:?}");
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert!(request.header("user-agent").unwrap().starts_with("elder/"));
    let body: Value = serde_json::from_str(&request.body).unwrap();
    for (field, want) in [
        ("event", "failure"),
        ("job", "billing"),
        ("outcome", "failed"),
        ("reason", "exit"),
        ("owner", "team-a"),
        ("revision", "abc"),
        ("output_tail", "the token is ***\nlast words\n"),
    ] {
        assert_eq!(body[field], want, "{field}: {body}");
    }
    assert_eq!(
        (&body["exit_code"], &body["attempts"], &body["count"]),
        (&1.into(), &1.into(), &1.into())
    );
    assert_eq!(body["labels"]["team"], "data");
    let row = daemon.get(&format!(
        "/api/v1/runs/{}",
        body["run_id"].as_str().unwrap()
    ));
    assert_eq!(row.json()["outcome"], "failed");
    assert!(
        body["url"]
            .as_str()
            .unwrap()
            .ends_with(body["run_id"].as_str().unwrap())
    );
    // Within an hour it is not told again, and the end of it is.
    run(&daemon, "billing");
    until("it failed again", || {
        let row = daemon.get("/api/v1/jobs/billing/runs");
        let runs = row.json()["runs"].as_array().unwrap().clone();
        (runs.len() == 2 && runs[0]["outcome"] == "failed").then_some(())
    });
    folder.write("good", "");
    run(&daemon, "billing");
    until("its end is told", || (sink.seen().len() == 2).then_some(()));
    let body: Value = serde_json::from_str(&sink.seen()[1].body).unwrap();
    assert_eq!(
        (&body["event"], &body["count"]),
        (&"recovery".into(), &2.into())
    );
    until("the metrics say so", || {
        let metrics = daemon.metrics();
        let labels = [("sage", "ops"), ("result", "delivered")];
        let delivered = metrics.get("elder_sage_deliveries_total", &labels);
        let waiting = metrics.get("elder_sage_waiting", &[("sage", "ops")]);
        (delivered == Some(2.0) && waiting == Some(0.0)).then_some(())
    });
    let metrics = daemon.metrics();
    for result in ["failed", "given_up", "gone", "dropped"] {
        let labels = [("sage", "ops"), ("result", result)];
        assert_eq!(
            metrics.get("elder_sage_deliveries_total", &labels),
            Some(0.0)
        );
    }
    daemon.stop();
}

#[test]
fn a_sink_that_refuses_for_a_while_gets_each_event_in_order_under_its_own_identity() {
    let (sink, answer) = sink(503);
    let jobs = "defaults: { on_success: ops, schedule: manual }\n";
    let jobs = format!(
        "{}jobs:\n  a: {{ schedule: manual, run: 'true' }}\n  b: {{ schedule: manual, run: 'true' }}\n",
        jobs.replace(", schedule: manual", "")
    );
    let folder = Folder::with(&[
        ("jobs.d/sages.yaml", &sage(&sink, "")),
        ("jobs.d/jobs.yaml", &jobs),
    ]);
    let daemon = Daemon::start(&folder);
    let mut runs = Vec::new();
    for job in ["a", "b", "a", "b", "a"] {
        let path = format!("/api/v1/jobs/{job}/run");
        let reply = until("it may run", || {
            let reply = daemon.post(&path, "{}");
            (reply.status == 200).then_some(reply)
        });
        let id = reply.json()["run_id"].as_str().unwrap().to_owned();
        until("it is over", || {
            let row = daemon.get(&format!("/api/v1/runs/{id}")).json();
            (row["state"] == "done").then_some(())
        });
        runs.push(id);
    }
    until("it was refused a few times", || {
        (sink.seen().len() >= 3).then_some(())
    });
    let refused = sink.seen().len();
    answer.store(200, Ordering::SeqCst);
    until("each is told", || {
        let delivered = [("sage", "ops"), ("result", "delivered")];
        let delivered = daemon
            .metrics()
            .get("elder_sage_deliveries_total", &delivered);
        (delivered == Some(5.0)).then_some(())
    });
    let seen = sink.seen();
    let all = told(&sink);
    // Each event under one identity, however often it was sent.
    let ids: std::collections::BTreeSet<_> = all.iter().map(|(_, _, id)| id.clone()).collect();
    assert_eq!(ids.len(), 5, "{all:?}");
    for job in ["a", "b"] {
        let own: Vec<String> = seen[refused..]
            .iter()
            .map(|request| serde_json::from_str::<Value>(&request.body).unwrap())
            .filter(|body| body["job"] == job)
            .map(|body| body["run_id"].as_str().unwrap().to_owned())
            .collect();
        let want: Vec<String> = runs
            .iter()
            .filter(|run| own.contains(run))
            .cloned()
            .collect();
        let mut once = own.clone();
        once.dedup();
        assert_eq!(once, want, "in the order in which they happened");
    }
    daemon.stop();
}

#[test]
fn what_was_not_delivered_before_a_kill_is_after_the_restart() {
    let (sink, _) = sink(200);
    let jobs = "jobs:\n  a: { schedule: manual, run: 'false', on_failure: ops }\n";
    let folder = Folder::with(&[
        ("jobs.d/sages.yaml", &sage(&sink, "")),
        ("jobs.d/jobs.yaml", jobs),
    ]);
    // It dies as soon as the delivery is to begin: the run's end is recorded, and nobody was told.
    let mut daemon = Daemon::start_with(&folder, |program| {
        program.env("ELDER_FAIL_POINT", "before-start:ops")
    });
    daemon.wait_until_ready();
    run(&daemon, "a");
    assert!(!daemon.wait().success());
    assert!(sink.seen().is_empty());
    let daemon = Daemon::start(&folder);
    until("it is told", || (sink.seen().len() == 1).then_some(()));
    let (event, job, _) = told(&sink).remove(0);
    assert_eq!((event.as_str(), job.as_str()), ("failure", "a"));
    daemon.stop();
    // It left the outbox with that.
    let daemon = Daemon::start(&folder);
    run(&daemon, "a");
    until("it failed again", || {
        let row = daemon.get("/api/v1/jobs/a/runs").json();
        (row["runs"][0]["state"] == "done" && row["runs"].as_array().unwrap().len() == 2)
            .then_some(())
    });
    assert_eq!(
        sink.seen().len(),
        1,
        "reminded only after an hour, over restarts"
    );
    daemon.stop();
}

#[test]
fn a_delivery_is_signed_and_a_410_ends_them() {
    let (sink, answer) = sink(200);
    let folder = Folder::with(&[(
        "jobs.d/a.yaml",
        &format!(
            "sages:
  ops:
    http: {{ url: {}/hook, sign: {{ secret: '${{secrets.HOOK}}' }}, json: {{ text: '${{job.name}} ${{event}} ${{run.reason}} ${{event.count}}' }} }}
    secrets: {{ HOOK: {{ env: HOOK }} }}
    remind: 0s
jobs:
  a: {{ schedule: manual, run: 'exit 3', on_failure: ops }}
",
            sink.url()
        ),
    )]);
    let daemon = Daemon::start_with(&folder, |program| {
        program.env("HOOK", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    });
    daemon.wait_until_ready();
    run(&daemon, "a");
    until("it is told", || (sink.seen().len() == 1).then_some(()));
    let request = sink.seen().remove(0);
    assert_eq!(request.body, "{\"text\":\"a failure exit 1\"}");
    let of = |name: &str| request.header(name).unwrap().to_owned();
    let signed = format!(
        "{}.{}.{}",
        of("webhook-id"),
        of("webhook-timestamp"),
        request.body
    );
    assert_eq!(
        of("webhook-signature"),
        format!("v1,{}", signature(&signed))
    );
    assert!(of("idempotency-key").ends_with(&of("webhook-id")));
    answer.store(410, Ordering::SeqCst);
    run(&daemon, "a");
    until("it says that it is gone", || {
        (sink.seen().len() == 2).then_some(())
    });
    run(&daemon, "a");
    let gone = || {
        let labels = [("sage", "ops"), ("result", "gone")];
        daemon.metrics().get("elder_sage_deliveries_total", &labels)
    };
    until("nothing more is sent", || {
        (gone() == Some(2.0)).then_some(())
    });
    assert_eq!(sink.seen().len(), 2);
    assert!(daemon.has_logged("gone for good").is_some());
    daemon.stop();
}

/// HMAC-SHA256 with the key of the test, as the receiver computes it.
fn signature(text: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
    STANDARD.encode(ring::hmac::sign(&key, text.as_bytes()))
}

#[test]
fn a_program_reads_the_event_and_elders_own_troubles_are_told_once() {
    let folder = Folder::with(&[(
        "jobs.d/a.yaml",
        "sages:
  ops:
    run: 'cat >> \"$ELDER_STATE_DIR/../told\"; echo >> \"$ELDER_STATE_DIR/../told\"; echo \"$ELDER_EVENT $ELDER_JOB $ELDER_SAGE $WHAT\" >> \"$ELDER_STATE_DIR/../env\"'
    env: { WHAT: '${run.outcome}' }
    events: [config_rejected]
jobs:
  a: { schedule: manual, run: 'exit 3', on_failure: ops }
",
    )]);
    let daemon = Daemon::start(&folder);
    let told = |count: usize| {
        until("it is told", || {
            let text = folder.read("told");
            let lines: Vec<Value> = text
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect();
            (lines.len() == count).then_some(lines)
        })
    };
    run(&daemon, "a");
    assert_eq!(told(1)[0]["exit_code"], 3);
    until("its variables", || {
        (folder.read("env") == "failure a ops failed\n").then_some(())
    });
    folder.write("jobs.d/b.yaml", "jobs: { b: { run: x } }\n");
    let body = &told(2)[1];
    assert_eq!(
        (&body["event"], &body["names"][0]),
        (&"config_rejected".into(), &"jobs.d/b.yaml".into())
    );
    assert!(body["reason"].as_str().unwrap().contains("E005"), "{body}");
    // The same file is looked at again, and by the next elder too.
    assert_eq!(daemon.post("/-/reload", "").status, 422);
    daemon.stop();
    let daemon = Daemon::start(&folder);
    folder.write("jobs.d/c.yaml", "jobs: { c: { run: x } }\n");
    assert_eq!(told(3)[2]["names"], serde_json::json!(["jobs.d/c.yaml"]));
    daemon.stop();
}

#[test]
fn a_lost_store_is_told_from_memory_while_nothing_can_be_written() {
    let (sink, _) = sink(200);
    let folder = Folder::with(&[
        ("jobs.d/sages.yaml", &sage(&sink, "events: [store_lost]")),
        (
            "jobs.d/jobs.yaml",
            "jobs:\n  tick: { schedule: { every: 200ms }, run: 'true' }\n",
        ),
    ]);
    let Some(small) = Small::mount(folder.join("state")) else {
        not_tested("this machine does not let us mount a tmpfs");
        return;
    };
    let daemon = Daemon::start(&folder);
    let filler = folder.join("state/filler");
    let of = format!("of={}", filler.display());
    let fill = std::process::Command::new("dd")
        .args(["if=/dev/zero", "bs=4096", &of])
        .output();
    fill.unwrap();
    until("it is told although nothing is written", || {
        (!sink.seen().is_empty()).then_some(())
    });
    // A probe's look at the store is good for a second.
    until("the store is known to be lost", || {
        (daemon.get("/readyz").status == 503).then_some(())
    });
    let events = || -> Vec<String> { told(&sink).into_iter().map(|(event, ..)| event).collect() };
    assert_eq!(events(), ["store_lost"]);
    std::fs::remove_file(&filler).unwrap();
    until("the store is back", || {
        (daemon.get("/readyz").status == 200).then_some(())
    });
    until("runs are recorded again", || {
        let runs = daemon.get("/api/v1/jobs/tick/runs?limit=1").json();
        (runs["runs"][0]["outcome"] == "success").then_some(())
    });
    assert_eq!(events(), ["store_lost"], "once");
    drop(daemon);
    drop(small);
}
