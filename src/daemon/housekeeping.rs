//! What keeps elder small: old rows go, a few at a time, and unused memory goes back to the system.

use std::sync::Arc;
use std::time::Duration;

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

/// Prunes history for ever.
pub(super) async fn prune(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
) {
    loop {
        let next = clock.now().saturating_add(EVERY).ok();
        clock.sleep_until(next).await;
        loop {
            let began = clock.monotonic();
            let pruned = store.prune(History::default(), clock.now(), SLICE).await;
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
