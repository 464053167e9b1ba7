//! What vanished, and whether it may go.

use std::collections::HashMap;

use super::claims::Claims;
use super::{FileInForce, HeldJob, HoldCause, Merged, RootInForce, RootNow, Rules};
use crate::ids::JobName;
use crate::model::Job;

/// What a PATH is about to lose.
struct Loss<'a> {
    /// In what is to be in force.
    root: usize,
    jobs: Vec<&'a Job>,
    /// How many jobs the PATH had to lose.
    of: usize,
}

/// Keeps in `merged` what may not go, and names what goes with PATHs that are let go.
pub(super) fn hold_back(
    now: &[RootNow<'_>],
    before: &super::InForce,
    rules: &Rules,
    claims: &Claims<'_>,
    merged: &mut Merged,
) {
    let unsettled = !merged.refused.is_empty()
        || now
            .iter()
            .any(|root| root.lost || root.files.iter().any(|file| file.content.is_none()));
    let places: HashMap<&str, usize> = now
        .iter()
        .enumerate()
        .map(|(index, root)| (&**root.path, index))
        .collect();
    let mut losses = Vec::new();
    for root in &before.roots {
        let Some(place) = places.get(&*root.path).copied() else {
            let names = root.jobs().map(Job::name);
            let gone: Vec<JobName> = names
                .filter(|name| !claims.has_moved(name))
                .cloned()
                .collect();
            merged.let_go.push((root.path.clone(), gone));
            continue;
        };
        let root_after = &mut merged.in_force.roots[place];
        let mut loss = Loss {
            root: place,
            jobs: vanished(root, root_after, claims),
            of: root.defined(),
        };
        for held in &root.held {
            let name = held.job.name();
            if rules.confirmed.contains(name) || claims.has_moved(name) {
                continue;
            }
            if held.cause == HoldCause::Unsettled && !unsettled {
                loss.jobs.push(&held.job);
                loss.of += 1;
            } else {
                root_after.held.push(held.clone());
            }
        }
        losses.push(loss);
    }
    let mut going = Vec::new();
    for loss in losses {
        let count = loss.jobs.len();
        let too_much = count == loss.of || count * 100 > usize::from(rules.prune_limit) * loss.of;
        let cause = match (unsettled, too_much) {
            (true, _) => HoldCause::Unsettled,
            (false, true) => HoldCause::Guard,
            (false, false) => {
                going.push(loss);
                continue;
            }
        };
        hold(&mut merged.in_force.roots[loss.root], &loss.jobs, cause);
    }
    if merged.in_force.job_count() == 0 {
        for loss in going {
            let root = &mut merged.in_force.roots[loss.root];
            hold(root, &loss.jobs, HoldCause::Guard);
        }
    }
    for root in &mut merged.in_force.roots {
        root.held.sort_by(|a, b| a.job.name().cmp(b.job.name()));
    }
}

fn hold(root: &mut RootInForce, jobs: &[&Job], cause: HoldCause) {
    root.held.extend(jobs.iter().map(|job| HeldJob {
        job: (*job).clone(),
        cause,
    }));
}

/// Jobs that files of this PATH defined before and that no file defines now.
fn vanished<'a>(before: &'a RootInForce, after: &RootInForce, claims: &Claims<'_>) -> Vec<&'a Job> {
    let mut vanished = Vec::new();
    let mut new = after.files.iter().peekable();
    for old in &before.files {
        while new.next_if(|new| new.path < old.path).is_some() {}
        let same_file = new.next_if(|new| new.path == old.path);
        vanished.extend(missing(old, same_file).filter(|job| !claims.has_moved(job.name())));
    }
    vanished
}

/// The jobs of `old` that `new` does not have.
fn missing<'a>(
    old: &'a FileInForce,
    new: Option<&FileInForce>,
) -> impl Iterator<Item = &'a Job> + use<'a> {
    let same = new.is_some_and(|new| new.content.is_same(&old.content));
    let jobs = if same { &[][..] } else { old.content.jobs() };
    let kept: std::collections::HashSet<JobName> = match new {
        Some(new) if !same => new
            .content
            .jobs()
            .iter()
            .flat_map(|job| {
                [job.name()]
                    .into_iter()
                    .chain(job.definition.aliases.iter())
            })
            .cloned()
            .collect(),
        _ => std::collections::HashSet::new(),
    };
    jobs.iter().filter(move |job| !kept.contains(job.name()))
}
