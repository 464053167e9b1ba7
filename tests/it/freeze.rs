//! `sync_windows` from outside: what waits, who is told, and how it comes in.

use std::time::Duration;

use jiff::Timestamp;

use super::support::{Daemon, Finished, Folder, elder, git, now, until};

const ONE: &str = "jobs:\n  one: { schedule: { every: 1h }, run: 'true' }\n";
const TWO: &str = "jobs:\n  two: { schedule: { every: 1h }, run: 'true' }\n";

/// A window that opened a minute ago and is open for so much longer.
fn denies(longer: Duration) -> (String, Timestamp) {
    let opened = now() - Duration::from_secs(60);
    let length = Duration::from_secs(60) + longer;
    let text = format!(
        "sync_windows:\n  - deny: {{ at: \"{opened}\" }}\n    for: {}ms\n    reason: nobody is here\n",
        length.as_millis()
    );
    (text, opened + length)
}

fn start(folder: &Folder) -> Daemon {
    let daemon = Daemon::start_with(folder, |program| program.arg("--config=elder.yaml"));
    daemon.wait_until_ready();
    daemon
}

fn ask(daemon: &Daemon, folder: &Folder, words: &[&str]) -> Finished {
    let runtime = folder.join("runtime").display().to_string();
    let program = elder("")
        .within(folder.path())
        .env("ELDER_SERVER", &format!("http://{}", daemon.address()))
        .env("XDG_RUNTIME_DIR", &runtime);
    words
        .iter()
        .fold(program, |program, word| program.arg(*word))
        .run()
}

fn has(daemon: &Daemon, job: &str) -> bool {
    daemon.get(&format!("/api/v1/jobs/{job}")).status == 200
}

#[test]
fn a_change_in_a_freeze_is_held_across_a_restart_until_an_admin_lets_it_in() {
    let (windows, _) = denies(Duration::from_secs(3600));
    let folder = Folder::with(&[("jobs.d/a.yaml", ONE), ("elder.yaml", &windows)]);
    let daemon = start(&folder);
    assert!(has(&daemon, "one"), "a first load waits for nobody");
    let status = ask(&daemon, &folder, &["status"]);
    assert!(
        status.stdout.contains("changes of job files wait until 2"),
        "{status}"
    );

    folder.write("jobs.d/b.yaml", TWO);
    let reply = daemon.post("/-/reload", "");
    assert_eq!(reply.status, 409, "{reply:?}");
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("held until 2")
            && detail.contains("(nobody is here): 1 added (added: two)"),
        "{detail}"
    );
    assert!(!has(&daemon, "two"));
    let config = daemon.get("/api/v1/config").json();
    assert_eq!(config["sync"]["status"], "Held");
    assert_eq!(config["sync"]["freeze"]["reason"], "nobody is here");
    assert_eq!(config["sync"]["waiting"]["change"], "1 added (added: two)");
    assert_eq!(
        daemon.metrics().get("elder_config_change_held", &[]),
        Some(1.0)
    );
    let waited = ask(&daemon, &folder, &["wait", "jobs.d", "--timeout", "30s"]);
    assert_eq!(waited.code, Some(1), "{waited}");
    assert!(
        waited.stdout.contains("held until") || waited.stderr.contains("held until"),
        "{waited}"
    );
    let status = ask(&daemon, &folder, &["status"]);
    assert!(status.stdout.starts_with("Held  "), "{status}");
    assert!(
        status.stdout.contains("elder sync --force --reason"),
        "{status}"
    );

    // The last set goes on, and fires.
    daemon.kill();
    let daemon = start(&folder);
    assert!(has(&daemon, "one") && !has(&daemon, "two"));
    assert_eq!(daemon.run("one")["outcome"], "success");
    let config = daemon.get("/api/v1/config").json();
    assert_eq!(config["sync"]["status"], "Held", "{config}");

    let no_reason = ask(&daemon, &folder, &["sync", "--force"]);
    assert_eq!(no_reason.code, Some(2), "{no_reason}");
    let forced = ask(
        &daemon,
        &folder,
        &["sync", "--force", "--reason", "mends the outage"],
    );
    assert_eq!(forced.code, Some(0), "{forced}");
    assert!(has(&daemon, "two"));
    assert_eq!(
        daemon.metrics().get("elder_config_change_held", &[]),
        Some(0.0)
    );
    let bearer = format!("Bearer {}", daemon.token());
    until("the audit trail has it", || {
        let trail = daemon.send("GET", "/api/v1/audit", &[("Authorization", &bearer)], "");
        let said = "in spite of a freeze: mends the outage";
        trail.body.contains(said).then_some(())
    });
}

#[test]
fn what_waits_comes_in_by_itself_when_the_window_closes_or_is_taken_out() {
    let (windows, closes) = denies(Duration::from_secs(4));
    let folder = Folder::with(&[("jobs.d/a.yaml", ONE), ("elder.yaml", &windows)]);
    let daemon = start(&folder);
    folder.write("jobs.d/b.yaml", TWO);
    let reply = daemon.post("/-/reload", "");
    // A machine that is very slow finds the window closed.
    assert!(reply.status == 409 || now() >= closes, "{reply:?}");
    let came = until("the change comes in", || has(&daemon, "two").then(now));
    assert!(
        came >= closes,
        "it came at {came}, and the window closes at {closes}"
    );
    // The engine has it a moment before the status tells.
    until("it is in step", || {
        let config = daemon.get("/api/v1/config").json();
        (config["sync"]["status"] == "Synced").then_some(())
    });

    let (windows, _) = denies(Duration::from_secs(3600));
    folder.write("elder.yaml", &windows);
    folder.remove("jobs.d/b.yaml");
    folder.write("jobs.d/a.yaml", &ONE.replace("1h", "2h"));
    assert_eq!(daemon.post("/-/reload", "").status, 409);
    // A file that says nothing rightly lifts no freeze.
    folder.write("elder.yaml", "sync_windows: [{ deny: never }]\n");
    assert_eq!(daemon.post("/-/reload", "").status, 409);
    until("it is told", || {
        daemon.has_logged("the settings stay as they were: elder.yaml:1:24")
    });
    folder.write("elder.yaml", "sync_windows: []\n");
    let reply = daemon.post("/-/reload", "");
    assert_eq!(reply.json()["waits"], serde_json::Value::Null, "{reply:?}");
    let job = daemon.get("/api/v1/jobs/one").json();
    assert_eq!(job["trigger"], "every: 2h");
}

#[test]
fn a_settings_file_that_is_bad_at_the_start_ends_it_with_every_place() {
    let folder = Folder::with(&[
        ("jobs.d/a.yaml", ONE),
        (
            "elder.yaml",
            "sync_windows:\n  - { deny: '61 * * * *', for: 1h }\n  - { allow: '@daily' }\nmax_workers: 4\n",
        ),
    ]);
    let line = "run jobs.d --state state --listen 127.0.0.1:0 --config elder.yaml";
    let finished = elder(line).within(folder.path()).run();
    assert_eq!(finished.code, Some(2), "{finished}");
    for place in ["elder.yaml:2:", "elder.yaml:3:5"] {
        assert!(finished.stderr.contains(place), "{place}: {finished}");
    }
    let shown = elder("config show --config elder.yaml").within(folder.path());
    let shown = shown.run();
    assert_eq!(shown.code, Some(2), "what run refuses: {shown}");
    assert!(shown.stderr.contains("elder.yaml:3:5"), "{shown}");
    folder.write("elder.yaml", "sync_window: []\n");
    let finished = elder(line).within(folder.path()).run();
    assert_eq!(finished.code, Some(2), "{finished}");
    assert!(
        finished.stderr.contains("did you mean `sync_windows`?"),
        "{finished}"
    );
}

#[test]
fn who_waits_for_a_commit_in_a_freeze_is_told_that_it_is_held_and_what_is_in_force_is() {
    let (windows, _) = denies(Duration::from_secs(3600));
    let folder = Folder::with(&[
        ("jobs.d/a.yaml", ONE),
        ("elder.yaml", &windows),
        (".gitignore", "state\nruntime\n"),
    ]);
    git(folder.path(), "init -q -b main .");
    let commit = || {
        git(folder.path(), "add .");
        git(folder.path(), "commit -q -m more");
        git(folder.path(), "rev-parse HEAD")
    };
    let one = commit();
    let daemon = start(&folder);
    let wait = |revision: &str, code: i32, words: &str| {
        let words_of = ["wait", "--revision", revision, "--timeout", "20s"];
        let waited = ask(&daemon, &folder, &words_of);
        assert_eq!(waited.code, Some(code), "{revision}: {waited}");
        assert!(waited.stdout.contains(words), "{waited}");
    };
    wait(&one, 0, "in force");
    folder.write("jobs.d/b.yaml", TWO);
    let two = commit();
    wait(&two, 1, "held until");
    wait(&one, 0, "in force");
    // The same job files in another commit: they are held as those were.
    folder.write("README", "more");
    let three = commit();
    wait(&three, 1, "held until");
    // Back to what is in force: no change, so nothing waits, and the commit is there.
    folder.remove("jobs.d/b.yaml");
    let four = commit();
    wait(&four, 0, "in force");
    // A bad file beside what is held.
    folder.write("jobs.d/b.yaml", TWO);
    folder.write("jobs.d/c.yaml", "jobs: { three: { run: 'true' } }\n");
    let five = commit();
    wait(&five, 1, "Invalid");
    folder.remove("jobs.d/c.yaml");
    let six = commit();
    wait(&six, 1, "held until");
    folder.write("elder.yaml", "sync_windows: []\n");
    assert_eq!(daemon.post("/-/reload", "").status, 200);
    let seven = commit();
    wait(&seven, 0, "in force");
    assert!(has(&daemon, "two"));
}
