//! Who is told, in the transaction of the row that it is about.

use std::collections::HashMap;

use super::*;
use crate::ids::SageName;
use crate::model::{Audience, Outcome, Sage, SageEvent, Sages};

/// Sage `s` hears of every kind of trouble and of its end.
pub(super) fn audience() -> Arc<Audience> {
    let s = || vec![SageName::new("s").unwrap()];
    Arc::new(Audience {
        success: Vec::new(),
        failure: s(),
        missed: s(),
        recovery: s(),
        stale: s(),
    })
}

pub(super) fn sages(after: u32, remind: Duration) -> Arc<Sages> {
    let name = SageName::new("s").unwrap();
    let action = job("x", every(1), |_| {}).definition.action.clone();
    let sage = Sage {
        name: name.clone(),
        action,
        context: Arc::default(),
        policy: Arc::new(Policy::built_in(Sage::TIMEOUT)),
        after,
        remind,
        events: Vec::new(),
    };
    Arc::new([(name, Arc::new(sage))].into())
}

impl World {
    /// Every failure is told once, and every fire that was missed, where a sage wants to hear of each.
    pub(super) fn check_letters(&self) {
        if self.tells.is_empty() {
            return;
        }
        let mut told: HashMap<(String, SageEvent), u64> = HashMap::new();
        for letter in self.letters.values() {
            let body: serde_json::Value = serde_json::from_str(&letter.body).unwrap();
            let Some(run) = body["run_id"].as_str().map(str::to_owned) else {
                continue;
            };
            *told.entry((run, letter.event)).or_default() += body["count"].as_u64().unwrap();
        }
        for row in self.rows.values() {
            let told = |event| told.get(&(row.id.to_string(), event)).copied().unwrap_or(0);
            let wants = self.tells.contains(&row.job);
            let event = match row.outcome {
                Some(Outcome::Failed | Outcome::TimedOut) => SageEvent::Failure,
                Some(Outcome::Missed) if row.reason != Some(Reason::Coalesced) => SageEvent::Missed,
                _ => continue,
            };
            // What a start finds open and of a job that is gone is closed by nobody's definition.
            let by_nobody = row.reason == Some(Reason::Removed) && told(event) == 0;
            let want = if wants && !by_nobody { row.count } else { 0 };
            assert_eq!(told(event), want, "told of {row:?}");
        }
    }
}

fn told(policy: &mut Policy) {
    policy.audience = Some(audience());
}

fn world(remind: u64) -> World {
    let mut world = World::new(Settings {
        max_workers: 4,
        max_requests: 4,
    });
    world.sages = sages(1, Duration::from_secs(remind));
    world.tells.insert(JobName::new("a").unwrap());
    world
}

fn heard(world: &World) -> Vec<(SageEvent, u64)> {
    let mut letters: Vec<_> = world.letters.values().collect();
    letters.sort_by_key(|letter| (letter.at, letter.id));
    let count = |text: &str| {
        let body: serde_json::Value = serde_json::from_str(text).unwrap();
        body["count"].as_u64().unwrap()
    };
    letters
        .iter()
        .map(|it| (it.event, count(&it.body)))
        .collect()
}

use SageEvent::{Failure, Missed, Recovery};

#[test]
fn a_failure_and_its_end_are_told_also_when_elder_dies_between() {
    let mut world = world(0);
    world.first(vec![job("a", every(10), told)]);
    world.pass(10);
    world.finish(0, Ended::Failed(Reason::Exit));
    assert_eq!(heard(&world), [(Failure, 1)]);
    world.crash(0);
    world.pass(10);
    world.finish(0, Ended::Success);
    assert_eq!(heard(&world), [(Failure, 1), (Recovery, 1)]);
    assert!(world.said.is_empty(), "nothing is left to remember");
    world.check_rest();
}

#[test]
fn what_was_told_is_remembered_over_a_restart() {
    let mut world = world(3600);
    world.first(vec![job("a", every(10), told)]);
    world.tells.clear();
    for _ in 0..3 {
        world.pass(10);
        world.finish(0, Ended::Failed(Reason::Exit));
        world.crash(0);
    }
    assert_eq!(
        heard(&world),
        [(Failure, 1)],
        "not told anew by each process"
    );
    world.pass(10);
    world.finish(0, Ended::Success);
    assert_eq!(heard(&world), [(Failure, 1), (Recovery, 3)]);
}

#[test]
fn a_run_that_was_cut_off_is_told_as_a_failure() {
    let mut world = world(0);
    world.first(vec![job("a", every(10), told)]);
    world.pass(10);
    world.crash(1);
    assert_eq!(world.told(), ["a 10: interrupted (interrupted)"]);
    assert_eq!(heard(&world), [(Failure, 1)]);
}

#[test]
fn fires_that_were_missed_are_told_with_their_number_and_what_was_coalesced_is_not() {
    let mut world = world(0);
    world.first(vec![job("a", every(10), told)]);
    world.pass(5);
    world.crash(600);
    world.finish(0, Ended::Success);
    assert_eq!(
        world.told(),
        [
            "a 10: missed (downtime) ×54",
            "a 550: missed (coalesced) ×5",
            "a 600: success"
        ]
    );
    assert_eq!(heard(&world), [(Missed, 54), (Recovery, 1)]);
    world.check_rest();
}

#[test]
fn an_end_and_its_letters_are_never_in_two_transactions() {
    // More ends at one moment than fit a batch.
    let names: Vec<String> = (0..200).map(|n| format!("a-{n}")).collect();
    let mut world = World::new(Settings {
        max_workers: 1000,
        max_requests: 4,
    });
    world.sages = sages(1, Duration::ZERO);
    let jobs = names.iter().map(|name| job(name, every(1000), told));
    world.first(jobs.collect());
    world.pass(1000);
    world.is_slow = true;
    for id in std::mem::take(&mut world.running) {
        let end = world::end(Ended::Failed(Reason::Exit));
        world.feed(Input::Ended { run: id, end });
    }
    let failed = |world: &World| {
        let rows = world.rows.values();
        rows.filter(|row| row.outcome == Some(Outcome::Failed))
            .count()
    };
    let mut commits = 0;
    while world.commit_next() {
        assert_eq!(world.letters.len(), failed(&world));
        commits += 1;
    }
    assert_eq!((failed(&world), commits > 1), (200, true));
}

#[test]
fn a_store_that_comes_and_goes_loses_and_doubles_no_letter() {
    let mut world = world(0);
    world.first(vec![job("a", every(100), |p| {
        told(p);
        p.grace = Grace::Fixed(Duration::from_secs(1));
    })]);
    world.pass(100);
    world.is_store_up = false;
    world.finish(0, Ended::Failed(Reason::Exit));
    assert!(heard(&world).is_empty());
    world.pass(250);
    world.store_back();
    world.pass(10);
    assert_eq!(heard(&world), [(Failure, 1), (Missed, 2)]);
    world.check_rest();
}

#[test]
fn a_job_without_sages_writes_nothing_more() {
    let mut world = World::with(vec![job("a", every(10), |_| {})]);
    world.is_slow = true;
    world.pass(10);
    world.pump();
    let id = world.running.remove(0);
    let end = world::end(Ended::Failed(Reason::Exit));
    let effects = world
        .state
        .on(Input::Ended { run: id, end }, world::at(world.now));
    let [Effect::Commit { writes, .. }] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert!(matches!(writes.as_slice(), [Write::Update { .. }]));
}

#[test]
fn a_success_that_is_overdue_is_told_also_when_the_store_is_away_then() {
    for is_store_up in [true, false] {
        let mut world = world(3600);
        world.tells.clear();
        world.first(vec![job("a", every(100), |p| {
            told(p);
            p.success_within = Some(Duration::from_secs(50));
        })]);
        world.pass(100);
        world.is_store_up = is_store_up;
        world.pass(60);
        world.store_back();
        world.pass(1);
        assert_eq!(heard(&world), [(SageEvent::Stale, 1)], "{is_store_up}");
        let letter = world.letters.values().next().unwrap();
        let body: serde_json::Value = serde_json::from_str(&letter.body).unwrap();
        assert!(body["run_id"].is_null());
        assert!(
            body["detail"].as_str().unwrap().contains("expected by"),
            "{body}"
        );
        world.finish(0, Ended::Success);
        assert_eq!(heard(&world).len(), 2, "it is over");
        world.check_rest();
    }
}
