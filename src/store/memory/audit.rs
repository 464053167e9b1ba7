//! The audit trail in memory: its newest rows.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::model::AuditEntry;
use crate::store::{AuditPage, AuditQuery, MAX_PAGE, Written};

/// So many rows are kept: memory is no place for a year of them.
const ROWS: usize = 10_000;

/// The trail.
#[derive(Default)]
pub(super) struct Trail {
    rows: VecDeque<(u64, AuditEntry)>,
    last: u64,
}

impl Trail {
    pub(super) fn add(&mut self, entry: AuditEntry) -> Written {
        self.last += 1;
        self.rows.push_back((self.last, entry));
        if self.rows.len() > ROWS {
            self.rows.pop_front();
        }
        Written::Done
    }

    pub(super) fn age(&mut self, oldest_kept: Timestamp) {
        self.rows.retain(|(_, entry)| entry.at >= oldest_kept);
    }

    pub(super) fn page(&self, query: &AuditQuery) -> AuditPage {
        let mut found = self
            .rows
            .iter()
            .rev()
            .skip_while(|(number, _)| query.before.is_some_and(|before| *number >= before))
            .filter(|(_, entry)| query.since.is_none_or(|since| entry.at >= since));
        let limit = query.limit.min(MAX_PAGE);
        let rows: Vec<_> = found.by_ref().take(limit).cloned().collect();
        let more = limit > 0 && found.next().is_some();
        let next = rows.last().filter(|_| more).map(|(number, _)| *number);
        AuditPage { rows, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::outbox::entry;

    #[test]
    fn so_many_rows_are_kept_the_newest() {
        let mut trail = Trail::default();
        for second in 0..ROWS + 5 {
            trail.add(entry(second as i64));
        }
        let all = AuditQuery {
            limit: MAX_PAGE,
            ..AuditQuery::default()
        };
        let rows = trail.page(&all).rows;
        assert_eq!(trail.rows.len(), ROWS);
        assert_eq!(rows.first().unwrap().1.at, entry(ROWS as i64 + 4).at);
        assert_eq!(trail.rows[0].1.at, entry(5).at);
    }
}
