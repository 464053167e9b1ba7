//! What is in force, read anew because what it depends on beside the files is
//! another, such as the rules of time zones; and which fires that moves.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::language::{Language, Refreshed};
use crate::decide::merge::{Defined, FileInForce, HeldJob, InForce, RootInForce};
use crate::ids::JobName;
use crate::model::{Commons, Event, Job, Observer};
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
    if let Some(read) = of_jobs(file.content.jobs(), language) {
        file.content = match file.content {
            Defined::Commons(_, commons) => Defined::Commons(read.into(), commons),
            _ => Defined::Jobs(read.into()),
        };
    }
    file
}

/// `None` when they are the same or cannot be read.
fn of_jobs(jobs: &[Job], language: &dyn Language) -> Option<Vec<Job>> {
    // The text of a job brings the calendars and the pool that it uses along.
    let (mut read, _) = language.read(&language.print(jobs, Commons::NONE)).ok()?;
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::language::DefaultsTexts;
    use super::*;
    use crate::decide::merge::HoldCause;
    use crate::decide::merge::tests::samples;
    use crate::spec::commons::{Said, Table};
    use crate::spec::{Checked, InputFile};

    /// `name seconds` a line; what is read has so many seconds more.
    struct Later(u64);

    impl Language for Later {
        fn said(&self, _: &InputFile) -> Said {
            Said::default()
        }

        fn check(&self, _: &[InputFile], _: &DefaultsTexts, _: &Table) -> Checked {
            Checked::default()
        }

        fn print(&self, jobs: &[Job], _: &Commons) -> String {
            let line = |job: &Job| {
                let text = &*job.definition.schedule_text;
                let seconds = text.trim_start_matches("every: ").trim_end_matches('s');
                format!("{} {seconds}\n", job.name())
            };
            jobs.iter().map(line).collect()
        }

        fn read(&self, text: &str) -> Result<(Vec<Job>, Commons), String> {
            let line = |line: &str| {
                let (name, seconds) = line.split_once(' ').ok_or("no job")?;
                let seconds: u64 = seconds.parse().map_err(|_| "no number")?;
                if name == "unreadable" {
                    return Err("of another version".to_owned());
                }
                // Every other job is of a zone whose rules are the same.
                let more = if name.starts_with("same") { 0 } else { self.0 };
                Ok(job(name, seconds + more))
            };
            let jobs: Result<_, String> = text.lines().map(line).collect();
            Ok((jobs?, Commons::default()))
        }

        fn refresh(&self) -> Option<Refreshed> {
            None
        }
    }

    fn job(name: &str, seconds: u64) -> Job {
        samples::job(name, seconds, "x", "a.yaml", 1)
    }

    fn file(path: &str, jobs: Vec<Job>) -> FileInForce {
        FileInForce {
            path: path.into(),
            hash: [0; 32],
            content: Defined::Jobs(jobs.into()),
        }
    }

    fn in_force(files: Vec<FileInForce>, held: Vec<Job>) -> Arc<InForce> {
        let cause = HoldCause::Guard;
        let held = held.into_iter().map(|job| HeldJob { job, cause });
        Arc::new(InForce {
            roots: vec![RootInForce {
                path: "jobs.d".into(),
                files,
                held: held.collect(),
            }],
        })
    }

    fn refreshed() -> Refreshed {
        Refreshed {
            version: "2999a".into(),
            source: "system".into(),
            text: "other rules".to_owned(),
        }
    }

    #[test]
    fn what_differs_is_read_anew_and_the_rest_stays_the_same_in_memory() {
        let from = in_force(
            vec![
                file("a.yaml", vec![job("moves", 10), job("same", 10)]),
                file("b.yaml", vec![job("same-too", 10)]),
                file("c.yaml", vec![job("unreadable", 10)]),
            ],
            vec![job("held", 10)],
        );
        let recast = Recast::new(from.clone(), refreshed(), &Later(5));
        let (old, new) = (&from.roots[0], &recast.to.roots[0]);
        let schedule = |job: &Job| job.definition.schedule_text.to_string();
        let jobs = new.files[0].content.jobs();
        assert_eq!(schedule(&jobs[0]), "every: 15s");
        let kept = &old.files[0].content.jobs()[1].definition;
        assert!(Arc::ptr_eq(&jobs[1].definition, kept));
        assert!(new.files[1].content.is_same(&old.files[1].content));
        assert!(
            new.files[2].content.is_same(&old.files[2].content),
            "as it was"
        );
        assert_eq!(schedule(&new.held[0].job), "every: 15s", "held jobs, too");
    }

    /// What is told.
    #[derive(Default)]
    struct Ear(Mutex<Vec<String>>);

    impl Observer for Ear {
        fn observe(&self, event: &Event<'_>) {
            let (Event::Tzdata { text, .. } | Event::Notice { text, .. }) = event else {
                return;
            };
            self.0.lock().unwrap().push((*text).to_owned());
        }
    }

    #[test]
    fn moved_fires_are_told_up_to_a_number_and_counted() {
        let jobs = |seconds| (0..25).map(move |number| job(&format!("job-{number}"), seconds));
        let from = in_force(vec![file("a.yaml", jobs(10).collect())], Vec::new());
        let recast = Recast::new(from, refreshed(), &Later(0));
        let now = "2027-01-01T00:00:00Z".parse().unwrap();
        let later: Vec<Job> = jobs(15).chain([job("new", 15)]).collect();
        let news = recast.news(&later, now);
        assert_eq!((news.jobs, news.moved.len()), (25, TOLD));
        let ear = Ear::default();
        news.tell(&ear);
        let told = ear.0.into_inner().unwrap();
        assert_eq!(told[0], "other rules; 25 jobs fire at other times");
        assert!(told[1].starts_with("job-0 ("), "{told:?}");
        let moved = "its fire of 2027-01-01T00:00:10Z is now 2027-01-01T00:00:15Z";
        assert!(told[1].ends_with(moved), "{told:?}");
        assert_eq!(told[1 + TOLD], "and 5 jobs more");
        assert_eq!(told.len(), 2 + TOLD);

        let none = recast.news(&jobs(10).collect::<Vec<_>>(), now);
        assert_eq!(
            none.jobs, 0,
            "of other rules that change nothing that is compared"
        );
    }

    #[test]
    fn a_fire_far_ahead_is_found_and_the_work_is_bounded() {
        let schedule = |seconds: u64| job("a", seconds).definition.schedule.clone();
        let now = "2027-01-01T00:00:00Z".parse().unwrap();
        let mut budget = COMPARED_IN_ALL;
        // The two meet each minute, and part after it.
        let found = first_moved(&schedule(60), &schedule(20), now, &mut budget).unwrap();
        assert_eq!(found.1, Some("2027-01-01T00:00:20Z".parse().unwrap()));
        assert_eq!(
            first_moved(&schedule(60), &schedule(60), now, &mut budget),
            None
        );
        assert_eq!(budget, COMPARED_IN_ALL - 1 - COMPARED);
        let mut spent = 0;
        assert!(first_moved(&schedule(60), &schedule(20), now, &mut spent).is_some());
        assert_eq!(
            first_moved(&schedule(60), &schedule(60), now, &mut spent),
            None
        );
    }
}
