//! What SQLite or the system says, as a person can use it.

use std::io;
use std::path::Path;

use rusqlite::{Error, ErrorCode};

use crate::store::StoreError;

/// What SQLite says about the store in `path`.
pub(super) fn of_sqlite(path: &Path, error: &Error) -> StoreError {
    let Error::SqliteFailure(code, text) = error else {
        // Everything else is a value in a row that elder never wrote there.
        return corrupt(path, error);
    };
    let shown = path.display();
    let said = text.clone().unwrap_or_else(|| code.to_string());
    // The statements are fixed, so a table that is not there was taken away by somebody.
    if said.starts_with("no such ") {
        return corrupt(path, &said);
    }
    StoreError::Unavailable(match code.code {
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => return corrupt(path, &said),
        ErrorCode::DiskFull => format!("{shown}: the disk is full; free some space on it"),
        ErrorCode::ReadOnly => format!(
            "{shown} cannot be written ({said}); check the owner and mode of the file and its folder, and whether the disk is mounted read-only"
        ),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            format!("{shown} is locked by another program ({said}); end that program")
        }
        ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
            format!("{shown} cannot be opened ({said}); check the owner and mode of its folder")
        }
        ErrorCode::SystemIoFailure => format!(
            "{shown}: the disk does not do what it is told ({said}, code {}); check its space and health",
            code.extended_code
        ),
        _ => format!("{shown}: {said} (code {})", code.extended_code),
    })
}

/// What the system says when a file of the store is touched.
pub(super) fn of_system(path: &Path, doing: &str, error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("{}: {doing}: {error}", path.display()))
}

/// The file is not what elder wrote.
pub(super) fn corrupt(path: &Path, detail: &dyn std::fmt::Display) -> StoreError {
    // SQLite would play a log into whatever file lies beside it, also into a backup.
    let log = super::schema::sibling(path, "-wal");
    let with_log = if log.exists() {
        format!(" (move {} away with it)", log.display())
    } else {
        String::new()
    };
    StoreError::Corrupt {
        path: path.display().to_string(),
        detail: format!("{detail}{with_log}"),
    }
}

/// Whether the fault lies in what one caller wants to write, so that others beside it may go through.
pub(super) fn is_about_data(error: &Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::TooBig
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::ParameterOutOfRange
        )
    )
}
