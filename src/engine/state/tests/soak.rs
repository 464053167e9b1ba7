//! Simulated days of everything that may happen: what the state holds does not grow with them.

use super::World;
use super::random::{Dice, asked_seed};
use crate::engine::state::*;
use crate::model::RunState;

const DAYS: i64 = 7;

/// What the state holds in all, with twelve jobs: more than any hour of a run comes to.
const MOST: usize = 1_500;

impl State {
    /// How many entries all that can grow has.
    fn size(&self) -> usize {
        let jobs = self.jobs.iter().flatten();
        let active = jobs.filter_map(|job| job.past.as_deref());
        let active: usize = active.map(|past| past.active.len()).sum();
        let orphans: usize = self.orphans.values().map(Vec::len).sum();
        let sizes = [
            self.jobs.len() + self.free.len() + self.names.len() + self.held.len(),
            self.timetable.size(),
            self.runs.len() + active + orphans + self.orphans.len(),
            self.timers.len() + self.effects.len() + self.troubles.len(),
            self.commits.size(),
            self.places.size() + self.freshness.size() + self.pauses.size(),
            self.recalled.len() + self.remains.len(),
            self.undecided.len() + self.incoming.len(),
        ];
        sizes.iter().sum()
    }
}

impl World {
    /// As the housekeeping does it: rows that ended more than an hour ago go.
    fn prune(&mut self) {
        let before = self.now - Duration::from_secs(3_600);
        self.rows
            .retain(|_, run| run.state != RunState::Done || run.finished_at >= Some(before));
        self.forget_keys();
    }
}

#[test]
fn simulated_days_of_everything_leave_nothing_behind() {
    let seed = asked_seed().unwrap_or(1);
    let mut dice = Dice(seed);
    let mut world = World::new(Settings {
        max_workers: 3,
        max_requests: 2,
    });
    world.first_with_samples();
    let (mut index, mut largest) = (0, 0);
    let begin = world.now;
    while world.now.duration_since(begin).as_hours() < DAYS * 24 {
        world.step(index, dice.step());
        world.check();
        index += 1;
        if index.is_multiple_of(100) {
            world.prune();
            largest = largest.max(world.state.size());
            assert!(
                largest < MOST && world.rows.len() < 40_000,
                "after {}: {largest} entries, {} rows; again: ELDER_SEED={seed} cargo test --lib simulated_days",
                world.now.duration_since(begin),
                world.rows.len()
            );
        }
    }
    world.check_rest();
    println!("{DAYS} days, {index} steps: never more than {largest} entries");
}
