//! Requests: `http`.
//!
//! One client for all jobs. An attempt fills the request in, checks every
//! address before it is connected to, sends, reads a bounded part of the
//! answer, and compares it with what the job expects. The job's timeout holds
//! over all of that, whichever phase hangs. A request cannot be asked to hurry:
//! one that is stopped is given up at once, with or without grace.

mod answer;
mod client;
mod egress;
mod expect;
mod failing;
mod redirect;
mod request;
mod retry_after;
#[cfg(test)]
mod server;
mod sign;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use crate::duration;
use crate::model::{AttemptEnd, Ended, Http, Reason};

use super::Attempt;
use super::cut::{Cut, Cutter};
use super::failure::{Failure, end, never_began};
use super::fill::Facts;
use super::runner::Surroundings;
use super::secrets::Secrets;
use super::starts::Starts;

pub(super) use client::Client;
pub use egress::{BadRule, Egress, EgressRule};

use answer::Answer;
use expect::Expected;
use request::Prepared;

/// How many redirects are followed.
const MOST_REDIRECTS: usize = 10;

/// Carries the attempt out.
pub(super) async fn carry_out(
    client: Arc<Client>,
    around: Arc<Surroundings>,
    starts: &Arc<Starts>,
    attempt: Attempt,
    http: &Http,
) -> AttemptEnd {
    let mut cutter = Cutter::new(&attempt);
    if cutter.is_stopped() {
        return never_began();
    }
    let mut answer = Answer::default();
    let result = tokio::select! {
        biased;
        result = converse(&client, (&around, starts), &attempt, http, &mut answer) => Ok(result),
        cut = cutter.next() => Err(cut),
    };
    let (ended, said) = match result {
        Ok(Ok(())) => (Ended::Success, None),
        Ok(Err(failure)) => (Ended::Failed(failure.reason), Some(failure.message)),
        Err(Cut::Stopped | Cut::StoppedNow) => (
            Ended::Stopped,
            Some("it was told to end; the request was given up".to_owned()),
        ),
        Err(Cut::TimedOut) => {
            let within = cutter.timeout_text();
            let said = match answer.status {
                None => format!("there was no answer within {within}"),
                Some(status) => format!(
                    "it answered {}, but not to the end within {within}",
                    status.as_u16()
                ),
            };
            (Ended::TimedOut, Some(said))
        }
    };
    let asked = answer.retry_after.filter(|_| ended != Ended::Success);
    let asked_text = asked
        .map(|wait| asked_text(wait, &attempt))
        .unwrap_or_default();
    let detail = said.map(|said| {
        answer
            .mask
            .text(&format!("{}: {said}{asked_text}", shown(http)))
    });
    AttemptEnd {
        http_status: answer.status.map(|status| status.as_u16()),
        retry_after: asked,
        output: answer.finish(),
        ..end(ended, detail)
    }
}

async fn converse(
    client: &Client,
    (around, starts): (&Surroundings, &Arc<Starts>),
    attempt: &Attempt,
    http: &Http,
    answer: &mut Answer,
) -> Result<(), Failure> {
    let secrets = read_secrets(around, starts, attempt).await?;
    let keep = attempt.job.definition.policy.output_keep;
    answer.mask(secrets.mask()?, keep);
    let facts = Facts {
        attempt,
        secrets: &secrets,
        server: around.server(),
    };
    let mut request = Prepared::new(http, &facts)?;
    let expected = Expected::new(&http.expect, &facts)?;
    let way = client.of(http.tls.as_ref()).await?;
    if let Some(sign) = &http.sign {
        // The last thing before it goes: the time is part of what is signed.
        request.sign(sign, &facts, around.clock.now())?;
    }
    let mut redirects = 0;
    let mut response = loop {
        let sending = client.send(&way, &mut request, http.follow_redirects);
        let response = sending.await?;
        let status = response.status();
        answer.status = Some(status);
        if !http.follow_redirects || !request.redirect(status, response.headers())? {
            break response;
        }
        redirects += 1;
        if redirects > MOST_REDIRECTS {
            return Err(Failure::new(
                Reason::Http,
                format!("it redirects more than {MOST_REDIRECTS} times"),
            ));
        }
    };
    let status = response.status();
    let location = redirect::location_text(status, response.headers());
    answer.retry_after = retry_after::read(status, response.headers(), around.clock.now());
    let read = answer.read(&mut response, expected.wants_body()).await;
    expected.check_status(status, location.as_deref())?;
    read?;
    expected.check_body(status, answer)
}

async fn read_secrets(
    around: &Surroundings,
    starts: &Arc<Starts>,
    attempt: &Attempt,
) -> Result<Secrets, Failure> {
    let definition = &attempt.job.definition;
    let context = Arc::clone(&definition.context);
    if !Secrets::wait_for_files(&context) {
        return Secrets::read(&context, &around.env);
    }
    let env = Arc::clone(&around.env);
    let reading = move || Secrets::read(&context, &env);
    let mut reading = starts.begin(definition, reading).await?;
    match (&mut reading.task).await {
        Ok(read) => read,
        Err(_) => Err(Failure::internal("reading the secrets panicked")),
    }
}

/// What the target asks for, and what becomes of it.
fn asked_text(wait: Duration, attempt: &Attempt) -> String {
    // Whoever asks for longer than an age is told apart by nobody.
    const AGE: Duration = Duration::from_secs(3650 * 86_400);
    let retry = &attempt.job.definition.policy.retry;
    let asks = format!(
        "; it asks to be left alone for {}",
        duration::print(wait.min(AGE))
    );
    // Who delivers letters waits for as long as is asked, whatever the sage's own pauses are.
    let is_bounded = attempt.told.is_none();
    if is_bounded && wait > retry.max_backoff && attempt.attempt <= retry.max {
        let most = duration::print(retry.max_backoff);
        return format!("{asks}, and max_backoff bounds the wait to {most}");
    }
    asks
}

/// The request as it is written in the job file, where no secret is filled in.
fn shown(http: &Http) -> String {
    const MOST: usize = 200;
    let url = http.url.shown();
    let short: String = url.chars().take(MOST).collect();
    let dots = if short.len() < url.len() { "…" } else { "" };
    format!("{} {short}{dots}", http.method)
}

#[cfg(test)]
mod tests;
