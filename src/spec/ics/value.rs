//! Dates, times and lengths as iCalendar writes them.

use jiff::civil::{Date, DateTime, Time};

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `20270101`
    Date,
    /// `20270101T090000`
    Local,
    /// `20270101T090000Z`
    Utc,
}

/// Reads a date, or a date and a time.
pub(super) fn parse(text: &str) -> Option<(DateTime, Kind)> {
    let text = text.trim();
    let (date, time) = match text.split_once(['T', 't']) {
        None => return Some((date(text)?.to_datetime(Time::midnight()), Kind::Date)),
        Some((day, time)) => (date(day)?, time),
    };
    let (time, kind) = match time.strip_suffix(['Z', 'z']) {
        Some(time) => (time, Kind::Utc),
        None => (time, Kind::Local),
    };
    let [hour, minute, second] = digits::<3>(time, 2)?;
    // A leap second is the one before it here.
    let time = Time::new(hour, minute, second.min(59), 0).ok()?;
    Some((date.to_datetime(time), kind))
}

fn date(text: &str) -> Option<Date> {
    let (year, rest) = text.split_at_checked(4)?;
    let plain = year.bytes().all(|byte| byte.is_ascii_digit());
    let [month, day] = digits::<2>(rest, 2)?;
    Date::new(plain.then(|| year.parse().ok()).flatten()?, month, day).ok()
}

/// So many numbers of `width` digits each, and nothing else.
fn digits<const N: usize>(text: &str, width: usize) -> Option<[i8; N]> {
    if text.len() != N * width || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut numbers = [0; N];
    for (slot, at) in numbers.iter_mut().zip((0..).step_by(width)) {
        *slot = text.get(at..at + width)?.parse().ok()?;
    }
    Some(numbers)
}

/// Reads a length such as `P1D`, `P2W` or `PT36H`, in seconds.
pub(super) fn length(text: &str) -> Option<i64> {
    let mut rest = text.trim().trim_start_matches('+').strip_prefix('P')?;
    let mut seconds: i64 = 0;
    let mut of_day = false;
    let mut any = false;
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T') {
            of_day = true;
            rest = time;
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = rest.split_at_checked(end)?;
        let mut letters = unit.chars();
        let factor = match (letters.next()?, of_day) {
            ('W', false) => 604_800,
            ('D', false) => 86_400,
            ('H', true) => 3_600,
            ('M', true) => 60,
            ('S', true) => 1,
            _ => return None,
        };
        let number: i64 = number.parse().ok()?;
        seconds = seconds.checked_add(number.checked_mul(factor)?)?;
        any = true;
        rest = letters.as_str();
    }
    any.then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_the_standard_writes_them() {
        for (text, want) in [
            ("20270101", Some(("2027-01-01T00:00:00", Kind::Date))),
            (
                "20270101T093000",
                Some(("2027-01-01T09:30:00", Kind::Local)),
            ),
            ("20270101T235960Z", Some(("2027-01-01T23:59:59", Kind::Utc))),
            ("2027-01-01", None),
            ("20270230", None),
            ("20270101T2500", None),
            ("+0270101", None),
            ("2027010é", None),
            ("", None),
        ] {
            let want = want.map(|(at, kind)| (at.parse().unwrap(), kind));
            assert_eq!(parse(text), want, "{text}");
        }
        for (text, want) in [
            ("P1D", Some(86_400)),
            ("P2W", Some(1_209_600)),
            ("+P1DT12H30M5S", Some(131_405)),
            ("PT36H", Some(129_600)),
            ("P", None),
            ("-P1D", None),
            ("P1H", None),
            ("P99999999999999999999D", None),
            ("1D", None),
        ] {
            assert_eq!(length(text), want, "{text}");
        }
    }
}
