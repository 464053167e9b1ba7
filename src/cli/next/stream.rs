//! `elder next --stdin`: one JSON query a line in, one JSON answer a line out.
//!
//! A line is answered as soon as no other whole line is there to be answered
//! with it: at once for one that asks and waits, many at a time for one that
//! sends all it has.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::model::Definition;

use super::super::console::Console;
use super::super::exit::Failure;
use super::query::{Checker, Question, Said};
use super::{fires, zone_of};

/// The longest line that is read.
const LONGEST: usize = 1 << 20;
/// The most fires that one line may ask for.
const MOST: u64 = 10_000;
/// How many schedules are remembered, so that the same one is read once.
const REMEMBERED: usize = 10_000;
/// How much of the input is taken at a time.
const BUFFER: usize = 256 << 10;

/// What holds for a query that does not say.
pub(super) struct Defaults {
    pub(super) count: u32,
    pub(super) from: Timestamp,
}

/// Answers until the input ends or nobody reads the answers any more.
pub(super) fn answer(
    checker: &Checker,
    defaults: &Defaults,
    console: &mut Console,
) -> Result<(), Failure> {
    let mut input = io::BufReader::with_capacity(BUFFER, io::stdin().lock());
    match converse(checker, defaults, &mut input, console.out()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::no_answer(format!("cannot go on: {error}")))
        }
        _ => Ok(()),
    }
}

fn converse(
    checker: &Checker,
    defaults: &Defaults,
    input: &mut impl BufRead,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut known = Known::default();
    let mut rest = Vec::new();
    let mut skipping = false;
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            break;
        }
        let taken = buffer.len();
        let mut lines = Vec::new();
        for piece in buffer.split_inclusive(|byte| *byte == b'\n') {
            let ends = piece.ends_with(b"\n");
            if !skipping {
                rest.extend_from_slice(piece);
            }
            if rest.len() > LONGEST {
                rest.clear();
                skipping = true;
                lines.push(Err(Said::new("the line is longer than 1 MiB")));
            }
            if ends {
                if !skipping {
                    lines.push(Ok(std::mem::take(&mut rest)));
                }
                skipping = false;
            }
        }
        input.consume(taken);
        known.answer(checker, defaults, lines, out)?;
    }
    if !rest.is_empty() {
        known.answer(checker, defaults, vec![Ok(rest)], out)?;
    }
    Ok(())
}

type Read = Result<(Arc<Definition>, TimeZone), Said>;

/// Schedules that were read already, by their file.
#[derive(Default)]
struct Known(HashMap<String, Read>);

/// One query, but for its schedule.
struct Ask {
    file: String,
    from: Timestamp,
    count: usize,
}

impl Known {
    /// Answers lines in order, one line each.
    fn answer(
        &mut self,
        checker: &Checker,
        defaults: &Defaults,
        lines: Vec<Result<Vec<u8>, Said>>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut answers = Vec::new();
        let asks: Vec<Result<Ask, Said>> = lines
            .into_iter()
            .filter(|line| !line.as_ref().is_ok_and(|line| line.trim_ascii().is_empty()))
            .map(|line| line.and_then(|line| parse(&line, defaults)))
            .collect();
        self.learn(checker, &asks);
        for ask in &asks {
            let read = match ask {
                Ok(ask) => match self.0.get(&ask.file) {
                    Some(Ok((definition, zone))) => Ok((ask, definition, zone)),
                    Some(Err(said)) => Err(said.line()),
                    None => Err("the schedule was not read".to_owned()),
                },
                Err(said) => Err(said.line()),
            };
            match read {
                Ok((ask, definition, zone)) => write_fires(&mut answers, ask, definition, zone),
                Err(line) => {
                    answers.extend_from_slice(b"{\"error\":");
                    answers.extend_from_slice(Value::from(line).to_string().as_bytes());
                    answers.extend_from_slice(b"}\n");
                }
            }
            if answers.len() > BUFFER {
                out.write_all(&answers)?;
                answers.clear();
            }
        }
        out.write_all(&answers)?;
        out.flush()
    }

    /// Reads the schedules that are not known yet, all at once.
    fn learn(&mut self, checker: &Checker, asks: &[Result<Ask, Said>]) {
        if self.0.len() > REMEMBERED {
            self.0.clear();
        }
        let mut files: Vec<String> = asks
            .iter()
            .filter_map(|ask| ask.as_ref().ok())
            .filter(|ask| !self.0.contains_key(&ask.file))
            .map(|ask| ask.file.clone())
            .collect();
        files.sort_unstable();
        files.dedup();
        let read = checker.check(&files);
        for (file, definition) in files.into_iter().zip(read) {
            let read = definition.map(|definition| {
                let zone = zone_of(&definition, checker.zones());
                (definition, zone)
            });
            self.0.insert(file, read);
        }
    }
}

fn parse(line: &[u8], defaults: &Defaults) -> Result<Ask, Said> {
    let query: Value = serde_json::from_slice(line)
        .map_err(|error| Said::new(format!("the line is not JSON: {error}")))?;
    let Value::Object(mut query) = query else {
        return Err(Said::new("a query is an object"));
    };
    let question = Question::of_json(&mut query)?;
    let from = match take(&mut query, "from") {
        None => defaults.from,
        Some(Value::String(text)) => super::super::args::values::instant(&text)
            .map_err(|hint| Said::new(format!("`from`: {hint}")))?,
        Some(_) => return Err(Said::new("`from` is a text")),
    };
    let count = match take(&mut query, "n") {
        None => u64::from(defaults.count),
        Some(value) => value
            .as_u64()
            .filter(|n| (1..=MOST).contains(n))
            .ok_or_else(|| Said::new("`n` is a number from 1 to 10000"))?,
    };
    if let Some(key) = query.keys().next() {
        return Err(Said::new(format!(
            "a query has no `{key}`, only schedule, timezone, from, n and name"
        )));
    }
    Ok(Ask {
        file: question.file(),
        from,
        count: usize::try_from(count).unwrap_or(usize::MAX),
    })
}

fn take(query: &mut Map<String, Value>, key: &str) -> Option<Value> {
    query.remove(key).filter(|value| !value.is_null())
}

fn write_fires(answers: &mut Vec<u8>, ask: &Ask, definition: &Definition, zone: &TimeZone) {
    answers.extend_from_slice(b"{\"next\":[");
    for (index, at) in fires(&definition.schedule, ask.from, ask.count)
        .iter()
        .enumerate()
    {
        if index > 0 {
            answers.push(b',');
        }
        answers.push(b'"');
        let written = at.display_with_offset(zone.to_offset(*at));
        // Nothing can fail in writing to memory.
        let _ = write!(answers, "{written}");
        answers.push(b'"');
    }
    answers.extend_from_slice(b"]}\n");
}

#[cfg(test)]
mod tests {
    use crate::schedule::Zones;
    use crate::spec;

    use super::*;

    fn answers_to(input: &[u8]) -> Vec<String> {
        let options = spec::Options {
            timezone: None,
            env: Arc::new(HashMap::new()),
            env_allow: None,
            allow_missing_env: false,
        };
        let checker = Checker::new(options, Zones::bundled());
        let defaults = Defaults {
            count: 2,
            from: "2027-01-01T00:00:00Z".parse().unwrap(),
        };
        let mut out = Vec::new();
        let mut input = io::BufReader::with_capacity(64, input);
        converse(&checker, &defaults, &mut input, &mut out).unwrap();
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
