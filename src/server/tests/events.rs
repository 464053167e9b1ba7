//! What happens, followed over real sockets.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::super::auth::hash_token;
use super::super::hex;
use super::harness::{PATIENCE, Reply, Server, synced};
use crate::ids::JobKey;
use crate::model::{Event, Observer, Outcome, RunState};
use crate::sync::{SyncState, SyncStatus};
use crate::telemetry::example::{job, run};
use crate::telemetry::feed::KEPT;

/// Somebody who follows, event by event.
pub(super) struct Follower {
    lines: BufReader<TcpStream>,
    head: String,
}

/// One event, or a comment (`name` is empty).
#[derive(Debug, Default)]
struct Told {
    id: String,
    name: String,
    data: Value,
}

impl Follower {
    pub(super) async fn open(server: &Server, path: &str, headers: &[(&str, &str)]) -> Self {
        // This version of HTTP knows no chunks.
        let port = server.port();
        let mut text = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut stream = server.connect().await;
        stream
            .write_all(format!("{text}\r\n").as_bytes())
            .await
            .unwrap();
        let mut follower = Self {
            lines: BufReader::new(stream),
            head: String::new(),
        };
        while !follower.head.ends_with("\r\n\r\n") {
            let line = follower.line().await.expect("a head");
            follower.head.push_str(&line);
        }
        follower
    }

    /// The head of the answer.
    pub(super) fn reply(&self) -> Reply {
        let status = self.head.split(' ').nth(1).unwrap();
        Reply {
            status: status.parse().unwrap(),
            head: self.head.trim_end().to_owned(),
            body: String::new(),
        }
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = tokio::time::timeout(PATIENCE, self.lines.read_line(&mut line)).await;
        let read = read.expect("something is told").unwrap_or(0);
        (read > 0).then_some(line)
    }

    /// The next event; `None` at the end.
    async fn next(&mut self) -> Option<Told> {
        let mut told = Told::default();
        loop {
            let line = self.line().await?;
            match line.trim_end().split_once(": ") {
                Some(("id", id)) => told.id = id.to_owned(),
                Some(("event", name)) => told.name = name.to_owned(),
                Some(("data", data)) => told.data = serde_json::from_str(data).unwrap(),
                _ if line == "\n" => return Some(told),
                _ => {}
            }
        }
    }

    async fn names(&mut self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(self.next().await.expect("an event").name);
        }
        names
    }
}

/// A run of the job ends.
fn end(server: &Server, name: &str) {
    let mut run = run(name, 1);
    run.state = RunState::Done;
    run.outcome = Some(Outcome::Success);
    server.feed.observe(&Event::RunEnded {
        key: None,
        run: &run,
        action: "run",
        output_truncated: false,
    });
}

#[tokio::test]
async fn what_happens_is_told_in_the_words_of_the_api() {
    let server = Server::start().await;
    let mut follower = Follower::open(&server, "/api/v1/events", &[]).await;
    let reply = follower.reply();
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("text/event-stream"))
    );
    let first = follower.next().await.unwrap();
    assert!(!first.id.is_empty() && first.name.is_empty(), "{first:?}");
    let status = follower.next().await.unwrap();
    assert_eq!(status.name, "sync_status");
    assert_eq!(status.data["status"], "Synced");
    assert_eq!(status.data["revision"], "3f2a91c");
    end(&server, "billing");
    let ended = follower.next().await.unwrap();
    assert_eq!(ended.name, "run_ended");
    assert_eq!(ended.data["job_id"], "billing");
    assert_eq!(ended.data["outcome"], "success");
    assert!(ended.data.get("output").is_none());
    // One that says the same is not told again.
    let send = |state| {
        let status = SyncStatus { state, ..synced() };
        server.status.send_replace(status.into());
    };
    send(SyncState::Synced);
    end(&server, "billing");
    assert_eq!(follower.names(1).await, ["run_ended"]);
    send(SyncState::Invalid);
    let status = follower.next().await.unwrap();
    assert_eq!(
        (&*status.name, &status.data["status"]),
        ("sync_status", &"Invalid".into())
    );
}

#[tokio::test]
async fn a_reader_that_comes_back_hears_what_it_missed_and_no_more() {
    let server = Server::start().await;
    let mut first = Follower::open(&server, "/events?event=run_ended", &[]).await;
    let begin = first.next().await.unwrap();
    end(&server, "a");
    let heard = first.next().await.unwrap();
    assert_eq!(heard.data["job_id"], "a");
    drop(first);
    end(&server, "b");
    for (id, want) in [(&begin.id, "a"), (&heard.id, "b")] {
        let back = [("Last-Event-ID", id.as_str())];
        let mut again = Follower::open(&server, "/events?event=run_ended", &back).await;
        assert_eq!(again.next().await.unwrap().name, "");
        let told = again.next().await.unwrap();
        assert_eq!(
            (&*told.name, &told.data["job_id"]),
            ("run_ended", &want.into())
        );
    }
    // Of another elder, whatever came since is not known.
    let other = [("Last-Event-ID", "5-1")];
    let mut again = Follower::open(&server, "/events?event=run_ended", &other).await;
    assert_eq!(
        again.names(4).await,
        ["", "missed_events", "run_ended", "run_ended"]
    );
}

#[tokio::test]
async fn a_reader_hears_of_what_it_chose_alone() {
    let server = Server::start().await;
    let path = "/events?event=run_ended,job_fresh&job=billing";
    let mut follower = Follower::open(&server, path, &[]).await;
    end(&server, "backup");
    let start = run("billing", 1);
    server.feed.observe(&Event::AttemptStarted {
        key: JobKey(0),
        run: &start,
        action: "run",
        lateness: None,
    });
    let (key, job) = (JobKey(0), &job("billing"));
    server.feed.observe(&Event::Fresh { key, job });
    end(&server, "billing");
    assert_eq!(follower.names(3).await, ["", "job_fresh", "run_ended"]);
    for (query, status, says) in [
        ("event=run_endet", 400, "run_ended"),
        ("job=..%2Fx", 404, "no such job"),
        ("since=1h", 400, "event, job"),
    ] {
        let reply = server.get(&format!("/events?{query}")).await;
        assert_eq!(reply.status, status, "{query}");
        assert!(reply.body.contains(says), "{query}: {reply:?}");
    }
}

#[tokio::test]
async fn who_does_not_read_keeps_nobody_waiting_and_hears_how_much_was_missed() {
    let server = Server::start().await;
    let mut slow = Follower::open(&server, "/events?event=run_ended", &[]).await;
    // More than the socket takes: nobody here waits for it.
    for number in 0..4 * KEPT {
        end(&server, &format!("j{number}"));
        if number % 64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let (mut heard, mut missed) = (0, 0);
    while heard + missed < 4 * KEPT as u64 {
        let told = slow.next().await.unwrap();
        match &*told.name {
            "run_ended" => heard += 1,
            "missed_events" => missed += told.data["events"].as_u64().unwrap(),
            other => assert_eq!(other, ""),
        }
    }
    assert!(missed > 0 && heard > 0, "{heard} heard, {missed} missed");
    assert_eq!(heard + missed, 4 * KEPT as u64);
}

#[tokio::test]
async fn so_many_may_follow_and_a_place_that_is_left_is_free_again() {
    let server = Server::start().await;
    let mut held = Vec::new();
    for _ in 0..32 {
        held.push(Follower::open(&server, "/events", &[]).await);
    }
    let reply = server.get("/events").await;
    assert_eq!((reply.status, &*reply.problem()), (503, "too-many-readers"));
    assert_eq!(server.get("/jobs").await.status, 200);
    held.clear();
    let freed = async {
        loop {
            if Follower::open(&server, "/events", &[]).await.reply().status == 200 {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), freed)
        .await
        .expect("whoever left is noticed before the next word");
    // Nor does a place stay with somebody who wanted the head alone.
    for _ in 0..40 {
        assert_eq!(server.send("HEAD", "/events", &[], "").await.status, 200);
    }
}

#[tokio::test]
async fn a_token_that_is_taken_back_hears_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let line = format!("viewer viewer {}\n", hex(&hash_token("viewer")));
    std::fs::write(&file, line).unwrap();
    let server = Server::with(
        "0.0.0.0:0",
        |config| config.tokens = Some(file.clone()),
        |_| {},
    )
    .await;
    let bearer = [("Authorization", "Bearer viewer")];
    let path = "/events?event=run_ended";
    let mut follower = Follower::open(&server, path, &bearer).await;
    end(&server, "before");
    assert_eq!(follower.names(2).await, ["", "run_ended"]);
    std::fs::write(&file, "# nobody\n").unwrap();
    server.tokens.reread().unwrap();
    end(&server, "after");
    assert!(follower.next().await.is_none());
    let refused = Follower::open(&server, path, &bearer).await;
    assert_eq!(refused.reply().status, 401);
}

#[tokio::test]
async fn followers_end_with_elder_and_not_later() {
    let mut server = Server::with(
        "127.0.0.1:0",
        |_| {},
        |bound| bound.bounds.drain = PATIENCE * 10,
    )
    .await;
    let mut follower = Follower::open(&server, "/events?event=run_ended", &[]).await;
    end(&server, "last");
    server.feed.close();
    server.stop().await;
    assert_eq!(follower.names(2).await, ["", "run_ended"]);
    assert!(follower.next().await.is_none());
    let mut rest = Vec::new();
    let read = follower.lines.read_to_end(&mut rest);
    let read = tokio::time::timeout(Duration::from_secs(5), read).await;
    assert!(read.is_ok() && rest.is_empty());
}
