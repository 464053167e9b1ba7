//! Scripts of (time, input) → effects, and random scripts that keep the promises.

mod cancel;
mod edits;
mod failing;
mod freshness;
mod jitter;
mod outages;
mod overlap;
mod pauses;
mod pools;
mod random;
mod renames;
mod requests;
mod soak;
mod steps;
mod telling;
mod world;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::model::{Ended, Grace, Policy};
use crate::schedule::{Item, Schedule};

use super::testing::{every, job, second};
use world::World;

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
    let a = world.running_of("a").unwrap();
    world.finish(a, Ended::Success);
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
    let wait = world.running_of("wait").unwrap();
    world.finish(wait, Ended::Failed(Reason::Exit));
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
    world.crash_and(1500, Vec::new());
    assert_eq!(world.told(), ["a 1000: missed (removed)"]);
    assert!(world.running.is_empty());
}

#[test]
fn what_was_due_before_an_edit_goes_by_the_old_schedule_and_runs_the_new_action() {
    let mut world = World::with(vec![job("a", every(1000), |_| {})]);
    let mut edited = job("a", every(600), |_| {});
    edited.origin.line = 42;
    world.crash_and(1100, vec![edited]);
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
    world.check();
}

#[test]
fn an_edit_never_makes_a_fire_in_the_past() {
    let mut world = World::with(vec![job("a", every(1000), |_| {})]);
    world.pass(500);
    let edited = job("a", every(100), |_| {});
    assert!(world.edit(vec![edited]));
    assert!(world.running.is_empty());
    world.pass(100);
    assert_eq!(world.told(), ["a 600: running"]);
}

#[test]
fn a_running_run_outlives_its_job_and_is_recorded() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.pass(10);
    assert!(world.edit(Vec::new()));
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
    world.store_back();
    assert_eq!(world.told(), ["a 100: running"]);
    world.is_store_up = false;
    world.finish(0, Ended::Success);
    world.pass(1000);
    world.store_back();
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
    world.ask("a", "one");
    let first = world.answers.pop().unwrap().unwrap();
    assert!(!first.repeated);
    assert_eq!(world.running, [first.run]);
    world.ask("a", "one");
    let again = world.answers.pop().unwrap().unwrap();
    assert_eq!((again.run, again.repeated), (first.run, true));
    world.ask("a", "two");
    assert!(
        matches!(world.answers.pop(), Some(Err(Refusal::Overlap { blocking, .. })) if blocking == first.run)
    );
    world.ask("nobody", "one");
    assert!(matches!(
        world.answers.pop(),
        Some(Err(Refusal::NoSuchJob(_)))
    ));
    world.finish(0, Ended::Success);
    assert_eq!(world.told(), ["a 0: success"]);
    world.is_store_up = false;
    world.ask("a", "three");
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

#[test]
fn a_loop_that_is_late_for_two_fires_still_starts_the_newest_of_a_job_with_no_grace() {
    let strict = |p: &mut Policy| p.grace = Grace::Fixed(Duration::ZERO);
    let mut world = World::with(vec![job("a", every(1), strict)]);
    world.now = second(2) + Duration::from_millis(40);
    world.feed(Input::Tick);
    assert_eq!(world.told(), ["a 1: missed (downtime)", "a 2: running"]);
    // A job that a sync adds is due between the sync's decision and the engine's turn.
    let mut jobs = world.jobs.clone();
    jobs.push(job("b", every(3), strict));
    let late = Change {
        at: second(2),
        added: vec![(jobs[1].clone(), world.marks[jobs[0].name()].clone())],
        ..Change::default()
    };
    world
        .marks
        .insert(jobs[1].name().clone(), late.added[0].1.clone());
    world.now = second(3) + Duration::from_millis(40);
    world.apply(late);
    assert!(world.running_of("b").is_some(), "{:?}", world.told());
}
