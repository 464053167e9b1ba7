//! What the store gets of a reload: rows of files, marks, names that are gone.

use std::sync::Arc;

use super::super::ledger::{self, Row};
use super::{Failed, Reloader};
use crate::ids::JobName;
use crate::store::{StoreError, Write};

/// As many rows of new files are written in one transaction.
const ROWS_AT_ONCE: usize = 4096;

impl Reloader {
    /// Records what a reload before this one could not.
    pub(super) async fn record_the_rest(&mut self) -> Result<(), String> {
        if Arc::ptr_eq(&self.recorded, &self.in_force)
            && self.unmarked.is_empty()
            && self.unedited.is_empty()
        {
            return Ok(());
        }
        let rows = ledger::rows(&self.recorded, &self.in_force);
        self.record(rows).await.map_err(|error| error.to_string())
    }

    /// Names that were only seen have no past that could count against that of the job that takes them,
    /// and are not looked after any more.
    pub(super) async fn never_in_force(
        &mut self,
        moves: &[(JobName, JobName)],
    ) -> Result<(), Failed> {
        let at = self.parts.clock.now();
        let names = moves.iter().flat_map(|(from, to)| [from, to]);
        let names = names.filter(|name| self.seen_only.contains(*name));
        let gone: Vec<_> = names.map(|job| (*job).clone()).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let writes = gone.iter().cloned().map(|job| Write::Gone { job, at });
        self.parts.store.commit(writes.collect()).await?;
        for job in &gone {
            self.seen_only.remove(job);
        }
        Ok(())
    }

    /// Writes rows and marks: what replaces, drops or marks anything in one transaction. Only a
    /// great many rows that are new altogether follow in further ones, so that the text of a
    /// large tree is never in memory as a whole; a start that is cut off among these finds files
    /// that the store does not know, as at first.
    pub(super) async fn record(&mut self, rows: Vec<Row>) -> Result<(), Failed> {
        let mut marks = self.unmarked.clone();
        if !marks.is_empty() || self.is_renaming {
            self.parts.engine.recorded().await?;
            self.is_renaming = false;
        }
        marks.extend(self.unedited.iter().cloned());
        let vital = rows.iter().filter(|row| !row.is_new).count();
        let (mut rest, mut size) = (rows, vital.max(ROWS_AT_ONCE));
        while !rest.is_empty() || !marks.is_empty() {
            let after = rest.split_off(size.min(rest.len()));
            let (now, language) = (rest, self.parts.language.clone());
            let print = move || now.iter().map(|row| row.write(&*language)).collect();
            let printed = tokio::task::spawn_blocking(print).await;
            let mut writes: Vec<Write> = printed.map_err(|_| {
                StoreError::Unavailable("a definition cannot be printed".to_owned())
            })?;
            writes.append(&mut marks);
            self.parts.store.commit(writes).await?;
            (rest, size) = (after, ROWS_AT_ONCE);
        }
        self.unmarked = Vec::new();
        self.unedited = Vec::new();
        self.recorded = self.in_force.clone();
        Ok(())
    }
}
