//! Whole cron lines in the dialects of Debian, Kubernetes and cronstable.

use super::calendar::{Calendar, DaySet, Rule};
use super::field::{BadField, Field, MONTHS, OpenStep, Values, WEEKDAYS, words};

const MINUTE: Field = Field::new("minute", 0, 59);
const SECOND: Field = Field::new("second", 0, 59);
const HOUR: Field = Field::new("hour", 0, 23);
const DAY: Field = Field::new("day of month", 1, 31);
const MONTH: Field = Field {
    names: &MONTHS,
    ..Field::new("month", 1, 12)
};
const WEEKDAY: Field = Field {
    names: &WEEKDAYS,
    ..Field::new("day of week", 0, 7)
};

/// Five fields as Debian's cron and cronie read them, in a zone.
pub(super) fn debian(line: &str, zone: &str) -> Result<Calendar, BadField> {
    let words = words(line);
    let [minute, hour, day, month, week] = words[..] else {
        return Err(count(line, words.len(), "five"));
    };
    let minute = at(&MINUTE, minute)?;
    let hour = at(&HOUR, hour)?;
    let day = at(&DAY, day)?;
    let month = at(&MONTH, month)?;
    let week = at(&WEEKDAY, week)?;
    let rule = if minute.star || hour.star {
        Rule::FOLLOWS
    } else {
        Rule::FIXED
    };
    Ok(Calendar {
        minutes: minute.bits,
        hours: hour.bits,
        days: DaySet::days(day.bits),
        months: month.bits,
        weekdays: DaySet::week(fold_sunday(week.bits)),
        // A field that begins with a star has its values, and does not make either enough.
        either: !day.star && !week.star,
        ..Calendar::daily(zone, rule)
    }
    .normal())
}

/// Whether Debian's cron, and so elder, reads the line as this calendar.
pub(super) fn debian_reads(line: &str, calendar: &Calendar) -> bool {
    let Ok(read) = debian(line, &calendar.zone) else {
        return false;
    };
    read.either == calendar.either
        && read.minutes == calendar.minutes
        && read.hours == calendar.hours
        && calendar.seconds == 1
        && read.months == calendar.months
        && read.days == calendar.days
        && read.weekdays == calendar.weekdays
}

/// Five fields as Kubernetes reads them: `*/2` restricts, `5/15` goes to the end, 7 is no day.
pub(super) fn kubernetes(line: &str, zone: &str) -> Result<Calendar, BadField> {
    let field = |field: Field| Field {
        open_step: OpenStep::ToEnd,
        question: true,
        high: if field.high == 7 { 6 } else { field.high },
        ..field
    };
    let words = words(line);
    let [minute, hour, day, month, week] = words[..] else {
        return Err(count(line, words.len(), "five"));
    };
    let minute = at(&field(MINUTE), minute)?;
    let hour = at(&field(HOUR), hour)?;
    let day = at(&field(DAY), day)?;
    let month = at(&field(MONTH), month)?;
    let week = at(&field(WEEKDAY), week)?;
    let open = |values: &Values| values.star && !values.stepped;
    Ok(Calendar {
        minutes: minute.bits,
        hours: hour.bits,
        days: DaySet::days(day.bits),
        months: month.bits,
        weekdays: DaySet::week(week.bits),
        either: !open(&day) && !open(&week),
        ..Calendar::daily(zone, Rule::KUBERNETES)
    }
    .normal())
}

/// Five to seven fields as cronstable reads them: a year as the sixth, seconds before seven, both
/// day fields must hold.
pub(super) fn cronstable(line: &str, zone: &str) -> Result<Calendar, BadField> {
    let words = words(line);
    let (second, rest, year) = match words.as_slice() {
        [_, _, _, _, _] => (None, words.as_slice(), None),
        [rest @ .., year] if rest.len() == 5 => (None, rest, Some(*year)),
        [second, rest @ .., year] if rest.len() == 5 => (Some(*second), rest, Some(*year)),
        _ => return Err(count(line, words.len(), "five to seven")),
    };
    let [minute, hour, day, month, week] = rest else {
        return Err(count(line, words.len(), "five to seven"));
    };
    let field = |field: Field| Field {
        open_step: OpenStep::ToEnd,
        ..field
    };
    let second = second.map_or(Ok(1), |word| at(&field(SECOND), word).map(|v| v.bits))?;
    let hashed = words.iter().find(|(_, word)| {
        let rest = word.strip_prefix('H');
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphabetic()))
    });
    if let Some((offset, word)) = hashed {
        return Err(BadField {
            offset: *offset,
            length: word.len(),
            message: "H stands for a value out of the job's name".to_owned(),
            help: "write a fixed value, and `spread` beside the schedule".to_owned(),
        });
    }
    Ok(Calendar {
        seconds: second,
        minutes: at(&field(MINUTE), *minute)?.bits,
        hours: at(&field(HOUR), *hour)?.bits,
        days: days_of_month(*day)?,
        months: at(&field(MONTH), *month)?.bits,
        weekdays: days_of_week(*week)?,
        years: year.map_or(Ok(Vec::new()), years)?,
        last_year: 2_099,
        ..Calendar::daily(zone, Rule::CRONSTABLE)
    })
}

/// The lines that the words with `@` stand for.
pub(super) fn macro_line(word: &str) -> Option<&'static str> {
    Some(match word {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => return None,
    })
}

fn days_of_month(word: (usize, &str)) -> Result<DaySet, BadField> {
    let (offset, text) = word;
    if text == "?" || text == "*" {
        return Ok(DaySet::any());
    }
    let field = Field {
        open_step: OpenStep::ToEnd,
        ..DAY
    };
    let mut set = DaySet::default();
    let mut from = offset;
    for item in text.split(',') {
        let upper = item.to_ascii_uppercase();
        let number = |text: &str| field.parse(text).map_err(|bad| moved(bad, from));
        if upper == "L" {
            set.from_end |= 2;
        } else if upper == "LW" {
            set.near |= 1;
        } else if let Some(back) = upper.strip_prefix("L-") {
            // The last day itself counts as none back.
            set.from_end |= number(back)?.bits << 1;
        } else if let Some(day) = upper.strip_suffix('W') {
            set.near |= number(day)?.bits;
        } else {
            set.days |= number(item)?.bits;
        }
        from += item.len() + 1;
    }
    set.any = set.days & super::calendar::DAYS == super::calendar::DAYS;
    Ok(set)
}

fn days_of_week(word: (usize, &str)) -> Result<DaySet, BadField> {
    let (offset, text) = word;
    if text == "?" || text == "*" {
        return Ok(DaySet::any());
    }
    let field = Field {
        open_step: OpenStep::ToEnd,
        ..WEEKDAY
    };
    // Steps and stars run to Saturday only.
    let short = Field { high: 6, ..field };
    let mut set = DaySet::default();
    let mut from = offset;
    for item in text.split(',') {
        let upper = item.to_ascii_uppercase();
        let number = |field: &Field, text: &str| {
            let values = field.parse(text).map_err(|bad| moved(bad, from))?;
            Ok::<u64, BadField>(fold_sunday(values.bits))
        };
        if let Some(days) = upper.strip_prefix('L').filter(|rest| !rest.is_empty()) {
            let found = number(&field, days)?;
            set.nth.extend(days_of(found).map(|day| (0, day)));
        } else if let Some((day, k)) = upper.split_once('#') {
            let k = k.parse().ok().filter(|k| (1..=5).contains(k));
            let Some(k) = k else {
                return Err(BadField {
                    offset: from,
                    length: item.len(),
                    message: "a month has the weeks 1 to 5".to_owned(),
                    help: String::new(),
                });
            };
            let found = number(&field, day)?;
            set.nth.extend(days_of(found).map(|day| (k, day)));
        } else if item.starts_with('*') || (item.contains('/') && !item.contains('-')) {
            set.week |= number(&short, item)?;
        } else if let Some((first, "0" | "sun" | "SUN" | "Sun")) = item.split_once('-')
            && !["0", "sun"].contains(&first.to_ascii_lowercase().as_str())
        {
            set.week |= number(&field, &format!("{first}-7"))?;
        } else {
            set.week |= number(&field, item)?;
        }
        from += item.len() + 1;
    }
    set.any = set.week == super::calendar::WEEK;
    Ok(set)
}

fn days_of(bits: u64) -> impl Iterator<Item = u8> {
    (0..7u8).filter(move |day| bits & (1 << day) != 0)
}

/// 1970 to 2099 as ranges.
fn years(word: (usize, &str)) -> Result<Vec<(i16, i16)>, BadField> {
    let (offset, text) = word;
    let bad = |message: &str| BadField {
        offset,
        length: text.len(),
        message: message.to_owned(),
        help: "write a year, a list or a range from 1970 to 2099".to_owned(),
    };
    let mut years = std::collections::BTreeSet::new();
    for item in text.split(',') {
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        let step: usize = step
            .parse()
            .ok()
            .filter(|step| *step > 0)
            .ok_or_else(|| bad("no step"))?;
        let year = |text: &str| {
            let year = text.parse::<i16>().ok();
            year.filter(|year| (1970..=2099).contains(year))
        };
        let (from, until) = match range.split_once('-') {
            _ if range == "*" && step == 1 => return Ok(Vec::new()),
            _ if range == "*" => (Some(1970), Some(2099)),
            Some((from, until)) => (year(from), year(until)),
            None if item.contains('/') => (year(range), Some(2099)),
            None => (year(range), year(range)),
        };
        let (Some(from), Some(until)) = (from, until) else {
            return Err(bad("this is no year"));
        };
        years.extend((from..=until).step_by(step));
    }
    if years.is_empty() {
        return Err(bad("this is no year"));
    }
    Ok(ranges(years))
}

/// Numbers in order as ranges.
pub(super) fn ranges(numbers: impl IntoIterator<Item = i16>) -> Vec<(i16, i16)> {
    let mut ranges: Vec<(i16, i16)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, until)) if *until + 1 == number => *until = number,
            _ => ranges.push((number, number)),
        }
    }
    ranges
}

fn at(field: &Field, word: (usize, &str)) -> Result<Values, BadField> {
    field.parse(word.1).map_err(|bad| moved(bad, word.0))
}

fn moved(bad: BadField, by: usize) -> BadField {
    BadField {
        offset: bad.offset + by,
        ..bad
    }
}

/// 7 is Sunday too.
fn fold_sunday(bits: u64) -> u64 {
    (bits | (bits >> 7)) & super::calendar::WEEK
}

fn count(line: &str, found: usize, wanted: &str) -> BadField {
    BadField {
        offset: 0,
        length: line.len().max(1),
        message: format!("{found} fields where {wanted} are needed"),
        help: "write minute, hour, day of month, month, day of week".to_owned(),
    }
}
