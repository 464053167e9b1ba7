//! What somebody could do who may write a job file, a file beside it, or a request.

use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::{Value, json};

use super::support::{Daemon, Folder, elder, until};

const TICK: &str = "jobs:\n  tick: { schedule: { every: 200ms }, run: \"true\" }\n";

/// How often the job `tick` has run.
fn ticks(daemon: &Daemon) -> u64 {
    let total = &daemon.get("/stats").json()["total_executed"];
    total.as_u64().unwrap()
}

/// The lines of the log as what they are: JSON, one a line.
fn logged(daemon: &Daemon) -> Vec<Value> {
    let lines = daemon.log();
    let read = |line: &String| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    lines.iter().map(read).collect()
}

#[test]
fn hostile_files_are_named_one_by_one_and_disturb_nothing() {
    let folder = Folder::with(&[("jobs.d/tick.yaml", TICK)]);
    let daemon = Daemon::start(&folder);
    let at = |name: &str| folder.join(&format!("jobs.d/{name}"));
    mkfifoat(CWD, at("pipe.yaml"), Mode::RWXU).unwrap();
    symlink("/dev/zero", at("device.yaml")).unwrap();
    symlink("../../../../../../etc/passwd", at("passwd.yaml")).unwrap();
    symlink("round.yaml", at("round.yaml")).unwrap();
    let name = Path::new(std::ffi::OsStr::from_bytes(b"jobs.d/b\xff.yaml"));
    std::fs::write(folder.path().join(name), TICK).unwrap();
    let sparse = std::fs::File::create(at("large.yaml")).unwrap();
    sparse.set_len(1 << 30).unwrap();
    folder.write("jobs.d/nul.yaml", "jobs:\0");
    folder.write("jobs.d/deep.yaml", &"[".repeat(100_000));
    let mut bomb = "x-0: &a0 [x, x]\n".to_owned();
    for n in 1..60 {
        bomb.push_str(&format!("x-{n}: &a{n} [*a{0}, *a{0}]\n", n - 1));
    }
    folder.write("jobs.d/bomb.yaml", &bomb);
    let tag = format!(
        "%TAG !a! !{}\n---\nx-a: [{}]\n",
        "x".repeat(1 << 20),
        "!a!y 1, ".repeat(10_000)
    );
    folder.write("jobs.d/tag.yaml", &tag);
    folder.write(
        "jobs.d/line\n{\"level\":\"error\"}\u{1b}[31m.yaml",
        "jobs: x\n",
    );

    let reply = daemon.post("/-/reload", "");
    assert_eq!(reply.status, 422, "{reply:?}");
    let findings = reply.json()["findings"].as_array().unwrap().clone();
    let of = |file: &str| {
        let found = findings
            .iter()
            .find(|one| one["file"].as_str().unwrap().contains(file));
        found.unwrap_or_else(|| panic!("nothing about {file}: {findings:#?}"))["code"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    for (file, code) in [
        ("pipe.yaml", "E023"),
        ("device.yaml", "E023"),
        ("passwd.yaml", "E023"),
        ("round.yaml", "E023"),
        ("jobs.d/b\u{fffd}.yaml", "E023"),
        ("large.yaml", "E023"),
        ("nul.yaml", "E023"),
        ("deep.yaml", "E006"),
        ("bomb.yaml", "E006"),
        ("tag.yaml", "E001"),
        ("line\n", "E004"),
    ] {
        assert_eq!(of(file), code, "{file:?}");
    }
    let before = ticks(&daemon);
    until("the good job goes on", || {
        (ticks(&daemon) > before + 2).then_some(())
    });
    let told = logged(&daemon);
    let whole = |line: &Value| line["at"] == json!("jobs.d/pipe.yaml");
    assert!(told.iter().any(whole), "{told:#?}");
}

#[test]
fn an_error_is_told_before_any_number_of_warnings() {
    let mut warnings = "jobs:\n".to_owned();
    for n in 0..30 {
        warnings.push_str(&format!("  j{n}: {{ schedule: manual, run: a | b }}\n"));
    }
    let folder = Folder::with(&[
        ("jobs.d/a.yaml", &warnings),
        ("jobs.d/z.yaml", "jobs: { x: { run: a } }\n"),
    ]);
    let daemon = Daemon::start(&folder);
    let about = |line: &Value| line["at"].as_str().is_some_and(|at| at.contains("z.yaml"));
    until("it is told", || {
        logged(&daemon).iter().any(about).then_some(())
    });
}

#[test]
fn what_a_file_holds_does_not_speak_to_the_terminal_of_whoever_syncs() {
    let folder = Folder::with(&[(
        "jobs.d/a.yaml",
        "jobs:\n  x:\n    \"k\\e[31m\\nall is well\": 1\n    run: a\n    schedule: manual\n",
    )]);
    let daemon = Daemon::start(&folder);
    let runtime = folder.join("runtime").display().to_string();
    let synced = elder("sync")
        .env("ELDER_SERVER", &format!("http://{}", daemon.address()))
        .env("XDG_RUNTIME_DIR", &runtime)
        .run();
    assert_eq!(synced.code, Some(1), "{synced}");
    let said = format!("{}{}", synced.stdout, synced.stderr);
    assert!(said.contains("E002"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
    assert!(
        !said.lines().any(|line| line.starts_with("all is well")),
        "{said}"
    );
}

#[test]
fn a_backup_is_not_led_into_another_file() {
    let folder = Folder::with(&[("jobs.d/tick.yaml", TICK), ("precious", "precious")]);
    let daemon = Daemon::start(&folder);
    symlink("precious", folder.join("a.db.partial")).unwrap();
    let to = json!({"to": folder.join("a.db")}).to_string();
    let reply = daemon.post("/api/v1/backup", &to);
    assert_eq!(reply.status, 500, "{reply:?}");
    assert_eq!(folder.read("precious"), "precious");
    let to = json!({"to": folder.join("state/elder.db-journal")}).to_string();
    assert_eq!(daemon.post("/api/v1/backup", &to).status, 500);
    let to = json!({"to": folder.join("b.db")}).to_string();
    assert_eq!(daemon.post("/api/v1/backup", &to).status, 200);
}

#[test]
fn a_start_with_nothing_to_do_says_so_and_takes_what_comes() {
    let folder = Folder::new();
    let runtime = folder.join("runtime").display().to_string();
    let mut command = elder("run --listen 127.0.0.1:0 --state state --log-format json")
        .within(folder.path())
        .env("XDG_RUNTIME_DIR", &runtime)
        .command();
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            // Nobody may be waiting for more.
            let _ = tell.send(line);
        }
    });
    let hear = |what: &str| until(what, || told.try_iter().find(|line| line.contains(what)));
    hear("there are no jobs: jobs.d holds no job file");
    folder.write("jobs.d/tick.yaml", TICK);
    hear("run succeeded");
    child.kill().unwrap();
    child.wait().unwrap();
}
