//! Calendars across files: who defines which name, what it includes, what its dates are.
//!
//! How names reach other files is for `commons` to say. Here is what calendars
//! have beyond it: they include each other, in any order of files, and `.ics`
//! files of the tree.

mod beside;
mod bind;
mod read;
mod resolve;
mod text;

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::commons::{FileKey, Found, Names, Section, Use};
use super::ics;
use crate::model;
use crate::schedule::{Calendar, Zones};

pub(super) use beside::beside;
pub(super) use bind::bind;
pub(super) use read::{Place, read};
pub use text::{parse as dates_of, print as text_of};

use super::InputFile;

/// What one file says of calendars, by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Said {
    /// Nothing.
    #[default]
    Nothing,
    /// Something that cannot be used, of calendars with these names as far as they can be told.
    Bad(Arc<[Arc<str>]>),
    /// These calendars, by name.
    Calendars(Arc<[Draft]>),
    /// It is an `.ics` file with these dates.
    Dates(Arc<Calendar>),
}

/// A calendar as its own lines give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Its name.
    name: Arc<str>,
    /// Its weekdays, dates and ranges.
    own: Calendar,
    /// The `.ics` file, below the PATH.
    ics: Option<Arc<str>>,
    /// The calendars that it includes.
    includes: Box<[Arc<str>]>,
}

/// A file and what is to be taken for its calendars.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The PATH.
    pub root: &'a Arc<str>,
    /// Below the PATH.
    pub path: &'a Arc<str>,
    /// As a person would name it.
    pub shown: &'a Arc<str>,
    /// What it says, or what it last said rightly.
    pub says: Says<'a>,
}

/// What is to be taken for a file's calendars.
#[derive(Clone, Copy, Debug)]
pub enum Says<'a> {
    /// What it says now.
    Now(&'a Said),
    /// Its last good calendars.
    Last(&'a [model::Calendar]),
    /// The last good dates of an `.ics` file.
    LastDates(&'a Arc<Calendar>),
}

/// The calendars of a tree by name.
#[derive(Clone, Debug, Default)]
pub struct Calendars {
    names: Names<Calendar, Broken>,
    /// By PATH and path; `None` when the file is bad and never was good.
    ics: HashMap<FileKey, Option<Arc<Calendar>>>,
}

/// Why a calendar has no dates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It includes itself, on this way.
    Cycle(Arc<str>),
    /// Includes go deeper than the limit.
    TooDeep,
    /// With its includes it has too many ranges.
    TooLarge,
    /// Its `.ics` file, or what it includes, is not there or is bad.
    Unusable,
}

/// What a path to an `.ics` file means.
pub(super) enum FoundIcs<'a> {
    Dates(&'a Arc<Calendar>),
    Bad,
    Missing,
}

/// Whether a path is that of an `.ics` file.
#[must_use]
pub fn is_ics(path: &str) -> bool {
    path.ends_with(".ics")
}

/// What an `.ics` file says, by itself.
pub(super) fn dates_said(input: &InputFile, zones: &Zones) -> Said {
    match ics::check(input, zones) {
        (Some(dates), _) => Said::Dates(Arc::new(dates)),
        (None, _) => Said::Bad(Arc::default()),
    }
}

impl Said {
    /// What a mapping of calendars says.
    pub(super) fn of(section: Section<Place>) -> Self {
        if section.good.is_empty() {
            return Said::Nothing;
        }
        Said::Calendars(section.good.into_iter().map(|place| place.draft).collect())
    }
}

impl Calendars {
    /// The calendars with these names and dates: for what was stored.
    pub(super) fn of(calendars: Vec<(Arc<str>, Arc<Calendar>)>) -> Self {
        let mut all = Self::default();
        for (name, dates) in calendars {
            all.names.enter(&name, &Arc::default(), Ok(dates), false);
        }
        all
    }

    /// Lets the jobs of a file go on by the dates of calendars that are gone.
    pub(super) fn hold(
        &mut self,
        file: FileKey,
        used: impl IntoIterator<Item = (Arc<str>, Arc<Calendar>)>,
    ) {
        self.names.hold(file, used);
    }

    /// Whether a name is defined.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.names.knows(name)
    }

    pub(super) fn find(&self, file: &FileKey, name: &str) -> Found<'_, Calendar, Broken> {
        self.names.find(file, name)
    }

    pub(super) fn find_ics(&self, root: &Arc<str>, path: &Arc<str>) -> FoundIcs<'_> {
        match self.ics.get(&(root.clone(), path.clone())) {
            Some(Some(dates)) => FoundIcs::Dates(dates),
            Some(None) => FoundIcs::Bad,
            None => FoundIcs::Missing,
        }
    }

    /// The dates of a name in this very table: for what a file defines itself.
    pub(super) fn own(&self, name: &str) -> Option<Result<&Arc<Calendar>, &Broken>> {
        Some(self.names.defined(name)?.value.as_ref())
    }

    /// Every name, for suggestions.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.names()
    }

    /// The paths of `.ics` files below a PATH, for suggestions.
    pub(super) fn ics_files<'a>(&'a self, root: &'a str) -> impl Iterator<Item = &'a str> {
        let files = self.ics.keys();
        files
            .filter(move |(of, _)| **of == *root)
            .map(|(_, path)| &**path)
    }
}

impl FoundIcs<'_> {
    /// Two that mean the same to a file give the same.
    pub(super) fn hash(&self, hash: &mut impl Hasher) {
        match self {
            FoundIcs::Dates(dates) => (5, dates).hash(hash),
            FoundIcs::Bad => 6.hash(hash),
            FoundIcs::Missing => 7.hash(hash),
        }
    }
}

/// By its kind alone: the way that a circle takes is told, and decides nothing.
impl Hash for Broken {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
    }
}
