//! Jobs that have less than elder has: another user, limits; and an elder that has less itself.

use crate::support::{Daemon, Folder, elder, until};

/// Whether these tests may become somebody else.
#[expect(clippy::print_stdout, reason = "a test that did not test says so")]
fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        println!("not tested: not root");
    }
    is_root
}

/// What a process says of itself.
const WHO: &str = r#"
      id -u; id -g; id -G
      echo "$HOME $USER $LOGNAME $SHELL"
      grep -E '^(NoNewPrivs|CapPrm|CapEff|CapAmb)' /proc/self/status | tr -s '\t' ' '
      ls /proc/self/fd | tr '\n' ' '; echo
      umask
      ulimit -c
"#;

fn manual(name: &str, more: &str, lines: &str) -> String {
    format!("  {name}:\n    schedule: manual\n    cwd: /\n{more}    run: |{lines}")
}

#[test]
fn a_job_runs_as_its_user_without_a_way_back() {
    if !is_root() {
        return;
    }
    let own = manual("own", "", WHO);
    let user = manual("user", "    user: nobody\n", WHO);
    let group = manual(
        "group",
        "    user: nobody:daemon\n    env: { HOME: /elsewhere }\n    inherit_env: [SHELL]\n",
        WHO,
    );
    // A shell that is root to the file system alone could take a setuid program for its way back.
    let back = manual(
        "back",
        "    user: nobody\n",
        "\n      setpriv --reuid=0 id -u || echo no way\n",
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &format!("jobs:\n{own}{user}{group}{back}"))]);
    let daemon = Daemon::start_by(&folder, &["sh", "-c", "umask 022; exec \"$0\" \"$@\""]);
    daemon.wait_until_ready();
    let said = |job: &str| {
        let run = daemon.run(job);
        assert_eq!(run["outcome"], "success", "{run}");
        let text = run["output"].as_str().unwrap().to_owned();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let own = said("own");
    assert_eq!((&*own[0], &*own[1]), ("0", "0"));
    assert_eq!(own[7], "NoNewPrivs: 0", "{own:?}");
    let nobody = account("nobody");
    let user = said("user");
    assert_eq!(
        (&user[0], &user[1], &user[2]),
        (&nobody.0, &nobody.1, &nobody.1)
    );
    assert_eq!(user[3], format!("{} nobody nobody {}", nobody.2, nobody.3));
    let none = "0000000000000000";
    let rights = [
        format!("CapPrm: {none}"),
        format!("CapEff: {none}"),
        format!("CapAmb: {none}"),
        "NoNewPrivs: 1".to_owned(),
    ];
    assert_eq!(user[4..8], rights, "{user:?}");
    // The descriptors of the listing: its three, and the folder that it reads.
    assert_eq!((&*own[8], &*user[8]), ("0 1 2 3 ", "0 1 2 3 "));
    // Both have the mask that elder was started with, whatever elder's own is.
    assert_eq!((&*own[9], &*user[9]), ("0022", "0022"));
    assert_eq!(user[10], "0");
    let group = said("group");
    let daemon_group = group_number("daemon");
    assert_eq!((&group[0], &group[1]), (&nobody.0, &daemon_group));
    assert!(
        group[2].split(' ').any(|one| one == daemon_group),
        "{group:?}"
    );
    assert_eq!(group[3], format!("/elsewhere nobody nobody {}", nobody.3));
    assert!(said("back").contains(&"no way".to_owned()));
}

/// Number, group, home and shell of a user.
fn account(name: &str) -> (String, String, String, String) {
    let text = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("{name}:")))
        .unwrap();
    let fields: Vec<&str> = line.split(':').collect();
    let field = |at: usize| fields[at].to_owned();
    (field(2), field(3), field(5), field(6))
}

fn group_number(name: &str) -> String {
    let text = std::fs::read_to_string("/etc/group").unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("{name}:")))
        .unwrap();
    line.split(':').nth(2).unwrap().to_owned()
}

#[test]
fn what_hinders_a_start_on_the_way_round_is_named_with_its_mend() {
    if !is_root() {
        return;
    }
    let folder = Folder::new();
    folder.write("private/program", "#!/bin/sh\necho never\n");
    let private = folder.join("private");
    let place = private.display();
    let jobs = format!(
        "jobs:
  gone: {{ schedule: manual, user: no-such-user, cwd: /, exec: ['true'] }}
  group: {{ schedule: manual, user: 'nobody:no-such-group', cwd: /, exec: ['true'] }}
  closed: {{ schedule: manual, user: nobody, cwd: {place}, exec: [/bin/true] }}
  missing: {{ schedule: manual, user: nobody, cwd: /, exec: [/no/such/program] }}
  secret: {{ schedule: manual, user: nobody, cwd: /, exec: ['{place}/program'] }}
  long: {{ schedule: manual, limits: {{ open_files: 64 }}, cwd: /, exec: [/bin/echo, {long}] }}
  preload: {{ schedule: manual, user: nobody, cwd: /, env: {{ LD_PRELOAD: /no/such.so }}, run: echo fine }}
",
        long = "x".repeat(200_000),
    );
    folder.write("jobs.d/a.yaml", &jobs);
    use std::os::unix::fs::PermissionsExt;
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(private.join("program"), mode(0o755)).unwrap();
    std::fs::set_permissions(&private, mode(0o700)).unwrap();
    let daemon = Daemon::start(&folder);
    for (job, says) in [
        (
            "gone",
            "there is no user no-such-user on this machine: make it (useradd",
        ),
        ("group", "there is no group no-such-group"),
        ("closed", "nobody cannot enter the working folder"),
        ("missing", "/no/such/program was not started: ENOENT"),
        ("secret", "may nobody execute it"),
        ("long", "E2BIG"),
    ] {
        let run = daemon.run(job);
        assert_eq!(
            (&run["outcome"], &run["reason"]),
            (&"failed".into(), &"setup".into()),
            "{run}"
        );
        let detail = run["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{job}: {detail}");
        assert!(run["exit_code"].is_null(), "{run}");
    }
    // What a job's environment asks of the loader is asked when the rights are gone: by the program.
    let run = daemon.run("preload");
    assert_eq!(run["outcome"], "success", "{run}");
    assert!(run["output"].as_str().unwrap().ends_with("fine\n"));
}

#[test]
fn an_elder_without_the_right_says_so() {
    if !is_root() {
        return;
    }
    let jobs = "jobs:\n  other: { schedule: manual, user: nobody, cwd: /, exec: ['true'] }\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", jobs)]);
    let without = ["setpriv", "--bounding-set=-setuid,-setgid"];
    let daemon = Daemon::start_by(&folder, &without);
    daemon.wait_until_ready();
    let run = daemon.run("other");
    assert_eq!(
        (&run["outcome"], &run["reason"]),
        (&"failed".into(), &"setup".into()),
        "{run}"
    );
    let detail = run["detail"].as_str().unwrap();
    assert!(
        detail.contains("EPERM: elder may not start a process as nobody"),
        "{detail}"
    );
}

#[test]
fn limits_hold_and_the_one_of_cpu_time_is_named() {
    let jobs = "jobs:
  files: { schedule: manual, limits: { open_files: 64 }, run: 'ulimit -n; ulimit -Hn; ulimit -c' }
  cpu: { schedule: manual, limits: { cpu_time: 1s }, run: 'while :; do :; done' }
  inner: { schedule: manual, limits: { cpu_time: 1s }, run: 'sh -c \"while :; do :; done\"' }
  stubborn: { schedule: manual, limits: { cpu_time: 1s }, kill_grace: 1s, run: 'trap \"\" XCPU; while :; do :; done' }
";
    let folder = Folder::with(&[("jobs.d/a.yaml", jobs)]);
    let daemon = Daemon::start(&folder);
    let files = daemon.run("files");
    assert_eq!(files["output"], "64\n64\n0\n", "{files}");
    let runs = ["cpu", "inner", "stubborn"].map(|job| daemon.trigger(job));
    for run in &runs[..2] {
        let run = daemon.ended(run);
        assert_eq!(
            (&run["outcome"], &run["reason"]),
            (&"failed".into(), &"limit".into()),
            "{run}"
        );
        let detail = run["detail"].as_str().unwrap();
        assert!(detail.contains("limits.cpu_time allows, 1s"), "{detail}");
    }
    // Who does not listen to the one signal gets the other.
    let run = daemon.ended(&runs[2]);
    assert_eq!(
        (&run["outcome"], &run["signal"]),
        (&"failed".into(), &9.into()),
        "{run}"
    );
    let metrics = daemon.metrics();
    let errors = metrics.get(
        "elder_errors_total",
        &[("job_name", "cpu"), ("reason", "limit")],
    );
    assert_eq!(errors, Some(1.0));
}

#[test]
fn an_upgrade_of_the_binary_changes_nothing_for_an_elder_that_runs() {
    let jobs =
        "jobs:\n  limited: { schedule: manual, limits: { open_files: 64 }, run: 'echo fine' }\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", jobs)]);
    let copy = "cp \"$0\" elder && exec ./elder \"$@\"";
    let daemon = Daemon::start_by(&folder, &["sh", "-c", copy]);
    daemon.wait_until_ready();
    assert_eq!(daemon.run("limited")["output"], "fine\n");
    // As a package manager does it: another file under the name, then none.
    folder.write("elder", "not even a program");
    assert_eq!(daemon.run("limited")["output"], "fine\n");
    folder.remove("elder");
    assert_eq!(daemon.run("limited")["output"], "fine\n");
}

#[test]
fn a_child_of_another_user_that_outlived_elder_is_found_and_ended() {
    if !is_root() {
        return;
    }
    let jobs =
        "jobs:\n  long:\n    schedule: manual\n    user: nobody\n    cwd: /\n    run: sleep 300\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", jobs)]);
    let daemon = Daemon::start(&folder);
    let run = daemon.trigger("long");
    let found = || {
        let wanted = format!("ELDER_RUN_ID={run}");
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        // Not elder's own binary on its way to become that.
        let names_it = |entry: &std::fs::DirEntry| {
            let read = |file: &str| std::fs::read(entry.path().join(file)).unwrap_or_default();
            let environment = read("environ");
            let mut entries = environment.split(|byte| *byte == 0);
            entries.any(|one| one == wanted.as_bytes()) && read("cmdline").starts_with(b"sleep")
        };
        entries.filter(names_it).count()
    };
    until("it runs", || (found() > 0).then_some(()));
    daemon.kill();
    assert!(found() > 0, "it ended with elder");
    let daemon = Daemon::start(&folder);
    until("it is ended", || (found() == 0).then_some(()));
    assert_eq!(daemon.ended(&run)["outcome"], "interrupted");
}

#[test]
fn the_word_by_which_elder_starts_itself_is_nothing_for_people() {
    let finished = elder("__exec").run();
    assert_eq!(
        (finished.code, &*finished.stdout, &*finished.stderr),
        (Some(2), "", "")
    );
}

#[test]
fn no_new_privileges_are_taken_from_all_or_from_none() {
    let jobs = "jobs:\n  who: { schedule: manual, run: 'grep NoNewPrivs /proc/self/status' }\n";
    for (flag, want) in [
        ("", "NoNewPrivs:\t0\n"),
        ("--no-new-privs", "NoNewPrivs:\t1\n"),
    ] {
        let folder = Folder::with(&[("jobs.d/a.yaml", jobs)]);
        let daemon = Daemon::start_with(&folder, |mut program| {
            if !flag.is_empty() {
                program = program.arg(flag);
            }
            program
        });
        daemon.wait_until_ready();
        assert_eq!(daemon.run("who")["output"], want, "{flag}");
    }
}

#[test]
fn a_limit_that_this_machine_cannot_keep_is_told_once() {
    let jobs = "jobs:\n  big: { schedule: manual, limits: { memory: 64MiB }, exec: ['true'] }\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", jobs)]);
    let daemon = Daemon::start(&folder);
    for _ in 0..2 {
        assert_eq!(daemon.run("big")["outcome"], "success");
    }
    let told = daemon.log();
    let told = told
        .iter()
        .filter(|line| line.contains("limits.memory is not enforced"));
    assert_eq!(told.count(), 1);
}
