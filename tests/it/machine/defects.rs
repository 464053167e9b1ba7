//! elder breaks, or dies, at the worst of moments: fail points that no release has.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use crate::support::{Daemon, Folder, elapsed, ledger, not_tested};

fn has_fail_points() -> bool {
    if !cfg!(debug_assertions) {
        not_tested("a release has no fail points");
    }
    cfg!(debug_assertions)
}

fn start_at(folder: &Folder, point: &str) -> Daemon {
    let daemon = Daemon::start_with(folder, |program| program.env("ELDER_FAIL_POINT", point));
    daemon.wait_until_ready();
    daemon
}

fn jobs(more: &str) -> String {
    let line = ledger::WITNESS;
    format!(
        "jobs:\n  breaks:\n    schedule: manual\n{more}    run: '{line}'\n  fine:\n    schedule: manual\n    run: '{line}'\n"
    )
}

/// Asks for a run without waiting for the answer, which may never come.
fn ask(daemon: &Daemon) {
    drop(daemon.try_post("/api/v1/jobs/breaks/run", "{}", Duration::from_secs(5)));
}

#[test]
fn a_panic_in_an_attempt_is_that_runs_failure_and_the_rest_goes_on() {
    if !has_fail_points() {
        return;
    }
    let folder = Folder::with(&[("jobs.d/a.yaml", &jobs("    retry: 0\n"))]);
    let daemon = start_at(&folder, "panic-attempt:breaks");
    for job in ["breaks", "fine"] {
        assert_eq!(
            daemon.post(&format!("/api/v1/jobs/{job}/run"), "{}").status,
            200
        );
    }
    ledger::wait_until_over(&daemon, &["breaks", "fine"]);
    let ended = |job: &str| {
        let row = ledger::rows(&daemon, job).remove(0);
        (row.outcome, row.reason)
    };
    assert_eq!(
        ended("breaks"),
        ("failed".to_owned(), "internal".to_owned())
    );
    assert_eq!(ended("fine").0, "success");
    assert_eq!(daemon.get("/healthz").status, 200);
}

#[test]
fn a_panic_of_the_engine_ends_elder_with_a_failure_and_the_next_start_recovers() {
    if !has_fail_points() {
        return;
    }
    let folder = Folder::with(&[("jobs.d/a.yaml", &jobs(""))]);
    let mut daemon = start_at(&folder, "panic-engine:breaks");
    let took = elapsed(|| {
        ask(&daemon);
        let status = daemon.wait();
        assert_eq!(status.code(), Some(1), "{status:?}");
    });
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert!(
        daemon.has_logged("the scheduler broke").is_some(),
        "{:?}",
        daemon.log()
    );
    drop(daemon);
    let daemon = Daemon::start(&folder);
    ledger::wait_until_over(&daemon, &["breaks"]);
    let rows = ledger::rows(&daemon, "breaks");
    assert_eq!((rows.len(), &*rows[0].outcome), (1, "interrupted"));
    assert!(ledger::witnessed(&folder).is_empty(), "nothing was started");
}

/// Lets elder be killed at that point of a run, starts it again, and says how often the run's
/// process ran, and how the row ended.
fn killed_at(point: &str, more: &str) -> (Vec<u32>, String) {
    let folder = Folder::with(&[("jobs.d/a.yaml", &jobs(more))]);
    let mut daemon = start_at(&folder, &format!("{point}:breaks"));
    ask(&daemon);
    assert_eq!(daemon.wait().signal(), Some(9));
    drop(daemon);
    let daemon = Daemon::start(&folder);
    ledger::wait_until_over(&daemon, &["breaks"]);
    // Nothing comes of it later, either.
    drop(daemon);
    let daemon = Daemon::start(&folder);
    let rows = ledger::rows(&daemon, "breaks");
    assert_eq!(rows.len(), 1, "{rows:?}");
    let times = ledger::witnessed(&folder).into_values();
    (
        times.map(|(times, _)| times).collect(),
        rows[0].outcome.clone(),
    )
}

#[test]
fn killed_exactly_between_record_and_start_or_start_and_outcome_nothing_starts_twice() {
    if !has_fail_points() {
        return;
    }
    let rerun = "    after_crash: rerun\n";
    for (point, more, witness, outcome) in [
        ("before-start", "", vec![], "interrupted"),
        ("before-outcome", "", vec![1], "interrupted"),
        // Begun again once, as another attempt of the same run.
        ("before-start", rerun, vec![1], "success"),
        ("before-outcome", rerun, vec![1, 1], "success"),
    ] {
        let (times, ended) = killed_at(point, more);
        assert_eq!((times, &*ended), (witness, outcome), "{point} {more}");
    }
}

#[test]
fn what_is_no_fail_point_is_refused() {
    if !has_fail_points() {
        return;
    }
    let refused = crate::support::elder("run")
        .env("ELDER_FAIL_POINT", "somewhere:x")
        .run();
    assert_eq!(refused.code, Some(2), "{refused}");
}
