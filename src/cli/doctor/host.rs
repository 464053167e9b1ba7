//! What the host says about itself.

use std::path::{Path, PathBuf};

use clap::Parser;
use rustix::fs::{inotify, statvfs};
use rustix::process::{Resource, getrlimit};

use crate::action::process::is_delegated_to;
use crate::clock;
use crate::tools::doctor::{Cgroup, DiskFacts, InotifyFacts, Mount, Synchronised};

use super::super::args::{Cli, Command};
use super::{mounts, walk};

/// File systems on which SQLite's locks cannot be trusted.
const NETWORK: [&str; 5] = ["nfs", "nfs4", "cifs", "smb3", "smbfs"];

/// The kernel's word, where it gives one, and what systemd-timesyncd leaves when it has set the clock.
pub(super) fn synchronised() -> Synchronised {
    let folder = Path::new("/run/systemd/timesync");
    let is_set = folder.join("synchronized").exists();
    judged(clock::is_in_step(), folder.is_dir().then_some(is_set))
}

/// What the kernel says, and whether systemd-timesyncd, if it runs, has set the clock.
fn judged(kernel: Option<bool>, timesyncd: Option<bool>) -> Synchronised {
    match (kernel, timesyncd) {
        (Some(true), _) | (None, Some(true)) => Synchronised::Yes,
        (_, Some(false)) => Synchronised::NotYet,
        (Some(false), _) => Synchronised::No,
        (None, None) => Synchronised::Unknown,
    }
}

pub(super) fn inotify(folders: u64) -> InotifyFacts {
    let text = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_watches");
    InotifyFacts {
        refused: inotify::init(inotify::CreateFlags::CLOEXEC)
            .err()
            .map(|error| error.to_string()),
        watches: text.ok().and_then(|text| text.trim().parse().ok()),
        folders,
    }
}

pub(super) fn open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// The file system of `there`, which is the state folder or what will hold it.
pub(super) fn disk(there: &Path, state: &Path, all: &[Mount]) -> Option<DiskFacts> {
    let free = statvfs(there).ok()?;
    let network = mounts::below(all, there).map(|mount| mount.kind.clone());
    Some(DiskFacts {
        at: there.to_owned(),
        free: free.f_bavail.saturating_mul(free.f_frsize),
        free_files: (free.f_files > 0).then_some(free.f_favail),
        open_to_others: state.is_dir() && walk::mode(state) & 0o007 != 0,
        network: network.filter(|kind| NETWORK.contains(&kind.as_str())),
    })
}

/// Whether a process, else this one, may make control groups below its own.
pub(super) fn cgroup(pid: Option<u32>) -> Cgroup {
    let process = pid.map_or("self".to_owned(), |pid| pid.to_string());
    match is_delegated_to(&process) {
        None => Cgroup::Absent,
        Some(false) => Cgroup::NotDelegated,
        Some(true) => Cgroup::Delegated,
    }
}

/// Every `elder run` on this host whose process may be looked at, with its PATHs.
pub(super) fn daemons() -> Vec<(u32, Vec<PathBuf>)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut daemons: Vec<_> = pids.filter_map(|pid| Some((pid, paths_of(pid)?))).collect();
    daemons.sort_unstable();
    daemons
}

/// The PATHs of a process, when it is an `elder run`.
fn paths_of(pid: u32) -> Option<Vec<PathBuf>> {
    let text = words_of(pid)?;
    let words: Vec<&str> = text.trim_end_matches('\0').split('\0').collect();
    let name = Path::new(words.first()?).file_name()?;
    if name != "elder" || words.get(1) != Some(&"run") {
        return None;
    }
    let Command::Run(typed) = Cli::try_parse_from(&words).ok()?.command else {
        return None;
    };
    // A child that is being started still shows the words of its parent.
    let parent = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let parent = parent
        .rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(1)?
        .parse::<u32>()
        .ok()?;
    if words_of(parent).is_some_and(|of_parent| of_parent == text) {
        return None;
    }
    let folder = std::fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
    let default = [crate::daemon::options::Paths::DEFAULT.to_owned()];
    let paths = match typed.paths.is_empty() {
        true => default.to_vec(),
        false => typed.paths,
    };
    let paths = paths.iter().map(|path| folder.join(path).canonicalize());
    Some(paths.filter_map(Result::ok).collect())
}

fn words_of(pid: u32) -> Option<String> {
    let text = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    String::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_knows_of_every_service_and_timesyncd_only_of_itself() {
        for (kernel, timesyncd, want) in [
            (Some(true), None, Synchronised::Yes),
            // Another service keeps it.
            (Some(true), Some(false), Synchronised::Yes),
            (None, Some(true), Synchronised::Yes),
            (Some(false), Some(false), Synchronised::NotYet),
            (None, Some(false), Synchronised::NotYet),
            (Some(false), None, Synchronised::No),
            // It was set once, and is not kept any more.
            (Some(false), Some(true), Synchronised::No),
            (None, None, Synchronised::Unknown),
        ] {
            assert_eq!(judged(kernel, timesyncd), want, "{kernel:?} {timesyncd:?}");
        }
        // Whatever it says, asking does no harm.
        let _ = clock::is_in_step();
    }
}
