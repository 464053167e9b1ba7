//! A schedule in plain words.

use super::dates::{Combine, Dates};
use super::days::{self, Days};
use super::times::{Grid, Times};
use super::wall::{Kind, Wall};
use super::{Item, Schedule};
use crate::duration;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// More than this many times a day are counted, not listed.
const LISTED: usize = 8;

pub(super) fn schedule(schedule: &Schedule) -> String {
    let mut parts = Vec::new();
    for item in schedule.items() {
        parts.push(self::item(item));
    }
    if parts.is_empty() {
        return "never".to_owned();
    }
    parts.join("; and ")
}

fn item(item: &Item) -> String {
    match item {
        Item::Every { period, anchor } => {
            let mut text = format!("every {}", duration::print(*period));
            if *anchor != jiff::Timestamp::UNIX_EPOCH {
                text.push_str(&format!(", counted from {anchor}"));
            }
            text
        }
        Item::At(instants) => match instants.as_slice() {
            [] => "never".to_owned(),
            [one] => format!("once, at {one}"),
            [first, .., last] => {
                format!("{} times, from {first} to {last}", instants.len())
            }
        },
        Item::Startup => "once at each start of the daemon".to_owned(),
        Item::Manual => "only by hand".to_owned(),
        Item::Wall(wall) => self::wall(wall),
    }
}

fn wall(wall: &Wall) -> String {
    let mut text = times(&wall.times);
    text.push_str(&dates(&wall.dates, &wall.times, wall.kind));
    format!("{text}, {} time", wall.zone)
}

fn times(times: &Times) -> String {
    match times {
        Times::Grid(grid) => self::grid(grid),
        Times::List(list) => format!("at {}", clock_list(list)),
    }
}

fn clock_list(seconds: &[u32]) -> String {
    if seconds.len() <= LISTED {
        return join(seconds.iter().map(|second| clock(*second)).collect(), "and");
    }
    let (first, last) = (seconds.first(), seconds.last());
    format!(
        "{} times between {} and {}",
        seconds.len(),
        clock(first.copied().unwrap_or(0)),
        clock(last.copied().unwrap_or(0))
    )
}

fn grid(grid: &Grid) -> String {
    let hours = values(grid.hours.into());
    let minutes = values(grid.minutes);
    let seconds = values(grid.seconds);
    let all = Times::Grid(*grid);
    if all.len() <= LISTED as i64 {
        return format!("at {}", clock_list(&all.iter().collect::<Vec<_>>()));
    }
    let second = units(&seconds, 60, "second");
    let minute = units(&minutes, 60, "minute");
    let on_the_minute = seconds == [0];
    let within = match hours.len() {
        24 => String::new(),
        _ => format!(" {}", hour_spans(&hours)),
    };
    if on_the_minute && minutes.len() == 1 {
        let past = format!("{:02}", minutes[0]);
        return match step(&hours, 24) {
            Some(1) => format!("at minute {past} of every hour"),
            Some(k) => format!("at minute {past} of every {} hour", ordinal(k)),
            None => format!("at minute {past}{within}"),
        };
    }
    if on_the_minute {
        return format!("{minute}{within}");
    }
    if minutes.len() == 60 {
        return format!("{second}{within}");
    }
    format!("{second}, {minute}{within}")
}

/// `every minute`, `every 5 minutes`, `at minutes 0 and 30`.
fn units(values: &[u32], full: u32, unit: &str) -> String {
    match step(values, full) {
        Some(1) => format!("every {unit}"),
        Some(k) if full.is_multiple_of(k) => format!("every {k} {unit}s"),
        _ => {
            let plural = if values.len() == 1 { "" } else { "s" };
            format!("at {unit}{plural} {}", runs(values, |v| v.to_string()))
        }
    }
}

/// The step when the values are 0, k, 2k … up to the end, at least three of them.
fn step(values: &[u32], full: u32) -> Option<u32> {
    let [0, k, _, ..] = *values else { return None };
    let regular = values.len() == full.div_ceil(k) as usize
        && values.iter().zip(0..).all(|(value, at)| *value == at * k);
    regular.then_some(k)
}

/// `from 09:00 to 17:59`, so that the last minute is not in doubt.
fn hour_spans(hours: &[u32]) -> String {
    let mut spans = Vec::new();
    for (first, last) in consecutive(hours) {
        spans.push(format!("from {first:02}:00 to {last:02}:59"));
    }
    join(spans, "and")
}

fn dates(dates: &Dates, times: &Times, kind: Kind) -> String {
    let mut parts = Vec::new();
    let of_month = day_words(dates);
    let of_week = week_words(dates);
    let separator = match dates.combine {
        Combine::Both => " that is also ",
        Combine::Either => " or on ",
    };
    match (of_month.is_empty(), of_week.is_empty()) {
        (true, true) => {}
        (false, true) => parts.push(format!(" on {of_month}")),
        (true, false) => parts.push(format!(" on {of_week}")),
        (false, false) => parts.push(format!(" on {of_month}{separator}{of_week}")),
    }
    if !dates.any_month() {
        parts.push(format!(" in {}", months(dates.months)));
    }
    let often = kind == Kind::Follows && times.len() >= 24;
    if parts.is_empty() && !often {
        parts.push(" every day".to_owned());
    }
    parts.concat()
}

fn day_words(dates: &Dates) -> String {
    let mut parts = Vec::new();
    let days = values((dates.days & !1).into());
    if dates.any_day_of_month() {
        return String::new();
    }
    if !days.is_empty() {
        let plural = if days.len() == 1 { "day" } else { "days" };
        parts.push(format!(
            "{plural} {} of the month",
            runs(&days, |v| v.to_string())
        ));
    }
    if dates.days & 1 != 0 {
        parts.push("the last day of the month".to_owned());
    }
    for day in values((dates.near & !1).into()) {
        parts.push(format!("the weekday nearest to day {day} of the month"));
    }
    if dates.near & 1 != 0 {
        parts.push("the last weekday of the month".to_owned());
    }
    join(parts, "or")
}

fn week_words(dates: &Dates) -> String {
    if dates.any_day_of_week() {
        return String::new();
    }
    let mut parts = Vec::new();
    let week = Days::from_bits(dates.week);
    if week == Days::WEEKDAYS {
        parts.push("Monday to Friday".to_owned());
    } else if !week.is_empty() {
        parts.push(join(week.names().map(str::to_owned).collect(), "and"));
    }
    for at in values(dates.nth) {
        // 42 bits: 7 days by 6.
        let day = days::long((at % 7) as u8);
        let which = match at / 7 {
            5 => "last".to_owned(),
            k => ordinal(k + 1),
        };
        parts.push(format!("the {which} {day} of the month"));
    }
    join(parts, "or")
}

/// The months whose bits are set: `February`, `June to August`.
pub(super) fn months(bits: u16) -> String {
    let values = values((bits >> 1).into());
    runs(&values, |month| MONTHS[month as usize % 12].to_owned())
}

fn values(bits: u64) -> Vec<u32> {
    (0..64).filter(|at| bits & (1 << at) != 0).collect()
}

/// Runs of neighbours as first and last.
fn consecutive(values: &[u32]) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &value in values {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == value => *last = value,
            _ => runs.push((value, value)),
        }
    }
    runs
}

/// Values in words, three neighbours or more as a span.
fn runs(values: &[u32], show: impl Fn(u32) -> String) -> String {
    let mut parts = Vec::new();
    for (first, last) in consecutive(values) {
        if last - first < 2 {
            parts.extend((first..=last).map(&show));
        } else {
            parts.push(format!("{} to {}", show(first), show(last)));
        }
    }
    join(parts, "and")
}

fn clock(second: u32) -> String {
    let (hour, minute, rest) = (second / 3_600, second / 60 % 60, second % 60);
    if rest == 0 {
        format!("{hour:02}:{minute:02}")
    } else {
        format!("{hour:02}:{minute:02}:{rest:02}")
    }
}

fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (1, n) if n != 11 => "st",
        (2, n) if n != 12 => "nd",
        (3, n) if n != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

fn join(mut parts: Vec<String>, word: &str) -> String {
    let Some(last) = parts.pop() else {
        return String::new();
    };
    if parts.is_empty() {
        return last;
    }
    format!("{} {word} {last}", parts.join(", "))
}
