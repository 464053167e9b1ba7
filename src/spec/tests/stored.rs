//! What is stored is read back exactly.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::ids::{JobName, PoolName, SageName};
use crate::model::{
    About, Account, Action, AfterCrash, Audience, Body, Command, Context, Expect, Grace, History,
    Http, IdCell, Json, Limits, Origin, Overlap, Part, Placed, Policy, Pool, Process, Retry,
    RetryOn, Sage, SageEvent, SecretSource, Sign, StatusSet, Text, Tls, TreePath, Variable,
};
use crate::spec::{parse_schedule, print, read};

fn word() -> impl Strategy<Value = Arc<str>> {
    prop_oneof![
        "[a-z]{0,8}".prop_map(Arc::from),
        "[ -~\\n\\tü€😀\"\\\\]{0,12}".prop_map(Arc::from),
        Just(Arc::from("${secrets.X}")),
    ]
}

fn part() -> impl Strategy<Value = Part> {
    let variable = prop_oneof![
        Just(Variable::RunId),
        Just(Variable::ScheduledAt),
        Just(Variable::Attempt),
        Just(Variable::Event),
        Just(Variable::EventCount),
        Just(Variable::Outcome),
        Just(Variable::OutputTail),
        Just(Variable::Trigger),
        Just(Variable::PreviousSuccessAt),
        Just(Variable::JobName),
        "[a-z.-]{1,6}".prop_map(|label| Variable::JobLabel(label.into())),
        Just(Variable::Server),
    ];
    prop_oneof![
        word().prop_map(Part::Literal),
        word().prop_map(Part::Secret),
        variable.prop_map(Part::Variable),
    ]
}

fn text() -> impl Strategy<Value = Text> {
    prop_oneof![
        word().prop_map(|t| Text::plain(&t)),
        (word(), prop::collection::vec(part(), 0..4)).prop_map(|(s, p)| Text::of_parts(&s, p)),
    ]
}

fn named() -> impl Strategy<Value = Vec<(Arc<str>, Text)>> {
    prop::collection::vec((word(), text()), 0..3)
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        Just(Json::Number("1.10".into())),
        Just(Json::Number("123456789012345678901234567890".into())),
        text().prop_map(Json::String),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::vec((word(), inner), 0..4).prop_map(Json::Object),
        ]
    })
}

fn path() -> impl Strategy<Value = Arc<Path>> {
    prop_oneof![
        "(/[a-zü]{1,4}){1,3}".prop_map(|p| Arc::from(Path::new(&p))),
        Just(Arc::from(Path::new(OsStr::from_bytes(b"/srv/\xff\xfe")))),
    ]
}

fn tree_path() -> impl Strategy<Value = TreePath> {
    (path(), prop::option::of(path())).prop_map(|(path, within)| TreePath { path, within })
}

fn length() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        Just(Duration::MAX),
        any::<u64>().prop_map(Duration::from_nanos),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    let on = prop_oneof![
        Just(RetryOn::Exit),
        Just(RetryOn::Signal),
        Just(RetryOn::Timeout),
        Just(RetryOn::Spawn),
        Just(RetryOn::Setup),
        Just(RetryOn::Connect),
        Just(RetryOn::ServerError),
        Just(RetryOn::TooManyRequests),
        Just(RetryOn::Code(429)),
        any::<u16>().prop_map(RetryOn::Code),
    ];
    let retry = (
        any::<u32>(),
        length(),
        any::<u32>(),
        length(),
        any::<u32>(),
        prop::collection::vec(on, 0..5),
    );
    let grace = prop_oneof![Just(Grace::Auto), length().prop_map(Grace::Fixed)];
    let overlap = prop_oneof![
        Just(Overlap::Skip),
        Just(Overlap::Queue),
        Just(Overlap::Replace)
    ];
    let after_crash = prop_oneof![Just(AfterCrash::Record), Just(AfterCrash::Rerun)];
    let pool = ("[a-z]{1,8}", 1..=u32::MAX).prop_map(|(name, limit)| {
        Arc::new(Pool {
            name: PoolName::new(&name).unwrap(),
            limit,
        })
    });
    let success_within = prop::option::of(length());
    let names = || prop::collection::vec("[a-z]{1,8}", 0..3);
    let audience = (names(), names(), names(), names(), names()).prop_map(|names| {
        let sages = |names: Vec<String>| -> Vec<SageName> {
            names
                .iter()
                .map(|name| SageName::new(name).unwrap())
                .collect()
        };
        let audience = Audience {
            success: sages(names.0),
            failure: sages(names.1),
            missed: sages(names.2),
            recovery: sages(names.3),
            stale: sages(names.4),
        };
        (!audience.is_empty()).then(|| Arc::new(audience))
    });
    let history = (any::<u32>(), length()).prop_map(|(keep, max_age)| History { keep, max_age });
    let kept = (0..=Policy::MOST_OUTPUT, history);
    let told = (prop::option::of(pool), audience);
    let more = (after_crash, success_within, told, kept);
    let rest = (any::<u32>(), overlap, grace, any::<bool>(), more);
    (prop::option::of(length()), length(), retry, rest).prop_map(
        |(timeout, kill_grace, retry, (max_instances, overlap, grace, coalesce, more))| {
            let (after_crash, success_within, (pool, audience), (output_keep, history)) = more;
            Policy {
                timeout,
                kill_grace,
                retry: Retry {
                    max: retry.0,
                    backoff: retry.1,
                    factor_permille: retry.2,
                    max_backoff: retry.3,
                    jitter_permille: retry.4,
                    when: retry.5.into(),
                },
                max_instances,
                overlap,
                grace,
                coalesce,
                after_crash,
                audience,
                pool,
                success_within,
                output_keep,
                history,
            }
        },
    )
}

fn account() -> impl Strategy<Value = Account> {
    let group = prop::option::of("[a-z_]{1,8}".prop_map(Arc::from));
    ("[a-z_]{1,8}".prop_map(Arc::from), group).prop_map(|(user, group)| Account { user, group })
}

fn limits() -> impl Strategy<Value = Limits> {
    let number = || prop::option::of(any::<u64>());
    (number(), prop::option::of(length()), number(), number()).prop_map(
        |(memory, cpu_time, open_files, processes)| Limits {
            memory,
            cpu_time,
            open_files,
            processes,
        },
    )
}

fn context() -> impl Strategy<Value = Context> {
    let source = prop_oneof![
        word().prop_map(SecretSource::Env),
        tree_path().prop_map(SecretSource::File),
    ];
    (
        named(),
        prop::collection::vec(tree_path(), 0..3),
        prop::collection::vec(word(), 0..3),
        prop::collection::vec((word(), source), 0..3),
        prop::option::of(path()),
        prop::option::of(account()),
        limits(),
    )
        .prop_map(
            |(env, env_files, inherit_env, secrets, cwd, user, limits)| Context {
                env,
                env_files,
                inherit_env,
                secrets,
                cwd,
                user,
                limits,
            },
        )
}

fn action() -> impl Strategy<Value = Action> {
    let command = prop_oneof![
        (prop::collection::vec(word(), 0..3), word()).prop_map(|(shell, line)| Command::Shell {
            shell: shell.into(),
            line
        }),
        prop::collection::vec(text(), 0..3).prop_map(|words| Command::Exec(words.into())),
    ];
    let codes = prop_oneof![Just(vec![0]), prop::collection::vec(any::<i32>(), 0..3),];
    let process =
        (command, prop::option::of(word()), codes).prop_map(|(command, stdin, codes)| Process {
            command,
            stdin,
            success_exit_codes: codes.into(),
        });
    let body = prop_oneof![
        Just(Body::Empty),
        text().prop_map(Body::Text),
        json().prop_map(Body::Json),
        named().prop_map(Body::Form),
    ];
    let status = prop_oneof![
        any::<u8>().prop_map(StatusSet::Class),
        any::<u16>().prop_map(StatusSet::Exactly),
    ];
    let expect = (
        prop::collection::vec(status, 0..3),
        prop::option::of(word()),
        prop::collection::vec((word(), json()), 0..3),
    )
        .prop_map(|(status, body_contains, json)| Expect {
            status,
            body_contains,
            json,
        });
    let sign = prop::collection::vec(text(), 0..3);
    let identity = prop::option::of((tree_path(), tree_path()));
    let tls = (prop::option::of(tree_path()), identity, any::<bool>());
    let tls = tls.prop_map(|(ca, identity, insecure)| Tls {
        ca,
        identity,
        insecure,
    });
    let http = (
        word(),
        text(),
        named(),
        named(),
        body,
        any::<bool>(),
        expect,
        (sign, prop::option::of(tls)),
    )
        .prop_map(
            |(method, url, query, headers, body, follow_redirects, expect, (sign, tls))| Http {
                method,
                url,
                query,
                headers,
                body,
                follow_redirects,
                expect,
                sign: (!sign.is_empty()).then(|| Arc::new(Sign { secrets: sign })),
                tls: tls.map(Arc::new),
            },
        );
    prop_oneof![
        process.prop_map(|process| Action::Process(Box::new(process))),
        http.prop_map(|http| Action::Http(Box::new(http))),
    ]
}

fn schedule_text() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "*/5 * * * *",
        "0 30 3 * * mon-fri",
        "@daily",
        "startup",
        "manual",
        "every: 90s",
        "hourly: [0, 30]",
        "daily: \"02:00\"",
        "weekly: {days: [mon, fri], at: \"09:00\"}",
        "at: \"2027-09-20T15:00:00\"",
        "{daily: \"02:00\", timezone: Europe/Berlin}",
        "[\"0 3 * * *\", {every: 5m}, \"startup\"]",
        "{daily: \"02:00\", from: \"2027-04-01\", until: \"2027-09-30\"}",
        "{every: 5m, from: \"2027-04-01T00:00:30Z\", spread: true}",
        "[{daily: \"02:00\", spread: 10m, jitter: 30s}, {every: 1h, jitter: 1m}]",
        "random: {times: 3, between: [\"22:00\", \"02:00\"], min_gap: 20m, days: weekdays}",
    ])
}

fn a_job() -> impl Strategy<Value = Job> {
    let zone = prop::sample::select(vec!["UTC", "Asia/Tokyo", "America/New_York"]);
    let about = (prop::option::of(word()), prop::option::of(word()), named()).prop_map(
        |(description, owner, labels)| About {
            description,
            owner,
            labels,
        },
    );
    (
        "[A-Za-z0-9][A-Za-z0-9._-]{0,20}",
        any::<bool>(),
        (schedule_text(), zone),
        action(),
        context(),
        policy(),
        prop::option::of(about),
        (word(), any::<u32>()),
    )
        .prop_map(
            |(name, enabled, (text, zone), action, context, policy, about, origin)| {
                let read = parse_schedule(text, zone, zones(), &name).unwrap();
                Job {
                    definition: Arc::new(Definition {
                        aliases: Arc::from([]),
                        name: JobName::new(&name).unwrap(),
                        enabled,
                        schedule: read.schedule,
                        schedule_text: read.text,
                        timezone: zone.into(),
                        action,
                        context: Arc::new(context),
                        policy: Arc::new(policy),
                        about: about.map(Arc::new),
                        id: IdCell::default(),
                    }),
                    origin: Origin {
                        file: origin.0,
                        line: origin.1,
                    },
                }
            },
        )
}

fn a_sage() -> impl Strategy<Value = Placed<Sage>> {
    let events = prop::sample::subsequence(SageEvent::OF_ELDER.to_vec(), 0..4);
    let rest = (1..=u32::MAX, length(), events, (word(), any::<u32>()));
    (
        "[A-Za-z0-9][A-Za-z0-9._-]{0,20}",
        action(),
        context(),
        policy(),
        rest,
    )
        .prop_map(
            |(name, action, context, policy, (after, remind, events, origin))| Placed {
                value: Arc::new(Sage {
                    name: SageName::new(&name).unwrap(),
                    action,
                    context: Arc::new(context),
                    policy: Arc::new(policy),
                    after,
                    remind,
                    events,
                }),
                origin: Origin {
                    file: origin.0,
                    line: origin.1,
                },
            },
        )
}

fn assert_same(before: &[Job], after: &[Job]) {
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(after) {
        assert_eq!(before.definition, after.definition);
        assert_eq!(before.origin, after.origin);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_the_model_can_hold_is_read_back(
        jobs in prop::collection::vec(a_job(), 0..4),
        sages in prop::collection::vec(a_sage(), 0..3),
        kept_sages in prop::collection::vec(a_sage(), 0..2),
    ) {
        let commons = Commons { sages, kept_sages, ..Commons::default() };
        let text = print(&jobs, &commons);
        let (again, read) = read(&text, zones()).unwrap();
        assert_same(&jobs, &again);
        prop_assert_eq!(&read, &commons);
        prop_assert_eq!(print(&again, &read), text);
    }

    #[test]
    fn broken_text_is_an_error_and_no_panic(jobs in prop::collection::vec(a_job(), 1..2), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = print(&jobs, Commons::NONE).into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(text) = String::from_utf8(bytes) {
            let _ = read(&text, zones());
        }
    }
}

#[test]
fn a_checked_file_is_read_back_with_its_shares_kept() {
    let text = r#"
defaults: { owner: team, env: { A: "${HOST}" }, retry: 2 }
jobs:
  a: { schedule: "@daily", run: "x", labels: { k: "${HOST}" } }
  b: { schedule: { every: 1s }, exec: [x, "${run.id}"], shell: null }
  c:
    schedule: manual
    http: { url: "https://x/${HOST}", json: { a: [1.10, "${secrets.T}", { b: null }] } }
    secrets: { T: { file: t } }
"#;
    // `shell: null` says nothing, so it stands beside `exec` without harm.
    let file = file_with(text, &[("HOST", "${run.id}")]);
    assert!(!file.is_bad(), "{}", shown(&file.findings));
    let stored = print(&file.jobs, Commons::NONE);
    assert!(stored.starts_with("{\"v\":1,"), "{stored}");
    let again = read(&stored, zones()).unwrap().0;
    assert_same(&file.jobs, &again);
    assert!(Arc::ptr_eq(
        &again[0].definition.context,
        &again[1].definition.context
    ));
}

#[test]
fn a_body_as_deep_as_a_job_file_allows_is_read_back() {
    let deep = format!("{}1{}", "[".repeat(55), "]".repeat(55));
    let text = job(&format!(
        "schedule: manual\nhttp: {{ url: \"http://x/\", json: {deep} }}"
    ));
    let file = file(&text);
    assert!(!file.is_bad(), "{}", shown(&file.findings));
    assert_same(
        &file.jobs,
        &read(&print(&file.jobs, Commons::NONE), zones()).unwrap().0,
    );
}

#[test]
fn another_version_and_a_lost_zone_are_named() {
    let error = read("{\"v\":2,\"new\":[]}", zones()).unwrap_err();
    assert_eq!(
        error,
        "stored in version 2 of the form, and this build reads version 1"
    );
    assert!(
        read("", zones())
            .unwrap_err()
            .starts_with("not a stored set")
    );
    let text = print(
        &file(&job("schedule: \"@daily\"\nrun: x")).jobs,
        Commons::NONE,
    );
    let lost = text.replace("\"UTC\"", "\"Mars/Base\"");
    let error = read(&lost, zones()).unwrap_err();
    assert_eq!(
        error,
        "job a: schedule \"@daily\" in Mars/Base: `Mars/Base` is no time zone"
    );
}
