//! Which definitions are to be in force, from what the files say now and what was in force before.
//!
//! The law: one bad file never stops another, and what it last defined rightly
//! goes on; of two files that claim a name the one that holds it keeps it; what
//! vanishes is held back when it is much, or when something else cannot be read.
//! Nothing here reads a file or a clock, and the same input gives the same answer.

mod claims;
mod conflict;
mod guard;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::ids::{JobName, PoolName};
use crate::model::{Commons, Job, Pool, Sages};
use crate::schedule;

use claims::Claims;

pub use conflict::{Conflict, ConflictKind};

/// As many jobs as a tree may define.
pub const MAX_JOBS: usize = 2_000_000;

/// The last good text of `_defaults.yaml` files, by root and path.
pub type DefaultsTexts = HashMap<(Arc<str>, Arc<str>), Arc<str>>;

/// Everything that is in force, file by file.
#[derive(Clone, Debug, Default)]
pub struct InForce {
    /// By PATH, in no particular order.
    pub roots: Vec<RootInForce>,
}

/// What is in force of one PATH.
#[derive(Clone, Debug)]
pub struct RootInForce {
    /// The PATH, as the command line named it.
    pub path: Arc<str>,
    /// Its files, ascending by path.
    pub files: Vec<FileInForce>,
    /// Jobs that no file defines any more and whose removal waits, by name.
    pub held: Vec<HeldJob>,
}

/// What is in force of one file: its last good content.
#[derive(Clone, Debug)]
pub struct FileInForce {
    /// Below the PATH.
    pub path: Arc<str>,
    /// Of the content that this came from.
    pub hash: [u8; 32],
    /// What it defines.
    pub content: Defined,
}

/// What a good file defines.
#[derive(Clone, Debug)]
pub enum Defined {
    /// Jobs.
    Jobs(Arc<[Job]>),
    /// Jobs, and names for the whole tree; there may be no job.
    Commons(Arc<[Job]>, Arc<Commons>),
    /// Defaults, as text.
    Defaults(Arc<str>),
    /// The dates of an `.ics` file.
    Dates(Arc<schedule::Calendar>),
}

impl Defined {
    /// What a job file defines.
    #[must_use]
    pub fn of(jobs: Arc<[Job]>, commons: Arc<Commons>) -> Self {
        if commons.is_empty() {
            return Defined::Jobs(jobs);
        }
        Defined::Commons(jobs, commons)
    }

    /// The jobs; none in defaults.
    #[must_use]
    pub fn jobs(&self) -> &[Job] {
        match self {
            Defined::Jobs(jobs) | Defined::Commons(jobs, _) => jobs,
            Defined::Defaults(_) | Defined::Dates(_) => &[],
        }
    }

    /// What it defines for the whole tree, beside jobs.
    #[must_use]
    pub fn commons(&self) -> &Commons {
        match self {
            Defined::Commons(_, commons) => commons,
            Defined::Jobs(_) | Defined::Defaults(_) | Defined::Dates(_) => Commons::NONE,
        }
    }

    /// Whether both are one and the same in memory, which says that they are equal at no cost.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Defined::Jobs(a), Defined::Jobs(b)) => Arc::ptr_eq(a, b),
            (Defined::Commons(a, x), Defined::Commons(b, y)) => {
                Arc::ptr_eq(a, b) && Arc::ptr_eq(x, y)
            }
            (Defined::Defaults(a), Defined::Defaults(b)) => a == b,
            (Defined::Dates(a), Defined::Dates(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

/// A job that goes on by its last definition although no file defines it.
#[derive(Clone, Debug)]
pub struct HeldJob {
    /// Its last definition.
    pub job: Job,
    /// Why it is held.
    pub cause: HoldCause,
}

/// Why a removal waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HoldCause {
    /// Too much went at once: it waits for a confirmation or the job's return.
    Guard,
    /// A file was bad or a PATH was lost when it went: it is looked at again when all can be read.
    Unsettled,
}

impl InForce {
    /// How many jobs, held ones too.
    #[must_use]
    pub fn job_count(&self) -> usize {
        self.roots.iter().map(RootInForce::job_count).sum()
    }

    /// Every job, held ones too.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.roots.iter().flat_map(RootInForce::jobs)
    }

    /// All named pools, ascending: those that files define, and what jobs go on by whose pool is gone.
    #[must_use]
    pub fn pools(&self) -> Vec<Arc<Pool>> {
        let files = self.roots.iter().flat_map(|root| &root.files);
        let defined = files.flat_map(|file| &file.content.commons().pools);
        let mut pools: BTreeMap<&PoolName, &Arc<Pool>> = defined
            .map(|pool| (&pool.value.name, &pool.value))
            .collect();
        for job in self.jobs() {
            let Some(pool) = &job.definition.policy.pool else {
                continue;
            };
            pools.entry(&pool.name).or_insert(pool);
        }
        pools.into_values().cloned().collect()
    }

    /// The texts of the `_defaults.yaml` files.
    #[must_use]
    pub fn defaults_texts(&self) -> DefaultsTexts {
        let mut texts = DefaultsTexts::new();
        for root in &self.roots {
            for file in &root.files {
                if let Defined::Defaults(text) = &file.content {
                    texts.insert((root.path.clone(), file.path.clone()), text.clone());
                }
            }
        }
        texts
    }

    /// Every sage by name, also those that no file defines any more and a job still names.
    #[must_use]
    pub fn sages(&self) -> Sages {
        let files = || self.roots.iter().flat_map(|root| &root.files);
        let kept = files().flat_map(|file| &file.content.commons().kept_sages);
        let defined = files().flat_map(|file| &file.content.commons().sages);
        // Later ones stand before earlier ones of the same name.
        kept.chain(defined)
            .map(|one| (one.value.name.clone(), one.value.clone()))
            .collect()
    }

    /// The names of held jobs, ascending.
    #[must_use]
    pub fn held(&self) -> Vec<JobName> {
        let held = self.roots.iter().flat_map(|root| &root.held);
        let mut names: Vec<_> = held.map(|held| held.job.name().clone()).collect();
        names.sort();
        names
    }
}

impl RootInForce {
    fn job_count(&self) -> usize {
        self.defined() + self.held.len()
    }

    /// How many jobs its files define.
    fn defined(&self) -> usize {
        self.files
            .iter()
            .map(|file| file.content.jobs().len())
            .sum()
    }

    fn jobs(&self) -> impl Iterator<Item = &Job> {
        let defined = self.files.iter().flat_map(|file| file.content.jobs());
        defined.chain(self.held.iter().map(|held| &held.job))
    }
}

/// What one PATH says now.
#[derive(Clone, Debug)]
pub struct RootNow<'a> {
    /// The PATH.
    pub path: &'a Arc<str>,
    /// Whether it cannot be read at all: then it says nothing, and nothing of it goes.
    pub lost: bool,
    /// Its files, ascending by path.
    pub files: Vec<FileNow<'a>>,
}

/// What one file says now.
#[derive(Clone, Debug)]
pub struct FileNow<'a> {
    /// Below the PATH.
    pub path: &'a Arc<str>,
    /// As a person would name it.
    pub shown: &'a Arc<str>,
    /// Of its content.
    pub hash: &'a [u8; 32],
    /// What it defines; `None` when it is bad.
    pub content: Option<&'a Defined>,
}

/// What a merge is to go by.
#[derive(Clone, Debug)]
pub struct Rules {
    /// `--prune-limit`, in percent: more than this part of a PATH's jobs does not go at once.
    pub prune_limit: u8,
    /// Held jobs whose removal is confirmed. Names that are not held are not touched by it.
    pub confirmed: HashSet<JobName>,
    /// As many jobs as the tree may define.
    pub max_jobs: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            prune_limit: 50,
            confirmed: HashSet::new(),
            max_jobs: MAX_JOBS,
        }
    }
}

/// What is to be in force, and what stood in the way.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    /// To be in force from now on.
    pub in_force: InForce,
    /// Names that two places claim; each makes one file bad.
    pub conflicts: Vec<Conflict>,
    /// Files that were good by themselves and are refused, by root and place in what was given.
    pub refused: HashSet<(usize, usize)>,
    /// PATHs that are no longer named, with the jobs that go with them.
    pub let_go: Vec<(Arc<str>, Vec<JobName>)>,
}

/// Decides what is to be in force. `now` is in the order of the command line.
#[must_use]
pub fn merge(now: &[RootNow<'_>], before: &InForce, rules: &Rules) -> Merged {
    let paired = pair(now, before);
    let claims = Claims::settle(&paired.files, &paired.named, rules.max_jobs);
    let mut merged = Merged {
        in_force: paired.in_force(now, &claims),
        conflicts: claims.conflicts(),
        refused: claims.refused(),
        let_go: Vec::new(),
    };
    guard::hold_back(now, before, rules, &claims, &mut merged);
    merged
}

/// Each file beside what was in force of it before.
struct Paired<'a> {
    /// What was in force of PATHs that are still named.
    named: Vec<&'a RootInForce>,
    files: Vec<PairedFile<'a>>,
}

struct PairedFile<'a> {
    /// By root and place in what was given; of a lost root only the root means something.
    place: (usize, usize),
    /// What it says now; `None` in a lost root.
    now: Option<&'a FileNow<'a>>,
    last: Option<&'a FileInForce>,
}

impl<'a> PairedFile<'a> {
    /// What it says now, when it is good by itself.
    fn good(&self) -> Option<&'a Defined> {
        self.now.and_then(|now| now.content)
    }
}

fn pair<'a>(now: &'a [RootNow<'a>], before: &'a InForce) -> Paired<'a> {
    let known: HashMap<&str, &RootInForce> = before
        .roots
        .iter()
        .map(|root| (&*root.path, root))
        .collect();
    let mut files = Vec::new();
    for (index, root) in now.iter().enumerate() {
        let last = known.get(&**root.path).map_or(&[][..], |last| &last.files);
        if root.lost {
            files.extend(last.iter().map(|last| PairedFile {
                place: (index, 0),
                now: None,
                last: Some(last),
            }));
            continue;
        }
        let mut old = last.iter().peekable();
        for (place, file) in root.files.iter().enumerate() {
            while old.next_if(|old| *old.path < **file.path).is_some() {}
            files.push(PairedFile {
                place: (index, place),
                now: Some(file),
                last: old.next_if(|old| *old.path == **file.path),
            });
        }
    }
    let named = now.iter().filter_map(|root| known.get(&**root.path));
    Paired {
        named: named.copied().collect(),
        files,
    }
}

impl Paired<'_> {
    /// What the files come to, root by root, given which of them are refused.
    fn in_force(&self, now: &[RootNow<'_>], claims: &Claims<'_>) -> InForce {
        let root = |root: &RootNow<'_>| RootInForce {
            path: root.path.clone(),
            files: Vec::with_capacity(root.files.len()),
            held: Vec::new(),
        };
        let mut roots: Vec<RootInForce> = now.iter().map(root).collect();
        for (index, file) in self.files.iter().enumerate() {
            let in_force = match (file.now, file.good()) {
                (Some(now), Some(content)) if !claims.is_refused(index) => Some(FileInForce {
                    path: now.path.clone(),
                    hash: *now.hash,
                    content: content.clone(),
                }),
                _ => file.last.cloned(),
            };
            roots[file.place.0].files.extend(in_force);
        }
        InForce { roots }
    }
}

#[cfg(test)]
pub(crate) mod tests;
