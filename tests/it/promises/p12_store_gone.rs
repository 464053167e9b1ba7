//! Without its record nothing starts; what ended is written later; the return decides what was due.

use std::process::Command;

use crate::support::{Daemon, Folder, Small, not_tested, outage};

#[test]
fn a_full_disk_stops_every_start_and_room_brings_them_back() {
    let folder = Folder::with(&[("jobs.d/a.yaml", &outage::jobs())]);
    let Some(small) = Small::mount(folder.join("state")) else {
        not_tested("this machine does not let us mount a tmpfs");
        return;
    };
    let daemon = Daemon::start(&folder);
    let filler = folder.join("state/filler");
    outage::is_endured(
        &folder,
        &daemon,
        // To the last byte.
        || {
            let of = format!("of={}", filler.display());
            let fill = Command::new("dd")
                .args(["if=/dev/zero", "bs=4096", &of])
                .output();
            fill.unwrap()
        },
        |_| std::fs::remove_file(&filler).unwrap(),
    );
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
