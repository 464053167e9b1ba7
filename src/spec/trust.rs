//! `http.sign` and `http.tls`: how the two sides of a request know each other.

use std::sync::Arc;

use super::decode::{Decoder, Later, Scope};
use super::fields::{SIGN, TLS};
use super::limits;
use super::paths::{self, Home};
use super::tree::{Node, Span};
use crate::finding::Code;
use crate::model::{Action, Part, Sign, Tls};

/// `sign`
pub(super) fn sign<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Arc<Sign>> {
    let before = decoder.errors();
    let mut secrets = None;
    for (key, entry) in decoder.fields(&SIGN, node, Scope::Job)? {
        if key == "secret" && !entry.value.is_null() {
            secrets = Some(signing_secrets(decoder, &entry.value));
        }
    }
    if secrets.is_none() && decoder.errors() == before {
        decoder.report(
            Code::MissingKey,
            node.span,
            "`sign` has no `secret`",
            "write `secret: \"${secrets.NAME}\"`",
        );
    }
    let secrets = secrets??;
    (decoder.errors() == before).then(|| Arc::new(Sign { secrets }))
}

fn signing_secrets<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
) -> Option<Vec<crate::model::Text>> {
    let items = decoder.one_or_more("secret", node)?;
    if items.is_empty() || items.len() > limits::SIGNATURES {
        let message = format!(
            "`secret` has {} entries, and one to {} are taken",
            items.len(),
            limits::SIGNATURES
        );
        let help = "write the new secret and the one before it";
        decoder.report(Code::OutOfRange, node.span, &message, help);
        return None;
    }
    let mut secrets = Vec::with_capacity(items.len());
    for item in items {
        let text = decoder.template("secret", item, Later::RunAndSecrets)?;
        let refers = |part: &Part| matches!(part, Part::Secret(_));
        if !text.parts().iter().any(refers) {
            decoder.report(
                Code::BadHttp,
                item.span,
                "the secret to sign with must not stand in the file",
                "write `\"${secrets.NAME}\"`, and `secrets: { NAME: { file: PATH } }` beside `http`",
            );
            return None;
        }
        secrets.push(text);
    }
    Some(secrets)
}

/// `tls`
pub(super) fn tls<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    home: &Home,
) -> Option<Arc<Tls>> {
    let before = decoder.errors();
    let (mut ca, mut cert, mut key, mut insecure) = (None, None, None, None);
    for (name, entry) in decoder.fields(&TLS, node, Scope::Job)? {
        let node = &entry.value;
        if node.is_null() {
            continue;
        }
        let place = entry.key_span;
        match name {
            "ca" => ca = Some((paths::read(decoder, name, node, home), place)),
            "cert" => cert = Some((paths::read(decoder, name, node, home), place)),
            "key" => key = Some((paths::read(decoder, name, node, home), place)),
            "insecure" => insecure = decoder.flag(name, node).map(|flag| (flag, place)),
            _ => {}
        }
    }
    let half = match (&cert, &key) {
        (Some((_, place)), None) => Some((*place, "`cert` needs its `key`", "key")),
        (None, Some((_, place))) => Some((*place, "`key` needs its `cert`", "cert")),
        _ => None,
    };
    if let Some((place, message, other)) = half {
        let help = format!("write `{other}: PATH` beside it; both may be in one file");
        decoder.report(Code::MissingKey, place, message, &help);
    }
    if ca.is_none() && cert.is_none() && key.is_none() && insecure.is_none() {
        if decoder.errors() == before {
            let help = "write `ca: PATH`, `cert: PATH` with `key: PATH`, or remove it";
            decoder.report(Code::MissingKey, node.span, "`tls` says nothing", help);
        }
        return None;
    }
    if let (Some((true, place)), ca) = (insecure, &ca) {
        match ca {
            Some((_, ca)) => decoder.report(
                Code::NoEffect,
                *ca,
                "`ca` says nothing beside `insecure: true`, which believes everybody",
                "remove `insecure`",
            ),
            None => decoder.report(
                Code::Insecure,
                place,
                "anybody between elder and the target can read and change this request and its answer",
                "name the authority of the target's certificate: `ca: PATH`",
            ),
        }
    }
    if decoder.errors() > before {
        return None;
    }
    Some(Arc::new(Tls {
        ca: ca.and_then(|(path, _)| path),
        identity: cert
            .and_then(|(cert, _)| cert)
            .zip(key.and_then(|(key, _)| key)),
        insecure: insecure.is_some_and(|(flag, _)| flag),
    }))
}

/// What signs sets its headers: those of the job would be replaced without a word.
pub(super) fn check_signed(decoder: &mut Decoder<'_, '_>, action: &Action, job: Span) {
    const OWN: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let Action::Http(http) = action else {
        return;
    };
    if http.sign.is_none() {
        return;
    }
    for (name, _) in &http.headers {
        if OWN.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            let message = format!("the header `{name}` is what `sign` sets");
            decoder.report(Code::NoEffect, job, &message, "remove it from `headers`");
        }
    }
}
