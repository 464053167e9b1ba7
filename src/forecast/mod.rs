//! What schedules will do: questions about the future, answered without a daemon.

pub mod next;
pub mod plan;
pub mod simulate;
pub mod suite;
pub mod trial;
