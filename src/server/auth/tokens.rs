//! `--tokens FILE`: who holds which token.
//!
//! One token a line, and a `#` begins a comment:
//!
//! ```text
//! # name     role      SHA-256 of the token (printf %s TOKEN | sha256sum)
//! grafana    viewer    9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//! deploy-ci  operator  60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752  networks=10.0.0.0/8,::1  expires=2027-12-31T00:00:00Z
//! ```
//!
//! The file holds no token, only digests; who reads it can do nothing with it.

use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use subtle::ConstantTimeEq;

use crate::ids::check_name;

use super::network::Network;
use super::{Role, TokenHash};

/// The largest file that is read.
const MAX_FILE: u64 = 1024 * 1024;

/// Why a tokens file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// It cannot be read.
    #[error("the tokens file {path} cannot be read: {error}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// A line of it is wrong.
    #[error(
        "{path}:{line}: {problem}; a line is: NAME viewer|operator|admin SHA256 [networks=…] [expires=…]"
    )]
    Line {
        /// Which file.
        path: String,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Entry {
    pub(super) name: Arc<str>,
    pub(super) role: Role,
    hash: TokenHash,
    networks: Vec<Network>,
    pub(super) expires: Option<Timestamp>,
}

impl Entry {
    /// Whether it may be used from there.
    pub(super) fn covers(&self, peer: IpAddr) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|network| network.contains(peer))
    }
}

/// All tokens of a file.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Tokens {
    entries: Vec<Entry>,
}

impl Tokens {
    /// The token with that digest. It looks at all of them, whichever it is.
    pub(super) fn find(&self, hash: &TokenHash) -> Option<&Entry> {
        let mut found = None;
        for entry in &self.entries {
            if equal(&entry.hash, hash) {
                found = Some(entry);
            }
        }
        found
    }

    /// How many.
    pub(in super::super) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// Compares without telling by its time where they differ.
pub(super) fn equal(a: &TokenHash, b: &TokenHash) -> bool {
    a.ct_eq(b).into()
}

/// A tokens file as read.
pub(in super::super) struct ReadTokens {
    /// What is in it.
    pub(in super::super) tokens: Tokens,
    /// Others than its owner may write it: a sentence to log.
    pub(in super::super) warning: Option<String>,
}

/// Reads a tokens file.
pub(in super::super) fn read_tokens(path: &Path) -> Result<ReadTokens, TokensError> {
    let shown = path.display().to_string();
    let unreadable = |error| TokensError::Unreadable {
        path: shown.clone(),
        error,
    };
    let file = File::open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    if !about.is_file() {
        return Err(unreadable(io::Error::other("it is no regular file")));
    }
    let mut text = String::new();
    let mut limited = file.take(MAX_FILE + 1);
    limited.read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_FILE {
        return Err(unreadable(io::Error::other("it is larger than 1 MiB")));
    }
    let warning = (about.mode() & 0o022 != 0)
        .then(|| format!("{shown} may be written by others than its owner: chmod go-w {shown}"));
    let tokens = parse_tokens(&text).map_err(|(line, problem)| TokensError::Line {
        path: shown.clone(),
        line,
        problem,
    })?;
    Ok(ReadTokens { tokens, warning })
}

/// Reads the text of a tokens file; an error has its line.
fn parse_tokens(text: &str) -> Result<Tokens, (usize, String)> {
    let mut entries: Vec<Entry> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let at = |problem: String| (index + 1, problem);
        let entry = parse_line(line).map_err(at)?;
        if entries.iter().any(|known| known.name == entry.name) {
            return Err(at(format!("the name {:?} is there twice", entry.name)));
        }
        if entries.iter().any(|known| known.hash == entry.hash) {
            return Err(at("another name has the same token".to_owned()));
        }
        entries.push(entry);
    }
    Ok(Tokens { entries })
}

fn parse_line(line: &str) -> Result<Entry, String> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(role), Some(hash)) = (words.next(), words.next(), words.next()) else {
        return Err("a name, a role and a digest are needed".to_owned());
    };
    check_name(name).map_err(|error| error.to_string())?;
    let role = match role {
        "viewer" => Role::Viewer,
        "operator" => Role::Operator,
        "admin" => Role::Admin,
        other => return Err(format!("{other:?} is no role")),
    };
    // Not shown in the message: somebody may have written the token itself there.
    let hash = digest(hash).ok_or("the third word is no SHA-256: 64 hexadecimal digits")?;
    let mut entry = Entry {
        name: name.into(),
        role,
        hash,
        networks: Vec::new(),
        expires: None,
    };
    for word in words {
        match word.split_once('=') {
            Some(("networks", list)) => {
                for network in list.split(',') {
                    entry.networks.push(network.parse()?);
                }
            }
            Some(("expires", at)) => {
                let at = at.parse();
                entry.expires =
                    Some(at.map_err(|_| "expires is an instant: 2027-12-31T00:00:00Z")?);
            }
            _ => return Err("after the digest come networks=… and expires=… only".to_owned()),
        }
    }
    Ok(entry)
}

fn digest(text: &str) -> Option<TokenHash> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        if pair.starts_with('+') {
            return None;
        }
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::hash_token;
    use super::*;

    const TEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn a_file_reads_with_comments_networks_and_an_end() {
        let text = format!(
            "# who\n\n a viewer {TEST} # a comment\nb admin {} networks=10.0.0.0/8,::1 expires=2027-12-31T00:00:00Z\n",
            "0A".repeat(32)
        );
        let tokens = parse_tokens(&text).unwrap();
        assert_eq!(tokens.len(), 2);
        let a = tokens.find(&hash_token("test")).unwrap();
        assert_eq!((&*a.name, a.role, a.expires), ("a", Role::Viewer, None));
        assert!(a.covers("8.8.8.8".parse().unwrap()));
        let b = tokens.find(&[10; 32]).unwrap();
        assert_eq!(b.expires, "2027-12-31T00:00:00Z".parse().ok());
        assert!(b.covers("::1".parse().unwrap()) && !b.covers("8.8.8.8".parse().unwrap()));
        assert_eq!(tokens.find(&[0; 32]), None);
    }

    #[test]
    fn a_bad_line_is_named_and_its_secret_is_not() {
        for (line, part) in [
            ("a viewer", "are needed"),
            (&format!("../x viewer {TEST}"), "begins with a letter"),
            (&format!("a root {TEST}"), "is no role"),
            ("a viewer my-secret-token", "no SHA-256"),
            (&format!("a viewer {}", "+1".repeat(32)), "no SHA-256"),
            (&format!("a viewer {}", "ü".repeat(32)), "no SHA-256"),
            (&format!("a viewer {TEST} networks=x"), "is no network"),
            (&format!("a viewer {TEST} expires=soon"), "is an instant"),
            (&format!("a viewer {TEST} color=red"), "only"),
        ] {
            let (at, problem) = parse_tokens(&format!("# first\n{line}\n")).unwrap_err();
            assert_eq!(at, 2, "{line}");
            assert!(problem.contains(part), "{line}: {problem}");
            assert!(!problem.contains("my-secret-token"));
        }
        let twice = format!("a viewer {TEST}\na admin {}", "00".repeat(32));
        assert!(parse_tokens(&twice).unwrap_err().1.contains("twice"));
        let shared = format!("a viewer {TEST}\nb admin {TEST}");
        assert!(parse_tokens(&shared).unwrap_err().1.contains("same token"));
    }

    #[test]
    fn a_file_that_others_may_write_is_warned_about_and_a_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        std::fs::write(&path, format!("a viewer {TEST}\n")).unwrap();
        for (mode, warned) in [(0o640, false), (0o666, true)] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let read = read_tokens(&path).unwrap();
            assert_eq!(read.warning.is_some(), warned, "{mode:o}");
            assert_eq!(read.tokens.len(), 1);
        }
        assert!(read_tokens(folder.path()).is_err());
        assert!(read_tokens(&folder.path().join("none")).is_err());
        std::fs::write(&path, "#".repeat(MAX_FILE as usize + 1)).unwrap();
        assert!(read_tokens(&path).is_err());
    }
}
