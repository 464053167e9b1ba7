//! Real processes: what they see, how they end, what is kept of them.

mod hanging;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::action::testing::{TestJob, exec, shell};
use crate::action::{LocalRunner, Runner, Stop, Surroundings};
use crate::model::{
    AttemptEnd, Command, Ended, Part, Reason, SecretSource, Text, TreePath, Variable,
};

/// Longer than anything here takes; a test that needs it has failed.
const LONG: Duration = Duration::from_secs(30);

fn runner() -> LocalRunner {
    runner_with(&[])
}

fn runner_with(more: &[(&str, &str)]) -> LocalRunner {
    let mut env = HashMap::from([
        ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned()),
        ("HOME".to_owned(), "/srv/elder".to_owned()),
        ("UNASKED".to_owned(), "x".to_owned()),
    ]);
    env.extend(
        more.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    LocalRunner::new(Surroundings {
        env: Arc::new(env),
        server_url: Arc::new(OnceLock::from("http://127.0.0.1:8000".to_owned())),
        state_dir: "/var/lib/elder".into(),
        elder_bin: "/usr/bin/elder".into(),
        own_binary: None,
        cgroups: None,
        observer: Arc::new(crate::model::NoObserver),
        egress: crate::action::Egress::default(),
        clock: Arc::new(crate::action::testing::clock()),
    })
    .unwrap()
}

/// Runs it and says how it ended, and how long that took.
async fn run(job: TestJob) -> (AttemptEnd, Duration) {
    let (attempt, _stop) = job.attempt();
    let begin = tokio::time::Instant::now();
    let end = tokio::time::timeout(LONG, runner().attempt(attempt)).await;
    (end.expect("the attempt did not end"), begin.elapsed())
}

fn text(end: &AttemptEnd) -> String {
    String::from_utf8_lossy(&end.output.head).into_owned()
}

fn detail(end: &AttemptEnd) -> &str {
    end.detail.as_deref().unwrap_or_default()
}

/// How late this machine wakes who sleeps: tests beside this one may have all of it.
struct Lateness {
    is_over: Arc<AtomicBool>,
    measuring: std::thread::JoinHandle<Duration>,
}

impl Lateness {
    /// Measures from now on.
    fn measured() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let measuring = std::thread::spawn(move || {
            let nap = Duration::from_millis(10);
            let mut late = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                let begin = tokio::time::Instant::now();
                std::thread::sleep(nap);
                late += begin.elapsed().saturating_sub(2 * nap);
            }
            late
        });
        Self { is_over, measuring }
    }

    /// That it took at most a second more than `asked`, timeout and grace together, on a machine
    /// that is not late itself.
    #[track_caller]
    fn bounds(self, took: Duration, asked: Duration) {
        self.is_over.store(true, Ordering::Relaxed);
        let late = self.measuring.join().unwrap();
        let most = asked + Duration::from_secs(1) + late;
        assert!(
            took <= most,
            "{took:?}, and {most:?} is the most ({late:?} late)"
        );
    }
}

/// Waits for a file that a process writes, and reads it.
async fn file(path: &Path) -> String {
    tokio::time::timeout(LONG, async {
        loop {
            match fs::read_to_string(path) {
                Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    })
    .await
    .expect("the process wrote no file")
}

/// Whether the process is there and no zombie.
fn is_alive(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat"));
    status.is_ok_and(|text| {
        !text
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .starts_with(" Z")
    })
}

async fn is_gone(pid: &str) {
    let gone = async {
        while is_alive(pid) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, gone)
        .await
        .expect("the process lives on");
}

fn kill(pid: &str) {
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn endings_are_told_apart() {
    for (line, ended, code, signal, said) in [
        ("exit 0", Ended::Success, Some(0), None, ""),
        (
            "exit 3",
            Ended::Failed(Reason::Exit),
            Some(3),
            None,
            "exit code 3",
        ),
        ("exit 7", Ended::Success, Some(7), None, ""),
        (
            "no-such-command",
            Ended::Failed(Reason::Exit),
            Some(127),
            None,
            "finds no such command",
        ),
        (
            "kill -SEGV $$",
            Ended::Failed(Reason::Signal),
            None,
            Some(11),
            "SIGSEGV",
        ),
        (
            "kill -KILL $$",
            Ended::Failed(Reason::Signal),
            None,
            Some(9),
            "not by elder",
        ),
    ] {
        let job = shell(line).process(|process| process.success_exit_codes = [0, 7].into());
        let (end, _) = run(job).await;
        assert_eq!(
            (end.ended, end.exit_code, end.signal),
            (ended, code, signal),
            "{line}"
        );
        assert!(detail(&end).contains(said), "{line}: {}", detail(&end));
    }
}

#[tokio::test]
async fn the_environment_is_built_from_empty() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("vars"),
        "FROM_FILE=file\nOWN=file\nSEC=file\n",
    )
    .unwrap();
    fs::write(folder.path().join("secret"), "from-a-file\n").unwrap();
    let at = |name: &str| TreePath {
        path: folder.path().join(name).into(),
        within: Some(folder.path().into()),
    };
    let job = exec(&["env"]).context(|context| {
        context.inherit_env = vec!["ASKED".into(), "NOT_THERE".into()];
        context.env_files = vec![at("vars")];
        let own = Text::of_parts("${run.id}", vec![Part::Variable(Variable::RunId)]);
        context.env = vec![("OWN".into(), own), ("SEC".into(), Text::plain("env"))];
        context.secrets = vec![("SEC".into(), SecretSource::File(at("secret")))];
    });
    let (mut attempt, _stop) = job.attempt();
    attempt.previous_success_at = Some("2026-12-31T00:00:00.5Z".parse().unwrap());
    attempt.revision = Some("abc123".into());
    let end = runner_with(&[("ASKED", "yes")])
        .attempt(attempt.clone())
        .await;
    let output = text(&end);
    let mut lines: Vec<&str> = output.lines().collect();
    lines.sort_unstable();
    let trace = crate::action::traceparent(attempt.run, 1);
    assert_eq!(
        lines,
        [
            "ASKED=yes",
            "ELDER_ATTEMPT=1",
            "ELDER_BIN=/usr/bin/elder",
            "ELDER_JOB=test",
            "ELDER_PREVIOUS_SUCCESS_AT=2026-12-31T00:00:00.5Z",
            "ELDER_REVISION=abc123",
            &format!("ELDER_RUN_ID={}", attempt.run),
            "ELDER_SCHEDULED_AT=2027-01-01T00:00:00Z",
            "ELDER_SERVER=http://127.0.0.1:8000",
            "ELDER_STATE_DIR=/var/lib/elder",
            "ELDER_TRIGGER=schedule",
            "FROM_FILE=file",
            "HOME=/srv/elder",
            &format!("OWN={}", attempt.run),
            "PATH=/usr/local/bin:/usr/bin:/bin",
            "SEC=***",
            &format!("TRACEPARENT={trace}"),
        ]
    );
}

#[tokio::test]
async fn the_program_is_found_by_the_path_that_the_child_gets() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/bin/echo", folder.path().join("my-echo")).unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    let job = exec(&["my-echo", "a b", "$HOME"])
        .context(|context| context.env = vec![("PATH".into(), Text::plain(&path))]);
    let (end, _) = run(job).await;
    assert_eq!(
        (end.ended, text(&end).as_str()),
        (Ended::Success, "a b $HOME\n")
    );
    let (end, _) = run(exec(&["./my-echo", "x"]).cwd(folder.path())).await;
    assert_eq!(text(&end), "x\n");
}

#[tokio::test]
async fn what_hinders_a_start_is_named_with_its_mend() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, mode: u32, text: &str| {
        use std::os::unix::fs::PermissionsExt;
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let plain = make("plain", 0o644, "#!/bin/sh\n");
    let bare = make("bare", 0o755, "echo hello\n");
    let lost = make("lost", 0o755, "#!/no/such/interpreter\n");
    let huge = "x".repeat(200_000);
    let secret_gone = |context: &mut crate::model::Context| {
        context.secrets = vec![("S".into(), SecretSource::Env("NOT_SET".into()))];
    };
    let gone = |name: &str| TreePath {
        path: folder.path().join(name).into(),
        within: None,
    };
    make("bad.env", 0o644, "OK=1\nwhat\n");
    for (job, said) in [
        (
            exec(&["no-such-program"]),
            "ENOENT: no-such-program was not found in PATH /usr/local/bin",
        ),
        (exec(&["/no/such/program"]), "ENOENT"),
        (exec(&[&plain]), "EACCES"),
        (exec(&[folder.path().to_str().unwrap()]), "EACCES"),
        (exec(&[&bare]), "#!/bin/sh"),
        (exec(&[&lost]), "what its #! line names"),
        (exec(&["/bin/echo", &huge]), "E2BIG"),
        (exec(&["/bin/echo", "a\0b"]), "NUL"),
        (exec(&[]), "empty"),
        (
            exec(&["/bin/true"]).cwd(Path::new("/no/such/folder")),
            "working folder /no/such/folder",
        ),
        (
            exec(&["/bin/true"]).context(secret_gone),
            "secret S: NOT_SET is not set",
        ),
        (
            exec(&["/bin/true"]).context(|context| context.env_files = vec![gone("gone.env")]),
            "gone.env: ENOENT",
        ),
        (
            exec(&["/bin/true"]).context(|context| context.env_files = vec![gone("bad.env")]),
            "bad.env: line 2",
        ),
    ] {
        let (end, _) = run(job).await;
        assert_eq!(
            end.ended,
            Ended::Failed(Reason::Setup),
            "{said}: {}",
            detail(&end)
        );
        assert!(detail(&end).contains(said), "{said}: {}", detail(&end));
    }
}

#[tokio::test]
async fn both_streams_are_kept_as_one_in_order() {
    let (end, _) = run(shell("echo 1; echo 2 >&2; echo 3; echo 4 >&2")).await;
    assert_eq!(text(&end), "1\n2\n3\n4\n");
}

#[tokio::test]
async fn stdin_is_what_the_job_says_or_nothing() {
    let (end, _) = run(exec(&["cat"])).await;
    assert_eq!((end.ended, end.output.total), (Ended::Success, 0));
    // More than a pipe holds, so that writing has to wait for reading.
    let long: Arc<str> = "0123456789".repeat(100_000).into();
    let fed = |line: &str| shell(line).process(|process| process.stdin = Some(long.clone()));
    let (end, _) = run(fed("wc -c")).await;
    assert_eq!(text(&end).trim(), "1000000");
    let (end, _) = run(fed("cat")).await;
    assert_eq!((end.ended, end.output.total), (Ended::Success, 1_000_000));
    let (end, _) = run(fed("exit 0")).await;
    assert_eq!(
        end.ended,
        Ended::Success,
        "a process need not read its input"
    );
    let (end, _) = run(fed("exec 0<&-; sleep 0.1; echo done")).await;
    assert_eq!(text(&end), "done\n");
}

#[tokio::test]
async fn a_hundred_megabytes_without_a_line_end_are_cut_in_the_middle() {
    let line = "printf begin; head -c 104857600 /dev/zero; printf end";
    let (end, _) = run(shell(line)).await;
    assert_eq!(end.ended, Ended::Success);
    assert_eq!(end.output.total, 104_857_600 + 8);
    assert_eq!(
        (end.output.head.len(), end.output.tail.len()),
        (32 * 1024, 32 * 1024)
    );
    assert!(end.output.head.starts_with(b"begin\0") && end.output.tail.ends_with(b"\0end"));
}

#[tokio::test]
async fn any_bytes_are_kept() {
    let (end, _) = run(shell(r"printf '\000\377\376a\r\n\033[31m'")).await;
    assert_eq!(end.output.head, b"\0\xff\xfea\r\n\x1b[31m");
}

#[tokio::test]
async fn a_process_that_closes_its_output_early_is_still_waited_for() {
    let (end, took) = run(shell("echo hello; exec 1>&- 2>&-; sleep 0.3; exit 5")).await;
    assert_eq!((end.exit_code, text(&end).as_str()), (Some(5), "hello\n"));
    assert!(took >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_child_in_the_background_that_holds_the_output_neither_holds_up_the_run_nor_dies() {
    let folder = tempfile::tempdir().unwrap();
    let job = shell("sleep 100 & echo $! > pid; echo started").cwd(folder.path());
    let late = Lateness::measured();
    let (end, took) = run(job).await;
    let pid = file(&folder.path().join("pid")).await;
    assert_eq!(
        (end.ended, text(&end).as_str()),
        (Ended::Success, "started\n")
    );
    // The shell needs no time; its output is listened to for half a second more.
    late.bounds(took, Duration::ZERO);
    assert!(is_alive(&pid));
    kill(&pid);
}

#[tokio::test]
async fn a_timeout_ends_everything_that_the_process_started() {
    let folder = tempfile::tempdir().unwrap();
    let line = "sh -c 'sleep 100 & echo $! > inner; wait' & echo $! > outer; echo working; wait";
    let job = shell(line)
        .cwd(folder.path())
        .timeout(Duration::from_secs(2));
    let (end, took) = run(job).await;
    assert_eq!(
        (end.ended, end.signal, text(&end).as_str()),
        (Ended::TimedOut, Some(15), "working\n")
    );
    assert_eq!(detail(&end), "it took longer than 2s and ended on SIGTERM");
    assert!(took >= Duration::from_secs(2));
    for name in ["inner", "outer"] {
        is_gone(&file(&folder.path().join(name)).await).await;
    }
}

#[tokio::test]
async fn who_ignores_term_is_killed_after_the_grace_and_heard_until_then() {
    let line = "trap 'echo no thanks' TERM; echo ready; while :; do sleep 0.05; done";
    let job = shell(line)
        .timeout(Duration::from_secs(2))
        .grace(Duration::from_millis(600));
    let (end, took) = run(job).await;
    assert_eq!((end.ended, end.signal), (Ended::TimedOut, Some(9)));
    assert!(text(&end).starts_with("ready\n"), "{}", text(&end));
    assert!(text(&end).contains("no thanks\n"), "{}", text(&end));
    assert!(
        detail(&end).ends_with("was killed (SIGKILL)"),
        "{}",
        detail(&end)
    );
    assert!(took >= Duration::from_millis(2600), "{took:?}");
}

#[tokio::test]
async fn a_child_has_the_rest_of_the_grace_when_its_shell_is_gone_already() {
    let folder = tempfile::tempdir().unwrap();
    // The inner shell cleans up for a while after TERM; the outer one dies of it at once.
    let inner = "trap 'sleep 0.4; echo clean > done; exit 0' TERM; echo > ready; while :; do sleep 0.05; done";
    fs::write(folder.path().join("inner.sh"), inner).unwrap();
    let job = shell("sh inner.sh & wait")
        .cwd(folder.path())
        .timeout(Duration::from_secs(2));
    let (end, _) = run(job).await;
    assert_eq!(end.ended, Ended::TimedOut);
    assert_eq!(file(&folder.path().join("done")).await, "clean");
}

#[tokio::test]
async fn a_descendant_that_cannot_be_found_and_holds_the_output_cannot_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    // No group, no parent, no environment by which to know it.
    let line = "(setsid env -i /bin/sh -c 'echo $$ > pid; exec sleep 100' &); sleep 100";
    let job = shell(line)
        .cwd(folder.path())
        .timeout(Duration::from_secs(2));
    let late = Lateness::measured();
    let (end, took) = run(job).await;
    let pid = file(&folder.path().join("pid")).await;
    assert_eq!(end.ended, Ended::TimedOut);
    late.bounds(took, Duration::from_secs(2 + 5));
    kill(&pid);
}

#[tokio::test]
async fn a_descendant_that_left_the_group_is_ended_like_the_group() {
    for (line, said) in [
        ("exec sleep 100", "ended on SIGTERM"),
        ("trap \"\" TERM; sleep 100 & wait; sleep 100", "was killed"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let line = format!("(setsid sh -c 'echo $$ > pid; {line}' &) ; sleep 100");
        let job = shell(&line)
            .cwd(folder.path())
            .grace(Duration::from_secs(1))
            .timeout(Duration::from_secs(1));
        let late = Lateness::measured();
        let (end, took) = run(job).await;
        let pid = file(&folder.path().join("pid")).await;
        assert_eq!(end.ended, Ended::TimedOut);
        late.bounds(took, Duration::from_secs(1 + 1));
        assert!(detail(&end).contains(said), "{}", detail(&end));
        assert!(!is_alive(&pid), "{line}");
    }
}

/// A process that leads a group of this number, where the system lets us choose it.
fn leader_of(number: u32) -> Option<std::process::Child> {
    use std::os::unix::process::CommandExt;
    // Others take numbers meanwhile.
    (0..200).find_map(|_| {
        fs::write("/proc/sys/kernel/ns_last_pid", (number - 1).to_string()).ok()?;
        let mut sleep = std::process::Command::new("sleep");
        let mut child = sleep.arg("300").process_group(0).spawn().unwrap();
        if child.id() == number {
            return Some(child);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        None
    })
}

#[tokio::test]
async fn a_group_that_got_the_number_of_one_that_is_gone_is_none_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    // The group ends at once; what left it does not, and uses up the grace.
    let line = "(setsid sh -c 'trap \"\" TERM; echo > ready; while :; do sleep 0.05; done' &)
        echo $$ > leader; exec sleep 100";
    let job = shell(line).cwd(folder.path()).grace(Duration::from_secs(2));
    let (attempt, stopper) = job.attempt();
    let running = tokio::spawn(runner().attempt(attempt));
    file(&folder.path().join("ready")).await;
    let leader = file(&folder.path().join("leader")).await;
    stopper.send(Stop::Gracefully).unwrap();
    let reaped = async {
        while Path::new("/proc").join(&leader).exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, reaped).await.unwrap();
    let stranger = leader_of(leader.parse().unwrap());
    let end = tokio::time::timeout(LONG, running).await.unwrap().unwrap();
    assert_eq!(end.ended, Ended::Stopped);
    let Some(mut stranger) = stranger else {
        println!("not tested: this machine does not let us choose a process's number");
        return;
    };
    assert!(stranger.try_wait().unwrap().is_none(), "elder killed it");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn stopping_is_graceful_or_at_once() {
    for (stop, signal) in [(Stop::Gracefully, None), (Stop::Now, Some(9))] {
        let folder = tempfile::tempdir().unwrap();
        let line = "trap 'echo bye; exit 3' TERM; echo > ready; while :; do sleep 0.05; done";
        let (attempt, stopper) = shell(line).cwd(folder.path()).attempt();
        let running = tokio::spawn(runner().attempt(attempt));
        file(&folder.path().join("ready")).await;
        stopper.send(stop).unwrap();
        let end = tokio::time::timeout(LONG, running).await.unwrap().unwrap();
        assert_eq!(
            (end.ended, end.signal),
            (Ended::Stopped, signal),
            "{stop:?}"
        );
        assert_eq!(text(&end).contains("bye"), signal.is_none());
    }
}

#[tokio::test]
async fn a_second_stop_ends_the_grace() {
    let folder = tempfile::tempdir().unwrap();
    let line = "trap 'echo > termed' TERM; echo > ready; while :; do sleep 0.05; done";
    let job = shell(line)
        .cwd(folder.path())
        .grace(Duration::from_secs(3600));
    let (attempt, stopper) = job.attempt();
    let running = tokio::spawn(runner().attempt(attempt));
    file(&folder.path().join("ready")).await;
    stopper.send(Stop::Gracefully).unwrap();
    file(&folder.path().join("termed")).await;
    stopper.send(Stop::Now).unwrap();
    let end = tokio::time::timeout(LONG, running).await.unwrap().unwrap();
    assert_eq!((end.ended, end.signal), (Ended::Stopped, Some(9)));
}

#[tokio::test]
async fn an_attempt_that_was_stopped_before_it_began_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (attempt, stopper) = shell("echo > ran").cwd(folder.path()).attempt();
    stopper.send(Stop::Gracefully).unwrap();
    let end = runner().attempt(attempt).await;
    assert_eq!(end.ended, Ended::Stopped);
    assert!(!folder.path().join("ran").exists());
}

#[tokio::test]
async fn an_attempt_that_is_dropped_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (attempt, _stop) = shell("echo $$ > pid; sleep 100")
        .cwd(folder.path())
        .attempt();
    let running = tokio::spawn(runner().attempt(attempt));
    let pid = file(&folder.path().join("pid")).await;
    running.abort();
    is_gone(&pid).await;
}

#[tokio::test]
async fn secrets_do_not_reach_the_output_whatever_the_pieces() {
    let job = shell("printf 'a%sb' \"$T\"; printf open-; sleep 0.2; printf 'sesame '; printf %s \"$T\" | base64").context(
        |context| context.secrets = vec![("T".into(), SecretSource::Env("TOKEN".into()))],
    );
    let (attempt, _stop) = job.attempt();
    let end = runner_with(&[("TOKEN", "open-sesame")])
        .attempt(attempt)
        .await;
    assert_eq!(text(&end), "a***b*** ***\n");
}

#[tokio::test]
async fn arguments_are_filled_in_and_a_shell_line_is_not() {
    let word = Text::of_parts(
        "${job.name}; id",
        vec![
            Part::Variable(Variable::JobName),
            Part::Literal("; id".into()),
        ],
    );
    let job = exec(&[]).process(|process| {
        process.command = Command::Exec([Text::plain("/bin/echo"), word].into());
    });
    assert_eq!(text(&run(job).await.0), "test; id\n");
    let (end, _) = run(shell("job=5; echo ${job}")).await;
    assert_eq!(text(&end), "5\n");
}

#[tokio::test]
async fn a_child_gets_no_descriptor_but_its_three() {
    // What the test runner itself was given is nothing that elder opened.
    crate::action::process::close_descriptors_on_exec().unwrap();
    let _open = fs::File::open("/dev/null").unwrap();
    let (end, _) = run(exec(&["ls", "/proc/self/fd"])).await;
    // The fourth is that of the listing itself.
    assert_eq!(text(&end), "0\n1\n2\n3\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_leave_no_zombie() {
    let runner = Arc::new(runner());
    let mut all = tokio::task::JoinSet::new();
    for number in 0..100 {
        let (attempt, stop) = shell(&format!("echo {number}; exit {}", number % 3)).attempt();
        let runner = Arc::clone(&runner);
        all.spawn(async move {
            let end = runner.attempt(attempt).await;
            drop(stop);
            (number, end)
        });
    }
    while let Some(done) = all.join_next().await {
        let (number, end) = done.unwrap();
        assert_eq!(end.exit_code, Some(number % 3));
        assert_eq!(text(&end), format!("{number}\n"));
    }
}

#[tokio::test]
async fn elder_may_open_many_files_and_its_children_as_many_as_before() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let given = getrlimit(Resource::Nofile);
    let before = given.maximum.map_or(4096, |most| most.min(4096) / 2);
    let lowered = Rlimit {
        current: Some(before),
        maximum: given.maximum,
    };
    setrlimit(Resource::Nofile, lowered).unwrap();
    let raised = crate::action::process::raise_descriptor_limit().unwrap();
    assert_eq!(raised, given.maximum);
    assert_eq!(getrlimit(Resource::Nofile).current, given.maximum);
    // The limit is put back while the child begins.
    let line = format!("until [ $(ulimit -n) = {before} ]; do sleep 0.01; done; echo fine");
    let (end, _) = run(shell(&line)).await;
    assert_eq!(text(&end), "fine\n");
}
