//! The checker itself: each kind of defect is planted into a clean story and found, and nothing else is.

use std::time::Duration;

use jiff::Timestamp;

use crate::support::checker::{Demand, Kind, Report, Row, Seen, Sink, Span, check, seen_in};
use crate::support::now;

/// Seconds after some instant.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

const BOUND: Duration = Duration::from_millis(900);

/// A job that fires each second ten times, and does: what is demanded, seen and told.
#[derive(Clone)]
struct Story {
    demand: Demand,
    seen: Vec<Seen>,
    rows: Vec<Row>,
}

impl Story {
    fn clean() -> Self {
        let span = Span::exact(at(0), at(10));
        Self {
            demand: Demand::every("a", Duration::from_secs(1), span),
            seen: (1..=10).map(run).collect(),
            rows: (1..=10).map(row).collect(),
        }
    }

    fn check(&self) -> Report {
        let demands = [self.demand.clone()];
        check(&demands, &self.seen, Some(&self.rows), Some(BOUND))
    }

    /// The instant's row tells that it did not run.
    fn skip(&mut self, second: i64) {
        self.seen.retain(|one| one.scheduled != Some(at(second)));
        let row = self.row(second);
        (row.outcome, row.reason) = ("skipped".to_owned(), "overlap".to_owned());
        row.attempt = 0;
    }

    fn row(&mut self, second: i64) -> &mut Row {
        let mut rows = self.rows.iter_mut();
        rows.find(|row| row.first == at(second)).unwrap()
    }
}

fn run(second: i64) -> Seen {
    Seen {
        job: "a".to_owned(),
        scheduled: Some(at(second)),
        run: format!("run-{second}"),
        attempt: 1,
        began: Some(at(second) + Duration::from_millis(5)),
        ended: Some(at(second) + Duration::from_millis(400)),
        met_another: false,
    }
}

fn row(second: i64) -> Row {
    Row {
        job: "a".to_owned(),
        id: format!("run-{second}"),
        first: at(second),
        last: at(second),
        count: 1,
        state: "done".to_owned(),
        outcome: "success".to_owned(),
        reason: String::new(),
        attempt: 1,
    }
}

#[test]
fn a_clean_story_has_no_defect_and_its_figures() {
    let mut story = Story::clean();
    let report = story.check();
    assert!(report.defects.is_empty(), "{report}");
    assert_eq!((report.demanded, report.ran), (10, 10));
    assert_eq!(report.late, [5_000_000; 10]);
    // What did not run and says so, alone or within a series, is no defect.
    for second in [3, 7, 8, 9] {
        story.skip(second);
    }
    story
        .rows
        .retain(|row| row.first <= at(7) || row.first > at(9));
    let span = story.row(7);
    (span.last, span.count) = (at(9), 3);
    let report = story.check();
    assert!(report.defects.is_empty(), "{report}");
    assert_eq!((report.demanded, report.ran), (10, 6));
}

/// A change to the story that makes it worse.
type Planted = fn(&mut Story);

#[test]
fn each_planted_defect_is_found_and_no_other() {
    let cases: [(&str, Planted, Kind); 20] = [
        (
            "neither seen nor told",
            |it| {
                it.seen.remove(4);
                it.rows.remove(4);
            },
            Kind::Lost,
        ),
        (
            "seen at an instant that was never due",
            |it| {
                it.seen[3].scheduled = Some(at(4) + Duration::from_millis(500));
                it.seen[3].began = Some(at(4) + Duration::from_millis(501));
                it.rows.remove(3);
                it.demand.targets.remove(3);
            },
            Kind::Invented,
        ),
        (
            "told at an instant that was never due",
            |it| {
                it.skip(5);
                it.demand.targets.remove(4);
            },
            Kind::Invented,
        ),
        (
            "seen of a job that there is not",
            |it| {
                it.seen.push(Seen {
                    job: "b".to_owned(),
                    ..run(1)
                })
            },
            Kind::Invented,
        ),
        (
            "the same attempt twice",
            |it| {
                it.seen.push(Seen {
                    ended: None,
                    ..run(5)
                })
            },
            Kind::Doubled,
        ),
        (
            "an attempt too many",
            |it| {
                it.seen.push(Seen {
                    attempt: 2,
                    ended: None,
                    ..run(5)
                });
                it.row(5).attempt = 2;
            },
            Kind::Doubled,
        ),
        (
            "two rows for one instant",
            |it| {
                it.rows.push(Row {
                    id: "other".to_owned(),
                    outcome: "missed".to_owned(),
                    ..row(5)
                })
            },
            Kind::Doubled,
        ),
        (
            "before its time",
            |it| it.seen[5].began = Some(at(6) - Duration::from_millis(1)),
            Kind::Early,
        ),
        (
            "after its time",
            |it| {
                it.seen[5].began = Some(at(6) + Duration::from_millis(901));
                it.seen[5].ended = None;
            },
            Kind::Late,
        ),
        (
            "two at once",
            |it| it.seen[5].ended = Some(at(7) + Duration::from_millis(6)),
            Kind::Overlapping,
        ),
        (
            "one that met another",
            |it| it.seen[5].met_another = true,
            Kind::Overlapping,
        ),
        (
            "a row that is not over",
            |it| it.row(5).state = "running".to_owned(),
            Kind::Open,
        ),
        (
            "a row without an outcome",
            |it| it.row(5).outcome.clear(),
            Kind::Open,
        ),
        (
            "seen, and without a row",
            |it| drop(it.rows.remove(4)),
            Kind::Contradicted,
        ),
        (
            "a success that nobody saw",
            |it| drop(it.seen.remove(4)),
            Kind::Contradicted,
        ),
        (
            "a last attempt that nobody saw",
            |it| it.row(5).attempt = 2,
            Kind::Contradicted,
        ),
        (
            "skipped by its row, and seen",
            |it| {
                let row = it.row(5);
                (row.outcome, row.attempt) = ("skipped".to_owned(), 0);
            },
            Kind::Contradicted,
        ),
        (
            "the row of another instant",
            |it| {
                it.seen[4].run = "run-6".to_owned();
                it.seen.remove(5);
                let row = it.row(5);
                (row.outcome, row.attempt) = ("interrupted".to_owned(), 1);
                it.row(6).outcome = "interrupted".to_owned();
            },
            Kind::Contradicted,
        ),
        (
            "a series that says it were longer",
            |it| {
                it.skip(5);
                it.row(5).count = 2;
            },
            Kind::Contradicted,
        ),
        (
            "a series over an instant that ran",
            |it| {
                it.skip(5);
                let row = it.row(5);
                (row.last, row.count) = (at(6), 2);
            },
            Kind::Doubled,
        ),
    ];
    for (what, plant, kind) in cases {
        let mut story = Story::clean();
        plant(&mut story);
        let report = story.check();
        assert_eq!(report.count(kind), 1, "{what}: {report}");
        assert_eq!(report.defects.len(), 1, "{what}: {report}");
    }
}

#[test]
fn two_runs_of_one_fire_are_found_by_row_and_by_witness() {
    let mut story = Story::clean();
    story.seen.push(Seen {
        run: "other".to_owned(),
        ended: None,
        ..run(5)
    });
    story.rows.push(Row {
        id: "other".to_owned(),
        ..row(5)
    });
    assert_eq!(story.check().count(Kind::Doubled), 2);
    let demands = [story.demand.clone()];
    let report = check(&demands, &story.seen, None, None);
    assert_eq!(report.count(Kind::Doubled), 1);
}

#[test]
fn near_an_edge_of_the_span_a_fire_may_come_and_need_not() {
    let mut story = Story::clean();
    let span = Span {
        possibly: (at(0), at(10)),
        surely: (at(2), at(8)),
    };
    story.demand = Demand::every("a", Duration::from_secs(1), span);
    assert!(story.check().defects.is_empty());
    story
        .seen
        .retain(|one| one.scheduled > Some(at(2)) && one.scheduled <= Some(at(8)));
    story
        .rows
        .retain(|row| row.first > at(2) && row.first <= at(8));
    let report = story.check();
    assert!(report.defects.is_empty(), "{report}");
    assert_eq!(report.demanded, 6);
    story.seen.remove(0);
    story.rows.remove(0);
    assert_eq!(story.check().count(Kind::Lost), 1);
}

#[test]
fn who_does_not_say_for_when_it_ran_is_matched_one_to_one() {
    let mut story = Story::clean();
    for one in &mut story.seen {
        (one.scheduled, one.run) = (None, String::new());
    }
    let demands = [story.demand.clone()];
    let of = |seen: &[Seen]| check(&demands, seen, None, Some(BOUND));
    let report = of(&story.seen);
    assert!(report.defects.is_empty() && report.ran == 10, "{report}");
    assert_eq!(report.late, [5_000_000; 10]);
    let lost = of(&[&story.seen[..4], &story.seen[5..]].concat());
    assert_eq!(
        (lost.count(Kind::Lost), lost.defects.len()),
        (1, 1),
        "{lost}"
    );
    assert_eq!(lost.defects[0].at, at(5));
    let mut more = story.seen.clone();
    let began = Some(at(5) + Duration::from_millis(300));
    more.push(Seen {
        began,
        ended: None,
        ..more[4].clone()
    });
    let invented = of(&more);
    assert_eq!(invented.count(Kind::Invented), 1, "{invented}");
    story.seen[0].began = Some(at(1) - Duration::from_millis(1));
    assert_eq!(of(&story.seen).count(Kind::Invented), 1);
}

#[test]
fn elders_own_arithmetic_and_the_second_one_demand_the_same() {
    let span = Span {
        possibly: (at(-3), at(40)),
        surely: (at(1), at(37)),
    };
    for (text, period) in [
        ("{ every: 100ms }", 100),
        ("{ every: 700ms }", 700),
        ("{ every: 7s }", 7_000),
        ("{ every: 1m }", 60_000),
    ] {
        let by_elder = Demand::of_schedule("a", text, span);
        let by_hand = Demand::every("a", Duration::from_millis(period), span);
        assert_eq!(by_elder.targets, by_hand.targets, "{text}");
    }
    // What is due later than scheduled is demanded for then.
    let jittered = Demand::of_schedule("a", "{ every: 5s, jitter: 2s }", span);
    assert!(jittered.targets.iter().any(|it| it.due > it.scheduled));
    let sure = |it: &&crate::support::checker::Target| it.is_sure;
    assert!(
        jittered
            .targets
            .iter()
            .filter(sure)
            .all(|it| it.due <= at(37))
    );
}

#[test]
fn lines_of_children_are_read_and_half_ones_are_refused() {
    let text = "a 2027-01-15T08:00:01Z 1 r1\n\
                b 2027-01-15T08:00:01Z 2 r2 began 1800000001.250000000\n\
                b 2027-01-15T08:00:01Z 2 r2 met\n\
                b 2027-01-15T08:00:01Z 2 r2 ended 1800000001.500000000\n";
    let seen = seen_in(text).unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!((seen[0].scheduled, seen[0].began), (Some(at(1)), None));
    assert_eq!(seen[1].began, Some(at(1) + Duration::from_millis(250)));
    assert_eq!(seen[1].ended, Some(at(1) + Duration::from_millis(500)));
    assert!(seen[1].met_another && !seen[0].met_another);
    for half in [
        "a 2027-01-15T08:00:01Z 1\n",
        "a 2027-01-15T08:00:01Z 1 \n",
        "a 2027-01-15T08:0\n",
        "a 2027-01-15T08:00:01Z 1 r1 ended 1800000001.5\n",
        "a 2027-01-15T08:00:01Z 1 r1 began 1800000001.5\n",
        "a 2027-01-15T08:00:01Z 1 r1 fell\n",
        "a 2027-01-15T08:00:01Z 1 r1 began 1800000001.500000000 x\n",
    ] {
        assert!(seen_in(half).is_err(), "{half:?}");
    }
}

#[test]
fn requests_are_stamped_with_what_they_say_of_themselves() {
    let sink = Sink::start(now);
    let before = now();
    let ask = |path: &str| crate::support::send(sink.address(), "GET", path, &[], "").unwrap();
    assert_eq!(ask("/a/2027-01-15T08:00:01Z/r1/2?status=503").status, 503);
    assert_eq!(ask("/b?hold=30").status, 200);
    let seen = sink.seen();
    assert_eq!(sink.count(), 2);
    assert_eq!(
        (seen[0].job.as_str(), seen[0].run.as_str(), seen[0].attempt),
        ("a", "r1", 2)
    );
    assert_eq!(seen[0].scheduled, Some(at(1)));
    assert_eq!((seen[1].job.as_str(), seen[1].scheduled), ("b", None));
    let (began, ended) = (seen[1].began.unwrap(), seen[1].ended.unwrap());
    assert!(before <= began && ended.duration_since(began).as_millis() >= 30);
}
