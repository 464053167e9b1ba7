//! Whose children end: elder's own, which whoever started them waits for, and strangers.
//!
//! As process 1, and as the reaper of all that its jobs start, elder inherits processes that it
//! did not start. They have to be waited for when they end, or they stay as zombies; its own must
//! not be, or their exit codes are lost.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, getpid, set_child_subreaper, waitid};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use super::census::Stat;

/// So long after a child's end strangers are looked for: a burst of ends is one look.
const PAUSE: Duration = Duration::from_millis(100);

/// Elder's own children.
#[derive(Debug, Default)]
pub struct Children(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    own: HashSet<i32>,
    /// The number of the next start.
    next: u64,
    /// Starts under way: their child may be there before anybody knows its number.
    starting: BTreeSet<u64>,
    /// Zombies that nobody knows, and the next start's number when each was first seen.
    suspects: HashMap<(i32, u64), u64>,
}

/// A start under way.
pub(super) struct Starting {
    children: Arc<Children>,
    number: u64,
}

/// A child of elder's own, until this is dropped: after it was waited for.
pub(super) struct Own {
    children: Arc<Children>,
    pid: Pid,
}

impl Children {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called before a process is started.
    pub(super) fn starting(self: &Arc<Self>) -> Starting {
        let mut known = self.known();
        let number = known.next;
        known.next += 1;
        known.starting.insert(number);
        Starting {
            children: Arc::clone(self),
            number,
        }
    }

    /// Reaps the strangers that have ended; says whether there are zombies left.
    fn reap(&self) -> bool {
        let zombies: Vec<_> = children_of_this_process()
            .into_iter()
            .filter_map(|pid| Some((pid, Stat::of(pid).filter(|stat| stat.is_zombie())?.began)))
            .collect();
        let mut known = self.known();
        let known = &mut *known;
        known.suspects.retain(|zombie, _| zombies.contains(zombie));
        let mut is_left = false;
        for (pid, began) in zombies {
            if !known.is_stranger(pid, began) || !bury(pid, began) {
                is_left = true;
            }
        }
        is_left
    }
}

impl Known {
    /// Whether this zombie is none of ours. One that nobody knows may be the child of a start that
    /// was under way when it was first seen; when all of those have come to their end, it is not.
    fn is_stranger(&mut self, pid: i32, began: u64) -> bool {
        if self.own.contains(&pid) {
            return false;
        }
        let first_seen = *self.suspects.entry((pid, began)).or_insert(self.next);
        self.starting
            .first()
            .is_none_or(|oldest| *oldest >= first_seen)
    }
}

impl Starting {
    /// The process is there.
    pub(super) fn began(self, pid: Pid) -> Own {
        self.children.known().own.insert(pid.as_raw_nonzero().get());
        Own {
            children: Arc::clone(&self.children),
            pid,
        }
    }
}

impl Own {
    /// Its number.
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.children.known().starting.remove(&self.number);
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.children
            .known()
            .own
            .remove(&self.pid.as_raw_nonzero().get());
    }
}

/// Makes elder the parent of whatever its jobs leave without one, as process 1 is: so it can be
/// found, ended and reaped.
///
/// # Errors
/// When the system refuses.
pub fn adopt_orphans() -> std::io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Reaps strangers for ever, soon after they end.
pub async fn reap_strangers(children: Arc<Children>) {
    let Ok(mut ended) = signal(SignalKind::child()) else {
        return;
    };
    loop {
        loop {
            sleep(PAUSE).await;
            let children = Arc::clone(&children);
            let look = tokio::task::spawn_blocking(move || children.reap());
            if !look.await.unwrap_or(false) {
                break;
            }
        }
        if ended.recv().await.is_none() {
            return;
        }
    }
}

/// Takes note of a zombie's end, which lets it go. Only whoever holds the lock does this, so the
/// number is still the same zombie's.
fn bury(pid: i32, began: u64) -> bool {
    let is_it = Stat::of(pid).is_some_and(|stat| stat.is_zombie() && stat.began == began);
    let Some(pid) = Pid::from_raw(pid).filter(|_| is_it) else {
        return true;
    };
    waitid(
        WaitId::Pid(pid),
        WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
    )
    .is_ok()
}

/// Each thread's children; where the kernel does not list them, every process is asked.
fn children_of_this_process() -> Vec<i32> {
    let listed = || {
        let mut all = Vec::new();
        for thread in fs::read_dir("/proc/self/task").ok()?.flatten() {
            match fs::read_to_string(thread.path().join("children")) {
                Ok(list) => all.extend(
                    list.split_ascii_whitespace()
                        .filter_map(|pid| pid.parse::<i32>().ok()),
                ),
                // A thread that has ended meanwhile has given its children to another.
                Err(_) if !thread.path().exists() => {}
                Err(_) => return None,
            }
        }
        Some(all)
    };
    listed().unwrap_or_else(|| {
        let us = getpid().as_raw_nonzero().get();
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| Stat::of(*pid).is_some_and(|stat| stat.parent == us))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zombie_is_a_stranger_when_every_start_that_may_have_made_it_is_over() {
        let children = Arc::new(Children::default());
        let is_stranger = |pid| children.known().is_stranger(pid, 1);
        assert!(is_stranger(7), "nothing is being started");
        let first = children.starting();
        assert!(!is_stranger(8), "perhaps it is the child of that start");
        assert!(is_stranger(7), "it was there before");
        let second = children.starting();
        let own = first.began(Pid::from_raw(9).unwrap());
        assert!(is_stranger(8), "the second start began after it was seen");
        assert!(!is_stranger(9) && !is_stranger(10));
        drop(second);
        assert!(is_stranger(10));
        drop(own);
        assert!(is_stranger(9), "whoever waited for it is done");
        assert!(children.known().starting.is_empty());
    }
}
