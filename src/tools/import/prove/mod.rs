//! Whether the job file fires when its source did: both sides, side by side.
//!
//! The old side is computed by `scan`, from the source's own text and rules and without
//! `crate::schedule`; the new side from the job file that was printed, read again. A difference
//! is only taken for one of a known class when the old side, put under elder's rule, gives the
//! new side exactly.

mod report;
mod scan;

use std::time::Duration;

use jiff::Timestamp;

use super::calendar::{Calendar, Rule};
use crate::schedule::{Schedule, Zones};

/// When a source fires an entry, by its own rules.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Old {
    /// Dates and times, perhaps within bounds (both ends in).
    Calendar {
        calendar: Box<Calendar>,
        from: Option<Timestamp>,
        until: Option<Timestamp>,
    },
    /// Elapsed time. Without an anchor it counts from when the source was started.
    Every {
        period: Duration,
        anchor: Option<Timestamp>,
        until: Option<Timestamp>,
    },
    /// At these instants.
    At(Vec<Timestamp>),
    /// When the source starts.
    Startup,
}

impl Old {
    pub fn calendar(calendar: Calendar) -> Self {
        Self::Calendar {
            calendar: Box::new(calendar),
            from: None,
            until: None,
        }
    }
}

/// What the comparison of one job came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same instants.
    Equal,
    /// They differ, only where the clock is changed and as the rules of both sides say.
    ClockChange,
    /// The same distances, counted from another instant.
    Phase,
    /// Nothing in it depends on the time.
    NoTime,
    /// They differ and there is no known reason.
    Differs,
}

/// Instants near each other at which the two sides differ.
#[derive(Clone, Debug, PartialEq)]
struct Difference {
    old: Vec<Timestamp>,
    new: Vec<Timestamp>,
}

/// The comparison of one job.
#[derive(Clone, Debug)]
pub struct JobProof {
    name: String,
    verdict: Verdict,
    /// Fires of the old side that were compared.
    compared: usize,
    until: Option<Timestamp>,
    /// Changes of the clock after that, around which the sides were compared too.
    changes: Vec<Timestamp>,
    /// What `spread` adds to each fire of the new side.
    delay: Option<Duration>,
    zone: jiff::tz::TimeZone,
    differences: Vec<Difference>,
    why: String,
}

/// The comparison of all jobs.
#[derive(Clone, Debug)]
pub struct Proof {
    from: Timestamp,
    count: usize,
    jobs: Vec<JobProof>,
}

impl Proof {
    pub(super) fn new(from: Timestamp, count: usize) -> Self {
        Self {
            from,
            count,
            jobs: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, job: JobProof) {
        self.jobs.push(job);
    }

    /// Whether every difference has a known reason.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.jobs.iter().all(|job| job.verdict != Verdict::Differs)
    }

    /// Each job with its verdict.
    pub fn verdicts(&self) -> impl Iterator<Item = (&str, Verdict)> {
        self.jobs.iter().map(|job| (&*job.name, job.verdict))
    }

    /// The comparison for people, one line for each job that is equal.
    #[must_use]
    pub fn render(&self) -> String {
        report::render(self)
    }
}

/// The new side of a job.
pub(super) struct New<'a> {
    /// Its schedule, if the job is in the job file.
    pub schedule: Option<&'a Schedule>,
    /// Elder's rules for its schedules, in their order.
    pub rules: &'a [Rule],
    /// Below this, one fixed delay of all its fires is meant.
    pub spread: Option<Duration>,
}

/// Compares one job.
pub(super) fn prove(
    name: &str,
    old: &[Old],
    new: &New<'_>,
    (from, count): (Timestamp, usize),
    zones: &Zones,
) -> JobProof {
    let rules = new.rules;
    let mut proof = JobProof {
        name: name.to_owned(),
        verdict: Verdict::Differs,
        compared: 0,
        until: None,
        changes: Vec::new(),
        delay: None,
        zone: scan::zone_of(old, zones),
        differences: Vec::new(),
        why: String::new(),
    };
    let Some(schedule) = new.schedule else {
        proof.why = "the job is not in the job file".to_owned();
        return proof;
    };
    let timed: Vec<&Old> = old.iter().filter(|old| **old != Old::Startup).collect();
    if timed.is_empty() {
        let fires = schedule.next_after(from).is_some();
        if !fires {
            proof.verdict = Verdict::NoTime;
        }
        return proof;
    }
    if let [
        Old::Every {
            period,
            anchor: None,
            ..
        },
    ] = timed[..]
    {
        return phase(proof, *period, schedule, from, count);
    }
    let mut sides = Sides {
        old: &timed,
        rules,
        schedule,
        delay: Duration::ZERO,
        zones,
    };
    if let Some(spread) = new.spread {
        sides.delay = sides
            .fixed_delay(from)
            .filter(|delay| *delay < spread)
            .unwrap_or_default();
        proof.delay = Some(sides.delay);
    }
    let main = sides.compare(from, None, count);
    proof.compared = main.old.len();
    proof.until = main.old.last().copied();
    proof.differences = differences(&main.old, &main.new);
    let mut as_expected = main.as_expected;
    // A job of every minute is over long before the clock changes, and that is where rules differ.
    for change in scan::changes(&timed, main.horizon, from, zones) {
        let near = sides.compare(change - DAY, Some(change + DAY), MOST_NEAR_A_CHANGE);
        proof.differences.extend(differences(&near.old, &near.new));
        as_expected &= near.as_expected;
        proof.changes.push(change);
    }
    proof.verdict = match (proof.differences.is_empty(), as_expected) {
        (true, true) => Verdict::Equal,
        (false, true) => Verdict::ClockChange,
        (_, false) => Verdict::Differs,
    };
    if proof.verdict == Verdict::ClockChange {
        proof.why = report::why(&timed, rules);
    }
    proof
}

const DAY: Duration = Duration::from_secs(86_400);
/// A fire each second for two days.
const MOST_NEAR_A_CHANGE: usize = 2 * 86_400;

/// Both sides of a job.
struct Sides<'a> {
    old: &'a [&'a Old],
    rules: &'a [Rule],
    schedule: &'a Schedule,
    /// What `spread` adds to each fire.
    delay: Duration,
    zones: &'a Zones,
}

/// What both sides do in a span.
struct Span {
    old: Vec<Timestamp>,
    new: Vec<Timestamp>,
    horizon: Timestamp,
    /// The new side is what the old one would be under elder's rule.
    as_expected: bool,
}

impl Sides<'_> {
    /// How far the first new fire comes after the first old one.
    fn fixed_delay(&self, from: Timestamp) -> Option<Duration> {
        let wanted = scan::Wanted {
            from,
            until: Timestamp::MAX,
            count: 1,
        };
        let old = scan::fires(self.old, None, wanted, self.zones);
        let first = *old.instants.first()?;
        let before = first.checked_sub(Duration::from_nanos(1)).ok()?;
        let new = self.schedule.next_after(before)?.scheduled;
        new.duration_since(first).try_into().ok()
    }

    fn compare(&self, from: Timestamp, until: Option<Timestamp>, count: usize) -> Span {
        let wanted = scan::Wanted {
            from,
            until: until.unwrap_or(Timestamp::MAX),
            count,
        };
        let own = scan::fires(self.old, None, wanted, self.zones);
        let horizon = own.horizon;
        let later = |at: Timestamp| at.checked_add(self.delay).unwrap_or(Timestamp::MAX);
        let (mut new, more) = walk(self.schedule, later(from), later(horizon), count);
        for at in &mut new {
            *at = at.checked_sub(self.delay).unwrap_or(*at);
        }
        let most = count.saturating_add(SLACK);
        let wanted = scan::Wanted {
            until: horizon,
            count: most,
            ..wanted
        };
        let expected = scan::fires(self.old, Some(self.rules), wanted, self.zones);
        let within = |mut instants: Vec<Timestamp>| {
            instants.retain(|at| *at <= horizon);
            instants
        };
        let old = within(own.instants);
        let as_expected = old == new || !more && within(expected.instants) == new;
        Span {
            old,
            new,
            horizon,
            as_expected,
        }
    }
}

/// Fires that elder may have beyond those of the source, within the same span.
const SLACK: usize = 2_000;

/// The new side up to `horizon`, and whether it has far more fires than it should.
fn walk(
    schedule: &Schedule,
    from: Timestamp,
    horizon: Timestamp,
    count: usize,
) -> (Vec<Timestamp>, bool) {
    let mut fires = Vec::new();
    let mut after = from;
    while let Some(fire) = schedule.next_after(after) {
        if fire.scheduled > horizon {
            break;
        }
        if fires.len() >= count.saturating_add(SLACK) {
            return (fires, true);
        }
        after = fire.scheduled;
        fires.push(fire.scheduled);
    }
    (fires, false)
}

/// Both sides have the same distances.
fn phase(
    mut proof: JobProof,
    period: Duration,
    schedule: &Schedule,
    from: Timestamp,
    count: usize,
) -> JobProof {
    let mut after = from;
    let mut before: Option<Timestamp> = None;
    proof.verdict = Verdict::Phase;
    for _ in 0..count {
        let Some(fire) = schedule.next_after(after) else {
            proof.verdict = Verdict::Differs;
            break;
        };
        let at = fire.scheduled;
        let distance = before.map(|before| at.duration_since(before).unsigned_abs());
        if distance.is_some_and(|distance| distance != period) {
            proof.verdict = Verdict::Differs;
            break;
        }
        proof.compared += 1;
        before = Some(at);
        after = at;
    }
    proof.until = before;
    proof.why = crate::duration::print(period);
    proof
}

/// What only one side has, grouped by what is near: a change of the clock is over within hours.
fn differences(old: &[Timestamp], new: &[Timestamp]) -> Vec<Difference> {
    const NEAR: Duration = Duration::from_secs(6 * 3_600);
    let mut groups: Vec<Difference> = Vec::new();
    let mut last: Option<Timestamp> = None;
    let (mut a, mut b) = (0, 0);
    while a < old.len() || b < new.len() {
        let (left, right) = (old.get(a), new.get(b));
        let (at, is_old) = match (left, right) {
            (Some(left), Some(right)) if left == right => {
                a += 1;
                b += 1;
                continue;
            }
            (Some(left), Some(right)) if left > right => (*right, false),
            (Some(left), _) => (*left, true),
            (None, Some(right)) => (*right, false),
            (None, None) => break,
        };
        if is_old {
            a += 1;
        } else {
            b += 1;
        }
        let near = last.is_some_and(|last| at.duration_since(last).unsigned_abs() <= NEAR);
        if !near {
            groups.push(Difference {
                old: Vec::new(),
                new: Vec::new(),
            });
        }
        last = Some(at);
        if let Some(group) = groups.last_mut() {
            if is_old {
                &mut group.old
            } else {
                &mut group.new
            }
            .push(at);
        }
    }
    groups
}

/// The fires of the old side alone.
#[cfg(test)]
pub(super) fn scan_for_tests(old: &[Old], from: Timestamp, count: usize) -> Vec<Timestamp> {
    let wanted = scan::Wanted {
        from,
        until: Timestamp::MAX,
        count,
    };
    let items: Vec<&Old> = old.iter().collect();
    scan::fires(&items, None, wanted, &Zones::bundled()).instants
}
