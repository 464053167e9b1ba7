//! Everything that runs or waits, and every decision about it: pure.
//!
//! [`State::on`] takes one input and the time and answers with effects; it
//! performs nothing, reads no clock and throws no dice. The driver carries the
//! effects out and brings their results back as inputs.

mod active;
mod apply;
mod cancel;
mod commits;
mod editions;
mod fires;
mod freshness;
mod identity;
mod job;
mod kept;
mod mending;
mod overlap;
mod pauses;
mod places;
mod recovery;
mod rename;
mod requests;
mod runs;
mod stopping;
mod telling;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod views;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::decide::Trouble;
use crate::ids::{JobKey, JobName, RunId};
use crate::model::{AttemptEnd, Event, Job, Observer, Reason, Remains, Run, Sages, Trigger};
use crate::store::{Mark, Write, Written};

use super::handle::{
    ApplyAnswer, Change, NotApplied, PauseAnswer, PauseRequest, Refusal, Stats, TriggerRequest,
    Triggered,
};
use super::timetable::Timetable;
use active::Active;
use commits::Commits;
use freshness::Freshness;
use job::{JobState, Span};
use pauses::Pauses;
use places::Places;

/// How many may run at once.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Processes.
    pub max_workers: u32,
    /// Requests.
    pub max_requests: u32,
}

/// The time, both ways.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// When something is due.
    pub wall: Timestamp,
    /// How long something took.
    pub monotonic: Duration,
}

/// Who waits for an answer; the driver knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// Time went on.
    Tick,
    /// Rows that another process left open; before the first change.
    Recalled(Vec<Run>),
    /// What was left of those rows' attempts, with [`Input::Recalled`].
    Remains(HashMap<RunId, Remains>),
    /// What the store remembers of jobs in trouble; before the first change.
    Troubles(HashMap<JobName, Trouble>),
    /// Other jobs from now on.
    Apply(Ticket, Box<Change>),
    /// Somebody wants to know when everything that was decided so far is in the store.
    Recorded(Ticket),
    /// A run is asked for.
    Trigger(Ticket, TriggerRequest),
    /// A pause, or the end of one, is asked for.
    Pause(Ticket, PauseRequest),
    /// A run is to end.
    Cancel(RunId),
    /// The answer to [`Effect::FindRequest`].
    RequestFound {
        /// Who waits.
        ticket: Ticket,
        /// The run of that request, if there is one.
        run: Option<RunId>,
        /// What to answer when there is none.
        otherwise: Refusal,
    },
    /// An attempt ended.
    Ended {
        /// Of which run.
        run: RunId,
        /// How.
        end: Box<AttemptEnd>,
    },
    /// The answer to [`Effect::Commit`]; a refused batch comes back. After a refusal all is refused until [`Input::StoreBack`].
    Committed {
        /// Which.
        batch: u64,
        /// What became of it.
        result: Result<Vec<Written>, (String, Vec<Write>)>,
    },
    /// The answer to [`Effect::ReadMarks`].
    Marks(Vec<(JobName, Mark)>),
    /// The store can be written again.
    StoreBack,
    /// The wall clock was set, or the machine slept.
    ClockSet {
        /// By how much.
        by: Duration,
        /// Which way.
        direction: Direction,
    },
    /// Take no more fires; end what runs at the deadline.
    Stop(Timestamp),
    /// End everything at once.
    StopNow,
}

/// Which way a clock was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Later.
    Forward,
    /// Earlier.
    Backward,
}

/// What to do.
#[derive(Debug)]
pub enum Effect {
    /// Commit these writes in order, after all batches before; refuse them when a batch
    /// before was refused and [`Input::StoreBack`] was not said since.
    Commit {
        /// Its number.
        batch: u64,
        /// What to write.
        writes: Vec<Write>,
    },
    /// Begin an attempt; its row is there.
    Attempt(Box<Order>),
    /// End an attempt: gracefully, or at once.
    End {
        /// Of which run.
        run: RunId,
        /// How.
        how: EndHow,
    },
    /// Answer a change.
    Applied(Ticket, Result<ApplyAnswer, NotApplied>),
    /// Answer [`Input::Recorded`]: all is there, or what the store says.
    Recorded(Ticket, Result<(), String>),
    /// Answer a trigger.
    Triggered(Ticket, Result<Triggered, Refusal>),
    /// Answer a pause.
    Paused(Ticket, Result<PauseAnswer, Refusal>),
    /// Read the marks of these jobs again, for they were mended.
    ReadMarks(Vec<JobName>),
    /// Look for the run of a request.
    FindRequest {
        /// Who waits.
        ticket: Ticket,
        /// Whose run.
        job: JobName,
        /// Which request.
        request: Arc<str>,
        /// To be handed back.
        otherwise: Refusal,
    },
}

/// How to end an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndHow {
    /// TERM, the job's grace, KILL.
    Gracefully,
    /// KILL.
    Now,
}

/// An attempt to begin.
#[derive(Clone, Debug)]
pub struct Order {
    /// The run.
    pub run: RunId,
    /// Its definition.
    pub job: Job,
    /// Its instant.
    pub scheduled_at: Timestamp,
    /// From 1.
    pub attempt: u32,
    /// What made it.
    pub trigger: Trigger,
    /// The scheduled instant of the last successful run.
    pub previous_success_at: Option<Timestamp>,
    /// The revision of the definition.
    pub revision: Option<Arc<str>>,
}

/// Everything that runs or waits.
pub struct State {
    observer: Arc<dyn Observer>,
    now: Now,
    jobs: Vec<Option<JobState>>,
    free: Vec<u32>,
    names: BTreeMap<JobName, JobKey>,
    held: HashSet<JobName>,
    counts: [u64; 5],
    timetable: Timetable,
    runs: HashMap<RunId, Active>,
    /// Runs of jobs that are gone, for the case that the name comes back.
    orphans: HashMap<JobName, Vec<RunId>>,
    places: Places,
    /// Ends of graces and of waits between attempts.
    timers: BTreeSet<(Timestamp, RunId)>,
    freshness: Freshness,
    pauses: Pauses,
    /// Jobs whose marks were mended since they were last read.
    mended_jobs: Vec<JobName>,
    commits: Commits,
    effects: Vec<Effect>,
    /// Rows that another process left open, until the first change decides them.
    recalled: Vec<Run>,
    remains: HashMap<RunId, Remains>,
    /// Jobs of the store's last applied set, until the first change decides what they missed.
    undecided: Vec<JobKey>,
    /// What a change under way makes of a job that is due meanwhile.
    incoming: HashMap<JobKey, Incoming>,
    phase: Phase,
    /// Why a fire that is late now is late.
    lateness: Reason,
    /// Asked for by this input.
    asked: Option<RunId>,
    revision: Option<Arc<str>>,
    sages: Arc<Sages>,
    /// Jobs whose last runs failed.
    fails: BTreeSet<JobName>,
    /// Of jobs that are not there, for the case that the name comes back.
    troubles: HashMap<JobName, Trouble>,
    stats: Stats,
}

/// From start to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before the first change: nothing fires.
    Starting,
    /// Fires.
    Running,
    /// No fire any more; what runs may go on until then.
    Stopping(Timestamp),
}

/// A change's word on a job that is due while it comes in force.
enum Incoming {
    /// It goes.
    Removed,
    /// It stays and fires no more.
    Disabled,
    /// Runs by this definition.
    Job(Job),
}

impl State {
    /// A state without jobs; nothing fires before the first change.
    #[must_use]
    pub fn new(settings: Settings, observer: Arc<dyn Observer>, now: Now) -> Self {
        Self {
            observer,
            now,
            jobs: Vec::new(),
            free: Vec::new(),
            names: BTreeMap::new(),
            held: HashSet::new(),
            counts: [0; 5],
            timetable: Timetable::default(),
            runs: HashMap::new(),
            orphans: HashMap::new(),
            places: Places::new(settings),
            timers: BTreeSet::new(),
            freshness: Freshness::default(),
            pauses: Pauses::default(),
            mended_jobs: Vec::new(),
            commits: Commits::default(),
            effects: Vec::new(),
            recalled: Vec::new(),
            remains: HashMap::new(),
            undecided: Vec::new(),
            incoming: HashMap::new(),
            phase: Phase::Starting,
            lateness: Reason::Downtime,
            asked: None,
            revision: None,
            sages: Arc::default(),
            fails: BTreeSet::new(),
            troubles: HashMap::new(),
            stats: Stats {
                since: now.wall,
                last_tick: now.wall,
                ..Stats::default()
            },
        }
    }

    /// Takes one input and answers with what to do.
    pub fn on(&mut self, input: Input, now: Now) -> Vec<Effect> {
        if now.wall < self.now.wall {
            // A group that is next due after the time before would keep that from a job that joins it.
            self.timetable.rebuild(now.wall);
        }
        self.now = now;
        self.stats.last_tick = now.wall;
        match input {
            Input::Tick => self.observer.observe(&Event::Tick { at: now.wall }),
            Input::Recalled(open) => self.recalled = open,
            Input::Remains(remains) => self.remains = remains,
            Input::Troubles(troubles) => self.troubles = troubles,
            Input::Apply(ticket, change) => self.apply(ticket, *change),
            Input::Recorded(ticket) => self.recorded(ticket),
            Input::Trigger(ticket, request) => self.trigger(ticket, request),
            Input::Pause(ticket, request) => self.pause_asked(ticket, request),
            Input::Cancel(run) => self.cancel_asked(run),
            Input::RequestFound {
                ticket,
                run,
                otherwise,
            } => self.request_found(ticket, run, otherwise),
            Input::Ended { run, end } => self.ended(run, *end),
            Input::Committed { batch, result } => self.committed(batch, result),
            Input::Marks(marks) => self.mended(marks),
            Input::StoreBack => self.store_back(),
            Input::ClockSet { by, direction } => self.clock_set(by, direction),
            Input::Stop(deadline) => self.stop(deadline),
            Input::StopNow => self.stop_now(),
        }
        self.go_on();
        self.record_asked();
        self.finish_round();
        self.read_mended();
        std::mem::take(&mut self.effects)
    }

    /// When the next thing is due by itself.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        if self.commits.is_down() || self.commits.is_clogged() {
            return self.stop_wake();
        }
        match self.phase {
            Phase::Starting => None,
            Phase::Stopping(_) => self.stop_wake(),
            Phase::Running => {
                let timer = self.timers.first().map(|(at, _)| *at);
                let first = [self.timetable.first_due(), timer];
                let others = [self.freshness.first(), self.pauses.first()];
                first.into_iter().chain(others).flatten().min()
            }
        }
    }

    /// Whatever became due by itself.
    fn go_on(&mut self) {
        match self.phase {
            Phase::Starting => return,
            Phase::Running if self.commits.is_down() => {}
            // Its answers bring this on; what is late then is late for this.
            Phase::Running if self.commits.is_clogged() => self.lateness = Reason::Store,
            Phase::Running => {
                let lateness = self.lateness;
                self.pauses_due();
                self.fire_due();
                self.timers_due(lateness);
                self.fill_places();
            }
            Phase::Stopping(deadline) => return self.stop_due(deadline),
        }
        self.stale_due();
    }

    fn clock_set(&mut self, by: Duration, direction: Direction) {
        self.observer.observe(&Event::ClockJump {
            by,
            forward: direction == Direction::Forward,
        });
        self.shift_stop(by, direction);
        match direction {
            // What the step jumped over is late for that reason.
            Direction::Forward => {
                self.lateness = Reason::Clock;
                self.freshness.resume(self.now.wall);
            }
            // Marks see to it that nothing is repeated.
            Direction::Backward => {
                self.mend_marks();
                self.mend_waits();
                self.pauses_back();
                self.tell_all_next();
                self.expect_all();
            }
        }
    }

    fn job(&self, key: JobKey) -> Option<&JobState> {
        self.jobs.get(key.index())?.as_ref()
    }

    fn job_mut(&mut self, key: JobKey) -> Option<&mut JobState> {
        self.jobs.get_mut(key.index())?.as_mut()
    }

    fn tell_next(&self, key: JobKey, due: Option<Timestamp>) {
        self.observer.observe(&Event::NextFire { key, due });
    }

    fn tell_all_next(&self) {
        for key in self.names.values() {
            self.tell_next(*key, self.next_fire(*key).map(|fire| fire.due));
        }
    }
}

/// The last instant before `instant`.
fn just_before(instant: Timestamp) -> Timestamp {
    instant
        .saturating_sub(Duration::from_nanos(1))
        .unwrap_or(Timestamp::MIN)
}
