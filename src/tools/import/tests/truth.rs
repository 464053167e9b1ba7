//! What the schedulers themselves answered: `truth.jsonl` was written by systemd 252
//! (`systemd-analyze calendar`), cronstable 1.2.72, Celery 5.7.0 and APScheduler 3.11.3, each
//! asked for its next fires around changes of the clock. APScheduler is not asked about autumn:
//! in the repeated hour that version answers with the same instants without end.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::prove::scan_for_tests;
use super::*;

/// The dump or file that holds one schedule.
fn source(kind: &str, zone: &str, expression: &str) -> (Format, &'static str, String) {
    match kind {
        "systemd" => {
            let text = format!("[Timer]\nOnCalendar={expression} {zone}\n");
            (Format::Systemd, "x.timer", text)
        }
        "cronstable" => {
            let text = format!(
                "jobs:\n  - name: x\n    command: x\n    timezone: {zone}\n    schedule: \"{expression}\"\n"
            );
            (Format::Cronstable, "x.yaml", text)
        }
        "celery" => {
            let mut schedule: Value = serde_json::from_str(expression).unwrap();
            schedule["type"] = json!("crontab");
            let dump = json!({"scheduler": "celery", "app": "a", "timezone": zone,
                "entries": [{"name": "x", "task": "t", "schedule": schedule}]});
            (Format::Apscheduler, "x.json", dump.to_string())
        }
        _ => {
            let mut trigger: Value = serde_json::from_str(expression).unwrap();
            trigger["type"] = json!("CronTrigger");
            trigger["timezone"] = json!(zone);
            let dump = json!({"scheduler": "apscheduler",
                "jobs": [{"id": "x", "func": "a:b", "trigger": trigger}]});
            (Format::Apscheduler, "x.json", dump.to_string())
        }
    }
}

/// APScheduler 3.11.3 steps from a day to the next in UTC: right after a change of the clock it
/// comes out past midnight, and loses the fire at its beginning. What it does answer is ours too.
const SLIPS: [(&str, &str); 4] = [
    (
        "{\"week\": \"*/2\", \"day_of_week\": \"mon\"}",
        "America/New_York",
    ),
    (
        "{\"week\": \"*/2\", \"day_of_week\": \"mon\"}",
        "Europe/Berlin",
    ),
    (
        "{\"hour\": \"*\", \"minute\": \"15\"}",
        "Australia/Lord_Howe",
    ),
    ("{\"month\": \"1,7\"}", "Australia/Lord_Howe"),
];

#[test]
fn each_source_fires_here_as_it_does_itself() {
    let mut counts = std::collections::BTreeMap::new();
    let mut wrong = Vec::new();
    for line in include_str!("truth.jsonl").lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| row[key].as_str().unwrap();
        let (kind, zone, expression) = (text("source"), text("zone"), text("expr"));
        let (format, name, file) = source(kind, zone, expression);
        let found = imported(format, name, &file, "UTC");
        let draft = &found.drafts[0];
        let mut fires: Vec<Timestamp> = row["fires"]
            .as_array()
            .unwrap()
            .iter()
            .map(|at| instant(at.as_str().unwrap()))
            .collect();
        // Two times that a gap moves onto one instant are one fire here.
        fires.dedup();
        let scanned = scan_for_tests(&draft.old, instant(text("from")), fires.len());
        let slip = kind == "apscheduler" && SLIPS.contains(&(expression, zone));
        if slip {
            let longer = scan_for_tests(&draft.old, instant(text("from")), 2 * fires.len());
            let lost = longer.iter().filter(|at| !fires.contains(at)).count();
            assert!(
                fires.iter().all(|at| longer.contains(at)),
                "{expression} {zone}"
            );
            assert!(lost > 0, "{expression} {zone} is no slip");
        } else if scanned != fires {
            wrong.push(format!(
                "{kind} {expression} {zone} from {}:\n  theirs {fires:?}\n  ours   {scanned:?} {:?}",
                text("from"),
                draft.troubles
            ));
        }
        *counts.entry(kind.to_owned()).or_insert(0) += 1;
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
    assert!(
        counts.len() == 4 && counts.values().all(|n| *n > 40),
        "{counts:?}"
    );
}

/// robfig/cron, which Kubernetes uses, has no program to ask. Its documentation and tests say:
/// a time in a gap does not run, a time that comes twice runs twice, `*/2` restricts.
#[test]
fn kubernetes_fires_as_its_parser_is_documented() {
    for (line, from, want) in [
        (
            "30 2 * * *",
            "2012-03-11T05:00:00Z",
            &["2012-03-12T06:30:00Z"][..],
        ),
        (
            "0 1 * * *",
            "2012-11-04T04:00:00Z",
            &[
                "2012-11-04T05:00:00Z",
                "2012-11-04T06:00:00Z",
                "2012-11-05T06:00:00Z",
            ],
        ),
        (
            "0 * * * *",
            "2012-03-11T05:30:00Z",
            &[
                "2012-03-11T06:00:00Z",
                "2012-03-11T07:00:00Z",
                "2012-03-11T08:00:00Z",
            ],
        ),
        (
            "0 0 */30 * 1",
            "2027-01-30T00:00:00Z",
            &[
                "2027-01-31T05:00:00Z",
                "2027-02-01T05:00:00Z",
                "2027-02-08T05:00:00Z",
            ],
        ),
        (
            "0 0 ? * MON",
            "2027-01-30T00:00:00Z",
            &["2027-02-01T05:00:00Z", "2027-02-08T05:00:00Z"],
        ),
        (
            "50/5 0 * * *",
            "2027-01-30T00:00:00Z",
            &[
                "2027-01-30T05:50:00Z",
                "2027-01-30T05:55:00Z",
                "2027-01-31T05:50:00Z",
            ],
        ),
    ] {
        let text = format!(
            "kind: CronJob\nmetadata: {{ name: x }}\nspec: {{ schedule: \"{line}\", timeZone: America/New_York }}\n"
        );
        let found = imported(Format::Cronjob, "x.yaml", &text, "UTC");
        let scanned = scan_for_tests(&found.drafts[0].old, instant(from), want.len());
        let want: Vec<Timestamp> = want.iter().map(|at| instant(at)).collect();
        assert_eq!(scanned, want, "{line}");
    }
}
