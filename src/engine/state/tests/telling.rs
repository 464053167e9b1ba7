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
        if self.sages.values().any(|sage| !sage.remind.is_zero()) {
            return self.check_reminders();
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
            let Some(event) = event_of(row) else { continue };
            // What a start finds open and of a job that is gone is closed by nobody's definition.
            let by_nobody = self.closed_by_nobody.contains(&row.id) && told(event) == 0;
            let want = if wants && !by_nobody { row.count } else { 0 };
            assert_eq!(told(event), want, "told of {row:?}");
        }
    }

    /// The same where not each is told at once: of each kind something, and never more than there was.
    fn check_reminders(&self) {
        let mut told: HashMap<(&JobName, SageEvent), u64> = HashMap::new();
        for letter in self.letters.values() {
            let body: serde_json::Value = serde_json::from_str(&letter.body).unwrap();
            let run = body["run_id"].as_str().and_then(RunId::parse);
            if let Some(row) = run.and_then(|id| self.rows.get(&id)) {
                let count = body["count"].as_u64().unwrap();
                *told.entry((&row.job, letter.event)).or_default() += count;
            }
        }
        let mut happened: HashMap<(&JobName, SageEvent), u64> = HashMap::new();
        for row in self
            .rows
            .values()
            .filter(|row| self.tells.contains(&row.job))
        {
            let by_nobody = self.closed_by_nobody.contains(&row.id);
            if let Some(event) = event_of(row).filter(|_| !by_nobody) {
                *happened.entry((&row.job, event)).or_default() += row.count;
            }
        }
        for (kind, happened) in happened {
            let told = told.get(&kind).copied().unwrap_or(0);
            assert!(told <= happened, "{kind:?}: {told} of {happened} told");
            assert!(told > 0, "nothing of {kind:?}");
        }
    }
}

/// What a sage hears of a row, if anything.
fn event_of(row: &Run) -> Option<SageEvent> {
    match row.outcome? {
        Outcome::Failed | Outcome::TimedOut | Outcome::Interrupted => Some(SageEvent::Failure),
        Outcome::Missed if row.reason != Some(Reason::Coalesced) => Some(SageEvent::Missed),
        _ => None,
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
fn failures_in_a_row_end_with_a_success_that_nobody_is_told_of() {
    let mut world = world(0);
    world.sages = sages(3, Duration::ZERO);
    world.tells.clear();
    world.first(vec![job("a", every(10), told)]);
    for _ in 0..2 {
        world.pass(10);
        world.finish(0, Ended::Failed(Reason::Exit));
    }
    assert!(world.edit(vec![job("a", every(10), |_| {})]));
    world.pass(10);
    world.finish(0, Ended::Success);
    assert!(world.said.is_empty(), "nothing is left to remember");
    assert!(world.edit(vec![job("a", every(10), told)]));
    world.pass(10);
    world.finish(0, Ended::Failed(Reason::Exit));
    assert_eq!(heard(&world), [], "one is not three");
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

#[test]
fn the_end_of_a_run_is_remembered_under_the_name_that_its_job_has_then() {
    let heard_of = |before: Ended, after: Ended| {
        let mut world = world(3600);
        world.tells.clear();
        world.first(vec![job("old", every(10), |p| {
            told(p);
            p.max_instances = 2;
        })]);
        world.pass(20);
        world.finish(0, before);
        world.rename("old", "new");
        world.pass(1);
        world.finish(0, after);
        let subjects: Vec<_> = world.said.keys().cloned().collect();
        world.crash(0);
        world.pass(10);
        world.finish(0, Ended::Success);
        (subjects, heard(&world))
    };
    let failed = || Ended::Failed(Reason::Exit);
    let (said, heard) = heard_of(Ended::Success, failed());
    assert_eq!(said, ["job/new"]);
    assert_eq!(heard, [(Failure, 1), (Recovery, 1)]);
    let (said, heard) = heard_of(failed(), Ended::Success);
    assert_eq!(said, [""; 0], "it is over");
    assert_eq!(heard, [(Failure, 1), (Recovery, 1)], "and over once");
}

#[test]
fn a_name_that_is_taken_over_brings_no_trouble_of_its_own() {
    let trouble = |world: &mut World, name: &str| {
        let index = world.running_of(name).unwrap();
        world.finish(index, Ended::Failed(Reason::Exit));
    };
    let mut world = world(0);
    world.tells.clear();
    world.first(
        ["a", "b", "c"]
            .map(|name| job(name, every(10), told))
            .to_vec(),
    );
    world.pass(10);
    trouble(&mut world, "b");
    trouble(&mut world, "c");
    let left = vec![world.jobs[0].clone()];
    assert!(world.edit(left));
    // b is over, and a takes its name; then a past that had trouble joins it.
    world.rename("a", "b");
    world.rename("c", "b");
    assert!(world.said.is_empty(), "{:?}", world.said);
    let before = heard(&world).len();
    world.finish(0, Ended::Success);
    assert_eq!(heard(&world).len(), before, "nothing is over");
    assert!(world.state.troubles.is_empty());
}

#[test]
fn as_many_troubles_of_jobs_that_are_gone_as_are_remembered_change_nothing_about_those() {
    let mut world = world(0);
    let name = |n: i32| JobName::new(&format!("gone-{n}")).unwrap();
    let trouble = |failures| Trouble {
        failures,
        told: Vec::new(),
    };
    for n in 0..10_001 {
        world.state.keep_trouble(&name(n), Some(trouble(1)));
    }
    world.state.keep_trouble(&name(0), Some(trouble(2)));
    assert_eq!(world.state.troubles.len(), 10_000);
    assert_eq!(world.state.troubles.get(&name(0)), Some(&trouble(2)));
}

#[test]
fn what_was_held_back_behind_a_letter_that_is_taken_back_is_told() {
    let mut world = World::new(Settings {
        max_workers: 1,
        max_requests: 1,
    });
    world.sages = sages(1, Duration::from_secs(3_600));
    let once = Arc::new(Schedule::new(vec![Item::At(vec![second(5)])]));
    let late = |p: &mut Policy| {
        told(p);
        p.grace = Grace::Fixed(Duration::from_secs(15));
    };
    world.first(vec![job("first", once, |_| {}), job("a", every(10), late)]);
    world.pass(10);
    // The fire of 10 waits for the place, with a row.
    let mut edited = world.jobs.clone();
    edited[1].origin.line += 1;
    assert!(world.edit(edited));
    world.is_slow = true;
    world.set_clock(100);
    assert_eq!(world.told(), ["first 5: running", "a 10: queued"]);
    // The store refuses that 20 to 110 were missed, and 10 after them; and then these are yet to come.
    world.is_store_up = false;
    world.pump();
    world.set_clock(-100);
    world.store_back();
    world.is_slow = false;
    world.pump();
    assert_eq!(world.told()[1], "a 10: missed (pool)");
    assert_eq!(heard(&world), [(Missed, 1)]);
}
