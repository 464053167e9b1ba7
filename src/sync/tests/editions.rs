//! Editions of definitions: what a sync records of them, and what it tells the engine.

use std::process::Command;

use super::world::World;
use crate::decide::Edition;
use crate::model::ReloadTrigger;
use crate::sync::{SyncAnswer, SyncHandle};

async fn sync(handle: &SyncHandle) {
    let answer = handle.sync(ReloadTrigger::Api, None).await;
    assert!(matches!(answer, SyncAnswer::Done(_)), "{answer:?}");
}

/// Which keys each edition changed, `new` for one that says of none.
fn keys(editions: &[Edition]) -> Vec<String> {
    let keys = |edition: &Edition| match &edition.changed {
        None => "new".to_owned(),
        Some(fields) => {
            let keys: Vec<&str> = fields.iter().map(|field| &*field.key).collect();
            keys.join(" ")
        }
    };
    editions.iter().map(keys).collect()
}

fn told() -> World {
    let mut world = World::new(&[("a.yaml", "a 60 true"), ("b.yaml", "b 60 true")]);
    world.options.revision = Some("v1".into());
    world.options.author = Some("Ada".into());
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edition_is_remembered_with_the_reload_that_brought_it() {
    let world = told();
    let elder = world.start().await;
    let first = world.store.editions("a");
    assert_eq!(keys(&first), ["new"]);
    let edit = &first[0].edit;
    assert_eq!(edit.revision.as_deref(), Some("v1"));
    assert_eq!(edit.author.as_deref(), Some("Ada"));
    assert!(edit.at.is_some());
    world.write("a.yaml", "a 60 false");
    sync(&elder.handle).await;
    world.write("a.yaml", "a 90 false");
    sync(&elder.handle).await;
    assert_eq!(keys(&world.store.editions("a")), ["new", "run", "schedule"]);
    // Another line, another file, a comment: the same definition.
    world.write("a.yaml", "c 60 true\na 90 false");
    sync(&elder.handle).await;
    assert_eq!(world.store.editions("a").len(), 3);
    assert_eq!(
        keys(&world.store.editions("b")),
        ["new"],
        "nobody edited it"
    );
    let heard = elder.heard.lock().unwrap().editions.clone();
    assert_eq!(heard["a"], world.store.editions("a"));
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edition_that_could_not_be_recorded_is_recorded_with_the_rest() {
    let world = told();
    let elder = world.start_deaf().await;
    world.write("a.yaml", "a 60 false");
    // The look of the store before the change works, and its record does not.
    world.store.works_for(Some(1));
    sync(&elder.handle).await;
    assert_eq!(world.store.editions("a").len(), 1);
    world.store.works_for(None);
    sync(&elder.handle).await;
    assert_eq!(keys(&world.store.editions("a")), ["new", "run"]);
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_knows_the_editions_of_before_and_what_changed_while_it_was_away() {
    let world = told();
    let elder = world.start().await;
    elder.stop().await;
    world.write("a.yaml", "a 60 false");
    let elder = world.start().await;
    assert_eq!(keys(&world.store.editions("a")), ["new", "run"]);
    let heard = elder.heard.lock().unwrap().editions.clone();
    assert_eq!(keys(&heard["a"]), ["new", "run"]);
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_comes_back_has_its_editions_of_before() {
    let world = told();
    world.write("c.yaml", "c 60 true");
    let elder = world.start().await;
    world.store.succeed("c");
    world.remove("c.yaml");
    sync(&elder.handle).await;
    world.write("c.yaml", "c 60 false");
    sync(&elder.handle).await;
    let heard = elder.heard.lock().unwrap().editions.clone();
    assert_eq!(
        keys(&heard["c"]),
        ["new", "new", "new"],
        "before, and again"
    );
    assert_eq!(world.store.editions("c").len(), 2);
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_elder_of_before_did_not_record_is_made_up_for() {
    let world = told();
    let elder = world.start().await;
    elder.stop().await;
    world.store.forget_editions();
    let elder = world.start().await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while world.store.editions("b").is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "no first edition");
        tokio::task::yield_now().await;
    }
    let first = world.store.editions("b");
    assert_eq!(
        (keys(&first), first[0].edit.at),
        (vec!["new".to_owned()], None)
    );
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_editions_of_a_great_many_jobs_follow_the_start() {
    let jobs: String = (0..3_000).map(|n| format!("j{n} 60 true\n")).collect();
    let mut world = World::new(&[("many.yaml", &jobs)]);
    world.options.revision = Some("v1".into());
    let elder = world.start().await;
    assert!(elder.heard.lock().unwrap().editions.is_empty());
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while world.store.editions("j2999").is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "no first edition");
        tokio::task::yield_now().await;
    }
    let first = world.store.editions("j0");
    assert_eq!(first[0].edit.revision.as_deref(), Some("v1"));
    elder.stop().await;
}

/// Runs git in the world's folder.
fn git(world: &World, who: &str, line: &str) {
    let output = Command::new("git")
        .args([
            "-c",
            &format!("user.name={who}"),
            "-c",
            "user.email=x@example.com",
        ])
        .args(line.split_whitespace())
        .current_dir(world.dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "git {line}: {output:?}");
}

fn commit(world: &World, who: &str) {
    git(world, who, "add .");
    git(world, who, "commit -q -m x");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_in_no_commit_is_nobodys_also_while_its_folder_or_git_is_away() {
    let world = World::new(&[("a.yaml", "a 60 true")]);
    git(&world, "", "init -q -b main .");
    commit(&world, "Ada");
    let elder = world.start().await;
    let author = || {
        let newest = world.store.editions("a").pop().unwrap();
        newest.edit.author
    };
    assert_eq!(author().as_deref(), Some("Ada"));
    world.write("a.yaml", "a 60 false");
    sync(&elder.handle).await;
    assert_eq!(author(), None);
    let (folder, away) = (world.path(""), world.dir.path().join("away"));
    std::fs::rename(&folder, &away).unwrap();
    sync(&elder.handle).await;
    assert_eq!(author(), None, "its folder is away");
    std::fs::rename(&away, &folder).unwrap();
    sync(&elder.handle).await;
    assert_eq!(author(), None, "it is back");
    let index = world.dir.path().join(".git/index");
    let good = std::fs::read(&index).unwrap();
    std::fs::write(&index, "no index").unwrap();
    world.write("b.yaml", "b 60 true");
    sync(&elder.handle).await;
    assert_eq!(author(), None, "git does not say");
    std::fs::write(&index, good).unwrap();
    commit(&world, "Cem");
    sync(&elder.handle).await;
    assert_eq!(author().as_deref(), Some("Cem"));
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edition_is_of_whoever_changed_the_file_that_it_comes_of() {
    let world = World::new(&[("a.yaml", "a 60 true"), ("sub/b.yaml", "b 60 true")]);
    git(&world, "", "init -q -b main .");
    commit(&world, "Bob");
    let elder = world.start().await;
    let author = |job: &str| {
        let newest = world.store.editions(job).pop().unwrap();
        newest
            .edit
            .author
            .unwrap_or_else(|| "nobody".into())
            .to_string()
    };
    assert_eq!((author("a"), author("b")), ("Bob".into(), "Bob".into()));
    elder.stop().await;
    world.write("sub/_defaults.yaml", "nice");
    commit(&world, "Ada");
    world.write("README", "x");
    commit(&world, "Grace");
    let elder = world.start().await;
    assert_eq!(author("b"), "Ada", "who wrote its defaults, not its file");
    // Defaults in no commit yet are nobody's, and then of who commits them.
    world.write("_defaults.yaml", "ionice");
    sync(&elder.handle).await;
    assert_eq!(
        (author("a"), author("b")),
        ("nobody".into(), "nobody".into())
    );
    commit(&world, "Cem");
    sync(&elder.handle).await;
    assert_eq!((author("a"), author("b")), ("Cem".into(), "Cem".into()));
    // With the file's own edit it is who committed that, whatever was committed since.
    world.write("a.yaml", "a 60 false");
    sync(&elder.handle).await;
    commit(&world, "Dee");
    world.write("README", "y");
    commit(&world, "Grace");
    sync(&elder.handle).await;
    assert_eq!((author("a"), author("b")), ("Dee".into(), "Cem".into()));
    elder.stop().await;
}
