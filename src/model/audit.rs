//! The audit trail: who did what to elder, and what came of it.

use std::sync::Arc;

use jiff::Timestamp;

use super::words::words;

words! {
    /// What came of it, in one word.
    AuditResult {
        /// It was done.
        Done = "done",
        /// It was asked for and not allowed, or not possible.
        Refused = "refused",
        /// Only a part of it was done: a file is bad, or removals are held.
        Partial = "partial",
    }
}

/// Something that was done, or asked for in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who: a token's name, `signal`, `files`, `elder`.
    pub actor: Arc<str>,
    /// From where, as an address.
    pub from: Option<Arc<str>>,
    /// What: `run`, `reload`, `start`, `stop`, …
    pub action: Arc<str>,
    /// To what: a job, a run, a path of the API.
    pub subject: Option<Arc<str>>,
    /// What came of it.
    pub result: AuditResult,
    /// More of it in a sentence; no secrets.
    pub detail: Option<Arc<str>>,
    /// SHA-256 over all job files before, where it changed.
    pub before: Option<Arc<str>>,
    /// The same afterwards.
    pub after: Option<Arc<str>>,
    /// The request's identity, where the caller gave one.
    pub request: Option<Arc<str>>,
}
