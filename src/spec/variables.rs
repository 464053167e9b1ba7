//! Which variables of elder's environment files use, and how far their values are seen.

use std::collections::BTreeMap;
use std::sync::Arc;

/// How far the value of a variable is seen where it is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shown {
    /// Who reads of a job reads `${NAME}` there: in commands, requests, environments, labels.
    Template,
    /// Who reads of a job reads the value: in schedules, zones, lengths of time, numbers, descriptions.
    Value,
}

/// Names of variables, each with the furthest that its value is seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<Arc<str>, Shown>);

impl Variables {
    /// Adds a name, or shows more of it.
    pub fn add(&mut self, name: &str, shown: Shown) {
        match self.0.get_mut(name) {
            Some(known) => *known = shown.max(*known),
            None => {
                self.0.insert(Arc::from(name), shown);
            }
        }
    }

    /// Adds all names of another set.
    pub fn extend(&mut self, other: &Self) {
        for (name, shown) in &other.0 {
            self.add(name, *shown);
        }
    }

    /// Takes a name out.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Whether a value is seen as far as that.
    #[must_use]
    pub fn shows(&self, name: &str, as_far_as: Shown) -> bool {
        self.0.get(name).is_some_and(|shown| *shown >= as_far_as)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Shown)> {
        self.0.iter().map(|(name, shown)| (&**name, *shown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_seen_as_far_as_anywhere() {
        let mut all = Variables::default();
        all.add("A", Shown::Value);
        all.add("A", Shown::Template);
        let mut more = Variables::default();
        more.add("B", Shown::Template);
        all.extend(&more);
        for (name, template, value) in [("A", true, true), ("B", true, false), ("C", false, false)]
        {
            let found = [Shown::Template, Shown::Value].map(|shown| all.shows(name, shown));
            assert_eq!(found, [template, value], "{name}");
        }
        all.remove("A");
        assert_eq!(all, more);
    }
}
