//! What a file defines, given what all files say: its calendars with their dates, or why they have none.

use std::sync::Arc;

use super::read::Place;
use super::{Broken, Calendars, Draft, FoundIcs, Said, Says, Source, Use};
use crate::finding::Code;
use crate::ids::CalendarName;
use crate::model::{self, NameKind, Origin};
use crate::spec::commons;
use crate::spec::decode::Decoder;
use crate::spec::tree::Span;
use crate::spec::{InputFile, limits};

/// The dates of what a file defines, given what all files say; and a table of them, which is what
/// the file itself goes by. Whether the file is good, and so counts for others, is not known yet.
pub(in crate::spec) fn bind(
    decoder: &mut Decoder<'_, '_>,
    places: &[Place],
    input: &InputFile,
    calendars: &Calendars,
) -> (Vec<model::Calendar>, Calendars) {
    let own = own_table(places, input, calendars);
    let mut bound = Vec::with_capacity(places.len());
    for place in places {
        let before = decoder.errors();
        let draft = &place.draft;
        for (name, span) in draft.includes.iter().zip(&place.includes) {
            include(decoder, name, *span, &own, calendars);
        }
        if let Some(path) = &draft.ics {
            ics_file(decoder, path, place.ics, input, calendars);
        }
        if decoder.errors() > before {
            continue;
        }
        // What goes round or too deep over several files, only the table of all can tell.
        let far = calendars.names.defined(&draft.name);
        let far = far.filter(|known| known.shown == input.shown);
        let far = far.and_then(|known| known.value.as_ref().err());
        let near = own.own(&draft.name);
        match (near, far) {
            (Some(Err(broken)), _) | (_, Some(broken)) => unusable(decoder, place, broken),
            (Some(Ok(dates)), None) => {
                let name = CalendarName::new(&draft.name).ok();
                bound.extend(name.map(|name| model::Calendar {
                    name,
                    dates: dates.clone(),
                    origin: Origin {
                        file: input.shown.clone(),
                        line: decoder.line_of(place.span),
                    },
                }));
            }
            (None, None) => {}
        }
    }
    (bound, own)
}

/// What a file defines, by itself: what it includes of others is as they have it.
fn own_table(places: &[Place], input: &InputFile, calendars: &Calendars) -> Calendars {
    let drafts: Arc<[Draft]> = places.iter().map(|place| place.draft.clone()).collect();
    let said = Said::Calendars(drafts.clone());
    let of = |says| Source {
        root: &input.root,
        path: &input.path,
        shown: &input.shown,
        says,
    };
    let mut sources = vec![of(Says::Now(&said))];
    let includes = drafts.iter().flat_map(|draft| &draft.includes);
    let others: Vec<model::Calendar> = includes
        .filter_map(|name| {
            let dates = calendars.own(name)?.ok()?;
            Some(model::Calendar {
                name: CalendarName::new(name).ok()?,
                dates: dates.clone(),
                origin: Origin {
                    file: input.shown.clone(),
                    line: 0,
                },
            })
        })
        .collect();
    sources.push(of(Says::Last(&others)));
    for draft in drafts.iter() {
        if let Some(path) = &draft.ics
            && let FoundIcs::Dates(dates) = calendars.find_ics(&input.root, path)
        {
            sources.push(Source {
                path,
                ..of(Says::LastDates(dates))
            });
        }
    }
    // What it defines itself stands before what others call so.
    let mut own = Calendars::resolve(&sources, |_, _| false);
    own.names
        .keep(|name| drafts.iter().any(|draft| *draft.name == *name));
    own
}

fn unusable(decoder: &mut Decoder<'_, '_>, place: &Place, broken: &Broken) {
    let name = &place.draft.name;
    let (code, message, help) = match broken {
        Broken::TooDeep => (
            Code::Limit,
            format!(
                "`{name}` includes more than {} levels deep",
                limits::INCLUDES
            ),
            "",
        ),
        Broken::TooLarge => (
            Code::Limit,
            format!(
                "`{name}` has more than {} ranges with what it includes",
                limits::CALENDAR_RANGES
            ),
            "make several calendars of it",
        ),
        Broken::Cycle(way) => (
            Code::BadCalendar,
            format!("`{name}` includes itself: {way}"),
            "take one of these out of `include`",
        ),
        // What it includes has no dates, and that has been said where it stands.
        Broken::Unusable if decoder.errors_since(0) => return,
        Broken::Unusable => (
            Code::BadCalendar,
            format!("`{name}` includes what has no dates"),
            "mend that first",
        ),
    };
    decoder.report(code, place.span, &message, help);
}

fn include(
    decoder: &mut Decoder<'_, '_>,
    name: &Arc<str>,
    span: Span,
    own: &Calendars,
    calendars: &Calendars,
) {
    let help = "take one of these out of `include`";
    let used = Use::Name(NameKind::Calendar, name.clone());
    decoder.commons.note(used);
    if let Some(known) = own.own(name) {
        if let Err(Broken::Cycle(way)) = known {
            let message = format!("`{name}` includes itself: {way}");
            decoder.report(Code::BadCalendar, span, &message, help);
        }
        return;
    }
    let far = calendars.names.defined(name);
    match far.map(|known| (&known.shown, &known.value)) {
        Some((_, Ok(_))) => {}
        Some((_, Err(Broken::Cycle(way)))) => {
            let message = format!("`{name}` includes itself: {way}");
            decoder.report(Code::BadCalendar, span, &message, help);
        }
        Some((shown, Err(_))) => {
            let message = format!("`{name}`, which {shown} defines, has no dates");
            decoder.report(Code::DanglingName, span, &message, "mend that file first");
        }
        None => unknown(decoder, name, span, calendars),
    }
}

/// No file defines this name.
pub(in crate::spec) fn unknown(
    decoder: &mut Decoder<'_, '_>,
    name: &str,
    span: Span,
    calendars: &Calendars,
) {
    commons::unknown(decoder, NameKind::Calendar, name, span, calendars.names());
}

fn ics_file(
    decoder: &mut Decoder<'_, '_>,
    path: &Arc<str>,
    span: Span,
    input: &InputFile,
    calendars: &Calendars,
) {
    decoder.commons.note(Use::Ics(path.clone()));
    match calendars.find_ics(&input.root, path) {
        FoundIcs::Dates(_) => {}
        FoundIcs::Bad => {
            let message = format!("the calendar file {path} is bad");
            decoder.report(Code::BadCalendar, span, &message, "mend that file first");
        }
        FoundIcs::Missing => {
            let message = format!("there is no calendar file {path}");
            let near = decoder.did_you_mean(path, calendars.ics_files(&input.root));
            decoder.report(Code::DanglingName, span, &message, &near);
        }
    }
}
