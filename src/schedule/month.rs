//! Days of a month and of a year, and the words for them.

use std::fmt;

use super::dates::length;
use super::days;

/// A day of each month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MonthDay {
    /// 1–31; a month without it has none.
    Day(u8),
    /// The last day.
    Last,
    /// The k-th (1–5) such day of the week; Sunday is 0.
    Nth(u8, u8),
    /// The last such day of the week; Sunday is 0.
    LastOf(u8),
    /// The k-th (1–5) of the days Monday to Friday.
    NthWeekday(u8),
    /// The last of the days Monday to Friday.
    LastWeekday,
}

/// A date of each year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct YearDay {
    month: u8,
    day: u8,
}

/// Why a text names no day of a month or year.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadDate {
    /// What is wrong: a fragment in lower case.
    pub message: String,
    /// The mend.
    pub help: String,
    /// Whether it is well written and no calendar has it.
    pub never: bool,
}

impl BadDate {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: help.into(),
            never: false,
        }
    }
}

const ORDINALS: [[&str; 2]; 5] = [
    ["1st", "first"],
    ["2nd", "second"],
    ["3rd", "third"],
    ["4th", "fourth"],
    ["5th", "fifth"],
];

const FORM: &str = "write 1 to 31, last, 2nd tue, last fri, first weekday or last weekday";

impl MonthDay {
    /// Reads `15`, `last`, `2nd tue`, `last fri`, `first weekday`, `last weekday`.
    ///
    /// # Errors
    /// With the mend.
    pub fn parse(text: &str) -> Result<Self, BadDate> {
        let bad = |help: &str| BadDate::new(format!("`{}` is no day of a month", cut(text)), help);
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return match text.parse::<u8>() {
                Ok(day @ 1..=31) => Ok(Self::Day(day)),
                _ => Err(bad("days go from 1 to 31")),
            };
        }
        let mut words = text.split_ascii_whitespace();
        let day = match (words.next(), words.next(), words.next()) {
            (Some("last"), None, _) => Some(Self::Last),
            (Some("last"), Some("weekday"), None) => Some(Self::LastWeekday),
            (Some("last"), Some(day), None) => weekday(day).map(Self::LastOf),
            (Some(which), Some("weekday"), None) => ordinal(which).map(Self::NthWeekday),
            (Some(which), Some(day), None) => ordinal(which)
                .zip(weekday(day))
                .map(|(k, day)| Self::Nth(k, day)),
            _ => None,
        };
        day.ok_or_else(|| bad(&meant(text)))
    }

    /// What it means that some months lack the day, for a note; `None` when none does.
    #[must_use]
    pub fn lacking(self) -> Option<String> {
        Some(match self {
            Self::Day(29) => "February has no day 29 except in leap years".to_owned(),
            Self::Day(30) => "February has no day 30".to_owned(),
            Self::Day(day @ 31..) => {
                format!("February, April, June, September and November have no day {day}")
            }
            Self::Nth(5, day) => format!("most months have no fifth {}", days::long(day)),
            _ => return None,
        })
    }

    /// The word that names the last such day, which each month has.
    #[must_use]
    pub fn as_last(self) -> Self {
        match self {
            Self::Nth(_, day) | Self::LastOf(day) => Self::LastOf(day),
            Self::NthWeekday(_) | Self::LastWeekday => Self::LastWeekday,
            Self::Day(_) | Self::Last => Self::Last,
        }
    }
}

/// Written in one way, whatever was read.
impl fmt::Display for MonthDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = |k: u8| {
            let words = ORDINALS.get(usize::from(k).saturating_sub(1));
            words.map_or("last", |words| words[0])
        };
        match *self {
            Self::Day(day) => write!(f, "{day}"),
            Self::Last => f.write_str("last"),
            Self::Nth(k, day) => write!(f, "{} {}", which(k), days::short(day)),
            Self::LastOf(day) => write!(f, "last {}", days::short(day)),
            Self::NthWeekday(1) => f.write_str("first weekday"),
            Self::NthWeekday(k) => write!(f, "{} weekday", which(k)),
            Self::LastWeekday => f.write_str("last weekday"),
        }
    }
}

fn ordinal(word: &str) -> Option<u8> {
    let at = ORDINALS.iter().position(|words| words.contains(&word))?;
    u8::try_from(at + 1).ok()
}

fn weekday(word: &str) -> Option<u8> {
    (0..7).find(|day| days::short(*day) == word)
}

/// The day of the week that a longer word begins with, as in `friday`.
fn begins(word: &str) -> Option<&'static str> {
    (0..7).map(days::short).find(|day| word.starts_with(day))
}

/// What to write instead, for what other schedulers and tired people write.
fn meant(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> = lower.split_ascii_whitespace().collect();
    match words.as_slice() {
        ["l" | "-1" | "end" | "ultimo"] | ["last", "day", ..] => "write last".to_owned(),
        ["lw"] => "write last weekday".to_owned(),
        ["weekday" | "weekdays"] => "write first weekday or last weekday".to_owned(),
        [.., "weekend" | "weekends"] | [.., "weekend", _] => {
            "there is no word for it: name the days, such as [first sat, first sun]".to_owned()
        }
        [one] => alone(one),
        [which, "weekdays" | "workday" | "workdays"] if *which == "last" => {
            "write last weekday".to_owned()
        }
        [which, "weekdays" | "workday" | "workdays"] if ordinal(which).is_some() => {
            format!("write {which} weekday")
        }
        ["last", day] if begins(day).is_some() => {
            format!("write last {}", begins(day).unwrap_or_default())
        }
        [which, day] if ordinal(which).is_some() && begins(day).is_some() => {
            format!("write {which} {}", begins(day).unwrap_or_default())
        }
        [which, day] if is_number(which) && begins(day).is_some() => format!(
            "write {} {}",
            with_ending(which),
            begins(day).unwrap_or_default()
        ),
        _ => FORM.to_owned(),
    }
}

fn alone(word: &str) -> String {
    if let Some((day, k)) = word.split_once('#')
        && let (Some(day), true) = (begins(day), is_number(k))
    {
        return format!("write {} {day}", with_ending(k));
    }
    if let Some(day) = word.strip_suffix('l').and_then(begins)
        && word.len() == 4
    {
        return format!("write last {day}");
    }
    if let Some(day) = begins(word) {
        return format!("say which: 1st {day}, last {day}; for each, write weekly");
    }
    if let Some(k) = ordinal(word) {
        return format!("write {k}, or {word} mon for the {word} Monday");
    }
    let is_range = |(first, last): (&str, &str)| is_number(first) && is_number(last);
    if word.split_once('-').is_some_and(is_range) {
        return "ranges are for cron lines: write a list, such as [1, 2, 3]".to_owned();
    }
    FORM.to_owned()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `2` as `2nd`; what is no such word is left to the reader.
fn with_ending(number: &str) -> &'static str {
    let at = number.parse::<usize>().unwrap_or(0);
    ORDINALS
        .get(at.saturating_sub(1))
        .map_or("last", |words| words[0])
}

fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

impl YearDay {
    /// Reads `MM-DD`.
    ///
    /// # Errors
    /// With the mend.
    pub fn parse(text: &str) -> Result<Self, BadDate> {
        let bad =
            |help: String| BadDate::new(format!("`{}` is no date of a year", cut(text)), help);
        let form = || bad("write month and day, such as 03-31".to_owned());
        let parts: Vec<&str> = text.split('-').collect();
        if !parts.iter().all(|part| is_number(part)) {
            return Err(form());
        }
        let (month, day) = match parts.as_slice() {
            [month, day] => (*month, *day),
            [year, month, day] if year.len() == 4 => {
                let help = format!(
                    "write {month}-{day} for every year, or `at: {year}-{month}-{day}T09:00:00` for once"
                );
                return Err(bad(help));
            }
            _ => return Err(form()),
        };
        let (Ok(month_number), Ok(day_number)) = (month.parse::<u8>(), day.parse::<u8>()) else {
            return Err(form());
        };
        if !(1..=12).contains(&month_number) {
            let help = match (day_number, month_number) {
                (1..=12, 1..=31) => {
                    format!("the month comes first: write {day_number:02}-{month_number:02}")
                }
                _ => "months go from 01 to 12, and the month comes first".to_owned(),
            };
            return Err(bad(help));
        }
        // A leap year has the most.
        let longest = length(2000, month_number.into());
        if !(1..=longest).contains(&u32::from(day_number)) {
            let name = super::describe::month(month_number);
            return Err(BadDate {
                message: format!("no date is ever meant: {name} has no day {day_number}"),
                help: format!("{name} has the days 1 to {longest}"),
                never: true,
            });
        }
        if month.len() != 2 || day.len() != 2 {
            return Err(bad(format!("write {month_number:02}-{day_number:02}")));
        }
        Ok(Self {
            month: month_number,
            day: day_number,
        })
    }

    /// 1–12
    pub(super) fn month(self) -> u8 {
        self.month
    }

    /// 1–31
    pub(super) fn day(self) -> u8 {
        self.day
    }

    /// Whether it is 29 February.
    #[must_use]
    pub fn is_leap_day(self) -> bool {
        (self.month, self.day) == (2, 29)
    }
}

/// As `MM-DD`.
impl fmt::Display for YearDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{:02}", self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_job_file_are_days_of_a_month() {
        for (text, day, shown) in [
            ("1", MonthDay::Day(1), "1"),
            ("09", MonthDay::Day(9), "9"),
            ("31", MonthDay::Day(31), "31"),
            ("last", MonthDay::Last, "last"),
            ("2nd tue", MonthDay::Nth(2, 2), "2nd tue"),
            ("second tue", MonthDay::Nth(2, 2), "2nd tue"),
            ("fifth  sun", MonthDay::Nth(5, 0), "5th sun"),
            ("last fri", MonthDay::LastOf(5), "last fri"),
            ("first weekday", MonthDay::NthWeekday(1), "first weekday"),
            ("1st weekday", MonthDay::NthWeekday(1), "first weekday"),
            ("3rd weekday", MonthDay::NthWeekday(3), "3rd weekday"),
            ("last weekday", MonthDay::LastWeekday, "last weekday"),
        ] {
            assert_eq!(MonthDay::parse(text), Ok(day), "{text}");
            assert_eq!(day.to_string(), shown);
            assert_eq!(MonthDay::parse(shown), Ok(day), "{text}");
        }
    }

    #[test]
    fn other_words_are_refused_with_what_to_write() {
        for (text, help) in [
            ("0", "days go from 1 to 31"),
            ("32", "days go from 1 to 31"),
            ("300", "days go from 1 to 31"),
            ("L", "write last"),
            ("-1", "write last"),
            ("last day", "write last"),
            ("last day of month", "write last"),
            ("LW", "write last weekday"),
            ("weekday", "write first weekday or last weekday"),
            ("last friday", "write last fri"),
            ("Last Fri", "write last fri"),
            ("2nd tuesday", "write 2nd tue"),
            ("2 tue", "write 2nd tue"),
            ("first workday", "write first weekday"),
            ("last workday", "write last weekday"),
            (
                "fri",
                "say which: 1st fri, last fri; for each, write weekly",
            ),
            ("2nd", "write 2, or 2nd mon for the 2nd Monday"),
            ("fri#2", "write 2nd fri"),
            ("friL", "write last fri"),
            (
                "1-5",
                "ranges are for cron lines: write a list, such as [1, 2, 3]",
            ),
            (
                "first weekend day",
                "there is no word for it: name the days, such as [first sat, first sun]",
            ),
            ("6th fri", FORM),
            ("15W", FORM),
            ("", FORM),
            ("last fri of", FORM),
            ("first last fri", FORM),
        ] {
            assert_eq!(MonthDay::parse(text).unwrap_err().help, help, "{text:?}");
        }
    }

    #[test]
    fn dates_of_a_year_are_month_and_day() {
        for text in ["01-01", "02-29", "03-31", "12-31"] {
            assert_eq!(YearDay::parse(text).unwrap().to_string(), text);
        }
        for (text, help, never) in [
            ("02-30", "February has the days 1 to 29", true),
            ("04-31", "April has the days 1 to 30", true),
            ("12-00", "December has the days 1 to 31", true),
            ("3-31", "write 03-31", false),
            ("03-1", "write 03-01", false),
            ("31-03", "the month comes first: write 03-31", false),
            (
                "13-32",
                "months go from 01 to 12, and the month comes first",
                false,
            ),
            (
                "2027-03-31",
                "write 03-31 for every year, or `at: 2027-03-31T09:00:00` for once",
                false,
            ),
            ("mar 31", "write month and day, such as 03-31", false),
            ("0331", "write month and day, such as 03-31", false),
            ("03-", "write month and day, such as 03-31", false),
            ("", "write month and day, such as 03-31", false),
            ("1-2-3", "write month and day, such as 03-31", false),
        ] {
            let error = YearDay::parse(text).unwrap_err();
            assert_eq!((&*error.help, error.never), (help, never), "{text:?}");
        }
    }

    #[test]
    fn what_some_months_lack_is_said_with_the_word_that_each_has() {
        for (text, lacks, last) in [
            ("28", false, "last"),
            ("29", true, "last"),
            ("31", true, "last"),
            ("4th fri", false, "last fri"),
            ("5th fri", true, "last fri"),
            ("5th weekday", false, "last weekday"),
            ("last", false, "last"),
        ] {
            let day = MonthDay::parse(text).unwrap();
            assert_eq!(day.lacking().is_some(), lacks, "{text}");
            assert_eq!(day.as_last().to_string(), last);
        }
    }
}
