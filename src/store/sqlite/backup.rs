//! A copy of the whole store while it is in use.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{CWD, FlockOperation, OFlags, RenameFlags, flock, renameat_with};

use super::{fault, schema};
use crate::store::StoreError;

/// Copies the store in `place` to the new file `to`, which appears when it is whole, durable and
/// checked.
pub(super) fn copy(place: &Path, to: &Path) -> Result<(), StoreError> {
    let to = std::path::absolute(to)
        .map_err(|error| fault::of_system(to, "no such path can be", &error))?;
    if to.symlink_metadata().is_ok() {
        return Err(in_the_way(&to));
    }
    let folder = to.parent().unwrap_or(&to);
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(fault::of_system(
                folder,
                "the folder cannot be made",
                &error,
            ));
        }
        _ => {}
    }
    let to = free_of_links(&to)?;
    if belongs_to(place, &to) {
        return Err(in_the_way(&to));
    }
    let partial = partial(&to)?;
    let copied = fill(place, &partial.path, &to).and_then(|()| put_in_place(&partial.path, &to));
    if copied.is_err() {
        let _ = schema::remove_all(&partial.path);
    }
    copied
}

/// The path with the links of its folder followed: from here on a link in it is not ours.
fn free_of_links(to: &Path) -> Result<PathBuf, StoreError> {
    let (Some(folder), Some(name)) = (to.parent(), to.file_name()) else {
        return Err(in_the_way(to));
    };
    match folder.canonicalize() {
        Ok(folder) => Ok(folder.join(name)),
        Err(error) => Err(fault::of_system(
            folder,
            "the folder cannot be read",
            &error,
        )),
    }
}

/// Whether SQLite or elder would take a file at `to` for a part of the store.
fn belongs_to(place: &Path, to: &Path) -> bool {
    let place = place.canonicalize().unwrap_or_else(|_| place.to_owned());
    let parts = ["", "-journal", "-wal", "-shm", ".lock"];
    parts.iter().any(|part| schema::sibling(&place, part) == to)
}

/// The copy while it is being made. Its lock tells a backup under way from what a crash left behind.
struct Partial {
    path: PathBuf,
    _file: File,
}

fn partial(to: &Path) -> Result<Partial, StoreError> {
    let path = schema::sibling(to, ".partial");
    let failed = |error| fault::of_system(&path, "the backup cannot be made", &error);
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(flags.bits().cast_signed())
        .open(&path)
        .map_err(failed)?;
    // The folder may be one that others write to: a link or a second name there would lead us
    // into somebody's file.
    let about = file.metadata().map_err(failed)?;
    let us = rustix::process::geteuid().as_raw();
    if !about.is_file() || about.nlink() != 1 || about.uid() != us {
        return Err(StoreError::Unavailable(format!(
            "{} is there, and elder did not write it: take it away",
            path.display()
        )));
    }
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        StoreError::Unavailable(format!("a backup to {} is under way", to.display()))
    })?;
    // What a crash left may have any length and mode.
    file.set_len(0)
        .and_then(|()| file.set_permissions(Permissions::from_mode(0o600)))
        .map_err(failed)?;
    Ok(Partial { path, _file: file })
}

fn fill(place: &Path, partial: &Path, to: &Path) -> Result<(), StoreError> {
    let source = schema::open_reader(place).map_err(|error| fault::of_sqlite(place, &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let build = || {
        let mut target = Connection::open_with_flags(partial, flags)?;
        target.pragma_update(None, "synchronous", "OFF")?;
        // All in one step: between steps a write would make it begin anew. The writer goes on
        // meanwhile; only its log cannot be cut back.
        let step = Backup::new(&source, &mut target)?.step(-1)?;
        let checked: String = target.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        target.close().map_err(|(_, error)| error)?;
        Ok((step, checked))
    };
    let (step, checked) = build().map_err(|error| match fault::of_sqlite(to, &error) {
        // The file that is left is the store, and the copy's damage is the store's.
        StoreError::Corrupt { detail, .. } => fault::corrupt(place, &detail),
        other => other,
    })?;
    if step != StepResult::Done {
        return Err(StoreError::Unavailable(format!(
            "{} is locked by another program; the backup was not made",
            place.display()
        )));
    }
    if checked != "ok" {
        return Err(fault::corrupt(place, &checked));
    }
    Ok(())
}

fn put_in_place(partial: &Path, to: &Path) -> Result<(), StoreError> {
    let settle = || {
        File::open(partial)?.sync_all()?;
        renameat_with(CWD, partial, CWD, to, RenameFlags::NOREPLACE)?;
        for suffix in ["-wal", "-shm", "-journal"] {
            let _ = fs::remove_file(schema::sibling(partial, suffix));
        }
        schema::sync_folder(to)
    };
    settle().map_err(|error: std::io::Error| {
        if error.kind() == ErrorKind::AlreadyExists {
            in_the_way(to)
        } else {
            fault::of_system(to, "the backup cannot be put in place", &error)
        }
    })
}

fn in_the_way(to: &Path) -> StoreError {
    StoreError::Unavailable(format!(
        "{} is there already; a backup never replaces a file: name another",
        to.display()
    ))
}
