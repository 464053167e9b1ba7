//! What `elder run` was asked to do: flags, variables and defaults resolved to plain data.

use std::collections::HashMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::action::Egress;
use crate::schedule::Tzdata;
use crate::secret::Secret;
use crate::server::{Auth, Public};
use crate::telemetry::{JobMetrics, log};

/// Everything that a daemon is built from. The command line fills it in and has
/// checked what can be checked without touching the machine.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Where the job files are.
    pub paths: Paths,
    /// `--config`: its flags are read already, its `sync_windows` are not; it may lie below a PATH, and
    /// is no job file.
    pub config: Option<PathBuf>,
    /// `--listen`; port 0 lets the system choose, the log says which.
    pub listen: SocketAddr,
    /// `--state`: everything that elder writes.
    pub state: PathBuf,
    /// `--store`, as `store::open` takes it. It may hold a password: never print it.
    pub store: String,
    /// `--timezone`; UTC when absent. Not yet looked up: only tzdata knows whether it exists.
    pub timezone: Option<Arc<str>>,
    /// `--tzdata`, and where the machine's is.
    pub tzdata: Tzdata,
    /// `--max-workers`: processes at once.
    pub max_workers: NonZeroU32,
    /// `--max-requests`: requests at once.
    pub max_requests: NonZeroU32,
    /// `--shutdown-grace`
    pub shutdown_grace: Duration,
    /// `--prune-limit`: removing more than so many percent of a PATH's jobs waits for a confirmation; 0 to 100.
    pub prune_limit: u8,
    /// `--strict`: refuse to start with a bad file.
    pub strict: bool,
    /// `--allow-empty`: a PATH without a job file is fine.
    pub allow_empty: bool,
    /// `--no-new-privs`: no process gets more rights by a setuid program, elder and its jobs included.
    pub no_new_privs: bool,
    /// Elder's own environment with `--env-file` added to it: for `${NAME}`, `inherit_env`,
    /// `secrets` and the few names that go along to every process.
    pub environment: Arc<HashMap<String, String>>,
    /// `--env-allow`: only these names may stand in `${NAME}`; `None` for all.
    pub env_allow: Option<Arc<Vec<String>>>,
    /// `--egress`: where requests of jobs may go.
    pub egress: Egress,
    /// `--tokens`, reread on SIGHUP.
    pub tokens: Option<PathBuf>,
    /// `--audit-log`: who did what, as JSON lines.
    pub audit_log: Option<PathBuf>,
    /// `--public`: what anyone may read, also beyond loopback.
    pub public: Public,
    /// `--allowed-host`: names by which this elder may be called, beside its own address.
    pub allowed_hosts: Vec<String>,
    /// `--auth`
    pub auth: Auth,
    /// `XDG_RUNTIME_DIR`, where elder leaves its own token for the command line.
    pub runtime_dir: Option<PathBuf>,
    /// `--job-metrics`
    pub job_metrics: JobMetrics,
    /// `--log-level`, `--log-format`, and whether colours are welcome.
    pub log: log::Options,
    /// `--revision`: what the files are at, told to jobs, runs and metrics.
    pub revision: Option<Arc<str>>,
    /// `--author`: who made that revision.
    pub author: Option<Arc<str>>,
    /// This program's own file, for `ELDER_BIN`.
    pub program: Option<PathBuf>,
    /// `NOTIFY_SOCKET` and what goes with it: the service manager that wants to be told.
    pub service_manager: Option<ServiceManager>,
    /// `--heartbeat-url`, `--heartbeat-every`: an address elsewhere that hears from elder.
    pub heartbeat: Option<Heartbeat>,
    /// Where a test lets elder break.
    #[cfg(debug_assertions)]
    pub fail_point: Option<crate::action::FailPoint>,
    /// To be logged as soon as there is a log, such as a legacy variable with its successor.
    pub notices: Vec<Notice>,
}

/// The service manager that started elder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceManager {
    /// Where it listens: a path, or a name after `@`.
    pub socket: OsString,
    /// How long it waits for a sign of life before it starts elder anew.
    pub watchdog: Option<Duration>,
}

/// The beat that says elsewhere that elder lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Whom to ask; whoever knows it can send beats.
    pub url: Secret,
    /// How often.
    pub every: Duration,
}

/// Where the job files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paths {
    /// As named. One that is missing ends the start, unless this store loaded it before.
    Named(Vec<String>),
    /// Nothing was named: `jobs.d` in the working folder, and no jobs when it is not there.
    Default,
}

impl Paths {
    /// The folder that is taken when none is named.
    pub const DEFAULT: &'static str = "jobs.d";

    /// The PATHs as text.
    #[must_use]
    pub fn list(&self) -> Vec<String> {
        match self {
            Paths::Named(paths) => paths.clone(),
            Paths::Default => vec![Self::DEFAULT.to_owned()],
        }
    }
}

/// A line for the log that the command line could not write itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Whether somebody should do something.
    pub warning: bool,
    /// A sentence.
    pub text: String,
}
