//! `elder schema`: the JSON Schema of what this build accepts.

use crate::spec;

use super::console::Console;
use super::exit::{Exit, Failure};

/// Prints the schema.
///
/// # Errors
/// When it cannot be written.
pub fn schema(console: &mut Console) -> Result<Exit, Failure> {
    let mut text = spec::schema();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    console.answer(&text)?;
    Ok(Exit::Fine)
}
