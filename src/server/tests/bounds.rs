//! What is too large, too slow, too deep or too many.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::harness::{PATIENCE, Server, read_reply};

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let server = Server::with(
        "127.0.0.1:0",
        |_| {},
        |bound| {
            bound.bounds.head = Duration::from_millis(200);
        },
    )
    .await;
    let mut slow = server.connect().await;
    slow.write_all(b"GET /jobs HTTP/1.1\r\nHost: x")
        .await
        .unwrap();
    let mut idle = server.connect().await;
    for stream in [&mut slow, &mut idle] {
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        closed.expect("the server closes").unwrap();
    }
    assert_eq!(server.get("/jobs").await.status, 200);
}

#[tokio::test]
async fn one_client_has_so_many_connections_and_no_more() {
    let server = Server::with("127.0.0.1:0", |_| {}, |bound| bound.bounds.per_client = 3).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = server.connect().await;
        let request = format!(
            "GET /stats HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
            server.port()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        held.push(stream);
    }
    let mut fourth = server.connect().await;
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, fourth.read_to_end(&mut rest)).await;
    // Closed or reset, with nothing said.
    let _ = closed.expect("the server closes");
    assert!(rest.is_empty());
    held.clear();
    let freed = async {
        loop {
            let mut stream = server.connect().await;
            let request = format!(
                "GET /stats HTTP/1.1\r\nConnection: close\r\nHost: localhost:{}\r\n\r\n",
                server.port()
            );
            let mut reply = Vec::new();
            if stream.write_all(request.as_bytes()).await.is_ok()
                && stream.read_to_end(&mut reply).await.is_ok()
                && reply.starts_with(b"HTTP/1.1 200")
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, freed).await.unwrap();
}

#[tokio::test]
async fn more_connections_than_there_are_places_wait_their_turn() {
    let server = Server::with(
        "127.0.0.1:0",
        |_| {},
        |bound| {
            bound.bounds.connections = 1;
            bound.bounds.head = Duration::from_millis(300);
        },
    )
    .await;
    let _idle = server.connect().await;
    assert_eq!(server.get("/jobs").await.status, 200);
}

#[tokio::test]
async fn a_body_has_its_bounds() {
    let server = Server::start().await;
    let large = format!("{{\"to\": \"{}\"}}", "a".repeat(1024 * 1024));
    let deep = "[".repeat(200_000);
    for (body, status, kind) in [
        (deep.as_str(), 400, "bad-request"),
        ("{", 400, "bad-request"),
        ("[]", 400, "bad-request"),
        ("\"\\ud800\"", 400, "bad-request"),
        ("{\"to\": 1}", 400, "bad-request"),
        ("{\"elsewhere\": 1}", 400, "bad-request"),
    ] {
        let reply = server.post("/api/v1/backup", body).await;
        assert_eq!(
            (reply.status, reply.problem().as_str()),
            (status, kind),
            "{body:.40}"
        );
    }
    let head = |more: &str| {
        format!(
            "POST /api/v1/backup HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\
             Authorization: Bearer {}\r\nContent-Type: application/json\r\n{more}\r\n",
            server.port(),
            server.token
        )
    };
    // By its announcement, before a byte of it has come.
    let reply = server
        .raw(head(&format!("Content-Length: {}\r\n", large.len())).as_bytes())
        .await;
    assert_eq!((reply.status, reply.problem().as_str()), (413, "too-large"));
    // In chunks, without any announcement.
    let mut stream = server.connect().await;
    stream
        .write_all(head("Transfer-Encoding: chunked\r\n").as_bytes())
        .await
        .unwrap();
    let (mut reader, mut writer) = stream.split();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let send = async {
        // It may be cut off while we send, and that is right.
        while writer.write_all(chunk.as_bytes()).await.is_ok() {}
    };
    let mut answer = Vec::new();
    let read = async {
        while !answer.windows(4).any(|part| part == b"\r\n\r\n") {
            let mut byte = [0; 512];
            match reader.read(&mut byte).await {
                Ok(0) | Err(_) => break,
                Ok(count) => answer.extend_from_slice(&byte[..count]),
            }
        }
    };
    tokio::time::timeout(PATIENCE, async {
        tokio::select! { () = send => {}, () = read => {} }
    })
    .await
    .unwrap();
    if answer.is_empty() {
        // The write failed first: the answer is still there to read.
        answer = read_reply(&mut stream).await.head.into_bytes();
    }
    assert!(
        answer.starts_with(b"HTTP/1.1 413"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    assert!(server.store.backups.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_body_is_json_and_says_so() {
    let server = Server::start().await;
    let bearer = format!("Bearer {}", server.token);
    for (kind, status) in [
        (None, 415),
        (Some("text/plain"), 415),
        (Some("application/x-www-form-urlencoded"), 415),
        (Some("application/jsonx"), 415),
        (Some("application/json"), 200),
        (Some("Application/JSON; charset=utf-8"), 200),
    ] {
        let mut headers = vec![("Authorization", bearer.as_str())];
        headers.extend(kind.map(|kind| ("Content-Type", kind)));
        let reply = server
            .send("POST", "/jobs/billing/run", &headers, "{}")
            .await;
        assert_eq!(reply.status, status, "{kind:?}: {reply:?}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_or_broken_is_refused() {
    let server = Server::start().await;
    let large = [("X-Large", "a".repeat(20 * 1024))];
    let large: Vec<_> = large
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    assert_eq!(server.send("GET", "/jobs", &large, "").await.status, 431);
    let many: Vec<(&str, &str)> = (0..300).map(|_| ("X-Many", "a")).collect();
    assert_eq!(server.send("GET", "/jobs", &many, "").await.status, 431);
    assert_eq!(
        server.raw(b"\x16\x03\x01\x00\xff\xfe\r\n\r\n").await.status,
        400
    );
    assert_eq!(server.get("/jobs").await.status, 200);
}

#[tokio::test]
async fn what_is_under_way_ends_before_the_server_does() {
    let mut server = Server::start().await;
    server.engine.stuck.store(true, Ordering::SeqCst);
    let mut stream = server.connect().await;
    let request = format!(
        "GET /healthz HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
        server.port()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    // The request waits for the engine; only then is the server told to stop.
    let under_way = async {
        while server.engine.held.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, under_way).await.unwrap();
    server.stop().await;
    let reply = read_reply(&mut stream).await;
    assert_eq!(reply.status, 503);
    assert!(
        tokio::net::TcpStream::connect(server.address)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_body_that_never_comes_is_answered_and_a_slow_answer_is_waited_for() {
    let server = Server::with(
        "127.0.0.1:0",
        |_| {},
        |bound| {
            bound.bounds.head = Duration::from_millis(100);
            bound.bounds.body = Duration::from_millis(100);
        },
    )
    .await;
    let head = format!(
        "POST /-/reload HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\nContent-Length: 9\r\n\
         Authorization: Bearer {}\r\nContent-Type: application/json\r\n\r\n{{",
        server.port(),
        server.token
    );
    let reply = server.raw(head.as_bytes()).await;
    assert_eq!((reply.status, reply.problem().as_str()), (408, "too-slow"));
    assert!(server.requests.lock().unwrap().is_empty());
    // Two seconds of waiting for the engine are longer than a head may take.
    server.engine.stuck.store(true, Ordering::SeqCst);
    assert_eq!(server.get("/healthz").await.status, 503);
}
