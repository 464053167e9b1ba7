//! A store that goes away under a running elder and comes back.

use super::{Daemon, Folder, ledger, until};

/// One job fires all the time, one run ends while nothing can be recorded.
pub fn jobs() -> String {
    format!(
        "jobs:\n  often:\n    schedule: {{ every: 200ms }}\n    run: '{}'\n  long:\n    schedule: manual\n    run: 'cd \"$ELDER_STATE_DIR/..\"; touch began; while test ! -e go; do sleep 0.05; done; touch over'\n",
        ledger::WITNESS
    )
}

/// Breaks the store of an elder that runs [`jobs`], and mends it: nothing starts without its record,
/// elder stays alive and says what is the matter, goes on by itself, and what ended meanwhile is
/// recorded after all. In the end witness and ledger agree.
pub fn is_endured<T>(
    folder: &Folder,
    daemon: &Daemon,
    break_it: impl FnOnce() -> T,
    mend: impl FnOnce(T),
) {
    let count = || ledger::witnessed(folder).len();
    assert_eq!(daemon.post("/api/v1/jobs/long/run", "{}").status, 200);
    until("both run", || {
        (count() > 2 && folder.join("began").exists()).then_some(())
    });
    let broken = break_it();
    until("elder says that it cannot record", || {
        (daemon.get("/readyz").status == 503).then_some(())
    });
    // Alive all the same: an outage of the store is no reason to be restarted.
    let health = daemon.get("/healthz");
    assert_eq!(health.status, 200);
    assert_eq!(health.json()["reason"], "store_unreachable", "{health:?}");
    let stopped = count();
    folder.write("go", "");
    until("the long run ends", || {
        folder.join("over").exists().then_some(())
    });
    std::thread::sleep(std::time::Duration::from_millis(800));
    assert_eq!(count(), stopped, "something ran without its record");
    mend(broken);
    until("it runs again by itself", || {
        (count() > stopped + 2).then_some(())
    });
    assert_eq!(daemon.get("/readyz").status, 200);
    agree_at_last(folder, daemon);
    let long = ledger::rows(daemon, "long");
    assert_eq!(long[0].outcome, "success", "{long:?}");
}

/// Stops the fires, waits until all is over, and compares.
pub fn agree_at_last(folder: &Folder, daemon: &Daemon) {
    let off = jobs().replace("schedule: { every", "enabled: false\n    schedule: { every");
    folder.write("jobs.d/a.yaml", &off);
    assert_eq!(daemon.post("/-/reload", "").status, 200);
    ledger::wait_until_over(daemon, &["often", "long"]);
    ledger::agree(daemon, folder, &["often"], 200);
}
