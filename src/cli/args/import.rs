//! `elder import` as it is typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::values;

const IMPORT_EXAMPLES: &str = "\
Examples:
  elder import crontab /etc/crontab --timezone Europe/Berlin --output jobs.d/system.yaml
  crontab -l | elder import crontab - --prove > jobs.d/mine.yaml
  kubectl get cronjobs -A -o yaml | elder import cronjob -
  elder import systemd /etc/systemd/system/backup.timer      its .service is found beside it
  elder import cronstable cronstable.d/jobs.yaml --prove
  elder import apscheduler dump.json                         docs/migration.md says how to dump
  elder import celery dump.json                              the same, also for RedBeat

The job file goes to standard output or to --output; what is to be looked at, and the proof, to
standard error. What cannot be translated stands in the job file as a comment with the reason.

Exit status: 0 all of it is translated, 1 something is not, or the proof found a difference without
a known reason, 2 no answer (no such file, --output exists).";

/// The flags of `elder import`.
#[derive(Debug, Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub struct ImportArgs {
    /// Whose files they are
    #[arg(value_name = "FORMAT")]
    pub format: SourceFormat,
    /// The files; - for standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<String>,
    /// Compare the next fires of both sides, by the source's own rules
    #[arg(long)]
    pub prove: bool,
    /// How many fires of each job are compared
    #[arg(short, value_name = "N", default_value = "1000", requires = "prove", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub n: u32,
    /// Compare fires after this instant [default: now]
    #[arg(long, value_name = "RFC3339", requires = "prove", value_parser = values::instant)]
    pub from: Option<Timestamp>,
    /// Write the job file here
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write over a file that exists
    #[arg(long, requires = "output")]
    pub force: bool,
    /// The zone of the machine that the files come from, where they do not say
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub timezone: String,
    /// A crontab with a user before each command [default: guessed from name and content]
    #[arg(long, conflicts_with = "user")]
    pub system: bool,
    /// A crontab without users
    #[arg(long)]
    pub user: bool,
}

/// Whose files are imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SourceFormat {
    /// Debian's cron and cronie, of users and of the system
    Crontab,
    /// Kubernetes CronJob manifests
    Cronjob,
    /// .timer units with their .service
    Systemd,
    /// cronstable and yacron YAML
    Cronstable,
    /// A JSON dump of APScheduler 3, Celery beat or RedBeat
    #[value(alias = "celery", alias = "redbeat")]
    Apscheduler,
}
