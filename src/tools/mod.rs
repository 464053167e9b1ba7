//! Reports over what elder remembers, what hurts, and job files out of other schedulers' files.

pub mod doctor;
pub mod import;
pub mod report;
