//! What a write does to the memory of one job: the rules that every adapter shares.
//!
//! Pure. An adapter finds rows and keeps them; what a mark becomes is said here alone.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{AHEAD, Mark, RETURN_WITHIN};
use crate::decide::Failing;
use crate::ids::{JobName, RunId};
use crate::model::{JobTimes, Outcome, Output, Reason, Run, RunState, Trigger};

/// `from < instant <= until`
pub(crate) type Stretch = (Timestamp, Timestamp);

/// What makes a row the only one of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// (job, scheduled instant), and nothing at or before the mark.
    Fire,
    /// (job, instant), whatever the mark says.
    Startup,
    /// (job, request).
    Request,
}

/// Ended rows are counted against the history's bound in two classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Class {
    /// An attempt was begun.
    Started,
    /// Fires that did not run.
    Quiet,
}

/// A known job is seen; says whether it is another one than before under that name.
pub(crate) fn seen(mark: &mut Mark, at: Timestamp) -> bool {
    let Some(gone_at) = mark.gone_at.take() else {
        return false;
    };
    let returns = SignedDuration::try_from(RETURN_WITHIN).unwrap_or(SignedDuration::MAX);
    let is_another = at.duration_since(gone_at) >= returns;
    if is_another {
        mark.first_seen = at;
        rescheduled(mark, at);
    }
    is_another
}

/// Whether a name that takes over `new`'s is the job that goes on; where `new` is there and `old` is
/// gone, it only joins its past.
pub(crate) fn goes_on(old: &Mark, new: &Mark) -> bool {
    old.gone_at.is_none() || new.gone_at.is_some()
}

/// The memory of a job that takes another name, where that name has one of its own. Of a name that is
/// gone nothing is to be decided any more, so it does not close what the job that is there has not
/// decided yet; otherwise nothing that either decided is open again.
pub(crate) fn renamed(old: &Mark, new: &Mark) -> Mark {
    let (a, b) = (&old.times, &new.times);
    let counts = match (old.gone_at, new.gone_at) {
        (None, Some(_)) => old,
        (Some(_), None) => new,
        _ if old.mark >= new.mark => old,
        _ => new,
    };
    let goes_on = if goes_on(old, new) { old } else { new };
    let closed = match are_alike(old, new) {
        true => both(old.closed, new.closed),
        false => counts.closed,
    };
    let last = if a.last_run >= b.last_run { a } else { b };
    Mark {
        first_seen: old.first_seen.min(new.first_seen),
        since: goes_on.since,
        mark: counts.mark,
        gone_at: match (old.gone_at, new.gone_at) {
            (Some(old), Some(new)) => Some(old.max(new)),
            _ => None,
        },
        previous_success_at: old.previous_success_at.max(new.previous_success_at),
        last_startup_at: old.last_startup_at.max(new.last_startup_at),
        times: JobTimes {
            last_success: a.last_success.max(b.last_success),
            last_failure: a.last_failure.max(b.last_failure),
            last_run: last.last_run,
            last_duration: last.last_duration,
        },
        leap: counts.leap,
        closed,
        good: goes_on.good,
        failing: goes_on.failing.clone(),
    }
}

/// Both are there, or both are gone.
fn are_alike(old: &Mark, new: &Mark) -> bool {
    old.gone_at.is_some() == new.gone_at.is_some()
}

/// Where two names become one: whether the old one's rows keep their keys, and from where on the other
/// name's rows give theirs up. A row of that name gives its key up where that is taken, and, if it is
/// gone while the first is there, beyond the mark: it is not to close what is not decided yet. Of two
/// that are gone what lies beyond the mark ran under a clock that was ahead. No row goes.
pub(crate) fn keeps_keys(old: &Mark, new: &Mark) -> (bool, Timestamp) {
    let is_old = old.gone_at.is_none() && new.gone_at.is_some();
    let beyond = match are_alike(old, new) {
        true => Timestamp::MAX,
        false => renamed(old, new).mark,
    };
    (is_old, beyond)
}

/// The identity under which a fire gets its row where a row of its name's past has its own: that row
/// gave its key up (so its `request` says) and not its identity.
pub(crate) fn other_id(run: &Run, request: Option<&str>) -> Option<RunId> {
    let id = other_of(run.id, request, &run.job, run.scheduled_at);
    id.filter(|_| key(run) == Key::Fire)
}

/// The same for a fire of that identity.
pub(crate) fn other_of(
    id: RunId,
    request: Option<&str>,
    job: &JobName,
    instant: Timestamp,
) -> Option<RunId> {
    let stands_beside = request.is_some_and(|request| *request == *beside(id));
    stands_beside.then(|| RunId::of_fire_beside(job, instant))
}

/// The key of a row that gives up its own.
pub(crate) fn beside(id: RunId) -> Arc<str> {
    format!("{BESIDE}{id}").into()
}

/// What such a key begins with.
pub(super) const BESIDE: &str = "beside/";

/// A job is gone; the first time that was said counts.
pub(super) fn gone(mark: &mut Mark, at: Timestamp) {
    mark.gone_at.get_or_insert(at);
}

/// Marks never move back.
pub(super) fn advance(mark: &mut Mark, to: Timestamp) {
    mark.mark = mark.mark.max(to);
}

/// The job's times are others since then.
pub(super) fn rescheduled(mark: &mut Mark, at: Timestamp) {
    mark.since = mark.since.max(at);
    advance(mark, at);
}

/// What makes this row the only one of its kind.
pub(super) fn key(run: &Run) -> Key {
    match (&run.request, run.trigger) {
        (Some(_), _) => Key::Request,
        (None, Trigger::Startup) => Key::Startup,
        (None, _) => Key::Fire,
    }
}

/// Whether the mark lets this row in; the key is looked up by the adapter.
pub(crate) fn admits(mark: &Mark, run: &Run) -> bool {
    let is_closed = |(from, until)| run.scheduled_at > from && run.scheduled_at <= until;
    key(run) != Key::Fire || run.scheduled_at > mark.mark && !mark.closed.is_some_and(is_closed)
}

/// The row was inserted.
pub(crate) fn claimed(mark: &mut Mark, run: &Run) {
    if key(run) == Key::Fire {
        remember_leap(mark, run);
        advance(mark, last_instant(run));
    }
    written(mark, run, Origin::of(run));
}

/// What is late by a long stretch tells where a clock that was set forward began to be ahead, should
/// it turn out that it was.
fn remember_leap(mark: &mut Mark, run: &Run) {
    let until = match (run.trigger, run.reason) {
        (_, Some(Reason::Downtime | Reason::Clock | Reason::Store)) => last_instant(run),
        (Trigger::CatchUp, None) => just_before(run.scheduled_at),
        _ => return,
    };
    // The fire that is caught up after the rest was missed is of the same stretch.
    let from = match mark.leap {
        Some((from, until)) if until == mark.mark => from,
        _ => mark.mark,
    };
    if until.duration_since(from) > ahead() {
        mark.leap = Some((from, until));
    }
}

/// The clock says `now`, and the mark is of a time that has not come: the clock was ahead when it was
/// made. The mark goes back to now, or to where the leap began that led there, and what ran after that
/// leap stays closed: when its time comes it does not run again.
///
/// Gives the stretch that the leap went over: what did not run in it gives its key up, see [`gives_way`].
pub(crate) fn mended(mark: &mut Mark, now: Timestamp) -> Option<Stretch> {
    let latest = now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
    if mark.mark <= latest {
        return None;
    }
    let (decided, leap) = (mark.mark, mark.leap);
    let (to, ran_after) = match mark.leap {
        Some((from, until)) if from <= latest && until > now => (from.max(now), Some(until)),
        _ if mark.first_seen > latest => (now, Some(mark.first_seen)),
        // Nobody knows any more; the rows that are kept hold their keys.
        _ => (now, None),
    };
    let closed = ran_after.filter(|from| *from < decided);
    let closed = closed.map(|from| (from, decided));
    // What a clock had closed before stays closed as well.
    let before = mark.closed.filter(|(_, until)| *until > now);
    mark.closed = both(closed, before);
    mark.mark = to;
    mark.leap = None;
    mark.first_seen = mark.first_seen.min(now);
    mark.since = mark.since.min(now);
    let times = &mut mark.times;
    for at in [
        &mut mark.previous_success_at,
        &mut mark.last_startup_at,
        &mut times.last_success,
        &mut times.last_failure,
        &mut times.last_run,
    ] {
        *at = at.map(|at| at.min(now));
    }
    if let Some(failing) = &mut mark.failing
        && failing.at > now
    {
        Arc::make_mut(failing).at = now;
    }
    let is_leap = |(from, until): &Stretch| *from <= latest && *until > now;
    leap.filter(is_leap).map(|(_, until)| (to, until))
}

/// Whether a row of what a leap went over stands beside from now on: it says what did not run, and when
/// its time comes it may.
pub(crate) fn gives_way(run: &Run, over: Stretch) -> bool {
    let is_over = run.scheduled_at > over.0 && run.scheduled_at <= over.1;
    is_over && key(run) == Key::Fire && class(run) == Some(Class::Quiet)
}

fn both(one: Option<Stretch>, other: Option<Stretch>) -> Option<Stretch> {
    match (one, other) {
        (Some(one), Some(other)) => Some(joined(one, other)),
        (one, other) => one.or(other),
    }
}

/// Both stretches where they meet; else the longer one, for of the shorter one more of the rows are
/// kept, and these hold their keys as well.
fn joined(one: Stretch, other: Stretch) -> Stretch {
    let meet = one.0 <= other.1 && other.0 <= one.1;
    match meet {
        true => (one.0.min(other.0), one.1.max(other.1)),
        false if one.1.duration_since(one.0) >= other.1.duration_since(other.0) => one,
        false => other,
    }
}

fn ahead() -> SignedDuration {
    SignedDuration::try_from(AHEAD).unwrap_or(SignedDuration::MAX)
}

fn just_before(instant: Timestamp) -> Timestamp {
    instant
        .checked_sub(SignedDuration::from_nanos(1))
        .unwrap_or(Timestamp::MIN)
}

/// What a row began with and keeps, whatever an update says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// Its instant.
    pub(super) scheduled_at: Timestamp,
    /// What made it.
    pub(super) trigger: Trigger,
}

impl Origin {
    /// The origin that a row says it has.
    pub(super) fn of(run: &Run) -> Self {
        Self {
            scheduled_at: run.scheduled_at,
            trigger: run.trigger,
        }
    }
}

/// A row of this origin is there as given, inserted or replaced.
pub(super) fn written(mark: &mut Mark, run: &Run, origin: Origin) {
    if origin.trigger == Trigger::Startup {
        // A crash between the claim and the first attempt still counts as a start: that is what
        // keeps a crash loop from storming.
        let under_way = matches!(run.state, RunState::Running | RunState::Waiting);
        let began = run
            .started_at
            .or_else(|| under_way.then_some(origin.scheduled_at));
        mark.last_startup_at = mark.last_startup_at.max(began);
    }
    if run.state != RunState::Done {
        return;
    }
    let times = &mut mark.times;
    match run.outcome {
        Some(Outcome::Success) => {
            times.last_success = times.last_success.max(run.finished_at);
            mark.previous_success_at = mark.previous_success_at.max(Some(origin.scheduled_at));
            mark.good = run.definition;
            mark.failing = None;
        }
        Some(Outcome::Failed | Outcome::TimedOut | Outcome::Interrupted) => {
            times.last_failure = times.last_failure.max(run.finished_at);
            if mark.failing.is_none() {
                mark.failing = Some(Arc::new(failing(run, origin.scheduled_at)));
            }
        }
        Some(Outcome::Cancelled | Outcome::Skipped | Outcome::Missed) | None => {}
    }
    if run.started_at.is_some() && run.started_at >= times.last_run {
        times.last_run = run.started_at;
        times.last_duration = run.duration;
    }
}

/// Whether `run` would open a row again that has ended: whoever writes it does not know of that end.
pub(crate) fn opens_again(is_done: bool, run: &Run) -> bool {
    is_done && run.state != RunState::Done
}

/// What is remembered of the first run that fails after a success.
pub(crate) fn failing(run: &Run, scheduled_at: Timestamp) -> Failing {
    Failing {
        run: run.id,
        at: run.finished_at.unwrap_or(scheduled_at),
        revision: run.revision.clone(),
        definition: run.definition,
    }
}

/// Lets a row stand for more fires; it never shrinks.
pub(super) fn extend(run: &mut Run, count: u64, until: Timestamp, at: Timestamp) {
    run.count = run.count.max(count);
    run.scheduled_until = Some(last_instant(run).max(until));
    if run.state == RunState::Done {
        run.finished_at = run.finished_at.max(Some(at));
    }
}

/// The last instant that the row stands for.
pub(super) fn last_instant(run: &Run) -> Timestamp {
    run.scheduled_until.unwrap_or(run.scheduled_at)
}

/// The class of an ended row; `None` while it is open.
pub(super) fn class(run: &Run) -> Option<Class> {
    (run.state == RunState::Done).then_some(if run.attempt > 0 {
        Class::Started
    } else {
        Class::Quiet
    })
}

/// What was kept of a run's output, or how much of it there was.
pub(super) fn shown_output(run: &Run, output: Option<Output>) -> Output {
    output.unwrap_or(Output {
        total: run.output_bytes,
        ..Output::default()
    })
}

/// Whether there is anything to keep.
pub(super) fn is_empty(output: &Output) -> bool {
    output.head.is_empty() && output.tail.is_empty() && output.total == 0
}

/// Rows that ended before this instant are too old.
pub(super) fn oldest_kept(now: Timestamp, max_age: std::time::Duration) -> Timestamp {
    SignedDuration::try_from(max_age)
        .ok()
        .and_then(|age| now.checked_sub(age).ok())
        .unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn run(second: i64, trigger: Trigger) -> Run {
        let job = JobName::new("a").unwrap();
        Run::new(RunId::of_fire(&job, at(second)), job, at(second), trigger)
    }

    #[test]
    fn a_name_that_is_gone_for_less_than_ten_minutes_is_the_same_job() {
        for (gone, back, first_seen, mark) in [
            (100, 100, 0, 0),
            (100, 699, 0, 0),
            (100, 700, 700, 700),
            (100, 50, 0, 0),
            (100, 9_999, 9_999, 9_999),
        ] {
            let mut job = Mark::first_sight(at(0));
            super::gone(&mut job, at(gone));
            super::gone(&mut job, at(gone + 5));
            assert_eq!(job.gone_at, Some(at(gone)), "the first time counts");
            seen(&mut job, at(back));
            assert_eq!(
                (job.first_seen, job.mark, job.gone_at),
                (at(first_seen), at(mark), None),
                "gone at {gone}, back at {back}"
            );
        }
    }

    #[test]
    fn a_new_first_sight_does_not_move_a_mark_back() {
        let mut job = Mark::first_sight(at(0));
        advance(&mut job, at(5_000));
        gone(&mut job, at(10));
        seen(&mut job, at(1_000));
        assert_eq!((job.first_seen, job.mark), (at(1_000), at(5_000)));
    }

    #[test]
    fn only_fires_of_a_schedule_ask_and_move_the_mark() {
        let mut manual = run(5, Trigger::Manual);
        manual.request = Some("r".into());
        for (run, admitted, moves) in [
            (run(10, Trigger::Schedule), false, false),
            (run(11, Trigger::Schedule), true, true),
            (run(11, Trigger::CatchUp), true, true),
            (run(5, Trigger::Startup), true, false),
            (run(15, Trigger::Startup), true, false),
            (manual, true, false),
        ] {
            let mut job = Mark::first_sight(at(10));
            assert_eq!(admits(&job, &run), admitted, "{run:?}");
            if admitted {
                claimed(&mut job, &run);
                assert_eq!(job.mark > at(10), moves, "{run:?}");
            }
        }
    }

    #[test]
    fn a_startup_run_counts_from_its_begin_and_a_skipped_one_not() {
        let began = |state, started: Option<i64>| {
            let mut run = run(5, Trigger::Startup);
            run.state = state;
            run.started_at = started.map(at);
            let mut job = Mark::first_sight(at(0));
            claimed(&mut job, &run);
            job.last_startup_at
        };
        assert_eq!(began(RunState::Running, Some(6)), Some(at(6)));
        assert_eq!(began(RunState::Running, None), Some(at(5)));
        assert_eq!(began(RunState::Queued, None), None);
        assert_eq!(began(RunState::Done, None), None);
    }

    #[test]
    fn the_times_are_those_of_the_newest_run_in_whatever_order_they_end() {
        let ended = |second: i64, outcome| {
            let mut run = run(second, Trigger::Schedule);
            run.state = RunState::Done;
            run.attempt = 1;
            run.outcome = Some(outcome);
            run.started_at = Some(at(second));
            run.finished_at = Some(at(second + 1));
            run.duration = Some(std::time::Duration::from_millis(second as u64));
            run
        };
        let mut job = Mark::first_sight(at(0));
        for run in [
            ended(20, Outcome::Success),
            ended(10, Outcome::Success),
            ended(30, Outcome::TimedOut),
            ended(25, Outcome::Cancelled),
        ] {
            written(&mut job, &run, Origin::of(&run));
        }
        assert_eq!(job.previous_success_at, Some(at(20)));
        assert_eq!(job.times.last_success, Some(at(21)));
        assert_eq!(job.times.last_failure, Some(at(31)));
        assert_eq!(job.times.last_run, Some(at(30)));
        assert_eq!(
            job.times.last_duration,
            Some(std::time::Duration::from_millis(30))
        );
    }

    #[test]
    fn an_age_beyond_all_time_keeps_everything() {
        assert_eq!(oldest_kept(at(0), std::time::Duration::MAX), Timestamp::MIN);
        assert_eq!(
            oldest_kept(at(10), std::time::Duration::from_secs(4)),
            at(6)
        );
    }
}
