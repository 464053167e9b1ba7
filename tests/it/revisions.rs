//! Which commit runs, and waiting for one.

use serde_json::Value;

use super::support::{Daemon, Folder, Metrics, StandIn, elder, git, until};

const ONE: &str = "jobs:\n  tick: { schedule: { every: 200ms }, run: 'true' }\n";
const TWO: &str = "jobs:\n  tick: { schedule: { every: 300ms }, run: 'true' }\n";

/// A repository whose work tree elder runs, with one commit.
fn repository() -> (Folder, String) {
    let folder = Folder::with(&[("jobs.d/a.yaml", ONE), (".gitignore", "state\nruntime\n")]);
    git(folder.path(), "init -q -b main .");
    git(folder.path(), "add .");
    git(folder.path(), "commit -q -m one");
    let one = git(folder.path(), "rev-parse HEAD");
    (folder, one)
}

fn commit(folder: &Folder, text: &str) -> String {
    folder.write("jobs.d/a.yaml", text);
    git(folder.path(), "commit -q -a -m more");
    git(folder.path(), "rev-parse HEAD")
}

fn revision(daemon: &Daemon) -> String {
    let config = daemon.get("/api/v1/config").json();
    config["sync"]["revision"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn wait(folder: &Folder, daemon: &Daemon, what: &str) -> super::support::Finished {
    let server = format!("http://{}", daemon.address());
    elder(&format!("wait {what} --server {server}"))
        .within(folder.path())
        .run()
}

#[test]
fn the_commit_of_a_checkout_is_on_jobs_runs_metrics_and_configuration() {
    let (folder, one) = repository();
    let daemon = Daemon::start(&folder);
    assert_eq!(revision(&daemon), one);
    let last = |revision: &str| {
        until("a run of that revision", || {
            let runs = daemon.get("/api/v1/jobs/tick/runs?limit=1").json();
            (runs["runs"][0]["revision"] == revision).then_some(())
        });
    };
    last(&one);
    let metrics = Metrics::parse(&daemon.get("/metrics").body);
    let info = metrics.get("elder_config_info", &[("revision", one.as_str())]);
    assert_eq!(info, Some(1.0));

    folder.write("jobs.d/a.yaml", TWO);
    until("the edit is known as one", || {
        (revision(&daemon) == format!("{one}-dirty")).then_some(())
    });
    git(folder.path(), "commit -q -a -m two");
    let two = git(folder.path(), "rev-parse HEAD");
    // No job file changes by it.
    until("the commit is seen", || {
        (revision(&daemon) == two).then_some(())
    });
    last(&two);
    assert_eq!(daemon.get("/api/v1/jobs/tick").json()["revision"], two);
}

#[test]
fn a_wait_ends_as_the_commit_fared() {
    let (folder, one) = repository();
    let daemon = Daemon::start(&folder);
    let finished = wait(&folder, &daemon, &format!("--revision {one}"));
    assert_eq!(
        (finished.code, finished.stdout.as_str()),
        (Some(0), "in force\n")
    );
    assert_eq!(
        wait(&folder, &daemon, &format!("--revision {}", &one[..7])).code,
        Some(0)
    );
    assert_eq!(wait(&folder, &daemon, "jobs.d").code, Some(0));

    let two = commit(&folder, TWO);
    assert_eq!(
        wait(&folder, &daemon, &format!("--revision {two} jobs.d")).code,
        Some(0)
    );

    let bad = commit(
        &folder,
        "jobs:\n  tick: { schedule: { evry: 1s }, run: 'true' }\n",
    );
    let finished = wait(&folder, &daemon, &format!("--revision {bad}"));
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(
        finished.stdout.contains("jobs.d/a.yaml:2: E002"),
        "{finished}"
    );

    let emptied = commit(&folder, "jobs: {}\n");
    let finished = wait(&folder, &daemon, &format!("--revision {emptied}"));
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(finished.stdout.contains("held: tick"), "{finished}");

    let finished = wait(&folder, &daemon, "--revision nowhere --timeout 300ms");
    assert_eq!(finished.code, Some(2), "{finished}");
    assert!(finished.stderr.contains(&emptied), "{finished}");
    assert_eq!(wait(&folder, &daemon, "").code, Some(2));

    // Somebody listens there and never answers.
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", deaf.local_addr().unwrap());
    let finished = elder(&format!(
        "wait --revision {one} --timeout 1s --server {server}"
    ))
    .run();
    assert_eq!(finished.code, Some(2), "{finished}");
}

#[test]
fn an_elder_that_is_told_its_revision_looks_at_no_repository() {
    let (folder, _) = repository();
    let daemon = Daemon::start_with(&folder, |program| program.arg("--revision").arg("v1.2"));
    daemon.wait_until_ready();
    assert_eq!(revision(&daemon), "v1.2");
    assert_eq!(wait(&folder, &daemon, "--revision v1.2").code, Some(0));
}

#[test]
fn a_folder_of_git_sync_says_its_commit_after_each_swap() {
    let (one, two) = ("1".repeat(40), "2".repeat(40));
    let folder = Folder::with(&[
        (&format!("git/.worktrees/{one}/jobs.d/a.yaml"), ONE),
        (&format!("git/.worktrees/{two}/jobs.d/a.yaml"), TWO),
    ]);
    let link = |commit: &str| {
        let fresh = folder.join("git/fresh");
        std::os::unix::fs::symlink(format!(".worktrees/{commit}"), &fresh).unwrap();
        std::fs::rename(&fresh, folder.join("git/current")).unwrap();
    };
    link(&one);
    std::fs::remove_dir_all(folder.join("jobs.d")).ok();
    std::os::unix::fs::symlink("git/current/jobs.d", folder.join("jobs.d")).unwrap();
    let daemon = Daemon::start(&folder);
    assert_eq!(revision(&daemon), one);
    link(&two);
    assert_eq!(
        wait(&folder, &daemon, &format!("--revision {two}")).code,
        Some(0)
    );
    let job: Value = daemon.get("/api/v1/jobs/tick").json();
    assert_eq!(job["trigger"], "every: 300ms");
}

fn billing(run: &str) -> String {
    format!("jobs:\n  billing:\n    schedule: manual\n    on_failure: ops\n    run: {run}\n")
}

/// Somebody's commit of a job that runs this.
fn commit_as(folder: &Folder, who: &str, run: &str) -> String {
    folder.write("jobs.d/billing.yaml", &billing(run));
    git(folder.path(), "add .");
    git(folder.path(), &format!("-c user.name={who} commit -q -m x"));
    git(folder.path(), "rev-parse HEAD")
}

fn in_force(daemon: &Daemon, commit: &str) {
    until("the commit is in force", || {
        (revision(daemon) == commit).then_some(())
    });
}

#[test]
fn a_job_that_fails_says_since_which_commit_who_made_it_and_what_it_changed() {
    let sink = StandIn::start(|_| (200, "{}".to_owned()));
    let sage = format!("sages:\n  ops: {{ http: {}, remind: 1ms }}\n", sink.url());
    let folder = Folder::with(&[
        ("jobs.d/sages.yaml", &sage),
        (".gitignore", "state\nruntime\n"),
    ]);
    git(folder.path(), "init -q -b main .");
    let good = commit_as(&folder, "Grace", "'true'");
    let daemon = Daemon::start(&folder);
    let job = |daemon: &Daemon| daemon.get("/api/v1/jobs/billing").json();
    let first = job(&daemon);
    assert_eq!(first["edition"]["revision"], good);
    assert_eq!(first["edition"]["author"], "Grace");
    let succeeded = daemon.run("billing");
    assert_eq!(succeeded["outcome"], "success");
    assert_eq!(succeeded["definition_hash"], first["definition_hash"]);
    assert_eq!(first["failing_since"], Value::Null);

    let bad = commit_as(&folder, "Ada", "'exit 3'");
    in_force(&daemon, &bad);
    let failed = daemon.run("billing");
    assert_eq!(failed["edition"]["revision"], bad, "{failed}");
    // Later failures and commits elsewhere change nothing about where it began.
    folder.write("README", "x");
    git(folder.path(), "add .");
    git(folder.path(), "commit -q -m unrelated");
    in_force(&daemon, &git(folder.path(), "rev-parse HEAD"));
    daemon.run("billing");
    let since = job(&daemon)["failing_since"].clone();
    assert_eq!(since["run_id"], failed["run_id"]);
    assert_eq!(since["revision"], bad);
    assert_eq!(since["author"], "Ada");
    let changed = serde_json::json!([{"key": "run", "before": "true", "after": "exit 3"}]);
    assert_eq!(since["changed"], changed);

    let words = format!("revision {} by Ada, which changed run", &bad[..12]);
    let server = format!("http://{}", daemon.address());
    for (command, want) in [
        ("show billing", words.clone()),
        ("explain billing", words.clone()),
        ("report", "billing fails since 20".to_owned()),
        ("report", words.clone()),
        ("list", format!("failing since {}", &bad[..12])),
        ("status", "the last run of 1 job failed: billing".to_owned()),
        (
            "runs billing",
            format!("jobs.d/billing.yaml:2 @ {}", &bad[..12]),
        ),
    ] {
        let finished = elder(&format!("{command} --server {server}")).run();
        assert!(finished.stdout.contains(&want), "{command}: {finished}");
    }
    let letters = until("both failures are told", || {
        let seen = sink.seen();
        (seen.len() == 2).then_some(seen)
    });
    for letter in letters {
        let letter: Value = serde_json::from_str(&letter.body).unwrap();
        assert_eq!(letter["source"], "jobs.d/billing.yaml:2");
        assert_eq!(letter["author"], "Ada");
        assert_eq!(letter["failing_since"]["run_id"], failed["run_id"]);
        assert_eq!(letter["failing_since"]["revision"], bad);
        assert_eq!(letter["failing_since"]["changed"][0], "run");
        assert!(
            letter["failing_since"]["text"]
                .as_str()
                .unwrap()
                .contains(&words)
        );
    }
    let log = daemon.log();
    let line = log.iter().find(|line| line.contains("run failed")).unwrap();
    for word in [bad.as_str(), "jobs.d/billing.yaml:2", "Ada"] {
        assert!(line.contains(word), "{word}: {line}");
    }
    assert!(
        line.contains(failed["definition_hash"].as_str().unwrap()),
        "{line}"
    );
    let hash = job(&daemon)["definition_hash"].as_str().unwrap().to_owned();
    let metrics = daemon.metrics();
    let labels = [("job_name", "billing"), ("definition", hash.as_str())];
    assert_eq!(metrics.get("elder_job_info", &labels), Some(1.0));

    assert!(daemon.stop().success());
    let daemon = Daemon::start(&folder);
    assert_eq!(job(&daemon)["failing_since"], since, "after a restart");
    // An edit is nobody's until it is committed, and then it is of that commit.
    let before = revision(&daemon);
    folder.write("jobs.d/billing.yaml", &billing("'true'"));
    in_force(&daemon, &format!("{before}-dirty"));
    assert_eq!(job(&daemon)["edition"]["author"], Value::Null);
    let mended = commit_as(&folder, "Ada", "'true'");
    in_force(&daemon, &mended);
    until("the edit is said to be of the commit", || {
        (job(&daemon)["edition"]["author"] == "Ada").then_some(())
    });
    assert_eq!(daemon.run("billing")["outcome"], "success");
    let now = job(&daemon);
    assert_eq!(now["failing_since"], Value::Null);
    assert_eq!(
        now["definition_hash"], first["definition_hash"],
        "as it was"
    );
    assert_eq!(now["edition"]["revision"], mended, "and since then");
}

#[test]
fn who_is_told_is_believed_and_no_address_is_in_metrics() {
    let (folder, one) = repository();
    let daemon = Daemon::start_with(&folder, |program| {
        program.arg("--author").arg("ada@example.com")
    });
    daemon.wait_until_ready();
    let sync = daemon.get("/api/v1/config").json()["sync"].clone();
    assert_eq!(sync["revision"], one);
    assert_eq!(sync["author"], "ada@example.com");
    let info = [("revision", one.as_str()), ("author", "")];
    let metrics = daemon.metrics();
    assert_eq!(metrics.get("elder_config_info", &info), Some(1.0));
    let text = daemon.get("/metrics").body;
    assert!(!text.contains("ada@example.com"), "an address in metrics");
}

#[test]
fn a_git_that_hangs_holds_up_a_start_for_seconds_and_leaves_the_author_unknown() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, one) = repository();
    let git = folder.join("bin/git");
    folder.write("bin/git", "#!/bin/sh\nexec sleep 600\n");
    std::fs::set_permissions(&git, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.join("bin").display());
    let daemon = Daemon::start_with(&folder, |program| program.env("PATH", &path));
    daemon.wait_until_ready();
    let sync = daemon.get("/api/v1/config").json()["sync"].clone();
    assert_eq!(
        (&sync["revision"], &sync["author"]),
        (&one.into(), &Value::Null)
    );
    until("the job fires", || {
        let runs = daemon.get("/api/v1/jobs/tick/runs?outcome=success").json();
        runs["runs"]
            .as_array()
            .filter(|runs| !runs.is_empty())
            .map(drop)
    });
}
