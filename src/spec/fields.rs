//! The one table of keys: what the decoder takes, what suggestions name and
//! what the JSON Schema lists come from here, so they cannot disagree.

use super::limits;

/// A mapping with known keys.
pub(super) struct Level {
    /// For messages: `a job`.
    pub what: &'static str,
    /// For "belongs under …"; empty where nothing helps.
    pub place: &'static str,
    pub fields: &'static [Field],
}

/// One key.
pub(super) struct Field {
    pub key: &'static str,
    pub kind: Kind,
    pub doc: &'static str,
    /// A value as YAML; every one of them is fed to the decoder in a test.
    pub example: &'static str,
    pub state: State,
}

/// Whether this build has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It has.
    Here,
    /// It has, but a `defaults:` cannot hold it.
    JobOnly,
    /// The key is known and refused.
    Later,
}

/// What a key's value is, for the schema.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Text,
    /// Text with `${…}` that a run fills in.
    Template,
    Words(&'static [&'static str]),
    Flag,
    Duration,
    /// A duration or this word.
    DurationOr(&'static str),
    Number {
        least: i64,
        most: i64,
    },
    Decimal {
        least: f64,
        most: f64,
    },
    Texts,
    TextOrTexts,
    TextMap,
    ExitCodes,
    RetryWhen,
    Statuses,
    Json,
    JsonMap,
    Schedule,
    TimesOfDay,
    Minutes,
    Days,
    Instants,
    /// An instant or a date.
    Bound,
    Retry,
    Output,
    History,
    Http,
    Expect,
    Sign,
    Tls,
    /// A number of bytes with its unit.
    Size,
    Limits,
    /// A duration or `true`.
    Spread,
    Weekly,
    Monthly,
    MonthDays,
    Yearly,
    YearDays,
    Dst,
    Random,
    /// A list of two times of day.
    Between,
    Secrets,
    Jobs,
    Calendars,
    Pools,
    Sages,
    Ranges,
    Defaults,
    /// Whatever: the key is refused.
    Anything,
}

impl Level {
    /// The key's entry.
    pub fn find(&self, key: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.key == key)
    }

    /// The keys that this build has.
    pub fn known(&self) -> impl Iterator<Item = &'static str> {
        self.fields
            .iter()
            .filter(|field| field.state != State::Later)
            .map(|field| field.key)
    }
}

/// Every level that a key could belong to.
pub(super) const LEVELS: &[&Level] = &[
    &JOB, &HTTP, &RETRY, &SCHEDULE, &EXPECT, &TOP, &WEEKLY, &MONTHLY, &YEARLY, &RANDOM, &DST,
    &CALENDAR, &SAGE, &SIGN, &TLS, &OUTPUT, &HISTORY, &POOL, &LIMITS,
];

/// A key that this build reads, of whichever kind of file.
pub(super) const fn here(
    key: &'static str,
    kind: Kind,
    doc: &'static str,
    example: &'static str,
) -> Field {
    Field {
        key,
        kind,
        doc,
        example,
        state: State::Here,
    }
}

const fn job_only(
    key: &'static str,
    kind: Kind,
    doc: &'static str,
    example: &'static str,
) -> Field {
    Field {
        key,
        kind,
        doc,
        example,
        state: State::JobOnly,
    }
}

const fn later(key: &'static str) -> Field {
    Field {
        key,
        kind: Kind::Anything,
        doc: "",
        example: "",
        state: State::Later,
    }
}

/// The top of a job file.
#[rustfmt::skip] // A table is read by its lines.
pub(super) const TOP: Level = Level {
    what: "a job file",
    place: "the top level of the file",
    fields: &[
        here("jobs", Kind::Jobs, "The jobs, each under its name.", "{}"),
        here("defaults", Kind::Defaults, "What every job of this file takes when it says nothing itself.", "{ timezone: UTC }"),
        here("sages", Kind::Sages, "Who is told, by name, for `on_failure` and its kin of any file of the tree.", "{ ops: { http: https://hooks.example.com/ops } }"),
        here("calendars", Kind::Calendars, "Dates by name, for `only` and `except` of any file of the tree.", "{ weekend: { weekdays: [sat, sun] } }"),
        here("pools", Kind::Pools, "How many runs at once, by name, for `pool` of any file of the tree.", "{ database: { limit: 2 } }"),
    ],
};

/// A job, or what `defaults:` says for jobs.
#[rustfmt::skip]
pub(super) const JOB: Level = Level {
    what: "a job",
    place: "a job",
    fields: &[
        job_only("description", Kind::Text, "What the job is for, in a sentence.", "Delete temporary files"),
        job_only("aliases", Kind::TextOrTexts, "Names that the job had before: mark and history move over at the next sync.", "[old-name]"),
        here("owner", Kind::Text, "Who answers for the job.", "team-platform"),
        here("labels", Kind::TextMap, "Names and values to find and group jobs by.", "{ team: platform }"),
        here("enabled", Kind::Flag, "`false` keeps the definition and never fires. Default: true.", "false"),
        job_only("schedule", Kind::Schedule, "When the job fires: one schedule, or a list whose union it is.", "{ daily: \"02:00\" }"),
        here("timezone", Kind::Text, "The zone of the schedule's wall-clock times, as an IANA name. Default: --timezone, then UTC.", "Asia/Tokyo"),
        job_only("run", Kind::Text, "A line for a shell, passed on as it stands. Relative to the file's own folder.", "./scripts/cleanup.sh"),
        job_only("exec", Kind::Texts, "A program and its arguments, without a shell.", "[/usr/bin/rsync, -a, src/, dst/]"),
        here("http", Kind::Http, "A request to send. A URL alone means GET.", "https://shop.example.com/healthz"),
        here("env", Kind::TextMap, "Variables of the process. Defaults are merged key by key.", "{ MODE: fast }"),
        here("env_file", Kind::TextOrTexts, "Files of NAME=value lines, read anew at each attempt.", "settings.env"),
        here("inherit_env", Kind::TextOrTexts, "Names that go along from elder's own environment.", "[LC_ALL]"),
        here("secrets", Kind::Secrets, "Secrets by name, each from a variable or a file, read anew at each attempt.", "{ TOKEN: { file: /run/secrets/token } }"),
        here("shell", Kind::TextOrTexts, "The shell of `run`: a name, or program and arguments. Default: [/bin/sh, -c].", "[bash, -euo, pipefail, -c]"),
        here("cwd", Kind::Text, "The working folder. Default: the file's own folder.", "scripts"),
        here("user", Kind::Text, "Whom the process runs as: `name`, or `name:group`. Default: elder's own user.", "www-data"),
        here("limits", Kind::Limits, "What the process may use at most.", "{ memory: 512MiB, cpu_time: 5m, open_files: 1024, processes: 256 }"),
        here("timeout", Kind::DurationOr("none"), "One attempt's length, or `none`. Default: 60s for http, 24h for processes.", "90s"),
        here("kill_grace", Kind::Duration, "Time between SIGTERM and SIGKILL. Default: 10s.", "30s"),
        here("retry", Kind::Retry, "Further attempts after the first: a number, or how. Default: 0.", "{ max: 2, backoff: 2s }"),
        here("max_instances", Kind::Number { least: 1, most: 10_000, }, "Runs of this job at once. Default: 1.", "2"),
        here("overlap", Kind::Words(&["skip", "queue", "replace"]), "What happens to a fire when max_instances run already: skip (it does not run), queue (one waits), replace (the oldest is ended). Default: skip.", "queue"),
        here("misfire_grace_time", Kind::DurationOr("auto"), "How late a fire may start; later it is missed. Default: auto.", "10m"),
        here("coalesce", Kind::Flag, "Of several late fires, start the newest only. Default: true.", "false"),
        here("after_crash", Kind::Words(&["record", "rerun"]), "What becomes of a run that elder's own death cut off: record (it ends interrupted), rerun (it is begun again under the same identity). Default: record.", "rerun"),
        here("pool", Kind::Text, "Where its runs need a place: the name of a pool, as `pools` of any file defines it. A fire whose pool is full waits in the order of instants. Default: default, which has no limit.", "default"),
        here("expect_success_within", Kind::Duration, "By when a success must exist: so long after the first fire that follows the last success; past it the job is stale. Default: none.", "26h"),
        here("output", Kind::Output, "How much is kept of stdout and stderr, or of the answer's body: the first and the last half. Default: { keep: 64KiB }.", "{ keep: 256KiB }"),
        here("history", Kind::History, "How many runs are kept, and for how long; beyond either bound they go. Default: { keep: 100, for: 90d }.", "{ keep: 1000, for: 1w }"),
        here("stdin", Kind::Text, "What the process reads, passed on as it stands.", "yes"),
        here("success_exit_codes", Kind::ExitCodes, "The exit codes that mean success. Default: [0].", "[0, 24]"),
        later("kubernetes"),
        here("on_success", Kind::TextOrTexts, "The sages that are told of each success. Default: none.", "ops"),
        here("on_failure", Kind::TextOrTexts, "The sages that are told when a run failed, timed out or was interrupted, after its last attempt. Default: none.", "ops"),
        here("on_missed", Kind::TextOrTexts, "The sages that are told when a fire came too late to start. Default: none.", "ops"),
        here("on_recovery", Kind::TextOrTexts, "The sages that are told of the first success after a failure. Default: none.", "ops"),
        here("on_stale", Kind::TextOrTexts, "The sages that are told when a success is overdue (expect_success_within). Default: none.", "ops"),
    ],
};

/// `http`
#[rustfmt::skip]
pub(super) const HTTP: Level = Level {
    what: "`http`",
    place: "`http`",
    fields: &[
        job_only("method", Kind::Text, "Any method. Default: GET.", "POST"),
        job_only("url", Kind::Template, "The address, http or https.", "https://example.com/run"),
        here("query", Kind::TextMap, "Added to the address.", "{ dry: \"1\" }"),
        here("headers", Kind::TextMap, "Headers of the request. Defaults are merged key by key.", "{ Accept: application/json }"),
        job_only("body", Kind::Template, "What is sent, as text.", "hello"),
        job_only("json", Kind::Json, "What is sent, as JSON.", "{ month: \"2027-09\" }"),
        job_only("form", Kind::TextMap, "What is sent, as a form.", "{ name: value }"),
        here("follow_redirects", Kind::Flag, "Whether a 3xx is followed. Default: false, a 3xx fails.", "true"),
        here("expect", Kind::Expect, "What counts as success. Default: { status: [2xx] }.", "{ status: [200, 204] }"),
        here("sign", Kind::Sign, "Sign the body (Standard Webhooks, HMAC-SHA256): webhook-id, webhook-timestamp, webhook-signature.", "{ secret: \"${secrets.HOOK}\" }"),
        here("tls", Kind::Tls, "Whom to believe and who to be on https. Default: the system's authorities, and no certificate of elder's own.", "{ ca: /etc/elder/ca.pem }"),
    ],
};

/// `http.sign`
#[rustfmt::skip]
pub(super) const SIGN: Level = Level {
    what: "`sign`",
    place: "`http: { sign: … }`",
    fields: &[
        here("secret", Kind::TextOrTexts, "The shared secret; a list while it is being changed. whsec_… is base64, all else is taken as it is.", "[\"${secrets.HOOK}\", \"${secrets.HOOK_BEFORE}\"]"),
    ],
};

/// `http.tls`
#[rustfmt::skip]
pub(super) const TLS: Level = Level {
    what: "`tls`",
    place: "`http: { tls: … }`",
    fields: &[
        here("ca", Kind::Text, "A PEM file: the only authorities to believe.", "/etc/elder/ca.pem"),
        here("cert", Kind::Text, "A PEM file: elder's own certificate and its chain, for servers that ask who is there.", "/etc/elder/client.pem"),
        here("key", Kind::Text, "A PEM file: the private key of `cert`.", "/etc/elder/client.key"),
        here("insecure", Kind::Flag, "`true` takes any certificate of the other side. Default: false.", "false"),
    ],
};

/// `http.expect`
#[rustfmt::skip]
pub(super) const EXPECT: Level = Level {
    what: "`expect`",
    place: "`http: { expect: … }`",
    fields: &[
        here("status", Kind::Statuses, "Statuses that are success: numbers, or 2xx for a hundred of them.", "[2xx, 404]"),
        here("body_contains", Kind::Text, "Text that the body must hold.", "ok"),
        here("json", Kind::JsonMap, "JSON pointer and the value that must stand there.", "{ /status: healthy }"),
    ],
};

/// `output`
#[rustfmt::skip]
pub(super) const OUTPUT: Level = Level {
    what: "`output`",
    place: "`output`",
    fields: &[
        here("keep", Kind::Size, "So much of it, at most 16MiB; 0B keeps nothing.", "256KiB"),
    ],
};

/// More runs of one job than this are no history but a load.
pub(super) const MOST_RUNS_KEPT: i64 = 100_000;

/// `history`
#[rustfmt::skip]
pub(super) const HISTORY: Level = Level {
    what: "`history`",
    place: "`history`",
    fields: &[
        here("keep", Kind::Number { least: 0, most: MOST_RUNS_KEPT }, "So many runs that started. Default: 100.", "1000"),
        here("for", Kind::Duration, "No run that ended longer ago. Default: 90d.", "30d"),
    ],
};

/// `limits`
#[rustfmt::skip]
pub(super) const LIMITS: Level = Level {
    what: "`limits`",
    place: "`limits`",
    fields: &[
        here("memory", Kind::Size, "Memory of the whole run, by cgroup v2; from 1MiB.", "512MiB"),
        here("cpu_time", Kind::Duration, "CPU time of each process, in whole seconds: SIGXCPU, and after `kill_grace` more of it SIGKILL.", "5m"),
        here("open_files", Kind::Number { least: 16, most: 1_000_000_000, }, "Open files of each process.", "1024"),
        here("processes", Kind::Number { least: 1, most: 1_000_000, }, "Processes and threads of the whole run, by cgroup v2.", "256"),
    ],
};

/// `retry`
#[rustfmt::skip]
pub(super) const RETRY: Level = Level {
    what: "`retry`",
    place: "`retry`",
    fields: &[
        here("max", Kind::Number { least: 0, most: 1_000, }, "Attempts after the first.", "2"),
        here("backoff", Kind::Duration, "The wait before the second attempt. Default: 1s.", "2s"),
        here("factor", Kind::Decimal { least: 1.0, most: 100.0, }, "What each further wait is multiplied by. Default: 2.", "1.5"),
        here("max_backoff", Kind::Duration, "No wait is longer. Default: 5m.", "10m"),
        here("jitter", Kind::Decimal { least: 0.0, most: 1.0, }, "The part of the wait that varies. Default: 0.1.", "0.2"),
        here("when", Kind::RetryWhen, "Which failures are tried again. Default: [exit, signal, timeout, connect, 5xx, 429].", "[timeout, 5xx]"),
    ],
};

/// A schedule as a mapping: one kind, and what goes with it.
#[rustfmt::skip]
pub(super) const SCHEDULE: Level = Level {
    what: "a schedule",
    place: "`schedule`",
    fields: &[
        here("cron", Kind::Text, "Five fields as Debian's cron reads them, six beginning with seconds, or @daily and the like.", "30 3 * * 1-5"),
        here("every", Kind::Duration, "Elapsed time, aligned to the Unix epoch; from 100ms.", "5m"),
        here("hourly", Kind::Minutes, "At those minutes of every hour.", "[0, 30]"),
        here("daily", Kind::TimesOfDay, "At those times of every day, HH:MM or HH:MM:SS.", "\"02:00\""),
        here("weekly", Kind::Weekly, "On those days at those times.", "{ days: [mon, fri], at: \"09:00\" }"),
        here("monthly", Kind::Monthly, "On those days of each month at those times.", "{ day: last fri, at: \"09:00\" }"),
        here("yearly", Kind::Yearly, "On those dates of each year at those times.", "{ date: 03-31, at: \"23:00\" }"),
        here("at", Kind::Instants, "Once, at that instant; without an offset in the schedule's zone.", "2027-09-20T15:00:00+09:00"),
        here("random", Kind::Random, "So many times a day, elsewhere each day, inside a window. The instants follow from job name and date.", "{ times: 3, between: [\"22:00\", \"02:00\"], min_gap: 20m, days: weekdays }"),
        here("timezone", Kind::Text, "The zone of this schedule alone.", "Europe/Berlin"),
        here("from", Kind::Bound, "Nothing before this instant, or before this date; for `every` also what it is aligned to.", "2027-04-01"),
        here("only", Kind::TextOrTexts, "A calendar or several: nothing on any other date.", "weekend"),
        here("except", Kind::TextOrTexts, "A calendar or several: nothing on these dates.", "weekend"),
        here("shift", Kind::Words(&["skip", "next", "previous"]), "What becomes of a fire whose date `only` or `except` leave out. Default: skip.", "next"),
        here("until", Kind::Bound, "Nothing after this instant, or after this date.", "2027-09-30T12:00:00+09:00"),
        here("dst", Kind::Dst, "What becomes of times that a change of the clock skips or shows twice.", "{ gap: skip, fold: both }"),
        here("jitter", Kind::Duration, "Each fire is delayed by up to this, never by more than half the way to the next; follows from job name and instant.", "30s"),
        here("spread", Kind::Spread, "All fires are moved by one phase below this, which follows from the job's name; `true` beside `every` is its period.", "10m"),
    ],
};

/// Schedules that are a word.
pub(super) const SCHEDULE_WORDS: [&str; 2] = ["startup", "manual"];

/// `weekly`
#[rustfmt::skip]
pub(super) const WEEKLY: Level = Level {
    what: "`weekly`",
    place: "`weekly`",
    fields: &[
        here("days", Kind::Days, "mon … sun, weekdays, weekends; one or a list.", "[mon, fri]"),
        here("at", Kind::TimesOfDay, "Times of day.", "\"09:00\""),
    ],
};

/// `monthly`
#[rustfmt::skip]
pub(super) const MONTHLY: Level = Level {
    what: "`monthly`",
    place: "`monthly`",
    fields: &[
        here("day", Kind::MonthDays, "1 to 31, last, 2nd tue, last fri, first weekday, last weekday; one or a list. A month without the day is left out.", "last fri"),
        here("at", Kind::TimesOfDay, "Times of day.", "\"09:00\""),
    ],
};

/// `yearly`
#[rustfmt::skip]
pub(super) const YEARLY: Level = Level {
    what: "`yearly`",
    place: "`yearly`",
    fields: &[
        here("date", Kind::YearDays, "Month and day as MM-DD; one or a list.", "[03-31, 12-24]"),
        here("at", Kind::TimesOfDay, "Times of day.", "\"23:00\""),
    ],
};

/// `dst`
#[rustfmt::skip]
pub(super) const DST: Level = Level {
    what: "`dst`",
    place: "`dst`",
    fields: &[
        here("gap", Kind::Words(&GAPS), "A time that the clock skips: fire once after the gap, or not at all. Default: after for fixed times, skip for those that follow the clock.", "skip"),
        here("fold", Kind::Words(&FOLDS), "A time that comes twice: fire the first, the second or both times. Default: first for fixed times, both for those that follow the clock.", "both"),
    ],
};

/// The words of `dst.gap`.
pub(super) const GAPS: [&str; 2] = ["after", "skip"];

/// The words of `dst.fold`.
pub(super) const FOLDS: [&str; 3] = ["first", "second", "both"];

/// `random`
#[rustfmt::skip]
pub(super) const RANDOM: Level = Level {
    what: "`random`",
    place: "`random`",
    fields: &[
        here("times", Kind::Number { least: 1, most: 100, }, "How many times a day.", "3"),
        here("between", Kind::Between, "The window, first end in, last end out; it may cross midnight and belongs to the day on which it opens.", "[\"22:00\", \"02:00\"]"),
        here("min_gap", Kind::Duration, "No two fires are closer; whole seconds.", "20m"),
        here("days", Kind::Days, "mon … sun, weekdays, weekends; one or a list. Default: every day.", "weekdays"),
    ],
};

/// One calendar.
#[rustfmt::skip]
pub(super) const CALENDAR: Level = Level {
    what: "a calendar",
    place: "a calendar",
    fields: &[
        here("weekdays", Kind::Days, "mon … sun, weekdays, weekends; one or a list.", "[sat, sun]"),
        here("dates", Kind::TextOrTexts, "Dates, as YYYY-MM-DD, or MM-DD for every year.", "[01-01, 2027-01-11]"),
        here("ranges", Kind::Ranges, "Dates from one to another, both in.", "[{ from: 2027-12-29, until: 2028-01-03 }]"),
        here("ics", Kind::Text, "A file of the tree with events, as calendar programs export it; relative to this file's folder.", "holidays.ics"),
        here("include", Kind::TextOrTexts, "Other calendars, whose dates are in this one too.", "[weekend]"),
    ],
};

/// One sage.
#[rustfmt::skip]
pub(super) const SAGE: Level = Level {
    what: "a sage",
    place: "a sage",
    fields: &[
        here("http", Kind::Http, "A request to send. A URL alone means POST; without a body it carries everything about the event as JSON.", "https://hooks.example.com/ops"),
        here("run", Kind::Text, "A line for a shell, passed on as it stands; it reads everything about the event as JSON.", "./tell.sh"),
        here("exec", Kind::Texts, "A program and its arguments, without a shell; it reads everything about the event as JSON.", "[/usr/local/bin/tell, \"${job.name}\"]"),
        here("env", Kind::TextMap, "Variables of the process.", "{ EVENT: \"${event}\" }"),
        here("secrets", Kind::Secrets, "Secrets by name, each from a variable or a file, read anew at each attempt.", "{ TOKEN: { file: /run/secrets/token } }"),
        here("timeout", Kind::Duration, "One attempt's length. Default: 30s.", "10s"),
        here("retry", Kind::Retry, "Further attempts after the first: a number, or how. Default: ever more seldom, for three days.", "{ max: 5, backoff: 10s }"),
        here("after", Kind::Number { least: 1, most: 10_000, }, "So many failures in a row before it is told of any. Default: 1.", "3"),
        here("remind", Kind::Duration, "It is told of one kind of trouble at most once per job in this time, until recovery. Default: 1h.", "4h"),
        here("events", Kind::TextOrTexts, "Elder's own troubles of which it is told: config_rejected, config_held, source_lost, store_lost.", "[config_rejected, store_lost]"),
    ],
};

/// One pool.
#[rustfmt::skip]
pub(super) const POOL: Level = Level {
    what: "a pool",
    place: "a pool",
    fields: &[
        here("limit", Kind::Number { least: 1, most: limits::POOL, }, "How many runs of the jobs that name it at once.", "2"),
    ],
};

/// One range of a calendar.
#[rustfmt::skip]
pub(super) const RANGE: Level = Level {
    what: "a range",
    place: "a range of a calendar",
    fields: &[
        here("from", Kind::Text, "The first day, as YYYY-MM-DD, or MM-DD for every year.", "2027-12-29"),
        here("until", Kind::Text, "The last day, in the same form.", "2028-01-03"),
    ],
};

/// One entry of `secrets`.
#[rustfmt::skip]
pub(super) const SECRET: Level = Level {
    what: "a secret",
    place: "",
    fields: &[
        here("env", Kind::Text, "A variable of elder's own environment.", "BILLING_TOKEN"),
        here("file", Kind::Text, "A file; one trailing line break is cut.", "/run/secrets/billing"),
    ],
};

/// The words of `retry.when` that are no numbers.
pub(super) const RETRY_WORDS: [&str; 8] = [
    "exit", "signal", "timeout", "spawn", "setup", "connect", "5xx", "429",
];

/// The words for days.
pub(super) const DAYS: [&str; 9] = [
    "mon", "tue", "wed", "thu", "fri", "sat", "sun", "weekdays", "weekends",
];
