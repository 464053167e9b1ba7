//! Nothing that input says may panic, hang or take all memory: each parser for a while, on inputs
//! that are nearly right.
//!
//! `make fuzz` gives each of them a minute; `FUZZ_SECONDS` says how long, `ELDER_SEED` where the
//! inputs begin. An input that breaks something is printed with its seed.

mod layout;
mod manifests;
mod mutate;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use mutate::Mutator;

use crate::support::{Dice, number};

/// No input takes longer than this, also in a slow build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is being worked on, for whoever watches.
type Current = Arc<Mutex<Option<(Instant, Vec<u8>)>>>;

/// Feeds inputs to `target` for as long as is to be spent.
#[expect(
    clippy::disallowed_methods,
    reason = "a test waits on the machine's own clock"
)]
fn feed(name: &'static str, mutator: &Mutator, mut target: impl FnMut(&[u8])) {
    let seconds = number("FUZZ_SECONDS", 1);
    let seed = number("ELDER_SEED", 1);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut dice = Dice::new(seed);
    let current = watch(name, seed);
    let mut inputs = 0_u64;
    while Instant::now() < end || inputs < 100 {
        let input = mutator.next(&mut dice);
        *current.lock().unwrap() = Some((Instant::now(), input.clone()));
        let done = catch_unwind(AssertUnwindSafe(|| target(&input)));
        assert!(
            done.is_ok(),
            "{name}, ELDER_SEED={seed}, input {inputs}: {:?}",
            String::from_utf8_lossy(&input)
        );
        inputs += 1;
    }
    *current.lock().unwrap() = None;
    eprintln!("{name}: {inputs} inputs");
}

/// Ends the tests with the input that nothing comes back from.
fn watch(name: &'static str, seed: u64) -> Current {
    let current: Current = Arc::default();
    let watched = Arc::downgrade(&current);
    let watch = move || {
        while let Some(current) = watched.upgrade() {
            if let Some((since, input)) = &*current.lock().unwrap()
                && since.elapsed() > PATIENCE
            {
                eprintln!(
                    "{name}, ELDER_SEED={seed}: no end for {:?}",
                    String::from_utf8_lossy(input)
                );
                std::process::abort();
            }
            drop(current);
            thread::sleep(Duration::from_millis(200));
        }
    };
    thread::Builder::new().spawn(watch).unwrap();
    current
}
