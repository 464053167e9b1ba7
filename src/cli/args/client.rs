//! The commands that talk to a running elder, as they are typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use super::TableFormat;
use super::values;

/// Where `elder run` listens when nobody says otherwise.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:8000";

/// Which elder to talk to.
#[derive(Debug, Args)]
pub struct ClientArgs {
    /// The elder to talk to (ELDER_SERVER)
    #[arg(long, value_name = "URL", default_value = DEFAULT_SERVER, value_parser = values::server)]
    pub server: String,
    /// The file with the token (ELDER_TOKEN_FILE) [default: the one that an elder on this machine left for its port]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// Which elder to talk to, and how to write what it answers.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// How to write the answer
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: TableFormat,
    /// Which elder.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// The flags of `elder trigger`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elder trigger billing
  elder trigger billing --wait    ends 0 when the run succeeded, else 1")]
pub struct TriggerArgs {
    /// The job's name
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Wait for the run's end and end as it did
    #[arg(long)]
    pub wait: bool,
    /// Which elder, and how to write what it says.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// The flags of `elder rerun`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elder rerun 01KG…           the job of that run once more, as it is defined now
  elder rerun 01KG… --wait    ends 0 when the new run succeeded, else 1")]
pub struct RerunArgs {
    /// The run
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Wait for the new run's end and end as it did
    #[arg(long)]
    pub wait: bool,
    /// Which elder, and how to write what it says.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// The flags of `elder stop`.
#[derive(Debug, Args)]
#[command(after_help = "\
As SIGTERM: nothing fires any more, runs may end within --shutdown-grace, then they are ended.
Needs the role admin. Exit status: 0 it stops (with --wait: it has), 2 nobody answers, or it is still there.")]
pub struct StopArgs {
    /// Wait until it has ended
    #[arg(long)]
    pub wait: bool,
    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = values::duration)]
    pub timeout: Duration,
    /// Which elder.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// The flags of `elder pause`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elder pause billing --for 2h --reason 'the database moves'
  elder pause billing              until `elder resume billing`

Its fires are skipped until then. What has begun goes on; what waited to begin is skipped. Edits of its
file do not end the pause, and `elder trigger` runs it all the same.")]
pub struct PauseArgs {
    /// The job's name
    #[arg(value_name = "JOB")]
    pub job: String,
    /// How long; then it goes on by itself
    #[arg(long = "for", value_name = "TIME", value_parser = values::duration, conflicts_with = "until")]
    pub length: Option<Duration>,
    /// Until when; then it goes on by itself
    #[arg(long, value_name = "INSTANT", value_parser = values::instant)]
    pub until: Option<Timestamp>,
    /// Why: shown wherever the pause is
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Which elder, and how to write what it says.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// The flags of `elder resume`.
#[derive(Debug, Args)]
#[command(after_help = "\
What was due during the pause does not run; the job goes on with its next fire.")]
pub struct ResumeArgs {
    /// The job's name
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Which elder, and how to write what it says.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// The flags of `elder overrides`.
#[derive(Debug, Args)]
pub struct OverridesArgs {
    /// Which elder, and how to write what it says.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// The flags of `elder explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elder explain billing                       its last fire: did it run, and if not, why
  elder explain billing --at 02:00            the last one of that time, by the job's own clock
  elder explain billing --at 2027-03-28T02:30
  elder explain E012                          what a finding means; needs no running elder")]
pub struct ExplainArgs {
    /// A job's name, or the code of a finding
    #[arg(value_name = "JOB|CODE")]
    pub what: String,
    /// Which fire: an instant, a time by the job's own clock, or so long ago (24h) [default: the last one, else the next]
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Which elder, and how to write what it says.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// The flags of `elder sync`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elder sync                     read the files again, say what came of it
  elder sync --prune             confirm all removals that are held
  elder sync --prune old-report  confirm this one
  elder sync --force --reason 'mends the outage'
                                 in spite of a freeze (sync_windows); for admins")]
pub struct SyncArgs {
    /// Confirm held removals: all, or these jobs
    #[arg(long, value_name = "JOB", num_args = 0..)]
    pub prune: Option<Vec<String>>,
    /// Let a change in that a freeze holds
    #[arg(long, requires = "reason")]
    pub force: bool,
    /// Why, with --force: stands in the audit trail
    #[arg(long, value_name = "TEXT", requires = "force")]
    pub reason: Option<String>,
    /// Which elder, and how to write what it says.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// The flags of `elder backup`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elder backup                         into backups/ of elder's state folder
  elder backup elder-$(date +%F).db    FILE must not exist yet; elder itself writes it")]
pub struct BackupArgs {
    /// The file to write, on the machine of that elder [default: a new one among its own backups]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Which elder.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// The flags of `elder optimize`.
#[derive(Debug, Args)]
pub struct OptimizeArgs {
    /// Which elder.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// The flags of `elder status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Which elder, and how to write what it says.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// The flags of `elder stats`.
#[derive(Debug, Args)]
pub struct StatsArgs {
    /// Which elder, and how to write what it says.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// The flags of `elder list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elder list
  elder list --status held
  elder list --name backup --format json")]
pub struct ListArgs {
    /// Only jobs that are this: active, idle, paused, disabled, held
    #[arg(long, value_name = "STATUS")]
    pub status: Option<String>,
    /// Only names that hold this text
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// Which elder, and how to write what it says.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// The flags of `elder show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The job's name
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Which elder, and how to write what it says.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// The flags of `elder runs`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elder runs
  elder runs billing -n 50
  elder runs --outcome failed,timed_out --since 24h")]
pub struct RunsArgs {
    /// Only of this job
    #[arg(value_name = "JOB")]
    pub job: Option<String>,
    /// How many, the newest first
    #[arg(short = 'n', value_name = "N", default_value = "20", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub count: u16,
    /// Only those that ended so: success, failed, timed_out, cancelled, skipped, missed, interrupted
    #[arg(long, value_name = "OUTCOMES")]
    pub outcome: Option<String>,
    /// Only what was due within this time, or since this instant
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Which elder, and how to write what it says.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// The flags of `elder logs`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elder logs 01KG…        what a run said, so far or in all
  elder logs billing -f   the newest run of a job, as it speaks, to its end")]
pub struct LogsArgs {
    /// The run; or a job, for its newest run
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Go on until the run is over
    #[arg(short, long)]
    pub follow: bool,
    /// Which elder.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// The flags of `elder cancel`.
#[derive(Debug, Args)]
#[command(after_help = "\
A process gets SIGTERM, its job's kill_grace, SIGKILL; a run that has not begun does not begin.")]
pub struct CancelArgs {
    /// The run
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Wait until it is over
    #[arg(long)]
    pub wait: bool,
    /// Which elder, and how to write what it says.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// The flags of `elder report`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elder report
  elder report --since 7d --format json")]
pub struct ReportArgs {
    /// How far back
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = values::duration)]
    pub since: Duration,
    /// Which elder, and how to write what it says.
    #[command(flatten)]
    pub ask: AskArgs,
}

/// The flags of `elder wait`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elder wait --revision $(git rev-parse HEAD) --timeout 5m
  elder wait jobs.d       until that elder has just these files

Exit status: 0 in force, 1 refused or held, 2 not there in time, or nobody answers.")]
pub struct WaitArgs {
    /// Folders of job files, in the order of that elder's own, whose content is to be in force
    #[arg(value_name = "PATH")]
    pub paths: Vec<String>,
    /// The commit that is to be in force, or what `--revision` of that elder says; 7 digits are enough
    #[arg(long, value_name = "REV")]
    pub revision: Option<String>,
    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = values::duration)]
    pub timeout: Duration,
    /// Which elder.
    #[command(flatten)]
    pub client: ClientArgs,
}
