//! Letters that wait, and what is remembered of those that went, in memory.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use crate::ids::{JobName, RunId};
use crate::model::Letter;
use crate::store::{Telling, Waiting, Written};

/// The outbox.
#[derive(Default)]
pub(super) struct Outbox {
    letters: BTreeMap<u64, Row>,
    numbers: HashMap<RunId, u64>,
    last: u64,
    said: BTreeMap<String, String>,
}

struct Row {
    letter: Letter,
    attempts: u32,
    next_attempt_at: Option<Timestamp>,
}

impl Outbox {
    pub(super) fn take(&mut self, telling: Telling) -> Written {
        for letter in telling.letters {
            if self.numbers.contains_key(&letter.id) {
                continue;
            }
            self.last += 1;
            self.numbers.insert(letter.id, self.last);
            let row = Row {
                letter,
                attempts: 0,
                next_attempt_at: None,
            };
            self.letters.insert(self.last, row);
        }
        for (subject, text) in telling.said {
            match text {
                Some(text) => drop(self.said.insert(subject, text)),
                None => drop(self.said.remove(&subject)),
            }
        }
        Written::Done
    }

    pub(super) fn tried(&mut self, id: RunId, attempts: u32, next: Timestamp) -> Written {
        let number = self.numbers.get(&id);
        let Some(row) = number.and_then(|number| self.letters.get_mut(number)) else {
            return Written::Taken;
        };
        row.attempts = attempts;
        row.next_attempt_at = Some(next);
        Written::Done
    }

    pub(super) fn over(&mut self, id: RunId) -> Written {
        match self.numbers.remove(&id) {
            Some(number) => {
                self.letters.remove(&number);
                Written::Done
            }
            None => Written::Taken,
        }
    }

    /// A job has another name: letters about it keep their order under that.
    pub(super) fn rename(&mut self, from: &JobName, to: &JobName) {
        for row in self.letters.values_mut() {
            if row.letter.job.as_ref() == Some(from) {
                row.letter.job = Some(to.clone());
            }
        }
    }

    pub(super) fn waiting(&self, after: u64, limit: usize) -> Vec<Waiting> {
        let letters = self.letters.range(after.saturating_add(1)..);
        letters
            .take(limit)
            .map(|(number, row)| Waiting {
                number: *number,
                id: row.letter.id,
                sage: row.letter.sage.clone(),
                job: row.letter.job.clone(),
                at: row.letter.at,
                attempts: row.attempts,
                next_attempt_at: row.next_attempt_at,
            })
            .collect()
    }

    pub(super) fn letter(&self, id: RunId) -> Option<Letter> {
        let row = self.letters.get(self.numbers.get(&id)?)?;
        Some(row.letter.clone())
    }

    /// Forgets what is remembered of jobs that nobody knows any more.
    pub(super) fn forget(&mut self, is_known: impl Fn(&str) -> bool) {
        self.said
            .retain(|subject, _| subject.strip_prefix("job/").is_none_or(&is_known));
    }

    pub(super) fn said(&self) -> Vec<(String, String)> {
        self.said
            .iter()
            .map(|(subject, text)| (subject.clone(), text.clone()))
            .collect()
    }
}
