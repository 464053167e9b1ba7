//! A kill is a kill, no zombie stays, and nobody's exit code is lost, also as process 1.

use std::process::Command;

use rustix::process::Signal;

use crate::support::{Daemon, Folder, Processes, ledger, not_tested, until};

/// A line that leaves a process in a session of its own, with its number in `escaped`.
const ESCAPE: &str =
    r#"setsid sh -c "echo \$\$ > escaped.new; mv escaped.new escaped; exec sleep 300" &"#;

fn escaped(folder: &Folder) -> i32 {
    until("a process has left the group", || {
        folder.read("jobs.d/escaped").trim().parse().ok()
    })
}

#[test]
fn a_timeout_reaches_a_process_that_left_the_group() {
    let text = format!(
        "jobs:\n  gone:\n    schedule: manual\n    timeout: 1s\n    kill_grace: 1s\n    run: |\n      {ESCAPE}\n      wait; sleep 300\n"
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    let daemon = Daemon::start(&folder);
    assert_eq!(daemon.post("/api/v1/jobs/gone/run", "{}").status, 200);
    let pid = escaped(&folder);
    assert!(Processes::is_alive(pid));
    until("the run timed out", || {
        (ledger::rows(&daemon, "gone")[0].outcome == "timed_out").then_some(())
    });
    assert!(!Processes::is_alive(pid), "it goes on after its run's end");
    let runs = daemon.get("/api/v1/jobs/gone/runs").json();
    let took = runs["runs"][0]["duration_seconds"].as_f64().unwrap();
    // The timeout, the grace, and a second.
    assert!((1.0..=3.0).contains(&took), "{runs}");
}

#[test]
fn a_second_signal_reaches_a_process_that_left_the_group_and_ignores_term() {
    let line = ESCAPE.replace("echo", "trap '' TERM; echo");
    let text = format!(
        "jobs:\n  gone:\n    schedule: manual\n    kill_grace: 1h\n    run: |\n      {line}\n      wait; sleep 300\n"
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    let mut daemon = Daemon::start(&folder);
    assert_eq!(daemon.post("/api/v1/jobs/gone/run", "{}").status, 200);
    let pid = escaped(&folder);
    daemon.signal(Signal::TERM);
    until("the first signal is heard", || {
        daemon.has_logged("stopping")
    });
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.wait().code(), Some(0));
    assert!(!Processes::is_alive(pid), "it outlived elder");
}

/// Jobs that end with a code of their own, in a flood, beside one that leaves orphans behind.
const FLOOD: &str = r#"
jobs:
  orphans:
    schedule: { every: 100ms }
    run: "(sleep 0.05 &) ; setsid true & setsid sleep 0.01 & exit 0"
"#;

fn codes() -> String {
    (0..20).fold(FLOOD.to_owned(), |text, code| {
        format!("{text}  code-{code}:\n    schedule: {{ every: 200ms }}\n    max_instances: 9\n    retry: 0\n    run: exit {code}\n")
    })
}

/// Looks at a daemon under that flood: every run has its own exit code, and zombies go within a second.
fn check_flood(daemon: &Daemon, zombies: impl Fn() -> Vec<i32>) {
    until("the flood is under way", || {
        let rows = ledger::rows(daemon, "code-19");
        (rows.iter().filter(|row| row.state == "done").count() > 20).then_some(())
    });
    for code in 0..20 {
        let page = daemon.get(&format!("/api/v1/jobs/code-{code}/runs?limit=100"));
        let page = page.json();
        for run in page["runs"].as_array().unwrap() {
            if run["state"] == "done" && run["attempt"] == 1 {
                assert_eq!(run["exit_code"], code, "{run}");
            }
        }
    }
    // Each zombie that is there now is gone soon; others come meanwhile.
    let now = zombies();
    until("the zombies of a moment go", || {
        let still = zombies();
        now.iter().all(|pid| !still.contains(pid)).then_some(())
    });
}

#[test]
fn orphans_of_jobs_are_reaped_and_own_exit_codes_are_not_lost() {
    let folder = Folder::with(&[("jobs.d/a.yaml", &codes())]);
    let daemon = Daemon::start(&folder);
    let pid = i32::try_from(daemon.pid()).unwrap();
    check_flood(&daemon, || Processes::zombies_of(pid));
    folder.write(
        "jobs.d/a.yaml",
        &codes().replace("schedule:", "enabled: false\n    schedule:"),
    );
    assert_eq!(daemon.post("/-/reload", "").status, 200);
    until("no zombie is left", || {
        Processes::zombies_of(pid).is_empty().then_some(())
    });
}

#[test]
fn as_process_one_it_reaps_strangers() {
    let may = Command::new("unshare")
        .args(["-p", "-f", "--mount-proc", "true"])
        .status();
    if !may.is_ok_and(|status| status.success()) {
        not_tested("this machine does not let us make a PID namespace");
        return;
    }
    let folder = Folder::with(&[("jobs.d/a.yaml", &codes())]);
    // Dies with unshare, which the daemon of the test is.
    let daemon = Daemon::start_by(
        &folder,
        &["unshare", "-p", "-f", "--mount-proc", "--kill-child"],
    );
    daemon.wait_until_ready();
    let unshare = i32::try_from(daemon.pid()).unwrap();
    let first = until("elder is process 1", || {
        Processes::children_of(unshare).first().copied()
    });
    assert_eq!(Processes::number_within(first), Some(1));
    check_flood(&daemon, || Processes::zombies_of(first));
    // The stop works as process 1, too: signals without a handler would be dropped there.
    Processes::signal(first, Signal::TERM);
    let mut daemon = daemon;
    assert_eq!(daemon.wait().code(), Some(0));
}
