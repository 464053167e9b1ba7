//! Real requests over real sockets: what is sent, and what becomes of every kind of answer.

mod bounds;
mod names;
mod signing;
mod tls;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::Client;
use super::server::{LONG, Reply, Server, answer, ok, redirect};
use crate::action::testing::{TestJob, clock, get, request};
use crate::action::{Egress, LocalRunner, Runner, Stop, Surroundings};
use crate::model::{
    AttemptEnd, Body, Ended, Expect, Http, Json, Part, Reason, SecretSource, StatusSet, Text,
    Trigger, Variable,
};

fn runner_with(secrets: &[(&str, &str)], client: Client) -> LocalRunner {
    runner_of_server(OnceLock::new(), secrets, client)
}

/// The same of an elder that has this address.
fn runner_of_server(
    server_url: OnceLock<String>,
    secrets: &[(&str, &str)],
    client: Client,
) -> LocalRunner {
    let env: HashMap<_, _> = secrets
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let surroundings = Surroundings {
        env: Arc::new(env),
        server_url: Arc::new(server_url),
        state_dir: "/var/lib/elder".into(),
        elder_bin: "/usr/bin/elder".into(),
        own_binary: None,
        cgroups: None,
        observer: Arc::new(crate::model::NoObserver),
        egress: Egress::default(),
        clock: Arc::new(clock()),
    };
    LocalRunner::with_client(surroundings, client)
}

async fn run(job: TestJob) -> AttemptEnd {
    let (attempt, _stop) = job.attempt();
    let runner = runner_with(&[], Client::new(Egress::default()).unwrap());
    let end = tokio::time::timeout(LONG, runner.attempt(attempt)).await;
    end.expect("the attempt did not end")
}

/// Runs it with the secret `TOKEN`.
async fn run_with_secret(http: Http, secret: &str) -> AttemptEnd {
    let job = request(http).context(|context| {
        context.secrets = vec![("TOKEN".into(), SecretSource::Env("TOKEN".into()))];
    });
    let (attempt, _stop) = job.attempt();
    let runner = runner_with(
        &[("TOKEN", secret)],
        Client::new(Egress::default()).unwrap(),
    );
    let end = tokio::time::timeout(LONG, runner.attempt(attempt)).await;
    end.expect("the attempt did not end")
}

fn token(before: &str) -> Text {
    let parts = vec![Part::Literal(before.into()), Part::Secret("TOKEN".into())];
    Text::of_parts(&format!("{before}${{secrets.TOKEN}}"), parts)
}

fn text(end: &AttemptEnd) -> String {
    String::from_utf8_lossy(&end.output.head).into_owned()
}

fn detail(end: &AttemptEnd) -> &str {
    end.detail.as_deref().unwrap_or_default()
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let head = request.split("\r\n\r\n").next().unwrap();
    let mut pairs = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "));
    pairs
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

#[tokio::test]
async fn a_request_carries_what_the_job_says_and_what_elder_adds() {
    let server = Server::new(|_| ok("fine")).await;
    let mut http = get(&server.url("/a b?x=1"));
    http.method = "POST".into();
    http.query = vec![("q".into(), Text::plain("1&2=3 ü"))];
    http.headers = vec![
        ("X-Own".into(), Text::plain("one")),
        ("X-Own".into(), Text::plain("two")),
        ("Authorization".into(), token("Bearer ")),
    ];
    http.body = Body::Json(Json::Object(vec![("t".into(), Json::String(token("\"")))]));
    let end = run_with_secret(http, "open\"sesame").await;
    assert_eq!(
        (end.ended, end.http_status, text(&end).as_str()),
        (Ended::Success, Some(200), "fine")
    );
    let requests = server.requests();
    let sent = &requests[0];
    assert!(
        sent.starts_with("POST /a%20b?x=1&q=1%262%3D3+%C3%BC HTTP/1.1\r\n"),
        "{sent}"
    );
    assert!(
        sent.ends_with("\r\n\r\n{\"t\":\"\\\"open\\\"sesame\"}"),
        "{sent}"
    );
    assert_eq!(sent.matches("x-own: ").count(), 2);
    let run = crate::ids::RunId::of_fire(
        &crate::ids::JobName::new("test").unwrap(),
        "2027-01-01T00:00:00Z".parse().unwrap(),
    );
    for (name, want) in [
        (
            "User-Agent",
            concat!("elder/", env!("CARGO_PKG_VERSION")).to_owned(),
        ),
        ("Idempotency-Key", "test/2027-01-01T00:00:00Z".to_owned()),
        ("traceparent", crate::action::traceparent(run, 1)),
        ("Content-Type", "application/json".to_owned()),
        ("Authorization", "Bearer open\"sesame".to_owned()),
        ("Host", server.address.to_string()),
    ] {
        assert_eq!(header(sent, name), Some(want.as_str()), "{name}");
    }
}

#[tokio::test]
async fn bodies_are_sent_in_their_kinds_and_the_jobs_own_headers_win() {
    let server = Server::new(|_| ok("")).await;
    let form = vec![
        ("a b".into(), Text::plain("c&d")),
        ("e".into(), Text::plain("ü")),
    ];
    for (body, kind, want) in [
        (Body::Empty, None, ""),
        (
            Body::Text(Text::plain("plain ü")),
            Some("text/plain; charset=utf-8"),
            "plain ü",
        ),
        (
            Body::Form(form),
            Some("application/x-www-form-urlencoded"),
            "a+b=c%26d&e=%C3%BC",
        ),
        (
            Body::Json(Json::Array(vec![Json::Null])),
            Some("application/json"),
            "[null]",
        ),
    ] {
        let mut http = get(&server.url("/"));
        http.method = "PUT".into();
        http.body = body;
        assert_eq!(run(request(http.clone())).await.ended, Ended::Success);
        let sent = server.requests().pop().unwrap();
        assert_eq!(
            (header(&sent, "Content-Type"), sent.split("\r\n\r\n").nth(1)),
            (kind, Some(want))
        );
        http.headers = vec![
            ("content-type".into(), Text::plain("a/b")),
            ("USER-AGENT".into(), Text::plain("me")),
            ("idempotency-key".into(), Text::plain("mine")),
        ];
        run(request(http)).await;
        let sent = server.requests().pop().unwrap();
        for (name, want) in [
            ("Content-Type", "a/b"),
            ("User-Agent", "me"),
            ("Idempotency-Key", "mine"),
        ] {
            assert_eq!(header(&sent, name), Some(want));
        }
    }
}

#[tokio::test]
async fn a_requested_run_has_its_own_idempotency_key() {
    let server = Server::new(|_| ok("")).await;
    for trigger in [Trigger::Manual, Trigger::Api] {
        let (mut attempt, _stop) = request(get(&server.url("/"))).attempt();
        attempt.trigger = trigger;
        attempt.attempt = 2;
        let want = format!("test/2027-01-01T00:00:00Z/{}", attempt.run);
        runner_with(&[], Client::new(Egress::default()).unwrap())
            .attempt(attempt)
            .await;
        let sent = server.requests().pop().unwrap();
        assert_eq!(header(&sent, "Idempotency-Key"), Some(want.as_str()));
    }
}

#[tokio::test]
async fn a_user_and_password_in_the_address_are_basic_authentication() {
    let server = Server::new(|_| ok("")).await;
    let url = server.url("/").replace("http://", "http://us%40er:p%3Ass@");
    assert_eq!(run(request(get(&url))).await.ended, Ended::Success);
    let sent = server.requests().pop().unwrap();
    assert_eq!(
        header(&sent, "Authorization"),
        Some("Basic dXNAZXI6cDpzcw==")
    );
}

#[tokio::test]
async fn an_address_of_elders_own_leads_nowhere_else() {
    let (own, other) = (Server::new(|_| ok("")).await, Server::new(|_| ok("")).await);
    let client = Client::new(Egress::default()).unwrap();
    let runner = runner_of_server(OnceLock::from(own.url("")), &[], client);
    for (rest, is_fine) in [
        ("/x".to_owned(), true),
        (format!("@{}/x", other.address), false),
        ("0/x".to_owned(), false),
    ] {
        let mut http = get("");
        let parts = vec![
            Part::Variable(Variable::Server),
            Part::Literal(rest.as_str().into()),
        ];
        http.url = Text::of_parts("${elder.server}…", parts);
        let (attempt, _stop) = request(http).attempt();
        let end = runner.attempt(attempt).await;
        assert_eq!(end.ended == Ended::Success, is_fine, "{rest}: {end:?}");
    }
    assert_eq!((own.requests().len(), other.requests().len()), (1, 0));
}

#[tokio::test]
async fn an_answer_is_compared_with_what_the_job_expects() {
    let server = Server::new(|path| match path {
        "/204" => Reply::Send("HTTP/1.1 204 No Content\r\n\r\n".into()),
        "/404" => answer("404 Not Found", "", "nothing here"),
        "/503" => answer("503 Service Unavailable", "", "busy"),
        "/301" => redirect(301, "https://u:p@elsewhere.example/x?token=1"),
        "/text" => ok("all is well"),
        "/json" => {
            ok(r#"{"status": "up", "n": 1.0, "list": [{"a": null}], "o": {"b": 1, "a": 2}}"#)
        }
        _ => ok(&format!("{}end", "x".repeat(2_000_000))),
    })
    .await;
    let status = |status: &[StatusSet]| Expect {
        status: status.to_vec(),
        ..Expect::default()
    };
    let contains = |text: &str| Expect {
        body_contains: Some(text.into()),
        ..Expect::default()
    };
    let json = |pointer: &str, value: Json| Expect {
        json: vec![(pointer.into(), value)],
        ..Expect::default()
    };
    let string = |text: &str| Json::String(Text::plain(text));
    let number = |text: &str| Json::Number(text.into());
    let object = Json::Object(vec![("a".into(), number("2")), ("b".into(), number("1.0"))]);
    for (path, expect, want) in [
        ("/text", Expect::default(), Ok(200)),
        ("/204", Expect::default(), Ok(204)),
        (
            "/404",
            Expect::default(),
            Err((404, "answered 404 Not Found")),
        ),
        (
            "/404",
            status(&[StatusSet::Class(2), StatusSet::Exactly(404)]),
            Ok(404),
        ),
        (
            "/503",
            status(&[StatusSet::Exactly(404)]),
            Err((503, "answered 503 Service Unavailable")),
        ),
        (
            "/text",
            status(&[StatusSet::Exactly(201)]),
            Err((200, "answered 200 OK")),
        ),
        (
            "/301",
            Expect::default(),
            Err((301, "to https://elsewhere.example/x: set follow_redirects")),
        ),
        ("/301", status(&[StatusSet::Class(3)]), Ok(301)),
        ("/text", contains("is well"), Ok(200)),
        (
            "/text",
            contains("is bad"),
            Err((200, "its body does not hold \"is bad\"")),
        ),
        ("/long", contains("xxx"), Ok(200)),
        (
            "/long",
            contains("end"),
            Err((200, "the first 1MiB of its body does not hold")),
        ),
        ("/json", json("/status", string("up")), Ok(200)),
        ("/json", json("/n", number("1")), Ok(200)),
        ("/json", json("/list/0/a", Json::Null), Ok(200)),
        ("/json", json("/o", object), Ok(200)),
        (
            "/json",
            json("/status", string("down")),
            Err((200, "/status is \"up\", not \"down\"")),
        ),
        (
            "/json",
            json("/none", Json::Null),
            Err((200, "/none is not there, not null")),
        ),
        (
            "/text",
            json("/status", string("up")),
            Err((200, "its body is no JSON")),
        ),
        (
            "/long",
            json("/status", string("up")),
            Err((200, "more than 1MiB")),
        ),
    ] {
        let mut http = get(&server.url(path));
        http.expect = expect;
        let end = run(request(http)).await;
        match want {
            Ok(status) => assert_eq!(
                (end.ended, end.http_status),
                (Ended::Success, Some(status)),
                "{path}"
            ),
            Err((status, said)) => {
                assert_eq!(
                    (end.ended, end.http_status),
                    (Ended::Failed(Reason::Http), Some(status)),
                    "{path}"
                );
                assert!(detail(&end).contains(said), "{path}: {}", detail(&end));
                assert!(
                    end.output.total > 0 || status == 301,
                    "{path}: the body says more"
                );
            }
        }
    }
}

#[tokio::test]
async fn every_way_of_failing_is_told_apart() {
    let server = Server::new(|path| match path {
        "/reset" => Reply::Reset(String::new()),
        "/cut" => Reply::Reset("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this".into()),
        "/close" => Reply::Send(String::new()),
        "/garbage" => Reply::Send("220 mail.example ESMTP\r\n\r\n".into()),
        "/short" => Reply::Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this".into()),
        _ => Reply::Send("HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nonly this".into()),
    })
    .await;
    let refused = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let url = |path: &str| server.url(path);
    let nowhere = format!("http://{}.invalid/", "a".repeat(70));
    for (url, reason, status, said) in [
        (
            format!("http://{refused}/"),
            Reason::Connect,
            None,
            "ECONNREFUSED",
        ),
        (url("/reset"), Reason::Connect, None, "the connection broke"),
        (url("/cut"), Reason::Connect, Some(200), "ECONNRESET"),
        (url("/close"), Reason::Connect, None, "the connection broke"),
        (
            url("/garbage"),
            Reason::Connect,
            None,
            "the connection broke",
        ),
        (
            url("/short"),
            Reason::Connect,
            Some(200),
            "the connection broke",
        ),
        (url("/busy"), Reason::Http, Some(503), "answered 503"),
        (
            url("/").replace("http:", "https:"),
            Reason::Connect,
            None,
            "TLS",
        ),
        (nowhere, Reason::Connect, None, "there was no connection"),
        (
            "ftp://127.0.0.1/".to_owned(),
            Reason::Setup,
            None,
            "only http and https",
        ),
        (
            "no address".to_owned(),
            Reason::Setup,
            None,
            "the address cannot be used",
        ),
        (
            "file:///etc/passwd".to_owned(),
            Reason::Setup,
            None,
            "names no host",
        ),
        (
            "http://169.254.169.254/latest".to_owned(),
            Reason::Setup,
            None,
            "credentials",
        ),
        (
            "http://0xa9fea9fe/latest".to_owned(),
            Reason::Setup,
            None,
            "credentials",
        ),
    ] {
        let end = run(request(get(&url))).await;
        assert_eq!(
            (end.ended, end.http_status),
            (Ended::Failed(reason), status),
            "{url}: {}",
            detail(&end)
        );
        assert!(detail(&end).contains(said), "{url}: {}", detail(&end));
        assert!(detail(&end).starts_with("GET "), "{}", detail(&end));
    }
}

#[tokio::test]
async fn the_timeout_holds_in_every_phase() {
    const TIMEOUT: Duration = Duration::from_millis(500);
    const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    let server = Server::new(|path| match path {
        "/answer" => Reply::Hang(String::new()),
        "/head" => Reply::Drip("HTTP/1.1 200 OK\r\nX: ".into()),
        "/body" => Reply::Hang(HEAD.into()),
        "/drip" => Reply::Drip(format!("{HEAD}ffffff\r\n")),
        "/flood" => Reply::Drip("HTTP/1.1 200 OK\r\n\r\nabc".into()),
        other => redirect(302, other),
    })
    .await;
    let (full, _queue) = full_listener().await;
    for (url, status, kept) in [
        (format!("http://{full}/"), None, ""),
        (server.url("/answer"), None, ""),
        (server.url("/head"), None, ""),
        (server.url("/body"), Some(200), "abc"),
        (server.url("/drip"), Some(200), "abc"),
        (server.url("/flood"), Some(200), "abc"),
    ] {
        let end = run(request(get(&url)).timeout(TIMEOUT)).await;
        assert_eq!(
            (end.ended, end.http_status),
            (Ended::TimedOut, status),
            "{url}: {}",
            detail(&end)
        );
        assert!(text(&end).starts_with(kept), "{url}: {}", text(&end));
        assert!(detail(&end).contains("within 500ms"), "{}", detail(&end));
    }
}

/// A port that takes no connection any more, because as many wait there as may.
async fn full_listener() -> (SocketAddr, impl Drop) {
    struct Queue(#[expect(dead_code, reason = "kept open")] Vec<Box<dyn std::any::Any>>);
    impl Drop for Queue {
        fn drop(&mut self) {}
    }
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue: Vec<Box<dyn std::any::Any>> = vec![Box::new(listener)];
    for _ in 0..20 {
        match tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
            Ok(stream) => queue.push(Box::new(stream.unwrap())),
            Err(_) => return (address, Queue(queue)),
        }
    }
    panic!("the listener takes every connection");
}

#[tokio::test]
async fn of_a_huge_answer_only_the_ends_are_kept_and_an_endless_one_is_not_heard_out() {
    let server = Server::new(|path| match path {
        "/huge" => ok(&format!("begin{}end", "x".repeat(5_000_000))),
        _ => Reply::Flood("HTTP/1.1 200 OK\r\n\r\nbegin".into(), "x".into()),
    })
    .await;
    let end = run(request(get(&server.url("/huge")))).await;
    assert_eq!((end.ended, end.output.total), (Ended::Success, 5_000_008));
    assert!(end.output.head.starts_with(b"begin") && end.output.tail.ends_with(b"end"));
    assert_eq!(end.output.head.len() + end.output.tail.len(), 64 * 1024);
    let end = run(request(get(&server.url("/huge"))).keep(6)).await;
    assert_eq!(
        (&*end.output.head, &*end.output.tail),
        (&b"beg"[..], &b"end"[..])
    );
    let end = run(request(get(&server.url("/huge"))).keep(10 << 20)).await;
    assert!(!end.output.is_truncated());
    let end = run(request(get(&server.url("/endless")))).await;
    assert_eq!(end.ended, Ended::Success);
    assert!(end.output.total < 20 * 1024 * 1024, "{}", end.output.total);
}

fn following(url: &str, method: &str) -> Http {
    let mut http = get(url);
    http.follow_redirects = true;
    http.method = method.into();
    http
}

#[tokio::test]
async fn redirects_are_followed_as_browsers_do_and_not_for_ever() {
    let server = Server::new(|path| match path.trim_start_matches('/').split_once('/') {
        Some(("loop", _)) => redirect(302, &format!("{path}/x")),
        Some(("self", _)) => redirect(301, path),
        Some((status, "")) => redirect(status.parse().unwrap(), "/end"),
        Some(("to", "file")) => redirect(302, "file:///etc/passwd"),
        Some(("to", "metadata")) => redirect(302, "http://169.254.169.254/latest/meta-data"),
        Some(("to", "mapped")) => redirect(307, "http://[::ffff:a9fe:a9fe]/latest"),
        Some(("to", "nothing")) => answer("302 Found", "", "no location"),
        _ => ok("arrived"),
    })
    .await;
    for (method, status, arrives) in [
        ("GET", 301, "GET /end \n"),
        ("POST", 301, "GET /end \n"),
        ("POST", 302, "GET /end \n"),
        ("PUT", 302, "PUT /end \nhello"),
        ("POST", 303, "GET /end \n"),
        ("PUT", 303, "GET /end \n"),
        ("POST", 307, "POST /end \nhello"),
        ("PUT", 308, "PUT /end \nhello"),
    ] {
        let mut http = following(&server.url(&format!("/{status}/")), method);
        if method != "GET" {
            http.body = Body::Text(Text::plain("hello"));
        }
        let end = run(request(http)).await;
        assert_eq!(
            (end.ended, text(&end).as_str()),
            (Ended::Success, "arrived"),
            "{method} {status}"
        );
        let last = server.requests().pop().unwrap();
        let (head, body) = last.split_once("\r\n\r\n").unwrap();
        assert_eq!(
            format!("{}\n{body}", head.split("HTTP").next().unwrap()),
            arrives,
            "{method} {status}"
        );
    }
    for (path, reason, status, said) in [
        ("/loop/", Reason::Http, 302, "redirects more than 10 times"),
        ("/self/", Reason::Http, 301, "redirects more than 10 times"),
        ("/to/file", Reason::Http, 302, "redirects to file:"),
        ("/to/metadata", Reason::Setup, 302, "169.254.169.254"),
        ("/to/mapped", Reason::Setup, 307, "credentials"),
        ("/to/nothing", Reason::Http, 302, "answered 302 Found"),
    ] {
        let end = run(request(following(&server.url(path), "GET"))).await;
        assert_eq!(
            (end.ended, end.http_status),
            (Ended::Failed(reason), Some(status)),
            "{path}"
        );
        assert!(detail(&end).contains(said), "{path}: {}", detail(&end));
    }
}

#[tokio::test]
async fn another_host_gets_no_secret_by_a_redirect() {
    let other = Server::new(|_| ok("arrived")).await;
    let address = other.url("/end");
    let server = Server::new(move |path| match path {
        "/302" => redirect(302, &address),
        "/307" => redirect(307, &address),
        "/same" => redirect(302, "/end"),
        _ => ok("arrived"),
    })
    .await;
    let with_headers = |path: &str| {
        let mut http = following(&server.url(path), "GET");
        http.headers = vec![
            ("Authorization".into(), Text::plain("Bearer fixed")),
            ("Cookie".into(), Text::plain("a=b")),
            ("X-Key".into(), token("")),
            ("X-Plain".into(), Text::plain("plain")),
        ];
        http
    };
    assert_eq!(
        run_with_secret(with_headers("/302"), "sesame").await.ended,
        Ended::Success
    );
    let there = other.requests().pop().unwrap();
    for name in ["Authorization", "Cookie", "X-Key"] {
        assert_eq!(header(&there, name), None, "{there}");
    }
    assert_eq!(header(&there, "X-Plain"), Some("plain"));
    assert_eq!(
        run_with_secret(with_headers("/same"), "sesame").await.ended,
        Ended::Success
    );
    let here = server.requests().pop().unwrap();
    assert_eq!(header(&here, "X-Key"), Some("sesame"));
    let mut http = following(&server.url("/307"), "POST");
    http.body = Body::Form(vec![("key".into(), token(""))]);
    let end = run_with_secret(http, "sesame").await;
    assert_eq!(end.ended, Ended::Failed(Reason::Http));
    assert!(
        detail(&end).contains("the body holds a secret"),
        "{}",
        detail(&end)
    );
    assert_eq!(other.requests().len(), 1);
}

#[tokio::test]
async fn no_value_breaks_out_of_a_header() {
    let server = Server::new(|_| ok("")).await;
    for value in ["a\r\nX-Evil: 1", "a\nb", "a\0b", "a\x1bb", "a\x7fb"] {
        let mut http = get(&server.url("/"));
        http.headers = vec![("X-Key".into(), token(""))];
        let end = run_with_secret(http, value).await;
        assert_eq!(end.ended, Ended::Failed(Reason::Setup), "{value:?}");
        assert!(
            detail(&end).contains("the header X-Key holds a line break"),
            "{}",
            detail(&end)
        );
    }
    for (name, said) in [
        ("X Y", "characters"),
        ("X\r\n", "characters"),
        ("Content-Length", "elder itself"),
    ] {
        let mut http = get(&server.url("/"));
        http.headers = vec![(name.into(), Text::plain("1"))];
        let end = run(request(http)).await;
        assert_eq!(end.ended, Ended::Failed(Reason::Setup), "{name:?}");
        assert!(detail(&end).contains(said), "{}", detail(&end));
    }
    for method in ["GET / HTTP/1.1\r\nX: ", "", "CONNECT"] {
        let end = run(request(following(&server.url("/"), method))).await;
        assert_eq!(end.ended, Ended::Failed(Reason::Setup), "{method:?}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn secrets_do_not_come_back_in_outputs_and_messages() {
    let server = Server::new(|path| match path {
        "/echo" => ok("your token: open-sesame, b3Blbi1zZXNhbWU="),
        _ => redirect(302, "/open-sesame/end"),
    })
    .await;
    let end = run_with_secret(get(&server.url("/echo")), "open-sesame").await;
    assert_eq!(text(&end), "your token: ***, ***");
    let mut http = get("");
    http.url = token(&server.url("/x?key="));
    let end = run_with_secret(http, "open-sesame").await;
    assert!(
        detail(&end).contains("/x?key=${secrets.TOKEN}"),
        "{}",
        detail(&end)
    );
    assert!(detail(&end).contains("to /***/end"), "{}", detail(&end));
    assert!(!detail(&end).contains("sesame"));
    assert!(
        server
            .requests()
            .pop()
            .unwrap()
            .contains("/x?key=open-sesame")
    );
    let missing = run(request(get(&server.url("/echo"))).context(|context| {
        context.secrets = vec![("TOKEN".into(), SecretSource::Env("NOT_SET".into()))];
    }));
    let end = missing.await;
    assert_eq!(end.ended, Ended::Failed(Reason::Setup));
    assert!(detail(&end).contains("secret TOKEN: NOT_SET is not set"));
}

#[tokio::test]
async fn a_stopped_request_is_given_up() {
    for stop in [Stop::Gracefully, Stop::Now] {
        let server = Server::new(|_| Reply::Hang(String::new())).await;
        let (attempt, stopper) = request(get(&server.url("/"))).attempt();
        let running = tokio::spawn(
            runner_with(&[], Client::new(Egress::default()).unwrap()).attempt(attempt),
        );
        tokio::time::timeout(LONG, async {
            while server.requests().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
        stopper.send(stop).unwrap();
        let end = tokio::time::timeout(LONG, running).await.unwrap().unwrap();
        assert_eq!(end.ended, Ended::Stopped);
    }
}

#[tokio::test]
async fn without_authorities_http_works_and_https_says_what_is_missing() {
    let server = Server::new(|_| ok("")).await;
    for (url, ended, said) in [
        (server.url("/"), Ended::Success, ""),
        (
            "https://127.0.0.1:1/".to_owned(),
            Ended::Failed(Reason::Setup),
            "install ca-certificates",
        ),
    ] {
        let (attempt, _stop) = request(get(&url)).attempt();
        let end = runner_with(&[], Client::without_authorities())
            .attempt(attempt)
            .await;
        assert_eq!(end.ended, ended);
        assert!(detail(&end).contains(said), "{}", detail(&end));
    }
}
