//! Many jobs on one instant: how late is each, is one lost, does one come twice.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use super::daemon::Daemon;
use super::report::{Lateness, Report};
use super::sink::{self, Stamps, wall};
use super::{Plan, limit};

pub fn run(plan: &Plan, report: &mut Report) {
    let sizes: &[usize] = if plan.quick {
        &[1, 100]
    } else {
        &[1, 1_000, 10_000]
    };
    for (action, bound) in [("http", 2.0), ("sh", 1.15)] {
        for n in sizes {
            if !plan.wants(&format!("storm-{action}-{n}")) {
                continue;
            }
            let rounds = if plan.quick { 1 } else { 3 };
            let pairs: Vec<_> = (0..rounds)
                .map(|round| (elder(plan, action, *n, round), bare(plan, action, *n)))
                .collect();
            report.storm(action, *n, &pairs, bound);
        }
    }
    if plan.wants("alone") {
        alone(plan, report);
    }
}

fn elder(plan: &Plan, action: &str, n: usize, round: usize) -> Lateness {
    let stamps = Stamps::new(n);
    let folder = plan.folder.join(format!("{action}-{n}-{round}"));
    let jobs = folder.join("jobs.d");
    std::fs::create_dir_all(&jobs).expect("a folder");
    let target = target(action, &folder, &stamps);
    // Far enough ahead to be ready, on a whole second.
    let ahead = 4 + i64::try_from(n).expect("few") / 2_000;
    let instant = (wall() / 1_000_000_000 + ahead) * 1_000_000_000;
    write_jobs(&jobs, action, &target, n, instant);
    let daemon = Daemon::start(&jobs, &folder.join("state"), &["--job-metrics", "off"]);
    assert!(
        wall() < instant,
        "elder was not ready in time for the storm"
    );
    stamps.wait(n, Duration::from_secs(20));
    drop(daemon);
    Lateness::of(instant, &stamps.take())
}

fn bare(plan: &Plan, action: &str, n: usize) -> Lateness {
    let stamps = Stamps::new(n);
    let target = target(action, &plan.folder, &stamps);
    let instant = (wall() / 1_000_000_000 + 2) * 1_000_000_000;
    let mut child = limit::start(action, &target, n, instant);
    stamps.wait(n, Duration::from_secs(20));
    let _ = child.wait();
    Lateness::of(instant, &stamps.take())
}

fn target(action: &str, folder: &Path, stamps: &Stamps) -> String {
    match action {
        "http" => sink::http(stamps.clone()).to_string(),
        _ => sink::fifo(folder, stamps.clone()).display().to_string(),
    }
}

fn write_jobs(folder: &Path, action: &str, target: &str, n: usize, instant: i64) {
    let at = jiff::Timestamp::from_nanosecond(instant.into()).expect("an instant");
    let all: Vec<usize> = (0..n).collect();
    for (file, part) in all.chunks(1_000).enumerate() {
        let mut text = String::from("jobs:\n");
        for i in part {
            let action = match action {
                "http" => format!("http: http://{target}/{i}"),
                _ => format!("run: \"echo {i} > {target}\""),
            };
            writeln!(
                text,
                "  job-{i}:\n    schedule: {{ at: {at} }}\n    {action}"
            )
            .expect("text");
        }
        std::fs::write(folder.join(format!("{file}.yaml")), text).expect("a job file");
    }
}

/// One job four times a second on a quiet machine.
fn alone(plan: &Plan, report: &mut Report) {
    let seconds = if plan.quick { 5 } else { 30 };
    let folder = plan.folder.join("alone");
    let jobs = folder.join("jobs.d");
    std::fs::create_dir_all(&jobs).expect("a folder");
    let stamps = Stamps::new(1);
    let target = sink::http(stamps.clone());
    let text =
        format!("jobs:\n  alone:\n    schedule: {{ every: 250ms }}\n    http: http://{target}/0\n");
    std::fs::write(jobs.join("a.yaml"), text).expect("a job file");
    let daemon = Daemon::start(&jobs, &folder.join("state"), &[]);
    std::thread::sleep(Duration::from_secs(seconds));
    drop(daemon);
    let came = stamps.take().remove(0);
    let mut late: Vec<i64> = came.iter().map(|at| at.rem_euclid(250_000_000)).collect();
    late.sort_unstable();
    let all = Lateness {
        late,
        ..Lateness::default()
    };
    report.figure(
        "one job alone, half of all fires within",
        all.quantile(0.5),
        "ms",
        1.0,
    );
    report.figure("one job alone, p99", all.quantile(0.99), "ms", 3.0);
}
