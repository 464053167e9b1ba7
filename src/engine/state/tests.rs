//! Scripts of (time, input) → effects, and random scripts that keep the promises.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::model::{Ended, Grace, NoObserver, Outcome, Output, Policy, RunState};
use crate::schedule::{Item, Schedule};

use super::testing::{START, every, job, second};

fn end(ended: Ended) -> Box<AttemptEnd> {
    Box::new(AttemptEnd {
        ended,
        output: Output::default(),
        exit_code: None,
        signal: None,
        http_status: None,
        detail: None,
    })
}

/// A store and a world that keep count, around a state.
struct World {
    state: State,
    now: Timestamp,
    settings: Settings,
    rows: BTreeMap<RunId, Run>,
    marks: HashMap<JobName, Mark>,
    is_store_up: bool,
    /// Attempts under way, in the order of their start.
    running: Vec<RunId>,
    /// Every attempt that ever started: a run and its number.
    started: HashSet<(RunId, u32)>,
    answers: Vec<Result<Triggered, Refusal>>,
    ends: Vec<(RunId, EndHow)>,
    /// Changes that were answered.
    applied: u32,
    jobs: Vec<Job>,
}

impl World {
    fn new(settings: Settings) -> Self {
        let now = second(0);
        Self {
            state: State::new(settings, Arc::new(NoObserver), at(now)),
            now,
            settings,
            rows: BTreeMap::new(),
            marks: HashMap::new(),
            is_store_up: true,
            running: Vec::new(),
            started: HashSet::new(),
            answers: Vec::new(),
            ends: Vec::new(),
            applied: 0,
            jobs: Vec::new(),
        }
    }

    fn with(jobs: Vec<Job>) -> Self {
        let mut world = Self::new(Settings {
            max_workers: 64,
            max_requests: 64,
        });
        world.first(jobs);
        world
    }

    fn first(&mut self, jobs: Vec<Job>) {
        let added = jobs
            .iter()
            .map(|job| (job.clone(), self.seen(job)))
            .collect();
        self.jobs = jobs;
        self.apply(Change {
            at: self.now,
            added,
            first: true,
            ..Change::default()
        });
    }

    fn seen(&mut self, job: &Job) -> Mark {
        *self.marks.entry(job.name().clone()).or_insert(Mark {
            first_seen: self.now,
            mark: self.now,
            gone_at: None,
            previous_success_at: None,
            last_startup_at: None,
            times: crate::model::JobTimes::default(),
        })
    }

    fn apply(&mut self, change: Change) {
        self.feed(Input::Apply(Ticket(0), Box::new(change)));
    }

    fn feed(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for effect in self.state.on(input, at(self.now)) {
                match effect {
                    Effect::Commit { batch, writes } => {
                        let result = self.commit(writes);
                        inputs.insert(0, Input::Committed { batch, result });
                    }
                    Effect::Attempt(order) => self.start(&order),
                    Effect::Triggered(_, answer) => self.answers.push(answer),
                    Effect::End { run, how } => self.ends.push((run, how)),
                    Effect::FindRequest {
                        ticket,
                        job,
                        request,
                        otherwise,
                    } => {
                        let run = self
                            .rows
                            .values()
                            .find(|run| run.job == job && run.request.as_ref() == Some(&request))
                            .map(|run| run.id);
                        inputs.push(Input::RequestFound {
                            ticket,
                            run,
                            otherwise,
                        });
                    }
                    Effect::Applied(..) => self.applied += 1,
                }
            }
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
        self.running.push(order.run);
    }

    fn commit(&mut self, writes: Vec<Write>) -> Result<Vec<Written>, (String, Vec<Write>)> {
        if !self.is_store_up {
            return Err(("disk full".to_owned(), writes));
        }
        Ok(writes.into_iter().map(|write| self.write(write)).collect())
    }

    fn write(&mut self, write: Write) -> Written {
        match write {
            Write::Claim { run } => {
                let mark = self.marks.get_mut(&run.job).expect("a job that was seen");
                let last = run.scheduled_until.unwrap_or(run.scheduled_at);
                let is_fire = run.request.is_none() && run.trigger != Trigger::Startup;
                if self.rows.contains_key(&run.id) || is_fire && run.scheduled_at <= mark.mark {
                    return Written::Taken;
                }
                if is_fire {
                    mark.mark = last;
                }
                self.rows.insert(run.id, *run);
            }
            Write::Extend {
                id,
                job,
                count,
                until,
                ..
            } => {
                let row = self.rows.get_mut(&id).expect("a row to extend");
                row.count = count;
                row.scheduled_until = Some(until);
                self.marks.get_mut(&job).unwrap().mark = until;
            }
            Write::Update { run, .. } => {
                assert!(self.rows.insert(run.id, *run).is_some(), "no row to update");
            }
            _ => {}
        }
        Written::Done
    }

    /// Lets time pass, second by second, as the driver would be woken.
    fn pass(&mut self, seconds: i64) {
        let until = self.now + Duration::from_secs(seconds.unsigned_abs());
        while let Some(wake) = self.state.next_wake().filter(|wake| *wake <= until) {
            self.now = self.now.max(wake);
            self.feed(Input::Tick);
        }
        self.now = until;
        self.feed(Input::Tick);
    }

    fn finish(&mut self, index: usize, ended: Ended) {
        let run = self.running.remove(index);
        let end = end(ended);
        self.feed(Input::Ended { run, end });
    }

    /// The process dies and another one takes over after a while.
    fn crash(&mut self, down: i64) {
        self.crash_and(down, |jobs| Change {
            first: true,
            at: jobs.1,
            ..Change::default()
        });
    }

    fn crash_and(&mut self, down: i64, change: impl FnOnce((&[Job], Timestamp)) -> Change) {
        self.running.clear();
        self.now += Duration::from_secs(down.unsigned_abs());
        self.state = State::new(self.settings, Arc::new(NoObserver), at(self.now));
        let open = self.rows.values().filter(|run| run.state != RunState::Done);
        self.feed(Input::Recalled(open.cloned().collect()));
        let added = self
            .jobs
            .iter()
            .map(|job| (job.clone(), self.marks[job.name()]));
        self.apply(Change {
            at: self.now,
            added: added.collect(),
            recalled: true,
            ..Change::default()
        });
        let change = change((&self.jobs, self.now));
        self.apply(change);
    }

    fn told(&self) -> Vec<String> {
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

    /// Nothing lost, nothing invented, nothing doubled, no bound broken.
    fn check(&self) {
        assert!(self.running.len() <= self.settings.max_workers as usize);
        for job in &self.jobs {
            let name = job.name();
            let mark = self.marks[name];
            let of_job = |run: &&Run| run.job == *name && run.trigger != Trigger::Manual;
            let in_rows: u64 = self.rows.values().filter(of_job).map(|run| run.count).sum();
            let unrecorded = self.state.runs.values().filter(|active| {
                active.run.job == *name && !self.rows.contains_key(&active.run.id)
            });
            let reopened = self
                .state
                .names
                .get(name.as_str())
                .is_some_and(|key| self.state.commits.unsettled.contains(key));
            if !reopened && self.is_store_up && !self.state.commits.is_down() {
                let due = job
                    .definition
                    .schedule
                    .count_between(mark.first_seen, self.now);
                assert_eq!(
                    in_rows + unrecorded.count() as u64,
                    due,
                    "{name}: {:?}",
                    self.told()
                );
            }
            let under_way = self.running.iter().filter(|id| self.rows[id].job == *name);
            assert!(under_way.count() <= job.definition.policy.max_instances as usize);
        }
    }
}

fn at(wall: Timestamp) -> Now {
    let monotonic = wall.duration_since(second(0)).unsigned_abs();
    Now { wall, monotonic }
}

#[test]
fn a_fire_runs_at_its_instant_and_its_row_is_closed_when_it_ends() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.pass(9);
    assert!(world.running.is_empty());
    world.pass(1);
    assert_eq!(world.running.len(), 1);
    world.finish(0, Ended::Success);
    assert_eq!(world.told(), ["a 10: success"]);
    assert_eq!(world.state.stats().total_executed, 1);
}

#[test]
fn fires_during_a_slow_run_share_one_skipped_row() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.pass(45);
    world.finish(0, Ended::Failed(Reason::Exit));
    world.pass(10);
    assert_eq!(
        world.told(),
        [
            "a 10: failed (exit)",
            "a 20: skipped (overlap) ×3",
            "a 50: running"
        ]
    );
}

#[test]
fn max_instances_lets_so_many_run_at_once() {
    let mut world = World::with(vec![job("a", every(10), |p| p.max_instances = 2)]);
    world.pass(30);
    assert_eq!(world.running.len(), 2);
    assert_eq!(world.told()[2], "a 30: skipped (overlap)");
}

#[test]
fn a_fire_without_a_place_waits_and_is_missed_past_its_grace() {
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    world.first(vec![
        job("a", every(1000), |_| {}),
        job("b", every(1000), |p| {
            p.grace = Grace::Fixed(Duration::from_secs(60))
        }),
        job("c", every(1000), |p| {
            p.grace = Grace::Fixed(Duration::from_secs(90))
        }),
    ]);
    world.pass(1000);
    assert_eq!(world.running.len(), 1);
    world.pass(61);
    let a = world
        .running
        .iter()
        .position(|id| world.rows[id].job.as_str() == "a");
    world.finish(a.unwrap_or(0), Ended::Success);
    world.finish(0, Ended::Success);
    let mut told = world.told();
    told.sort();
    assert_eq!(
        told,
        [
            "a 1000: success",
            "b 1000: missed (pool)",
            "c 1000: success"
        ]
    );
}

#[test]
fn failed_attempts_are_tried_again_and_hold_no_place_meanwhile() {
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    let retrying = job("a", every(1000), |p| {
        p.retry.max = 2;
        p.retry.jitter_permille = 0;
        p.retry.backoff = Duration::from_secs(10);
    });
    let once = Arc::new(Schedule::new(vec![Item::At(vec![second(1005)])]));
    world.first(vec![retrying, job("b", once, |_| {})]);
    world.pass(1000);
    world.finish(0, Ended::Failed(Reason::Exit));
    assert_eq!(world.told(), ["a 1000: waiting (exit)"]);
    world.pass(5);
    assert_eq!(world.rows[&world.running[0]].job.as_str(), "b");
    world.finish(0, Ended::Success);
    world.pass(5);
    world.finish(0, Ended::TimedOut);
    world.pass(20);
    world.finish(0, Ended::Failed(Reason::Signal));
    assert_eq!(world.told(), ["a 1000: failed (signal)", "b 1005: success"]);
    assert_eq!(world.started.len(), 4);
}

#[test]
fn after_a_crash_what_ran_is_interrupted_what_waited_goes_on_and_what_was_late_is_decided() {
    let retrying = job("wait", every(1000), |p| {
        p.retry.max = 1;
        p.retry.jitter_permille = 0;
        p.retry.backoff = Duration::from_secs(100);
    });
    let mut world = World::with(vec![job("run", every(1000), |_| {}), retrying]);
    world.pass(1000);
    let wait = world
        .running
        .iter()
        .position(|id| world.rows[id].job.as_str() == "wait");
    world.finish(wait.unwrap(), Ended::Failed(Reason::Exit));
    world.crash(30);
    assert_eq!(
        {
            let mut told = world.told();
            told.sort();
            told
        },
        [
            "run 1000: interrupted (interrupted)",
            "wait 1000: waiting (exit)"
        ]
    );
    assert!(world.running.is_empty());
    world.pass(70);
    assert_eq!(world.running.len(), 1);
    assert!(world.started.contains(&(world.running[0], 2)));
    world.check();
    // Down for three fires: the newest is 100 s late and within its grace of 250 s.
    world.finish(0, Ended::Success);
    world.crash(3000);
    let mut told = world.told();
    told.sort();
    assert_eq!(
        told[1..4],
        [
            "run 2000: missed (downtime) ×2",
            "run 4000: running",
            "wait 1000: success"
        ]
    );
    world.check();
}

#[test]
fn a_job_that_was_removed_while_elder_was_down_is_missed_for_that_reason() {
    let mut world = World::with(vec![job("a", every(1000), |_| {})]);
    world.crash_and(1500, |(jobs, now)| Change {
        at: now,
        removed: vec![jobs[0].name().clone()],
        first: true,
        ..Change::default()
    });
    assert_eq!(world.told(), ["a 1000: missed (removed)"]);
    assert!(world.running.is_empty());
}

#[test]
fn what_was_due_before_an_edit_goes_by_the_old_schedule_and_runs_the_new_action() {
    let mut world = World::with(vec![job("a", every(1000), |_| {})]);
    let mut edited = job("a", every(600), |_| {});
    edited.origin.line = 42;
    let new = edited.clone();
    world.crash_and(1100, |(_, now)| Change {
        at: now,
        changed: vec![edited],
        first: true,
        ..Change::default()
    });
    world.jobs = vec![new];
    assert_eq!(world.told(), ["a 1000: running"]);
    assert_eq!(
        world.rows[&world.running[0]].source.as_deref(),
        Some("jobs.d/a.yaml:42")
    );
    world.finish(0, Ended::Success);
    world.pass(400);
    assert_eq!(world.running.len(), 1, "{:?}", world.told());
    assert_eq!(
        (world.rows[&world.running[0]].scheduled_at.as_second()) % 600,
        0
    );
}

#[test]
fn an_edit_never_makes_a_fire_in_the_past() {
    let mut world = World::with(vec![job("a", every(1000), |_| {})]);
    world.pass(500);
    let edited = job("a", every(100), |_| {});
    world.apply(Change {
        at: world.now,
        changed: vec![edited],
        ..Change::default()
    });
    assert!(world.running.is_empty());
    world.pass(100);
    assert_eq!(world.told(), ["a 600: running"]);
}

#[test]
fn a_running_run_outlives_its_job_and_is_recorded() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.pass(10);
    world.apply(Change {
        at: world.now,
        removed: vec![JobName::new("a").unwrap()],
        ..Change::default()
    });
    world.pass(100);
    world.finish(0, Ended::Success);
    assert_eq!(world.told(), ["a 10: success"]);
    assert_eq!(world.state.stats().jobs, 0);
}

#[test]
fn without_its_record_nothing_starts_and_the_return_of_the_store_decides() {
    let mut world = World::with(vec![job("a", every(100), |_| {})]);
    world.is_store_up = false;
    world.pass(100);
    assert!(world.running.is_empty() && world.rows.is_empty());
    assert!(world.state.stats().store_error.is_some());
    world.pass(30);
    world.is_store_up = true;
    world.feed(Input::StoreBack);
    assert_eq!(world.told(), ["a 100: running"]);
    world.is_store_up = false;
    world.finish(0, Ended::Success);
    world.pass(1000);
    world.is_store_up = true;
    world.feed(Input::StoreBack);
    assert_eq!(
        world.told(),
        [
            "a 100: success",
            "a 200: missed (store) ×9",
            "a 1100: running"
        ]
    );
    world.check();
}

#[test]
fn a_request_runs_at_once_is_known_again_and_is_refused_in_the_way_of_another() {
    let manual = Arc::new(Schedule::new(vec![Item::Manual]));
    let mut world = World::with(vec![job("a", manual, |_| {})]);
    let ask = |name: &str, request: &str| {
        Input::Trigger(
            Ticket(1),
            TriggerRequest {
                job: JobName::new(name).unwrap(),
                request: request.into(),
                trigger: Trigger::Manual,
            },
        )
    };
    world.feed(ask("a", "one"));
    let first = world.answers.pop().unwrap().unwrap();
    assert!(!first.repeated);
    assert_eq!(world.running, [first.run]);
    world.feed(ask("a", "one"));
    let again = world.answers.pop().unwrap().unwrap();
    assert_eq!((again.run, again.repeated), (first.run, true));
    world.feed(ask("a", "two"));
    assert!(
        matches!(world.answers.pop(), Some(Err(Refusal::Overlap { blocking, .. })) if blocking == first.run)
    );
    world.feed(ask("nobody", "one"));
    assert!(matches!(
        world.answers.pop(),
        Some(Err(Refusal::NoSuchJob(_)))
    ));
    world.finish(0, Ended::Success);
    assert_eq!(world.told(), ["a 0: success"]);
    world.is_store_up = false;
    world.feed(ask("a", "three"));
    assert!(matches!(world.answers.pop(), Some(Err(Refusal::Store(_)))));
    assert!(world.running.is_empty());
}

#[test]
fn a_startup_job_runs_once_per_start_and_not_in_a_crash_loop() {
    let startup = Arc::new(Schedule::new(vec![Item::Startup]));
    let mut world = World::with(vec![job("a", startup, |_| {})]);
    assert_eq!(world.running.len(), 1);
    world.finish(0, Ended::Success);
    let last = world.now;
    let name = JobName::new("a").unwrap();
    world.marks.get_mut(&name).unwrap().last_startup_at = Some(last);
    world.crash(10);
    assert!(world.running.is_empty());
    world.crash(60);
    assert_eq!(world.running.len(), 1);
    assert_eq!(
        world.told(),
        ["a 0: success", "a 10: skipped (restart)", "a 70: running"]
    );
}

#[test]
fn late_fires_that_are_not_coalesced_run_one_after_another() {
    let patient = job("a", every(100), |p| {
        p.coalesce = false;
        p.grace = Grace::Fixed(Duration::from_secs(1000));
    });
    let mut world = World::with(vec![patient]);
    world.crash(350);
    assert_eq!(world.running.len(), 1);
    world.finish(0, Ended::Success);
    assert_eq!(world.running.len(), 1);
    world.pass(50);
    world.finish(0, Ended::Success);
    world.finish(0, Ended::Success);
    assert_eq!(
        world.told(),
        [
            "a 100: success",
            "a 200: success",
            "a 300: success",
            "a 400: skipped (overlap)"
        ]
    );
    world.check();
}

#[test]
fn a_clock_that_goes_back_repeats_nothing_and_one_that_leaps_ahead_is_downtime() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.pass(10);
    world.finish(0, Ended::Success);
    world.now = second(5);
    world.feed(Input::ClockSet {
        by: Duration::from_secs(5),
        direction: Direction::Backward,
    });
    world.pass(10);
    assert!(world.running.is_empty());
    world.pass(5);
    world.finish(0, Ended::Success);
    world.now = second(10_000);
    world.feed(Input::ClockSet {
        by: Duration::from_secs(9_980),
        direction: Direction::Forward,
    });
    assert_eq!(
        world.told(),
        [
            "a 10: success",
            "a 20: success",
            "a 30: missed (clock) ×991",
            "a 9940: missed (coalesced) ×6",
            "a 10000: running"
        ]
    );
}

#[test]
fn a_stop_waits_for_runs_then_ends_them_and_starts_nothing() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.pass(10);
    world.feed(Input::Stop(second(40)));
    world.pass(29);
    assert!(world.ends.is_empty() && !world.state.is_drained());
    world.pass(1);
    assert_eq!(world.ends, [(world.running[0], EndHow::Gracefully)]);
    world.finish(0, Ended::Stopped);
    assert_eq!(world.told(), ["a 10: interrupted (shutdown)"]);
    assert!(world.state.is_drained());
}

#[test]
fn jobs_are_paged_by_name_with_their_status() {
    let mut off = job("off", every(10), |_| {});
    Arc::make_mut(&mut off.definition).enabled = false;
    let manual = Arc::new(Schedule::new(vec![Item::Manual]));
    let mut world = World::with(vec![
        job("b", every(10), |_| {}),
        off,
        job("a", manual, |_| {}),
    ]);
    world.apply(Change {
        at: world.now,
        held: vec![JobName::new("b").unwrap()],
        ..Change::default()
    });
    let page = |after: Option<&str>, limit| {
        let query = crate::engine::JobQuery {
            after: after.map(str::to_owned),
            limit,
            ..Default::default()
        };
        let page = world.state.jobs(&query);
        let names: Vec<_> = page
            .jobs
            .iter()
            .map(|view| format!("{} {}", view.job.name(), view.status.as_str()))
            .collect();
        (names.join(", "), page.more)
    };
    assert_eq!(page(None, 2), ("a idle, b held".to_owned(), true));
    assert_eq!(page(Some("b"), 2), ("off disabled".to_owned(), false));
}

#[derive(Clone, Debug)]
enum Step {
    Pass(i64),
    Finish(usize, bool),
    Crash(i64),
    StoreDown,
    StoreBack,
    Trigger(usize),
}

fn step() -> impl proptest::strategy::Strategy<Value = Step> {
    use proptest::prelude::*;
    prop_oneof![
        6 => (1i64..40).prop_map(Step::Pass),
        6 => (0usize..8, any::<bool>()).prop_map(|(i, ok)| Step::Finish(i, ok)),
        1 => (0i64..400).prop_map(Step::Crash),
        1 => Just(Step::StoreDown),
        2 => Just(Step::StoreBack),
        1 => (0usize..4).prop_map(Step::Trigger),
    ]
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(1000))]

    /// P1, P3, P4: whatever happens, every fire is in exactly one row or under way, and no attempt starts twice.
    #[test]
    fn random_scripts_lose_and_double_nothing(steps in proptest::collection::vec(step(), 1..120)) {
        let mut world = World::new(Settings { max_workers: 2, max_requests: 2 });
        let patient = |p: &mut Policy| {
            p.coalesce = false;
            p.grace = Grace::Fixed(Duration::from_secs(120));
            p.max_instances = 2;
        };
        let retrying = |p: &mut Policy| p.retry.max = 3;
        world.first(vec![
            job("a", every(7), |_| {}),
            job("b", every(7), retrying),
            job("c", every(30), patient),
            job("d", every(100), |p| p.grace = Grace::Fixed(Duration::ZERO)),
        ]);
        for (index, step) in steps.into_iter().enumerate() {
            match step {
                Step::Pass(seconds) => world.pass(seconds),
                Step::Finish(i, ok) if !world.running.is_empty() => {
                    let ended = if ok { Ended::Success } else { Ended::Failed(Reason::Exit) };
                    world.finish(i % world.running.len(), ended);
                }
                Step::Finish(..) => {}
                Step::Crash(down) if world.is_store_up => world.crash(down),
                Step::Crash(_) => {}
                Step::StoreDown => world.is_store_up = false,
                Step::StoreBack => {
                    world.is_store_up = true;
                    world.feed(Input::StoreBack);
                }
                Step::Trigger(which) => {
                    let job = world.jobs[which].name().clone();
                    let request = format!("r{index}").into();
                    let trigger = Trigger::Manual;
                    world.feed(Input::Trigger(Ticket(9), TriggerRequest { job, request, trigger }));
                }
            }
            world.check();
        }
    }
}

#[test]
fn a_job_with_no_grace_fires_while_elder_is_there_and_is_never_caught_up() {
    let strict = job("a", every(100), |p| p.grace = Grace::Fixed(Duration::ZERO));
    let mut world = World::with(vec![strict]);
    // The loop is woken a little late, as it always is.
    world.now = second(100) + Duration::from_millis(3);
    world.feed(Input::Tick);
    world.finish(0, Ended::Success);
    world.crash(150);
    assert_eq!(world.told(), ["a 100: success", "a 200: missed (downtime)"]);
}

/// Whoever made the change moves the stored marks after its answer: no row may be left behind them.
#[test]
fn a_change_is_answered_when_the_rows_of_what_it_settled_are_there() {
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    let jobs = || vec![job("a", every(100), |_| {}), job("b", every(100), |_| {})];
    world.first(jobs());
    world.pass(100);
    assert_eq!(
        (world.running.len(), world.rows.len()),
        (1, 1),
        "one of them waits without a row"
    );
    let edits = |period| {
        vec![
            job("a", every(period), |_| {}),
            job("b", every(period), |_| {}),
        ]
    };
    let change = |at, changed| Change {
        at,
        changed,
        ..Change::default()
    };
    world.apply(change(world.now, edits(10)));
    assert_eq!(world.applied, 2);
    assert_eq!(world.rows.len(), 2, "the one that waits has its row now");
    world.is_store_up = false;
    world.now = second(140);
    world.apply(change(world.now, edits(20)));
    assert_eq!(world.applied, 2, "answered while the store refuses");
    world.is_store_up = true;
    world.feed(Input::StoreBack);
    assert_eq!(world.applied, 3);
}
