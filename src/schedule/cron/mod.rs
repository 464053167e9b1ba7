//! Cron lines, read as Debian's cron reads them, with `L`, `W`, `#` beyond it.
//!
//! A field that begins with `*` counts as unrestricted: for the rule of the
//! two day fields, and (minute and hour) for what happens at a change of the
//! clock. With six fields the first is the second; it has no part in either
//! rule, so that `*/10 30 2 * * *` is six fixed times.

mod field;

use super::dates::{Combine, Dates};
use super::times::{Grid, Times};
use super::wall::Kind;
use field::{Field, Slot, Word};

/// A cron line that fires on some date.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cron {
    pub(super) dates: Dates,
    pub(super) times: Times,
    pub(super) kind: Kind,
}

/// What is wrong with a cron line, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CronError {
    /// The byte at which the trouble begins.
    pub offset: usize,
    /// How many bytes it is long; at least 1 unless the line is empty.
    pub length: usize,
    /// What is wrong: a fragment in lower case.
    pub message: String,
    /// The mend.
    pub help: String,
    /// Which rule.
    pub kind: CronErrorKind,
}

/// Which rule a cron line breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CronErrorKind {
    /// It cannot be read.
    Syntax,
    /// It can be read, and no date will ever make it fire.
    NeverFires,
}

/// The longest line that is looked at.
const LONGEST: usize = 1024;

const MACROS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

impl Cron {
    /// Reads five or six fields or a macro.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place and mend.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        if text.len() > LONGEST {
            let message = format!("a cron line has at most {LONGEST} characters");
            return Err(CronError::new(
                (LONGEST, 1),
                message,
                "write a list of shorter ones",
            ));
        }
        let words = words(text);
        let Some(first) = words.first() else {
            return Err(CronError::new(
                (0, text.len()),
                "an empty cron line",
                "write five fields, such as \"30 3 * * *\"",
            ));
        };
        if let Some(error) = refused_start(&words, first) {
            return Err(error);
        }
        if first.text.starts_with('@') {
            return Self::named(&words, first);
        }
        let (second, rest) = match words.as_slice() {
            [_, _, _, _, _] => (None, words.as_slice()),
            [second, rest @ ..] if rest.len() == 5 => (Some(second), rest),
            _ => return Err(wrong_count(&words)),
        };
        if let (Some(_), Some(last)) = (second, rest.last())
            && is_year(last.text)
        {
            return Err(CronError::new(
                last.span(),
                "a cron line has no year",
                "drop it: with six fields the first is the second",
            ));
        }
        let [minute, hour, day, month, weekday] = rest else {
            return Err(wrong_count(&words));
        };
        let second = second.map_or(Ok(Field::zero()), |word| Field::parse(word, Slot::Second))?;
        let minute = Field::parse(minute, Slot::Minute)?;
        let hour = Field::parse(hour, Slot::Hour)?;
        let day_field = Field::parse(day, Slot::Day)?;
        let month_field = Field::parse(month, Slot::Month)?;
        let week_field = Field::parse(weekday, Slot::Weekday)?;

        let kind = if minute.star || hour.star {
            Kind::Follows
        } else {
            Kind::Fixed
        };
        let dates = dates(&day_field, &month_field, &week_field);
        if dates.next(0).is_none() {
            let end = weekday.offset + weekday.text.len();
            let (message, help) = why_never(&dates, &day_field, &week_field);
            return Err(CronError {
                offset: day.offset,
                length: end - day.offset,
                message,
                help: help.to_owned(),
                kind: CronErrorKind::NeverFires,
            });
        }
        let grid = Grid {
            // The bits of an hour field are below 24.
            hours: hour.bits as u32,
            minutes: minute.bits,
            seconds: second.bits,
        };
        Ok(Self {
            dates,
            times: Times::Grid(grid),
            kind,
        })
    }

    fn named(words: &[Word<'_>], first: &Word<'_>) -> Result<Self, CronError> {
        if let Some(more) = words.get(1) {
            return Err(CronError::new(
                more.span(),
                format!("nothing follows {}", first.text),
                "drop it",
            ));
        }
        if let Some((_, line)) = MACROS.iter().find(|(name, _)| *name == first.text) {
            return Self::parse(line);
        }
        let near = MACROS
            .iter()
            .map(|(name, _)| {
                let lower = first.text.to_ascii_lowercase();
                (strsim::damerau_levenshtein(name, &lower), *name)
            })
            .min()
            .filter(|(distance, _)| *distance <= 2);
        let help = match near {
            Some((_, name)) => format!("write {name}"),
            None => {
                let names: Vec<_> = MACROS.iter().map(|(name, _)| *name).collect();
                format!("there are {}", names.join(", "))
            }
        };
        Err(CronError::new(
            first.span(),
            format!("{} is not known", first.text),
            help,
        ))
    }
}

impl CronError {
    fn new(
        (offset, length): (usize, usize),
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            offset,
            length,
            message: message.into(),
            help: help.into(),
            kind: CronErrorKind::Syntax,
        }
    }
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (c.is_ascii_whitespace(), start) {
            (false, None) => start = Some(at),
            (true, Some(offset)) => {
                words.push(Word {
                    offset,
                    text: &text[offset..at],
                });
                start = None;
            }
            _ => {}
        }
    }
    words
}

/// Lines of other schedulers that cannot be meant as fields.
fn refused_start(words: &[Word<'_>], first: &Word<'_>) -> Option<CronError> {
    let (message, help) = match first.text {
        "@reboot" => (
            "@reboot is not a cron line here",
            "write startup".to_owned(),
        ),
        "@every" => {
            let period = words.get(1).map_or("5m", |word| word.text);
            (
                "@every is not a cron line",
                format!("write {{ every: {period} }}"),
            )
        }
        text if text.starts_with("TZ=") || text.starts_with("CRON_TZ=") => {
            let zone = text.split_once('=').map_or("", |(_, zone)| zone);
            let help = format!("write timezone: {zone} beside the schedule");
            ("a cron line has no time zone in it", help)
        }
        _ => return None,
    };
    Some(CronError::new(first.span(), message, help))
}

fn is_year(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    digits == 4
}

fn wrong_count(words: &[Word<'_>]) -> CronError {
    let count = words.len();
    let (start, end) = match (words.get(6).or(words.first()), words.last()) {
        (Some(first), Some(last)) => (first.offset, last.offset + last.text.len()),
        _ => (0, 1),
    };
    let help = match count {
        7 if words
            .last()
            .is_some_and(|word| is_year(word.text) || word.text == "*") =>
        {
            "drop the year: six fields are second, minute, hour, day of month, month, day of week"
        }
        7.. => "drop what follows: commands belong into run",
        _ => "write minute, hour, day of month, month, day of week, such as \"30 3 * * *\"",
    };
    let fields = if count == 1 { "field" } else { "fields" };
    CronError::new(
        (start, end - start),
        format!("{count} {fields}, where a cron line has five or six"),
        help,
    )
}

fn dates(day: &Field, month: &Field, weekday: &Field) -> Dates {
    // 0 and 7 are both Sunday.
    let week = (weekday.bits | weekday.bits >> 7) & 0b111_1111;
    let combine = if day.star || weekday.star {
        Combine::Both
    } else {
        Combine::Either
    };
    // The bits of each field are within its range.
    Dates {
        nth: weekday.nth,
        rare: None,
        days: day.bits as u32,
        near: day.near,
        months: month.bits as u16,
        week: week as u8,
        combine,
    }
}

fn why_never(dates: &Dates, day: &Field, weekday: &Field) -> (String, &'static str) {
    let longest = (1..=12)
        .filter(|month| dates.months & (1 << month) != 0)
        .map(|month| super::dates::length(2000, month))
        .max()
        .unwrap_or(31);
    let plain = weekday.nth == 0 && dates.any_day_of_week() && day.near == 0;
    let first = (dates.days & !1).trailing_zeros();
    if plain && first < 32 && first > longest {
        let months = super::describe::months(dates.months);
        let has = if dates.months.is_power_of_two() {
            "has"
        } else {
            "have"
        };
        let message = format!("no date is ever meant: {months} {has} no day {first}");
        return (message, "mend the day of month or the month");
    }
    (
        "no date is ever meant: no day satisfies both day fields in these months".to_owned(),
        "mend the day of month, the month or the day of week",
    )
}
