//! What keeps elder small: old rows go, a few at a time, and unused memory goes back to the system.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::memory;
use crate::model::{Event, History, Observer};
use crate::store::Store;

/// How often history is looked at.
const EVERY: Duration = Duration::from_secs(60);

/// So many rows at a time: the writer is free for fires between two slices.
const SLICE: usize = 2_000;

/// How long after the start the memory that the load took is given back for the first time.
const SETTLED: Duration = Duration::from_secs(1);

/// A clock that runs ahead of the time that passes by more than this has leapt.
const LEAP: SignedDuration = SignedDuration::from_hours(1);

/// So long a clock that has leapt ahead has to stand by it: who set it wrongly sets it back by then.
const STANDS: Duration = Duration::from_secs(86_400);

/// Gives memory back for ever: soon after the start, and again after twice as long each time, for a
/// load may take a while; in the end now and then, for reloads leave some too.
pub(super) async fn give_back_memory(clock: Arc<dyn Clock>) {
    let mut wait = SETTLED;
    loop {
        clock
            .sleep_until(clock.now().saturating_add(wait).ok())
            .await;
        // Another thread than those that serve: it may take some milliseconds.
        let _ = tokio::task::spawn_blocking(memory::give_back).await;
        wait = (wait * 2).min(EVERY);
    }
}

/// What is old, as far as the clock can be believed: what goes does not come back with the clock.
struct Old {
    /// What the clock said when it was last believed, and how much time had passed by then.
    believed: (Timestamp, Duration),
    /// Since when it has been ahead of that.
    leapt: Option<Duration>,
}

impl Old {
    fn new(clock: &dyn Clock) -> Self {
        Self {
            believed: (clock.now(), clock.monotonic()),
            leapt: None,
        }
    }

    /// The instant to prune by: what the clock says, or, for a day after it has leapt ahead, what it
    /// said before and the time that passed since. After a machine's sleep rows go that much later.
    fn now(&mut self, clock: &dyn Clock) -> Timestamp {
        let (now, passed) = (clock.now(), clock.monotonic());
        let (then, since) = self.believed;
        let expected = then.saturating_add(passed.saturating_sub(since));
        let expected = expected.unwrap_or(Timestamp::MAX);
        if now.duration_since(expected) > LEAP {
            let leapt = *self.leapt.get_or_insert(passed);
            if passed.saturating_sub(leapt) < STANDS {
                return expected;
            }
        }
        self.leapt = None;
        self.believed = (now, passed);
        now
    }
}

/// Prunes history for ever.
pub(super) async fn prune(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
) {
    let mut old = Old::new(&*clock);
    let mut looked = clock.monotonic();
    loop {
        let next = clock.now().saturating_add(EVERY).ok();
        clock.sleep_until(next).await;
        // It also ends when the clock was set, which is no reason to look.
        if clock.monotonic().saturating_sub(looked) < EVERY / 2 {
            continue;
        }
        looked = clock.monotonic();
        let now = old.now(&*clock);
        loop {
            let began = clock.monotonic();
            let pruned = store.prune(History::default(), now, SLICE).await;
            let error = pruned.as_ref().err().map(ToString::to_string);
            observer.observe(&Event::StoreOperation {
                operation: "prune",
                took: clock.monotonic().saturating_sub(began),
                error: error.as_deref(),
            });
            if !pruned.is_ok_and(|count| count >= SLICE as u64) {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::clock::HandClock;
    use crate::ids::{JobName, RunId};
    use crate::model::{Outcome, Run, RunState, Trigger};
    use crate::store::{MemoryBounds, MemoryStore, RunQuery, Write};

    const DAY: Duration = Duration::from_secs(86_400);

    /// How often was pruned.
    #[derive(Default)]
    struct Prunes(AtomicUsize);

    impl Observer for Prunes {
        fn observe(&self, _: &Event<'_>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    struct House {
        clock: HandClock,
        store: Arc<dyn Store>,
        prunes: Arc<Prunes>,
    }

    impl House {
        /// With one run that has just ended.
        async fn new() -> Self {
            let at: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
            let house = Self {
                clock: HandClock::new(at),
                store: Arc::new(MemoryStore::new(MemoryBounds::default())),
                prunes: Arc::default(),
            };
            let job = JobName::new("a").unwrap();
            let mut run = Run::new(RunId::of_fire(&job, at), job.clone(), at, Trigger::Schedule);
            run.state = RunState::Done;
            run.outcome = Some(Outcome::Success);
            let history = History {
                keep: 0,
                ..History::default()
            };
            let long_ago = at - 2 * DAY;
            let writes = vec![
                Write::Seen {
                    job,
                    at: long_ago,
                    history,
                },
                Write::Claim { run: Box::new(run) },
            ];
            house.store.commit(writes).await.unwrap();
            assert_eq!(house.rows().await, 1);
            let clock = Arc::new(house.clock.clone());
            tokio::spawn(prune(house.store.clone(), clock, house.prunes.clone()));
            house.quiet().await;
            house
        }

        async fn rows(&self) -> usize {
            let query = RunQuery {
                limit: 10,
                ..RunQuery::default()
            };
            self.store.runs(query).await.unwrap().runs.len()
        }

        /// Until the task sleeps again: on one thread, nothing that it waits for takes longer.
        async fn quiet(&self) {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }

        /// Lets time pass until it was pruned once more.
        async fn pruned_after(&self, time: Duration) {
            let before = self.prunes.0.load(Ordering::SeqCst);
            self.clock.advance(time);
            self.quiet().await;
            assert!(self.prunes.0.load(Ordering::SeqCst) > before);
        }
    }

    #[tokio::test]
    async fn a_clock_that_leaps_ahead_and_is_set_back_takes_no_history() {
        let house = House::new().await;
        house.pruned_after(EVERY).await;
        let right = house.clock.now();
        house.clock.set(right + 365 * DAY);
        house.quiet().await;
        for _ in 0..30 {
            house.pruned_after(EVERY).await;
        }
        house.clock.set(right + 30 * EVERY);
        house.quiet().await;
        house.pruned_after(EVERY).await;
        assert_eq!(house.rows().await, 1);
        house.pruned_after(91 * DAY).await;
        assert_eq!(house.rows().await, 0, "it is old by then");
    }

    #[tokio::test]
    async fn a_clock_that_is_set_all_the_time_keeps_nothing_from_going() {
        let house = House::new().await;
        for _ in 0..4 {
            house.clock.advance(EVERY / 2);
            house.clock.set(house.clock.now() + Duration::from_secs(1));
            house.quiet().await;
        }
        assert!(house.prunes.0.load(Ordering::SeqCst) > 0);
    }

    #[tokio::test]
    async fn a_clock_that_stands_by_its_leap_is_believed() {
        let house = House::new().await;
        house.clock.set(house.clock.now() + 365 * DAY);
        house.quiet().await;
        house.pruned_after(EVERY).await;
        house.pruned_after(DAY / 2).await;
        assert_eq!(house.rows().await, 1);
        house.pruned_after(DAY / 2).await;
        assert_eq!(house.rows().await, 0);
    }
}
