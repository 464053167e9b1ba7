//! docs/clock-changes.md says what fires when a clock is changed; it is what the binary answers.

use std::fmt::Write as _;
use std::path::Path;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::support::elder;

const INTRODUCTION: &str = "\
# What happens at a clock change

This page is written by a test, from what `elder next` answers. The rule behind it is in [schedules.md](schedules.md#when-the-clock-changes), what other schedulers do in [differences.md](differences.md).

Each table is one change of a clock. The right column has every fire from an hour before the first reading that is touched until an hour after the last one, as the wall clock of the place shows it; `none` says that the schedule does not fire in these hours.
";

/// A change, and readings that it touches.
struct Change {
    title: &'static str,
    zone: &'static str,
    at: &'static str,
    /// A reading that is skipped or comes twice, and others beside it, as `HH:MM`.
    inside: &'static str,
    others: [&'static str; 2],
    /// The first reading that is not touched.
    end: &'static str,
    /// The date that the reading is on.
    date: &'static str,
    day: &'static str,
}

const CHANGES: [Change; 10] = [
    Change {
        title: "An hour is skipped: New York, 14 March 2027, 02:00 becomes 03:00",
        zone: "America/New_York",
        at: "2027-03-14T07:00:00Z",
        inside: "02:30",
        others: ["02:00", "02:45"],
        end: "03:00",
        date: "2027-03-14",
        day: "sun",
    },
    Change {
        title: "An hour comes twice: New York, 7 November 2027, 02:00 becomes 01:00",
        zone: "America/New_York",
        at: "2027-11-07T06:00:00Z",
        inside: "01:30",
        others: ["01:00", "01:45"],
        end: "02:00",
        date: "2027-11-07",
        day: "sun",
    },
    Change {
        title: "Half an hour is skipped: Lord Howe Island, 3 October 2027, 02:00 becomes 02:30",
        zone: "Australia/Lord_Howe",
        at: "2027-10-02T15:30:00Z",
        inside: "02:15",
        others: ["02:00", "02:20"],
        end: "02:30",
        date: "2027-10-03",
        day: "sun",
    },
    Change {
        title: "Half an hour comes twice: Lord Howe Island, 4 April 2027, 02:00 becomes 01:30",
        zone: "Australia/Lord_Howe",
        at: "2027-04-03T15:00:00Z",
        inside: "01:45",
        others: ["01:30", "01:50"],
        end: "02:00",
        date: "2027-04-04",
        day: "sun",
    },
    Change {
        title: "Midnight is skipped: Beirut, 28 March 2027, 00:00 becomes 01:00",
        zone: "Asia/Beirut",
        at: "2027-03-27T22:00:00Z",
        inside: "00:00",
        others: ["00:30", "00:45"],
        end: "01:00",
        date: "2027-03-28",
        day: "sun",
    },
    Change {
        title: "Midnight is skipped: Santiago, 5 September 2027, 00:00 becomes 01:00",
        zone: "America/Santiago",
        at: "2027-09-05T04:00:00Z",
        inside: "00:00",
        others: ["00:30", "00:45"],
        end: "01:00",
        date: "2027-09-05",
        day: "sun",
    },
    Change {
        title: "The hour before midnight comes twice: Santiago, 3 April 2027, 24:00 becomes 23:00",
        zone: "America/Santiago",
        at: "2027-04-04T03:00:00Z",
        inside: "23:30",
        others: ["23:00", "23:45"],
        end: "00:00",
        date: "2027-04-03",
        day: "sat",
    },
    Change {
        title: "Two hours are skipped: Troll station, 28 March 2027, 01:00 becomes 03:00",
        zone: "Antarctica/Troll",
        at: "2027-03-28T01:00:00Z",
        inside: "02:30",
        others: ["01:00", "01:30"],
        end: "03:00",
        date: "2027-03-28",
        day: "sun",
    },
    Change {
        title: "Two hours come twice: Troll station, 31 October 2027, 03:00 becomes 01:00",
        zone: "Antarctica/Troll",
        at: "2027-10-31T01:00:00Z",
        inside: "02:30",
        others: ["01:00", "01:30"],
        end: "03:00",
        date: "2027-10-31",
        day: "sun",
    },
    Change {
        title: "A day is skipped: Apia, the end of 29 December 2011 is the beginning of the 31st",
        zone: "Pacific/Apia",
        at: "2011-12-30T10:00:00Z",
        inside: "12:00",
        others: ["00:00", "18:30"],
        end: "00:00",
        date: "2011-12-30",
        day: "fri",
    },
];

/// The forms, as people write them and as `elder next --stdin` takes them.
fn forms(change: &Change) -> Vec<(String, Value)> {
    let Change {
        inside,
        others: [first, second],
        end,
        date,
        day,
        ..
    } = change;
    let (hour, minute) = inside.split_once(':').unwrap();
    let (hour, minute): (u8, u8) = (hour.parse().unwrap(), minute.parse().unwrap());
    let mut minutes = [5, minute, 40];
    minutes.sort_unstable();
    let [one, two, three] = minutes;
    let month_and_day = &date[5..];
    let day_of_month: u8 = date[8..].parse().unwrap();
    let dst = |gap: &str, fold: &str| {
        (
            format!("{{ daily: \"{inside}\", dst: {{ gap: {gap}, fold: {fold} }} }}"),
            json!({ "daily": inside, "dst": { "gap": gap, "fold": fold } }),
        )
    };
    let line = |text: String| (format!("\"{text}\""), json!(text));
    vec![
        (
            format!("{{ daily: \"{inside}\" }}"),
            json!({ "daily": inside }),
        ),
        (
            format!("{{ daily: [\"{inside}\", \"{first}\", \"{second}\"] }}"),
            json!({ "daily": [inside, first, second] }),
        ),
        (
            format!("{{ daily: [\"{inside}\", \"{end}\"] }}"),
            json!({ "daily": [inside, end] }),
        ),
        (
            format!("{{ weekly: {{ days: {day}, at: \"{inside}\" }} }}"),
            json!({ "weekly": { "days": day, "at": inside } }),
        ),
        (
            format!("{{ monthly: {{ day: {day_of_month}, at: \"{inside}\" }} }}"),
            json!({ "monthly": { "day": day_of_month, "at": inside } }),
        ),
        (
            format!("{{ yearly: {{ date: {month_and_day}, at: \"{inside}\" }} }}"),
            json!({ "yearly": { "date": month_and_day, "at": inside } }),
        ),
        (
            format!("{{ at: {date}T{inside}:00 }}"),
            json!({ "at": format!("{date}T{inside}:00") }),
        ),
        line(format!("{minute} {hour} * * *")),
        line(format!("{minute} {hour} * * {day}")),
        line(format!("{one},{two},{three} {hour} * * *")),
        line(format!("*/20 {hour} * * *")),
        line(format!("{minute} * * * *")),
        line("*/30 * * * *".to_owned()),
        (
            format!("{{ hourly: {minute} }}"),
            json!({ "hourly": minute }),
        ),
        dst("skip", "first"),
        dst("after", "second"),
        dst("after", "both"),
        (
            "{ cron: \"*/30 * * * *\", dst: { gap: after, fold: first } }".to_owned(),
            json!({ "cron": "*/30 * * * *", "dst": { "gap": "after", "fold": "first" } }),
        ),
        (
            format!("{{ hourly: {minute}, dst: {{ gap: after, fold: second }} }}"),
            json!({ "hourly": minute, "dst": { "gap": "after", "fold": "second" } }),
        ),
        ("{ every: 30m }".to_owned(), json!({ "every": "30m" })),
    ]
}

/// The hours that a table shows: before and after the readings that are touched.
fn span(change: &Change, zone: &TimeZone) -> (Timestamp, Timestamp) {
    let at: Timestamp = change.at.parse().unwrap();
    let before = zone.to_offset(at - SignedDuration::from_nanos(1)).seconds();
    let by = i64::from(zone.to_offset(at).seconds() - before);
    let twice = SignedDuration::from_secs((-by).max(0));
    let hour = SignedDuration::from_hours(1);
    (at - twice - hour, at + twice + hour)
}

fn page() -> String {
    let database = TimeZoneDatabase::bundled();
    let mut page = INTRODUCTION.to_owned();
    let mut queries = String::new();
    for change in &CHANGES {
        let (from, _) = span(change, &database.get(change.zone).unwrap());
        // The start itself is not after the start.
        let from = from - SignedDuration::from_secs(1);
        for (_, schedule) in forms(change) {
            let query = json!({ "schedule": schedule, "timezone": change.zone, "from": from.to_string(), "n": 40 });
            writeln!(queries, "{query}").unwrap();
        }
    }
    let finished = elder("next --stdin --tzdata bundled").input(&queries).run();
    let mut answers = finished.stdout.lines();
    for change in &CHANGES {
        let zone = database.get(change.zone).unwrap();
        let (from, until) = span(change, &zone);
        writeln!(page, "\n## {}\n", change.title).unwrap();
        writeln!(page, "`{}`, at {}.\n", change.zone, change.at).unwrap();
        writeln!(page, "| schedule | fires |\n| --- | --- |").unwrap();
        for (written, _) in forms(change) {
            let answer: Value = serde_json::from_str(answers.next().unwrap()).unwrap();
            let next = answer["next"].as_array();
            let next = next.unwrap_or_else(|| panic!("{written} in {}: {answer}", change.zone));
            let fires = next
                .iter()
                .map(|at| at.as_str().unwrap().parse::<Timestamp>().unwrap());
            let fires: Vec<_> = fires.filter(|at| (from..until).contains(at)).collect();
            let mut day = None;
            let shown = fires.iter().map(|at| {
                let there = at.to_zoned(zone.clone());
                // The date where it is another than at the fire before.
                let date = (day.replace(there.date()) != Some(there.date())).then_some("%-d %b ");
                there
                    .strftime(&format!("{}%H:%M %Z", date.unwrap_or_default()))
                    .to_string()
            });
            let shown = match fires.len() {
                0 => "none".to_owned(),
                _ => shown.collect::<Vec<_>>().join(", "),
            };
            writeln!(page, "| `{written}` | {shown} |").unwrap();
        }
    }
    page
}

#[test]
fn the_page_about_clock_changes_is_what_the_binary_answers() {
    let page = page();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/clock-changes.md");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    if page != written {
        let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clock-changes.md");
        std::fs::write(&fresh, &page).unwrap();
        panic!(
            "docs/clock-changes.md is not what elder does; look at what differs, then\n  cp {} {}",
            fresh.display(),
            path.display()
        );
    }
}
