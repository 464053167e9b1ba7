//! Flags as meant: what was typed, what is set and what is built in become one plain record.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::ArgMatches;
use clap::parser::ValueSource;

use crate::action::Egress;
use crate::daemon::options::{Heartbeat, Notice, Paths, RunOptions, ServiceManager};
use crate::server::Auth;
use crate::telemetry::log;

use super::args::run as typed_as;
use super::args::{RunArgs, values};
use super::config::ConfigFile;
use super::environment::Environment;
use super::exit::Failure;

/// How many processes run at once when nothing is said.
const DEFAULT_WORKERS: NonZeroU32 = NonZeroU32::MIN.saturating_add(63);

/// What `elder run` is to do.
///
/// # Errors
/// When two settings contradict each other, or one asks for what this build has not.
pub fn of_run(
    typed: RunArgs,
    mut environment: Environment,
    misspelt: Vec<(String, String)>,
) -> Result<RunOptions, Failure> {
    let service_manager = service_manager(&mut environment);
    #[cfg(debug_assertions)]
    let fail_point = fail_point(&mut environment)?;
    let mut notices: Vec<_> = misspelt.into_iter().map(misspelt_notice).collect();
    let legacy = Legacy::read(&environment, &typed, &mut notices)?;
    if typed.auth == typed_as::Auth::None && !typed.listen.ip().is_loopback() {
        return Err(Failure::no_answer(format!(
            "--auth none works on loopback alone, and {} is not",
            typed.listen
        ))
        .help("listen on 127.0.0.1, or give out tokens with --tokens FILE"));
    }
    values::check_store(&typed.store)
        .map_err(|message| Failure::no_answer(format!("--store: {message}")))?;
    if let Some(address) = &typed.heartbeat_url {
        values::check_heartbeat(address).map_err(|help| {
            Failure::no_answer("--heartbeat-url (ELDER_HEARTBEAT_URL) is no address").help(help)
        })?;
    }
    let paths = if typed.paths.is_empty() {
        Paths::Default
    } else {
        Paths::Named(distinct_paths(typed.paths)?)
    };
    let timezone = typed.timezone.filter(|zone| !zone.is_empty());
    Ok(RunOptions {
        paths,
        listen: typed.listen,
        runtime_dir: environment.get("XDG_RUNTIME_DIR").map(PathBuf::from),
        state: typed.state,
        store: typed.store,
        timezone: timezone.or(legacy.timezone).map(Arc::from),
        tzdata: environment.tzdata(typed.tzdata),
        max_workers: typed
            .max_workers
            .or(legacy.max_workers)
            .unwrap_or(DEFAULT_WORKERS),
        max_requests: typed.max_requests,
        shutdown_grace: typed.shutdown_grace,
        prune_limit: typed.prune_limit,
        config: typed.config,
        strict: typed.strict,
        allow_empty: typed.allow_empty,
        no_new_privs: typed.no_new_privs,
        env_allow: typed.env_allow.map(Arc::new),
        egress: Egress::new(typed.egress),
        tokens: typed.tokens,
        audit_log: typed.audit_log,
        public: typed.public,
        allowed_hosts: typed.allowed_host,
        auth: match typed.auth {
            typed_as::Auth::Token => Auth::Tokens,
            typed_as::Auth::None => Auth::None,
        },
        job_metrics: typed.job_metrics.unwrap_or_default(),
        log: log::Options {
            level: typed.log_level.or(legacy.log_level).unwrap_or_default(),
            format: typed.log_format,
            colour: if environment.wants_colour() {
                log::Colour::Allowed
            } else {
                log::Colour::Never
            },
        },
        revision: typed.revision.map(Arc::from),
        author: typed.author.map(Arc::from),
        service_manager,
        heartbeat: typed.heartbeat_url.map(|url| Heartbeat {
            url,
            every: typed.heartbeat_every,
        }),
        #[cfg(debug_assertions)]
        fail_point,
        program: environment.program.clone(),
        environment: Arc::new(environment.variables),
        notices,
    })
}

/// Who wants to be told how elder does. What says so is elder's alone: a job that spoke to the
/// manager in elder's name, because it asked for all variables, would be believed.
fn service_manager(environment: &mut Environment) -> Option<ServiceManager> {
    let mut take = |name: &str| {
        let value = environment.variables.remove(name);
        value.filter(|value| !value.is_empty())
    };
    let (socket, patience, of) = (
        take("NOTIFY_SOCKET"),
        take("WATCHDOG_USEC"),
        take("WATCHDOG_PID"),
    );
    let is_ours = of.is_none_or(|pid| pid == std::process::id().to_string());
    let patience = patience.filter(|_| is_ours);
    Some(ServiceManager {
        socket: socket?.into(),
        watchdog: patience
            .and_then(|micros| micros.parse().ok())
            .filter(|micros| *micros > 0)
            .map(Duration::from_micros),
    })
}

/// Where a test lets elder break; no release knows this variable.
#[cfg(debug_assertions)]
fn fail_point(environment: &mut Environment) -> Result<Option<crate::action::FailPoint>, Failure> {
    let asked = environment.variables.remove("ELDER_FAIL_POINT");
    let point = asked.map(|text| crate::action::FailPoint::parse(&text));
    point.transpose().map_err(Failure::no_answer)
}

fn misspelt_notice((name, near): (String, String)) -> Notice {
    Notice {
        warning: true,
        text: format!("{name} is not a setting; did you mean {near}?"),
    }
}

/// What the variables of the scheduler that elder replaces say.
#[derive(Debug, Default)]
struct Legacy {
    timezone: Option<String>,
    max_workers: Option<NonZeroU32>,
    log_level: Option<log::Level>,
}

/// The variables of that scheduler which have a successor, each with its flag.
const LEGACY: [(&str, &str); 3] = [
    ("SCHEDULER_TIMEZONE", "timezone"),
    ("SCHEDULER_MAX_WORKERS", "max-workers"),
    ("SCHEDULER_LOG_LEVEL", "log-level"),
];

/// The variable of that scheduler which sets the flag, where it is set, and what it says.
pub(super) fn legacy_of<'e>(
    flag: &str,
    environment: &'e Environment,
) -> Option<(&'static str, &'e str)> {
    let (name, _) = LEGACY.iter().find(|(_, of)| *of == flag)?;
    Some((name, environment.get(name)?))
}

/// What sets each of their successors, where something does. A file of elder's own settings is
/// newer than such a variable, and overrules it as a flag does.
pub(super) fn set_by(
    matches: &ArgMatches,
    environment: &Environment,
    file: Option<&ConfigFile>,
) -> HashMap<&'static str, String> {
    let origin = |flag: &str| {
        let key = flag.replace('-', "_");
        if matches.value_source(&key) == Some(ValueSource::CommandLine) {
            return Some(format!("--{flag}"));
        }
        let variable = super::args::variables::of_flag(flag);
        let variable = Some(variable).filter(|name| environment.get(name).is_some());
        variable.or_else(|| file?.place(&key))
    };
    let flags = LEGACY.iter().map(|(_, flag)| *flag);
    flags
        .filter_map(|flag| Some((flag, origin(flag)?)))
        .collect()
}

impl Legacy {
    fn read(
        environment: &Environment,
        typed: &RunArgs,
        notices: &mut Vec<Notice>,
    ) -> Result<Self, Failure> {
        for (name, store) in [
            ("SCHEDULER_USE_REDIS", "Redis"),
            ("SCHEDULER_USE_POSTGRES", "PostgreSQL"),
        ] {
            if environment.get(name).is_some_and(|value| !is_no(value)) {
                let message = format!("{name} is set, and {}", values::not_built(store));
                return Err(Failure::no_answer(message).help(format!(
                    "unset {name} to use the local store, with one elder only"
                )));
            }
        }
        let mut take = |flag: &str, successor_is_set: bool| -> Option<String> {
            let (name, value) = legacy_of(flag, environment)?;
            let successor = super::args::variables::of_flag(flag);
            let successor = format!("{successor} (--{flag})");
            let text = match environment.set_by.get(flag) {
                Some(origin) if successor_is_set => format!("{name} is overruled by {origin}"),
                None if successor_is_set => format!("{name} is overruled by {successor}"),
                _ => format!("{name} is taken; write its successor {successor}"),
            };
            notices.push(Notice {
                warning: true,
                text,
            });
            Some(value.to_owned())
        };
        let timezone = take("timezone", typed.timezone.is_some());
        let workers = take("max-workers", typed.max_workers.is_some());
        let level = take("log-level", typed.log_level.is_some());
        let bad = |name: &str, hint: &str| Failure::no_answer(format!("{name}: {hint}"));
        Ok(Self {
            timezone,
            max_workers: match workers.map(|text| text.parse()) {
                Some(Ok(count)) => Some(count),
                Some(Err(_)) => return Err(bad("SCHEDULER_MAX_WORKERS", "write a number from 1")),
                None => None,
            },
            log_level: match level.map(|text| text.parse::<log::Level>()) {
                Some(Ok(level)) => Some(level),
                Some(Err(error)) => return Err(bad("SCHEDULER_LOG_LEVEL", &error.to_string())),
                None => None,
            },
        })
    }
}

fn is_no(value: &str) -> bool {
    let value = value.trim().to_ascii_lowercase();
    matches!(
        value.as_str(),
        "" | "0" | "false" | "no" | "off" | "f" | "n"
    )
}

/// Refuses PATHs that hold each other: every job of the inner one would be claimed twice.
pub(super) fn distinct_paths(paths: Vec<String>) -> Result<Vec<String>, Failure> {
    let plain: Vec<PathBuf> = paths.iter().map(|path| without_dots(path)).collect();
    for (index, inner) in plain.iter().enumerate() {
        for (other, outer) in plain.iter().enumerate() {
            if index != other && inner.starts_with(outer) && (inner != outer || other < index) {
                let message = if inner == outer {
                    format!("the PATH {} is named twice", paths[index])
                } else {
                    format!("the PATH {} lies within {}", paths[index], paths[other])
                };
                return Err(Failure::no_answer(message).help("name each folder once"));
            }
        }
    }
    Ok(paths)
}

fn without_dots(path: &str) -> PathBuf {
    let parts = Path::new(path).components();
    parts.filter(|part| *part != Component::CurDir).collect()
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::super::args::{Cli, Command, variables};
    use super::*;
    use crate::telemetry::JobMetrics;

    fn options(line: &str, set: &[(&str, &str)]) -> Result<RunOptions, Failure> {
        let mut environment = Environment::default();
        let pairs = set.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        environment.add(pairs.collect());
        let command = variables::apply(Cli::command(), &environment.variables, None);
        let matches = command
            .try_get_matches_from(line.split_whitespace())
            .unwrap();
        match Cli::from_arg_matches(&matches).unwrap().command {
            Command::Run(typed) => of_run(*typed, environment, Vec::new()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_a_flag_everything_is_as_documented() {
        let options = options("elder run", &[]).unwrap();
        assert_eq!(options.paths, Paths::Default);
        assert_eq!(options.listen.to_string(), "127.0.0.1:8000");
        assert_eq!(options.store, "sqlite:", "elder.db in the state folder");
        assert_eq!(
            (options.max_workers.get(), options.max_requests.get()),
            (64, 1024)
        );
        assert_eq!(options.shutdown_grace.as_secs(), 30);
        assert_eq!(options.prune_limit, 50);
        assert_eq!(options.tzdata.choice, crate::schedule::TzdataChoice::Auto);
        assert_eq!(options.tzdata.host, Path::new(crate::schedule::HOST_TZDATA));
        assert_eq!(options.auth, Auth::Tokens);
        assert!(options.public.metrics && options.public.health);
        assert_eq!(options.job_metrics, JobMetrics::Auto);
        assert_eq!(options.log.level, log::Level::Info);
        assert_eq!(options.log.format, log::Format::Auto);
        assert_eq!(options.env_allow, None);
        assert!(options.notices.is_empty());
    }

    #[test]
    fn what_speaks_to_the_service_manager_is_elders_alone() {
        let us = std::process::id().to_string();
        for (set, watchdog) in [
            (vec![("WATCHDOG_USEC", "3000000")], Some(3)),
            (
                vec![("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", &us)],
                Some(3),
            ),
            (
                vec![("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "1")],
                None,
            ),
            (vec![("WATCHDOG_USEC", "0")], None),
            (vec![("WATCHDOG_USEC", "soon")], None),
            (vec![], None),
        ] {
            let set: Vec<_> = set.into_iter().chain([("NOTIFY_SOCKET", "@x")]).collect();
            let options = options("elder run", &set).unwrap();
            let manager = options.service_manager.unwrap();
            assert_eq!(manager.socket, "@x");
            assert_eq!(
                manager.watchdog,
                watchdog.map(Duration::from_secs),
                "{set:?}"
            );
            for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
                assert!(!options.environment.contains_key(name), "{name}");
            }
        }
        assert_eq!(options("elder run", &[]).unwrap().service_manager, None);
    }

    #[test]
    fn a_legacy_variable_is_taken_with_a_line_that_names_its_successor() {
        let set = [
            ("SCHEDULER_TIMEZONE", "Asia/Tokyo"),
            ("SCHEDULER_MAX_WORKERS", "5"),
            ("SCHEDULER_LOG_LEVEL", "WARNING"),
            ("ELDER_MAX_WORKERS", "6"),
        ];
        let options = options("elder run --log-level debug", &set).unwrap();
        assert_eq!(options.timezone.as_deref(), Some("Asia/Tokyo"));
        assert_eq!(options.max_workers.get(), 6, "the successor wins");
        assert_eq!(options.log.level, log::Level::Debug, "the flag wins");
        let texts: Vec<_> = options.notices.iter().map(|n| n.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "SCHEDULER_TIMEZONE is taken; write its successor ELDER_TIMEZONE (--timezone)",
                "SCHEDULER_MAX_WORKERS is overruled by ELDER_MAX_WORKERS (--max-workers)",
                "SCHEDULER_LOG_LEVEL is overruled by ELDER_LOG_LEVEL (--log-level)",
            ]
        );
    }

    #[test]
    fn a_legacy_variable_that_cannot_be_honoured_ends_the_start() {
        for (name, value) in [
            ("SCHEDULER_USE_REDIS", "true"),
            ("SCHEDULER_USE_POSTGRES", "1"),
            ("SCHEDULER_USE_POSTGRES", "surely"),
            ("SCHEDULER_MAX_WORKERS", "many"),
            ("SCHEDULER_MAX_WORKERS", "0"),
            ("SCHEDULER_LOG_LEVEL", "loud"),
        ] {
            let failure = options("elder run", &[(name, value)]).unwrap_err();
            assert_eq!(
                failure.exit,
                super::super::exit::Exit::NoAnswer,
                "{name}={value}"
            );
            assert!(failure.message.contains(name), "{failure}");
        }
        for value in ["false", "0", "No", ""] {
            assert!(
                options("elder run", &[("SCHEDULER_USE_REDIS", value)]).is_ok(),
                "{value}"
            );
        }
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        for (line, hint) in [
            ("elder run --auth none --listen 0.0.0.0:8000", "loopback"),
            ("elder run a ./a", "named twice"),
            ("elder run a/b a", "lies within"),
        ] {
            let failure = options(line, &[]).unwrap_err();
            assert!(failure.message.contains(hint), "{line}: {failure}");
        }
        assert!(options("elder run --auth none", &[]).is_ok());
        assert!(options("elder run a ab", &[]).is_ok());
    }
}
