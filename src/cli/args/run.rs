//! `elder run` as it is typed. Each flag is also an `ELDER_…` variable.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::action::EgressRule;
use crate::schedule::TzdataChoice;
use crate::secret::Secret;
use crate::server::Public;
use crate::telemetry::{JobMetrics, log};

use super::values;

const EXAMPLES: &str = "\
Examples:
  elder run jobs.d
  elder run jobs.d --timezone Asia/Tokyo --log-format json
  elder run /etc/elder/jobs.d --state /var/lib/elder --listen 0.0.0.0:8000 --tokens /etc/elder/tokens

Every flag is also a variable and a key of the --config file: --max-workers is ELDER_MAX_WORKERS, max_workers.
The flag wins over the variable, and that over the file; `elder config show` says which did.
SIGHUP reads the files again. SIGTERM lets runs end within --shutdown-grace; a second one ends at once.";

/// The flags of `elder run`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// Folders of job files [default: jobs.d]
    #[arg(value_name = "PATH")]
    pub paths: Vec<String>,
    /// A file of settings: each flag below is a key of it, with _ for -
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to serve metrics, health and the API
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000", value_parser = values::listen)]
    pub listen: SocketAddr,
    /// The folder for all that elder writes
    #[arg(long, value_name = "FOLDER", default_value = "elder-state")]
    pub state: PathBuf,
    /// Where runs are remembered: sqlite:FILE or memory: [default: sqlite:STATE/elder.db]
    #[arg(
        long,
        value_name = "STORE",
        default_value = "sqlite:",
        hide_default_value = true
    )]
    pub store: String,
    /// The zone of jobs that name none [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Whose time zone data; auto takes the newer
    #[arg(long, value_name = "WHICH", default_value = "auto")]
    pub tzdata: TzdataChoice,
    /// How many processes may run at once [default: 64]
    #[arg(long, value_name = "N")]
    pub max_workers: Option<NonZeroU32>,
    /// How many http requests may run at once
    #[arg(long, value_name = "N", default_value = "1024")]
    pub max_requests: NonZeroU32,
    /// How long runs may go on after SIGTERM
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = values::duration)]
    pub shutdown_grace: Duration,
    /// Removing a larger share of a PATH's jobs waits for `elder sync --prune`
    #[arg(long, value_name = "SHARE", default_value = "50%", value_parser = values::percent)]
    pub prune_limit: u8,
    /// Refuse to start with a bad file
    #[arg(long)]
    pub strict: bool,
    /// A PATH without a job file is fine
    #[arg(long)]
    pub allow_empty: bool,
    /// Files of NAME=value lines, added to elder's environment
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub env_file: Vec<PathBuf>,
    /// Only these names may stand in ${NAME}
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = values::variable_name)]
    pub env_allow: Option<Vec<String>>,
    /// Take the rights of setuid programs from elder and all that it starts
    #[arg(long)]
    pub no_new_privs: bool,
    /// Where http jobs may go, first match wins: deny:private, allow:10.0.0.0/8, allow-host:NAME
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    pub egress: Vec<EgressRule>,
    /// Tokens with their roles, for people and programs elsewhere
    #[arg(long, value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// Who did what, as JSON lines; opened anew on SIGHUP
    #[arg(long, value_name = "FILE")]
    pub audit_log: Option<PathBuf>,
    /// What may be read without a token
    #[arg(long, value_name = "PAGES", default_value = "metrics,health")]
    pub public: Public,
    /// Names by which this elder may be called
    #[arg(long, value_name = "HOSTS", value_delimiter = ',')]
    pub allowed_host: Vec<String>,
    /// Whether writes need a token; none works on loopback alone
    #[arg(long, value_name = "HOW", default_value = "token")]
    pub auth: Auth,
    /// Which jobs have metrics: all, top:N or off [default: all, above 10,000 jobs top:10000]
    #[arg(long, value_name = "WHICH")]
    pub job_metrics: Option<JobMetrics>,
    /// How much to say: error, warn, info, debug, trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<log::Level>,
    /// How to say it: text, json or logfmt [default: text on a terminal, else json]
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "auto",
        hide_default_value = true
    )]
    pub log_format: log::Format,
    /// Ask this address now and then, as long as all is well: a dead man's switch for elder itself
    #[arg(long, value_name = "URL", value_parser = values::secret)]
    pub heartbeat_url: Option<Secret>,
    /// How often to ask it
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = values::heartbeat_every)]
    pub heartbeat_every: Duration,
    /// What the files are at, for runs and metrics
    #[arg(long, value_name = "TEXT")]
    pub revision: Option<String>,
    /// Who made that revision, for runs and sages; else git is asked
    #[arg(long, value_name = "NAME")]
    pub author: Option<String>,
}

/// `--auth`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// Every write needs a token
    Token,
    /// Nobody is asked
    None,
}
