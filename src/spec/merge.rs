//! Keys given twice, and merge keys.

use std::borrow::Cow;
use std::collections::HashMap;

use super::problem::{Problem, Problems};
use super::tree::{Entry, Node, Span, Value, shorten};
use crate::finding::Code;

/// What a mapping's keys name, for the words of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    Keys,
    Jobs,
}

/// Notes the keys that are given twice and keeps the first of each.
pub(super) fn drop_duplicates<'t>(
    entries: Vec<Entry<'t>>,
    names: Names,
    problems: &mut Problems,
) -> Vec<Entry<'t>> {
    let mut kept: Vec<Entry<'t>> = Vec::with_capacity(entries.len());
    let mut index = KeyIndex::new(entries.len());
    for entry in entries {
        match index.find(&kept, &entry.key) {
            Some(first) => problems.add(twice(&entry, kept[first].key_span, names)),
            None => {
                index.add(&entry, kept.len());
                kept.push(entry);
            }
        }
    }
    kept
}

fn twice(again: &Entry<'_>, first: Span, names: Names) -> Problem {
    let (code, what, help) = match names {
        Names::Jobs => (
            Code::DuplicateName,
            "job",
            "give one of the two another name",
        ),
        Names::Keys => (Code::DuplicateKey, "key", "remove one of the two"),
    };
    let message = format!("{what} `{}` is given twice", shorten(&again.key));
    let mut problem = Problem::new(code, again.key_span, &message, help);
    problem.also = Some((first, "first given here"));
    problem
}

/// Adds what `<<` brings; a key that is there already wins.
pub(super) fn merge<'t>(
    entries: &mut Vec<Entry<'t>>,
    merges: Vec<(Span, Node<'t>)>,
    problems: &mut Problems,
) {
    if let [(first, _), (second, _), ..] = merges.as_slice() {
        let mut problem = Problem::new(
            Code::DuplicateKey,
            *second,
            "`<<` is given twice",
            "write `<<: [*one, *other]`",
        );
        problem.also = Some((*first, "first given here"));
        problems.add(problem);
    }
    // The file is refused with more than one: each would be held against every key.
    for (span, node) in merges.into_iter().take(1) {
        let maps = match &node.value {
            Value::Map(_) => std::slice::from_ref(&node),
            Value::List(list) => list.as_slice(),
            Value::Scalar(_) => &[],
        };
        let expected = maps.iter().all(|node| matches!(node.value, Value::Map(_)));
        if maps.is_empty() || !expected {
            let message = format!(
                "`<<` takes a mapping or a list of mappings, not {}",
                node.kind()
            );
            problems.add(Problem::new(
                Code::WrongType,
                span,
                &message,
                "write `<<: *anchor`",
            ));
            continue;
        }
        add_all(entries, maps);
    }
}

fn add_all<'t>(entries: &mut Vec<Entry<'t>>, maps: &[Node<'t>]) {
    let more = maps.iter().map(|node| match &node.value {
        Value::Map(more) => more.len(),
        _ => 0,
    });
    let mut index = KeyIndex::new(entries.len() + more.sum::<usize>());
    for (position, entry) in entries.iter().enumerate() {
        index.add(entry, position);
    }
    for node in maps {
        let Value::Map(more) = &node.value else {
            continue;
        };
        for entry in more.iter() {
            if index.find(entries, &entry.key).is_none() {
                index.add(entry, entries.len());
                entries.push(entry.clone());
            }
        }
    }
}

/// Finds a key among entries: by looking at each while they are few, by hash when they are many.
struct KeyIndex<'t> {
    many: Option<HashMap<Cow<'t, str>, usize>>,
}

impl<'t> KeyIndex<'t> {
    fn new(len: usize) -> Self {
        Self {
            many: (len > 24).then(HashMap::new),
        }
    }

    fn add(&mut self, entry: &Entry<'t>, index: usize) {
        if let Some(map) = &mut self.many {
            map.insert(entry.key.clone(), index);
        }
    }

    fn find(&self, entries: &[Entry<'t>], key: &str) -> Option<usize> {
        match &self.many {
            Some(map) => map.get(key).copied(),
            None => entries.iter().position(|entry| entry.key == key),
        }
    }
}
