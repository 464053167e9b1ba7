//! Fires led through the engine's own state on a clock that is set by hand.
//!
//! What is skipped, what waits and what runs at once is decided by the very code that decides it
//! in the daemon; only the store (which takes everything) and the runs (which take as long as
//! they are said to) are made up here.

mod bounds;
mod ears;
mod outcome;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Question, just_before};
use crate::engine::Change;
use crate::engine::state::{Effect, Input, Now, State, Ticket};
use crate::ids::{JobName, RunId};
use crate::model::{AttemptEnd, Ended, Job, Outcome, Output, Overlap, Pool, Reason};
use crate::store::{Mark, Written};
use bounds::{Bounds, Taken};
use ears::{Ears, Said};
pub use outcome::{Decided, Fate, Followed, Peak, PoolUse, Unrun};

/// So many of those that run at the peak are named.
const NAMES: usize = 5;

/// Tells of each fire as it is decided, until nobody wants to hear more.
pub fn each(question: &Question<'_>, tell: &mut dyn FnMut(&Decided<'_>) -> ControlFlow<()>) {
    follow(question, tell);
}

/// Follows as many fires as the question allows.
pub(in crate::forecast) fn follow(
    question: &Question<'_>,
    tell: &mut dyn FnMut(&Decided<'_>) -> ControlFlow<()>,
) -> Followed {
    let mut play = Play::new(question, tell);
    if question.follow > 0 {
        play.begin();
        play.go_on();
        play.tell_open();
    }
    play.followed.fires = play.fires;
    let mut unrun: Vec<Unrun> = play.unrun.into_values().collect();
    unrun.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.job.cmp(&b.job)));
    play.followed.unrun = unrun;
    play.followed.pools = play.bounds.into_uses();
    play.followed
}

/// A run that is told later.
struct Decision {
    job: JobName,
    scheduled: Timestamp,
    started: Timestamp,
    ended: Timestamp,
}

struct Play<'q, 'j> {
    question: &'q Question<'j>,
    tell: &'q mut dyn FnMut(&Decided<'_>) -> ControlFlow<()>,
    /// Nobody wants to hear more.
    is_over: bool,
    state: State,
    ears: Arc<Ears>,
    pools: Vec<Arc<Pool>>,
    begin: Timestamp,
    /// What the state is told.
    now: Timestamp,
    /// What is told of it. A run that ends at an instant is over for the state just before it, so
    /// that one as long as its period leaves room for the next.
    shown: Timestamp,
    jobs: HashMap<&'j JobName, (&'j Job, Duration)>,
    ends: BinaryHeap<Reverse<(Timestamp, RunId)>>,
    running: BTreeMap<(Timestamp, RunId), (JobName, Taken)>,
    bounds: Bounds,
    started: HashMap<RunId, Timestamp>,
    waits: HashMap<RunId, Duration>,
    /// Runs that may yet be replaced: they are told when they are over.
    open: BTreeMap<RunId, Decision>,
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
        let pools = Bounds::pools(question.jobs);
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
            bounds: Bounds::new(settings, &pools),
            pools,
            started: HashMap::new(),
            waits: HashMap::new(),
            open: BTreeMap::new(),
            unrun: HashMap::new(),
            fires: 0,
            followed: Followed {
                until: question.from,
                fires: 0,
                peak: Peak::default(),
                pools: Vec::new(),
                behind: 0,
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
            // So that `startup` schedules are quiet: they are about no instant of the span.
            last_startup_at: Some(self.begin),
            ..Mark::first_sight(self.begin)
        };
        let change = Change {
            at: self.begin,
            added: self
                .question
                .jobs
                .iter()
                .map(|job| (job.clone(), mark.clone()))
                .collect(),
            pools: self.pools.clone(),
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
        // One that was replaced is over already.
        if self.leave(run).is_some() {
            self.on(ended(run, Ended::Success));
        }
    }

    /// Takes a run out of those that run.
    fn leave(&mut self, run: RunId) -> Option<Decision> {
        let started = self.started.remove(&run)?;
        let (job, taken) = self.running.remove(&(started, run))?;
        self.bounds.give_back(taken, self.shown);
        match self.open.remove(&run) {
            Some(decision) => {
                self.tell_run(&decision);
                Some(decision)
            }
            None => Some(Decision {
                job,
                scheduled: started,
                started,
                ended: self.shown,
            }),
        }
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
                    Effect::End { run, .. } => inputs.extend(self.replaced(run)),
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
        let taken = self.bounds.take(job, began);
        self.ends.push(Reverse((ended, run)));
        self.started.insert(run, began);
        self.running
            .insert((began, run), (job.name().clone(), taken));
        let wait = self.waits.remove(&run).unwrap_or_default();
        let overlap = job.definition.policy.overlap;
        if wait > Duration::ZERO && overlap != Overlap::Skip {
            self.followed.behind += 1;
        } else if wait > Duration::ZERO {
            let wait = wait + began.duration_since(self.now).unsigned_abs();
            self.bounds
                .waited(taken, wait, (job.name(), scheduled), began);
        }
        self.fires += 1;
        let decision = Decision {
            job: job.name().clone(),
            scheduled,
            started: began,
            ended,
        };
        if overlap == Overlap::Replace {
            self.open.insert(run, decision);
        } else {
            self.tell_run(&decision);
        }
    }

    fn tell_run(&mut self, decision: &Decision) {
        let (started, ended) = (decision.started, decision.ended);
        self.tell(
            &decision.job,
            decision.scheduled,
            Fate::Runs { started, ended },
        );
    }

    /// Runs that are under way at the end.
    fn tell_open(&mut self) {
        for decision in std::mem::take(&mut self.open).into_values() {
            self.tell_run(&decision);
        }
    }

    fn tell(&mut self, job: &JobName, scheduled: Timestamp, fate: Fate) {
        let decided = Decided {
            job,
            scheduled,
            fate,
        };
        self.is_over |= (self.tell)(&decided).is_break();
    }

    /// Whoever is told to end does so at once.
    fn replaced(&mut self, run: RunId) -> Option<Input> {
        let open = self.open.remove(&run);
        self.leave(run)?;
        if let Some(Decision {
            job,
            scheduled,
            started,
            ..
        }) = open
        {
            let ended = self.shown;
            self.tell(&job, scheduled, Fate::Replaced { started, ended });
            self.note_unrun(job, scheduled, Outcome::Cancelled, Reason::Replaced, 1);
        }
        Some(ended(run, Ended::Stopped))
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
                    outcome,
                    reason,
                    count,
                } => {
                    self.fires += count;
                    self.tell(&job, at, Fate::Not(outcome, reason));
                    self.note_unrun(job, at, outcome, reason, count);
                }
            }
        }
    }

    fn note_unrun(
        &mut self,
        job: JobName,
        at: Timestamp,
        outcome: Outcome,
        reason: Reason,
        count: u64,
    ) {
        let time = self
            .jobs
            .get(&job)
            .map_or(Duration::ZERO, |(_, time)| *time);
        let unrun = self
            .unrun
            .entry((job.clone(), reason))
            .or_insert_with(|| Unrun {
                job,
                outcome,
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

fn ended(run: RunId, ended: Ended) -> Input {
    let end = AttemptEnd {
        ended,
        output: Output::default(),
        exit_code: None,
        signal: None,
        http_status: None,
        detail: None,
        retry_after: None,
    };
    Input::Ended {
        run,
        end: Box::new(end),
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
