//! Job files within Kubernetes manifests: checked in place, refused where job files belong.

use insta::assert_snapshot;

use super::support::{Daemon, Folder, elder, git, until};

const MAPS: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: { name: elder }
---
# Source: elder/templates/jobs.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: elder-jobs
data:
  _defaults.yaml: |
    defaults:
      timezone: Asia/Tokyo
  shop.yaml: |-
    jobs:

      report:
        schedule: { daily: \"02:00\" }
        run: ./report.sh
  billing.yaml: \"jobs:\\n  bill:\\n    schedule: { every: 1h }\\n    run: ./bill.sh\\n\"
";

fn checked(manifest: &str) -> super::support::Finished {
    elder("validate -").input(manifest).run()
}

#[test]
fn the_job_files_of_a_stream_are_checked_as_the_files_that_they_will_be() {
    assert_snapshot!(checked(MAPS), @r#"
    exit 0
    --- stdout
    2 files, 2 good jobs: nothing to mend
    "#);
    // The defaults beside them count, and calendars, and tests.
    let folder = Folder::with(&[("k8s/jobs.yaml", MAPS)]);
    let next = elder("next report k8s/jobs.yaml -n 1 --from 2027-01-01T00:00:00Z")
        .within(folder.path())
        .run();
    assert!(next.stdout.contains("2027-01-02T02:00:00+09:00"), "{next}");
    let tests = "  shop.test.yaml: |\n    tests: { report: { never_at: 2027-01-02T02:00:00 } }\n";
    let finished = elder("test -").input(&format!("{MAPS}{tests}")).run();
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(finished.stdout.contains("<stdin>:22:"), "{finished}");
}

#[test]
fn a_finding_stands_at_its_line_and_column_of_the_manifest() {
    let bad = MAPS
        .replace("daily: \"02:00\"", "daily: \"25:00\"")
        .replace("every: 1h", "every: 1");
    assert_snapshot!(checked(&bad), @r#"
    exit 1
    --- stdout
    error[E015]: `25:00` is no time of day
      --> <stdin>:18:28
       |
    18 |         schedule: { daily: "25:00" }
       |                            ^^^^^^^^
       |
       = help: times go from 00:00:00 to 23:59:59

    error[E014]: `every` needs a unit
      --> <stdin>:20:57
       |
    20 |   billing.yaml: "jobs:\n  bill:\n    schedule: { every: 1 }\n    run: ./bill.sh\n"
       |                                                         ^
       |
       = help: write 1s or 1m

    2 files, 0 good jobs: 2 errors
    "#);
}

#[test]
fn what_cannot_be_laid_side_by_side_is_told_at_its_key() {
    let folded = MAPS.replace(
        "  shop.yaml: |-\n    jobs:\n\n      report:\n        schedule: { daily: \"02:00\" }\n        run: ./report.sh\n",
        "  shop.yaml: >-\n    jobs: { report: {\n    schedule: { daily: \"25:00\" },\n    run: ./report.sh } }\n",
    );
    assert_ne!(folded, MAPS);
    assert_snapshot!(checked(&folded), @r#"
    exit 1
    --- stdout
    error[E015]: `25:00` is no time of day (line 1, column 38 of the text of `shop.yaml`)
      --> <stdin>:14:3
       |
    14 |   shop.yaml: >-
       |   ^^^^^^^^^
       |
       = help: times go from 00:00:00 to 23:59:59

    2 files, 1 good job: 1 error
    "#);
}

#[test]
fn names_are_unique_among_the_config_maps_of_a_namespace() {
    let second = |namespace: &str| {
        format!(
            "{MAPS}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: more, namespace: {namespace} }}\ndata:\n  a.yaml: 'jobs: {{ bill: {{ schedule: manual, run: x }} }}'\n"
        )
    };
    let other = checked(&second("staging"));
    assert_eq!(other.code, Some(0), "{other}");
    assert_snapshot!(checked(&second("''")), @r#"
    exit 1
    --- stdout
    error[E011]: the job name "bill" is also defined in <stdin>:26
      --> <stdin>:20:27
       |
    20 |   billing.yaml: "jobs:\n  bill:\n    schedule: { every: 1h }\n    run: ./bill.sh\n"
       |                           ^^^^
    ...
    26 |   a.yaml: 'jobs: { bill: { schedule: manual, run: x } }'
       |                    ----
       |
       = help: rename one of the two; until then neither is in force

    error[E011]: the job name "bill" is also defined in <stdin>:20
      --> <stdin>:26:20
       |
    20 |   billing.yaml: "jobs:\n  bill:\n    schedule: { every: 1h }\n    run: ./bill.sh\n"
       |                           ----
    ...
    26 |   a.yaml: 'jobs: { bill: { schedule: manual, run: x } }'
       |                    ^^^^
       |
       = help: rename one of the two; until then neither is in force

    3 files, 1 good job: 2 errors
    "#);
}

#[test]
fn a_stream_without_job_files_is_an_error_or_a_note() {
    let none = "apiVersion: v1\nkind: Service\nmetadata: { name: x }\n";
    assert_snapshot!(checked(none), @r#"
    exit 2
    --- stderr
    error: there is no ConfigMap with job files in <stdin>
    help: a key of its data that ends in .yaml or .yml is a job file; --allow-empty takes manifests without one
    "#);
    assert_snapshot!(elder("validate --allow-empty -").input(none).run(), @r#"
    exit 0
    --- stdout
    note[N001]: there is no ConfigMap with job files in <stdin>
    --> <stdin>

    0 files, 0 good jobs: 1 note
    "#);
    let broken = checked("apiVersion: v1\nkind: ConfigMap\ndata:\n  a.yaml: |\n  b: [\n");
    assert_eq!(broken.code, Some(1), "{broken}");
    assert!(broken.stdout.contains("error[E001]"), "{broken}");
}

#[test]
fn every_format_names_the_place_in_the_manifest() {
    let folder = Folder::with(&[("k8s/jobs.yaml", &MAPS.replace("every: 1h", "every: 1"))]);
    let say = |format: &str| {
        let line = format!("validate k8s/jobs.yaml --format {format}");
        elder(&line).within(folder.path()).run()
    };
    let json = say("json").json();
    let error = &json["errors"][0];
    assert_eq!(
        (&error["file"], &error["line"], &error["column"]),
        (&"k8s/jobs.yaml".into(), &20.into(), &57.into())
    );
    for (format, want) in [
        ("concise", "k8s/jobs.yaml:20:57: E014"),
        ("github", "file=k8s/jobs.yaml,line=20,"),
        ("sarif", "\"startLine\": 20"),
        ("gitlab", "\"begin\": 20"),
    ] {
        let finished = say(format);
        assert!(finished.stdout.contains(want), "{finished}");
    }
}

#[test]
fn a_manifest_among_the_job_files_is_refused_by_validate_and_run_alike() {
    let folder = Folder::with(&[
        ("jobs.d/k8s.yaml", MAPS),
        (
            "jobs.d/a.yaml",
            "jobs: { a: { schedule: { every: 1h }, run: x } }\n",
        ),
    ]);
    let finished = elder("validate jobs.d").within(folder.path()).run();
    assert_snapshot!(finished, @r#"
    exit 1
    --- stdout
    error[E026]: a Kubernetes manifest (Deployment), not a job file
     --> jobs.d/k8s.yaml:2:7
      |
    2 | kind: Deployment
      |       ^^^^^^^^^^
      |
      = help: check the job files in it with `elder validate jobs.d/k8s.yaml`; elder runs them from where `kubectl apply` and a volume put them

    2 files, 1 good job: 1 error
    "#);
    let config = MAPS.split("---\n").nth(1).unwrap();
    folder.write("jobs.d/k8s.yaml", config);
    let finished = elder("validate jobs.d").within(folder.path()).run();
    assert!(
        finished.stdout.contains("elder validate jobs.d/k8s.yaml"),
        "{finished}"
    );
    let daemon = Daemon::start(&folder);
    let findings = until("the sync says it", || {
        let config = daemon.get("/api/v1/config").json();
        let findings = config["sync"]["findings"].as_array()?.clone();
        (!findings.is_empty()).then_some(findings)
    });
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0]["code"], "E026", "{findings:?}");
    assert_eq!(daemon.get("/api/v1/jobs/a").status, 200, "the rest runs");
}

#[test]
fn a_plan_compares_manifests_with_manifests_with_git_and_with_what_runs() {
    let after = MAPS.replace("02:00", "03:00");
    let folder = Folder::with(&[("k8s/jobs.yaml", MAPS), ("after.yaml", &after)]);
    // What a volume makes of the ConfigMap, and elder of that.
    let mounted = Folder::with(&[
        (
            "jobs.d/_defaults.yaml",
            "defaults:\n  timezone: Asia/Tokyo\n",
        ),
        (
            "jobs.d/shop.yaml",
            "jobs:\n  report:\n    schedule: { daily: \"02:00\" }\n    run: ./report.sh\n",
        ),
        (
            "jobs.d/billing.yaml",
            "jobs:\n  bill:\n    schedule: { every: 1h }\n    run: ./bill.sh\n",
        ),
    ]);
    let plan = |line: &str, input: &str| {
        let line = format!("plan {line} --format json --from 2027-01-01T00:00:00Z");
        let finished = elder(&line)
            .within(folder.path())
            .env(
                "XDG_RUNTIME_DIR",
                &mounted.join("runtime").display().to_string(),
            )
            .input(input)
            .run();
        assert_eq!(finished.code, Some(0), "{finished}");
        finished.json()
    };
    let is_moved = |plan: &serde_json::Value| {
        assert_eq!(plan["rescheduled"][0]["job_id"], "report", "{plan}");
        for none in ["changed", "added", "removed", "errors"] {
            assert_eq!(plan[none], serde_json::json!([]), "{plan}");
        }
    };
    let moved = plan("after.yaml --against k8s/jobs.yaml", "");
    is_moved(&moved);
    assert_eq!(moved["rescheduled"][0]["source"], "after.yaml:17");
    is_moved(&plan("- --against k8s/jobs.yaml", &after));

    git(folder.path(), "init -q -b main .");
    git(folder.path(), "add k8s");
    git(folder.path(), "commit -q -m jobs");
    folder.write("k8s/jobs.yaml", &after);
    is_moved(&plan("k8s/jobs.yaml", ""));

    let daemon = Daemon::start(&mounted);
    daemon.wait_until_ready();
    is_moved(&plan(
        &format!("- --against http://{}", daemon.address()),
        &after,
    ));
    // Two ConfigMaps in one volume.
    let two = after.replace(
        "  billing.yaml",
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: more }\ndata:\n  billing.yaml",
    );
    is_moved(&plan(
        &format!("- --against http://{}", daemon.address()),
        &two,
    ));
}
