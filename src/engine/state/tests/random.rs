//! Random scripts: whatever happens in whatever order, the promises hold.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Duration;

use super::World;
use super::telling::{audience, sages};
use crate::engine::state::testing::{every, job, pool, request};
use crate::engine::state::*;
use crate::model::{AfterCrash, Definition, Ended, Grace, Overlap, Policy};
use crate::schedule::{Item, Modifiers, Schedule, Seed};

/// One thing that happens; jobs are named by number.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Pass(i64),
    Finish(usize, Ending),
    /// Dies after so many further batches were recorded.
    Crash(usize, i64),
    StoreDown,
    StoreBack,
    /// Some are asked for twice, and some of these while the first is on its way.
    Trigger(usize, bool),
    Jump(u64),
    Reschedule(usize, u64),
    Change(usize),
    Move(usize),
    Toggle(usize),
    Remove(usize),
    Add(usize, u64),
    Hold(usize),
    /// Some that is not over, wherever it stands.
    Cancel(usize),
    /// For so long, or without an end.
    Pause(usize, Option<i64>),
    Resume(usize),
    Limit(usize, u32),
    Drop(usize),
    /// The clock is set back.
    Back(u64),
    /// A job, or a name's past, goes on under another name.
    Rename(usize, usize),
    /// A file no longer says how its job was called before.
    Forget(usize),
    /// A stop that waits so long, after so many further batches; another process begins later.
    Stop(i64, usize, i64),
    Repool(usize, usize),
    Commit,
    Deliver,
    Pump,
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// As it was told to, if it was.
    Well,
    Badly,
    Late,
}

/// SplitMix64: a script follows from its seed, on any machine.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `low..high`.
    fn of(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }

    fn seconds(&mut self, low: u64, high: u64) -> i64 {
        self.of(low, high).cast_signed()
    }

    fn index(&mut self, below: usize) -> usize {
        usize::try_from(self.next()).unwrap() % below
    }

    fn ending(&mut self) -> Ending {
        match self.of(0, 12) {
            0..6 => Ending::Well,
            6..11 => Ending::Badly,
            _ => Ending::Late,
        }
    }

    pub(super) fn step(&mut self) -> Step {
        let which = self.index(NAMES);
        match self.of(0, 71) {
            // Now and then so long that a name that is gone becomes another job.
            0..12 if self.of(0, 300) == 0 => Step::Pass(self.seconds(600, 2000)),
            0..12 => Step::Pass(self.seconds(1, 12)),
            12..24 => Step::Finish(self.index(8), self.ending()),
            24..26 => Step::Crash(self.index(4), self.seconds(0, 400)),
            26..28 => Step::StoreDown,
            28..32 => Step::StoreBack,
            32..35 => Step::Trigger(which, self.of(0, 6) < 3),
            35 => Step::Jump(self.of(2, 300)),
            36..38 => Step::Reschedule(which, self.of(5, 60)),
            38 => Step::Change(which),
            39 => Step::Move(which),
            40..42 => Step::Toggle(which),
            42 => Step::Remove(which),
            43..45 => Step::Add(which, self.of(5, 60)),
            45 => Step::Hold(which),
            46..50 => Step::Commit,
            50..54 => Step::Deliver,
            54..57 => Step::Limit(
                self.index(POOLS.len()),
                1 + u32::try_from(self.index(4)).unwrap(),
            ),
            57 => Step::Drop(self.index(POOLS.len())),
            58 => Step::Repool(which, self.index(POOLS.len() + 1)),
            59..61 => Step::Cancel(self.index(8)),
            61 => Step::Pause(which, None),
            62 => Step::Pause(which, Some(self.seconds(1, 200))),
            63 => Step::Resume(which),
            64 => Step::Back(self.of(1, 300)),
            65..67 => Step::Rename(self.index(NAMES), self.index(NAMES)),
            67 if self.of(0, 3) == 0 => {
                Step::Stop(self.seconds(1, 40), self.index(4), self.seconds(0, 100))
            }
            68 => Step::Forget(which),
            _ => Step::Pump,
        }
    }
}

/// Name, period, policy.
type Sample = (&'static str, u64, fn(&mut Policy));

const POOLS: [&str; 2] = ["x", "y"];

/// In the files, a job brings the limit that its pool has there; what a change says of the pool counts.
fn in_pool(policy: &mut Policy, which: usize) {
    policy.pool = POOLS.get(which).map(|name| pool(name, 2));
}

const JOBS: [Sample; 15] = [
    ("a", 7, |p| p.success_within = Some(Duration::from_secs(20))),
    ("b", 7, |p| {
        p.retry.max = 3;
        in_pool(p, 0);
    }),
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
        in_pool(p, 1);
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
        in_pool(p, 0);
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
        in_pool(p, 1);
        p.max_instances = 3;
        p.coalesce = false;
        p.after_crash = AfterCrash::Rerun;
        p.grace = Grace::Fixed(Duration::from_secs(60));
    }),
    ("jitter-queue", 40, |p| {
        p.overlap = Overlap::Queue;
        p.retry.max = 1;
    }),
    ("j", 10, |p| {
        in_pool(p, 0);
        p.max_instances = 3;
        p.retry.max = 2;
    }),
    ("http", 12, |p| {
        in_pool(p, 0);
        p.grace = Grace::Fixed(Duration::from_secs(40));
        p.max_instances = 2;
    }),
    ("http-all", 15, |p| {
        p.coalesce = false;
        p.overlap = Overlap::Queue;
        p.grace = Grace::Fixed(Duration::from_secs(60));
    }),
];

fn sample(which: usize, period: u64) -> Job {
    let (name, _, policy) = JOBS[which];
    let told = |p: &mut Policy| {
        policy(p);
        p.audience = tells(which).then(audience);
    };
    let made = job(name, schedule(which, period), told);
    if name.starts_with("http") {
        request(made)
    } else {
        made
    }
}

/// Names, also such as a job only takes later.
const NAMES: usize = JOBS.len() + LATER.len();
const LATER: [&str; 5] = ["k", "l", "m", "n", "o"];

fn name_of(which: usize) -> &'static str {
    match JOBS.get(which) {
        Some((name, ..)) => name,
        None => LATER[which - JOBS.len()],
    }
}

/// Of these a sage hears.
fn tells(which: usize) -> bool {
    which.is_multiple_of(4)
}

/// Some are due later than scheduled, by up to half the way to the next.
fn schedule(which: usize, period: u64) -> Arc<Schedule> {
    let name = name_of(which);
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
    /// Begins with all samples and their pools.
    pub(super) fn first_with_samples(&mut self) {
        self.pools = vec![pool("x", 2), pool("y", 1)];
        let jobs = (0..JOBS.len()).map(|which| sample(which, JOBS[which].1));
        self.first(jobs.collect());
    }

    /// The files with another word on one job; `None` takes it out.
    fn edit_one(&mut self, which: usize, edit: impl FnOnce(Option<Job>) -> Option<Job>) {
        let name = name_of(which);
        let mut jobs = self.jobs.clone();
        let found = jobs.iter().position(|job| job.name().as_str() == name);
        let old = found.map(|found| jobs.remove(found));
        jobs.extend(edit(old));
        self.edit(jobs);
    }

    /// The files with another word on one pool; jobs that use one that is gone go on by the limit that they have.
    fn edit_pools(&mut self, which: usize, limit: Option<u32>) {
        let before = self.pools.clone();
        self.pools.retain(|pool| pool.name.as_str() != POOLS[which]);
        self.pools
            .extend(limit.map(|limit| pool(POOLS[which], limit)));
        if !self.edit(self.jobs.clone()) {
            self.pools = before;
        }
    }

    /// Whether a job may begin under this name: where a job that has another one now was called so, its
    /// rows are known by instants of times that a clock which was set back shows again.
    fn is_new_time(&self, which: usize) -> bool {
        let name = JobName::new(name_of(which)).unwrap();
        // Until the store has heard of a rename the mark is under the name of before.
        let is_known = self.marks.contains_key(&name) && !self.is_unrecorded;
        self.now >= self.latest || is_known
    }

    /// Names are given to those that have the same sages, of which one is there: it goes on under a name that may
    /// have a past, or a past joins it.
    fn rename_one(&mut self, from: usize, to: usize) {
        let is_there = |which| {
            let mut jobs = self.jobs.iter();
            jobs.any(|job| job.name().as_str() == name_of(which))
        };
        let is_new = self.now >= self.latest;
        if tells(from) == tells(to) && is_there(from) != is_there(to) && is_new {
            let jobs = self.renamed(name_of(from), name_of(to));
            self.edit(jobs);
        }
    }

    fn is_told_to_end(&self, run: RunId) -> bool {
        self.ends.iter().any(|(ended, _)| *ended == run)
    }

    /// A stop from outside, as the daemon does it, and the next start.
    fn stop_and_start(&mut self, wait: i64, recorded: usize, down: i64) {
        self.feed(Input::Stop(
            self.now + Duration::from_secs(wait.unsigned_abs()),
        ));
        self.pass(wait / 2);
        if !self.running.is_empty() {
            self.finish(0, Ended::Success);
        }
        self.pass(wait - wait / 2);
        while let Some(run) = self.running.first().copied() {
            assert!(self.is_told_to_end(run), "it is not told to end");
            self.finish(0, Ended::Stopped);
        }
        for _ in 0..recorded {
            self.commit_next();
        }
        if recorded > 2 {
            self.pump();
            assert!(self.state.is_drained());
        }
        self.crash(down);
    }

    pub(super) fn step(&mut self, index: usize, step: Step) {
        match step {
            Step::Pass(seconds) => self.pass(seconds),
            Step::Finish(i, ending) if !self.running.is_empty() => {
                let run = self.running[i % self.running.len()];
                let ended = match ending {
                    Ending::Well if self.is_told_to_end(run) => Ended::Stopped,
                    Ending::Well => Ended::Success,
                    Ending::Badly => Ended::Failed(Reason::Exit),
                    Ending::Late => Ended::TimedOut,
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
            Step::Trigger(which, is_new) => {
                let request = if is_new { index } else { index / 4 };
                self.ask(name_of(which), &format!("r{request}"));
            }
            Step::Jump(seconds) => self.set_clock(seconds.cast_signed()),
            Step::Back(seconds) => self.set_clock(-seconds.cast_signed()),
            Step::Rename(from, to) => self.rename_one(from, to),
            Step::Forget(which) => self.edit_one(which, |old| {
                old.map(|mut job| {
                    Arc::make_mut(&mut job.definition).aliases = [].into();
                    job
                })
            }),
            Step::Stop(wait, recorded, down) if self.is_store_up => {
                self.stop_and_start(wait, recorded, down);
            }
            Step::Stop(..) => {}
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
            Step::Add(which, period) if which < JOBS.len() && self.is_new_time(which) => {
                self.edit_one(which, |old| old.or_else(|| Some(sample(which, period))));
            }
            Step::Add(..) => {}
            Step::Hold(which) => {
                let held = vec![JobName::new(name_of(which)).unwrap()];
                let at = self.now;
                let pools = self.pools.clone();
                self.apply(Change {
                    at,
                    held,
                    pools,
                    ..Change::default()
                });
            }
            Step::Cancel(i) => {
                let mut runs: Vec<_> = self.state.runs.keys().copied().collect();
                runs.sort_unstable();
                if !runs.is_empty() {
                    self.feed(Input::Cancel(runs[i % runs.len()]));
                }
            }
            Step::Pause(which, length) => self.pause(name_of(which), length),
            Step::Resume(which) => self.resume(name_of(which)),
            Step::Limit(which, limit) => self.edit_pools(which, Some(limit)),
            Step::Drop(which) => self.edit_pools(which, None),
            Step::Repool(which, into) => self.edit_one(which, |old| {
                old.map(|mut job| {
                    let definition = Arc::make_mut(&mut job.definition);
                    in_pool(Arc::make_mut(&mut definition.policy), into);
                    job
                })
            }),
            Step::Commit => drop(self.commit_next()),
            Step::Deliver => drop(self.deliver_next()),
            Step::Pump => self.pump(),
        }
    }
}

/// So many steps together, in scripts of so many at most.
const STEPS: usize = 1_000_000;
const LONGEST: usize = 500;

/// What happens, to whom.
#[derive(Clone, Debug)]
struct Script {
    steps: Vec<Step>,
    workers: u32,
    is_slow: bool,
    /// How seldom sages hear of the same trouble.
    remind: u64,
}

impl Script {
    fn of(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let length = 1 + dice.index(LONGEST);
        Self {
            workers: u32::try_from(dice.of(1, 6)).unwrap(),
            is_slow: dice.of(0, 2) == 0,
            remind: 40 * dice.of(0, 2),
            steps: (0..length).map(|_| dice.step()).collect(),
        }
    }

    /// P1, P3, P4, P5, P7: whatever happens, every fire that was due by the schedule in force is in
    /// exactly one row or under way, no other is, no attempt starts twice, no more run at once than
    /// may (of a job, of a pool, of processes and of requests), whoever waits is served in order and as
    /// soon as there is a place, and when all is over nothing is left behind.
    fn play(&self) {
        let mut world = World::new(Settings {
            max_workers: self.workers,
            max_requests: 2,
        });
        world.sages = sages(1, Duration::from_secs(self.remind));
        let told = (0..NAMES).filter(|which| tells(*which));
        let told = told.map(|which| JobName::new(name_of(which)).unwrap());
        world.tells = told.collect();
        world.first_with_samples();
        world.is_slow = self.is_slow;
        for (index, step) in self.steps.iter().enumerate() {
            let is_pumped = matches!(step, Step::Pump);
            world.step(index, step.clone());
            if !self.is_slow || is_pumped {
                world.check();
            }
        }
        world.is_slow = false;
        world.check_rest();
    }

    fn fails(&self) -> bool {
        catch_unwind(|| self.play()).is_err()
    }

    /// The same without the steps that the failure does not need.
    fn smallest(mut self) -> Self {
        let mut part = self.steps.len();
        while part > 0 {
            let mut from = 0;
            while from < self.steps.len() {
                let mut less = self.clone();
                let until = self.steps.len().min(from + part);
                less.steps.drain(from..until);
                if less.fails() {
                    self = less;
                } else {
                    from += part;
                }
            }
            part /= 2;
        }
        self
    }
}

/// A number that the environment sets.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is told by the environment"
)]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// `ELDER_SEED`, to repeat what failed.
pub(super) fn asked_seed() -> Option<u64> {
    asked("ELDER_SEED")
}

#[test]
fn a_million_random_steps_lose_double_and_invent_nothing() {
    // By `make test` a commit's own: other dice for each, and the same each time for one.
    let seed = asked_seed().or_else(|| asked("ELDER_COMMIT_SEED"));
    let mut seed = seed.unwrap_or_else(|| RandomState::new().hash_one("a seed"));
    let most = asked("ELDER_STEPS").map_or(STEPS, |steps| usize::try_from(steps).unwrap());
    let mut steps = 0;
    while steps < most {
        let script = Script::of(seed);
        steps += script.steps.len();
        if script.fails() {
            eprintln!("again: ELDER_SEED={seed} cargo test --lib a_million_random_steps");
            // Quietly, but for the last time.
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(|_| {}));
            let smallest = script.smallest();
            std::panic::set_hook(hook);
            eprintln!("{smallest:?}");
            smallest.play();
        }
        seed = seed.wrapping_add(1);
    }
}
