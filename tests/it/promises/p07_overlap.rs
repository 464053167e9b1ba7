//! No more runs of a job at once than `max_instances`, and of a pool than its limit, whatever made them.

use crate::support::{Daemon, Folder, ledger, until};

/// A job that says when another run of it is there already, with a witness of its own.
fn careful(length: &str) -> String {
    format!(
        "{}; d=\"$ELDER_STATE_DIR/../here\"; mkdir \"$d\" || echo \"$ELDER_RUN_ID\" >> \"$ELDER_STATE_DIR/../overlapped\"; sleep {length}; rmdir \"$d\"",
        ledger::WITNESS
    )
}

fn text(schedule: &str, length: &str, more: &str) -> String {
    format!(
        "jobs:\n  one:\n    schedule: {schedule}\n    run: '{}'\n{more}",
        careful(length)
    )
}

fn none_overlapped(folder: &Folder) {
    assert_eq!(folder.read("overlapped"), "", "runs of one job overlapped");
}

#[test]
fn a_schedule_a_request_and_a_retry_wait_for_nobody_and_overlap_nobody() {
    let text = text(
        "{ every: 300ms }",
        "0.5; exit 1",
        "    retry: { max: 1, backoff: 400ms }\n",
    );
    let text = text.replace("; exit 1; rmdir \"$d\"", "; rmdir \"$d\"; exit 1");
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    let daemon = Daemon::start(&folder);
    let blocked = until("a request is refused for a run that is under way", || {
        let reply = daemon.post("/api/v1/jobs/one/run", "{}");
        (reply.status == 409).then_some(reply)
    });
    let blocking = blocked.json()["blocking_run"].as_str().unwrap().to_owned();
    assert!(
        ledger::rows(&daemon, "one")
            .iter()
            .any(|row| row.id == blocking),
        "{blocked:?}"
    );
    // Between its attempts a run is under way as well.
    until("four runs came to their end", || {
        let rows = ledger::rows(&daemon, "one");
        let ended = rows
            .iter()
            .filter(|row| row.attempt == 2 && row.state == "done");
        (ended.count() >= 4).then_some(())
    });
    none_overlapped(&folder);
    let rows = ledger::rows(&daemon, "one");
    assert!(rows.iter().any(|row| row.reason == "overlap"), "{rows:?}");
}

#[test]
fn a_job_that_moves_through_the_files_does_not_overlap_its_own_run() {
    let long = text("{ every: 200ms }", "3", "");
    let other = "jobs:\n  other:\n    schedule: manual\n    run: 'true'\n  another:\n    schedule: manual\n    run: 'true'\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", &long), ("jobs.d/other.yaml", other)]);
    let daemon = Daemon::start(&folder);
    until("it runs", || folder.join("here").exists().then_some(()));
    // As a `git pull` that is caught between two of its writes.
    folder.remove("jobs.d/a.yaml");
    until("the job is gone", || {
        (daemon.get("/api/v1/jobs/one").status == 404).then_some(())
    });
    folder.write("jobs.d/b.yaml", &long.replace("200ms", "300ms"));
    until("the job is back", || {
        (daemon.get("/api/v1/jobs/one").status == 200).then_some(())
    });
    until("a fire is skipped for the run that it left", || {
        let rows = ledger::rows(&daemon, "one");
        rows.iter().any(|row| row.reason == "overlap").then_some(())
    });
    none_overlapped(&folder);
}

#[test]
fn late_fires_and_a_startup_do_not_overlap() {
    let both = text("[startup, { every: 1s }]", "0.3", "    coalesce: false\n");
    let folder = Folder::with(&[("jobs.d/a.yaml", &both)]);
    let daemon = Daemon::start(&folder);
    until("it ran at the start", || {
        (!ledger::witnessed(&folder).is_empty()).then_some(())
    });
    until("nothing runs", || {
        (!folder.join("here").exists()).then_some(())
    });
    daemon.stop();
    std::thread::sleep(std::time::Duration::from_millis(3500));
    let store = rusqlite::Connection::open(folder.join("state/elder.db")).unwrap();
    // Long enough ago for a start to count.
    store
        .execute("UPDATE jobs SET last_startup_at = 0", ())
        .unwrap();
    drop(store);
    let before = ledger::witnessed(&folder).len();
    let daemon = Daemon::start(&folder);
    until("the late ones ran", || {
        (ledger::witnessed(&folder).len() >= before + 3).then_some(())
    });
    none_overlapped(&folder);
    drop(daemon);
}

#[test]
fn max_instances_is_how_many_run_at_once() {
    let text = format!(
        "jobs:\n  few:\n    schedule: {{ every: 100ms }}\n    max_instances: 3\n    run: '{}; sleep 300'\n",
        ledger::WITNESS
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    let daemon = Daemon::start(&folder);
    until("fires are skipped", || {
        let rows = ledger::rows(&daemon, "few");
        rows.iter()
            .any(|row| row.reason == "overlap" && row.count > 3)
            .then_some(())
    });
    assert_eq!(ledger::witnessed(&folder).len(), 3);
    let running = daemon
        .metrics()
        .get("elder_running", &[("job_name", "few")]);
    assert_eq!(running, Some(3.0));
}

#[test]
fn with_queue_one_waits_and_overlaps_nobody() {
    let folder = Folder::with(&[(
        "jobs.d/a.yaml",
        &text("{ every: 200ms }", "0.7", "    overlap: queue\n"),
    )]);
    let daemon = Daemon::start(&folder);
    let rows = until("three runs came to their end", || {
        let rows = ledger::rows(&daemon, "one");
        let ended = rows.iter().filter(|row| row.outcome == "success").count();
        (ended >= 3).then_some(rows)
    });
    none_overlapped(&folder);
    // Three fires come while one runs: the first waits and runs, the others are skipped.
    let of = |reason: &str| rows.iter().filter(|row| row.reason == reason).count();
    assert!(of("overlap") >= 2, "{rows:?}");
    let started = rows.iter().filter(|row| row.attempt == 1);
    let started: Vec<_> = started.map(|row| row.first).collect();
    for pair in started.windows(2) {
        let between = pair[1].duration_since(pair[0]).as_millis();
        assert!(between < 1_200, "the one that waited did not run: {rows:?}");
    }
}

#[test]
fn with_replace_all_processes_of_the_old_run_are_gone_before_the_new_one_starts() {
    // Whoever lives holds the lock, and nobody listens to TERM.
    let command = "exec 9>>\"$ELDER_STATE_DIR/../lock\"; flock -n 9 || echo \"$ELDER_RUN_ID\" >> \"$ELDER_STATE_DIR/../overlapped\"; trap \"\" TERM; sleep 30 & sleep 30; wait";
    let yaml = format!(
        "jobs:\n  one:\n    schedule: {{ every: 1s }}\n    run: '{command}'\n    overlap: replace\n    kill_grace: 200ms\n"
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &yaml)]);
    let daemon = Daemon::start(&folder);
    let rows = until("three runs were replaced", || {
        let rows = ledger::rows(&daemon, "one");
        let replaced = rows.iter().filter(|row| row.reason == "replaced").count();
        (replaced >= 3).then_some(rows)
    });
    for row in rows.iter().filter(|row| row.state == "done") {
        assert_eq!(
            (row.outcome.as_str(), row.reason.as_str()),
            ("cancelled", "replaced"),
            "{rows:?}"
        );
    }
    none_overlapped(&folder);
    let metrics = daemon.metrics();
    let labels = [("job_name", "one"), ("outcome", "cancelled")];
    assert!(metrics.get("elder_executed_total", &labels) >= Some(3.0));
}

/// Six jobs that are due at one second; the third of those that run at once leaves a note.
fn crowd(more: &str) -> String {
    // A folder can be made once: whoever finds no free one of the two is the third.
    let run = format!(
        "{}; h=\"$ELDER_STATE_DIR/..\"; if mkdir \"$h/first\"; then p=first; elif mkdir \"$h/second\"; then p=second; else p=none; echo \"$ELDER_RUN_ID\" >> \"$h/overlapped\"; fi; sleep 0.2; rmdir \"$h/$p\"",
        ledger::WITNESS
    );
    let job = |name: &str| {
        format!("  {name}:\n    schedule: {{ every: 2s }}\n    pool: two\n    run: '{run}'\n{more}")
    };
    format!("jobs:\n{}", CROWD.map(job).concat())
}

const CROWD: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

#[test]
fn of_a_pool_no_more_run_than_its_limit_and_every_fire_has_its_turn() {
    let folder = Folder::with(&[
        ("jobs.d/jobs.yaml", &crowd("")),
        ("jobs.d/pools.yaml", "pools: { two: { limit: 2 } }\n"),
    ]);
    let daemon = Daemon::start(&folder);
    until("each ran three times", || {
        let seen = ledger::witnessed(&folder);
        let of = |job: &&str| seen.keys().filter(|(name, ..)| name == job).count();
        CROWD.iter().all(|job| of(job) >= 3).then_some(())
    });
    none_overlapped(&folder);
    let off = crowd("    enabled: false\n");
    folder.write("jobs.d/jobs.yaml", &off);
    until("no job fires", || {
        let job = daemon.get("/api/v1/jobs/f").json();
        (job["status"] == "disabled").then_some(())
    });
    ledger::wait_until_over(&daemon, &CROWD);
    ledger::agree(&daemon, &folder, &CROWD, 2_000);
    none_overlapped(&folder);
}

#[test]
fn a_pool_is_not_overfull_after_a_crash() {
    let long = crowd("    after_crash: rerun\n").replace("sleep 0.2", "sleep 1");
    let folder = Folder::with(&[
        ("jobs.d/jobs.yaml", &long),
        ("jobs.d/pools.yaml", "pools: { two: { limit: 2 } }\n"),
    ]);
    let mut daemon = Daemon::start(&folder);
    for _ in 0..2 {
        let before = ledger::witnessed(&folder).len();
        until("two more run", || {
            (ledger::witnessed(&folder).len() >= before + 2).then_some(())
        });
        daemon.kill();
        // What was there when elder died is ended by the next one; its marks are not.
        daemon = Daemon::start(&folder);
        let queued = daemon.metrics().get("elder_queued", &[("pool", "two")]);
        assert!(queued.is_some(), "the pool is known from the first scrape");
        let running = |daemon: &Daemon| {
            let metrics = daemon.metrics();
            let running = CROWD.map(|job| metrics.get("elder_running", &[("job_name", job)]));
            running.into_iter().flatten().sum::<f64>()
        };
        let most = std::cell::Cell::new(0.0_f64);
        until("some waited and ran", || {
            most.set(most.get().max(running(&daemon)));
            (ledger::witnessed(&folder).len() >= before + 8).then_some(())
        });
        assert!(most.get() <= 2.0, "{} at once", most.get());
    }
}
