//! Stories of trees, step by step, and the law over any sequence of states.

pub(crate) mod samples;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::finding::Code;
use crate::model::NameKind;
use samples::job;

/// What one file says: good with these names, or bad.
#[derive(Clone, Debug)]
enum Says {
    Jobs(Vec<String>),
    Bad,
}

/// What a tree of two PATHs, `one` and `two`, says; `None` for a lost PATH.
type Says2 = [Option<BTreeMap<String, Says>>; 2];

/// Files as `one/a.yaml: x y; two/b.yaml: !` with `!` for bad; `two: lost`.
fn says(text: &str) -> Says2 {
    let mut roots = [Some(BTreeMap::new()), Some(BTreeMap::new())];
    for entry in text
        .split(';')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
    {
        let (place, content) = entry.split_once(':').unwrap();
        let (root, file) = place.split_once('/').unwrap_or((place, ""));
        let root = &mut roots[usize::from(root == "two")];
        let content = content.trim();
        if content == "lost" {
            *root = None;
            continue;
        }
        let said = match content {
            "!" => Says::Bad,
            names => Says::Jobs(names.split_whitespace().map(str::to_owned).collect()),
        };
        root.as_mut().unwrap().insert(file.to_owned(), said);
    }
    roots
}

fn merge_said(said: &Says2, before: &InForce, rules: &Rules) -> Merged {
    let names = [Arc::<str>::from("one"), Arc::from("two")];
    let content: Vec<Vec<_>> = said
        .iter()
        .zip(&names)
        .map(|(root, name)| {
            let files = root.iter().flatten();
            files
                .map(|(path, says)| {
                    let shown: Arc<str> = format!("{name}/{path}").into();
                    let content = match says {
                        Says::Bad => None,
                        Says::Jobs(names) => {
                            let jobs = names.iter().zip(1..);
                            let jobs = jobs.map(|(name, line)| job(name, 60, "true", &shown, line));
                            Some(Defined::Jobs(jobs.collect()))
                        }
                    };
                    (Arc::<str>::from(path.as_str()), shown, content)
                })
                .collect()
        })
        .collect();
    let roots: Vec<RootNow<'_>> = names
        .iter()
        .zip(&content)
        .zip(said)
        .map(|((path, files), said)| RootNow {
            path,
            lost: said.is_none(),
            files: files
                .iter()
                .map(|(path, shown, content)| FileNow {
                    path,
                    shown,
                    hash: &[7; 32],
                    content: content.as_ref(),
                })
                .collect(),
        })
        .collect();
    merge(&roots, before, rules)
}

/// `one/a.yaml: x y; held: z` of what is in force.
fn describe(set: &InForce) -> String {
    let mut words = Vec::new();
    let join = |jobs: Vec<&Job>| {
        let names: Vec<_> = jobs.iter().map(|job| job.name().to_string()).collect();
        names.join(" ")
    };
    for root in &set.roots {
        for file in &root.files {
            let jobs = join(file.content.jobs().iter().collect());
            words.push(format!("{}/{}: {jobs}", root.path, file.path));
        }
    }
    let held = set.held();
    if !held.is_empty() {
        let held: Vec<_> = held.iter().map(ToString::to_string).collect();
        words.push(format!("held: {}", held.join(" ")));
    }
    words.join("; ")
}

/// Lets a tree say one thing after another and checks what is in force after each.
fn story(what: &str, steps: &[(&str, &str)]) {
    let mut before = InForce::default();
    for (number, (said, expected)) in steps.iter().enumerate() {
        let (said, confirm) = said.split_once(" prune ").unwrap_or((said, ""));
        let rules = Rules {
            confirmed: confirm
                .split_whitespace()
                .map(|name| JobName::new(name).unwrap())
                .collect(),
            ..Rules::default()
        };
        let merged = merge_said(&says(said), &before, &rules);
        assert_eq!(
            describe(&merged.in_force),
            *expected,
            "{what}, step {}",
            number + 1
        );
        before = merged.in_force;
    }
}

#[test]
fn a_bad_file_keeps_what_it_last_defined_and_stops_nothing_else() {
    story(
        "a file goes bad, another is edited, the bad one is mended",
        &[
            ("one/a: x; one/b: y", "one/a: x; one/b: y"),
            ("one/a: !; one/b: y z", "one/a: x; one/b: y z"),
            ("one/a: x w; one/b: y z", "one/a: x w; one/b: y z"),
        ],
    );
    story(
        "a file that was never good contributes nothing",
        &[
            ("one/a: !; one/b: y", "one/b: y"),
            ("one/a: x; one/b: y", "one/a: x; one/b: y"),
        ],
    );
    story(
        "a bad file that is deleted counts as deleted",
        &[
            ("one/a: x; one/b: y z", "one/a: x; one/b: y z"),
            ("one/a: !; one/b: y z", "one/a: x; one/b: y z"),
            ("one/b: y z", "one/b: y z"),
        ],
    );
}

#[test]
fn a_name_stays_with_the_file_that_holds_it() {
    story(
        "none holds it, so neither has it",
        &[
            ("one/a: x u; two/b: x v; one/c: w", "one/c: w"),
            (
                "one/a: u; two/b: x v; one/c: w",
                "one/a: u; one/c: w; two/b: x v",
            ),
        ],
    );
    story(
        "the holder keeps it and the other file stays as it was",
        &[
            ("one/a: x; one/b: y", "one/a: x; one/b: y"),
            ("one/a: x; one/b: y x z", "one/a: x; one/b: y"),
            ("one/a: w; one/b: y x z", "one/a: w; one/b: y x z"),
        ],
    );
    story(
        "a bad file holds its names too",
        &[
            ("one/a: x; one/b: y", "one/a: x; one/b: y"),
            ("one/a: !; one/b: y x", "one/a: x; one/b: y"),
        ],
    );
    story(
        "a refused file falls back, and what it had is in the way of a third",
        &[
            (
                "one/a: p; one/b: q; one/c: r",
                "one/a: p; one/b: q; one/c: r",
            ),
            (
                "one/a: p; one/b: p; one/c: r q",
                "one/a: p; one/b: q; one/c: r",
            ),
        ],
    );
    story(
        "case alone does not tell names apart",
        &[
            ("one/a: job; one/b: y", "one/a: job; one/b: y"),
            ("one/a: job; one/b: y Job", "one/a: job; one/b: y"),
            ("one/a: w; one/b: y Job", "one/a: w; one/b: y Job"),
        ],
    );
    story(
        "a lost PATH keeps its names",
        &[
            ("one/a: x; two/b: y", "one/a: x; two/b: y"),
            ("one: lost; two/b: x y", "one/a: x; two/b: y"),
            ("one/a: z; two/b: x y", "one/a: z; two/b: x y"),
        ],
    );
}

#[test]
fn a_job_that_changes_its_file_is_not_removed() {
    story(
        "moved to a new file, all of it",
        &[("one/a: x y", "one/a: x y"), ("one/b: x y", "one/b: x y")],
    );
    story(
        "moved to another PATH",
        &[
            ("one/a: x; two/b: y", "one/a: x; two/b: y"),
            ("two/b: x y", "two/b: x y"),
        ],
    );
    story(
        "two files change places",
        &[
            ("one/a: x; one/b: y", "one/a: x; one/b: y"),
            ("one/a: y; one/b: x", "one/a: y; one/b: x"),
        ],
    );
}

#[test]
fn removals_are_guarded() {
    story(
        "up to half of a PATH goes",
        &[
            ("one/a: p q r s", "one/a: p q r s"),
            ("one/a: p q", "one/a: p q"),
        ],
    );
    story(
        "more than half waits, additions are applied",
        &[
            ("one/a: p q r s", "one/a: p q r s"),
            ("one/a: p t", "one/a: p t; held: q r s"),
            ("one/a: p t", "one/a: p t; held: q r s"),
            ("one/a: p t prune q s", "one/a: p t; held: r"),
            ("one/a: p t r", "one/a: p t r"),
        ],
    );
    story(
        "the last job waits",
        &[("one/a: p", "one/a: p"), ("", "held: p"), (" prune p", "")],
    );
    story(
        "every job of a PATH waits, the other PATH goes on",
        &[
            ("one/a: p; two/b: q r s t", "one/a: p; two/b: q r s t"),
            ("two/b: q r s", "two/b: q r s; held: p"),
            ("two/b: q r s p", "two/b: q r s p"),
        ],
    );
    story(
        "what is left of a PATH is counted without what is held",
        &[
            ("one/a: p q r s t", "one/a: p q r s t"),
            ("one/a: p q", "one/a: p q; held: r s t"),
            ("", "held: p q r s t"),
        ],
    );
    story(
        "a confirmed name that no file lost is not touched",
        &[
            ("one/a: p q", "one/a: p q"),
            ("one/a: p q prune p", "one/a: p q"),
        ],
    );
    story(
        "a confirmation is for what was held, not for what goes now",
        &[
            ("one/a: p q r", "one/a: p q r"),
            (" prune p", "held: p q r"),
        ],
    );
}

#[test]
fn while_something_cannot_be_read_nothing_goes() {
    story(
        "a job vanishes while another file is bad, and goes when that is mended",
        &[
            ("one/a: p q r; one/b: y", "one/a: p q r; one/b: y"),
            ("one/a: p q; one/b: !", "one/a: p q; one/b: y; held: r"),
            ("one/a: p q; one/b: y", "one/a: p q; one/b: y"),
        ],
    );
    story(
        "it had moved to the file that was bad",
        &[
            ("one/a: p q r; one/b: y", "one/a: p q r; one/b: y"),
            ("one/a: p q; one/b: !", "one/a: p q; one/b: y; held: r"),
            ("one/a: p q; one/b: y r", "one/a: p q; one/b: y r"),
        ],
    );
    story(
        "too many for the guard once all can be read",
        &[
            ("one/a: p q r; one/b: y", "one/a: p q r; one/b: y"),
            ("one/a: p; one/b: !", "one/a: p; one/b: y; held: q r"),
            ("one/b: y", "one/b: y; held: p q r"),
        ],
    );
    story(
        "a lost PATH is no order to delete",
        &[
            ("one/a: p; two/b: q r s", "one/a: p; two/b: q r s"),
            ("one: lost; two/b: q r", "one/a: p; two/b: q r; held: s"),
            ("one: lost; two: lost", "one/a: p; two/b: q r; held: s"),
            ("one/a: p; two/b: q r", "one/a: p; two/b: q r"),
        ],
    );
    story(
        "a refused file counts as bad",
        &[
            (
                "one/a: p q; one/b: r s; one/c: t",
                "one/a: p q; one/b: r s; one/c: t",
            ),
            (
                "one/a: p; one/b: r s; one/c: t r",
                "one/a: p; one/b: r s; one/c: t; held: q",
            ),
        ],
    );
}

#[test]
fn a_held_job_comes_back_in_one_place() {
    let held = ("one/a: p; two/b: q r", "one/a: p; two/b: q r");
    story(
        "in another PATH",
        &[
            held,
            ("two/b: q r", "two/b: q r; held: p"),
            ("two/b: q r p", "two/b: q r p"),
        ],
    );
    story(
        "in two files at once: neither",
        &[
            held,
            ("two/b: q r", "two/b: q r; held: p"),
            ("two/b: q r; two/c: p; two/d: p", "two/b: q r; held: p"),
        ],
    );
    story(
        "in two files at once, one of them its own",
        &[
            held,
            ("two/b: q r", "two/b: q r; held: p"),
            ("one/a: p; two/b: q r; two/c: p", "one/a: p; two/b: q r"),
        ],
    );
    story(
        "in another case: that one replaces it, as they cannot both be",
        &[
            held,
            ("two/b: q r", "two/b: q r; held: p"),
            ("two/b: q r P", "two/b: q r P"),
        ],
    );
}

#[test]
fn a_path_that_is_no_longer_named_is_let_go_with_one_list_of_names() {
    let mut before = merge_said(
        &says("one/a: p; two/b: q r"),
        &InForce::default(),
        &Rules::default(),
    )
    .in_force;
    before.roots.push(RootInForce {
        path: "three".into(),
        files: vec![FileInForce {
            path: "c".into(),
            hash: [0; 32],
            content: Defined::Jobs(Arc::from([
                job("s", 1, "true", "three/c", 1),
                job("t", 1, "true", "three/c", 2),
            ])),
        }],
        held: Vec::new(),
    });
    let merged = merge_said(&says("one/a: p; two/b: q r t"), &before, &Rules::default());
    assert_eq!(describe(&merged.in_force), "one/a: p; two/b: q r t");
    let gone = vec![JobName::new("s").unwrap()];
    assert_eq!(merged.let_go, [(Arc::from("three"), gone)]);
}

#[test]
fn both_places_of_a_name_are_told() {
    let before = merge_said(
        &says("one/a: w job"),
        &InForce::default(),
        &Rules::default(),
    )
    .in_force;
    let merged = merge_said(
        &says("one/a: w job; two/b: v Job"),
        &before,
        &Rules::default(),
    );
    assert_eq!(merged.refused, HashSet::from([(1, 0)]));
    assert_eq!(merged.conflicts.len(), 1);
    let finding = merged.conflicts[0].finding(&Arc::from("two/b"), |_, _, _, _| None);
    assert_eq!(finding.code, Code::DuplicateName);
    assert_eq!(
        finding.message,
        "the job name \"Job\" differs only in case from \"job\" in one/a:2"
    );
    let merged = merge_said(
        &says("one/a: x; two/b: x"),
        &InForce::default(),
        &Rules::default(),
    );
    assert_eq!(merged.refused, HashSet::from([(0, 0), (1, 0)]));
    let kinds: Vec<_> = merged.conflicts.iter().map(|one| &one.kind).collect();
    let x = || JobName::new("x").unwrap();
    let told = |other: &str| ConflictKind::Name {
        kind: NameKind::Job,
        other_kind: NameKind::Job,
        name: x(),
        line: 1,
        other: x(),
        other_file: other.into(),
        other_line: 1,
        kept: false,
    };
    assert_eq!(kinds, [&told("two/b"), &told("one/a")]);
}

#[test]
fn a_tree_over_the_limit_of_jobs_keeps_what_is_below_it() {
    let rules = Rules {
        max_jobs: 3,
        ..Rules::default()
    };
    let merged = merge_said(
        &says("one/a: p q; one/b: r s; one/c: t"),
        &InForce::default(),
        &rules,
    );
    assert_eq!(describe(&merged.in_force), "one/a: p q; one/c: t");
    assert_eq!(merged.conflicts[0].kind, ConflictKind::TooMany);
}

#[test]
fn a_long_chain_of_refusals_ends_soon() {
    // Each file takes over the name of the next; the first one may not.
    let count = 3000;
    let name = |n: usize| format!("j{n}");
    let tree = |shift: usize| {
        let files = (0..count).map(|n| (format!("{n:05}"), Says::Jobs(vec![name(n + shift)])));
        let mut files: BTreeMap<_, _> = files.collect();
        files.insert("99999".to_owned(), Says::Jobs(vec![name(count)]));
        [Some(files), Some(BTreeMap::new())]
    };
    let before = merge_said(&tree(0), &InForce::default(), &Rules::default()).in_force;
    let merged = merge_said(&tree(1), &before, &Rules::default());
    assert_eq!(merged.refused.len(), count);
    assert_eq!(describe(&merged.in_force), describe(&before));
}

fn any_says() -> impl Strategy<Value = Says2> {
    let names = ["a", "b", "c", "d", "e", "f", "g", "A"];
    let jobs = proptest::sample::subsequence(names.to_vec(), 0..5).prop_map(|names| {
        let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        // Within one file the spec has refused it already.
        if names.contains(&"a".to_owned()) {
            names.retain(|name| name != "A");
        }
        Says::Jobs(names)
    });
    let file = prop_oneof![6 => jobs, 1 => Just(Says::Bad)];
    let paths = prop_oneof![Just("1"), Just("2"), Just("3")];
    let files = proptest::collection::btree_map(paths.prop_map(str::to_owned), file, 0..3);
    let root = prop_oneof![8 => files.prop_map(Some), 1 => Just(None)];
    [root.clone(), root]
}

fn confirmations() -> impl Strategy<Value = Vec<String>> {
    let names = prop_oneof![Just("a"), Just("b"), Just("c")];
    proptest::collection::vec(names.prop_map(str::to_owned), 0..2)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_law_holds_after_any_sequence_of_states(
        steps in proptest::collection::vec((any_says(), confirmations()), 1..8),
        prune_limit in prop_oneof![Just(0u8), Just(50), Just(100)],
    ) {
        let mut before = InForce::default();
        for (said, confirmed) in steps {
            let confirmed: HashSet<JobName> =
                confirmed.iter().map(|name| JobName::new(name).unwrap()).collect();
            let rules = Rules { prune_limit, confirmed, ..Rules::default() };
            let merged = merge_said(&said, &before, &rules);
            check_law(&said, &before, &rules, &merged)?;
            // The same again changes nothing but what a hold released by mended files lets go.
            let rules = Rules { prune_limit, ..Rules::default() };
            let again = merge_said(&said, &merged.in_force, &rules);
            check_law(&said, &merged.in_force, &rules, &again)?;
            prop_assert_eq!(describe(&again.in_force), describe(&merged.in_force));
            before = merged.in_force;
        }
    }
}

fn check_law(
    said: &Says2,
    before: &InForce,
    rules: &Rules,
    merged: &Merged,
) -> Result<(), TestCaseError> {
    let after = &merged.in_force;
    // One job under each name.
    let names: Vec<&JobName> = after.jobs().map(Job::name).collect();
    let fold = |name: &JobName| name.as_str().to_ascii_lowercase();
    let unique: HashSet<String> = names.iter().map(|name| fold(name)).collect();
    prop_assert_eq!(unique.len(), names.len());

    let mut bad = false;
    for (index, root) in said.iter().enumerate() {
        let old = before.roots.get(index);
        let Some(files) = root else {
            bad = true;
            let old_files = old.map_or(0, |old| old.files.len());
            prop_assert_eq!(
                after.roots[index].files.len(),
                old_files,
                "a lost PATH keeps its files"
            );
            continue;
        };
        for (place, (path, says)) in files.iter().enumerate() {
            let find = |root: &RootInForce| {
                let file = root.files.iter().find(|file| *file.path == **path);
                file.map(|file| {
                    let jobs = file.content.jobs().iter();
                    jobs.map(|job| job.name().to_string()).collect::<Vec<_>>()
                })
            };
            let now = find(&after.roots[index]);
            let is_refused = merged.refused.contains(&(index, place));
            match says {
                Says::Jobs(names) if !is_refused => prop_assert_eq!(now.as_ref(), Some(names)),
                _ => {
                    bad = true;
                    prop_assert_eq!(
                        now,
                        old.and_then(find),
                        "a bad file keeps its last good content"
                    );
                }
            }
        }
    }

    // What goes, goes by the guard's rules alone.
    let held_before: HashSet<JobName> = before.held().into_iter().collect();
    let gone = |job: &&Job| !unique.contains(&fold(job.name()));
    for root in &before.roots {
        let unconfirmed = |job: &&Job| {
            gone(job) && !(held_before.contains(job.name()) && rules.confirmed.contains(job.name()))
        };
        let lost: Vec<&Job> = root.jobs().filter(unconfirmed).collect();
        if lost.is_empty() {
            continue;
        }
        prop_assert!(!bad, "{lost:?} went while something could not be read");
        let sticky = root
            .held
            .iter()
            .filter(|held| held.cause == HoldCause::Guard);
        for held in sticky {
            prop_assert!(
                !lost.iter().any(|job| job.name() == held.job.name()),
                "a hold came off by itself"
            );
        }
        let released = root
            .held
            .iter()
            .filter(|held| held.cause == HoldCause::Unsettled)
            .count();
        let of = root.defined() + released;
        prop_assert!(lost.len() < of, "every job of a PATH went");
        prop_assert!(
            lost.len() * 100 <= usize::from(rules.prune_limit) * of,
            "more than the limit went"
        );
        prop_assert!(after.job_count() > 0, "the last job went");
    }
    Ok(())
}
