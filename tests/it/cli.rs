//! Words in, words out: help, usage, exit codes.

use insta::assert_snapshot;

use super::support::{Folder, elder};

#[test]
fn without_a_word_elder_says_what_it_can_do_and_that_this_was_no_answer() {
    assert_snapshot!(elder("").run(), @r#"
    exit 2
    --- stderr
    A job scheduler that you run from a git repository

    Usage: elder <COMMAND>

    Commands:
      run          Run the jobs of a folder: load, schedule, watch, serve
      validate     Check job files without running anything (also `elder --validate`)
      plan         Show what a change of job files would change: jobs, fires, collisions
      next         Show when a job or a schedule fires next
      simulate     Show every fire of a span: busiest minutes, peaks, overlaps, clock changes
      test         Try the schedule tests (*.test.yaml) of a folder
      import       Make job files of another scheduler's files
      doctor       Say what will hurt: tree, host, state folder
      init         Make a folder of job files to begin with
      fmt          Lay job files out: indentation, blanks, empty lines; comments stay
      schema       Print the JSON Schema of job files
      rules        Print Prometheus alert rules made of the definitions, or a Grafana dashboard
      config       Show the settings of `elder run`, each with where it comes from
      completions  Print a script that completes words in a shell
      man          Print the manual
      explain      Say why a fire ran, did not or waits; or what a finding means
      status       Say how a running elder is
      list         List the jobs of a running elder
      show         Show one job and its last runs
      runs         List runs, the newest first
      logs         Show what a run says
      trigger      Start a run of a job now
      rerun        Run the job of a run once more
      cancel       End a run
      pause        Pause a job: its fires are skipped
      resume       Let a paused job go on
      overrides    List what differs from the files on purpose: pauses, held removals
      sync         Read the files again; confirm held removals
      wait         Wait until a revision, or just these files, are in force
      backup       Copy the store while elder runs
      restore      Put a backup in the place of a store that no elder uses
      optimize     Tidy the store while elder runs
      report       Say how the jobs did in the last hours
      stats        Show sums since a running elder began
      stop         End a running elder

    Options:
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    Examples:
      elder run jobs.d                    load the folder, fire its jobs, watch it, serve :8000
      elder validate jobs.d               what `run` would refuse, with place and mend; for CI
      elder next --schedule '30 3 * * 1'  when that is, in words and as instants
      elder simulate jobs.d               what the next 24 hours bring
    "#);
}

#[test]
fn help_and_version_are_answers() {
    for line in [
        "-h",
        "--help",
        "-V",
        "--version",
        "run -h",
        "validate --help",
        "simulate --help",
        "test --help",
    ] {
        let finished = elder(line).run();
        assert_eq!(finished.code, Some(0), "{line}: {finished}");
        assert!(finished.stderr.is_empty(), "{line}: {finished}");
        assert!(!finished.stdout.is_empty(), "{line}");
    }
}

#[test]
fn a_slip_of_the_pen_is_answered_with_what_was_meant() {
    assert_snapshot!(elder("valdate").run(), @r#"
    exit 2
    --- stderr
    error: unrecognized subcommand 'valdate'

      tip: a similar subcommand exists: 'validate'

    Usage: elder <COMMAND>

    For more information, try '--help'.
    "#);
    assert_snapshot!(elder("run --lisen 127.0.0.1:1").run(), @r#"
    exit 2
    --- stderr
    error: unexpected argument '--lisen' found

      tip: a similar argument exists: '--listen'

    Usage: elder run --listen <ADDRESS> [PATH]...

    For more information, try '--help'.
    "#);
}

#[test]
fn what_this_build_has_not_is_refused_and_never_ignored() {
    for (line, name, value, hint) in [
        (
            "run --store postgres://u:hunter2@db/elder",
            "",
            "",
            "no PostgreSQL store",
        ),
        ("run --store redis://r", "", "", "no Redis store"),
        (
            "run",
            "ELDER_STORE",
            "postgres://db/elder",
            "no PostgreSQL store",
        ),
        ("run", "SCHEDULER_USE_REDIS", "true", "no Redis store"),
        ("run", "SCHEDULER_USE_POSTGRES", "1", "no PostgreSQL store"),
        ("run --egress x", "", "", "begins with allow:, deny:"),
        ("validate --format xml", "", "", "invalid value 'xml'"),
        ("run --auth none --listen 0.0.0.0:0", "", "", "loopback"),
    ] {
        let folder = Folder::new();
        let mut program = elder(line).within(folder.path());
        if !name.is_empty() {
            program = program.env(name, value);
        }
        let finished = program.run();
        assert_eq!(finished.code, Some(2), "{line} {name}: {finished}");
        assert!(finished.stderr.contains(hint), "{line} {name}: {finished}");
        assert!(finished.stdout.is_empty(), "{line}: {finished}");
        assert!(!finished.stderr.contains("hunter2"), "{line}: {finished}");
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 0, "{line} {name}: something was written");
    }
}

#[test]
fn a_finding_is_explained_without_any_elder() {
    let finished = elder("explain E012").run();
    assert_eq!(finished.code, Some(0), "{finished}");
    assert!(finished.stdout.starts_with("E012 (error)\n\n**bad cron"));
    let finished = elder("explain e012 --format json").run();
    assert_eq!(finished.json()["severity"], "error");
    let finished = elder("explain E999").run();
    assert_eq!(finished.code, Some(2), "{finished}");
    assert!(finished.stderr.contains("there is no finding E999"));
}

#[test]
fn a_server_that_is_not_there_is_no_answer() {
    for line in [
        "trigger billing",
        "pause billing",
        "resume billing",
        "rerun 01",
        "stop",
        "overrides",
        "explain billing",
        "sync",
        "sync --prune",
        "backup copy.db",
        "optimize",
        "report",
    ] {
        // Port 1 is reserved and nobody listens there.
        let finished = elder(line).env("ELDER_SERVER", "http://127.0.0.1:1").run();
        assert_eq!(finished.code, Some(2), "{line}: {finished}");
        assert!(
            finished.stderr.contains("cannot reach"),
            "{line}: {finished}"
        );
        assert!(finished.stderr.contains("--server"), "{line}: {finished}");
    }
}

#[test]
fn the_schema_in_the_repository_is_the_one_of_this_build() {
    let finished = elder("schema").run();
    assert_eq!(finished.code, Some(0), "{finished}");
    let committed = include_str!("../../schema/elder.schema.json");
    assert_eq!(
        finished.stdout, committed,
        "write it anew: cargo run -- schema > schema/elder.schema.json"
    );
}
