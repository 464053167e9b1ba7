//! `GET /events`: what happens, told as it happens, by the real binary.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::support::{Daemon, Folder, Small, not_tested};

/// How long an event may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// So many other events may come before it: a job fires each second.
const MOST: usize = 150;

/// Somebody who follows all that happens.
struct Follower {
    lines: BufReader<TcpStream>,
    id: String,
    /// All that was told.
    said: String,
}

impl Follower {
    fn open(daemon: &Daemon, after: Option<&str>) -> Self {
        let host = daemon.address();
        let back = after.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        let request = format!("GET /api/v1/events HTTP/1.0\r\nHost: {host}\r\n{back}\r\n");
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut lines = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(lines.read_line(&mut head).unwrap() > 0, "{head}");
        }
        assert!(
            head.starts_with("HTTP/1.1 200") || head.starts_with("HTTP/1.0 200"),
            "{head}"
        );
        Self {
            lines,
            id: String::new(),
            said: String::new(),
        }
    }

    /// The next event with a name; `None` at the end.
    fn next(&mut self) -> Option<(String, Value)> {
        let (mut name, mut data) = (String::new(), Value::Null);
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap_or(0) == 0 {
                return None;
            }
            self.said.push_str(&line);
            match line.trim_end().split_once(": ") {
                Some(("id", id)) => self.id = id.to_owned(),
                Some(("event", word)) => name = word.to_owned(),
                Some(("data", text)) => data = serde_json::from_str(text).unwrap(),
                _ if line == "\n" && !name.is_empty() => return Some((name, data)),
                _ => {}
            }
        }
    }

    /// The next event of that name; what comes before it is passed over.
    fn await_one(&mut self, name: &str) -> Value {
        self.await_that(name, |_| true)
    }

    /// These, in any order: name, member and its value.
    fn await_all(&mut self, wanted: &[(&str, &str, &str)]) {
        let mut left = wanted.to_vec();
        for _ in 0..MOST {
            if left.is_empty() {
                return;
            }
            let told = self.next();
            let (found, data) = told.unwrap_or_else(|| panic!("no {left:?} in\n{}", self.said));
            left.retain(|(name, member, value)| found != *name || data[member] != *value);
        }
        panic!("no {left:?} in\n{}", self.said);
    }

    /// The same where the data is what is waited for.
    fn await_that(&mut self, name: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..MOST {
            match self.next() {
                Some((found, data)) if found == name && is_it(&data) => return data,
                Some(_) => {}
                None => break,
            }
        }
        panic!("no {name} in\n{}", self.said);
    }
}

const JOBS: &str = "jobs:
  asked: { schedule: manual, run: exit 3, retry: { max: 1, backoff: 10ms } }
  rests: { schedule: { every: 1s }, run: 'true' }
  told:
    schedule: manual
    secrets: { TOKEN: { file: token } }
    http: 'http://127.0.0.1:1/${secrets.TOKEN}'
";

#[test]
fn a_run_a_pause_and_a_reload_are_told_as_they_happen() {
    let folder = Folder::with(&[("jobs.d/a.yaml", JOBS), ("jobs.d/token", "open-sesame\n")]);
    let daemon = Daemon::start(&folder);
    let mut follower = Follower::open(&daemon, None);
    let status = follower.await_one("sync_status");
    assert_eq!(status["status"], "Synced", "{status}");
    // A run with two attempts: begun, waiting, begun again, over.
    let run = daemon.trigger("asked");
    for (name, attempt) in [
        ("run_started", 1),
        ("run_waiting", 1),
        ("run_started", 2),
        ("run_ended", 2),
    ] {
        let told = follower.await_that(name, |told| told["job_id"] == "asked");
        assert_eq!(
            (&told["run_id"], &told["attempt"]),
            (&run.as_str().into(), &attempt.into()),
            "{name}: {told}"
        );
    }
    let body = r#"{"reason": "the database moves"}"#;
    assert_eq!(daemon.post("/api/v1/jobs/rests/pause", body).status, 200);
    let paused = follower.await_one("job_paused");
    assert_eq!(paused["job_id"], "rests");
    assert_eq!(paused["pause"]["reason"], "the database moves");
    let skipped = follower.await_one("not_run");
    assert_eq!(
        (&skipped["reason"], &skipped["added"]),
        (&"paused".into(), &1.into()),
        "{skipped}"
    );
    assert_eq!(daemon.post("/api/v1/jobs/rests/resume", "{}").status, 200);
    assert_eq!(follower.await_one("job_resumed")["by"], "elder");
    daemon.run("told");
    let told = follower.await_that("run_ended", |told| told["job_id"] == "told");
    assert_eq!(told["reason"], "connect", "{told}");
    assert!(!follower.said.contains("open-sesame"), "{}", follower.said);
    // A bad edit, and its mend.
    folder.write("jobs.d/b.yaml", "jobs: { x: { every: 5m } }\n");
    follower.await_all(&[
        ("reloaded", "result", "partial"),
        ("sync_status", "status", "Invalid"),
    ]);
    folder.write(
        "jobs.d/b.yaml",
        "jobs: { x: { schedule: manual, run: 'true' } }\n",
    );
    follower.await_all(&[
        ("reloaded", "result", "applied"),
        ("sync_status", "status", "Synced"),
    ]);
    assert!(follower.said.contains(r#""added":1"#), "{}", follower.said);
    // Whoever comes back hears what was told meanwhile.
    let id = follower.id.clone();
    drop(follower);
    let run = daemon.run("x")["run_id"].clone();
    let mut follower = Follower::open(&daemon, Some(&id));
    let told = follower.await_that("run_ended", |told| told["job_id"] == "x");
    assert_eq!(told["run_id"], run);
    // The end of elder is the end of the stream.
    assert_eq!(daemon.stop().code(), Some(0));
    while follower.next().is_some() {}
}

#[test]
fn a_stores_return_is_told_though_nothing_is_to_be_written() {
    let jobs = "jobs: { asked: { schedule: manual, run: 'true' } }\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", jobs)]);
    let Some(small) = Small::mount(folder.join("state")) else {
        not_tested("this machine does not let us mount a tmpfs");
        return;
    };
    let daemon = Daemon::start(&folder);
    let mut follower = Follower::open(&daemon, None);
    let filler = folder.join("state/filler");
    let of = format!("of={}", filler.display());
    let mut fill = std::process::Command::new("dd");
    fill.args(["if=/dev/zero", "bs=4096", &of])
        .output()
        .unwrap();
    let refused = daemon.post("/api/v1/jobs/asked/run", "{}");
    assert_eq!(refused.status, 503, "{refused:?}");
    follower.await_one("store_lost");
    std::fs::remove_file(&filler).unwrap();
    follower.await_one("store_back");
    assert_eq!(daemon.run("asked")["outcome"], "success");
    drop(daemon);
    drop(small);
}
