//! `sd_notify`: what a service manager hears, through a real datagram socket.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Daemon, Folder, ledger, not_tested, until};

/// A service manager that remembers what it heard.
struct Manager(UnixDatagram);

impl Manager {
    fn at(folder: &Folder) -> Self {
        Self::new(UnixDatagram::bind(folder.join("notify")).unwrap())
    }

    fn new(socket: UnixDatagram) -> Self {
        socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        Self(socket)
    }

    /// The next message, if one comes within moments.
    fn hear(&self) -> Option<String> {
        let mut bytes = [0; 4096];
        let length = self.0.recv(&mut bytes).ok()?;
        Some(String::from_utf8(bytes[..length].to_vec()).unwrap())
    }

    /// Waits for a message with this line and says everything that came until then, it included.
    fn hear_until(&self, begin: &str) -> Vec<String> {
        let mut lines = Vec::new();
        until(begin, || {
            lines.extend(self.hear()?.lines().map(str::to_owned));
            lines
                .iter()
                .any(|line| line.starts_with(begin))
                .then_some(())
        });
        lines
    }
}

const JOB: &str = "jobs:\n  often:\n    schedule: { every: 200ms }\n    inherit_env: [NOTIFY_SOCKET, WATCHDOG_USEC]\n    run: 'env > seen.new; mv seen.new seen'\n";

fn start(folder: &Folder, socket: &str, watchdog: &str) -> Daemon {
    Daemon::start_with(folder, |program| {
        program
            .env("NOTIFY_SOCKET", socket)
            .env("WATCHDOG_USEC", watchdog)
    })
}

#[test]
fn the_manager_hears_of_readiness_reloads_life_and_the_end_and_jobs_cannot_speak_to_it() {
    let folder = Folder::with(&[("jobs.d/a.yaml", JOB)]);
    let manager = Manager::at(&folder);
    let socket = folder.join("notify");
    let mut daemon = start(&folder, socket.to_str().unwrap(), "600000");
    assert_eq!(manager.hear_until("READY=1")[0], "READY=1");
    assert_eq!(
        daemon.get("/readyz").status,
        200,
        "ready is after the first sync"
    );
    let lines = manager.hear_until("STATUS=");
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("STATUS=1 job, 1 active")),
        "{lines:?}"
    );
    for _ in 0..3 {
        manager.hear_until("WATCHDOG=1");
    }
    folder.write(
        "jobs.d/b.yaml",
        "jobs: { b: { schedule: manual, run: 'true' } }\n",
    );
    daemon.signal(Signal::HUP);
    let lines = manager.hear_until("READY=1");
    let at = |begin: &str| lines.iter().position(|line| line.starts_with(begin));
    let reloading = at("RELOADING=1").unwrap();
    let since: u64 = lines[reloading + 1]
        .strip_prefix("MONOTONIC_USEC=")
        .unwrap()
        .parse()
        .unwrap();
    assert!(since > 0 && at("READY=1").unwrap() > reloading);
    assert_eq!(
        daemon.get("/api/v1/jobs/b").status,
        200,
        "ready again is after the sync"
    );
    let seen = until("the job ran", || {
        let seen = folder.read("jobs.d/seen");
        seen.contains("ELDER_JOB").then_some(seen)
    });
    assert!(
        !seen.contains("NOTIFY_SOCKET") && !seen.contains("WATCHDOG"),
        "{seen}"
    );
    daemon.signal(Signal::TERM);
    manager.hear_until("STOPPING=1");
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn a_manager_may_have_a_name_without_a_file_and_need_not_listen() {
    let folder = Folder::with(&[("jobs.d/a.yaml", JOB)]);
    let name = format!("elder-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = Manager::new(UnixDatagram::bind_addr(&address).unwrap());
    let daemon = start(&folder, &format!("@{name}"), "");
    manager.hear_until("READY=1");
    drop(manager);
    daemon.signal(Signal::HUP);
    until("it goes on", || {
        (ledger::rows(&daemon, "often").len() > 5).then_some(())
    });
    assert_eq!(daemon.stop().code(), Some(0));
}

#[test]
fn a_loop_that_stands_still_is_not_hidden() {
    if !cfg!(debug_assertions) {
        not_tested("a release has no fail points");
        return;
    }
    let folder = Folder::with(&[(
        "jobs.d/a.yaml",
        "jobs: { hangs: { schedule: manual, run: 'true' } }\n",
    )]);
    let manager = Manager::at(&folder);
    let socket = folder.join("notify");
    let daemon = Daemon::start_with(&folder, |program| {
        program
            .env("NOTIFY_SOCKET", socket.to_str().unwrap())
            .env("WATCHDOG_USEC", "300000")
            .env("ELDER_FAIL_POINT", "hang-engine:hangs")
    });
    manager.hear_until("WATCHDOG=1");
    // Nobody answers, so nobody is waited for.
    std::thread::scope(|scope| {
        let ask = || drop(daemon.try_post("/api/v1/jobs/hangs/run", "{}", Duration::from_secs(1)));
        std::thread::Builder::new()
            .spawn_scoped(scope, ask)
            .unwrap();
    });
    // What was on its way is heard; then nothing for many times its pause.
    let mut silent = 0;
    until("the manager hears no more", || {
        silent = if manager.hear().is_some() {
            0
        } else {
            silent + 1
        };
        (silent > 30).then_some(())
    });
}
