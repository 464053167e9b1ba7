//! `elder simulate`: a span of time as table, JSON, picture and lines.

use insta::assert_snapshot;

use super::support::{Folder, elder};

const JOBS: &str = "defaults: { timezone: Europe/Berlin }
jobs:
  nightly: { schedule: { daily: '02:30' }, run: ./nightly.sh }
  pulse: { schedule: { hourly: [0, 30] }, run: ./pulse.sh }
  by-hand: { schedule: manual, run: ./x.sh }
";

const SPAN: &str = "--from 2027-03-28T00:00:00+01:00 --until 2027-03-28T06:00:00+02:00";

fn folder() -> Folder {
    Folder::with(&[("jobs.d/a.yaml", JOBS)])
}

#[test]
fn the_table_shows_the_night_of_a_clock_change() {
    let call = elder(&format!(
        "simulate {SPAN} --duration 20m --duration nightly=2h -n 3"
    ));
    assert_snapshot!(call.within(folder().path()).run(), @r#"
    exit 0
    --- stdout
    2027-03-28T00:00:00+01:00 to 2027-03-28T06:00:00+02:00, Europe/Berlin: 3 jobs, 11 fires

    FIRES BY HOUR
      Sun 28 Mar 00:00 CET   2  ###########################
      Sun 28 Mar 01:00 CET   2  ###########################
      Sun 28 Mar 03:00 CEST  3  ########################################
      Sun 28 Mar 04:00 CEST  2  ###########################
      Sun 28 Mar 05:00 CEST  2  ###########################

    BUSIEST MINUTES
      Sun 28 Mar 03:00  2  nightly, pulse

    AT ONCE
      at most 2 runs, at Sun 28 Mar 03:00: nightly, pulse
      processes: 2 of 64 places taken, first at Sun 28 Mar 03:00; nothing waited

    CLOCK CHANGES
      Sun 28 Mar 03:00  Europe/Berlin: 02:00 becomes 03:00 (+01 to +02)
        fire at the end of the gap, later than usual: nightly
        have 2 fires fewer: pulse

    WITHOUT A FIRE
      manual or startup: by-hand

    FIRST FIRES (--all for every one)
      2027-03-28T00:00:00+01:00  pulse
      2027-03-28T00:30:00+01:00  pulse
      2027-03-28T01:00:00+01:00  pulse

    run times of 3 jobs: 1 by --duration JOB=TIME, 2 by --duration 20m
    "#);
}

#[test]
fn every_fire_is_a_line_with_its_fate() {
    let folder = Folder::with(&[(
        "jobs.d/a.yaml",
        "jobs:\n  slow: { schedule: { every: 20m }, run: x }\n",
    )]);
    let span = "--from 2027-01-01T00:00:00Z --until 2027-01-01T01:00:00Z --duration 25m";
    assert_snapshot!(elder(&format!("simulate {span} --all")).within(folder.path()).run(), @r#"
    exit 0
    --- stdout
    scheduled_at,job_id,outcome,reason,started_at,finished_at
    2027-01-01T00:00:00+00:00,slow,runs,,2027-01-01T00:00:00+00:00,2027-01-01T00:25:00+00:00
    2027-01-01T00:20:00+00:00,slow,skipped,overlap,,
    2027-01-01T00:40:00+00:00,slow,runs,,2027-01-01T00:40:00+00:00,2027-01-01T01:05:00+00:00
    "#);
    assert_snapshot!(elder(&format!("simulate {span} --all --format json")).within(folder.path()).run(), @r#"
    exit 0
    --- stdout
    {"finished_at":"2027-01-01T00:25:00+00:00","job_id":"slow","outcome":"runs","scheduled_at":"2027-01-01T00:00:00+00:00","started_at":"2027-01-01T00:00:00+00:00"}
    {"job_id":"slow","outcome":"skipped","reason":"overlap","scheduled_at":"2027-01-01T00:20:00+00:00"}
    {"finished_at":"2027-01-01T01:05:00+00:00","job_id":"slow","outcome":"runs","scheduled_at":"2027-01-01T00:40:00+00:00","started_at":"2027-01-01T00:40:00+00:00"}
    "#);
}

#[test]
fn programs_get_one_object_with_the_same() {
    let call = elder(&format!("simulate {SPAN} --format json --duration 1m"));
    let answer = call.within(folder().path()).run().json();
    assert_eq!(answer["fires"], 11);
    assert_eq!(answer["timezone"], "Europe/Berlin");
    assert_eq!(answer["clock_changes"][0]["touched"][0]["effect"], "moved");
    assert_eq!(
        answer["clock_changes"][0]["touched"][0]["jobs"][0],
        "nightly"
    );
    assert_eq!(answer["peak"]["runs"], 2);
    assert_eq!(answer["peak"]["at"], "2027-03-28T03:00:00+02:00");
    assert_eq!(answer["without_fire"][0]["why"], "manual_or_startup");
    assert_eq!(answer["run_times"]["fallback_is_guess"], false);
}

#[test]
fn the_picture_goes_into_a_file() {
    let folder = folder();
    let finished = elder(&format!("simulate {SPAN} --format svg --output night.svg"))
        .within(folder.path())
        .run();
    assert_eq!(finished.code, Some(0), "{finished}");
    assert_eq!(finished.stdout, "");
    let svg = folder.read("night.svg");
    assert!(
        svg.starts_with("<?xml") && svg.ends_with("</svg>\n"),
        "{svg}"
    );
    for part in [
        "class=\"clock\"",
        "Clock changes",
        "nightly",
        "prefers-color-scheme",
    ] {
        assert!(svg.contains(part), "{part}");
    }
    // Each element that is opened is closed, and nothing is left of what would open another.
    for element in ["svg", "title", "style", "text"] {
        let opened = svg.matches(&format!("<{element}>")).count()
            + svg.matches(&format!("<{element} ")).count();
        assert_eq!(
            opened,
            svg.matches(&format!("</{element}>")).count(),
            "{element}"
        );
    }
}

#[test]
fn run_times_come_from_the_store_that_a_daemon_uses() {
    use super::support::Daemon;
    let folder = Folder::with(&[(
        "jobs.d/a.yaml",
        "jobs:\n  nap: { schedule: manual, run: sleep 0.2 }\n  new: { schedule: manual, run: 'true' }\n",
    )]);
    let daemon = Daemon::start(&folder);
    daemon.wait_until_ready();
    let finished = elder("trigger nap --wait")
        .env("ELDER_SERVER", &format!("http://{}", daemon.address()))
        .env(
            "XDG_RUNTIME_DIR",
            &folder.join("runtime").display().to_string(),
        )
        .run();
    assert_eq!(finished.code, Some(0), "{finished}");
    let finished = elder("simulate --format json --state state")
        .within(folder.path())
        .run();
    let times = &finished.json()["run_times"];
    assert_eq!(
        (&times["remembered"], &times["fallback"]),
        (&1.into(), &1.into()),
        "{finished}"
    );
}

#[test]
fn what_cannot_be_answered_is_said_with_the_mend() {
    let folder = folder();
    for (line, hint) in [
        (
            "simulate --until 2020-01-01T00:00:00Z",
            "ends before it begins",
        ),
        (
            "simulate --from 2027-01-01T00:00:00Z --until 2029-01-01T00:00:00Z",
            "366 days",
        ),
        ("simulate --duration nobody=5m", "no good job nobody"),
        ("simulate --duration 5", "5s"),
        ("simulate --state nowhere", "there is no store"),
        ("simulate --store memory:", "read by nobody else"),
        ("simulate --all --format svg", "leave one of them out"),
        ("simulate --timezone Mars/Base", "Mars/Base"),
        ("simulate nowhere", "cannot read nowhere"),
    ] {
        let finished = elder(line).within(folder.path()).run();
        assert_eq!(finished.code, Some(2), "{line}: {finished}");
        assert!(finished.stderr.contains(hint), "{line}: {finished}");
    }
    assert!(!folder.join("nowhere").exists());
}
