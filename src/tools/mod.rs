//! Reports over what elder remembers, why a fire ran or did not, what hurts, alert rules, and job
//! files out of other schedulers' files.

pub mod doctor;
pub mod explain;
pub mod import;
pub mod report;
pub mod rules;
