//! What is remembered of a job in trouble, and its text in the store.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::ids::{JobName, SageName};
use crate::model::SageEvent;

/// What is remembered of a job from its first failure to its next success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// How often it failed in a row.
    pub failures: u32,
    /// Who was told what.
    pub told: Vec<Told>,
}

/// What one sage was told of one kind of trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Who.
    pub sage: SageName,
    /// Which kind.
    pub event: SageEvent,
    /// When last; `None` when only held back so far.
    pub at: Option<Timestamp>,
    /// How much was held back since.
    pub held_back: u64,
}

/// What was held back of fires that came too late, before some of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    sage: SageName,
    was: u64,
}

impl Trouble {
    /// Under which name the store remembers the trouble of this job.
    #[must_use]
    pub fn subject(job: &JobName) -> String {
        format!("job/{job}")
    }

    /// The job of a name that [`Trouble::subject`] made.
    #[must_use]
    pub fn job_of(subject: &str) -> Option<JobName> {
        JobName::new(subject.strip_prefix("job/")?).ok()
    }

    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.failures == 0 && self.told.is_empty()
    }

    /// Whether this sage was told of anything since the last success.
    #[must_use]
    pub fn was_told(&self, sage: &SageName) -> bool {
        let mut told = self.told.iter();
        told.any(|told| told.sage == *sage && told.at.is_some())
    }

    pub(super) fn told_mut(&mut self, sage: &SageName, event: SageEvent) -> &mut Told {
        let is_it = |told: &Told| told.sage == *sage && told.event == event;
        let index = self.told.iter().position(is_it).unwrap_or_else(|| {
            self.told.push(Told {
                sage: sage.clone(),
                event,
                at: None,
                held_back: 0,
            });
            self.told.len() - 1
        });
        &mut self.told[index]
    }

    /// What was held back of fires that came too late `before` some more did, to be taken back where
    /// these are decided anew.
    #[must_use]
    pub fn missed_since(&self, before: Option<&Self>) -> Vec<Missed> {
        let missed = |trouble: &'_ Told| trouble.event == SageEvent::Missed;
        let since = |now: &Told| {
            let told = before.into_iter().flat_map(|before| &before.told);
            let mut told = told.filter(|told| missed(told) && told.sage == now.sage);
            let was = told.next().map_or(0, |told| told.held_back);
            Missed {
                sage: now.sage.clone(),
                was,
            }
        };
        self.told
            .iter()
            .filter(|told| missed(told))
            .map(since)
            .collect()
    }

    /// These fires are decided anew, and told anew with what was held back before.
    pub fn take_back(&mut self, missed: &[Missed]) {
        for taken in missed {
            let told = self.told_mut(&taken.sage, SageEvent::Missed);
            told.at = None;
            told.held_back = taken.was;
        }
    }

    /// The text that the store keeps.
    #[must_use]
    pub fn print(&self) -> String {
        let told: Vec<Value> = self
            .told
            .iter()
            .map(|told| {
                let at = told.at.map(|at| at.to_string());
                json!([told.sage.as_str(), told.event.as_str(), at, told.held_back])
            })
            .collect();
        json!({ "failures": self.failures, "told": told }).to_string()
    }

    /// Reads what [`Trouble::print`] wrote; what cannot be read is left out.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let failures = value["failures"].as_u64().unwrap_or(0);
        let told = value["told"].as_array().into_iter().flatten();
        Self {
            failures: u32::try_from(failures).unwrap_or(u32::MAX),
            told: told.filter_map(one).collect(),
        }
    }
}

fn one(value: &Value) -> Option<Told> {
    Some(Told {
        sage: SageName::new(value[0].as_str()?).ok()?,
        event: SageEvent::parse(value[1].as_str()?)?,
        at: value[2].as_str().and_then(|at| at.parse().ok()),
        held_back: value[3].as_u64()?,
    })
}
