//! At most one row per job and instant, and one start per attempt, whatever is killed when.

use std::time::Duration;

use crate::support::{Daemon, Folder, ledger, until};

/// Kills in one run; each at another moment of a round of fires.
const KILLS: u64 = 12;

#[test]
fn kill_9_at_any_moment_loses_nothing_and_doubles_nothing() {
    let job = |name: &str, more: &str| {
        format!(
            "  {name}:\n    schedule: {{ every: 200ms }}\n    run: '{}{more}'\n",
            ledger::WITNESS
        )
    };
    let text = format!(
        "jobs:\n{}{}{}",
        job("quick", ""),
        job("slow", "; sleep 0.3"),
        job("failing", "; exit 1").trim_end().to_owned()
            + "\n    retry: { max: 2, backoff: 50ms }\n",
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    // A seed of its own for each round would hide what one round does; the steps are spread over 200 ms.
    for round in 0..KILLS {
        let daemon = Daemon::start(&folder);
        let before = ledger::witnessed(&folder).len();
        until("something ran in this round", || {
            (ledger::witnessed(&folder).len() > before + 3).then_some(())
        });
        std::thread::sleep(Duration::from_millis(round * 37 % 200));
        daemon.kill();
    }
    // Children that outlive elder write their line and end.
    std::thread::sleep(Duration::from_millis(500));
    folder.remove("jobs.d/a.yaml");
    let all_off = text.replace("schedule:", "enabled: false\n    schedule:");
    folder.write("jobs.d/a.yaml", &all_off);
    let daemon = Daemon::start(&folder);
    until("runs between two attempts have gone on and ended", || {
        let rows = ledger::rows(&daemon, "failing");
        rows.iter().all(|row| row.state == "done").then_some(())
    });
    ledger::agree(&daemon, &folder, &["quick", "slow", "failing"], 200);
    let interrupted = ledger::rows(&daemon, "slow");
    assert!(
        interrupted.iter().any(|row| row.outcome == "interrupted"),
        "no kill hit a run: {interrupted:?}"
    );
}
