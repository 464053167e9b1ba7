//! Keeps secrets out of what is stored and shown.
//!
//! A secret is looked for as it is, with its line breaks taken out, line by line, and in
//! the forms that programs commonly print: base64 (wherever it begins inside
//! a longer text), URL-escaped, JSON-escaped. It is a search for known text and
//! so a safety net, no promise: a program that prints its secret backwards wins.
//!
//! Values of fewer than [`SHORTEST`] bytes are left alone: with `1` as a secret
//! every log would be stars, and every star would tell what the secret is.

use std::collections::HashMap;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, Input, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::secret::{MASK, Secret};

use super::failure::Failure;

/// The fewest bytes that are looked for.
pub(super) const SHORTEST: usize = 4;
/// The fewest bytes of one line of a secret of several lines, and of a piece of base64.
const SHORTEST_PIECE: usize = 8;
/// How much of each form the search itself knows; what follows is compared byte by byte.
const PREFIX: usize = 128;
/// How much of a secret is also looked for in other forms than its own.
const FORMS_OF: usize = 16 * 1024;
/// How many lines of one secret are looked for one by one.
const LINES_OF: usize = 256;

/// What to look for in output and messages.
#[derive(Clone, Default)]
pub(super) struct Mask {
    search: Option<Arc<Search>>,
}

struct Search {
    automaton: AhoCorasick,
    /// For each pattern, what may follow it where the pattern is only the beginning of a form.
    rests: Vec<Vec<Arc<[u8]>>>,
    /// The length of the longest pattern.
    longest: usize,
    patterns: Vec<Vec<u8>>,
    /// Which bytes a pattern begins with.
    firsts: [bool; 256],
}

impl Search {
    /// Whether more might make a pattern of these bytes, the last that there are so far.
    fn may_begin(&self, bytes: &[u8]) -> bool {
        let first = bytes
            .first()
            .is_some_and(|byte| self.firsts[usize::from(*byte)]);
        let goes_on = |pattern: &Vec<u8>| pattern.len() > bytes.len() && pattern.starts_with(bytes);
        first && self.patterns.iter().any(goes_on)
    }
}

impl Mask {
    /// Looks for each of `secrets`.
    pub(super) fn new<'a>(secrets: impl Iterator<Item = &'a Secret>) -> Result<Self, Failure> {
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        let mut rests: Vec<Vec<Arc<[u8]>>> = Vec::new();
        let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
        for form in secrets.flat_map(|secret| forms(secret.expose())) {
            let (pattern, rest) = form.split_at(form.len().min(PREFIX));
            let place = *known.entry(pattern.to_vec()).or_insert_with(|| {
                patterns.push(pattern.to_vec());
                rests.push(Vec::new());
                patterns.len() - 1
            });
            if !rest.is_empty() {
                rests[place].push(Arc::from(rest));
            }
        }
        let Some(longest) = patterns.iter().map(Vec::len).max() else {
            return Ok(Self::default());
        };
        let mut firsts = [false; 256];
        for first in patterns.iter().filter_map(|pattern| pattern.first()) {
            firsts[usize::from(*first)] = true;
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&patterns)
            .map_err(|_| Failure::internal("the search for secrets could not be built"))?;
        Ok(Self {
            search: Some(Arc::new(Search {
                automaton,
                rests,
                longest,
                patterns,
                firsts,
            })),
        })
    }

    /// `text` with stars where secrets were.
    pub(super) fn text(&self, text: &str) -> String {
        if self.search.is_none() {
            return text.to_owned();
        }
        let mut masked = Vec::with_capacity(text.len());
        let mut stream = Masking::new(self.clone());
        stream.push(text.as_bytes(), &mut |bytes| {
            masked.extend_from_slice(bytes)
        });
        stream.finish(&mut |bytes| masked.extend_from_slice(bytes));
        String::from_utf8_lossy(&masked).into_owned()
    }
}

/// Masks a stream of bytes, whatever the pieces in which it comes.
pub(super) struct Masking {
    mask: Mask,
    /// What might be the beginning of a secret; shorter than the longest pattern.
    held: Vec<u8>,
    /// What may follow the secret that was just found, while it still does.
    following: Vec<Following>,
}

struct Following {
    rest: Arc<[u8]>,
    done: usize,
}

impl Masking {
    pub(super) fn new(mask: Mask) -> Self {
        Self {
            mask,
            held: Vec::new(),
            following: Vec::new(),
        }
    }

    /// Takes the next bytes in and gives out what is decided.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut impl FnMut(&[u8])) {
        let Some(search) = self.mask.search.clone() else {
            return out(bytes);
        };
        let bytes = &bytes[self.swallow(bytes)..];
        if bytes.is_empty() {
            return;
        }
        self.held.extend_from_slice(bytes);
        // From here on a pattern might go on past what is there.
        let undecided = self.held.len().saturating_sub(search.longest - 1);
        let mut places = undecided..self.held.len();
        let until = places.find(|at| search.may_begin(&self.held[*at..]));
        self.scan(&search, until.unwrap_or(self.held.len()), out);
    }

    /// Gives out what was held back.
    pub(super) fn finish(&mut self, out: &mut impl FnMut(&[u8])) {
        if let Some(search) = self.mask.search.clone() {
            self.following.clear();
            self.scan(&search, self.held.len(), out);
        }
    }

    /// Decides about every place before `until`.
    fn scan(&mut self, search: &Search, until: usize, out: &mut impl FnMut(&[u8])) {
        let held = std::mem::take(&mut self.held);
        let mut at = 0;
        while at < until {
            let found = search.automaton.find(Input::new(&held).range(at..));
            let Some(found) = found.filter(|found| found.start() < until) else {
                break;
            };
            out(&held[at..found.start()]);
            out(MASK.as_bytes());
            let rests = &search.rests[found.pattern().as_usize()];
            self.following = rests
                .iter()
                .map(|rest| Following {
                    rest: Arc::clone(rest),
                    done: 0,
                })
                .collect();
            at = found.end();
            at += self.swallow(&held[at..]);
        }
        if at < until {
            out(&held[at..until]);
            at = until;
        }
        self.held = held;
        self.held.drain(..at);
    }

    /// How many of `bytes` still belong to the secret that was found.
    fn swallow(&mut self, bytes: &[u8]) -> usize {
        let mut most = 0;
        self.following.retain_mut(|following| {
            let rest = &following.rest[following.done..];
            let same = rest.iter().zip(bytes).take_while(|(a, b)| a == b).count();
            most = most.max(same);
            following.done += same;
            same == bytes.len() && same < rest.len()
        });
        most
    }
}

/// Everything that a secret is looked for as.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    let trimmed = secret.trim();
    if trimmed.len() < SHORTEST {
        return forms;
    }
    forms.push(secret.as_bytes().to_vec());
    forms.push(trimmed.as_bytes().to_vec());
    let lines: Vec<&str> = secret.lines().map(str::trim).collect();
    if lines.len() > 1 {
        forms.push(lines.concat().into_bytes());
        let long = lines.iter().filter(|line| line.len() >= SHORTEST_PIECE);
        forms.extend(long.take(LINES_OF).map(|line| line.as_bytes().to_vec()));
    }
    let mut end = secret.len().min(FORMS_OF);
    while !secret.is_char_boundary(end) {
        end -= 1;
    }
    let part = &secret[..end];
    for form in [part, part.trim()] {
        base64_forms(form.as_bytes(), &mut forms);
        url_forms(form, &mut forms);
        json_forms(form, &mut forms);
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// Base64 as it is, and as it looks one and two bytes into a longer text.
fn base64_forms(secret: &[u8], forms: &mut Vec<Vec<u8>>) {
    for engine in [&STANDARD, &URL_SAFE] {
        let whole = engine.encode(secret);
        forms.push(whole.trim_end_matches('=').as_bytes().to_vec());
        forms.push(whole.into_bytes());
        for (shift, first) in [(0, 0), (1, 2), (2, 3)] {
            let mut shifted = vec![0; shift];
            shifted.extend_from_slice(secret);
            // Only characters that are made of the secret's bits alone.
            let last = shifted.len() * 8 / 6;
            let text = engine.encode(&shifted).into_bytes();
            if last >= first + SHORTEST_PIECE {
                forms.push(text[first..last].to_vec());
            }
        }
    }
}

/// URL-escaped: everything but letters, digits and `-_.~`; and as forms have it, and as `encodeURI` leaves more alone.
fn url_forms(secret: &str, forms: &mut Vec<Vec<u8>>) {
    let escape = |keep: &[u8], upper: bool, space: &str| {
        let mut text = String::with_capacity(secret.len());
        for byte in secret.bytes() {
            match byte {
                b' ' => text.push_str(space),
                _ if byte.is_ascii_alphanumeric() || keep.contains(&byte) => {
                    text.push(char::from(byte));
                }
                _ if upper => text.push_str(&format!("%{byte:02X}")),
                _ => text.push_str(&format!("%{byte:02x}")),
            }
        }
        text.into_bytes()
    };
    forms.push(escape(b"-_.~", true, "%20"));
    forms.push(escape(b"-_.~", false, "%20"));
    forms.push(escape(b"-_.*", true, "+"));
    forms.push(escape(b"-_.~!*'()", true, "%20"));
    forms.push(escape(b"-_.~!*'();/?:@&=+$,#", true, "%20"));
}

/// As it stands inside a JSON string; also with everything beyond ASCII escaped, and `/` too.
fn json_forms(secret: &str, forms: &mut Vec<Vec<u8>>) {
    let Ok(quoted) = serde_json::to_string(secret) else {
        return;
    };
    let inner = quoted[1..quoted.len() - 1].to_owned();
    let mut ascii = String::with_capacity(inner.len());
    for character in inner.chars() {
        if character.is_ascii() {
            ascii.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            ascii.push_str(&format!("\\u{unit:04x}"));
        }
    }
    forms.push(inner.replace('/', "\\/").into_bytes());
    forms.push(inner.into_bytes());
    forms.push(ascii.into_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(secrets: &[&str]) -> Mask {
        let secrets: Vec<Secret> = secrets.iter().map(|text| Secret::new(text)).collect();
        Mask::new(secrets.iter()).unwrap()
    }

    fn in_pieces(mask: &Mask, text: &[u8], size: usize) -> Vec<u8> {
        let mut masked = Vec::new();
        let mut stream = Masking::new(mask.clone());
        for piece in text.chunks(size.max(1)) {
            stream.push(piece, &mut |bytes| masked.extend_from_slice(bytes));
        }
        stream.finish(&mut |bytes| masked.extend_from_slice(bytes));
        masked
    }

    #[test]
    fn a_secret_is_masked_in_the_forms_that_programs_print() {
        let secret = "p\"ä ss/w+rd?=x";
        let mask = mask(&[secret]);
        for (form, text) in [
            ("as it is", secret.to_owned()),
            ("base64", STANDARD.encode(secret)),
            ("base64 for addresses", URL_SAFE.encode(secret)),
            ("URL-escaped", "p%22%C3%A4%20ss%2Fw%2Brd%3F%3Dx".to_owned()),
            (
                "URL-escaped in lower case",
                "p%22%c3%a4%20ss%2fw%2brd%3f%3dx".to_owned(),
            ),
            (
                "as a form has it",
                "p%22%C3%A4+ss%2Fw%2Brd%3F%3Dx".to_owned(),
            ),
            ("in JSON", "p\\\"ä ss/w+rd?=x".to_owned()),
            ("in ASCII JSON", "p\\\"\\u00e4 ss/w+rd?=x".to_owned()),
        ] {
            assert_eq!(mask.text(&format!("<{text}>")), "<***>", "{form}");
        }
    }

    #[test]
    fn base64_of_a_longer_text_does_not_show_the_secret() {
        let mask = mask(&["correct-horse-battery"]);
        for before in ["", "u", "us", "usr", "user:"] {
            let text = STANDARD.encode(format!("{before}correct-horse-battery;more"));
            let masked = mask.text(&text);
            assert!(masked.contains("***"), "{before}: {masked}");
            // At most the characters at the seams are left, which are mixed with other bytes.
            assert!(
                masked.len() <= text.len() - 26 + MASK.len(),
                "{before}: {masked}"
            );
        }
    }

    #[test]
    fn what_cannot_become_a_secret_is_not_held_back() {
        let mut stream = Masking::new(mask(&["open-sesame"]));
        let mut push = |text: &str| {
            let mut said = Vec::new();
            stream.push(text.as_bytes(), &mut |bytes| said.extend_from_slice(bytes));
            String::from_utf8(said).unwrap()
        };
        for (text, want) in [
            ("first open-sesame\n", "first ***\n"),
            ("a prompt: ", "a prompt: "),
            ("open-", ""),
            ("minded ", "open-minded "),
            ("open-ses", ""),
            ("ame", "***"),
        ] {
            assert_eq!(push(text), want, "{text}");
        }
    }

    #[test]
    fn a_secret_of_several_lines_is_masked_whole_joined_and_line_by_line() {
        let key = "-----BEGIN KEY-----\nQUJDREVGR0g=\nSUpLTE1OT1A=\n-----END KEY-----";
        let mask = mask(&[key]);
        assert_eq!(mask.text(&format!("a{key}b")), "a***b");
        assert_eq!(mask.text(&key.replace('\n', "")), "***");
        assert_eq!(mask.text("line 2: SUpLTE1OT1A=!"), "line 2: ***!");
    }

    #[test]
    fn short_values_are_left_alone() {
        assert_eq!(mask(&["1", "abc", ""]).text("1 abc"), "1 abc");
        assert_eq!(mask(&["abcd"]).text("abcd abc"), "*** abc");
    }

    #[test]
    fn of_two_secrets_at_one_place_the_longer_one_is_masked() {
        let long = format!("token{}", "x".repeat(300));
        let mask = mask(&["token", &long, &format!("{long}-and-more")]);
        assert_eq!(mask.text("token!"), "***!");
        assert_eq!(mask.text(&format!("{long}!")), "***!");
        assert_eq!(mask.text(&format!("{long}-and-more!")), "***!");
        // The beginning of a long secret is masked too.
        assert_eq!(mask.text(&format!("{long}-and!")), "***!");
        assert_eq!(mask.text(&format!("{}!", &long[..200])), "***!");
    }

    #[test]
    fn a_very_long_secret_is_masked_to_its_end_whatever_the_pieces() {
        let long: String = (0..40_000)
            .map(|n| char::from(b'a' + (n % 23) as u8))
            .collect();
        let mask = mask(&[&long]);
        for size in [1, 7, 128, 4096, 100_000] {
            let masked = in_pieces(&mask, format!("<{long}>").as_bytes(), size);
            assert_eq!(masked, b"<***>", "in pieces of {size}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_cut_lets_a_secret_through(
            before in "[a-c]{0,20}", after in "[a-c]{0,20}", secret in "[a-c]{4,12}", size in 1usize..20
        ) {
            let mask = mask(&[&secret]);
            let text = format!("{before}{secret}{after}");
            let masked = String::from_utf8(in_pieces(&mask, text.as_bytes(), size)).unwrap();
            proptest::prop_assert!(!masked.contains(&secret));
            proptest::prop_assert_eq!(&masked, &mask.text(&text));
            proptest::prop_assert_eq!(masked.replace(MASK, "").len() % secret.len(),
                (before.len() + after.len()) % secret.len());
        }

        #[test]
        fn bytes_without_a_secret_pass_unchanged(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600), size in 1usize..90
        ) {
            static MASK: std::sync::LazyLock<Mask> =
                std::sync::LazyLock::new(|| mask(&["this-is-not-in-there", &"long".repeat(100)]));
            let mask = &*MASK;
            proptest::prop_assert_eq!(in_pieces(mask, &bytes, size), bytes);
        }
    }
}
