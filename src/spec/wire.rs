//! The stored form of checked definitions: the shapes that [`print`](super::print()) and
//! [`read`](super::read()) share.
//!
//! Versioned, because a newer elder reads what an older one stored. What many
//! jobs share stands once, in `policies` and `contexts`, and is referred to by number.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The version that this build writes.
pub(super) const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sheet<'a> {
    pub v: u32,
    pub policies: Vec<WirePolicy<'a>>,
    #[serde(borrow)]
    pub contexts: Vec<WireContext<'a>>,
    /// What the schedules of the jobs name, each with its dates.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub dates: Vec<WireDates<'a>>,
    /// What the file defines.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub calendars: Vec<WireCalendar<'a>>,
    /// What the file defines too.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<WirePlacedPool<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub sages: Vec<WireSage<'a>>,
    /// Those that its jobs name and that no file defines any more.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub kept_sages: Vec<WireSage<'a>>,
    #[serde(borrow)]
    pub jobs: Vec<WireJob<'a>>,
}

/// A calendar as a schedule names it.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq, Hash)]
#[serde(deny_unknown_fields)]
pub(super) struct WireDates<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// As [`text_of`](super::calendars::text_of) writes them.
    #[serde(borrow)]
    pub dates: Cow<'a, str>,
}

/// A calendar as a file defines it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireCalendar<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(borrow)]
    pub dates: Cow<'a, str>,
    #[serde(borrow)]
    pub file: Cow<'a, str>,
    pub line: u32,
}

/// A pool as a job names it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WirePool<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    pub limit: u32,
}

/// A pool as a file defines it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WirePlacedPool<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    pub limit: u32,
    #[serde(borrow)]
    pub file: Cow<'a, str>,
    pub line: u32,
}

/// A sage as a file defines it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireSage<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(borrow)]
    pub action: WireAction<'a>,
    pub context: usize,
    pub policy: usize,
    pub after: u32,
    pub remind: Duration,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    pub file: Cow<'a, str>,
    pub line: u32,
}

/// Read first, so that a newer version is named and not guessed at.
#[derive(Deserialize)]
pub(super) struct Version {
    pub v: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireJob<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub disabled: bool,
    #[serde(borrow)]
    pub schedule: Cow<'a, str>,
    #[serde(borrow)]
    pub timezone: Cow<'a, str>,
    #[serde(borrow)]
    pub action: WireAction<'a>,
    pub context: usize,
    pub policy: usize,
    /// Places in the sheet's `dates`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dates: Vec<usize>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub about: Option<WireAbout<'a>>,
    #[serde(borrow)]
    pub file: Cow<'a, str>,
    pub line: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireAction<'a> {
    Run {
        #[serde(borrow)]
        shell: Vec<Cow<'a, str>>,
        #[serde(borrow)]
        line: Cow<'a, str>,
        #[serde(borrow, flatten)]
        process: WireProcess<'a>,
    },
    Exec {
        #[serde(borrow)]
        words: Vec<WireText<'a>>,
        #[serde(borrow, flatten)]
        process: WireProcess<'a>,
    },
    #[serde(borrow)]
    Http(Box<WireHttp<'a>>),
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireProcess<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<Cow<'a, str>>,
    #[serde(default = "zero", skip_serializing_if = "is_zero")]
    pub success_exit_codes: Vec<i32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireHttp<'a> {
    #[serde(borrow)]
    pub method: Cow<'a, str>,
    #[serde(borrow)]
    pub url: WireText<'a>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<(Cow<'a, str>, WireText<'a>)>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(Cow<'a, str>, WireText<'a>)>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub body: Option<WireBody<'a>>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub follow_redirects: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect_status: Vec<WireStatus>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub expect_body_contains: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub expect_json: Vec<(Cow<'a, str>, serde_json::Value)>,
    /// Empty where nothing is signed.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub sign: Vec<WireText<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<WireTls<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireTls<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<WireTreePath<'a>>,
    /// Certificate and key.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<(WireTreePath<'a>, WireTreePath<'a>)>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub insecure: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireBody<'a> {
    #[serde(borrow)]
    Text(WireText<'a>),
    Json(serde_json::Value),
    #[serde(borrow)]
    Form(Vec<(Cow<'a, str>, WireText<'a>)>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireStatus {
    Class(u8),
    Exactly(u16),
}

/// A text without parts is a string.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum WireText<'a> {
    #[serde(borrow)]
    Plain(Cow<'a, str>),
    Parts {
        #[serde(borrow)]
        shown: Cow<'a, str>,
        #[serde(borrow)]
        parts: Vec<WirePart<'a>>,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WirePart<'a> {
    #[serde(borrow)]
    Text(Cow<'a, str>),
    #[serde(borrow)]
    Secret(Cow<'a, str>),
    #[serde(borrow)]
    Variable(Cow<'a, str>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireContext<'a> {
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(Cow<'a, str>, WireText<'a>)>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub env_files: Vec<WireTreePath<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub inherit_env: Vec<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<(Cow<'a, str>, WireSecret<'a>)>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<WirePath<'a>>,
    /// As the job file has it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<WireLimits>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireLimits {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_time: Option<Duration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WireSecret<'a> {
    #[serde(borrow)]
    Env(Cow<'a, str>),
    #[serde(borrow)]
    File(WireTreePath<'a>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireTreePath<'a> {
    #[serde(borrow)]
    pub path: WirePath<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub within: Option<WirePath<'a>>,
}

/// A path is nearly always text; where it is not, its bytes.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum WirePath<'a> {
    #[serde(borrow)]
    Text(Cow<'a, str>),
    Bytes(Vec<u8>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WirePolicy<'a> {
    pub timeout: Option<Duration>,
    pub kill_grace: Duration,
    pub retry_max: u32,
    pub backoff: Duration,
    pub factor_permille: u32,
    pub max_backoff: Duration,
    pub jitter_permille: u32,
    #[serde(borrow)]
    pub when: Vec<WireRetryOn<'a>>,
    pub max_instances: u32,
    #[serde(borrow)]
    pub overlap: Cow<'a, str>,
    /// Absent is `auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<Duration>,
    pub coalesce: bool,
    /// Absent is `record`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub after_crash: Option<Cow<'a, str>>,
    /// Absent is `default`.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<WirePool<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_within: Option<Duration>,
    /// The word of an event, and who hears of it.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<(Cow<'a, str>, Vec<Cow<'a, str>>)>,
    /// Absent is the built-in; so with what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_keep: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<(u32, Duration)>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum WireRetryOn<'a> {
    Code(u16),
    #[serde(borrow)]
    Word(Cow<'a, str>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WireAbout<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<(Cow<'a, str>, WireText<'a>)>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

fn zero() -> Vec<i32> {
    vec![0]
}

fn is_zero(codes: &[i32]) -> bool {
    codes == [0]
}
