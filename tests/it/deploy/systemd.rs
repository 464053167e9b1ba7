//! The unit, its drop-ins, and what makes its user and folders, by systemd's own programs.

use std::collections::{BTreeSet, HashMap};
use std::process::{Command, Output};

use super::text;
use crate::support::{Daemon, Folder, not_tested, until};

/// The most that `systemd-analyze security` may say, in tenths: 0 is best, 100 worst.
const EXPOSURE: &str = "20";

/// Whether that program of systemd is there.
fn has(name: &str) -> bool {
    let output = Command::new(name).arg("--version").output();
    let fine = output.is_ok_and(|out| out.status.success());
    if !fine {
        not_tested(&format!("{name} is not to be had"));
    }
    fine
}

/// A folder with the unit, its program being the one that is tested, and a drop-in.
fn unit(edit: impl Fn(String) -> String, drop_in: &str) -> Folder {
    let folder = Folder::new();
    let unit = edit(text("systemd/elder.service"));
    let own = env!("CARGO_BIN_EXE_elder");
    assert!(unit.contains("ExecStart=/usr/local/bin/elder run "));
    folder.write(
        "elder.service",
        &unit.replace("=/usr/local/bin/elder ", &format!("={own} ")),
    );
    if !drop_in.is_empty() {
        folder.write("elder.service.d/drop-in.conf", drop_in);
    }
    folder
}

fn analyze(words: &[&str], folder: &Folder) -> Output {
    let mut command = Command::new("systemd-analyze");
    command.args(words).arg(folder.join("elder.service"));
    command.env("SYSTEMD_PAGER", "cat").output().unwrap()
}

#[test]
fn systemd_has_nothing_to_say_against_the_unit_and_its_drop_ins() {
    if !has("systemd-analyze") {
        return;
    }
    for file in ["", "systemd/secrets.conf", "systemd/jobs-as-users.conf"] {
        let drop_in = match file {
            "" => String::new(),
            file => text(file),
        };
        let output = analyze(&["verify"], &unit(|unit| unit, &drop_in));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{file}: {said}");
    }
    for folder in [
        unit(|unit| unit.replace("WatchdogSec", "WatchdogSecs"), ""),
        unit(
            |unit| unit,
            &text("systemd/secrets.conf").replace("LoadCredential", "LoadCredentials"),
        ),
    ] {
        let output = analyze(&["verify"], &folder);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("Unknown key"), "{said}");
    }
}

#[test]
fn the_unit_leaves_little_open() {
    if !has("systemd-analyze") {
        return;
    }
    let words = [
        "security",
        "--offline=true",
        "--no-pager",
        "--threshold",
        EXPOSURE,
    ];
    let output = analyze(&words, &unit(|unit| unit, ""));
    assert!(output.status.success(), "{output:?}");
    let looser = |unit: String| unit.replace("SystemCallFilter=", "#");
    let output = analyze(&words, &unit(looser, ""));
    assert!(!output.status.success(), "{output:?}");
}

#[test]
fn the_unit_gives_elder_the_time_that_it_says() {
    let unit = text("systemd/elder.service");
    let seconds = |key: &str| {
        let line = unit
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .unwrap();
        line.trim_end_matches('s').parse::<u64>().unwrap()
    };
    let grace = seconds("Environment=ELDER_SHUTDOWN_GRACE=");
    assert!(seconds("TimeoutStopSec=") >= grace + 20);
    assert!(unit.contains("\nDelegate=memory pids\n"));
    // It would take the delegated groups back.
    assert!(!unit.contains("\nProtectControlGroups="));
}

#[test]
fn user_and_folders_are_made_as_the_unit_needs_them() {
    if !has("systemd-sysusers") || !has("systemd-tmpfiles") {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        not_tested("not root, so nothing can be given to root");
        return;
    }
    let folder = Folder::new();
    std::fs::create_dir_all(folder.join("root/etc")).unwrap();
    for (program, more, file) in [
        ("systemd-sysusers", None, "elder.sysusers"),
        ("systemd-tmpfiles", Some("--create"), "elder.tmpfiles"),
    ] {
        let config = folder.write("root/elder.conf", &text(&format!("systemd/{file}")));
        let root = format!("--root={}", folder.join("root").display());
        let output = Command::new(program)
            .arg(root)
            .args(more)
            .arg(config)
            .output()
            .unwrap();
        assert!(output.status.success(), "{program}: {output:?}");
    }
    let users = folder.read("root/etc/passwd");
    assert!(
        users.contains(":elder job scheduler:/var/lib/elder:/usr/sbin/nologin\n"),
        "{users}"
    );
    assert!(folder.read("root/etc/group").contains("elder:"));
    assert!(folder.join("root/etc/elder/jobs.d").is_dir());
    let secrets = std::fs::metadata(folder.join("root/etc/elder/secrets")).unwrap();
    assert_eq!(
        std::os::unix::fs::MetadataExt::mode(&secrets) & 0o777,
        0o700
    );
}

/// The system calls of a group, groups within it too, as systemd knows them.
fn calls(group: &str) -> BTreeSet<String> {
    let output = Command::new("systemd-analyze")
        .args(["syscall-filter", "--no-pager"])
        .output()
        .unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let mut groups: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut open = "";
    for line in listed.lines() {
        match line.strip_prefix("    ") {
            Some(call) if !call.starts_with('#') => groups.entry(open).or_default().push(call),
            Some(_) => {}
            None => open = line.trim(),
        }
    }
    let mut found = BTreeSet::new();
    let mut todo = vec![group];
    while let Some(name) = todo.pop() {
        match groups.get(name) {
            Some(members) => todo.extend(members),
            None => drop(found.insert(name.to_owned())),
        }
    }
    found
}

#[test]
fn elder_calls_nothing_that_the_unit_keeps_from_it() {
    let trial = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output();
    if !trial.is_ok_and(|out| out.status.success()) || !has("systemd-analyze") {
        not_tested("strace is not to be had, or may not trace");
        return;
    }
    let folder = Folder::with(&[(
        "jobs.d/a.yaml",
        "jobs:\n  shell:\n    schedule: { every: 500ms }\n    run: 'true'\n\
         \x20 ask:\n    schedule: { every: 500ms }\n    http: \"${elder.server}/healthz\"\n\
         \x20 long:\n    schedule: startup\n    run: sleep 60\n    timeout: 1s\n    kill_grace: 1s\n",
    )]);
    let trace = folder.join("trace").display().to_string();
    // Beside elder and not above it, so that who ends elder ends the tracer.
    let daemon = Daemon::start_by(&folder, &["strace", "-D", "-f", "-q", "-o", &trace]);
    daemon.wait_until_ready();
    until("each job has run", || {
        let metrics = daemon.metrics();
        let done = |job: &str, outcome: &str| {
            let labels = [("job_name", job), ("outcome", outcome)];
            metrics
                .get("elder_executed_total", &labels)
                .unwrap_or_default()
                >= 1.0
        };
        (done("shell", "success") && done("ask", "success") && done("long", "timed_out"))
            .then_some(())
    });
    folder.write(
        "jobs.d/b.yaml",
        "jobs: { b: { schedule: manual, run: x } }\n",
    );
    until("the edit is in force", || {
        (daemon.get("/api/v1/jobs/b").status == 200).then_some(())
    });
    drop(daemon);
    until("the tracer has written all", || {
        folder.read("trace").ends_with("+++\n").then_some(())
    });
    let unit = text("systemd/elder.service");
    let of = |key: &str| {
        let line = unit.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_else(|| panic!("no {key}")).to_owned()
    };
    let allowed = calls(&of("SystemCallFilter="));
    assert!(
        allowed.len() > 200 && !allowed.contains("reboot"),
        "{allowed:?}"
    );
    let families = of("RestrictAddressFamilies=");
    let trace = folder.read("trace");
    let mut seen = BTreeSet::new();
    for line in trace.lines() {
        let Some((_, call)) = line.split_once(' ') else {
            continue;
        };
        let Some((name, rest)) = call.trim_start().split_once('(') else {
            continue;
        };
        if !name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        {
            continue;
        }
        seen.insert(name.to_owned());
        if name == "socket" {
            let family = rest.split(',').next().unwrap();
            assert!(families.split(' ').any(|one| one == family), "{line}");
        }
    }
    assert!(
        seen.contains("fsync") && seen.contains("execve"),
        "{seen:?}"
    );
    let kept: Vec<_> = seen.difference(&allowed).collect();
    assert!(kept.is_empty(), "not in SystemCallFilter: {kept:?}");
}

#[test]
fn a_job_of_another_user_runs_with_the_rights_of_that_drop_in() {
    if !rustix::process::geteuid().is_root() {
        not_tested("not root");
        return;
    }
    let drop_in = text("systemd/jobs-as-users.conf");
    let rights = drop_in
        .lines()
        .find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    let rights = rights
        .unwrap()
        .to_lowercase()
        .replace("cap_", "+")
        .replace(' ', ",");
    let with = |rights: &str| {
        let folder = crate::shipped::copied("examples/users-and-limits");
        let set = format!("--bounding-set=-all,{rights}");
        let daemon = Daemon::start_by(&folder, &["setpriv", &set, "--no-new-privs"]);
        daemon.wait_until_ready();
        crate::shipped::ask(&daemon, &folder, "trigger as-nobody --wait")
    };
    let finished = with(&rights);
    assert_eq!(finished.code, Some(0), "{finished}");
    let finished = with(&rights.replace("+setuid,", ""));
    assert!(finished.stdout.contains("failed (setup)"), "{finished}");
}
