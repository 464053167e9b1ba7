//! Who is told of an end, in the transaction that records it.
//!
//! Letters go into the batch just before the row that they are about, and a batch never ends
//! between the two: a crash leaves both or neither. A job without sages costs nothing here.

use jiff::Timestamp;

use crate::decide::{self, About, Happened, Trouble};
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
        let audience = job.definition.policy.audience.clone()?;
        let at = self.now.wall;
        let before = self.trouble(key, job.name());
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
        if !is_same {
            let text = after.as_ref().map(Trouble::print);
            telling.said.push((Trouble::subject(job.name()), text));
            self.set_trouble(key, job.name(), after);
        }
        let then = Then::Told(job.name().clone());
        Some((Write::Tell(Box::new(telling)), then))
    }

    /// Letters are in the outbox.
    pub(super) fn told(&self) {
        self.observer.observe(&Event::LettersWritten);
    }

    /// What was to be told is decided anew, with the fire that it was about.
    pub(super) fn untold(&mut self, job: &JobName) {
        let key = self.names.get(job.as_str()).copied();
        if let Some(mut trouble) = self.trouble(key, job) {
            trouble.forget_told();
            self.set_trouble(key, job, Some(trouble));
        }
    }

    pub(super) fn trouble(&self, key: Option<JobKey>, job: &JobName) -> Option<Trouble> {
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
            Some(trouble) if self.troubles.len() < MOST_GONE => {
                self.troubles.insert(job.clone(), trouble);
            }
            _ => drop(self.troubles.remove(job)),
        }
    }
}
