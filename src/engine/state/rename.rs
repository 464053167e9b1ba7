//! Jobs take other names: the same jobs, with their marks, runs and memory.
//!
//! The store hears of it within the engine's own line of writes: what came before is under the old
//! name, what comes after under the new one, and no row falls between.

use std::sync::Arc;

use jiff::Timestamp;

use crate::ids::{JobKey, JobName};
use crate::model::{Event, IdCell};
use crate::store::{AppliedFile, Telling, Write};

use super::State;
use super::commits::Then;

impl State {
    /// Gives jobs other names, which `files` say already. A name that no job has leaves its past.
    pub(super) fn rename(&mut self, moves: Vec<(JobName, JobName)>, files: Vec<AppliedFile>) {
        let mut said = Vec::new();
        for (from, to) in &moves {
            if let Some(key) = self.names.get(from.as_str()) {
                // Where the new name has a row of the same instant, the one that is open is kept.
                self.record_waiting(*key, Timestamp::MAX);
            }
            self.rename_rows(from, to);
            self.rename_trouble(from, to, &mut said);
            if let Some(key) = self.names.remove(from.as_str()) {
                self.rename_job(key, from, to);
            }
            if let Some(key) = self.names.get(to.as_str()) {
                self.adopt(*key, to);
            }
        }
        if !said.is_empty() {
            let telling = Telling {
                letters: Vec::new(),
                said,
            };
            self.write(Write::Tell(Box::new(telling)), Then::Nothing);
        }
        let renamed: Vec<_> = moves.iter().map(|(_, to)| to.clone()).collect();
        self.write(Write::Rename { moves, files }, Then::Nothing);
        for name in renamed {
            if let Some(key) = self.names.get(name.as_str()).copied() {
                self.mend_renamed(key, &name);
            }
        }
    }

    fn rename_job(&mut self, key: JobKey, from: &JobName, to: &JobName) {
        self.names.insert(to.clone(), key);
        if self.held.remove(from.as_str()) {
            self.held.insert(to.clone());
        }
        if self.fails.remove(from.as_str()) {
            self.fails.insert(to.clone());
        }
        self.freshness.rename(from, to);
        let Some(state) = self.job_mut(key) else {
            return;
        };
        let definition = Arc::make_mut(&mut state.job.definition);
        definition.name = to.clone();
        definition.id = IdCell::default();
        definition.aliases = definition
            .aliases
            .iter()
            .cloned()
            .chain([from.clone()])
            .collect();
        if let Some(past) = state.past.as_mut() {
            if let Some(span) = past.span.as_mut() {
                span.run.job = to.clone();
            }
            if let Some(last) = past.last.as_mut() {
                last.job = to.clone();
            }
        }
        if let Some(state) = self.job(key) {
            self.observer.observe(&Event::JobChanged {
                key,
                job: &state.job,
            });
        }
    }

    /// Everything of the old name that is not over: it goes on by the definition that it began with.
    fn rename_rows(&mut self, from: &JobName, to: &JobName) {
        for active in self.runs.values_mut() {
            if active.run.job == *from {
                active.run.job = to.clone();
            }
        }
        for run in &mut self.recalled {
            if run.job == *from {
                run.job = to.clone();
            }
        }
        if let Some(orphans) = self.orphans.remove(from.as_str()) {
            self.orphans.entry(to.clone()).or_default().extend(orphans);
        }
    }
}
