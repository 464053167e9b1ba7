//! Which processes belong to a run, by what the system itself says of them.
//!
//! A number alone proves nothing: it is given out again. What elder starts carries the identity of
//! its run and elder's state folder in its environment, which no other process can give it; what
//! such a process starts in turn is its child, or a member of the group that it leads. Whoever
//! wipes the environment *and* loses its parent *and* leaves the group is found no more.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal, test_kill_process,
};

use crate::ids::RunId;

/// A process that is more than a zombie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) group: i32,
    /// Ticks after the machine's start: with the number, what one process is and no other.
    pub(super) began: u64,
    /// Whether elder may send it a signal: it is of elder's own user, or elder has the right to.
    pub(super) in_reach: bool,
    /// The run that its environment names, if it also names our state folder.
    pub(super) run: Option<RunId>,
}

/// The processes of these runs: those that say so, their children and the groups that they lead,
/// each with its run. Never the process that looks, nor what that was started by, nor one that it
/// may not end.
pub(super) fn of_runs(seen: &[Seen], runs: &HashSet<RunId>, looker: i32) -> Vec<(Seen, RunId)> {
    let by_pid: HashMap<i32, &Seen> = seen.iter().map(|one| (one.pid, one)).collect();
    let mut spared = HashSet::new();
    let mut above = Some(looker);
    while let Some(pid) = above
        && spared.insert(pid)
    {
        above = by_pid.get(&pid).map(|one| one.parent);
    }
    let may = |one: &Seen| !spared.contains(&one.pid) && one.in_reach;
    let mut found: HashMap<i32, RunId> = HashMap::new();
    for one in seen.iter().filter(|one| may(one)) {
        if let Some(run) = one.run.filter(|run| runs.contains(run)) {
            found.insert(one.pid, run);
        }
    }
    loop {
        let more: Vec<_> = seen
            .iter()
            .filter(|one| may(one) && !found.contains_key(&one.pid))
            .filter_map(|one| {
                let of = |pid: i32| {
                    // A number that was given out again belongs to somebody younger.
                    let older = by_pid
                        .get(&pid)
                        .is_some_and(|other| other.began <= one.began);
                    found.get(&pid).filter(|_| older)
                };
                Some((one.pid, *of(one.parent).or_else(|| of(one.group))?))
            })
            .collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    let run_of = |one: &Seen| Some((one.clone(), *found.get(&one.pid)?));
    seen.iter().filter_map(run_of).collect()
}

/// Every process that can be seen; takes some milliseconds, so not for the loop.
pub(super) fn look(state_dir: &Path) -> Vec<Seen> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let folder = entry.path();
            let stat = Stat::parse(&fs::read(folder.join("stat")).ok()?)?;
            if stat.is_dead() {
                return None;
            }
            // What may not be read is not elder's to end.
            let environment = fs::read(folder.join("environ")).unwrap_or_default();
            Some(Seen {
                pid,
                parent: stat.parent,
                group: stat.group,
                began: stat.began,
                in_reach: Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok()),
                run: run_in(&environment, state_dir),
            })
        })
        .collect()
}

/// The processes of these runs, now.
pub(super) fn look_for(runs: &HashSet<RunId>, state_dir: &Path) -> Vec<(Seen, RunId)> {
    of_runs(&look(state_dir), runs, this())
}

/// This process.
fn this() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// Sends the signal to this process and to none that got its number since.
pub(super) fn signal(to: &Seen, signal: Signal) {
    let Some(pid) = Pid::from_raw(to.pid) else {
        return;
    };
    let is_it = || Stat::of(to.pid).is_some_and(|stat| stat.began == to.began);
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(held) if is_it() => drop(pidfd_send_signal(held, signal)),
        // Kernels before 5.3, and sandboxes that do not know the call.
        Err(Errno::NOSYS | Errno::PERM) if is_it() => drop(kill_process(pid, signal)),
        _ => {}
    }
}

/// The run that an environment names beside our state folder.
fn run_in(environment: &[u8], state_dir: &Path) -> Option<RunId> {
    const RUN: &[u8] = b"ELDER_RUN_ID=";
    const STATE: &[u8] = b"ELDER_STATE_DIR=";
    let state_dir = state_dir.as_os_str().as_encoded_bytes();
    let mut run = None;
    let mut is_ours = false;
    for entry in environment.split(|byte| *byte == 0) {
        if let Some(id) = entry.strip_prefix(RUN) {
            run = std::str::from_utf8(id).ok().and_then(RunId::parse);
        }
        is_ours |= entry.strip_prefix(STATE) == Some(state_dir);
    }
    run.filter(|_| is_ours)
}

/// What `/proc/PID/stat` says: `PID (NAME) STATE PARENT GROUP …`, where the name may hold anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) state: u8,
    pub(super) parent: i32,
    pub(super) group: i32,
    /// How much processor time it and its threads have used.
    pub(super) spent: Duration,
    pub(super) began: u64,
}

/// In such parts of a second the kernel shows processor time, wherever elder runs.
const TICKS: u64 = 100;

impl Stat {
    pub(super) fn of(pid: i32) -> Option<Self> {
        Self::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    pub(super) fn parse(stat: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(stat);
        let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
        Some(Self {
            state: *fields.next()?.as_bytes().first()?,
            parent: fields.next()?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
            spent: {
                let user: u64 = fields.nth(8)?.parse().ok()?;
                let system: u64 = fields.next()?.parse().ok()?;
                Duration::from_millis(user.saturating_add(system).saturating_mul(1000 / TICKS))
            },
            began: fields.nth(6)?.parse().ok()?,
        })
    }

    pub(super) fn is_zombie(self) -> bool {
        self.state == b'Z'
    }

    pub(super) fn is_dead(self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::JobName;

    fn id(number: i64) -> RunId {
        let at = jiff::Timestamp::from_second(number).unwrap();
        RunId::of_fire(&JobName::new("a").unwrap(), at)
    }

    /// pid, parent, group, begin, whether it is in reach, run
    type Row = (i32, i32, i32, u64, bool, Option<RunId>);

    fn seen(rows: &[Row]) -> Vec<Seen> {
        rows.iter()
            .map(|&(pid, parent, group, began, in_reach, run)| Seen {
                pid,
                parent,
                group,
                began,
                in_reach,
                run,
            })
            .collect()
    }

    #[test]
    fn only_what_is_provably_of_an_open_run_is_chosen() {
        let (open, over) = (id(1), id(2));
        let all = seen(&[
            (1, 0, 1, 0, false, None),
            // What started the elder that looks, and was itself started by the open run.
            (10, 1, 10, 5, true, Some(open)),
            (11, 10, 10, 6, true, Some(open)),
            // A child, what it started, what that left behind without an environment, what left the group.
            (20, 1, 20, 10, true, Some(open)),
            (21, 20, 20, 11, true, Some(open)),
            (22, 21, 20, 12, true, None),
            (23, 1, 20, 13, true, None),
            (24, 1, 24, 14, true, Some(open)),
            (25, 24, 24, 15, true, None),
            // Of a run that is over; of no run; out of reach; younger than the number of its parent says.
            (30, 1, 30, 10, true, Some(over)),
            (31, 1, 31, 10, true, None),
            (32, 1, 32, 10, false, Some(open)),
            (33, 20, 33, 9, true, None),
        ]);
        let runs = HashSet::from([open]);
        let found = of_runs(&all, &runs, 11);
        assert!(found.iter().all(|(_, run)| *run == open));
        let pids: Vec<i32> = found.iter().map(|(one, _)| one.pid).collect();
        assert_eq!(pids, [20, 21, 22, 23, 24, 25]);
        assert!(of_runs(&all, &HashSet::new(), 11).is_empty());
    }

    #[test]
    fn the_run_is_named_by_whole_entries_beside_our_own_state_folder() {
        let run = id(1);
        let ours = format!("A=b\0ELDER_RUN_ID={run}\0ELDER_STATE_DIR=/state\0");
        let with = |from: &str, to: &str| ours.replace(from, to);
        for (environment, want) in [
            (ours.clone(), Some(run)),
            (with("/state", "/state2"), None),
            (with("/state", "/"), None),
            (with("\0ELDER_STATE_DIR", "\0XELDER_STATE_DIR"), None),
            (with("\0ELDER_RUN_ID", "ELDER_RUN_ID"), None),
            (with(run.as_str(), "1"), None),
            (String::new(), None),
        ] {
            let found = run_in(environment.as_bytes(), Path::new("/state"));
            assert_eq!(found, want, "{environment:?}");
        }
    }

    #[test]
    fn what_the_system_says_of_a_process_is_read_whatever_its_name() {
        let rest = "S 4 77 77 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 99";
        for name in ["sleep", "a) Z 1 2", ""] {
            let stat = Stat::parse(format!("12 ({name}) {rest}").as_bytes()).unwrap();
            assert_eq!(
                (stat.parent, stat.group, stat.began),
                (4, 77, 4711),
                "{name}"
            );
            assert_eq!(stat.spent, Duration::from_millis(110));
            assert!(!stat.is_dead());
        }
        assert!(Stat::parse(b"12 (sleep)").is_none());
        assert!(Stat::parse(b"").is_none());
        let found = look(Path::new("/no/such"));
        let own = found.iter().find(|one| one.pid == this()).unwrap();
        assert_eq!((own.in_reach, own.run), (true, None));
    }
}
