//! Draws questions: any schedule, any zone, half of them near a change of its clock.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::shape::{Day, Field, Line, MonthDay, Piece, Question, Shape, Time, Week};
use crate::support::Dice;

/// 1970 to 2037, where the zones have most of their changes.
const FIRST: i64 = 0;
const LAST: i64 = 2_145_916_800;

/// The zones, with the instants at which their clocks change.
pub struct Places {
    names: Vec<String>,
    zones: HashMap<String, (TimeZone, Vec<i64>)>,
}

impl Places {
    pub fn new() -> Self {
        let database = TimeZoneDatabase::bundled();
        let mut zones = HashMap::new();
        let mut names = Vec::new();
        for name in elder::schedule::Zones::bundled().names() {
            let zone = database.get(&name).unwrap();
            let changes = changes(&zone);
            zones.insert(name.clone(), (zone, changes));
            names.push(name);
        }
        Self { names, zones }
    }

    pub fn zone(&self, name: &str) -> &TimeZone {
        &self.zones[name].0
    }

    pub fn changes(&self, name: &str) -> &[i64] {
        &self.zones[name].1
    }

    pub fn question(&self, dice: &mut Dice) -> Question {
        let zone = if dice.percent(40) {
            (*dice.pick(&OFTEN)).to_owned()
        } else {
            dice.pick(&self.names).clone()
        };
        let changes = self.changes(&zone);
        let mut from = dice.between(FIRST, LAST);
        if !changes.is_empty() && dice.percent(70) {
            let around = *dice.pick(&[600, 7_200, 86_400, 259_200]);
            from = dice.pick(changes) + dice.between(-around, around / 4);
        }
        let from = from.clamp(FIRST, LAST);
        let shape = shape(dice, from);
        let mut within = (None, None);
        // Beside `every`, `from` says something else.
        if !matches!(shape, Shape::Every(_) | Shape::At(_)) && dice.percent(15) {
            within.0 = dice
                .percent(60)
                .then(|| from + dice.between(-7_200, 172_800));
            let until = from + dice.between(172_800, 40 * 86_400);
            within.1 = dice.percent(60).then_some(until);
        }
        Question {
            shape,
            zone,
            from,
            n: 8,
            within,
        }
    }
}

/// Where most jobs live, and where clocks do odd things.
const OFTEN: [&str; 14] = [
    "America/New_York",
    "Europe/Berlin",
    "Europe/London",
    "Asia/Tokyo",
    "UTC",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Asia/Beirut",
    "Pacific/Apia",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "Europe/Dublin",
    "America/Sao_Paulo",
    "Pacific/Chatham",
];

/// The instants at which the wall clock is set, forward or back.
fn changes(zone: &TimeZone) -> Vec<i64> {
    let first = Timestamp::from_second(FIRST).unwrap();
    let mut before = zone.to_offset(first).seconds();
    let mut changes = Vec::new();
    for change in zone.following(first) {
        let at = change.timestamp().as_second();
        if at > LAST {
            break;
        }
        let offset = change.offset().seconds();
        if offset != before {
            changes.push(at);
        }
        before = offset;
    }
    changes
}

fn shape(dice: &mut Dice, from: i64) -> Shape {
    match dice.number(0, 19) {
        0 => Shape::Every(*dice.pick(&[60, 90, 300, 900, 3_600, 5_400, 7_200, 43_200])),
        1..=2 => {
            let many = dice.number(1, 3);
            Shape::Hourly((0..many).map(|_| dice.number(0, 59)).collect())
        }
        3..=5 => Shape::Daily(times(dice)),
        6..=7 => {
            let many = dice.number(1, 3);
            let mut days: Vec<u8> = (0..many).map(|_| dice.number(0, 6)).collect();
            days.sort_unstable();
            days.dedup();
            Shape::Weekly(days, times(dice))
        }
        9 => {
            let many = dice.number(1, 2);
            let days = (0..many).map(|_| month_day(dice)).collect();
            Shape::Monthly(days, times(dice))
        }
        10 => {
            let many = dice.number(1, 3);
            let dates = (0..many).map(|_| (dice.number(1, 12), dice.number(1, 28)));
            Shape::Yearly(dates.collect(), times(dice))
        }
        8 => {
            let many = dice.number(1, 4);
            let near = |_| from + dice.between(-86_400, 864_000);
            Shape::At((0..many).map(near).collect())
        }
        _ => Shape::Cron(line(dice)),
    }
}

fn month_day(dice: &mut Dice) -> MonthDay {
    match dice.number(0, 5) {
        0 => MonthDay::Last,
        1..=2 => MonthDay::Nth(dice.number(0, 6), dice.number(1, 5)),
        3 => MonthDay::LastOf(dice.number(0, 6)),
        _ => MonthDay::Date(dice.number(1, 31)),
    }
}

fn times(dice: &mut Dice) -> Vec<Time> {
    let many = dice.number(1, 3);
    let mut times: Vec<Time> = Vec::new();
    for _ in 0..many {
        let second = if dice.percent(20) {
            dice.number(0, 59)
        } else {
            0
        };
        times.push((night(dice), dice.number(0, 59), second));
    }
    times.sort_unstable();
    times.dedup();
    times
}

/// An hour; mostly one at which clocks are changed.
fn night(dice: &mut Dice) -> u8 {
    match dice.number(0, 9) {
        0..=5 => dice.number(0, 3),
        6 => 23,
        _ => dice.number(0, 23),
    }
}

fn field(dice: &mut Dice, low: u8, high: u8, star: i64) -> Field {
    if dice.percent(star) {
        return Field::star();
    }
    let pieces = match dice.number(0, 9) {
        0..=3 => vec![Piece::One(dice.number(low, high))],
        4..=5 => {
            let many = dice.number(2, 4);
            (0..many)
                .map(|_| Piece::One(dice.number(low, high)))
                .collect()
        }
        6 => vec![span(dice, low, high)],
        7 => {
            let (Piece::Span(first, last), step) = (span(dice, low, high), dice.number(2, 9))
            else {
                unreachable!()
            };
            vec![Piece::Stepped(first, last, step)]
        }
        8 => vec![Piece::Every(dice.number(2, (high / 2).max(2)))],
        _ => vec![Piece::One(dice.number(low, high)), span(dice, low, high)],
    };
    Field(pieces)
}

fn span(dice: &mut Dice, low: u8, high: u8) -> Piece {
    let (a, b) = (dice.number(low, high), dice.number(low, high));
    Piece::Span(a.min(b), a.max(b))
}

fn line(dice: &mut Dice) -> Line {
    let minute = if dice.percent(25) {
        Field(vec![Piece::Every(*dice.pick(&[5, 7, 10, 15, 20, 30]))])
    } else {
        field(dice, 0, 59, 5)
    };
    let hour = if dice.percent(50) {
        Field(vec![Piece::One(night(dice))])
    } else {
        field(dice, 0, 23, 40)
    };
    let day = match dice.number(0, 29) {
        0 => Day::Last,
        1 => Day::LastWeekday,
        2 => Day::Nearest(dice.number(1, 28)),
        // The end is where months differ.
        3..=8 => Day::Field(field(dice, 1, 31, 60)),
        _ => Day::Field(field(dice, 1, 28, 60)),
    };
    let week = match dice.number(0, 29) {
        0 => Week::Nth(dice.number(0, 6), dice.number(1, 5)),
        1 => Week::Last(dice.number(0, 6)),
        _ => Week::Field(field(dice, 0, 6, 60)),
    };
    Line {
        second: dice.percent(10).then(|| field(dice, 0, 59, 10)),
        minute,
        hour,
        day,
        month: field(dice, 1, 12, 80),
        week,
    }
}
