//! A file that gets another content, all of it or none.

use std::fs::{self, Metadata};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tempfile::NamedTempFile;

use super::exit::Failure;

/// Puts `new` in the place of a file that held `old`: written beside it, with its mode and its
/// owner, then renamed. `file` is no link; `shown` is what people call it.
///
/// # Errors
/// When it holds something else by now, has other names, belongs to somebody whom the new file
/// could not be given to, or cannot be written. It is as it was then.
pub fn replace(file: &Path, shown: &str, old: &[u8], new: &[u8]) -> Result<(), Failure> {
    let failure =
        |why: &dyn std::fmt::Display| Failure::no_answer(format!("cannot write {shown}: {why}"));
    let before = fs::metadata(file).map_err(|error| failure(&error))?;
    if before.nlink() > 1 {
        let why = format!(
            "it has {} names (hard links), which would part",
            before.nlink()
        );
        return Err(failure(&why).help(format!("elder fmt - < {shown} shows the layout")));
    }
    let folder = file.parent().unwrap_or(Path::new("/"));
    // A name that no elder takes for a job file.
    let mut beside = tempfile::Builder::new()
        .prefix(".elder-fmt-")
        .tempfile_in(folder)
        .map_err(|error| failure(&error))?;
    beside.write_all(new).map_err(|error| failure(&error))?;
    same_rights(&beside, &before).map_err(|error| failure(&error))?;
    beside
        .as_file()
        .sync_all()
        .map_err(|error| failure(&error))?;
    let now = fs::read(file).map_err(|error| failure(&error))?;
    if now != old {
        return Err(failure(&"it was changed meanwhile").help("do it again"));
    }
    beside
        .persist(file)
        .map_err(|error| failure(&error.error))?;
    Ok(())
}

fn same_rights(beside: &NamedTempFile, before: &Metadata) -> Result<(), String> {
    let file = beside.as_file();
    let own = file.metadata().map_err(|error| error.to_string())?;
    if (own.uid(), own.gid()) != (before.uid(), before.gid()) {
        let given = rustix::fs::fchown(
            file,
            Some(rustix::fs::Uid::from_raw(before.uid())),
            Some(rustix::fs::Gid::from_raw(before.gid())),
        );
        given.map_err(|_| format!("it belongs to user {}", before.uid()))?;
    }
    // After the owner: giving a file away takes some bits of its mode.
    let mode = before.permissions();
    file.set_permissions(mode)
        .map_err(|error| error.to_string())
}
