//! `elder restore`: the way back from `elder backup`, with the real binary.

use std::path::Path;

use crate::support::{Daemon, Folder, elder, ledger};

fn restore(folder: &Folder, file: &str) -> crate::support::Finished {
    elder("restore")
        .arg(file)
        .env("ELDER_STATE", "state")
        .within(folder.path())
        .run()
}

#[test]
fn a_backup_comes_back_and_elder_goes_on_from_it() {
    let text = "jobs:\n  asked:\n    schedule: manual\n    run: 'true'\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let daemon = Daemon::start(&folder);
    let run = || assert_eq!(daemon.post("/api/v1/jobs/asked/run", "{}").status, 200);
    run();
    ledger::wait_until_over(&daemon, &["asked"]);
    let backup = folder.join("backup.db");
    let body = format!("{{\"to\": \"{}\"}}", backup.display());
    assert_eq!(daemon.post("/api/v1/backup", &body).status, 200);
    run();
    ledger::wait_until_over(&daemon, &["asked"]);
    let in_use = restore(&folder, "backup.db");
    assert_eq!(in_use.code, Some(2), "{in_use}");
    let pid = daemon.pid().to_string();
    assert!(
        in_use.stderr.contains(&pid) && in_use.stderr.contains("stop that elder"),
        "{in_use}"
    );
    assert_eq!(ledger::rows(&daemon, "asked").len(), 2);
    daemon.kill();
    let done = restore(&folder, "backup.db");
    assert_eq!(done.code, Some(0), "{done}");
    assert!(done.stdout.contains("1 job, 1 run"), "{done}");
    assert!(done.stdout.contains("next: start elder"), "{done}");
    let kept = done
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("the store of before is kept as "));
    assert!(Path::new(kept.unwrap()).is_file(), "{done}");
    let daemon = Daemon::start(&folder);
    assert_eq!(ledger::rows(&daemon, "asked").len(), 1);
}

#[test]
fn what_is_no_backup_is_refused_with_status_2_and_no_store_is_made() {
    let folder = Folder::with(&[(
        "note.txt",
        "not a database, but long enough to have a head of a hundred bytes, which this text tries to be, again and again",
    )]);
    for (file, said) in [
        ("note.txt", "no SQLite file"),
        ("none.db", "cannot be reached"),
    ] {
        let refused = restore(&folder, file);
        assert_eq!(refused.code, Some(2), "{refused}");
        assert!(refused.stderr.contains(said), "{refused}");
    }
    assert!(!folder.join("state/elder.db").exists());
    let memory = elder("restore note.txt --store memory:")
        .within(folder.path())
        .run();
    assert_eq!(memory.code, Some(2), "{memory}");
}
