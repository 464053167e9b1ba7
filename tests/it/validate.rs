//! `elder validate`: what a person sees who made a mistake, and what a pipeline gets.

use insta::assert_snapshot;

use super::support::{Finished, Folder, elder};

const GOOD: &str = "jobs:\n  good:\n    schedule: { every: 5m }\n    run: ./work.sh\n";

/// `elder validate` on a folder with this one file.
fn checked(file: &str) -> Finished {
    let folder = Folder::with(&[("jobs.d/a.yaml", file)]);
    elder("validate").within(folder.path()).run()
}

#[test]
fn a_good_tree_says_so_and_ends_with_zero() {
    assert_snapshot!(checked(GOOD), @r#"
    exit 0
    --- stdout
    1 file, 1 good job: nothing to mend
    "#);
}

#[test]
fn a_key_that_does_not_exist_is_answered_with_the_nearest_that_does() {
    let file = "jobs:\n  a:\n    shedule: { every: 5m }\n    run: x\n";
    assert_snapshot!(checked(file), @r#"
    exit 1
    --- stdout
    error[E002]: a job has no key `shedule`
     --> jobs.d/a.yaml:3:5
      |
    3 |     shedule: { every: 5m }
      |     ^^^^^^^
      |
      = help: did you mean `schedule`?

    1 file, 0 good jobs: 1 error
    "#);
}

#[test]
fn a_bad_cron_line_has_its_carets_under_the_bad_part() {
    let file = "jobs:\n  a:\n    schedule: \"30 25 * * 1-5\"\n    run: x\n";
    assert_snapshot!(checked(file), @r#"
    exit 1
    --- stdout
    error[E012]: 25 is out of range for the hour
     --> jobs.d/a.yaml:3:19
      |
    3 |     schedule: "30 25 * * 1-5"
      |                   ^^
      |
      = help: write 0 to 23

    1 file, 0 good jobs: 1 error
    "#);
}

#[test]
fn a_bare_number_is_answered_with_units() {
    let file = "jobs:\n  a:\n    schedule: { every: 5 }\n    run: x\n    timeout: 30\n";
    assert_snapshot!(checked(file), @r#"
    exit 1
    --- stdout
    error[E014]: `every` needs a unit
     --> jobs.d/a.yaml:3:24
      |
    3 |     schedule: { every: 5 }
      |                        ^
      |
      = help: write 5s or 5m

    error[E014]: `timeout` needs a unit
     --> jobs.d/a.yaml:5:14
      |
    5 |     timeout: 30
      |              ^^
      |
      = help: write 30s or 30m

    1 file, 0 good jobs: 2 errors
    "#);
}

#[test]
fn a_zone_that_does_not_exist_is_answered_with_the_nearest() {
    let file = "jobs:\n  a:\n    schedule: \"@daily\"\n    timezone: Asia/Tokio\n    run: x\n";
    assert_snapshot!(checked(file), @r#"
    exit 1
    --- stdout
    error[E013]: `Asia/Tokio` is no time zone
     --> jobs.d/a.yaml:4:15
      |
    4 |     timezone: Asia/Tokio
      |               ^^^^^^^^^^
      |
      = help: write Asia/Tokyo

    1 file, 0 good jobs: 1 error
    "#);
}

#[test]
fn two_actions_are_both_shown() {
    let file =
        "jobs:\n  a:\n    schedule: \"@daily\"\n    run: x\n    http: https://shop.example.com/\n";
    assert_snapshot!(checked(file), @r#"
    exit 1
    --- stdout
    error[E020]: a job does one thing, and here are `run` and `http`
     --> jobs.d/a.yaml:5:5
      |
    4 |     run: x
      |     --- the first is here
    5 |     http: https://shop.example.com/
      |     ^^^^
      |
      = help: make two jobs of it

    1 file, 0 good jobs: 1 error
    "#);
}

#[test]
fn a_key_given_twice_is_shown_at_both_places() {
    let file = "jobs:\n  a:\n    schedule: \"@daily\"\n    run: x\n    run: y\n";
    assert_snapshot!(checked(file), @r#"
    exit 1
    --- stdout
    error[E003]: key `run` is given twice
     --> jobs.d/a.yaml:5:5
      |
    4 |     run: x
      |     --- first given here
    5 |     run: y
      |     ^^^
      |
      = help: remove one of the two

    1 file, 0 good jobs: 1 error
    "#);
}

#[test]
fn text_that_is_no_yaml_is_shown_where_it_breaks() {
    assert_snapshot!(checked("jobs:\n  a:\n    schedule: [1, 2\n    run: x\n"), @r#"
    exit 1
    --- stdout
    error[E001]: a bracket that is opened and not closed
     --> jobs.d/a.yaml:3:15
      |
    3 |     schedule: [1, 2
      |               ^
      |
      = help: close it with `]`

    1 file, 0 good jobs: 1 error
    "#);
}

#[test]
fn an_unquoted_star_gets_a_hint_about_quotes() {
    assert_snapshot!(checked("jobs:\n  a:\n    schedule: */5 * * * *\n    run: x\n"), @r#"
    exit 1
    --- stdout
    error[E001]: a value cannot begin with `*` without quotes
     --> jobs.d/a.yaml:3:15
      |
    3 |     schedule: */5 * * * *
      |               ^^^^^^^^^^^
      |
      = help: quote this value: "*/5 * * * *"

    1 file, 0 good jobs: 1 error
    "#);
}

#[test]
fn a_secret_in_a_command_is_refused_with_what_to_write() {
    let file = "jobs:\n  a:\n    schedule: \"@daily\"\n    run: echo ${secrets.TOKEN}\n    secrets: { TOKEN: { env: T } }\n";
    assert_snapshot!(checked(file), @r#"
    exit 1
    --- stdout
    error[E017]: `${secrets.TOKEN}` is not filled in in `run`
     --> jobs.d/a.yaml:4:10
      |
    4 |     run: echo ${secrets.TOKEN}
      |          ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: the secret is in the environment: write "$TOKEN"

    1 file, 0 good jobs: 1 error
    "#);
}

#[test]
fn what_this_build_does_not_do_yet_is_refused_and_never_ignored() {
    let file = "jobs:\n  a:\n    schedule: \"@daily\"\n    run: x\n    kubernetes: { image: x }\n";
    assert_snapshot!(checked(file), @r#"
    exit 1
    --- stdout
    error[E007]: `kubernetes` is known, but not in this build
     --> jobs.d/a.yaml:5:5
      |
    5 |     kubernetes: { image: x }
      |     ^^^^^^^^^^
      |
      = help: remove it: nothing would come of it

    1 file, 0 good jobs: 1 error
    "#);
}

#[test]
fn a_variable_that_is_not_set_fails_unless_that_is_allowed() {
    let file =
        "jobs:\n  a:\n    schedule: \"${WHEN}\"\n    run: x\n    timezone: ${ZONE:-Asia/Tokyo}\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", file), ("elder.env", "WHEN=@daily\n")]);
    assert_snapshot!(elder("validate").within(folder.path()).run(), @r#"
    exit 1
    --- stdout
    error[E017]: `${WHEN}` is not set
     --> jobs.d/a.yaml:3:15
      |
    3 |     schedule: "${WHEN}"
      |               ^^^^^^^^^
      |
      = help: set it for elder, or write `${WHEN:-default}`

    1 file, 0 good jobs: 1 error
    "#);
    for program in [
        elder("validate").env("WHEN", "@daily"),
        elder("validate --env-file elder.env"),
    ] {
        let finished = program.within(folder.path()).run();
        assert_eq!(finished.code, Some(0), "{finished}");
    }
    let bad = elder("validate")
        .env("WHEN", "never")
        .within(folder.path())
        .run();
    assert_eq!(bad.code, Some(1), "{bad}");
}

#[test]
fn a_name_that_two_files_claim_is_a_finding_in_both() {
    let folder = Folder::with(&[("jobs.d/a.yaml", GOOD), ("jobs.d/sub/b.yaml", GOOD)]);
    assert_snapshot!(elder("validate").within(folder.path()).run(), @r#"
    exit 1
    --- stdout
    error[E011]: the job name "good" is also defined in jobs.d/sub/b.yaml:2
     --> jobs.d/a.yaml:2:3
      |
    2 |   good:
      |   ^^^^
      |
     ::: jobs.d/sub/b.yaml:2:3
      |
    2 |   good:
      |   ----
      |
      = help: rename one of the two; until then neither is in force

    error[E011]: the job name "good" is also defined in jobs.d/a.yaml:2
     --> jobs.d/sub/b.yaml:2:3
      |
    2 |   good:
      |   ^^^^
      |
     ::: jobs.d/a.yaml:2:3
      |
    2 |   good:
      |   ----
      |
      = help: rename one of the two; until then neither is in force

    2 files, 0 good jobs: 2 errors
    "#);
}

#[test]
fn a_single_file_is_checked_in_its_tree_and_only_its_findings_are_printed() {
    let zone = "defaults:\n  timezone: Asia/Tokyo\n";
    let folder = Folder::with(&[
        ("jobs.d/_defaults.yaml", zone),
        ("jobs.d/a.yaml", GOOD),
        ("jobs.d/sub/b.yaml", GOOD),
        ("jobs.d/c.yaml", "jobs: nonsense\n"),
    ]);
    let finished = elder("validate jobs.d/sub/b.yaml --format json")
        .within(folder.path())
        .run();
    assert_eq!(finished.code, Some(1), "{finished}");
    let errors = finished.json()["errors"].clone();
    assert_eq!(errors.as_array().unwrap().len(), 1, "{finished}");
    assert_eq!(errors[0]["file"], "jobs.d/sub/b.yaml");
    assert_eq!(errors[0]["code"], "E011");
    assert_eq!(finished.json()["files"], 1);
    // From within its folder it is found just the same.
    let finished = elder("validate b.yaml --format concise")
        .within(&folder.join("jobs.d/sub"))
        .run();
    assert!(
        finished.stdout.starts_with("b.yaml:2:3: E011 "),
        "{finished}"
    );
    // A tree of its own has no sibling to quarrel with.
    let finished = elder("validate jobs.d/sub/b.yaml --root jobs.d/sub")
        .within(folder.path())
        .run();
    assert_eq!(finished.code, Some(0), "{finished}");
    let finished = elder("validate jobs.d/notes.txt")
        .within(folder.path())
        .run();
    assert_eq!(finished.code, Some(2), "{finished}");
}

#[test]
fn several_files_of_one_tree_do_not_quarrel_with_themselves() {
    let job = |name: &str| GOOD.replace("good", name);
    let folder = Folder::with(&[
        ("jobs.d/a.yaml", &job("a")),
        ("jobs.d/sub/b.yaml", &job("b")),
        ("jobs.d/sub/c.yaml", &job("a")),
    ]);
    let run = |line: &str| elder(line).within(folder.path()).run();
    for line in [
        "validate jobs.d/sub/b.yaml jobs.d/sub/../sub/c.yaml",
        "validate ./jobs.d/sub/b.yaml",
    ] {
        let finished = run(line);
        assert_eq!(finished.code, Some(0), "{line}: {finished}");
    }
    let finished = run("validate jobs.d/a.yaml jobs.d/sub/b.yaml --format concise");
    assert_eq!(finished.code, Some(1), "{finished}");
    let lines: Vec<_> = finished.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{finished}");
    assert!(
        lines[0].starts_with("jobs.d/a.yaml:2:3: E011 "),
        "{finished}"
    );
    assert_eq!(lines[1], "2 files, 1 good job: 1 error");
    for (line, hint) in [
        ("validate jobs.d jobs.d/a.yaml", "lies within"),
        ("validate jobs.d/a.yaml jobs.d/sub", "files and folders"),
        ("validate jobs.d --root jobs.d", "--root is for"),
        (
            "validate jobs.d/a.yaml --root jobs.d/sub",
            "does not lie in",
        ),
        (
            "validate jobs.d/a.yaml --root nowhere",
            "cannot read --root nowhere",
        ),
    ] {
        let finished = run(line);
        assert_eq!(finished.code, Some(2), "{line}: {finished}");
        assert!(finished.stderr.contains(hint), "{line}: {finished}");
    }
}

#[test]
fn standard_input_is_a_file_too() {
    let finished = elder("validate - --format concise")
        .input("jobs: [\n")
        .run();
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(finished.stdout.starts_with("<stdin>:"), "{finished}");
    let finished = elder("validate -").input(GOOD).run();
    assert_eq!(finished.code, Some(0), "{finished}");
}

#[test]
fn each_format_has_its_shape() {
    let file = "jobs:\n  a:\n    schedule: \"61 * * * *\"\n    run: x\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", file)]);
    let run = |line: &str| elder(line).within(folder.path()).run();
    assert_snapshot!(run("validate --format concise"), @r#"
    exit 1
    --- stdout
    jobs.d/a.yaml:3:16: E012 61 is out of range for the minute; write 0 to 59
    1 file, 0 good jobs: 1 error
    "#);
    assert_snapshot!(run("validate --format github"), @r#"
    exit 1
    --- stdout
    ::error file=jobs.d/a.yaml,line=3,col=16,endColumn=17,title=E012::61 is out of range for the minute%0Ahelp: write 0 to 59
    1 file, 0 good jobs: 1 error
    "#);
    assert_snapshot!(run("validate --format json"), @r#"
    exit 1
    --- stdout
    {
      "files": 1,
      "jobs": 0,
      "errors": [
        {
          "file": "jobs.d/a.yaml",
          "line": 3,
          "column": 16,
          "code": "E012",
          "message": "61 is out of range for the minute",
          "help": "write 0 to 59"
        }
      ],
      "warnings": [],
      "notes": []
    }
    "#);
    assert_eq!(run("--validate").to_string(), run("validate").to_string());
    let auto = elder("validate")
        .env("GITHUB_ACTIONS", "true")
        .within(folder.path())
        .run();
    assert_eq!(
        auto.to_string(),
        run("validate --format github").to_string()
    );
}

#[test]
fn without_anything_to_check_there_is_no_answer() {
    let folder = Folder::with(&[
        ("empty/readme.md", "no job"),
        ("defaults/_defaults.yaml", "defaults: {}\n"),
    ]);
    for (line, code, hint) in [
        ("validate", 2, "there is no folder jobs.d here"),
        ("validate nowhere", 2, "nowhere"),
        ("validate empty", 2, "there is no job file in empty"),
        ("validate defaults", 2, "there is no job file in defaults"),
        ("validate --allow-empty empty", 0, ""),
        ("validate empty empty", 2, "named twice"),
        (
            "validate --env-file none.env --allow-empty empty",
            2,
            "none.env",
        ),
    ] {
        let finished = elder(line).within(folder.path()).run();
        assert_eq!(finished.code, Some(code), "{line}: {finished}");
        assert!(finished.stderr.contains(hint), "{line}: {finished}");
        assert_eq!(finished.stdout.is_empty(), code == 2, "{line}: {finished}");
    }
}

#[test]
fn warnings_fail_only_a_strict_check() {
    let file = "jobs:\n  a:\n    schedule: { every: 2d }\n    run: x\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", file)]);
    for (line, code) in [("validate", 0), ("validate --strict", 1)] {
        let finished = elder(line).within(folder.path()).run();
        assert_eq!(finished.code, Some(code), "{line}: {finished}");
        assert!(finished.stdout.contains("1 warning"), "{finished}");
    }
}

#[test]
fn nothing_is_written_and_nothing_is_run() {
    let file = "jobs:\n  a:\n    schedule: startup\n    run: touch ran\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", file)]);
    let finished = elder("validate").within(folder.path()).run();
    assert_eq!(finished.code, Some(0), "{finished}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_date_that_is_past_is_a_note_and_fails_nothing() {
    let text = "jobs:\n  gone: { schedule: { at: 2020-01-01T00:00:00Z }, run: x }\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let done = elder("validate jobs.d --strict --format json")
        .within(folder.path())
        .run();
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.json()["notes"][0]["code"], "N002", "{done:?}");
}
