//! `elder stats`: sums since that elder began.

use serde_json::Value;

use super::args::{StatsArgs, TableFormat};
use super::client::{Client, as_json};
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};

/// Prints them.
///
/// # Errors
/// When there is no answer.
pub fn stats(
    typed: &StatsArgs,
    environment: &Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let client = Client::asking(&typed.ask, environment)?;
    let stats = client.get(&["stats"], &[])?.body;
    let text = match typed.ask.format {
        TableFormat::Json => as_json(&stats),
        TableFormat::Human => told(&stats),
    };
    console.answer(&text)?;
    Ok(Exit::Fine)
}

fn told(stats: &Value) -> String {
    let number = |name: &str| stats[name].as_u64().unwrap_or_default();
    let outcomes = stats["outcomes"].as_object().into_iter().flatten();
    let outcomes = outcomes.filter(|(_, count)| count.as_u64() != Some(0));
    let outcomes: Vec<_> = outcomes
        .map(|(outcome, count)| format!("{count} {outcome}"))
        .collect();
    let rows = [
        ("since", super::runs::instant(&stats["since"])),
        ("runs", number("total_executed").to_string()),
        ("errors", number("total_errors").to_string()),
        ("missed", number("total_missed").to_string()),
        ("skipped", number("total_skipped").to_string()),
        (
            "ended",
            match outcomes.is_empty() {
                true => "-".to_owned(),
                false => outcomes.join(", "),
            },
        ),
        ("running", number("running").to_string()),
        ("queued", number("queued").to_string()),
        ("jobs", number("jobs").to_string()),
        ("active", number("active_jobs").to_string()),
        ("stale", number("stale_jobs").to_string()),
        ("failing", number("failing_jobs").to_string()),
        ("store", stats["store"].as_str().unwrap_or("-").to_owned()),
    ];
    let line = |(name, value): (&str, String)| format!("{name:<7}  {value}\n");
    rows.map(line).concat()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_sum_has_its_line() {
        let stats = json!({"since": "2027-01-01T00:00:00.123Z", "total_executed": 7, "total_errors": 1,
            "total_missed": 0, "total_skipped": 2, "active_jobs": 40, "jobs": 41, "running": 1, "queued": 3,
            "stale_jobs": 4, "failing_jobs": 5, "outcomes": {"failed": 1, "missed": 0, "skipped": 2, "success": 6},
            "store": "ok"});
        let want = "\
since    2027-01-01T00:00:00Z
runs     7
errors   1
missed   0
skipped  2
ended    1 failed, 2 skipped, 6 success
running  1
queued   3
jobs     41
active   40
stale    4
failing  5
store    ok
";
        assert_eq!(told(&stats), want);
    }
}
