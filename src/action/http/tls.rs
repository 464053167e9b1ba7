//! `tls`: whom to believe and who to be, from files that are read anew for each attempt.

use reqwest::{Certificate, ClientBuilder, Identity};
use sha2::{Digest as _, Sha256};

use crate::model::{Tls, TreePath};

use super::super::failure::Failure;
use super::super::secrets::read_text;
use super::failing::deepest;

/// What tells one client from another.
pub(super) type Digest = [u8; 32];

/// What the files of one `tls` hold.
pub(super) struct Material {
    /// For messages.
    ca_path: String,
    key_path: String,
    /// Certificates of authorities.
    ca: Option<String>,
    /// A chain of certificates and its key.
    identity: Option<(String, String)>,
    insecure: bool,
}

impl Material {
    /// Reads the files.
    pub(super) fn read(tls: &Tls) -> Result<Self, Failure> {
        let mut material = Self {
            ca_path: String::new(),
            key_path: String::new(),
            ca: None,
            identity: None,
            insecure: tls.insecure,
        };
        if let Some(path) = &tls.ca {
            material.ca = Some(certificates("ca", path)?);
            material.ca_path = path.path.display().to_string();
        }
        if let Some((cert, key)) = &tls.identity {
            material.identity = Some((certificates("cert", cert)?, private_key(key)?));
            material.key_path = key.path.display().to_string();
        }
        Ok(material)
    }

    /// The same for the same contents, wherever they were read.
    pub(super) fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        let (cert, key) = match &self.identity {
            Some((cert, key)) => (cert.as_str(), key.as_str()),
            None => ("", ""),
        };
        for text in [self.ca.as_deref().unwrap_or_default(), cert, key] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        hash.update([u8::from(self.insecure)]);
        hash.finalize().into()
    }

    /// A client that believes and is what the files say.
    pub(super) fn client(&self, mut builder: ClientBuilder) -> Result<reqwest::Client, Failure> {
        let bad = |key: &str, path: &str, error: &reqwest::Error| {
            Failure::setup(format!(
                "tls.{key}: {path}: it cannot be used: {}",
                deepest(error)
            ))
        };
        if let Some(ca) = &self.ca {
            let read = Certificate::from_pem_bundle(ca.as_bytes());
            let authorities = read.map_err(|error| bad("ca", &self.ca_path, &error))?;
            builder = builder.tls_certs_only(authorities);
        }
        if let Some((cert, key)) = &self.identity {
            let read = Identity::from_pem(format!("{cert}{key}").as_bytes());
            let identity = read.map_err(|error| bad("key", &self.key_path, &error))?;
            builder = builder.identity(identity);
        }
        if self.insecure {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        builder.build().map_err(|error| {
            Failure::setup(format!(
                "the files of `tls` cannot be used together: {}",
                deepest(&error)
            ))
        })
    }
}

fn told(key: &str, path: &TreePath, what: &str) -> Failure {
    Failure::setup(format!("tls.{key}: {}: {what}", path.path.display()))
}

fn read(key: &str, path: &TreePath) -> Result<String, Failure> {
    read_text(path).map_err(|error| Failure::setup(format!("tls.{key}: {error}")))
}

/// All certificates of a file, and nothing else of it: a key may stand beside them.
fn certificates(key: &str, path: &TreePath) -> Result<String, Failure> {
    let text = read(key, path)?;
    let found: String = sections(&text)
        .filter(|(label, _)| *label == "CERTIFICATE")
        .map(|(_, section)| section)
        .collect();
    if found.is_empty() {
        return Err(told(
            key,
            path,
            "it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)",
        ));
    }
    Ok(found)
}

/// The first private key of a file.
fn private_key(path: &TreePath) -> Result<String, Failure> {
    let text = read("key", path)?;
    let found = sections(&text).find(|(label, _)| label.ends_with("PRIVATE KEY"));
    let wrong = match found {
        None => "it holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)",
        Some((label, section))
            if label.starts_with("ENCRYPTED") || section.contains("Proc-Type: 4,ENCRYPTED") =>
        {
            "the key is encrypted, and nobody is there to give its passphrase: \
             write it without one (openssl pkey -in KEY -out PLAIN), readable for elder alone"
        }
        Some((_, section)) => return Ok(section),
    };
    Err(told("key", path, wrong))
}

/// The sections of a PEM file with their labels. Whatever stands around them is left out.
fn sections(text: &str) -> impl Iterator<Item = (&str, String)> {
    let mut lines = text.lines().map(str::trim);
    std::iter::from_fn(move || {
        let label = lines.find_map(|line| boundary(line, "-----BEGIN "))?;
        let mut section = format!("-----BEGIN {label}-----\n");
        for line in lines.by_ref() {
            section.push_str(line);
            section.push('\n');
            if boundary(line, "-----END ").is_some() {
                return Some((label, section));
            }
        }
        None
    })
}

fn boundary<'t>(line: &'t str, begin: &str) -> Option<&'t str> {
    line.strip_prefix(begin)?.strip_suffix("-----")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_found_between_whatever_else_a_file_says() {
        let text = "Bag Attributes\r\n-----BEGIN A-----\r\nMA==\r\n-----END A-----\r\nsubject=x\n\n  -----BEGIN B C-----\nMB==\n-----END B C-----\n-----BEGIN D-----\nnever ends\n";
        let found: Vec<_> = sections(text).collect();
        assert_eq!(
            found,
            [
                ("A", "-----BEGIN A-----\nMA==\n-----END A-----\n".to_owned()),
                (
                    "B C",
                    "-----BEGIN B C-----\nMB==\n-----END B C-----\n".to_owned()
                ),
            ]
        );
        assert_eq!(sections("").count() + sections("-----BEGIN -").count(), 0);
    }
}
