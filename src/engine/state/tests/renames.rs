//! Jobs that take another name: nothing lost, nothing doubled, and what runs counts on.

use std::time::Duration;

use super::super::testing::{every, job, second};
use super::super::*;
use super::world::World;
use crate::model::{Ended, Grace, Overlap, Policy};
use crate::schedule::{Item, Modifiers, Schedule, Seed};

impl World {
    /// Files call the job, or the past, of this name otherwise.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let jobs = self.renamed(from, to);
        assert!(self.edit(jobs));
    }

    /// What files say then: that a job was called otherwise before, or that a job has another's past.
    pub(super) fn renamed(&self, from: &str, to: &str) -> Vec<Job> {
        let name = |text: &str| JobName::new(text).unwrap();
        let mut jobs = self.jobs.clone();
        let found = |name: &str| self.jobs.iter().position(|job| job.name().as_str() == name);
        let (is_there, index) = (found(to).is_some(), found(to).or(found(from)));
        let definition = Arc::make_mut(&mut jobs[index.unwrap()].definition);
        definition.aliases = [name(from)].into();
        if !is_there {
            definition.name = name(to);
        }
        jobs
    }
}

#[test]
fn a_job_goes_on_under_its_new_name_with_all_that_was_and_runs() {
    let mut world = World::with(vec![job("old", every(10), |p| p.overlap = Overlap::Queue)]);
    world.pass(25);
    assert_eq!(world.told(), ["old 10: running"]);
    world.rename("old", "new");
    assert_eq!(world.told(), ["new 10: running", "new 20: queued"]);
    assert!(
        world
            .state
            .job_view(&JobName::new("old").unwrap())
            .is_none()
    );
    // What waits behind the run of before is one instance of the new name.
    world.pass(10);
    world.finish(0, Ended::Success);
    assert_eq!(
        world.told(),
        [
            "new 10: success",
            "new 20: running",
            "new 30: skipped (overlap)"
        ]
    );
    world.finish(0, Ended::Success);
    world.pass(10);
    assert_eq!(world.told()[3], "new 40: running");
    let view = world.state.job_view(&JobName::new("new").unwrap()).unwrap();
    assert_eq!(view.last.unwrap().job.as_str(), "new");
}

#[test]
fn what_is_on_its_way_to_the_store_arrives_under_the_name_that_it_was_written_with() {
    let mut world = World::with(vec![job("old", every(10), |p| p.max_instances = 3)]);
    world.is_slow = true;
    world.pass(10);
    world.rename("old", "new");
    world.pass(10);
    world.is_slow = false;
    world.pump();
    assert_eq!(world.told(), ["new 10: running", "new 20: running"]);
    world.finish(0, Ended::Success);
    world.finish(0, Ended::Success);
    assert_eq!(world.told(), ["new 10: success", "new 20: success"]);
}

#[test]
fn a_store_that_refuses_the_rename_gets_it_before_anything_else() {
    let mut world = World::with(vec![job("old", every(10), |_| {})]);
    world.pass(10);
    world.is_slow = true;
    world.rename("old", "new");
    world.is_store_up = false;
    world.is_slow = false;
    world.finish(0, Ended::Success);
    world.pass(15);
    world.store_back();
    world.pass(0);
    assert_eq!(world.told()[0], "new 10: success");
    assert_eq!(world.told()[1], "new 20: running");
    assert!(!world.marks.contains_key(&JobName::new("old").unwrap()));
}

#[test]
fn runs_of_a_name_that_is_gone_count_for_the_one_that_follows_it() {
    let mut world = World::with(vec![job("old", every(10), |_| {})]);
    world.pass(10);
    assert!(world.edit(Vec::new()));
    let name = |text: &str| JobName::new(text).unwrap();
    world.give_names(vec![(name("old"), name("new"))]);
    // The store has the row under the new name, and the file brings the job a moment later.
    let mark = world.marks[&name("new")].clone();
    let new = job("new", every(10), |_| {});
    world.apply(Change {
        at: world.now,
        added: vec![(new, mark)],
        ..Change::default()
    });
    world.pass(10);
    assert_eq!(
        world.told(),
        ["new 10: running", "new 20: skipped (overlap)"]
    );
    world.finish(0, Ended::Success);
    assert_eq!(world.told()[0], "new 10: success");
}

/// a fires at 10 and waits or runs; b, which had a run of the same instant, is gone before a takes its name.
fn with_a_past(is_slow: bool, max_workers: u32) -> World {
    let mut world = World::new(Settings {
        max_workers,
        max_requests: 1,
    });
    world.first(vec![
        job("b", every(10), |p| p.grace = Grace::Fixed(PATIENCE)),
        job("a", every(10), |p| p.grace = Grace::Fixed(PATIENCE)),
    ]);
    world.pass(10);
    if world.running_of("b") == Some(0) {
        world.finish(0, Ended::Success);
    }
    let left = vec![world.jobs[1].clone()];
    assert!(world.edit(left));
    world.is_slow = is_slow;
    world.rename("a", "b");
    world.is_slow = false;
    world.pump();
    world
}

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_name_with_a_past_loses_no_run_that_is_under_way() {
    for is_slow in [false, true] {
        let mut world = with_a_past(is_slow, 2);
        let mut told = world.told();
        told.sort();
        assert_eq!(told, ["b 10: running", "b 10: success"], "{is_slow}");
        world.finish(0, Ended::Success);
        assert_eq!(world.told(), ["b 10: success", "b 10: success"]);
        world.check_rest();
    }
}

#[test]
fn a_name_with_a_past_does_not_close_a_fire_that_waits() {
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    let once = |item| Arc::new(Schedule::new(vec![item]));
    world.first(vec![
        job("a", every(1000), |p| p.grace = Grace::Fixed(PATIENCE)),
        job("first", once(Item::At(vec![second(999)])), |_| {}),
        job("b", once(Item::Manual), |_| {}),
    ]);
    world.pass(1010);
    // The mark of b is where it went, beyond the fire of a that waits.
    let left = world.jobs[..2].to_vec();
    assert!(world.edit(left));
    world.rename("a", "b");
    world.finish(0, Ended::Success);
    assert_eq!(world.running_of("b"), Some(0), "{:?}", world.told());
    world.check_rest();
}

#[test]
fn a_fire_that_waits_without_a_row_is_caught_up_when_its_name_has_a_past_at_the_next_start() {
    let mut world = World::with(vec![
        job("a", every(1000), |p| p.grace = Grace::Fixed(PATIENCE)),
        job("b", every(70), |_| {}),
    ]);
    world.pass(999);
    assert!(world.edit(vec![world.jobs[0].clone()]));
    world.pass(1);
    // It is not in the store when elder dies; b went after 980, and before 1000.
    let at = world.now;
    world.rows.retain(|_, row| row.job.as_str() != "a");
    let name = |text: &str| JobName::new(text).unwrap();
    world.marks.get_mut(&name("a")).unwrap().mark = second(0);
    world.marks.get_mut(&name("b")).unwrap().mark = at;
    let jobs = world.renamed("a", "b");
    world.crash_and(5, jobs);
    assert_eq!(world.running_of("b"), Some(0), "{:?}", world.told());
}

#[test]
fn a_past_that_joins_a_job_that_is_there_brings_its_runs_along() {
    let mut world = World::with(vec![
        job("a", every(10), |_| {}),
        job("b", every(1000), |_| {}),
    ]);
    world.pass(10);
    let left = vec![world.jobs[1].clone()];
    assert!(world.edit(left));
    world.rename("a", "b");
    world.pass(990);
    // What ran as a is an instance of b.
    assert_eq!(world.told(), ["b 10: running", "b 1000: skipped (overlap)"]);
    world.finish(0, Ended::Success);
    assert!(world.state.orphans.is_empty());
    world.check_rest();
}

#[test]
fn runs_of_both_names_go_on_and_a_further_one_begins_when_there_is_room() {
    let two = |p: &mut Policy| p.max_instances = 2;
    let mut world = World::with(vec![
        job("a", every(10), |p| p.retry.max = 1),
        job("b", every(15), two),
    ]);
    world.pass(30);
    assert!(world.edit(vec![world.jobs[1].clone()]));
    let a = world.running_of("a").unwrap();
    world.finish(a, Ended::Failed(Reason::Exit));
    world.rename("a", "b");
    // What had begun as a has its second attempt beside the two of b.
    world.pass(200);
    assert_eq!(world.running.len(), 3, "{:?}", world.told());
    assert!(
        world
            .told()
            .contains(&"b 45: skipped (overlap) ×13".to_owned())
    );
    world.finish(0, Ended::Success);
    world.pass(10);
    assert_eq!(world.running.len(), 2, "two are as many as may be");
    world.finish(0, Ended::Success);
    world.pass(15);
    assert_eq!(world.told().last().unwrap(), "b 255: running");
    world.check_rest();
}

#[test]
fn two_names_with_a_run_of_one_instant_both_have_its_end() {
    for is_restarted in [false, true] {
        let mut world = World::with(vec![
            job("a", every(10), |_| {}),
            job("b", every(10), |_| {}),
        ]);
        world.pass(10);
        assert!(world.edit(vec![world.jobs[0].clone()]));
        world.rename("a", "b");
        assert_eq!(world.told(), ["b 10: running", "b 10: running"]);
        let end = match is_restarted {
            true => {
                world.crash(0);
                "b 10: interrupted (interrupted)"
            }
            false => {
                world.finish(0, Ended::Success);
                world.finish(0, Ended::Success);
                "b 10: success"
            }
        };
        assert_eq!(world.told(), [end, end]);
        world.check_rest();
    }
}

#[test]
fn the_past_of_a_name_does_not_close_an_instant_that_the_job_has_not_decided() {
    // The job takes the name that has a past, or the past joins the job.
    for (from, to) in [("a", "b"), ("b", "a")] {
        let patient = |p: &mut Policy| p.grace = Grace::Fixed(PATIENCE);
        let mut world = World::with(vec![
            job("a", every(1000), patient),
            job("b", every(1000), patient),
        ]);
        world.pass(1000);
        let b = world.running_of("b").unwrap();
        world.finish(b, Ended::Success);
        assert!(world.edit(vec![world.jobs[0].clone()]));
        // The fire of a is not in the store when elder dies.
        world.rows.retain(|_, row| row.job.as_str() != "a");
        let name = JobName::new("a").unwrap();
        world.marks.get_mut(&name).unwrap().mark = second(0);
        let jobs = world.renamed(from, to);
        world.crash_and(5, jobs);
        let mut told = world.told();
        told.sort();
        let want = [format!("{to} 1000: running"), format!("{to} 1000: success")];
        assert_eq!(told, want, "{from} to {to}");
    }
}

/// Without the order that identities give rows of one instant.
fn told(world: &World) -> Vec<String> {
    let mut told = world.told();
    told.sort();
    told
}

/// a is due some time after 1000, and b ran at 1000: a takes the name of b, which is gone, and before it
/// is due nothing says any more that it did. One run at a time.
fn with_a_past_that_nobody_knows_of() -> World {
    let item = Item::every(Duration::from_secs(1000)).unwrap();
    let modifiers = Modifiers {
        jitter: Some(Duration::from_secs(100)),
        ..Modifiers::default()
    };
    let item = item.modified(&modifiers, Seed::of("job")).unwrap();
    let jittered = Arc::new(Schedule::new(vec![item]));
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    world.first(vec![
        job("a", jittered, |p| p.grace = Grace::Fixed(PATIENCE)),
        job("b", every(1000), |_| {}),
    ]);
    world.pass(1000);
    world.finish(0, Ended::Success);
    assert!(world.edit(vec![world.jobs[0].clone()]));
    world.rename("a", "b");
    let mut jobs = world.jobs.clone();
    Arc::make_mut(&mut jobs[0].definition).aliases = [].into();
    assert!(world.edit(jobs));
    assert_eq!(world.told(), ["b 1000: success"], "it is due already");
    world
}

#[test]
fn a_fire_whose_identity_is_its_names_past_runs_under_another() {
    let mut world = with_a_past_that_nobody_knows_of();
    world.pass(110);
    assert_eq!(told(&world), ["b 1000: running", "b 1000: success"]);
    world.finish(0, Ended::Success);
    assert_eq!(world.told(), ["b 1000: success", "b 1000: success"]);
    world.check_rest();
}

#[test]
fn a_series_whose_identity_is_its_names_past_grows_where_it_is() {
    let mut world = with_a_past_that_nobody_knows_of();
    for (by, missed) in [(PATIENCE.as_secs() as i64 + 200, ""), (1000, " ×2")] {
        world.set_clock(by);
        let missed = format!("b 1000: missed (clock){missed}");
        assert_eq!(told(&world), [&missed, "b 1000: success"]);
    }
    world.check_rest();
}

#[test]
fn a_series_that_grows_before_its_identity_is_known_grows_where_it_is() {
    let mut world = with_a_past_that_nobody_knows_of();
    world.pause("b", None);
    world.is_slow = true;
    for _ in 0..3 {
        world.pass(1000);
    }
    world.is_slow = false;
    world.pump();
    let rows = ["b 1000: skipped (paused) ×3", "b 1000: success"];
    assert_eq!(told(&world), rows);
    world.check_rest();
}

#[test]
fn a_fire_whose_identity_is_its_names_past_begins_though_it_was_recorded_as_it_waited() {
    let mut world = with_a_past_that_nobody_knows_of();
    let at = |second_of| Arc::new(Schedule::new(vec![Item::At(vec![second(second_of)])]));
    let before = job("before", at(1001), |_| {});
    assert!(world.edit(vec![world.jobs[0].clone(), before]));
    world.pass(110);
    assert_eq!(world.told(), ["b 1000: success", "before 1001: running"]);
    // Its row is on its way, and so is its attempt, when the store says which identity it has.
    world.is_slow = true;
    world.rename("b", "c");
    world.finish(0, Ended::Success);
    world.is_slow = false;
    world.pump();
    assert_eq!(
        told(&world),
        ["before 1001: success", "c 1000: running", "c 1000: success"]
    );
    world.finish(0, Ended::Success);
    world.check_rest();
}

#[test]
fn a_fire_whose_identity_is_its_names_past_is_given_up_where_its_own_row_is() {
    for is_removed in [false, true] {
        let mut world = with_a_past_that_nobody_knows_of();
        let once = Arc::new(Schedule::new(vec![Item::At(vec![second(1001)])]));
        let before = job("before", once, |_| {});
        assert!(world.edit(vec![world.jobs[0].clone(), before]));
        world.pass(110);
        let mut jobs = world.jobs.clone();
        Arc::make_mut(&mut jobs[0].definition).enabled = false;
        if is_removed {
            // Its row is on its way when the job goes.
            world.is_slow = true;
            jobs = vec![jobs.remove(1)];
            world.state.record_waiting(JobKey(0), Timestamp::MAX);
        }
        world.edit(jobs);
        world.is_slow = false;
        world.pump();
        let rows = ["b 1000: missed (removed)", "b 1000: success"];
        assert_eq!(told(&world)[..2], rows, "removed: {is_removed}");
        world.check_rest();
    }
}

#[test]
fn what_ends_before_a_store_that_came_back_has_a_kept_name_comes_after_it() {
    let mut world = World::with(vec![
        job("old", every(10), |_| {}),
        job("other", every(10), |_| {}),
    ]);
    world.pass(10);
    world.is_slow = true;
    world.rename("old", "new");
    world.is_store_up = false;
    world.pump();
    assert!(world.state.commits.is_down());
    // The store is back, and the state sends a batch before it knows.
    world.store_back();
    let other = world.running_of("other").unwrap();
    world.finish(other, Ended::Success);
    assert!(world.deliver_next(), "it knows");
    // What was sent before is not answered yet, when this ends.
    world.finish(0, Ended::Success);
    world.is_slow = false;
    world.pump();
    let mut told = world.told();
    told.sort();
    assert_eq!(told, ["new 10: success", "other 10: success"]);
    world.check_rest();
}
