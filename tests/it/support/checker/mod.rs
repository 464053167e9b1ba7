//! The checker: what a witness outside saw, and what elder's own rows tell, against what the
//! schedules demanded. Tests and benches share this file.
//!
//! A *target* is one instant at which one job was to fire. Each sure target must be seen, or a row
//! must say why it was not; each run that was seen must have a target; nothing may come twice, too
//! early, too late or beside too many others; and the rows must tell the story that was seen.
//! This file is pure: instants and words in, defects out.

mod demand;
mod sink;
mod witness;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

pub use demand::{Demand, Span, Target};
pub use sink::Sink;
pub use witness::seen_in;

/// One attempt that a witness saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub job: String,
    /// The instant that it was told to be for. Who does not say is matched by when it began.
    pub scheduled: Option<Timestamp>,
    /// The run's identity; empty where the witness does not hear it.
    pub run: String,
    /// From 1.
    pub attempt: u64,
    /// By the witness's own clock.
    pub began: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    /// It found another run of its job alive.
    pub met_another: bool,
}

/// One row of elder's own ledger.
#[derive(Clone, Debug)]
pub struct Row {
    pub job: String,
    pub id: String,
    pub first: Timestamp,
    pub last: Timestamp,
    pub count: u64,
    pub state: String,
    pub outcome: String,
    pub reason: String,
    pub attempt: u64,
}

impl Row {
    /// As the API tells it; `None` when it is not what the API promises.
    pub fn of(run: &Value) -> Option<Self> {
        let text = |key: &str| run[key].as_str().unwrap_or_default().to_owned();
        let first = run["scheduled_at"].as_str()?.parse().ok()?;
        let last = match run["scheduled_until"].as_str() {
            Some(last) => last.parse().ok()?,
            None => first,
        };
        Some(Self {
            job: run["job_id"].as_str()?.to_owned(),
            id: run["run_id"].as_str()?.to_owned(),
            first,
            last,
            count: run["count"].as_u64()?,
            state: run["state"].as_str()?.to_owned(),
            outcome: text("outcome"),
            reason: text("reason"),
            attempt: run["attempt"].as_u64()?,
        })
    }

    /// Whether its last attempt came to an end that only a begun one can have.
    fn came_to_its_end(&self) -> bool {
        self.outcome == "success"
            || self.outcome == "failed" && matches!(self.reason.as_str(), "exit" | "http")
    }
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Due, never seen, and no row says why.
    Lost,
    /// Seen or recorded, and never due.
    Invented,
    /// Twice what may be once: an attempt, a run of one instant, a row of one instant.
    Doubled,
    /// Before it was due.
    Early,
    /// Later than the bound.
    Late,
    /// More of one job at once than may.
    Overlapping,
    /// A row that is not closed.
    Open,
    /// The rows tell another story than the witness.
    Contradicted,
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Defect {
    pub kind: Kind,
    pub job: String,
    pub at: Timestamp,
    /// In words.
    pub what: String,
}

/// What came out.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub defects: Vec<Defect>,
    /// How long after its due instant each target's first attempt began, in nanoseconds, sorted.
    pub late: Vec<i64>,
    /// How many targets had to be accounted for.
    pub demanded: usize,
    /// How many targets were seen to run.
    pub ran: usize,
}

impl Report {
    /// How many defects are of that kind.
    pub fn count(&self, kind: Kind) -> usize {
        self.defects.iter().filter(|it| it.kind == kind).count()
    }

    fn add(&mut self, kind: Kind, job: &str, at: Timestamp, what: impl Into<String>) {
        self.defects.push(Defect {
            kind,
            job: job.to_owned(),
            at,
            what: what.into(),
        });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (demanded, ran) = (self.demanded, self.ran);
        write!(f, "{demanded} demanded, {ran} ran, ")?;
        writeln!(f, "{} defects", self.defects.len())?;
        for Defect {
            kind,
            job,
            at,
            what,
        } in self.defects.iter().take(40)
        {
            writeln!(f, "{kind:?}: {job} at {at}: {what}")?;
        }
        Ok(())
    }
}

/// Compares. Without `rows` a sure target must have been seen; `late` bounds how long after its due
/// instant a target's first attempt may begin.
pub fn check(
    demands: &[Demand],
    seen: &[Seen],
    rows: Option<&[Row]>,
    late: Option<Duration>,
) -> Report {
    let mut report = Report::default();
    let mut seen_of: HashMap<&str, Vec<Seen>> = HashMap::new();
    for one in seen {
        seen_of.entry(&one.job).or_default().push(one.clone());
    }
    let mut rows_of: HashMap<&str, Vec<&Row>> = HashMap::new();
    for row in rows.unwrap_or_default() {
        rows_of.entry(&row.job).or_default().push(row);
    }
    for demand in demands {
        let seen = seen_of.remove(demand.job.as_str()).unwrap_or_default();
        let of_job = rows_of.remove(demand.job.as_str()).unwrap_or_default();
        let job = Job {
            demand,
            targets: demand.targets.iter().map(|it| (it.scheduled, it)).collect(),
            late,
        };
        job.check(seen, rows.map(|_| of_job), &mut report);
    }
    for (job, seen) in seen_of {
        let at = seen.iter().find_map(|one| one.scheduled.or(one.began));
        let what = format!("{} runs of a job that nobody asked for", seen.len());
        report.add(Kind::Invented, job, at.unwrap_or_default(), what);
    }
    report.late.sort_unstable();
    report.defects.sort_by(|a, b| {
        (a.kind, &a.job, a.at)
            .cmp(&(b.kind, &b.job, b.at))
            .then_with(|| a.what.cmp(&b.what))
    });
    report
}

/// One job under comparison.
struct Job<'a> {
    demand: &'a Demand,
    targets: BTreeMap<Timestamp, &'a Target>,
    late: Option<Duration>,
}

impl Job<'_> {
    fn check(&self, mut seen: Vec<Seen>, rows: Option<Vec<&Row>>, report: &mut Report) {
        let name = self.demand.job.as_str();
        self.match_by_time(&mut seen, report);
        let mut ran: BTreeMap<Timestamp, Vec<&Seen>> = BTreeMap::new();
        for one in &seen {
            if let Some(at) = one.scheduled {
                ran.entry(at).or_default().push(one);
            }
        }
        for (at, attempts) in &ran {
            match self.targets.get(at) {
                Some(target) => self.instant(target, attempts, report),
                None => report.add(Kind::Invented, name, *at, "it ran and was never due"),
            }
        }
        let told = rows.as_ref().map(|rows| self.rows(rows, &ran, report));
        for (at, target) in &self.targets {
            let is_told = told.as_ref().is_some_and(|told| told.contains(at));
            report.demanded += usize::from(target.is_sure);
            report.ran += usize::from(ran.contains_key(at));
            if target.is_sure && !is_told && !ran.contains_key(at) {
                report.add(Kind::Lost, name, *at, "nobody saw it, no row tells why");
            }
        }
        self.overlaps(&seen, report);
    }

    /// Gives each run that does not say for which instant it is the first target that is free and
    /// due by then, which leaves none out that could have been matched.
    fn match_by_time(&self, seen: &mut [Seen], report: &mut Report) {
        let taken: BTreeSet<_> = seen.iter().filter_map(|one| one.scheduled).collect();
        let mut free: Vec<_> = self.targets.values().collect();
        free.retain(|target| !taken.contains(&target.scheduled));
        free.sort_by_key(|target| target.due);
        let mut free = free.into_iter().peekable();
        let mut silent: Vec<_> = seen
            .iter_mut()
            .filter(|one| one.scheduled.is_none())
            .collect();
        silent.sort_by_key(|one| one.began);
        for one in silent {
            let began = one.began.unwrap_or_default();
            let patience = self.late.unwrap_or(Duration::MAX);
            let is_over =
                |due: Timestamp| due < began && began.duration_since(due).unsigned_abs() > patience;
            // Two targets behind: it is for the later one, and the earlier one is lost.
            while free.next_if(|target| is_over(target.due)).is_some() {}
            match free.next_if(|target| target.due <= began) {
                Some(target) => one.scheduled = Some(target.scheduled),
                None => report.add(
                    Kind::Invented,
                    &self.demand.job,
                    began,
                    "it ran and nothing was due",
                ),
            }
        }
    }

    /// All attempts for one instant.
    fn instant(&self, target: &Target, attempts: &[&Seen], report: &mut Report) {
        let mut add = |kind, what: String| {
            report.add(kind, &self.demand.job, target.scheduled, what);
        };
        let runs: BTreeSet<_> = attempts.iter().map(|one| one.run.as_str()).collect();
        if runs.len() > 1 {
            add(Kind::Doubled, format!("several runs of one fire: {runs:?}"));
        }
        let mut times: BTreeMap<(&str, u64), u32> = BTreeMap::new();
        for one in attempts {
            *times.entry((&one.run, one.attempt)).or_default() += 1;
        }
        for ((run, attempt), times) in times {
            if times > 1 {
                let what = format!("attempt {attempt} of {run} ran {times} times");
                add(Kind::Doubled, what);
            }
            if attempt > self.demand.most_attempts {
                let most = self.demand.most_attempts;
                add(
                    Kind::Doubled,
                    format!("attempt {attempt} of {most} at most"),
                );
            }
        }
        let Some(began) = attempts.iter().filter_map(|one| one.began).min() else {
            return;
        };
        let after = began.as_nanosecond() - target.due.as_nanosecond();
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        if after < 0 {
            add(Kind::Early, format!("{} ns early", -after));
        } else if self
            .late
            .is_some_and(|bound| u128::from(after.unsigned_abs()) > bound.as_nanos())
        {
            add(Kind::Late, format!("{} ms late", after / 1_000_000));
        }
        report.late.push(after);
    }

    /// What the rows tell against what was seen; says which targets they account for.
    fn rows(
        &self,
        rows: &[&Row],
        ran: &BTreeMap<Timestamp, Vec<&Seen>>,
        report: &mut Report,
    ) -> BTreeSet<Timestamp> {
        let name = self.demand.job.as_str();
        let mut told = BTreeSet::new();
        let mut by_id: BTreeMap<&str, &Row> = BTreeMap::new();
        for row in rows {
            if by_id.insert(&row.id, row).is_some() {
                report.add(Kind::Doubled, name, row.first, "an identity twice");
            }
            if row.state != "done" || row.outcome.is_empty() {
                report.add(Kind::Open, name, row.first, format!("{row:?}"));
            }
            if !self.targets.contains_key(&row.first) || !self.targets.contains_key(&row.last) {
                report.add(Kind::Invented, name, row.first, format!("{row:?}"));
                continue;
            }
            let covered: Vec<_> = self.targets.range(row.first..=row.last).collect();
            if covered.len() as u64 != row.count {
                let what = format!("stands for {} and not for {row:?}", covered.len());
                report.add(Kind::Contradicted, name, row.first, what);
            }
            for (at, _) in covered {
                if !told.insert(*at) {
                    report.add(Kind::Doubled, name, *at, format!("two rows: {row:?}"));
                }
            }
            let attempts = ran.get(&row.first).map_or(&[][..], Vec::as_slice);
            let is_last = |one: &&Seen| one.run == row.id && one.attempt == row.attempt;
            if row.came_to_its_end() && !attempts.iter().any(is_last) {
                let what = format!("nobody saw the end that it tells: {row:?}");
                report.add(Kind::Contradicted, name, row.first, what);
            }
        }
        for (at, attempts) in ran {
            // What was never due is said to be that already.
            let is_due = self.targets.contains_key(at);
            for one in attempts.iter().filter(|_| is_due) {
                match by_id.get(one.run.as_str()) {
                    None => report.add(Kind::Contradicted, name, *at, "it ran without a row"),
                    Some(row) if row.first != *at || row.attempt < one.attempt => {
                        let what = format!("attempt {} ran: {row:?}", one.attempt);
                        report.add(Kind::Contradicted, name, *at, what);
                    }
                    Some(_) => {}
                }
            }
        }
        told
    }

    /// More at once than may. An attempt whose end nobody saw counts for its beginning alone; that
    /// is where its own word helps.
    fn overlaps(&self, seen: &[Seen], report: &mut Report) {
        let name = self.demand.job.as_str();
        for one in seen.iter().filter(|one| one.met_another) {
            let at = one.scheduled.unwrap_or_default();
            report.add(Kind::Overlapping, name, at, "it met another of its job");
        }
        // At one instant an end comes before a beginning.
        let mut turns: Vec<(Timestamp, i64)> = Vec::new();
        for one in seen {
            if let (Some(began), Some(ended)) = (one.began, one.ended) {
                turns.extend([(began, 1), (ended, -1)]);
            }
        }
        turns.sort_unstable();
        let mut at_once = 0;
        for (at, turn) in turns {
            at_once += turn;
            if turn > 0 && at_once > self.demand.most_at_once {
                report.add(Kind::Overlapping, name, at, format!("{at_once} at once"));
            }
        }
    }
}
