//! A control group for each run: what it costs, as a ratio to elder without any.

use super::delegated::Delegated;
use super::report::{Report, quantile};
use super::{Plan, storm};

pub fn run(plan: &Plan, report: &mut Report) {
    if !plan.wants("group") {
        return;
    }
    let Some(group) = Delegated::make("bench") else {
        println!("group: not measured, no control groups of version 2 can be made here");
        return;
    };
    let n = plan.size("sh", 100, 1_000);
    let rounds = if plan.quick { 1 } else { 3 };
    let mut ratios: Vec<f64> = (0..rounds)
        .map(|round| {
            let p99 = |number, inside| {
                let checked = storm::elder(plan, "sh", n, number, inside);
                quantile(&checked.late, 0.99)
            };
            // Folders of their own.
            p99(2 * round + 100, Some(&group)) / p99(2 * round + 101, None)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    report.figure(
        &format!("{n} `sh -c` on one second in control groups, p99 to that without"),
        ratios[rounds / 2],
        "x",
        1.15,
    );
}
