//! The way back: a backup takes the place of the store, which is kept beside it.
//!
//! The copy is made, checked and on the disk before anything of the old store is touched; the old
//! one has its second name before it loses its first.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::OFlags;

use super::lock::{self, Lock};
use super::{fault, schema};
use crate::store::{Restored, StoreError};

/// Puts the backup `from` in the place of the store in `path`. `now` names what was there before.
pub(super) fn restore(path: &Path, from: &Path, now: Timestamp) -> Result<Restored, StoreError> {
    let place = schema::place(path)?;
    let lock = Lock::take(&place)?;
    let from = fs::canonicalize(from)
        .map_err(|error| fault::of_system(from, "the backup cannot be reached", &error))?;
    if from == place {
        return Err(refused(&from, &"it is the store itself"));
    }
    if !fs::metadata(&from).is_ok_and(|data| data.is_file()) {
        return Err(refused(&from, &"it is no file"));
    }
    schema::look_at_backup(&from).map_err(|error| about_backup(&from, error))?;
    let copy = schema::sibling(&place, ".restoring");
    // What a restore before this one left when it was cut off.
    schema::remove_all(&copy)
        .map_err(|error| fault::of_system(&copy, "it is in the way", &error))?;
    let checked = copy_and_check(&from, &copy);
    let done = checked.and_then(|contents| {
        belong_to_who_runs_elder(&place, &copy);
        let aside = put_in_place(&copy, &place, now)?;
        Ok(Restored {
            place: place.clone(),
            aside,
            jobs: contents.jobs,
            runs: contents.runs,
            newest: contents.newest,
        })
    });
    if done.is_err() {
        // The error says what matters; what is left of the attempt is of no use.
        let _ = schema::remove_all(&copy);
    }
    drop(lock);
    done
}

/// What a backup holds.
struct Contents {
    jobs: u64,
    runs: u64,
    newest: Option<Timestamp>,
}

fn copy_and_check(from: &Path, copy: &Path) -> Result<Contents, StoreError> {
    copy_file(from, copy)?;
    // A copy of a store that did not end well has its last writes there; it is part of it.
    let log = schema::sibling(from, "-wal");
    if fs::metadata(&log).is_ok_and(|data| data.len() > 0) {
        copy_file(&log, &schema::sibling(copy, "-wal"))?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let read = || {
        let conn = Connection::open_with_flags(copy, flags)?;
        let said: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        let count = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
        let jobs = count("SELECT count(*) FROM jobs WHERE gone_at IS NULL")?;
        let runs = count("SELECT count(*) FROM runs")?;
        let newest: Option<i64> =
            conn.query_row("SELECT max(scheduled_at) FROM runs", [], |row| row.get(0))?;
        // All of it in one file: nothing beside it has to be put in place with it.
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        conn.close().map_err(|(_, error)| error)?;
        Ok((said, jobs, runs, newest))
    };
    let (said, jobs, runs, newest) =
        read().map_err(|error| about_backup(from, fault::of_sqlite(copy, &error)))?;
    if said != "ok" {
        return Err(refused(from, &said));
    }
    // The log may hold a newer head than the file.
    schema::look_at_backup(copy).map_err(|error| about_backup(from, error))?;
    File::open(copy)
        .and_then(|file| file.sync_all())
        .map_err(|error| fault::of_system(copy, "it cannot be written to the disk", &error))?;
    Ok(Contents {
        jobs: u64::try_from(jobs).unwrap_or(0),
        runs: u64::try_from(runs).unwrap_or(0),
        newest: newest.and_then(|nanos| Timestamp::from_nanosecond(nanos.into()).ok()),
    })
}

fn copy_file(from: &Path, to: &Path) -> Result<(), StoreError> {
    let mut source = File::open(from)
        .map_err(|error| fault::of_system(from, "the backup cannot be read", &error))?;
    let mut copy = || {
        let mut target = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(to)?;
        io::copy(&mut source, &mut target)?;
        target.sync_all()
    };
    copy().map_err(|error| {
        let doing = "the backup cannot be copied here; the store is as it was";
        fault::of_system(to, doing, &error)
    })
}

/// Root restores for the user who runs elder: whose the store was, else whose folder it is.
fn belong_to_who_runs_elder(place: &Path, copy: &Path) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = place.parent().unwrap_or(place);
    if let Ok(owner) = fs::metadata(place).or_else(|_| fs::metadata(folder)) {
        for file in [copy.to_owned(), lock::beside(place)] {
            // If it cannot be, elder's start says so with the mend.
            let _ = chown(file, Some(owner.uid()), Some(owner.gid()));
        }
    }
}

/// Gives the old store its second name, and the copy its place; says what the second name is.
fn put_in_place(copy: &Path, place: &Path, now: Timestamp) -> Result<Option<PathBuf>, StoreError> {
    let failed =
        |error: io::Error| fault::of_system(place, "the backup cannot be put in its place", &error);
    let stamp = now.strftime(".before-restore-%Y-%m-%dT%H%M%SZ").to_string();
    let aside = schema::sibling(place, &stamp);
    let is_there = place.symlink_metadata().is_ok();
    let log = schema::sibling(place, "-wal");
    for (old, second) in [
        (place.to_owned(), aside.clone()),
        (log.clone(), schema::sibling(&aside, "-wal")),
    ] {
        match second_name(&old, &second) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(StoreError::Unavailable(format!(
                    "{} is there already; try again in a second",
                    second.display()
                )));
            }
            Err(error) => return Err(failed(error)),
        }
    }
    schema::sync_folder(place).map_err(failed)?;
    // Before the copy comes: SQLite would play another store's log into it.
    for suffix in ["-wal", "-shm", "-journal"] {
        match fs::remove_file(schema::sibling(place, suffix)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    fs::rename(copy, place).map_err(failed)?;
    for suffix in ["-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(schema::sibling(copy, suffix));
    }
    schema::sync_folder(place).map_err(failed)?;
    Ok(is_there.then_some(aside))
}

/// A second name for a file, or a copy of it where a file has one name only. Never replaces one.
fn second_name(old: &Path, second: &Path) -> io::Result<()> {
    match fs::hard_link(old, second) {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::Unsupported
            ) =>
        {
            let mut target = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(second)?;
            io::copy(&mut File::open(old)?, &mut target)?;
            target.sync_all()
        }
        other => other,
    }
}

fn refused(from: &Path, why: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!(
        "{} cannot be restored: {why}; choose another backup, the store is as it was",
        from.display()
    ))
}

/// What the look at a store says, as it is meant of a backup.
fn about_backup(from: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Corrupt { detail, .. } => refused(from, &detail),
        StoreError::Newer { found, known, .. } => refused(
            from,
            &format!(
                "it was made by a newer elder (version {found}, this elder knows up to {known}); use that one"
            ),
        ),
        other => other,
    }
}
