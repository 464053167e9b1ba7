//! A schedule by itself: a job file with one job that is nowhere on a disk.
//!
//! So a schedule on the command line means exactly what it means in a job file,
//! by the same code.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::finding::{Finding, Severity};
use crate::model::Definition;
use crate::schedule::Zones;
use crate::spec::{self, InputFile};

use super::super::exit::Failure;
use super::super::tree::text_input;

/// The name of a job whose asker gave none.
const NAME: &str = "schedule";

/// A schedule to be read.
pub(super) struct Question {
    name: String,
    timezone: Option<Value>,
    /// As YAML in one line.
    schedule: String,
}

/// Why a schedule is none.
#[derive(Clone, Debug)]
pub(super) struct Said {
    message: String,
    help: String,
}

impl Said {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: String::new(),
        }
    }

    fn of(finding: &Finding) -> Self {
        Self {
            message: finding.message.clone(),
            help: finding.help.clone(),
        }
    }

    pub(super) fn failure(&self) -> Failure {
        Failure::no_answer(self.message.clone()).help(self.help.clone())
    }

    /// All in one line.
    pub(super) fn line(&self) -> String {
        match self.help.as_str() {
            "" => self.message.clone(),
            help => format!("{}; {help}", self.message),
        }
    }
}

impl Question {
    /// What was typed after `--schedule`: a cron line or a word as it stands, or YAML.
    pub(super) fn of_expression(text: &str) -> Self {
        let text = text.trim();
        let first_word = text.split(':').next().unwrap_or_default();
        let is_key = first_word.len() < text.len()
            && !first_word.is_empty()
            && first_word.bytes().all(|byte| byte.is_ascii_lowercase());
        let schedule = if text.starts_with(['{', '[', '"', '\'']) {
            text.to_owned()
        } else if is_key {
            format!("{{ {text} }}")
        } else {
            Value::from(text).to_string()
        };
        Self {
            name: NAME.to_owned(),
            timezone: None,
            schedule,
        }
    }

    /// The parts of a JSON query.
    pub(super) fn of_json(query: &mut Map<String, Value>) -> Result<Self, Said> {
        let Some(schedule) = query.remove("schedule") else {
            return Err(Said::new("the query has no `schedule`"));
        };
        let name = match query.remove("name") {
            None | Some(Value::Null) => NAME.to_owned(),
            Some(Value::String(name)) => name,
            Some(_) => return Err(Said::new("`name` is a text")),
        };
        Ok(Self {
            name,
            timezone: query.remove("timezone").filter(|zone| !zone.is_null()),
            schedule: schedule.to_string(),
        })
    }

    /// What tells this question from others.
    pub(super) fn file(&self) -> String {
        let name = Value::from(self.name.as_str());
        let zone = match &self.timezone {
            Some(zone) => format!("\n    timezone: {zone}"),
            None => String::new(),
        };
        format!(
            "jobs:\n  {name}:\n    run: 'true'{zone}\n    schedule: {}\n",
            self.schedule
        )
    }
}

/// Reads schedules.
pub(super) struct Checker {
    options: spec::Options,
    zones: Zones,
    nothing: HashMap<(Arc<str>, Arc<str>), Arc<str>>,
}

impl Checker {
    pub(super) fn new(options: spec::Options, zones: Zones) -> Self {
        Self {
            options,
            zones,
            nothing: HashMap::new(),
        }
    }

    pub(super) fn zones(&self) -> &Zones {
        &self.zones
    }

    /// One schedule.
    pub(super) fn check_one(&self, question: &Question) -> Result<Arc<Definition>, Said> {
        let mut answers = self.check(&[question.file()]);
        answers
            .pop()
            .unwrap_or_else(|| Err(Said::new("there is no answer")))
    }

    /// The jobs of such files, in order.
    pub(super) fn check(&self, files: &[String]) -> Vec<Result<Arc<Definition>, Said>> {
        let folder = Path::new("/");
        let inputs: Vec<InputFile> = files
            .iter()
            .map(|file| text_input("query", folder, Ok(Arc::from(file.as_bytes()))))
            .collect();
        let checked = spec::check(&inputs, None, &self.nothing, &self.options, &self.zones);
        let answer = |file: &Arc<spec::CheckedFile>| {
            let mut errors = file.findings.iter();
            match (
                errors.find(|found| found.severity == Severity::Error),
                file.jobs.first(),
            ) {
                (None, Some(job)) => Ok(job.definition.clone()),
                (Some(finding), _) => Err(Said::of(finding)),
                (None, None) => Err(Said::new("this is no schedule")),
            }
        };
        checked.files.iter().map(answer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checker() -> Checker {
        let options = spec::Options {
            timezone: None,
            env: Arc::new(HashMap::new()),
            env_allow: None,
            allow_missing_env: false,
        };
        Checker::new(options, Zones::bundled())
    }

    #[test]
    fn an_expression_may_be_typed_in_any_form_of_the_job_file() {
        for (typed, same_as) in [
            ("30 3 * * 1-5", "'30 3 * * 1-5'"),
            ("{ every: 5m }", "{every: 5m}"),
            ("every: 5m", "{every: 5m}"),
            ("{\"daily\": \"02:00\"}", "{daily: '02:00'}"),
            ("daily: '02:00'", "{daily: '02:00'}"),
            ("@daily", "'0 0 * * *'"),
            ("manual", "'manual'"),
        ] {
            let read = |text: &str| {
                let answer = checker().check_one(&Question::of_expression(text));
                answer.unwrap_or_else(|said| panic!("{text}: {}", said.line()))
            };
            assert_eq!(read(typed).schedule, read(same_as).schedule, "{typed}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_answered_with_the_mend() {
        for (typed, hint) in [
            ("61 * * * *", "out of range"),
            ("{ every: 5 }", "unit"),
            ("{ evry: 5m }", "every"),
            ("", "empty"),
            ("{ every: 5m", "E"),
            ("x\n  run: y", ""),
        ] {
            let answer = checker().check_one(&Question::of_expression(typed));
            let said = answer.expect_err(typed).line();
            assert!(said.contains(hint) || hint == "E", "{typed}: {said}");
        }
    }
}
