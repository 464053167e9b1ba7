//! The token that elder makes at its start, for the command line on the same host.
//!
//! It is 256 bits of the kernel's randomness with the role `admin`, in a file
//! that its owner alone may read, named by the port; it goes when elder goes.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::secret::Secret;

use super::{TokenHash, hash_token};

/// Where a service keeps what lives as long as it runs.
const RUN: &str = "/run/elder";

/// Where the token of the elder at `port` may be, in the order to look.
#[must_use]
pub fn token_path(port: u16, xdg_runtime_dir: Option<&Path>, state_dir: &Path) -> Vec<PathBuf> {
    let file = format!("{port}.token");
    let user = xdg_runtime_dir.map(|folder| folder.join("elder"));
    let folders = user.into_iter().chain([RUN.into(), state_dir.to_owned()]);
    folders.map(|folder| folder.join(&file)).collect()
}

/// Elder could not write its token anywhere.
#[derive(Debug, thiserror::Error)]
#[error("elder cannot write its token to {path}: {error}; check who owns the folder")]
pub struct OwnTokenError {
    path: String,
    error: io::Error,
}

/// A token in its file, for as long as this lives.
pub(in super::super) struct OwnToken {
    path: PathBuf,
    token: Secret,
}

impl OwnToken {
    /// Makes one and writes it to the first of these paths that can be written safely.
    pub(in super::super) fn write(candidates: &[PathBuf]) -> Result<Self, OwnTokenError> {
        let mut failed = OwnTokenError {
            path: String::new(),
            error: io::Error::other("there is no place for it"),
        };
        let mut written = None;
        for (index, path) in candidates.iter().enumerate() {
            // The last one is the state folder: a volume may belong to another user, and all
            // that who may write there could do is to take the file away.
            let trust = match index + 1 == candidates.len() {
                true => Trust::Any,
                false => Trust::OursAlone,
            };
            match written {
                // One that a killed elder left behind would lead the command line astray.
                Some(_) => remove_own(path),
                None => match random().and_then(|token| put(path, trust, &token).map(|()| token)) {
                    Ok(token) => written = Some((path.clone(), token)),
                    Err(error) => {
                        failed = OwnTokenError {
                            path: path.display().to_string(),
                            error,
                        };
                    }
                },
            }
        }
        match written {
            Some((path, token)) => Ok(Self { path, token }),
            None => Err(failed),
        }
    }

    /// Where it is.
    pub(in super::super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its digest.
    pub(in super::super) fn hash(&self) -> TokenHash {
        hash_token(self.token.expose())
    }
}

impl Drop for OwnToken {
    fn drop(&mut self) {
        // Another elder's token is not ours to remove.
        let ours =
            fs::read_to_string(&self.path).is_ok_and(|text| text.trim_end() == self.token.expose());
        if ours {
            // It is of no use to anybody once elder has ended.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn random() -> io::Result<Secret> {
    Ok(Secret::new(&super::super::random_hex::<32>()?))
}

/// Which folders may hold the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Only one that is ours and that nobody else may write to.
    OursAlone,
    /// Any.
    Any,
}

fn put(path: &Path, trust: Trust, token: &Secret) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    prepare(folder, trust)?;
    let mut fresh = path.to_owned();
    fresh.set_extension(format!("{}.new", std::process::id()));
    // Left over from an elder with our number that was killed here.
    let _ = fs::remove_file(&fresh);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(&fresh)?;
    let written = writeln!(file, "{}", token.expose())
        .and_then(|()| file.flush())
        .and_then(|()| fs::rename(&fresh, path));
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written
}

/// Makes the folder, or sees whether the one that is there will do.
fn prepare(folder: &Path, trust: Trust) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let about = fs::metadata(folder)?;
    let us = rustix::process::geteuid().as_raw();
    if !about.is_dir() {
        return Err(io::Error::other("it is no folder"));
    }
    let shared = about.uid() != us || about.mode() & 0o022 != 0;
    if shared && trust == Trust::OursAlone {
        return Err(io::Error::other("others may write there"));
    }
    Ok(())
}

fn remove_own(path: &Path) {
    let us = rustix::process::geteuid().as_raw();
    let own = fs::symlink_metadata(path).is_ok_and(|about| about.is_file() && about.uid() == us);
    if own {
        // If it stays, the command line finds the right one first.
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_command_line_looks_where_elder_writes() {
        let paths = token_path(8000, Some(Path::new("/run/user/1")), Path::new("state"));
        let want = [
            "/run/user/1/elder/8000.token",
            "/run/elder/8000.token",
            "state/8000.token",
        ];
        assert_eq!(paths, want.map(PathBuf::from));
        assert_eq!(token_path(1, None, Path::new("s")).len(), 2);
    }

    #[test]
    fn a_token_is_its_owners_alone_and_goes_with_elder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("elder/8000.token");
        let own = OwnToken::write(std::slice::from_ref(&path)).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let text = fs::read_to_string(&path).unwrap();
        let token = text.trim_end();
        assert_eq!(token.len(), 64);
        assert_eq!(hash_token(token), own.hash());
        let files = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(files, 1, "nothing else is left there");
        let again = OwnToken::write(std::slice::from_ref(&path)).unwrap();
        assert_ne!(again.hash(), own.hash());
        drop(own);
        assert!(
            path.exists(),
            "the newer one is not the older one's to remove"
        );
        drop(again);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_that_others_may_write_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
        let missing = folder.path().join("no/such/folder/1.token");
        let good = folder.path().join("state/1.token");
        let paths = [open.join("1.token"), missing.clone(), good.clone()];
        let own = OwnToken::write(&paths).unwrap();
        assert_eq!(own.path(), good);
        assert!(OwnToken::write(&[missing]).is_err());
        let volume = OwnToken::write(&[open.join("1.token")]).unwrap();
        assert_eq!(mode(volume.path()), 0o600);
    }

    #[test]
    fn what_a_killed_elder_left_in_a_later_place_goes() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| folder.path().join(name).join("1.token"));
        fs::create_dir(folder.path().join("b")).unwrap();
        fs::write(&paths[1], "stale").unwrap();
        let own = OwnToken::write(&paths).unwrap();
        assert_eq!(own.path(), paths[0]);
        assert!(!paths[1].exists());
    }
}
