//! `elder validate --policy`: a team's own rules, their waivers, and a policy that is wrong itself.

use insta::assert_snapshot;

use super::support::{Finished, Folder, elder};

const JOBS: &str = "\
jobs:
  report:
    schedule: { every: 10s }
    http: https://api.example.org/report
";

const POLICY: &str = "\
rules:
  required: [owner, timeout]
  min_interval: 1m
  hosts: [\"*.example.com\"]
waivers:
  - { job: report, rule: min_interval, reason: until the push comes, until: 2999-12-31 }
  - { job: report, rule: hosts, reason: moves soon, until: 2026-01-31 }
";

fn folder() -> Folder {
    Folder::with(&[("jobs.d/a.yaml", JOBS), ("policy.yaml", POLICY)])
}

fn checked(folder: &Folder, more: &str) -> Finished {
    let line = format!("validate --policy policy.yaml {more}");
    elder(&line).within(folder.path()).run()
}

#[test]
fn a_broken_rule_is_told_at_the_job_with_the_mend_and_the_waiver() {
    assert_snapshot!(checked(&folder(), ""), @r#"
    exit 1
    --- stdout
    error[E060]: the job `report` lacks `owner` and `timeout`, which the policy asks for
     --> jobs.d/a.yaml:2:3
      |
    2 |   report:
      |   ^^^^^^
      |
      = help: write `owner: …` in the job or in its defaults, or waive it in policy.yaml: - { job: report, rule: required, reason: WHY, until: YYYY-MM-DD }

    error[E066]: the job `report` asks `api.example.org`, and allowed are `*.example.com`
     --> jobs.d/a.yaml:2:3
      |
    2 |   report:
      |   ^^^^^^
      |
     ::: policy.yaml:7:12
      |
    7 |   - { job: report, rule: hosts, reason: moves soon, until: 2026-01-31 }
      |            ------ this waiver ended with 2026-01-31
      |
      = help: ask an allowed host, or waive it in policy.yaml: - { job: report, rule: hosts, reason: WHY, until: YYYY-MM-DD }

    error[E069]: the waiver of `hosts` for `report` ended with 2026-01-31
     --> policy.yaml:7:12
      |
    7 |   - { job: report, rule: hosts, reason: moves soon, until: 2026-01-31 }
      |            ^^^^^^
      |
      = help: mend the job and take the waiver out, or agree on another day

    1 file, 1 good job: 3 errors
    "#);
}

#[test]
fn every_format_has_it() {
    let folder = folder();
    let json = checked(&folder, "--format json").json();
    let codes = json["errors"].as_array().unwrap().iter();
    let codes: Vec<_> = codes.map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["E060", "E066", "E069"]);
    for (format, want) in [
        ("concise", "jobs.d/a.yaml:2:3: E060"),
        ("github", "::error file=jobs.d/a.yaml,line=2,"),
        ("sarif", "\"ruleId\": \"E066\""),
        ("gitlab", "\"check_name\": \"E069\""),
    ] {
        let finished = checked(&folder, &format!("--format {format}"));
        assert_eq!(finished.code, Some(1), "{finished}");
        assert!(finished.stdout.contains(want), "{finished}");
    }
    let page = elder("explain E062").run();
    assert!(page.stdout.contains("min_interval"), "{page}");
}

#[test]
fn a_policy_that_is_wrong_itself_judges_nobody() {
    let folder = folder();
    folder.write("policy.yaml", "rules:\n  requird: [owner]\n");
    assert_snapshot!(checked(&folder, ""), @r#"
    exit 1
    --- stdout
    error[E002]: `rules` has no key `requird`
     --> policy.yaml:2:3
      |
    2 |   requird: [owner]
      |   ^^^^^^^
      |
      = help: did you mean `required`?

    1 file, 1 good job: 1 error
    "#);
    folder.remove("policy.yaml");
    let finished = checked(&folder, "");
    assert_eq!(finished.code, Some(2), "{finished}");
    assert!(finished.stderr.contains("policy.yaml"), "{finished}");
}

#[test]
fn a_manifest_is_judged_at_its_own_lines() {
    let data = JOBS.replace('\n', "\n    ");
    let manifest = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: x }}\ndata:\n  a.yaml: |\n    {data}\n"
    );
    let folder = Folder::with(&[("policy.yaml", POLICY)]);
    let line = "validate - --policy policy.yaml --format json";
    let json = elder(line)
        .within(folder.path())
        .input(&manifest)
        .run()
        .json();
    assert_eq!(json["errors"][0]["file"], "<stdin>", "{json}");
    assert_eq!(json["errors"][0]["line"], 7, "{json}");
}
