//! What a job does: start a process or send a request.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Text;

/// What a run does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// `run` and `exec`
    Process(Box<Process>),
    /// `http`
    Http(Box<Http>),
}

impl Action {
    /// The word of the job file: `run`, `exec` or `http`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Action::Process(process) => match process.command {
                Command::Shell { .. } => "run",
                Command::Exec(_) => "exec",
            },
            Action::Http(_) => "http",
        }
    }
}

/// A process to start.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// What to start.
    pub command: Command,
    /// What it reads; nothing when absent.
    pub stdin: Option<Arc<str>>,
    /// The exit codes that mean success.
    pub success_exit_codes: Arc<[i32]>,
}

/// How the process is named.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// `run`: a line for a shell; the line is passed on as it stands.
    Shell {
        /// Program and arguments before the line, such as `/bin/sh -c`.
        shell: Arc<[Arc<str>]>,
        /// The line.
        line: Arc<str>,
    },
    /// `exec`: a program and its arguments.
    Exec(Arc<[Text]>),
}

/// What surrounds an action; many jobs share one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Context {
    /// `env`, in order.
    pub env: Vec<(Arc<str>, Text)>,
    /// `env_file`, in order, read anew at each attempt.
    pub env_files: Vec<TreePath>,
    /// Names that go along from elder's own environment.
    pub inherit_env: Vec<Arc<str>>,
    /// `secrets`, read anew at each attempt.
    pub secrets: Vec<(Arc<str>, SecretSource)>,
    /// The working folder of a process, absolute.
    pub cwd: Option<Arc<Path>>,
    /// `user`: whom a process runs as; elder's own user when absent.
    pub user: Option<Account>,
    /// `limits` of a process.
    pub limits: Limits,
}

/// `user`: names, looked up at each attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    /// The user.
    pub user: Arc<str>,
    /// The group; the user's own when absent.
    pub group: Option<Arc<str>>,
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.group {
            Some(group) => write!(f, "{}:{group}", self.user),
            None => f.write_str(&self.user),
        }
    }
}

/// `limits`: what a process may use at most; absent is no limit of elder's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Bytes of memory, of the whole run.
    pub memory: Option<u64>,
    /// CPU time of each process; whole seconds.
    pub cpu_time: Option<Duration>,
    /// Open files of each process.
    pub open_files: Option<u64>,
    /// Processes and threads, of the whole run.
    pub processes: Option<u64>,
}

/// Where a secret is read from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretSource {
    /// A variable of elder's own environment.
    Env(Arc<str>),
    /// A file.
    File(TreePath),
}

/// A file that a job names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TreePath {
    /// Absolute.
    pub path: Arc<Path>,
    /// The folder that it must not leave, also through links; `None` for a path that was written as absolute.
    pub within: Option<Arc<Path>>,
}

/// A request to send.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Http {
    /// Upper case as written; any token.
    pub method: Arc<str>,
    /// The address, without `query`.
    pub url: Text,
    /// Added to the address, in order.
    pub query: Vec<(Arc<str>, Text)>,
    /// In order; names as written.
    pub headers: Vec<(Arc<str>, Text)>,
    /// What is sent.
    pub body: Body,
    /// Whether a 3xx is followed.
    pub follow_redirects: bool,
    /// How the body is signed, if it is.
    pub sign: Option<Arc<Sign>>,
    /// Whom to believe and who to be on `https`; the system's authorities and nobody when absent.
    pub tls: Option<Arc<Tls>>,
    /// What counts as success.
    pub expect: Expect,
}

/// `http.sign`: the headers of Standard Webhooks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sign {
    /// At least one; each gives a signature of its own, so that a secret can be changed without a gap.
    pub secrets: Vec<Text>,
}

/// `http.tls`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tls {
    /// Certificates of the only authorities to believe; `None` for the system's.
    pub ca: Option<TreePath>,
    /// `cert` and `key`: elder's own chain of certificates, and its private key.
    pub identity: Option<(TreePath, TreePath)>,
    /// Whether the other side's certificate is taken whatever it is.
    pub insecure: bool,
}

/// The body of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Body {
    /// None.
    #[default]
    Empty,
    /// `body`
    Text(Text),
    /// `json`
    Json(Json),
    /// `form`
    Form(Vec<(Arc<str>, Text)>),
}

/// A JSON value whose strings may have parts to fill in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number, as written.
    Number(Arc<str>),
    /// A string.
    String(Text),
    /// A list.
    Array(Vec<Json>),
    /// An object, in order.
    Object(Vec<(Arc<str>, Json)>),
}

/// `expect`: what an answer must be like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Expect {
    /// Empty means `[2xx]`.
    pub status: Vec<StatusSet>,
    /// The body must hold this text.
    pub body_contains: Option<Arc<str>>,
    /// JSON pointer → the value that must stand there.
    pub json: Vec<(Arc<str>, Json)>,
}

/// One entry of `expect.status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusSet {
    /// `2xx`: the hundreds digit.
    Class(u8),
    /// `204`
    Exactly(u16),
}

impl StatusSet {
    /// Whether `status` is in it.
    #[must_use]
    pub fn contains(self, status: u16) -> bool {
        match self {
            StatusSet::Class(class) => status / 100 == u16::from(class),
            StatusSet::Exactly(code) => status == code,
        }
    }
}
