//! `--config` and `elder config show`: every setting has one value and one origin.

use clap::CommandFactory;

use super::support::{Daemon, Folder, elder};

const FILE: &str = "\
# elder's settings
listen: 127.0.0.1:7999
max_workers: 8
strict: true
paths: [more.d]
env_allow:
  - HOME
  - USER
heartbeat_url: https://hc.example.com/secret-uuid
";

#[test]
fn each_setting_says_where_it_comes_from() {
    let folder = Folder::with(&[("elder.yaml", FILE)]);
    let finished = elder("config show --config elder.yaml --max-requests 7 --no-new-privs")
        .within(folder.path())
        .env("ELDER_MAX_WORKERS", "9")
        .env("ELDER_STATE", "/var/lib/elder")
        .env("SCHEDULER_TIMEZONE", "Asia/Tokyo")
        .run();
    assert_eq!(finished.code, Some(0), "{finished}");
    assert_eq!(
        finished.stderr,
        "note: SCHEDULER_TIMEZONE is taken; write its successor ELDER_TIMEZONE (--timezone)\n"
    );
    for line in [
        "SETTING          VALUE                             FROM",
        "paths            more.d                            elder.yaml:5",
        "config           elder.yaml                        --config",
        "listen           127.0.0.1:7999                    elder.yaml:2",
        "state            /var/lib/elder                    ELDER_STATE",
        "store            sqlite:STATE/elder.db             default",
        "timezone         Asia/Tokyo                        SCHEDULER_TIMEZONE",
        "max_workers      9                                 ELDER_MAX_WORKERS",
        "max_requests     7                                 --max-requests",
        "shutdown_grace   30s                               default",
        "strict           true                              elder.yaml:4",
        "allow_empty      false                             default",
        "env_allow        HOME, USER                        elder.yaml:6",
        "no_new_privs     true                              --no-new-privs",
        "tokens           -                                 default",
        "job_metrics      all, above 10,000 jobs top:10000  default",
        "heartbeat_url    ***                               elder.yaml:9",
    ] {
        let there = finished.stdout.lines().any(|said| said == line);
        assert!(there, "{line}\n{finished}");
    }
    let command = elder::cli::args::Cli::command();
    let run = command.find_subcommand("run").unwrap();
    let flags = run.get_arguments().filter_map(clap::Arg::get_long);
    let flags: Vec<_> = flags.filter(|flag| *flag != "help").collect();
    let lines = finished.stdout.lines().count();
    assert_eq!(lines, flags.len() + 2, "one each, PATH and the head");
}

#[test]
fn an_older_variable_is_overruled_by_what_is_really_set() {
    let folder = Folder::with(&[(
        "elder.yaml",
        "max_workers: 4\ntimezone: \"\"\nlog_level: warn\n",
    )]);
    let show = |line: &str, set: &[(&str, &str)]| {
        let line = format!("config show --config elder.yaml {line}");
        let mut command = elder(&line).within(folder.path());
        for (name, value) in set {
            command = command.env(name, value);
        }
        command.run()
    };
    let older = ("SCHEDULER_MAX_WORKERS", "8");
    for (line, set, origin, workers) in [
        ("", &[older][..], "elder.yaml:1", 4),
        ("--max-workers 5", &[older], "--max-workers", 5),
        (
            "",
            &[older, ("ELDER_MAX_WORKERS", "6")],
            "ELDER_MAX_WORKERS",
            6,
        ),
    ] {
        let finished = show(line, set);
        let note = format!("note: SCHEDULER_MAX_WORKERS is overruled by {origin}\n");
        assert_eq!(finished.stderr, note, "{finished}");
        let row = finished
            .stdout
            .lines()
            .find(|row| row.starts_with("max_workers "));
        let words: Vec<&str> = row.unwrap_or_default().split_whitespace().collect();
        assert_eq!(words, ["max_workers", &workers.to_string(), origin]);
    }
    // An empty text sets nothing, in the file as in a variable.
    let row = |finished: &super::support::Finished| {
        let row = finished
            .stdout
            .lines()
            .find(|row| row.starts_with("timezone "));
        row.unwrap_or_default().to_owned()
    };
    let unset = show("", &[]);
    assert!(row(&unset).ends_with("default"), "{unset}");
    let older = show("", &[("SCHEDULER_TIMEZONE", "Asia/Tokyo")]);
    assert!(row(&older).contains("Asia/Tokyo"), "{older}");
}

#[test]
fn programs_read_it_as_json() {
    let text = format!("{FILE}env_file: elder.env\n");
    let variables = "ELDER_PRUNE_LIMIT=10%\nELDER_CONFIG=not-asked.yaml\n";
    let folder = Folder::with(&[("elder.yaml", &text), ("elder.env", variables)]);
    let finished = elder("config show --format json jobs.d")
        .within(folder.path())
        .env("ELDER_CONFIG", "elder.yaml")
        .env("ELDER_HEARTBEAT_URL", "https://hc.example.com/other-secret")
        .run();
    assert_eq!(finished.code, Some(0), "{finished}");
    assert!(!finished.stdout.contains("secret"), "{finished}");
    let answer = finished.json();
    let setting = |name: &str| {
        let all = answer["settings"].as_array().unwrap();
        let found = all.iter().find(|one| one["name"] == name);
        found
            .unwrap_or_else(|| panic!("{name}: {answer}"))
            .to_string()
    };
    for (name, want) in [
        (
            "paths",
            r#"{"name":"paths","value":["jobs.d"],"source":"flag","from":"PATH"}"#,
        ),
        (
            "max_workers",
            r#"{"name":"max_workers","value":"8","source":"file","from":"elder.yaml:3"}"#,
        ),
        (
            "strict",
            r#"{"name":"strict","value":"true","source":"file","from":"elder.yaml:4"}"#,
        ),
        (
            "env_allow",
            r#"{"name":"env_allow","value":["HOME","USER"],"source":"file","from":"elder.yaml:6"}"#,
        ),
        (
            "heartbeat_url",
            r#"{"name":"heartbeat_url","value":"***","source":"variable","from":"ELDER_HEARTBEAT_URL"}"#,
        ),
        (
            "prune_limit",
            r#"{"name":"prune_limit","value":"10%","source":"variable","from":"ELDER_PRUNE_LIMIT in elder.env"}"#,
        ),
        (
            "tokens",
            r#"{"name":"tokens","value":null,"source":"default","from":null}"#,
        ),
        (
            "config",
            r#"{"name":"config","value":"elder.yaml","source":"variable","from":"ELDER_CONFIG"}"#,
        ),
    ] {
        let want: serde_json::Value = serde_json::from_str(want).unwrap();
        let said: serde_json::Value = serde_json::from_str(&setting(name)).unwrap();
        assert_eq!(said, want, "{name}");
    }
}

#[test]
fn what_run_would_refuse_is_refused_with_its_place() {
    for (text, line, wants) in [
        (
            "max_workers: many\n",
            "",
            &["elder.yaml:1", "max_workers", "\"many\""][..],
        ),
        (
            "listen: 8000\n",
            "",
            &["elder.yaml:1", "write 127.0.0.1:8000"],
        ),
        (
            "max-workers: 1\nlisten: [a]\n",
            "",
            &[
                "elder.yaml:1:1",
                "did you mean `max_workers`",
                "elder.yaml:2:9",
            ],
        ),
        ("auth: none\n", "--listen 0.0.0.0:80", &["loopback"]),
        (
            "store: postgres://u:hunter2@db\n",
            "",
            &["no PostgreSQL store"],
        ),
        ("config: other.yaml\n", "", &["no setting `config`"]),
        ("a: [\n", "", &["elder.yaml:2:1"]),
        (
            "env_allow: []\negress: []\n",
            "",
            &["`env_allow` is an empty list", "`egress` is an empty list"],
        ),
    ] {
        let folder = Folder::with(&[("elder.yaml", text)]);
        for command in ["config show", "run"] {
            let finished = elder(&format!("{command} --config elder.yaml {line}"))
                .within(folder.path())
                .run();
            assert_eq!(finished.code, Some(2), "{command} {text}: {finished}");
            for want in wants {
                assert!(
                    finished.stderr.contains(want),
                    "{command} {text}: {finished}"
                );
            }
            assert!(!finished.stderr.contains("hunter2"), "{finished}");
        }
    }
    let folder = Folder::with(&[("elder.env", "ELDER_CONFIG=elder.yaml\n")]);
    let finished = elder("run --env-file elder.env")
        .within(folder.path())
        .run();
    assert_eq!(finished.code, Some(2), "{finished}");
    assert!(
        finished.stderr.contains("ELDER_CONFIG stands"),
        "{finished}"
    );

    let finished = elder("config show --config nowhere.yaml").run();
    assert_eq!(finished.code, Some(2), "{finished}");
    assert!(finished.stderr.contains("nowhere.yaml"), "{finished}");
}

#[test]
fn the_file_in_the_reference_is_taken_and_doctor_takes_it_too() {
    let reference = include_str!("../../docs/operations.md");
    let (_, rest) = reference.split_once("```text\n# elder.yaml\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let folder = Folder::with(&[("elder.yaml", text)]);
    let finished = elder("config show --config elder.yaml")
        .within(folder.path())
        .run();
    assert_eq!(finished.code, Some(0), "{finished}");
    let from_file = finished.stdout.matches("elder.yaml:").count();
    assert_eq!(from_file, text.lines().count(), "{finished}");

    folder.write("elder.yaml", "paths: [not-there.d]\nlisten: 127.0.0.1:0\n");
    let finished = elder("doctor --config elder.yaml")
        .within(folder.path())
        .run();
    assert_eq!(finished.code, Some(2), "{finished}");
    assert!(finished.stderr.contains("not-there.d"), "{finished}");
}

#[test]
fn elder_runs_by_its_file_which_is_no_job_file() {
    let folder = Folder::with(&[
        (
            "jobs.d/elder.yaml",
            "strict: true\nrevision: from-the-file\nenv_file: [elder.env]\n",
        ),
        ("elder.env", "GREETING=hello\n"),
        (
            "jobs.d/a.yaml",
            "jobs:\n  a: { schedule: manual, run: 'true', env: { G: '${GREETING}' } }\n",
        ),
    ]);
    let daemon = Daemon::start_with(&folder, |program| {
        program.arg("--config").arg("jobs.d/elder.yaml")
    });
    daemon.wait_until_ready();
    let config = daemon.get("/api/v1/config").json();
    assert_eq!(config["sync"]["status"], "Synced", "{config}");
    assert_eq!(config["sync"]["revision"], "from-the-file", "{config}");
}
