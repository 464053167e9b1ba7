//! `aliases` of a job: names that it had before.

use std::collections::HashMap;
use std::sync::Arc;

use super::decode::Decoder;
use super::limits;
use super::problem::Problem;
use super::tree::{Entry, Node, Span, Value, shorten};
use crate::finding::Code;
use crate::ids::JobName;

/// The key.
pub(super) const KEY: &str = "aliases";

/// Reads one name or a list of names.
pub(super) fn read<'t>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    job: &str,
) -> Option<Arc<[JobName]>> {
    let items = decoder.one_or_more(KEY, node)?;
    if items.len() > limits::ALIASES_OF_JOB {
        let message = format!("more than {} aliases of one job", limits::ALIASES_OF_JOB);
        decoder.report(Code::Limit, node.span, &message, "leave out the oldest");
        return None;
    }
    let mut names: Vec<JobName> = Vec::with_capacity(items.len());
    for item in items {
        let Some(text) = decoder.written(KEY, item).cloned() else {
            continue;
        };
        match JobName::new(&text) {
            Err(error) => {
                let message = format!("`{}` cannot be a name: {error}", shorten(&text));
                decoder.report(Code::BadName, item.span, &message, "");
            }
            Ok(_) if text.eq_ignore_ascii_case(job) => {
                let message = format!("`{text}` is the job's own name");
                decoder.report(Code::NoEffect, item.span, &message, "remove it");
            }
            Ok(name) if names.contains(&name) => {
                let message = format!("`{name}` stands twice in `aliases`");
                decoder.report(Code::NoEffect, item.span, &message, "remove one of the two");
            }
            Ok(name) => names.push(name),
        }
    }
    (names.len() == items.len()).then(|| names.into())
}

/// The aliases of a job as they are written, and where.
pub(super) fn written<'n>(job: &'n Entry<'_>) -> impl Iterator<Item = (&'n str, Span)> {
    let fields = match &job.value.value {
        Value::Map(fields) => &fields[..],
        _ => &[],
    };
    let node = fields.iter().find(|entry| entry.key == KEY);
    let items = match node.map(|entry| &entry.value) {
        Some(Node {
            value: Value::List(items),
            ..
        }) => &items[..],
        Some(node) => std::slice::from_ref(node),
        None => &[],
    };
    let items = items.iter().take(limits::ALIASES_OF_JOB);
    items.filter_map(|item| Some((&*item.scalar()?.text, item.span)))
}

/// An alias that another job of the file has as its name, or claims as well.
pub(super) fn check_file(decoder: &mut Decoder<'_, '_>, jobs: &[Entry<'_>]) {
    if jobs.iter().all(|job| written(job).next().is_none()) {
        return;
    }
    let mut taken: HashMap<String, (&str, Span, &str)> = HashMap::new();
    for job in jobs {
        let key = job.key.to_ascii_lowercase();
        taken.insert(key, (&job.key, job.key_span, "the job is here"));
    }
    for job in jobs {
        for (alias, span) in written(job) {
            let claim = (&*job.key, span, "first claimed here");
            let Some((other, there, label)) = taken.insert(alias.to_ascii_lowercase(), claim)
            else {
                continue;
            };
            if decoder.is_full() || *other == *job.key {
                continue;
            }
            let message = format!(
                "the alias `{}` of `{}` belongs to `{}`",
                shorten(alias),
                shorten(&job.key),
                shorten(other)
            );
            let help = "a job that is renamed stands under its new name only";
            let mut problem = Problem::new(Code::DuplicateName, span, &message, help);
            problem.also = Some((there, label));
            decoder.note(problem);
        }
    }
}
