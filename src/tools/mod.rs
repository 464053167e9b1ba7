//! Reports over what elder remembers, why a fire ran or did not, what hurts, alert rules, the layout
//! of job files, and job files out of other schedulers' files.

pub mod doctor;
pub mod explain;
pub mod fmt;
pub mod import;
pub mod report;
pub mod rules;
