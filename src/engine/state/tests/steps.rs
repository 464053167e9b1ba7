//! The wall clock is set, by hours and by years, both ways and back: nothing runs twice, nothing
//! storms, and nothing sleeps until the clock is where it once was.

use proptest::prelude::*;

use super::*;
use crate::store::AHEAD;

const HOUR: i64 = 3_600;
const YEAR: i64 = 365 * 24 * HOUR;

impl World {
    /// Everything under way succeeds.
    fn finish_all(&mut self) {
        while !self.running.is_empty() {
            self.finish(0, Ended::Success);
        }
    }

    /// Time passes, and each run ends before the next fire.
    fn run_for(&mut self, seconds: i64, step: i64) {
        for _ in 0..seconds / step {
            self.pass(step);
            self.finish_all();
        }
    }

    fn starts(&self) -> usize {
        self.started.len()
    }

    /// How many fires of the job began with `from <= instant < until`, in seconds of the test.
    fn began(&self, name: &str, from: i64, until: i64) -> usize {
        let began = |run: &&Run| {
            let at = run.scheduled_at.as_second() - super::super::testing::START;
            run.job.as_str() == name && run.attempt > 0 && (from..until).contains(&at)
        };
        self.rows.values().filter(began).count()
    }
}

fn jobs() -> Vec<Job> {
    vec![
        job("hourly", every(3_600), |p| p.retry.max = 2),
        job("daily", every(86_400), |_| {}),
        job("all", every(3_600), |p| {
            p.retry.max = 1;
            p.coalesce = false;
            p.grace = Grace::Fixed(Duration::from_secs(7_200));
        }),
    ]
}

#[test]
fn an_hour_ahead_starts_what_was_jumped_over_once_and_an_hour_back_repeats_nothing() {
    let mut world = World::with(jobs());
    world.run_for(5 * HOUR, 600);
    let before = world.starts();
    world.set_clock(HOUR);
    world.finish_all();
    assert!(world.starts() <= before + 2, "{:?}", world.told());
    let ahead = world.starts();
    world.set_clock(-HOUR);
    world.run_for(HOUR, 600);
    assert_eq!(world.starts(), ahead, "these instants are decided");
    world.run_for(2 * HOUR, 600);
    assert_eq!(world.began("hourly", 5 * HOUR, 8 * HOUR), 3);
}

#[test]
fn a_year_ahead_and_back_no_job_sleeps_and_none_runs_again_when_that_time_comes() {
    for is_restarted in [false, true] {
        let mut world = World::with(jobs());
        world.run_for(5 * HOUR, 600);
        let before = world.starts();
        world.set_clock(YEAR);
        world.finish_all();
        // One for each job that coalesces, and the two hours of the grace for the other.
        assert!(world.starts() - before <= 5, "a storm: {:?}", world.told());
        assert!(world.rows.len() < 40, "rows for each missed fire");
        world.run_for(6 * HOUR, 600);
        let rows = world.rows.len();
        world.set_back(YEAR, is_restarted);
        assert_eq!(world.rows.len(), rows, "nothing of it starts anything");
        let here = world.now.as_second() - super::super::testing::START;
        let view = world
            .state
            .job_view(&JobName::new("hourly").unwrap())
            .unwrap();
        assert_eq!(view.ahead, None, "it does not sleep");
        assert!(view.next.unwrap() <= world.now + Duration::from_secs(3_600));
        world.run_for(5 * HOUR, 600);
        assert_eq!(world.began("hourly", here + 1, here + 5 * HOUR + 1), 5);
        // A year later: whatever ran under that clock is done. The rows may be gone by then.
        let old: Vec<_> = world.rows.keys().copied().collect();
        for id in old {
            world.rows.remove(&id);
        }
        let hours = world.now.as_second().rem_euclid(HOUR);
        world.now += Duration::from_secs((YEAR - 12 * HOUR - hours).unsigned_abs());
        world.feed(Input::Tick);
        world.finish_all();
        let year = 5 * HOUR + YEAR;
        world.run_for(24 * HOUR, 600);
        assert_eq!(world.began("hourly", year + 1, year + 6 * HOUR), 0, "again");
        assert!(world.began("hourly", year + 8 * HOUR, year + 12 * HOUR) >= 3);
    }
}

#[test]
fn a_year_back_is_waited_for_by_nobody() {
    let mut world = World::with(jobs());
    world.run_for(5 * HOUR, 600);
    let before = world.starts();
    world.set_clock(-YEAR);
    assert_eq!(world.starts(), before, "{:?}", world.told());
    world.run_for(5 * HOUR, 600);
    assert!(world.starts() >= before + 4);
    // And set right again: what had run then does not run again.
    let ran = world.began("hourly", 0, 5 * HOUR + 1);
    world.set_clock(YEAR);
    world.finish_all();
    assert_eq!(world.began("hourly", 0, 5 * HOUR + 1), ran);
    world.run_for(3 * HOUR, 600);
    assert!(world.began("hourly", 5 * HOUR, 14 * HOUR) >= 3);
}

#[test]
fn a_job_that_was_first_seen_under_a_wrong_clock_fires_when_it_is_right() {
    let mut world = World::with(Vec::new());
    world.set_clock(YEAR);
    world.edit(jobs());
    world.run_for(3 * HOUR, 600);
    assert!(world.starts() > 0);
    world.set_clock(-YEAR);
    let here = world.now.as_second() - super::super::testing::START;
    world.run_for(3 * HOUR, 600);
    assert_eq!(world.began("hourly", here + 1, here + 3 * HOUR + 1), 3);
    let view = world
        .state
        .job_view(&JobName::new("daily").unwrap())
        .unwrap();
    assert!(view.mark.first_seen <= world.now);
}

#[test]
fn a_store_that_is_away_when_the_clock_is_set_right_mends_the_marks_at_its_return() {
    let mut world = World::with(jobs());
    world.set_clock(YEAR);
    world.run_for(2 * HOUR, 600);
    world.is_store_up = false;
    world.set_clock(-YEAR);
    let ahead = |world: &World| {
        let view = world.state.job_view(&JobName::new("hourly").unwrap());
        view.unwrap().ahead.is_some()
    };
    assert!(ahead(&world));
    world.store_back();
    assert!(!ahead(&world));
    let before = world.starts();
    world.run_for(2 * HOUR, 600);
    assert!(world.starts() > before);
}

#[test]
fn a_fire_that_waits_for_a_place_under_a_wrong_clock_is_decided_when_its_time_comes() {
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    world.first(vec![
        job("a", every(3_600), |_| {}),
        job("b", every(3_600), |p| {
            p.grace = Grace::Fixed(Duration::from_secs(1_000_000))
        }),
    ]);
    world.set_clock(YEAR);
    world.pass(HOUR);
    world.set_clock(-YEAR);
    world.finish_all();
    let year = YEAR - 2 * HOUR;
    let late = |world: &World| world.began("b", year, year + 8 * HOUR);
    let before = late(&world);
    world.run_for(3 * HOUR, 600);
    assert_eq!(late(&world), before, "{:?}", world.told());
    let view = world.state.job_view(&JobName::new("b").unwrap()).unwrap();
    assert_eq!(view.ahead, None);
}

#[test]
fn a_run_that_waits_under_a_wrong_clock_goes_on_when_it_is_right() {
    for is_restarted in [false, true] {
        let mut world = World::with(vec![job("a", every(3_600), |p| p.retry.max = 1)]);
        world.set_clock(YEAR);
        world.pass(HOUR);
        world.finish(0, Ended::Failed(Reason::Exit));
        let run = *world.state.runs.keys().next().unwrap();
        world.set_back(YEAR, is_restarted);
        let within = Duration::from_secs(600);
        assert!(world.rows[&run].next_attempt_at.unwrap() <= world.now + within);
        world.pass(600);
        assert_eq!(world.running, [run], "restarted: {is_restarted}");
        world.finish(0, Ended::Success);
        world.run_for(2 * HOUR, 600);
        assert_eq!(
            world.began("a", HOUR, 3 * HOUR + 1),
            2,
            "{:?}",
            world.told()
        );
    }
}

#[test]
fn what_waits_under_a_clock_that_was_ahead_moves_no_mark_ahead_again() {
    // Beyond what is waited for.
    let is_ahead = |world: &World, name: &str| {
        let view = world.state.job_view(&JobName::new(name).unwrap());
        let ahead = view.unwrap().mark.mark;
        ahead > world.now + Duration::from_secs(24 * 3_600)
    };
    // It waits for a place, which is free before the store has the mark that is mended.
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    let patient = |p: &mut Policy| p.grace = Grace::Fixed(Duration::from_secs(1_000_000));
    world.first(vec![
        job("a", every(3_600), |_| {}),
        job("b", every(3_600), patient),
    ]);
    world.set_clock(YEAR);
    world.is_slow = true;
    world.set_clock(-YEAR);
    world.finish_all();
    world.is_slow = false;
    world.pump();
    world.finish_all();
    assert!(!is_ahead(&world, "a") && !is_ahead(&world, "b"));
    // It waits in line as a pause goes on that had ended under that clock.
    let mut world = World::with(jobs());
    world.pause("all", Some(24 * HOUR));
    world.set_clock(YEAR);
    world.set_clock(-YEAR);
    assert!(!is_ahead(&world, "all"), "{:?}", world.told());
}

#[test]
fn what_comes_due_until_the_store_has_mended_the_marks_is_decided_then() {
    let mut world = World::with(jobs());
    world.set_clock(YEAR);
    world.finish_all();
    world.is_slow = true;
    world.set_clock(-YEAR);
    world.pass(2 * HOUR);
    world.is_slow = false;
    world.pump();
    world.finish_all();
    world.run_for(2 * HOUR, 600);
    // The last of those that came meanwhile runs, and what was before it is told.
    assert_eq!(world.began("hourly", 0, 5 * HOUR), 3);
    let told = world.told();
    let missed = "hourly 3600: missed (store)";
    assert!(told.iter().any(|row| row == missed), "{told:?}");
}

#[test]
fn what_a_leap_went_over_runs_when_its_time_comes_from_the_first_instant_on() {
    for is_restarted in [false, true] {
        let mut world = World::with(jobs());
        world.run_for(5 * HOUR, 600);
        world.set_clock(YEAR);
        world.finish_all();
        world.set_back(YEAR, is_restarted);
        world.run_for(3 * HOUR, 600);
        let began = world.began("hourly", 5 * HOUR + 1, 8 * HOUR + 1);
        assert_eq!(began, 3, "restarted: {is_restarted}: {:?}", world.told());
    }
}

#[test]
fn a_job_that_is_renamed_as_its_mark_is_read_is_mended_as_well() {
    let mut world = World::with(vec![job("old", every(3_600), |_| {})]);
    world.set_clock(YEAR);
    world.finish_all();
    world.is_slow = true;
    world.set_clock(-YEAR);
    // The store has mended it, and its mark is on its way here under the old name.
    while world.commit_next() {}
    while world
        .state
        .job_view(&JobName::new("old").unwrap())
        .is_some()
    {
        assert!(world.deliver_next());
        world.rename("old", "new");
    }
    world.is_slow = false;
    world.pump();
    let view = world.state.job_view(&JobName::new("new").unwrap()).unwrap();
    assert_eq!(view.ahead, None);
    world.run_for(3 * HOUR, 600);
    assert!(world.began("new", 0, 4 * HOUR) >= 2, "{:?}", world.told());
}

/// What happens to a clock and to elder.
#[derive(Clone, Debug)]
enum Happens {
    Pass(i64),
    Set(i64),
    Finish,
    Fail,
    Crash,
    StoreDown,
    StoreBack,
    /// Answers come late, or all at once.
    Slow(bool),
    Pause(&'static str, Option<i64>),
    Resume(&'static str),
}

fn one_of() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec!["hourly", "daily", "all"])
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        6 => (600i64..20_000).prop_map(Happens::Pass),
        2 => (-2 * HOUR..2 * HOUR).prop_map(Happens::Set),
        2 => (-2 * YEAR..2 * YEAR).prop_map(Happens::Set),
        4 => Just(Happens::Finish),
        2 => Just(Happens::Fail),
        1 => Just(Happens::Crash),
        1 => Just(Happens::StoreDown),
        2 => Just(Happens::StoreBack),
        2 => any::<bool>().prop_map(Happens::Slow),
        1 => (one_of(), proptest::option::of(600..200_000i64))
            .prop_map(|(job, length)| Happens::Pause(job, length)),
        1 => one_of().prop_map(Happens::Resume),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// P3, P6, P11: however the clock is set, no attempt starts twice and none early (the world sees to
    /// both), few things start and few rows come of a step, and when the clock is left alone every job
    /// fires again within a day and its period.
    #[test]
    fn however_the_clock_is_set_nothing_runs_twice_and_nothing_sleeps(
        steps in proptest::collection::vec(happens(), 1..40),
        max_workers in 1u32..5,
    ) {
        let mut world = World::new(Settings { max_workers, max_requests: 1 });
        world.first(jobs());
        for step in steps {
            let (starts, rows) = (world.starts(), world.rows.len());
            match step {
                Happens::Pass(seconds) => world.pass(seconds),
                Happens::Set(by) => {
                    world.set_clock(by);
                    prop_assert!(world.starts() <= starts + 5, "a storm of starts");
                    prop_assert!(world.rows.len() <= rows + 12, "a storm of rows");
                }
                Happens::Finish => world.finish_all(),
                Happens::Fail => {
                    if !world.running.is_empty() {
                        world.finish(0, Ended::Failed(Reason::Exit));
                    }
                }
                Happens::Crash if world.is_store_up => {
                    world.finish_all();
                    world.crash(0);
                }
                Happens::Crash => {}
                Happens::StoreDown => world.is_store_up = false,
                Happens::StoreBack => world.store_back(),
                Happens::Slow(is_slow) => {
                    world.is_slow = is_slow;
                    if !is_slow {
                        world.pump();
                    }
                }
                Happens::Pause(job, length) => world.pause(job, length),
                Happens::Resume(job) => world.resume(job),
            }
        }
        world.is_slow = false;
        world.store_back();
        world.pump();
        for job in ["hourly", "daily", "all"] {
            world.resume(job);
        }
        world.finish_all();
        let here = world.now.as_second() - super::super::testing::START;
        let mut wait = i64::try_from(AHEAD.as_secs()).unwrap() + 2 * HOUR;
        // What ran already, for the clock was here before.
        let closed = ["hourly", "all"].map(|job| world.marks[&JobName::new(job).unwrap()].closed);
        for (from, until) in closed.into_iter().flatten() {
            let meets = until > world.now && from.duration_since(world.now).as_secs() < wait;
            wait += if meets { until.duration_since(from).as_secs() } else { 0 };
        }
        world.run_for(wait, 3_600);
        for job in ["hourly", "all"] {
            let began = world.began(job, here, here + wait);
            let view = world.state.job_view(&JobName::new(job).unwrap());
            prop_assert!(began > 0, "it sleeps: {:?}", view);
        }
    }
}
