//! Which commit runs, and waiting for one.

use serde_json::Value;

use super::support::{Daemon, Folder, Metrics, elder, git, until};

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
