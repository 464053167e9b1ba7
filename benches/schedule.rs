//! How long the next fire takes, beside croner and the `cron` crate on the same question in the
//! same run. The `cron` crate is asked in UTC only, which is all that it can be asked without a
//! second database of zones.
#![expect(
    clippy::expect_used,
    reason = "a bench stops at what is wrong in itself"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use croner::parser::{CronParser, Seconds};
use elder::schedule::{Cron, Fold, Gap, Item, MonthDay, Schedule, YearDay, Zone, Zones};
use jiff::Timestamp;

/// Usual lines, then the worst valid ones.
const LINES: [(&str, &str); 10] = [
    ("every-minute", "* * * * *"),
    ("quarter-hours", "*/15 * * * *"),
    ("nightly", "30 3 * * *"),
    ("weekdays", "0 9 * * 1-5"),
    ("office-hours", "*/5 9-17 * * 1-5"),
    ("month-end", "0 2 L * *"),
    ("friday-13th", "0 0 13 * 5"),
    ("leap-day", "0 0 29 2 *"),
    ("leap-day-sunday", "0 0 29 2 */7"),
    // 29 February on a Monday: it is the only fifth Monday that February has.
    ("leap-day-monday", "0 0 * 2 mon#5"),
];

/// What the `cron` crate calls the same: seconds first, and both day fields must match. It has no
/// last day of the month, and it reads `1` as Sunday.
fn in_words_of_cron(name: &str) -> Option<&'static str> {
    Some(match name {
        "every-minute" => "0 * * * * *",
        "quarter-hours" => "0 */15 * * * *",
        "nightly" => "0 30 3 * * *",
        "weekdays" => "0 0 9 * * Mon-Fri",
        "office-hours" => "0 */5 9-17 * * Mon-Fri",
        "leap-day" => "0 0 0 29 2 *",
        "leap-day-sunday" => "0 0 0 29 2 Sun",
        "leap-day-monday" => "0 0 0 29 2 Mon",
        _ => return None,
    })
}

/// Instants all over a few years, so that no branch is learnt by heart.
fn instants() -> Vec<Timestamp> {
    (0..1_024i64)
        .map(|n| 1_800_000_000 + n * n * 97 % 100_000_000)
        .map(|second| Timestamp::from_second(second).expect("a second of our days"))
        .collect()
}

fn schedule(line: &str, zone: &Zone) -> Schedule {
    let cron = Cron::parse(line).expect("a good line");
    Schedule::new(vec![Item::cron(cron, zone.clone())])
}

fn next_after(criterion: &mut Criterion) {
    let zones = Zones::bundled();
    let instants = instants();
    for zone_name in ["UTC", "America/New_York"] {
        let zone = zones.get(zone_name).expect("a zone");
        let mut group = criterion.benchmark_group(format!("next_after/{zone_name}"));
        for (name, line) in LINES {
            let ours = schedule(line, &zone);
            let mut at = instants.iter().cycle();
            group.bench_function(BenchmarkId::new("elder", name), |bench| {
                bench.iter(|| ours.next_after(black_box(*at.next().expect("a cycle"))));
            });
            if zone_name == "UTC"
                && let Some(line) = in_words_of_cron(name)
            {
                let theirs: cron::Schedule = line.parse().expect("a good line");
                group.bench_function(BenchmarkId::new("cron", name), |bench| {
                    bench.iter(|| {
                        let second = at.next().expect("a cycle").as_second();
                        let from = chrono::DateTime::from_timestamp(second, 0).expect("a second");
                        theirs.after(black_box(&from)).next()
                    });
                });
            }
            if line.ends_with("*/7") {
                // There a day of week such as `*/7` is restricted: another question.
                continue;
            }
            let theirs = CronParser::builder()
                .seconds(Seconds::Optional)
                .build()
                .parse(line)
                .expect("a good line");
            group.bench_function(BenchmarkId::new("croner", name), |bench| {
                bench.iter(|| {
                    let from = at
                        .next()
                        .expect("a cycle")
                        .to_zoned(zone.timezone().clone());
                    theirs.find_next_occurrence(black_box(&from), false)
                });
            });
        }
        group.finish();
    }
}

fn other_kinds(criterion: &mut Criterion) {
    let zones = Zones::bundled();
    let zone = zones.get("America/New_York").expect("a zone");
    let instants = instants();
    let every = Item::every(Duration::from_secs(300)).expect("a period");
    let two = [jiff::civil::time(2, 30, 0, 0)];
    let daily = Item::daily(&two, zone.clone()).expect("a time");
    let day = |word| MonthDay::parse(word).expect("a day");
    let date = |word| YearDay::parse(word).expect("a date");
    let monthly = Item::monthly(&[day("last fri")], &two, zone.clone()).expect("days");
    let weekdays = [
        day("first weekday"),
        day("3rd weekday"),
        day("last weekday"),
    ];
    let weekdays = Item::monthly(&weekdays, &two, zone.clone()).expect("days");
    let yearly = Item::yearly(&[date("03-31"), date("12-24")], &two, zone.clone());
    let leap_day = Item::yearly(&[date("02-29")], &two, zone.clone()).expect("dates");
    let with = |gap, fold| Schedule::new(vec![daily.clone().at_changes(Some(gap), Some(fold))]);
    let kinds = [
        ("monthly", Schedule::new(vec![monthly])),
        ("monthly-weekdays", Schedule::new(vec![weekdays])),
        ("yearly", Schedule::new(vec![yearly.expect("dates")])),
        ("yearly-leap-day", Schedule::new(vec![leap_day])),
        ("daily-skip-first", with(Gap::Skip, Fold::First)),
        ("daily-after-second", with(Gap::After, Fold::Second)),
        ("daily-after-both", with(Gap::After, Fold::Both)),
        ("every", Schedule::new(vec![every.clone()])),
        ("daily", Schedule::new(vec![daily.clone()])),
        ("union", Schedule::new(vec![every, daily])),
        // Both Sundays lie in the gap since 2007, so that each year is asked in vain.
        ("never-in-practice", schedule("*/30 2 * 3 sun#2", &zone)),
    ];
    let mut group = criterion.benchmark_group("next_after/kinds");
    for (name, schedule) in kinds {
        let mut at = instants.iter().cycle();
        group.bench_function(name, |bench| {
            bench.iter(|| schedule.next_after(black_box(*at.next().expect("a cycle"))));
        });
    }
    group.finish();
}

fn counting(criterion: &mut Criterion) {
    let zones = Zones::bundled();
    let zone = zones.get("America/New_York").expect("a zone");
    let after: Timestamp = "2027-01-01T00:00:00Z".parse().expect("an instant");
    let until: Timestamp = "2037-01-01T00:00:00Z".parse().expect("an instant");
    let every = Item::every(Duration::from_secs(7)).expect("a period");
    let minutes = Item::cron(Cron::parse("* * * * *").expect("a line"), zone.clone());
    let nightly = Item::cron(Cron::parse("30 3 * * *").expect("a line"), zone.clone());
    let mut group = criterion.benchmark_group("ten-years");
    for (name, items) in [
        ("every-7s", vec![every.clone()]),
        ("every-minute", vec![minutes.clone()]),
        ("nightly", vec![nightly.clone()]),
        ("union", vec![every, minutes, nightly]),
    ] {
        let schedule = Schedule::new(items);
        group.bench_function(BenchmarkId::new("count", name), |bench| {
            bench.iter(|| schedule.count_between(black_box(after), black_box(until)));
        });
        group.bench_function(BenchmarkId::new("newest-100", name), |bench| {
            bench.iter(|| schedule.newest(black_box(after), black_box(until), 100));
        });
    }
    group.finish();
}

fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for (name, line) in LINES {
        group.bench_function(BenchmarkId::new("elder", name), |bench| {
            bench.iter(|| Cron::parse(black_box(line)));
        });
    }
    group.bench_function("zone-table", |bench| {
        bench.iter(|| Zones::bundled().get(black_box("America/New_York")));
    });
    group.finish();
}

criterion_group!(benches, next_after, other_kinds, counting, parsing);
criterion_main!(benches);
