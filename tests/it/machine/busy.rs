//! Other people's files beside the job files: what is written there without end costs elder nothing.

use std::io::Write;
use std::time::Duration;

use crate::support::{Daemon, Folder, Processes, until};

/// How often the daemon's threads that hear of files have been woken.
fn woken(daemon: &Daemon) -> u64 {
    let pid = i32::try_from(daemon.pid()).unwrap();
    let hears = |name: &str| name.starts_with("notify-rs") || name.starts_with("elder-ways");
    let threads = Processes::sleeps_by_thread(pid).into_iter();
    threads
        .filter(|(name, _)| hears(name))
        .map(|(_, sleeps)| sleeps)
        .sum()
}

#[test]
fn a_log_beside_the_job_files_that_is_written_without_end_does_not_wake_elder() {
    let folder = Folder::with(&[(
        "jobs.d/a.yaml",
        "jobs: { a: { schedule: manual, run: 'true' } }\n",
    )]);
    // Opened before: its coming is news, what is written to it is not.
    let mut log = std::fs::File::create(folder.join("busy.log")).unwrap();
    let daemon = Daemon::start(&folder);
    let reloads = || {
        daemon
            .metrics()
            .sum("elder_config_reloads_total", &[("trigger", "watch")])
    };
    let (threads, looked) = (woken(&daemon), reloads());
    assert!(threads > 0, "no thread hears of files");
    for line in 0..20_000 {
        writeln!(log, "{line}").unwrap();
        if line % 100 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let more = woken(&daemon) - threads;
    assert!(more < 50, "woken {more} times by 20000 lines");
    assert!(reloads() - looked < 2.0, "looked at the files for nothing");
    // Deaf it is not: the whole folder goes and comes again, with other jobs.
    std::fs::rename(folder.join("jobs.d"), folder.join("away")).unwrap();
    until("elder sees that the folder is gone", || {
        let health = daemon.get("/healthz").json();
        (health["reason"] == "source_lost").then_some(())
    });
    folder.write(
        "other/b.yaml",
        "jobs: { a: { schedule: manual, run: 'true' }, b: { schedule: manual, run: 'true' } }\n",
    );
    std::fs::rename(folder.join("other"), folder.join("jobs.d")).unwrap();
    until("elder sees the new one", || {
        (daemon.get("/api/v1/jobs/b").status == 200).then_some(())
    });
}
