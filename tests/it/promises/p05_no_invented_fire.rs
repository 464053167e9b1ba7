//! An edit never makes a fire in the past and never loses one; running runs keep their definition.

use std::time::Duration;

use elder::schedule::{Fire, Zones};

use crate::support::{Daemon, Folder, ledger, now, until};

#[test]
fn an_edited_time_that_is_past_does_not_fire() {
    let daily = |time: &str| {
        format!(
            "jobs:\n  once:\n    schedule: {{ daily: \"{time}\" }}\n    run: '{}'\n",
            ledger::WITNESS
        )
    };
    // Both are hours away from now, on either side, whatever the time of day.
    let now = now();
    let clock = |hours: i64| {
        let at = now
            .checked_add(jiff::SignedDuration::from_hours(hours))
            .unwrap();
        at.strftime("%H:%M").to_string()
    };
    let folder = Folder::with(&[("jobs.d/a.yaml", &daily(&clock(3)))]);
    let daemon = Daemon::start(&folder);
    folder.write("jobs.d/a.yaml", &daily(&clock(-3)));
    let next = until("the edit is in force", || {
        let job = daemon.get("/api/v1/jobs/once").json();
        let next: jiff::Timestamp = job["next_run_time"].as_str()?.parse().ok()?;
        (next.duration_since(now).as_hours() >= 20).then_some(next)
    });
    assert!(next.duration_since(now).as_hours() < 24);
    assert!(ledger::rows(&daemon, "once").is_empty());
    daemon.kill();
    let daemon = Daemon::start(&folder);
    assert!(ledger::rows(&daemon, "once").is_empty());
    assert!(ledger::witnessed(&folder).is_empty());
}

#[test]
fn a_crash_after_an_edit_opens_no_instant_before_it() {
    let job = |instants: &str| {
        format!(
            "jobs:\n  once:\n    schedule: {{ at: [{instants}] }}\n    misfire_grace_time: 1h\n    run: '{}'\n",
            ledger::WITNESS
        )
    };
    let far = "\"2999-01-01T00:00:00Z\"";
    let folder = Folder::with(&[("jobs.d/a.yaml", &job(far))]);
    let daemon = Daemon::start(&folder);
    // After the job's first sight, and past when the edit brings it.
    let between = now();
    folder.write("jobs.d/a.yaml", &job(&format!("\"{between}\", {far}")));
    assert_eq!(daemon.post("/-/reload", "").status, 200);
    daemon.kill();
    let daemon = Daemon::start(&folder);
    // A late fire would have its row by the time that this one has.
    daemon.run("once");
    let rows = ledger::rows(&daemon, "once");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(ledger::witnessed(&folder).len(), 1);
}

#[test]
fn an_edit_while_elder_is_down_makes_no_fire_of_the_new_schedule_in_the_past() {
    let yearly = "jobs:\n  a:\n    schedule: \"0 0 1 1 *\"\n    run: 'true'\n";
    let often = format!(
        "jobs:\n  a:\n    schedule: {{ every: 100ms }}\n    misfire_grace_time: 1h\n    coalesce: false\n    run: '{}'\n",
        ledger::WITNESS
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", yearly)]);
    Daemon::start(&folder).kill();
    std::thread::sleep(std::time::Duration::from_millis(800));
    folder.write("jobs.d/a.yaml", &often);
    let started = now();
    let daemon = Daemon::start(&folder);
    until("it fires by the new schedule", || {
        (!ledger::witnessed(&folder).is_empty()).then_some(())
    });
    for row in ledger::rows(&daemon, "a") {
        assert!(
            row.first >= started,
            "a fire from before the edit was seen: {row:?}"
        );
    }
}

#[test]
fn a_running_run_ends_by_the_definition_that_it_began_with() {
    let job = |code: u8| {
        format!(
            "jobs:\n  slow:\n    schedule: manual\n    run: 'touch \"$ELDER_STATE_DIR/../began\"; sleep 1; exit {code}'\n    success_exit_codes: [{code}]\n"
        )
    };
    let folder = Folder::with(&[("jobs.d/a.yaml", &job(3))]);
    let daemon = Daemon::start(&folder);
    assert_eq!(daemon.post("/api/v1/jobs/slow/run", "{}").status, 200);
    until("it began", || folder.join("began").exists().then_some(()));
    folder.write("jobs.d/a.yaml", &job(4));
    let reload = daemon.post("/-/reload", "");
    assert_eq!(reload.status, 200, "{reload:?}");
    let row = until("it ended", || {
        let rows = ledger::rows(&daemon, "slow");
        (rows.first()?.state == "done").then(|| rows[0].clone())
    });
    assert_eq!(row.outcome, "success");
}

#[test]
fn an_edit_does_not_lose_a_fire_that_waits_for_a_place() {
    let job = |instants: &str| {
        format!(
            "jobs:\n  waits:\n    schedule: {{ at: [{instants}] }}\n    run: '{}'\n",
            ledger::WITNESS
        )
    };
    let blocks = "jobs:\n  blocks:\n    schedule: manual\n    run: 'touch \"$ELDER_STATE_DIR/../began\"; while test ! -e \"$ELDER_STATE_DIR/../go\"; do sleep 0.05; done'\n";
    let at = now()
        .checked_add(jiff::SignedDuration::from_secs(3))
        .unwrap();
    let folder = Folder::with(&[
        ("jobs.d/a.yaml", &job(&format!("\"{at}\""))),
        ("jobs.d/b.yaml", blocks),
    ]);
    let daemon = Daemon::start_with(&folder, |p| p.arg("--max-workers").arg("1"));
    daemon.wait_until_ready();
    assert_eq!(daemon.post("/api/v1/jobs/blocks/run", "{}").status, 200);
    until("the only place is taken", || {
        folder.join("began").exists().then_some(())
    });
    until("the fire waits for it", || {
        (daemon.metrics().get("elder_queued", &[("pool", "default")]) == Some(1.0)).then_some(())
    });
    // Other times from now on; what was due before is decided by the old ones.
    folder.write(
        "jobs.d/a.yaml",
        &job(&format!("\"{at}\", \"2999-01-01T00:00:00Z\"")),
    );
    assert_eq!(daemon.post("/-/reload", "").status, 200);
    folder.write("go", "");
    let row = until("it ran", || {
        let rows = ledger::rows(&daemon, "waits");
        rows.into_iter().find(|row| row.state == "done")
    });
    assert_eq!((row.outcome.as_str(), row.first), ("success", at));
}

/// Waits until a fire of `late` is scheduled and for most of a second not yet due.
fn in_between(schedule: &elder::schedule::Schedule) -> Fire {
    let least = Duration::from_millis(700);
    let mut fire = schedule.next_after(now()).unwrap();
    while fire.scheduled.duration_until(fire.due).unsigned_abs() < least
        || fire.scheduled.duration_since(now()) < jiff::SignedDuration::from_millis(500)
    {
        fire = schedule.next_after(fire.scheduled).unwrap();
    }
    until("the fire is scheduled", || {
        (now() > fire.scheduled + Duration::from_millis(100)).then_some(())
    });
    fire
}

#[test]
fn a_fire_that_waits_for_its_jitter_outlives_kill_9_and_an_edit() {
    let text = |schedule: &str| {
        let run = ledger::WITNESS;
        format!("jobs:\n  late:\n    schedule: {schedule}\n    run: '{run}'\n")
    };
    let jittered = "{ every: 3s, jitter: 1500ms }";
    let zones = Zones::bundled();
    let parsed = elder::spec::parse_schedule(jittered, "UTC", &zones, "late").unwrap();
    let schedule = parsed.schedule;
    let folder = Folder::with(&[("jobs.d/a.yaml", &text(jittered))]);
    let ran = |fire: Fire| {
        let at = fire.scheduled.to_string();
        let seen = ledger::witnessed(&folder);
        seen.keys().any(|(_, scheduled, _)| *scheduled == at)
    };

    let daemon = Daemon::start(&folder);
    let fire = in_between(&schedule);
    let told = daemon.get("/api/v1/jobs/late").json();
    assert_eq!(told["next_run_time"], fire.due.to_string(), "{told}");
    let labels = [("job_name", "late")];
    let metrics = daemon.metrics();
    let next = metrics.get("elder_job_next_run_timestamp_seconds", &labels);
    let due = fire.due.as_millisecond() as f64 / 1000.0;
    assert!((next.unwrap() - due).abs() < 0.002, "{next:?} {due}");
    daemon.kill();
    assert!(!ran(fire), "it started before it was due");
    let daemon = Daemon::start(&folder);
    until("the fire ran", || ran(fire).then_some(()));
    assert!(now() >= fire.due, "it started before it was due");

    // Without jitter it is due at once, and only once.
    let fire = in_between(&schedule);
    assert!(!ran(fire), "it started before it was due");
    folder.write("jobs.d/a.yaml", &text("{ every: 3s }"));
    until("the fire ran", || ran(fire).then_some(()));
    folder.write("jobs.d/a.yaml", &text("{ every: 3s }\n    enabled: false"));
    until("nothing fires any more", || {
        let job = daemon.get("/api/v1/jobs/late").json();
        (job["status"] == "disabled").then_some(())
    });
    ledger::wait_until_over(&daemon, &["late"]);
    ledger::agree(&daemon, &folder, &["late"], 3000);
}
