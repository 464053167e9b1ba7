//! Why an exchange failed, in one word and in a sentence.

use std::error::Error;
use std::io;

use rustix::io::Errno;
use rustls::CertificateError;

use crate::model::Reason;

use super::super::failure::Failure;
use super::egress::Refused;

/// What the client's error means for the job. The address is left out: it may hold a secret.
pub(super) fn classify(error: &reqwest::Error) -> Failure {
    if let Some(refused) = causes(error).find_map(|cause| cause.downcast_ref::<Refused>()) {
        return Failure::setup(refused.to_string());
    }
    if error.is_builder() {
        return Failure::setup(format!("the request cannot be sent: {}", deepest(error)));
    }
    let broke = if error.is_connect() {
        "there was no connection"
    } else {
        "the connection broke"
    };
    let tls = causes(error).find_map(tls_error);
    let system = causes(error).find_map(system_error);
    let why = match (tls, system) {
        (Some(why), _) | (None, Some(why)) => why,
        (None, None) => deepest(error),
    };
    Failure::new(Reason::Connect, format!("{broke}: {why}"))
}

/// The error and what caused it, down to the first cause.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let io = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        match io {
            // What an error of input and output wraps, it does not call its cause.
            Some(wrapped) => Some(wrapped as &(dyn Error + 'static)),
            None => (*error).source(),
        }
    })
}

/// The text of the first cause.
pub(super) fn deepest(error: &(dyn Error + 'static)) -> String {
    causes(error).last().unwrap_or(error).to_string()
}

fn tls_error(cause: &(dyn Error + 'static)) -> Option<String> {
    let error = cause.downcast_ref::<rustls::Error>()?;
    let mend = match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "; if that authority is right, name it with `tls: { ca: PATH }`"
        }
        // What `openssl req -x509` makes unless it is told otherwise.
        rustls::Error::InvalidCertificate(CertificateError::Other(_))
            if error.to_string().contains("CaUsedAsEndEntity") =>
        {
            "; the server shows an authority's certificate as its own: make it without CA:TRUE"
        }
        _ => "",
    };
    Some(format!("TLS: {error}{mend}"))
}

fn system_error(cause: &(dyn Error + 'static)) -> Option<String> {
    let error = cause.downcast_ref::<io::Error>()?;
    let text = match Errno::from_raw_os_error(error.raw_os_error()?) {
        Errno::CONNREFUSED => "ECONNREFUSED: nobody listens there",
        Errno::CONNRESET => "ECONNRESET: the other side dropped it",
        Errno::PIPE => "EPIPE: the other side closed it",
        Errno::TIMEDOUT => "ETIMEDOUT: the other side does not answer",
        Errno::HOSTUNREACH => "EHOSTUNREACH: no way to that host",
        Errno::NETUNREACH => "ENETUNREACH: no way to that network",
        Errno::MFILE => {
            "EMFILE: elder has too many open files; raise LimitNOFILE or lower --max-requests"
        }
        _ => return Some(error.to_string()),
    };
    Some(text.to_owned())
}
