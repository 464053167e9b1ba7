//! Reports over what elder remembers, what hurts, alert rules, and job files out of other schedulers' files.

pub mod doctor;
pub mod import;
pub mod report;
pub mod rules;
