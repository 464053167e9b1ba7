//! Jobs that take another name: nothing lost, nothing doubled, and what runs counts on.

use super::super::testing::{every, job};
use super::super::*;
use super::world::World;
use crate::engine::handle::Renamed;
use crate::model::{Ended, Overlap};

impl World {
    /// The store gives what was under one name another one.
    pub(super) fn move_rows(&mut self, from: &JobName, to: &JobName) {
        if let Some(mark) = self.marks.remove(from) {
            self.marks.insert(to.clone(), mark);
        }
        self.pauses.remove(to);
        if let Some(pause) = self.pauses.remove(from) {
            self.pauses.insert(to.clone(), pause);
        }
        for row in self.rows.values_mut().filter(|row| row.job == *from) {
            row.job = to.clone();
        }
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let name = |text: &str| JobName::new(text).unwrap();
        self.apply(Change {
            at: self.now,
            renamed: Some(Renamed {
                moves: vec![(name(from), name(to))],
                files: Vec::new(),
            }),
            ..Change::default()
        });
        assert!(matches!(self.applied(), Some(Ok(_))));
    }
}

#[test]
fn a_job_goes_on_under_its_new_name_with_all_that_was_and_runs() {
    let mut world = World::with(vec![job("old", every(10), |p| p.overlap = Overlap::Queue)]);
    world.pass(25);
    assert_eq!(world.told(), ["old 10: running"]);
    world.rename("old", "new");
    assert_eq!(world.told(), ["new 10: running"]);
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
    world.rename("old", "new");
    // The store has the row under the new name, and the file brings the job a moment later.
    let mark = world.marks[&JobName::new("new").unwrap()].clone();
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
