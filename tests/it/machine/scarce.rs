//! An elder that is given little: few descriptors, little memory.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::{Daemon, Folder, ledger, until};

#[test]
fn clients_that_use_up_all_descriptors_lose_and_the_jobs_go_on() {
    let text = format!(
        "jobs:\n  often:\n    schedule: {{ every: 200ms }}\n    run: '{}'\n",
        ledger::WITNESS
    );
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    let daemon = Daemon::start_by(&folder, &["prlimit", "--nofile=64:64"]);
    daemon.wait_until_ready();
    let count = || ledger::witnessed(&folder).len();
    // More than there are descriptors, each in the middle of its request.
    let clients: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut client = TcpStream::connect(daemon.address()).unwrap();
            // Who was shed may not be written to.
            let _ = client.write_all(b"GET /healthz HTTP/1.1\r\nHost: ");
            client
        })
        .collect();
    let before = count();
    until("it runs beside them", || {
        (count() > before + 10).then_some(())
    });
    drop(clients);
    // There is room for a client again.
    daemon.wait_until_ready();
    let off = text.replace("schedule:", "enabled: false\n    schedule:");
    folder.write("jobs.d/a.yaml", &off);
    assert_eq!(daemon.post("/-/reload", "").status, 200);
    ledger::wait_until_over(&daemon, &["often"]);
    ledger::agree(&daemon, &folder, &["often"], 200);
    let rows = ledger::rows(&daemon, "often");
    assert!(rows.iter().all(|row| row.outcome != "failed"), "{rows:?}");
}

#[test]
fn who_follows_with_all_that_it_may_can_still_ask() {
    let folder = Folder::with(&[("jobs.d/a.yaml", "jobs: {}\n")]);
    let daemon = Daemon::start_by(&folder, &["prlimit", "--nofile=64:64"]);
    let host = daemon.address();
    let follow = |_| {
        let mut client = TcpStream::connect(host).unwrap();
        let request = format!("GET /api/v1/events HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let _ = client.write_all(request.as_bytes());
        let mut head = [0; 12];
        let read = client.read_exact(&mut head);
        let status = read.map(|()| String::from_utf8_lossy(&head[9..]).into_owned());
        (client, status.unwrap_or_default())
    };
    let clients: Vec<_> = (0..16).map(follow).collect();
    let statuses: Vec<_> = clients.iter().map(|(_, status)| status.as_str()).collect();
    let follows = |status: &&&str| **status == "200";
    // Six of eight connections; those that were refused keep theirs until they are closed.
    assert_eq!(statuses.iter().filter(follows).count(), 6, "{statuses:?}");
    assert!(statuses.contains(&"503"), "{statuses:?}");
    let (following, refused): (Vec<_>, Vec<_>) =
        clients.into_iter().partition(|(_, status)| status == "200");
    drop(refused);
    daemon.wait_until_ready();
    assert_eq!(daemon.get("/api/v1/jobs").status, 200);
    drop(following);
}

/// Of a debug build; a release needs less than half.
const MOST_MIB: u64 = 250;

#[test]
fn with_little_memory_ten_thousand_jobs_and_endless_output_are_no_harm() {
    let folder = Folder::new();
    for file in 0..10 {
        let job = |n| {
            format!("  job-{file}-{n}:\n    schedule: {{ daily: \"04:00\" }}\n    run: 'true'\n")
        };
        let jobs: String = (0..1_000).map(job).collect();
        folder.write(&format!("jobs.d/{file}.yaml"), &format!("jobs:\n{jobs}"));
    }
    let loud = |n| {
        format!(
            "  loud-{n}:\n    schedule: {{ every: 1s }}\n    timeout: 1s\n    run: 'yes $(head -c 3000 /dev/zero | tr \"\\0\" x)'\n"
        )
    };
    let jobs: String = (0..10).map(loud).collect();
    folder.write("jobs.d/loud.yaml", &format!("jobs:\n{jobs}"));
    let daemon = Daemon::start_by(&folder, &["prlimit", "--as=1073741824"]);
    daemon.wait_until_ready();
    let timed_out = until("the loud ones have been stopped twice", || {
        let rows = ledger::rows(&daemon, "loud-0");
        let mut over = rows.into_iter().filter(|row| row.outcome == "timed_out");
        over.nth(1)
    });
    let path = format!("/api/v1/runs/{}", timed_out.id);
    let reply = daemon.get(&path);
    assert_eq!(reply.status, 200, "{reply:?}");
    let run = reply.json();
    assert!(run["output_bytes"].as_u64() > Some(10 << 20), "{run}");
    assert!(run["output"].as_str().unwrap().len() < 70 << 10);
    let kept = daemon.resident_mib();
    assert!(kept < MOST_MIB, "{kept} MiB");
    assert_eq!(daemon.get("/readyz").status, 200);
}
