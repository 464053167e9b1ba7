//! Stores that are damaged, newer, or gone, as the real binary meets them.

use crate::support::{Daemon, Finished, Folder, elder, ledger, until};

const JOBS: &str = "jobs:\n  often:\n    schedule: { every: 100ms }\n    run: 'true'\n";

fn run(folder: &Folder) -> Finished {
    elder("run jobs.d --listen 127.0.0.1:0 --state state")
        .within(folder.path())
        .run()
}

fn has_run(daemon: &Daemon) {
    until("it runs", || {
        let rows = ledger::rows(daemon, "often");
        rows.iter()
            .any(|row| row.outcome == "success")
            .then_some(())
    });
}

/// What a person or a disk may do to the file.
type Damage = fn(&mut Vec<u8>);

#[test]
fn a_damaged_or_newer_store_is_refused_with_status_2_and_a_way_out_and_left_as_it_is() {
    let folder = Folder::with(&[("jobs.d/a.yaml", JOBS)]);
    let daemon = Daemon::start(&folder);
    has_run(&daemon);
    daemon.stop();
    let file = folder.join("state/elder.db");
    let sound = std::fs::read(&file).unwrap();
    let cases: [(&str, Damage, &str); 5] = [
        ("empty", |bytes| bytes.clear(), "elder restore"),
        (
            "half",
            |bytes| bytes.truncate(bytes.len() / 2),
            "elder restore",
        ),
        ("another head", |bytes| bytes[..16].fill(0), "elder restore"),
        (
            "a page of noise",
            |bytes| bytes[8192..12288].fill(0x5a),
            "elder restore",
        ),
        (
            "newer",
            |bytes| bytes[60..64].copy_from_slice(&99u32.to_be_bytes()),
            "use the newer elder",
        ),
    ];
    for (what, damage, said) in cases {
        let mut bytes = sound.clone();
        damage(&mut bytes);
        std::fs::write(&file, &bytes).unwrap();
        let refused = run(&folder);
        assert_eq!(refused.code, Some(2), "{what}: {refused}");
        assert!(refused.stderr.contains(said), "{what}: {refused}");
        assert!(
            refused.stderr.contains("state/elder.db"),
            "{what}: {refused}"
        );
        assert!(
            std::fs::read(&file).unwrap() == bytes,
            "{what}: it was touched"
        );
    }
    std::fs::write(&file, &sound).unwrap();
    has_run(&Daemon::start(&folder));
}

#[test]
fn a_store_that_is_gone_begins_anew_and_makes_no_fire_in_the_past() {
    let text = JOBS.replace(
        "run: ",
        "coalesce: false\n    misfire_grace_time: 1h\n    run: ",
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    let daemon = Daemon::start(&folder);
    has_run(&daemon);
    daemon.stop();
    std::fs::remove_file(folder.join("state/elder.db")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    let started = crate::support::now();
    let daemon = Daemon::start(&folder);
    has_run(&daemon);
    let rows = ledger::rows(&daemon, "often");
    assert!(rows.iter().all(|row| row.first >= started), "{rows:?}");
}

#[test]
fn a_store_that_is_taken_away_from_a_running_elder_stops_every_start_until_it_is_back() {
    let folder = Folder::with(&[("jobs.d/a.yaml", &crate::support::outage::jobs())]);
    let daemon = Daemon::start(&folder);
    let (file, away) = (folder.join("state/elder.db"), folder.join("away.db"));
    crate::support::outage::is_endured(
        &folder,
        &daemon,
        || std::fs::rename(&file, &away).unwrap(),
        |()| std::fs::rename(&away, &file).unwrap(),
    );
    let said = daemon.has_logged("was moved or deleted");
    assert!(said.is_some(), "{:?}", daemon.log());
}
