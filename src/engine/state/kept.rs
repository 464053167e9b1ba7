//! What the store refused and cannot be decided anew: ends of runs, names, and fires of schedules
//! that are no longer in force. It is written first when the store is back.
//!
//! Bounded: outputs go first, then the oldest ends of runs. What else is kept came of a batch that was
//! under way when the store was lost, and nothing more is decided until it is back.

use std::collections::{BTreeMap, VecDeque};

use crate::model::Output;
use crate::store::Write;

use super::commits::Then;

/// So many writes are kept.
const MOST: usize = 50_000;

/// So many bytes of output are kept with them.
const MOST_OUTPUT: usize = 64 << 20;

/// Writes to come, in order.
#[derive(Default)]
pub(super) struct Kept {
    writes: BTreeMap<u64, (Write, Then)>,
    /// Those among them that may go.
    ends: VecDeque<u64>,
    last: u64,
    output: usize,
    dropped: u64,
}

impl Kept {
    pub(super) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.writes.len()
    }

    /// Keeps a write, with what is told of it.
    pub(super) fn keep_with(&mut self, telling: Option<(Write, Then)>, write: Write, then: Then) {
        if let Some((write, then)) = telling {
            self.keep(write, then);
        }
        self.keep(write, then);
    }

    pub(super) fn keep(&mut self, mut write: Write, then: Then) {
        if self.writes.len() >= MOST {
            self.drop_oldest_end();
        }
        self.last += 1;
        if let Write::Update { output, .. } = &mut write {
            let bytes = output.as_ref().map_or(0, size);
            if self.writes.len() >= MOST / 10 || self.output + bytes > MOST_OUTPUT {
                *output = None;
            } else {
                self.output += bytes;
            }
            self.ends.push_back(self.last);
        }
        self.writes.insert(self.last, (write, then));
    }

    fn drop_oldest_end(&mut self) {
        let Some(oldest) = self.ends.pop_front() else {
            return;
        };
        self.dropped += 1;
        if let Some((Write::Update { output, .. }, _)) = self.writes.remove(&oldest) {
            self.output -= output.as_ref().map_or(0, size);
        }
        // Nobody is told of what is not recorded.
        let before = oldest.wrapping_sub(1);
        if let Some((_, Then::Told(_))) = self.writes.get(&before) {
            self.writes.remove(&before);
        }
    }

    /// Everything, in order, and how many ends of runs had to go.
    pub(super) fn take(&mut self) -> (impl Iterator<Item = (Write, Then)> + use<>, u64) {
        let all = std::mem::take(self);
        (all.writes.into_values(), all.dropped)
    }
}

fn size(output: &Output) -> usize {
    output.head.len() + output.tail.len()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::ids::{JobName, RunId};
    use crate::model::{Run, Trigger};
    use crate::store::Telling;

    fn end(second: i64) -> Write {
        let job = JobName::new("a").unwrap();
        let at = Timestamp::from_second(second).unwrap();
        let id = RunId::of_fire(&job, at);
        let run = Box::new(Run::new(id, job, at, Trigger::Schedule));
        let output = Some(Output::default());
        Write::Update { run, output }
    }

    #[test]
    fn it_is_bounded_and_output_goes_first() {
        let mut kept = Kept::default();
        for second in 0..MOST as i64 + 10 {
            kept.keep(end(second), Then::Nothing);
        }
        assert_eq!(kept.len(), MOST);
        let (mut oldest, mut with_output) = (None, 0);
        let (writes, dropped) = kept.take();
        for (write, _) in writes {
            let Write::Update { run, output } = write else {
                panic!("{write:?}");
            };
            oldest = oldest.or(Some(run.scheduled_at.as_second()));
            with_output += usize::from(output.is_some());
        }
        // The first ten are gone, and of the others the first have what they said.
        assert_eq!((oldest, with_output), (Some(10), MOST / 10 - 10));
        assert_eq!(dropped, 10);
        assert!(kept.is_empty());
    }

    #[test]
    fn only_ends_of_runs_go_and_what_is_told_of_them() {
        let mut kept = Kept::default();
        let rename = || Write::Rename {
            moves: Vec::new(),
            files: Vec::new(),
        };
        let tell = || {
            Write::Tell(Box::new(Telling {
                letters: Vec::new(),
                said: Vec::new(),
            }))
        };
        kept.keep(rename(), Then::Nothing);
        kept.keep_with(
            Some((tell(), Then::Told(Vec::new()))),
            end(0),
            Then::Nothing,
        );
        kept.keep(tell(), Then::ToldAlone);
        for second in 1..MOST as i64 {
            kept.keep(end(second), Then::Nothing);
        }
        let (writes, dropped) = kept.take();
        let first: Vec<Write> = writes.take(3).map(|(write, _)| write).collect();
        assert!(
            matches!(
                &first[..],
                [Write::Rename { .. }, Write::Tell(_), Write::Update { run, .. }]
                    if run.scheduled_at.as_second() == 2
            ),
            "{first:?}"
        );
        assert_eq!(dropped, 2);
    }
}
