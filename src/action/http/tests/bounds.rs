//! No answer is without a bound, whichever part of it has no end.

use super::*;
use crate::action::Told;
use crate::model::{Letter, SageEvent};

/// What a client may take of an endless head before it gives up, with what sockets hold in between.
const TAKEN: u64 = 16 * 1024 * 1024;
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test]
async fn an_answer_is_given_up_where_its_framing_has_no_end() {
    for (what, begin, again) in [
        ("a status line", "HTTP/1.1 200 ", "O"),
        ("a header", "HTTP/1.1 200 OK\r\nX: ", "x"),
        ("a header's name", "HTTP/1.1 200 OK\r\n", "x"),
        ("headers", "HTTP/1.1 200 OK\r\n", "X: y\r\n"),
        ("a chunk's extension", &format!("{CHUNKED}3;"), "x"),
        ("trailers", &format!("{CHUNKED}0\r\n"), "X: y\r\n"),
        ("a trailer", &format!("{CHUNKED}0\r\nX: "), "y"),
    ] {
        let (begin, again) = (begin.to_owned(), again.to_owned());
        let server = Server::new(move |_| Reply::Flood(begin.clone(), again.clone())).await;
        let end = run(request(get(&server.url("/")))).await;
        assert_eq!(
            end.ended,
            Ended::Failed(Reason::Connect),
            "{what}: {}",
            detail(&end)
        );
        assert!(
            detail(&end).contains("the connection broke"),
            "{}",
            detail(&end)
        );
        assert!(
            server.sent() < TAKEN,
            "{what}: {} bytes were taken",
            server.sent()
        );
        assert!(end.output.total < 1024, "{what}");
    }
}

/// What costs time alone, and no memory, the job's timeout bounds.
#[tokio::test]
async fn an_answer_that_never_comes_to_the_point_ends_with_the_timeout() {
    for (what, begin, again, status) in [
        (
            "answers before the answer",
            "",
            "HTTP/1.1 100 Continue\r\n\r\n",
            None,
        ),
        ("noughts before a chunk's length", CHUNKED, "0", Some(200)),
    ] {
        let server = Server::new(move |_| Reply::Flood(begin.into(), again.into())).await;
        let job = request(get(&server.url("/"))).timeout(Duration::from_millis(500));
        let end = run(job).await;
        assert_eq!(
            (end.ended, end.http_status),
            (Ended::TimedOut, status),
            "{what}"
        );
        assert_eq!(end.output.total, 0, "{what}");
    }
}

/// `hello`, as gzip packs it.
const PACKED: [u8; 25] = [
    0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0, 0x86, 0xa6,
    0x10, 0x36, 0x05, 0, 0, 0,
];

#[tokio::test]
async fn nothing_is_unpacked_so_that_no_small_answer_becomes_a_large_one() {
    let server = Server::new(|_| {
        let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n";
        Reply::Bytes([head.as_bytes(), &PACKED].concat())
    })
    .await;
    let end = run(request(get(&server.url("/")))).await;
    assert_eq!(end.ended, Ended::Success, "{}", detail(&end));
    assert_eq!((end.output.total, &end.output.head[..]), (25, &PACKED[..]));
    let sent = server.requests().pop().unwrap();
    assert_eq!(header(&sent, "Accept-Encoding"), None, "{sent}");
}

#[tokio::test]
async fn a_loop_of_redirects_costs_so_many_requests_and_no_more() {
    let server = Server::new(|path| redirect(301, path)).await;
    let end = run(request(following(&server.url("/self"), "GET"))).await;
    assert_eq!(end.ended, Ended::Failed(Reason::Http));
    assert_eq!(server.requests().len(), 11, "the request and ten redirects");
}

#[tokio::test]
async fn a_target_that_asks_to_be_left_alone_is_heard() {
    const YEAR: &str = "Retry-After: Sat, 01 Jan 2028 00:00:00 GMT\r\n";
    let server = Server::new(|path| match path {
        "/busy" => answer("429 Too Many Requests", "Retry-After: 120\r\n", ""),
        "/down" => answer("503 Service Unavailable", YEAR, ""),
        "/skewed" => {
            let date = format!("{YEAR}Date: Fri, 31 Dec 2027 23:59:00 GMT\r\n");
            answer("503 Service Unavailable", &date, "")
        }
        "/fine" => answer("200 OK", "Retry-After: 120\r\n", ""),
        "/soon" => answer("503 Service Unavailable", "Retry-After: soon\r\n", ""),
        "/cut" => {
            Reply::Hang("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 9\r\n\r\n".into())
        }
        _ => answer("500 Broken", "Retry-After: 120\r\n", ""),
    })
    .await;
    for (path, asked, said) in [
        (
            "/busy",
            Some(120),
            "429 Too Many Requests; it asks to be left alone for 2m",
        ),
        (
            "/down",
            Some(31_536_000),
            "; it asks to be left alone for 365d, and max_backoff bounds the wait to 5m",
        ),
        ("/skewed", Some(60), "; it asks to be left alone for 1m"),
        ("/cut", Some(7), "; it asks to be left alone for 7s"),
        ("/fine", None, ""),
        ("/soon", None, "answered 503 Service Unavailable"),
        ("/broken", None, "answered 500 Internal Server Error"),
    ] {
        let job = request(get(&server.url(path))).timeout(Duration::from_secs(2));
        let end = run(job.retries(1)).await;
        let seconds = end.retry_after.map(|wait| wait.as_secs());
        assert_eq!(seconds, asked, "{path}: {}", detail(&end));
        assert!(detail(&end).ends_with(said), "{path}: {}", detail(&end));
    }
    // Where there is no further attempt, nothing bounds anything.
    let end = run(request(get(&server.url("/down")))).await;
    assert!(
        detail(&end).ends_with("left alone for 365d"),
        "{}",
        detail(&end)
    );
    // Letters are not tried sooner than is asked for.
    let (mut attempt, _stop) = request(get(&server.url("/down"))).retries(1).attempt();
    let letter = Letter {
        id: attempt.run,
        sage: attempt.job.name().clone(),
        job: None,
        event: SageEvent::Failure,
        at: attempt.scheduled_at,
        body: "{}".into(),
    };
    attempt.told = Some(Arc::new(Told::new(&letter, "")));
    let runner = runner_with(&[], Client::new(Egress::default()).unwrap());
    let end = runner.attempt(attempt).await;
    assert!(
        detail(&end).ends_with("left alone for 365d"),
        "{}",
        detail(&end)
    );
}
