//! What came back: the status and a bounded part of the body.

use std::time::Duration;

use reqwest::{Response, StatusCode};

use crate::model::Output;

use super::super::failure::Failure;
use super::super::mask::Mask;
use super::super::output::Collector;
use super::failing::classify;

/// How much of a body is compared with what the job expects.
pub(super) const COMPARED: usize = 1024 * 1024;
/// How much of a body is read at all; whoever answers more is not listened to any further.
const READ: u64 = 16 * 1024 * 1024;

/// What came back so far. It outlives the exchange, which may be cut off.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) mask: Mask,
    pub(super) status: Option<StatusCode>,
    /// The beginning of the body, where it is to be compared.
    pub(super) body: Vec<u8>,
    /// How long the target asks to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// Whether the body went on after that.
    pub(super) is_longer: bool,
    collector: Option<Collector>,
}

impl Answer {
    /// What to keep out of everything from now on, and how much of the body is kept.
    pub(super) fn mask(&mut self, mask: Mask, keep: u64) {
        self.collector = Some(Collector::new(mask.clone(), keep));
        self.mask = mask;
    }

    /// Reads the body.
    pub(super) async fn read(
        &mut self,
        response: &mut Response,
        compared: Compared,
    ) -> Result<(), Failure> {
        let mut total = 0;
        while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
            if let Some(collector) = &mut self.collector {
                collector.push(&chunk);
            }
            if compared == Compared::Yes {
                let room = COMPARED - self.body.len();
                self.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                self.is_longer |= chunk.len() > room;
            }
            total += chunk.len() as u64;
            if total > READ {
                break;
            }
        }
        Ok(())
    }

    /// What is kept of the body.
    pub(super) fn finish(self) -> Output {
        self.collector.map(Collector::finish).unwrap_or_default()
    }
}

/// Whether the body is compared with something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    Yes,
    No,
}
