//! `elder import`: real files of each scheduler, what comes out, and that it validates.

use std::path::{Path, PathBuf};

use insta::assert_snapshot;

use super::support::{Finished, Folder, elder};

/// Where the files of other schedulers are.
fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/import/fixtures")
}

/// `elder import` among the fixtures, on a machine in Berlin, on a fixed day.
fn import(line: &str) -> Finished {
    elder(&format!(
        "import {line} --timezone Europe/Berlin --prove --from 2026-11-22T00:00:00Z"
    ))
    .within(&fixtures())
    .run()
}

/// Every import of the fixtures, with its exit status.
const IMPORTS: [(&str, i32); 18] = [
    ("crontab crontab/etc/crontab", 0),
    ("crontab crontab/etc/cron.d/php", 0),
    ("crontab crontab/etc/cron.d/e2scrub_all", 0),
    ("crontab crontab/etc/cron.d/sysstat", 0),
    ("crontab crontab/shop.user", 0),
    ("crontab crontab/bad.user", 1),
    ("cronjob cronjob/backup.yaml", 0),
    ("cronjob cronjob/list.yaml", 0),
    ("cronjob cronjob/bad.yaml", 1),
    (
        "systemd systemd/logrotate.timer systemd/fstrim.timer systemd/apt-daily.timer systemd/tmpclean.timer",
        0,
    ),
    ("systemd systemd/backup.timer", 0),
    ("systemd systemd/bad.timer", 1),
    ("cronstable cronstable/shop.yaml", 0),
    ("cronstable cronstable/bad.yaml", 1),
    ("apscheduler apscheduler/jobs.json", 0),
    ("apscheduler apscheduler/bad.json", 1),
    ("apscheduler apscheduler/celery.json", 0),
    ("apscheduler apscheduler/redbeat.json", 0),
];

#[test]
fn every_fixture_becomes_what_a_reader_has_agreed_to() {
    for (line, code) in IMPORTS {
        let name = line
            .replace([' ', '/'], "_")
            .replace("systemd_systemd_", "systemd_");
        let name: String = name.chars().take(60).collect();
        let finished = import(line);
        assert_eq!(finished.code, Some(code), "{line}: {finished}");
        assert_snapshot!(name, finished);
    }
}

#[test]
fn every_job_file_that_comes_out_validates_and_is_laid_out() {
    for (line, _) in IMPORTS {
        let folder = Folder::with(&[("jobs.d/imported.yaml", &import(line).stdout)]);
        for check in ["validate jobs.d", "fmt --check jobs.d"] {
            let checked = elder(check).within(folder.path()).run();
            assert_eq!(checked.code, Some(0), "{line}: {checked}");
        }
    }
}

#[test]
fn what_is_no_source_at_all_is_said_with_its_place() {
    assert_snapshot!(import("apscheduler apscheduler/broken.json"));
    assert_snapshot!(import("apscheduler apscheduler/other.json"));
    assert_snapshot!(import("cronjob systemd/backup.timer"));
    assert_snapshot!(import("systemd cronjob/list.yaml"));
    assert_snapshot!(import("cronstable cronjob/list.yaml"));
}

#[test]
fn a_crontab_comes_in_by_a_pipe_and_goes_out_by_one() {
    let finished = elder("import crontab -").input("5 4 * * * /bin/x\n").run();
    assert_snapshot!(finished);
    let system = elder("import crontab - --system")
        .input("5 4 * * * me /bin/x\n")
        .run();
    assert!(system.stdout.contains("run: /bin/x"), "{system}");
    let user = elder("import crontab - --user")
        .input("5 4 * * * root /bin/x\n")
        .run();
    assert!(user.stdout.contains("run: root /bin/x"), "{user}");
}

#[test]
fn a_file_that_exists_is_written_over_only_by_force() {
    let folder = Folder::with(&[("tab", "5 4 * * * /bin/x\n"), ("out.yaml", "mine\n")]);
    let call = |line: &str| elder(line).within(folder.path()).run();
    let refused = call("import crontab tab --output out.yaml");
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(refused.stderr.contains("add --force"), "{refused}");
    assert_eq!(folder.read("out.yaml"), "mine\n");
    let forced = call("import crontab tab --output out.yaml --force");
    assert_eq!((forced.code, &*forced.stdout), (Some(0), ""), "{forced}");
    assert!(folder.read("out.yaml").contains("5 4 * * *"));
    let fresh = call("import crontab tab --output new.yaml");
    assert_eq!(fresh.code, Some(0), "{fresh}");
    assert_eq!(folder.read("new.yaml"), folder.read("out.yaml"));
}

#[test]
fn a_dump_that_failed_is_no_scheduler_without_jobs() {
    let folder = Folder::with(&[
        ("empty", ""),
        ("list.yaml", "apiVersion: v1\nkind: List\nitems: []\n"),
        ("dump.json", r#"{"scheduler": "apscheduler", "jobs": []}"#),
        ("tab", "PATH=/bin\n# nothing\n"),
    ]);
    for line in [
        "apscheduler empty",
        "celery empty",
        "apscheduler dump.json",
        "cronjob empty",
        "cronjob list.yaml",
        "cronstable empty",
        "crontab tab",
    ] {
        let line = format!("import {line} --prove");
        let finished = elder(&line).within(folder.path()).run();
        assert_eq!(finished.code, Some(1), "{line}: {finished}");
        let said = finished.stderr.contains("error[E050]: there is no ");
        assert!(said, "{line}: {finished}");
    }
}

#[test]
fn celery_and_redbeat_are_words_for_their_dump() {
    let entry =
        r#"[{"name": "n", "task": "t", "schedule": {"__type__": "interval", "every": 30}}]"#;
    for word in ["celery", "redbeat", "apscheduler"] {
        let finished = elder(&format!("import {word} -")).input(entry).run();
        assert_eq!(finished.code, Some(0), "{word}: {finished}");
        assert!(finished.stdout.contains("every: 30s"), "{finished}");
    }
}

#[test]
fn what_prevents_an_answer_is_said() {
    let folder = Folder::with(&[("tab", "5 4 * * * /bin/x\n")]);
    for (line, hint) in [
        ("import crontab nowhere", "nowhere cannot be read"),
        ("import crontab .", "cannot be read"),
        (
            "import crontab tab --timezone Europe/Berln",
            "write Europe/Berlin",
        ),
        (
            "import crontab tab --output no/such/x.yaml",
            "cannot be written",
        ),
        ("import quartz tab", "possible values: crontab"),
        ("import crontab", "FILE"),
        ("import crontab tab --system --user", "cannot be used with"),
        ("import crontab tab -n 5", "--prove"),
    ] {
        let finished = elder(line).within(folder.path()).run();
        assert_eq!(finished.code, Some(2), "{line}: {finished}");
        assert!(finished.stderr.contains(hint), "{line}: {finished}");
        assert_eq!(finished.stdout, "", "{line}");
    }
    std::fs::write(folder.join("latin"), b"5 4 * * * caf\xe9\n").unwrap();
    let finished = elder("import crontab latin").within(folder.path()).run();
    assert!(finished.stderr.contains("not UTF-8"), "{finished}");
}
