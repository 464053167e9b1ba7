//! `elder list` and `elder show`: the jobs of a running elder.

use serde_json::{Value, json};

use super::args::{ListArgs, ShowArgs, TableFormat};
use super::client::{Client, as_json};
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::runs;
use super::table::aligned;

/// Prints all jobs, page by page.
///
/// # Errors
/// When there is no answer.
pub fn list(
    typed: &ListArgs,
    environment: &Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let client = Client::asking(&typed.ask, environment)?;
    let mut jobs = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = Vec::new();
        for (name, value) in [
            ("status", &typed.status),
            ("name", &typed.name),
            ("cursor", &cursor),
        ] {
            query.extend(value.as_deref().map(|value| (name, value)));
        }
        let mut page = client.get(&["jobs"], &query)?.body;
        if let Value::Array(more) = page["jobs"].take() {
            jobs.extend(more);
        }
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    let text = match typed.ask.format {
        TableFormat::Json => as_json(&json!({ "jobs": jobs })),
        TableFormat::Human if jobs.is_empty() => "no job\n".to_owned(),
        TableFormat::Human => {
            let rows: Vec<_> = jobs.iter().map(row).collect();
            aligned(
                ["JOB", "STATUS", "NEXT", "LAST RUN", "ENDED", "SCHEDULE"],
                &rows,
            )
        }
    };
    console.answer(&text)?;
    Ok(Exit::Fine)
}

fn row(job: &Value) -> [String; 6] {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let last = &job["last_run"];
    let status = match (job["stale"].as_bool(), job["definition"].as_str()) {
        (Some(true), _) => format!("{}, stale", text(&job["status"])),
        (_, Some("last_good")) => format!("{}, last good", text(&job["status"])),
        _ => text(&job["status"]),
    };
    [
        text(&job["name"]),
        status,
        runs::instant(&job["next_run_time"]),
        runs::instant(&last["started_at"]),
        runs::ended(last),
        text(&job["trigger"]),
    ]
}

/// Prints one job and its last runs.
///
/// # Errors
/// When there is no answer, or no such job.
pub fn show(
    typed: &ShowArgs,
    environment: &Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let client = Client::asking(&typed.ask, environment)?;
    let mut job = client.get(&["jobs", &typed.job], &[])?.body;
    let page = client.get(&["jobs", &typed.job, "runs"], &[("limit", "5")])?;
    let runs = page.body["runs"].as_array().cloned().unwrap_or_default();
    let text = match typed.ask.format {
        TableFormat::Json => {
            job["runs"] = runs.into();
            as_json(&job)
        }
        TableFormat::Human => told(&job, &runs),
    };
    console.answer(&text)?;
    Ok(Exit::Fine)
}

/// `by anna since 2027-01-01T00:00:00Z until 2027-01-01T02:00:00Z: the database moves`
fn paused(pause: &Value) -> String {
    let Some(author) = pause["author"].as_str() else {
        return String::new();
    };
    let mut text = format!("by {author} since {}", runs::instant(&pause["since"]));
    if pause["until"].is_string() {
        text.push_str(&format!(" until {}", runs::instant(&pause["until"])));
    }
    if let Some(reason) = pause["reason"].as_str() {
        text.push_str(&format!(": {reason}"));
    }
    text
}

fn told(job: &Value, runs: &[Value]) -> String {
    let mut text = String::new();
    let mut say = |name: &str, value: &str| {
        if !value.is_empty() && value != "-" {
            text.push_str(&format!("{name:<14}{value}\n"));
        }
    };
    let word = |key: &str| job[key].as_str().unwrap_or_default().to_owned();
    say("job", &word("name"));
    say("", &word("description"));
    let definition = match word("definition").as_str() {
        "last_good" => " (by its last good definition: what the file says now is bad)",
        _ => "",
    };
    say("status", &format!("{}{definition}", word("status")));
    say("", &paused(&job["pause"]));
    say(
        "schedule",
        &format!("{} in {}", word("trigger"), word("timezone")),
    );
    say("next", &runs::instant(&job["next_run_time"]));
    say("action", &word("action"));
    say("source", &word("source"));
    say("revision", &word("revision"));
    say("owner", &word("owner"));
    say("last success", &runs::instant(&job["last_success_at"]));
    say("last failure", &runs::instant(&job["last_failure_at"]));
    let stale = if job["stale"] == true {
        "; it did not"
    } else {
        ""
    };
    if let Some(deadline) = job["success_deadline"].as_str() {
        say("succeeds by", &format!("{deadline}{stale}"));
    }
    if !runs.is_empty() {
        text.push('\n');
        text.push_str(&runs::table(runs, runs::Of::OneJob));
    }
    text
}
