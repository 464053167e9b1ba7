//! `elder schema`: the JSON Schema of job files, or of schedule tests, as this build accepts them.

use crate::spec;

use super::args::SchemaArgs;
use super::console::Console;
use super::exit::{Exit, Failure};

/// Prints the schema.
///
/// # Errors
/// When it cannot be written.
pub fn schema(typed: &SchemaArgs, console: &mut Console) -> Result<Exit, Failure> {
    let mut text = match typed.tests {
        true => spec::test_schema(),
        false => spec::schema(),
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    console.answer(&text)?;
    Ok(Exit::Fine)
}
