//! Scripts about `overlap: queue` and `overlap: replace`.

use std::time::Duration;

use super::super::testing::{every, job};
use super::super::*;
use super::world::World;
use crate::model::{AfterCrash, Ended, Grace, Overlap, Policy};

fn queueing(policy: &mut Policy) {
    policy.overlap = Overlap::Queue;
}

fn replacing(policy: &mut Policy) {
    policy.overlap = Overlap::Replace;
}

#[test]
fn with_queue_one_fire_waits_and_what_comes_meanwhile_is_skipped() {
    let mut world = World::with(vec![job("a", every(10), queueing)]);
    world.pass(45);
    assert_eq!(world.running.len(), 1);
    world.finish(0, Ended::Success);
    assert_eq!(world.running.len(), 1);
    assert_eq!(
        world.told(),
        [
            "a 10: success",
            "a 20: running",
            "a 30: skipped (overlap) ×2"
        ]
    );
    world.finish(0, Ended::Success);
    assert!(world.running.is_empty());
}

#[test]
fn the_wait_behind_ones_own_run_is_no_lateness_and_that_for_a_pool_is() {
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    let brief = |policy: &mut Policy| {
        queueing(policy);
        policy.grace = Grace::Fixed(Duration::from_secs(5));
    };
    world.first(vec![
        job("a", every(10), brief),
        job("b", every(1_000), |_| {}),
    ]);
    // a 20 waits behind a 10 until long after its grace.
    world.pass(100);
    world.finish(0, Ended::Success);
    assert_eq!(world.told()[1], "a 20: running");
    // It waits again, and b comes first when the place is free.
    world.pass(5);
    world.ask("b", "now");
    world.pass(5);
    world.finish(0, Ended::Success);
    let b = world.running_of("b").expect("b was asked for before");
    world.pass(20);
    world.finish(b, Ended::Success);
    let told = world.told();
    assert!(
        told.contains(&"a 110: missed (pool) ×2".to_owned()),
        "{told:?}"
    );
}

#[test]
fn with_replace_the_oldest_ends_and_the_new_one_starts_when_it_is_gone() {
    let mut world = World::with(vec![job("a", every(10), replacing)]);
    world.pass(20);
    let first = world.running[0];
    assert_eq!(world.ends, [(first, EndHow::Gracefully)]);
    assert_eq!(
        world.running,
        [first],
        "none starts beside the one that ends"
    );
    world.finish(0, Ended::Stopped);
    assert_eq!(
        world.told(),
        ["a 10: cancelled (replaced)", "a 20: running"]
    );
}

#[test]
fn who_waits_to_replace_is_replaced_itself() {
    let mut world = World::with(vec![job("a", every(10), replacing)]);
    world.pass(45);
    assert_eq!(world.ends.len(), 1, "an ending run is not ended again");
    world.finish(0, Ended::Stopped);
    assert_eq!(
        world.told(),
        [
            "a 10: cancelled (replaced)",
            "a 20: cancelled (replaced) ×2",
            "a 40: running"
        ]
    );
    assert_eq!(world.state.stats().total_missed, 0);
}

#[test]
fn a_run_that_ends_by_itself_while_it_is_replaced_keeps_its_outcome() {
    let mut world = World::with(vec![job("a", every(10), replacing)]);
    world.pass(20);
    world.finish(0, Ended::Success);
    assert_eq!(world.told(), ["a 10: success", "a 20: running"]);
}

#[test]
fn a_failure_while_it_is_replaced_is_not_tried_again() {
    let mut world = World::with(vec![job("a", every(10), |p| {
        replacing(p);
        p.retry.max = 5;
    })]);
    world.pass(20);
    world.finish(0, Ended::Failed(Reason::Exit));
    assert_eq!(world.told(), ["a 10: failed (exit)", "a 20: running"]);
}

#[test]
fn a_run_between_two_attempts_gives_way_at_once() {
    let mut world = World::with(vec![job("a", every(10), |p| {
        replacing(p);
        p.retry.max = 5;
        p.retry.backoff = Duration::from_secs(60);
    })]);
    world.pass(10);
    world.finish(0, Ended::Failed(Reason::Exit));
    world.pass(10);
    assert_eq!(
        world.told(),
        ["a 10: cancelled (replaced)", "a 20: running"]
    );
    assert!(world.ends.is_empty());
}

#[test]
fn of_several_instances_only_the_oldest_gives_way() {
    let mut world = World::with(vec![job("a", every(10), |p| {
        replacing(p);
        p.max_instances = 2;
    })]);
    world.pass(30);
    assert_eq!(world.ends, [(world.running[0], EndHow::Gracefully)]);
    world.pass(10);
    assert_eq!(world.ends.len(), 1, "one place is on its way already");
    world.finish(0, Ended::Stopped);
    assert_eq!(
        world.told(),
        [
            "a 10: cancelled (replaced)",
            "a 20: running",
            "a 30: cancelled (replaced)",
            "a 40: running"
        ]
    );
}

#[test]
fn a_request_waits_like_a_fire_and_hears_so_at_once() {
    let mut world = World::with(vec![job("a", every(1_000), queueing)]);
    world.ask("a", "one");
    world.ask("a", "two");
    world.ask("a", "three");
    assert!(matches!(
        world.answers[..],
        [Ok(_), Ok(_), Err(Refusal::Overlap { .. })]
    ));
    assert_eq!(world.told(), ["a 0: running", "a 0: queued"]);
    world.finish(0, Ended::Success);
    assert_eq!(world.running.len(), 1);
}

#[test]
fn a_request_that_comes_again_replaces_nothing() {
    let mut world = World::with(vec![job("a", every(1_000), replacing)]);
    world.ask("a", "one");
    world.finish(0, Ended::Success);
    world.pass(1);
    world.ask("a", "two");
    let second = world.running[0];
    // Whoever sent it did not hear the answer.
    world.ask("a", "one");
    assert!(world.ends.is_empty());
    assert_eq!(world.running, [second]);
    world.ask("a", "three");
    assert_eq!(world.ends, [(second, EndHow::Gracefully)]);
    world.finish(0, Ended::Stopped);
    assert_eq!(world.running.len(), 1);
}

#[test]
fn who_waited_before_the_job_replaces_does_not_stand_for_the_run_that_is_to_end() {
    let mut world = World::with(vec![job("a", every(10), queueing)]);
    world.pass(25);
    assert!(world.edit(vec![job("a", every(10), replacing)]));
    world.pass(10);
    assert_eq!(world.ends, [(world.running[0], EndHow::Gracefully)]);
    world.pass(10);
    assert_eq!(world.ends.len(), 1, "once");
    world.finish(0, Ended::Stopped);
    assert_eq!(world.told().last().unwrap(), "a 40: running");
    world.check_rest();
}

#[test]
fn of_two_requests_on_their_way_the_newer_replaces_and_the_run_in_the_way_ends() {
    let mut world = World::with(vec![job("a", every(1_000), replacing)]);
    world.ask("a", "zero");
    let zero = world.running[0];
    world.is_slow = true;
    world.ask("a", "one");
    world.ask("a", "two");
    world.is_slow = false;
    world.pump();
    assert_eq!(world.ends, [(zero, EndHow::Gracefully)]);
    world.finish(0, Ended::Stopped);
    let last = world.answers[2].as_ref().unwrap().run;
    assert_eq!(world.running, [last], "{:?}", world.told());
    world.check_rest();
}

#[test]
fn where_fewer_may_run_than_before_as_many_end_as_make_room() {
    let mut world = World::with(vec![job("a", every(10), |p| {
        replacing(p);
        p.max_instances = 3;
    })]);
    world.pass(35);
    assert_eq!(world.running.len(), 3);
    assert!(world.edit(vec![job("a", every(10), replacing)]));
    world.pass(10);
    assert_eq!(world.ends.len(), 3, "{:?}", world.told());
    for _ in 0..3 {
        world.finish(0, Ended::Stopped);
    }
    assert_eq!(world.told().last().unwrap(), "a 40: running");
    world.check_rest();
}

#[test]
fn a_waiting_fire_of_a_job_that_goes_is_missed() {
    for overlap in [queueing, replacing] {
        let mut world = World::with(vec![job("a", every(10), overlap)]);
        world.pass(20);
        world.edit(Vec::new());
        world.finish(0, Ended::Stopped);
        assert_eq!(world.told()[1], "a 20: missed (removed)");
        assert!(world.running.is_empty());
    }
}

#[test]
fn more_instances_let_in_who_waits() {
    let mut world = World::with(vec![job("a", every(10), queueing)]);
    world.pass(25);
    assert_eq!(world.running.len(), 1);
    let more = |p: &mut Policy| {
        queueing(p);
        p.max_instances = 2;
    };
    assert!(world.edit(vec![job("a", every(10), more)]));
    assert_eq!(world.running.len(), 2);
}

#[test]
fn what_a_crash_cut_off_is_begun_again_where_the_job_says_so() {
    let mut world = World::with(vec![job("a", every(100), |p| {
        p.after_crash = AfterCrash::Rerun;
    })]);
    world.pass(100);
    let run = world.running[0];
    world.crash(5);
    assert_eq!(world.running, [run], "the same run, in the same row");
    assert_eq!(world.rows[&run].attempt, 2);
    world.finish(0, Ended::Success);
    assert_eq!(world.told(), ["a 100: success"]);
}

#[test]
fn a_run_that_ends_elder_each_time_is_not_begun_for_ever() {
    let mut world = World::with(vec![job("a", every(100_000), |p| {
        p.after_crash = AfterCrash::Rerun;
    })]);
    world.ask("a", "one");
    let run = world.running[0];
    for _ in 0..20 {
        world.crash(1);
    }
    assert!(world.running.is_empty());
    assert_eq!(world.rows[&run].attempt, 11);
    assert_eq!(world.told(), ["a 0: interrupted (interrupted)"]);
}

#[test]
fn a_crash_while_a_fire_waits_makes_it_a_late_fire() {
    for overlap in [queueing, replacing] {
        let mut world = World::with(vec![job("a", every(100), overlap)]);
        world.pass(205);
        world.crash(5);
        assert_eq!(
            world.told(),
            ["a 100: interrupted (interrupted)", "a 200: running"]
        );
    }
}

#[test]
fn late_fires_and_one_that_waits_for_a_run_to_end_do_not_wait_for_each_other() {
    for overlap in [queueing, replacing] {
        let mut world = World::with(vec![job("a", every(10), |p| {
            overlap(p);
            p.coalesce = false;
            p.grace = Grace::Fixed(Duration::from_secs(60));
        })]);
        // 10 runs, 20 and 30 are late, 40 waits.
        world.pass(10);
        world.set_clock(20);
        world.pass(10);
        for late in [10, 20, 30, 40] {
            assert_eq!(world.running.len(), 1, "before the end of {late}");
            world.finish(0, Ended::Success);
        }
        let want = [10, 20, 30, 40].map(|at| format!("a {at}: success"));
        // With `replace` the first was told to end and was over by itself.
        assert_eq!(world.told(), want);
        world.check_rest();
    }
}

#[test]
fn a_retry_that_outlives_a_crash_leaves_nobody_waiting_for_ever() {
    for again in [AfterCrash::Record, AfterCrash::Rerun] {
        let mut world = World::with(vec![job("a", every(10), |p| {
            queueing(p);
            p.after_crash = again;
            p.retry.max = 1;
            p.retry.backoff = Duration::from_secs(60);
            p.retry.jitter_permille = 0;
        })]);
        world.pass(10);
        if again == AfterCrash::Record {
            world.finish(0, Ended::Failed(Reason::Exit));
        }
        // 20 waits, and 30 is skipped, so that 20 has a row.
        world.pass(20);
        world.crash(5);
        world.pass(60);
        for _ in 0..3 {
            assert_eq!(world.running.len(), 1, "{:?}", world.told());
            world.finish(0, Ended::Success);
        }
        assert!(world.running.is_empty());
        assert_eq!(world.told()[..2], ["a 10: success", "a 20: success"]);
        world.check_rest();
    }
}
