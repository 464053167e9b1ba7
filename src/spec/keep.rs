//! `output` and `history`: how much is kept of what a run said, and of how many runs.

use super::decode::{Decoder, Scope};
use super::fields::{HISTORY, MOST_RUNS_KEPT, OUTPUT};
use super::tree::Node;
use crate::duration::Size;
use crate::finding::Code;
use crate::model::{History, Policy};

/// How many bytes of a run's output are kept.
pub(super) fn output<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<u64> {
    let before = decoder.errors();
    let mut keep = None;
    for (key, entry) in decoder.fields(&OUTPUT, node, Scope::Job)? {
        if !entry.value.is_null() {
            keep = size(decoder, key, &entry.value);
        }
    }
    if keep.is_none() && !decoder.errors_since(before) {
        let help = "write `output: { keep: 256KiB }`, or remove it";
        decoder.report(
            Code::MissingKey,
            node.span,
            "`output` does not say how much to `keep`",
            help,
        );
    }
    keep.filter(|_| !decoder.errors_since(before))
}

fn size<'t>(decoder: &mut Decoder<'t, '_>, key: &str, node: &Node<'t>) -> Option<u64> {
    let Size(size) = decoder.size(key, node)?;
    if size <= Policy::MOST_OUTPUT {
        return Some(size);
    }
    let message = format!(
        "`{key}` is {}, and at most {} of an output are kept",
        Size(size),
        Size(Policy::MOST_OUTPUT)
    );
    let help = "let the job write what is longer to a file of its own";
    decoder.report(Code::OutOfRange, node.span, &message, help);
    None
}

/// How many runs are kept, and for how long; what is not said is as elder does it by itself.
pub(super) fn history<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<History> {
    let before = decoder.errors();
    let mut history = History::default();
    let mut says_something = false;
    for (key, entry) in decoder.fields(&HISTORY, node, Scope::Job)? {
        let node = &entry.value;
        match key {
            _ if node.is_null() => continue,
            "keep" => {
                let keep = decoder.number(key, node, 0, MOST_RUNS_KEPT);
                history.keep = keep.and_then(|keep| u32::try_from(keep).ok()).unwrap_or(0);
            }
            _ => history.max_age = decoder.duration(key, node).unwrap_or(history.max_age),
        }
        if history.max_age.is_zero() {
            let message = "`for` is no time at all";
            let help = "write `keep: 0` to keep no run";
            decoder.report(Code::OutOfRange, node.span, message, help);
        }
        says_something = true;
    }
    if decoder.errors_since(before) {
        return None;
    }
    if !says_something {
        let message = "`history` says neither how many runs to `keep` nor `for` how long";
        let help = "write `history: { keep: 100, for: 30d }`, or remove it";
        decoder.report(Code::MissingKey, node.span, message, help);
        return None;
    }
    Some(history)
}
