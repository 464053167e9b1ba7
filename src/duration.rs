//! Lengths of time and sizes as people write them: `90s`, `1h30m`, `64KiB`.
//!
//! Parsing and printing are inverse to each other. A bare number is refused,
//! because nobody at 3 a.m. knows whether `timeout: 10` meant seconds.

use std::fmt;
use std::time::Duration;

/// The longest length that is taken: a hundred years.
pub const MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

const UNITS: [(&str, u64); 6] = [
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Why a text is no length of time or no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQuantity {
    /// A number without a unit; the text is a suggestion.
    #[error("a number needs a unit: write {0}")]
    NoUnit(String),
    /// Not of the form `1h30m`.
    #[error("{0:?} is no length of time: write 500ms, 90s, 1h30m, 6h, 2d or 1w")]
    NotADuration(String),
    /// Not of the form `64KiB`.
    #[error("{0:?} is no size: write 512B, 64KiB, 1MB or 2GiB")]
    NotASize(String),
    /// Over what is sensible.
    #[error("{0:?} is too large")]
    TooLarge(String),
}

/// Reads `500ms`, `90s`, `1h30m`, `2d`, `1w`.
///
/// # Errors
/// With the mend in its message.
pub fn parse(text: &str) -> Result<Duration, BadQuantity> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(BadQuantity::NoUnit(format!("{text}s or {text}m")));
    }
    let bad = || BadQuantity::NotADuration(text.to_owned());
    let mut rest = text;
    let mut millis: u64 = 0;
    let mut last = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..]
            .bytes()
            .take_while(u8::is_ascii_lowercase)
            .count();
        if digits == 0 {
            return Err(bad());
        }
        let unit = &rest[digits..digits + letters];
        let (_, scale) = UNITS.iter().find(|(u, _)| *u == unit).ok_or_else(bad)?;
        // Units go from large to small, each once: `30m1h` is a slip of the pen.
        if *scale >= last {
            return Err(bad());
        }
        last = *scale;
        let large = || BadQuantity::TooLarge(text.to_owned());
        let number: u64 = rest[..digits].parse().map_err(|_| large())?;
        millis = number
            .checked_mul(*scale)
            .and_then(|part| millis.checked_add(part))
            .ok_or_else(large)?;
        rest = &rest[digits + letters..];
    }
    if text.is_empty() {
        return Err(bad());
    }
    let length = Duration::from_millis(millis);
    if length > MAX {
        return Err(BadQuantity::TooLarge(text.to_owned()));
    }
    Ok(length)
}

/// Prints what [`parse`] reads, in the largest units that fit; parts under a
/// millisecond are dropped. Weeks only when they are whole: nobody thinks of 90 days as 12 weeks and 6 days.
#[must_use]
pub fn print(length: Duration) -> String {
    let mut millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, scale) in UNITS {
        if unit == "w" && !millis.is_multiple_of(scale) {
            continue;
        }
        if millis >= scale {
            text.push_str(&format!("{}{unit}", millis / scale));
            millis %= scale;
        }
    }
    text
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

const SIZES: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl Size {
    /// Reads `512B`, `64KiB`, `1MB`.
    ///
    /// # Errors
    /// With the mend in its message.
    pub fn parse(text: &str) -> Result<Self, BadQuantity> {
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        if digits > 0 && unit.is_empty() {
            return Err(BadQuantity::NoUnit(format!("{number}KiB or {number}B")));
        }
        let bad = || BadQuantity::NotASize(text.to_owned());
        let (_, scale) = SIZES.iter().find(|(u, _)| *u == unit).ok_or_else(bad)?;
        let number: u64 = number.parse().map_err(|_| bad())?;
        number
            .checked_mul(*scale)
            .map(Size)
            .ok_or_else(|| BadQuantity::TooLarge(text.to_owned()))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, scale) in SIZES {
            if self.0 >= scale && self.0.is_multiple_of(scale) {
                return write!(f, "{}{unit}", self.0 / scale);
            }
        }
        write!(f, "{}B", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_as_people_write_them() {
        for (text, millis) in [
            ("500ms", 500),
            ("90s", 90_000),
            ("1h30m", 5_400_000),
            ("2d", 172_800_000),
            ("1w", 604_800_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn weeks_are_printed_when_they_are_whole() {
        for text in ["90d", "2w", "8d12h", "1h30m", "0s", "1ms"] {
            assert_eq!(print(parse(text).unwrap()), text);
        }
    }

    #[test]
    fn what_is_no_length_is_refused() {
        for text in [
            "", "-1s", "1.5h", "10 m", "m", "1x", "1m1h", "5m5m", "1S", "９s",
        ] {
            assert!(parse(text).is_err(), "{text:?} was taken");
        }
        assert!(matches!(parse("10"), Err(BadQuantity::NoUnit(_))));
        assert!(matches!(parse("999999999d"), Err(BadQuantity::TooLarge(_))));
        assert!(matches!(
            parse("99999999999999999999s"),
            Err(BadQuantity::TooLarge(_))
        ));
    }

    #[test]
    fn sizes_read_and_print() {
        for text in ["512B", "64KiB", "1MB", "2GiB", "0B"] {
            assert_eq!(Size::parse(text).unwrap().to_string(), text);
        }
        for text in ["64", "64kb", "KiB", "-1B", "99999999999GiB"] {
            assert!(Size::parse(text).is_err(), "{text:?} was taken");
        }
    }

    proptest::proptest! {
        #[test]
        fn print_and_parse_are_inverse(millis in 0u64..3_000_000_000_000) {
            let length = Duration::from_millis(millis);
            proptest::prop_assert_eq!(parse(&print(length)), Ok(length));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = parse(&text);
            let _ = Size::parse(&text);
        }
    }
}
