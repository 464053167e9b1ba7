//! Whether changes of job files wait at an instant: a window that denies beats one that allows.

use std::sync::Arc;

use jiff::Timestamp;

use crate::duration;
use crate::model::{SyncWindow, WindowKind};

/// So many windows in a row are followed to find the end of a freeze.
const STEPS: usize = 1_000;

/// Changes wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// The first instant at which they do not; `None` where that is not to be seen.
    pub until: Option<Timestamp>,
    /// Why, in a few words.
    pub why: Arc<str>,
}

/// Whether changes wait at `now`, by these windows.
///
/// They wait while any window that denies is open; and, where there are windows that allow, while
/// none of these is.
#[must_use]
pub fn freeze(windows: &[SyncWindow], now: Timestamp) -> Option<Freeze> {
    let (mut until, why) = held(windows, now)?;
    for _ in 0..STEPS {
        let Some(at) = until else { break };
        match held(windows, at) {
            None => return Some(Freeze { until, why }),
            Some((next, _)) => until = next,
        }
    }
    Some(Freeze { until: None, why })
}

/// Until when what holds changes at that instant does so at least, and what that is.
fn held(windows: &[SyncWindow], at: Timestamp) -> Option<(Option<Timestamp>, Arc<str>)> {
    let of = |kind| windows.iter().filter(move |window| window.kind == kind);
    let denying = of(WindowKind::Deny).filter_map(|window| Some((window.closes(at)?, window)));
    if let Some((closes, window)) = denying.max_by_key(|(closes, _)| *closes) {
        return Some((Some(closes), words(window)));
    }
    let mut allowing = of(WindowKind::Allow).peekable();
    allowing.peek()?;
    if allowing.clone().any(|window| window.closes(at).is_some()) {
        return None;
    }
    let opens = allowing.filter_map(|window| window.schedule.next_after(at));
    let opens = opens.map(|fire| fire.scheduled).min();
    Some((opens, "no window that allows changes is open".into()))
}

fn words(window: &SyncWindow) -> Arc<str> {
    match &window.reason {
        Some(reason) => reason.clone(),
        None => format!("{} for {}", window.text, duration::print(window.length)).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::civil::time;

    use super::*;
    use crate::schedule::{Days, Item, Schedule, Zone, Zones};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn window(kind: WindowKind, item: Item, hours: u64) -> SyncWindow {
        SyncWindow {
            kind,
            schedule: Arc::new(Schedule::new(vec![item])),
            text: "test".into(),
            length: Duration::from_secs(hours * 3600),
            reason: None,
        }
    }

    fn daily(hour: i8) -> Item {
        Item::daily(&[time(hour, 0, 0, 0)], Zone::utc()).unwrap()
    }

    fn until(windows: &[SyncWindow], now: &str) -> Option<Option<String>> {
        let freeze = freeze(windows, at(now))?;
        Some(freeze.until.map(|at| at.to_string()))
    }

    fn some(text: &str) -> Option<Option<String>> {
        Some(Some(text.to_owned()))
    }

    #[test]
    fn without_windows_nothing_waits() {
        assert_eq!(until(&[], "2027-01-01T00:00:00Z"), None);
    }

    #[test]
    fn a_window_that_denies_is_closed_at_its_end_and_open_at_its_begin() {
        let windows = [window(WindowKind::Deny, daily(10), 2)];
        for (now, want) in [
            ("2027-01-01T09:59:59.999999999Z", None),
            ("2027-01-01T10:00:00Z", some("2027-01-01T12:00:00Z")),
            (
                "2027-01-01T11:59:59.999999999Z",
                some("2027-01-01T12:00:00Z"),
            ),
            ("2027-01-01T12:00:00Z", None),
        ] {
            assert_eq!(until(&windows, now), want, "{now}");
        }
    }

    #[test]
    fn where_windows_allow_changes_wait_outside_of_them() {
        let windows = [window(WindowKind::Allow, daily(10), 2)];
        for (now, want) in [
            ("2027-01-01T09:00:00Z", some("2027-01-01T10:00:00Z")),
            ("2027-01-01T10:00:00Z", None),
            ("2027-01-01T11:59:59Z", None),
            ("2027-01-01T12:00:00Z", some("2027-01-02T10:00:00Z")),
        ] {
            assert_eq!(until(&windows, now), want, "{now}");
        }
        let why = freeze(&windows, at("2027-01-01T09:00:00Z")).unwrap().why;
        assert_eq!(&*why, "no window that allows changes is open");
    }

    #[test]
    fn deny_beats_allow_and_the_end_is_the_first_instant_that_is_free() {
        let mut windows = vec![
            window(WindowKind::Allow, daily(8), 10),
            window(WindowKind::Deny, daily(10), 2),
            window(WindowKind::Deny, daily(11), 3),
        ];
        windows[1].reason = Some("the morning rush".into());
        for (now, want) in [
            ("2027-01-01T09:00:00Z", None),
            // Both deny, one after the other.
            ("2027-01-01T10:30:00Z", some("2027-01-01T14:00:00Z")),
            ("2027-01-01T14:00:00Z", None),
            ("2027-01-01T19:00:00Z", some("2027-01-02T08:00:00Z")),
        ] {
            assert_eq!(until(&windows, now), want, "{now}");
        }
        let why = |now| freeze(&windows, at(now)).unwrap().why;
        assert_eq!(&*why("2027-01-01T10:30:00Z"), "the morning rush");
        assert_eq!(&*why("2027-01-01T11:30:00Z"), "test for 3h");
    }

    #[test]
    fn a_freeze_without_an_end_says_so() {
        let hour = |kind, hours| {
            let hourly = Item::every(Duration::from_secs(3600)).unwrap();
            [window(kind, hourly, hours)]
        };
        let now = "2027-01-01T00:30:00Z";
        assert_eq!(until(&hour(WindowKind::Deny, 1), now), Some(None));
        // It never closes.
        assert_eq!(until(&hour(WindowKind::Allow, 1), now), None);
        let once = Item::At(vec![at("2020-01-01T00:00:00Z")]);
        let over = [window(WindowKind::Allow, once, 1)];
        assert_eq!(until(&over, now), Some(None), "it never opens again");
    }

    #[test]
    fn a_window_is_as_long_as_it_says_also_across_a_change_of_the_clock() {
        let berlin = Zones::bundled().get("Europe/Berlin").unwrap();
        let friday = Item::weekly(Days::parse("fri").unwrap(), &[time(16, 0, 0, 0)], berlin);
        let windows = [window(WindowKind::Deny, friday.unwrap(), 63)];
        // Friday 16:00 +01:00; that Sunday the clock goes forward.
        assert_eq!(
            until(&windows, "2027-03-26T15:00:00Z"),
            some("2027-03-29T06:00:00Z")
        );
    }
}
