//! Starts after `kill -9`, with much history in the store and fires all the time.

use std::fmt::Write as _;
use std::time::Duration;

use elder::ids::{JobName, RunId};
use elder::model::{History, Outcome, Run, RunState, Trigger};
use elder::store::{SqliteStore, Store, Write};
use jiff::Timestamp;

use super::Plan;
use super::checker::{self, Demand, Row, Span};
use super::daemon::Daemon;
use super::report::{Report, millis};
use super::witness::Witness;

/// Jobs that have a history, and jobs that fire.
const OLD: usize = 1_000;
const FIRING: usize = 50;

pub fn run(plan: &Plan, report: &mut Report) {
    if !plan.wants("restart") {
        return;
    }
    let rows = plan.size("rows", 10_000, 1_000_000);
    let kills = plan.size("kills", 3, 10);
    let folder = plan.folder.join("restart");
    let (jobs, state) = (folder.join("jobs.d"), folder.join("state"));
    std::fs::create_dir_all(&jobs).expect("a folder");
    remember(&state.join("elder.db"), rows);
    let witness = Witness::of("http", &folder);
    write_jobs(&jobs, &witness.target());
    let began = Timestamp::now();
    let mut daemon = Daemon::start(&jobs, &state, &[]);
    let known = Timestamp::now();
    let first = millis(daemon.ready_after);
    report.figure(
        &format!("first start with {rows} rows"),
        first,
        "ms",
        1_000.0,
    );
    let mut slowest = Duration::ZERO;
    for kill in 0..kills {
        let moment = 1_000 + (kill * 370 % 1_000) as u64;
        std::thread::sleep(Duration::from_millis(moment));
        drop(daemon);
        daemon = Daemon::start(&jobs, &state, &[]);
        slowest = slowest.max(daemon.ready_after);
    }
    report.figure(
        &format!("ready after kill -9 with {rows} rows, slowest of {kills}"),
        millis(slowest),
        "ms",
        1_000.0,
    );
    std::thread::sleep(Duration::from_secs(2));
    let until = Timestamp::now() - Duration::from_secs(1);
    let span = Span::exact(known, until);
    let is_within = |at: Timestamp| at > span.surely.0 && at <= span.surely.1;
    let demands: Vec<_> = (0..FIRING)
        .map(|i| Demand::of_schedule(&format!("job-{i}"), "{ every: 1s }", span))
        .collect();
    let seen: Vec<_> = witness
        .seen()
        .into_iter()
        .filter(|one| one.scheduled.is_some_and(is_within))
        .collect();
    let mut told = Vec::new();
    for demand in &demands {
        let path = format!("/api/v1/jobs/{}/runs?limit=100", demand.job);
        let page = daemon.get(&path).expect("elder answers").1;
        let page: serde_json::Value = serde_json::from_str(&page).expect("JSON");
        let runs = page["runs"].as_array().expect("rows").iter();
        told.extend(runs.filter_map(Row::of).filter(|row| is_within(row.first)));
    }
    let checked = checker::check(&demands, &seen, Some(&told), None);
    assert!(began < known, "time goes on");
    let defects = checked.defects.len();
    if defects > 0 {
        println!("{checked}");
    }
    report.figure(
        &format!(
            "fires lost, doubled or invented by {kills} kills, of {}",
            checked.demanded
        ),
        defects as f64,
        "",
        0.0,
    );
}

/// Fills a store with rows that have ended.
fn remember(place: &std::path::Path, rows: usize) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = SqliteStore::open(place).expect("a store");
        let start = Timestamp::now() - Duration::from_secs(86_400);
        let names: Vec<JobName> = (0..OLD)
            .map(|i| JobName::new(&format!("old-{i}")).expect("a name"))
            .collect();
        let seen = names.iter().map(|job| Write::Seen {
            job: job.clone(),
            at: start,
            history: History::default(),
        });
        store.commit(seen.collect()).await.expect("written");
        let all: Vec<usize> = (0..rows).collect();
        for part in all.chunks(10_000) {
            let claims = part.iter().map(|index| {
                let job = names[index % OLD].clone();
                let at = start + Duration::from_secs((index / OLD) as u64 + 1);
                let id = RunId::of_fire(&job, at);
                let mut run = Run::new(id, job, at, Trigger::Schedule);
                (run.state, run.outcome) = (RunState::Done, Some(Outcome::Success));
                (run.attempt, run.started_at, run.finished_at) = (1, Some(at), Some(at));
                Write::Claim { run: Box::new(run) }
            });
            store.commit(claims.collect()).await.expect("written");
        }
    });
}

fn write_jobs(folder: &std::path::Path, target: &str) {
    let mut text = String::from("jobs:\n");
    for i in 0..OLD {
        writeln!(
            text,
            "  old-{i}:\n    schedule: \"0 0 1 1 *\"\n    history: {{ keep: 100000 }}\n    run: 'true'"
        )
        .expect("text");
    }
    for i in 0..FIRING {
        writeln!(
            text,
            "  job-{i}:\n    schedule: {{ every: 1s }}\n    http: \"http://{target}/job-{i}/${{run.scheduled_at}}/${{run.id}}/${{run.attempt}}\""
        )
        .expect("text");
    }
    std::fs::write(folder.join("a.yaml"), text).expect("a job file");
}
