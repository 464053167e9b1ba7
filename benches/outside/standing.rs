//! What many jobs cost where one of them changes: checks, a reload, a scrape.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Plan;
use super::checker::{self, Demand, Span};
use super::daemon::{Daemon, binary};
use super::report::{Report, millis, quantile};
use super::witness::Witness;

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
    if plan.wants("plan") {
        let jobs = idle_jobs(plan, "plan", small, 100);
        for (what, edit) in [
            ("nothing", ""),
            ("every job", "defaults: { timeout: 7m }\n"),
        ] {
            let now = edited(plan, &jobs, edit);
            report.figure(
                &format!("plan of {small} jobs, {what} changed"),
                best_of(3, || plan_of(&now, &jobs)),
                "ms",
                300.0,
            );
        }
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
pub fn idle_jobs(plan: &Plan, name: &str, n: usize, per_file: usize) -> PathBuf {
    let folder = plan.folder.join(format!("{name}-{n}"));
    std::fs::create_dir_all(&folder).expect("a folder");
    if n == 0 {
        std::fs::write(folder.join("0.yaml"), "jobs: {}\n").expect("a job file");
    }
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

/// A copy of the tree, each file of which begins with that.
fn edited(plan: &Plan, jobs: &Path, first: &str) -> PathBuf {
    let folder = plan.folder.join("plan-edited");
    std::fs::create_dir_all(&folder).expect("a folder");
    for entry in std::fs::read_dir(jobs).expect("a folder").flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("a job file");
        let copy = folder.join(entry.file_name());
        std::fs::write(copy, format!("{first}{text}")).expect("a job file");
    }
    folder
}

fn plan_of(now: &Path, against: &Path) -> f64 {
    let began = Instant::now();
    let status = Command::new(binary())
        .args(["plan", "--format", "json", "--against"])
        .args([against, now])
        .stdout(Stdio::null())
        .status()
        .expect("elder starts");
    assert!(status.success());
    millis(began.elapsed())
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
    let witness = Witness::of("http", &plan.folder);
    let target = witness.target();
    let each_second = format!(
        "jobs:\n  second:\n    schedule: {{ every: 1s }}\n    http: http://{target}/second\n"
    );
    std::fs::write(jobs.join("second.yaml"), each_second).expect("a job file");
    let daemon = Daemon::start(&jobs, &plan.folder.join(format!("reload-{n}-state")), &[]);
    let began_all = Timestamp::now();
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
    let span = Span::exact(began_all, Timestamp::now() - Duration::from_secs(1));
    drop(daemon);
    let demand = Demand::of_schedule("second", "{ every: 1s }", span);
    let mut seen = witness.seen();
    seen.retain(|one| one.began > Some(span.surely.0) && one.began <= Some(span.surely.1));
    let patience = Some(Duration::from_secs(1));
    let checked = checker::check(&[demand], &seen, None, patience);
    let (ran, of) = (checked.ran, checked.demanded);
    report.figure(
        &format!("  the latest of {ran} fires beside it, of {of}"),
        quantile(&checked.late, 1.0),
        "ms",
        50.0,
    );
}
