//! A pause: somebody said that a job fires nothing for a while.
//!
//! It lies over the definition, so no edit of a file touches it. It ends by itself when it has an end,
//! else when somebody says so, and stays remembered as the last pause of its job: what was due before
//! its end and is not decided yet is skipped all the same.

use std::sync::Arc;

use jiff::Timestamp;

/// The last pause of a job, under way or over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Since when the job is paused; a further pause of a paused job keeps it.
    pub since: Timestamp,
    /// When it ends by itself; `None` when somebody has to say so.
    pub until: Option<Timestamp>,
    /// When it ended: because somebody said so, or at `until`, once elder has seen that.
    pub ended_at: Option<Timestamp>,
    /// Why, in the words of whoever asked. One line.
    pub reason: Option<Arc<str>>,
    /// Who asked: the name of a token.
    pub author: Arc<str>,
}

impl Pause {
    /// Whether the job is paused at `now`.
    #[must_use]
    pub fn is_on(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && self.until.is_none_or(|until| until > now)
    }

    /// Whether it ended by itself, at a time that at `now` has not come: the clock was ahead then.
    #[must_use]
    pub fn ended_ahead_of(&self, now: Timestamp) -> bool {
        self.ended_at == self.until && self.until.is_some_and(|until| until > now)
    }

    /// The instant from which on fires are no longer this pause's; `None` for one without an end.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        match (self.ended_at, self.until) {
            (Some(ended), Some(until)) => Some(ended.min(until)),
            (ended, until) => ended.or(until),
        }
    }

    /// Whether a fire that is due then, and that nobody has decided at `now`, is skipped for it. A
    /// fire that was due before the pause and has not begun is, too: it would begin during it.
    #[must_use]
    pub fn covers(&self, due: Timestamp, now: Timestamp) -> bool {
        // An end that has not come, of a pause that is over: the clock was set back since.
        let counts = |end| self.is_on(now) || end <= now;
        self.end().is_none_or(|end| due < end && counts(end))
    }

    /// `paused by anna until 2027-01-01T02:00:00Z: the database moves`
    #[must_use]
    pub fn words(&self) -> String {
        let until = match self.until {
            Some(until) => format!(" until {until}"),
            None => String::new(),
        };
        let reason = match &self.reason {
            Some(reason) => format!(": {reason}"),
            None => String::new(),
        };
        format!("paused by {}{until}{reason}", self.author)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn pause(until: Option<i64>, ended_at: Option<i64>) -> Pause {
        Pause {
            since: at(0),
            until: until.map(at),
            ended_at: ended_at.map(at),
            reason: None,
            author: "anna".into(),
        }
    }

    #[test]
    fn a_pause_covers_what_is_due_before_its_end() {
        for (what, until, ended, now, on, covered, free) in [
            ("without an end", None, None, 50, true, Some(40), None),
            (
                "before its end",
                Some(100),
                None,
                50,
                true,
                Some(99),
                Some(100),
            ),
            (
                "after its end",
                Some(100),
                None,
                150,
                false,
                Some(99),
                Some(100),
            ),
            (
                "ended early",
                Some(100),
                Some(60),
                70,
                false,
                Some(59),
                Some(60),
            ),
            (
                "seen to be over",
                Some(100),
                Some(100),
                130,
                false,
                Some(99),
                Some(100),
            ),
            (
                "the clock went back behind its end",
                None,
                Some(60),
                30,
                false,
                None,
                Some(40),
            ),
        ] {
            let pause = pause(until, ended);
            assert_eq!(pause.is_on(at(now)), on, "{what}");
            if let Some(due) = covered {
                assert!(pause.covers(at(due), at(now)), "{what}");
            }
            if let Some(due) = free {
                assert!(!pause.covers(at(due), at(now)), "{what}");
            }
        }
    }

    #[test]
    fn a_pause_is_told_in_a_line() {
        let mut pause = pause(Some(0), None);
        pause.reason = Some("the database moves".into());
        assert_eq!(
            pause.words(),
            "paused by anna until 2027-01-15T08:00:00Z: the database moves"
        );
        assert_eq!(
            Pause {
                until: None,
                reason: None,
                ..pause
            }
            .words(),
            "paused by anna"
        );
    }
}
