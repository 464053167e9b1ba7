//! The service manager that started elder (`sd_notify`): it is told of readiness, reloads, the end,
//! and, as often as it asks for, that the engine's loop goes round.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use crate::clock;
use crate::engine::Stats;
use crate::finding::Severity;
use crate::finding::render::amount;
use crate::sync::{SyncHandle, SyncStatus};

use super::options::ServiceManager;
use super::pulse::Pulse;

/// How often the status line is looked at when no watchdog asks for more.
const STATUS_EVERY: Duration = Duration::from_secs(10);

/// So many times within its patience the watchdog is told.
const BEATS: u32 = 3;

/// Who is told; nobody, when nobody asked.
#[derive(Clone, Default)]
pub(super) struct Manager(Option<Arc<Inner>>);

struct Inner {
    socket: UnixDatagram,
    address: SocketAddr,
    watchdog: Option<Duration>,
    /// Reloads under way.
    reloads: AtomicUsize,
}

impl Manager {
    /// The manager that these options name.
    ///
    /// # Errors
    /// When its address is none.
    pub(super) fn of(options: Option<&ServiceManager>) -> std::io::Result<Self> {
        let Some(options) = options else {
            return Ok(Self::default());
        };
        let socket = UnixDatagram::unbound()?;
        // A manager that does not listen must not hold elder up.
        socket.set_nonblocking(true)?;
        Ok(Self(Some(Arc::new(Inner {
            socket,
            address: address(&options.socket)?,
            watchdog: options.watchdog,
            reloads: AtomicUsize::new(0),
        }))))
    }

    fn tell(&self, lines: &str) {
        if let Some(inner) = &self.0 {
            // What is not heard now is said again, or does not matter any more.
            let _ = inner.socket.send_to_addr(lines.as_bytes(), &inner.address);
        }
    }

    /// The first sync is done.
    pub(super) fn ready(&self) {
        self.tell("READY=1\n");
    }

    /// A reload that the manager asked for begins.
    pub(super) fn reloading(&self) {
        if let Some(inner) = &self.0 {
            inner.reloads.fetch_add(1, Ordering::SeqCst);
            let now = clock::since_start_of_machine().as_micros();
            self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={now}\n"));
        }
    }

    /// It is done, and what came of it.
    pub(super) fn reloaded(&self) {
        if let Some(inner) = &self.0
            && inner.reloads.fetch_sub(1, Ordering::SeqCst) == 1
        {
            self.ready();
        }
    }

    /// Elder begins to end.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stopping: runs may end within the grace\n");
    }

    /// Says how things are, and that the engine's loop goes round, for ever. While the loop stands
    /// still nothing is said: the manager is to see that.
    pub(super) async fn keep_told(self, pulse: Pulse, sync: SyncHandle) {
        let Some(inner) = self.0.clone() else {
            return;
        };
        let every = inner.watchdog.map_or(STATUS_EVERY, |patience| {
            (patience / BEATS).min(STATUS_EVERY)
        });
        let mut last = String::new();
        loop {
            if let Some(stats) = pulse.feel().await {
                let status = status(&stats, &sync.status());
                let mut lines = String::new();
                if inner.watchdog.is_some() {
                    lines.push_str("WATCHDOG=1\n");
                }
                if status != last {
                    lines.push_str(&format!("STATUS={status}\n"));
                    last = status;
                }
                if !lines.is_empty() {
                    self.tell(&lines);
                }
            }
            sleep(every).await;
        }
    }
}

/// `/run/…`, or `@…` for a name without a file.
fn address(name: &OsStr) -> std::io::Result<SocketAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(name),
    }
}

/// One line for `systemctl status`.
fn status(stats: &Stats, sync: &SyncStatus) -> String {
    let mut parts = vec![format!(
        "{}, {} active; {} running, {} queued",
        amount(stats.jobs, "job"),
        stats.active_jobs,
        stats.running,
        stats.queued
    )];
    if stats.store_error.is_some() {
        parts.push("the store cannot be written".to_owned());
    }
    let is_error = |finding: &&crate::finding::Finding| finding.severity == Severity::Error;
    let errors = sync.findings.iter().filter(is_error).count();
    if errors > 0 {
        parts.push(format!("{} in job files", amount(errors as u64, "error")));
    }
    if !sync.pending.is_empty() {
        parts.push(format!(
            "{} held",
            amount(sync.pending.len() as u64, "removal")
        ));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_manager_nothing_is_said_and_a_bad_address_is_told() {
        let nobody = Manager::of(None).unwrap();
        nobody.ready();
        nobody.reloading();
        nobody.reloaded();
        let long = "/x".repeat(200);
        let options = ServiceManager {
            socket: long.into(),
            watchdog: None,
        };
        assert!(Manager::of(Some(&options)).is_err());
    }

    #[test]
    fn readiness_returns_when_the_last_of_several_reloads_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let heard = UnixDatagram::bind(&path).unwrap();
        heard.set_nonblocking(true).unwrap();
        let manager = Manager::of(Some(&ServiceManager {
            socket: path.into(),
            watchdog: None,
        }))
        .unwrap();
        let all = || {
            let mut texts = Vec::new();
            let mut bytes = [0; 512];
            while let Ok(length) = heard.recv(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                texts.push(text.split('\n').next().unwrap().to_owned());
            }
            texts
        };
        manager.reloading();
        manager.reloading();
        manager.reloaded();
        assert_eq!(all(), ["RELOADING=1", "RELOADING=1"]);
        manager.reloaded();
        assert_eq!(all(), ["READY=1"]);
    }
}
