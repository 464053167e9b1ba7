//! Random scripts: whatever happens in whatever order, the promises hold.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::World;
use super::telling::{audience, sages};
use crate::engine::state::testing::{every, job};
use crate::engine::state::*;
use crate::model::{AfterCrash, Definition, Ended, Grace, Overlap, Policy};
use crate::schedule::{Item, Modifiers, Schedule, Seed};

/// One thing that happens; jobs are named by number.
#[derive(Clone, Debug)]
enum Step {
    Pass(i64),
    Finish(usize, bool),
    /// Dies after so many further batches were recorded.
    Crash(usize, i64),
    StoreDown,
    StoreBack,
    Trigger(usize, u8),
    Jump(u64),
    Reschedule(usize, u64),
    Change(usize),
    Move(usize),
    Toggle(usize),
    Remove(usize),
    Add(usize, u64),
    Hold(usize),
    Commit,
    Deliver,
    Pump,
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0..JOBS.len();
    prop_oneof![
        12 => (1i64..40).prop_map(Step::Pass),
        1 => (600i64..2000).prop_map(Step::Pass),
        12 => (0usize..8, any::<bool>()).prop_map(|(i, ok)| Step::Finish(i, ok)),
        2 => (0usize..4, 0i64..400).prop_map(|(n, down)| Step::Crash(n, down)),
        2 => Just(Step::StoreDown),
        4 => Just(Step::StoreBack),
        3 => (which.clone(), 0u8..6).prop_map(|(job, request)| Step::Trigger(job, request)),
        1 => (2u64..300).prop_map(Step::Jump),
        2 => (which.clone(), 5u64..60).prop_map(|(job, period)| Step::Reschedule(job, period)),
        1 => which.clone().prop_map(Step::Change),
        1 => which.clone().prop_map(Step::Move),
        2 => which.clone().prop_map(Step::Toggle),
        1 => which.clone().prop_map(Step::Remove),
        2 => (which.clone(), 5u64..60).prop_map(|(job, period)| Step::Add(job, period)),
        1 => which.prop_map(Step::Hold),
        4 => Just(Step::Commit),
        4 => Just(Step::Deliver),
        2 => Just(Step::Pump),
    ]
}

/// Name, period, policy.
type Sample = (&'static str, u64, fn(&mut Policy));

const JOBS: [Sample; 12] = [
    ("a", 7, |p| p.success_within = Some(Duration::from_secs(20))),
    ("b", 7, |p| p.retry.max = 3),
    ("c", 30, |p| {
        p.coalesce = false;
        p.grace = Grace::Fixed(Duration::from_secs(120));
        p.max_instances = 2;
    }),
    ("d", 100, |p| {
        p.grace = Grace::Fixed(Duration::ZERO);
        p.success_within = Some(Duration::from_secs(150));
    }),
    ("e", 11, |p| {
        p.coalesce = false;
        p.grace = Grace::Fixed(Duration::from_secs(60));
        p.max_instances = 5;
        p.retry.max = 1;
    }),
    ("f", 13, |p| {
        p.coalesce = false;
        p.grace = Grace::Fixed(Duration::from_secs(60));
    }),
    ("jitter", 50, |p| {
        p.success_within = Some(Duration::from_secs(1))
    }),
    ("jitter-all", 60, |p| {
        p.coalesce = false;
        p.grace = Grace::Fixed(Duration::from_secs(200));
        p.max_instances = 2;
    }),
    ("g", 9, |p| {
        p.overlap = Overlap::Queue;
        p.retry.max = 1;
        p.success_within = Some(Duration::from_secs(30));
        p.after_crash = AfterCrash::Rerun;
    }),
    ("h", 8, |p| {
        p.overlap = Overlap::Replace;
        p.retry.max = 2;
    }),
    ("i", 6, |p| {
        p.overlap = Overlap::Replace;
        p.max_instances = 3;
        p.coalesce = false;
        p.after_crash = AfterCrash::Rerun;
        p.grace = Grace::Fixed(Duration::from_secs(60));
    }),
    ("jitter-queue", 40, |p| {
        p.overlap = Overlap::Queue;
        p.retry.max = 1;
    }),
];

fn sample(which: usize, period: u64) -> Job {
    let (name, _, policy) = JOBS[which];
    let told = |p: &mut Policy| {
        policy(p);
        p.audience = tells(which).then(audience);
    };
    job(name, schedule(which, period), told)
}

/// Of these a sage hears.
fn tells(which: usize) -> bool {
    which % 3 != 2
}

/// Some are due later than scheduled, by up to half the way to the next.
fn schedule(which: usize, period: u64) -> Arc<Schedule> {
    let name = JOBS[which].0;
    if !name.starts_with("jitter") {
        return every(period);
    }
    // Periods of five, with a handful of delays: an edit often finds the instants of before.
    let period = period.next_multiple_of(5);
    let item = Item::every(Duration::from_secs(period)).unwrap();
    let modifiers = Modifiers {
        jitter: Some(Duration::from_secs(10 + period % 20)),
        ..Modifiers::default()
    };
    let item = item.modified(&modifiers, Seed::of(name)).unwrap();
    Arc::new(Schedule::new(vec![item]))
}

impl World {
    /// The files with another word on one job; `None` takes it out.
    fn edit_one(&mut self, which: usize, edit: impl FnOnce(Option<Job>) -> Option<Job>) {
        let name = JOBS[which].0;
        let mut jobs = self.jobs.clone();
        let found = jobs.iter().position(|job| job.name().as_str() == name);
        let old = found.map(|found| jobs.remove(found));
        jobs.extend(edit(old));
        self.edit(jobs);
    }

    fn step(&mut self, index: usize, step: Step) {
        match step {
            Step::Pass(seconds) => self.pass(seconds),
            Step::Finish(i, ok) if !self.running.is_empty() => {
                let run = self.running[i % self.running.len()];
                let is_told = self.ends.iter().any(|(ended, _)| *ended == run);
                let ended = if ok && is_told {
                    Ended::Stopped
                } else if ok {
                    Ended::Success
                } else {
                    Ended::Failed(Reason::Exit)
                };
                self.finish(i % self.running.len(), ended);
            }
            Step::Finish(..) => {}
            Step::Crash(recorded, down) if self.is_store_up => {
                for _ in 0..recorded {
                    self.commit_next();
                }
                self.crash(down);
            }
            Step::Crash(..) => {}
            Step::StoreDown => self.is_store_up = false,
            Step::StoreBack => self.store_back(),
            Step::Trigger(which, request) => {
                // Some requests come twice, and some of these while the first is on its way.
                let request = if request < 3 { index } else { index / 4 };
                self.ask(JOBS[which].0, &format!("r{request}"));
            }
            Step::Jump(seconds) => {
                let by = Duration::from_secs(seconds);
                self.now += by;
                let direction = Direction::Forward;
                self.feed(Input::ClockSet { by, direction });
            }
            Step::Reschedule(which, period) => {
                let edited = |old: Job| Job {
                    definition: Arc::new(Definition {
                        schedule: schedule(which, period),
                        ..(*old.definition).clone()
                    }),
                    ..old
                };
                self.edit_one(which, |old| old.map(edited));
            }
            Step::Change(which) => self.edit_one(which, |old| {
                old.map(|mut job| {
                    let words = format!("changed at {index}");
                    Arc::make_mut(&mut job.definition).schedule_text = words.into();
                    job
                })
            }),
            Step::Move(which) => self.edit_one(which, |old| {
                old.map(|mut job| {
                    job.origin.line += 1;
                    job
                })
            }),
            Step::Toggle(which) => self.edit_one(which, |old| {
                old.map(|mut job| {
                    let definition = Arc::make_mut(&mut job.definition);
                    definition.enabled = !definition.enabled;
                    job
                })
            }),
            Step::Remove(which) => self.edit_one(which, |_| None),
            Step::Add(which, period) => {
                self.edit_one(which, |old| old.or_else(|| Some(sample(which, period))));
            }
            Step::Hold(which) => {
                let held = vec![JobName::new(JOBS[which].0).unwrap()];
                let at = self.now;
                self.apply(Change {
                    at,
                    held,
                    ..Change::default()
                });
            }
            Step::Commit => drop(self.commit_next()),
            Step::Deliver => drop(self.deliver_next()),
            Step::Pump => self.pump(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// P1, P3, P4, P5, P7: whatever happens, every fire that was due by the schedule in force is in
    /// exactly one row or under way, no other is, no attempt starts twice, no more run at once than may,
    /// and when all is over nothing is left behind.
    #[test]
    fn random_scripts_lose_double_and_invent_nothing(
        steps in proptest::collection::vec(step(), 1..120),
        workers in 1u32..6,
        is_slow in any::<bool>(),
    ) {
        let mut world = World::new(Settings { max_workers: workers, max_requests: 2 });
        world.sages = sages(1, Duration::ZERO);
        let told = (0..JOBS.len()).filter(|which| tells(*which));
        world.tells = told.map(|which| JobName::new(JOBS[which].0).unwrap()).collect();
        world.first((0..JOBS.len()).map(|which| sample(which, JOBS[which].1)).collect());
        world.is_slow = is_slow;
        for (index, step) in steps.into_iter().enumerate() {
            let is_pumped = matches!(step, Step::Pump);
            world.step(index, step);
            if !is_slow || is_pumped {
                world.check();
            }
        }
        world.is_slow = false;
        world.check_rest();
    }
}
