//! One reload, from the look to the engine.
//!
//! The order keeps every promise through a crash at any point:
//!
//! 1. New names are recorded as seen. If the store does not take that, nothing
//!    is put in force.
//! 2. The engine settles what was due by the old schedules and puts the change
//!    in force; then it says when what it settled is in the store.
//! 3. The rows of files, the marks of rescheduled jobs and the names that are
//!    gone are recorded, in one transaction.
//!
//! A crash before 3 is as if the files had changed a moment later: the next
//! start begins with the old set and decides by the old schedules. Were 3 before
//! the end of 2, a mark would stand in the way of fires that are due and not yet
//! recorded, and they would be lost. What 3 could not record is recorded before
//! anything else is put in force.

mod past;
mod record;
mod rename;

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::editions::FEW;
use super::eye::{Anew, Ask, Eye, Looked, Plan, Seen};
use super::frozen::Frozen;
use super::handle::Pass;
use super::ledger;
use super::marks::{seen, unmarked};
use super::status::{Carried, Facts, names};
use super::{BootError, Options, Parts};
use crate::decide::Edition;
use crate::decide::diff::Diff;
use crate::decide::merge::{InForce, Rules};
use crate::engine::{ApplyAnswer, Change, NotApplied};
use crate::ids::JobName;
use crate::model::{Event, Job, Pool, ReloadReport, ReloadTrigger, Sages};
use crate::source::{Look, Watching};
use crate::store::{Recalled, StoreError, Write};

/// What is in force, and everything that changes it.
pub(super) struct Reloader {
    pub(super) parts: Parts,
    options: Options,
    /// `None` only while it looks, or after a look that did not come back.
    eye: Option<Eye>,
    pub(super) in_force: Arc<InForce>,
    held: Vec<JobName>,
    pools: Vec<Arc<Pool>>,
    pub(super) seen: Arc<Seen>,
    pub(super) watching: Watching,
    /// What the store has of it: all, but for a time when it does not record.
    recorded: Arc<InForce>,
    /// Marks and ends of jobs that the store does not have yet.
    unmarked: Vec<Write>,
    /// Editions of definitions that it does not have yet.
    unedited: Vec<Write>,
    /// The newest editions of jobs whose last edit was in no commit.
    uncommitted: HashMap<JobName, Edition>,
    /// Whether the store may not have heard yet of names that the engine has.
    is_renaming: bool,
    /// Names that the store may have seen although they never were in force.
    seen_only: HashSet<JobName>,
    /// Why what the files say is not in force, or not recorded.
    pub(super) out_of_sync: Option<String>,
    applied_at: Option<Timestamp>,
    /// The revision that was last looked at, and the one that runs carry.
    pub(super) revision: Option<Arc<str>>,
    applied_revision: Option<Arc<str>>,
    /// Who made these two.
    author: Option<Arc<str>>,
    applied_author: Option<Arc<str>>,
    jobs: usize,
    /// Which PATHs were last said to be lost.
    lost: Vec<Arc<str>>,
    /// What the last report was about.
    told: Arc<Seen>,
    /// When changes wait, and whether one does.
    pub(super) frozen: Frozen,
}

/// What a reload is asked to do.
pub(super) struct Request {
    pub(super) trigger: ReloadTrigger,
    pub(super) look: Look,
    /// Held names whose removal is confirmed.
    pub(super) confirmed: Vec<JobName>,
    /// Whether a freeze holds it.
    pub(super) pass: Pass,
}

impl Reloader {
    pub(super) fn new(parts: Parts, options: Options, eye: Eye) -> Self {
        Self {
            parts,
            options,
            eye: Some(eye),
            in_force: Arc::new(InForce::default()),
            held: Vec::new(),
            pools: Vec::new(),
            seen: Arc::new(Seen::default()),
            watching: Watching::Events,
            recorded: Arc::new(InForce::default()),
            unmarked: Vec::new(),
            unedited: Vec::new(),
            uncommitted: HashMap::new(),
            is_renaming: false,
            seen_only: HashSet::new(),
            out_of_sync: None,
            applied_at: None,
            revision: None,
            applied_revision: None,
            author: None,
            applied_author: None,
            jobs: 0,
            lost: Vec::new(),
            told: Arc::default(),
            frozen: Frozen::default(),
        }
    }

    /// Names whose removal waits for a confirmation.
    pub(super) fn held(&self) -> &[JobName] {
        &self.held
    }

    /// The first sync: from what the store last applied to what the files say.
    pub(super) async fn boot(&mut self, mut recalled: Recalled) -> Result<ReloadReport, BootError> {
        let begun = self.parts.clock.monotonic();
        let language = self.parts.language.clone();
        let files = std::mem::take(&mut recalled.files);
        let read = tokio::task::spawn_blocking(move || ledger::recall(files, &*language));
        let (in_force, problems) = read
            .await
            .map_err(|_| BootError::Broken("what was last applied could not be read".to_owned()))?;
        for problem in &problems {
            self.notice(problem);
        }
        self.in_force = Arc::new(in_force);
        self.recorded = self.in_force.clone();
        self.held = self.in_force.held();
        let request = Request {
            trigger: ReloadTrigger::Start,
            look: Look::Changes,
            confirmed: Vec::new(),
            pass: Pass::Windows,
        };
        let looked = self.look(&request).await.map_err(BootError::Broken)?;
        let plan = self.take_in(looked);
        self.refuse_to_start()?;
        let Some(plan) = plan else {
            return Err(BootError::Broken("the first look gave no plan".to_owned()));
        };
        let had_jobs = self.in_force.jobs().next().is_some();
        // A store that never had anything in force has nothing that could go on instead, and of what
        // cannot be read back nothing would.
        let is_fresh = self.in_force.roots.is_empty() || !problems.is_empty();
        let held = self.holds(&plan, &request, is_fresh);
        // Of the last set it is not known any more which revision it was.
        let (revision, author) = match held {
            Some(_) => (self.revision.take(), self.author.take()),
            None => (self.revision.clone(), self.author.clone()),
        };
        let without_edition = std::mem::take(&mut recalled.without_edition);
        self.give_back(recalled).await?;
        let carried = match held {
            None => self.carry_out(plan, First::Yes).await?,
            Some(held) => {
                let last = Plan::of(&self.in_force);
                self.carry_out(last, First::Yes).await?;
                held
            }
        };
        (self.revision, self.author) = (revision, author);
        if had_jobs {
            self.know_definitions(without_edition);
        }
        self.tell_lost_sources();
        Ok(self.finish(&carried, request.trigger, begun))
    }

    /// One reload. An error says why what the files say is not in force; it is tried again.
    pub(super) async fn reload(&mut self, request: Request) -> Result<ReloadReport, String> {
        let begun = self.parts.clock.monotonic();
        let done = self.try_reload(&request).await;
        self.tell_lost_sources();
        match done {
            Ok(carried) => Ok(self.finish(&carried, request.trigger, begun)),
            Err(why) => {
                if self.out_of_sync.as_ref() != Some(&why) {
                    self.notice(&format!("the files are not in force: {why}"));
                }
                self.out_of_sync = Some(why.clone());
                self.publish();
                Err(why)
            }
        }
    }

    async fn try_reload(&mut self, request: &Request) -> Result<Carried, String> {
        self.record_the_rest().await?;
        let looked = self.look(request).await?;
        let mut plan = self.take_in(looked);
        if plan.is_none() && self.frozen.is_thawed() {
            // What waited may come in now, although no file is another.
            let looked = self.look(request).await?;
            plan = self.take_in(looked);
        }
        let Some(plan) = plan else {
            return Ok(Carried::default());
        };
        if let Some(held) = self.holds(&plan, request, false) {
            return Ok(held);
        }
        let carried = self.carry_out(plan, First::No).await;
        let carried = carried.map_err(|failed| failed.to_string())?;
        self.frozen.confirmed = None;
        Ok(carried)
    }

    /// Looks and plans on a thread that may block. A panic there is this reload's end, not elder's.
    async fn look(&mut self, request: &Request) -> Result<Looked, String> {
        const BROKEN: &str = "looking at the job files went wrong inside elder; this is a bug";
        let Some(mut eye) = self.eye.take() else {
            return Err(BROKEN.to_owned());
        };
        let is_retry = self.out_of_sync.is_some() || self.applied_at.is_none();
        let ask = Ask {
            now: self.parts.clock.now(),
            look: request.look,
            in_force: self.in_force.clone(),
            rules: Rules {
                prune_limit: self.options.prune_limit,
                confirmed: self.confirmed(request).into_iter().collect(),
                ..Rules::default()
            },
            uncommitted: self
                .uncommitted
                .iter()
                .map(|(job, edition)| (job.clone(), edition.edit.revision.clone()))
                .collect(),
            anew: if is_retry || !request.confirmed.is_empty() || self.wants_anew(request) {
                Anew::Always
            } else {
                Anew::IfChanged
            },
        };
        let work = tokio::task::spawn_blocking(move || {
            let looked = std::panic::catch_unwind(AssertUnwindSafe(|| eye.look(&ask)));
            if looked.is_err() {
                // Half of it may be done: the next look begins from nothing.
                eye.forget();
            }
            (eye, looked.ok())
        });
        let (eye, looked) = work.await.map_err(|_| BROKEN.to_owned())?;
        self.eye = Some(eye);
        looked.ok_or_else(|| BROKEN.to_owned())
    }

    /// Why the daemon is not to start with these files.
    fn refuse_to_start(&self) -> Result<(), BootError> {
        if self.options.strict && self.seen.bad > 0 {
            return Err(BootError::Strict {
                bad: self.seen.bad,
                findings: self.seen.findings.clone(),
            });
        }
        let unknown = self.seen.empty.iter().filter(|root| !root.is_known);
        for root in unknown {
            let path = root.path.to_string();
            match &root.lost {
                Some(reason) => {
                    let reason = reason.clone();
                    return Err(BootError::NeverLoaded { path, reason });
                }
                None if !self.options.allow_empty && !self.options.default_path => {
                    return Err(BootError::Empty { path });
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Puts a plan in force, in the order that the module's page gives.
    async fn carry_out(&mut self, plan: Plan, first: First) -> Result<Carried, Failed> {
        let mut renamed = 0;
        if let Some(renaming) = plan.renaming {
            renamed = renaming.renamed.len();
            self.rename(renaming).await?;
        }
        let diff = plan.diff;
        let sages = Arc::new(plan.in_force.sages());
        let moved = self.revision != self.applied_revision;
        let has_other_names =
            plan.held != self.held || plan.pools != self.pools || *sages != self.in_force.sages();
        let differs = !diff.is_empty() || has_other_names || moved || renamed > 0;
        let mut carried = Carried::of(&diff, differs);
        carried.renamed = renamed;
        let at = self.parts.clock.now();
        let mut open = Vec::new();
        let mut gone = diff.removed.clone();
        let kept: Vec<Write> = diff.kept.iter().map(|job| seen(job, at)).collect();
        let named = |jobs: &[Job]| jobs.iter().map(|job| job.name().clone()).collect();
        let (rescheduled, added): (Vec<_>, Vec<_>) = (named(&diff.rescheduled), named(&diff.added));
        let mut unedited = Vec::new();
        if differs || first == First::Yes {
            let uncommitted = self.uncommitted.clone();
            let editions = self.editions(&plan.turned, &plan.committed, at, &mut unedited);
            let many = (diff.added.len() > FEW).then(|| diff.added.clone());
            let terms = (&*plan.pools, &sages);
            let answer = self
                .put_in_force(diff, &plan.held, terms, editions, at, first)
                .await;
            let answer = answer.inspect_err(|_| {
                // Perhaps they are seen already, and the files say something else the next time.
                self.seen_only.extend(added.iter().cloned());
                self.uncommitted = uncommitted;
            })?;
            self.jobs = answer.jobs;
            carried.will_not_fire_today = answer.will_not_fire_today;
            open = answer.open;
            self.applied_at = Some(at);
            self.applied_revision = self.revision.clone();
            self.applied_author = self.author.clone();
            self.parts.sages.replace(sages);
            if let Some(many) = many {
                self.record_later(many, at);
            }
        }
        for name in &added {
            self.seen_only.remove(name);
        }
        gone.extend(self.seen_only.drain());
        self.in_force = plan.in_force;
        self.held = plan.held;
        self.pools = plan.pools;
        for (path, gone) in plan.let_go.iter().filter(|(_, gone)| !gone.is_empty()) {
            let names = names(gone);
            self.notice(&format!(
                "{path} is no longer named, so its jobs go: {names}"
            ));
        }
        if let Some(news) = &plan.news {
            news.tell(&*self.parts.observer);
        }
        self.out_of_sync = None;
        self.unmarked = unmarked(&rescheduled, gone, at, &open);
        self.unmarked.extend(kept);
        self.unedited = unedited;
        if let Err(error) = self.record(plan.rows).await {
            let why = format!("it is in force and not yet recorded: {error}");
            self.notice(&why);
            self.out_of_sync = Some(why);
        }
        Ok(carried)
    }

    async fn put_in_force(
        &self,
        diff: Diff,
        held: &[JobName],
        (pools, sages): (&[Arc<Pool>], &Arc<Sages>),
        mut editions: HashMap<JobName, Vec<Edition>>,
        at: Timestamp,
        first: First,
    ) -> Result<ApplyAnswer, Failed> {
        let (marks, pauses) = self.see(&diff.added, at).await?;
        self.with_those_of_before(&mut editions, &diff.added, &marks)
            .await?;
        let mut changed = diff.rescheduled;
        changed.extend(diff.changed);
        changed.extend(diff.moved);
        let change = Change {
            at,
            added: diff.added.into_iter().zip(marks).collect(),
            pauses,
            changed,
            editions,
            author: self.author.clone(),
            removed: diff.removed,
            held: held.to_vec(),
            sages: Some(sages.clone()),
            pools: pools.to_vec(),
            revision: self.revision.clone(),
            first: first == First::Yes,
            ..Change::default()
        };
        Ok(self.parts.engine.apply(change).await?)
    }

    /// Takes over what a look saw; what is left is what would follow.
    fn take_in(&mut self, looked: Looked) -> Option<Plan> {
        self.seen = looked.seen;
        self.revision = looked.revision;
        self.author = looked.author;
        self.heed(looked.watching);
        self.frozen.look(looked.windows, self.parts.clock.now());
        looked.plan
    }

    fn heed(&mut self, watching: Watching) {
        if let (Watching::Polling(why), true) = (&watching, watching != self.watching) {
            self.notice(why);
        }
        self.watching = watching;
    }

    fn tell_lost_sources(&mut self) {
        let observer = &self.parts.observer;
        let mut lost = Vec::new();
        for source in &self.seen.sources {
            let path = &*source.path;
            let was = self.lost.iter().any(|lost| **lost == *path);
            if let Some(reason) = source.lost.as_deref() {
                lost.push(source.path.clone());
                if !was {
                    let reason = Some(reason);
                    observer.observe(&Event::SourceState { path, reason });
                }
            } else if was {
                observer.observe(&Event::SourceState { path, reason: None });
            }
        }
        self.lost = lost;
    }

    fn finish(
        &mut self,
        carried: &Carried,
        trigger: ReloadTrigger,
        begun: Duration,
    ) -> ReloadReport {
        let now = self.parts.clock.now();
        let took = self.parts.clock.monotonic().saturating_sub(begun);
        let report = self.facts().report(carried, trigger, now, took, self.jobs);
        self.told = self.seen.clone();
        self.publish();
        self.parts.observer.observe(&Event::Reloaded(&report));
        report
    }

    fn publish(&self) {
        let status = self.facts().status(self.parts.clock.now());
        self.parts.status.send_replace(Arc::new(status));
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            seen: &self.seen,
            in_force: &self.in_force,
            held: &self.held,
            revision: self.applied_revision.clone(),
            author: self.applied_author.clone(),
            applied_at: self.applied_at,
            out_of_sync: self.out_of_sync.as_deref(),
            told: &self.told,
            frozen: &self.frozen,
        }
    }

    fn notice(&self, text: &str) {
        let warning = true;
        self.parts
            .observer
            .observe(&Event::Notice { warning, text });
    }
}

/// Whether a change is the first after a start.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    Yes,
    No,
}

/// Why a plan was not put in force, or not recorded.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Engine(#[from] NotApplied),
}

impl From<Failed> for BootError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Store(error) => Self::Store(error),
            Failed::Engine(NotApplied::Store(error)) => Self::Store(StoreError::Unavailable(error)),
            Failed::Engine(NotApplied::Stopped) => Self::Stopped,
        }
    }
}
