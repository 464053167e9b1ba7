//! What ends an attempt from outside: its timeout, or somebody who stops it.

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Sleep;

use crate::duration;

use super::{Attempt, Stop};

/// Why an attempt is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// It took too long.
    TimedOut,
    /// Somebody wants it to end.
    Stopped,
    /// Somebody wants it to end without grace.
    StoppedNow,
}

/// Waits for a reason to cut an attempt off.
pub(super) struct Cutter {
    timeout: Option<Duration>,
    deadline: Option<Pin<Box<Sleep>>>,
    stop: watch::Receiver<Stop>,
}

impl Cutter {
    /// The attempt's time runs from here.
    pub(super) fn new(attempt: &Attempt) -> Self {
        let timeout = attempt.job.definition.policy.timeout;
        Self {
            timeout,
            deadline: timeout.map(|length| Box::pin(tokio::time::sleep(length))),
            stop: attempt.stop.clone(),
        }
    }

    /// Whether the attempt is to end before it began.
    pub(super) fn is_stopped(&self) -> bool {
        *self.stop.borrow() != Stop::No
    }

    /// Ends at the first reason; may be dropped and called again.
    pub(super) async fn next(&mut self) -> Cut {
        let deadline = async {
            match &mut self.deadline {
                Some(deadline) => deadline.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            stop = at_least(&mut self.stop, Stop::Gracefully) => match stop {
                Stop::Now => Cut::StoppedNow,
                Stop::Gracefully | Stop::No => Cut::Stopped,
            },
            () = deadline => Cut::TimedOut,
        }
    }

    /// Ends when the rest of the grace is to be skipped.
    pub(super) async fn no_more_grace(&mut self) {
        at_least(&mut self.stop, Stop::Now).await;
    }

    /// The timeout, for messages.
    pub(super) fn timeout_text(&self) -> String {
        duration::print(self.timeout.unwrap_or_default())
    }
}

async fn at_least(stop: &mut watch::Receiver<Stop>, least: Stop) -> Stop {
    let reached = stop.wait_for(|stop| *stop >= least).await;
    let reached = reached.map(|stop| *stop).ok();
    match reached {
        Some(stop) => stop,
        // Nobody is left who could stop it.
        None => std::future::pending().await,
    }
}
