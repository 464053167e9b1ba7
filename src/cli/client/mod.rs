//! A running elder, as the client commands talk to it.

mod texts;
mod token;

use std::time::Duration;

use reqwest::{Method, StatusCode, Url};
use serde_json::Value;

use super::args::{AskArgs, ClientArgs, TableFormat};
use super::environment::Environment;
use super::exit::Failure;
use crate::finding::render::on_one_line;
use crate::ids::RunId;
use crate::secret::Secret;

pub use texts::{as_json, problem};

use texts::harmless;

/// An elder on this machine answers at once or not at all.
const CONNECT: Duration = Duration::from_secs(5);
/// A copy of a large store or a reload of a large tree takes its time.
const ANSWER: Duration = Duration::from_secs(600);
/// Elder says something now and then, if only that there is nothing to say.
const SILENCE: Duration = Duration::from_secs(60);
/// Longer than a run takes that anybody watches.
const LONGEST_STREAM: Duration = Duration::from_secs(30 * 24 * 3600);
/// More than any answer is meant to be.
const MAX_BODY: usize = 64 << 20;

/// A running elder.
pub struct Client {
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    server: Url,
    /// As it was named.
    shown: String,
    token: Option<Secret>,
    /// How long the whole of an answer may take.
    patience: Duration,
    /// Whether people read what it says, so that its texts must be harmless to a terminal.
    for_people: bool,
}

/// What it answered, when that was an answer to the question.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body; null when it was empty.
    pub body: Value,
}

impl Client {
    /// Gets ready to talk; nothing is sent yet.
    ///
    /// # Errors
    /// When `--token-file` cannot be read or no client can be built.
    pub fn new(typed: &ClientArgs, environment: &Environment) -> Result<Self, Failure> {
        let server = Url::parse(&typed.server)
            .map_err(|error| Failure::no_answer(format!("--server {}: {error}", typed.server)))?;
        let token = match &typed.token_file {
            Some(file) => Some(token::read(file)?),
            None => token::left_for(&server, environment),
        };
        let failed =
            |error: &dyn std::fmt::Display| Failure::no_answer(format!("cannot start: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed(&error))?;
        // A second provider is no harm: the first one stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .user_agent(concat!("elder/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| failed(&error))?;
        Ok(Self {
            runtime,
            http,
            server,
            shown: typed.server.clone(),
            token,
            patience: ANSWER,
            for_people: true,
        })
    }

    /// The same for a command whose answer people or programs read.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn asking(typed: &AskArgs, environment: &Environment) -> Result<Self, Failure> {
        let client = Self::new(&typed.client, environment)?;
        Ok(match typed.format {
            TableFormat::Human => client,
            TableFormat::Json => client.for_programs(),
        })
    }

    /// Texts are to come as they are: programs read them, by [`as_json`].
    #[must_use]
    pub fn for_programs(mut self) -> Self {
        self.for_people = false;
        self
    }

    fn read(&self, body: Value) -> Value {
        match self.for_people {
            true => harmless(body),
            false => body,
        }
    }

    /// Reads something.
    ///
    /// # Errors
    /// When there is no answer, or elder refuses one.
    pub fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Answer, Failure> {
        self.ask(Method::GET, path, query, None)
    }

    /// Reads something that is text, as it is: whoever shows it makes it harmless.
    ///
    /// # Errors
    /// When there is no answer, or elder refuses one.
    pub fn text(&self, path: &[&str], query: &[(&str, &str)]) -> Result<String, Failure> {
        let request = self.request(Method::GET, path, query, None);
        let (status, bytes) = self.runtime.block_on(self.exchange(request))?;
        if status.is_success() {
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
        let body = serde_json::from_slice(&bytes).map_err(|_| self.stranger(status))?;
        let said = problem(&body).unwrap_or_else(|| status.to_string());
        self.judge(path, Answer { status, body })?;
        Err(Failure::does_not_hold(said))
    }

    /// Reads events as they come, until there are no more or `each` has heard enough and says `false`.
    ///
    /// # Errors
    /// When there is no answer, elder refuses one, falls silent, or `each` fails.
    pub fn events(
        &self,
        path: &[&str],
        mut each: impl FnMut(&str, Value) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let request = self.request(Method::GET, path, &[], None);
        let request = request
            .header("accept", "text/event-stream")
            .timeout(LONGEST_STREAM);
        self.runtime.block_on(async {
            let mut response = request.send().await.map_err(|error| self.lost(&error))?;
            let status = response.status();
            if !status.is_success() {
                let bytes = response.bytes().await.unwrap_or_default();
                let body = serde_json::from_slice(&bytes).map_err(|_| self.stranger(status))?;
                let body = self.read(body);
                self.judge(path, Answer { status, body })?;
                return Ok(());
            }
            let mut waiting = String::new();
            let mut bytes = Vec::new();
            loop {
                let part = tokio::time::timeout(SILENCE, response.chunk()).await;
                let silent = |_| Failure::no_answer(format!("{} fell silent", self.shown));
                let part = part.map_err(silent)?.map_err(|error| self.lost(&error))?;
                let Some(part) = part else { return Ok(()) };
                bytes.extend_from_slice(&part);
                // Elder's events are JSON in ASCII-compatible lines: a cut inside of a character waits.
                let end = match std::str::from_utf8(&bytes) {
                    Ok(_) => bytes.len(),
                    Err(error) => error.valid_up_to(),
                };
                waiting.push_str(&String::from_utf8_lossy(&bytes[..end]));
                bytes.drain(..end);
                while let Some((event, rest)) = waiting.split_once("\n\n") {
                    let (name, data) = fields(event);
                    let goes_on = match serde_json::from_str(data) {
                        Ok(data) => each(name, data)?,
                        Err(_) => true,
                    };
                    if !goes_on {
                        return Ok(());
                    }
                    waiting = rest.to_owned();
                }
                if waiting.len() > MAX_BODY {
                    return Err(self.stranger(status));
                }
            }
        })
    }

    /// Asks for something to be done.
    ///
    /// # Errors
    /// When there is no answer, or elder refuses one.
    pub fn post(&self, path: &[&str], body: &Value) -> Result<Answer, Failure> {
        self.ask(Method::POST, path, &[], Some(body))
    }

    /// Whether anybody answers, whatever that is.
    pub fn answers(&self) -> bool {
        let request = self.request(Method::GET, &["stats"], &[], None);
        self.runtime.block_on(self.exchange(request)).is_ok()
    }

    /// Whether that elder is on this machine, by its address.
    pub fn is_local(&self) -> bool {
        token::is_local(&self.server)
    }

    /// From now on, no answer takes longer: whoever listens there may not be an elder.
    pub fn be_patient_for(&mut self, length: Duration) {
        self.patience = length.min(ANSWER);
    }

    /// Lets time pass between two questions.
    pub fn pause(&self, length: Duration) {
        // A sleep is made inside of the runtime that wakes it.
        self.runtime
            .block_on(async move { tokio::time::sleep(length).await });
    }

    fn request(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> reqwest::RequestBuilder {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.http.request(method, url).timeout(self.patience);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.expose()));
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        request
    }

    fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let request = self.request(method, path, query, body);
        let (status, bytes) = self.runtime.block_on(self.exchange(request))?;
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            let body = serde_json::from_slice(&bytes).map_err(|_| self.stranger(status))?;
            self.read(body)
        };
        self.judge(path, Answer { status, body })
    }

    async fn exchange(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<(StatusCode, Vec<u8>), Failure> {
        let mut response = request.send().await.map_err(|error| self.lost(&error))?;
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.lost(&error))? {
            bytes.extend_from_slice(&part);
            if bytes.len() > MAX_BODY {
                let message = format!("the answer of {} is too large", self.shown);
                return Err(Failure::no_answer(message));
            }
        }
        Ok((response.status(), bytes))
    }

    /// Answers that say yes, or no to the question itself, go on; all others end here.
    fn judge(&self, path: &[&str], answer: Answer) -> Result<Answer, Failure> {
        let status = answer.status;
        if status.is_success() {
            return Ok(answer);
        }
        let said = problem(&answer.body).unwrap_or_else(|| status.to_string());
        match status {
            StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => Ok(answer),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let failure = Failure::no_answer(format!("{} refuses: {said}", self.shown));
                let failure = failure.lasting();
                Err(failure.help(match (&self.token, self.is_local()) {
                    (Some(_), _) => "the token does not allow it; name another with --token-file",
                    (None, false) => "name the file of a token with --token-file (ELDER_TOKEN_FILE)",
                    (None, true) => {
                        "no token was found: name elder's state folder by ELDER_STATE, as that elder has it, \
                         or the file that its first log line names with --token-file"
                    }
                }))
            }
            StatusCode::NOT_FOUND => Err(not_there(path).unwrap_or(Failure::no_answer(said))),
            _ => Err(Failure::no_answer(said)),
        }
    }

    fn lost(&self, error: &reqwest::Error) -> Failure {
        let mut reason: &dyn std::error::Error = error;
        while let Some(deeper) = reason.source() {
            reason = deeper;
        }
        let reason = if error.is_timeout() {
            "no answer in time".to_owned()
        } else {
            reason.to_string()
        };
        Failure::no_answer(format!("cannot reach {}: {reason}", self.shown))
            .help("is elder running there? name another with --server URL (ELDER_SERVER)")
    }

    fn stranger(&self, status: StatusCode) -> Failure {
        let message = format!("{} does not answer like an elder ({status})", self.shown);
        Failure::no_answer(message).help("name another with --server URL (ELDER_SERVER)")
    }
}

/// What to say where elder knows no such job or run.
fn not_there(path: &[&str]) -> Option<Failure> {
    let (kind, name) = match *path {
        [kind @ ("jobs" | "runs"), name, ..] => (kind, on_one_line(name)),
        _ => return None,
    };
    Some(match (kind, RunId::parse(&name)) {
        ("jobs", _) => Failure::no_answer(format!("there is no job `{name}`")).help(
            "`elder list` shows all there are; `elder status` says whether a file was refused",
        ),
        (_, Some(_)) => Failure::no_answer(format!("there is no run {name}"))
            .help("its history may have been pruned: `elder runs` shows what is kept"),
        (_, None) => Failure::no_answer(format!("`{name}` is no run's id"))
            .help(format!("of a job, `elder runs {name}` shows the ids")),
    })
}

/// Name and data of an event.
fn fields(event: &str) -> (&str, &str) {
    let of = |key: &str| {
        let mut lines = event.lines();
        lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
    };
    (
        of("event").unwrap_or_default(),
        of("data").unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_named_with_the_next_command() {
        let id = "01M81TRQ0XT2DTR1GQWH9KR52K";
        for (path, want) in [
            (&["jobs", "bill", "run"][..], "there is no job `bill`"),
            (&["jobs", "a\u{1b}"], "there is no job `a\\u{1b}`"),
            (&["runs", id], &format!("there is no run {id}")),
            (&["runs", "bill", "cancel"], "`bill` is no run's id"),
        ] {
            let failure = not_there(path).unwrap();
            assert_eq!(failure.message, want);
            assert!(failure.help.contains("`elder "), "{failure}");
        }
        assert!(not_there(&["stats"]).is_none());
    }
}
