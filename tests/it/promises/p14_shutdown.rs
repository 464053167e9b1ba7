//! A stop is bounded: no new fire, the grace, the group, rows written, status 0.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Daemon, Folder, Processes, Program, ledger, until};

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
fn a_signal_during_the_start_ends_elder_before_anything_begins() {
    let stays = "  stays:\n    schedule: manual\n    run: 'trap \"\" TERM; echo $$ > child.new; mv child.new child; while :; do sleep 0.1; done'\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", &format!("jobs:\n{stays}"))]);
    let daemon = Daemon::start(&folder);
    assert_eq!(daemon.post("/api/v1/jobs/stays/run", "{}").status, 200);
    let child: i32 = until("the child is there", || {
        let text = std::fs::read_to_string(folder.join("jobs.d/child")).ok()?;
        text.trim().parse().ok()
    });
    daemon.kill();
    // What it left behind ends only after the grace of 10 s, and this would begin right after that.
    let begins = "jobs:\n  begins:\n    schedule: startup\n    run: touch begun\n";
    folder.write("jobs.d/b.yaml", begins);
    let waits = "nothing starts before they are ended";
    let within = Duration::from_secs(5);
    for signal in [Signal::TERM, Signal::INT] {
        let status = Daemon::start_and_signal(&folder, |p| p, waits, signal, within);
        assert_eq!(status.code(), Some(0), "{signal:?}");
    }
    assert!(!folder.join("jobs.d/begun").exists());
    assert!(Processes::is_alive(child));
    kill_process(Pid::from_raw(child).unwrap(), Signal::KILL).unwrap();
    // It left no lock and no row that the next one stumbles over.
    let daemon = Daemon::start(&folder);
    until("it begins", || {
        folder.join("jobs.d/begun").exists().then_some(())
    });
    assert_eq!(ledger::rows(&daemon, "begins").len(), 1);
    assert_eq!(ledger::rows(&daemon, "stays")[0].outcome, "interrupted");
}

/// One job that begins with elder, and a git that holds up the first look for five seconds.
fn with_a_slow_look() -> (Folder, String) {
    use std::os::unix::fs::PermissionsExt;
    let text = "jobs:\n  begins:\n    schedule: startup\n    run: touch begun\n";
    let head = "0123456789abcdef0123456789abcdef01234567\n";
    // A git that hangs holds up the look for five seconds.
    let script = "#!/bin/sh\nexec sleep 20\n";
    let folder = Folder::with(&[
        ("jobs.d/a.yaml", text),
        (".git/HEAD", head),
        ("bin/git", script),
    ]);
    let runs = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.join("bin/git"), runs).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.join("bin").display());
    (folder, path)
}

/// The start after one that was stopped is the first that begins anything.
fn nothing_had_begun(folder: &Folder) {
    let daemon = Daemon::start(folder);
    until("it begins", || {
        folder.join("jobs.d/begun").exists().then_some(())
    });
    assert_eq!(ledger::rows(&daemon, "begins").len(), 1, "this one's alone");
}

#[test]
fn a_signal_during_the_first_look_ends_elder_before_anything_begins() {
    let (folder, path) = with_a_slow_look();
    let with_git = |program: Program| program.env("PATH", &path);
    let within = Duration::from_secs(20);
    let status = Daemon::start_and_signal(&folder, with_git, "listening on", Signal::TERM, within);
    assert_eq!(status.code(), Some(0));
    nothing_had_begun(&folder);
}

#[test]
fn a_call_for_the_end_during_the_first_look_is_heard_too() {
    let (folder, path) = with_a_slow_look();
    let mut daemon = Daemon::start_with(&folder, |program| program.env("PATH", &path));
    assert_eq!(daemon.post("/api/v1/stop", "{}").status, 202);
    assert_eq!(daemon.wait().code(), Some(0));
    nothing_had_begun(&folder);
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
