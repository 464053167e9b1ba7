//! `elder list` and `elder show`: the jobs of a running elder.

use serde_json::{Value, json};

use crate::decide::short;

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
    let failing = match &job["failing_since"] {
        Value::Null => String::new(),
        since => format!(", failing since {}", since_what(since)),
    };
    let status = match (job["stale"].as_bool(), job["definition"].as_str()) {
        (Some(true), _) => format!("{}, stale", text(&job["status"])),
        (_, Some("last_good")) => format!("{}, last good", text(&job["status"])),
        _ => text(&job["status"]),
    };
    [
        text(&job["name"]),
        status + &failing,
        runs::instant(&job["next_run_time"]),
        runs::instant(&last["started_at"]),
        runs::ended(last),
        text(&job["trigger"]),
    ]
}

/// The revision that a job fails since, where its definition was changed; else the instant.
fn since_what(since: &Value) -> String {
    let is_changed = since["changed"].as_array().is_some_and(|it| !it.is_empty());
    match since["revision"].as_str().filter(|_| is_changed) {
        Some(revision) => short(revision),
        None => runs::instant(&since["at"]),
    }
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
    say("definition", &definition_told(job));
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
    let since = &job["failing_since"];
    if !since.is_null() {
        let at = runs::instant(&since["at"]);
        let run = since["run_id"].as_str().unwrap_or_default();
        let words = since["text"].as_str().unwrap_or_default();
        say(
            "failing since",
            &format!("{at}, run {run}: {}", plain(words)),
        );
        for field in since["changed"].as_array().into_iter().flatten() {
            say("", &changed(field));
        }
    }
    if !runs.is_empty() {
        text.push('\n');
        text.push_str(&runs::table(runs, runs::Of::OneJob));
    }
    text
}

/// `3f9a01c2b7de since 2027-01-01T00:00:00Z, revision 3f2a91c0de3f by Ada: run, timeout`
fn definition_told(job: &Value) -> String {
    let hash = job["definition_hash"].as_str().unwrap_or_default();
    let edition = &job["edition"];
    let mut text = hash.to_owned();
    if let Some(since) = edition["since"].as_str() {
        text.push_str(&format!(" since {}", runs::instant(&since.into())));
    }
    if let Some(revision) = edition["revision"].as_str() {
        text.push_str(&format!(", revision {}", short(revision)));
    }
    if let Some(author) = edition["author"].as_str() {
        text.push_str(&format!(" by {}", plain(author)));
    }
    let fields = edition["changed"].as_array();
    let keys = fields.map(|fields| fields.iter().filter_map(|field| field["key"].as_str()));
    let keys: Vec<&str> = keys.into_iter().flatten().collect();
    if !keys.is_empty() {
        text.push_str(&format!(": {}", plain(&keys.join(", "))));
    }
    text
}

/// `run: true → false`
fn changed(field: &Value) -> String {
    let value = |key: &str| match field[key].as_str() {
        None => "(none)".to_owned(),
        Some(text) => plain(text),
    };
    let key = plain(field["key"].as_str().unwrap_or_default());
    format!("{key}: {} → {}", value("before"), value("after"))
}

/// A text on one line, that gives a terminal no orders.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => plain.extend(character.escape_default()),
            false => plain.push(character),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing() -> Value {
        let commit = "3f2a91c0de3f2a91c0de3f2a91c0de3f2a91c0de";
        json!({
            "name": "billing", "status": "active", "trigger": "every: 1h", "timezone": "UTC",
            "next_run_time": "2027-01-01T01:00:00Z", "action": "run", "source": "jobs.d/a.yaml:2",
            "revision": commit, "definition_hash": "3f9a01c2b7de",
            "edition": {
                "since": "2027-01-01T00:00:00.5Z", "revision": commit, "author": "Ada",
                "changed": [{"key": "run", "before": "true", "after": "false"}],
            },
            "failing_since": {
                "at": "2027-01-01T00:10:00Z", "run_id": "R", "revision": commit,
                "text": "revision 3f2a91c0de3f by Ada, which changed run",
                "changed": [
                    {"key": "run", "before": "true", "after": "false\n\u{1b}[2J"},
                    {"key": "timeout", "before": null, "after": "1m"},
                ],
            },
        })
    }

    #[test]
    fn a_job_that_fails_says_since_when_and_what_was_changed() {
        insta::assert_snapshot!(told(&failing(), &[]), @r"
        job           billing
        status        active
        schedule      every: 1h in UTC
        next          2027-01-01T01:00:00Z
        action        run
        source        jobs.d/a.yaml:2
        revision      3f2a91c0de3f2a91c0de3f2a91c0de3f2a91c0de
        definition    3f9a01c2b7de since 2027-01-01T00:00:00Z, revision 3f2a91c0de3f by Ada: run
        failing since 2027-01-01T00:10:00Z, run R: revision 3f2a91c0de3f by Ada, which changed run
                      run: true → false\n\u{1b}[2J
                      timeout: (none) → 1m
        ");
        assert_eq!(row(&failing())[1], "active, failing since 3f2a91c0de3f");
        let mut unchanged = failing();
        unchanged["failing_since"]["changed"] = json!([]);
        let want = "active, failing since 2027-01-01T00:10:00Z";
        assert_eq!(row(&unchanged)[1], want);
    }
}
