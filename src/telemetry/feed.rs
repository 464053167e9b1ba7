//! What happens, for whoever follows it: the newest events are kept, and a reader has a place among them.
//!
//! A reader holds nothing of its own but that place, so that any number of them, however slow, costs
//! no memory and keeps nobody waiting: who falls behind hears how much was missed. While nobody
//! follows, and for a while after the last one left, nothing is kept, and an event costs a look at a
//! flag.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::finding::Severity;
use crate::ids::JobName;
use crate::model::{Event, Observer, Pause, ReloadReport, ReloadResult, ReloadTrigger, Run};

/// So many events are kept.
pub const KEPT: usize = 4_096;

/// So long they are kept for readers who come back, once the last one has left.
const LINGERS: SignedDuration = SignedDuration::from_mins(5);

/// So many names are told with a reload.
const NAMES: usize = 20;

/// Something that happened, as readers hear it.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// An attempt began.
    RunStarted(Run),
    /// An attempt failed and another follows.
    RunWaiting(Run),
    /// A run with at least one attempt is over.
    RunEnded(Run),
    /// Fires did not run.
    NotRun {
        /// Their row.
        run: Run,
        /// How many are new in it.
        added: u64,
    },
    /// A job is paused, or its pause is another.
    Paused {
        /// Which.
        job: JobName,
        /// How long, why, and who said so.
        pause: Pause,
    },
    /// A job's pause is over.
    Resumed {
        /// Which.
        job: JobName,
        /// The pause, with its end.
        pause: Pause,
        /// Who ended it; `None` for one that ended by itself.
        by: Option<Arc<str>>,
    },
    /// A job did not succeed by its deadline.
    Stale {
        /// Which.
        job: JobName,
        /// By when it should have succeeded.
        deadline: Timestamp,
        /// The end of its last success.
        last_success: Option<Timestamp>,
    },
    /// A stale job has succeeded, or nothing is expected of it any more.
    Fresh {
        /// Which.
        job: JobName,
    },
    /// A reload came to its end.
    Reloaded(Box<Reload>),
    /// A PATH is gone, or is back (`reason` is `None`).
    Source {
        /// Which.
        path: Arc<str>,
        /// What is wrong.
        reason: Option<Arc<str>>,
    },
    /// The store refuses writes, or takes them again.
    Store {
        /// Whether it refuses.
        lost: bool,
    },
    /// The wall clock was set, or the machine slept.
    ClockJumped {
        /// By how much.
        by: Duration,
        /// Whether forward.
        forward: bool,
    },
}

/// A reload without what has no bound: findings are counted, of many names the first are told.
#[derive(Clone, Debug, PartialEq)]
pub struct Reload {
    /// In one word.
    pub result: ReloadResult,
    /// What asked for it.
    pub trigger: ReloadTrigger,
    /// When it came to its end.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Jobs that are new, have another schedule, another name, differ otherwise, are gone.
    pub counts: [(&'static str, usize); 5],
    /// Which these are, the first of each kind, in words.
    pub touched: Vec<String>,
    /// How many removals wait for a confirmation.
    pub held: usize,
    /// All of the change waits for the end of a freeze: until when, why, and what it is.
    pub waits: Option<String>,
    /// The first jobs whose fire of today moved from after now to before now.
    pub will_not_fire_today: Vec<String>,
    /// How many jobs there are now.
    pub jobs: usize,
    /// How many files were read.
    pub files: usize,
    /// How many errors were found.
    pub errors: usize,
    /// How many warnings.
    pub warnings: usize,
    /// The revision, if one is known.
    pub revision: Option<Arc<str>>,
    /// Who made it, if that is known.
    pub author: Option<Arc<str>>,
    /// SHA-256 over all files, in hexadecimal.
    pub content_hash: Arc<str>,
}

impl From<&ReloadReport> for Reload {
    fn from(report: &ReloadReport) -> Self {
        let count = |severity| {
            let found = report.findings.iter();
            found.filter(|found| found.severity == severity).count()
        };
        let not_today = report.will_not_fire_today.iter().take(NAMES);
        Self {
            result: report.result,
            trigger: report.trigger,
            at: report.at,
            took: report.took,
            counts: [
                ("added", report.added),
                ("rescheduled", report.rescheduled),
                ("renamed", report.renamed),
                ("changed", report.changed),
                ("removed", report.removed),
            ],
            touched: report.touched.clone(),
            held: report.held.len(),
            waits: report.waits.clone(),
            will_not_fire_today: not_today.cloned().collect(),
            jobs: report.jobs,
            files: report.files,
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            revision: report.revision.clone(),
            author: report.author.clone(),
            content_hash: report.content_hash.clone(),
        }
    }
}

/// Hears what happens and keeps the newest of it while somebody follows. Never blocks.
pub struct Feed {
    /// Tells this process's numbers from those of another.
    epoch: i64,
    is_followed: AtomicBool,
    kept: Mutex<Kept>,
    grew: watch::Sender<Life>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    GoesOn,
    Over,
}

struct Kept {
    events: VecDeque<Arc<News>>,
    /// The number of the next event, from 1.
    next: u64,
    readers: usize,
    /// Since when there is no reader, as the engine's loop has seen it.
    alone_since: Option<Timestamp>,
    is_store_lost: bool,
}

impl Kept {
    fn first(&self) -> u64 {
        self.next - self.events.len() as u64
    }
}

/// A place among what is kept.
pub struct Reader {
    feed: Arc<Feed>,
    /// The number of the next event that was not heard.
    at: u64,
    grew: watch::Receiver<Life>,
}

/// What a reader hears at once.
#[derive(Debug, Default, PartialEq)]
pub struct Heard {
    /// So many events are not kept any more.
    pub missed: u64,
    /// Those that are, with their ids.
    pub events: Vec<(String, Arc<News>)>,
}

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With what comes.
    Now,
    /// Just after the event that it heard last.
    Resumed,
    /// With the oldest that is kept: what came between the event that it heard last and that is not known.
    Gap,
}

impl Feed {
    /// A feed of the process that started then.
    #[must_use]
    pub fn new(started_at: Timestamp) -> Self {
        Self {
            epoch: started_at.as_microsecond(),
            is_followed: AtomicBool::new(false),
            kept: Mutex::new(Kept {
                events: VecDeque::new(),
                next: 1,
                readers: 0,
                alone_since: None,
                is_store_lost: false,
            }),
            grew: watch::Sender::new(Life::GoesOn),
        }
    }

    /// Follows what happens; `after` is the id of the last event that was heard, if there was one.
    #[must_use]
    pub fn follow(self: &Arc<Self>, after: Option<&str>) -> (Reader, Begin) {
        let mut kept = self.kept();
        kept.readers += 1;
        kept.alone_since = None;
        self.is_followed.store(true, Ordering::Relaxed);
        let (first, next) = (kept.first(), kept.next);
        drop(kept);
        let (at, begin) = match after.map(|id| self.number(id)) {
            None => (next, Begin::Now),
            Some(Some(heard)) if heard < next && first <= heard + 1 => (heard + 1, Begin::Resumed),
            Some(_) => (first, Begin::Gap),
        };
        let reader = Reader {
            feed: Arc::clone(self),
            at,
            grew: self.grew.subscribe(),
        };
        (reader, begin)
    }

    /// Nothing more will happen: readers hear what is left and come to their end.
    pub fn close(&self) {
        self.grew.send_replace(Life::Over);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An event's id: its number, and whose number that is.
    fn id(&self, number: u64) -> String {
        format!("{:x}-{number}", self.epoch)
    }

    fn number(&self, id: &str) -> Option<u64> {
        let (epoch, number) = id.split_once('-')?;
        let is_ours = i64::from_str_radix(epoch, 16).ok()? == self.epoch;
        number.parse().ok().filter(|_| is_ours)
    }

    fn tell(&self, news: News) {
        let mut kept = self.kept();
        if kept.events.len() >= KEPT {
            kept.events.pop_front();
        }
        kept.events.push_back(Arc::new(news));
        kept.next += 1;
        drop(kept);
        // A change without another value: what is over stays so.
        self.grew.send_modify(|_| {});
    }

    /// Lets go of what nobody has asked for in a while.
    fn tick(&self, at: Timestamp) {
        let mut kept = self.kept();
        if kept.readers > 0 {
            return;
        }
        let since = *kept.alone_since.get_or_insert(at);
        if at.duration_since(since).abs() >= LINGERS {
            kept.events = VecDeque::new();
            // Nobody hears from now on whether it comes back.
            kept.is_store_lost = false;
            // Who comes back after this one has missed something, and is to know.
            kept.next += 1;
            self.is_followed.store(false, Ordering::Relaxed);
        }
    }

    fn store(&self, is_lost: bool) {
        let mut kept = self.kept();
        let was_lost = std::mem::replace(&mut kept.is_store_lost, is_lost);
        drop(kept);
        if was_lost != is_lost {
            self.tell(News::Store { lost: is_lost });
        }
    }
}

impl Observer for Feed {
    fn observe(&self, event: &Event<'_>) {
        if !self.is_followed.load(Ordering::Relaxed) {
            return;
        }
        match event {
            Event::Tick { at } => self.tick(*at),
            Event::StoreOperation {
                operation: "commit",
                error,
                ..
            } => self.store(error.is_some()),
            Event::StoreBack => self.store(false),
            other => {
                if let Some(news) = news(other) {
                    self.tell(news);
                }
            }
        }
    }
}

/// What of an event readers hear.
fn news(event: &Event<'_>) -> Option<News> {
    Some(match *event {
        Event::AttemptStarted { run, .. } => News::RunStarted(run.clone()),
        Event::RetryPlanned { run, .. } => News::RunWaiting(run.clone()),
        Event::RunEnded { run, .. } => News::RunEnded(run.clone()),
        Event::NotRun { run, added, .. } => News::NotRun {
            run: run.clone(),
            added,
        },
        Event::Paused { job, pause } => News::Paused {
            job: job.name().clone(),
            pause: pause.clone(),
        },
        Event::PauseOver { job, pause, by } => News::Resumed {
            job: job.name().clone(),
            pause: pause.clone(),
            by: by.map(Arc::from),
        },
        Event::Stale {
            job,
            deadline,
            last_success,
            ..
        } => News::Stale {
            job: job.name().clone(),
            deadline,
            last_success,
        },
        Event::Fresh { job, .. } => News::Fresh {
            job: job.name().clone(),
        },
        Event::Reloaded(report) if is_news(report) => {
            News::Reloaded(Box::new(Reload::from(report)))
        }
        Event::SourceState { path, reason } => News::Source {
            path: path.into(),
            reason: reason.map(Arc::from),
        },
        Event::ClockJump { by, forward } => News::ClockJumped { by, forward },
        _ => return None,
    })
}

/// A look that nobody asked for and that found nothing is none.
fn is_news(report: &ReloadReport) -> bool {
    let unasked = matches!(report.trigger, ReloadTrigger::Watch | ReloadTrigger::Poll);
    !(unasked && report.result == ReloadResult::Unchanged)
}

impl Reader {
    /// What came since the last call, `most` events at most.
    pub fn heard(&mut self, most: usize) -> Heard {
        let kept = self.feed.kept();
        let first = kept.first();
        let missed = first.saturating_sub(self.at);
        let at = self.at.max(first);
        let skipped = usize::try_from(at - first).unwrap_or(usize::MAX);
        let events = kept.events.iter().skip(skipped).take(most);
        let events: Vec<_> = events.cloned().collect();
        drop(kept);
        self.at = at + events.len() as u64;
        let events = (at..).zip(events);
        let events = events.map(|(number, news)| (self.feed.id(number), news));
        Heard {
            missed,
            events: events.collect(),
        }
    }

    /// The id of the last event that was heard, or came before the first one.
    #[must_use]
    pub fn place(&self) -> String {
        self.feed.id(self.at - 1)
    }

    /// Waits until more came; `false` when nothing more will.
    pub async fn more(&mut self) -> bool {
        loop {
            // First this: what is told meanwhile is another change.
            let life = *self.grew.borrow_and_update();
            if self.at < self.feed.kept().next {
                return true;
            }
            if life == Life::Over || self.grew.changed().await.is_err() {
                return false;
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.feed.kept().readers -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::example::{instant, job, run};

    fn feed() -> Arc<Feed> {
        Arc::new(Feed::new(instant("2027-01-01T00:00:00Z")))
    }

    fn fresh(feed: &Feed, name: &str) {
        let job = job(name);
        let key = crate::ids::JobKey(0);
        feed.observe(&Event::Fresh { key, job: &job });
    }

    fn names(heard: &Heard) -> Vec<&str> {
        let names = heard.events.iter().map(|(_, news)| match &**news {
            News::Fresh { job } => job.as_str(),
            other => panic!("{other:?}"),
        });
        names.collect()
    }

    #[test]
    fn a_reader_hears_what_comes_and_goes_on_where_it_was() {
        let feed = feed();
        fresh(&feed, "before-anybody-follows");
        let (mut reader, begin) = feed.follow(None);
        assert_eq!(begin, Begin::Now);
        assert_eq!(reader.heard(9), Heard::default());
        fresh(&feed, "a");
        fresh(&feed, "b");
        let heard = reader.heard(1);
        assert_eq!((names(&heard), heard.missed), (vec!["a"], 0));
        let id = heard.events[0].0.clone();
        assert_eq!(reader.place(), id);
        drop(reader);
        // It is kept for who comes back.
        fresh(&feed, "c");
        let (mut reader, begin) = feed.follow(Some(&id));
        assert_eq!(begin, Begin::Resumed);
        assert_eq!(names(&reader.heard(9)), ["b", "c"]);
        let place = reader.place();
        assert_eq!(feed.follow(Some(&place)).1, Begin::Resumed);
    }

    #[test]
    fn who_is_too_slow_hears_how_much_was_missed() {
        let feed = feed();
        let (mut slow, _) = feed.follow(None);
        for number in 0..KEPT + 3 {
            fresh(&feed, &format!("j{number}"));
        }
        let heard = slow.heard(2);
        assert_eq!((heard.missed, names(&heard)), (3, vec!["j3", "j4"]));
        assert_eq!(slow.heard(KEPT).events.len(), KEPT - 2);
        assert_eq!(slow.heard(9), Heard::default());
        // An id that is no longer kept, of another process, of the future, and none at all.
        let other = Feed::new(instant("2027-01-01T00:00:01Z")).id(7);
        for id in [
            feed.id(1),
            other,
            feed.id(1_000_000),
            "7".to_owned(),
            String::new(),
        ] {
            let (mut reader, begin) = feed.follow(Some(&id));
            assert_eq!(begin, Begin::Gap, "{id}");
            assert_eq!(names(&reader.heard(1)), ["j3"], "{id}");
        }
    }

    #[test]
    fn nothing_is_kept_for_nobody() {
        let feed = feed();
        let tick = |text| feed.observe(&Event::Tick { at: instant(text) });
        let (reader, _) = feed.follow(None);
        fresh(&feed, "a");
        tick("2027-01-01T01:00:00Z");
        let id = reader.place();
        drop(reader);
        tick("2027-01-01T01:00:00Z");
        tick("2027-01-01T01:04:59Z");
        assert_eq!(feed.kept().events.len(), 1);
        let (reader, _) = feed.follow(None);
        let last = reader.place();
        drop(reader);
        tick("2027-01-01T02:00:00Z");
        tick("2027-01-01T02:05:00Z");
        fresh(&feed, "nobody-hears-it");
        assert!(feed.kept().events.is_empty());
        for id in [id, last] {
            assert_eq!(feed.follow(Some(&id)).1, Begin::Gap);
        }
    }

    #[test]
    fn a_lost_store_is_told_once_and_so_is_its_return() {
        let feed = feed();
        let (mut reader, _) = feed.follow(None);
        let commit = |error| {
            feed.observe(&Event::StoreOperation {
                operation: "commit",
                took: Duration::ZERO,
                error,
            });
        };
        for error in [None, Some("full"), Some("full"), None, None] {
            commit(error);
        }
        let heard = reader.heard(9);
        let told: Vec<_> = heard.events.iter().map(|(_, news)| &**news).collect();
        assert_eq!(
            told,
            [&News::Store { lost: true }, &News::Store { lost: false }]
        );
    }

    #[tokio::test]
    async fn a_reader_waits_and_comes_to_its_end_when_all_is_told() {
        let feed = feed();
        let (mut reader, _) = feed.follow(None);
        let waiting = tokio::spawn(async move {
            let mut count = 0;
            while reader.more().await {
                count += reader.heard(1).events.len();
            }
            count
        });
        let run = run("billing", 1);
        feed.observe(&Event::RunEnded {
            key: None,
            run: &run,
            action: "run",
            output_truncated: false,
        });
        feed.close();
        fresh(&feed, "after-the-end");
        assert_eq!(waiting.await.unwrap(), 2);
    }
}
