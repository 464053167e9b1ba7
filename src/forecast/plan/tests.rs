//! Plans of hand-made trees.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::*;
use crate::decide::merge::Rules;
use crate::forecast::trial::{Files, trial};
use crate::spec::{self, InputFile};

fn terms() -> Terms {
    Terms {
        options: spec::Options {
            env: Arc::new(HashMap::from([("HOST".to_owned(), "a".to_owned())])),
            ..spec::Options::default()
        },
        zones: Zones::bundled(),
        rules: Rules::default(),
        settings: engine::Settings {
            max_workers: 64,
            max_requests: 1024,
        },
    }
}

fn noon() -> Timestamp {
    "2027-01-04T12:00:00Z".parse().unwrap()
}

fn inputs(files: &[(&str, &str)]) -> Vec<InputFile> {
    files
        .iter()
        .map(|(path, text)| InputFile {
            root: Arc::from("jobs.d"),
            root_folder: Arc::from(Path::new("/srv/jobs.d")),
            path: Arc::from(*path),
            shown: Arc::from(format!("jobs.d/{path}")),
            content: Ok(Arc::from(text.as_bytes())),
            hash: Sha256::digest(text).into(),
            within: None,
        })
        .collect()
}

/// What is in force after a first start with these files.
fn in_force(files: &[(&str, &str)], terms: &Terms) -> InForce {
    let roots = [Arc::from("jobs.d")];
    let files = Files {
        roots: &roots,
        inputs: &inputs(files),
    };
    let (options, zones) = (&terms.options, &terms.zones);
    let empty = InForce::default();
    let trial = trial(&files, &empty, &terms.rules, options, zones);
    assert_eq!(trial.findings(), [], "the tree before is good");
    trial.merged.in_force
}

fn planned(before: &[(&str, &str)], after: &[(&str, &str)]) -> Plan {
    let terms = terms();
    let before = in_force(before, &terms);
    let roots = [Arc::from("jobs.d")];
    let files = Files {
        roots: &roots,
        inputs: &inputs(after),
    };
    of_files(&files, &before, &terms, "before".to_owned(), noon())
}

const TREE: &str = r#"
jobs:
  backup: { schedule: { daily: "14:00" }, run: ./backup.sh, timeout: 1h }
  ping: { schedule: { every: 1m }, http: "https://${HOST}.example/ping" }
  tidy: { schedule: "0 3 * * *", run: ./tidy.sh }
  report: { schedule: "0 4 * * *", run: ./report.sh }
"#;

/// The plan of one replacement in [`TREE`].
fn edited(old: &str, new: &str) -> Plan {
    assert!(TREE.contains(old), "{old}");
    let after = TREE.replace(old, new);
    planned(&[("a.yaml", TREE)], &[("a.yaml", &after)])
}

#[test]
fn what_is_equal_or_only_stands_elsewhere_is_no_change() {
    let same = planned(&[("a.yaml", TREE)], &[("a.yaml", TREE)]);
    assert!(!same.has_changes());
    assert_eq!((same.moved, same.counts().as_str()), (0, "no change"));
    assert_eq!(same.load.collisions, []);
    let moved = planned(
        &[("a.yaml", TREE)],
        &[("b.yaml", &format!("# note\n{TREE}"))],
    );
    assert!(!moved.has_changes());
    assert_eq!(moved.moved, 4);
    assert_eq!(moved.fires, Fires::default());
}

#[test]
fn a_schedule_that_moves_is_told_in_fires() {
    let plan = edited("\"14:00\"", "\"15:00\"");
    let [job] = &plan.rescheduled[..] else {
        panic!("{plan:?}");
    };
    assert_eq!(job.job_id, "backup");
    assert_eq!(job.source, "jobs.d/a.yaml:3");
    assert_eq!(job.before.next[0], "2027-01-04T14:00:00+00:00");
    assert_eq!(job.after.next[0], "2027-01-04T15:00:00+00:00");
    assert!(!job.will_not_fire_today);
    assert_eq!(job.fields, []);
    let span = |days| Span {
        gained: days,
        lost: days,
        at_least: false,
    };
    assert_eq!(plan.fires.day, span(1));
    assert_eq!(plan.fires.month, span(30));
    assert_eq!(plan.counts(), "1 rescheduled");
}

#[test]
fn a_time_that_moves_into_the_past_will_not_fire_today() {
    let plan = edited("\"14:00\"", "\"09:00\"");
    assert!(plan.rescheduled[0].will_not_fire_today);
    assert!(human::render(&plan).contains("WILL NOT FIRE TODAY"));
    assert!(markdown::render(&plan).contains("will not fire today"));
    let plan = edited(
        "schedule: { daily: \"14:00\" }",
        "enabled: false, schedule: { daily: \"09:00\" }",
    );
    assert!(!plan.rescheduled[0].will_not_fire_today, "it was disabled");
    assert_eq!(plan.rescheduled[0].after.next, [""; 0]);
    assert_eq!((plan.fires.month.gained, plan.fires.month.lost), (0, 30));
}

#[test]
fn instants_that_both_schedules_have_are_neither_gained_nor_lost() {
    let plan = edited("{ every: 1m }", "{ every: 2m }");
    assert_eq!((plan.fires.day.gained, plan.fires.day.lost), (0, 720));
    // Too many to walk: the difference of the counts, and it says so.
    let plan = edited("{ every: 1m }", "{ every: 1s }");
    assert_eq!(
        (plan.fires.month.gained, plan.fires.month.at_least),
        (2_548_800, true)
    );
    assert!(human::render(&plan).contains("at least 2,548,800 gained"));
}

#[test]
fn each_key_that_differs_is_named_with_both_values() {
    for (old, new, key, before, after) in [
        (
            "timeout: 1h",
            "timeout: 90m",
            "timeout",
            Some("1h"),
            Some("1h30m"),
        ),
        (
            "timeout: 1h",
            "timeout: none",
            "timeout",
            Some("1h"),
            Some("none"),
        ),
        (", timeout: 1h", "", "timeout", Some("1h"), Some("1d")),
        (
            "./tidy.sh",
            "./tidy.sh -v",
            "run",
            Some("./tidy.sh"),
            Some("./tidy.sh -v"),
        ),
        (
            "./tidy.sh",
            "./tidy.sh, env: { A: b }",
            "env.A",
            None,
            Some("b"),
        ),
        (
            "./tidy.sh",
            "./tidy.sh, retry: 2",
            "retry.max",
            Some("0"),
            Some("2"),
        ),
        (
            "./tidy.sh",
            "./tidy.sh, retry: { max: 0, jitter: 0.25 }",
            "retry.jitter",
            Some("0.1"),
            Some("0.25"),
        ),
        (
            "./tidy.sh",
            "./tidy.sh, overlap: queue",
            "overlap",
            Some("skip"),
            Some("queue"),
        ),
        (
            "./tidy.sh",
            "./tidy.sh, owner: ops",
            "owner",
            None,
            Some("ops"),
        ),
        (
            "./tidy.sh",
            "./tidy.sh, labels: { team: x }",
            "labels.team",
            None,
            Some("x"),
        ),
        (
            "./tidy.sh",
            "./tidy.sh, shell: bash",
            "shell",
            Some("/bin/sh, -c"),
            Some("bash, -c"),
        ),
        (
            "./tidy.sh",
            "./tidy.sh, secrets: { T: { env: X } }",
            "secrets.T",
            None,
            Some("env: X"),
        ),
        (
            "./tidy.sh",
            "./tidy.sh, misfire_grace_time: 5m",
            "misfire_grace_time",
            Some("auto"),
            Some("5m"),
        ),
        (
            "\"https://${HOST}.example/ping\"",
            "\"https://${HOST}.example/pong\"",
            "http.url",
            Some("https://${HOST}.example/ping"),
            Some("https://${HOST}.example/pong"),
        ),
    ] {
        let plan = edited(old, new);
        let [job] = &plan.changed[..] else {
            panic!("{new}: {plan:?}");
        };
        let field = Field {
            key: key.to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        assert_eq!(job.fields, [field], "{new}");
        assert_eq!(plan.fires, Fires::default(), "{new}");
    }
}

#[test]
fn a_variable_with_another_value_is_a_change_that_shows_no_value() {
    let (old, mut new) = (terms(), terms());
    new.options.env = Arc::new(HashMap::from([("HOST".to_owned(), "hidden".to_owned())]));
    let before = in_force(&[("a.yaml", TREE)], &old);
    let roots = [Arc::from("jobs.d")];
    let files = Files {
        roots: &roots,
        inputs: &inputs(&[("a.yaml", TREE)]),
    };
    let plan = of_files(&files, &before, &new, "before".to_owned(), noon());
    let text = human::render(&plan);
    assert!(
        text.contains("(a variable in it has another value)"),
        "{text}"
    );
    assert!(!format!("{plan:?}{text}").contains("hidden"));
}

#[test]
fn jobs_come_and_go_by_name_with_their_fires() {
    let after = TREE.replace(
        "  tidy: { schedule: \"0 3 * * *\", run: ./tidy.sh }\n",
        "  zz: { schedule: \"0 4 * * *\", run: x }\n  aa: { schedule: manual, run: x }\n",
    );
    let plan = planned(&[("a.yaml", TREE)], &[("a.yaml", &after)]);
    let names: Vec<_> = plan.added.iter().map(|job| job.job_id.as_str()).collect();
    assert_eq!(names, ["aa", "zz"]);
    assert_eq!(plan.removed[0].job_id, "tidy");
    assert_eq!(plan.removed[0].held, None);
    assert_eq!(
        plan.jobs,
        Change {
            before: 4,
            after: 5
        }
    );
    assert_eq!((plan.fires.day.gained, plan.fires.day.lost), (1, 1));
    assert_eq!(plan.counts(), "1 removed, 2 added");
    // zz begins with report.
    let [collision] = &plan.load.collisions[..] else {
        panic!("{plan:?}");
    };
    assert_eq!(collision.at.to_string(), "2027-01-05T04:00:00Z");
    assert_eq!(collision.jobs, ["zz"]);
    // The ping of each minute is not counted.
    assert_eq!(
        collision.fires,
        Change {
            before: 1,
            after: 2
        }
    );
}

#[test]
fn removals_that_a_sync_would_hold_are_told_as_held_and_lose_no_fire() {
    let plan = planned(&[("a.yaml", TREE)], &[("a.yaml", "jobs: {}\n")]);
    assert_eq!(plan.removed.len(), 4);
    assert_eq!(plan.held(), 4);
    assert_eq!(plan.removed[0].held.as_deref(), Some("too_many"));
    assert_eq!(plan.fires, Fires::default());
    assert_eq!(plan.jobs.after, 4, "they go on");
    let text = human::render(&plan);
    assert!(text.contains("elder sync --prune"), "{text}");
    assert!(
        text.ends_with("4 removed, 4 held until confirmed\n"),
        "{text}"
    );
}

#[test]
fn a_bad_file_changes_nothing_of_its_own_and_is_to_be_mended() {
    let bad = TREE.replace("every: 1m", "evry: 1m");
    let plan = planned(
        &[("a.yaml", TREE)],
        &[
            ("a.yaml", &bad),
            ("b.yaml", "jobs: { new: { schedule: manual, run: x } }\n"),
        ],
    );
    assert_eq!(
        (plan.added.len(), plan.removed.len(), plan.changed.len()),
        (1, 0, 0)
    );
    let [error] = &plan.errors[..] else {
        panic!("{plan:?}");
    };
    assert_eq!(
        (error.file.as_str(), error.line, error.code.as_str()),
        ("jobs.d/a.yaml", 4, "E002")
    );
    assert_eq!(plan.counts(), "1 added, 1 to mend");
}

#[test]
fn what_would_run_at_once_is_told_for_both() {
    let text: String = (0..40)
        .map(|n| format!("  j{n}: {{ schedule: \"0 3 * * *\", run: x }}\n"))
        .collect();
    let plan = planned(
        &[("a.yaml", TREE)],
        &[("a.yaml", TREE), ("b.yaml", &format!("jobs:\n{text}"))],
    );
    assert_eq!(plan.load.peak.before.runs, 2);
    assert_eq!(plan.load.peak.after.runs, 42);
    assert_eq!(plan.load.busiest_minute.after.as_ref().unwrap().fires, 42);
    assert_eq!(plan.load.collisions[0].more, 35);
}

#[test]
fn a_plan_goes_over_the_wire_and_comes_back() {
    let plan = edited("\"14:00\"", "\"09:00\"");
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
}

#[test]
fn markdown_is_bounded_and_nothing_in_it_is_anybodys_markup() {
    let jobs: String = (0..5_000)
        .map(|n| {
            format!(
                "  \"j{n}\": {{ schedule: \"0 3 * * *\", run: x, description: \"{}\" }}\n",
                "y".repeat(200)
            )
        })
        .collect();
    let plan = planned(
        &[("a.yaml", TREE)],
        &[("a.yaml", TREE), ("b.yaml", &format!("jobs:\n{jobs}"))],
    );
    let text = markdown::render(&plan);
    assert!(text.len() < 65_536, "{}", text.len());
    assert!(text.contains("and 4,960 more"));
    assert!(text.ends_with("5000 added\n"));
    assert!(human::render(&plan).contains("and 4,950 more"));

    let hostile = "./tidy.sh | `x` <b> @team [l](http://e)\\n\\e[2J";
    let plan = edited("run: ./tidy.sh", &format!("run: \"{hostile}\""));
    let text = markdown::render(&plan);
    let row = text
        .lines()
        .find(|line| line.contains("tidy.sh |") || line.contains("tidy.sh \\|"))
        .unwrap();
    // Two columns: what stands in the value ends no cell, and the backticks of the value no code.
    assert!(
        row.contains("`` ./tidy.sh \\| `x` <b> @team [l](http://e)\\n\\u{1b}[2J ``"),
        "{row}"
    );
    assert!(!text.contains('\u{1b}'));
}

/// What is in force by these files, asked by somebody who may not read elder's environment.
fn lending(before: &str, after: &str, env_allow: &[&str]) -> Plan {
    let set = [
        ("ZONE", "Asia/Tokyo"),
        ("URL", "db://hidden"),
        ("PIN", "4711"),
        ("CRED", "hidden"),
        ("OTHER", "hidden"),
    ];
    let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut all = terms();
    all.options.env = Arc::new(HashMap::from(set));
    let before = [("a.yaml", before)];
    let force = in_force(&before, &all);
    let mut used = spec::Variables::default();
    let last_good = HashMap::new();
    let (inputs_before, inputs_after) = (inputs(&before), inputs(&[("a.yaml", after)]));
    let checked = spec::check(&inputs_before, None, &last_good, &all.options, &all.zones);
    for file in &checked.files {
        used.extend(&file.variables);
    }
    if !env_allow.is_empty() {
        let names = env_allow.iter().map(|name| (*name).to_owned());
        all.options.env_allow = Some(Arc::new(names.collect()));
    }
    let terms = all.lending(&used, &force);
    let files = Files {
        roots: &[Arc::from("jobs.d")],
        inputs: &inputs_after,
    };
    of_files(&files, &force, &terms, "before".to_owned(), noon())
}

#[test]
fn a_plan_for_somebody_who_may_not_read_the_environment_shows_nothing_of_it() {
    let before = r#"
jobs:
  a:
    schedule: { daily: "14:00" }
    timezone: ${ZONE}
    http: { url: "https://h.example/${URL}", json: { pin: "${PIN}" } }
    secrets: { C: { env: CRED } }
"#;
    let plan = lending(before, before, &[]);
    assert_eq!((plan.errors, plan.changed), (vec![], vec![]), "as it is");
    let with = |line: &str| format!("{before}    {line}\n");
    let swapped = |old: &str, new: &str| before.replace(old, new);
    for (text, says) in [
        (with("description: ${OTHER}"), "no file of this elder shows"),
        (
            with("owner: \"x ${OTHER} y\""),
            "no file of this elder shows",
        ),
        (with("env: { X: \"${OTHER}\" }"), ""),
        (
            swapped("${ZONE}", "${OTHER}"),
            "no file of this elder shows",
        ),
        // Used where only the template is seen, and asked for where the value is.
        (with("description: ${URL}"), "no file of this elder shows"),
        (
            swapped("https://h.example/${URL}", "https://${OTHER}"),
            "no file of this elder uses",
        ),
        // The value would be its scheme.
        (
            swapped("https://h.example/${URL}", "${URL}"),
            "`${URL}` does not begin with a scheme",
        ),
        // A secret's source, even for the file that has the secret.
        (with("description: ${CRED}"), "no file of this elder shows"),
        (swapped("${URL}", "${CRED}"), "no file of this elder uses"),
        // As a number its value would be seen.
        (swapped("\"${PIN}\"", "${PIN}"), ""),
    ] {
        let plan = lending(before, &text, &[]);
        let told = serde_json::to_string(&plan).unwrap();
        for value in ["hidden", "4711", "db:"] {
            assert!(!told.contains(value), "{text}: {told}");
        }
        let messages: Vec<_> = plan.errors.iter().map(|error| &*error.message).collect();
        let found = messages.iter().any(|message| message.contains(says));
        assert!(says.is_empty() || found, "{text}: {messages:?}");
    }
    // A guess in the place of a variable is told alike whether it is right or wrong.
    let keys = |guess: &str| {
        let plan = lending(before, &swapped("${URL}", guess), &[]);
        let fields = plan.changed[0].fields.iter();
        fields.map(|field| field.key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(keys("db://hidden"), ["http.url"]);
    assert_eq!(keys("db://hidded"), ["http.url"]);
    // What says nothing of a value is filled in: a default, and what is named for it.
    let plan = lending(before, &with("description: ${UNSET:-plain}"), &[]);
    assert_eq!(plan.changed[0].fields[0].after.as_deref(), Some("plain"));
    let plan = lending(before, &with("description: ${ZONE}"), &[]);
    assert_eq!(
        plan.changed[0].fields[0].after.as_deref(),
        Some("Asia/Tokyo")
    );
    let named = ["OTHER", "PIN", "URL", "ZONE"];
    let plan = lending(before, &with("description: ${OTHER}"), &named);
    assert_eq!(plan.changed[0].fields[0].after.as_deref(), Some("hidden"));
}

#[test]
fn a_changed_calendar_is_told_by_the_first_fire_that_differs() {
    let tree = |date: &str| {
        format!(
            "calendars:\n  closed: {{ dates: [{date}] }}\njobs:\n  a: {{ schedule: {{ daily: \"02:00\", except: closed }}, run: x }}\n"
        )
    };
    let (before, after) = (tree("2027-02-01"), tree("2027-02-02"));
    let plan = planned(&[("a.yaml", &before)], &[("a.yaml", &after)]);
    let [job] = plan.rescheduled.as_slice() else {
        panic!("{plan:?}");
    };
    assert_eq!(job.before.next, job.after.next, "the next three are alike");
    let text = human::render(&plan);
    let said = "    next 2027-01-05T02:00:00+00:00; the first that differs: 2027-02-02T02:00:00+00:00 -> 2027-02-01T02:00:00+00:00\n";
    assert!(text.contains(said), "{text}");
    assert_eq!(
        text.matches("02:00\"").count(),
        1,
        "the schedule is the same: {text}"
    );
    let text = markdown::render(&plan);
    for said in [
        "| 2027-01-05T02:00:00+00:00; the first that differs: 2027-02-02T02:00:00+00:00 |",
        "| 2027-01-05T02:00:00+00:00; the first that differs: 2027-02-01T02:00:00+00:00 |",
    ] {
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn an_empty_value_swallows_nothing_of_its_row() {
    let text = TREE.replace(
        "run: ./tidy.sh",
        "run: ./tidy.sh, env: { A: \"\", B: \"between\", C: \"\" }",
    );
    let plan = planned(&[("a.yaml", TREE)], &[("a.yaml", &text)]);
    let text = markdown::render(&plan);
    let row = text.lines().find(|line| line.contains("between")).unwrap();
    assert!(row.contains("`\"\"`<br>") && !row.contains("``"), "{row}");
}

#[test]
fn sages_calendars_and_pools_are_told_with_what_differs_and_who_names_them() {
    let before = r#"
jobs:
  a: { schedule: { daily: "01:00", except: closed }, run: x, pool: db, on_failure: ops }
  b: { schedule: { daily: "02:00" }, run: x, pool: db, on_success: [ops, old] }
sages:
  ops: { http: "https://${HOST}.example/a", after: 2 }
  old: { run: x }
calendars:
  closed: { dates: [2027-05-01, 12-25], weekdays: [sat] }
pools:
  db: { limit: 2 }
"#;
    let after = before
        .replace("on_success: [ops, old]", "on_success: ops")
        .replace("  old: { run: x }\n", "")
        .replace("/a\", after: 2", "/b\", after: 3")
        .replace("2027-05-01, 12-25", "2027-05-02, 12-24, 12-25")
        .replace("limit: 2 }", "limit: 3 }\n  spare: { limit: 1 }");
    let plan = planned(&[("a.yaml", before)], &[("a.yaml", &after)]);
    let told: Vec<_> = plan
        .shared
        .iter()
        .map(|one| {
            let fields = one.fields.iter();
            let fields = fields.map(|field| field.key.as_str()).collect::<Vec<_>>();
            format!(
                "{} {} {} {} [{}] {}",
                one.change.word(),
                one.kind,
                one.name,
                one.source,
                fields.join(" "),
                one.jobs.join(" ")
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "removed sage old jobs.d/a.yaml:7 [] b",
            "changed calendar closed jobs.d/a.yaml:8 [dates of every year dates] a",
            "changed pool db jobs.d/a.yaml:10 [limit] a b",
            "changed sage ops jobs.d/a.yaml:6 [http.url after] a b",
            "added pool spare jobs.d/a.yaml:11 [] ",
        ]
    );
    let dates = &plan.shared[1].fields[1];
    assert_eq!(
        (dates.before.as_deref(), dates.after.as_deref()),
        (Some("2027-05-01"), Some("2027-05-02"))
    );
    assert_eq!(plan.shared[1].fields[0].before, None, "none of them goes");
    assert!(
        plan.counts().ends_with(
            "1 sage removed, 1 sage changed, 1 calendar changed, 1 pool changed, 1 pool added"
        ),
        "{}",
        plan.counts()
    );
    let text = human::render(&plan);
    assert!(
        text.contains(
            "~ changed      pool db  jobs.d/a.yaml:10\n    limit: 2 -> 3\n    named by a, b\n"
        ),
        "{text}"
    );
    assert!(text.contains("    was named by b\n"), "{text}");
    let text = markdown::render(&plan);
    assert!(
        text.contains("| pool `db` changed | `limit`: `2` → `3` | named by `a`, `b` |"),
        "{text}"
    );
}

#[test]
fn what_nobody_names_is_a_change_and_what_only_moves_is_none() {
    let sage = "sages: { s: { run: x, events: [store_lost] } }\n";
    let plan = planned(&[("a.yaml", TREE)], &[("a.yaml", TREE), ("s.yaml", sage)]);
    assert!(plan.has_changes());
    assert_eq!(plan.counts(), "1 sage added");
    assert_eq!(plan.fires, Fires::default());
    let moved = planned(
        &[("a.yaml", TREE), ("s.yaml", sage)],
        &[("a.yaml", TREE), ("t.yaml", &format!("# moved\n{sage}"))],
    );
    assert!(!moved.has_changes(), "{moved:?}");
}

#[test]
fn where_no_time_changes_both_sides_have_one_load_and_where_a_limit_does_each_its_own() {
    let plan = edited("./tidy.sh", "./tidy.sh -v, owner: x");
    assert_eq!(plan.load.peak.before, plan.load.peak.after);
    assert_eq!(plan.load.peak.after.runs, 2);
    assert_eq!(
        plan.load.busiest_minute.before,
        plan.load.busiest_minute.after
    );
    let two = |limit: u32| {
        format!(
            "pools: {{ p: {{ limit: {limit} }} }}\njobs:\n  a: {{ schedule: \"0 3 * * *\", run: x, pool: p }}\n  b: {{ schedule: \"0 3 * * *\", run: x, pool: p }}\n"
        )
    };
    let plan = planned(&[("a.yaml", &two(1))], &[("a.yaml", &two(2))]);
    assert_eq!(
        (plan.load.peak.before.runs, plan.load.peak.after.runs),
        (1, 2)
    );
}
