//! `http`: a request that can be sent, or nothing.

use std::sync::Arc;

use super::decode::{Decoder, Later, Scope, is_json_number};
use super::fields::{EXPECT, HTTP};
use super::keys::layered;
use super::paths::Home;
use super::settings::{HttpSettings, Slot};
use super::tree::{Entry, Node, Scalar, Span, Style, Value, shorten};
use super::{address, trust};
use crate::finding::Code;
use crate::model::{Body, Expect, Json, Part, StatusSet, Text};

/// What only the job itself says of its request.
pub(super) struct Request {
    pub method: Arc<str>,
    pub url: Text,
    pub body: Body,
}

/// `http` in defaults.
pub(super) fn defaults<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    home: &Home,
) -> Option<HttpSettings> {
    if node.is_null() {
        return None;
    }
    let mut settings = HttpSettings::default();
    for (key, entry) in decoder.fields(&HTTP, node, Scope::Defaults)? {
        shared_key(decoder, &mut settings, key, entry, home);
    }
    Some(settings)
}

/// `http` in a job: an address, or a mapping.
pub(super) fn read<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    home: &Home,
) -> (Option<Request>, HttpSettings) {
    let mut settings = HttpSettings::default();
    // A sage tells, a job asks.
    let usual = if decoder.for_sage { "POST" } else { "GET" };
    if matches!(node.value, Value::Scalar(_)) {
        let request = address::read(decoder, node).map(|url| Request {
            method: decoder.shared.text(usual),
            url,
            body: Body::Empty,
        });
        return (request, settings);
    }
    let before = decoder.errors();
    let Some(fields) = decoder.fields(&HTTP, node, Scope::Job) else {
        return (None, settings);
    };
    let mut asked = None;
    let mut method = Some(decoder.shared.text(usual));
    let mut body = Body::Empty;
    let mut body_key: Option<(&str, Span)> = None;
    let mut has_url = false;
    let mut tls_key = None;
    for (key, entry) in fields {
        let node = &entry.value;
        // `json: null` sends `null`; elsewhere it returns to the built-in.
        if node.is_null()
            && !matches!(
                key,
                "json" | "query" | "headers" | "follow_redirects" | "expect" | "sign" | "tls"
            )
        {
            continue;
        }
        match key {
            "url" => {
                has_url = true;
                asked = address::read(decoder, node);
            }
            "method" => method = self::method(decoder, node),
            "body" | "json" | "form" => {
                if let Some((first, span)) = body_key {
                    let message =
                        format!("a request has one body, and here are `{first}` and `{key}`");
                    let mut problem = super::problem::Problem::new(
                        Code::BadHttp,
                        entry.key_span,
                        &message,
                        "remove one of the two",
                    );
                    problem.also = Some((span, "the first is here"));
                    decoder.note(problem);
                    continue;
                }
                body_key = Some((key, entry.key_span));
                if let Some(read) = self::body(decoder, key, node) {
                    body = read;
                }
            }
            _ => {
                if key == "tls" {
                    tls_key = Some(entry.key_span);
                }
                shared_key(decoder, &mut settings, key, entry, home);
            }
        }
    }
    if !has_url {
        decoder.report(
            Code::MissingKey,
            node.span,
            "`http` has no `url`",
            "write `url: https://…`",
        );
    }
    if let (Some(url), Some(span), Slot::Given(_)) = (&asked, tls_key, &settings.tls)
        && address::is_plain_http(url)
    {
        decoder.report(
            Code::NoEffect,
            span,
            "`tls` says nothing beside an address that begins with `http://`",
            "write `https://` in the url",
        );
    }
    let request = match (asked, method) {
        (Some(url), Some(method)) if decoder.errors() == before || has_url => {
            Some(Request { method, url, body })
        }
        _ => None,
    };
    (request, settings)
}

fn shared_key<'t>(
    decoder: &mut Decoder<'t, '_>,
    settings: &mut HttpSettings,
    key: &str,
    entry: &Entry<'t>,
    home: &Home,
) {
    let node = &entry.value;
    match key {
        "query" => {
            settings.query = if node.is_null() {
                Slot::BuiltIn
            } else {
                texts(decoder, key, node).map_or(Slot::Silent, Slot::Given)
            };
        }
        "headers" => {
            settings.headers = layered(decoder, key, node, header);
            same_header_twice(decoder, node);
        }
        "follow_redirects" => {
            settings.follow_redirects = if node.is_null() {
                Slot::BuiltIn
            } else {
                decoder.flag(key, node).map_or(Slot::Silent, Slot::Given)
            };
        }
        "expect" => {
            settings.expect = if node.is_null() {
                Slot::BuiltIn
            } else {
                expect(decoder, node).map_or(Slot::Silent, Slot::Given)
            };
        }
        "sign" => {
            settings.sign = if node.is_null() {
                Slot::BuiltIn
            } else {
                trust::sign(decoder, node).map_or(Slot::Silent, Slot::Given)
            };
        }
        "tls" => {
            settings.tls = if node.is_null() {
                Slot::BuiltIn
            } else {
                trust::tls(decoder, node, home).map_or(Slot::Silent, Slot::Given)
            };
        }
        _ => {}
    }
}

fn texts<'t>(
    decoder: &mut Decoder<'t, '_>,
    key: &str,
    node: &Node<'t>,
) -> Option<Vec<(Arc<str>, Text)>> {
    let entries = decoder.map(key, node)?;
    let mut texts = Vec::with_capacity(entries.len());
    for entry in entries {
        let text = decoder.template(&entry.key, &entry.value, Later::RunAndSecrets)?;
        texts.push((decoder.shared.text(&entry.key), text));
    }
    Some(texts)
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn method<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Arc<str>> {
    let text = decoder.text("method", node)?;
    if !is_token(&text) || text.len() > 64 {
        let message = format!("`{}` is no method", shorten(&text));
        decoder.report(
            Code::BadHttp,
            node.span,
            &message,
            "write GET, POST, PUT, …",
        );
        return None;
    }
    const USUAL: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    if let Some(usual) = USUAL.iter().find(|m| m.eq_ignore_ascii_case(&text)) {
        return Some(decoder.shared.text(usual));
    }
    Some(decoder.shared.text(&text))
}

fn header<'t>(decoder: &mut Decoder<'t, '_>, entry: &Entry<'t>) -> Option<Text> {
    if !is_token(&entry.key) {
        let message = format!("`{}` is no name of a header", shorten(&entry.key));
        decoder.report(Code::BadHttp, entry.key_span, &message, "");
        return None;
    }
    const OWN: [&str; 5] = [
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
        "te",
    ];
    if OWN.iter().any(|own| own.eq_ignore_ascii_case(&entry.key)) {
        let message = format!("the header `{}` is elder's own to set", entry.key);
        decoder.report(Code::BadHttp, entry.key_span, &message, "remove it");
        return None;
    }
    let text = decoder.template(&entry.key, &entry.value, Later::RunAndSecrets)?;
    let control = |c: char| c != '\t' && (c.is_ascii_control());
    let broken = text.parts().iter().any(|part| match part {
        Part::Literal(text) => text.contains(control),
        _ => false,
    });
    if broken {
        let message = format!(
            "the header `{}` holds a line break or a control character",
            entry.key
        );
        let help = "write it on one line; `|` and `>` leave a line break at the end, `>-` does not";
        decoder.report(Code::BadHttp, entry.value.span, &message, help);
        return None;
    }
    Some(text)
}

fn same_header_twice(decoder: &mut Decoder<'_, '_>, node: &Node<'_>) {
    let Value::Map(entries) = &node.value else {
        return;
    };
    let mut seen: std::collections::HashMap<String, Span> = std::collections::HashMap::new();
    for entry in entries.iter() {
        let Some(first) = seen.insert(entry.key.to_ascii_lowercase(), entry.key_span) else {
            continue;
        };
        let message = format!("the header `{}` is given twice", shorten(&entry.key));
        let mut problem = super::problem::Problem::new(
            Code::DuplicateKey,
            entry.key_span,
            &message,
            "remove one of the two",
        );
        problem.also = Some((first, "first given here"));
        decoder.note(problem);
    }
}

fn body<'t>(decoder: &mut Decoder<'t, '_>, key: &str, node: &Node<'t>) -> Option<Body> {
    match key {
        "body" => decoder
            .template(key, node, Later::RunAndSecrets)
            .map(Body::Text),
        "json" => json(decoder, key, node, Later::RunAndSecrets).map(Body::Json),
        _ => texts(decoder, key, node).map(Body::Form),
    }
}

/// A value of `json`: a plain scalar is what YAML 1.2 and JSON both call it, all else is text.
fn json<'t>(
    decoder: &mut Decoder<'t, '_>,
    key: &str,
    node: &Node<'t>,
    later: Later,
) -> Option<Json> {
    match &node.value {
        Value::Scalar(scalar) => json_scalar(decoder, key, node, scalar, later),
        Value::List(items) => items
            .iter()
            .map(|item| json(decoder, key, item, later))
            .collect::<Vec<_>>()
            .into_iter()
            .collect::<Option<_>>()
            .map(Json::Array),
        Value::Map(entries) => entries
            .iter()
            .map(|entry| {
                let value = json(decoder, &entry.key, &entry.value, later)?;
                Some((decoder.shared.text(&entry.key), value))
            })
            .collect::<Vec<_>>()
            .into_iter()
            .collect::<Option<_>>()
            .map(Json::Object),
    }
}

fn json_scalar<'t>(
    decoder: &mut Decoder<'t, '_>,
    key: &str,
    node: &Node<'t>,
    scalar: &Scalar<'t>,
    later: Later,
) -> Option<Json> {
    if node.is_null() {
        return Some(Json::Null);
    }
    if node.is_empty() {
        let message = format!("`{key}` has no value");
        decoder.report(
            Code::WrongType,
            node.span,
            &message,
            "write null, or \"\" for empty text",
        );
        return None;
    }
    let text = decoder.template(key, node, later)?;
    // `port: ${PORT}` is a number when what comes in is one; quoted, it stays text.
    let filled = match scalar.style {
        Style::Plain => text.fixed(),
        Style::Quoted => None,
    };
    let read = match filled.as_deref() {
        Some("true") => Some(Json::Bool(true)),
        Some("false") => Some(Json::Bool(false)),
        Some(number) if is_json_number(number, scalar.style) => {
            Some(Json::Number(Arc::from(number)))
        }
        _ => None,
    };
    // As a number it is seen by whoever sees the job; who may not see it gets the text as written.
    Some(match read {
        Some(read) if decoder.may_show(&scalar.text) => read,
        _ => Json::String(text),
    })
}

fn expect<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Expect> {
    let before = decoder.errors();
    let mut expect = Expect::default();
    for (key, entry) in decoder.fields(&EXPECT, node, Scope::Job)? {
        let node = &entry.value;
        if node.is_null() {
            continue;
        }
        match key {
            "status" => expect.status = statuses(decoder, node).unwrap_or_default(),
            "body_contains" => {
                let text = decoder.text(key, node)?;
                expect.body_contains = Some(Arc::from(&*text));
            }
            "json" => {
                for entry in decoder.map(key, node).unwrap_or_default() {
                    if !(entry.key.is_empty() || entry.key.starts_with('/')) {
                        let message = format!("`{}` is no JSON pointer", shorten(&entry.key));
                        let help = format!("write `/{}`", entry.key.replace('.', "/"));
                        decoder.report(Code::BadHttp, entry.key_span, &message, &help);
                        continue;
                    }
                    if let Some(value) = json(decoder, &entry.key, &entry.value, Later::Nothing) {
                        expect.json.push((decoder.shared.text(&entry.key), value));
                    }
                }
            }
            _ => {}
        }
    }
    (decoder.errors() == before).then_some(expect)
}

fn statuses<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Vec<StatusSet>> {
    let items = decoder.one_or_more("status", node)?;
    let mut statuses = Vec::with_capacity(items.len());
    for item in items {
        let text = decoder.text("status", item)?;
        let Some(status) = parse_status(&text) else {
            let message = format!("`{}` is no status", shorten(&text));
            decoder.report(
                Code::BadHttp,
                item.span,
                &message,
                "write 204, or 2xx for 200 to 299",
            );
            continue;
        };
        statuses.push(status);
    }
    if items.is_empty() {
        decoder.report(
            Code::BadHttp,
            node.span,
            "`status` is empty: no answer could succeed",
            "write `[2xx]`",
        );
    }
    Some(statuses)
}

/// Reads `2xx` or `204`.
pub(super) fn parse_status(text: &str) -> Option<StatusSet> {
    let bytes = text.as_bytes();
    match bytes {
        [class @ b'1'..=b'5', b'x' | b'X', b'x' | b'X'] => Some(StatusSet::Class(class - b'0')),
        [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'] => text.parse().ok().map(StatusSet::Exactly),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_numbers_or_hundreds() {
        assert_eq!(parse_status("2xx"), Some(StatusSet::Class(2)));
        assert_eq!(parse_status("204"), Some(StatusSet::Exactly(204)));
        for text in ["", "2x", "6xx", "99", "600", "2000", "xx2"] {
            assert_eq!(parse_status(text), None, "{text}");
        }
    }
}
