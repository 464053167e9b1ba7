//! The daemon: builds everything from its options, starts it, waits, stops it in phases.

pub mod options;
