//! Fills in what only a run knows: its own facts and its secrets.
//!
//! A value that was filled in is never scanned again, and inside a JSON body it
//! is written as a JSON string, so that no value can break out of its place.

use crate::model::{Json, Part, Text, Variable};

use super::Attempt;
use super::failure::Failure;
use super::secrets::Secrets;

/// What an attempt knows.
pub(super) struct Facts<'a> {
    pub(super) attempt: &'a Attempt,
    pub(super) secrets: &'a Secrets,
    pub(super) server: &'a str,
}

impl Facts<'_> {
    /// The value of `text`.
    pub(super) fn fill(&self, text: &Text) -> Result<String, Failure> {
        text.build(|part| self.part(part))
    }

    fn part(&self, part: &Part) -> Result<String, Failure> {
        match part {
            Part::Literal(text) => Ok(text.to_string()),
            Part::Secret(name) => match self.secrets.get(name) {
                Some(secret) => Ok(secret.expose().to_owned()),
                None => Err(Failure::setup(format!(
                    "${{secrets.{name}}} is not among the job's secrets"
                ))),
            },
            Part::Variable(variable) => self.variable(variable),
        }
    }

    fn variable(&self, variable: &Variable) -> Result<String, Failure> {
        let attempt = self.attempt;
        if let Some(told) = &attempt.told
            && *variable != Variable::Server
        {
            return Ok(told.value(variable));
        }
        Ok(match variable {
            Variable::RunId => attempt.run.to_string(),
            Variable::ScheduledAt => attempt.scheduled_at.to_string(),
            Variable::Attempt => attempt.attempt.to_string(),
            Variable::Trigger => attempt.trigger.to_string(),
            Variable::PreviousSuccessAt => self.previous_success(),
            Variable::JobName => attempt.job.name().to_string(),
            Variable::JobLabel(name) => self.label(name)?,
            Variable::Server => self.server.to_owned(),
            // Those of letters.
            _ => return Err(Failure::setup("only a sage knows the run's end")),
        })
    }

    /// Empty until the job has succeeded once.
    pub(super) fn previous_success(&self) -> String {
        let instant = self.attempt.previous_success_at;
        instant.map(|at| at.to_string()).unwrap_or_default()
    }

    fn label(&self, name: &str) -> Result<String, Failure> {
        let about = self.attempt.job.definition.about.as_ref();
        about
            .and_then(|about| about.labels.iter().find(|(known, _)| **known == *name))
            .and_then(|(_, value)| value.fixed())
            .ok_or_else(|| Failure::setup(format!("the job has no label {name}")))
    }

    /// The JSON text of `json`.
    pub(super) fn fill_json(&self, json: &Json) -> Result<String, Failure> {
        let mut text = String::new();
        self.write_json(json, &mut text)?;
        Ok(text)
    }

    fn write_json(&self, json: &Json, text: &mut String) -> Result<(), Failure> {
        match json {
            Json::Null => text.push_str("null"),
            Json::Bool(true) => text.push_str("true"),
            Json::Bool(false) => text.push_str("false"),
            Json::Number(number) if is_json_number(number) => text.push_str(number),
            Json::Number(number) => {
                return Err(Failure::setup(format!(
                    "{number} is no number of JSON: write it in quotes"
                )));
            }
            Json::String(value) => write_string(&self.fill(value)?, text),
            Json::Array(items) => {
                text.push('[');
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        text.push(',');
                    }
                    self.write_json(item, text)?;
                }
                text.push(']');
            }
            Json::Object(fields) => {
                text.push('{');
                for (place, (key, value)) in fields.iter().enumerate() {
                    if place > 0 {
                        text.push(',');
                    }
                    write_string(key, text);
                    text.push(':');
                    self.write_json(value, text)?;
                }
                text.push('}');
            }
        }
        Ok(())
    }
}

/// Whether `text` holds a secret, whatever the secret is.
pub(super) fn holds_secret(text: &Text) -> bool {
    let parts = text.parts();
    parts.iter().any(|part| matches!(part, Part::Secret(_)))
}

/// Whether anything in `json` holds a secret.
pub(super) fn json_holds_secret(json: &Json) -> bool {
    match json {
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
        Json::String(text) => holds_secret(text),
        Json::Array(items) => items.iter().any(json_holds_secret),
        Json::Object(fields) => fields.iter().any(|(_, value)| json_holds_secret(value)),
    }
}

fn write_string(value: &str, text: &mut String) {
    text.push_str(&serde_json::Value::from(value).to_string());
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`
fn is_json_number(text: &str) -> bool {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = text.strip_prefix('-').unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest.starts_with('0')) {
        return false;
    }
    let mut rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix('.') {
        if digits(fraction) == 0 {
            return false;
        }
        rest = &fraction[digits(fraction)..];
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::testing;
    use crate::model::{About, SecretSource};

    fn text(parts: Vec<Part>) -> Text {
        Text::of_parts("${…}", parts)
    }

    #[test]
    fn every_variable_is_filled_in() {
        let job = testing::exec(&["true"]).about(About {
            labels: vec![("team".into(), Text::plain("data"))],
            ..About::default()
        });
        let (mut attempt, _stop) = job.attempt();
        attempt.attempt = 3;
        let secrets = Secrets::default();
        let facts = Facts {
            attempt: &attempt,
            secrets: &secrets,
            server: "http://127.0.0.1:8000",
        };
        for (variable, want) in [
            (Variable::RunId, attempt.run.as_str()),
            (Variable::ScheduledAt, "2027-01-01T00:00:00Z"),
            (Variable::Attempt, "3"),
            (Variable::Trigger, "schedule"),
            (Variable::PreviousSuccessAt, ""),
            (Variable::JobName, "test"),
            (Variable::JobLabel("team".into()), "data"),
            (Variable::Server, "http://127.0.0.1:8000"),
        ] {
            let filled = facts.fill(&text(vec![Part::Variable(variable.clone())]));
            assert_eq!(filled.as_deref(), Ok(want), "{variable:?}");
        }
        for part in [
            Part::Variable(Variable::JobLabel("none".into())),
            Part::Secret("NONE".into()),
        ] {
            assert!(facts.fill(&text(vec![part])).is_err());
        }
    }

    #[test]
    fn no_value_breaks_out_of_a_json_string() {
        let (attempt, _stop) = testing::exec(&["true"]).attempt();
        let env = [("S".to_owned(), "a\", \"admin\": \"b\n\\".to_owned())].into();
        let context = crate::model::Context {
            secrets: vec![("S".into(), SecretSource::Env("S".into()))],
            ..Default::default()
        };
        let secrets = Secrets::read(&context, &env).unwrap();
        let facts = Facts {
            attempt: &attempt,
            secrets: &secrets,
            server: "",
        };
        let json = Json::Object(vec![
            (
                "k\"".into(),
                Json::String(text(vec![Part::Secret("S".into())])),
            ),
            (
                "n".into(),
                Json::Array(vec![
                    Json::Number("1.50".into()),
                    Json::Null,
                    Json::Bool(true),
                ]),
            ),
        ]);
        let filled = facts.fill_json(&json).unwrap();
        let value: serde_json::Value = serde_json::from_str(&filled).unwrap();
        assert_eq!(value["k\""], "a\", \"admin\": \"b\n\\");
        assert_eq!(value.as_object().unwrap().len(), 2);
        assert!(
            filled.ends_with("[1.50,null,true]}"),
            "a number stays as it was written: {filled}"
        );
        assert!(json_holds_secret(&json));
    }

    #[test]
    fn numbers_are_what_json_calls_numbers() {
        for good in [
            "0",
            "-0",
            "12",
            "1.5",
            "-1.5e10",
            "1E+5",
            "123456789012345678901234567890",
        ] {
            assert!(is_json_number(good), "{good}");
        }
        for bad in [
            "", "-", "01", "+1", ".5", "1.", "1e", "0x1F", "1_000", "NaN", "1 ", "1e5x", "1,2",
        ] {
            assert!(!is_json_number(bad), "{bad}");
        }
    }
}
