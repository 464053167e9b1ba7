//! Names of one kind: which file defines each, what it means, and what it meant to those that still use it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A file by PATH and the path below it.
pub(in crate::spec) type FileKey = (Arc<str>, Arc<str>);

/// The names of one kind in a tree. `E` says why a name that is defined has no value.
#[derive(Clone, Debug)]
pub struct Names<T, E = Unusable> {
    known: HashMap<Arc<str>, Known<T, E>>,
    /// What the jobs of a file, by PATH and path, used last and nothing defines any more.
    held: HashMap<FileKey, HashMap<Arc<str>, Arc<T>>>,
}

/// What a file that is bad and never was good defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unusable;

/// One name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::spec) struct Known<T, E> {
    /// The file that defines it, as a person would name it.
    pub shown: Arc<str>,
    /// What it means.
    pub value: Result<Arc<T>, E>,
}

/// What a name means to a file.
pub(in crate::spec) enum Found<'a, T, E = Unusable> {
    /// This.
    Here(&'a Arc<T>),
    /// Nothing any more; this it was.
    Gone(&'a Arc<T>),
    /// It is defined in this file, and is not to be had.
    Broken(&'a Arc<str>, &'a E),
    /// Nothing.
    Unknown,
}

/// What one file says of names of one kind, by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaidNames<T> {
    /// Something that cannot be used, of these names as far as they can be told.
    Bad(Arc<[Arc<str>]>),
    /// These names; there may be none.
    Good(Arc<[(Arc<str>, Arc<T>)]>),
}

impl<T> Default for SaidNames<T> {
    fn default() -> Self {
        SaidNames::Good(Arc::new([]))
    }
}

impl<T, E> Default for Names<T, E> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            held: HashMap::new(),
        }
    }
}

impl<T, E> Names<T, E> {
    /// Adds a name that a file defines. Of two files the first counts, unless `holds` says that the
    /// later one had it; that both claim it is for the merge to say.
    pub(in crate::spec) fn enter(
        &mut self,
        name: &Arc<str>,
        shown: &Arc<str>,
        value: Result<Arc<T>, E>,
        holds: bool,
    ) {
        let known = Known {
            shown: shown.clone(),
            value,
        };
        match self.known.entry(name.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(known);
            }
            Entry::Occupied(mut entry) if holds => {
                entry.insert(known);
            }
            Entry::Occupied(_) => {}
        }
    }

    /// Lets the jobs of a file go on by what names meant that are gone.
    pub(in crate::spec) fn hold(
        &mut self,
        file: FileKey,
        used: impl IntoIterator<Item = (Arc<str>, Arc<T>)>,
    ) {
        let gone: HashMap<_, _> = used
            .into_iter()
            .filter(|(name, _)| !self.knows(name))
            .collect();
        if !gone.is_empty() {
            self.held.insert(file, gone);
        }
    }

    /// Whether a name is defined.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    /// What the name means to a file.
    pub(in crate::spec) fn find(&self, file: &FileKey, name: &str) -> Found<'_, T, E> {
        if let Some(known) = self.defined(name) {
            return match &known.value {
                Ok(value) => Found::Here(value),
                Err(broken) => Found::Broken(&known.shown, broken),
            };
        }
        match self.held.get(file).and_then(|held| held.get(name)) {
            Some(value) => Found::Gone(value),
            None => Found::Unknown,
        }
    }

    /// The file that defines the name, and what it means.
    pub(in crate::spec) fn defined(&self, name: &str) -> Option<&Known<T, E>> {
        self.known.get(name)
    }

    /// Forgets names.
    pub(in crate::spec) fn keep(&mut self, kept: impl Fn(&str) -> bool) {
        self.known.retain(|name, _| kept(name));
    }

    /// Every name, for suggestions.
    pub(in crate::spec) fn names(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(|name| &**name)
    }
}

impl<T: Hash, E: Hash> Found<'_, T, E> {
    /// Two that mean the same to a file give the same.
    pub(in crate::spec) fn hash(&self, hash: &mut impl Hasher) {
        match self {
            Found::Here(value) => (1, value).hash(hash),
            Found::Gone(value) => (2, value).hash(hash),
            Found::Broken(shown, broken) => (3, shown, broken).hash(hash),
            Found::Unknown => 4.hash(hash),
        }
    }
}
