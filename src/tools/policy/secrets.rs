//! What looks like a secret that stands in a job file. Nothing here is ever told: a finding names
//! the place alone.

use super::Breach;
use crate::model::{Action, Body, Command, Context, Json, Text};

/// The first place of an action that holds what looks like a secret.
pub(super) fn breach(action: &Action, context: &Context) -> Option<Breach> {
    let place = in_context(context).or_else(|| match action {
        Action::Http(http) => in_url(&http.url)
            .or_else(|| named(&http.headers, "http.headers"))
            .or_else(|| named(&http.query, "http.query"))
            .or_else(|| in_body(&http.body)),
        Action::Process(process) => match &process.command {
            Command::Shell { line, .. } => {
                in_words(line.split_whitespace(), "run", is_written_in_shell)
            }
            Command::Exec(words) => in_words(words.iter().map(Text::shown), "exec", is_written),
        }
        .or_else(|| {
            let stdin = process.stdin.as_deref()?;
            is_token(stdin).then(|| "`stdin`".to_owned())
        }),
    })?;
    Some(Breach::new(
        format!("has what looks like a secret in {place}"),
        "name it under `secrets` and write `${secrets.NAME}`, or `\"$NAME\"` in `run`",
    ))
}

fn in_context(context: &Context) -> Option<String> {
    named(&context.env, "env")
}

fn named<N: AsRef<str>>(values: &[(N, Text)], key: &str) -> Option<String> {
    let mut values = values.iter();
    let found = values.find(|(name, value)| {
        let value = value.shown();
        is_token(value) || is_secret_name(name.as_ref()) && is_written(value)
    });
    found.map(|(name, _)| format!("`{key}.{}`", name.as_ref()))
}

fn in_url(url: &Text) -> Option<String> {
    let text = url.shown();
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let password = user.and_then(|user| user.split_once(':'));
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let in_query = query.split('&').any(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or_default();
        is_secret_name(name) && is_written(value)
    });
    let found =
        password.is_some_and(|(_, password)| is_written(password)) || in_query || is_token(text);
    found.then(|| "`http.url`".to_owned())
}

fn in_body(body: &Body) -> Option<String> {
    match body {
        Body::Empty => None,
        Body::Text(text) => is_token(text.shown()).then(|| "`http.body`".to_owned()),
        Body::Form(fields) => named(fields, "http.form"),
        Body::Json(json) => in_json(json, "http.json"),
    }
}

fn in_json(json: &Json, at: &str) -> Option<String> {
    match json {
        Json::String(text) if is_token(text.shown()) => Some(format!("`{at}`")),
        Json::Array(items) => items.iter().find_map(|item| in_json(item, at)),
        Json::Object(members) => members.iter().find_map(|(name, value)| {
            let at = format!("{at}.{name}");
            match value {
                Json::String(text) if is_secret_name(name) && is_written(text.shown()) => {
                    Some(format!("`{at}`"))
                }
                Json::Number(_) if is_secret_name(name) => Some(format!("`{at}`")),
                value => in_json(value, &at),
            }
        }),
        _ => None,
    }
}

/// Words of a command: `TOKEN=…`, `--password=…`, `--password …`, curl's `-u NAME:PASSWORD` and
/// `-H "NAME: VALUE"`, or a token as such.
fn in_words<'w>(
    words: impl Iterator<Item = &'w str>,
    key: &str,
    is_written: fn(&str) -> bool,
) -> Option<String> {
    let (mut is_flag_before, mut is_user_before) = (false, false);
    let mut header = Header::No;
    for word in words {
        let credential = header.credential(word);
        if credential.is_some_and(is_written) {
            return Some(format!("`{key}`"));
        }
        let plain = word.trim_matches(['"', '\'', ';']);
        let is_value = is_flag_before && !plain.starts_with('-') && is_written(plain);
        let user = plain.split_once(':').filter(|_| is_user_before);
        let is_login = user.is_some_and(|(_, password)| is_written(password) && is_written(plain));
        let name = plain.trim_start_matches('-');
        let assigned = name.split_once('=').is_some_and(|(name, value)| {
            let name = name.rsplit(['"', '\'']).next().unwrap_or_default();
            is_secret_name(name) && is_written(value.trim_matches(['"', '\'']))
        });
        if is_value || is_login || assigned || is_token(plain) {
            return Some(format!("`{key}`"));
        }
        is_flag_before = plain.starts_with("--") && !name.contains('=') && is_secret_name(name);
        is_user_before = matches!(plain, "-u" | "--user");
    }
    None
}

/// Where in a header of curl or wget a word stands.
#[derive(Clone, Copy, PartialEq)]
enum Header {
    /// Nowhere.
    No,
    /// `-H` was the word before.
    Begins,
    /// What is in the quotes of a secret's header goes on.
    Within,
}

impl Header {
    /// What the word holds of a secret that a header says; a shell's words are cut at blanks.
    fn credential<'w>(&mut self, word: &'w str) -> Option<&'w str> {
        let before = std::mem::replace(self, Header::No);
        let quotes = ['"', '\''];
        let glued = || {
            let long = word.strip_prefix("--header=");
            long.or_else(|| word.strip_prefix("-H"))
        };
        let text = match before {
            Header::Begins | Header::Within => word,
            Header::No if matches!(word, "-H" | "--header") => {
                *self = Header::Begins;
                return None;
            }
            Header::No => glued()?,
        };
        let plain = text.trim_matches(quotes);
        let value = match before {
            Header::Within => plain,
            Header::No | Header::Begins => {
                let (name, value) = plain.split_once(':')?;
                Some(value).filter(|_| is_secret_name(name))?
            }
        };
        let value = value.trim();
        let (first, rest) = value.split_once(' ').unwrap_or((value, ""));
        let schemes = ["bearer", "basic", "token", "digest"];
        let is_scheme = schemes.iter().any(|one| first.eq_ignore_ascii_case(one));
        let credential = if is_scheme { rest.trim() } else { value };
        if credential.is_empty() {
            // `'Authorization:` goes on with the next word, `Authorization:` of an `exec` does not.
            let goes_on = before == Header::Within || text.starts_with(quotes);
            if goes_on && !text.ends_with(quotes) {
                *self = Header::Within;
            }
            return None;
        }
        Some(credential)
    }
}

/// Whether the value stands in the file itself: nothing is filled in, or what is filled in has a
/// default. `$${` stands for `${`.
fn is_written(value: &str) -> bool {
    let value = value.replace("$${", "");
    !value.trim().is_empty() && (!value.contains("${") || has_default(&value))
}

/// The same of a part of a line, where a shell fills in more.
fn is_written_in_shell(value: &str) -> bool {
    !value.trim().is_empty() && (!value.contains('$') || has_default(value))
}

/// Whether a value stands in for a variable: `${NAME:-value}`, in a shell also `${NAME-value}`.
fn has_default(value: &str) -> bool {
    value.split("${").skip(1).any(|rest| {
        let name = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let default = name.strip_prefix(':').unwrap_or(name);
        let default = default.strip_prefix(['-', '=']).unwrap_or_default();
        !default.is_empty() && !default.starts_with(['}', '$'])
    })
}

/// Whether a name is one for secrets, by its words: `DB_PASSWORD`, `x-api-key`, `clientSecret`.
fn is_secret_name(name: &str) -> bool {
    let mut words: Vec<String> = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || c.is_ascii_uppercase() && was_lower {
            words.push(String::new());
        }
        was_lower = c.is_ascii_lowercase();
        if let Some(last) = words.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            last.push(c.to_ascii_lowercase());
        }
    }
    let is = |word: &String, known: &[&str]| known.contains(&word.as_str());
    let says = |word: &String| {
        let known = [
            "token",
            "secret",
            "password",
            "passwd",
            "passphrase",
            "apikey",
            "credentials",
            "authorization",
            "cookie",
        ];
        is(word, &known)
    };
    let is_key = |pair: &[String]| {
        is(&pair[1], &["key"])
            && is(
                &pair[0],
                &[
                    "api",
                    "access",
                    "secret",
                    "private",
                    "auth",
                    "signing",
                    "encryption",
                ],
            )
    };
    // `TOKEN_FILE` and `secret-name` say where it is, and are what a team wants.
    let of = [
        "file", "path", "dir", "url", "uri", "name", "id", "type", "ttl", "length", "count",
        "limit", "size",
    ];
    if words.last().is_some_and(|last| is(last, &of)) {
        return false;
    }
    words.iter().any(says) || words.windows(2).any(is_key)
}

/// Beginnings of tokens that say what they are, and how much follows at least.
const TOKENS: [(&str, usize); 20] = [
    ("ghp_", 30),
    ("gho_", 30),
    ("ghu_", 30),
    ("ghs_", 30),
    ("ghr_", 30),
    ("github_pat_", 30),
    ("glpat-", 16),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("xoxa-", 10),
    ("xapp-", 10),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
    ("sk_live_", 16),
    ("rk_live_", 16),
    ("whsec_", 16),
    ("npm_", 30),
    ("hvs.", 20),
    ("dop_v1_", 30),
];

/// Whether a token of a known make stands in the text, or a private key.
fn is_token(text: &str) -> bool {
    if text.contains("-----BEGIN") && text.contains("PRIVATE KEY-----") {
        return true;
    }
    let of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.split(|c: char| !of_token(c)).any(|word| {
        let is_jwt = word.starts_with("eyJ") && word.matches(".").count() == 2 && word.len() > 40;
        let known = TOKENS.iter().any(|(begin, least)| {
            let rest = word.strip_prefix(begin);
            rest.is_some_and(|rest| rest.len() >= *least)
        });
        is_jwt || known
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_by_their_words() {
        for (name, want) in [
            ("DB_PASSWORD", true),
            ("x-api-key", true),
            ("clientSecret", true),
            ("Authorization", true),
            ("AWS_SECRET_ACCESS_KEY", true),
            ("token", true),
            ("PARTITION_KEY", false),
            ("TOKEN_FILE", false),
            ("token_url", false),
            ("TOKENIZER", false),
            ("token_limit", false),
            ("keyboard", false),
            ("", false),
        ] {
            assert_eq!(is_secret_name(name), want, "{name}");
        }
    }

    #[test]
    fn tokens_and_written_values_are_found_and_references_are_not() {
        let words = |line: &str| {
            let words = line.split_whitespace();
            in_words(words, "run", is_written_in_shell).is_some()
        };
        let github = format!("ghp_{}", "a1".repeat(18));
        for (line, want) in [
            ("curl -H 'X: y' https://a.example", false),
            ("mysql --password=hunter2", true),
            ("mysql --password hunter2 db", true),
            ("mysql --password \"$PASSWORD\" db", false),
            ("mysql --password=$PASSWORD", false),
            ("mysql --password=\"$PASSWORD\" db", false),
            ("curl -u admin:hunter2 x", true),
            ("curl -u admin:\"$PASSWORD\" x", false),
            ("curl -u admin x:y", false),
            ("TOKEN=abc ./x", true),
            ("export API_KEY='abc'; ./x", true),
            ("TOKEN= ./x", false),
            ("TOKEN=\"${TOKEN}\" ./x", false),
            ("./x --token-file /run/token", false),
            ("./x --password --verbose", false),
            ("curl -H 'Authorization: Bearer abc' x", true),
            ("curl -H \"Authorization: Bearer $TOKEN\" x", false),
            ("curl -H 'X-Api-Key:abc' x", true),
            ("curl --header \"X-Api-Key: abc\" x", true),
            ("wget --header='Authorization: Basic YTpi' x", true),
            ("curl '-HCookie: a=b' x", false),
            ("curl -HCookie:a=b x", true),
            ("curl -H 'Authorization:' https://a.example", false),
            ("curl -H 'Authorization: Bearer' https://a.example", false),
            ("curl -H Accept:token x", false),
            ("echo 'token: expired'", false),
            (github.as_str(), true),
            ("mysql --password=\"${PASSWORD:-hunter2}\" db", true),
            ("mysql --password=\"${PASSWORD:-$OTHER}\" db", false),
            ("mysql --password=\"${PASSWORD:-}\" db", false),
            ("mysql --password=\"${PASSWORD#x}\" db", false),
        ] {
            assert_eq!(words(line), want, "{line}");
        }
        for (exec, want) in [
            (&["curl", "-H", "Authorization: Bearer abc"][..], true),
            (&["curl", "-H", "Authorization: Bearer a$bc"], true),
            (&["curl", "-H", "Authorization: Bearer ${secrets.T}"], false),
            (
                &["curl", "-H", "Authorization:", "https://a.example"],
                false,
            ),
            (&["mysql", "--password=hunter$2"], true),
        ] {
            let found = in_words(exec.iter().copied(), "exec", is_written);
            assert_eq!(found.is_some(), want, "{exec:?}");
        }
        for (value, want) in [
            ("pa$word", true),
            ("pa$${word", true),
            ("${PASSWORD}", false),
            ("${PASSWORD:-hunter2}", true),
            ("${PASSWORD:-}", false),
            ("${PASSWORD:-${secrets.T}}", false),
            ("Bearer ${secrets.T}", false),
            (" ", false),
        ] {
            assert_eq!(is_written(value), want, "{value}");
        }
        assert!(is_token("x: -----BEGIN RSA PRIVATE KEY-----\nMII"));
        assert!(is_token(&format!(
            "Bearer eyJ{}.eyJ{}.{}",
            "a".repeat(20),
            "b".repeat(20),
            "c"
        )));
        assert!(!is_token("sk_live_short"));
        for (url, want) in [
            ("https://u:p@a.example/", true),
            ("https://u:${secrets.P}@a.example/", false),
            ("https://u@a.example/x?token=1", true),
            ("https://a.example/x?page=1#token=1", false),
        ] {
            assert_eq!(in_url(&Text::plain(url)).is_some(), want, "{url}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_can_panic(text in "\\PC{0,40}") {
            let _ = (is_token(&text), is_secret_name(&text), in_url(&Text::plain(&text)));
            let words = ["-H", &text, &text, "-H'Cookie:", &text];
            let _ = in_words(words.into_iter(), "exec", is_written);
        }
    }
}
