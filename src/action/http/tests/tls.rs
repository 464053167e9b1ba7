//! Real certificates over real TLS: whom elder believes, and who it is.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;

use super::*;
use crate::model::{Tls, TreePath};

/// An authority, and what it vouches for.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key.
#[derive(Clone)]
struct Pair {
    cert: String,
    key: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    fn vouches_for(&self, name: &str, edit: impl FnOnce(&mut CertificateParams)) -> Pair {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        edit(&mut params);
        let key = KeyPair::generate().unwrap();
        Pair {
            cert: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

/// A server that is `pair`, and asks for a certificate of `clients` if there is such an authority.
async fn server(pair: &Pair, clients: Option<&Authority>) -> Server {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(certificate(&authority.pem)).unwrap();
            let asks = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(asks.build().unwrap())
        }
    };
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    let config = builder.with_single_cert(vec![certificate(&pair.cert)], key);
    Server::tls(config.unwrap(), |_| ok("arrived")).await
}

fn file(folder: &TempDir, name: &str, text: &str) -> TreePath {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    tree_path(&path, folder)
}

fn tree_path(path: &Path, folder: &TempDir) -> TreePath {
    TreePath {
        path: path.into(),
        within: Some(folder.path().into()),
    }
}

/// Believes the system and is nobody.
fn system() -> Tls {
    Tls {
        ca: None,
        identity: None,
        insecure: false,
    }
}

async fn ask(server: &Server, host: &str, tls: Tls) -> AttemptEnd {
    let mut http = get(&format!("https://{host}:{}/", server.address.port()));
    http.tls = Some(Arc::new(tls));
    run(request(http)).await
}

#[track_caller]
fn assert_end(what: &str, end: &AttemptEnd, want: Result<(), (Reason, &str)>) {
    match want {
        Ok(()) => assert_eq!(
            (end.ended, text(end).as_str()),
            (Ended::Success, "arrived"),
            "{what}: {}",
            detail(end)
        ),
        Err((reason, said)) => {
            assert_eq!(end.ended, Ended::Failed(reason), "{what}: {}", detail(end));
            assert!(detail(end).contains(said), "{what}: {}", detail(end));
        }
    }
}

#[tokio::test]
async fn only_the_authority_that_is_named_is_believed() {
    let folder = TempDir::new().unwrap();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let fine = server(&ours.vouches_for("127.0.0.1", |_| ()), None).await;
    let expired = ours.vouches_for("127.0.0.1", |params| {
        params.not_after = date_time_ymd(2020, 1, 1);
    });
    let expired = server(&expired, None).await;
    let ca = |authority: &Authority, name| Tls {
        ca: Some(file(&folder, name, &authority.pem)),
        ..system()
    };
    let both = format!("# two\n{}{}", theirs.pem, ours.pem);
    let both = Tls {
        ca: Some(file(&folder, "both.pem", &both)),
        ..system()
    };
    let insecure = || Tls {
        insecure: true,
        ..system()
    };
    let connect = |said| Err((Reason::Connect, said));
    for (what, server, host, tls, want) in [
        (
            "the system's authorities",
            &fine,
            "127.0.0.1",
            system(),
            connect("`tls: { ca: PATH }`"),
        ),
        (
            "its own authority",
            &fine,
            "127.0.0.1",
            ca(&ours, "ours.pem"),
            Ok(()),
        ),
        ("one of two", &fine, "127.0.0.1", both, Ok(())),
        (
            "another authority",
            &fine,
            "127.0.0.1",
            ca(&theirs, "theirs.pem"),
            connect("TLS: "),
        ),
        (
            "another name",
            &fine,
            "localhost",
            ca(&ours, "ours.pem"),
            connect("not valid for name"),
        ),
        ("nobody asked", &fine, "localhost", insecure(), Ok(())),
        (
            "expired",
            &expired,
            "127.0.0.1",
            ca(&ours, "ours.pem"),
            connect("expired"),
        ),
        (
            "expired, and nobody asked",
            &expired,
            "127.0.0.1",
            insecure(),
            Ok(()),
        ),
    ] {
        let end = ask(server, host, tls).await;
        assert_end(what, &end, want);
    }
}

#[tokio::test]
async fn a_certificate_that_vouches_for_itself_is_believed_where_it_is_named() {
    let folder = TempDir::new().unwrap();
    for (is_ca, want) in [
        (IsCa::ExplicitNoCa, Ok(())),
        (IsCa::NoCa, Ok(())),
        (
            IsCa::Ca(BasicConstraints::Unconstrained),
            Err((Reason::Connect, "make it without CA:TRUE")),
        ),
    ] {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.is_ca = is_ca;
        let key = KeyPair::generate().unwrap();
        let pair = Pair {
            cert: params.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        };
        let server = server(&pair, None).await;
        let tls = Tls {
            ca: Some(file(&folder, "self.pem", &pair.cert)),
            ..system()
        };
        let end = ask(&server, "127.0.0.1", tls).await;
        assert_end("self-signed", &end, want);
    }
}

#[tokio::test]
async fn a_server_that_asks_who_is_there_is_told() {
    let folder = TempDir::new().unwrap();
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let server = server(&servers.vouches_for("127.0.0.1", |_| ()), Some(&clients)).await;
    let ca = file(&folder, "ca.pem", &servers.pem);
    let with = |cert: TreePath, key: TreePath| Tls {
        ca: Some(ca.clone()),
        identity: Some((cert, key)),
        insecure: false,
    };
    let pair = clients.vouches_for("elder", |_| ());
    let other = clients.vouches_for("other", |_| ());
    let stranger = servers.vouches_for("stranger", |_| ());
    let put = |name: &str, text: &str| file(&folder, name, text);
    let nobody = Tls {
        ca: Some(ca.clone()),
        ..system()
    };
    let one_file = put("both.pem", &format!("{}{}", pair.key, pair.cert));
    let gone = tree_path(&folder.path().join("gone.pem"), &folder);
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let garbage = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    let cert = || put("cert.pem", &pair.cert);
    let key = || put("key.pem", &pair.key);
    for (what, tls, want) in [
        ("the certificate that it wants", with(cert(), key()), Ok(())),
        ("both in one file", with(one_file.clone(), one_file), Ok(())),
        ("none", nobody, Err((Reason::Connect, "TLS: "))),
        (
            "a stranger's",
            with(put("s.pem", &stranger.cert), put("s.key", &stranger.key)),
            Err((Reason::Connect, "TLS: ")),
        ),
        (
            "no such file",
            with(gone.clone(), key()),
            Err((Reason::Setup, "tls.cert: ")),
        ),
        (
            "no such key",
            with(cert(), gone),
            Err((Reason::Setup, "gone.pem: ENOENT: no such file")),
        ),
        (
            "another's key",
            with(cert(), put("o.key", &other.key)),
            Err((Reason::Setup, "cannot be used together")),
        ),
        (
            "a key for a certificate",
            with(key(), key()),
            Err((Reason::Setup, "it holds no certificate in PEM form")),
        ),
        (
            "a certificate for a key",
            with(cert(), cert()),
            Err((Reason::Setup, "it holds no private key in PEM form")),
        ),
        (
            "a key with a passphrase",
            with(cert(), put("e.key", encrypted)),
            Err((Reason::Setup, "passphrase")),
        ),
        (
            "a key that is none",
            with(cert(), put("g.key", garbage)),
            Err((Reason::Setup, "cannot be used together")),
        ),
    ] {
        let end = ask(&server, "127.0.0.1", tls).await;
        assert_end(what, &end, want);
        assert!(
            !detail(&end).contains("BEGIN ENCRYPTED"),
            "{}",
            detail(&end)
        );
    }
}

#[tokio::test]
async fn a_file_that_changes_counts_from_the_next_attempt_on() {
    let folder = TempDir::new().unwrap();
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let server = server(&new.vouches_for("127.0.0.1", |_| ()), None).await;
    let ca = file(&folder, "ca.pem", &old.pem);
    let runner = runner_with(&[], Client::new(Egress::default()).unwrap());
    let mut http = get(&format!("https://127.0.0.1:{}/", server.address.port()));
    http.tls = Some(Arc::new(Tls {
        ca: Some(ca),
        ..system()
    }));
    for (pem, want) in [
        (Some(&old.pem), Err((Reason::Connect, "TLS: "))),
        (Some(&new.pem), Ok(())),
        (None, Err((Reason::Setup, "ENOENT"))),
        (Some(&old.pem), Err((Reason::Connect, "TLS: "))),
        (Some(&new.pem), Ok(())),
    ] {
        let path = folder.path().join("ca.pem");
        match pem {
            Some(pem) => std::fs::write(path, pem).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
        let (attempt, _stop) = request(http.clone()).attempt();
        let end = tokio::time::timeout(LONG, runner.attempt(attempt))
            .await
            .unwrap();
        assert_end("a changed file", &end, want);
    }
}

#[tokio::test]
async fn as_many_clients_as_settings_are_kept_and_a_bounded_number() {
    let folder = TempDir::new().unwrap();
    let authority = Authority::new("one");
    let client = Client::new(Egress::default()).unwrap();
    let tls = |name: &str, text: &str| {
        Arc::new(Tls {
            ca: Some(file(&folder, name, text)),
            ..system()
        })
    };
    for name in ["a.pem", "b.pem", "a.pem"] {
        client
            .of(Some(&tls(name, &authority.pem)))
            .await
            .map(drop)
            .unwrap();
    }
    assert_eq!(
        client.special_clients(),
        1,
        "the same contents are the same setting"
    );
    let two = format!("{0}{0}", authority.pem);
    client
        .of(Some(&tls("a.pem", &two)))
        .await
        .map(drop)
        .unwrap();
    assert_eq!(client.special_clients(), 2);
    for many in 3..100 {
        let pem = authority.pem.repeat(many);
        client
            .of(Some(&tls("a.pem", &pem)))
            .await
            .map(drop)
            .unwrap();
    }
    assert_eq!(client.special_clients(), 64);
}

#[tokio::test]
async fn without_the_systems_authorities_ones_own_still_serve() {
    let folder = TempDir::new().unwrap();
    let authority = Authority::new("one");
    let server = server(&authority.vouches_for("127.0.0.1", |_| ()), None).await;
    let own = Tls {
        ca: Some(file(&folder, "ca.pem", &authority.pem)),
        ..system()
    };
    let insecure = Tls {
        insecure: true,
        ..system()
    };
    for (tls, want) in [
        (own, Ok(())),
        (insecure, Ok(())),
        (system(), Err((Reason::Setup, "install ca-certificates"))),
    ] {
        let mut http = get(&format!("https://127.0.0.1:{}/", server.address.port()));
        http.tls = Some(Arc::new(tls));
        let (attempt, _stop) = request(http).attempt();
        let runner = runner_with(&[], Client::without_authorities());
        let end = runner.attempt(attempt).await;
        assert_end("no authorities", &end, want);
    }
}
