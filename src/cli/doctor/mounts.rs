//! What is mounted where, out of `/proc/self/mountinfo`.

use std::path::{Path, PathBuf};

use crate::tools::doctor::Mount;

/// Everything that is mounted; nothing where that cannot be read.
pub(super) fn read() -> Vec<Mount> {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    text.lines().filter_map(parse).collect()
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`
fn parse(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut words = before.split(' ').skip(3);
    let (root, at) = (plain(words.next()?), PathBuf::from(plain(words.next()?)));
    Some(Mount {
        is_file: at.is_file(),
        at,
        root,
        kind: after.split(' ').next()?.to_owned(),
    })
}

/// The kernel writes blanks and their like as `\040`.
fn plain(word: &str) -> String {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let [first, after @ ..] = rest {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let octal = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What `path` lies on.
pub(super) fn below<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    // The last one at a place hides those before it.
    let over = mounts.iter().filter(|mount| path.starts_with(&mount.at));
    over.max_by_key(|mount| mount.at.components().count())
}

/// What the PATHs lie on, and what is mounted below them.
pub(super) fn concerning(mounts: &[Mount], paths: &[PathBuf]) -> Vec<Mount> {
    let mut found: Vec<Mount> = Vec::new();
    for path in paths {
        let inside = mounts.iter().filter(|mount| mount.at.starts_with(path));
        for mount in below(mounts, path).into_iter().chain(inside) {
            if !found.contains(mount) {
                found.push(mount.clone());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_and_those_of_a_path_are_found() {
        let text = "\
22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw
23 22 0:21 /vols/sub\\040path /etc/elder/jobs.d rw master:1 - ext4 /dev/vdb rw
24 22 0:22 / /mnt/nfs rw - nfs4 server:/x rw
nonsense
25 22 0:23 /a.yaml /etc/elder/jobs.d/a\\040b.yaml rw - ext4 /dev/vdb rw";
        let mounts: Vec<_> = text.lines().filter_map(parse).collect();
        assert_eq!(mounts.len(), 4);
        assert_eq!(mounts[1].root, "/vols/sub path");
        let of = |path: &str| {
            let found = concerning(&mounts, &[PathBuf::from(path)]);
            let at = found.iter().map(|mount| mount.at.display().to_string());
            at.collect::<Vec<_>>()
        };
        assert_eq!(
            of("/etc/elder/jobs.d"),
            ["/etc/elder/jobs.d", "/etc/elder/jobs.d/a b.yaml"]
        );
        assert_eq!(of("/mnt/nfs/jobs.d"), ["/mnt/nfs"]);
        assert_eq!(of("/mnt/nfsother"), ["/"]);
    }
}
