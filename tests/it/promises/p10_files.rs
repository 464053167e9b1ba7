//! One bad file never stops another; removals are guarded; a vanished folder removes nothing.

use crate::support::{Daemon, Folder, Small, ledger, not_tested, until};

const GOOD: &str = "jobs:\n  good:\n    schedule: { every: 200ms }\n    run: 'true'\n";

fn job(name: &str) -> String {
    format!("jobs:\n  {name}:\n    schedule: {{ every: 1h }}\n    run: 'true'\n")
}

fn names(daemon: &Daemon) -> Vec<String> {
    let jobs = daemon.get("/api/v1/jobs?limit=1000").json();
    let jobs = jobs["jobs"].as_array().unwrap().clone();
    jobs.iter()
        .map(|job| {
            format!(
                "{} {}",
                job["job_id"].as_str().unwrap(),
                job["status"].as_str().unwrap()
            )
        })
        .collect()
}

#[test]
fn a_typo_in_one_file_harms_no_other_and_not_the_job_itself() {
    let folder = Folder::with(&[("jobs.d/good.yaml", GOOD), ("jobs.d/bad.yaml", &job("bad"))]);
    let daemon = Daemon::start(&folder);
    folder.write(
        "jobs.d/bad.yaml",
        &job("bad").replace("schedule", "shedule"),
    );
    until("the typo is seen", || {
        (daemon
            .metrics()
            .get("elder_config_last_reload_successful", &[])
            == Some(0.0))
        .then_some(())
    });
    let config = daemon.get("/api/v1/config").json();
    assert_eq!(config["sync"]["status"], "Invalid");
    let finding = &config["sync"]["findings"][0];
    assert_eq!(finding["line"], 3, "{finding}");
    assert!(
        finding["help"].as_str().unwrap().contains("schedule"),
        "{finding}"
    );
    // Nobody has to ask: the counter, the log with the place, and the trail say it.
    let watched = |result| {
        let labels = [("result", result), ("trigger", "watch")];
        daemon.metrics().get("elder_config_reloads_total", &labels)
    };
    assert_eq!(watched("partial"), Some(1.0));
    until("the log names the place", || {
        daemon.has_logged("bad.yaml:3:")
    });
    let trail = until("the trail has it", || {
        let log = daemon.log();
        let mut rows = log.iter().filter(|line| line.contains("audit: reload"));
        rows.find(|line| line.contains("partial")).cloned()
    });
    assert!(trail.contains("1 findings"), "{trail}");
    assert_eq!(names(&daemon), ["bad active", "good active"]);
    let before = ledger::rows(&daemon, "good").len();
    until("the good job goes on", || {
        (ledger::rows(&daemon, "good").len() > before + 1).then_some(())
    });
    // Also across a restart, the bad file's job runs by its last good definition.
    daemon.kill();
    let daemon = Daemon::start(&folder);
    assert_eq!(names(&daemon), ["bad active", "good active"]);
    folder.write("jobs.d/bad.yaml", &job("bad"));
    until("the mend is seen", || {
        (daemon
            .metrics()
            .get("elder_config_last_reload_successful", &[])
            == Some(1.0))
        .then_some(())
    });
}

#[test]
fn a_removal_of_the_last_job_is_held_and_a_confirmation_carries_it_out() {
    let folder = Folder::with(&[("jobs.d/a.yaml", &job("a"))]);
    let daemon = Daemon::start(&folder);
    folder.remove("jobs.d/a.yaml");
    until("the removal is held", || {
        (daemon.get("/api/v1/config").json()["sync"]["status"] == "Held").then_some(())
    });
    assert_eq!(names(&daemon), ["a held"]);
    assert_eq!(
        daemon.metrics().get("elder_config_pending_removals", &[]),
        Some(1.0)
    );
    daemon.kill();
    let daemon = Daemon::start(&folder);
    assert_eq!(names(&daemon), ["a held"], "a hold survives a restart");
    let refused = daemon.post(
        "/api/v1/config/sync",
        r#"{"prune": true, "pending": "0000"}"#,
    );
    assert_eq!(refused.status, 409, "{refused:?}");
    let pruned = daemon.post("/api/v1/config/sync", r#"{"prune": ["a"]}"#);
    assert_eq!(pruned.status, 200, "{pruned:?}");
    assert!(names(&daemon).is_empty());
}

#[test]
fn more_than_half_of_the_jobs_go_by_a_confirmation_alone() {
    let folder = Folder::with(&[
        ("jobs.d/a.yaml", &job("a")),
        ("jobs.d/b.yaml", &job("b")),
        ("jobs.d/c.yaml", &format!("{}{}", job("c"), &job("d")[6..])),
    ]);
    let daemon = Daemon::start(&folder);
    assert_eq!(names(&daemon).len(), 4);
    // A quarter is an edit like any other.
    folder.remove("jobs.d/a.yaml");
    until("one is gone", || (names(&daemon).len() == 3).then_some(()));
    folder.remove("jobs.d/c.yaml");
    until("two of three are held", || {
        (names(&daemon) == ["b active", "c held", "d held"]).then_some(())
    });
}

#[test]
fn a_folder_that_vanishes_removes_nothing_and_its_return_is_seen() {
    let folder = Folder::with(&[("jobs.d/a.yaml", &job("a")), ("jobs.d/b.yaml", &job("b"))]);
    let daemon = Daemon::start(&folder);
    std::fs::rename(folder.join("jobs.d"), folder.join("away")).unwrap();
    until("the loss is seen", || {
        (daemon.get("/api/v1/config").json()["sync"]["status"] == "SourceLost").then_some(())
    });
    assert_eq!(names(&daemon), ["a active", "b active"]);
    std::fs::rename(folder.join("away"), folder.join("jobs.d")).unwrap();
    folder.write("jobs.d/c.yaml", &job("c"));
    until("the return is seen", || {
        (names(&daemon) == ["a active", "b active", "c active"]).then_some(())
    });
}

#[test]
fn a_mount_that_is_lost_removes_nothing_and_its_return_is_seen() {
    let folder = Folder::new();
    let Some(mount) = Small::mount(folder.join("jobs.d")) else {
        return not_tested("this machine does not let us mount a tmpfs");
    };
    let fill = || {
        folder.write("jobs.d/a.yaml", &job("a"));
        folder.write("jobs.d/b.yaml", &job("b"));
    };
    fill();
    let daemon = Daemon::start(&folder);
    assert_eq!(names(&daemon), ["a active", "b active"]);
    // What is left is the empty folder that it was mounted on. The kernel says nothing of that, so
    // that only the next look sees it, every half minute.
    drop(mount);
    let lost = daemon.post("/-/reload", "{}");
    assert_eq!(lost.status, 409, "{lost:?}");
    assert!(lost.body.contains("source-lost"), "{lost:?}");
    assert_eq!(names(&daemon), ["a active", "b active"]);
    let status = daemon.get("/api/v1/config").json()["sync"]["reason"].clone();
    assert!(status.as_str().unwrap().contains("unmounted"), "{status}");
    let _again = Small::mount(folder.join("jobs.d")).unwrap();
    fill();
    let back = daemon.post("/-/reload", "{}");
    assert_eq!(back.status, 200, "{back:?}");
    assert_eq!(names(&daemon), ["a active", "b active"]);
}

#[test]
fn a_config_map_swap_is_in_force_within_moments() {
    use std::os::unix::fs::symlink;
    let folder = Folder::with(&[("jobs.d/..one/a.yaml", &job("a"))]);
    symlink("..one", folder.join("jobs.d/..data")).unwrap();
    symlink("..data/a.yaml", folder.join("jobs.d/a.yaml")).unwrap();
    let daemon = Daemon::start(&folder);
    assert_eq!(names(&daemon), ["a active"]);
    for (next, text) in [("..two", "2h"), ("..three", "3h")] {
        folder.write(
            &format!("jobs.d/{next}/a.yaml"),
            &job("a").replace("1h", text),
        );
        symlink(next, folder.join("jobs.d/..data_tmp")).unwrap();
        std::fs::rename(
            folder.join("jobs.d/..data_tmp"),
            folder.join("jobs.d/..data"),
        )
        .unwrap();
        until("the swap is in force", || {
            let trigger = daemon.get("/api/v1/jobs/a").json()["trigger"].to_string();
            trigger.contains(text).then_some(())
        });
    }
}

#[test]
fn a_tree_that_validates_never_yields_a_rejected_sync() {
    let folder = Folder::with(&[("jobs.d/a.yaml", &job("a"))]);
    let daemon = Daemon::start(&folder);
    let broken = "jobs:\n  x: { schedule: \"61 * * * *\", run: a }\n  x: { schedule: manual }\n";
    folder.write("jobs.d/b.yaml", broken);
    let reload = daemon.post("/-/reload", "");
    assert_eq!(reload.status, 422, "{reload:?}");
    let checked = crate::support::elder("validate jobs.d --format json")
        .within(folder.path())
        .run();
    assert_eq!(checked.code, Some(1));
    let codes = |list: &serde_json::Value| -> Vec<String> {
        let list = list.as_array().unwrap().iter();
        list.map(|finding| format!("{}:{}", finding["code"], finding["line"]))
            .collect()
    };
    let config = daemon.get("/api/v1/config").json();
    assert_eq!(
        codes(&checked.json()["errors"]),
        codes(&config["sync"]["findings"])
    );
}
