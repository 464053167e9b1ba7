//! How long the next fire takes, beside croner on the same question in the same run.
#![expect(
    clippy::expect_used,
    reason = "a bench stops at what is wrong in itself"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use croner::parser::{CronParser, Seconds};
use elder::schedule::{Cron, Item, Schedule, Zone, Zones};
use jiff::Timestamp;

/// Usual lines, then the worst valid ones.
const LINES: [(&str, &str); 9] = [
    ("every-minute", "* * * * *"),
    ("quarter-hours", "*/15 * * * *"),
    ("nightly", "30 3 * * *"),
    ("weekdays", "0 9 * * 1-5"),
    ("office-hours", "*/5 9-17 * * 1-5"),
    ("month-end", "0 2 L * *"),
    ("friday-13th", "0 0 13 * 5"),
    ("leap-day", "0 0 29 2 *"),
    ("leap-day-sunday", "0 0 29 2 */7"),
];

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
    let daily = Item::daily(&[jiff::civil::time(2, 0, 0, 0)], zone.clone()).expect("a time");
    let kinds = [
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
