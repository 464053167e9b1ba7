//! What happens to a fire when runs of its job are under way.

use crate::model::{Overlap, Policy};

/// What becomes of one more fire or request of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It starts as soon as its pool has a place.
    Start,
    /// It waits until one of the job's runs is over.
    Wait,
    /// The same, and somebody goes in its stead: who waits already, else the oldest that runs.
    Replace,
    /// It does not run.
    Skip,
}

/// Decides by `overlap`: `under_way` runs count against `max_instances`, `waiting` ones wait for
/// one of these to end.
#[must_use]
pub fn admit(policy: &Policy, under_way: usize, waiting: usize) -> Admission {
    if under_way < policy.max_instances as usize && waiting == 0 {
        return Admission::Start;
    }
    match policy.overlap {
        Overlap::Skip => Admission::Skip,
        Overlap::Queue if waiting == 0 => Admission::Wait,
        Overlap::Queue => Admission::Skip,
        Overlap::Replace => Admission::Replace,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn as_many_start_as_may_and_overlap_says_what_comes_after() {
        use Admission::{Replace, Skip, Start, Wait};
        for (overlap, instances, under_way, waiting, expected) in [
            (Overlap::Skip, 1, 0, 0, Start),
            (Overlap::Skip, 1, 1, 0, Skip),
            (Overlap::Skip, 2, 1, 0, Start),
            (Overlap::Queue, 1, 0, 0, Start),
            (Overlap::Queue, 1, 1, 0, Wait),
            (Overlap::Queue, 1, 1, 1, Skip),
            (Overlap::Queue, 3, 2, 0, Start),
            (Overlap::Queue, 3, 3, 0, Wait),
            // Nobody overtakes who waits.
            (Overlap::Queue, 1, 0, 1, Skip),
            (Overlap::Replace, 1, 0, 0, Start),
            (Overlap::Replace, 1, 1, 0, Replace),
            (Overlap::Replace, 1, 1, 1, Replace),
        ] {
            let policy = Policy {
                overlap,
                max_instances: instances,
                ..Policy::built_in(Duration::from_secs(1))
            };
            let admission = admit(&policy, under_way, waiting);
            assert_eq!(
                admission, expected,
                "{overlap:?}, {instances} may, {under_way} run, {waiting} wait"
            );
        }
    }
}
