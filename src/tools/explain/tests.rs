//! Each situation of a fire, and the sentence for it.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::engine::state::testing::{every, job, second};
use crate::ids::{JobName, RunId};
use crate::model::{Outcome, Policy, Reason, Run, RunState, Trigger};
use crate::schedule::Item;
use crate::store::Mark;

/// The job `a`, every 100 s, first seen at 0 and decided up to 450.
fn view() -> JobView {
    JobView {
        job: job("a", every(100), |_| {}),
        status: JobStatus::Active,
        next: Some(second(500)),
        pause: None,
        active: Vec::new(),
        last: None,
        mark: Mark {
            mark: second(450),
            ..Mark::first_sight(second(0))
        },
        failing: None,
        success_deadline: None,
        is_stale: false,
        ahead: None,
    }
}

fn row(at: i64, outcome: Option<Outcome>, reason: Option<Reason>) -> Run {
    let name = JobName::new("a").unwrap();
    let id = RunId::of_fire(&name, second(at));
    let mut run = Run::new(id, name, second(at), Trigger::Schedule);
    run.outcome = outcome;
    run.reason = reason;
    run.state = match outcome {
        Some(_) => RunState::Done,
        None => RunState::Queued,
    };
    run.source = Some("jobs.d/a.yaml:2".into());
    run
}

fn ask(view: &JobView, at: i64, row: Option<&Run>) -> Explanation {
    let now = second(460);
    explain(&Facts {
        now,
        view,
        at: subject(view, Some(second(at)), now),
        row,
        blocking: None,
        store_error: None,
    })
}

fn head(at: i64, waits: Option<Waits>) -> RunHead {
    let run = row(at, None, None);
    RunHead {
        id: run.id,
        state: RunState::Queued,
        scheduled_at: run.scheduled_at,
        attempt: 0,
        waits,
    }
}

#[track_caller]
fn says(told: &Explanation, verdict: Verdict, words: &[&str]) {
    assert_eq!(told.verdict, verdict, "{told:#?}");
    let all = format!(
        "{}\n{}\n{}",
        told.summary,
        told.details.join("\n"),
        told.hints.join("\n")
    );
    for word in words {
        assert!(all.contains(word), "no {word:?} in\n{all}");
    }
}

#[test]
fn a_run_that_is_over_is_told_with_its_end_and_its_lateness() {
    let mut run = row(400, Some(Outcome::Failed), Some(Reason::Exit));
    run.attempt = 2;
    run.exit_code = Some(3);
    run.started_at = Some(second(403));
    run.duration = Some(Duration::from_secs(12));
    run.trigger = Trigger::CatchUp;
    run.revision = Some("abc".into());
    let told = ask(&view(), 400, Some(&run));
    says(
        &told,
        Verdict::Ran,
        &[
            "ran: failed (exit) after 12s, exit code 3",
            "began 3s after it was due (caught up), in 2 attempts",
            "by jobs.d/a.yaml:2, revision abc",
            "what it said",
        ],
    );
    assert_eq!(told.due_at, Some(second(400)));
    assert_eq!(told.around, (Some(second(300)), Some(second(500))));
}

#[test]
fn a_pause_is_told_with_who_said_so_and_why_before_and_after() {
    let pause = crate::model::Pause {
        since: second(300),
        until: Some(second(650)),
        ended_at: None,
        reason: Some("the database moves".into()),
        author: "anna".into(),
    };
    let mut run = row(400, Some(Outcome::Skipped), Some(Reason::Paused));
    run.detail = Some(pause.words().into());
    let mut paused = view();
    paused.status = JobStatus::Paused;
    paused.pause = Some(pause);
    let words = ["paused by anna until 2027-01-15T08:10:50Z: the database moves"];
    let told = ask(&paused, 400, Some(&run));
    says(&told, Verdict::Skipped, &words);
    says(
        &told,
        Verdict::Skipped,
        &["does not run later", "elder overrides"],
    );
    let told = ask(&paused, 600, None);
    says(&told, Verdict::Off, &words);
    says(
        &told,
        Verdict::Off,
        &["will be skipped", "elder resume a", "elder trigger a"],
    );
    says(&ask(&paused, 700, None), Verdict::ToCome, &["is due"]);
}

#[test]
fn a_skipped_fire_names_the_run_that_was_in_its_way() {
    let blocking = {
        let mut run = row(200, Some(Outcome::Success), None);
        run.started_at = Some(second(201));
        run.finished_at = Some(second(430));
        run
    };
    let mut skipped = row(300, Some(Outcome::Skipped), Some(Reason::Overlap));
    skipped.count = 2;
    skipped.scheduled_until = Some(second(400));
    skipped.detail = Some(format!("run {} was still under way", blocking.id).into());
    assert_eq!(blocked_by(&skipped), Some(blocking.id));
    assert!(stands_for(&skipped, second(400)) && !stands_for(&skipped, second(500)));
    let view = view();
    let told = explain(&Facts {
        now: second(460),
        view: &view,
        at: Some(second(400)),
        row: Some(&skipped),
        blocking: Some(&blocking),
        store_error: None,
    });
    says(
        &told,
        Verdict::Skipped,
        &[
            "`max_instances`",
            &format!("Run {} was in its way", blocking.id),
            "ended success",
            "all 2 fires",
            "overlap: queue",
        ],
    );
}

#[test]
fn each_reason_of_a_missed_fire_has_its_words_and_most_a_mend() {
    for reason in [
        Reason::Downtime,
        Reason::Clock,
        Reason::Store,
        Reason::Pool,
        Reason::Coalesced,
        Reason::Removed,
    ] {
        let run = row(400, Some(Outcome::Missed), Some(reason));
        let told = ask(&view(), 400, Some(&run));
        says(&told, Verdict::Missed, &[&format!("({reason})")]);
        let has_mend = told.details.len() > 1;
        assert_eq!(has_mend, reason != Reason::Removed, "{told:#?}");
    }
}

#[test]
fn what_waits_says_for_what() {
    let place = Waits::Place {
        of: "of the pool database".to_owned(),
        limit: 2,
        waiting: 7,
        until: Some(second(490)),
    };
    let other = row(300, None, None).id;
    for (waits, words) in [
        (place, "all 2 of the pool database are taken, and 7 wait"),
        (Waits::Run(other), "of the same job to end"),
        (Waits::Backlog, "older go first"),
        (Waits::Record, "its row in the store"),
        (Waits::Attempt(second(480)), "its next attempt at"),
    ] {
        let mut view = view();
        view.active = vec![head(400, Some(waits))];
        // With its row and without one.
        says(&ask(&view, 400, None), Verdict::Waiting, &[words]);
        let queued = row(400, None, None);
        says(&ask(&view, 400, Some(&queued)), Verdict::Waiting, &[words]);
    }
    let mut running = row(400, None, None);
    running.state = RunState::Running;
    running.attempt = 1;
    running.started_at = Some(second(401));
    says(
        &ask(&view(), 400, Some(&running)),
        Verdict::Running,
        &["attempt 1, since"],
    );
}

#[test]
fn what_a_clock_said_is_told_to_the_second_and_a_fire_as_exactly_as_it_is() {
    let nanos = jiff::SignedDuration::from_nanos(173_482_123);
    let read = |at: i64| second(at).checked_add(nanos).unwrap();
    let mut view = view();
    view.mark.first_seen = read(410);
    view.mark.since = read(410);
    let told = ask(&view, 400, None);
    says(
        &told,
        Verdict::BeforeItsTime,
        &["2027-01-15T08:06:50+00:00 ("],
    );
    assert!(!told.summary.contains('.'), "{}", told.summary);
    let mut running = row(400, None, None);
    running.state = RunState::Running;
    running.attempt = 1;
    running.started_at = Some(read(401));
    let told = ask(&view, 400, Some(&running));
    says(&told, Verdict::Running, &["2027-01-15T08:06:41+00:00 ("]);
    let words = Words {
        now: second(460),
        zone: TimeZone::UTC,
    };
    let tenth = second(400).checked_add(jiff::SignedDuration::from_millis(100));
    assert_eq!(
        words.instant(tenth.unwrap()),
        "2027-01-15T08:06:40.1+00:00 (59s ago)"
    );
    assert_eq!(
        words.instant(read(400)),
        "2027-01-15T08:06:40+00:00 (1m ago)"
    );
}

#[test]
fn without_a_row_the_mark_and_the_schedule_tell() {
    let mut view = view();
    says(
        &ask(&view, 400, None),
        Verdict::NotKept,
        &["keeps 100 runs", "90d"],
    );
    view.mark.since = second(420);
    says(
        &ask(&view, 400, None),
        Verdict::BeforeItsTime,
        &["no fire in the past"],
    );
    view.mark.first_seen = second(410);
    says(
        &ask(&view, 400, None),
        Verdict::BeforeItsTime,
        &["first seen at"],
    );
    says(
        &ask(&view, 330, None),
        Verdict::NoFire,
        &["no instant of the schedule", "elder next a"],
    );
    says(&ask(&view, 500, None), Verdict::ToCome, &["(in 40s)"]);
}

#[test]
fn what_a_clock_decided_that_was_set_back_is_waited_for() {
    let mut view = view();
    view.mark.mark = second(620);
    says(
        &ask(&view, 500, None),
        Verdict::NotKept,
        &["before the clock was set back"],
    );
    says(&ask(&view, 700, None), Verdict::ToCome, &["not come yet"]);
}

#[test]
fn what_is_due_and_has_no_row_says_what_stands_against_it() {
    let mut view = view();
    view.mark.mark = second(350);
    says(&ask(&view, 400, None), Verdict::Undecided, &["ask again"]);
    let told = explain(&Facts {
        now: second(460),
        view: &view,
        at: Some(second(400)),
        row: None,
        blocking: None,
        store_error: Some("disk full"),
    });
    says(
        &told,
        Verdict::Undecided,
        &["cannot be recorded: disk full"],
    );
    Arc::make_mut(&mut view.job.definition).enabled = false;
    says(
        &ask(&view, 400, None),
        Verdict::Off,
        &["enabled: false", "elder trigger a"],
    );
    says(&ask(&view, 500, None), Verdict::Off, &["enabled: false"]);
}

#[test]
fn a_fire_to_come_says_what_would_be_in_its_way_now() {
    for (overlap, words) in [
        (Overlap::Skip, "is skipped"),
        (Overlap::Queue, "waits for it"),
        (Overlap::Replace, "takes its place"),
    ] {
        let mut view = view();
        view.job = job("a", every(100), |policy: &mut Policy| {
            policy.overlap = overlap
        });
        view.active = vec![head(400, None)];
        view.status = JobStatus::Held;
        says(
            &ask(&view, 500, None),
            Verdict::ToCome,
            &[words, "removal is held"],
        );
    }
}

#[test]
fn whoever_names_no_instant_means_the_last_fire_and_whoever_names_a_minute_the_one_in_it() {
    let mut view = view();
    let now = second(460);
    assert_eq!(subject(&view, None, now), Some(second(400)));
    view.mark.first_seen = second(410);
    assert_eq!(subject(&view, None, now), Some(second(500)), "the next");
    // START is a whole minute.
    let asked = second(360);
    assert_eq!(subject(&view, Some(asked), now), Some(second(400)));
    assert_eq!(subject(&view, Some(second(361)), now), Some(second(361)));
    assert_eq!(subject(&view, Some(second(420)), now), Some(second(420)));
    let manual = Arc::new(Schedule::new(vec![Item::Manual]));
    view.job = job("a", manual, |_| {});
    assert_eq!(subject(&view, None, now), None);
    let told = explain(&Facts {
        now,
        view: &view,
        at: None,
        row: None,
        blocking: None,
        store_error: None,
    });
    says(&told, Verdict::NoFire, &["never fires by itself"]);
    let startup = Arc::new(Schedule::new(vec![Item::Startup]));
    view.job = job("a", startup, |_| {});
    let told = explain(&Facts {
        now,
        view: &view,
        at: None,
        row: None,
        blocking: None,
        store_error: None,
    });
    says(&told, Verdict::NoFire, &["fires when elder starts"]);
}
