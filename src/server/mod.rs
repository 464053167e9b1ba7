//! HTTP: the API, the metrics, the health, and who may ask.
//!
//! The server reaches the engine and the sync through their handles, the store
//! through its reads, and the metrics through telemetry; it decides nothing
//! about jobs. Every request passes one guard before it reaches a route.

mod api;
mod audit;
mod auth;
mod connection;
mod guard;
mod health;
mod listen;
mod metrics;
mod problem;
mod query;
mod readers;
mod routes;
mod shared;
mod stream;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt::Write as _;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::process::{Resource, getrlimit};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::action::Live;
use crate::clock::Clock;
use crate::engine::Handle;
use crate::forecast::plan::Terms;
use crate::model::Observer;
use crate::store::Store;
use crate::sync::SyncHandle;
use crate::telemetry::Telemetry;
use crate::telemetry::feed::Feed;

use auth::{Access, AccessParts, OwnToken, Tokens};
use listen::Bounds;
use shared::Shared;

pub use auth::{Auth, BadPublic, OwnTokenError, Public, Role, TokensError, token_path};

/// How the server is to be.
#[derive(Clone, Debug)]
pub struct Config {
    /// `--listen`: a host and a port; port 0 takes any that is free.
    pub listen: String,
    /// `--auth`
    pub auth: Auth,
    /// `--tokens`
    pub tokens: Option<PathBuf>,
    /// `--public`
    pub public: Public,
    /// `--allowed-host`: names, with or without a port.
    pub allowed_hosts: Vec<String>,
    /// `--state`
    pub state_dir: PathBuf,
    /// `XDG_RUNTIME_DIR`
    pub xdg_runtime_dir: Option<PathBuf>,
}

impl Config {
    /// The defaults at this address.
    #[must_use]
    pub fn new(listen: &str, state_dir: &Path) -> Self {
        Self {
            listen: listen.to_owned(),
            auth: Auth::default(),
            tokens: None,
            public: Public::default(),
            allowed_hosts: Vec::new(),
            state_dir: state_dir.to_owned(),
            xdg_runtime_dir: None,
        }
    }
}

/// Whom the server asks.
pub struct Parts {
    /// The engine.
    pub engine: Handle,
    /// The sync.
    pub sync: SyncHandle,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The metrics.
    pub telemetry: Arc<Telemetry>,
    /// Who hears what calls change.
    pub observer: Arc<dyn Observer>,
    /// What runs say, while they say it.
    pub live: Live,
    /// What happens, as it happens.
    pub feed: Arc<Feed>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What plans depend on, as it is now.
    pub terms: TermsNow,
    /// Told when somebody asks for elder's end.
    pub stop: Arc<Notify>,
}

/// What plans depend on, asked anew for each: the rules of time zones may change.
pub type TermsNow = Arc<dyn Fn() -> Terms + Send + Sync>;

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// No host and port.
    #[error("--listen {listen} is no address: write HOST:PORT, such as 127.0.0.1:8000 ({error})")]
    BadAddress {
        /// As given.
        listen: String,
        /// Why not.
        error: io::Error,
    },
    /// Somebody listens there already.
    #[error(
        "{address} is in use: another elder or another server listens there; stop it, or choose another --listen"
    )]
    Taken {
        /// Where.
        address: SocketAddr,
    },
    /// It cannot be listened there.
    #[error("elder cannot listen on {address}: {error}")]
    Io {
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// `--auth none` for the whole network.
    #[error(
        "--auth none works on a loopback address alone, and {address} is none: anybody could run jobs"
    )]
    Open {
        /// Where.
        address: SocketAddr,
    },
    /// The tokens file is not in order.
    #[error(transparent)]
    Tokens(#[from] TokensError),
    /// Elder's own token cannot be written.
    #[error(transparent)]
    OwnToken(#[from] OwnTokenError),
}

/// A server that listens and does not answer yet.
pub struct Bound {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its address for clients on the same host.
    pub url: String,
    /// Where its own token is; `None` with `--auth none`.
    pub token_file: Option<PathBuf>,
    /// Things that somebody should know, such as a tokens file that others may write.
    pub warnings: Vec<String>,
    listener: TcpListener,
    shared: Arc<Shared>,
    tokens: Option<PathBuf>,
    bounds: Bounds,
    /// Removes the file when the server ends.
    own: Option<OwnToken>,
}

/// Takes the address and makes ready; whoever connects from here on waits for [`Bound::serve`].
///
/// # Errors
/// [`BindError`] says what to change.
pub async fn bind(config: Config, parts: Parts) -> Result<Bound, BindError> {
    let listener = listener(&config).await?;
    let address = listener
        .local_addr()
        .map_err(|error| BindError::BadAddress {
            listen: config.listen.clone(),
            error,
        })?;
    let mut warnings = Vec::new();
    let tokens = match &config.tokens {
        Some(path) => {
            let read = auth::read_tokens(path)?;
            warnings.extend(read.warning);
            read.tokens
        }
        None => Tokens::default(),
    };
    let own = match config.auth {
        Auth::None => None,
        Auth::Tokens => {
            let runtime = config.xdg_runtime_dir.as_deref();
            let paths = token_path(address.port(), runtime, &config.state_dir);
            Some(OwnToken::write(&paths)?)
        }
    };
    let access = Access::new(AccessParts {
        auth: config.auth,
        public: config.public,
        address,
        allowed_hosts: config.allowed_hosts,
        own: own.as_ref().map(OwnToken::hash),
        tokens,
    });
    let bounds = Bounds::within(getrlimit(Resource::Nofile).current);
    Ok(Bound {
        address,
        url: url(address),
        token_file: own.as_ref().map(|own| own.path().to_owned()),
        warnings,
        listener,
        shared: Arc::new(Shared::new(parts, config.state_dir, access, bounds)),
        tokens: config.tokens,
        bounds,
        own,
    })
}

async fn listener(config: &Config) -> Result<TcpListener, BindError> {
    let bad = |error| BindError::BadAddress {
        listen: config.listen.clone(),
        error,
    };
    let mut found = tokio::net::lookup_host(&config.listen).await.map_err(bad)?;
    let address = found
        .next()
        .ok_or_else(|| bad(io::ErrorKind::NotFound.into()))?;
    if config.auth == Auth::None && !address.ip().is_loopback() {
        return Err(BindError::Open { address });
    }
    TcpListener::bind(address)
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => BindError::Taken { address },
            _ => BindError::Io { address, error },
        })
}

/// An address that a client on the same host can use.
fn url(address: SocketAddr) -> String {
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(host, address.port()))
}

/// Reads the tokens file anew, as SIGHUP asks.
#[derive(Clone)]
pub struct TokensHandle {
    shared: Arc<Shared>,
    path: Option<PathBuf>,
}

impl TokensHandle {
    /// Reads it and says how many tokens there are now; `None` without `--tokens`. A file that is
    /// not in order changes nothing.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn reread(&self) -> Result<Option<usize>, TokensError> {
        let Some(path) = &self.path else {
            return Ok(None);
        };
        let read = auth::read_tokens(path)?;
        let count = read.tokens.len();
        self.shared.access.replace_tokens(read.tokens);
        Ok(Some(count))
    }
}

impl Bound {
    /// A way to have the tokens file read anew while the server serves.
    #[must_use]
    pub fn tokens(&self) -> TokensHandle {
        TokensHandle {
            shared: self.shared.clone(),
            path: self.tokens.clone(),
        }
    }

    /// Serves until `shutdown` ends and what is under way has come to its end, within a few
    /// seconds; then elder's own token is gone.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let router = routes::router(self.shared.clone(), self.bounds.body);
        let changes = async {
            // It fails only when it was closed, which nobody does.
            let _ = self.shared.writes.acquire_many(shared::WRITES).await;
        };
        listen::serve(self.listener, router, self.bounds, shutdown, changes).await;
        drop(self.own);
    }
}

/// Bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// So many bytes of the kernel's randomness, as hexadecimal digits.
fn random_hex<const BYTES: usize>() -> io::Result<String> {
    let mut bytes = [0; BYTES];
    let mut filled = 0;
    while filled < BYTES {
        let flags = rustix::rand::GetRandomFlags::empty();
        filled += rustix::rand::getrandom(&mut bytes[filled..], flags)?;
    }
    Ok(hex(&bytes))
}
