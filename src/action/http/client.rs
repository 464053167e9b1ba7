//! The clients that all jobs share: one for nearly all of them, and one for each distinct `tls`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Response, Url};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::model::Tls;

use super::super::failure::Failure;
use super::egress::{CheckedResolver, Egress};
use super::failing::{classify, deepest};
use super::request::Prepared;
use super::tls::{Digest, Material};

/// How many connections to one host wait for their next request.
const IDLE_CONNECTIONS: usize = 1024;
/// How long a connection waits for its next request. Jobs come at round times and servers drop idle connections
/// at round times: a longer wait would let the two meet and lose requests.
const IDLE: Duration = Duration::from_secs(4);
/// So many requests begin at once; each makes room for the next when it is answered, or after [`PATIENCE`].
const AT_ONCE: usize = 64;
const PATIENCE: Duration = Duration::from_millis(4);
/// How many clients for distinct `tls` are kept, the ones used last.
const KEPT: usize = 64;

/// Sends requests. TLS, connections and names are shared by all jobs.
pub(in super::super) struct Client {
    plain: reqwest::Client,
    resolver: CheckedResolver,
    /// How many requests at once wait for an answer that may come at any moment.
    gate: Semaphore,
    /// Why the authorities of the system cannot be used, if they cannot.
    no_authorities: Option<String>,
    /// Clients by what their files held, the one used last at the end. A file that changes is
    /// another client: nobody goes on with an old key.
    special: Arc<Mutex<Vec<(Digest, reqwest::Client)>>>,
}

/// The client for one attempt, and why it cannot speak `https`, if it cannot.
pub(super) struct Way<'a> {
    client: reqwest::Client,
    no_https: Option<&'a str>,
}

impl Client {
    /// Builds the client; takes some tens of milliseconds.
    ///
    /// # Errors
    /// A sentence, when neither `https` nor `http` can be had.
    pub(in super::super) fn new(egress: Egress) -> Result<Self, String> {
        Self::with(CheckedResolver::new(egress))
    }

    pub(super) fn with(resolver: CheckedResolver) -> Result<Self, String> {
        // Whoever comes first installs it; that it is there already is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let told = |error: reqwest::Error| error.to_string();
        let (plain, no_authorities) = match builder(&resolver).build() {
            Ok(client) => (client, None),
            // A machine without certificates of authorities can still speak http.
            Err(error) => {
                let client = builder(&resolver).tls_certs_only([]).build();
                (client.map_err(told)?, Some(deepest(&error)))
            }
        };
        Ok(Self {
            plain,
            resolver,
            gate: Semaphore::new(AT_ONCE),
            no_authorities,
            special: Arc::default(),
        })
    }

    #[cfg(test)]
    pub(super) fn without_authorities() -> Self {
        let mut client = Self::new(Egress::default()).unwrap();
        client.plain = builder(&client.resolver)
            .tls_certs_only([])
            .build()
            .unwrap();
        client.no_authorities = Some("no CA certificates".to_owned());
        client
    }

    /// How many clients for distinct `tls` there are.
    #[cfg(test)]
    pub(super) fn special_clients(&self) -> usize {
        self.special.lock().unwrap().len()
    }

    /// The client for a job with this `tls`; its files are read anew.
    pub(super) async fn of(&self, tls: Option<&Arc<Tls>>) -> Result<Way<'_>, Failure> {
        let no_https = self.no_authorities.as_deref();
        let Some(tls) = tls else {
            return Ok(Way {
                client: self.plain.clone(),
                no_https,
            });
        };
        let no_https = no_https.filter(|_| tls.ca.is_none() && !tls.insecure);
        if no_https.is_some() {
            // The same client, built, would fail with less to say.
            return Ok(Way {
                client: self.plain.clone(),
                no_https,
            });
        }
        let (tls, resolver) = (Arc::clone(tls), self.resolver.clone());
        let special = Arc::clone(&self.special);
        let finding = tokio::task::spawn_blocking(move || {
            let material = Material::read(&tls)?;
            let digest = material.digest();
            // Held while one is built: of a thousand jobs with the same `tls` that begin together,
            // one builds it and the others wait some milliseconds.
            let mut kept = special.lock().unwrap_or_else(PoisonError::into_inner);
            let known = kept.iter().position(|(known, _)| *known == digest);
            let entry = match known {
                Some(place) => kept.remove(place),
                None => (digest, material.client(builder(&resolver))?),
            };
            let client = entry.1.clone();
            if kept.len() >= KEPT {
                kept.remove(0);
            }
            kept.push(entry);
            Ok(client)
        });
        let client = finding
            .await
            .unwrap_or_else(|_| Err(Failure::internal("reading the files of `tls` panicked")))?;
        Ok(Way { client, no_https })
    }

    /// Sends `request` once, to where it now points; what it holds is kept if it may be redirected.
    pub(super) async fn send(
        &self,
        way: &Way<'_>,
        request: &mut Prepared,
        may_go_on: bool,
    ) -> Result<Response, Failure> {
        self.check(way, &request.url)?;
        // An answer within moments leaves a connection for the next request: a burst shares a few
        // of them, and does not open one for each. Nobody waits for an answer that takes longer:
        // of 1,000 requests to servers that hang, the last begins after 64 ms.
        let place = self.gate.acquire().await;
        let mut sending = std::pin::pin!(way.client.execute(request.take(may_go_on)));
        let soon = timeout(PATIENCE, &mut sending).await;
        drop(place);
        let sent = match soon {
            Ok(sent) => sent,
            Err(_elapsed) => sending.await,
        };
        sent.map_err(|error| classify(&error))
    }

    fn check(&self, way: &Way<'_>, url: &Url) -> Result<(), Failure> {
        match (url.scheme(), way.no_https) {
            ("http", _) | ("https", None) => {}
            ("https", Some(reason)) => {
                return Err(Failure::setup(format!(
                    "https cannot be used, because no authority's certificate was found when elder started ({reason}): \
                     install ca-certificates or set SSL_CERT_FILE, then restart elder"
                )));
            }
            (scheme, _) => {
                return Err(Failure::setup(format!(
                    "{scheme}: is not for jobs, only http and https are"
                )));
            }
        }
        let checked = self.resolver.check_literal(url);
        checked.map_err(|refused| Failure::setup(refused.to_string()))
    }
}

fn builder(resolver: &CheckedResolver) -> ClientBuilder {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .dns_resolver(resolver.clone())
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .pool_idle_timeout(IDLE)
}
