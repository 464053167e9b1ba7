//! Windows of the sync: spans of time in which changes of job files are let in, or wait.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::words::words;
use crate::schedule::Schedule;

words! {
    /// What a window does with changes.
    WindowKind {
        /// They come in; where there are such windows, only then.
        Allow = "allow",
        /// They wait, whatever else allows them.
        Deny = "deny",
    }
}

/// A window: it opens at each fire of its schedule, and stays open for so long.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncWindow {
    /// What it does.
    pub kind: WindowKind,
    /// When it opens.
    pub schedule: Arc<Schedule>,
    /// The schedule in the words of the file.
    pub text: Arc<str>,
    /// How long it is open.
    pub length: Duration,
    /// Why, in the words of its author.
    pub reason: Option<Arc<str>>,
}

impl SyncWindow {
    /// When it closes, if it is open at `at`.
    #[must_use]
    pub fn closes(&self, at: Timestamp) -> Option<Timestamp> {
        let before = at.saturating_sub(self.length).unwrap_or(Timestamp::MIN);
        let opened = self.schedule.newest(before, at, 1).pop()?.scheduled;
        Some(opened.saturating_add(self.length).unwrap_or(Timestamp::MAX))
    }
}
