//! Dates as one line of text, as the store keeps them: `sat sun 01-01 2027-01-11 2027-12-29/2028-01-03`.

use jiff::civil::Date;

use crate::schedule::{Calendar, Days};

/// The text of a calendar; [`parse`] takes it back.
#[must_use]
pub fn print(calendar: &Calendar) -> String {
    let days = calendar.weekdays();
    let mut words: Vec<String> = Days::NAMES
        .into_iter()
        .filter(|name| Days::parse(name).is_ok_and(|day| days.union(day) == days))
        .map(str::to_owned)
        .collect();
    let yearly = calendar.days_of_the_year();
    words.extend(yearly.map(|(month, day)| format!("{month:02}-{day:02}")));
    words.extend(calendar.ranges().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}/{last}"),
    }));
    words.join(" ")
}

/// Reads what [`print`] wrote.
///
/// # Errors
/// A sentence with the word that is none of its.
pub fn parse(text: &str) -> Result<Calendar, String> {
    let bad = |word: &str| format!("{word:?} is no date of a calendar");
    let mut parts = Vec::new();
    let mut ranges = Vec::new();
    for word in text.split_whitespace() {
        if let Ok(day) = Days::parse(word) {
            parts.push(Calendar::weekly(day));
        } else if let Some((month, day)) = day_of_the_year(word) {
            parts.push(Calendar::yearly(month, day));
        } else {
            let (first, last) = word.split_once('/').unwrap_or((word, word));
            let date = |text: &str| text.parse::<Date>().map_err(|_| bad(word));
            ranges.push((date(first)?, date(last)?));
        }
    }
    parts.push(Calendar::dates(ranges));
    Ok(Calendar::union(&parts))
}

/// `MM-DD` of some year.
pub(super) fn day_of_the_year(text: &str) -> Option<(u8, u8)> {
    let (month, day) = text.split_once('-')?;
    let two = |text: &str| {
        let plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse().ok()).flatten()
    };
    let (month, day): (i8, i8) = (two(month)?, two(day)?);
    // In a leap year, which has them all.
    Date::new(2000, month, day).ok()?;
    Some((month.unsigned_abs(), day.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_again() {
        for text in [
            "",
            "sun sat",
            "sun mon tue wed thu fri sat 01-01 02-29 12-31",
            "2027-01-11 2027-12-29/2028-01-03",
            "sat 01-01 -000001-01-01/9999-12-31",
        ] {
            let calendar = parse(text).unwrap();
            assert_eq!(print(&calendar), text);
        }
        for text in ["02-30", "x", "2027-01-01/", "2027-02-30", "1-1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
