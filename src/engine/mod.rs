//! The engine: decides in a pure state machine, acts through ports.
//!
//! [`state`] owns everything that runs or waits and has no idea of time
//! passing, threads or stores; [`timetable`] keeps its deadlines. The driver is
//! the loop around them: it gives inputs, carries effects out through the ports,
//! and lets nobody else touch the state. [`Handle`] is how the rest of the house
//! talks to it.

#[cfg(test)]
mod answering;
mod committer;
mod driver;
mod handle;
pub mod state;
#[cfg(test)]
mod tests;
pub mod timetable;

pub use driver::{Driver, Parts};
pub use handle::{
    ApplyAnswer, Change, Gone, Handle, JobPage, JobQuery, JobStatus, JobView, Message, NotApplied,
    PauseAnswer, PausePage, PauseRequest, PauseWish, PausedJob, Refusal, Renamed, RunHead, Stats,
    TriggerRequest, Triggered, Waits,
};
pub use state::Settings;
