//! Waiting for something to become true, with an end.

use std::time::{Duration, Instant};

/// Longer than anything takes that is not broken, also on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Asks again and again until there is an answer; panics with `what` when there is none in time.
#[expect(
    clippy::disallowed_methods,
    reason = "a test waits on the machine's own clock"
)]
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The machine's own clock.
#[expect(
    clippy::disallowed_methods,
    reason = "a test waits on the machine's own clock"
)]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// How long something takes.
#[expect(
    clippy::disallowed_methods,
    reason = "a test waits on the machine's own clock"
)]
pub fn elapsed(something: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    something();
    begin.elapsed()
}
