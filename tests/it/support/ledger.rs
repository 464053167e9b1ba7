//! The ledger as the API shows it, beside a witness outside: children append a
//! line each, and the two are compared.

use std::collections::BTreeMap;
use std::time::Duration;

pub use super::checker::Row;
use super::checker::{self, Demand, Seen, Span};
use super::{Daemon, Folder, until};

/// A job line that leaves a line behind: job, instant, attempt.
pub const WITNESS: &str = r#"echo "$ELDER_JOB $ELDER_SCHEDULED_AT $ELDER_ATTEMPT $ELDER_RUN_ID" >> "$ELDER_STATE_DIR/../witness""#;

/// All rows of a job, oldest first.
pub fn rows(daemon: &Daemon, job: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = daemon.get(&format!("/api/v1/jobs/{job}/runs?limit=100{cursor}"));
        assert_eq!(page.status, 200, "{page:?}");
        let page = page.json();
        let runs = page["runs"].as_array().unwrap();
        rows.extend(runs.iter().map(|run| Row::of(run).unwrap()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    rows.reverse();
    rows
}

/// Waits until every row of these jobs is closed.
pub fn wait_until_over(daemon: &Daemon, jobs: &[&str]) {
    until("all runs are over", || {
        let is_over = |job: &&str| rows(daemon, job).iter().all(|row| row.state == "done");
        jobs.iter().all(is_over).then_some(())
    });
}

/// What the children wrote: (job, instant, attempt) → how often, and their run.
pub fn witnessed(folder: &Folder) -> BTreeMap<(String, String, u64), (u32, String)> {
    let mut times = BTreeMap::new();
    for one in seen(folder) {
        let at = one.scheduled.unwrap().to_string();
        let key = (one.job, at, one.attempt);
        times.entry(key).or_insert((0, one.run)).0 += 1;
    }
    times
}

/// The same, attempt by attempt.
pub fn seen(folder: &Folder) -> Vec<Seen> {
    checker::seen_in(&folder.read("witness")).unwrap()
}

/// Asserts that witness and ledger tell the same story of jobs that fire every `period` milliseconds,
/// from their first row to their last: nothing lost, nothing doubled, nothing invented, nothing left open.
pub fn agree(daemon: &Daemon, folder: &Folder, jobs: &[&str], period: u64) {
    let mut all = Vec::new();
    let mut demands = Vec::new();
    for job in jobs {
        let rows = rows(daemon, job);
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            panic!("{job} has no row");
        };
        let before = first.first - Duration::from_nanos(1);
        let span = Span::exact(before, last.last);
        let demand = Demand::every(job, Duration::from_millis(period), span);
        demands.push(Demand {
            most_at_once: i64::MAX,
            most_attempts: u64::MAX,
            ..demand
        });
        all.extend(rows);
    }
    let seen: Vec<Seen> = seen(folder)
        .into_iter()
        .filter(|one| jobs.contains(&one.job.as_str()))
        .collect();
    let report = checker::check(&demands, &seen, Some(&all), None);
    assert!(report.defects.is_empty(), "{report}");
}
