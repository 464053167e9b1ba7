//! `elder next`: fires on the command line, and as a stream of JSON lines.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use insta::assert_snapshot;

use super::support::{Folder, elder};

const FROM: &str = "--from 2027-03-26T00:00:00Z";

#[test]
fn a_schedule_is_told_in_words_and_instants() {
    let call = elder(&format!(
        "next -n 3 {FROM} --timezone Europe/Berlin --format json --schedule"
    ));
    assert_snapshot!(call.arg("30 2 * * *").run(), @r#"
    exit 0
    --- stdout
    {"description":"at 02:30 every day, Europe/Berlin time","next":["2027-03-26T02:30:00+01:00","2027-03-27T02:30:00+01:00","2027-03-28T03:00:00+02:00"],"timezone":"Europe/Berlin"}
    "#);
}

#[test]
fn what_differs_by_name_is_asked_with_a_name() {
    let random = r#"{ random: { times: 1, between: ["22:00", "02:00"], days: weekdays } }"#;
    let from = format!("next -n 2 {FROM} --schedule");
    let named = format!("next -n 2 {FROM} --name backup --format json --schedule");
    assert_snapshot!(elder(&named).arg(random).run(), @r#"
    exit 0
    --- stdout
    {"description":"once a day at random between 22:00 and 02:00, on Monday to Friday, UTC time","next":["2027-03-26T00:48:09+00:00","2027-03-27T01:11:09+00:00"],"timezone":"UTC"}
    "#);
    let finished = elder(&from).arg(random).run();
    assert!(finished.stdout.contains("see --name"), "{finished}");
    let finished = elder("next --name backup backup").run();
    assert_eq!(finished.code, Some(2), "{finished}");
}

#[test]
fn a_job_of_the_tree_is_found_by_its_name() {
    let file = "jobs:\n  billing:\n    schedule: { daily: '02:00' }\n    timezone: Asia/Tokyo\n    run: x\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", file), ("jobs.d/bad.yaml", "jobs: [")]);
    let finished = elder("next billing -n 1").within(folder.path()).run();
    assert_eq!(finished.code, Some(0), "{finished}");
    let lines: Vec<_> = finished.stdout.lines().collect();
    assert!(lines[0].starts_with("billing: "), "{finished}");
    assert!(lines[1].contains("T02:00:00+09:00"), "{finished}");
    let elsewhere = Folder::new();
    let jobs = folder.join("jobs.d").display().to_string();
    let finished = elder("next billing")
        .arg(jobs)
        .within(elsewhere.path())
        .run();
    assert_eq!(finished.code, Some(0), "{finished}");
    let finished = elder("next biling").within(folder.path()).run();
    assert_eq!(finished.code, Some(2), "{finished}");
    assert!(
        finished.stderr.contains("did you mean billing?"),
        "{finished}"
    );
}

#[test]
fn what_is_no_schedule_is_said_with_the_mend() {
    assert_snapshot!(elder("next --schedule").arg("0 25 * * *").run(), @r#"
    exit 2
    --- stderr
    error: 25 is out of range for the hour
    help: write 0 to 23
    "#);
    assert_snapshot!(elder("next --timezone Asia/Tokio --schedule @daily").run(), @r#"
    exit 2
    --- stderr
    error: "Asia/Tokio" is no time zone
    help: write Asia/Tokyo
    "#);
    let finished = elder("next").run();
    assert_eq!(finished.code, Some(2), "{finished}");
}

#[test]
fn a_stream_is_answered_line_by_line_while_the_input_stays_open() {
    let mut child = elder("next --stdin")
        .command()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for (query, want) in [
        (
            r#"{"schedule": "0 9 * * *", "timezone": "Asia/Tokyo", "from": "2027-01-01T00:00:00Z", "n": 1}"#,
            r#"{"next":["2027-01-02T09:00:00+09:00"]}"#,
        ),
        (
            r#"{"schedule": "0 9 * * *", "from": "2027-01-01T00:00:00Z", "n": 1}"#,
            r#"{"next":["2027-01-01T09:00:00+00:00"]}"#,
        ),
    ] {
        // Each answer is read before the next question is asked.
        writeln!(stdin, "{query}").unwrap();
        assert_eq!(answers.next().unwrap().unwrap(), want);
    }
    writeln!(stdin, "nonsense").unwrap();
    let error = answers.next().unwrap().unwrap();
    assert!(error.starts_with("{\"error\":"), "{error}");
    drop(stdin);
    assert!(answers.next().is_none());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = elder("next --stdin")
        .command()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    drop(child.stdout.take());
    // The child may be gone before all is written.
    for _ in 0..10_000 {
        if writeln!(stdin, "{{\"schedule\": \"@daily\"}}").is_err() {
            break;
        }
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
