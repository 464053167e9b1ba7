//! Writes go to the store in order: one commit at a time, everything that waits in it.
//!
//! After a refusal whatever was sent before the state knew of it is refused as
//! well, so that no later instant of a job gets ahead of an earlier one. Then the
//! store is asked, ever more seldom, until it can be written again.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::model::{Event, Observer};
use crate::store::{Store, Write, Written};

use super::state::Input;

/// So many writes go in one commit at most, so that whoever waits behind a burst does not wait for all of it.
const MOST: usize = 512;

/// After a rest the first commit closes at so many, and each further one at twice as many: the
/// starts that follow from it overlap with the next.
const FIRST: usize = 64;

/// Writes on their way.
pub(super) struct Batch {
    pub(super) number: u64,
    /// How often the store had come back when it was sent.
    pub(super) epoch: u64,
    pub(super) writes: Vec<Write>,
}

/// Commits until nobody sends any more.
pub(super) async fn commit_in_order(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    mut batches: mpsc::UnboundedReceiver<Batch>,
    answers: mpsc::Sender<Input>,
) {
    let mut epoch = 0;
    let mut most = FIRST;
    loop {
        let first = if let Ok(waiting) = batches.try_recv() {
            most = (most * 2).min(MOST);
            waiting
        } else {
            most = FIRST;
            let Some(first) = batches.recv().await else {
                return;
            };
            first
        };
        let group = gather(first, &mut batches, most);
        let began = clock.monotonic();
        let committed = commit(&*store, group, epoch).await;
        observer.observe(&Event::StoreOperation {
            operation: "commit",
            took: clock.monotonic().saturating_sub(began),
            error: committed
                .as_ref()
                .err()
                .map(|refused| refused.error.as_str()),
        });
        let refused = match committed {
            Ok(inputs) => {
                if send(&answers, inputs).await.is_err() {
                    return;
                }
                continue;
            }
            Err(refused) => refused,
        };
        if send(&answers, refused.inputs).await.is_err() {
            return;
        }
        let outage = refuse_until_back(&*store, &*clock, &refused.error, &mut batches, &answers);
        if outage.await.is_err() {
            return;
        }
        observer.observe(&Event::StoreBack);
        epoch += 1;
    }
}

/// Nobody hears any more.
struct Unheard;

struct Refusal {
    error: String,
    inputs: Vec<Input>,
}

fn gather(first: Batch, batches: &mut mpsc::UnboundedReceiver<Batch>, most: usize) -> Vec<Batch> {
    let mut size = first.writes.len();
    let mut group = vec![first];
    while size < most
        && let Ok(next) = batches.try_recv()
    {
        size += next.writes.len();
        group.push(next);
    }
    group
}

async fn commit(store: &dyn Store, group: Vec<Batch>, epoch: u64) -> Result<Vec<Input>, Refusal> {
    let (group, old): (Vec<_>, Vec<_>) = group.into_iter().partition(|b| b.epoch == epoch);
    let mut inputs: Vec<_> = old
        .into_iter()
        .map(|batch| {
            refuse(
                batch.number,
                batch.writes,
                "the store refused what came before",
            )
        })
        .collect();
    let parts: Vec<_> = group.iter().map(|b| (b.number, b.writes.len())).collect();
    let writes: Vec<_> = group.into_iter().flat_map(|batch| batch.writes).collect();
    if writes.is_empty() {
        return Ok(inputs);
    }
    let writes = Arc::new(writes);
    match store.commit_shared(writes.clone()).await {
        Ok(written) => {
            inputs.extend(split(parts, written));
            Ok(inputs)
        }
        Err(error) => {
            let error = error.to_string();
            let mut writes = Arc::unwrap_or_clone(writes).into_iter();
            for (number, length) in parts {
                let own = writes.by_ref().take(length).collect();
                inputs.push(refuse(number, own, &error));
            }
            Err(Refusal { error, inputs })
        }
    }
}

fn split(parts: Vec<(u64, usize)>, written: Vec<Written>) -> impl Iterator<Item = Input> {
    let mut written = written.into_iter();
    parts
        .into_iter()
        .map(move |(batch, length)| Input::Committed {
            batch,
            result: Ok(written.by_ref().take(length).collect()),
        })
}

fn refuse(batch: u64, writes: Vec<Write>, error: &str) -> Input {
    Input::Committed {
        batch,
        result: Err((error.to_owned(), writes)),
    }
}

async fn send(answers: &mpsc::Sender<Input>, inputs: Vec<Input>) -> Result<(), Unheard> {
    for input in inputs {
        answers.send(input).await.map_err(|_| Unheard)?;
    }
    Ok(())
}

/// Refuses everything, and asks the store until it can be written again; then says so.
async fn refuse_until_back(
    store: &dyn Store,
    clock: &dyn Clock,
    error: &str,
    batches: &mut mpsc::UnboundedReceiver<Batch>,
    answers: &mpsc::Sender<Input>,
) -> Result<(), Unheard> {
    const LONGEST: Duration = Duration::from_secs(5);
    let mut wait = Duration::from_millis(100);
    let mut next = later(clock.now(), wait);
    loop {
        tokio::select! {
            biased;
            _ = clock.sleep_until(Some(next)) => {
                if store.check().await.is_ok() {
                    return send(answers, vec![Input::StoreBack]).await;
                }
                wait = (wait * 2).min(LONGEST);
                next = later(clock.now(), wait);
            }
            batch = batches.recv() => {
                let batch = batch.ok_or(Unheard)?;
                send(answers, vec![refuse(batch.number, batch.writes, error)]).await?;
            }
        }
    }
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::clock::HandClock;
    use crate::engine::state::testing::second;
    use crate::ids::JobName;
    use crate::model::History;
    use crate::store::MemoryStore;

    /// How many commits there were.
    #[derive(Default)]
    struct Commits(Mutex<u32>);

    impl Observer for Commits {
        fn observe(&self, event: &Event<'_>) {
            if let Event::StoreOperation { .. } = event {
                *self.0.lock().unwrap() += 1;
            }
        }
    }

    fn batch(number: u64, size: usize) -> Batch {
        let job = JobName::new("a").unwrap();
        let seen = || Write::Seen {
            job: job.clone(),
            at: second(0),
            history: History::default(),
        };
        Batch {
            number,
            epoch: 0,
            writes: (0..size).map(|_| seen()).collect(),
        }
    }

    #[tokio::test]
    async fn a_burst_is_answered_first_by_a_few_then_by_many_and_small_writes_together() {
        #[expect(clippy::disallowed_methods, reason = "as the driver makes it")]
        let (sender, batches) = mpsc::unbounded_channel();
        // One commit waits to be heard while the next is made.
        let (answers, mut answered) = mpsc::channel(1);
        let commits = Arc::new(Commits::default());
        // As the state sends a burst, and then twenty ends of runs.
        let sizes = [64, 128, 256, 512, 512].into_iter().chain([1; 20]);
        let mut sent = 0;
        for (number, size) in (1..).zip(sizes) {
            assert!(sender.send(batch(number, size)).is_ok());
            sent += 1;
        }
        tokio::spawn(commit_in_order(
            Arc::new(MemoryStore::default()),
            Arc::new(HandClock::new(second(0))),
            commits.clone(),
            batches,
            answers,
        ));
        let mut after = Vec::new();
        for _ in 0..sent {
            let Some(Input::Committed { result: Ok(_), .. }) = answered.recv().await else {
                panic!("a batch was not committed");
            };
            after.push(*commits.0.lock().unwrap());
        }
        // Each of the burst has a commit of its own, so that none waits for all; what is small shares one.
        assert!((1..=2).contains(&after[0]), "{after:?}");
        assert!(after[3] >= 4, "{after:?}");
        assert!(after[24] <= 6, "{after:?}");
    }
}
