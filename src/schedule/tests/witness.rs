//! An independent witness: it walks the clock in half minutes, notes each
//! reading that it has seen, and knows nothing of tables, sets or searches.

use std::collections::HashSet;

use jiff::civil::{Date, DateTime, Time};
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

use super::super::{Fold, Gap, MonthDay, YearDay};
use super::*;

/// No offset since 1970 has a smaller part than half a minute.
const STEP: i64 = 30;
const DAY: i64 = 86_400;

/// Whether a plain cron field (numbers, lists, ranges, steps, `*`) holds a value.
fn holds(field: &str, value: i8, low: i8, high: i8) -> bool {
    field.split(',').any(|item| {
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((first, last)) => (first.parse().unwrap(), last.parse().unwrap()),
            None => (range.parse().unwrap(), range.parse().unwrap()),
        };
        let step: i8 = step.parse().unwrap();
        value >= first && value <= last && (value - first) % step == 0
    })
}

fn matches(line: &str, at: DateTime) -> bool {
    let fields: Vec<&str> = line.split(' ').collect();
    let [minute, hour, day, month, week] = fields[..] else {
        panic!("{line}")
    };
    let weekday = at.weekday().to_sunday_zero_offset();
    let day_matches = holds(day, at.day(), 1, 31);
    let week_matches = holds(week, weekday, 0, 7) || weekday == 0 && holds(week, 7, 0, 7);
    let date = if day.starts_with('*') || week.starts_with('*') {
        day_matches && week_matches
    } else {
        day_matches || week_matches
    };
    at.second() == 0
        && holds(minute, at.minute(), 0, 59)
        && holds(hour, at.hour(), 0, 23)
        && holds(month, at.month(), 1, 12)
        && date
}

/// What is asked about: a rule for readings, and what is to happen at changes.
struct Question {
    schedule: Schedule,
    meant: Box<dyn Fn(DateTime) -> bool>,
    gap: Gap,
    fold: Fold,
    name: String,
}

impl Question {
    /// A cron line by its own rule.
    fn line(line: &str, zone: &Zone) -> Self {
        let fields: Vec<&str> = line.split(' ').collect();
        let follows = fields[0].starts_with('*') || fields[1].starts_with('*');
        let (gap, fold) = if follows {
            (Gap::Skip, Fold::Both)
        } else {
            (Gap::After, Fold::First)
        };
        let text = line.to_owned();
        Self {
            schedule: cron(line, zone.name()),
            meant: Box::new(move |at| matches(&text, at)),
            gap,
            fold,
            name: format!("{line} in {zone}"),
        }
    }

    /// The same with a rule that was said.
    fn with(mut self, gap: Option<Gap>, fold: Option<Fold>) -> Self {
        let [item] = self.schedule.items() else {
            panic!("one item")
        };
        self.schedule = Schedule::new(vec![item.clone().at_changes(gap, fold)]);
        self.gap = gap.unwrap_or(self.gap);
        self.fold = fold.unwrap_or(self.fold);
        self.name = format!("{} with {gap:?}, {fold:?}", self.name);
        self
    }

    /// Dates by a plain rule, at fixed times.
    fn dates(
        item: Item,
        times: &[Time],
        date: impl Fn(Date) -> bool + 'static,
        name: String,
    ) -> Self {
        let times = times.to_vec();
        Self {
            schedule: Schedule::new(vec![item]),
            meant: Box::new(move |at| times.contains(&at.time()) && date(at.date())),
            gap: Gap::After,
            fold: Fold::First,
            name,
        }
    }
}

/// One step of the clock: what it passes over, and what it shows then.
struct Step {
    at: i64,
    passed: Vec<DateTime>,
    shown: DateTime,
}

/// All fires of the middle of a span, which has two days at either end to warm up: a reading
/// counts as new when it was neither shown nor passed over before, and as the last when it
/// will not be again.
fn scan(question: &Question, zone: &Zone, start: i64, end: i64) -> Vec<Timestamp> {
    let mut steps: Vec<Step> = Vec::new();
    for at in (start..end).step_by(STEP as usize) {
        let shown = zone
            .timezone()
            .to_datetime(Timestamp::from_second(at).unwrap());
        let mut passed = Vec::new();
        if let Some(before) = steps.last() {
            let mut reading = before.shown + STEP.seconds();
            while reading < shown {
                passed.push(reading);
                reading += STEP.seconds();
            }
        }
        steps.push(Step { at, passed, shown });
    }
    let forwards = question.fold != Fold::Second;
    if !forwards {
        steps.reverse();
    }
    let mut known: HashSet<DateTime> = HashSet::new();
    let mut fires = Vec::new();
    for step in &steps {
        let mut fire = false;
        let mut show = |known: &mut HashSet<DateTime>| {
            let new = known.insert(step.shown);
            fire |= (new || question.fold == Fold::Both) && (question.meant)(step.shown);
        };
        if !forwards {
            show(&mut known);
        }
        let mut skipped = false;
        for reading in &step.passed {
            skipped |= known.insert(*reading) && (question.meant)(*reading);
        }
        if forwards {
            show(&mut known);
        }
        fire |= skipped && question.gap == Gap::After;
        if fire && step.at >= start + 2 * DAY && step.at < end - 2 * DAY {
            fires.push(Timestamp::from_second(step.at).unwrap());
        }
    }
    fires.sort_unstable();
    fires
}

fn assert_agree(question: &Question, zone: &Zone, change: i64) {
    // On the grid of half minutes that transitions are on, too.
    let start = change.div_euclid(STEP) * STEP - 3 * DAY;
    let end = change.div_euclid(STEP) * STEP + 4 * DAY;
    let from = Timestamp::from_second(start + 2 * DAY - 1).unwrap();
    let until = Timestamp::from_second(end - 2 * DAY - 1).unwrap();
    let (name, schedule) = (&question.name, &question.schedule);
    let scanned = scan(question, zone, start, end);
    let fires = walk_until(schedule, from, until);
    let (only_here, only_there): (Vec<_>, Vec<_>) = (
        fires.iter().filter(|at| !scanned.contains(at)).collect(),
        scanned.iter().filter(|at| !fires.contains(at)).collect(),
    );
    assert!(
        fires == scanned,
        "{name} in {zone} at {}: too many {only_here:?}, too few {only_there:?}",
        Timestamp::from_second(change).unwrap(),
    );
    assert_eq!(
        schedule.count_between(from, until),
        fires.len() as u64,
        "{name}"
    );
    // A union is counted by days, which is another way.
    let union = Schedule::new(vec![schedule.items()[0].clone(), Item::Startup]);
    let newest = union.newest(from, until, 5);
    let newest: Vec<_> = newest.into_iter().map(|fire| fire.scheduled).collect();
    assert_eq!(newest[..], fires[fires.len().saturating_sub(5)..], "{name}");
    let seconds = super::super::union::count(&[&union.items()[0]], from, until);
    assert_eq!(seconds, fires.len() as u64, "{name}: by days");
}

fn changes(zone: &Zone) -> Vec<i64> {
    let (first, last) = (
        instant("1970-01-05T00:00:00Z"),
        instant("2037-12-31T00:00:00Z"),
    );
    zone.timezone()
        .following(first)
        .map(|change| change.timestamp())
        .take_while(|at| *at < last)
        .map(Timestamp::as_second)
        .collect()
}

fn minute() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..60i8).prop_map(|m| m.to_string()),
        (0..60i8, 0..60i8).prop_map(|(a, b)| format!("{a},{b}")),
        prop_oneof![Just(5), Just(15), Just(30), Just(45), Just(7)].prop_map(|k| format!("*/{k}")),
        (0..30i8, 30..60i8, 1..20i8).prop_map(|(a, b, k)| format!("{a}-{b}/{k}")),
        Just("*".to_owned()),
    ]
}

fn hour() -> impl Strategy<Value = String> {
    prop_oneof![
        // The night is where clocks are changed.
        (0..4i8).prop_map(|h| h.to_string()),
        Just("23".to_owned()),
        (0..3i8, 3..24i8).prop_map(|(a, b)| format!("{a}-{b}")),
        (0..24i8, 0..4i8).prop_map(|(a, b)| format!("{a},{b}")),
        (1..5i8).prop_map(|k| format!("*/{k}")),
        Just("*".to_owned()),
    ]
}

fn date() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        4 => Just("* * *"),
        1 => Just("*/2 * *"),
        1 => Just("* * 0,6"),
        1 => Just("1-15 * 1-5"),
        1 => Just("*/3 * */2"),
        1 => Just("* 3,10 7"),
        1 => Just("25-31 * */7"),
    ]
}

fn gap() -> impl Strategy<Value = Option<Gap>> {
    prop::sample::select(vec![None, Some(Gap::After), Some(Gap::Skip)])
}

fn fold() -> impl Strategy<Value = Option<Fold>> {
    prop::sample::select(vec![
        None,
        Some(Fold::First),
        Some(Fold::Second),
        Some(Fold::Both),
    ])
}

fn month_day() -> impl Strategy<Value = MonthDay> {
    prop_oneof![
        (1..=31u8).prop_map(MonthDay::Day),
        Just(MonthDay::Last),
        (1..=5u8, 0..7u8).prop_map(|(k, day)| MonthDay::Nth(k, day)),
        (0..7u8).prop_map(MonthDay::LastOf),
        (1..=5u8).prop_map(MonthDay::NthWeekday),
        Just(MonthDay::LastWeekday),
    ]
}

/// Whether a date is such a day, by counting the days of its month.
fn is_month_day(day: MonthDay, date: Date) -> bool {
    let weekday = |date: Date| date.weekday().to_sunday_zero_offset().unsigned_abs();
    let is_weekday = |date: Date| (1..=5).contains(&weekday(date));
    let month = || {
        date.first_of_month()
            .series(1.day())
            .take(date.days_in_month() as usize)
    };
    let nth = |of: &dyn Fn(Date) -> bool, k: u8| month().filter(|d| of(*d)).nth(usize::from(k) - 1);
    let last = |of: &dyn Fn(Date) -> bool| month().filter(|d| of(*d)).last();
    match day {
        MonthDay::Day(day) => date.day().unsigned_abs() == day,
        MonthDay::Last => date == date.last_of_month(),
        MonthDay::Nth(k, day) => nth(&|d| weekday(d) == day, k) == Some(date),
        MonthDay::LastOf(day) => last(&|d| weekday(d) == day) == Some(date),
        MonthDay::NthWeekday(k) => nth(&is_weekday, k) == Some(date),
        MonthDay::LastWeekday => last(&is_weekday) == Some(date),
    }
}

fn year_day() -> impl Strategy<Value = String> {
    (1..=12i8, 1..=31i8).prop_map(|(month, day)| {
        let longest = Date::constant(2028, month, 1).days_in_month();
        format!("{month:02}-{:02}", day.min(longest))
    })
}

fn time() -> impl Strategy<Value = Time> {
    let hour = prop_oneof![4 => 0..4i8, 1 => 0..24i8];
    let minute = prop_oneof![Just(0i8), Just(30), 0..60i8];
    (hour, minute).prop_map(|(hour, minute)| Time::constant(hour, minute, 0, 0))
}

/// A zone and a change of its clock.
fn place() -> impl Strategy<Value = (Zone, i64)> {
    (any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_filter_map(
        "zones without a change",
        |(pick, at)| {
            let names = ZONES.names();
            let name: &String = pick.get(&names);
            let zone = zone(name);
            let changes = changes(&zone);
            (!changes.is_empty()).then(|| (zone, *at.get(changes.as_slice())))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]
    #[test]
    fn around_any_change_of_any_zone_the_witness_sees_the_same_fires(
        (zone, change) in place(), minute in minute(), hour in hour(), date in date(),
        gap in gap(), fold in fold(),
    ) {
        let line = format!("{minute} {hour} {date}");
        let question = Question::line(&line, &zone).with(gap, fold);
        assert_agree(&question, &zone, change);
    }

    #[test]
    fn days_of_the_month_around_any_change_of_any_zone_fire_as_the_witness_sees_them(
        (zone, change) in place(), days in prop::collection::vec(month_day(), 1..6),
        times in prop::collection::vec(time(), 1..4), gap in gap(), fold in fold(),
    ) {
        let item = Item::monthly(&days, &times, zone.clone()).unwrap();
        let name = format!("{days:?} at {times:?}");
        let is_one = move |date: Date| days.iter().any(|day| is_month_day(*day, date));
        let question = Question::dates(item, &times, is_one, name).with(gap, fold);
        assert_agree(&question, &zone, change);
    }

    #[test]
    fn dates_of_the_year_around_any_change_of_any_zone_fire_as_the_witness_sees_them(
        (zone, change) in place(), mut dates in prop::collection::vec(year_day(), 0..6),
        times in prop::collection::vec(time(), 1..4), gap in gap(), fold in fold(),
    ) {
        // Else most of them would be far away from the change.
        let on = zone.timezone().to_datetime(Timestamp::from_second(change).unwrap());
        dates.push(on.strftime("%m-%d").to_string());
        let read: Vec<_> = dates.iter().map(|date| YearDay::parse(date).unwrap()).collect();
        let item = Item::yearly(&read, &times, zone.clone()).unwrap();
        let name = format!("{dates:?} at {times:?}");
        let is_one = move |date: Date| dates.contains(&date.strftime("%m-%d").to_string());
        let question = Question::dates(item, &times, is_one, name).with(gap, fold);
        assert_agree(&question, &zone, change);
    }

    #[test]
    fn days_of_the_month_and_year_are_found_over_many_years(
        days in prop::collection::vec(month_day(), 1..6), dates in prop::collection::vec(year_day(), 1..40),
        start in 0i64..2_500_000_000,
    ) {
        let noon = [Time::constant(12, 0, 0, 0)];
        let read: Vec<_> = dates.iter().map(|date| YearDay::parse(date).unwrap()).collect();
        let after = Timestamp::from_second(start).unwrap();
        let until = Timestamp::from_second(start + 3_000 * DAY).unwrap();
        let first = Zone::utc().timezone().to_datetime(after).date();
        let check = |item: Item, is_one: &dyn Fn(Date) -> bool| {
            let fires: Vec<_> = first
                .series(1.day())
                .filter(|date| is_one(*date))
                .map(|date| Zone::utc().timezone().to_timestamp(date.at(12, 0, 0, 0)).unwrap())
                .skip_while(|at| *at <= after)
                .take_while(|at| *at <= until)
                .collect();
            let schedule = Schedule::new(vec![item]);
            let walked = walk_until(&schedule, after, until);
            let unlike = walked.iter().zip(&fires).find(|(one, other)| one != other);
            assert_eq!(unlike, None, "{schedule:?}");
            assert_eq!(walked.len(), fires.len(), "{schedule:?}");
            assert_eq!(schedule.count_between(after, until), fires.len() as u64, "{schedule:?}");
        };
        check(Item::monthly(&days, &noon, Zone::utc()).unwrap(), &|date| {
            days.iter().any(|day| is_month_day(*day, date))
        });
        check(Item::yearly(&read, &noon, Zone::utc()).unwrap(), &|date| {
            dates.contains(&date.strftime("%m-%d").to_string())
        });
    }
}

#[test]
fn in_the_oddest_places_the_witness_sees_the_same_fires() {
    let places = [
        ("Pacific/Apia", "2011-12-30T10:00:00Z"),
        ("Pacific/Kwajalein", "1993-08-21T12:00:00Z"),
        ("Pacific/Enderbury", "1994-12-31T11:00:00Z"),
        ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
        ("America/Sao_Paulo", "2019-02-17T02:00:00Z"),
        ("Australia/Lord_Howe", "2027-04-03T15:00:00Z"),
        ("Australia/Lord_Howe", "2027-10-02T15:30:00Z"),
        ("Antarctica/Troll", "2027-03-28T01:00:00Z"),
        ("Africa/Monrovia", "1972-01-07T00:44:30Z"),
        ("Asia/Pyongyang", "2018-05-04T15:00:00Z"),
        ("Africa/Casablanca", "2026-02-15T02:00:00Z"),
        ("Antarctica/Casey", "2010-03-04T15:00:00Z"),
    ];
    let lines = [
        "30 2 * * *",
        "0 0 * * *",
        "0,30 0-4 * * *",
        "*/10 * * * *",
        "15 * * * *",
        "*/20 1-3 * * *",
        "59 23 * * *",
    ];
    let gaps = [None, Some(Gap::After), Some(Gap::Skip)];
    let folds = [Fold::First, Fold::Second, Fold::Both].map(Some);
    for (name, change) in places {
        let zone = zone(name);
        let change = instant(change).as_second();
        for line in lines {
            assert_agree(&Question::line(line, &zone), &zone, change);
        }
        // Each rule once, and the lines by turns.
        let rules = gaps
            .into_iter()
            .flat_map(|gap| folds.map(|fold| (gap, fold)));
        for ((gap, fold), line) in rules.zip(lines.iter().cycle()) {
            let question = Question::line(line, &zone).with(gap, fold);
            assert_agree(&question, &zone, change);
        }
    }
}
