//! The loop that fetches letters, has them delivered, and records what came of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::action::Stop;
use crate::decide::Standing;
use crate::ids::SageName;
use crate::model::{
    AttemptEnd, Definition, Delivery, Ended, Event, Job, Letter, Origin, Sage, SageEvent, Sages,
};
use crate::schedule::{Item as ScheduleItem, Schedule};
use crate::store::{Telling, Write};

use super::deliver::{Delivering, NoLetter};
pub(super) use super::queue::Bounds as Limits;
use super::queue::{Item, Queue, Took};
use super::{Hints, Parts};

/// So many deliveries at once, of all sages together.
const AT_ONCE: usize = 8;

/// So many letters are read from the store at once.
const PAGE: usize = 1_000;

/// From this number on letters are those that the store does not have.
const KEPT: u64 = 1 << 62;

/// When elder stops: how long deliveries that are under way may take to end by themselves, and to be ended.
const LAST_WORDS: Duration = Duration::from_secs(2);
const BURIAL: Duration = Duration::from_secs(1);

/// When the store failed to answer: how long until it is asked again.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(2);

/// A delivery that ended: of which letter, by which definition, and how.
type Done = (u64, Arc<Definition>, Result<AttemptEnd, NoLetter>);

pub(super) struct Courier {
    pub(super) parts: Parts,
    hints: Hints,
    known: watch::Receiver<Option<Arc<Sages>>>,
    stopped: oneshot::Receiver<()>,
    pub(super) limits: Limits,
    pub(super) queue: Queue,
    /// The number up to which the outbox was read.
    read_to: u64,
    /// Sages as jobs, for the runner; made anew when a definition is another.
    pub(super) sages: HashMap<SageName, (Arc<Sage>, Job)>,
    /// Sages that answered that they are gone for good.
    closed: BTreeSet<SageName>,
    /// What the store does not know yet of letters that it has.
    pub(super) unrecorded: Vec<Write>,
    /// Letters that the store does not have.
    pub(super) kept: BTreeMap<u64, Letter>,
    pub(super) last_kept: u64,
    pub(super) standing: Standing,
    /// Kinds of troubles whose standing the store does not have yet.
    pub(super) unsaid: BTreeSet<SageEvent>,
    /// PATHs that were lost since the start, until the first reload tells that these are all.
    pub(super) lost: Option<BTreeSet<String>>,
    /// When which sage was last told of a lost store.
    pub(super) store_told: HashMap<SageName, Timestamp>,
    under_way: JoinSet<Done>,
    stop: watch::Sender<Stop>,
    /// The store did not answer: when it is asked again.
    pub(super) ask_again: Option<Timestamp>,
    /// It did not give a letter out: when it is asked for one again.
    pub(super) reads_again: Option<Timestamp>,
    /// When the clock was last looked at, by the wall and since the start.
    pub(super) looked: (Timestamp, Duration),
    told_waiting: BTreeMap<SageName, u64>,
}

impl Courier {
    pub(super) fn new(
        mut parts: Parts,
        hints: Hints,
        known: watch::Receiver<Option<Arc<Sages>>>,
        stopped: oneshot::Receiver<()>,
    ) -> Self {
        let said = std::mem::take(&mut parts.said);
        let (stop, _) = watch::channel(Stop::No);
        let looked = (parts.clock.now(), parts.clock.monotonic());
        Self {
            parts,
            hints,
            known,
            stopped,
            limits: Limits::default(),
            queue: Queue::default(),
            read_to: 0,
            sages: HashMap::new(),
            closed: BTreeSet::new(),
            unrecorded: Vec::new(),
            kept: BTreeMap::new(),
            last_kept: KEPT,
            standing: Standing::of(&said),
            unsaid: BTreeSet::new(),
            lost: Some(BTreeSet::new()),
            store_told: HashMap::new(),
            under_way: JoinSet::new(),
            stop,
            ask_again: None,
            reads_again: None,
            looked,
            told_waiting: BTreeMap::new(),
        }
    }

    pub(super) async fn run(mut self) {
        // The first definitions come with the first sync; letters of before wait for them.
        let mut is_begun = false;
        loop {
            if is_begun {
                self.record().await;
                self.fetch().await;
                self.bound();
                self.look_at_clock();
                self.send_off();
                self.tell_waiting();
            }
            let wake = if is_begun { self.next_wake() } else { None };
            let clock = self.parts.clock.clone();
            tokio::select! {
                biased;
                _ = &mut self.stopped => break,
                Some(done) = self.under_way.join_next() => self.came_back(done),
                changed = self.known.changed() => match changed {
                    Ok(()) => {
                        is_begun = true;
                        self.definitions();
                    }
                    // Whoever says which sages there are has ended: so does this.
                    Err(_) => break,
                },
                Some(heard) = self.hints.news.recv(), if is_begun => self.heard(heard),
                () = self.hints.letters.notified() => {}
                _ = clock.sleep_until(wake) => {}
            }
        }
        self.end().await;
    }

    /// What is under way may end by itself for a little while, then it is ended; what is not
    /// delivered waits for the next start.
    async fn end(&mut self) {
        // The last runs of all may have ended a moment ago.
        let fetched = async {
            self.record().await;
            self.fetch().await;
        };
        if timeout(LAST_WORDS, fetched).await.is_ok() {
            self.send_off();
        }
        if timeout(LAST_WORDS, self.drain()).await.is_err() {
            self.stop.send_replace(Stop::Now);
            // What hangs even then is not waited for.
            let _ = timeout(BURIAL, self.drain()).await;
        }
        let _ = timeout(BURIAL, self.record()).await;
    }

    async fn drain(&mut self) {
        while let Some(done) = self.under_way.join_next().await {
            self.came_back(done);
        }
    }

    fn next_wake(&self) -> Option<Timestamp> {
        let now = self.parts.clock.now();
        let has_room = self.under_way.len() < AT_ONCE;
        let queue = self.queue.next_wake(now).filter(|_| has_room);
        let all = [self.ask_again, self.reads_again, queue];
        all.into_iter().flatten().min()
    }

    /// Others are sages now.
    fn definitions(&mut self) {
        let known = self.known.borrow_and_update().clone().unwrap_or_default();
        let before = std::mem::take(&mut self.sages);
        for (name, sage) in known.iter() {
            let same = before.get(name).filter(|(before, _)| before == sage);
            if same.is_none() {
                self.closed.remove(name);
                self.queue.renewed(name);
            }
            let entry = match same {
                Some(same) => same.clone(),
                None => (sage.clone(), as_job(sage)),
            };
            self.sages.insert(name.clone(), entry);
        }
        self.closed.retain(|name| known.contains_key(name));
        let names: Vec<SageName> = known.keys().cloned().collect();
        let observer = &self.parts.observer;
        observer.observe(&Event::SagesKnown { names: &names });
    }

    /// Tells the store what it does not know yet.
    async fn record(&mut self) {
        let now = self.parts.clock.now();
        if self.ask_again.is_some_and(|at| at > now) {
            return;
        }
        self.ask_again = None;
        let mut writes = std::mem::take(&mut self.unrecorded);
        let (letters, numbers): (Vec<_>, Vec<_>) = self
            .kept
            .iter()
            // One that is under way is not to be found a second time in the outbox.
            .filter(|(number, _)| self.queue.is_idle(**number))
            .map(|(number, letter)| (letter.clone(), *number))
            .unzip();
        let said = self.unsaid.iter().map(|event| {
            let text = self.standing.print(*event);
            (Standing::subject(*event), text)
        });
        let telling = Telling {
            letters,
            said: said.collect(),
        };
        if telling != Telling::default() {
            writes.push(Write::Tell(Box::new(telling)));
        }
        if writes.is_empty() {
            return;
        }
        match self.parts.store.commit(writes.clone()).await {
            Ok(_) => {
                self.unsaid.clear();
                for number in numbers {
                    self.kept.remove(&number);
                    // It comes back as one of the store's.
                    self.queue.over(number, Took::No);
                }
            }
            Err(_) => {
                // The committer tells that the store fails; here it is only asked again.
                let letters_only = |write: &Write| !matches!(write, Write::Tell(_));
                self.unrecorded = writes.into_iter().filter(letters_only).collect();
                self.ask_again = now.saturating_add(ASK_AGAIN).ok();
            }
        }
    }

    /// Reads what is new in the outbox.
    async fn fetch(&mut self) {
        loop {
            let page = self.parts.store.outbox(self.read_to, PAGE).await;
            let Ok(page) = page else {
                let now = self.parts.clock.now();
                self.ask_again = now.saturating_add(ASK_AGAIN).ok();
                return;
            };
            let is_last = page.len() < PAGE;
            let now = self.parts.clock.now();
            for waiting in page {
                self.read_to = waiting.number;
                let due = self.due_of(&waiting, now);
                self.queue.add(waiting.number, Item::of(waiting, due, now));
            }
            self.bound();
            if is_last {
                return;
            }
        }
    }

    /// Lets the oldest go where too many wait.
    fn bound(&mut self) {
        let mut dropped: BTreeMap<SageName, u64> = BTreeMap::new();
        for number in self.queue.excess(self.limits) {
            if let Some(item) = self.leave(number, Took::No) {
                *dropped.entry(item.sage).or_default() += 1;
            }
        }
        for (sage, count) in dropped {
            let why = "too many letters wait for it: the oldest are dropped";
            self.tell(&sage, Delivery::Dropped, count, Some(why), None);
        }
        for sage in self.closed.clone() {
            let idle = self.queue.idle_of(&sage);
            let count = idle.len() as u64;
            for number in idle {
                self.leave(number, Took::No);
            }
            if count > 0 {
                let why = "it answered 410: nothing is sent to it until its definition is another";
                self.tell(&sage, Delivery::Gone, count, Some(why), None);
            }
        }
    }

    /// A letter waits no more.
    pub(super) fn leave(&mut self, number: u64, took: Took) -> Option<Item> {
        let item = self.queue.over(number, took)?;
        if self.kept.remove(&number).is_none() {
            self.unrecorded.push(Write::LetterOver { id: item.id });
        }
        Some(item)
    }

    /// Begins what may go.
    fn send_off(&mut self) {
        let now = self.parts.clock.now();
        self.reads_again = self.reads_again.filter(|at| *at > now);
        while self.under_way.len() < AT_ONCE {
            let (reads, kept) = (self.reads_again.is_none(), &self.kept);
            let may_go = |number: u64| reads || kept.contains_key(&number);
            let Some((number, item)) = self.queue.next(now, may_go) else {
                return;
            };
            let Some((_, job)) = self.sages.get(&item.sage) else {
                self.no_such_sage(number, &item);
                continue;
            };
            let delivering = Delivering {
                store: self.parts.store.clone(),
                runner: self.parts.runner.clone(),
                server: self.parts.server_url.get().cloned().unwrap_or_default(),
                kept: self.kept.get(&number).cloned(),
                id: item.id,
                attempt: item.attempts + 1,
                job: job.clone(),
                stop: self.stop.subscribe(),
            };
            let by = job.definition.clone();
            self.under_way
                .spawn(async move { (number, by, delivering.deliver().await) });
        }
    }

    fn no_such_sage(&mut self, number: u64, item: &Item) {
        let why = "no job file defines it any more";
        self.leave(number, Took::No);
        self.tell(&item.sage, Delivery::GivenUp, 1, Some(why), None);
    }

    /// A delivery came to its end.
    fn came_back(&mut self, done: Result<Done, tokio::task::JoinError>) {
        // A panic in an attempt is its failure already; nothing else is cancelled.
        let Ok((number, by, end)) = done else { return };
        let Some(item) = self.queue.get(number) else {
            return;
        };
        let (item, sage) = (item.clone(), item.sage.clone());
        let end = match end {
            Ok(end) => end,
            Err(NoLetter::NotNow) => {
                self.queue.untried(number);
                let now = self.parts.clock.now();
                self.reads_again = now.saturating_add(ASK_AGAIN).ok();
                return;
            }
            Err(NoLetter::Gone) => {
                self.queue.over(number, Took::No);
                return;
            }
            Err(NoLetter::Unreadable) => {
                self.leave(number, Took::No);
                let why = "what the store has of the letter cannot be read";
                self.tell(&sage, Delivery::GivenUp, 1, Some(why), None);
                return;
            }
        };
        match end.ended {
            Ended::Success => {
                self.leave(number, Took::Yes);
                self.tell(&sage, Delivery::Delivered, 1, None, None);
            }
            Ended::Stopped => self.queue.untried(number),
            // It speaks for a definition that was replaced meanwhile: the new one is tried at once.
            Ended::Failed(_) | Ended::TimedOut if !self.is_in_force(&sage, &by) => {
                self.queue.untried(number);
                let (detail, now) = (end.detail.as_deref(), self.parts.clock.now());
                self.tell(&sage, Delivery::Failed, 1, detail, Some(now));
            }
            Ended::Failed(_) | Ended::TimedOut if end.http_status == Some(410) => {
                self.leave(number, Took::No);
                self.closed.insert(sage.clone());
                let detail = end.detail.as_deref();
                self.tell(&sage, Delivery::Gone, 1, detail, None);
            }
            Ended::Failed(_) | Ended::TimedOut => {
                self.failed(number, &item, &end);
            }
        }
    }

    fn is_in_force(&self, sage: &SageName, definition: &Arc<Definition>) -> bool {
        let known = self.sages.get(sage);
        known.is_some_and(|(_, job)| Arc::ptr_eq(&job.definition, definition))
    }

    pub(super) fn tell(
        &self,
        sage: &SageName,
        result: Delivery,
        count: u64,
        detail: Option<&str>,
        again_at: Option<Timestamp>,
    ) {
        self.parts.observer.observe(&Event::SageDelivery {
            sage,
            result,
            count,
            detail,
            again_at,
        });
    }

    /// Tells how many wait, where that is another number than before.
    fn tell_waiting(&mut self) {
        let known = self.sages.keys();
        let names: BTreeSet<&SageName> = known.chain(self.queue.sages()).collect();
        let now: BTreeMap<SageName, u64> = names
            .into_iter()
            .map(|sage| (sage.clone(), self.queue.len_of(sage)))
            .collect();
        for (sage, count) in &now {
            if self.told_waiting.get(sage) != Some(count) {
                let count = *count;
                let observer = &self.parts.observer;
                observer.observe(&Event::SageWaiting { sage, count });
            }
        }
        self.told_waiting = now;
    }
}

/// A sage as the runner knows jobs.
fn as_job(sage: &Sage) -> Job {
    Job {
        definition: Arc::new(Definition {
            name: sage.name.clone(),
            aliases: Arc::from([]),
            enabled: true,
            schedule: Arc::new(Schedule::new(vec![ScheduleItem::Manual])),
            schedule_text: "manual".into(),
            timezone: "UTC".into(),
            action: sage.action.clone(),
            context: sage.context.clone(),
            policy: sage.policy.clone(),
            about: None,
            id: crate::model::IdCell::default(),
        }),
        origin: Origin {
            file: "sages".into(),
            line: 0,
        },
    }
}
