//! Sages in job files: who may name them, what is wrong with them, what jobs make of them.

use std::time::Duration;

use super::*;
use crate::model::{Action, Body, Sage, SageEvent};
use crate::spec::{print, read};

const SAGES: &str = "sages:
  ops: { http: https://hooks.example.com/ops }
  pager: { run: ./page.sh, after: 3, remind: 4h, events: [store_lost] }
";

fn tree(files: &[(&str, &str)]) -> Checked {
    tree_with(files, &options(&[]))
}

/// `code line: message` of each finding of the file.
fn found(file: &CheckedFile) -> Vec<String> {
    let findings = file.findings.iter();
    findings
        .map(|f| format!("{} {}: {}", f.code, f.at.place.line, f.message))
        .collect()
}

/// `event: names` of each key of a job.
fn told(file: &CheckedFile, job: usize) -> Vec<String> {
    let audience = file.jobs[job].definition.policy.audience.as_deref();
    let all = audience.map(|audience| audience.all());
    let all = all.iter().flatten().filter(|(_, names)| !names.is_empty());
    all.map(|(event, names)| {
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        format!("{event}: {}", names.join(" "))
    })
    .collect()
}

fn sage(keys: &str) -> Arc<Sage> {
    let file = file(&format!("sages:\n  a: {{ {keys} }}\n"));
    assert!(!file.is_bad(), "{keys}\n{}", shown(&file.findings));
    file.commons.sages[0].value.clone()
}

#[test]
fn a_sage_of_one_file_is_told_of_jobs_of_another_and_defaults_name_it_too() {
    let jobs = "defaults: { on_failure: [ops, pager], on_missed: ops }
jobs:
  a: { run: x, schedule: manual }
  b: { run: x, schedule: manual, on_failure: pager, on_success: ops }
  c: { run: x, schedule: manual, on_failure: null, on_missed: null }
  d: { run: x, schedule: manual, on_recovery: [ops, ops], on_stale: pager }
";
    let tree = tree(&[("a.yaml", jobs), ("z/sages.yaml", SAGES)]);
    for file in &tree.files {
        assert!(file.findings.is_empty(), "{}", shown(&file.findings));
    }
    let jobs = &tree.files[0];
    assert_eq!(told(jobs, 0), ["failure: ops pager", "missed: ops"]);
    let b = ["success: ops", "failure: pager", "missed: ops"];
    assert_eq!(told(jobs, 1), b);
    assert!(jobs.jobs[2].definition.policy.audience.is_none());
    let d = [
        "failure: ops pager",
        "missed: ops",
        "recovery: ops",
        "stale: pager",
    ];
    assert_eq!(told(jobs, 3), d);
}

#[test]
fn what_a_sage_does_not_say_is_built_in() {
    let ops = sage("http: https://hooks.example.com/ops");
    assert_eq!((ops.after, ops.remind), (1, Duration::from_secs(3600)));
    assert_eq!(ops.policy.timeout, Some(Duration::from_secs(30)));
    assert_eq!(ops.policy.retry, Sage::built_in_retry());
    let Action::Http(http) = &ops.action else {
        panic!("{ops:?}");
    };
    assert_eq!((&*http.method, &http.body), ("POST", &Body::Empty));
    let other = sage(
        "exec: [tell], env: { A: b }, timeout: 5s, retry: 2, after: 3, remind: 0s, \
         events: [config_rejected, config_held]",
    );
    assert_eq!(other.policy.timeout, Some(Duration::from_secs(5)));
    assert_eq!((other.policy.retry.max, other.after), (2, 3));
    assert_eq!(other.policy.retry.max_backoff, Duration::from_secs(3600));
    let events = [SageEvent::ConfigRejected, SageEvent::ConfigHeld];
    assert_eq!(
        (other.remind, other.events.as_slice()),
        (Duration::ZERO, &events[..])
    );
}

#[test]
fn a_sages_texts_may_tell_of_a_runs_end_and_a_jobs_may_not() {
    let sage = sage(
        "http: { url: \"https://x/${event}\", json: { text: \"${job.name} ${run.outcome} ${run.reason} \
         ${run.duration} ${event.count} ${job.labels.team} ${run.url}\" } }",
    );
    let Action::Http(http) = &sage.action else {
        panic!("{sage:?}");
    };
    assert_eq!(http.url.parts().len(), 2);
    let job = job("schedule: manual\nexec: [x, \"${run.outcome}\"]");
    assert_eq!(
        found(&file(&job)),
        ["E017 4: `${run.outcome}` cannot stand here: a run does not know its own end"]
    );
    // In a job it is a variable of the environment like any other.
    let text = super::job("schedule: manual\nexec: [x, \"${event}\"]");
    assert!(!file_with(&text, &[("event", "y")]).is_bad());
}

#[test]
fn what_is_wrong_with_a_sage_is_told_where_it_stands() {
    for (text, want) in [
        ("{ a: {} }", "E020 1: the sage `a` does nothing"),
        ("{ a: }", "E004 1: the sage `a` says nothing"),
        (
            "{ a: { run: x, http: \"http://x\" } }",
            "E020 1: a sage does one thing, and here are `run` and `http`",
        ),
        (
            "{ a: { run: 'echo ${event}' } }",
            "E017 1: `${event}` is not filled in in `run`",
        ),
        (
            "{ a: { run: x, after: 0 } }",
            "E019 1: `after` is 0, and it goes from 1 to 10000",
        ),
        (
            "{ a: { run: x, events: [failure] } }",
            "E004 1: `failure` is none of elder's own events",
        ),
        (
            "{ a: { run: x, retry: { max: 1, when: exit } } }",
            "E024 1: `when` says nothing in a sage: whatever went wrong is tried again, but for 410",
        ),
        (
            "{ a: { http: \"http://x\", env: { A: b } } }",
            "E024 1: `env` says nothing beside `http`",
        ),
        (
            "{ a: { http: \"http://x/${secrets.T}\" } }",
            "E017 1: `${secrets.T}`: the sage has no such secret",
        ),
        (
            "{ a: { run: x, timeout: 0s } }",
            "E019 1: `timeout` is no time at all",
        ),
        (
            "{ a: { run: x, schedule: manual } }",
            "E002 1: a sage has no key `schedule`",
        ),
        ("[a]", "E004 1: `sages` is a mapping of names, not a list"),
    ] {
        let file = file(&format!("sages: {text}\n"));
        assert_eq!(found(&file)[0], want, "{text}");
        assert!(file.is_bad() && file.commons.is_empty(), "{text}");
    }
}

#[test]
fn a_name_that_no_file_defines_is_told_with_the_nearest_one() {
    for (key, name, help) in [
        ("on_failure", "opps", "did you mean `ops`?"),
        (
            "on_stale",
            "something-else",
            "define it under `sages:` at the top level of a job file",
        ),
    ] {
        let job = format!("jobs:\n  a: {{ run: x, schedule: manual, {key}: {name} }}\n");
        let file = file(&format!("{SAGES}{job}"));
        assert_eq!(
            found(&file),
            [format!("E022 5: no sage is called `{name}`")]
        );
        assert_eq!(file.findings[0].help, help);
    }
}

#[test]
fn the_stored_form_brings_sages_along_and_jobs_only_their_names() {
    let text =
        format!("{SAGES}jobs:\n  a: {{ run: x, schedule: manual, on_failure: [ops, pager] }}\n");
    let file = file(&text);
    assert!(!file.is_bad(), "{}", shown(&file.findings));
    let stored = print(&file.jobs, &file.commons);
    let (jobs, commons) = read(&stored, zones()).unwrap();
    assert_eq!(commons, *file.commons);
    assert_eq!(jobs[0].definition, file.jobs[0].definition);
    let other = text.replace("hooks.example.com", "other.example.com");
    let other = super::file(&other);
    assert_ne!(other.commons.sages, file.commons.sages);
    assert_eq!(other.jobs[0].definition, file.jobs[0].definition);
}
