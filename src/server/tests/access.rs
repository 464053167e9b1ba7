//! Who may: every route, every method, every kind of caller.

use super::super::auth::{Need, hash_token};
use super::super::routes::{PREFIXES, ROUTES};
use super::super::{Auth, BindError, Config, Parts, Public, bind, hex};
use super::events::Follower;
use super::harness::{Reply, Server};
use crate::model::AuditResult;

const METHODS: [&str; 8] = [
    "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "BREW",
];

/// Every path that there is, and some that there are not.
fn paths() -> Vec<(String, Option<Need>)> {
    let mut paths = Vec::new();
    for route in ROUTES {
        for path in route.paths() {
            paths.push((path.replace("{id}", "billing"), Some(route.need)));
        }
    }
    for nothing in [
        "/",
        "/docs",
        "/openapi.json",
        "/api/v1",
        "/jobs/a/unpause",
        "/%2e%2e/x",
        "//",
    ] {
        paths.push((nothing.to_owned(), None));
    }
    paths
}

fn is_public(need: Option<Need>) -> bool {
    matches!(need, Some(Need::Metrics | Need::Health))
}

/// Asks a route of the walk; of the one that ends with elder alone, the head is the answer.
async fn ask(server: &Server, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    match method == "GET" && path.ends_with("/events") {
        true => Follower::open(server, path, headers).await.reply(),
        false => server.send(method, path, headers, "").await,
    }
}

#[tokio::test]
async fn off_loopback_nothing_but_what_is_public_answers_without_a_token() {
    let server = Server::with("0.0.0.0:0", |_| {}, |_| {}).await;
    let mut asked = 0;
    for (path, need) in paths() {
        for method in METHODS {
            let reply = server.send(method, &path, &[], "").await;
            let safe = matches!(method, "GET" | "HEAD" | "OPTIONS");
            let open = is_public(need) && safe;
            assert_eq!(reply.status != 401, open, "{method} {path}: {reply:?}");
            for header in [
                (
                    "content-security-policy",
                    "default-src 'none'; frame-ancestors 'none'",
                ),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("x-frame-options", "DENY"),
            ] {
                assert_eq!(reply.header(header.0), Some(header.1), "{method} {path}");
            }
            asked += 1;
        }
    }
    assert!(asked > ROUTES.len() * METHODS.len() * 2);
    assert!(server.engine.triggered.lock().unwrap().is_empty());
    assert!(server.requests.lock().unwrap().is_empty());
    assert!(server.store.backups.lock().unwrap().is_empty());
}

#[tokio::test]
async fn on_loopback_reads_are_open_and_every_write_needs_a_token() {
    let server = Server::start().await;
    for (path, need) in paths() {
        for method in METHODS {
            let reply = ask(&server, method, &path, &[]).await;
            let safe = matches!(method, "GET" | "HEAD" | "OPTIONS");
            let takes = ROUTES.iter().any(|route| {
                route
                    .paths()
                    .iter()
                    .any(|known| known.replace("{id}", "billing") == path)
                    && route.methods.iter().any(|known| {
                        known.as_str() == method || (method == "HEAD" && known == "GET")
                    })
            });
            match (safe, need) {
                (false, _) => assert_eq!(reply.status, 401, "{method} {path}"),
                (true, None) => assert_eq!(reply.status, 404, "{method} {path}"),
                // A read of a path that only takes writes is still its role's.
                (true, Some(Need::Operate | Need::Administer)) => {
                    assert_eq!(reply.status, 401, "{method} {path}");
                }
                (true, Some(_)) if takes => {
                    // The runs of a job, and a run, that are not there are 404; a preview of nothing is 400.
                    assert!(
                        matches!(reply.status, 200 | 404 | 400),
                        "{method} {path}: {reply:?}"
                    );
                }
                (true, Some(_)) => {
                    assert_eq!(reply.status, 405, "{method} {path}");
                    let known = ROUTES.iter().find(|route| {
                        let paths = route.paths();
                        let mut paths = paths.iter();
                        paths.any(|known| known.replace("{id}", "billing") == path)
                    });
                    let allow = match known.unwrap().methods {
                        [one] if one == "GET" => "GET, HEAD",
                        [_, _] => "GET, POST, HEAD",
                        _ => "POST",
                    };
                    assert_eq!(reply.header("allow"), Some(allow));
                }
            }
        }
    }
}

#[tokio::test]
async fn each_role_reaches_its_routes_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let line = |name: &str, more: &str| format!("{name} {name} {}{more}\n", hex(&hash_token(name)));
    let text = format!(
        "{}{}{}old admin {} expires=2027-01-01T00:00:59Z\nfar admin {} networks=10.0.0.0/8\n",
        line("viewer", ""),
        line(
            "operator",
            " networks=127.0.0.0/8 expires=2027-01-01T00:01:01Z"
        ),
        line("admin", ""),
        hex(&hash_token("old")),
        hex(&hash_token("far")),
    );
    std::fs::write(&file, text).unwrap();
    let server = Server::with(
        "0.0.0.0:0",
        |config| config.tokens = Some(file.clone()),
        |_| {},
    )
    .await;
    let rank = |need| match need {
        Need::Metrics | Need::Health | Need::Read => 0,
        Need::Operate => 1,
        Need::Administer => 2,
    };
    let roles = [("viewer", 0), ("operator", 1), ("admin", 2)];
    for route in ROUTES {
        for path in route.paths() {
            let path = path.replace("{id}", "billing");
            let method = route.methods[0].as_str();
            for (token, has) in roles {
                let bearer = format!("Bearer {token}");
                let reply = ask(&server, method, &path, &[("Authorization", &bearer)]).await;
                let refused = has < rank(route.need);
                assert_eq!(
                    reply.status == 403,
                    refused,
                    "{token} {method} {path}: {reply:?}"
                );
                assert_ne!(reply.status, 401, "{token} {method} {path}");
            }
            if is_public(Some(route.need)) {
                continue;
            }
            for bad in [
                "Bearer old",
                "Bearer far",
                "Bearer nobody",
                "Bearer",
                "Basic admin",
                "Bearer ",
            ] {
                let reply = ask(&server, method, &path, &[("Authorization", bad)]).await;
                assert_eq!(reply.status, 401, "{bad} {method} {path}");
                assert_eq!(
                    reply.header("www-authenticate"),
                    Some("Bearer realm=\"elder\"")
                );
            }
        }
    }
    // An expiry is looked at with each request.
    let operator = [("Authorization", "Bearer operator")];
    assert_eq!(server.send("GET", "/jobs", &operator, "").await.status, 200);
    server.clock.advance(std::time::Duration::from_secs(2));
    assert_eq!(server.send("GET", "/jobs", &operator, "").await.status, 401);
}

#[tokio::test]
async fn an_operator_reloads_and_only_an_admin_prunes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    std::fs::write(&file, format!("ci operator {}\n", hex(&hash_token("ci")))).unwrap();
    let server = Server::with("127.0.0.1:0", |config| config.tokens = Some(file), |_| {}).await;
    let headers = [
        ("Authorization", "Bearer ci"),
        ("Content-Type", "application/json"),
    ];
    for (body, want) in [("", 503), ("{}", 503), (r#"{"prune": true}"#, 403)] {
        for path in ["/-/reload", "/api/v1/config/sync"] {
            let reply = server.send("POST", path, &headers, body).await;
            assert_eq!(reply.status, want, "{body}");
        }
    }
    assert_eq!(*server.requests.lock().unwrap(), vec![None; 4]);
}

#[tokio::test]
async fn whoever_is_refused_a_write_stands_in_the_trail_by_name_whatever_was_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let line = |name: &str, role: &str| format!("{name} {role} {}\n", hex(&hash_token(name)));
    std::fs::write(&file, line("eve", "viewer") + &line("ops", "operator")).unwrap();
    let server = Server::with("127.0.0.1:0", |config| config.tokens = Some(file), |_| {}).await;
    let long = "x".repeat(2 << 20);
    let pause = "/jobs/billing/pause";
    for (bearer, method, path, kind, body, status, want) in [
        ("eve", "POST", pause, "json", "", 403, ("eve", "role")),
        (
            "nobody",
            "POST",
            pause,
            "json",
            "",
            401,
            ("anonymous", "token"),
        ),
        (
            "ops",
            "POST",
            pause,
            "text",
            "{}",
            415,
            ("ops", "media-type"),
        ),
        (
            "ops",
            "POST",
            pause,
            "json",
            &*long,
            413,
            ("ops", "too-large"),
        ),
        ("ops", "PUT", pause, "json", "", 405, ("ops", "method")),
        ("ops", "POST", "/stop", "json", "", 403, ("ops", "role")),
    ] {
        let (bearer, kind) = (format!("Bearer {bearer}"), format!("application/{kind}"));
        let headers = [("Authorization", &*bearer), ("Content-Type", &*kind)];
        let reply = server.send(method, path, &headers, body).await;
        assert_eq!(reply.status, status, "{bearer} {path}: {reply:?}");
        let row = server.store.trail.lock().unwrap().pop().unwrap();
        let (actor, why) = (&*row.actor, row.detail.as_deref().unwrap());
        assert_eq!((actor, why), want, "{bearer} {path}");
        assert_eq!(row.result, AuditResult::Refused);
    }
    assert!(server.store.trail.lock().unwrap().is_empty());
}

#[tokio::test]
async fn tokens_are_read_anew_when_asked_and_a_bad_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let line = |token: &str| format!("x viewer {}\n", hex(&hash_token(token)));
    std::fs::write(&file, line("one")).unwrap();
    let server = Server::with(
        "0.0.0.0:0",
        |config| config.tokens = Some(file.clone()),
        |_| {},
    )
    .await;
    let status = async |token: &str| {
        let bearer = format!("Bearer {token}");
        server
            .send("GET", "/stats", &[("Authorization", &bearer)], "")
            .await
            .status
    };
    assert_eq!((status("one").await, status("two").await), (200, 401));
    std::fs::write(&file, line("two")).unwrap();
    assert_eq!(server.tokens.reread().unwrap(), Some(1));
    assert_eq!((status("one").await, status("two").await), (401, 200));
    std::fs::write(&file, "x root abc").unwrap();
    let error = server.tokens.reread().unwrap_err().to_string();
    assert!(error.contains("tokens:1: \"root\" is no role"), "{error}");
    assert_eq!(status("two").await, 200);
    assert_eq!(status(&server.token).await, 200, "elder's own token stays");
}

#[tokio::test]
async fn what_is_public_is_what_was_said() {
    let none = Public {
        metrics: false,
        health: false,
    };
    let server = Server::with("0.0.0.0:0", |config| config.public = none, |_| {}).await;
    for path in ["/metrics", "/healthz", "/readyz", "/-/healthy", "/-/ready"] {
        assert_eq!(server.get(path).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn a_wrong_host_is_refused_everywhere_but_on_public_paths() {
    let server = Server::with(
        "127.0.0.1:0",
        |config| config.allowed_hosts = vec!["elder.example".into()],
        |_| {},
    )
    .await;
    let evil = [("Host", "evil.example:80")];
    for (path, need) in paths() {
        let reply = server.send("GET", &path, &evil, "").await;
        let want_refusal = !is_public(need);
        assert_eq!(reply.status == 421, want_refusal, "{path}: {reply:?}");
    }
    let allowed = [("Host", "elder.example")];
    assert_eq!(server.send("GET", "/jobs", &allowed, "").await.status, 200);
    let local = format!("localhost:{}", server.port());
    assert_eq!(
        server
            .send("GET", "/jobs", &[("Host", &local)], "")
            .await
            .status,
        200
    );
    let none = server.raw(b"GET /jobs HTTP/1.0\r\n\r\n").await;
    assert_eq!(none.status, 400);
}

#[tokio::test]
async fn a_page_of_another_site_writes_nothing_even_with_a_token() {
    let server = Server::start().await;
    let bearer = format!("Bearer {}", server.token);
    for route in ROUTES.iter().filter(|route| route.methods[0] != "GET") {
        for path in route.paths() {
            let path = path.replace("{id}", "billing");
            for bad in [
                ("Sec-Fetch-Site", "cross-site"),
                ("Sec-Fetch-Site", "same-site"),
                ("Origin", "https://evil.example"),
                ("Origin", "null"),
            ] {
                let headers = [("Authorization", bearer.as_str()), bad];
                let reply = server.send("POST", &path, &headers, "").await;
                assert_eq!(
                    (reply.status, reply.problem()),
                    (403, "origin".into()),
                    "{path}"
                );
            }
        }
    }
    let origin = format!("http://127.0.0.1:{}", server.port());
    let own = [
        ("Authorization", bearer.as_str()),
        ("Origin", origin.as_str()),
    ];
    let reply = server
        .send("POST", "/api/v1/jobs/billing/run", &own, "")
        .await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn without_auth_loopback_is_open_but_not_to_other_sites() {
    let server = Server::with("127.0.0.1:0", |config| config.auth = Auth::None, |_| {}).await;
    assert_eq!(server.token_file, None);
    for prefix in PREFIXES {
        let path = format!("{prefix}/jobs/billing/run");
        assert_eq!(
            server.send("POST", &path, &[], "").await.status,
            200,
            "{path}"
        );
    }
    let evil = [("Origin", "https://evil.example")];
    assert_eq!(
        server
            .send("POST", "/jobs/billing/run", &evil, "")
            .await
            .status,
        403
    );
    let rebound = [("Host", "evil.example")];
    assert_eq!(
        server
            .send("POST", "/jobs/billing/run", &rebound, "")
            .await
            .status,
        421
    );
}

fn parts() -> Parts {
    use crate::telemetry::{JobMetrics, Options, Telemetry};
    let now = crate::telemetry::example::instant("2027-01-01T00:00:00Z");
    Parts {
        engine: crate::engine::Handle::pair().0,
        sync: crate::sync::SyncHandle::pair(super::harness::synced()).0,
        store: std::sync::Arc::new(super::harness::Rows::default()),
        telemetry: std::sync::Arc::new(Telemetry::new(Options {
            job_metrics: JobMetrics::Off,
            version: "0".into(),
            started_at: now,
        })),
        observer: std::sync::Arc::new(crate::model::NoObserver),
        live: crate::action::Live::default(),
        feed: std::sync::Arc::new(crate::telemetry::feed::Feed::new(
            jiff::Timestamp::UNIX_EPOCH,
        )),
        clock: std::sync::Arc::new(crate::clock::HandClock::new(now)),
        terms: std::sync::Arc::new(super::harness::terms),
        stop: std::sync::Arc::default(),
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    let taken = server.address.to_string();
    let refused = async |listen: &str, change: fn(&mut Config)| {
        let mut config = Config::new(listen, folder.path());
        config.xdg_runtime_dir = Some(folder.path().to_owned());
        change(&mut config);
        match bind(config, parts()).await {
            Ok(bound) => panic!("{listen} was bound at {}", bound.address),
            Err(error) => error,
        }
    };
    let error = refused(&taken, |_| {}).await;
    assert!(matches!(error, BindError::Taken { .. }));
    assert!(error.to_string().contains("is in use"), "{error}");
    let error = refused("0.0.0.0:0", |config| config.auth = Auth::None).await;
    assert!(matches!(error, BindError::Open { .. }), "{error}");
    let error = refused("8000", |_| {}).await;
    assert!(matches!(error, BindError::BadAddress { .. }), "{error}");
    let error = refused("127.0.0.1:0", |config| {
        config.tokens = Some(config.state_dir.join("none"));
    })
    .await;
    assert!(matches!(error, BindError::Tokens(_)), "{error}");
}

#[tokio::test]
async fn elders_own_token_is_where_the_command_line_looks_and_goes_with_the_server() {
    let mut server = Server::start().await;
    let file = server.token_file.clone().unwrap();
    let folder = server.folder.path();
    let looked = super::super::token_path(server.port(), Some(folder), folder);
    assert_eq!(file, looked[0]);
    assert_eq!(server.post("/api/v1/optimize", "").await.status, 200);
    server.stop().await;
    assert!(!file.exists());
}
