//! At most one start per attempt: elder never starts the same fire or the same request twice by itself.

use std::collections::BTreeSet;

use crate::support::{Daemon, Folder, ledger, until};

#[test]
fn a_run_that_a_dead_elder_left_is_not_started_again() {
    let text = format!(
        "jobs:\n  once:\n    schedule: {{ every: 1s }}\n    retry: 3\n    run: '{}; sleep 300'\n",
        ledger::WITNESS
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    for round in 1..=4 {
        let daemon = Daemon::start(&folder);
        until("a run is under way", || {
            (ledger::witnessed(&folder).len() >= round).then_some(())
        });
        daemon.kill();
    }
    let off = text.replace("schedule:", "enabled: false\n    schedule:");
    folder.write("jobs.d/a.yaml", &off);
    let daemon = Daemon::start(&folder);
    ledger::agree(&daemon, &folder, &["once"], 1000);
    for row in ledger::rows(&daemon, "once") {
        assert!(
            row.attempt <= 1,
            "what a dead elder began is not tried again: {row:?}"
        );
        assert_eq!(row.attempt == 1, row.outcome == "interrupted", "{row:?}");
    }
}

#[test]
fn a_run_that_may_be_done_twice_is_begun_again_as_the_same_run() {
    let line = "echo \"$ELDER_RUN_ID $ELDER_ATTEMPT\" >> \"$ELDER_STATE_DIR/../begun\"; test \"$ELDER_ATTEMPT\" = 3 || sleep 300";
    let text = format!(
        "jobs:\n  again:\n    schedule: manual\n    after_crash: rerun\n    run: '{line}'\n"
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    let begun = |times: usize| {
        until("the run is begun", || {
            let lines: Vec<String> = folder.read("begun").lines().map(Into::into).collect();
            (lines.len() >= times).then_some(lines)
        })
    };
    let daemon = Daemon::start(&folder);
    assert_eq!(daemon.post("/api/v1/jobs/again/run", "{}").status, 200);
    begun(1);
    daemon.kill();
    let daemon = Daemon::start(&folder);
    begun(2);
    daemon.kill();
    let daemon = Daemon::start(&folder);
    let rows = until("it came to its end", || {
        let rows = ledger::rows(&daemon, "again");
        (rows[0].outcome == "success").then_some(rows)
    });
    assert_eq!(rows.len(), 1, "{rows:?}");
    let expected: Vec<String> = (1..=3).map(|n| format!("{} {n}", rows[0].id)).collect();
    assert_eq!(begun(3), expected);
}

#[test]
fn the_same_request_from_many_at_once_is_one_run() {
    for instances in [1, 5] {
        let text = format!(
            "jobs:\n  asked:\n    schedule: manual\n    max_instances: {instances}\n    run: '{}; sleep 1'\n",
            ledger::WITNESS
        );
        let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
        let daemon = Daemon::start(&folder);
        let bearer = format!("Bearer {}", daemon.token());
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
            ("Idempotency-Key", "the-same"),
        ];
        let ask = || daemon.send("POST", "/api/v1/jobs/asked/run", &headers, "{}");
        let replies: Vec<_> = std::thread::scope(|scope| {
            let start = |_| {
                let thread = std::thread::Builder::new();
                thread.spawn_scoped(scope, ask).unwrap()
            };
            let asking: Vec<_> = (0..16).map(start).collect();
            asking.into_iter().map(|a| a.join().unwrap()).collect()
        });
        let mut runs = BTreeSet::new();
        let mut first = 0;
        for reply in &replies {
            assert_eq!(reply.status, 200, "max_instances {instances}: {reply:?}");
            let answer = reply.json();
            runs.insert(answer["run_id"].as_str().unwrap().to_owned());
            first += usize::from(answer["repeated"] == false);
        }
        assert_eq!((runs.len(), first), (1, 1), "{replies:?}");
        until("the run is over", || {
            (ledger::rows(&daemon, "asked")[0].state == "done").then_some(())
        });
        // Also later, and after a restart, the same words mean the same run.
        let again = ask().json();
        daemon.kill();
        let daemon = Daemon::start(&folder);
        let bearer = format!("Bearer {}", daemon.token());
        let headers = [("Authorization", bearer.as_str()), headers[1], headers[2]];
        let restarted = daemon.send("POST", "/api/v1/jobs/asked/run", &headers, "{}");
        for answer in [again, restarted.json()] {
            assert_eq!(answer["repeated"], true, "{answer}");
            assert!(runs.contains(answer["run_id"].as_str().unwrap()));
        }
        let seen = ledger::witnessed(&folder);
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert!(seen.values().all(|(times, _)| *times == 1), "{seen:?}");
    }
}
