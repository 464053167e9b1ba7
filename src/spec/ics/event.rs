//! One event: when it begins, how many days it takes, how it comes again.

use jiff::civil::{Date, DateTime, Time};

use super::rule::{Budget, LAST, Rule, Until};
use super::value::{self, Kind};
use crate::finding::Code;
use crate::schedule::Zones;

/// A property whose value may say when.
pub(super) struct Property {
    line: u32,
    value: String,
    timezone: Option<String>,
    /// The parameter VALUE, in capitals.
    kind: Option<String>,
    /// The parameter RANGE.
    has_range: bool,
}

impl Property {
    pub(super) fn new(parsed: &icalendar::parser::Property<'_>, line: u32) -> Self {
        let find = |wanted: &str| {
            let mut params = parsed.params.iter();
            let found = params.find(|one| one.key.as_ref().eq_ignore_ascii_case(wanted))?;
            Some(
                found
                    .val
                    .as_ref()
                    .map_or("", |value| value.as_ref())
                    .to_owned(),
            )
        };
        Self {
            line,
            value: parsed.val.as_ref().trim().to_owned(),
            timezone: find("TZID"),
            kind: find("VALUE").map(|kind| kind.to_ascii_uppercase()),
            has_range: find("RANGE").is_some(),
        }
    }

    /// The date, or date and time, that it is.
    fn instant(&self, name: &str) -> Result<(DateTime, Kind), String> {
        let bad = || format!("{name} is no date and no time: `{}`", short(&self.value));
        value::parse(&self.value).ok_or_else(bad)
    }

    /// The dates of a list.
    fn dates(&self, name: &str) -> Result<Vec<Date>, String> {
        if self.kind.as_deref() == Some("PERIOD") {
            return Err(format!("{name} has periods, which are not read here"));
        }
        let parts = self.value.split(',');
        let bad = |part| format!("{name} has `{}`, which is no date and no time", short(part));
        parts
            .map(|part| {
                let (at, _) = value::parse(part).ok_or_else(|| bad(part))?;
                Ok(at.date())
            })
            .collect()
    }
}

/// An event.
pub(super) struct Event {
    line: u32,
    uid: Option<String>,
    start: Option<(DateTime, Kind, Option<String>)>,
    /// Whether there is a DTSTART at all.
    has_start: bool,
    end: Option<DateTime>,
    /// In seconds.
    length: Option<i64>,
    rules: Vec<(Rule, u32)>,
    added: Vec<Date>,
    left_out: Vec<Date>,
    replaces: Option<Date>,
    cancelled: bool,
}

/// Why an event has no dates.
pub(super) struct Wrong {
    pub(super) code: Code,
    pub(super) line: u32,
    pub(super) message: String,
    pub(super) help: String,
}

impl Event {
    /// What it reads; all else says nothing about dates.
    pub(super) const NAMES: [&str; 9] = [
        "DTSTART",
        "DTEND",
        "DURATION",
        "RRULE",
        "RDATE",
        "EXDATE",
        "RECURRENCE-ID",
        "UID",
        "STATUS",
    ];

    pub(super) fn new(line: u32) -> Self {
        Self {
            line,
            uid: None,
            start: None,
            has_start: false,
            end: None,
            length: None,
            rules: Vec::new(),
            added: Vec::new(),
            left_out: Vec::new(),
            replaces: None,
            cancelled: false,
        }
    }

    pub(super) fn uid(&self) -> Option<&str> {
        self.uid.as_deref()
    }

    /// The date of the series that this event stands for.
    pub(super) fn replaces(&self) -> Option<Date> {
        self.replaces
    }

    /// Notes that one of its properties cannot be taken, which has been said.
    pub(super) fn spoil(&mut self) {
        self.has_start = true;
    }

    /// Takes one property; the error is a sentence.
    pub(super) fn take(&mut self, name: &str, property: Property) -> Result<(), String> {
        match name {
            "UID" => self.uid = Some(property.value),
            "STATUS" => self.cancelled = property.value.eq_ignore_ascii_case("CANCELLED"),
            "DTSTART" => {
                self.has_start = true;
                let (at, kind) = property.instant(name)?;
                self.start = Some((at, kind, property.timezone));
            }
            "DTEND" => self.end = Some(property.instant(name)?.0),
            "DURATION" => {
                let bad = || format!("DURATION is no length: `{}`", short(&property.value));
                self.length = Some(value::length(&property.value).ok_or_else(bad)?);
            }
            "RRULE" => {
                let rule = Rule::parse(&property.value);
                let rule = rule.map_err(|why| format!("the rule {why}"))?;
                self.rules.push((rule, property.line));
            }
            "RDATE" => self.added.extend(property.dates(name)?),
            "EXDATE" => self.left_out.extend(property.dates(name)?),
            "RECURRENCE-ID" if property.has_range => {
                return Err("RECURRENCE-ID with RANGE is not read here".to_owned());
            }
            "RECURRENCE-ID" => self.replaces = Some(property.instant(name)?.0.date()),
            _ => {}
        }
        Ok(())
    }

    /// How many days it touches. The end of an event is the first moment that is not part of it.
    pub(super) fn days(&self) -> i64 {
        let Some((start, kind, _)) = &self.start else {
            return 1;
        };
        let end = match (self.end, self.length) {
            (Some(end), _) => Some(end),
            (None, Some(seconds)) => start
                .checked_add(jiff::SignedDuration::from_secs(seconds))
                .ok(),
            (None, None) => None,
        };
        let Some(end) = end.filter(|end| end > start) else {
            return 1;
        };
        let whole = i64::from((end.date() - start.date()).get_days());
        // An end at midnight leaves its own day out; a date is its midnight.
        let partly = *kind != Kind::Date && end.time() != Time::midnight();
        (whole + i64::from(partly)).clamp(1, MOST_DAYS)
    }

    /// The days on which it begins.
    pub(super) fn starts(&self, zones: &Zones, budget: &mut Budget) -> Result<Vec<Date>, Wrong> {
        let wrong = |line, message: &str, help: &str| Wrong {
            code: Code::BadCalendar,
            line,
            message: message.to_owned(),
            help: help.to_owned(),
        };
        let Some((start, kind, timezone)) = &self.start else {
            return match self.has_start {
                // That it cannot be read has been said.
                true => Ok(Vec::new()),
                false => Err(wrong(self.line, "the event has no DTSTART", "")),
            };
        };
        if self.cancelled {
            return Ok(Vec::new());
        }
        let first = start.date();
        let mut dates = if self.rules.is_empty() {
            vec![first]
        } else {
            Vec::new()
        };
        for (rule, line) in &self.rules {
            let until = match rule.until {
                Some((at, Until::Utc)) if *kind == Kind::Local => {
                    let zone = timezone.as_deref().and_then(|name| zones.get(name).ok());
                    // A zone by a name of its own: the clock there is not known.
                    let local = zone.and_then(|zone| {
                        let utc = jiff::tz::TimeZone::UTC.to_timestamp(at).ok()?;
                        Some(utc.to_zoned(zone.timezone().clone()).datetime())
                    });
                    Some(local.unwrap_or(at))
                }
                Some((at, Until::Date)) => Some(at.date().to_datetime(Time::MAX)),
                Some((at, _)) => Some(at),
                None => None,
            };
            let is_past =
                |day: Date| until.is_some_and(|until| day.to_datetime(start.time()) > until);
            let found = rule.dates(first, is_past, budget);
            dates.extend(found.map_err(|_| Wrong {
                code: Code::Limit,
                ..wrong(
                    *line,
                    "the rules of this file make too many dates",
                    "give them an UNTIL, or make several files of it",
                )
            })?);
        }
        dates.extend(&self.added);
        dates.retain(|day| !self.left_out.contains(day) && *day <= LAST);
        Ok(dates)
    }
}

/// No event is longer than this, in days.
const MOST_DAYS: i64 = 366 * 100;

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}
