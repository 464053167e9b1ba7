//! The timetable at a million jobs, beside a bare heap of (instant, job) in the same run.
#![expect(
    clippy::unwrap_used,
    reason = "a bench stops at what is wrong in itself"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use elder::engine::timetable::Timetable;
use elder::ids::JobKey;
use elder::schedule::{Cron, Item, Schedule, Zone};
use jiff::Timestamp;

const JOBS: u32 = 1_000_000;

/// Each minute of a day, once a day.
fn daily() -> Vec<Arc<Schedule>> {
    (0..1440)
        .map(|minute| {
            let line = format!("{} {} * * *", minute % 60, minute / 60);
            let cron = Cron::parse(&line).unwrap();
            Arc::new(Schedule::new(vec![Item::cron(cron, Zone::utc())]))
        })
        .collect()
}

fn start() -> Timestamp {
    "2027-01-01T00:00:30Z".parse().unwrap()
}

fn filled(schedules: &[Arc<Schedule>]) -> Timetable {
    let mut table = Timetable::default();
    for (job, schedule) in (0..JOBS).zip(schedules.iter().cycle()) {
        table.insert(JobKey(job), schedule, start());
    }
    table
}

fn timetable(criterion: &mut Criterion) {
    let schedules = daily();
    let mut group = criterion.benchmark_group("timetable of 1,000,000 jobs");
    group.sample_size(10);
    group.bench_function("fill, 1,440 schedules", |bencher| {
        bencher.iter_with_large_drop(|| filled(&schedules));
    });
    group.bench_function("fill, a bare heap", |bencher| {
        bencher.iter_with_large_drop(|| {
            let due = |job: u32| start().as_second() + i64::from(job % 1440) * 60;
            (0..JOBS)
                .map(|job| Reverse((due(job), job)))
                .collect::<BinaryHeap<_>>()
        });
    });
    group.bench_function("one minute's 694 jobs come due", |bencher| {
        let mut table = filled(&schedules);
        let mut now = start();
        bencher.iter(|| {
            now = table.first_due().unwrap();
            black_box(table.pop_due(now))
        });
    });
    group.bench_function("one minute's 694 jobs, a bare heap", |bencher| {
        bencher.iter_batched_ref(
            || {
                let due = |job: u32| start().as_second() + i64::from(job % 1440) * 60;
                let all = (0..JOBS).map(|job| Reverse((due(job), job)));
                all.collect::<BinaryHeap<_>>()
            },
            |heap| {
                for _ in 0..694 {
                    let Reverse((due, job)) = heap.pop().unwrap();
                    heap.push(Reverse((due + 86_400, job)));
                }
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("one job leaves and comes back", |bencher| {
        let mut table = filled(&schedules);
        let mut job = 0;
        bencher.iter(|| {
            job = (job + 7_919) % JOBS;
            table.remove(JobKey(job));
            table.insert(JobKey(job), &schedules[job as usize % 1440], start())
        });
    });
    group.finish();
}

criterion_group!(benches, timetable);
criterion_main!(benches);
