//! How much a job file may ask for. Every message over a limit names it.

/// The largest file, in bytes.
pub(super) const FILE_BYTES: usize = 16 << 20;
/// The deepest nesting, with aliases expanded.
pub(super) const DEPTH: usize = 64;
/// Aliases, those inside of what is expanded counted each time.
pub(super) const ALIASES: usize = 10_000;
/// What aliases may add to the text, roughly.
pub(super) const EXPANDED_BYTES: usize = 16 << 20;
/// What `${…}` may fill into one file.
pub(super) const FILLED_BYTES: usize = 16 << 20;
/// Keys and values of one file.
pub(super) const NODES: usize = 2_000_000;
/// Jobs of one file.
pub(super) const FILE_JOBS: usize = 400_000;
/// Names in one `env`, `labels`, `secrets`, `headers`, `query` or `form`.
pub(super) const NAMES: usize = 500;
/// Secrets that one request is signed with.
pub(super) const SIGNATURES: usize = 8;
/// Items of one list, `json` excepted.
pub(super) const LIST: usize = 10_000;
/// Schedules whose union one job has.
pub(super) const SCHEDULES: usize = 500;
/// Names and values that the jobs of one file take from defaults, counted for each job.
pub(super) const INHERITED: usize = 2_000_000;
/// Jobs of all files together.
pub(super) const JOBS: usize = 2_000_000;
/// Findings of one file; the rest is only counted.
pub(super) const FINDINGS: usize = 1_000;
/// Characters of a line beside a finding.
pub(super) const LINE: usize = 200;
/// The longest label, in bytes.
pub(super) const LABEL: usize = 1_024;
/// The longest `description`, in bytes.
pub(super) const DESCRIPTION: usize = 10_000;
/// Characters of a finding's message, and of its mend.
pub(super) const MESSAGE: usize = 500;
/// Calendars, and pools, and sages, of one file.
pub(super) const COMMONS: usize = 1_000;
/// How many sages one key of a job may name.
pub(super) const AUDIENCE: usize = 16;
/// The largest `limit` of a pool.
pub(super) const POOL: i64 = 10_000;
/// Dates and ranges of one calendar, with what it includes.
pub(super) const CALENDAR_RANGES: usize = 20_000;
/// How deep calendars may include each other.
pub(super) const INCLUDES: usize = 32;
/// Events of one `.ics` file.
pub(super) const EVENTS: usize = 50_000;
/// Characters of a line of an `.ics` file that says when.
pub(super) const ICS_LINE: usize = 64 << 10;
/// Days and periods that the recurrence rules of one `.ics` file may be followed through.
pub(super) const RECURRENCES: usize = 2_000_000;
/// Dates and ranges that are copied into calendars by `include`, in the whole tree.
pub(super) const TREE_RANGES: usize = 2_000_000;
