//! Defaults of files and folders, and what is taken from the check before.

use super::*;
use crate::model::Action;

const JOB: &str = "jobs:\n  JOB: { schedule: manual, run: x }\n";

fn named(name: &str) -> String {
    JOB.replace("JOB", name)
}

fn owner_of(file: &CheckedFile) -> Option<&str> {
    file.jobs[0].definition.about.as_ref()?.owner.as_deref()
}

#[test]
fn the_nearest_defaults_win_and_null_returns_to_the_built_in() {
    let files = [
        (
            "_defaults.yaml",
            "defaults: { owner: root, expect_success_within: 26h, timezone: Asia/Tokyo, max_instances: 2, env: { A: root, B: root } }",
        ),
        (
            "team/_defaults.yaml",
            "defaults: { owner: team, env: { B: team } }",
        ),
        ("a.yaml", &named("a")),
        ("team/b.yaml", &named("b")),
        (
            "team/deep/c.yaml",
            "defaults: { owner: null, env: { C: file } }\njobs:\n  c: { schedule: manual, run: x, env: { A: null, D: job }, expect_success_within: null, max_instances: null }\n",
        ),
        (
            "other/d.yaml",
            "defaults: { timezone: null, env: null }\njobs:\n  d: { schedule: manual, run: x }\n",
        ),
    ];
    let checked = tree_with(&files, &options(&[]));
    for file in &checked.files {
        assert!(!file.is_bad(), "{}", shown(&file.findings));
    }
    let [defaults, _, a, b, c, d] = checked.files.as_slice() else {
        panic!("six files")
    };
    assert!(defaults.is_defaults && defaults.jobs.is_empty());
    assert_eq!(defaults.defaults_text.as_deref(), Some(files[0].1));
    assert_eq!(owner_of(a), Some("root"));
    assert_eq!(owner_of(b), Some("team"));
    assert_eq!(owner_of(c), None);
    let env = |file: &CheckedFile| {
        let context = &file.jobs[0].definition.context;
        let entries = context.env.iter();
        entries
            .map(|(k, v)| format!("{k}={}", v.shown()))
            .collect::<Vec<_>>()
    };
    assert_eq!(env(a), ["A=root", "B=root"]);
    assert_eq!(env(b), ["A=root", "B=team"]);
    assert_eq!(env(c), ["B=team", "C=file", "D=job"]);
    assert!(env(d).is_empty());
    let within = |file: &CheckedFile| file.jobs[0].definition.policy.success_within;
    assert_eq!((within(b).is_some(), within(c)), (true, None));
    assert_eq!(b.jobs[0].definition.policy.max_instances, 2);
    assert_eq!(c.jobs[0].definition.policy.max_instances, 1);
    assert_eq!(&*a.jobs[0].definition.timezone, "Asia/Tokyo");
    assert_eq!(&*d.jobs[0].definition.timezone, "UTC");
}

#[test]
fn the_flag_is_below_all_files_and_null_goes_past_it() {
    let mut with_flag = options(&[]);
    with_flag.timezone = Some("Europe/Berlin".into());
    let checked = tree_with(
        &[
            ("a.yaml", &named("a")),
            (
                "b.yaml",
                &format!("defaults: {{ timezone: null }}\n{}", named("b")),
            ),
        ],
        &with_flag,
    );
    assert_eq!(
        &*checked.files[0].jobs[0].definition.timezone,
        "Europe/Berlin"
    );
    assert_eq!(&*checked.files[1].jobs[0].definition.timezone, "UTC");
    with_flag.timezone = Some("Mars/Base".into());
    let checked = tree_with(&[("a.yaml", &named("a"))], &with_flag);
    assert_eq!(codes(&checked.files[0]), [Code::UnknownZone]);
}

#[test]
fn http_defaults_touch_requests_alone_and_headers_merge_in_any_case() {
    let text = r#"
defaults:
  http: { headers: { Authorization: "${secrets.T}", X-A: "1" }, follow_redirects: true }
  secrets: { T: { env: T } }
  stdin: hello
  shell: bash
jobs:
  a: { schedule: manual, http: { url: "http://x", headers: { authorization: none } } }
  b: { schedule: manual, run: x }
  c: { schedule: manual, http: "http://x" }
"#;
    let file = file(text);
    assert!(!file.is_bad(), "{}", shown(&file.findings));
    let headers = |n: usize| match &file.jobs[n].definition.action {
        Action::Http(http) => http
            .headers
            .iter()
            .map(|(k, v)| format!("{k}: {}", v.shown()))
            .collect::<Vec<_>>(),
        Action::Process(_) => Vec::new(),
    };
    assert_eq!(headers(0), ["authorization: none", "X-A: 1"]);
    assert_eq!(headers(2), ["Authorization: ${secrets.T}", "X-A: 1"]);
    // A job whose secret was taken away cannot use the header of the defaults.
    let without = text.replace(
        "c: { schedule: manual,",
        "c: { schedule: manual, secrets: null,",
    );
    let bad = super::file(&without);
    assert_eq!(codes(&bad), [Code::BadVariable]);
    assert!(bad.findings[0].message.contains("comes from defaults"));
}

#[test]
fn relative_paths_belong_to_the_file_that_holds_them() {
    let files = [
        ("team/_defaults.yaml", "defaults: { env_file: team.env }"),
        ("team/deep/a.yaml", &named("a")),
        (
            "team/deep/b.yaml",
            &format!("defaults: {{ env_file: b.env }}\n{}", named("b")),
        ),
    ];
    let checked = tree_with(&files, &options(&[]));
    let context = |n: usize| checked.files[n].jobs[0].definition.context.clone();
    assert_eq!(
        &*context(1).env_files[0].path,
        Path::new("/srv/jobs/team/team.env")
    );
    assert_eq!(
        context(1).cwd.as_deref(),
        Some(Path::new("/srv/jobs/team/deep"))
    );
    assert_eq!(
        &*context(2).env_files[0].path,
        Path::new("/srv/jobs/team/deep/b.env")
    );
}

#[test]
fn while_defaults_are_bad_their_last_good_text_serves() {
    let bad = "defaults: { owner: x, timeout: 5 }";
    let files = [
        ("team/_defaults.yaml", bad),
        ("team/a.yaml", &named("a")),
        ("b.yaml", &named("b")),
    ];
    let inputs: Vec<_> = files.iter().map(|(p, t)| input(p, t.as_bytes())).collect();
    let none = check(&inputs, None, &HashMap::new(), &options(&[]), zones());
    assert_eq!(codes(&none.files[0]), [Code::BadDuration]);
    assert_eq!(none.files[0].defaults_text, None);
    assert_eq!(codes(&none.files[1]), [Code::BadDefaults]);
    assert!(
        none.files[1].findings[0]
            .message
            .contains("jobs.d/team/_defaults.yaml")
    );
    assert_eq!(none.files[1].names.len(), 1);
    assert!(!none.files[2].is_bad());

    let mut last_good = HashMap::new();
    let key = ("jobs.d".into(), "team/_defaults.yaml".into());
    last_good.insert(key, Arc::from("defaults: { owner: before }"));
    let served = check(&inputs, Some(&none), &last_good, &options(&[]), zones());
    assert!(served.files[0].is_bad());
    assert!(
        !served.files[1].is_bad(),
        "{}",
        shown(&served.files[1].findings)
    );
    assert_eq!(owner_of(&served.files[1]), Some("before"));

    let key = ("jobs.d".into(), "team/_defaults.yaml".into());
    last_good.insert(key, Arc::from("defaults: { owner: \"${GONE}\" }"));
    let gone = check(&inputs, Some(&served), &last_good, &options(&[]), zones());
    assert_eq!(codes(&gone.files[1]), [Code::BadDefaults]);
}

#[test]
fn only_what_changed_is_read_anew() {
    let files = [
        ("_defaults.yaml", "defaults: { owner: a }"),
        ("one/_defaults.yaml", "defaults: { max_instances: 2 }"),
        ("one/a.yaml", &named("a")),
        ("b.yaml", &named("b")),
        ("bad.yaml", "jobs: ["),
    ];
    let before = tree_with(&files, &options(&[]));
    let again = |files: &[(&str, &str)], options: &Options| {
        let inputs: Vec<_> = files.iter().map(|(p, t)| input(p, t.as_bytes())).collect();
        let after = check(&inputs, Some(&before), &HashMap::new(), options, zones());
        let kept = before.files.iter().zip(&after.files);
        kept.map(|(a, b)| Arc::ptr_eq(a, b)).collect::<Vec<_>>()
    };
    let plain = options(&[]);
    assert_eq!(again(&files, &plain), [true; 5]);
    let mut edited = files;
    edited[3].1 = "jobs: {}";
    assert_eq!(again(&edited, &plain), [true, true, true, false, true]);
    let mut edited = files;
    edited[1].1 = "defaults: { max_instances: 3 }";
    assert_eq!(again(&edited, &plain), [true, false, false, true, true]);
    let mut edited = files;
    edited[0].1 = "defaults: { owner: b }";
    assert_eq!(again(&edited, &plain), [false, true, false, false, false]);
    assert_eq!(again(&files, &options(&[("A", "b")])), [false; 5]);
}

#[test]
fn a_defaults_file_holds_defaults_and_nothing_else() {
    let files = [
        (
            "_defaults.yaml",
            "jobs:\n  a: { schedule: manual, run: x }\n",
        ),
        ("x/_defaults.yml", "defaults: { owner: a }\n"),
        ("y/_defaults.yaml", "x-a: &a { owner: b }\ndefaults: *a\n"),
    ];
    let checked = tree_with(&files, &options(&[]));
    assert_eq!(codes(&checked.files[0]), [Code::UnknownKey]);
    assert!(codes(&checked.files[1]).contains(&Code::BadName));
    assert!(!checked.files[2].is_bad());
}

#[test]
fn many_files_are_read_on_many_threads_in_their_order() {
    let texts: Vec<_> = (0..600)
        .map(|n| (format!("d{}/f{n}.yaml", n % 7), named(&format!("j{n}"))))
        .collect();
    let padding = "# padding\n".repeat(30);
    let inputs: Vec<_> = texts
        .iter()
        .map(|(path, text)| input(path, format!("{padding}{text}").as_bytes()))
        .collect();
    let checked = check(&inputs, None, &HashMap::new(), &options(&[]), zones());
    assert_eq!(checked.files.len(), 600);
    for (n, file) in checked.files.iter().enumerate() {
        assert_eq!(*file.path, *texts[n].0);
        assert_eq!(file.jobs[0].name().as_str(), format!("j{n}"));
    }
}
