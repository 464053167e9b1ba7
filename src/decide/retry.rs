//! Whether a failed attempt is followed by another, and when.

use std::time::Duration;

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
        })
    }
}

/// The wait before the attempt after number `attempt`; `None` when there is no further one.
///
/// The part that varies is a hash of run and attempt: the same after a restart
/// and on every replica, and different between jobs that failed together.
#[must_use]
pub fn retry_after(retry: &Retry, run: RunId, attempt: u32, failure: &Failure) -> Option<Duration> {
    if attempt > retry.max || !retry.when.iter().any(|word| matches(*word, failure)) {
        return None;
    }
    let factor = f64::from(retry.factor_permille) / 1000.0;
    let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
    let cap = retry.max_backoff.as_secs_f64();
    let wait = (retry.backoff.as_secs_f64() * factor.powi(exponent)).min(cap);
    let spread = f64::from(retry.jitter_permille) / 1000.0 * (2.0 * unit_hash(run, attempt) - 1.0);
    // Out of range cannot be: both factors are finite and bounded by `max_backoff`.
    Duration::try_from_secs_f64((wait * (1.0 + spread)).max(0.0)).ok()
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
    use jiff::Timestamp;

    fn run() -> RunId {
        RunId::of_fire(&JobName::new("a").unwrap(), Timestamp::UNIX_EPOCH)
    }

    fn failure(reason: Reason) -> Failure {
        Failure {
            reason,
            exit_code: None,
            http_status: None,
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
        }
    }
}
