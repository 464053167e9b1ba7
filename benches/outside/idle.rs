//! What jobs cost that are not due for long, from none to a million.

use std::time::Duration;

use serde_json::json;

use super::Plan;
use super::daemon::Daemon;
use super::report::{Report, millis};
use super::standing::idle_jobs;

/// Jobs, and what is to be reached: milliseconds until ready, MiB.
const SIZES: [(usize, f64, f64); 6] = [
    (0, 1_500.0, 80.0),
    (1, 1_500.0, 80.0),
    (1_000, 1_500.0, 80.0),
    (10_000, 1_500.0, 80.0),
    (100_000, 1_500.0, 80.0),
    (1_000_000, 20_000.0, 800.0),
];

pub fn run(plan: &Plan, report: &mut Report) {
    let largest = plan.size("jobs", 10_000, 1_000_000);
    for (n, ready, memory) in SIZES {
        if plan.wants("idle") && n <= largest {
            one(plan, report, n, (ready, memory));
        }
    }
}

fn one(plan: &Plan, report: &mut Report, n: usize, (ready, memory): (f64, f64)) {
    let jobs = idle_jobs(plan, "idle", n, if n > 100_000 { 10_000 } else { 1_000 });
    let state = plan.folder.join(format!("idle-{n}-state"));
    let daemon = Daemon::start(&jobs, &state, &[]);
    let name = |what: &str| format!("{n} idle jobs: {what}");
    report.figure(
        &name("ready after"),
        millis(daemon.ready_after),
        "ms",
        ready,
    );
    // What the load took is given back a second later.
    std::thread::sleep(Duration::from_secs(4));
    report.figure(&name("resident memory"), daemon.resident(), "MiB", memory);
    let (before, cpu) = (daemon.sleeps(), daemon.cpu().0);
    let watched = Duration::from_secs(10);
    std::thread::sleep(watched);
    let wakes = (daemon.sleeps() - before) / watched.as_secs_f64();
    let busy = (daemon.cpu().0 - cpu) / watched.as_secs_f64() * 100.0;
    let (threads, descriptors) = (daemon.entries("task"), daemon.entries("fd"));
    report.line(
        &format!(
            "{n} idle jobs: {threads} threads, {descriptors} descriptors, {wakes:.1} wake-ups a second, {busy:.2} % of a processor"
        ),
        json!({
            "part": "idle", "jobs": n, "threads": threads, "descriptors": descriptors,
            "wakes_per_second": wakes, "cpu_percent": busy,
        }),
    );
    drop(daemon);
    let daemon = Daemon::start(&jobs, &state, &[]);
    let again = millis(daemon.ready_after);
    report.figure(&name("ready again after kill -9"), again, "ms", ready);
}
