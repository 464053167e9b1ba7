//! Policies over hand-made trees.

use std::collections::HashMap;
use std::path::Path;

use jiff::civil::date;
use sha2::{Digest, Sha256};

use super::*;
use crate::schedule::Zones;
use crate::spec::{self, InputFile, is_bad_policy, team_policy};

fn input(path: &str, text: &str) -> InputFile {
    InputFile {
        root: "jobs.d".into(),
        root_folder: Arc::from(Path::new("/srv/jobs")),
        path: path.into(),
        shown: path.into(),
        content: Ok(Arc::from(text.as_bytes())),
        hash: Sha256::digest(text).into(),
        within: None,
    }
}

/// What a policy says against files, in short.
fn judged(policy: &str, files: &[(&str, &str)]) -> Vec<String> {
    let zones = Zones::bundled();
    let options = spec::Options {
        timezone: None,
        env: Arc::new(HashMap::from([(
            "HOST".to_owned(),
            "b.example.com".to_owned(),
        )])),
        env_allow: None,
        lent: None,
        allow_missing_env: false,
    };
    let (policy, findings) = team_policy(&input("policy.yaml", policy), &options, &zones);
    assert!(!is_bad_policy(&findings), "{findings:?}");
    let inputs: Vec<_> = files.iter().map(|(path, text)| input(path, text)).collect();
    let checked = spec::check(&inputs, None, &HashMap::new(), &options, &zones);
    let files: Vec<&CheckedFile> = checked.files.iter().map(|file| &**file).collect();
    for file in &files {
        assert!(!file.is_bad(), "{:?}", file.findings);
    }
    let found = judge(&Case {
        files: &files,
        are_all: true,
        policy: &policy,
        today: date(2027, 2, 1),
    });
    let told = found.iter().map(|one| {
        let place = &one.at.place;
        format!("{}:{} {} {}", place.file, place.line, one.code, one.message)
    });
    told.collect()
}

fn judged_job(rules: &str, keys: &str) -> Vec<String> {
    let job = format!("jobs:\n  a: {{ {keys} }}\n");
    judged(&format!("rules: {{ {rules} }}"), &[("a.yaml", &job)])
}

#[test]
fn each_rule_has_a_job_that_keeps_to_it_and_one_that_does_not() {
    for (rules, good, bad, code) in [
        (
            "required: [owner, timeout]",
            "owner: x, timeout: 1h, schedule: manual, run: x",
            "owner: x, schedule: manual, run: x",
            "E060",
        ),
        (
            "required: owner",
            "owner: x, schedule: manual, run: x",
            "owner: '', schedule: manual, run: x",
            "E060",
        ),
        (
            "labels: { tier: [gold, silver] }",
            "labels: { tier: gold }, schedule: manual, run: x",
            "labels: { tier: tin }, schedule: manual, run: x",
            "E061",
        ),
        (
            "labels: { team: '*' }",
            "labels: { team: x }, schedule: manual, run: x",
            "schedule: manual, run: x",
            "E061",
        ),
        (
            "min_interval: 1m",
            "schedule: { every: 1m }, run: x",
            "schedule: { every: 59s }, run: x",
            "E062",
        ),
        (
            "min_interval: 1d",
            "schedule: { daily: '02:30' }, timezone: Europe/Berlin, run: x",
            "schedule: ['0 2 * * *', '0 3 1 1 *'], run: x",
            "E062",
        ),
        (
            "max_timeout: 2h",
            "schedule: manual, run: x, timeout: 2h",
            "schedule: manual, run: x",
            "E063",
        ),
        (
            "max_timeout: 2h",
            "schedule: manual, http: 'http://x.example'",
            "schedule: manual, http: 'http://x.example', timeout: none",
            "E063",
        ),
        (
            "timezones: [Asia/Tokyo]",
            "schedule: { daily: '02:00', timezone: Asia/Tokyo }, run: x",
            "schedule: { daily: '02:00' }, run: x",
            "E064",
        ),
        (
            "timezones: [Europe/*]",
            "schedule: { every: 1h }, run: x",
            "schedule: { every: 1h }, timezone: UTC, run: x",
            "E064",
        ),
        (
            "actions: [exec, http]",
            "schedule: manual, exec: [x]",
            "schedule: manual, run: x",
            "E065",
        ),
        (
            "hosts: ['*.example.com']",
            "schedule: manual, http: 'https://${HOST}/x'",
            "schedule: manual, http: 'https://example.org/x'",
            "E066",
        ),
        (
            "hosts: [a.example]",
            "schedule: manual, http: '${elder.server}/healthz'",
            "schedule: manual, http: 'https://${job.name}.a.example/'",
            "E066",
        ),
        (
            "programs: ['/usr/bin/*', curl]",
            "schedule: manual, exec: [/usr/bin/rsync, a]",
            "schedule: manual, exec: [/usr/bin/../../tmp/x]",
            "E067",
        ),
        (
            "programs: ['./scripts/*', curl]",
            "schedule: manual, run: './scripts/a.sh | curl y'",
            "schedule: manual, run: 'curl x | sh'",
            "E067",
        ),
        (
            "programs: ['./scripts/*']",
            "schedule: manual, exec: [./scripts/a]",
            "schedule: manual, exec: [./scripts/a], cwd: /tmp",
            "E067",
        ),
        (
            "programs: [curl]",
            "schedule: manual, exec: [curl], env: { PATH: '/usr/local/bin:/usr/bin' }",
            "schedule: manual, exec: [curl], env: { PATH: '/tmp:/usr/bin' }",
            "E067",
        ),
        (
            "programs: [/usr/bin/curl]",
            "schedule: manual, run: /usr/bin/curl x, env: { PATH: /tmp }",
            "schedule: manual, run: /usr/bin/curl x, shell: bash, env: { PATH: /tmp }",
            "E067",
        ),
        (
            "programs: [curl]",
            "schedule: manual, run: curl x, env: { ENV: production }",
            "schedule: manual, run: curl x, env: { BASH_ENV: ./evil }",
            "E067",
        ),
        (
            "programs: [curl]",
            "schedule: manual, run: curl x, secrets: { LD: { env: X } }",
            "schedule: manual, run: curl x, secrets: { LD_PRELOAD: { file: ./evil } }",
            "E067",
        ),
        (
            "programs: [curl]",
            "schedule: manual, http: 'https://x.example'",
            "schedule: manual, run: '$TOOL x'",
            "E067",
        ),
        (
            "inline_secrets: forbid",
            "schedule: manual, run: x, env: { TOKEN: '${secrets.T}' }, secrets: { T: { env: T } }",
            "schedule: manual, run: x, env: { TOKEN: abc }",
            "E068",
        ),
        (
            "inline_secrets: forbid",
            "schedule: manual, http: { url: 'https://x.example', headers: { Accept: token } }",
            "schedule: manual, http: { url: 'https://x.example', headers: { Authorization: Bearer abc } }",
            "E068",
        ),
        (
            "inline_secrets: forbid",
            "schedule: manual, http: { url: 'https://x.example', json: { a: [1] } }",
            "schedule: manual, http: { url: 'https://x.example', json: { a: [{ password: x }] } }",
            "E068",
        ),
        (
            "inline_secrets: forbid",
            "schedule: manual, http: { url: 'https://x.example', json: { a: 12345 } }",
            "schedule: manual, http: { url: 'https://x.example', json: { password: 12345 } }",
            "E068",
        ),
        (
            "inline_secrets: forbid",
            "schedule: manual, run: x, env: { DB_PASSWORD: '${HOST}' }",
            "schedule: manual, run: x, env: { DB_PASSWORD: 'pa$word' }",
            "E068",
        ),
        (
            "inline_secrets: forbid",
            "schedule: manual, exec: [curl, -H, 'Accept: abc']",
            "schedule: manual, exec: [curl, -H, 'Authorization: Bearer abc']",
            "E068",
        ),
        (
            "programs: [curl]",
            "schedule: manual, run: 'curl x', shell: [bash, -euo, pipefail, -c]",
            "schedule: manual, run: 'curl x', shell: [/bin/sh, -c, ./evil]",
            "E067",
        ),
        (
            "programs: [curl]",
            "schedule: manual, run: 'curl x', shell: bash",
            "schedule: manual, run: 'curl x', shell: [./evil]",
            "E067",
        ),
        (
            "min_interval: 1h",
            "schedule: { daily: ['00:00', '12:00'], from: 2031-01-01 }, run: x",
            "schedule: { daily: ['00:00', '12:00', '12:01'], from: 2031-01-01 }, run: x",
            "E062",
        ),
    ] {
        assert_eq!(judged_job(rules, good), [""; 0], "{rules}: {good}");
        let found = judged_job(rules, bad);
        let [one] = found.as_slice() else {
            panic!("{rules}: {bad}: {found:?}");
        };
        assert!(
            one.starts_with(&format!("a.yaml:2 {code} the job `a` ")),
            "{one}"
        );
        assert!(!one.contains("abc"), "no secret is told: {one}");
    }
}

#[test]
fn what_the_defaults_say_counts_and_sages_are_asked_what_they_do() {
    let files = [
        ("_defaults.yaml", "defaults: { owner: ops, timeout: 1h }"),
        (
            "a.yaml",
            "jobs: { a: { schedule: manual, run: x, on_failure: s } }\nsages:\n  s: { http: https://evil.example }\n",
        ),
    ];
    let policy = "rules: { required: [owner, timeout], hosts: [good.example] }";
    assert_eq!(
        judged(policy, &files),
        ["a.yaml:3 E066 the sage `s` asks `evil.example`, and allowed are `good.example`"]
    );
}

#[test]
fn a_waiver_holds_through_its_last_day_and_is_a_finding_afterwards() {
    let policy = |waivers: &str| format!("rules: {{ required: owner }}\nwaivers:\n{waivers}");
    let waiver = |job: &str, until: &str| {
        format!("  - {{ job: {job}, rule: required, reason: x, until: {until} }}\n")
    };
    let files = [("a.yaml", "jobs:\n  old-a: { schedule: manual, run: x }\n")];
    let today = policy(&waiver("old-*", "2027-02-01"));
    assert_eq!(judged(&today, &files), [""; 0]);
    let past = policy(&waiver("old-a", "2027-01-31"));
    assert_eq!(
        judged(&past, &files),
        [
            "a.yaml:2 E060 the job `old-a` lacks `owner`, which the policy asks for",
            "policy.yaml:3 E069 the waiver of `required` for `old-a` ended with 2027-01-31",
        ]
    );
    let both = policy(&format!(
        "{}{}",
        waiver("old-a", "2027-01-31"),
        waiver("old-a", "2027-03-01")
    ));
    assert_eq!(
        judged(&both, &files).len(),
        1,
        "the later one holds, the earlier one is told"
    );
    let unused = policy(&waiver("other", "2027-03-01"));
    assert_eq!(judged(&unused, &files).len(), 2);
    assert!(
        judged(&unused, &files)[1].contains("W060"),
        "{:?}",
        judged(&unused, &files)
    );
}
