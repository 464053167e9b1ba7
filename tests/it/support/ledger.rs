//! The ledger as the API shows it, beside a witness outside: children append a
//! line each, and the two are compared.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde_json::Value;

use super::{Daemon, Folder, until};

/// A job line that leaves a line behind: job, instant, attempt.
pub const WITNESS: &str = r#"echo "$ELDER_JOB $ELDER_SCHEDULED_AT $ELDER_ATTEMPT $ELDER_RUN_ID" >> "$ELDER_STATE_DIR/../witness""#;

/// One row as the API tells it.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: String,
    pub first: Timestamp,
    pub last: Timestamp,
    pub count: i128,
    pub state: String,
    pub outcome: String,
    pub reason: String,
    pub attempt: u64,
}

/// All rows of a job, oldest first.
pub fn rows(daemon: &Daemon, job: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = daemon.get(&format!("/api/v1/jobs/{job}/runs?limit=100{cursor}"));
        assert_eq!(page.status, 200, "{page:?}");
        let page = page.json();
        rows.extend(page["runs"].as_array().unwrap().iter().map(row));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    rows.reverse();
    rows
}

fn row(run: &Value) -> Row {
    let instant = |key: &str| run[key].as_str().map(|text| text.parse().unwrap());
    let text = |key: &str| run[key].as_str().unwrap_or_default().to_owned();
    let first = instant("scheduled_at").unwrap();
    Row {
        id: text("run_id"),
        first,
        last: instant("scheduled_until").unwrap_or(first),
        count: run["count"].as_i64().unwrap_or(1).into(),
        state: text("state"),
        outcome: text("outcome"),
        reason: text("reason"),
        attempt: run["attempt"].as_u64().unwrap_or_default(),
    }
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
    let mut seen = BTreeMap::new();
    if !folder.join("witness").exists() {
        return seen;
    }
    for line in folder.read("witness").lines() {
        let words: Vec<_> = line.split(' ').collect();
        let [job, at, attempt, run] = words.as_slice() else {
            panic!("half a line: {line:?}");
        };
        let key = (
            (*job).to_owned(),
            (*at).to_owned(),
            attempt.parse().unwrap(),
        );
        seen.entry(key).or_insert((0, (*run).to_owned())).0 += 1;
    }
    seen
}

/// Asserts that witness and ledger tell the same story of jobs that fire every `period` milliseconds:
/// nothing lost, nothing doubled, nothing invented, nothing left open.
pub fn agree(daemon: &Daemon, folder: &Folder, jobs: &[&str], period: i128) {
    let seen = witnessed(folder);
    for ((job, at, attempt), (times, run)) in &seen {
        assert_eq!(
            *times, 1,
            "{job} at {at}, attempt {attempt} ({run}) ran {times} times"
        );
    }
    for job in jobs {
        let rows = rows(daemon, job);
        let by_id: HashMap<_, _> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
        assert_eq!(by_id.len(), rows.len(), "{job}: an identity twice");
        for ((_, at, attempt), (_, run)) in seen.iter().filter(|((name, ..), _)| name == job) {
            let row = by_id.get(run.as_str());
            let row = row.unwrap_or_else(|| panic!("{job} ran at {at} without a row"));
            assert!(row.attempt >= *attempt, "{job} at {at}: {row:?}");
        }
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            panic!("{job} has no row");
        };
        let step = |from: Timestamp, to: Timestamp| {
            let nanos = to.as_nanosecond() - from.as_nanosecond();
            assert_eq!(nanos % (period * 1_000_000), 0, "{job}: {from} to {to}");
            nanos / (period * 1_000_000)
        };
        for pair in rows.windows(2) {
            assert_eq!(
                step(pair[0].last, pair[1].first),
                1,
                "{job}: a gap or an overlap: {pair:?}"
            );
        }
        let told: i128 = rows.iter().map(|row| row.count).sum();
        assert_eq!(told, step(first.first, last.last) + 1, "{job}: {rows:?}");
        for row in &rows {
            assert_eq!(row.state, "done", "{job}: left open: {row:?}");
            assert!(
                !row.outcome.is_empty(),
                "{job}: without an outcome: {row:?}"
            );
        }
    }
}
