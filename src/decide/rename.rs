//! Which jobs go on under another name, by their `aliases`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::merge::{Defined, HeldJob, InForce};
use crate::ids::JobName;
use crate::model::{Definition, Job};

/// Jobs that take other names.
#[derive(Clone, Debug)]
pub struct Renames {
    /// From which name to which: of jobs that are in force, and of names that only the past may know.
    pub moves: Vec<(JobName, JobName)>,
    /// Those of jobs that are in force.
    pub renamed: Vec<(JobName, JobName)>,
    /// What was in force, under the new names and the same in all else.
    pub in_force: InForce,
}

/// What `aliases` make of the way from `before` to `after`; `None` when they say nothing new.
#[must_use]
pub fn renames(before: &InForce, after: &InForce) -> Option<Renames> {
    let mut claiming = after.jobs().filter(|job| has_aliases(job)).peekable();
    claiming.peek()?;
    let known: HashMap<&JobName, &Job> = before.jobs().map(|job| (job.name(), job)).collect();
    let stays: HashSet<&JobName> = after.jobs().map(Job::name).collect();
    let mut moves = Vec::new();
    let mut renamed: Vec<(JobName, &Job)> = Vec::new();
    for job in claiming {
        let own = known.get(job.name());
        if own.is_some_and(|own| own.definition.aliases == job.definition.aliases) {
            continue;
        }
        let mut is_new = own.is_none();
        for alias in job.definition.aliases.iter() {
            let was = known.contains_key(alias);
            // Of two jobs that are there the one is not the other.
            if stays.contains(alias) || was && !is_new {
                continue;
            }
            moves.push((alias.clone(), job.name().clone()));
            if was {
                is_new = false;
                renamed.push((alias.clone(), job));
            }
        }
    }
    if moves.is_empty() {
        return None;
    }
    let to: HashMap<&JobName, &Job> = renamed.iter().map(|(from, job)| (from, *job)).collect();
    Some(Renames {
        moves,
        in_force: under(before, &to),
        renamed: renamed
            .iter()
            .map(|(from, job)| (from.clone(), job.name().clone()))
            .collect(),
    })
}

fn has_aliases(job: &Job) -> bool {
    !job.definition.aliases.is_empty()
}

/// The same jobs, some of them under other names.
fn under(before: &InForce, to: &HashMap<&JobName, &Job>) -> InForce {
    let mut in_force = before.clone();
    let again = |job: &Job| {
        let new = to.get(job.name())?;
        Some(Job {
            definition: Arc::new(Definition {
                name: new.name().clone(),
                aliases: new.definition.aliases.clone(),
                ..(*job.definition).clone()
            }),
            origin: job.origin.clone(),
        })
    };
    for root in &mut in_force.roots {
        for file in &mut root.files {
            if file.content.jobs().iter().all(|job| again(job).is_none()) {
                continue;
            }
            let jobs = file.content.jobs().iter();
            let jobs: Arc<[Job]> = jobs
                .map(|job| again(job).unwrap_or_else(|| job.clone()))
                .collect();
            file.content = match &file.content {
                Defined::Commons(_, commons) => Defined::Commons(jobs, commons.clone()),
                _ => Defined::Jobs(jobs),
            };
        }
        for held in &mut root.held {
            if let Some(job) = again(&held.job) {
                *held = HeldJob {
                    job,
                    cause: held.cause,
                };
            }
        }
    }
    in_force
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::merge::tests::samples::job;
    use crate::decide::merge::{FileInForce, HoldCause, RootInForce};

    /// Jobs of one file: `name` or `name<alias<alias`, and `*` before one that is held.
    fn set(words: &str) -> InForce {
        let one = |word: &str| {
            let mut names = word.trim_start_matches('*').split('<');
            let name = names.next().unwrap();
            let aliases: Vec<String> = names.map(|alias| format!("aka={alias}")).collect();
            job(name, 60, &aliases.join(" "), "a.yaml", 1)
        };
        let (held, plain): (Vec<&str>, Vec<&str>) = words
            .split_whitespace()
            .partition(|word| word.starts_with('*'));
        let held = held.into_iter().map(|word| HeldJob {
            job: one(word),
            cause: HoldCause::Guard,
        });
        InForce {
            roots: vec![RootInForce {
                path: "jobs.d".into(),
                files: vec![FileInForce {
                    path: "a.yaml".into(),
                    hash: [0; 32],
                    content: Defined::Jobs(plain.into_iter().map(one).collect()),
                }],
                held: held.collect(),
            }],
        }
    }

    fn pairs(pairs: &[(JobName, JobName)]) -> String {
        let words: Vec<_> = pairs
            .iter()
            .map(|(from, to)| format!("{from}>{to}"))
            .collect();
        words.join(" ")
    }

    fn names(set: &InForce) -> String {
        let names: Vec<_> = set.jobs().map(|job| job.name().to_string()).collect();
        names.join(" ")
    }

    #[test]
    fn a_job_takes_a_name_where_its_file_says_so_and_only_then() {
        for (what, before, after, moves, renamed, in_force) in [
            ("one of two jobs", "a c", "b<a c", "a>b", "a>b", "b c"),
            ("a job that is held", "c *a", "b<a c", "a>b", "a>b", "c b"),
            (
                "a name that only the past may know",
                "b",
                "b<a",
                "a>b",
                "",
                "b",
            ),
            ("a new job, and no old one", "c", "b<a c", "a>b", "", "c"),
            (
                "of two old jobs the first goes on",
                "a x",
                "b<a<x",
                "a>b",
                "a>b",
                "b x",
            ),
            ("an old job and a past", "a", "b<x<a", "x>b a>b", "a>b", "b"),
            ("two at once", "a x", "b<a y<x", "a>b x>y", "a>b x>y", "b y"),
            ("and back", "b<a", "a<b", "b>a", "b>a", "a"),
            ("more aliases later", "b<a", "b<a<x", "a>b x>b", "", "b<a"),
        ] {
            let (before, after) = (set(before), set(after));
            let renames = renames(&before, &after).expect(what);
            assert_eq!(pairs(&renames.moves), moves, "{what}");
            assert_eq!(pairs(&renames.renamed), renamed, "{what}");
            let in_force = in_force.split('<').next().unwrap();
            assert_eq!(names(&renames.in_force), in_force, "{what}");
        }
    }

    #[test]
    fn nobody_takes_the_name_of_a_job_that_is_there_or_says_it_twice() {
        for (what, before, after) in [
            ("no aliases", "a", "b"),
            ("nothing new", "b<a", "b<a"),
            ("the other is there still", "a", "b<a a"),
            ("both were there, and one goes", "a b", "b<a"),
            ("the other is there still, and held", "a", "b<a *a"),
        ] {
            let renames = renames(&set(before), &set(after));
            assert!(renames.is_none(), "{what}: {renames:?}");
        }
    }

    #[test]
    fn a_renamed_job_is_what_it_was_in_all_else() {
        let (before, mut after) = (set("a"), set("b<a"));
        let edited = job("b", 5, "aka=a other", "b.yaml", 9);
        after.roots[0].files[0].content = Defined::Jobs([edited].into());
        let renames = renames(&before, &after).unwrap();
        let (was, is) = (
            before.jobs().next().unwrap(),
            renames.in_force.jobs().next().unwrap(),
        );
        assert_eq!(is.definition.schedule, was.definition.schedule);
        assert_eq!(is.definition.action, was.definition.action);
        assert_eq!((is.origin.file.as_ref(), is.origin.line), ("a.yaml", 1));
        assert_eq!(is.definition.aliases.first(), Some(was.name()));
    }
}
