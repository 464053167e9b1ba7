//! The W3C trace context of an attempt: what it began can be told from elder's side.
//!
//! All attempts of a run share the trace; it follows from the run's identity,
//! so a log line of elder and a span of the target meet without a registry.

use sha2::{Digest, Sha256};

use crate::ids::RunId;

/// The `traceparent` of one attempt.
#[must_use]
pub fn traceparent(run: RunId, attempt: u32) -> String {
    let span = digest(run, &attempt.to_string());
    format!("00-{}-{}-01", run.trace_id(), hexadecimal(&span[..8]))
}

fn digest(run: RunId, what: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(run.as_str());
    hash.update(what);
    hash.finalize().into()
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let pairs = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    pairs
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::JobName;

    #[test]
    fn attempts_share_the_trace_and_have_their_own_spans() {
        let job = JobName::new("a").unwrap();
        let run = RunId::of_fire(&job, "2027-01-01T00:00:00Z".parse().unwrap());
        let (first, second) = (traceparent(run, 1), traceparent(run, 2));
        assert_eq!(first.len(), 55);
        assert_eq!(first[..36], second[..36]);
        assert_ne!(first, second);
        assert_eq!(first[3..35], run.trace_id());
        assert!(first.starts_with("00-") && first.ends_with("-01"));
        let hex = |c: char| c.is_ascii_hexdigit() && !c.is_ascii_uppercase();
        assert!(run.trace_id().chars().all(hex));
        // The receiving end may have kept it: it is the same in every version.
        assert_eq!(run.trace_id(), "6ba298fa23556e4289e8c0e51ec0431b");
    }
}
