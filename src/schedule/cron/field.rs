//! One field of a cron line.

use super::super::days;
use super::CronError;

/// A piece of the line between blanks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'a> {
    /// Where it begins in the line, in bytes.
    pub(super) offset: usize,
    /// The piece.
    pub(super) text: &'a str,
}

impl<'a> Word<'a> {
    pub(super) fn span(&self) -> (usize, usize) {
        (self.offset, self.text.len())
    }

    /// A part of it; `text` must be a slice of its text that begins at `from`.
    fn part(&self, from: usize, text: &'a str) -> Self {
        Self {
            offset: self.offset + from,
            text,
        }
    }

    fn split(&self, separator: char) -> Option<(Self, Self)> {
        let (left, right) = self.text.split_once(separator)?;
        Some((self.part(0, left), self.part(left.len() + 1, right)))
    }
}

/// Which field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

impl Slot {
    fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day of month",
            Self::Month => "month",
            Self::Weekday => "day of week",
        }
    }

    fn range(self) -> (u8, u8) {
        match self {
            Self::Second | Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::Day => (1, 31),
            Self::Month => (1, 12),
            Self::Weekday => (0, 7),
        }
    }

    fn name_value(self, text: &str) -> Option<u8> {
        match self {
            Self::Weekday => days::short_name(text),
            Self::Month => {
                let at = MONTHS
                    .iter()
                    .position(|name| name.eq_ignore_ascii_case(text))?;
                u8::try_from(at + 1).ok()
            }
            _ => None,
        }
    }

    /// The three-letter name that a longer one begins with.
    fn short_of(self, text: &str) -> Option<&str> {
        let start = text.get(..3)?;
        self.name_value(start).map(|_| start)
    }
}

/// What one field says.
#[derive(Clone, Debug, Default)]
pub(super) struct Field {
    /// The plain values; for the day of month bit 0 is `L`.
    pub(super) bits: u64,
    /// `15W`, and bit 0 for `LW`.
    pub(super) near: u32,
    /// `fri#2` and `friL`, as `Dates` keeps them.
    pub(super) nth: u64,
    /// It begins with `*` (or is `?`), and so counts as unrestricted.
    pub(super) star: bool,
}

impl Field {
    /// A field that is just `0`.
    pub(super) fn zero() -> Self {
        Self {
            bits: 1,
            ..Self::default()
        }
    }

    pub(super) fn parse(word: &Word<'_>, slot: Slot) -> Result<Self, CronError> {
        let mut field = Self {
            star: word.text.starts_with('*') || word.text == "?",
            ..Self::default()
        };
        let mut from = 0;
        for text in word.text.split(',') {
            let item = word.part(from, text);
            from += text.len() + 1;
            if text.is_empty() {
                // The comma is what can be seen.
                let at = item
                    .offset
                    .saturating_sub(usize::from(item.offset > word.offset));
                return Err(CronError::new(
                    (at, 1),
                    format!("an empty item in the {}", slot.name()),
                    "drop the comma",
                ));
            }
            field.item(&item, slot, word).map_err(|mut error| {
                // A value that is missing at the end has its place past the field.
                error.offset = error.offset.min(word.offset + word.text.len() - 1);
                error
            })?;
        }
        Ok(field)
    }

    fn item(&mut self, item: &Word<'_>, slot: Slot, whole: &Word<'_>) -> Result<(), CronError> {
        let (low, high) = slot.range();
        if item.text == "?" {
            return self.question(item, slot, whole);
        }
        if item.text == "*" {
            self.range(low, high, 1);
            return Ok(());
        }
        let hashed = item.text.strip_prefix(['H', 'h']);
        if hashed.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric())) {
            return Err(CronError::new(
                item.span(),
                "H is not known here",
                "write a fixed value, and spread: 10m beside the schedule",
            ));
        }
        if matches!(slot, Slot::Day | Slot::Weekday) && self.special(item, slot)? {
            return Ok(());
        }
        let (range, step) = match item.split('/') {
            Some((range, step)) => (range, Some(step)),
            None => (*item, None),
        };
        let by = step.map_or(Ok(1), |step| step_of(&step))?;
        let (first, last) = match range.split('-') {
            _ if range.text == "*" => (low, high),
            Some((first, last)) => ends(&range, &first, &last, slot)?,
            None => {
                let only = value(&range, slot)?;
                if let Some(step) = step {
                    return Err(CronError::new(
                        item.span(),
                        format!("a step needs a range or * before it, not {}", range.text),
                        format!("write {}-{high}/{}", range.text, step.text),
                    ));
                }
                (only, only)
            }
        };
        self.range(first, last, by);
        Ok(())
    }

    fn question(&mut self, item: &Word<'_>, slot: Slot, whole: &Word<'_>) -> Result<(), CronError> {
        if !matches!(slot, Slot::Day | Slot::Weekday) || whole.text != "?" {
            return Err(CronError::new(
                item.span(),
                "? stands alone, for the day of month or the day of week",
                "write *",
            ));
        }
        let (low, high) = slot.range();
        self.range(low, high, 1);
        Ok(())
    }

    /// `L`, `LW`, `15W`, `fri#2`, `friL`; false when the item is none of them.
    fn special(&mut self, item: &Word<'_>, slot: Slot) -> Result<bool, CronError> {
        let upper = item.text.to_ascii_uppercase();
        if slot == Slot::Day {
            if upper == "L" {
                self.bits |= 1;
            } else if upper == "LW" || upper == "WL" {
                self.near |= 1;
            } else if let Some(day) = upper.strip_suffix('W') {
                let day = item.part(0, &item.text[..day.len()]);
                self.near |= 1 << value(&day, slot)?;
            } else if upper.starts_with("L-") {
                return Err(CronError::new(
                    item.span(),
                    "days counted from the end are not known",
                    "write L for the last day",
                ));
            } else {
                return Ok(false);
            }
            return Ok(true);
        }
        if let Some((day, k)) = item.split('#') {
            let day = value(&day, slot)? % 7;
            let k = match k.text {
                "1" | "2" | "3" | "4" | "5" => k.text.as_bytes()[0] - b'1',
                _ => {
                    return Err(CronError::new(
                        k.span_or(item),
                        format!("a month has no week {:?}", k.text),
                        format!(
                            "write {0}#1 to {0}#5, or {0}L for the last",
                            days::short(day)
                        ),
                    ));
                }
            };
            self.nth |= 1 << (7 * k + day);
            return Ok(true);
        }
        if upper == "L" {
            return Err(CronError::new(
                item.span(),
                "L alone names no day of the week",
                "write sat, or satL for the last Saturday of the month",
            ));
        }
        if let Some(day) = upper.strip_suffix('L') {
            let day = item.part(0, &item.text[..day.len()]);
            self.nth |= 1 << (35 + value(&day, slot)? % 7);
            return Ok(true);
        }
        Ok(false)
    }

    fn range(&mut self, first: u8, last: u8, step: u8) {
        for value in (first..=last).step_by(step.into()) {
            self.bits |= 1 << value;
        }
    }
}

impl Word<'_> {
    /// Its place, or that of what it is part of when it is empty.
    fn span_or(&self, whole: &Word<'_>) -> (usize, usize) {
        if self.text.is_empty() {
            whole.span()
        } else {
            self.span()
        }
    }
}

fn ends(
    range: &Word<'_>,
    first: &Word<'_>,
    last: &Word<'_>,
    slot: Slot,
) -> Result<(u8, u8), CronError> {
    let (low, high) = slot.range();
    let (from, to) = (value(first, slot)?, value(last, slot)?);
    if from <= to {
        return Ok((from, to));
    }
    let help = if slot == Slot::Weekday {
        let mut day = from;
        let mut names = vec![days::short(day)];
        while day % 7 != to % 7 {
            day = (day + 1) % 7;
            names.push(days::short(day));
        }
        format!("write {}", names.join(","))
    } else {
        format!("write {}-{high},{low}-{}", first.text, last.text)
    };
    Err(CronError::new(
        range.span(),
        format!("the range {} runs backwards", range.text),
        help,
    ))
}

fn value(word: &Word<'_>, slot: Slot) -> Result<u8, CronError> {
    let (low, high) = slot.range();
    let text = word.text;
    let at = (word.offset, text.len().max(1));
    if text.is_empty() {
        return Err(CronError::new(
            at,
            format!("a value is missing in the {}", slot.name()),
            format!("write a number from {low} to {high}"),
        ));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // What is too long for a number is out of range too.
        let number: u32 = text.parse().unwrap_or(u32::MAX);
        return u8::try_from(number)
            .ok()
            .filter(|number| (low..=high).contains(number))
            .ok_or_else(|| {
                CronError::new(
                    at,
                    format!("{text} is out of range for the {}", slot.name()),
                    format!("write {low} to {high}"),
                )
            });
    }
    if let Some(number) = slot.name_value(text) {
        return Ok(number);
    }
    let help = match slot.short_of(text) {
        Some(short) if text.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            format!("write {}", short.to_ascii_lowercase())
        }
        _ => match slot {
            Slot::Weekday => "write 0 to 7 or sun to sat".to_owned(),
            Slot::Month => "write 1 to 12 or jan to dec".to_owned(),
            _ => format!("write {low} to {high}, *, lists, ranges or steps"),
        },
    };
    Err(CronError::new(
        at,
        format!("{text:?} is no {}", slot.name()),
        help,
    ))
}

fn step_of(word: &Word<'_>) -> Result<u8, CronError> {
    let bad = |message: String| {
        let at = (
            word.offset - usize::from(word.text.is_empty()),
            word.text.len().max(1),
        );
        CronError::new(at, message, "write a step from 1 on, such as */15")
    };
    if word.text.is_empty() || !word.text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad(format!("{:?} is no step", word.text)));
    }
    // A step past the range is taken, as Debian takes it: only the first value is left.
    match word.text.parse().unwrap_or(u8::MAX) {
        0 => Err(bad("a step of 0 goes nowhere".to_owned())),
        step => Ok(step),
    }
}
