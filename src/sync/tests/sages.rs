//! Sages across files, edits, bad files and restarts, in the real language of job files.

use super::calendars::{findings, sync, world};
use super::world::Elder;

fn job(name: &str, sage: &str) -> String {
    format!("jobs: {{ {name}: {{ run: x, schedule: manual, on_failure: {sage} }} }}\n")
}

fn sage(after: u32) -> String {
    format!("sages: {{ ops: {{ run: tell, after: {after} }} }}\n")
}

/// `sage after` of each sage of the engine, and how many jobs it has.
fn sages(elder: &Elder) -> (Vec<String>, usize) {
    let heard = elder.heard.lock().unwrap();
    let sages = heard.sages.values();
    let shown = sages.map(|sage| format!("{} {}", sage.name, sage.after));
    (shown.collect(), heard.jobs.len())
}

fn one(after: u32, jobs: usize) -> (Vec<String>, usize) {
    (vec![format!("ops {after}")], jobs)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sage_that_changes_is_in_force_and_changes_no_job() {
    let world = world(&[("a.yaml", &job("a", "ops")), ("s.yaml", &sage(1))]);
    let elder = world.start_deaf().await;
    assert_eq!(sages(&elder), one(1, 1));
    world.write("s.yaml", &sage(4));
    let report = sync(&elder).await;
    assert_eq!(
        (report.rescheduled, report.changed, report.added),
        (0, 0, 0)
    );
    assert_eq!(report.result.as_str(), "applied");
    assert_eq!(sages(&elder), one(4, 1));
    // What is bad keeps what it last was.
    world.write("s.yaml", "sages: { ops: { run: tell, after: often } }\n");
    sync(&elder).await;
    assert_eq!(findings(&elder), ["E004 s.yaml 1"]);
    assert_eq!(sages(&elder), one(4, 1));
    elder.stop().await;
    let elder = world.start().await;
    assert_eq!(sages(&elder), one(4, 1));
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sage_that_is_removed_while_jobs_name_it_is_held_for_these() {
    let world = world(&[
        ("a.yaml", &job("a", "ops")),
        ("s.yaml", &sage(2)),
        ("d.yaml", "jobs: { d: { run: x, schedule: manual } }"),
    ]);
    let elder = world.start().await;
    world.remove("s.yaml");
    sync(&elder).await;
    assert_eq!(findings(&elder), ["W021 a.yaml 1"]);
    assert_eq!(sages(&elder), one(2, 2));
    // A file that did not name it cannot begin to.
    world.write("d.yaml", &job("d", "ops"));
    sync(&elder).await;
    let dangling = ["W021 a.yaml 1", "E022 d.yaml 1"];
    assert_eq!(findings(&elder), dangling);
    elder.stop().await;
    // Across a restart, also when the file that names it is touched, and until it comes back.
    let elder = world.start().await;
    assert_eq!(sages(&elder), one(2, 2));
    world.write("a.yaml", &format!("# touched\n{}", job("a", "ops")));
    sync(&elder).await;
    assert_eq!(sages(&elder), one(2, 2));
    world.write("z.yaml", &sage(7));
    sync(&elder).await;
    assert_eq!(findings(&elder), [""; 0]);
    assert_eq!(sages(&elder), one(7, 2));
    // Once no job names it, it goes.
    world.remove("z.yaml");
    world.write("a.yaml", "jobs: { a: { run: x, schedule: manual } }\n");
    world.write("d.yaml", "jobs: { d: { run: x, schedule: manual } }\n");
    sync(&elder).await;
    assert_eq!(sages(&elder), (Vec::new(), 2));
    elder.stop().await;
}
