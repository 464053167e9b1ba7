//! Jobs under other names: before anything else of a plan.

use super::super::eye::Renaming;
use super::{Failed, Reloader};
use crate::engine::{Change, Renamed};
use crate::model::Event;
use crate::store::StoreError;

impl Reloader {
    /// Gives jobs their new names: in the engine, and then with the rows of files in the store, in
    /// one transaction within the engine's own line of writes.
    pub(super) async fn rename(&mut self, renaming: Renaming) -> Result<(), Failed> {
        self.never_in_force(&renaming.moves).await?;
        let (rows, language) = (renaming.rows, self.parts.language.clone());
        let print = move || rows.iter().filter_map(|row| row.file(&*language)).collect();
        let files = tokio::task::spawn_blocking(print).await;
        let files = files
            .map_err(|_| StoreError::Unavailable("a definition cannot be printed".to_owned()))?;
        let change = Change {
            at: self.parts.clock.now(),
            renamed: Some(Renamed {
                moves: renaming.moves,
                files,
            }),
            ..Change::default()
        };
        self.parts.engine.apply(change).await?;
        for (from, to) in &renaming.renamed {
            let text = format!("{from} is renamed: it goes on as {to}");
            let warning = false;
            let text = &text;
            self.parts
                .observer
                .observe(&Event::Notice { warning, text });
        }
        self.in_force = renaming.in_force;
        self.recorded = self.in_force.clone();
        self.held = self.in_force.held();
        self.is_renaming = true;
        self.parts.engine.recorded().await?;
        self.is_renaming = false;
        Ok(())
    }
}
