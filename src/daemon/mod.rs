//! The daemon: builds everything from its options, starts it, waits, stops it in phases.

mod error;
pub mod options;

pub use error::RunError;
