//! `elder test`: tests of schedules, from the files to the exit status.

use insta::assert_snapshot;

use super::support::{Folder, elder};

const JOBS: &str = "jobs:
  nightly-backup:
    schedule: { daily: '02:30' }
    timezone: Europe/Berlin
    run: ./backup.sh
  untested: { schedule: '@daily', run: ./x.sh }
";

const TESTS: &str = "tests:
  nightly-backup:
    - name: the spring gap
      fires_at: 2027-03-28T03:00:00
    - count: { from: 2027-03-01, until: 2027-03-31, is: 31 }
";

#[test]
fn tests_that_hold_are_one_line_each() {
    let folder = Folder::with(&[("jobs.d/a.yaml", JOBS), ("jobs.d/deep/a.test.yaml", TESTS)]);
    assert_snapshot!(elder("test --coverage").within(folder.path()).run(), @r#"
    exit 0
    --- stdout
    ok    nightly-backup: the spring gap (fires at 2027-03-28T03:00:00)
    ok    nightly-backup: count from 2027-03-01 until 2027-03-31 is 31
    no test  untested  jobs.d/a.yaml:6
    1 of 2 jobs have a test
    2 tests in 1 file: all hold
    "#);
}

#[test]
fn a_test_that_fails_shows_its_line_and_the_fires_around_it() {
    let tests = "tests:
  nightly-backup:
    - name: not at Christmas
      never_at: [2027-12-25]
    - fires_at: 2027-03-29T03:00:00
";
    let folder = Folder::with(&[("jobs.d/a.yaml", JOBS), ("jobs.d/a.test.yaml", tests)]);
    assert_snapshot!(elder("test").within(folder.path()).run(), @r#"
    exit 1
    --- stdout
    FAIL  nightly-backup: not at Christmas (never at 2027-12-25)
    FAIL  nightly-backup: fires at 2027-03-29T03:00:00

    error[E030]: `nightly-backup` fires once on 2027-12-25, first at Sat 2027-12-25T02:30:00+01:00
     --> jobs.d/a.test.yaml:4:18
      |
    4 |       never_at: [2027-12-25]
      |                  ^^^^^^^^^^
      |
      = help: the fire before: Fri 2027-12-24T02:30:00+01:00; the next one: Sun 2027-12-26T02:30:00+01:00

    error[E030]: `nightly-backup` does not fire at Mon 2027-03-29T03:00:00+02:00
     --> jobs.d/a.test.yaml:5:17
      |
    5 |     - fires_at: 2027-03-29T03:00:00
      |                 ^^^^^^^^^^^^^^^^^^^
      |
      = help: the fire before: Mon 2027-03-29T02:30:00+02:00; the next one: Tue 2027-03-30T02:30:00+02:00

    2 tests in 1 file: 2 failed
    "#);
    assert_snapshot!(elder("test --format github").within(folder.path()).run(), @r#"
    exit 1
    --- stdout
    FAIL  nightly-backup: not at Christmas (never at 2027-12-25)
    FAIL  nightly-backup: fires at 2027-03-29T03:00:00

    ::error file=jobs.d/a.test.yaml,line=4,col=18,endColumn=27,title=E030::`nightly-backup` fires once on 2027-12-25, first at Sat 2027-12-25T02:30:00+01:00%0Ahelp: the fire before: Fri 2027-12-24T02:30:00+01:00; the next one: Sun 2027-12-26T02:30:00+01:00
    ::error file=jobs.d/a.test.yaml,line=5,col=17,endColumn=35,title=E030::`nightly-backup` does not fire at Mon 2027-03-29T03:00:00+02:00%0Ahelp: the fire before: Mon 2027-03-29T02:30:00+02:00; the next one: Tue 2027-03-30T02:30:00+02:00
    2 tests in 1 file: 2 failed
    "#);
}

#[test]
fn a_bad_file_fails_and_does_not_stop_the_tests_of_good_ones() {
    let folder = Folder::with(&[
        ("jobs.d/a.yaml", JOBS),
        ("jobs.d/a.test.yaml", TESTS),
        (
            "jobs.d/bad.yaml",
            "jobs:\n  bad: { shedule: '@daily', run: x }\n",
        ),
        (
            "jobs.d/bad.test.yaml",
            "tests:\n  bad: { fires_at: 2027-01-01 }\n  nobody: { fires_at: 2027-01-01 }\n",
        ),
    ]);
    assert_snapshot!(elder("test --format concise").within(folder.path()).run(), @r#"
    exit 1
    --- stdout
    ok    nightly-backup: the spring gap (fires at 2027-03-28T03:00:00)
    ok    nightly-backup: count from 2027-03-01 until 2027-03-31 is 31
    none  bad: fires at 2027-01-01: not tried, the job's file is bad or the job is unknown
    none  nobody: fires at 2027-01-01: not tried, the job's file is bad or the job is unknown

    jobs.d/bad.test.yaml:3:3: E022 there is no job `nobody`; name a job of this tree, or remove the test
    jobs.d/bad.yaml:2:10: E002 a job has no key `shedule`; did you mean `schedule`?
    4 tests in 2 files: 2 not tried
    "#);
    // A good part of it by itself is good.
    let finished = elder("test jobs.d/a.test.yaml").within(folder.path()).run();
    assert_eq!(finished.code, Some(0), "{finished}");
    let finished = elder("test jobs.d/a.yaml").within(folder.path()).run();
    assert_eq!(finished.code, Some(0), "{finished}");
    assert!(
        finished.stdout.ends_with("2 tests in 1 file: all hold\n"),
        "{finished}"
    );
}

#[test]
fn programs_get_one_object() {
    let folder = Folder::with(&[("jobs.d/a.yaml", JOBS), ("jobs.d/a.test.yaml", TESTS)]);
    let finished = elder("test --format json --coverage")
        .within(folder.path())
        .run();
    let answer = finished.json();
    assert_eq!(answer["holds"], true);
    assert_eq!(answer["untested"], serde_json::json!(["untested"]));
    assert_eq!(answer["tests"][0]["result"], "ok");
    assert_eq!(answer["tests"][0]["line"], 4);
}

#[test]
fn without_a_test_there_is_no_answer_but_the_coverage() {
    let folder = Folder::with(&[("jobs.d/a.yaml", JOBS)]);
    assert_snapshot!(elder("test").within(folder.path()).run(), @r#"
    exit 2
    --- stderr
    error: there is no test
    help: write one beside the job file, in a file whose name ends in .test.yaml: docs/testing-schedules.md
    "#);
    let finished = elder("test --coverage").within(folder.path()).run();
    assert_eq!(finished.code, Some(0), "{finished}");
    assert!(
        finished.stdout.contains("0 of 2 jobs have a test"),
        "{finished}"
    );
    for line in ["test nowhere", "test -", "test jobs.d jobs.d/a.yaml"] {
        let finished = elder(line).within(folder.path()).run();
        assert_eq!(finished.code, Some(2), "{line}: {finished}");
    }
}

#[test]
fn neither_validate_nor_run_take_a_test_for_a_job_file() {
    let folder = Folder::with(&[("jobs.d/a.yaml", JOBS), ("jobs.d/a.test.yaml", "tests: [")]);
    let finished = elder("validate --strict").within(folder.path()).run();
    assert_eq!(finished.code, Some(0), "{finished}");
    let finished = elder("test").within(folder.path()).run();
    assert_eq!(finished.code, Some(1), "{finished}");
}

#[test]
fn the_schema_of_tests_is_the_one_in_the_repository() {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/elder-test.schema.json");
    let printed = elder("schema --tests").run().stdout;
    assert_eq!(printed, std::fs::read_to_string(kept).unwrap());
}
