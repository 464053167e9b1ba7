//! A process group: the leader that elder started and what it started in turn.

use std::fs;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use super::census::Stat;

/// How soon and how seldom is looked whether a group is gone: nothing tells when its last member ends.
const FIRST_LOOK: Duration = Duration::from_millis(10);
const LATER_LOOKS: Duration = Duration::from_millis(320);

/// A group that is killed when it is dropped, unless it was let go.
pub(super) struct Group {
    leader: Option<Pid>,
}

impl Group {
    /// The group that `leader` leads.
    pub(super) fn of(leader: Pid) -> Self {
        Self {
            leader: Some(leader),
        }
    }

    /// Its number, unless it was let go.
    pub(super) fn number(&self) -> Option<i32> {
        self.leader.map(|leader| leader.as_raw_nonzero().get())
    }

    /// Asks every member to end.
    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends every member.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Whatever is left may go on.
    pub(super) fn let_go(&mut self) {
        self.leader = None;
    }

    /// Ends when no member lives any more; the leader must have been reaped.
    /// While there is a member, the kernel gives the group's number to nobody else.
    pub(super) async fn gone(&self) {
        let mut pause = FIRST_LOOK;
        while let Some(leader) = self.leader {
            if test_kill_process_group(leader) == Err(Errno::SRCH) {
                return;
            }
            // Members that ended count until their parent notices, which in a container may be never.
            let look = tokio::task::spawn_blocking(move || has_live_member(leader));
            if let Ok(false) = look.await {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = LATER_LOOKS.min(pause * 2);
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // The only way to fail is that nobody is left, which is what is wanted.
            let _ = kill_process_group(leader, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a process of the group is more than a zombie. Where that cannot be told, one is.
fn has_live_member(leader: Pid) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else {
        return true;
    };
    let group = leader.as_raw_nonzero().get();
    processes.flatten().any(|process| {
        let name = process.file_name();
        let is_process = name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
        is_process
            && fs::read(process.path().join("stat")).is_ok_and(|stat| is_live_member(&stat, group))
    })
}

fn is_live_member(stat: &[u8], group: i32) -> bool {
    Stat::parse(stat).is_some_and(|stat| stat.group == group && !stat.is_dead())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zombie_is_no_live_member() {
        let rest = "77 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 4711";
        for (stat, want) in [
            ("12 (sleep) S 1 77", true),
            ("12 (a) Z 1 77) R 1 77", true),
            ("12 (sleep) Z 1 77", false),
            ("12 (sleep) S 1 78", false),
        ] {
            let stat = format!("{stat} {rest}");
            assert_eq!(is_live_member(stat.as_bytes(), 77), want, "{stat}");
        }
        assert!(!is_live_member(b"12 (sleep)", 77));
        assert!(!is_live_member(b"", 77));
    }

    #[test]
    fn this_process_is_a_live_member_of_its_group() {
        assert!(has_live_member(rustix::process::getpgrp()));
    }
}
