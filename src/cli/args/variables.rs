//! `ELDER_…` variables: each flag of `elder run` is one, and so is what names a server.
//!
//! A variable takes the place of the flag's default, and so does, where none is set, a key of the
//! `--config` file. So the order is flag, variable, file, default for every flag alike, and a new
//! flag has its variable and its key at once.

use std::collections::HashMap;

use clap::builder::OsStr;
use clap::{Arg, ArgAction, Command};

use crate::cli::config::{self, ConfigFile};

/// Variables that elder gives to its children, or that name no flag of `run`.
const OTHERS: [&str; 11] = [
    "ELDER_JOB",
    "ELDER_RUN_ID",
    "ELDER_SCHEDULED_AT",
    "ELDER_ATTEMPT",
    "ELDER_TRIGGER",
    "ELDER_PREVIOUS_SUCCESS_AT",
    "ELDER_REVISION",
    "ELDER_STATE_DIR",
    "ELDER_SERVER",
    "ELDER_BIN",
    "ELDER_TOKEN_FILE",
];

/// The variable of a flag: `max-workers` is `ELDER_MAX_WORKERS`.
#[must_use]
pub fn of_flag(long: &str) -> String {
    format!("ELDER_{}", long.replace('-', "_").to_ascii_uppercase())
}

/// Whether a flag of that command has a variable. The checks of files have none:
/// they answer alike on every machine.
fn has_variable(command: &str, long: &str) -> bool {
    match command {
        "run" => long != "help",
        // Asked about what `run` would do.
        "doctor" | "config" => !matches!(long, "help" | "format"),
        "validate" | "next" | "schema" => false,
        "restore" => matches!(long, "state" | "store"),
        _ => matches!(long, "server" | "token-file"),
    }
}

/// Puts the variables that are set, and what the file says, in the place of the defaults.
#[must_use]
pub fn apply(
    command: Command,
    variables: &HashMap<String, String>,
    file: Option<&ConfigFile>,
) -> Command {
    command.mut_subcommands(|subcommand| {
        let name = subcommand.get_name().to_owned();
        let with = |argument| with_default(argument, &name, variables, file);
        match name.as_str() {
            "config" => subcommand.mut_subcommands(|show| show.mut_args(with)),
            _ => subcommand.mut_args(with),
        }
    })
}

fn with_default(
    argument: Arg,
    command: &str,
    variables: &HashMap<String, String>,
    file: Option<&ConfigFile>,
) -> Arg {
    let takes_file = matches!(command, "run" | "doctor" | "config");
    let file = file.filter(|_| takes_file);
    let in_file = |argument: &Arg| file.and_then(|file| file.values(&config::key_of(argument)));
    let Some(long) = argument.get_long() else {
        return match in_file(&argument).map(<[String]>::to_vec) {
            Some(values) => argument.default_values(values.into_iter().map(OsStr::from)),
            None => argument,
        };
    };
    if !has_variable(command, long) {
        return argument;
    }
    let set = variables
        .get(&of_flag(long))
        .filter(|value| !value.is_empty());
    let value = set.cloned().or_else(|| Some(in_file(&argument)?.join(",")));
    let Some(value) = value else {
        return argument;
    };
    // `1` and `yes` are what people write for a switch.
    let value = match argument.get_action() {
        ArgAction::SetTrue => switch(&value).to_owned(),
        _ => value,
    };
    argument.default_value(OsStr::from(value))
}

fn switch(value: &str) -> &str {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => "true",
        "0" | "false" | "no" | "off" => "false",
        _ => value,
    }
}

/// For each variable that looks like a setting and is none, the setting that may have been meant.
#[must_use]
pub fn misspelt(command: &Command, variables: &HashMap<String, String>) -> Vec<(String, String)> {
    let known: Vec<String> = command
        .find_subcommand("run")
        .into_iter()
        .flat_map(Command::get_arguments)
        .filter_map(|argument| argument.get_long())
        .map(of_flag)
        .collect();
    let mut found: Vec<_> = variables
        .keys()
        .filter(|name| name.starts_with("ELDER_"))
        .filter(|name| !known.contains(name) && !OTHERS.contains(&name.as_str()))
        .filter_map(|name| {
            let near = known
                .iter()
                .min_by_key(|other| strsim::damerau_levenshtein(name, other))?;
            (strsim::damerau_levenshtein(name, near) <= 2).then(|| (name.clone(), near.clone()))
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::super::{Cli, Command as Typed};
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(pair).collect()
    }

    fn parse(line: &str, pairs: &[(&str, &str)]) -> Result<Typed, clap::Error> {
        let command = apply(Cli::command(), &variables(pairs), None);
        let matches = command.try_get_matches_from(line.split_whitespace())?;
        Ok(Cli::from_arg_matches(&matches)?.command)
    }

    #[test]
    fn flag_wins_over_variable_and_variable_over_default() {
        let set = [("ELDER_MAX_WORKERS", "7"), ("ELDER_LISTEN", "")];
        for (line, want) in [("elder run", 7), ("elder run --max-workers 9", 9)] {
            let Ok(Typed::Run(run)) = parse(line, &set) else {
                panic!("{line}")
            };
            assert_eq!(run.max_workers.unwrap().get(), want, "{line}");
            assert_eq!(run.listen.port(), 8000, "empty is not set");
        }
    }

    #[test]
    fn switches_and_lists_come_from_variables_too() {
        let set = [
            ("ELDER_STRICT", "yes"),
            ("ELDER_ALLOW_EMPTY", "0"),
            ("ELDER_ENV_ALLOW", "A,B"),
            ("ELDER_ALLOWED_HOST", "one,two"),
        ];
        let Ok(Typed::Run(run)) = parse("elder run", &set) else {
            panic!("refused")
        };
        assert!(run.strict && !run.allow_empty);
        assert_eq!(run.env_allow.unwrap(), ["A", "B"]);
        assert_eq!(run.allowed_host, ["one", "two"]);
        assert!(parse("elder run", &[("ELDER_STRICT", "maybe")]).is_err());
    }

    #[test]
    fn every_flag_of_run_has_a_variable() {
        let command = Cli::command();
        let run = command.find_subcommand("run").unwrap();
        for long in run.get_arguments().filter_map(|a| a.get_long()) {
            assert!(has_variable("run", long), "{long}");
        }
    }

    #[test]
    fn a_check_of_files_answers_alike_whatever_is_set() {
        let Ok(Typed::Validate(validate)) = parse("elder validate", &[("ELDER_STRICT", "1")])
        else {
            panic!("refused")
        };
        assert!(!validate.strict);
    }

    #[test]
    fn a_slip_of_the_pen_is_noticed_and_what_others_set_is_not() {
        let set = variables(&[
            ("ELDER_LISTN", "x"),
            ("ELDER_LISTEN", "x"),
            ("ELDER_SERVICE_HOST", "10.0.0.1"),
            ("ELDER_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
            ("ELDER_JOB", "x"),
        ]);
        let found = misspelt(&Cli::command(), &set);
        assert_eq!(
            found,
            [("ELDER_LISTN".to_owned(), "ELDER_LISTEN".to_owned())]
        );
    }
}
