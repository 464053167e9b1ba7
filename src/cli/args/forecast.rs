//! The commands that look ahead, as they are typed.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::files::FindingFormat;
use super::values;
use crate::ids::JobName;
use crate::schedule::TzdataChoice;

const TEST_EXAMPLES: &str = "\
Examples:
  elder test                       every *.test.yaml of jobs.d
  elder test jobs.d --coverage     and which jobs have no test
  elder test jobs.d/backup.yaml    the tests of that file's jobs

Exit status: 0 all tests hold, 1 a test fails or a file is bad, 2 no answer (no such PATH, no test).";

/// The flags of `elder test`.
#[derive(Debug, Args)]
#[command(after_help = TEST_EXAMPLES)]
pub struct TestArgs {
    /// Folders, job files or *.test.yaml files [default: jobs.d]
    #[arg(value_name = "PATH")]
    pub paths: Vec<String>,
    /// How to write the answer; auto is github where GITHUB_ACTIONS is set, else human
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub format: FindingFormat,
    /// List the jobs without a test
    #[arg(long)]
    pub coverage: bool,
    /// Files of NAME=value lines for ${NAME}
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub env_file: Vec<PathBuf>,
    /// A ${NAME} that is not set is a warning
    #[arg(long)]
    pub allow_missing_env: bool,
    /// The tree that a single file belongs to [default: the outermost parent with a _defaults.yaml, else its folder]
    #[arg(long, value_name = "FOLDER")]
    pub root: Option<String>,
    /// Whose time zone data; bundled answers alike on every machine
    #[arg(long, value_name = "WHICH", default_value = "bundled")]
    pub tzdata: TzdataChoice,
}

const PLAN_EXAMPLES: &str = "\
Examples:
  elder plan                                  jobs.d beside the last commit
  elder plan --against git:origin/main        beside another revision
  elder plan --against git:origin/main --format markdown    for a comment on a pull request
  elder plan --against ../deployed/jobs.d     beside another folder
  elder plan --against http://127.0.0.1:8000  beside what that elder runs
  kubectl kustomize overlays/shop | elder plan - --against http://127.0.0.1:8000

Exit status: 0 fine, 1 a file is bad, 2 no answer, 3 there are changes (with --exit-code).";

/// The flags of `elder plan`.
#[derive(Debug, Args)]
#[command(after_help = PLAN_EXAMPLES)]
pub struct PlanArgs {
    /// Folders of job files, or Kubernetes manifests that hold them [default: jobs.d]
    #[arg(value_name = "PATH")]
    pub paths: Vec<String>,
    /// git:REV, a folder, a manifest, or the URL of a running elder [default: the target of the merge request where CI names it, else git:HEAD]
    #[arg(long, value_name = "WHAT", value_parser = against)]
    pub against: Option<PlanAgainst>,
    /// How to write the answer
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: PlanFormat,
    /// End with status 3 when there are changes
    #[arg(long)]
    pub exit_code: bool,
    /// From when on fires are counted [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = values::instant)]
    pub from: Option<Timestamp>,
    /// The zone of jobs that name none [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// More than this part of a PATH's jobs is not removed at once
    #[arg(long, value_name = "PERCENT", default_value = "50%", value_parser = values::percent)]
    pub prune_limit: u8,
    /// How many processes may run at once
    #[arg(long, value_name = "N", default_value = "64")]
    pub max_workers: NonZeroU32,
    /// How many http requests may run at once
    #[arg(long, value_name = "N", default_value = "1024")]
    pub max_requests: NonZeroU32,
    /// Files of NAME=value lines for ${NAME}
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub env_file: Vec<PathBuf>,
    /// A ${NAME} that is not set is a warning
    #[arg(long)]
    pub allow_missing_env: bool,
    /// Whose time zone data; bundled answers alike on every machine
    #[arg(long, value_name = "WHICH", default_value = "bundled")]
    pub tzdata: TzdataChoice,
    /// The file with the token, for a running elder (ELDER_TOKEN_FILE) [default: the one that an elder on this machine left for its port]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// `--format` of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people
    Human,
    /// For programs
    Json,
    /// For a comment on a pull request
    Markdown,
}

/// `--against`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanAgainst {
    /// `git:REV`
    Git(String),
    /// A folder.
    Folder(PathBuf),
    /// A running elder.
    Server(String),
}

fn against(text: &str) -> Result<PlanAgainst, String> {
    if let Some(revision) = text.strip_prefix("git:") {
        return match revision {
            "" => Err("a revision belongs after git:, such as git:origin/main".to_owned()),
            revision => Ok(PlanAgainst::Git(revision.to_owned())),
        };
    }
    if text.contains("://") {
        return values::server(text).map(PlanAgainst::Server);
    }
    Ok(PlanAgainst::Folder(PathBuf::from(text)))
}

const SIMULATE_EXAMPLES: &str = "\
Examples:
  elder simulate                                         jobs.d in the next 24 hours
  elder simulate --from 2027-03-28T00:00:00Z --until 2027-03-29T00:00:00Z --timezone Europe/Berlin
  elder simulate --duration 2m --duration nightly-backup=40m --max-workers 8
  elder simulate --state elder-state --percentile 95     with the run times that the store remembers
  elder simulate --format svg --output week.svg --until 2027-04-05T00:00:00Z
  elder simulate --all --format json                     every fire, one JSON object a line";

/// The flags of `elder simulate`.
#[derive(Debug, Args)]
#[command(after_help = SIMULATE_EXAMPLES)]
pub struct SimulateArgs {
    /// Folders of job files, or single files [default: jobs.d]
    #[arg(value_name = "PATH")]
    pub paths: Vec<String>,
    /// The first instant of the span [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = values::instant)]
    pub from: Option<Timestamp>,
    /// The instant after its last [default: 24 hours after --from]
    #[arg(long, value_name = "RFC3339", value_parser = values::instant)]
    pub until: Option<Timestamp>,
    /// The zone of jobs that name none, and of what is shown [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// How to write the answer
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: SimulateFormat,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Every fire, one a line: CSV, or JSON with --format json
    #[arg(long)]
    pub all: bool,
    /// How many of the first fires the table lists
    #[arg(short, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub n: u32,
    /// How long runs take: TIME for all, JOB=TIME for one; may be repeated [default: 30s]
    #[arg(long, value_name = "[JOB=]TIME", value_parser = run_time)]
    pub duration: Vec<RunTime>,
    /// Take run times from the store in this state folder
    #[arg(long, value_name = "FOLDER")]
    pub state: Option<PathBuf>,
    /// Take run times from this store: sqlite:FILE
    #[arg(long, value_name = "STORE")]
    pub store: Option<String>,
    /// Which of a job's remembered run times to take; 50 is the median
    #[arg(long, value_name = "P", default_value = "50", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub percentile: u8,
    /// How many processes may run at once
    #[arg(long, value_name = "N", default_value = "64")]
    pub max_workers: NonZeroU32,
    /// How many http requests may run at once
    #[arg(long, value_name = "N", default_value = "1024")]
    pub max_requests: NonZeroU32,
    /// How many fires are followed through pools and overlaps; the rest is only counted
    #[arg(long, value_name = "N", default_value = "1000000")]
    pub follow: u64,
    /// Files of NAME=value lines for ${NAME}
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub env_file: Vec<PathBuf>,
    /// Whose time zone data; auto takes the newer
    #[arg(long, value_name = "WHICH", default_value = "auto")]
    pub tzdata: TzdataChoice,
}

/// `--format` of a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SimulateFormat {
    /// For people
    Human,
    /// For programs
    Json,
    /// A picture
    Svg,
}

/// One `--duration`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunTime {
    /// Whose; `None` for all others.
    pub job: Option<JobName>,
    /// How long.
    pub time: Duration,
}

fn run_time(text: &str) -> Result<RunTime, String> {
    let (job, time) = match text.split_once('=') {
        Some((job, time)) => {
            let job = JobName::new(job).map_err(|error| error.to_string())?;
            (Some(job), time)
        }
        None => (None, text),
    };
    let time = values::duration(time)?;
    Ok(RunTime { job, time })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_time_is_for_all_or_for_one_job() {
        let second = Duration::from_secs(1);
        assert_eq!(
            run_time("30s"),
            Ok(RunTime {
                job: None,
                time: second * 30
            })
        );
        let one = run_time("nightly.backup=5m").unwrap();
        assert_eq!(one.job.unwrap().as_str(), "nightly.backup");
        assert_eq!(one.time, second * 300);
        for bad in ["", "30", "a b=5m", "=5m", "a=", "a=b=5m"] {
            assert!(run_time(bad).is_err(), "{bad}");
        }
    }
}
