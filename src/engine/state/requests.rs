//! Runs that no schedule made: somebody asked, or the daemon started.

use std::time::Duration;

use crate::decide::Admission;
use crate::ids::{JobKey, RunId};
use crate::model::{Job, Outcome, Reason, Run, RunState, Trigger};
use crate::store::Write;

use super::active::{Active, Place, Row};
use super::commits::Then;
use super::overlap::under_way;
use super::{Effect, Phase, Refusal, State, Ticket, TriggerRequest, Triggered};

impl State {
    /// A run is asked for.
    pub(super) fn trigger(&mut self, ticket: Ticket, request: TriggerRequest) {
        let refuse = |refusal| Effect::Triggered(ticket, Err(refusal));
        if matches!(self.phase, Phase::Stopping(_)) {
            self.effects.push(refuse(Refusal::Stopping));
            return;
        }
        if let Some(error) = self.commits.error() {
            self.effects.push(refuse(Refusal::Store(error)));
            return;
        }
        let key = self.names.get(request.job.as_str()).copied();
        let Some((key, job)) = key.and_then(|key| Some((key, self.job(key)?))) else {
            let refusal = Refusal::NoSuchJob(request.job.to_string());
            self.effects.push(refuse(refusal));
            return;
        };
        if let Some(run) = self.same_request(job.active(), &request.request) {
            self.join(ticket, run);
            return;
        }
        let (admission, blocking) = self.admission(job);
        if let (Admission::Skip, Some(blocking)) = (admission, blocking) {
            let otherwise = Refusal::Overlap {
                job: request.job.clone(),
                blocking,
            };
            self.effects.push(Effect::FindRequest {
                ticket,
                job: request.job,
                request: request.request,
                otherwise,
            });
            return;
        }
        let at = self.now.wall;
        let id = RunId::of_request(&request.job, at, &request.request);
        let run_by = job.job.clone();
        let mut run = Run::new(id, request.job, at, request.trigger);
        run.request = Some(request.request);
        self.describe_source(key, &mut run, &run_by);
        let mut active = Active::new(run, run_by, Some(key));
        active.tickets.push(ticket);
        let place = match admission {
            Admission::Wait | Admission::Replace => Place::Behind,
            Admission::Start | Admission::Skip => Place::Pool,
        };
        self.add_run(active, place);
        self.asked = Some(id);
    }

    /// What was asked for just now and has not begun gets its row: a full pool may take long, and who
    /// asked hears at once.
    pub(super) fn record_asked(&mut self) {
        let Some(id) = self.asked.take() else { return };
        if let Some(active) = self.runs.get_mut(&id)
            && active.row == Row::Absent
        {
            active.row = Row::OnItsWay;
            let run = Box::new(active.run.clone());
            self.write(Write::Claim { run }, Then::Recorded(id));
        }
    }

    /// The job's run of this request, if it is not over.
    fn same_request(&self, active: &[RunId], request: &str) -> Option<RunId> {
        let mut active = active.iter().copied();
        active.find(|id| {
            let run = self.runs.get(id).map(|active| &active.run);
            run.is_some_and(|run| run.request.as_deref() == Some(request))
        })
    }

    /// The same request again: the answer is the run that it made, once its row is there.
    fn join(&mut self, ticket: Ticket, run: RunId) {
        match self.runs.get_mut(&run) {
            Some(active) if !active.tickets.is_empty() => active.tickets.push(ticket),
            _ => self.request_found(ticket, Some(run), Refusal::Stopping),
        }
    }

    pub(super) fn request_found(&mut self, ticket: Ticket, run: Option<RunId>, otherwise: Refusal) {
        let answer = run
            .map(|run| Triggered {
                run,
                repeated: true,
            })
            .ok_or(otherwise);
        self.effects.push(Effect::Triggered(ticket, answer));
    }

    /// The daemon started: jobs that want to know do.
    pub(super) fn startup(&mut self, key: JobKey) {
        const AGAIN_AFTER: Duration = Duration::from_secs(60);
        let now = self.now.wall;
        let Some(job) = self.job(key) else { return };
        let last = job.past.as_ref().and_then(|past| past.last_startup_at);
        let run_by = job.job.clone();
        let id = RunId::of_fire(run_by.name(), now);
        let mut run = Run::new(id, run_by.name().clone(), now, Trigger::Startup);
        self.describe_source(key, &mut run, &run_by);
        let (admission, blocking) = self.admission(job);
        let paused = self.pause_over(key, now);
        let reason = match last {
            _ if paused.is_some() => Reason::Paused,
            Some(last) if now.duration_since(last).unsigned_abs() < AGAIN_AFTER => Reason::Restart,
            _ if admission == Admission::Skip => Reason::Overlap,
            _ => return self.begin_startup(key, run, run_by, admission),
        };
        run.state = RunState::Done;
        run.outcome = Some(Outcome::Skipped);
        run.reason = Some(reason);
        run.finished_at = Some(now);
        run.detail = blocking
            .filter(|_| reason == Reason::Overlap)
            .map(under_way)
            .or(paused);
        let run = Box::new(run);
        let then = Then::NotRun {
            key: Some(key),
            run: run.clone(),
            first: now,
            added: 1,
        };
        self.write(Write::Claim { run }, then);
    }

    fn begin_startup(&mut self, key: JobKey, run: Run, run_by: Job, admission: Admission) {
        let now = self.now.wall;
        let mut active = Active::new(run, run_by, Some(key));
        active.due = Some(now);
        if let Some(job) = self.job_mut(key) {
            job.past().last_startup_at = Some(now);
        }
        let id = active.run.id;
        match admission {
            Admission::Start => self.add_run(active, Place::Pool),
            _ => self.add_run(active, Place::Behind),
        }
        if admission == Admission::Replace {
            self.replace_for(key, id);
        }
    }
}
