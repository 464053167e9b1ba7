//! Places for attempts: so many processes and so many requests at once, and so many attempts of
//! each named pool.
//!
//! An attempt needs a place of both sorts. Who has none waits in the line of its pool, in the order
//! of instants; whoever could start in one pool is never kept waiting by a pool that is full, and
//! a process that waits for its turn keeps no request waiting.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::Settings;
use super::active::Active;
use crate::ids::{PoolName, RunId};
use crate::model::{Action, Pool};

/// What an attempt is, for the bound on all of its kind.
struct Kind {
    limit: u32,
    in_use: u32,
}

/// Processes and requests.
const KINDS: usize = 2;

/// The number of the pool of jobs that name none.
const DEFAULT: usize = 0;

/// Who waits, by instant.
type Waiting = BTreeSet<(Timestamp, RunId)>;

/// A pool and who waits in it.
struct Line {
    name: Arc<str>,
    limit: u32,
    in_use: u32,
    /// By kind.
    waiting: [Waiting; KINDS],
    /// The first of each kind, as far as the pool has a place: what `ready` has of it.
    ready: [Option<(Timestamp, RunId)>; KINDS],
    /// Whether a file or a job names it still.
    is_known: bool,
    /// The length that was last told.
    told: Option<u64>,
}

/// Who may start, and who waits for what.
pub(super) struct Places {
    kinds: [Kind; KINDS],
    lines: Vec<Line>,
    numbers: HashMap<PoolName, usize>,
    /// Numbers of pools that are no more.
    free: Vec<usize>,
    /// By kind, the first of every line whose pool has a place.
    ready: [BTreeSet<(Timestamp, RunId, usize)>; KINDS],
    /// Lines that may be longer or shorter than was told.
    touched: BTreeSet<usize>,
}

/// Something to tell of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// So many wait in it.
    Length(Arc<str>, u64),
    /// It is no more.
    Gone(Arc<str>),
}

/// Something that has no place.
pub(super) struct Full<'a> {
    /// The pool; `None` for all processes or requests.
    pool: Option<&'a str>,
    kind: usize,
    pub(super) limit: u32,
    /// How many wait in the same line.
    pub(super) waiting: u64,
}

impl Full<'_> {
    /// Places of what, after a number.
    pub(super) fn of(&self) -> String {
        match (self.pool, self.kind) {
            (Some(name), _) => format!("of the pool {name}"),
            (None, 0) => "processes (--max-workers)".to_owned(),
            (None, _) => "requests (--max-requests)".to_owned(),
        }
    }

    /// Why a fire did not run.
    pub(super) fn why(&self) -> Arc<str> {
        match self.pool {
            Some(name) => format!("the pool {name} was full (limit {})", self.limit).into(),
            None => format!("all {} {} were taken", self.limit, self.of()).into(),
        }
    }
}

impl Line {
    fn new(name: Arc<str>, limit: u32) -> Self {
        Self {
            name,
            limit,
            in_use: 0,
            waiting: [Waiting::new(), Waiting::new()],
            ready: [None; KINDS],
            is_known: false,
            told: None,
        }
    }

    fn has_place(&self) -> bool {
        self.in_use < self.limit
    }

    fn length(&self) -> u64 {
        self.waiting.iter().map(|of| of.len() as u64).sum()
    }
}

impl Places {
    /// How many entries it has in all.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        let waiting = self.lines.iter().flat_map(|line| &line.waiting);
        let ready = self.ready.iter().map(BTreeSet::len).sum::<usize>();
        let lists = self.lines.len() + self.numbers.len() + self.free.len() + self.touched.len();
        lists + ready + waiting.map(BTreeSet::len).sum::<usize>()
    }

    pub(super) fn new(settings: Settings) -> Self {
        let kind = |limit: u32| Kind {
            limit: limit.max(1),
            in_use: 0,
        };
        let mut default = Line::new(Pool::DEFAULT.into(), u32::MAX);
        default.is_known = true;
        Self {
            kinds: [kind(settings.max_workers), kind(settings.max_requests)],
            lines: vec![default],
            numbers: HashMap::new(),
            free: Vec::new(),
            ready: [BTreeSet::new(), BTreeSet::new()],
            touched: BTreeSet::from([DEFAULT]),
        }
    }

    /// These pools exist from now on, with these limits. One that is no more and in use goes when
    /// the last of its runs does.
    pub(super) fn set_pools(&mut self, pools: &[Arc<Pool>]) {
        for line in self.lines.iter_mut().skip(DEFAULT + 1) {
            line.is_known = false;
        }
        for pool in pools {
            let at = self.line(pool);
            self.lines[at].is_known = true;
            self.lines[at].limit = pool.limit.max(1);
            self.refresh(at);
        }
        self.touched.extend(self.numbers.values());
    }

    /// The number of a pool; one that nobody spoke of has the limit that its job brings.
    fn line(&mut self, pool: &Pool) -> usize {
        if let Some(at) = self.numbers.get(pool.name.as_str()) {
            return *at;
        }
        let line = Line::new(pool.name.as_str().into(), pool.limit.max(1));
        let at = match self.free.pop() {
            Some(at) => {
                self.lines[at] = line;
                at
            }
            None => {
                self.lines.push(line);
                self.lines.len() - 1
            }
        };
        self.numbers.insert(pool.name.clone(), at);
        at
    }

    fn line_of(&mut self, active: &Active) -> usize {
        match &active.job.definition.policy.pool {
            Some(pool) => self.line(pool),
            None => DEFAULT,
        }
    }

    /// Puts a run into its line.
    pub(super) fn wait(&mut self, active: &Active) {
        let at = self.line_of(active);
        self.lines[at].waiting[kind_of(active)].insert(place_of(active));
        self.refresh(at);
    }

    /// Takes a run out of its line, if it is in it.
    pub(super) fn leave(&mut self, active: &Active) {
        let at = self.line_of(active);
        self.lines[at].waiting[kind_of(active)].remove(&place_of(active));
        self.refresh(at);
    }

    /// The run that is to start next, out of its line; `None` when nobody waits who could.
    pub(super) fn next(&mut self) -> Option<RunId> {
        let first = |kind: usize| {
            let has_place = self.kinds[kind].in_use < self.kinds[kind].limit;
            let first = self.ready[kind].first().filter(|_| has_place)?;
            Some((*first, kind))
        };
        let ((instant, id, at), kind) = (0..KINDS).filter_map(first).min()?;
        self.lines[at].waiting[kind].remove(&(instant, id));
        self.refresh(at);
        Some(id)
    }

    /// An attempt takes its places.
    pub(super) fn take(&mut self, active: &Active) {
        let at = self.line_of(active);
        self.kinds[kind_of(active)].in_use += 1;
        self.lines[at].in_use += 1;
        self.refresh(at);
    }

    /// An attempt gives its places back.
    pub(super) fn give_back(&mut self, active: &Active) {
        let at = self.line_of(active);
        self.kinds[kind_of(active)].in_use -= 1;
        self.lines[at].in_use -= 1;
        self.refresh(at);
    }

    /// Whether there is a place of both sorts.
    pub(super) fn has_place(&self, active: &Active) -> bool {
        let kind = &self.kinds[kind_of(active)];
        let pool = active.job.definition.policy.pool.as_ref();
        let line = pool.and_then(|pool| self.numbers.get(pool.name.as_str()));
        let is_open = line.is_none_or(|at| self.lines[*at].has_place());
        kind.in_use < kind.limit && is_open
    }

    /// What it is that has no place for this run: its pool, where that is full, else all of its kind.
    pub(super) fn full(&self, active: &Active) -> Full<'_> {
        let pool = active.job.definition.policy.pool.as_ref();
        let at = pool.and_then(|pool| self.numbers.get(pool.name.as_str()));
        let line = &self.lines[at.copied().unwrap_or(DEFAULT)];
        let kind = kind_of(active);
        let is_pool = !line.has_place();
        Full {
            pool: is_pool.then_some(&*line.name),
            kind,
            limit: if is_pool {
                line.limit
            } else {
                self.kinds[kind].limit
            },
            waiting: line.length(),
        }
    }

    /// Attempts under way.
    pub(super) fn in_use(&self) -> u64 {
        self.kinds.iter().map(|kind| u64::from(kind.in_use)).sum()
    }

    /// Runs that wait.
    pub(super) fn waiting(&self) -> u64 {
        self.lines.iter().map(Line::length).sum()
    }

    /// What became other since it was told.
    pub(super) fn news(&mut self) -> Vec<News> {
        let mut news = Vec::new();
        for at in std::mem::take(&mut self.touched) {
            let line = &mut self.lines[at];
            let length = line.length();
            if !line.is_known && line.in_use == 0 && length == 0 {
                self.numbers.remove(&*line.name);
                self.free.push(at);
                if line.told.take().is_some() {
                    news.push(News::Gone(line.name.clone()));
                }
            } else if line.told != Some(length) {
                line.told = Some(length);
                news.push(News::Length(line.name.clone(), length));
            }
        }
        news
    }

    /// Brings `ready` up to what the line is now.
    fn refresh(&mut self, at: usize) {
        let line = &mut self.lines[at];
        let has_place = line.has_place();
        for (kind, waiting) in line.waiting.iter().enumerate() {
            let first = waiting.first().copied().filter(|_| has_place);
            let known = std::mem::replace(&mut line.ready[kind], first);
            if first == known {
                continue;
            }
            if let Some((instant, id)) = known {
                self.ready[kind].remove(&(instant, id, at));
            }
            if let Some((instant, id)) = first {
                self.ready[kind].insert((instant, id, at));
            }
        }
        self.touched.insert(at);
    }

    /// How many attempts of a pool are under way, and how many may be.
    #[cfg(test)]
    pub(super) fn of_pool(&self, name: &str) -> Option<(u32, u32)> {
        let at = match name {
            Pool::DEFAULT => DEFAULT,
            name => *self.numbers.get(name)?,
        };
        Some((self.lines[at].in_use, self.lines[at].limit))
    }
}

fn kind_of(active: &Active) -> usize {
    match active.job.definition.action {
        Action::Process(_) => 0,
        Action::Http(_) => 1,
    }
}

fn place_of(active: &Active) -> (Timestamp, RunId) {
    (active.run.scheduled_at, active.run.id)
}
