//! Processes that outlived the elder before this one.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use crate::action::process::{Cgroups, LeftBehind, end_left_behind};
use crate::duration;
use crate::ids::RunId;
use crate::model::{Event, Observer, Policy, Remains, Run, RunState};

/// Ends what is left of the runs that were under way, before anything starts; says what became of each.
/// Takes no time when there is none, and at most the usual grace and a second.
pub(super) async fn end(
    open: &[Run],
    state: &Path,
    observer: &dyn Observer,
) -> HashMap<RunId, Remains> {
    let under_way = open.iter().filter(|run| run.state == RunState::Running);
    let runs: HashSet<RunId> = under_way.map(|run| run.id).collect();
    // Nothing fires meanwhile, and nothing answers: whoever waits for the start has to know why.
    let begins = |count: usize| {
        let grace = duration::print(Policy::KILL_GRACE);
        observer.observe(&Event::Notice {
            warning: true,
            text: &format!(
                "an elder that is no more has left {count} processes of its runs; nothing starts before they are ended, {grace} at most"
            ),
        });
    };
    let found = end_left_behind(runs, state, Policy::KILL_GRACE, begins).await;
    for run in open {
        let of_run: Vec<_> = found.iter().filter(|one| one.run == run.id).collect();
        if let Some(text) = sentence(run, &of_run) {
            observer.observe(&Event::Notice {
                warning: true,
                text: &text,
            });
        }
    }
    remains(&found)
}

/// Takes what is delegated of the control groups, and kills what is left in those of the runs that were
/// under way: whoever hid from [`end`] is in there.
pub(super) fn take_cgroups(open: &[Run], observer: &dyn Observer) -> Option<Arc<Cgroups>> {
    let say = |text: &str| {
        observer.observe(&Event::Notice {
            warning: true,
            text,
        });
    };
    let groups = match Cgroups::take() {
        Ok(groups) => groups?,
        Err(error) => {
            say(&format!(
                "control groups are delegated and cannot be used: {error}"
            ));
            return None;
        }
    };
    let under_way = open.iter().filter(|run| run.state == RunState::Running);
    let ended = groups.end_left_behind(&under_way.map(|run| run.id).collect());
    if ended > 0 {
        say(&format!(
            "an elder that is no more had left processes in {ended} control groups of runs; they were killed"
        ));
    }
    Some(Arc::new(groups))
}

fn remains(found: &[LeftBehind]) -> HashMap<RunId, Remains> {
    let mut remains = HashMap::new();
    for process in found {
        let of_run = remains.entry(process.run).or_insert(Remains::Ended);
        if process.lives {
            *of_run = Remains::Alive;
        }
    }
    remains
}

fn sentence(run: &Run, found: &[&LeftBehind]) -> Option<String> {
    let list = |lives: bool| {
        let of_kind = found.iter().filter(|process| process.lives == lives);
        let pids: Vec<_> = of_kind.map(|process| process.pid.to_string()).collect();
        pids.join(", ")
    };
    let (ended, alive) = (list(false), list(true));
    let of = format!("of the run {} of {}", run.id, run.job);
    match (ended.is_empty(), alive.is_empty()) {
        (true, true) => None,
        (false, true) => Some(format!(
            "an elder that is no more had left processes {of}; they were ended: {ended}"
        )),
        (_, false) => Some(format!(
            "an elder that is no more has left processes {of} that cannot be ended, since they hang in the kernel: {alive}; look at the disk or mount that they wait for"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::JobName;
    use crate::model::Trigger;

    #[test]
    fn one_process_that_lives_on_is_enough() {
        let name = JobName::new("a").unwrap();
        let at = jiff::Timestamp::UNIX_EPOCH;
        let run = Run::new(RunId::of_fire(&name, at), name, at, Trigger::Schedule);
        let process = |pid, lives| LeftBehind {
            run: run.id,
            pid,
            lives,
        };
        let said = |found: &[LeftBehind]| sentence(&run, &found.iter().collect::<Vec<_>>());
        assert!(remains(&[]).is_empty() && said(&[]).is_none());
        let ended = [process(1, false), process(2, false)];
        assert_eq!(remains(&ended)[&run.id], Remains::Ended);
        assert!(said(&ended).unwrap().ends_with("they were ended: 1, 2"));
        let one_lives = [process(1, true), process(2, false)];
        assert_eq!(remains(&one_lives)[&run.id], Remains::Alive);
        assert!(said(&one_lives).unwrap().contains("in the kernel: 1;"));
    }
}
