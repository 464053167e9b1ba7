//! Many runs under way, an edit every tenth of a second, for a while: no run is touched, no fire is
//! lost or doubled, and nothing grows.

use std::time::Duration;

use crate::support::checker::{self, Demand, Sink, Span};
use crate::support::{Daemon, Folder, elapsed, ledger, now, number, until};

/// Seconds in a usual run; `make soak` sets `ELDER_SOAK`.
const SECONDS: u64 = 12;

/// Each has 25 requests under way at once: one every 200 ms that takes five seconds.
const SLOW: usize = 10;
const QUICK: [(&str, u64); 4] = [("a", 100), ("b", 300), ("c", 700), ("d", 1_000)];

/// What a process looks like from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Size {
    descriptors: usize,
    threads: usize,
    mib: u64,
}

impl Size {
    fn of(daemon: &Daemon) -> Self {
        let count = |what: &str| {
            let entries = std::fs::read_dir(format!("/proc/{}/{what}", daemon.pid()));
            entries.unwrap().count()
        };
        Self {
            descriptors: count("fd"),
            threads: count("task"),
            mib: daemon.resident_mib(),
        }
    }

    fn largest(sizes: &[Self]) -> Self {
        let most = |of: fn(&Self) -> u64| sizes.iter().map(of).max().unwrap();
        Self {
            descriptors: most(|it| it.descriptors as u64) as usize,
            threads: most(|it| it.threads as u64) as usize,
            mib: most(|it| it.mib),
        }
    }
}

/// The job files at one edit: the definitions are others each time, the schedules are not.
fn jobs(sink: &Sink, edit: usize, is_enabled: bool) -> String {
    let address = sink.address();
    let common = |name: &str, period: u64| {
        format!(
            "  {name}:\n    description: edit {edit}\n    enabled: {is_enabled}\n    schedule: {{ every: {period}ms }}\n    history: {{ keep: 10000 }}\n"
        )
    };
    let slow = (0..SLOW).map(|n| {
        let common = common(&format!("slow-{n}"), 200);
        format!("{common}    max_instances: 60\n    http: \"http://{address}/slow-{n}/${{run.scheduled_at}}/${{run.id}}/${{run.attempt}}?hold=5000\"\n")
    });
    let quick = QUICK.iter().map(|(name, period)| {
        let common = common(name, *period);
        format!(
            "{common}    max_instances: 20\n    run: '{}'\n",
            ledger::WITNESS
        )
    });
    // Jobs come and go as well, in another order each time.
    let others = (0..edit % 7).map(|n| {
        format!("  other-{edit}-{n}:\n    schedule: {{ daily: \"04:00\" }}\n    run: 'true'\n")
    });
    let all: String = others.chain(slow).chain(quick).collect();
    format!("jobs:\n{all}")
}

#[test]
fn under_load_and_edits_without_end_no_run_is_touched_and_nothing_grows() {
    let seconds = number("ELDER_SOAK", SECONDS);
    let sink = Sink::start(now);
    let folder = Folder::with(&[("jobs.d/a.yaml", &jobs(&sink, 0, true))]);
    let began = now();
    let daemon = Daemon::start(&folder);
    let known = now();
    let reload = |edit: usize, is_enabled: bool| {
        folder.write("jobs.d/a.yaml", &jobs(&sink, edit, is_enabled));
        let reply = daemon.post("/-/reload", "");
        assert_eq!(reply.status, 200, "{reply:?}");
    };
    let running = || daemon.metrics().sum("elder_running", &[]);
    until("hundreds of runs are under way", || {
        (running() >= 200.0).then_some(())
    });
    let mut sizes = Vec::new();
    let mut edit = 0;
    while now().duration_since(known).unsigned_abs() < Duration::from_secs(seconds) {
        edit += 1;
        let took = elapsed(|| reload(edit, true));
        std::thread::sleep(Duration::from_millis(100).saturating_sub(took));
        if edit % 5 == 0 {
            sizes.push(Size::of(&daemon));
        }
    }
    let under_way = running();
    assert!(under_way >= 200.0, "{under_way} runs under way");
    let asked = now();
    reload(edit + 1, false);
    let span = Span {
        possibly: (began, now()),
        surely: (known, asked),
    };
    let mut demands: Vec<Demand> = Vec::new();
    for (name, period) in QUICK {
        demands.push(Demand::every(name, Duration::from_millis(period), span));
    }
    for n in 0..SLOW {
        let name = format!("slow-{n}");
        demands.push(Demand::every(&name, Duration::from_millis(200), span));
    }
    for demand in &mut demands {
        demand.most_at_once = 60;
    }
    let names: Vec<&str> = demands.iter().map(|it| it.job.as_str()).collect();
    ledger::wait_until_over(&daemon, &names);
    let rows: Vec<_> = names
        .iter()
        .flat_map(|name| ledger::rows(&daemon, name))
        .collect();
    let seen = [ledger::seen(&folder), sink.seen()].concat();
    let report = checker::check(&demands, &seen, Some(&rows), None);
    assert!(report.defects.is_empty(), "{report}");
    let touched = rows
        .iter()
        .find(|row| row.attempt > 0 && row.outcome != "success");
    assert!(touched.is_none(), "{touched:?}");
    let third = sizes.len() / 3;
    let first = Size::largest(&sizes[..third]);
    let last = Size::largest(&sizes[sizes.len() - third..]);
    println!(
        "{seconds} s, {edit} edits, {under_way} runs under way: {} fires demanded, {} ran; first {first:?}, last {last:?}",
        report.demanded, report.ran
    );
    assert!(
        last.descriptors <= first.descriptors + 50,
        "{first:?} {last:?}"
    );
    assert!(last.threads <= first.threads + 5, "{first:?} {last:?}");
    assert!(last.mib <= first.mib * 5 / 4 + 10, "{first:?} {last:?}");
}
