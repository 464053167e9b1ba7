//! Calendars across files, edits, bad files and restarts, in the real language of job files.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;

use super::world::{Elder, World};
use crate::finding::Severity;
use crate::model::{Commons, Job, ReloadReport, ReloadTrigger};
use crate::schedule::Zones;
use crate::spec::commons::{Said, Table};
use crate::spec::{self, Checked, InputFile};
use crate::sync::{DefaultsTexts, Language, Refreshed, SyncAnswer};

static ZONES: LazyLock<Zones> = LazyLock::new(Zones::bundled);

struct Yaml(spec::Options);

impl Yaml {
    fn new() -> Self {
        Self(spec::Options::default())
    }
}

impl Language for Yaml {
    fn said(&self, input: &InputFile) -> Said {
        spec::commons::said(input, &self.0, &ZONES)
    }

    fn check(&self, inputs: &[InputFile], defaults: &DefaultsTexts, known: &Table) -> Checked {
        spec::check_among(inputs, None, defaults, known, &self.0, &ZONES)
    }

    fn print(&self, jobs: &[Job], commons: &Commons) -> String {
        spec::print(jobs, commons)
    }

    fn read(&self, text: &str) -> Result<(Vec<Job>, Commons), String> {
        spec::read(text, &ZONES)
    }

    fn refresh(&self) -> Option<Refreshed> {
        None
    }
}

pub(super) fn world(files: &[(&str, &str)]) -> World {
    let mut world = World::new(files);
    world.language = Arc::new(Yaml::new());
    world
}

fn job(name: &str, except: &str) -> String {
    format!("  {name}: {{ run: x, schedule: {{ daily: \"09:00\", except: {except} }} }}\n")
}

fn jobs(list: &[(&str, &str)]) -> String {
    let jobs = list.iter().map(|(name, except)| job(name, except));
    format!("jobs:\n{}", jobs.collect::<String>())
}

fn closed(date: &str) -> String {
    format!("calendars: {{ closed: {{ dates: {date} }} }}\n")
}

fn ics(date: &str) -> String {
    format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:{date}\nEND:VEVENT\nEND:VCALENDAR\n")
}

/// `name: days of January 2027 on which it does not fire`, for each job of the engine.
fn quiet(elder: &Elder) -> Vec<String> {
    let heard = elder.heard.lock().unwrap();
    let quiet = |job: &Job| {
        let fires = |day: i8| {
            let at = jiff::civil::date(2027, 1, day).at(9, 0, 0, 0);
            let at: Timestamp = at.in_tz("UTC").unwrap().timestamp();
            let before = at - jiff::SignedDuration::from_secs(1);
            let next = job.definition.schedule.next_after(before);
            next.is_some_and(|fire| fire.scheduled == at)
        };
        let days = (1..=31)
            .filter(|day| !fires(*day))
            .map(|day| day.to_string());
        days.collect::<Vec<_>>().join(",")
    };
    let jobs = heard.jobs.iter();
    jobs.map(|(name, job)| format!("{name}: {}", quiet(job)))
        .collect()
}

pub(super) async fn sync(elder: &Elder) -> ReloadReport {
    match elder.handle.sync(ReloadTrigger::Api, None).await {
        SyncAnswer::Done(report) => *report,
        other => panic!("{other:?}"),
    }
}

/// `code file line` of every finding.
pub(super) fn findings(elder: &Elder) -> Vec<String> {
    let status = elder.handle.status();
    let findings = status.findings.iter();
    findings
        .filter(|finding| finding.severity != Severity::Note)
        .map(|f| {
            format!(
                "{} {} {}",
                f.code,
                f.at.place.file.rsplit('/').next().unwrap(),
                f.at.place.line
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_of_a_calendar_changes_the_jobs_of_other_files_and_no_row_but_theirs() {
    let world = world(&[
        ("a.yaml", &jobs(&[("a", "closed")])),
        (
            "b.yaml",
            "jobs: { b: { run: x, schedule: { daily: \"09:00\" } } }\n",
        ),
        ("c.yaml", &closed("2027-01-04")),
    ]);
    let elder = world.start_deaf().await;
    sync(&elder).await;
    assert_eq!(quiet(&elder), ["a: 4", "b: "]);
    world.log();
    world.write("c.yaml", &closed("2027-01-05"));
    let report = sync(&elder).await;
    assert_eq!((report.rescheduled, report.changed), (1, 0));
    assert_eq!(quiet(&elder), ["a: 5", "b: "]);
    let log = world.log();
    assert_eq!(log[0], "apply: ~a");
    assert!(
        log.last().unwrap().contains("file a.yaml") && log.last().unwrap().contains("file c.yaml"),
        "{log:?}"
    );
    assert!(!log.last().unwrap().contains("b.yaml"), "{log:?}");
    // Another way to say the same changes nothing.
    world.write("c.yaml", &closed("[2027-01-05, 2027-01-05]"));
    let report = sync(&elder).await;
    assert_eq!((report.rescheduled, report.changed), (0, 0));
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ics_file_is_watched_and_a_bad_or_vanished_one_keeps_its_last_good_dates() {
    let calendars =
        "calendars: { closed: { ics: sub/h.ics } }\njobs: { own: { run: x, schedule: manual } }\n";
    let world = world(&[
        ("a.yaml", &jobs(&[("a", "closed")])),
        ("c.yaml", calendars),
        ("sub/h.ics", &ics("20270104")),
    ]);
    let elder = world.start().await;
    let wait = async |want: &[&str]| {
        let all = tokio::time::timeout(std::time::Duration::from_secs(20), async {
            while quiet(&elder)[..1] != *want {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
        assert!(all.await.is_ok(), "{want:?} and not {:?}", quiet(&elder));
    };
    wait(&["a: 4"]).await;
    // Without anyone asking.
    world.write("sub/h.ics", &ics("20270105"));
    wait(&["a: 5"]).await;
    world.write("sub/h.ics", &ics("someday"));
    sync(&elder).await;
    assert_eq!(findings(&elder), ["E040 h.ics 3"]);
    assert_eq!(quiet(&elder)[0], "a: 5");
    // The file that names it is good all the same: its edits count.
    world.write("c.yaml", &calendars.replace("own:", "other:"));
    sync(&elder).await;
    assert_eq!(findings(&elder), ["E040 h.ics 3"]);
    assert_eq!(
        quiet(&elder)[1],
        "other: 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31"
    );
    elder.stop().await;
    // Across a restart too.
    let elder = world.start().await;
    sync(&elder).await;
    assert_eq!(findings(&elder), ["E040 h.ics 3"]);
    assert_eq!(quiet(&elder)[0], "a: 5");
    world.remove("sub/h.ics");
    sync(&elder).await;
    assert_eq!(findings(&elder), ["E022 c.yaml 1"]);
    assert_eq!(quiet(&elder)[0], "a: 5");
    elder.stop().await;
    let elder = world.start().await;
    sync(&elder).await;
    assert_eq!(findings(&elder), ["E022 c.yaml 1"]);
    assert_eq!(quiet(&elder)[0], "a: 5");
    world.write("sub/h.ics", &ics("20270106"));
    sync(&elder).await;
    assert_eq!(findings(&elder), [""; 0]);
    assert_eq!(quiet(&elder)[0], "a: 6");
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_file_keeps_its_last_good_calendars_for_all() {
    let bad = |date: &str| format!("{}jobs: {{ c: {{ run: x }} }}\n", closed(date));
    let world = world(&[
        ("a.yaml", &jobs(&[("a", "closed")])),
        ("c.yaml", &closed("2027-01-04")),
    ]);
    let elder = world.start().await;
    // Its calendars would be fine, and its job is not.
    world.write("c.yaml", &bad("2027-01-05"));
    sync(&elder).await;
    assert_eq!(findings(&elder), ["E005 c.yaml 2"]);
    assert_eq!(quiet(&elder), ["a: 4"]);
    // Jobs of other files are taken by what is in force.
    world.write("a.yaml", &jobs(&[("a", "closed"), ("b", "closed")]));
    sync(&elder).await;
    assert_eq!(quiet(&elder), ["a: 4", "b: 4"]);
    elder.stop().await;
    let elder = world.start().await;
    sync(&elder).await;
    assert_eq!(quiet(&elder), ["a: 4", "b: 4"]);
    // No YAML at all any more.
    world.write("c.yaml", "calendars: { closed: {");
    sync(&elder).await;
    assert_eq!(quiet(&elder), ["a: 4", "b: 4"]);
    world.write("c.yaml", &closed("2027-01-05"));
    sync(&elder).await;
    assert_eq!(quiet(&elder), ["a: 5", "b: 5"]);
    assert_eq!(findings(&elder), [""; 0]);
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_calendar_of_a_file_that_never_was_good_is_none() {
    let bad = format!("{}jobs: {{ c: {{ run: x }} }}\n", closed("2027-01-05"));
    let world = world(&[
        ("a.yaml", &jobs(&[("a", "closed")])),
        ("c.yaml", &bad),
        ("d.yaml", "jobs: { d: { run: x, schedule: manual } }"),
    ]);
    let elder = world.start().await;
    sync(&elder).await;
    assert_eq!(findings(&elder), ["E022 a.yaml 2", "E005 c.yaml 2"]);
    assert_eq!(quiet(&elder).len(), 1, "d alone");
    world.write("c.yaml", &closed("2027-01-05"));
    sync(&elder).await;
    assert_eq!(quiet(&elder)[0], "a: 5");
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_calendar_that_is_removed_while_jobs_use_it_is_held_for_these() {
    let world = world(&[
        ("a.yaml", &jobs(&[("a", "closed")])),
        ("c.yaml", &closed("2027-01-04")),
        ("d.yaml", "jobs: { d: { run: x, schedule: manual } }"),
    ]);
    let elder = world.start().await;
    world.remove("c.yaml");
    // Additions and changes of the same sync are applied, in the very file too.
    let text = jobs(&[("a", "closed"), ("b", "closed")]).replace("b: { run: x", "b: { run: y");
    world.write("a.yaml", &text);
    world.write(
        "e.yaml",
        "jobs: { e: { run: x, schedule: { daily: \"09:00\" } } }",
    );
    sync(&elder).await;
    assert_eq!(findings(&elder), ["W021 a.yaml 2", "W021 a.yaml 3"]);
    let quiet_now = quiet(&elder);
    assert_eq!(
        [&*quiet_now[0], &*quiet_now[1], &*quiet_now[3]],
        ["a: 4", "b: 4", "e: "]
    );
    // A file that did not use it cannot begin to.
    world.write("e.yaml", &jobs(&[("e", "closed")]));
    sync(&elder).await;
    assert_eq!(
        findings(&elder),
        ["W021 a.yaml 2", "W021 a.yaml 3", "E022 e.yaml 2"]
    );
    assert_eq!(quiet(&elder)[3], "e: ");
    elder.stop().await;
    // Across a restart, and until it comes back.
    let elder = world.start().await;
    sync(&elder).await;
    assert_eq!(
        findings(&elder),
        ["W021 a.yaml 2", "W021 a.yaml 3", "E022 e.yaml 2"]
    );
    assert_eq!(quiet(&elder)[0], "a: 4");
    world.write("z.yaml", &closed("2027-01-07"));
    sync(&elder).await;
    assert_eq!(findings(&elder), [""; 0]);
    assert_eq!([&*quiet(&elder)[0], &*quiet(&elder)[3]], ["a: 7", "e: 7"]);
    // Nobody uses it: then it goes.
    world.write(
        "a.yaml",
        "jobs: { a: { run: x, schedule: { daily: \"09:00\" } }, b: { run: x, schedule: manual } }",
    );
    world.write("e.yaml", "jobs: { e: { run: x, schedule: manual } }");
    world.remove("z.yaml");
    sync(&elder).await;
    assert_eq!(findings(&elder), [""; 0]);
    assert_eq!(quiet(&elder)[0], "a: ");
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_files_that_claim_a_calendar_the_one_that_holds_it_keeps_it() {
    let world = world(&[
        ("b.yaml", &closed("2027-01-04")),
        ("j.yaml", &jobs(&[("a", "closed")])),
    ]);
    let elder = world.start().await;
    world.write("a.yaml", &closed("2027-01-05"));
    sync(&elder).await;
    assert_eq!(findings(&elder), ["E011 a.yaml 1"]);
    let status = elder.handle.status();
    let finding = &status.findings[0];
    assert!(
        finding
            .message
            .starts_with("the calendar name \"closed\" is also defined in"),
        "{finding:?}"
    );
    assert!(
        finding
            .also
            .as_ref()
            .unwrap()
            .place
            .file
            .ends_with("b.yaml")
    );
    assert_eq!(quiet(&elder), ["a: 4"]);
    // A refused file counts with what it last said: its other calendars as well.
    world.write("a.yaml", "calendars: { more: { dates: 2027-01-09 } }\n");
    world.write("k.yaml", &jobs(&[("k", "more")]));
    sync(&elder).await;
    assert_eq!(quiet(&elder), ["a: 4", "k: 9"]);
    world.write(
        "a.yaml",
        "calendars: { more: { dates: 2027-01-10 }, Closed: { dates: 2027-01-10 } }\n",
    );
    sync(&elder).await;
    assert_eq!(findings(&elder), ["E011 a.yaml 1"]);
    assert_eq!(quiet(&elder), ["a: 4", "k: 9"]);
    // A job and a calendar may have one name.
    world.write(
        "a.yaml",
        "calendars: { more: { dates: 2027-01-10 }, a: { dates: 2027-01-10 } }\n",
    );
    sync(&elder).await;
    assert_eq!(findings(&elder), [""; 0]);
    assert_eq!(quiet(&elder), ["a: 4", "k: 10"]);
    // A calendar that changes its file is the same calendar.
    world.write(
        "a.yaml",
        "calendars: { more: { dates: 2027-01-10 }, closed: { dates: 2027-01-06 } }\n",
    );
    world.write("b.yaml", "calendars: {}\n");
    sync(&elder).await;
    assert_eq!(findings(&elder), [""; 0]);
    assert_eq!(quiet(&elder), ["a: 6", "k: 10"]);
    elder.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_is_lost_keeps_its_calendars_for_the_others() {
    let mut world = world(&[("a.yaml", &jobs(&[("a", "closed")]))]);
    let other = world.dir.path().join("calendars");
    super::world::write(&other.join("c.yaml"), &closed("2027-01-04"));
    world.paths.push(other.clone());
    let elder = world.start().await;
    assert_eq!(quiet(&elder), ["a: 4"]);
    std::fs::rename(&other, world.dir.path().join("away")).unwrap();
    world.write("a.yaml", &jobs(&[("a", "closed"), ("b", "closed")]));
    sync(&elder).await;
    assert_eq!(quiet(&elder), ["a: 4", "b: 4"]);
    elder.stop().await;
    let elder = world.start().await;
    sync(&elder).await;
    assert_eq!(quiet(&elder), ["a: 4", "b: 4"]);
    assert_eq!(findings(&elder), [""; 0]);
    elder.stop().await;
}
