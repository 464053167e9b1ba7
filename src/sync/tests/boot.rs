//! Starts: the first one, and those after a stop or a crash.

use std::fs;
use std::sync::Arc;

use super::world::World;
use crate::model::{ReloadResult, ReloadTrigger};
use crate::sync::{BootError, Options, SyncState};

#[tokio::test]
async fn the_first_start_records_the_names_then_applies_then_records_the_files() {
    let world = World::new(&[
        ("a.yaml", "a 60 true\nb 60 true"),
        ("sub/c.yaml", "c 60 true"),
    ]);
    let (elder, report) = world.boot().await.unwrap();
    assert_eq!(
        world.log(),
        [
            "commit: seen a, seen b, seen c",
            "apply: first +a +b +c",
            "commit: file a.yaml, file sub/c.yaml",
        ]
    );
    assert_eq!(report.result, ReloadResult::Applied);
    assert_eq!(report.trigger, ReloadTrigger::Start);
    assert_eq!((report.added, report.jobs, report.files), (3, 3, 2));
    let status = elder.handle.status();
    assert_eq!(status.state, SyncState::Synced);
    assert_eq!(status.reason, "");
    assert!(status.applied_at.is_some());
    assert_eq!(world.store.rows(), ["a.yaml: a b", "sub/c.yaml: c"]);
}

#[tokio::test]
async fn a_restart_begins_with_the_old_set_and_its_marks() {
    let world = World::new(&[
        ("a.yaml", "a 60 true\nb 60 true\nd 60 true"),
        ("c.yaml", "c 60 true"),
    ]);
    world.boot().await.unwrap();
    world.log();
    let seen = world.store.mark("a").unwrap();
    world.write("a.yaml", "a 90 true\nb 60 true\ne 60 true");
    let (elder, report) = world.boot().await.unwrap();
    assert_eq!(
        world.log(),
        [
            "apply: recalled +a +b +d +c",
            "commit: seen e",
            "apply: first -d ~a +e",
            "recorded?",
            "commit: file a.yaml, mark a, mark d, gone d",
        ]
    );
    assert_eq!(elder.heard.lock().unwrap().marks["a"], seen);
    assert!(world.store.mark("a").unwrap().mark > seen.mark);
    assert_eq!(
        (report.added, report.rescheduled, report.removed),
        (1, 1, 1)
    );
}

#[tokio::test]
async fn a_name_that_a_cut_off_start_has_seen_is_gone_when_no_file_defines_it() {
    let world = World::new(&[("a.yaml", "a 60 true"), ("b.yaml", "b 60 true")]);
    // The names are seen, and nothing more is recorded.
    world.store.works_for(Some(1));
    assert!(world.boot().await.is_err());
    world.store.works_for(None);
    world.log();
    let seen = world.store.mark("b").unwrap();
    world.remove("b.yaml");
    world.boot().await.unwrap();
    assert_eq!(
        world.log(),
        [
            "commit: seen a",
            "apply: first +a",
            "recorded?",
            "commit: file a.yaml, mark b, gone b",
        ]
    );
    let gone = world.store.mark("b").unwrap();
    assert!(gone.gone_at.is_some() && gone.mark > seen.mark);
    assert!(world.store.mark("a").unwrap().gone_at.is_none());
}

#[tokio::test]
async fn a_job_that_takes_a_name_that_was_only_seen_is_not_gone() {
    let world = World::new(&[("a.yaml", "old 60 true")]);
    world.boot().await.unwrap();
    // A start sees the other name, and dies before it records more.
    world.write("a.yaml", "new 60 true");
    world.store.works_for(Some(1));
    assert!(world.boot().await.is_err());
    world.store.works_for(None);
    assert!(world.store.mark("new").unwrap().gone_at.is_none());
    world.write("a.yaml", "new 60 true aka=old");
    world.log();
    let (elder, report) = world.boot().await.unwrap();
    assert_eq!(report.renamed, 1);
    assert_eq!(elder.jobs(), ["new=true aka=old"]);
    assert_eq!(
        world.log(),
        [
            "apply: recalled +old",
            "commit: gone new",
            "apply: rename old new, file a.yaml",
            "recorded?",
            "apply: first ~new",
            "commit: file a.yaml",
        ]
    );
    assert!(world.store.mark("new").unwrap().gone_at.is_none());
    assert!(world.store.mark("old").is_none());
}

#[tokio::test]
async fn a_restart_without_a_change_still_sends_the_first_change() {
    let world = World::new(&[("a.yaml", "a 60 true")]);
    world.boot().await.unwrap();
    world.log();
    let (elder, report) = world.boot().await.unwrap();
    assert_eq!(world.log(), ["apply: recalled +a", "apply: first"]);
    assert_eq!(report.result, ReloadResult::Unchanged);
    assert_eq!(elder.jobs(), ["a=true"]);
}

#[tokio::test]
async fn definitions_that_are_as_they_were_are_not_held_twice() {
    let world = World::new(&[("a.yaml", "a 60 true\nb 60 true\nc 60 true")]);
    world.boot().await.unwrap();
    world.log();
    // Two jobs on other lines, a third another job.
    world.write("a.yaml", "b 60 true\na 60 true\nc 60 false");
    let (elder, _) = world.boot().await.unwrap();
    assert_eq!(world.log()[1], "apply: first ~c ~b ~a");
    let heard = elder.heard.lock().unwrap();
    let is_shared = |name: &str| Arc::ptr_eq(&heard.recalled[name], &heard.jobs[name].definition);
    assert_eq!(["a", "b", "c"].map(is_shared), [true, true, false]);
    assert_eq!(heard.jobs["a"].origin.line, 2);
}

#[tokio::test]
async fn what_a_bad_file_last_defined_comes_back_after_a_restart() {
    let world = World::new(&[("a.yaml", "a 60 true"), ("b.yaml", "b 60 true")]);
    world.boot().await.unwrap();
    world.write("a.yaml", "!");
    world.write("new.yaml", "!");
    let (elder, report) = world.boot().await.unwrap();
    assert_eq!(elder.jobs(), ["a=true", "b=true"]);
    assert_eq!(report.result, ReloadResult::Partial);
    assert_eq!(elder.handle.status().state, SyncState::Invalid);
    assert_eq!(report.findings.len(), 2);
    // And again, from a store that was written while it was bad.
    let (elder, _) = world.boot().await.unwrap();
    assert_eq!(elder.jobs(), ["a=true", "b=true"]);
    world.remove("a.yaml");
    let (elder, _) = world.boot().await.unwrap();
    assert_eq!(elder.jobs(), ["a*=true", "b=true"], "new.yaml is still bad");
}

#[tokio::test]
async fn last_good_defaults_serve_after_a_restart() {
    let world = World::new(&[("_defaults.yaml", "nice"), ("a.yaml", "a 60 true")]);
    world.boot().await.unwrap();
    world.write("_defaults.yaml", "!");
    world.write("a.yaml", "a 60 false");
    let (elder, _) = world.boot().await.unwrap();
    assert_eq!(elder.jobs(), ["a=nice false"]);
    world.remove("_defaults.yaml");
    let (elder, _) = world.boot().await.unwrap();
    assert_eq!(elder.jobs(), ["a=false"], "deleted counts as deleted");
}

#[tokio::test]
async fn a_lost_path_goes_on_after_a_restart() {
    let world = World::new(&[("a.yaml", "a 60 true")]);
    world.boot().await.unwrap();
    world.log();
    fs::rename(world.path(""), world.dir.path().join("away")).unwrap();
    let (elder, report) = world.boot().await.unwrap();
    assert_eq!(world.log(), ["apply: recalled +a", "apply: first"]);
    assert_eq!(report.result, ReloadResult::Rejected);
    let status = elder.handle.status();
    assert_eq!(status.state, SyncState::SourceLost);
    assert!(
        status.reason.contains("no such file or folder"),
        "{}",
        status.reason
    );
    let sources = elder.ear.sources.lock().unwrap().clone();
    assert_eq!(sources.len(), 1);
    assert!(sources[0].1);
}

#[tokio::test]
async fn holds_survive_a_restart_each_with_its_cause() {
    let world = World::new(&[
        ("a.yaml", "a 60 true\nb 60 true\nc 60 true"),
        ("d.yaml", "d 60 true"),
    ]);
    world.boot().await.unwrap();
    world.write("a.yaml", "a 60 true");
    world.write("d.yaml", "!");
    // b and c go while d.yaml is bad.
    let (elder, _) = world.boot().await.unwrap();
    assert_eq!(elder.jobs(), ["a=true", "b*=true", "c*=true", "d=true"]);
    assert_eq!(
        world.store.rows(),
        ["//held/unsettled: b c", "a.yaml: a", "d.yaml: d"]
    );
    world.boot().await.unwrap();
    // All can be read now; half of the PATH is no more than the limit, so they go.
    world.write("d.yaml", "d 60 true");
    let (elder, _) = world.boot().await.unwrap();
    assert_eq!(elder.jobs(), ["a=true", "d=true"]);
    // Three of four would be too many.
    world.write("d.yaml", "d 60 true\ne 60 true\nf 60 true");
    world.boot().await.unwrap();
    world.remove("d.yaml");
    world.boot().await.unwrap();
    let (elder, report) = world.boot().await.unwrap();
    assert_eq!(elder.jobs(), ["a=true", "d*=true", "e*=true", "f*=true"]);
    assert_eq!(report.held, ["d", "e", "f"]);
    assert_eq!(world.store.rows(), ["//held/guard: d e f", "a.yaml: a"]);
    assert_eq!(elder.handle.status().state, SyncState::Held);
}

#[tokio::test]
async fn a_path_that_is_no_longer_named_is_let_go() {
    let mut world = World::new(&[("a.yaml", "a 60 true")]);
    let other = world.dir.path().join("other");
    super::world::write(&other.join("o.yaml"), "o 60 true\np 60 true");
    world.paths.push(other);
    world.boot().await.unwrap();
    world.paths.pop();
    world.write("b.yaml", "p 60 true");
    let (elder, _) = world.boot().await.unwrap();
    assert_eq!(elder.jobs(), ["a=true", "p=true"]);
    let notices = elder.ear.notices.lock().unwrap().clone();
    assert_eq!(notices.len(), 1);
    assert!(notices[0].ends_with("its jobs go: o"), "{notices:?}");
    assert_eq!(world.store.rows(), ["a.yaml: a", "b.yaml: p"]);
}

#[tokio::test]
async fn reasons_not_to_start() {
    let world = |options, files: &[(&str, &str)]| {
        let mut world = World::new(files);
        world.options = options;
        world
    };
    let good = [("a.yaml", "a 60 true")];
    let strict = || Options {
        strict: true,
        ..Options::default()
    };
    let refused = world(strict(), &[("a.yaml", "!"), ("b.yaml", "b 60 true")]);
    let error = refused.boot().await.err().unwrap();
    assert!(matches!(error, BootError::Strict { bad: 1, ref findings } if findings.len() == 1));
    assert!(refused.log().is_empty(), "nothing was recorded or applied");
    assert!(world(strict(), &good).boot().await.is_ok());

    let missing = World::new(&good);
    fs::remove_dir_all(missing.path("")).unwrap();
    let error = missing.boot().await.err().unwrap();
    assert!(matches!(error, BootError::NeverLoaded { .. }), "{error}");

    let error = World::new(&[]).boot().await.err().unwrap();
    assert!(matches!(error, BootError::Empty { .. }), "{error}");
    let allowed = Options {
        allow_empty: true,
        ..Options::default()
    };
    assert!(world(allowed, &[]).boot().await.is_ok());

    let broken = World::new(&good);
    broken.store.works_for(Some(0));
    let error = broken.boot().await.err().unwrap();
    assert!(matches!(error, BootError::Store(_)), "{error}");
    assert_eq!(broken.log(), ["store fails"]);
}

#[tokio::test]
async fn the_default_path_may_be_missing_until_it_held_a_job() {
    let mut world = World::new(&[]);
    world.options.default_path = true;
    assert!(world.boot().await.is_ok(), "empty");
    fs::remove_dir(world.path("")).unwrap();
    let (elder, _) = world.boot().await.unwrap();
    assert_eq!(elder.handle.status().state, SyncState::Synced);
    world.write("a.yaml", "a 60 true");
    let (elder, _) = world.boot().await.unwrap();
    assert_eq!(elder.jobs(), ["a=true"]);
    fs::remove_dir_all(world.path("")).unwrap();
    let (elder, _) = world.boot().await.unwrap();
    assert_eq!(elder.jobs(), ["a=true"]);
    assert_eq!(elder.handle.status().state, SyncState::SourceLost);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_back_is_told_and_the_file_counts() {
    let world = World::new(&[("a.yaml", "a 60 true"), ("b.yaml", "b 60 true")]);
    world.boot().await.unwrap();
    world.store.spoil("a.yaml");
    let (elder, _) = world.boot().await.unwrap();
    assert_eq!(elder.jobs(), ["a=true", "b=true"]);
    let notices = elder.ear.notices.lock().unwrap().clone();
    assert!(
        notices[0].contains("a.yaml last defined cannot be read back"),
        "{notices:?}"
    );
    assert_eq!(
        world.store.rows(),
        ["a.yaml: a", "b.yaml: b"],
        "it is written anew"
    );
}
