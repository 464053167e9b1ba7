//! Calendars in job files: who may name them, what is wrong with them, what jobs make of them.

use jiff::Timestamp;

use super::*;
use crate::finding::Severity;
use crate::model;
use crate::spec::calendars::{dates_of, text_of};
use crate::spec::{parse_schedule, print, read};

const HOLIDAYS: &str = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20270503\nDTEND;VALUE=DATE:20270506\nEND:VEVENT\nEND:VCALENDAR\n";

fn tree(files: &[(&str, &str)]) -> Checked {
    tree_with(files, &options(&[]))
}

/// `code line` of each finding of each file.
fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let tree = tree(files);
    let found = tree.files.iter().map(|file| {
        let findings = file.findings.iter();
        findings
            .map(|f| format!("{} {}", f.code, f.at.place.line))
            .collect()
    });
    found.collect()
}

fn next(job: &Job, after: &str, n: usize) -> Vec<String> {
    let mut at: Timestamp = after.parse().unwrap();
    let mut fires = Vec::new();
    while fires.len() < n {
        let Some(fire) = job.definition.schedule.next_after(at) else {
            break;
        };
        at = fire.scheduled;
        fires.push(at.to_string());
    }
    fires
}

fn dates(calendar: &model::Calendar) -> String {
    text_of(&calendar.dates)
}

#[test]
fn every_way_to_name_dates_is_read() {
    let text = "calendars:
  weekend: { weekdays: weekends }
  jp-closed:
    include: [weekend]
    dates: [01-01, 2027-01-11]
    ranges: [{ from: 2027-12-29, until: 2028-01-03 }]
  winter: { ranges: { from: 12-30, until: 01-02 }, dates: 02-29 }
  golden: { ics: ../holidays.ics, include: winter }
  none: {}
";
    let tree = tree(&[("team/a.yaml", text), ("holidays.ics", HOLIDAYS)]);
    let file = &tree.files[0];
    assert!(file.findings.is_empty(), "{}", shown(&file.findings));
    let texts: Vec<_> = file.commons.calendars.iter().map(dates).collect();
    assert_eq!(
        texts,
        [
            "sun sat",
            "sun sat 01-01 2027-01-11 2027-12-29/2028-01-03",
            "01-01 01-02 02-29 12-30 12-31",
            "01-01 01-02 02-29 12-30 12-31 2027-05-03/2027-05-05",
            "",
        ]
    );
    assert_eq!(file.commons.calendars[1].name.as_str(), "jp-closed");
    assert_eq!(file.commons.calendars[1].origin.line, 3);
    for text in texts {
        assert_eq!(text_of(&dates_of(&text).unwrap()), text);
    }
}

#[test]
fn a_calendar_of_one_file_serves_jobs_of_another() {
    let jobs = "jobs:
  report:
    run: x
    schedule: { daily: \"09:00\", except: closed, shift: next, timezone: Asia/Tokyo }
  late: { run: x, schedule: { weekly: { days: fri, at: \"17:00\" }, except: [closed, weekend], shift: previous } }
  both: { run: x, schedule: { every: 6h, only: closed, except: weekend, timezone: Asia/Tokyo } }
";
    let calendars = "calendars: { closed: { include: weekend, ics: h.ics }, weekend: { weekdays: [sat, sun] } }\n";
    let tree = tree(&[
        ("a.yaml", jobs),
        ("z/c.yaml", calendars),
        ("z/h.ics", HOLIDAYS),
    ]);
    for file in &tree.files {
        assert!(file.findings.is_empty(), "{}", shown(&file.findings));
    }
    let [report, late, both] = tree.files[0].jobs.as_slice() else {
        panic!("three jobs");
    };
    // 3 to 5 May 2027 are Monday to Wednesday.
    assert_eq!(
        next(report, "2027-04-30T12:00:00Z", 2),
        ["2027-05-06T00:00:00Z", "2027-05-07T00:00:00Z"]
    );
    assert_eq!(
        &*report.definition.schedule_text,
        "{daily: \"09:00\", timezone: Asia/Tokyo, except: closed, shift: next}"
    );
    assert_eq!(
        next(late, "2027-05-01T00:00:00Z", 1),
        ["2027-05-07T17:00:00Z"]
    );
    assert_eq!(
        next(both, "2027-05-01T00:00:00Z", 1),
        ["2027-05-02T18:00:00Z"],
        "the third begins in Tokyo"
    );
    let describe = |job: &Job| job.definition.schedule.describe();
    assert_eq!(
        describe(report),
        "at 09:00 every day, Asia/Tokyo time, except on closed, moved to the next day that is allowed"
    );
    assert_eq!(
        describe(both),
        "every 6h, only on closed, except on weekend, dates in Asia/Tokyo time"
    );
}

#[test]
fn what_is_wrong_with_a_calendar_is_said_at_its_place() {
    for (text, want) in [
        ("calendars: [a]", "E004 1"),
        ("calendars: { 'a b': { weekdays: sat } }", "E010 1"),
        ("calendars: { a: }", "E004 1"),
        ("calendars: { a: { weekday: sat } }", "E002 1"),
        ("calendars: { a: { weekdays: funday } }", "E015 1"),
        ("calendars: { a: { dates: [2027-02-30] } }", "E040 1"),
        ("calendars: { a: { dates: 30-01 } }", "E040 1"),
        ("calendars: { a: { dates: 2027-1-1 } }", "E040 1"),
        (
            "calendars: { a: { ranges: [{ from: 2027-02-03, until: 2027-02-01 }] } }",
            "E040 1",
        ),
        (
            "calendars: { a: { ranges: [{ from: 2027-02-03, until: 02-01 }] } }",
            "E040 1",
        ),
        (
            "calendars: { a: { ranges: [{ from: 2027-02-03 }] } }",
            "E005 1",
        ),
        ("calendars: { a: { include: b } }", "E022 1"),
        ("calendars: { a: { include: [] } }", "E004 1"),
        ("calendars: { a: { include: a } }", "E040 1"),
        ("calendars: { a: { ics: a.txt } }", "E018 1"),
        ("calendars: { a: { ics: ../../a.ics } }", "E018 1"),
        ("calendars: { a: { ics: /etc/a.ics } }", "E018 1"),
        ("calendars: { a: { ics: gone.ics } }", "E022 1"),
        ("calendars: { a: { ics: bad.ics } }", "E040 1"),
        (
            "calendars: { a: { weekdays: sat }, A: { weekdays: sun } }",
            "E011 1",
        ),
    ] {
        let found = found(&[("a.yaml", text), ("bad.ics", "<html>")]);
        assert_eq!(found[0], [want], "{text}");
    }
    // Who uses what is wrong elsewhere is sent there, and in the file itself it is said once.
    let bad = "calendars: { a: { dates: x } }\njobs: { j: { run: x, schedule: { daily: \"09:00\", only: a } } }\n";
    let user = "calendars: { b: { include: a } }\njobs: { k: { run: x, schedule: { daily: \"09:00\", only: a } } }\n";
    let both = [("a.yaml", bad), ("b.yaml", user)];
    assert_eq!(found(&both), [vec!["E040 1"], vec!["E022 1", "E022 2"]]);
    let message = &tree(&both).files[1].findings[1].message;
    assert_eq!(
        message,
        "the calendar `a`, which jobs.d/a.yaml defines, has no dates"
    );
    let circle = "calendars:\n  a: { include: b }\n  b: { include: c }\n  c: { include: a }\n";
    assert_eq!(
        found(&[("a.yaml", circle)])[0],
        ["E040 2", "E040 3", "E040 4"]
    );
    let message = &tree(&[("a.yaml", circle)]).files[0].findings[0].message;
    assert_eq!(message, "`b` includes itself: a → b → c → a");
    let defaults = tree(&[("_defaults.yaml", "calendars: { a: { weekdays: sat } }")]);
    assert_eq!(codes(&defaults.files[0]), [Code::UnknownKey]);
}

#[test]
fn includes_have_a_depth_and_a_length() {
    let chain = |length: usize| {
        let lines = (0..length).map(|n| format!("  c{n}: {{ include: c{} }}\n", n + 1));
        format!(
            "calendars:\n{}  c{length}: {{ weekdays: sat }}\n",
            lines.collect::<String>()
        )
    };
    let fine = file(&chain(limits::INCLUDES));
    assert!(!fine.is_bad(), "{}", shown(&fine.findings));
    let deep = file(&chain(900));
    assert!(deep.is_bad());
    let codes = codes(&deep);
    assert!(codes.contains(&Code::Limit), "{codes:?}");
    let dates = |from: usize, n: usize| {
        let first = jiff::civil::date(2000, 1, 1);
        let day = |n: usize| first.checked_add(jiff::ToSpan::days(i64::try_from(n).unwrap()));
        let days = (from..from + n).map(|n| day(2 * n).unwrap().to_string());
        days.collect::<Vec<_>>().join(", ")
    };
    let text = format!(
        "calendars:\n  a: {{ dates: [{}] }}\n  b: {{ dates: [{}] }}\n  both: {{ include: [a, b], dates: [1999-01-01] }}\n",
        dates(0, limits::LIST),
        dates(limits::LIST, limits::LIST)
    );
    let large = file(&text);
    assert_eq!(super::codes(&large), [Code::Limit]);
    assert_eq!(large.findings[0].at.place.line, 4);
}

#[test]
fn what_a_schedule_names_must_be_there_and_leave_something() {
    let calendars = "calendars:\n  weekend: { weekdays: weekends }\n  empty: {}\n  past: { dates: 1999-01-01 }\njobs:\n";
    for (schedule, want, words) in [
        (
            "{ daily: \"09:00\", except: weekends }",
            "E022",
            "did you mean `weekend`?",
        ),
        (
            "{ daily: \"09:00\", only: [weekend, nothing-near] }",
            "E022",
            "define it",
        ),
        ("{ daily: \"09:00\", only: empty }", "E016", ""),
        (
            "{ daily: \"09:00\", only: weekend, except: weekend }",
            "E016",
            "",
        ),
        (
            "{ weekly: { days: mon, at: \"09:00\" }, only: weekend }",
            "E016",
            "",
        ),
        (
            "{ daily: \"09:00\", shift: next }",
            "E024",
            "name a calendar",
        ),
        ("{ every: 5m, except: weekend, shift: next }", "E024", ""),
        (
            "{ hourly: 5, except: weekend, shift: previous }",
            "E024",
            "",
        ),
        (
            "{ cron: \"*/5 * * * *\", except: weekend, shift: next }",
            "E024",
            "",
        ),
        (
            "{ random: { times: 1, between: [\"10:00\", \"12:00\"] }, except: weekend, shift: next }",
            "E024",
            "",
        ),
        (
            "{ daily: \"09:00\", except: weekend, shift: later }",
            "E004",
            "`previous`",
        ),
        ("{ daily: \"09:00\", except: [] }", "E004", ""),
        (
            "{ daily: \"09:00\", except: { weekdays: sat } }",
            "E004",
            "",
        ),
    ] {
        let text = format!("{calendars}  a: {{ run: x, schedule: {schedule} }}\n");
        let file = file(&text);
        let errors: Vec<_> = file
            .findings
            .iter()
            .filter(|f| f.severity == Severity::Error)
            .collect();
        assert_eq!(errors.len(), 1, "{schedule}: {}", shown(&file.findings));
        assert_eq!(errors[0].code.as_str(), want, "{schedule}");
        assert!(
            errors[0].help.contains(words),
            "{schedule}: {}",
            errors[0].help
        );
    }
    let fine = "  a: { run: x, schedule: { random: { times: 1, between: [\"10:00\", \"12:00\"] }, except: weekend, shift: skip } }\n";
    assert!(!file(&format!("{calendars}{fine}")).is_bad());
}

#[test]
fn a_schedule_by_itself_has_no_calendars() {
    let text = "{ daily: \"09:00\", except: closed }";
    let findings = parse_schedule(text, "UTC", zones(), "job").unwrap_err();
    assert_eq!(findings[0].code, Code::DanglingName);
    assert!(findings[0].message.contains("no tree of job files"));
    assert_eq!(findings[0].at.place.column, 27);
}

#[test]
fn what_is_stored_has_its_dates_with_it() {
    let text = "calendars: { weekend: { weekdays: weekends }, closed: { dates: 2027-01-04, include: weekend } }
jobs:
  a: { run: x, schedule: { daily: \"09:00\", only: weekend, except: closed } }
  b: { run: x, schedule: [{ daily: \"09:00\", except: [closed, weekend], shift: next }, { daily: \"10:00\", only: closed }] }
";
    let text = text.replace("only: weekend, except: closed", "except: closed");
    let file = file(&text);
    assert!(!file.is_bad(), "{}", shown(&file.findings));
    let stored = print(&file.jobs, &file.commons);
    let (jobs, commons) = read(&stored, zones()).unwrap();
    assert_eq!(commons, *file.commons);
    for (again, job) in jobs.iter().zip(&file.jobs) {
        assert_eq!(again.definition, job.definition);
    }
    assert_eq!(print(&jobs, &commons), stored);
    // Two jobs of different times may name one calendar and mean other dates.
    let later = super::file(&text.replace("2027-01-04", "2027-01-05"));
    let mixed = [file.jobs[0].clone(), later.jobs[1].clone()];
    let (again, _) = read(&print(&mixed, Commons::NONE), zones()).unwrap();
    assert_eq!(again[0].definition, mixed[0].definition);
    assert_eq!(again[1].definition, mixed[1].definition);
    assert_ne!(
        again[1].definition.schedule,
        file.jobs[1].definition.schedule
    );
    let lost = stored.replace("\"dates\":[0", "\"dates\":[9");
    assert!(
        read(&lost, zones())
            .unwrap_err()
            .contains("a calendar that is not there")
    );
}

#[test]
fn a_file_is_checked_anew_when_a_calendar_that_it_uses_is_another() {
    let jobs = "jobs: { a: { run: x, schedule: { daily: \"09:00\", except: closed } } }\n";
    let other = "jobs: { b: { run: x, schedule: { daily: \"09:00\" } } }\n";
    let closed = |date: &str| format!("calendars: {{ closed: {{ dates: {date} }} }}\n");
    let check_after = |previous: Option<&Checked>, text: &str| {
        let files = [("a.yaml", jobs), ("b.yaml", other), ("c.yaml", text)];
        let inputs: Vec<_> = files
            .iter()
            .map(|(path, text)| input(path, text.as_bytes()))
            .collect();
        check(&inputs, previous, &HashMap::new(), &options(&[]), zones())
    };
    let first = check_after(None, &closed("2027-01-01"));
    let second = check_after(Some(&first), &closed("2027-01-02"));
    assert!(!Arc::ptr_eq(&first.files[0], &second.files[0]));
    assert!(Arc::ptr_eq(&first.files[1], &second.files[1]));
    assert_ne!(
        first.files[0].jobs[0].definition,
        second.files[0].jobs[0].definition
    );
    let third = check_after(
        Some(&second),
        &format!("# a comment\n{}", closed("2027-01-02")),
    );
    assert!(Arc::ptr_eq(&second.files[0], &third.files[0]));
    let gone = check_after(Some(&third), "jobs: {}\n");
    assert_eq!(codes(&gone.files[0]), [Code::DanglingName]);
    let back = check_after(Some(&gone), &closed("2027-01-02"));
    assert!(!back.files[0].is_bad());
}

proptest::proptest! {
    #[test]
    fn no_mapping_of_calendars_panics(text in "[a-z]{0,3}|calendars|(  [a-c]: \\{ (include: \\[?[a-c](, [a-c]\\])?|dates: [-0-9]{0,10}|ics: [./a-z]{0,9}|weekdays: [a-z]{3}) \\}\n){0,6}") {
        let _ = file(&format!("calendars:\n{text}\njobs: {{ j: {{ run: x, schedule: {{ daily: \"09:00\", only: a }} }} }}\n"));
    }
}
