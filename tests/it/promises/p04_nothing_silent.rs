//! Every fire ends in a row with a reason; nothing stays "running".

use crate::support::{Daemon, Folder, elder, ledger, until};

#[test]
fn fires_during_a_slow_run_are_one_skipped_row_that_names_the_run() {
    let text = "jobs:\n  slow:\n    schedule: { every: 100ms }\n    run: sleep 2\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let daemon = Daemon::start(&folder);
    let row = until("several fires are skipped", || {
        let rows = ledger::rows(&daemon, "slow");
        rows.into_iter()
            .find(|row| row.outcome == "skipped" && row.count > 5)
    });
    assert_eq!(row.reason, "overlap");
    assert_eq!(row.attempt, 0);
    let metrics = daemon.metrics();
    let labels = [("job_name", "slow"), ("reason", "overlap")];
    assert!(metrics.get("elder_skipped_total", &labels) > Some(5.0));
}

#[test]
fn what_a_dead_elder_left_running_is_interrupted_and_its_time_away_is_missed() {
    let text = "jobs:\n  long:\n    schedule: startup\n    run: sleep 5\n  often:\n    schedule: { every: 100ms }\n    misfire_grace_time: 0s\n    run: 'true'\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let daemon = Daemon::start(&folder);
    until("both ran", || {
        let began = |job| ledger::rows(&daemon, job).iter().any(|row| row.attempt > 0);
        (began("long") && began("often")).then_some(())
    });
    daemon.kill();
    std::thread::sleep(std::time::Duration::from_millis(700));
    let daemon = Daemon::start(&folder);
    let long = ledger::rows(&daemon, "long");
    assert_eq!(long[0].outcome, "interrupted", "{long:?}");
    let often = ledger::rows(&daemon, "often");
    let missed = |row: &ledger::Row| row.reason == "downtime" && row.count >= 5;
    assert!(often.iter().any(missed), "{often:?}");
    let labels = [("job_name", "often"), ("reason", "downtime")];
    assert!(daemon.metrics().get("elder_missed_total", &labels) >= Some(5.0));
}

#[test]
fn a_run_between_attempts_goes_on_after_kill_9_with_its_count() {
    let text = format!(
        "jobs:\n  again:\n    schedule: manual\n    run: '{}; exit 1'\n    retry: {{ max: 2, backoff: 2s, factor: 1 }}\n",
        ledger::WITNESS
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    let daemon = Daemon::start(&folder);
    assert_eq!(daemon.post("/api/v1/jobs/again/run", "{}").status, 200);
    until("the first attempt failed", || {
        let rows = ledger::rows(&daemon, "again");
        (rows.first()?.state == "waiting").then_some(())
    });
    daemon.kill();
    let daemon = Daemon::start(&folder);
    let row = until("the run is over", || {
        let rows = ledger::rows(&daemon, "again");
        (rows.first()?.state == "done").then(|| rows[0].clone())
    });
    assert_eq!((row.outcome.as_str(), row.attempt), ("failed", 3));
    let attempts: Vec<u64> = ledger::witnessed(&folder).keys().map(|key| key.2).collect();
    assert_eq!(attempts, [1, 2, 3]);
}

#[test]
fn every_fire_can_be_explained() {
    let text = "jobs:\n  slow:\n    schedule: { every: 1s }\n    run: sleep 600\n  yearly:\n    schedule: { yearly: { date: 01-01, at: \"02:00\" } }\n    run: 'true'\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let daemon = Daemon::start(&folder);
    let explain = |query: &str| daemon.get(&format!("/api/v1/jobs/{query}"));
    let skipped = until("a fire was skipped", || {
        let runs = daemon.get("/api/v1/jobs/slow/runs?outcome=skipped").json();
        let at = runs["runs"][0]["scheduled_at"].as_str()?.to_owned();
        let told = explain(&format!("slow/explain?at={at}")).json();
        (told["verdict"] == "skipped").then_some(told)
    });
    let running = &skipped["blocking_run"];
    assert_eq!(running["state"], "running", "{skipped}");
    let summary = skipped["summary"].as_str().unwrap();
    assert!(summary.contains("was skipped"), "{skipped}");
    let began = running["scheduled_at"].as_str().unwrap();
    let told = explain(&format!("slow/explain?at={began}")).json();
    assert_eq!(told["verdict"], "running", "{told}");
    // What never was and what is to come.
    let told = explain("yearly/explain?at=2020-01-01T02:00").json();
    assert_eq!(told["verdict"], "before_its_time", "{told}");
    let told = explain("yearly/explain").json();
    assert_eq!(told["verdict"], "to_come", "{told}");
    let told = explain("yearly/explain?at=2100-01-01T03:00").json();
    assert_eq!(told["verdict"], "no_fire", "{told}");
    assert_eq!(explain("yearly/explain?at=soon").status, 400);
    assert_eq!(explain("nobody/explain").status, 404);
    // The same at the command line.
    let server = format!("http://{}", daemon.address());
    let line = format!("explain slow --at {began} --server {server}");
    let finished = elder(&line).run();
    assert_eq!(finished.code, Some(0), "{finished}");
    let said = finished.stdout;
    assert!(said.contains(" runs: attempt 1, since"), "{said}");
}
