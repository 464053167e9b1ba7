//! Freezes of the sync: what waits, for how long, and who lets it in.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::time;

use super::world::World;
use crate::clock::HandClock;
use crate::model::{ReloadResult, ReloadTrigger, SyncWindow, WindowKind};
use crate::schedule::{Item, Schedule, Zone};
use crate::sync::{Confirm, Pass, SyncAnswer, SyncHandle, SyncState};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Each day from 10:00 on, for an hour.
fn morning() -> SyncWindow {
    let item = Item::daily(&[time(10, 0, 0, 0)], Zone::utc()).unwrap();
    SyncWindow {
        kind: WindowKind::Deny,
        schedule: Arc::new(Schedule::new(vec![item])),
        text: "daily: \"10:00\"".into(),
        length: Duration::from_secs(3600),
        reason: Some("the morning rush".into()),
    }
}

/// A world at 10:30, within the window.
fn frozen(files: &[(&str, &str)]) -> (World, HandClock) {
    let mut world = World::new(files);
    let clock = HandClock::new(at("2027-01-01T10:30:00Z"));
    world.clock = Arc::new(clock.clone());
    *world.toy.windows.lock().unwrap() = vec![morning()];
    (world, clock)
}

async fn sync(
    handle: &SyncHandle,
    confirm: Option<Confirm>,
    pass: Pass,
) -> crate::model::ReloadReport {
    match handle.sync_by(ReloadTrigger::Api, confirm, pass).await {
        SyncAnswer::Done(report) => *report,
        other => panic!("{other:?}"),
    }
}

const UNTIL: &str = "a change is held until 2027-01-01T11:00:00Z (the morning rush)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_waits_for_the_end_of_the_window_and_then_comes_in_by_itself() {
    let (world, clock) = frozen(&[("a.yaml", "a 60 true\nb 60 true")]);
    let elder = world.start().await;
    assert_eq!(
        elder.jobs(),
        ["a=true", "b=true"],
        "a first load waits for nobody"
    );
    let status = elder.handle.status();
    assert_eq!(status.state, SyncState::Synced);
    let freeze = status.freeze.clone().unwrap();
    assert_eq!(
        (freeze.until, &*freeze.why),
        (Some(at("2027-01-01T11:00:00Z")), "the morning rush")
    );
    world.log();

    world.write("a.yaml", "a 60 false\nb 60 true\nc 60 true");
    let report = sync(&elder.handle, None, Pass::Windows).await;
    assert_eq!(report.result, ReloadResult::Held);
    let waits = report.waits.unwrap();
    assert!(waits.starts_with(UNTIL), "{waits}");
    assert!(
        waits.contains("1 added, 1 changed (added: c; changed: a)"),
        "{waits}"
    );
    assert_eq!(elder.jobs(), ["a=true", "b=true"]);
    assert!(
        world.log().is_empty(),
        "neither store nor engine heard of it"
    );
    let status = elder.handle.status();
    assert_eq!((status.state, &status.reason), (SyncState::Held, &waits));
    assert_eq!(
        status.waiting.as_ref().unwrap().since,
        at("2027-01-01T10:30:00Z")
    );
    // Asked again it waits still, and is told of once.
    let again = sync(&elder.handle, None, Pass::Windows).await;
    assert_eq!(
        (again.result, again.waits),
        (ReloadResult::Held, Some(waits))
    );

    clock.advance(Duration::from_secs(1800));
    elder.has(&["a=false", "b=true", "c=true"]).await;
    let report = sync(&elder.handle, None, Pass::Windows).await;
    assert_eq!(report.waits, None);
    let status = elder.handle.status();
    assert_eq!(
        (status.state, status.freeze.clone(), status.waiting.clone()),
        (SyncState::Synced, None, None)
    );
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_back_within_the_window_waits_no_more_and_moved_lines_never_do() {
    let (world, _clock) = frozen(&[("a.yaml", "a 60 true\nb 60 true")]);
    let elder = world.start().await;
    world.write("a.yaml", "a 60 false\nb 60 true");
    sync(&elder.handle, None, Pass::Windows).await;
    assert_eq!(elder.handle.status().state, SyncState::Held);
    world.write("a.yaml", "a 60 true\nb 60 true");
    let report = sync(&elder.handle, None, Pass::Windows).await;
    assert_eq!(report.waits, None);
    assert_eq!(elder.handle.status().state, SyncState::Synced);
    world.write("a.yaml", "b 60 true\na 60 true");
    let report = sync(&elder.handle, None, Pass::Windows).await;
    assert_eq!(report.waits, None);
    assert_eq!(elder.handle.status().state, SyncState::Synced);
    let line = elder.heard.lock().unwrap().jobs["a"].origin.line;
    assert_eq!(line, 2, "it is in force where it stands now");
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_says_which_jobs_the_guard_would_keep() {
    let (world, _clock) = frozen(&[("a.yaml", "a 60 true\nb 60 true"), ("c.yaml", "c 60 true")]);
    let elder = world.start().await;
    world.remove("a.yaml");
    let waits = sync(&elder.handle, None, Pass::Windows)
        .await
        .waits
        .unwrap();
    let gone = "2 gone from the files, to be held until confirmed: a, b";
    assert!(waits.starts_with(UNTIL) && waits.contains(gone), "{waits}");
    world.write("c.yaml", "c 60 false");
    let waits = sync(&elder.handle, None, Pass::Windows)
        .await
        .waits
        .unwrap();
    let both = format!("1 changed (changed: c); {gone}");
    assert!(waits.contains(&both), "{waits}");
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_that_is_confirmed_in_a_freeze_comes_in_when_the_window_closes() {
    let (world, clock) = frozen(&[("a.yaml", "a 60 true\nb 60 true"), ("c.yaml", "c 60 true")]);
    let elder = world.start().await;
    world.remove("a.yaml");
    sync(&elder.handle, None, Pass::Force).await;
    assert_eq!(elder.jobs(), ["a*=true", "b*=true", "c=true"]);
    let confirm = Confirm {
        names: None,
        pending: None,
    };
    let report = sync(&elder.handle, Some(confirm), Pass::Windows).await;
    assert!(report.waits.unwrap().contains("2 removed"));
    // Another change meanwhile takes nothing of it back.
    world.write("c.yaml", "c 60 false");
    let report = sync(&elder.handle, None, Pass::Windows).await;
    assert!(report.waits.unwrap().contains("2 removed"));
    assert_eq!(elder.jobs(), ["a*=true", "b*=true", "c=true"]);
    clock.advance(Duration::from_secs(1800));
    elder.has(&["c=false"]).await;
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_that_cannot_be_read_back_come_in_again_at_a_start_in_a_freeze() {
    let (world, _clock) = frozen(&[("a.yaml", "a 60 true"), ("b.yaml", "b 60 true")]);
    world.boot().await.unwrap();
    world.store.spoil("a.yaml");
    let (elder, _) = world.boot().await.unwrap();
    assert_eq!(elder.jobs(), ["a=true", "b=true"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_the_last_set_goes_on_and_the_new_one_waits() {
    let (world, clock) = frozen(&[("a.yaml", "a 60 true\nb 60 true")]);
    world.boot().await.unwrap();
    world.log();
    world.write("a.yaml", "a 90 false\nc 60 true");
    let (mut elder, report) = world.boot().await.unwrap();
    assert_eq!(report.result, ReloadResult::Held);
    assert_eq!(world.log(), ["apply: recalled +a +b", "apply: first"]);
    assert_eq!(elder.jobs(), ["a=true", "b=true"]);
    assert_eq!(elder.handle.status().state, SyncState::Held);
    assert_eq!(world.store.rows(), ["a.yaml: a b"], "as it was");
    elder.serve();
    clock.advance(Duration::from_secs(1800));
    elder.has(&["a=false", "c=true"]).await;
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_closes_while_elder_looks_is_not_waited_for_any_longer() {
    let (world, clock) = frozen(&[("a.yaml", "a 60 true")]);
    world.start().await.stop().await;
    world.write("a.yaml", "a 60 false");
    let (mut elder, report) = world.boot().await.unwrap();
    assert!(report.waits.is_some());
    clock.advance(Duration::from_secs(1800));
    elder.hear_nothing();
    elder.serve();
    // Long before the regular look.
    elder.has(&["a=false"]).await;
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_forces_it_lets_it_in_and_nobody_else_does() {
    let (world, _clock) = frozen(&[("a.yaml", "a 60 true\nb 60 true"), ("c.yaml", "c 60 true")]);
    let elder = world.start_deaf().await;
    world.remove("a.yaml");
    let report = sync(&elder.handle, None, Pass::Windows).await;
    assert_eq!(report.result, ReloadResult::Held);
    assert_eq!(elder.jobs(), ["a=true", "b=true", "c=true"]);
    // What is confirmed is a change as well.
    let confirm = Confirm {
        names: None,
        pending: None,
    };
    let report = sync(&elder.handle, Some(confirm.clone()), Pass::Windows).await;
    assert!(report.waits.is_some());
    // By force it comes in, and the guard of removals still stands.
    let report = sync(&elder.handle, None, Pass::Force).await;
    assert_eq!((report.result, report.waits), (ReloadResult::Held, None));
    assert_eq!(elder.jobs(), ["a*=true", "b*=true", "c=true"]);
    let report = sync(&elder.handle, Some(confirm), Pass::Force).await;
    assert_eq!((report.result, report.removed), (ReloadResult::Applied, 2));
    assert_eq!(elder.jobs(), ["c=true"]);
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_that_is_lifted_lets_in_what_waits_at_the_next_look() {
    let (world, _clock) = frozen(&[("a.yaml", "a 60 true")]);
    let elder = world.start_deaf().await;
    world.write("a.yaml", "a 60 false");
    sync(&elder.handle, None, Pass::Windows).await;
    world.toy.windows.lock().unwrap().clear();
    let report = sync(&elder.handle, None, Pass::Windows).await;
    assert_eq!((report.result, report.changed), (ReloadResult::Applied, 1));
    assert_eq!(elder.jobs(), ["a=false"]);
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_file_is_told_of_in_a_freeze_too() {
    let (world, _clock) = frozen(&[("a.yaml", "a 60 true"), ("b.yaml", "b 60 true")]);
    let elder = world.start().await;
    world.write("a.yaml", "! nonsense");
    let report = sync(&elder.handle, None, Pass::Windows).await;
    assert_eq!(report.result, ReloadResult::Partial);
    assert_eq!(elder.handle.status().state, SyncState::Invalid);
    elder.stop().await;
}
