//! Writes a shape down for each peer, as far as the peer can say it. What one
//! expression cannot say is several, whose union is meant.

use serde_json::{Value, json};

use super::shape::{DAYS, Day, Field, Line, MonthDay, Piece, Shape, Time, Week, timestamp};

/// A union of cron lines, for croniter and croner. Six fields begin with seconds.
/// They write the last one of a weekday each in their own way.
pub fn cron_lines(shape: &Shape, last: fn(u8) -> String) -> Option<Vec<String>> {
    let dated = |(hour, minute, second): &Time, date: &str| match second {
        0 => format!("{minute} {hour} {date}"),
        _ => format!("{second} {minute} {hour} {date}"),
    };
    let line = |time: &Time, days: &str| dated(time, &format!("* * {days}"));
    let each = |dates: Vec<String>, times: &[Time]| {
        let lines = dates
            .iter()
            .flat_map(|date| times.iter().map(|time| dated(time, date)));
        Some(lines.collect())
    };
    match shape {
        Shape::Cron(Line {
            day: Day::LastWeekday | Day::Nearest(_),
            ..
        }) => None,
        // With these, croniter wants both day fields to match, which elder cannot say.
        Shape::Cron(Line {
            week: Week::Nth(..) | Week::Last(_),
            day,
            ..
        }) if *day != Day::Field(Field::star()) => None,
        Shape::Cron(cron) => {
            let text = cron.text();
            match cron.week {
                Week::Last(day) => {
                    let name = format!("{}L", DAYS[usize::from(day)]);
                    Some(vec![text.replace(&name, &last(day))])
                }
                _ => Some(vec![text]),
            }
        }
        Shape::Hourly(minutes) => Some(vec![format!("{} * * * *", list(minutes))]),
        Shape::Daily(times) => Some(times.iter().map(|time| line(time, "*")).collect()),
        Shape::Weekly(days, times) => {
            let days = list(days);
            Some(times.iter().map(|time| line(time, &days)).collect())
        }
        Shape::Monthly(days, times) => {
            let date = |day: &MonthDay| match *day {
                MonthDay::Date(date) => format!("{date} * *"),
                MonthDay::Last => "L * *".to_owned(),
                MonthDay::Nth(weekday, nth) => format!("* * {}#{nth}", DAYS[usize::from(weekday)]),
                MonthDay::LastOf(weekday) => format!("* * {}", last(weekday)),
            };
            each(days.iter().map(date).collect(), times)
        }
        Shape::Yearly(dates, times) => {
            let date = |(month, day): &(u8, u8)| format!("{day} {month} *");
            each(dates.iter().map(date).collect(), times)
        }
        Shape::Every(_) | Shape::At(_) => None,
    }
}

fn list(values: &[u8]) -> String {
    let values: Vec<_> = values.iter().map(u8::to_string).collect();
    values.join(",")
}

/// A union of APScheduler's triggers.
pub fn triggers(shape: &Shape) -> Option<Vec<Value>> {
    let each = |times: &[Time], days: &str| {
        let one = |(hour, minute, second): &Time| {
            json!({ "cron": {
                "hour": hour, "minute": minute, "second": second, "day_of_week": days,
            }})
        };
        Some(times.iter().map(one).collect())
    };
    match shape {
        Shape::Cron(line) => cron_triggers(line),
        Shape::Every(seconds) => Some(vec![json!({ "interval": seconds })]),
        Shape::Hourly(minutes) => Some(vec![
            json!({ "cron": { "hour": "*", "minute": list(minutes) } }),
        ]),
        Shape::Daily(times) => each(times, "*"),
        Shape::Weekly(days, times) => each(times, &names(days)),
        Shape::Monthly(days, times) => {
            let days: Vec<_> = days.iter().map(|day| day.text()).collect();
            Some(
                times
                    .iter()
                    .map(|time| dated(time, &days.join(","), "*"))
                    .collect(),
            )
        }
        Shape::Yearly(dates, times) => {
            let one = |(month, day): &(u8, u8)| (day.to_string(), month.to_string());
            let dates: Vec<_> = dates.iter().map(one).collect();
            let triggers = dates
                .iter()
                .flat_map(|(day, month)| times.iter().map(|time| dated(time, day, month)));
            Some(triggers.collect())
        }
        Shape::At(instants) => Some(instants.iter().map(|at| json!({ "date": at })).collect()),
    }
}

fn dated((hour, minute, second): &Time, day: &str, month: &str) -> Value {
    json!({ "cron": {
        "hour": hour, "minute": minute, "second": second, "day": day, "month": month,
    }})
}

fn names(days: &[u8]) -> String {
    let names: Vec<_> = days.iter().map(|day| DAYS[usize::from(*day)]).collect();
    names.join(",")
}

fn cron_triggers(line: &Line) -> Option<Vec<Value>> {
    // It refuses a step that is longer than its range.
    let text = |field: &Field| {
        let pieces = field.0.iter().map(|piece| match *piece {
            Piece::Stepped(first, last, step) if step > last - first => Piece::One(first),
            ref other => other.clone(),
        });
        Field(pieces.collect()).text()
    };
    let mut day = match &line.day {
        Day::Field(field) => text(field),
        Day::Last => "last".to_owned(),
        Day::LastWeekday | Day::Nearest(_) => return None,
    };
    let week = match &line.week {
        Week::Field(field) if field.is_star() => "*".to_owned(),
        // Its days count from Monday, so that only names mean the same.
        Week::Field(field) => names(&Vec::from_iter(field.values(0, 6))),
        Week::Nth(..) | Week::Last(_) if !line.day_is_star() => return None,
        Week::Nth(weekday, nth) => {
            let nth = ["", "1st", "2nd", "3rd", "4th", "5th"][usize::from(*nth)];
            day = format!("{nth} {}", DAYS[usize::from(*weekday)]);
            "*".to_owned()
        }
        Week::Last(weekday) => {
            day = format!("last {}", DAYS[usize::from(*weekday)]);
            "*".to_owned()
        }
    };
    let second = line.second.as_ref().map_or("0".to_owned(), text);
    let trigger = |day: &str, week: &str| {
        json!({ "cron": {
            "second": second, "minute": text(&line.minute), "hour": text(&line.hour),
            "day": day, "month": text(&line.month), "day_of_week": week,
        }})
    };
    if line.either_day() {
        // It knows only "and".
        return Some(vec![trigger(&day, "*"), trigger("*", &week)]);
    }
    Some(vec![trigger(&day, &week)])
}

/// A union of systemd's calendar expressions.
pub fn calendar(shape: &Shape) -> Option<Vec<String>> {
    let each = |days: &str, times: &[Time]| {
        let one = |(h, m, s): &Time| format!("{days}*-*-* {h:02}:{m:02}:{s:02}");
        Some(times.iter().map(one).collect())
    };
    match shape {
        Shape::Cron(line) => cron_calendar(line),
        Shape::Hourly(minutes) => Some(vec![format!("*-*-* *:{}:00", list(minutes))]),
        Shape::Daily(times) => each("", times),
        Shape::Weekly(days, times) => each(&format!("{} ", names(days)), times),
        Shape::At(instants) => Some(
            instants
                .iter()
                .map(|at| timestamp(*at).replace('T', " ").replace('Z', " UTC"))
                .collect(),
        ),
        Shape::Monthly(days, times) => {
            let one = |day: &MonthDay| match *day {
                MonthDay::Date(date) => (String::new(), format!("*-{date}")),
                MonthDay::Last => (String::new(), "*~01".to_owned()),
                MonthDay::Nth(weekday, nth) => {
                    let week = format!("{} ", DAYS[usize::from(weekday)]);
                    (week, format!("*-{}..{}", nth * 7 - 6, (nth * 7).min(31)))
                }
                MonthDay::LastOf(weekday) => (
                    format!("{} ", DAYS[usize::from(weekday)]),
                    "*~07/1".to_owned(),
                ),
            };
            dates(days.iter().map(one).collect(), times)
        }
        Shape::Yearly(days, times) => {
            let one = |(month, day): &(u8, u8)| (String::new(), format!("{month}-{day}"));
            dates(days.iter().map(one).collect(), times)
        }
        Shape::Every(_) => None,
    }
}

/// Days of the week and dates, each with all times.
fn dates(days: Vec<(String, String)>, times: &[Time]) -> Option<Vec<String>> {
    let all = days.iter().flat_map(|(week, date)| {
        let one = move |(h, m, s): &Time| format!("{week}*-{date} {h:02}:{m:02}:{s:02}");
        times.iter().map(one)
    });
    Some(all.collect())
}

fn cron_calendar(line: &Line) -> Option<Vec<String>> {
    let text = |field: &Field, low: u8, high: u8| {
        let piece = |piece: &Piece| match *piece {
            Piece::Star => "*".to_owned(),
            // Not `0/7`: it forgets the first value when the hour or the year begins.
            Piece::Every(step) => format!("{low}..{high}/{step}"),
            Piece::One(value) => value.to_string(),
            Piece::Span(first, last) | Piece::Stepped(first, last, _) if first == last => {
                first.to_string()
            }
            Piece::Span(first, last) => format!("{first}..{last}"),
            Piece::Stepped(first, last, step) => format!("{first}..{last}/{step}"),
        };
        let pieces: Vec<_> = field.0.iter().map(piece).collect();
        pieces.join(",")
    };
    let mut day = match &line.day {
        Day::Field(field) => format!("-{}", text(field, 1, 31)),
        Day::Last => "~01".to_owned(),
        Day::LastWeekday | Day::Nearest(_) => return None,
    };
    let week = match &line.week {
        Week::Field(field) if field.is_star() => String::new(),
        Week::Field(field) => format!("{} ", names(&Vec::from_iter(field.values(0, 6)))),
        Week::Nth(..) | Week::Last(_) if !line.day_is_star() => return None,
        Week::Nth(weekday, nth) => {
            day = format!("-{}..{}", nth * 7 - 6, (nth * 7).min(31));
            format!("{} ", DAYS[usize::from(*weekday)])
        }
        Week::Last(weekday) => {
            day = "~07/1".to_owned();
            format!("{} ", DAYS[usize::from(*weekday)])
        }
    };
    let month = text(&line.month, 1, 12);
    let second = line
        .second
        .as_ref()
        .map_or("00".to_owned(), |s| text(s, 0, 59));
    let time = format!(
        "{}:{}:{second}",
        text(&line.hour, 0, 23),
        text(&line.minute, 0, 59)
    );
    if line.either_day() {
        // It knows only "and".
        return Some(vec![
            format!("*-{month}{day} {time}"),
            format!("{week}*-{month}-* {time}"),
        ]);
    }
    Some(vec![format!("{week}*-{month}{day} {time}")])
}
