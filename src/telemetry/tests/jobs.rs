//! The series of one job.

use std::time::Duration;

use super::super::example::run;
use super::*;
use crate::model::{Outcome, Reason};

#[test]
fn every_counter_and_gauge_of_a_known_job_is_there_from_the_first_scrape() {
    let telemetry = with_job("billing");
    for families in both(&telemetry) {
        let of = |name: &str, labels: &[(&str, &str)]| value_of(&families, name, labels);
        let zero = Some("0".to_owned());
        for outcome in ["success", "failed", "timed_out", "cancelled", "interrupted"] {
            let labels = [("job_name", "billing"), ("outcome", outcome)];
            assert_eq!(of("elder_executed_total", &labels), zero, "{outcome}");
        }
        for reason in [
            "exit",
            "signal",
            "timeout",
            "spawn",
            "setup",
            "connect",
            "http",
            "limit",
            "interrupted",
            "internal",
        ] {
            let labels = [("job_name", "billing"), ("reason", reason)];
            assert_eq!(of("elder_errors_total", &labels), zero, "{reason}");
        }
        for reason in ["downtime", "clock", "store", "pool", "coalesced", "removed"] {
            let labels = [("job_name", "billing"), ("reason", reason)];
            assert_eq!(of("elder_missed_total", &labels), zero, "{reason}");
        }
        for reason in ["overlap", "paused", "restart"] {
            let labels = [("job_name", "billing"), ("reason", reason)];
            assert_eq!(of("elder_skipped_total", &labels), zero, "{reason}");
        }
        for name in [
            "elder_retries_total",
            "elder_running",
            "elder_output_truncated_total",
        ] {
            assert_eq!(of(name, &[("job_name", "billing")]), zero, "{name}");
        }
        for name in [
            "elder_job_last_success_timestamp_seconds",
            "elder_job_last_failure_timestamp_seconds",
            "elder_job_last_run_timestamp_seconds",
            "elder_job_next_run_timestamp_seconds",
            "elder_job_success_deadline_timestamp_seconds",
            "elder_job_last_run_duration_seconds",
        ] {
            assert_eq!(of(name, &[]), None, "{name}");
        }
    }
}

#[test]
fn a_deadline_for_a_success_is_there_while_one_is_expected() {
    let telemetry = with_job("billing");
    let deadline = || {
        let name = "elder_job_success_deadline_timestamp_seconds";
        value_of(&scrape(&telemetry), name, &[("job_name", "billing")])
    };
    let at = Some(instant("2027-01-01T00:00:00.5Z"));
    telemetry.observe(&Event::SuccessDeadline { key: KEY, at });
    assert_eq!(deadline(), Some("1798761600.5".into()));
    telemetry.observe(&Event::SuccessDeadline { key: KEY, at: None });
    assert_eq!(deadline(), None);
}

#[test]
fn a_run_counts_once_with_its_outcome_its_reason_and_its_times() {
    let telemetry = with_job("billing");
    let mut run = run("billing", 1);
    telemetry.observe(&Event::AttemptStarted {
        key: KEY,
        run: &run,
        action: "exec",
        lateness: Some(Duration::from_millis(2)),
    });
    assert_eq!(
        value_of(&scrape(&telemetry), "elder_running", &[]),
        Some("1".into())
    );
    run.outcome = Some(Outcome::TimedOut);
    run.finished_at = Some(instant("2027-01-01T00:00:02.75Z"));
    run.duration = Some(Duration::from_millis(2250));
    telemetry.observe(&Event::RunEnded {
        key: Some(KEY),
        run: &run,
        action: "exec",
        output_truncated: true,
    });
    // From a bucket to what it counts: in the format that knows of that.
    let [text, open] = both(&telemetry);
    for (name, le) in [
        ("elder_fire_lateness_seconds_bucket", "0.0025"),
        ("elder_run_duration_seconds_bucket", "2.5"),
    ] {
        let traces = |families: &[ReadFamily]| -> Vec<(String, String)> {
            let samples = families.iter().flat_map(|family| &family.samples);
            let ours = samples.filter(|sample| sample.name == name);
            let traced = ours.filter_map(|it| Some((it.label("le")?, it.exemplar.clone()?)));
            traced.map(|(le, trace)| (le.to_owned(), trace)).collect()
        };
        assert_eq!(traces(&open), [(le.to_owned(), run.id.trace_id())]);
        assert_eq!(traces(&text), []);
    }
    let families = scrape(&telemetry);
    for (name, labels, want) in [
        ("elder_executed_total", &[("outcome", "timed_out")][..], "1"),
        ("elder_errors_total", &[("reason", "timeout")], "1"),
        ("elder_running", &[], "0"),
        ("elder_output_truncated_total", &[], "1"),
        (
            "elder_job_last_failure_timestamp_seconds",
            &[],
            "1798761602.75",
        ),
        ("elder_job_last_run_timestamp_seconds", &[], "1798761600.5"),
        ("elder_job_last_run_duration_seconds", &[], "2.25"),
        (
            "elder_run_duration_seconds_count",
            &[("action", "exec")],
            "1",
        ),
        (
            "elder_run_duration_seconds_sum",
            &[("action", "exec")],
            "2.25",
        ),
        (
            "elder_run_duration_seconds_bucket",
            &[("action", "exec"), ("le", "1")],
            "0",
        ),
        (
            "elder_run_duration_seconds_bucket",
            &[("action", "exec"), ("le", "2.5")],
            "1",
        ),
        (
            "elder_run_duration_seconds_bucket",
            &[("action", "exec"), ("le", "+Inf")],
            "1",
        ),
        (
            "elder_run_duration_seconds_count",
            &[("action", "http")],
            "0",
        ),
        (
            "elder_fire_lateness_seconds_bucket",
            &[("le", "0.001")],
            "0",
        ),
        (
            "elder_fire_lateness_seconds_bucket",
            &[("le", "0.0025")],
            "1",
        ),
        ("elder_fire_lateness_seconds_bucket", &[("le", "300")], "1"),
    ] {
        let shown = value_of(&families, name, labels);
        assert_eq!(shown.as_deref(), Some(want), "{name} {labels:?}");
    }
}

#[test]
fn fires_that_did_not_run_count_by_how_many_they_are() {
    let telemetry = with_job("billing");
    let mut row = run("billing", 0);
    for (outcome, reason, added) in [
        (Outcome::Missed, Reason::Downtime, 86_400),
        (Outcome::Missed, Reason::Downtime, 1),
        (Outcome::Skipped, Reason::Overlap, 3),
    ] {
        row.outcome = Some(outcome);
        row.reason = Some(reason);
        telemetry.observe(&Event::NotRun {
            key: Some(KEY),
            run: &row,
            added,
        });
    }
    let families = scrape(&telemetry);
    let of = |name, labels: &[(&str, &str)]| value_of(&families, name, labels).unwrap();
    assert_eq!(of("elder_missed_total", &[("reason", "downtime")]), "86401");
    assert_eq!(of("elder_skipped_total", &[("reason", "overlap")]), "3");
    assert_eq!(of("elder_executed_total", &[("outcome", "success")]), "0");
}

#[test]
fn counters_survive_a_change_and_go_with_the_job() {
    let telemetry = with_job("billing");
    let mut done = run("billing", 1);
    done.outcome = Some(Outcome::Success);
    let ended = Event::RunEnded {
        key: Some(KEY),
        run: &done,
        action: "exec",
        output_truncated: false,
    };
    telemetry.observe(&ended);
    let mut moved = job("billing");
    moved.origin.file = "jobs.d/b.yaml".into();
    telemetry.observe(&Event::JobChanged {
        key: KEY,
        job: &moved,
    });
    let families = scrape(&telemetry);
    let labels = [("job_name", "billing"), ("outcome", "success")];
    assert_eq!(
        value_of(&families, "elder_executed_total", &labels).unwrap(),
        "1"
    );
    let labels = [("job_name", "billing"), ("file", "jobs.d/b.yaml")];
    assert_eq!(value_of(&families, "elder_job_info", &labels).unwrap(), "1");
    telemetry.observe(&Event::JobRemoved { key: KEY });
    for families in both(&telemetry) {
        let mut samples = families.iter().flat_map(|family| &family.samples);
        assert!(samples.all(|sample| sample.label("job_name").is_none()));
    }
    // A run that ends after its job is gone disturbs nobody.
    telemetry.observe(&Event::RunEnded {
        key: None,
        run: &done,
        action: "exec",
        output_truncated: false,
    });
}

#[test]
fn what_the_store_remembers_of_a_job_is_there_at_once() {
    let telemetry = telemetry(JobMetrics::Auto);
    let memory = JobTimes {
        last_success: Some(instant("2026-12-31T23:00:00Z")),
        last_failure: None,
        last_run: Some(instant("2026-12-31T22:59:00Z")),
        last_duration: Some(Duration::from_secs(60)),
    };
    telemetry.observe(&Event::JobAdded {
        key: KEY,
        job: &job("billing"),
        memory,
    });
    telemetry.observe(&Event::NextFire {
        key: KEY,
        due: Some(instant("2027-01-01T00:05:00Z")),
    });
    let families = scrape(&telemetry);
    for (name, want) in [
        (
            "elder_job_last_success_timestamp_seconds",
            Some("1798758000"),
        ),
        ("elder_job_last_failure_timestamp_seconds", None),
        ("elder_job_last_run_timestamp_seconds", Some("1798757940")),
        ("elder_job_last_run_duration_seconds", Some("60")),
        ("elder_job_next_run_timestamp_seconds", Some("1798761900")),
    ] {
        let shown = value_of(&families, name, &[("job_name", "billing")]);
        assert_eq!(shown.as_deref(), want, "{name}");
    }
}

#[test]
fn a_label_with_anything_in_it_reads_back() {
    let telemetry = telemetry(JobMetrics::Auto);
    let mut odd = job("odd");
    odd.origin.file = "jobs.d/a \"b\"\\c\n{x=\"y\"} 1.yaml".into();
    telemetry.observe(&Event::JobAdded {
        key: KEY,
        job: &odd,
        memory: JobTimes::default(),
    });
    for families in both(&telemetry) {
        let labels = [("job_name", "odd"), ("file", &*odd.origin.file)];
        assert_eq!(value_of(&families, "elder_job_info", &labels).unwrap(), "1");
    }
}
