//! Small trees over short spans, with the answers worked out by hand.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::model::Reason;
use crate::spec::{self, InputFile};

pub(super) fn jobs(text: &str) -> Vec<Job> {
    let input = InputFile {
        root: "jobs.d".into(),
        root_folder: Arc::from(Path::new("/srv/jobs")),
        path: "a.yaml".into(),
        shown: "jobs.d/a.yaml".into(),
        content: Ok(Arc::from(text.as_bytes())),
        hash: [0; 32],
        within: None,
    };
    let options = spec::Options::default();
    let checked = spec::check(&[input], None, &HashMap::new(), &options, &Zones::bundled());
    assert!(
        !checked.files[0].is_bad(),
        "{:?}",
        checked.files[0].findings
    );
    checked.files[0].jobs.clone()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

struct Asked {
    from: &'static str,
    until: &'static str,
    fallback: u64,
    said: &'static [(&'static str, u64)],
    workers: u32,
    follow: u64,
}

const ASKED: Asked = Asked {
    from: "2027-01-01T00:00:00Z",
    until: "2027-01-01T01:00:00Z",
    fallback: 30,
    said: &[],
    workers: 64,
    follow: u64::MAX,
};

fn question<'a>(jobs: &'a [Job], asked: &Asked, zones: &'a Zones) -> Question<'a> {
    let said = asked.said.iter();
    Question {
        jobs,
        from: at(asked.from),
        until: at(asked.until),
        times: RunTimes {
            fallback: Duration::from_secs(asked.fallback),
            fallback_is_guess: true,
            said: said
                .map(|(job, time)| (JobName::new(job).unwrap(), Duration::from_secs(*time)))
                .collect(),
            remembered: HashMap::new(),
        },
        settings: engine::Settings {
            max_workers: asked.workers,
            max_requests: 1024,
        },
        follow: asked.follow,
        zones,
        zone: ("UTC".to_owned(), TimeZone::UTC),
    }
}

fn lines(jobs: &[Job], asked: &Asked) -> Vec<String> {
    let zones = Zones::bundled();
    let mut told = Vec::new();
    follow::each(&question(jobs, asked, &zones), &mut |decided| {
        told.push(table::csv(decided, &TimeZone::UTC).trim_end().to_owned());
        ControlFlow::Continue(())
    });
    told
}

fn with_answer<T>(text: &str, asked: &Asked, look: impl FnOnce(&Answer<'_>) -> T) -> T {
    let (jobs, zones) = (jobs(text), Zones::bundled());
    let question = question(&jobs, asked, &zones);
    look(&simulate(&question, 10))
}

#[test]
fn a_run_longer_than_its_period_makes_the_next_fire_skipped() {
    let jobs = jobs("jobs: { slow: { schedule: { every: 20m }, run: x } }");
    let asked = Asked {
        fallback: 1_500,
        ..ASKED
    };
    assert_eq!(
        lines(&jobs, &asked),
        [
            "2027-01-01T00:00:00+00:00,slow,runs,,2027-01-01T00:00:00+00:00,2027-01-01T00:25:00+00:00",
            "2027-01-01T00:20:00+00:00,slow,skipped,overlap,,",
            "2027-01-01T00:40:00+00:00,slow,runs,,2027-01-01T00:40:00+00:00,2027-01-01T01:05:00+00:00",
        ]
    );
}

#[test]
fn a_run_as_long_as_its_period_and_one_with_more_instances_skip_nothing() {
    for (extra, fallback) in [("", 1_200), (", max_instances: 2", 1_500)] {
        let text = format!("jobs: {{ slow: {{ schedule: {{ every: 20m }}, run: x{extra} }} }}");
        let asked = Asked { fallback, ..ASKED };
        with_answer(&text, &asked, |answer| {
            assert_eq!(answer.followed.unrun, [], "{extra}");
            assert_eq!(answer.followed.fires, 3);
            let runs = if extra.is_empty() { 1 } else { 2 };
            assert_eq!(answer.followed.peak.runs, runs);
        });
    }
}

#[test]
fn overlap_queue_waits_and_overlap_replace_cuts_short() {
    let text = |overlap: &str| {
        format!("jobs: {{ slow: {{ schedule: {{ every: 20m }}, run: x, overlap: {overlap} }} }}")
    };
    let asked = Asked {
        fallback: 1_500,
        ..ASKED
    };
    assert_eq!(
        lines(&jobs(&text("replace")), &asked),
        [
            "2027-01-01T00:00:00+00:00,slow,cancelled,replaced,2027-01-01T00:00:00+00:00,2027-01-01T00:20:00+00:00",
            "2027-01-01T00:20:00+00:00,slow,cancelled,replaced,2027-01-01T00:20:00+00:00,2027-01-01T00:40:00+00:00",
            "2027-01-01T00:40:00+00:00,slow,runs,,2027-01-01T00:40:00+00:00,2027-01-01T01:05:00+00:00",
        ]
    );
    assert_eq!(
        lines(&jobs(&text("queue")), &asked),
        [
            "2027-01-01T00:00:00+00:00,slow,runs,,2027-01-01T00:00:00+00:00,2027-01-01T00:25:00+00:00",
            "2027-01-01T00:20:00+00:00,slow,runs,,2027-01-01T00:25:00+00:00,2027-01-01T00:50:00+00:00",
            "2027-01-01T00:40:00+00:00,slow,runs,,2027-01-01T00:50:00+00:00,2027-01-01T01:15:00+00:00",
        ]
    );
    with_answer(&text("replace"), &asked, |answer| {
        assert_eq!(answer.followed.fires, 3);
        assert_eq!(answer.followed.unrun[0].count, 2);
        assert_eq!(answer.followed.peak.runs, 1);
        assert!(table::render(answer).contains("CUT SHORT"));
    });
    with_answer(&text("queue"), &asked, |answer| {
        assert_eq!((answer.followed.behind, answer.followed.fires), (2, 3));
        assert_eq!(answer.followed.pools[0].waited, 0);
    });
}

#[test]
fn a_timeout_ends_a_run_that_would_take_longer() {
    let text = "jobs: { slow: { schedule: { every: 20m }, run: x, timeout: 10m } }";
    let asked = Asked {
        fallback: 1_500,
        ..ASKED
    };
    with_answer(text, &asked, |answer| {
        assert_eq!(answer.followed.unrun, []);
        assert_eq!(answer.origins.cut, 1);
    });
}

const CROWD: &str = "jobs:
  a: { schedule: { hourly: 0 }, run: x }
  b: { schedule: { hourly: 0 }, run: x }
  c: { schedule: { hourly: 0 }, run: x }
  d: { schedule: { hourly: 0 }, http: 'http://x/' }
";

#[test]
fn a_full_pool_makes_fires_wait_and_then_miss() {
    let asked = Asked {
        workers: 1,
        said: &[("a", 600), ("b", 600), ("c", 600)],
        ..ASKED
    };
    with_answer(CROWD, &asked, |answer| {
        let [processes, requests] = answer.followed.pools.as_slice() else {
            panic!("{:?}", answer.followed.pools)
        };
        assert_eq!((processes.peak, requests.peak), (1, 1));
        // The grace of an hourly job is a quarter of an hour: the third has no place by then.
        assert_eq!(processes.waited, 1);
        let (wait, job, _) = processes.longest.clone().unwrap();
        assert_eq!((wait.as_secs(), job.as_str().len()), (600, 1));
        let [missed] = answer.followed.unrun.as_slice() else {
            panic!("{:?}", answer.followed.unrun)
        };
        assert_eq!((missed.reason, missed.count), (Reason::Pool, 1));
        assert_eq!(answer.followed.peak.runs, 2);
        assert_eq!(answer.followed.peak.at, Some(at("2027-01-01T00:00:00Z")));
    });
}

#[test]
fn a_named_pool_is_saturated_while_workers_are_free() {
    let text = "pools: { db: { limit: 2 }, idle: { limit: 1 } }
jobs:
  a: { schedule: { hourly: 0 }, run: x, pool: db }
  b: { schedule: { hourly: 0 }, run: x, pool: db }
  c: { schedule: { hourly: 0 }, run: x, pool: db }
  d: { schedule: { hourly: 0 }, http: 'http://x/', pool: db }
  e: { schedule: { hourly: 0 }, run: x }
  f: { schedule: { hourly: 30 }, run: x, pool: idle }
";
    let asked = Asked {
        fallback: 300,
        ..ASKED
    };
    with_answer(text, &asked, |answer| {
        let used = answer.followed.pools.iter();
        let used: Vec<_> = used
            .map(|pool| (&*pool.name, pool.places, pool.peak, pool.waited))
            .collect();
        assert_eq!(used[2..], [("db", 2, 2, 2), ("idle", 1, 1, 0)]);
        assert_eq!(
            (used[0].3, used[1].3),
            (0, 0),
            "nothing waited for a worker"
        );
        let (wait, ..) = answer.followed.pools[2].longest.clone().unwrap();
        assert_eq!(wait.as_secs(), 300);
        assert_eq!(answer.followed.peak.runs, 3, "two of the pool, and e");
        let table = super::table::render(answer);
        assert!(
            table.contains("pool db: 2 of 2 places taken, first at"),
            "{table}"
        );
    });
}

#[test]
fn the_span_has_its_first_instant_and_not_the_one_after_its_last() {
    let jobs = jobs("jobs: { j: { schedule: { every: 30m }, run: x } }");
    let asked = Asked {
        until: "2027-01-01T02:00:00Z",
        ..ASKED
    };
    assert_eq!(lines(&jobs, &asked).len(), 4);
    with_answer(
        "jobs: { j: { schedule: { every: 30m }, run: x } }",
        &asked,
        |answer| {
            assert_eq!(answer.counted.fires, 4);
            assert_eq!(answer.counted.minutes.iter().sum::<u64>(), 4);
            assert_eq!(answer.counted.minutes.len(), 120);
            assert_eq!(answer.first.len(), 4);
            assert_eq!(answer.first[0].0, at("2027-01-01T00:00:00Z"));
        },
    );
}

#[test]
fn minutes_are_the_same_by_walk_and_by_arithmetic() {
    let text = "jobs:
  dense: { schedule: { every: 7s }, run: x }
  twice: { schedule: '*/30 * * * * *', run: x }
  sparse: { schedule: { every: 7m }, run: x }
";
    let asked = Asked {
        from: "2027-01-01T00:00:13Z",
        until: "2027-01-01T00:50:17Z",
        ..ASKED
    };
    let jobs = jobs(text);
    let mut want = vec![0u64; 51];
    for line in lines(
        &jobs,
        &Asked {
            fallback: 1,
            ..asked
        },
    ) {
        let fire = at(line.split(',').next().unwrap());
        want[usize::try_from((fire - at("2027-01-01T00:00:00Z")).get_seconds() / 60).unwrap()] += 1;
    }
    with_answer(text, &asked, |answer| {
        assert_eq!(answer.counted.minutes, want);
        assert_eq!(answer.counted.fires, want.iter().sum::<u64>());
        assert_eq!(answer.counted.spread, 0);
    });
}

#[test]
fn what_is_not_followed_is_counted_and_said() {
    let asked = Asked { follow: 5, ..ASKED };
    with_answer(
        "jobs: { j: { schedule: { every: 1m }, run: x } }",
        &asked,
        |answer| {
            assert_eq!(answer.counted.fires, 60);
            assert_eq!(answer.followed.fires, 5);
            // The runs end before the next fire: what was not followed begins with that.
            assert!(answer.followed.until <= at("2027-01-01T00:05:00Z"));
            let text = table::render(answer);
            assert!(text.contains("only the first 5 fires"), "{text}");
        },
    );
}

#[test]
fn jobs_without_a_fire_say_why() {
    let text = "jobs:
  by-hand: { schedule: manual, run: x }
  at-start: { schedule: startup, run: x }
  off: { schedule: { every: 1m }, run: x, enabled: false }
  tomorrow: { schedule: { at: 2027-01-02T00:00:00Z }, run: x }
  over: { schedule: { at: 2026-01-02T00:00:00Z }, run: x }
  fires: { schedule: { every: 1h }, run: x }
";
    with_answer(text, &ASKED, |answer| {
        let why: Vec<_> = answer
            .silent
            .iter()
            .map(|(job, why)| (job.name().as_str(), *why))
            .collect();
        assert_eq!(
            why,
            [
                ("at-start", Silence::NotByClock),
                ("by-hand", Silence::NotByClock),
                ("off", Silence::Disabled),
                ("over", Silence::Later(None)),
                ("tomorrow", Silence::Later(Some(at("2027-01-02T00:00:00Z")))),
            ]
        );
        assert_eq!(
            (answer.jobs, answer.counted.fires, answer.followed.fires),
            (5, 1, 1)
        );
    });
}

const SPRING: &str = "jobs:
  report: { schedule: { daily: '02:30' }, timezone: Europe/Berlin, run: ./x }
  pulse: { schedule: { hourly: 0 }, timezone: Europe/Berlin, run: ./y }
  elapsed: { schedule: { every: 1h }, timezone: UTC, run: ./z }
";

#[test]
fn the_table_of_a_night_with_a_clock_change() {
    let asked = Asked {
        from: "2027-03-27T23:00:00Z",
        until: "2027-03-28T04:00:00Z",
        said: &[("report", 5_400)],
        ..ASKED
    };
    let text = with_answer(SPRING, &asked, |answer| {
        assert_eq!(answer.changes.len(), 1);
        table::render(answer)
    });
    insta::assert_snapshot!(text);
}

#[test]
fn the_picture_is_one_whole_file_whatever_the_span() {
    let mut text = "jobs:\n".to_owned();
    for index in 0..200 {
        text += &format!(
            "  j{index}: {{ schedule: {{ daily: '03:00' }}, timezone: Europe/Berlin, run: ./x }}\n"
        );
    }
    for (until, rows) in [
        ("2027-03-29T00:00:00Z", 2),
        ("2027-04-20T00:00:00Z", 24),
        ("2028-03-01T00:00:00Z", 340),
    ] {
        let asked = Asked {
            from: "2027-03-28T00:00:00Z",
            until,
            follow: 1_000,
            ..ASKED
        };
        let svg = with_answer(&text, &asked, svg::render);
        assert!(svg.starts_with("<?xml") && svg.ends_with("</svg>\n"));
        assert!(svg.matches("class=\"row\"").count() >= rows, "{until}");
        assert!(svg.len() < 1_000_000, "{until}: {}", svg.len());
        assert!(svg.contains("class=\"hot\"") && svg.contains("class=\"clock\""));
        assert!(svg.contains("j0 +199<"), "one lane for all");
        assert!(!svg.contains("<script") && !svg.contains("href"));
    }
}

#[test]
fn a_span_without_a_fire_or_a_job_is_an_answer_too() {
    for text in ["jobs: {}", "jobs: { j: { schedule: manual, run: x } }"] {
        let (table, picture, value) = with_answer(text, &ASKED, |answer| {
            (
                table::render(answer),
                svg::render(answer),
                json::render(answer),
            )
        });
        assert!(table.contains("0 fires"), "{table}");
        assert!(picture.ends_with("</svg>\n"));
        assert_eq!(value["fires"], 0);
    }
}

proptest::proptest! {
    /// Nothing is lost and nothing is invented: each fire runs or is told why not.
    #[test]
    fn every_counted_fire_is_decided(
        periods in proptest::collection::vec(1u64..2_000, 1..6),
        fallback in 0u64..900,
        workers in 1u32..4,
        overlap in proptest::sample::select(vec!["skip", "queue", "replace"]),
    ) {
        let mut text = "jobs:\n".to_owned();
        for (index, period) in periods.iter().enumerate() {
            text += &format!("  j{index}: {{ schedule: {{ every: {period}s }}, run: x, misfire_grace_time: 1d, overlap: {overlap} }}\n");
        }
        let (counted, decided, waiting) = with_answer(
            &text,
            &Asked { fallback, workers, ..ASKED },
            |answer| (answer.counted.fires, answer.followed.fires, answer.jobs as u64),
        );
        // What still waits at the end of the span is undecided: one a job for a place, and one
        // behind it.
        proptest::prop_assert!(decided <= counted && counted - decided <= 2 * waiting, "{} of {}", decided, counted);
    }
}
