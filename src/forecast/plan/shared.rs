//! Sages, calendars and pools: what files define for the whole tree, and which jobs name it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::fields::{self, Field};
use crate::decide::merge::InForce;
use crate::ids::JobName;
use crate::model::{Job, NameKind, Origin, Pool, Sage};
use crate::schedule::Calendar;

/// So many jobs are named of those that refer to one.
const JOBS: usize = 10;

/// So many of a calendar's dates are named.
const DATES: usize = 10;

/// A sage, calendar or pool that comes, goes, or is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// `sage`, `calendar` or `pool`.
    pub kind: String,
    /// What jobs call it.
    pub name: String,
    /// What becomes of it.
    pub change: Fate,
    /// `FILE:LINE`; of what goes, where it was.
    pub source: String,
    /// What is another.
    pub fields: Vec<Field>,
    /// Some of the jobs that name it, by name; of what goes, those that named it.
    pub jobs: Vec<String>,
    /// How many others.
    pub more: usize,
}

/// What becomes of something that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// It goes.
    Removed,
    /// It is another.
    Changed,
    /// It is new.
    Added,
}

impl Fate {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Fate::Removed => "removed",
            Fate::Changed => "changed",
            Fate::Added => "added",
        }
    }
}

/// What stands under a name.
#[derive(PartialEq)]
enum Thing<'a> {
    Sage(&'a Sage),
    Calendar(&'a Calendar),
    Pool(&'a Pool),
}

type Key<'a> = (NameKind, &'a str);

/// What differs, removed ones first, by kind and name. What only stands elsewhere is the same.
pub(super) fn of(before: &InForce, after: &InForce) -> Vec<Shared> {
    let (old, new) = (things(before), things(after));
    let mut found: Vec<(Fate, Key<'_>, &Origin, Vec<Field>)> = Vec::new();
    for (key, (thing, origin)) in &old {
        match new.get(key) {
            None => found.push((Fate::Removed, *key, *origin, Vec::new())),
            Some((now, origin)) if now != thing => {
                found.push((Fate::Changed, *key, *origin, differing(thing, now)));
            }
            Some(_) => {}
        }
    }
    for (key, (_, origin)) in &new {
        if !old.contains_key(key) {
            found.push((Fate::Added, *key, *origin, Vec::new()));
        }
    }
    if found.is_empty() {
        return Vec::new();
    }
    found.sort_by_key(|(fate, key, ..)| (*fate, *key));
    let (users_before, users_after) = (users(before), users(after));
    let told = found.into_iter().map(|(change, key, origin, fields)| {
        let users = match change {
            Fate::Removed => &users_before,
            Fate::Changed | Fate::Added => &users_after,
        };
        let jobs = users.get(&key);
        let count = jobs.map_or(0, BTreeSet::len);
        let jobs = jobs.into_iter().flatten().take(JOBS);
        Shared {
            kind: key.0.word().to_owned(),
            name: key.1.to_owned(),
            change,
            source: format!("{}:{}", origin.file, origin.line),
            fields,
            jobs: jobs.map(ToString::to_string).collect(),
            more: count.saturating_sub(JOBS),
        }
    });
    told.collect()
}

fn things(in_force: &InForce) -> BTreeMap<Key<'_>, (Thing<'_>, &Origin)> {
    let mut things = BTreeMap::new();
    let files = in_force.roots.iter().flat_map(|root| &root.files);
    for commons in files.map(|file| file.content.commons()) {
        let sages = commons.sages.iter().map(|one| {
            let key = (NameKind::Sage, one.value.name.as_str());
            (key, (Thing::Sage(&one.value), &one.origin))
        });
        let calendars = commons.calendars.iter().map(|one| {
            let key = (NameKind::Calendar, one.name.as_str());
            (key, (Thing::Calendar(&one.dates), &one.origin))
        });
        let pools = commons.pools.iter().map(|one| {
            let key = (NameKind::Pool, one.value.name.as_str());
            (key, (Thing::Pool(&one.value), &one.origin))
        });
        things.extend(sages.chain(calendars).chain(pools));
    }
    things
}

/// Which jobs name what.
fn users(in_force: &InForce) -> BTreeMap<Key<'_>, BTreeSet<&JobName>> {
    let mut users: BTreeMap<Key<'_>, BTreeSet<&JobName>> = BTreeMap::new();
    for job in in_force.jobs() {
        for key in named(job) {
            users.entry(key).or_default().insert(job.name());
        }
    }
    users
}

fn named(job: &Job) -> impl Iterator<Item = Key<'_>> {
    let definition = &*job.definition;
    let audience = definition.policy.audience.as_deref();
    let told = audience.into_iter().flat_map(|audience| audience.all());
    let sages = told.flat_map(|(_, names)| names);
    let sages = sages.map(|name| (NameKind::Sage, name.as_str()));
    let calendars = definition.schedule.calendars();
    let calendars = calendars.map(|(name, _)| (NameKind::Calendar, &**name));
    let pool = definition.policy.pool.iter();
    let pool = pool.map(|pool| (NameKind::Pool, pool.name.as_str()));
    sages.chain(calendars).chain(pool)
}

fn differing(before: &Thing<'_>, after: &Thing<'_>) -> Vec<Field> {
    match (before, after) {
        (Thing::Sage(before), Thing::Sage(after)) => fields::of_sages(before, after),
        (Thing::Calendar(before), Thing::Calendar(after)) => of_calendars(before, after),
        (Thing::Pool(before), Thing::Pool(after)) => vec![Field {
            key: "limit".to_owned(),
            before: Some(before.limit.to_string()),
            after: Some(after.limit.to_string()),
        }],
        _ => Vec::new(),
    }
}

/// The dates that go and come, those of `include` and of `.ics` files too.
fn of_calendars(before: &Calendar, after: &Calendar) -> Vec<Field> {
    let weekdays = |calendar: &Calendar| vec![calendar.weekdays().to_string()];
    let yearly = |calendar: &Calendar| {
        let days = calendar.days_of_the_year();
        days.map(|(month, day)| format!("{month:02}-{day:02}"))
            .collect()
    };
    let ranges = |calendar: &Calendar| {
        let ranges = calendar.ranges();
        ranges
            .map(|(first, last)| match first == last {
                true => first.to_string(),
                false => format!("{first} to {last}"),
            })
            .collect()
    };
    let part = |key: &str, of: &dyn Fn(&Calendar) -> Vec<String>| {
        let (old, new) = (of(before), of(after));
        (old != new).then(|| Field {
            key: key.to_owned(),
            before: only_in(&old, &new),
            after: only_in(&new, &old),
        })
    };
    let parts = [
        part("weekdays", &weekdays),
        part("dates of every year", &yearly),
        part("dates", &ranges),
    ];
    parts.into_iter().flatten().collect()
}

/// What one list has and the other lacks.
fn only_in(list: &[String], other: &[String]) -> Option<String> {
    let other: BTreeSet<&String> = other.iter().collect();
    let own = list.iter().filter(|one| !one.is_empty());
    let own: Vec<&str> = own
        .filter(|one| !other.contains(one))
        .map(String::as_str)
        .collect();
    let more = own.len().saturating_sub(DATES);
    let mut shown = own.get(..DATES).unwrap_or(&own).join(", ");
    if more > 0 {
        shown.push_str(&format!(" and {more} more"));
    }
    (!shown.is_empty()).then_some(shown)
}
