//! `/metrics` as a scrape sees it, read back line by line.

mod jobs;
mod whole;

use super::example::{instant, job};
use super::reading::{ReadFamily, read, value_of};
use super::*;
use crate::ids::JobKey;
use crate::model::JobTimes;

const KEY: JobKey = JobKey(0);

fn telemetry(job_metrics: JobMetrics) -> Telemetry {
    Telemetry::new(Options {
        job_metrics,
        version: "0.1.0".into(),
        started_at: instant("2027-01-01T00:00:00Z"),
    })
}

fn with_job(name: &str) -> Telemetry {
    let telemetry = telemetry(JobMetrics::Auto);
    let job = job(name);
    telemetry.observe(&Event::JobAdded {
        key: KEY,
        job: &job,
        memory: JobTimes::default(),
    });
    telemetry
}

fn both(telemetry: &Telemetry) -> [Vec<ReadFamily>; 2] {
    [Format::Text, Format::OpenMetrics].map(|format| read(&telemetry.encode(format), format))
}

fn scrape(telemetry: &Telemetry) -> Vec<ReadFamily> {
    read(&telemetry.encode(Format::Text), Format::Text)
}
