//! Where the next page begins, as text that means something to elder alone.
//!
//! It carries a check, so that one that was cut, changed or made up is refused
//! instead of leading somewhere.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::ids::{JobName, RunId};
use crate::store::Cursor;

use super::super::hex;
use super::super::problem::Problem;

/// The longest cursor that is looked at.
const MAX: usize = 512;

/// A place among runs.
pub(in super::super) fn write_run(cursor: Cursor) -> String {
    let nanos = cursor.scheduled_at.as_nanosecond();
    seal(&format!("run {nanos} {}", cursor.id))
}

/// Reads what [`write_run`] wrote.
pub(in super::super) fn read_run(text: &str) -> Result<Cursor, Problem> {
    let read = || {
        let plain = open(text)?;
        let (nanos, id) = plain.strip_prefix("run ")?.split_once(' ')?;
        Some(Cursor {
            scheduled_at: Timestamp::from_nanosecond(nanos.parse().ok()?).ok()?,
            id: RunId::parse(id)?,
        })
    };
    read().ok_or_else(bad)
}

/// A place among jobs.
pub(in super::super) fn write_job(last: &JobName) -> String {
    seal(&format!("job {last}"))
}

/// Reads what [`write_job`] wrote.
pub(in super::super) fn read_job(text: &str) -> Result<String, Problem> {
    let read = || {
        let plain = open(text)?;
        let name = plain.strip_prefix("job ")?;
        JobName::new(name).ok().map(|name| name.to_string())
    };
    read().ok_or_else(bad)
}

fn bad() -> Problem {
    Problem::bad_request("cursor is what a page before gave as next, unchanged")
}

fn seal(plain: &str) -> String {
    let mut bytes = plain.as_bytes().to_vec();
    bytes.extend(check(plain.as_bytes()));
    hex(&bytes)
}

fn open(text: &str) -> Option<String> {
    if text.len() > MAX || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let digit = |digit: &u8| (*digit as char).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
        _ => None,
    };
    let bytes: Vec<u8> = text.as_bytes().chunks(2).map(pair).collect::<Option<_>>()?;
    let (plain, sum) = bytes.split_at_checked(bytes.len().checked_sub(8)?)?;
    if sum != check(plain) {
        return None;
    }
    String::from_utf8(plain.to_vec()).ok()
}

fn check(plain: &[u8]) -> [u8; 8] {
    let mut hash = Sha256::new();
    hash.update(b"elder cursor ");
    hash.update(plain);
    let mut sum = [0; 8];
    sum.copy_from_slice(&hash.finalize()[..8]);
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cursor_reads_back_and_one_of_the_other_kind_does_not() {
        let job = JobName::new("billing").unwrap();
        let at = Timestamp::from_nanosecond(1_800_000_000_123_456_789).unwrap();
        let place = Cursor {
            scheduled_at: at,
            id: RunId::of_fire(&job, at),
        };
        let run = write_run(place);
        assert_eq!(read_run(&run).unwrap(), place);
        assert!(read_job(&run).is_err());
        let job = write_job(&job);
        assert_eq!(read_job(&job).unwrap(), "billing");
        assert!(read_run(&job).is_err());
    }

    proptest! {
        #[test]
        fn a_cursor_that_was_made_up_or_changed_is_refused(text in ".{0,80}", at in 0usize..60) {
            prop_assert!(read_run(&text).is_err());
            prop_assert!(read_job(&text).is_err());
            let good = write_job(&JobName::new("a-job-with-a-name").unwrap());
            let mut changed = good.clone().into_bytes();
            let at = at % changed.len();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            prop_assert!(read_job(std::str::from_utf8(&changed).unwrap()).is_err());
            prop_assert!(read_job(&good[..at]).is_err());
        }
    }
}
