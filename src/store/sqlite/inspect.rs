//! A look at a store from outside that changes nothing, for `elder doctor`.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{lock, schema};

/// What can be seen of a store without opening it as elder does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// The process that has it open, 0 when it does not say which.
    pub holder: Option<u32>,
    /// Whether its pages are sound, or why nobody can tell now.
    pub pages: Result<Soundness, String>,
}

/// Whether pages are sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Soundness {
    /// They are.
    Sound,
    /// What is wrong.
    Damaged(String),
}

/// Looks at the store in this file; `None` when there is none.
#[must_use]
pub fn inspect(path: &Path) -> Option<Inspected> {
    // Not as elder does it at its start, which makes the folder.
    let place = match path.canonicalize() {
        Ok(place) => place,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => {
            return Some(Inspected {
                holder: None,
                pages: Err(format!("it cannot be reached: {error}")),
            });
        }
    };
    let holder = holder(&place);
    Some(Inspected {
        pages: pages(&place, holder.is_some()),
        holder,
    })
}

fn holder(place: &Path) -> Option<u32> {
    let mut file = File::open(lock::beside(place)).ok()?;
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Err(Errno::WOULDBLOCK) => {
            let mut text = String::new();
            // Who it is only helps a person.
            let _ = Read::by_ref(&mut file).take(16).read_to_string(&mut text);
            Some(text.trim().parse().unwrap_or(0))
        }
        _ => None,
    }
}

/// A reader of a file that nobody has open would make files beside it, perhaps as another user
/// than elder's, who could not open them then. So it reads the file as one that never changes,
/// which holds as long as there is no log to be read with it.
fn pages(place: &Path, is_open: bool) -> Result<Soundness, String> {
    let log = schema::sibling(place, "-wal");
    let has_log = std::fs::metadata(log).is_ok_and(|log| log.len() > 0);
    if has_log && !is_open {
        return Err("it was not closed; the next start reads its log, and checks it".to_owned());
    }
    let address = match is_open {
        true => address(place, "mode=ro"),
        false => address(place, "immutable=1"),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let said = Connection::open_with_flags(address, flags).and_then(|reader| {
        reader.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
    });
    match said {
        Ok(said) if said == "ok" => Ok(Soundness::Sound),
        Ok(said) => Ok(Soundness::Damaged(said)),
        Err(error) => match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Ok(Soundness::Damaged(error.to_string()))
            }
            _ => Err(format!("it cannot be read: {error}")),
        },
    }
}

/// A path as SQLite takes it in an address.
fn address(place: &Path, how: &str) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut address = String::from("file:");
    for byte in place.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => address.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => address.push(char::from(*byte)),
            byte => address.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("{address}?{how}")
}

#[cfg(test)]
mod tests {
    use super::super::SqliteStore;
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_look_tells_who_has_it_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a store #1?.db");
        assert_eq!(inspect(&file), None);
        let store = SqliteStore::open(&file).unwrap();
        let looked = inspect(&file).unwrap();
        assert_eq!(looked.holder, Some(std::process::id()));
        assert_eq!(looked.pages, Ok(Soundness::Sound));
        drop(store);
        let before = names(folder.path());
        let looked = inspect(&file).unwrap();
        assert_eq!(looked.holder, None);
        assert_eq!(looked.pages, Ok(Soundness::Sound));
        assert_eq!(names(folder.path()), before, "no file more, none less");
        drop(SqliteStore::open(&file).unwrap());
    }

    #[test]
    fn damage_is_told_and_a_log_that_nobody_read_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("elder.db");
        drop(SqliteStore::open(&file).unwrap());
        let whole = std::fs::read(&file).unwrap();
        let mut broken = whole.clone();
        broken[4_000..].fill(0xff);
        std::fs::write(&file, &broken).unwrap();
        let looked = inspect(&file).unwrap();
        assert!(
            matches!(looked.pages, Ok(Soundness::Damaged(_))),
            "{looked:?}"
        );
        std::fs::write(
            &file,
            b"this is a letter and no ledger at all, whatever its name may say",
        )
        .unwrap();
        let looked = inspect(&file).unwrap();
        assert!(
            matches!(looked.pages, Ok(Soundness::Damaged(_))),
            "{looked:?}"
        );
        std::fs::write(&file, &whole).unwrap();
        std::fs::write(folder.path().join("elder.db-wal"), b"not empty").unwrap();
        let looked = inspect(&file).unwrap();
        assert!(looked.pages.is_err(), "{looked:?}");
        assert_eq!(
            std::fs::read(folder.path().join("elder.db-wal")).unwrap(),
            b"not empty"
        );
    }
}
