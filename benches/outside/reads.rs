//! What the API answers while very many runs are under way.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::Plan;
use super::daemon::Daemon;
use super::report::{Report, millis};
use super::storm::whole_second;
use super::witness::Witness;

/// To reach for each question, in milliseconds.
const BOUND: f64 = 20.0;

pub fn run(plan: &Plan, report: &mut Report) {
    if !plan.wants("reads") {
        return;
    }
    let n = plan.size("flight", 100, 1_000);
    let folder = plan.folder.join("reads");
    let jobs = folder.join("jobs.d");
    std::fs::create_dir_all(&jobs).expect("a folder");
    let witness = Witness::of("http", &folder);
    let (target, at) = (witness.target(), whole_second(4));
    let mut text = String::from("jobs:\n");
    for i in 0..n {
        writeln!(
            text,
            "  job-{i}:\n    schedule: {{ at: {at} }}\n    timeout: 2m\n    http: \"http://{target}/job-{i}?hold=60000\""
        )
        .expect("text");
    }
    std::fs::write(jobs.join("a.yaml"), text).expect("a job file");
    let daemon = Daemon::start(&jobs, &folder.join("state"), &[]);
    witness.wait(n, Duration::from_secs(20));
    assert_eq!(witness.count(), n, "not all are under way");
    for path in [
        "/healthz",
        "/api/v1/jobs?limit=100",
        "/api/v1/jobs/job-0",
        "/api/v1/jobs/job-0/runs",
        "/api/v1/runs?limit=100",
        "/api/v1/stats",
        "/metrics",
    ] {
        let mut took: Vec<f64> = (0..50).map(|_| ask(&daemon, path)).collect();
        took.sort_by(f64::total_cmp);
        let name = format!("{n} runs under way: slowest of 50 GET {path}");
        report.figure(&name, took[49], "ms", BOUND);
    }
}

fn ask(daemon: &Daemon, path: &str) -> f64 {
    let began = Instant::now();
    let (status, _) = daemon.get(path).expect("elder answers");
    assert_eq!(status, 200, "{path}");
    millis(began.elapsed())
}
