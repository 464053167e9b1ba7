//! Which store an address means.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::{MemoryStore, Restored, SqliteStore, Store, StoreError};

/// The file's name in the state folder where the address names none.
const FILE_NAME: &str = "elder.db";

/// Opens the store that `url` names: `sqlite:PATH` (relative to where elder was started; without a
/// path it is `elder.db` in `state_dir`) or `memory:`.
///
/// # Errors
/// An address that this build cannot serve is refused: going on with another store would run fires
/// twice. Otherwise what the store says.
pub fn open(url: &str, state_dir: &Path) -> Result<Arc<dyn Store>, OpenError> {
    match file_of(url, state_dir)? {
        None => Ok(Arc::new(MemoryStore::default())),
        Some(file) => Ok(Arc::new(SqliteStore::open(&file)?)),
    }
}

/// The file of the store that `url` names; `None` for one that is only in memory.
///
/// # Errors
/// As for [`open`].
pub fn file_of(url: &str, state_dir: &Path) -> Result<Option<PathBuf>, OpenError> {
    Ok(match address(url)? {
        Address::Memory => None,
        Address::Sqlite("") => Some(state_dir.join(FILE_NAME)),
        Address::Sqlite(path) => Some(path.into()),
    })
}

/// Puts the backup `from` in the place of the store that `url` names, as [`open`] reads it.
///
/// # Errors
/// As [`SqliteStore::restore`]; a store in memory has no place.
pub fn restore(
    url: &str,
    state_dir: &Path,
    from: &Path,
    now: Timestamp,
) -> Result<Restored, OpenError> {
    let file = file_of(url, state_dir)?.ok_or(OpenError::Unclear(
        "sqlite:PATH: a store in memory has no place for a backup",
    ))?;
    Ok(SqliteStore::restore(&file, from, now)?)
}

/// Why there is no store to work with.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// A store that this build does not have.
    #[error(
        "this build of elder has no {0} store; another store in its place could run fires twice: use --store sqlite:PATH"
    )]
    NotBuilt(&'static str),
    /// Not an address; the text is its scheme, never the whole, which may hold a password.
    #[error(
        "{0:?} names no store that this build of elder has: use --store sqlite:PATH or --store memory:"
    )]
    Unknown(String),
    /// Looks like an address, but could mean two things.
    #[error("write --store {0}")]
    Unclear(&'static str),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
}

enum Address<'a> {
    Memory,
    Sqlite(&'a str),
}

fn address(url: &str) -> Result<Address<'_>, OpenError> {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    match (scheme, rest) {
        ("memory", "") if url != "memory" => Ok(Address::Memory),
        ("memory", _) | ("sqlite", ":memory:") => Err(OpenError::Unclear("memory:")),
        // Programs disagree whether sqlite:///a is /a or ./a; a guess could open the wrong ledger.
        ("sqlite", path) if path.starts_with("//") || url == "sqlite" => Err(OpenError::Unclear(
            "sqlite:PATH, without // before the path",
        )),
        ("sqlite", path) => Ok(Address::Sqlite(path)),
        ("postgres" | "postgresql", _) => Err(OpenError::NotBuilt("PostgreSQL")),
        ("redis" | "rediss", _) => Err(OpenError::NotBuilt("Redis")),
        _ => Err(OpenError::Unknown(
            scheme.chars().take(32).collect::<String>(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_this_build_cannot_serve_is_refused_with_the_mend() {
        let folder = tempfile::tempdir().unwrap();
        for (url, want) in [
            ("postgres://u:secret@db/elder", "no PostgreSQL store"),
            ("postgresql:///elder", "no PostgreSQL store"),
            ("redis://:secret@db:6379/0", "no Redis store"),
            ("rediss://db", "no Redis store"),
            ("mysql://u:secret@db", "\"mysql\" names no store"),
            ("/var/lib/elder.db", "\"/var/lib/elder.db\" names no store"),
            ("", "\"\" names no store"),
            ("memory", "write --store memory:"),
            ("memory://x", "write --store memory:"),
            ("sqlite::memory:", "write --store memory:"),
            ("sqlite:///var/elder.db", "write --store sqlite:PATH"),
            ("sqlite", "write --store sqlite:PATH"),
        ] {
            let error = open(url, folder.path()).err().expect(url).to_string();
            assert!(error.contains(want), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn memory_and_sqlite_open() {
        let folder = tempfile::tempdir().unwrap();
        let named = folder.path().join("deep/er/ledger.db");
        let url = format!("sqlite:{}", named.display());
        assert_eq!(open("memory:", folder.path()).unwrap().kind(), "memory");
        assert_eq!(open(&url, folder.path()).unwrap().kind(), "sqlite");
        assert!(named.is_file());
        assert_eq!(open("sqlite:", folder.path()).unwrap().kind(), "sqlite");
        assert!(folder.path().join("elder.db").is_file());
    }

    #[test]
    fn what_the_store_says_is_passed_on() {
        let folder = tempfile::tempdir().unwrap();
        let _first = open("sqlite:", folder.path()).unwrap();
        let second = open("sqlite:", folder.path()).err().unwrap();
        assert!(
            matches!(&second, OpenError::Store(StoreError::Locked { pid, .. }) if *pid == std::process::id()),
            "{second}"
        );
    }
}
