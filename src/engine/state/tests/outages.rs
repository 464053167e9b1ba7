//! A store that comes and goes, a crash, a stop: nothing stands still for ever.

use super::*;
use crate::model::Overlap;

fn patient(p: &mut Policy) {
    p.coalesce = false;
    p.grace = Grace::Fixed(Duration::from_secs(1000));
}

#[test]
fn an_end_between_the_stores_return_and_the_news_of_it_does_not_stop_everything() {
    let mut world = World::with(vec![
        job("a", every(1000), |_| {}),
        job("b", every(10), |_| {}),
    ]);
    world.pass(1000);
    world.is_store_up = false;
    world.pass(10);
    assert!(world.state.commits.is_down());
    world.is_slow = true;
    world.store_back();
    // The committer takes batches again; the state has not heard of it and sends one of before.
    let a = world.running_of("a").unwrap();
    world.finish(a, Ended::Success);
    world.pump();
    assert!(
        !world.state.commits.is_down(),
        "it waits for a return that has been"
    );
    world.is_slow = false;
    world.pass(10);
    assert!(world.told().contains(&"a 1000: success".to_owned()));
    world.check_rest();
}

#[test]
fn a_late_refusal_neither_skips_nor_doubles_what_the_return_decides() {
    for instances in [1, 3] {
        let mut world = World::with(vec![job("a", every(100), |p| p.max_instances = instances)]);
        world.pass(99);
        world.is_slow = true;
        world.pass(1);
        world.is_store_up = false;
        world.commit_next();
        // One more batch is sent before the state knows, and refused after the return.
        world.pass(100);
        world.store_back();
        world.pump();
        world.is_slow = false;
        assert!(
            world.told().iter().all(|row| !row.contains("skipped")),
            "{:?}",
            world.told()
        );
        world.check_rest();
    }
}

#[test]
fn late_fires_wait_in_line_and_a_new_one_does_not_close_them() {
    let mut world = World::with(vec![job("a", every(100), |p| {
        patient(p);
        p.max_instances = 5;
    })]);
    world.crash(350);
    world.pass(50);
    while !world.running.is_empty() {
        world.finish(0, Ended::Success);
    }
    let want = [100, 200, 300, 400].map(|at| format!("a {at}: success"));
    assert_eq!(world.told(), want);
    world.check_rest();
}

#[test]
fn late_fires_with_rows_still_run_one_after_another_after_a_crash() {
    let mut world = World::with(vec![job("a", every(100), patient)]);
    world.crash(350);
    // A fire that is skipped gives rows to those that wait before it.
    world.pass(50);
    world.crash(10);
    assert_eq!(world.running.len(), 1, "{:?}", world.told());
    world.finish(0, Ended::Success);
    assert_eq!(world.running.len(), 1);
    world.check_rest();
}

#[test]
fn late_fires_behind_a_run_that_hangs_are_no_more_than_a_hundred_however_often_some_come() {
    let mut world = World::with(vec![job("a", every(1), patient)]);
    world.pass(1);
    for _ in 0..20 {
        world.set_clock(100);
        assert!(world.state.runs.len() <= 101, "{}", world.state.runs.len());
    }
    world.check();
    assert_eq!(world.told()[1], "a 2: missed (coalesced) ×1900");
    for _ in 0..=100 {
        world.finish(0, Ended::Success);
    }
    assert_eq!(world.told().len(), 102);
    assert!(world.running.is_empty());
    world.check_rest();
}

#[test]
fn what_waits_behind_a_request_goes_on_when_the_request_is_not_recorded() {
    let mut world = World::with(vec![job("a", every(100), patient)]);
    world.pass(50);
    world.is_slow = true;
    world.ask("a", "one");
    let by = Duration::from_secs(300);
    world.now += by;
    let direction = Direction::Forward;
    world.feed(Input::ClockSet { by, direction });
    world.is_store_up = false;
    world.pump();
    assert!(matches!(world.answers.pop(), Some(Err(Refusal::Store(_)))));
    world.is_slow = false;
    world.store_back();
    assert_eq!(world.running.len(), 1, "{:?}", world.told());
    world.check_rest();
}

#[test]
fn a_startup_run_that_waits_outlives_an_outage() {
    let both = Arc::new(Schedule::new(vec![
        Item::Startup,
        Item::At(vec![second(100)]),
    ]));
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    world.first(vec![job("a", both, |p| p.max_instances = 3)]);
    world.finish(0, Ended::Success);
    // The late fire is refused while the startup waits behind it for its place.
    world.is_store_up = false;
    world.crash(150);
    world.pass(10);
    assert!(world.running.is_empty());
    world.store_back();
    world.finish(0, Ended::Success);
    world.finish(0, Ended::Success);
    assert_eq!(
        world.told(),
        ["a 0: success", "a 100: success", "a 150: success"]
    );
    world.check_rest();
}

#[test]
fn a_fire_that_waited_for_a_place_does_not_start_past_its_grace_when_the_store_is_back() {
    let once = |at| Arc::new(Schedule::new(vec![Item::At(vec![second(at)])]));
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    world.first(vec![
        job("a", once(10), |_| {}),
        job("b", once(20), |p| {
            p.grace = Grace::Fixed(Duration::from_secs(60));
        }),
        job("c", every(30), |_| {}),
    ]);
    world.pass(20);
    // The row of a fire of c is the first that is refused.
    world.pause("c", None);
    world.is_store_up = false;
    world.pass(10);
    world.finish(0, Ended::Success);
    world.pass(10_000);
    world.store_back();
    let told = world.told();
    assert!(
        told.contains(&"b 20: missed (store)".to_owned()),
        "{told:?}"
    );
    world.check_rest();
}

#[test]
fn a_start_that_a_stop_overtakes_is_late_and_not_interrupted() {
    let again = job("again", every(1000), |p| {
        p.retry.max = 1;
        p.retry.jitter_permille = 0;
        p.retry.backoff = Duration::from_secs(100);
    });
    let once = job(
        "once",
        Arc::new(Schedule::new(vec![Item::At(vec![second(1100)])])),
        |_| {},
    );
    let mut world = World::with(vec![again, once]);
    world.pass(1000);
    world.finish(0, Ended::Failed(Reason::Exit));
    world.is_slow = true;
    // A first attempt and a second one are being recorded when the stop comes.
    world.pass(100);
    world.feed(Input::Stop(second(1130)));
    world.pump();
    world.is_slow = false;
    assert!(world.running.is_empty() && world.state.is_drained());
    assert_eq!(
        world.told(),
        ["again 1000: waiting (exit)", "once 1100: queued"]
    );
    world.crash(20);
    assert_eq!(
        world.told(),
        ["again 1000: running (exit)", "once 1100: running"]
    );
    assert_eq!(world.started.len(), 3);
    world.check_rest();
}

#[test]
fn a_run_that_could_not_be_recorded_begins_when_it_begins() {
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    let startup = Arc::new(Schedule::new(vec![Item::Startup]));
    world.is_store_up = false;
    world.first(vec![job("a", startup, |_| {})]);
    world.pass(500);
    world.store_back();
    let row = &world.rows[&world.running[0]];
    assert_eq!(
        (row.scheduled_at, row.started_at),
        (second(0), Some(second(500)))
    );
}

#[test]
fn a_startup_run_does_not_overlap_what_the_start_catches_up() {
    let both = Arc::new(Schedule::new(vec![
        Item::Startup,
        Item::At(vec![second(100)]),
    ]));
    let mut world = World::with(vec![job("a", both, |_| {})]);
    world.finish(0, Ended::Success);
    world.crash(150);
    assert_eq!(
        world.told(),
        ["a 0: success", "a 100: running", "a 150: skipped (overlap)"]
    );
    world.check_rest();
}

#[test]
fn a_step_back_while_the_store_is_away_loses_nothing_that_was_due() {
    let mut world = World::with(vec![
        job("a", every(10), patient),
        job("b", every(10), |_| {}),
    ]);
    world.is_store_up = false;
    world.pass(45);
    assert!(world.state.commits.is_down());
    world.set_clock(-1);
    world.store_back();
    assert_eq!(world.running.len(), 2, "{:?}", world.told());
    world.check();
    let row = "b 10: missed (coalesced) ×3".to_owned();
    assert!(world.told().contains(&row), "{:?}", world.told());
    world.check_rest();
}

#[test]
fn a_stalled_store_does_not_gather_fires_without_end() {
    let jobs = (0..200).map(|n| job(&format!("j{n}"), every(1), |_| {}));
    let mut world = World::with(jobs.collect());
    world.is_slow = true;
    world.pass(2_000);
    let waiting = world.state.commits.unanswered();
    assert!(waiting <= 101_000, "{waiting} writes wait for the store");
    world.is_slow = false;
    world.pump();
    world.pass(1);
    world.check();
}

#[test]
fn a_stop_takes_as_long_as_it_was_given_though_the_clock_is_set() {
    for (to, direction) in [(-3000, Direction::Backward), (4000, Direction::Forward)] {
        let mut world = World::with(vec![job("a", every(10), |_| {})]);
        world.pass(10);
        world.feed(Input::Stop(second(40)));
        let by = Duration::from_secs((to - 10_i64).unsigned_abs());
        world.now = second(to);
        world.feed(Input::ClockSet { by, direction });
        world.pass(29);
        assert!(world.ends.is_empty(), "{direction:?}");
        world.pass(1);
        assert_eq!(world.ends.len(), 1, "{direction:?}");
    }
}

#[test]
fn what_waits_behind_fires_that_a_refusal_opens_again_does_not_stand_still() {
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    let once = Arc::new(Schedule::new(vec![Item::At(vec![second(15)])]));
    let queue = |p: &mut Policy| {
        p.overlap = Overlap::Queue;
        p.coalesce = false;
        p.grace = Grace::Fixed(Duration::from_secs(60));
    };
    world.first(vec![job("a", every(10), queue), job("b", once, |_| {})]);
    world.pass(20);
    // The fire of 20 waits behind that of 10, with a row.
    let mut edited = world.jobs.clone();
    edited[0].origin.line += 1;
    assert!(world.edit(edited));
    world.is_slow = true;
    world.is_store_up = false;
    world.pass(10);
    world.set_clock(25);
    // That of 40 comes next, and has no place; then 30 and all after it are open again.
    world.finish(0, Ended::Success);
    world.pump();
    world.set_clock(-25);
    world.store_back();
    world.is_slow = false;
    world.pump();
    world.check();
    while world.running_of("a").is_none() {
        world.finish(0, Ended::Success);
    }
    assert!(
        world.told().contains(&"a 20: running".to_owned()),
        "{:?}",
        world.told()
    );
    world.check_rest();
}
