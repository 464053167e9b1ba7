//! Carries out one attempt of a run: starts a process or sends a request.
//!
//! One trait and its adapters, one file each. An adapter reports how the
//! attempt ended; whether there is another one is not its business.

mod cut;
pub mod env_file;
#[cfg(debug_assertions)]
mod fail_point;
mod failure;
mod fill;
mod http;
mod live;
mod mask;
mod output;
pub mod process;
mod runner;
mod secrets;
mod starts;
#[cfg(test)]
mod testing;
mod told;
mod trace;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::ids::RunId;
use crate::model::{AttemptEnd, Job, Trigger};

#[cfg(debug_assertions)]
pub use fail_point::FailPoint;
pub use http::{BadRule, Egress, EgressRule};
pub use live::{Listener, Live, Piece};
pub use runner::{LocalRunner, NoRunner, Surroundings};
pub use told::Told;
pub use trace::traceparent;

/// One attempt to carry out.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The run.
    pub run: RunId,
    /// The definition that the run began with.
    pub job: Job,
    /// The run's scheduled instant.
    pub scheduled_at: Timestamp,
    /// From 1.
    pub attempt: u32,
    /// What made the run.
    pub trigger: Trigger,
    /// The scheduled instant of the last successful run.
    pub previous_success_at: Option<Timestamp>,
    /// The revision of the definition.
    pub revision: Option<Arc<str>>,
    /// What a sage is told by this: `job` is made of the sage, `run` is the letter. `None` for a job's own run.
    pub told: Option<Arc<Told>>,
    /// Turns to `true` when the attempt is to end: TERM, the job's grace, KILL. [`Stop::Now`] skips the grace.
    pub stop: watch::Receiver<Stop>,
}

/// Whether an attempt may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// It may.
    No,
    /// End it: TERM, the grace, KILL.
    Gracefully,
    /// End it at once.
    Now,
}

/// An attempt under way.
pub type Attempting = Pin<Box<dyn Future<Output = AttemptEnd> + Send>>;

/// Carries out attempts.
pub trait Runner: Send + Sync + 'static {
    /// Begins the attempt; the future ends when everything of it has ended. It never panics on what a job says,
    /// and it always ends within the job's timeout plus its grace plus a second.
    fn attempt(&self, attempt: Attempt) -> Attempting;
}
