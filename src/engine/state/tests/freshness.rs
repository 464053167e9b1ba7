//! Jobs that must succeed again within a time: when they become stale, and when they are no more.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use super::*;
use crate::engine::handle::JobView;
use crate::model::Definition;

/// What is told of stale jobs, by key; each becomes stale and fresh in turns.
#[derive(Default)]
pub(super) struct Staleness {
    stale: Mutex<HashSet<JobKey>>,
    deadlines: Mutex<HashMap<JobKey, Timestamp>>,
    log: Mutex<Vec<String>>,
}

impl Staleness {
    pub(super) fn observe(&self, event: &Event<'_>) {
        let mut stale = self.stale.lock().unwrap();
        match event {
            Event::SuccessDeadline { key, at } => {
                let mut deadlines = self.deadlines.lock().unwrap();
                match at {
                    Some(at) => deadlines.insert(*key, *at),
                    None => deadlines.remove(key),
                };
            }
            Event::Stale { key, job, .. } => {
                assert!(stale.insert(*key), "{} is stale twice", job.name());
                self.log
                    .lock()
                    .unwrap()
                    .push(format!("{} stale", job.name()));
            }
            Event::Fresh { key, job } => {
                assert!(stale.remove(key), "{} was not stale", job.name());
                self.log
                    .lock()
                    .unwrap()
                    .push(format!("{} fresh", job.name()));
            }
            Event::JobAdded { key, .. } | Event::JobRemoved { key } => {
                stale.remove(key);
                self.deadlines.lock().unwrap().remove(key);
            }
            _ => {}
        }
    }

    /// Another process is told everything anew.
    pub(super) fn forget(&self) {
        self.stale.lock().unwrap().clear();
        self.deadlines.lock().unwrap().clear();
    }
}

impl World {
    /// What was told is what is shown, and no deadline is over unseen.
    pub(super) fn check_freshness(&mut self) {
        let told = &self.told_ends.1;
        let (stale, deadlines) = (told.stale.lock().unwrap(), told.deadlines.lock().unwrap());
        for (name, key) in &self.state.names {
            let view = self.state.job_view(name).unwrap();
            assert_eq!(view.is_stale, stale.contains(key), "{name}");
            assert_eq!(view.success_deadline, deadlines.get(key).copied(), "{name}");
            let is_over = view.success_deadline.is_some_and(|at| at <= self.now);
            assert_eq!(view.is_stale, is_over, "{name}: {view:?}");
            let policy = &view.job.definition.policy;
            let expects = policy.success_within.is_some()
                && view.job.definition.enabled
                && view.pause.is_none();
            assert_eq!(view.success_deadline.is_some(), expects, "{name}");
        }
        assert_eq!(self.state.stats().stale_jobs, stale.len() as u64);
    }

    fn view(&self, name: &str) -> JobView {
        let name = JobName::new(name).unwrap();
        self.state.job_view(&name).unwrap()
    }

    fn deadline(&self, name: &str) -> Option<i64> {
        let deadline = self.view(name).success_deadline?;
        Some(deadline.as_second() - super::super::testing::START)
    }

    fn staleness(&self) -> Vec<String> {
        self.told_ends.1.log.lock().unwrap().clone()
    }
}

fn within(seconds: u64) -> impl Fn(&mut Policy) {
    move |policy| policy.success_within = Some(Duration::from_secs(seconds))
}

#[test]
fn a_deadline_is_so_long_after_the_first_fire_that_follows_a_success() {
    let mut world = World::with(vec![job("a", every(100), within(30))]);
    assert_eq!(world.deadline("a"), Some(130), "from its first sight");
    world.pass(105);
    world.finish(0, Ended::Success);
    assert_eq!(world.deadline("a"), Some(230));
    world.pass(100);
    world.finish(0, Ended::Failed(Reason::Exit));
    assert_eq!(world.deadline("a"), Some(230), "a failure moves nothing");
    world.pass(24);
    assert!(!world.view("a").is_stale);
    world.pass(1);
    assert!(world.view("a").is_stale);
    let stats = world.state.stats();
    assert_eq!((stats.stale_jobs, stats.stale_names.len()), (1, 1));
    world.check();
    // Once, however long it lasts.
    world.pass(500);
    world.finish(0, Ended::Success);
    assert_eq!(world.staleness(), ["a stale", "a fresh"]);
    assert_eq!(world.state.stats().stale_jobs, 0);
    world.check();
}

#[test]
fn a_run_that_hangs_makes_its_job_stale_and_a_requested_one_mends_it() {
    let mut world = World::with(vec![job("a", every(100), |p| {
        within(30)(p);
        p.max_instances = 2;
    })]);
    world.pass(140);
    assert!(world.view("a").is_stale);
    world.ask("a", "r");
    world.finish(1, Ended::Success);
    assert!(!world.view("a").is_stale);
    assert_eq!(world.deadline("a"), Some(230));
    world.check();
}

#[test]
fn nothing_is_expected_without_the_key_without_a_fire_and_while_disabled() {
    let manual = Arc::new(Schedule::new(vec![Item::Manual]));
    let once = Arc::new(Schedule::new(vec![Item::At(vec![second(50)])]));
    let mut world = World::with(vec![
        job("plain", every(100), |_| {}),
        job("manual", manual, within(30)),
        job("once", once, within(30)),
        job("off", every(100), within(30)),
    ]);
    assert_eq!(
        ["plain", "manual", "once", "off"].map(|name| world.deadline(name)),
        [None, None, Some(80), Some(130)]
    );
    let mut jobs = world.jobs.clone();
    Arc::make_mut(&mut jobs[3].definition).enabled = false;
    world.edit(jobs.clone());
    assert_eq!(world.deadline("off"), None);
    world.pass(60);
    let once = world.running_of("once").unwrap();
    world.finish(once, Ended::Success);
    assert_eq!(world.deadline("once"), None, "nothing comes after it");
    // From here on it fires again; what it would have done meanwhile counts for nothing.
    world.pass(1000);
    Arc::make_mut(&mut jobs[3].definition).enabled = true;
    world.edit(jobs);
    assert_eq!(world.deadline("off"), Some(1130));
    assert!(world.staleness().is_empty());
}

#[test]
fn an_edit_of_the_times_counts_anew_and_any_other_edit_does_not() {
    let mut world = World::with(vec![job("a", every(100), within(30))]);
    world.pass(105);
    world.finish(0, Ended::Failed(Reason::Exit));
    world.pass(50);
    assert!(world.view("a").is_stale);
    let longer = job("a", every(100), within(40));
    world.edit(vec![longer]);
    assert_eq!(world.deadline("a"), Some(140), "it is over as well");
    assert!(world.view("a").is_stale);
    world.edit(vec![job("a", every(7), within(40))]);
    assert_eq!(world.deadline("a"), Some(160 + 40));
    assert_eq!(world.staleness(), ["a stale", "a fresh"]);
    // Also for whoever takes over, although no success has come since.
    let deadline = world.deadline("a");
    world.crash(0);
    assert_eq!(world.deadline("a"), deadline);
    let mut jobs = world.jobs.clone();
    Arc::make_mut(&mut Arc::make_mut(&mut jobs[0].definition).policy).success_within = None;
    world.edit(jobs);
    assert_eq!(world.deadline("a"), None);
}

#[test]
fn a_deadline_survives_a_restart_and_fires_that_failed_do_not_move_it() {
    let mut world = World::with(vec![job("a", every(100), within(350))]);
    world.pass(105);
    world.finish(0, Ended::Success);
    for _ in 0..3 {
        world.pass(100);
        world.finish(0, Ended::Failed(Reason::Exit));
        world.crash(0);
        assert_eq!(world.deadline("a"), Some(550));
    }
    world.pass(200);
    assert!(world.view("a").is_stale);
    world.crash(1);
    assert!(world.view("a").is_stale);
    assert_eq!(world.staleness(), ["a stale", "a stale"], "once a process");
    world.check();
}

#[test]
fn after_a_downtime_what_is_caught_up_has_the_time_that_any_fire_has() {
    let jobs = || {
        vec![
            job("caught-up", every(1000), within(600)),
            job("too-late", every(1000), |p| {
                within(600)(p);
                p.grace = Grace::Fixed(Duration::ZERO);
            }),
        ]
    };
    let mut world = World::with(jobs());
    world.crash(3010);
    assert_eq!(world.staleness(), ["too-late stale"]);
    assert_eq!(world.deadline("caught-up"), Some(3610));
    world.check();
    world.pass(20);
    world.finish(0, Ended::Success);
    assert_eq!(world.deadline("caught-up"), Some(4600));
    // Where the caught-up run fails there is nothing to wait for.
    let mut world = World::with(jobs());
    world.crash(3010);
    world.finish(0, Ended::Failed(Reason::Exit));
    assert_eq!(world.staleness(), ["too-late stale", "caught-up stale"]);
    assert_eq!(world.deadline("caught-up"), Some(1600));
    world.check();
    // And one that hangs is stale in the end.
    let mut world = World::with(jobs());
    world.crash(3010);
    world.pass(600);
    assert_eq!(world.staleness(), ["too-late stale", "caught-up stale"]);
    world.check();
}

#[test]
fn a_suspend_is_a_downtime_and_a_clock_set_back_does_not_put_a_deadline_off() {
    let mut world = World::with(vec![job("a", every(1000), within(600))]);
    let set = |world: &mut World, to: i64| {
        let (from, to) = (world.now, second(to));
        world.now = to;
        world.feed(Input::ClockSet {
            by: to.duration_since(from).unsigned_abs(),
            direction: match to > from {
                true => Direction::Forward,
                false => Direction::Backward,
            },
        });
    };
    set(&mut world, 3010);
    assert_eq!(world.deadline("a"), Some(3610));
    world.finish(0, Ended::Success);
    assert_eq!(world.deadline("a"), Some(4600));
    // That success was told by a clock that was wrong: it does not count for what is to come.
    set(&mut world, 500);
    assert_eq!(world.deadline("a"), Some(1600));
    world.check_freshness();
}

#[test]
fn idle_jobs_cost_no_wake_up_before_a_deadline() {
    let daily = every(86_400);
    let jobs = (0..1000).map(|n| job(&format!("j{n}"), daily.clone(), within(3600)));
    let world = World::with(jobs.collect());
    assert_eq!(world.state.next_wake(), world.view("j0").next);
    assert_eq!(
        world.state.freshness.first(),
        world.view("j0").success_deadline
    );
}

#[test]
fn a_job_that_goes_takes_its_staleness_along() {
    let mut world = World::with(vec![
        job("a", every(100), within(30)),
        job("b", every(100), |_| {}),
    ]);
    world.pass(150);
    assert_eq!(world.state.stats().stale_jobs, 1);
    let b = world.jobs[1].clone();
    world.edit(vec![Job {
        definition: Arc::new(Definition::clone(&b.definition)),
        ..b
    }]);
    assert_eq!(world.state.stats().stale_jobs, 0);
    assert_eq!(world.state.freshness.first(), None);
    world.check();
}

#[test]
fn a_stale_job_that_takes_another_name_is_stale_still_and_not_again() {
    let mut world = World::with(vec![job("old", every(100), |p| {
        p.success_within = Some(Duration::from_secs(50));
    })]);
    world.pass(200);
    world.rename("old", "new");
    world.pass(10);
    assert_eq!(world.staleness(), ["old stale"]);
    world.check();
    world.finish(0, Ended::Success);
    assert_eq!(world.staleness(), ["old stale", "new fresh"]);
    world.check_rest();
}
