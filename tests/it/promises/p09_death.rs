//! What a dead elder left behind is found by its identity, ended, and recorded, before its job goes on.

use std::process::{Child, Command};

use crate::support::{Daemon, Folder, Processes, ledger, until};

/// A job whose process notes itself and stays.
fn staying(more: &str, line: &str) -> String {
    format!(
        "jobs:\n  stays:\n    schedule: manual\n{more}    run: |\n      {line}echo \"$ELDER_ATTEMPT $$\" >> began\n      sleep 300 & sleep 301\n"
    )
}

/// The numbers of the processes that noted themselves, in order.
fn began(folder: &Folder, times: usize) -> Vec<i32> {
    until("the process began", || {
        let text = folder.read("jobs.d/began");
        let pids: Vec<i32> = text
            .lines()
            .map(|line| line.split(' ').nth(1).unwrap().parse().unwrap())
            .collect();
        (pids.len() >= times).then_some(pids)
    })
}

fn start_run(daemon: &Daemon) {
    assert_eq!(daemon.post("/api/v1/jobs/stays/run", "{}").status, 200);
}

#[test]
fn a_child_that_outlived_elder_is_ended_and_its_run_says_so() {
    let folder = Folder::with(&[("jobs.d/a.yaml", &staying("", ""))]);
    let daemon = Daemon::start(&folder);
    start_run(&daemon);
    let shell = began(&folder, 1)[0];
    let children = until("its children are there", || {
        let children = Processes::children_of(shell);
        (children.len() == 2).then_some(children)
    });
    daemon.kill();
    assert!(Processes::is_alive(shell), "nothing ended it with elder");
    let daemon = Daemon::start(&folder);
    for pid in children.iter().chain([&shell]) {
        assert!(!Processes::is_alive(*pid), "{pid} lives on");
    }
    assert!(daemon.has_logged("had left processes").is_some());
    // Said before the wait for their end, not after it.
    let begins = daemon.has_logged("nothing starts before they are ended");
    assert!(begins.is_some());
    let runs = daemon.get("/api/v1/jobs/stays/runs").json();
    let run = &runs["runs"][0];
    assert_eq!(run["outcome"], "interrupted", "{run}");
    let whole = daemon.get(&format!("/api/v1/runs/{}", run["run_id"].as_str().unwrap()));
    assert!(whole.body.contains("was ended"), "{whole:?}");
    start_run(&daemon);
    began(&folder, 2);
}

#[test]
fn a_run_that_is_begun_again_waits_until_the_old_child_is_gone() {
    // It takes its time to end, and notes that. What it says to nobody would end it sooner.
    let line = "exec 2> /dev/null; trap 'sleep 0.5; echo \"ended $$\" >> began; exit' TERM; ";
    let more = "    after_crash: rerun\n";
    let text = staying(more, line).replace("sleep 301", "wait");
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    let daemon = Daemon::start(&folder);
    start_run(&daemon);
    let first = began(&folder, 1)[0];
    daemon.kill();
    let daemon = Daemon::start(&folder);
    let pids = began(&folder, 3);
    let text = folder.read("jobs.d/began");
    let words: Vec<_> = text
        .lines()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(words, ["1", "ended", "2"]);
    assert_eq!(pids[1], first);
    assert_eq!(ledger::rows(&daemon, "stays").len(), 1);
}

#[test]
fn who_ignores_term_is_killed_after_the_grace() {
    let text = staying("", "trap '' TERM; ");
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    let daemon = Daemon::start(&folder);
    start_run(&daemon);
    let shell = began(&folder, 1)[0];
    daemon.kill();
    let _daemon = Daemon::start(&folder);
    assert!(!Processes::is_alive(shell));
}

/// A process that this test starts, killed when dropped.
struct Mine(Child);

impl Mine {
    fn with(variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new("sleep");
        command.arg("300").env_clear();
        command.envs(variables.iter().copied());
        Self(command.spawn().unwrap())
    }

    fn is_alive(&self) -> bool {
        Processes::is_alive(i32::try_from(self.0.id()).unwrap())
    }
}

impl Drop for Mine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_is_not_provably_of_an_open_run_of_this_store_is_not_touched() {
    let text = format!(
        "{}  over:\n    schedule: manual\n    run: 'true'\n",
        staying("", "")
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    let daemon = Daemon::start(&folder);
    start_run(&daemon);
    let shell = began(&folder, 1)[0];
    assert_eq!(daemon.post("/api/v1/jobs/over/run", "{}").status, 200);
    ledger::wait_until_over(&daemon, &["over"]);
    let open = ledger::rows(&daemon, "stays")[0].id.clone();
    let over = ledger::rows(&daemon, "over")[0].id.clone();
    let state = folder.join("state").canonicalize().unwrap();
    let state = state.to_str().unwrap();
    let others = [
        // Another elder's run of the same name and instant, one that is over, and near misses.
        Mine::with(&[
            ("ELDER_RUN_ID", &open),
            ("ELDER_STATE_DIR", "/var/lib/other"),
        ]),
        Mine::with(&[("ELDER_RUN_ID", &over), ("ELDER_STATE_DIR", state)]),
        Mine::with(&[("ELDER_RUN_ID", &open)]),
        Mine::with(&[("ELDER_RUN_ID", &open[1..]), ("ELDER_STATE_DIR", state)]),
        Mine::with(&[("MY_ELDER_RUN_ID", &open), ("ELDER_STATE_DIR", state)]),
        Mine::with(&[]),
    ];
    daemon.kill();
    let _daemon = Daemon::start(&folder);
    assert!(!Processes::is_alive(shell));
    for (index, other) in others.iter().enumerate() {
        assert!(other.is_alive(), "{index} was ended");
    }
}

#[test]
fn an_elder_that_one_of_its_own_jobs_starts_anew_does_not_end_itself() {
    let folder = Folder::with(&[("jobs.d/a.yaml", &staying("", ""))]);
    let daemon = Daemon::start(&folder);
    start_run(&daemon);
    began(&folder, 1);
    let open = ledger::rows(&daemon, "stays")[0].id.clone();
    daemon.kill();
    let state = folder.join("state").canonicalize().unwrap();
    let daemon = Daemon::start_with(&folder, |program| {
        program
            .env("ELDER_RUN_ID", &open)
            .env("ELDER_STATE_DIR", state.to_str().unwrap())
    });
    daemon.wait_until_ready();
    assert_eq!(ledger::rows(&daemon, "stays")[0].outcome, "interrupted");
}
