//! A stop is bounded: no new fire, the grace, the group, rows written, status 0.

use rustix::process::Signal;

use crate::support::{Daemon, Folder, ledger, until};

#[test]
fn a_stop_lets_a_short_run_end_and_ends_a_long_one_with_all_its_children() {
    let text = r#"
jobs:
  short:
    schedule: manual
    run: sleep 0.5
  long:
    schedule: manual
    kill_grace: 1s
    run: 'sleep 300 & echo $! > "$ELDER_STATE_DIR/../child"; trap "" TERM; wait; sleep 300'
"#;
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let mut daemon = Daemon::start_with(&folder, |p| p.arg("--shutdown-grace").arg("1s"));
    daemon.wait_until_ready();
    for job in ["short", "long"] {
        assert_eq!(
            daemon.post(&format!("/api/v1/jobs/{job}/run"), "{}").status,
            200
        );
    }
    let child = until("the child is there", || {
        let path = folder.join("child");
        let text = std::fs::read_to_string(path).ok()?;
        text.trim().parse::<i32>().ok()
    });
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait().code(), Some(0));
    until("the child is gone", || {
        // A zombie that nobody reaps in this container is gone as well.
        match std::fs::read_to_string(format!("/proc/{child}/stat")) {
            Ok(stat) => stat.contains(") Z ").then_some(()),
            Err(_) => Some(()),
        }
    });
    let daemon = Daemon::start(&folder);
    let outcome = |job| ledger::rows(&daemon, job)[0].outcome.clone();
    assert_eq!(outcome("short"), "success");
    assert_eq!(outcome("long"), "interrupted");
}

#[test]
fn a_second_signal_stops_at_once() {
    let text = "jobs:\n  long:\n    schedule: manual\n    kill_grace: 1h\n    run: 'trap \"\" TERM; touch \"$ELDER_STATE_DIR/../began\"; sleep 300'\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let mut daemon = Daemon::start_with(&folder, |p| p.arg("--shutdown-grace").arg("1h"));
    daemon.wait_until_ready();
    assert_eq!(daemon.post("/api/v1/jobs/long/run", "{}").status, 200);
    until("it began", || folder.join("began").exists().then_some(()));
    daemon.signal(Signal::TERM);
    until("the first signal is heard", || {
        daemon
            .log()
            .iter()
            .any(|line| line.contains("stopping"))
            .then_some(())
    });
    daemon.signal(Signal::INT);
    daemon.wait();
}

#[test]
fn a_storm_of_signals_neither_ends_elder_nor_loses_a_run() {
    let text =
        "jobs:\n  often:\n    schedule: { every: 100ms }\n    max_instances: 9\n    run: 'true'\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let mut daemon = Daemon::start(&folder);
    for _ in 0..300 {
        for signal in [Signal::HUP, Signal::CHILD, Signal::PIPE] {
            daemon.signal(signal);
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    until("it runs on", || {
        (ledger::rows(&daemon, "often").len() > 30).then_some(())
    });
    assert_eq!(daemon.get("/healthz").status, 200);
    for row in ledger::rows(&daemon, "often") {
        assert!(row.outcome == "success" || row.state != "done", "{row:?}");
    }
    daemon.signal(Signal::TERM);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait().code(), Some(0));
}
