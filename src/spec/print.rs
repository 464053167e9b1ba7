//! Checked definitions to their stored form.

use std::borrow::Cow;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::calendars::text_of;
use super::wire::{
    Sheet, VERSION, WireAbout, WireAction, WireBody, WireCalendar, WireContext, WireDates,
    WireHttp, WireJob, WireLimits, WirePart, WirePath, WirePlacedPool, WirePolicy, WirePool,
    WireProcess, WireRetryOn, WireSage, WireSecret, WireStatus, WireText, WireTls, WireTreePath,
};
use crate::model::{
    Action, AfterCrash, Audience, Body, Calendar, Command, Commons, Context, Grace, History, Http,
    Job, Json, Limits, Part, Placed, Policy, Pool, Process, RetryOn, Sage, SecretSource, StatusSet,
    Text, TreePath,
};
use crate::schedule::Calendar as Dates;

/// The canonical text of checked definitions and their origins, as last-good is stored:
/// defaults and `${NAME}` filled in, secrets as references. [`read`](super::read()) takes it back.
#[must_use]
pub fn print<'a>(jobs: &'a [Job], commons: &'a Commons) -> String {
    let mut policies = Table::default();
    let mut dates: Table<'_, (Arc<str>, Arc<Dates>)> = Table::default();
    let mut contexts = Table::default();
    let wire_jobs = jobs
        .iter()
        .map(|job| {
            let definition = &*job.definition;
            WireJob {
                name: definition.name.as_str().into(),
                aliases: definition
                    .aliases
                    .iter()
                    .map(|alias| alias.as_str().into())
                    .collect(),
                disabled: !definition.enabled,
                schedule: (&*definition.schedule_text).into(),
                timezone: (&*definition.timezone).into(),
                action: action(&definition.action),
                context: contexts.number(&definition.context),
                policy: policies.number(&definition.policy),
                dates: definition
                    .schedule
                    .calendars()
                    .map(|named| dates.number(named))
                    .collect(),
                about: definition.about.as_deref().map(|about| WireAbout {
                    description: about.description.as_deref().map(Cow::from),
                    owner: about.owner.as_deref().map(Cow::from),
                    labels: named(&about.labels),
                }),
                file: (&*job.origin.file).into(),
                line: job.origin.line,
            }
        })
        .collect();
    let mut sages = |sages: &'a [Placed<Sage>]| -> Vec<_> {
        let sages = sages.iter();
        sages
            .map(|placed| {
                let sage = &*placed.value;
                WireSage {
                    name: sage.name.as_str().into(),
                    action: action(&sage.action),
                    context: contexts.number(&sage.context),
                    policy: policies.number(&sage.policy),
                    after: sage.after,
                    remind: sage.remind,
                    events: sage.events.iter().map(|one| one.as_str().into()).collect(),
                    file: (&*placed.origin.file).into(),
                    line: placed.origin.line,
                }
            })
            .collect()
    };
    let (defined, kept) = (sages(&commons.sages), sages(&commons.kept_sages));
    let sheet = Sheet {
        v: VERSION,
        policies: policies.rows.iter().map(|row| policy(row)).collect(),
        contexts: contexts.rows.iter().map(|row| context(row)).collect(),
        dates: dates.rows.iter().map(|row| dates_row(row)).collect(),
        calendars: commons.calendars.iter().map(calendar).collect(),
        pools: commons.pools.iter().map(pool).collect(),
        sages: defined,
        kept_sages: kept,
        jobs: wire_jobs,
    };
    // These shapes hold nothing that JSON could refuse: keys of maps are strings, numbers are whole.
    serde_json::to_string(&sheet).unwrap_or_default()
}

/// What many jobs share, each once.
struct Table<'a, T> {
    rows: Vec<&'a T>,
    numbers: HashMap<&'a T, usize>,
}

impl<T> Default for Table<'_, T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            numbers: HashMap::new(),
        }
    }
}

impl<'a, T: std::hash::Hash + Eq> Table<'a, T> {
    fn number(&mut self, row: &'a T) -> usize {
        *self.numbers.entry(row).or_insert_with(|| {
            self.rows.push(row);
            self.rows.len() - 1
        })
    }
}

fn dates_row((name, dates): &(Arc<str>, Arc<Dates>)) -> WireDates<'_> {
    WireDates {
        name: (&**name).into(),
        dates: text_of(dates).into(),
    }
}

fn calendar(calendar: &Calendar) -> WireCalendar<'_> {
    WireCalendar {
        name: calendar.name.as_str().into(),
        dates: text_of(&calendar.dates).into(),
        file: (&*calendar.origin.file).into(),
        line: calendar.origin.line,
    }
}

fn pool(pool: &Placed<Pool>) -> WirePlacedPool<'_> {
    WirePlacedPool {
        name: pool.value.name.as_str().into(),
        limit: pool.value.limit,
        file: (&*pool.origin.file).into(),
        line: pool.origin.line,
    }
}

fn action(action: &Action) -> WireAction<'_> {
    match action {
        Action::Http(http) => WireAction::Http(Box::new(request(http))),
        Action::Process(process) => match &process.command {
            Command::Shell { shell, line } => WireAction::Run {
                shell: shell.iter().map(|word| Cow::from(&**word)).collect(),
                line: (&**line).into(),
                process: rest_of(process),
            },
            Command::Exec(words) => WireAction::Exec {
                words: words.iter().map(text).collect(),
                process: rest_of(process),
            },
        },
    }
}

fn rest_of(process: &Process) -> WireProcess<'_> {
    WireProcess {
        stdin: process.stdin.as_deref().map(Cow::from),
        success_exit_codes: process.success_exit_codes.to_vec(),
    }
}

fn request(http: &Http) -> WireHttp<'_> {
    WireHttp {
        method: (&*http.method).into(),
        url: text(&http.url),
        query: named(&http.query),
        headers: named(&http.headers),
        body: match &http.body {
            Body::Empty => None,
            Body::Text(body) => Some(WireBody::Text(text(body))),
            Body::Json(body) => Some(WireBody::Json(json(body))),
            Body::Form(fields) => Some(WireBody::Form(named(fields))),
        },
        follow_redirects: http.follow_redirects,
        expect_status: http
            .expect
            .status
            .iter()
            .map(|status| match status {
                StatusSet::Class(class) => WireStatus::Class(*class),
                StatusSet::Exactly(code) => WireStatus::Exactly(*code),
            })
            .collect(),
        expect_body_contains: http.expect.body_contains.as_deref().map(Cow::from),
        expect_json: http
            .expect
            .json
            .iter()
            .map(|(pointer, value)| (Cow::from(&**pointer), json(value)))
            .collect(),
        sign: match &http.sign {
            Some(sign) => sign.secrets.iter().map(text).collect(),
            None => Vec::new(),
        },
        tls: http.tls.as_deref().map(|tls| WireTls {
            ca: tls.ca.as_ref().map(tree_path),
            identity: tls
                .identity
                .as_ref()
                .map(|(cert, key)| (tree_path(cert), tree_path(key))),
            insecure: tls.insecure,
        }),
    }
}

fn named(entries: &[(Arc<str>, Text)]) -> Vec<(Cow<'_, str>, WireText<'_>)> {
    entries
        .iter()
        .map(|(name, value)| (Cow::from(&**name), text(value)))
        .collect()
}

fn text(text: &Text) -> WireText<'_> {
    let parts = text.parts();
    if let [Part::Literal(only)] = parts.as_slice()
        && **only == *text.shown()
    {
        return WireText::Plain(text.shown().into());
    }
    WireText::Parts {
        shown: text.shown().into(),
        parts: parts.iter().map(part).collect(),
    }
}

fn part<'a>(part: &Part) -> WirePart<'a> {
    match part {
        Part::Literal(text) => WirePart::Text(Cow::Owned(text.to_string())),
        Part::Secret(name) => WirePart::Secret(Cow::Owned(name.to_string())),
        Part::Variable(variable) => WirePart::Variable(variable.name()),
    }
}

/// One level of nesting for one level of the value, so that the reader's bound on depth is that of the
/// job file: `null`, `true` and text as they are, all else a list that begins with its kind.
fn json(value: &Json) -> Value {
    let kind = |kind: &str| Value::String(kind.to_owned());
    match value {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => {
            Value::Array(vec![kind("number"), Value::String(number.to_string())])
        }
        Json::String(string) => match text(string) {
            WireText::Plain(plain) => Value::String(plain.into_owned()),
            WireText::Parts { shown, parts } => {
                let mut items = vec![kind("text"), Value::String(shown.into_owned())];
                for part in parts {
                    let (word, value) = match part {
                        WirePart::Text(text) => ("text", text),
                        WirePart::Secret(name) => ("secret", name),
                        WirePart::Variable(name) => ("variable", name),
                    };
                    items.push(kind(word));
                    items.push(Value::String(value.into_owned()));
                }
                Value::Array(items)
            }
        },
        Json::Array(items) => {
            let items = items.iter().map(json);
            Value::Array(std::iter::once(kind("list")).chain(items).collect())
        }
        Json::Object(entries) => {
            let entries = entries
                .iter()
                .flat_map(|(key, value)| [Value::String(key.to_string()), json(value)]);
            Value::Array(std::iter::once(kind("map")).chain(entries).collect())
        }
    }
}

fn context(context: &Context) -> WireContext<'_> {
    WireContext {
        env: named(&context.env),
        env_files: context.env_files.iter().map(tree_path).collect(),
        inherit_env: context
            .inherit_env
            .iter()
            .map(|name| Cow::from(&**name))
            .collect(),
        secrets: context
            .secrets
            .iter()
            .map(|(name, source)| {
                let source = match source {
                    SecretSource::Env(name) => WireSecret::Env((&**name).into()),
                    SecretSource::File(file) => WireSecret::File(tree_path(file)),
                };
                (Cow::from(&**name), source)
            })
            .collect(),
        cwd: context.cwd.as_deref().map(path),
        user: context.user.as_ref().map(|user| user.to_string().into()),
        limits: (context.limits != Limits::default()).then_some(WireLimits {
            memory: context.limits.memory,
            cpu_time: context.limits.cpu_time,
            open_files: context.limits.open_files,
            processes: context.limits.processes,
        }),
    }
}

fn tree_path(file: &TreePath) -> WireTreePath<'_> {
    WireTreePath {
        path: path(&file.path),
        within: file.within.as_deref().map(path),
    }
}

fn path(path: &Path) -> WirePath<'_> {
    match path.to_str() {
        Some(text) => WirePath::Text(text.into()),
        None => WirePath::Bytes(path.as_os_str().as_bytes().to_vec()),
    }
}

fn policy(policy: &Policy) -> WirePolicy<'_> {
    WirePolicy {
        timeout: policy.timeout,
        kill_grace: policy.kill_grace,
        retry_max: policy.retry.max,
        backoff: policy.retry.backoff,
        factor_permille: policy.retry.factor_permille,
        max_backoff: policy.retry.max_backoff,
        jitter_permille: policy.retry.jitter_permille,
        when: policy
            .retry
            .when
            .iter()
            .map(|on| match on {
                RetryOn::Code(code) => WireRetryOn::Code(*code),
                word => WireRetryOn::Word(word.to_string().into()),
            })
            .collect(),
        max_instances: policy.max_instances,
        overlap: policy.overlap.as_str().into(),
        grace: match policy.grace {
            Grace::Auto => None,
            Grace::Fixed(length) => Some(length),
        },
        coalesce: policy.coalesce,
        after_crash: (policy.after_crash != AfterCrash::Record)
            .then(|| policy.after_crash.as_str().into()),
        pool: policy.pool.as_ref().map(|pool| WirePool {
            name: pool.name.as_str().into(),
            limit: pool.limit,
        }),
        success_within: policy.success_within,
        told: policy.audience.as_deref().map(told).unwrap_or_default(),
        output_keep: (policy.output_keep != Policy::OUTPUT).then_some(policy.output_keep),
        history: (policy.history != History::default())
            .then_some((policy.history.keep, policy.history.max_age)),
    }
}

fn told(audience: &Audience) -> Vec<(Cow<'_, str>, Vec<Cow<'_, str>>)> {
    let all = audience.all().into_iter();
    let told = all.filter(|(_, names)| !names.is_empty());
    told.map(|(event, names)| {
        let names = names.iter().map(|name| name.as_str().into());
        (event.as_str().into(), names.collect())
    })
    .collect()
}
