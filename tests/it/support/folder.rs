//! A temporary folder with job files in it.

use std::path::{Path, PathBuf};

/// A folder that goes when it is dropped.
pub struct Folder(tempfile::TempDir);

impl Folder {
    /// An empty folder.
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with these files.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self::new();
        for (path, text) in files {
            folder.write(path, text);
        }
        folder
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Where a file in it is.
    pub fn join(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    /// Writes a file as an editor does: beside its place, then renamed into it.
    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let file = self.join(path);
        let parent = file.parent().unwrap();
        std::fs::create_dir_all(parent).unwrap();
        let name = file.file_name().unwrap().to_string_lossy();
        let beside = parent.join(format!(".{name}.new"));
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(&beside, &file).unwrap();
        file
    }

    /// Removes a file.
    pub fn remove(&self, path: &str) {
        std::fs::remove_file(self.join(path)).unwrap();
    }

    /// The text of a file; empty when it is not there.
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.join(path)).unwrap_or_default()
    }
}
