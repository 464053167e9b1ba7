//! Which keys of a job were said, by itself or by its defaults: a value alone cannot tell.

use super::fields::JOB;
use super::tree::Node;

/// The keys that a job says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    said: u64,
    /// `null`: whatever the defaults say.
    taken_back: u64,
}

/// One bit for each key.
const _: () = assert!(JOB.fields.len() <= 64, "a wider set of keys is needed");

impl Given {
    /// Whether the key has a value of somebody's. A name that is no key of a job has none.
    #[must_use]
    pub fn has(self, key: &str) -> bool {
        self.said & bit(key) != 0
    }

    /// Takes down a key and whether it has a value.
    pub(super) fn note(&mut self, key: &str, value: &Node<'_>) {
        if value.is_null() {
            self.taken_back |= bit(key);
        } else {
            self.said |= bit(key);
        }
    }

    /// These where they say something, else those below.
    pub(super) fn over(self, below: Self) -> Self {
        Self {
            said: self.said | (below.said & !self.taken_back),
            taken_back: self.taken_back | below.taken_back,
        }
    }
}

fn bit(key: &str) -> u64 {
    let place = JOB.fields.iter().position(|field| field.key == key);
    place.map_or(0, |place| 1 << place)
}

#[cfg(test)]
mod tests {
    use super::super::tests::tree_with;
    use super::super::tests::{job, options};

    #[test]
    fn what_is_said_anywhere_above_counts_and_null_takes_it_back() {
        let own = job("schedule: manual\nrun: x\nowner: null\ntimeout: none");
        let files = [
            (
                "_defaults.yaml",
                "defaults: { owner: a, retry: 1, pool: null }",
            ),
            ("a.yaml", &format!("defaults: {{ pool: default }}\n{own}")),
        ];
        let checked = tree_with(&files, &options(&[]));
        let file = &checked.files[1];
        let given = file.given[0];
        for (key, said) in [
            ("schedule", true),
            ("run", true),
            ("http", false),
            ("owner", false),
            ("timeout", true),
            ("retry", true),
            ("pool", true),
            ("labels", false),
            ("shedule", false),
        ] {
            assert_eq!(given.has(key), said, "{key}");
        }
    }
}
