//! A sync at work: edits, requests, confirmations, a store that fails.

use std::fs;
use std::future::Future;
use std::os::unix::fs::symlink;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use proptest::prelude::*;

use super::world::{Elder, World, command};
use crate::model::{ReloadReport, ReloadResult, ReloadTrigger};
use crate::sync::{Confirm, SyncAnswer, SyncHandle, SyncState};

async fn sync(handle: &SyncHandle) -> ReloadReport {
    match handle.sync(ReloadTrigger::Api, None).await {
        SyncAnswer::Done(report) => *report,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_is_in_force_without_anyone_asking() {
    let world = World::new(&[("a.yaml", "a 60 true"), ("b.yaml", "b 60 true")]);
    let elder = world.start().await;
    world.write("a.yaml", "a 60 false");
    elder.has(&["a=false", "b=true"]).await;
    world.write("c.yaml", "c 60 true");
    elder.has(&["a=false", "b=true", "c=true"]).await;
    world.remove("b.yaml");
    elder.has(&["a=false", "c=true"]).await;
    // The engine has it before the reload has told; the next one begins after that.
    sync(&elder.handle).await;
    let reports = elder.ear.reports.lock().unwrap().clone();
    let last = reports.iter().rfind(|report| report.removed == 1).unwrap();
    assert_eq!(last.trigger, ReloadTrigger::Watch);
    assert_eq!(last.result, ReloadResult::Applied);
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_touches_its_own_row_alone_and_checks_its_own_file_alone() {
    let files: Vec<(String, String)> = (0..50)
        .map(|n| (format!("{n:02}.yaml"), format!("j{n} 60 true")))
        .collect();
    let borrowed: Vec<_> = files.iter().map(|(a, b)| (&**a, &**b)).collect();
    let world = World::new(&borrowed);
    let elder = world.start_deaf().await;
    sync(&elder.handle).await;
    world.log();
    let before = world.toy.checked.load(Ordering::SeqCst);
    world.write("07.yaml", "j7 60 false");
    let report = sync(&elder.handle).await;
    assert_eq!(world.log(), ["apply: ~j7", "commit: file 07.yaml"]);
    assert_eq!(world.toy.checked.load(Ordering::SeqCst), before + 1);
    assert_eq!(
        (report.changed, report.rescheduled, report.jobs),
        (1, 0, 50)
    );
    // A comment: the row's hash follows, the engine need not know.
    world.write("07.yaml", "j7 60 false\n");
    let report = sync(&elder.handle).await;
    assert_eq!(world.log(), ["commit: file 07.yaml"]);
    assert_eq!(report.result, ReloadResult::Unchanged);
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn defaults_reach_the_files_below_them_and_no_other() {
    let world = World::new(&[
        ("a.yaml", "a 60 true"),
        ("team/b.yaml", "b 60 true"),
        ("team/sub/c.yaml", "c 60 true"),
    ]);
    let elder = world.start_deaf().await;
    for (text, b, c) in [
        (Some("nice"), "b=nice true", "c=nice true"),
        (Some("ionice"), "b=ionice true", "c=ionice true"),
        (Some("!"), "b=ionice true", "c=ionice true"),
        (Some("sudo"), "b=sudo true", "c=sudo true"),
        (None, "b=true", "c=true"),
    ] {
        match text {
            Some(text) => world.write("team/_defaults.yaml", text),
            None => world.remove("team/_defaults.yaml"),
        }
        let report = sync(&elder.handle).await;
        assert_eq!(elder.jobs(), ["a=true", b, c], "{text:?}");
        assert_eq!(report.findings.len(), usize::from(text == Some("!")));
    }
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_read_again_at_a_bad_moment_counts_once_it_is_as_before() {
    let world = World::new(&[("a.yaml", "a 60 true"), ("_defaults.yaml", "nice")]);
    let elder = world.start_deaf().await;
    // Its own bytes are those of ever; only what it inherits is another.
    world.write("_defaults.yaml", "ionice");
    let file = world.path("a.yaml");
    let leave = move || std::fs::remove_file(file).unwrap();
    *world.toy.meanwhile.lock().unwrap() = Some(Box::new(leave));
    sync(&elder.handle).await;
    assert_eq!(elder.handle.status().state, SyncState::Invalid);
    world.write("a.yaml", "a 60 true");
    sync(&elder.handle).await;
    assert_eq!(elder.handle.status().state, SyncState::Synced);
    let in_force = elder.handle.status().in_force.clone();
    let commands: Vec<_> = in_force.jobs().map(command).collect();
    assert_eq!(commands, ["ionice true"]);
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_pointed_elsewhere_means_other_folders() {
    let mut world = World::new(&[]);
    let dir = world.dir.path().canonicalize().unwrap();
    for version in ["v1", "v2"] {
        super::world::write(&dir.join(version).join("a.yaml"), "a 60 cd $PWD");
    }
    symlink("v1", dir.join("current")).unwrap();
    world.paths = vec![dir.join("current")];
    let elder = world.start().await;
    let at = |version: &str| format!("a=cd {}", dir.join(version).display());
    assert_eq!(elder.jobs(), [at("v1")]);
    symlink("v2", dir.join("next")).unwrap();
    fs::rename(dir.join("next"), dir.join("current")).unwrap();
    elder.has(&[&at("v2")]).await;
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_goes_is_lost_and_is_in_force_again_when_it_returns() {
    let world = World::new(&[("a.yaml", "a 60 true")]);
    let elder = world.start().await;
    let mut status = elder.handle.watch();
    let away = world.dir.path().join("away");
    fs::rename(world.path(""), &away).unwrap();
    let lost = status.wait_for(|status| status.state == SyncState::SourceLost);
    tokio::time::timeout(Duration::from_secs(20), lost)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(elder.jobs(), ["a=true"]);
    fs::write(away.join("a.yaml"), "a 60 false").unwrap();
    fs::rename(&away, world.path("")).unwrap();
    elder.has(&["a=false"]).await;
    let synced = status.wait_for(|status| status.state == SyncState::Synced);
    tokio::time::timeout(Duration::from_secs(20), synced)
        .await
        .unwrap()
        .unwrap();
    let sources = elder.ear.sources.lock().unwrap().clone();
    let states: Vec<bool> = sources.iter().map(|(_, lost)| *lost).collect();
    assert_eq!(states, [true, false]);
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_files_that_claim_a_name_are_both_shown() {
    let world = World::new(&[("a.yaml", "a 60 true"), ("b.yaml", "b 60 true")]);
    let elder = world.start_deaf().await;
    world.write("b.yaml", "b 60 true\na 60 false");
    let report = sync(&elder.handle).await;
    assert_eq!(report.result, ReloadResult::Partial);
    assert_eq!(elder.jobs(), ["a=true", "b=true"]);
    let finding = &report.findings[0];
    assert_eq!(
        (finding.at.place.line, &*finding.at.line),
        (2, "a 60 false")
    );
    let also = finding.also.as_ref().unwrap();
    assert_eq!((also.place.line, &*also.line), (1, "a 60 true"));
    assert!(also.place.file.ends_with("a.yaml"));
    world.write("b.yaml", "b 60 true\nc 60 true");
    let report = sync(&elder.handle).await;
    assert_eq!(report.result, ReloadResult::Applied);
    assert_eq!(elder.jobs(), ["a=true", "b=true", "c=true"]);
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_removals_are_carried_out_for_who_saw_them() {
    let world = World::new(&[("a.yaml", "a 60 true\nb 60 true\nc 60 true")]);
    let elder = world.start_deaf().await;
    world.write("a.yaml", "x 60 true");
    let report = sync(&elder.handle).await;
    assert_eq!(report.result, ReloadResult::Held);
    assert_eq!(report.held, ["a", "b", "c"]);
    assert_eq!(elder.jobs(), ["a*=true", "b*=true", "c*=true", "x=true"]);
    let status = elder.handle.status();
    assert_eq!(status.state, SyncState::Held);
    assert_eq!(status.pending, ["a", "b", "c"]);
    let confirm = |names: Option<&[&str]>, pending: Option<&str>| Confirm {
        names: names.map(|names| names.iter().map(ToString::to_string).collect()),
        pending: pending.map(str::to_owned),
    };
    for refused in [
        confirm(None, Some("something else")),
        confirm(Some(&["x"]), None),
        confirm(Some(&["a", "x"]), Some(&status.pending_hash)),
    ] {
        let answer = elder.handle.sync(ReloadTrigger::Api, Some(refused)).await;
        let SyncAnswer::PendingChanged { pending, hash } = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(pending, ["a", "b", "c"]);
        assert_eq!(hash, status.pending_hash);
    }
    let some = confirm(Some(&["b"]), Some(&status.pending_hash));
    let answer = elder.handle.sync(ReloadTrigger::Api, Some(some)).await;
    let SyncAnswer::Done(report) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(
        (report.removed, report.held),
        (1, vec!["a".to_owned(), "c".to_owned()])
    );
    // One comes back by itself, the other is confirmed without a name.
    world.write("a.yaml", "x 60 true\nc 60 true");
    let answer = elder
        .handle
        .sync(ReloadTrigger::Api, Some(confirm(None, None)))
        .await;
    assert!(matches!(answer, SyncAnswer::Done(_)), "{answer:?}");
    assert_eq!(elder.jobs(), ["c=true", "x=true"]);
    assert_eq!(elder.handle.status().state, SyncState::Synced);
    assert_eq!(world.store.rows(), ["a.yaml: x c"]);
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_come_together_share_a_reload_and_each_gets_its_answer() {
    let world = World::new(&[("a.yaml", "a 60 true")]);
    let (mut elder, _) = world.boot().await.unwrap();
    let before = elder.ear.reports.lock().unwrap().len();
    let mut asked: Vec<_> = (0..40)
        .map(|n| {
            let handle = elder.handle.clone();
            let trigger = [ReloadTrigger::Api, ReloadTrigger::Signal][n % 2];
            (
                trigger,
                Box::pin(async move { handle.sync(trigger, None).await }),
            )
        })
        .collect();
    for (_, request) in &mut asked {
        // Nobody serves yet: each goes into the line and no further.
        let first = std::future::poll_fn(|context| Poll::Ready(request.as_mut().poll(context)));
        assert!(first.await.is_pending());
    }
    elder.serve();
    for (trigger, request) in asked {
        let SyncAnswer::Done(report) = request.await else {
            panic!("a request was not carried out");
        };
        assert_eq!(report.trigger, trigger);
    }
    let reloads = elder.ear.reports.lock().unwrap().len() - before;
    assert_eq!(reloads, 1);
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_much_is_kept_of_a_jobs_past_goes_into_the_store_with_the_edit() {
    let world = World::new(&[("a.yaml", "a 60 true\nb 60 keep=7")]);
    let elder = world.start().await;
    sync(&elder.handle).await;
    let log = world.log();
    let seen = |log: &[String]| {
        let seen = log.iter().filter(|line| line.contains("seen "));
        seen.cloned().collect::<Vec<_>>()
    };
    assert_eq!(seen(&log), ["commit: seen a, seen b 7 7776000s"]);
    world.write("a.yaml", "a 60 keep=5\nb 60 true");
    sync(&elder.handle).await;
    assert_eq!(
        seen(&world.log()),
        ["commit: file a.yaml, seen a 5 7776000s, seen b"]
    );
    // Another edit says nothing of it.
    world.write("a.yaml", "a 90 keep=5\nb 60 false");
    sync(&elder.handle).await;
    assert_eq!(seen(&world.log()), [""; 0]);
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_record_nothing_is_put_in_force_and_it_is_tried_again() {
    let world = World::new(&[("a.yaml", "a 60 true")]);
    let elder = world.start().await;
    sync(&elder.handle).await;
    world.log();
    for edit in ["a 60 false", "a 60 false\nb 60 true"] {
        world.store.works_for(Some(0));
        world.write("a.yaml", edit);
        let answer = elder.handle.sync(ReloadTrigger::Signal, None).await;
        assert!(
            matches!(&answer, SyncAnswer::Failed(why) if why.contains("disk full")),
            "{answer:?}"
        );
        assert_eq!(elder.jobs(), ["a=true"]);
    }
    let status = elder.handle.status();
    assert_eq!(status.state, SyncState::OutOfSync);
    assert!(status.reason.contains("disk full"), "{}", status.reason);
    world.store.works_for(None);
    elder.has(&["a=false", "b=true"]).await;
    let mut status = elder.handle.watch();
    let synced = status.wait_for(|status| status.state == SyncState::Synced);
    tokio::time::timeout(Duration::from_secs(20), synced)
        .await
        .unwrap()
        .unwrap();
    let notices = elder.ear.notices.lock().unwrap().clone();
    assert_eq!(notices.len(), 1, "one line for one cause: {notices:?}");
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_force_and_not_recorded_is_recorded_before_anything_else() {
    let world = World::new(&[("a.yaml", "a 60 true\nb 60 true"), ("c.yaml", "c 60 true")]);
    let elder = world.start_deaf().await;
    sync(&elder.handle).await;
    world.log();
    // The check works, the record does not.
    world.store.works_for(Some(1));
    world.write("a.yaml", "a 90 true");
    let report = sync(&elder.handle).await;
    assert_eq!((report.rescheduled, report.removed), (1, 1));
    assert_eq!(elder.handle.status().state, SyncState::OutOfSync);
    assert_eq!(
        world.store.rows(),
        ["a.yaml: a b", "c.yaml: c"],
        "a crash now restarts with the old set"
    );
    world.store.works_for(None);
    world.write("c.yaml", "c 60 false");
    let mut status = elder.handle.watch();
    let synced = status.wait_for(|status| status.state == SyncState::Synced);
    tokio::time::timeout(Duration::from_secs(20), synced)
        .await
        .unwrap()
        .unwrap();
    elder.has(&["a=true", "c=false"]).await;
    let log = world.log();
    let rest = log
        .iter()
        .position(|line| line == "commit: file a.yaml, mark a, mark b, gone b");
    let next = log.iter().position(|line| line == "apply: ~c");
    assert!(rest.unwrap() < next.unwrap(), "{log:?}");
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_mark_moves_before_the_engine_has_recorded_what_was_due() {
    let world = World::new(&[("a.yaml", "a 60 true"), ("b.yaml", "b 60 true")]);
    let elder = world.start_deaf().await;
    sync(&elder.handle).await;
    world.log();
    elder.heard.lock().unwrap().refuses_to_record = true;
    world.write("a.yaml", "a 90 true");
    let report = sync(&elder.handle).await;
    assert_eq!(report.rescheduled, 1);
    assert_eq!(elder.handle.status().state, SyncState::OutOfSync);
    assert_eq!(world.log()[..2], ["apply: ~a", "recorded?"]);
    elder.heard.lock().unwrap().refuses_to_record = false;
    let mut status = elder.handle.watch();
    let synced = status.wait_for(|status| status.state == SyncState::Synced);
    tokio::time::timeout(Duration::from_secs(20), synced)
        .await
        .unwrap()
        .unwrap();
    let log = world.log();
    assert_eq!(
        log[log.len() - 2..],
        ["recorded?", "commit: file a.yaml, mark a"]
    );
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_engine_does_not_take_is_given_to_it_again() {
    let world = World::new(&[("a.yaml", "a 60 true"), ("b.yaml", "b 60 true")]);
    let elder = world.start().await;
    sync(&elder.handle).await;
    elder.heard.lock().unwrap().refuses = Some("disk full".to_owned());
    world.write("a.yaml", "a 60 false");
    world.write("c.yaml", "c 60 true");
    let answer = elder.handle.sync(ReloadTrigger::Api, None).await;
    assert!(
        matches!(&answer, SyncAnswer::Failed(why) if why.contains("disk full")),
        "{answer:?}"
    );
    assert_eq!(elder.jobs(), ["a=true", "b=true"]);
    assert_eq!(world.store.rows(), ["a.yaml: a", "b.yaml: b"]);
    elder.heard.lock().unwrap().refuses = None;
    elder.has(&["a=false", "b=true", "c=true"]).await;
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_a_check_ends_one_reload_and_nothing_else() {
    let world = World::new(&[("a.yaml", "a 60 true"), ("b.yaml", "b 60 true")]);
    let elder = world.start().await;
    sync(&elder.handle).await;
    world.toy.explode.store(true, Ordering::SeqCst);
    fs::write(world.path("a.yaml"), "a 60 false").unwrap();
    elder.has(&["a=false", "b=true"]).await;
    assert!(!world.toy.explode.load(Ordering::SeqCst));
    let notices = elder.ear.notices.lock().unwrap().clone();
    assert!(
        notices
            .iter()
            .any(|notice| notice.contains("this is a bug")),
        "{notices:?}"
    );
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_did_not_ask_is_told_once_and_who_asks_gets_the_whole_answer() {
    let world = World::new(&[("a.yaml", "a 60 true"), ("b.yaml", "!")]);
    let elder = world.start().await;
    assert_eq!(sync(&elder.handle).await.result, ReloadResult::Partial);
    assert_eq!(sync(&elder.handle).await.result, ReloadResult::Partial);
    world.write("notes.txt", "not a job file");
    let told = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let reports = elder.ear.reports.lock().unwrap().clone();
            let hints = reports
                .iter()
                .filter(|report| report.trigger == ReloadTrigger::Watch);
            let results: Vec<_> = hints.map(|report| report.result).collect();
            if !results.is_empty() {
                return results;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let results = told.await.unwrap();
    assert!(
        results
            .iter()
            .all(|result| *result == ReloadResult::Unchanged),
        "{results:?}"
    );
    elder.stop().await;
}

/// The results of the looks that nobody asked for, from this one on, but for those that found nothing.
async fn unasked(elder: &Elder, from: usize, count: usize) -> Vec<ReloadResult> {
    let told = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let reports = elder.ear.reports.lock().unwrap().clone();
            let hints = reports.iter().filter(|report| {
                report.trigger == ReloadTrigger::Watch && report.result != ReloadResult::Unchanged
            });
            let results: Vec<_> = hints.map(|report| report.result).skip(from).collect();
            if results.len() >= count {
                return results;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    told.await.expect("a look is told")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_turns_bad_is_told_although_nothing_in_force_is_another() {
    let world = World::new(&[("a.yaml", "a 60 true"), ("b.yaml", "b 60 true")]);
    let elder = world.start().await;
    world.write("b.yaml", "!");
    assert_eq!(unasked(&elder, 0, 1).await, [ReloadResult::Partial]);
    // In another file, and then everything.
    world.write("c.yaml", "!");
    assert_eq!(unasked(&elder, 1, 1).await, [ReloadResult::Partial]);
    world.write("a.yaml", "!");
    assert_eq!(unasked(&elder, 2, 1).await, [ReloadResult::Rejected]);
    // Each as it was: in force is what was in force all the time.
    world.write("a.yaml", "a 60 true");
    assert_eq!(unasked(&elder, 3, 1).await, [ReloadResult::Partial]);
    world.remove("c.yaml");
    assert_eq!(unasked(&elder, 4, 1).await, [ReloadResult::Partial]);
    world.write("b.yaml", "b 60 true");
    assert_eq!(unasked(&elder, 5, 1).await, [ReloadResult::Applied]);
    elder.stop().await;
}

/// One thing that happens to a tree or to elder.
#[derive(Clone, Debug)]
enum Step {
    Write(usize, Vec<usize>, bool),
    Remove(usize),
    StoreFails(usize),
    StoreWorks,
    Sync,
    Restart,
}

fn any_step() -> impl Strategy<Value = Step> {
    let jobs = proptest::sample::subsequence((0..6usize).collect::<Vec<_>>(), 0..4);
    prop_oneof![
        4 => (0..3usize, jobs, prop::bool::weighted(0.15)).prop_map(|(f, j, bad)| Step::Write(f, j, bad)),
        1 => (0..3usize).prop_map(Step::Remove),
        1 => (0..3usize).prop_map(Step::StoreFails),
        2 => Just(Step::StoreWorks),
        4 => Just(Step::Sync),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever happens in between, once the store works and a sync is done, engine, store and a
    /// restart agree on what is in force.
    #[test]
    fn engine_and_store_agree_after_any_story(steps in proptest::collection::vec(any_step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(live_through(steps));
    }
}

async fn live_through(steps: Vec<Step>) {
    let mut world = World::new(&[("keep.yaml", "keep 60 true")]);
    world.options.allow_empty = true;
    let mut elder = world.start().await;
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Write(file, jobs, bad) => {
                let lines = jobs.iter().map(|job| format!("j{job} 60 step{number}\n"));
                let text: String = if bad { "!".to_owned() } else { lines.collect() };
                world.write(&format!("f{file}.yaml"), &text);
            }
            Step::Remove(file) => {
                // It may not be there.
                let _ = fs::remove_file(world.path(&format!("f{file}.yaml")));
            }
            Step::StoreFails(after) => world.store.works_for(Some(after)),
            Step::StoreWorks => world.store.works_for(None),
            Step::Sync => {
                let answer = elder.handle.sync(ReloadTrigger::Api, None).await;
                assert!(!matches!(answer, SyncAnswer::PendingChanged { .. }));
            }
            Step::Restart => {
                elder.stop().await;
                world.store.works_for(None);
                elder = world.start().await;
            }
        }
    }
    world.store.works_for(None);
    sync(&elder.handle).await;
    let mut in_force = elder.jobs();
    elder.stop().await;
    let elder = world.start().await;
    let log = world.log();
    let last = log
        .iter()
        .rposition(|line| line.starts_with("apply: recalled"));
    let after: Vec<_> = log[last.unwrap()..].to_vec();
    assert_eq!(after.len(), 2, "a restart changes nothing: {after:?}");
    let mut again = elder.jobs();
    in_force.sort();
    again.sort();
    assert_eq!(in_force, again);
    elder.stop().await;
}
