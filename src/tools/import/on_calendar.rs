//! systemd's calendar events: `Mon..Fri *-*-* 02:30`, `*-*~01`, `quarterly Europe/Berlin`.

use std::collections::BTreeSet;

use super::calendar::{Calendar, DaySet, HOURS, MONTHS, Rule, SIXTY};
use super::quartz::ranges;
use crate::schedule::Zones;

/// What an event names.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    /// Dates and times.
    Calendar(Box<Calendar>),
    /// `@1800000000`.
    At(jiff::Timestamp),
}

/// What is wrong: the word, a sentence, the mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadEvent {
    /// The part of the text that is wrong.
    pub word: String,
    pub message: String,
    pub help: String,
}

fn bad(word: &str, message: impl Into<String>) -> BadEvent {
    BadEvent {
        word: word.to_owned(),
        message: message.into(),
        help: "see systemd.time(7); `systemd-analyze calendar` shows what it means".to_owned(),
    }
}

/// Years that systemd knows.
const LAST_YEAR: i16 = 2_199;

/// Reads an event; `zone` is that of the machine.
pub(super) fn parse(text: &str, zone: &str, zones: &Zones) -> Result<Event, BadEvent> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    if let [only] = words[..]
        && let Some(epoch) = only.strip_prefix('@')
    {
        let second = epoch
            .parse()
            .map_err(|_| bad(only, "this is no second of the epoch"))?;
        let at = jiff::Timestamp::from_second(second);
        return at
            .map(Event::At)
            .map_err(|_| bad(only, "this is no second of the epoch"));
    }
    let mut zone = zone.to_owned();
    if let Some(last) = words.last().copied() {
        if last == "UTC" {
            "UTC".clone_into(&mut zone);
            words.pop();
        } else if last.contains('/') && last.starts_with(char::is_alphabetic)
            || zones.get(last).is_ok()
        {
            let found = zones.get(last).map_err(|unknown| BadEvent {
                word: last.to_owned(),
                message: unknown.to_string(),
                help: unknown.help.clone(),
            })?;
            found.name().clone_into(&mut zone);
            words.pop();
        }
    }
    let mut calendar = Calendar {
        last_year: LAST_YEAR,
        ..Calendar::daily(&zone, Rule::SYSTEMD)
    };
    if let [word] = words[..]
        && named(&word.to_ascii_lowercase(), &mut calendar)
    {
        return Ok(Event::Calendar(Box::new(calendar)));
    }
    let mut words = words.into_iter().peekable();
    if words.peek().is_none() {
        return Err(bad(text, "an empty calendar event"));
    }
    if let Some(word) = words.next_if(|word| word.starts_with(char::is_alphabetic)) {
        calendar.weekdays = DaySet::week(weekdays(word)?);
    }
    if let Some(word) = words.next_if(|word| word.contains(['-', '~'])) {
        date(word, &mut calendar)?;
    }
    if let Some(word) = words.next_if(|word| word.contains(':')) {
        time(word, &mut calendar)?;
    }
    match words.next() {
        None => Ok(Event::Calendar(Box::new(calendar))),
        Some(word) => Err(bad(
            word,
            format!("{word:?} has no place in a calendar event"),
        )),
    }
}

fn named(word: &str, calendar: &mut Calendar) -> bool {
    let first_of = |months: u64, calendar: &mut Calendar| {
        calendar.days = DaySet::days(2);
        calendar.months = months;
    };
    match word {
        "minutely" => {
            calendar.minutes = SIXTY;
            calendar.hours = HOURS;
        }
        "hourly" => calendar.hours = HOURS,
        "daily" => {}
        "weekly" => calendar.weekdays = DaySet::week(2),
        "monthly" => first_of(MONTHS, calendar),
        "yearly" | "annually" | "anually" => first_of(1 << 1, calendar),
        "quarterly" => first_of(1 << 1 | 1 << 4 | 1 << 7 | 1 << 10, calendar),
        "semiannually" | "semi-annually" | "biannually" | "bi-annually" => {
            first_of(1 << 1 | 1 << 7, calendar);
        }
        _ => return false,
    }
    true
}

fn weekdays(word: &str) -> Result<u64, BadEvent> {
    const NAMES: [&str; 7] = [
        "sunday",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
    ];
    // Monday is the first day of a range, Sunday the last.
    let day = |text: &str| -> Result<u32, BadEvent> {
        let lower = text.to_ascii_lowercase();
        let found = NAMES
            .iter()
            .position(|name| lower == *name || lower == name[..3]);
        let found = found.ok_or_else(|| bad(text, format!("{text:?} is no day of the week")))?;
        Ok(u32::try_from((found + 6) % 7).unwrap_or(0))
    };
    let mut bits = 0;
    for item in word.trim_end_matches(',').split(',') {
        let ends = item.split_once("..").or_else(|| item.split_once('-'));
        let (from, until) = match ends {
            Some((from, until)) => (day(from)?, day(until)?),
            None => (day(item)?, day(item)?),
        };
        if from > until {
            return Err(bad(item, "a range of days runs backwards"));
        }
        for day in from..=until {
            bits |= 1 << ((day + 1) % 7);
        }
    }
    Ok(bits)
}

fn date(word: &str, calendar: &mut Calendar) -> Result<(), BadEvent> {
    let (front, day, from_end) = match word.rsplit_once('~') {
        Some((front, day)) => (front, day, true),
        None => {
            let (front, day) = word
                .rsplit_once('-')
                .ok_or_else(|| bad(word, "this is no date"))?;
            (front, day, false)
        }
    };
    let (year, month) = match front.rsplit_once('-') {
        Some((year, month)) => (Some(year), month),
        None => (None, front),
    };
    if let Some(year) = year.filter(|year| *year != "*") {
        calendar.years = years(year)?;
    }
    calendar.months = component(month, 1, 12)?;
    calendar.days = if from_end {
        DaySet {
            from_end: from_the_end(day)?,
            ..DaySet::default()
        }
    } else {
        DaySet::days(component(day, 1, 31)?)
    };
    Ok(())
}

fn time(word: &str, calendar: &mut Calendar) -> Result<(), BadEvent> {
    let parts: Vec<&str> = word.split(':').collect();
    let (hour, minute, second) = match parts[..] {
        [hour, minute] => (hour, minute, "0"),
        [hour, minute, second] => (hour, minute, second),
        _ => return Err(bad(word, "this is no time")),
    };
    calendar.hours = component(hour, 0, 23)?;
    calendar.minutes = component(minute, 0, 59)?;
    let fraction = second.split([',', '/']).any(|part| {
        let digits = part.replace("..", " ");
        digits.split(' ').any(|number| {
            number
                .split_once('.')
                .is_some_and(|(_, f)| f.bytes().any(|b| b != b'0'))
        })
    });
    if fraction {
        return Err(BadEvent {
            word: second.to_owned(),
            message: "a part of a second has no counterpart".to_owned(),
            help: "write whole seconds".to_owned(),
        });
    }
    calendar.seconds = component(second, 0, 59)?;
    Ok(())
}

/// `*`, `1,4..8/2`, `5/15`.
fn component(text: &str, low: u32, high: u32) -> Result<u64, BadEvent> {
    if text == "*" {
        return Ok((low..=high).fold(0, |bits, value| bits | (1 << value)));
    }
    let mut bits = 0u64;
    for item in text.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(number(step, item)?)),
            None => (item, None),
        };
        let (from, until) = match range.split_once("..") {
            Some((from, until)) => (number(from, item)?, number(until, item)?),
            None if step.is_some() => (number(range, item)?, high),
            None => (number(range, item)?, number(range, item)?),
        };
        if from > until || from < low || until > high {
            return Err(bad(item, format!("{item} is not within {low} to {high}")));
        }
        let step = step.unwrap_or(1);
        if step == 0 {
            return Err(bad(item, "a step of 0 goes nowhere"));
        }
        for value in (from..=until).step_by(step as usize) {
            bits |= 1 << value;
        }
    }
    Ok(bits)
}

/// Days counted from the month's end: 1 is the last. A step goes towards the end.
fn from_the_end(text: &str) -> Result<u64, BadEvent> {
    let mut bits = 0u64;
    for item in text.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(number(step, item)?)),
            None => (item, None),
        };
        let (nearest, farthest) = match range.split_once("..") {
            Some((from, until)) => (number(from, item)?, number(until, item)?),
            None if step.is_some() => (1, number(range, item)?),
            None => (number(range, item)?, number(range, item)?),
        };
        let step = step.unwrap_or(1);
        if nearest > farthest || nearest < 1 || farthest > 31 || step == 0 {
            return Err(bad(item, format!("{item} is no day from the month's end")));
        }
        let mut back = farthest;
        while back >= nearest {
            bits |= 1 << back;
            match back.checked_sub(step) {
                Some(next) => back = next,
                None => break,
            }
        }
    }
    Ok(bits)
}

fn years(text: &str) -> Result<Vec<(i16, i16)>, BadEvent> {
    let mut found = BTreeSet::new();
    let year = |text: &str, item: &str| -> Result<i16, BadEvent> {
        let year = number(text, item)?;
        let full = match year {
            0..=69 => year + 2_000,
            70..=99 => year + 1_900,
            _ => year,
        };
        i16::try_from(full)
            .ok()
            .filter(|year| (1970..=LAST_YEAR).contains(year))
            .ok_or_else(|| bad(item, format!("{item} is no year from 1970 to {LAST_YEAR}")))
    };
    for item in text.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(number(step, item)?)),
            None => (item, None),
        };
        let (from, until) = match range.split_once("..") {
            Some((from, until)) => (year(from, item)?, year(until, item)?),
            None if step.is_some() => (year(range, item)?, LAST_YEAR),
            None => (year(range, item)?, year(range, item)?),
        };
        let step = step.unwrap_or(1);
        if from > until || step == 0 {
            return Err(bad(item, format!("{item} names no year")));
        }
        found.extend((from..=until).step_by(step as usize));
    }
    Ok(ranges(found))
}

fn number(text: &str, item: &str) -> Result<u32, BadEvent> {
    // Seconds may carry a fraction that is nothing.
    let text = match text.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|b| b == b'0') => whole,
        _ => text,
    };
    let fine = !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|_| fine);
    number.ok_or_else(|| bad(item, format!("{item:?} is not understood")))
}
