//! What waits for delivery, and which letter goes next: decides, performs nothing.
//!
//! Letters of one sage about one job go in the order in which they were written. A sage that
//! failed twice in a row rests, ever longer, and is then tried with one letter; when it takes that,
//! all others follow at once. One that asks to be left alone is, by all its letters. So a sage that
//! is away for an hour costs few attempts, and one letter that is refused for its own sake holds up
//! only what follows it about the same job: among several the one goes that has been due for
//! longest.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::ids::{JobName, RunId, SageName};
use crate::store::Waiting;

/// So many deliveries of one sage at once.
const OF_ONE_SAGE: usize = 2;

/// So many failures in a row make a sage rest.
const REST_AFTER: u32 = 2;

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// For one sage.
    pub(super) of_sage: usize,
    /// In all.
    pub(super) in_all: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            of_sage: 10_000,
            in_all: 50_000,
        }
    }
}

/// A wait that ends.
#[derive(Clone, Copy, Debug)]
struct Wait {
    until: Timestamp,
    /// How long it is in all, from when it began.
    long: Duration,
}

impl Wait {
    fn new(now: Timestamp, long: Duration) -> Self {
        let until = now.saturating_add(long).unwrap_or(Timestamp::MAX);
        Self { until, long }
    }

    fn until(now: Timestamp, until: Timestamp) -> Self {
        let long = until.duration_since(now);
        let long = Duration::try_from(long).unwrap_or_default();
        Self { until, long }
    }

    /// The clock was set back: from now on it is no longer than it was to be in all.
    fn set_back(&mut self, now: Timestamp) {
        self.until = self.until.min(Self::new(now, self.long).until);
    }
}

/// A letter that waits or is under way.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) id: RunId,
    pub(super) sage: SageName,
    pub(super) job: Option<JobName>,
    pub(super) at: Timestamp,
    pub(super) attempts: u32,
    due: Option<Wait>,
    is_under_way: bool,
}

impl Item {
    /// A letter that was never tried.
    pub(super) fn new(id: RunId, sage: SageName, at: Timestamp) -> Self {
        Self {
            id,
            sage,
            job: None,
            at,
            attempts: 0,
            due: None,
            is_under_way: false,
        }
    }

    /// A letter as the store has it, which is tried at `due`.
    pub(super) fn of(waiting: Waiting, due: Option<Timestamp>, now: Timestamp) -> Self {
        Self {
            id: waiting.id,
            sage: waiting.sage,
            job: waiting.job,
            at: waiting.at,
            attempts: waiting.attempts,
            due: due.map(|due| Wait::until(now, due)),
            is_under_way: false,
        }
    }
}

/// How a sage fares.
#[derive(Debug, Default)]
struct Lane {
    numbers: BTreeSet<u64>,
    under_way: usize,
    /// Failures in a row.
    failures: u32,
    rests: Option<Wait>,
    /// It asked to be left alone for so long. What it takes of before says nothing against that.
    asked: Option<Wait>,
}

impl Lane {
    fn rests_until(&self) -> Option<Timestamp> {
        let waits = [self.rests, self.asked];
        waits.into_iter().flatten().map(|wait| wait.until).max()
    }
}

/// All letters.
#[derive(Debug, Default)]
pub(super) struct Queue {
    items: BTreeMap<u64, Item>,
    lanes: BTreeMap<SageName, Lane>,
    /// Which sage was served last: the others come first.
    last: Option<SageName>,
}

impl Queue {
    /// A letter waits under this number.
    pub(super) fn add(&mut self, number: u64, item: Item) {
        let lane = self.lanes.entry(item.sage.clone()).or_default();
        lane.numbers.insert(number);
        self.items.insert(number, item);
    }

    pub(super) fn get(&self, number: u64) -> Option<&Item> {
        self.items.get(&number)
    }

    /// Whether it waits and is not under way.
    pub(super) fn is_idle(&self, number: u64) -> bool {
        self.items.get(&number).is_some_and(|it| !it.is_under_way)
    }

    pub(super) fn len_of(&self, sage: &SageName) -> u64 {
        let lane = self.lanes.get(sage);
        lane.map_or(0, |lane| lane.numbers.len() as u64)
    }

    pub(super) fn sages(&self) -> impl Iterator<Item = &SageName> {
        self.lanes.keys()
    }

    /// Takes the letter that goes next, if one may; `may_go` says of which this can be.
    pub(super) fn next(
        &mut self,
        now: Timestamp,
        may_go: impl Fn(u64) -> bool,
    ) -> Option<(u64, Item)> {
        let after: Vec<&SageName> = match &self.last {
            Some(last) => {
                let (before, after): (Vec<_>, Vec<_>) =
                    self.lanes.keys().partition(|sage| *sage <= last);
                after.into_iter().chain(before).collect()
            }
            None => self.lanes.keys().collect(),
        };
        let found = after
            .into_iter()
            .find_map(|sage| Some((sage.clone(), self.next_of(&self.lanes[sage], now, &may_go)?)));
        let (sage, number) = found?;
        let lane = self.lanes.get_mut(&sage)?;
        lane.under_way += 1;
        self.last = Some(sage);
        let item = self.items.get_mut(&number)?;
        item.is_under_way = true;
        Some((number, item.clone()))
    }

    fn next_of(&self, lane: &Lane, now: Timestamp, may_go: impl Fn(u64) -> bool) -> Option<u64> {
        let at_once = if lane.failures == 0 { OF_ONE_SAGE } else { 1 };
        if lane.under_way >= at_once || lane.rests_until().is_some_and(|until| until > now) {
            return None;
        }
        let heads = self.heads(lane).filter(|(number, item)| {
            may_go(*number) && !item.is_under_way && item.due.is_none_or(|due| due.until <= now)
        });
        // Untried ones first, then the one that has waited longest: a letter that is refused for
        // its own sake is due again at each end of the sage's rest, and must not take every turn.
        heads
            .min_by_key(|(number, item)| (item.due.map(|due| due.until), *number))
            .map(|(number, _)| number)
    }

    /// The first letter about each job: the others wait for it.
    fn heads<'a>(&'a self, lane: &'a Lane) -> impl Iterator<Item = (u64, &'a Item)> {
        let mut seen: HashSet<Option<&JobName>> = HashSet::new();
        lane.numbers.iter().filter_map(move |number| {
            let item = self.items.get(number)?;
            // What is about no job stands for itself.
            let is_first = item.job.is_none() || seen.insert(item.job.as_ref());
            is_first.then_some((*number, item))
        })
    }

    /// When something may go that may not now.
    pub(super) fn next_wake(&self, now: Timestamp) -> Option<Timestamp> {
        let of_lane = |lane: &Lane| {
            if lane.numbers.is_empty() {
                return None;
            }
            if let Some(until) = lane.rests_until().filter(|until| *until > now) {
                return Some(until);
            }
            let heads = self.heads(lane).filter(|(_, item)| !item.is_under_way);
            // What is due now waits for a place, and whoever frees one looks again.
            let due = heads.filter_map(|(_, item)| Some(item.due?.until));
            due.filter(|due| *due > now).min()
        };
        self.lanes.values().filter_map(of_lane).min()
    }

    /// The sage took it, or nothing more is tried: it waits no more.
    pub(super) fn over(&mut self, number: u64, took: Took) -> Option<Item> {
        let item = self.items.remove(&number)?;
        let lane = self.lanes.get_mut(&item.sage)?;
        lane.numbers.remove(&number);
        if item.is_under_way {
            lane.under_way -= 1;
        }
        if took == Took::Yes {
            let rested = lane.failures >= REST_AFTER;
            (lane.failures, lane.rests) = (0, None);
            if rested {
                // It is back: what waited for that goes now.
                self.due_now(&item.sage);
            }
        }
        Some(item)
    }

    /// The sage did not take it: it is tried again after `wait`, and the sage rests by `rest`, which
    /// says how long after so many failures in a row, and for no less than it `asked` for.
    pub(super) fn failed(
        &mut self,
        number: u64,
        now: Timestamp,
        (wait, asked): (Duration, Duration),
        rest: impl FnOnce(u32) -> Duration,
    ) {
        let Some(item) = self.items.get_mut(&number) else {
            return;
        };
        item.attempts += 1;
        item.due = Some(Wait::new(now, wait.max(asked)));
        let was_under_way = std::mem::replace(&mut item.is_under_way, false);
        let Some(lane) = self.lanes.get_mut(&item.sage) else {
            return;
        };
        lane.under_way -= usize::from(was_under_way);
        lane.failures = lane.failures.saturating_add(1);
        if lane.failures >= REST_AFTER {
            let rest = rest(lane.failures - REST_AFTER + 1);
            lane.rests = Some(Wait::new(now, rest));
        }
        if !asked.is_zero() {
            lane.asked = Some(Wait::new(now, asked));
        }
    }

    /// The clock was set back: what was planned by the time before waits no longer than it was to.
    pub(super) fn set_back(&mut self, now: Timestamp) {
        let dues = self.items.values_mut().filter_map(|item| item.due.as_mut());
        let lanes = self.lanes.values_mut();
        let rests = lanes.flat_map(|lane| [&mut lane.rests, &mut lane.asked].into_iter().flatten());
        for wait in dues.chain(rests) {
            wait.set_back(now);
        }
    }

    /// It comes back untried: elder stops, or the store did not give it out.
    pub(super) fn untried(&mut self, number: u64) {
        let Some(item) = self.items.get_mut(&number) else {
            return;
        };
        if std::mem::replace(&mut item.is_under_way, false)
            && let Some(lane) = self.lanes.get_mut(&item.sage)
        {
            lane.under_way -= 1;
        }
    }

    /// A sage has another definition: whatever was wrong may be mended.
    pub(super) fn renewed(&mut self, sage: &SageName) {
        if let Some(lane) = self.lanes.get_mut(sage) {
            (lane.failures, lane.rests, lane.asked) = (0, None, None);
            self.due_now(sage);
        }
    }

    /// Jobs have other names: letters about them wait for each other under these.
    pub(super) fn rename(&mut self, moves: &HashMap<JobName, JobName>) {
        for job in self.items.values_mut().filter_map(|it| it.job.as_mut()) {
            if let Some(to) = moves.get(job) {
                *job = to.clone();
            }
        }
    }

    fn due_now(&mut self, sage: &SageName) {
        let Some(lane) = self.lanes.get(sage) else {
            return;
        };
        for number in &lane.numbers {
            if let Some(item) = self.items.get_mut(number) {
                item.due = None;
            }
        }
    }

    /// The oldest letters beyond the bounds; those under way stay.
    pub(super) fn excess(&self, bounds: Bounds) -> Vec<u64> {
        let mut excess = BTreeSet::new();
        let idle = |number: &&u64| self.is_idle(**number);
        for lane in self.lanes.values() {
            let more = lane.numbers.len().saturating_sub(bounds.of_sage);
            excess.extend(lane.numbers.iter().filter(idle).take(more));
        }
        let more = (self.items.len() - excess.len()).saturating_sub(bounds.in_all);
        let oldest = self.items.keys().filter(idle);
        let oldest = oldest.filter(|number| !excess.contains(*number));
        let oldest: Vec<u64> = oldest.take(more).copied().collect();
        excess.extend(oldest);
        excess.into_iter().collect()
    }

    /// Every letter of a sage that is not under way.
    pub(super) fn idle_of(&self, sage: &SageName) -> Vec<u64> {
        let idle = |number: &&u64| self.is_idle(**number);
        let lane = self.lanes.get(sage);
        lane.map_or_else(Vec::new, |lane| {
            lane.numbers.iter().filter(idle).copied().collect()
        })
    }
}

/// Whether a sage took a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Took {
    /// It did.
    Yes,
    /// It did not.
    No,
}
