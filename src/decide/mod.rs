//! Decisions as plain functions: merge, diff, due, admit, retry, recover.

pub mod diff;
pub mod merge;
