//! `only`, `except` and `shift` beside a schedule.

use std::sync::Arc;

use super::{Found, Use, bind, read};
use crate::finding::Code;
use crate::model::NameKind;
use crate::schedule::{Allowed, Named, OnDates, Shift, Zone};
use crate::spec::decode::Decoder;
use crate::spec::problem::Problem;
use crate::spec::tree::{Entry, Span};

/// What calendars do to a schedule.
pub(in crate::spec) struct Beside {
    pub(in crate::spec) dates: Option<OnDates>,
    pub(in crate::spec) shift: Shift,
    /// `key: value` of each.
    pub(in crate::spec) texts: Vec<String>,
    /// Where their values stand.
    pub(in crate::spec) places: Vec<(&'static str, Span)>,
}

/// Reads the three keys, for a schedule of this kind in this zone.
pub(in crate::spec) fn beside<'t>(
    decoder: &mut Decoder<'t, '_>,
    fields: &[(&'static str, &Entry<'t>)],
    zone: &Zone,
) -> Beside {
    let find = |key: &str| fields.iter().find(|(k, _)| *k == key).map(|(_, e)| *e);
    let mut out = Beside {
        dates: None,
        shift: Shift::Skip,
        texts: Vec::new(),
        places: Vec::new(),
    };
    let mut allowed = Allowed::default();
    for key in ["only", "except"] {
        let Some(entry) = find(key) else { continue };
        let Some(names) = read::names(decoder, key, &entry.value) else {
            continue;
        };
        let texts: Vec<_> = names.iter().map(|(name, _)| name.to_string()).collect();
        out.texts.push(format!(
            "{key}: {}",
            crate::spec::schedule::one_or_list(&texts)
        ));
        out.places.push(if key == "only" {
            ("only", entry.value.span)
        } else {
            ("except", entry.value.span)
        });
        let Some(named) = named(decoder, key, names) else {
            continue;
        };
        match key {
            "only" => allowed.only = Some(named),
            _ => allowed.except = Some(named),
        }
    }
    if let Some(entry) = find("shift")
        && let Some(text) = decoder.text("shift", &entry.value)
    {
        let shift = match &*text {
            "skip" => Some(Shift::Skip),
            "next" => Some(Shift::Next),
            "previous" => Some(Shift::Previous),
            _ => None,
        };
        if shift.is_none() {
            let message = format!("`shift` is no {text}");
            decoder.report(
                Code::WrongType,
                entry.value.span,
                &message,
                "write `skip`, `next` or `previous`",
            );
        } else if find("only").or(find("except")).is_none() {
            decoder.report(
                Code::NoEffect,
                entry.key_span,
                "`shift` says nothing without `only` or `except`",
                "remove it, or name a calendar",
            );
        }
        out.shift = shift.unwrap_or_default();
        out.texts.push(format!("shift: {text}"));
        out.places.push(("shift", entry.value.span));
    }
    if allowed != Allowed::default() {
        out.dates = Some(OnDates::new(allowed, zone.clone()));
    }
    out
}

/// The calendars of these names; what is wrong with one is told.
fn named(decoder: &mut Decoder<'_, '_>, key: &str, names: Vec<(Arc<str>, Span)>) -> Option<Named> {
    let Some(commons) = decoder.shared.commons else {
        let span = names.first().map_or(Span::default(), |(_, span)| *span);
        let message = format!(
            "`{key}` names a calendar, and there is no tree of job files here that could define one"
        );
        let help = "ask about a job: `elder next JOB PATH`";
        decoder.report(Code::DanglingName, span, &message, help);
        return None;
    };
    let mut found = Vec::with_capacity(names.len());
    let count = names.len();
    for (name, span) in names {
        match decoder.commons.calendars.own(&name).map(|own| own.cloned()) {
            Some(Ok(dates)) => {
                found.push((name, dates));
                continue;
            }
            // What is wrong with it has been said where it stands.
            Some(Err(_)) => continue,
            None if decoder.commons.unread_calendars.contains(&name) => continue,
            None => {}
        }
        let used = Use::Name(NameKind::Calendar, name.clone());
        decoder.commons.note(used);
        let calendars = &commons.calendars;
        match calendars.find(&decoder.commons.file, &name) {
            Found::Here(dates) => found.push((name, dates.clone())),
            Found::Gone(dates) => {
                let message = format!(
                    "the calendar `{name}` is gone; the schedule goes on by the dates that it had"
                );
                let help = format!("bring it back, or take it out of `{key}`");
                decoder.note(Problem::new(Code::NameGone, span, &message, &help));
                found.push((name, dates.clone()));
            }
            Found::Broken(shown, _) => {
                let message = format!("the calendar `{name}`, which {shown} defines, has no dates");
                decoder.report(Code::DanglingName, span, &message, "mend that file first");
            }
            Found::Unknown => bind::unknown(decoder, &name, span, calendars),
        }
    }
    (found.len() == count).then(|| Named::new(found))
}
