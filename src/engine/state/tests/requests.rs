//! Runs that somebody asks for.

use super::*;
use crate::model::{AfterCrash, Overlap};

fn manual() -> Arc<Schedule> {
    Arc::new(Schedule::new(vec![Item::Manual]))
}

#[test]
fn the_same_request_twice_at_once_is_one_run_and_both_hear_of_it() {
    for instances in [1, 2] {
        let mut world = World::with(vec![job("a", manual(), |p| p.max_instances = instances)]);
        world.is_slow = true;
        world.ask("a", "one");
        world.ask("a", "one");
        world.pump();
        let answers: Vec<_> = world.answers.drain(..).map(Result::unwrap).collect();
        assert_eq!(answers.len(), 2, "max_instances: {instances}");
        assert_eq!(answers[0].run, answers[1].run);
        assert!(!answers[0].repeated && answers[1].repeated);
        assert_eq!(world.running.len(), 1);
        world.is_slow = false;
        world.check_rest();
    }
}

#[test]
fn the_same_request_is_known_while_its_run_waits_for_a_place() {
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    world.first(vec![
        job("a", manual(), |p| p.max_instances = 3),
        job("b", manual(), |_| {}),
    ]);
    world.ask("b", "first");
    world.is_slow = true;
    world.ask("a", "one");
    world.ask("a", "one");
    world.pump();
    world.ask("a", "one");
    world.pump();
    let runs: Vec<_> = world.answers.drain(1..).map(|a| a.unwrap().run).collect();
    assert_eq!(runs.len(), 3);
    assert!(runs.iter().all(|run| *run == runs[0]));
    world.is_slow = false;
    world.check_rest();
}

#[test]
fn a_request_that_waits_is_answered_when_its_job_is_removed() {
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    world.first(vec![job("a", manual(), |_| {}), job("b", manual(), |_| {})]);
    world.ask("b", "first");
    world.is_slow = true;
    world.ask("a", "one");
    let left = vec![world.jobs[1].clone()];
    assert!(world.edit(left));
    world.pump();
    assert_eq!(world.answers.len(), 2);
    world.is_slow = false;
    world.check_rest();
}

#[test]
fn a_request_for_a_disabled_job_runs_when_there_is_a_place_and_after_a_restart() {
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    let again = job("a", manual(), |p| {
        p.retry.max = 1;
        p.retry.backoff = Duration::from_secs(100);
        p.retry.jitter_permille = 0;
    });
    world.first(vec![again, job("b", manual(), |_| {})]);
    world.ask("b", "first");
    world.ask("a", "one");
    let mut off = world.jobs.clone();
    Arc::make_mut(&mut off[0].definition).enabled = false;
    assert!(world.edit(off));
    world.finish(0, Ended::Success);
    assert_eq!(world.running_of("a"), Some(0), "{:?}", world.told());
    world.finish(0, Ended::Failed(Reason::Exit));
    world.crash(10);
    assert!(world.told().contains(&"a 0: waiting (exit)".to_owned()));
    world.pass(100);
    world.finish(0, Ended::Success);
    assert!(world.told().contains(&"a 0: success".to_owned()));
    world.check_rest();
}

/// What a start does before its first sync: the set of before, and the rows that were left open.
fn begin_again(world: &mut World, now: i64) {
    world.now = second(now);
    let now = world::at(world.now);
    world.state = State::new(world.settings, Arc::new(crate::model::NoObserver), now);
    world.running.clear();
    let open = world.rows.values().filter(|run| run.outcome.is_none());
    let open = open.cloned().collect();
    world.feed(Input::Recalled(open));
    let marks = world.marks.clone();
    let added = world
        .jobs
        .iter()
        .map(|job| (job.clone(), marks[job.name()].clone()));
    let change = Change {
        at: world.now,
        added: added.collect(),
        recalled: true,
        ..Change::default()
    };
    world.apply(change);
}

#[test]
fn a_request_before_the_first_sync_does_not_overlap_a_run_that_goes_on() {
    let again = job("a", manual(), |p| {
        p.retry.max = 1;
        p.retry.backoff = Duration::from_secs(100);
    });
    let mut world = World::with(vec![again]);
    world.ask("a", "one");
    world.finish(0, Ended::Failed(Reason::Exit));
    begin_again(&mut world, 10);
    world.ask("a", "two");
    world.ask("a", "one");
    let first = world.answers[0].clone().unwrap().run;
    let refused = &world.answers[1];
    assert!(matches!(refused, Err(Refusal::Overlap { blocking, .. }) if *blocking == first));
    assert_eq!(world.answers[2].as_ref().unwrap().run, first);
}

#[test]
fn a_request_before_the_first_sync_does_not_overlap_a_run_that_is_begun_again() {
    let again = job("a", manual(), |p| p.after_crash = AfterCrash::Rerun);
    let mut world = World::with(vec![again]);
    world.ask("a", "one");
    let first = world.answers[0].clone().unwrap().run;
    begin_again(&mut world, 10);
    world.ask("a", "two");
    let refused = &world.answers[1];
    assert!(matches!(refused, Err(Refusal::Overlap { blocking, .. }) if *blocking == first));
}

#[test]
fn a_request_before_the_first_sync_does_not_wait_for_a_row_that_is_closed_then() {
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    world.first(vec![
        job("b", manual(), |_| {}),
        job("a", every(100), |p| {
            p.overlap = Overlap::Queue;
            p.grace = Grace::Fixed(Duration::from_secs(60));
        }),
    ]);
    world.ask("b", "long");
    world.pass(100);
    // What waits has a row once its job is another.
    let mut jobs = world.jobs.clone();
    jobs[1].origin.line += 1;
    assert!(world.edit(jobs));
    begin_again(&mut world, 205);
    world.ask("a", "early");
    let early = world.answers[1].clone().unwrap().run;
    let at = world.now;
    world.apply(Change {
        at,
        first: true,
        ..Change::default()
    });
    assert_eq!(world.running, [early], "{:?}", world.told());
}

#[test]
fn who_asked_for_a_run_waits_over_a_restart_as_well() {
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    world.first(vec![
        job("b", manual(), |_| {}),
        job("a", every(100_000), |p| {
            p.grace = Grace::Fixed(Duration::ZERO);
        }),
    ]);
    world.ask("b", "long");
    world.ask("a", "patient");
    let patient = world.answers[1].clone().unwrap().run;
    world.pass(120);
    world.crash(1);
    assert_eq!(world.running, [patient], "{:?}", world.told());
    world.finish(0, Ended::Success);
    world.check_rest();
}

#[test]
fn a_request_before_the_first_sync_is_recorded_when_the_start_leaves_no_place() {
    let mut world = World::with(vec![
        job("a", manual(), |_| {}),
        job("b", every(1000), |_| {}),
    ]);
    world.settings.max_workers = 1;
    world.pass(500);
    begin_again(&mut world, 1100);
    world.now = second(1101);
    world.ask("a", "early");
    let at = world.now;
    world.apply(Change {
        at,
        first: true,
        ..Change::default()
    });
    assert_eq!(world.running_of("b"), Some(0));
    assert_eq!(world.answers.len(), 1);
    assert_eq!(world.told(), ["b 1000: running", "a 1101: queued"]);
}

#[test]
fn a_request_that_a_fire_of_the_same_moment_overtakes_is_recorded_and_answered() {
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    world.first(vec![
        job("a", manual(), |_| {}),
        job("b", every(1000), |_| {}),
    ]);
    world.pass(999);
    // The fire is due, and nobody has looked yet.
    world.now = second(1001);
    world.ask("a", "one");
    assert_eq!(world.running_of("b"), Some(0));
    assert!(matches!(world.answers[..], [Ok(_)]), "{:?}", world.answers);
    assert_eq!(world.told(), ["b 1000: running", "a 1001: queued"]);
    world.check_rest();
}
