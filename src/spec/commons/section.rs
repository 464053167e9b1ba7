//! A top-level mapping of names, entry by entry.

use std::sync::Arc;

use crate::finding::Code;
use crate::ids::check_name;
use crate::model::NameKind;
use crate::spec::decode::Decoder;
use crate::spec::tree::{Entry, Node, Value, shorten};
use crate::spec::{file, limits};

/// What was read of a mapping of names.
pub(in crate::spec) struct Section<T> {
    /// The entries that could be read, in order.
    pub good: Vec<T>,
    /// The names of all others.
    pub unread: Vec<Arc<str>>,
}

impl<T> Default for Section<T> {
    fn default() -> Self {
        Self {
            good: Vec::new(),
            unread: Vec::new(),
        }
    }
}

/// Reads the mapping under the kind's key. `keys` is what an entry that says nothing is told to say.
pub(in crate::spec) fn section<'t, T>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    kind: NameKind,
    keys: &str,
    mut one: impl FnMut(&mut Decoder<'t, '_>, &Entry<'t>) -> Option<T>,
) -> Section<T> {
    let mut section = Section::default();
    if node.is_null() {
        return section;
    }
    let (key, word) = (kind.key(), kind.word());
    let Value::Map(entries) = &node.value else {
        let message = format!("`{key}` is a mapping of names, not {}", node.kind());
        let help = format!("write each {word} under its name: `{key}: {{ NAME: {{ … }} }}`");
        decoder.report(Code::WrongType, node.span, &message, &help);
        return section;
    };
    if entries.len() > limits::COMMONS {
        let message = format!("more than {} {key} in one file", limits::COMMONS);
        decoder.report(Code::Limit, node.span, &message, "make several files of it");
        return section;
    }
    file::names_in_another_case(decoder, entries);
    for entry in entries.iter() {
        if decoder.is_full() {
            break;
        }
        let read = is_named(decoder, entry, word, keys).then(|| one(decoder, entry));
        match read.flatten() {
            Some(read) => section.good.push(read),
            None => section.unread.push(Arc::from(&*entry.key)),
        }
    }
    section
}

/// Whether the name is one and anything stands under it.
fn is_named(decoder: &mut Decoder<'_, '_>, entry: &Entry<'_>, word: &str, keys: &str) -> bool {
    if let Err(error) = check_name(&entry.key) {
        let message = format!("`{}` cannot be a name: {error}", shorten(&entry.key));
        decoder.report(Code::BadName, entry.key_span, &message, "");
        return false;
    }
    if entry.value.is_empty() {
        let message = format!("the {word} `{}` says nothing", entry.key);
        decoder.report(
            Code::WrongType,
            entry.key_span,
            &message,
            &format!("give it {keys}"),
        );
        return false;
    }
    true
}

/// The names of a section, whatever else is written of them.
pub(super) fn names_in(node: &Node<'_>) -> Arc<[Arc<str>]> {
    let Value::Map(entries) = &node.value else {
        return Arc::default();
    };
    let names = entries.iter().take(limits::COMMONS);
    names.map(|entry| Arc::from(&*entry.key)).collect()
}
