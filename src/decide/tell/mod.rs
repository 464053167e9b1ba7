//! Who is told of what became of a job, and what is remembered for the next time.
//!
//! What is remembered is little, and only of a job in trouble: how often it failed in a row, and
//! when whom was told last. It goes to the store with the letters, in the transaction of the run's
//! end, so that a restart neither repeats nor forgets anything.

mod letter;
mod news;
mod trouble;

pub use letter::{About, letters, of_elder};
pub use news::Standing;
pub use trouble::{Missed as MissedTold, Told, Trouble};

use jiff::Timestamp;

use crate::ids::SageName;
use crate::model::{Audience, Outcome, Reason, Run, Sage, SageEvent, Sages};

/// What became of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A run did what it should.
    Success,
    /// A run failed after its last attempt.
    Failure,
    /// So many fires came too late.
    Missed(u64),
    /// A success is overdue.
    Stale,
}

impl Happened {
    /// What the end of `run`, or `added` more fires in its row, means to sages: `None` for what
    /// nobody is told of.
    #[must_use]
    pub fn of(run: &Run, added: u64) -> Option<Self> {
        match run.outcome? {
            Outcome::Success => Some(Happened::Success),
            Outcome::Failed | Outcome::TimedOut | Outcome::Interrupted => Some(Happened::Failure),
            // A newer fire ran in its stead.
            Outcome::Missed if run.reason == Some(Reason::Coalesced) => None,
            Outcome::Missed => Some(Happened::Missed(added)),
            Outcome::Cancelled | Outcome::Skipped => None,
        }
    }
}

/// One sage to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who.
    pub sage: SageName,
    /// What it hears.
    pub event: SageEvent,
    /// For how many this stands: itself, and what was held back before.
    pub count: u64,
}

/// Who is told now, and what is to be remembered afterwards.
#[must_use]
pub fn tell(
    audience: &Audience,
    sages: &Sages,
    before: Option<&Trouble>,
    happened: Happened,
    now: Timestamp,
) -> (Vec<Call>, Option<Trouble>) {
    let mut trouble = before.cloned().unwrap_or_default();
    let mut calls = Vec::new();
    match happened {
        Happened::Success => {
            for sage in &audience.success {
                calls.push(call(sage, SageEvent::Success, 1));
            }
            for sage in &audience.recovery {
                calls.extend(recovery(sage, sages, &trouble));
            }
            return (calls, None);
        }
        Happened::Failure => {
            trouble.failures = trouble.failures.saturating_add(1);
            let event = SageEvent::Failure;
            for sage in &audience.failure {
                calls.extend(remind(&mut trouble, sages, (sage, event), 1, now));
            }
        }
        Happened::Missed(count) => {
            for sage in &audience.missed {
                let kind = (sage, SageEvent::Missed);
                calls.extend(remind(&mut trouble, sages, kind, count, now));
            }
        }
        Happened::Stale => {
            for sage in &audience.stale {
                let kind = (sage, SageEvent::Stale);
                calls.extend(remind(&mut trouble, sages, kind, 1, now));
            }
        }
    }
    let counts = !(audience.failure.is_empty() && audience.recovery.is_empty());
    if !counts {
        trouble.failures = 0;
    }
    (calls, Some(trouble).filter(|trouble| !trouble.is_empty()))
}

fn call(sage: &SageName, event: SageEvent, count: u64) -> Call {
    Call {
        sage: sage.clone(),
        event,
        count,
    }
}

/// Trouble: at most once in the sage's time, with the count of what it was not told meanwhile.
fn remind(
    trouble: &mut Trouble,
    sages: &Sages,
    (sage, event): (&SageName, SageEvent),
    count: u64,
    now: Timestamp,
) -> Option<Call> {
    let failures = trouble.failures;
    let told = trouble.told_mut(sage, event);
    told.held_back = told.held_back.saturating_add(count);
    let known = sages.get(sage);
    let after = known.map_or(1, |sage| sage.after);
    let every = known.map_or(Sage::REMIND, |sage| sage.remind);
    // A clock that was set back must not silence anybody for as long.
    let is_soon = |last: Timestamp| now >= last && now.duration_since(last).unsigned_abs() < every;
    let is_early = event == SageEvent::Failure && failures < after;
    if is_early || told.at.is_some_and(is_soon) {
        return None;
    }
    told.at = Some(now);
    Some(call(sage, event, std::mem::take(&mut told.held_back)))
}

/// A sage hears of the end of trouble when there was enough of it to be told.
fn recovery(sage: &SageName, sages: &Sages, trouble: &Trouble) -> Option<Call> {
    let after = sages.get(sage).map_or(1, |sage| sage.after);
    let failed = trouble.failures >= after.max(1);
    // What it was told of otherwise is over as well.
    let knows = trouble.was_told(sage);
    (failed || knows).then(|| {
        let count = u64::from(trouble.failures).max(1);
        call(sage, SageEvent::Recovery, count)
    })
}

#[cfg(test)]
mod tests;
