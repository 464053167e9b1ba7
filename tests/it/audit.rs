//! The audit trail from outside: rows, lines of the log, and the file of `--audit-log`.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Daemon, Folder, until};

const JOBS: &str =
    "jobs:\n  a: { schedule: manual, run: 'true' }\n  b: { schedule: manual, run: x }\n";

fn trail(daemon: &Daemon, query: &str) -> Value {
    let bearer = format!("Bearer {}", daemon.token());
    let path = format!("/api/v1/audit{query}");
    let reply = daemon.send("GET", &path, &[("Authorization", &bearer)], "");
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

/// `actor action subject result` of each row, oldest first.
fn rows(daemon: &Daemon) -> Vec<String> {
    let rows = trail(daemon, "?limit=1000")["audit"]
        .as_array()
        .unwrap()
        .clone();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or("-").to_owned();
    let shown = rows.iter().rev().map(|row| {
        let words = ["actor", "action", "subject", "result"].map(|key| text(row, key));
        words.join(" ")
    });
    shown.collect()
}

#[test]
fn every_call_that_changes_something_and_every_reload_is_a_row_and_a_line() {
    let folder = Folder::with(&[("jobs.d/a.yaml", JOBS)]);
    let daemon = Daemon::start_with(&folder, |program| program.arg("--audit-log=audit.jsonl"));
    daemon.wait_until_ready();
    assert_eq!(daemon.post("/api/v1/jobs/a/run", "{}").status, 200);
    assert_eq!(daemon.post("/api/v1/jobs/none/run", "{}").status, 404);
    let reply = daemon.send("POST", "/api/v1/jobs/a/run", &[], "");
    assert_eq!(reply.status, 401);
    folder.write("jobs.d/a.yaml", &JOBS.replace("run: x", "run: y"));
    assert_eq!(daemon.post("/-/reload", "").status, 200);
    // Nothing is held that could be confirmed.
    let prune = daemon.post("/api/v1/config/sync", "{\"prune\": [\"b\"]}");
    assert_eq!(prune.status, 409);
    // Reading leaves nothing, and without a token it is not for everybody on this machine.
    assert_eq!(daemon.get("/api/v1/jobs").status, 200);
    assert_eq!(daemon.get("/api/v1/audit").status, 401);
    let want = [
        "elder reload - done",
        "elder start - done",
        "elder run a done",
        "elder run none refused",
        "anonymous run a refused",
        "elder reload - done",
        "elder prune - refused",
    ];
    until("the rows are there", || {
        let rows = rows(&daemon);
        // The watcher may have been faster than the call.
        let rest = rows.iter().filter(|row| !row.contains(" reload - done"));
        let wanted = want.iter().filter(|row| !row.contains(" reload - done"));
        let is_there = rest.map(String::as_str).eq(wanted.copied());
        let reloads = rows.iter().filter(|row| row.contains(" reload ")).count();
        (is_there && reloads >= 3).then_some(())
    });
    let all = trail(&daemon, "")["audit"].as_array().unwrap().clone();
    let edit = all.iter().find(|row| {
        row["action"] == "reload"
            && row["detail"]
                .as_str()
                .is_some_and(|it| it.contains("changed: b"))
    });
    let edit = edit.unwrap_or_else(|| panic!("{all:?}"));
    assert_ne!(edit["before"], edit["after"]);
    assert_eq!(edit["after"].as_str().unwrap().len(), 64);
    // Page by page, and since an instant.
    let first = trail(&daemon, "?limit=2");
    assert_eq!(first["audit"].as_array().unwrap().len(), 2);
    let next = first["next"].as_str().unwrap();
    let second = trail(&daemon, &format!("?limit=2&cursor={next}"));
    assert!(second["audit"][0]["number"].as_u64() < first["audit"][1]["number"].as_u64());
    assert_eq!(
        trail(&daemon, "?since=2999-01-01T00:00:00Z")["audit"],
        serde_json::json!([])
    );
    for line in [
        "audit: run",
        "audit: prune",
        "audit: reload",
        "audit: start",
    ] {
        assert!(daemon.has_logged(line).is_some(), "{line}");
    }

    // The file has runs as well, and another one after it was moved away.
    let lines = |name: &str| -> Vec<Value> {
        let text = folder.read(name);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    until("the run is in the file", || {
        let lines = lines("audit.jsonl");
        let ended = lines.iter().any(|line| {
            line["action"] == "run_ended" && line["subject"] == "a" && line["result"] == "success"
        });
        ended.then_some(())
    });
    let mode = std::fs::metadata(folder.join("audit.jsonl")).unwrap();
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777,
        0o600
    );
    std::fs::rename(folder.join("audit.jsonl"), folder.join("old.jsonl")).unwrap();
    daemon.signal(Signal::HUP);
    until("it is opened anew", || {
        folder.join("audit.jsonl").exists().then_some(())
    });
    daemon.stop();
    let last = lines("audit.jsonl");
    assert_eq!(last.last().unwrap()["action"], "stop", "{last:?}");
    // The next elder reads on in the store.
    let daemon = Daemon::start(&folder);
    assert!(rows(&daemon).iter().any(|row| row == "elder stop - done"));
    daemon.stop();
}

#[test]
fn a_file_that_cannot_be_ends_the_start_and_a_full_one_stops_nothing() {
    let folder = Folder::with(&[("jobs.d/a.yaml", JOBS)]);
    let finished = crate::support::elder(
        "run jobs.d --listen 127.0.0.1:0 --state state --audit-log no/such/file",
    )
    .within(folder.path())
    .run();
    assert_eq!(finished.code, Some(2), "{finished}");
    assert!(finished.stderr.contains("--audit-log"), "{finished}");
    let daemon = Daemon::start_with(&folder, |program| program.arg("--audit-log=/dev/full"));
    daemon.wait_until_ready();
    until("it is told", || daemon.has_logged("cannot be written"));
    assert_eq!(daemon.post("/api/v1/jobs/a/run", "{}").status, 200);
    until("the store has it", || {
        rows(&daemon)
            .iter()
            .any(|row| row == "elder run a done")
            .then_some(())
    });
    assert!(daemon.stop().success());
}
