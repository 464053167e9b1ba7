//! The engine: decides in a pure state machine, acts through ports.

mod handle;

pub use handle::{
    ApplyAnswer, Change, Gone, Handle, JobPage, JobQuery, JobStatus, JobView, Message, Refusal,
    RunHead, Stats, TriggerRequest, Triggered,
};
