//! `elder runs` and `elder cancel`: the runs of a running elder.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::decide::short;

use super::args::{CancelArgs, RunsArgs, TableFormat};
use super::client::{Client, as_json, problem};
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::table::aligned;
use super::trigger;

/// Prints runs, the newest first.
///
/// # Errors
/// When there is no answer.
pub fn runs(
    typed: &RunsArgs,
    environment: &Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let client = Client::asking(&typed.ask, environment)?;
    let count = typed.count.to_string();
    let mut query = vec![("limit", count.as_str())];
    query.extend(typed.outcome.as_deref().map(|words| ("outcome", words)));
    query.extend(typed.since.as_deref().map(|since| ("since", since)));
    let path: &[&str] = match &typed.job {
        Some(job) => &["jobs", job, "runs"],
        None => &["runs"],
    };
    let body = client.get(path, &query)?.body;
    let text = match typed.ask.format {
        TableFormat::Json => as_json(&body),
        TableFormat::Human => match body["runs"].as_array().map(Vec::as_slice) {
            None | Some([]) => "no run\n".to_owned(),
            Some(runs) => table(
                runs,
                match typed.job {
                    Some(_) => Of::OneJob,
                    None => Of::All,
                },
            ),
        },
    };
    console.answer(&text)?;
    Ok(Exit::Fine)
}

/// Ends a run.
///
/// # Errors
/// When there is no answer, no such run, or it is over.
pub fn cancel(
    typed: &CancelArgs,
    environment: &Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let client = Client::asking(&typed.ask, environment)?;
    let answer = client.post(&["runs", &typed.run, "cancel"], &json!({}))?;
    if answer.status == StatusCode::CONFLICT {
        let said = problem(&answer.body).unwrap_or_else(|| "the run is over already".to_owned());
        return Err(Failure::does_not_hold(said));
    }
    let text = match (typed.wait, typed.ask.format) {
        (false, TableFormat::Human) => format!("run {} is being cancelled\n", typed.run),
        (false, TableFormat::Json) => as_json(&answer.body),
        (true, format) => {
            let run = trigger::wait(&client, &typed.run, console)?;
            let job = run["job_id"].as_str().unwrap_or_default();
            match format {
                TableFormat::Human => trigger::told(job, &typed.run, &run),
                TableFormat::Json => as_json(&run),
            }
        }
    };
    console.answer(&text)?;
    Ok(Exit::Fine)
}

/// Whose runs a table holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// One job's: its name need not stand there.
    OneJob,
    /// All jobs'.
    All,
}

/// Runs as a table.
pub(super) fn table(runs: &[Value], of: Of) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let row = |run: &Value| {
        let took = run["duration_seconds"].as_f64();
        let attempt = run["attempt"].as_u64().unwrap_or_default();
        [
            text(&run["run_id"]),
            instant(&run["scheduled_at"]),
            ended(run),
            took.map_or_else(|| "-".to_owned(), |took| format!("{took:.3} s")),
            match attempt {
                0 | 1 => text(&run["trigger"]),
                more => format!("{}, attempt {more}", text(&run["trigger"])),
            },
            origin(run),
        ]
    };
    let heads = ["RUN", "SCHEDULED", "ENDED", "TOOK", "BY", "FROM"];
    if of == Of::OneJob {
        return aligned(heads, &runs.iter().map(row).collect::<Vec<_>>());
    }
    let with_job = |run: &Value| {
        let [id, at, ended, took, by, from] = row(run);
        [id, text(&run["job_id"]), at, ended, took, by, from]
    };
    let [run, at, ended, took, by, from] = heads;
    let rows: Vec<_> = runs.iter().map(with_job).collect();
    aligned([run, "JOB", at, ended, took, by, from], &rows)
}

/// `jobs.d/a.yaml:3 @ 3f2a91c0de3f`: where its definition is written, and the revision.
pub(super) fn origin(run: &Value) -> String {
    let source = run["source"].as_str().unwrap_or("-");
    match run["revision"].as_str() {
        Some(revision) => format!("{source} @ {}", short(revision)),
        None => source.to_owned(),
    }
}

/// `failed (exit)`, `missed (downtime) ×4`, `running`.
pub(super) fn ended(run: &Value) -> String {
    let word = |key: &str| run[key].as_str();
    let mut text = match (word("outcome"), word("state")) {
        (Some(outcome), _) => outcome.to_owned(),
        (None, Some(state)) => state.to_owned(),
        (None, None) => return "-".to_owned(),
    };
    // While an attempt runs, the reason is still that of the one before.
    let reason = word("reason").filter(|_| text != "running");
    if let Some(reason) = reason {
        text.push_str(&format!(" ({reason})"));
    }
    match run["count"].as_u64() {
        None | Some(0 | 1) => {}
        Some(count) => text.push_str(&format!(" ×{count}")),
    }
    text
}

/// An instant without its fraction.
pub(super) fn instant(value: &Value) -> String {
    let Some(text) = value.as_str() else {
        return "-".to_owned();
    };
    let whole = text.parse::<jiff::Timestamp>().ok();
    let whole = whole.and_then(|at| jiff::Timestamp::from_second(at.as_second()).ok());
    whole.map_or_else(|| text.to_owned(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_one_line() {
        let runs = [
            json!({"run_id": "R2", "job_id": "a", "scheduled_at": "2027-01-01T00:00:00.5Z", "state": "done",
                "outcome": "failed", "reason": "exit", "count": 1, "duration_seconds": 0.25, "trigger": "schedule",
                "attempt": 3, "source": "jobs.d/a.yaml:3", "revision": "3f2a91c0de3f2a91c0de3f2a91c0de3f2a91c0de"}),
            json!({"run_id": "R1", "job_id": "b", "scheduled_at": "2027-01-01T00:00:00Z", "state": "done",
                "outcome": "missed", "reason": "downtime", "count": 4, "duration_seconds": null,
                "trigger": "schedule", "attempt": 0}),
        ];
        let want = "\
RUN  JOB  SCHEDULED             ENDED                 TOOK     BY                   FROM
R2   a    2027-01-01T00:00:00Z  failed (exit)         0.250 s  schedule, attempt 3  jobs.d/a.yaml:3 @ 3f2a91c0de3f
R1   b    2027-01-01T00:00:00Z  missed (downtime) ×4  -        schedule             -
";
        assert_eq!(table(&runs, Of::All), want);
        assert!(table(&runs, Of::OneJob).starts_with("RUN  SCHEDULED  "));
        for (run, want) in [
            (json!({"state": "running"}), "running"),
            (
                json!({"state": "running", "reason": "interrupted", "attempt": 2}),
                "running",
            ),
            (
                json!({"state": "waiting", "reason": "exit", "attempt": 2}),
                "waiting (exit)",
            ),
        ] {
            assert_eq!(ended(&run), want);
        }
    }
}
