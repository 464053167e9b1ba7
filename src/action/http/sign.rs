//! `sign`: the headers of Standard Webhooks, by which the other side knows that the body is elder's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use reqwest::header::{HeaderName, HeaderValue};
use ring::hmac;

use crate::model::Sign;

use super::super::failure::Failure;
use super::super::fill::Facts;
use super::request::Prepared;

pub(super) const ID: HeaderName = HeaderName::from_static("webhook-id");
pub(super) const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
pub(super) const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// What stands before a secret that is written in base64.
const BASE64: &str = "whsec_";
/// What stands before a secret of the other kind of signature, by key pair.
const KEY_PAIR: &str = "whsk_";

impl Prepared {
    /// Signs the request, whose body is complete: `webhook-id` is the run, the same for all its attempts.
    pub(super) fn sign(
        &mut self,
        sign: &Sign,
        facts: &Facts<'_>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let mut keys = Vec::with_capacity(sign.secrets.len());
        for secret in &sign.secrets {
            keys.push(key(&facts.fill(secret)?)?);
        }
        let id = facts.attempt.run.to_string();
        let at = now.as_second();
        let body = self.body.as_deref().unwrap_or_default();
        let signature = signatures(&keys, &id, at, body);
        for (name, value) in [
            (ID, id),
            (TIMESTAMP, at.to_string()),
            (SIGNATURE, signature),
        ] {
            let value = HeaderValue::try_from(value)
                .map_err(|_| Failure::internal("the signature could not be written"))?;
            self.private.push(name.clone());
            self.headers.insert(name, value);
        }
        Ok(())
    }
}

/// One signature for each key, so that the other side may know the old secret or the new one.
fn signatures(keys: &[hmac::Key], id: &str, at: i64, body: &[u8]) -> String {
    let signed: Vec<_> = keys
        .iter()
        .map(|key| {
            let mut context = hmac::Context::with_key(key);
            context.update(format!("{id}.{at}.").as_bytes());
            context.update(body);
            format!("v1,{}", STANDARD.encode(context.sign()))
        })
        .collect();
    signed.join(" ")
}

fn key(secret: &str) -> Result<hmac::Key, Failure> {
    let bad = |what: &str| Err(Failure::setup(format!("sign.secret {what}")));
    let bytes = match secret.strip_prefix(BASE64) {
        Some(encoded) => match STANDARD.decode(encoded.trim()) {
            Ok(bytes) => bytes,
            Err(_) => {
                return bad(
                    "begins with whsec_, and what follows is no base64: copy it again, with the = at its end",
                );
            }
        },
        None if secret.starts_with(KEY_PAIR) => {
            return bad(
                "begins with whsk_: that is the key of another kind of signature; this needs a shared secret (whsec_…)",
            );
        }
        None => secret.as_bytes().to_vec(),
    };
    if bytes.is_empty() {
        return bad("is empty: anybody could sign with that");
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(secrets: &[&str], id: &str, at: i64, body: &str) -> String {
        let keys: Vec<_> = secrets.iter().map(|secret| key(secret).unwrap()).collect();
        signatures(&keys, id, at, body.as_bytes())
    }

    #[test]
    fn a_bad_secret_is_told_apart_from_a_good_one() {
        for (secret, said) in [
            ("", "is empty"),
            ("whsec_", "is empty"),
            ("whsec_!!", "no base64"),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "no base64"),
            ("whsk_6Xb", "shared secret"),
        ] {
            let failure = key(secret).unwrap_err();
            assert_eq!(failure.reason, crate::model::Reason::Setup);
            assert!(failure.message.contains(said), "{secret}: {failure:?}");
            assert!(!failure.message.contains("MfKQ"), "{failure:?}");
        }
    }

    /// What the reference implementation makes of the same (standardwebhooks 1.0 for Python);
    /// the first two are the examples of its own tests and of the specification's authors.
    #[test]
    fn signatures_are_those_of_the_reference_implementation() {
        for (secret, id, at, body, want) in [
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                "{\"test\": 2432232314}",
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                "{\"email\":\"test@example.com\",\"username\":\"test_user\"}",
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
            (
                "raw secret ü",
                "msg_1",
                1_614_265_330,
                "",
                "v1,RipLNQQvHZuQkNZLb6Rf5yDPIcXpNH4TvJtZNRybFes=",
            ),
        ] {
            assert_eq!(signed(&[secret], id, at, body), want, "{secret}");
        }
    }

    #[test]
    fn each_secret_gives_a_signature_of_its_own() {
        let one = signed(&["new"], "id", 7, "body");
        let two = signed(&["old"], "id", 7, "body");
        assert_ne!(one, two);
        let both = signed(&["new", "old"], "id", 7, "body");
        assert_eq!(both, format!("{one} {two}"));
        // Id, time and body are all signed.
        for other in [
            signed(&["new"], "ie", 7, "body"),
            signed(&["new"], "id", 8, "body"),
            signed(&["new"], "id", 7, "bodz"),
        ] {
            assert_ne!(one, other);
        }
    }
}
