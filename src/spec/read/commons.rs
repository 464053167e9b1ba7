//! What a file defines for the whole tree, back from the stored form.

use std::borrow::Cow;
use std::sync::Arc;

use super::super::calendars::dates_of;
use super::super::shared::Shared;
use super::super::wire::{WireCalendar, WirePlacedPool, WireSage};
use super::Reader;
use crate::ids::{CalendarName, PoolName, SageName};
use crate::model::{Audience, Calendar, Origin, Placed, Pool, Sage, SageEvent};

impl Reader<'_> {
    pub(super) fn sage(&mut self, wire: WireSage<'_>) -> Result<Placed<Sage>, String> {
        let bad = |why: String| format!("sage {:?}: {why}", wire.name);
        let missing = |what| bad(format!("it refers to a {what} that is not there"));
        let context = self.contexts.get(wire.context);
        let policy = self.policies.get(wire.policy);
        let events = wire.events.iter().map(|word| {
            SageEvent::parse(word).ok_or_else(|| bad(format!("unknown event {word:?}")))
        });
        Ok(Placed {
            value: Arc::new(Sage {
                name: SageName::new(&wire.name).map_err(|e| bad(e.to_string()))?,
                context: context.cloned().ok_or_else(|| missing("context"))?,
                policy: policy.cloned().ok_or_else(|| missing("policy"))?,
                after: wire.after.max(1),
                remind: wire.remind,
                events: events.collect::<Result<_, _>>()?,
                action: self.action(wire.action)?,
            }),
            origin: Origin {
                file: self.shared.text(&wire.file),
                line: wire.line,
            },
        })
    }
}

/// Who hears what.
pub(super) fn audience(
    told: &[(Cow<'_, str>, Vec<Cow<'_, str>>)],
) -> Result<Option<Arc<Audience>>, String> {
    let mut audience = Audience::default();
    for (event, names) in told {
        let names = names
            .iter()
            .map(|name| SageName::new(name).map_err(|e| format!("sage {name:?}: {e}")))
            .collect::<Result<Vec<_>, _>>()?;
        let place = match SageEvent::parse(event) {
            Some(SageEvent::Success) => &mut audience.success,
            Some(SageEvent::Failure) => &mut audience.failure,
            Some(SageEvent::Missed) => &mut audience.missed,
            Some(SageEvent::Recovery) => &mut audience.recovery,
            Some(SageEvent::Stale) => &mut audience.stale,
            _ => return Err(format!("no job tells of {event:?}")),
        };
        *place = names;
    }
    Ok((!audience.is_empty()).then(|| Arc::new(audience)))
}

pub(super) fn placed_pool(
    wire: &WirePlacedPool<'_>,
    shared: &Shared<'_>,
) -> Result<Placed<Pool>, String> {
    Ok(Placed {
        value: Arc::new(pool(&wire.name, wire.limit)?),
        origin: Origin {
            file: shared.text(&wire.file),
            line: wire.line,
        },
    })
}

pub(super) fn pool(name: &str, limit: u32) -> Result<Pool, String> {
    let name = PoolName::new(name).map_err(|e| format!("pool {name:?}: {e}"))?;
    Ok(Pool {
        name,
        limit: limit.max(1),
    })
}

pub(super) fn calendar(wire: &WireCalendar<'_>, shared: &Shared<'_>) -> Result<Calendar, String> {
    let bad = |why: String| format!("calendar {:?}: {why}", wire.name);
    Ok(Calendar {
        name: CalendarName::new(&wire.name).map_err(|e| bad(e.to_string()))?,
        dates: Arc::new(dates_of(&wire.dates).map_err(bad)?),
        origin: Origin {
            file: shared.text(&wire.file),
            line: wire.line,
        },
    })
}
