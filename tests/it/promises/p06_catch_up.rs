//! Catching up is bounded and declared, and its cost does not grow with the time away.

use jiff::Timestamp;

use crate::support::{Daemon, Folder, ledger, now, until};

/// Makes the store as if elder had been away for so many seconds more.
fn away(folder: &Folder, job: &str, seconds: i64) {
    let store = rusqlite::Connection::open(folder.join("state/elder.db")).unwrap();
    let changed = store
        .execute(
            "UPDATE jobs SET mark = mark - ?2, first_seen = first_seen - ?2 WHERE name = ?1",
            (job, seconds * 1_000_000_000),
        )
        .unwrap();
    assert_eq!(changed, 1, "no job {job} in the store");
}

fn folder_with(schedule: &str, more: &str) -> Folder {
    let text = format!(
        "jobs:\n  late:\n    schedule: {schedule}\n    run: '{}'\n{more}",
        ledger::WITNESS
    );
    Folder::with(&[("jobs.d/a.yaml", &text)])
}

/// The row's first, last and count agree with a fire every second.
fn is_whole(row: &ledger::Row) -> bool {
    let nanos = row.last.as_nanosecond() - row.first.as_nanosecond();
    nanos == i128::from(row.count - 1) * 1_000_000_000
}

#[test]
fn a_year_away_is_one_start_and_two_rows() {
    let folder = folder_with("{ every: 1s }", "");
    Daemon::start(&folder).kill();
    away(&folder, "late", 365 * 86_400);
    let began = now();
    let daemon = Daemon::start(&folder);
    let rows = until("the first fire of now is there", || {
        let rows = ledger::rows(&daemon, "late");
        let is_present = |row: &ledger::Row| row.attempt > 0 && row.first >= began;
        rows.iter().any(is_present).then_some(rows)
    });
    // The rows of the time away are older than the start.
    let old: Vec<_> = rows.iter().filter(|row| row.first < began).collect();
    let of = |reason: &str| {
        let mut of = old.iter().filter(|row| row.reason == reason);
        let row = of.next().unwrap_or_else(|| panic!("no {reason}: {old:?}"));
        assert!(of.next().is_none(), "{reason} in two rows: {old:?}");
        assert!(is_whole(row), "{row:?}");
        row.count
    };
    // The grace of a job that fires every second is a minute.
    assert!(of("downtime") > 364 * 86_400, "{old:?}");
    assert!((55..=61).contains(&of("coalesced")), "{old:?}");
    let started = old.iter().filter(|row| row.attempt > 0).count();
    assert!(started <= 3, "{old:?}");
}

#[test]
fn late_fires_that_are_not_coalesced_start_one_after_another_and_a_hundred_at_most() {
    let more = "    misfire_grace_time: 1h\n    coalesce: false\n";
    let folder = folder_with("{ every: 10s }", more);
    Daemon::start(&folder).kill();
    away(&folder, "late", 2000);
    let daemon = Daemon::start(&folder);
    until("a hundred have run", || {
        (ledger::witnessed(&folder).len() >= 100).then_some(())
    });
    let off = folder.read("jobs.d/a.yaml");
    let off = off.replace("schedule:", "enabled: false\n    schedule:");
    folder.write("jobs.d/a.yaml", &off);
    assert_eq!(daemon.post("/-/reload", "").status, 200);
    ledger::wait_until_over(&daemon, &["late"]);
    ledger::agree(&daemon, &folder, &["late"], 10_000);
    let rows = ledger::rows(&daemon, "late");
    let coalesced: Vec<_> = rows
        .iter()
        .filter(|row| row.reason == "coalesced")
        .collect();
    assert_eq!(coalesced.len(), 1, "{rows:?}");
    assert!((95..=101).contains(&coalesced[0].count), "{coalesced:?}");
    // Oldest first: the order of the lines is the order of the instants.
    let lines = folder.read("witness");
    let instants: Vec<Timestamp> = lines
        .lines()
        .map(|line| line.split(' ').nth(1).unwrap().parse().unwrap())
        .collect();
    assert!(instants.is_sorted(), "{lines}");
}

#[test]
fn a_fire_within_its_grace_starts_late_and_one_past_it_is_missed() {
    for (grace, late_by, want) in [("1h", 1800, "success"), ("10m", 1800, "missed")] {
        let at = now().as_second() - late_by;
        let at = Timestamp::from_second(at).unwrap();
        let more = format!("    misfire_grace_time: {grace}\n");
        let folder = folder_with(&format!("{{ at: \"{at}\" }}"), &more);
        Daemon::start(&folder).kill();
        // Past when the job was first seen, it would never fire.
        away(&folder, "late", 7200);
        let daemon = Daemon::start(&folder);
        let row = until("it is decided", || {
            let rows = ledger::rows(&daemon, "late");
            rows.into_iter().find(|row| row.state == "done")
        });
        assert_eq!(
            (row.outcome.as_str(), row.first),
            (want, at),
            "grace {grace}"
        );
    }
}

#[test]
fn a_job_that_was_disabled_while_time_went_on_is_not_caught_up() {
    let more = "    misfire_grace_time: 30d\n    coalesce: false\n";
    let folder = folder_with("{ every: 1h }", more);
    let on = folder.read("jobs.d/a.yaml");
    let off = on.replace("schedule:", "enabled: false\n    schedule:");
    folder.write("jobs.d/a.yaml", &off);
    Daemon::start(&folder).kill();
    away(&folder, "late", 5 * 86_400);
    // Enabled while elder runs, and enabled while it is down.
    let daemon = Daemon::start(&folder);
    folder.write("jobs.d/a.yaml", &on);
    assert_eq!(daemon.post("/-/reload", "").status, 200);
    daemon.kill();
    folder.write("jobs.d/a.yaml", &off);
    Daemon::start(&folder).kill();
    folder.write("jobs.d/a.yaml", &on);
    let daemon = Daemon::start(&folder);
    until("it is active", || {
        (daemon.get("/api/v1/jobs/late").json()["status"] == "active").then_some(())
    });
    let hour = now().as_second() - 120;
    let rows = ledger::rows(&daemon, "late");
    // A full hour may have struck while this test ran, and no other.
    assert!(
        rows.len() <= 1 && rows.iter().all(|row| row.first.as_second() > hour),
        "{rows:?}"
    );
}
