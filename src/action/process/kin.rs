//! The processes of runs, also those that left their group: asked to end, waited for, killed.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::ids::RunId;

use super::census::{self, Seen};
use super::cgroup;

/// How soon and how seldom is looked whether they are gone.
const FIRST_LOOK: Duration = Duration::from_millis(10);
const LATER_LOOKS: Duration = Duration::from_millis(320);

/// How long what was killed may take to be gone: more is a hang in the kernel.
const KILLED_WITHIN: Duration = Duration::from_secs(1);

/// What the looks of a moment found: processes with their runs.
type Found = Vec<(Seen, RunId)>;

/// All processes of some runs.
#[derive(Clone)]
pub(super) struct Kin {
    runs: Arc<HashSet<RunId>>,
    state_dir: Arc<Path>,
    /// The folder of the control group that all of them are in, where there is one.
    cgroup: Option<Arc<Path>>,
}

impl Kin {
    pub(super) fn of(runs: HashSet<RunId>, state_dir: &Path) -> Self {
        Self {
            runs: Arc::new(runs),
            state_dir: state_dir.into(),
            cgroup: None,
        }
    }

    /// The same, and whatever is in this control group.
    pub(super) fn within(self, cgroup: Option<Arc<Path>>) -> Self {
        Self { cgroup, ..self }
    }

    /// Whether something lives in the control group.
    fn is_populated(&self) -> bool {
        self.cgroup.as_deref().is_some_and(cgroup::is_populated)
    }

    /// Those that are there now, each after it got `signal`, if there is one.
    async fn look(&self, signal: Option<Signal>) -> Found {
        let kin = self.clone();
        let look = tokio::task::spawn_blocking(move || {
            let found = census::look_for(&kin.runs, &kin.state_dir);
            if let Some(signal) = signal {
                found
                    .iter()
                    .for_each(|(one, _)| census::signal(one, signal));
            }
            found
        });
        // Only a panic keeps it from answering.
        look.await.unwrap_or_default()
    }

    /// Asks those to end that are not in this group, whose members were asked already.
    pub(super) async fn terminate_outside(&self, group: Option<i32>) {
        let kin = self.clone();
        let asking = tokio::task::spawn_blocking(move || {
            let found = census::look_for(&kin.runs, &kin.state_dir);
            let outside = found.iter().filter(|(one, _)| Some(one.group) != group);
            outside.for_each(|(one, _)| census::signal(one, Signal::TERM));
            if let Some(path) = &kin.cgroup {
                // Each is asked once: a second word means "at once" to many programs.
                let asked: HashSet<i32> = found.iter().map(|(one, _)| one.pid).collect();
                cgroup::terminate(path, |pid, in_group| {
                    !asked.contains(&pid) && Some(in_group) != group
                });
            }
        });
        // Only a panic keeps it from asking.
        let _ = asking.await;
    }

    /// Ends when there is none.
    pub(super) async fn gone(&self) {
        let mut pause = FIRST_LOOK;
        while self.is_populated() || !self.look(None).await.is_empty() {
            sleep(pause).await;
            pause = LATER_LOOKS.min(pause * 2);
        }
    }

    /// Kills each, and what they start meanwhile, until there is none.
    pub(super) async fn kill(&self) {
        loop {
            if let Some(path) = &self.cgroup {
                cgroup::kill(path);
            }
            if self.look(Some(Signal::KILL)).await.is_empty() && !self.is_populated() {
                return;
            }
            sleep(FIRST_LOOK).await;
        }
    }
}

/// A process that a dead elder left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftBehind {
    /// Its run.
    pub run: RunId,
    /// Its number.
    pub pid: i32,
    /// Whether it still lives: it hangs in the kernel.
    pub lives: bool,
}

/// Ends what an elder that is no more has left of these runs: TERM, `grace`, KILL, for each process
/// that carries a run's identity beside `state_dir`, with its children and its group. Comes back
/// when nothing is left, at the latest a second after the grace.
pub async fn end_left_behind(
    runs: HashSet<RunId>,
    state_dir: &Path,
    grace: Duration,
    begins: impl FnOnce(usize),
) -> Vec<LeftBehind> {
    if runs.is_empty() {
        return Vec::new();
    }
    let kin = Kin::of(runs, state_dir);
    let mut known: HashSet<(i32, u64)> = HashSet::new();
    let mut told: Vec<LeftBehind> = Vec::new();
    let deadline = Instant::now() + grace;
    let end = deadline + KILLED_WITHIN;
    let mut pause = FIRST_LOOK;
    let mut begins = Some(begins);
    let left = loop {
        let found = kin.look(None).await;
        let now = Instant::now();
        if found.is_empty() || now >= end {
            break found;
        }
        if let Some(begins) = begins.take() {
            begins(found.len());
        }
        for (one, run) in &found {
            let is_new = known.insert((one.pid, one.began));
            if is_new {
                told.push(LeftBehind {
                    run: *run,
                    pid: one.pid,
                    lives: false,
                });
            }
            if now >= deadline {
                census::signal(one, Signal::KILL);
            } else if is_new {
                census::signal(one, Signal::TERM);
            }
        }
        sleep(pause).await;
        pause = if now >= deadline {
            FIRST_LOOK
        } else {
            (pause * 2).min(LATER_LOOKS).min(deadline - now)
        };
    };
    for process in &mut told {
        process.lives = left.iter().any(|(one, _)| one.pid == process.pid);
    }
    told
}
