//! The only door to the time.
//!
//! Everything else takes the time as an argument or from a [`Clock`] that it
//! was given: [`SystemClock`] in the daemon, [`HandClock`] where time is set
//! by hand. Wall time says when something is due, monotonic time how long it took.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

/// Why a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The instant is there.
    Due,
    /// The wall clock was set: whatever was computed from it must be computed anew.
    ClockSet,
}

/// A sleep on the wall clock.
pub type Sleep<'a> = Pin<Box<dyn Future<Output = Wake> + Send + 'a>>;

/// Wall time, monotonic time, and a sleep until a wall instant.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// Time that never steps, from an arbitrary origin. It stands still while the machine is suspended.
    fn monotonic(&self) -> Duration;
    /// Ends at `until` (at once if it is past) or when the wall clock was set.
    /// `None` ends only when the clock was set.
    fn sleep_until(&self, until: Option<Timestamp>) -> Sleep<'_>;
}

/// Whether the kernel holds its clock to be in step, as whoever keeps it (NTP, PTP, a hypervisor) has
/// told it; `None` where it does not say, as in a container that may not ask.
#[must_use]
pub fn is_in_step() -> Option<bool> {
    const TIME_ERROR: i32 = 5;
    #[expect(unsafe_code, reason = "the kernel's own word has no other door")]
    // SAFETY: `timex` is numbers alone, for which zeros are values; with `modes` 0 the call only
    // fills in what it is given, which lives until it has returned.
    let state = unsafe {
        let mut about: libc::timex = std::mem::zeroed();
        libc::adjtimex(&raw mut about)
    };
    (state >= 0).then_some(state != TIME_ERROR)
}

/// How long the machine has been up, as a service manager counts (`CLOCK_MONOTONIC`).
#[must_use]
pub fn since_start_of_machine() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos)
}

/// A clock that stands still until it is told to go on.
#[derive(Clone)]
pub struct HandClock {
    state: Arc<Mutex<HandState>>,
    changed: watch::Sender<u64>,
}

struct HandState {
    wall: Timestamp,
    monotonic: Duration,
    steps: u64,
}

impl HandClock {
    /// A clock that shows `wall`.
    #[must_use]
    pub fn new(wall: Timestamp) -> Self {
        let state = HandState {
            wall,
            monotonic: Duration::ZERO,
            steps: 0,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            changed: watch::Sender::new(0),
        }
    }

    /// Lets time pass: both clocks go on by `by`.
    pub fn advance(&self, by: Duration) {
        self.change(|state| {
            state.wall += by;
            state.monotonic += by;
        });
    }

    /// Sets the wall clock without time passing, as an operator or NTP would.
    pub fn set(&self, wall: Timestamp) {
        self.change(|state| {
            state.wall = wall;
            state.steps += 1;
        });
    }

    fn change(&self, edit: impl FnOnce(&mut HandState)) {
        edit(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.send_modify(|n| *n += 1);
    }

    fn read<T>(&self, look: impl FnOnce(&HandState) -> T) -> T {
        look(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        self.read(|state| state.wall)
    }

    fn monotonic(&self) -> Duration {
        self.read(|state| state.monotonic)
    }

    fn sleep_until(&self, until: Option<Timestamp>) -> Sleep<'_> {
        let mut changed = self.changed.subscribe();
        let steps = self.read(|state| state.steps);
        Box::pin(async move {
            loop {
                if self.read(|state| state.steps) != steps {
                    return Wake::ClockSet;
                }
                if until.is_some_and(|until| self.now() >= until) {
                    return Wake::Due;
                }
                // The sender lives in `self`, so this cannot fail while we wait.
                if changed.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        })
    }
}

pub use system::SystemClock;

mod system {
    //! The machine's clock: one timerfd on `CLOCK_REALTIME` that is told of clock steps.
    #![expect(
        clippy::disallowed_methods,
        reason = "this module is the door to the system clock"
    )]

    use std::io;
    use std::os::fd::OwnedFd;
    use std::sync::Mutex;
    use std::time::{Duration, Instant};

    use jiff::Timestamp;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::unix::AsyncFd;

    use super::{Clock, Sleep, Wake};

    /// The longest single wait; a check that costs nothing and heals whatever a missed notice left behind.
    const LONGEST: Duration = Duration::from_secs(3600);

    /// The machine's wall clock and monotonic clock.
    pub struct SystemClock {
        origin: Instant,
        /// Timers that no sleep uses at the moment.
        idle: Mutex<Vec<AsyncFd<OwnedFd>>>,
    }

    /// A timer that goes back to the idle ones, also when its sleep is given up.
    struct Borrowed<'a> {
        timer: Option<AsyncFd<OwnedFd>>,
        home: &'a Mutex<Vec<AsyncFd<OwnedFd>>>,
    }

    impl Drop for Borrowed<'_> {
        fn drop(&mut self) {
            if let (Some(timer), Ok(mut home)) = (self.timer.take(), self.home.lock()) {
                home.push(timer);
            }
        }
    }

    impl Default for SystemClock {
        fn default() -> Self {
            Self {
                origin: Instant::now(),
                idle: Mutex::new(Vec::new()),
            }
        }
    }

    impl SystemClock {
        fn timer(&self) -> io::Result<AsyncFd<OwnedFd>> {
            let spare = self.idle.lock().ok().and_then(|mut idle| idle.pop());
            if let Some(timer) = spare {
                return Ok(timer);
            }
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Realtime, flags)?;
            #[expect(
                unsafe_code,
                reason = "the timer is owned, stays open and is the same descriptor until the AsyncFd is dropped"
            )]
            // SAFETY: `OwnedFd` keeps one descriptor open for its whole life and gives out no other.
            let timer = unsafe { AsyncFd::register(timer) }?;
            Ok(timer)
        }

        async fn wait(&self, until: Option<Timestamp>) -> io::Result<Wake> {
            let now = self.now();
            if until.is_some_and(|until| until <= now) {
                return Ok(Wake::Due);
            }
            let far = now.saturating_add(LONGEST).unwrap_or(Timestamp::MAX);
            let target = until.map_or(far, |until| until.min(far));
            let borrowed = Borrowed {
                timer: Some(self.timer()?),
                home: &self.idle,
            };
            let Some(timer) = borrowed.timer.as_ref() else {
                return Ok(Wake::ClockSet);
            };
            let spec = Itimerspec {
                it_interval: Timespec {
                    tv_sec: 0,
                    tv_nsec: 0,
                },
                it_value: Timespec {
                    tv_sec: target.as_second(),
                    tv_nsec: target.subsec_nanosecond().into(),
                },
            };
            let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
            match timerfd_settime(timer.get_ref(), flags, &spec) {
                Ok(_) => {}
                // The clock was set since this timer was last armed: perhaps after whoever sleeps
                // has looked at it, so the sleep would be for an instant of another time.
                Err(rustix::io::Errno::CANCELED) => return Ok(Wake::ClockSet),
                Err(error) => return Err(error.into()),
            }
            loop {
                let mut ready = timer.readable().await?;
                let read = ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut [0u8; 8])?));
                match read {
                    Ok(Ok(_)) => return Ok(Wake::Due),
                    Ok(Err(error))
                        if error.raw_os_error()
                            == Some(rustix::io::Errno::CANCELED.raw_os_error()) =>
                    {
                        return Ok(Wake::ClockSet);
                    }
                    Ok(Err(error)) => return Err(error),
                    Err(_would_block) => {}
                }
            }
        }
    }

    impl Clock for SystemClock {
        fn now(&self) -> Timestamp {
            Timestamp::now()
        }

        fn monotonic(&self) -> Duration {
            self.origin.elapsed()
        }

        fn sleep_until(&self, until: Option<Timestamp>) -> Sleep<'_> {
            Box::pin(async move {
                loop {
                    match self.wait(until).await {
                        Ok(Wake::ClockSet) => return Wake::ClockSet,
                        Ok(Wake::Due) if until.is_some_and(|until| self.now() >= until) => {
                            return Wake::Due;
                        }
                        Ok(Wake::Due) => {}
                        // No timer to be had (out of descriptors): a coarse wait is better than none.
                        Err(_) => {
                            tokio::time::sleep(Duration::from_millis(50)).await;
                            if until.is_some_and(|until| self.now() >= until) {
                                return Wake::Due;
                            }
                        }
                    }
                }
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn a_hand_set_clock_wakes_at_the_instant_and_not_before() {
        let clock = HandClock::new(instant("2027-01-01T00:00:00Z"));
        let other = clock.clone();
        let sleeper = tokio::spawn(async move {
            other
                .sleep_until(Some(instant("2027-01-01T00:00:10Z")))
                .await
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        assert_eq!(sleeper.await.unwrap(), Wake::Due);
        assert_eq!(clock.monotonic(), Duration::from_secs(10));
    }

    #[tokio::test]
    async fn a_step_of_the_clock_wakes_every_sleeper() {
        let clock = HandClock::new(instant("2027-01-01T00:00:00Z"));
        let other = clock.clone();
        let sleeper = tokio::spawn(async move { other.sleep_until(None).await });
        tokio::task::yield_now().await;
        clock.set(instant("2026-01-01T00:00:00Z"));
        assert_eq!(sleeper.await.unwrap(), Wake::ClockSet);
        assert_eq!(clock.monotonic(), Duration::ZERO);
    }

    #[tokio::test]
    async fn the_system_clock_never_wakes_early() {
        let clock = SystemClock::default();
        for millis in [0, 1, 7, 20] {
            let until = clock.now() + Duration::from_millis(millis);
            assert_eq!(clock.sleep_until(Some(until)).await, Wake::Due);
            assert!(clock.now() >= until);
        }
    }
}
