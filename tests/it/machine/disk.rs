//! Disks that break, and power that goes.

use rustix::process::Signal;

use crate::support::checker::Seen;
use crate::support::{Daemon, Dice, Disk, Folder, ledger, not_tested, number, outage, until};

#[test]
fn a_disk_that_turned_read_only_stops_every_start_and_after_its_repair_all_is_there() {
    let folder = Folder::with(&[("jobs.d/a.yaml", &outage::jobs())]);
    let Some(disk) = Disk::make(&folder.join("disk.img"), &folder.join("state")) else {
        not_tested("this machine does not let us mount a loop device");
        return;
    };
    let daemon = Daemon::start(&folder);
    let count = || ledger::witnessed(&folder).len();
    until("it runs", || (count() > 2).then_some(()));
    if disk.fail().is_none() {
        not_tested("this kernel has no error to give");
        return;
    }
    until("elder says that it cannot record", || {
        (daemon.get("/readyz").status == 503).then_some(())
    });
    let health = daemon.get("/healthz");
    assert_eq!(health.json()["reason"], "store_unreachable", "{health:?}");
    let stopped = count();
    std::thread::sleep(std::time::Duration::from_millis(800));
    assert_eq!(count(), stopped, "something ran without its record");
    // A file system with an error is mended by nobody while it is mounted.
    daemon.kill();
    let disk = disk.repair();
    let daemon = Daemon::start(&folder);
    until("it runs again", || (count() > stopped + 2).then_some(()));
    outage::agree_at_last(&folder, &daemon);
    drop(daemon);
    drop(disk);
}

/// Power cuts in one run.
const CUTS: usize = 4;

#[test]
fn a_power_cut_leaves_every_row_whose_process_had_begun() {
    let jobs: String = (0..5)
        .map(|n| {
            let run = ledger::WITNESS;
            format!("  job-{n}:\n    schedule: {{ every: 100ms }}\n    run: '{run}; sleep 0.1'\n")
        })
        .collect();
    let text = format!("jobs:\n{jobs}");
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    let Some(disk) = Disk::make(&folder.join("disk.img"), &folder.join("state")) else {
        not_tested("this machine does not let us mount a loop device");
        return;
    };
    let seed = number("ELDER_SEED", 1);
    let mut dice = Dice::new(seed);
    let daemon = Daemon::start(&folder);
    let mut cuts: Vec<(String, Vec<Seen>)> = Vec::new();
    for cut in 0..CUTS {
        let before = ledger::seen(&folder).len();
        until("more has run", || {
            (ledger::seen(&folder).len() > before + 20).then_some(())
        });
        let pause = dice.between(0, 100).unsigned_abs();
        std::thread::sleep(std::time::Duration::from_millis(pause));
        // It stands still while the image is read, in the middle of whatever it was doing: what the
        // kernel has not written yet is not in the copy, as if the power were gone.
        daemon.signal(Signal::STOP);
        let seen = ledger::seen(&folder);
        let image = format!("cut-{cut}.img");
        disk.copy(&folder.join(&image));
        daemon.signal(Signal::CONT);
        cuts.push((image, seen));
    }
    daemon.kill();
    drop(disk);
    for (image, seen) in cuts {
        let after = Folder::with(&[(
            "jobs.d/a.yaml",
            &text.replace("schedule:", "enabled: false\n    schedule:"),
        )]);
        let disk = Disk::mount(&folder.join(&image), &after.join("state")).unwrap();
        let daemon = Daemon::start(&after);
        let mut rows = Vec::new();
        for n in 0..5 {
            rows.extend(ledger::rows(&daemon, &format!("job-{n}")));
        }
        for one in &seen {
            let row = rows.iter().find(|row| row.id == one.run);
            assert!(
                row.is_some_and(|row| row.attempt == 1),
                "{image}: no row of {one:?} (ELDER_SEED={seed})"
            );
        }
        daemon.stop();
        let store = rusqlite::Connection::open(after.join("state/elder.db")).unwrap();
        let said: String = store
            .query_row("PRAGMA integrity_check", (), |row| row.get(0))
            .unwrap();
        assert_eq!(said, "ok", "{image}");
        drop(store);
        drop(disk);
    }
}
