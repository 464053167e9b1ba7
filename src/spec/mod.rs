//! Job files: YAML text to a checked set of jobs, with all findings.
//!
//! [`check()`] is pure: it takes what the source read and answers with jobs and
//! findings, file by file. It never stops at the first finding and never reads
//! a clock, a file or the environment.

mod account;
mod action;
mod address;
mod aliases;
mod alike;
mod bytes;
pub mod calendars;
mod check;
mod clock_changes;
pub mod commons;
mod dates;
mod decode;
mod dst;
mod expression;
mod fields;
mod file;
mod fill;
mod fingerprint;
mod foreign;
mod given;
mod http;
mod ics;
mod instants;
mod interpolate;
mod job;
mod keep;
mod keys;
mod limits;
mod mapping;
mod merge;
mod modifiers;
mod month_days;
mod naming;
mod paths;
mod plain;
mod print;
mod problem;
mod quantities;
mod random;
mod read;
mod references;
mod retry;
mod schedule;
mod schema;
mod settings;
mod shared;
mod shell;
mod span;
mod suggest;
mod suite;
mod syntax;
mod team_policy;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod trust;
mod variables;
mod windows;
mod wire;
mod within;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::finding::Finding;
use crate::model::Job;

pub use account::is_user;
pub use alike::across;
pub use check::{check, check_among};
pub use clock_changes::clock_changes;
pub use dates::{name_notes, past_dates};
pub use expression::{ParsedSchedule, parse_schedule, schedule_of_json};
pub use fingerprint::fingerprint;
pub use given::Given;
pub use plain::{PlainKey, PlainSetting, settings_of};
pub use print::print;
pub use read::read;
pub use schema::{schema, test_schema};
pub use span::Span;
pub use suite::{Expectation, JobTests, KnownJob, Moment, ScheduleTest, TestFile, check_tests};
pub use team_policy::{Pattern, TeamPolicy, TeamRule, Waiver, is_bad_policy, team_policy};
pub use text::yaml_of;
pub use variables::{Shown, Variables};
pub use windows::{SYNC_WINDOWS, SettingsFile, check_settings};
pub use within::{Around, Within};

/// A file as it was read: what [`check()`] needs of it.
#[derive(Clone, Debug)]
pub struct InputFile {
    /// The PATH that it is below, as the command line named it.
    pub root: Arc<str>,
    /// The PATH, absolute and resolved: relative paths in the file must stay below it.
    pub root_folder: Arc<Path>,
    /// Below the PATH, with `/`.
    pub path: Arc<str>,
    /// As a person would name it.
    pub shown: Arc<str>,
    /// Its bytes, or a sentence that says why there are none.
    pub content: Result<Arc<[u8]>, String>,
    /// SHA-256 of the bytes; two inputs with equal root, path and hash are the same.
    pub hash: [u8; 32],
    /// Where its text stands, if it is no file of its own: findings are placed there.
    pub within: Option<Arc<Within>>,
}

/// What the check depends on beside the files.
#[derive(Clone, Default)]
pub struct Options {
    /// `--timezone`; UTC when absent.
    pub timezone: Option<Arc<str>>,
    /// Elder's environment, for `${NAME}`.
    pub env: Arc<HashMap<String, String>>,
    /// `--env-allow`: only these names may be used; `None` for all.
    pub env_allow: Option<Arc<Vec<String>>>,
    /// Whose values may be filled in, and where, when the files are of somebody who may not read
    /// elder's environment; `None` for all.
    pub lent: Option<Arc<Variables>>,
    /// `--allow-missing-env`: a name that is not set is a warning and empty text.
    pub allow_missing_env: bool,
}

/// The checked files.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// One for each input that is a job file or `_defaults.yaml`, in the order given.
    pub files: Vec<Arc<CheckedFile>>,
}

/// One checked file. Cross-file checks (names claimed twice) are not in it: `decide::merge` makes them.
#[derive(Clone, Debug)]
pub struct CheckedFile {
    /// The PATH.
    pub root: Arc<str>,
    /// Below the PATH.
    pub path: Arc<str>,
    /// As a person would name it.
    pub shown: Arc<str>,
    /// SHA-256 of the file's bytes and of every `_defaults.yaml` that it inherits from.
    pub hash: [u8; 32],
    /// Whether it is a `_defaults.yaml`.
    pub is_defaults: bool,
    /// Its jobs, in order; empty when it is bad.
    pub jobs: Vec<Job>,
    /// Which keys each of them says, in the same order.
    pub given: Vec<Given>,
    /// What it defines for the whole tree, in order; nothing when it is bad.
    pub commons: Arc<crate::model::Commons>,
    /// For a good `.ics` file, its dates.
    pub dates: Option<Arc<crate::schedule::Calendar>>,
    /// What of other files the result depends on.
    pub uses: Box<[commons::Use]>,
    /// What that was: [`commons::Table::state_of`] it.
    pub uses_state: u64,
    /// The variables of elder's environment that it asks for, also in a bad file as far as it could be read.
    pub variables: Variables,
    /// Where each name stands, also in a bad file as far as it could be read.
    pub names: Vec<NamePlace>,
    /// Everything found in it.
    pub findings: Vec<Finding>,
    /// For a good `_defaults.yaml`, its text; so that its last good version can serve while it is bad.
    pub defaults_text: Option<Arc<str>>,
}

/// Where a name stands.
#[derive(Clone, Debug)]
pub struct NamePlace {
    /// Whose name it is.
    pub kind: crate::model::NameKind,
    /// The name as written.
    pub name: Arc<str>,
    /// Where.
    pub at: crate::finding::Excerpt,
}

impl CheckedFile {
    /// Whether the file is refused.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == crate::finding::Severity::Error)
    }
}
