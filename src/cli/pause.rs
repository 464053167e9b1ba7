//! `elder pause`, `elder resume` and `elder overrides`: jobs that fire nothing for a while.

use serde_json::{Value, json};

use super::args::{OverridesArgs, PauseArgs, ResumeArgs, TableFormat};
use super::client::{Client, as_json};
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::runs::instant;
use super::table::aligned;

/// Pauses a job.
///
/// # Errors
/// When there is no answer, or no such job.
pub fn pause(
    typed: &PauseArgs,
    environment: &Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let client = Client::asking(&typed.ask, environment)?;
    let mut body = json!({});
    if let Some(length) = typed.length {
        body["for"] = crate::duration::print(length).into();
    }
    if let Some(until) = typed.until {
        body["until"] = until.to_string().into();
    }
    if let Some(reason) = &typed.reason {
        body["reason"] = reason.as_str().into();
    }
    let answer = client.post(&["jobs", &typed.job, "pause"], &body)?.body;
    let text = match typed.ask.format {
        TableFormat::Json => as_json(&answer),
        TableFormat::Human => paused(&typed.job, &answer),
    };
    console.answer(&text)?;
    Ok(Exit::Fine)
}

/// Lets a job go on.
///
/// # Errors
/// When there is no answer, or no such job.
pub fn resume(
    typed: &ResumeArgs,
    environment: &Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let client = Client::asking(&typed.ask, environment)?;
    let answer = client.post(&["jobs", &typed.job, "resume"], &json!({}))?;
    let answer = answer.body;
    let text = match typed.ask.format {
        TableFormat::Json => as_json(&answer),
        TableFormat::Human => match answer["next_run_time"].as_str() {
            Some(_) => format!(
                "{}: not paused, next {}\n",
                typed.job,
                instant(&answer["next_run_time"])
            ),
            None => format!(
                "{}: not paused, and without a next fire: elder explain {}\n",
                typed.job, typed.job
            ),
        },
    };
    console.answer(&text)?;
    Ok(Exit::Fine)
}

/// Prints what differs from the files on purpose.
///
/// # Errors
/// When there is no answer.
pub fn overrides(
    typed: &OverridesArgs,
    environment: &Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let client = Client::asking(&typed.ask, environment)?;
    let body = client.get(&["overrides"], &[])?.body;
    let text = match typed.ask.format {
        TableFormat::Json => as_json(&body),
        TableFormat::Human => told(&body),
    };
    console.answer(&text)?;
    Ok(Exit::Fine)
}

fn paused(job: &str, answer: &Value) -> String {
    let mut text = match answer["pause"]["until"].as_str() {
        Some(_) => format!("{job}: paused until {}", instant(&answer["pause"]["until"])),
        None => format!("{job}: paused until `elder resume {job}`"),
    };
    if answer["next_run_time"].is_string() {
        text.push_str(&format!(", next {}", instant(&answer["next_run_time"])));
    }
    text.push('\n');
    let active = answer["active_runs"].as_array();
    for run in active.into_iter().flatten() {
        let word = |key: &str| run[key].as_str().unwrap_or_default();
        let id = word("run_id");
        text.push_str(&format!(
            "run {id} goes on ({}): elder cancel {id}\n",
            word("state")
        ));
    }
    text
}

fn told(body: &Value) -> String {
    let all = body["overrides"].as_array().map(Vec::as_slice);
    let Some(all @ [_, ..]) = all else {
        return "nothing differs from the files\n".to_owned();
    };
    let cell = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let rows: Vec<_> = all
        .iter()
        .map(|one| {
            [
                cell(&one["job_id"]),
                cell(&one["kind"]),
                cell(&one["author"]),
                instant(&one["since"]),
                instant(&one["until"]),
                cell(&one["source"]),
                cell(&one["mend"]),
                cell(&one["reason"]),
            ]
        })
        .collect();
    let head = [
        "JOB", "KIND", "BY", "SINCE", "UNTIL", "SOURCE", "ENDED BY", "REASON",
    ];
    let mut text = aligned(head, &rows);
    let total = body["total"].as_u64().unwrap_or_default();
    if total > rows.len() as u64 {
        text.push_str(&format!("and {} more\n", total - rows.len() as u64));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_told_with_its_end_and_what_goes_on() {
        let answer = json!({"job_id": "a", "status": "paused",
            "pause": {"since": "2027-01-01T00:00:00Z", "until": "2027-01-01T02:00:00.5Z", "reason": null, "author": "x"},
            "next_run_time": "2027-01-01T02:00:30Z",
            "active_runs": [{"run_id": "R1", "state": "waiting"}]});
        let want = "\
a: paused until 2027-01-01T02:00:00Z, next 2027-01-01T02:00:30Z
run R1 goes on (waiting): elder cancel R1
";
        assert_eq!(paused("a", &answer), want);
        let answer = json!({"pause": {"until": null}, "next_run_time": null, "active_runs": []});
        assert_eq!(paused("a", &answer), "a: paused until `elder resume a`\n");
    }

    #[test]
    fn overrides_are_a_list_of_what_is_to_be_ended() {
        let body = json!({"overrides": [
            {"kind": "pause", "job_id": "billing", "reason": "the database moves", "author": "anna",
             "since": "2027-01-01T00:00:00Z", "until": null, "source": "jobs.d/a.yaml:3", "mend": "elder resume billing"},
            {"kind": "removal", "job_id": "old", "reason": "gone", "author": null, "since": null, "until": null,
             "source": "jobs.d/b.yaml:1", "mend": "elder sync --prune old"},
        ], "total": 3});
        let want = "\
JOB      KIND     BY    SINCE                 UNTIL  SOURCE           ENDED BY                REASON
billing  pause    anna  2027-01-01T00:00:00Z  -      jobs.d/a.yaml:3  elder resume billing    the database moves
old      removal  -     -                     -      jobs.d/b.yaml:1  elder sync --prune old  gone
and 1 more
";
        assert_eq!(told(&body), want);
        assert_eq!(
            told(&json!({"overrides": [], "total": 0})),
            "nothing differs from the files\n"
        );
    }
}
