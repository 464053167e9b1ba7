//! Pauses from outside: what is skipped, who remembers it, and where it is shown.

use serde_json::{Value, json};

use super::support::{Daemon, Finished, Folder, elder, ledger, now, until};

fn text(more: &str) -> String {
    format!(
        "jobs:\n  quick:\n    schedule: {{ every: 200ms }}\n    run: '{}'\n{more}",
        ledger::WITNESS
    )
}

/// A command line that talks to this daemon.
fn ask(daemon: &Daemon, folder: &Folder, words: &[&str]) -> Finished {
    let runtime = folder.join("runtime").display().to_string();
    let mut program = elder("")
        .env("ELDER_SERVER", &format!("http://{}", daemon.address()))
        .env("XDG_RUNTIME_DIR", &runtime);
    for word in words {
        program = program.arg(*word);
    }
    program.run()
}

fn ran(folder: &Folder) -> usize {
    ledger::witnessed(folder).len()
}

/// The last row of the job.
fn last_row(daemon: &Daemon) -> Value {
    let page = daemon.get("/api/v1/jobs/quick/runs?limit=1").json();
    page["runs"][0].clone()
}

/// How many fires the last row stands for, if these were skipped for a pause.
fn skipped(daemon: &Daemon) -> u64 {
    let row = last_row(daemon);
    match (row["outcome"].as_str(), row["reason"].as_str()) {
        (Some("skipped"), Some("paused")) => row["count"].as_u64().unwrap(),
        _ => 0,
    }
}

/// No start within a second after this: a paused job fires nothing.
fn is_quiet(daemon: &Daemon, folder: &Folder) {
    ledger::wait_until_over(daemon, &["quick"]);
    let (before, first) = (ran(folder), skipped(daemon));
    until("further fires are skipped", || {
        (skipped(daemon) >= first + 3).then_some(())
    });
    assert_eq!(ran(folder), before, "a paused job ran");
}

#[test]
fn a_pause_outlives_kills_and_edits_and_is_seen_everywhere_until_it_is_ended() {
    let folder = Folder::with(&[("jobs.d/a.yaml", &text(""))]);
    let daemon = Daemon::start(&folder);
    until("it ran", || (ran(&folder) > 0).then_some(()));
    let words = [
        "pause",
        "quick",
        "--for",
        "2h",
        "--reason",
        "the database moves",
    ];
    let said = ask(&daemon, &folder, &words);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.stdout.starts_with("quick: paused until 2"), "{said}");
    is_quiet(&daemon, &folder);

    let job = daemon.get("/api/v1/jobs/quick").json();
    assert_eq!(job["status"], "paused");
    assert_eq!(job["pause"]["reason"], "the database moves");
    assert_eq!(job["pause"]["author"], "elder");
    // What is next is what comes after the pause.
    let (next, until_then) = (&job["next_run_time"], &job["pause"]["until"]);
    assert!(
        next.as_str().unwrap() >= until_then.as_str().unwrap(),
        "{job}"
    );
    let metrics = daemon.metrics();
    let skips = [("job_name", "quick"), ("reason", "paused")];
    assert!(metrics.get("elder_skipped_total", &skips) >= Some(3.0));
    assert_eq!(
        metrics.get("elder_jobs", &[("status", "paused")]),
        Some(1.0)
    );
    assert_eq!(
        metrics.get("elder_overrides", &[("kind", "pause")]),
        Some(1.0)
    );
    let overrides = ask(&daemon, &folder, &["overrides", "--format", "json"]).json();
    assert_eq!(overrides["total"], 1);
    let one = &overrides["overrides"][0];
    assert_eq!(one["source"], "jobs.d/a.yaml:2");
    assert_eq!(one["mend"], "elder resume quick");
    assert_eq!(daemon.get("/api/v1/config").json()["overrides"], overrides);
    let status = ask(&daemon, &folder, &["status"]);
    assert!(
        status.stdout.contains("1 job is paused: elder overrides"),
        "{status}"
    );
    let at = last_row(&daemon)["scheduled_at"]
        .as_str()
        .unwrap()
        .to_owned();
    let told = ask(&daemon, &folder, &["explain", "quick", "--at", &at]);
    assert!(
        told.stdout.contains("skipped: the job was paused")
            && told.stdout.contains("paused by elder until"),
        "{told}"
    );

    // Neither an edit nor a death ends it.
    folder.write("jobs.d/a.yaml", &text("    description: another\n"));
    assert_eq!(daemon.post("/-/reload", "").status, 200);
    is_quiet(&daemon, &folder);
    daemon.kill();
    let daemon = Daemon::start(&folder);
    until("it is told", || daemon.has_logged("1 jobs are paused"));
    is_quiet(&daemon, &folder);
    // It runs when somebody asks it to.
    let run = daemon.run("quick");
    assert_eq!(run["outcome"], "success", "{run}");
    // Under another name it is the same job.
    let renamed = text("    aliases: [quick]\n").replace("  quick:\n", "  fast:\n");
    folder.write("jobs.d/a.yaml", &renamed);
    assert_eq!(daemon.post("/-/reload", "").status, 200);
    assert_eq!(daemon.get("/api/v1/jobs/fast").json()["status"], "paused");
    daemon.kill();
    let daemon = Daemon::start(&folder);
    assert_eq!(daemon.get("/api/v1/jobs/fast").json()["status"], "paused");

    let before = ran(&folder);
    let said = ask(&daemon, &folder, &["resume", "fast"]);
    assert!(
        said.stdout.starts_with("fast: not paused, next 2"),
        "{said}"
    );
    until("it runs again", || {
        (ran(&folder) > before + 1).then_some(())
    });
    let overrides = ask(&daemon, &folder, &["overrides"]);
    assert_eq!(overrides.stdout, "nothing differs from the files\n");
    let metrics = daemon.metrics();
    assert_eq!(
        metrics.get("elder_overrides", &[("kind", "pause")]),
        Some(0.0)
    );
    // Every fire is in one row, whether it ran or not.
    let rows = ledger::rows(&daemon, "fast");
    let fires: Vec<_> = rows.iter().filter(|row| run["run_id"] != row.id).collect();
    for pair in fires.windows(2) {
        let apart = pair[1].first.duration_since(pair[0].last);
        assert_eq!(apart.as_millis(), 200, "a gap or an overlap: {pair:?}");
    }
    let bearer = format!("Bearer {}", daemon.token());
    until("the audit trail has it", || {
        let trail = daemon.send("GET", "/api/v1/audit", &[("Authorization", &bearer)], "");
        let words = ["\"pause\"", "\"resume\"", "the database moves"];
        let mut words = words.iter();
        words.all(|word| trail.body.contains(word)).then_some(())
    });
}

#[test]
fn a_pause_ends_by_itself_also_while_elder_is_away() {
    let folder = Folder::with(&[("jobs.d/a.yaml", &text("    misfire_grace_time: 1h\n"))]);
    let daemon = Daemon::start(&folder);
    until("it ran", || (ran(&folder) > 0).then_some(()));
    let reply = daemon.post("/api/v1/jobs/quick/pause", r#"{"for": "700ms"}"#);
    assert_eq!(reply.status, 200, "{reply:?}");
    let before = ran(&folder);
    until("it goes on by itself", || {
        (ran(&folder) > before).then_some(())
    });
    until("it is told", || daemon.has_logged("job no longer paused"));
    assert_eq!(daemon.get("/api/v1/jobs/quick").json()["status"], "active");

    let reply = daemon.post("/api/v1/jobs/quick/pause", r#"{"for": "600ms"}"#);
    let pause = reply.json()["pause"].clone();
    daemon.kill();
    let end: jiff::Timestamp = pause["until"].as_str().unwrap().parse().unwrap();
    until("the pause is over", || (now() > end).then_some(()));
    let before = ran(&folder);
    let daemon = Daemon::start(&folder);
    until("it goes on", || (ran(&folder) > before).then_some(()));
    let skipped = ledger::rows(&daemon, "quick");
    let mut skipped = skipped.iter().filter(|row| row.reason == "paused");
    assert!(
        skipped.all(|row| row.last < end),
        "what came after the end is not the pause's"
    );
    assert_eq!(
        daemon.get("/api/v1/overrides").json(),
        json!({"overrides": [], "total": 0})
    );
    until("the trail has it", || {
        daemon.has_logged("its time was over")
    });
    let first = ledger::seen(&folder).into_iter().filter(|one| {
        one.scheduled
            .is_some_and(|at| at >= pause["since"].as_str().unwrap().parse().unwrap())
    });
    let early = first.filter(|one| one.scheduled.is_some_and(|at| at < end));
    // One may have been on its way when the pause came.
    assert!(early.count() <= 1);
}
