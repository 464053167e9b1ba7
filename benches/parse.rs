//! How long job files take to be read and checked, beside `serde_json` reading the same data as JSON
//! in the same run.
#![expect(
    clippy::expect_used,
    reason = "a bench stops at what is wrong in itself"
)]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use elder::schedule::Zones;
use elder::spec::{InputFile, Options, check, parse_schedule, print, read};
use sha2::{Digest, Sha256};

const JOBS: usize = 10_000;

fn job(n: usize) -> String {
    let mut text = format!(
        "  job-{n}:\n    description: The job of number {n}\n    labels: {{ team: t{}, tier: batch }}\n",
        n % 50
    );
    let minute = n % 60;
    let hour = n % 24;
    let _ = match n % 4 {
        0 => writeln!(
            text,
            "    schedule: \"{minute} {hour} * * 1-5\"\n    run: ./scripts/job.sh --number {n}"
        ),
        1 => writeln!(
            text,
            "    schedule: {{ daily: \"{hour:02}:{minute:02}\" }}\n    timezone: Asia/Tokyo\n    exec: [/usr/bin/env, job, \"{n}\"]"
        ),
        2 => writeln!(
            text,
            "    schedule: {{ every: {}m }}\n    http: https://example.com/jobs/{n}",
            minute + 1
        ),
        _ => writeln!(
            text,
            "    schedule: {{ weekly: {{ days: [mon, fri], at: \"{hour:02}:00\" }} }}\n    run: ./job.sh\n    env: {{ NUMBER: \"{n}\" }}\n    retry: {{ max: 2, backoff: 2s }}\n    timeout: 90s"
        ),
    };
    text
}

fn input(path: String, text: &str) -> InputFile {
    InputFile {
        root: "jobs.d".into(),
        root_folder: Arc::from(Path::new("/srv/jobs")),
        shown: format!("jobs.d/{path}").into(),
        path: path.into(),
        content: Ok(Arc::from(text.as_bytes())),
        hash: Sha256::digest(text).into(),
        within: None,
    }
}

fn options() -> Options {
    Options::default()
}

/// The same data as JSON, to the letter of its values.
fn as_json(text: &str) -> String {
    let checked = tree_of(text);
    serde_json::to_string(&checked).expect("values that JSON can hold")
}

/// Reads the YAML of this bench, which uses two levels of blocks and flow values only.
fn tree_of(text: &str) -> serde_json::Value {
    let mut jobs = serde_json::Map::new();
    let mut name = String::new();
    for line in text.lines().skip(1) {
        let trimmed = line.trim();
        match line.len() - line.trim_start().len() {
            2 => {
                name = trimmed.trim_end_matches(':').to_owned();
                jobs.insert(
                    name.clone(),
                    serde_json::Value::Object(serde_json::Map::new()),
                );
            }
            _ => {
                let (key, value) = trimmed.split_once(": ").expect("a key and a value");
                let value = flow(value);
                if let Some(job) = jobs.get_mut(&name).and_then(|job| job.as_object_mut()) {
                    job.insert(key.to_owned(), value);
                }
            }
        }
    }
    serde_json::json!({ "jobs": jobs })
}

fn flow(text: &str) -> serde_json::Value {
    let text = text.trim();
    let inner = |open: char, close: char| text.strip_prefix(open)?.strip_suffix(close);
    if let Some(inner) = inner('{', '}') {
        let entries = split(inner).into_iter().filter_map(|entry| {
            let (key, value) = entry.split_once(": ")?;
            Some((key.trim().to_owned(), flow(value)))
        });
        return serde_json::Value::Object(entries.collect());
    }
    if let Some(inner) = inner('[', ']') {
        return split(inner).into_iter().map(flow).collect();
    }
    serde_json::Value::String(text.trim_matches('"').to_owned())
}

fn split(text: &str) -> Vec<&str> {
    let mut depth = 0;
    let mut from = 0;
    let mut parts = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

fn parse(criterion: &mut Criterion) {
    let zones = Zones::bundled();
    let options = options();
    let nothing = HashMap::new();
    let one_file = (0..JOBS)
        .map(job)
        .fold("jobs:\n".to_owned(), |all, job| all + &job);
    let json = as_json(&one_file);
    let one = [input("all.yaml".to_owned(), &one_file)];
    let many: Vec<_> = (0..JOBS)
        .map(|n| {
            input(
                format!("d{}/f{n}.yaml", n % 100),
                &format!("jobs:\n{}", job(n)),
            )
        })
        .collect();
    let first = check(&one, None, &nothing, &options, &zones);
    assert_eq!(
        first.files[0].jobs.len(),
        JOBS,
        "{:?}",
        first.files[0].findings.first()
    );
    let before = check(&many, None, &nothing, &options, &zones);
    let mut edited = many.clone();
    edited[5_000] = input(
        many[5_000].path.to_string(),
        "jobs:\n  new: { schedule: manual, run: x }\n",
    );
    let stored = print(&first.files[0].jobs, elder::model::Commons::NONE);

    let mut group = criterion.benchmark_group("parse");
    group.sample_size(10);
    group.throughput(Throughput::Elements(JOBS as u64));
    group.bench_function("10,000 jobs in one file", |bench| {
        bench.iter(|| black_box(check(&one, None, &nothing, &options, &zones)));
    });
    group.bench_function("10,000 jobs in 10,000 files", |bench| {
        bench.iter(|| black_box(check(&many, None, &nothing, &options, &zones)));
    });
    group.bench_function("one edit among 10,000 files", |bench| {
        bench.iter(|| black_box(check(&edited, Some(&before), &nothing, &options, &zones)));
    });
    group.bench_function("serde_json on the same data", |bench| {
        bench.iter(|| black_box(serde_json::from_str::<serde_json::Value>(&json)));
    });
    group.bench_function("stored: print", |bench| {
        bench.iter(|| black_box(print(&first.files[0].jobs, elder::model::Commons::NONE)));
    });
    group.bench_function("stored: read", |bench| {
        bench.iter(|| black_box(read(&stored, &zones)));
    });
    group.finish();

    let mut group = criterion.benchmark_group("schedule");
    group.throughput(Throughput::Elements(1));
    for (name, text) in [
        ("cron line", "*/5 9-17 * * 1-5"),
        (
            "flow mapping",
            "{\"weekly\": {\"days\": [\"mon\", \"fri\"], \"at\": \"09:00\"}}",
        ),
    ] {
        group.bench_function(name, |bench| {
            bench.iter(|| black_box(parse_schedule(text, "Europe/Berlin", &zones, "job")));
        });
    }
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
