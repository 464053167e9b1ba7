//! The one client that all jobs share.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Response, Url};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::super::failure::Failure;
use super::egress::{CheckedResolver, check_literal};
use super::failing::{classify, deepest};
use super::request::Prepared;

/// How many connections to one host wait for their next request.
const IDLE_CONNECTIONS: usize = 1024;
/// How long a connection waits for its next request. Jobs come at round times and servers drop idle connections
/// at round times: a longer wait would let the two meet and lose requests.
const IDLE: Duration = Duration::from_secs(4);
/// So many requests begin at once; each makes room for the next when it is answered, or after [`PATIENCE`].
const AT_ONCE: usize = 64;
const PATIENCE: Duration = Duration::from_millis(4);

/// Sends requests. TLS, connections and names are shared by all jobs.
pub(in super::super) struct Client {
    client: reqwest::Client,
    /// How many requests at once wait for an answer that may come at any moment.
    gate: Semaphore,
    /// Why `https` cannot be used, if it cannot.
    no_https: Option<String>,
}

impl Client {
    /// Builds the client; takes some tens of milliseconds.
    ///
    /// # Errors
    /// A sentence, when neither `https` nor `http` can be had.
    pub(in super::super) fn new() -> Result<Self, String> {
        // Whoever comes first installs it; that it is there already is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let told = |error: reqwest::Error| error.to_string();
        match builder().build() {
            Ok(client) => Ok(Self {
                client,
                gate: Semaphore::new(AT_ONCE),
                no_https: None,
            }),
            // A machine without certificates of authorities can still speak http.
            Err(error) => Ok(Self {
                client: builder().tls_certs_only([]).build().map_err(told)?,
                gate: Semaphore::new(AT_ONCE),
                no_https: Some(deepest(&error)),
            }),
        }
    }

    #[cfg(test)]
    pub(super) fn without_authorities() -> Self {
        let mut client = Self::new().unwrap();
        client.client = builder().tls_certs_only([]).build().unwrap();
        client.no_https = Some("no CA certificates".to_owned());
        client
    }

    /// Sends `request` once, to where it now points; what it holds is kept if it may be redirected.
    pub(super) async fn send(
        &self,
        request: &mut Prepared,
        may_go_on: bool,
    ) -> Result<Response, Failure> {
        self.check(&request.url)?;
        // An answer within moments leaves a connection for the next request: a burst shares a few
        // of them, and does not open one for each. Nobody waits for an answer that takes longer:
        // of 1,000 requests to servers that hang, the last begins after 64 ms.
        let place = self.gate.acquire().await;
        let mut sending = std::pin::pin!(self.client.execute(request.take(may_go_on)));
        let soon = timeout(PATIENCE, &mut sending).await;
        drop(place);
        let sent = match soon {
            Ok(sent) => sent,
            Err(_elapsed) => sending.await,
        };
        sent.map_err(|error| classify(&error))
    }

    fn check(&self, url: &Url) -> Result<(), Failure> {
        match (url.scheme(), &self.no_https) {
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
        check_literal(url).map_err(|refused| Failure::setup(refused.to_string()))
    }
}

fn builder() -> ClientBuilder {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .dns_resolver(CheckedResolver::default())
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .pool_idle_timeout(IDLE)
}
