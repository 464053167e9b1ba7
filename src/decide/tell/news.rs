//! Elder's own troubles: which of them are new.
//!
//! A trouble is told when it begins, not each time somebody looks: a file that is bad for a week
//! is one event, and a second bad file another one. What was told is remembered in the store, so
//! that a restart tells nothing twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::SageEvent;

/// How elder's own troubles stand: for each kind, what it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    now: BTreeMap<SageEvent, BTreeSet<String>>,
}

impl Standing {
    /// Under which name the store remembers this kind of trouble.
    #[must_use]
    pub fn subject(event: SageEvent) -> String {
        format!("elder/{event}")
    }

    /// What the store remembers.
    #[must_use]
    pub fn of(said: &[(String, String)]) -> Self {
        let kinds = said.iter().filter_map(|(subject, text)| {
            let event = SageEvent::parse(subject.strip_prefix("elder/")?)?;
            let value: Value = serde_json::from_str(text).ok()?;
            let names = value.as_array()?.iter();
            let names = names.filter_map(|name| name.as_str().map(str::to_owned));
            Some((event, names.collect()))
        });
        Self {
            now: kinds.collect(),
        }
    }

    /// The text that the store keeps of one kind; `None` when all is well.
    #[must_use]
    pub fn print(&self, event: SageEvent) -> Option<String> {
        let names = self.now.get(&event).filter(|names| !names.is_empty())?;
        Some(Value::from_iter(names.iter().cloned()).to_string())
    }

    /// This kind is about just these now: says which are new, `None` when nothing changed.
    pub fn set(&mut self, event: SageEvent, names: BTreeSet<String>) -> Option<Vec<String>> {
        let before = self.now.entry(event).or_default();
        if *before == names {
            return None;
        }
        let new = names.difference(before).cloned().collect();
        *before = names;
        Some(new)
    }

    /// What this kind is about.
    #[must_use]
    pub fn get(&self, event: SageEvent) -> BTreeSet<String> {
        self.now.get(&event).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_trouble_is_new_once_and_again_when_it_was_over() {
        let event = SageEvent::ConfigRejected;
        let mut standing = Standing::default();
        for (now, new, why) in [
            (&["a"][..], Some(vec!["a"]), "it begins"),
            (&["a"], None, "it goes on"),
            (&["a", "b"], Some(vec!["b"]), "another begins"),
            (&["b"], Some(vec![]), "one is over"),
            (&["a", "b"], Some(vec!["a"]), "it begins again"),
            (&[], Some(vec![]), "all are over"),
            (&[], None, "all is well"),
        ] {
            let new: Option<Vec<String>> = new.map(|it| names(&it).into_iter().collect());
            assert_eq!(standing.set(event, names(now)), new, "{why}");
            let said = standing.print(event);
            let said = said.map(|text| (Standing::subject(event), text));
            let again = Standing::of(&said.into_iter().collect::<Vec<_>>());
            assert_eq!(again.get(event), standing.get(event), "{why}");
        }
    }
}
