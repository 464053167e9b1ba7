//! The keys that a job and its defaults share.

use std::sync::Arc;

use super::decode::{Decoder, Later, Scope};
use super::fields::SECRET;
use super::interpolate;
use super::paths::{self, Home};
use super::settings::{Layered, Settings, Slot};
use super::tree::{Entry, Node, Value, shorten};
use super::{account, http, keep, limits, retry, shell};
use crate::finding::Code;
use crate::model::{AfterCrash, Grace, Overlap, SecretSource, Text, TreePath};

impl Settings {
    /// Takes one key. Keys that only a job has are not for here.
    pub fn take<'t>(
        &mut self,
        decoder: &mut Decoder<'t, '_>,
        key: &'static str,
        entry: &Entry<'t>,
        home: &Home,
    ) {
        let node = &entry.value;
        self.given.note(key, node);
        match key {
            "enabled" => self.enabled = slot(node, || decoder.flag(key, node)),
            "owner" => self.owner = slot(node, || owner(decoder, node)),
            "labels" => self.labels = layered(decoder, key, node, label),
            "timezone" => self.timezone = slot(node, || timezone(decoder, node)),
            "env" => self.env = layered(decoder, key, node, variable),
            "env_file" => self.env_files = slot(node, || env_files(decoder, node, home)),
            "inherit_env" => self.inherit_env = slot(node, || inherited(decoder, node)),
            "secrets" => {
                self.secrets = layered(decoder, key, node, |decoder, entry| {
                    secret(decoder, entry, home)
                });
            }
            "shell" => self.shell = slot(node, || shell::read(decoder, node)),
            "cwd" => {
                self.cwd = slot(node, || {
                    paths::read(decoder, key, node, home)
                        .map(|found| decoder.shared.path(&found.path))
                });
            }
            "user" => self.user = slot(node, || account::user(decoder, node)),
            "limits" => self.limits = slot(node, || account::limits(decoder, node)),
            "timeout" => self.timeout = slot(node, || timeout(decoder, node)),
            "kill_grace" => self.kill_grace = slot(node, || decoder.duration(key, node)),
            "retry" => self.retry = slot(node, || retry::read(decoder, node)),
            "max_instances" => {
                self.max_instances = slot(node, || {
                    let number = decoder.number(key, node, 1, 10_000)?;
                    u32::try_from(number).ok()
                });
            }
            "overlap" => {
                self.overlap = slot(node, || {
                    word_of(decoder, key, node, Overlap::ALL, Overlap::as_str)
                })
            }
            "after_crash" => {
                self.after_crash = slot(node, || {
                    word_of(decoder, key, node, AfterCrash::ALL, AfterCrash::as_str)
                });
            }
            "pool" => {
                self.pool = slot(node, || {
                    let name = decoder.text(key, node)?;
                    Some(decoder.shared.text(name.trim()))
                });
            }
            "on_success" => self.on_success = slot(node, || names(decoder, key, node)),
            "on_failure" => self.on_failure = slot(node, || names(decoder, key, node)),
            "on_missed" => self.on_missed = slot(node, || names(decoder, key, node)),
            "on_recovery" => self.on_recovery = slot(node, || names(decoder, key, node)),
            "on_stale" => self.on_stale = slot(node, || names(decoder, key, node)),
            "expect_success_within" => {
                self.success_within = slot(node, || success_within(decoder, key, node));
            }
            "output" => self.output_keep = slot(node, || keep::output(decoder, node)),
            "history" => self.history = slot(node, || keep::history(decoder, node)),
            "misfire_grace_time" => {
                self.grace = slot(node, || {
                    let length = decoder.duration_or(key, node, "auto")?;
                    Some(length.map_or(Grace::Auto, Grace::Fixed))
                });
            }
            "coalesce" => self.coalesce = slot(node, || decoder.flag(key, node)),
            "stdin" => {
                self.stdin = slot(node, || decoder.written(key, node).map(|t| Arc::from(&**t)));
            }
            "success_exit_codes" => {
                self.success_exit_codes = slot(node, || exit_codes(decoder, node));
            }
            "http" => {
                if let Some(http) = http::defaults(decoder, node, home) {
                    self.http = http;
                }
            }
            _ => {}
        }
    }
}

/// `null` is the built-in; what cannot be read was noted and says nothing.
fn slot<T>(node: &Node<'_>, read: impl FnOnce() -> Option<T>) -> Slot<T> {
    if node.is_null() {
        return Slot::BuiltIn;
    }
    read().map_or(Slot::Silent, Slot::Given)
}

/// A mapping that is merged key by key.
pub(super) fn layered<'t, 's, T>(
    decoder: &mut Decoder<'t, 's>,
    key: &str,
    node: &Node<'t>,
    mut read: impl FnMut(&mut Decoder<'t, 's>, &Entry<'t>) -> Option<T>,
) -> Layered<T> {
    if node.is_null() {
        return Layered {
            alone: true,
            entries: Vec::new(),
        };
    }
    let mut layered = Layered::default();
    for entry in decoder.map(key, node).unwrap_or_default() {
        let name = decoder.shared.text(&entry.key);
        if entry.value.is_null() {
            layered.entries.push((name, None));
        } else if let Some(value) = read(decoder, entry) {
            layered.entries.push((name, Some(value)));
        }
    }
    layered
}

/// A name or several, each once.
fn names<'t>(decoder: &mut Decoder<'t, '_>, key: &str, node: &Node<'t>) -> Option<Vec<Arc<str>>> {
    let items = decoder.one_or_more(key, node)?;
    if items.len() > limits::AUDIENCE {
        let message = format!("`{key}` names more than {} sages", limits::AUDIENCE);
        decoder.report(Code::Limit, node.span, &message, "");
        return None;
    }
    let mut names: Vec<Arc<str>> = Vec::with_capacity(items.len());
    for item in items {
        let name = decoder.text(key, item)?;
        let name = decoder.shared.text(name.trim());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Some(names)
}

fn owner<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Arc<str>> {
    let text = decoder.text("owner", node)?;
    bounded(decoder, "owner", &text, node, limits::LABEL)?;
    Some(decoder.shared.text(&text))
}

/// Refuses text over a length.
pub(super) fn bounded(
    decoder: &mut Decoder<'_, '_>,
    key: &str,
    text: &str,
    node: &Node<'_>,
    most: usize,
) -> Option<()> {
    if text.len() <= most {
        return Some(());
    }
    let message = format!(
        "`{key}` has {} bytes, and at most {most} are taken",
        text.len()
    );
    decoder.report(Code::OutOfRange, node.span, &message, "");
    None
}

fn label<'t>(decoder: &mut Decoder<'t, '_>, entry: &Entry<'t>) -> Option<Text> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    if entry.key.is_empty() || entry.key.len() > 128 || !entry.key.chars().all(fine) {
        let message = format!("`{}` is no name of a label", shorten(&entry.key));
        decoder.report(
            Code::BadName,
            entry.key_span,
            &message,
            "letters, digits, '.', '_', '-' and '/', at most 128",
        );
        return None;
    }
    let text = decoder.template(&entry.key, &entry.value, Later::Nothing)?;
    let filled = text.fixed().unwrap_or_default();
    bounded(decoder, &entry.key, &filled, &entry.value, limits::LABEL)?;
    Some(text)
}

fn timezone<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Arc<str>> {
    let name = decoder.text("timezone", node)?;
    super::schedule::zone(decoder, &name, node.span)?;
    Some(decoder.shared.text(&name))
}

fn variable<'t>(decoder: &mut Decoder<'t, '_>, entry: &Entry<'t>) -> Option<Text> {
    variable_name(decoder, &entry.key, entry)?;
    decoder.template(&entry.key, &entry.value, Later::RunAndSecrets)
}

fn variable_name(decoder: &mut Decoder<'_, '_>, name: &str, entry: &Entry<'_>) -> Option<()> {
    if !name.is_empty() && !name.contains(['=', '\0']) {
        return Some(());
    }
    let message = format!("`{}` cannot be the name of a variable", shorten(name));
    decoder.report(Code::BadName, entry.key_span, &message, "");
    None
}

fn env_files<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    home: &Home,
) -> Option<Vec<TreePath>> {
    let items = decoder.one_or_more("env_file", node)?;
    items
        .iter()
        .map(|item| paths::read(decoder, "env_file", item, home))
        .collect::<Vec<_>>()
        .into_iter()
        .collect()
}

fn inherited<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Vec<Arc<str>>> {
    let items = decoder.one_or_more("inherit_env", node)?;
    let mut names = Vec::with_capacity(items.len());
    let mut fine = true;
    for item in items {
        let Some(name) = decoder.text("inherit_env", item) else {
            fine = false;
            continue;
        };
        if name.is_empty() || name.contains(['=', '*', ' ']) {
            let message = format!("`{}` is no name of a variable", shorten(&name));
            decoder.report(
                Code::BadName,
                item.span,
                &message,
                "write each name in full",
            );
            fine = false;
        }
        names.push(decoder.shared.text(&name));
    }
    fine.then_some(names)
}

fn secret<'t>(
    decoder: &mut Decoder<'t, '_>,
    entry: &Entry<'t>,
    home: &Home,
) -> Option<SecretSource> {
    if !interpolate::is_variable_name(&entry.key) {
        let message = format!("`{}` is no name of a secret", shorten(&entry.key));
        decoder.report(
            Code::BadName,
            entry.key_span,
            &message,
            "letters, digits and `_`, not beginning with a digit",
        );
        return None;
    }
    if let Value::Scalar(_) = entry.value.value {
        let message = format!("the secret `{}` must not stand in the file", entry.key);
        let help = format!(
            "write `{}: {{ env: NAME }}` or `{0}: {{ file: PATH }}`",
            entry.key
        );
        decoder.report(Code::WrongType, entry.key_span, &message, &help);
        return None;
    }
    let before = decoder.errors();
    let mut fields = decoder.fields(&SECRET, &entry.value, Scope::Job)?;
    fields.retain(|(_, entry)| !entry.value.is_null());
    if let [(_, first), (_, second), ..] = fields.as_slice() {
        let mut problem = super::problem::Problem::new(
            Code::WrongType,
            second.key_span,
            "a secret has one source",
            "remove one of the two",
        );
        problem.also = Some((first.key_span, "the first is here"));
        decoder.note(problem);
        return None;
    }
    let Some((key, entry)) = fields.first() else {
        if decoder.errors() == before {
            decoder.report(
                Code::MissingKey,
                entry.key_span,
                "the secret has no source",
                "write `{ env: NAME }` or `{ file: PATH }`",
            );
        }
        return None;
    };
    if *key == "file" {
        return paths::read(decoder, "file", &entry.value, home).map(SecretSource::File);
    }
    let name = decoder.text("env", &entry.value)?;
    if !interpolate::is_variable_name(&name) {
        let message = format!("`{}` is no name of a variable", shorten(&name));
        decoder.report(Code::BadName, entry.value.span, &message, "");
        return None;
    }
    Some(SecretSource::Env(decoder.shared.text(&name)))
}

#[expect(
    clippy::option_option,
    reason = "outside: was it readable; inside: a length or `none`"
)]
fn timeout<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
) -> Option<Option<std::time::Duration>> {
    let length = decoder.duration_or("timeout", node, "none")?;
    if length.is_some_and(|length| length.is_zero()) {
        decoder.report(
            Code::OutOfRange,
            node.span,
            "`timeout` is no time at all",
            "write `none` for no bound",
        );
        return None;
    }
    Some(length)
}

fn success_within<'t>(
    decoder: &mut Decoder<'t, '_>,
    key: &str,
    node: &Node<'t>,
) -> Option<std::time::Duration> {
    let length = decoder.duration(key, node)?;
    if length.is_zero() {
        let message = format!("`{key}` is no time at all: no run could succeed within it");
        let help = "write how long after its fire a run may take to succeed, such as 26h";
        decoder.report(Code::OutOfRange, node.span, &message, help);
        return None;
    }
    Some(length)
}

/// One of a few words.
fn word_of<'t, T>(
    decoder: &mut Decoder<'t, '_>,
    key: &str,
    node: &Node<'t>,
    all: &[T],
    word: fn(T) -> &'static str,
) -> Option<T>
where
    T: Copy,
{
    let text = decoder.text(key, node)?;
    if let Some(meant) = all.iter().copied().find(|one| word(*one) == text) {
        return Some(meant);
    }
    let message = format!("`{key}` is not `{}`", shorten(&text));
    let near = decoder.did_you_mean(&text, all.iter().map(|one| word(*one)));
    let help = if near.is_empty() {
        let all: Vec<_> = all.iter().map(|one| format!("`{}`", word(*one))).collect();
        let (last, first) = all.split_last()?;
        format!("write {} or {last}", first.join(", "))
    } else {
        near
    };
    decoder.report(Code::WrongType, node.span, &message, &help);
    None
}

fn exit_codes<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Arc<[i32]>> {
    let key = "success_exit_codes";
    let items = decoder.one_or_more(key, node)?;
    if items.is_empty() {
        decoder.report(
            Code::OutOfRange,
            node.span,
            "`success_exit_codes` is empty: no run could succeed",
            "write `[0]`",
        );
        return None;
    }
    let mut codes = Vec::with_capacity(items.len());
    let mut fine = true;
    for item in items {
        match decoder
            .number(key, item, 0, 255)
            .and_then(|n| i32::try_from(n).ok())
        {
            Some(code) if codes.contains(&code) => {}
            Some(code) => codes.push(code),
            None => fine = false,
        }
    }
    fine.then(|| decoder.shared.exit_codes(&codes))
}
