//! How a job's fires become runs: retries, overlap, lateness.

use std::sync::Arc;
use std::time::Duration;

use super::words::words;
use super::{Audience, Pool};

/// Everything about running a job that is not the action itself; many jobs share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// One attempt's length; `None` for no bound.
    pub timeout: Option<Duration>,
    /// Time between SIGTERM and SIGKILL.
    pub kill_grace: Duration,
    /// Further attempts.
    pub retry: Retry,
    /// Runs of this job at once, at least 1.
    pub max_instances: u32,
    /// What happens to a fire when so many run already.
    pub overlap: Overlap,
    /// How late a fire may start.
    pub grace: Grace,
    /// Whether several late fires become one.
    pub coalesce: bool,
    /// What becomes of a run that elder's own death cut off.
    pub after_crash: AfterCrash,
    /// Who hears what became of it; `None` when nobody does.
    pub audience: Option<Arc<Audience>>,
    /// Where its attempts need a place beside that of a process or request; `None` for the pool `default`.
    pub pool: Option<Arc<Pool>>,
    /// How long after the first fire that follows a success the next success is expected; `None`
    /// for no such bound.
    pub success_within: Option<Duration>,
    /// How many bytes of a run's output are kept, [`Policy::MOST_OUTPUT`] at most.
    pub output_keep: u64,
    /// How much of the job's past is kept.
    pub history: History,
}

impl Policy {
    /// One attempt of a process when nothing is said.
    pub const PROCESS_TIMEOUT: Duration = Duration::from_secs(24 * 3600);
    /// One attempt of a request when nothing is said.
    pub const HTTP_TIMEOUT: Duration = Duration::from_secs(60);
    /// Time between TERM and KILL when nothing is said.
    pub const KILL_GRACE: Duration = Duration::from_secs(10);

    /// The name of the pool in which its attempts need a place.
    #[must_use]
    pub fn pool_name(&self) -> &str {
        let pool = self.pool.as_ref();
        pool.map_or(Pool::DEFAULT, |pool| pool.name.as_str())
    }
    /// How many bytes of a run's output are kept when nothing is said.
    pub const OUTPUT: u64 = 64 * 1024;
    /// And at most: as much is in memory for each run that is under way.
    pub const MOST_OUTPUT: u64 = 16 << 20;

    /// The built-in policy with this timeout.
    #[must_use]
    pub fn built_in(timeout: Duration) -> Self {
        Self {
            timeout: Some(timeout),
            kill_grace: Self::KILL_GRACE,
            retry: Retry::built_in(),
            max_instances: 1,
            overlap: Overlap::Skip,
            grace: Grace::Auto,
            coalesce: true,
            after_crash: AfterCrash::Record,
            audience: None,
            pool: None,
            success_within: None,
            output_keep: Self::OUTPUT,
            history: History::default(),
        }
    }
}

/// How much of a job's past is kept; what is beyond either bound goes. Its mark is no past: no instant
/// opens again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct History {
    /// So many runs that started.
    pub keep: u32,
    /// No row that ended longer ago.
    pub max_age: Duration,
}

impl Default for History {
    fn default() -> Self {
        Self {
            keep: 100,
            max_age: Duration::from_secs(90 * 86_400),
        }
    }
}

words! {
    /// `overlap`
    Overlap {
        /// The fire ends `skipped (overlap)`.
        Skip = "skip",
        /// One waits until a run of the job is over; what comes meanwhile is skipped.
        Queue = "queue",
        /// The oldest run ends `cancelled (replaced)`, and the new one starts when it is gone.
        Replace = "replace",
    }
}

words! {
    /// `after_crash`
    AfterCrash {
        /// It ends `interrupted`.
        Record = "record",
        /// It is begun again, with the same run identity.
        Rerun = "rerun",
    }
}

/// `misfire_grace_time`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grace {
    /// A quarter of the distance to the next fire, at least 1 m, at most 6 h.
    Auto,
    /// So long.
    Fixed(Duration),
}

/// `retry`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Retry {
    /// Attempts after the first.
    pub max: u32,
    /// The wait before the second attempt.
    pub backoff: Duration,
    /// What each further wait is multiplied by, in thousandths: 2000 is 2.
    pub factor_permille: u32,
    /// No wait is longer.
    pub max_backoff: Duration,
    /// The part of the wait that varies, in thousandths: 100 is ±10 %.
    pub jitter_permille: u32,
    /// Which failures are tried again.
    pub when: Arc<[RetryOn]>,
}

impl Retry {
    /// No further attempt; when `max` alone is given, the rest of this.
    #[must_use]
    pub fn built_in() -> Self {
        Self {
            max: 0,
            backoff: Duration::from_secs(1),
            factor_permille: 2000,
            max_backoff: Duration::from_secs(300),
            jitter_permille: 100,
            when: Arc::from([
                RetryOn::Exit,
                RetryOn::Signal,
                RetryOn::Timeout,
                RetryOn::Connect,
                RetryOn::ServerError,
                RetryOn::TooManyRequests,
            ]),
        }
    }
}

/// One word of `retry.when`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryOn {
    /// `exit`: any exit code that is no success.
    Exit,
    /// `signal`: ended by a signal.
    Signal,
    /// `timeout`
    Timeout,
    /// `spawn`: no process to be had for the moment.
    Spawn,
    /// `setup`: a secret, file or folder was not there.
    Setup,
    /// `connect`: no connection, or it broke.
    Connect,
    /// `5xx`
    ServerError,
    /// `429`
    TooManyRequests,
    /// A number: an exit code or an HTTP status.
    Code(u16),
}

/// The word in job files and the store.
impl std::fmt::Display for RetryOn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RetryOn::Exit => "exit",
            RetryOn::Signal => "signal",
            RetryOn::Timeout => "timeout",
            RetryOn::Spawn => "spawn",
            RetryOn::Setup => "setup",
            RetryOn::Connect => "connect",
            RetryOn::ServerError => "5xx",
            RetryOn::TooManyRequests => "429",
            RetryOn::Code(code) => return write!(f, "{code}"),
        })
    }
}
