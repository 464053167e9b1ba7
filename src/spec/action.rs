//! What a job or a sage does, as its file says it: `run`, `exec` or `http`.

use std::borrow::Cow;
use std::sync::Arc;

use super::decode::{Decoder, Later};
use super::http;
use super::paths::Home;
use super::problem::Problem;
use super::settings::{HttpSettings, Settings};
use super::shell;
use super::tree::{Entry, Node, Span, shorten};
use crate::finding::Code;
use crate::model::{Action, Command, Context, Http, Process, Text};

/// The action as far as the job itself says it.
pub(super) enum Asked {
    Run(Arc<str>, Span),
    Exec(Arc<[Text]>),
    Http(http::Request),
}

/// Which of its keys speak of an action, in order.
#[derive(Default)]
pub(super) struct Actions<'n, 't> {
    /// `run`, `exec`, `http`.
    kinds: Vec<(&'static str, &'n Entry<'t>)>,
    /// Keys that only some actions know.
    companions: Vec<(&'static str, Span)>,
    http: Option<http::Request>,
    exec: Option<Arc<[Text]>>,
}

impl<'n, 't> Actions<'n, 't> {
    /// Takes one of `run`, `exec` and `http`.
    pub fn take(
        &mut self,
        decoder: &mut Decoder<'t, '_>,
        key: &'static str,
        entry: &'n Entry<'t>,
        settings: &mut Settings,
        home: &Home,
    ) {
        self.kinds.push((key, entry));
        match key {
            "exec" => self.exec = exec(decoder, &entry.value),
            "http" => {
                let (request, http) = http::read(decoder, &entry.value, home);
                self.http = request;
                settings.http = http;
            }
            _ => {}
        }
    }

    /// Notes a key that only some actions know.
    pub fn beside(&mut self, key: &'static str, entry: &Entry<'_>) {
        if COMPANIONS.iter().any(|(name, _)| *name == key) && !entry.value.is_null() {
            self.companions.push((key, entry.key_span));
        }
    }
}

/// Keys of a job and the actions that know them.
const COMPANIONS: [(&str, &[&str]); 10] = [
    ("shell", &["run"]),
    ("env", &["run", "exec"]),
    ("env_file", &["run", "exec"]),
    ("inherit_env", &["run", "exec"]),
    ("cwd", &["run", "exec"]),
    ("user", &["run", "exec"]),
    ("limits", &["run", "exec"]),
    ("kill_grace", &["run", "exec"]),
    ("stdin", &["run", "exec"]),
    ("success_exit_codes", &["run", "exec"]),
];

/// A key in the wrong company would be taken and do nothing; so it is refused.
pub(super) fn check_company(decoder: &mut Decoder<'_, '_>, actions: &Actions<'_, '_>) {
    let [(kind, _)] = actions.kinds.as_slice() else {
        return;
    };
    for (key, span) in &actions.companions {
        let known = COMPANIONS.iter().find(|(name, _)| name == key);
        if let Some((_, with)) = known
            && !with.contains(kind)
        {
            let message = format!("`{key}` says nothing beside `{kind}`");
            let help = match *key {
                "success_exit_codes" => "write `expect: { status: […] }` under `http`",
                "stdin" => "write `body:` under `http`",
                "shell" => "`exec` starts the program without a shell; write `run` for one with",
                _ => "remove it",
            };
            decoder.report(Code::NoEffect, *span, &message, help);
        }
    }
}

impl<'t> Actions<'_, 't> {
    /// The one thing that it does; `word` is what does it: `job` or `sage`.
    pub fn asked(
        self,
        decoder: &mut Decoder<'t, '_>,
        word: &str,
        job: &Entry<'_>,
    ) -> Option<Asked> {
        let (kind, entry) = match self.kinds.as_slice() {
            [only] => *only,
            [] => {
                if !decoder.was_meant(&["run", "exec", "http"]) {
                    let message = format!("the {word} `{}` does nothing", shorten(&job.key));
                    let help = "give it one of `run:`, `exec:`, `http:`";
                    decoder.report(Code::BadAction, job.key_span, &message, help);
                }
                return None;
            }
            [(first, one), (second, two), ..] => {
                let message =
                    format!("a {word} does one thing, and here are `{first}` and `{second}`");
                let help = format!("make two {word}s of it");
                let mut problem = Problem::new(Code::BadAction, two.key_span, &message, &help);
                problem.also = Some((one.key_span, "the first is here"));
                decoder.note(problem);
                return None;
            }
        };
        match kind {
            "exec" => self.exec.map(Asked::Exec),
            "http" => self.http.map(Asked::Http),
            _ => {
                let line = decoder.written_scalar("run", &entry.value)?;
                let line: Arc<str> = Arc::from(line);
                shell::check_line(decoder, &line, entry.value.span)
                    .then_some(Asked::Run(line, entry.value.span))
            }
        }
    }
}

fn exec<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Arc<[Text]>> {
    let help = match decoder.plain_text(node) {
        Some(text) if !text.is_empty() => {
            let words: Vec<_> = text.split_whitespace().take(8).collect();
            format!("write [{}], or `run` for a shell line", words.join(", "))
        }
        _ => "write [program, argument]".to_owned(),
    };
    let items = decoder.list("exec", node, &help)?;
    let mut words = Vec::with_capacity(items.len());
    for item in items {
        let text = decoder.template("exec", item, Later::Run);
        words.push(text);
    }
    let words: Option<Vec<_>> = words.into_iter().collect();
    let words = words?;
    if words
        .first()
        .is_none_or(|program| program.shown().is_empty())
    {
        decoder.report(
            Code::BadAction,
            node.span,
            "`exec` names no program",
            "write [program, argument]",
        );
        return None;
    }
    Some(words.into())
}

/// Puts action and surroundings together.
pub(super) fn build(
    decoder: &mut Decoder<'_, '_>,
    asked: Asked,
    settings: Settings,
    home: &Home,
) -> (Action, Context) {
    let secrets = settings.secrets.present();
    let command = match asked {
        Asked::Http(request) => {
            let context = Context {
                secrets,
                ..Context::default()
            };
            return (
                Action::Http(Box::new(request_of(request, settings.http))),
                context,
            );
        }
        Asked::Exec(words) => Command::Exec(words),
        Asked::Run(line, span) => {
            let shell = settings.shell.given().unwrap_or_else(|| {
                let words = [decoder.shared.text("/bin/sh"), decoder.shared.text("-c")];
                decoder.shared.shell(&words)
            });
            shell::warn(decoder, &shell, &line, span);
            Command::Shell { shell, line }
        }
    };
    let process = Process {
        command,
        stdin: settings.stdin.given(),
        success_exit_codes: settings
            .success_exit_codes
            .given()
            .unwrap_or_else(|| decoder.shared.exit_codes(&[0])),
    };
    let context = Context {
        env: settings.env.present(),
        env_files: settings.env_files.given().unwrap_or_default(),
        inherit_env: settings.inherit_env.given().unwrap_or_default(),
        secrets,
        cwd: Some(
            settings
                .cwd
                .given()
                .unwrap_or_else(|| decoder.shared.path(&home.folder)),
        ),
        user: settings.user.given(),
        limits: settings.limits.given().unwrap_or_default(),
    };
    (Action::Process(Box::new(process)), context)
}

fn request_of(request: http::Request, settings: HttpSettings) -> Http {
    Http {
        method: request.method,
        url: request.url,
        query: settings.query.given().unwrap_or_default(),
        headers: settings.headers.present(),
        body: request.body,
        follow_redirects: settings.follow_redirects.given().unwrap_or(false),
        expect: settings.expect.given().unwrap_or_default(),
        sign: settings.sign.given(),
        tls: settings.tls.given(),
    }
}

/// The node's text where it is short and plain, for a suggestion.
impl<'t> Decoder<'t, '_> {
    fn plain_text<'n>(&self, node: &'n Node<'t>) -> Option<&'n Cow<'t, str>> {
        node.scalar()
            .map(|scalar| &scalar.text)
            .filter(|text| text.len() < 200)
    }

    fn written_scalar<'n>(&mut self, key: &str, node: &'n Node<'t>) -> Option<&'n str> {
        self.written(key, node).map(|text| &**text)
    }
}
