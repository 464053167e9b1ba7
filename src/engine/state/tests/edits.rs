//! Edits: none loses a fire, none invents one.

use super::*;

const DAY: i64 = 86_400;

fn disabled(mut job: Job) -> Job {
    Arc::make_mut(&mut job.definition).enabled = false;
    job
}

fn one_place() -> World {
    World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    })
}

pub(super) fn is_rescheduled(old: &Job, new: &Job) -> bool {
    old.definition.schedule != new.definition.schedule
        || old.definition.enabled != new.definition.enabled
}

/// What a sync records once a change is in force.
pub(super) fn edit_writes(
    change: &Change,
    before: &[Job],
    open: &[(JobName, Timestamp)],
) -> Vec<Write> {
    let at = change.at;
    let to = |name: &JobName| {
        let open = open.iter().find(|(job, _)| job == name);
        open.map_or(at, |(_, to)| *to)
    };
    let changed = change.changed.iter().filter(|job| {
        let old = before.iter().find(|old| old.name() == job.name());
        old.is_some_and(|old| is_rescheduled(old, job))
    });
    let marks = changed.map(Job::name).chain(&change.removed);
    let marks = marks.cloned().map(|job| Write::Mark { at: to(&job), job });
    let gone = change.removed.iter().cloned();
    marks
        .chain(gone.map(|job| Write::Gone { job, at }))
        .collect()
}

#[test]
fn a_fire_that_waits_for_a_place_is_not_lost_when_its_time_is_edited() {
    let mut world = one_place();
    world.first(vec![
        job("a", every(1000), |_| {}),
        job("b", every(1000), |_| {}),
    ]);
    world.pass(1000);
    let waits = 1 - world.running_of("a").unwrap_or(1);
    world.pass(10);
    let mut edited = world.jobs.clone();
    Arc::make_mut(&mut edited[waits].definition).schedule = every(1500);
    let waits = edited[waits].name().clone();
    assert!(world.edit(edited));
    world.finish(0, Ended::Success);
    assert_eq!(
        world.running_of(waits.as_str()),
        Some(0),
        "{:?}",
        world.told()
    );
    world.check_rest();
}

#[test]
fn what_a_refusing_store_has_not_taken_is_decided_by_the_schedule_that_it_came_from() {
    let mut world = World::with(vec![
        job("edited", every(1000), |_| {}),
        job("removed", every(1000), |_| {}),
    ]);
    world.pass(999);
    world.is_slow = true;
    world.pass(1);
    // Both fires are on their way when the edit comes in force, and then the store refuses them.
    assert!(world.edit(vec![job("edited", every(50), |_| {})]));
    world.is_store_up = false;
    world.pump();
    assert!(world.rows.is_empty() && world.running.is_empty());
    world.store_back();
    world.is_slow = false;
    world.pump();
    world.record_the_rest();
    let mut told = world.told();
    told.sort();
    assert_eq!(
        told,
        [
            "edited 1000: missed (store)",
            "removed 1000: missed (store)"
        ]
    );
    world.pass(50);
    assert_eq!(world.running.len(), 1);
    world.check_rest();
}

#[test]
fn an_edit_waits_until_the_store_is_back() {
    let mut world = World::with(vec![job("a", every(1000), |_| {})]);
    world.is_store_up = false;
    world.pass(1010);
    // The store works again, and the engine does not know it yet.
    world.is_store_up = true;
    assert!(!world.edit(vec![job("a", every(50), |_| {})]));
    world.store_back();
    assert_eq!(world.told(), ["a 1000: running"]);
    assert!(world.edit(vec![job("a", every(50), |_| {})]));
    world.check_rest();
}

#[test]
fn an_edit_while_elder_stops_waits_for_the_next_start() {
    let mut world = World::with(vec![
        job("a", every(1000), |_| {}),
        job("b", every(10), |_| {}),
    ]);
    world.pass(990);
    world.feed(Input::Stop(second(2000)));
    world.pass(20);
    let edited = vec![job("a", every(1500), |_| {}), world.jobs[1].clone()];
    assert!(
        !world.edit(edited.clone()),
        "fires since the stop would be lost"
    );
    world.crash_and(10, edited);
    assert!(
        world.told().contains(&"a 1000: running".to_owned()),
        "{:?}",
        world.told()
    );
    world.check_rest();
}

#[test]
fn a_job_that_was_disabled_for_days_is_not_caught_up() {
    let patient = |p: &mut Policy| {
        p.grace = Grace::Fixed(Duration::from_secs(30 * 86_400));
        p.coalesce = false;
    };
    let on = job("a", every(3600), patient);
    let off = disabled(on.clone());
    type Way = (&'static str, fn(&mut World, Vec<Job>, Vec<Job>));
    let ways: [Way; 4] = [
        ("while elder runs", |world, off, on| {
            assert!(world.edit(off));
            world.pass(5 * DAY);
            assert!(world.edit(on));
        }),
        ("enabled while elder is down", |world, off, on| {
            assert!(world.edit(off));
            world.pass(2 * DAY);
            world.crash_and(3 * DAY, on);
        }),
        ("enabled after a restart", |world, off, on| {
            assert!(world.edit(off));
            world.crash(3 * DAY);
            world.pass(2 * DAY);
            assert!(world.edit(on));
        }),
        (
            "enabled, and elder dies before that is recorded",
            |world, off, on| {
                assert!(world.edit(off));
                world.pass(5 * DAY);
                world.is_slow = true;
                assert!(world.edit(on));
                world.is_slow = false;
                world.crash(0);
            },
        ),
    ];
    for (name, way) in ways {
        let mut world = World::with(vec![on.clone()]);
        way(&mut world, vec![off.clone()], vec![on.clone()]);
        assert_eq!(world.told(), [""; 0], "{name}");
        world.pass(3600);
        assert_eq!(world.running.len(), 1, "{name}");
        world.check_rest();
    }
}

#[test]
fn what_waits_when_its_job_is_disabled_is_missed() {
    let mut world = one_place();
    world.first(vec![
        job("a", every(1000), |_| {}),
        job("b", every(1000), |_| {}),
    ]);
    world.pass(1000);
    let off = world.jobs.iter().cloned().map(disabled).collect();
    assert!(world.edit(off));
    world.finish(0, Ended::Success);
    let mut told = world.told();
    told.sort_by_key(|row| row[2..].to_owned());
    assert_eq!(told[0][2..], *"1000: missed (removed)");
    assert_eq!(told[1][2..], *"1000: success");
    world.check_rest();
}

#[test]
fn a_job_that_comes_back_does_not_overlap_the_run_that_it_left() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.pass(10);
    assert!(world.edit(Vec::new()));
    world.pass(3);
    assert!(world.edit(vec![job("a", every(10), |_| {})]));
    world.pass(10);
    assert_eq!(world.told(), ["a 10: running", "a 20: skipped (overlap)"]);
    world.finish(0, Ended::Success);
    world.pass(10);
    assert_eq!(world.told()[2], "a 30: running");
    assert_eq!(world.state.orphans.len(), 0);
    world.check_rest();
}

#[test]
fn a_name_that_comes_back_soon_is_caught_up_and_one_that_comes_back_late_is_new() {
    for (away, want) in [
        (500, vec!["a 10: success", "a 500: running"]),
        (700, vec!["a 10: success"]),
    ] {
        let schedule = Arc::new(Schedule::new(vec![Item::At(vec![second(10), second(500)])]));
        let mut world = World::with(vec![job("a", schedule.clone(), |_| {})]);
        world.pass(10);
        world.finish(0, Ended::Success);
        assert!(world.edit(Vec::new()));
        world.pass(away);
        assert!(world.edit(vec![job("a", schedule, |_| {})]));
        assert_eq!(world.told(), want, "away for {away} s");
        world.check_rest();
    }
}

#[test]
fn a_name_that_comes_back_with_other_times_fires_at_none_from_before_it_went() {
    let mut world = World::with(vec![job("a", every(1000), |_| {})]);
    world.pass(1500);
    world.finish(0, Ended::Success);
    assert!(world.edit(Vec::new()));
    world.pass(100);
    assert!(world.edit(vec![job("a", every(70), |p| p.coalesce = false)]));
    world.check();
    assert!(
        world
            .rows
            .values()
            .all(|row| row.scheduled_at <= second(1000) || row.scheduled_at > second(1500)),
        "{:?}",
        world.told()
    );
    world.check_rest();
}

#[test]
fn an_edit_that_comes_and_goes_with_a_crash_is_as_if_it_had_come_later() {
    let mut world = World::with(vec![job("a", every(1000), |_| {})]);
    world.pass(500);
    world.is_slow = true;
    assert!(world.edit(vec![job("a", every(100), |_| {})]));
    world.is_slow = false;
    world.jobs = vec![job("a", every(100), |_| {})];
    world.crash(550);
    assert_eq!(world.told(), ["a 1000: running"]);
    world.pass(50);
    assert_eq!(world.told()[1], "a 1100: skipped (overlap)");
    world.check_rest();
}

#[test]
fn a_job_that_joins_after_a_small_step_back_fires_when_its_time_comes_again() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.pass(1000);
    let mut jobs = world.jobs.clone();
    jobs.push(job("b", every(10), |_| {}));
    world.now = second(1000) - Duration::from_millis(500);
    assert!(world.edit(jobs));
    world.pass(1);
    assert!(world.running_of("b").is_some(), "{:?}", world.told());
    world.check_rest();
}
