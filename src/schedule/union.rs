//! Counting the fires of a union, where equal instants are one.
//!
//! Wall clocks fire on whole seconds, so a day of them is a map of 86,400 bits
//! that all items mark. Elapsed time is a residue class (`anchor` modulo
//! `period`), and what several classes share is a class again.

use jiff::Timestamp;

use super::dates::DAY;
use super::random::Random;
use super::times::Times;
use super::wall::Wall;
use super::{Item, period_nanos, zone};

const WORDS: usize = 1_350;
const SECOND: i128 = 1_000_000_000;

/// So many pairs of classes are looked at. Dozens of unlike periods stay below;
/// what needs more is estimated, between the most frequent period and the sum.
const BUDGET: usize = 100_000;

/// How many instants with `after < instant <= until` at least one of the items, which are plain
/// ones, fires at.
pub(super) fn count(items: &[&Item], after: Timestamp, until: Timestamp) -> u64 {
    let mut walls = Vec::new();
    let mut classes = Vec::new();
    let mut whole = Vec::new();
    // Counted from the first instant of the span, no member that matters is negative.
    let first = after.as_nanosecond() + 1;
    let length = until.as_nanosecond() + 1 - first;
    for item in items {
        match item {
            Item::Wall(wall) => walls.push(Whole::Wall(wall)),
            Item::Random(random) => walls.push(Whole::Random(random)),
            Item::Every { period, anchor } => {
                let Some(period) = period_nanos(*period) else {
                    continue;
                };
                let anchor = anchor.as_nanosecond();
                classes.push(Class::new(period, anchor - first));
                whole.extend(Class::new(period, anchor).in_seconds());
            }
            Item::At(_) | Item::Startup | Item::Manual | Item::Modified(_) => {}
        }
    }
    let mut budget = BUDGET;
    let elapsed = united(classes, length, &mut budget);
    let walls = seconds(&walls, &whole, zone::split(after).0, zone::split(until).0);
    let count = u64::try_from(elapsed).unwrap_or(u64::MAX);
    count
        .saturating_add(walls)
        .saturating_add(alone(items, after, until))
}

/// The instants of `at` lists that no other kind of item fires at.
fn alone(items: &[&Item], after: Timestamp, until: Timestamp) -> u64 {
    let mut instants: Vec<Timestamp> = items
        .iter()
        .filter_map(|item| match item {
            Item::At(instants) => Some(instants),
            _ => None,
        })
        .flatten()
        .copied()
        .filter(|at| *at > after && *at <= until)
        .collect();
    instants.sort_unstable();
    instants.dedup();
    let nanosecond = jiff::SignedDuration::from_nanos(1);
    let fires = |item: &Item, at: Timestamp| {
        !matches!(item, Item::At(_))
            && at
                .checked_sub(nanosecond)
                .is_ok_and(|before| item.next_after(before) == Some(at))
    };
    instants.retain(|at| !items.iter().any(|item| fires(item, *at)));
    instants.len() as u64
}

/// The seconds of the walls' union that are in none of the classes.
fn seconds(walls: &[Whole<'_>], classes: &[Class], after: i64, until: i64) -> u64 {
    let mut map = vec![0u64; WORDS];
    let mut count = 0;
    let mut at = after;
    // Days without a fire cost nothing.
    while let Some(next) = walls.iter().filter_map(|wall| wall.next_after(at)).min() {
        if next > until {
            break;
        }
        let start = next.div_euclid(DAY) * DAY;
        map.fill(0);
        for wall in walls {
            wall.mark(start, &mut map);
        }
        for class in classes {
            class.clear(start, &mut map);
        }
        clear(&mut map, 0, after + 1 - start);
        clear(&mut map, until + 1 - start, DAY);
        count += map
            .iter()
            .map(|word| u64::from(word.count_ones()))
            .sum::<u64>();
        at = start + DAY - 1;
    }
    count
}

/// What fires on whole seconds.
enum Whole<'a> {
    Wall(&'a Wall),
    Random(&'a Random),
}

impl Whole<'_> {
    fn next_after(&self, after: i64) -> Option<i64> {
        match self {
            Self::Wall(wall) => wall.next_after(after),
            Self::Random(random) => random.next_after(after),
        }
    }

    /// Marks the fires of the day that begins at `start`.
    fn mark(&self, start: i64, map: &mut [u64]) {
        match self {
            Self::Wall(wall) => mark(wall, start, map),
            Self::Random(random) => {
                for day in random.day_at(start)..=random.day_at(start + DAY) {
                    for at in random.placed(day).all() {
                        set(map, at - start, 1);
                    }
                }
            }
        }
    }
}

/// Marks the fires of the day that begins at `start`.
fn mark(wall: &Wall, start: i64, map: &mut [u64]) {
    // The day that begins so much earlier has the same fires before they were put off.
    let start = start - i64::from(wall.phase);
    if wall.moved().is_some() || !wall.is_quiet(start) {
        // A day on which the clock is changed: few of them, so they are walked. So are dates that
        // calendars have moved: schedules that have calendars seldom fire.
        let start = start + i64::from(wall.phase);
        let mut at = start - 1;
        while let Some(next) = wall.next_after(at).filter(|next| *next < start + DAY) {
            set(map, next - start, 1);
            at = next;
        }
        return;
    }
    let shown = start + wall.zone.span_at(start).offset;
    let first = shown.div_euclid(DAY);
    for day in [first, first + 1] {
        if !wall.dates.contains(day) {
            continue;
        }
        let midnight = day * DAY - shown;
        match &wall.times {
            Times::Grid(grid) => {
                for minute in 0..1_440 {
                    let meant = grid.hours & (1 << (minute / 60)) != 0
                        && grid.minutes & (1 << (minute % 60)) != 0;
                    if meant {
                        set(map, midnight + minute * 60, grid.seconds);
                    }
                }
            }
            Times::List(list) => {
                for second in list {
                    set(map, midnight + i64::from(*second), 1);
                }
            }
        }
    }
}

/// Puts up to 60 bits at a second of the day; what lies outside the day falls away.
fn set(map: &mut [u64], at: i64, bits: u64) {
    let (at, bits) = match at {
        ..=-64 => return,
        -63..0 => (0, bits >> -at),
        _ => (at, bits),
    };
    let Ok(at) = usize::try_from(at) else { return };
    let (word, shift) = (at / 64, at % 64);
    if let Some(word) = map.get_mut(word) {
        *word |= bits << shift;
    }
    if shift > 0
        && let Some(word) = map.get_mut(word + 1)
    {
        *word |= bits >> (64 - shift);
    }
}

/// Clears the seconds `from <= second < to` of the day.
fn clear(map: &mut [u64], from: i64, to: i64) {
    let (from, to) = (from.clamp(0, DAY), to.clamp(0, DAY));
    for (word, start) in map.iter_mut().zip((0..).step_by(64)) {
        let low = (from - start).clamp(0, 64);
        let high = (to - start).clamp(0, 64);
        if low < high {
            let ones = u64::MAX >> (64 - (high - low));
            *word &= !(ones << low);
        }
    }
}

/// All whole numbers that leave `rest` when divided by `period`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Class {
    period: i128,
    rest: i128,
}

/// A period so long that a span of time holds one member at most.
const ONCE: i128 = 1 << 80;

impl Class {
    fn new(period: i128, member: i128) -> Self {
        Self {
            period,
            rest: member.rem_euclid(period),
        }
    }

    /// How many members there are from 0 on and below `length`.
    fn count(&self, length: i128) -> i128 {
        if self.rest >= length {
            return 0;
        }
        (length - 1 - self.rest) / self.period + 1
    }

    fn holds(&self, member: i128) -> bool {
        member.rem_euclid(self.period) == self.rest
    }

    /// The same members below `length`, with [`ONCE`] for a period that does not repeat there.
    fn within(self, length: i128) -> Self {
        if self.rest + self.period.min(ONCE) < length {
            return self;
        }
        Self {
            period: ONCE,
            rest: self.rest,
        }
    }

    /// Whether every member of `other` is one of this.
    fn covers(&self, other: &Self) -> bool {
        self.holds(other.rest) && (other.period == ONCE || other.period % self.period == 0)
    }

    /// What two classes that are `within` have in common below `length`.
    fn common(&self, other: &Self, length: i128) -> Option<Self> {
        if self.period == ONCE {
            return other.holds(self.rest).then_some(*self);
        }
        if other.period == ONCE {
            return self.holds(other.rest).then_some(*other);
        }
        let (gcd, inverse) = gcd(self.period, other.period);
        let distance = other.rest - self.rest;
        if distance % gcd != 0 {
            return None;
        }
        let turn = other.period / gcd;
        let steps = multiply(distance / gcd, inverse, turn);
        // What is too large for a number is past the span too.
        let rest = self.rest.checked_add(self.period.checked_mul(steps)?)?;
        let period = self.period.checked_mul(turn).unwrap_or(ONCE);
        (rest < length).then(|| Self { period, rest }.within(length))
    }

    /// The members that are whole seconds, as seconds.
    fn in_seconds(&self) -> Option<Self> {
        let (gcd, inverse) = gcd(self.period, SECOND);
        if self.rest % gcd != 0 {
            return None;
        }
        let turn = SECOND / gcd;
        let steps = multiply(-self.rest / gcd, inverse, turn);
        let member = self.rest.checked_add(self.period.checked_mul(steps)?)?;
        let period = self.period.checked_mul(turn)?;
        Some(Self::new(period / SECOND, member / SECOND))
    }

    /// Clears the members of the day that begins at `start`.
    fn clear(&self, start: i64, map: &mut [u64]) {
        if self.period == 1 {
            map.fill(0);
            return;
        }
        let first = (self.rest - i128::from(start)).rem_euclid(self.period);
        let day = i128::from(DAY);
        let (Ok(mut at), Ok(step)) = (
            usize::try_from(first.min(day)),
            usize::try_from(self.period.min(day)),
        ) else {
            return;
        };
        while let Some(word) = map.get_mut(at / 64) {
            *word &= !(1 << (at % 64));
            at += step;
        }
    }
}

/// How many numbers below `length` are in at least one class: each class counts
/// what the classes before it do not have.
fn united(classes: Vec<Class>, length: i128, budget: &mut usize) -> i128 {
    let mut classes: Vec<Class> = classes
        .into_iter()
        .filter(|class| class.count(length) > 0)
        .map(|class| class.within(length))
        .collect();
    // The short periods first: they cover the most.
    classes.sort_unstable_by_key(|class| class.period);
    let mut kept: Vec<Class> = Vec::new();
    let mut count = 0;
    for class in classes {
        *budget = budget.saturating_sub(kept.len());
        if kept.iter().any(|before| before.covers(&class)) {
            continue;
        }
        let mut own = class.count(length);
        if *budget > 0 {
            let shared = kept
                .iter()
                .filter_map(|before| class.common(before, length))
                .collect();
            own -= united(shared, length, budget);
        }
        // An estimate of what is shared may be too high.
        count += own.max(0);
        kept.push(class);
    }
    count
}

/// The greatest common divisor of two positive numbers, and a number that the
/// first can be multiplied by to leave it when divided by the second.
fn gcd(a: i128, b: i128) -> (i128, i128) {
    let (mut old, mut new) = ((a, 1), (b, 0));
    while new.0 != 0 {
        let times = old.0 / new.0;
        (old, new) = (new, (old.0 - times * new.0, old.1 - times * new.1));
    }
    old
}

/// The rest of `a * b` divided by `modulus`, which is below 2⁹⁶, without overflow.
fn multiply(a: i128, b: i128, modulus: i128) -> i128 {
    let (mut a, mut b) = (a.rem_euclid(modulus), b.rem_euclid(modulus));
    let mut product = 0;
    while b > 0 {
        if b & 1 == 1 {
            product = (product + a) % modulus;
        }
        a = a * 2 % modulus;
        b >>= 1;
    }
    product
}
