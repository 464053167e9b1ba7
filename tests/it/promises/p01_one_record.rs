//! At most one row per job and instant, and one start per attempt, whatever is killed when.

use std::time::Duration;

use crate::support::checker::{self, Demand, Sink, Span};
use crate::support::{Daemon, Dice, Folder, elapsed, ledger, now, number, until};

/// Kills in a usual run; `make kills` sets `ELDER_KILLS` to 500.
const KILLS: u64 = 50;

/// A job of the storm of kills.
struct Sample {
    name: &'static str,
    schedule: &'static str,
    /// For `every`: the second opinion.
    period: Option<u64>,
    /// What a process does between its first line and its last, or what a request asks for.
    does: &'static str,
    keys: &'static str,
    at_once: i64,
    attempts: u64,
}

/// An attempt for each of ten deaths more than `retry` allows.
const RERUN: u64 = 11;

#[rustfmt::skip]
const PROCESSES: [Sample; 10] = [
    Sample { name: "quick", schedule: "{ every: 300ms }", period: Some(300), does: "", keys: "", at_once: 1, attempts: 1 },
    Sample { name: "each-late", schedule: "{ every: 400ms }", period: Some(400), does: "", keys: "coalesce: false", at_once: 1, attempts: 1 },
    Sample { name: "delayed", schedule: "{ every: 1s, jitter: 400ms }", period: None, does: "", keys: "", at_once: 1, attempts: 1 },
    Sample { name: "slow", schedule: "{ every: 400ms }", period: Some(400), does: "sleep 0.5", keys: "", at_once: 1, attempts: 1 },
    Sample { name: "several", schedule: "{ every: 300ms }", period: Some(300), does: "sleep 0.7", keys: "max_instances: 2", at_once: 2, attempts: 1 },
    Sample { name: "failing", schedule: "{ every: 600ms }", period: Some(600), does: "exit 1", keys: "retry: { max: 2, backoff: 50ms }", at_once: 1, attempts: 3 },
    Sample { name: "again", schedule: "{ every: 700ms }", period: Some(700), does: "sleep 0.3", keys: "after_crash: rerun", at_once: 1, attempts: RERUN },
    Sample { name: "again-failing", schedule: "{ every: 700ms }", period: Some(700), does: "sleep 0.2; exit 1", keys: "after_crash: rerun\n    retry: { max: 1, backoff: 100ms }", at_once: 1, attempts: RERUN + 1 },
    Sample { name: "queueing", schedule: "{ every: 400ms }", period: Some(400), does: "sleep 0.45", keys: "overlap: queue", at_once: 1, attempts: 1 },
    Sample { name: "replacing", schedule: "{ every: 500ms }", period: Some(500), does: "sleep 0.8", keys: "overlap: replace", at_once: 1, attempts: 1 },
];

#[rustfmt::skip]
const REQUESTS: [Sample; 4] = [
    Sample { name: "asks", schedule: "{ every: 300ms }", period: Some(300), does: "", keys: "", at_once: 1, attempts: 1 },
    Sample { name: "asks-slowly", schedule: "{ every: 300ms }", period: Some(300), does: "?hold=500", keys: "max_instances: 2", at_once: 2, attempts: 1 },
    Sample { name: "asks-in-vain", schedule: "{ every: 600ms }", period: Some(600), does: "?status=503", keys: "retry: { max: 2, backoff: 50ms }", at_once: 1, attempts: 3 },
    Sample { name: "asks-again", schedule: "{ every: 700ms }", period: Some(700), does: "?hold=300", keys: "after_crash: rerun", at_once: 1, attempts: RERUN },
];

impl Sample {
    fn yaml(&self, action: &str) -> String {
        let Self {
            name,
            schedule,
            keys,
            ..
        } = self;
        let keys = if keys.is_empty() {
            String::new()
        } else {
            format!("    {keys}\n")
        };
        format!("  {name}:\n    schedule: {schedule}\n    {action}\n{keys}")
    }

    /// A process whose job may run once at a time holds a lock while it or a child of it lives.
    fn process(&self) -> String {
        let lock = match self.at_once {
            1 => "exec 9>>\"$ELDER_STATE_DIR/../$ELDER_JOB.lock\"; flock -n 9 || w met; ",
            _ => "",
        };
        let does = match self.does.split_once("exit") {
            _ if self.does.is_empty() => "w ended".to_owned(),
            Some((before, code)) => format!("{before}w ended; exit{code}"),
            None => format!("{}; w ended", self.does),
        };
        let says = "w() { echo \"$ELDER_JOB $ELDER_SCHEDULED_AT $ELDER_ATTEMPT $ELDER_RUN_ID $1 $(date +%s.%N)\" >> \"$ELDER_STATE_DIR/../witness\"; }";
        self.yaml(&format!("run: '{says}; w began; {lock}{does}'"))
    }

    fn request(&self, sink: &Sink) -> String {
        let Self { name, does, .. } = self;
        let address = sink.address();
        self.yaml(&format!(
            "http: \"http://{address}/{name}/${{run.scheduled_at}}/${{run.id}}/${{run.attempt}}{does}\""
        ))
    }

    fn demand(&self, span: Span) -> Demand {
        let demand = Demand::of_schedule(self.name, self.schedule, span);
        if let Some(period) = self.period {
            let again = Demand::every(self.name, Duration::from_millis(period), span);
            assert_eq!(
                demand.targets, again.targets,
                "two opinions on {}",
                self.name
            );
        }
        Demand {
            most_at_once: self.at_once,
            most_attempts: self.attempts,
            ..demand
        }
    }
}

fn samples() -> impl Iterator<Item = &'static Sample> {
    PROCESSES.iter().chain(&REQUESTS)
}

#[test]
fn kill_9_at_any_moment_loses_nothing_doubles_nothing_and_invents_nothing() {
    let began = now();
    let seed = number("ELDER_SEED", began.as_nanosecond() as u64);
    let kills = number("ELDER_KILLS", KILLS);
    let again =
        format!("again: ELDER_SEED={seed} ELDER_KILLS={kills} cargo test --test it p01_one_record");
    let mut dice = Dice::new(seed);
    let sink = Sink::start(now);
    let processes: String = PROCESSES.iter().map(Sample::process).collect();
    let requests: String = REQUESTS.iter().map(|it| it.request(&sink)).collect();
    let text = format!("jobs:\n{processes}{requests}");
    let folder = Folder::with(&[("jobs.d/a.yaml", &text)]);
    // The first is let live until every job is surely known.
    let daemon = Daemon::start(&folder);
    let known = now();
    until("everything has run", || {
        let seen = [ledger::seen(&folder), sink.seen()].concat();
        let ran = |it: &Sample| seen.iter().any(|one| one.job == it.name);
        samples().all(ran).then_some(())
    });
    daemon.kill();
    let mut slowest = Duration::ZERO;
    for _ in 1..kills {
        // One in five does not even come to its feet.
        if dice.percent(20) {
            let moment = dice.between(0, 300).unsigned_abs();
            Daemon::start_and_kill(&folder, Duration::from_millis(moment));
            continue;
        }
        let moment = dice.between(0, 600).unsigned_abs();
        let mut daemon = None;
        slowest = slowest.max(elapsed(|| daemon = Some(Daemon::start(&folder))));
        std::thread::sleep(Duration::from_millis(moment));
        daemon.unwrap().kill();
    }
    let daemon = Daemon::start(&folder);
    let asked = now();
    let off = text.replace("    schedule:", "    enabled: false\n    schedule:");
    folder.write("jobs.d/a.yaml", &off);
    assert_eq!(daemon.post("/-/reload", "").status, 200);
    let span = Span {
        possibly: (began, now()),
        surely: (known, asked),
    };
    let names: Vec<&str> = samples().map(|it| it.name).collect();
    ledger::wait_until_over(&daemon, &names);
    let rows: Vec<_> = names
        .iter()
        .flat_map(|name| ledger::rows(&daemon, name))
        .collect();
    let seen = [ledger::seen(&folder), sink.seen()].concat();
    let demands: Vec<_> = samples().map(|it| it.demand(span)).collect();
    let report = checker::check(&demands, &seen, Some(&rows), None);
    assert!(report.defects.is_empty(), "{report}\n{again}");
    let cut = |row: &&ledger::Row| row.outcome == "interrupted";
    let interrupted = rows.iter().filter(cut).count();
    assert!(interrupted > 0, "no kill hit a run\n{again}");
    println!(
        "{kills} kills: {} fires demanded, {} ran in {} attempts, {interrupted} runs interrupted, none lost, doubled or invented; the slowest start took {slowest:?}",
        report.demanded,
        report.ran,
        seen.len()
    );
    if kills > KILLS {
        assert!(slowest < Duration::from_secs(1), "a start took {slowest:?}");
    }
}
