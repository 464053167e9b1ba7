//! `elder sync`: the files again, and the confirmation of removals.

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::finding::render::amount;

use super::args::{SyncArgs, TableFormat};
use super::client::{Answer, Client, as_json, problem};
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};

/// Asks for a sync and says what came of it.
///
/// # Errors
/// When there is no answer.
pub fn sync(
    typed: &SyncArgs,
    environment: &Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let client = Client::asking(&typed.ask, environment)?;
    let mut body = match &typed.prune {
        None => json!({}),
        Some(names) => {
            let pending = pending(&client)?;
            if pending.names.is_empty() {
                console.say("no removal waits for a confirmation");
            }
            confirmation(names, pending)?
        }
    };
    if let (true, Some(reason)) = (typed.force, &typed.reason) {
        body["force"] = true.into();
        body["reason"] = reason.as_str().into();
    }
    let answer = client.post(&["config", "sync"], &body)?;
    match typed.ask.format {
        TableFormat::Json => console.answer(&as_json(&answer.body))?,
        TableFormat::Human => console.answer(&told(&answer))?,
    }
    Ok(if answer.status.is_success() {
        Exit::Fine
    } else {
        Exit::DoesNotHold
    })
}

/// Removals that wait, with the hash that names this very set.
#[derive(Debug, Default)]
struct Pending {
    names: Vec<String>,
    hash: String,
}

fn pending(client: &Client) -> Result<Pending, Failure> {
    let config = client.get(&["config"], &[])?.body;
    let names = config.get("pending_removals").and_then(Value::as_array);
    let name = |value: &Value| value.as_str().map(str::to_owned);
    let hash = config.get("pending").and_then(Value::as_str);
    Ok(Pending {
        names: names.into_iter().flatten().filter_map(name).collect(),
        hash: hash.unwrap_or_default().to_owned(),
    })
}

/// What confirms those names, and none that came to be pending meanwhile.
fn confirmation(names: &[String], pending: Pending) -> Result<Value, Failure> {
    for name in names {
        if !pending.names.contains(name) {
            let message = format!("the removal of {name} does not wait for a confirmation");
            let help = match pending.names.as_slice() {
                [] => "none does; `elder sync` reads the files again".to_owned(),
                names => format!("these do: {}", names.join(", ")),
            };
            return Err(Failure::does_not_hold(message).help(help));
        }
    }
    if pending.names.is_empty() {
        return Ok(json!({}));
    }
    let prune = match names {
        [] => Value::Bool(true),
        names => json!(names),
    };
    Ok(json!({"prune": prune, "pending": pending.hash}))
}

/// What a sync says of itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Report {
    result: String,
    jobs: u64,
    files: u64,
    added: u64,
    rescheduled: u64,
    changed: u64,
    removed: u64,
    held: Vec<String>,
    will_not_fire_today: Vec<String>,
    findings: Vec<Found>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Found {
    file: String,
    line: u64,
    column: u64,
    code: String,
    message: String,
    help: String,
}

fn told(answer: &Answer) -> String {
    let report = Report::deserialize(&answer.body).unwrap_or_default();
    let mut text = String::new();
    for found in &report.findings {
        text.push_str(&found.file);
        if found.line > 0 {
            text.push_str(&format!(":{}:{}", found.line, found.column));
        }
        text.push_str(&format!(": {} {}", found.code, found.message));
        if !found.help.is_empty() {
            text.push_str(&format!("; {}", found.help));
        }
        text.push('\n');
    }
    for name in &report.will_not_fire_today {
        text.push_str(&format!(
            "{name} does not fire today: its time moved to before now\n"
        ));
    }
    if !report.held.is_empty() {
        text.push_str(&format!(
            "held, firing by their last definition: {}\n\
             `elder sync --prune` confirms that they are to go\n",
            report.held.join(", ")
        ));
    }
    if report.result.is_empty() {
        let said = problem(&answer.body).unwrap_or_else(|| answer.status.to_string());
        text.push_str(&format!("{said}\n"));
        if answer.status == StatusCode::CONFLICT {
            text.push_str("look at what is pending now, then confirm again\n");
        }
        return text;
    }
    if !answer.status.is_success()
        && report.findings.is_empty()
        && report.held.is_empty()
        && let Some(said) = problem(&answer.body)
    {
        text.push_str(&format!("{said}\n"));
    }
    text.push_str(&format!(
        "{}: {} in {}; {} added, {} rescheduled, {} changed, {} removed, {} held\n",
        report.result,
        amount(report.jobs, "job"),
        amount(report.files, "file"),
        report.added,
        report.rescheduled,
        report.changed,
        report.removed,
        report.held.len()
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(names: &[&str]) -> Pending {
        Pending {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            hash: "h1".to_owned(),
        }
    }

    #[test]
    fn only_what_is_pending_is_confirmed() {
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        for (asked, pending, want) in [
            (
                &[][..],
                &["a", "b"][..],
                Some(json!({"prune": true, "pending": "h1"})),
            ),
            (
                &["a"][..],
                &["a", "b"][..],
                Some(json!({"prune": ["a"], "pending": "h1"})),
            ),
            (&[][..], &[][..], Some(json!({}))),
            (&["c"][..], &["a", "b"][..], None),
            (&["c"][..], &[][..], None),
        ] {
            let body = confirmation(&names(asked), waiting(pending));
            assert_eq!(body.ok(), want, "{asked:?} of {pending:?}");
        }
    }

    #[test]
    fn a_sync_is_told_in_lines_that_end_with_its_counts() {
        let answer = Answer {
            status: StatusCode::CONFLICT,
            body: json!({
                "result": "held", "jobs": 3, "files": 2, "added": 1, "rescheduled": 0,
                "changed": 0, "removed": 0, "held": ["old"], "will_not_fire_today": ["early"],
                "findings": [{"file": "a.yaml", "line": 3, "column": 5, "code": "E002",
                              "message": "unknown key `x`", "help": "write `y`"}],
            }),
        };
        insta::assert_snapshot!(told(&answer), @r#"
        a.yaml:3:5: E002 unknown key `x`; write `y`
        early does not fire today: its time moved to before now
        held, firing by their last definition: old
        `elder sync --prune` confirms that they are to go
        held: 3 jobs in 2 files; 1 added, 0 rescheduled, 0 changed, 0 removed, 1 held
        "#);
    }

    #[test]
    fn a_refusal_is_told_in_its_own_words() {
        let answer = Answer {
            status: StatusCode::CONFLICT,
            body: json!({"title": "Conflict", "detail": "the pending set has changed"}),
        };
        assert!(told(&answer).starts_with("the pending set has changed\n"));
    }
}
