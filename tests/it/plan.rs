//! `elder plan`: beside a commit, a folder and a running elder.

use insta::assert_snapshot;
use serde_json::json;

use super::support::{Daemon, Folder, Program, elder, git, until};

const BEFORE: &str = "defaults: { timezone: Asia/Tokyo }
jobs:
  backup: { schedule: { daily: '02:00' }, run: ./backup.sh, timeout: 1h }
  export: { schedule: { daily: '03:00' }, run: ./export.sh }
  ping: { schedule: { every: 5m }, http: https://shop.example.com/healthz }
";

const AFTER: &str = "defaults: { timezone: Asia/Tokyo }
jobs:
  backup: { schedule: { daily: '03:00' }, run: ./backup.sh, timeout: 2h }
  ping: { schedule: { every: 5m }, http: https://shop.example.com/healthz, retry: 2 }
  tidy: { schedule: { daily: '03:00' }, run: ./tidy.sh }
";

const FROM: &str = "--from 2027-01-04T00:00:00Z";

/// A repository with one commit, and an edit after it.
fn repository() -> Folder {
    let folder = Folder::with(&[("ops/jobs.d/a.yaml", BEFORE), ("README", "x")]);
    git(folder.path(), "init -q -b main .");
    git(folder.path(), "add .");
    git(folder.path(), "commit -q -m one");
    folder.write("ops/jobs.d/a.yaml", AFTER);
    folder
}

fn plan(folder: &Folder, more: &str) -> Program {
    elder(&format!("plan ops/jobs.d {FROM} {more}")).within(folder.path())
}

#[test]
fn an_edit_is_told_beside_the_last_commit() {
    let folder = repository();
    let commit = &git(folder.path(), "rev-parse HEAD")[..12];
    let finished = plan(&folder, "").run();
    assert_eq!(finished.code, Some(0), "{finished}");
    assert_snapshot!(finished.stdout.replace(commit, "COMMIT"), @r##"
    Against git:HEAD (COMMIT), from 2027-01-04T00:00:00Z on: 3 jobs, then 3

    - removed      export  ops/jobs.d/a.yaml:4
        daily: "03:00" (Asia/Tokyo)
    ~ rescheduled  backup  ops/jobs.d/a.yaml:3
        daily: "02:00" (Asia/Tokyo) -> daily: "03:00" (Asia/Tokyo)
        next 2027-01-05T02:00:00+09:00 -> 2027-01-05T03:00:00+09:00
        timeout: 1h -> 2h
    ~ changed      ping  ops/jobs.d/a.yaml:4
        retry.max: 0 -> 2
    + added        tidy  ops/jobs.d/a.yaml:5
        daily: "03:00" (Asia/Tokyo)
        at 03:00 every day, Asia/Tokyo time; next 2027-01-05T03:00:00+09:00

    Fires   next 24 hours: 2 gained, 2 lost
            next 30 days:  60 gained, 60 lost
    Busiest minute   2 -> 3 fires, at 2027-01-04T18:00:00Z
    At once          2 -> 3 runs, if each takes 30 s
    Collision        2027-01-04T18:00:00Z: 2 -> 3 fires in this minute, new ones of backup, tidy

    1 removed, 1 rescheduled, 1 changed, 1 added
    "##);
}

#[test]
fn markdown_is_fit_for_a_comment() {
    let folder = repository();
    let commit = &git(folder.path(), "rev-parse HEAD")[..12];
    let finished = plan(&folder, "--format markdown").run();
    assert_snapshot!(finished.stdout.replace(commit, "COMMIT"), @r##"
    ### elder plan

    Against `git:HEAD (COMMIT)`: **1 removed, 1 rescheduled, 1 changed, 1 added**.

    #### Removed

    | job | schedule | |
    | --- | --- | --- |
    | `export` | `daily: "03:00" (Asia/Tokyo)` |  |

    #### Rescheduled

    | job | before | after | next before | next after | |
    | --- | --- | --- | --- | --- | --- |
    | `backup` | `daily: "02:00" (Asia/Tokyo)` | `daily: "03:00" (Asia/Tokyo)` | 2027-01-05T02:00:00+09:00 | 2027-01-05T03:00:00+09:00 | `timeout`: `1h` → `2h` |

    #### Changed

    | job | what |
    | --- | --- |
    | `ping` | `retry.max`: `0` → `2` |

    #### Added

    | job | schedule | in words | next |
    | --- | --- | --- | --- |
    | `tidy` | `daily: "03:00" (Asia/Tokyo)` | at 03:00 every day, Asia/Tokyo time | 2027-01-05T03:00:00+09:00 |

    #### Fires

    - next 24 hours: 2 gained, 2 lost
    - next 30 days: 60 gained, 60 lost
    - at once: 2 → 3 runs, if each takes 30 s
    - collision at 2027-01-04T18:00:00Z: 2 → 3 fires in this minute, new ones of `backup`, `tidy`

    1 removed, 1 rescheduled, 1 changed, 1 added
    "##);
}

#[test]
fn ci_names_what_a_merge_request_goes_into() {
    let folder = repository();
    git(folder.path(), "add .");
    git(folder.path(), "commit -q -m two");
    assert!(plan(&folder, "").run().stdout.ends_with("no change\n"));
    let first = git(folder.path(), "rev-parse HEAD~1");
    let finished = plan(&folder, "")
        .env("CI_MERGE_REQUEST_DIFF_BASE_SHA", &first)
        .run();
    assert!(finished.stdout.contains("1 rescheduled"), "{finished}");
    git(
        folder.path(),
        &format!("update-ref refs/remotes/origin/stable {first}"),
    );
    let finished = plan(&folder, "").env("GITHUB_BASE_REF", "stable").run();
    assert!(finished.stdout.contains("git:origin/stable"), "{finished}");
    assert!(finished.stdout.contains("1 rescheduled"), "{finished}");
}

#[test]
fn planning_leaves_the_repository_as_it_is() {
    let folder = repository();
    folder.write("ops/jobs.d/untracked.yaml", "jobs: {}\n");
    let state = |folder: &Folder| {
        let status = git(folder.path(), "status --porcelain=v2 --branch");
        let index = std::fs::read(folder.join(".git/index")).unwrap();
        (status, index, folder.read("ops/jobs.d/a.yaml"))
    };
    let before = state(&folder);
    assert_eq!(plan(&folder, "--against git:main").run().code, Some(0));
    assert_eq!(state(&folder), before);
}

#[test]
fn the_exit_status_says_what_was_found() {
    let folder = repository();
    let code = |more: &str| plan(&folder, more).run().code;
    assert_eq!(code("--exit-code"), Some(3));
    folder.write("ops/jobs.d/bad.yaml", "jobs: { x: { evry: 1 } }\n");
    assert_eq!(code("--exit-code"), Some(1), "a file is to be mended first");
    folder.write("ops/jobs.d/bad.yaml", "jobs: {}\n");
    folder.write("ops/jobs.d/a.yaml", BEFORE);
    assert_eq!(code("--exit-code"), Some(0));
}

#[test]
fn the_mend_of_a_revision_that_a_pipelines_clone_lacks_mends_it() {
    let folder = repository();
    git(folder.path(), "branch change");
    let clone = Folder::new();
    let from = folder.path().display();
    git(
        clone.path(),
        &format!("clone -q --depth=1 --branch change file://{from} c"),
    );
    let inside = clone.join("c");
    let against = || {
        elder("plan ops/jobs.d --against git:origin/main")
            .within(&inside)
            .run()
    };
    let refused = against();
    assert_eq!(refused.code, Some(2), "{refused}");
    let (_, command) = refused.stderr.split_once("`git ").unwrap();
    git(&inside, command.split('`').next().unwrap());
    let planned = against();
    assert_eq!(planned.code, Some(0), "{planned}");
}

#[test]
fn what_cannot_be_compared_is_said_with_the_mend() {
    let folder = repository();
    let plain = Folder::with(&[("jobs.d/a.yaml", BEFORE)]);
    for (call, wants) in [
        (plan(&folder, "--against git:nowhere"), "git fetch"),
        (plan(&folder, "--against git:"), "git:origin/main"),
        (plan(&folder, "--against git:--output=x"), "git fetch"),
        (plan(&folder, "--against nowhere"), "cannot read nowhere"),
        (plan(&folder, "--against HEAD"), "git:HEAD"),
        (
            elder("plan ops/jobs.d/a.yaml").within(folder.path()),
            "name the folder",
        ),
        (
            elder("plan jobs.d").within(plain.path()),
            "--against FOLDER",
        ),
        (
            elder("plan jobs.d --against http://127.0.0.1:9").within(plain.path()),
            "--server",
        ),
    ] {
        let finished = call.run();
        assert_eq!(finished.code, Some(2), "{wants}: {finished}");
        assert!(finished.stderr.contains(wants), "{wants}: {finished}");
        assert_eq!(finished.stdout, "", "{wants}");
    }
}

#[test]
fn a_folder_that_the_revision_lacks_was_empty() {
    let folder = repository();
    folder.write(
        "new/jobs.d/a.yaml",
        "jobs: { a: { schedule: manual, run: x } }\n",
    );
    let finished = elder("plan new/jobs.d").within(folder.path()).run();
    assert!(finished.stdout.ends_with("1 added\n"), "{finished}");
}

#[test]
fn a_folder_is_compared_with_another_as_if_both_lay_in_one_place() {
    let folder = Folder::with(&[
        ("a/x.yaml", BEFORE),
        ("b/x.yaml", BEFORE),
        ("c/x.yaml", AFTER),
    ]);
    let call = |line: &str| elder(line).within(folder.path()).run();
    assert!(call("plan b --against a").stdout.ends_with("no change\n"));
    let finished = call("plan c --against a --format json");
    let plan = finished.json();
    assert_eq!(plan["rescheduled"][0]["job_id"], "backup");
    assert_eq!(
        plan["changed"][0]["fields"],
        json!([{ "key": "retry.max", "before": "0", "after": "2" }])
    );
    folder.write("a/bad.yaml", "jobs: { x: { evry: 1 } }\n");
    let finished = call("plan b --against a");
    assert!(
        finished.stderr.contains("1 of the files of a are bad"),
        "{finished}"
    );
}

#[test]
fn a_running_elder_says_what_files_would_change_of_what_it_runs() {
    let folder = Folder::with(&[("jobs.d/a.yaml", BEFORE), ("next/a.yaml", AFTER)]);
    let daemon = Daemon::start(&folder);
    let address = daemon.address();
    let runtime = folder.join("runtime").display().to_string();
    let call = |paths: &str| {
        elder(&format!(
            "plan {paths} {FROM} --against http://{address} --format json"
        ))
        .within(folder.path())
        .env("XDG_RUNTIME_DIR", &runtime)
        .run()
    };
    let same = call("jobs.d").json();
    assert_eq!(same["changed"], json!([]), "{same}");
    assert_eq!(
        (&same["moved"], &same["jobs"]["after"]),
        (&json!(0), &json!(3))
    );

    folder.write("next/pools.yaml", "pools: { db: { limit: 2 } }\n");
    let plan = call("next").json();
    assert_eq!(plan["removed"][0]["job_id"], "export");
    assert_eq!(
        plan["shared"],
        json!([{ "kind": "pool", "name": "db", "change": "added", "source": "jobs.d/pools.yaml:1",
            "fields": [], "jobs": [], "more": 0 }])
    );
    assert_eq!(plan["rescheduled"][0]["job_id"], "backup");
    assert_eq!(plan["added"][0]["job_id"], "tidy");
    assert_eq!(plan["against"], "what runs");

    // What it runs is not what its files say, while one of them is bad.
    folder.write("jobs.d/a.yaml", "jobs: { backup: { evry: 1 } }\n");
    until("the file is refused", || {
        let config = daemon.get("/api/v1/config").json();
        (config["sync"]["status"] == "Invalid").then_some(())
    });
    assert_eq!(call("next").json()["rescheduled"][0]["job_id"], "backup");
    let bad = call("jobs.d");
    assert_eq!(bad.code, Some(1), "{bad}");
    let errors = bad.json()["errors"].clone();
    let codes: Vec<_> = errors
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["code"])
        .collect();
    assert!(codes.contains(&&json!("E002")), "{errors}");

    // Nothing was put in force by asking.
    assert_eq!(daemon.get("/api/v1/jobs/export").status, 200);
    assert_eq!(daemon.get("/api/v1/jobs/tidy").status, 404);

    let refused = |body: serde_json::Value| {
        let reply = daemon.post("/api/v1/plan", &body.to_string());
        (
            reply.status,
            reply.json()["detail"].as_str().unwrap().to_owned(),
        )
    };
    let file = |path: &str| json!({ "paths": [{ "files": [{ "path": path, "text": "" }] }] });
    let twice = json!({ "path": "a.yaml", "text": "" });
    for (body, wants) in [
        (json!({ "paths": [] }), "send as many"),
        (file("../a.yaml"), "stays below"),
        (file("/etc/a.yaml"), "stays below"),
        (file("a.txt"), ".yaml"),
        (
            json!({ "paths": [{ "files": [twice, twice] }] }),
            "there twice",
        ),
    ] {
        let (status, detail) = refused(body);
        assert!(
            status == 400 && detail.contains(wants),
            "{wants}: {status} {detail}"
        );
    }
}
