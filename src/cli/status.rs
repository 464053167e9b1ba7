//! `elder status`: whether what the files say is in force, and how elder does.

use serde_json::{Value, json};

use crate::finding::render::amount;

use super::args::{StatusArgs, TableFormat};
use super::client::{Client, as_json};
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};

/// So many findings or names are shown; the rest is counted.
const SHOWN: usize = 5;

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
    let of = |value: &Value, word: &str| amount(number(value), word);
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let count = |value: &Value| value.as_array().map_or(0, Vec::len);
    let mut text = word(&sync["status"]);
    if let Some(revision) = sync["revision"].as_str() {
        text.push_str(&format!("  rev {revision}"));
    }
    text.push_str(&format!(
        "  {}, {} with a next fire, {} held, {}\n",
        of(&stats["jobs"], "job"),
        number(&stats["active_jobs"]),
        count(&config["pending_removals"]),
        amount(count(&sync["findings"]) as u64, "finding"),
    ));
    let reason = word(&sync["reason"]);
    if !reason.is_empty() {
        text.push_str(&format!("{reason}\n"));
    }
    text.push_str(&refused(sync));
    let held = config["pending_removals"].as_array();
    let held: Vec<&str> = held
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if !held.is_empty() && sync["status"] != "Held" {
        text.push_str(&format!(
            "gone from the files and kept until confirmed: {}; `elder sync --prune` lets them go\n",
            few(&held)
        ));
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
        "{} running, {} queued; since {}: {}, {}, {} missed, {} skipped\n",
        number(&stats["running"]),
        number(&stats["queued"]),
        super::runs::instant(&stats["since"]),
        of(&stats["total_executed"], "run"),
        of(&stats["total_errors"], "error"),
        number(&stats["total_missed"]),
        number(&stats["total_skipped"]),
    ));
    let overrides = config["overrides"]["overrides"].as_array();
    let paused = overrides.into_iter().flatten();
    match paused.filter(|one| one["kind"] == "pause").count() {
        0 => {}
        1 => text.push_str("1 job is paused: elder overrides\n"),
        paused => text.push_str(&format!("{paused} jobs are paused: elder overrides\n")),
    }
    match number(&stats["stale_jobs"]) {
        0 => {}
        _ => text.push_str(&format!(
            "{} did not succeed in time: elder list\n",
            of(&stats["stale_jobs"], "job")
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
                "the last run of {} failed: {names}{more}; since when and what was changed: elder show JOB\n",
                of(&stats["failing_jobs"], "job")
            ));
        }
    }
    if stats["store"] == "failing" {
        text.push_str(
            "the store cannot be written, so nothing starts: elder's log says why, and `elder doctor` on its machine\n",
        );
    }
    text.push_str(&format!("elder {}\n", word(&stats["version"])));
    text
}

/// The first errors, each with its place.
fn refused(sync: &Value) -> String {
    let findings = sync["findings"].as_array().into_iter().flatten();
    let errors: Vec<&Value> = findings
        .filter(|finding| finding["severity"] == "error")
        .collect();
    let mut text = String::new();
    for finding in errors.iter().take(SHOWN) {
        let part = |key: &str| finding[key].as_str().unwrap_or_default();
        text.push_str(&format!(
            "  {}:{}:{}: {} {}\n",
            part("file"),
            finding["line"],
            finding["column"],
            part("code"),
            part("message")
        ));
    }
    match errors.len().saturating_sub(SHOWN) {
        0 => {}
        more => text.push_str(&format!("  and {more} more: elder validate\n")),
    }
    text
}

/// The first names, and how many more there are.
fn few(names: &[&str]) -> String {
    let shown = names.iter().take(SHOWN).copied();
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
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
1 running, 0 queued; since 2027-01-01T00:00:00Z: 7 runs, 1 error, 0 missed, 2 skipped
1 job is paused: elder overrides
1 job did not succeed in time: elder list
the last run of 3 jobs failed: a, b and 1 more; since when and what was changed: elder show JOB
the store cannot be written, so nothing starts: elder's log says why, and `elder doctor` on its machine
elder 0.1.0
";
        assert_eq!(told(&config, &stats), want);
    }

    #[test]
    fn a_bad_file_is_named_and_so_is_what_is_held_beside_it() {
        let finding = |line: u32, severity: &str| {
            json!({"file": "jobs.d/a.yaml", "line": line, "column": 5, "code": "E002",
                "message": "a job has no key `shedule`", "severity": severity})
        };
        let mut findings: Vec<Value> = (3..10).map(|line| finding(line, "error")).collect();
        findings.insert(0, finding(1, "warning"));
        let config = json!({"sync": {"status": "Invalid", "reason": "1 file is bad; what it last defined goes on",
            "findings": findings}, "pending_removals": ["a", "b"]});
        let stats = json!({"jobs": 1, "active_jobs": 1, "since": "2027-01-01T00:00:00Z", "version": "0.1.0"});
        let text = told(&config, &stats);
        let want = "\
Invalid  1 job, 1 with a next fire, 2 held, 8 findings
1 file is bad; what it last defined goes on
  jobs.d/a.yaml:3:5: E002 a job has no key `shedule`
";
        assert!(text.starts_with(want), "{text}");
        assert!(
            text.contains("jobs.d/a.yaml:7:5") && !text.contains("a.yaml:8"),
            "{text}"
        );
        let rest = "  and 2 more: elder validate\n\
                    gone from the files and kept until confirmed: a, b; `elder sync --prune` lets them go\n";
        assert!(text.contains(rest), "{text}");
    }
}
