//! `.ics` files: the days on which there is an event, as a calendar.
//!
//! What a line says is read by the `icalendar` crate; which lines matter, and
//! what dates follow, is decided here. Everything that would change the dates
//! and is not understood is an error: a job that fires on a holiday because a
//! rule was passed over in silence is the very thing calendars are to prevent.

mod event;
mod lines;
mod rule;
mod value;

use std::collections::{HashMap, HashSet};

use jiff::ToSpan;
use jiff::civil::Date;

use super::problem::{Page, Problem, Problems};
use super::tree::Span;
use super::{InputFile, bytes, limits};
use crate::finding::{Code, Finding, Severity};
use crate::schedule::{Calendar, Zones};

use event::{Event, Property};
use lines::Line;
use rule::Budget;

/// Reads an `.ics` file: its dates, unless something is wrong with it, and all findings.
pub(super) fn check(input: &InputFile, zones: &Zones) -> (Option<Calendar>, Vec<Finding>) {
    let text = match bytes::text_of(input) {
        Ok(text) => text,
        Err(finding) => return (None, vec![*finding]),
    };
    let mut reader = Reader {
        zones,
        problems: Problems::default(),
        open: Vec::new(),
        began: false,
        events: Vec::new(),
        other: HashSet::new(),
        event: None,
    };
    reader.read(text);
    let ranges = reader.ranges();
    let page = Page::of(input, text);
    let problems = reader.problems.into_list();
    let mut findings: Vec<_> = problems.into_iter().map(|one| page.finding(one)).collect();
    findings.sort_by_key(|finding| finding.at.place.line);
    let good = findings.iter().all(|f| f.severity != Severity::Error);
    (good.then(|| Calendar::dates(ranges)), findings)
}

struct Reader<'z> {
    zones: &'z Zones,
    problems: Problems,
    /// Components that have begun, the outermost first.
    open: Vec<(String, u32)>,
    /// Whether there is any calendar at all.
    began: bool,
    events: Vec<Event>,
    /// Components that are not read, each told of once.
    other: HashSet<String>,
    event: Option<Event>,
}

/// What changes the dates of an event and is not read.
const NOT_READ: [&str; 1] = ["EXRULE"];

/// The deepest nesting of components; the standard needs three.
const DEPTH: usize = 8;

impl Reader<'_> {
    fn read(&mut self, text: &str) {
        for line in lines::lines(text) {
            let Some(name) = lines::name(&line.text) else {
                let help = "every line is `NAME:value`; a longer one goes on in the next line, after a space";
                self.report(&line, "this is no line of an iCalendar file", help);
                // In a file that is something else, nobody wants to hear it of each line.
                return;
            };
            let done = match name.as_str() {
                "BEGIN" => self.begin(&line),
                "END" => self.end(&line),
                _ if self.open.is_empty() => {
                    self.report(
                        &line,
                        "a line outside of BEGIN:VCALENDAR and END:VCALENDAR",
                        "",
                    );
                    false
                }
                _ => {
                    self.property(&name, &line);
                    true
                }
            };
            if !done {
                return;
            }
        }
        if let Some((name, number)) = self.open.last() {
            let message = format!("BEGIN:{name} has no END:{name}: is the file cut off?");
            self.note(Code::BadCalendar, *number, &message, "");
        } else if !self.began {
            let message = "the file holds no BEGIN:VCALENDAR";
            self.note(
                Code::BadCalendar,
                0,
                message,
                "export it as iCalendar (.ics)",
            );
        } else if self.events.is_empty() {
            let message = "the calendar file holds no event, so no date";
            self.note(Code::EmptyFile, 0, message, "");
        }
    }

    fn begin(&mut self, line: &Line<'_>) -> bool {
        let name = after_colon(&line.text);
        if self.open.len() >= DEPTH {
            let message = format!("more than {DEPTH} components inside each other");
            self.note(Code::Limit, line.number, &message, "");
            return false;
        }
        if self.open.is_empty() && name != "VCALENDAR" {
            self.report(line, "the file does not begin with BEGIN:VCALENDAR", "");
            return false;
        }
        if self.open.len() == 1 {
            match name.as_str() {
                "VEVENT" if self.events.len() >= limits::EVENTS => {
                    let message = format!("more than {} events", limits::EVENTS);
                    self.note(
                        Code::Limit,
                        line.number,
                        &message,
                        "make several files of it",
                    );
                    return false;
                }
                "VEVENT" => self.event = Some(Event::new(line.number)),
                // Of a zone only the name is needed.
                "VTIMEZONE" => {}
                _ if name.starts_with("X-") => {}
                _ => {
                    if self.other.insert(name.clone()) && self.other.len() < limits::FINDINGS {
                        let message = format!("{name} is not read: only VEVENT names dates");
                        self.note(Code::CalendarPart, line.number, &message, "");
                    }
                }
            }
        }
        self.began = true;
        self.open.push((name, line.number));
        true
    }

    fn end(&mut self, line: &Line<'_>) -> bool {
        let name = after_colon(&line.text);
        match self.open.pop() {
            Some((open, _)) if open == name => {
                if name == "VEVENT" && self.open.len() == 1 {
                    self.events.extend(self.event.take());
                }
                true
            }
            Some((open, number)) => {
                let message = format!("END:{name} ends BEGIN:{open} of line {number}");
                self.report(line, &message, "");
                // Nothing more is to be said of what is open.
                self.open.clear();
                false
            }
            None => {
                self.report(line, &format!("END:{name} without its BEGIN:{name}"), "");
                false
            }
        }
    }

    fn property(&mut self, name: &str, line: &Line<'_>) {
        // Alarms within an event have times of their own.
        if self.open.len() != 2 {
            return;
        }
        let Some(event) = &mut self.event else { return };
        if NOT_READ.contains(&name) {
            let message =
                format!("{name} is not read here, and without it the dates would be others");
            let help = "write the dates themselves, with RDATE and EXDATE";
            return self.note(Code::BadCalendar, line.number, &message, help);
        }
        if !Event::NAMES.contains(&name) {
            return;
        }
        if line.text.len() > limits::ICS_LINE {
            event.spoil();
            let message = format!("{name} is longer than {} KiB", limits::ICS_LINE >> 10);
            return self.note(Code::Limit, line.number, &message, "");
        }
        // The crate wants to see the line end.
        let text = format!("{}\n", line.text);
        let Ok(parsed) = icalendar::parser::Property::try_from(text.as_str()) else {
            event.spoil();
            return self.report(line, &format!("{name} cannot be read"), "");
        };
        let property = Property::new(&parsed, line.number);
        if let Err(message) = event.take(name, property) {
            self.report(line, &message, "");
        }
    }

    /// The days of all events.
    fn ranges(&mut self) -> Vec<(Date, Date)> {
        let events = std::mem::take(&mut self.events);
        let mut replaced: HashMap<&str, Vec<Date>> = HashMap::new();
        for event in &events {
            if let (Some(uid), Some(at)) = (event.uid(), event.replaces()) {
                replaced.entry(uid).or_default().push(at);
            }
        }
        let mut ranges = Vec::new();
        let mut budget = Budget(limits::RECURRENCES);
        for event in &events {
            let without = match (event.uid(), event.replaces()) {
                (Some(uid), None) => replaced.get(uid).map_or(&[][..], |days| days),
                _ => &[],
            };
            let starts = match event.starts(self.zones, &mut budget) {
                Ok(starts) => starts,
                Err(wrong) => {
                    self.note(wrong.code, wrong.line, &wrong.message, &wrong.help);
                    continue;
                }
            };
            let length = event.days();
            let taken: HashSet<Date> = without.iter().copied().collect();
            for start in starts.into_iter().filter(|start| !taken.contains(start)) {
                let last = start.checked_add((length - 1).days()).unwrap_or(rule::LAST);
                ranges.push((start, last));
            }
        }
        ranges
    }

    fn report(&mut self, line: &Line<'_>, message: &str, help: &str) {
        self.note(Code::BadCalendar, line.number, message, help);
    }

    fn note(&mut self, code: Code, line: u32, message: &str, help: &str) {
        let span = Span {
            line,
            column: u32::from(line > 0),
            length: u32::from(line > 0),
        };
        self.problems.add(Problem::new(code, span, message, help));
    }
}

/// The value of BEGIN and END, in capitals.
fn after_colon(line: &str) -> String {
    let value = line.split_once(':').map_or("", |(_, value)| value);
    value.trim().to_ascii_uppercase()
}

#[cfg(test)]
mod tests;
