//! What only all good jobs together show: two that are the same, and a minute that too many share.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::CheckedFile;
use crate::finding::{Code, Excerpt, Finding, Place};
use crate::model::{Action, Body, Command, Definition, Job, Json, Part, Text, Variable};
use crate::schedule::{Schedule, Zones};

/// So many twins are told of one by one; the last finding counts the rest.
const TWINS: usize = 50;

/// A minute with no more jobs than this is never hot.
const CROWD: u32 = 50;
/// Nor is one that has no more than so many times the average minute.
const ABOVE_AVERAGE: u64 = 2;
/// So many fires are looked at for it; the schedules that most jobs share come first.
const LOOKED_AT: u64 = 500_000;

const MINUTES: usize = 7 * 1_440;
/// The first instant of the week that is looked at, a Monday: always the same one, so that a tree
/// is judged alike on every day. A month begins in it, and no clock is changed.
const WEEK: i64 = 1_885_507_200;

/// Findings across files, each with the index of the file that it stands in.
#[must_use]
pub fn across(files: &[Arc<CheckedFile>], zones: &Zones) -> Vec<(usize, Finding)> {
    let jobs: Vec<(usize, &Job)> = files
        .iter()
        .enumerate()
        .flat_map(|(index, file)| file.jobs.iter().map(move |job| (index, job)))
        .collect();
    let mut found = twins(&jobs, files);
    found.extend(hot_minute(&jobs, files, zones));
    found
}

/// Jobs that are the same but for their names and descriptions.
fn twins(jobs: &[(usize, &Job)], files: &[Arc<CheckedFile>]) -> Vec<(usize, Finding)> {
    let mut first_with: HashMap<u64, usize> = HashMap::with_capacity(jobs.len());
    let mut found = Vec::new();
    let mut more = 0;
    for (index, (file, job)) in jobs.iter().enumerate() {
        let first = *first_with
            .entry(fingerprint(&job.definition))
            .or_insert(index);
        if first == index {
            continue;
        }
        let (other_file, other) = jobs[first];
        if !are_twins(&other.definition, &job.definition) {
            continue;
        }
        if found.len() >= TWINS {
            more += 1;
            continue;
        }
        let mut also = place_of(&files[other_file], other);
        also.label = "the same job".to_owned();
        let finding = Finding {
            code: Code::SameJob,
            severity: Code::SameJob.severity(),
            at: place_of(&files[*file], job),
            also: Some(also),
            message: format!(
                "`{}` does what `{}` does, at the same times",
                job.name(),
                other.name()
            ),
            help: "remove one of the two, unless it is meant to run twice".to_owned(),
        };
        found.push((*file, finding));
    }
    if let Some((_, last)) = found.last_mut().filter(|_| more > 0) {
        last.message
            .push_str(&format!("; {more} more jobs are repeated like this"));
    }
    found
}

/// Equal for jobs that could be twins. The load keeps equal parts once, so their addresses tell.
fn fingerprint(definition: &Definition) -> u64 {
    let mut hash = DefaultHasher::new();
    Arc::as_ptr(&definition.schedule).hash(&mut hash);
    Arc::as_ptr(&definition.context).hash(&mut hash);
    Arc::as_ptr(&definition.policy).hash(&mut hash);
    definition.enabled.hash(&mut hash);
    definition.action.hash(&mut hash);
    hash.finish()
}

fn are_twins(a: &Definition, b: &Definition) -> bool {
    let said = |definition: &Definition| {
        let about = definition.about.as_deref();
        about.map(|about| (about.owner.clone(), about.labels.clone()))
    };
    let is_silent = |said: &Option<(Option<Arc<str>>, Vec<_>)>| {
        said.as_ref()
            .is_none_or(|(owner, labels)| owner.is_none() && labels.is_empty())
    };
    let (said_a, said_b) = (said(a), said(b));
    a.enabled
        && b.enabled
        && a.schedule == b.schedule
        && a.action == b.action
        && a.context == b.context
        && a.policy == b.policy
        && (said_a == said_b || is_silent(&said_a) && is_silent(&said_b))
        && !knows_its_name(a)
}

/// Whether what the job does depends on its name.
fn knows_its_name(definition: &Definition) -> bool {
    let named = |text: &Text| {
        let mut parts = text.parts().into_iter();
        parts.any(|part| matches!(part, Part::Variable(Variable::JobName | Variable::RunId)))
    };
    let pairs = |pairs: &[(Arc<str>, Text)]| pairs.iter().any(|(_, text)| named(text));
    let in_action = match &definition.action {
        Action::Process(process) => match &process.command {
            Command::Shell { line, .. } => line.contains("ELDER_JOB"),
            Command::Exec(words) => words.iter().any(named),
        },
        Action::Http(http) => {
            named(&http.url)
                || pairs(&http.query)
                || pairs(&http.headers)
                || match &http.body {
                    Body::Empty => false,
                    Body::Text(text) => named(text),
                    Body::Form(fields) => pairs(fields),
                    Body::Json(json) => json_names(json, &named),
                }
        }
    };
    in_action || pairs(&definition.context.env)
}

fn json_names(json: &Json, named: &impl Fn(&Text) -> bool) -> bool {
    match json {
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
        Json::String(text) => named(text),
        Json::Array(items) => items.iter().any(|item| json_names(item, named)),
        Json::Object(entries) => entries.iter().any(|(_, value)| json_names(value, named)),
    }
}

/// Jobs that share a schedule.
struct Group<'j> {
    schedule: &'j Schedule,
    members: Vec<(usize, &'j Job)>,
}

fn groups<'j>(jobs: &[(usize, &'j Job)]) -> Vec<Group<'j>> {
    let mut places: HashMap<*const Schedule, usize> = HashMap::new();
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (file, job) in jobs.iter().filter(|(_, job)| job.definition.enabled) {
        let schedule = &job.definition.schedule;
        let place = *places.entry(Arc::as_ptr(schedule)).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Group {
                schedule,
                members: Vec::new(),
            });
        }
        groups[place].members.push((*file, job));
    }
    // A stable sort: equal ones stay in the order of the files.
    groups.sort_by_key(|group| std::cmp::Reverse(group.members.len()));
    groups
}

/// The minute of a week in which the most jobs fire, where that is out of proportion.
fn hot_minute(
    jobs: &[(usize, &Job)],
    files: &[Arc<CheckedFile>],
    zones: &Zones,
) -> Option<(usize, Finding)> {
    if jobs.len() <= CROWD as usize {
        return None;
    }
    let groups = groups(jobs);
    let counts = minutes_of_week(&groups);
    let all: u64 = counts.iter().map(|count| u64::from(*count)).sum();
    let most = *counts.iter().max()?;
    let average = all / MINUTES as u64;
    if most <= CROWD || u64::from(most) <= average * ABOVE_AVERAGE {
        return None;
    }
    let minute = counts.iter().position(|count| *count == most)?;
    let start = Timestamp::from_second(WEEK + minute as i64 * 60).ok()?;
    let mut hot: Vec<&Group<'_>> = groups
        .iter()
        .filter(|group| fires_within(group.schedule, start))
        .collect();
    // Jobs that fire all the time say nothing about this minute.
    hot.sort_by_cached_key(|group| fires_in_week(group.schedule));
    let members: Vec<&(usize, &Job)> = hot.iter().flat_map(|group| &group.members).collect();
    let (file, first) = **members.first()?;
    let names: Vec<&str> = members
        .iter()
        .take(3)
        .map(|(_, job)| job.name().as_str())
        .collect();
    let finding = Finding {
        code: Code::HotMinute,
        severity: Code::HotMinute.severity(),
        at: place_of(&files[file], first),
        also: None,
        message: format!(
            "{most} jobs fire in one minute, {}: {} and {} more",
            when(&counts, minute, start, &first.definition.timezone, zones),
            names.join(", "),
            members.len() - names.len()
        ),
        help: "give them different minutes, or a `spread`; `elder simulate` shows the load"
            .to_owned(),
    };
    Some((file, finding))
}

/// How many jobs fire in each minute of the week.
fn minutes_of_week(groups: &[Group<'_>]) -> Vec<u32> {
    let mut counts = vec![0u32; MINUTES];
    let mut looked_at = 0;
    let (Ok(after), Ok(until)) = (
        Timestamp::new(WEEK - 1, 999_999_999),
        Timestamp::new(WEEK + MINUTES as i64 * 60 - 1, 999_999_999),
    ) else {
        return counts;
    };
    for group in groups {
        if looked_at >= LOOKED_AT {
            break;
        }
        let members = u32::try_from(group.members.len()).unwrap_or(u32::MAX);
        let mut at = after;
        while let Some(fire) = group
            .schedule
            .next_after(at)
            .filter(|f| f.scheduled <= until)
        {
            let minute = (fire.due.as_second() - WEEK).div_euclid(60);
            if let Some(count) = usize::try_from(minute)
                .ok()
                .and_then(|minute| counts.get_mut(minute))
            {
                *count = count.saturating_add(members);
            }
            looked_at += 1;
            // A minute counts a job once, however often it fires in it.
            let end = Timestamp::new(WEEK + minute * 60 + 59, 999_999_999);
            at = end.map_or(fire.scheduled, |end| end.max(fire.scheduled));
        }
    }
    counts
}

fn fires_in_week(schedule: &Schedule) -> u64 {
    let instant = |second: i64| Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
    schedule.count_between(instant(WEEK), instant(WEEK + MINUTES as i64 * 60))
}

fn fires_within(schedule: &Schedule, start: Timestamp) -> bool {
    let before = start.saturating_sub(std::time::Duration::from_nanos(1));
    let fire = before.ok().and_then(|before| schedule.next_after(before));
    fire.is_some_and(|fire| fire.scheduled.as_second() < start.as_second() + 60)
}

/// In words: `every hour at :00`, `every day at 02:00 Europe/Berlin`, `Mondays at 09:00 UTC`.
fn when(counts: &[u32], minute: usize, start: Timestamp, zone: &str, zones: &Zones) -> String {
    let most = counts[minute];
    let same = |step: usize| {
        let mut others = counts.iter().skip(minute % step).step_by(step);
        others.all(|count| *count == most)
    };
    let timezone = zones.get(zone).map(|zone| zone.timezone().clone());
    let local = start.to_zoned(timezone.unwrap_or(TimeZone::UTC));
    if same(60) {
        return format!("every hour at :{:02}", local.minute());
    }
    if same(1_440) {
        return format!("every day at {} {zone}", local.strftime("%H:%M"));
    }
    format!(
        "{}s at {} {zone}",
        local.strftime("%A"),
        local.strftime("%H:%M")
    )
}

/// Where the job's name stands.
fn place_of(file: &CheckedFile, job: &Job) -> Excerpt {
    let line = job.origin.line;
    let mut names = file.names.iter();
    let named =
        names.find(|place| place.at.place.line == line && *place.name == *job.name().as_str());
    named.map_or_else(
        || Excerpt {
            place: Place::file(file.shown.clone()),
            line: String::new(),
            label: String::new(),
        },
        |place| place.at.clone(),
    )
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::super::tests::{options, tree_with, zones};
    use super::*;

    fn found(text: &str) -> Vec<(Code, u32, String)> {
        let files = tree_with(&[("a.yaml", text)], &options(&[])).files;
        assert!(!files[0].is_bad(), "{:?}", files[0].findings);
        across(&files, zones())
            .into_iter()
            .map(|(_, finding)| (finding.code, finding.at.place.line, finding.message))
            .collect()
    }

    #[test]
    fn the_week_begins_on_a_monday_at_midnight_and_holds_the_first_of_a_month() {
        let start = Timestamp::from_second(WEEK)
            .unwrap()
            .to_zoned(TimeZone::UTC);
        assert_eq!(
            start.strftime("%A %d %H:%M:%S").to_string(),
            "Monday 01 00:00:00"
        );
    }

    #[test]
    fn a_job_that_is_another_under_a_second_name_is_told_at_the_second() {
        let text = "jobs:
  a: { schedule: '@daily', run: ./x, description: one, owner: us }
  b: { schedule: '@daily', run: ./x, description: two, owner: us }
  c: { schedule: '@daily', run: ./x, owner: them }
  d: { schedule: '@daily', run: ./y, owner: us }
  e: { schedule: '@hourly', run: ./x, owner: us }
  f: { schedule: '@daily', run: ./x, owner: us, timeout: 5m }
  g: { schedule: '@daily', run: ./x, owner: us, env: { A: b } }
  h: { schedule: '@daily', run: ./x, owner: us, enabled: false }
";
        assert_eq!(
            found(text),
            [(
                Code::SameJob,
                3,
                "`b` does what `a` does, at the same times".to_owned()
            )]
        );
    }

    #[test]
    fn what_depends_on_the_jobs_own_name_is_no_twin() {
        let text = "jobs:
  a: { schedule: '@daily', run: ./do $ELDER_JOB }
  b: { schedule: '@daily', run: ./do $ELDER_JOB }
  c: { schedule: '@daily', exec: [./do, '${job.name}'] }
  d: { schedule: '@daily', exec: [./do, '${job.name}'] }
  e: { schedule: '@daily', http: { url: 'http://x/', method: POST, json: { a: ['${job.name}'] } } }
  f: { schedule: '@daily', http: { url: 'http://x/', method: POST, json: { a: ['${job.name}'] } } }
";
        assert_eq!(found(text), []);
    }

    #[test]
    fn a_flood_of_twins_is_counted() {
        let mut text = "jobs:\n".to_owned();
        for index in 0..80 {
            writeln!(text, "  j{index}: {{ schedule: manual, run: ./x }}").unwrap();
        }
        let found = found(&text);
        assert_eq!(found.len(), TWINS);
        assert!(
            found[TWINS - 1]
                .2
                .ends_with("; 29 more jobs are repeated like this"),
            "{found:?}"
        );
    }

    fn crowd(schedule: &str, jobs: usize, rest: &str) -> String {
        let mut text = "jobs:\n".to_owned();
        for index in 0..jobs {
            writeln!(
                text,
                "  j{index}: {{ schedule: {schedule}, timezone: Asia/Tokyo, run: ./x {index} }}"
            )
            .unwrap();
        }
        text + rest
    }

    #[test]
    fn a_minute_that_too_many_jobs_share_is_named_in_the_zone_of_the_first() {
        for (schedule, words) in [
            ("{ daily: '02:00' }", "every day at 02:00 Asia/Tokyo"),
            ("{ hourly: 0 }", "every hour at :00"),
            (
                "{ weekly: { days: mon, at: '09:30' } }",
                "Mondays at 09:30 Asia/Tokyo",
            ),
        ] {
            assert_eq!(
                found(&crowd(schedule, 51, "")),
                [(
                    Code::HotMinute,
                    2,
                    format!("51 jobs fire in one minute, {words}: j0, j1, j2 and 48 more")
                )],
                "{schedule}"
            );
            assert_eq!(found(&crowd(schedule, 50, "")), [], "{schedule}");
        }
    }

    #[test]
    fn a_hot_minute_is_told_by_the_jobs_that_make_it_hot() {
        let often = "  often: { schedule: '* * * * *', run: ./y }\n";
        let found = found(&format!(
            "jobs:\n{often}{}",
            &crowd("{ daily: '02:00' }", 60, "")[6..]
        ));
        assert_eq!(found[0].1, 3, "{found:?}");
        assert!(found[0].2.contains(": j0, j1, j2 and 58 more"), "{found:?}");
    }

    #[test]
    fn jobs_of_every_minute_and_jobs_that_do_not_fire_make_no_minute_hot() {
        assert_eq!(found(&crowd("'* * * * *'", 60, "")), []);
        assert_eq!(found(&crowd("manual", 60, "")), []);
        let off = "  off: { schedule: { daily: '02:00' }, run: ./y, enabled: false }\n";
        assert_eq!(found(&crowd("{ daily: '02:00' }", 50, off)), []);
    }
}
