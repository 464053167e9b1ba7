//! `calendars:` of one file: its lines to drafts, to which other files give what they include.

use std::sync::Arc;

use jiff::civil::Date;

use super::Draft;
use super::text::day_of_the_year;
use crate::finding::Code;
use crate::model::NameKind;
use crate::schedule::Calendar;
use crate::spec::commons::{Section, section};
use crate::spec::decode::{Decoder, Scope};
use crate::spec::fields::{CALENDAR, RANGE};
use crate::spec::paths::{self, Home};
use crate::spec::schedule;
use crate::spec::tree::{Entry, Node, Span, Value, shorten};

/// A draft and where its parts stand.
pub(in crate::spec) struct Place {
    pub(in crate::spec) draft: Draft,
    pub(super) span: Span,
    pub(super) ics: Span,
    pub(super) includes: Vec<Span>,
}

/// Reads the mapping of calendars.
pub(in crate::spec) fn read<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    home: &Home,
) -> Section<Place> {
    let keys = "`weekdays:`, `dates:`, `ranges:`, `ics:` or `include:`";
    section(decoder, node, NameKind::Calendar, keys, |decoder, entry| {
        one(decoder, entry, home)
    })
}

fn one<'t>(decoder: &mut Decoder<'t, '_>, entry: &Entry<'t>, home: &Home) -> Option<Place> {
    let before = decoder.errors();
    let mut place = Place {
        draft: Draft {
            name: Arc::from(&*entry.key),
            own: Calendar::default(),
            ics: None,
            includes: Box::default(),
        },
        span: entry.key_span,
        ics: Span::default(),
        includes: Vec::new(),
    };
    let mut parts = Vec::new();
    for (key, entry) in decoder.fields(&CALENDAR, &entry.value, Scope::Job)? {
        let node = &entry.value;
        if node.is_null() {
            continue;
        }
        match key {
            "weekdays" => {
                let days = schedule::days(decoder, key, node).unwrap_or_default();
                parts.extend(days.into_iter().map(|(day, _)| Calendar::weekly(day)));
            }
            "dates" => parts.extend(dates(decoder, node)),
            "ranges" => parts.extend(ranges(decoder, node)),
            "ics" => {
                place.draft.ics = ics(decoder, node, home);
                place.ics = node.span;
            }
            "include" => {
                let names = names(decoder, key, node).unwrap_or_default();
                place.includes = names.iter().map(|(_, span)| *span).collect();
                place.draft.includes = names.into_iter().map(|(name, _)| name).collect();
            }
            _ => {}
        }
    }
    place.draft.own = Calendar::union(&parts);
    (decoder.errors() == before).then_some(place)
}

/// One name or several, as they are written.
pub(in crate::spec) fn names<'t>(
    decoder: &mut Decoder<'t, '_>,
    key: &str,
    node: &Node<'t>,
) -> Option<Vec<(Arc<str>, Span)>> {
    let items = decoder.one_or_more(key, node)?;
    if items.is_empty() {
        let message = format!("`{key}` is an empty list");
        decoder.report(
            Code::WrongType,
            node.span,
            &message,
            "name a calendar, or remove the key",
        );
        return None;
    }
    let mut names = Vec::with_capacity(items.len());
    for item in items {
        if let Some(name) = decoder.text(key, item) {
            names.push((decoder.shared.text(name.trim()), item.span));
        }
    }
    (names.len() == items.len()).then_some(names)
}

/// A date, or a day of every year.
#[derive(Clone, Copy)]
enum Day {
    Once(Date),
    Yearly(u8, u8),
}

fn day<'t>(decoder: &mut Decoder<'t, '_>, key: &str, node: &Node<'t>) -> Option<Day> {
    let text = decoder.text(key, node)?;
    let text = text.trim();
    if let Some((month, day)) = day_of_the_year(text) {
        return Some(Day::Yearly(month, day));
    }
    // Of what can be read as a date, only this form is no guess.
    let date = (text.len() == 10).then(|| text.parse().ok()).flatten();
    if date.is_none() {
        let message = format!("`{}` is no date", shorten(text));
        let help = "write YYYY-MM-DD, or MM-DD for every year";
        decoder.report(Code::BadCalendar, node.span, &message, help);
    }
    date.map(Day::Once)
}

fn dates<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Vec<Calendar> {
    let mut once = Vec::new();
    let mut parts = Vec::new();
    for item in decoder.one_or_more("dates", node).unwrap_or_default() {
        match day(decoder, "dates", item) {
            Some(Day::Once(date)) => once.push((date, date)),
            Some(Day::Yearly(month, day)) => parts.push(Calendar::yearly(month, day)),
            None => {}
        }
    }
    parts.push(Calendar::dates(once));
    parts
}

fn ranges<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Vec<Calendar> {
    let items = match &node.value {
        Value::Map(_) => Some(std::slice::from_ref(node)),
        _ => decoder.list(
            "ranges",
            node,
            "write `[{ from: 2027-12-29, until: 2028-01-03 }]`",
        ),
    };
    let mut once = Vec::new();
    let mut parts = Vec::new();
    for item in items.unwrap_or_default() {
        let (mut from, mut until) = (None, None);
        let before = decoder.errors();
        for (key, entry) in decoder.fields(&RANGE, item, Scope::Job).unwrap_or_default() {
            let end = day(decoder, key, &entry.value);
            match key {
                "from" => from = end,
                _ => until = end,
            }
        }
        match (from, until) {
            (Some(Day::Once(from)), Some(Day::Once(until))) if from <= until => {
                once.push((from, until));
            }
            (Some(Day::Yearly(..)), Some(Day::Yearly(..))) => {
                parts.extend(each_year(from, until));
            }
            (Some(Day::Once(_)), Some(Day::Once(_))) => decoder.report(
                Code::BadCalendar,
                item.span,
                "the range ends before it begins",
                "swap `from` and `until`",
            ),
            (Some(_), Some(_)) => decoder.report(
                Code::BadCalendar,
                item.span,
                "one end of the range is a date, the other a day of every year",
                "write both as YYYY-MM-DD, or both as MM-DD",
            ),
            _ if decoder.errors() == before => decoder.report(
                Code::MissingKey,
                item.span,
                "a range has `from` and `until`",
                "write `{ from: 2027-12-29, until: 2028-01-03 }`; both are in",
            ),
            _ => {}
        }
    }
    parts.push(Calendar::dates(once));
    parts
}

/// The days of every year from one to another, over the turn of the year if need be.
fn each_year(from: Option<Day>, until: Option<Day>) -> Vec<Calendar> {
    let of_leap_year = |day: &Day| match day {
        Day::Yearly(month, day) => {
            let part = |value: u8| i8::try_from(value).unwrap_or(1);
            Date::new(2000, part(*month), part(*day)).ok()
        }
        Day::Once(_) => None,
    };
    let ends = (
        from.as_ref().and_then(of_leap_year),
        until.as_ref().and_then(of_leap_year),
    );
    let (Some(from), Some(until)) = ends else {
        return Vec::new();
    };
    let within = |date: &Date| match from <= until {
        true => from <= *date && *date <= until,
        false => from <= *date || *date <= until,
    };
    let year = Date::constant(2000, 1, 1)
        .series(jiff::ToSpan::days(1))
        .take(366);
    let part = |value: i8| value.unsigned_abs();
    year.filter(within)
        .map(|date| Calendar::yearly(part(date.month()), part(date.day())))
        .collect()
}

/// The path below the PATH of an `.ics` file.
fn ics<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>, home: &Home) -> Option<Arc<str>> {
    let path = paths::read(decoder, "ics", node, home)?;
    let below = path.path.strip_prefix(&home.root).ok();
    let Some(below) = below.and_then(|below| below.to_str()) else {
        decoder.report(
            Code::BadPath,
            node.span,
            "the `.ics` file does not lie in the tree of job files",
            "put it beside this file",
        );
        return None;
    };
    if !super::is_ics(below) {
        let message = format!("`{}` does not end in .ics", shorten(below));
        decoder.report(Code::BadPath, node.span, &message, "");
        return None;
    }
    Some(decoder.shared.text(below))
}
