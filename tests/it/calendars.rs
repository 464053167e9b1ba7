//! Calendars from outside: what a person sees who made a mistake.

use insta::assert_snapshot;

use super::support::{Folder, elder};

#[test]
fn what_is_wrong_with_calendars_is_shown_where_it_stands() {
    let folder = Folder::with(&[
        (
            "jobs.d/a.yaml",
            "jobs:\n  a: { run: x, schedule: { daily: \"09:00\", except: holiday } }\n",
        ),
        (
            "jobs.d/c.yaml",
            "calendars:\n  holidays: { ics: h.ics }\n  spare: { weekdays: sat }\n",
        ),
        (
            "jobs.d/h.ics",
            "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20270101\r\nRRULE:FREQ=YEARLY;BYWEEKNO=1\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        ),
    ]);
    let finished = elder("validate --format concise")
        .within(folder.path())
        .run();
    assert_snapshot!(finished, @r"
    exit 1
    --- stdout
    jobs.d/a.yaml:2:52: E022 no calendar is called `holiday`; did you mean `holidays`?
    jobs.d/c.yaml:2:20: E040 the calendar file h.ics is bad; mend that file first
    jobs.d/h.ics:4:1: E040 the rule has BYWEEKNO, which is not read here
    2 files, 0 good jobs: 3 errors
    ");
    let finished = elder("validate --format concise jobs.d/h.ics")
        .within(folder.path())
        .run();
    assert_snapshot!(finished, @r"
    exit 1
    --- stdout
    jobs.d/h.ics:4:1: E040 the rule has BYWEEKNO, which is not read here
    0 files, 0 good jobs: 1 error
    ");
    folder.write("jobs.d/h.ics", "BEGIN:VCALENDAR\nEND:VCALENDAR\n");
    folder.write(
        "jobs.d/a.yaml",
        "jobs:\n  a: { run: x, schedule: { daily: \"09:00\", except: holidays } }\n",
    );
    let finished = elder("validate --format concise")
        .within(folder.path())
        .run();
    assert_snapshot!(finished, @r"
    exit 0
    --- stdout
    jobs.d/c.yaml:3:3: N021 nothing uses the calendar `spare`; name it in `only` or `except`, or remove it
    jobs.d/h.ics: N001 the calendar file holds no event, so no date
    2 files, 1 good job: 2 notes
    ");
    let next = elder("next --schedule")
        .arg("{daily: \"09:00\", except: holidays}")
        .run();
    assert_snapshot!(next, @r"
    exit 2
    --- stderr
    error: `except` names a calendar, and there is no tree of job files here that could define one
    help: ask about a job: `elder next JOB PATH`
    ");
}
