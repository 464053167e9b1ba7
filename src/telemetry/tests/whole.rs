//! The series of the whole, and which jobs have some.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::finding::{Code, Excerpt, Finding, Place};
use crate::model::{ReloadReport, ReloadResult, ReloadTrigger};

fn report(result: ReloadResult, findings: Vec<Finding>) -> ReloadReport {
    ReloadReport {
        result,
        trigger: ReloadTrigger::Watch,
        at: instant("2027-01-01T00:00:05Z"),
        took: Duration::from_millis(3),
        added: 1,
        renamed: 0,
        rescheduled: 0,
        changed: 0,
        removed: 0,
        touched: Vec::new(),
        held: vec!["gone".into()],
        waits: None,
        will_not_fire_today: vec![],
        jobs: 1,
        files: 1,
        findings,
        revision: Some("3f2a91c".into()),
        author: Some("Ada".into()),
        content_hash: "abc".into(),
    }
}

fn finding(file: &str) -> Finding {
    Finding {
        code: Code::BadCron,
        severity: Code::BadCron.severity(),
        at: Excerpt {
            place: Place::file(Arc::from(file)),
            line: String::new(),
            label: String::new(),
        },
        also: None,
        message: "bad".into(),
        help: String::new(),
    }
}

#[test]
fn the_names_types_and_units_are_the_contract() {
    let telemetry = with_job("billing");
    telemetry.observe(&Event::Tick {
        at: instant("2027-01-01T00:00:01Z"),
    });
    telemetry.observe(&Event::Reloaded(&report(ReloadResult::Applied, vec![])));
    let [text, open] = both(&telemetry);
    let want = [
        ("elder_executed_total", "counter"),
        ("elder_errors_total", "counter"),
        ("elder_missed_total", "counter"),
        ("elder_skipped_total", "counter"),
        ("elder_retries_total", "counter"),
        ("elder_running", "gauge"),
        ("elder_output_truncated_total", "counter"),
        ("elder_job_last_success_timestamp_seconds", "gauge"),
        ("elder_job_last_failure_timestamp_seconds", "gauge"),
        ("elder_job_last_run_timestamp_seconds", "gauge"),
        ("elder_job_next_run_timestamp_seconds", "gauge"),
        ("elder_job_success_deadline_timestamp_seconds", "gauge"),
        ("elder_job_paused_until_timestamp_seconds", "gauge"),
        ("elder_job_last_run_duration_seconds", "gauge"),
        ("elder_job_info", "gauge"),
        ("elder_active_jobs", "gauge"),
        ("elder_jobs", "gauge"),
        ("elder_overrides", "gauge"),
        ("elder_queued", "gauge"),
        ("elder_run_duration_seconds", "histogram"),
        ("elder_fire_lateness_seconds", "histogram"),
        ("elder_scheduler_last_tick_timestamp_seconds", "gauge"),
        ("elder_clock_jumps_total", "counter"),
        ("elder_claims_total", "counter"),
        ("elder_config_last_reload_successful", "gauge"),
        (
            "elder_config_last_reload_success_timestamp_seconds",
            "gauge",
        ),
        ("elder_config_reloads_total", "counter"),
        ("elder_config_errors", "gauge"),
        ("elder_config_pending_removals", "gauge"),
        ("elder_config_change_held", "gauge"),
        ("elder_config_info", "gauge"),
        ("elder_store_op_seconds", "histogram"),
        ("elder_store_errors_total", "counter"),
        ("elder_sage_deliveries_total", "counter"),
        ("elder_sage_waiting", "gauge"),
        ("elder_tzdata_info", "gauge"),
        ("elder_build_info", "gauge"),
        ("process_cpu_seconds_total", "counter"),
        ("process_resident_memory_bytes", "gauge"),
        ("process_virtual_memory_bytes", "gauge"),
        ("process_open_fds", "gauge"),
        ("process_max_fds", "gauge"),
        ("process_start_time_seconds", "gauge"),
    ];
    let shown = text
        .iter()
        .map(|family| (family.name.as_str(), family.kind.as_str()));
    let shown: Vec<_> = shown
        .filter(|(name, _)| *name != "process_max_fds")
        .collect();
    let limited = want
        .into_iter()
        .filter(|(name, _)| *name != "process_max_fds");
    assert_eq!(shown, limited.collect::<Vec<_>>());
    for (family, newer) in text.iter().zip(&open) {
        let bare = family
            .name
            .trim_end_matches("_total")
            .trim_end_matches("_info");
        assert_eq!(newer.name, bare);
        let samples = |family: &ReadFamily| {
            let labels = family
                .samples
                .iter()
                .map(|sample| (sample.name.clone(), sample.labels.len()));
            labels.collect::<Vec<_>>()
        };
        assert_eq!(
            samples(family),
            samples(newer),
            "the same samples in both formats"
        );
    }
}

#[test]
fn a_bad_file_shows_until_it_is_mended() {
    let telemetry = with_job("billing");
    let bad = report(
        ReloadResult::Partial,
        vec![finding("jobs.d/a.yaml"), finding("jobs.d/a.yaml")],
    );
    telemetry.observe(&Event::Reloaded(&bad));
    let families = scrape(&telemetry);
    let of =
        |families: &[ReadFamily], name, labels: &[(&str, &str)]| value_of(families, name, labels);
    assert_eq!(
        of(&families, "elder_config_last_reload_successful", &[]).unwrap(),
        "0"
    );
    assert_eq!(
        of(
            &families,
            "elder_config_last_reload_success_timestamp_seconds",
            &[]
        ),
        None
    );
    let file = [("file", "jobs.d/a.yaml")];
    assert_eq!(of(&families, "elder_config_errors", &file).unwrap(), "2");
    assert_eq!(
        of(&families, "elder_config_pending_removals", &[]).unwrap(),
        "1"
    );
    let partial = [("result", "partial"), ("trigger", "watch")];
    assert_eq!(
        of(&families, "elder_config_reloads_total", &partial).unwrap(),
        "1"
    );
    telemetry.observe(&Event::Reloaded(&report(ReloadResult::Applied, vec![])));
    let families = scrape(&telemetry);
    assert_eq!(
        of(&families, "elder_config_last_reload_successful", &[]).unwrap(),
        "1"
    );
    assert_eq!(
        of(
            &families,
            "elder_config_last_reload_success_timestamp_seconds",
            &[]
        )
        .unwrap(),
        "1798761605"
    );
    assert_eq!(of(&families, "elder_config_errors", &file), None);
    assert_eq!(
        of(&families, "elder_config_reloads_total", &partial).unwrap(),
        "1"
    );
    let info = [("revision", "3f2a91c"), ("hash", "abc")];
    assert_eq!(of(&families, "elder_config_info", &info).unwrap(), "1");
    let info = [("job_name", "billing"), ("revision", "3f2a91c")];
    assert_eq!(of(&families, "elder_job_info", &info).unwrap(), "1");
}

#[test]
fn operations_jumps_claims_and_queues_are_counted() {
    let telemetry = telemetry(JobMetrics::Auto);
    for (operation, error) in [
        ("commit", None),
        ("commit", Some("disk full")),
        ("read", None),
    ] {
        telemetry.observe(&Event::StoreOperation {
            operation,
            took: Duration::from_millis(2),
            error,
        });
    }
    telemetry.observe(&Event::ClockJump {
        by: Duration::from_secs(3600),
        forward: false,
    });
    telemetry.observe(&Event::Claims { won: 5, lost: 1 });
    let [mail, gone] = ["mail", "gone"].map(Arc::from);
    for (pool, length) in [(&mail, 7), (&gone, 3)] {
        telemetry.observe(&Event::Queued { pool, length });
    }
    telemetry.observe(&Event::PoolGone { pool: &gone });
    let families = scrape(&telemetry);
    for (name, labels, want) in [
        ("elder_store_op_seconds_count", &[("op", "commit")][..], "2"),
        ("elder_store_errors_total", &[("op", "commit")], "1"),
        ("elder_store_errors_total", &[("op", "read")], "0"),
        ("elder_clock_jumps_total", &[("direction", "backward")], "1"),
        ("elder_clock_jumps_total", &[("direction", "forward")], "0"),
        ("elder_claims_total", &[("result", "won")], "5"),
        ("elder_claims_total", &[("result", "lost")], "1"),
        ("elder_queued", &[("pool", "mail")], "7"),
        ("elder_queued", &[("pool", "default")], "0"),
    ] {
        let shown = value_of(&families, name, labels);
        assert_eq!(shown.as_deref(), Some(want), "{name} {labels:?}");
    }
    assert_eq!(
        value_of(&families, "elder_queued", &[("pool", "gone")]),
        None
    );
}

#[test]
fn series_of_jobs_are_bounded_as_asked() {
    for (job_metrics, want) in [
        (JobMetrics::All, 3),
        (JobMetrics::Auto, 3),
        (JobMetrics::Top(2), 2),
        (JobMetrics::Off, 0),
    ] {
        let telemetry = telemetry(job_metrics);
        for (key, name) in ["c", "a", "b"].into_iter().enumerate() {
            telemetry.observe(&Event::JobAdded {
                key: JobKey(key as u32),
                job: &job(name),
                memory: JobTimes::default(),
            });
        }
        let families = scrape(&telemetry);
        let info = families
            .iter()
            .find(|family| family.name == "elder_job_info");
        assert_eq!(info.unwrap().samples.len(), want, "{job_metrics:?}");
    }
    for (text, want) in [
        ("all", Some(JobMetrics::All)),
        ("off", Some(JobMetrics::Off)),
        ("top:5", Some(JobMetrics::Top(5))),
        ("top:", None),
        ("top:-1", None),
        ("some", None),
    ] {
        assert_eq!(text.parse().ok(), want, "{text}");
    }
}
