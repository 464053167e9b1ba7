//! Random scripts of writes: every store gives the same answers, and the promises hold throughout.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{asked, at, claim, fire, missed, name, sqlite, update};
use crate::ids::JobName;
use crate::model::{History, Outcome, Output, Run, RunState, Trigger};
use crate::store::{
    AppliedFile, JobSummary, Mark, MemoryBounds, MemoryStore, Recalled, RunQuery, Store, Write,
    Written,
};

const JOBS: [&str; 3] = ["a", "b", "c"];
const MAX_AGE: u64 = 900;

/// One step of a script; times are relative to a clock that never goes back.
#[derive(Clone, Debug)]
enum Step {
    Pass(u16),
    Commit(Vec<Act>),
    Prune { keep: u32, limit: usize },
}

#[derive(Clone, Debug)]
enum Act {
    Seen(usize),
    Gone(usize),
    Mark(usize, u8),
    Fire(usize, u8),
    Startup(usize, u8),
    Ask(usize, u8, u8),
    Missed(usize, u8, u8),
    /// The run that was claimed so many claims ago.
    Update(u8, RunState, Outcome, Option<u8>),
    Extend(u8, u8),
    File(u8, u8),
    DropFile(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let job = 0..JOBS.len();
    let ago = 0u8..30;
    let state = prop::sample::select(RunState::ALL);
    let outcome = prop::sample::select(Outcome::ALL);
    prop_oneof![
        2 => job.clone().prop_map(Act::Seen),
        1 => job.clone().prop_map(Act::Gone),
        1 => (job.clone(), ago.clone()).prop_map(|(job, ago)| Act::Mark(job, ago)),
        6 => (job.clone(), ago.clone()).prop_map(|(job, ago)| Act::Fire(job, ago)),
        1 => (job.clone(), ago.clone()).prop_map(|(job, ago)| Act::Startup(job, ago)),
        2 => (job.clone(), ago.clone(), 0u8..4).prop_map(|(job, ago, id)| Act::Ask(job, ago, id)),
        2 => (job, ago, 1u8..9).prop_map(|(job, ago, count)| Act::Missed(job, ago, count)),
        6 => (0u8..6, state, outcome, prop::option::of(0u8..4))
            .prop_map(|(which, state, outcome, said)| Act::Update(which, state, outcome, said)),
        2 => (0u8..6, 0u8..40).prop_map(|(which, count)| Act::Extend(which, count)),
        1 => (0u8..3, any::<u8>()).prop_map(|(path, text)| Act::File(path, text)),
        1 => (0u8..3).prop_map(Act::DropFile),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u16..400).prop_map(Step::Pass),
        8 => prop::collection::vec(act(), 1..8).prop_map(Step::Commit),
        1 => (0u32..4, 0usize..6).prop_map(|(keep, limit)| Step::Prune { keep, limit }),
    ]
}

/// Turns acts into writes, and remembers what it claimed.
struct Author {
    now: i64,
    claimed: Vec<Run>,
}

impl Author {
    fn write(&mut self, act: &Act) -> Write {
        let before = |ago: u8| self.now - i64::from(ago);
        match *act {
            Act::Seen(job) => super::seen(JOBS[job], self.now),
            Act::Gone(job) => super::gone(JOBS[job], self.now),
            Act::Mark(job, ago) => Write::Mark {
                job: name(JOBS[job]),
                at: at(before(ago)),
            },
            Act::Fire(job, ago) => self.claim(fire(JOBS[job], before(ago))),
            Act::Startup(job, ago) => self.claim(Run {
                trigger: Trigger::Startup,
                ..fire(JOBS[job], before(ago))
            }),
            Act::Ask(job, ago, id) => self.claim(asked(JOBS[job], before(ago), &format!("r{id}"))),
            Act::Missed(job, ago, count) => self.claim(Run {
                count: count.into(),
                scheduled_until: (count > 1).then(|| at(self.now)),
                ..missed(JOBS[job], before(ago))
            }),
            Act::Update(which, state, outcome, said) => {
                let mut run = self.pick(which);
                run.state = state;
                let done = state == RunState::Done;
                run.outcome = done.then_some(outcome);
                run.finished_at = done.then(|| at(self.now));
                run.duration = done.then_some(Duration::from_secs(2));
                let Some(said) = said else { return update(run) };
                let output = Output {
                    head: vec![said; usize::from(said)],
                    tail: Vec::new(),
                    total: said.into(),
                };
                Write::Update {
                    run: Box::new(run),
                    output: Some(output),
                }
            }
            Act::Extend(which, count) => {
                let run = self.pick(which);
                Write::Extend {
                    id: run.id,
                    job: run.job,
                    count: count.into(),
                    until: at(before(count)),
                    at: at(self.now),
                }
            }
            Act::File(path, text) => Write::File(AppliedFile {
                root: "jobs.d".to_owned(),
                path: path.to_string(),
                hash: text.to_string(),
                definitions: text.to_string(),
            }),
            Act::DropFile(path) => Write::DropFile {
                root: "jobs.d".to_owned(),
                path: path.to_string(),
            },
        }
    }

    fn claim(&mut self, run: Run) -> Write {
        self.claimed.push(run.clone());
        claim(run)
    }

    fn pick(&self, which: u8) -> Run {
        let newest = self.claimed.iter().rev().nth(which.into());
        newest.cloned().unwrap_or_else(|| fire("a", 1))
    }
}

/// Everything that can be read of a store.
#[derive(Debug, PartialEq)]
struct View {
    runs: Vec<(Run, Output)>,
    open: Vec<Run>,
    recalled: Vec<(JobName, Mark)>,
    marks: Vec<Option<Mark>>,
    files: Vec<AppliedFile>,
    sums: Vec<JobSummary>,
    requests: Vec<Option<Run>>,
}

async fn view(store: &Arc<dyn Store>) -> View {
    let Recalled {
        marks: mut recalled,
        open,
        files,
        ..
    } = store.recall().await.unwrap();
    recalled.sort_by(|a, b| a.0.cmp(&b.0));
    let mut query = RunQuery {
        limit: 7,
        ..RunQuery::default()
    };
    let mut runs = Vec::new();
    loop {
        let page = store.runs(query.clone()).await.unwrap();
        for run in page.runs {
            let (again, output) = store.run(run.id).await.unwrap().unwrap();
            assert_eq!(again, run);
            runs.push((run, output));
        }
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    let mut requests = Vec::new();
    for job in JOBS {
        for id in 0..4 {
            let found = store.run_of_request(name(job), format!("r{id}")).await;
            requests.push(found.unwrap());
        }
    }
    View {
        runs,
        open,
        recalled,
        marks: store.marks(JOBS.map(name).to_vec()).await.unwrap(),
        files,
        sums: store.summary(Timestamp::MIN, Timestamp::MAX).await.unwrap(),
        requests,
    }
}

/// What must hold at every moment, whatever was written.
#[derive(Default)]
struct Law {
    marks: HashMap<JobName, Timestamp>,
    /// Every fire that was ever ours.
    fires: HashSet<(JobName, Timestamp)>,
}

impl Law {
    fn answers(&mut self, writes: &[Write], answers: &[Written]) {
        assert_eq!(writes.len(), answers.len());
        for (write, answer) in writes.iter().zip(answers) {
            let (Write::Claim { run }, Written::Done) = (write, answer) else {
                continue;
            };
            if run.request.is_none() && run.trigger != Trigger::Startup {
                let fresh = self.fires.insert((run.job.clone(), run.scheduled_at));
                assert!(fresh, "a fire was given out twice: {run:?}");
            }
        }
    }

    fn state(&mut self, view: &View) {
        let mut keys = HashSet::new();
        for (run, _) in &view.runs {
            let instant = run.request.is_none().then_some(run.scheduled_at);
            let key = (run.job.clone(), instant, run.request.clone());
            assert!(keys.insert(key), "two rows under one key: {run:?}");
        }
        let is_open = |run: &&Run| run.state != RunState::Done;
        let mut open: Vec<&Run> = view.runs.iter().map(|row| &row.0).filter(is_open).collect();
        open.reverse();
        assert_eq!(open, view.open.iter().collect::<Vec<_>>());
        for (job, mark) in JOBS.iter().zip(&view.marks) {
            let Some(mark) = mark else { continue };
            let before = self.marks.insert(name(job), mark.mark);
            assert!(before.is_none_or(|before| before <= mark.mark), "{job}");
            assert!(mark.first_seen <= mark.mark, "{job}");
        }
    }
}

async fn perform(steps: Vec<Step>) {
    let unbounded = MemoryBounds {
        keep: u32::MAX,
        rows: usize::MAX,
        output: usize::MAX,
    };
    let memory: Arc<dyn Store> = Arc::new(MemoryStore::new(unbounded));
    let file = sqlite();
    let mut author = Author {
        now: 1000,
        claimed: Vec::new(),
    };
    let mut law = Law::default();
    for step in steps {
        match step {
            Step::Pass(seconds) => author.now += i64::from(seconds),
            Step::Commit(acts) => {
                let writes: Vec<Write> = acts.iter().map(|act| author.write(act)).collect();
                let answers = memory.commit(writes.clone()).await.unwrap();
                let others = file.store.commit(writes.clone()).await.unwrap();
                assert_eq!(answers, others, "{writes:#?}");
                law.answers(&writes, &answers);
            }
            Step::Prune { keep, limit } => {
                let bounds = History {
                    keep,
                    max_age: Duration::from_secs(MAX_AGE),
                };
                prune(&memory, bounds, at(author.now), limit).await;
                prune(&file.store, bounds, at(author.now), limit).await;
            }
        }
        let seen = view(&memory).await;
        assert_eq!(seen, view(&file.store).await);
        law.state(&seen);
    }
}

/// Prunes in slices until nothing is left to go: in which order is each store's own affair.
async fn prune(store: &Arc<dyn Store>, bounds: History, now: Timestamp, limit: usize) {
    let limit = limit + 1;
    loop {
        let some = store.prune(bounds, now, limit).await.unwrap();
        assert!(some <= limit as u64);
        if some == 0 {
            break;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_store_answers_any_script_alike(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(perform(steps));
    }
}
