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
fn a_job_that_fails_is_blamed_on_its_bad_edition_although_the_good_one_came_back() {
    let jobs = [60, 61].map(edition_of);
    let all = || [edition(&jobs[0], "", "1m"), edition(&jobs[1], "1m", "61s")];
    let mut world = World::with(vec![jobs[0].clone()]);
    world.fire(Ended::Success);
    world.turn(&jobs[1], edition(&jobs[1], "1m", "61s"));
    world.fire(BROKEN);
    let before = world.failing();
    let words = "revision rev-61s by Ada, which changed timeout";
    assert_eq!(before.as_ref().unwrap().words(), words);
    world.turn(&jobs[0], edition(&jobs[0], "61s", "1m"));
    assert_eq!(world.failing(), before);
    let back = edition(&jobs[0], "61s", "1m");
    let stored: Vec<_> = all().into_iter().chain([back]).collect();
    world.editions = HashMap::from([(jobs[0].name().clone(), stored)]);
    world.crash(5);
    assert_eq!(world.failing(), before, "after a restart");
    world.fire(Ended::Success);
    assert_eq!(world.failing(), None);
    // A run that began by the bad one ends after the good one came back.
    world.turn(&jobs[1], edition(&jobs[1], "1m", "61s"));
    world.pass(10);
    world.turn(&jobs[0], edition(&jobs[0], "61s", "1m"));
    let index = world.running_of("a").unwrap();
    world.finish(index, BROKEN);
    assert_eq!(world.failing().unwrap().words(), words);
}

#[test]
fn a_job_that_fails_through_many_edits_is_blamed_on_the_first() {
    let mut world = World::with(vec![edition_of(60)]);
    world.fire(Ended::Success);
    let mut before = None;
    for seconds in 61..90 {
        let job = edition_of(seconds);
        let was = format!("{}s", seconds - 1);
        world.turn(&job, edition(&job, &was, &format!("{seconds}s")));
        world.fire(BROKEN);
        let since = world.failing().unwrap();
        assert_eq!(
            since.words(),
            "revision rev-61s by Ada, which changed timeout",
            "after {seconds}"
        );
        assert_eq!(*before.get_or_insert(since.clone()), since);
    }
}

#[test]
fn a_run_says_who_made_its_definition_also_after_a_success_and_a_restart() {
    let jobs = [60, 61, 62].map(edition_of);
    let by = |who: &str, job: &Job| {
        let mut edition = edition(job, "1m", "61s");
        edition.edit.author = Some(who.into());
        edition
    };
    let mut world = World::with(vec![jobs[0].clone()]);
    let author = |world: &mut World| {
        let run = world.fire(Ended::Success);
        run.author.as_deref().map(str::to_owned)
    };
    assert_eq!(author(&mut world), None);
    world.turn(&jobs[1], by("Ada", &jobs[1]));
    for _ in 0..3 {
        assert_eq!(author(&mut world).as_deref(), Some("Ada"));
    }
    // Its edit has become a revision.
    world.turn(&jobs[1], by("Bob", &jobs[1]));
    assert_eq!(author(&mut world).as_deref(), Some("Bob"));
    world.authors = vec![(jobs[0].name().clone(), "Bob".into())];
    world.crash(2);
    assert_eq!(author(&mut world).as_deref(), Some("Bob"));
    world.turn(&jobs[2], by("Cem", &jobs[2]));
    assert_eq!(author(&mut world).as_deref(), Some("Cem"));
    world.turn(&jobs[1], by("Dee", &jobs[1]));
    for _ in 0..2 {
        assert_eq!(author(&mut world).as_deref(), Some("Dee"));
    }
    // One that nobody knows who made is not Dee's.
    assert!(world.edit(vec![jobs[0].clone()]));
    assert_eq!(author(&mut world), None);
    // A great many new jobs come without editions.
    let mut world = World::with(Vec::new());
    let mark = world.seen(jobs[0].name());
    world.apply(Change {
        at: world.now,
        added: vec![(jobs[0].clone(), mark)],
        author: Some("Eve".into()),
        ..Change::default()
    });
    world.jobs = vec![jobs[0].clone()];
    assert_eq!(author(&mut world).as_deref(), Some("Eve"));
}

#[test]
fn what_a_change_settles_runs_with_the_revision_of_that_change() {
    let jobs = [60, 61].map(edition_of);
    let mut world = World::with(vec![jobs[0].clone()]);
    let last = |world: &World| {
        let run = world.rows.values().max_by_key(|run| run.scheduled_at);
        let run = run.unwrap();
        let revision = run.revision.as_deref().unwrap_or_default().to_owned();
        (run.definition.unwrap(), revision)
    };
    world.revision = Some("v1".into());
    world.crash(10);
    let ids = jobs.each_ref().map(|job| fingerprint(&job.definition));
    assert_eq!(last(&world), (ids[0], "v1".to_owned()), "caught up");
    world.finish(0, Ended::Success);
    // It is due, and the edit comes first.
    world.now += Duration::from_secs(10);
    world.revision = Some("v2".into());
    world.turn(&jobs[1], edition(&jobs[1], "1m", "61s"));
    assert_eq!(last(&world), (ids[1], "v2".to_owned()));
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
