//! The end: no fire any more, runs may end by themselves for a while, then they are ended.

use std::time::Duration;

use jiff::Timestamp;

use super::active::Stage;
use super::{Direction, Effect, EndHow, Phase, State};

/// How long after the deadline a run is given to end gracefully before it is ended at once.
const FORCE_AFTER: Duration = Duration::from_secs(8);

/// How long after the deadline nothing is waited for any more, not even the store.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);

impl State {
    pub(super) fn stop(&mut self, deadline: Timestamp) {
        self.phase = match self.phase {
            Phase::Stopping(first) => Phase::Stopping(first.min(deadline)),
            Phase::Starting | Phase::Running => Phase::Stopping(deadline),
        };
    }

    pub(super) fn stop_now(&mut self) {
        self.stop(before(self.now.wall, FORCE_AFTER));
    }

    /// A stop takes as long as it was given, whatever the clock shows.
    pub(super) fn shift_stop(&mut self, by: Duration, direction: Direction) {
        if let Phase::Stopping(deadline) = &mut self.phase {
            *deadline = match direction {
                Direction::Forward => after(*deadline, by),
                Direction::Backward => before(*deadline, by),
            };
        }
    }

    /// Ends what still runs, when it is time.
    pub(super) fn stop_due(&mut self, deadline: Timestamp) {
        let now = self.now.wall;
        if now < deadline {
            return;
        }
        let force = now >= after(deadline, FORCE_AFTER);
        for (id, active) in &mut self.runs {
            if active.stage != Stage::Running {
                continue;
            }
            if force {
                self.effects.push(Effect::End {
                    run: *id,
                    how: EndHow::Now,
                });
            } else if !active.is_ending {
                self.effects.push(Effect::End {
                    run: *id,
                    how: EndHow::Gracefully,
                });
            }
            active.is_ending = true;
        }
    }

    /// When stopping has something to do next.
    pub(super) fn stop_wake(&self) -> Option<Timestamp> {
        let Phase::Stopping(deadline) = self.phase else {
            return None;
        };
        [Duration::ZERO, FORCE_AFTER, GIVE_UP_AFTER]
            .into_iter()
            .map(|length| after(deadline, length))
            .find(|at| *at > self.now.wall)
    }

    /// Whether it was told to stop and everything is over and recorded, or nothing more is waited for.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let Phase::Stopping(deadline) = self.phase else {
            return false;
        };
        let busy = |stage| matches!(stage, Stage::Recording | Stage::Running);
        let is_idle = !self.runs.values().any(|active| busy(active.stage));
        is_idle && self.commits.is_quiet() || self.now.wall >= after(deadline, GIVE_UP_AFTER)
    }
}

fn after(instant: Timestamp, length: Duration) -> Timestamp {
    instant.saturating_add(length).unwrap_or(Timestamp::MAX)
}

fn before(instant: Timestamp, length: Duration) -> Timestamp {
    instant.saturating_sub(length).unwrap_or(Timestamp::MIN)
}
