//! The loop around the state: inputs in, effects out. One task owns it all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use crate::action::{Attempt, Runner, Stop};
use crate::clock::Clock;
use crate::decide::Trouble;
use crate::ids::{JobName, RunId};
use crate::model::{AttemptEnd, Observer, Remains, Run};
use crate::store::{Mark, Store};

use super::committer::{self, Batch};
use super::handle::{ApplyAnswer, Message, NotApplied, PauseAnswer, Refusal, Triggered};
use super::state::{Direction, Effect, EndHow, Input, Now, Order, Settings, State, Ticket};

/// The loop goes round at least so often, so that its last round tells that it lives.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Wall and monotonic time may drift apart by so much between two rounds before that is a step.
const STEP: Duration = Duration::from_secs(1);

/// How many inputs are taken before the state looks at the time again.
const ROUND: usize = 256;

/// What the engine acts through.
pub struct Parts {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The ledger.
    pub store: Arc<dyn Store>,
    /// Processes and requests.
    pub runner: Arc<dyn Runner>,
    /// Who is told.
    pub observer: Arc<dyn Observer>,
    /// Bounds.
    pub settings: Settings,
    /// Rows that another process left open.
    pub open: Vec<Run>,
}

/// The engine's loop.
pub struct Driver {
    parts: Parts,
    state: State,
    inbox: mpsc::Receiver<Message>,
    ended: (mpsc::Sender<Finished>, mpsc::Receiver<Finished>),
    committer: mpsc::UnboundedSender<Batch>,
    committed: mpsc::Receiver<Input>,
    found: (mpsc::Sender<Input>, mpsc::Receiver<Input>),
    attempts: HashMap<RunId, watch::Sender<Stop>>,
    tickets: HashMap<Ticket, Waiting>,
    last_ticket: u64,
    stopped: Vec<oneshot::Sender<()>>,
    epoch: u64,
    last: Now,
    /// When the loop goes round even if nothing is due.
    heartbeat: Timestamp,
}

type Finished = (RunId, Box<AttemptEnd>);

/// Who waits for what.
enum Waiting {
    Applied(oneshot::Sender<Result<ApplyAnswer, NotApplied>>),
    Recorded(oneshot::Sender<Result<(), NotApplied>>),
    Triggered(oneshot::Sender<Result<Triggered, Refusal>>),
    Paused(oneshot::Sender<Result<PauseAnswer, Refusal>>),
}

impl Driver {
    /// An engine that reads `inbox`; [`Driver::run`] starts it.
    #[must_use]
    pub fn new(mut parts: Parts, inbox: mpsc::Receiver<Message>) -> Self {
        let now = Now {
            wall: parts.clock.now(),
            monotonic: parts.clock.monotonic(),
        };
        let mut state = State::new(parts.settings, parts.observer.clone(), now);
        let open = std::mem::take(&mut parts.open);
        // Nothing can follow from this before the first change.
        let _ = state.on(Input::Recalled(open), now);
        #[expect(
            clippy::disallowed_methods,
            reason = "bounded by the runs under way: the state sends no write that it did not account for"
        )]
        let (committer, batches) = mpsc::unbounded_channel();
        let (answers, committed) = mpsc::channel(64);
        tokio::spawn(committer::commit_in_order(
            parts.store.clone(),
            parts.clock.clone(),
            parts.observer.clone(),
            batches,
            answers,
        ));
        Self {
            parts,
            state,
            inbox,
            ended: mpsc::channel(4096),
            committer,
            committed,
            found: mpsc::channel(64),
            attempts: HashMap::new(),
            tickets: HashMap::new(),
            last_ticket: 0,
            stopped: Vec::new(),
            epoch: 0,
            last: now,
            heartbeat: now.wall,
        }
    }

    /// Tells it what was found, and ended, of the processes of the rows that were left open.
    #[must_use]
    pub fn knowing(mut self, remains: HashMap<RunId, Remains>) -> Self {
        // Nothing can follow from this before the first change.
        let _ = self.state.on(Input::Remains(remains), self.last);
        self
    }

    /// Tells it what the store remembers of what sages were told.
    #[must_use]
    pub fn remembering(mut self, said: Vec<(String, String)>) -> Self {
        let troubles = said
            .iter()
            .filter_map(|(subject, text)| Some((Trouble::job_of(subject)?, Trouble::parse(text))));
        let troubles = Input::Troubles(troubles.collect());
        // Nothing can follow from this before the first change.
        let _ = self.state.on(troubles, self.last);
        self
    }

    /// Goes round until it was told to stop and everything is over, or until it can go on no more.
    pub async fn run(mut self) {
        let clock = self.parts.clock.clone();
        let mut target = None;
        let mut sleep = clock.sleep_until(Some(self.last.wall));
        while !self.state.is_drained() {
            let wake = self.next_wake();
            if target != Some(wake) {
                target = Some(wake);
                sleep = clock.sleep_until(Some(wake));
            }
            tokio::select! {
                biased;
                // First, or a busy engine would not see that its clock was set.
                _ = &mut sleep => {
                    target = None;
                    self.woke();
                }
                input = self.committed.recv() => match input {
                    Some(input) => self.feed(input),
                    // It only ends before this loop by a panic: without it nothing is ever recorded.
                    None => return,
                },
                Some((run, end)) = self.ended.1.recv() => self.attempt_ended(run, end),
                Some(input) = self.found.1.recv() => self.feed(input),
                Some(message) = self.inbox.recv() => self.message(message),
            }
            self.take_ready();
        }
        debug_assert!(
            self.attempts.is_empty() && self.tickets.is_empty(),
            "nobody waits when all is over"
        );
        for stopped in self.stopped.drain(..) {
            // Who asked may be gone.
            let _ = stopped.send(());
        }
    }

    fn next_wake(&self) -> Timestamp {
        self.state
            .next_wake()
            .map_or(self.heartbeat, |wake| wake.min(self.heartbeat))
    }

    /// Takes what is there already, so that a burst is one round.
    fn take_ready(&mut self) {
        for _ in 0..ROUND {
            if let Ok(input) = self.committed.try_recv() {
                self.feed(input);
            } else if let Ok((run, end)) = self.ended.1.try_recv() {
                self.attempt_ended(run, end);
            } else {
                return;
            }
        }
    }

    /// The loop goes round although nothing came in.
    fn woke(&mut self) {
        self.feed(Input::Tick);
        let heartbeat = self.last.wall.saturating_add(HEARTBEAT);
        self.heartbeat = heartbeat.unwrap_or(Timestamp::MAX);
    }

    fn now(&self) -> Now {
        Now {
            wall: self.parts.clock.now(),
            monotonic: self.parts.clock.monotonic(),
        }
    }

    /// Gives the state an input, and first the news that the clock was set, whoever notices it.
    fn feed(&mut self, input: Input) {
        let now = self.now();
        let step = self.step(now);
        self.last = now;
        if let Some(step) = step {
            // What it says about deadlines is of another time.
            self.heartbeat = now.wall;
            self.feed_at(step, now);
        }
        self.feed_at(input, now);
    }

    /// How the wall clock was set since the last input, if it was.
    fn step(&self, now: Now) -> Option<Input> {
        let passed = now.monotonic.saturating_sub(self.last.monotonic);
        let expected = self.last.wall.saturating_add(passed).ok()?;
        let by = now.wall.duration_since(expected);
        let direction = if by.is_negative() {
            Direction::Backward
        } else {
            Direction::Forward
        };
        let by = by.unsigned_abs();
        (by > STEP).then_some(Input::ClockSet { by, direction })
    }

    fn feed_at(&mut self, input: Input, now: Now) {
        if matches!(input, Input::StoreBack) {
            self.epoch += 1;
        }
        for effect in self.state.on(input, now) {
            self.carry_out(effect);
        }
    }

    fn attempt_ended(&mut self, run: RunId, end: Box<AttemptEnd>) {
        self.attempts.remove(&run);
        self.feed(Input::Ended { run, end });
    }

    fn ticket(&mut self, waiting: Waiting) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.tickets.insert(ticket, waiting);
        ticket
    }

    fn message(&mut self, message: Message) {
        // An answer that nobody waits for any more is dropped.
        match message {
            Message::Apply(change, answer) => {
                let ticket = self.ticket(Waiting::Applied(answer));
                self.feed(Input::Apply(ticket, change));
            }
            Message::Recorded(answer) => {
                let ticket = self.ticket(Waiting::Recorded(answer));
                self.feed(Input::Recorded(ticket));
            }
            Message::Trigger(request, answer) => {
                let ticket = self.ticket(Waiting::Triggered(answer));
                self.feed(Input::Trigger(ticket, request));
            }
            Message::Pause(request, answer) => {
                let ticket = self.ticket(Waiting::Paused(answer));
                self.feed(Input::Pause(ticket, request));
            }
            Message::Pauses(limit, answer) => drop(answer.send(self.state.pauses(limit))),
            Message::Cancel(run, answer) => {
                let can = self.state.can_cancel(run);
                self.feed(Input::Cancel(run));
                drop(answer.send(can));
            }
            Message::Jobs(query, answer) => drop(answer.send(self.state.jobs(&query))),
            Message::Job(name, answer) => drop(answer.send(self.state.job_view(&name))),
            Message::Stats(answer) => drop(answer.send(self.state.stats())),
            Message::Stop(deadline, answer) => {
                self.stopped.push(answer);
                self.feed(Input::Stop(deadline));
            }
            Message::StopNow => self.feed(Input::StopNow),
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Commit { batch, writes } => {
                // The committer lives as long as this loop.
                let _ = self.committer.send(Batch {
                    number: batch,
                    epoch: self.epoch,
                    writes,
                });
            }
            Effect::Attempt(order) => self.attempt(*order),
            Effect::End { run, how } => {
                if let Some(stop) = self.attempts.get(&run) {
                    let how = match how {
                        EndHow::Gracefully => Stop::Gracefully,
                        EndHow::Now => Stop::Now,
                    };
                    stop.send_if_modified(|now| {
                        let is_more = how > *now;
                        *now = how.max(*now);
                        is_more
                    });
                }
            }
            Effect::Applied(ticket, answer) => {
                if let Some(Waiting::Applied(to)) = self.tickets.remove(&ticket) {
                    drop(to.send(answer));
                }
            }
            Effect::Recorded(ticket, answer) => {
                if let Some(Waiting::Recorded(to)) = self.tickets.remove(&ticket) {
                    drop(to.send(answer.map_err(NotApplied::Store)));
                }
            }
            Effect::Triggered(ticket, answer) => {
                if let Some(Waiting::Triggered(to)) = self.tickets.remove(&ticket) {
                    drop(to.send(answer));
                }
            }
            Effect::Paused(ticket, answer) => {
                if let Some(Waiting::Paused(to)) = self.tickets.remove(&ticket) {
                    drop(to.send(answer));
                }
            }
            Effect::ReadMarks(jobs) => self.read_marks(jobs),
            Effect::FindRequest {
                ticket,
                job,
                request,
                otherwise,
            } => {
                let (store, back) = (self.parts.store.clone(), self.found.0.clone());
                tokio::spawn(async move {
                    let run = store.run_of_request(job, request.to_string()).await;
                    let run = run.ok().flatten().map(|run| run.id);
                    let found = Input::RequestFound {
                        ticket,
                        run,
                        otherwise,
                    };
                    // The loop may have ended meanwhile.
                    let _ = back.send(found).await;
                });
            }
        }
    }

    /// Reads marks until the store has answered: without them their jobs would not fire.
    fn read_marks(&self, jobs: Vec<JobName>) {
        let (store, clock) = (self.parts.store.clone(), self.parts.clock.clone());
        let back = self.found.0.clone();
        tokio::spawn(async move {
            let marks = loop {
                match store.marks(jobs.clone()).await {
                    Ok(marks) => break marks,
                    // The loop has ended.
                    Err(_) if back.is_closed() => return,
                    Err(_) => {
                        let again = clock.now().saturating_add(HEARTBEAT).ok();
                        clock.sleep_until(again).await;
                    }
                }
            };
            let known = |(job, mark): (JobName, Option<Mark>)| Some((job, mark?));
            let marks = jobs.into_iter().zip(marks).filter_map(known).collect();
            // The loop may have ended meanwhile.
            let _ = back.send(Input::Marks(marks)).await;
        });
    }

    fn attempt(&mut self, order: Order) {
        let (stop, stopped) = watch::channel(Stop::No);
        let run = order.run;
        self.attempts.insert(run, stop);
        let attempting = self.parts.runner.attempt(Attempt {
            run,
            job: order.job,
            scheduled_at: order.scheduled_at,
            attempt: order.attempt,
            trigger: order.trigger,
            previous_success_at: order.previous_success_at,
            revision: order.revision,
            told: None,
            stop: stopped,
        });
        let back = self.ended.0.clone();
        tokio::spawn(async move {
            let end = Box::new(attempting.await);
            let _ = back.send((run, end)).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::action::Attempting;
    use crate::clock::HandClock;
    use crate::engine::answering::Answering;
    use crate::engine::handle::{Change, Handle, TriggerRequest};
    use crate::engine::state::testing::{every, job, second};
    use crate::ids::JobName;
    use crate::model::{Ended, History, NoObserver, Outcome, Output, Trigger};
    use crate::schedule::{Item, Schedule};
    use crate::store::{Mark, MemoryStore, RunQuery, Write};

    /// Attempts that end as the test says, when it says.
    #[derive(Default)]
    struct Scripted {
        begun: Mutex<Vec<(String, u32, oneshot::Sender<Ended>)>>,
        changed: tokio::sync::Notify,
    }

    impl Scripted {
        async fn next(&self) -> (String, u32, oneshot::Sender<Ended>) {
            loop {
                let changed = self.changed.notified();
                let first = {
                    let mut begun = self.begun.lock().unwrap();
                    (!begun.is_empty()).then(|| begun.remove(0))
                };
                match first {
                    Some(first) => return first,
                    None => changed.await,
                }
            }
        }
    }

    impl Runner for Scripted {
        fn attempt(&self, mut attempt: Attempt) -> Attempting {
            let (tell, told) = oneshot::channel();
            let name = attempt.job.name().to_string();
            let mut begun = self.begun.lock().unwrap();
            begun.push((name, attempt.attempt, tell));
            self.changed.notify_one();
            Box::pin(async move {
                let ended = tokio::select! {
                    ended = told => ended.unwrap_or(Ended::Success),
                    _ = attempt.stop.wait_for(|stop| *stop != Stop::No) => Ended::Stopped,
                };
                AttemptEnd {
                    ended,
                    output: Output::default(),
                    exit_code: None,
                    signal: None,
                    http_status: None,
                    detail: None,
                    retry_after: None,
                }
            })
        }
    }

    struct Bench {
        clock: HandClock,
        store: Arc<MemoryStore>,
        runner: Arc<Scripted>,
        handle: Handle,
        task: tokio::task::JoinHandle<()>,
    }

    async fn bench(jobs: Vec<crate::model::Job>) -> Bench {
        let clock = HandClock::new(second(0));
        let store = Arc::new(MemoryStore::default());
        let runner = Arc::new(Scripted::default());
        let (handle, inbox) = Handle::pair();
        let parts = Parts {
            clock: Arc::new(clock.clone()),
            store: store.clone(),
            runner: runner.clone(),
            observer: Arc::new(NoObserver),
            settings: Settings {
                max_workers: 4,
                max_requests: 4,
            },
            open: Vec::new(),
        };
        let task = tokio::spawn(Driver::new(parts, inbox).run());
        let seen = jobs.iter().map(|job| Write::Seen {
            job: job.name().clone(),
            at: second(0),
            history: History::default(),
        });
        store.commit(seen.collect()).await.unwrap();
        let change = Change {
            at: second(0),
            added: jobs
                .into_iter()
                .map(|job| (job, Mark::first_sight(second(0))))
                .collect(),
            first: true,
            ..Change::default()
        };
        handle.apply(change).await.unwrap();
        Bench {
            clock,
            store,
            runner,
            handle,
            task,
        }
    }

    #[tokio::test]
    async fn a_fire_is_woken_for_recorded_started_and_closed() {
        let bench = bench(vec![job("a", every(10), |_| {})]).await;
        bench.clock.advance(Duration::from_secs(10));
        let (name, attempt, end) = bench.runner.next().await;
        assert_eq!((name.as_str(), attempt), ("a", 1));
        let rows = bench.store.runs(query()).await.unwrap().runs;
        assert_eq!(rows[0].scheduled_at, second(10));
        assert_eq!(rows[0].outcome, None);
        end.send(Ended::Success).unwrap();
        bench.handle.stop(second(20)).await;
        bench.task.await.unwrap();
        let rows = bench.store.runs(query()).await.unwrap().runs;
        assert_eq!(rows[0].outcome, Some(Outcome::Success));
    }

    #[tokio::test]
    async fn a_stop_ends_what_runs_at_the_deadline_and_answers_when_it_is_recorded() {
        let bench = bench(vec![job("a", every(10), |_| {})]).await;
        let request = TriggerRequest {
            job: JobName::new("a").unwrap(),
            request: "r".into(),
            trigger: Trigger::Manual,
        };
        let run = bench.handle.trigger(request).await.unwrap().run;
        let kept = bench.runner.next().await;
        let handle = bench.handle.clone();
        let stopping = tokio::spawn(async move { handle.stop(second(5)).await });
        // The order is heard when nothing more may be asked for.
        let late = TriggerRequest {
            job: JobName::new("a").unwrap(),
            request: "s".into(),
            trigger: Trigger::Manual,
        };
        while bench.handle.trigger(late.clone()).await != Err(Refusal::Stopping) {
            tokio::task::yield_now().await;
        }
        bench.clock.advance(Duration::from_secs(5));
        stopping.await.unwrap();
        bench.task.await.unwrap();
        let (row, _) = bench.store.run(run).await.unwrap().unwrap();
        assert_eq!(row.outcome, Some(Outcome::Interrupted));
        drop(kept);
    }

    #[tokio::test]
    async fn a_scheduler_that_can_record_nothing_more_ends_instead_of_standing_still() {
        let (handle, inbox) = Handle::pair();
        let clock = HandClock::new(second(0));
        let parts = Parts {
            clock: Arc::new(clock),
            store: Arc::new(Answering(|_| panic!("as the test asked for"))),
            runner: Arc::new(Scripted::default()),
            observer: Arc::new(NoObserver),
            settings: Settings {
                max_workers: 1,
                max_requests: 1,
            },
            open: Vec::new(),
        };
        let task = tokio::spawn(Driver::new(parts, inbox).run());
        let startup = Arc::new(Schedule::new(vec![Item::Startup]));
        let change = Change {
            at: second(0),
            added: vec![(job("a", startup, |_| {}), Mark::first_sight(second(0)))],
            first: true,
            ..Change::default()
        };
        handle.apply(change).await.unwrap();
        task.await.unwrap();
        assert_eq!(handle.recorded().await, Err(NotApplied::Stopped));
    }

    fn query() -> RunQuery {
        RunQuery {
            limit: 10,
            ..RunQuery::default()
        }
    }
}
