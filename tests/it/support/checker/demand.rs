//! What the schedules demand: by elder's own arithmetic, and by a second one that knows only periods.

use std::time::Duration;

use elder::schedule::{Schedule, Zones};
use jiff::Timestamp;

/// One instant at which a job is to fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub scheduled: Timestamp,
    /// When it may begin: later than `scheduled` with jitter.
    pub due: Timestamp,
    /// Whether it must be accounted for: near an edge of the span nobody can tell.
    pub is_sure: bool,
}

/// What one job is to do.
#[derive(Clone, Debug)]
pub struct Demand {
    pub job: String,
    pub targets: Vec<Target>,
    /// Attempts of the job at once.
    pub most_at_once: i64,
    /// Attempts of one run.
    pub most_attempts: u64,
}

/// How long a schedule was in force: surely within `surely`, possibly within `possibly`, both with
/// their ends and without their beginnings.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub possibly: (Timestamp, Timestamp),
    pub surely: (Timestamp, Timestamp),
}

impl Span {
    /// One whose edges are known.
    pub fn exact(after: Timestamp, until: Timestamp) -> Self {
        Self {
            possibly: (after, until),
            surely: (after, until),
        }
    }

    fn target(&self, scheduled: Timestamp, due: Timestamp) -> Target {
        let is_sure = scheduled > self.surely.0 && due <= self.surely.1;
        Target {
            scheduled,
            due,
            is_sure,
        }
    }
}

impl Demand {
    /// One attempt of one run at once, for these targets.
    pub fn new(job: &str, targets: Vec<Target>) -> Self {
        Self {
            job: job.to_owned(),
            targets,
            most_at_once: 1,
            most_attempts: 1,
        }
    }

    /// By elder's own schedule, in the words of a job file.
    ///
    /// # Panics
    /// When these are no schedule.
    pub fn of_schedule(job: &str, text: &str, span: Span) -> Self {
        let parsed = elder::spec::parse_schedule(text, "UTC", &Zones::bundled(), job);
        let Ok(parsed) = parsed else {
            panic!("{job}: no schedule: {text}: {parsed:?}");
        };
        Self::new(job, targets(&parsed.schedule, span))
    }

    /// By arithmetic alone: multiples of a period since 1970.
    pub fn every(job: &str, period: Duration, span: Span) -> Self {
        let period = i128::try_from(period.as_nanos()).unwrap_or(i128::MAX);
        let first = span.possibly.0.as_nanosecond().div_euclid(period) + 1;
        let last = span.possibly.1.as_nanosecond().div_euclid(period);
        let instants = (first..=last).filter_map(|n| Timestamp::from_nanosecond(n * period).ok());
        Self::new(job, instants.map(|at| span.target(at, at)).collect())
    }
}

fn targets(schedule: &Schedule, span: Span) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut after = span.possibly.0;
    while let Some(fire) = schedule.next_after(after) {
        if fire.scheduled > span.possibly.1 {
            break;
        }
        targets.push(span.target(fire.scheduled, fire.due));
        after = fire.scheduled;
    }
    targets
}
