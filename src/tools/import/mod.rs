//! Job files out of the files of other schedulers.
//!
//! [`import`] is pure: texts in, the text of a job file out, with everything that could not be
//! translated as a finding. What is printed has been checked by `spec`: an entry that would not
//! pass is written as a comment with the reason. [`Imported::prove`] compares the fires of both
//! sides.
//!
//! One file per source. Each makes `Draft`s; `print` writes them; `calendar` is a set of dates
//! and times as all sources understand it, `cron_line` the way from there to elder's schedules,
//! `target` the one place that knows which of elder's keys take what else a source says.

mod apscheduler;
mod calendar;
mod celery;
mod command;
mod cron_line;
mod cronjob;
mod cronstable;
mod crontab;
mod draft;
mod field;
mod on_calendar;
mod print;
mod prove;
mod quartz;
mod service;
mod settle;
mod systemd;
mod target;
#[cfg(test)]
mod tests;
mod text;
mod unit;

use std::path::PathBuf;

use crate::finding::{Code, Finding};
use crate::schedule::Zones;

pub use super::page::SourceFile;
pub use prove::{Proof, Verdict};
pub use settle::Imported;

use super::page::{Spot, Trouble};
use draft::Sheet;

/// Whose files they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Debian's cron and cronie: user and system crontabs.
    Crontab,
    /// Kubernetes CronJobs.
    Cronjob,
    /// systemd's `.timer` with its `.service`.
    Systemd,
    /// cronstable, and yacron which it comes from.
    Cronstable,
    /// A dump of APScheduler 3 or of Celery beat as JSON.
    Apscheduler,
}

/// Which columns a crontab has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Guessed from the file's name and content.
    Auto,
    /// Five columns and the command.
    User,
    /// A user before the command.
    System,
}

/// What the files do not say.
pub struct Options<'a> {
    /// The zone of the machine that they come from.
    pub timezone: &'a str,
    /// For crontabs.
    pub columns: Columns,
    /// tzdata.
    pub zones: &'a Zones,
}

/// Makes a job file of the files of one scheduler.
#[must_use]
pub fn import(format: Format, files: &[SourceFile], options: &Options<'_>) -> Imported {
    let mut sheet = match format {
        Format::Crontab => crontab::read(files, options),
        Format::Cronjob => cronjob::read(files, options),
        Format::Systemd => systemd::read(files, options),
        Format::Cronstable => cronstable::read(files, options),
        Format::Apscheduler => apscheduler::read(files, options),
    };
    // A dump that failed is no scheduler without jobs.
    if sheet.drafts.is_empty() && sheet.troubles.is_empty() {
        let help = "is it the file that was meant, and did what wrote it succeed?";
        let trouble =
            Trouble::untranslated(Spot::default(), "there is no job in these files", help);
        sheet.troubles.push((0, trouble));
    }
    settle::settle(format, files, sheet, options)
}

/// Files that `file` needs beside it: included ones, and the `.service` of a `.timer`.
/// A missing one is no error here; the import says what it lacks.
#[must_use]
pub fn companions(format: Format, file: &SourceFile) -> Vec<PathBuf> {
    let folder = std::path::Path::new(&*file.name).parent();
    let beside = |name: &str| folder.map_or_else(|| PathBuf::from(name), |dir| dir.join(name));
    match format {
        Format::Systemd => systemd::companions(file)
            .iter()
            .map(|n| beside(n))
            .collect(),
        Format::Cronstable => cronstable::includes(file)
            .iter()
            .map(|n| beside(n))
            .collect(),
        Format::Crontab | Format::Cronjob | Format::Apscheduler => Vec::new(),
    }
}

impl Format {
    /// The word of the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crontab => "crontab",
            Self::Cronjob => "cronjob",
            Self::Systemd => "systemd",
            Self::Cronstable => "cronstable",
            Self::Apscheduler => "apscheduler",
        }
    }
}

fn findings(sheet: &Sheet, files: &[SourceFile]) -> Vec<Finding> {
    let own = sheet
        .troubles
        .iter()
        .map(|(file, trouble)| (*file, trouble));
    let of_drafts = sheet
        .drafts
        .iter()
        .flat_map(|draft| draft.troubles.iter().map(|trouble| (draft.file, trouble)));
    let lines: Vec<Vec<&str>> = files
        .iter()
        .map(|file| file.text.lines().collect())
        .collect();
    let mut found: Vec<Finding> = Vec::new();
    let mut more = 0usize;
    for (index, trouble) in own.chain(of_drafts) {
        let (Some(file), Some(lines)) = (files.get(index), lines.get(index)) else {
            continue;
        };
        if found.len() >= MOST_FINDINGS {
            more += 1;
            continue;
        }
        let finding = file.finding(trouble.clone(), lines);
        // A bad line above several entries is said once.
        if !found.contains(&finding) {
            found.push(finding);
        }
    }
    if let Some(file) = files.first().filter(|_| more > 0) {
        let message = format!("and {more} more: they stand in the job file as comments");
        let trouble = Trouble::new(Code::MoreFindings, Spot::default(), message, "");
        found.push(file.finding(trouble, &[]));
    }
    found
}

/// Findings that anybody could want to see.
const MOST_FINDINGS: usize = 200;
