//! The ledger beside bare SQLite: what a durable row before each start costs.
//!
//! Both sides run in one go on one disk, with `synchronous=FULL`; the ratio at the end is what to look at.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark measures with the machine's clock, prints, and ends at the first surprise"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use elder::ids::{JobName, RunId};
use elder::model::{History, Outcome, Run, RunState, Trigger};
use elder::store::{SqliteStore, Store, Write, Written};
use jiff::Timestamp;
use rusqlite::Connection;
use tokio::runtime::Runtime;

/// Fires that are due at one instant.
const BURST: usize = 10_000;
/// Callers that each wait for their own commit.
const PRODUCERS: usize = 256;
/// Fires of one producer in one round.
const FIRES: usize = 40;

/// Time and work of one side.
#[derive(Default)]
struct Tally {
    spent: Duration,
    rows: u64,
}

impl Tally {
    fn per_second(&self) -> f64 {
        self.rows as f64 / self.spent.as_secs_f64()
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let report = [burst(&mut criterion), producers(&mut criterion)];
    criterion.final_summary();
    for (what, store, bare) in report {
        if store.rows == 0 || bare.rows == 0 {
            continue;
        }
        println!(
            "{what}: store {:.0}/s, bare SQLite {:.0}/s, ratio {:.2}",
            store.per_second(),
            bare.per_second(),
            store.per_second() / bare.per_second()
        );
    }
}

/// One commit with a claim for each of many jobs.
fn burst(criterion: &mut Criterion) -> (&'static str, Tally, Tally) {
    let (mut store_tally, mut bare_tally) = (Tally::default(), Tally::default());
    let mut group = criterion.benchmark_group("claims of one burst in one commit");
    group.throughput(Throughput::Elements(BURST as u64));
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let store = SqliteStore::open(&folder.path().join("elder.db")).unwrap();
    let jobs = names(BURST);
    see(&runtime, &store, &jobs);
    let mut second = 0;
    group.bench_function("store", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                second += 1;
                let writes = jobs.iter().map(|job| claim(started(job, second))).collect();
                let begin = Instant::now();
                let answers = runtime.block_on(store.commit(writes)).unwrap();
                spent += begin.elapsed();
                assert!(answers.iter().all(|answer| *answer == Written::Done));
            }
            store_tally.spent += spent;
            store_tally.rows += rounds * BURST as u64;
            spent
        });
    });
    let mut bare = Bare::open(&folder.path().join("bare.db"), &jobs);
    let mut second = 0;
    group.bench_function("bare SQLite", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                second += 1;
                let runs: Vec<Run> = jobs.iter().map(|job| started(job, second)).collect();
                let begin = Instant::now();
                bare.claim(&runs);
                spent += begin.elapsed();
            }
            bare_tally.spent += spent;
            bare_tally.rows += rounds * BURST as u64;
            spent
        });
    });
    group.finish();
    ("claims of one burst", store_tally, bare_tally)
}

/// Many callers at once; each claims a fire, waits, ends it, waits.
fn producers(criterion: &mut Criterion) -> (&'static str, Tally, Tally) {
    let (mut store_tally, mut bare_tally) = (Tally::default(), Tally::default());
    let rows = (PRODUCERS * FIRES * 2) as u64;
    let mut group = criterion.benchmark_group("claims and ends of many callers");
    group.throughput(Throughput::Elements(rows));
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let store = Arc::new(SqliteStore::open(&folder.path().join("elder.db")).unwrap());
    let jobs = names(PRODUCERS);
    see(&runtime, &store, &jobs);
    let mut second = 0;
    group.bench_function("store", |bencher| {
        bencher.iter_custom(|rounds| {
            let begin = Instant::now();
            for _ in 0..rounds {
                let from = second;
                second += FIRES as i64;
                runtime.block_on(async {
                    let callers: Vec<_> = jobs
                        .iter()
                        .map(|job| tokio::spawn(caller(Arc::clone(&store), job.clone(), from)))
                        .collect();
                    for caller in callers {
                        caller.await.unwrap();
                    }
                });
            }
            let spent = begin.elapsed();
            store_tally.spent += spent;
            store_tally.rows += rounds * rows;
            spent
        });
    });
    let mut bare = Bare::open(&folder.path().join("bare.db"), &jobs);
    let mut second = 0;
    group.bench_function("bare SQLite", |bencher| {
        bencher.iter_custom(|rounds| {
            let begin = Instant::now();
            for _ in 0..rounds {
                for _ in 0..FIRES {
                    second += 1;
                    // As well grouped as it can be: all callers in one transaction.
                    let runs: Vec<Run> = jobs.iter().map(|job| started(job, second)).collect();
                    bare.claim(&runs);
                    bare.end(&runs);
                }
            }
            let spent = begin.elapsed();
            bare_tally.spent += spent;
            bare_tally.rows += rounds * rows;
            spent
        });
    });
    group.finish();
    ("claims and ends of many callers", store_tally, bare_tally)
}

async fn caller(store: Arc<SqliteStore>, job: JobName, from: i64) {
    for second in from + 1..=from + FIRES as i64 {
        let run = started(&job, second);
        let claimed = store.commit(vec![claim(run.clone())]).await.unwrap();
        assert_eq!(claimed, [Written::Done]);
        let over = Write::Update {
            run: Box::new(ended(run)),
            output: None,
        };
        store.commit(vec![over]).await.unwrap();
    }
}

/// The same rows and promises by hand: one connection, one loop, nothing in between.
struct Bare {
    conn: Connection,
}

impl Bare {
    fn open(path: &Path, jobs: &[JobName]) -> Self {
        let conn = Connection::open(path).unwrap();
        conn.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;
             PRAGMA wal_autocheckpoint = 4096;
             CREATE TABLE jobs (name TEXT PRIMARY KEY, mark INTEGER) STRICT, WITHOUT ROWID;
             CREATE TABLE runs (id TEXT PRIMARY KEY, job TEXT, scheduled_at INTEGER, state TEXT,
                 outcome TEXT, started_at INTEGER, finished_at INTEGER, duration INTEGER,
                 revision TEXT, source TEXT, UNIQUE (job, scheduled_at)) STRICT, WITHOUT ROWID;",
        )
        .unwrap();
        for job in jobs {
            conn.execute("INSERT INTO jobs VALUES (?1, 0)", [job.as_str()])
                .unwrap();
        }
        Self { conn }
    }

    fn claim(&mut self, runs: &[Run]) {
        let transaction = self.conn.transaction().unwrap();
        let mut insert = transaction
            .prepare_cached(
                "INSERT INTO runs VALUES (?1, ?2, ?3, 'running', NULL, ?3, NULL, NULL, ?4, ?5) \
                 ON CONFLICT DO NOTHING",
            )
            .unwrap();
        let mut mark = transaction
            .prepare_cached("UPDATE jobs SET mark = ?2 WHERE name = ?1 AND mark < ?2")
            .unwrap();
        for run in runs {
            let at = run.scheduled_at.as_second();
            let (job, id) = (run.job.as_str(), run.id.as_str());
            let inserted = insert
                .execute((id, job, at, run.revision.as_deref(), run.source.as_deref()))
                .unwrap();
            assert_eq!(inserted, 1);
            mark.execute((job, at)).unwrap();
        }
        drop((insert, mark));
        transaction.commit().unwrap();
    }

    fn end(&mut self, runs: &[Run]) {
        let transaction = self.conn.transaction().unwrap();
        let mut update = transaction
            .prepare_cached(
                "UPDATE runs SET state = 'done', outcome = 'success', finished_at = ?2, \
                 duration = 5 WHERE id = ?1",
            )
            .unwrap();
        for run in runs {
            update
                .execute((run.id.as_str(), run.scheduled_at.as_second()))
                .unwrap();
        }
        drop(update);
        transaction.commit().unwrap();
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn names(many: usize) -> Vec<JobName> {
    (0..many)
        .map(|number| JobName::new(&format!("team.service-{number}")).unwrap())
        .collect()
}

fn see(runtime: &Runtime, store: &SqliteStore, jobs: &[JobName]) {
    let seen = jobs
        .iter()
        .map(|job| Write::Seen {
            job: job.clone(),
            at: at(0),
            history: History::default(),
        })
        .collect();
    runtime.block_on(store.commit(seen)).unwrap();
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn started(job: &JobName, second: i64) -> Run {
    let mut run = Run::new(
        RunId::of_fire(job, at(second)),
        job.clone(),
        at(second),
        Trigger::Schedule,
    );
    run.state = RunState::Running;
    run.attempt = 1;
    run.started_at = Some(at(second));
    run.revision = Some("0123456789abcdef0123456789abcdef01234567".into());
    run.source = Some("jobs.d/team.yaml:12".into());
    run
}

fn ended(run: Run) -> Run {
    Run {
        state: RunState::Done,
        outcome: Some(Outcome::Success),
        finished_at: Some(run.scheduled_at),
        duration: Some(Duration::from_millis(3)),
        ..run
    }
}

fn claim(run: Run) -> Write {
    Write::Claim { run: Box::new(run) }
}
