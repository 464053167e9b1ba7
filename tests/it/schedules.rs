//! Schedules from the outside: what the clock and the calendar do to them, said beforehand.

use insta::assert_snapshot;

use super::support::{Finished, Folder, elder};

/// `elder validate` on a folder with this one file.
fn checked(file: &str) -> Finished {
    let folder = Folder::with(&[("jobs.d/a.yaml", file)]);
    elder("validate").within(folder.path()).run()
}

#[test]
fn fires_that_a_change_of_the_clock_touches_are_marked() {
    let table = |schedule: &str, from: &str, n: u32| {
        let call = elder(&format!(
            "next -n {n} --from {from} --timezone Europe/Berlin --schedule"
        ));
        let finished = call.arg(schedule).run();
        assert_eq!(finished.code, Some(0), "{finished}");
        let lines = finished.stdout.lines().skip(1).map(str::to_owned);
        lines.collect::<Vec<_>>()
    };
    let spring = table("30 2 * * *", "2027-03-27T12:00:00Z", 2);
    assert!(
        spring[0].starts_with("2027-03-28T03:00:00+02:00  Sun  "),
        "{spring:?}"
    );
    assert!(
        spring[0].ends_with("  (02:30 does not exist: the clock is put forward)"),
        "{spring:?}"
    );
    assert!(!spring[1].contains('('), "{spring:?}");
    let both = r#"{ daily: "02:30", dst: { fold: both } }"#;
    let autumn = table(both, "2027-10-30T12:00:00Z", 2);
    assert!(autumn[0].ends_with("and this is the first)"), "{autumn:?}");
    assert!(
        autumn[1].starts_with("2027-10-31T02:30:00+01:00"),
        "{autumn:?}"
    );
    assert!(autumn[1].ends_with("and this is the second)"), "{autumn:?}");
    // The form for programs has instants and nothing else.
    let call = elder(
        "next -n 1 --from 2027-03-27T12:00:00Z --timezone Asia/Tokyo --format json --schedule",
    );
    assert_snapshot!(call.arg(r#"{ monthly: { day: [last fri, first weekday], at: "09:00" } }"#).run(), @r#"
    exit 0
    --- stdout
    {"description":"at 09:00 on the first weekday of the month or on the last Friday of the month, Asia/Tokyo time","next":["2027-04-01T09:00:00+09:00"],"timezone":"Asia/Tokyo"}
    "#);
}

#[test]
fn the_next_changes_of_the_clock_are_notes_at_the_jobs_that_they_touch() {
    let text = "defaults: { timezone: Europe/Berlin }
jobs:
  night: { schedule: { daily: '02:30' }, run: x }
  noon: { schedule: { daily: '12:00' }, run: x }
  often: { schedule: '*/5 * * * *', run: x }
";
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let done = elder("validate jobs.d --strict --format json")
        .within(folder.path())
        .run();
    assert_eq!(done.code, Some(0), "{done:?}");
    let notes = done.json()["notes"].as_array().unwrap().clone();
    assert_eq!(notes.len(), 1, "{done:?}");
    assert_eq!(notes[0]["code"], "N004", "{done:?}");
    assert_eq!(notes[0]["line"], 3, "{done:?}");
    let message = notes[0]["message"].as_str().unwrap();
    // Which comes first depends on the day.
    for part in [
        "`night`: ",
        "-03-2",
        ": 02:30 does not exist in Europe/Berlin: fires at 03:00",
        "-10-",
        ": 02:30 comes twice in Europe/Berlin: fires the first time only",
    ] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
}

#[test]
fn days_that_months_lack_and_dates_that_no_year_has_are_told_apart() {
    let job = |schedule: &str| format!("jobs:\n  a:\n    schedule: {schedule}\n    run: x\n");
    assert_snapshot!(checked(&job("{ monthly: { day: [1, 31], at: \"09:00\" } }")), @r#"
    exit 0
    --- stdout
    note[N003]: February, April, June, September and November have no day 31: the job does not fire there
     --> jobs.d/a.yaml:3:37
      |
    3 |     schedule: { monthly: { day: [1, 31], at: "09:00" } }
      |                                     ^^
      |
      = help: write `last` if the end of the month is meant

    1 file, 1 good job: 1 note
    "#);
    assert_snapshot!(checked(&job("{ yearly: { date: 02-30, at: \"09:00\" } }")), @r#"
    exit 1
    --- stdout
    error[E016]: no date is ever meant: February has no day 30
     --> jobs.d/a.yaml:3:33
      |
    3 |     schedule: { yearly: { date: 02-30, at: "09:00" } }
      |                                 ^^^^^
      |
      = help: February has the days 1 to 29

    1 file, 0 good jobs: 1 error
    "#);
}
