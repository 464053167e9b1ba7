//! What keeps the store small: old rows go, a few at a time.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::model::{Event, Observer};
use crate::store::{HistoryBounds, Store};

/// How often history is looked at.
const EVERY: Duration = Duration::from_secs(60);

/// So many rows at a time: the writer is free for fires between two slices.
const SLICE: usize = 2_000;

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
            let pruned = store
                .prune(HistoryBounds::default(), clock.now(), SLICE)
                .await;
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
