//! What many jobs cost while nothing happens: start, memory, checks, a reload, a scrape.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Plan;
use super::daemon::{Daemon, binary};
use super::report::{Report, millis};
use super::sink::{self, Stamps, wall};

pub fn run(plan: &Plan, report: &mut Report) {
    let small = if plan.quick { 1_000 } else { 10_000 };
    let large = if plan.quick { 10_000 } else { 100_000 };
    if plan.wants("validate") {
        for (n, bound) in [(small, 300.0), (large, 3_000.0)] {
            let jobs = idle_jobs(plan, "validate", n, 100);
            report.figure(
                &format!("validate {n} jobs"),
                best_of(3, || validate(&jobs)),
                "ms",
                bound,
            );
        }
    }
    if plan.wants("idle") {
        let jobs = idle_jobs(plan, "idle", large, 1_000);
        let daemon = Daemon::start(&jobs, &plan.folder.join("idle-state"), &[]);
        report.figure(
            &format!("{large} idle jobs: ready after"),
            millis(daemon.ready_after),
            "ms",
            1_500.0,
        );
        std::thread::sleep(Duration::from_secs(2));
        report.figure(
            &format!("{large} idle jobs: resident memory"),
            daemon.resident(),
            "MiB",
            80.0,
        );
        drop(daemon);
        let daemon = Daemon::start(&jobs, &plan.folder.join("idle-state"), &[]);
        report.figure(
            &format!("{large} idle jobs: ready again after kill -9"),
            millis(daemon.ready_after),
            "ms",
            1_500.0,
        );
    }
    if plan.wants("million") && !plan.quick {
        let jobs = idle_jobs(plan, "million", 1_000_000, 10_000);
        let daemon = Daemon::start(&jobs, &plan.folder.join("million-state"), &[]);
        report.figure(
            "1000000 idle jobs: ready after",
            millis(daemon.ready_after),
            "ms",
            20_000.0,
        );
        std::thread::sleep(Duration::from_secs(3));
        report.figure(
            "1000000 idle jobs: resident memory",
            daemon.resident(),
            "MiB",
            800.0,
        );
    }
    for (n, bound) in [(small, 100.0), (large, 500.0)] {
        if plan.wants("reload") {
            reload(plan, report, n, bound);
        }
    }
}

fn best_of(rounds: usize, measure: impl Fn() -> f64) -> f64 {
    (0..rounds).map(|_| measure()).fold(f64::INFINITY, f64::min)
}

/// Jobs that are due on the first of January, `per_file` in a file.
fn idle_jobs(plan: &Plan, name: &str, n: usize, per_file: usize) -> PathBuf {
    let folder = plan.folder.join(format!("{name}-{n}"));
    std::fs::create_dir_all(&folder).expect("a folder");
    let all: Vec<usize> = (0..n).collect();
    for (file, part) in all.chunks(per_file).enumerate() {
        let mut text = String::from("jobs:\n");
        for i in part {
            let (minute, hour) = (i % 60, i / 60 % 24);
            writeln!(
                text,
                "  job-{i}:\n    schedule: \"{minute} {hour} 1 1 *\"\n    run: \"echo {i}\""
            )
            .expect("text");
        }
        std::fs::write(folder.join(format!("{file}.yaml")), text).expect("a job file");
    }
    folder
}

fn validate(jobs: &Path) -> f64 {
    let began = Instant::now();
    let status = Command::new(binary())
        .arg("validate")
        .arg(jobs)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("elder starts");
    assert!(status.success(), "the jobs are in order");
    millis(began.elapsed())
}

/// One file of many is edited while another job fires each second.
fn reload(plan: &Plan, report: &mut Report, n: usize, bound: f64) {
    let jobs = idle_jobs(plan, "reload", n, 10);
    let stamps = Stamps::new(1);
    let target = sink::http(stamps.clone());
    let each_second =
        format!("jobs:\n  second:\n    schedule: {{ every: 1s }}\n    http: http://{target}/0\n");
    std::fs::write(jobs.join("second.yaml"), each_second).expect("a job file");
    let daemon = Daemon::start(&jobs, &plan.folder.join(format!("reload-{n}-state")), &[]);
    std::thread::sleep(Duration::from_secs(2));
    let mut took = Vec::new();
    for round in 0..5 {
        let hour = round + 1;
        let text =
            format!("jobs:\n  job-0:\n    schedule: \"7 {hour} 2 2 *\"\n    run: echo changed\n");
        let rest: String = (1..10)
            .map(|i| format!("  job-{i}:\n    schedule: \"{i} 0 1 1 *\"\n    run: \"echo {i}\"\n"))
            .collect();
        let wanted = format!("02-02T0{hour}:07:00Z");
        let new = jobs.join(".new");
        std::fs::write(&new, text + &rest).expect("a job file");
        let began = Instant::now();
        std::fs::rename(&new, jobs.join("0.yaml")).expect("a rename");
        loop {
            let job = daemon.get("/api/v1/jobs/job-0").expect("elder answers").1;
            if job.contains(&wanted) {
                break;
            }
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "the edit never came in force: {job}"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        took.push(millis(began.elapsed()));
        std::thread::sleep(Duration::from_millis(700));
    }
    took.sort_by(f64::total_cmp);
    report.figure(
        &format!("one file edited among {n} jobs: in force after"),
        took[2],
        "ms",
        bound,
    );
    let began = Instant::now();
    let metrics = daemon.get("/metrics").expect("elder answers").1;
    let name = format!("/metrics at {n} jobs ({} KiB)", metrics.len() / 1024);
    report.figure(
        &name,
        millis(began.elapsed()),
        "ms",
        if n > 10_000 { 500.0 } else { 50.0 },
    );
    drop(daemon);
    let came = stamps.take().remove(0);
    let seconds = (wall() - came[0]) / 1_000_000_000;
    let mut late: Vec<i64> = came.iter().map(|at| at.rem_euclid(1_000_000_000)).collect();
    late.sort_unstable();
    let most = late.last().copied().unwrap_or(i64::MAX) as f64 / 1e6;
    report.figure(
        &format!(
            "  the latest of {} fires beside it in {seconds} s",
            came.len()
        ),
        most,
        "ms",
        50.0,
    );
}
