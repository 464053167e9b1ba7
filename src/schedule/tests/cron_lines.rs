//! Which cron lines are refused, where the carets stand, and what is said.

use super::super::{Cron, CronErrorKind};

/// The line, the part that is marked, the message, the mend.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    (
        "",
        "",
        "an empty cron line",
        "write five fields, such as \"30 3 * * *\"",
    ),
    (
        "   ",
        "   ",
        "an empty cron line",
        "write five fields, such as \"30 3 * * *\"",
    ),
    (
        "30 3 * *",
        "30 3 * *",
        "4 fields, where a cron line has five or six",
        "write minute, hour, day of month, month, day of week, such as \"30 3 * * *\"",
    ),
    (
        "5m",
        "5m",
        "1 field, where a cron line has five or six",
        "write minute, hour, day of month, month, day of week, such as \"30 3 * * *\"",
    ),
    (
        "0 30 3 * * 1-5 2027",
        "2027",
        "7 fields, where a cron line has five or six",
        "drop the year: six fields are second, minute, hour, day of month, month, day of week",
    ),
    (
        "30 3 * * * root /bin/backup",
        "/bin/backup",
        "7 fields, where a cron line has five or six",
        "drop what follows: commands belong into run",
    ),
    (
        "0 0 1 1 * 2027",
        "2027",
        "a cron line has no year",
        "drop it: with six fields the first is the second",
    ),
    (
        "0 0 1 1 * 2027-2030",
        "2027-2030",
        "a cron line has no year",
        "drop it: with six fields the first is the second",
    ),
    (
        "5/15 * * * *",
        "5/15",
        "a step needs a range or * before it, not 5",
        "write 5-59/15",
    ),
    (
        "0 2/3 * * *",
        "2/3",
        "a step needs a range or * before it, not 2",
        "write 2-23/3",
    ),
    (
        "0 0 * * fri-mon",
        "fri-mon",
        "the range fri-mon runs backwards",
        "write fri,sat,sun,mon",
    ),
    (
        "0 0 * * 6-2",
        "6-2",
        "the range 6-2 runs backwards",
        "write sat,sun,mon,tue",
    ),
    (
        "0 22-3 * * *",
        "22-3",
        "the range 22-3 runs backwards",
        "write 22-23,0-3",
    ),
    (
        "0 0 * * friday",
        "friday",
        "\"friday\" is no day of week",
        "write fri",
    ),
    (
        "0 0 * * Mon,Tuesday",
        "Tuesday",
        "\"Tuesday\" is no day of week",
        "write tue",
    ),
    (
        "0 0 1 january *",
        "january",
        "\"january\" is no month",
        "write jan",
    ),
    (
        "0 0 1 foo *",
        "foo",
        "\"foo\" is no month",
        "write 1 to 12 or jan to dec",
    ),
    (
        "0 0 * * xyz",
        "xyz",
        "\"xyz\" is no day of week",
        "write 0 to 7 or sun to sat",
    ),
    (
        "0,,30 * * * *",
        ",",
        "an empty item in the minute",
        "drop the comma",
    ),
    (
        "0, * * * *",
        ",",
        "an empty item in the minute",
        "drop the comma",
    ),
    (
        "0 ,5 * * *",
        ",",
        "an empty item in the hour",
        "drop the comma",
    ),
    (
        "H 3 * * *",
        "H",
        "H is not known here",
        "write a fixed value, and spread: 10m beside the schedule",
    ),
    (
        "H/15 * * * *",
        "H/15",
        "H is not known here",
        "write a fixed value, and spread: 10m beside the schedule",
    ),
    (
        "@reboot",
        "@reboot",
        "@reboot is not a cron line here",
        "write startup",
    ),
    (
        "@every 90s",
        "@every",
        "@every is not a cron line",
        "write { every: 90s }",
    ),
    ("@Daily", "@Daily", "@Daily is not known", "write @daily"),
    (
        "@noon",
        "@noon",
        "@noon is not known",
        "there are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly",
    ),
    ("@daily 5", "5", "nothing follows @daily", "drop it"),
    (
        "CRON_TZ=Asia/Tokyo 0 2 * * *",
        "CRON_TZ=Asia/Tokyo",
        "a cron line has no time zone in it",
        "write timezone: Asia/Tokyo beside the schedule",
    ),
    (
        "60 * * * *",
        "60",
        "60 is out of range for the minute",
        "write 0 to 59",
    ),
    (
        "* 24 * * *",
        "24",
        "24 is out of range for the hour",
        "write 0 to 23",
    ),
    (
        "* * 0 * *",
        "0",
        "0 is out of range for the day of month",
        "write 1 to 31",
    ),
    (
        "* * * 13 *",
        "13",
        "13 is out of range for the month",
        "write 1 to 12",
    ),
    (
        "* * * * 8",
        "8",
        "8 is out of range for the day of week",
        "write 0 to 7",
    ),
    (
        "0-99 * * * *",
        "99",
        "99 is out of range for the minute",
        "write 0 to 59",
    ),
    (
        "99999999999999999999 * * * *",
        "99999999999999999999",
        "99999999999999999999 is out of range for the minute",
        "write 0 to 59",
    ),
    (
        "*/0 * * * *",
        "0",
        "a step of 0 goes nowhere",
        "write a step from 1 on, such as */15",
    ),
    (
        "*/ * * * *",
        "/",
        "\"\" is no step",
        "write a step from 1 on, such as */15",
    ),
    (
        "*/x * * * *",
        "x",
        "\"x\" is no step",
        "write a step from 1 on, such as */15",
    ),
    (
        "*/5/5 * * * *",
        "5/5",
        "\"5/5\" is no step",
        "write a step from 1 on, such as */15",
    ),
    (
        "-5 * * * *",
        "-",
        "a value is missing in the minute",
        "write a number from 0 to 59",
    ),
    (
        "5- * * * *",
        "-",
        "a value is missing in the minute",
        "write a number from 0 to 59",
    ),
    (
        "+5 * * * *",
        "+5",
        "\"+5\" is no minute",
        "write 0 to 59, *, lists, ranges or steps",
    ),
    (
        "1.5 * * * *",
        "1.5",
        "\"1.5\" is no minute",
        "write 0 to 59, *, lists, ranges or steps",
    ),
    (
        "５ * * * *",
        "５",
        "\"５\" is no minute",
        "write 0 to 59, *, lists, ranges or steps",
    ),
    (
        "*5 * * * *",
        "*5",
        "\"*5\" is no minute",
        "write 0 to 59, *, lists, ranges or steps",
    ),
    (
        "? * * * *",
        "?",
        "? stands alone, for the day of month or the day of week",
        "write *",
    ),
    (
        "0 0 ?,5 * *",
        "?",
        "? stands alone, for the day of month or the day of week",
        "write *",
    ),
    (
        "0 0 * * L",
        "L",
        "L alone names no day of the week",
        "write sat, or satL for the last Saturday of the month",
    ),
    (
        "0 0 L-3 * *",
        "L-3",
        "days counted from the end are not known",
        "write L for the last day",
    ),
    (
        "0 0 * * fri#6",
        "6",
        "a month has no week \"6\"",
        "write fri#1 to fri#5, or friL for the last",
    ),
    (
        "0 0 * * fri#",
        "fri#",
        "a month has no week \"\"",
        "write fri#1 to fri#5, or friL for the last",
    ),
    (
        "0 0 32W * *",
        "32",
        "32 is out of range for the day of month",
        "write 1 to 31",
    ),
    (
        "L * * * *",
        "L",
        "\"L\" is no minute",
        "write 0 to 59, *, lists, ranges or steps",
    ),
    (
        "0 0 30 2 *",
        "30 2 *",
        "no date is ever meant: February has no day 30",
        "mend the day of month or the month",
    ),
    (
        "0 0 31 4,6,9,11 *",
        "31 4,6,9,11 *",
        "no date is ever meant: April, June, September and November have no day 31",
        "mend the day of month or the month",
    ),
    (
        "0 0 */31 * mon#5",
        "*/31 * mon#5",
        "no date is ever meant: no day satisfies both day fields in these months",
        "mend the day of month, the month or the day of week",
    ),
];

#[test]
fn a_line_that_is_none_is_refused_with_place_and_mend() {
    for (line, marked, message, help) in REFUSED {
        let error = Cron::parse(line).expect_err(line);
        let place = line.get(error.offset..error.offset + error.length);
        assert_eq!(place, Some(*marked), "{line:?} marks {error:?}");
        assert_eq!(error.message, *message, "{line:?}");
        assert_eq!(error.help, *help, "{line:?}");
        let never = error.kind == CronErrorKind::NeverFires;
        assert_eq!(never, message.contains("ever meant"), "{line:?}");
    }
}

#[test]
fn lines_that_mean_the_same_are_the_same_value() {
    for (one, other) in [
        ("0 0 * * *", "@daily"),
        ("0 0 * * 0", "@weekly"),
        ("0 0 * * 7", "0 0 * * sun"),
        ("0 0 * * 1-5", "00 000  *\t* Mon-FRI"),
        (" 0 0 1 1 * ", "@yearly"),
        ("0 0 0 * * *", "0 0 * * *"),
        ("*/15 * * * *", "*/15,0,45 * * * */1"),
    ] {
        assert_eq!(Cron::parse(one), Cron::parse(other), "{one} and {other}");
    }
    assert_ne!(
        Cron::parse("*/60 1 * * *"),
        Cron::parse("0 1 * * *"),
        "they differ at a change of the clock"
    );
}

proptest::proptest! {
    #[test]
    fn no_text_panics_and_each_error_has_a_place_in_it(line in "[-0-9*/,LWH#?@a-z \\t]{0,40}|.{0,40}") {
        if let Err(error) = Cron::parse(&line) {
            proptest::prop_assert!(line.get(error.offset..error.offset + error.length).is_some(), "{:?}", error);
            proptest::prop_assert!(line.is_empty() || error.length > 0);
            proptest::prop_assert!(!error.message.is_empty() && !error.help.is_empty());
        }
    }
}
