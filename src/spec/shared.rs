//! What the jobs of a load have in common is kept once: a million jobs must fit.

use std::collections::HashSet;
use std::hash::Hash;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::commons::Table;
use crate::model::{Context, Policy};
use crate::schedule::{Schedule, Zones};

/// Equal things of one load, each kept once; used by all threads.
pub(super) struct Shared<'z> {
    pub zones: &'z Zones,
    /// What files define for the whole tree; `None` for a schedule by itself.
    pub commons: Option<&'z Table>,
    texts: Mutex<HashSet<Arc<str>>>,
    paths: Mutex<HashSet<Arc<Path>>>,
    policies: Mutex<HashSet<Arc<Policy>>>,
    contexts: Mutex<HashSet<Arc<Context>>>,
    shells: Mutex<HashSet<Arc<[Arc<str>]>>>,
    exit_codes: Mutex<HashSet<Arc<[i32]>>>,
    schedules: Mutex<HashSet<Arc<Schedule>>>,
}

impl<'z> Shared<'z> {
    pub fn new(zones: &'z Zones) -> Self {
        Self {
            zones,
            commons: None,
            texts: Mutex::default(),
            paths: Mutex::default(),
            policies: Mutex::default(),
            contexts: Mutex::default(),
            shells: Mutex::default(),
            exit_codes: Mutex::default(),
            schedules: Mutex::default(),
        }
    }

    /// The same, among what the files of a tree define.
    pub fn among(zones: &'z Zones, commons: &'z Table) -> Self {
        Self {
            commons: Some(commons),
            ..Self::new(zones)
        }
    }

    pub fn text(&self, text: &str) -> Arc<str> {
        let mut known = lock(&self.texts);
        if let Some(known) = known.get(text) {
            return known.clone();
        }
        let text: Arc<str> = Arc::from(text);
        known.insert(text.clone());
        text
    }

    pub fn path(&self, path: &Path) -> Arc<Path> {
        let mut known = lock(&self.paths);
        match known.get(path) {
            // `/a/./b` and `/a/b` are equal paths and still two texts.
            Some(known) if known.as_os_str() == path.as_os_str() => known.clone(),
            Some(_) => Arc::from(path),
            None => {
                let path: Arc<Path> = Arc::from(path);
                known.insert(path.clone());
                path
            }
        }
    }

    pub fn policy(&self, policy: Policy) -> Arc<Policy> {
        keep(&self.policies, policy)
    }

    pub fn context(&self, context: Context) -> Arc<Context> {
        keep(&self.contexts, context)
    }

    pub fn shell(&self, shell: &[Arc<str>]) -> Arc<[Arc<str>]> {
        keep_slice(&self.shells, shell)
    }

    pub fn exit_codes(&self, codes: &[i32]) -> Arc<[i32]> {
        keep_slice(&self.exit_codes, codes)
    }

    pub fn schedule(&self, schedule: Schedule) -> Arc<Schedule> {
        keep(&self.schedules, schedule)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A set of equal things has nothing to keep true between two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep<T: Hash + Eq>(set: &Mutex<HashSet<Arc<T>>>, value: T) -> Arc<T> {
    let mut known = lock(set);
    if let Some(known) = known.get(&value) {
        return known.clone();
    }
    let value = Arc::new(value);
    known.insert(value.clone());
    value
}

fn keep_slice<T: Hash + Eq + Clone>(set: &Mutex<HashSet<Arc<[T]>>>, value: &[T]) -> Arc<[T]> {
    let mut known = lock(set);
    if let Some(known) = known.get(value) {
        return known.clone();
    }
    let value: Arc<[T]> = Arc::from(value);
    known.insert(value.clone());
    value
}
