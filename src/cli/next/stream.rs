//! `elder next --stdin`: one JSON query a line in, one JSON answer a line out.
//!
//! A line is answered as soon as no other whole line is there to be answered
//! with it: at once for one that asks and waits, many at a time for one that
//! sends all it has.

use std::io::{self, BufRead, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::finding::{Finding, Severity};
use crate::ids::JobName;
use crate::schedule::{Zones, written_offset};
use crate::spec::{self, ParsedSchedule};

use super::super::args::values;
use super::super::console::Console;
use super::super::exit::Failure;
use super::fires;

/// The longest line that is read.
const LONGEST: usize = 1 << 20;
/// The most fires that one line may ask for.
const MOST: u64 = 10_000;
/// How much of the input is taken at a time.
const BUFFER: usize = 256 << 10;

/// What holds for a query that does not say.
pub(super) struct Defaults<'a> {
    pub(super) count: u32,
    pub(super) from: Timestamp,
    pub(super) timezone: &'a str,
}

/// Answers until the input ends or nobody reads the answers any more.
pub(super) fn answer(
    zones: &Zones,
    defaults: &Defaults<'_>,
    console: &mut Console,
) -> Result<(), Failure> {
    let mut input = io::BufReader::with_capacity(BUFFER, io::stdin().lock());
    match converse(zones, defaults, &mut input, console.out()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::no_answer(format!("cannot go on: {error}")))
        }
        _ => Ok(()),
    }
}

fn converse(
    zones: &Zones,
    defaults: &Defaults<'_>,
    input: &mut impl BufRead,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut answers = Vec::new();
    let mut rest = Vec::new();
    let mut skipping = false;
    loop {
        let buffer = input.fill_buf()?;
        let taken = buffer.len();
        for piece in buffer.split_inclusive(|byte| *byte == b'\n') {
            let ends = piece.ends_with(b"\n");
            if skipping {
                skipping = !ends;
                continue;
            }
            if rest.len() + piece.len() > LONGEST {
                write_error(&mut answers, "the line is longer than 1 MiB");
                rest.clear();
                skipping = !ends;
                continue;
            }
            rest.extend_from_slice(piece);
            if ends {
                write_answer(zones, defaults, &rest, &mut answers);
                rest.clear();
            }
            if answers.len() > BUFFER {
                out.write_all(&answers)?;
                answers.clear();
            }
        }
        if taken == 0 {
            // The last line may lack its end.
            write_answer(zones, defaults, &rest, &mut answers);
        }
        input.consume(taken);
        out.write_all(&answers)?;
        out.flush()?;
        answers.clear();
        if taken == 0 {
            return Ok(());
        }
    }
}

fn write_answer(zones: &Zones, defaults: &Defaults<'_>, line: &[u8], answers: &mut Vec<u8>) {
    if line.trim_ascii().is_empty() {
        return;
    }
    match Query::read(line, defaults, zones) {
        Ok(query) => query.write_fires(answers),
        Err(said) => write_error(answers, &said),
    }
}

fn write_error(answers: &mut Vec<u8>, said: &str) {
    answers.extend_from_slice(b"{\"error\":");
    answers.extend_from_slice(Value::from(said).to_string().as_bytes());
    answers.extend_from_slice(b"}\n");
}

/// One line, understood.
struct Query {
    parsed: ParsedSchedule,
    from: Timestamp,
    count: usize,
}

impl Query {
    fn read(line: &[u8], defaults: &Defaults<'_>, zones: &Zones) -> Result<Self, String> {
        let query: Value = serde_json::from_slice(line)
            .map_err(|error| format!("the line is not JSON: {error}"))?;
        let Value::Object(mut query) = query else {
            return Err("a query is an object".to_owned());
        };
        let schedule = query.remove("schedule");
        let schedule = schedule.ok_or("the query has no `schedule`")?;
        let timezone = text(&mut query, "timezone")?;
        let from = match text(&mut query, "from")? {
            Some(from) => values::instant(&from).map_err(|hint| format!("`from`: {hint}"))?,
            None => defaults.from,
        };
        let name = text(&mut query, "name")?;
        if let Some(name) = &name {
            JobName::new(name).map_err(|error| format!("`name`: {error}"))?;
        }
        let count = match query.remove("n").filter(|n| !n.is_null()) {
            None => u64::from(defaults.count),
            Some(n) => n
                .as_u64()
                .filter(|n| (1..=MOST).contains(n))
                .ok_or("`n` is a number from 1 to 10000")?,
        };
        if let Some(key) = query.keys().next() {
            return Err(format!(
                "a query has no `{key}`, only schedule, timezone, from, n and name"
            ));
        }
        let timezone = timezone.as_deref().unwrap_or(defaults.timezone);
        let name = name.as_deref().unwrap_or_default();
        let parsed = spec::schedule_of_json(&schedule, timezone, zones, name)
            .map_err(|found| said(&found))?;
        Ok(Self {
            parsed,
            from,
            count: usize::try_from(count).unwrap_or(usize::MAX),
        })
    }

    fn write_fires(&self, answers: &mut Vec<u8>) {
        let zone: &TimeZone = self.parsed.zone.timezone();
        answers.extend_from_slice(b"{\"next\":[");
        let fires = fires(&self.parsed.schedule, self.from, self.count);
        for (index, fire) in fires.iter().enumerate() {
            if index > 0 {
                answers.push(b',');
            }
            let written = fire.due.display_with_offset(written_offset(zone, fire.due));
            // Nothing can fail in writing to memory.
            let _ = write!(answers, "\"{written}\"");
        }
        answers.extend_from_slice(b"]}\n");
    }
}

fn text(query: &mut Map<String, Value>, key: &str) -> Result<Option<String>, String> {
    match query.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("`{key}` is a text")),
    }
}

/// The first error with its mend, in one line.
fn said(findings: &[Finding]) -> String {
    let mut errors = findings.iter();
    let first = errors.find(|finding| finding.severity == Severity::Error);
    match first {
        Some(finding) if finding.help.is_empty() => finding.message.clone(),
        Some(finding) => format!("{}; {}", finding.message, finding.help),
        None => "this is no schedule".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers_to(input: &[u8]) -> Vec<String> {
        let defaults = Defaults {
            count: 2,
            from: "2027-01-01T00:00:00Z".parse().unwrap(),
            timezone: "UTC",
        };
        let mut out = Vec::new();
        let mut input = io::BufReader::with_capacity(64, input);
        converse(&Zones::bundled(), &defaults, &mut input, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn each_line_is_answered_by_one_line_in_order() {
        let input = r#"{"schedule": "0 9 * * *", "timezone": "Asia/Tokyo", "n": 1}
{"schedule": {"every": "1h"}, "from": "2027-06-01T00:30:00+02:00"}

{"schedule": ["0 0 1 1 *", {"daily": "12:00"}], "n": 1, "name": "mine"}
{"schedule": "manual"}
{"schedule": "0 9 * * *", "timezone": "Asia/Tokyo", "n": 1}
{"schedule": "@daily"}"#;
        assert_eq!(
            answers_to(input.as_bytes()),
            [
                r#"{"next":["2027-01-02T09:00:00+09:00"]}"#,
                r#"{"next":["2027-05-31T23:00:00+00:00","2027-06-01T00:00:00+00:00"]}"#,
                r#"{"next":["2027-01-01T12:00:00+00:00"]}"#,
                r#"{"next":[]}"#,
                r#"{"next":["2027-01-02T09:00:00+09:00"]}"#,
                r#"{"next":["2027-01-02T00:00:00+00:00","2027-01-03T00:00:00+00:00"]}"#,
            ]
        );
    }

    #[test]
    fn what_is_written_is_the_instant_also_where_the_offset_has_seconds() {
        let query = r#"{"schedule": "*/30 * * * *", "timezone": "Africa/Monrovia", "from": "1972-01-06T12:40:00Z", "n": 1}"#;
        let answers = answers_to(query.as_bytes());
        let answer: Value = serde_json::from_str(&answers[0]).unwrap();
        let instant: Timestamp = answer["next"][0].as_str().unwrap().parse().unwrap();
        // Noon there is 00:44:30 later in Greenwich.
        assert_eq!(instant, "1972-01-06T12:44:30Z".parse().unwrap());
    }

    #[test]
    fn a_name_feeds_what_differs_from_job_to_job() {
        let random = r#"{"random": {"times": 1, "between": ["22:00", "02:00"]}}"#;
        let ask = |schedule: &str, name: &str| {
            let line = format!(r#"{{"schedule": {schedule}, "n": 3, "name": "{name}"}}"#);
            answers_to(line.as_bytes()).remove(0)
        };
        for schedule in [
            random,
            r#"{"daily": "02:00", "spread": "1h"}"#,
            r#"{"daily": "02:00", "jitter": "1h"}"#,
        ] {
            assert_eq!(ask(schedule, "a"), ask(schedule, "a"), "{schedule}");
            assert_ne!(ask(schedule, "a"), ask(schedule, "b"), "{schedule}");
        }
        // A fire that is scheduled before the instant asked about and due after it is to come.
        let schedule = r#"{"daily": "02:00", "jitter": "1h"}"#;
        let line =
            r#"{"schedule": SCHEDULE, "name": "backup", "n": 1, "from": "2027-03-01T02:30:00Z"}"#;
        let line = line.replace("SCHEDULE", schedule);
        let want = r#"{"next":["2027-03-01T02:56:57.466+00:00"]}"#;
        assert_eq!(answers_to(line.as_bytes()), [want]);
    }

    #[test]
    fn what_is_no_query_is_answered_with_an_error_and_the_next_line_goes_on() {
        for line in [
            "nonsense",
            "[]",
            "{}",
            r#"{"schedule": "61 * * * *"}"#,
            r#"{"schedule": "@daily", "timezone": "Mars/Olympus"}"#,
            r#"{"schedule": "@daily", "timezone": 5}"#,
            r#"{"schedule": "@daily", "from": "yesterday"}"#,
            r#"{"schedule": "@daily", "n": 0}"#,
            r#"{"schedule": "@daily", "n": 10001}"#,
            r#"{"schedule": "@daily", "name": "no good"}"#,
            r#"{"schedule": "@daily", "name": "x:\n    run: y"}"#,
            r#"{"schedule": "@daily", "until": "2028-01-01"}"#,
            r#"{"schedule": null}"#,
        ] {
            let input = format!("{line}\n{{\"schedule\": \"@daily\", \"n\": 1}}\n");
            let answers = answers_to(input.as_bytes());
            assert_eq!(answers.len(), 2, "{line}: {answers:?}");
            let error: Value = serde_json::from_str(&answers[0]).unwrap();
            assert!(
                error["error"].as_str().is_some_and(|e| !e.is_empty()),
                "{line}: {answers:?}"
            );
            assert!(answers[1].starts_with("{\"next\":["), "{line}: {answers:?}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused_once_and_takes_no_memory() {
        let mut input = vec![b'x'; 3 * LONGEST];
        input.extend_from_slice(b"\n{\"schedule\": \"@daily\", \"n\": 1}\n");
        let answers = answers_to(&input);
        assert_eq!(answers.len(), 2, "{answers:?}");
        assert!(answers[0].contains("longer than 1 MiB"), "{answers:?}");
    }
}
