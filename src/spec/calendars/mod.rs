//! Calendars across files: who defines which name, what it includes, what its dates are.
//!
//! A file is read for its calendars first ([`said`]). From what all files say,
//! [`Calendars::resolve`] makes one table of names, and with that each file is
//! checked. What of it a file used is kept with the file ([`Use`]), so that a
//! calendar that changes in one file touches those that use it and no other.

mod beside;
mod bind;
mod read;
mod resolve;
mod text;

use std::collections::{BTreeSet, HashMap, hash_map::DefaultHasher};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::{Options, ics};
use crate::model;
use crate::schedule::{Calendar, Zones};

pub(super) use beside::beside;
pub(super) use bind::bind;
pub(super) use read::read;
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

/// Something of other files that the result of a check depends on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Use {
    /// A calendar by name.
    Calendar(Arc<str>),
    /// An `.ics` file below the same PATH.
    Ics(Arc<str>),
}

/// A file by PATH and the path below it.
type FileKey = (Arc<str>, Arc<str>);

/// Dates by what they are called.
type DatesByName = HashMap<Arc<str>, Arc<Calendar>>;

/// The calendars of a tree by name.
#[derive(Clone, Debug, Default)]
pub struct Calendars {
    known: HashMap<Arc<str>, Known>,
    /// By PATH and path; `None` when the file is bad and never was good.
    ics: HashMap<FileKey, Option<Arc<Calendar>>>,
    /// What the jobs of a file, by PATH and path, used last and nothing defines any more.
    held: HashMap<FileKey, DatesByName>,
}

/// One name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    /// The file that defines it, as a person would name it.
    shown: Arc<str>,
    dates: Result<Arc<Calendar>, Broken>,
}

/// Why a calendar has no dates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// It includes itself, on this way.
    Cycle(Arc<str>),
    /// Includes go deeper than the limit.
    TooDeep,
    /// With its includes it has too many ranges.
    TooLarge,
    /// Its `.ics` file, or what it includes, is not there or is bad.
    Unusable,
}

/// What a name means to a file.
pub(super) enum Found<'a> {
    /// These dates.
    Dates(&'a Arc<Calendar>),
    /// Nothing any more; these dates it had.
    Gone(&'a Arc<Calendar>),
    /// It is defined in this file, and has no dates.
    Broken(&'a Arc<str>, &'a Broken),
    /// Nothing.
    Unknown,
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

/// What a file says of calendars, by itself.
#[must_use]
pub fn said(input: &InputFile, options: &Options, zones: &Zones) -> Said {
    if is_ics(&input.path) {
        return match ics::check(input, zones) {
            (Some(dates), _) => Said::Dates(Arc::new(dates)),
            (None, _) => Said::Bad(Arc::default()),
        };
    }
    read::said(input, options, zones)
}

impl Calendars {
    /// The calendars with these names and dates: for what was stored.
    pub(super) fn of(calendars: Vec<(Arc<str>, Arc<Calendar>)>) -> Self {
        let known = calendars.into_iter().map(|(name, dates)| {
            let known = Known {
                shown: Arc::from(""),
                dates: Ok(dates),
            };
            (name, known)
        });
        Self {
            known: known.collect(),
            ..Self::default()
        }
    }

    /// Lets the jobs of a file go on by the dates of calendars that are gone.
    pub fn hold(
        &mut self,
        root: &Arc<str>,
        path: &Arc<str>,
        calendars: impl IntoIterator<Item = (Arc<str>, Arc<Calendar>)>,
    ) {
        let gone: DatesByName = calendars
            .into_iter()
            .filter(|(name, _)| !self.known.contains_key(name))
            .collect();
        if !gone.is_empty() {
            self.held.insert((root.clone(), path.clone()), gone);
        }
    }

    /// Whether a name is defined.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    pub(super) fn find(&self, root: &Arc<str>, path: &Arc<str>, name: &str) -> Found<'_> {
        if let Some(known) = self.known.get(name) {
            return match &known.dates {
                Ok(dates) => Found::Dates(dates),
                Err(broken) => Found::Broken(&known.shown, broken),
            };
        }
        let held = self.held.get(&(root.clone(), path.clone()));
        match held.and_then(|held| held.get(name)) {
            Some(dates) => Found::Gone(dates),
            None => Found::Unknown,
        }
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
        Some(self.known.get(name)?.dates.as_ref())
    }

    /// Every name, for suggestions.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(|name| &**name)
    }

    /// The paths of `.ics` files below a PATH, for suggestions.
    pub(super) fn ics_files<'a>(&'a self, root: &'a str) -> impl Iterator<Item = &'a str> {
        let files = self.ics.keys();
        files
            .filter(move |(of, _)| **of == *root)
            .map(|(_, path)| &**path)
    }

    /// A number for what all of `uses` mean to a file; another number says that the file is to be
    /// checked anew.
    #[must_use]
    pub fn state_of(&self, root: &Arc<str>, path: &Arc<str>, uses: &[Use]) -> u64 {
        if uses.is_empty() {
            return 0;
        }
        let mut hash = DefaultHasher::new();
        for one in uses {
            match one {
                Use::Calendar(name) => match self.find(root, path, name) {
                    Found::Dates(dates) => (1, dates).hash(&mut hash),
                    Found::Gone(dates) => (2, dates).hash(&mut hash),
                    Found::Broken(shown, broken) => (3, shown, broken.number()).hash(&mut hash),
                    Found::Unknown => 4.hash(&mut hash),
                },
                Use::Ics(path) => match self.find_ics(root, path) {
                    FoundIcs::Dates(dates) => (5, dates).hash(&mut hash),
                    FoundIcs::Bad => 6.hash(&mut hash),
                    FoundIcs::Missing => 7.hash(&mut hash),
                },
            }
        }
        hash.finish()
    }
}

impl Broken {
    fn number(&self) -> u8 {
        match self {
            Broken::Cycle(_) => 0,
            Broken::TooDeep => 1,
            Broken::TooLarge => 2,
            Broken::Unusable => 3,
        }
    }
}

/// What a file has to do with calendars while it is checked.
#[derive(Default)]
pub(super) struct InFile {
    /// The PATH and the path below it; empty for a schedule by itself.
    pub file: (Arc<str>, Arc<str>),
    /// What the file defines itself.
    pub own: Calendars,
    /// The names of calendars of its own that cannot be read.
    pub unread: Vec<Arc<str>>,
    uses: BTreeSet<Use>,
}

impl InFile {
    pub fn of(input: &InputFile) -> Self {
        Self {
            file: (input.root.clone(), input.path.clone()),
            ..Self::default()
        }
    }

    /// Remembers what of other files the result depends on.
    pub fn note(&mut self, one: Use) {
        self.uses.insert(one);
    }

    /// All that was noted, in order.
    pub fn take_uses(&mut self) -> Box<[Use]> {
        std::mem::take(&mut self.uses).into_iter().collect()
    }
}
