//! Who may have which name.
//!
//! What was in force before is free of conflicts, so only names that a file did
//! not define before can bring one. A refused file falls back to its last good
//! content, whose names may stand in the way of yet another file: that is
//! settled in rounds, each deciding by the state at its beginning, so that the
//! answer does not depend on the order of files.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};

use super::{Conflict, ConflictKind, Defined, PairedFile, RootInForce};
use crate::ids::{JobName, MAX_NAME};
use crate::model::{Commons, Job, NameKind, Origin};

/// As many conflicts are told of; more files may be refused.
const MAX_CONFLICTS: usize = 10_000;

/// The settled question of names.
pub(super) struct Claims<'a> {
    files: &'a [PairedFile<'a>],
    refused: Vec<bool>,
    conflicts: Vec<Conflict>,
    /// Every claim to a name that some file did not define before.
    new_names: HashMap<Key<'a>, Vec<Claim<'a>>>,
    /// Of the names in question, those that were in force: who has such a name now and not before has moved it.
    was: HashMap<Key<'a>, Entry<'a>>,
}

/// Something with a name. Each kind has its names apart from the others.
#[derive(Clone, Copy)]
struct Entry<'a> {
    kind: NameKind,
    name: &'a JobName,
    origin: &'a Origin,
}

/// A name of a kind, with its case left out of account.
type Key<'a> = (NameKind, Folded<'a>);

impl<'a> Entry<'a> {
    fn job(job: &'a Job) -> Self {
        Self {
            kind: NameKind::Job,
            name: job.name(),
            origin: &job.origin,
        }
    }

    fn commons(commons: &'a Commons) -> impl Iterator<Item = Self> {
        let names = commons.names();
        names.map(|(kind, name, origin)| Self { kind, name, origin })
    }

    fn key(&self) -> Key<'a> {
        (self.kind, Folded(self.name.as_str()))
    }
}

/// Everything in a file that has a name.
#[derive(Clone, Copy)]
struct Content<'a> {
    jobs: &'a [Job],
    commons: &'a Commons,
}

impl<'a> Content<'a> {
    const NOTHING: Self = Self {
        jobs: &[],
        commons: Commons::NONE,
    };

    fn of(content: &'a Defined) -> Self {
        Self {
            jobs: content.jobs(),
            commons: content.commons(),
        }
    }

    fn entries(self) -> impl Iterator<Item = Entry<'a>> {
        let jobs = self.jobs.iter().map(Entry::job);
        jobs.chain(Entry::commons(self.commons))
    }
}

/// A file that wants a name.
#[derive(Clone, Copy)]
struct Claim<'a> {
    file: usize,
    entry: Entry<'a>,
    /// Whether by its last good content rather than by what it says now.
    by_last: bool,
    /// Whether the file had the very name in force before.
    had: bool,
}

impl<'a> Claims<'a> {
    /// `named` is what was in force of the PATHs that the command line still names.
    pub(super) fn settle(
        files: &'a [PairedFile<'a>],
        named: &[&'a RootInForce],
        max_jobs: usize,
    ) -> Self {
        let mut claims = Self {
            files,
            refused: vec![false; files.len()],
            conflicts: Vec::new(),
            new_names: HashMap::new(),
            was: HashMap::new(),
        };
        claims.refuse_too_many(max_jobs);
        claims.collect();
        claims.decide(named);
        claims.conflicts.sort_by(|a, b| order(a).cmp(&order(b)));
        claims.conflicts.dedup();
        claims.conflicts.truncate(MAX_CONFLICTS);
        claims
    }

    pub(super) fn is_refused(&self, file: usize) -> bool {
        self.refused[file]
    }

    pub(super) fn refused(&self) -> HashSet<(usize, usize)> {
        let files = self.files.iter().zip(&self.refused);
        files
            .filter_map(|(file, refused)| refused.then_some(file.place))
            .collect()
    }

    pub(super) fn conflicts(&self) -> Vec<Conflict> {
        self.conflicts.clone()
    }

    /// Whether a name that its file gave up stands elsewhere now: the job has moved, or another
    /// that differs in case only has replaced it.
    pub(super) fn has_moved(&self, name: &JobName) -> bool {
        let claims = self.new_names.get(&(NameKind::Job, Folded(name.as_str())));
        claims.is_some_and(|claims| claims.iter().any(|claim| self.stands(claim)))
    }

    /// What a file comes to as things stand, and whether that is its last good content.
    fn content(&self, file: usize) -> (Content<'a>, bool) {
        match self.files[file].good() {
            Some(content) if !self.refused[file] => (Content::of(content), false),
            _ => (self.last(file), true),
        }
    }

    /// Its last good content.
    fn last(&self, file: usize) -> Content<'a> {
        let last = self.files[file].last;
        last.map_or(Content::NOTHING, |last| Content::of(&last.content))
    }

    fn stands(&self, claim: &Claim<'a>) -> bool {
        let good = self.files[claim.file].good().is_some() && !self.refused[claim.file];
        good != claim.by_last
    }

    fn refuse_too_many(&mut self, limit: usize) {
        let mut total = 0usize;
        for file in 0..self.files.len() {
            let (content, by_last) = self.content(file);
            total = total.saturating_add(content.jobs.len());
            if total > limit && !by_last {
                self.refuse(file, ConflictKind::TooMany);
                total = total - content.jobs.len() + self.last(file).jobs.len();
            }
        }
    }

    fn collect(&mut self) {
        for file in 0..self.files.len() {
            let (content, _) = self.content(file);
            let had = self.had(file);
            for entry in content.entries() {
                if !had.contains(&entry) {
                    self.new_names.entry(entry.key()).or_default();
                }
            }
        }
        if self.new_names.is_empty() {
            return;
        }
        for file in 0..self.files.len() {
            self.add(file);
        }
    }

    /// The names that a file had in force before.
    fn had(&self, file: usize) -> Had<'a> {
        let (_, by_last) = self.content(file);
        let paired = &self.files[file];
        let unchanged = || match (paired.good(), paired.last) {
            (Some(content), Some(last)) => content.is_same(&last.content),
            _ => false,
        };
        if by_last || unchanged() {
            return Had::All;
        }
        let last = self.last(file).entries();
        Had::These(
            last.map(|entry| (entry.kind, entry.name.as_str()))
                .collect(),
        )
    }

    /// Adds the claims of a file, as things stand, to names that are in question.
    fn add(&mut self, file: usize) -> Vec<Key<'a>> {
        let (content, by_last) = self.content(file);
        let had = self.had(file);
        let mut touched = Vec::new();
        for entry in content.entries() {
            let key = entry.key();
            if let Some(claims) = self.new_names.get_mut(&key) {
                claims.push(Claim {
                    file,
                    entry,
                    by_last,
                    had: had.contains(&entry),
                });
                touched.push(key);
            }
        }
        touched
    }

    fn decide(&mut self, named: &[&'a RootInForce]) {
        let names = self.new_names.iter();
        let mut open: HashSet<Key<'a>> = names
            .filter(|(_, claims)| claims.len() > 1)
            .map(|(name, _)| *name)
            .collect();
        if !open.is_empty() {
            let jobs = named.iter().flat_map(|root| root.jobs()).map(Entry::job);
            let files = named.iter().flat_map(|root| &root.files);
            let commons = files.flat_map(|file| Entry::commons(file.content.commons()));
            self.was = jobs
                .chain(commons)
                .map(|entry| (entry.key(), entry))
                .filter(|(key, _)| open.contains(key))
                .collect();
        }
        while !open.is_empty() {
            let verdicts: Vec<_> = open.iter().flat_map(|name| self.judge(*name)).collect();
            open.clear();
            for (file, kind) in verdicts {
                let was = self.refused[file];
                self.refuse(file, kind);
                if !was {
                    open.extend(self.add(file));
                }
            }
        }
    }

    /// Which files may not have the name, and why.
    fn judge(&self, name: Key<'a>) -> Vec<(usize, ConflictKind)> {
        let all = self.new_names.get(&name).into_iter().flatten();
        let standing: Vec<Claim<'a>> = all.filter(|claim| self.stands(claim)).copied().collect();
        let keeper = standing
            .iter()
            .position(|claim| claim.had)
            .or_else(|| self.moved(self.was.get(&name)?, &standing));
        // Whom the others stand against; with none, each stands against another.
        let against = keeper.map(|keeper| standing[keeper].entry);
        let mut verdicts = Vec::new();
        for (index, claim) in standing.iter().enumerate() {
            if keeper == Some(index) {
                continue;
            }
            if let Some(other) = against {
                verdicts.push((claim.file, clash(claim.entry, other, true)));
            } else if let Some(other) = standing.get(usize::from(index == 0)) {
                verdicts.push((claim.file, clash(claim.entry, other.entry, false)));
            }
        }
        verdicts
    }

    /// Which claim takes over a name that its own file gave up: that of the file which had it
    /// before it was held, or the only one.
    fn moved(&self, was: &Entry<'a>, standing: &[Claim<'a>]) -> Option<usize> {
        let same = standing.iter().enumerate();
        let same: Vec<(usize, &Claim<'a>)> = same
            .filter(|(_, claim)| claim.entry.name == was.name)
            .collect();
        let shown = |claim: &Claim<'a>| self.files[claim.file].now.map(|now| &**now.shown);
        let its_own = same
            .iter()
            .find(|(_, claim)| shown(claim) == Some(&*was.origin.file));
        match (its_own, same.as_slice()) {
            (Some((index, _)), _) | (None, [(index, _)]) => Some(*index),
            _ => None,
        }
    }

    fn refuse(&mut self, file: usize, kind: ConflictKind) {
        self.refused[file] = true;
        let place = self.files[file].place;
        self.conflicts.push(Conflict { file: place, kind });
    }
}

/// Names that a file had in force before.
enum Had<'a> {
    /// Everything that it comes to now.
    All,
    These(HashSet<(NameKind, &'a str)>),
}

impl Had<'_> {
    fn contains(&self, entry: &Entry<'_>) -> bool {
        match self {
            Had::All => true,
            Had::These(names) => names.contains(&(entry.kind, entry.name.as_str())),
        }
    }
}

fn clash(mine: Entry<'_>, other: Entry<'_>, kept: bool) -> ConflictKind {
    ConflictKind::Name {
        kind: mine.kind,
        name: mine.name.clone(),
        line: mine.origin.line,
        other: other.name.clone(),
        other_file: other.origin.file.clone(),
        other_line: other.origin.line,
        kept,
    }
}

/// By place, and alike for equal ones.
fn order(conflict: &Conflict) -> ((usize, usize), u32, &str, &str, u32) {
    match &conflict.kind {
        ConflictKind::Name {
            name,
            line,
            other_file,
            other_line,
            ..
        } => (conflict.file, *line, name.as_str(), other_file, *other_line),
        ConflictKind::TooMany => (conflict.file, 0, "", "", 0),
    }
}

/// A name with its case left out of account.
#[derive(Clone, Copy, Debug)]
struct Folded<'a>(&'a str);

impl PartialEq for Folded<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }
}

impl Eq for Folded<'_> {}

impl Hash for Folded<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // One call for the whole name: names are short and this is done for each job.
        let mut lower = [0u8; MAX_NAME];
        for (slot, byte) in lower.iter_mut().zip(self.0.bytes()) {
            *slot = byte.to_ascii_lowercase();
        }
        state.write(&lower[..self.0.len().min(MAX_NAME)]);
        state.write_u8(0xff);
    }
}
