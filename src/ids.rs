//! Checked names and identities.
//!
//! A value of these types is always well formed: text from files, flags, the
//! store or the network goes through `new`/`parse` and never around it.

use std::borrow::Borrow;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// The longest job name, in bytes.
pub const MAX_NAME: usize = 128;

/// A job's name, its identity: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobName(Arc<str>);

/// A calendar's name, of the same pattern. Jobs and calendars have their names apart from each other.
pub type CalendarName = JobName;

/// A sage's name, of the same pattern.
pub type SageName = JobName;

/// A pool's name, of the same pattern.
pub type PoolName = JobName;

/// Why a text is no job name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// No character at all.
    #[error("a name needs at least one character")]
    Empty,
    /// More than [`MAX_NAME`] bytes.
    #[error("a name has at most {MAX_NAME} characters")]
    TooLong,
    /// The first character is not a letter or a digit.
    #[error("a name begins with a letter or a digit (A-Z, a-z, 0-9)")]
    Start,
    /// A character outside letters, digits, `.`, `_`, `-`.
    #[error("a name holds letters, digits, '.', '_' and '-' only, not {0:?}")]
    Character(char),
}

impl JobName {
    /// Checks `text` and keeps it.
    ///
    /// # Errors
    /// When the text breaks the pattern; the error says where.
    pub fn new(text: &str) -> Result<Self, BadName> {
        check_name(text)?;
        Ok(Self(Arc::from(text)))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Checks the pattern that job, sage, pool and calendar names share.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_name(text: &str) -> Result<(), BadName> {
    let Some(first) = text.chars().next() else {
        return Err(BadName::Empty);
    };
    if !first.is_ascii_alphanumeric() {
        return Err(BadName::Start);
    }
    if let Some(bad) = text
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')))
    {
        return Err(BadName::Character(bad));
    }
    if text.len() > MAX_NAME {
        return Err(BadName::TooLong);
    }
    Ok(())
}

impl fmt::Debug for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for JobName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A job's dense number within one process: an index into slabs, reused after
/// the job is gone. Never stored, never shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey(pub u32);

impl JobKey {
    /// The key as an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A run's identity: 26 characters of Crockford's base 32.
///
/// The first ten are the scheduled instant in milliseconds, so that identities
/// sort by time; the other sixteen are the SHA-256 of job and instant (or job
/// and request), so that a restart or a second replica names a fire alike.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId([u8; 26]);

const BASE32: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl RunId {
    /// The identity of a scheduled fire.
    #[must_use]
    pub fn of_fire(job: &JobName, scheduled: Timestamp) -> Self {
        let nanos = scheduled.as_nanosecond().to_string();
        Self::build(scheduled, &["fire", job.as_str(), &nanos])
    }

    /// The identity of a scheduled fire whose own is another row's: the name had another job before.
    #[must_use]
    pub fn of_fire_beside(job: &JobName, scheduled: Timestamp) -> Self {
        Self::of_request(job, scheduled, "renamed")
    }

    /// The W3C trace that all attempts of the run share, 32 hexadecimal digits: a log line of elder,
    /// an exemplar of its metrics and a span of the target meet without a registry.
    #[must_use]
    pub fn trace_id(self) -> String {
        let digest = Sha256::new()
            .chain_update(self.as_str())
            .chain_update("trace");
        let digest = digest.finalize();
        digest[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The identity of a run that somebody asked for.
    #[must_use]
    pub fn of_request(job: &JobName, at: Timestamp, request: &str) -> Self {
        Self::build(at, &["request", job.as_str(), request])
    }

    fn build(at: Timestamp, parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let mut text = [0u8; 26];
        let mut millis = u64::try_from(at.as_millisecond()).unwrap_or(0) & ((1 << 48) - 1);
        for slot in text[..10].iter_mut().rev() {
            *slot = BASE32[(millis & 31) as usize];
            millis >>= 5;
        }
        for (slot, byte) in text[10..].iter_mut().zip(digest.iter()) {
            *slot = BASE32[usize::from(byte & 31)];
        }
        Self(text)
    }

    /// Reads what [`RunId::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 26] = text.as_bytes().try_into().ok()?;
        bytes
            .iter()
            .all(|b| BASE32.contains(b))
            .then_some(Self(bytes))
    }

    /// The identity as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII of BASE32 ever gets in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// What a job's definition is known by: the first 48 bits of the SHA-256 of its canonical text.
///
/// It is the same wherever in a file the definition stands and whatever stands beside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DefinitionId(NonZeroU64);

impl DefinitionId {
    /// Of a definition's canonical text.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        let digest = Sha256::digest(text);
        let number = digest
            .iter()
            .take(6)
            .fold(0, |number, byte| number << 8 | u64::from(*byte));
        Self::from_number(number).unwrap_or(Self(NonZeroU64::MIN))
    }

    /// As a number below 2^48, and never 0.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0.get()
    }

    /// Of what [`DefinitionId::number`] gave.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        let number = NonZeroU64::new(number)?;
        (number.get() < 1 << 48).then_some(Self(number))
    }
}

impl fmt::Debug for DefinitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for DefinitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_pattern() {
        let long = "a".repeat(129);
        for (text, want) in [
            ("billing", Ok(())),
            ("0-a.b_c", Ok(())),
            ("", Err(BadName::Empty)),
            (".hidden", Err(BadName::Start)),
            ("../x", Err(BadName::Start)),
            ("a b", Err(BadName::Character(' '))),
            ("süß", Err(BadName::Character('ü'))),
            (long.as_str(), Err(BadName::TooLong)),
        ] {
            assert_eq!(check_name(text), want, "{text:?}");
        }
    }

    #[test]
    fn a_run_id_is_the_same_each_time_sorts_by_instant_and_reads_back() {
        let job = JobName::new("billing").unwrap();
        let early: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
        let late: Timestamp = "2027-01-01T00:00:01Z".parse().unwrap();
        let a = RunId::of_fire(&job, early);
        assert_eq!(a, RunId::of_fire(&job, early));
        assert!(a < RunId::of_fire(&job, late));
        assert_ne!(a, RunId::of_request(&job, early, "r"));
        assert_eq!(RunId::parse(a.as_str()), Some(a));
        assert_eq!(RunId::parse("../../etc/passwd"), None);
    }

    #[test]
    fn a_definition_is_known_by_twelve_digits_of_its_text() {
        let id = DefinitionId::of(b"abc");
        // SHA-256 of "abc" begins like this, in every description of SHA-256.
        assert_eq!(id.to_string(), "ba7816bf8f01");
        assert_eq!(DefinitionId::from_number(id.number()), Some(id));
        assert_eq!(DefinitionId::from_number(0), None);
        assert_eq!(DefinitionId::from_number(1 << 48), None);
    }

    #[test]
    fn instants_within_one_millisecond_have_their_own_ids() {
        let job = JobName::new("a").unwrap();
        let one = Timestamp::from_nanosecond(1_800_000_000_000_000_001).unwrap();
        let two = Timestamp::from_nanosecond(1_800_000_000_000_000_002).unwrap();
        assert_ne!(RunId::of_fire(&job, one), RunId::of_fire(&job, two));
    }
}
