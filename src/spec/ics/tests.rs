//! `.ics` files by hand, against what other calendars make of them, and hostile ones.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::super::tests::zones;
use super::*;

fn read(text: &str) -> (Option<Calendar>, Vec<Finding>) {
    let input = InputFile {
        root: Arc::from("jobs.d"),
        root_folder: Arc::from(Path::new("/srv/jobs.d")),
        path: Arc::from("holidays.ics"),
        shown: Arc::from("jobs.d/holidays.ics"),
        content: Ok(Arc::from(text.as_bytes())),
        hash: Sha256::digest(text).into(),
        within: None,
    };
    check(&input, zones())
}

fn calendar(events: &[&str]) -> String {
    let mut text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\n".to_owned();
    for event in events {
        let lines = event.lines().map(|line| format!("{line}\r\n"));
        text.push_str(&format!(
            "BEGIN:VEVENT\r\n{}END:VEVENT\r\n",
            lines.collect::<String>()
        ));
    }
    text + "END:VCALENDAR\r\n"
}

/// The first days of a calendar, each by itself.
fn days(events: &[&str]) -> Vec<String> {
    let (dates, findings) = read(&calendar(events));
    assert!(findings.is_empty(), "{events:?}: {findings:?}");
    let mut days = Vec::new();
    for (first, last) in dates.unwrap().ranges() {
        let mut day = first;
        while day <= last && days.len() < 12 {
            days.push(day.to_string());
            day = day.tomorrow().unwrap();
        }
    }
    days
}

#[test]
fn an_event_is_the_days_that_it_touches() {
    for (what, event, want) in [
        (
            "all day, without an end",
            "DTSTART;VALUE=DATE:20270101",
            vec!["2027-01-01"],
        ),
        (
            "the end is not part of it",
            "DTSTART;VALUE=DATE:20271229\nDTEND;VALUE=DATE:20280101",
            vec!["2027-12-29", "2027-12-30", "2027-12-31"],
        ),
        (
            "a length",
            "DTSTART;VALUE=DATE:20270101\nDURATION:P2D",
            vec!["2027-01-01", "2027-01-02"],
        ),
        (
            "times count as their local dates",
            "DTSTART;TZID=Asia/Tokyo:20270101T090000\nDTEND;TZID=Asia/Tokyo:20270101T170000",
            vec!["2027-01-01"],
        ),
        (
            "over midnight",
            "DTSTART:20270101T220000\nDTEND:20270102T020000",
            vec!["2027-01-01", "2027-01-02"],
        ),
        (
            "until midnight",
            "DTSTART:20270101T220000\nDTEND:20270102T000000",
            vec!["2027-01-01"],
        ),
        (
            "a length of hours",
            "DTSTART:20270101T220000Z\nDURATION:PT3H",
            vec!["2027-01-01", "2027-01-02"],
        ),
        (
            "an end before the beginning",
            "DTSTART;VALUE=DATE:20270101\nDTEND;VALUE=DATE:20261231",
            vec!["2027-01-01"],
        ),
        (
            "folded",
            "DTSTART;VALUE=\n DATE:2027\n\t0101",
            vec!["2027-01-01"],
        ),
        (
            "in small letters, with quotes",
            "dtstart;value=\"DATE\":20270101",
            vec!["2027-01-01"],
        ),
        (
            "cancelled",
            "DTSTART;VALUE=DATE:20270101\nSTATUS:CANCELLED",
            vec![],
        ),
        (
            "more days",
            "DTSTART;VALUE=DATE:20270101\nRDATE;VALUE=DATE:20270105,20270107",
            vec!["2027-01-01", "2027-01-05", "2027-01-07"],
        ),
        (
            "an alarm has times of its own",
            "DTSTART;VALUE=DATE:20270101\nBEGIN:VALARM\nDTSTART:20270303\nTRIGGER:-PT15M\nEND:VALARM",
            vec!["2027-01-01"],
        ),
    ] {
        assert_eq!(days(&[event]), want, "{what}");
    }
}

#[test]
fn rules_are_followed() {
    // The examples of RFC 5545 and their dates, as far as whole days have them.
    for (start, rule, want) in [
        (
            "19970902",
            "FREQ=DAILY;COUNT=3",
            vec!["1997-09-02", "1997-09-03", "1997-09-04"],
        ),
        (
            "19970902",
            "FREQ=DAILY;INTERVAL=10;COUNT=3",
            vec!["1997-09-02", "1997-09-12", "1997-09-22"],
        ),
        (
            "19970902",
            "FREQ=WEEKLY;UNTIL=19970918;WKST=SU;BYDAY=TU,TH",
            vec![
                "1997-09-02",
                "1997-09-04",
                "1997-09-09",
                "1997-09-11",
                "1997-09-16",
                "1997-09-18",
            ],
        ),
        (
            "19970902",
            "FREQ=WEEKLY;INTERVAL=2;COUNT=4;WKST=SU;BYDAY=TU,TH",
            vec!["1997-09-02", "1997-09-04", "1997-09-16", "1997-09-18"],
        ),
        (
            "19970805",
            "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
            vec!["1997-08-05", "1997-08-10", "1997-08-19", "1997-08-24"],
        ),
        (
            "19970805",
            "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
            vec!["1997-08-05", "1997-08-17", "1997-08-19", "1997-08-31"],
        ),
        (
            "19970905",
            "FREQ=MONTHLY;COUNT=3;BYDAY=1FR",
            vec!["1997-09-05", "1997-10-03", "1997-11-07"],
        ),
        (
            "19970922",
            "FREQ=MONTHLY;COUNT=3;BYDAY=-2MO",
            vec!["1997-09-22", "1997-10-20", "1997-11-17"],
        ),
        (
            "19970928",
            "FREQ=MONTHLY;COUNT=3;BYMONTHDAY=-3",
            vec!["1997-09-28", "1997-10-29", "1997-11-28"],
        ),
        (
            "19970929",
            "FREQ=MONTHLY;COUNT=4;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
            vec!["1997-09-29", "1997-10-30", "1997-11-27", "1997-12-30"],
        ),
        (
            "19980213",
            "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=3",
            vec!["1998-02-13", "1998-03-13", "1998-11-13"],
        ),
        (
            "19970610",
            "FREQ=YEARLY;COUNT=4;BYMONTH=6,7",
            vec!["1997-06-10", "1997-07-10", "1998-06-10", "1998-07-10"],
        ),
        (
            "19970519",
            "FREQ=YEARLY;BYDAY=20MO;COUNT=3",
            vec!["1997-05-19", "1998-05-18", "1999-05-17"],
        ),
        (
            "19961105",
            "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8;COUNT=3",
            vec!["1996-11-05", "2000-11-07", "2004-11-02"],
        ),
        (
            "20240229",
            "FREQ=YEARLY;COUNT=3",
            vec!["2024-02-29", "2028-02-29", "2032-02-29"],
        ),
        (
            "20270131",
            "FREQ=MONTHLY;COUNT=3",
            vec!["2027-01-31", "2027-03-31", "2027-05-31"],
        ),
        // Not in step with its rule: the beginning counts all the same.
        (
            "20270101",
            "FREQ=WEEKLY;BYDAY=MO;COUNT=3",
            vec!["2027-01-01", "2027-01-04", "2027-01-11"],
        ),
    ] {
        let event = format!("DTSTART;VALUE=DATE:{start}\nRRULE:{rule}");
        assert_eq!(days(&[&event]), want, "{rule}");
    }
    let without = "DTSTART;VALUE=DATE:20270101\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE;VALUE=DATE:20270102,20270103";
    assert_eq!(days(&[without]), ["2027-01-01", "2027-01-04"]);
    let long = "DTSTART;VALUE=DATE:20270101\nDTEND;VALUE=DATE:20270103\nRRULE:FREQ=WEEKLY;COUNT=2";
    assert_eq!(
        days(&[long]),
        ["2027-01-01", "2027-01-02", "2027-01-08", "2027-01-09"]
    );
    // Until is in UTC: 20:00 on the 4th in New York is the 5th there.
    let until =
        "DTSTART;TZID=America/New_York:20270102T200000\nRRULE:FREQ=DAILY;UNTIL=20270105T010000Z";
    assert_eq!(days(&[until]), ["2027-01-02", "2027-01-03", "2027-01-04"]);
}

#[test]
fn a_rule_without_an_end_goes_to_2099() {
    let (dates, _) = read(&calendar(&[
        "DTSTART;VALUE=DATE:20270101\nRRULE:FREQ=YEARLY",
    ]));
    let dates = dates.unwrap();
    assert_eq!(dates.ranges().count(), 73);
    assert_eq!(dates.last_date().unwrap().to_string(), "2099-01-01");
}

#[test]
fn what_replaces_one_of_a_series_takes_its_place() {
    let series = "UID:a\nDTSTART;VALUE=DATE:20270101\nRRULE:FREQ=DAILY;COUNT=3";
    let moved = "UID:a\nRECURRENCE-ID;VALUE=DATE:20270102\nDTSTART;VALUE=DATE:20270110";
    assert_eq!(
        days(&[series, moved]),
        ["2027-01-01", "2027-01-03", "2027-01-10"]
    );
    let gone =
        "UID:a\nRECURRENCE-ID;VALUE=DATE:20270102\nDTSTART;VALUE=DATE:20270102\nSTATUS:CANCELLED";
    assert_eq!(days(&[gone, series]), ["2027-01-01", "2027-01-03"]);
}

#[test]
fn what_is_not_understood_is_said_at_its_line() {
    let event = |lines: &str| calendar(&[&format!("DTSTART;VALUE=DATE:20270101\n{lines}")]);
    for (text, line, words) in [
        (String::new(), 0, "holds no BEGIN:VCALENDAR"),
        ("<html>\n".to_owned(), 1, "no line of an iCalendar file"),
        (
            "BEGIN:VCARD\nEND:VCARD\n".to_owned(),
            1,
            "does not begin with BEGIN:VCALENDAR",
        ),
        (
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n".to_owned(),
            3,
            "ends BEGIN:VEVENT of line 2",
        ),
        (
            "BEGIN:VCALENDAR\nVERSION:2.0\n".to_owned(),
            1,
            "has no END:VCALENDAR",
        ),
        (
            "BEGIN:VCALENDAR\nEND:VCALENDAR\nX:1\n".to_owned(),
            3,
            "outside of BEGIN:VCALENDAR",
        ),
        (calendar(&["SUMMARY:x"]), 4, "has no DTSTART"),
        (calendar(&["DTSTART:tomorrow"]), 5, "DTSTART is no date"),
        (event("DTEND:20270132"), 6, "DTEND is no date"),
        (event("DURATION:1 day"), 6, "DURATION is no length"),
        (event("RRULE:FREQ=SECONDLY"), 6, "FREQ=SECONDLY"),
        (
            event("RRULE:FREQ=YEARLY;BYWEEKNO=20"),
            6,
            "BYWEEKNO, which is not read here",
        ),
        (event("RRULE:FREQ=YEARLY;BYDAY=XX"), 6, "BYDAY=XX"),
        (event("RRULE:FREQ=DAILY;COUNT=0"), 6, "COUNT=0"),
        (event("RRULE:COUNT=2"), 6, "has no FREQ"),
        (event("EXRULE:FREQ=DAILY"), 6, "EXRULE is not read here"),
        (
            event("RDATE;VALUE=PERIOD:20270101T000000Z/PT1H"),
            6,
            "periods",
        ),
        (event("EXDATE:20270101,never"), 6, "EXDATE has `never`"),
        (
            event("RECURRENCE-ID;RANGE=THISANDFUTURE:20270101"),
            6,
            "RANGE",
        ),
    ] {
        let (dates, findings) = read(&text);
        assert!(dates.is_none(), "{text}");
        let first = findings
            .iter()
            .find(|f| f.severity == Severity::Error)
            .unwrap();
        assert!(first.message.contains(words), "{words}: {first:?}");
        assert_eq!(first.at.place.line, line, "{words}: {first:?}");
    }
}

#[test]
fn what_names_no_dates_is_told_of_and_does_no_harm() {
    let text = "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:X\nBEGIN:STANDARD\nDTSTART:19701025T030000\nEND:STANDARD\nEND:VTIMEZONE\nBEGIN:VTODO\nDTSTART:20270101\nEND:VTODO\nBEGIN:VTODO\nEND:VTODO\nEND:VCALENDAR\n";
    let (dates, findings) = read(text);
    assert!(dates.unwrap().is_empty());
    let codes: Vec<_> = findings.iter().map(|f| (f.code, f.at.place.line)).collect();
    assert_eq!(codes, [(Code::EmptyFile, 0), (Code::CalendarPart, 8)]);
}

fn first_error(text: &str) -> Code {
    let (_, findings) = read(text);
    let mut errors = findings.iter();
    errors.find(|f| f.severity == Severity::Error).unwrap().code
}

#[test]
fn limits_hold() {
    let endless = "DTSTART;VALUE=DATE:00010101\nRRULE:FREQ=DAILY";
    let (dates, findings) = read(&calendar(&[endless, endless, endless]));
    assert!(dates.is_none());
    assert_eq!(findings[0].code, Code::Limit);
    let deep: String = "BEGIN:VCALENDAR\n".repeat(100_000);
    assert_eq!(first_error(&deep), Code::Limit);
    let long = format!("DTSTART;VALUE=DATE:{}", "1".repeat(limits::ICS_LINE));
    assert_eq!(first_error(&calendar(&[&long])), Code::Limit);
    let many = "BEGIN:VEVENT\nDTSTART:20270101\nEND:VEVENT\n".repeat(limits::EVENTS + 1);
    let (dates, findings) = read(&format!("BEGIN:VCALENDAR\n{many}END:VCALENDAR\n"));
    assert!(dates.is_none());
    assert_eq!(findings[0].code, Code::Limit);
}

/// Pieces that are near to what an `.ics` file holds, in any order.
fn hostile() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let piece = prop_oneof![
        Just("BEGIN:VCALENDAR\r\n".to_owned()),
        Just("END:VCALENDAR\n".to_owned()),
        Just("BEGIN:VEVENT\n".to_owned()),
        Just("END:VEVENT\r\n".to_owned()),
        Just("BEGIN:VALARM\n".to_owned()),
        "DTSTART(;VALUE=DATE|;TZID=[A-Z/\"]{0,6})?:[0-9]{8}(T[0-9]{6}Z?)?\n",
        "DT(START|END)[;:=\", a-z0-9é]{0,20}\n",
        "DURATION:[-+]?P[0-9TDWHMS]{0,22}\n",
        "RRULE:FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;(COUNT|INTERVAL|BYMONTH|BYMONTHDAY|BYSETPOS)=-?[0-9]{1,11})?(;BYDAY=[-0-9]{0,4}(MO|SU|X))?(;UNTIL=[0-9]{8})?\n",
        "(RDATE|EXDATE|RECURRENCE-ID|UID|STATUS)[;:,=a-zA-Z0-9]{0,24}\n",
        "[ \\t]?.{0,20}\n",
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_panics_and_what_is_taken_has_a_bound(text in hostile()) {
        for text in [text.clone(), calendar(&[&text]), format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\n{text}")] {
            let (dates, findings) = read(&text);
            let errors = findings.iter().any(|f| f.severity == Severity::Error);
            proptest::prop_assert_eq!(dates.is_none(), errors);
        }
    }
}
