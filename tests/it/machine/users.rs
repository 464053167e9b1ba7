//! Jobs that have less than elder has: another user, limits; and an elder that has less itself.

use crate::support::{Daemon, Folder, elder, not_tested, until};

/// Whether these tests may become somebody else.
fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        not_tested("not root");
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
    let back = manual("back", "    user: nobody\n", WAY_BACK);
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
    let back = said("back").join("\n");
    assert!(back.contains(NO_WAY_BACK), "{back}");
}

/// Who a process can be that wants to be root.
const WAY_BACK: &str = "\n      setpriv --reuid=0 id -u 2>&1 || true\n";

/// What the system says where it may not.
const NO_WAY_BACK: &str = "setresuid failed: Operation not permitted";

/// An elder that is `nobody` and has these rights besides, as a service manager gives them; with a
/// copy of the binary, for the place that it was built in may be closed to others.
fn as_nobody(folder: &Folder, rights: &str) -> Daemon {
    let line = format!(
        "cp -f \"$0\" elder && chown -R nobody . && exec setpriv --reuid=nobody --regid=$(id -g nobody) \
         --clear-groups --inh-caps={rights} --ambient-caps={rights} ./elder \"$@\""
    );
    let daemon = Daemon::start_by(folder, &["sh", "-c", &line]);
    daemon.wait_until_ready();
    daemon
}

/// What it takes to start processes of other users.
const MAY_CHANGE: &str = "+setuid,+setgid";

/// And to find and end them.
const MAY_END: &str = "+setuid,+setgid,+kill,+sys_ptrace,+dac_read_search";

#[test]
fn a_job_of_elders_own_user_has_no_way_back_either() {
    if !is_root() {
        return;
    }
    let free = manual("free", "", WAY_BACK);
    let shut = manual("shut", "    user: nobody\n", WAY_BACK);
    let who = manual("who", "    user: nobody\n", WHO);
    let folder = Folder::with(&[("jobs.d/a.yaml", &format!("jobs:\n{free}{shut}{who}"))]);
    let daemon = as_nobody(&folder, MAY_CHANGE);
    let said = |job: &str| daemon.run(job)["output"].as_str().unwrap().to_owned();
    assert_eq!(said("free"), "0\n", "elder itself has the way");
    let shut = said("shut");
    assert!(shut.contains(NO_WAY_BACK), "{shut}");
    let who = said("who");
    for right in ["CapPrm", "CapEff", "CapAmb"] {
        assert!(who.contains(&format!("{right}: {:016}", 0)), "{who}");
    }
}

#[test]
fn a_job_of_another_user_has_no_part_in_elders_terminal() {
    if !is_root() {
        return;
    }
    let look = "\n      (: < /dev/tty) 2>/dev/null && echo terminal || echo none\n";
    let own = manual("own", "", look);
    let other = manual("other", "    user: nobody\n", look);
    let folder = Folder::with(&[("jobs.d/a.yaml", &format!("jobs:\n{own}{other}"))]);
    // Elder goes with `script`, which the daemon of the test is.
    let line =
        "exec script -qefc \"exec setpriv --pdeathsig KILL $0 $*\" /dev/null < /dev/null >&2";
    let daemon = Daemon::start_by(&folder, &["sh", "-c", line]);
    daemon.wait_until_ready();
    assert_eq!(daemon.run("own")["output"], "terminal\n");
    assert_eq!(daemon.run("other")["output"], "none\n");
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
        (&run["outcome"], &run["reason"], &run["signal"]),
        (&"failed".into(), &"limit".into(), &9.into()),
        "{run}"
    );
    let detail = run["detail"].as_str().unwrap();
    assert!(
        detail.contains("limits.cpu_time allows, 1s (SIGKILL"),
        "{detail}"
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

/// The processes of a run that sleep; not elder's own binary on its way to become that.
fn sleepers(run: &str) -> usize {
    let wanted = format!("ELDER_RUN_ID={run}");
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let names_it = |entry: &std::fs::DirEntry| {
        let read = |file: &str| std::fs::read(entry.path().join(file)).unwrap_or_default();
        let environment = read("environ");
        let mut entries = environment.split(|byte| *byte == 0);
        entries.any(|one| one == wanted.as_bytes()) && read("cmdline").starts_with(b"sleep")
    };
    entries.filter(names_it).count()
}

/// An elder that is root, one with just the rights that the documents name, and one as its unit has it.
const STARTS: [fn(&Folder) -> Daemon; 3] = [
    Daemon::start,
    |folder| as_nobody(folder, MAY_END),
    as_its_unit,
];

fn as_its_unit(folder: &Folder) -> Daemon {
    let unit = include_str!("../../../deploy/systemd/jobs-as-users.conf");
    let mut lines = unit.lines();
    let rights = lines.find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    let rights = rights.unwrap().to_lowercase().replace("cap_", "+");
    let set = format!("--bounding-set=-all,{}", rights.replace(' ', ","));
    let daemon = Daemon::start_by(folder, &["setpriv", &set]);
    daemon.wait_until_ready();
    daemon
}

#[test]
fn a_child_of_another_user_that_outlived_elder_is_found_and_ended() {
    if !is_root() {
        return;
    }
    let jobs =
        "jobs:\n  long:\n    schedule: manual\n    user: daemon\n    cwd: /\n    run: sleep 300\n";
    for start in STARTS {
        let folder = Folder::with(&[("jobs.d/a.yaml", jobs)]);
        let daemon = start(&folder);
        let run = daemon.trigger("long");
        until("it runs", || (sleepers(&run) > 0).then_some(()));
        daemon.kill();
        assert!(sleepers(&run) > 0, "it ended with elder");
        let daemon = start(&folder);
        until("it is ended", || (sleepers(&run) == 0).then_some(()));
        assert_eq!(daemon.ended(&run)["outcome"], "interrupted");
    }
}

#[test]
fn a_child_of_another_user_that_left_the_group_is_ended_with_the_run() {
    if !is_root() {
        return;
    }
    let jobs = "jobs:\n  leaves:\n    schedule: manual\n    user: daemon\n    cwd: /\n    timeout: 2s\n    kill_grace: 1s\n    run: setsid sleep 301 & sleep 302\n";
    for start in STARTS {
        let folder = Folder::with(&[("jobs.d/a.yaml", jobs)]);
        let daemon = start(&folder);
        let run = daemon.trigger("leaves");
        until("both run", || (sleepers(&run) == 2).then_some(()));
        let ended = daemon.ended(&run);
        assert_eq!(ended["outcome"], "timed_out", "{ended}");
        assert_eq!(sleepers(&run), 0, "something goes on after its run's end");
    }
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
