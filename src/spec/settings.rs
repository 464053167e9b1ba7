//! What a job says and what its defaults say, before it is decided: layers of one shape.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::given::Given;
use crate::model::{
    Account, AfterCrash, Expect, Grace, History, Json, Limits, Overlap, Retry, SecretSource, Sign,
    Text, Tls, TreePath,
};

/// A value of one layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Slot<T> {
    /// Nothing is said: the layer below decides.
    #[default]
    Silent,
    /// `null`: back to what elder does by itself.
    BuiltIn,
    /// This.
    Given(T),
}

impl<T: Clone> Slot<T> {
    fn over(self, below: &Slot<T>) -> Slot<T> {
        match self {
            Slot::Silent => below.clone(),
            own => own,
        }
    }
}

impl<T> Slot<T> {
    fn length(&self, of: impl Fn(&T) -> usize) -> usize {
        match self {
            Slot::Given(value) => of(value),
            _ => 0,
        }
    }

    /// The value, if one was given.
    pub fn given(self) -> Option<T> {
        match self {
            Slot::Given(value) => Some(value),
            _ => None,
        }
    }
}

/// A mapping that is merged key by key.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layered<T> {
    /// `null` for the whole: nothing from below.
    pub alone: bool,
    /// In order; `None` takes a key of a lower layer away.
    pub entries: Vec<(Arc<str>, Option<T>)>,
}

impl<T> Default for Layered<T> {
    fn default() -> Self {
        Self {
            alone: false,
            entries: Vec::new(),
        }
    }
}

impl<T: Clone> Layered<T> {
    fn over(self, below: &Layered<T>, same: fn(&str, &str) -> bool) -> Layered<T> {
        if self.alone || below.entries.is_empty() {
            return Self {
                alone: self.alone || below.alone,
                ..self
            };
        }
        let mut entries = below.entries.clone();
        for (key, value) in self.entries {
            match entries.iter_mut().find(|(known, _)| same(known, &key)) {
                Some(entry) => *entry = (key, value),
                None => entries.push((key, value)),
            }
        }
        Self {
            alone: below.alone,
            entries,
        }
    }

    /// What is there in the end.
    pub fn present(self) -> Vec<(Arc<str>, T)> {
        self.entries
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect()
    }
}

/// Everything that a job and its defaults may both say.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// Which keys say something.
    pub given: Given,
    pub enabled: Slot<bool>,
    pub owner: Slot<Arc<str>>,
    pub labels: Layered<Text>,
    pub timezone: Slot<Arc<str>>,
    pub env: Layered<Text>,
    pub env_files: Slot<Vec<TreePath>>,
    pub inherit_env: Slot<Vec<Arc<str>>>,
    pub secrets: Layered<SecretSource>,
    pub shell: Slot<Arc<[Arc<str>]>>,
    pub cwd: Slot<Arc<Path>>,
    pub user: Slot<Account>,
    pub limits: Slot<Limits>,
    pub timeout: Slot<Option<Duration>>,
    pub kill_grace: Slot<Duration>,
    pub retry: Slot<Retry>,
    pub max_instances: Slot<u32>,
    pub overlap: Slot<Overlap>,
    pub grace: Slot<Grace>,
    pub coalesce: Slot<bool>,
    pub after_crash: Slot<AfterCrash>,
    /// By name: it is looked up in the jobs that take it.
    pub pool: Slot<Arc<str>>,
    pub on_success: Slot<Vec<Arc<str>>>,
    pub on_failure: Slot<Vec<Arc<str>>>,
    pub on_missed: Slot<Vec<Arc<str>>>,
    pub on_recovery: Slot<Vec<Arc<str>>>,
    pub on_stale: Slot<Vec<Arc<str>>>,
    pub success_within: Slot<Duration>,
    pub output_keep: Slot<u64>,
    pub history: Slot<History>,
    pub stdin: Slot<Arc<str>>,
    pub success_exit_codes: Slot<Arc<[i32]>>,
    pub http: HttpSettings,
}

/// What `http` and its defaults may both say.
#[derive(Clone, Debug, Default)]
pub(super) struct HttpSettings {
    pub query: Slot<Vec<(Arc<str>, Text)>>,
    pub headers: Layered<Text>,
    pub follow_redirects: Slot<bool>,
    pub expect: Slot<Expect>,
    pub sign: Slot<Arc<Sign>>,
    pub tls: Slot<Arc<Tls>>,
}

impl Settings {
    /// How many names and values a job takes from these at most. It is counted through: once for a
    /// file, not for each job.
    pub fn weight(&self) -> usize {
        self.labels.entries.len()
            + self.env.entries.len()
            + self.secrets.entries.len()
            + self.env_files.length(Vec::len)
            + self.inherit_env.length(Vec::len)
            + self.http.headers.entries.len()
            + self.http.query.length(Vec::len)
            + self.http.sign.length(|sign| sign.secrets.len())
            + self.http.expect.length(|expect| {
                let json = expect.json.iter().map(|(_, json)| values(json));
                expect.status.len() + json.sum::<usize>()
            })
    }

    /// These where they say something, else those below.
    pub fn over(self, below: &Settings) -> Settings {
        let exactly = |a: &str, b: &str| a == b;
        Settings {
            given: self.given.over(below.given),
            enabled: self.enabled.over(&below.enabled),
            owner: self.owner.over(&below.owner),
            labels: self.labels.over(&below.labels, exactly),
            timezone: self.timezone.over(&below.timezone),
            env: self.env.over(&below.env, exactly),
            env_files: self.env_files.over(&below.env_files),
            inherit_env: self.inherit_env.over(&below.inherit_env),
            secrets: self.secrets.over(&below.secrets, exactly),
            shell: self.shell.over(&below.shell),
            cwd: self.cwd.over(&below.cwd),
            user: self.user.over(&below.user),
            limits: self.limits.over(&below.limits),
            timeout: self.timeout.over(&below.timeout),
            kill_grace: self.kill_grace.over(&below.kill_grace),
            retry: self.retry.over(&below.retry),
            max_instances: self.max_instances.over(&below.max_instances),
            overlap: self.overlap.over(&below.overlap),
            grace: self.grace.over(&below.grace),
            coalesce: self.coalesce.over(&below.coalesce),
            after_crash: self.after_crash.over(&below.after_crash),
            pool: self.pool.over(&below.pool),
            on_success: self.on_success.over(&below.on_success),
            on_failure: self.on_failure.over(&below.on_failure),
            on_missed: self.on_missed.over(&below.on_missed),
            on_recovery: self.on_recovery.over(&below.on_recovery),
            on_stale: self.on_stale.over(&below.on_stale),
            success_within: self.success_within.over(&below.success_within),
            output_keep: self.output_keep.over(&below.output_keep),
            history: self.history.over(&below.history),
            stdin: self.stdin.over(&below.stdin),
            success_exit_codes: self.success_exit_codes.over(&below.success_exit_codes),
            http: HttpSettings {
                query: self.http.query.over(&below.http.query),
                // Names of headers are the same in any case.
                headers: self
                    .http
                    .headers
                    .over(&below.http.headers, |a, b| a.eq_ignore_ascii_case(b)),
                follow_redirects: self
                    .http
                    .follow_redirects
                    .over(&below.http.follow_redirects),
                expect: self.http.expect.over(&below.http.expect),
                sign: self.http.sign.over(&below.http.sign),
                tls: self.http.tls.over(&below.http.tls),
            },
        }
    }
}

/// How many values stand in one.
fn values(json: &Json) -> usize {
    1 + match json {
        Json::Array(items) => items.iter().map(values).sum(),
        Json::Object(fields) => fields.iter().map(|(_, json)| values(json)).sum(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upper_layer_wins_and_null_cuts_off_what_is_below() {
        let below = Settings {
            enabled: Slot::Given(false),
            max_instances: Slot::Given(3),
            coalesce: Slot::Given(false),
            ..Settings::default()
        };
        let above = Settings {
            max_instances: Slot::Given(5),
            coalesce: Slot::BuiltIn,
            ..Settings::default()
        };
        let both = above.over(&below);
        assert_eq!(both.enabled, Slot::Given(false));
        assert_eq!(both.max_instances, Slot::Given(5));
        assert_eq!(both.coalesce, Slot::BuiltIn);
    }

    #[test]
    fn mappings_are_merged_key_by_key() {
        let layer = |entries: &[(&str, Option<i32>)]| Layered {
            alone: false,
            entries: entries.iter().map(|(k, v)| (Arc::from(*k), *v)).collect(),
        };
        let below = layer(&[("A", Some(1)), ("B", Some(2)), ("C", Some(3))]);
        let above = layer(&[("D", Some(4)), ("B", Some(5)), ("C", None)]);
        let merged = above.over(&below, |a, b| a == b).present();
        let merged: Vec<_> = merged.iter().map(|(k, v)| (&**k, *v)).collect();
        assert_eq!(merged, [("A", 1), ("B", 5), ("D", 4)]);
        let alone = Layered {
            alone: true,
            ..layer(&[("D", Some(4))])
        };
        assert_eq!(alone.over(&below, |a, b| a == b).present().len(), 1);
    }
}
