//! Pools across files, edits, bad files and restarts, in the real language of job files.

use super::calendars::{findings, sync, world};
use super::world::Elder;

fn job(name: &str, pool: &str) -> String {
    format!("  {name}: {{ run: x, schedule: manual, pool: {pool} }}\n")
}

fn jobs(list: &[(&str, &str)]) -> String {
    let jobs = list.iter().map(|(name, pool)| job(name, pool));
    format!("jobs:\n{}", jobs.collect::<String>())
}

fn pool(limit: u32) -> String {
    format!("pools: {{ db: {{ limit: {limit} }} }}\n")
}

/// `job pool limit` of each job of the engine.
fn limits(elder: &Elder) -> Vec<String> {
    let heard = elder.heard.lock().unwrap();
    let jobs = heard.jobs.iter();
    jobs.map(|(name, job)| match &job.definition.policy.pool {
        Some(pool) => format!("{name} {} {}", pool.name, pool.limit),
        None => format!("{name} -"),
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_changes_changes_the_jobs_of_other_files_and_reschedules_none() {
    let world = world(&[
        ("a.yaml", &jobs(&[("a", "db"), ("b", "default")])),
        ("p.yaml", &pool(2)),
    ]);
    let elder = world.start_deaf().await;
    assert_eq!(limits(&elder), ["a db 2", "b -"]);
    world.write("p.yaml", &pool(4));
    let report = sync(&elder).await;
    assert_eq!((report.rescheduled, report.changed), (0, 1));
    assert_eq!(limits(&elder), ["a db 4", "b -"]);
    elder.stop().await;
    let elder = world.start().await;
    assert_eq!(limits(&elder), ["a db 4", "b -"]);
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_file_keeps_its_last_good_pools_for_all() {
    let world = world(&[("a.yaml", &jobs(&[("a", "db")])), ("p.yaml", &pool(2))]);
    let elder = world.start().await;
    // Its pools would be fine, and its job is not.
    world.write(
        "p.yaml",
        &format!("{}jobs: {{ c: {{ run: x }} }}\n", pool(3)),
    );
    world.write("a.yaml", &jobs(&[("a", "db"), ("b", "db")]));
    sync(&elder).await;
    assert_eq!(findings(&elder), ["E005 p.yaml 2"]);
    assert_eq!(limits(&elder), ["a db 2", "b db 2"]);
    world.write("p.yaml", "pools: { db: { limit: much } }\n");
    sync(&elder).await;
    assert_eq!(findings(&elder), ["E004 p.yaml 1"]);
    assert_eq!(limits(&elder), ["a db 2", "b db 2"]);
    elder.stop().await;
    let elder = world.start().await;
    assert_eq!(limits(&elder), ["a db 2", "b db 2"]);
    world.write("p.yaml", &pool(5));
    sync(&elder).await;
    assert_eq!(findings(&elder), [""; 0]);
    assert_eq!(limits(&elder), ["a db 5", "b db 5"]);
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_that_is_removed_while_jobs_use_it_is_held_for_these() {
    let world = world(&[
        ("a.yaml", &jobs(&[("a", "db")])),
        ("p.yaml", &pool(2)),
        ("d.yaml", "jobs: { d: { run: x, schedule: manual } }"),
    ]);
    let elder = world.start().await;
    world.remove("p.yaml");
    world.write("a.yaml", &jobs(&[("a", "db"), ("b", "db")]));
    sync(&elder).await;
    assert_eq!(findings(&elder), ["W021 a.yaml 2", "W021 a.yaml 3"]);
    assert_eq!(limits(&elder), ["a db 2", "b db 2", "d -"]);
    // A file that did not use it cannot begin to.
    world.write("d.yaml", &jobs(&[("d", "db")]));
    sync(&elder).await;
    let dangling = ["W021 a.yaml 2", "W021 a.yaml 3", "E022 d.yaml 2"];
    assert_eq!(findings(&elder), dangling);
    elder.stop().await;
    // Across a restart, and until it comes back.
    let elder = world.start().await;
    sync(&elder).await;
    assert_eq!(findings(&elder), dangling);
    assert_eq!(limits(&elder), ["a db 2", "b db 2", "d -"]);
    world.write("z.yaml", &pool(7));
    sync(&elder).await;
    assert_eq!(findings(&elder), [""; 0]);
    assert_eq!(limits(&elder), ["a db 7", "b db 7", "d db 7"]);
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_files_that_claim_a_pool_the_one_that_holds_it_keeps_it() {
    let world = world(&[("b.yaml", &pool(2)), ("j.yaml", &jobs(&[("a", "db")]))]);
    let elder = world.start().await;
    world.write(
        "a.yaml",
        "pools: { more: { limit: 1 }, DB: { limit: 9 } }\n",
    );
    sync(&elder).await;
    assert_eq!(findings(&elder), ["E011 a.yaml 1"]);
    let status = elder.handle.status();
    assert!(
        status.findings[0]
            .message
            .starts_with("the pool name \"DB\" differs only in case from \"db\" in"),
        "{:?}",
        status.findings[0]
    );
    assert_eq!(limits(&elder), ["a db 2"]);
    // A calendar, a job and a pool may have one name.
    world.write(
        "a.yaml",
        "pools: { a: { limit: 1 }, more: { limit: 1 } }\ncalendars: { db: { dates: 2027-01-04 } }\n",
    );
    world.write("j.yaml", &jobs(&[("a", "db"), ("b", "a")]));
    sync(&elder).await;
    assert_eq!(findings(&elder), [""; 0]);
    assert_eq!(limits(&elder), ["a db 2", "b a 1"]);
    // A pool that changes its file is the same pool.
    world.write("a.yaml", "pools: { a: { limit: 1 }, db: { limit: 3 } }\n");
    world.write("b.yaml", "pools: {}\n");
    sync(&elder).await;
    assert_eq!(findings(&elder), [""; 0]);
    assert_eq!(limits(&elder), ["a db 3", "b a 1"]);
    elder.stop().await;
}
