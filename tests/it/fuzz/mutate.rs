//! Inputs that are nearly right: real ones, changed in a few places.

use crate::support::Dice;

/// What parsers trip over: ends of ranges, empty things, odd characters.
const ODD: [&[u8]; 40] = [
    b"0",
    b"-1",
    b"1",
    b"59",
    b"60",
    b"255",
    b"256",
    b"65536",
    b"2147483648",
    b"9223372036854775807",
    b"18446744073709551616",
    b"1e308",
    b"NaN",
    b"00000000000000000001",
    b"\0",
    b"\r\n",
    b"\t",
    b"\xff",
    b"\xed\xa0\x80",
    "\u{feff}".as_bytes(),
    "\u{202e}".as_bytes(),
    "٣".as_bytes(),
    "é".as_bytes(),
    b"\"",
    b"'",
    b"{",
    b"}",
    b"[",
    b"]",
    b": ",
    b"- ",
    b"&a ",
    b"*a",
    b"<<: ",
    b"!!binary ",
    b"${X:-y}",
    b"%",
    b"*/",
    b"L",
    b"#",
];

/// No input is longer.
const LONGEST: usize = 64 << 10;

/// Makes inputs of one kind out of real ones.
pub struct Mutator {
    seeds: Vec<Vec<u8>>,
    /// Words of the real ones, so that a key lands where a value was.
    words: Vec<Vec<u8>>,
}

impl Mutator {
    pub fn new(seeds: Vec<Vec<u8>>) -> Self {
        assert!(!seeds.is_empty());
        let mut words: Vec<Vec<u8>> = Vec::new();
        for seed in &seeds {
            let split = seed.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
            words.extend(split.filter(|word| !word.is_empty()).map(<[u8]>::to_vec));
        }
        words.sort();
        words.dedup();
        Self { seeds, words }
    }

    pub fn of_texts<T: AsRef<[u8]>>(seeds: &[T]) -> Self {
        Self::new(seeds.iter().map(|seed| seed.as_ref().to_vec()).collect())
    }

    pub fn next(&self, dice: &mut Dice) -> Vec<u8> {
        let mut input = dice.pick(&self.seeds).clone();
        // Mostly a single change: two mistakes hide each other.
        let many = *dice.pick(&[0, 1, 1, 1, 2, 3, 8]);
        for _ in 0..many {
            self.change(dice, &mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn change(&self, dice: &mut Dice, input: &mut Vec<u8>) {
        let place = |dice: &mut Dice, length: usize| {
            usize::try_from(dice.between(0, i64::try_from(length).unwrap())).unwrap()
        };
        let at = place(dice, input.len());
        let end = (at + place(dice, 12)).min(input.len());
        match dice.number(0, 9) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << dice.number(0, 7);
                }
            }
            1 => {
                input.drain(at..end);
            }
            2 => {
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            3 | 4 => {
                let odd = *dice.pick(&ODD);
                input.splice(at..end.min(at + 2), odd.iter().copied());
            }
            5 => {
                let odd = *dice.pick(&ODD);
                input.splice(at..at, odd.iter().copied());
            }
            6 if !self.words.is_empty() => {
                let word = dice.pick(&self.words).clone();
                let word_end = input[at..]
                    .iter()
                    .take_while(|b| b.is_ascii_alphanumeric())
                    .count();
                input.splice(at..at + word_end, word);
            }
            7 => {
                // The beginning of this one, the end of another.
                let other = dice.pick(&self.seeds);
                let from = place(dice, other.len());
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            8 => {
                // A digit becomes another number.
                let digit = input.iter().skip(at).position(u8::is_ascii_digit);
                if let Some(digit) = digit {
                    let odd = *dice.pick(&ODD[..14]);
                    input.splice(at + digit..=at + digit, odd.iter().copied());
                }
            }
            _ => {
                let part = input[at..end].to_vec();
                let times = usize::from(dice.number(2, 255));
                input.splice(at..at, part.repeat(times));
            }
        }
    }
}
