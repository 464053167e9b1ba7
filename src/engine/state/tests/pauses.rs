//! Paused jobs: what is skipped, what goes on, how a pause ends, and who remembers it.

use super::*;
use crate::engine::handle::{JobStatus, JobView, PauseAnswer, PauseWish};
use crate::model::{Outcome, Overlap, Pause};
use crate::store::Mark;

use super::super::testing::START;

impl World {
    /// Anna asks for a pause of so many seconds, or without an end.
    pub(super) fn pause(&mut self, name: &str, length: Option<i64>) {
        let length = length.map(|length| Duration::from_secs(length.unsigned_abs()));
        let until = length.map(|length| self.now + length);
        let reason = Some("the database moves".into());
        self.ask_pause(name, PauseWish::Pause { until, reason });
    }

    pub(super) fn resume(&mut self, name: &str) {
        self.ask_pause(name, PauseWish::Resume);
    }

    fn paused(&mut self) -> Result<PauseAnswer, Refusal> {
        self.pause_answers.pop().expect("an answer")
    }

    fn view_of(&self, name: &str) -> JobView {
        let name = JobName::new(name).unwrap();
        self.state.job_view(&name).unwrap()
    }

    fn next(&self, name: &str) -> Option<i64> {
        Some(self.view_of(name).next?.as_second() - START)
    }
}

#[test]
fn fires_of_a_paused_job_share_one_skipped_row_and_the_next_one_runs() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.pass(10);
    world.finish(0, Ended::Success);
    world.pause("a", None);
    let answer = world.paused().unwrap();
    assert_eq!((answer.active.len(), answer.next), (0, None));
    let view = world.view_of("a");
    assert_eq!((view.status, view.next), (JobStatus::Paused, None));
    assert_eq!(
        view.pause.unwrap().words(),
        "paused by anna: the database moves"
    );
    world.pass(1_000);
    world.check();
    assert_eq!(world.state.stats().total_skipped, 100);
    world.resume("a");
    assert_eq!(world.paused().unwrap().pause, None);
    assert_eq!(world.view_of("a").status, JobStatus::Active);
    world.pass(10);
    assert_eq!(
        world.told(),
        [
            "a 10: success",
            "a 20: skipped (paused) ×100",
            "a 1020: running"
        ]
    );
    let row = world.rows.values().find(|run| run.count == 100).unwrap();
    let detail = row.detail.as_deref();
    assert_eq!(detail, Some("paused by anna: the database moves"));
    world.check();
}

#[test]
fn a_pause_ends_by_itself_by_its_own_timer() {
    let slow = job("slow", every(1_000_000), |_| {});
    let mut world = World::with(vec![job("a", every(10), |_| {}), slow]);
    world.pause("a", Some(25));
    assert_eq!(world.next("a"), Some(30), "the first after it");
    world.pause("slow", Some(17));
    world.pass(16);
    assert_eq!(world.view_of("slow").status, JobStatus::Paused);
    assert_eq!(world.state.pauses(10).total, 2);
    world.pass(1);
    assert_eq!(world.view_of("slow").status, JobStatus::Active);
    world.pass(13);
    assert_eq!(world.told(), ["a 10: skipped (paused) ×2", "a 30: running"]);
    assert_eq!(world.state.pauses(10).total, 0);
    let name = JobName::new("a").unwrap();
    assert_eq!(world.pauses[&name].ended_at, Some(second(25)), "told once");
    world.check();
}

#[test]
fn a_fire_that_is_due_at_the_end_of_a_pause_runs() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.pause("a", Some(20));
    world.pass(20);
    assert_eq!(world.told(), ["a 10: skipped (paused)", "a 20: running"]);
}

#[test]
fn a_month_of_a_job_of_every_second_is_one_row() {
    let mut world = World::with(vec![job("a", every(1), |_| {})]);
    world.pause("a", None);
    // Elder is away most of the time: that is counted, and not walked.
    world.crash(30 * 86_400);
    assert_eq!(world.told(), ["a 1: skipped (paused) ×2592000"]);
    world.pass(5);
    assert_eq!(world.told(), ["a 1: skipped (paused) ×2592005"]);
    world.check();
}

#[test]
fn a_pause_survives_the_death_of_elder_and_its_end_does_too() {
    for (down, told) in [
        // Still paused.
        (20, vec!["a 10: skipped (paused) ×2"]),
        // Over meanwhile: what came after is late like any fire.
        (
            58,
            vec![
                "a 10: skipped (paused) ×3",
                "a 40: missed (coalesced) ×2",
                "a 60: running",
            ],
        ),
        // Over since so long that all of the rest is too late.
        (
            1_009,
            vec![
                "a 10: skipped (paused) ×3",
                "a 40: missed (downtime) ×92",
                "a 960: missed (coalesced) ×5",
                "a 1010: running",
            ],
        ),
    ] {
        let mut world = World::with(vec![job("a", every(10), |_| {})]);
        world.pause("a", Some(35));
        world.pass(2);
        world.crash(down);
        assert_eq!(world.told(), told, "down for {down} s");
        world.check();
        let is_on = down < 33;
        assert_eq!(world.view_of("a").pause.is_some(), is_on);
        assert_eq!(world.state.pauses(1).total, u64::from(is_on));
    }
}

#[test]
fn a_job_that_is_resumed_stays_so_after_a_restart() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.pause("a", Some(1_000));
    world.pass(25);
    world.resume("a");
    world.pass(2);
    // What was due before the end is the pause's, whoever decides it.
    world.crash(4);
    assert_eq!(world.told(), ["a 10: skipped (paused) ×2", "a 30: running"]);
    world.check();
}

#[test]
fn what_has_begun_goes_on_and_what_waits_to_begin_is_skipped() {
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    world.first(vec![
        job("a", every(10), |p| p.overlap = Overlap::Queue),
        job("b", every(10), |p| p.retry.max = 1),
    ]);
    world.pass(20);
    assert_eq!(world.running.len(), 1);
    let (running, waiting) = match world.running_of("a") {
        Some(_) => ("a", "b"),
        None => ("b", "a"),
    };
    world.pause(running, None);
    assert_eq!(world.paused().unwrap().active.len(), 1, "the one that runs");
    world.pause(waiting, None);
    assert_eq!(world.paused().unwrap().active.len(), 0);
    world.check();
    world.finish(0, Ended::Success);
    assert!(world.running.is_empty(), "nothing begins");
    let told = world.told();
    assert!(told.contains(&format!("{running} 10: success")), "{told:?}");
    let skipped = told.iter().filter(|row| row.contains("skipped (paused)"));
    let skipped: Vec<&String> = skipped.collect();
    assert_eq!(skipped, [&format!("{waiting} 10: skipped (paused) ×2")]);
    world.check();
}

#[test]
fn a_run_between_two_attempts_has_begun_and_has_its_next_one() {
    let mut world = World::with(vec![job("a", every(100), |p| p.retry.max = 1)]);
    world.pass(100);
    world.finish(0, Ended::Failed(Reason::Exit));
    world.pause("a", None);
    assert_eq!(world.paused().unwrap().active.len(), 1);
    world.pass(10);
    assert_eq!(world.running.len(), 1);
    world.finish(0, Ended::Success);
    world.pass(100);
    assert_eq!(world.told(), ["a 100: success", "a 200: skipped (paused)"]);
    world.check();
}

#[test]
fn a_fire_whose_row_is_on_its_way_when_the_pause_comes_does_not_begin() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.is_slow = true;
    world.pause("a", None);
    // It is asked for, and not in force yet: the fire is recorded behind it.
    world.pass(10);
    world.is_slow = false;
    world.pump();
    assert!(world.started.is_empty());
    assert_eq!(world.told(), ["a 10: skipped (paused)"]);
    assert_eq!(world.state.stats().total_executed, 0);
    world.check();
}

#[test]
fn a_paused_job_runs_when_it_is_asked_to() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.pause("a", None);
    world.pass(15);
    world.ask("a", "r");
    assert_eq!(world.running.len(), 1);
    world.pass(10);
    world.finish(0, Ended::Success);
    world.pass(10);
    assert_eq!(
        world.told(),
        [
            "a 10: skipped (paused)",
            "a 15: success",
            "a 20: skipped (paused) ×2"
        ]
    );
    world.check();
}

#[test]
fn edits_keep_a_pause_a_rename_takes_it_along_and_another_job_has_none() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.pause("a", None);
    world.edit(vec![job("a", every(7), |_| {})]);
    assert_eq!(world.view_of("a").status, JobStatus::Paused);
    let mut off = world.jobs.clone();
    Arc::make_mut(&mut off[0].definition).enabled = false;
    world.edit(off);
    assert_eq!(world.view_of("a").status, JobStatus::Disabled, "is first");
    assert!(world.view_of("a").pause.is_some());
    world.edit(vec![job("a", every(10), |_| {})]);
    world.rename("a", "b");
    assert_eq!(world.view_of("b").status, JobStatus::Paused);

    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    for (away, is_paused) in [(500, true), (601, false)] {
        world.pause("a", None);
        let jobs = world.jobs.clone();
        assert!(world.edit(Vec::new()));
        assert_eq!(world.state.pauses(1).total, 0);
        world.pass(away);
        assert!(world.edit(jobs));
        assert_eq!(world.view_of("a").pause.is_some(), is_paused, "{away} s");
        world.check();
    }
}

#[test]
fn another_job_of_the_name_is_not_paused_also_after_a_clock_that_was_set_back() {
    for is_restarted in [false, true] {
        let mut world = World::with(vec![job("a", every(10), |_| {})]);
        world.pass(1_000);
        world.finish(0, Ended::Success);
        world.pause("a", None);
        let jobs = world.jobs.clone();
        world.set_clock(-700);
        assert!(world.edit(Vec::new()));
        world.pass(601);
        match is_restarted {
            true => world.crash_and(0, jobs),
            false => assert!(world.edit(jobs)),
        }
        // It is seen for the first time before the pause of the other one began.
        assert_eq!(world.view_of("a").pause, None);
        world.check();
    }
}

#[test]
fn a_pause_that_a_clock_ended_which_was_ahead_goes_on_when_the_clock_is_right() {
    const YEAR: i64 = 365 * 86_400;
    for is_restarted in [false, true] {
        let mut world = World::with(vec![
            job("own", every(10), |_| {}),
            job("by-hand", every(10), |_| {}),
        ]);
        world.pause("own", Some(1_000));
        world.pause("by-hand", Some(2 * YEAR));
        world.set_clock(YEAR);
        assert_eq!(world.state.pauses(1).total, 1);
        world.resume("by-hand");
        let own = world.running_of("own").unwrap();
        world.finish(own, Ended::Success);
        world.set_back(YEAR, is_restarted);
        let view = world.view_of("own");
        assert_eq!(view.status, JobStatus::Paused);
        assert_eq!(view.pause.unwrap().until, Some(second(1_000)));
        assert_eq!(world.view_of("by-hand").status, JobStatus::Active);
        let stored = &world.pauses[&JobName::new("own").unwrap()];
        assert_eq!(stored.ended_at, None, "for the next start");
        world.pass(995);
        assert_eq!(world.running_of("own"), None, "{:?}", world.told());
        // The row of what the clock leapt over begins with 1000, and holds that.
        world.pass(15);
        assert!(world.running_of("own").is_some(), "{:?}", world.told());
    }
}

#[test]
fn a_pause_of_a_paused_job_changes_its_end_and_keeps_its_beginning() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.pause("a", Some(15));
    world.pass(5);
    world.pause("a", Some(40));
    let pause = world.paused().unwrap().pause.unwrap();
    assert_eq!((pause.since, pause.until), (second(0), Some(second(45))));
    world.pass(45);
    assert_eq!(world.told(), ["a 10: skipped (paused) ×4", "a 50: running"]);
}

#[test]
fn a_store_that_refuses_leaves_everything_as_it_was() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.is_store_up = false;
    world.pause("a", None);
    assert!(matches!(world.paused(), Err(Refusal::Store(_))));
    world.pause("a", None);
    assert!(matches!(world.paused(), Err(Refusal::Store(_))));
    assert_eq!(world.view_of("a").status, JobStatus::Active);
    world.store_back();
    world.pass(10);
    assert_eq!(world.told(), ["a 10: running"]);
    world.pause("nobody", None);
    assert!(matches!(world.paused(), Err(Refusal::NoSuchJob(_))));
}

#[test]
fn an_end_of_its_own_never_writes_over_what_was_asked_for_before_it() {
    // An extension, and an end, that are on their way to the store when the pause's own end comes.
    for (wish, told) in [
        (
            Some(100),
            vec!["a 10: skipped (paused) ×2", "a 30: skipped (paused)"],
        ),
        (
            None,
            vec![
                "a 10: skipped (paused)",
                "a 20: interrupted (interrupted)",
                "a 30: running",
            ],
        ),
    ] {
        let mut world = World::with(vec![job("a", every(10), |_| {})]);
        world.pause("a", Some(25));
        world.pass(15);
        world.is_slow = true;
        match wish {
            Some(length) => world.pause("a", Some(length)),
            None => world.resume("a"),
        }
        world.now = second(25);
        world.feed(Input::Tick);
        world.is_slow = false;
        world.pump();
        world.paused().unwrap();
        world.check();
        world.crash(10);
        assert_eq!(world.told(), told);
        assert_eq!(world.view_of("a").pause.is_some(), wish.is_some());
        world.check();
    }
    // And one that the store refuses leaves the pause with the end that it had.
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.pause("a", Some(25));
    world.is_slow = true;
    world.pass(24);
    world.pause("a", Some(100));
    world.is_store_up = false;
    world.pass(1);
    world.is_slow = false;
    world.pump();
    assert!(matches!(world.paused(), Err(Refusal::Store(_))));
    world.store_back();
    world.pass(5);
    assert_eq!(world.told(), ["a 10: skipped (paused) ×2", "a 30: running"]);
    world.check();
}

#[test]
fn a_fire_after_an_end_that_is_on_its_way_to_the_store_runs_once_it_is_there() {
    for is_refused in [false, true] {
        // One of the two has the only place.
        let mut world = World::new(Settings {
            max_workers: 1,
            max_requests: 1,
        });
        world.first(vec![
            job("a", every(10), |_| {}),
            job("b", every(10), |_| {}),
        ]);
        world.pause("a", None);
        world.pause("b", None);
        world.pass(9);
        world.is_slow = true;
        world.resume("a");
        world.resume("b");
        world.pass(2);
        assert!(world.running.is_empty(), "no end is in the store yet");
        world.is_store_up = !is_refused;
        world.is_slow = false;
        world.pump();
        if is_refused {
            assert!(matches!(world.paused(), Err(Refusal::Store(_))));
            world.pass(1);
            world.store_back();
            world.pass(0);
            let mut told = world.told();
            told.sort();
            let skipped = ["a 10: skipped (paused)", "b 10: skipped (paused)"];
            assert_eq!(told, skipped, "both are paused still");
        } else {
            world.finish(0, Ended::Success);
            world.finish(0, Ended::Success);
            let mut told = world.told();
            told.sort();
            assert_eq!(told, ["a 10: success", "b 10: success"]);
        }
        world.check();
    }
}

#[test]
fn a_job_has_nothing_of_a_pause_that_was_asked_for_of_another() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.is_slow = true;
    world.pause("a", None);
    assert!(world.edit(vec![job("b", every(10), |_| {})]));
    world.now += Duration::from_secs(5);
    world.pause("b", None);
    world.is_slow = false;
    world.pump();
    assert_eq!(world.view_of("b").pause.unwrap().since, second(5));
    world.record_the_rest();
    world.check();
}

#[test]
fn what_falls_into_a_pause_while_the_store_is_away_is_skipped_and_not_caught_up() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.pause("a", Some(25));
    world.pass(2);
    world.is_store_up = false;
    world.pass(60);
    world.store_back();
    world.pass(0);
    assert_eq!(
        world.told(),
        [
            "a 10: skipped (paused) ×2",
            "a 30: missed (coalesced) ×3",
            "a 60: running"
        ]
    );
    world.check();
}

#[test]
fn nothing_is_expected_of_a_paused_job_and_afterwards_from_its_next_fire_on() {
    let within = |p: &mut Policy| p.success_within = Some(Duration::from_secs(30));
    let mut world = World::with(vec![job("a", every(100), within)]);
    world.pass(105);
    world.finish(0, Ended::Success);
    world.pass(130);
    assert!(world.view_of("a").is_stale);
    world.pause("a", None);
    assert!(!world.view_of("a").is_stale, "somebody knows");
    world.pass(10_000);
    assert_eq!(world.view_of("a").success_deadline, None);
    world.resume("a");
    let deadline = world.view_of("a").success_deadline.unwrap();
    assert_eq!(deadline, second(10_300 + 30));
    world.crash(1);
    assert_eq!(world.view_of("a").success_deadline, Some(deadline));
    world.pass(200);
    assert!(world.view_of("a").is_stale, "it did not succeed");
    world.check();
}

#[test]
fn a_clock_that_is_set_back_does_not_bring_a_pause_back_that_was_ended() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.pause("a", None);
    world.pass(3 * 86_400);
    world.resume("a");
    let by = Duration::from_secs(3 * 86_400 - 15);
    world.now = second(15);
    world.feed(Input::ClockSet {
        by,
        direction: Direction::Backward,
    });
    assert_eq!(world.view_of("a").status, JobStatus::Active);
    world.pass(10);
    assert_eq!(world.running.len(), 1, "{:?}", world.told());
}

#[test]
fn a_pause_that_a_clock_ahead_has_ended_goes_on_when_the_clock_is_right_again() {
    const DAY: i64 = 86_400;
    for dies in [false, true] {
        let mut world = World::with(vec![job("a", every(3_600), |_| {})]);
        world.pause("a", Some(DAY));
        let set = |world: &mut World, now: i64| {
            let before = std::mem::replace(&mut world.now, second(now));
            let by = before.duration_since(world.now);
            let direction = match by.is_positive() {
                true => Direction::Backward,
                false => Direction::Forward,
            };
            let by = by.unsigned_abs();
            world.feed(Input::ClockSet { by, direction });
        };
        set(&mut world, 365 * DAY);
        assert_eq!(world.view_of("a").status, JobStatus::Active);
        if dies {
            world.now = second(100);
            world.crash(1);
        } else {
            set(&mut world, 100);
        }
        assert_eq!(world.view_of("a").status, JobStatus::Paused, "{dies}");
        let name = JobName::new("a").unwrap();
        assert_eq!(world.pauses[&name].ended_at, None, "the store has it");
        world.pass(DAY - 200);
        assert_eq!(world.view_of("a").status, JobStatus::Paused);
        world.pass(200);
        assert_eq!(world.view_of("a").status, JobStatus::Active);
        assert_eq!(world.pauses[&name].ended_at, Some(second(DAY)));
    }
}

#[test]
fn a_fire_at_a_pauses_end_is_not_lost_to_a_clock_that_is_set_back_a_little() {
    let mut world = World::with(vec![job("a", every(100), |_| {})]);
    world.pause("a", Some(100));
    world.pass(99);
    world.is_slow = true;
    world.pass(1);
    assert_eq!(world.running_of("a"), None, "its row is on its way");
    world.set_clock(-2);
    world.is_slow = false;
    world.pass(1);
    assert!(world.running_of("a").is_some(), "{:?}", world.told());
    world.check();
}

#[test]
fn late_fires_from_a_pauses_end_on_are_not_lost_to_a_clock_that_is_set_back_a_little() {
    let mut world = World::with(vec![job("a", every(10), |p| {
        p.coalesce = false;
        p.grace = Grace::Fixed(Duration::from_secs(120));
    })]);
    world.pause("a", Some(100));
    world.pass(95);
    world.set_clock(40);
    world.set_clock(-40);
    for _ in 0..4 {
        world.finish(0, Ended::Success);
    }
    let told = world.told();
    let runs = told.iter().filter(|row| row.ends_with("success"));
    assert_eq!(runs.count(), 4, "{told:?}");
    world.check_rest();
}

#[test]
fn a_fire_of_a_pause_whose_end_was_refused_does_not_begin_after_the_pauses_own_end() {
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    let once = Arc::new(Schedule::new(vec![Item::At(vec![second(1)])]));
    world.first(vec![
        job("before", once, |_| {}),
        job("a", every(60), |p| {
            p.grace = Grace::Fixed(Duration::from_secs(1_000))
        }),
    ]);
    world.pass(2);
    world.pause("a", Some(98));
    world.pass(48);
    world.is_slow = true;
    world.resume("a");
    world.pass(11);
    world.is_store_up = false;
    world.is_slow = false;
    world.pump();
    world.pass(58);
    world.store_back();
    world.finish(0, Ended::Success);
    world.pass(1);
    assert_eq!(
        world.told(),
        [
            "before 1: success",
            "a 60: skipped (paused)",
            "a 120: running"
        ]
    );
    world.check_rest();
}

#[test]
fn a_pause_that_is_recorded_late_takes_nothing_from_the_resume_behind_it() {
    let once = Arc::new(Schedule::new(vec![Item::At(vec![second(51)])]));
    let mut world = World::with(vec![job("a", once, |_| {})]);
    world.pass(49);
    world.is_slow = true;
    world.pause("a", None);
    world.pass(1);
    world.resume("a");
    world.pass(1);
    world.is_slow = false;
    world.pump();
    assert_eq!(world.told(), ["a 51: running"]);
    world.check_rest();
}

#[test]
fn a_start_of_elder_is_no_start_of_a_paused_job() {
    let at_start = Arc::new(Schedule::new(vec![Item::Startup]));
    let mut world = World::with(vec![job("a", at_start, |_| {})]);
    world.finish(0, Ended::Success);
    world.pause("a", None);
    world.crash(100);
    assert!(world.running.is_empty());
    assert_eq!(world.told(), ["a 0: success", "a 100: skipped (paused)"]);
}

#[test]
fn a_queued_run_of_a_dead_elder_is_skipped_if_its_job_is_paused() {
    let made = job("a", every(10), |_| {});
    let mut world = World::with(vec![made.clone()]);
    let pause = Pause {
        since: second(0),
        until: None,
        ended_at: None,
        reason: None,
        author: "anna".into(),
    };
    let id = RunId::of_fire(made.name(), second(10));
    let mut queued = Run::new(id, made.name().clone(), second(10), Trigger::Schedule);
    queued.state = crate::model::RunState::Queued;
    world.rows.insert(id, queued);
    let mark = Mark {
        mark: second(10),
        ..Mark::first_sight(second(0))
    };
    world.marks.insert(made.name().clone(), mark);
    world.pauses.insert(made.name().clone(), pause);
    world.crash(12);
    assert_eq!(world.told(), ["a 10: skipped (paused)"]);
    assert_eq!(world.rows[&id].outcome, Some(Outcome::Skipped));
    assert_eq!(world.state.stats().total_skipped, 1);
}
