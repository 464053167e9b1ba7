//! Secrets and files that a job names, read anew for each attempt.
//!
//! Only regular files of at most [`LARGEST`] bytes are read, and none that
//! leads out of the folder it must not leave, whatever links say: the
//! descriptor is asked after the opening where it leads.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use crate::model::{Context, SecretSource, TreePath};
use crate::secret::Secret;

use super::failure::{Failure, errno};
use super::mask::Mask;

/// The largest secret or env file.
pub(super) const LARGEST: u64 = 1024 * 1024;

/// The secrets of one attempt.
#[derive(Default)]
pub(super) struct Secrets {
    values: Vec<(Arc<str>, Secret)>,
}

impl Secrets {
    /// Whether files must be read, which may take its time.
    pub(super) fn wait_for_files(context: &Context) -> bool {
        let from_file = |(_, source): &(_, SecretSource)| matches!(source, SecretSource::File(_));
        context.secrets.iter().any(from_file)
    }

    /// Reads all secrets of `context`.
    pub(super) fn read(context: &Context, env: &HashMap<String, String>) -> Result<Self, Failure> {
        let mut values = Vec::with_capacity(context.secrets.len());
        for (name, source) in &context.secrets {
            let value = match source {
                SecretSource::Env(variable) => env.get(&**variable).cloned().ok_or_else(|| {
                    format!(
                        "{variable} is not set in elder's environment: set it and restart elder"
                    )
                }),
                SecretSource::File(path) => read_text(path).map(|text| without_line_end(&text)),
            };
            let value = value.map_err(|error| Failure::setup(format!("secret {name}: {error}")))?;
            values.push((name.clone(), Secret::new(&value)));
        }
        Ok(Self { values })
    }

    pub(super) fn get(&self, name: &str) -> Option<&Secret> {
        let found = self.values.iter().find(|(known, _)| **known == *name);
        found.map(|(_, secret)| secret)
    }

    /// All of them under their names, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.values.iter().map(|(name, secret)| (&**name, secret))
    }

    /// What keeps them out of outputs and messages.
    pub(super) fn mask(&self) -> Result<Mask, Failure> {
        Mask::new(self.values.iter().map(|(_, secret)| secret))
    }
}

fn without_line_end(text: &str) -> String {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text).to_owned()
}

/// Reads a file that a job names.
///
/// # Errors
/// A sentence that names the file and the mend.
pub(super) fn read_text(file: &TreePath) -> Result<String, String> {
    let shown = file.path.display();
    let bytes = read_bytes(file).map_err(|error| format!("{shown}: {error}"))?;
    String::from_utf8(bytes).map_err(|_| format!("{shown}: it is not UTF-8 text"))
}

fn read_bytes(file: &TreePath) -> Result<Vec<u8>, String> {
    let told = |error: io::Error| errno(&error);
    // Asked first, because merely opening some devices does something.
    let before = std::fs::metadata(&file.path).map_err(told)?;
    if !before.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = rustix::fs::open(&*file.path, flags, Mode::empty());
    let opened = File::from(opened.map_err(|error| told(error.into()))?);
    if !opened.metadata().map_err(told)?.is_file() {
        return Err("it is no regular file".to_owned());
    }
    if let Some(folder) = &file.within {
        stays_below(&opened, &file.path, folder)?;
    }
    let mut bytes = Vec::new();
    let mut limited = opened.take(LARGEST + 1);
    limited.read_to_end(&mut bytes).map_err(told)?;
    if bytes.len() as u64 > LARGEST {
        return Err("it is larger than 1MiB".to_owned());
    }
    Ok(bytes)
}

/// Whether the file that was opened really lies below `folder`.
fn stays_below(opened: &File, path: &Path, folder: &Path) -> Result<(), String> {
    let link = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd()));
    let real = std::fs::read_link(link).or_else(|_| std::fs::canonicalize(path));
    let folder = std::fs::canonicalize(folder);
    let (Ok(real), Ok(folder)) = (real, folder) else {
        return Err("where it leads cannot be told".to_owned());
    };
    if real.starts_with(&folder) {
        return Ok(());
    }
    Err(format!(
        "it leads out of {} to {}: write an absolute path if that is meant",
        folder.display(),
        real.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn tree_path(path: &Path, within: Option<&Path>) -> TreePath {
        TreePath {
            path: Arc::from(path),
            within: within.map(Arc::from),
        }
    }

    #[test]
    fn one_trailing_line_break_is_cut() {
        for (text, want) in [
            ("abc\n", "abc"),
            ("abc\r\n", "abc"),
            ("abc\n\n", "abc\n"),
            ("abc", "abc"),
            (" abc ", " abc "),
            ("", ""),
        ] {
            assert_eq!(without_line_end(text), want, "{text:?}");
        }
    }

    #[test]
    fn a_file_below_the_folder_is_read_also_through_links_that_stay_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "hunter2").unwrap();
        symlink("secret", folder.path().join("link")).unwrap();
        for name in ["secret", "link", "../secret"] {
            let base = folder.path().join("sub");
            std::fs::create_dir_all(&base).unwrap();
            let path = if name.starts_with("..") {
                base.join(name)
            } else {
                folder.path().join(name)
            };
            let read = read_text(&tree_path(&path, Some(folder.path())));
            assert_eq!(read.as_deref(), Ok("hunter2"), "{name}");
        }
    }

    #[test]
    fn what_leads_out_of_the_folder_or_is_no_regular_file_is_refused() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("shadow"), "root").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let inside = |name: &str| folder.path().join(name);
        symlink(outside.path().join("shadow"), inside("link")).unwrap();
        symlink(outside.path(), inside("sub")).unwrap();
        symlink(inside("loop"), inside("loop")).unwrap();
        std::fs::write(inside("large"), vec![b'x'; LARGEST as usize + 1]).unwrap();
        std::fs::write(inside("binary"), [0xff, 0xfe]).unwrap();
        let fifo = std::process::Command::new("mkfifo")
            .arg(inside("fifo"))
            .status();
        assert!(fifo.unwrap().success());
        for (name, want) in [
            ("link", "leads out of"),
            ("sub/shadow", "leads out of"),
            ("../../../../../etc/passwd", "leads out of"),
            ("loop", "ELOOP"),
            ("fifo", "no regular file"),
            (".", "no regular file"),
            ("large", "larger than 1MiB"),
            ("binary", "not UTF-8"),
            ("missing", "ENOENT"),
        ] {
            let error = read_text(&tree_path(&inside(name), Some(folder.path()))).unwrap_err();
            assert!(error.contains(want), "{name}: {error}");
        }
        let device = read_text(&tree_path(Path::new("/dev/zero"), None)).unwrap_err();
        assert!(device.contains("no regular file"), "{device}");
        // The same file, named as absolute, is what somebody meant.
        let absolute = tree_path(&outside.path().join("shadow"), None);
        assert_eq!(read_text(&absolute).as_deref(), Ok("root"));
    }

    #[test]
    fn a_missing_secret_is_named_with_its_mend() {
        let env = HashMap::from([("THERE".to_owned(), "value".to_owned())]);
        let context = |variable: &str| Context {
            secrets: vec![("TOKEN".into(), SecretSource::Env(variable.into()))],
            ..Context::default()
        };
        let read = Secrets::read(&context("THERE"), &env).unwrap();
        assert_eq!(read.get("TOKEN").unwrap().expose(), "value");
        let failure = Secrets::read(&context("MISSING"), &env).err().unwrap();
        assert_eq!(failure.reason, crate::model::Reason::Setup);
        assert!(
            failure
                .message
                .starts_with("secret TOKEN: MISSING is not set")
        );
    }
}
