//! The evaluators against the schedulers themselves, and imports against a walk of the clock.

mod crontabs;
mod proofs;
mod truth;

use super::*;

/// An import of one file.
fn imported(format: Format, name: &str, text: &str, timezone: &str) -> Imported {
    let file = SourceFile {
        name: name.into(),
        text: text.to_owned(),
    };
    let zones = Zones::bundled();
    let options = Options {
        timezone,
        columns: Columns::Auto,
        zones: &zones,
    };
    import(format, &[file], &options)
}

fn instant(text: &str) -> jiff::Timestamp {
    text.parse().unwrap()
}
