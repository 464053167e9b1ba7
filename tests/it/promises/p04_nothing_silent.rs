//! Every fire ends in a row with a reason; nothing stays "running".

use crate::support::{Daemon, Folder, ledger, until};

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
