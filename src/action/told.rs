//! What a delivery tells a sage, beside what the sage's own action says.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::duration;
use crate::ids::{JobName, SageName};
use crate::model::{Letter, SageEvent, Variable};

/// A letter that is opened for its delivery.
#[derive(Clone, Debug)]
pub struct Told {
    sage: SageName,
    job: Option<JobName>,
    event: SageEvent,
    facts: Map<String, Value>,
    body: Arc<str>,
}

impl Told {
    /// Opens a letter; `server` is elder's own address, for the link in it.
    #[must_use]
    pub fn new(letter: &Letter, server: &str) -> Self {
        let mut facts: Map<String, Value> = serde_json::from_str(&letter.body).unwrap_or_default();
        let path = match facts.get("run_id").and_then(Value::as_str) {
            Some(run) => format!("/api/v1/runs/{run}"),
            None => "/api/v1/config".to_owned(),
        };
        facts.insert("url".to_owned(), Value::from(format!("{server}{path}")));
        let body = Value::Object(facts.clone()).to_string().into();
        Self {
            sage: letter.sage.clone(),
            job: letter.job.clone(),
            event: letter.event,
            facts,
            body,
        }
    }

    /// The JSON object that a sage reads when it has no body of its own.
    #[must_use]
    pub fn body(&self) -> &Arc<str> {
        &self.body
    }

    /// Who is told.
    #[must_use]
    pub fn sage(&self) -> &SageName {
        &self.sage
    }

    /// Of which job; empty for elder's own troubles.
    #[must_use]
    pub fn job(&self) -> &str {
        self.job.as_ref().map_or("", JobName::as_str)
    }

    /// What happened.
    #[must_use]
    pub fn event(&self) -> SageEvent {
        self.event
    }

    /// The value of a variable; empty for what the letter does not say. Only elder's own address
    /// is not its business.
    pub(super) fn value(&self, variable: &Variable) -> String {
        let name = match variable {
            Variable::Event => "event",
            Variable::EventCount => "count",
            Variable::EventAt => "at",
            Variable::RunId => "run_id",
            Variable::ScheduledAt => "scheduled_at",
            Variable::FinishedAt => "finished_at",
            Variable::Attempt => "attempts",
            Variable::Trigger => "trigger",
            Variable::Outcome => "outcome",
            Variable::Reason => "reason",
            Variable::Detail => "detail",
            Variable::OutputTail => "output_tail",
            Variable::RunUrl => "url",
            Variable::JobName => "job",
            Variable::Duration => return self.length(),
            Variable::JobLabel(label) => {
                return text(self.facts.get("labels").and_then(|all| all.get(&**label)));
            }
            Variable::PreviousSuccessAt | Variable::Server => return String::new(),
        };
        text(self.facts.get(name))
    }

    fn length(&self) -> String {
        let seconds = self.facts.get("duration_seconds").and_then(Value::as_f64);
        let length = seconds.and_then(|it| Duration::try_from_secs_f64(it).ok());
        // Nobody reads nanoseconds.
        let millis = length.map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX));
        millis.map_or_else(String::new, |it| duration::print(Duration::from_millis(it)))
    }
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
