//! `retry`

use std::sync::Arc;

use super::decode::{Decoder, Scope};
use super::fields::{RETRY, RETRY_WORDS};
use super::tree::{Node, Value, shorten};
use crate::duration;
use crate::finding::Code;
use crate::model::{Retry, RetryOn, Sage};

/// A number of further attempts, or how they are made.
pub(super) fn read<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Retry> {
    let mut retry = match decoder.for_sage {
        true => Sage::built_in_retry(),
        false => Retry::built_in(),
    };
    if matches!(node.value, Value::Scalar(_)) {
        retry.max = max(decoder, "retry", node)?;
        return Some(retry);
    }
    let before = decoder.errors();
    let mut has_max = false;
    let mut max_backoff = None;
    for (key, entry) in decoder.fields(&RETRY, node, Scope::Job)? {
        let node = &entry.value;
        if node.is_null() {
            continue;
        }
        match key {
            "max" => {
                has_max = true;
                retry.max = max(decoder, key, node).unwrap_or(0);
            }
            "backoff" => retry.backoff = decoder.duration(key, node).unwrap_or(retry.backoff),
            "factor" => {
                let factor = decoder.permille(key, node, 1_000, 100_000);
                retry.factor_permille = factor.unwrap_or(retry.factor_permille);
            }
            "max_backoff" => max_backoff = decoder.duration(key, node).map(|d| (d, node.span)),
            "jitter" => {
                let jitter = decoder.permille(key, node, 0, 1_000);
                retry.jitter_permille = jitter.unwrap_or(retry.jitter_permille);
            }
            "when" if decoder.for_sage => decoder.report(
                Code::NoEffect,
                entry.key_span,
                "`when` says nothing in a sage: whatever went wrong is tried again, but for 410",
                "remove it",
            ),
            "when" => {
                if let Some(when) = when(decoder, node) {
                    retry.when = when;
                }
            }
            _ => {}
        }
    }
    match max_backoff {
        Some((length, span)) if length < retry.backoff => {
            let message = format!(
                "`max_backoff` is {} and shorter than `backoff`, {}",
                duration::print(length),
                duration::print(retry.backoff)
            );
            decoder.report(Code::OutOfRange, span, &message, "");
        }
        Some((length, _)) => retry.max_backoff = length,
        // A long backoff is not to be cut by a bound that nobody wrote.
        None => retry.max_backoff = retry.max_backoff.max(retry.backoff),
    }
    if !has_max && decoder.errors() == before {
        decoder.report(
            Code::MissingKey,
            node.span,
            "`retry` does not say how often: `max` is missing",
            "write `max: 2`",
        );
    }
    (decoder.errors() == before).then_some(retry)
}

fn max<'t>(decoder: &mut Decoder<'t, '_>, key: &str, node: &Node<'t>) -> Option<u32> {
    let number = decoder.number(key, node, 0, 1_000)?;
    u32::try_from(number).ok()
}

fn when<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Arc<[RetryOn]>> {
    let items = decoder.one_or_more("when", node)?;
    if items.is_empty() {
        decoder.report(
            Code::OutOfRange,
            node.span,
            "`when` is empty: nothing would be tried again",
            "write `max: 0` for no further attempt",
        );
        return None;
    }
    let mut words = Vec::with_capacity(items.len());
    for item in items {
        let word = decoder.text("when", item)?;
        let Some(on) = parse_word(&word) else {
            let message = format!("`{}` is no word of `when`", shorten(&word));
            let near = decoder.did_you_mean(&word, RETRY_WORDS.into_iter());
            let help = if near.is_empty() {
                format!(
                    "write {}, an exit code or an HTTP status",
                    RETRY_WORDS.join(", ")
                )
            } else {
                near
            };
            decoder.report(Code::WrongType, item.span, &message, &help);
            continue;
        };
        if !words.contains(&on) {
            words.push(on);
        }
    }
    Some(words.into())
}

/// Reads one word of `when`.
pub(super) fn parse_word(word: &str) -> Option<RetryOn> {
    Some(match word {
        "exit" => RetryOn::Exit,
        "signal" => RetryOn::Signal,
        "timeout" => RetryOn::Timeout,
        "spawn" => RetryOn::Spawn,
        "setup" => RetryOn::Setup,
        "connect" => RetryOn::Connect,
        "5xx" => RetryOn::ServerError,
        "429" => RetryOn::TooManyRequests,
        _ => {
            let digits = !word.starts_with('0') && word.bytes().all(|b| b.is_ascii_digit());
            let code = word
                .parse::<u16>()
                .ok()
                .filter(|code| digits && *code <= 599)?;
            RetryOn::Code(code)
        }
    })
}
