//! Signed requests, checked as a receiver would.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::model::Sign;

/// HMAC-SHA256 by its definition (RFC 2104), from the hash alone: what signs uses other code.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    if key.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::digest([&block.map(|byte| byte ^ 0x36)[..], message].concat());
    let outer = [&block.map(|byte| byte ^ 0x5c)[..], &inner[..]].concat();
    Sha256::digest(outer).to_vec()
}

/// Whether one of the request's signatures is of this key.
fn is_signed_with(request: &str, key: &[u8]) -> bool {
    let id = header(request, "webhook-id").unwrap();
    let at = header(request, "webhook-timestamp").unwrap();
    let body = request.split_once("\r\n\r\n").unwrap().1;
    let want = STANDARD.encode(hmac(key, format!("{id}.{at}.{body}").as_bytes()));
    let signatures = header(request, "webhook-signature").unwrap();
    signatures.split(' ').any(|one| one == format!("v1,{want}"))
}

fn signed(url: &str, secrets: Vec<Text>) -> Http {
    let mut http = get(url);
    http.method = "POST".into();
    http.body = Body::Json(Json::Object(vec![(
        "text".into(),
        Json::String(Text::plain("ü")),
    )]));
    http.sign = Some(Arc::new(Sign { secrets }));
    http
}

#[tokio::test]
async fn a_receiver_can_check_what_it_gets() {
    let server = Server::new(|_| ok("")).await;
    let long = "k".repeat(100);
    for (secret, key) in [
        (
            "whsec_MDEyMzQ1Njc4OWFiY2RlZg==",
            "0123456789abcdef".as_bytes(),
        ),
        ("MDEyMzQ1Njc4OWFiY2RlZg==", b"MDEyMzQ1Njc4OWFiY2RlZg=="),
        ("hunter2 ü", "hunter2 ü".as_bytes()),
        (&long, long.as_bytes()),
    ] {
        let end = run_with_secret(signed(&server.url("/"), vec![token("")]), secret).await;
        assert_eq!(end.ended, Ended::Success, "{}", detail(&end));
        let sent = server.requests().pop().unwrap();
        assert!(is_signed_with(&sent, key), "{secret}: {sent}");
        assert!(!is_signed_with(&sent, b"another"));
        assert_eq!(header(&sent, "webhook-timestamp"), Some("1798761600"));
    }
    // Without a body it is the empty one that is signed.
    let mut http = signed(&server.url("/"), vec![token("")]);
    http.body = Body::Empty;
    run_with_secret(http, "hunter2").await;
    assert!(is_signed_with(
        &server.requests().pop().unwrap(),
        b"hunter2"
    ));
}

#[tokio::test]
async fn while_a_secret_changes_the_old_and_the_new_are_both_good() {
    let server = Server::new(|_| ok("")).await;
    let secrets = vec![token(""), token("whsec_")];
    let end = run_with_secret(signed(&server.url("/"), secrets), "c2VzYW1lMTIz").await;
    assert_eq!(end.ended, Ended::Success, "{}", detail(&end));
    let sent = server.requests().pop().unwrap();
    assert!(is_signed_with(&sent, b"c2VzYW1lMTIz") && is_signed_with(&sent, b"sesame123"));
}

#[tokio::test]
async fn all_attempts_of_a_run_carry_the_same_id() {
    let server = Server::new(|_| ok("")).await;
    let runner = runner_with(&[("TOKEN", "x")], Client::new(Egress::default()).unwrap());
    for number in [1, 2] {
        let job = request(signed(&server.url("/"), vec![token("")])).context(|context| {
            context.secrets = vec![("TOKEN".into(), SecretSource::Env("TOKEN".into()))];
        });
        let (mut attempt, _stop) = job.attempt();
        attempt.attempt = number;
        let id = attempt.run.to_string();
        runner.attempt(attempt).await;
        let sent = server.requests().pop().unwrap();
        assert_eq!(header(&sent, "webhook-id"), Some(id.as_str()));
    }
}

#[tokio::test]
async fn a_secret_that_cannot_sign_fails_before_anything_is_sent() {
    let server = Server::new(|_| ok("")).await;
    for (secret, said) in [
        ("", "sign.secret is empty"),
        ("whsec_???", "no base64"),
        ("whsk_abcd", "another kind of signature"),
    ] {
        let end = run_with_secret(signed(&server.url("/"), vec![token("")]), secret).await;
        assert_eq!(end.ended, Ended::Failed(Reason::Setup), "{secret}");
        assert!(detail(&end).contains(said), "{}", detail(&end));
    }
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn a_redirect_keeps_the_signature_where_it_is_still_true() {
    let other = Server::new(|_| ok("")).await;
    let away = other.url("/end");
    let server = Server::new(move |path| match path {
        "/307" => redirect(307, "/end"),
        "/303" => redirect(303, "/end"),
        "/away" => redirect(307, &away),
        _ => ok(""),
    })
    .await;
    for (path, is_kept) in [("/307", true), ("/303", false), ("/away", false)] {
        let mut http = signed(&server.url(path), vec![token("")]);
        http.follow_redirects = true;
        let end = run_with_secret(http, "hunter2").await;
        assert_eq!(end.ended, Ended::Success, "{path}: {}", detail(&end));
        let last = if path == "/away" { &other } else { &server };
        let last = last.requests().pop().unwrap();
        assert_eq!(
            header(&last, "webhook-signature").is_some(),
            is_kept,
            "{path}"
        );
        if is_kept {
            assert!(is_signed_with(&last, b"hunter2"));
        }
    }
}
