//! A control group (version 2) for each attempt, where a part of the tree is delegated to elder.
//!
//! What is in a group is in it however it forks, calls `setsid` or wipes its environment; so the end of a run
//! reaches all of it. Elder itself moves into a leaf of its own, for the kernel gives limits only to groups whose
//! parents hold no process. Where nothing is delegated nothing of this happens, and no start costs more.
//!
//! A process begins in its group where the kernel can do that; else it goes in by itself before it becomes the
//! program. To move it afterwards takes some milliseconds, in which it could have started something that stays outside.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, geteuid, kill_process};

use super::census::Stat;
use super::clone;
use crate::ids::RunId;
use crate::model::Limits;

/// The leaf that elder itself is in.
const OWN: &str = "elder";
/// What the folders of attempts begin with.
const RUN: &str = "run-";

/// The part of the tree that is elder's.
#[derive(Debug)]
pub struct Cgroups {
    root: PathBuf,
    memory: bool,
    pids: bool,
    /// Whether processes can begin in a group.
    begins_inside: bool,
    /// Folders whose run is over and that something still lives in.
    left: Mutex<Vec<PathBuf>>,
}

/// The group of one attempt; its folder goes with the last process in it.
#[derive(Debug)]
pub(super) struct RunGroup {
    all: Arc<Cgroups>,
    path: PathBuf,
    /// What the job asked for.
    limits: Limits,
}

impl Cgroups {
    /// Takes what is delegated to this process, if anything is, and moves the process into its leaf.
    ///
    /// A group is delegated when it belongs to elder's user, or, where that is root, when it is marked as
    /// systemd's `Delegate=yes` marks it: root may write everywhere, and should not.
    ///
    /// # Errors
    /// When something is delegated and cannot be used.
    pub fn take() -> io::Result<Option<Self>> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let own = fs::read_to_string("/proc/self/cgroup")?;
        let Some(root) = own_folder(&mounts, &own) else {
            return Ok(None);
        };
        // After a crash of elder alone its leaf may be where it is put again.
        let root = match root.file_name() {
            Some(name) if name == OWN => root.parent().map(Path::to_owned).unwrap_or(root),
            _ => root,
        };
        if !is_delegated(&root) {
            return Ok(None);
        }
        let own = root.join(OWN);
        make(&own)?;
        fs::write(own.join("cgroup.procs"), "0")?;
        let wanted = ["memory", "pids"];
        let there = words(&root.join("cgroup.controllers"));
        for name in wanted.iter().filter(|name| there.contains(**name)) {
            // One that is refused is not there.
            let _ = fs::write(root.join("cgroup.subtree_control"), format!("+{name}"));
        }
        let given = words(&root.join("cgroup.subtree_control"));
        Ok(Some(Self {
            memory: given.contains("memory"),
            pids: given.contains("pids"),
            begins_inside: open(&own).is_ok_and(|own| clone::is_possible(own.as_fd())),
            root,
            left: Mutex::default(),
        }))
    }

    /// Whether the memory of a run can be limited.
    #[must_use]
    pub fn limits_memory(&self) -> bool {
        self.memory
    }

    /// Whether the number of a run's processes can be limited.
    #[must_use]
    pub fn limits_processes(&self) -> bool {
        self.pids
    }

    /// Kills what a dead elder left of these runs, and removes the folders of runs that are over.
    pub fn end_left_behind(&self, runs: &HashSet<RunId>) -> usize {
        let mut ended = 0;
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(id) = name.to_str().and_then(|name| name.strip_prefix(RUN)) else {
                continue;
            };
            let path = entry.path();
            let id = id.split('-').next().and_then(RunId::parse);
            if id.is_some_and(|id| runs.contains(&id)) && is_populated(&path) {
                ended += 1;
                kill(&path);
            }
            self.remove(path);
        }
        ended
    }

    /// A group for this attempt, with its limits.
    ///
    /// # Errors
    /// When it cannot be made: without its limits nothing is to start in it.
    pub(super) fn begin(
        self: &Arc<Self>,
        run: RunId,
        attempt: u32,
        limits: &Limits,
    ) -> io::Result<RunGroup> {
        self.sweep();
        let group = RunGroup {
            all: Arc::clone(self),
            path: self.root.join(format!("{RUN}{run}-{attempt}")),
            limits: *limits,
        };
        // A run that goes on after elder's death may find its folder still there: it is nobody else's to remove,
        // from before the look for it on.
        self.left().retain(|path| *path != group.path);
        make(&group.path)?;
        if let Some(bytes) = limits.memory.filter(|_| self.memory) {
            fs::write(group.path.join("memory.max"), bytes.to_string())?;
            // The run is one thing: half of it is no use. Kernels before 4.19 do not know the word.
            let _ = fs::write(group.path.join("memory.oom.group"), "1");
        }
        if let Some(most) = limits.processes.filter(|_| self.pids) {
            fs::write(group.path.join("pids.max"), most.to_string())?;
        }
        Ok(group)
    }

    fn left(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes folders that are empty by now.
    fn sweep(&self) {
        self.left().retain(|path| {
            fs::remove_dir(path).is_err_and(|e| e.kind() != io::ErrorKind::NotFound)
        });
    }

    fn remove(&self, path: PathBuf) {
        let is_gone = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
        if !fs::remove_dir(&path).map_or_else(is_gone, |()| true) {
            self.left().push(path);
        }
    }
}

impl RunGroup {
    /// Its folder.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a process can begin in it.
    pub(super) fn can_be_begun_in(&self) -> bool {
        self.all.begins_inside
    }

    /// Its folder, as those who begin in it name it.
    pub(super) fn open(&self) -> io::Result<OwnedFd> {
        open(&self.path)
    }

    /// What was over a limit of the job's, as the end of a sentence. A job without the limit was over
    /// none: what ended it then is the machine's lack of memory, or somebody else's limit.
    pub(super) fn over_limit(&self) -> Option<&'static str> {
        let read = |is_limited: bool, file: &str| match is_limited {
            true => fs::read_to_string(self.path.join(file)).unwrap_or_default(),
            false => String::new(),
        };
        over_limit(
            &read(self.limits.memory.is_some(), "memory.events"),
            &read(self.limits.processes.is_some(), "pids.events"),
        )
    }
}

impl Drop for RunGroup {
    fn drop(&mut self) {
        self.all.remove(std::mem::take(&mut self.path));
    }
}

/// Asks those processes of a group to end that `whom` says, by their numbers and those of their process groups.
pub(super) fn terminate(path: &Path, whom: impl Fn(i32, i32) -> bool) {
    for pid in processes(path) {
        let number = pid.as_raw_nonzero().get();
        if Stat::of(number).is_some_and(|stat| whom(number, stat.group)) {
            // Who is gone already needs no word.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

/// Ends every process of a group.
pub(super) fn kill(path: &Path) {
    if fs::write(path.join("cgroup.kill"), "1").is_err() {
        // Kernels before 5.14: whoever starts something meanwhile is met at the next call.
        for pid in processes(path) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Whether something lives in a group.
pub(super) fn is_populated(path: &Path) -> bool {
    let events = fs::read_to_string(path.join("cgroup.events")).unwrap_or_default();
    value(&events, "populated").is_some_and(|count| count > 0)
}

fn processes(path: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    let numbers = text.lines().filter_map(|line| line.parse().ok());
    numbers.filter_map(Pid::from_raw).collect()
}

fn open(folder: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(folder, flags, Mode::empty())?)
}

fn make(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

fn words(file: &Path) -> HashSet<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Whether a process may make control groups; `None` where there is no version 2 of them. `self` is this process.
#[must_use]
pub fn is_delegated_to(process: &str) -> Option<bool> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let own = fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
    let folder = own_folder(&mounts, &own)?;
    let is_leaf = folder.file_name().is_some_and(|name| name == OWN);
    let root = folder.parent().filter(|_| is_leaf).unwrap_or(&folder);
    Some(is_delegated(root))
}

fn is_delegated(root: &Path) -> bool {
    let Ok(found) = fs::metadata(root) else {
        return false;
    };
    let user = geteuid();
    if !user.is_root() {
        return found.uid() == user.as_raw();
    }
    ["user.delegate", "trusted.delegate"].iter().any(|name| {
        let mut value = [0; 8];
        rustix::fs::getxattr(root, *name, &mut value).is_ok_and(|length| value[..length] == *b"1")
    })
}

/// The folder of a process's group, by what is mounted where and what it says of itself.
pub(super) fn own_folder(mounts: &str, own: &str) -> Option<PathBuf> {
    let own = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        let (front, back) = line.split_once(" - ")?;
        if back.split(' ').next() != Some("cgroup2") {
            return None;
        }
        let mut fields = front.split(' ').skip(3);
        let (root, at) = (fields.next()?, fields.next()?);
        let inside = Path::new(own).strip_prefix(root).ok()?;
        Some(Path::new(&unescaped(at)).join(inside))
    })
}

/// A path of `mountinfo`, where a space is `\040`.
fn unescaped(path: &str) -> String {
    let mut text = path.to_owned();
    for (code, character) in [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ] {
        text = text.replace(code, character);
    }
    text
}

fn value(events: &str, key: &str) -> Option<u64> {
    let mut lines = events.lines();
    lines.find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
}

fn over_limit(memory: &str, pids: &str) -> Option<&'static str> {
    let is_over = |events: &str, key: &str| value(events, key).is_some_and(|count| count > 0);
    // `oom` counts what met this group's own limit, `oom_kill` whom the kernel ended for any reason.
    if is_over(memory, "oom ") && is_over(memory, "oom_kill ") {
        return Some(
            "it used more memory than limits.memory allows, and the kernel ended a process of it",
        );
    }
    is_over(pids, "max ").then_some("it wanted more processes than limits.processes allows")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups in a folder that is none of the kernel's; `limits`: with both controllers.
    fn groups_in(folder: &Path, limits: bool) -> Arc<Cgroups> {
        Arc::new(Cgroups {
            root: folder.to_owned(),
            memory: limits,
            pids: limits,
            begins_inside: false,
            left: Mutex::default(),
        })
    }

    #[test]
    fn the_own_folder_is_found_wherever_the_tree_is_mounted() {
        let pure =
            "24 1 0:22 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        let hybrid = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
                      40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n\
                      41 31 0:38 / /sys/fs/cgroup/uni\\040fied rw - cgroup2 cgroup2 rw\n";
        let inside = "24 1 0:22 /pod/x /cg rw - cgroup2 cgroup2 rw\n";
        for (mounts, own, want) in [
            (
                pure,
                "0::/system.slice/elder.service\n",
                Some("/sys/fs/cgroup/system.slice/elder.service"),
            ),
            (
                hybrid,
                "9:name=systemd:/a\n0::/b\n",
                Some("/sys/fs/cgroup/uni fied/b"),
            ),
            (hybrid, "9:name=systemd:/a\n", None),
            (inside, "0::/pod/x/y\n", Some("/cg/y")),
            (inside, "0::/pod/z\n", None),
            ("", "0::/\n", None),
        ] {
            assert_eq!(
                own_folder(mounts, own).as_deref(),
                want.map(Path::new),
                "{own}"
            );
        }
    }

    #[test]
    fn a_limit_that_was_met_is_named() {
        let memory = "low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n";
        let fine = memory.replace("oom_kill 1", "oom_kill 0");
        assert!(over_limit(memory, "").unwrap().contains("limits.memory"));
        assert!(
            over_limit(&fine, "max 3\n")
                .unwrap()
                .contains("limits.processes")
        );
        assert_eq!(over_limit(&fine, "max 0\n"), None);
        let elsewhere = memory.replace("oom 1", "oom 0");
        assert_eq!(over_limit(&elsewhere, ""), None, "the machine had no more");
        assert_eq!(over_limit("", ""), None);
    }

    #[test]
    fn a_job_without_a_limit_was_over_none_whatever_the_kernel_counted() {
        let folder = tempfile::tempdir().unwrap();
        let groups = groups_in(folder.path(), true);
        let at = jiff::Timestamp::from_second(1).unwrap();
        let run = RunId::of_fire(&crate::ids::JobName::new("a").unwrap(), at);
        let of = |limits: Limits| {
            let group = groups.begin(run, 1, &limits).unwrap();
            let events = "max 1\noom 1\noom_kill 1\n";
            fs::write(group.path().join("memory.events"), events).unwrap();
            fs::write(group.path().join("pids.events"), "max 1\n").unwrap();
            group.over_limit()
        };
        assert_eq!(of(Limits::default()), None);
        let memory = Limits {
            memory: Some(1 << 20),
            ..Limits::default()
        };
        assert!(of(memory).unwrap().contains("limits.memory"));
        let processes = Limits {
            processes: Some(4),
            ..Limits::default()
        };
        assert!(of(processes).unwrap().contains("limits.processes"));
    }

    #[test]
    fn a_folder_that_serves_again_is_not_removed_with_what_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let groups = groups_in(folder.path(), false);
        let at = jiff::Timestamp::from_second(1).unwrap();
        let run = RunId::of_fire(&crate::ids::JobName::new("a").unwrap(), at);
        let path = folder.path().join(format!("{RUN}{run}-1"));
        // Something of a run before still lives in it.
        fs::create_dir(&path).unwrap();
        fs::write(path.join("alive"), "").unwrap();
        groups.remove(path.clone());
        assert_eq!(groups.left().as_slice(), std::slice::from_ref(&path));
        let group = groups.begin(run, 1, &Limits::default()).unwrap();
        fs::remove_file(path.join("alive")).unwrap();
        groups.sweep();
        assert!(path.exists(), "another start took the folder away");
        drop(group);
        assert!(!path.exists());
    }

    #[test]
    fn what_the_kernel_says_of_a_group_is_read() {
        assert_eq!(value("populated 1\nfrozen 0\n", "populated"), Some(1));
        assert_eq!(value("populated 0\nfrozen 0\n", "populated"), Some(0));
        assert_eq!(value("", "populated"), None);
    }
}
