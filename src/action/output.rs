//! What is kept of an output: the first and the last half, secrets masked.

use std::collections::VecDeque;

use crate::model::Output;

use super::mask::{Mask, Masking};

/// Takes an output in, however long it is, and keeps its two ends.
///
/// Secrets are masked before anything is cut, so that no cut leaves a piece of one.
pub(super) struct Collector {
    masking: Masking,
    kept: Kept,
}

impl Collector {
    pub(super) fn new(mask: Mask, keep: u64) -> Self {
        Self {
            masking: Masking::new(mask),
            kept: Kept {
                half: usize::try_from(keep / 2).unwrap_or(usize::MAX),
                head: Vec::new(),
                tail: VecDeque::new(),
                total: 0,
            },
        }
    }

    /// Takes the next bytes in.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.masking.push(bytes, &mut |bytes| self.kept.push(bytes));
    }

    /// What is kept.
    pub(super) fn finish(mut self) -> Output {
        self.masking.finish(&mut |bytes| self.kept.push(bytes));
        self.kept.finish()
    }
}

struct Kept {
    half: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
}

impl Kept {
    fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let room = self.half - self.head.len();
        let (first, rest) = bytes.split_at(bytes.len().min(room));
        self.head.extend_from_slice(first);
        let last = &rest[rest.len().saturating_sub(self.half)..];
        let over = (self.tail.len() + last.len()).saturating_sub(self.half);
        self.tail.drain(..over);
        self.tail.extend(last);
    }

    fn finish(mut self) -> Output {
        let mut tail: Vec<u8> = self.tail.into();
        // Nothing was cut: it is one piece.
        if self.total == (self.head.len() + tail.len()) as u64 {
            self.head.append(&mut tail);
        }
        Output {
            head: self.head,
            tail,
            total: self.total,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn keep(bytes: &[u8], limit: u64, piece: usize) -> Output {
        let mut collector = Collector::new(Mask::default(), limit);
        for piece in bytes.chunks(piece) {
            collector.push(piece);
        }
        collector.finish()
    }

    #[test]
    fn what_fits_is_one_piece() {
        let output = keep(b"0123456789", 10, 3);
        assert_eq!(output.head, b"0123456789");
        assert!(output.tail.is_empty() && !output.is_truncated());
    }

    #[test]
    fn of_what_does_not_fit_the_two_ends_are_kept() {
        for piece in [1, 2, 3, 100] {
            let output = keep(b"0123456789abcdef", 6, piece);
            assert_eq!(
                (&output.head[..], &output.tail[..]),
                (&b"012"[..], &b"def"[..])
            );
            assert_eq!(output.total, 16);
            assert!(output.is_truncated());
        }
    }

    #[test]
    fn a_cut_leaves_no_piece_of_a_secret() {
        let secret = Secret::new("sesame-open");
        let mask = Mask::new([&secret].into_iter()).unwrap();
        let mut collector = Collector::new(mask, 8);
        collector.push(b"ab sesame-");
        collector.push(b"open and then sesame-open");
        let output = collector.finish();
        assert_eq!(
            (&output.head[..], &output.tail[..]),
            (&b"ab *"[..], &b" ***"[..])
        );
    }

    proptest::proptest! {
        #[test]
        fn no_way_of_cutting_the_stream_changes_what_is_kept(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
            half in 0u64..40, piece in 1usize..50
        ) {
            let output = keep(&bytes, half * 2, piece);
            proptest::prop_assert_eq!(output.total, bytes.len() as u64);
            let half = half as usize;
            if bytes.len() <= half * 2 {
                proptest::prop_assert_eq!(output.head, bytes);
            } else {
                proptest::prop_assert_eq!(&output.head[..], &bytes[..half]);
                proptest::prop_assert_eq!(&output.tail[..], &bytes[bytes.len() - half..]);
            }
        }
    }
}
