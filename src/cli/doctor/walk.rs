//! A walk through the tree: who may write what, and when it was last changed.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// As many files and folders are looked at.
const MOST: usize = 500_000;

/// In a folder with this bit, only its owner may remove a file.
const STICKY: u32 = 0o1000;

/// What a walk saw.
#[derive(Default)]
pub(super) struct Walked {
    pub(super) folders: u64,
    pub(super) writable: Vec<PathBuf>,
    pub(super) unreadable: Vec<String>,
    pub(super) newest: Option<(PathBuf, Timestamp)>,
}

/// Walks through the PATHs and looks at the folders above them.
pub(super) fn walk(paths: &[PathBuf]) -> Walked {
    let mut walked = Walked::default();
    let mut rest = paths.to_vec();
    let mut looked = 0;
    for path in paths {
        for above in path.ancestors().skip(1) {
            if let Ok(data) = std::fs::metadata(above)
                && may_be_written(&data)
            {
                walked.writable.push(above.to_owned());
            }
        }
    }
    while let Some(path) = rest.pop() {
        looked += 1;
        if looked > MOST {
            let text = format!("what is beyond the first {MOST} files");
            walked.unreadable.push(text);
            break;
        }
        if let Err(error) = walked.look(&path, &mut rest) {
            walked
                .unreadable
                .push(format!("{} ({error})", path.display()));
        }
    }
    walked.writable.sort();
    walked.writable.dedup();
    walked
}

impl Walked {
    fn look(&mut self, path: &Path, rest: &mut Vec<PathBuf>) -> std::io::Result<()> {
        let is_link = std::fs::symlink_metadata(path)?.is_symlink();
        let data = std::fs::metadata(path)?;
        if may_be_written(&data) {
            self.writable.push(path.to_owned());
        }
        if let Ok(changed) = Timestamp::new(data.mtime(), 0)
            && self
                .newest
                .as_ref()
                .is_none_or(|(_, newest)| *newest < changed)
        {
            self.newest = Some((path.to_owned(), changed));
        }
        // A link may lead to a folder above itself.
        if data.is_dir() && !is_link {
            self.folders += 1;
            for entry in std::fs::read_dir(path)? {
                let entry = entry?;
                if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                    rest.push(entry.path());
                }
            }
        }
        Ok(())
    }
}

fn may_be_written(data: &Metadata) -> bool {
    let others = data.mode() & 0o002 != 0;
    others && (data.is_file() || data.is_dir() && data.mode() & STICKY == 0)
}

/// The rights of a file; none when it cannot be asked.
pub(super) fn mode(file: &Path) -> u32 {
    std::fs::metadata(file).map_or(0, |data| data.mode())
}
