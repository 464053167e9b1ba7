//! The known differences, each as code that recognises it. docs/differences.md
//! explains them under the same names; a test compares the two.
//!
//! A peer that reads a line otherwise is compared with elder's answer to the
//! line that says in elder's words what the peer reads. A peer that treats a
//! change of the clock otherwise may differ at the instants of that change.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::shape::{Day, Field, Line, Piece, Question, Shape, Week};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    Croniter,
    Apscheduler,
    Systemd,
    Croner,
}

impl Peer {
    pub const ALL: [Self; 4] = [
        Self::Croniter,
        Self::Apscheduler,
        Self::Systemd,
        Self::Croner,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Croniter => "croniter",
            Self::Apscheduler => "APScheduler",
            Self::Systemd => "systemd",
            Self::Croner => "croner",
        }
    }
}

/// Every difference with those who have it; docs/differences.md has a heading for each.
pub const KNOWN: [(&str, &[Peer]); 12] = [
    ("star-rule", &[Peer::Croniter, Peer::Croner]),
    ("one-value-range", &[Peer::Croniter]),
    (
        "gap-skipped",
        &[
            Peer::Croniter,
            Peer::Apscheduler,
            Peer::Systemd,
            Peer::Croner,
        ],
    ),
    ("gap-shifted", &[Peer::Croniter, Peer::Apscheduler]),
    ("gap-once-more", &[Peer::Croniter, Peer::Apscheduler]),
    ("after-the-gap", &[Peer::Apscheduler, Peer::Systemd]),
    ("before-the-gap", &[Peer::Systemd]),
    (
        "fold-again",
        &[
            Peer::Croniter,
            Peer::Apscheduler,
            Peer::Systemd,
            Peer::Croner,
        ],
    ),
    (
        "fold-once",
        &[Peer::Croniter, Peer::Apscheduler, Peer::Systemd],
    ),
    ("fold-second", &[Peer::Systemd]),
    ("fold-early", &[Peer::Apscheduler]),
    ("no-answer", &[Peer::Systemd, Peer::Croner]),
];

/// The question that elder is asked instead, where the peer reads the line
/// otherwise, and the names of the differences.
pub fn as_read_by(peer: Peer, question: &Question) -> (Question, Vec<&'static str>) {
    let mut read = question.clone();
    let mut names = Vec::new();
    if let Shape::Cron(line) = &mut read.shape {
        if peer == Peer::Croniter && whole_ranges(line) {
            names.push("one-value-range");
        }
        if matches!(peer, Peer::Croniter | Peer::Croner) && steps_restrict(peer, line) {
            names.push("star-rule");
        }
    }
    (read, names)
}

/// croniter takes `5-5` for the whole range.
fn whole_ranges(line: &mut Line) -> bool {
    let mut found = whole(&mut line.minute, 0, 59)
        | whole(&mut line.hour, 0, 23)
        | whole(&mut line.month, 1, 12);
    if let Some(second) = &mut line.second {
        found |= whole(second, 0, 59);
    }
    if let Day::Field(day) = &mut line.day {
        found |= whole(day, 1, 31);
    }
    if let Week::Field(week) = &mut line.week {
        found |= whole(week, 0, 6);
    }
    found
}

fn whole(field: &mut Field, low: u8, high: u8) -> bool {
    let before = field.clone();
    for piece in &mut field.0 {
        match *piece {
            Piece::Span(first, last) if first == last => *piece = Piece::Span(low, high),
            Piece::Stepped(first, last, step) if first == last => {
                *piece = Piece::Stepped(low, high, step);
            }
            _ => {}
        }
    }
    *field != before
}

/// For them `*/2` restricts a day field, so that either day matches.
fn steps_restrict(peer: Peer, line: &mut Line) -> bool {
    let (Day::Field(day), Week::Field(week)) = (&mut line.day, &mut line.week) else {
        return restrict_week(line);
    };
    if day.is_star() || week.is_star() {
        return false;
    }
    let before = (day.clone(), week.clone());
    // For croniter a field that lists all its values is a star beside one with a star.
    if peer == Peer::Croner {
        stepped(day, 1, 31);
        stepped(week, 0, 6);
    } else if week.begins_with_star() && day.values(1, 31).len() == 31 {
        *day = Field::star();
    } else if day.begins_with_star() && week.values(0, 6).len() == 7 {
        *week = Field::star();
    } else {
        stepped(day, 1, 31);
        stepped(week, 0, 6);
    }
    (&before.0, &before.1) != (&*day, &*week)
}

fn restrict_week(line: &mut Line) -> bool {
    match (&line.day, &mut line.week) {
        (Day::Last, Week::Field(week)) if !week.is_star() && week.begins_with_star() => {
            stepped(week, 0, 6);
            true
        }
        _ => false,
    }
}

fn stepped(field: &mut Field, low: u8, high: u8) {
    for piece in &mut field.0 {
        if let Piece::Every(step) = *piece {
            *piece = Piece::Stepped(low, high, step);
        }
    }
}

/// Who fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Elder,
    Peer,
}

/// A change of a clock, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub at: i64,
    /// How far it is set forward; less than zero is back.
    pub by: i64,
}

pub fn changes(zone: &TimeZone, from: i64, until: i64) -> Vec<Change> {
    let first = Timestamp::from_second(from - 4 * 86_400).unwrap();
    let mut before = i64::from(zone.to_offset(first).seconds());
    let mut changes = Vec::new();
    for next in zone.following(first) {
        let (at, offset) = (next.timestamp().as_second(), next.offset().seconds().into());
        if at > until {
            break;
        }
        let by = offset - before;
        if by != 0 {
            changes.push(Change { at, by });
        }
        before = offset;
    }
    changes
}

/// The difference that explains why only one of the two fires at an instant.
pub fn explains(
    peer: Peer,
    question: &Question,
    changes: &[Change],
    zone: &TimeZone,
    side: Side,
    at: i64,
) -> Option<&'static str> {
    let follows = question.shape.follows();
    let in_any = |holds: &dyn Fn(&Change) -> bool| changes.iter().any(holds);
    let gap_end = in_any(&|c| c.by > 0 && c.at == at);
    let past_gap = in_any(&|c| c.by > 0 && (c.at..c.at + c.by).contains(&at));
    let in_fold = in_any(&|c| c.by < 0 && (c.at + c.by..c.at - c.by).contains(&at));
    // Less than an hour, or one and a half.
    let odd_fold = in_any(&|c| c.by < 0 && c.by % 3_600 != 0 && (c.at..c.at - c.by).contains(&at));
    let name = match (side, peer) {
        (Side::Elder, _) if gap_end && !follows => "gap-skipped",
        (Side::Elder, Peer::Apscheduler | Peer::Systemd) if past_gap => "after-the-gap",
        (Side::Elder, Peer::Apscheduler)
            if after_a_gap(changes, zone, question.asked_after(), at) =>
        {
            "after-the-gap"
        }
        (Side::Elder, Peer::Systemd)
            if question.shape.has_last()
                && in_any(&|c| c.by > 0 && (at..at + 86_400).contains(&c.at)) =>
        {
            "before-the-gap"
        }
        (Side::Elder, Peer::Apscheduler | Peer::Systemd) if in_fold && follows => "fold-once",
        (Side::Elder, Peer::Croniter) if in_fold && follows && question.shape.names_weekday() => {
            "fold-once"
        }
        (Side::Elder, Peer::Croniter) if odd_fold && follows => "fold-once",
        (Side::Elder, Peer::Systemd) if in_fold => "fold-second",
        (Side::Peer, Peer::Croniter | Peer::Apscheduler) if gap_end && follows => "gap-once-more",
        (Side::Peer, Peer::Croniter | Peer::Apscheduler) if past_gap => "gap-shifted",
        (Side::Peer, _) if in_fold && !follows => "fold-again",
        (Side::Peer, Peer::Apscheduler)
            if in_any(&|c| c.by < 0 && c.at == at) && !on_the_hour(zone, at) =>
        {
            "fold-early"
        }
        _ => return None,
    };
    Some(name)
}

/// Whether the clock shows a whole hour.
fn on_the_hour(zone: &TimeZone, at: i64) -> bool {
    zone.to_datetime(Timestamp::from_second(at).unwrap())
        .minute()
        == 0
}

/// A search over a gap that finds nothing: with these words, or without one.
pub fn gives_up(peer: Peer, question: &Question, zone: &TimeZone, said: &str) -> bool {
    let (words, least): (&[&str], _) = match peer {
        Peer::Systemd => (&["Resource deadlock avoided", "Infinite loop", NOTHING], 1),
        Peer::Croner => (&["search limit exceeded"], 3_600),
        Peer::Croniter | Peer::Apscheduler => return false,
    };
    let gaps = changes(
        zone,
        question.asked_after(),
        question.asked_after() + 400 * 86_400,
    );
    words.iter().any(|word| said.contains(word)) && gaps.iter().any(|gap| gap.by >= least)
}

/// For a peer that stops telling fires, without a word.
pub const NOTHING: &str = "nothing";

/// APScheduler goes from a day to the next by 24 hours; over a gap that is
/// the gap's length too far.
fn after_a_gap(changes: &[Change], zone: &TimeZone, from: i64, at: i64) -> bool {
    let time = zone.to_datetime(Timestamp::from_second(at).unwrap()).time();
    let of_hour = i64::from(time.minute()) * 60 + i64::from(time.second());
    let of_day = i64::from(time.hour()) * 3_600 + of_hour;
    let mut gaps = changes
        .iter()
        .filter(|c| c.by > 0 && from < c.at && c.at <= at);
    gaps.any(|gap| of_day < gap.by || of_hour < gap.by % 3_600)
}
