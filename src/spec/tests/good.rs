//! What a person may write, and what it means.

use std::time::Duration;

use super::*;
use crate::model::{
    Action, Body, Command, Grace, History, Json, Overlap, Part, SecretSource, StatusSet,
};

#[test]
fn the_example_of_the_contract_is_good() {
    let text = r#"
# yaml-language-server: $schema=../schema/elder.schema.json
defaults:
  timezone: Asia/Tokyo

jobs:
  system-cleanup:
    description: Delete temporary files older than a week
    schedule: { daily: "02:00" }
    run: ./scripts/cleanup.sh

  health-check:
    schedule: { every: 5m }
    http: https://shop.example.com/healthz

  billing:
    schedule: { at: 2027-09-20T15:00:00+09:00 }
    http:
      method: POST
      url: https://example.com/billing/run
      headers: { Authorization: "Bearer ${secrets.BILLING_TOKEN}" }
      json: { month: "2027-09" }
    secrets: { BILLING_TOKEN: { file: /run/secrets/billing } }
    retry: { max: 2, backoff: 2s }
"#;
    let file = file(text);
    assert!(file.findings.is_empty(), "{}", shown(&file.findings));
    let [cleanup, health, billing]: [Arc<Definition>; 3] = file
        .jobs
        .iter()
        .map(|job| job.definition.clone())
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    assert_eq!(&*cleanup.schedule_text, "daily: \"02:00\"");
    assert_eq!(&*cleanup.timezone, "Asia/Tokyo");
    assert_eq!(cleanup.context.cwd.as_deref(), Some(Path::new("/srv/jobs")));
    assert_eq!(cleanup.policy.timeout, Some(Duration::from_secs(86_400)));
    assert_eq!(&*health.schedule_text, "every: 5m");
    assert_eq!(health.policy.timeout, Some(Duration::from_secs(60)));
    let Action::Http(request) = &billing.action else {
        panic!("billing is a request")
    };
    assert_eq!(&*request.method, "POST");
    assert_eq!(
        request.headers[0].1.parts(),
        [
            Part::Literal("Bearer ".into()),
            Part::Secret("BILLING_TOKEN".into())
        ]
    );
    assert_eq!(
        request.body,
        Body::Json(Json::Object(vec![(
            "month".into(),
            Json::String(crate::model::Text::plain("2027-09"))
        )]))
    );
    assert_eq!(billing.policy.retry.max, 2);
    assert_eq!(file.jobs[0].origin.line, 7);
    assert_eq!(&*file.jobs[0].origin.file, "jobs.d/a.yaml");
}

#[test]
fn a_user_and_limits_may_come_from_defaults_and_be_taken_back() {
    use crate::model::Limits;
    let text = "defaults: { user: 'www-data:adm', limits: { memory: 1GiB, cpu_time: 5m } }
jobs:
  a: { schedule: manual, run: x }
  b: { schedule: manual, run: x, user: deploy, limits: { open_files: 64, processes: 9 } }
  c: { schedule: manual, run: x, user: null, limits: null }
";
    let file = file(text);
    assert!(file.findings.is_empty(), "{}", shown(&file.findings));
    let said = |at: usize| {
        let context = &file.jobs[at].definition.context;
        let user = context.user.as_ref().map(ToString::to_string);
        (user, context.limits)
    };
    let (user, limits) = said(0);
    assert_eq!(user.as_deref(), Some("www-data:adm"));
    let minutes = Duration::from_secs(300);
    assert_eq!(
        (limits.memory, limits.cpu_time),
        (Some(1 << 30), Some(minutes))
    );
    let (user, limits) = said(1);
    assert_eq!(user.as_deref(), Some("deploy"));
    let whole = Limits {
        open_files: Some(64),
        processes: Some(9),
        ..Limits::default()
    };
    assert_eq!(limits, whole, "another mapping replaces the whole");
    assert_eq!(said(2), (None, Limits::default()));
}

fn process(definition: &Definition) -> &crate::model::Process {
    match &definition.action {
        Action::Process(process) => process,
        Action::Http(_) => panic!("a request"),
    }
}

fn request(definition: &Definition) -> &crate::model::Http {
    match &definition.action {
        Action::Http(http) => http,
        Action::Process(_) => panic!("a process"),
    }
}

fn line(definition: &Definition) -> &str {
    match &process(definition).command {
        Command::Shell { line, .. } => line,
        Command::Exec(_) => panic!("no line"),
    }
}

#[test]
fn text_stays_text_where_text_is_meant() {
    for written in [
        "8080",
        "1.10",
        "no",
        "022",
        "on",
        "1e3",
        "12:30",
        "2027-01-01",
        "true",
        "Null",
    ] {
        let keys = format!("schedule: manual\nrun: x\nowner: {written}\nenv: {{ A: {written} }}");
        let definition = one(&job(&keys));
        let about = definition.about.as_ref().unwrap();
        assert_eq!(about.owner.as_deref(), Some(written));
        assert_eq!(definition.context.env[0].1.shown(), written);
    }
}

#[test]
fn files_come_in_many_shapes() {
    for (what, text, jobs) in [
        (
            "a byte order mark",
            "\u{feff}jobs:\n  a: { schedule: manual, run: x }\n",
            1,
        ),
        (
            "CR LF",
            "jobs:\r\n  a:\r\n    schedule: manual\r\n    run: x\r\n",
            1,
        ),
        (
            "a lone CR",
            "jobs:\r  a:\r    schedule: manual\r    run: x\r",
            1,
        ),
        (
            "a document marker",
            "%YAML 1.2\n---\njobs:\n  a: { schedule: manual, run: x }\n...\n",
            1,
        ),
        (
            "JSON",
            "{\"jobs\": {\"a\": {\"schedule\": \"manual\", \"run\": \"x\"}}}",
            1,
        ),
        ("nothing", "", 0),
        ("comments", "# nothing\n\n# yet\n", 0),
        ("a marker alone", "---\n", 0),
        ("no jobs", "jobs: {}\n", 0),
        ("null", "jobs: null\n", 0),
        ("anchors alone", "x-a: &a { run: x }\n", 0),
    ] {
        let file = file(text);
        assert!(!file.is_bad(), "{what}: {}", shown(&file.findings));
        assert_eq!(file.jobs.len(), jobs, "{what}");
        assert_eq!(file.names.len(), jobs, "{what}");
        let notes = if jobs == 0 {
            vec![Code::EmptyFile]
        } else {
            vec![]
        };
        assert_eq!(codes(&file), notes, "{what}");
    }
}

#[test]
fn lines_end_in_line_feeds_however_the_file_ends_them() {
    for text in [
        job("schedule: manual\nrun: |\n  set -e\n  b"),
        job("schedule: manual\nrun: |\n  set -e\n  b").replace('\n', "\r\n"),
    ] {
        assert_eq!(line(&one(&text)), "set -e\nb\n");
    }
}

#[test]
fn anchors_and_merge_keys_work_and_the_explicit_key_wins() {
    let text = "
x-base: &base { schedule: manual, timeout: 5s, env: { A: 1 } }
x-more: &more { timeout: 6s, owner: team }
jobs:
  a: { <<: *base, run: x }
  b: { run: x, <<: [*more, *base] }
  c:
    <<: *base
    timeout: 7s
    run: x
";
    let file = file(text);
    assert!(file.findings.is_empty(), "{}", shown(&file.findings));
    let timeouts: Vec<_> = file
        .jobs
        .iter()
        .map(|job| job.definition.policy.timeout.unwrap().as_secs())
        .collect();
    assert_eq!(timeouts, [5, 6, 7]);
    assert_eq!(file.jobs[0].definition.context.env.len(), 1);
    // A finding in what was merged points to where it was written.
    let bad = super::file(&text.replace("timeout: 5s", "timeout: 5"));
    assert!(
        bad.findings.iter().all(|f| f.at.place.line == 2),
        "{}",
        shown(&bad.findings)
    );
}

#[test]
fn every_key_means_what_the_contract_says() {
    let definition = one(&job(r#"
description: d
owner: o
labels: { team: t }
enabled: false
schedule: ["30 3 * * *", { every: 5m }]
timezone: Asia/Tokyo
run: ./x.sh
env: { A: b, C: "" }
env_file: [a.env, /etc/b.env]
inherit_env: LC_ALL
secrets: { S: { env: T }, F: { file: f } }
shell: bash
cwd: sub
timeout: none
kill_grace: 0s
retry: { max: 3, backoff: 10m, factor: 1.5, jitter: 0, when: [exit, 5xx, 429, 7] }
max_instances: 4
overlap: skip
misfire_grace_time: 10m
coalesce: false
expect_success_within: 26h
output: { keep: 1MiB }
history: { keep: 7 }
stdin: "${not_ours}"
success_exit_codes: [0, 24]
"#));
    let about = definition.about.as_ref().unwrap();
    assert_eq!(about.description.as_deref(), Some("d"));
    assert_eq!(about.labels[0].1.shown(), "t");
    assert!(!definition.enabled);
    assert_eq!(&*definition.schedule_text, "[\"30 3 * * *\", {every: 5m}]");
    assert_eq!(line(&definition), "./x.sh");
    let context = &definition.context;
    assert_eq!(context.env.len(), 2);
    assert_eq!(&*context.env_files[0].path, Path::new("/srv/jobs/a.env"));
    assert!(context.env_files[0].within.is_some() && context.env_files[1].within.is_none());
    assert_eq!(context.inherit_env, [Arc::from("LC_ALL")]);
    assert_eq!(context.secrets[0].1, SecretSource::Env("T".into()));
    assert_eq!(context.cwd.as_deref(), Some(Path::new("/srv/jobs/sub")));
    let policy = &definition.policy;
    assert_eq!(policy.timeout, None);
    assert_eq!(policy.kill_grace, Duration::ZERO);
    assert_eq!(policy.retry.max, 3);
    assert_eq!(policy.retry.factor_permille, 1500);
    assert_eq!(policy.retry.jitter_permille, 0);
    // A bound that nobody wrote does not cut a backoff that somebody wrote.
    assert_eq!(policy.retry.max_backoff, Duration::from_secs(600));
    assert_eq!(policy.retry.when.len(), 4);
    assert_eq!(policy.max_instances, 4);
    assert_eq!(policy.overlap, Overlap::Skip);
    assert_eq!(policy.grace, Grace::Fixed(Duration::from_secs(600)));
    assert!(!policy.coalesce);
    assert_eq!(policy.output_keep, 1 << 20);
    assert_eq!(
        policy.history,
        History {
            keep: 7,
            ..History::default()
        }
    );
    assert_eq!(policy.success_within, Some(Duration::from_secs(26 * 3600)));
    let process = process(&definition);
    assert_eq!(process.stdin.as_deref(), Some("${not_ours}"));
    assert_eq!(*process.success_exit_codes, [0, 24]);
    match &process.command {
        Command::Shell { shell, .. } => {
            assert_eq!(
                shell.iter().map(|w| &**w).collect::<Vec<_>>(),
                ["bash", "-c"]
            );
        }
        Command::Exec(_) => panic!("no shell"),
    }
}

#[test]
fn a_request_says_all_that_it_may() {
    let definition = one(&job(r#"
schedule: manual
http:
  method: patch
  url: http://[::1]:8000/x
  query: { q: "${run.id}" }
  headers: { Accept: text/plain }
  json: { n: 1.10, t: "1.10", o: 010, b: [true, "true", null], p: "${job.name}" }
  follow_redirects: true
  expect: { status: [2xx, 404], body_contains: ok, json: { /a/b: 5 } }
"#));
    let http = request(&definition);
    assert_eq!(&*http.method, "PATCH");
    let Body::Json(Json::Object(fields)) = &http.body else {
        panic!("no object")
    };
    assert_eq!(fields[0].1, Json::Number("1.10".into()));
    assert!(matches!(&fields[1].1, Json::String(text) if text.shown() == "1.10"));
    assert!(matches!(&fields[2].1, Json::String(text) if text.shown() == "010"));
    assert!(
        matches!(&fields[3].1, Json::Array(items) if items[0] == Json::Bool(true)
        && matches!(items[1], Json::String(_)) && items[2] == Json::Null)
    );
    assert!(http.follow_redirects);
    assert_eq!(
        http.expect.status,
        [StatusSet::Class(2), StatusSet::Exactly(404)]
    );
    assert_eq!(http.expect.json[0].1, Json::Number("5".into()));
    assert!(definition.context.cwd.is_none());
}

#[test]
fn what_the_environment_brings_is_never_read_as_a_reference() {
    let env = [
        ("EVIL", "${secrets.T} ${run.id} $${"),
        ("N", "5"),
        ("E", ""),
    ];
    let definition = one_with(
        &job(
            "schedule: { every: \"${N}m\" }\nhttp: { url: \"http://x/\", body: \"a ${EVIL} $${N} ${E:-d} ${run.id}\", json: null }\ntimeout: ${N}s\nenabled: ${ON:-false}".replace(", json: null", "").as_str(),
        ),
        &env,
    );
    assert_eq!(&*definition.schedule_text, "every: 5m");
    assert_eq!(definition.policy.timeout, Some(Duration::from_secs(5)));
    assert!(!definition.enabled);
    let Body::Text(body) = &request(&definition).body else {
        panic!("no body")
    };
    assert_eq!(body.shown(), "a ${EVIL} $${N} ${E:-d} ${run.id}");
    let built = body.build(|part| match part {
        Part::Variable(_) => Ok("RUN".to_owned()),
        Part::Secret(_) => Err("a secret that nobody asked for"),
        Part::Literal(_) => Err("a literal is never asked for"),
    });
    assert_eq!(built.unwrap(), "a ${secrets.T} ${run.id} $${ ${N} d RUN");
    // `run` and `stdin` are nobody's to fill in.
    let definition = one_with(&job("schedule: manual\nrun: echo ${N} $${N}"), &env);
    assert_eq!(line(&definition), "echo ${N} $${N}");
}

#[test]
fn a_header_cannot_be_smuggled_in_through_the_environment() {
    let text = job("schedule: manual\nhttp: { url: \"http://x\", headers: { A: \"${V}\" } }");
    assert!(!file_with(&text, &[("V", "fine")]).is_bad());
    let bad = file_with(&text, &[("V", "a\r\nX: y")]);
    assert_eq!(codes(&bad), [Code::BadHttp]);
    let url = job("schedule: manual\nhttp: \"${U}\"");
    assert!(!file_with(&url, &[("U", "https://x/")]).is_bad());
    assert_eq!(
        codes(&file_with(&url, &[("U", "file:///x")])),
        [Code::BadHttp]
    );
}

#[test]
fn names_of_the_environment_can_be_narrowed_and_may_be_missing_where_that_is_allowed() {
    let text = job("schedule: manual\nrun: x\nenv: { A: \"${HOST}\" }");
    let mut narrow = options(&[("HOST", "h")]);
    narrow.env_allow = Some(Arc::new(vec!["OTHER".to_owned()]));
    let checked = tree_with(&[("a.yaml", &text)], &narrow);
    assert_eq!(codes(&checked.files[0]), [Code::BadVariable]);
    let mut missing = options(&[]);
    missing.allow_missing_env = true;
    let checked = tree_with(&[("a.yaml", &text)], &missing);
    assert_eq!(codes(&checked.files[0]), [Code::MissingVariable]);
    let env = &checked.files[0].jobs[0].definition.context.env;
    assert_eq!(env[0].1.fixed().as_deref(), Some(""));
}

#[test]
fn equal_policies_contexts_and_schedules_are_kept_once() {
    let checked = tree_with(
        &[
            ("a.yaml", &job("schedule: \"@daily\"\nrun: x")),
            ("b.yaml", &job("schedule: \"@daily\"\nrun: y")),
        ],
        &options(&[]),
    );
    let [a, b] = [0, 1].map(|n: usize| checked.files[n].jobs[0].definition.clone());
    assert!(Arc::ptr_eq(&a.policy, &b.policy));
    assert!(Arc::ptr_eq(&a.context, &b.context));
    assert!(Arc::ptr_eq(&a.schedule, &b.schedule));
    assert!(Arc::ptr_eq(&a.schedule_text, &b.schedule_text));
    assert!(Arc::ptr_eq(&a.timezone, &b.timezone));
}

#[test]
fn a_moved_job_is_the_same_definition() {
    let a = one(&job("schedule: \"@daily\"\nrun: x"));
    let b = one(&format!(
        "# a comment\n\n{}",
        job("run: x\nschedule: '@daily'")
    ));
    assert_eq!(a, b);
}

#[test]
fn how_the_sides_know_each_other_is_read_and_inherited_whole() {
    let text = r#"
defaults:
  secrets: { HOOK: { env: A } }
  http:
    sign: { secret: "${secrets.HOOK}" }
    tls: { ca: certs/ca.pem, cert: /etc/elder/both.pem, key: /etc/elder/both.pem }
jobs:
  inherits: { schedule: manual, http: "https://x" }
  own:
    schedule: manual
    secrets: { OLD: { env: B } }
    http:
      url: https://x
      sign: { secret: ["whsec_${secrets.HOOK}", "${secrets.OLD}"] }
      tls: { insecure: false }
  neither: { schedule: manual, http: { url: "https://x", sign: null, tls: null } }
  plain: { schedule: manual, http: "http://x" }
"#;
    let file = file(text);
    assert!(file.findings.is_empty(), "{}", shown(&file.findings));
    let [inherits, own, neither, plain] =
        [0, 1, 2, 3].map(|place| request(&file.jobs[place].definition));
    let secrets = |http: &crate::model::Http| {
        let sign = http.sign.as_ref().unwrap();
        let secrets = sign.secrets.iter();
        secrets
            .map(|text| text.shown().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(secrets(inherits), ["${secrets.HOOK}"]);
    let tls = inherits.tls.as_deref().unwrap();
    let ca = tls.ca.as_ref().unwrap();
    assert_eq!(&*ca.path, Path::new("/srv/jobs/certs/ca.pem"));
    assert_eq!(ca.within.as_deref(), Some(Path::new("/srv/jobs")));
    let (cert, key) = tls.identity.as_ref().unwrap();
    assert_eq!((cert, cert.within.as_ref()), (key, None));
    assert!(!tls.insecure);
    assert_eq!(secrets(own), ["whsec_${secrets.HOOK}", "${secrets.OLD}"]);
    let tls = own.tls.as_deref().unwrap();
    assert_eq!(
        (&tls.ca, &tls.identity),
        (&None, &None),
        "the whole is replaced"
    );
    assert_eq!((&neither.sign, &neither.tls), (&None, &None));
    // What comes from defaults may serve other jobs of the file.
    assert!(plain.tls.is_some());
}
