//! A store, a committer, a sync and a world that keep count, around a state.

mod checks;
mod model;
mod store;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use crate::decide::Edition;
use crate::decide::merge::{Defined, FileInForce, InForce, RootInForce};
use crate::decide::rename::renames;
use crate::engine::handle::{NotApplied, PauseAnswer, PauseRequest, PauseWish, Renamed};
use crate::engine::state::active::Stage;
use crate::engine::state::testing::{START, second};
use crate::engine::state::*;
use crate::model::{Ended, Letter, Outcome, Output, Pause, Pool, RunState, Sages};
use crate::schedule::Schedule;
use crate::store::rules;

use super::edits::{edit_writes, is_rescheduled};
use super::freshness::Staleness;
use super::pools::Places;
use model::Past;
use store::Key;

pub(super) fn end(ended: Ended) -> Box<AttemptEnd> {
    Box::new(AttemptEnd {
        ended,
        output: Output::default(),
        exit_code: None,
        signal: None,
        http_status: None,
        detail: None,
        retry_after: None,
    })
}

pub(super) fn at(wall: Timestamp) -> Now {
    let monotonic = wall.duration_since(second(0)).unsigned_abs();
    Now { wall, monotonic }
}

/// One folder with one file of these jobs.
fn in_force(jobs: &[Job]) -> InForce {
    let file = FileInForce {
        path: "a.yaml".into(),
        hash: [0; 32],
        content: Defined::Jobs(jobs.into()),
    };
    InForce {
        roots: vec![RootInForce {
            path: "jobs.d".into(),
            files: vec![file],
            held: Vec::new(),
        }],
    }
}

/// Counts the ends of runs that are told, and listens to what is told of stale jobs.
#[derive(Default)]
pub(super) struct Ends(Mutex<HashMap<RunId, u32>>, pub(super) Staleness);

impl Observer for Ends {
    fn observe(&self, event: &Event<'_>) {
        if let Event::RunEnded { run, .. } = event {
            *self.0.lock().unwrap().entry(run.id).or_default() += 1;
        }
        self.1.observe(event);
    }
}

/// A batch on its way to the store.
struct Batch {
    number: u64,
    epoch: u64,
    writes: Vec<Write>,
}

/// What stands between state and store, as driver and committer do it.
#[derive(Default)]
struct Between {
    queue: VecDeque<Batch>,
    answers: VecDeque<Input>,
    committer_epoch: u64,
    driver_epoch: u64,
    /// The committer refuses everything until the store is back.
    is_out: bool,
}

pub(super) struct World {
    pub(super) state: State,
    pub(super) now: Timestamp,
    /// What the clock has shown before it was set back: what was due then is due.
    pub(super) latest: Timestamp,
    pub(super) settings: Settings,
    pub(super) rows: BTreeMap<RunId, Run>,
    keys: HashMap<(JobName, Key), RunId>,
    /// How many fires of each job are in rows, and which rows changed since the last check: a look at
    /// all rows after each step would cost more the longer a script is.
    counts: HashMap<JobName, u64>,
    touched: Vec<RunId>,
    pub(super) marks: HashMap<JobName, Mark>,
    pub(super) letters: BTreeMap<RunId, Letter>,
    pub(super) said: BTreeMap<String, String>,
    pub(super) pauses: HashMap<JobName, Pause>,
    pub(super) pause_answers: Vec<Result<PauseAnswer, Refusal>>,
    pub(super) sages: Arc<Sages>,
    /// The jobs of which a sage hears each failure and each fire that was missed.
    pub(super) tells: HashSet<JobName>,
    /// Rows that a start found open, of jobs that are gone.
    pub(super) closed_by_nobody: HashSet<RunId>,
    pub(super) is_store_up: bool,
    /// Batches and answers move only when the test says so.
    pub(super) is_slow: bool,
    between: Between,
    /// Attempts under way, in the order of their start.
    pub(super) running: Vec<RunId>,
    /// Every attempt that ever started: a run and its number.
    pub(super) started: HashSet<(RunId, u32)>,
    pub(super) answers: Vec<Result<Triggered, Refusal>>,
    pub(super) ends: Vec<(RunId, EndHow)>,
    /// What the files say, and what is in force while the process lives.
    pub(super) jobs: Vec<Job>,
    /// The pools that the files define.
    pub(super) pools: Vec<Arc<Pool>>,
    /// Which revision the files are.
    pub(super) revision: Option<Arc<str>>,
    /// What the next change says of editions.
    pub(super) editions: HashMap<JobName, Vec<Edition>>,
    /// Who the store says made the jobs that the next start is given.
    pub(super) authors: Vec<(JobName, Arc<str>)>,
    /// What the store has of it.
    recorded: Vec<Job>,
    /// Marks and ends of jobs that the store does not have yet.
    unrecorded: Vec<Write>,
    pub(super) is_unrecorded: bool,
    past: BTreeMap<JobName, Past>,
    /// The pasts of names that became others'.
    former: HashMap<JobName, Vec<Past>>,
    /// Runs that were under way by two names when these became one: they go on beside each other.
    joined: HashSet<RunId>,
    /// How many fires the past has that is over, up to its last schedule: another look costs nothing.
    over: HashMap<JobName, u64>,
    pub(super) told_ends: Arc<Ends>,
    last_ticket: u64,
    /// Who asked and has no answer yet.
    asking: HashSet<Ticket>,
    last_applied: Option<Result<ApplyAnswer, NotApplied>>,
    last_recorded: Option<Result<(), String>>,
}

impl World {
    pub(super) fn new(settings: Settings) -> Self {
        let now = second(0);
        let told_ends = Arc::new(Ends::default());
        Self {
            state: State::new(settings, told_ends.clone(), at(now)),
            now,
            latest: now,
            settings,
            rows: BTreeMap::new(),
            keys: HashMap::new(),
            counts: HashMap::new(),
            touched: Vec::new(),
            marks: HashMap::new(),
            letters: BTreeMap::new(),
            said: BTreeMap::new(),
            pauses: HashMap::new(),
            pause_answers: Vec::new(),
            sages: Arc::default(),
            tells: HashSet::new(),
            closed_by_nobody: HashSet::new(),
            is_store_up: true,
            is_slow: false,
            between: Between::default(),
            running: Vec::new(),
            started: HashSet::new(),
            answers: Vec::new(),
            ends: Vec::new(),
            jobs: Vec::new(),
            pools: Vec::new(),
            recorded: Vec::new(),
            unrecorded: Vec::new(),
            is_unrecorded: false,
            past: BTreeMap::new(),
            former: HashMap::new(),
            joined: HashSet::new(),
            over: HashMap::new(),
            told_ends,
            last_ticket: 0,
            asking: HashSet::new(),
            revision: None,
            editions: HashMap::new(),
            authors: Vec::new(),
            last_applied: None,
            last_recorded: None,
        }
    }

    pub(super) fn with(jobs: Vec<Job>) -> Self {
        let mut world = Self::new(Settings {
            max_workers: 64,
            max_requests: 64,
        });
        world.first(jobs);
        world
    }

    pub(super) fn first(&mut self, jobs: Vec<Job>) {
        let mut change = Change {
            at: self.now,
            pools: self.pools.clone(),
            revision: self.revision.clone(),
            first: true,
            sages: Some(self.sages.clone()),
            ..Change::default()
        };
        for job in &jobs {
            let mark = self.seen(job.name());
            self.remember(job.name(), mark.mark, Some(job));
            change.added.push((job.clone(), mark));
        }
        self.jobs.clone_from(&jobs);
        self.recorded = jobs;
        self.apply(change);
    }

    pub(super) fn apply(&mut self, change: Change) {
        self.feed(Input::Apply(Ticket(0), Box::new(change)));
    }

    pub(super) fn applied(&mut self) -> Option<Result<ApplyAnswer, NotApplied>> {
        self.last_applied.take()
    }

    pub(super) fn ask(&mut self, name: &str, request: &str) {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.asking.insert(ticket);
        let request = TriggerRequest {
            job: JobName::new(name).unwrap(),
            request: request.into(),
            trigger: Trigger::Manual,
        };
        self.feed(Input::Trigger(ticket, request));
    }

    pub(super) fn ask_pause(&mut self, name: &str, wish: PauseWish) {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.asking.insert(ticket);
        let request = PauseRequest {
            job: JobName::new(name).unwrap(),
            author: "anna".into(),
            wish,
        };
        self.feed(Input::Pause(ticket, request));
    }

    pub(super) fn feed(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let before = Places::of(&self.state);
            let effects = self.state.on(input, at(self.now));
            before.check(&self.state);
            for effect in effects {
                self.carry_out(effect, &mut inputs);
            }
        }
        if !self.is_slow {
            self.pump();
        }
    }

    fn carry_out(&mut self, effect: Effect, inputs: &mut Vec<Input>) {
        match effect {
            Effect::Commit { batch, writes } => self.between.queue.push_back(Batch {
                number: batch,
                epoch: self.between.driver_epoch,
                writes,
            }),
            Effect::Attempt(order) => self.start(&order),
            Effect::Triggered(ticket, answer) => {
                assert!(self.asking.remove(&ticket), "answered twice: {answer:?}");
                self.answers.push(answer);
            }
            Effect::Paused(ticket, answer) => {
                assert!(self.asking.remove(&ticket), "answered twice: {answer:?}");
                self.pause_answers.push(answer);
            }
            Effect::End { run, how } => self.ends.push((run, how)),
            Effect::FindRequest {
                ticket,
                job,
                request,
                otherwise,
            } => {
                let run = self.row_of(&job, &Key::Request(request));
                inputs.push(Input::RequestFound {
                    ticket,
                    run,
                    otherwise,
                });
            }
            Effect::ReadMarks(jobs) => {
                let marks = jobs.into_iter().filter_map(|job| {
                    let mark = self.marks.get(&job)?.clone();
                    Some((job, mark))
                });
                let marks = Input::Marks(marks.collect());
                self.between.answers.push_back(marks);
            }
            Effect::Applied(_, answer) => self.last_applied = Some(answer),
            Effect::Recorded(_, answer) => self.last_recorded = Some(answer),
        }
    }

    fn start(&mut self, order: &Order) {
        let row = &self.rows[&order.run];
        assert_eq!(row.state, RunState::Running, "no row before the start");
        assert_eq!(row.attempt, order.attempt, "another attempt is recorded");
        assert!(
            self.started.insert((order.run, order.attempt)),
            "attempt {} of {} started twice",
            order.attempt,
            order.run
        );
        if let Trigger::Schedule | Trigger::CatchUp = order.trigger {
            self.check_due(order);
        }
        self.running.push(order.run);
        // The name that its job has now.
        let name_of = |id: &RunId| self.state.runs.get(id).map(|active| &active.run.job);
        let name = name_of(&order.run).expect("it is under way");
        let running = self.running.iter();
        let at_once = running.filter(|id| name_of(id) == Some(name)).count();
        // The job's own word counts, and the run's for a job that is gone.
        let key = self.state.names.get(name.as_str());
        let job = key.and_then(|key| self.state.job(*key));
        let job = job.map_or(&order.job, |state| &state.job);
        if let (Some(key), 1, Trigger::Schedule | Trigger::CatchUp) =
            (key, order.attempt, order.trigger)
        {
            let pause = self.state.pauses.on(*key);
            let due = self.state.runs[&order.run]
                .due
                .unwrap_or(order.scheduled_at);
            // A fire from the pause's end on is not the pause's, wherever the clock was set since.
            let coming = self.state.pauses.coming(*key);
            let coming = coming.and_then(|pause| pause.ended_at);
            let covers = |pause: &Pause| {
                let end = [pause.until, coming].into_iter().flatten().min();
                end.is_none_or(|end| due < end)
            };
            let is_on = pause.is_some_and(|pause| pause.is_on(self.now) && covers(pause));
            assert!(!is_on, "{} began although it is paused", order.job.name());
        }
        let most = job.definition.policy.max_instances as usize;
        // Whoever was admitted by either of two names that became one goes on; a fire that comes after
        // that begins only where all of these leave room.
        let is_joined = self.joined.contains(&order.run);
        assert!(at_once <= most || is_joined, "{name}: {at_once} at once");
    }

    /// No start before the instant at which the fire is due.
    fn check_due(&self, order: &Order) {
        let own = &order.job.definition.schedule;
        let name = &self.rows[&order.run].job;
        let former = self.former.get(name).into_iter().flatten();
        let past = former.chain(self.past.get(name)).flatten();
        let mut schedules = past
            .filter_map(|(_, schedule)| schedule.as_ref())
            .chain([own]);
        assert!(
            schedules.any(|schedule| {
                let fire = schedule.fire_at(order.scheduled_at);
                fire.is_some_and(|fire| fire.due <= self.now.max(self.latest))
            }),
            "{} started early, for {}",
            order.job.name(),
            order.scheduled_at
        );
    }

    /// Lets everything that is on its way arrive.
    pub(super) fn pump(&mut self) {
        while self.commit_next() || self.deliver_next() {}
    }

    /// The committer takes its next batch.
    pub(super) fn commit_next(&mut self) -> bool {
        let Some(batch) = self.between.queue.pop_front() else {
            return false;
        };
        let result = if self.between.is_out || batch.epoch != self.between.committer_epoch {
            Err(("refused before".to_owned(), batch.writes))
        } else if self.is_store_up {
            let writes = batch.writes.into_iter();
            Ok(writes.map(|write| self.write(write)).collect())
        } else {
            self.between.is_out = true;
            Err(("disk full".to_owned(), batch.writes))
        };
        let batch = batch.number;
        self.between
            .answers
            .push_back(Input::Committed { batch, result });
        true
    }

    /// The driver takes the committer's next answer.
    pub(super) fn deliver_next(&mut self) -> bool {
        let Some(answer) = self.between.answers.pop_front() else {
            return false;
        };
        if matches!(answer, Input::StoreBack) {
            self.between.driver_epoch += 1;
        }
        let was_slow = std::mem::replace(&mut self.is_slow, true);
        self.feed(answer);
        self.is_slow = was_slow;
        true
    }

    /// The store can be written again, and the committer finds it out.
    pub(super) fn store_back(&mut self) {
        self.is_store_up = true;
        if self.between.is_out {
            self.between.is_out = false;
            self.between.committer_epoch += 1;
            self.between.answers.push_back(Input::StoreBack);
        }
        if !self.is_slow {
            self.pump();
        }
    }

    /// The files say this from now on. Says whether it is in force: as a sync does it, and in its order.
    pub(super) fn edit(&mut self, jobs: Vec<Job>) -> bool {
        if !self.record_the_rest() || !self.is_store_up {
            return false;
        }
        if let Some(renames) = renames(&in_force(&self.jobs), &in_force(&jobs)) {
            self.give_names(renames.moves);
            let Some(Ok(_)) = self.applied() else {
                return false;
            };
            self.jobs = renames.in_force.jobs().cloned().collect();
            self.is_unrecorded = true;
            // Much may happen before the store has heard of it.
            let both = self.jobs.iter().zip(&jobs);
            let is_all = both
                .into_iter()
                .all(|(a, b)| a.definition == b.definition && a.origin == b.origin);
            let is_recorded = self.is_slow && is_all || self.record_the_rest();
            if is_all || !is_recorded {
                return is_all;
            }
        }
        let mut change = self.change_to(&self.jobs.clone(), &jobs);
        for (job, mark) in &mut change.added {
            *mark = self.seen(job.name());
        }
        change.pauses.clone_from(&self.pauses);
        change.editions = std::mem::take(&mut self.editions);
        let before = self.jobs.clone();
        let told = change.clone();
        let decided = self.decided();
        self.apply(change);
        let Some(Ok(answer)) = self.applied() else {
            return false;
        };
        let writes = edit_writes(&told, &before, &answer.open);
        self.settle_on(&told, jobs, &decided);
        self.unrecorded = writes;
        self.is_unrecorded = true;
        if !self.is_slow {
            self.record_the_rest();
        }
        true
    }

    pub(super) fn give_names(&mut self, moves: Vec<(JobName, JobName)>) {
        // As a sync does it: a name that a change saw which did not come in force is no job.
        let names = moves.iter().flat_map(|(from, to)| [from, to]);
        for name in names.filter(|name| !self.state.names.contains_key(name.as_str())) {
            if let Some(mark) = self.marks.get_mut(name) {
                mark.gone_at.get_or_insert(self.now);
            }
        }
        for (from, to) in &moves {
            let active = self.state.runs.values();
            let admitted =
                active.filter(|active| !matches!(active.stage, Stage::Backlog | Stage::Behind));
            let runs = admitted
                .map(|active| &active.run)
                .chain(&self.state.recalled);
            let of = |name: &JobName| -> Vec<RunId> {
                let own = runs.clone().filter(|run| run.job == *name);
                own.map(|run| run.id).collect()
            };
            let (one, other) = (of(from), of(to));
            if !one.is_empty() && !other.is_empty() {
                self.joined.extend(one.into_iter().chain(other));
            }
        }
        self.apply(Change {
            at: self.now,
            renamed: Some(Renamed {
                moves,
                files: Vec::new(),
            }),
            ..Change::default()
        });
    }

    /// Asks the state whether all is recorded, and records the change if so.
    pub(super) fn record_the_rest(&mut self) -> bool {
        if !self.is_unrecorded {
            return true;
        }
        self.last_recorded = None;
        self.feed(Input::Recorded(Ticket(0)));
        self.pump();
        if self.last_recorded != Some(Ok(())) || !self.is_store_up {
            return false;
        }
        self.is_unrecorded = false;
        for write in std::mem::take(&mut self.unrecorded) {
            self.write(write);
        }
        self.recorded.clone_from(&self.jobs);
        true
    }

    fn change_to(&self, before: &[Job], after: &[Job]) -> Change {
        let mut change = Change {
            at: self.now,
            pools: self.pools.clone(),
            revision: self.revision.clone(),
            ..Change::default()
        };
        for job in after {
            match before.iter().find(|old| old.name() == job.name()) {
                None => change
                    .added
                    .push((job.clone(), Mark::first_sight(self.now))),
                Some(old) if old.definition == job.definition && old.origin == job.origin => {}
                Some(_) => change.changed.push(job.clone()),
            }
        }
        let gone = before
            .iter()
            .filter(|old| after.iter().all(|job| job.name() != old.name()));
        change.removed = gone.map(|job| job.name().clone()).collect();
        change
    }

    /// Lets time pass, second by second, as the driver would be woken.
    pub(super) fn pass(&mut self, seconds: i64) {
        let until = self.now + Duration::from_secs(seconds.unsigned_abs());
        let mut rounds = 0;
        while let Some(wake) = self.state.next_wake().filter(|wake| *wake <= until) {
            // A wake-up that changes nothing and comes again would never end.
            rounds = if wake > self.now { 0 } else { rounds + 1 };
            assert!(rounds < 100, "woken again and again at {wake}");
            self.now = self.now.max(wake);
            self.feed(Input::Tick);
        }
        self.now = until;
        self.feed(Input::Tick);
    }

    /// The clock shows so many seconds less, which is found out at once or at the next start.
    pub(super) fn set_back(&mut self, by: i64, is_restarted: bool) {
        if is_restarted {
            self.latest = self.now;
            self.now -= Duration::from_secs(by.unsigned_abs());
            self.crash(0);
        } else {
            self.set_clock(-by);
        }
    }

    /// The clock shows so many seconds more, or less.
    pub(super) fn set_clock(&mut self, by: i64) {
        self.latest = self.latest.max(self.now);
        let length = Duration::from_secs(by.unsigned_abs());
        let direction = match by >= 0 {
            true => Direction::Forward,
            false => Direction::Backward,
        };
        match direction {
            Direction::Forward => self.now += length,
            Direction::Backward => self.now -= length,
        }
        self.feed(Input::ClockSet {
            by: length,
            direction,
        });
    }

    pub(super) fn finish(&mut self, index: usize, ended: Ended) {
        let run = self.running.remove(index);
        let end = end(ended);
        self.feed(Input::Ended { run, end });
    }

    /// The process dies and another one takes over after a while.
    pub(super) fn crash(&mut self, down: i64) {
        let jobs = self.jobs.clone();
        self.crash_and(down, jobs);
    }

    /// The same, and the files say something else when it starts.
    pub(super) fn crash_and(&mut self, down: i64, jobs: Vec<Job>) {
        self.running.clear();
        self.between = Between::default();
        self.asking.clear();
        self.unrecorded.clear();
        let open: Vec<Run> = self.rows.values().cloned().collect();
        let open = open.into_iter().filter(|run| run.state != RunState::Done);
        let open: Vec<Run> = open.collect();
        // Whoever was told of an end that was not recorded is told again, by another process.
        let mut told = self.told_ends.0.lock().unwrap();
        for run in &open {
            told.remove(&run.id);
        }
        drop(told);
        let recorded = |run: &&Run| self.recorded.iter().any(|job| *job.name() == run.job);
        let of_nobody = open.iter().filter(|run| !recorded(run)).map(|run| run.id);
        self.closed_by_nobody.extend(of_nobody);
        self.forget_unrecorded();
        let was_in_force = std::mem::take(&mut self.jobs);
        self.now += Duration::from_secs(down.unsigned_abs());
        self.told_ends.1.forget();
        self.state = State::new(self.settings, self.told_ends.clone(), at(self.now));
        self.feed(Input::Recalled(open));
        let said = self.said.iter();
        let troubles =
            said.map(|(name, text)| (Trouble::job_of(name).unwrap(), Trouble::parse(text)));
        self.feed(Input::Troubles(troubles.collect()));
        let recorded = self.recorded.clone();
        let added = recorded
            .iter()
            .map(|job| (job.clone(), self.marks[job.name()].clone()));
        let added: Vec<_> = added.collect();
        let editions = std::mem::take(&mut self.editions);
        let authors = std::mem::take(&mut self.authors);
        self.apply(Change {
            at: self.now,
            added,
            pauses: self.pauses.clone(),
            editions,
            authors,
            revision: self.revision.clone(),
            recalled: true,
            sages: Some(self.sages.clone()),
            ..Change::default()
        });
        let renames = renames(&in_force(&recorded), &in_force(&jobs));
        let recorded = match renames {
            Some(renames) => {
                self.give_names(renames.moves);
                // What a name that is gone left open is a job's again.
                let names = &self.state.names;
                let open = self.state.recalled.iter();
                for run in open.filter(|run| names.contains_key(run.job.as_str())) {
                    self.closed_by_nobody.remove(&run.id);
                }
                self.pump();
                renames.in_force.jobs().cloned().collect()
            }
            None => recorded,
        };
        let decided = self.decided();
        let mut change = self.change_to(&recorded, &jobs);
        change.first = true;
        for (job, mark) in &mut change.added {
            let is_new = !was_in_force.iter().any(|old| old.name() == job.name());
            *mark = self.seen(job.name());
            if is_new {
                self.remember(job.name(), mark.mark, Some(job));
            }
        }
        change.pauses.clone_from(&self.pauses);
        let told = Change {
            added: Vec::new(),
            ..change.clone()
        };
        self.is_unrecorded = true;
        let before = change.clone();
        self.apply(change);
        let open = self.applied().map(|answer| answer.unwrap().open);
        self.unrecorded = edit_writes(&before, &recorded, &open.unwrap_or_default());
        self.jobs = recorded;
        self.settle_on(&told, jobs, &decided);
        self.record_the_rest();
    }

    pub(super) fn told(&self) -> Vec<String> {
        let mut rows: Vec<_> = self.rows.values().collect();
        rows.sort_by_key(|run| (run.scheduled_at, run.id));
        rows.into_iter()
            .map(|run| {
                let at = run.scheduled_at.as_second() - START;
                let end = run.outcome.map_or(run.state.as_str(), Outcome::as_str);
                let reason = run.reason.map(|r| format!(" ({r})")).unwrap_or_default();
                let many = match run.count {
                    1 => String::new(),
                    n => format!(" ×{n}"),
                };
                format!("{} {at}: {end}{reason}{many}", run.job)
            })
            .collect()
    }

    /// Whether the index of a run of this job is among what runs.
    pub(super) fn running_of(&self, name: &str) -> Option<usize> {
        let mut running = self.running.iter();
        running.position(|id| self.rows[id].job.as_str() == name)
    }
}
