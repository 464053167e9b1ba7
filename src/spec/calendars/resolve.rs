//! From what every file says to the dates of every name.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Broken, Calendars, Draft, Said, Says, Source};
use crate::schedule::Calendar;
use crate::spec::limits;

/// A name on its way to its dates.
struct Entry<'a> {
    source: Source<'a>,
    says: Entered<'a>,
    state: State,
}

#[derive(Clone, Copy)]
enum Entered<'a> {
    Draft(&'a Draft),
    Dates(&'a Arc<Calendar>),
    Bad,
}

#[derive(Clone)]
enum State {
    Unseen,
    /// On the way that is being followed.
    Open,
    /// With how deep its includes go.
    Done(Result<Arc<Calendar>, Broken>, usize),
}

impl Calendars {
    /// Makes the table. Of two files that define a name the one counts for which `holds` is true,
    /// else the first; that both do is for the merge to say.
    #[must_use]
    pub fn resolve(sources: &[Source<'_>], holds: impl Fn(&Source<'_>, &str) -> bool) -> Self {
        let mut calendars = Self::default();
        let mut entries: HashMap<&str, Entry<'_>> = HashMap::new();
        let mut order: Vec<&str> = Vec::new();
        for source in sources {
            let key = || (source.root.clone(), source.path.clone());
            let mut enter = |name, says| {
                let entry = Entry {
                    source: *source,
                    says,
                    state: State::Unseen,
                };
                match entries.get(name) {
                    Some(other) if holds(&other.source, name) || !holds(source, name) => {}
                    other => {
                        if other.is_none() {
                            order.push(name);
                        }
                        entries.insert(name, entry);
                    }
                }
            };
            match source.says {
                Says::Now(Said::Calendars(drafts)) => {
                    for draft in drafts.iter() {
                        enter(&draft.name, Entered::Draft(draft));
                    }
                }
                Says::Last(last) => {
                    for calendar in last {
                        enter(calendar.name.as_str(), Entered::Dates(&calendar.dates));
                    }
                }
                Says::Now(Said::Dates(dates)) | Says::LastDates(dates) => {
                    calendars.ics.insert(key(), Some(dates.clone()));
                }
                Says::Now(Said::Bad(_)) if super::is_ics(source.path) => {
                    calendars.ics.insert(key(), None);
                }
                Says::Now(Said::Bad(names)) => {
                    names.iter().for_each(|name| enter(name, Entered::Bad));
                }
                Says::Now(Said::Nothing) => {}
            }
        }
        let mut room = limits::TREE_RANGES;
        for name in &order {
            follow(name, &mut entries, &calendars, &mut room);
        }
        for name in order {
            let Some(entry) = entries.remove(name) else {
                continue;
            };
            let dates = match entry.state {
                State::Done(dates, _) => dates,
                State::Unseen | State::Open => Err(Broken::Unusable),
            };
            let names = &mut calendars.names;
            names.enter(&Arc::from(name), entry.source.shown, dates, false);
        }
        calendars
    }
}

/// Finds the dates of a name and of all that it includes, without recursion: the way may be as
/// long as there are calendars.
fn follow<'a>(
    name: &'a str,
    entries: &mut HashMap<&'a str, Entry<'a>>,
    calendars: &Calendars,
    room: &mut usize,
) {
    let mut way: Vec<(&'a str, usize)> = vec![(name, 0)];
    while let Some((name, next)) = way.last().copied() {
        let Some(entry) = entries.get_mut(name) else {
            way.pop();
            continue;
        };
        let draft = match (&entry.state, entry.says) {
            (State::Done(..), _) => {
                way.pop();
                continue;
            }
            (_, Entered::Dates(dates)) => {
                entry.state = State::Done(Ok(dates.clone()), 0);
                way.pop();
                continue;
            }
            (_, Entered::Bad) => {
                entry.state = State::Done(Err(Broken::Unusable), 0);
                way.pop();
                continue;
            }
            (_, Entered::Draft(draft)) => draft,
        };
        entry.state = State::Open;
        let Some(include) = draft.includes.get(next).map(|include| &**include) else {
            let root = entry.source.root.clone();
            let done = dates(draft, &root, entries, calendars, room);
            if let Some(entry) = entries.get_mut(name) {
                entry.state = done;
            }
            way.pop();
            continue;
        };
        if let Some(last) = way.last_mut() {
            last.1 += 1;
        }
        match entries.get(include).map(|entry| &entry.state) {
            Some(State::Open) => {
                let from = way.iter().position(|(on, _)| *on == include).unwrap_or(0);
                let circle: Vec<&str> = way[from..].iter().map(|(on, _)| *on).collect();
                let told: Vec<&str> = circle.iter().take(8).copied().chain([include]).collect();
                let told: Arc<str> = told.join(" → ").into();
                for on in circle {
                    if let Some(entry) = entries.get_mut(on) {
                        entry.state = State::Done(Err(Broken::Cycle(told.clone())), 0);
                    }
                }
            }
            Some(State::Unseen) => {
                // The key that lives as long as the entries.
                if let Some((include, _)) = entries.get_key_value(include) {
                    way.push((include, 0));
                }
            }
            Some(State::Done(..)) | None => {}
        }
    }
}

/// The dates of a calendar whose includes are known as far as they can be.
fn dates(
    draft: &Draft,
    root: &Arc<str>,
    entries: &HashMap<&str, Entry<'_>>,
    calendars: &Calendars,
    room: &mut usize,
) -> State {
    let mut parts: Vec<Arc<Calendar>> = Vec::with_capacity(draft.includes.len() + 1);
    let mut height = 0;
    for include in &draft.includes {
        match entries.get(&**include).map(|entry| &entry.state) {
            Some(State::Done(Ok(dates), below)) => {
                parts.push(dates.clone());
                height = height.max(below + 1);
            }
            _ => return State::Done(Err(Broken::Unusable), 0),
        }
    }
    if height > limits::INCLUDES {
        return State::Done(Err(Broken::TooDeep), height);
    }
    if let Some(ics) = &draft.ics {
        match calendars.ics.get(&(root.clone(), ics.clone())) {
            Some(Some(dates)) => parts.push(dates.clone()),
            _ => return State::Done(Err(Broken::Unusable), height),
        }
    }
    if let ([only], true) = (parts.as_slice(), draft.own.is_empty()) {
        return State::Done(Ok(only.clone()), height);
    }
    let ranges = parts.iter().map(|part| part.range_count()).sum::<usize>();
    let ranges = ranges.saturating_add(draft.own.range_count());
    if ranges > limits::CALENDAR_RANGES.min(*room) {
        return State::Done(Err(Broken::TooLarge), height);
    }
    *room -= ranges;
    let own = std::iter::once(&draft.own);
    let all = own.chain(parts.iter().map(|part| &**part));
    State::Done(Ok(Arc::new(Calendar::union(all))), height)
}
