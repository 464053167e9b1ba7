//! Each kind of difference, and two properties of the way between sets.

use proptest::prelude::*;

use super::*;
use crate::decide::merge::tests::samples::job;
use crate::decide::merge::{Defined, FileInForce, HeldJob, HoldCause, RootInForce};

fn root(path: &str, files: Vec<(&str, Vec<Job>)>) -> RootInForce {
    let file = |(path, jobs): (&str, Vec<Job>)| FileInForce {
        path: path.into(),
        hash: [0; 32],
        content: Defined::Jobs(jobs.into()),
    };
    RootInForce {
        path: path.into(),
        files: files.into_iter().map(file).collect(),
        held: Vec::new(),
    }
}

fn set(files: Vec<(&str, Vec<Job>)>) -> InForce {
    InForce {
        roots: vec![root("jobs.d", files)],
    }
}

fn names(jobs: &[Job]) -> Vec<String> {
    jobs.iter().map(|job| job.name().to_string()).collect()
}

/// `+new ~times !other >moved #history -gone`
fn words(diff: &Diff) -> String {
    let mut words = Vec::new();
    for (sign, list) in [
        ('+', names(&diff.added)),
        ('~', names(&diff.rescheduled)),
        ('!', names(&diff.changed)),
        ('>', names(&diff.moved)),
        ('#', names(&diff.kept)),
        ('-', diff.removed.iter().map(ToString::to_string).collect()),
    ] {
        words.extend(list.into_iter().map(|name| format!("{sign}{name}")));
    }
    words.sort();
    words.join(" ")
}

#[test]
fn each_kind_of_difference_has_its_list() {
    let a = || job("a", 60, "true", "a.yaml", 2);
    let disabled = {
        let mut job = a();
        let mut definition = (*job.definition).clone();
        definition.enabled = false;
        job.definition = Arc::new(definition);
        job
    };
    for (what, before, after, expected) in [
        ("nothing at all", vec![], vec![], ""),
        ("a new job", vec![], vec![("a.yaml", vec![a()])], "+a"),
        (
            "a job of which more of the past is kept",
            vec![("a.yaml", vec![a()])],
            vec![("a.yaml", vec![job("a", 60, "keep=500", "a.yaml", 2)])],
            "!a #a",
        ),
        (
            "the same, and at other times",
            vec![("a.yaml", vec![a()])],
            vec![("a.yaml", vec![job("a", 90, "keep=500", "a.yaml", 2)])],
            "#a ~a",
        ),
        ("a job gone", vec![("a.yaml", vec![a()])], vec![], "-a"),
        (
            "another schedule",
            vec![("a.yaml", vec![a()])],
            vec![("a.yaml", vec![job("a", 61, "true", "a.yaml", 2)])],
            "~a",
        ),
        (
            "disabled",
            vec![("a.yaml", vec![a()])],
            vec![("a.yaml", vec![disabled])],
            "~a",
        ),
        (
            "another action",
            vec![("a.yaml", vec![a()])],
            vec![("a.yaml", vec![job("a", 60, "false", "a.yaml", 2)])],
            "!a",
        ),
        (
            "another line",
            vec![("a.yaml", vec![a()])],
            vec![("a.yaml", vec![job("a", 60, "true", "a.yaml", 9)])],
            ">a",
        ),
        (
            "another file",
            vec![("a.yaml", vec![a()])],
            vec![("b.yaml", vec![job("a", 60, "true", "b.yaml", 2)])],
            ">a",
        ),
        (
            "the same, read anew",
            vec![("a.yaml", vec![a()])],
            vec![("a.yaml", vec![a()])],
            "",
        ),
        (
            "another name",
            vec![("a.yaml", vec![a()])],
            vec![("a.yaml", vec![job("b", 60, "true", "a.yaml", 2)])],
            "+b -a",
        ),
    ] {
        let diff = diff(&set(before), &set(after));
        assert_eq!(words(&diff), expected, "{what}");
        assert_eq!(diff.is_empty(), expected.is_empty(), "{what}");
    }
}

#[test]
fn a_held_job_is_there_and_a_root_that_is_let_go_is_not() {
    let mut before = set(vec![("a.yaml", vec![job("a", 60, "true", "a.yaml", 2)])]);
    let mut after = set(vec![]);
    after.roots[0].held.push(HeldJob {
        job: before.roots[0].files[0].content.jobs()[0].clone(),
        cause: HoldCause::Guard,
    });
    assert_eq!(words(&diff(&before, &after)), "");
    let other = root(
        "other",
        vec![("b.yaml", vec![job("b", 1, "true", "b.yaml", 1)])],
    );
    before.roots.push(other);
    assert_eq!(words(&diff(&before, &after)), "-b");
}

fn any_set() -> impl Strategy<Value = InForce> {
    // Each name is in one file at most.
    let one = (0..2usize, 0..3usize, 1..3u64, 0..2usize, 0..3u32);
    proptest::collection::vec(proptest::option::of(one), 6).prop_map(|jobs| {
        let mut set = InForce::default();
        for path in ["one", "two"] {
            let files = ["a", "b", "c"].map(|file| (file, Vec::new()));
            set.roots.push(root(path, files.into()));
        }
        for (index, at) in jobs.into_iter().enumerate() {
            let Some((root, file, seconds, line, at)) = at else {
                continue;
            };
            let file = &mut set.roots[root].files[file];
            let mut jobs = file.content.jobs().to_vec();
            let line = ["true", "false"][line];
            jobs.push(job(&format!("j{index}"), seconds, line, &file.path, at));
            file.content = Defined::Jobs(jobs.into());
        }
        set
    })
}

fn as_map(set: &InForce) -> HashMap<JobName, (Arc<Definition>, crate::model::Origin)> {
    let jobs = set.jobs();
    jobs.map(|job| {
        (
            job.name().clone(),
            (job.definition.clone(), job.origin.clone()),
        )
    })
    .collect()
}

proptest! {
    #[test]
    fn a_set_differs_in_nothing_from_itself(set in any_set()) {
        prop_assert!(diff(&set, &set).is_empty());
        // Also when nothing is shared in memory.
        let mut copy = set.clone();
        for file in copy.roots.iter_mut().flat_map(|root| &mut root.files) {
            let jobs = file.content.jobs().iter().map(|job| Job {
                definition: Arc::new((*job.definition).clone()),
                origin: job.origin.clone(),
            });
            file.content = Defined::Jobs(jobs.collect());
        }
        prop_assert!(diff(&set, &copy).is_empty());
    }

    #[test]
    fn the_way_leads_from_one_set_to_the_other(before in any_set(), after in any_set()) {
        let diff = diff(&before, &after);
        let mut jobs = as_map(&before);
        for name in &diff.removed {
            prop_assert!(jobs.remove(name).is_some());
        }
        for job in &diff.added {
            let new = jobs.insert(job.name().clone(), (job.definition.clone(), job.origin.clone()));
            prop_assert!(new.is_none());
        }
        for job in diff.rescheduled.iter().chain(&diff.changed).chain(&diff.moved) {
            let old = jobs.insert(job.name().clone(), (job.definition.clone(), job.origin.clone()));
            prop_assert!(old.is_some());
        }
        prop_assert_eq!(jobs, as_map(&after));
    }
}
