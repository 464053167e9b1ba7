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
use crate::ids::JobName;
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

/// How long after the last refusal a store that answers is asked, at first and at most.
const SOON: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// A store that answers again is back when nothing is to be written for so long, or something is: what
/// it refused may be more than what it is asked with.
const QUIET: Duration = Duration::from_secs(1);

/// Commits until nobody sends any more.
pub(super) async fn commit_in_order(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    batches: mpsc::UnboundedReceiver<Batch>,
    answers: mpsc::Sender<Input>,
) {
    let mut committer = Committer {
        store,
        clock,
        observer,
        batches,
        answers,
        epoch: 0,
        most: FIRST,
        outage: None,
    };
    while committer.round().await.is_ok() {}
}

struct Committer {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    batches: mpsc::UnboundedReceiver<Batch>,
    answers: mpsc::Sender<Input>,
    /// How often the store has come back.
    epoch: u64,
    /// How many writes the next commit has at most.
    most: usize,
    /// From the first refusal until the store is known to be back: how long it is waited before it is
    /// asked.
    outage: Option<Duration>,
}

/// Nobody hears any more.
struct Unheard;

struct Refusal {
    error: String,
    inputs: Vec<Input>,
}

impl Committer {
    /// The next commit, and what follows if it is refused.
    async fn round(&mut self) -> Result<(), Unheard> {
        let first = self.next().await?;
        let group = gather(first, &mut self.batches, self.most);
        let (group, old): (Vec<_>, Vec<_>) =
            group.into_iter().partition(|it| it.epoch == self.epoch);
        for batch in old {
            let before = "the store refused what came before";
            self.send(refuse(batch.number, batch.writes, before))
                .await?;
        }
        if group.iter().all(|batch| batch.writes.is_empty()) {
            for batch in group {
                self.send(committed(batch.number, Vec::new())).await?;
            }
            return Ok(());
        }
        let began = self.clock.monotonic();
        let moves = renames(&group);
        let answer = commit(&*self.store, group).await;
        self.observer.observe(&Event::StoreOperation {
            operation: "commit",
            took: self.clock.monotonic().saturating_sub(began),
            error: answer.as_ref().err().map(|refused| refused.error.as_str()),
        });
        match answer {
            Ok(inputs) => {
                self.is_back();
                if !moves.is_empty() {
                    let moves = &moves;
                    self.observer.observe(&Event::JobsRenamed { moves });
                }
                self.send_all(inputs).await
            }
            Err(refused) => {
                self.send_all(refused.inputs).await?;
                self.refuse_until_back(&refused.error).await?;
                self.epoch += 1;
                Ok(())
            }
        }
    }

    /// Waits for something to write.
    async fn next(&mut self) -> Result<Batch, Unheard> {
        loop {
            if let Ok(waiting) = self.batches.try_recv() {
                self.most = (self.most * 2).min(MOST);
                return Ok(waiting);
            }
            self.most = FIRST;
            if self.outage.is_none() {
                return self.batches.recv().await.ok_or(Unheard);
            }
            let quiet = later(self.clock.now(), QUIET);
            tokio::select! {
                biased;
                first = self.batches.recv() => return first.ok_or(Unheard),
                _ = self.clock.sleep_until(Some(quiet)) => self.is_back(),
            }
        }
    }

    fn is_back(&mut self) {
        if self.outage.take().is_some() {
            self.observer.observe(&Event::StoreBack);
        }
    }

    /// Refuses everything, and asks the store until it answers; then says so.
    async fn refuse_until_back(&mut self, error: &str) -> Result<(), Unheard> {
        let mut wait = self.outage.unwrap_or(SOON);
        let mut next = later(self.clock.now(), wait);
        loop {
            tokio::select! {
                biased;
                _ = self.clock.sleep_until(Some(next)) => {
                    wait = (wait * 2).min(LONGEST);
                    self.outage = Some(wait);
                    if self.store.check().await.is_ok() {
                        return self.send(Input::StoreBack).await;
                    }
                    next = later(self.clock.now(), wait);
                }
                batch = self.batches.recv() => {
                    let batch = batch.ok_or(Unheard)?;
                    self.send(refuse(batch.number, batch.writes, error)).await?;
                }
            }
        }
    }

    async fn send(&self, input: Input) -> Result<(), Unheard> {
        self.answers.send(input).await.map_err(|_| Unheard)
    }

    async fn send_all(&self, inputs: Vec<Input>) -> Result<(), Unheard> {
        for input in inputs {
            self.send(input).await?;
        }
        Ok(())
    }
}

/// Which jobs take other names by these.
fn renames(group: &[Batch]) -> Vec<(JobName, JobName)> {
    let writes = group.iter().flat_map(|batch| &batch.writes);
    let moves = writes.filter_map(|write| match write {
        Write::Rename { moves, .. } => Some(moves),
        _ => None,
    });
    moves.flatten().cloned().collect()
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

async fn commit(store: &dyn Store, group: Vec<Batch>) -> Result<Vec<Input>, Refusal> {
    let parts: Vec<_> = group.iter().map(|b| (b.number, b.writes.len())).collect();
    let writes: Vec<_> = group.into_iter().flat_map(|batch| batch.writes).collect();
    let writes = Arc::new(writes);
    match store.commit_shared(writes.clone()).await {
        Ok(written) => Ok(split(parts, written)),
        Err(error) => {
            let error = error.to_string();
            let mut writes = Arc::unwrap_or_clone(writes).into_iter();
            let refuse_own = |(number, length)| {
                let own = writes.by_ref().take(length).collect();
                refuse(number, own, &error)
            };
            let inputs = parts.into_iter().map(refuse_own).collect();
            Err(Refusal { error, inputs })
        }
    }
}

fn split(parts: Vec<(u64, usize)>, written: Vec<Written>) -> Vec<Input> {
    let mut written = written.into_iter();
    let parts = parts.into_iter();
    parts
        .map(|(batch, length)| committed(batch, written.by_ref().take(length).collect()))
        .collect()
}

fn committed(batch: u64, written: Vec<Written>) -> Input {
    Input::Committed {
        batch,
        result: Ok(written),
    }
}

fn refuse(batch: u64, writes: Vec<Write>, error: &str) -> Input {
    Input::Committed {
        batch,
        result: Err((error.to_owned(), writes)),
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
    use crate::engine::answering::Answering;
    use crate::engine::state::testing::second;
    use crate::model::History;
    use crate::store::{MemoryStore, StoreError};

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

    /// What was told of the store, and when.
    struct Told(Arc<HandClock>, Mutex<Vec<(&'static str, i64)>>);

    impl Observer for Told {
        fn observe(&self, event: &Event<'_>) {
            let word = match event {
                Event::StoreOperation { error: Some(_), .. } => "refused",
                Event::StoreOperation { .. } => "written",
                Event::StoreBack => "back",
                Event::JobsRenamed { moves } => {
                    assert_eq!(**moves, [pair()]);
                    "renamed"
                }
                _ => return,
            };
            let at = self.0.now().duration_since(second(0)).as_millis();
            self.1.lock().unwrap().push((word, at as i64));
        }
    }

    /// A committer before this store, with a clock and somebody who hears what is told.
    struct Bench {
        sender: mpsc::UnboundedSender<Batch>,
        answered: mpsc::Receiver<Input>,
        clock: Arc<HandClock>,
        told: Arc<Told>,
    }

    impl Bench {
        fn before(store: impl Store) -> Self {
            #[expect(clippy::disallowed_methods, reason = "as the driver makes it")]
            let (sender, batches) = mpsc::unbounded_channel();
            let (answers, answered) = mpsc::channel(64);
            let clock = Arc::new(HandClock::new(second(0)));
            let told = Arc::new(Told(clock.clone(), Mutex::default()));
            tokio::spawn(commit_in_order(
                Arc::new(store),
                clock.clone(),
                told.clone(),
                batches,
                answers,
            ));
            Self {
                sender,
                answered,
                clock,
                told,
            }
        }

        fn send(&self, batch: Batch) {
            assert!(self.sender.send(batch).is_ok());
        }

        async fn advance(&self) {
            self.clock.advance(Duration::from_millis(100));
            tokio::task::yield_now().await;
        }

        fn words(&self) -> Vec<&'static str> {
            let told = self.told.1.lock().unwrap();
            told.iter().map(|(word, _)| *word).collect()
        }
    }

    fn pair() -> (JobName, JobName) {
        let name = |text| JobName::new(text).unwrap();
        (name("a"), name("b"))
    }

    #[tokio::test]
    async fn that_jobs_have_other_names_is_told_when_it_is_written() {
        let mut bench = Bench::before(MemoryStore::default());
        let rename = Write::Rename {
            moves: vec![pair()],
            files: Vec::new(),
        };
        bench.send(Batch {
            writes: vec![rename],
            ..batch(1, 0)
        });
        bench.answered.recv().await.unwrap();
        assert_eq!(bench.words(), ["written", "renamed"]);
    }

    #[tokio::test]
    async fn a_store_that_takes_a_probe_and_no_more_is_asked_ever_more_seldom_and_is_not_back() {
        let small = |writes| match writes {
            0..100 => Ok(()),
            _ => Err(StoreError::Unavailable("full".to_owned())),
        };
        let mut bench = Bench::before(Answering(small));
        let of = |number, epoch, size| Batch {
            epoch,
            ..batch(number, size)
        };
        // Each time it answers, what it refused is the first to be written.
        for epoch in 0..4 {
            bench.send(of(epoch, epoch, 200));
            let Some(Input::Committed { result: Err(_), .. }) = bench.answered.recv().await else {
                panic!("it was written");
            };
            while bench.answered.try_recv().is_err() {
                bench.advance().await;
            }
        }
        // Then nothing is to be written for a while, and then little.
        while bench.words().last() != Some(&"back") {
            bench.advance().await;
        }
        bench.send(of(5, 4, 1));
        bench.answered.recv().await.unwrap();
        let refused = ["refused"; 4];
        assert_eq!(bench.words(), [&refused[..], &["back", "written"]].concat());
        let told = bench.told.1.lock().unwrap();
        let waits: Vec<_> = told.windows(2).map(|two| two[1].1 - two[0].1).collect();
        assert!(waits[0] < waits[1] && waits[1] < waits[2], "{waits:?}");
        assert!(waits[3] >= 1_000, "{waits:?}");
    }

    #[tokio::test]
    async fn a_store_that_has_taken_something_is_back_at_once() {
        let commits = Mutex::new(0);
        let first_refused = move |_| {
            let mut commits = commits.lock().unwrap();
            *commits += 1;
            let full = || StoreError::Unavailable("full".to_owned());
            (*commits > 1).then_some(()).ok_or_else(full)
        };
        let mut bench = Bench::before(Answering(first_refused));
        bench.send(batch(1, 1));
        bench.answered.recv().await.unwrap();
        while bench.answered.try_recv().is_err() {
            bench.advance().await;
        }
        // What was sent before the store was back is refused, and says nothing of it.
        bench.send(batch(2, 1));
        let again = Batch {
            epoch: 1,
            ..batch(3, 1)
        };
        bench.send(again);
        for is_written in [false, true] {
            let Some(Input::Committed { result, .. }) = bench.answered.recv().await else {
                panic!("no answer");
            };
            assert_eq!(result.is_ok(), is_written);
        }
        assert_eq!(bench.words(), ["refused", "written", "back"]);
    }
}
