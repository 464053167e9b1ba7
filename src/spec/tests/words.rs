//! A dozen findings as a person sees them, and text that nobody meant to write.

use proptest::prelude::*;

use super::*;

fn seen(keys: &str) -> String {
    shown(&file(&job(keys)).findings)
}

#[test]
fn findings_read_well() {
    insta::assert_snapshot!(seen("shedule: manual\nrun: x"), @r##"
E002 jobs.d/a.yaml:3:5: a job has no key `shedule`
  |     shedule: manual
  |     ^^^^^^^
  help: did you mean `schedule`?
"##);
    insta::assert_snapshot!(seen("schedule: 61 * * * *\nrun: x"), @r##"
E012 jobs.d/a.yaml:3:15: 61 is out of range for the minute
  |     schedule: 61 * * * *
  |               ^^
  help: write 0 to 59
"##);
    insta::assert_snapshot!(seen("schedule: */5 * * * *\nrun: x"), @r##"
E001 jobs.d/a.yaml:3:15: a value cannot begin with `*` without quotes
  |     schedule: */5 * * * *
  |               ^^^^^^^^^^^
  help: quote this value: "*/5 * * * *"
"##);
    insta::assert_snapshot!(seen("schedule: manual\nrun: x\ntimeout: 10"), @r##"
E014 jobs.d/a.yaml:5:14: `timeout` needs a unit
  |     timeout: 10
  |              ^^
  help: write 10s or 10m
"##);
    insta::assert_snapshot!(seen("schedule: manual\nrun: x\ntimezone: Asia/Tokio"), @r##"
E013 jobs.d/a.yaml:5:15: `Asia/Tokio` is no time zone
  |     timezone: Asia/Tokio
  |               ^^^^^^^^^^
  help: write Asia/Tokyo
"##);
    insta::assert_snapshot!(seen("schedule: manual\nrun: x\nurl: http://x"), @r##"
E002 jobs.d/a.yaml:5:5: a job has no key `url`
  |     url: http://x
  |     ^^^
  help: `url` belongs under `http`
"##);
    insta::assert_snapshot!(seen("schedule: manual\nrun: x\npool: database"), @r##"
E022 jobs.d/a.yaml:5:11: no pool is called `database`
  |     pool: database
  |           ^^^^^^^^
  help: define it under `pools:` at the top level of a job file
"##);
    insta::assert_snapshot!(seen("schedule: manual\nrun: x\non_failure: database"), @r##"
E022 jobs.d/a.yaml:5:17: no sage is called `database`
  |     on_failure: database
  |                 ^^^^^^^^
  help: define it under `sages:` at the top level of a job file
"##);
    insta::assert_snapshot!(seen("schedule: manual\nrun: curl ${secrets.TOKEN}"), @r##"
E017 jobs.d/a.yaml:4:10: `${secrets.TOKEN}` is not filled in in `run`
  |     run: curl ${secrets.TOKEN}
  |          ^^^^^^^^^^^^^^^^^^^^^
  help: the secret is in the environment: write "$TOKEN"
"##);
    insta::assert_snapshot!(seen("schedule: manual\nrun: x\nenabled: yes"), @r##"
E004 jobs.d/a.yaml:5:14: `enabled` is true or false, not `yes`
  |     enabled: yes
  |              ^^^
  help: write `true`
"##);
    insta::assert_snapshot!(seen("schedule: manual\nrun: a\nrun: b"), @r##"
E003 jobs.d/a.yaml:5:5: key `run` is given twice
  |     run: b
  |     ^^^
  4:5: first given here
  help: remove one of the two
"##);
    insta::assert_snapshot!(seen("schedule: manual\nrun: a | b"), @r##"
W001 jobs.d/a.yaml:4:10: of a pipe, only the last program's exit code counts
  |     run: a | b
  |          ^^^^^
  help: write `shell: [bash, -euo, pipefail, -c]`
"##);
    insta::assert_snapshot!(seen("schedule: manual\nrun: x\nenv: { A: \"${DB_PASSWORD}\" }"), @r##"
E017 jobs.d/a.yaml:5:15: `${DB_PASSWORD}` looks like a secret, which must not be filled in here
  |     env: { A: "${DB_PASSWORD}" }
  |               ^^^^^^^^^^^^^^^^^
  help: write `secrets: { DB_PASSWORD: { env: DB_PASSWORD } }` and use `${secrets.DB_PASSWORD}`
"##);
    insta::assert_snapshot!(seen("schedule: manual\nhttp: { url: \"http://x\", headers: { A: \"b\\nC: d\" } }"), @r##"
E021 jobs.d/a.yaml:4:44: the header `A` holds a line break or a control character
  |     http: { url: "http://x", headers: { A: "b\nC: d" } }
  |                                            ^^^^^^^^^^
  help: write it on one line; `|` and `>` leave a line break at the end, `>-` does not
"##);
    insta::assert_snapshot!(seen("schedule: { daily: 2:00 }\nrun: x\nexec: [y]"), @r##"
E015 jobs.d/a.yaml:3:24: `2:00` is no time of day
  |     schedule: { daily: 2:00 }
  |                        ^^^^
  help: write "02:00"
E020 jobs.d/a.yaml:5:5: a job does one thing, and here are `run` and `exec`
  |     exec: [y]
  |     ^^^^
  4:5: the first is here
  help: make two jobs of it
"##);
}

const GOOD: &str = r#"
x-a: &a { A: 1 }
defaults: { timezone: Asia/Tokyo, env: *a, retry: 2 }
jobs:
  one:
    description: "ü ${HOST:-x}"
    schedule: [{ daily: ["02:00", "10:00"] }, "30 3 * * 1-5", { every: 5m }]
    run: |
      set -e
      a | b
    secrets: { S: { file: s } }
  two:
    schedule: { weekly: { days: [mon, fri], at: "09:00" } }
    http: { url: "https://x/${secrets.S}", json: { a: [1, "b", null], <<: *a }, expect: { status: [2xx] } }
    secrets: { S: { env: T } }
    retry: { max: 2, backoff: 2s, when: [5xx, 429] }
"#;

fn survives(content: &[u8]) -> Result<(), TestCaseError> {
    let file = bytes(content);
    for finding in &file.findings {
        let place = &finding.at.place;
        prop_assert!(place.line == 0 || (place.column >= 1 && place.length >= 1));
        prop_assert!(finding.at.line.chars().count() <= 200);
        prop_assert!(!finding.message.is_empty() && finding.message.len() < 2_000);
        prop_assert!(finding.help.len() < 2_000);
        prop_assert_eq!(finding.severity, finding.code.severity());
    }
    prop_assert!(!file.is_bad() || file.jobs.is_empty());
    // What is taken can be stored.
    let stored = super::super::print(&file.jobs, Commons::NONE);
    let again = super::super::read(&stored, zones());
    prop_assert_eq!(again.map(|(jobs, _)| jobs.len()), Ok(file.jobs.len()));
    Ok(())
}

#[test]
fn the_file_that_is_mutated_is_good() {
    let file = file(GOOD);
    assert!(!file.is_bad(), "{}", shown(&file.findings));
    assert_eq!(file.jobs.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_panic(content in prop::collection::vec(any::<u8>(), 0..200)) {
        survives(&content)?;
    }

    #[test]
    fn no_text_of_the_characters_of_yaml_panics(text in "[-a-z0-9 \n:{}\\[\\],&*!|>'\"%@#~?<$.\t]{0,80}") {
        survives(text.as_bytes())?;
        survives(format!("jobs:\n  a:\n    {text}").as_bytes())?;
    }

    #[test]
    fn no_mutation_of_a_good_file_panics(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..6, "[-a-z0-9 \n:{}\\[\\],&*!|>'\"%@#~?<$.\t\u{0}ü]{0,4}"), 1..6)
    ) {
        let mut text = GOOD.to_owned();
        for (at, remove, insert) in edits {
            let from = floor(&text, at.index(text.len()));
            let to = floor(&text, (from + remove).min(text.len()));
            text.replace_range(from..to, &insert);
        }
        survives(text.as_bytes())?;
    }
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
