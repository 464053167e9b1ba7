//! Pools in job files: who may name them, what is wrong with them, what jobs make of them.

use super::*;
use crate::spec::{print, read};

const POOLS: &str = "pools:\n  database: { limit: 2 }\n  mail: { limit: \"${MAIL:-3}\" }\n";

fn tree(files: &[(&str, &str)]) -> Checked {
    tree_with(files, &options(&[]))
}

/// `code line: message` of each finding of the file.
fn found(file: &CheckedFile) -> Vec<String> {
    let findings = file.findings.iter();
    findings
        .map(|f| format!("{} {}: {}", f.code, f.at.place.line, f.message))
        .collect()
}

/// `job pool limit` of each job.
fn pools(file: &CheckedFile) -> Vec<String> {
    let jobs = file.jobs.iter();
    jobs.map(|job| match &job.definition.policy.pool {
        Some(pool) => format!("{} {} {}", job.name(), pool.name, pool.limit),
        None => format!("{} -", job.name()),
    })
    .collect()
}

#[test]
fn a_pool_of_one_file_serves_jobs_of_another() {
    let jobs = "defaults: { pool: mail }
jobs:
  a: { run: x, schedule: manual, pool: database }
  b: { run: x, schedule: manual }
  c: { run: x, schedule: manual, pool: default }
  d: { run: x, schedule: manual, pool: null }
";
    let tree = tree(&[("a.yaml", jobs), ("z/pools.yaml", POOLS)]);
    for file in &tree.files {
        assert!(file.findings.is_empty(), "{}", shown(&file.findings));
    }
    assert_eq!(
        pools(&tree.files[0]),
        ["a database 2", "b mail 3", "c -", "d -"]
    );
    let commons = &tree.files[1].commons;
    let defined = commons.pools.iter();
    let defined: Vec<_> = defined
        .map(|one| (one.value.name.as_str(), one.value.limit, one.origin.line))
        .collect();
    assert_eq!(defined, [("database", 2, 2), ("mail", 3, 3)]);
}

#[test]
fn a_folder_s_default_names_a_pool_that_each_of_its_jobs_takes() {
    let files = [
        ("_defaults.yaml", "defaults: { pool: databse }\n"),
        ("a.yaml", "jobs:\n  a: { run: x, schedule: manual }\n"),
        (
            "b.yaml",
            "jobs:\n  b: { run: x, schedule: manual, pool: database }\n",
        ),
        ("pools.yaml", POOLS),
    ];
    let tree = tree(&files);
    assert_eq!(
        found(&tree.files[1]),
        ["E022 2: no pool is called `databse`"]
    );
    assert_eq!(tree.files[1].findings[0].help, "did you mean `database`?");
    assert_eq!(pools(&tree.files[2]), ["b database 2"]);
}

#[test]
fn what_is_wrong_with_a_pool_is_told_where_it_stands() {
    for (text, want) in [
        (
            "{ a: { limit: 0 } }",
            "E019 1: `limit` is 0, and it goes from 1 to 10000",
        ),
        (
            "{ a: { limit: 20000 } }",
            "E019 1: `limit` is 20000, and it goes from 1 to 10000",
        ),
        (
            "{ a: { limit: two } }",
            "E004 1: `limit` is a whole number, not `two`",
        ),
        ("{ a: { size: 2 } }", "E002 1: a pool has no key `size`"),
        ("{ a: {} }", "E005 1: the pool `a` has no `limit`"),
        ("{ a: { limit: ~ } }", "E004 1: `limit` has no value"),
        (
            "{ a: 2 }",
            "E004 1: a pool is a mapping of keys, not a single value",
        ),
        ("{ a: }", "E004 1: the pool `a` says nothing"),
        ("[a]", "E004 1: `pools` is a mapping of names, not a list"),
        (
            "{ default: { limit: 2 } }",
            "E010 1: `default` is the pool of jobs that name none, and has no limit of its own",
        ),
        (
            "{ ../a: { limit: 2 } }",
            "E010 1: `../a` cannot be a name: a name begins with a letter or a digit (A-Z, a-z, 0-9)",
        ),
        (
            "{ a: { limit: 2 }, A: { limit: 2 } }",
            "E011 1: `a` and `A` differ only in case",
        ),
    ] {
        let file = file(&format!("pools: {text}\n"));
        assert_eq!(found(&file)[0], want, "{text}");
        assert!(file.is_bad() && file.commons.is_empty(), "{text}");
    }
    let below = tree(&[("_defaults.yaml", POOLS)]);
    assert_eq!(
        found(&below.files[0]),
        ["E002 1: `_defaults.yaml` holds `defaults:` and nothing else"]
    );
}

#[test]
fn a_name_that_no_file_defines_is_told_with_the_nearest_one() {
    for (pool, help) in [
        ("databas", "did you mean `database`?"),
        ("Default", "did you mean `default`?"),
        (
            "something-else",
            "define it under `pools:` at the top level of a job file",
        ),
    ] {
        let text = format!("{POOLS}jobs:\n  a: {{ run: x, schedule: manual, pool: {pool} }}\n");
        let file = file(&text);
        assert_eq!(
            found(&file),
            [format!("E022 5: no pool is called `{pool}`")]
        );
        assert_eq!(file.findings[0].help, help);
        assert_eq!(file.findings[0].at.place.column, 40);
    }
}

#[test]
fn a_job_beside_a_pool_that_cannot_be_read_is_not_blamed_for_it() {
    let text =
        "pools: { db: { limit: none } }\njobs:\n  a: { run: x, schedule: manual, pool: db }\n";
    assert_eq!(
        found(&file(text)),
        ["E004 1: `limit` is a whole number, not `none`"]
    );
    // In another file, that file is what is to be mended.
    let jobs = "jobs:\n  a: { run: x, schedule: manual, pool: db }\n";
    let tree = tree(&[
        ("a.yaml", jobs),
        ("z.yaml", "pools: { db: { limit: none } }\n"),
    ]);
    assert_eq!(
        found(&tree.files[0]),
        ["E022 2: the pool `db`, which jobs.d/z.yaml defines, cannot be used"]
    );
}

#[test]
fn the_stored_form_brings_pools_and_limits_along() {
    let text = format!("{POOLS}jobs:\n  a: {{ run: x, schedule: manual, pool: database }}\n");
    let file = file(&text);
    assert!(!file.is_bad(), "{}", shown(&file.findings));
    let stored = print(&file.jobs, &file.commons);
    let (jobs, commons) = read(&stored, zones()).unwrap();
    assert_eq!(commons, *file.commons);
    assert_eq!(jobs[0].definition, file.jobs[0].definition);
    // Without the file's own, as a held job is kept.
    let (jobs, commons) = read(&print(&file.jobs, Commons::NONE), zones()).unwrap();
    assert!(commons.is_empty());
    assert_eq!(jobs[0].definition.policy.pool.as_ref().unwrap().limit, 2);
}
