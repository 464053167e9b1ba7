//! Runs while they run: what they say is heard, and they can be ended.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use super::support::{Daemon, Finished, Folder, elder, until};

/// A command line that talks to this daemon.
fn client(daemon: &Daemon, folder: &Folder, line: &str) -> super::support::Program {
    elder(line)
        .env("ELDER_SERVER", &format!("http://{}", daemon.address()))
        .env(
            "XDG_RUNTIME_DIR",
            &folder.join("runtime").display().to_string(),
        )
}

fn ask(daemon: &Daemon, folder: &Folder, line: &str) -> Finished {
    client(daemon, folder, line).run()
}

/// A command that runs, and its output line by line.
fn follow(
    daemon: &Daemon,
    folder: &Folder,
    line: &str,
) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut command = client(daemon, folder, line).command();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, lines.map_while(Result::ok))
}

/// Waits, within the job, for a file that the test makes.
const GATE: &str = "while [ ! -e go ]; do sleep 0.02; done";

#[test]
fn a_run_is_heard_while_it_speaks_and_its_secrets_are_not() {
    let text = format!(
        "jobs:
  talks:
    schedule: manual
    secrets: {{ TOKEN: {{ file: token }} }}
    retry: {{ max: 1, backoff: 100ms }}
    run: |
      echo \"first $TOKEN\"
      {GATE}
      echo über
      [ -e again ] || {{ touch again; exit 3; }}
"
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &text), ("jobs.d/token", "open-sesame\n")]);
    let daemon = Daemon::start(&folder);
    let run = daemon.trigger("talks");
    let (mut child, mut lines) = follow(&daemon, &folder, &format!("logs {run} -f"));
    assert_eq!(lines.next().as_deref(), Some("first ***"));
    // Without following: what there is so far, by the job's name too.
    for line in [format!("logs {run}"), "logs talks".to_owned()] {
        let finished = ask(&daemon, &folder, &line);
        assert_eq!(finished.stdout, "first ***\n", "{finished}");
    }
    let plain = daemon.get(&format!("/api/v1/runs/{run}/output?follow=false"));
    assert_eq!((plain.status, &*plain.body), (200, "first ***\n"));
    folder.write("jobs.d/go", "");
    assert_eq!(lines.next().as_deref(), Some("über"));
    // The second attempt, to its end.
    assert_eq!(lines.next().as_deref(), Some("first ***"));
    assert_eq!(lines.next().as_deref(), Some("über"));
    assert_eq!(lines.next(), None);
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    assert!(
        said.contains("attempt 2") && said.contains("success"),
        "{said}"
    );
    // Over: plain text, or the same as events for those who ask for them.
    let plain = daemon.get(&format!("/api/v1/runs/{run}/output"));
    assert_eq!(
        plain.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(plain.body, "first ***\nüber\n");
    let path = format!("/runs/{run}/output");
    let events = daemon.send("GET", &path, &[("Accept", "text/event-stream")], "");
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    assert!(
        events
            .body
            .contains("event: output\ndata: {\"text\":\"first ***\\nüber\\n\"}"),
        "{events:?}"
    );
    assert!(events.body.contains("event: end\ndata: {"), "{events:?}");
    assert_eq!(daemon.get("/api/v1/runs/nothing/output").status, 404);
    assert_eq!(daemon.get(&format!("{path}?follow=maybe")).status, 400);
}

#[test]
fn a_reader_that_does_not_read_holds_nobody_up() {
    let text = format!(
        "jobs:
  floods:
    schedule: manual
    run: |
      {GATE}
      head -c 100000000 /dev/zero | tr '\\0' x
      echo end
"
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    let daemon = Daemon::start(&folder);
    let run = daemon.trigger("floods");
    until("it is under way", || {
        let state = daemon.get(&format!("/api/v1/runs/{run}")).json();
        (state["state"] == "running").then_some(())
    });
    let mut deaf = TcpStream::connect(daemon.address()).unwrap();
    let host = daemon.address();
    let request = format!("GET /runs/{run}/output HTTP/1.1\r\nHost: {host}\r\n\r\n");
    deaf.write_all(request.as_bytes()).unwrap();
    folder.write("jobs.d/go", "");
    let ended = daemon.ended(&run);
    assert_eq!(
        (&ended["outcome"], &ended["output_bytes"]),
        (&"success".into(), &100_000_004.into())
    );
    // One that reads late gets the ends, and how much is gone.
    let mut heard = Vec::new();
    let mut reader = BufReader::new(deaf);
    until("the end is told", || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        heard.push(line);
        heard.last()?.starts_with("event: end").then_some(())
    });
    assert!(heard.iter().any(|line| line.starts_with("event: left_out")));
    let text = heard.concat();
    assert!(text.len() < 2_000_000, "{} bytes", text.len());
    // It may come in an event of its own.
    assert!(text.contains("end\\n"), "the end is missing");
}

#[test]
fn a_run_is_cancelled_wherever_it_stands() {
    let text = "jobs:
  long: { schedule: manual, run: 'echo begun; sleep 300' }
  waits: { schedule: manual, run: exit 1, retry: { max: 1, backoff: 1h } }
";
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let daemon = Daemon::start(&folder);
    let long = daemon.trigger("long");
    let (mut child, mut lines) = follow(&daemon, &folder, "logs long -f");
    assert_eq!(lines.next().as_deref(), Some("begun"));
    let finished = ask(&daemon, &folder, &format!("cancel {long} --wait"));
    assert_eq!(finished.code, Some(0), "{finished}");
    assert!(
        finished.stdout.contains("cancelled (request)"),
        "{finished}"
    );
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let waits = daemon.trigger("waits");
    until("it waits for its next attempt", || {
        let run = daemon.get(&format!("/api/v1/runs/{waits}")).json();
        (run["state"] == "waiting").then_some(())
    });
    let finished = ask(&daemon, &folder, &format!("cancel {waits}"));
    assert!(
        finished.stdout.ends_with("is being cancelled\n"),
        "{finished}"
    );
    assert_eq!(daemon.ended(&waits)["outcome"], "cancelled");
    let finished = ask(&daemon, &folder, &format!("cancel {waits}"));
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(
        finished.stderr.contains("over already: cancelled"),
        "{finished}"
    );
    assert_eq!(ask(&daemon, &folder, "cancel nothing").code, Some(2));
    assert_eq!(
        daemon
            .send("POST", &format!("/runs/{long}/cancel"), &[], "")
            .status,
        401
    );
}

#[test]
fn an_elder_that_stops_ends_what_follows_it() {
    let text =
        "jobs:\n  waits: { schedule: manual, run: exit 1, retry: { max: 1, backoff: 1h } }\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let daemon = Daemon::start(&folder);
    let run = daemon.trigger("waits");
    until("it waits for its next attempt", || {
        let run = daemon.get(&format!("/api/v1/runs/{run}")).json();
        (run["state"] == "waiting").then_some(())
    });
    let (mut child, _) = follow(&daemon, &folder, "logs waits -f");
    assert_eq!(daemon.stop().code(), Some(0));
    child.wait().unwrap();
}

#[test]
fn a_person_sees_how_elder_and_its_jobs_are() {
    let text = "jobs:
  fine: { description: Says hello, schedule: { daily: '02:00' }, run: echo hello }
  fails: { schedule: manual, run: exit 3 }
";
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let daemon = Daemon::start(&folder);
    for job in ["fine", "fails"] {
        daemon.run(job);
    }
    let said = |line: &str, words: &[&str]| {
        let finished = ask(&daemon, &folder, line);
        assert_eq!(finished.code, Some(0), "{finished}");
        for word in words {
            assert!(finished.stdout.contains(word), "{line}: {word}: {finished}");
        }
        ask(&daemon, &folder, &format!("{line} --format json")).json()
    };
    let status = said(
        "status",
        &["Synced", "2 jobs, 1 with a next fire", "2 runs, 1 error,"],
    );
    assert_eq!(status["stats"]["total_executed"], 2);
    let list = said(
        "list",
        &["JOB", "fine", "active", "idle", "failed (exit)", "daily:"],
    );
    assert_eq!(list["jobs"].as_array().unwrap().len(), 2);
    let list = said("list --status idle", &["fails"]);
    assert_eq!(list["jobs"].as_array().unwrap().len(), 1);
    let show = said(
        "show fine",
        &["Says hello", "02:00", "jobs.d/a.yaml:2", "success"],
    );
    assert_eq!(show["runs"].as_array().unwrap().len(), 1);
    let runs = said("runs", &["RUN", "fine", "fails", "failed (exit)"]);
    assert_eq!(runs["runs"].as_array().unwrap().len(), 2);
    let runs = said("runs --outcome failed --since 1h -n 5", &["fails"]);
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1);
    let runs = said("runs fine", &["success"]);
    assert_eq!(runs["runs"][0]["job_id"], "fine");
    assert_eq!(ask(&daemon, &folder, "show nothing").code, Some(2));
    assert_eq!(ask(&daemon, &folder, "logs nothing").code, Some(2));
}
