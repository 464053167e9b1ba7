//! `elder trigger`: a run of a job, now.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::args::{RerunArgs, TableFormat, TriggerArgs};
use super::client::{Answer, Client, as_json, problem};
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};

/// How often to ask whether the run has ended: at once for short runs, rarely for long ones.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Starts a run and, with `--wait`, ends as the run did.
///
/// # Errors
/// When there is no answer, or the job is not known.
pub fn trigger(
    typed: &TriggerArgs,
    environment: &Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let client = Client::asking(&typed.ask, environment)?;
    let answer = client.post(&["jobs", &typed.job, "run"], &json!({"trigger": "manual"}))?;
    let how = (typed.wait, typed.ask.format);
    begun(&client, &typed.job, answer, how, console)
}

/// Starts a run of the job of another run.
///
/// # Errors
/// When there is no answer, or run or job are not known.
pub fn rerun(
    typed: &RerunArgs,
    environment: &Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let client = Client::asking(&typed.ask, environment)?;
    let answer = client.post(
        &["runs", &typed.run, "rerun"],
        &json!({"trigger": "manual"}),
    )?;
    let job = answer.body["job_id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    begun(
        &client,
        &job,
        answer,
        (typed.wait, typed.ask.format),
        console,
    )
}

/// Says what became of a request for a run.
fn begun(
    client: &Client,
    job: &str,
    answer: Answer,
    (wait_for_it, format): (bool, TableFormat),
    console: &mut Console,
) -> Result<Exit, Failure> {
    if answer.status == StatusCode::CONFLICT {
        let said = problem(&answer.body).unwrap_or_else(|| "the run was refused".to_owned());
        let failure = Failure::does_not_hold(said);
        let in_the_way = answer.body["blocking_run"].as_str();
        return Err(match in_the_way {
            Some(run) => failure.help(format!(
                "`elder logs {run} -f` watches it, `elder cancel {run}` ends it"
            )),
            None => failure,
        });
    }
    let run_id = answer.body.get("run_id").and_then(Value::as_str);
    let Some(run_id) = run_id else {
        return Err(Failure::no_answer("elder did not say which run it started"));
    };
    if !wait_for_it {
        let text = match format {
            TableFormat::Human => format!("{job}: run {run_id} begins\n"),
            TableFormat::Json => as_json(&answer.body),
        };
        console.answer(&text)?;
        return Ok(Exit::Fine);
    }
    let run = wait(client, run_id)?;
    let text = match format {
        TableFormat::Human => told(job, run_id, &run),
        TableFormat::Json => as_json(&run),
    };
    console.answer(&text)?;
    Ok(match run.get("outcome").and_then(Value::as_str) {
        Some("success") => Exit::Fine,
        _ => Exit::DoesNotHold,
    })
}

/// Comes back when the run is over.
pub(super) fn wait(client: &Client, run_id: &str) -> Result<Value, Failure> {
    let mut pause = FIRST_PAUSE;
    loop {
        let run = client.get(&["runs", run_id], &[])?.body;
        if run.get("state").and_then(Value::as_str) == Some("done") {
            return Ok(run);
        }
        client.pause(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// `billing: run 01J… failed (exit) after 1.204 s, exit code 3`, and what it said.
pub(super) fn told(job: &str, run_id: &str, run: &Value) -> String {
    let word = |key: &str| run.get(key).and_then(Value::as_str);
    let mut text = format!("{job}: run {run_id} {}", word("outcome").unwrap_or("ended"));
    if let Some(reason) = word("reason") {
        text.push_str(&format!(" ({reason})"));
    }
    if let Some(seconds) = run.get("duration_seconds").and_then(Value::as_f64) {
        text.push_str(&format!(" after {seconds:.3} s"));
    }
    let mut said = Vec::new();
    for (key, name) in [
        ("exit_code", "exit code"),
        ("signal", "signal"),
        ("http_status", "status"),
    ] {
        if let Some(value) = run.get(key).filter(|value| !value.is_null()) {
            said.push(format!("{name} {value}"));
            text.push_str(&format!(", {name} {value}"));
        }
    }
    match run.get("attempt").and_then(Value::as_u64) {
        None | Some(0 | 1) => {}
        Some(attempts) => text.push_str(&format!(", {attempts} attempts")),
    }
    // `exit code 3: exit code 3` would say it twice.
    let detail = word("detail").filter(|detail| !said.iter().any(|said| said == detail));
    if let Some(detail) = detail {
        text.push_str(&format!(": {detail}"));
    }
    if run.get("source").is_some_and(|source| !source.is_null()) {
        text.push_str(&format!(" [{}]", super::runs::origin(run)));
    }
    text.push('\n');
    if let Some(output) = word("output").filter(|output| !output.is_empty()) {
        text.push_str(output);
        if !output.ends_with('\n') {
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_run_is_one_line_and_what_it_said() {
        for (run, want) in [
            (
                json!({"outcome": "success", "reason": null, "duration_seconds": 0.5, "exit_code": 0, "output": "hi"}),
                "job: run R success after 0.500 s, exit code 0\nhi\n",
            ),
            (
                json!({"outcome": "failed", "reason": "http", "http_status": 404, "detail": "404 is not among 2xx", "output": ""}),
                "job: run R failed (http), status 404: 404 is not among 2xx\n",
            ),
            (
                json!({"outcome": "failed", "reason": "exit", "exit_code": 3, "detail": "exit code 3", "attempt": 3}),
                "job: run R failed (exit), exit code 3, 3 attempts\n",
            ),
            (
                json!({"outcome": "interrupted", "reason": "interrupted", "source": "jobs.d/a.yaml:3", "revision": "v1"}),
                "job: run R interrupted (interrupted) [jobs.d/a.yaml:3 @ v1]\n",
            ),
        ] {
            assert_eq!(told("job", "R", &run), want);
        }
    }
}
