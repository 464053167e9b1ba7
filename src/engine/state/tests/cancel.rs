//! Runs that somebody ends before their time.

use super::*;

impl World {
    /// Ends a job's run that is not over.
    fn cancel_of(&mut self, name: &str) {
        let of_job = |active: &&super::super::active::Active| active.run.job.as_str() == name;
        let run = self.state.runs.values().find(of_job).unwrap().run.id;
        assert_eq!(self.state.can_cancel(run), Ok(true));
        self.feed(Input::Cancel(run));
    }
}

#[test]
fn a_running_one_is_told_to_end_and_told_once() {
    let mut world = World::with(vec![job("a", every(10), |p| p.retry.max = 3)]);
    world.pass(10);
    world.cancel_of("a");
    world.cancel_of("a");
    assert_eq!(world.ends, [(world.running[0], EndHow::Gracefully)]);
    assert_eq!(world.told(), ["a 10: running"], "it is not over yet");
    world.finish(0, Ended::Stopped);
    assert_eq!(world.told(), ["a 10: cancelled (request)"]);
}

#[test]
fn one_that_is_told_to_end_before_a_stop_is_cancelled_and_not_cut_off() {
    let mut world = World::with(vec![
        job("a", every(10), |_| {}),
        job("b", every(10), |_| {}),
    ]);
    world.pass(10);
    world.cancel_of("a");
    world.feed(Input::Stop(second(11)));
    world.pass(2);
    while !world.running.is_empty() {
        world.finish(0, Ended::Stopped);
    }
    let mut told = world.told();
    told.sort();
    assert_eq!(
        told,
        ["a 10: cancelled (request)", "b 10: interrupted (shutdown)"]
    );
}

#[test]
fn one_that_fails_while_it_is_cancelled_is_not_tried_again() {
    let mut world = World::with(vec![job("a", every(10), |p| p.retry.max = 3)]);
    world.pass(10);
    world.cancel_of("a");
    world.finish(0, Ended::Failed(Reason::Exit));
    assert_eq!(world.told(), ["a 10: failed (exit)"]);
}

#[test]
fn one_between_two_attempts_is_over_at_once() {
    let mut world = World::with(vec![job("a", every(100), |p| {
        p.retry.max = 3;
        p.retry.backoff = Duration::from_secs(50);
    })]);
    world.pass(100);
    world.finish(0, Ended::Failed(Reason::Exit));
    world.cancel_of("a");
    assert_eq!(world.told(), ["a 100: cancelled (request)"]);
    world.pass(60);
    assert!(world.running.is_empty());
}

#[test]
fn one_that_waits_for_a_place_does_not_begin() {
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    let grace = |p: &mut Policy| p.grace = Grace::Fixed(Duration::from_secs(600));
    world.first(vec![job("a", every(10), grace), job("b", every(15), grace)]);
    world.pass(15);
    world.cancel_of("b");
    assert_eq!(world.told(), ["a 10: running", "b 15: cancelled (request)"]);
    world.finish(0, Ended::Success);
    assert!(world.running.is_empty());
}

#[test]
fn what_is_over_or_was_never_there_is_left_alone() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.pass(10);
    let run = world.running[0];
    world.finish(0, Ended::Success);
    world.feed(Input::Cancel(run));
    assert_eq!(world.state.can_cancel(run), Ok(false));
    assert_eq!(world.told(), ["a 10: success"]);
}

#[test]
fn without_the_store_only_what_runs_can_be_ended() {
    let mut world = World::with(vec![
        job("a", every(100), |p| {
            p.retry.max = 3;
            p.retry.backoff = Duration::from_secs(50);
        }),
        job("b", every(100), |_| {}),
    ]);
    world.pass(100);
    let of = |world: &World, name| world.running[world.running_of(name).unwrap()];
    let (a, b) = (of(&world, "a"), of(&world, "b"));
    world.finish(world.running_of("a").unwrap(), Ended::Failed(Reason::Exit));
    world.is_store_up = false;
    // Something is written, and refused.
    world.ask("b", "one");
    world.pass(101);
    assert!(world.state.can_cancel(a).is_err());
    assert_eq!(world.state.can_cancel(b), Ok(true));
    world.feed(Input::Cancel(a));
    world.feed(Input::Cancel(b));
    assert_eq!(world.ends, [(b, EndHow::Gracefully)]);
    world.store_back();
    assert_eq!(world.state.can_cancel(a), Ok(true));
}

#[test]
fn one_that_was_cancelled_does_not_run_although_its_row_was_refused_and_it_is_decided_anew() {
    for is_rescheduled in [false, true] {
        let mut world = World::new(Settings {
            max_workers: 1,
            max_requests: 1,
        });
        world.first(vec![
            job("a", every(1000), |_| {}),
            job("b", every(1000), |_| {}),
        ]);
        world.pass(1000);
        let name = ["b", "a"][world.running_of("b").map_or(0, |_| 1)];
        // An edit gives the one that waits its row.
        world.is_slow = true;
        let mut edited = world.jobs.clone();
        for job in edited.iter_mut().filter(|job| job.name().as_str() == name) {
            let definition = Arc::make_mut(&mut job.definition);
            definition.schedule_text = "otherwise".into();
            if is_rescheduled {
                definition.schedule = every(1500);
            }
        }
        assert!(world.edit(edited));
        world.cancel_of(name);
        world.is_store_up = false;
        world.pump();
        world.is_slow = false;
        world.store_back();
        let row = format!("{name} 1000: cancelled (request)");
        assert!(world.told().contains(&row), "{:?}", world.told());
        world.finish(0, Ended::Success);
        assert!(world.running.is_empty());
        world.check_rest();
    }
}

#[test]
fn one_that_was_cancelled_is_cancelled_also_when_its_job_goes_before_the_store_has_answered() {
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    let jobs = ["a", "b"].map(|name| job(name, every(1000), |_| {}));
    world.first(jobs.to_vec());
    world.pass(1000);
    let name = ["b", "a"][world.running_of("b").map_or(0, |_| 1)];
    world.is_slow = true;
    let mut edited = world.jobs.clone();
    for job in &mut edited {
        Arc::make_mut(&mut job.definition).schedule_text = "otherwise".into();
    }
    assert!(world.edit(edited));
    world.cancel_of(name);
    world.apply(Change {
        at: world.now,
        removed: vec![JobName::new(name).unwrap()],
        ..Change::default()
    });
    world.is_slow = false;
    world.pump();
    let row = format!("{name} 1000: cancelled (request)");
    assert!(world.told().contains(&row), "{:?}", world.told());
}
