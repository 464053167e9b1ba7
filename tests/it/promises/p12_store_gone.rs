//! Without its record nothing starts; what ended is written later; the return decides what was due.

use std::process::Command;

use crate::support::{Daemon, Folder, Small, ledger, until};

#[test]
fn a_full_disk_stops_every_start_and_room_brings_them_back() {
    let text = format!(
        "jobs:\n  often:\n    schedule: {{ every: 200ms }}\n    run: '{}'\n",
        ledger::WITNESS
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    let Some(small) = Small::mount(folder.join("state")) else {
        println!("not tested: this machine does not let us mount a tmpfs");
        return;
    };
    let daemon = Daemon::start(&folder);
    until("it runs", || {
        (ledger::witnessed(&folder).len() > 2).then_some(())
    });
    // Fill the disk to the last byte.
    let filler = folder.join("state/filler");
    let _ = Command::new("dd")
        .args(["if=/dev/zero", "bs=4096"])
        .arg(format!("of={}", filler.display()))
        .output();
    until("elder says that it cannot record", || {
        (daemon.get("/readyz").status == 503).then_some(())
    });
    // Alive all the same: an outage of the store is no reason to be restarted.
    assert_eq!(daemon.get("/healthz").status, 200);
    let stopped = ledger::witnessed(&folder).len();
    std::thread::sleep(std::time::Duration::from_millis(800));
    assert_eq!(
        ledger::witnessed(&folder).len(),
        stopped,
        "something ran without its record"
    );
    std::fs::remove_file(&filler).unwrap();
    until("it runs again by itself", || {
        (ledger::witnessed(&folder).len() > stopped + 2).then_some(())
    });
    assert_eq!(daemon.get("/readyz").status, 200);
    let off = text.replace("schedule:", "enabled: false\n    schedule:");
    folder.write("jobs.d/a.yaml", &off);
    assert_eq!(daemon.post("/-/reload", "").status, 200);
    until("all is over", || {
        ledger::rows(&daemon, "often")
            .iter()
            .all(|row| row.state == "done")
            .then_some(())
    });
    ledger::agree(&daemon, &folder, &["often"], 200);
    drop(daemon);
    drop(small);
}

#[test]
fn a_second_elder_on_the_same_state_is_refused_and_names_the_first() {
    let folder = Folder::with(&[("jobs.d/a.yaml", "jobs: {}\n")]);
    let daemon = Daemon::start(&folder);
    let second = crate::support::elder("run jobs.d --listen 127.0.0.1:0 --state state")
        .within(folder.path())
        .run();
    assert_eq!(second.code, Some(2), "{second:?}");
    assert!(
        second.stderr.contains(&daemon.pid().to_string()),
        "{second:?}"
    );
}
