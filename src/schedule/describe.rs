//! A schedule in plain words.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::calendar::Named;
use super::dates::{Combine, Dates, NTH_WEEKDAY};
use super::days::{self, Days};
use super::moved::Shift;
use super::on_dates::OnDates;
use super::times::{Grid, Times};
use super::wall::{Fold, Gap, Wall};
use super::{Item, Modified, Random, Schedule};
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
const LISTED: i64 = 8;

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
            let phase = anchor.duration_since(Timestamp::UNIX_EPOCH);
            match Duration::try_from(phase) {
                Ok(Duration::ZERO) => {}
                // A phase within the period is `spread`.
                Ok(phase) if phase < *period => {
                    text.push_str(&format!(", {} into each", duration::print(phase)));
                }
                _ => text.push_str(&format!(", counted from {anchor}")),
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
        Item::Random(random) => self::random(random),
        Item::Modified(modified) => self::modified(modified),
    }
}

/// The plain words, and then from when until when.
fn modified(modified: &Modified) -> String {
    let mut text = match &modified.base {
        // `from` says what it is counted from.
        Item::Every { period, anchor } if *anchor == modified.from => {
            format!("every {}", duration::print(*period))
        }
        base => item(base),
    };
    let zone = match &modified.base {
        Item::Wall(wall) => wall.zone.timezone().clone(),
        Item::Random(random) => random.zone.timezone().clone(),
        _ => TimeZone::UTC,
    };
    let (first, last) = (modified.from, modified.until);
    if first != Timestamp::MIN {
        let written = day(first, &zone).unwrap_or_else(|| instant(first, &zone));
        text.push_str(&format!(", from {written}"));
    }
    if last != Timestamp::MAX {
        let next = last.checked_add(SignedDuration::from_nanos(1));
        let ends = next.ok().and_then(|next| day(next, &zone)).is_some();
        let date = || last.to_zoned(zone.clone()).date().to_string();
        let written = if ends { date() } else { instant(last, &zone) };
        text.push_str(&format!(", until {written}"));
    }
    if let Some(dates) = &modified.dates {
        text.push_str(&on_dates(dates, &modified.base));
    }
    if modified.jitter > 0 {
        let most = duration::print(Duration::from_millis(modified.jitter));
        text.push_str(&format!(", each up to {most} late"));
    }
    text
}

/// `, except on closed, moved to the next day that is allowed`
fn on_dates(dates: &OnDates, base: &Item) -> String {
    let names = |named: &Named| {
        let calendars = named.calendars().iter();
        let names: Vec<String> = calendars.map(|(name, _)| name.to_string()).collect();
        names.join(" or ")
    };
    let mut text = String::new();
    if let Some(only) = &dates.allowed.only {
        text.push_str(&format!(", only on {}", names(only)));
    }
    if let Some(except) = &dates.allowed.except {
        text.push_str(&format!(", except on {}", names(except)));
    }
    match base {
        Item::Wall(wall) => match wall.moved().map(|moved| moved.shift()) {
            Some(Shift::Next) => text.push_str(", moved to the next day that is allowed"),
            Some(Shift::Previous) => {
                text.push_str(", moved to the last day before that is allowed")
            }
            Some(Shift::Skip) | None => {}
        },
        Item::Random(_) => {}
        // Nothing else says whose dates they are.
        _ => text.push_str(&format!(", dates in {} time", dates.zone)),
    }
    text
}

/// The date that begins at this instant, if one does.
fn day(at: Timestamp, zone: &TimeZone) -> Option<String> {
    let local = at.to_zoned(zone.clone());
    let start = local.start_of_day().ok()?;
    (start == local).then(|| local.date().to_string())
}

fn instant(at: Timestamp, zone: &TimeZone) -> String {
    at.display_with_offset(zone.to_offset(at)).to_string()
}

fn wall(wall: &Wall) -> String {
    let (mut text, when) = match &wall.times {
        Times::Grid(grid) => self::grid(grid),
        Times::List(list) => (format!("at {}", clock_list(list)), Hours::Some),
    };
    let dates = dates(&wall.dates);
    if dates.is_empty() && when == Hours::Some {
        text.push_str(" every day");
    }
    let mut text = format!("{text}{dates}, {} time", wall.zone);
    if wall.phase > 0 {
        let phase = duration::print(Duration::from_secs(wall.phase.into()));
        text.push_str(&format!(", and {phase} later"));
    }
    text.push_str(&changes(wall));
    text
}

/// What was said about changes of the clock, where it is not what holds anyway.
fn changes(wall: &Wall) -> String {
    let usual = wall.kind.rule();
    let mut parts = Vec::new();
    if wall.rule.gap != usual.gap {
        parts.push(match wall.rule.gap {
            Gap::After => "once after a gap that holds such a time",
            Gap::Skip => "a time in a gap does not fire",
        });
    }
    if wall.rule.fold != usual.fold {
        parts.push(match wall.rule.fold {
            Fold::First => "a time that comes twice fires the first time only",
            Fold::Second => "a time that comes twice fires the second time only",
            Fold::Both => "a time that comes twice fires both times",
        });
    }
    if parts.is_empty() {
        return String::new();
    }
    format!(" (when the clock changes: {})", parts.join(", "))
}

fn random(random: &Random) -> String {
    let often = match random.times {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        times => format!("{times} times"),
    };
    let closes = (random.opens + random.length) % 86_400;
    let mut text = format!(
        "{often} a day at random between {} and {}",
        clock(random.opens),
        clock(closes)
    );
    if random.gap > 1 {
        let gap = duration::print(Duration::from_secs(random.gap.into()));
        text.push_str(&format!(", at least {gap} apart"));
    }
    let days = week_words(&Dates::weekly(random.days));
    if !days.is_empty() {
        text.push_str(&format!(", on {days}"));
    }
    format!("{text}, {} time", random.zone)
}

/// Whether the times go round the clock, so that nobody asks on which days.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hours {
    All,
    Some,
}

fn clock_list(seconds: &[u32]) -> String {
    if seconds.len() <= LISTED as usize {
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

fn grid(grid: &Grid) -> (String, Hours) {
    let hours = values(grid.hours.into());
    let minutes = values(grid.minutes);
    let seconds = values(grid.seconds);
    let all = Times::Grid(*grid);
    if all.len() <= LISTED {
        let list: Vec<u32> = all.iter().collect();
        return (format!("at {}", clock_list(&list)), Hours::Some);
    }
    let (within, when) = match step(&hours, 24) {
        Some(1) => (" of every hour".to_owned(), Hours::All),
        Some(k) => (format!(" of every {} hour", ordinal(k)), Hours::All),
        None => (format!(" {}", hour_spans(&hours)), Hours::Some),
    };
    let second = units(&seconds, "second");
    let minute = match minutes.as_slice() {
        [one] => format!("at minute {one:02}"),
        _ => units(&minutes, "minute"),
    };
    let text = match (seconds.as_slice(), minutes.len()) {
        ([0], _) => minute,
        (_, 60) => second,
        _ => format!("{second}, {minute}"),
    };
    if hours.len() == 24 && text.starts_with("every ") {
        return (text, when);
    }
    (text + &within, when)
}

/// `every minute`, `every 5 minutes`, `at minutes 0 and 30`.
fn units(values: &[u32], unit: &str) -> String {
    match step(values, 60) {
        Some(1) => format!("every {unit}"),
        Some(k) if 60u32.is_multiple_of(k) => format!("every {k} {unit}s"),
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

fn dates(dates: &Dates) -> String {
    if let Some(list) = of_year(dates) {
        return list;
    }
    let mut text = String::new();
    let (mut of_month, mut of_week) = (day_words(dates), week_words(dates));
    if dates.combine == Combine::Either && (of_month.is_empty() || of_week.is_empty()) {
        // Where either will do and one is any day, the other says nothing.
        of_month.clear();
        of_week.clear();
    }
    let separator = match dates.combine {
        Combine::Both => " that is also ",
        Combine::Either => " or on ",
    };
    if !of_month.is_empty() {
        text.push_str(&format!(" on {of_month}"));
    }
    if !of_week.is_empty() {
        let before = if of_month.is_empty() {
            " on "
        } else {
            separator
        };
        text.push_str(&format!("{before}{of_week}"));
    }
    if !dates.any_month() {
        text.push_str(&format!(" in {}", months(dates.months)));
    }
    text
}

/// `on 31 March and 24 December each year`, for dates that are few and each of one month.
fn of_year(dates: &Dates) -> Option<String> {
    let mut list = Vec::new();
    for number in 1..=12u8 {
        let days = match dates.of_year() {
            Some(table) => table[usize::from(number) - 1],
            None if dates.months & (1 << number) == 0 => 0,
            None => dates.days,
        };
        list.extend(values(days.into()).into_iter().map(|day| (day, number)));
    }
    let show = |(day, number): &(u32, u8)| format!("{day} {}", month(*number));
    let plain = dates.near == 0
        && dates.nth == 0
        && dates.any_day_of_week()
        && dates.days & 1 == 0
        && !dates.any_month()
        && !dates.any_day_of_month();
    let few = list.len() <= LISTED as usize;
    match (dates.of_year(), few, list.as_slice()) {
        (Some(_), false, [first, .., last]) => Some(format!(
            " on {} dates from {} to {} each year",
            list.len(),
            show(first),
            show(last)
        )),
        (Some(_), _, _) => Some(listed(&list, show)),
        (None, true, _) if plain => Some(listed(&list, show)),
        _ => None,
    }
}

fn listed(list: &[(u32, u8)], show: impl Fn(&(u32, u8)) -> String) -> String {
    let dates = list.iter().map(show).collect();
    format!(" on {} each year", join(dates, "and"))
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
        if day == 1 {
            parts.push("the first weekday of the month".to_owned());
            continue;
        }
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
        if at >= NTH_WEEKDAY {
            let which = ordinal(at - NTH_WEEKDAY + 1);
            parts.push(format!("the {which} weekday of the month"));
            continue;
        }
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

/// The name of a month from 1 to 12.
pub(super) fn month(number: u8) -> &'static str {
    MONTHS[(usize::from(number) + 11) % 12]
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

/// A second of the day as `HH:MM` or `HH:MM:SS`.
pub(super) fn clock(second: u32) -> String {
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
