//! `sages:` of a file, and who hears what of a job.

use std::sync::Arc;

use super::{Common, Found, InFile, Names, Own, Table};
use crate::finding::Code;
use crate::ids::SageName;
use crate::model::{Audience, NameKind, Origin, Placed, Policy, Sage, SageEvent};
use crate::spec::action::{Actions, build, check_company};
use crate::spec::decode::{Decoder, Scope};
use crate::spec::fields::SAGE;
use crate::spec::paths::Home;
use crate::spec::settings::{Settings, Slot};
use crate::spec::tree::{Entry, Node, Span, shorten};
use crate::spec::{references, trust};

impl Common for Sage {
    const KIND: NameKind = NameKind::Sage;
    const KEYS: &'static str = "one of `http:`, `run:`, `exec:`";
    const GOES_ON: &'static str = "it is told by its last definition";

    fn read<'t>(decoder: &mut Decoder<'t, '_>, entry: &Entry<'t>, home: &Home) -> Option<Self> {
        decoder.begin_job();
        decoder.for_sage = true;
        let sage = sage(decoder, entry, home);
        decoder.for_sage = false;
        sage
    }

    fn name(&self) -> &SageName {
        &self.name
    }

    fn own(file: &mut InFile) -> &mut Own<Self> {
        &mut file.sages
    }

    fn names(table: &Table) -> &Names<Self> {
        &table.sages
    }

    fn defined(commons: &crate::model::Commons) -> &[Placed<Self>] {
        &commons.sages
    }
}

fn sage<'t>(decoder: &mut Decoder<'t, '_>, entry: &Entry<'t>, home: &Home) -> Option<Sage> {
    let mut settings = Settings::default();
    let mut actions = Actions::default();
    let (mut after, mut remind, mut events) = (1, Sage::REMIND, Vec::new());
    for (key, field) in decoder.fields(&SAGE, &entry.value, Scope::Job)? {
        let node = &field.value;
        if node.is_null() {
            continue;
        }
        match key {
            "run" | "exec" | "http" => actions.take(decoder, key, field, &mut settings, home),
            "after" => {
                let number = decoder.number(key, node, 1, 10_000);
                after = number.and_then(|it| u32::try_from(it).ok()).unwrap_or(1);
            }
            "remind" => remind = decoder.duration(key, node).unwrap_or(remind),
            "events" => events = self::events(decoder, node).unwrap_or_default(),
            "timeout" => {
                if let Some(length) = decoder.duration(key, node) {
                    settings.timeout = Slot::Given(Some(length));
                }
                if settings.timeout == Slot::Given(Some(std::time::Duration::ZERO)) {
                    let message = "`timeout` is no time at all";
                    decoder.report(Code::OutOfRange, node.span, message, "write `30s`");
                }
            }
            _ => {
                actions.beside(key, field);
                settings.take(decoder, key, field, home);
            }
        }
    }
    check_company(decoder, &actions);
    let uses = decoder.take_uses();
    let asked = actions.asked(decoder, "sage", entry)?;
    let policy = policy(&settings);
    let (action, context) = build(decoder, asked, settings, home);
    trust::check_signed(decoder, &action, entry.key_span);
    references::check(decoder, &action, &context, None, &uses, entry);
    Some(Sage {
        name: SageName::new(&entry.key).ok()?,
        action,
        context: decoder.shared.context(context),
        policy: decoder.shared.policy(policy),
        after,
        remind,
        events,
    })
}

fn policy(settings: &Settings) -> Policy {
    let mut policy = Policy::built_in(Sage::TIMEOUT);
    if let Slot::Given(timeout) = settings.timeout {
        policy.timeout = timeout;
    }
    let retry = settings.retry.clone().given();
    policy.retry = retry.unwrap_or_else(Sage::built_in_retry);
    policy
}

fn events<'t>(decoder: &mut Decoder<'t, '_>, node: &Node<'t>) -> Option<Vec<SageEvent>> {
    let known = SageEvent::OF_ELDER;
    let items = decoder.one_or_more("events", node)?;
    let mut events = Vec::with_capacity(items.len());
    for item in items {
        let word = decoder.text("events", item)?;
        let found = known.into_iter().find(|event| event.as_str() == word);
        let Some(event) = found else {
            let message = format!("`{}` is none of elder's own events", shorten(&word));
            let near = decoder.did_you_mean(&word, known.iter().map(|event| event.as_str()));
            let of_job = SageEvent::parse(&word).is_some();
            let help = match (near.is_empty(), of_job) {
                (_, true) => format!("jobs name who hears of that: `on_{word}: {}`", "SAGE"),
                (false, _) => near,
                (true, _) => format!("there are {}", known.map(SageEvent::as_str).join(", ")),
            };
            decoder.report(Code::WrongType, item.span, &message, &help);
            continue;
        };
        if !events.contains(&event) {
            events.push(event);
        }
    }
    Some(events)
}

/// Who hears what of a job; what is wrong with a name is told at the `span` of its key.
pub(in crate::spec) fn audience(
    decoder: &mut Decoder<'_, '_>,
    settings: &Settings,
    span: impl Fn(&'static str) -> Span,
) -> Option<Arc<Audience>> {
    let mut heard = |key: &'static str, slot: &Slot<Vec<Arc<str>>>| {
        let names = slot.clone().given().unwrap_or_default();
        let mut sages = Vec::with_capacity(names.len());
        for name in names {
            let found = super::named::<Sage>(decoder, key, &name, span(key));
            if let Some(sage) = found {
                keep(decoder, &name, &sage);
                sages.push(sage.name.clone());
            }
        }
        sages
    };
    let audience = Audience {
        success: heard("on_success", &settings.on_success),
        failure: heard("on_failure", &settings.on_failure),
        missed: heard("on_missed", &settings.on_missed),
        recovery: heard("on_recovery", &settings.on_recovery),
        stale: heard("on_stale", &settings.on_stale),
    };
    (!audience.is_empty()).then(|| Arc::new(audience))
}

/// A sage that is gone stays as it was, with the file whose jobs name it.
fn keep(decoder: &mut Decoder<'_, '_>, name: &Arc<str>, sage: &Arc<Sage>) {
    let Some(table) = decoder.shared.commons else {
        return;
    };
    let in_file = &mut decoder.commons;
    let is_own = in_file.sages.contains_key(name);
    let is_gone = matches!(table.sages.find(&in_file.file, name), Found::Gone(_));
    let is_kept = in_file
        .kept_sages
        .iter()
        .any(|kept| kept.value.name == sage.name);
    if !is_own && is_gone && !is_kept {
        in_file.kept_sages.push(Placed {
            value: sage.clone(),
            origin: Origin {
                file: in_file.shown.clone(),
                line: 0,
            },
        });
    }
}
