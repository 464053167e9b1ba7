//! `elder doctor`: what will hurt, said before it does.
//!
//! Pure checks over [`Facts`] that the command line gathers. Each check gives
//! at least one line, so that the list says what was looked at, too.

mod files;
mod host;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

/// What was found out about the host, the tree and the state folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// When it is.
    pub now: Timestamp,
    /// Time zones.
    pub tzdata: TzdataFacts,
    /// Whether the clock is kept in step, as kernel or service say.
    pub clock: Synchronised,
    /// The newest change of a file of the tree.
    pub newest_file: Option<(PathBuf, Timestamp)>,
    /// The kernel's reports of changes.
    pub inotify: InotifyFacts,
    /// What is mounted on or below a PATH.
    pub mounts: Vec<Mount>,
    /// What others than its owner and its group may write.
    pub writable: Vec<PathBuf>,
    /// Files of secrets that others may read.
    pub readable_secrets: Vec<PathBuf>,
    /// How many files and folders could not be looked at.
    pub unreadable: Vec<String>,
    /// Good jobs.
    pub jobs: usize,
    /// Findings that are errors.
    pub bad_files: usize,
    /// A job, and why it cannot start.
    pub missing: Vec<(String, String)>,
    /// The store.
    pub store: StoreFacts,
    /// The file system of the state folder, or of where it will be.
    pub disk: Option<DiskFacts>,
    /// Descriptors that the system allows; `None` is no limit.
    pub open_files: Option<u64>,
    /// Processes and requests at once, as the defaults have it.
    pub places: u64,
    /// Control groups.
    pub cgroup: Cgroup,
    /// Jobs with `limits` that only control groups enforce.
    pub limited: Vec<String>,
    /// The `--config` file, and what is wrong with it.
    pub settings: Option<(PathBuf, Vec<String>)>,
    /// Daemons on this host: process and PATHs, resolved.
    pub daemons: Vec<(u32, Vec<PathBuf>)>,
    /// The PATHs that were asked about, resolved.
    pub paths: Vec<PathBuf>,
}

/// The rules of time zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TzdataFacts {
    /// In use: version and where it is from.
    pub version: Option<String>,
    /// `bundled`, or the folder.
    pub source: String,
    /// Built in.
    pub bundled: Option<String>,
}

/// Whether the clock is kept in step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synchronised {
    /// A service says so.
    Yes,
    /// A service runs and does not say so.
    NotYet,
    /// The kernel says that nobody keeps it.
    No,
    /// Nobody says anything that can be read.
    Unknown,
}

/// The kernel's reports of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InotifyFacts {
    /// Why there are none.
    pub refused: Option<String>,
    /// How many folders a user may watch.
    pub watches: Option<u64>,
    /// Folders of the tree.
    pub folders: u64,
}

/// Something mounted on or below a PATH, or what a PATH lies on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where.
    pub at: PathBuf,
    /// Which part of its file system.
    pub root: String,
    /// `ext4`, `nfs4`.
    pub kind: String,
    /// Whether it is a single file.
    pub is_file: bool,
}

/// The store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreFacts {
    /// `memory:`
    Memory,
    /// There is none yet.
    None(PathBuf),
    /// A file, with the process that has it, and what a look at its pages says.
    File {
        /// Where.
        at: PathBuf,
        /// The elder that has it open; 0 when it does not say who it is.
        holder: Option<u32>,
        /// What is wrong with it, or why that cannot be told.
        pages: Pages,
    },
    /// The address is not one of a store that this build has.
    Unusable(String),
}

/// What a look at a store's pages says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pages {
    /// They are sound.
    Sound,
    /// They are not.
    Damaged(String),
    /// They cannot be looked at without touching anything.
    Unseen(String),
}

/// A file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskFacts {
    /// Where.
    pub at: PathBuf,
    /// Bytes that elder's user may still write.
    pub free: u64,
    /// Files that may still be made; `None` where there is no such number.
    pub free_files: Option<u64>,
    /// Whether others may look into the folder.
    pub open_to_others: bool,
    /// Its kind, where it is a network's.
    pub network: Option<String>,
}

/// Control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cgroup {
    /// Version 2, and elder may make groups of its own.
    Delegated,
    /// Version 2, and elder may not.
    NotDelegated,
    /// No version 2.
    Absent,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Fine.
    Ok,
    /// It may hurt one day.
    Warn,
    /// It hurts.
    Fail,
    /// It could not be looked at.
    Skip,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What was looked at, in a word.
    pub check: &'static str,
    /// How it came out.
    pub status: Status,
    /// A sentence.
    pub message: String,
    /// The mend; empty when there is nothing to mend.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub help: String,
}

impl Line {
    fn new(
        check: &'static str,
        status: Status,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            check,
            status,
            message: message.into(),
            help: help.into(),
        }
    }

    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Status::Ok, message, "")
    }
}

/// What the facts mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// In the order of the checks.
    pub checks: Vec<Line>,
}

impl Diagnosis {
    /// Checks everything.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        let mut checks = Vec::new();
        host::check(facts, &mut checks);
        files::check(facts, &mut checks);
        Self { checks }
    }

    /// How many lines have this status.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        let lines = self.checks.iter();
        lines.filter(|line| line.status == status).count()
    }

    /// For people: a line each, with its mend below.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        for line in &self.checks {
            let status = match line.status {
                Status::Ok => "OK",
                Status::Warn => "WARN",
                Status::Fail => "FAIL",
                Status::Skip => "SKIP",
            };
            // Nothing can fail in writing to memory.
            let _ = writeln!(text, "{status:<5} {:<10} {}", line.check, line.message);
            if !line.help.is_empty() {
                let _ = writeln!(text, "{:16} {}", "", line.help);
            }
        }
        let (fail, warn) = (self.count(Status::Fail), self.count(Status::Warn));
        let _ = match (fail, warn) {
            (0, 0) => writeln!(text, "nothing to mend"),
            _ => writeln!(text, "{fail} to mend, {warn} to look at"),
        };
        text
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "checks": self.checks,
            "failures": self.count(Status::Fail),
            "warnings": self.count(Status::Warn),
        })
    }
}

/// The first few, and how many there are more.
fn some<T: ToString>(all: &[T]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = all.iter().take(SHOWN).map(ToString::to_string).collect();
    match all.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
