//! Reports and other tools over what elder remembers.

pub mod doctor;
pub mod report;
