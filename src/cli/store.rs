//! `elder backup` and `elder optimize`: the store of a running elder.

use serde_json::{Value, json};

use super::args::{BackupArgs, OptimizeArgs};
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
    // The daemon has another working folder than whoever typed the name.
    let file = std::path::absolute(&typed.file).map_err(|error| {
        Failure::no_answer(format!(
            "cannot tell where {} is: {error}",
            typed.file.display()
        ))
    })?;
    let Some(name) = file.to_str() else {
        return Err(Failure::no_answer("the name of the file is not UTF-8"));
    };
    let client = Client::new(&typed.client, environment)?;
    accepted(client.post(&["store", "backup"], &json!({"file": name}))?)?;
    console.answer(&format!("{name}\n"))?;
    Ok(Exit::Fine)
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
    accepted(client.post(&["store", "optimize"], &Value::Object(Default::default()))?)?;
    console.answer("the store is tidied\n")?;
    Ok(Exit::Fine)
}

fn accepted(answer: Answer) -> Result<(), Failure> {
    if answer.status.is_success() {
        return Ok(());
    }
    let said = problem(&answer.body).unwrap_or_else(|| answer.status.to_string());
    Err(Failure::does_not_hold(said))
}
