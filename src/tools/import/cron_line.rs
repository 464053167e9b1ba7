//! The cron lines of elder's that say what a calendar says, where there are some.

use super::calendar::{Calendar, DAYS, DaySet, Rule, bits};
use super::draft::When;
use super::quartz::debian_reads;
use crate::schedule::Zones;

impl Calendar {
    /// Its schedules for elder, or why there are none. `written` is a cron line that the source
    /// has; it is kept where Debian's cron would read it alike.
    pub fn translate(&self, written: Option<&str>, zones: &Zones) -> Result<Vec<When>, Refused> {
        if self.weeks != 0 {
            return Err(Refused::new(
                "weeks of the year have no counterpart",
                "write the dates as `at`, or test the week in the command",
            ));
        }
        let lines = match written {
            Some(line) if debian_reads(line, self) => vec![line.to_owned()],
            _ => self.lines()?,
        };
        let mut items = Vec::new();
        for line in lines {
            let rule = rule_of_line(&line);
            let mut when = When::cron(&line, rule);
            super::target::dst(&mut when, self, zones);
            items.extend(super::target::years(&when, &self.years)?);
        }
        Ok(items)
    }

    fn lines(&self) -> Result<Vec<String>, Refused> {
        let mut times = String::new();
        if self.seconds != 1 {
            times = format!("{} ", numbers(self.seconds, 0, 59, Star::Steps));
        }
        let minutes = numbers(self.minutes, 0, 59, Star::Steps);
        let hours = numbers(self.hours, 0, 23, Star::Steps);
        times.push_str(&format!("{minutes} {hours}"));
        let month = numbers(self.months, 1, 12, Star::Whole);
        let dates = self.day_fields()?;
        Ok(dates
            .into_iter()
            .map(|(day, week)| format!("{times} {day} {month} {week}"))
            .collect())
    }

    /// The two day fields of each line that is needed.
    fn day_fields(&self) -> Result<Vec<(String, String)>, Refused> {
        if self.weekdays.any {
            return one_field(&self.days);
        }
        if self.days.any {
            return one_field(&self.weekdays);
        }
        if self.either {
            let mut fields = one_field(&self.days)?;
            fields.extend(one_field(&self.weekdays)?);
            if let [(day, _), (_, week)] = fields.as_slice()
                && self.days.only_days()
                && self.weekdays.only_week()
            {
                // Two fields that do not begin with `*`: either is enough.
                return Ok(vec![(day.clone(), week.clone())]);
            }
            return Ok(fields);
        }
        self.both()
    }

    /// Both day fields restrict. A cron line of elder's takes either, unless one begins with `*`.
    fn both(&self) -> Result<Vec<(String, String)>, Refused> {
        let refused = || {
            Refused::new(
                "it wants a day of the month and a day of the week at once",
                "test one of them in the command, such as [ \"$(date +%u)\" = 5 ] || exit 0",
            )
        };
        let plain_week = self.weekdays.nth.is_empty() && self.weekdays.only_week();
        if !plain_week {
            return Err(refused());
        }
        let week = self.weekdays.week;
        // The first seven days and a Monday are the first Monday.
        if self.days.plain_days()
            && let Some(weeks) = whole_weeks(self.days.days)
        {
            let terms: Vec<_> = weeks
                .iter()
                .flat_map(|k| bits(week).map(move |day| format!("{}#{k}", day_name(day))))
                .collect();
            return Ok(vec![("*".to_owned(), terms.join(","))]);
        }
        if self.days.only_days()
            && self.days.days == 0
            && self.days.near == 0
            && self.days.from_end == 0b1111_1110
        {
            let terms: Vec<_> = bits(week)
                .map(|day| format!("{}L", day_name(day)))
                .collect();
            return Ok(vec![("*".to_owned(), terms.join(","))]);
        }
        // `*/31` is the first day alone, `*/8` Sunday alone: a field that begins with `*`.
        if self.days.plain_days() && self.days.days & 2 != 0 {
            let rest = numbers(self.days.days & !2, 1, 31, Star::Never);
            let sep = if rest.is_empty() { "" } else { "," };
            let week = numbers(week, 0, 6, Star::Never);
            return Ok(vec![(format!("*/31{sep}{rest}"), week)]);
        }
        if self.days.only_days() && week & 1 != 0 {
            let rest = numbers(week & !1, 0, 6, Star::Never);
            let sep = if rest.is_empty() { "" } else { "," };
            let week = format!("*/8{sep}{rest}");
            let days = one_field(&self.days)?;
            return Ok(days
                .into_iter()
                .map(|(day, _)| (day, week.clone()))
                .collect());
        }
        Err(refused())
    }
}

/// Why something has no counterpart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub message: String,
    pub help: String,
}

impl Refused {
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: help.into(),
        }
    }
}

/// What elder does with a line when the clock changes.
pub(super) fn rule_of_line(line: &str) -> Rule {
    let fields: Vec<_> = line.split_whitespace().collect();
    let times = match fields.len() {
        6 => fields.get(1..3),
        _ => fields.get(..2),
    };
    match times {
        _ if line.starts_with("@hourly") => Rule::FOLLOWS,
        Some(times) if times.iter().any(|field| field.starts_with('*')) => Rule::FOLLOWS,
        _ => Rule::FIXED,
    }
}

/// A set of days where the other field restricts nothing, as one line or two.
fn one_field(set: &DaySet) -> Result<Vec<(String, String)>, Refused> {
    let star = || "*".to_owned();
    if set.any {
        return Ok(vec![(star(), star())]);
    }
    if set.from_end & !2 != 0 {
        return Err(Refused::new(
            "days counted from the month's end, other than the last, have no counterpart",
            "write L for the last day, or test the date in the command",
        ));
    }
    let mut days = Vec::new();
    if set.days != 0 {
        days.push(numbers(set.days, 1, 31, Star::Never));
    }
    if set.from_end & 2 != 0 {
        days.push("L".to_owned());
    }
    if set.near & 1 != 0 {
        days.push("LW".to_owned());
    }
    days.extend(bits(set.near & !1).map(|day| format!("{day}W")));
    let mut week = Vec::new();
    if set.week != 0 {
        week.push(numbers(set.week, 0, 6, Star::Never));
    }
    week.extend(set.nth.iter().map(|(k, day)| match k {
        0 => format!("{}L", day_name(u32::from(*day))),
        k => format!("{}#{k}", day_name(u32::from(*day))),
    }));
    let mut lines = Vec::new();
    if !days.is_empty() {
        lines.push((days.join(","), star()));
    }
    if !week.is_empty() {
        lines.push((star(), week.join(",")));
    }
    if lines.is_empty() {
        return Err(Refused::new("it names no day", ""));
    }
    Ok(lines)
}

/// The weeks 1 to 5 of a month that days fill: 1–7, 8–14, …, 29–31.
fn whole_weeks(days: u64) -> Option<Vec<u8>> {
    let mut weeks = Vec::new();
    let mut rest = days & DAYS;
    for k in 1..=5u8 {
        let from = u32::from(k - 1) * 7 + 1;
        let mask = (0..7).fold(0, |mask, day| mask | (1 << (from + day))) & DAYS;
        if rest & mask == mask {
            weeks.push(k);
            rest &= !mask;
        }
    }
    (rest == 0).then_some(weeks)
}

/// Where a `*` may stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Star {
    /// `*` and `*/5`.
    Steps,
    /// `*`.
    Whole,
    /// Nowhere: a star would change how the day fields are joined.
    Never,
}

/// A set as a field: `*`, `*/5`, `8-18/2`, lists of numbers and ranges.
fn numbers(set: u64, low: u32, high: u32, star: Star) -> String {
    let values: Vec<u32> = bits(set).filter(|bit| (low..=high).contains(bit)).collect();
    let count = values.len();
    let Some(last) = values.last().copied() else {
        return String::new();
    };
    if count == (high - low + 1) as usize && star != Star::Never {
        return "*".to_owned();
    }
    if let [first, second, _, ..] = values[..] {
        let step = second - first;
        let even = values.windows(2).all(|pair| pair[1] - pair[0] == step);
        if step > 1 && even {
            if first == low && last + step > high && star == Star::Steps {
                return format!("*/{step}");
            }
            return format!("{first}-{last}/{step}");
        }
    }
    let mut parts: Vec<String> = Vec::new();
    let mut at = 0;
    while at < count {
        let mut end = at;
        while end + 1 < count && values[end + 1] == values[end] + 1 {
            end += 1;
        }
        match end - at {
            0 => parts.push(values[at].to_string()),
            1 => parts.push(format!("{},{}", values[at], values[end])),
            _ => parts.push(format!("{}-{}", values[at], values[end])),
        }
        at = end + 1;
    }
    parts.join(",")
}

fn day_name(day: u32) -> &'static str {
    const NAMES: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    NAMES[(day % 7) as usize]
}
