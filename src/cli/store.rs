//! `elder backup` and `elder optimize`: the store of a running elder. `elder restore`: that of none.

use std::path::Path;

use serde_json::{Value, json};

use crate::clock::Clock;
use crate::finding::render::amount;
use crate::store;

use super::args::{BackupArgs, OptimizeArgs, RestoreArgs};
use super::client::{Answer, Client, problem};
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};

/// Lets the daemon copy its store to a new file.
///
/// # Errors
/// When there is no answer, or the copy was refused.
pub fn backup(
    typed: &BackupArgs,
    environment: &Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let body = match &typed.file {
        Some(file) => json!({"to": as_the_daemon_finds_it(file)?}),
        None => json!({}),
    };
    let client = Client::new(&typed.client, environment)?;
    let made = accepted(client.post(&["backup"], &body)?)?;
    let path = made.get("path").and_then(Value::as_str);
    console.answer(&format!("{}\n", path.unwrap_or_default()))?;
    Ok(Exit::Fine)
}

/// The daemon has another working folder than whoever typed the name.
fn as_the_daemon_finds_it(file: &Path) -> Result<String, Failure> {
    let absolute = std::path::absolute(file);
    let absolute = absolute
        .ok()
        .and_then(|file| file.to_str().map(str::to_owned));
    absolute.ok_or_else(|| {
        Failure::no_answer(format!("cannot tell where {} is", file.display()))
            .help("write an absolute path in UTF-8")
    })
}

/// Lets the daemon tidy its store.
///
/// # Errors
/// When there is no answer, or it was refused.
pub fn optimize(
    typed: &OptimizeArgs,
    environment: &Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let client = Client::new(&typed.client, environment)?;
    accepted(client.post(&["optimize"], &json!({}))?)?;
    console.answer("the store is tidied\n")?;
    Ok(Exit::Fine)
}

/// Puts a backup in the place of a store that no elder uses.
///
/// # Errors
/// When an elder uses it, or the backup is not to be trusted: then nothing has changed.
pub fn restore(
    typed: &RestoreArgs,
    clock: &dyn Clock,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let done = store::restore(&typed.store, &typed.state, &typed.file, clock.now());
    let done = done.map_err(|error| Failure::no_answer(error.to_string()))?;
    let newest = match done.newest {
        Some(at) => format!(", the newest of {at}"),
        None => String::new(),
    };
    let mut text = format!(
        "{} is restored: {}, {}{newest}\n",
        done.place.display(),
        amount(done.jobs, "job"),
        amount(done.runs, "run")
    );
    if let Some(aside) = &done.aside {
        text.push_str(&format!(
            "the store of before is kept as {}\n",
            aside.display()
        ));
    }
    text.push_str(NEXT);
    console.answer(&text)?;
    Ok(Exit::Fine)
}

const NEXT: &str = "\
next: start elder. What was due since the backup is late: within misfire_grace_time it starts, even if
it had run before; the rest is recorded as missed. Where that must not be, write `enabled: false` first.
";

fn accepted(answer: Answer) -> Result<Value, Failure> {
    if answer.status.is_success() {
        return Ok(answer.body);
    }
    let said = problem(&answer.body).unwrap_or_else(|| answer.status.to_string());
    Err(Failure::does_not_hold(said))
}
