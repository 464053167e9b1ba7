//! Many jobs on one instant: how late is each, is one lost, does one come twice.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::checker::{self, Demand, Kind, Report as Checked, Span, Target};
use super::daemon::Daemon;
use super::delegated::Delegated;
use super::report::{Report, quantile};
use super::witness::Witness;
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
                .map(|round| (elder(plan, action, *n, round, None), bare(plan, action, *n)))
                .collect();
            report.storm(action, *n, &pairs, bound);
        }
    }
    if plan.wants("alone") {
        alone(plan, report);
    }
}

/// The lateness of elder's starts in such a storm, inside a control group or not.
pub fn elder(
    plan: &Plan,
    action: &str,
    n: usize,
    round: usize,
    inside: Option<&Delegated>,
) -> Checked {
    let folder = plan.folder.join(format!("{action}-{n}-{round}"));
    let jobs = folder.join("jobs.d");
    std::fs::create_dir_all(&jobs).expect("a folder");
    let witness = Witness::of(action, &folder);
    // Far enough ahead to be ready, on a whole second.
    let instant = whole_second(4 + n / 2_000);
    let schedule = format!("{{ at: {instant} }}");
    write_jobs(
        &jobs,
        action,
        &witness.target(),
        n,
        &schedule,
        &instant.to_string(),
    );
    let state = folder.join("state");
    let daemon = Daemon::start_in(inside, &jobs, &state, &["--job-metrics", "off"]);
    assert!(
        Timestamp::now() < instant,
        "elder was not ready in time for the storm"
    );
    witness.wait(n, Duration::from_secs(20));
    drop(daemon);
    at_once(n, instant, &witness)
}

fn bare(plan: &Plan, action: &str, n: usize) -> Checked {
    let witness = Witness::of(action, &plan.folder);
    let instant = whole_second(2);
    let child = limit::start(action, &witness.target(), n, instant, 1);
    witness.wait(n, Duration::from_secs(20));
    limit::wait(child);
    at_once(n, instant, &witness)
}

/// So many seconds from now.
pub fn whole_second(ahead: usize) -> Timestamp {
    let ahead = i64::try_from(ahead).expect("few");
    Timestamp::from_second(Timestamp::now().as_second() + ahead).expect("soon")
}

/// Each job once at this instant.
fn at_once(n: usize, instant: Timestamp, witness: &Witness) -> Checked {
    let target = Target {
        scheduled: instant,
        due: instant,
        is_sure: true,
    };
    let demands: Vec<_> = (0..n)
        .map(|i| Demand::new(&format!("job-{i}"), vec![target]))
        .collect();
    checker::check(&demands, &witness.seen(), None, None)
}

/// Jobs that tell the witness who they are, and for which instant; `at` in the words of their action.
pub fn write_jobs(folder: &Path, action: &str, target: &str, n: usize, schedule: &str, at: &str) {
    let all: Vec<usize> = (0..n).collect();
    for (file, part) in all.chunks(1_000).enumerate() {
        let mut text = String::from("jobs:\n");
        for i in part {
            let action = match action {
                "http" => format!("http: \"http://{target}/job-{i}/{at}/run-{at}/1\""),
                _ => format!("run: 'echo job-{i} {at} 1 run-{at} > {target}'"),
            };
            writeln!(text, "  job-{i}:\n    schedule: {schedule}\n    {action}").expect("text");
        }
        std::fs::write(folder.join(format!("{file}.yaml")), text).expect("a job file");
    }
}

/// One job four times a second on a quiet machine.
fn alone(plan: &Plan, report: &mut Report) {
    let seconds = plan.size("seconds", 5, 30) as u64;
    let folder = plan.folder.join("alone");
    let jobs = folder.join("jobs.d");
    std::fs::create_dir_all(&jobs).expect("a folder");
    let witness = Witness::of("http", &folder);
    let target = witness.target();
    let schedule = "{ every: 250ms }";
    let text =
        format!("jobs:\n  alone:\n    schedule: {schedule}\n    http: http://{target}/alone\n");
    std::fs::write(jobs.join("a.yaml"), text).expect("a job file");
    let daemon = Daemon::start(&jobs, &folder.join("state"), &[]);
    let span = Span::exact(
        Timestamp::now(),
        Timestamp::now() + Duration::from_secs(seconds),
    );
    std::thread::sleep(Duration::from_secs(seconds + 1));
    drop(daemon);
    let seen: Vec<_> = witness
        .seen()
        .into_iter()
        .filter(|one| one.began > Some(span.surely.0) && one.began <= Some(span.surely.1))
        .collect();
    let demand = Demand::of_schedule("alone", schedule, span);
    let patience = Some(Duration::from_millis(250));
    let checked = checker::check(&[demand], &seen, None, patience);
    report.figure(
        "one job alone, half of all fires within",
        quantile(&checked.late, 0.5),
        "ms",
        1.0,
    );
    report.figure(
        "one job alone, p99",
        quantile(&checked.late, 0.99),
        "ms",
        3.0,
    );
    report.figure(
        "one job alone, fires that never came",
        checked.count(Kind::Lost) as f64,
        "",
        0.0,
    );
}
