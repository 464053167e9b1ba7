//! Whether a failed attempt is followed by another, and when.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::ids::RunId;
use crate::model::{AttemptEnd, Ended, Reason, Retry, RetryOn};

/// What a policy asks about a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why it failed.
    pub reason: Reason,
    /// The exit code, if there was one.
    pub exit_code: Option<i32>,
    /// The HTTP status, if there was one.
    pub http_status: Option<u16>,
    /// How long the target asks to be left alone, if it does.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// The failure that `end` tells of; `None` when it tells of none.
    #[must_use]
    pub fn of(end: &AttemptEnd) -> Option<Self> {
        let reason = match end.ended {
            Ended::Failed(reason) => reason,
            Ended::TimedOut => Reason::Timeout,
            Ended::Success | Ended::Stopped => return None,
        };
        Some(Self {
            reason,
            exit_code: end.exit_code,
            http_status: end.http_status,
            retry_after: end.retry_after,
        })
    }
}

/// The wait before the attempt after number `attempt`; `None` when there is no further one.
///
/// The part that varies is a hash of run and attempt: the same after a restart
/// and on every replica, and different between jobs that failed together.
///
/// Where the target asks to be left alone (`Retry-After`), the wait is at least so long, and what
/// varies is added to it and never taken away: all jobs that were turned away together come back
/// one after the other, and none too soon. `max_backoff` bounds that too, because a server must not
/// be able to park a job for a year.
#[must_use]
pub fn retry_after(retry: &Retry, run: RunId, attempt: u32, failure: &Failure) -> Option<Duration> {
    if attempt > retry.max || !retry.when.iter().any(|word| matches(*word, failure)) {
        return None;
    }
    wait(retry, run, attempt, failure.retry_after)
}

/// No attempt after a failure is planned for later than this: an instant further away was planned
/// by a clock that was ahead.
#[must_use]
pub fn latest_attempt(retry: &Retry, now: Timestamp) -> Timestamp {
    let jitter = f64::from(retry.jitter_permille) / 1000.0;
    let longest = retry.max_backoff.as_secs_f64() * (1.0 + jitter);
    let longest = Duration::try_from_secs_f64(longest).unwrap_or(Duration::MAX);
    now.saturating_add(longest).unwrap_or(Timestamp::MAX)
}

/// The wait before the attempt after number `attempt` to deliver a letter; `None` when there is no
/// further one. Whatever went wrong may be mended, so that every failure is tried again.
#[must_use]
pub fn letter_wait(
    retry: &Retry,
    letter: RunId,
    attempt: u32,
    asked: Option<Duration>,
) -> Option<Duration> {
    (attempt <= retry.max).then(|| wait(retry, letter, attempt, asked))?
}

fn wait(retry: &Retry, run: RunId, attempt: u32, asked: Option<Duration>) -> Option<Duration> {
    let factor = f64::from(retry.factor_permille) / 1000.0;
    let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
    let cap = retry.max_backoff.as_secs_f64();
    let wait = (retry.backoff.as_secs_f64() * factor.powi(exponent)).min(cap);
    let unit = unit_hash(run, attempt);
    let jitter = f64::from(retry.jitter_permille) / 1000.0;
    // Out of range cannot be: both factors are finite and bounded by `max_backoff`.
    let own = Duration::try_from_secs_f64((wait * (1.0 + jitter * (2.0 * unit - 1.0))).max(0.0));
    let Some(asked) = asked else {
        return own.ok();
    };
    let asked = asked.min(retry.max_backoff);
    let later =
        Duration::try_from_secs_f64(asked.as_secs_f64() * jitter * unit).unwrap_or_default();
    // Whole durations are added, so that no rounding makes it a hair too early.
    own.ok().map(|own| own.max(asked.saturating_add(later)))
}

fn matches(word: RetryOn, failure: &Failure) -> bool {
    let status = failure.http_status;
    match word {
        RetryOn::Exit => failure.reason == Reason::Exit,
        RetryOn::Signal => failure.reason == Reason::Signal,
        RetryOn::Timeout => failure.reason == Reason::Timeout,
        RetryOn::Spawn => failure.reason == Reason::Spawn,
        RetryOn::Setup => failure.reason == Reason::Setup,
        RetryOn::Connect => failure.reason == Reason::Connect,
        RetryOn::ServerError => {
            failure.reason == Reason::Http && status.is_some_and(|s| s / 100 == 5)
        }
        RetryOn::TooManyRequests => failure.reason == Reason::Http && status == Some(429),
        RetryOn::Code(code) => {
            failure.reason == Reason::Http && status == Some(code)
                || failure.reason == Reason::Exit && failure.exit_code == Some(i32::from(code))
        }
    }
}

/// A number in `[0, 1)` that follows from run and attempt.
fn unit_hash(run: RunId, attempt: u32) -> f64 {
    let mut hash = Sha256::new();
    hash.update(run.as_str().as_bytes());
    hash.update(attempt.to_be_bytes());
    let digest = hash.finalize();
    let number = digest[..4]
        .iter()
        .fold(0u32, |number, byte| (number << 8) | u32::from(*byte));
    f64::from(number) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::JobName;

    fn run() -> RunId {
        RunId::of_fire(&JobName::new("a").unwrap(), Timestamp::UNIX_EPOCH)
    }

    fn failure(reason: Reason) -> Failure {
        Failure {
            reason,
            exit_code: None,
            http_status: None,
            retry_after: None,
        }
    }

    fn retry(max: u32, jitter_permille: u32) -> Retry {
        Retry {
            max,
            jitter_permille,
            ..Retry::built_in()
        }
    }

    #[test]
    fn waits_double_up_to_the_bound() {
        let policy = retry(20, 0);
        let waits: Vec<_> = [1, 2, 3, 9, 20]
            .map(|attempt| retry_after(&policy, run(), attempt, &failure(Reason::Exit)).unwrap())
            .map(|wait| wait.as_secs())
            .to_vec();
        assert_eq!(waits, [1, 2, 4, 256, 300]);
        assert_eq!(
            retry_after(&policy, run(), 21, &failure(Reason::Exit)),
            None
        );
    }

    #[test]
    fn only_what_when_names_is_tried_again() {
        let policy = retry(1, 0);
        let http = |status| Failure {
            http_status: Some(status),
            ..failure(Reason::Http)
        };
        for (what, failure, again) in [
            ("an exit code", failure(Reason::Exit), true),
            ("a missing secret", failure(Reason::Setup), false),
            ("no process to be had", failure(Reason::Spawn), false),
            ("a broken connection", failure(Reason::Connect), true),
            ("503", http(503), true),
            ("429", http(429), true),
            ("404 ends at once", http(404), false),
            ("a 200 whose body is not as expected", http(200), false),
        ] {
            let wait = retry_after(&policy, run(), 1, &failure);
            assert_eq!(wait.is_some(), again, "{what}");
        }
        let named = Retry {
            when: [RetryOn::Code(404), RetryOn::Code(75)].into(),
            ..policy
        };
        assert!(retry_after(&named, run(), 1, &http(404)).is_some());
        let exit = |code| Failure {
            exit_code: Some(code),
            ..failure(Reason::Exit)
        };
        assert!(retry_after(&named, run(), 1, &exit(75)).is_some());
        assert!(retry_after(&named, run(), 1, &exit(1)).is_none());
    }

    #[test]
    fn a_target_that_asks_for_time_gets_it_within_the_bound() {
        let policy = retry(3, 0);
        let asks = |seconds| Failure {
            http_status: Some(429),
            retry_after: Some(Duration::from_secs(seconds)),
            ..failure(Reason::Http)
        };
        for (what, asked, attempt, wait) in [
            ("longer than the back-off", 30, 1, 30),
            ("shorter than the back-off", 1, 3, 4),
            ("at once", 0, 1, 1),
            ("exactly the bound", 300, 1, 300),
            ("a year", 31_536_000, 1, 300),
            ("for ever", u64::MAX, 1, 300),
        ] {
            let wanted = Some(Duration::from_secs(wait));
            let found = retry_after(&policy, run(), attempt, &asks(asked));
            assert_eq!(found, wanted, "{what}");
        }
        assert_eq!(
            retry_after(&policy, run(), 4, &asks(30)),
            None,
            "no attempt is left"
        );
        let never = Retry {
            when: [RetryOn::Exit].into(),
            ..policy
        };
        assert_eq!(
            retry_after(&never, run(), 1, &asks(30)),
            None,
            "`when` decides"
        );
    }

    #[test]
    fn those_who_were_turned_away_together_come_back_apart_and_none_too_soon() {
        let policy = retry(1000, 100);
        let asked = Duration::from_secs(100);
        let failure = Failure {
            http_status: Some(503),
            retry_after: Some(asked),
            ..failure(Reason::Http)
        };
        // The back-off itself has long reached its bound, so look where it is short.
        let mut waits: Vec<_> = (0..200)
            .map(|second| {
                let at = Timestamp::from_second(second).unwrap();
                let run = RunId::of_fire(&JobName::new("a").unwrap(), at);
                retry_after(&policy, run, 1, &failure).unwrap()
            })
            .collect();
        for wait in &waits {
            assert!((asked..asked * 11 / 10).contains(wait), "{wait:?}");
        }
        waits.sort();
        waits.dedup();
        assert!(waits.len() > 150, "{} different waits", waits.len());
    }

    #[test]
    fn jitter_stays_in_its_bounds_and_is_the_same_each_time() {
        let policy = retry(1000, 100);
        for attempt in 1..200 {
            let wait = retry_after(&policy, run(), attempt, &failure(Reason::Exit)).unwrap();
            let plain = retry_after(&retry(1000, 0), run(), attempt, &failure(Reason::Exit));
            let ratio = wait.as_secs_f64() / plain.unwrap().as_secs_f64();
            assert!((0.9..=1.1).contains(&ratio), "attempt {attempt}: {ratio}");
            assert_eq!(
                Some(wait),
                retry_after(&policy, run(), attempt, &failure(Reason::Exit))
            );
            let at = Timestamp::UNIX_EPOCH + wait;
            assert!(at <= latest_attempt(&policy, Timestamp::UNIX_EPOCH));
        }
    }
}
