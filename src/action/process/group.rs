//! A process group: the leader that elder started and what it started in turn.

use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// How often is looked whether a group is gone: nothing tells when its last member ends.
const LOOK: Duration = Duration::from_millis(20);

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

    /// Ends when the leader has been reaped and no other member is left.
    /// While a member lives, the kernel gives the group's number to nobody else.
    pub(super) async fn gone(&self) {
        while let Some(leader) = self.leader {
            if test_kill_process_group(leader) == Err(Errno::SRCH) {
                return;
            }
            tokio::time::sleep(LOOK).await;
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
