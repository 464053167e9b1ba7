//! Random crontab lines: imported, checked, and fired as a walk of the clock says.

use std::collections::HashSet;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

use super::super::prove::scan_for_tests;
use super::super::settle::check;
use super::*;

/// Whether a field of numbers, lists, ranges and steps holds a value.
fn holds(field: &str, value: i8, low: i8, high: i8) -> bool {
    field.split(',').any(|item| {
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((first, last)) => (first.parse().unwrap(), last.parse().unwrap()),
            None => (range.parse().unwrap(), range.parse().unwrap()),
        };
        let step: i8 = step.parse().unwrap();
        value >= first && value <= last && (value - first) % step == 0
    })
}

fn matches(line: &str, at: DateTime) -> bool {
    let fields: Vec<&str> = line.split(' ').collect();
    let weekday = at.weekday().to_sunday_zero_offset();
    let day = holds(fields[2], at.day(), 1, 31);
    let week = holds(fields[4], weekday, 0, 7) || weekday == 0 && holds(fields[4], 7, 0, 7);
    let either = !fields[2].starts_with('*') && !fields[4].starts_with('*');
    holds(fields[0], at.minute(), 0, 59)
        && holds(fields[1], at.hour(), 0, 23)
        && holds(fields[3], at.month(), 1, 12)
        && if either { day || week } else { day && week }
}

/// Debian's cron, as its manual says it: minute by minute. Entries whose minute or hour begins
/// with a star go by the clock; others run when the clock has passed over them, and not again
/// for a reading that it has shown before.
fn walk(line: &str, zone: &TimeZone, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let fields: Vec<&str> = line.split(' ').collect();
    let wild = fields[0].starts_with('*') || fields[1].starts_with('*');
    let mut seen: HashSet<DateTime> = HashSet::new();
    let mut fires = Vec::new();
    let mut at = from - 86_400.seconds();
    let mut before: Option<DateTime> = None;
    while at <= until {
        let reading = zone.to_datetime(at);
        let mut fire = matches(line, reading) && (wild || !seen.contains(&reading));
        if let Some(before) = before.filter(|_| !wild) {
            let mut passed = before + 1.minute();
            while passed < reading {
                if seen.insert(passed) {
                    fire |= matches(line, passed);
                }
                passed += 1.minute();
            }
        }
        seen.insert(reading);
        before = Some(reading);
        if fire && at > from {
            fires.push(at);
        }
        at += 1.minute();
    }
    fires
}

fn line() -> impl Strategy<Value = String> {
    let minute = prop_oneof![
        (0..60i8).prop_map(|m| m.to_string()),
        (0..60i8, 0..60i8).prop_map(|(a, b)| format!("{a},{b}")),
        (1..30i8).prop_map(|k| format!("*/{k}")),
        (0..30i8, 30..60i8, 1..20i8).prop_map(|(a, b, k)| format!("{a}-{b}/{k}")),
        Just("*".to_owned()),
    ];
    let hour = prop_oneof![
        (0..4i8).prop_map(|h| h.to_string()),
        (0..24i8, 0..4i8).prop_map(|(a, b)| format!("{a},{b}")),
        (0..3i8, 3..24i8).prop_map(|(a, b)| format!("{a}-{b}")),
        (1..5i8).prop_map(|k| format!("*/{k}")),
        Just("*".to_owned()),
    ];
    let date = prop_oneof![
        4 => Just("* * *".to_owned()),
        1 => (1..32i8, 0..8i8).prop_map(|(d, w)| format!("{d} * {w}")),
        1 => (1..8i8, 0..8i8).prop_map(|(k, w)| format!("*/{k} * {w}")),
        1 => (1..16i8, 1..8i8).prop_map(|(d, k)| format!("{d}-31 * */{k}")),
        1 => Just("1-31 * 1".to_owned()),
        1 => Just("* 3,4,10,11 5-7".to_owned()),
    ];
    (minute, hour, date).prop_map(|(minute, hour, date)| format!("{minute} {hour} {date}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn a_crontab_fires_from_its_job_file_as_it_did_from_cron(
        line in line(), place in 0..5usize,
    ) {
        let (zone, from) = [
            ("UTC", "2027-03-26T00:00:00Z"),
            ("Europe/Berlin", "2027-03-26T12:00:00Z"),
            ("Europe/Berlin", "2027-10-29T12:00:00Z"),
            ("America/New_York", "2027-03-12T12:00:00Z"),
            ("America/New_York", "2027-11-05T12:00:00Z"),
        ][place];
        let zones = Zones::bundled();
        let found = imported(Format::Crontab, "x", &format!("{line} /bin/x\n"), zone);
        let (jobs, findings) = check(&found.text, &zones);
        prop_assert!(findings.is_empty(), "{line}: {findings:?}");
        let (from, until) = (instant(from), instant(from) + 96.hours());
        let walked = walk(&line, zones.get(zone).unwrap().timezone(), from, until);
        let mut fires = Vec::new();
        let mut after = from;
        while let Some(fire) = jobs[0].definition.schedule.next_after(after) {
            if fire.scheduled > until {
                break;
            }
            after = fire.scheduled;
            fires.push(after);
        }
        prop_assert_eq!(&fires, &walked, "{} in {}", &line, zone);
        // The evaluator of the proof says the same without the job file.
        let scanned = scan_for_tests(&found.drafts[0].old, from, walked.len());
        prop_assert_eq!(&scanned, &walked, "{} in {}", &line, zone);
        prop_assert!(found.prove(from, 200, &zones).holds());
    }

    #[test]
    fn whatever_stands_in_a_file_what_comes_out_is_a_job_file(
        text in "([-0-9*/,a-z@#%= ]{0,30}\n){0,5}|.{0,200}|[ -~\n]{0,200}", format in 0..5usize,
    ) {
        let (format, name) = [
            (Format::Crontab, "etc/cron.d/x"),
            (Format::Cronjob, "x.yaml"),
            (Format::Systemd, "x.timer"),
            (Format::Cronstable, "x.yaml"),
            (Format::Apscheduler, "x.json"),
        ][format];
        let found = imported(format, name, &text, "Europe/Berlin");
        let (_, findings) = check(&found.text, &Zones::bundled());
        let mut errors = findings.iter();
        let error = errors.find(|f| f.severity == crate::finding::Severity::Error);
        prop_assert!(error.is_none(), "{text:?}\n{}\n{error:?}", found.text);
    }

    #[test]
    fn whatever_a_command_is_it_comes_through(command in "[!-~][ -~]{0,60}|[a-zé]\\PC{0,40}") {
        prop_assume!(!command.contains('%') && !command.starts_with('#'));
        let found = imported(Format::Crontab, "x", &format!("* * * * * {command}\n"), "UTC");
        let (jobs, findings) = check(&found.text, &Zones::bundled());
        let refused = !found.findings.is_empty();
        prop_assert!(refused || !jobs.is_empty(), "{command:?} {findings:?}");
        if let Some(job) = jobs.first() {
            let crate::model::Action::Process(process) = &job.definition.action else {
                panic!("no process")
            };
            let crate::model::Command::Shell { line, .. } = &process.command else {
                panic!("no shell")
            };
            prop_assert_eq!(&**line, command.trim_end_matches('\r'));
        }
    }
}

#[test]
fn a_large_crontab_with_nothing_right_in_it_is_bearable() {
    let text = "61 * * * * /bin/x\n".repeat(20_000) + &"0 0 30 2 * /bin/y\n".repeat(2_000);
    let found = imported(Format::Crontab, "x", &text, "Europe/Berlin");
    assert_eq!((found.jobs, found.findings.len()), (0, 201));
    let last = found.findings.last().unwrap();
    assert!(last.message.contains("and 21800 more"), "{}", last.message);
}
