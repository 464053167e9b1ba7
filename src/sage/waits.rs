//! How long letters and sages wait, also where the clock is set back meanwhile.

use std::time::Duration;

use jiff::Timestamp;

use crate::decide;
use crate::ids::SageName;
use crate::model::{AttemptEnd, Delivery, Retry, Sage};
use crate::store::{Waiting, Write};

use super::courier::{ASK_AGAIN, Courier};
use super::queue::{Item, Took};

/// No letter is tried for longer than this.
const MAX_AGE: Duration = Duration::from_secs(3 * 86_400);

/// A sage may ask to be left alone for so long at most.
const MOST_ASKED: Duration = Duration::from_secs(86_400);

/// A smaller step of the clock is none: its readings are not taken at one instant.
const STEP: Duration = Duration::from_secs(1);

impl Courier {
    fn retry_of(&self, sage: &SageName) -> Retry {
        let definition = self.sages.get(sage).map(|(definition, _)| definition);
        definition.map_or_else(Sage::built_in_retry, |definition| {
            definition.policy.retry.clone()
        })
    }

    /// An attempt failed: when there is another one.
    pub(super) fn failed(&mut self, number: u64, item: &Item, end: &AttemptEnd) {
        let (id, at, attempts) = (item.id, item.at, item.attempts + 1);
        let now = self.parts.clock.now();
        let detail = end.detail.as_deref();
        let retry = self.retry_of(&item.sage);
        let wait = decide::letter_wait(&retry, id, attempts, None);
        let is_old = now >= at && now.duration_since(at).unsigned_abs() > MAX_AGE;
        let Some(wait) = wait.filter(|_| !is_old) else {
            self.leave(number, Took::No);
            self.tell(&item.sage, Delivery::GivenUp, 1, detail, None);
            return;
        };
        let asked = end.retry_after.unwrap_or_default().min(MOST_ASKED);
        let rest = |failures| {
            let own = decide::letter_wait(&retry, id, failures, None);
            own.unwrap_or(retry.max_backoff)
        };
        self.queue.failed(number, now, (wait, asked), rest);
        let due = now
            .saturating_add(wait.max(asked))
            .unwrap_or(Timestamp::MAX);
        if !self.kept.contains_key(&number) {
            self.unrecorded.push(Write::LetterTried {
                id,
                attempts,
                next_attempt_at: due,
            });
        }
        self.tell(&item.sage, Delivery::Failed, 1, detail, Some(due));
    }

    /// When a letter of the store is tried. Nobody waits for longer than a sage may ask for or its
    /// own pauses are: what is planned beyond that was planned by a clock that was ahead.
    pub(super) fn due_of(&self, waiting: &Waiting, now: Timestamp) -> Option<Timestamp> {
        let due = waiting.next_attempt_at?;
        let own = decide::latest_attempt(&self.retry_of(&waiting.sage), now);
        let asked = now.saturating_add(MOST_ASKED).unwrap_or(Timestamp::MAX);
        Some(if due > own.max(asked) { own } else { due })
    }

    /// Whether the clock was set back since the last look: then nothing waits for the time before.
    pub(super) fn look_at_clock(&mut self) {
        let clock = &self.parts.clock;
        let (now, monotonic) = (clock.now(), clock.monotonic());
        let (wall, before) = std::mem::replace(&mut self.looked, (now, monotonic));
        let expected = wall.saturating_add(monotonic.saturating_sub(before));
        let least = now.saturating_add(STEP).unwrap_or(Timestamp::MAX);
        if expected.unwrap_or(Timestamp::MAX) <= least {
            return;
        }
        self.queue.set_back(now);
        let soon = now.saturating_add(ASK_AGAIN).unwrap_or(Timestamp::MAX);
        for again in [&mut self.ask_again, &mut self.reads_again] {
            *again = again.map(|at| at.min(soon));
        }
    }
}
