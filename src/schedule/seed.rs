//! Numbers that follow from a job's name and an instant, and from nothing else.
//!
//! They are the same after a restart, on each replica and in each version: tests
//! freeze them, and `docs/schedules.md` gives the recipe, so that anybody can
//! compute them anew. The name goes through SHA-256; from there on it is
//! `SplitMix64`, whose output function is public domain and a few shifts long.

use sha2::{Digest, Sha256};

/// What a job's name gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seed(u64);

/// What the numbers are for, so that no two uses draw the same ones.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Spread = 1,
    Jitter = 2,
    Random = 3,
}

/// An endless row of numbers.
#[derive(Clone, Debug)]
pub(super) struct Draws {
    state: u64,
}

/// The step of `SplitMix64`: 2⁶⁴ divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Seed {
    /// The first eight bytes of the SHA-256 of the name, the first one the highest.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let digest = Sha256::digest(name.as_bytes());
        let bytes = digest.iter().take(8);
        Self(bytes.fold(0, |seed, byte| seed << 8 | u64::from(*byte)))
    }

    /// The numbers for one purpose and key: a day, or an instant.
    pub(super) fn draws(self, purpose: Purpose, key: i64) -> Draws {
        let purposed = mix(self.0.wrapping_add(purpose as u64));
        Draws {
            state: mix(purposed.wrapping_add(key.cast_unsigned())),
        }
    }
}

impl Draws {
    /// The next number from 0 on and below `end`, which is not 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        let wide = u128::from(mix(self.state)) * u128::from(end);
        // The upper half of the product is below `end`.
        (wide >> 64) as u64
    }
}

/// The output function of `SplitMix64`.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_functions() {
        // SHA-256 of "abc" begins with ba7816bf8f01cfea (FIPS 180-2).
        assert_eq!(Seed::of("abc"), Seed(0xba78_16bf_8f01_cfea));
        // SplitMix64 from 1234567 begins with these (the reference program's output).
        let mut state = 1_234_567_u64;
        let mut next = || {
            state = state.wrapping_add(STEP);
            mix(state)
        };
        assert_eq!(next(), 6_457_827_717_110_365_317);
        assert_eq!(next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn uses_and_keys_draw_different_numbers_and_stay_below_the_end() {
        let seed = Seed::of("backup");
        let row = |purpose, key| {
            let mut draws = seed.draws(purpose, key);
            [(); 8].map(|()| draws.below(1_000))
        };
        let rows = [
            row(Purpose::Spread, 0),
            row(Purpose::Jitter, 0),
            row(Purpose::Random, 0),
            row(Purpose::Random, -1),
            row(Purpose::Random, 1),
        ];
        for (at, one) in rows.iter().enumerate() {
            assert!(one.iter().all(|number| *number < 1_000));
            assert!(!rows[..at].contains(one));
        }
    }

    #[test]
    fn each_number_comes_as_often_as_any_other() {
        let mut counts = [0u32; 10];
        for key in 0..20_000 {
            let mut draws = Seed::of("even").draws(Purpose::Jitter, key);
            counts[usize::try_from(draws.below(10)).unwrap()] += 1;
        }
        // Ten standard deviations.
        assert!(
            counts.iter().all(|n| (1_576..2_424).contains(n)),
            "{counts:?}"
        );
    }
}
