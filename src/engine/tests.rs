//! Simulated days of the whole engine on a clock set by hand, with each store: rows, files and what
//! the loop holds stay as they were.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::state::Settings;
use super::state::testing::{every, job, second};
use super::{Change, Driver, Handle, Parts};
use crate::action::{Attempt, Attempting, Runner};
use crate::clock::{Clock, HandClock};
use crate::model::{AttemptEnd, Ended, History, Job, NoObserver, Output, Reason};
use crate::store::{Cursor, Mark, MemoryStore, RunQuery, SqliteStore, Store, Write};

/// Attempts that are over at once; of each fire's, some fail.
struct AtOnce;

impl Runner for AtOnce {
    fn attempt(&self, attempt: Attempt) -> Attempting {
        let minute = attempt.scheduled_at.as_second() / 60;
        let ended = match minute % 5 == 0 && attempt.attempt == 1 {
            true => Ended::Failed(Reason::Exit),
            false => Ended::Success,
        };
        let output = Output {
            head: vec![b'x'; 500],
            ..Output::default()
        };
        Box::pin(async move {
            AttemptEnd {
                ended,
                output,
                exit_code: None,
                signal: None,
                http_status: None,
                detail: None,
                retry_after: None,
            }
        })
    }
}

/// Nine jobs of each minute, one of every second hour.
fn jobs() -> Vec<Job> {
    let minutely = |n| {
        job(&format!("job-{n}"), every(60), |policy| {
            policy.retry.max = 1;
            policy.retry.backoff = Duration::from_secs(5);
        })
    };
    let mut jobs: Vec<Job> = (0..9).map(minutely).collect();
    jobs.push(job("rare", every(7_200), |_| {}));
    jobs
}

struct Days {
    clock: HandClock,
    store: Arc<dyn Store>,
    handle: Handle,
    task: JoinHandle<()>,
    executed: u64,
}

impl Days {
    async fn begin(store: Arc<dyn Store>) -> Self {
        let clock = HandClock::new(second(0));
        let seen = jobs().into_iter().map(|job| Write::Seen {
            job: job.name().clone(),
            at: second(0),
            history: History::default(),
        });
        store.commit(seen.collect()).await.unwrap();
        let (handle, task) = start(&clock, &store).await;
        Self {
            clock,
            store,
            handle,
            task,
            executed: 0,
        }
    }

    /// The process dies, and another takes over.
    async fn restart(&mut self) {
        self.executed += self.handle.stats().await.unwrap().total_executed;
        self.task.abort();
        let _ = (&mut self.task).await;
        (self.handle, self.task) = start(&self.clock, &self.store).await;
    }

    /// Lets a minute pass, and everything that comes of it.
    async fn minute(&mut self) {
        // The second attempt of some comes in its midst.
        for _ in 0..6 {
            self.clock.advance(Duration::from_secs(10));
            self.settle().await;
        }
    }

    async fn settle(&self) {
        let mut quiet = 0;
        while quiet < 3 {
            self.handle.recorded().await.unwrap();
            let stats = self.handle.stats().await.unwrap();
            quiet = match stats.running + stats.queued {
                0 => quiet + 1,
                _ => 0,
            };
            tokio::task::yield_now().await;
        }
    }

    /// As the housekeeping does it.
    async fn prune(&self) {
        let now = self.clock.now();
        while self
            .store
            .prune(History::default(), now, 2_000)
            .await
            .unwrap()
            == 2_000
        {}
        self.store.optimize().await.unwrap();
    }

    async fn rows(&self) -> usize {
        let (mut rows, mut after) = (0, None);
        loop {
            let query = RunQuery {
                after,
                limit: 500,
                ..RunQuery::default()
            };
            let page = self.store.runs(query).await.unwrap();
            rows += page.runs.len();
            after = page.runs.last().map(|run| Cursor {
                scheduled_at: run.scheduled_at,
                id: run.id,
            });
            if page.next.is_none() {
                return rows;
            }
        }
    }

    /// `days` with a death every six hours and one in between; says how much there was at the end of each.
    async fn pass(&mut self, days: u64, size: impl Fn() -> u64) -> Vec<(usize, u64)> {
        let mut told = Vec::new();
        for hour in 1..=days * 24 {
            for _ in 0..60 {
                self.minute().await;
            }
            self.prune().await;
            if hour % 6 == 0 {
                self.restart().await;
            }
            if hour % 24 == 0 {
                told.push((self.rows().await, size()));
            }
        }
        self.executed += self.handle.stats().await.unwrap().total_executed;
        self.handle.stop(Timestamp::MAX).await;
        (&mut self.task).await.unwrap();
        assert_eq!(self.executed, days * (9 * 1_440 + 12), "fires that ran");
        told
    }
}

async fn start(clock: &HandClock, store: &Arc<dyn Store>) -> (Handle, JoinHandle<()>) {
    let recalled = store.recall().await.unwrap();
    let (handle, inbox) = Handle::pair();
    let parts = Parts {
        clock: Arc::new(clock.clone()),
        store: Arc::clone(store),
        runner: Arc::new(AtOnce),
        observer: Arc::new(NoObserver),
        settings: Settings {
            max_workers: 4,
            max_requests: 4,
        },
        open: recalled.open,
    };
    let task = tokio::spawn(Driver::new(parts, inbox).run());
    let mark = |job: &Job| -> Mark {
        let found = recalled.marks.iter().find(|(name, _)| name == job.name());
        found.expect("it was seen").1.clone()
    };
    let change = Change {
        at: clock.now(),
        added: jobs()
            .into_iter()
            .map(|job| (job.clone(), mark(&job)))
            .collect(),
        first: true,
        ..Change::default()
    };
    handle.apply(change).await.unwrap();
    (handle, task)
}

/// A hundred runs are kept of each job; what did not run is none here.
const ROWS: usize = 9 * 100 + 100;

#[tokio::test]
async fn a_week_with_the_store_in_memory_leaves_as_many_rows_as_a_day() {
    let mut days = Days::begin(Arc::new(MemoryStore::default())).await;
    let told = days.pass(7, || 0).await;
    assert!(told.iter().all(|(rows, _)| *rows <= ROWS), "{told:?}");
}

#[tokio::test]
async fn days_with_a_file_leave_it_as_large_as_the_first() {
    // Where syncing costs nothing: what is looked at is not the disk.
    let memory = std::path::Path::new("/dev/shm");
    let folder = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    let folder = folder.unwrap();
    let size = || {
        let files = std::fs::read_dir(folder.path()).unwrap().flatten();
        files.map(|file| file.metadata().unwrap().len()).sum()
    };
    let store = SqliteStore::open(&folder.path().join("elder.db")).unwrap();
    let mut days = Days::begin(Arc::new(store)).await;
    let told = days.pass(3, size).await;
    assert!(told.iter().all(|(rows, _)| *rows <= ROWS), "{told:?}");
    let (first, last) = (told[0].1, told[2].1);
    assert!(last <= first * 11 / 10, "{told:?}");
}
