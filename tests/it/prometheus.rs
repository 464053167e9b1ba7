//! Rules, metrics and dashboard, held against Prometheus itself.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use super::support::{Daemon, Folder, elder, until};

const JOBS: &str = r#"
defaults: { timezone: Europe/Berlin }
jobs:
  nightly: { schedule: { daily: "02:30" }, run: x, owner: team-a, labels: { severity: critical } }
  office: { schedule: "*/5 9-17 * * 1-5", run: x }
  ping: { schedule: { every: 1m }, http: "http://127.0.0.1:1/" }
  said: { schedule: { every: 1h }, run: x, expect_success_within: 3h }
  once: { schedule: { at: 2027-09-20T15:00:00+09:00 }, run: x }
  by-hand: { schedule: manual, run: x }
  off: { schedule: { every: 1h }, run: x, enabled: false }
"#;

const FROM: &str = "--from 2027-01-04T00:00:00Z";

/// A program of Prometheus, as `make prometheus` unpacked it.
fn program(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prometheus/usr/bin");
    let path = path.join(name);
    assert!(
        path.exists(),
        "{} is missing: run `make prometheus`",
        path.display()
    );
    path
}

pub fn promtool(folder: &Path, words: &[&str]) -> Output {
    Command::new(program("promtool"))
        .args(words)
        .current_dir(folder)
        .output()
        .unwrap()
}

#[track_caller]
fn holds(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

fn rules(folder: &Folder, more: &str) -> String {
    let finished = elder(&format!("rules {FROM} {more}"))
        .within(folder.path())
        .run();
    assert_eq!(finished.code, Some(0), "{finished}");
    finished.stdout
}

#[test]
fn the_shipped_rules_do_what_their_tests_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/prometheus");
    holds(&promtool(
        &folder,
        &["check", "rules", "--lint-fatal", "alerts.yml"],
    ));
    holds(&promtool(&folder, &["test", "rules", "alerts.test.yml"]));
}

#[test]
fn the_readmes_questions_find_a_job_that_never_succeeded() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let asked = |question: &str| {
        let (_, row) = readme.split_once(question).unwrap();
        row.split('`').nth(1).unwrap().to_owned()
    };
    let (failed, idle) = (asked("| Whose last run failed?"), asked("a day, or never?"));
    let folder = Folder::with(&[(
        "test.yml",
        &format!(
            r#"
rule_files: []
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {{ series: 'elder_job_info{{instance="a",job_name="never"}}', values: "1x10" }}
      - {{ series: 'elder_job_last_failure_timestamp_seconds{{instance="a",job_name="never"}}', values: "100x10" }}
      - {{ series: 'elder_job_info{{instance="a",job_name="again"}}', values: "1x10" }}
      - {{ series: 'elder_job_last_failure_timestamp_seconds{{instance="a",job_name="again"}}', values: "100x10" }}
      - {{ series: 'elder_job_last_success_timestamp_seconds{{instance="a",job_name="again"}}', values: "200x10" }}
      - {{ series: 'elder_job_info{{instance="a",job_name="fails"}}', values: "1x10" }}
      - {{ series: 'elder_job_last_failure_timestamp_seconds{{instance="a",job_name="fails"}}', values: "300x10" }}
      - {{ series: 'elder_job_last_success_timestamp_seconds{{instance="a",job_name="fails"}}', values: "200x10" }}
    promql_expr_test:
      - expr: count by (job_name) ({failed})
        eval_time: 10m
        exp_samples: [{{ labels: '{{job_name="never"}}', value: 1 }}, {{ labels: '{{job_name="fails"}}', value: 1 }}]
      - expr: count by (job_name) ({idle})
        eval_time: 10m
        exp_samples: [{{ labels: '{{job_name="never"}}', value: 1 }}]
"#
        ),
    )]);
    holds(&promtool(folder.path(), &["test", "rules", "test.yml"]));
}

#[test]
fn each_job_gets_the_rule_that_follows_from_its_schedule() {
    let folder = Folder::with(&[("jobs.d/a.yaml", JOBS)]);
    let text = rules(&folder, "--runbook-url https://example.com/runbook");
    folder.write("rules.yml", &text);
    holds(&promtool(
        folder.path(),
        &["check", "rules", "--lint-fatal", "rules.yml"],
    ));

    let own: Vec<&str> = text.split("- alert: ElderJobOverdue").skip(1).collect();
    // A day, its grace and an hour for the run; the day of 25 hours is the largest.
    let [nightly, office, ping] = &own[..] else {
        panic!("{text}");
    };
    let after = |rule: &str| {
        let (_, rest) = rule
            .split_once("group_left () process_start_time_seconds)) > ")
            .unwrap();
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap();
        digits.parse::<u64>().unwrap()
    };
    assert_eq!(after(nightly), 25 * 3600 + 6 * 3600 + 3600, "{nightly}");
    assert!(
        nightly.contains("severity: \"critical\"\n          owner: \"team-a\"\n"),
        "{nightly}"
    );
    // From Friday 17:55 to Monday 9:00, an hour more at the change of the clock.
    assert_eq!(
        after(office),
        (63 * 60 + 5 + 60) * 60 + 6 * 3600 + 3600,
        "{office}"
    );
    assert!(office.contains("severity: \"warning\""), "{office}");
    assert_eq!(after(ping), 60 + 60 + 15, "{ping}");
    assert!(text.contains("runbook_url: \"https://example.com/runbook#elderjoboverdue\""));
    assert!(text.contains("runbook_url: \"https://example.com/runbook#elderdown\""));

    let resource = rules(&folder, "--format prometheusrule --severity page");
    assert!(
        resource.contains("\nkind: PrometheusRule\n") && resource.contains("severity: \"page\"")
    );
    let (_, groups) = resource.split_once("spec:\n").unwrap();
    let inner: String = groups
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line)))
        .collect();
    folder.write("inner.yml", &inner);
    holds(&promtool(
        folder.path(),
        &["check", "rules", "--lint-fatal", "inner.yml"],
    ));
}

#[test]
fn the_overdue_alert_speaks_when_a_success_is_late_or_never_came() {
    let folder = Folder::with(&[("jobs.d/a.yaml", JOBS)]);
    folder.write("rules.yml", &rules(&folder, ""));
    folder.write(
        "test.yml",
        r#"
rule_files: [rules.yml]
evaluation_interval: 30s
tests:
  - interval: 30s
    input_series:
      - { series: 'elder_job_info{job_name="ping",job="elder",instance="a",owner=""}', values: "1x20" }
      - { series: 'elder_job_last_success_timestamp_seconds{job_name="ping",job="elder",instance="a"}', values: "0x20" }
      - { series: 'process_start_time_seconds{job="elder",instance="a"}', values: "0x20" }
      - { series: 'elder_job_info{job_name="ping",job="elder",instance="b",owner=""}', values: "1x20" }
      - { series: 'process_start_time_seconds{job="elder",instance="b"}', values: "0x20" }
      - { series: 'elder_job_info{job_name="ping",job="elder",instance="c",owner=""}', values: "1x20" }
      - { series: 'elder_job_last_success_timestamp_seconds{job_name="ping",job="elder",instance="c"}', values: "0+30x20" }
      - { series: 'process_start_time_seconds{job="elder",instance="c"}', values: "0x20" }
      # Under Kubernetes the instance of many targets is one node's name.
      - { series: 'process_start_time_seconds{job="kubelet",instance="a"}', values: "0x20" }
      - { series: 'process_start_time_seconds{job="node-exporter",instance="a"}', values: "0x20" }
      - { series: 'process_start_time_seconds{job="kubelet",instance="n"}', values: "0x20" }
      - { series: 'process_start_time_seconds{job="node-exporter",instance="n"}', values: "0x20" }
    promql_expr_test:
      - expr: count(ALERTS{alertname="ElderJobOverdue"}) or vector(0)
        eval_time: 2m
        exp_samples: [{ labels: '{}', value: 0 }]
      - expr: sum by (instance) (ALERTS{alertname="ElderJobOverdue",alertstate="firing"})
        eval_time: 3m
        exp_samples:
          - { labels: '{instance="a"}', value: 1 }
          - { labels: '{instance="b"}', value: 1 }
"#,
    );
    holds(&promtool(folder.path(), &["test", "rules", "test.yml"]));
}

#[test]
fn rules_are_not_made_without_the_jobs_of_a_bad_file() {
    let folder = Folder::with(&[
        ("jobs.d/a.yaml", JOBS),
        ("jobs.d/b.yaml", "jobs: { x: {} }\n"),
    ]);
    let finished = elder("rules").within(folder.path()).run();
    assert_eq!(finished.code, Some(1), "{finished}");
    assert_eq!(finished.stdout, "");
    assert!(finished.stderr.contains("elder validate"), "{finished}");
}

#[test]
fn nothing_of_a_job_file_becomes_a_template() {
    let hostile = "jobs:\n  a:\n    schedule: { daily: \"02:30\" }\n    run: x\n    owner: \"{{ team }}\\\"\\n- {{{ x\"\n    labels: { severity: \"a: {{b\" }\n";
    let folder = Folder::with(&[("jobs.d/{{ printf }}.yaml", hostile)]);
    let text = rules(&folder, "");
    folder.write("rules.yml", &text);
    holds(&promtool(
        folder.path(),
        &["check", "rules", "--lint-fatal", "rules.yml"],
    ));
    let description = text
        .lines()
        .rfind(|line| line.contains("description:"))
        .unwrap();
    assert!(!description.contains("{{ printf"), "{description}");
}

#[test]
fn every_alert_has_its_part_of_the_runbook_and_every_part_its_alert() {
    let folder = Folder::with(&[("jobs.d/a.yaml", JOBS)]);
    let text = rules(&folder, "");
    let alerts: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let runbook = std::fs::read_to_string(root.join("docs/runbook.md")).unwrap();
    let parts: BTreeSet<&str> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    assert_eq!(alerts, parts);
}

/// All expressions of a dashboard.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(text) if name == "expr" => found.push(text.to_owned()),
                    _ => expressions(value, found),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn the_dashboard_asks_for_metrics_that_there_are() {
    let folder = Folder::with(&[("jobs.d/a.yaml", JOBS)]);
    let dashboard: Value =
        serde_json::from_str(&elder("rules --format grafana").run().stdout).unwrap();
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    assert!(found.len() > 20, "{found:?}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let reference = std::fs::read_to_string(root.join("docs/metrics.md")).unwrap();
    let mut rules = String::from("groups:\n  - name: dashboard\n    rules:\n");
    for (number, expr) in found.iter().enumerate() {
        for word in expr.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
            let base = word.strip_suffix("_bucket").unwrap_or(word);
            if base.starts_with("elder_") || base.starts_with("process_") {
                assert!(reference.contains(&format!("`{base}`")), "{word}");
            }
        }
        let expr = expr.replace("$__rate_interval", "5m");
        let expr = serde_json::to_string(&expr).unwrap();
        rules.push_str(&format!(
            "      - {{ record: 'r:{number}', expr: {expr} }}\n"
        ));
    }
    folder.write("rules.yml", &rules);
    holds(&promtool(
        folder.path(),
        &["check", "rules", "--lint-fatal", "rules.yml"],
    ));
}

/// A server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_real_prometheus_scrapes_elder_and_raises_its_alerts() {
    let folder = Folder::with(&[(
        "jobs.d/a.yaml",
        "jobs:\n  fine: { schedule: { every: 1s }, run: 'true' }\n  bad: { schedule: { every: 1s }, run: 'false' }\n",
    )]);
    let daemon = Daemon::start(&folder);
    let mut check = Command::new(program("promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let scrape = daemon.get("/metrics").body;
    std::io::Write::write_all(&mut check.stdin.take().unwrap(), scrape.as_bytes()).unwrap();
    holds(&check.wait_with_output().unwrap());
    folder.write("rules.yml", &rules(&folder, ""));
    folder.write(
        "prometheus.yml",
        &format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [rules.yml]\nscrape_configs:\n  - job_name: elder\n    static_configs: [{{ targets: [\"{}\"] }}]\n",
            daemon.address()
        ),
    );
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let _server = Server(
        Command::new(program("prometheus"))
            .args([
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                &format!("--web.listen-address=127.0.0.1:{port}"),
                "--log.level=error",
            ])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let ask = |query: &str| -> Option<Value> {
        let url = format!("http://127.0.0.1:{port}");
        let output = promtool(
            folder.path(),
            &["query", "-o", "json", "instant", &url, query],
        );
        serde_json::from_slice(&output.stdout).ok()
    };
    until("runs are counted", || {
        let found = ask("elder_executed_total{job_name=\"fine\",outcome=\"success\"} > 1")?;
        (found.as_array()?.len() == 1).then_some(())
    });
    until("the failing job is seen", || {
        let found = ask("ALERTS{alertname=\"ElderJobFailing\"}")?;
        let found = found.as_array()?;
        (found.len() == 1 && found[0]["metric"]["job_name"] == "bad").then_some(())
    });
    let others = ask("ALERTS{alertname!=\"ElderJobFailing\"}").unwrap();
    assert_eq!(others.as_array().unwrap().len(), 0, "{others}");
}
