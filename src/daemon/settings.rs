//! The `--config` file as a running elder follows it: read again at each look at the job files. While
//! it is bad, what it last said rightly counts.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::finding::Finding;
use crate::model::SyncWindow;
use crate::schedule::Zones;
use crate::spec::{self, InputFile, SettingsFile};

/// More than anybody writes.
const MOST: u64 = 1 << 20;

/// The file, and what it last said.
pub(super) struct Settings {
    path: PathBuf,
    last: Mutex<Last>,
}

/// The bytes of the file, or why there are none.
type Content = Result<Arc<[u8]>, String>;

/// What was last read, and with which rules of time zones.
struct Last {
    content: Content,
    zones: Zones,
    windows: Arc<[SyncWindow]>,
}

impl Settings {
    /// Reads the file for the first time.
    ///
    /// # Errors
    /// Everything that is wrong with it, a line each.
    pub(super) fn open(
        path: &Path,
        options: &spec::Options,
        zones: &Zones,
    ) -> Result<Self, String> {
        let content = read(path);
        let file = check(path, content.clone(), options, zones);
        let errors = lines(&file);
        if !errors.is_empty() {
            return Err(errors.join("\n"));
        }
        Ok(Self {
            path: path.to_owned(),
            last: Mutex::new(Last {
                content,
                zones: zones.clone(),
                windows: file.windows.into(),
            }),
        })
    }

    /// The windows as they are now.
    pub(super) fn windows(&self, options: &spec::Options, zones: &Zones) -> Arc<[SyncWindow]> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let content = read(&self.path);
        if last.content == content && last.zones.is_as(zones) {
            return last.windows.clone();
        }
        let file = check(&self.path, content.clone(), options, zones);
        (last.content, last.zones) = (content, zones.clone());
        let wrong = file.errors().next().map(line);
        match wrong {
            None => {
                last.windows = file.windows.into();
                tracing::info!(
                    file = %self.path.display(),
                    windows = last.windows.len(),
                    "settings read anew"
                );
            }
            Some(wrong) => tracing::warn!(
                file = %self.path.display(),
                "the settings stay as they were: {wrong}"
            ),
        }
        last.windows.clone()
    }
}

/// What is wrong with a settings file, a line each.
#[must_use]
pub fn settings_errors(path: &Path, options: &spec::Options, zones: &Zones) -> Vec<String> {
    lines(&check(path, read(path), options, zones))
}

fn lines(file: &SettingsFile) -> Vec<String> {
    file.errors().map(line).collect()
}

fn line(finding: &Finding) -> String {
    let place = &finding.at.place;
    let at = match place.line {
        0 => place.file.to_string(),
        line => format!("{}:{line}:{}", place.file, place.column),
    };
    let code = finding.code;
    let help = match finding.help.as_str() {
        "" => String::new(),
        help => format!("; {help}"),
    };
    format!("{at}: {} {}{help}", code.as_str(), finding.message)
}

fn check(path: &Path, content: Content, options: &spec::Options, zones: &Zones) -> SettingsFile {
    let shown: Arc<str> = path.display().to_string().into();
    let input = InputFile {
        root: Arc::from(""),
        root_folder: Arc::from(Path::new("/")),
        path: shown.clone(),
        shown,
        content,
        hash: [0; 32],
        within: None,
    };
    spec::check_settings(&input, options, zones)
}

fn read(path: &Path) -> Content {
    let open = || {
        let file = File::open(path)?;
        let mut bytes = Vec::new();
        file.take(MOST + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = open().map_err(|error: std::io::Error| error.to_string())?;
    if bytes.len() as u64 > MOST {
        return Err("it is larger than 1 MiB".to_owned());
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_file_that_is_bad_counts_with_what_it_last_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("elder.yaml");
        let options = spec::Options {
            timezone: None,
            env: Arc::new(HashMap::new()),
            env_allow: None,
            allow_missing_env: false,
            lent: None,
        };
        let zones = Zones::bundled();
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        let missing = Settings::open(&path, &options, &zones).err().unwrap();
        assert!(missing.contains("elder.yaml"), "{missing}");
        write("sync_windows: [{ deny: '@daily' }]");
        let bad = Settings::open(&path, &options, &zones).err().unwrap();
        assert!(bad.contains("elder.yaml:1:16: E005"), "{bad}");
        write("sync_windows: [{ deny: '@daily', for: 1h }]");
        let settings = Settings::open(&path, &options, &zones).unwrap();
        let count = || settings.windows(&options, &zones).len();
        assert_eq!(count(), 1);
        write("sync_windows: [{ deny: '@daily' }]");
        assert_eq!(count(), 1);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(count(), 1, "a file that is gone lifts no freeze");
        write("sync_windows: []");
        assert_eq!(count(), 0);
    }
}
