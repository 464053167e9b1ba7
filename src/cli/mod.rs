//! The command line: flags to settings, one file per command, the table of exit codes.
//!
//! This is the only place that reads the environment, prints, or decides how elder ends.

pub mod args;
pub mod client;
pub mod config;
pub mod console;
mod doctor;
pub mod environment;
pub mod exit;
mod explain;
mod fmt;
mod git;
mod import;
mod init;
mod jobs;
mod logs;
mod next;
mod pause;
mod plan;
mod replace;
mod report;
mod rules;
mod run;
mod runs;
mod schema;
pub mod settings;
mod shell;
mod simulate;
mod stats;
mod status;
mod stop;
mod store;
mod sync;
mod table;
mod test;
mod tree;
mod trigger;
mod validate;
mod wait;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, CommandFactory, FromArgMatches};

use crate::clock::SystemClock;

use args::{Cli, Command};
use config::{ConfigFile, Origins};
use console::Console;
use environment::Environment;
use exit::{Exit, Failure};

/// Does what the command line says; the answer is for the shell.
#[must_use]
pub fn main() -> Exit {
    let environment = Environment::read();
    let mut console = Console::of_process(&environment);
    let arguments = std::env::args_os().collect();
    match parse(arguments, environment) {
        Ok(parsed) => match carry_out(parsed, &mut console) {
            Ok(exit) => exit,
            Err(failure) => {
                console.fail(&failure);
                failure.exit
            }
        },
        Err(Refused::ByClap(error)) => {
            // Help and version are answers; clap knows which stream is meant.
            let _ = error.print();
            match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Fine,
                _ => Exit::NoAnswer,
            }
        }
        Err(Refused::ByUs(failure)) => {
            console.fail(&failure);
            failure.exit
        }
    }
}

fn carry_out(parsed: Parsed, console: &mut Console) -> Result<Exit, Failure> {
    let environment = parsed.environment;
    match parsed.command {
        Command::Run(typed) => {
            let misspelt = args::variables::misspelt(&Cli::command(), &environment.variables);
            run::run(*typed, environment, misspelt)
        }
        Command::Validate(typed) => validate::validate(&typed, environment, console),
        Command::Plan(typed) => plan::plan(&typed, environment, console),
        Command::Next(typed) => next::next(&typed, environment, console),
        Command::Doctor(typed) => doctor::doctor(&typed, environment, console),
        Command::Config(typed) => config::config(typed, environment, &parsed.origins, console),
        Command::Simulate(typed) => simulate::simulate(&typed, environment, console),
        Command::Test(typed) => test::test(&typed, environment, console),
        Command::Init(typed) => init::init(&typed, console),
        Command::Completions(typed) => shell::completions(&typed, console),
        Command::Man(typed) => shell::man(&typed, console),
        Command::Fmt(typed) => fmt::fmt(&typed, console),
        Command::Rules(typed) => rules::rules(&typed, environment, console),
        Command::Schema(typed) => schema::schema(&typed, console),
        Command::Explain(typed) => explain::explain(&typed, &environment, console),
        Command::Status(typed) => status::status(&typed, &environment, console),
        Command::List(typed) => jobs::list(&typed, &environment, console),
        Command::Show(typed) => jobs::show(&typed, &environment, console),
        Command::Runs(typed) => runs::runs(&typed, &environment, console),
        Command::Logs(typed) => logs::logs(&typed, &environment, console),
        Command::Cancel(typed) => runs::cancel(&typed, &environment, console),
        Command::Pause(typed) => pause::pause(&typed, &environment, console),
        Command::Resume(typed) => pause::resume(&typed, &environment, console),
        Command::Overrides(typed) => pause::overrides(&typed, &environment, console),
        Command::Rerun(typed) => trigger::rerun(&typed, &environment, console),
        Command::Stop(typed) => stop::stop(&typed, &environment, console),
        Command::Trigger(typed) => trigger::trigger(&typed, &environment, console),
        Command::Sync(typed) => sync::sync(&typed, &environment, console),
        Command::Wait(typed) => wait::wait(&typed, &environment, console),
        Command::Backup(typed) => store::backup(&typed, &environment, console),
        Command::Restore(typed) => store::restore(&typed, &SystemClock::default(), console),
        Command::Optimize(typed) => store::optimize(&typed, &environment, console),
        Command::Import(typed) => import::import(&typed, console),
        Command::Stats(typed) => stats::stats(&typed, &environment, console),
        Command::Report(typed) => report::report(&typed, &environment, console),
    }
}

/// Why a command line was not taken.
enum Refused {
    ByClap(Box<clap::Error>),
    ByUs(Failure),
}

/// The command, and what it was read from.
#[derive(Debug)]
struct Parsed {
    command: Command,
    /// With what `--env-file` adds to it.
    environment: Environment,
    origins: Origins,
}

/// Reads the line.
///
/// It is read twice: only the first reading can say where the variables and the
/// settings are that the second one takes its defaults from.
fn parse(arguments: Vec<OsString>, mut environment: Environment) -> Result<Parsed, Refused> {
    let by_clap = |error| Refused::ByClap(Box::new(error));
    let arguments = args::with_validate_as_command(arguments);
    let (first, _) = Cli::try_parse_from_command(Cli::command(), &arguments).map_err(by_clap)?;
    let file = match config_file(&first, &environment) {
        Some(path) => Some(ConfigFile::read(&path).map_err(Refused::ByUs)?),
        None => None,
    };
    let mut set_by_file = HashMap::new();
    for file in env_files(&first, &environment, file.as_ref()) {
        let pairs = environment::read_env_file(&file).map_err(Refused::ByUs)?;
        let shown = file.display().to_string();
        let new = pairs.iter().map(|(name, _)| name);
        let new = new.filter(|name| !environment.variables.contains_key(*name));
        set_by_file.extend(new.map(|name| (name.clone(), shown.clone())));
        environment.add(pairs);
    }
    if file.is_none() && config_file(&first, &environment).is_some() {
        let message = "ELDER_CONFIG stands in an --env-file, which is read after it";
        return Err(Refused::ByUs(Failure::no_answer(message).help(
            "write --config FILE, or set the variable where elder is started",
        )));
    }
    let command = args::variables::apply(Cli::command(), &environment.variables, file.as_ref());
    // The first reading was fine, so what is wrong now came out of a variable or the file.
    let (command, matches) = Cli::try_parse_from_command(command, &arguments)
        .map_err(|error| Refused::ByUs(bad_setting(&error, &environment, file.as_ref())))?;
    let of_run = match matches.subcommand() {
        Some(("run", matches)) => Some(matches),
        Some(("config", matches)) => matches.subcommand_matches("show"),
        _ => None,
    };
    if let Some(matches) = of_run {
        environment.set_by = settings::set_by(matches, &environment, file.as_ref());
    }
    Ok(Parsed {
        command,
        environment,
        origins: Origins {
            matches,
            file,
            env_files: set_by_file,
        },
    })
}

fn config_file(command: &Command, environment: &Environment) -> Option<PathBuf> {
    let typed = match command {
        Command::Run(typed) => &typed.config,
        Command::Doctor(typed) => &typed.config,
        Command::Config(typed) => &typed.run().config,
        _ => return None,
    };
    let set = || environment.get("ELDER_CONFIG").map(PathBuf::from);
    typed.clone().or_else(set)
}

fn env_files(
    command: &Command,
    environment: &Environment,
    file: Option<&ConfigFile>,
) -> Vec<PathBuf> {
    let typed = match command {
        Command::Run(typed) => &typed.env_file,
        Command::Config(typed) => &typed.run().env_file,
        Command::Validate(typed) => return typed.env_file.clone(),
        Command::Plan(typed) => return typed.env_file.clone(),
        Command::Rules(typed) => return typed.env_file.clone(),
        Command::Next(typed) => return typed.env_file.clone(),
        Command::Doctor(typed) => &typed.env_file,
        Command::Simulate(typed) => return typed.env_file.clone(),
        Command::Test(typed) => return typed.env_file.clone(),
        _ => return Vec::new(),
    };
    let set = environment.get("ELDER_ENV_FILE");
    match set {
        _ if !typed.is_empty() => typed.clone(),
        Some(files) => files.split(',').map(PathBuf::from).collect(),
        None => {
            let files = file.and_then(|file| file.values("env_file"));
            files
                .unwrap_or_default()
                .iter()
                .map(PathBuf::from)
                .collect()
        }
    }
}

fn bad_setting(
    error: &clap::Error,
    environment: &Environment,
    file: Option<&ConfigFile>,
) -> Failure {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let flag = text(ContextKind::InvalidArg);
    let long = flag.trim_start_matches('-');
    let long = long.split([' ', '=', '[']).next().unwrap_or_default();
    let name = args::variables::of_flag(long);
    let key = long.replace('-', "_");
    let place = file.and_then(|file| file.place(&key));
    let what = match place.filter(|_| environment.get(&name).is_none()) {
        Some(place) => format!("{place}: the setting {key}"),
        None => format!("the variable {name}"),
    };
    let value = text(ContextKind::InvalidValue);
    let words = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(words)) => format!("write one of {}", words.join(", ")),
        _ => String::new(),
    };
    let reason = std::error::Error::source(error).map(ToString::to_string);
    Failure::no_answer(format!("{what} has the value {value:?}")).help(reason.unwrap_or(words))
}

impl Cli {
    fn try_parse_from_command(
        mut command: clap::Command,
        arguments: &[OsString],
    ) -> Result<(Command, ArgMatches), clap::Error> {
        let matches = command.try_get_matches_from_mut(arguments)?;
        let typed = Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
        Ok((typed.command, matches))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str, set: &[(&str, &str)]) -> Result<(Command, Environment), Failure> {
        let mut environment = Environment::default();
        let pairs = set.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        environment.add(pairs.collect());
        let arguments = line.split_whitespace().map(OsString::from).collect();
        match parse(arguments, environment) {
            Ok(parsed) => Ok((parsed.command, parsed.environment)),
            Err(Refused::ByUs(failure)) => Err(failure),
            Err(Refused::ByClap(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn a_bad_variable_is_named_with_its_mend() {
        for (name, value, hint) in [
            ("ELDER_MAX_WORKERS", "many", "invalid digit"),
            ("ELDER_LISTEN", "8000", "write 127.0.0.1:8000"),
            (
                "ELDER_TZDATA",
                "newest",
                "write one of auto, system, bundled",
            ),
            ("ELDER_STRICT", "maybe", "write one of true, false"),
        ] {
            let failure = parsed("elder run", &[(name, value)]).unwrap_err();
            assert!(failure.message.contains(name), "{failure}");
            assert!(failure.help.contains(hint), "{failure}");
        }
    }

    #[test]
    fn a_file_of_variables_sets_flags_and_environment_alike() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("elder.env");
        std::fs::write(&file, "ELDER_MAX_WORKERS=3\nGREETING=hello\n").unwrap();
        let line = format!("elder run --env-file {}", file.display());
        let (command, environment) = parsed(&line, &[]).unwrap();
        let Command::Run(typed) = command else {
            panic!("another command")
        };
        assert_eq!(typed.max_workers.unwrap().get(), 3);
        assert_eq!(environment.get("GREETING"), Some("hello"));

        let file = file.display().to_string();
        let (_, environment) = parsed("elder run", &[("ELDER_ENV_FILE", &file)]).unwrap();
        assert_eq!(environment.get("GREETING"), Some("hello"));
        let missing = parsed("elder run --env-file nowhere.env", &[]).unwrap_err();
        assert!(missing.message.contains("nowhere.env"), "{missing}");
    }
}
