//! The file of settings (`--config`), and `elder config show`: which setting comes from where.

use std::any::TypeId;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory};
use serde_json::json;

use crate::daemon::settings_errors;
use crate::finding::render::{Format, Report};
use crate::secret::{MASK, Secret};
use crate::spec::{self, InputFile, PlainKey, PlainSetting};

use super::args::{Cli, ConfigArgs, ConfigCommand, TableFormat, variables};
use super::console::Console;
use super::environment::{self, Environment};
use super::exit::{Exit, Failure};
use super::settings;
use super::table::aligned;

/// Settings that were written into a file.
#[derive(Clone, Debug, Default)]
pub struct ConfigFile {
    shown: String,
    settings: Vec<PlainSetting>,
}

impl ConfigFile {
    /// Reads the file; every flag of `elder run` is a key of it.
    ///
    /// # Errors
    /// When it cannot be read, or anything in it is no setting.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display().to_string();
        let failure = |why: &str| Failure::no_answer(format!("--config {shown}: {why}"));
        let text = environment::read_text(path).map_err(|error| failure(&error.to_string()))?;
        let name: Arc<str> = Arc::from(shown.as_str());
        let input = InputFile {
            root: name.clone(),
            root_folder: Arc::from(path),
            path: name.clone(),
            shown: name,
            content: Ok(Arc::from(text.into_bytes())),
            hash: [0; 32],
            within: None,
        };
        let elsewhere = [spec::SYNC_WINDOWS];
        let settings = spec::settings_of(&input, &keys(), &elsewhere).map_err(|findings| {
            let said = Report::new(1, 0, &findings).render(Format::Concise);
            // Without the line of counts, which speaks of jobs.
            let said: Vec<&str> = said.lines().take(findings.len()).collect();
            failure(&format!("not taken\n{}", said.join("\n")))
                .help("elder run --help names the settings; write them with `_` for `-`")
        })?;
        Ok(Self { shown, settings })
    }

    /// The values of a setting, if the file has it.
    pub fn values(&self, key: &str) -> Option<&[String]> {
        self.find(key).map(|setting| setting.values.as_slice())
    }

    /// `elder.yaml:3`, if the file has it.
    pub fn place(&self, key: &str) -> Option<String> {
        let setting = self.find(key)?;
        Some(format!("{}:{}", self.shown, setting.line))
    }

    fn find(&self, key: &str) -> Option<&PlainSetting> {
        self.settings.iter().find(|setting| setting.name == key)
    }
}

/// The key of a flag: `max-workers` is `max_workers`, and PATHs are `paths`.
pub fn key_of(argument: &Arg) -> String {
    let long = argument.get_long();
    long.unwrap_or(argument.get_id().as_str()).replace('-', "_")
}

/// What a file of settings may hold.
fn keys() -> Vec<PlainKey> {
    let key = |argument: &Arg| PlainKey {
        name: key_of(argument),
        takes_list: takes_list(argument),
    };
    let command = Cli::command();
    let of_run = arguments(&command);
    let keys = of_run.map(key).filter(|key| key.name != "config");
    keys.collect()
}

fn takes_list(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Append) || argument.get_value_delimiter().is_some()
}

fn arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    let run = command.find_subcommand("run");
    let all = run.into_iter().flat_map(Command::get_arguments);
    all.filter(|argument| argument.get_id() != "help")
}

/// What the settings were resolved from.
#[derive(Debug)]
pub struct Origins {
    /// The command line as it was read, with everything else in the place of defaults.
    pub matches: ArgMatches,
    /// `--config`
    pub file: Option<ConfigFile>,
    /// Variables that an `--env-file` set, each with that file.
    pub env_files: HashMap<String, String>,
}

/// Prints each setting of `elder run` with its value and its origin.
///
/// # Errors
/// When `elder run` would refuse them.
pub fn config(
    typed: ConfigArgs,
    environment: Environment,
    origins: &Origins,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let ConfigCommand::Show(typed) = typed.what;
    let command = Cli::command();
    let matches = origins.matches.subcommand_matches("config");
    let matches = matches.and_then(|matches| matches.subcommand_matches("show"));
    let settings: Vec<Setting> = arguments(&command)
        .filter_map(|argument| Some(Setting::of(argument, matches?, &environment, origins)))
        .collect();
    // The one way from flags to what is meant: what it refuses is refused here too.
    let options = settings::of_run(typed.run, environment, Vec::new())?;
    if let (Some(file), Ok(zones)) = (&options.config, options.tzdata.open()) {
        let by = spec::Options {
            timezone: options.timezone.clone(),
            ..spec::Options::default()
        };
        let errors = settings_errors(file, &by, &zones);
        if !errors.is_empty() {
            let why = format!("--config {}:\n{}", file.display(), errors.join("\n"));
            return Err(Failure::no_answer(why));
        }
    }
    for notice in options.notices {
        console.say(&format!("note: {}", notice.text));
    }
    let text = match typed.format {
        TableFormat::Json => {
            let settings: Vec<_> = settings.iter().map(Setting::json).collect();
            format!("{}\n", json!({ "settings": settings }))
        }
        TableFormat::Human => {
            let rows: Vec<_> = settings.iter().map(Setting::row).collect();
            aligned(["SETTING", "VALUE", "FROM"], &rows)
        }
    };
    console.answer(&text)?;
    Ok(Exit::Fine)
}

/// A setting as it is.
struct Setting {
    key: String,
    /// Nothing for a setting that nobody made and that has no default.
    values: Vec<String>,
    is_list: bool,
    origin: Origin,
}

enum Origin {
    Flag(String),
    Variable(String),
    File(String),
    Default,
}

impl Setting {
    fn of(
        argument: &Arg,
        matches: &ArgMatches,
        environment: &Environment,
        origins: &Origins,
    ) -> Self {
        let id = argument.get_id().as_str();
        let key = key_of(argument);
        let typed = matches.value_source(id) == Some(ValueSource::CommandLine);
        let variable = argument.get_long().map(variables::of_flag);
        let variable = variable.filter(|name| environment.get(name).is_some());
        let file = origins.file.as_ref();
        let legacy = argument
            .get_long()
            .and_then(|long| settings::legacy_of(long, environment));
        let raw = || -> Vec<String> {
            let values = matches.get_raw(id).into_iter().flatten();
            let values = values.map(|value| value.to_string_lossy().into_owned());
            match argument.get_value_delimiter() {
                Some(comma) => values
                    .flat_map(|value| value.split(comma).map(str::to_owned).collect::<Vec<_>>())
                    .collect(),
                None => values.collect(),
            }
        };
        let (values, origin) = if typed {
            let flag = argument.get_long().map(|long| format!("--{long}"));
            (
                raw(),
                Origin::Flag(flag.unwrap_or_else(|| "PATH".to_owned())),
            )
        } else if let Some(name) = variable {
            let place = origins.env_files.get(&name);
            let name = place.map_or(name.clone(), |file| format!("{name} in {file}"));
            (raw(), Origin::Variable(name))
        } else if let Some(place) = file.and_then(|file| file.place(&key)) {
            (raw(), Origin::File(place))
        } else if let Some((name, value)) = legacy {
            (vec![value.to_owned()], Origin::Variable(name.to_owned()))
        } else {
            (default_of(argument), Origin::Default)
        };
        let is_secret = argument.get_value_parser().type_id() == TypeId::of::<Secret>();
        let shown = |value: String| match is_secret {
            true => MASK.to_owned(),
            false => value,
        };
        Self {
            key,
            values: values.into_iter().map(shown).collect(),
            is_list: takes_list(argument),
            origin,
        }
    }

    fn row(&self) -> [String; 3] {
        let value = match self.values.as_slice() {
            [] => "-".to_owned(),
            values => values.join(", "),
        };
        let origin = match &self.origin {
            Origin::Flag(from) | Origin::Variable(from) | Origin::File(from) => from,
            Origin::Default => "default",
        };
        [self.key.clone(), value, origin.to_owned()]
    }

    fn json(&self) -> serde_json::Value {
        let (source, from) = match &self.origin {
            Origin::Flag(from) => ("flag", Some(from)),
            Origin::Variable(from) => ("variable", Some(from)),
            Origin::File(from) => ("file", Some(from)),
            Origin::Default => ("default", None),
        };
        let value = match (self.is_list, self.values.as_slice()) {
            (true, values) => json!(values),
            (false, values) => json!(values.first()),
        };
        json!({ "name": self.key, "value": value, "source": source, "from": from })
    }
}

/// The default as the help has it. Where it is none of a value's but says what follows from other
/// settings, it stands in the sentence.
fn default_of(argument: &Arg) -> Vec<String> {
    let help = argument.get_help().map(ToString::to_string);
    let told = help.as_deref().and_then(|help| {
        let (_, told) = help.rsplit_once("[default: ")?;
        told.strip_suffix(']')
    });
    match told {
        Some(told) => vec![told.to_owned()],
        None if matches!(argument.get_action(), ArgAction::SetTrue) => vec!["false".to_owned()],
        None => {
            let values = argument.get_default_values().iter();
            values
                .map(|value| value.to_string_lossy().into_owned())
                .collect()
        }
    }
}
