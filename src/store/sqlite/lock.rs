//! One elder per store: an exclusive lock on a file beside it, which names the holder.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock, fstatfs};
use rustix::io::Errno;

use super::fault;
use crate::store::StoreError;

/// File systems on which neither the lock nor the log's shared memory can be trusted: NFS, SMB 1 to 3.
const OVER_THE_NETWORK: [u32; 4] = [0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42];

/// Held as long as the store is open; the system lets it go however the process ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Where the lock of the store in `path` lies.
pub(super) fn beside(path: &Path) -> PathBuf {
    super::schema::sibling(path, ".lock")
}

impl Lock {
    /// Takes the lock of the store in `path`.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let place = beside(path);
        let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(no_link)
            .open(&place)
            .map_err(|error| fault::of_system(&place, "the lock cannot be made", &error))?;
        let system = fstatfs(&file).map_err(|error| {
            fault::of_system(&place, "its file system cannot be told", &error.into())
        })?;
        // The type's width differs between machines; the magic numbers are 32 bits on all.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "only the low 32 bits carry the magic number"
        )]
        let kind = system.f_type as u32;
        if OVER_THE_NETWORK.contains(&kind) {
            return Err(StoreError::Unavailable(format!(
                "{} lies on a network file system, where SQLite cannot keep its promises; use --state or --store on a local disk",
                path.display()
            )));
        }
        match patiently(&file) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(StoreError::Locked {
                    path: path.display().to_string(),
                    pid: holder(&mut file),
                });
            }
            Err(error) => {
                return Err(fault::of_system(
                    &place,
                    "it cannot be locked",
                    &error.into(),
                ));
            }
        }
        // The number only helps a person; on a full disk the lock holds without it.
        let _ = file
            .set_len(0)
            .and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
        Ok(Self { _file: file })
    }
}

/// Takes the lock, trying a few times: a child that elder was starting when it was killed shares
/// the lock for the moment until it is a program of its own.
fn patiently(file: &File) -> Result<(), Errno> {
    const TRIES: u32 = 50;
    const PAUSE: Duration = Duration::from_millis(10);
    for _ in 1..TRIES {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => std::thread::sleep(PAUSE),
            answer => return answer,
        }
    }
    flock(file, FlockOperation::NonBlockingLockExclusive)
}

fn holder(file: &mut File) -> u32 {
    let mut text = String::new();
    let _ = file.take(16).read_to_string(&mut text);
    text.trim().parse().unwrap_or(0)
}
