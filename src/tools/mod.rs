//! Reports over what elder remembers, and job files out of other schedulers' files.

pub mod import;
pub mod report;
