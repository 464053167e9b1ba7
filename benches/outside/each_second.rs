//! Jobs that all fire each second for a while: how many of the fires came, how late, at what cost;
//! beside the bare loop in the same run.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::checker::{self, Demand, Kind, Report as Checked, Span};
use super::daemon::Daemon;
use super::report::{Report, quantile};
use super::storm::{whole_second, write_jobs};
use super::witness::Witness;
use super::{Plan, limit};

pub fn run(plan: &Plan, report: &mut Report) {
    for (action, quick, usual) in [("http", 200, 5_000), ("sh", 50, 1_000)] {
        if !plan.wants(&format!("each-second-{action}")) {
            continue;
        }
        let n = plan.size(action, quick, usual);
        let seconds = plan.size("seconds", 5, 30);
        let came = elder(plan, action, n, seconds);
        tell(report, "elder", action, n, &came);
        tell(report, "bare", action, n, &bare(plan, action, n, seconds));
        reach(report, action, n, &came);
    }
}

struct Came {
    checked: Checked,
    seconds: usize,
    /// Processor seconds: its own, and its children's.
    cpu: (f64, f64),
}

fn elder(plan: &Plan, action: &str, n: usize, seconds: usize) -> Came {
    let folder = plan.folder.join(format!("each-{action}-{n}"));
    let jobs = folder.join("jobs.d");
    std::fs::create_dir_all(&jobs).expect("a folder");
    let witness = Witness::of(action, &folder);
    let (schedule, at) = match action {
        "http" => ("{ every: 1s }", "${run.scheduled_at}"),
        _ => ("{ every: 1s }", "$ELDER_SCHEDULED_AT"),
    };
    write_jobs(&jobs, action, &witness.target(), n, schedule, at);
    let daemon = Daemon::start(&jobs, &folder.join("state"), &["--job-metrics", "off"]);
    let first = whole_second(3);
    sleep_until(first - Duration::from_millis(500));
    let before = daemon.cpu();
    let last = first + Duration::from_secs(seconds as u64 - 1);
    sleep_until(last + Duration::from_millis(500));
    let after = daemon.cpu();
    // What is still under way comes soon or not at all.
    sleep_until(last + Duration::from_secs(2));
    drop(daemon);
    let cpu = (after.0 - before.0, after.1 - before.1);
    came(&witness, n, first, seconds, cpu)
}

fn bare(plan: &Plan, action: &str, n: usize, seconds: usize) -> Came {
    let witness = Witness::of(action, &plan.folder);
    let first = whole_second(2);
    let child = limit::start(action, &witness.target(), n, first, seconds);
    witness.wait(n * seconds, Duration::from_secs(20));
    let cpu = limit::wait(child);
    came(&witness, n, first, seconds, cpu)
}

fn came(witness: &Witness, n: usize, first: Timestamp, seconds: usize, cpu: (f64, f64)) -> Came {
    let before = first - Duration::from_nanos(1);
    let last = first + Duration::from_secs(seconds as u64 - 1);
    let span = Span::exact(before, last);
    let one = Demand::of_schedule("", "{ every: 1s }", span);
    let again = Demand::every("", Duration::from_secs(1), span);
    assert_eq!(one.targets, again.targets, "two opinions on each second");
    let demands: Vec<_> = (0..n)
        .map(|i| Demand::new(&format!("job-{i}"), one.targets.clone()))
        .collect();
    let seen: Vec<_> = witness
        .seen()
        .into_iter()
        .filter(|it| it.scheduled >= Some(first) && it.scheduled <= Some(last))
        .collect();
    Came {
        checked: checker::check(&demands, &seen, None, None),
        seconds,
        cpu,
    }
}

fn sleep_until(instant: Timestamp) {
    let rest = instant.duration_since(Timestamp::now());
    std::thread::sleep(Duration::try_from(rest).unwrap_or_default());
}

/// What is to be reached: everything delivered, within a second, at little cost of its own.
fn reach(report: &mut Report, action: &str, n: usize, came: &Came) {
    let checked = &came.checked;
    let name = |what: &str| format!("{n} {action} jobs each second: {what}");
    let lost = checked.count(Kind::Lost) as f64;
    report.figure(&name("fires not delivered"), lost, "", 0.0);
    let most = quantile(&checked.late, 1.0);
    report.figure(&name("largest lag"), most, "ms", 1_000.0);
    if action == "http" {
        let cost = came.cpu.0 / (checked.ran as f64 / 1_000.0);
        report.figure(&name("processor per 1,000 fires"), cost, "s", 0.02);
    }
}

fn tell(report: &mut Report, who: &str, action: &str, n: usize, came: &Came) {
    let Came {
        checked,
        seconds,
        cpu,
    } = came;
    let delivered = checked.ran as f64 * 100.0 / checked.demanded as f64;
    let thousands = checked.ran as f64 / 1_000.0;
    let (own, children) = (cpu.0 / thousands, cpu.1 / thousands);
    let (half, most) = (quantile(&checked.late, 0.5), quantile(&checked.late, 1.0));
    let p99 = quantile(&checked.late, 0.99);
    let wrong =
        checked.count(Kind::Doubled) + checked.count(Kind::Early) + checked.count(Kind::Invented);
    report.line(
        &format!(
            "{n} {action} jobs each second for {seconds} s  {who:<5}  delivered {delivered:>6.2} %  lag p50 {half:>8.2} ms  p99 {p99:>8.2} ms  largest {most:>8.2} ms  cpu per 1,000 fires {own:>6.3} s, children {children:>6.3} s  doubled, early or invented {wrong}"
        ),
        json!({
            "part": "each-second", "who": who, "action": action, "jobs": n, "seconds": seconds,
            "delivered_percent": delivered, "lag_p50_ms": half, "lag_p99_ms": p99, "lag_max_ms": most,
            "cpu_seconds_per_1000": own, "children_cpu_seconds_per_1000": children, "wrong": wrong,
        }),
    );
}
