//! Whether the tests of schedules hold.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::finding::{Code, Excerpt, Finding};
use crate::schedule::Schedule;
use crate::spec::{Expectation, Moment, ScheduleTest};

/// So far around an instant the nearest fires are looked for.
const NEAR: Duration = Duration::from_secs(10 * 366 * 86_400);

/// What the test of a job says, in a few words.
#[must_use]
pub fn title(test: &ScheduleTest) -> String {
    let listed = |verb: &str, moments: &[Moment]| match moments {
        [one] => format!("{verb} {}", one.text),
        [first, rest @ ..] => format!("{verb} {} and {} more", first.text, rest.len()),
        [] => verb.to_owned(),
    };
    let expected = match &test.expectation {
        Expectation::FiresAt(moments) => listed("fires at", moments),
        Expectation::NeverAt(moments) => listed("never at", moments),
        Expectation::Count { shown, .. } => format!("count {shown}"),
    };
    match &test.name {
        Some(name) => format!("{name} ({expected})"),
        None => expected,
    }
}

/// Everything that does not hold, each with the nearest fires; empty when the test holds.
#[must_use]
pub fn judge(job: &str, schedule: &Schedule, zone: &TimeZone, test: &ScheduleTest) -> Vec<Finding> {
    let court = Court {
        job,
        schedule,
        zone,
    };
    match &test.expectation {
        Expectation::FiresAt(moments) => moments
            .iter()
            .filter_map(|moment| court.fires_at(moment))
            .collect(),
        Expectation::NeverAt(moments) => moments
            .iter()
            .filter_map(|moment| court.never_at(moment))
            .collect(),
        Expectation::Count {
            from,
            until,
            least,
            most,
            shown,
        } => court
            .count(*from, *until, (*least, *most), shown, &test.at)
            .into_iter()
            .collect(),
    }
}

struct Court<'a> {
    job: &'a str,
    schedule: &'a Schedule,
    zone: &'a TimeZone,
}

impl Court<'_> {
    fn fires_at(&self, moment: &Moment) -> Option<Finding> {
        if self.fires_within(moment.first, moment.last) > 0 {
            return None;
        }
        let message = if moment.first == moment.last {
            let at = self.written(moment.first);
            format!("`{}` does not fire at {at}", self.job)
        } else {
            format!("`{}` does not fire on {}", self.job, moment.text)
        };
        let help = self.around(moment.first, moment.last);
        Some(finding(&moment.at, message, help))
    }

    fn never_at(&self, moment: &Moment) -> Option<Finding> {
        let count = self.fires_within(moment.first, moment.last);
        if count == 0 {
            return None;
        }
        let message = if moment.first == moment.last {
            format!("`{}` fires at {}", self.job, self.written(moment.first))
        } else {
            let first = self.schedule.next_after(just_before(moment.first))?;
            let times = if count == 1 {
                "once".to_owned()
            } else {
                format!("{count} times")
            };
            format!(
                "`{}` fires {times} on {}, first at {}",
                self.job,
                moment.text,
                self.written(first.scheduled)
            )
        };
        let help = self.around(moment.first, moment.last);
        Some(finding(&moment.at, message, help))
    }

    fn count(
        &self,
        from: Timestamp,
        until: Timestamp,
        (least, most): (u64, u64),
        shown: &str,
        at: &Excerpt,
    ) -> Option<Finding> {
        let count = self.fires_within(from, until);
        if (least..=most).contains(&count) {
            return None;
        }
        let times = if count == 1 { "time" } else { "times" };
        let message = format!("`{}` fires {count} {times}: expected {shown}", self.job);
        let first = self.schedule.next_after(just_before(from));
        let last = self.schedule.newest(just_before(from), until, 1).pop();
        let help = match (first, last) {
            (Some(first), Some(last)) => format!(
                "in this span it fires first at {} and last at {}",
                self.written(first.scheduled),
                self.written(last.scheduled)
            ),
            _ => self.around(from, until),
        };
        Some(finding(at, message, help))
    }

    fn fires_within(&self, first: Timestamp, last: Timestamp) -> u64 {
        self.schedule.count_between(just_before(first), last)
    }

    /// The nearest fires outside of a span.
    fn around(&self, first: Timestamp, last: Timestamp) -> String {
        let before_it = just_before(first);
        let long_before = before_it.saturating_sub(NEAR).unwrap_or(Timestamp::MIN);
        let before = self.schedule.newest(long_before, before_it, 1).pop();
        let after = self.schedule.next_after(last);
        let told = |fire: Option<crate::schedule::Fire>| {
            fire.map_or_else(|| "none".to_owned(), |fire| self.written(fire.scheduled))
        };
        format!(
            "the fire before: {}; the next one: {}",
            told(before),
            told(after)
        )
    }

    /// With the day of the week: most surprises are about days.
    fn written(&self, at: Timestamp) -> String {
        let local = at.to_zoned(self.zone.clone());
        let offset = at.display_with_offset(self.zone.to_offset(at));
        format!("{} {offset}", local.strftime("%a"))
    }
}

fn finding(at: &Excerpt, message: String, help: String) -> Finding {
    Finding {
        code: Code::FailedTest,
        severity: Code::FailedTest.severity(),
        at: at.clone(),
        also: None,
        message,
        help,
    }
}

fn just_before(at: Timestamp) -> Timestamp {
    at.saturating_sub(Duration::from_nanos(1))
        .unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::finding::Place;
    use crate::schedule::Zones;
    use crate::spec::parse_schedule;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn moment(first: &str, last: &str) -> Moment {
        Moment {
            text: Arc::from(first.get(..10).unwrap()),
            at: place(),
            first: at(first),
            last: at(last),
        }
    }

    fn place() -> Excerpt {
        Excerpt {
            place: Place::file(Arc::from("a.test.yaml")),
            line: String::new(),
            label: String::new(),
        }
    }

    fn said(schedule: &str, expectation: Expectation) -> Vec<(String, String)> {
        let zones = Zones::bundled();
        let parsed = parse_schedule(schedule, "Europe/Berlin", &zones, "a").unwrap();
        let test = ScheduleTest {
            name: None,
            at: place(),
            expectation,
        };
        judge("j", &parsed.schedule, parsed.zone.timezone(), &test)
            .into_iter()
            .map(|finding| (finding.message, finding.help))
            .collect()
    }

    #[test]
    fn an_instant_without_a_fire_is_told_with_the_fires_around_it() {
        let none = "2027-03-28T00:30:00Z";
        assert_eq!(
            said("daily: \"02:30\"", Expectation::FiresAt(vec![moment(none, none)])),
            [(
                "`j` does not fire at Sun 2027-03-28T01:30:00+01:00".to_owned(),
                "the fire before: Sat 2027-03-27T02:30:00+01:00; the next one: Sun 2027-03-28T03:00:00+02:00".to_owned()
            )]
        );
        let moved = "2027-03-28T01:00:00Z";
        let expected = Expectation::FiresAt(vec![moment(moved, moved)]);
        assert!(said("daily: \"02:30\"", expected).is_empty());
    }

    #[test]
    fn a_day_is_its_whole_day_both_ways() {
        let day = || vec![moment("2027-12-24T23:00:00Z", "2027-12-25T22:59:59Z")];
        assert!(said("@hourly", Expectation::FiresAt(day())).is_empty());
        assert!(said("0 3 1 1 *", Expectation::NeverAt(day())).is_empty());
        assert_eq!(
            said("0 */12 * * *", Expectation::NeverAt(day())),
            [(
                "`j` fires 2 times on 2027-12-24, first at Sat 2027-12-25T00:00:00+01:00".to_owned(),
                "the fire before: Fri 2027-12-24T12:00:00+01:00; the next one: Sun 2027-12-26T00:00:00+01:00".to_owned()
            )]
        );
        assert_eq!(
            said("manual", Expectation::FiresAt(day())),
            [(
                "`j` does not fire on 2027-12-24".to_owned(),
                "the fire before: none; the next one: none".to_owned()
            )]
        );
    }

    #[test]
    fn a_number_of_fires_is_counted_with_both_ends() {
        let count = |least, most| Expectation::Count {
            from: at("2027-03-01T02:00:00Z"),
            until: at("2027-03-03T02:00:00Z"),
            least,
            most,
            shown: Arc::from("SHOWN"),
        };
        assert!(said("daily: \"03:00\"", count(3, 3)).is_empty());
        assert_eq!(
            said("daily: \"03:00\"", count(4, u64::MAX)),
            [(
                "`j` fires 3 times: expected SHOWN".to_owned(),
                "in this span it fires first at Mon 2027-03-01T03:00:00+01:00 and last at Wed 2027-03-03T03:00:00+01:00".to_owned()
            )]
        );
        assert_eq!(said("daily: \"03:00\"", count(0, 2)).len(), 1);
    }
}
