//! Elder's own troubles: what is news of what a herald heard, and who is told of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::decide;
use crate::ids::SageName;
use crate::model::{Delivery, Job, Sage, SageEvent};

use super::courier::Courier;
use super::herald::Heard;
use super::queue::{Item, Took};

/// So many letters are kept while the store cannot take them.
const MOST_KEPT: usize = 64;

impl Courier {
    pub(super) fn heard(&mut self, heard: Heard) {
        match heard {
            Heard::Reload {
                rejected,
                why,
                mut held,
                waits,
                revision,
            } => {
                let revision = revision.as_deref();
                if let Some(lost) = self.lost.take() {
                    // What was lost before this start and is not any more is over.
                    self.trouble(SageEvent::SourceLost, lost, "", revision);
                }
                self.trouble(SageEvent::ConfigRejected, rejected, &why, revision);
                let why = "gone from the files and kept until confirmed: elder sync --prune";
                let why = waits.as_deref().unwrap_or(why);
                // What waits is told of by its revision, or for what it is, once.
                let change = revision.map(|revision| format!("the change to {revision}"));
                let change = change.unwrap_or_else(|| why.to_owned());
                held.extend(waits.is_some().then_some(change));
                self.trouble(SageEvent::ConfigHeld, held, why, revision);
            }
            Heard::Source { path, reason } => {
                let event = SageEvent::SourceLost;
                let mut lost = self.standing.get(event);
                let why = match reason {
                    Some(reason) => {
                        lost.insert(path.clone());
                        if let Some(since_start) = &mut self.lost {
                            since_start.insert(path.clone());
                        }
                        format!("{path}: {reason}; its jobs go on as they were last applied")
                    }
                    None => {
                        lost.remove(&path);
                        String::new()
                    }
                };
                self.trouble(event, lost, &why, None);
            }
            Heard::Renamed { moves } => self.queue.rename(&moves),
            Heard::Store { error: Some(error) } => self.store_lost(&error),
            // What could not be recorded is, in the next round.
            Heard::Store { error: None } => self.ask_again = None,
        }
    }

    /// One kind of trouble is about just these now: what is new in it is told.
    fn trouble(
        &mut self,
        event: SageEvent,
        names: BTreeSet<String>,
        why: &str,
        revision: Option<&str>,
    ) {
        let Some(new) = self.standing.set(event, names) else {
            return;
        };
        self.unsaid.insert(event);
        if !new.is_empty() {
            for sage in self.hear(event) {
                self.write(&sage, event, why, &new, revision);
            }
        }
    }

    fn store_lost(&mut self, error: &str) {
        let event = SageEvent::StoreLost;
        let now = self.parts.clock.now();
        for sage in self.hear(event) {
            let remind = self.sages.get(&sage).map(|(sage, _)| sage.remind);
            let is_soon = self.store_told.get(&sage).is_some_and(|last| {
                now >= *last
                    && now.duration_since(*last).unsigned_abs() < remind.unwrap_or_default()
            });
            if !is_soon {
                self.store_told.insert(sage.clone(), now);
                self.write(&sage, event, error, &[], None);
            }
        }
    }

    /// The sages that hear of this.
    fn hear(&self, event: SageEvent) -> Vec<SageName> {
        let hears = |(definition, _): &&(Arc<Sage>, Job)| definition.events.contains(&event);
        let known = self.sages.values().filter(hears);
        let mut names: Vec<SageName> = known.map(|(sage, _)| sage.name.clone()).collect();
        names.sort();
        names
    }

    /// A letter that the store does not have yet: it goes there with the next round, or is delivered from here.
    fn write(
        &mut self,
        sage: &SageName,
        event: SageEvent,
        why: &str,
        names: &[String],
        revision: Option<&str>,
    ) {
        let at = self.parts.clock.now();
        let letter = decide::of_elder(sage, event, why, names, revision, at);
        self.last_kept += 1;
        let item = Item::new(letter.id, sage.clone(), at);
        self.queue.add(self.last_kept, item);
        self.kept.insert(self.last_kept, letter);
        while self.kept.len() > MOST_KEPT {
            let Some((number, letter)) = self.kept.pop_first() else {
                return;
            };
            self.queue.over(number, Took::No);
            let why = "the store cannot take letters, and too many wait for it";
            self.tell(&letter.sage, Delivery::Dropped, 1, Some(why), None);
        }
    }
}
