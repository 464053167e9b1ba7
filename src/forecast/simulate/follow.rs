//! Fires led through the engine's own state on a clock that is set by hand.
//!
//! What is skipped, what waits and what runs at once is decided by the very code that decides it
//! in the daemon; only the store (which takes everything) and the runs (which take as long as
//! they are said to) are made up here.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::{Question, just_before};
use crate::engine::Change;
use crate::engine::state::{Effect, Input, Now, State, Ticket};
use crate::ids::{JobName, RunId};
use crate::model::{Action, AttemptEnd, Ended, Event, Job, JobTimes, Observer, Output, Reason};
use crate::store::{Mark, Written};

/// So many of those that run at the peak are named.
const NAMES: usize = 5;

/// One fire, decided.
pub struct Decided<'a> {
    /// Whose.
    pub job: &'a JobName,
    /// Its instant.
    pub scheduled: Timestamp,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It ran.
    Runs {
        /// From when.
        started: Timestamp,
        /// Until when.
        ended: Timestamp,
    },
    /// It did not, for this reason.
    Not(Reason),
}

/// What came of the fires that were followed.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Every fire before this instant was followed.
    pub until: Timestamp,
    /// How many.
    pub fires: u64,
    /// The most that ran at once.
    pub peak: Peak,
    /// Processes and requests.
    pub pools: [PoolUse; 2],
    /// Fires that did not run, by job and reason.
    pub unrun: Vec<Unrun>,
}

/// The most that ran at once.
#[derive(Clone, Debug, Default)]
pub struct Peak {
    /// How many.
    pub runs: u64,
    /// Since when.
    pub at: Option<Timestamp>,
    /// Some of them, those that ran longest first.
    pub names: Vec<JobName>,
}

/// How a pool was used.
#[derive(Clone, Debug)]
pub struct PoolUse {
    /// `processes` or `requests`.
    pub name: &'static str,
    /// How many places there are.
    pub places: u32,
    /// The most that were taken.
    pub peak: u64,
    /// Since when.
    pub peak_at: Option<Timestamp>,
    /// Fires that waited for a place, and ran.
    pub waited: u64,
    /// The longest wait, and whose.
    pub longest: Option<(Duration, JobName, Timestamp)>,
    in_use: u64,
}

/// Fires of a job that did not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unrun {
    /// Whose.
    pub job: JobName,
    /// Why.
    pub reason: Reason,
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// How long a run takes.
    pub time: Duration,
}

/// Tells of each fire as it is decided, until nobody wants to hear more.
pub fn each(question: &Question<'_>, tell: &mut dyn FnMut(&Decided<'_>) -> ControlFlow<()>) {
    follow(question, tell);
}

/// Follows as many fires as the question allows.
pub(super) fn follow(
    question: &Question<'_>,
    tell: &mut dyn FnMut(&Decided<'_>) -> ControlFlow<()>,
) -> Followed {
    let mut play = Play::new(question, tell);
    if question.follow > 0 {
        play.begin();
        play.go_on();
    }
    play.followed.fires = play.fires;
    let mut unrun: Vec<Unrun> = play.unrun.into_values().collect();
    unrun.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.job.cmp(&b.job)));
    play.followed.unrun = unrun;
    play.followed
}

/// What the state said about a fire.
enum Said {
    Started {
        run: RunId,
        lateness: Duration,
    },
    NotRun {
        job: JobName,
        at: Timestamp,
        reason: Reason,
        count: u64,
    },
}

/// Hears the state.
#[derive(Default)]
struct Ears(Mutex<Vec<Said>>);

impl Observer for Ears {
    fn observe(&self, event: &Event<'_>) {
        let said = match event {
            Event::AttemptStarted { run, lateness, .. } => Said::Started {
                run: run.id,
                lateness: lateness.unwrap_or_default(),
            },
            // Those of the start, which the span is not about, are no fires of a schedule.
            Event::NotRun { run, added, .. } if run.reason != Some(Reason::Restart) => {
                Said::NotRun {
                    job: run.job.clone(),
                    at: run.scheduled_until.unwrap_or(run.scheduled_at),
                    reason: run.reason.unwrap_or(Reason::Internal),
                    count: *added,
                }
            }
            _ => return,
        };
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push(said);
    }
}

impl Ears {
    fn take(&self) -> Vec<Said> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Play<'q, 'j> {
    question: &'q Question<'j>,
    tell: &'q mut dyn FnMut(&Decided<'_>) -> ControlFlow<()>,
    /// Nobody wants to hear more.
    is_over: bool,
    state: State,
    ears: Arc<Ears>,
    begin: Timestamp,
    /// What the state is told.
    now: Timestamp,
    /// What is told of it. A run that ends at an instant is over for the state just before it, so
    /// that one as long as its period leaves room for the next.
    shown: Timestamp,
    jobs: HashMap<&'j JobName, (&'j Job, Duration)>,
    ends: BinaryHeap<Reverse<(Timestamp, RunId)>>,
    running: BTreeMap<(Timestamp, RunId), (JobName, usize)>,
    started: HashMap<RunId, Timestamp>,
    waits: HashMap<RunId, Duration>,
    unrun: HashMap<(JobName, Reason), Unrun>,
    fires: u64,
    followed: Followed,
}

impl<'q, 'j> Play<'q, 'j> {
    fn new(
        question: &'q Question<'j>,
        tell: &'q mut dyn FnMut(&Decided<'_>) -> ControlFlow<()>,
    ) -> Self {
        let begin = just_before(question.from);
        let ears = Arc::new(Ears::default());
        let settings = question.settings;
        let pool = |name, places| PoolUse {
            name,
            places,
            peak: 0,
            peak_at: None,
            waited: 0,
            longest: None,
            in_use: 0,
        };
        let jobs = question.jobs.iter();
        Self {
            state: State::new(settings, ears.clone(), now(begin, begin)),
            ears,
            begin,
            now: begin,
            shown: begin,
            jobs: jobs
                .map(|job| (job.name(), (job, question.times.of(job))))
                .collect(),
            ends: BinaryHeap::new(),
            running: BTreeMap::new(),
            started: HashMap::new(),
            waits: HashMap::new(),
            unrun: HashMap::new(),
            fires: 0,
            followed: Followed {
                until: question.from,
                fires: 0,
                peak: Peak::default(),
                pools: [
                    pool("processes", settings.max_workers),
                    pool("requests", settings.max_requests),
                ],
                unrun: Vec::new(),
            },
            question,
            tell,
            is_over: false,
        }
    }

    /// The daemon is there since just before the span, and so are its jobs.
    fn begin(&mut self) {
        let mark = Mark {
            first_seen: self.begin,
            mark: self.begin,
            gone_at: None,
            previous_success_at: None,
            // So that `startup` schedules are quiet: they are about no instant of the span.
            last_startup_at: Some(self.begin),
            times: JobTimes::default(),
        };
        let change = Change {
            at: self.begin,
            added: self
                .question
                .jobs
                .iter()
                .map(|job| (job.clone(), mark))
                .collect(),
            first: true,
            ..Change::default()
        };
        self.on(Input::Apply(Ticket(0), Box::new(change)));
    }

    fn go_on(&mut self) {
        loop {
            let ends = self.ends.peek().map(|Reverse((at, _))| just_before(*at));
            let wake = self.state.next_wake();
            let next = match (ends, wake) {
                (Some(ends), Some(wake)) => ends.min(wake),
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => break,
            };
            if next >= self.question.until {
                break;
            }
            if self.fires >= self.question.follow || self.is_over {
                self.followed.until = match ends == Some(next) {
                    true => just_after(next),
                    false => next,
                };
                return;
            }
            self.now = self.now.max(next);
            if ends == Some(next) {
                self.shown = just_after(self.now);
                self.end_first();
            } else {
                self.shown = self.now;
                self.on(Input::Tick);
            }
            self.note_peak();
        }
        self.followed.until = self.question.until;
    }

    fn end_first(&mut self) {
        let Some(Reverse((_, run))) = self.ends.pop() else {
            return;
        };
        if let Some(started) = self.started.remove(&run)
            && let Some((_, pool)) = self.running.remove(&(started, run))
        {
            self.followed.pools[pool].in_use -= 1;
        }
        let end = AttemptEnd {
            ended: Ended::Success,
            output: Output::default(),
            exit_code: None,
            signal: None,
            http_status: None,
            detail: None,
        };
        self.on(Input::Ended {
            run,
            end: Box::new(end),
        });
    }

    /// Gives the input, and carries out what follows from it until nothing more does.
    fn on(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let effects = self.state.on(input, now(self.now, self.begin));
            // Who starts late is said before the start itself is asked for.
            self.hear();
            for effect in effects {
                match effect {
                    Effect::Commit { batch, writes } => inputs.push_back(Input::Committed {
                        batch,
                        result: Ok(vec![Written::Done; writes.len()]),
                    }),
                    Effect::Attempt(order) => {
                        self.start(order.run, &order.job, order.scheduled_at);
                    }
                    // Nobody else asks anything here.
                    _ => {}
                }
            }
        }
    }

    fn start(&mut self, run: RunId, job: &Job, scheduled: Timestamp) {
        let time = self
            .jobs
            .get(job.name())
            .map_or(Duration::ZERO, |(_, time)| *time);
        let began = self.shown;
        let ended = began.saturating_add(time).unwrap_or(Timestamp::MAX);
        let pool = match job.definition.action {
            Action::Process(_) => 0,
            Action::Http(_) => 1,
        };
        self.ends.push(Reverse((ended, run)));
        self.started.insert(run, began);
        self.running
            .insert((began, run), (job.name().clone(), pool));
        let used = &mut self.followed.pools[pool];
        used.in_use += 1;
        if used.in_use > used.peak {
            used.peak = used.in_use;
            used.peak_at = Some(began);
        }
        let wait = self.waits.remove(&run).unwrap_or_default();
        if wait > Duration::ZERO {
            let wait = wait + began.duration_since(self.now).unsigned_abs();
            used.waited += 1;
            if used
                .longest
                .as_ref()
                .is_none_or(|(longest, ..)| wait > *longest)
            {
                used.longest = Some((wait, job.name().clone(), scheduled));
            }
        }
        self.fires += 1;
        let fate = Fate::Runs {
            started: began,
            ended,
        };
        let decided = Decided {
            job: job.name(),
            scheduled,
            fate,
        };
        self.is_over |= (self.tell)(&decided).is_break();
    }

    fn hear(&mut self) {
        for said in self.ears.take() {
            match said {
                Said::Started { run, lateness } => {
                    self.waits.insert(run, lateness);
                }
                Said::NotRun {
                    job,
                    at,
                    reason,
                    count,
                } => self.not_run(job, at, reason, count),
            }
        }
    }

    fn not_run(&mut self, job: JobName, at: Timestamp, reason: Reason, count: u64) {
        self.fires += count;
        let decided = Decided {
            job: &job,
            scheduled: at,
            fate: Fate::Not(reason),
        };
        self.is_over |= (self.tell)(&decided).is_break();
        let time = self
            .jobs
            .get(&job)
            .map_or(Duration::ZERO, |(_, time)| *time);
        let unrun = self
            .unrun
            .entry((job.clone(), reason))
            .or_insert_with(|| Unrun {
                job,
                reason,
                count: 0,
                first: at,
                last: at,
                time,
            });
        unrun.count += count;
        unrun.last = at;
    }

    fn note_peak(&mut self) {
        let runs = self.running.len() as u64;
        if runs <= self.followed.peak.runs {
            return;
        }
        let mut names: Vec<JobName> = Vec::new();
        for (name, _) in self.running.values().take(NAMES * 4) {
            if names.len() < NAMES && !names.contains(name) {
                names.push(name.clone());
            }
        }
        self.followed.peak = Peak {
            runs,
            at: Some(self.shown),
            names,
        };
    }
}

fn just_after(instant: Timestamp) -> Timestamp {
    instant
        .saturating_add(Duration::from_nanos(1))
        .unwrap_or(Timestamp::MAX)
}

fn now(wall: Timestamp, begin: Timestamp) -> Now {
    Now {
        wall,
        monotonic: wall.duration_since(begin).unsigned_abs(),
    }
}
