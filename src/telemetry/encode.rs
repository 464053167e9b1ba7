//! Every family of `/metrics`, in the order in which it is shown.
//!
//! The samples of the jobs are copied first; from there on nothing is locked.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use crate::model::{Delivery, Reason};
use crate::spec::fingerprint;

use super::Telemetry;
use super::exposition::{Exposition, Family, Format, Kind, Written};
use super::jobs::{ERRORS, EXECUTED, MISSED, SKIPPED, Sample};
use super::totals::{ACTIONS, ConfigState, RESULTS, TRIGGERS};

/// What the text of one job takes, about.
const JOB_BYTES: usize = 2_600;

const fn counter(name: &'static str, help: &'static str) -> Family {
    family(Kind::Counter, name, None, help)
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    family(Kind::Gauge, name, None, help)
}

const fn seconds(name: &'static str, help: &'static str) -> Family {
    family(Kind::Gauge, name, Some("seconds"), help)
}

const fn bytes(name: &'static str, help: &'static str) -> Family {
    family(Kind::Gauge, name, Some("bytes"), help)
}

const fn info(name: &'static str, help: &'static str) -> Family {
    family(Kind::Info, name, None, help)
}

const fn histogram(name: &'static str, help: &'static str) -> Family {
    family(Kind::Histogram, name, Some("seconds"), help)
}

const fn family(
    kind: Kind,
    name: &'static str,
    unit: Option<&'static str>,
    help: &'static str,
) -> Family {
    Family {
        kind,
        name,
        unit,
        help,
    }
}

/// Writes everything.
pub(super) fn encode(telemetry: &Telemetry, format: Format) -> String {
    let samples = telemetry.jobs.samples(telemetry.shown_jobs());
    let mut out = Exposition::new(format, 32 * 1024 + samples.len() * JOB_BYTES);
    let config = telemetry.totals.config();
    jobs(&mut out, &samples, config.revision.as_deref());
    scheduler(&mut out, telemetry);
    configuration(&mut out, &config);
    store(&mut out, telemetry);
    sages(&mut out, telemetry);
    process(&mut out, telemetry);
    out.finish()
}

fn jobs(out: &mut Exposition, samples: &[Sample], revision: Option<&str>) {
    let names: Vec<_> = samples
        .iter()
        .map(|sample| Written::begin(&[name(sample)]))
        .collect();
    let jobs = Counted {
        samples,
        names: &names,
    };
    let executed = counter(
        "elder_executed",
        "Ended runs with at least one attempt, by outcome.",
    );
    let words = EXECUTED.map(|outcome| ("outcome", outcome.as_str()));
    jobs.write(out, executed, &words, |sample| &sample.counts.executed);
    let reasons = |reasons: &[Reason]| -> Vec<(&'static str, &'static str)> {
        reasons
            .iter()
            .map(|reason| ("reason", reason.as_str()))
            .collect()
    };
    let errors = counter(
        "elder_errors",
        "Runs that failed, timed out or were interrupted, once each, by the reason of the last attempt.",
    );
    jobs.write(out, errors, &reasons(&ERRORS), |sample| {
        &sample.counts.errors
    });
    let missed = counter(
        "elder_missed",
        "Fires that came too late to start, by reason.",
    );
    jobs.write(out, missed, &reasons(&MISSED), |sample| {
        &sample.counts.missed
    });
    let skipped = counter(
        "elder_skipped",
        "Fires that policy kept from starting, by reason.",
    );
    jobs.write(out, skipped, &reasons(&SKIPPED), |sample| {
        &sample.counts.skipped
    });
    let retries = counter("elder_retries", "Further attempts after a first one.");
    jobs.write_one(out, retries, |sample| sample.counts.retries);
    let running = gauge("elder_running", "Runs with an attempt under way.");
    jobs.write_one(out, running, Sample::running);
    let truncated = counter("elder_output_truncated", "Runs of which output was cut.");
    jobs.write_one(out, truncated, |sample| sample.counts.truncated);
    let instants = |out: &mut Exposition, family, value: fn(&Sample) -> Option<Timestamp>| {
        out.family(family);
        for sample in samples {
            if let Some(at) = value(sample) {
                out.instant(&[name(sample)], at);
            }
        }
    };
    instants(
        out,
        seconds(
            "elder_job_last_success_timestamp_seconds",
            "End of the last successful run.",
        ),
        |sample| sample.times.last_success,
    );
    instants(
        out,
        seconds(
            "elder_job_last_failure_timestamp_seconds",
            "End of the last failed, timed out or interrupted run.",
        ),
        |sample| sample.times.last_failure,
    );
    instants(
        out,
        seconds(
            "elder_job_last_run_timestamp_seconds",
            "Begin of the last run.",
        ),
        |sample| sample.times.last_run,
    );
    instants(
        out,
        seconds(
            "elder_job_next_run_timestamp_seconds",
            "When the next fire is due.",
        ),
        |sample| sample.next,
    );
    instants(
        out,
        seconds(
            "elder_job_success_deadline_timestamp_seconds",
            "By when a success must exist: expect_success_within after the first fire that follows the last one.",
        ),
        |sample| sample.success_deadline,
    );
    instants(
        out,
        seconds(
            "elder_job_paused_until_timestamp_seconds",
            "Until when the job is paused, or was last; +Inf without an end.",
        ),
        |sample| sample.paused_until,
    );
    out.family(seconds(
        "elder_job_last_run_duration_seconds",
        "Length of the last run.",
    ));
    for sample in samples {
        if let Some(length) = sample.times.last_duration {
            out.length(&[name(sample)], length);
        }
    }
    out.family(info("elder_job", "What is known of a job."));
    for sample in samples {
        let definition = &*sample.definition;
        let about = definition.about.as_deref();
        let owner = about.and_then(|about| about.owner.as_deref());
        let hash = fingerprint(&sample.definition).to_string();
        let labels = [
            name(sample),
            ("schedule", &*definition.schedule_text),
            ("timezone", &*definition.timezone),
            ("file", &*sample.file),
            ("owner", owner.unwrap_or_default()),
            ("revision", revision.unwrap_or_default()),
            ("definition", &*hash),
        ];
        out.count(&labels, 1);
    }
}

/// The numbers of jobs, and each job's name as a label that is written already.
struct Counted<'a> {
    samples: &'a [Sample],
    names: &'a [Written],
}

impl Counted<'_> {
    /// A family with one more label, and a number for each of its values.
    fn write(
        &self,
        out: &mut Exposition,
        family: Family,
        labels: &[(&'static str, &'static str)],
        counts: fn(&Sample) -> &[u64],
    ) {
        out.family(family);
        let ends: Vec<_> = labels.iter().map(|label| Written::end(&[*label])).collect();
        for (sample, name) in self.samples.iter().zip(self.names) {
            for (end, count) in ends.iter().zip(counts(sample)) {
                out.count_written(name, end, *count);
            }
        }
    }

    /// A family with one number for each job.
    fn write_one(&self, out: &mut Exposition, family: Family, count: fn(&Sample) -> u64) {
        out.family(family);
        let end = Written::end(&[]);
        for (sample, name) in self.samples.iter().zip(self.names) {
            out.count_written(name, &end, count(sample));
        }
    }
}

fn name(sample: &Sample) -> (&'static str, &str) {
    ("job_name", sample.definition.name.as_str())
}

fn scheduler(out: &mut Exposition, telemetry: &Telemetry) {
    let totals = &telemetry.totals;
    let counts = totals.jobs();
    out.family(gauge("elder_active_jobs", "Jobs with a next fire."));
    out.count(&[], counts.active);
    out.family(gauge("elder_jobs", "Jobs by status."));
    for (status, count) in [
        ("active", counts.active),
        ("idle", counts.idle),
        ("paused", counts.paused),
        ("disabled", counts.disabled),
        ("held", counts.held),
    ] {
        out.count(&[("status", status)], count);
    }
    out.family(gauge(
        "elder_overrides",
        "What differs from the files on purpose, by kind.",
    ));
    out.count(&[("kind", "pause")], read(&totals.pauses));
    out.family(gauge(
        "elder_queued",
        "Runs that wait for a place, by pool.",
    ));
    for (pool, length) in totals.queued() {
        out.count(&[("pool", &pool)], length);
    }
    out.family(histogram(
        "elder_run_duration_seconds",
        "Length of ended runs, from the first attempt's begin to the end.",
    ));
    for (action, runs) in ACTIONS.iter().zip(&totals.runs) {
        out.histogram(&[("action", action)], &runs.read());
    }
    out.family(histogram(
        "elder_fire_lateness_seconds",
        "How long after its due instant a fire started.",
    ));
    out.histogram(&[], &totals.lateness.read());
    out.family(seconds(
        "elder_scheduler_last_tick_timestamp_seconds",
        "When the scheduler's loop last went round.",
    ));
    if let Some(at) = totals.tick.get() {
        out.instant(&[], at);
    }
    out.family(counter(
        "elder_clock_jumps",
        "Steps of the wall clock, sleeps of the machine among them.",
    ));
    out.count(&[("direction", "forward")], read(&totals.jumps_forward));
    out.count(&[("direction", "backward")], read(&totals.jumps_backward));
    out.family(counter(
        "elder_claims",
        "Fires asked of the store: ours, or there already.",
    ));
    out.count(&[("result", "won")], read(&totals.claims_won));
    out.count(&[("result", "lost")], read(&totals.claims_lost));
}

fn configuration(out: &mut Exposition, config: &ConfigState) {
    out.family(gauge(
        "elder_config_last_reload_successful",
        "1 when the last reload refused no file, 0 while any file is bad.",
    ));
    out.count(&[], u64::from(config.successful));
    out.family(seconds(
        "elder_config_last_reload_success_timestamp_seconds",
        "When a reload last refused no file.",
    ));
    if let Some(at) = config.successful_at {
        out.instant(&[], at);
    }
    out.family(counter(
        "elder_config_reloads",
        "Reloads by result and by what asked for them.",
    ));
    for (result, row) in RESULTS.iter().zip(config.reloads) {
        for (trigger, count) in TRIGGERS.iter().zip(row) {
            let labels = [("result", result.as_str()), ("trigger", trigger.as_str())];
            out.count(&labels, count);
        }
    }
    out.family(gauge(
        "elder_config_errors",
        "Errors in a job file, by file.",
    ));
    for (file, count) in &config.errors {
        out.count(&[("file", file)], *count);
    }
    out.family(gauge(
        "elder_config_pending_removals",
        "Jobs whose removal waits for a confirmation.",
    ));
    out.count(&[], config.pending);
    out.family(gauge(
        "elder_config_change_held",
        "1 while a change waits for the end of a freeze.",
    ));
    out.count(&[], u64::from(config.waits));
    out.family(info("elder_config", "What is in force."));
    if let Some(hash) = &config.hash {
        let revision = config.revision.as_deref().unwrap_or_default();
        let author = config.author.as_deref().unwrap_or_default();
        // Some give their address as their name: it is nobody's business who may scrape.
        let author = if author.contains('@') { "" } else { author };
        let labels = [("revision", revision), ("hash", hash), ("author", author)];
        out.count(&labels, 1);
    }
}

fn store(out: &mut Exposition, telemetry: &Telemetry) {
    let operations = telemetry.totals.operations();
    out.family(histogram(
        "elder_store_op_seconds",
        "Operations of the store.",
    ));
    for (op, operation) in &operations {
        out.histogram(&[("op", op)], &operation.took.read());
    }
    out.family(counter(
        "elder_store_errors",
        "Operations of the store that failed.",
    ));
    for (op, operation) in &operations {
        out.count(&[("op", op)], read(&operation.errors));
    }
}

fn sages(out: &mut Exposition, telemetry: &Telemetry) {
    let sages = telemetry.totals.sages();
    out.family(counter(
        "elder_sage_deliveries",
        "Letters to sages by what came of them: delivered, failed (it is tried again), given_up, gone, dropped.",
    ));
    for (sage, counts) in &sages {
        for (result, count) in Delivery::ALL.iter().zip(counts.deliveries) {
            let labels = [("sage", sage.as_str()), ("result", result.as_str())];
            out.count(&labels, count);
        }
    }
    out.family(gauge(
        "elder_sage_waiting",
        "Letters that wait for a sage, or are on their way.",
    ));
    for (sage, counts) in &sages {
        out.count(&[("sage", sage.as_str())], counts.waiting);
    }
}

fn process(out: &mut Exposition, telemetry: &Telemetry) {
    let options = &telemetry.options;
    out.family(info(
        "elder_tzdata",
        "The rules of time zones that are in use.",
    ));
    if let Some(tzdata) = telemetry.totals.tzdata() {
        let labels = [("version", &*tzdata.version), ("source", &*tzdata.source)];
        out.count(&labels, 1);
    }
    out.family(info("elder_build", "The program."));
    out.count(&[("version", &*options.version)], 1);
    let process = super::process::look();
    out.family(family(
        Kind::Counter,
        "process_cpu_seconds",
        Some("seconds"),
        "Total user and system CPU time spent in seconds.",
    ));
    out.length(&[], process.cpu);
    for (family, value) in [
        (
            bytes(
                "process_resident_memory_bytes",
                "Resident memory size in bytes.",
            ),
            process.resident,
        ),
        (
            bytes(
                "process_virtual_memory_bytes",
                "Virtual memory size in bytes.",
            ),
            process.virtual_size,
        ),
        (
            gauge("process_open_fds", "Number of open file descriptors."),
            process.open_fds,
        ),
        (
            gauge(
                "process_max_fds",
                "Maximum number of open file descriptors.",
            ),
            process.max_fds,
        ),
    ] {
        if let Some(value) = value {
            out.family(family);
            out.count(&[], value);
        }
    }
    out.family(seconds(
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
    ));
    out.instant(&[], options.started_at);
}

fn read(value: &AtomicU64) -> u64 {
    value.load(Ordering::Relaxed)
}
