//! `elder stop`: the end of a running elder.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::clock::{Clock, SystemClock};
use crate::duration;

use super::args::StopArgs;
use super::client::Client;
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};

/// So long between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// Asks elder to end and, with `--wait`, comes back when it has.
///
/// # Errors
/// When there is no answer, or elder is still there when the time is over.
pub fn stop(
    typed: &StopArgs,
    environment: &Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let mut client = Client::new(&typed.client, environment)?;
    let answer = client.post(&["stop"], &json!({}))?.body;
    if !typed.wait {
        console.answer("elder is stopping: runs may end within its --shutdown-grace\n")?;
        return Ok(Exit::Fine);
    }
    let process = answer["process"].as_u64().filter(|_| client.is_local());
    let clock = SystemClock::default();
    let end = clock.monotonic() + typed.timeout;
    client.be_patient_for(Duration::from_secs(5));
    while client.answers() || process.is_some_and(lives) {
        if clock.monotonic() >= end {
            let waited = duration::print(typed.timeout);
            let message = format!("elder is still there after {waited}");
            let help = "a run may take its time: elder list; a second SIGTERM ends all at once";
            return Err(Failure::no_answer(message).help(help));
        }
        client.pause(PAUSE);
    }
    console.answer("elder has stopped\n")?;
    Ok(Exit::Fine)
}

/// Whether that process of this machine is an elder that has not ended: what it holds, such as the
/// store, it holds until then.
fn lives(process: u64) -> bool {
    let stat = Path::new("/proc").join(process.to_string()).join("stat");
    let stat = std::fs::read_to_string(stat).unwrap_or_default();
    // `17 (elder) S …`; one that has ended waits for its parent as Z.
    let Some((name, rest)) = stat
        .split_once(" (")
        .and_then(|(_, rest)| rest.rsplit_once(") "))
    else {
        return false;
    };
    name == "elder" && !rest.starts_with('Z')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_elder_is_waited_for() {
        // The test is a process of another name, and no process has this number.
        assert!(!lives(std::process::id().into()));
        assert!(!lives(u64::from(u32::MAX)));
    }
}
