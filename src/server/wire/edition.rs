//! Editions of definitions, and since when a job fails, on the wire.

use jiff::Timestamp;
use serde::Serialize;

use crate::decide::fields::Field;
use crate::decide::{Edition, FailingSince};

/// One wording of a job's definition.
#[derive(Debug, Serialize)]
pub(in super::super) struct EditionJson {
    definition_hash: String,
    /// Since when it is in force; null where that was before elder remembered it.
    since: Option<Timestamp>,
    revision: Option<String>,
    author: Option<String>,
    /// What it has other than the one before; null for the first one, and where nobody knows.
    changed: Option<Vec<Field>>,
}

impl From<&Edition> for EditionJson {
    fn from(edition: &Edition) -> Self {
        let edit = &edition.edit;
        Self {
            definition_hash: edition.definition.to_string(),
            since: edit.at,
            revision: edit.revision.as_deref().map(str::to_owned),
            author: edit.author.as_deref().map(str::to_owned),
            changed: edition.changed.as_deref().map(<[Field]>::to_vec),
        }
    }
}

/// Since when a job fails.
#[derive(Debug, Serialize)]
pub(in super::super) struct FailingJson {
    /// The first run that failed after the last success.
    run_id: String,
    at: Timestamp,
    revision: Option<String>,
    author: Option<String>,
    definition_hash: Option<String>,
    /// What was changed since the last success; null where that is not known.
    changed: Option<Vec<Field>>,
    /// The same in words.
    text: String,
}

impl From<&FailingSince> for FailingJson {
    fn from(since: &FailingSince) -> Self {
        Self {
            run_id: since.run.to_string(),
            at: since.at,
            revision: since.revision.as_deref().map(str::to_owned),
            author: since.author.as_deref().map(str::to_owned),
            definition_hash: since.definition.map(|id| id.to_string()),
            changed: since.changed.clone(),
            text: since.words(),
        }
    }
}
