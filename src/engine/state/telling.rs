//! Who is told of an end, in the transaction that records it.
//!
//! Letters go into the batch just before the row that they are about, and a batch never ends
//! between the two: a crash leaves both or neither. A job without sages costs nothing here.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::decide::{self, About, Happened, MissedTold, Trouble};
use crate::ids::{JobKey, JobName, RunId};
use crate::model::{Event, Job, Output, Run, Trigger};
use crate::store::{Telling, Write};

use super::State;
use super::commits::Then;

/// So many jobs that are gone are remembered with their trouble.
const MOST_GONE: usize = 10_000;

impl State {
    /// Tells of the end of `run`, or of `added` more fires in its row. The row is written next.
    pub(super) fn tell(
        &mut self,
        key: Option<JobKey>,
        job: &Job,
        run: &Run,
        added: u64,
        output: Option<&Output>,
    ) {
        if let Some((write, then)) = self.telling(key, job, run, added, output) {
            self.write(write, then);
        }
    }

    /// What is to be written with the row of `run`, so that sages are told of it.
    pub(super) fn telling(
        &mut self,
        key: Option<JobKey>,
        job: &Job,
        run: &Run,
        added: u64,
        output: Option<&Output>,
    ) -> Option<(Write, Then)> {
        let happened = Happened::of(run, added)?;
        self.telling_of(key, job, run, happened, output)
    }

    /// A success of the job is overdue, at least since `deadline`.
    pub(super) fn tell_stale(
        &mut self,
        key: JobKey,
        deadline: Timestamp,
        last_success: Option<Timestamp>,
    ) {
        let Some(job) = self.job(key).map(|job| job.job.clone()) else {
            return;
        };
        if job.definition.policy.audience.is_none() {
            return;
        }
        // There is no run: this only carries what is known.
        let name = job.name();
        let id = RunId::of_request(name, deadline, "stale");
        let mut run = Run::new(id, name.clone(), deadline, Trigger::Schedule);
        let since = last_success.map_or("none so far".to_owned(), |at| format!("the last at {at}"));
        run.detail = Some(format!("a success was expected by {deadline}; {since}").into());
        let happened = Happened::Stale;
        if let Some((write, _)) = self.telling_of(Some(key), &job, &run, happened, None) {
            self.write(write, Then::ToldAlone);
        }
    }

    fn telling_of(
        &mut self,
        key: Option<JobKey>,
        job: &Job,
        run: &Run,
        happened: Happened,
        output: Option<&Output>,
    ) -> Option<(Write, Then)> {
        let at = self.now.wall;
        // The job may have taken another name since the run began.
        let name = &run.job;
        let before = self.trouble(key, name);
        let Some(audience) = job.definition.policy.audience.clone() else {
            // What was failing when somebody was told of it fails no more.
            before.filter(|_| matches!(happened, Happened::Success))?;
            self.set_trouble(key, name, None);
            let telling = Telling {
                letters: Vec::new(),
                said: vec![(Trouble::subject(name), None)],
            };
            return Some((Write::Tell(Box::new(telling)), Then::Told(Vec::new())));
        };
        let sages = self.sages.clone();
        let (calls, after) = decide::tell(&audience, &sages, before.as_ref(), happened, at);
        let is_same = before == after;
        if calls.is_empty() && is_same {
            return None;
        }
        let failing = match happened {
            Happened::Failure => key.and_then(|key| self.failing(key)),
            Happened::Success | Happened::Missed(_) | Happened::Stale => None,
        };
        let about = About {
            definition: &job.definition,
            run,
            output,
            at,
            failing: failing.as_ref(),
        };
        let mut telling = Telling {
            letters: decide::letters(calls, &about),
            said: Vec::new(),
        };
        let mut missed = Vec::new();
        if !is_same {
            let text = after.as_ref().map(Trouble::print);
            telling.said.push((Trouble::subject(name), text));
            if let (Happened::Missed(_), Some(after)) = (happened, &after) {
                missed = after.missed_since(before.as_ref());
            }
            self.set_trouble(key, name, after);
        }
        Some((Write::Tell(Box::new(telling)), Then::Told(missed)))
    }

    /// Letters are in the outbox.
    pub(super) fn told(&self) {
        self.observer.observe(&Event::LettersWritten);
    }

    /// What was to be told of fires that came too late is decided anew, with these fires.
    pub(super) fn untold(&mut self, key: JobKey, missed: &[MissedTold]) {
        // What was told after the first of them hangs on that.
        if !self.commits.untold.insert(key) {
            return;
        }
        let past = self.job_mut(key).and_then(|job| job.past.as_mut());
        if let Some(trouble) = past.and_then(|past| past.trouble.as_mut()) {
            trouble.take_back(missed);
        }
    }

    /// What was told of a fire that came too late, or held back, hung on what was told before it. Where
    /// that is taken back and this fire is not decided anew, it is told anew.
    pub(super) fn told_again(
        &mut self,
        telling: Option<(Write, Then)>,
        write: &Write,
    ) -> Option<(Write, Then)> {
        let (Some((_, Then::Told(missed))), Write::Update { run, .. }) = (&telling, write) else {
            return telling;
        };
        let key = self.names.get(run.job.as_str()).copied();
        let key = key.filter(|key| !missed.is_empty() && self.commits.untold.contains(key));
        let Some((key, job)) = key.and_then(|key| Some((key, self.job(key)?.job.clone()))) else {
            return telling;
        };
        self.telling(Some(key), &job, run, run.count, None)
    }

    /// Writes what was kept. That may say of a job what was remembered before something was taken back,
    /// or told in its stead: the last word is what is remembered now.
    pub(super) fn write_again(&mut self, kept: impl Iterator<Item = (Write, Then)>) {
        let mut subjects = BTreeSet::new();
        for (write, then) in kept {
            if let Write::Tell(telling) = &write {
                let said = telling.said.iter();
                subjects.extend(said.map(|(subject, _)| subject.clone()));
            }
            self.write(write, then);
        }
        let now = |subject: String| {
            let name = Trouble::job_of(&subject)?;
            let key = self.names.get(name.as_str()).copied();
            let trouble = self.trouble(key, &name);
            Some((subject, trouble.as_ref().map(Trouble::print)))
        };
        let said: Vec<_> = subjects.into_iter().filter_map(now).collect();
        if !said.is_empty() {
            let telling = Telling {
                letters: Vec::new(),
                said,
            };
            self.write(Write::Tell(Box::new(telling)), Then::Nothing);
        }
    }

    /// A job takes another name, and its trouble with it; what the new name left is over. Of names
    /// that no job has, what was remembered last counts. Says so in `said`.
    pub(super) fn rename_trouble(
        &mut self,
        from: &JobName,
        to: &JobName,
        said: &mut Vec<(String, Option<String>)>,
    ) {
        let key = self.names.get(from.as_str()).copied();
        let old = self.trouble(key, from);
        if old.is_some() {
            said.push((Trouble::subject(from), None));
            self.keep_trouble(from, None);
        }
        let is_there = self.names.contains_key(to.as_str());
        if is_there || key.is_none() && old.is_none() {
            return;
        }
        let left = self.troubles.remove(to.as_str());
        if old.is_some() || left.is_some() {
            let text = old.as_ref().map(Trouble::print);
            said.push((Trouble::subject(to), text));
        }
        if key.is_none() {
            self.keep_trouble(to, old);
        }
    }

    fn trouble(&self, key: Option<JobKey>, job: &JobName) -> Option<Trouble> {
        match key.and_then(|key| self.job(key)) {
            Some(state) => state.past.as_ref()?.trouble.as_deref().cloned(),
            None => self.troubles.get(job).cloned(),
        }
    }

    fn set_trouble(&mut self, key: Option<JobKey>, job: &JobName, trouble: Option<Trouble>) {
        match key.and_then(|key| self.job_mut(key)) {
            Some(state) => state.past().trouble = trouble.map(Box::new),
            None => self.keep_trouble(job, trouble),
        }
    }

    /// Remembers the trouble of a job that is gone, as far as there is room.
    pub(super) fn keep_trouble(&mut self, job: &JobName, trouble: Option<Trouble>) {
        match trouble {
            Some(trouble) if self.troubles.len() < MOST_GONE || self.troubles.contains_key(job) => {
                self.troubles.insert(job.clone(), trouble);
            }
            _ => drop(self.troubles.remove(job)),
        }
    }
}
