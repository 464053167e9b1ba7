//! What files define for the whole tree: calendars, pools and sages, each under a name.
//!
//! A file is read for these first ([`said`]). From what all files say,
//! [`Table::resolve`] makes one table of names for each kind, and with that each
//! file is checked. What of it a file used is kept with the file ([`Use`]), so
//! that a name that changes in one file touches those that use it and no other.
//!
//! A kind whose entries mean something by their own lines alone, as pools and sages do, is
//! a [`Common`] and needs nothing beside it. Calendars include each other and
//! files of their own; their part is in `calendars`.

mod names;
mod pools;
mod sages;
mod section;

use std::collections::{BTreeSet, HashMap, hash_map::DefaultHasher};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::calendars::{self, Calendars};
use super::decode::Decoder;
use super::paths::Home;
use super::problem::{Page, Problem};
use super::shared::Shared;
use super::tree::{self, Entry, Node, Span, Value, shorten};
use super::{InputFile, Options, bytes};
use crate::finding::Code;
use crate::ids::JobName;
use crate::model::{self, Job, NameKind, Origin, Placed, Pool, Sage, Sages};
use crate::schedule::{self, Zones};

pub(in crate::spec) use names::{FileKey, Found};
pub use names::{Names, SaidNames};
pub(in crate::spec) use pools::pool;
pub(in crate::spec) use sages::audience;
pub(in crate::spec) use section::{Section, section};

/// Something that is defined under a name for the whole tree, by its own lines alone.
pub(in crate::spec) trait Common: Sized + Hash {
    /// What it is.
    const KIND: NameKind;
    /// What an entry that says nothing is told to say.
    const KEYS: &'static str;
    /// What becomes of a job whose name is gone.
    const GOES_ON: &'static str;
    /// Names that need no definition, for suggestions.
    const BUILT_IN: &'static [&'static str] = &[];

    /// Reads an entry whose name is one; `None` when something of it is wrong.
    fn read<'t>(decoder: &mut Decoder<'t, '_>, entry: &Entry<'t>, home: &Home) -> Option<Self>;
    /// Its name.
    fn name(&self) -> &JobName;
    /// Those of the file that is checked.
    fn own(file: &mut InFile) -> &mut Own<Self>;
    /// Those of the tree.
    fn names(table: &Table) -> &Names<Self>;
    /// Those that a file defined.
    fn defined(commons: &model::Commons) -> &[Placed<Self>];
}

/// What a file defines itself, by name; `None` for what cannot be read.
pub(in crate::spec) type Own<T> = HashMap<Arc<str>, Option<Arc<T>>>;

/// What one file says for the whole tree, by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Of calendars; or it is an `.ics` file.
    pub calendars: calendars::Said,
    /// Of pools.
    pub pools: SaidNames<Pool>,
    /// Of sages.
    pub sages: SaidNames<Sage>,
}

/// A file and what is to be taken for what it says.
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

/// What is to be taken for what a file says.
#[derive(Clone, Copy, Debug)]
pub enum Says<'a> {
    /// What it says now.
    Now(&'a Said),
    /// What it last defined rightly.
    Last(&'a model::Commons),
    /// The last good dates of an `.ics` file.
    LastDates(&'a Arc<schedule::Calendar>),
}

/// Something of other files that the result of a check depends on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Use {
    /// A name.
    Name(NameKind, Arc<str>),
    /// An `.ics` file below the same PATH.
    Ics(Arc<str>),
}

/// Everything that the files of a tree define for all of it, by kind and name.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Dates.
    pub calendars: Calendars,
    /// Places for runs.
    pub pools: Names<Pool>,
    /// Who is told.
    pub sages: Names<Sage>,
}

/// What a file says for the whole tree, by itself; its findings left out, for its check tells them.
#[must_use]
pub fn said(input: &InputFile, options: &Options, zones: &Zones) -> Said {
    if calendars::is_ics(&input.path) {
        return Said {
            calendars: calendars::dates_said(input, zones),
            ..Said::default()
        };
    }
    let Ok(text) = bytes::text_of(input) else {
        return Said::bad(None);
    };
    // Most files define none of it, and need not be read twice.
    let kinds = NameKind::SECTIONS.into_iter();
    let mut kinds = kinds.filter(|kind| *kind != NameKind::Job);
    if !kinds.any(|kind| text.contains(kind.key())) {
        return Said::default();
    }
    let tree = tree::parse(text);
    let Some(Value::Map(top)) = tree.root.as_ref().map(|root| &root.value) else {
        return Said::bad(None);
    };
    let page = Page::of(input, text);
    let shared = Shared::new(zones);
    let mut decoder = Decoder::new(&page, options, &shared);
    let home = Home::new(&input.root_folder, &input.path);
    let part = |kind: NameKind| top.iter().find(|entry| entry.key == kind.key());
    let node = |kind| part(kind).map(|entry| &entry.value);
    let calendars = node(NameKind::Calendar);
    let calendars = calendars.map(|node| calendars::read(&mut decoder, node, &home));
    let pools = node(Pool::KIND).map(|node| read::<Pool>(&mut decoder, node, &home));
    let sages = node(Sage::KIND).map(|node| read::<Sage>(&mut decoder, node, &home));
    let is_any = calendars.is_some() || pools.is_some() || sages.is_some();
    if decoder.errors_since(0) || !tree.complete || is_any && !tree.problems.is_empty() {
        return Said::bad(Some(top));
    }
    Said {
        calendars: calendars.map_or_else(calendars::Said::default, calendars::Said::of),
        pools: pools.map_or_else(SaidNames::default, said_names),
        sages: sages.map_or_else(SaidNames::default, said_names),
    }
}

impl Said {
    /// Of a file with something that cannot be used: then nothing of it counts.
    fn bad(top: Option<&[Entry<'_>]>) -> Self {
        let names = |kind: NameKind| {
            let mut top = top.unwrap_or_default().iter();
            let part = top.find(|entry| entry.key == kind.key());
            part.map_or_else(Arc::default, |entry| section::names_in(&entry.value))
        };
        Self {
            calendars: calendars::Said::Bad(names(NameKind::Calendar)),
            pools: SaidNames::Bad(names(NameKind::Pool)),
            sages: SaidNames::Bad(names(NameKind::Sage)),
        }
    }

    /// Whether it cannot be used.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        matches!(self.calendars, calendars::Said::Bad(_))
    }
}

fn said_names<T: Common>(section: Section<Placed<T>>) -> SaidNames<T> {
    let good = section.good.into_iter();
    let good = good.map(|one| (Arc::from(one.value.name().as_str()), one.value));
    SaidNames::Good(good.collect())
}

/// Reads the mapping of a kind.
fn read<'t, T: Common>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    home: &Home,
) -> Section<Placed<T>> {
    section(decoder, node, T::KIND, T::KEYS, |decoder, entry| {
        let before = decoder.errors();
        let value = Arc::new(T::read(decoder, entry, home)?);
        let origin = Origin {
            file: decoder.commons.shown.clone(),
            line: decoder.line_of(entry.key_span),
        };
        (decoder.errors() == before).then_some(Placed { value, origin })
    })
}

/// What the file that is checked defines of a kind; its own jobs go by that.
pub(in crate::spec) fn define<'t, T: Common>(
    decoder: &mut Decoder<'t, '_>,
    node: &Node<'t>,
    home: &Home,
) -> Vec<Placed<T>> {
    let Section { good, unread } = read::<T>(decoder, node, home);
    let own = T::own(&mut decoder.commons);
    own.extend(unread.into_iter().map(|name| (name, None)));
    let named = good.iter();
    own.extend(named.map(|one| {
        let name = Arc::from(one.value.name().as_str());
        (name, Some(one.value.clone()))
    }));
    good
}

/// What a name at `span` means to the file that is checked; what is wrong with it is told.
pub(in crate::spec) fn named<T: Common>(
    decoder: &mut Decoder<'_, '_>,
    key: &str,
    name: &Arc<str>,
    span: Span,
) -> Option<Arc<T>> {
    // What is wrong with its own has been said where it stands.
    if let Some(own) = T::own(&mut decoder.commons).get(name) {
        return own.clone();
    }
    let word = T::KIND.word();
    decoder.commons.note(Use::Name(T::KIND, Arc::from(&**name)));
    let table = decoder.shared.commons?;
    let names = T::names(table);
    match names.find(&decoder.commons.file, name) {
        Found::Here(value) => Some(value.clone()),
        Found::Gone(value) => {
            let message = format!("the {word} `{name}` is gone; {}", T::GOES_ON);
            let help = format!("bring it back, or take it out of `{key}`");
            decoder.note(Problem::new(Code::NameGone, span, &message, &help));
            Some(value.clone())
        }
        Found::Broken(shown, _) => {
            let message = format!("the {word} `{name}`, which {shown} defines, cannot be used");
            decoder.report(Code::DanglingName, span, &message, "mend that file first");
            None
        }
        Found::Unknown => {
            let own: Vec<_> = T::own(&mut decoder.commons).keys().cloned().collect();
            let known = names.names().chain(own.iter().map(|name| &**name));
            let known = known.chain(T::BUILT_IN.iter().copied());
            unknown(decoder, T::KIND, name, span, known);
            None
        }
    }
}

/// No file defines this name.
pub(in crate::spec) fn unknown<'n>(
    decoder: &mut Decoder<'_, '_>,
    kind: NameKind,
    name: &str,
    span: Span,
    known: impl Iterator<Item = &'n str>,
) {
    let word = kind.word();
    let message = format!("no {word} is called `{}`", shorten(name));
    let near = decoder.did_you_mean(name, known);
    let help = if near.is_empty() {
        let key = kind.key();
        format!("define it under `{key}:` at the top level of a job file")
    } else {
        near
    };
    decoder.report(Code::DanglingName, span, &message, &help);
}

impl Table {
    /// The calendars with these names and dates: for what was stored.
    pub(super) fn of_calendars(calendars: Vec<(Arc<str>, Arc<schedule::Calendar>)>) -> Self {
        Self {
            calendars: Calendars::of(calendars),
            ..Self::default()
        }
    }

    /// Makes the table. Of two files that define a name the one counts whose last content, as
    /// `last` gives it by PATH and path, has it, else the first; that both do is for the merge to say.
    #[must_use]
    pub fn resolve<'a>(
        sources: &[Source<'_>],
        last: impl Fn(&Arc<str>, &Arc<str>) -> &'a model::Commons,
    ) -> Self {
        let holds = |root: &Arc<str>, path: &Arc<str>, kind: NameKind, name: &str| {
            let mut names = last(root, path).names();
            names.any(|(known, had, _)| known == kind && had.as_str() == name)
        };
        let calendars = sources.iter().map(|source| calendars::Source {
            root: source.root,
            path: source.path,
            shown: source.shown,
            says: match source.says {
                Says::Now(said) => calendars::Says::Now(&said.calendars),
                Says::Last(last) => calendars::Says::Last(&last.calendars),
                Says::LastDates(dates) => calendars::Says::LastDates(dates),
            },
        });
        let calendars: Vec<_> = calendars.collect();
        Self {
            calendars: Calendars::resolve(&calendars, |source, name| {
                holds(source.root, source.path, NameKind::Calendar, name)
            }),
            pools: of_kind(sources, |said| &said.pools, holds),
            sages: of_kind(sources, |said| &said.sages, holds),
        }
    }

    /// Lets the jobs of a file, as they last were, go on by what names meant that are gone. Jobs
    /// bring along what they name, but for sages: these are as `sages` has them.
    pub fn hold(&mut self, root: &Arc<str>, path: &Arc<str>, jobs: &[Job], sages: &Sages) {
        let file = || (root.clone(), path.clone());
        let schedules = jobs.iter().map(|job| &job.definition.schedule);
        let dates = schedules.flat_map(|schedule| schedule.calendars());
        self.calendars.hold(file(), dates.cloned());
        let pools = jobs
            .iter()
            .filter_map(|job| job.definition.policy.pool.as_ref());
        let pools = pools.map(|pool| (Arc::from(pool.name.as_str()), pool.clone()));
        self.pools.hold(file(), pools);
        let audiences = jobs
            .iter()
            .filter_map(|job| job.definition.policy.audience.as_ref());
        let names = audiences.flat_map(|audience| audience.all());
        let named = names.flat_map(|(_, names)| names);
        let known =
            named.filter_map(|name| Some((Arc::from(name.as_str()), sages.get(name)?.clone())));
        self.sages.hold(file(), known);
    }

    /// Whether something that was used is defined no more.
    #[must_use]
    pub fn misses(&self, one: &Use) -> bool {
        match one {
            Use::Name(NameKind::Calendar, name) => !self.calendars.knows(name),
            Use::Name(NameKind::Pool, name) => !self.pools.knows(name),
            Use::Name(NameKind::Sage, name) => !self.sages.knows(name),
            Use::Name(NameKind::Job | NameKind::Alias, _) | Use::Ics(_) => false,
        }
    }

    /// A number for what all of `uses` mean to a file; another number says that the file is to be
    /// checked anew.
    #[must_use]
    pub fn state_of(&self, root: &Arc<str>, path: &Arc<str>, uses: &[Use]) -> u64 {
        if uses.is_empty() {
            return 0;
        }
        let file = (root.clone(), path.clone());
        let mut hash = DefaultHasher::new();
        for one in uses {
            match one {
                Use::Name(NameKind::Calendar, name) => {
                    self.calendars.find(&file, name).hash(&mut hash);
                }
                Use::Name(NameKind::Pool, name) => self.pools.find(&file, name).hash(&mut hash),
                Use::Name(NameKind::Sage, name) => self.sages.find(&file, name).hash(&mut hash),
                Use::Name(NameKind::Job | NameKind::Alias, _) => {}
                Use::Ics(path) => self.calendars.find_ics(root, path).hash(&mut hash),
            }
        }
        hash.finish()
    }
}

/// The names of a kind, from what all files say.
fn of_kind<'a, T: Common + 'a>(
    sources: &[Source<'a>],
    said: impl Fn(&'a Said) -> &'a SaidNames<T>,
    holds: impl Fn(&Arc<str>, &Arc<str>, NameKind, &str) -> bool,
) -> Names<T> {
    let mut names = Names::default();
    for source in sources {
        let mut enter = |name: &Arc<str>, value| {
            let holds = names.knows(name) && holds(source.root, source.path, T::KIND, name);
            names.enter(name, source.shown, value, holds);
        };
        match source.says {
            Says::Now(now) => match said(now) {
                SaidNames::Good(good) => {
                    for (name, value) in good.iter() {
                        enter(name, Ok(value.clone()));
                    }
                }
                SaidNames::Bad(bad) => {
                    for name in bad.iter() {
                        enter(name, Err(names::Unusable));
                    }
                }
            },
            Says::Last(last) => {
                for one in T::defined(last) {
                    enter(&Arc::from(one.value.name().as_str()), Ok(one.value.clone()));
                }
            }
            Says::LastDates(_) => {}
        }
    }
    names
}

/// What a file has to do with names of the whole tree while it is checked.
#[derive(Default)]
pub(in crate::spec) struct InFile {
    /// The PATH and the path below it; empty for a schedule by itself.
    pub file: FileKey,
    /// The file as a person would name it.
    shown: Arc<str>,
    /// The calendars that the file defines itself.
    pub calendars: Calendars,
    /// The names of calendars of its own that cannot be read.
    pub unread_calendars: Vec<Arc<str>>,
    /// The pools that it defines itself.
    pub pools: Own<Pool>,
    /// The sages that it defines itself.
    pub sages: Own<Sage>,
    /// Those that its jobs name and that no file defines any more.
    pub kept_sages: Vec<Placed<Sage>>,
    uses: BTreeSet<Use>,
}

impl InFile {
    pub fn of(input: &InputFile) -> Self {
        Self {
            file: (input.root.clone(), input.path.clone()),
            shown: input.shown.clone(),
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
