//! Faults that only a tracer can make: system calls of a real elder that fail or lie.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Daemon, Folder, ledger, not_tested, outage, until};

/// Whether there is a tracer, and it may trace.
pub(super) fn may_trace() -> bool {
    let trial = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output();
    let may = trial.is_ok_and(|out| out.status.success());
    if !may {
        not_tested("strace is not to be had, or may not trace");
    }
    may
}

/// A tracer of a running elder that makes calls fail; it lets go when dropped.
struct Tracer(Child);

impl Tracer {
    fn of(daemon: &Daemon, calls: &str, fate: &str) -> Self {
        let child = Command::new("strace")
            .args(["-f", "-o", "/dev/null", "-p", &daemon.pid().to_string()])
            .args(["-e", &format!("trace={calls}")])
            .args(["-e", &format!("inject={calls}:{fate}")])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        let _ = kill_process(pid, Signal::INT);
        let _ = self.0.wait();
    }
}

#[test]
fn a_disk_that_fails_to_sync_stops_every_start_and_elder_goes_on_when_it_no_longer_does() {
    if !may_trace() {
        return;
    }
    let folder = Folder::with(&[("jobs.d/a.yaml", &outage::jobs())]);
    let daemon = Daemon::start(&folder);
    outage::is_endured(
        &folder,
        &daemon,
        || Tracer::of(&daemon, "fsync,fdatasync", "error=EIO"),
        drop,
    );
    assert!(
        daemon
            .has_logged("the disk does not do what it is told")
            .is_some()
    );
}

#[test]
fn what_is_asked_for_while_the_disk_stands_still_is_answered_and_may_be_done_later() {
    if !may_trace() {
        return;
    }
    let text = "jobs:\n  a: { schedule: { every: 1h }, run: 'true' }\n  b: { schedule: manual, run: 'true' }\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let daemon = Daemon::start(&folder);
    daemon.run("b");
    let tracer = Tracer::of(&daemon, "fsync,fdatasync", "delay_enter=300s");
    // Until it has hold of all threads the disk may do what it is told.
    until("the disk stands still", || {
        let asked = daemon.try_post("/api/v1/jobs/b/run", "", Duration::from_millis(500));
        asked.is_err().then_some(())
    });
    let ask = |path: &str| daemon.try_post(path, "", Duration::from_secs(60)).unwrap();
    let (pause, run) = std::thread::scope(|scope| {
        let pause = std::thread::Builder::new();
        let pause = pause.spawn_scoped(scope, || ask("/api/v1/jobs/a/pause"));
        let pause = pause.unwrap();
        let run = ask("/api/v1/jobs/a/run");
        (pause.join().unwrap(), run)
    });
    for (reply, told) in [(&pause, "may come in force"), (&run, "may begin")] {
        assert_eq!(reply.status, 503, "{reply:?}");
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(told), "{detail}");
    }
    assert_eq!(
        daemon.get("/healthz").status,
        200,
        "a restart would not help"
    );
    let job = || daemon.get("/api/v1/jobs/a").json();
    assert_eq!(job()["status"], "active", "it is not in the store");
    assert_eq!(job()["last_run"], serde_json::Value::Null);
    drop(tracer);
    until("both are done after all", || {
        let job = job();
        let is_paused = job["status"] == "paused";
        (is_paused && job["last_run"]["outcome"] == "success").then_some(())
    });
    let bearer = format!("Bearer {}", daemon.token());
    until(
        "the trail has both, and the one whose caller went away",
        || {
            let trail = daemon.send("GET", "/api/v1/audit", &[("Authorization", &bearer)], "");
            let late = trail.body.matches("it may be done all the same");
            (late.count() == 3).then_some(())
        },
    );
}

#[test]
fn while_the_system_has_no_process_to_give_runs_fail_and_say_so() {
    if !may_trace() {
        return;
    }
    let text = "jobs:\n  often:\n    schedule: { every: 200ms }\n    run: 'true'\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let daemon = Daemon::start(&folder);
    let newest = |outcome: &str, reason: &str| {
        let rows = ledger::rows(&daemon, "often");
        let row = rows.into_iter().rfind(|row| row.state == "done")?;
        (row.outcome == outcome && row.reason == reason).then_some(row)
    };
    until("it runs", || newest("success", ""));
    // As at the limit of processes of its user or its cgroup; there are no threads to be had either.
    let tracer = Tracer::of(&daemon, "clone,clone3,vfork", "error=EAGAIN");
    let failed = until("no process is to be had", || newest("failed", "spawn"));
    assert_eq!(daemon.get("/healthz").status, 200);
    drop(tracer);
    until("it runs again", || newest("success", ""));
    let run = daemon.get(&format!("/api/v1/runs/{}", failed.id)).json();
    assert!(run["detail"].as_str().unwrap().contains("EAGAIN"), "{run}");
}

#[test]
fn a_state_folder_on_a_network_file_system_is_refused_with_a_way_out() {
    if !may_trace() {
        return;
    }
    // What statfs answers begins with the kind of file system.
    for (kind, magic) in [("NFS", "6969000000000000"), ("SMB", "424d53fe00000000")] {
        let folder = Folder::with(&[("jobs.d/a.yaml", "jobs: {}\n")]);
        let lie = format!("inject=fstatfs:poke_exit=@arg2={magic}");
        let out = Command::new("strace")
            .args(["-f", "-o", "/dev/null", "-e", "trace=fstatfs", "-e", &lie])
            .arg(env!("CARGO_BIN_EXE_elder"))
            .args([
                "run",
                "jobs.d",
                "--listen",
                "127.0.0.1:0",
                "--state",
                "state",
            ])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{kind}: {said}");
        assert!(
            said.contains("lies on a network file system"),
            "{kind}: {said}"
        );
        assert!(
            said.contains("use --state or --store on a local disk"),
            "{kind}: {said}"
        );
        assert!(!folder.join("state/elder.db").exists());
    }
}

#[test]
fn without_inotify_changes_are_seen_all_the_same() {
    if !may_trace() {
        return;
    }
    let job = |name: &str| format!("jobs: {{ {name}: {{ schedule: manual, run: 'true' }} }}\n");
    for (call, error, said) in [
        (
            "inotify_init1",
            "EMFILE",
            "the kernel does not report changes",
        ),
        ("inotify_add_watch", "ENOSPC", "fs.inotify.max_user_watches"),
    ] {
        let folder = Folder::with(&[("jobs.d/a.yaml", &job("a"))]);
        // Beside elder and not above it, so that who ends elder ends the tracer.
        let by = format!(
            "strace -D -f --seccomp-bpf -o /dev/null -e trace={call} -e inject={call}:error={error}"
        );
        let by: Vec<&str> = by.split(' ').collect();
        let daemon = Daemon::start_by(&folder, &by);
        daemon.wait_until_ready();
        assert_eq!(daemon.get("/api/v1/jobs/a").status, 200);
        folder.write("jobs.d/b.yaml", &job("b"));
        until("the new file is seen", || {
            (daemon.get("/api/v1/jobs/b").status == 200).then_some(())
        });
        assert!(daemon.has_logged(said).is_some(), "{:?}", daemon.log());
    }
}
