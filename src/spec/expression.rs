//! A schedule by itself, outside of a job file: for `elder next`, and for what was stored.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use super::commons::Table;
use super::decode::Decoder;
use super::problem::{Page, Problem};
use super::shared::Shared;
use super::tree::{self, Entry, Node, Span, Style, Value};
use super::{Options, schedule};
use crate::finding::{Code, Finding};
use crate::schedule::{Schedule, Zone, Zones};

/// A schedule that was read by itself.
#[derive(Clone, Debug)]
pub struct ParsedSchedule {
    /// When it fires.
    pub schedule: Arc<Schedule>,
    /// In the words of the job file, on one line; it can be parsed again.
    pub text: Arc<str>,
    /// The zone that its times are to be shown in: its own, else the one given.
    pub zone: Zone,
    /// Whether its instants follow from the job's name as well.
    pub is_named: bool,
}

/// Reads the schedule of a job of this name in any form of the job file: a cron line, `startup`,
/// `every: 5m`, `{ daily: "02:00" }`, a list of them, as YAML or JSON.
///
/// # Errors
/// Everything that is wrong with it; the place counts within the text.
pub fn parse_schedule(
    text: &str,
    timezone: &str,
    zones: &Zones,
    job: &str,
) -> Result<ParsedSchedule, Vec<Finding>> {
    parse_asked(
        text,
        &Asked {
            timezone,
            zones,
            job,
            commons: None,
        },
    )
}

/// The same with what it is asked about, calendars too.
pub(super) fn parse_asked(text: &str, asked: &Asked<'_>) -> Result<ParsedSchedule, Vec<Finding>> {
    let page = Page::new(Arc::from("schedule"), text);
    if !is_yaml(text) {
        let mut node = Node::text(Cow::Borrowed(text), Style::Plain);
        node.span = Span {
            line: 1,
            column: 1,
            length: u32::try_from(text.chars().count()).unwrap_or(u32::MAX),
        };
        return read(&page, &node, Vec::new(), asked);
    }
    let tree = tree::parse(text);
    let node = tree
        .root
        .unwrap_or_else(|| Node::text(Cow::Borrowed(""), Style::Plain));
    if !tree.complete {
        let findings = tree
            .problems
            .into_iter()
            .map(|problem| page.finding(problem));
        return Err(findings.collect());
    }
    read(&page, &node, tree.problems, asked)
}

/// The same from a JSON value.
///
/// # Errors
/// Everything that is wrong with it.
pub fn schedule_of_json(
    value: &serde_json::Value,
    timezone: &str,
    zones: &Zones,
    job: &str,
) -> Result<ParsedSchedule, Vec<Finding>> {
    let asked = Asked {
        timezone,
        zones,
        job,
        commons: None,
    };
    let page = Page::new(Arc::from("schedule"), "");
    read(&page, &node_of(value), Vec::new(), &asked)
}

/// In which zone, by which rules, whose, and among which calendars.
pub(super) struct Asked<'a> {
    pub timezone: &'a str,
    pub zones: &'a Zones,
    pub job: &'a str,
    pub commons: Option<&'a Table>,
}

/// A cron line such as `*/5 * * * *` is no YAML, and need not be quoted on a command line.
fn is_yaml(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with(['{', '[', '"', '\''])
        || text.contains(": ")
        || text.contains(['\n', '#']) && text.contains(':')
}

fn node_of(value: &serde_json::Value) -> Node<'_> {
    use serde_json::Value as Given;
    let plain = |text: Cow<'static, str>| Node::text(text, Style::Plain);
    match value {
        Given::Null => plain(Cow::Borrowed("null")),
        Given::Bool(true) => plain(Cow::Borrowed("true")),
        Given::Bool(false) => plain(Cow::Borrowed("false")),
        Given::Number(number) => plain(Cow::Owned(number.to_string())),
        Given::String(text) => Node::text(Cow::Borrowed(text), Style::Quoted),
        Given::Array(items) => Node {
            span: Span::default(),
            value: Value::List(Rc::new(items.iter().map(node_of).collect())),
        },
        Given::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| Entry {
                key: Cow::Borrowed(key),
                key_span: Span::default(),
                value: node_of(value),
            });
            Node {
                span: Span::default(),
                value: Value::Map(Rc::new(entries.collect())),
            }
        }
    }
}

fn read<'t>(
    page: &Page<'t>,
    node: &Node<'t>,
    problems: Vec<Problem>,
    asked: &Asked<'_>,
) -> Result<ParsedSchedule, Vec<Finding>> {
    let shared = match asked.commons {
        Some(commons) => Shared::among(asked.zones, commons),
        None => Shared::new(asked.zones),
    };
    let options = Options::default();
    let mut decoder = Decoder::new(page, &options, &shared);
    for problem in problems {
        decoder.note(problem);
    }
    if node.is_empty() || node.is_null() {
        let help = "write a cron line, `every: 5m`, `daily: \"02:00\"`, `startup` or `manual`";
        decoder.report(Code::BadSchedule, node.span, "the schedule is empty", help);
        return Err(decoder.finish());
    }
    let zone = schedule::zone(&mut decoder, asked.timezone, Span::default());
    let read = zone.and_then(|zone| {
        let read = schedule::read(&mut decoder, node, &zone, Cow::Owned(asked.job.to_owned()))?;
        Some((read, zone))
    });
    match read {
        Some((read, zone)) if decoder.errors() == 0 => Ok(ParsedSchedule {
            schedule: read.schedule,
            text: read.text,
            zone: read.own_zone.unwrap_or(zone),
            is_named: read.is_named,
        }),
        _ => Err(decoder.finish()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::zones;
    use super::*;

    #[test]
    fn every_form_is_read_and_its_text_is_read_again() {
        for (text, shown) in [
            ("*/5 * * * *", "*/5 * * * *"),
            ("  30 3 * *   1-5 ", "30 3 * * 1-5"),
            ("0 30 3 * * 1-5", "0 30 3 * * 1-5"),
            ("@daily", "@daily"),
            ("\"*/5 * * * *\"", "*/5 * * * *"),
            ("startup", "startup"),
            ("manual", "manual"),
            ("every: 5m", "every: 5m"),
            ("{ every: 300s }", "every: 5m"),
            ("{\"every\": \"5m\"}", "every: 5m"),
            ("hourly: 15", "hourly: 15"),
            ("hourly: [0, 30]", "hourly: [0, 30]"),
            ("daily: \"02:00\"", "daily: \"02:00\""),
            (
                "{daily: [\"10:00\", \"15:00:30\"]}",
                "daily: [\"10:00\", \"15:00:30\"]",
            ),
            (
                "weekly: { days: [mon, fri], at: \"09:00\" }",
                "weekly: {days: [mon, fri], at: \"09:00\"}",
            ),
            (
                "weekly: { days: weekdays, at: [\"09:00\", \"17:00\"] }",
                "weekly: {days: weekdays, at: [\"09:00\", \"17:00\"]}",
            ),
            (
                "at: 2027-09-20T15:00:00+09:00",
                "at: \"2027-09-20T15:00:00+09:00\"",
            ),
            (
                "monthly: { day: last fri, at: \"09:00\" }",
                "monthly: {day: last fri, at: \"09:00\"}",
            ),
            (
                "monthly: { day: [1, 015], at: \"09:00\" }",
                "monthly: {day: [1, 15], at: \"09:00\"}",
            ),
            (
                "monthly: { day: [second tue, last weekday, first weekday, last, 31], at: [\"09:00\", \"10:30\"] }",
                "monthly: {day: [2nd tue, last weekday, first weekday, last, 31], at: [\"09:00\", \"10:30\"]}",
            ),
            (
                "yearly: { date: 03-31, at: \"23:00\" }",
                "yearly: {date: 03-31, at: \"23:00\"}",
            ),
            (
                "{ dst: { fold: both, gap: skip }, yearly: { date: [02-29, 12-24], at: \"23:00\" }, timezone: UTC }",
                "{yearly: {date: [02-29, 12-24], at: \"23:00\"}, timezone: UTC, dst: {gap: skip, fold: both}}",
            ),
            (
                "[{ cron: \"30 2 * * *\", dst: { fold: second } }, { hourly: 30, dst: { gap: after } }]",
                "[{cron: \"30 2 * * *\", dst: {fold: second}}, {hourly: 30, dst: {gap: after}}]",
            ),
            (
                "{ at: 2027-10-31T02:30:00, timezone: Europe/Berlin, dst: { fold: both } }",
                "{at: \"2027-10-31T02:30:00\", timezone: Europe/Berlin, dst: {fold: both}}",
            ),
            (
                "{cron: \"0 3 * * *\", timezone: Europe/Berlin}",
                "{cron: \"0 3 * * *\", timezone: Europe/Berlin}",
            ),
            (
                "{daily: \"02:00\", from: 2027-04-01, until: 2027-09-30}",
                "{daily: \"02:00\", from: \"2027-04-01\", until: \"2027-09-30\"}",
            ),
            (
                "{every: 5m, from: 2027-04-01T00:00:30Z}",
                "{every: 5m, from: \"2027-04-01T00:00:30Z\"}",
            ),
            (
                "[{every: 1h, from: 2027-04-01, timezone: Asia/Tokyo}, \"@daily\"]",
                "[{every: 1h, timezone: Asia/Tokyo, from: \"2027-04-01\"}, \"@daily\"]",
            ),
            (
                "{every: 5m, spread: true, jitter: 1500ms}",
                "{every: 5m, spread: true, jitter: 1s500ms}",
            ),
            (
                "{jitter: 30s, daily: \"02:00\", spread: 10m}",
                "{daily: \"02:00\", spread: 10m, jitter: 30s}",
            ),
            (
                "random: { times: 3, between: [\"22:00\", \"02:00\"], min_gap: 20m, days: weekdays }",
                "random: {times: 3, between: [\"22:00\", \"02:00\"], min_gap: 20m, days: weekdays}",
            ),
            (
                "{random: {times: 1, between: [\"00:00\", \"00:00\"]}, timezone: UTC, jitter: 5s}",
                "{random: {times: 1, between: [\"00:00\", \"00:00\"]}, timezone: UTC, jitter: 5s}",
            ),
            (
                "[\"0 3 * * *\", {every: 5m}, startup, {daily: \"02:00\", timezone: UTC}]",
                "[\"0 3 * * *\", {every: 5m}, \"startup\", {daily: \"02:00\", timezone: UTC}]",
            ),
        ] {
            let first = parse_schedule(text, "Asia/Tokyo", zones(), "job").unwrap();
            assert_eq!(&*first.text, shown, "{text}");
            let again = parse_schedule(&first.text, "Asia/Tokyo", zones(), "job").unwrap();
            assert_eq!(first.schedule, again.schedule, "{text}");
            assert_eq!(first.text, again.text, "{text}");
        }
    }

    #[test]
    fn a_json_value_means_what_the_same_yaml_means() {
        for text in [
            "\"30 3 * * *\"",
            "{\"every\": \"5m\"}",
            "{\"hourly\": [0, 30]}",
            "[\"@daily\", {\"weekly\": {\"days\": \"mon\", \"at\": \"09:00\"}}]",
        ] {
            let value = serde_json::from_str(text).unwrap();
            let json = schedule_of_json(&value, "UTC", zones(), "job").unwrap();
            let yaml = parse_schedule(text, "UTC", zones(), "job").unwrap();
            assert_eq!(json.schedule, yaml.schedule, "{text}");
            assert_eq!(json.text, yaml.text, "{text}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused_with_its_place() {
        for (text, code, column) in [
            ("", Code::BadSchedule, 1),
            ("61 * * * *", Code::BadCron, 1),
            ("0 0 31 2 *", Code::NeverFires, 5),
            ("every: 10", Code::BadDuration, 8),
            ("{every: 5m", Code::Syntax, 1),
            ("every: 10ms", Code::OutOfRange, 8),
            ("monthly: 1", Code::WrongType, 10),
            ("monthly: { day: 1 }", Code::MissingKey, 10),
            ("monthly: { at: \"09:00\" }", Code::MissingKey, 10),
            ("monthly: { day: 32, at: \"09:00\" }", Code::BadSchedule, 17),
            (
                "monthly: { day: [1, 2nd], at: \"09:00\" }",
                Code::BadSchedule,
                21,
            ),
            ("monthly: { day: [], at: \"09:00\" }", Code::BadSchedule, 10),
            ("monthly: { day: 1, at: \"9:00\" }", Code::BadSchedule, 24),
            ("monthly: { days: 1, at: \"09:00\" }", Code::UnknownKey, 12),
            (
                "yearly: { date: 02-30, at: \"09:00\" }",
                Code::NeverFires,
                17,
            ),
            (
                "yearly: { date: [12-24, 31-12], at: \"09:00\" }",
                Code::BadSchedule,
                25,
            ),
            ("yearly: { date: 12-24 }", Code::MissingKey, 9),
            ("{every: 5m, dst: {gap: skip}}", Code::NoEffect, 13),
            (
                "{random: {times: 1, between: [\"01:00\", \"02:00\"]}, dst: {gap: skip}}",
                Code::NoEffect,
                51,
            ),
            ("{daily: \"02:30\", dst: {}}", Code::MissingKey, 23),
            ("{daily: \"02:30\", dst: skip}", Code::WrongType, 23),
            (
                "{daily: \"02:30\", dst: {gap: before}}",
                Code::WrongType,
                29,
            ),
            ("{daily: \"02:30\", dst: {fold: last}}", Code::WrongType, 30),
            (
                "{daily: \"02:30\", dst: {flod: both}}",
                Code::UnknownKey,
                24,
            ),
            (
                "{at: 2027-10-31T02:30:00Z, dst: {fold: both}}",
                Code::NoEffect,
                28,
            ),
            (
                "{at: 2027-03-28T02:30:00, timezone: Europe/Berlin, dst: {gap: skip}}",
                Code::NeverFires,
                6,
            ),
            (
                "{cron: \"30 2 * 3 sunL\", timezone: Europe/Berlin, dst: {gap: skip}}",
                Code::NeverFires,
                8,
            ),
            (
                "{cron: \"*/5 2 * 3 sunL\", timezone: Europe/Berlin}",
                Code::NeverFires,
                8,
            ),
            ("daly: \"02:00\"", Code::UnknownKey, 1),
            ("weekly: { days: mon }", Code::MissingKey, 9),
            ("[]", Code::BadSchedule, 1),
            ("{every: 5m, from: tomorrow}", Code::BadSchedule, 19),
            (
                "{every: 5m, from: 2027-02-01, until: 2027-01-31}",
                Code::NeverFires,
                38,
            ),
            (
                "{at: 2027-03-01T00:00:00Z, until: 2027-01-31}",
                Code::NeverFires,
                35,
            ),
            ("{every: 5m, timezone: UTC}", Code::NoEffect, 13),
            ("{every: 5m, spread: 6m}", Code::OutOfRange, 21),
            ("{every: 5m, spread: 5}", Code::BadDuration, 21),
            ("{hourly: 5, spread: true}", Code::BadSchedule, 21),
            ("{hourly: 5, spread: 500ms}", Code::OutOfRange, 21),
            ("{every: 5m, jitter: 0s}", Code::OutOfRange, 21),
            ("{every: 5m, jitter: 8d}", Code::OutOfRange, 21),
            (
                "{random: {times: 1, between: [\"09:00\", \"10:00\"]}, spread: 1m}",
                Code::NoEffect,
                59,
            ),
            (
                "random: {times: 3, between: [\"09:00\", \"10:00\"], min_gap: 30m}",
                Code::OutOfRange,
                58,
            ),
            (
                "random: {times: 6, between: [\"09:00:00\", \"09:00:05\"]}",
                Code::OutOfRange,
                17,
            ),
            (
                "random: {times: 101, between: [\"09:00\", \"10:00\"]}",
                Code::OutOfRange,
                17,
            ),
            (
                "random: {times: 1, between: \"09:00\"}",
                Code::WrongType,
                29,
            ),
            (
                "random: {times: 1, between: [\"09:00\"]}",
                Code::BadSchedule,
                29,
            ),
            ("random: {times: 1}", Code::MissingKey, 9),
            (
                "random: {times: 2, between: [\"09:00\", \"10:00\"], min_gap: 1500ms}",
                Code::BadSchedule,
                58,
            ),
            ("statup", Code::BadSchedule, 1),
        ] {
            let findings = parse_schedule(text, "UTC", zones(), "job").unwrap_err();
            assert_eq!(findings[0].code, code, "{text}: {findings:?}");
            if !text.is_empty() && code != Code::Syntax {
                assert_eq!(findings[0].at.place.column, column, "{text}");
            }
        }
        let findings = parse_schedule("@daily", "Mars/Base", zones(), "job").unwrap_err();
        assert_eq!(findings[0].code, Code::UnknownZone);
    }

    #[test]
    fn the_zone_is_the_schedules_own_where_it_has_one() {
        let zone = |text| {
            parse_schedule(text, "UTC", zones(), "job")
                .unwrap()
                .zone
                .name()
                .to_owned()
        };
        assert_eq!(zone("@daily"), "UTC");
        assert_eq!(
            zone("{daily: \"02:00\", timezone: Asia/Tokyo}"),
            "Asia/Tokyo"
        );
    }

    #[test]
    fn what_follows_from_the_name_differs_by_name_and_the_rest_does_not() {
        let read = |text, job| parse_schedule(text, "UTC", zones(), job).unwrap();
        for text in [
            "{every: 5m, spread: true}",
            "{daily: \"02:00\", spread: 10m}",
            "{daily: \"02:00\", jitter: 10m}",
            "random: {times: 3, between: [\"22:00\", \"02:00\"]}",
            "[\"@daily\", {daily: \"02:00\", jitter: 10m}]",
        ] {
            let (a, b) = (read(text, "a"), read(text, "b"));
            assert!(a.is_named && b.is_named, "{text}");
            assert_ne!(a.schedule, b.schedule, "{text}");
            assert_eq!(a.schedule, read(text, "a").schedule, "{text}");
        }
        let bounded = "{daily: \"02:00\", from: \"2027-01-01\"}";
        assert_eq!(read(bounded, "a").schedule, read(bounded, "b").schedule);
        assert!(!read(bounded, "a").is_named);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[ -~\\n]{0,60}|.{0,30}") {
            let _ = parse_schedule(&text, "Europe/Berlin", zones(), "job");
        }
    }
}
