//! The process of an attempt: the leader of its group, whichever way it was started.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, WaitOptions, pidfd_open, waitpid};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::process::Child;

use super::census::Stat;
use super::group::Group;

/// Waited for once; until then its number is its own.
pub(super) enum Leader {
    /// By the library's way.
    Spawned(Child),
    /// Inside its control group.
    Begun { pid: Pid, end: AsyncFd<OwnedFd> },
}

impl Leader {
    /// The process that was begun just now.
    ///
    /// # Errors
    /// When there are no more descriptors; it and its group have been killed then.
    pub(super) fn begun(pid: Pid) -> io::Result<Self> {
        let end = Self::end_of(pid).inspect_err(|_| drop(Group::of(pid)))?;
        Ok(Self::Begun { pid, end })
    }

    fn end_of(pid: Pid) -> io::Result<AsyncFd<OwnedFd>> {
        let end = pidfd_open(pid, PidfdFlags::empty())?;
        #[expect(unsafe_code, reason = "there is no safe way to wait for a descriptor")]
        // SAFETY: it is this one's own, which closes it after it was let go.
        let end = unsafe { AsyncFd::register_with_interest(end, Interest::READABLE) };
        Ok(end?)
    }

    /// How much processor time it had used when it ended; to be asked before [`Leader::wait`], which
    /// buries it. `None` when that cannot be told.
    pub(super) async fn spent(&self) -> Option<Duration> {
        let pid = match self {
            Self::Spawned(child) => Pid::from_raw(child.id()?.cast_signed())?,
            Self::Begun { pid, .. } => *pid,
        };
        let end = Self::end_of(pid).ok()?;
        let _ended = end.readable().await.ok()?;
        Some(Stat::of(pid.as_raw_nonzero().get())?.spent)
    }

    /// Its end.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let (pid, end) = match self {
            Self::Spawned(child) => return child.wait().await,
            Self::Begun { pid, end } => (*pid, end),
        };
        loop {
            let mut ended = end.readable().await?;
            if let Some((_, status)) = waitpid(Some(pid), WaitOptions::NOHANG)? {
                return Ok(ExitStatus::from_raw(status.as_raw()));
            }
            ended.clear_ready();
        }
    }
}
