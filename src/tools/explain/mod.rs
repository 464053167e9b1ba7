//! `elder explain`: why a fire ran, was skipped, missed or waits, or why there is none.
//!
//! Pure: whoever asks brings what engine and store know, and gets sentences. It decides nothing: a
//! row says what became of a fire, and only where there is none the schedule, the mark and what is
//! under way tell why.

mod row;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use row::{blocked_by, stands_for};

use crate::duration;
use crate::engine::{JobStatus, JobView, RunHead, Waits};
use crate::model::{Overlap, Run};
use crate::schedule::{Fire, Schedule, Shift, WhyNot, written_offset};

/// Whoever names a minute means a fire within it.
const MEANT_WITHIN: i64 = 60;

/// What is known when somebody asks.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The time.
    pub now: Timestamp,
    /// The job as the engine shows it.
    pub view: &'a JobView,
    /// The instant that is asked about, as [`subject`] found it; `None` for a job without any.
    pub at: Option<Timestamp>,
    /// The row that stands for that instant.
    pub row: Option<&'a Run>,
    /// The run that the row says was in its way.
    pub blocking: Option<&'a Run>,
    /// Why the store refuses, while it does.
    pub store_error: Option<&'a str>,
}

/// What became of a fire, in one word of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It ran and is over; the row says how.
    Ran,
    /// An attempt is under way.
    Running,
    /// It waits: for a place, another run, its next attempt, its jitter.
    Waiting,
    /// It was skipped by policy.
    Skipped,
    /// It came too late.
    Missed,
    /// It was over before it began.
    Cancelled,
    /// It will fire, or would but for what the details say.
    ToCome,
    /// The schedule does not have this instant.
    NoFire,
    /// It was before the job was known, or before its times were what they are.
    BeforeItsTime,
    /// It was decided, and its row is no longer kept.
    NotKept,
    /// The job does not fire at the moment.
    Off,
    /// It is due and cannot be decided, or will be within a moment.
    Undecided,
}

impl Verdict {
    /// The word in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Ran => "ran",
            Verdict::Running => "running",
            Verdict::Waiting => "waiting",
            Verdict::Skipped => "skipped",
            Verdict::Missed => "missed",
            Verdict::Cancelled => "cancelled",
            Verdict::ToCome => "to_come",
            Verdict::NoFire => "no_fire",
            Verdict::BeforeItsTime => "before_its_time",
            Verdict::NotKept => "not_kept",
            Verdict::Off => "off",
            Verdict::Undecided => "undecided",
        }
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// In one word.
    pub verdict: Verdict,
    /// In one sentence.
    pub summary: String,
    /// What else is known, a sentence each, the most telling first.
    pub details: Vec<String>,
    /// Commands that help further, each with what it does.
    pub hints: Vec<String>,
    /// When the fire was or is due; `None` where there is none.
    pub due_at: Option<Timestamp>,
    /// The schedule's instants on either side.
    pub around: (Option<Timestamp>, Option<Timestamp>),
}

/// The instant that is meant: that very fire, or the first one of the minute that was named; when
/// nothing was named the last one, else the next. `None` where there is none at all.
#[must_use]
pub fn subject(view: &JobView, asked: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let schedule = &view.job.definition.schedule;
    let Some(asked) = asked else {
        let last = schedule.newest(view.mark.first_seen, now, 1).pop();
        let fire = last.or_else(|| schedule.next_due_after(now));
        return fire.map(|fire| fire.scheduled);
    };
    if schedule.fire_at(asked).is_some() || asked.as_second() % MEANT_WITHIN != 0 {
        return Some(asked);
    }
    let end = asked.checked_add(jiff::SignedDuration::from_secs(MEANT_WITHIN));
    let next = schedule.next_after(asked).map(|fire| fire.scheduled);
    let within = next.filter(|next| end.is_ok_and(|end| *next < end));
    Some(within.unwrap_or(asked))
}

/// Puts the answer together.
#[must_use]
pub fn explain(facts: &Facts<'_>) -> Explanation {
    let schedule = &facts.view.job.definition.schedule;
    let words = Words {
        now: facts.now,
        zone: schedule.timezone(),
    };
    let fire = facts.at.and_then(|at| schedule.fire_at(at));
    let mut told = match (facts.at, facts.row) {
        (Some(_), Some(row)) => row::explain(facts, row, fire, &words),
        (Some(at), None) => without_a_row(facts, at, fire, &words),
        (None, _) => Explanation::new(Verdict::NoFire, without_instants(facts.view)),
    };
    told.due_at = fire.map(|fire| fire.due);
    if let Some(since) = &facts.view.failing {
        told.details.push(format!(
            "The job fails since run {} at {}: {}.",
            since.run,
            words.moment(since.at),
            since.words()
        ));
    }
    if let Some(at) = facts.at {
        told.around = around(schedule, facts, at);
        if let Some(remark) = schedule.remark(at) {
            told.details.push(format!("At that instant {remark}."));
        }
        let touches = schedule.touches_near(at);
        let touches = touches.iter().map(|touch| format!("{}.", touch.describe()));
        told.details.extend(touches);
    }
    told
}

/// Why a job has no instant at all that could be asked about.
fn without_instants(view: &JobView) -> String {
    let definition = &view.job.definition;
    let name = &definition.name;
    if definition.schedule.fires_at_startup() {
        return format!("{name} fires when elder starts, and at no time of a clock");
    }
    let text = &definition.schedule_text;
    format!("{name} never fires by itself: its schedule is `{text}`")
}

/// The instants on either side of one; those before the first sight are nobody's.
fn around(
    schedule: &Schedule,
    facts: &Facts<'_>,
    at: Timestamp,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let before = at.checked_sub(jiff::SignedDuration::from_nanos(1));
    let before = before.unwrap_or(at);
    let previous = schedule.newest(facts.view.mark.first_seen, before, 1).pop();
    let next = schedule.next_after(at);
    (
        previous.map(|fire| fire.scheduled),
        next.map(|fire| fire.scheduled),
    )
}

fn without_a_row(
    facts: &Facts<'_>,
    at: Timestamp,
    fire: Option<Fire>,
    words: &Words,
) -> Explanation {
    let (view, now) = (facts.view, facts.now);
    let when = words.instant(at);
    if let Some(head) = view.active.iter().find(|head| head.scheduled_at == at) {
        let summary = format!("the fire of {when} waits: {}", waits(head, words));
        return Explanation::new(Verdict::Waiting, summary).hint_status(view);
    }
    let mark = &view.mark;
    let Some(fire) = fire else {
        return no_fire(facts, at, words);
    };
    if at > now && at <= mark.mark {
        let summary = format!(
            "the fire of {when} was decided already, before the clock was set back; the job fires again after {}",
            words.instant(mark.mark)
        );
        return Explanation::new(Verdict::NotKept, summary)
            .detail("A clock that is set back by a day or less repeats nothing: it is waited for. Further back the job goes on at once.");
    }
    if at > now {
        return to_come(facts, fire, words);
    }
    if at <= mark.first_seen {
        let summary = format!(
            "elder did not know the job at {when}: it was first seen at {}, and nothing before that fires",
            words.moment(mark.first_seen)
        );
        return Explanation::new(Verdict::BeforeItsTime, summary);
    }
    if at <= mark.since {
        let summary = format!(
            "the times of the job are what they are since {} only; by those of before, nothing is recorded for {when}",
            words.moment(mark.since)
        );
        return Explanation::new(Verdict::BeforeItsTime, summary)
            .detail("An edit makes no fire in the past: what its new schedule would have fired before counts for nothing.");
    }
    if at <= mark.mark {
        let history = view.job.definition.policy.history;
        let summary = format!("the fire of {when} was decided, and its row is no longer kept");
        return Explanation::new(Verdict::NotKept, summary).detail(&format!(
            "The job keeps {} runs that started, for {} (`history`); everything up to {} is decided and never fires again.",
            history.keep,
            duration::print(history.max_age),
            words.instant(mark.mark)
        ));
    }
    if fire.due > now {
        let summary = format!(
            "the fire of {when} waits for its jitter: it is due at {}",
            words.instant(fire.due)
        );
        return Explanation::new(Verdict::Waiting, summary);
    }
    if !view.job.definition.enabled {
        return off(facts, "it is disabled (`enabled: false`)");
    }
    if let Some(error) = facts.store_error {
        let summary = format!("the fire of {when} is due and cannot be recorded: {error}");
        return Explanation::new(Verdict::Undecided, summary)
            .detail("Nothing starts without its record. When the store is back it starts within its grace, else it is missed (store).")
            .hint("elder status --server $ELDER_SERVER", "what elder itself says of its store");
    }
    Explanation::new(
        Verdict::Undecided,
        format!("the fire of {when} is due and is being decided: ask again in a moment"),
    )
}

fn to_come(facts: &Facts<'_>, fire: Fire, words: &Words) -> Explanation {
    let view = facts.view;
    let definition = &view.job.definition;
    if !definition.enabled {
        return off(facts, "it is disabled (`enabled: false`)");
    }
    if let Some(pause) = &view.pause
        && pause.covers(fire.due, facts.now)
    {
        let job = &definition.name;
        let summary = format!(
            "the fire of {} will be skipped: {job} is {}",
            words.instant(fire.scheduled),
            pause.words()
        );
        return Explanation::new(Verdict::Off, summary)
            .hint(&format!("elder resume {job}"), "lets it go on at once")
            .hint(&format!("elder trigger {job}"), "runs it once all the same");
    }
    let summary = format!(
        "{} has not come yet: {} is due {}",
        words.instant(fire.scheduled),
        definition.name,
        words.instant(fire.due)
    );
    let mut told = Explanation::new(Verdict::ToCome, summary);
    if view.status == JobStatus::Held {
        told.details.push("The job is gone from the files; its removal is held, and it goes on by its last definition.".to_owned());
        told.hints
            .push("elder sync    brings the files' state, and what is held".to_owned());
    }
    let policy = &definition.policy;
    if let Some(first) = view.active.first()
        && view.active.len() >= policy.max_instances as usize
    {
        let then = match policy.overlap {
            Overlap::Skip => "this fire is skipped",
            Overlap::Queue => "this fire waits for it, if no other does",
            Overlap::Replace => "it is ended and this fire takes its place",
        };
        told.details.push(format!(
            "Now run {} is {}; if it still is then, {then} (`overlap: {}`).",
            first.id, first.state, policy.overlap
        ));
    }
    told
}

fn off(facts: &Facts<'_>, why: &str) -> Explanation {
    let job = facts.view.job.name();
    let summary = format!("{job} does not fire: {why}");
    Explanation::new(Verdict::Off, summary)
        .hint(&format!("elder trigger {job}"), "runs it once all the same")
}

fn no_fire(facts: &Facts<'_>, at: Timestamp, words: &Words) -> Explanation {
    let view = facts.view;
    let definition = &view.job.definition;
    let schedule = &definition.schedule;
    let why = schedule.why_not(at);
    let summary = match why.first() {
        Some(why) => format!(
            "{} does not fire at {}: {}",
            definition.name,
            words.instant(at),
            left_out(why, words)
        ),
        None => format!(
            "{} is no instant of the schedule of {}, which is `{}`",
            words.instant(at),
            definition.name,
            definition.schedule_text
        ),
    };
    let mut told = Explanation::new(Verdict::NoFire, summary);
    for why in why.iter().skip(1) {
        told.details.push(format!("And {}.", left_out(why, words)));
    }
    let (previous, next) = around(schedule, facts, at);
    let name = |at: Option<Timestamp>| at.map_or_else(|| "none".to_owned(), |at| words.instant(at));
    told.details.push(format!(
        "Its fires around that: {} before, {} after.",
        name(previous),
        name(next)
    ));
    if at <= view.mark.since && at > view.mark.first_seen {
        told.details.push(format!(
            "Its times were edited at {}; until then it may have fired at others.",
            words.moment(view.mark.since)
        ));
    }
    told.hint(
        &format!("elder next {}", definition.name),
        "its next fires, in words and as instants",
    )
}

fn left_out(why: &WhyNot, words: &Words) -> String {
    match why {
        WhyNot::NotYet(from) => format!("its `from` is {}", words.instant(*from)),
        WhyNot::Over(until) => format!("its `until` was {}", words.instant(*until)),
        WhyNot::LeftOut {
            date,
            except,
            only,
            shift,
        } => {
            let mut text = match (except.as_slice(), only.as_slice()) {
                ([], only) => format!("{date} is not in {}, its `only`", only.join(", ")),
                (except, _) => format!("{date} is in {}, its `except`", except.join(", ")),
            };
            match shift {
                Shift::Skip => {}
                Shift::Next => text.push_str(", and `shift: next` moves the fire on"),
                Shift::Previous => text.push_str(", and `shift: previous` moves the fire back"),
            }
            text
        }
    }
}

/// What a run that is not over waits for.
fn waits(head: &RunHead, words: &Words) -> String {
    match &head.waits {
        None => format!("an attempt of it, {}, is under way", head.id),
        Some(Waits::Backlog) => {
            "late fires of the job that are older go first, one after another".to_owned()
        }
        Some(Waits::Run(run)) => format!("for run {run} of the same job to end"),
        Some(Waits::Record) => "for its row in the store".to_owned(),
        Some(Waits::Attempt(at)) => format!("for its next attempt at {}", words.moment(*at)),
        Some(Waits::Place {
            of,
            limit,
            waiting,
            until,
        }) => {
            let until = until.map_or_else(String::new, |until| {
                format!("; after {} it is missed (pool)", words.instant(until))
            });
            format!(
                "for a place: all {limit} {of} are taken, and {waiting} wait in the order of their instants{until}"
            )
        }
    }
}

/// How instants and lengths are told.
pub(super) struct Words {
    pub(super) now: Timestamp,
    pub(super) zone: TimeZone,
}

impl Words {
    /// When a clock was read, which nobody asks to the nanosecond: its second.
    fn moment(&self, at: Timestamp) -> String {
        self.instant(whole(at))
    }

    /// `2027-03-28T02:00:00+01:00 (3h ago)`; of what is finer than any schedule the second.
    fn instant(&self, at: Timestamp) -> String {
        let is_reading = at.subsec_nanosecond() % 1_000_000 != 0;
        let at = if is_reading { whole(at) } else { at };
        let written = at.display_with_offset(written_offset(&self.zone, at));
        let apart = at.duration_since(self.now);
        let length = length(apart.unsigned_abs());
        match apart.is_negative() {
            true => format!("{written} ({length} ago)"),
            false => format!("{written} (in {length})"),
        }
    }
}

/// An instant without its fraction.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// The two largest units of a length: nobody reads the seconds of a day.
fn length(length: std::time::Duration) -> String {
    let seconds = length.as_secs();
    let unit = match seconds {
        0..=3_599 => 1,
        3_600..=86_399 => 60,
        _ => 3_600,
    };
    let rounded = std::time::Duration::from_secs(seconds / unit * unit);
    if seconds == 0 {
        return duration::print(std::time::Duration::from_millis(u64::from(
            length.subsec_millis(),
        )));
    }
    duration::print(rounded)
}

impl Explanation {
    fn new(verdict: Verdict, summary: String) -> Self {
        Self {
            verdict,
            summary,
            details: Vec::new(),
            hints: Vec::new(),
            due_at: None,
            around: (None, None),
        }
    }

    fn detail(mut self, sentence: &str) -> Self {
        self.details.push(sentence.to_owned());
        self
    }

    fn hint(mut self, command: &str, does: &str) -> Self {
        self.hints.push(format!("{command}    {does}"));
        self
    }

    fn hint_status(self, view: &JobView) -> Self {
        let job = view.job.name();
        self.hint(
            &format!("elder show {job} --server $ELDER_SERVER"),
            "its runs that are not over",
        )
    }
}
