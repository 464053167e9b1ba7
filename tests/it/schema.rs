//! The JSON Schema as editors and pipelines use it: by a checker that is not ours.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::peers;
use super::support::{Folder, elder};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// check-jsonschema with these words.
fn check(words: &[&str], files: &[PathBuf]) -> Output {
    let program = peers::installed().join("bin/check-jsonschema");
    Command::new(program)
        .args(words)
        .args(files)
        .current_dir(repository())
        .output()
        .unwrap()
}

#[track_caller]
fn passes(words: &[&str], files: &[PathBuf]) {
    let output = check(words, files);
    assert!(output.status.success(), "{words:?}: {output:?}");
}

/// The files of the repository with such a name, in folders that ship job files.
fn shipped(is_wanted: fn(&str) -> bool) -> Vec<PathBuf> {
    fn walk(folder: &Path, is_wanted: fn(&str) -> bool, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), is_wanted, found);
            } else if is_wanted(&name) {
                found.push(entry.path());
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["jobs.d", "examples"] {
        walk(&repository().join(folder), is_wanted, &mut found);
    }
    found.sort();
    found
}

#[test]
fn the_schemas_are_schemas() {
    let files = ["elder.schema.json", "elder-test.schema.json"];
    let files = files.map(|name| repository().join("schema").join(name));
    passes(&["--check-metaschema"], &files);
}

#[test]
fn every_shipped_file_passes() {
    let jobs = shipped(|name| {
        let is_yaml = name.ends_with(".yaml") || name.ends_with(".yml");
        is_yaml
            && !name.starts_with('.')
            && !name.contains(".test.")
            && name != "kustomization.yaml"
    });
    assert!(jobs.len() >= 10, "{jobs:?}");
    passes(&["--schemafile", "schema/elder.schema.json"], &jobs);
    let tests = shipped(|name| name.ends_with(".test.yaml"));
    assert!(!tests.is_empty());
    passes(&["--schemafile", "schema/elder-test.schema.json"], &tests);
}

/// What a shape can tell, each once: the file that elder refuses the schema refuses, too.
const BROKEN: [(&str, &str); 30] = [
    ("no-jobs-mapping", "jobs: []"),
    ("unknown-top", "job: {}"),
    ("unknown-key", "jobs: { a: { shedule: manual, run: x } }"),
    ("no-schedule", "jobs: { a: { run: x } }"),
    ("no-action", "jobs: { a: { schedule: manual } }"),
    (
        "two-actions",
        "jobs: { a: { schedule: manual, run: x, exec: [x] } }",
    ),
    ("bad-name", "jobs: { 'a b': { schedule: manual, run: x } }"),
    (
        "number-as-list",
        "jobs: { a: { schedule: manual, run: x, on_failure: { b: c } } }",
    ),
    (
        "bad-duration",
        "jobs: { a: { schedule: manual, run: x, timeout: 5 minutes } }",
    ),
    (
        "bare-number",
        "jobs: { a: { schedule: manual, run: x, timeout: 30 } }",
    ),
    (
        "bad-every",
        "jobs: { a: { schedule: { every: often }, run: x } }",
    ),
    ("empty-schedule", "jobs: { a: { schedule: [], run: x } }"),
    (
        "unknown-kind",
        "jobs: { a: { schedule: { evry: 5m }, run: x } }",
    ),
    (
        "bad-time",
        "jobs: { a: { schedule: { daily: '2:00' }, run: x } }",
    ),
    (
        "bad-minute",
        "jobs: { a: { schedule: { hourly: 60 }, run: x } }",
    ),
    (
        "bad-day",
        "jobs: { a: { schedule: { monthly: { day: 32, at: '09:00' } }, run: x } }",
    ),
    (
        "bad-weekday",
        "jobs: { a: { schedule: { weekly: { days: friday, at: '09:00' } }, run: x } }",
    ),
    (
        "bad-dst",
        "jobs: { a: { schedule: { daily: '02:00', dst: { gap: before } }, run: x } }",
    ),
    (
        "bad-overlap",
        "jobs: { a: { schedule: manual, run: x, overlap: parallel } }",
    ),
    (
        "no-instances",
        "jobs: { a: { schedule: manual, run: x, max_instances: 0 } }",
    ),
    (
        "flag-as-number",
        "jobs: { a: { schedule: manual, run: x, enabled: 7 } }",
    ),
    (
        "no-url",
        "jobs: { a: { schedule: manual, http: { method: GET } } }",
    ),
    (
        "bad-status",
        "jobs: { a: { schedule: manual, http: { url: 'http://x', expect: { status: 99 } } } }",
    ),
    (
        "secret-in-file",
        "jobs: { a: { schedule: manual, run: x, secrets: { A: hunter2 } } }",
    ),
    (
        "two-sources",
        "jobs: { a: { schedule: manual, run: x, secrets: { A: { env: B, file: C } } } }",
    ),
    (
        "bad-size",
        "jobs: { a: { schedule: manual, run: x, output: { keep: 64 } } }",
    ),
    ("not-in-defaults", "defaults: { run: x }"),
    ("no-limit", "pools: { a: {} }"),
    ("no-sage-action", "sages: { a: { after: 2 } }"),
    (
        "bad-range",
        "calendars: { a: { ranges: [{ from: 2027-01-01 }] } }",
    ),
];

#[test]
fn every_broken_file_fails_and_elder_refuses_it_too() {
    let folder = Folder::new();
    let mut files = Vec::new();
    for (name, text) in BROKEN {
        files.push(folder.write(&format!("jobs.d/{name}.yaml"), &format!("{text}\n")));
    }
    let words = [
        "--output-format",
        "json",
        "--schemafile",
        "schema/elder.schema.json",
    ];
    let output = check(&words, &files);
    let said = String::from_utf8(output.stdout).unwrap();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let errors = said["errors"].as_array().unwrap().iter();
    let refused: BTreeSet<String> = errors
        .map(|one| {
            let file = Path::new(one["filename"].as_str().unwrap());
            file.file_stem().unwrap().to_str().unwrap().to_owned()
        })
        .collect();
    let json = elder("validate --format json")
        .within(folder.path())
        .run()
        .json();
    for (name, text) in BROKEN {
        assert!(refused.contains(name), "the schema takes {name}: {text}");
        let file = format!("jobs.d/{name}.yaml");
        let mut errors = json["errors"].as_array().unwrap().iter();
        assert!(
            errors.any(|one| one["file"] == *file),
            "elder takes {name}: {text}"
        );
    }
}
