//! Threads for what blocks: one is there whatever the system says.
//!
//! When a job has used up the processes that elder may have, the system gives no thread
//! either. The runtime then lets work wait for a thread that it has; but it gives threads
//! back when nothing has blocked for a while, and with none at all it panics, which would end
//! the sync, and with it elder, at the first edit of a file.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use tokio::task::spawn_blocking;

/// How often a thread is made use of. Sooner than the runtime gives an idle one back, and soon
/// enough for work that waits: it goes on when a thread can be had again.
const EVERY: Duration = Duration::from_secs(5);

/// Keeps a thread until it is dropped.
pub(super) async fn keep() {
    let (_keep, kept) = sync_channel::<()>(0);
    // It ends when the other end is dropped.
    let _held = spawn_blocking(move || kept.recv());
    loop {
        // Not waited for: each asks the system for a thread, when all that there are are busy.
        drop(spawn_blocking(|| ()));
        tokio::time::sleep(EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_thread_is_there_when_the_runtime_has_given_all_others_back() {
        let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (count_begun, count_ended) = (begun.clone(), ended.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_keep_alive(Duration::from_millis(1))
            .on_thread_start(move || {
                count_begun.fetch_add(1, Ordering::SeqCst);
            })
            .on_thread_stop(move || {
                count_ended.fetch_add(1, Ordering::SeqCst);
            })
            .enable_time()
            .build()
            .unwrap();
        let there = || begun.load(Ordering::SeqCst) - ended.load(Ordering::SeqCst);
        let until = |what: &str, holds: &dyn Fn() -> bool| {
            let tries = (0..6_000).find(|_| {
                std::thread::sleep(Duration::from_millis(10));
                holds()
            });
            assert!(tries.is_some(), "{what}: {} threads", there());
        };
        let keeping = runtime.spawn(keep());
        until("one was made use of and given back", &|| {
            ended.load(Ordering::SeqCst) > 0
        });
        // The worker and the one that is kept.
        until("one is kept", &|| there() == 2);
        keeping.abort();
        until("it goes with who keeps it", &|| there() == 1);
    }
}
