//! A disk that stands still and goes on: nothing starts meanwhile, elder does not stand still with it.

use std::time::Duration;

use crate::support::{Daemon, Disk, Folder, ledger, not_tested, until};

#[test]
fn while_the_disk_stands_still_nothing_starts_and_the_loop_goes_round() {
    let text = format!(
        "jobs:\n  often:\n    schedule: {{ every: 500ms }}\n    coalesce: false\n    run: '{}'\n",
        ledger::WITNESS
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    let Some(disk) = Disk::make(&folder.join("disk.img"), &folder.join("state")) else {
        not_tested("this machine does not let us mount a loop device");
        return;
    };
    let daemon = Daemon::start(&folder);
    let count = || ledger::witnessed(&folder).len();
    until("it runs", || (count() > 2).then_some(()));
    let Some(mut thawing) = disk.freeze(12) else {
        not_tested("this machine does not let us freeze a file system");
        return;
    };
    // What was recorded before that may still begin.
    std::thread::sleep(Duration::from_secs(1));
    let stopped = count();
    let tick = || {
        daemon
            .metrics()
            .get("elder_scheduler_last_tick_timestamp_seconds", &[])
    };
    let before = tick().unwrap();
    until("the loop goes round", || {
        (tick().unwrap() > before + 5.0).then_some(())
    });
    assert_ne!(
        daemon.get("/healthz").status,
        503,
        "a restart would not help"
    );
    assert!(
        thawing.try_wait().unwrap().is_none(),
        "it was thawed too early to tell"
    );
    assert_eq!(count(), stopped, "something ran without its record");
    thawing.wait().unwrap();
    until("it runs again by itself", || {
        (count() > stopped + 5).then_some(())
    });
    let late = daemon
        .metrics()
        .get("elder_fire_lateness_seconds_bucket", &[("le", "5")]);
    let all = daemon
        .metrics()
        .get("elder_fire_lateness_seconds_count", &[]);
    assert!(
        late.unwrap() < all.unwrap(),
        "lateness shows it: {late:?} of {all:?}"
    );
    let off = text.replace("schedule:", "enabled: false\n    schedule:");
    folder.write("jobs.d/a.yaml", &off);
    assert_eq!(daemon.post("/-/reload", "").status, 200);
    ledger::wait_until_over(&daemon, &["often"]);
    ledger::agree(&daemon, &folder, &["often"], 500);
    drop(daemon);
    drop(disk);
}
