//! One job's rows in memory, by key, time and class.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use crate::decide::Edition;
use crate::ids::RunId;
use crate::model::{History, Run};
use crate::store::Mark;
use crate::store::rules::{self, Class};

/// The place of a row in time.
pub(super) type Place = (Timestamp, RunId);

/// What is remembered of a job.
pub(super) struct JobRows {
    pub(super) mark: Mark,
    /// How much of its past is kept, where it says so.
    pub(super) history: Option<History>,
    fires: HashMap<Timestamp, RunId>,
    pub(super) requests: HashMap<Arc<str>, RunId>,
    /// Every row, by time.
    pub(super) order: BTreeSet<Place>,
    /// Ended rows by class, by time.
    pub(super) started: BTreeSet<Place>,
    pub(super) quiet: BTreeSet<Place>,
    /// The oldest first.
    pub(super) editions: Vec<Edition>,
}

impl JobRows {
    pub(super) fn new(at: Timestamp) -> Self {
        Self {
            mark: Mark::first_sight(at),
            history: None,
            fires: HashMap::new(),
            requests: HashMap::new(),
            order: BTreeSet::new(),
            started: BTreeSet::new(),
            quiet: BTreeSet::new(),
            editions: Vec::new(),
        }
    }

    pub(super) fn is_bare(&self) -> bool {
        self.order.is_empty()
    }

    /// The row that has the key of `run`.
    pub(super) fn same_key(&self, run: &Run) -> Option<RunId> {
        let found = match &run.request {
            Some(request) => self.requests.get(request),
            None => self.fires.get(&run.scheduled_at),
        };
        found.copied()
    }

    pub(super) fn insert(&mut self, run: &Run) {
        match &run.request {
            Some(request) => self.requests.insert(Arc::clone(request), run.id),
            None => self.fires.insert(run.scheduled_at, run.id),
        };
        self.order.insert((run.scheduled_at, run.id));
        self.count(run);
    }

    pub(super) fn remove(&mut self, run: &Run) {
        match &run.request {
            Some(request) => self.requests.remove(request),
            None => self.fires.remove(&run.scheduled_at),
        };
        self.order.remove(&(run.scheduled_at, run.id));
        self.uncount(run);
    }

    /// A row gives its key up.
    pub(super) fn stand_beside(&mut self, run: &mut Run) {
        self.remove(run);
        run.request = Some(rules::beside(run.id));
        self.insert(run);
    }

    pub(super) fn count(&mut self, run: &Run) {
        if let Some(rows) = self.of_class(rules::class(run)) {
            rows.insert((run.scheduled_at, run.id));
        }
    }

    pub(super) fn uncount(&mut self, run: &Run) {
        if let Some(rows) = self.of_class(rules::class(run)) {
            rows.remove(&(run.scheduled_at, run.id));
        }
    }

    fn of_class(&mut self, class: Option<Class>) -> Option<&mut BTreeSet<Place>> {
        class.map(|class| match class {
            Class::Started => &mut self.started,
            Class::Quiet => &mut self.quiet,
        })
    }
}
