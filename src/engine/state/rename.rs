//! Jobs take other names: the same jobs, with their marks, runs and memory.
//!
//! The store hears of it within the engine's own line of writes: what came before is under the old
//! name, what comes after under the new one, and no row falls between.

use std::sync::Arc;

use crate::decide::Trouble;
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
            self.rename_rows(from, to);
            self.rename_pause(from, to);
            let key = self.names.get(from.as_str()).copied();
            if let Some(trouble) = self.trouble(key, from) {
                said.push((Trouble::subject(from), None));
                said.push((Trouble::subject(to), Some(trouble.print())));
                if key.is_none() {
                    self.keep_trouble(from, None);
                    self.keep_trouble(to, Some(trouble));
                }
            }
            if let Some(key) = self.names.remove(from.as_str()) {
                self.rename_job(key, from, to);
            }
        }
        if !said.is_empty() {
            let telling = Telling {
                letters: Vec::new(),
                said,
            };
            self.write(Write::Tell(Box::new(telling)), Then::Nothing);
        }
        self.write(Write::Rename { moves, files }, Then::Nothing);
    }

    fn rename_job(&mut self, key: JobKey, from: &JobName, to: &JobName) {
        self.names.insert(to.clone(), key);
        if self.held.remove(from.as_str()) {
            self.held.insert(to.clone());
        }
        if self.fails.remove(from.as_str()) {
            self.fails.insert(to.clone());
        }
        self.expect_nothing(key, from);
        let orphans = self.orphans.remove(to.as_str()).unwrap_or_default();
        for id in &orphans {
            if let Some(active) = self.runs.get_mut(id) {
                active.key = Some(key);
            }
        }
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
        if !orphans.is_empty() {
            state.past().active.extend(orphans);
        }
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
        self.expect(key);
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
        for job in &mut self.mended_jobs {
            if job == from {
                job.clone_from(to);
            }
        }
        if let Some(orphans) = self.orphans.remove(from.as_str()) {
            self.orphans.entry(to.clone()).or_default().extend(orphans);
        }
    }
}
