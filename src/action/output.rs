//! What is kept of an output: the first and the last half, secrets masked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::ids::RunId;
use crate::model::Output;

use super::live::{Live, OnAir, Piece};
use super::mask::{Mask, Masking};

/// Takes an output in, however long it is, and keeps its two ends.
///
/// Secrets are masked before anything is cut, so that no cut leaves a piece of one.
pub(super) struct Collector {
    masking: Masking,
    kept: Arc<Mutex<Kept>>,
    grew: watch::Sender<()>,
    /// While others may listen.
    on_air: Option<OnAir>,
}

impl Collector {
    pub(super) fn new(mask: Mask, keep: u64) -> Self {
        let kept = Kept {
            half: usize::try_from(keep / 2).unwrap_or(usize::MAX),
            head: Vec::new(),
            tail: VecDeque::new(),
            total: 0,
        };
        Self {
            masking: Masking::new(mask),
            kept: Arc::new(Mutex::new(kept)),
            grew: watch::Sender::new(()),
            on_air: None,
        }
    }

    /// The same, and others may listen.
    pub(super) fn on_air(mut self, live: &Live, run: RunId, attempt: u32) -> Self {
        let kept = Arc::clone(&self.kept);
        self.on_air = Some(live.begin(run, attempt, kept, self.grew.subscribe()));
        self
    }

    /// Takes the next bytes in.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        self.masking.push(bytes, &mut |bytes| kept.push(bytes));
        drop(kept);
        self.grew.send_replace(());
    }

    /// What is kept.
    pub(super) fn finish(mut self) -> Output {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        self.masking.finish(&mut |bytes| kept.push(bytes));
        drop(kept);
        drop((self.on_air, self.grew));
        match Arc::try_unwrap(self.kept) {
            Ok(kept) => kept.into_inner().unwrap_or_else(PoisonError::into_inner),
            // Somebody listens, and has not heard all yet.
            Err(shared) => shared
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
        .finish()
    }
}

/// The two ends of a stream.
#[derive(Clone)]
pub(super) struct Kept {
    half: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
}

impl Kept {
    /// How many bytes there were.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// What is kept of everything after the first `at` bytes.
    pub(super) fn since(&self, at: u64) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let in_head = usize::try_from(at).unwrap_or(usize::MAX);
        if let Some(rest @ [_, ..]) = self.head.get(in_head..) {
            pieces.push(Piece::Bytes(rest.to_vec()));
        }
        let at = at.max(self.head.len() as u64);
        let begin = self.total - self.tail.len() as u64;
        if at < begin {
            pieces.push(Piece::LeftOut(begin - at));
        }
        let in_tail = usize::try_from(at.max(begin) - begin).unwrap_or(usize::MAX);
        if in_tail < self.tail.len() {
            pieces.push(Piece::Bytes(self.tail.range(in_tail..).copied().collect()));
        }
        pieces
    }

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

    #[tokio::test]
    async fn who_listens_hears_all_that_is_kept_and_how_much_is_not() {
        let live = Live::default();
        let name = crate::ids::JobName::new("a").unwrap();
        let run = RunId::of_fire(&name, jiff::Timestamp::UNIX_EPOCH);
        assert!(live.listen(run).is_none());
        let mut collector = Collector::new(Mask::default(), 8).on_air(&live, run, 1);
        collector.push(b"01");
        let mut early = live.listen(run).unwrap();
        let bytes = |text: &[u8]| Piece::Bytes(text.to_vec());
        assert_eq!(early.heard(), [bytes(b"01")]);
        assert_eq!(early.heard(), []);
        collector.push(b"2345");
        assert_eq!(early.next().await, Some(vec![bytes(b"23"), bytes(b"45")]));
        // One that listens seldom.
        collector.push(b"6789abcdef");
        let gap = vec![Piece::LeftOut(6), bytes(b"cdef")];
        assert_eq!(early.next().await, Some(gap.clone()));
        let mut late = live.listen(run).unwrap();
        let want = [vec![bytes(b"0123"), Piece::LeftOut(8)], gap[1..].to_vec()].concat();
        assert_eq!(late.heard(), want);
        collector.push(b"gh");
        let output = collector.finish();
        assert_eq!(
            (&output.head[..], &output.tail[..]),
            (&b"0123"[..], &b"efgh"[..])
        );
        assert!(live.listen(run).is_none(), "it is over");
        assert_eq!(late.next().await, Some(vec![bytes(b"gh")]));
        assert_eq!(late.next().await, None);
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
