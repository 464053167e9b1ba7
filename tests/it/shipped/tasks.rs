//! The elder tasks do what their descriptions say, on a machine that has nothing but a shell.

use super::{ask, copied, last_run, shipped};
use crate::support::{Daemon, until};

#[test]
fn every_elder_task_runs_and_writes_below_the_state_folder_alone() {
    let folder = copied("jobs.d");
    let before = tree(&folder.join("jobs.d"));
    let daemon = Daemon::start_with(&folder, |program| {
        program.env("KNOWLEDGE_SOURCE", &shipped("docs").display().to_string())
    });
    daemon.wait_until_ready();
    let jobs = daemon.get("/api/v1/jobs").json();
    let names: Vec<_> = jobs["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), 13, "{names:?}");
    // What one writes, another reads: the order is that of a week.
    let order = [
        "performance-sample",
        "statistics",
        "health-check",
        "learning-digest",
        "knowledge-sync",
        "system-cleanup",
        "backup",
        "database-optimize",
        "daily-report",
        "security-scan",
        "council",
        "weekly-report",
        "strategy-meeting",
    ];
    for job in order {
        assert!(
            names.contains(&job.to_owned()),
            "{job} is not there: {names:?}"
        );
        let finished = ask(&daemon, &folder, &format!("trigger {job} --wait"));
        let said = last_run(&daemon, job);
        assert_eq!(finished.code, Some(0), "{job}: {finished}{said}");
    }
    let var = folder.join("state/var");
    for path in [
        "performance.csv",
        "statistics.jsonl",
        "knowledge/index.tsv",
        "learning",
        "reports",
        "council",
        "security",
        "strategy",
    ] {
        assert!(var.join(path).exists(), "{path} was not written");
    }
    let index = folder.read("state/var/knowledge/index.tsv");
    assert!(index.contains("job-file.md"), "{index}");
    let copies = std::fs::read_dir(folder.join("state/backups"))
        .unwrap()
        .count();
    assert_eq!(copies, 1);
    assert_eq!(
        tree(&folder.join("jobs.d")),
        before,
        "the job folder is not written to"
    );
    assert_eq!(daemon.stop().code(), Some(0));
}

#[test]
fn the_schedule_of_the_backup_comes_from_the_environment() {
    let folder = copied("jobs.d");
    let daemon = Daemon::start_with(&folder, |program| {
        program
            .env("BACKUP_CRON", "*/1 * * * * *")
            .env("BACKUP_RETENTION_DAYS", "1")
    });
    daemon.wait_until_ready();
    until("a backup was made by itself", || {
        let labels = [("job_name", "backup"), ("outcome", "success")];
        let count = daemon.metrics().get("elder_executed_total", &labels);
        count.filter(|count| *count >= 1.0)
    });
}

/// Every path below a folder, with its size.
fn tree(folder: &std::path::Path) -> Vec<(std::path::PathBuf, u64)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let about = entry.metadata().unwrap();
            if about.is_dir() {
                folders.push(entry.path());
            } else {
                found.push((entry.path(), about.len()));
            }
        }
    }
    found.sort();
    found
}
