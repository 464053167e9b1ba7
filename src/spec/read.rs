//! The stored form back to checked definitions.

mod commons;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use commons::{audience, calendar, placed_pool, pool};

use super::calendars::dates_of;
use super::commons::Table;
use super::expression::{self, Asked};
use super::retry::parse_word;
use super::shared::Shared;
use super::wire::{
    Sheet, VERSION, Version, WireAbout, WireAction, WireBody, WireContext, WireHttp, WireJob,
    WirePart, WirePath, WirePolicy, WireProcess, WireRetryOn, WireSage, WireSecret, WireStatus,
    WireText, WireTreePath,
};
use crate::ids::JobName;
use crate::model::{
    About, Account, Action, AfterCrash, Body, Command, Commons, Context, Definition, Expect, Grace,
    History, Http, IdCell, Job, Json, Limits, Origin, Overlap, Part, Policy, Process, Retry,
    RetryOn, SecretSource, Sign, StatusSet, Text, Tls, TreePath, Variable,
};
use crate::schedule::{Calendar as Dates, Schedule, Zones};

/// Reads what [`print`](super::print()) wrote.
///
/// # Errors
/// A sentence that says what cannot be read: another version, a zone that tzdata no longer has, broken text.
pub fn read(text: &str, zones: &Zones) -> Result<(Vec<Job>, Commons), String> {
    let version: Version =
        serde_json::from_str(text).map_err(|e| format!("not a stored set of jobs: {e}"))?;
    if version.v != VERSION {
        return Err(format!(
            "stored in version {} of the form, and this build reads version {VERSION}",
            version.v
        ));
    }
    let sheet: Sheet<'_> =
        serde_json::from_str(text).map_err(|e| format!("not a stored set of jobs: {e}"))?;
    let shared = Shared::new(zones);
    let mut dates = Vec::with_capacity(sheet.dates.len());
    for row in sheet.dates {
        let read = dates_of(&row.dates).map_err(|why| format!("calendar {:?}: {why}", row.name))?;
        dates.push((Arc::from(&*row.name), Arc::new(read)));
    }
    let calendars: Result<Vec<_>, _> = sheet
        .calendars
        .into_iter()
        .map(|wire| calendar(&wire, &shared))
        .collect();
    let pools = sheet.pools.into_iter();
    let pools: Result<Vec<_>, _> = pools.map(|wire| placed_pool(&wire, &shared)).collect();
    let mut reader = Reader {
        dates,
        shared: &shared,
        policies: Vec::new(),
        contexts: Vec::new(),
        schedules: HashMap::new(),
    };
    for policy in sheet.policies {
        let policy = reader.policy(policy)?;
        reader.policies.push(Arc::new(policy));
    }
    for context in sheet.contexts {
        let context = reader.context(context)?;
        reader.contexts.push(Arc::new(context));
    }
    let mut sages = |wire: Vec<WireSage<'_>>| -> Result<Vec<_>, String> {
        wire.into_iter().map(|wire| reader.sage(wire)).collect()
    };
    let (sages, kept_sages) = (sages(sheet.sages)?, sages(sheet.kept_sages)?);
    let jobs: Result<Vec<_>, _> = sheet.jobs.into_iter().map(|job| reader.job(job)).collect();
    let commons = Commons {
        calendars: calendars?,
        pools: pools?,
        sages,
        kept_sages,
    };
    Ok((jobs?, commons))
}

/// Zone, text, and the places of what it names.
type ScheduleKey = (Arc<str>, Arc<str>, Vec<usize>);

struct Reader<'s> {
    shared: &'s Shared<'s>,
    policies: Vec<Arc<Policy>>,
    contexts: Vec<Arc<Context>>,
    /// What schedules name.
    dates: Vec<(Arc<str>, Arc<Dates>)>,
    /// By zone, text and calendars: equal ones are read once.
    schedules: HashMap<ScheduleKey, Arc<Schedule>>,
}

impl Reader<'_> {
    fn job(&mut self, wire: WireJob<'_>) -> Result<Job, String> {
        let name = JobName::new(&wire.name).map_err(|e| format!("job {:?}: {e}", wire.name))?;
        let aliases = wire.aliases.iter().map(|alias| JobName::new(alias));
        let aliases: Result<Arc<[JobName]>, _> = aliases.collect();
        let aliases = aliases.map_err(|e| format!("an alias of {name}: {e}"))?;
        let schedule_text = self.shared.text(&wire.schedule);
        let timezone = self.shared.text(&wire.timezone);
        let schedule = self
            .schedule(&schedule_text, &timezone, &name, wire.dates)
            .map_err(|error| format!("job {name}: {error}"))?;
        let missing = |what| format!("job {name} refers to a {what} that is not there");
        let context = self.contexts.get(wire.context);
        let policy = self.policies.get(wire.policy);
        let context = context.cloned().ok_or_else(|| missing("context"))?;
        let policy = policy.cloned().ok_or_else(|| missing("policy"))?;
        let about = match wire.about {
            Some(about) => Some(Arc::new(self.about(about)?)),
            None => None,
        };
        Ok(Job {
            definition: Arc::new(Definition {
                enabled: !wire.disabled,
                schedule,
                schedule_text,
                timezone,
                action: self.action(wire.action)?,
                context,
                policy,
                about,
                id: IdCell::default(),
                aliases,
                name,
            }),
            origin: Origin {
                file: self.shared.text(&wire.file),
                line: wire.line,
            },
        })
    }

    fn schedule(
        &mut self,
        text: &Arc<str>,
        zone: &Arc<str>,
        job: &JobName,
        dates: Vec<usize>,
    ) -> Result<Arc<Schedule>, String> {
        let key = (zone.clone(), text.clone(), dates);
        if let Some(known) = self.schedules.get(&key) {
            return Ok(known.clone());
        }
        let named = key.2.iter().map(|at| self.dates.get(*at).cloned());
        let named: Option<Vec<_>> = named.collect();
        let commons = Table::of_calendars(named.ok_or("a calendar that is not there")?);
        let asked = Asked {
            timezone: zone,
            zones: self.shared.zones,
            job: job.as_str(),
            commons: Some(&commons),
        };
        let read = expression::parse_asked(text, &asked).map_err(|findings| {
            let first = findings.first().map_or("", |finding| &finding.message);
            format!("schedule {text:?} in {zone}: {first}")
        })?;
        if !read.is_named {
            self.schedules.insert(key, read.schedule.clone());
        }
        Ok(read.schedule)
    }

    fn about(&self, wire: WireAbout<'_>) -> Result<About, String> {
        Ok(About {
            description: wire.description.map(arc),
            owner: wire.owner.map(|owner| self.shared.text(&owner)),
            labels: self.named(wire.labels)?,
        })
    }

    fn action(&self, wire: WireAction<'_>) -> Result<Action, String> {
        let (command, process) = match wire {
            WireAction::Http(http) => return Ok(Action::Http(Box::new(self.request(*http)?))),
            WireAction::Run {
                shell,
                line,
                process,
            } => {
                let words: Vec<_> = shell.iter().map(|word| self.shared.text(word)).collect();
                let shell = self.shared.shell(&words);
                (
                    Command::Shell {
                        shell,
                        line: arc(line),
                    },
                    process,
                )
            }
            WireAction::Exec { words, process } => {
                let words: Result<Vec<_>, _> = words.into_iter().map(text).collect();
                (Command::Exec(words?.into()), process)
            }
        };
        let WireProcess {
            stdin,
            success_exit_codes,
        } = process;
        Ok(Action::Process(Box::new(Process {
            command,
            stdin: stdin.map(arc),
            success_exit_codes: self.shared.exit_codes(&success_exit_codes),
        })))
    }

    fn request(&self, wire: WireHttp<'_>) -> Result<Http, String> {
        let body = match wire.body {
            None => Body::Empty,
            Some(WireBody::Text(body)) => Body::Text(text(body)?),
            Some(WireBody::Json(body)) => Body::Json(json(body)?),
            Some(WireBody::Form(fields)) => Body::Form(self.named(fields)?),
        };
        let status = |status| match status {
            WireStatus::Class(class) => StatusSet::Class(class),
            WireStatus::Exactly(code) => StatusSet::Exactly(code),
        };
        let values = wire.expect_json.into_iter();
        let values: Result<Vec<_>, String> = values
            .map(|(pointer, value)| Ok((self.shared.text(&pointer), json(value)?)))
            .collect();
        let sign: Result<Vec<_>, String> = wire.sign.into_iter().map(text).collect();
        Ok(Http {
            method: self.shared.text(&wire.method),
            url: text(wire.url)?,
            query: self.named(wire.query)?,
            headers: self.named(wire.headers)?,
            body,
            follow_redirects: wire.follow_redirects,
            expect: Expect {
                status: wire.expect_status.into_iter().map(status).collect(),
                body_contains: wire.expect_body_contains.map(arc),
                json: values?,
            },
            sign: sign.map(|sign| match sign.is_empty() {
                true => None,
                false => Some(Arc::new(Sign { secrets: sign })),
            })?,
            tls: wire.tls.map(|tls| {
                Arc::new(Tls {
                    ca: tls.ca.map(|ca| self.tree_path(ca)),
                    identity: tls
                        .identity
                        .map(|(cert, key)| (self.tree_path(cert), self.tree_path(key))),
                    insecure: tls.insecure,
                })
            }),
        })
    }

    fn named(
        &self,
        wire: Vec<(Cow<'_, str>, WireText<'_>)>,
    ) -> Result<Vec<(Arc<str>, Text)>, String> {
        wire.into_iter()
            .map(|(name, value)| Ok((self.shared.text(&name), text(value)?)))
            .collect()
    }

    fn context(&self, wire: WireContext<'_>) -> Result<Context, String> {
        let secrets = wire.secrets.into_iter().map(|(name, source)| {
            let source = match source {
                WireSecret::Env(name) => SecretSource::Env(self.shared.text(&name)),
                WireSecret::File(file) => SecretSource::File(self.tree_path(file)),
            };
            (self.shared.text(&name), source)
        });
        Ok(Context {
            secrets: secrets.collect(),
            env: self.named(wire.env)?,
            env_files: wire
                .env_files
                .into_iter()
                .map(|file| self.tree_path(file))
                .collect(),
            inherit_env: wire
                .inherit_env
                .iter()
                .map(|name| self.shared.text(name))
                .collect(),
            cwd: wire.cwd.map(|cwd| self.path(cwd)),
            user: wire.user.map(|user| self.account(&user)),
            limits: wire.limits.map_or_else(Limits::default, |limits| Limits {
                memory: limits.memory,
                cpu_time: limits.cpu_time,
                open_files: limits.open_files,
                processes: limits.processes,
            }),
        })
    }

    fn account(&self, text: &str) -> Account {
        let (user, group) = super::account::split(text);
        Account {
            user: self.shared.text(user),
            group: group.map(|group| self.shared.text(group)),
        }
    }

    fn tree_path(&self, wire: WireTreePath<'_>) -> TreePath {
        TreePath {
            path: self.path(wire.path),
            within: wire.within.map(|within| self.path(within)),
        }
    }

    fn path(&self, wire: WirePath<'_>) -> Arc<Path> {
        match wire {
            WirePath::Text(text) => self.shared.path(Path::new(&*text)),
            WirePath::Bytes(bytes) => self.shared.path(Path::new(OsStr::from_bytes(&bytes))),
        }
    }

    fn policy(&self, wire: WirePolicy<'_>) -> Result<Policy, String> {
        let when: Result<Vec<RetryOn>, String> = wire
            .when
            .into_iter()
            .map(|on| match on {
                WireRetryOn::Code(code) => Ok(RetryOn::Code(code)),
                WireRetryOn::Word(word) => {
                    parse_word(&word).ok_or_else(|| format!("unknown word {word:?} of retry"))
                }
            })
            .collect();
        let overlap = Overlap::parse(&wire.overlap)
            .ok_or_else(|| format!("unknown overlap {:?}", wire.overlap))?;
        let after_crash = match &wire.after_crash {
            None => AfterCrash::Record,
            Some(word) => {
                AfterCrash::parse(word).ok_or_else(|| format!("unknown after_crash {word:?}"))?
            }
        };
        Ok(Policy {
            timeout: wire.timeout,
            kill_grace: wire.kill_grace,
            retry: Retry {
                max: wire.retry_max,
                backoff: wire.backoff,
                factor_permille: wire.factor_permille,
                max_backoff: wire.max_backoff,
                jitter_permille: wire.jitter_permille,
                when: when?.into(),
            },
            max_instances: wire.max_instances,
            overlap,
            grace: wire.grace.map_or(Grace::Auto, Grace::Fixed),
            coalesce: wire.coalesce,
            after_crash,
            audience: audience(&wire.told)?,
            pool: match wire.pool {
                Some(wire) => Some(Arc::new(pool(&wire.name, wire.limit)?)),
                None => None,
            },
            success_within: wire.success_within,
            // What is kept is kept in memory first.
            output_keep: wire
                .output_keep
                .unwrap_or(Policy::OUTPUT)
                .min(Policy::MOST_OUTPUT),
            history: wire
                .history
                .map_or_else(History::default, |(keep, max_age)| History {
                    keep,
                    max_age,
                }),
        })
    }
}

fn arc(text: Cow<'_, str>) -> Arc<str> {
    Arc::from(&*text)
}

fn text(wire: WireText<'_>) -> Result<Text, String> {
    match wire {
        WireText::Plain(text) => Ok(Text::plain(&text)),
        WireText::Parts { shown, parts } => {
            let parts: Result<Vec<_>, _> = parts.into_iter().map(part).collect();
            Ok(Text::of_parts(&shown, parts?))
        }
    }
}

fn part(wire: WirePart<'_>) -> Result<Part, String> {
    Ok(match wire {
        WirePart::Text(text) => Part::Literal(arc(text)),
        WirePart::Secret(name) => Part::Secret(arc(name)),
        WirePart::Variable(name) => {
            let known =
                Variable::named(&name).ok_or_else(|| format!("unknown variable {name:?}"))?;
            Part::Variable(known)
        }
    })
}

fn json(wire: Value) -> Result<Json, String> {
    let bad = || "a JSON value that cannot be read".to_owned();
    let mut items = match wire {
        Value::Null => return Ok(Json::Null),
        Value::Bool(flag) => return Ok(Json::Bool(flag)),
        Value::String(text) => return Ok(Json::String(Text::plain(&text))),
        Value::Array(items) => items.into_iter(),
        Value::Number(_) | Value::Object(_) => return Err(bad()),
    };
    match items.next().as_ref().and_then(Value::as_str) {
        Some("number") => match items.next() {
            Some(Value::String(number)) => Ok(Json::Number(number.into())),
            _ => Err(bad()),
        },
        Some("text") => {
            let Some(Value::String(shown)) = items.next() else {
                return Err(bad());
            };
            let mut parts = Vec::new();
            while let Some(kind) = items.next() {
                let (Some(kind), Some(Value::String(value))) = (kind.as_str(), items.next()) else {
                    return Err(bad());
                };
                parts.push(part(match kind {
                    "text" => WirePart::Text(value.into()),
                    "secret" => WirePart::Secret(value.into()),
                    "variable" => WirePart::Variable(value.into()),
                    _ => return Err(bad()),
                })?);
            }
            Ok(Json::String(Text::of_parts(&shown, parts)))
        }
        Some("list") => items.map(json).collect::<Result<_, _>>().map(Json::Array),
        Some("map") => {
            let mut entries = Vec::new();
            while let Some(key) = items.next() {
                let (Value::String(key), Some(value)) = (key, items.next()) else {
                    return Err(bad());
                };
                entries.push((Arc::from(key), json(value)?));
            }
            Ok(Json::Object(entries))
        }
        _ => Err(bad()),
    }
}
