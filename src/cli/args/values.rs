//! Values of flags: text to something checked, with the mend in the message.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use jiff::Timestamp;

use crate::secret::Secret;

use crate::ids::JobName;
use crate::schedule::TzdataChoice;

impl ValueEnum for TzdataChoice {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Auto, Self::System, Self::Bundled]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Auto => ("auto", "The newer of the two"),
            Self::System => ("system", "The machine's"),
            Self::Bundled => ("bundled", "The one in the binary"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

/// `--listen`: an address with a port.
///
/// # Errors
/// With the mend in its message.
pub fn listen(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let port = |text: &str| text.parse::<u16>().ok();
    match text.rsplit_once(':') {
        Some(("localhost", rest)) => {
            let port = port(rest).ok_or("the port is a number up to 65535")?;
            Ok((IpAddr::V4(Ipv4Addr::LOCALHOST), port).into())
        }
        Some(("", rest)) if port(rest).is_some() => Err(format!(
            "write 127.0.0.1:{rest} for this machine alone or 0.0.0.0:{rest} for everyone"
        )),
        _ if port(text).is_some() => Err(format!("write 127.0.0.1:{text}")),
        _ => Err("write an address and a port, such as 127.0.0.1:8000".to_owned()),
    }
}

/// A job's name.
///
/// # Errors
/// When it cannot be one.
pub fn job_name(text: &str) -> Result<JobName, String> {
    JobName::new(text).map_err(|error| error.to_string())
}

/// Refuses a store that is not in this build. The address is not repeated: it may hold a password.
///
/// # Errors
/// When the address names one.
pub fn check_store(address: &str) -> Result<(), String> {
    match address.split(':').next() {
        Some("postgres" | "postgresql") => Err(not_built("PostgreSQL")),
        Some("redis" | "rediss") => Err(not_built("Redis")),
        _ => Ok(()),
    }
}

/// Why a shared store is refused and not quietly replaced by the local one.
#[must_use]
pub fn not_built(name: &str) -> String {
    format!(
        "this build has no {name} store; it is refused and not replaced, \
         because replicas that share nothing would each run every job"
    )
}

/// A length of time such as `30s`.
///
/// # Errors
/// With the mend in its message.
pub fn duration(text: &str) -> Result<Duration, String> {
    crate::duration::parse(text).map_err(|error| error.to_string())
}

/// `--prune-limit`: `50%`.
///
/// # Errors
/// With the mend in its message.
pub fn percent(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').unwrap_or(text);
    match number.parse::<u8>() {
        Ok(percent) if percent <= 100 => Ok(percent),
        _ => Err("write a share from 0% to 100%".to_owned()),
    }
}

/// An instant with an offset.
///
/// # Errors
/// With the mend in its message.
pub fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| {
        "write an instant with its offset, such as 2027-03-28T01:30:00+09:00".to_owned()
    })
}

/// `--server`: where an elder listens, without a trailing slash.
///
/// # Errors
/// With the mend in its message.
pub fn server(text: &str) -> Result<String, String> {
    let written = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url = reqwest::Url::parse(&written)
        .map_err(|_| "write an address such as http://127.0.0.1:8000".to_owned())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("write an address such as http://127.0.0.1:8000".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(
            "an address has no '?', '#' or '@'; the token goes into --token-file".to_owned(),
        );
    }
    Ok(written.trim_end_matches('/').to_owned())
}

/// What is not to be repeated, in whatever message.
///
/// # Errors
/// Never: whether it is right is said without it.
pub fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// Refuses what is no address to ask. It is not repeated: whoever knows it can say that elder lives.
///
/// # Errors
/// With the mend in its message.
pub fn check_heartbeat(address: &Secret) -> Result<(), String> {
    let url = reqwest::Url::parse(address.expose()).ok();
    let is_fine =
        url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some());
    if is_fine {
        Ok(())
    } else {
        Err("write an address such as https://hc-ping.com/UUID".to_owned())
    }
}

/// `--heartbeat-every`: a length of time such as `1m`, from a second on.
///
/// # Errors
/// With the mend in its message.
pub fn heartbeat_every(text: &str) -> Result<Duration, String> {
    let every = duration(text)?;
    if every < Duration::from_secs(1) {
        return Err("write 1s or more".to_owned());
    }
    Ok(every)
}

/// The name of a variable.
///
/// # Errors
/// When it is none.
pub fn variable_name(text: &str) -> Result<String, String> {
    let text = text.trim();
    let mut characters = text.chars();
    let starts = characters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if starts && characters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        Ok(text.to_owned())
    } else {
        Err("a name of a variable has letters, digits and '_'".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_or_answered_with_what_to_write() {
        for text in ["127.0.0.1:8000", "[::1]:0", "0.0.0.0:80", "localhost:8000"] {
            assert!(listen(text).is_ok(), "{text}");
        }
        for (text, hint) in [
            (":8000", "0.0.0.0:8000 for everyone"),
            ("8000", "127.0.0.1:8000"),
            ("elder.example:8000", "an address and a port"),
            ("localhost:99999", "up to 65535"),
            ("", "an address and a port"),
        ] {
            let error = listen(text).unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }

    #[test]
    fn a_heartbeat_has_an_address_that_is_not_repeated_and_a_pause() {
        let check = |text: &str| check_heartbeat(&secret(text).unwrap());
        assert_eq!(check("https://hc.example/abc"), Ok(()));
        for text in ["hc.example/secret", "ftp://h/secret", "secret", ""] {
            assert!(!check(text).unwrap_err().contains("secret"), "{text}");
        }
        assert_eq!(heartbeat_every("1s"), Ok(Duration::from_secs(1)));
        for text in ["500ms", "0s", "often"] {
            assert!(heartbeat_every(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_store_that_this_build_has_not_is_refused_without_repeating_its_password() {
        for address in [
            "postgres://u:hunter2@db/elder",
            "postgresql://db",
            "redis://:hunter2@r:6379/0",
            "rediss://r",
        ] {
            let error = check_store(address).unwrap_err();
            assert!(error.contains("this build has no"), "{address}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        for address in ["memory:", "sqlite:", "sqlite:a/b.db"] {
            assert_eq!(check_store(address), Ok(()), "{address}");
        }
    }

    #[test]
    fn words_and_numbers_out_of_range_are_refused() {
        assert_eq!(percent("50%"), Ok(50));
        assert_eq!(percent("0"), Ok(0));
        assert!(percent("101%").is_err() && percent("half").is_err() && percent("-1").is_err());
        assert!(duration("30").unwrap_err().contains("30s"));
        assert!(variable_name("A_1").is_ok() && variable_name("A-1").is_err());
    }

    #[test]
    fn a_server_is_an_address_without_a_secret_in_it() {
        for (text, want) in [
            ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
            ("localhost:9000", "http://localhost:9000"),
            ("https://elder.example/base", "https://elder.example/base"),
        ] {
            assert_eq!(server(text).as_deref(), Ok(want));
        }
        for text in [
            "ftp://x",
            "http://user@x",
            "http://x/?token=1",
            "http://",
            "",
        ] {
            assert!(server(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn an_instant_needs_its_offset() {
        assert!(instant("2027-03-28T01:30:00Z").is_ok());
        assert!(instant("2027-03-28T01:30:00").is_err());
    }
}
