//! The proof itself: it finds what is different, and names what is known.

use std::time::Duration;

use super::super::calendar::{Calendar, Rule};
use super::super::prove::{New, Old, Verdict, prove};
use super::super::settle::check;
use super::*;

/// A comparison of an old calendar with a schedule as a job file writes it.
fn compared(old: Old, rule: Rule, schedule: &str) -> Verdict {
    let text = format!("jobs: {{ x: {{ schedule: {schedule}, run: x }} }}\n");
    let zones = Zones::bundled();
    let (jobs, findings) = check(&text, &zones);
    assert!(!jobs.is_empty(), "{findings:?}");
    let span = (instant("2027-01-01T00:00:00Z"), 1_000);
    let schedule = &jobs[0].definition.schedule;
    let new = New {
        schedule: Some(schedule),
        rules: &[rule],
        spread: None,
    };
    let proof = prove("x", &[old], &new, span, &zones);
    let mut all = super::super::prove::Proof::new(span.0, span.1);
    all.add(proof);
    let (_, verdict) = all.verdicts().next().unwrap();
    assert_eq!(all.holds(), verdict != Verdict::Differs);
    assert_eq!(
        all.render().contains("DIFFERENT"),
        verdict == Verdict::Differs
    );
    verdict
}

fn daily(zone: &str, hour: u32, rule: Rule) -> Old {
    Old::calendar(Calendar {
        hours: 1 << hour,
        ..Calendar::daily(zone, rule)
    })
}

#[test]
fn what_differs_is_found_and_only_the_clock_excuses_it() {
    let berlin = |time: &str| format!("{{ daily: \"{time}\", timezone: Europe/Berlin }}");
    for (what, old, schedule, want) in [
        (
            "the same",
            daily("Europe/Berlin", 2, Rule::FIXED),
            berlin("02:00"),
            Verdict::Equal,
        ),
        (
            "another rule for the gap",
            daily("Europe/Berlin", 2, Rule::KUBERNETES),
            berlin("02:00"),
            Verdict::ClockChange,
        ),
        (
            "another rule that this time never meets",
            daily("Europe/Berlin", 5, Rule::KUBERNETES),
            berlin("05:00"),
            Verdict::Equal,
        ),
        (
            "an hour off",
            daily("Europe/Berlin", 5, Rule::FIXED),
            berlin("06:00"),
            Verdict::Differs,
        ),
        (
            "another zone",
            daily("UTC", 2, Rule::FIXED),
            berlin("02:00"),
            Verdict::Differs,
        ),
        (
            "far too often",
            daily("UTC", 2, Rule::FIXED),
            "{ every: 1s }".to_owned(),
            Verdict::Differs,
        ),
        (
            "one more each day",
            daily("UTC", 2, Rule::FIXED),
            "{ daily: [\"02:00\", \"03:00\"] }".to_owned(),
            Verdict::Differs,
        ),
        (
            "never",
            daily("UTC", 2, Rule::FIXED),
            "manual".to_owned(),
            Verdict::Differs,
        ),
        (
            "at a start",
            Old::Startup,
            "startup".to_owned(),
            Verdict::NoTime,
        ),
        (
            "no start",
            Old::Startup,
            "{ every: 1h }".to_owned(),
            Verdict::Differs,
        ),
        (
            "goes on when it is over",
            Old::At(vec![instant("2027-05-01T00:00:00Z")]),
            "{ at: [2027-05-01T00:00:00Z, 2027-05-02T00:00:00Z] }".to_owned(),
            Verdict::Differs,
        ),
        (
            "once",
            Old::At(vec![instant("2027-05-01T00:00:00Z")]),
            "{ at: 2027-05-01T00:00:00Z }".to_owned(),
            Verdict::Equal,
        ),
    ] {
        assert_eq!(compared(old, Rule::FIXED, &schedule), want, "{what}");
    }
}

#[test]
fn a_fixed_delay_is_taken_off_and_must_be_within_its_bound() {
    let timer = |delay: &str| format!("[Timer]\nOnCalendar=02:30 Europe/Berlin\n{delay}");
    let proof = |text: &str| {
        let service = "[Service]\nExecStart=/bin/x\n";
        let files = [("a.timer", text), ("a.service", service)].map(|(name, text)| SourceFile {
            name: name.into(),
            text: text.to_owned(),
        });
        let zones = Zones::bundled();
        let options = Options {
            timezone: "UTC",
            columns: Columns::Auto,
            zones: &zones,
        };
        let mut found = import(Format::Systemd, &files, &options);
        assert!(found.text.contains("spread: 1h"), "{}", found.text);
        let from = instant("2027-01-01T00:00:00Z");
        let right = found.prove(from, 1_000, &zones);
        found.text = found.text.replace("30 2 * * *", "30 4 * * *");
        (right, found.prove(from, 1_000, &zones))
    };
    let (right, wrong) = proof(&timer("RandomizedDelaySec=1h\nFixedRandomDelay=yes\n"));
    assert_eq!(right.verdicts().next(), Some(("a", Verdict::Equal)));
    assert!(right.render().contains("(spread)"), "{}", right.render());
    assert_eq!(wrong.verdicts().next(), Some(("a", Verdict::Differs)));
}

#[test]
fn times_that_a_gap_moves_onto_one_instant_do_not_end_the_comparison_early() {
    // Two hundred fires end on the very day of the change.
    let line = "2-50/3 2-7 1-31 * */3 /bin/x\n";
    let found = imported(Format::Crontab, "x", line, "Europe/Berlin");
    let proof = found.prove(instant("2027-03-26T12:00:00Z"), 200, &Zones::bundled());
    assert_eq!(proof.verdicts().next(), Some(("x", Verdict::Equal)));
    assert!(
        proof.render().contains("200 fires equal"),
        "{}",
        proof.render()
    );
}

#[test]
fn elapsed_time_is_compared_by_its_distances() {
    let every = |seconds| Old::Every {
        period: Duration::from_secs(seconds),
        anchor: None,
        until: None,
    };
    assert_eq!(
        compared(every(5_400), Rule::FIXED, "{ every: 90m }"),
        Verdict::Phase
    );
    assert_eq!(
        compared(every(5_400), Rule::FIXED, "{ every: 91m }"),
        Verdict::Differs
    );
    assert_eq!(
        compared(every(3_600), Rule::FIXED, "{ hourly: [0, 30] }"),
        Verdict::Differs
    );
}

#[test]
fn a_frequent_job_is_compared_at_the_next_changes_of_the_clock() {
    // A thousand fires are over in January.
    let old = Old::calendar(Calendar {
        minutes: 1 | 1 << 15 | 1 << 30 | 1 << 45,
        hours: (1 << 24) - 1,
        ..Calendar::daily("Europe/Berlin", Rule::SYSTEMD)
    });
    let schedule = "{ cron: \"*/15 * * * *\", timezone: Europe/Berlin }";
    assert_eq!(compared(old, Rule::FOLLOWS, schedule), Verdict::ClockChange);
}
