//! `--audit-log`: JSON lines, appended, for elder's own user alone.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The file, open.
pub(super) struct AuditFile {
    path: PathBuf,
    file: File,
    /// A line was cut off, by a full disk: what comes next begins anew.
    is_cut: bool,
}

impl AuditFile {
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let path = std::path::absolute(path).map_err(|error| told(path, &error))?;
        Ok(Self {
            file: open(&path)?,
            path,
            is_cut: false,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the path again: another file may be there.
    pub(super) fn reopen(&mut self) -> Result<(), String> {
        self.file = open(&self.path)?;
        self.is_cut = false;
        Ok(())
    }

    /// Adds these lines, in one write.
    pub(super) fn append(&mut self, lines: &[Value]) -> io::Result<()> {
        let mut text = String::new();
        if self.is_cut {
            text.push('\n');
        }
        for line in lines {
            text.push_str(&line.to_string());
            text.push('\n');
        }
        let written = self.file.write_all(text.as_bytes());
        self.is_cut = written.is_err();
        written
    }
}

fn open(path: &Path) -> Result<File, String> {
    let mut options = OpenOptions::new();
    let options = options.append(true).create(true).mode(0o600);
    options.open(path).map_err(|error| told(path, &error))
}

fn told(path: &Path, error: &io::Error) -> String {
    format!(
        "--audit-log {}: {error}; elder needs a file that it may write",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    #[test]
    fn lines_are_added_also_after_the_file_was_moved_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        std::fs::write(&path, "{}\n").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        let mut file = AuditFile::open(&path).unwrap();
        file.append(&[json!(1), json!({ "a": "b\nc" })]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "{}\n1\n{\"a\":\"b\\nc\"}\n");
        std::fs::rename(&path, folder.path().join("old")).unwrap();
        file.append(&[json!(2)]).unwrap();
        file.reopen().unwrap();
        file.append(&[json!(3)]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "3\n");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_place_that_cannot_be_is_told_with_the_flag() {
        let error = AuditFile::open(Path::new("/no/such/folder/x"))
            .err()
            .unwrap();
        assert!(
            error.starts_with("--audit-log /no/such/folder/x: "),
            "{error}"
        );
    }

    #[test]
    fn a_full_disk_is_an_error_and_the_next_line_begins_anew() {
        let mut file = AuditFile::open(Path::new("/dev/full")).unwrap();
        assert!(file.append(&[json!(1)]).is_err());
        assert!(file.is_cut);
    }
}
