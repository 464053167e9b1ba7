//! What a change of the set of jobs writes to the marks in the store.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::ids::JobName;
use crate::model::Job;
use crate::store::Write;

/// A job is seen, with the past that it keeps.
pub(super) fn seen(job: &Job, at: Timestamp) -> Write {
    Write::Seen {
        job: job.name().clone(),
        at,
        history: job.definition.policy.history,
    }
}

/// The marks that move with a change, once what was due before it is recorded: no schedule fires
/// before it was in force, also not that of a name that goes and comes back. The fires that are
/// still `open` stay before the mark's reach.
pub(super) fn unmarked(
    rescheduled: &[JobName],
    gone: Vec<JobName>,
    at: Timestamp,
    open: &[(JobName, Timestamp)],
) -> Vec<Write> {
    let open: HashMap<&JobName, Timestamp> = open.iter().map(|(job, to)| (job, *to)).collect();
    let marks = rescheduled.iter().chain(&gone).cloned();
    let mark = |job: JobName| Write::Mark {
        at: open.get(&job).copied().unwrap_or(at),
        job,
    };
    let mut writes: Vec<Write> = marks.map(mark).collect();
    writes.extend(gone.into_iter().map(|job| Write::Gone { job, at }));
    writes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_goes_to_the_change_but_not_past_a_fire_that_waits() {
        let name = |text: &str| JobName::new(text).unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        let open = [(name("late"), at(90)), (name("gone-late"), at(80))];
        let rescheduled = [name("plain"), name("late")];
        let gone = vec![name("gone"), name("gone-late")];
        let writes = unmarked(&rescheduled, gone, at(100), &open);
        let told: Vec<_> = writes
            .iter()
            .map(|write| match write {
                Write::Mark { job, at } => format!("{job} {}", at.as_second()),
                Write::Gone { job, at } => format!("{job} gone {}", at.as_second()),
                other => panic!("{other:?}"),
            })
            .collect();
        let want = [
            "plain 100",
            "late 90",
            "gone 100",
            "gone-late 80",
            "gone gone 100",
            "gone-late gone 100",
        ];
        assert_eq!(told, want);
    }
}
