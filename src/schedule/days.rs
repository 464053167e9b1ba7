//! Days of the week as a set, and the words for them.

use std::fmt;

/// A set of days of the week; bit 0 is Sunday.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Days(u8);

/// Their names in the order of the bits.
const SHORT: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const LONG: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// Why a text names no days.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no day: {help}")]
pub struct BadDay {
    /// What was written.
    pub text: String,
    /// The mend.
    pub help: String,
}

impl Days {
    /// No day.
    pub const NONE: Self = Self(0);
    /// Every day.
    pub const ALL: Self = Self(0b111_1111);
    /// The names of single days, from `sun` on.
    pub const NAMES: [&'static str; 7] = SHORT;
    /// Monday to Friday.
    pub const WEEKDAYS: Self = Self(0b011_1110);
    /// Saturday and Sunday.
    pub const WEEKENDS: Self = Self(0b100_0001);

    /// Reads `mon` … `sun`, `weekdays`, `weekends`: one word of a list.
    ///
    /// # Errors
    /// With the mend.
    pub fn parse(text: &str) -> Result<Self, BadDay> {
        match text {
            "weekdays" => return Ok(Self::WEEKDAYS),
            "weekends" => return Ok(Self::WEEKENDS),
            _ => {}
        }
        if let Some(day) = SHORT.iter().position(|name| *name == text) {
            return Ok(Self(1 << day));
        }
        let lower = text.to_ascii_lowercase();
        let help = if lower.contains('-') {
            "ranges are for cron lines: write a list, such as [mon, tue, wed]".to_owned()
        } else if let Some(name) = SHORT.iter().find(|name| lower.starts_with(*name)) {
            format!("write {name}")
        } else if lower.starts_with("weekday") {
            "write weekdays".to_owned()
        } else if lower.starts_with("weekend") {
            "write weekends".to_owned()
        } else {
            "write mon, tue, wed, thu, fri, sat, sun, weekdays or weekends".to_owned()
        };
        Err(BadDay {
            text: text.to_owned(),
            help,
        })
    }

    /// The days of both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The days of these bits.
    pub(super) fn of_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The set whose bit 0 is Sunday and bit 6 Saturday.
    pub(super) fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// Bit 0 is Sunday.
    pub(super) fn bits(self) -> u8 {
        self.0
    }

    /// The long names, Monday first and Sunday last as people list them.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        (1..=7)
            .map(|day| day % 7)
            .filter(move |day| self.0 & (1 << day) != 0)
            .map(|day| LONG[day])
    }
}

/// Reads a three-letter name, in any case, as cron does; Sunday is 0.
pub(super) fn short_name(text: &str) -> Option<u8> {
    let at = SHORT
        .iter()
        .position(|name| name.eq_ignore_ascii_case(text))?;
    u8::try_from(at).ok()
}

/// The three-letter name of a day; Sunday is 0 and 7.
pub(super) fn short(day: u8) -> &'static str {
    SHORT[usize::from(day) % 7]
}

/// The long name of a day; Sunday is 0 and 7.
pub(super) fn long(day: u8) -> &'static str {
    LONG[usize::from(day) % 7]
}

/// The short names with commas: `mon, fri`.
impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for day in (1..=7).map(|day| day % 7) {
            if self.0 & (1 << day) != 0 {
                write!(f, "{separator}{}", SHORT[day])?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_job_file_are_days() {
        for (text, shown) in [
            ("mon", "mon"),
            ("sun", "sun"),
            ("weekdays", "mon, tue, wed, thu, fri"),
            ("weekends", "sat, sun"),
        ] {
            assert_eq!(Days::parse(text).unwrap().to_string(), shown);
        }
        let both = Days::parse("weekdays")
            .unwrap()
            .union(Days::parse("weekends").unwrap());
        assert_eq!(both, Days::ALL);
    }

    #[test]
    fn other_words_are_refused_with_the_word_to_write() {
        for (text, help) in [
            ("friday", "write fri"),
            ("Mon", "write mon"),
            ("weekday", "write weekdays"),
            (
                "mon-fri",
                "ranges are for cron lines: write a list, such as [mon, tue, wed]",
            ),
            (
                "1",
                "write mon, tue, wed, thu, fri, sat, sun, weekdays or weekends",
            ),
            (
                "",
                "write mon, tue, wed, thu, fri, sat, sun, weekdays or weekends",
            ),
        ] {
            assert_eq!(Days::parse(text).unwrap_err().help, help, "{text:?}");
        }
    }
}
