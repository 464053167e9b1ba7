//! One question for each known difference of each peer; docs/differences.md shows them.

use jiff::tz::TimeZone;

use super::ask::Answer;
use super::differences::Peer;
use super::shape::{Day, Field, Line, Piece, Question, Shape, Week, timestamp};

pub struct Example {
    pub name: &'static str,
    pub peer: Peer,
    pub question: Question,
}

const EXAMPLES: &[(&str, Peer, &str, &str, &str)] = &[
    (
        "star-rule",
        Peer::Croniter,
        "0 3 */2 * 1",
        "UTC",
        "2027-01-01T00:00:00Z",
    ),
    (
        "star-rule",
        Peer::Croner,
        "0 3 */2 * 1",
        "UTC",
        "2027-01-01T00:00:00Z",
    ),
    (
        "one-value-range",
        Peer::Croniter,
        "0 5-5 * * *",
        "UTC",
        "2027-01-01T00:00:00Z",
    ),
    (
        "gap-skipped",
        Peer::Croniter,
        "30 30 2 * * *",
        "America/New_York",
        "2027-03-14T00:00:00Z",
    ),
    (
        "gap-skipped",
        Peer::Apscheduler,
        "30 2 * * *",
        "America/New_York",
        "2027-03-14T00:00:00Z",
    ),
    (
        "gap-skipped",
        Peer::Systemd,
        "30 2 * * *",
        "America/New_York",
        "2027-03-14T00:00:00Z",
    ),
    (
        "gap-skipped",
        Peer::Croner,
        "15,30 2 * * *",
        "America/New_York",
        "2027-03-14T00:00:00Z",
    ),
    (
        "gap-shifted",
        Peer::Croniter,
        "30 30 2 * * *",
        "America/New_York",
        "2027-03-14T00:00:00Z",
    ),
    (
        "gap-shifted",
        Peer::Apscheduler,
        "30 2 * * *",
        "America/New_York",
        "2027-03-14T00:00:00Z",
    ),
    (
        "gap-once-more",
        Peer::Croniter,
        "*/20 2 * * *",
        "America/New_York",
        "2027-03-14T00:00:00Z",
    ),
    (
        "gap-once-more",
        Peer::Apscheduler,
        "*/20 2 * * *",
        "America/New_York",
        "2027-03-14T06:50:00Z",
    ),
    (
        "after-the-gap",
        Peer::Apscheduler,
        "38 0 * * *",
        "America/New_York",
        "2027-03-14T05:50:00Z",
    ),
    (
        "after-the-gap",
        Peer::Systemd,
        "51 3 * * *",
        "Pacific/Chatham",
        "2027-09-25T00:00:00Z",
    ),
    (
        "before-the-gap",
        Peer::Systemd,
        "29 19 L * *",
        "Asia/Singapore",
        "1981-12-30T16:11:48Z",
    ),
    (
        "fold-again",
        Peer::Croniter,
        "30 1 * * *",
        "America/New_York",
        "2027-11-07T06:15:00Z",
    ),
    (
        "fold-again",
        Peer::Apscheduler,
        "30 1 * * *",
        "America/New_York",
        "2027-11-07T06:15:00Z",
    ),
    (
        "fold-again",
        Peer::Systemd,
        "30 1 * * *",
        "America/New_York",
        "2027-11-07T06:15:00Z",
    ),
    (
        "fold-again",
        Peer::Croner,
        "15,30 1 * * *",
        "America/New_York",
        "2027-11-07T00:00:00Z",
    ),
    (
        "fold-once",
        Peer::Croniter,
        "19,32 * * * *",
        "Pacific/Rarotonga",
        "1984-03-04T09:15:00Z",
    ),
    (
        "fold-once",
        Peer::Apscheduler,
        "42,46,59 * * * *",
        "Asia/Hong_Kong",
        "1975-10-18T18:25:10Z",
    ),
    (
        "fold-once",
        Peer::Systemd,
        "*/20 * * * *",
        "America/New_York",
        "2027-11-07T05:30:00Z",
    ),
    (
        "fold-second",
        Peer::Systemd,
        "55 3 * * *",
        "Antarctica/Casey",
        "2018-03-10T16:50:00Z",
    ),
    (
        "fold-early",
        Peer::Apscheduler,
        "* 3 * * *",
        "Pacific/Chatham",
        "2027-04-03T13:56:00Z",
    ),
    (
        "no-answer",
        Peer::Systemd,
        "49 3 * * *",
        "Asia/Hong_Kong",
        "1976-04-17T18:00:00Z",
    ),
    (
        "no-answer",
        Peer::Croner,
        "18 0 * * *",
        "Pacific/Apia",
        "2011-12-30T09:50:00Z",
    ),
];

pub fn examples() -> Vec<Example> {
    let example = |(name, peer, text, zone, from): &(&'static str, Peer, &str, &str, &str)| {
        let from: jiff::Timestamp = from.parse().unwrap();
        Example {
            name,
            peer: *peer,
            question: Question {
                shape: Shape::Cron(line(text)),
                zone: (*zone).to_owned(),
                from: from.as_second(),
                n: 5,
                within: (None, None),
            },
        }
    };
    EXAMPLES.iter().map(example).collect()
}

/// A row of the document's table: the instants as the wall clock shows them.
pub fn row(
    zone: &TimeZone,
    peer: Peer,
    question: &Question,
    ours: &Answer,
    theirs: &Answer,
) -> String {
    let Shape::Cron(line) = &question.shape else {
        unreachable!("examples are lines")
    };
    let shown = |at: &i64| {
        let at = jiff::Timestamp::from_second(*at).unwrap();
        at.to_zoned(zone.clone())
            .strftime("%a %d %b %H:%M:%S%:z")
            .to_string()
            .replace(":00+", "+")
            .replace(":00-", "-")
    };
    let fires = |answer: &Answer| match answer {
        Ok(fires) if fires.is_empty() => "nothing".to_owned(),
        Ok(fires) => fires
            .iter()
            .take(3)
            .map(shown)
            .collect::<Vec<_>>()
            .join(", "),
        Err(_) => "an error".to_owned(),
    };
    format!(
        "| {} | `{}` | {} | {} | {} | {} |",
        peer.name(),
        line.text(),
        question.zone,
        timestamp(question.from),
        fires(ours),
        fires(theirs),
    )
}

fn line(text: &str) -> Line {
    let mut fields: Vec<&str> = text.split(' ').collect();
    let second = (fields.len() == 6).then(|| field(fields.remove(0)));
    let [minute, hour, day, month, week] = fields[..] else {
        panic!("{text}")
    };
    Line {
        second,
        minute: field(minute),
        hour: field(hour),
        day: match day {
            "L" => Day::Last,
            _ => Day::Field(field(day)),
        },
        month: field(month),
        week: Week::Field(field(week)),
    }
}

fn field(text: &str) -> Field {
    let number = |text: &str| text.parse().unwrap();
    let piece = |item: &str| match (item.split_once('-'), item.split_once('/')) {
        (Some((first, last)), _) => Piece::Span(number(first), number(last)),
        (_, Some(("*", step))) => Piece::Every(number(step)),
        _ if item == "*" => Piece::Star,
        _ => Piece::One(number(item)),
    };
    Field(text.split(',').map(piece).collect())
}
