//! `http.url`: an address that can be asked.

use super::decode::{Decoder, Later};
use super::tree::{Node, shorten};
use crate::finding::Code;
use crate::model::{Part, Text, Variable};

/// Reads the address.
pub(super) fn read<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Text> {
    let text = decoder.template("url", node, Later::RunAndSecrets)?;
    // What the run fills in is unknown here; a digit in its place keeps the rest checkable.
    let stand_in: String = text
        .parts()
        .iter()
        .map(|part| match part {
            Part::Literal(text) => text.to_string(),
            _ => "1".to_owned(),
        })
        .collect();
    match check_url(&stand_in, &text) {
        Ok(()) => Some(text),
        Err((message, help)) => {
            decoder.report(Code::BadHttp, node.span, &message, &help);
            None
        }
    }
}

fn check_url(url: &str, text: &Text) -> Result<(), (String, String)> {
    let bad = |message: &str, help: &str| Err((message.to_owned(), help.to_owned()));
    match text.parts().as_slice() {
        [Part::Variable(Variable::Server), rest @ ..] if !is_path(rest) => {
            return bad(
                "what follows `${elder.server}` in a url must begin with `/` or `?`",
                "write `${elder.server}/path`",
            );
        }
        // The whole beginning is known only to the run, which checks it again.
        [Part::Secret(_) | Part::Variable(_), ..] => return Ok(()),
        _ => {}
    }
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return bad(
            "the url holds a space or a line break",
            "write `%20` for a space",
        );
    }
    let parsed = match url::Url::parse(url) {
        Ok(parsed) => parsed,
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            let help = format!(
                "write `https://{}`",
                shorten(text.shown().trim_start_matches('/'))
            );
            return bad("the url has no scheme", &help);
        }
        Err(error) => return Err((format!("the url cannot be read: {error}"), String::new())),
    };
    match parsed.scheme() {
        "http" | "https" => {}
        // `example.com:8080/x` reads as a scheme of that name.
        scheme if scheme.contains('.') || scheme == "localhost" => {
            let help = format!("write `http://{}`", shorten(text.shown()));
            return bad("the url has no scheme", &help);
        }
        scheme => {
            // What the environment filled in is nobody's business.
            let message = match text.shown() == url {
                true => format!("`{}:` is not a scheme for requests", shorten(scheme)),
                false => format!(
                    "`{}` does not begin with a scheme for requests",
                    shorten(text.shown())
                ),
            };
            return Err((message, "only http and https".to_owned()));
        }
    }
    let slashes = url.get(parsed.scheme().len()..).unwrap_or_default();
    if !slashes.starts_with("://") || slashes.starts_with(":///") {
        return bad(
            "the url has no `//` after its scheme",
            "write `https://host/path`",
        );
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return bad(
            "the url holds a user or a password",
            "write `headers: { Authorization: \"Basic ${secrets.NAME}\" }`",
        );
    }
    if parsed.host_str().is_none_or(str::is_empty) {
        return bad("the url names no host", "");
    }
    if parsed.port() == Some(0) {
        return bad("port 0 cannot be reached", "");
    }
    if parsed.fragment().is_some() {
        return bad(
            "what follows `#` in a url is never sent",
            "remove it, or write `%23`",
        );
    }
    Ok(())
}

/// Whether what follows a server leaves it the server that is asked: `@`, a dot or a digit would
/// make another one of it, and what only the run fills in may be any of them.
fn is_path(rest: &[Part]) -> bool {
    let mut rest = rest
        .iter()
        .filter(|part| !matches!(part, Part::Literal(text) if text.is_empty()));
    match rest.next() {
        None => true,
        Some(Part::Literal(text)) => text.starts_with(['/', '?']),
        Some(_) => false,
    }
}

/// Whether the address is written as one without TLS, whatever the environment fills in.
pub(super) fn is_plain_http(url: &Text) -> bool {
    let begin = url.shown().get(..7);
    begin.is_some_and(|begin| begin.eq_ignore_ascii_case("http://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_cannot_be_asked_are_refused() {
        for (url, fine) in [
            ("https://example.com", true),
            ("http://127.0.0.1:8000/healthz?x=1", true),
            ("http://[::1]:8000/", true),
            ("https://bücher.example/", true),
            ("HTTPS://example.com/", true),
            ("example.com/x", false),
            ("example.com:8080/x", false),
            ("localhost:8080", false),
            ("/path", false),
            ("file:///etc/passwd", false),
            ("ftp://example.com/", false),
            ("https://user:pass@example.com/", false),
            ("https://user@example.com/", false),
            ("http://example.com:0/", false),
            ("http://example.com:99999/", false),
            ("http:///path", false),
            ("http:example.com", false),
            ("http://", false),
            ("http://exa mple.com/", false),
            ("https://example.com/\r\nX: y", false),
            ("https://example.com/#top", false),
            ("", false),
        ] {
            assert_eq!(check_url(url, &Text::plain(url)).is_ok(), fine, "{url}");
        }
    }

    #[test]
    fn nothing_makes_another_server_of_elders_own() {
        let literal = |text: &str| Part::Literal(text.into());
        for (rest, fine) in [
            (vec![], true),
            (vec![literal("/x@y")], true),
            (vec![literal(""), literal("?x=1")], true),
            (vec![literal("@evil.example/")], false),
            (vec![literal(".evil.example/")], false),
            (vec![literal("0/")], false),
            (vec![literal("\\@evil.example/")], false),
            (vec![literal("\t@evil.example/")], false),
            (vec![literal("#@evil.example/")], false),
            (vec![Part::Secret("T".into()), literal("/x")], false),
            (vec![literal(""), Part::Variable(Variable::JobName)], false),
        ] {
            let parts = [vec![Part::Variable(Variable::Server)], rest.clone()].concat();
            let text = Text::of_parts("${elder.server}…", parts);
            assert_eq!(check_url("1", &text).is_ok(), fine, "{rest:?}");
        }
    }
}
