//! Named pools: how many of several jobs at once, who comes first, and who is not kept waiting.

use std::collections::HashMap;
use std::time::Duration;

use super::super::active::Stage;
use super::super::testing::{every, job, pool, request};
use super::super::*;
use super::world::World;
use crate::ids::PoolName;
use crate::model::{AfterCrash, Ended, Grace, Policy, Pool};

/// Who had a place and who waited, to be compared with what one more input makes of it.
pub(super) struct Places {
    stages: Vec<(RunId, Stage)>,
    /// By pool.
    taken: HashMap<PoolName, u32>,
    in_use: u64,
}

impl Places {
    pub(super) fn of(state: &State) -> Self {
        let mut places = Self {
            stages: Vec::with_capacity(state.runs.len()),
            taken: HashMap::new(),
            in_use: state.places.in_use(),
        };
        for (id, active) in &state.runs {
            places.stages.push((*id, active.stage));
            if let Some(pool) = pool_of(active).filter(|_| has_place(active.stage)) {
                *places.taken.entry(pool.name.clone()).or_default() += 1;
            }
        }
        places
    }

    /// No pool has more than it may, unless it had them before, and nobody came before those who waited
    /// longer.
    pub(super) fn check(&self, state: &State) {
        if state.places.in_use() == self.in_use && state.runs.len() == self.stages.len() {
            return;
        }
        for (pool, taken) in Self::of(state).taken {
            let (in_use, limit) = state.places.of_pool(pool.as_str()).expect("it is in use");
            assert_eq!(taken, in_use, "of the pool {pool}");
            let before = self.taken.get(&pool).copied().unwrap_or(0);
            assert!(
                taken <= limit.max(before),
                "{taken} at once in {pool}, limit {limit}"
            );
        }
        let stage = |id: &RunId| {
            let found = self.stages.iter().find(|(known, _)| known == id);
            found.map(|(_, stage)| *stage)
        };
        let runs = state.runs.iter();
        let began = runs.filter(|(_, active)| has_place(active.stage));
        let began = began.filter(|(id, _)| !stage(id).is_some_and(has_place));
        let began: Vec<&Active> = began.map(|(_, active)| active).collect();
        if began.is_empty() {
            return;
        }
        let waiting = state.runs.values();
        let waiting = waiting.filter(|active| active.stage == Stage::Queued);
        for waiting in waiting.filter(|one| stage(&one.run.id) == Some(Stage::Queued)) {
            let order = |active: &Active| (active.run.scheduled_at, active.run.id);
            let overtook =
                |other: &&&Active| alike(other, waiting) && order(other) > order(waiting);
            if let Some(other) = began.iter().find(overtook) {
                panic!("{} came before {}", other.run.job, waiting.run.job);
            }
        }
    }

    /// Whoever waits does so because there is no place, of processes or requests or of the pool.
    pub(super) fn check_waiting(state: &State) {
        let goes_on = state.phase == Phase::Running
            && !state.commits.is_down()
            && !state.commits.is_clogged();
        let waiting = state.runs.values();
        for active in waiting.filter(|active| goes_on && active.stage == Stage::Queued) {
            assert!(
                !state.places.has_place(active),
                "{} waits although there is a place",
                active.run.job
            );
        }
    }
}

fn has_place(stage: Stage) -> bool {
    matches!(stage, Stage::Recording | Stage::Running)
}

fn pool_of(active: &Active) -> Option<&Pool> {
    active.job.definition.policy.pool.as_deref()
}

fn alike(one: &Active, other: &Active) -> bool {
    let name = |active| pool_of(active).map(|pool| &pool.name);
    let is_http = |active: &Active| active.job.definition.action.kind() == "http";
    name(one) == name(other) && is_http(one) == is_http(other)
}

fn in_pool(name: &'static str) -> impl Fn(&mut Policy) {
    move |policy| policy.pool = Some(pool(name, 2))
}

fn world(pools: &[(&str, u32)], jobs: Vec<Job>) -> World {
    let mut world = World::new(Settings {
        max_workers: 3,
        max_requests: 3,
    });
    world.pools = pools
        .iter()
        .map(|(name, limit)| pool(name, *limit))
        .collect();
    world.first(jobs);
    world
}

/// The jobs that run, in the order of their start.
fn running(world: &World) -> Vec<&str> {
    let running = world.running.iter();
    running.map(|id| world.rows[id].job.as_str()).collect()
}

fn finish(world: &mut World, job: &str) {
    let index = world.running_of(job).expect("it runs");
    world.finish(index, Ended::Success);
}

#[test]
fn as_many_as_the_pool_allows_run_at_once_in_the_order_of_their_instants() {
    let jobs = ["a", "b", "c", "d", "e", "f"].map(|name| job(name, every(60), in_pool("db")));
    let mut world = world(&[("db", 2)], jobs.to_vec());
    world.pass(60);
    assert_eq!(world.running.len(), 2);
    assert_eq!(world.state.stats().queued, 4);
    let mut seen = Vec::new();
    for _ in 0..6 {
        assert_eq!(world.running.len(), 2.min(6 - seen.len()));
        seen.push(running(&world)[0].to_owned());
        world.finish(0, Ended::Success);
    }
    seen.sort();
    assert_eq!(seen, ["a", "b", "c", "d", "e", "f"]);
}

#[test]
fn who_is_due_first_is_served_first_whichever_job_it_is() {
    let long = |policy: &mut Policy| {
        policy.pool = Some(pool("db", 1));
        policy.grace = Grace::Fixed(Duration::from_secs(600));
    };
    let jobs = vec![
        job("third", every(64), long),
        job("first", every(50), long),
        job("second", every(60), long),
    ];
    let mut world = world(&[("db", 1)], jobs);
    world.pass(70);
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(running(&world).join(" "));
        world.finish(0, Ended::Success);
    }
    assert_eq!(seen, ["first", "second", "third"]);
}

#[test]
fn a_full_pool_keeps_nobody_waiting_but_its_own() {
    let jobs = vec![
        job("a", every(60), in_pool("db")),
        job("b", every(64), in_pool("db")),
        job("c", every(72), in_pool("mail")),
        job("d", every(75), |_| {}),
    ];
    let mut world = world(&[("db", 1), ("mail", 1)], jobs);
    world.pass(75);
    assert_eq!(running(&world), ["a", "c", "d"]);
    finish(&mut world, "d");
    assert_eq!(
        running(&world),
        ["a", "c"],
        "a worker is free, and db is full"
    );
    finish(&mut world, "a");
    assert_eq!(running(&world), ["c", "b"]);
}

#[test]
fn past_its_grace_a_fire_is_missed_and_says_which_pool_was_full() {
    let brief = |policy: &mut Policy| {
        policy.pool = Some(pool("db", 1));
        policy.grace = Grace::Fixed(Duration::from_secs(5));
    };
    let jobs = vec![job("a", every(60), brief), job("b", every(64), brief)];
    let mut world = world(&[("db", 1)], jobs);
    world.pass(70);
    assert_eq!(world.told(), ["a 60: running", "b 64: missed (pool)"]);
    let missed = world.rows.values().find(|run| run.job.as_str() == "b");
    assert_eq!(
        missed.unwrap().detail.as_deref(),
        Some("the pool db was full (limit 1)")
    );
}

#[test]
fn between_two_attempts_a_run_has_no_place_and_its_next_one_waits_in_line() {
    let retrying = |policy: &mut Policy| {
        policy.pool = Some(pool("db", 1));
        policy.retry.max = 1;
        policy.retry.backoff = Duration::from_secs(20);
    };
    let jobs = vec![
        job("a", every(100), retrying),
        job("b", every(120), in_pool("db")),
        job("c", every(125), in_pool("db")),
    ];
    let mut world = world(&[("db", 1)], jobs);
    world.pass(125);
    assert_eq!(running(&world), ["a"]);
    world.finish(0, Ended::Failed(Reason::Exit));
    assert_eq!(running(&world), ["b"], "the place of a is free");
    world.pass(30);
    assert_eq!(running(&world), ["b"], "a waits again");
    world.finish(0, Ended::Success);
    assert_eq!(running(&world), ["a"], "its instant is before that of c");
    world.finish(0, Ended::Success);
    assert_eq!(running(&world), ["c"]);
}

#[test]
fn a_limit_that_is_raised_lets_in_who_waits_and_one_that_is_lowered_ends_nothing() {
    let jobs = ["a", "b", "c"].map(|name| job(name, every(60), in_pool("db")));
    let mut world = world(&[("db", 1)], jobs.to_vec());
    world.pass(60);
    assert_eq!(world.running.len(), 1);
    world.pools = vec![pool("db", 3)];
    assert!(world.edit(jobs.to_vec()));
    assert_eq!(world.running.len(), 3);
    world.pools = vec![pool("db", 1)];
    assert!(world.edit(jobs.to_vec()));
    assert_eq!(world.running.len(), 3);
    assert!(world.ends.is_empty());
    for (job, left) in [("a", 2), ("b", 1)] {
        finish(&mut world, job);
        world.ask(job, "more");
        assert_eq!(world.running.len(), left, "as many as may run, or more");
    }
    finish(&mut world, "c");
    assert_eq!(running(&world), ["a"]);
}

#[test]
fn a_pool_that_goes_while_runs_wait_keeps_its_limit_for_these() {
    let jobs = ["a", "b"].map(|name| job(name, every(60), in_pool("db")));
    let mut world = world(&[("db", 1)], jobs.to_vec());
    world.pass(60);
    world.pools.clear();
    assert!(world.edit(["a", "b"].map(|name| job(name, every(60), |_| {})).to_vec()));
    assert_eq!(running(&world).len(), 1);
    assert!(world.state.places.of_pool("db").is_some());
    world.finish(0, Ended::Success);
    world.finish(0, Ended::Success);
    assert_eq!(world.told().len(), 2);
    assert_eq!(
        world.state.places.of_pool("db"),
        None,
        "the last has left it"
    );
}

#[test]
fn processes_and_requests_share_a_pool_and_do_not_stand_in_each_other_s_way() {
    let long = |policy: &mut Policy| policy.pool = Some(pool("db", 2));
    let jobs = vec![
        job("p1", every(60), |_| {}),
        job("p2", every(60), |_| {}),
        job("p3", every(60), |_| {}),
        job("process", every(64), long),
        request(job("request", every(72), long)),
        request(job("request-2", every(75), long)),
        request(job("request-3", every(80), long)),
    ];
    let mut world = world(&[("db", 2)], jobs);
    world.pass(80);
    // No worker is free, and the pool is: requests go ahead as far as it has places.
    assert_eq!(running(&world)[3..], ["request", "request-2"]);
    finish(&mut world, "p1");
    assert_eq!(running(&world).len(), 4, "the pool is full now");
    finish(&mut world, "request");
    assert!(
        world.running_of("process").is_some(),
        "it came before request-3"
    );
    assert!(world.running_of("request-3").is_none());
}

#[test]
fn what_is_asked_for_waits_in_the_same_line_and_hears_so_at_once() {
    let jobs = ["a", "b"].map(|name| job(name, every(60), in_pool("db")));
    let mut world = world(&[("db", 1)], jobs.to_vec());
    world.pass(10);
    world.ask("a", "one");
    world.ask("b", "two");
    assert!(matches!(world.answers[..], [Ok(_), Ok(_)]));
    assert_eq!(world.told(), ["a 10: running", "b 10: queued"]);
    world.pass(3_000);
    assert_eq!(
        world.told()[1],
        "b 10: queued",
        "nobody gives up what a person asked for"
    );
    world.finish(0, Ended::Success);
    assert_eq!(running(&world), ["b"]);
}

#[test]
fn what_a_crash_cut_off_takes_a_place_again_before_whatever_waits() {
    let again = |policy: &mut Policy| {
        policy.pool = Some(pool("db", 1));
        policy.after_crash = AfterCrash::Rerun;
    };
    let jobs = ["a", "b", "c"].map(|name| job(name, every(60), again));
    let mut world = world(&[("db", 1)], jobs.to_vec());
    world.pass(60);
    let first = world.running[0];
    world.crash(5);
    assert_eq!(world.running, [first]);
    assert_eq!(world.state.places.of_pool("db"), Some((1, 1)));
    for _ in 0..3 {
        assert_eq!(world.running.len(), 1);
        world.finish(0, Ended::Success);
    }
    let mut told = world.told();
    told.sort();
    assert_eq!(told, ["a 60: success", "b 60: success", "c 60: success"]);
}
