//! Cases worked out by hand: what the calendar and the clocks of the place say.

use super::*;

struct Case {
    name: &'static str,
    line: &'static str,
    zone: &'static str,
    after: &'static str,
    fires: &'static [&'static str],
}

macro_rules! cases {
    ($($name:literal: $line:literal in $zone:literal after $after:literal => [$($fire:literal),* $(,)?];)*) => {
        &[$(Case { name: $name, line: $line, zone: $zone, after: $after, fires: &[$($fire),*] }),*]
    };
}

const CASES: &[Case] = cases! {
    "a plain time, every day": "30 3 * * *" in "Asia/Tokyo" after "2027-03-14T03:30:00+09:00"
        => ["2027-03-15T03:30:00+09:00", "2027-03-16T03:30:00+09:00"];
    "a fraction of a second before the time": "30 3 * * *" in "UTC" after "2027-03-14T03:29:59.999Z"
        => ["2027-03-14T03:30:00+00:00"];
    "a fraction of a second after the time": "30 3 * * *" in "UTC" after "2027-03-14T03:30:00.001Z"
        => ["2027-03-15T03:30:00+00:00"];
    "before 1970, with a fraction": "* * * * *" in "UTC" after "1969-12-31T23:58:59.5Z"
        => ["1969-12-31T23:59:00+00:00", "1970-01-01T00:00:00+00:00"];

    // New York, 2027: 14 March 02:00 becomes 03:00, 7 November 02:00 becomes 01:00.
    "a fixed time in the gap fires once at its end": "30 2 * * *" in "America/New_York" after "2027-03-13T12:00:00-05:00"
        => ["2027-03-14T03:00:00-04:00", "2027-03-15T02:30:00-04:00"];
    "several fixed times in one gap are one fire": "0,15,30 2 * * *" in "America/New_York" after "2027-03-13T12:00:00-05:00"
        => ["2027-03-14T03:00:00-04:00", "2027-03-15T02:00:00-04:00"];
    "a time in the gap and one at its end are one fire": "0 2,3 * * *" in "America/New_York" after "2027-03-13T12:00:00-05:00"
        => ["2027-03-14T03:00:00-04:00", "2027-03-15T02:00:00-04:00", "2027-03-15T03:00:00-04:00"];
    "a date that is only in the gap": "30 2 14 3 *" in "America/New_York" after "2027-01-01T00:00:00-05:00"
        => ["2027-03-14T03:00:00-04:00", "2028-03-14T02:30:00-04:00"];
    "every half hour leaves the gap out": "*/30 * * * *" in "America/New_York" after "2027-03-14T01:15:00-05:00"
        => ["2027-03-14T01:30:00-05:00", "2027-03-14T03:00:00-04:00", "2027-03-14T03:30:00-04:00"];
    "every hour at 30 leaves the gap out": "30 * * * *" in "America/New_York" after "2027-03-14T01:15:00-05:00"
        => ["2027-03-14T01:30:00-05:00", "2027-03-14T03:30:00-04:00"];
    "a minute that begins with a star follows the clock, also within one hour": "*/15 2 * * *" in "America/New_York" after "2027-03-13T12:00:00-05:00"
        => ["2027-03-15T02:00:00-04:00"];
    "an hour range is a list of fixed times": "30 1-3 * * *" in "America/New_York" after "2027-03-14T00:00:00-05:00"
        => ["2027-03-14T01:30:00-05:00", "2027-03-14T03:00:00-04:00", "2027-03-14T03:30:00-04:00", "2027-03-15T01:30:00-04:00"];
    "a fixed time that comes twice fires the first time": "30 1 * * *" in "America/New_York" after "2027-11-06T12:00:00-04:00"
        => ["2027-11-07T01:30:00-04:00", "2027-11-08T01:30:00-05:00"];
    "so does each of a list": "0,30 1 * * *" in "America/New_York" after "2027-11-06T12:00:00-04:00"
        => ["2027-11-07T01:00:00-04:00", "2027-11-07T01:30:00-04:00", "2027-11-08T01:00:00-05:00"];
    "and asking in the second pass gives the next day": "30 1 * * *" in "America/New_York" after "2027-11-07T01:10:00-05:00"
        => ["2027-11-08T01:30:00-05:00"];
    "every half hour fires in both passes": "*/30 * * * *" in "America/New_York" after "2027-11-07T00:45:00-04:00"
        => ["2027-11-07T01:00:00-04:00", "2027-11-07T01:30:00-04:00", "2027-11-07T01:00:00-05:00",
            "2027-11-07T01:30:00-05:00", "2027-11-07T02:00:00-05:00"];
    "every hour at 15 fires in both passes": "15 * * * *" in "America/New_York" after "2027-11-07T00:45:00-04:00"
        => ["2027-11-07T01:15:00-04:00", "2027-11-07T01:15:00-05:00", "2027-11-07T02:15:00-05:00"];
    "a star in the minute fires in both passes of its hour": "*/30 1 * * *" in "America/New_York" after "2027-11-06T12:00:00-04:00"
        => ["2027-11-07T01:00:00-04:00", "2027-11-07T01:30:00-04:00", "2027-11-07T01:00:00-05:00", "2027-11-07T01:30:00-05:00"];
    "seconds of a fixed minute in the gap are one fire": "*/20 30 2 * * *" in "America/New_York" after "2027-03-13T12:00:00-05:00"
        => ["2027-03-14T03:00:00-04:00", "2027-03-15T02:30:00-04:00", "2027-03-15T02:30:20-04:00"];
    "every 20 seconds goes on through the fold": "*/20 * * * * *" in "America/New_York" after "2027-11-07T01:59:20-04:00"
        => ["2027-11-07T01:59:40-04:00", "2027-11-07T01:00:00-05:00"];

    "London, spring": "30 1 * * *" in "Europe/London" after "2027-03-27T12:00:00+00:00"
        => ["2027-03-28T02:00:00+01:00", "2027-03-29T01:30:00+01:00"];
    "London, autumn": "30 1 * * *" in "Europe/London" after "2027-10-30T12:00:00+01:00"
        => ["2027-10-31T01:30:00+01:00", "2027-11-01T01:30:00+00:00"];
    "Lord Howe shifts by half an hour": "15 2 * * *" in "Australia/Lord_Howe" after "2027-10-02T12:00:00+10:30"
        => ["2027-10-03T02:30:00+11:00", "2027-10-04T02:15:00+11:00"];
    "Lord Howe back, fixed": "45 1 * * *" in "Australia/Lord_Howe" after "2027-04-03T12:00:00+11:00"
        => ["2027-04-04T01:45:00+11:00", "2027-04-05T01:45:00+10:30"];
    "Lord Howe back, following": "*/15 * * * *" in "Australia/Lord_Howe" after "2027-04-04T01:30:00+11:00"
        => ["2027-04-04T01:45:00+11:00", "2027-04-04T01:30:00+10:30", "2027-04-04T01:45:00+10:30", "2027-04-04T02:00:00+10:30"];
    "Troll shifts by two hours": "30 1,2 * * *" in "Antarctica/Troll" after "2027-03-27T12:00:00+00:00"
        => ["2027-03-28T03:00:00+02:00", "2027-03-29T01:30:00+02:00"];
    "Troll back": "0 2 * * *" in "Antarctica/Troll" after "2027-10-30T12:00:00+02:00"
        => ["2027-10-31T02:00:00+02:00", "2027-11-01T02:00:00+00:00"];
    "Apia lost 30 December 2011: its noon fires at the end of the gap": "0 12 * * *" in "Pacific/Apia" after "2011-12-29T12:00:00-10:00"
        => ["2011-12-31T00:00:00+14:00", "2011-12-31T12:00:00+14:00"];
    "Apia, a date that did not exist": "0 12 30 12 *" in "Pacific/Apia" after "2011-12-01T00:00:00-10:00"
        => ["2011-12-31T00:00:00+14:00", "2012-12-30T12:00:00+14:00"];
    "Apia, midnight of the lost day and of the next are one fire": "0 0 * * *" in "Pacific/Apia" after "2011-12-28T12:00:00-10:00"
        => ["2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00"];
    "Apia, following the clock": "0 */12 * * *" in "Pacific/Apia" after "2011-12-29T00:00:00-10:00"
        => ["2011-12-29T12:00:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T12:00:00+14:00"];
    "Sao Paulo had no midnight": "0 0 * * *" in "America/Sao_Paulo" after "2018-11-03T12:00:00-03:00"
        => ["2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"];
    "Sao Paulo had its last hour twice": "30 23 * * *" in "America/Sao_Paulo" after "2019-02-16T12:00:00-02:00"
        => ["2019-02-16T23:30:00-02:00", "2019-02-17T23:30:00-03:00"];
    "Sao Paulo, midnight after the fold comes once": "0 0 * * *" in "America/Sao_Paulo" after "2019-02-16T12:00:00-02:00"
        => ["2019-02-17T00:00:00-03:00", "2019-02-18T00:00:00-03:00"];
    "Havana goes back to midnight": "30 0 * * *" in "America/Havana" after "2027-11-06T12:00:00-04:00"
        => ["2027-11-07T00:30:00-04:00", "2027-11-08T00:30:00-05:00"];
    "Havana, midnight itself comes twice and fires first": "0 0 * * *" in "America/Havana" after "2027-11-06T12:00:00-04:00"
        => ["2027-11-07T00:00:00-04:00", "2027-11-08T00:00:00-05:00"];
    "Kwajalein had 30 September 1969 twice": "0 12 * * *" in "Pacific/Kwajalein" after "1969-09-29T13:00:00+11:00"
        => ["1969-09-30T12:00:00+11:00", "1969-10-01T12:00:00-12:00"];

    "leap day over a century that has none": "0 0 29 2 *" in "UTC" after "2096-03-01T00:00:00Z"
        => ["2104-02-29T00:00:00+00:00"];
    "leap day on a Sunday, across a century": "0 0 29 2 */7" in "UTC" after "2060-03-01T00:00:00Z"
        => ["2088-02-29T00:00:00+00:00", "2128-02-29T00:00:00+00:00"];
    "summer time goes on after 2100": "0 12 * * *" in "America/New_York" after "2345-07-01T13:00:00-04:00"
        => ["2345-07-02T12:00:00-04:00"];
    "the last fire of the calendar": "0 0 * * *" in "UTC" after "9999-12-29T12:00:00Z"
        => ["9999-12-30T00:00:00+00:00"];

    "7 is Sunday": "0 0 * * 7" in "UTC" after "2027-08-01T12:00:00Z"
        => ["2027-08-08T00:00:00+00:00"];
    "0 is Sunday": "0 0 * * 0" in "UTC" after "2027-08-01T12:00:00Z"
        => ["2027-08-08T00:00:00+00:00"];
    "5-7 ends on Sunday": "0 0 * * 5-7" in "UTC" after "2027-08-01T12:00:00Z"
        => ["2027-08-06T00:00:00+00:00", "2027-08-07T00:00:00+00:00", "2027-08-08T00:00:00+00:00", "2027-08-13T00:00:00+00:00"];
    "1-5 is Monday to Friday": "0 0 * * 1-5" in "UTC" after "2027-08-06T12:00:00Z"
        => ["2027-08-09T00:00:00+00:00"];
    "both day fields restricted: either matches": "0 0 13 * fri" in "UTC" after "2027-09-04T00:00:00Z"
        => ["2027-09-10T00:00:00+00:00", "2027-09-13T00:00:00+00:00", "2027-09-17T00:00:00+00:00"];
    "a day of month that begins with a star: both must match": "0 0 */2 * mon" in "UTC" after "2027-08-01T00:00:00Z"
        => ["2027-08-09T00:00:00+00:00", "2027-08-23T00:00:00+00:00", "2027-09-13T00:00:00+00:00"];
    "a day of week that begins with a star: both must match": "0 0 13 * */2" in "UTC" after "2027-08-01T00:00:00Z"
        => ["2027-11-13T00:00:00+00:00", "2028-01-13T00:00:00+00:00"];
    "? is *": "0 0 13 * ?" in "UTC" after "2027-08-01T00:00:00Z"
        => ["2027-08-13T00:00:00+00:00", "2027-09-13T00:00:00+00:00"];
    "31 skips the short months": "0 0 31 * *" in "UTC" after "2027-03-31T00:00:00Z"
        => ["2027-05-31T00:00:00+00:00", "2027-07-31T00:00:00+00:00"];
    "names of months and days": "0 0 1 JAN,jul *" in "UTC" after "2027-03-31T00:00:00Z"
        => ["2027-07-01T00:00:00+00:00", "2028-01-01T00:00:00+00:00"];
    "a step over a range": "10-40/15 9 * * *" in "UTC" after "2027-03-31T00:00:00Z"
        => ["2027-03-31T09:10:00+00:00", "2027-03-31T09:25:00+00:00", "2027-03-31T09:40:00+00:00", "2027-04-01T09:10:00+00:00"];
    "a step past the range leaves the first value": "*/70 9 * * *" in "UTC" after "2027-03-31T00:00:00Z"
        => ["2027-03-31T09:00:00+00:00", "2027-04-01T09:00:00+00:00"];
    "L is the last day": "0 0 L * *" in "UTC" after "2028-01-31T12:00:00Z"
        => ["2028-02-29T00:00:00+00:00", "2028-03-31T00:00:00+00:00"];
    "LW is the last weekday": "0 0 LW * *" in "UTC" after "2027-10-01T00:00:00Z"
        => ["2027-10-29T00:00:00+00:00", "2027-11-30T00:00:00+00:00"];
    "15W on a Sunday is the Monday after": "0 0 15W * *" in "UTC" after "2027-08-01T00:00:00Z"
        => ["2027-08-16T00:00:00+00:00", "2027-09-15T00:00:00+00:00"];
    "1W on a Saturday stays in its month": "0 0 1W * *" in "UTC" after "2027-04-15T00:00:00Z"
        => ["2027-05-03T00:00:00+00:00", "2027-06-01T00:00:00+00:00"];
    "31W on a Sunday stays in its month": "0 0 31W * *" in "UTC" after "2027-10-01T00:00:00Z"
        => ["2027-10-29T00:00:00+00:00", "2027-12-31T00:00:00+00:00"];
    "the second Friday": "0 0 * * fri#2" in "UTC" after "2027-08-01T00:00:00Z"
        => ["2027-08-13T00:00:00+00:00", "2027-09-10T00:00:00+00:00"];
    "a fifth Monday skips the months without": "0 0 * * 1#5" in "UTC" after "2027-03-30T00:00:00Z"
        => ["2027-05-31T00:00:00+00:00", "2027-08-30T00:00:00+00:00"];
    "the last Friday": "0 0 * * friL" in "UTC" after "2027-08-01T00:00:00Z"
        => ["2027-08-27T00:00:00+00:00", "2027-09-24T00:00:00+00:00"];
    "@weekly": "@weekly" in "UTC" after "2027-08-02T00:00:00Z" => ["2027-08-08T00:00:00+00:00"];
    "@monthly": "@monthly" in "UTC" after "2027-08-02T00:00:00Z" => ["2027-09-01T00:00:00+00:00"];
    "@yearly": "@yearly" in "UTC" after "2027-08-02T00:00:00Z" => ["2028-01-01T00:00:00+00:00"];
    "@annually": "@annually" in "UTC" after "2027-08-02T00:00:00Z" => ["2028-01-01T00:00:00+00:00"];
    "@daily": "@daily" in "UTC" after "2027-08-02T00:00:00Z" => ["2027-08-03T00:00:00+00:00"];
    "@midnight": "@midnight" in "UTC" after "2027-08-02T00:00:00Z" => ["2027-08-03T00:00:00+00:00"];
    "@hourly follows the clock": "@hourly" in "America/New_York" after "2027-11-07T00:30:00-04:00"
        => ["2027-11-07T01:00:00-04:00", "2027-11-07T01:00:00-05:00", "2027-11-07T02:00:00-05:00"];
};

#[test]
fn each_case_fires_as_worked_out_by_hand() {
    for case in CASES {
        let schedule = cron(case.line, case.zone);
        let place = zone(case.zone);
        let fires: Vec<_> = walk(&schedule, instant(case.after), case.fires.len())
            .into_iter()
            .map(|at| shown(at, &place))
            .collect();
        assert_eq!(fires, case.fires, "{}: {}", case.name, case.line);
    }
}

#[test]
fn after_the_last_second_of_the_calendar_nothing_fires() {
    for zone in ["UTC", "Pacific/Kiritimati", "America/New_York"] {
        for line in ["0 0 * * *", "* * * * *", "* * * * * *"] {
            assert_eq!(cron(line, zone).next_after(Timestamp::MAX), None);
        }
    }
}

#[test]
fn a_time_that_is_always_in_the_gap_never_fires_if_it_follows_the_clock() {
    let following = cron("*/30 2 * 3 sun#2", "America/New_York");
    let after = instant("2027-01-01T00:00:00Z");
    assert_eq!(following.next_after(after), None);
    let last = instant("2006-03-12T07:30:00Z");
    assert_eq!(
        walk(&following, instant("2006-01-01T00:00:00Z"), 9).last(),
        Some(&last)
    );
    let fixed = cron("30 2 * 3 sun#2", "America/New_York");
    assert_eq!(walk(&fixed, after, 1), [instant("2027-03-14T07:00:00Z")]);
}
