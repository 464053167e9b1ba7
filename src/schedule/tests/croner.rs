//! Another implementation as a witness: croner, where its rules are ours.
//!
//! They differ, and these lines avoid it: a day field such as `*/2` is
//! unrestricted here (as in Debian) and restricted there; a list of fixed
//! times is fixed here and follows the clock there; a day that a place lost
//! (Apia) ends its search.

use ::croner::parser::{CronParser, Seconds};
use proptest::prelude::*;

use super::*;

fn number(low: u8, high: u8) -> impl Strategy<Value = String> {
    (low..=high).prop_map(|value| value.to_string())
}

fn list(low: u8, high: u8) -> impl Strategy<Value = String> {
    prop_oneof![
        3 => number(low, high),
        2 => (low..=high, low..=high, low..=high).prop_map(|(a, b, c)| format!("{a},{b},{c}")),
        2 => (low..=high, low..=high, 1u8..9).prop_map(|(a, b, k)| format!("{}-{}/{k}", a.min(b), a.max(b))),
        4 => Just("*".to_owned()),
    ]
}

fn compare(line: &str, zone: &Zone, after: Timestamp, n: usize) -> Result<(), TestCaseError> {
    let theirs = CronParser::builder()
        .seconds(Seconds::Optional)
        .build()
        .parse(line)
        .unwrap();
    let Ok(ours) = Cron::parse(line) else {
        // Only a date that never comes: the generators write nothing else that is refused.
        return Ok(());
    };
    let ours = Schedule::new(vec![Item::cron(ours, zone.clone())]);
    let mut at = after;
    for _ in 0..n {
        let next = ours.next_after(at).unwrap().scheduled;
        let zoned = at.to_zoned(zone.timezone().clone());
        let other = theirs
            .find_next_occurrence(&zoned, false)
            .unwrap()
            .timestamp();
        prop_assert_eq!(next, other, "{} in {} after {}", line, zone, at);
        at = next;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn without_clock_changes_croner_finds_the_same_fires(
        minute in list(0, 59), hour in list(0, 23), day in list(1, 28), month in list(1, 12), week in list(0, 6),
        start in 0i64..4_000_000_000,
    ) {
        let after = Timestamp::from_second(start).unwrap();
        compare(&format!("{minute} {hour} {day} {month} {week}"), &Zone::utc(), after, 12)?;
    }

    #[test]
    fn one_fixed_time_a_day_and_steps_agree_over_clock_changes(
        minute in number(0, 59), hour in number(0, 4), step in prop::sample::select(vec![5u8, 10, 15, 20, 30]),
        week in prop_oneof![Just("*".to_owned()), number(0, 6)],
        name in prop::sample::select(vec!["America/New_York", "Europe/London", "Asia/Tokyo", "Europe/Berlin"]),
        change in prop::sample::select(vec!["2027-03-13T20:00:00Z", "2027-03-27T20:00:00Z", "2027-10-30T20:00:00Z", "2027-11-06T20:00:00Z"]),
    ) {
        compare(&format!("{minute} {hour} * * {week}"), &zone(name), instant(change), 6)?;
        compare(&format!("*/{step} * * * *"), &zone(name), instant(change), 40)?;
    }
}
