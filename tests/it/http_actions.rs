//! `http` jobs by the real binary: waiting as long as a server asks, signatures, certificates, `--egress`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::shipped::{ask, copied, last_run};
use crate::support::{Daemon, Folder, StandIn, elder, until};

fn answer(status: &str, headers: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n")
}

fn instant(run: &Value, key: &str) -> jiff::Timestamp {
    run[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key}: {run}"))
        .parse()
        .unwrap()
}

#[test]
fn a_server_that_asks_for_time_gets_it_and_the_run_says_until_when() {
    const ASKED: Duration = Duration::from_secs(2);
    let times = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&times);
    let target = StandIn::start_raw(move |request| {
        if request.line.contains("/bounded") {
            return answer("503 Busy", "Retry-After: 86400\r\n");
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "what is measured is the time outside"
        )]
        let now = Instant::now();
        let mut seen = seen.lock().unwrap();
        seen.push(now);
        match seen.len() {
            1 => answer("429 Slow down", "Retry-After: 2\r\n"),
            _ => answer("200 OK", ""),
        }
    });
    let folder = Folder::new();
    let url = target.url();
    folder.write(
        "jobs.d/a.yaml",
        &format!(
            "jobs:\n  patient: {{ schedule: manual, http: \"{url}/\", retry: {{ max: 1, backoff: 1ms }} }}\n  bounded: {{ schedule: manual, http: \"{url}/bounded\", retry: {{ max: 1, backoff: 1ms, max_backoff: 300ms }} }}\n"
        ),
    );
    let daemon = Daemon::start(&folder);
    let id = daemon.post("/api/v1/jobs/patient/run", "").json()["run_id"].clone();
    let path = format!("/api/v1/runs/{}", id.as_str().unwrap());
    let waiting = until("the run waits", || {
        let run = daemon.get(&path).json();
        (run["state"] == "waiting").then_some(run)
    });
    let wait = instant(&waiting, "next_attempt_at").duration_since(instant(&waiting, "started_at"));
    assert!(wait.unsigned_abs() >= ASKED, "{waiting}");
    assert!(
        waiting["detail"]
            .to_string()
            .contains("429 Too Many Requests; it asks to be left alone for 2s"),
        "{waiting}"
    );
    let run = until("the run is over", || {
        let run = daemon.get(&path).json();
        (run["state"] == "done").then_some(run)
    });
    assert_eq!(
        (&run["outcome"], &run["attempt"]),
        (&"success".into(), &2.into())
    );
    let times = times.lock().unwrap().clone();
    assert!(times[1] - times[0] >= ASKED, "{:?}", times[1] - times[0]);
    // A day is asked for, and the job's own bound is what it waits.
    let finished = ask(&daemon, &folder, "trigger bounded --wait");
    assert_eq!(finished.code, Some(1), "{finished}");
    assert_eq!(last_run(&daemon, "bounded")["attempt"], 2);
}

#[test]
fn where_requests_may_go_is_ruled_by_flag_and_variable() {
    for (line, variable, hint) in [
        ("run --egress private", None, "deny:private"),
        (
            "run --egress deny:10.0.0.0/33",
            None,
            "a number from 0 to 32",
        ),
        ("run --egress allow:all,deny:", None, "none of all, private"),
        ("run", Some("deny:shop.example"), "deny-host:shop.example"),
    ] {
        let folder = Folder::new();
        let mut program = elder(line).within(folder.path());
        if let Some(rules) = variable {
            program = program.env("ELDER_EGRESS", rules);
        }
        let finished = program.run();
        assert_eq!(finished.code, Some(2), "{line}: {finished}");
        assert!(
            finished
                .stderr
                .contains(variable.map_or("--egress", |_| "ELDER_EGRESS"))
                && finished.stderr.contains(hint),
            "{finished}"
        );
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let target = StandIn::start(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        (200, "{}".to_owned())
    });
    let folder = Folder::new();
    let port = target.port();
    folder.write(
        "jobs.d/a.yaml",
        &format!(
            "jobs:\n  number: {{ schedule: manual, http: \"http://127.0.0.1:{port}/\" }}\n  name: {{ schedule: manual, http: \"http://localhost:{port}/\" }}\n"
        ),
    );
    let rules = "allow-host:localhost, deny:loopback";
    for by_flag in [true, false] {
        let daemon = Daemon::start_with(&folder, |program| match by_flag {
            true => program.arg("--egress").arg(rules),
            false => program.env("ELDER_EGRESS", rules),
        });
        daemon.wait_until_ready();
        let before = asked.load(Ordering::Relaxed);
        let finished = ask(&daemon, &folder, "trigger number --wait");
        assert_eq!(finished.code, Some(1), "{finished}");
        let run = last_run(&daemon, "number");
        assert_eq!(
            (&run["outcome"], &run["reason"]),
            (&"failed".into(), &"setup".into())
        );
        let detail = run["detail"].to_string();
        assert!(
            detail.contains("elder runs with --egress deny:loopback"),
            "{run}"
        );
        assert_eq!(
            asked.load(Ordering::Relaxed),
            before,
            "no connection was made"
        );
        let finished = ask(&daemon, &folder, "trigger name --wait");
        assert_eq!(finished.code, Some(0), "{finished}");
        assert_eq!(asked.load(Ordering::Relaxed), before + 1);
    }
}

/// HMAC-SHA256 by its definition (RFC 2104): not the code that signs.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    assert!(key.len() <= 64);
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::digest([&block.map(|byte| byte ^ 0x36)[..], message].concat());
    Sha256::digest([&block.map(|byte| byte ^ 0x5c)[..], &inner[..]].concat()).to_vec()
}

#[test]
fn the_example_of_a_signed_webhook_is_signed_as_a_receiver_checks_it() {
    const KEY: &[u8] = b"24 bytes of randomness..";
    let target = StandIn::start(|_| (503, String::new()));
    let folder = copied("examples/signed-webhook");
    let jobs = folder.read("jobs.d/jobs.yaml");
    let quick = "retry: { max: 1, backoff: 1ms }";
    let jobs = jobs.replace("retry: { max: 5, backoff: 10s, max_backoff: 10m }", quick);
    assert!(jobs.contains(quick), "{jobs}");
    folder.write("jobs.d/jobs.yaml", &jobs);
    let secret = format!("whsec_{}\n", STANDARD.encode(KEY));
    folder.write("jobs.d/hook-secret", &secret);
    let daemon = Daemon::start_with(&folder, |program| {
        program.env("RECEIVER_URL", &target.url())
    });
    daemon.wait_until_ready();
    let finished = ask(&daemon, &folder, "trigger order-summary --wait");
    assert_eq!(finished.code, Some(1), "the receiver refuses: {finished}");
    let run = last_run(&daemon, "order-summary");
    let seen = target.seen();
    assert_eq!(seen.len(), 2, "{seen:?}");
    for request in &seen {
        let header = |name| {
            request
                .header(name)
                .unwrap_or_else(|| panic!("no {name}: {request:?}"))
        };
        let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
        assert_eq!(
            id,
            run["run_id"].as_str().unwrap(),
            "the same for all attempts"
        );
        let age = instant(&run, "finished_at").as_second() - at.parse::<i64>().unwrap();
        assert!((0..300).contains(&age), "{age} s old");
        let signed = format!("{id}.{at}.{}", request.body);
        let want = STANDARD.encode(hmac(KEY, signed.as_bytes()));
        assert_eq!(header("webhook-signature"), format!("v1,{want}"));
    }
    let whole = format!("{run} {:?}", daemon.log());
    assert!(!whole.contains(secret.trim()), "{whole}");
}

/// An authority, a server's certificate by it and a client's, all as PEM.
struct Certificates {
    authority: String,
    server: (String, String),
    client: (String, String),
}

impl Certificates {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "partner");
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let pair = |name: &str| {
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            let key = KeyPair::generate().unwrap();
            (
                params.signed_by(&key, &issuer).unwrap().pem(),
                key.serialize_pem(),
            )
        };
        Self {
            authority,
            server: pair("127.0.0.1"),
            client: pair("elder"),
        }
    }

    /// A server that asks who is there; where it listens.
    fn serve(&self) -> String {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate(&self.authority)).unwrap();
        let asks = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
        let key = PrivateKeyDer::from_pem_slice(self.server.1.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(asks.build().unwrap())
            .with_single_cert(vec![certificate(&self.server.0)], key);
        let config = Arc::new(config.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(config.clone()).unwrap();
                let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
                if stream.read(&mut [0; 4096]).is_ok() {
                    let _ = stream.write_all(answer("200 OK", "").as_bytes());
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                }
            }
        });
        url
    }
}

#[test]
fn the_example_with_certificates_is_believed_and_believes_no_one_else() {
    let certificates = Certificates::new();
    let folder = copied("examples/signed-webhook");
    let url = certificates.serve();
    let daemon = Daemon::start_with(&folder, |program| program.env("PARTNER_URL", &url));
    daemon.wait_until_ready();
    let run = |want: i32| {
        let finished = ask(&daemon, &folder, "trigger partner-report --wait");
        assert_eq!(finished.code, Some(want), "{finished}");
        last_run(&daemon, "partner-report")
    };
    let missing = run(1);
    assert_eq!(missing["reason"], "setup", "{missing}");
    let detail = missing["detail"].to_string();
    assert!(
        detail.contains("tls.ca: ") && detail.contains("partner-ca.pem: ENOENT"),
        "{missing}"
    );

    let (client, key) = &certificates.client;
    folder.write("jobs.d/partner-ca.pem", &certificates.authority);
    folder.write("jobs.d/client.pem", client);
    folder.write("jobs.d/client.key", key);
    assert_eq!(run(0)["http_status"], 200);

    let strangers = Certificates::new();
    folder.write("jobs.d/partner-ca.pem", &strangers.authority);
    let jobs = folder
        .read("jobs.d/jobs.yaml")
        .replace("retry: 2", "retry: 0");
    folder.write("jobs.d/jobs.yaml", &jobs);
    let refused = until("another authority is not believed", || {
        let run = run(1);
        (run["attempt"] == 1).then_some(run)
    });
    assert_eq!(refused["reason"], "connect", "{refused}");
    assert!(refused["detail"].to_string().contains("TLS: "), "{refused}");
}
