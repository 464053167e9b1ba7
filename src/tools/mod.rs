//! Reports over what elder remembers, why a fire ran or did not, what hurts, alert rules, the layout
//! of job files, a team's own rules, job files out of other schedulers' files and within Kubernetes
//! manifests.

pub mod doctor;
pub mod explain;
pub mod fmt;
pub mod import;
pub mod manifest;
mod page;
pub mod policy;
pub mod report;
pub mod rules;
mod yaml;
