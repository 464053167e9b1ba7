//! `expect`: whether the answer is what the job wants.

use std::borrow::Cow;
use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::Value;

use crate::model::{Expect, Reason, StatusSet};

use super::super::failure::Failure;
use super::super::fill::Facts;
use super::answer::{Answer, Compared};

/// What the job wants, filled in.
pub(super) struct Expected<'a> {
    status: &'a [StatusSet],
    contains: Option<&'a str>,
    json: Vec<(Arc<str>, Value)>,
}

impl<'a> Expected<'a> {
    pub(super) fn new(expect: &'a Expect, facts: &Facts<'_>) -> Result<Self, Failure> {
        let mut json = Vec::with_capacity(expect.json.len());
        for (pointer, value) in &expect.json {
            let text = facts.fill_json(value)?;
            let value = serde_json::from_str(&text).map_err(|error| {
                Failure::setup(format!(
                    "what expect wants at {pointer} is no JSON: {error}"
                ))
            })?;
            json.push((pointer.clone(), value));
        }
        Ok(Self {
            status: &expect.status,
            contains: expect.body_contains.as_deref(),
            json,
        })
    }

    /// Whether the body matters.
    pub(super) fn wants_body(&self) -> Compared {
        match self.contains.is_none() && self.json.is_empty() {
            true => Compared::No,
            false => Compared::Yes,
        }
    }

    /// `location` is where the answer points to, if it does.
    pub(super) fn check_status(
        &self,
        status: StatusCode,
        location: Option<&str>,
    ) -> Result<(), Failure> {
        let number = status.as_u16();
        let fine = match self.status {
            [] => status.is_success(),
            sets => sets.iter().any(|set| set.contains(number)),
        };
        if fine {
            return Ok(());
        }
        let name = status.canonical_reason().unwrap_or_default();
        let hint =
            location.map(|to| format!(" to {to}: set follow_redirects: true if that is right"));
        Err(failed(format!(
            "it answered {number} {name}{}",
            hint.unwrap_or_default()
        )))
    }

    pub(super) fn check_body(&self, status: StatusCode, answer: &Answer) -> Result<(), Failure> {
        let body = &answer.body;
        let number = status.as_u16();
        if let Some(text) = self.contains
            && !String::from_utf8_lossy(body).contains(text)
        {
            let part = if answer.is_longer {
                "the first 1MiB of its body"
            } else {
                "its body"
            };
            return Err(failed(format!(
                "it answered {number}, but {part} does not hold {text:?}"
            )));
        }
        if self.json.is_empty() {
            return Ok(());
        }
        if answer.is_longer {
            return Err(failed(format!(
                "it answered {number}, but with more than 1MiB, which is not read as JSON"
            )));
        }
        let value: Value = serde_json::from_slice(body).map_err(|error| {
            failed(format!(
                "it answered {number}, but its body is no JSON: {error}"
            ))
        })?;
        for (pointer, wanted) in &self.json {
            let found = value.pointer(pointer);
            if !found.is_some_and(|found| is_same(found, wanted)) {
                let found = found.map_or(Cow::from("not there"), |found| short(found).into());
                let wanted = short(wanted);
                return Err(failed(format!(
                    "it answered {number}, but {pointer} is {found}, not {wanted}"
                )));
            }
        }
        Ok(())
    }
}

fn failed(message: String) -> Failure {
    Failure::new(Reason::Http, message)
}

/// Equal as values: 1 is 1.0, and the order of an object's fields does not matter.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| is_same(a, b)))
        }
        _ => a == b,
    }
}

fn short(value: &Value) -> String {
    const MOST: usize = 100;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
