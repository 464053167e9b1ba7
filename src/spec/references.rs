//! What a job's texts refer to by name must be there.

use std::collections::HashSet;
use std::sync::Arc;

use super::decode::{Decoder, Reference};
use super::tree::{Entry, Span};
use crate::finding::Code;
use crate::model::{About, Action, Body, Command, Context, Json, Part, Text, Variable};

/// Every `${secrets.NAME}` and `${job.labels.NAME}` must have something to refer to.
pub(super) fn check(
    decoder: &mut Decoder<'_, '_>,
    action: &Action,
    context: &Context,
    about: Option<&About>,
    own: &[(Reference, Span)],
    job: &Entry<'_>,
) {
    let mut wanted: Vec<Reference> = Vec::new();
    let mut seen: HashSet<Reference> = HashSet::new();
    each_text(action, context, &mut |text| {
        if !text.shown().contains("${") {
            return;
        }
        for part in text.parts() {
            let reference = match part {
                Part::Secret(name) => Reference::Secret(name),
                Part::Variable(Variable::JobLabel(name)) if !decoder.for_sage => {
                    Reference::Label(name)
                }
                _ => continue,
            };
            if seen.insert(reference.clone()) {
                wanted.push(reference);
            }
        }
    });
    for reference in wanted {
        if decoder.is_full() {
            return;
        }
        let labels = about.map_or(&[][..], |about| &about.labels[..]);
        let (name, shown, known): (&Arc<str>, _, Vec<&str>) = match &reference {
            Reference::Secret(name) => (
                name,
                format!("secrets.{name}"),
                context.secrets.iter().map(|(name, _)| &**name).collect(),
            ),
            Reference::Label(name) => (
                name,
                format!("job.labels.{name}"),
                labels.iter().map(|(name, _)| &**name).collect(),
            ),
        };
        if known.contains(&&**name) {
            continue;
        }
        let span = own
            .iter()
            .find(|(used, _)| *used == reference)
            .map(|(_, span)| *span);
        let who = if decoder.for_sage { "sage" } else { "job" };
        let message = match span {
            Some(_) => format!(
                "`${{{shown}}}`: the {who} has no such {}",
                kind_of(&reference)
            ),
            None => format!(
                "`${{{shown}}}` comes from defaults, and the job has no such {}",
                kind_of(&reference)
            ),
        };
        let near = decoder.did_you_mean(name, known.into_iter());
        let help = match (&reference, near.is_empty()) {
            (_, false) => near,
            (Reference::Secret(name), true) => {
                format!("write `secrets: {{ {name}: {{ file: PATH }} }}`")
            }
            (Reference::Label(name), true) => format!("write `labels: {{ {name}: … }}`"),
        };
        decoder.report(
            Code::BadVariable,
            span.unwrap_or(job.key_span),
            &message,
            &help,
        );
    }
}

fn kind_of(reference: &Reference) -> &'static str {
    match reference {
        Reference::Secret(_) => "secret",
        Reference::Label(_) => "label",
    }
}

fn each_text(action: &Action, context: &Context, see: &mut impl FnMut(&Text)) {
    for (_, text) in &context.env {
        see(text);
    }
    match action {
        Action::Process(process) => {
            if let Command::Exec(words) = &process.command {
                words.iter().for_each(see);
            }
        }
        Action::Http(http) => {
            see(&http.url);
            for (_, text) in http.query.iter().chain(&http.headers) {
                see(text);
            }
            for text in http.sign.iter().flat_map(|sign| &sign.secrets) {
                see(text);
            }
            match &http.body {
                Body::Empty => {}
                Body::Text(text) => see(text),
                Body::Form(fields) => fields.iter().for_each(|(_, text)| see(text)),
                Body::Json(json) => each_string(json, see),
            }
        }
    }
}

fn each_string(json: &Json, see: &mut impl FnMut(&Text)) {
    match json {
        Json::String(text) => see(text),
        Json::Array(items) => items.iter().for_each(|item| each_string(item, see)),
        Json::Object(entries) => entries
            .iter()
            .for_each(|(_, value)| each_string(value, see)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}
