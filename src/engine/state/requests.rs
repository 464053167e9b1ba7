//! Runs that no schedule made: somebody asked, or the daemon started.

use std::time::Duration;

use crate::ids::{JobKey, RunId};
use crate::model::{Outcome, Reason, Run, RunState, Trigger};
use crate::store::Write;

use super::commits::Then;
use super::runs::{Active, Place, Row};
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
        let active = job.active();
        if active.len() >= job.job.definition.policy.max_instances as usize
            && let Some(blocking) = active.first().copied()
        {
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
        self.describe_source(&mut run, &run_by);
        let mut active = Active::new(run, run_by, Some(key));
        active.ticket = Some(ticket);
        self.add_run(active, Place::Pool);
        let has_place = self
            .runs
            .get(&id)
            .is_some_and(|active| self.has_place(active));
        // A full pool may take long; who asked hears at once, and the row is there.
        if let Some(active) = self.runs.get_mut(&id)
            && !has_place
        {
            active.row = Row::OnItsWay;
            let run = Box::new(active.run.clone());
            self.write(Write::Claim { run }, Then::Recorded(id));
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
        self.describe_source(&mut run, &run_by);
        if last.is_some_and(|last| now.duration_since(last).unsigned_abs() < AGAIN_AFTER) {
            run.state = RunState::Done;
            run.outcome = Some(Outcome::Skipped);
            run.reason = Some(Reason::Restart);
            run.finished_at = Some(now);
            let run = Box::new(run);
            let then = Then::NotRun {
                key,
                run: run.clone(),
                first: now,
                added: 1,
            };
            self.write(Write::Claim { run }, then);
            return;
        }
        let mut active = Active::new(run, run_by, Some(key));
        active.due = Some(now);
        if let Some(job) = self.job_mut(key) {
            job.past().last_startup_at = Some(now);
        }
        self.add_run(active, Place::Pool);
    }
}
