//! The dead man's switch: an address elsewhere hears from elder as long as all is well.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::support::{Daemon, Folder, Small, StandIn, elder, ledger, not_tested, until};

const JOB: &str = "jobs:\n  often:\n    schedule: { every: 500ms }\n    run: 'true'\n";

fn start(folder: &Folder, url: &str) -> Daemon {
    let daemon = Daemon::start_with(folder, |program| {
        program
            .env("ELDER_HEARTBEAT_URL", url)
            .arg("--heartbeat-every")
            .arg("1s")
    });
    daemon.wait_until_ready();
    daemon
}

#[test]
fn it_beats_as_asked_and_a_change_is_one_line_without_the_address() {
    let status = Arc::new(AtomicU16::new(200));
    let answer = Arc::clone(&status);
    let hears = StandIn::start(move |_| (answer.load(Ordering::SeqCst), String::new()));
    let folder = Folder::with(&[("jobs.d/a.yaml", JOB)]);
    let daemon = start(&folder, &format!("{}/secret-uuid", hears.url()));
    until("it beats", || (hears.seen().len() >= 3).then_some(()));
    assert_eq!(hears.seen()[0].line, "GET /secret-uuid");
    status.store(503, Ordering::SeqCst);
    let before = hears.seen().len();
    until("it goes on", || {
        (hears.seen().len() >= before + 3).then_some(())
    });
    status.store(200, Ordering::SeqCst);
    let count = |words: &str| {
        daemon
            .log()
            .iter()
            .filter(|line| line.contains(words))
            .count()
    };
    until("it is heard again", || {
        (count("the heartbeat is heard") == 2).then_some(())
    });
    assert_eq!(
        count("the heartbeat is not heard: the answer is 503"),
        1,
        "{:?}",
        daemon.log()
    );
    assert_eq!(count("secret-uuid"), 0);
    let late = ledger::rows(&daemon, "often")
        .iter()
        .filter(|row| row.outcome == "missed")
        .count();
    assert_eq!(late, 0, "jobs go on as always");
}

#[test]
fn it_stops_while_the_store_cannot_be_written_and_goes_on_by_itself() {
    let folder = Folder::with(&[("jobs.d/a.yaml", JOB)]);
    let Some(_small) = Small::mount(folder.join("state")) else {
        not_tested("this machine does not let us mount a tmpfs");
        return;
    };
    let hears = StandIn::start(|_| (200, String::new()));
    let daemon = start(&folder, &hears.url());
    until("it beats", || (!hears.seen().is_empty()).then_some(()));
    let filler = folder.join("state/filler");
    let _ = Command::new("dd")
        .args(["if=/dev/zero", "bs=4096"])
        .arg(format!("of={}", filler.display()))
        .output();
    until("it says why it does not beat", || {
        daemon.has_logged("not sent while the store cannot be written")
    });
    let stopped = hears.seen().len();
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert_eq!(hears.seen().len(), stopped, "it beats without a store");
    std::fs::remove_file(&filler).unwrap();
    until("it beats again", || {
        (hears.seen().len() > stopped).then_some(())
    });
}

#[test]
fn nobody_at_the_other_end_is_told_once_and_disturbs_nothing() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/secret-uuid", gone.local_addr().unwrap());
    drop(gone);
    let folder = Folder::with(&[("jobs.d/a.yaml", JOB)]);
    let daemon = start(&folder, &url);
    until("jobs run", || {
        (ledger::rows(&daemon, "often").len() > 5).then_some(())
    });
    let told: Vec<_> = daemon
        .log()
        .into_iter()
        .filter(|line| line.contains("heartbeat"))
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("Connection refused") && !told[0].contains("secret"),
        "{told:?}"
    );
    assert_eq!(daemon.stop().code(), Some(0));
}

#[test]
fn an_address_that_is_none_is_refused_and_not_repeated() {
    let refused = elder("run")
        .env("ELDER_HEARTBEAT_URL", "hc.example/secret")
        .run();
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("ELDER_HEARTBEAT_URL"), "{refused}");
    assert!(!refused.stderr.contains("secret"), "{refused}");
}
