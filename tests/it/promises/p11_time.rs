//! Steps of the clock and time that stands still: nothing is repeated, nothing storms, all is told.
//!
//! The real engine and a real store of rows, on a clock that is set by hand. Nothing but a machine
//! of its own can have its wall clock set, so a real step is not tested.

use std::future::ready;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use elder::action::{Attempt, Attempting, Runner};
use elder::clock::{Clock, HandClock, Sleep, SystemClock, Wake};
use elder::engine::{Change, Driver, Handle, Parts, Settings};
use elder::ids::{JobName, RunId};
use elder::model::{
    Action, AttemptEnd, Command, Context, Definition, Ended, Event, History, Job, Observer, Origin,
    Outcome, Output, Policy, Process, Reason, Run, RunState, Trigger,
};
use elder::schedule::{Item, Schedule};
use elder::store::{Mark, MemoryStore, RunQuery, SqliteStore, Store, Write};
use jiff::{SignedDuration, Timestamp};
use rustix::process::Signal;

use crate::support::{Daemon, Folder, ledger, until};

/// Ends every attempt at once, and hears of every step.
#[derive(Default)]
struct Witness {
    ran: Mutex<Vec<Timestamp>>,
    jumps: Mutex<Vec<(bool, u64)>>,
}

impl Runner for Witness {
    fn attempt(&self, attempt: Attempt) -> Attempting {
        self.ran.lock().unwrap().push(attempt.scheduled_at);
        Box::pin(ready(AttemptEnd {
            ended: Ended::Success,
            output: Output::default(),
            exit_code: Some(0),
            signal: None,
            http_status: None,
            detail: None,
            retry_after: None,
        }))
    }
}

impl Observer for Witness {
    fn observe(&self, event: &Event<'_>) {
        if let Event::ClockJump { by, forward } = event {
            self.jumps.lock().unwrap().push((*forward, by.as_secs()));
        }
    }
}

fn second(after: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + after).unwrap()
}

fn job(period: u64) -> Job {
    let process = Process {
        command: Command::Exec(Arc::from([])),
        stdin: None,
        success_exit_codes: [0].into(),
    };
    let every = Item::every(Duration::from_secs(period)).unwrap();
    Job {
        definition: Arc::new(Definition {
            aliases: Arc::from([]),
            name: JobName::new("a").unwrap(),
            enabled: true,
            schedule: Arc::new(Schedule::new(vec![every])),
            schedule_text: "test".into(),
            timezone: "UTC".into(),
            action: Action::Process(Box::new(process)),
            context: Arc::new(Context::default()),
            policy: Arc::new(Policy::built_in(Policy::PROCESS_TIMEOUT)),
            about: None,
            id: elder::model::IdCell::default(),
        }),
        origin: Origin {
            file: "jobs.d/a.yaml".into(),
            line: 1,
        },
    }
}

struct Bench {
    store: Arc<MemoryStore>,
    witness: Arc<Witness>,
    handle: Handle,
}

/// An engine with one job, seen at the first second.
async fn bench(clock: Arc<dyn Clock>, period: u64) -> Bench {
    let store = Arc::new(MemoryStore::default());
    let witness = Arc::new(Witness::default());
    let (handle, inbox) = Handle::pair();
    let parts = Parts {
        clock,
        store: store.clone(),
        runner: witness.clone(),
        observer: witness.clone(),
        settings: Settings {
            max_workers: 4,
            max_requests: 4,
        },
        open: Vec::new(),
    };
    tokio::spawn(Driver::new(parts, inbox).run());
    let job = job(period);
    let name = job.name().clone();
    let at = second(0);
    store
        .commit(vec![Write::Seen {
            job: name.clone(),
            at,
            history: History::default(),
        }])
        .await
        .unwrap();
    let mark: Mark = store.marks(vec![name]).await.unwrap().remove(0).unwrap();
    let change = Change {
        at,
        added: vec![(job, mark)],
        first: true,
        ..Change::default()
    };
    handle.apply(change).await.unwrap();
    Bench {
        store,
        witness,
        handle,
    }
}

impl Bench {
    /// Lets the engine do everything that it has to do by now.
    async fn settle(&self) {
        for _ in 0..20 {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            self.handle.recorded().await.unwrap();
        }
    }

    fn ran(&self) -> Vec<i64> {
        let ran = self.witness.ran.lock().unwrap();
        ran.iter()
            .map(|at| at.as_second() - second(0).as_second())
            .collect()
    }

    fn jumps(&self) -> Vec<(bool, u64)> {
        self.witness.jumps.lock().unwrap().clone()
    }

    async fn rows(&self) -> Vec<String> {
        let query = RunQuery {
            limit: 1000,
            ..RunQuery::default()
        };
        let mut rows = self.store.runs(query).await.unwrap().runs;
        rows.reverse();
        let told = rows.iter().map(|run| {
            let at = run.scheduled_at.as_second() - second(0).as_second();
            let outcome = run.outcome.map_or("open", |outcome| outcome.as_str());
            let reason = run.reason.map(|r| format!(" ({r})")).unwrap_or_default();
            format!("{at}: {outcome}{reason} ×{}", run.count)
        });
        told.collect()
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_repeats_nothing_and_is_told() {
    let clock = HandClock::new(second(0));
    let bench = bench(Arc::new(clock.clone()), 600).await;
    for _ in 0..6 {
        clock.advance(Duration::from_secs(600));
        bench.settle().await;
    }
    assert_eq!(bench.ran(), [600, 1200, 1800, 2400, 3000, 3600]);
    clock.set(second(1000));
    bench.settle().await;
    assert_eq!(bench.jumps(), [(false, 2600)]);
    // Up to the mark it was all done; the next fire is the first one after it.
    for _ in 0..260 {
        clock.advance(Duration::from_secs(10));
        bench.settle().await;
    }
    assert_eq!(bench.ran().len(), 6);
    clock.advance(Duration::from_secs(600));
    bench.settle().await;
    assert_eq!(bench.ran()[6..], [4200]);
    assert!(
        bench
            .rows()
            .await
            .iter()
            .all(|row| row.ends_with("success ×1"))
    );
}

#[tokio::test]
async fn a_clock_that_leaps_a_year_ahead_starts_one_fire_and_tells_the_rest() {
    let clock = HandClock::new(second(0));
    let bench = bench(Arc::new(clock.clone()), 600).await;
    let year = 365 * 86_400;
    clock.set(second(year + 30));
    bench.settle().await;
    assert_eq!(bench.jumps(), [(true, 365 * 86_400 + 30)]);
    assert_eq!(bench.ran(), [year]);
    assert_eq!(
        bench.rows().await,
        [
            format!("600: missed (clock) ×{}", year / 600 - 1),
            format!("{year}: success ×1"),
        ]
    );
    // And back: nothing again, and nothing waits for ever that is due after the mark.
    clock.set(second(year - 1000));
    bench.settle().await;
    assert_eq!(bench.jumps().len(), 2);
    clock.advance(Duration::from_secs(1630));
    bench.settle().await;
    assert_eq!(bench.ran(), [year, year + 600]);
}

#[tokio::test]
async fn a_year_ahead_and_back_again_is_mended_at_once_and_repeats_nothing() {
    let clock = HandClock::new(second(0));
    let bench = bench(Arc::new(clock.clone()), 600).await;
    let year = 365 * 86_400;
    clock.advance(Duration::from_secs(600));
    bench.settle().await;
    clock.set(second(year + 30));
    bench.settle().await;
    clock.advance(Duration::from_secs(600));
    bench.settle().await;
    assert_eq!(bench.ran(), [600, year, year + 600]);
    clock.set(second(1800));
    bench.settle().await;
    clock.advance(Duration::from_secs(600));
    bench.settle().await;
    assert_eq!(bench.ran()[3..], [2400], "it does not sleep for a year");
    let name = JobName::new("a").unwrap();
    let view = bench.handle.job(name.clone()).await.unwrap().unwrap();
    assert_eq!((view.ahead, view.next), (None, Some(second(3000))));
    // When that time comes, what ran has run.
    clock.set(second(year - 600));
    bench.settle().await;
    let before = bench.ran().len();
    for _ in 0..4 {
        clock.advance(Duration::from_secs(600));
        bench.settle().await;
    }
    assert_eq!(bench.ran()[before..], [year + 1200, year + 1800]);
}

#[test]
fn a_mark_that_a_wrong_clock_left_a_year_ahead_is_mended_at_the_start() {
    let text = "jobs:\n  often:\n    schedule: { every: 1s }\n    run: 'true'\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let daemon = Daemon::start(&folder);
    until("it runs", || {
        (!ledger::rows(&daemon, "often").is_empty()).then_some(())
    });
    daemon.stop();
    // What an elder writes whose clock is a year ahead for a while.
    let job = JobName::new("often").unwrap();
    let ahead = SystemClock::default().now() + Duration::from_secs(365 * 86_400);
    let ahead = Timestamp::from_second(ahead.as_second()).unwrap();
    let row = |at: Timestamp, outcome, reason| {
        let mut run = Run::new(RunId::of_fire(&job, at), job.clone(), at, Trigger::Schedule);
        run.state = RunState::Done;
        run.outcome = Some(outcome);
        run.reason = reason;
        run.finished_at = Some(at);
        Write::Claim { run: Box::new(run) }
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(&folder.join("state/elder.db")).unwrap();
        let jumped = row(ahead, Outcome::Missed, Some(Reason::Clock));
        let ran = row(ahead + Duration::from_secs(1), Outcome::Success, None);
        store.commit(vec![jumped, ran]).await.unwrap();
    });
    let daemon = Daemon::start(&folder);
    until("the log tells", || daemon.has_logged("the clock was ahead"));
    let now = SystemClock::default().now();
    until("it runs again", || {
        let rows = daemon.get("/api/v1/jobs/often/runs?outcome=success").json();
        let rows = rows["runs"].as_array().unwrap().clone();
        let mut instants = rows.iter().filter_map(|row| {
            let at: Timestamp = row["scheduled_at"].as_str()?.parse().ok()?;
            Some(at)
        });
        instants.any(|at| at > now && at < ahead).then_some(())
    });
    let job = daemon.get("/api/v1/jobs/often").json();
    assert!(job["decided_until"].is_null(), "{job}");
}

#[tokio::test]
async fn time_that_stands_still_is_downtime() {
    // As in a suspend: the wall clock goes on, the other one does not.
    let clock = HandClock::new(second(0));
    let bench = bench(Arc::new(clock.clone()), 3600).await;
    clock.advance(Duration::from_secs(1800));
    bench.settle().await;
    clock.set(second(3600 + 1200));
    bench.settle().await;
    assert_eq!(
        bench.rows().await,
        ["3600: missed (clock) ×1"],
        "twenty minutes late, a quarter of an hour is its grace"
    );
}

/// A clock that was set, and of which no sleep is told.
struct Silent {
    hand: HandClock,
    step: AtomicI64,
}

impl Silent {
    fn step(&self) -> SignedDuration {
        SignedDuration::from_secs(self.step.load(Ordering::SeqCst))
    }
}

impl Clock for Silent {
    fn now(&self) -> Timestamp {
        self.hand.now().checked_add(self.step()).unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.hand.monotonic()
    }

    fn sleep_until(&self, until: Option<Timestamp>) -> Sleep<'_> {
        let until = until.map(|until| until.checked_sub(self.step()).unwrap());
        let sleep = self.hand.sleep_until(until);
        Box::pin(async move {
            let _ = sleep.await;
            Wake::Due
        })
    }
}

#[tokio::test]
async fn whatever_comes_first_after_a_step_tells_of_it() {
    for (step, forward) in [(-5000, false), (5000, true)] {
        let clock = Arc::new(Silent {
            hand: HandClock::new(second(0)),
            step: AtomicI64::new(0),
        });
        let bench = bench(clock.clone(), 3600).await;
        clock.step.store(step, Ordering::SeqCst);
        let request = elder::engine::TriggerRequest {
            job: JobName::new("a").unwrap(),
            request: "r".into(),
            trigger: elder::model::Trigger::Manual,
        };
        bench.handle.trigger(request).await.unwrap();
        assert_eq!(bench.jumps(), [(forward, 5000)]);
    }
}

#[test]
fn a_stopped_machine_loses_nothing() {
    let text = format!(
        "jobs:\n  often:\n    schedule: {{ every: 200ms }}\n    misfire_grace_time: 0s\n    run: '{}'\n",
        ledger::WITNESS
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    let daemon = Daemon::start(&folder);
    until("it runs", || {
        (ledger::witnessed(&folder).len() > 2).then_some(())
    });
    daemon.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(3));
    daemon.signal(Signal::CONT);
    let missed = until("the time away is told", || {
        let rows = ledger::rows(&daemon, "often");
        rows.into_iter().find(|row| row.outcome == "missed")
    });
    assert!(missed.count >= 8, "{missed:?}");
    let before = ledger::witnessed(&folder).len();
    until("it goes on", || {
        (ledger::witnessed(&folder).len() > before + 2).then_some(())
    });
    let off = text.replace("schedule:", "enabled: false\n    schedule:");
    folder.write("jobs.d/a.yaml", &off);
    assert_eq!(daemon.post("/-/reload", "").status, 200);
    ledger::wait_until_over(&daemon, &["often"]);
    ledger::agree(&daemon, &folder, &["often"], 200);
}
