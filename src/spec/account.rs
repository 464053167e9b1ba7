//! `user` and `limits`: whom a process runs as, and what it may use.

use std::time::Duration;

use super::decode::{Decoder, Scope};
use super::fields::LIMITS;
use super::tree::{Node, shorten};
use crate::duration;
use crate::finding::Code;
use crate::model::{Account, Limits};

/// Less memory than this and not even a shell starts.
const LEAST_MEMORY: u64 = 1 << 20;
/// The longest name of a user or group that the system's own tools take.
const NAME: usize = 32;

/// `name` or `name:group`. Whether they exist is the machine's affair, so `doctor` says that.
pub(super) fn user<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Account> {
    let text = decoder.text("user", node)?;
    let (user, group) = split(&text);
    for (what, name) in [("user", Some(user)), ("group", group)] {
        let Some(name) = name else { continue };
        if let Some(help) = unfit(name) {
            let message = format!("`{}` is no name of a {what}", shorten(name));
            decoder.report(Code::BadName, node.span, &message, help);
            return None;
        }
    }
    if user == "root" {
        let message = "`user: root` gives nothing up";
        let help = "leave `user` out, or write `user: null` over defaults: the job runs as elder's own user";
        decoder.report(Code::NoEffect, node.span, message, help);
        return None;
    }
    Some(Account {
        user: decoder.shared.text(user),
        group: group.map(|group| decoder.shared.text(group)),
    })
}

/// Whether a job file may say `user: text`; root it may not, since that gives nothing up.
#[must_use]
pub fn is_user(text: &str) -> bool {
    let (user, group) = split(text);
    user != "root" && unfit(user).is_none() && group.is_none_or(|group| unfit(group).is_none())
}

/// User and group of `name:group`.
pub(super) fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    }
}

/// Why this cannot be a name, as a mend.
fn unfit(name: &str) -> Option<&'static str> {
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some("write the name: a number is somebody else on another machine");
    }
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    // Machine accounts of a domain end in a dollar sign.
    let body = name.strip_suffix('$').unwrap_or(name);
    let is_name =
        !body.is_empty() && name.len() <= NAME && !body.starts_with('-') && body.bytes().all(fine);
    (!is_name).then_some("write `user: name`, or `user: name:group`")
}

/// `limits`
pub(super) fn limits<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Limits> {
    let before = decoder.errors();
    let mut limits = Limits::default();
    let mut is_empty = true;
    for (key, entry) in decoder.fields(&LIMITS, node, Scope::Job)? {
        let node = &entry.value;
        is_empty = false;
        if node.is_null() {
            continue;
        }
        match key {
            "memory" => limits.memory = memory(decoder, node),
            "cpu_time" => limits.cpu_time = cpu_time(decoder, node),
            "open_files" => limits.open_files = count(decoder, key, node, 16, 1_000_000_000),
            "processes" => limits.processes = count(decoder, key, node, 1, 1_000_000),
            _ => {}
        }
    }
    if is_empty && decoder.errors() == before {
        let help = "write `limits: { memory: 512MiB }`, or remove the key";
        decoder.report(Code::MissingKey, node.span, "`limits` limits nothing", help);
    }
    (decoder.errors() == before).then_some(limits)
}

fn memory<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<u64> {
    let size = decoder.size("memory", node)?;
    if size.0 >= LEAST_MEMORY {
        return Some(size.0);
    }
    let message = format!("`memory` is {size}, and no program starts with that");
    let help = "write 1MiB at least";
    decoder.report(Code::OutOfRange, node.span, &message, help);
    None
}

fn cpu_time<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Duration> {
    let length = decoder.duration("cpu_time", node)?;
    if length >= Duration::from_secs(1) && length.subsec_nanos() == 0 {
        return Some(length);
    }
    let message = format!("`cpu_time` is {}", duration::print(length));
    let help = "the system counts it in whole seconds, from 1s";
    decoder.report(Code::OutOfRange, node.span, &message, help);
    None
}

fn count<'t>(
    decoder: &mut Decoder<'t, '_>,
    key: &str,
    node: &Node<'t>,
    least: i64,
    most: i64,
) -> Option<u64> {
    let number = decoder.number(key, node, least, most)?;
    u64::try_from(number).ok()
}
