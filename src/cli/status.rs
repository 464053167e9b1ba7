//! `elder status`: whether what the files say is in force, and how elder does.

use serde_json::{Value, json};

use super::args::{StatusArgs, TableFormat};
use super::client::{Client, as_json};
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};

/// Prints it.
///
/// # Errors
/// When there is no answer.
pub fn status(
    typed: &StatusArgs,
    environment: &Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let client = Client::asking(&typed.ask, environment)?;
    let config = client.get(&["config"], &[])?.body;
    let stats = client.get(&["stats"], &[])?.body;
    let text = match typed.ask.format {
        TableFormat::Json => as_json(&json!({ "config": config, "stats": stats })),
        TableFormat::Human => told(&config, &stats),
    };
    console.answer(&text)?;
    Ok(Exit::Fine)
}

fn told(config: &Value, stats: &Value) -> String {
    let sync = &config["sync"];
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let count = |value: &Value| value.as_array().map_or(0, Vec::len);
    let mut text = word(&sync["status"]);
    if let Some(revision) = sync["revision"].as_str() {
        text.push_str(&format!("  rev {revision}"));
    }
    text.push_str(&format!(
        "  {} jobs, {} with a next fire, {} held, {} findings\n",
        number(&stats["jobs"]),
        number(&stats["active_jobs"]),
        count(&config["pending_removals"]),
        count(&sync["findings"]),
    ));
    let reason = word(&sync["reason"]);
    if !reason.is_empty() {
        text.push_str(&format!("{reason}\n"));
    }
    let freeze = &sync["freeze"];
    if freeze.is_object() && sync["waiting"].is_null() {
        let until = match freeze["until"].as_str() {
            Some(_) => format!(" until {}", super::runs::instant(&freeze["until"])),
            None => String::new(),
        };
        let why = word(&freeze["reason"]);
        text.push_str(&format!("changes of job files wait{until}: {why}\n"));
    }
    text.push_str(&format!(
        "{} running, {} queued; since {}: {} runs, {} errors, {} missed, {} skipped\n",
        number(&stats["running"]),
        number(&stats["queued"]),
        super::runs::instant(&stats["since"]),
        number(&stats["total_executed"]),
        number(&stats["total_errors"]),
        number(&stats["total_missed"]),
        number(&stats["total_skipped"]),
    ));
    let overrides = config["overrides"]["overrides"].as_array();
    let paused = overrides.into_iter().flatten();
    match paused.filter(|one| one["kind"] == "pause").count() {
        0 => {}
        paused => text.push_str(&format!("{paused} jobs are paused: elder overrides\n")),
    }
    match number(&stats["stale_jobs"]) {
        0 => {}
        stale => text.push_str(&format!(
            "{stale} jobs did not succeed in time: elder list\n"
        )),
    }
    match number(&stats["failing_jobs"]) {
        0 => {}
        failing => {
            let names = stats["failing_job_names"].as_array();
            let names = names.into_iter().flatten().filter_map(Value::as_str);
            let names: Vec<&str> = names.collect();
            let more = match failing.saturating_sub(names.len() as u64) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let names = names.join(", ");
            text.push_str(&format!(
                "{failing} jobs failed when they last ran: {names}{more}; since when and what was changed: elder show JOB\n"
            ));
        }
    }
    if stats["store"] == "failing" {
        text.push_str("the store cannot be written, so nothing starts: see elder's log\n");
    }
    text.push_str(&format!("elder {}\n", word(&stats["version"])));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_whether_the_files_are_in_force() {
        let config = json!({"sync": {"status": "Held", "reason": "2 jobs are held", "revision": "3f2a91c",
            "findings": []}, "pending_removals": ["a", "b"],
            "overrides": {"overrides": [{"kind": "pause"}, {"kind": "removal"}], "total": 2}});
        let stats = json!({"jobs": 41, "active_jobs": 40, "running": 1, "queued": 0,
            "since": "2027-01-01T00:00:00.123Z", "total_executed": 7, "total_errors": 1, "total_missed": 0,
            "total_skipped": 2, "stale_jobs": 1, "failing_jobs": 3, "failing_job_names": ["a", "b"], "store": "failing", "version": "0.1.0"});
        let want = "\
Held  rev 3f2a91c  41 jobs, 40 with a next fire, 2 held, 0 findings
2 jobs are held
1 running, 0 queued; since 2027-01-01T00:00:00Z: 7 runs, 1 errors, 0 missed, 2 skipped
1 jobs are paused: elder overrides
1 jobs did not succeed in time: elder list
3 jobs failed when they last ran: a, b and 1 more; since when and what was changed: elder show JOB
the store cannot be written, so nothing starts: see elder's log
elder 0.1.0
";
        assert_eq!(told(&config, &stats), want);
    }
}
