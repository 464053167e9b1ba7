//! A job that is renamed with `aliases` loses no fire, doubles none, and keeps its past.

use std::collections::BTreeMap;

use crate::support::{Daemon, Folder, ledger, until};

fn text(name: &str, more: &str) -> String {
    format!(
        "jobs:\n  {name}:\n    schedule: {{ every: 1s }}\n    run: '{}'\n{more}",
        ledger::WITNESS
    )
}

/// How many fires ran so far under this name.
fn ran(folder: &Folder, name: &str) -> usize {
    let seen = ledger::witnessed(folder);
    seen.keys().filter(|(job, ..)| job == name).count()
}

/// Every second is in one row of the job, and no instant was witnessed twice, under whatever name.
fn nothing_lost_or_doubled(daemon: &Daemon, folder: &Folder, name: &str) -> Vec<ledger::Row> {
    let rows = ledger::rows(daemon, name);
    for pair in rows.windows(2) {
        let apart = pair[1].first.duration_since(pair[0].last);
        assert_eq!(apart.as_millis(), 1_000, "a gap or an overlap: {pair:?}");
    }
    let mut instants: BTreeMap<String, u32> = BTreeMap::new();
    for ((_, at, _), (times, _)) in ledger::witnessed(folder) {
        *instants.entry(at).or_default() += times;
    }
    for (at, times) in instants {
        assert_eq!(times, 1, "{at} ran {times} times");
        let at: jiff::Timestamp = at.parse().unwrap();
        assert!(rows.iter().any(|row| row.first == at), "{at} has no row");
    }
    rows
}

#[test]
fn a_job_takes_its_past_along_and_misses_no_second() {
    let folder = Folder::with(&[("jobs.d/a.yaml", &text("old", ""))]);
    let daemon = Daemon::start(&folder);
    until("it ran twice", || (ran(&folder, "old") >= 2).then_some(()));
    // As git does it: for a moment both are there, and the job is the last one of its PATH.
    folder.write("jobs.d/b.yaml", &text("new", "    aliases: [old]\n"));
    folder.remove("jobs.d/a.yaml");
    until("it goes on under its new name", || {
        (ran(&folder, "new") >= 2).then_some(())
    });
    assert_eq!(daemon.get("/api/v1/jobs/old").status, 404);
    let config = daemon.get("/api/v1/config").json();
    assert_eq!(
        config["pending_removals"],
        serde_json::json!([]),
        "{config}"
    );
    let before = nothing_lost_or_doubled(&daemon, &folder, "new");
    assert!(
        before.len() >= 4,
        "the past is under the new name: {before:?}"
    );
    let labels = [("job_name", "new"), ("outcome", "success")];
    let executed = daemon.metrics().get("elder_executed_total", &labels);
    assert!(executed >= Some(4.0), "counters go along: {executed:?}");
    assert!(
        daemon
            .has_logged("old is renamed: it goes on as new")
            .is_some()
    );
    // Once is enough: neither a restart nor an edit does it again.
    daemon.kill();
    let daemon = Daemon::start(&folder);
    let seen = ran(&folder, "new");
    until("it ran after the restart", || {
        (ran(&folder, "new") > seen).then_some(())
    });
    assert!(daemon.has_logged("is renamed").is_none());
    nothing_lost_or_doubled(&daemon, &folder, "new");
    folder.write("jobs.d/b.yaml", &text("new", ""));
    let seen = ran(&folder, "new");
    until("it runs without the alias too", || {
        (ran(&folder, "new") > seen + 1).then_some(())
    });
    let rows = nothing_lost_or_doubled(&daemon, &folder, "new");
    assert!(rows.len() > before.len());
}

#[test]
fn a_rename_while_elder_is_down_catches_up_under_the_new_name() {
    let more = "    coalesce: false\n    misfire_grace_time: 1h\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", &text("old", more))]);
    let daemon = Daemon::start(&folder);
    until("it ran", || (ran(&folder, "old") >= 1).then_some(()));
    daemon.kill();
    std::thread::sleep(std::time::Duration::from_millis(2_200));
    let renamed = text("new", &format!("{more}    aliases: old\n"));
    folder.write("jobs.d/a.yaml", &renamed);
    let daemon = Daemon::start(&folder);
    until("what was due meanwhile ran", || {
        (ran(&folder, "new") >= 3).then_some(())
    });
    nothing_lost_or_doubled(&daemon, &folder, "new");
}

#[test]
fn a_name_that_a_job_still_has_is_no_alias_of_another() {
    let folder = Folder::with(&[("jobs.d/a.yaml", &text("old", ""))]);
    let daemon = Daemon::start(&folder);
    until("it ran", || (ran(&folder, "old") >= 1).then_some(()));
    folder.write("jobs.d/b.yaml", &text("new", "    aliases: [old]\n"));
    let finding = until("the file is refused", || {
        let config = daemon.get("/api/v1/config").json();
        let findings = config["sync"]["findings"].as_array()?.clone();
        findings
            .into_iter()
            .find(|finding| finding["code"] == "E011")
    });
    let message = finding["message"].as_str().unwrap();
    assert!(
        message.contains("the alias \"old\" is the name of a job in") && message.contains("a.yaml"),
        "{finding}"
    );
    assert_eq!(daemon.get("/api/v1/jobs/new").status, 404);
    assert_eq!(daemon.get("/api/v1/jobs/old").status, 200);
}
