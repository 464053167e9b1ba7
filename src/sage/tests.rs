//! Deliveries on a clock set by hand, with the memory store and scripted answers.

mod rests;
mod troubles;

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::*;
use crate::action::{Attempt, Attempting, Stop};
use crate::clock::HandClock;
use crate::decide;
use crate::ids::{JobName, RunId, SageName};
use crate::model::{
    Action, AttemptEnd, Command, Delivery, Ended, Event, Letter, Output, Policy, Process, Reason,
    Sage, SageEvent, Text,
};
use crate::store::shelf::{Gives, Shelf};
use crate::store::{MemoryStore, Store, Telling, Write};

fn second(after: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + after).unwrap()
}

fn name(text: &str) -> SageName {
    SageName::new(text).unwrap()
}

/// How a sage answers.
#[derive(Clone, Copy)]
enum Answer {
    Takes,
    Refuses(u16),
    Asks(Duration),
    /// Refuses once [`Sink::late`] is told.
    RefusesLate(u16),
    Hangs,
}

/// What sages were told, and how each answers from now on.
#[derive(Default)]
struct Sink {
    heard: Mutex<Vec<(String, Value, u32)>>,
    answers: Mutex<HashMap<String, Answer>>,
    /// Jobs of which no letter is taken, whatever else the sage answers.
    refused: Mutex<Vec<String>>,
    results: Mutex<BTreeMap<(String, &'static str), u64>>,
    waiting: Mutex<BTreeMap<String, u64>>,
    changed: Notify,
    late: Arc<Notify>,
}

use tokio::sync::Notify;

impl Sink {
    fn answer(&self, sage: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(sage.to_owned(), answer);
    }

    /// Waits until something is so.
    async fn until<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let patience = Duration::from_secs(20);
        let wait = async {
            loop {
                let changed = self.changed.notified();
                if let Some(found) = look(self) {
                    return found;
                }
                changed.await;
            }
        };
        let found = tokio::time::timeout(patience, wait).await;
        found.unwrap_or_else(|_| panic!("never: {what}; heard {:?}", self.heard.lock().unwrap()))
    }

    /// The jobs of which this sage was told, in order.
    fn jobs(&self, sage: &str) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        let own = heard.iter().filter(|(to, ..)| to == sage);
        own.map(|(_, body, _)| body["job"].as_str().unwrap_or("-").to_owned())
            .collect()
    }

    fn result(&self, sage: &str, result: &'static str) -> u64 {
        let results = self.results.lock().unwrap();
        results
            .get(&(sage.to_owned(), result))
            .copied()
            .unwrap_or(0)
    }
}

impl Runner for Sink {
    fn attempt(&self, mut attempt: Attempt) -> Attempting {
        let told = attempt.told.clone().unwrap();
        let sage = told.sage().to_string();
        let body: Value = serde_json::from_str(told.body()).unwrap();
        assert_eq!(body["id"], attempt.run.as_str());
        let job = body["job"].as_str().unwrap_or("-").to_owned();
        let heard = (sage.clone(), body, attempt.attempt);
        self.heard.lock().unwrap().push(heard);
        let answers = self.answers.lock().unwrap();
        let answer = match self.refused.lock().unwrap().contains(&job) {
            true => Answer::Refuses(400),
            false => answers.get(&sage).copied().unwrap_or(Answer::Takes),
        };
        self.changed.notify_waiters();
        let late = self.late.clone();
        Box::pin(async move {
            let mut end = AttemptEnd {
                ended: Ended::Success,
                output: Output::default(),
                exit_code: None,
                signal: None,
                http_status: None,
                detail: None,
                retry_after: None,
            };
            match answer {
                Answer::Takes => {}
                Answer::Refuses(status) | Answer::RefusesLate(status) => {
                    if matches!(answer, Answer::RefusesLate(_)) {
                        late.notified().await;
                    }
                    end.ended = Ended::Failed(Reason::Http);
                    end.http_status = Some(status);
                }
                Answer::Asks(wait) => {
                    end.ended = Ended::Failed(Reason::Http);
                    end.retry_after = Some(wait);
                }
                Answer::Hangs => {
                    // Whoever stops it is heard.
                    let _ = attempt.stop.wait_for(|stop| *stop != Stop::No).await;
                    end.ended = Ended::Stopped;
                }
            }
            end
        })
    }
}

impl Observer for Sink {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::SageDelivery {
                sage,
                result,
                count,
                ..
            } => {
                let key = (sage.to_string(), result.as_str());
                *self.results.lock().unwrap().entry(key).or_default() += count;
            }
            Event::SageWaiting { sage, count } => {
                self.waiting
                    .lock()
                    .unwrap()
                    .insert(sage.to_string(), *count);
            }
            _ => {}
        }
        self.changed.notify_waiters();
    }
}

struct Bench {
    clock: HandClock,
    store: Arc<MemoryStore>,
    sink: Arc<Sink>,
    herald: Arc<Herald>,
    book: Book,
    stopper: Option<Stopper>,
    task: JoinHandle<()>,
}

fn sage(of: &str, edit: impl FnOnce(&mut Sage)) -> Sage {
    let mut policy = Policy::built_in(Sage::TIMEOUT);
    policy.retry = Sage::built_in_retry();
    let mut sage = Sage {
        name: name(of),
        action: Action::Process(Box::new(Process {
            command: Command::Exec([Text::plain("true")].into()),
            stdin: None,
            success_exit_codes: [0].into(),
        })),
        context: Arc::default(),
        policy: Arc::new(policy),
        after: 1,
        remind: Sage::REMIND,
        events: SageEvent::OF_ELDER.to_vec(),
    };
    edit(&mut sage);
    sage
}

fn sages(all: &[Sage]) -> Arc<Sages> {
    let all = all
        .iter()
        .map(|sage| (sage.name.clone(), Arc::new(sage.clone())));
    Arc::new(all.collect())
}

impl Bench {
    fn new(names: &[&str]) -> Self {
        let clock = HandClock::new(second(0));
        let bench = Self::on(clock, Arc::default(), courier::Limits::default());
        let all: Vec<Sage> = names.iter().map(|name| sage(name, |_| {})).collect();
        bench.book.replace(sages(&all));
        bench
    }

    fn on(clock: HandClock, store: Arc<MemoryStore>, limits: courier::Limits) -> Self {
        let asked = store.clone();
        Self::asking(clock, store, asked, limits)
    }

    /// With a store of its own that the deliveries ask.
    fn asking(
        clock: HandClock,
        store: Arc<MemoryStore>,
        asked: Arc<dyn Store>,
        limits: courier::Limits,
    ) -> Self {
        let sink = Arc::new(Sink::default());
        let (herald, hints) = herald();
        let parts = Parts {
            store: asked,
            runner: sink.clone(),
            observer: sink.clone(),
            clock: Arc::new(clock.clone()),
            server_url: Arc::new(OnceLock::from("http://127.0.0.1:8000".to_owned())),
            said: Vec::new(),
        };
        let (mut deliveries, book, stopper) = Deliveries::new(parts, hints);
        deliveries.courier.limits = limits;
        Self {
            clock,
            store,
            sink,
            herald,
            book,
            stopper: Some(stopper),
            task: tokio::spawn(deliveries.run()),
        }
    }

    /// As the engine does it: into the store, then a hint.
    async fn tell(&self, sage: &str, jobs: &[&str]) {
        let at = self.clock.now();
        let letters = jobs.iter().map(|job| letter(sage, job, at)).collect();
        let telling = Telling {
            letters,
            said: Vec::new(),
        };
        let write = Write::Tell(Box::new(telling));
        self.store.commit(vec![write]).await.unwrap();
        self.herald.observe(&Event::LettersWritten);
    }

    /// Lets time pass in steps, with time for what follows from each.
    async fn pass(&self, total: Duration, step: Duration) {
        let mut left = total;
        while !left.is_zero() {
            let by = step.min(left);
            self.clock.advance(by);
            left -= by;
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn end(mut self) -> (HandClock, Arc<MemoryStore>, Arc<Sink>) {
        self.stopper.take().unwrap().stop();
        self.task.await.unwrap();
        (self.clock, self.store, self.sink)
    }
}

fn letter(sage: &str, job: &str, at: Timestamp) -> Letter {
    static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let id = RunId::of_request(&name(sage), at, &number.to_string());
    Letter {
        id,
        sage: name(sage),
        job: Some(JobName::new(job).unwrap()),
        event: SageEvent::Failure,
        at,
        body: format!("{{\"id\":\"{id}\",\"job\":\"{job}\",\"run_id\":\"R\"}}").into(),
    }
}

#[tokio::test]
async fn a_letter_is_delivered_and_leaves_the_outbox() {
    let bench = Bench::new(&["s"]);
    bench.tell("s", &["a", "b"]).await;
    let sink = &bench.sink;
    sink.until("both", |sink| {
        (sink.result("s", "delivered") == 2).then_some(())
    })
    .await;
    assert_eq!(sink.jobs("s"), ["a", "b"]);
    let heard = sink.heard.lock().unwrap()[0].1.clone();
    assert_eq!(heard["url"], "http://127.0.0.1:8000/api/v1/runs/R");
    let (_, store, sink) = bench.end().await;
    assert!(store.outbox(0, 10).await.unwrap().is_empty());
    assert_eq!(sink.waiting.lock().unwrap()["s"], 0);
}

#[tokio::test]
async fn a_sage_that_is_away_for_an_hour_costs_few_attempts_and_gets_all_in_order() {
    let bench = Bench::new(&["s"]);
    bench.sink.answer("s", Answer::Refuses(503));
    let jobs: Vec<String> = (0..40).map(|n| format!("job-{}", n % 8)).collect();
    for job in &jobs {
        bench.tell("s", &[job]).await;
    }
    bench
        .pass(Duration::from_secs(3600), Duration::from_secs(10))
        .await;
    let tried = bench.sink.heard.lock().unwrap().len();
    assert!((5..30).contains(&tried), "{tried} attempts within the hour");
    bench.sink.answer("s", Answer::Takes);
    bench
        .pass(Duration::from_secs(3600), Duration::from_secs(60))
        .await;
    let sink = &bench.sink;
    sink.until("all", |sink| {
        (sink.result("s", "delivered") == 40).then_some(())
    })
    .await;
    // Those after the first that was taken are all of them; of each job in the order of writing.
    let heard = sink.heard.lock().unwrap();
    let mut last: HashMap<String, String> = HashMap::new();
    for (_, body, _) in heard.iter() {
        let (job, id) = (body["job"].to_string(), body["id"].to_string());
        let seen = heard
            .iter()
            .filter(|(_, other, _)| other["id"] == body["id"]);
        let attempts: Vec<u32> = seen.map(|(.., attempt)| *attempt).collect();
        let want: Vec<u32> = (1..=attempts.len() as u32).collect();
        assert_eq!(attempts, want, "one identity, counted on");
        last.insert(job, id);
    }
    assert_eq!(last.len(), 8);
    let delivered: Vec<&Value> = heard
        .iter()
        .rev()
        .take(40)
        .map(|(_, body, _)| body)
        .collect();
    let mut ids: Vec<String> = delivered
        .iter()
        .rev()
        .map(|body| body["job"].to_string())
        .collect();
    ids.dedup();
    assert!(ids.len() > 8, "they take turns: {ids:?}");
}

#[tokio::test]
async fn a_sage_that_hangs_holds_up_no_other_and_a_stop_does_not_wait_for_it() {
    let bench = Bench::new(&["hangs", "s"]);
    bench.sink.answer("hangs", Answer::Hangs);
    for n in 0..20 {
        bench.tell("hangs", &[&format!("a-{n}")]).await;
    }
    bench.tell("s", &["a"]).await;
    let sink = &bench.sink;
    sink.until("the other is told", |sink| {
        (sink.result("s", "delivered") == 1).then_some(())
    })
    .await;
    assert_eq!(sink.jobs("hangs").len(), 2, "its own share of places");
    let (_, store, _) = bench.end().await;
    let left = store.outbox(0, 100).await.unwrap();
    assert_eq!(left.len(), 20, "all wait for the next start");
    assert!(
        left.iter().all(|it| it.attempts == 0),
        "a stop is no attempt"
    );
}

#[tokio::test]
async fn what_was_not_delivered_is_after_a_restart_with_its_count() {
    let bench = Bench::new(&["s"]);
    bench.sink.answer("s", Answer::Refuses(500));
    bench.tell("s", &["a"]).await;
    bench
        .sink
        .until("one attempt", |sink| {
            (sink.result("s", "failed") == 1).then_some(())
        })
        .await;
    let (clock, store, _) = bench.end().await;
    assert_eq!(store.outbox(0, 10).await.unwrap()[0].attempts, 1);
    let bench = Bench::on(clock, store, courier::Limits::default());
    bench.book.replace(sages(&[sage("s", |_| {})]));
    bench
        .pass(Duration::from_secs(10), Duration::from_secs(1))
        .await;
    bench
        .sink
        .until("told", |sink| {
            (sink.result("s", "delivered") == 1).then_some(())
        })
        .await;
    assert_eq!(
        bench.sink.heard.lock().unwrap()[0].2,
        2,
        "the second attempt"
    );
}

#[tokio::test]
async fn an_answer_of_410_stops_everything_until_the_definition_is_another() {
    let bench = Bench::new(&["s"]);
    bench.sink.answer("s", Answer::Refuses(410));
    bench.tell("s", &["a"]).await;
    let sink = &bench.sink;
    sink.until("gone", |sink| (sink.result("s", "gone") == 1).then_some(()))
        .await;
    bench.tell("s", &["b", "c"]).await;
    sink.until("not sent", |sink| {
        (sink.result("s", "gone") == 3).then_some(())
    })
    .await;
    assert_eq!(sink.jobs("s"), ["a"]);
    sink.answer("s", Answer::Takes);
    bench.book.replace(sages(&[sage("s", |it| it.after = 2)]));
    bench.tell("s", &["d"]).await;
    sink.until("told", |sink| {
        (sink.result("s", "delivered") == 1).then_some(())
    })
    .await;
    assert_eq!(sink.jobs("s"), ["a", "d"]);
}

#[tokio::test]
async fn a_definition_that_is_mended_helps_what_waits_at_once() {
    let bench = Bench::new(&["s"]);
    bench.sink.answer("s", Answer::Refuses(404));
    bench.tell("s", &["a", "b"]).await;
    let sink = &bench.sink;
    sink.until("in vain", |sink| {
        (sink.result("s", "failed") == 2).then_some(())
    })
    .await;
    sink.answer("s", Answer::Takes);
    bench.book.replace(sages(&[sage("s", |it| it.after = 2)]));
    // The clock stands still.
    sink.until("told", |sink| {
        (sink.result("s", "delivered") == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_sage_that_asks_to_be_left_alone_is() {
    let bench = Bench::new(&["s"]);
    bench
        .sink
        .answer("s", Answer::Asks(Duration::from_secs(600)));
    bench.tell("s", &["a"]).await;
    let sink = &bench.sink;
    sink.until("in vain", |sink| {
        (sink.result("s", "failed") == 1).then_some(())
    })
    .await;
    sink.answer("s", Answer::Takes);
    bench
        .pass(Duration::from_secs(590), Duration::from_secs(10))
        .await;
    assert_eq!(sink.jobs("s").len(), 1);
    bench
        .pass(Duration::from_secs(20), Duration::from_secs(10))
        .await;
    sink.until("told", |sink| {
        (sink.result("s", "delivered") == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn after_three_days_or_the_sages_own_bound_a_letter_is_given_up() {
    let bench = Bench::new(&["s"]);
    let few = sage("few", |it| Arc::make_mut(&mut it.policy).retry.max = 1);
    bench.book.replace(sages(&[sage("s", |_| {}), few]));
    for sage in ["s", "few"] {
        bench.sink.answer(sage, Answer::Refuses(500));
        bench.tell(sage, &["a"]).await;
    }
    bench
        .pass(Duration::from_secs(60), Duration::from_secs(5))
        .await;
    let sink = &bench.sink;
    sink.until("few", |sink| {
        (sink.result("few", "given_up") == 1).then_some(())
    })
    .await;
    bench
        .pass(Duration::from_secs(4 * 86_400), Duration::from_secs(600))
        .await;
    sink.until("s", |sink| {
        (sink.result("s", "given_up") == 1).then_some(())
    })
    .await;
    let tried = sink.jobs("s").len();
    assert!((70..120).contains(&tried), "{tried} attempts in three days");
}

#[tokio::test]
async fn the_oldest_letters_go_where_too_many_wait_and_that_is_told() {
    let clock = HandClock::new(second(0));
    let limits = courier::Limits {
        of_sage: 5,
        in_all: 8,
    };
    let bench = Bench::on(clock, Arc::default(), limits);
    bench.sink.answer("s", Answer::Refuses(500));
    bench
        .book
        .replace(sages(&[sage("s", |_| {}), sage("t", |_| {})]));
    let sink = &bench.sink;
    bench.tell("s", &["first"]).await;
    sink.until("in vain", |sink| {
        (sink.result("s", "failed") == 1).then_some(())
    })
    .await;
    let jobs: Vec<String> = (0..9).map(|n| format!("a-{n}")).collect();
    let jobs: Vec<&str> = jobs.iter().map(String::as_str).collect();
    bench.tell("s", &jobs).await;
    sink.until("dropped", |sink| {
        (sink.result("s", "dropped") == 5).then_some(())
    })
    .await;
    let (_, store, _) = bench.end().await;
    let left = store.outbox(0, 100).await.unwrap();
    let left: Vec<String> = left
        .iter()
        .map(|it| it.job.as_ref().unwrap().to_string())
        .collect();
    assert_eq!(left, ["a-4", "a-5", "a-6", "a-7", "a-8"]);
}

#[test]
fn every_result_of_a_delivery_has_its_word() {
    for result in Delivery::ALL {
        assert_eq!(Delivery::parse(result.as_str()), Some(*result));
    }
}

/// A bench whose deliveries ask a store that fails like that.
fn shelved(gives: Gives) -> (Arc<Shelf>, Bench) {
    let shelf = Shelf::new(gives);
    let clock = HandClock::new(second(0));
    let limits = courier::Limits::default();
    let bench = Bench::asking(clock, shelf.kept.clone(), shelf.clone(), limits);
    bench.book.replace(sages(&[sage("s", |_| {})]));
    (shelf, bench)
}

fn asked(shelf: &Shelf) -> usize {
    shelf.asked.load(Ordering::SeqCst)
}

#[tokio::test]
async fn a_store_that_gives_no_letter_out_is_asked_again_after_a_while() {
    let (shelf, bench) = shelved(Gives::NothingNow);
    bench.tell("s", &["a"]).await;
    let a_while = Duration::from_secs(2);
    for round in 1..=3 {
        for _ in 0..500 {
            tokio::task::yield_now().await;
        }
        assert_eq!(asked(&shelf), round);
        bench.pass(a_while, a_while).await;
    }
    *shelf.gives.lock().unwrap() = Gives::All;
    bench.pass(a_while, a_while).await;
    let delivered = |sink: &Sink| (sink.result("s", "delivered") == 1).then_some(());
    bench.sink.until("it is there again", delivered).await;
}

#[tokio::test]
async fn a_letter_that_is_gone_or_cannot_be_read_is_not_tried_for_ever() {
    for (gives, given_up) in [(Gives::NoSuchLetter, 0), (Gives::Rubbish, 1)] {
        let (shelf, bench) = shelved(gives);
        bench.tell("s", &["a"]).await;
        let over = |sink: &Sink| (sink.waiting.lock().unwrap().get("s") == Some(&0)).then_some(());
        bench
            .sink
            .until("the letter waits", |sink| {
                (asked(&shelf) > 0 && sink.result("s", "given_up") == given_up).then_some(())
            })
            .await;
        bench.sink.until("it waits no more", over).await;
        assert_eq!(asked(&shelf), 1);
        bench.end().await;
    }
}
