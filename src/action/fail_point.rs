//! Where a test lets elder die, break or hang: at moments that no signal from outside can hit.
//!
//! Only in builds with debug assertions, which no release has; the command line reads the wish from
//! `ELDER_FAIL_POINT` and a release does not know that name.

use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

/// What is to happen when a job's attempt comes to that point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailPoint {
    at: Point,
    job: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// `kill -9` of elder when the row is recorded and nothing is started yet.
    BeforeStart,
    /// The same when the attempt has ended and its end is not recorded yet.
    BeforeOutcome,
    /// The attempt panics.
    PanicAttempt,
    /// The engine's loop panics.
    PanicEngine,
    /// The engine's loop stands still for ever.
    HangEngine,
}

impl FailPoint {
    /// Reads `POINT:JOB`.
    ///
    /// # Errors
    /// When it names no point.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (point, job) = text.split_once(':').unwrap_or((text, ""));
        let at = match point {
            "before-start" => Point::BeforeStart,
            "before-outcome" => Point::BeforeOutcome,
            "panic-attempt" => Point::PanicAttempt,
            "panic-engine" => Point::PanicEngine,
            "hang-engine" => Point::HangEngine,
            _ => return Err(format!("{point:?} is no fail point")),
        };
        let job = job.to_owned();
        Ok(Self { at, job })
    }

    /// Passed by the engine's loop.
    #[expect(clippy::panic, reason = "that is what it is for")]
    pub(super) fn in_engine(&self, job: &str) {
        match self.at {
            Point::PanicEngine if self.job == job => panic!("the fail point of the engine"),
            Point::HangEngine if self.job == job => loop {
                std::thread::sleep(Duration::from_secs(60));
            },
            _ => {}
        }
    }

    /// Passed by an attempt before it does anything.
    #[expect(clippy::panic, reason = "that is what it is for")]
    pub(super) fn before_start(&self, job: &str) {
        match self.at {
            Point::BeforeStart if self.job == job => die(),
            Point::PanicAttempt if self.job == job => panic!("the fail point of an attempt"),
            _ => {}
        }
    }

    /// Passed by an attempt that is over.
    pub(super) fn before_outcome(&self, job: &str) {
        if self.at == Point::BeforeOutcome && self.job == job {
            die();
        }
    }
}

fn die() {
    // Nothing is left that could hear of an error.
    let _ = kill_process(getpid(), Signal::KILL);
}
