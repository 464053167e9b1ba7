//! Letters: what a sage reads, as JSON.
//!
//! A letter is bounded, whatever a job said: receivers of webhooks expect less than 20 kB. Its
//! identity follows from what it is about, so that the same event never is two letters.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Call;
use crate::decide::FailingSince;
use crate::ids::{RunId, SageName};
use crate::model::{Definition, Letter, Output, Reason, Run, SageEvent};

/// The most bytes that a text takes in the JSON: of the output's end, the detail, all labels, and
/// whatever else is text.
const TAIL: usize = 6 * 1024;
const DETAIL: usize = 2 * 1024;
const LABELS: usize = 4 * 1024;
const CHANGED: usize = 1024;
const TEXT: usize = 512;

/// What a letter tells of a job.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// By which definition.
    pub definition: &'a Definition,
    /// Which run, or row of fires that did not run.
    pub run: &'a Run,
    /// What it said; secrets are masked already.
    pub output: Option<&'a Output>,
    /// When it happened.
    pub at: Timestamp,
    /// Since when the job fails, if it does.
    pub failing: Option<&'a FailingSince>,
}

/// The letters of these calls.
#[must_use]
pub fn letters(calls: Vec<Call>, about: &About<'_>) -> Vec<Letter> {
    if calls.is_empty() {
        return Vec::new();
    }
    let facts = facts(about);
    let job = &about.run.job;
    calls
        .into_iter()
        .map(|call| {
            let until = about.run.scheduled_until.unwrap_or(about.run.scheduled_at);
            let what = format!("{}/{}/{}", call.event, about.run.id, until);
            let id = identity(&call.sage, &what, about.at);
            let mut body = head(id, &call.sage, call.event, about.at, call.count);
            body.extend(facts.clone());
            Letter {
                id,
                sage: call.sage,
                job: Some(job.clone()),
                event: call.event,
                at: about.at,
                body: Value::Object(body).to_string().into(),
            }
        })
        .collect()
}

/// A letter about a trouble of elder's own: `reason` in a sentence, `names` of what it is about.
#[must_use]
pub fn of_elder(
    sage: &SageName,
    event: SageEvent,
    reason: &str,
    names: &[String],
    revision: Option<&str>,
    at: Timestamp,
) -> Letter {
    const NAMES: usize = 20;
    let what = format!("{event}/{at}/{}", names.join("/"));
    let id = identity(sage, &what, at);
    let mut body = head(id, sage, event, at, names.len().max(1) as u64);
    let shown: Vec<String> = names
        .iter()
        .take(NAMES)
        .map(|name| cut(name, TEXT))
        .collect();
    body.insert("job".to_owned(), Value::Null);
    body.insert("reason".to_owned(), json!(cut(reason, DETAIL)));
    body.insert("names".to_owned(), json!(shown));
    body.insert(
        "revision".to_owned(),
        json!(revision.map(|it| cut(it, TEXT))),
    );
    Letter {
        id,
        sage: sage.clone(),
        job: None,
        event,
        at,
        body: Value::Object(body).to_string().into(),
    }
}

/// What a letter is known by: who is told what, and when that was.
fn identity(sage: &SageName, what: &str, at: Timestamp) -> RunId {
    RunId::of_request(sage, at, what)
}

fn head(
    id: RunId,
    sage: &SageName,
    event: SageEvent,
    at: Timestamp,
    count: u64,
) -> Map<String, Value> {
    let mut head = Map::new();
    head.insert("event".to_owned(), json!(event.as_str()));
    head.insert("id".to_owned(), json!(id.as_str()));
    head.insert("sage".to_owned(), json!(sage.as_str()));
    head.insert("at".to_owned(), json!(at.to_string()));
    head.insert("count".to_owned(), json!(count));
    head
}

fn facts(about: &About<'_>) -> Map<String, Value> {
    let run = about.run;
    let said = about.definition.about.as_deref();
    let owner = said.and_then(|said| said.owner.as_deref());
    let mut facts = Map::new();
    let mut put = |name: &str, value: Value| drop(facts.insert(name.to_owned(), value));
    put("job", json!(run.job.as_str()));
    // A success that is overdue is the end of no run.
    let is_run = run.outcome.is_some();
    let id = is_run.then(|| run.id.as_str());
    put("run_id", json!(id));
    put("scheduled_at", json!(run.scheduled_at.to_string()));
    put("trigger", json!(is_run.then(|| run.trigger.as_str())));
    put("outcome", json!(run.outcome.map(|it| it.as_str())));
    put("reason", json!(run.reason.map(Reason::as_str)));
    put(
        "detail",
        json!(run.detail.as_deref().map(|it| cut(it, DETAIL))),
    );
    put("attempts", json!(run.attempt));
    if let Some(code) = run.exit_code {
        put("exit_code", json!(code));
    }
    if let Some(signal) = run.signal {
        put("signal", json!(signal));
    }
    if let Some(status) = run.http_status {
        put("http_status", json!(status));
    }
    put(
        "finished_at",
        json!(run.finished_at.map(|at| at.to_string())),
    );
    put(
        "duration_seconds",
        json!(run.duration.map(|it| it.as_secs_f64())),
    );
    put(
        "output_tail",
        json!(about.output.map(tail).unwrap_or_default()),
    );
    put("owner", json!(owner.map(|it| cut(it, TEXT))));
    put("labels", Value::Object(labels(about.definition)));
    put(
        "revision",
        json!(run.revision.as_deref().map(|it| cut(it, TEXT))),
    );
    put(
        "source",
        json!(run.source.as_deref().map(|it| cut(it, TEXT))),
    );
    put(
        "definition_hash",
        json!(run.definition.map(|it| it.to_string())),
    );
    put(
        "author",
        json!(run.author.as_deref().map(|it| cut(it, TEXT))),
    );
    put("failing_since", json!(about.failing.map(failing)));
    facts
}

/// Since when it fails, and which keys were changed before, as far as there is room for them.
fn failing(since: &FailingSince) -> Value {
    let mut room = CHANGED;
    let fields = since.changed.as_deref().unwrap_or_default();
    let fits = |key: &&String| {
        let size = size(key);
        room.checked_sub(size)
            .inspect(|left| room = *left)
            .is_some()
    };
    let keys: Vec<&String> = fields.iter().map(|it| &it.key).take_while(fits).collect();
    let text = |text: &Option<Arc<str>>| text.as_deref().map(|it| cut(it, TEXT));
    json!({
        "run_id": since.run.as_str(),
        "at": since.at.to_string(),
        "revision": text(&since.revision),
        "author": text(&since.author),
        "changed": since.changed.is_some().then_some(keys),
        "text": cut(&since.words(), DETAIL),
    })
}

/// The labels as they are filled in, as far as there is room for them.
fn labels(definition: &Definition) -> Map<String, Value> {
    let mut room = LABELS;
    let said = definition.about.as_deref();
    let mut labels = Map::new();
    for (name, value) in said.map_or(&[][..], |said| &said.labels) {
        let value = value.fixed().unwrap_or_default();
        let size = size(name) + size(&value);
        if size > room {
            break;
        }
        room -= size;
        labels.insert(name.to_string(), Value::String(value));
    }
    labels
}

/// The end of an output.
fn tail(output: &Output) -> String {
    let bytes = match output.tail.is_empty() {
        true => &output.head,
        false => &output.tail,
    };
    let last = &bytes[bytes.len().saturating_sub(TAIL)..];
    let text = String::from_utf8_lossy(last);
    let mut room = TAIL;
    let fits = |c: &char| {
        let size = size(c.encode_utf8(&mut [0; 4]));
        room.checked_sub(size)
            .inspect(|left| room = *left)
            .is_some()
    };
    let mut kept: Vec<char> = text.chars().rev().take_while(fits).collect();
    kept.reverse();
    kept.into_iter().collect()
}

/// The beginning of `text`, so much of it that its JSON has at most so many bytes.
fn cut(text: &str, most: usize) -> String {
    let mut room = most;
    let fits = |c: &char| {
        let size = size(c.encode_utf8(&mut [0; 4]));
        room.checked_sub(size)
            .inspect(|left| room = *left)
            .is_some()
    };
    text.chars().take_while(fits).collect()
}

/// How many bytes a text takes in JSON, its quotes not counted.
fn size(text: &str) -> usize {
    text.chars()
        .map(|c| match c {
            '"' | '\\' | '\n' | '\r' | '\t' => 2,
            c if c < ' ' => 6,
            c => c.len_utf8(),
        })
        .sum()
}
