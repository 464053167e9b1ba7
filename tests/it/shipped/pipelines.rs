//! What pipelines run: the script in a clone like theirs, and the files that lead there.

use std::path::Path;
use std::process::{Command, Output};

use super::{shipped, text};
use crate::support::{Folder, elder, git};

const GOOD: &str = "jobs:\n  a: { schedule: { daily: '02:00' }, run: x }\n";

/// A clone of one commit of a branch whose target has other job files.
fn clone(change: &str) -> Folder {
    let folder = Folder::with(&[("origin/jobs.d/a.yaml", GOOD)]);
    let origin = folder.join("origin");
    git(&origin, "init -q -b main .");
    git(&origin, "add .");
    git(&origin, "commit -q -m one");
    git(&origin, "checkout -q -b change");
    folder.write("origin/jobs.d/a.yaml", change);
    git(&origin, "commit -q -a -m two");
    let from = format!("file://{}", origin.display());
    git(
        folder.path(),
        &format!("clone -q --depth=1 --branch change {from} clone"),
    );
    folder
}

fn check(folder: &Folder, variables: &[(&str, &str)]) -> Output {
    let own = Path::new(env!("CARGO_BIN_EXE_elder")).parent().unwrap();
    Command::new(shipped("deploy/ci/check.sh"))
        .current_dir(folder.join("clone"))
        .env_clear()
        .env(
            "PATH",
            format!("{}:/usr/local/bin:/usr/bin:/bin", own.display()),
        )
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn a_pull_request_gets_findings_on_its_lines_and_the_plan_in_its_summary() {
    let folder = clone(&GOOD.replace("02:00", "03:00"));
    let summary = folder.write("summary.md", "before\n").display().to_string();
    let github = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_BASE_REF", "main"),
        ("GITHUB_STEP_SUMMARY", summary.as_str()),
    ];
    let output = check(&folder, &github);
    assert!(output.status.success(), "{output:?}");
    let text = folder.read("summary.md");
    assert!(text.starts_with("before\n### elder plan\n"), "{text}");
    assert!(text.contains("git:origin/main"), "{text}");
    assert!(text.ends_with("1 rescheduled\n"), "{text}");
    assert_eq!(format!("before\n{}", folder.read("clone/plan.md")), text);

    let folder = clone(&GOOD.replace("02:00", "2 o'clock"));
    let output = check(&folder, &github[..2]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("::error file=jobs.d/a.yaml,line=2"), "{said}");
    assert!(folder.read("clone/plan.md").contains("1 to mend"));
}

#[test]
fn a_merge_request_gets_a_code_quality_report() {
    let folder = clone(&GOOD.replace("daily:", "dayly:"));
    let base = Command::new("git")
        .args(["rev-parse", "main"])
        .current_dir(folder.join("origin"))
        .output()
        .unwrap();
    let base = String::from_utf8(base.stdout).unwrap();
    let output = check(
        &folder,
        &[
            ("CI_MERGE_REQUEST_DIFF_BASE_SHA", base.trim()),
            ("ELDER_REPORT", "report.json"),
            ("ELDER_PLAN", "the-plan.md"),
        ],
    );
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: serde_json::Value =
        serde_json::from_str(&folder.read("clone/report.json")).unwrap();
    assert_eq!(report[0]["location"]["path"], "jobs.d/a.yaml");
    assert!(folder.read("clone/the-plan.md").contains(base.trim()));
}

#[test]
fn the_whole_loop_plays_on_one_machine() {
    // Below the ports that the system gives to the other tests.
    let port = (20_000 + std::process::id() % 10_000).to_string();
    let folder = Folder::new();
    let output = Command::new(shipped("examples/gitops/loop.sh"))
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("ELDER", env!("CARGO_BIN_EXE_elder"))
        .env("PORT", port)
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{output:?}");
    let steps: Vec<&str> = said.split("\n== ").skip(1).collect();
    for (step, wants) in [
        (1, "in force\n"),
        (2, "1 rescheduled\n"),
        (3, "2027-01-02T03:00:00+09:00"),
        (4, "E002 a schedule has no key `dayly`"),
        (4, " success after "),
        (5, "in force\n"),
        (6, "3 removed, 3 held until confirmed\n"),
        (6, "held: tidy\n"),
        (7, "in force\n"),
    ] {
        assert!(steps[step].contains(wants), "{wants}: {}", steps[step]);
    }
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "it leaves nothing behind");
}

#[test]
fn a_pipeline_that_wants_one_layout_refuses_another() {
    let folder = clone(&GOOD.replace("02:00' }", "03:00'  }"));
    assert!(check(&folder, &[]).status.success(), "not asked for");
    let output = check(&folder, &[("ELDER_FMT", "1")]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("+++ jobs.d/a.yaml (elder fmt)"), "{said}");
    assert!(said.contains("### elder plan"), "the plan is made: {said}");
}

#[test]
fn what_cannot_be_compared_ends_the_pipeline() {
    let folder = clone(&GOOD.replace("02:00", "03:00"));
    let output = check(&folder, &[("ELDER_AGAINST", "git:nowhere")]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn the_hooks_and_templates_name_commands_and_files_that_there_are() {
    let hooks = text(".pre-commit-hooks.yaml");
    let entries: Vec<&str> = hooks
        .lines()
        .filter_map(|line| line.trim().strip_prefix("entry: elder "))
        .collect();
    assert_eq!(entries.len(), 4);
    let folder = Folder::with(&[
        ("jobs.d/a.yaml", GOOD),
        (
            "jobs.d/a.test.yaml",
            "tests:\n  a:\n    - fires_at: 2027-01-01T02:00:00Z\n",
        ),
    ]);
    for entry in entries {
        let finished = elder(&format!("{entry} jobs.d"))
            .within(folder.path())
            .run();
        assert_eq!(finished.code, Some(0), "{entry}: {finished}");
    }
    assert!(text("action.yml").contains("$GITHUB_ACTION_PATH/deploy/ci/check.sh"));
    let gitlab = text("deploy/ci/gitlab.yml");
    for name in ["ELDER_REPORT", "ELDER_PLAN"] {
        assert!(gitlab.contains(name) && text("deploy/ci/check.sh").contains(name));
    }
}
