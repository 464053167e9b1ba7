//! Schedules as the test thinks of them, before they are written down for
//! elder or for one of its peers.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

pub const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// One item of a cron field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Star,
    Every(u8),
    One(u8),
    Span(u8, u8),
    Stepped(u8, u8, u8),
}

/// One field of a cron line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field(pub Vec<Piece>);

impl Field {
    pub fn star() -> Self {
        Self(vec![Piece::Star])
    }

    pub fn is_star(&self) -> bool {
        self.0 == [Piece::Star]
    }

    /// Debian's cron looks at the first character only.
    pub fn begins_with_star(&self) -> bool {
        matches!(self.0[0], Piece::Star | Piece::Every(_))
    }

    pub fn values(&self, low: u8, high: u8) -> BTreeSet<u8> {
        let mut values = BTreeSet::new();
        for piece in &self.0 {
            let (first, last, step) = match *piece {
                Piece::Star => (low, high, 1),
                Piece::Every(step) => (low, high, step),
                Piece::One(value) => (value, value, 1),
                Piece::Span(first, last) => (first, last, 1),
                Piece::Stepped(first, last, step) => (first, last, step),
            };
            values.extend((first..=last).step_by(step.into()));
        }
        values
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        for (index, piece) in self.0.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            let _ = match piece {
                Piece::Star => write!(text, "*"),
                Piece::Every(step) => write!(text, "*/{step}"),
                Piece::One(value) => write!(text, "{value}"),
                Piece::Span(first, last) => write!(text, "{first}-{last}"),
                Piece::Stepped(first, last, step) => write!(text, "{first}-{last}/{step}"),
            };
        }
        text
    }
}

/// The field for the day of the month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Day {
    Field(Field),
    /// `L`
    Last,
    /// `LW`
    LastWeekday,
    /// `15W`
    Nearest(u8),
}

/// The field for the day of the week, 0 is Sunday.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Week {
    Field(Field),
    /// `fri#2`
    Nth(u8, u8),
    /// `friL`
    Last(u8),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub second: Option<Field>,
    pub minute: Field,
    pub hour: Field,
    pub day: Day,
    pub month: Field,
    pub week: Week,
}

impl Line {
    pub fn text(&self) -> String {
        let day = match &self.day {
            Day::Field(field) => field.text(),
            Day::Last => "L".to_owned(),
            Day::LastWeekday => "LW".to_owned(),
            Day::Nearest(day) => format!("{day}W"),
        };
        let week = match &self.week {
            Week::Field(field) => field.text(),
            Week::Nth(day, nth) => format!("{}#{nth}", DAYS[usize::from(*day)]),
            Week::Last(day) => format!("{}L", DAYS[usize::from(*day)]),
        };
        let five = format!(
            "{} {} {day} {} {week}",
            self.minute.text(),
            self.hour.text(),
            self.month.text()
        );
        match &self.second {
            Some(second) => format!("{} {five}", second.text()),
            None => five,
        }
    }

    pub fn day_is_star(&self) -> bool {
        matches!(&self.day, Day::Field(field) if field.is_star())
    }

    pub fn day_begins_with_star(&self) -> bool {
        matches!(&self.day, Day::Field(field) if field.begins_with_star())
    }

    pub fn week_begins_with_star(&self) -> bool {
        matches!(&self.week, Week::Field(field) if field.begins_with_star())
    }

    /// Whether either day field may match, by Debian's rule.
    pub fn either_day(&self) -> bool {
        !self.day_begins_with_star() && !self.week_begins_with_star()
    }
}

/// A time of day: hour, minute, second.
pub type Time = (u8, u8, u8);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    Cron(Line),
    /// Seconds.
    Every(u32),
    Hourly(Vec<u8>),
    Daily(Vec<Time>),
    /// Days, 0 is Sunday.
    Weekly(Vec<u8>, Vec<Time>),
    /// Days of each month.
    Monthly(Vec<MonthDay>, Vec<Time>),
    /// Dates of each year: month and day.
    Yearly(Vec<(u8, u8)>, Vec<Time>),
    /// Seconds since 1970.
    At(Vec<i64>),
}

/// A day of each month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MonthDay {
    Date(u8),
    Last,
    /// Day of the week, 0 is Sunday, and which one.
    Nth(u8, u8),
    LastOf(u8),
}

pub const NTH: [&str; 6] = ["", "1st", "2nd", "3rd", "4th", "5th"];

impl MonthDay {
    /// As elder writes it, and APScheduler, too.
    pub fn text(self) -> String {
        let day = |day: u8| DAYS[usize::from(day)];
        match self {
            Self::Date(date) => date.to_string(),
            Self::Last => "last".to_owned(),
            Self::Nth(weekday, nth) => format!("{} {}", NTH[usize::from(nth)], day(weekday)),
            Self::LastOf(weekday) => format!("last {}", day(weekday)),
        }
    }
}

impl Shape {
    /// As a query of `elder next --stdin` says it.
    pub fn elder(&self) -> Value {
        match self {
            Self::Cron(line) => json!(line.text()),
            Self::Every(seconds) => json!({ "every": format!("{seconds}s") }),
            Self::Hourly(minutes) => json!({ "hourly": minutes }),
            Self::Daily(times) => json!({ "daily": written(times) }),
            Self::Weekly(days, times) => {
                let days: Vec<_> = days.iter().map(|day| DAYS[usize::from(*day)]).collect();
                json!({ "weekly": { "days": days, "at": written(times) } })
            }
            Self::Monthly(days, times) => {
                let days: Vec<_> = days.iter().map(|day| day.text()).collect();
                json!({ "monthly": { "day": days, "at": written(times) } })
            }
            Self::Yearly(dates, times) => {
                let dates = dates.iter();
                let dates: Vec<_> = dates.map(|(m, d)| format!("{m:02}-{d:02}")).collect();
                json!({ "yearly": { "date": dates, "at": written(times) } })
            }
            Self::At(instants) => {
                let instants: Vec<_> = instants.iter().map(|at| timestamp(*at)).collect();
                json!({ "at": instants })
            }
        }
    }

    /// Whether it names one day of the week in each month.
    pub fn names_weekday(&self) -> bool {
        matches!(self, Self::Cron(line) if !matches!(line.week, Week::Field(_)))
    }

    /// Whether it counts from the end of the month.
    pub fn has_last(&self) -> bool {
        match self {
            Self::Cron(line) => line.day == Day::Last || matches!(line.week, Week::Last(_)),
            Self::Monthly(days, _) => {
                let mut days = days.iter();
                days.any(|day| matches!(day, MonthDay::Last | MonthDay::LastOf(_)))
            }
            _ => false,
        }
    }

    /// Whether elder lets it follow the wall clock through a change, rather
    /// than fire once for each time that it names.
    pub fn follows(&self) -> bool {
        match self {
            Self::Cron(line) => line.minute.begins_with_star() || line.hour.begins_with_star(),
            Self::Hourly(_) => true,
            _ => false,
        }
    }
}

fn written(times: &[Time]) -> Vec<String> {
    let each = times
        .iter()
        .map(|(h, m, s)| format!("{h:02}:{m:02}:{s:02}"));
    each.collect()
}

pub fn timestamp(second: i64) -> String {
    jiff::Timestamp::from_second(second).unwrap().to_string()
}

/// One question, for elder and its peers alike.
#[derive(Clone, Debug)]
pub struct Question {
    pub shape: Shape,
    pub zone: String,
    pub from: i64,
    pub n: usize,
    /// The schedule's own `from` and `until`, both in.
    pub within: (Option<i64>, Option<i64>),
}

impl Question {
    pub fn elder(&self) -> Value {
        let mut schedule = self.shape.elder();
        let ends = [("from", self.within.0), ("until", self.within.1)];
        for (key, at) in ends {
            if let Some(at) = at {
                if schedule.is_string() {
                    schedule = json!({ "cron": schedule });
                }
                schedule[key] = json!(timestamp(at));
            }
        }
        json!({
            "schedule": schedule, "timezone": self.zone,
            "from": timestamp(self.from), "n": self.n,
        })
    }

    /// What a peer is asked, which knows no `from`: after which instant.
    pub fn asked_after(&self) -> i64 {
        let before = self.within.0.map(|from| from - 1);
        self.from.max(before.unwrap_or(i64::MIN))
    }

    /// What a peer answers, which knows no `until`.
    pub fn cut(&self, fires: &mut Vec<i64>) {
        let until = self.within.1.unwrap_or(i64::MAX);
        fires.retain(|at| *at <= until);
    }
}
