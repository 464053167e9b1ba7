//! How far the bounds on what runs at once were used: processes, requests, and each named pool.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::outcome::PoolUse;
use crate::engine::Settings;
use crate::ids::{JobName, PoolName};
use crate::model::{Action, Job, Pool};

/// All bounds: first processes and requests, then the pools by name.
pub(super) struct Bounds {
    uses: Vec<PoolUse>,
    numbers: HashMap<PoolName, usize>,
    /// Until when each was last full.
    full_until: Vec<Option<Timestamp>>,
}

/// The places that a run has.
#[derive(Clone, Copy)]
pub(super) struct Taken {
    kind: usize,
    pool: Option<usize>,
}

impl Bounds {
    pub(super) fn new(settings: Settings, pools: &[Arc<Pool>]) -> Self {
        let bound = |name: &str, places, is_named| PoolUse {
            name: name.into(),
            is_named,
            places,
            peak: 0,
            peak_at: None,
            waited: 0,
            longest: None,
            in_use: 0,
        };
        let mut uses = vec![
            bound("processes", settings.max_workers, false),
            bound("requests", settings.max_requests, false),
        ];
        let mut numbers = HashMap::new();
        for pool in pools {
            numbers.insert(pool.name.clone(), uses.len());
            uses.push(bound(pool.name.as_str(), pool.limit, true));
        }
        Self {
            full_until: vec![None; uses.len()],
            uses,
            numbers,
        }
    }

    /// The pools that these jobs name, ascending.
    pub(super) fn pools(jobs: &[Job]) -> Vec<Arc<Pool>> {
        let pools = jobs
            .iter()
            .filter_map(|job| job.definition.policy.pool.as_ref());
        let mut pools: Vec<_> = pools.cloned().collect();
        pools.sort_by(|a, b| a.name.cmp(&b.name));
        pools.dedup_by(|a, b| a.name == b.name);
        pools
    }

    /// A run of this job begins.
    pub(super) fn take(&mut self, job: &Job, at: Timestamp) -> Taken {
        let pool = job.definition.policy.pool.as_ref();
        let taken = Taken {
            kind: match job.definition.action {
                Action::Process(_) => 0,
                Action::Http(_) => 1,
            },
            pool: pool.and_then(|pool| self.numbers.get(pool.name.as_str()).copied()),
        };
        for bound in taken.all() {
            let used = &mut self.uses[bound];
            used.in_use += 1;
            if used.in_use > used.peak {
                used.peak = used.in_use;
                used.peak_at = Some(at);
            }
        }
        taken
    }

    /// A run is over.
    pub(super) fn give_back(&mut self, taken: Taken, at: Timestamp) {
        for bound in taken.all() {
            let used = &mut self.uses[bound];
            if used.in_use >= u64::from(used.places) {
                self.full_until[bound] = Some(at);
            }
            used.in_use -= 1;
        }
    }

    /// A run that began now waited so long: for its pool, if that was full meanwhile, else for the
    /// bound on all of its kind.
    pub(super) fn waited(
        &mut self,
        taken: Taken,
        wait: Duration,
        who: (&JobName, Timestamp),
        now: Timestamp,
    ) {
        let since = now.saturating_sub(wait).unwrap_or(Timestamp::MIN);
        let was_full = |bound: &usize| self.full_until[*bound].is_some_and(|until| until >= since);
        let bound = taken.pool.filter(was_full).unwrap_or(taken.kind);
        let used = &mut self.uses[bound];
        used.waited += 1;
        let longest = used.longest.as_ref();
        if longest.is_none_or(|(longest, ..)| wait > *longest) {
            used.longest = Some((wait, who.0.clone(), who.1));
        }
    }

    pub(super) fn into_uses(self) -> Vec<PoolUse> {
        self.uses
    }
}

impl Taken {
    fn all(self) -> impl Iterator<Item = usize> {
        [Some(self.kind), self.pool].into_iter().flatten()
    }
}
