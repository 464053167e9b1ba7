//! Who is told when, as tables.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::decide::FailingSince;
use crate::ids::{JobName, RunId};
use crate::model::{Action, Command, Definition, Letter, Output, Policy, Process, Text, Trigger};
use crate::schedule::{Item, Schedule};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn name(text: &str) -> SageName {
    SageName::new(text).unwrap()
}

fn action() -> Action {
    Action::Process(Box::new(Process {
        command: Command::Exec([Text::plain("true")].into()),
        stdin: None,
        success_exit_codes: [0].into(),
    }))
}

/// `S` speaks after so many failures and at most once in so many seconds.
fn sages(after: u32, remind: u64) -> Sages {
    let sage = Sage {
        name: name("S"),
        action: action(),
        context: Arc::default(),
        policy: Arc::new(Policy::built_in(Sage::TIMEOUT)),
        after,
        remind: Duration::from_secs(remind),
        events: Vec::new(),
    };
    [(name("S"), Arc::new(sage))].into()
}

fn everything() -> Audience {
    let all = || vec![name("S")];
    Audience {
        success: Vec::new(),
        failure: all(),
        missed: all(),
        recovery: all(),
        stale: all(),
    }
}

/// What happens at which second, and what `S` hears then.
type Script<'a> = &'a [(i64, Happened, &'a [(&'a str, u64)])];

fn play(audience: &Audience, sages: &Sages, script: Script<'_>) -> Option<Trouble> {
    let mut trouble = None;
    for (second, happened, want) in script {
        // As a restart between any two of them.
        let before: Option<Trouble> = trouble.map(|it: Trouble| Trouble::parse(&it.print()));
        let (calls, after) = tell(audience, sages, before.as_ref(), *happened, at(*second));
        let heard: Vec<_> = calls
            .iter()
            .map(|it| (it.event.as_str(), it.count))
            .collect();
        assert_eq!(heard, *want, "{happened:?} at {second}");
        trouble = after;
    }
    trouble
}

use Happened::{Failure, Missed, Stale, Success};

#[test]
fn trouble_is_told_at_most_once_in_a_time_with_what_was_held_back() {
    let left = play(
        &everything(),
        &sages(1, 100),
        &[
            (0, Success, &[]),
            (10, Failure, &[("failure", 1)]),
            (20, Failure, &[]),
            (30, Failure, &[]),
            (110, Failure, &[("failure", 3)]),
            (120, Failure, &[]),
            (130, Success, &[("recovery", 5)]),
            (140, Success, &[]),
            (150, Failure, &[("failure", 1)]),
        ],
    );
    assert_eq!(left.unwrap().failures, 1);
}

#[test]
fn a_sage_that_waits_for_several_failures_in_a_row_hears_of_no_shorter_trouble() {
    let left = play(
        &everything(),
        &sages(3, 100),
        &[
            (10, Failure, &[]),
            (20, Failure, &[]),
            (30, Success, &[]),
            (40, Failure, &[]),
            (50, Failure, &[]),
            (60, Failure, &[("failure", 3)]),
            (70, Failure, &[]),
            (80, Success, &[("recovery", 4)]),
        ],
    );
    assert_eq!(left, None, "nothing is remembered of a job that is well");
}

#[test]
fn each_kind_of_trouble_is_told_for_itself() {
    play(
        &everything(),
        &sages(1, 100),
        &[
            (10, Missed(7), &[("missed", 7)]),
            (20, Missed(2), &[]),
            (30, Failure, &[("failure", 1)]),
            (40, Stale, &[("stale", 1)]),
            (120, Missed(1), &[("missed", 3)]),
            (130, Success, &[("recovery", 1)]),
            (140, Missed(1), &[("missed", 1)]),
            (150, Success, &[("recovery", 1)]),
        ],
    );
}

#[test]
fn a_clock_that_is_set_back_silences_nobody() {
    play(
        &everything(),
        &sages(1, 100),
        &[
            (10_000, Failure, &[("failure", 1)]),
            (0, Failure, &[("failure", 1)]),
        ],
    );
}

#[test]
fn every_success_is_told_to_who_wants_that() {
    let audience = Audience {
        success: vec![name("S")],
        recovery: vec![name("S")],
        ..Audience::default()
    };
    play(
        &audience,
        &sages(1, 100),
        &[
            (0, Success, &[("success", 1)]),
            (1, Failure, &[]),
            (2, Success, &[("success", 1), ("recovery", 1)]),
            (3, Success, &[("success", 1)]),
        ],
    );
}

#[test]
fn a_sage_that_nobody_defines_any_more_is_told_by_what_is_built_in() {
    let none = Sages::new();
    play(
        &everything(),
        &none,
        &[
            (0, Failure, &[("failure", 1)]),
            (60, Failure, &[]),
            (3600, Failure, &[("failure", 2)]),
        ],
    );
}

#[test]
fn outcomes_are_events_as_the_contract_has_it() {
    let run = |outcome, reason| {
        let mut run = run(0);
        run.outcome = outcome;
        run.reason = reason;
        Happened::of(&run, 4)
    };
    for (outcome, reason, want) in [
        (Outcome::Success, None, Some(Success)),
        (Outcome::Failed, Some(Reason::Exit), Some(Failure)),
        (Outcome::TimedOut, Some(Reason::Timeout), Some(Failure)),
        (Outcome::Interrupted, Some(Reason::Shutdown), Some(Failure)),
        (Outcome::Missed, Some(Reason::Downtime), Some(Missed(4))),
        (Outcome::Missed, Some(Reason::Coalesced), None),
        (Outcome::Cancelled, Some(Reason::Request), None),
        (Outcome::Skipped, Some(Reason::Overlap), None),
    ] {
        assert_eq!(run(Some(outcome), reason), want, "{outcome} {reason:?}");
    }
    assert_eq!(run(None, None), None, "it is not over");
}

fn run(second: i64) -> Run {
    let job = JobName::new("billing").unwrap();
    let mut run = Run::new(
        RunId::of_fire(&job, at(second)),
        job,
        at(second),
        Trigger::Schedule,
    );
    run.outcome = Some(Outcome::Failed);
    run.reason = Some(Reason::Exit);
    run.exit_code = Some(3);
    run.attempt = 2;
    run.finished_at = Some(at(second + 2));
    run.duration = Some(Duration::from_millis(1500));
    run
}

fn definition(labels: Vec<(Arc<str>, Text)>) -> Definition {
    Definition {
        name: JobName::new("billing").unwrap(),
        aliases: Arc::from([]),
        enabled: true,
        schedule: Arc::new(Schedule::new(vec![Item::Manual])),
        schedule_text: "manual".into(),
        timezone: "UTC".into(),
        action: action(),
        context: Arc::default(),
        policy: Arc::new(Policy::built_in(Duration::from_secs(60))),
        about: Some(Arc::new(crate::model::About {
            description: None,
            owner: Some("team-a".into()),
            labels,
        })),
        id: crate::model::IdCell::default(),
    }
}

fn written(run: &Run, output: &Output, definition: &Definition, event: SageEvent) -> Letter {
    let about = About {
        definition,
        run,
        output: Some(output),
        at: at(5),
        failing: None,
    };
    let calls = vec![call(&name("S"), event, 2)];
    letters(calls, &about).remove(0)
}

#[test]
fn a_letter_says_everything_about_the_run() {
    let output = Output {
        head: b"first".to_vec(),
        tail: b"\xFFlast words\n".to_vec(),
        total: 100,
    };
    let labels = vec![("team".into(), Text::plain("data"))];
    let letter = written(&run(0), &output, &definition(labels), SageEvent::Failure);
    let body: serde_json::Value = serde_json::from_str(&letter.body).unwrap();
    for (field, want) in [
        ("event", "failure".into()),
        ("job", "billing".into()),
        ("run_id", run(0).id.as_str().into()),
        ("scheduled_at", at(0).to_string().into()),
        ("outcome", "failed".into()),
        ("reason", "exit".into()),
        ("attempts", 2.into()),
        ("exit_code", 3.into()),
        ("duration_seconds", 1.5.into()),
        ("output_tail", "\u{FFFD}last words\n".into()),
        ("count", 2.into()),
        ("owner", "team-a".into()),
        ("id", letter.id.as_str().into()),
    ] {
        let want: serde_json::Value = want;
        assert_eq!(body[field], want, "{field}");
    }
    assert_eq!(body["labels"]["team"], "data");
    assert!(body["revision"].is_null());
    assert!(body.get("http_status").is_none());
}

#[test]
fn a_letter_stays_below_what_receivers_take() {
    let output = Output {
        head: vec![1; 64 << 10],
        tail: Vec::new(),
        total: 64 << 10,
    };
    let long = "\u{1}".repeat(20_000);
    let labels = (0..100).map(|n| (format!("label-{n}").into(), Text::plain(&long[..300])));
    let mut run = run(0);
    run.detail = Some(long.as_str().into());
    run.revision = Some(long.as_str().into());
    let letter = written(
        &run,
        &output,
        &definition(labels.collect()),
        SageEvent::Failure,
    );
    assert!(letter.body.len() < 20_000, "{}", letter.body.len());
    let names: Vec<String> = (0..500).map(|n| format!("{n}{}", &long[..400])).collect();
    let event = SageEvent::ConfigHeld;
    let letter = of_elder(&name("S"), event, &long, &names, Some(&long), at(0));
    assert!(letter.body.len() < 20_000, "{}", letter.body.len());
}

#[test]
fn the_same_event_is_the_same_letter_and_another_one_is_not() {
    let output = Output::default();
    let definition = definition(Vec::new());
    let id = |run: &Run, event| written(run, &output, &definition, event).id;
    let first = id(&run(0), SageEvent::Failure);
    assert_eq!(first, id(&run(0), SageEvent::Failure));
    assert_ne!(first, id(&run(0), SageEvent::Recovery));
    assert_ne!(first, id(&run(1), SageEvent::Failure));
    let mut span = run(0);
    span.scheduled_until = Some(at(60));
    assert_ne!(
        first,
        id(&span, SageEvent::Failure),
        "more fires in one row"
    );
}

#[test]
fn a_letter_of_a_failure_says_what_was_changed_and_stays_small() {
    let long = "\u{1}".repeat(20_000);
    let field = |key: &str| crate::decide::fields::Field {
        key: key.to_owned(),
        before: Some(long.clone()),
        after: None,
    };
    let told = |changed: Vec<crate::decide::fields::Field>, text: &str| {
        let since = FailingSince {
            run: run(0).id,
            at: at(1),
            revision: Some(text.into()),
            author: Some(text.into()),
            definition: None,
            changed: Some(changed),
            success: crate::decide::LastSuccess::None,
        };
        let definition = definition(Vec::new());
        let mut run = run(60);
        run.source = Some("jobs.d/a.yaml:3".into());
        run.author = Some(text.into());
        let about = About {
            definition: &definition,
            run: &run,
            output: None,
            at: at(65),
            failing: Some(&since),
        };
        let calls = vec![call(&name("S"), SageEvent::Failure, 1)];
        letters(calls, &about).remove(0).body
    };
    let body = told(vec![field("run")], "Ada");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["source"], "jobs.d/a.yaml:3");
    assert_eq!(body["author"], "Ada");
    let since = &body["failing_since"];
    assert_eq!(since["run_id"], run(0).id.as_str());
    assert_eq!(since["changed"], serde_json::json!(["run"]));
    assert_eq!(since["text"], "revision Ada by Ada, which changed run");
    let many = (0..500).map(|n| field(&format!("env.NAME_{n}"))).collect();
    let body = told(many, &long);
    assert!(body.len() < 20_000, "{}", body.len());
}
