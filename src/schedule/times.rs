//! Which times of day: a set of seconds since midnight.

use jiff::civil;

use super::dates::DAY;

const ALL_HOURS: u32 = 0xff_ffff;
const ALL_SIXTY: u64 = (1 << 60) - 1;

/// A set of times of day. Equal sets are equal values: whatever is a product of
/// hours, minutes and seconds is a grid, and only the rest is a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Times {
    /// Every combination.
    Grid(Grid),
    /// Seconds since midnight, ascending.
    List(Box<[u32]>),
}

/// Every combination of these hours, minutes and seconds.
// Packed, its end has room for the tag of `Times`: eight bytes less for each schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C, packed(4))]
pub(super) struct Grid {
    /// Bits 0–59.
    pub(super) minutes: u64,
    /// Bits 0–59.
    pub(super) seconds: u64,
    /// Bits 0–23.
    pub(super) hours: u32,
}

/// Why a text is no time of day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no time of day: {help}")]
pub struct BadTime {
    /// What was written.
    pub text: String,
    /// The mend.
    pub help: String,
}

/// Reads `HH:MM` or `HH:MM:SS`.
///
/// # Errors
/// With the mend.
pub fn parse_time(text: &str) -> Result<civil::Time, BadTime> {
    let bad = |help: String| BadTime {
        text: text.to_owned(),
        help,
    };
    let form = || bad("write \"HH:MM\" or \"HH:MM:SS\", such as \"02:00\"".to_owned());
    let mut parts = [0i8; 3];
    let mut count = 0;
    let mut short = false;
    for part in text.split(':') {
        let slot = parts.get_mut(count).ok_or_else(form)?;
        let digits = part.len();
        if !(1..=2).contains(&digits) || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(form());
        }
        short |= digits == 1;
        *slot = part.parse().map_err(|_| form())?;
        count += 1;
    }
    if count < 2 {
        return Err(form());
    }
    let [hour, minute, second] = parts;
    if hour == 24 && minute == 0 && second == 0 {
        return Err(bad("a day begins at \"00:00\" and has no 24:00".to_owned()));
    }
    if hour > 23 || minute > 59 || second > 59 {
        return Err(bad("times go from 00:00:00 to 23:59:59".to_owned()));
    }
    if short {
        let seconds = if count == 3 {
            format!(":{second:02}")
        } else {
            String::new()
        };
        return Err(bad(format!("write \"{hour:02}:{minute:02}{seconds}\"")));
    }
    Ok(civil::time(hour, minute, second, 0))
}

impl Grid {
    /// Once a day.
    fn single(second: u32) -> Self {
        Self {
            hours: 1 << (second / 3_600),
            minutes: 1 << (second / 60 % 60),
            seconds: 1 << (second % 60),
        }
    }

    fn len(&self) -> i64 {
        i64::from(self.hours.count_ones() * self.minutes.count_ones() * self.seconds.count_ones())
    }

    fn first(&self) -> u32 {
        self.hours.trailing_zeros() * 3_600
            + self.minutes.trailing_zeros() * 60
            + self.seconds.trailing_zeros()
    }

    /// The first from `second` on.
    fn next(&self, second: u32) -> Option<u32> {
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let first_minute = self.minutes.trailing_zeros();
        let first_second = self.seconds.trailing_zeros();
        if self.hours & (1 << hour) != 0 {
            if self.minutes & (1 << minute) != 0 {
                let seconds = self.seconds & (!0 << second);
                if seconds != 0 {
                    return Some(hour * 3_600 + minute * 60 + seconds.trailing_zeros());
                }
            }
            let minutes = self.minutes & (!1 << minute);
            if minutes != 0 {
                return Some(hour * 3_600 + minutes.trailing_zeros() * 60 + first_second);
            }
        }
        let hours = self.hours & (!1 << hour);
        (hours != 0).then(|| hours.trailing_zeros() * 3_600 + first_minute * 60 + first_second)
    }

    /// How many lie before `second`, which may be the end of the day.
    fn before(&self, second: u32) -> i64 {
        if i64::from(second) >= DAY {
            return self.len();
        }
        let below = |bits: u64, at: u32| (bits & ((1 << at) - 1)).count_ones();
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let mut count =
            below(self.hours.into(), hour) * self.minutes.count_ones() * self.seconds.count_ones();
        if self.hours & (1 << hour) != 0 {
            count += below(self.minutes, minute) * self.seconds.count_ones();
            if self.minutes & (1 << minute) != 0 {
                count += below(self.seconds, second);
            }
        }
        count.into()
    }
}

impl Times {
    /// These seconds since midnight, in any order. They must be below a day.
    pub(super) fn of(mut seconds: Vec<u32>) -> Self {
        seconds.sort_unstable();
        seconds.dedup();
        let mut hull = Grid {
            hours: 0,
            minutes: 0,
            seconds: 0,
        };
        for &second in &seconds {
            let one = Grid::single(second);
            hull.hours |= one.hours;
            hull.minutes |= one.minutes;
            hull.seconds |= one.seconds;
        }
        // The hull holds them all, so equal sizes mean equal sets.
        if usize::try_from(hull.len()).is_ok_and(|len| len == seconds.len()) {
            return Self::Grid(hull);
        }
        Self::List(seconds.into())
    }

    /// At these minutes of every hour.
    pub(super) fn hourly(minutes: u64) -> Self {
        Self::Grid(Grid {
            hours: ALL_HOURS,
            minutes: minutes & ALL_SIXTY,
            seconds: 1,
        })
    }

    /// How many there are in a day.
    pub(super) fn len(&self) -> i64 {
        match self {
            Self::Grid(grid) => grid.len(),
            Self::List(list) => list.len() as i64,
        }
    }

    /// The first of the day. The set is not empty.
    pub(super) fn first(&self) -> u32 {
        match self {
            Self::Grid(grid) => grid.first(),
            Self::List(list) => list.first().copied().unwrap_or(0),
        }
    }

    /// The first from `second` on.
    pub(super) fn next(&self, second: u32) -> Option<u32> {
        match self {
            Self::Grid(grid) => grid.next(second),
            Self::List(list) => list.get(list.partition_point(|at| *at < second)).copied(),
        }
    }

    /// How many lie before `second`.
    pub(super) fn before(&self, second: u32) -> i64 {
        match self {
            Self::Grid(grid) => grid.before(second),
            Self::List(list) => list.partition_point(|at| *at < second) as i64,
        }
    }

    /// All of them, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        let mut from = Some(0);
        std::iter::from_fn(move || {
            let at = self.next(from?)?;
            from = (i64::from(at) + 1 < DAY).then_some(at + 1);
            Some(at)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_read_as_the_job_file_writes_them() {
        assert_eq!(parse_time("02:00"), Ok(civil::time(2, 0, 0, 0)));
        assert_eq!(parse_time("23:59:59"), Ok(civil::time(23, 59, 59, 0)));
        for (text, help) in [
            ("2:00", "write \"02:00\""),
            ("2:5:00", "write \"02:05:00\""),
            ("24:00", "a day begins at \"00:00\" and has no 24:00"),
            ("25:00", "times go from 00:00:00 to 23:59:59"),
            ("12:60", "times go from 00:00:00 to 23:59:59"),
            ("120", "write \"HH:MM\" or \"HH:MM:SS\", such as \"02:00\""),
            ("2pm", "write \"HH:MM\" or \"HH:MM:SS\", such as \"02:00\""),
            ("", "write \"HH:MM\" or \"HH:MM:SS\", such as \"02:00\""),
            (
                "1:2:3:4",
                "write \"HH:MM\" or \"HH:MM:SS\", such as \"02:00\"",
            ),
            (
                "-1:00",
                "write \"HH:MM\" or \"HH:MM:SS\", such as \"02:00\"",
            ),
        ] {
            assert_eq!(parse_time(text).unwrap_err().help, help, "{text:?}");
        }
    }

    #[test]
    fn a_list_that_is_a_product_is_the_same_value_as_the_grid() {
        let grid = Times::of(vec![36_000, 72_000, 36_000]);
        assert!(matches!(grid, Times::Grid(_)));
        assert!(matches!(Times::of(vec![3_600, 7_260]), Times::List(_)));
    }

    fn holds(times: &Times, second: u32) -> bool {
        match times {
            Times::Grid(grid) => {
                grid.hours & (1 << (second / 3_600)) != 0
                    && grid.minutes & (1 << (second / 60 % 60)) != 0
                    && grid.seconds & (1 << (second % 60)) != 0
            }
            Times::List(list) => list.contains(&second),
        }
    }

    proptest::proptest! {
        #[test]
        fn all_questions_agree_with_the_plain_set(
            seconds in proptest::collection::btree_set(0u32..86_400, 1..20),
            hours in 1u32..ALL_HOURS, minutes in 1u64..ALL_SIXTY, few in 1u64..64,
            at in 0u32..86_400,
        ) {
            let list = Times::of(seconds.iter().copied().collect());
            let grid = Times::Grid(Grid { hours, minutes, seconds: few });
            for times in [list, grid] {
                let plain: Vec<u32> = (0..86_400).filter(|second| holds(&times, *second)).collect();
                proptest::prop_assert_eq!(times.iter().collect::<Vec<_>>(), plain.clone());
                proptest::prop_assert_eq!(times.len(), plain.len() as i64);
                proptest::prop_assert_eq!(times.first(), plain[0]);
                proptest::prop_assert_eq!(times.next(at), plain.iter().copied().find(|second| *second >= at));
                proptest::prop_assert_eq!(times.before(at), plain.iter().filter(|second| **second < at).count() as i64);
            }
            let times = Times::of(seconds.iter().copied().collect());
            proptest::prop_assert!(times.iter().eq(seconds));
        }
    }
}
