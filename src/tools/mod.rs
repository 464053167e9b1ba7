//! Reports and other tools over what elder remembers.

pub mod report;
