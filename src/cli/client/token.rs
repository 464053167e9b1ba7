//! The token that goes along: the one that was named, or what an elder on this machine left.

use std::net::IpAddr;
use std::path::Path;

use reqwest::Url;

use crate::secret::Secret;
use crate::server::token_path;

use super::super::environment::{Environment, read_text};
use super::super::exit::Failure;

/// Whether an elder there is one of this machine.
pub(super) fn is_local(server: &Url) -> bool {
    let host = server.host_str().unwrap_or_default();
    let host = host.trim_matches(['[', ']']);
    let address = host.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The token that an elder on this machine left, found by its port. It is never
/// looked for on behalf of another machine.
pub(super) fn left_for(server: &Url, environment: &Environment) -> Option<Secret> {
    if !is_local(server) {
        return None;
    }
    let port = server.port_or_known_default()?;
    // What a job is told, else what elder itself is told: in a container both see one environment.
    let state = environment
        .get("ELDER_STATE_DIR")
        .or_else(|| environment.get("ELDER_STATE"))
        .unwrap_or("elder-state");
    // A process that elder started has not the variable of the user's session.
    let session = format!("/run/user/{}", environment.user);
    let runtime = environment.get("XDG_RUNTIME_DIR").unwrap_or(&session);
    let places = token_path(port, Some(Path::new(runtime)), Path::new(state));
    places.iter().find_map(|place| read(place).ok())
}

/// The token that a file holds.
///
/// # Errors
/// When it cannot be read, or holds none.
pub(super) fn read(file: &Path) -> Result<Secret, Failure> {
    let text = read_text(file).map_err(|error| {
        Failure::no_answer(format!(
            "cannot read --token-file {}: {error}",
            file.display()
        ))
    })?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = format!("{} holds no token", file.display());
        return Err(Failure::no_answer(message));
    }
    Ok(Secret::new(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn the_local_token_is_found_by_port_and_never_goes_to_another_machine() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("elder");
        std::fs::create_dir(&own).unwrap();
        std::fs::write(own.join("8000.token"), "secret-8000\n").unwrap();
        std::fs::write(own.join("80.token"), "secret-80\n").unwrap();
        let mut environment = Environment::default();
        let runtime = folder.path().display().to_string();
        environment.add(vec![("XDG_RUNTIME_DIR".to_owned(), runtime)]);
        for (server, want) in [
            ("http://127.0.0.1:8000", Some("secret-8000")),
            ("http://localhost:8000/base", Some("secret-8000")),
            ("http://[::1]", Some("secret-80")),
            ("http://127.0.0.1:1", None),
            ("http://elder.example:8000", None),
            ("http://10.0.0.1:8000", None),
            ("http://127.0.0.1.example:8000", None),
        ] {
            let token = left_for(&url(server), &environment);
            assert_eq!(token.as_ref().map(Secret::expose), want, "{server}");
        }
    }

    #[test]
    fn the_local_token_is_also_found_in_the_state_folder_that_elder_is_told() {
        let folder = tempfile::tempdir().unwrap();
        // A port of its own: nothing may lie under /run for it.
        std::fs::write(folder.path().join("3.token"), "secret-3\n").unwrap();
        let state = folder.path().display().to_string();
        for name in ["ELDER_STATE_DIR", "ELDER_STATE"] {
            let mut environment = Environment::default();
            environment.add(vec![(name.to_owned(), state.clone())]);
            let token = left_for(&url("http://127.0.0.1:3"), &environment);
            assert_eq!(
                token.as_ref().map(Secret::expose),
                Some("secret-3"),
                "{name}"
            );
        }
    }

    #[test]
    fn a_file_without_a_token_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t");
        let endless = "x".repeat((1 << 20) + 1);
        for text in ["", "\n", "two words", "line\nline", &endless] {
            std::fs::write(&file, text).unwrap();
            assert!(read(&file).is_err(), "{text:.20?}");
        }
        assert!(read(&folder.path().join("none")).is_err());
    }
}
