//! Control groups, where some are delegated: nothing of a run escapes its end.

use super::traced::may_trace;
use crate::support::{Daemon, Delegated, Folder, Processes, ledger, not_tested, until};

fn delegated(name: &str) -> Option<Delegated> {
    let made = Delegated::make(&format!("test-{name}"));
    if made.is_none() {
        not_tested("this machine does not let us make control groups of version 2");
    }
    made
}

/// Starts elder in the group, by more words before its own.
fn start_by(group: &Delegated, folder: &Folder, by: &[&str]) -> Daemon {
    let entering = group.entering();
    let words: Vec<&str> = entering.iter().map(String::as_str).collect();
    let daemon = Daemon::start_by(folder, &[&words, by].concat());
    daemon.wait_until_ready();
    daemon
}

fn start(group: &Delegated, folder: &Folder) -> Daemon {
    start_by(group, folder, &[])
}

/// The groups of runs in it.
fn runs(group: &Delegated) -> Vec<String> {
    let entries = std::fs::read_dir(&group.0).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("run-")).collect()
}

/// Leaves a process behind that has no environment, no parent and a session of its own: nothing but a
/// control group can tell whose it is. Its number is in `escaped`.
const HIDE: &str = r#"(setsid env -i /bin/sh -c 'trap "" TERM; echo $$ > escaped.new; mv escaped.new escaped; while :; do sleep 0.1; done' &)"#;

fn escaped(folder: &Folder) -> i32 {
    until("a process hides", || {
        folder.read("jobs.d/escaped").trim().parse().ok()
    })
}

#[test]
fn who_hides_from_everything_else_is_ended_with_the_run() {
    let Some(group) = delegated("hide") else {
        return;
    };
    let text = format!(
        "jobs:\n  hides:\n    schedule: manual\n    timeout: 1s\n    kill_grace: 500ms\n    run: |\n      {HIDE}\n      sleep 300\n"
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    let daemon = start(&group, &folder);
    let run = daemon.trigger("hides");
    let pid = escaped(&folder);
    assert!(Processes::is_alive(pid));
    assert_eq!(daemon.ended(&run)["outcome"], "timed_out");
    assert!(!Processes::is_alive(pid), "it goes on after its run's end");
    until("the group of the run is gone", || {
        runs(&group).is_empty().then_some(())
    });
}

#[test]
fn a_storm_of_processes_is_ended_whole() {
    let Some(group) = delegated("storm") else {
        return;
    };
    // Each that is killed alone would be replaced by its parent; at most some hundreds.
    let storm = "trap '' TERM; for i in 1 2 3 4 5 6 7 8; do (trap '' TERM; while :; do setsid sleep 300 & sleep 0.05; done) & done; echo > ready; wait";
    let text = format!(
        "jobs:\n  storm: {{ schedule: manual, timeout: 2s, kill_grace: 200ms, run: {storm:?} }}\n"
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    let daemon = start(&group, &folder);
    let run = daemon.run("storm");
    assert_eq!(run["outcome"], "timed_out", "{run}");
    let took = run["duration_seconds"].as_f64().unwrap();
    // The timeout, the grace, and a second.
    assert!(took <= 2.0 + 0.2 + 1.0, "{took}");
    until("the group of the run is gone", || {
        runs(&group).is_empty().then_some(())
    });
}

#[test]
fn every_way_of_starting_leads_into_a_group_and_elder_is_in_a_leaf() {
    let Some(group) = delegated("ways") else {
        return;
    };
    leads_into_a_group(&group, &[]);
}

/// As under a filter of system calls that does not know one of these, such as an older container's.
#[test]
fn where_no_process_can_begin_in_a_group_the_way_round_leads_into_it() {
    if !may_trace() {
        return;
    }
    let Some(group) = delegated("round") else {
        return;
    };
    // Libraries go on without them by themselves.
    for call in ["clone3", "pidfd_open"] {
        let by = format!(
            "strace -D -f --seccomp-bpf -o /dev/null -e trace={call} -e inject={call}:error=ENOSYS"
        );
        let by: Vec<&str> = by.split(' ').collect();
        leads_into_a_group(&group, &by);
    }
}

fn leads_into_a_group(group: &Delegated, by: &[&str]) {
    let jobs = "jobs:
  straight: { schedule: manual, run: 'grep 0:: /proc/self/cgroup' }
  limited: { schedule: manual, limits: { open_files: 64 }, run: 'grep 0:: /proc/self/cgroup' }
  user: { schedule: manual, user: nobody, cwd: /, run: 'grep 0:: /proc/self/cgroup' }
  leaves: { schedule: manual, run: 'sleep 300 & echo $! > left' }
";
    let folder = Folder::with(&[("jobs.d/a.yaml", jobs)]);
    let daemon = start_by(group, &folder, by);
    let own = std::fs::read_to_string(format!("/proc/{}/cgroup", daemon.pid())).unwrap();
    assert!(own.trim_end().ends_with("/elder"), "{own}");
    for job in ["straight", "limited", "user"] {
        let run = daemon.run(job);
        let id = run["run_id"].as_str().unwrap();
        let text = run["output"].as_str().unwrap();
        assert!(text.trim_end().ends_with(&format!("/run-{id}-1")), "{text}");
    }
    // What a run that ended in time leaves in the background goes on, and its group as long.
    assert_eq!(daemon.run("leaves")["outcome"], "success");
    let pid = folder.read("jobs.d/left").trim().parse().unwrap();
    assert!(Processes::is_alive(pid));
    assert_eq!(runs(group).len(), 1);
    Processes::signal(pid, rustix::process::Signal::KILL);
    until("the group goes with a later start", || {
        daemon.run("straight");
        runs(group).is_empty().then_some(())
    });
}

#[test]
fn what_hides_from_a_dead_elder_is_killed_at_the_next_start() {
    let Some(group) = delegated("dead") else {
        return;
    };
    let text = format!(
        "jobs:\n  hides:\n    schedule: manual\n    run: |\n      {HIDE}\n      sleep 300\n"
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    let daemon = start(&group, &folder);
    let run = daemon.trigger("hides");
    let pid = escaped(&folder);
    daemon.kill();
    assert!(Processes::is_alive(pid), "it ended with elder");
    let daemon = start(&group, &folder);
    assert!(daemon.has_logged("1 control groups of runs").is_some());
    until("it is ended", || (!Processes::is_alive(pid)).then_some(()));
    assert_eq!(daemon.ended(&run)["outcome"], "interrupted");
    assert_eq!(ledger::rows(&daemon, "hides").len(), 1);
}
