//! Scheduled at one instant and due at a later one: what happens in between loses nothing, doubles
//! nothing and starts nothing early.

use super::*;
use crate::schedule::{Days, Modifiers, Seed, Window, Zone};

/// Each so many seconds, and up to so many later.
fn jittered(period: u64, jitter: u64) -> Arc<Schedule> {
    let item = Item::every(Duration::from_secs(period)).unwrap();
    let modifiers = Modifiers {
        jitter: Some(Duration::from_secs(jitter)),
        ..Modifiers::default()
    };
    let item = item.modified(&modifiers, Seed::of("job")).unwrap();
    Arc::new(Schedule::new(vec![item]))
}

/// After how many seconds the fire that is scheduled at 1000 is due.
fn due(jitter: u64) -> i64 {
    let fire = jittered(1000, jitter).fire_at(second(1000)).unwrap();
    let due = fire.due.duration_since(second(0));
    // Woken at the first whole second after it.
    due.as_millis().div_euclid(1000) as i64 + 1
}

fn a(schedule: Arc<Schedule>) -> Vec<Job> {
    vec![job("a", schedule, |_| {})]
}

#[test]
fn a_fire_starts_when_it_is_due_and_is_known_by_when_it_is_scheduled() {
    let mut world = World::with(a(jittered(1000, 100)));
    let delay = due(100) - 1000;
    assert!(delay > 10, "the seed gives hardly a delay");
    world.pass(1000 + delay - 2);
    assert!(world.running.is_empty() && world.rows.is_empty());
    world.pass(2);
    assert_eq!(world.told(), ["a 1000: running"]);
    world.finish(0, Ended::Success);
    world.pass(990);
    world.check();
    world.check_rest();
}

#[test]
fn a_crash_between_scheduled_and_due_takes_nothing_away() {
    for down in [1, 5, 60] {
        let mut world = World::with(a(jittered(1000, 100)));
        world.pass(1003);
        world.crash(down);
        world.check();
        let due = due(100);
        if 1003 + down < due {
            assert!(world.rows.is_empty(), "started early after {down}");
            world.pass(due - 1003 - down);
        }
        assert_eq!(world.told(), ["a 1000: running"], "after {down}");
        world.check();
        world.check_rest();
    }
}

#[test]
fn an_edit_of_the_jitter_leaves_the_fire_that_waits_to_the_new_one() {
    let now = 1003;
    let longer = due(400);
    assert!(due(100) > now && longer > now);
    let mut world = World::with(a(jittered(1000, 100)));
    world.pass(now);
    assert!(world.edit(a(jittered(1000, 400))));
    // The edit is in force; a crash does not move the mark past what waits either.
    world.crash(1);
    world.pass(longer - now - 3);
    assert!(world.rows.is_empty());
    world.pass(3);
    assert_eq!(world.told(), ["a 1000: running"]);
    world.check();
    // One that is due by the new schedule, or has no jitter any more, starts at once.
    let mut world = World::with(a(jittered(1000, 100)));
    world.pass(now);
    assert!(world.edit(a(every(1000))));
    assert_eq!(world.told(), ["a 1000: running"]);
    world.finish(0, Ended::Success);
    world.pass(990);
    world.check();
    assert_eq!(world.rows.len(), 1);
    world.check_rest();
}

#[test]
fn an_edit_that_moves_the_waiting_fire_moves_it() {
    let mut world = World::with(a(jittered(1000, 100)));
    world.pass(1003);
    assert!(world.edit(a(every(1500))));
    world.pass(400);
    assert!(world.rows.is_empty());
    world.pass(100);
    // The world began at 1,800,000,000, which both periods divide.
    assert_eq!(world.told(), ["a 1500: running"]);
    world.check();
    world.check_rest();
}

#[test]
fn a_name_that_goes_and_comes_back_keeps_the_fire_that_waited() {
    let mut world = World::with(a(jittered(1000, 100)));
    world.pass(1003);
    assert!(world.edit(Vec::new()));
    world.pass(1);
    assert!(world.edit(a(jittered(1000, 100))));
    world.pass(due(100) - 1004);
    assert_eq!(world.told(), ["a 1000: running"]);
    world.check();
    world.check_rest();
}

#[test]
fn a_job_that_is_first_seen_in_between_was_not_there_when_the_fire_was_scheduled() {
    let mut world = World::with(Vec::new());
    world.pass(1003);
    assert!(world.edit(a(jittered(1000, 100))));
    world.pass(900);
    assert!(world.rows.is_empty(), "{:?}", world.told());
    world.check_rest();
}

#[test]
fn a_random_fire_is_never_caught_up_past_its_window() {
    // 2027-01-15T08:00:00Z is where the world begins; the window is from 09:00 to 09:10.
    let window = Window {
        times: 1,
        opens: jiff::civil::time(9, 0, 0, 0),
        closes: jiff::civil::time(9, 10, 0, 0),
        gap: Duration::ZERO,
        days: Days::ALL,
    };
    let item = Item::random(window, Seed::of("a"), Zone::utc()).unwrap();
    let schedule = Arc::new(Schedule::new(vec![item]));
    let fire = schedule.next_after(second(0)).unwrap().scheduled;
    let fire = fire.as_second() - super::super::testing::START;
    assert!((3600..4200).contains(&fire));
    for (back, told) in [
        (4199, format!("a {fire}: running")),
        (4200, format!("a {fire}: missed (downtime)")),
    ] {
        let mut world = World::with(a(schedule.clone()));
        world.pass(fire - 1);
        world.crash(back - fire + 1);
        assert_eq!(world.told(), [told], "back at {back}");
        world.check();
        world.check_rest();
    }
}

#[test]
fn a_newer_fire_whose_window_closed_does_not_stand_in_the_way_of_an_older_one() {
    let window = Window {
        times: 2,
        opens: jiff::civil::time(9, 0, 1, 0),
        closes: jiff::civil::time(9, 0, 4, 0),
        gap: Duration::ZERO,
        days: Days::ALL,
    };
    let random = Item::random(window, Seed::of("a"), Zone::utc()).unwrap();
    for coalesce in [true, false] {
        let schedule = Schedule::new(vec![random.clone(), Item::At(vec![second(3600)])]);
        let jobs = vec![job("a", Arc::new(schedule), |p| p.coalesce = coalesce)];
        let mut world = World::with(jobs);
        world.pass(3599);
        world.crash(6);
        let told = world.told();
        assert_eq!(told[0], "a 3600: running", "{told:?}");
        assert!(told[1].ends_with("missed (downtime) ×2"), "{told:?}");
        world.check();
        world.check_rest();
    }
}
