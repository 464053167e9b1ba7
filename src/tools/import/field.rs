//! One field of a cron line, in the dialects that are read here.

/// What a field may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    /// In messages.
    pub name: &'static str,
    pub low: u8,
    pub high: u8,
    /// Names and their values, in the field's own counting.
    pub names: &'static [(&'static str, u8)],
    /// What `5/15` is.
    pub open_step: OpenStep,
    /// `fri-mon` goes round.
    pub wraps: bool,
    /// `?` is `*`.
    pub question: bool,
}

/// What a step after a single number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenStep {
    /// From the number to the field's end.
    ToEnd,
    /// It is not clear: implementations differ.
    Refused,
}

/// The values of a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Values {
    pub bits: u64,
    /// It begins with `*` (or `?`).
    pub star: bool,
    /// A step other than 1 stands behind the star.
    pub stepped: bool,
}

/// What is wrong with a field, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadField {
    pub offset: usize,
    pub length: usize,
    pub message: String,
    pub help: String,
}

pub(super) const WEEKDAYS: [(&str, u8); 7] = [
    ("sun", 0),
    ("mon", 1),
    ("tue", 2),
    ("wed", 3),
    ("thu", 4),
    ("fri", 5),
    ("sat", 6),
];

pub(super) const MONTHS: [(&str, u8); 12] = [
    ("jan", 1),
    ("feb", 2),
    ("mar", 3),
    ("apr", 4),
    ("may", 5),
    ("jun", 6),
    ("jul", 7),
    ("aug", 8),
    ("sep", 9),
    ("oct", 10),
    ("nov", 11),
    ("dec", 12),
];

impl Field {
    /// A field of numbers that is read strictly.
    pub const fn new(name: &'static str, low: u8, high: u8) -> Self {
        Self {
            name,
            low,
            high,
            names: &[],
            open_step: OpenStep::Refused,
            wraps: false,
            question: false,
        }
    }

    pub fn parse(&self, text: &str) -> Result<Values, BadField> {
        let mut values = Values {
            bits: 0,
            star: text.starts_with('*') || (self.question && text.starts_with('?')),
            stepped: false,
        };
        let mut offset = 0;
        for item in text.split(',') {
            let bits = self.item(item, offset, &mut values.stepped)?;
            values.bits |= bits;
            offset += item.len() + 1;
        }
        Ok(values)
    }

    fn item(&self, item: &str, offset: usize, stepped: &mut bool) -> Result<u64, BadField> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        let by = match step {
            None => 1,
            Some(step) => step
                .parse::<u8>()
                .ok()
                .filter(|step| *step > 0)
                .ok_or_else(|| {
                    let at = offset + range.len() + 1;
                    self.bad(
                        at,
                        step,
                        format!("{step:?} is no step"),
                        "write a number from 1 on",
                    )
                })?,
        };
        if range == "*" || (self.question && range == "?") {
            *stepped |= by > 1;
            return Ok(self.steps(self.low, self.high, by));
        }
        if let Some((first, last)) = range.split_once('-') {
            let (from, to) = (
                self.value(first, offset)?,
                self.value(last, offset + first.len() + 1)?,
            );
            if from <= to {
                return Ok(self.steps(from, to, by));
            }
            if !self.wraps {
                let message = format!("the range {range} runs backwards");
                let help = match self.around(from, to) {
                    Some(names) => format!("write {names}"),
                    None => format!("write {first}-{},{}-{last}", self.high, self.low),
                };
                return Err(self.bad(offset, range, message, &help));
            }
            // Celery: all of it in order, then each `by`-th.
            let around = (from..=self.high).chain(self.low..=to);
            return Ok(around
                .step_by(usize::from(by))
                .fold(0, |bits, v| bits | (1 << v)));
        }
        let only = self.value(range, offset)?;
        match (step, self.open_step) {
            (None, _) => Ok(1 << only),
            (Some(_), OpenStep::ToEnd) => Ok(self.steps(only, self.high, by)),
            (Some(step), OpenStep::Refused) => {
                let message = format!(
                    "a step after the single number {range}: some crons fire at {range} only, \
                     others each {step} from there"
                );
                let help = format!("write {range}, or {range}-{}/{step}", self.high);
                Err(self.bad(offset, item, message, &help))
            }
        }
    }

    /// The days of a week that goes round its end, by name.
    fn around(&self, from: u8, to: u8) -> Option<String> {
        let name = |day: u8| Some(self.names.iter().find(|(_, value)| *value == day)?.0);
        if self.names.len() != 7 {
            return None;
        }
        let days = (from..7).chain(0..=to);
        Some(days.map(name).collect::<Option<Vec<_>>>()?.join(","))
    }

    fn steps(&self, from: u8, to: u8, by: u8) -> u64 {
        (from..=to)
            .step_by(usize::from(by))
            .fold(0, |bits, value| bits | (1 << value))
    }

    fn value(&self, text: &str, offset: usize) -> Result<u8, BadField> {
        let (low, high) = (self.low, self.high);
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            let number: u32 = text.parse().unwrap_or(u32::MAX);
            return u8::try_from(number)
                .ok()
                .filter(|value| (low..=high).contains(value))
                .ok_or_else(|| {
                    let message = format!("{text} is out of range for the {}", self.name);
                    self.bad(offset, text, message, &format!("write {low} to {high}"))
                });
        }
        let mut names = self.names.iter();
        if let Some((_, value)) = names.find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return Ok(*value);
        }
        let (message, help) = if text.contains('~') {
            (
                "a range with ~ is a time by chance, as cronie has it".to_owned(),
                "write a fixed value, and `spread` beside the schedule".to_owned(),
            )
        } else if text.is_empty() {
            (
                format!("a value is missing in the {}", self.name),
                format!("write {low} to {high}"),
            )
        } else {
            (
                format!("{text:?} is no {}", self.name),
                format!("write {low} to {high}, *, lists, ranges or steps"),
            )
        };
        Err(self.bad(offset, text, message, &help))
    }

    fn bad(&self, offset: usize, part: &str, message: String, help: &str) -> BadField {
        BadField {
            offset,
            length: part.len().max(1),
            message,
            help: help.to_owned(),
        }
    }
}

/// The words of a line with the byte at which each begins.
pub(super) fn words(line: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let mut rest = line;
    let mut offset = 0;
    loop {
        let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        offset += blank;
        rest = &rest[blank..];
        if rest.is_empty() {
            return words;
        }
        let length = rest.find([' ', '\t']).unwrap_or(rest.len());
        words.push((offset, &rest[..length]));
        offset += length;
        rest = &rest[length..];
    }
}
