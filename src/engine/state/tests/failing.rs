//! Since when a job fails, and by which edition of its definition.

use std::collections::HashMap;

use super::super::testing::{every, job};
use super::super::*;
use super::world::World;
use crate::decide::fields::Field;
use crate::decide::{Edit, Edition, FailingSince, LastSuccess};
use crate::model::Ended;
use crate::spec::fingerprint;

/// The job with this timeout in seconds.
fn edition_of(timeout: u64) -> Job {
    job("a", every(10), |policy| {
        policy.timeout = Some(Duration::from_secs(timeout));
    })
}

fn edition(job: &Job, before: &str, after: &str) -> Edition {
    Edition {
        definition: fingerprint(&job.definition),
        edit: Edit {
            at: None,
            revision: Some(format!("rev-{after}").into()),
            author: Some("Ada".into()),
        },
        changed: Some(
            [Field {
                key: "timeout".to_owned(),
                before: Some(before.to_owned()),
                after: Some(after.to_owned()),
            }]
            .into(),
        ),
    }
}

impl World {
    /// The sync puts another edition in force.
    fn turn(&mut self, job: &Job, edition: Edition) {
        self.editions = HashMap::from([(job.name().clone(), vec![edition])]);
        assert!(self.edit(vec![job.clone()]));
    }

    fn failing(&self) -> Option<FailingSince> {
        let name = JobName::new("a").unwrap();
        self.state.job_view(&name).unwrap().failing
    }

    /// The next fire runs and ends so.
    fn fire(&mut self, ended: Ended) -> Run {
        self.pass(10);
        let index = self.running_of("a").unwrap();
        self.finish(index, ended);
        let name = JobName::new("a").unwrap();
        self.state.job_view(&name).unwrap().last.unwrap()
    }
}

const BROKEN: Ended = Ended::Failed(Reason::Exit);

#[test]
fn a_job_fails_since_its_first_failure_after_a_success_until_the_next() {
    let jobs = [60, 61, 62].map(edition_of);
    let mut world = World::with(vec![jobs[0].clone()]);
    let good = world.fire(Ended::Success);
    assert_eq!(good.definition, Some(fingerprint(&jobs[0].definition)));
    assert_eq!(world.failing(), None);
    world.turn(&jobs[1], edition(&jobs[1], "1m", "61s"));
    let first = world.fire(BROKEN);
    assert_eq!(first.definition, Some(fingerprint(&jobs[1].definition)));
    assert_eq!(first.author.as_deref(), Some("Ada"));
    for _ in 0..3 {
        world.fire(BROKEN);
    }
    let since = world.failing().unwrap();
    assert_eq!(since.run, first.id);
    let words = "revision rev-61s by Ada, which changed timeout";
    assert_eq!(since.words(), words);
    let stats = world.state.stats();
    assert_eq!((stats.failing_jobs, stats.failing_names.len()), (1, 1));
    // What was edited since did not make it fail.
    world.turn(&jobs[2], edition(&jobs[2], "61s", "62s"));
    world.fire(BROKEN);
    assert_eq!(world.failing().unwrap().words(), words);
    world.fire(Ended::Success);
    assert_eq!(world.failing(), None);
    assert_eq!(world.state.stats().failing_jobs, 0);
    world.fire(BROKEN);
    let since = world.failing().unwrap();
    assert_eq!(since.changed, Some(Vec::new()), "by the same definition");
}

#[test]
fn what_is_remembered_of_failures_and_editions_survives_a_crash() {
    let jobs = [60, 61].map(edition_of);
    let mut world = World::with(vec![jobs[0].clone()]);
    world.fire(Ended::Success);
    world.turn(&jobs[1], edition(&jobs[1], "1m", "61s"));
    let first = world.fire(BROKEN);
    let before = world.failing();
    // The start is given what the store remembers: all editions, the oldest first.
    let name = jobs[0].name().clone();
    let all = [edition(&jobs[0], "", "1m"), edition(&jobs[1], "1m", "61s")];
    world.editions = HashMap::from([(name, all.to_vec())]);
    world.crash(5);
    assert_eq!(world.failing(), before);
    assert_eq!(world.failing().unwrap().run, first.id);
    assert_eq!(world.state.stats().failing_jobs, 1);
    world.fire(BROKEN);
    assert_eq!(world.failing(), before);
}

#[test]
fn a_job_that_never_succeeded_says_so_and_one_that_goes_or_moves_is_counted_once() {
    let mut world = World::with(vec![edition_of(60)]);
    world.fire(BROKEN);
    let since = world.failing().unwrap();
    assert_eq!((since.success, &since.changed), (LastSuccess::None, &None));
    assert!(since.words().contains("no success is known"), "{since:?}");
    world.rename("a", "b");
    let stats = world.state.stats();
    let b = JobName::new("b").unwrap();
    assert_eq!((stats.failing_jobs, stats.failing_names), (1, vec![b]));
    world.jobs = Vec::new();
    world.apply(Change {
        at: world.now,
        removed: vec![JobName::new("b").unwrap()],
        ..Change::default()
    });
    assert_eq!(world.state.stats().failing_jobs, 0);
}
