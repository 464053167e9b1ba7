//! `dst`: what a schedule does when the clock of its zone is changed.

use super::decode::{Decoder, Scope};
use super::fields::{DST, FOLDS, GAPS};
use super::tree::{Entry, Node, Span, shorten};
use crate::finding::Code;
use crate::schedule::{Fold, Gap};

/// What was written.
#[derive(Clone, Copy)]
pub(super) struct Dst {
    pub gap: Option<Gap>,
    pub fold: Option<Fold>,
    /// The place of the key.
    pub span: Span,
}

/// Reads `dst` beside a schedule of this kind.
pub(super) fn read<'t>(
    decoder: &mut Decoder<'t, '_>,
    kind: &str,
    entry: &Entry<'t>,
) -> Option<Dst> {
    let by_the_clock = [
        "cron", "hourly", "daily", "weekly", "monthly", "yearly", "at",
    ];
    if !by_the_clock.contains(&kind) {
        let what = match kind {
            "every" => ", which is elapsed time",
            _ => "",
        };
        let message = format!("`dst` says nothing beside `{kind}`{what}");
        decoder.report(Code::NoEffect, entry.key_span, &message, "remove it");
        return None;
    }
    let before = decoder.errors();
    let mut dst = Dst {
        gap: None,
        fold: None,
        span: entry.key_span,
    };
    for (key, entry) in decoder.fields(&DST, &entry.value, Scope::Job)? {
        match key {
            _ if entry.value.is_null() => {}
            "gap" => {
                dst.gap = word(decoder, key, &entry.value, &GAPS).map(|at| match at {
                    0 => Gap::After,
                    _ => Gap::Skip,
                });
            }
            "fold" => {
                dst.fold = word(decoder, key, &entry.value, &FOLDS).map(|at| match at {
                    0 => Fold::First,
                    1 => Fold::Second,
                    _ => Fold::Both,
                });
            }
            _ => {}
        }
    }
    if decoder.errors_since(before) {
        return None;
    }
    if dst.gap.is_none() && dst.fold.is_none() {
        decoder.report(
            Code::MissingKey,
            entry.value.span,
            "`dst` says neither `gap` nor `fold`",
            "write `dst: { gap: skip }` or `dst: { fold: both }`, or remove it",
        );
        return None;
    }
    Some(dst)
}

/// Which of the words stands there.
fn word<'t>(
    decoder: &mut Decoder<'t, '_>,
    key: &str,
    node: &Node<'t>,
    words: &[&'static str],
) -> Option<usize> {
    let text = decoder.text(key, node)?;
    let found = words.iter().position(|word| *word == text);
    if found.is_none() {
        let message = format!("`{key}` is not `{}`", shorten(&text));
        let near = decoder.did_you_mean(&text, words.iter().copied());
        let help = if near.is_empty() {
            format!("write {}", words.join(" or "))
        } else {
            near
        };
        decoder.report(Code::WrongType, node.span, &message, &help);
    }
    found
}

impl Dst {
    /// `dst: {…}`, in one way.
    pub fn text(&self) -> String {
        let gap = self.gap.map(|gap| match gap {
            Gap::After => "gap: after",
            Gap::Skip => "gap: skip",
        });
        let fold = self.fold.map(|fold| match fold {
            Fold::First => "fold: first",
            Fold::Second => "fold: second",
            Fold::Both => "fold: both",
        });
        let both: Vec<_> = gap.into_iter().chain(fold).collect();
        format!("dst: {{{}}}", both.join(", "))
    }
}
