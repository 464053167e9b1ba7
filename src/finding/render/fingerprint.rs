//! What makes a finding the same one tomorrow, for services that track findings.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::finding::Finding;

/// One name for each finding, in their order: from rule, file and the text of the line, so that a
/// finding keeps its name when lines above it come and go. Of several that would share one, the
/// second and further ones count on.
pub(super) fn fingerprints(findings: &[&Finding]) -> Vec<String> {
    let mut seen: HashMap<[u8; 32], u32> = HashMap::new();
    findings
        .iter()
        .map(|finding| {
            let mut hash = Sha256::new();
            for part in [
                finding.code.as_str(),
                &finding.at.place.file,
                finding.at.line.trim(),
            ] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
            let same = seen.entry(hash.clone().finalize().into()).or_default();
            *same += 1;
            hash.update(same.to_be_bytes());
            let bytes = hash.finalize();
            let digits = bytes.iter().take(16).map(|byte| format!("{byte:02x}"));
            digits.collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::render::samples::{bad_cron, duplicate, unreadable};

    #[test]
    fn a_finding_keeps_its_name_when_its_line_moves_and_shares_it_with_no_other() {
        let (first, mut moved, other) = (bad_cron(), bad_cron(), duplicate());
        moved.at.place.line = 30;
        let mut elsewhere = bad_cron();
        elsewhere.at.place.file = "jobs.d/b.yaml".into();
        let own = fingerprints(&[&first]);
        assert_eq!(own, fingerprints(&[&moved]));
        assert_eq!(own[0].len(), 32);
        let all = fingerprints(&[&first, &moved, &other, &elsewhere, &unreadable()]);
        let mut distinct = all.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), all.len(), "{all:?}");
        assert_eq!(all[0], own[0]);
    }
}
