//! What is in force, read anew because what it depends on beside the files is
//! another, such as the rules of time zones; and which fires that moves.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::language::{Language, Refreshed};
use crate::decide::merge::{Defined, FileInForce, HeldJob, InForce, RootInForce};
use crate::ids::JobName;
use crate::model::{Event, Job, Observer};
use crate::schedule::Schedule;

/// So many moved fires are told one by one.
const TOLD: usize = 20;

/// So many fires of a job are compared, so that a rule that changes in half a year is seen.
const COMPARED: usize = 400;

/// As many fires are compared in all; of the jobs beyond it only the next fire is.
const COMPARED_IN_ALL: usize = 2_000_000;

/// The set that was in force when something changed beside the files, before and after.
pub(super) struct Recast {
    pub(super) from: Arc<InForce>,
    pub(super) to: Arc<InForce>,
    pub(super) refreshed: Refreshed,
}

/// What is to be told once the change is in force.
pub(super) struct News {
    pub(super) refreshed: Refreshed,
    /// A sentence for each of the first fires that move.
    pub(super) moved: Vec<String>,
    /// How many jobs have one.
    pub(super) jobs: usize,
}

impl Recast {
    pub(super) fn new(from: Arc<InForce>, refreshed: Refreshed, language: &dyn Language) -> Self {
        let to = Arc::new(recast(&from, language));
        Self {
            from,
            to,
            refreshed,
        }
    }

    /// Which fires are others for the jobs that `rescheduled` names.
    pub(super) fn news(&self, rescheduled: &[Job], now: Timestamp) -> News {
        let old: HashMap<&JobName, &Job> = self.from.jobs().map(|job| (job.name(), job)).collect();
        let mut budget = COMPARED_IN_ALL;
        let mut news = News {
            refreshed: self.refreshed.clone(),
            moved: Vec::new(),
            jobs: 0,
        };
        for job in rescheduled {
            let Some(old) = old.get(job.name()) else {
                continue;
            };
            if !(old.definition.enabled && job.definition.enabled) {
                continue;
            }
            let (before, after) = (&old.definition.schedule, &job.definition.schedule);
            let Some((before, after)) = first_moved(before, after, now, &mut budget) else {
                continue;
            };
            news.jobs += 1;
            if news.moved.len() < TOLD {
                news.moved.push(format!(
                    "{} ({}): its fire of {} is now {}",
                    job.name(),
                    job.definition.timezone,
                    shown(before),
                    shown(after)
                ));
            }
        }
        news
    }
}

impl News {
    pub(super) fn tell(&self, observer: &dyn Observer) {
        let refreshed = &self.refreshed;
        let text = match self.jobs {
            0 => format!("{}; no fire moves", refreshed.text),
            1 => format!("{}; 1 job fires at other times", refreshed.text),
            jobs => format!("{}; {jobs} jobs fire at other times", refreshed.text),
        };
        observer.observe(&Event::Tzdata {
            version: &refreshed.version,
            source: &refreshed.source,
            text: &text,
        });
        let rest = self.jobs - self.moved.len();
        let rest = (rest > 0).then(|| format!("and {rest} jobs more"));
        for text in self.moved.iter().chain(&rest) {
            observer.observe(&Event::Notice {
                warning: false,
                text,
            });
        }
    }
}

fn shown(at: Option<Timestamp>) -> String {
    at.map_or("never".to_owned(), |at| at.to_string())
}

/// The first fire after `now` that is another, before and after.
fn first_moved(
    before: &Schedule,
    after: &Schedule,
    now: Timestamp,
    budget: &mut usize,
) -> Option<(Option<Timestamp>, Option<Timestamp>)> {
    let mut at = now;
    for _ in 0..COMPARED.min((*budget).max(1)) {
        *budget = budget.saturating_sub(1);
        let next = |schedule: &Schedule| schedule.next_after(at).map(|fire| fire.scheduled);
        match (next(before), next(after)) {
            (None, None) => return None,
            (Some(old), Some(new)) if old == new => at = new,
            differ => return Some(differ),
        }
    }
    None
}

/// The same definitions, read anew. One that is equal stays the very one in memory; one that
/// cannot be read any more stays as it was.
fn recast(in_force: &InForce, language: &dyn Language) -> InForce {
    let roots = in_force.roots.iter().map(|root| RootInForce {
        path: root.path.clone(),
        files: root
            .files
            .iter()
            .map(|file| of_file(file, language))
            .collect(),
        held: root
            .held
            .iter()
            .map(|held| HeldJob {
                job: of_jobs(std::slice::from_ref(&held.job), language)
                    .and_then(|jobs| jobs.into_iter().next())
                    .unwrap_or_else(|| held.job.clone()),
                cause: held.cause,
            })
            .collect(),
    });
    InForce {
        roots: roots.collect(),
    }
}

fn of_file(file: &FileInForce, language: &dyn Language) -> FileInForce {
    let mut file = file.clone();
    if let Defined::Jobs(jobs) = &file.content
        && let Some(read) = of_jobs(jobs, language)
    {
        file.content = Defined::Jobs(read.into());
    }
    file
}

/// `None` when they are the same or cannot be read.
fn of_jobs(jobs: &[Job], language: &dyn Language) -> Option<Vec<Job>> {
    let mut read = language.read(&language.print(jobs)).ok()?;
    let same_names = read.len() == jobs.len()
        && read
            .iter()
            .zip(jobs)
            .all(|(new, old)| new.name() == old.name());
    if !same_names {
        return None;
    }
    let mut differs = false;
    for (new, old) in read.iter_mut().zip(jobs) {
        if new.definition == old.definition {
            *new = old.clone();
        } else {
            differs = true;
        }
    }
    differs.then_some(read)
}
