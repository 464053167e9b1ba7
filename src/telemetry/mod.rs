//! What elder says about itself: each event becomes one log line and its metrics.
//!
//! [`Telemetry`] is an [`Observer`]. It counts in atomics and in a slab by job
//! key, and `/metrics` is written from there: a scrape never asks the engine and
//! never keeps it waiting. [`log`] is where the lines go.

mod encode;
#[cfg(test)]
pub(crate) mod example;
mod exposition;
pub mod feed;
mod histogram;
mod jobs;
mod lines;
pub mod log;
mod process;
#[cfg(test)]
pub(crate) mod reading;
#[cfg(test)]
mod tests;
mod totals;

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use crate::model::{Event, Observer};

use histogram::Example;

pub use exposition::Format;

/// How many jobs `auto` gives series of their own.
pub const AUTO_JOBS: usize = 10_000;

/// Which jobs have series of their own in `/metrics`.
///
/// Where they are not all shown, it is the first by name: the same ones after
/// every restart and on every replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JobMetrics {
    /// All up to [`AUTO_JOBS`]; above that, so many.
    #[default]
    Auto,
    /// All.
    All,
    /// The first so many by name.
    Top(usize),
    /// None.
    Off,
}

/// A text that is no [`JobMetrics`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of all, top:N (such as top:10000) and off")]
pub struct BadJobMetrics(String);

impl FromStr for JobMetrics {
    type Err = BadJobMetrics;

    fn from_str(text: &str) -> Result<Self, BadJobMetrics> {
        match (text, text.strip_prefix("top:").map(str::parse)) {
            ("auto", _) => Ok(JobMetrics::Auto),
            ("all", _) => Ok(JobMetrics::All),
            ("off", _) => Ok(JobMetrics::Off),
            (_, Some(Ok(limit))) => Ok(JobMetrics::Top(limit)),
            _ => Err(BadJobMetrics(text.to_owned())),
        }
    }
}

/// What a [`Telemetry`] is told at its start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which jobs have series of their own.
    pub job_metrics: JobMetrics,
    /// Elder's version.
    pub version: Arc<str>,
    /// When the process began.
    pub started_at: Timestamp,
}

/// Counts what happens and writes the log's lines.
pub struct Telemetry {
    options: Options,
    jobs: jobs::Jobs,
    totals: totals::Totals,
}

impl Telemetry {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            jobs: jobs::Jobs::default(),
            totals: totals::Totals::new(),
        }
    }

    /// The text of `/metrics`. It takes a while with many jobs (milliseconds for ten thousand):
    /// not for a thread that others wait for.
    #[must_use]
    pub fn encode(&self, format: Format) -> String {
        encode::encode(self, format)
    }

    /// When the engine's loop last went round.
    #[must_use]
    pub fn last_tick(&self) -> Option<Timestamp> {
        self.totals.tick.get()
    }

    /// How many jobs have a next fire.
    #[must_use]
    pub fn active_jobs(&self) -> u64 {
        self.totals.jobs().active
    }

    /// Elder's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.options.version
    }

    fn shown_jobs(&self) -> usize {
        match self.options.job_metrics {
            JobMetrics::All => usize::MAX,
            JobMetrics::Off => 0,
            JobMetrics::Top(limit) => limit,
            JobMetrics::Auto => AUTO_JOBS,
        }
    }

    fn count(&self, event: &Event<'_>) {
        let (jobs, totals) = (&self.jobs, &self.totals);
        match event {
            Event::JobAdded { key, job, memory } => jobs.add(*key, job, *memory),
            Event::JobChanged { key, job } => jobs.change(*key, job),
            // Taken out with its line, which needs the name.
            Event::JobRemoved { .. } => {}
            Event::NextFire { key, due } => jobs.next(*key, *due),
            Event::SuccessDeadline { key, at } => jobs.success_deadline(*key, *at),
            Event::JobCounts {
                active,
                idle,
                paused,
                disabled,
                held,
            } => totals.set_jobs(totals::JobCounts {
                active: *active,
                idle: *idle,
                paused: *paused,
                disabled: *disabled,
                held: *held,
            }),
            Event::PausedUntil { key, at } => jobs.paused_until(*key, *at),
            Event::PausesKnown { count } => totals.pauses.store(*count, Ordering::Relaxed),
            Event::AttemptStarted {
                key, run, lateness, ..
            } => {
                jobs.started(*key, run);
                if let Some(lateness) = lateness {
                    totals.lateness.observe_run(Example {
                        run: run.id,
                        length: *lateness,
                        at: run.started_at,
                    });
                }
            }
            Event::RetryPlanned { key, run, .. } => jobs.waits(*key, run),
            Event::RunEnded {
                key,
                run,
                action,
                output_truncated,
            } => {
                if let Some(key) = key {
                    jobs.ended(*key, run, *output_truncated);
                }
                if let (Some(took), true) = (run.duration, run.attempt > 0) {
                    let example = Example {
                        run: run.id,
                        length: took,
                        at: run.finished_at,
                    };
                    totals.run(action, example);
                }
            }
            Event::NotRun { key, run, added } => {
                if let Some(key) = key {
                    jobs.not_run(*key, run, *added);
                }
            }
            Event::Queued { pool, length } => totals.queue(pool, *length),
            Event::PoolGone { pool } => totals.forget_queue(pool),
            Event::Tick { at } => totals.tick.set(*at),
            Event::ClockJump { forward, .. } => {
                let jumps = if *forward {
                    &totals.jumps_forward
                } else {
                    &totals.jumps_backward
                };
                jumps.fetch_add(1, Ordering::Relaxed);
            }
            Event::StoreOperation {
                operation,
                took,
                error,
            } => {
                let failed = match error {
                    Some(_) => totals::Failed::Yes,
                    None => totals::Failed::No,
                };
                totals.store_operation(operation, *took, failed);
            }
            Event::Claims { won, lost } => {
                totals.claims_won.fetch_add(*won, Ordering::Relaxed);
                totals.claims_lost.fetch_add(*lost, Ordering::Relaxed);
            }
            Event::Reloaded(report) => totals.reloaded(report),
            Event::Tzdata {
                version, source, ..
            } => totals.set_tzdata(version, source),
            Event::SagesKnown { names } => totals.set_sages(names),
            Event::SageDelivery {
                sage,
                result,
                count,
                ..
            } => totals.delivery(sage, *result, *count),
            Event::SageWaiting { sage, count } => totals.letters_wait(sage, *count),
            Event::SourceState { .. }
            | Event::LettersWritten
            | Event::JobsRenamed { .. }
            | Event::StoreBack
            | Event::Audit(_)
            | Event::Paused { .. }
            | Event::PauseOver { .. }
            | Event::Notice { .. }
            | Event::Stale { .. }
            | Event::Fresh { .. } => {}
        }
    }
}

impl Observer for Telemetry {
    fn observe(&self, event: &Event<'_>) {
        self.count(event);
        if let Event::JobRemoved { key } = event {
            let definition = self.jobs.remove(*key);
            lines::removed(definition.as_deref());
        } else {
            lines::write(event);
        }
    }
}
