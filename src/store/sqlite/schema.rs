//! The file: made whole or not at all, looked at before it is trusted, brought up to date in steps.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::{Limits, fault};
use crate::store::StoreError;

/// Marks a file as elder's: "eldr".
const APPLICATION: i32 = 0x656c_6472;

/// Each step is carried out once and never edited after a release. A step only adds: the elder of
/// the version before can still be started after a look at the newer file, and says so.
const STEPS: &[&str] = &[
    include_str!("steps/0001_ledger.sql"),
    include_str!("steps/0002_since_and_kept.sql"),
    include_str!("steps/0003_outbox_and_audit.sql"),
    include_str!("steps/0004_leaps.sql"),
    include_str!("steps/0005_pauses.sql"),
    include_str!("steps/0006_editions.sql"),
];

/// Older libraries have a defect in the write-ahead log that can damage a file.
const LEAST_SQLITE: i32 = 3_051_003;

const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// The file as one absolute path without links, so that every way to it meets the same lock.
/// Makes its folder when there is none.
pub(super) fn place(path: &Path) -> Result<PathBuf, StoreError> {
    let absolute = std::path::absolute(path)
        .map_err(|error| fault::of_system(path, "no such path can be", &error))?;
    let (Some(folder), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(StoreError::Unavailable(format!(
            "{} names no file",
            path.display()
        )));
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| fault::of_system(folder, "the folder cannot be made", &error))?;
    let folder = fs::canonicalize(folder)
        .map_err(|error| fault::of_system(folder, "the folder cannot be reached", &error))?;
    let place = folder.join(name);
    match fs::canonicalize(&place) {
        Ok(place) => Ok(place),
        // A link to nothing is a disk that is not mounted, not an order to begin anew.
        Err(error) if error.kind() != ErrorKind::NotFound || place.is_symlink() => {
            Err(fault::of_system(&place, "it cannot be reached", &error))
        }
        Err(_) => Ok(place),
    }
}

/// The writing connection to the store in `place`, which the caller has locked.
pub(super) fn open(place: &Path, limits: &Limits) -> Result<Connection, StoreError> {
    open_with(place, STEPS, limits)
}

/// A connection that only reads.
pub(super) fn open_reader(place: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reader = Connection::open_with_flags(place, flags)?;
    reader.busy_timeout(Duration::from_secs(5))?;
    reader.set_prepared_statement_cache_capacity(32);
    reader.pragma_update(None, "cache_size", -2048)?;
    Ok(reader)
}

/// `elder.db` and `.lock` make `elder.db.lock`.
pub(super) fn sibling(place: &Path, suffix: &str) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Looks at the head of a file that is to become the store, without letting SQLite have it.
pub(super) fn look_at_backup(file: &Path) -> Result<(), StoreError> {
    look(file, i64::try_from(STEPS.len()).unwrap_or(i64::MAX))
}

/// Looks at every page.
pub(super) fn check_pages(conn: &Connection, place: &Path) -> Result<(), StoreError> {
    let said: String = conn
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| fault::of_sqlite(place, &error))?;
    if said == "ok" {
        Ok(())
    } else {
        Err(fault::corrupt(place, &said))
    }
}

/// Makes sure that a new name in the folder survives a power cut.
pub(super) fn sync_folder(place: &Path) -> std::io::Result<()> {
    place
        .parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn open_with(place: &Path, steps: &[&str], limits: &Limits) -> Result<Connection, StoreError> {
    if rusqlite::version_number() < LEAST_SQLITE {
        return Err(StoreError::Unavailable(format!(
            "this elder is linked with SQLite {}, which can damage its files; build it with the one that it brings",
            rusqlite::version()
        )));
    }
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    match fs::metadata(place) {
        Ok(data) if !data.is_file() => {
            return Err(StoreError::Unavailable(format!(
                "{} is no file; name a file for the store",
                place.display()
            )));
        }
        Ok(_) => look(place, known)?,
        Err(error) if error.kind() == ErrorKind::NotFound => create(place, steps)?,
        Err(error) => return Err(fault::of_system(place, "it cannot be reached", &error)),
    }
    connect(place, known, steps, limits)
}

/// Whether the file is a store that this elder can read.
pub(super) fn look_at(place: &Path) -> Result<(), StoreError> {
    look(place, i64::try_from(STEPS.len()).unwrap_or(i64::MAX))
}

/// Reads the head of the file by itself: SQLite, once it has the file, may write to it.
fn look(place: &Path, known: i64) -> Result<(), StoreError> {
    let mut head = [0u8; 100];
    let read = File::open(place)
        .and_then(|mut file| file.read_exact(&mut head))
        .map(|()| head);
    let head = match read {
        Ok(head) => head,
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            return Err(fault::corrupt(place, &"the file ends within its head"));
        }
        Err(error) => return Err(fault::of_system(place, "it cannot be read", &error)),
    };
    if !head.starts_with(SQLITE_MAGIC) {
        return Err(fault::corrupt(place, &"it is no SQLite file"));
    }
    let number = |from: usize| {
        head[from..]
            .first_chunk::<4>()
            .map_or(0, |bytes| i32::from_be_bytes(*bytes))
    };
    check_version(place, number(68), number(60).into(), known)?;
    // With pages in the log the file may rightly be shorter than it says.
    let log = fs::metadata(sibling(place, "-wal")).map_or(0, |data| data.len());
    let size = fs::metadata(place).map_or(0, |data| data.len());
    let page = match u64::from(u16::from_be_bytes([head[16], head[17]])) {
        1 => 65_536,
        page => page,
    };
    let pages = u64::try_from(number(28)).unwrap_or(0);
    if log == 0 && size < pages * page {
        return Err(fault::corrupt(
            place,
            &format!("it has {size} of its {} bytes", pages * page),
        ));
    }
    Ok(())
}

fn check_version(place: &Path, application: i32, found: i64, known: i64) -> Result<(), StoreError> {
    if application != APPLICATION {
        return Err(fault::corrupt(
            place,
            &"it is the database of another program",
        ));
    }
    if found > known {
        return Err(StoreError::Newer {
            path: place.display().to_string(),
            found,
            known,
        });
    }
    Ok(())
}

/// Makes the file under another name and moves it in place when it is whole: an empty or half-made
/// file under its own name is always damage.
fn create(place: &Path, steps: &[&str]) -> Result<(), StoreError> {
    let log = sibling(place, "-wal");
    if fs::metadata(&log).is_ok_and(|data| data.len() > 0) {
        return Err(fault::corrupt(
            place,
            &"it is missing but its log is there; put the file back, or begin anew without the log",
        ));
    }
    let fresh = sibling(place, ".new");
    remove_all(&fresh).map_err(|error| fault::of_system(&fresh, "it is in the way", &error))?;
    let made = fill(&fresh, steps)
        .map_err(|error| in_place_of(place, error))
        .and_then(|()| {
            fs::rename(&fresh, place)
                .and_then(|()| sync_folder(place))
                .map_err(|error| fault::of_system(place, "it cannot be made", &error))
        });
    if made.is_err() {
        // What is left of the attempt is of no use; the error says what matters.
        let _ = remove_all(&fresh);
    }
    made
}

fn fill(fresh: &Path, steps: &[&str]) -> Result<(), StoreError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(fresh)
        .map_err(|error| fault::of_system(fresh, "it cannot be made", &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let build = || {
        let conn = Connection::open_with_flags(fresh, flags)?;
        conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        conn.pragma_update(None, "application_id", APPLICATION)?;
        migrate(&conn, steps)?;
        conn.close().map_err(|(_, error)| error)
    };
    build().map_err(|error| fault::of_sqlite(fresh, &error))
}

/// An error about the file that is being made is an error about the store.
fn in_place_of(place: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Corrupt { detail, .. } => {
            StoreError::Unavailable(format!("{} could not be made: {detail}", place.display()))
        }
        other => other,
    }
}

pub(super) fn remove_all(place: &Path) -> std::io::Result<()> {
    for suffix in ["", "-journal", "-wal", "-shm"] {
        match fs::remove_file(sibling(place, suffix)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn connect(
    place: &Path,
    known: i64,
    steps: &[&str],
    limits: &Limits,
) -> Result<Connection, StoreError> {
    let said = |error: &rusqlite::Error| fault::of_sqlite(place, error);
    let size = fs::metadata(place).map_or(0, |data| data.len());
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(place, flags).map_err(|error| said(&error))?;
    // Until the file is known to be ours and sound, not even closing it may change it.
    let keep_log = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    let trust = || {
        conn.set_db_config(keep_log, true)?;
        conn.busy_timeout(limits.lock_patience)?;
        let application: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok((application, version))
    };
    let (application, found) = trust().map_err(|error| said(&error))?;
    // The log may hold a newer head than the file.
    check_version(place, application, found, known)?;
    if conn.is_readonly("main").map_err(|error| said(&error))? {
        return Err(StoreError::Unavailable(format!(
            "{} cannot be written; check its owner and mode, and whether the disk is mounted read-only",
            place.display()
        )));
    }
    if size <= limits.check_at_start {
        check_pages(&conn, place)?;
    }
    let settle = || {
        // Wider modes come from copying the file by hand; a foreign owner is no reason not to start.
        let _ = fs::set_permissions(place, Permissions::from_mode(0o600));
        conn.set_db_config(keep_log, false)?;
        conn.set_prepared_statement_cache_capacity(64);
        let mode: String =
            conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        conn.pragma_update(None, "synchronous", "FULL")?;
        conn.pragma_update(None, "foreign_keys", false)?;
        conn.pragma_update(None, "cache_size", -16384)?;
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        conn.pragma_update(None, "wal_autocheckpoint", 4096)?;
        conn.pragma_update(None, "journal_size_limit", 32 << 20)?;
        migrate(&conn, steps)?;
        Ok(mode)
    };
    let mode = settle().map_err(|error| said(&error))?;
    if mode != "wal" {
        return Err(StoreError::Unavailable(format!(
            "{} cannot have a write-ahead log on this file system (it stays in {mode} mode); use a local disk",
            place.display()
        )));
    }
    Ok(conn)
}

/// Carries out the steps that the file has not seen, each in a transaction of its own.
fn migrate(conn: &Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let found: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(found).unwrap_or(0);
    for (index, step) in steps.iter().enumerate().skip(done) {
        let version = index + 1;
        let script = format!("BEGIN IMMEDIATE;\n{step}\nPRAGMA user_version = {version};\nCOMMIT;");
        if let Err(error) = conn.execute_batch(&script) {
            if !conn.is_autocommit() {
                conn.execute_batch("ROLLBACK")?;
            }
            return Err(error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::JobName;
    use crate::store::sqlite::queries;

    fn nanosecond(nanosecond: i128) -> jiff::Timestamp {
        jiff::Timestamp::from_nanosecond(nanosecond).unwrap()
    }

    const KNOWN: i64 = STEPS.len().cast_signed() as i64;
    const NEXT: &str = "ALTER TABLE jobs ADD COLUMN paused_until INTEGER;";

    fn open_at(place: &Path, steps: &[&str]) -> Result<Connection, StoreError> {
        open_with(place, steps, &Limits::default())
    }

    fn version(conn: &Connection) -> i64 {
        conn.pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn an_older_file_is_brought_up_to_date_and_keeps_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("elder.db");
        let conn = open_at(&place, &STEPS[..1]).unwrap();
        conn.execute(
            "INSERT INTO jobs (name, first_seen, mark) VALUES ('a', 1, 2)",
            [],
        )
        .unwrap();
        drop(conn);
        let steps = [STEPS, &[NEXT]].concat();
        let conn = open_at(&place, &steps).unwrap();
        assert_eq!(version(&conn), KNOWN + 1);
        let mark: i64 = conn
            .query_row(
                "SELECT mark FROM jobs WHERE paused_until IS NULL",
                [],
                |r| r.get(0),
            )
            .unwrap();
        assert_eq!(mark, 2);
    }

    #[test]
    fn a_job_of_the_first_version_counts_since_its_first_sight() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("elder.db");
        let conn = open_at(&place, &STEPS[..1]).unwrap();
        conn.execute(
            "INSERT INTO jobs (name, first_seen, mark) VALUES ('a', 1, 2)",
            [],
        )
        .unwrap();
        drop(conn);
        let conn = open_at(&place, STEPS).unwrap();
        let job = JobName::new("a").unwrap();
        let found = queries::marks(&conn, &[job]).unwrap();
        let mark = found[0].clone().unwrap();
        assert_eq!(
            (mark.since, mark.first_seen),
            (nanosecond(1), nanosecond(1))
        );
        assert_eq!(mark.mark, nanosecond(2));
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("elder.db");
        drop(open_at(&place, &STEPS[..1]).unwrap());
        let broken = [
            STEPS,
            &[NEXT, "CREATE TABLE extra (a INTEGER); SELECT nonsense;"],
        ]
        .concat();
        let error = open_at(&place, &broken).unwrap_err().to_string();
        assert!(error.contains("nonsense"), "{error}");
        let conn = Connection::open(&place).unwrap();
        assert_eq!(version(&conn), KNOWN + 1);
        let extra: i64 = conn
            .query_row(
                "SELECT count(*) FROM sqlite_schema WHERE name = 'extra'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(extra, 0);
    }

    #[test]
    fn a_version_that_only_the_log_knows_is_newer_too_and_the_log_stays() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("elder.db");
        let copy = folder.path().join("copy.db");
        let conn = open_at(&place, STEPS).unwrap();
        conn.execute_batch("PRAGMA user_version = 99").unwrap();
        for suffix in ["", "-wal"] {
            fs::copy(sibling(&place, suffix), sibling(&copy, suffix)).unwrap();
        }
        let before = fs::read(&copy).unwrap();
        let log = fs::read(sibling(&copy, "-wal")).unwrap();
        assert!(!log.is_empty());
        let error = open_at(&copy, STEPS).unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::Newer {
                    found: 99,
                    known,
                    ..
                } if known == STEPS.len() as i64
            ),
            "{error}"
        );
        assert_eq!(fs::read(&copy).unwrap(), before);
        assert_eq!(fs::read(sibling(&copy, "-wal")).unwrap(), log);
    }
}
